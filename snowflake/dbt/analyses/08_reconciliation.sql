-- The proof that all of lineage is here.

USE SCHEMA REENGAGE_BI.MODEL;

-- model: row_digests

-- model: reconciliation
