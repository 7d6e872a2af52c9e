-- In place of the view LINEAGE: a table that a task fills from a stream, for
-- accounts where removing duplicates in each query costs too much (tens of millions
-- of rows).  Run it after 03; the other files read LINEAGE and do not care.
--
-- The stream begins before the table is filled, so what arrives between is in both
-- and merged once.  If the stream has gone stale, run 03 and this file again.

USE SCHEMA REENGAGE_BI.MODEL;

CREATE OR REPLACE STREAM LINEAGE_ARRIVALS ON VIEW LANDED_LINEAGE
  APPEND_ONLY = TRUE
  COMMENT = 'rows of lineage that have landed since the task ran';

CREATE OR REPLACE TABLE LINEAGE_STORED AS
SELECT {{ reengage.lineage_names() }}
FROM LINEAGE;

COMMENT ON TABLE LINEAGE_STORED IS 'what happened, once: filled by the task STORE_LINEAGE';

CREATE OR REPLACE TASK STORE_LINEAGE
  WAREHOUSE = REENGAGE_WH
  SCHEDULE = '5 MINUTES'
  COMMENT = 'stores what has landed, once'
  WHEN SYSTEM$STREAM_HAS_DATA('LINEAGE_ARRIVALS')
AS
MERGE INTO LINEAGE_STORED S
USING (
  SELECT {{ reengage.lineage_in_utc(9) }}
  FROM LINEAGE_ARRIVALS
  QUALIFY ROW_NUMBER() OVER (PARTITION BY LINEAGE_ID ORDER BY LOADED_AT, NODE) = 1
) A
ON S.LINEAGE_ID = A.LINEAGE_ID
WHEN NOT MATCHED THEN INSERT (
  {{ reengage.lineage_names(2) }}
) VALUES (
  {{ reengage.lineage_names(2, 'A.') }}
);

ALTER TASK STORE_LINEAGE RESUME;

CREATE OR REPLACE VIEW LINEAGE
  COMMENT = '{{ reengage.said_of('lineage') }}'
AS
SELECT {{ reengage.lineage_names() }}
FROM LINEAGE_STORED;
