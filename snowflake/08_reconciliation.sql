-- Made from dbt/analyses/08_reconciliation.sql and the models that it names, by test/snowflake/generate.
--
-- The proof that all of lineage is here.

USE SCHEMA REENGAGE_BI.MODEL;

CREATE OR REPLACE VIEW ROW_DIGESTS
  COMMENT = 'a number for each row of lineage that PostgreSQL computes alike; find the row behind a bad day with it'
AS
SELECT NODE, DAY, LINEAGE_ID, BITAND(MD5_NUMBER_LOWER64(CONTENT), 281474976710655) AS DIGEST
FROM (
  SELECT NODE, LINEAGE_ID,
         TO_DATE(CONVERT_TIMEZONE('UTC', RECORDED_AT)::TIMESTAMP_NTZ) AS DAY,
         LINEAGE_ID || '|' || COALESCE(NUDGE_ID, '~') || '|' || SERVER || '|' || OUTCOME
         || '|' || REQUESTED_CONVERSATION_ID || '|' || CONVERSATION_ID
         || '|' || COALESCE(PREVIOUS_CONVERSATION_ID, '~') || '|' || ROOT_CONVERSATION_ID
         || '|' || GENERATION::VARCHAR || '|' || COALESCE(HTTP_STATUS::VARCHAR, '~')
         || '|' || API_CALLS::VARCHAR || '|' || API_CALLS_SAVED::VARCHAR
         || '|' || DATE_PART(EPOCH_MICROSECOND, OCCURRED_AT)::VARCHAR AS CONTENT
  FROM LANDED_LINEAGE
  QUALIFY ROW_NUMBER() OVER (PARTITION BY NODE, LINEAGE_ID ORDER BY LOADED_AT) = 1
);

-- Has everything arrived, and as it was?  For each closed day PostgreSQL has
-- written down how many rows it had and the sum of their digests; the same is
-- computed here.  Rows and manifest travel on the same road in the order of their
-- commits, but a connector may merge table after table: look again after its next
-- merge before you sound an alarm.
CREATE OR REPLACE VIEW RECONCILIATION
  COMMENT = 'for each node and day: what PostgreSQL counted, what is here, and whether they are equal'
AS
WITH MANIFEST AS (
  SELECT NODE, TO_DATE(DAY) AS DAY, AS_OF, ROW_COUNT, DIGEST
  FROM LANDED_MANIFEST
  QUALIFY ROW_NUMBER() OVER (PARTITION BY NODE, DAY ORDER BY AS_OF DESC, MANIFEST_ID DESC) = 1
),
HERE AS (
  SELECT NODE, DAY, COUNT(*) AS ROW_COUNT, MOD(SUM(DIGEST::NUMBER(38, 0)), 9007199254740992) AS DIGEST
  FROM ROW_DIGESTS
  GROUP BY NODE, DAY
),
LANDED AS (
  SELECT NODE, TO_DATE(CONVERT_TIMEZONE('UTC', RECORDED_AT)::TIMESTAMP_NTZ) AS DAY,
         COUNT(*) AS ROW_COUNT, COUNT_IF(IS_DELETED) AS MARKED_DELETED
  FROM LANDED_LINEAGE
  GROUP BY NODE, TO_DATE(CONVERT_TIMEZONE('UTC', RECORDED_AT)::TIMESTAMP_NTZ)
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
       CONVERT_TIMEZONE('UTC', M.AS_OF)::TIMESTAMP_NTZ AS AS_OF
FROM MANIFEST M
FULL OUTER JOIN HERE H ON H.NODE = M.NODE AND H.DAY = M.DAY
LEFT JOIN LANDED L ON L.NODE = H.NODE AND L.DAY = H.DAY;
