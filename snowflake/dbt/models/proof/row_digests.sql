SELECT NODE, DAY, LINEAGE_ID, {{ reengage.md5_low_bits('CONTENT', 48) }} AS DIGEST
FROM (
  SELECT NODE, LINEAGE_ID,
         {{ reengage.day_of(reengage.in_utc('RECORDED_AT')) }} AS DAY,
         LINEAGE_ID || '|' || COALESCE(NUDGE_ID, '~') || '|' || SERVER || '|' || OUTCOME
         || '|' || REQUESTED_CONVERSATION_ID || '|' || CONVERSATION_ID
         || '|' || COALESCE(PREVIOUS_CONVERSATION_ID, '~') || '|' || ROOT_CONVERSATION_ID
         || '|' || GENERATION::VARCHAR || '|' || COALESCE(HTTP_STATUS::VARCHAR, '~')
         || '|' || API_CALLS::VARCHAR || '|' || API_CALLS_SAVED::VARCHAR
         || '|' || {{ reengage.microseconds('OCCURRED_AT') }}::VARCHAR AS CONTENT
  FROM {{ ref('landed_lineage') }}
  QUALIFY ROW_NUMBER() OVER (PARTITION BY NODE, LINEAGE_ID ORDER BY LOADED_AT) = 1
)
