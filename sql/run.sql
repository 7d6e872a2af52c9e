-- CALL reengage.run(): the fence, and every outcome, against the simulator.
\getenv port SIMULATOR_PORT
\set url 'http://127.0.0.1:' :port
CREATE EXTENSION reengage;
CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (max_requests_per_minute '0', max_failures '0', api_url :'url', max_attempts '1', timeout '500ms');
SET reengage.default_server = 'genesys';
SET timezone = 'UTC';

-- installed is not armed
SELECT reengage.nudge('live-1', 'Are you still there?') IS NOT NULL AS asked;
CALL reengage.run();
SELECT state, reason, next_attempt_at IS NOT NULL AS has_time, attempts FROM reengage.nudge_status;
SELECT subject, state, remedy FROM reengage.health WHERE subject = 'fence';
SELECT reengage.arm();
SELECT reengage.arm();
-- the worker's row tells whether the library is preloaded here
SELECT subject, state, regexp_replace(detail, 'oldest .*', 'oldest ...') AS detail, remedy FROM reengage.health WHERE subject <> 'worker' ORDER BY subject;
CALL reengage.run();
SELECT state, reason, next_attempt_at, attempts FROM reengage.nudge_status;

-- every kind of conversation
SELECT count(reengage.nudge(id, 'Are you still there?', campaign => 'regress', detail => '{"cart": "C-1"}'))
FROM unnest(ARRAY['ringing-1', 'closed-1', 'gone-1', 'race-1', 'zombie-1', 'noaddr-1', 'webchat-1',
				  'outbound-1', 'nostatus-1', 'wrongtype-1', 'continues-1', 'reject-live-1', 'reject-closed-1']) id;
SELECT reengage.nudge('closed-skip', 'hi', when_closed => 'skip') IS NOT NULL AS asked;
SELECT reengage.nudge('gone-with-address', 'hi', address => '+13175550100', channel => 'sms') IS NOT NULL AS asked;
SELECT reengage.nudge('noaddr-with-address', 'hi', address => '+13175550101', channel => 'sms') IS NOT NULL AS asked;
SELECT reengage.nudge('webchat-with-address', 'hi', address => '+13175550102', channel => 'sms') IS NOT NULL AS asked;
SELECT reengage.nudge('live-later', 'hi', due_at => now() + interval '1 day') IS NOT NULL AS asked;
-- asked for yesterday and too late since; as a restored row, so that the past is allowed
INSERT INTO reengage.nudges (conversation_id, message, due_at, expires_at)
VALUES ('live-late', 'hi', now() - interval '2 hours', now() - interval '1 hour');
CALL reengage.run();
SELECT requested_conversation_id AS asked, outcome, reason, step, generation AS gen,
	   previous_conversation_id AS previous, root_conversation_id AS root,
	   conversation_id = requested_conversation_id AS same, status_seen, channel,
	   attempts AS att, api_calls AS calls, http_status AS http, api_error_code AS code
FROM reengage.lineage ORDER BY requested_conversation_id;
SELECT DISTINCT campaign, detail, server, schema_version, resolves FROM reengage.lineage WHERE campaign IS NOT NULL;
-- times are in order, and the address is only there as a hash
SELECT count(*) AS posts,
	   bool_and(requested_at <= checked_at AND checked_at <= called_at AND called_at <= occurred_at
				AND occurred_at <= recorded_at) AS in_order,
	   bool_and(address_hash ~ '^[0-9a-f]{32}$') AS hashed, count(DISTINCT address_hash) > 1 AS distinct_hashes
FROM reengage.lineage WHERE outcome IN ('notified', 'session_created');

-- what has ended is not due; what is not due yet waits
SELECT requested_conversation_id, state, reason FROM reengage.nudge_status WHERE state = 'due';
SELECT count(*) FROM reengage.intents;

-- a call that may have taken effect: in doubt, and not repeated
\! perl -MHTTP::Tiny -e 'HTTP::Tiny->new->post("http://127.0.0.1:$ENV{SIMULATOR_PORT}/_sim/faults", {content => q({"verb": "create", "id": "closed-doubt", "action": "close_after"})})'
SELECT reengage.nudge('closed-doubt', 'hi') IS NOT NULL AS asked;
CALL reengage.run();
CALL reengage.run();
SELECT outcome, reason, step, conversation_id, previous_conversation_id, api_calls FROM reengage.lineage
WHERE requested_conversation_id = 'closed-doubt';
-- another nudge of that conversation is held, not sent
SELECT reengage.nudge('closed-doubt', 'hi again') IS NOT NULL AS asked;
CALL reengage.run();
SELECT state, reason, next_attempt_at > now() AS later FROM reengage.nudge_status
WHERE requested_conversation_id = 'closed-doubt' ORDER BY requested_at;
\! perl -MHTTP::Tiny -e 'print HTTP::Tiny->new->get("http://127.0.0.1:$ENV{SIMULATOR_PORT}/_sim/effects.csv?id=closed-doubt")->{content} =~ tr/\n//, " lines\n"; HTTP::Tiny->new->delete("http://127.0.0.1:$ENV{SIMULATOR_PORT}/_sim/faults")'
SELECT subject, state, detail FROM reengage.health WHERE subject = 'doubt';

-- limits
SELECT count(reengage.nudge('live-limit-' || n, 'hi', priority => 10 - n)) FROM generate_series(1, 5) n;
CALL reengage.run(max_nudges => 2);
-- the most urgent first
SELECT requested_conversation_id FROM reengage.lineage WHERE requested_conversation_id LIKE 'live-limit-%' ORDER BY 1;
CALL reengage.run(max_seconds => 0);
CALL reengage.run();
CALL reengage.run(max_nudges => -1);
CALL reengage.run(max_seconds => -1);
BEGIN;
CALL reengage.run();
ROLLBACK;

-- a server without credentials is blocked, says so, and loses nothing
CREATE SERVER unknown FOREIGN DATA WRAPPER reengage OPTIONS (max_requests_per_minute '0', max_failures '0', api_url :'url');
SELECT reengage.nudge('live-unknown', 'hi', 'unknown') IS NOT NULL AS asked;
-- (the warning names a file whose path differs from run to run)
SET client_min_messages = error;
CALL reengage.run();
RESET client_min_messages;
SELECT state, regexp_replace(reason, '".*"', '"..."') AS reason FROM reengage.nudge_status WHERE server = 'unknown';
ALTER SERVER unknown OPTIONS (ADD auth 'none', ADD max_attempts '1', SET api_url 'http://127.0.0.1:1');
CALL reengage.run();
SELECT state, reason, attempts FROM reengage.nudge_status WHERE server = 'unknown';
SELECT subject, state FROM reengage.health WHERE subject = 'server unknown';

-- what a dead engine left: a call with an earlier token is known to have had no effect; one with
-- this token may have had one, and one with a later token, as after a restore, too
INSERT INTO reengage.nudges (conversation_id, message) SELECT 'live-token-' || n, 'hi' FROM generate_series(0, 2) n;
UPDATE reengage.due SET fencing_token = 1 WHERE nudge_id IN (SELECT nudge_id FROM reengage.nudges WHERE conversation_id ~ '^live-token-');
INSERT INTO reengage.intents (intent_id, epoch, nudge_ids, creates, fencing_tokens, conversation_ids,
	to_addresses, from_addresses, channels, address_hashes)
SELECT reengage.uuid_v7(), now(), array_agg(nudge_id ORDER BY conversation_id), '{f,f,f}', '{0,1,2}',
	array_agg(conversation_id ORDER BY conversation_id), '{NULL,NULL,NULL}', '{NULL,NULL,NULL}', '{NULL,NULL,NULL}', '{NULL,NULL,NULL}'
FROM reengage.nudges WHERE conversation_id ~ '^live-token-';
CALL reengage.run();
SELECT requested_conversation_id, outcome, reason, api_calls FROM reengage.lineage
WHERE requested_conversation_id ~ '^live-token-' ORDER BY 1;

-- disarmed again
SELECT reengage.disarm();
SELECT reengage.disarm();
CALL reengage.run();
DROP EXTENSION reengage CASCADE;
