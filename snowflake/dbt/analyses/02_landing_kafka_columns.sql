-- The road: Debezium, Kafka, and the Snowflake sink with schematization: each
-- field is a column.  Flatten the events as 02_landing_kafka.sql says.

USE SCHEMA REENGAGE_BI.MODEL;

{{ reengage.landing_views('kafka_columns') }}
