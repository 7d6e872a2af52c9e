-- A week of a shop that does not exist, for the examples of snowflake/README.md: the
-- same rows whenever it is run.  Its customers left a chat; "cart" wrote to the first
-- eighty of them on Monday, "spring" to all on Wednesday, but for every fifth, who was
-- held out.
CREATE FUNCTION dice(n integer, about text) RETURNS integer LANGUAGE sql IMMUTABLE
	RETURN ('x' || left(md5(about || n), 4))::bit(16)::integer;

-- As uuid_v7() makes them: the time comes first.
CREATE FUNCTION id_at(at timestamptz, what text) RETURNS uuid LANGUAGE sql STABLE
	RETURN (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(what), 1, 3)
			|| '8' || substr(md5(what), 4, 15))::uuid;

-- Customer 95 is customer 12, who came a second time.
CREATE FUNCTION hash_of(n integer) RETURNS text LANGUAGE sql IMMUTABLE
	RETURN md5('customer ' || CASE n WHEN 95 THEN 12 ELSE n END);

CREATE TABLE told (
	n integer, campaign text, outcome text, reason text, step text, tip text, generation integer, conversation_id text,
	calls integer, saved integer, status integer, at timestamptz
);

INSERT INTO told
SELECT n, 'cart', o.outcome, o.reason, o.step, 'chat-' || n, (o.outcome = 'session_created')::integer,
	'chat-' || n || CASE WHEN o.outcome = 'session_created' THEN '-2' ELSE '' END,
	CASE WHEN n % 20 = 13 THEN 4 ELSE o.calls END, 0, o.status,
	'2026-11-02 09:00:00+00'::timestamptz + n * interval '11 minutes' + dice(n, 'cart') % 60 * interval '1 second'
FROM generate_series(1, 80) n
	CROSS JOIN LATERAL (
		SELECT * FROM (VALUES
			('in_doubt', 'timeout', 'notify', 2, NULL::integer, n = 27),
			('in_doubt', 'timeout', 'create', 2, NULL, n = 52),
			('skipped_closed', NULL, NULL, 1, 200, n % 20 = 0),
			('suppressed', 'opted_out', NULL, 0, NULL, n % 20 = 1),
			('answered', NULL, NULL, 1, 200, n % 20 = 2),
			('expired', 'rate_limited', NULL, 3, 429, n % 20 = 3),
			('refused', 'http_400', 'create', 2, 400, n % 20 = 4),
			('notified', NULL, 'notify', 2, 202, n % 20 < 12),
			('session_created', NULL, 'create', 2, 201, true)) v (outcome, reason, step, calls, status, is_it)
		WHERE is_it LIMIT 1) o;

INSERT INTO told
SELECT s.n, 'spring', o.outcome, o.reason, o.step, c.tip, c.generation + (o.outcome = 'session_created')::integer,
	CASE WHEN o.reason = 'joined' THEN 'chat-12-2' WHEN o.outcome = 'session_created' THEN 'chat-' || s.n || '-' || c.generation + 2 ELSE c.tip END,
	o.calls, (c.generation > 0 AND o.calls > 0)::integer, o.status,
	'2026-11-04 10:00:00+00'::timestamptz + n * interval '7 minutes' + dice(n, 'spring') % 60 * interval '1 second'
FROM generate_series(1, 120) s (n)
	CROSS JOIN LATERAL (
		SELECT coalesce(max(t.conversation_id), 'chat-' || s.n) AS tip, coalesce(max(t.generation), 0) AS generation FROM told t WHERE t.n = s.n) c
	CROSS JOIN LATERAL (
		SELECT * FROM (VALUES
			('suppressed', 'opted_out', NULL, 0, NULL::integer, n < 80 AND n % 20 = 1),
			('cancelled', 'superseded', NULL, 0, NULL, n = 50),
			('held_out', NULL, NULL, 1, 200, n % 5 = 3),
			('session_created', 'joined', 'notify', 3, 202, n = 95),
			('notified', NULL, 'notify', 2, 202, n = 12 OR dice(n, 'live') % 5 < 2),
			('session_created', NULL, 'create', 2, 201, true)) v (outcome, reason, step, calls, status, is_it)
		WHERE is_it LIMIT 1) o
WHERE s.n <> 52;

INSERT INTO reengage.lineage
	(lineage_id, nudge_id, server, outcome, reason, step, requested_conversation_id, conversation_id, previous_conversation_id,
	 root_conversation_id, generation, status_seen, channel, address_hash, campaign, attempts, api_calls, api_calls_saved,
	 http_status, requested_at, due_at, checked_at, called_at, occurred_at, recorded_at)
SELECT id_at(at, campaign || n), id_at(at - interval '1 hour', 'nudge ' || campaign || n), 'genesys', outcome, reason, step, 'chat-' || n, conversation_id,
	CASE WHEN outcome = 'session_created' THEN tip END, 'chat-' || n, generation,
	CASE WHEN calls = 0 THEN NULL WHEN step = 'notify' THEN 'active' ELSE 'disconnected' END, 'webmessaging', hash_of(n), campaign,
	CASE WHEN calls > 3 THEN 2 ELSE 1 END, calls, saved, status, at - interval '1 hour', at - interval '2 seconds',
	CASE WHEN calls > 0 THEN at - interval '1 second' END, CASE WHEN step IS NOT NULL THEN at - interval '0.5 seconds' END, at, at
FROM told;

-- On Tuesday an operator finds that one of the two messages in doubt had been sent.
INSERT INTO reengage.lineage
	(lineage_id, nudge_id, server, outcome, reason, step, requested_conversation_id, conversation_id, root_conversation_id, generation,
	 channel, address_hash, campaign, attempts, api_calls, api_calls_saved, requested_at, due_at, occurred_at, recorded_at, resolves)
SELECT id_at('2026-11-03 08:30:00+00', 'resolved'), nudge_id, server, 'resolved_sent', 'sent', step, requested_conversation_id, conversation_id,
	root_conversation_id, generation, channel, address_hash, campaign, attempts, 0, 0, requested_at, due_at,
	'2026-11-03 08:30:00+00', '2026-11-03 08:30:00+00', lineage_id
FROM reengage.lineage WHERE outcome = 'in_doubt' AND step = 'notify';

-- What was said, as far as a week after it.
INSERT INTO messages (message_id, server, conversation_id, direction, sent_at, body)
SELECT row_number() OVER (ORDER BY sent_at, conversation_id), 'genesys', conversation_id, direction, sent_at, body
FROM (
	SELECT 'chat-' || n AS conversation_id, 'inbound' AS direction,
		'2026-11-01 12:00:00+00'::timestamptz + n * interval '3 minutes' AS sent_at, 'Do you have this in blue?' AS body
	FROM generate_series(1, 120) n
	UNION ALL
	SELECT conversation_id, 'outbound', at, CASE campaign WHEN 'cart' THEN 'Are you still there?' ELSE 'Spring is here.' END
	FROM told WHERE outcome IN ('notified', 'session_created') OR n = 27 AND campaign = 'cart'
	UNION ALL
	SELECT conversation_id, 'inbound', at + (ARRAY['40 seconds', '9 minutes', '50 minutes', '5 hours', '20 hours', '30 hours', '90 hours'])
		[1 + dice(n, 'when' || campaign) % 7]::interval, 'Yes, I am.'
	FROM told
	WHERE dice(n, 'answer' || campaign) % 100 < CASE outcome WHEN 'notified' THEN 55 WHEN 'session_created' THEN 40 WHEN 'held_out' THEN 12 ELSE 0 END
	UNION ALL
	SELECT 'chat-120', 'inbound', '2026-11-12 12:00:00+00', 'Thank you.') said;

CALL reengage.close_day('2026-11-02');
CALL reengage.close_day('2026-11-03');
CALL reengage.close_day('2026-11-04');
CALL reengage.close_day('2026-11-05');
