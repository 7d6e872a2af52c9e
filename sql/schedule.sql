-- The schedule: an outcome takes a nudge out of it, and arm() mends what
-- somebody did to it by hand.
CREATE EXTENSION reengage;
CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'https://api.example.com');
SET reengage.default_server = 'genesys';
\set VERBOSITY terse

CREATE FUNCTION ask(conversation text) RETURNS void LANGUAGE sql
AS $$ SELECT reengage.nudge(conversation, 'hi', due_at => '2130-01-01 00:00Z') $$;
-- as a restore and a replica have it: an outcome of which the schedule does not hear
CREATE FUNCTION answer_by_hand(conversation text) RETURNS void LANGUAGE sql
AS $$
	INSERT INTO reengage.lineage (nudge_id, server, outcome, requested_conversation_id, conversation_id,
		root_conversation_id, generation, attempts, api_calls, api_calls_saved, requested_at, due_at, occurred_at)
	SELECT n.nudge_id, n.server, 'notified', n.conversation_id, n.conversation_id, n.conversation_id, 0, 1, 2, 0, n.requested_at, n.due_at, now()
	FROM reengage.nudges n WHERE n.conversation_id = conversation
$$;
CREATE VIEW schedule AS
SELECT s.requested_conversation_id AS conversation, s.state, s.reason, d.nudge_id IS NOT NULL AS is_due
FROM reengage.nudge_status s LEFT JOIN reengage.due d USING (nudge_id) ORDER BY 1;

-- a copy that is armed: what has an outcome is not due, nor is its call repeated
SELECT ask('kept'), ask('answered'), ask('lost'), ask('deleted');
SELECT answer_by_hand('answered');
INSERT INTO reengage.unresolved (nudge_id, server, step, conversation_id, since)
SELECT n.nudge_id, n.server, 'notify', n.conversation_id, now() FROM reengage.nudges n WHERE n.conversation_id IN ('answered', 'kept');
SELECT reengage.arm();
SELECT * FROM schedule;
SELECT n.conversation_id, u.since FROM reengage.unresolved u JOIN reengage.nudges n USING (nudge_id);
DELETE FROM reengage.unresolved;

-- what somebody did by hand since: said, and mended by arming once more
SELECT ask('replicated');
SELECT answer_by_hand('replicated');
DELETE FROM reengage.due d USING reengage.nudges n WHERE n.nudge_id = d.nudge_id AND n.conversation_id = 'lost';
SET session_replication_role = replica;
DELETE FROM reengage.nudges WHERE conversation_id = 'deleted';
SELECT ask('unseen');
RESET session_replication_role;
SELECT * FROM schedule;
SELECT reengage.arm();
SELECT * FROM schedule;
SELECT reengage.arm('perhaps');
SELECT reengage.arm('due');
SELECT * FROM schedule;
SELECT count(*) FROM reengage.due;
SELECT reengage.arm();
TRUNCATE reengage.due;

-- a trigger of somebody that drops outcomes: nothing ends without one
CREATE FUNCTION drop_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER hostile BEFORE INSERT ON reengage.lineage FOR EACH ROW EXECUTE FUNCTION drop_row();
SELECT reengage.cancel(nudge_id) FROM reengage.nudges WHERE conversation_id = 'kept';
DROP TRIGGER hostile ON reengage.lineage;
SELECT * FROM schedule WHERE conversation = 'kept';
SELECT reengage.cancel(nudge_id) FROM reengage.nudges WHERE conversation_id = 'kept';
SELECT reengage.cancel(nudge_id) FROM reengage.nudges WHERE conversation_id = 'kept';
SELECT * FROM schedule WHERE conversation = 'kept';
DROP VIEW schedule;
DROP EXTENSION reengage CASCADE;
DROP FUNCTION ask, answer_by_hand, drop_row;
