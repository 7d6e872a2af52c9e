-- Made from dbt/analyses/04_threads.sql and the models that it names, by test/snowflake/generate.
--
-- One row for each customer story, kept up to date incrementally.  REFRESH_MODE =
-- INCREMENTAL makes the creation fail rather than refresh everything each time,
-- should Snowflake not be able to.

USE SCHEMA REENGAGE_BI.MODEL;

-- One row for each customer story, which Snowflake can keep up to date
-- incrementally: root and generation are stored in each row of lineage, so this needs
-- no recursion.
--
-- The newest of a group is the greatest text: generation with leading zeros, then
-- lineage_id, which is ordered by time (UUID version 7).  No id contains a "|".
CREATE OR REPLACE DYNAMIC TABLE THREADS
  TARGET_LAG = '5 minutes'
  WAREHOUSE = REENGAGE_WH
  REFRESH_MODE = INCREMENTAL
  COMMENT = 'one row for each customer story: a chain of conversations from root to tip'
AS
SELECT SERVER, ROOT_CONVERSATION_ID,
       SPLIT_PART(MAX(LPAD(GENERATION::VARCHAR, 10, '0') || '|' || LINEAGE_ID || '|' || CONVERSATION_ID), '|', 3)
         AS TIP_CONVERSATION_ID,
       MAX(GENERATION) AS GENERATIONS,
       COUNT_IF(NUDGE_ID IS NOT NULL AND RESOLVES IS NULL) AS NUDGES,
       COUNT_IF(OUTCOME IN ('notified', 'session_created', 'session_continued', 'resolved_sent')) AS NUDGES_SENT,
       SPLIT_PART(MAX(LINEAGE_ID || '|' || OUTCOME), '|', 2) AS LAST_OUTCOME,
       SUM(API_CALLS) AS API_CALLS,
       SUM(API_CALLS_SAVED) AS API_CALLS_SAVED,
       MIN(OCCURRED_AT) AS FIRST_AT,
       MAX(OCCURRED_AT) AS LAST_AT
FROM LINEAGE
GROUP BY SERVER, ROOT_CONVERSATION_ID;
