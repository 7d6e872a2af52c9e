-- import_history(): what becomes of each record, from a file and from a table.
\set SHOW_CONTEXT never
CREATE EXTENSION reengage;
CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'http://127.0.0.1:1');
SET reengage.default_server = 'genesys';
\getenv folder PG_ABS_SRCDIR
\set example :folder '/test/demo/abandoned_sessions.csv'
SELECT current_setting('data_directory') || '/history.csv' AS file \gset

-- the example: a dry run, the import, and again
CALL reengage.import_history('Are you still there?', 'abandoned', file => :'example', as_of => '2026-03-23 00:00Z', dry_run => true);
SELECT (SELECT count(*) FROM reengage.nudges) AS nudges, (SELECT count(*) FROM reengage.lineage) AS lineage,
	   (SELECT count(*) FROM reengage.address_key) AS keys, (SELECT count(*) FROM reengage.imports) AS imports,
	   (SELECT count(*) FROM reengage.import_rejects) AS rejects;
CALL reengage.import_history('Are you still there?', 'abandoned', file => :'example', as_of => '2026-03-23 00:00Z') \gset first_
SELECT :first_records_read AS read, :first_accepted AS accepted, :first_rejected AS rejected, :first_skipped AS skipped;
SELECT r.key AS reason, r.value AS records, reengage.import_outcome(r.key) AS outcome
FROM jsonb_each_text(:'first_reasons') r ORDER BY 3, 1;
SELECT state, records_read = accepted + rejected + skipped AS adds_up, remaining, reasons = :'first_reasons' AS same
FROM reengage.imports WHERE import_id = :'first_import_id';
CALL reengage.import_history('Are you still there?', 'abandoned', file => :'example', as_of => '2026-03-23 00:00Z') \gset second_
SELECT :second_accepted AS accepted, :second_rejected AS rejected, :'second_reasons'::jsonb -> 'already_asked' AS already_asked;
SELECT count(*) AS nudges, count(DISTINCT address) AS customers, count(DISTINCT conversation_id) AS conversations FROM reengage.nudges;
SELECT outcome, generation, count(*), count(DISTINCT conversation_id) AS conversations, count(address_hash) AS hashes,
	   bool_and(conversation_id = root_conversation_id AND conversation_id = requested_conversation_id) AS are_roots,
	   bool_and(occurred_at < '2026-03-23 00:00Z') AS of_history
FROM reengage.lineage GROUP BY 1, 2;
SELECT reason, count(*) FROM reengage.import_rejects WHERE import_id = :'first_import_id' GROUP BY 1 ORDER BY 1;
-- the views take a conversation without a nudge for what it is
SELECT nudges, generations, last_outcome, count(*) FROM reengage.threads GROUP BY 1, 2, 3;
SELECT state, count(*) FROM reengage.nudge_status GROUP BY 1;
SELECT count(*) FROM reengage.in_doubt;

-- every defect once, in a file with a byte order mark, CR LF and unknown columns
COPY (SELECT unnest(ARRAY[
	'Conversation_ID,status,channel,customer_address,customer_time_zone,last_inbound_at,abandoned_at,consent,extracted_at,Cart',
	'good-1,closed,SMS,+1 (317) 555-0001,europe/berlin,2026-03-01 10:00:00.000 -0800,2026-03-01T10:05:00+05:30,true,2026-03-02 00:00:00Z,"one, ""two""@three"',
	'good-2,\N,\N,+13175550002,\N,2026-03-01 10:00,\N,YES,\N,\N',
	'zone-1,closed,sms,+13175550003,Mars/Olympus,2026-03-01 10:00,\N,1,\N,\N',
	'\N,closed,sms,+13175550004,\N,2026-03-01 10:00,\N,true,\N,no id',
	'" ",closed,sms,+13175550004,\N,2026-03-01 10:00,\N,true,\N,blank id',
	'../../oauth/token,closed,sms,+13175550005,\N,2026-03-01 10:00,\N,true,\N,\N',
	'..,closed,sms,+13175550005,\N,2026-03-01 10:00,\N,true,\N,\N',
	repeat('x', 129) || ',closed,sms,+13175550005,\N,2026-03-01 10:00,\N,true,\N,\N',
	'time-1,closed,sms,+13175550006,\N,2026-02-30 10:00,2026-03-01 10:00,true,\N,\N',
	'time-2,closed,sms,+13175550006,\N,\N,\N,true,\N,\N',
	'time-3,closed,sms,+13175550006,\N,2026-03-01 10:00,now,true,\N,\N',
	'time-4,closed,sms,+13175550006,\N,2026-03-01 10:00,infinity,true,\N,\N',
	'time-5,closed,sms,+13175550006,\N,2026-03-01 10:00,2026-03-01 10:00,true,soon,\N',
	'future-1,closed,sms,+13175550007,\N,2026-03-01 10:00,2026-03-23 00:05:01+00,true,\N,\N',
	-- by a clock that is ahead
	'future-2,closed,sms,+13175550077,\N,2026-03-01 10:00,2026-03-23 00:04:59+00,true,2026-03-23 00:05:00+00,\N',
	'status-1,zombie,sms,+13175550008,\N,2026-03-01 10:00,\N,true,\N,\N',
	'address-1,closed,sms,\N,\N,2026-03-01 10:00,\N,true,\N,\N',
	'address-2,closed,sms,' || repeat('9', 257) || ',\N,2026-03-01 10:00,\N,true,\N,\N',
	'channel-1,closed,carrier pigeon,+13175550009,\N,2026-03-01 10:00,\N,true,\N,\N',
	'consent-1,closed,sms,+13175550010,\N,2026-03-01 10:00,\N,false,\N,\N',
	'consent-2,closed,sms,+13175550011,\N,2026-03-01 10:00,\N,\N,\N,\N',
	-- withdrawn since: in a newer record of it, and in a newer conversation
	'consent-3,closed,sms,+13175550012,\N,2026-03-01 10:00,\N,true,2026-03-01,\N',
	'consent-3,closed,sms,+13175550012,\N,2026-03-01 10:00,\N,false,2026-03-02,\N',
	'consent-4,closed,sms,+13175550013,\N,2026-03-01 10:00,\N,true,\N,\N',
	'consent-5,closed,sms,+13175550013,\N,2026-03-02 10:00,\N,false,\N,\N',
	-- one customer, written in two ways, and a header in the middle
	'same-1,closed,sms,+13175550014,\N,2026-03-01 10:00,\N,true,\N,\N',
	'CONVERSATION_ID,STATUS,CHANNEL,CUSTOMER_ADDRESS,CUSTOMER_TIME_ZONE,LAST_INBOUND_AT,ABANDONED_AT,CONSENT,EXTRACTED_AT,CART',
	'same-2,closed,whatsapp,+1-317-555-0014,\N,2026-03-02 10:00,\N,true,\N,\N',
	'old-1,closed,sms,+13175550015,\N,2025-03-01 10:00,\N,true,\N,\N',
	'detail-1,closed,sms,+13175550016,\N,2026-03-01 10:00,\N,true,\N,' || repeat('y', 17000)
	]) AS line) TO :'file' WITH (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02');
\setenv FILE :file
\! perl -pi -e 's/@|\n/\r\n/g; s/^/\xef\xbb\xbf/ if $. == 1' "$FILE"
CALL reengage.import_history('Hi', 'defects', file => :'file', as_of => '2026-03-23 00:00Z', max_age => '30 days', due_at => '2099-01-01', expires_at => '2099-02-01', priority => 2,
	keep_columns => '{CART}') \gset defects_
SELECT :defects_records_read AS read, :defects_accepted AS accepted, :defects_rejected AS rejected, :defects_skipped AS skipped;
SELECT r.key AS reason, r.value AS records FROM jsonb_each_text(:'defects_reasons') r ORDER BY 1;
SELECT record_no, line_no, field_count, reason, left(conversation_id, 20) AS conversation_id, left(message, 40) AS message
FROM reengage.import_rejects WHERE import_id = :'defects_import_id' ORDER BY record_no;
SELECT record FROM reengage.import_rejects WHERE import_id = :'defects_import_id' AND record_no = 4;
SELECT conversation_id, address, channel, time_zone, answered_since AT TIME ZONE 'UTC' AS answered_since, priority, due_at = '2099-01-01' AS due, expires_at = '2099-02-01' AS expires, detail
FROM reengage.nudges WHERE campaign = 'defects' ORDER BY 1;
SELECT conversation_id, occurred_at AT TIME ZONE 'UTC' AS occurred_at, channel FROM reengage.lineage
WHERE conversation_id ~ '^(good|same|old|zone|consent|detail)-' ORDER BY 1;
-- one hash for all ways to write a number
SELECT count(DISTINCT address_hash) FROM reengage.lineage WHERE conversation_id IN ('same-1', 'same-2');

-- from a staging table, with names and types of its own
CREATE TABLE staging ("Conv" text PRIMARY KEY, phone varchar(30), ended timestamptz, "odd name" numeric, consent boolean);
INSERT INTO staging VALUES ('table-1', '+13175550101', '2026-03-01 10:00+05:30', 1.50, true), ('table-2', '+13175550102', '2026-03-01', NULL, false),
	-- nudged in this campaign before, by another conversation of hers
	('table-3', '+13175550002', '2026-03-05', NULL, true);
CALL reengage.import_history('Hi', 'defects', staging => 'staging', columns => '{"conversation_id": "conv", "address": "PHONE", "abandoned_at": "ended"}', as_of => '2026-03-23 00:00Z',
	keep_columns => '{odd name}') \gset table_
SELECT :table_accepted AS accepted, :'table_reasons'::jsonb AS reasons;
SELECT n.conversation_id, n.detail, l.occurred_at AT TIME ZONE 'UTC' AS occurred_at FROM reengage.nudges n JOIN reengage.lineage l USING (conversation_id) WHERE n.conversation_id ~ '^table';
-- what was asked for otherwise is known too
SELECT reengage.nudge('table-4', 'Hi', campaign => 'other') IS NOT NULL AS asked;
INSERT INTO staging VALUES ('table-4', '+13175550104', '2026-03-01', NULL, true);
CALL reengage.import_history('Hi', 'other', staging => 'staging', columns => '{"conversation_id": "conv", "address": "PHONE", "abandoned_at": "ended"}', as_of => '2026-03-23 00:00Z') \gset table_
SELECT :table_accepted AS accepted, :'table_reasons'::jsonb AS reasons;

-- a trigger that refuses one customer costs one nudge
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.conversation_id = 'table-4' THEN RAISE 'not %', NEW.conversation_id; END IF; RETURN NEW; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON reengage.nudges FOR EACH ROW EXECUTE FUNCTION refuse();
CALL reengage.import_history('Hi', 'refused', staging => 'staging', columns => '{"conversation_id": "conv", "address": "PHONE", "abandoned_at": "ended"}', as_of => '2026-03-23 00:00Z') \gset table_
SELECT :table_accepted AS accepted, :'table_reasons'::jsonb AS reasons;
SELECT reason, message FROM reengage.import_rejects WHERE import_id = :'table_import_id' ORDER BY 1;
DROP TRIGGER refuse ON reengage.nudges;

-- what is refused as a whole, and leaves nothing
SELECT count(*) AS imports FROM reengage.imports \gset
\set VERBOSITY terse
CALL reengage.import_history('Hi', 'c');
CALL reengage.import_history('Hi', 'c', file => :'example', staging => 'staging');
CALL reengage.import_history('Hi', NULL, staging => 'staging');
CALL reengage.import_history('', 'c', staging => 'staging');
CALL reengage.import_history('Hi', 'c', staging => 'staging', server => 'nowhere');
CALL reengage.import_history('Hi', 'c', staging => 'staging', priority => 10);
CALL reengage.import_history('Hi', 'c', staging => 'staging', max_age => '-1 day');
CALL reengage.import_history('Hi', 'c', staging => 'staging');
CALL reengage.import_history('Hi', 'c', staging => 'staging', columns => '[]');
CALL reengage.import_history('Hi', 'c', staging => 'staging', columns => '{"conversation": "conv"}');
CALL reengage.import_history('Hi', 'c', staging => 'staging', columns => '{"conversation_id": "nothing"}');
CALL reengage.import_history('Hi', 'c', staging => 'staging', columns => '{"conversation_id": "conv"}');
CALL reengage.import_history('Hi', 'c', staging => 'staging', columns => '{"conversation_id": "conv", "address": "phone"}');
CALL reengage.import_history('Hi', 'c', staging => 'reengage.threads');
CREATE TYPE mood AS ENUM ('sad');
CREATE TABLE odd (conversation_id text, feeling mood);
CALL reengage.import_history('Hi', 'c', staging => 'odd');
CALL reengage.import_history('Hi', 'c', file => 'history.csv');
CALL reengage.import_history('Hi', 'c', file => '/nowhere/history.csv');
CALL reengage.import_history('Hi', 'c', file => '/tmp');
\set VERBOSITY default
CALL reengage.import_history('Hi', 'c', file => :'example', delimiter => ';');
\set VERBOSITY terse
CALL reengage.import_history('Hi', 'c', file => :'example', delimiter => 'tab');
BEGIN;
CALL reengage.import_history('Hi', 'c', staging => 'staging', columns => '{"conversation_id": "conv", "address": "PHONE", "abandoned_at": "ended"}');
ROLLBACK;
SELECT count(*) - :imports AS new_imports FROM reengage.imports;
SELECT count(*) FROM reengage.nudges WHERE campaign = 'c';

-- an operator needs no more than the role, and for files pg_read_server_files
CREATE ROLE regress_importer LOGIN;
GRANT reengage_operator TO regress_importer;
SET SESSION AUTHORIZATION regress_importer;
CALL reengage.import_history('Hi', 'operator', file => '/nowhere/history.csv');
CALL reengage.import_history('Hi', 'operator', staging => 'staging');
CREATE TEMP TABLE own (conversation_id text, address text, abandoned_at text);
INSERT INTO own VALUES ('own-1', '+13175550201', '2026-03-01'), ('own-2', NULL, '2026-03-01');
CALL reengage.import_history('Hi', 'operator', staging => 'own') \gset own_
SELECT :own_accepted AS accepted, :own_rejected AS rejected;
SELECT requested_by FROM reengage.nudges WHERE campaign = 'operator';
DELETE FROM reengage.import_rejects WHERE import_id = :'own_import_id';
UPDATE reengage.import_runs SET accepted = 7;
-- a search path of the caller's leads nothing astray
RESET SESSION AUTHORIZATION;
CREATE SCHEMA trap;
CREATE FUNCTION trap.trap(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
CREATE OPERATOR trap.<= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = trap.trap);
SET search_path = trap, pg_catalog, public;
CALL reengage.import_history('Hi', 'trap', staging => 'staging', columns => '{"conversation_id": "conv", "address": "PHONE", "abandoned_at": "ended"}') \gset trap_
RESET search_path;
SELECT :trap_accepted AS accepted;

-- ids stay as they are, or a campaign would ask its customers again
SELECT reengage_internal.import_nudge_ids('genesys', 'cart', ARRAY['8a1f', NULL]);

-- to begin threads reads no more of lineage, however many sessions were created
BEGIN;
INSERT INTO reengage.lineage (server, nudge_id, outcome, requested_conversation_id, conversation_id, previous_conversation_id, root_conversation_id,
	generation, attempts, api_calls, api_calls_saved, requested_at, due_at, occurred_at)
SELECT s.server, reengage.uuid_v7(), 'session_created', 'old-' || n, 'new-' || n, 'old-' || n, 'old-' || n, 1, 1, 2, 0, now(), now(), now()
FROM generate_series(1, 100) n, (SELECT min(l.server) AS server FROM reengage.lineage l) s;
SELECT reengage_internal.import_begin_threads(min(l.server), ARRAY(
	SELECT ROW('new-' || n, 'sms', NULL, now(), NULL)::reengage_internal.import_thread FROM generate_series(91, 120) n)) FROM reengage.lineage l;
SELECT pg_stat_get_xact_tuples_returned('reengage.lineage_conversation'::regclass) AS read, count(*) AS begun
FROM reengage.lineage WHERE conversation_id ~ '^new-' AND outcome = 'imported';
ROLLBACK;

-- a trigger of the owner's fires
BEGIN;
CREATE FUNCTION pg_temp.tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'told of %', NEW.conversation_id; RETURN NULL; END $$;
CREATE TRIGGER tell AFTER INSERT ON reengage.lineage FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
SELECT reengage_internal.import_begin_threads(min(l.server), ARRAY[ROW('told', 'sms', NULL, now(), NULL)::reengage_internal.import_thread]) FROM reengage.lineage l;
ROLLBACK;

-- whose rows a policy hides are not imported in part
GRANT SELECT ON staging TO regress_importer;
ALTER TABLE staging ENABLE ROW LEVEL SECURITY;
SET SESSION AUTHORIZATION regress_importer;
CALL reengage.import_history('Hi', 'policy', staging => 'staging');
RESET SESSION AUTHORIZATION;
\set VERBOSITY terse
DROP EXTENSION reengage CASCADE;
DROP TABLE own, staging, odd;
DROP TYPE mood;
DROP FUNCTION refuse();
DROP SCHEMA trap CASCADE;
DROP ROLE regress_importer;
