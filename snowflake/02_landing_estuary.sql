-- Made from dbt/analyses/02_landing_estuary.sql and the models that it names, by test/snowflake/generate.
--
-- The road: Estuary, with a standard materialization (not delta updates).  It leaves
-- simple names unquoted, so they are in upper case; its own column _meta/op is quoted.
-- Select that field: it says what is marked as deleted.

USE SCHEMA REENGAGE_BI.MODEL;

CREATE OR REPLACE VIEW LANDED_LINEAGE
  COMMENT = 'rows of lineage as the road delivered them, perhaps more than once'
AS
SELECT 'ONE' AS NODE,
       FLOW_PUBLISHED_AT AS LOADED_AT,
       COALESCE("_meta/op" = 'd', FALSE) AS IS_DELETED,
       LINEAGE_ID, NUDGE_ID, SERVER, OUTCOME, REASON, STEP, REQUESTED_CONVERSATION_ID, CONVERSATION_ID,
       PREVIOUS_CONVERSATION_ID, ROOT_CONVERSATION_ID, GENERATION, STATUS_SEEN, CHANNEL, ADDRESS_HASH, CAMPAIGN,
       ATTEMPTS, API_CALLS, API_CALLS_SAVED, HTTP_STATUS, API_ERROR_CODE, API_ERROR_MESSAGE, CORRELATION_ID,
       MESSAGE_ID, REQUESTED_AT, DUE_AT, CHECKED_AT, CALLED_AT, OCCURRED_AT, RECORDED_AT, RESOLVES,
       SCHEMA_VERSION, DETAIL
FROM REENGAGE_RAW.REENGAGE.LINEAGE;

CREATE OR REPLACE VIEW LANDED_MANIFEST
  COMMENT = 'rows of the manifest as the road delivered them, perhaps more than once'
AS
SELECT 'ONE' AS NODE,
       FLOW_PUBLISHED_AT AS LOADED_AT,
       COALESCE("_meta/op" = 'd', FALSE) AS IS_DELETED,
       MANIFEST_ID, DAY, AS_OF, ROW_COUNT, DIGEST, COLUMN_SUMS, UP_TO
FROM REENGAGE_RAW.REENGAGE.LINEAGE_MANIFEST;
