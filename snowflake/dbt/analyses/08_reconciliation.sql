-- Has everything arrived, and as it was?

USE SCHEMA REENGAGE_BI.MODEL;

-- The leaves of a document, one a line (path=value), in the order of their code points:
-- white space, the order of keys and the scale of numbers mean nothing.
{{ reengage.create_canonical_json() }};

-- model: row_digests

-- model: reconciliation

-- model: reconciliation_rows
