-- The road: Debezium, Kafka, and Snowflake's connector for Kafka, version 4, with
-- kafka/snowflake-sink-v4-defaults.properties: columns keep the case that PostgreSQL
-- has.  What comes from there is quoted here, and nowhere else; the tables' names and
-- RECORD_METADATA are in upper case.
--
-- Run this file before the connector starts.  Times and JSON land as text, as in
-- 02_landing_kafka_columns.sql.

USE SCHEMA REENGAGE_BI.MODEL;

{{ reengage.kafka_tables('kafka_columns_case_sensitive', ['"__op" VARCHAR', '"__source_ts_ms" NUMBER(38, 0)', '"__deleted" VARCHAR']) }}

{{ reengage.landing_views('kafka_columns_case_sensitive') }}
