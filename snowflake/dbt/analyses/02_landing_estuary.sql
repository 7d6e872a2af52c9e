-- The road: Estuary, with a standard materialization (not delta updates).  It leaves
-- simple names unquoted, so they are in upper case; its own column _meta/op is quoted.
-- Select that field: it says what is marked as deleted.

USE SCHEMA REENGAGE_BI.MODEL;

{{ reengage.landing_views('estuary') }}
