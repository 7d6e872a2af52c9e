-- Operators: what is in doubt, and what ran out of attempts.
\getenv port SIMULATOR_PORT
\set url 'http://127.0.0.1:' :port
CREATE EXTENSION reengage;
CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (max_requests_per_minute '0', max_failures '0', api_url :'url', max_attempts '1');
SET reengage.default_server = 'genesys';
SELECT reengage.arm();

-- three creates and a notification whose answers are lost, and one that never gets through
\! perl -MHTTP::Tiny -e 'HTTP::Tiny->new->post("http://127.0.0.1:$ENV{SIMULATOR_PORT}/_sim/faults", {content => q([{"verb": "create", "id": "closed-op", "action": "close_after"}, {"verb": "notify", "id": "live-op", "action": "status_after", "status": 502}, {"verb": "check", "id": "live-out", "action": "status", "status": 503}])})'
SELECT count(reengage.nudge(id, 'hi')) FROM unnest(ARRAY['closed-op-1', 'closed-op-2', 'closed-op-3', 'live-op-4', 'live-out-5']) id;
CALL reengage.run();
\! perl -MHTTP::Tiny -e 'HTTP::Tiny->new->delete("http://127.0.0.1:$ENV{SIMULATOR_PORT}/_sim/faults")'
SELECT step, conversation_id, reason, http_status, since <= now() AS before_now FROM reengage.in_doubt ORDER BY conversation_id;
SELECT max(doubt::text) FILTER (WHERE id = 'closed-op-1') AS one, max(doubt::text) FILTER (WHERE id = 'closed-op-2') AS two,
	   max(doubt::text) FILTER (WHERE id = 'closed-op-3') AS three, max(doubt::text) FILTER (WHERE id = 'live-op-4') AS four
FROM (SELECT conversation_id AS id, lineage_id AS doubt FROM reengage.in_doubt) d \gset

-- a nudge on a conversation in doubt waits
SELECT reengage.nudge('closed-op-1', 'again') IS NOT NULL AS asked;
CALL reengage.run();

-- what resolve() refuses
\set VERBOSITY terse
SELECT reengage.resolve(:'one', 'perhaps');
SELECT reengage.resolve('01900000-0000-7000-8000-000000000001', 'sent');
SELECT reengage.resolve(:'one', 'sent');
SELECT reengage.resolve(:'one', 'sent', 'a/b');
SELECT reengage.resolve(:'one', 'not_sent', 'new-1');
SELECT reengage.resolve(:'four', 'sent', 'new-4');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT reengage.resolve(:'one', 'sent', 'live-op-new');
ROLLBACK;
SELECT count(*) FROM reengage.in_doubt;

-- sent: the thread goes on at the conversation that was created
SELECT reengage.resolve(:'one', 'sent', 'live-op-new') IS NOT NULL AS resolved;
SELECT reengage.resolve(:'one', 'sent', 'live-op-new') IS NOT NULL AS resolved_again;
\set VERBOSITY sqlstate
SELECT reengage.resolve(:'one', 'not_sent');
\set VERBOSITY terse
CALL reengage.run();
SELECT outcome, reason, generation, conversation_id, previous_conversation_id FROM reengage.thread('closed-op-1');

-- not sent; and not sent but to be sent
SELECT reengage.resolve(:'two', 'not_sent') IS NOT NULL AS resolved;
\set VERBOSITY sqlstate
SET client_min_messages = warning;
SELECT reengage.resolve(:'three', 'resend') IS NOT NULL AS resolved;
RESET client_min_messages;
\set VERBOSITY default
SELECT reengage.resolve(:'four', 'sent') IS NOT NULL AS resolved;
CALL reengage.run();
SELECT requested_conversation_id AS asked, outcome, reason FROM reengage.lineage
WHERE requested_conversation_id LIKE '%-op-_' ORDER BY requested_conversation_id, lineage_id;
SELECT count(*) FROM reengage.in_doubt;
SELECT subject FROM reengage.health WHERE subject = 'doubt';

-- attempts ran out: asked again, once
SELECT nudge_id AS exhausted FROM reengage.lineage WHERE outcome = 'exhausted' \gset
SELECT reengage.redrive(:'exhausted') = reengage.redrive(:'exhausted') AS same;
SELECT reengage.redrive('01900000-0000-7000-8000-000000000001');
CALL reengage.run();
SELECT l.outcome, n.repeats = :'exhausted' AS repeats FROM reengage.lineage l JOIN reengage.nudges n USING (nudge_id)
WHERE l.requested_conversation_id = 'live-out-5' ORDER BY l.lineage_id;

-- not for everybody
SET ROLE reengage_application;
SELECT reengage.resolve('01900000-0000-7000-8000-000000000001', 'sent');
SELECT reengage.redrive('01900000-0000-7000-8000-000000000001');
SELECT reengage_internal.ask_again('01900000-0000-7000-8000-000000000001');
RESET ROLE;
DROP EXTENSION reengage CASCADE;
