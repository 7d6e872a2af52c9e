-- Rows that these nudges cannot bring about: policies, an imported history of
-- earlier days, and a thread that joins another thread's session.
CREATE TEMPORARY TABLE held AS
WITH asked AS (
	INSERT INTO reengage.nudges (conversation_id, message, campaign, due_at)
	SELECT 'live-policy-' || n, 'Later.', 'campaign ' || n % 3, now() + interval '10 years' FROM generate_series(1, 24) n
	RETURNING *
)
SELECT * FROM asked;

INSERT INTO reengage.lineage
	(nudge_id, server, outcome, reason, requested_conversation_id, conversation_id, root_conversation_id, generation,
	 address_hash, campaign, attempts, api_calls, api_calls_saved, requested_at, due_at, occurred_at, detail)
SELECT nudge_id, server, (ARRAY['suppressed', 'capped', 'held_out', 'held_out', 'cancelled'])[1 + row_number() OVER (ORDER BY nudge_id) % 5],
	   NULL, conversation_id, conversation_id, conversation_id, 0,
	   md5(conversation_id), campaign, 0, 0, 0, requested_at, due_at, now() - interval '1 day', detail
FROM held;

INSERT INTO reengage.lineage
	(server, outcome, requested_conversation_id, conversation_id, root_conversation_id, generation,
	 attempts, api_calls, api_calls_saved, occurred_at, recorded_at)
SELECT 'genesys', 'imported', 'history-' || n, 'history-' || n, 'history-' || n, 0, 0, 0, 0,
	   '2026-01-01 00:00:00+00'::timestamptz + n * interval '7 hours 0.000001 s',
	   '2026-02-01 23:30:00+00'::timestamptz + n * interval '1 minute'
FROM generate_series(1, 60) n;

-- threads whose tip closed and whose customer is in another thread by now: in its
-- second session, and in its root
INSERT INTO reengage.nudges (conversation_id, message, due_at)
SELECT 'history-' || n, 'Later.', now() + interval '10 years' FROM generate_series(1, 2) n;
INSERT INTO reengage.lineage
	(nudge_id, server, outcome, reason, step, requested_conversation_id, conversation_id, previous_conversation_id,
	 root_conversation_id, generation, attempts, api_calls, api_calls_saved, http_status, requested_at, due_at,
	 called_at, occurred_at)
SELECT n.nudge_id, n.server, 'session_created', 'joined', 'notify', n.conversation_id, a.conversation_id, n.conversation_id,
	   n.conversation_id, 1, 1, 2, 0, 202, n.requested_at, n.due_at, now(), now()
FROM reengage.nudges n
	JOIN (SELECT 'history-1' AS joins, l.conversation_id FROM reengage.lineage l
		  WHERE l.root_conversation_id = 'closed-1' AND l.generation = 2 AND l.outcome = 'session_created'
		  UNION ALL
		  SELECT 'history-2', 'closed-19') a ON a.joins = n.conversation_id;

-- history that is learned of when its thread has grown already
INSERT INTO reengage.lineage
	(server, outcome, requested_conversation_id, conversation_id, root_conversation_id, generation,
	 attempts, api_calls, api_calls_saved, occurred_at)
SELECT DISTINCT server, 'imported', root_conversation_id, root_conversation_id, root_conversation_id, 0, 0, 0, 0,
	   '2026-01-01 00:00:00+00'::timestamptz
FROM reengage.lineage WHERE root_conversation_id IN ('closed-1', 'closed-10', 'closed-19');

-- the API let it wait until it was too late
INSERT INTO reengage.nudges (conversation_id, message, due_at) VALUES ('live-too-late', 'Later.', now() + interval '10 years');
INSERT INTO reengage.lineage
	(nudge_id, server, outcome, requested_conversation_id, conversation_id, root_conversation_id, generation,
	 attempts, api_calls, api_calls_saved, http_status, requested_at, due_at, occurred_at)
SELECT n.nudge_id, n.server, 'expired', n.conversation_id, n.conversation_id, n.conversation_id, 0,
	   1, 3, 0, 429, n.requested_at, n.due_at, now()
FROM reengage.nudges n WHERE n.conversation_id = 'live-too-late';

-- values that a careless format spoils; bad_input.py does
INSERT INTO reengage.lineage
	(server, outcome, requested_conversation_id, conversation_id, root_conversation_id, generation,
	 status_seen, campaign, attempts, api_calls, api_calls_saved, occurred_at, detail)
VALUES ('genesys', 'imported', 'hostile', 'hostile', 'hostile', 0,
		NULL, E'hostile \\ back\\slash u\u0308 "quoted" ~n ~|\U0001f44d\n ', 0, 0, 0, '1969-12-31 23:59:59.999999+00',
		'{"a": 12345678901234567890.1, "z": {"a": "\\ \n ~|", "b": [1.50, null, "x"]}}');
