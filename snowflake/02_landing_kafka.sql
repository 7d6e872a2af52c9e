-- Made from dbt/analyses/02_landing_kafka.sql and the models that it names, by test/snowflake/generate.
--
-- The road: Debezium, Kafka, and Snowflake's connector for Kafka without schematization:
-- two columns of type VARIANT, which the connector makes.  The files in kafka/ are its
-- settings, with snowflake.enable.schematization=false; they flatten the events.
--
-- A timestamptz arrives as ISO 8601 text, uuid and jsonb arrive as text.  A path
-- into a VARIANT is case-sensitive, and PostgreSQL's names are in lower case.

USE SCHEMA REENGAGE_BI.MODEL;

CREATE OR REPLACE VIEW LANDED_LINEAGE
  COMMENT = 'rows of lineage as the road delivered them, perhaps more than once'
AS
SELECT 'ONE' AS NODE,
       TO_TIMESTAMP_LTZ(COALESCE(RECORD_METADATA:SnowflakeConnectorPushTime::NUMBER(38, 0), RECORD_CONTENT:__source_ts_ms::NUMBER(38, 0)), 3) AS LOADED_AT,
       COALESCE(RECORD_CONTENT:__deleted::VARCHAR = 'true', FALSE) AS IS_DELETED,
       RECORD_CONTENT:lineage_id::VARCHAR AS LINEAGE_ID,
       RECORD_CONTENT:nudge_id::VARCHAR AS NUDGE_ID,
       RECORD_CONTENT:server::VARCHAR AS SERVER,
       RECORD_CONTENT:outcome::VARCHAR AS OUTCOME,
       RECORD_CONTENT:reason::VARCHAR AS REASON,
       RECORD_CONTENT:step::VARCHAR AS STEP,
       RECORD_CONTENT:requested_conversation_id::VARCHAR AS REQUESTED_CONVERSATION_ID,
       RECORD_CONTENT:conversation_id::VARCHAR AS CONVERSATION_ID,
       RECORD_CONTENT:previous_conversation_id::VARCHAR AS PREVIOUS_CONVERSATION_ID,
       RECORD_CONTENT:root_conversation_id::VARCHAR AS ROOT_CONVERSATION_ID,
       RECORD_CONTENT:generation::NUMBER(38, 0) AS GENERATION,
       RECORD_CONTENT:status_seen::VARCHAR AS STATUS_SEEN,
       RECORD_CONTENT:channel::VARCHAR AS CHANNEL,
       RECORD_CONTENT:address_hash::VARCHAR AS ADDRESS_HASH,
       RECORD_CONTENT:campaign::VARCHAR AS CAMPAIGN,
       RECORD_CONTENT:attempts::NUMBER(38, 0) AS ATTEMPTS,
       RECORD_CONTENT:api_calls::NUMBER(38, 0) AS API_CALLS,
       RECORD_CONTENT:api_calls_saved::NUMBER(38, 0) AS API_CALLS_SAVED,
       RECORD_CONTENT:http_status::NUMBER(38, 0) AS HTTP_STATUS,
       RECORD_CONTENT:api_error_code::VARCHAR AS API_ERROR_CODE,
       RECORD_CONTENT:api_error_message::VARCHAR AS API_ERROR_MESSAGE,
       RECORD_CONTENT:correlation_id::VARCHAR AS CORRELATION_ID,
       RECORD_CONTENT:message_id::VARCHAR AS MESSAGE_ID,
       RECORD_CONTENT:requested_at::TIMESTAMP_TZ AS REQUESTED_AT,
       RECORD_CONTENT:due_at::TIMESTAMP_TZ AS DUE_AT,
       RECORD_CONTENT:checked_at::TIMESTAMP_TZ AS CHECKED_AT,
       RECORD_CONTENT:called_at::TIMESTAMP_TZ AS CALLED_AT,
       RECORD_CONTENT:occurred_at::TIMESTAMP_TZ AS OCCURRED_AT,
       RECORD_CONTENT:recorded_at::TIMESTAMP_TZ AS RECORDED_AT,
       RECORD_CONTENT:resolves::VARCHAR AS RESOLVES,
       RECORD_CONTENT:schema_version::NUMBER(38, 0) AS SCHEMA_VERSION,
       PARSE_JSON(RECORD_CONTENT:detail::VARCHAR) AS DETAIL
FROM REENGAGE_RAW.REENGAGE.LINEAGE;

CREATE OR REPLACE VIEW LANDED_MANIFEST
  COMMENT = 'rows of the manifest as the road delivered them, perhaps more than once'
AS
SELECT 'ONE' AS NODE,
       TO_TIMESTAMP_LTZ(COALESCE(RECORD_METADATA:SnowflakeConnectorPushTime::NUMBER(38, 0), RECORD_CONTENT:__source_ts_ms::NUMBER(38, 0)), 3) AS LOADED_AT,
       COALESCE(RECORD_CONTENT:__deleted::VARCHAR = 'true', FALSE) AS IS_DELETED,
       RECORD_CONTENT:manifest_id::VARCHAR AS MANIFEST_ID,
       RECORD_CONTENT:day::VARCHAR AS DAY,
       RECORD_CONTENT:as_of::TIMESTAMP_TZ AS AS_OF,
       RECORD_CONTENT:row_count::NUMBER(38, 0) AS ROW_COUNT,
       RECORD_CONTENT:digest::NUMBER(38, 0) AS DIGEST,
       RECORD_CONTENT:column_sums::VARCHAR AS COLUMN_SUMS,
       RECORD_CONTENT:up_to::TIMESTAMP_TZ AS UP_TO
FROM REENGAGE_RAW.REENGAGE.LINEAGE_MANIFEST;
