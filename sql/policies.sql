-- policies: whom nudges may reach, when and how often.
\getenv port SIMULATOR_PORT
\set url 'http://127.0.0.1:' :port
CREATE EXTENSION reengage;
CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (api_url :'url', max_requests_per_minute '0', proactive_channels 'sms,webchat');
CREATE SERVER other FOREIGN DATA WRAPPER reengage OPTIONS (api_url :'url', auth 'none');
SET reengage.default_server = 'genesys';
SELECT reengage.arm();
\set SHOW_CONTEXT never

-- what cannot be meant is refused, as a whole
SET ROLE reengage_operator;
INSERT INTO reengage.policies (server) VALUES ('nowhere');
INSERT INTO reengage.policies (server) VALUES (NULL);
INSERT INTO reengage.policies (channel) VALUES ('SMS');
INSERT INTO reengage.policies (campaign) VALUES (' ');
INSERT INTO reengage.policies (quiet_hours) VALUES ('{mon-fri 20:00-08:00,tue 07:00-09:00}');
INSERT INTO reengage.policies (quiet_hours) VALUES ('{mon 09:00-09:00}');
INSERT INTO reengage.policies (quiet_hours) VALUES ('{moon 20:00-08:00}');
INSERT INTO reengage.policies (quiet_hours) VALUES ('{}');
INSERT INTO reengage.policies (time_zone) VALUES ('Europe/Nowhere');
INSERT INTO reengage.policies (cap, cap_interval) VALUES (-1, '1 day');
INSERT INTO reengage.policies (cap) VALUES (1);
INSERT INTO reengage.policies (cap_interval) VALUES ('1 day');
INSERT INTO reengage.policies (cap, cap_interval) VALUES (1, '0');
INSERT INTO reengage.policies (cap, cap_interval) VALUES (1, '1000 years');
INSERT INTO reengage.policies (minimum_gap) VALUES ('-1 day');
INSERT INTO reengage.policies (holdout_percent) VALUES (130);
INSERT INTO reengage.policies (holdout_percent) VALUES ('NaN');
INSERT INTO reengage.policies (max_length) VALUES (0);
INSERT INTO reengage.policies (max_due) VALUES (0);
INSERT INTO reengage.policies (campaign, max_due) VALUES ('spring', 5);
INSERT INTO reengage.policies (max_per_minute) VALUES (0);
INSERT INTO reengage.policies (channel, max_per_minute) VALUES ('sms', 5);
INSERT INTO reengage.policies (channel, cap, cap_interval) VALUES ('sms', 1, '1 day'), ('email', 1, '-1 day');
SELECT count(*) AS none FROM reengage.policies;
SELECT count(*) AS none FROM reengage.changes;

-- and what is changed is written down
INSERT INTO reengage.policies (channel, cap, cap_interval) VALUES ('sms', 1, '1 day');
INSERT INTO reengage.policies (channel, cap, cap_interval) VALUES ('sms', 2, '1 day');
UPDATE reengage.policies SET cap = -2;
UPDATE reengage.policies SET cap = 3;
UPDATE reengage.policies SET cap = 3;
DELETE FROM reengage.policies;
RESET ROLE;
SELECT table_name, changed_by = session_user AS by_us, changed_at <= now() AS then,
	old ->> 'cap' AS old_cap, new ->> 'cap' AS new_cap, coalesce(new, old) ->> 'channel' AS channel
FROM reengage.changes ORDER BY change_id;
UPDATE reengage.changes SET changed_by = 'somebody else';
DELETE FROM reengage.changes;
TRUNCATE reengage.policies;

-- what comes out of a dump is taken as it is, and was written down before
INSERT INTO reengage.policies (server, time_zone, cap, cap_interval, created_at)
VALUES ('gone', 'Europe/Nowhere', 1, '1 day', '2026-01-01');
SELECT count(*) AS as_before FROM reengage.changes;
DELETE FROM reengage.policies;
SELECT count(*) AS and_one_more FROM reengage.changes;

-- only operators; and they cannot do it unseen
SET ROLE reengage_application;
SELECT FROM reengage.policies;
INSERT INTO reengage.policies (cap, cap_interval) VALUES (1, '1 day');
RESET ROLE;
SET ROLE reengage_operator;
INSERT INTO reengage.policies (created_at) VALUES ('2026-01-01');
UPDATE reengage.policies SET created_at = '2026-01-01';
INSERT INTO reengage.changes (table_name, new) VALUES ('policies', '{}');
RESET ROLE;

-- how many nudges a role may have due at a server, of any priority and time
BEGIN;
INSERT INTO reengage.policies (server, max_due) VALUES ('other', 3);
SET LOCAL ROLE reengage_operator;
INSERT INTO reengage.nudges (server, conversation_id, message, priority, due_at)
SELECT 'other', 'quota-' || n, 'x', n, now() + interval '1 day' FROM generate_series(1, 3) n;
SAVEPOINT before_quota;
SELECT reengage.nudge('quota-4', 'x', 'other');
ROLLBACK TO before_quota;
INSERT INTO reengage.nudges (server, conversation_id, message)
SELECT 'genesys', 'no-quota-' || n, 'x' FROM generate_series(1, 4) n;
RESET ROLE;
SELECT reengage.nudge('quota-of-another', 'x', 'other') IS NOT NULL AS another_role;
UPDATE reengage.policies SET max_due = 4;
SET LOCAL ROLE reengage_operator;
SELECT reengage.nudge('quota-4', 'x', 'other') IS NOT NULL AS raised;
INSERT INTO reengage.nudges (server, conversation_id, message)
SELECT 'other', 'quota-many-' || n, 'x' FROM generate_series(1, 1000) n;
ROLLBACK;

-- a nudge in quiet hours waits until they end, without a look; the customer's own time zone counts
INSERT INTO reengage.policies (campaign, quiet_hours, time_zone)
SELECT 'night', ARRAY['daily ' || to_char(c - interval '2 hours', 'HH24:MI-') || to_char(c + interval '2 hours', 'HH24:MI')], 'Asia/Tokyo'
FROM (SELECT now() AT TIME ZONE 'Asia/Tokyo') t (c);
INSERT INTO reengage.policies (campaign, quiet_hours)
SELECT 'zoneless', quiet_hours FROM reengage.policies;
INSERT INTO reengage.nudges (conversation_id, message, campaign, time_zone, expires_at) VALUES
	('live-quiet-1', 'hi', 'night', NULL, NULL),
	('live-quiet-2', 'hi', 'night', 'Asia/Tokyo', NULL),
	('live-quiet-3', 'hi', 'night', 'America/Sao_Paulo', NULL),
	('live-quiet-4', 'hi', 'day', NULL, NULL),
	('live-quiet-5', 'hi', 'zoneless', NULL, NULL),
	('live-quiet-6', 'hi', 'night', NULL, now() + '1 hour');
-- it was known where the dump was made
INSERT INTO reengage.nudges (conversation_id, message, campaign, time_zone, requested_at)
VALUES ('live-quiet-7', 'hi', 'night', 'Europe/Nowhere', '2026-01-01');
INSERT INTO reengage.due (nudge_id, server, requested_by, priority, due_at)
SELECT n.nudge_id, n.server, n.requested_by, n.priority, n.due_at FROM reengage.nudges n WHERE n.conversation_id = 'live-quiet-7';
CALL reengage.run();
SELECT requested_conversation_id, state, regexp_replace(reason, '\d+-.*\d:\d\d', 'then') AS reason,
	next_attempt_at = (SELECT date_trunc('minute', created_at) + interval '2 hours' FROM reengage.policies WHERE campaign = 'night') AS at_the_end,
	next_attempt_at > now() + interval '30 minutes' AS later
FROM reengage.nudge_status ORDER BY 1;
SELECT n.conversation_id, d.due_at = n.expires_at AS ends_then, d.api_calls FROM reengage.due d JOIN reengage.nudges n USING (nudge_id) WHERE n.expires_at IS NOT NULL;
-- when policies change, the next run looks again at all of them
DELETE FROM reengage.policies WHERE campaign = 'night';
CALL reengage.run();
SELECT requested_conversation_id, state, regexp_replace(reason, '\d+-.*\d:\d\d', 'then') AS reason FROM reengage.nudge_status ORDER BY 1;
DELETE FROM reengage.policies;
CALL reengage.run();

-- two that leave no time between them
INSERT INTO reengage.policies (campaign, quiet_hours, time_zone) VALUES
	(NULL, '{daily 00:00-12:00}', 'UTC'), ('both', '{daily 12:00-24:00}', 'UTC');
SELECT count(reengage.nudge('live-quiet-8', 'hi', campaign => 'both')) FROM generate_series(1, 1);
CALL reengage.run();
SELECT state, reason FROM reengage.nudge_status WHERE requested_conversation_id = 'live-quiet-8';
DELETE FROM reengage.policies;
CALL reengage.run();

-- a cap: of three nudges to one customer, two get through, and of another campaign one more
INSERT INTO reengage.policies (campaign, cap, cap_interval) VALUES ('capped', 2, '7 days');
INSERT INTO reengage.policies (channel, cap, cap_interval) VALUES ('email', 0, '1 hour');
INSERT INTO reengage.nudges (conversation_id, message, campaign, priority) VALUES
	('noaddr-cap', 'hi', 'capped', 1), ('closed-cap', 'one', 'capped', 2), ('closed-cap', 'two', 'capped', 3),
	('closed-cap', 'three', 'capped', 4), ('closed-cap', 'four', 'other', 5);
CALL reengage.run();
SELECT n.message, l.outcome, l.reason, l.step, l.api_calls FROM reengage.lineage l JOIN reengage.nudges n USING (nudge_id)
WHERE n.conversation_id LIKE '%cap' ORDER BY n.priority;

-- a policy of a channel: no message by sms that is longer
INSERT INTO reengage.policies (channel, max_length) VALUES ('sms', 10);
INSERT INTO reengage.policies (campaign, max_length) VALUES ('short', 5);
INSERT INTO reengage.nudges (conversation_id, message, campaign) VALUES
	('closed-long-1', repeat('ä', 10), NULL), ('closed-long-2', repeat('ä', 11), NULL), ('webchat-long-3', repeat('x', 11), NULL),
	('live-long-4', '123456', 'short'), ('live-long-5', '12345', 'short');
CALL reengage.run();
SELECT requested_conversation_id, outcome, reason, channel, attempts, api_calls FROM reengage.lineage
WHERE requested_conversation_id LIKE '%-long-%' ORDER BY 1;

-- nor one on a channel that nobody knows
\! perl -MHTTP::Tiny -e 'HTTP::Tiny->new->post("http://127.0.0.1:$ENV{SIMULATOR_PORT}/_sim/conversations", {content => q({"id": "no-channel", "status": "active", "channel": ""})})'
SELECT count(reengage.nudge('no-channel', repeat('x', n))) FROM generate_series(10, 11) n;
CALL reengage.run();
SELECT outcome, reason, channel FROM reengage.lineage WHERE requested_conversation_id = 'no-channel' ORDER BY 1;

-- a gap: the next message of the customer waits, and says until when
INSERT INTO reengage.policies (campaign, minimum_gap) VALUES ('gap', '1 day');
-- the longest of several
INSERT INTO reengage.policies (campaign, channel, minimum_gap) VALUES ('gap', 'sms', '1 hour');
SELECT count(reengage.nudge('closed-gap', 'hi', campaign => 'gap')) FROM generate_series(1, 2);
CALL reengage.run();
SELECT s.state, regexp_replace(s.reason, 'until .*', 'until then') AS reason,
	s.next_attempt_at = (SELECT occurred_at + interval '1 day' FROM reengage.lineage WHERE requested_conversation_id = 'closed-gap') AS a_day_later
FROM reengage.nudge_status s WHERE requested_conversation_id = 'closed-gap' ORDER BY 1;
DELETE FROM reengage.policies WHERE campaign = 'gap';
CALL reengage.run();

-- a holdout: the same customers each time, about as many as it says
INSERT INTO reengage.policies (campaign, holdout_percent, holdout_salt) VALUES
	('everybody', 100, ''), ('nobody', 0, ''), ('some', 30, 'a'), ('some again', 30, 'a'), ('more', 60, 'a'), ('others', 30, 'b');
INSERT INTO reengage.nudges (conversation_id, message, campaign)
SELECT format('%s-%s', split_part(c, ' ', 1), i), 'hi', c
FROM generate_series(1, 5) i, unnest(ARRAY['everybody', 'nobody']) c;
INSERT INTO reengage.nudges (conversation_id, message, campaign)
SELECT 'live-holdout-' || i, 'hi', c FROM generate_series(1, 300) i, unnest(ARRAY['some', 'some again', 'more', 'others']) c;
-- by chance
SET client_min_messages = warning;
CALL reengage.run();
RESET client_min_messages;
SELECT campaign, outcome, step, reason, count(*) FROM reengage.lineage WHERE campaign IN ('everybody', 'nobody') GROUP BY 1, 2, 3, 4 ORDER BY 1;
SELECT campaign, count(*) FILTER (WHERE outcome = 'held_out') / 3 BETWEEN percent - 15 AND percent + 15 AS about_as_many
FROM reengage.lineage JOIN (VALUES ('some', 30), ('some again', 30), ('more', 60), ('others', 30)) p (campaign, percent) USING (campaign)
GROUP BY campaign, percent ORDER BY 1;
SELECT count(*) FILTER (WHERE a.outcome <> b.outcome) AS differ_with_one_salt,
	count(*) FILTER (WHERE a.outcome = 'held_out' AND m.outcome <> 'held_out') AS of_a_small_one_not_in_a_large_one,
	count(*) FILTER (WHERE a.outcome <> o.outcome) > 50 AS differ_with_another_salt
FROM reengage.lineage a JOIN reengage.lineage b USING (requested_conversation_id) JOIN reengage.lineage m USING (requested_conversation_id)
	JOIN reengage.lineage o USING (requested_conversation_id)
WHERE a.campaign = 'some' AND b.campaign = 'some again' AND m.campaign = 'more' AND o.campaign = 'others';

-- one that cannot be read, which only a dump can bring: nothing goes out without it
INSERT INTO reengage.policies (channel, quiet_hours, created_at) VALUES ('webchat', '{never}', '2026-01-01');
SELECT count(reengage.nudge('live-unreadable', 'hi')) FROM generate_series(1, 1);
CALL reengage.run(max_seconds => 1);
SELECT state FROM reengage.nudge_status WHERE requested_conversation_id = 'live-unreadable';
DELETE FROM reengage.policies WHERE quiet_hours = '{never}';
CALL reengage.run();
DROP EXTENSION reengage CASCADE;
