-- Made from dbt/analyses/02_landing_openflow_case_sensitive.sql and the models that it names, by test/snowflake/generate.
--
-- The road: Openflow Connector for PostgreSQL with its default, which keeps the
-- case of PostgreSQL's names: what comes from there is quoted here, and nowhere
-- else.  The connector's own columns are in upper case.

USE SCHEMA REENGAGE_BI.MODEL;

CREATE OR REPLACE VIEW LANDED_LINEAGE
  COMMENT = 'rows of lineage as the road delivered them, perhaps more than once'
AS
SELECT 'ONE' AS NODE,
       _SNOWFLAKE_UPDATED_AT AS LOADED_AT,
       COALESCE(_SNOWFLAKE_DELETED, FALSE) AS IS_DELETED,
       "lineage_id" AS LINEAGE_ID,
       "nudge_id" AS NUDGE_ID,
       "server" AS SERVER,
       "outcome" AS OUTCOME,
       "reason" AS REASON,
       "step" AS STEP,
       "requested_conversation_id" AS REQUESTED_CONVERSATION_ID,
       "conversation_id" AS CONVERSATION_ID,
       "previous_conversation_id" AS PREVIOUS_CONVERSATION_ID,
       "root_conversation_id" AS ROOT_CONVERSATION_ID,
       "generation" AS GENERATION,
       "status_seen" AS STATUS_SEEN,
       "channel" AS CHANNEL,
       "address_hash" AS ADDRESS_HASH,
       "campaign" AS CAMPAIGN,
       "attempts" AS ATTEMPTS,
       "api_calls" AS API_CALLS,
       "api_calls_saved" AS API_CALLS_SAVED,
       "http_status" AS HTTP_STATUS,
       "api_error_code" AS API_ERROR_CODE,
       "api_error_message" AS API_ERROR_MESSAGE,
       "correlation_id" AS CORRELATION_ID,
       "message_id" AS MESSAGE_ID,
       "requested_at" AS REQUESTED_AT,
       "due_at" AS DUE_AT,
       "checked_at" AS CHECKED_AT,
       "called_at" AS CALLED_AT,
       "occurred_at" AS OCCURRED_AT,
       "recorded_at" AS RECORDED_AT,
       "resolves" AS RESOLVES,
       "schema_version" AS SCHEMA_VERSION,
       "detail" AS DETAIL
FROM REENGAGE_RAW."reengage"."lineage";

CREATE OR REPLACE VIEW LANDED_MANIFEST
  COMMENT = 'rows of the manifest as the road delivered them, perhaps more than once'
AS
SELECT 'ONE' AS NODE,
       _SNOWFLAKE_UPDATED_AT AS LOADED_AT,
       COALESCE(_SNOWFLAKE_DELETED, FALSE) AS IS_DELETED,
       "manifest_id" AS MANIFEST_ID,
       "day" AS DAY,
       "as_of" AS AS_OF,
       "row_count" AS ROW_COUNT,
       "digest" AS DIGEST,
       "column_sums" AS COLUMN_SUMS,
       "up_to" AS UP_TO
FROM REENGAGE_RAW."reengage"."lineage_manifest";
