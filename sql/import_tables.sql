-- import_history(): the rows of a table, and nobody's code.
\set SHOW_CONTEXT never
CREATE EXTENSION reengage;
CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'http://127.0.0.1:1');
SET reengage.default_server = 'genesys';
\pset format unaligned
\pset tuples_only

-- partitions and children with columns in another order, dropped, stored by a formula, with a default
CREATE TABLE parts (dropped int, conversation_id text, address text, abandoned_at timestamptz, n int, is_even boolean GENERATED ALWAYS AS (n % 2 = 0) STORED) PARTITION BY RANGE (n);
ALTER TABLE parts DROP dropped;
CREATE TABLE part_1 (n int, abandoned_at timestamptz, is_even boolean GENERATED ALWAYS AS (n % 2 = 0) STORED, address text, conversation_id text);
ALTER TABLE parts ATTACH PARTITION part_1 FOR VALUES FROM (0) TO (10);
CREATE TABLE part_2 PARTITION OF parts FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (n);
CREATE TABLE part_3 PARTITION OF part_2 FOR VALUES FROM (10) TO (20);
INSERT INTO parts (conversation_id, address, abandoned_at, n) SELECT 'p-' || n, '+1317555010' || n % 10, '2026-03-01 10:00Z', n FROM generate_series(1, 13, 6) n;
ALTER TABLE parts ADD word text DEFAULT 'new';
CALL reengage.import_history('Hi', 'parts', staging => 'parts', as_of => '2026-03-23', keep_columns => '{is_even,n,word}') \gset
SELECT :accepted, :'reasons';
SELECT n.conversation_id, n.address, n.detail, l.occurred_at AT TIME ZONE 'UTC' FROM reengage.nudges n JOIN reengage.lineage l USING (conversation_id) WHERE n.campaign = 'parts' ORDER BY 1;
CREATE TABLE parent (conversation_id text, address text, abandoned_at text);
CREATE TABLE child (extra text) INHERITS (parent);
INSERT INTO parent VALUES ('i-1', '+13175550201', '2026-03-01');
INSERT INTO child VALUES ('i-2', '+13175550202', '2026-03-01', 'x');
CALL reengage.import_history('Hi', 'parts', staging => 'parent', as_of => '2026-03-23') \gset
SELECT :records_read, :accepted, :'reasons';

-- what is no plain table, or has a part that is none
CREATE FOREIGN DATA WRAPPER elsewhere;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER elsewhere;
CREATE FOREIGN TABLE far (conversation_id text, address text, abandoned_at text) SERVER elsewhere;
CREATE VIEW seen AS SELECT * FROM parent;
CREATE MATERIALIZED VIEW kept AS SELECT * FROM parent;
CREATE SEQUENCE counter;
CALL reengage.import_history('Hi', 'kinds', staging => 'far');
CALL reengage.import_history('Hi', 'kinds', staging => 'seen');
CALL reengage.import_history('Hi', 'kinds', staging => 'kept');
CALL reengage.import_history('Hi', 'kinds', staging => 'counter');
CREATE FOREIGN TABLE far_part PARTITION OF parts FOR VALUES FROM (20) TO (30) SERVER elsewhere;
CREATE FOREIGN TABLE far_child () INHERITS (child) SERVER elsewhere;
CALL reengage.import_history('Hi', 'kinds', staging => 'parts');
CALL reengage.import_history('Hi', 'kinds', staging => 'parent');
DROP FOREIGN TABLE far_part, far_child;
-- types that run somebody's code, or do not keep what they were given
CREATE DOMAIN word AS text;
CREATE TABLE typed (conversation_id text, address text, abandoned_at text, mood word);
CALL reengage.import_history('Hi', 'kinds', staging => 'typed');
ALTER TABLE typed DROP mood, ALTER address TYPE real USING NULL;
CALL reengage.import_history('Hi', 'kinds', staging => 'typed');
ALTER TABLE typed ALTER address TYPE text, ALTER conversation_id TYPE double precision USING NULL;
CALL reengage.import_history('Hi', 'kinds', staging => 'typed');
ALTER TABLE typed ALTER conversation_id TYPE numeric USING NULL, ALTER address TYPE numeric USING NULL, ALTER abandoned_at TYPE date USING NULL;
INSERT INTO typed VALUES (101, 4915123456701, '2026-03-01'), (102, 13175550302.00, '2026-03-01');
CALL reengage.import_history('Hi', 'kinds', staging => 'typed', as_of => '2026-03-23') \gset
SELECT :accepted, :'reasons';

-- rights: of the whole table or of each column, and row-level security
CREATE ROLE regress_reader LOGIN;
GRANT reengage_operator TO regress_reader;
GRANT SELECT (conversation_id, address) ON parent TO regress_reader;
SET SESSION AUTHORIZATION regress_reader;
CALL reengage.import_history('Hi', 'rights', staging => 'parent', dry_run => true);
RESET SESSION AUTHORIZATION;
GRANT SELECT (abandoned_at) ON parent TO regress_reader;
SET SESSION AUTHORIZATION regress_reader;
CALL reengage.import_history('Hi', 'rights', staging => 'parent', as_of => '2026-03-23', dry_run => true);
SELECT reengage_internal.import_copy_table('parent');
-- what fills the import's own table fills no other of that name: each value must have the type of its column
SELECT reengage_internal.import_make_staging(3);
SELECT reengage_internal.import_copy_table('parent');
ALTER TABLE pg_temp.reengage_import_staging ALTER record_no TYPE text;
SELECT reengage_internal.import_copy_table('parent');
ALTER TABLE pg_temp.reengage_import_staging ALTER record_no TYPE bigint USING 1, ALTER c3 TYPE integer USING 1;
SELECT reengage_internal.import_copy_table('parent');
ALTER TABLE pg_temp.reengage_import_staging ALTER c3 TYPE text, ADD c4 text;
SELECT reengage_internal.import_copy_table('parent');
ALTER TABLE pg_temp.reengage_import_staging DROP c4;
SELECT reengage_internal.import_copy_table('parent');
SELECT reengage_internal.import_drop_staging(), reengage_internal.import_make_staging(3);
CREATE INDEX ON pg_temp.reengage_import_staging (record_no);
SELECT reengage_internal.import_copy_table('parent');
SELECT reengage_internal.import_drop_staging(), reengage_internal.import_make_staging(3);
ALTER TABLE pg_temp.reengage_import_staging ADD CHECK (record_no > 0);
SELECT reengage_internal.import_copy_table('parent');
SELECT reengage_internal.import_drop_staging();
-- nor somebody else's, who would read it
RESET SESSION AUTHORIZATION;
SELECT reengage_internal.import_make_staging(3);
GRANT ALL ON pg_temp.reengage_import_staging TO regress_reader;
SET SESSION AUTHORIZATION regress_reader;
SELECT reengage_internal.import_copy_table('parent');
RESET SESSION AUTHORIZATION;
SELECT reengage_internal.import_drop_staging();
-- nor is a view of that name planned by, whose values have other types
SET SESSION AUTHORIZATION regress_reader;
CREATE TEMP VIEW reengage_import_record AS SELECT 1 AS record_no, 2 AS stored_at, 3 AS complaint, 4 AS conversation_id, 5 AS status, 6 AS channel,
	7 AS address, 8 AS time_zone, 9 AS last_inbound_at, 10 AS abandoned_at, 11 AS extracted_at, '12'::text AS template, 13 AS detail, 14 AS withdrawn,
	15 AS opted_out, 16 AS deleted;
SELECT count(*) FROM reengage_internal.import_judge(now(), NULL, NULL, NULL, NULL, NULL);
SELECT reengage_internal.import_drop_staging(), reengage_internal.import_unasked('genesys', NULL, NULL, NULL);
RESET SESSION AUTHORIZATION;
ALTER TABLE parent ENABLE ROW LEVEL SECURITY;
SET SESSION AUTHORIZATION regress_reader;
CALL reengage.import_history('Hi', 'rights', staging => 'parent', as_of => '2026-03-23', dry_run => true);
RESET SESSION AUTHORIZATION;

-- types and operators of a search path that somebody else has set
CREATE SCHEMA trap;
CREATE FUNCTION trap.trap(pg_catalog.timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped by a type'; END $$;
CREATE DOMAIN trap.timestamptz AS pg_catalog.timestamptz CHECK (trap.trap(VALUE));
CREATE FUNCTION trap.trap(pg_catalog.text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped by text'; END $$;
CREATE DOMAIN trap.text AS pg_catalog.text CHECK (trap.trap(VALUE));
CREATE FUNCTION trap.trap(pg_catalog.jsonb) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped by jsonb'; END $$;
CREATE DOMAIN trap.jsonb AS pg_catalog.jsonb CHECK (trap.trap(VALUE));
CREATE FUNCTION trap.trap(bigint, bigint) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped by an operator'; END $$;
CREATE OPERATOR trap.+ (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = trap.trap);
CREATE OPERATOR trap.- (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = trap.trap);
CREATE FUNCTION trap.now() RETURNS pg_catalog.timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped by a function'; END $$;
SET search_path = trap, pg_catalog, public;
CALL reengage.import_history('Hi', 'trap', staging => 'typed', as_of => '2026-03-23') \gset
CALL reengage.import_history('Hi', 'trap', staging => 'typed') \gset
RESET search_path;
SELECT :records_read, :'reasons';

\pset tuples_only off
\set VERBOSITY terse
SET client_min_messages = warning;
DROP EXTENSION reengage CASCADE;
DROP SCHEMA trap CASCADE;
DROP FOREIGN DATA WRAPPER elsewhere CASCADE;
DROP TABLE parts, parent, typed CASCADE;
DROP DOMAIN word;
DROP SEQUENCE counter;
DROP ROLE regress_reader;
