-- One row for each customer story, kept up to date incrementally.  REFRESH_MODE =
-- INCREMENTAL makes the creation fail rather than refresh everything each time,
-- should Snowflake not be able to.

USE SCHEMA REENGAGE_BI.MODEL;

-- model: threads
