-- The same nudges and calls, counted by each of them.
SELECT COUNTED, TOTAL, EXPECTED
FROM (
  SELECT 'calls by hour' AS COUNTED, (SELECT COALESCE(SUM(API_CALLS), 0) FROM {{ ref('quota_by_hour') }}) AS TOTAL,
         (SELECT COALESCE(SUM(API_CALLS), 0) FROM {{ ref('nudges') }}) AS EXPECTED
  UNION ALL
  SELECT 'looks, sends and further calls',
         (SELECT COALESCE(SUM(FIRST_LOOKS + FIRST_SENDS + FURTHER_CALLS), 0) FROM {{ ref('quota_by_hour') }}),
         (SELECT COALESCE(SUM(API_CALLS), 0) FROM {{ ref('nudges') }})
  UNION ALL
  SELECT 'calls by outcome', (SELECT COALESCE(SUM(API_CALLS), 0) FROM {{ ref('nudge_costs') }}),
         (SELECT COALESCE(SUM(API_CALLS), 0) FROM {{ ref('nudges') }})
  UNION ALL
  SELECT 'calls by campaign', (SELECT COALESCE(SUM(API_CALLS), 0) FROM {{ ref('campaign_costs') }}),
         (SELECT COALESCE(SUM(API_CALLS), 0) FROM {{ ref('nudges') }})
  UNION ALL
  SELECT 'nudges by outcome', (SELECT COALESCE(SUM(NUDGES), 0) FROM {{ ref('nudge_costs') }}),
         (SELECT COUNT(*) FROM {{ ref('nudges') }})
  UNION ALL
  SELECT 'nudges by hour', (SELECT COALESCE(SUM(NUDGES), 0) FROM {{ ref('quota_by_hour') }}),
         (SELECT COUNT(*) FROM {{ ref('nudges') }})
  UNION ALL
  SELECT 'sent by campaign', (SELECT COALESCE(SUM(SENT), 0) FROM {{ ref('campaign_costs') }}),
         (SELECT COUNT_IF(IS_SENT) FROM {{ ref('nudges') }})
  UNION ALL
  SELECT 'sent by generation', (SELECT COALESCE(SUM(NUDGES), 0) FROM {{ ref('reengaged_by_generation') }}),
         (SELECT COUNT_IF(IS_SENT) FROM {{ ref('nudges') }})
  UNION ALL
  SELECT 'answered by generation', (SELECT COALESCE(SUM(ANSWERED), 0) FROM {{ ref('reengaged_by_generation') }}),
         (SELECT COALESCE(SUM(ANSWERED), 0) FROM {{ ref('campaign_costs') }})
)
WHERE TOTAL <> EXPECTED
