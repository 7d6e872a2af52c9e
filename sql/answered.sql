-- who has answered: what the API tells of that, and what applications say
\set SHOW_CONTEXT never
CREATE EXTENSION reengage;
\getenv port SIMULATOR_PORT
\set url 'http://127.0.0.1:' :port
CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (max_requests_per_minute '0', max_failures '0', api_url :'url', from_address '+13175550000');
SET reengage.default_server = 'genesys';
SET timezone = 'UTC';
SELECT reengage.arm();

-- what is refused
SELECT * FROM reengage.record_answer();
SELECT * FROM reengage.record_answer('a', '+13175550111');
SELECT * FROM reengage.record_answer('../users');
-- an address that was taken for one is not shown
SELECT * FROM reengage.record_answer('+13175550111');
SELECT * FROM reengage.record_answer('a', server => 'nobody');
SELECT * FROM reengage.record_answer('a', at => NULL);
SELECT * FROM reengage.record_answer('a', at => 'infinity');
SELECT * FROM reengage.record_answer('a', at => '2330-01-01 00:00Z');
SELECT count(*) FROM reengage.answers;

-- a thread: an answer that came before a nudge was asked for ends none of it, one that came since does
SELECT * FROM reengage.record_answer('closed-before');
SELECT reengage.nudge('closed-before', 'hi') IS NOT NULL AS asked;
SELECT reengage.nudge('closed-since', 'hi') IS NOT NULL AS asked;
SELECT * FROM reengage.record_answer('closed-since');
-- whatever the nudge says of a later time, and of an earlier one
SELECT reengage.nudge('closed-send', 'hi', when_answered => 'send') IS NOT NULL AS asked;
SELECT * FROM reengage.record_answer('closed-send');
SELECT * FROM reengage.record_answer('closed-long-ago', at => '2020-05-05 10:00:00.5Z');
SELECT reengage.nudge('closed-long-ago', 'hi', answered_since => '2020-05-05 10:00:00.4Z', campaign => 'earlier') IS NOT NULL AS asked;
CALL reengage.run();
SELECT reengage.nudge('closed-long-ago', 'hi', answered_since => '2020-05-05 10:00:00.6Z', campaign => 'later') IS NOT NULL AS asked;
CALL reengage.run();
-- it costs no call
SELECT requested_conversation_id, campaign, outcome, reason, step, attempts, api_calls, api_calls_saved, checked_at IS NULL AS not_looked_at
FROM reengage.lineage WHERE requested_conversation_id NOT LIKE 'closed-s%d' ORDER BY 1, 2;
SELECT outcome, step FROM reengage.lineage WHERE requested_conversation_id = 'closed-send';

-- a time without a fraction is all of its second, as extracts have it
SELECT * FROM reengage.record_answer('closed-second', at => '2020-05-05 10:00:00.9Z');
SELECT reengage.nudge('closed-second', 'hi', answered_since => '2020-05-05 10:00:00Z') IS NOT NULL AS asked;
CALL reengage.run();
SELECT outcome FROM reengage.lineage WHERE requested_conversation_id = 'closed-second';

-- the newest answer stays, and one row of each
SELECT * FROM reengage.record_answer('closed-newest', at => '2020-05-05 10:00Z');
SELECT * FROM reengage.record_answer('closed-newest', at => '2020-05-05 11:00Z');
SELECT * FROM reengage.record_answer('closed-newest', at => '2020-05-05 09:00Z');
SELECT server, root_conversation_id, address_hash, answered_at, recorded_by = session_user AS by_session FROM reengage.answers
WHERE root_conversation_id = 'closed-newest';
-- a clock that is ahead does not answer what is asked for later
SELECT * FROM reengage.record_answer('closed-ahead', at => now() + interval '4 minutes');
SELECT answered_at <= clock_timestamp() AS not_ahead FROM reengage.answers WHERE root_conversation_id = 'closed-ahead';

-- a customer, by the address that a nudge names, however it is written
SELECT reengage.nudge('gone-own', 'hi', address => '+1 (317) 555-0162', channel => 'sms') IS NOT NULL AS asked;
SELECT reengage.nudge('gone-other', 'hi', address => '+13175550163', channel => 'sms') IS NOT NULL AS asked;
SELECT * FROM reengage.record_answer(address => '+1.317.555.0162');
CALL reengage.run();
SELECT requested_conversation_id, outcome, reason, api_calls FROM reengage.lineage WHERE requested_conversation_id LIKE 'gone-%' ORDER BY 1;
-- by the address that only the conversation tells: one look
SELECT reengage.nudge('closed-told', 'hi') IS NOT NULL AS asked;
CALL reengage.run();
SELECT address_hash, conversation_id AS session FROM reengage.lineage WHERE requested_conversation_id = 'closed-told' \gset
SELECT reengage.nudge('closed-told', 'hi', campaign => 'again') IS NOT NULL AS asked;
INSERT INTO reengage.answers (address_hash, answered_at) VALUES (:'address_hash', clock_timestamp());
-- and none, now that lineage knows it
CALL reengage.run();
SELECT outcome, reason, api_calls, conversation_id = :'session' AS in_the_session FROM reengage.lineage
WHERE requested_conversation_id = 'closed-told' AND campaign = 'again';

-- a session's answer is its thread's
SELECT reengage.nudge('closed-told', 'hi', campaign => 'third', answered_since => clock_timestamp()) IS NOT NULL AS asked;
SELECT * FROM reengage.record_answer(:'session');
SELECT a.root_conversation_id = :'session' AS session, a.root_conversation_id = 'closed-told' AS root
FROM reengage.answers a WHERE a.root_conversation_id IN (:'session', 'closed-told') ORDER BY 2;
CALL reengage.run();
SELECT outcome, reason FROM reengage.lineage WHERE requested_conversation_id = 'closed-told' AND campaign = 'third';

-- what is asked again keeps to what was asked
SELECT reengage.nudge('a', 'hi', when_answered => 'send', due_at => '2130-01-01 00:00Z', nudge_id => '00000000-0000-7000-8000-00000000000a'),
	reengage.nudge('a', 'hi', answered_since => '2020-01-01 00:00Z', due_at => '2130-01-01 00:00Z', nudge_id => '00000000-0000-7000-8000-00000000000b'),
	reengage.nudge('a', 'hi', due_at => '2130-01-01 00:00Z', nudge_id => '00000000-0000-7000-8000-00000000000c');
SELECT count(reengage_internal.ask_again(nudge_id)) FROM reengage.nudges WHERE conversation_id = 'a';
SELECT n.when_answered, n.answered_since - coalesce(o.answered_since, o.requested_at) AS later
FROM reengage.nudges o JOIN reengage.nudges n ON n.repeats = o.nudge_id WHERE o.conversation_id = 'a' ORDER BY o.nudge_id;

-- hundreds in one transaction
BEGIN;
SELECT count(*) FROM generate_series(1, 600) n CROSS JOIN LATERAL reengage.record_answer(address => '+1317556' || lpad(n::text, 4, '0')) r;
SELECT count(*) < 250 AS few_locks FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();
COMMIT;
SELECT count(*) > 600 AS all FROM reengage.answers;

-- who may: an application, also at a server that it may not use, of the nudges of another
CREATE ROLE regress_app LOGIN IN ROLE reengage_application;
CREATE ROLE regress_shop LOGIN IN ROLE reengage_application;
GRANT USAGE ON FOREIGN SERVER genesys TO regress_shop;
SET SESSION AUTHORIZATION regress_shop;
SELECT reengage.nudge('live-shop-1', 'hi') IS NOT NULL AS asked, reengage.nudge('gone-shop-2', 'hi', address => '+13175550181', channel => 'sms') IS NOT NULL AS asked;
SET SESSION AUTHORIZATION regress_app;
SELECT reengage.nudge('live-shop-1', 'hi');
SELECT count(*) FROM reengage.record_answer('live-shop-1');
SELECT count(*) FROM reengage.suppress('+1 317 555 0181', reason => 'STOP');
-- and no more: it cancels and lifts nothing, sees nobody, and ends nothing that is asked for later
SELECT * FROM reengage.cancel_thread('live-shop-1');
SELECT reengage.unsuppress('+13175550181');
SELECT count(*) FROM reengage.answers;
SELECT count(*) FROM reengage.suppressions;
SET SESSION AUTHORIZATION regress_shop;
SELECT reengage.nudge('live-shop-1', 'hi', campaign => 'later') IS NOT NULL AS asked;
RESET SESSION AUTHORIZATION;
CALL reengage.run();
SELECT requested_conversation_id, campaign, outcome, reason FROM reengage.lineage WHERE requested_conversation_id LIKE '%-shop-_' ORDER BY 1, 2 DESC;
-- who said so stands beside it
SELECT recorded_by FROM reengage.answers WHERE root_conversation_id = 'live-shop-1';
SELECT created_by, origin FROM reengage.suppressions WHERE reason = 'STOP';
SELECT changed_by, new ->> 'reason' AS reason FROM reengage.changes WHERE table_name = 'suppressions' ORDER BY change_id DESC LIMIT 1;

DROP SERVER genesys CASCADE;
DROP ROLE regress_app, regress_shop;
DROP EXTENSION reengage CASCADE;
