-- Where things are.  REENGAGE_RAW belongs to the road (the connector that brings
-- the rows, or COPY), REENGAGE_BI.MODEL to the files that follow.

CREATE WAREHOUSE IF NOT EXISTS REENGAGE_WH
  WAREHOUSE_SIZE = XSMALL
  AUTO_SUSPEND = 60
  COMMENT = 'refreshes what is made of the lineage of reengage';

CREATE DATABASE IF NOT EXISTS REENGAGE_RAW
  COMMENT = 'lineage as it arrives from PostgreSQL';

CREATE SCHEMA IF NOT EXISTS REENGAGE_RAW.REENGAGE
  COMMENT = 'the schema reengage of PostgreSQL';

CREATE DATABASE IF NOT EXISTS REENGAGE_BI
  COMMENT = 'threads of conversations, and what nudging them led to';

CREATE SCHEMA IF NOT EXISTS REENGAGE_BI.MODEL
  COMMENT = 'views and tables for the BI team';
