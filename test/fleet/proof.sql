-- What the APIs saw beside what all nodes say, nudge by nudge: each row of
-- proof.broken is a broken promise.  In the subscriber's database, to which
-- fleet.pl has copied what is here before.
\set ON_ERROR_STOP on
CREATE INDEX ON proof.asked (nudge_id);
CREATE INDEX ON proof.lineage (nudge_id);
CREATE INDEX ON proof.lineage (lineage_id);
CREATE INDEX ON proof.requests (nudge_id);
CREATE INDEX ON proof.effects (nudge_id);
ANALYZE;

-- A POST that was certainly refused had no effect, and may be made again.
CREATE VIEW proof.posts AS
SELECT r.*, to_timestamp(r.arrived_us / 1e6) AS arrived,
	(r.status BETWEEN 400 AND 499 AND r.status <> 408) OR r.status = 503 AS certainly_refused
FROM proof.requests r
WHERE r.verb IN ('notify', 'create');

-- Each outcome is told by the node that it happened at; elsewhere it is a copy.
CREATE VIEW proof.outcomes AS
SELECT * FROM proof.lineage WHERE resolves IS NULL AND xact_id > 0;

CREATE VIEW proof.doubts AS
SELECT o.*, p.arrived,
	o.reason = 'interrupted' AND o.node = k.node AND o.recorded_at > k.at AND (p.arrived IS NULL OR p.arrived <= k.gone) AS explained
FROM proof.outcomes o
LEFT JOIN LATERAL (SELECT max(p.arrived) AS arrived FROM proof.posts p WHERE p.nudge_id = o.nudge_id) p ON true
LEFT JOIN proof.killed k ON true
WHERE o.outcome = 'in_doubt';

-- Of which organisation a conversation is, also one that an API made.
CREATE VIEW proof.conversations AS
SELECT a.conversation_id, a.server FROM proof.asked a
UNION
SELECT e.conversation_id, a.server FROM proof.effects e JOIN proof.asked a USING (nudge_id);

-- The most requests in any 60 seconds.
CREATE VIEW proof.pace AS
SELECT w.server, max(w.in_a_minute) AS most
FROM (SELECT c.server, count(*) OVER (PARTITION BY c.server ORDER BY r.arrived_us RANGE BETWEEN 59999999 PRECEDING AND CURRENT ROW) AS in_a_minute
	  FROM proof.requests r JOIN proof.conversations c ON c.conversation_id = coalesce(r.previous_id, r.conversation_id)
	  WHERE r.verb IN ('check', 'notify', 'create')) w
GROUP BY w.server;

CREATE VIEW proof.too_fast AS
SELECT p.server, p.most, q.quota, q.may_begin_anew FROM proof.pace p JOIN proof.quotas q USING (server)
-- a server that was moved, or whose node died, begins a minute anew
WHERE p.most > q.quota * CASE WHEN q.may_begin_anew THEN 2 ELSE 1 END;

-- How long after the node that it was said at the others have known of an opt-out.
CREATE VIEW proof.lags AS
SELECT heard.heard_at - said.heard_at AS lag
FROM proof.suppressions said JOIN proof.suppressions heard ON heard.address_hash = said.address_hash AND heard.node <> said.node
WHERE said.reason = 'said at ' || said.node AND heard.reason = said.reason;

-- Who was written to after a node had heard that they have opted out, or answered;
-- what is on the wire by then comes within a second.
CREATE VIEW proof.too_late AS
SELECT 'opt-out' AS what, o.nudge_id, o.node, to_timestamp(e.happened_us / 1e6) - s.heard_at AS later
FROM proof.suppressions s
	JOIN proof.outcomes o ON o.node = s.node AND o.address_hash = s.address_hash
	JOIN proof.effects e ON e.nudge_id = o.nudge_id
WHERE to_timestamp(e.happened_us / 1e6) > s.heard_at + interval '1 s'
UNION ALL
SELECT 'answer', o.nudge_id, o.node, to_timestamp(e.happened_us / 1e6) - s.heard_at
FROM proof.answers s
	JOIN proof.outcomes o ON o.node = s.node AND o.address_hash = s.address_hash AND o.requested_at < s.answered_at
	JOIN proof.effects e ON e.nudge_id = o.nudge_id
WHERE to_timestamp(e.happened_us / 1e6) > s.heard_at + interval '1 s';

-- An outcome that the killed server had stored and its standby had not confirmed: a
-- reader may have seen it, and the nudge is in doubt (docs/replication.md, Failover).
CREATE VIEW proof.only_there AS
SELECT s.lineage_id, s.node
FROM reengage.lineage s JOIN proof.killed k ON k.node = s.node
WHERE s.recorded_at <= k.gone
  AND NOT EXISTS (SELECT FROM proof.lineage l WHERE l.lineage_id = s.lineage_id)
  AND EXISTS (SELECT FROM proof.doubts d WHERE d.nudge_id = s.nudge_id);

CREATE VIEW proof.broken AS
SELECT 'lost' AS rule, a.nudge_id, format('of %s: it was asked for, and has no outcome anywhere', a.server) AS fact
FROM proof.asked a
WHERE NOT EXISTS (SELECT FROM proof.outcomes o WHERE o.nudge_id = a.nudge_id)
UNION ALL
SELECT 'lost', o.nudge_id, format('%s says %s, and nobody asked for it', o.node, o.outcome)
FROM proof.outcomes o
WHERE o.nudge_id IS NOT NULL AND NOT EXISTS (SELECT FROM proof.asked a WHERE a.nudge_id = o.nudge_id)
UNION ALL
SELECT 'one outcome', o.nudge_id, string_agg(format('%s says %s', o.node, o.outcome), ', ')
FROM proof.outcomes o GROUP BY o.nudge_id HAVING count(*) > 1
UNION ALL
SELECT 'twice', e.nudge_id, format('%s messages', count(*))
FROM proof.effects e GROUP BY e.nudge_id HAVING count(*) > 1
UNION ALL
SELECT 'twice', p.nudge_id, format('%s POSTs that may have had an effect', count(*))
FROM proof.posts p WHERE NOT p.certainly_refused GROUP BY p.nudge_id HAVING count(*) > 1
UNION ALL
SELECT 'twice', NULL, format('%s sessions follow %s', count(*), e.previous_id)
FROM proof.effects e WHERE e.effect = 'created' GROUP BY e.previous_id HAVING count(*) > 1
UNION ALL
SELECT 'not asked for', p.nudge_id, format('%s %s', p.verb, p.path)
FROM proof.posts p
WHERE NOT EXISTS (SELECT FROM proof.asked a WHERE a.nudge_id = p.nudge_id)
UNION ALL
SELECT 'ledger', e.nudge_id, format('was %s, %s says %s', e.effect, o.node, o.outcome)
FROM proof.effects e JOIN proof.outcomes o USING (nudge_id)
WHERE o.outcome <> 'in_doubt' AND e.effect IS DISTINCT FROM CASE
	WHEN o.outcome = 'notified' OR o.reason LIKE 'joined%' THEN 'notified'
	WHEN o.outcome IN ('session_created', 'session_continued') THEN 'created' END
UNION ALL
SELECT 'ledger', o.nudge_id, format('%s says %s in %s, the API does not', o.node, o.outcome, o.conversation_id)
FROM proof.outcomes o
WHERE o.outcome IN ('notified', 'session_created', 'session_continued')
  AND NOT EXISTS (SELECT FROM proof.effects e WHERE e.nudge_id = o.nudge_id AND e.conversation_id = o.conversation_id)
UNION ALL
SELECT 'doubt', d.nudge_id, format('%s is in doubt: %s, its call arrived %s', d.node, d.reason, coalesce(d.arrived::text, 'never'))
FROM proof.doubts d WHERE d.explained IS NOT TRUE
UNION ALL
SELECT 'last word', t.nudge_id, format('%s after %s had heard of an %s', t.later, t.node, t.what)
FROM proof.too_late t
UNION ALL
-- the subscriber has each row once, as the node wrote it
SELECT 'collected', coalesce(l.nudge_id, s.nudge_id), CASE
	WHEN s.lineage_id IS NULL THEN format('the subscriber lacks row %s of %s', l.lineage_id, l.node)
	WHEN l.lineage_id IS NULL THEN format('the subscriber has row %s of %s, which it did not write', s.lineage_id, s.node)
	ELSE format('row %s of %s differs', l.lineage_id, l.node) END
FROM (SELECT * FROM proof.lineage WHERE xact_id > 0) l
FULL JOIN reengage.lineage s ON s.lineage_id = l.lineage_id
WHERE (s.lineage_id IS NULL OR l.lineage_id IS NULL OR to_jsonb(s) <> to_jsonb(l))
  AND NOT EXISTS (SELECT FROM proof.only_there o WHERE o.lineage_id = s.lineage_id);
