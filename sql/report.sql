-- A campaign as a page.
\getenv port SIMULATOR_PORT
\set url 'http://127.0.0.1:' :port
CREATE EXTENSION reengage;
CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (max_requests_per_minute '0', max_failures '0', api_url :'url', from_address '+13175550000');
CREATE SERVER other FOREIGN DATA WRAPPER reengage OPTIONS (max_requests_per_minute '60', api_url :'url', auth 'none');
SET reengage.default_server = 'genesys';
SET timezone = 'Asia/Kathmandu';
SELECT reengage.arm();
\pset format unaligned

-- words: each outcome and each hold has some, and what has none speaks for itself
SELECT c.conname, m.code
FROM pg_constraint c, LATERAL (SELECT code[1] FROM regexp_matches(pg_get_constraintdef(c.oid), '''([a-z_]+)''', 'g') code) m (code)
WHERE c.conname IN ('lineage_outcome_check', 'due_hold_check')
  AND NOT EXISTS (SELECT FROM reengage_internal.report_words() w WHERE w.code = m.code AND w.kind = CASE c.conname WHEN 'due_hold_check' THEN 'hold' ELSE 'outcome' END);
SELECT kind, code, count(*) FROM reengage_internal.report_words() GROUP BY kind, code HAVING count(*) > 1;
SELECT code, reengage_internal.report_says('reason', code)
FROM unnest('{http_503,cap_2_in_7_days,no_address,timeout,<b>,NULL}'::text[]) code;

-- text of strangers: whatever it is, it stays text, in ASCII
SELECT reengage_internal.html(said) FROM (VALUES ('plain'), ('</title><script>alert("1")</script>'), ('it''s & <so> on'), (E'a\tb\nc\x01d\x7fe'),
	(U&'Z\00FCrich \20AC \+01F600'), (U&'\202Ereversed \2066x\FFFE \FDD0 \0085'), ('')) v (said);

-- numbers and shares, whatever the locale
SELECT reengage_internal.report_number(n), reengage_internal.report_share(n, 3000) FROM unnest('{0,7,999,1000,1234567}'::numeric[]) n;
SELECT reengage_internal.report_share(1, 0);

-- a page: all but how it looks
\set facts '{"campaign": "Cart <b>& co</b>", "as_of": "2026-11-28 09:30:00+00", "step": "hour", "bounds": ["2026-11-28 06:15:00+00", "2026-11-28 07:15:00+00", "2026-11-28 08:15:00+00", "2026-11-28 09:15:00+00"], "stands": [{"server": "genesys", "state": "due", "reason": null, "nudges": 1200}, {"server": "genesys", "state": "due", "reason": "policy", "nudges": 300}, {"server": "genesys", "state": "calling", "reason": null, "nudges": 2}, {"server": "genesys", "state": "notified", "reason": null, "nudges": 700}, {"server": "genesys", "state": "session_created", "reason": null, "nudges": 100}, {"server": "other", "state": "refused", "reason": "no_address", "nudges": 40}, {"server": "other", "state": "capped", "reason": "cap_2_in_7_days", "nudges": 5}, {"server": "other", "state": "due", "reason": "busy", "nudges": 6}, {"server": "other", "state": "in_doubt", "reason": "timeout", "nudges": 3}], "happened": [{"server": "genesys", "place": 2, "notified": 300, "created": 60, "not_sent": 0, "in_doubt": 0, "looked_at": 360, "answered": 80, "requests": 720}, {"server": "genesys", "place": 4, "notified": 390, "created": 40, "not_sent": 0, "in_doubt": 0, "looked_at": 430, "answered": 10, "requests": 860}, {"server": "other", "place": 4, "notified": 0, "created": 0, "not_sent": 45, "in_doubt": 3, "looked_at": 43, "answered": 0, "requests": 46}], "doubts": [{"server": "other", "reason": "timeout", "nudges": 3, "since": "2026-11-28 09:20:00+00"}], "troubles": [{"server": "other", "said": "other is paused by <anna>"}], "servers": [{"server": "genesys", "requests_per_minute": 0, "due_now": 900, "scheduled": 300, "sent_per_minute": 31.2, "expected_end": "2026-11-28 09:59:00+00"}, {"server": "other", "requests_per_minute": 60, "due_now": 0, "scheduled": 0, "sent_per_minute": 0, "expected_end": null}]}'
SELECT regexp_replace(reengage_internal.report_page(:'facts'), '<style>.*</style>', '<style>...</style>');
-- it looks at nothing else, and what is put in comes out in no other way
SELECT count(*) FROM regexp_matches(reengage_internal.report_page(:'facts'), '<(script|img|link|iframe|object|embed|form|a|b)\M|\mon[a-z]+=|url\([^#]|http-equiv="refresh"|https?://(?!www\.w3\.org/(1999/xhtml|2000/svg)")', 'g');

-- one of which all has ended before, and one of which nothing has
SELECT f.facts -> 'stands' -> 0 ->> 'state' AS stands, p.line
FROM (VALUES (:'facts'::jsonb || '{"happened": []}'), (:'facts'::jsonb || '{"happened": [], "stands": [{"server": "genesys", "state": "due", "reason": null, "nudges": 2}]}')) f (facts),
	LATERAL (SELECT (regexp_matches(reengage_internal.report_outcomes(f.facts) || reengage_internal.report_funnel(f.facts), '<p>.*</p>', 'gn'))[1]) p (line);

-- hours, days, months
SELECT since, (b).step, cardinality((b).bounds) BETWEEN least AND most AS as_many
FROM (VALUES ('2 hours'::interval, 2, 3), ('7 days', 168, 169), ('30 days', 30, 31), ('2 years', 24, 25)) v (since, least, most),
	LATERAL (SELECT reengage_internal.report_bounds(now() - since) b) c;

-- days are the calendar's, also where clocks skip a midnight: in spring here or there
BEGIN;
SET LOCAL TimeZone = 'America/Santiago';
SELECT count(*) AS odd FROM unnest((reengage_internal.report_bounds(now() - interval '199 days')).bounds) b WHERE b <> date_trunc('day', b);
SET LOCAL TimeZone = 'Africa/Cairo';
SELECT count(*) AS odd FROM unnest((reengage_internal.report_bounds(now() - interval '199 days')).bounds) b WHERE b <> date_trunc('day', b);
ROLLBACK;

-- what happens, and what is told of it
SELECT count(reengage.nudge(id, 'hi', campaign => 'Cart', due_at => now() - interval '1 minute')) FROM unnest('{live-1,live-2,closed-1,closed-2,live-3}'::text[]) id;
SELECT reengage.cancel(nudge_id) FROM reengage.nudge_status WHERE requested_conversation_id = 'live-3';
CALL reengage.run();
SELECT count(reengage.nudge('live-4', 'hi', campaign => 'Cart', due_at => now() + interval '1 day'));
SELECT count(reengage.nudge('live-5', 'hi', server => 'other', campaign => 'Cart', due_at => now() + interval '1 day'));
SELECT count(reengage.nudge('live-6', 'hi', campaign => 'cart 2', due_at => now() + interval '1 day'));
SELECT count(*) FROM reengage.record_answer('live-1');
SELECT server, sum(notified) AS notified, sum(created) AS created, sum(not_sent) AS not_sent, sum(in_doubt) AS in_doubt, sum(looked_at) AS looked_at,
	sum(answered) AS answered, sum(requests) AS requests
FROM reengage_internal.report_happened(reengage_internal.report_facts('Cart', now() - interval '7 days')) GROUP BY server;
SELECT server, state, reason, nudges, class FROM reengage_internal.report_stands(reengage_internal.report_facts('Cart', now() - interval '7 days'))
ORDER BY server, state;
SELECT server, requests_per_minute, due_now, scheduled FROM reengage_internal.report_servers(reengage_internal.report_facts('Cart', now() - interval '7 days')) ORDER BY server;
-- none of it since the last instant, and all is said to have ended before
SELECT reengage_internal.report_happened(reengage_internal.report_facts('cart 2', now()));
SELECT substring(reengage.report('Cart', now() - interval '1 hour') FROM '<title>[^<]*</title>');
SELECT reengage.pause('genesys', 'wrong <template>');
SELECT reengage.disarm();
INSERT INTO reengage.server_state (server, state, reason) VALUES ('other', 'blocked', 'nobody who is here may know');
SELECT t ->> 'server' AS server, regexp_replace(replace(t ->> 'said', 'by ' || current_user, 'by me'), 'since [A-Z][^,]*, [0-9]+:[0-9]+', 'since ...') AS said
FROM jsonb_array_elements(reengage_internal.report_facts('Cart', now() - interval '7 days') -> 'troubles') t;

-- who asks for what is not there
\set SHOW_CONTEXT never
SELECT reengage.report('cart');
SELECT reengage.report('Christmas');
SELECT reengage.report('kathy@example.com');
SELECT reengage.report('+1 317 555 0142');
SELECT reengage.report('Cart of 2031-02-03');
SELECT reengage.report(NULL);
SELECT reengage.report('Cart', '-infinity');
SELECT reengage.report('Cart', '2999-01-01 00:00+00');

-- operators and readers may
CREATE ROLE regress_reader IN ROLE reengage_reader;
CREATE ROLE regress_operator IN ROLE reengage_operator;
CREATE ROLE regress_application IN ROLE reengage_application;
SET ROLE regress_reader;
SELECT reengage.report('Cart') LIKE '<!DOCTYPE html>%</html>%' AS told;
SET ROLE regress_operator;
SELECT reengage.report('Cart') LIKE '<!DOCTYPE html>%</html>%' AS told;
SET ROLE regress_application;
SELECT reengage.report('Cart');
RESET ROLE;
DROP ROLE regress_reader, regress_operator, regress_application;
DROP SERVER genesys;
DROP SERVER other;
DROP EXTENSION reengage;
