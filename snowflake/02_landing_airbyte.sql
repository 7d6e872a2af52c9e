-- Made from dbt/analyses/02_landing_airbyte.sql and the models that it names, by test/snowflake/generate.
--
-- The road: Airbyte, from its source Postgres to its destination Snowflake.  In the
-- source, add the schema reengage: only public is offered by itself.  The column
-- _AB_CDC_DELETED_AT comes with CDC; in the modes xmin and cursor put FALSE in
-- place of the expression.  jsonb arrives as text; if yours arrives as VARIANT, take
-- DETAIL as it is.

USE SCHEMA REENGAGE_BI.MODEL;

CREATE OR REPLACE VIEW LANDED_LINEAGE
  COMMENT = 'rows of lineage as the road delivered them, perhaps more than once'
AS
SELECT 'ONE' AS NODE,
       _AIRBYTE_EXTRACTED_AT AS LOADED_AT,
       _AB_CDC_DELETED_AT IS NOT NULL AS IS_DELETED,
       LINEAGE_ID, NUDGE_ID, SERVER, OUTCOME, REASON, STEP, REQUESTED_CONVERSATION_ID, CONVERSATION_ID,
       PREVIOUS_CONVERSATION_ID, ROOT_CONVERSATION_ID, GENERATION, STATUS_SEEN, CHANNEL, ADDRESS_HASH, CAMPAIGN,
       ATTEMPTS, API_CALLS, API_CALLS_SAVED, HTTP_STATUS, API_ERROR_CODE, API_ERROR_MESSAGE, CORRELATION_ID,
       MESSAGE_ID, REQUESTED_AT, DUE_AT, CHECKED_AT, CALLED_AT, OCCURRED_AT, RECORDED_AT, RESOLVES,
       SCHEMA_VERSION, PARSE_JSON(DETAIL) AS DETAIL
FROM REENGAGE_RAW.REENGAGE.LINEAGE;

CREATE OR REPLACE VIEW LANDED_MANIFEST
  COMMENT = 'rows of the manifest as the road delivered them, perhaps more than once'
AS
SELECT 'ONE' AS NODE,
       _AIRBYTE_EXTRACTED_AT AS LOADED_AT,
       _AB_CDC_DELETED_AT IS NOT NULL AS IS_DELETED,
       MANIFEST_ID, DAY, AS_OF, ROW_COUNT, DIGEST, COLUMN_SUMS, UP_TO
FROM REENGAGE_RAW.REENGAGE.LINEAGE_MANIFEST;
