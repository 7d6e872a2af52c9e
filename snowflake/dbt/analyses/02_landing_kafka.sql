-- The road: Debezium, Kafka, and the Snowflake sink without schematization: two
-- columns of type VARIANT.  In the connector, flatten the events:
--
--   transforms=unwrap
--   transforms.unwrap.type=io.debezium.transforms.ExtractNewRecordState
--   transforms.unwrap.add.fields=op,source.ts_ms
--   transforms.unwrap.delete.tombstone.handling.mode=rewrite
--
-- A timestamptz arrives as ISO 8601 text, uuid and jsonb arrive as text.  A path
-- into a VARIANT is case-sensitive, and PostgreSQL's names are in lower case.

USE SCHEMA REENGAGE_BI.MODEL;

{{ reengage.landing_views('kafka') }}
