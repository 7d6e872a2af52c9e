-- 300 is the usual quota of a client: put your max_requests_per_minute in its place.
SELECT DAY, SERVER, CALLS AS API_CALLS, SAVED AS API_CALLS_SAVED,
       ROUND(100 * SAVED / NULLIF(CALLS + SAVED, 0), 2) AS PERCENT_SAVED,
       ROUND(SAVED / {{ var('reengage_requests_per_minute') }}, 2) AS MINUTES_OF_QUOTA_SAVED,
       ENDED_BY_429
FROM (
  SELECT {{ reengage.day_of('OCCURRED_AT') }} AS DAY, SERVER, SUM(API_CALLS) AS CALLS, SUM(API_CALLS_SAVED) AS SAVED,
         COUNT(CASE WHEN HTTP_STATUS = 429 THEN 1 END) AS ENDED_BY_429
  FROM {{ ref('lineage') }}
  WHERE NUDGE_ID IS NOT NULL
  GROUP BY {{ reengage.day_of('OCCURRED_AT') }}, SERVER
)
