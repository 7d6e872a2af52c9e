-- The road: Debezium, Kafka, and Snowflake's connector for Kafka without schematization:
-- two columns of type VARIANT, which the connector makes.  The files in kafka/ are its
-- settings, with snowflake.enable.schematization=false; they flatten the events.
--
-- A timestamptz arrives as ISO 8601 text, uuid and jsonb arrive as text.  A path
-- into a VARIANT is case-sensitive, and PostgreSQL's names are in lower case.

USE SCHEMA REENGAGE_BI.MODEL;

{{ reengage.landing_views('kafka') }}
