--
-- Where each nudge stands.
--
-- Newest first, and what belongs to a nudge is looked up for each one that is shown:
-- of a barrier that a join is behind, a planner makes all rows, to sort them.
CREATE VIEW reengage.nudge_status WITH (security_barrier) AS
SELECT n.nudge_id, n.server, n.conversation_id AS requested_conversation_id, n.campaign,
	CASE
		WHEN l.outcome IS NOT NULL THEN l.outcome
		WHEN n.nudge_id IN (SELECT pg_catalog.unnest(i.nudge_ids) FROM reengage.intents i) THEN 'calling'
		ELSE 'due'
	END AS state,
	CASE
		WHEN l.outcome IS NOT NULL THEN l.reason
		WHEN (SELECT reengage_internal.fence_complaint()) IS NOT NULL THEN (SELECT reengage_internal.fence_complaint())
		WHEN p.server IS NOT NULL OR s.reason IS NOT NULL THEN pg_catalog.concat_ws('; ',
			'server paused by ' || p.paused_by || coalesce(': ' || p.reason, ''),
			pg_catalog.format('server %s: ', s.state) || s.reason || coalesce(', not before ' || s.until, '')
			|| CASE WHEN s.detail IS NOT NULL THEN '; an operator sees why in reengage.health' ELSE '' END)
		WHEN d.nudge_id IS NULL THEN 'it has neither an outcome nor a place in the schedule: whether it was sent, an operator has to say, by reengage.arm(missing => ...)'
		WHEN d.hold IS NOT NULL THEN d.hold_reason
		WHEN d.due_at > pg_catalog.now() THEN 'its time'
		ELSE coalesce(
			reengage_internal.locked_by(d.locker, n.nudge_id, n.server, d.requested_by, n.campaign, n.conversation_id, d.address_hash),
			(SELECT pg_catalog.format('its role''s turn: a policy (max_per_minute) lets it start %s a minute', pg_catalog.min(q.max_per_minute))
			 FROM reengage.policies q WHERE q.server = n.server
			 HAVING pg_catalog.min(q.max_per_minute) IS NOT NULL),
			'its turn, or what the API answers: the server''s places and its pace are shared')
	END AS reason,
	CASE WHEN l.outcome IS NULL THEN d.due_at END AS next_attempt_at,
	coalesce(l.attempts, d.attempt, 0) AS attempts,
	l.conversation_id, l.recorded_at AS ended_at,
	n.requested_by, n.requested_at
FROM reengage.nudges n
	LEFT JOIN LATERAL (
		SELECT *, d.xmax AS locker FROM reengage.due d WHERE d.nudge_id = n.nudge_id OFFSET 0) d ON true
	LEFT JOIN reengage.server_state s ON s.server = n.server AND s.state <> 'attention'
	LEFT JOIN reengage.pauses p ON p.server = n.server
	LEFT JOIN LATERAL (
		SELECT * FROM (SELECT * FROM reengage.lineage l WHERE l.nudge_id = n.nudge_id OFFSET 0) l
		ORDER BY l.lineage_id DESC LIMIT 1) l ON true
WHERE n.requested_by = current_user
   OR (SELECT pg_catalog.pg_has_role('reengage_operator', 'USAGE'))
   OR (SELECT pg_catalog.pg_has_role('reengage_reader', 'USAGE'))
ORDER BY n.nudge_id DESC;
COMMENT ON VIEW reengage.nudge_status IS
	'where each nudge stands and why, the newest first; an application sees its own';
COMMENT ON COLUMN reengage.nudge_status.nudge_id IS 'the nudge';
COMMENT ON COLUMN reengage.nudge_status.server IS 'the foreign server';
COMMENT ON COLUMN reengage.nudge_status.requested_conversation_id IS 'the conversation that the nudge named';
COMMENT ON COLUMN reengage.nudge_status.campaign IS 'as the nudge said';
COMMENT ON COLUMN reengage.nudge_status.state IS 'due, calling (a POST may be on the wire), or the outcome';
COMMENT ON COLUMN reengage.nudge_status.reason IS 'what a due nudge waits for, or why it ended so';
COMMENT ON COLUMN reengage.nudge_status.next_attempt_at IS 'the earliest time of the next attempt';
COMMENT ON COLUMN reengage.nudge_status.attempts IS 'attempts made';
COMMENT ON COLUMN reengage.nudge_status.conversation_id IS 'where the customer is now';
COMMENT ON COLUMN reengage.nudge_status.ended_at IS 'when the outcome was recorded';
COMMENT ON COLUMN reengage.nudge_status.requested_by IS 'who asked';
COMMENT ON COLUMN reengage.nudge_status.requested_at IS 'when';
GRANT SELECT ON reengage.nudge_status TO reengage_application, reengage_operator, reengage_reader;

-- Found by the schedule, and not by what was ever asked for: in two parts, so that
-- who asks for one state reads only that.
CREATE VIEW reengage.open_nudges WITH (security_barrier) AS
SELECT o.nudge_id, s.server, s.requested_conversation_id, s.campaign, o.state, s.reason, s.next_attempt_at, s.attempts,
	s.requested_by, s.requested_at
FROM (
	SELECT o.nudge_id, o.state FROM (
		(SELECT d.nudge_id, d.requested_by, 'calling' AS state FROM reengage.due d
		 WHERE d.nudge_id = ANY (ARRAY(SELECT pg_catalog.unnest(i.nudge_ids) FROM reengage.intents i))
		 ORDER BY d.nudge_id DESC)
		UNION ALL
		(SELECT d.nudge_id, d.requested_by, 'due' FROM reengage.due d
		 WHERE d.nudge_id NOT IN (SELECT pg_catalog.unnest(i.nudge_ids) FROM reengage.intents i)
		 ORDER BY d.nudge_id DESC)) o
	WHERE o.requested_by = current_user
	   OR (SELECT pg_catalog.pg_has_role('reengage_operator', 'USAGE'))
	   OR (SELECT pg_catalog.pg_has_role('reengage_reader', 'USAGE'))
	ORDER BY o.nudge_id DESC) o
	CROSS JOIN LATERAL (
		SELECT * FROM reengage.nudge_status s WHERE s.nudge_id = o.nudge_id AND s.ended_at IS NULL OFFSET 0) s
ORDER BY o.nudge_id DESC;
COMMENT ON VIEW reengage.open_nudges IS
	'what has not ended, of nudge_status, the newest first: the same is found there, but among all that was ever asked for; an application sees its own';
COMMENT ON COLUMN reengage.open_nudges.nudge_id IS 'the nudge';
COMMENT ON COLUMN reengage.open_nudges.server IS 'the foreign server';
COMMENT ON COLUMN reengage.open_nudges.requested_conversation_id IS 'the conversation that the nudge named';
COMMENT ON COLUMN reengage.open_nudges.campaign IS 'as the nudge said';
COMMENT ON COLUMN reengage.open_nudges.state IS 'due, or calling (a POST may be on the wire)';
COMMENT ON COLUMN reengage.open_nudges.reason IS 'what it waits for';
COMMENT ON COLUMN reengage.open_nudges.next_attempt_at IS 'the earliest time of the next attempt';
COMMENT ON COLUMN reengage.open_nudges.attempts IS 'attempts made';
COMMENT ON COLUMN reengage.open_nudges.requested_by IS 'who asked';
COMMENT ON COLUMN reengage.open_nudges.requested_at IS 'when';
GRANT SELECT ON reengage.open_nudges TO reengage_application, reengage_operator, reengage_reader;
