-- The road: Fivetran.  Its schema has the connector's name as a prefix: put it into
-- both FROMs.

USE SCHEMA REENGAGE_BI.MODEL;

{{ reengage.landing_views('fivetran') }}
