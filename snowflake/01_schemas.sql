-- Where things are.  REENGAGE_RAW belongs to the road (the connector that brings
-- the rows, or COPY), REENGAGE.BI to the files that follow.

CREATE WAREHOUSE IF NOT EXISTS REENGAGE_WH
  WAREHOUSE_SIZE = XSMALL
  AUTO_SUSPEND = 60
  COMMENT = 'refreshes what is made of reengage''s lineage';

CREATE DATABASE IF NOT EXISTS REENGAGE_RAW
  COMMENT = 'lineage as it arrives from PostgreSQL';

CREATE SCHEMA IF NOT EXISTS REENGAGE_RAW.REENGAGE
  COMMENT = 'the schema reengage of PostgreSQL';

CREATE DATABASE IF NOT EXISTS REENGAGE
  COMMENT = 'threads of conversations, and what nudging them led to';

CREATE SCHEMA IF NOT EXISTS REENGAGE.BI
  COMMENT = 'views and tables for the BI team';
