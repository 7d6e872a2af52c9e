-- What replicates lineage, as far as it needs no second server: publish(),
-- replication_check(), lineage_settled.  This server has wal_level = replica.
CREATE EXTENSION reengage;
CREATE ROLE regress_operator IN ROLE reengage_operator;
CREATE ROLE regress_reader IN ROLE reengage_reader;
\set SHOW_CONTEXT never

-- names that cannot be
SELECT reengage.publish(NULL);
SELECT reengage.publish('');
SELECT reengage.publish(repeat('x', 64));
-- in a read-only transaction, without the privilege, with this wal_level
BEGIN READ ONLY;
SELECT reengage.publish('reengage_bi');
ROLLBACK;
SET ROLE regress_reader;
SELECT reengage.publish('reengage_bi');
SET ROLE regress_operator;
SELECT reengage.publish('reengage_bi');
RESET ROLE;
SELECT count(*) FROM pg_publication;

-- the checks, for operators and readers
SET ROLE regress_reader;
SELECT check_name, state, detail, remedy FROM reengage.replication_check()
WHERE check_name IN ('wal_level', 'publications', 'max_slot_wal_keep_size', 'slots', 'failover')
ORDER BY check_name;
SELECT DISTINCT remedy IS NULL AS nothing_to_do FROM reengage.replication_check() WHERE state = 'ok';
SELECT DISTINCT remedy IS NULL AS nothing_to_do FROM reengage.replication_check() WHERE state <> 'ok';
RESET ROLE;

-- publications that somebody made (this wal_level lets them be made, with a warning)
SET client_min_messages = error;
CREATE PUBLICATION everything FOR TABLE reengage.lineage;
CREATE PUBLICATION part FOR TABLE reengage.lineage (lineage_id, outcome) WHERE (outcome = 'notified') WITH (publish = 'update');
CREATE PUBLICATION all_columns FOR TABLE reengage.lineage_manifest (manifest_id, day, as_of, row_count, digest, column_sums, up_to);
CREATE PUBLICATION nothing;
RESET client_min_messages;
ALTER TABLE reengage.lineage REPLICA IDENTITY FULL;
CREATE TABLE archive () INHERITS (reengage.lineage);
SELECT check_name, state, detail, remedy FROM reengage.replication_check()
WHERE check_name LIKE '%publication%' OR check_name LIKE '% reengage.lineage' ORDER BY check_name COLLATE "C";
DROP PUBLICATION everything, part, all_columns, nothing;
ALTER TABLE reengage.lineage REPLICA IDENTITY DEFAULT;
DROP TABLE archive;

-- what carries more than is made to be replicated
SET client_min_messages = error;
CREATE TABLE regress_orders (id integer PRIMARY KEY);
CREATE PUBLICATION all_tables FOR ALL TABLES;
CREATE PUBLICATION whole_schema FOR TABLES IN SCHEMA reengage;
CREATE PUBLICATION "By name" FOR TABLE reengage.lineage, reengage.lineage_manifest, reengage.suppressions, regress_orders;
CREATE PUBLICATION hashes FOR TABLE reengage.answers;
CREATE PUBLICATION internal FOR TABLE reengage.lineage, reengage.lineage_manifest, reengage.pauses;
CREATE PUBLICATION right_one FOR TABLE reengage.lineage, reengage.lineage_manifest;
CREATE PUBLICATION no_concern FOR TABLE regress_orders;
RESET client_min_messages;
SELECT check_name, state, detail, remedy FROM reengage.replication_check()
WHERE check_name LIKE 'publication %' ORDER BY check_name COLLATE "C";
-- the remedy is one
ALTER PUBLICATION whole_schema DROP TABLES IN SCHEMA reengage;
ALTER PUBLICATION whole_schema ADD TABLE reengage.lineage, reengage.lineage_manifest;
ALTER PUBLICATION "By name" DROP TABLE reengage.suppressions;
SELECT check_name, state, remedy FROM reengage.replication_check()
WHERE check_name IN ('publication whole_schema', 'publication "By name"') ORDER BY check_name COLLATE "C";
DROP PUBLICATION all_tables, whole_schema, "By name", hashes, internal, right_one, no_concern;
DROP TABLE regress_orders;

-- a table that was made a part of another arrives under its name
SET client_min_messages = error;
CREATE TABLE whole (LIKE reengage.lineage) PARTITION BY RANGE (recorded_at);
ALTER TABLE whole ATTACH PARTITION reengage.lineage DEFAULT;
CREATE PUBLICATION rooted FOR TABLE whole, reengage.lineage, reengage.lineage_manifest WITH (publish = 'insert', publish_via_partition_root = true);
CREATE PUBLICATION not_rooted FOR TABLE reengage.lineage, reengage.lineage_manifest WITH (publish = 'insert');
COMMENT ON PUBLICATION not_rooted IS 'made by reengage.publish()';
RESET client_min_messages;
SELECT check_name, state, detail, remedy FROM reengage.replication_check()
WHERE check_name LIKE '%publication%' OR check_name LIKE '% reengage.lineage' ORDER BY check_name COLLATE "C";
-- the remedies are ones
ALTER TABLE whole DETACH PARTITION reengage.lineage;
ALTER PUBLICATION not_rooted SET (publish_via_partition_root = true);
SELECT check_name, state, remedy FROM reengage.replication_check()
WHERE check_name LIKE '%publication%' OR check_name LIKE '% reengage.lineage' ORDER BY check_name COLLATE "C";
DROP PUBLICATION rooted, not_rooted;
DROP TABLE whole;

-- the order of lineage: a row of this transaction is not settled
CREATE SERVER none FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'http://127.0.0.1:1');
INSERT INTO reengage.nudges (nudge_id, server, conversation_id, message)
SELECT ('00000000-0000-7000-8000-00000000000' || n)::uuid, 'none', 'settled-' || n, 'hi' FROM generate_series(1, 5) n;
CREATE FUNCTION pg_temp.lineage_of(n integer, xact_id bigint DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO reengage.lineage (nudge_id, server, outcome, requested_conversation_id, conversation_id,
		root_conversation_id, generation, attempts, api_calls, api_calls_saved, requested_at, due_at, occurred_at, xact_id)
	VALUES (('00000000-0000-7000-8000-00000000000' || n)::uuid, 'none', 'expired', 'settled-' || n, 'settled-' || n,
		'settled-' || n, 0, 0, 0, 0, now(), now(), now(), coalesce($2, reengage_internal.lineage_position()));
END
$$;
BEGIN;
SELECT pg_temp.lineage_of(1);
SELECT count(*) AS settled FROM reengage.lineage_settled;
COMMIT;
SET ROLE regress_reader;
SELECT conversation_id FROM reengage.lineage_settled ORDER BY xact_id, lineage_id;
RESET ROLE;
SELECT base FROM reengage.lineage_epochs;

-- a row that is restored with an id from another cluster is settled, and what
-- is written after comes behind it, once this cluster has an epoch of its own
DELETE FROM reengage.lineage_epochs;
SELECT pg_temp.lineage_of(2, 7000000000);
SELECT count(*) AS settled FROM reengage.lineage_settled;
SELECT pg_temp.lineage_of(3);
SELECT conversation_id FROM reengage.lineage_settled ORDER BY xact_id, lineage_id;
SELECT max(xact_id) > 7000000000 + 4294967296 - 1 AS beyond_what_may_be_lost FROM reengage.lineage;
-- nor is one hidden that is restored after that
SELECT pg_temp.lineage_of(4, 900000000000);
SELECT count(*) AS settled FROM reengage.lineage_settled;
-- another timeline counts on
UPDATE reengage.lineage_epochs SET timeline = timeline + 1;
SELECT pg_temp.lineage_of(5);
SELECT xact_id > 900000000000 AS counts_on FROM reengage.lineage WHERE conversation_id = 'settled-5';

-- the view shows each column of the table, in its order
SELECT string_agg(attname, ',' ORDER BY attnum) FILTER (WHERE attrelid = 'reengage.lineage'::regclass)
	 = string_agg(attname, ',' ORDER BY attnum) FILTER (WHERE attrelid = 'reengage.lineage_settled'::regclass) AS same
FROM pg_attribute WHERE attnum > 0;
-- only types that every road carries
SELECT a.attrelid::regclass, a.attname, a.atttypid::regtype
FROM reengage_internal.published_tables() t JOIN pg_attribute a ON a.attrelid = t AND a.attnum > 0
WHERE a.atttypid NOT IN ('bigint'::regtype, 'integer'::regtype, 'text'::regtype, 'uuid'::regtype,
						 'timestamptz'::regtype, 'boolean'::regtype, 'jsonb'::regtype)
   OR a.attgenerated <> '' OR a.attidentity <> '';

-- a later version can add a column to each, whatever its default, and all goes on
BEGIN;
ALTER TABLE reengage.lineage ADD COLUMN later text DEFAULT 'x';
ALTER TABLE reengage.lineage_manifest ADD COLUMN later text DEFAULT 'x';
SELECT count(*) FROM reengage.reconciliation;
ROLLBACK;

-- columns of somebody's own
SELECT check_name FROM reengage.replication_check() WHERE check_name LIKE 'columns of %';
ALTER TABLE reengage.lineage ADD COLUMN mine text;
ALTER TABLE reengage.lineage_manifest ADD COLUMN mine text;
SELECT check_name, state, detail, remedy FROM reengage.replication_check() WHERE check_name LIKE 'columns of %' ORDER BY check_name COLLATE "C";
ALTER TABLE reengage.lineage DROP COLUMN mine;
ALTER TABLE reengage.lineage_manifest DROP COLUMN mine;

DROP SERVER none;
DROP EXTENSION reengage;
DROP ROLE regress_operator, regress_reader;
