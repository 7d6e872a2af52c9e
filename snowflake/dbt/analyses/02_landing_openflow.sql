-- The road: Openflow Connector for PostgreSQL, with the option that writes
-- identifiers in upper case.  (Its default keeps their case:
-- 02_landing_openflow_case_sensitive.sql.)

USE SCHEMA REENGAGE_BI.MODEL;

{{ reengage.landing_views('openflow') }}
