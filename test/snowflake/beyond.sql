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

-- thread B's tip closed, and its customer is in a session of thread A by now
INSERT INTO reengage.nudges (conversation_id, message, due_at) VALUES ('history-1', 'Later.', now() + interval '10 years');
INSERT INTO reengage.lineage
	(nudge_id, server, outcome, reason, step, requested_conversation_id, conversation_id, previous_conversation_id,
	 root_conversation_id, generation, attempts, api_calls, api_calls_saved, http_status, requested_at, due_at,
	 called_at, occurred_at)
SELECT n.nudge_id, n.server, 'session_created', 'joined', 'notify', 'history-1', a.conversation_id, 'history-1',
	   'history-1', 1, 1, 2, 0, 202, n.requested_at, n.due_at, now(), now()
FROM reengage.nudges n,
	 (SELECT l.conversation_id FROM reengage.lineage l
	  WHERE l.generation = 2 AND l.outcome = 'session_created' ORDER BY l.lineage_id LIMIT 1) a
WHERE n.conversation_id = 'history-1';

-- the API let it wait until it was too late
INSERT INTO reengage.nudges (conversation_id, message, due_at) VALUES ('live-too-late', 'Later.', now() + interval '10 years');
INSERT INTO reengage.lineage
	(nudge_id, server, outcome, requested_conversation_id, conversation_id, root_conversation_id, generation,
	 attempts, api_calls, api_calls_saved, http_status, requested_at, due_at, occurred_at)
SELECT n.nudge_id, n.server, 'expired', n.conversation_id, n.conversation_id, n.conversation_id, 0,
	   1, 3, 0, 429, n.requested_at, n.due_at, now()
FROM reengage.nudges n WHERE n.conversation_id = 'live-too-late';
