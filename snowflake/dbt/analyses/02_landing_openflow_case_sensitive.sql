-- The road: Openflow Connector for PostgreSQL with its default, which keeps the
-- case of PostgreSQL's names: what comes from there is quoted here, and nowhere
-- else.  The connector's own columns are in upper case.

USE SCHEMA REENGAGE_BI.MODEL;

{{ reengage.landing_views('openflow_case_sensitive') }}
