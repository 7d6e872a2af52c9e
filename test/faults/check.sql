-- The invariants: each row of faults.violations is a broken promise.  :keys says
-- whether the API honours idempotency keys, and the server's options say so.
\set ON_ERROR_STOP on
CREATE INDEX ON faults.intents (nudge_id);
CREATE INDEX ON faults.intents (conversation_id);
CREATE INDEX ON faults.requests (nudge_id);
CREATE INDEX ON faults.requests (conversation_id);
CREATE INDEX ON faults.effects (nudge_id);

-- The POSTs.  One that was certainly refused had no effect and may be made
-- again; 401 even under the same intent, with a new token.  Of a create that
-- its client cut short the body is missing, and with it what it was to follow.
CREATE VIEW faults.posts AS
SELECT r.*, to_timestamp(r.arrived_us / 1e6) AS arrived,
	CASE WHEN r.verb = 'create' THEN r.previous_id ELSE r.conversation_id END AS asked_id,
	(r.status BETWEEN 400 AND 499 AND r.status <> 408)
		OR (r.status = 503 AND r.fault IS NOT DISTINCT FROM '503_later') AS certainly_refused,
	r.verb = 'create' AND r.status = 0 AND r.previous_id IS NULL AND coalesce(r.fault, 'latency') = 'latency' AS cut_short
FROM faults.requests r
WHERE r.verb IN ('notify', 'create');

CREATE VIEW faults.outcomes AS
SELECT * FROM reengage.lineage WHERE resolves IS NULL;

-- The places of each conversation in threads, by the lineage: its root and
-- generation.  One that a customer's other thread has joined has several.
CREATE VIEW faults.places AS
WITH RECURSIVE made AS (
	SELECT conversation_id, previous_conversation_id AS previous, step = 'notify' AS joined
	FROM reengage.lineage WHERE previous_conversation_id IS NOT NULL
), climb AS (
	SELECT c.conversation_id, c.conversation_id AS ancestor, 0 AS generation
	FROM (SELECT conversation_id FROM reengage.lineage UNION SELECT requested_conversation_id FROM reengage.lineage) c
	UNION ALL
	SELECT c.conversation_id, m.previous, c.generation + 1
	FROM climb c JOIN made m ON m.conversation_id = c.ancestor
	WHERE c.generation < 10000
)
SELECT DISTINCT conversation_id, ancestor AS root, generation
FROM climb c
WHERE NOT EXISTS (SELECT FROM made m WHERE m.conversation_id = c.ancestor AND NOT m.joined);

-- What each doubt is about: its last intent, its last POST if one arrived, and
-- who did something to processes in between.
CREATE VIEW faults.doubts AS
SELECT o.nudge_id, o.reason, o.step, o.called_at, o.occurred_at, p.fault, p.sequence, k.kinds,
	CASE o.reason
		WHEN 'interrupted' THEN k.kinds && ARRAY['worker killed', 'worker terminated', 'immediate stop', 'fast stop',
												 'backend killed', 'postmaster killed', 'point in the worker']
		WHEN 'courier_lost' THEN k.kinds && ARRAY['courier killed', 'courier crashed', 'courier stopped', 'point in the courier']
		-- a call that took that long has timed out, whoever was so slow
		WHEN 'timeout' THEN p.fault = 'hang_after' OR k.kinds && ARRAY['courier stopped']
			OR o.occurred_at - o.called_at >= interval '450 ms'
		WHEN 'connection_lost' THEN p.fault IN ('close_after', 'close_before')
			OR p.fault = 'hang_after' AND k.kinds && ARRAY['faults cleared']
		WHEN 'http_502' THEN p.fault = '502_after'
		WHEN 'unreadable' THEN o.step = 'create' AND p.fault IN ('garbage', 'truncate', 'empty')
	END AS explained
FROM faults.outcomes o
LEFT JOIN LATERAL (
	SELECT max(i.recorded_at) AS recorded_at FROM faults.intents i
	WHERE i.nudge_id = o.nudge_id AND i.step = o.step) i ON true
LEFT JOIN LATERAL (
	SELECT p.fault, p.sequence FROM faults.posts p
	WHERE p.nudge_id = o.nudge_id AND p.verb = o.step
	ORDER BY p.sequence DESC LIMIT 1) p ON true
LEFT JOIN LATERAL (
	SELECT coalesce(array_agg(k.kind), '{}') AS kinds FROM faults.kills k
	WHERE k.begun <= o.recorded_at AND k.ended >= i.recorded_at) k ON true
WHERE o.outcome = 'in_doubt';

CREATE VIEW faults.violations AS
SELECT 'P6 lost' AS rule, n.nudge_id, 'neither due nor in lineage' AS fact
FROM reengage.nudges n
WHERE NOT EXISTS (SELECT FROM reengage.due d WHERE d.nudge_id = n.nudge_id)
  AND NOT EXISTS (SELECT FROM reengage.lineage l WHERE l.nudge_id = n.nudge_id)
UNION ALL
SELECT 'P6 never ended', n.nudge_id, 'no outcome at the end'
FROM reengage.nudges n
WHERE NOT EXISTS (SELECT FROM faults.outcomes o WHERE o.nudge_id = n.nudge_id)
UNION ALL
SELECT 'P6 insert forgotten', a.nudge_id, 'its insert was acknowledged, and it is gone'
FROM faults.asked a
WHERE a.fate = 'committed' AND NOT EXISTS (SELECT FROM reengage.nudges n WHERE n.nudge_id = a.nudge_id)
UNION ALL
SELECT 'P1 not asked for', r.nudge_id, format('%s %s of a nudge that is not committed', r.verb, r.sequence)
FROM faults.requests r
WHERE r.nudge_id IS NOT NULL AND NOT EXISTS (SELECT FROM reengage.nudges n WHERE n.nudge_id = r.nudge_id)
UNION ALL
SELECT 'P1 anonymous', NULL, format('POST %s names no nudge', p.sequence)
FROM faults.posts p WHERE p.nudge_id IS NULL
UNION ALL
SELECT 'P5 duplicate', e.nudge_id, format('%s effects', count(*))
FROM faults.effects e GROUP BY e.nudge_id HAVING count(*) > 1
UNION ALL
SELECT 'P5 sent, and denied', e.nudge_id, format('was %s, outcome %s', e.effect, l.outcome)
FROM faults.effects e JOIN reengage.lineage l ON l.nudge_id = e.nudge_id
WHERE l.outcome NOT IN ('notified', 'session_created', 'session_continued', 'in_doubt', 'resolved_sent')
UNION ALL
SELECT 'claimed, and not sent', l.nudge_id, format('outcome %s, no such effect on %s', l.outcome, l.conversation_id)
FROM reengage.lineage l
WHERE l.outcome IN ('notified', 'session_created', 'session_continued', 'resolved_sent')
  AND NOT EXISTS (
	SELECT FROM faults.effects e
	WHERE e.nudge_id = l.nudge_id AND e.conversation_id = l.conversation_id
	  AND e.effect = CASE l.step WHEN 'notify' THEN 'notified' WHEN 'create' THEN 'created' END
	  AND (l.outcome <> 'notified' OR l.step = 'notify')
	  AND (l.outcome NOT LIKE 'session%' OR l.step = 'create' OR l.reason LIKE 'joined%')
	  AND (l.previous_conversation_id IS NULL OR l.step = 'notify' OR e.previous_id = l.previous_conversation_id))
UNION ALL
SELECT 'doubt about another call', e.nudge_id, format('was %s on %s, doubt about %s on %s', e.effect,
	coalesce(e.previous_id, e.conversation_id), o.step, o.conversation_id)
FROM faults.effects e JOIN faults.outcomes o ON o.nudge_id = e.nudge_id
WHERE o.outcome = 'in_doubt'
  AND (o.step, o.conversation_id) IS DISTINCT FROM
	  (CASE e.effect WHEN 'notified' THEN 'notify' ELSE 'create' END, coalesce(e.previous_id, e.conversation_id))
UNION ALL
SELECT 'P3 no intent', p.nudge_id, format('%s %s on %s: no such intent was committed before', p.verb, p.sequence, p.asked_id)
FROM faults.posts p
WHERE NOT EXISTS (
	SELECT FROM faults.intents i
	WHERE i.nudge_id = p.nudge_id AND i.step = p.verb AND (i.conversation_id = p.asked_id OR p.cut_short)
	  AND pg_xact_commit_timestamp(i.xmin) <= p.arrived)
UNION ALL
SELECT 'P4 more POSTs than intents', p.nudge_id, format('%s %ss', count(*), p.verb)
FROM faults.posts p
WHERE p.status <> 401
GROUP BY p.nudge_id, p.verb
HAVING count(*) > (SELECT count(*) FROM faults.intents i WHERE i.nudge_id = p.nudge_id AND i.step = p.verb)
UNION ALL
SELECT 'P5 POST after doubt', p.nudge_id, format('%s %s after one that may have had an effect', p.verb, p.sequence)
FROM faults.posts p
WHERE EXISTS (
	SELECT FROM faults.posts q
	WHERE q.nudge_id = p.nudge_id AND q.sequence < p.sequence AND NOT q.certainly_refused
	  AND NOT (:keys::boolean AND q.verb = p.verb AND q.key = p.key
			   AND (q.cut_short OR p.cut_short OR q.asked_id IS NOT DISTINCT FROM p.asked_id)))
UNION ALL
-- a key stands for one call, with all that it says
SELECT 'P5 another call', p.nudge_id, format('%s %s has the key of %s, and is another', p.verb, p.sequence, q.sequence)
FROM faults.posts p JOIN faults.posts q ON q.nudge_id = p.nudge_id AND q.key = p.key AND q.sequence < p.sequence
WHERE :keys::boolean AND NOT q.certainly_refused
  -- both with their bodies, that is
  AND p.message IS NOT NULL AND q.message IS NOT NULL
  AND (p.to_address, p.from_address, p.channel, p.message) IS DISTINCT FROM (q.to_address, q.from_address, q.channel, q.message)
UNION ALL
SELECT 'in doubt in spite of keys', o.nudge_id, format('%s, reason %s', o.step, o.reason)
FROM faults.outcomes o WHERE :keys::boolean AND o.outcome = 'in_doubt'
UNION ALL
SELECT 'POST unmentioned', p.nudge_id, format('%s %s, but step %s, outcome %s', p.verb, p.sequence, coalesce(o.step, '-'), o.outcome)
FROM faults.posts p JOIN faults.outcomes o ON o.nudge_id = p.nudge_id
WHERE NOT p.certainly_refused AND o.step IS DISTINCT FROM p.verb
UNION ALL
-- a courier that is stopped sends what it has in hand when it goes on
SELECT 'P16 spoken to after an opt-out', e.nudge_id, format('%s of %s %s after %s had opted out', e.effect, e.conversation_id,
	to_timestamp(e.happened_us / 1e6) - pg_xact_commit_timestamp(s.xmin), s.label)
FROM reengage.suppressions s
	JOIN faults.outcomes o ON o.address_hash = s.address_hash OR o.root_conversation_id = s.root_conversation_id
	JOIN faults.effects e ON e.nudge_id = o.nudge_id
WHERE to_timestamp(e.happened_us / 1e6) > pg_xact_commit_timestamp(s.xmin) + interval '1 s'
	+ coalesce((SELECT sum(k.ended - k.begun) FROM faults.kills k
		WHERE k.kind = 'courier stopped' AND to_timestamp(e.happened_us / 1e6) BETWEEN k.begun AND k.ended + interval '1 s'), '0')
UNION ALL
SELECT 'wrong key', p.nudge_id, format('%s %s with key %s', p.verb, p.sequence, p.key)
FROM faults.posts p
WHERE p.key IS DISTINCT FROM p.nudge_id || '-' || p.verb
UNION ALL
SELECT 'P2 blind', p.nudge_id, format('%s %s without a look at %s', p.verb, p.sequence, p.asked_id)
FROM faults.posts p
WHERE NOT p.cut_short AND NOT EXISTS (
	SELECT FROM faults.requests c
	WHERE c.verb = 'check' AND c.conversation_id = p.asked_id AND c.sequence < p.sequence
	  AND c.status IN (200, 404) AND coalesce(c.fault, 'latency') = 'latency')
UNION ALL
SELECT 'P7 two successors', NULL, format('lineage has %s of %s', count(*), l.previous_conversation_id)
FROM reengage.lineage l WHERE l.previous_conversation_id IS NOT NULL
GROUP BY l.previous_conversation_id HAVING count(*) > 1
UNION ALL
SELECT 'P7 two successors', min(e.nudge_id::text)::uuid, format('the API made %s of %s, nudges %s', count(*), e.previous_id, string_agg(e.nudge_id::text, ', '))
FROM faults.effects e WHERE e.effect = 'created'
GROUP BY e.previous_id HAVING count(*) > 1
UNION ALL
-- between the intent of a POST and the outcome it led to, no other nudge of
-- that conversation may record one
SELECT 'P7 side by side', i.nudge_id, format('intent of %s on %s while nudge %s had %s %s under way', i.step, i.conversation_id, p.nudge_id, p.verb, p.sequence)
FROM faults.posts p
JOIN faults.outcomes o ON o.nudge_id = p.nudge_id
JOIN LATERAL (
	SELECT max(m.recorded_at) AS recorded_at FROM faults.intents m
	WHERE m.nudge_id = p.nudge_id AND m.step = p.verb AND m.recorded_at <= p.arrived) mine ON true
JOIN faults.intents i ON i.conversation_id = p.asked_id AND i.nudge_id <> p.nudge_id
	AND i.recorded_at BETWEEN mine.recorded_at AND o.recorded_at
WHERE NOT p.certainly_refused
UNION ALL
SELECT 'thread', l.nudge_id, format('%s is not at root %s, generation %s', l.conversation_id, l.root_conversation_id, l.generation)
FROM reengage.lineage l
WHERE NOT EXISTS (SELECT FROM faults.places p
	WHERE (p.root, p.generation) = (l.root_conversation_id, l.generation)
	  -- nobody knows whether the thread leads into the conversation that may have been joined
	  AND (p.conversation_id = l.conversation_id
		   OR (l.step = 'notify' AND l.previous_conversation_id IS NULL
			   AND l.outcome IN ('in_doubt', 'resolved_sent', 'resolved_not_sent'))))
UNION ALL
SELECT 'thread', l.nudge_id, format('asked for %s, which is not of root %s', l.requested_conversation_id, l.root_conversation_id)
FROM reengage.lineage l
WHERE NOT EXISTS (SELECT FROM faults.places p
	WHERE (p.conversation_id, p.root) = (l.requested_conversation_id, l.root_conversation_id))
UNION ALL
SELECT 'one outcome', l.nudge_id, format('%s outcomes', count(*) FILTER (WHERE l.resolves IS NULL))
FROM reengage.lineage l GROUP BY l.nudge_id
HAVING count(*) FILTER (WHERE l.resolves IS NULL) <> 1 OR count(*) FILTER (WHERE l.resolves IS NOT NULL) > 1
UNION ALL
SELECT 'outcome of nobody', l.nudge_id, l.outcome
FROM reengage.lineage l WHERE NOT EXISTS (SELECT FROM reengage.nudges n WHERE n.nudge_id = l.nudge_id)
UNION ALL
SELECT 'still due', d.nudge_id, coalesce(d.hold_reason, 'its time') FROM reengage.due d
UNION ALL
SELECT 'miscounted', NULL, m::text FROM reengage_internal.miscounted m
UNION ALL
SELECT 'open intent', i.nudge_ids[1], format('%s calls since %s', cardinality(i.nudge_ids), i.recorded_at) FROM reengage.intents i
UNION ALL
SELECT 'unexplained doubt', d.nudge_id, format('%s, reason %s, fault %s, done meanwhile: %s', d.step, d.reason, coalesce(d.fault, '-'), d.kinds)
FROM faults.doubts d WHERE d.explained IS NOT TRUE;
