-- Made from dbt/analyses/02_landing_kafka_columns_case_sensitive.sql and the models that it names, by test/snowflake/generate.
--
-- The road: Debezium, Kafka, and Snowflake's connector for Kafka, version 4, with
-- kafka/snowflake-sink-v4-defaults.properties: columns keep the case that PostgreSQL
-- has.  What comes from there is quoted here, and nowhere else; the tables' names and
-- RECORD_METADATA are in upper case.
--
-- Run this file before the connector starts.  Times and JSON land as text, as in
-- 02_landing_kafka_columns.sql.

USE SCHEMA REENGAGE_BI.MODEL;

CREATE TABLE IF NOT EXISTS REENGAGE_RAW.REENGAGE.LINEAGE (
  "lineage_id" VARCHAR NOT NULL,
  "nudge_id" VARCHAR,
  "server" VARCHAR,
  "outcome" VARCHAR,
  "reason" VARCHAR,
  "step" VARCHAR,
  "requested_conversation_id" VARCHAR,
  "conversation_id" VARCHAR,
  "previous_conversation_id" VARCHAR,
  "root_conversation_id" VARCHAR,
  "generation" NUMBER(38, 0),
  "status_seen" VARCHAR,
  "channel" VARCHAR,
  "address_hash" VARCHAR,
  "campaign" VARCHAR,
  "attempts" NUMBER(38, 0),
  "api_calls" NUMBER(38, 0),
  "api_calls_saved" NUMBER(38, 0),
  "http_status" NUMBER(38, 0),
  "api_error_code" VARCHAR,
  "api_error_message" VARCHAR,
  "correlation_id" VARCHAR,
  "message_id" VARCHAR,
  "requested_at" VARCHAR,
  "due_at" VARCHAR,
  "checked_at" VARCHAR,
  "called_at" VARCHAR,
  "occurred_at" VARCHAR,
  "recorded_at" VARCHAR,
  "resolves" VARCHAR,
  "schema_version" NUMBER(38, 0),
  "detail" VARCHAR,
  "__op" VARCHAR,
  "__source_ts_ms" NUMBER(38, 0),
  "__deleted" VARCHAR,
  RECORD_METADATA VARIANT
) ENABLE_SCHEMA_EVOLUTION = TRUE ERROR_LOGGING = TRUE
  COMMENT = 'reengage.lineage of PostgreSQL';

CREATE TABLE IF NOT EXISTS REENGAGE_RAW.REENGAGE.LINEAGE_MANIFEST (
  "manifest_id" VARCHAR NOT NULL,
  "day" VARCHAR,
  "as_of" VARCHAR,
  "row_count" NUMBER(38, 0),
  "digest" NUMBER(38, 0),
  "column_sums" VARCHAR,
  "up_to" VARCHAR,
  "__op" VARCHAR,
  "__source_ts_ms" NUMBER(38, 0),
  "__deleted" VARCHAR,
  RECORD_METADATA VARIANT
) ENABLE_SCHEMA_EVOLUTION = TRUE ERROR_LOGGING = TRUE
  COMMENT = 'reengage.lineage_manifest of PostgreSQL';

CREATE OR REPLACE VIEW LANDED_LINEAGE
  COMMENT = 'rows of lineage as the road delivered them, perhaps more than once'
AS
SELECT 'ONE' AS NODE,
       TO_TIMESTAMP_LTZ(COALESCE(RECORD_METADATA:SnowflakeConnectorPushTime::NUMBER(38, 0), "__source_ts_ms"), 3) AS LOADED_AT,
       COALESCE("__deleted" = 'true', FALSE) AS IS_DELETED,
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
       "requested_at"::TIMESTAMP_TZ AS REQUESTED_AT,
       "due_at"::TIMESTAMP_TZ AS DUE_AT,
       "checked_at"::TIMESTAMP_TZ AS CHECKED_AT,
       "called_at"::TIMESTAMP_TZ AS CALLED_AT,
       "occurred_at"::TIMESTAMP_TZ AS OCCURRED_AT,
       "recorded_at"::TIMESTAMP_TZ AS RECORDED_AT,
       "resolves" AS RESOLVES,
       "schema_version" AS SCHEMA_VERSION,
       PARSE_JSON("detail") AS DETAIL
FROM REENGAGE_RAW.REENGAGE.LINEAGE;

CREATE OR REPLACE VIEW LANDED_MANIFEST
  COMMENT = 'rows of the manifest as the road delivered them, perhaps more than once'
AS
SELECT 'ONE' AS NODE,
       TO_TIMESTAMP_LTZ(COALESCE(RECORD_METADATA:SnowflakeConnectorPushTime::NUMBER(38, 0), "__source_ts_ms"), 3) AS LOADED_AT,
       COALESCE("__deleted" = 'true', FALSE) AS IS_DELETED,
       "manifest_id" AS MANIFEST_ID,
       "day" AS DAY,
       "as_of"::TIMESTAMP_TZ AS AS_OF,
       "row_count" AS ROW_COUNT,
       "digest" AS DIGEST,
       "column_sums" AS COLUMN_SUMS,
       "up_to"::TIMESTAMP_TZ AS UP_TO
FROM REENGAGE_RAW.REENGAGE.LINEAGE_MANIFEST;
