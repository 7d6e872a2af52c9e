-- Asking: what a statement asks for becomes due as one batch, whatever it is.
CREATE EXTENSION reengage;
CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'https://api.example.com', default_country_code '49');
CREATE SERVER other FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'https://api.example.com', default_country_code '1');
SET reengage.default_server = 'genesys';
\set VERBOSITY terse

-- more than are written at once, of two servers, some with addresses
INSERT INTO reengage.nudges (conversation_id, message, server, priority, due_at, address, channel)
SELECT 'c' || n, 'hi', CASE n % 3 WHEN 0 THEN 'other' ELSE 'genesys' END, n % 10, CASE n % 4 WHEN 0 THEN '2130-01-01 00:00Z' ELSE now() - interval '1 day' END::timestamptz,
	CASE n % 2 WHEN 0 THEN '+49301234' || 100 + n % 50 END, CASE n % 8 WHEN 2 THEN 'sms' WHEN 4 THEN 'whatsapp' END
FROM generate_series(1, 2500) n WHERE n % 8 <> 4;
SELECT d.server, count(*), count(d.address_hash) AS hashed, count(DISTINCT d.priority) AS priorities, max(d.due_at) = '2130-01-01 00:00Z' AS later,
	min(d.due_at) = min(n.requested_at) AS not_earlier_than_asked,
	bool_and(d.requested_by = current_user AND d.server = n.server AND d.priority = n.priority) AS as_asked,
	bool_and(d.address_hash IS NOT DISTINCT FROM reengage_internal.address_hash(n.address, n.channel, n.server)) AS same_hash,
	bool_and(d.attempt + d.api_calls + d.fencing_token + d.refusals = 0 AND d.hold IS NULL AND d.hold_reason IS NULL) AS begins
FROM reengage.nudges n JOIN reengage.due d USING (nudge_id) GROUP BY 1 ORDER BY 1;
SELECT (SELECT count(*) FROM reengage.nudges) = (SELECT count(*) FROM reengage.due) AS all_are_due;
-- its indexes know them
SET enable_seqscan = off;
SELECT count(*) FROM reengage.due d WHERE d.server = 'other' AND d.priority = 3;
SELECT count(*) FROM reengage.due d WHERE d.address_hash = reengage_internal.address_hash('+49301234110');
RESET enable_seqscan;

-- what was there is not due again, and nothing is as if it had not been asked
INSERT INTO reengage.nudges (nudge_id, conversation_id, message) VALUES ('0197e2f4-0000-7000-8000-000000000001', 'once', 'hi');
INSERT INTO reengage.nudges (nudge_id, conversation_id, message)
VALUES ('0197e2f4-0000-7000-8000-000000000001', 'twice', 'hi'), ('0197e2f4-0000-7000-8000-000000000002', 'second', 'hi')
ON CONFLICT DO NOTHING RETURNING nudge_id;
INSERT INTO reengage.nudges (conversation_id, message) SELECT 'none', 'hi' WHERE false;
SELECT n.conversation_id FROM reengage.nudges n JOIN reengage.due d USING (nudge_id) WHERE n.nudge_id::text LIKE '0197e2f4-%' ORDER BY 1;

-- an error in the midst, and a savepoint
BEGIN;
SAVEPOINT before;
INSERT INTO reengage.nudges (conversation_id, message) SELECT 'd' || n, CASE n WHEN 1999 THEN '' ELSE 'hi' END FROM generate_series(1, 2000) n;
ROLLBACK TO before;
INSERT INTO reengage.nudges (conversation_id, message) VALUES ('kept', 'hi');
SAVEPOINT again;
INSERT INTO reengage.nudges (conversation_id, message) VALUES ('dropped', 'hi');
ROLLBACK TO again;
COMMIT;
SELECT n.conversation_id FROM reengage.nudges n JOIN reengage.due d USING (nudge_id) WHERE n.conversation_id IN ('d1', 'kept', 'dropped');

-- statements within statements, with somebody's triggers beside ours
CREATE TABLE seen (conversation_id text, due boolean);
CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT FROM rows n WHERE n.conversation_id NOT LIKE '%-next') THEN
		INSERT INTO reengage.nudges (conversation_id, message) SELECT n.conversation_id || '-next', 'hi' FROM rows n WHERE n.conversation_id NOT LIKE '%-next';
	END IF;
	INSERT INTO seen SELECT n.conversation_id, EXISTS (SELECT FROM reengage.due d WHERE d.nudge_id = n.nudge_id) FROM rows n;
	RETURN NULL;
END $$;
CREATE TRIGGER zz_follow AFTER INSERT ON reengage.nudges REFERENCING NEW TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION follow();
CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.priority := 7; RETURN CASE WHEN NEW.conversation_id <> 'x2' THEN NEW END; END $$;
CREATE TRIGGER zz_change BEFORE INSERT ON reengage.nudges FOR EACH ROW EXECUTE FUNCTION change();
WITH asked AS (INSERT INTO reengage.nudges (conversation_id, message) VALUES ('x1', 'hi'), ('x2', 'hi'), ('x3', 'hi') RETURNING conversation_id)
SELECT * FROM asked;
SELECT * FROM seen ORDER BY 1;
SELECT n.conversation_id, d.priority FROM reengage.nudges n JOIN reengage.due d USING (nudge_id) WHERE n.conversation_id LIKE 'x%' ORDER BY 1;
DROP TRIGGER zz_follow ON reengage.nudges;
DROP TRIGGER zz_change ON reengage.nudges;

-- out of a dump, which says itself what is due
INSERT INTO reengage.lineage (nudge_id, server, outcome, requested_conversation_id, conversation_id,
	root_conversation_id, generation, attempts, api_calls, api_calls_saved, requested_at, due_at, occurred_at)
SELECT ('0197e2f4-0000-7000-8000-0000000001' || lpad(n::text, 2, '0'))::uuid, 'gone', 'notified', 'y', 'y', 'y', 0, 1, 2, 0, now(), now(), now() FROM generate_series(0, 9) n;
COPY reengage.nudges (nudge_id, server, conversation_id, message, requested_at, address, requested_by) FROM stdin;
0197e2f4-0000-7000-8000-000000000101	gone	y1	hi	2026-01-01 00:00Z	\N	somebody
0197e2f4-0000-7000-8000-000000000202	gone	y2	hi	2026-01-01 00:00Z	+4930123456	somebody_with_a_name_that_is_longer_than_sixty_three_bytes_which_no_role_has
0197e2f4-0000-7000-8000-000000000103	gone	y3	hi	2026-01-01 00:00Z	\N	somebody
\.
SELECT n.conversation_id, d.server, d.requested_by, d.address_hash = reengage_internal.address_hash('+4930123456') AS hashed
FROM reengage.nudges n JOIN reengage.due d USING (nudge_id) WHERE n.conversation_id LIKE 'y_';

-- of one statement nothing takes the place of another, but of what was there before
INSERT INTO reengage.nudges (conversation_id, message, supersedes)
VALUES ('c1', 'newer', true), ('c1', 'beside', false), ('c2', 'newer', true);
SELECT n.conversation_id, n.message, d.nudge_id IS NOT NULL AS is_due, l.outcome, l.reason
FROM reengage.nudges n LEFT JOIN reengage.due d USING (nudge_id) LEFT JOIN reengage.lineage l USING (nudge_id)
WHERE n.conversation_id IN ('c1', 'c2') ORDER BY 1, 2;

-- a limit counts what the statement itself asks for
INSERT INTO reengage.policies (server, max_due) VALUES ('other', 900);
DO $$ BEGIN
	INSERT INTO reengage.nudges (server, conversation_id, message) SELECT 'other', 'z', 'hi' FROM generate_series(1, 300);
EXCEPTION WHEN configuration_limit_exceeded THEN
	RAISE NOTICE 'too many';
END $$;
INSERT INTO reengage.nudges (server, conversation_id, message) SELECT 'other', 'z', 'hi' FROM generate_series(1, 3);
INSERT INTO reengage.nudges (conversation_id, message) SELECT 'z', 'hi' FROM generate_series(1, 300);
DROP EXTENSION reengage CASCADE;
DROP TABLE seen;
DROP FUNCTION follow, change;
