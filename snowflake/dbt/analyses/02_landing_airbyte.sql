-- The road: Airbyte, from its source Postgres to its destination Snowflake.  In the
-- source, add the schema reengage: only public is offered by itself.  The column
-- _AB_CDC_DELETED_AT comes with CDC; in the modes xmin and cursor put FALSE in
-- place of the expression.  jsonb arrives as text; if yours arrives as VARIANT, take
-- DETAIL as it is.

USE SCHEMA REENGAGE_BI.MODEL;

{{ reengage.landing_views('airbyte') }}
