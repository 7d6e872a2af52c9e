{%- set P = reengage.prime() -%}
{#- a day that has more rows than this is not searched for two rows that have changed places -#}
{%- set PAIRS_UP_TO = 2000 -%}
-- Which row it is, and which column.  PostgreSQL's sums of a column are SUM(HASH) and
-- SUM(PLACE * HASH), modulo a prime.  Where one row has another value, the second differs
-- by its PLACE times what the first differs by, and no other row has that place.
--
-- A row that is not here is told by its PLACE: in PostgreSQL, reengage.find_lineage(day,
-- place) finds it.  More rows than one have no places of their own: LINEAGE_ID is null.
WITH BY_COLUMN AS (
  SELECT R.NODE, R.DAY, R.UP_TO, R.ROWS_HERE, R.ROWS_HERE - R.ROWS_COUNTED AS MORE, N.COLUMN_PLACE, N.COLUMN_NAME,
         {{ reengage.sum_said('R.COLUMN_SUMS_COUNTED', 'N.COLUMN_NAME', 1) }} AS SUM_COUNTED,
         {{ reengage.sum_said('R.COLUMN_SUMS_COUNTED', 'N.COLUMN_NAME', 2) }} AS PLACED_COUNTED,
         {{ reengage.sum_said('R.COLUMN_SUMS_HERE', 'N.COLUMN_NAME', 1) }} AS SUM_HERE,
         {{ reengage.sum_said('R.COLUMN_SUMS_HERE', 'N.COLUMN_NAME', 2) }} AS PLACED_HERE
  FROM {{ ref('reconciliation') }} R
  CROSS JOIN (VALUES
         {{ reengage.columns_as_rows(9) }}
       ) N (COLUMN_PLACE, COLUMN_NAME)
  WHERE R.COLUMN_SUMS_COUNTED IS NOT NULL AND R.STATE NOT IN ('equal', 'equal so far')
),
-- how much there is here beyond what was counted
BEYOND AS (
  SELECT B.*, MOD({{ P }} + B.SUM_HERE - B.SUM_COUNTED, {{ P }}) AS BY_SUM,
         MOD({{ P }} + B.PLACED_HERE - B.PLACED_COUNTED, {{ P }}) AS BY_PLACE,
         MOD({{ P }} + I.SUM_HERE - I.SUM_COUNTED, {{ P }}) AS IDS_BY_SUM
  FROM BY_COLUMN B
  JOIN BY_COLUMN I ON I.NODE = B.NODE AND I.DAY = B.DAY AND I.COLUMN_NAME = 'lineage_id'
),
-- Where a row is missing or was not counted, that explains all columns in which
-- the second sum differs by its place times the first.  Where there is another id, each
-- value is at another place: then only its sum tells.
TO_FIND AS (
  SELECT B.*, CASE WHEN MORE = -1 THEN MOD({{ P }} - IDS_BY_SUM, {{ P }}) WHEN MORE = 1 THEN IDS_BY_SUM END AS ROW_PLACE,
         MORE = 0 AND IDS_BY_SUM <> 0 AS OTHER_IDS
  FROM BEYOND B
  WHERE COLUMN_NAME = 'lineage_id' AND (MORE <> 0 OR BY_SUM <> 0 OR BY_PLACE <> 0)
     OR MORE = 0 AND (BY_SUM <> 0 OR (BY_PLACE <> 0 AND IDS_BY_SUM = 0))
     OR MORE = 1 AND MOD(IDS_BY_SUM * BY_SUM, {{ P }}) <> BY_PLACE
     OR MORE = -1 AND MOD(MOD({{ P }} - IDS_BY_SUM, {{ P }}) * BY_SUM, {{ P }}) <> BY_PLACE
),
HERE AS (
  SELECT R.*
  FROM {{ ref('row_digests') }} R
  JOIN (SELECT DISTINCT NODE, DAY, UP_TO FROM TO_FIND) D
    ON D.NODE = R.NODE AND D.DAY = R.DAY AND (D.UP_TO IS NULL OR R.RECORDED_AT < D.UP_TO)
),
-- Two rows that have each other's values: the first sum is as it was.
HASHES AS (
  SELECT F.NODE, F.DAY, F.COLUMN_NAME, F.BY_PLACE, R.LINEAGE_ID, R.PLACE,
         {{ reengage.hash_in('R', 'F.COLUMN_NAME', 9) }} AS HASH
  FROM TO_FIND F
  JOIN HERE R ON R.NODE = F.NODE AND R.DAY = F.DAY
  WHERE F.MORE = 0 AND NOT F.OTHER_IDS AND F.BY_SUM = 0 AND F.ROWS_HERE <= {{ PAIRS_UP_TO }}
),
PAIRS AS (
  SELECT A.NODE, A.DAY, A.COLUMN_NAME, A.LINEAGE_ID AS ONE_ID, A.PLACE AS ONE_PLACE, B.LINEAGE_ID AS OTHER_ID, B.PLACE AS OTHER_PLACE
  FROM HASHES A
  JOIN HASHES B ON B.NODE = A.NODE AND B.DAY = A.DAY AND B.COLUMN_NAME = A.COLUMN_NAME AND B.PLACE > A.PLACE
  WHERE MOD((B.PLACE - A.PLACE) * MOD({{ P }} + B.HASH - A.HASH, {{ P }}), {{ P }}) = A.BY_PLACE
),
FOUND AS (
  SELECT F.NODE, F.DAY, F.COLUMN_NAME, R.LINEAGE_ID, R.PLACE, 'its value differs' AS FINDING
  FROM TO_FIND F
  JOIN HERE R ON R.NODE = F.NODE AND R.DAY = F.DAY
  WHERE F.MORE = 0 AND NOT F.OTHER_IDS AND F.BY_SUM <> 0 AND MOD(R.PLACE * F.BY_SUM, {{ P }}) = F.BY_PLACE
  UNION ALL
  SELECT NODE, DAY, COLUMN_NAME, ONE_ID, ONE_PLACE, 'has the value of ' || OTHER_ID FROM PAIRS
  UNION ALL
  SELECT NODE, DAY, COLUMN_NAME, OTHER_ID, OTHER_PLACE, 'has the value of ' || ONE_ID FROM PAIRS
  UNION ALL
  -- two columns that have each other's values
  SELECT F.NODE, F.DAY, F.COLUMN_NAME, NULL, NULL, 'has the values of ' || O.COLUMN_NAME
  FROM TO_FIND F
  JOIN TO_FIND O
    ON O.NODE = F.NODE AND O.DAY = F.DAY AND O.COLUMN_NAME <> F.COLUMN_NAME
   AND O.SUM_COUNTED = F.SUM_HERE AND O.PLACED_COUNTED = F.PLACED_HERE
   AND F.SUM_COUNTED = O.SUM_HERE AND F.PLACED_COUNTED = O.PLACED_HERE
  WHERE F.MORE = 0 AND NOT F.OTHER_IDS
  UNION ALL
  -- PLACE^2 - (PLACE - BY_SUM)^2 = BY_PLACE
  SELECT F.NODE, F.DAY, F.COLUMN_NAME, R.LINEAGE_ID, MOD({{ P }} + R.PLACE - F.BY_SUM, {{ P }}),
         'this row was not counted, or not under this id: reengage.find_lineage(day, place) finds the other one where it was counted'
  FROM TO_FIND F
  JOIN HERE R ON R.NODE = F.NODE AND R.DAY = F.DAY
  WHERE F.OTHER_IDS AND F.COLUMN_NAME = 'lineage_id'
    AND MOD(MOD(2 * R.PLACE, {{ P }}) * F.BY_SUM, {{ P }}) = MOD(F.BY_PLACE + MOD(F.BY_SUM * F.BY_SUM, {{ P }}), {{ P }})
  UNION ALL
  SELECT F.NODE, F.DAY, F.COLUMN_NAME, R.LINEAGE_ID, R.PLACE, 'this row was not counted: it came late, or is there twice'
  FROM TO_FIND F
  JOIN HERE R ON R.NODE = F.NODE AND R.DAY = F.DAY AND R.PLACE = F.ROW_PLACE
  WHERE F.MORE = 1 AND F.COLUMN_NAME = 'lineage_id'
  UNION ALL
  SELECT NODE, DAY, COLUMN_NAME, NULL, ROW_PLACE, 'a row is missing here: reengage.find_lineage(day, place) finds it where it was counted'
  FROM TO_FIND
  WHERE MORE = -1 AND COLUMN_NAME = 'lineage_id' AND MOD(ROW_PLACE * BY_SUM, {{ P }}) = BY_PLACE
)
SELECT NODE, DAY, COLUMN_NAME, LINEAGE_ID, PLACE, FINDING
FROM FOUND
UNION ALL
SELECT F.NODE, F.DAY, F.COLUMN_NAME, NULL, NULL,
       CASE WHEN F.COLUMN_NAME <> 'lineage_id' AND F.MORE <> 0 THEN 'its value differs in another row, too'
            WHEN F.MORE < 0 THEN (-F.MORE)::VARCHAR || ' rows are missing: compare them one by one, by ROW_DIGESTS'
            WHEN F.MORE > 0 THEN F.MORE::VARCHAR || ' more rows than counted: compare them one by one, by ROW_DIGESTS'
            WHEN F.BY_SUM = 0 THEN 'values have changed places between rows'
            ELSE 'the value of more than one row differs' END
FROM TO_FIND F
LEFT JOIN FOUND O ON O.NODE = F.NODE AND O.DAY = F.DAY AND O.COLUMN_NAME = F.COLUMN_NAME
WHERE O.NODE IS NULL
UNION ALL
SELECT NODE, DAY, NULL, LINEAGE_ID, PLACE, 'its copies differ'
FROM {{ ref('row_digests') }}
WHERE COPIES_DIFFER
