{%- set columns = reengage.columns_of('lineage') -%}
{%- set texts, names, hashes = [], [], [] -%}
{%- for name, type in columns -%}
  {%- do texts.append(reengage.canonical(name | upper, type) ~ ' AS ' ~ name | upper ~ '_TEXT') -%}
  {%- do names.append(name | upper ~ '_TEXT') -%}
  {%- do hashes.append(reengage.canonical_hash(name | upper ~ '_TEXT') ~ ' AS ' ~ name | upper ~ '_HASH') -%}
{%- endfor -%}
-- Each value as a text that PostgreSQL makes alike, whatever the road made of it.
WITH TEXTS AS (
  SELECT NODE, LINEAGE_ID, LOADED_AT, {{ reengage.in_utc('RECORDED_AT') }} AS RECORDED_IN_UTC,
         {{ reengage.one_a_line(texts, 9) }},
         -- what version 1.0 summed up: 13 columns
         LINEAGE_ID || '|' || COALESCE(NUDGE_ID, '~') || '|' || SERVER || '|' || OUTCOME
         || '|' || REQUESTED_CONVERSATION_ID || '|' || CONVERSATION_ID
         || '|' || COALESCE(PREVIOUS_CONVERSATION_ID, '~') || '|' || ROOT_CONVERSATION_ID
         || '|' || GENERATION::VARCHAR || '|' || COALESCE(HTTP_STATUS::VARCHAR, '~')
         || '|' || API_CALLS::VARCHAR || '|' || API_CALLS_SAVED::VARCHAR
         || '|' || {{ reengage.microseconds('OCCURRED_AT') }}::VARCHAR AS TEXT_OF_13
  FROM {{ ref('landed_lineage') }}
),
DIGESTS AS (
  SELECT NODE, {{ reengage.day_of('RECORDED_IN_UTC') }} AS DAY, LINEAGE_ID, LOADED_AT, RECORDED_IN_UTC AS RECORDED_AT,
         {{ reengage.canonical_hash('LINEAGE_ID_TEXT') }} AS PLACE,
         {{ reengage.canonical_hash(reengage.joined(names, 9), 48) }} AS DIGEST,
         {{ reengage.canonical_hash('TEXT_OF_13', 48) }} AS DIGEST_OF_13,
         {{ reengage.one_a_line(hashes, 9) }}
  FROM TEXTS
)
SELECT D.*, COUNT(*) OVER (PARTITION BY NODE, LINEAGE_ID) AS COPIES,
       MIN(DIGEST) OVER (PARTITION BY NODE, LINEAGE_ID) <> MAX(DIGEST) OVER (PARTITION BY NODE, LINEAGE_ID) AS COPIES_DIFFER
FROM DIGESTS D
QUALIFY ROW_NUMBER() OVER (PARTITION BY NODE, LINEAGE_ID ORDER BY LOADED_AT, DIGEST) = 1
