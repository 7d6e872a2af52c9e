{%- set P = reengage.prime() -%}
{%- set sums = [] -%}
{%- for name, type in reengage.columns_of('lineage') -%}
  {%- set HASH = 'R.' ~ name | upper ~ '_HASH' -%}
  {%- do sums.append("'" ~ (' ' if not loop.first else '') ~ name ~ ":' || MOD(" ~ reengage.exact_sum(HASH) ~ ', ' ~ P ~ ')::VARCHAR'
                     ~ "\n           || ':' || MOD(" ~ reengage.exact_sum('MOD(R.PLACE * ' ~ HASH ~ ', ' ~ P ~ ')') ~ ', ' ~ P ~ ')::VARCHAR') -%}
{%- endfor -%}
-- Has everything arrived, and as it was?  For each day, and for the part of today
-- that is closed, PostgreSQL has written down how many rows it had, the sum of their
-- digests, and two sums for each column; the same are computed here.  Rows and manifest
-- travel on the same road in the order of their commits, but a connector may merge table
-- after table: look again after its next merge before you sound an alarm.
WITH MANIFEST AS (
  SELECT NODE, {{ reengage.day_of('DAY') }} AS DAY, {{ reengage.in_utc('AS_OF') }} AS AS_OF,
         {{ reengage.in_utc('UP_TO') }} AS UP_TO, ROW_COUNT, DIGEST, COLUMN_SUMS
  FROM {{ ref('landed_manifest') }}
  QUALIFY ROW_NUMBER() OVER (PARTITION BY NODE, DAY ORDER BY AS_OF DESC, MANIFEST_ID DESC) = 1
),
-- a part has what was recorded before UP_TO
HERE AS (
  SELECT R.NODE, R.DAY, COUNT(*) AS ROW_COUNT, {{ reengage.exact_sum('R.COPIES') }} AS COPIES,
         MOD({{ reengage.exact_sum('R.DIGEST') }}, 9007199254740992) AS DIGEST,
         MOD({{ reengage.exact_sum('R.DIGEST_OF_13') }}, 9007199254740992) AS DIGEST_OF_13,
         {{ sums | join('\n         || ') }} AS COLUMN_SUMS
  FROM {{ ref('row_digests') }} R
  LEFT JOIN MANIFEST M ON M.NODE = R.NODE AND M.DAY = R.DAY
  WHERE M.UP_TO IS NULL OR R.RECORDED_AT < M.UP_TO
  GROUP BY R.NODE, R.DAY
),
MARKED AS (
  SELECT NODE, {{ reengage.day_of(reengage.in_utc('RECORDED_AT')) }} AS DAY, COUNT_IF(IS_DELETED) AS MARKED_DELETED
  FROM {{ ref('landed_lineage') }}
  GROUP BY NODE, {{ reengage.day_of(reengage.in_utc('RECORDED_AT')) }}
),
COMPARED AS (
  SELECT COALESCE(M.NODE, H.NODE) AS NODE, COALESCE(M.DAY, H.DAY) AS DAY, M.AS_OF, M.UP_TO,
         M.ROW_COUNT AS ROWS_COUNTED, COALESCE(H.ROW_COUNT, 0) AS ROWS_HERE,
         COALESCE(H.COPIES - H.ROW_COUNT, 0) AS DUPLICATES_REMOVED,
         M.DIGEST AS DIGEST_COUNTED, M.COLUMN_SUMS AS COLUMN_SUMS_COUNTED, H.COLUMN_SUMS AS COLUMN_SUMS_HERE,
         COALESCE(CASE WHEN M.COLUMN_SUMS IS NULL AND M.DAY IS NOT NULL THEN H.DIGEST_OF_13 ELSE H.DIGEST END, 0) AS DIGEST_HERE
  FROM MANIFEST M
  FULL OUTER JOIN HERE H ON H.NODE = M.NODE AND H.DAY = M.DAY
),
-- Where there is another id, each value is at another place: then only its sum tells.
DIFFERING AS (
  SELECT NODE, DAY, {{ reengage.names_in_order('COLUMN_NAME', 'COLUMN_PLACE') }} AS COLUMNS_DIFFER
  FROM (
    SELECT C.NODE, C.DAY, N.COLUMN_NAME, N.COLUMN_PLACE,
           {{ reengage.sum_said('C.COLUMN_SUMS_COUNTED', "'lineage_id'", 1) }}
             <> {{ reengage.sum_said('C.COLUMN_SUMS_HERE', "'lineage_id'", 1) }} AS OTHER_IDS,
           {{ reengage.sum_said('C.COLUMN_SUMS_COUNTED', 'N.COLUMN_NAME', 1) }}
             <> {{ reengage.sum_said('C.COLUMN_SUMS_HERE', 'N.COLUMN_NAME', 1) }} AS OTHER_SUM,
           {{ reengage.sum_said('C.COLUMN_SUMS_COUNTED', 'N.COLUMN_NAME', 2) }}
             <> {{ reengage.sum_said('C.COLUMN_SUMS_HERE', 'N.COLUMN_NAME', 2) }} AS OTHER_PLACES
    FROM COMPARED C
    CROSS JOIN (VALUES
           {{ reengage.columns_as_rows(11) }}
         ) N (COLUMN_PLACE, COLUMN_NAME)
    WHERE C.COLUMN_SUMS_COUNTED IS NOT NULL AND C.ROWS_COUNTED = C.ROWS_HERE
  )
  WHERE OTHER_SUM OR (OTHER_PLACES AND NOT OTHER_IDS)
  GROUP BY NODE, DAY
)
SELECT C.NODE, C.DAY,
       CASE
         WHEN C.ROWS_COUNTED IS NULL THEN 'not closed'
         WHEN C.ROWS_COUNTED > C.ROWS_HERE THEN 'rows are missing'
         WHEN C.ROWS_COUNTED < C.ROWS_HERE THEN 'more rows than counted'
         WHEN C.DIGEST_COUNTED <> C.DIGEST_HERE OR D.COLUMNS_DIFFER IS NOT NULL THEN 'a row differs'
         WHEN C.UP_TO IS NOT NULL THEN 'equal so far'
         ELSE 'equal'
       END AS STATE,
       D.COLUMNS_DIFFER,
       CASE WHEN C.ROWS_COUNTED IS NULL THEN NULL WHEN C.COLUMN_SUMS_COUNTED IS NULL THEN '13 columns' ELSE '{{ sums | length }} columns' END
         AS COVERS,
       C.UP_TO, C.ROWS_COUNTED, C.ROWS_HERE, C.DUPLICATES_REMOVED, COALESCE(L.MARKED_DELETED, 0) AS MARKED_DELETED,
       C.DIGEST_COUNTED, C.DIGEST_HERE, C.COLUMN_SUMS_COUNTED, C.COLUMN_SUMS_HERE, C.AS_OF
FROM COMPARED C
LEFT JOIN DIFFERING D ON D.NODE = C.NODE AND D.DAY = C.DAY
LEFT JOIN MARKED L ON L.NODE = C.NODE AND L.DAY = C.DAY
