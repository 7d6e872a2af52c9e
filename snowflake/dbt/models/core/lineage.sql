{{ config(materialized=var('reengage_lineage_as'), incremental_strategy='append', on_schema_change='append_new_columns') }}
-- What happened, once.  The roads deliver at least once and Snowflake enforces no
-- primary key, so this QUALIFY is what removes duplicates.  Rows never change, so
-- it does not matter which one of them stays.
--
-- A mark of deletion is not followed (IS_DELETED is not looked at): pruning old
-- rows in PostgreSQL must not take them from the warehouse.
--
-- Times are in UTC and without a zone, so that no day depends on the TIMEZONE of
-- a session.
SELECT {{ reengage.lineage_in_utc() }}
FROM {{ ref('landed_lineage') }}
{%- if reengage.is_stored() %} LANDED
-- whatever is not here yet, however late it came
WHERE NOT EXISTS (SELECT 1 FROM {{ this }} STORED WHERE STORED.LINEAGE_ID = LANDED.LINEAGE_ID)
{%- if var('reengage_lookback_days') %}
  AND (LANDED.LOADED_AT >= {{ reengage.days_ago(var('reengage_lookback_days')) }}
       OR LANDED.RECORDED_AT >= {{ reengage.days_ago(var('reengage_lookback_days')) }})
{%- endif %}
{%- endif %}
QUALIFY ROW_NUMBER() OVER (PARTITION BY LINEAGE_ID ORDER BY LOADED_AT, NODE) = 1
