-- The road: files that psql unloads and PUT uploads, as README.md says.  Run the two
-- COPY again whenever there are new files: Snowflake remembers for 64 days which
-- files it has loaded, and what is loaded twice does no harm.

USE SCHEMA REENGAGE_BI.MODEL;

CREATE TABLE IF NOT EXISTS REENGAGE_RAW.REENGAGE.LINEAGE (
  {{ reengage.column_definitions('lineage', 'copy') }},
  LOADED_AT TIMESTAMP_LTZ DEFAULT CURRENT_TIMESTAMP()
) COMMENT = 'reengage.lineage of PostgreSQL';

CREATE TABLE IF NOT EXISTS REENGAGE_RAW.REENGAGE.LINEAGE_MANIFEST (
  {{ reengage.column_definitions('lineage_manifest', 'copy') }},
  LOADED_AT TIMESTAMP_LTZ DEFAULT CURRENT_TIMESTAMP()
) COMMENT = 'reengage.lineage_manifest of PostgreSQL';

CREATE STAGE IF NOT EXISTS REENGAGE_RAW.REENGAGE.FILES
  COMMENT = 'files unloaded from PostgreSQL';

COPY INTO REENGAGE_RAW.REENGAGE.LINEAGE (
       {{ reengage.lines_of(reengage.names_of('lineage')) }}
)
FROM @REENGAGE_RAW.REENGAGE.FILES/lineage/
FILE_FORMAT = (TYPE = CSV SKIP_HEADER = 1 FIELD_OPTIONALLY_ENCLOSED_BY = '"'
               -- a null is empty, and an empty text is ""
               EMPTY_FIELD_AS_NULL = TRUE NULL_IF = ()
               -- PostgreSQL writes a backslash as it is
               ESCAPE_UNENCLOSED_FIELD = NONE);

COPY INTO REENGAGE_RAW.REENGAGE.LINEAGE_MANIFEST (
       {{ reengage.lines_of(reengage.names_of('lineage_manifest')) }}
)
FROM @REENGAGE_RAW.REENGAGE.FILES/lineage_manifest/
FILE_FORMAT = (TYPE = CSV SKIP_HEADER = 1 FIELD_OPTIONALLY_ENCLOSED_BY = '"'
               -- a null is empty, and an empty text is ""
               EMPTY_FIELD_AS_NULL = TRUE NULL_IF = ()
               -- PostgreSQL writes a backslash as it is
               ESCAPE_UNENCLOSED_FIELD = NONE);

{{ reengage.landing_views('copy') }}
