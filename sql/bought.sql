-- who has bought: what is taken back of a thread, and of a customer
\set SHOW_CONTEXT never
CREATE EXTENSION reengage;
\getenv port SIMULATOR_PORT
\set url 'http://127.0.0.1:' :port
CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (max_requests_per_minute '0', max_failures '0', api_url :'url', from_address '+13175550000');
CREATE SERVER other FOREIGN DATA WRAPPER reengage OPTIONS (auth 'none', api_url :'url', default_country_code '1');
SET reengage.default_server = 'genesys';
CREATE FUNCTION pg_temp.later(text, text DEFAULT NULL, server text DEFAULT NULL, address text DEFAULT NULL, channel text DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
	SELECT reengage.nudge($1, 'hi', campaign => $2, server => $3, address => $4, channel => $5, due_at => now() + interval '1 day')
$$;
CREATE FUNCTION pg_temp.ended() RETURNS TABLE (server text, requested_conversation_id text, campaign text, outcome text, reason text) LANGUAGE sql AS $$
	SELECT l.server, l.requested_conversation_id, l.campaign, l.outcome, l.reason FROM reengage.lineage l
	WHERE l.outcome = 'cancelled' ORDER BY 1, 2, 3
$$;

-- what is refused
SELECT * FROM reengage.cancel_thread(NULL);
SELECT * FROM reengage.cancel_thread('../users');
SELECT * FROM reengage.cancel_thread('a', 'nobody');
SELECT * FROM reengage.cancel_customer(NULL);
SELECT * FROM reengage.cancel_customer('+13175550171', server => 'nobody');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM reengage.cancel_thread('a');
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT * FROM reengage.cancel_customer('+13175550171');
ROLLBACK;
-- nothing to take back
SELECT * FROM reengage.cancel_thread('nobody-knows');
SELECT * FROM reengage.cancel_customer('+13175550171');

-- a thread: whichever of its conversations nudges name, and whichever is named here
SELECT reengage.arm();
SELECT reengage.nudge('closed-bought', 'hi') IS NOT NULL AS asked;
CALL reengage.run();
SELECT conversation_id AS session FROM reengage.lineage WHERE requested_conversation_id = 'closed-bought' \gset
SELECT pg_temp.later('closed-bought', 'cart'), pg_temp.later(:'session', 'cart'), pg_temp.later(:'session', 'news'),
	pg_temp.later(:'session'), pg_temp.later('closed-else', 'cart'), pg_temp.later('closed-bought', 'cart', 'other');
SELECT * FROM reengage.cancel_thread(:'session', campaign => 'cart');
SELECT * FROM reengage.cancel_thread('closed-bought');
SELECT * FROM reengage.cancel_thread('closed-bought');
SELECT server, requested_conversation_id = :'session' AS in_session, campaign, outcome, reason FROM pg_temp.ended() ORDER BY campaign, in_session;
SELECT * FROM reengage.cancel_thread('closed-bought', 'other');
SELECT n.server, n.conversation_id, n.campaign FROM reengage.due d JOIN reengage.nudges n USING (nudge_id) ORDER BY 1, 2, 3;
SELECT * FROM reengage.cancel_thread('closed-else');

-- a customer: by the address that nudges name, in any spelling
SELECT pg_temp.later('own-1', 'cart', address => '+1 317-555-0172', channel => 'sms'),
	pg_temp.later('own-2', 'news', address => '0013175550172', channel => 'whatsapp'),
	pg_temp.later('own-3', 'cart', 'other', '(317) 555-0172', 'sms'),
	pg_temp.later('own-4', 'cart', address => '+13175550173', channel => 'sms'),
	pg_temp.later('own-5', 'cart', address => 'A-172', channel => 'open'),
	pg_temp.later('own-6', 'cart', address => 'a-172', channel => 'open'),
	pg_temp.later('own-7', 'cart', address => '13175550176');
SELECT * FROM reengage.cancel_customer('+1 (317) 555 0172', 'news');
SELECT * FROM reengage.cancel_customer('13175550172', server => 'other', channel => 'whatsapp');
SELECT * FROM reengage.cancel_customer('+13175550172');
SELECT * FROM reengage.cancel_customer('a-172', channel => 'open');
SELECT * FROM reengage.cancel_customer('13175550176');
SELECT * FROM pg_temp.ended() WHERE requested_conversation_id LIKE 'own-%';
SELECT n.conversation_id FROM reengage.due d JOIN reengage.nudges n USING (nudge_id) ORDER BY 1;
SELECT * FROM reengage.cancel_customer('+13175550173'), reengage.cancel_customer('A-172', channel => 'open') open;

-- and by the threads that lineage knows the customer from
SELECT reengage.nudge('gone-knows', 'hi', address => '+13175550174', channel => 'sms') IS NOT NULL AS asked;
CALL reengage.run();
SELECT conversation_id AS session FROM reengage.lineage WHERE requested_conversation_id = 'gone-knows' \gset
SELECT pg_temp.later('gone-knows', 'by thread'), pg_temp.later(:'session', 'by session'), pg_temp.later('gone-knows', 'elsewhere', 'other'),
	pg_temp.later('nobody-knows', 'by address', address => '+13175550174', channel => 'sms');
SELECT * FROM reengage.cancel_customer('+13175550174');
SELECT campaign, outcome, reason FROM reengage.lineage WHERE campaign LIKE 'by %' ORDER BY 1;
SELECT n.server, n.conversation_id FROM reengage.due d JOIN reengage.nudges n USING (nudge_id);

-- what may have left is too late
CREATE TEMPORARY TABLE on_the_wire AS SELECT reengage.nudge('gone-knows', 'hi', due_at => now() + interval '1 day') AS nudge_id;
INSERT INTO reengage.unresolved (nudge_id, server, step, conversation_id, since)
SELECT nudge_id, 'genesys', 'notify', 'gone-knows', now() FROM on_the_wire;
SELECT pg_temp.later('gone-knows');
SELECT * FROM reengage.cancel_customer('+13175550174');
SELECT * FROM reengage.cancel_thread('gone-knows');

-- whose nudges
CREATE ROLE regress_app IN ROLE reengage_application;
CREATE ROLE regress_other IN ROLE reengage_application;
CREATE ROLE regress_chief IN ROLE reengage_operator;
GRANT USAGE ON FOREIGN SERVER genesys TO reengage_application;
SET ROLE regress_app;
SELECT count(reengage.nudge('whose', 'hi', address => '+13175550175', channel => 'sms', due_at => now() + interval '1 day')) FROM generate_series(1, 2);
SET ROLE regress_other;
SELECT count(reengage.nudge('whose', 'hi', address => '+13175550175', channel => 'sms', due_at => now() + interval '1 day')) FROM generate_series(1, 4);
SELECT * FROM reengage_internal.cancel_thread_for('whose', NULL, NULL, 'regress_app', true);
SELECT * FROM reengage_internal.cancel_customer_for('+13175550175', NULL, NULL, NULL, 'regress_app', true);
SELECT * FROM reengage_internal.cancel_due('{}', NULL, NULL, 'regress_app', true);
SET ROLE regress_app;
SELECT * FROM reengage.cancel_thread('whose');
SELECT * FROM reengage.cancel_customer('+13175550175');
SET ROLE regress_other;
SELECT * FROM reengage.cancel_customer('+13175550175');
SELECT count(reengage.nudge('whose', 'hi', address => '+13175550175', channel => 'sms', due_at => now() + interval '1 day')) FROM generate_series(1, 3);
SET ROLE regress_chief;
SELECT * FROM reengage.cancel_thread('whose');
RESET ROLE;

-- hundreds at once hold a few locks
SELECT count(reengage.nudge('many', 'hi', campaign => 'c' || n % 3, due_at => now() + interval '1 day')) FROM generate_series(1, 300) n;
BEGIN;
SELECT * FROM reengage.cancel_thread('many');
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();
COMMIT;

-- by index, whatever the planner knows of the tables
SELECT count(reengage.nudge('plan-' || n, 'hi', address => '+1317557' || lpad(n::text, 4, '0'), channel => 'sms', due_at => now() + interval '1 day')) FROM generate_series(1, 2000) n;
SELECT pg_stat_force_next_flush();
SELECT idx_tup_fetch + seq_tup_read AS read FROM pg_stat_user_tables WHERE relid = 'reengage.due'::regclass \gset before_
SELECT * FROM reengage.cancel_customer('+13175570042');
SELECT * FROM reengage.cancel_thread('plan-43');
SELECT pg_stat_force_next_flush();
SELECT idx_tup_fetch + seq_tup_read - :before_read < 50 AS few_rows_read FROM pg_stat_user_tables WHERE relid = 'reengage.due'::regclass;

DROP SERVER genesys CASCADE;
DROP SERVER other CASCADE;
DROP ROLE regress_app, regress_other, regress_chief;
DROP EXTENSION reengage CASCADE;
