-- Asking: what INSERT takes, what it refuses, who may.
CREATE EXTENSION reengage;
CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'https://api.example.com');
CREATE FOREIGN DATA WRAPPER other;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER other;

-- defaults
INSERT INTO reengage.nudges (conversation_id, message) VALUES ('a', 'hi');
SET reengage.default_server = 'genesys';
INSERT INTO reengage.nudges (conversation_id, message) VALUES ('abc-123~DEF_4.5', E'Are you\nstill there? ☕');
SELECT server, conversation_id, when_closed, when_answered, answered_since, priority, due_at = requested_at AS due_now, requested_by = current_user AS mine
FROM reengage.nudges;
SELECT server, priority, attempt, api_calls, hold_reason FROM reengage.due;

-- servers
INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('nowhere', 'a', 'hi');
INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('elsewhere', 'a', 'hi');

-- ids
INSERT INTO reengage.nudges (conversation_id, message) VALUES ('', 'hi');
INSERT INTO reengage.nudges (conversation_id, message) VALUES ('a/b', 'hi');
INSERT INTO reengage.nudges (conversation_id, message) VALUES ('..', 'hi');
INSERT INTO reengage.nudges (conversation_id, message) VALUES ('.', 'hi');
INSERT INTO reengage.nudges (conversation_id, message) VALUES (E'a\x01b', 'hi');
INSERT INTO reengage.nudges (conversation_id, message) VALUES ('a%2e', 'hi');
INSERT INTO reengage.nudges (conversation_id, message) VALUES (repeat('x', 300), 'hi');
INSERT INTO reengage.nudges (conversation_id, message) VALUES (NULL, 'hi');

-- texts
INSERT INTO reengage.nudges (conversation_id, message) VALUES ('a', '');
INSERT INTO reengage.nudges (conversation_id, message) VALUES ('a', E' \n\t ');
INSERT INTO reengage.nudges (conversation_id, message) VALUES ('a', repeat('ä', 4097));
INSERT INTO reengage.nudges (conversation_id, message) VALUES ('a', E'bell\x07');
INSERT INTO reengage.nudges (conversation_id, message, address) VALUES ('a', 'hi', E'+1\n2');
INSERT INTO reengage.nudges (conversation_id, message, channel) VALUES ('a', 'hi', 'Web Chat');
INSERT INTO reengage.nudges (conversation_id, message, campaign) VALUES ('a', 'hi', repeat('c', 257));
INSERT INTO reengage.nudges (conversation_id, message, when_closed) VALUES ('a', 'hi', 'reopen');
INSERT INTO reengage.nudges (conversation_id, message, when_answered) VALUES ('a', 'hi', 'ask');
INSERT INTO reengage.nudges (conversation_id, message, when_answered) VALUES ('a', 'hi', NULL);

-- numbers and times
INSERT INTO reengage.nudges (conversation_id, message, priority) VALUES ('a', 'hi', 12);
INSERT INTO reengage.nudges (conversation_id, message, priority) VALUES ('a', 'hi', -1);
SET timezone = 'UTC';
INSERT INTO reengage.nudges (conversation_id, message, due_at, expires_at)
VALUES ('a', 'hi', '2099-01-02 00:00Z', '2099-01-01 00:00Z');
INSERT INTO reengage.nudges (conversation_id, message, due_at) VALUES ('a', 'hi', 'infinity');
INSERT INTO reengage.nudges (conversation_id, message, time_zone) VALUES ('a', 'hi', 'Mars/Olympus');
INSERT INTO reengage.nudges (conversation_id, message, time_zone) VALUES ('a', 'hi', '');

-- since when an answer counts: not after the nudge is due, but for a clock that is ahead
INSERT INTO reengage.nudges (conversation_id, message, answered_since) VALUES ('a', 'hi', '-infinity');
INSERT INTO reengage.nudges (conversation_id, message, due_at, answered_since)
VALUES ('a', 'hi', '2130-01-02 00:00Z', '2130-01-02 00:05:01Z');
BEGIN;
SELECT reengage.nudge('a', 'hi', due_at => '2130-01-02 00:00Z', answered_since => '2130-01-02 00:05Z') IS NOT NULL AS later,
	reengage.nudge('a', 'hi', due_at => '2020-01-02 00:00Z', answered_since => now() + interval '4 min') IS NOT NULL AS ahead,
	reengage.nudge('a', 'hi', when_answered => 'send', answered_since => '1999-12-31 00:00Z') IS NOT NULL AS long_ago;
SELECT when_answered, count(*), count(answered_since) AS since FROM reengage.nudges WHERE conversation_id = 'a' GROUP BY 1 ORDER BY 1;
ROLLBACK;

-- detail: 1 MB
INSERT INTO reengage.nudges (conversation_id, message, detail)
VALUES ('a', 'hi', jsonb_build_object('x', repeat('y', 1024 * 1024)));
-- its text counts: of numbers, of escapes, to the byte
INSERT INTO reengage.nudges (conversation_id, message, detail) VALUES ('a', 'hi', '[1e131071]');
INSERT INTO reengage.nudges (conversation_id, message, detail)
VALUES ('a', 'hi', ('{"template": [' || repeat('1e131071,', 5000) || '1]}')::jsonb);
INSERT INTO reengage.nudges (conversation_id, message, detail) VALUES ('a', 'hi', jsonb_build_object('x', repeat(E'\x01', 3000)));
DO $$
DECLARE
	shapes text[] := ARRAY['"%s"', '["%s"]', '{"%s": true}', '{"a": [], "b": {}, "c": [1, -2.50, 3e-20, 4e+30], "d": {"e": [[null]], "f": "%s"}}',
		'[false, "%s", "\"\\\b\f\n\r\t\u0007\u001f\u007f/ é☕"]', '[{"k": 1}, {"k": "%s"}, []]', '{"long %s": "long %1$s"}'];
	shape text;
	one integer;
	fits integer;
BEGIN
	FOREACH shape IN ARRAY shapes LOOP
		one := octet_length(format(shape, 'x')::jsonb::text) - octet_length(format(shape, '')::jsonb::text);
		fits := (16384 - octet_length(format(shape, '')::jsonb::text)) / one;
		INSERT INTO reengage.nudges (conversation_id, message, detail) VALUES ('fits', 'hi', format(shape, repeat('x', fits))::jsonb);
		BEGIN
			INSERT INTO reengage.nudges (conversation_id, message, detail) VALUES ('a', 'hi', format(shape, repeat('x', fits + 1))::jsonb);
			RAISE NOTICE 'not refused: %', shape;
		EXCEPTION WHEN program_limit_exceeded THEN
			GET STACKED DIAGNOSTICS shape = MESSAGE_TEXT;
			RAISE NOTICE '%', shape;
		END;
	END LOOP;
	RAISE EXCEPTION 'and all that fits is taken back';
END
$$;

-- nothing of all that stayed
SELECT count(*) FROM reengage.nudges;
SELECT count(*) FROM reengage.due;

-- everything at once, in a batch
INSERT INTO reengage.nudges (conversation_id, message, address, channel, when_closed, priority,
							 due_at, expires_at, time_zone, campaign, detail)
SELECT 'batch-' || n, 'hi', '+13175550142', 'sms', 'skip', n % 10, '2099-01-01 00:00Z', '2099-01-02 00:00Z',
	   'Europe/Berlin', 'winter', '{"cart": "C-1"}'
FROM generate_series(1, 20) n;
SELECT priority, count(*), min(due_at), max(due_at) FROM reengage.due WHERE due_at > '2098-01-01' GROUP BY priority ORDER BY priority;

-- asking twice with the same id is asking once
SELECT reengage.nudge('twice', 'hi', nudge_id => '01900000-0000-7000-8000-000000000001');
SELECT reengage.nudge('twice', 'hi', nudge_id => '01900000-0000-7000-8000-000000000001');
INSERT INTO reengage.nudges (nudge_id, conversation_id, message)
VALUES ('01900000-0000-7000-8000-000000000001', 'twice', 'hi') ON CONFLICT DO NOTHING;
SELECT count(*) FROM reengage.nudges WHERE conversation_id = 'twice';
SELECT count(*) FROM reengage.due WHERE nudge_id = '01900000-0000-7000-8000-000000000001';

-- a rolled back nudge was never asked for
BEGIN;
SELECT reengage.nudge('rolled-back', 'hi') IS NOT NULL AS asked;
ROLLBACK;
SELECT count(*) FROM reengage.nudges WHERE conversation_id = 'rolled-back';

-- history is not rewritten
UPDATE reengage.nudges SET message = 'other';
DELETE FROM reengage.nudges;
TRUNCATE reengage.nudges;
UPDATE reengage.lineage SET outcome = 'notified';
DELETE FROM reengage.lineage;
TRUNCATE reengage.lineage;

-- an application inserts, and sees its own
CREATE ROLE regress_reengage_app IN ROLE reengage_application;
CREATE ROLE regress_reengage_stranger;
SET ROLE regress_reengage_app;
INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('genesys', 'of-the-app', 'hi');
RESET ROLE;
-- as an operator needs no grant, and what runs as somebody asks as somebody
CREATE FUNCTION pg_temp.asks_as_app() RETURNS uuid LANGUAGE sql SECURITY DEFINER AS $$SELECT reengage.nudge('of-the-app', 'hi', 'genesys')$$;
ALTER FUNCTION pg_temp.asks_as_app() OWNER TO regress_reengage_app;
SELECT pg_temp.asks_as_app();
BEGIN;
SET LOCAL ROLE reengage_operator;
SELECT reengage.nudge('of-the-operator', 'hi', 'genesys') IS NOT NULL AS asked;
ROLLBACK;
GRANT USAGE ON FOREIGN SERVER genesys TO regress_reengage_app;
SET ROLE regress_reengage_app;
SELECT reengage.nudge('of-the-app', 'hi', 'genesys', campaign => 'app') IS NOT NULL AS asked;
INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('genesys', 'of-the-app-2', 'hi');
SELECT requested_conversation_id, campaign, state, reason, attempts, requested_by FROM reengage.nudge_status ORDER BY 1;
-- but not who asked, or when
INSERT INTO reengage.nudges (server, conversation_id, message, requested_by) VALUES ('genesys', 'a', 'hi', 'somebody');
INSERT INTO reengage.nudges (server, conversation_id, message, requested_at) VALUES ('genesys', 'a', 'hi', now() - interval '1 day');
SELECT count(*) FROM reengage.nudges;
SELECT count(*) FROM reengage.lineage;
SELECT reengage.arm();
CALL reengage.run();
SET ROLE regress_reengage_stranger;
SELECT reengage.nudge('of-a-stranger', 'hi', 'genesys');
SELECT * FROM reengage.nudge_status;
RESET ROLE;

-- a row that comes out of a dump is not refused for what changed since, and
-- is due only if the dump says so
INSERT INTO reengage.lineage (nudge_id, server, outcome, requested_conversation_id, conversation_id,
	root_conversation_id, generation, attempts, api_calls, api_calls_saved, requested_at, due_at, occurred_at)
VALUES ('01900000-0000-7000-8000-000000000002', 'gone', 'notified', 'r1', 'r1', 'r1', 0, 1, 2, 0,
	'2025-01-01', '2025-01-01', '2025-01-01');
INSERT INTO reengage.nudges (nudge_id, server, conversation_id, message, time_zone, requested_at) VALUES
	('01900000-0000-7000-8000-000000000002', 'gone', 'r1', 'hi', 'Mars/Olympus', '2025-01-01'),
	('01900000-0000-7000-8000-000000000003', 'gone', 'r2', 'hi', 'Mars/Olympus', '2025-01-01');
-- nor does it take the place of another, which it did when it was asked for
INSERT INTO reengage.nudges (nudge_id, server, conversation_id, message, supersedes, requested_at) VALUES
	('01900000-0000-7000-8000-000000000004', 'gone', 'r2', 'hi', true, '2025-01-02');
SELECT nudge_id, server FROM reengage.due WHERE server = 'gone';
INSERT INTO reengage.due (nudge_id, server, requested_by, priority, due_at)
SELECT n.nudge_id, n.server, n.requested_by, n.priority, n.due_at FROM reengage.nudges n WHERE n.conversation_id = 'r2';
SELECT subject, state, detail, remedy FROM reengage.health WHERE subject LIKE 'backlog of%';

DROP OWNED BY regress_reengage_app, regress_reengage_stranger;
DROP ROLE regress_reengage_app, regress_reengage_stranger;
DROP EXTENSION reengage CASCADE;
DROP FOREIGN DATA WRAPPER other CASCADE;
