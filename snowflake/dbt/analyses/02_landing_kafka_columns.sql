-- The road: Debezium, Kafka, and Snowflake's connector for Kafka, version 4, with
-- kafka/snowflake-sink.properties: each field of an event is a column, in upper case.
-- Run this file before the connector starts: a table that the connector makes by itself
-- lacks a column until a row has a value for it.
--
-- Times and JSON land as text: what does not fit a type would send the whole row to
-- the table's error table.

USE SCHEMA REENGAGE_BI.MODEL;

{{ reengage.kafka_tables('kafka_columns', ['__OP VARCHAR', '__SOURCE_TS_MS NUMBER(38, 0)', '__DELETED VARCHAR']) }}

{{ reengage.landing_views('kafka_columns') }}
