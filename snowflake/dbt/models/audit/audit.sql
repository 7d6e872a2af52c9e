-- Do root and generation, as stored in each row, agree with the links from previous
-- to new conversation?  It walks every thread from its root, so it is a full scan: run
-- it by night, not in a dashboard.  No row is good news.
--
-- The walk stops at depth 90: a cycle would never end, and Snowflake limits the steps
-- of a recursion.  Threads that are longer are named as such.
WITH RECURSIVE LINKS AS (
  SELECT DISTINCT SERVER, PREVIOUS_CONVERSATION_ID, CONVERSATION_ID
  FROM {{ ref('lineage') }}
  WHERE PREVIOUS_CONVERSATION_ID IS NOT NULL
),
ROOTS AS (
  SELECT DISTINCT SERVER, ROOT_CONVERSATION_ID FROM {{ ref('lineage') }}
),
WALK (SERVER, ROOT_CONVERSATION_ID, CONVERSATION_ID, DEPTH) AS (
  SELECT SERVER, ROOT_CONVERSATION_ID, ROOT_CONVERSATION_ID, CAST(0 AS {{ reengage.sql_type('bigint') }}) FROM ROOTS
  UNION ALL
  SELECT W.SERVER, W.ROOT_CONVERSATION_ID, L.CONVERSATION_ID, W.DEPTH + 1
  FROM WALK W
  JOIN LINKS L ON L.SERVER = W.SERVER AND L.PREVIOUS_CONVERSATION_ID = W.CONVERSATION_ID
  WHERE W.DEPTH < 90
),
-- DISTINCT: two threads may join, and a walk over a forked thread comes by twice
PLACES AS (
  SELECT DISTINCT SERVER, ROOT_CONVERSATION_ID, CONVERSATION_ID, DEPTH FROM WALK
),
DEPTHS AS (
  SELECT DISTINCT SERVER, ROOT_CONVERSATION_ID, DEPTH FROM WALK
)
SELECT 'fork' AS FINDING, SERVER, PREVIOUS_CONVERSATION_ID AS CONVERSATION_ID,
       'has ' || COUNT(*)::VARCHAR || ' successors' AS DETAIL
FROM LINKS
GROUP BY SERVER, PREVIOUS_CONVERSATION_ID
HAVING COUNT(*) > 1
UNION ALL
SELECT 'cycle', SERVER, CONVERSATION_ID, 'is met more than once on the way from ' || ROOT_CONVERSATION_ID
FROM PLACES
GROUP BY SERVER, ROOT_CONVERSATION_ID, CONVERSATION_ID
HAVING COUNT(*) > 1
UNION ALL
SELECT 'too deep', SERVER, CONVERSATION_ID, 'generation ' || GENERATION::VARCHAR || ': the walk ends at 90'
FROM {{ ref('lineage') }}
WHERE GENERATION > 90
UNION ALL
-- a root follows nothing, unless another thread has joined it
SELECT DISTINCT 'root has a predecessor', L.SERVER, L.ROOT_CONVERSATION_ID, 'follows ' || P.PREVIOUS_CONVERSATION_ID
FROM {{ ref('lineage') }} L
JOIN {{ ref('lineage') }} P ON P.SERVER = L.SERVER AND P.CONVERSATION_ID = L.ROOT_CONVERSATION_ID
WHERE P.PREVIOUS_CONVERSATION_ID IS NOT NULL
  AND COALESCE(P.REASON, '-') NOT LIKE 'joined%'
UNION ALL
-- A session that is continued in an older conversation keeps the place of its tip;
-- every other row names the conversation that is at its place.
SELECT 'wrong place', L.SERVER, L.CONVERSATION_ID,
       L.LINEAGE_ID || ': is not at generation ' || L.GENERATION::VARCHAR || ' of ' || L.ROOT_CONVERSATION_ID
FROM {{ ref('lineage') }} L
LEFT JOIN PLACES P
  ON P.SERVER = L.SERVER AND P.ROOT_CONVERSATION_ID = L.ROOT_CONVERSATION_ID
 AND P.CONVERSATION_ID = L.CONVERSATION_ID AND P.DEPTH = L.GENERATION
LEFT JOIN DEPTHS D
  ON D.SERVER = L.SERVER AND D.ROOT_CONVERSATION_ID = L.ROOT_CONVERSATION_ID AND D.DEPTH = L.GENERATION
WHERE L.GENERATION <= 90
  AND CASE WHEN L.OUTCOME = 'session_continued' THEN D.DEPTH ELSE P.DEPTH END IS NULL
