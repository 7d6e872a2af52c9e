-- Has everything arrived, and as it was?  For each closed day PostgreSQL has
-- written down how many rows it had and the sum of their digests; the same is
-- computed here.  Rows and manifest travel on the same road in the order of their
-- commits, but a connector may merge table after table: look again after its next
-- merge before you sound an alarm.
WITH MANIFEST AS (
  SELECT NODE, {{ reengage.day_of('DAY') }} AS DAY, AS_OF, ROW_COUNT, DIGEST
  FROM {{ ref('landed_manifest') }}
  QUALIFY ROW_NUMBER() OVER (PARTITION BY NODE, DAY ORDER BY AS_OF DESC, MANIFEST_ID DESC) = 1
),
HERE AS (
  SELECT NODE, DAY, COUNT(*) AS ROW_COUNT, MOD(SUM(DIGEST::{{ reengage.sql_type('bigint') }}), 9007199254740992) AS DIGEST
  FROM {{ ref('row_digests') }}
  GROUP BY NODE, DAY
),
LANDED AS (
  SELECT NODE, {{ reengage.day_of(reengage.in_utc('RECORDED_AT')) }} AS DAY,
         COUNT(*) AS ROW_COUNT, COUNT_IF(IS_DELETED) AS MARKED_DELETED
  FROM {{ ref('landed_lineage') }}
  GROUP BY NODE, {{ reengage.day_of(reengage.in_utc('RECORDED_AT')) }}
)
SELECT COALESCE(M.NODE, H.NODE) AS NODE, COALESCE(M.DAY, H.DAY) AS DAY,
       CASE
         WHEN M.DAY IS NULL THEN 'not closed'
         WHEN M.ROW_COUNT > COALESCE(H.ROW_COUNT, 0) THEN 'rows are missing'
         WHEN M.ROW_COUNT < H.ROW_COUNT THEN 'more rows than counted'
         WHEN M.DIGEST <> COALESCE(H.DIGEST, 0) THEN 'a row differs'
         ELSE 'equal'
       END AS STATE,
       M.ROW_COUNT AS ROWS_COUNTED, COALESCE(H.ROW_COUNT, 0) AS ROWS_HERE,
       COALESCE(L.ROW_COUNT, 0) - COALESCE(H.ROW_COUNT, 0) AS DUPLICATES_REMOVED,
       COALESCE(L.MARKED_DELETED, 0) AS MARKED_DELETED,
       M.DIGEST AS DIGEST_COUNTED, H.DIGEST AS DIGEST_HERE,
       {{ reengage.in_utc('M.AS_OF') }} AS AS_OF
FROM MANIFEST M
FULL OUTER JOIN HERE H ON H.NODE = M.NODE AND H.DAY = M.DAY
LEFT JOIN LANDED L ON L.NODE = H.NODE AND L.DAY = H.DAY
