-- opt-outs, cancelling, superseding
CREATE EXTENSION reengage;
\getenv port SIMULATOR_PORT
\set url 'http://127.0.0.1:' :port
CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (max_requests_per_minute '0', max_failures '0', api_url :'url', from_address '+13175550000');
SET reengage.default_server = 'genesys';

-- an opt-out needs no armed database; the number may be written in any way
SELECT * FROM reengage.suppress('+1 (317) 555-0100', reason => 'STOP');
SELECT * FROM reengage.suppress('+13175550100', until => '2100-01-01');
SELECT * FROM reengage.suppress('Anna@Example.com', channel => 'EMAIL', server => 'genesys');
SELECT * FROM reengage.suppress(conversation_id => 'closed-thread');
SELECT server, channel, address_hash ~ '^[0-9a-f]{32}$' AS hashed, root_conversation_id, label, reason, until
FROM reengage.suppressions ORDER BY suppression_id;

-- what is refused
SELECT * FROM reengage.suppress();
SELECT * FROM reengage.suppress('');
SELECT * FROM reengage.suppress('   ');
SELECT * FROM reengage.suppress('+ ()');
SELECT * FROM reengage.suppress(E'a\nb');
SELECT * FROM reengage.suppress('a', 'b');
SELECT * FROM reengage.suppress(conversation_id => '../users');
SELECT * FROM reengage.suppress('+13175550100', server => 'nobody');
SELECT * FROM reengage.suppress('+13175550100', until => '2000-01-01');
SELECT * FROM reengage.cancel('00000000-0000-7000-8000-000000000000');
SELECT * FROM reengage.cancel_campaign(NULL);
SELECT * FROM reengage.cancel_campaign('spring', 'nobody');

-- what is sent, and what is not
SELECT reengage.arm();
SELECT reengage.nudge('gone-stop', 'hi', address => '+1.317.555.0100', channel => 'sms') IS NOT NULL AS asked;
SELECT reengage.nudge('gone-else', 'hi', address => '+13175550101', channel => 'sms') IS NOT NULL AS asked;
SELECT reengage.nudge('gone-mail', 'hi', address => 'anna@example.COM', channel => 'email') IS NOT NULL AS asked;
SELECT reengage.nudge('closed-thread', 'hi') IS NOT NULL AS asked;
CALL reengage.run();
SELECT requested_conversation_id, outcome, reason, step, api_calls, http_status FROM reengage.lineage ORDER BY 1;

-- the nudge's own address counts, too, whatever the conversation says
SELECT * FROM reengage.suppress('+493012345');
SELECT reengage.nudge('live-own', 'hi', address => '+49 30 12345', channel => 'sms') IS NOT NULL AS asked;
CALL reengage.run();
SELECT reengage.unsuppress('+493012345');

-- lifted
SELECT reengage.unsuppress('+1 317 555 0100', channel => 'whatsapp') AS other_channel,
	reengage.unsuppress('+1 317 555 0100') AS lifted, reengage.unsuppress('+1 317 555 0100') AS again,
	reengage.unsuppress(conversation_id => 'closed-thread') AS thread;
SELECT reengage.nudge('gone-stop', 'hi', address => '+13175550100', channel => 'sms') IS NOT NULL AS asked;
CALL reengage.run();
SELECT outcome, reason FROM reengage.lineage WHERE requested_conversation_id = 'gone-stop' ORDER BY lineage_id;

-- cancelling
SELECT reengage.nudge('live-cancel', 'hi', nudge_id => '00000000-0000-7000-8000-000000000001') IS NOT NULL AS asked;
SELECT reengage.nudge('live-keep', 'hi', nudge_id => '00000000-0000-7000-8000-000000000002') IS NOT NULL AS asked;
SELECT reengage.cancel('00000000-0000-7000-8000-000000000001'), reengage.cancel('00000000-0000-7000-8000-000000000001') AS again;
CALL reengage.run();
SELECT reengage.cancel('00000000-0000-7000-8000-000000000002');
SELECT state, reason FROM reengage.nudge_status WHERE requested_conversation_id IN ('live-cancel', 'live-keep') ORDER BY requested_conversation_id;
SELECT outcome, api_calls, generation, root_conversation_id FROM reengage.lineage WHERE requested_conversation_id = 'live-cancel';

-- whose nudge
CREATE ROLE regress_app IN ROLE reengage_application;
CREATE ROLE regress_other IN ROLE reengage_application;
CREATE ROLE regress_chief IN ROLE reengage_operator;
GRANT USAGE ON FOREIGN SERVER genesys TO reengage_application;
SET ROLE regress_app;
SELECT reengage.nudge('live-app', 'hi', nudge_id => '00000000-0000-7000-8000-000000000003') IS NOT NULL AS asked;
SELECT reengage.nudge('live-app', 'hi', nudge_id => '00000000-0000-7000-8000-000000000004') IS NOT NULL AS asked;
SET ROLE regress_other;
SELECT reengage.cancel('00000000-0000-7000-8000-000000000003');
SELECT reengage_internal.cancel_for('00000000-0000-7000-8000-000000000003', 'regress_app', true);
SELECT reengage.cancel_campaign('spring');
SET ROLE regress_app;
SELECT reengage.cancel('00000000-0000-7000-8000-000000000003');
SELECT count(*) FROM reengage.suppress('+13175550199');
SELECT reengage.unsuppress('+13175550199');
SET ROLE regress_chief;
SELECT reengage.cancel('00000000-0000-7000-8000-000000000004');
SELECT reengage.unsuppress('+13175550199');
RESET ROLE;
SELECT label, created_by = session_user AS by_session FROM reengage.suppressions ORDER BY suppression_id;

-- a snapshot that is too old to tell
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT reengage.cancel('00000000-0000-7000-8000-000000000004');
ROLLBACK;

-- a campaign
SELECT count(reengage.nudge('live-spring-' || n, 'hi', campaign => 'spring', due_at => now() + n * interval '1 hour'))
FROM generate_series(1, 5) n;
SELECT reengage.nudge('live-summer', 'hi', campaign => 'summer', due_at => now() + interval '1 day') IS NOT NULL AS asked;
SELECT * FROM reengage.cancel_campaign('spring');
SELECT * FROM reengage.cancel_campaign('spring');
SELECT outcome, reason, count(*) FROM reengage.lineage WHERE campaign = 'spring' GROUP BY 1, 2;
SELECT n.campaign, count(*) FROM reengage.due d JOIN reengage.nudges n USING (nudge_id) GROUP BY 1;

-- a newer nudge takes the place of older ones: of its thread and campaign
SELECT reengage.nudge('closed-story', 'first') IS NOT NULL AS asked;
CALL reengage.run();
SELECT reengage.nudge('closed-story', 'second', campaign => 'cart', due_at => now() + interval '1 hour',
	nudge_id => '00000000-0000-7000-8000-000000000011') IS NOT NULL AS asked;
SELECT reengage.nudge('closed-story', 'other campaign', campaign => 'news', due_at => now() + interval '1 hour',
	nudge_id => '00000000-0000-7000-8000-000000000012') IS NOT NULL AS asked;
SELECT conversation_id AS session FROM reengage.lineage WHERE requested_conversation_id = 'closed-story' \gset
SELECT reengage.nudge(:'session', 'third', campaign => 'cart', due_at => now() + interval '2 hours', supersedes => true,
	nudge_id => '00000000-0000-7000-8000-000000000013') IS NOT NULL AS asked;
SELECT n.message, s.state, l.reason FROM reengage.nudges n JOIN reengage.nudge_status s USING (nudge_id)
	LEFT JOIN reengage.lineage l USING (nudge_id)
WHERE n.conversation_id IN ('closed-story', :'session') ORDER BY n.nudge_id;

-- each opt-out is on record
SELECT table_name, coalesce(new, old) ->> 'label' AS label, old IS NULL AS made, new IS NULL AS lifted,
	changed_by = session_user AS by_session FROM reengage.changes ORDER BY change_id;

DROP SERVER genesys CASCADE;
DROP ROLE regress_app, regress_other, regress_chief;
DROP EXTENSION reengage CASCADE;
