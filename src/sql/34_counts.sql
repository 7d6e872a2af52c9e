--
-- How many nudges stand where: exact, and without counting them.
--
-- As many rows as there are sums, what is to be added to them, and what is in flight,
-- however much is due.
CREATE VIEW reengage_internal.counted_nudges AS
SELECT c.server, c.campaign, c.requested_by, c.state, c.reason, c.nudges
FROM (
	SELECT t.server, t.campaign, t.requested_by, t.state, t.reason, t.nudges FROM reengage.tallies t
	UNION ALL
	SELECT t.server, t.campaign, t.requested_by, t.state, t.reason, t.nudges FROM reengage.tally_changes t
	UNION ALL
	SELECT n.server, n.campaign, n.requested_by, s.state, s.reason, s.nudges
	FROM (SELECT DISTINCT pg_catalog.unnest(i.nudge_ids) AS nudge_id FROM reengage.intents i) i
		CROSS JOIN LATERAL (SELECT d.hold FROM reengage.due d WHERE d.nudge_id = i.nudge_id OFFSET 0) d
		CROSS JOIN LATERAL (SELECT n.* FROM reengage.nudges n WHERE n.nudge_id = i.nudge_id OFFSET 0) n
		CROSS JOIN LATERAL (VALUES ('due', d.hold, -1), ('calling', NULL, 1)) AS s (state, reason, nudges)) c
WHERE c.requested_by = current_user
   OR (SELECT pg_catalog.pg_has_role('reengage_operator', 'USAGE'))
   OR (SELECT pg_catalog.pg_has_role('reengage_reader', 'USAGE'));
COMMENT ON VIEW reengage_internal.counted_nudges IS
	'the numbers that make up nudge_counts: several for one state, which may be negative; an application sees its own';
COMMENT ON COLUMN reengage_internal.counted_nudges.server IS 'as in nudge_counts';
COMMENT ON COLUMN reengage_internal.counted_nudges.campaign IS 'as in nudge_counts';
COMMENT ON COLUMN reengage_internal.counted_nudges.requested_by IS 'as in nudge_counts';
COMMENT ON COLUMN reengage_internal.counted_nudges.state IS 'as in nudge_counts';
COMMENT ON COLUMN reengage_internal.counted_nudges.reason IS 'as in nudge_counts';
COMMENT ON COLUMN reengage_internal.counted_nudges.nudges IS 'so many more; negative: fewer';

CREATE VIEW reengage.nudge_counts WITH (security_barrier) AS
SELECT c.server, c.campaign, c.requested_by, c.state, c.reason, pg_catalog.sum(c.nudges)::bigint AS nudges
FROM reengage_internal.counted_nudges c
GROUP BY c.server, c.campaign, c.requested_by, c.state, c.reason
HAVING pg_catalog.sum(c.nudges) <> 0;
COMMENT ON VIEW reengage.nudge_counts IS
	'how many nudges are in each state of nudge_status, exact, from counters: it costs the same however many there are; an application sees its own';
COMMENT ON COLUMN reengage.nudge_counts.server IS 'the foreign server';
COMMENT ON COLUMN reengage.nudge_counts.campaign IS 'as the nudges said';
COMMENT ON COLUMN reengage.nudge_counts.requested_by IS 'who asked';
COMMENT ON COLUMN reengage.nudge_counts.state IS 'due, calling (a POST may be on the wire), or the outcome';
COMMENT ON COLUMN reengage.nudge_counts.reason IS 'of those that are due, what holds them, as in due.hold (null: nothing but their time or turn); of the others, why they ended so';
COMMENT ON COLUMN reengage.nudge_counts.nudges IS 'their number';
GRANT SELECT ON reengage.nudge_counts TO reengage_application, reengage_operator, reengage_reader;

-- From lane to lane along due_order, however much is due in each.
CREATE VIEW reengage_internal.lanes AS
WITH RECURSIVE lanes AS (
	(SELECT d.server, d.priority, d.requested_by FROM reengage.due d
	 WHERE d.server >= '' ORDER BY d.server, d.priority, d.requested_by LIMIT 1)
	UNION ALL
	SELECT n.* FROM lanes l CROSS JOIN LATERAL (
		SELECT d.server, d.priority, d.requested_by FROM reengage.due d
		WHERE d.server >= l.server AND (d.server, d.priority, d.requested_by) > (l.server, l.priority, l.requested_by)
		ORDER BY d.server, d.priority, d.requested_by LIMIT 1) n
)
SELECT l.server, l.priority, l.requested_by FROM lanes l;
COMMENT ON VIEW reengage_internal.lanes IS 'for whom something is due: each server, priority and role once';
COMMENT ON COLUMN reengage_internal.lanes.server IS 'as in due';
COMMENT ON COLUMN reengage_internal.lanes.priority IS 'as in due';
COMMENT ON COLUMN reengage_internal.lanes.requested_by IS 'as in due';

-- Counters do not know what time it is.  So of each server what is still to come is
-- looked at, or what has come, where either is not too much.
CREATE VIEW reengage_internal.due_by_time AS
WITH seen AS MATERIALIZED (
	-- a row, as a planner takes a recursion for a hundred, and compiles what it thinks is much
	SELECT pg_catalog.array_agg(l.server) AS servers, pg_catalog.array_agg(l.priority) AS priorities, pg_catalog.array_agg(l.requested_by) AS askers
	FROM reengage_internal.lanes l
	WHERE l.requested_by = current_user
	   OR (SELECT pg_catalog.pg_has_role('reengage_operator', 'USAGE'))
	   OR (SELECT pg_catalog.pg_has_role('reengage_reader', 'USAGE'))
), sides AS MATERIALIZED (
	SELECT s.server, t.has_come, t.from_time, t.to_time,
		(SELECT pg_catalog.count(*) FROM (
			SELECT FROM seen v CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(v.servers), pg_catalog.unnest(v.priorities), pg_catalog.unnest(v.askers)) l (server, priority, requested_by)
				CROSS JOIN LATERAL (
					SELECT FROM reengage.due d
					WHERE d.server = l.server AND d.priority = l.priority AND d.requested_by = l.requested_by
					  AND d.due_at BETWEEN t.from_time AND t.to_time LIMIT 2501) d
			WHERE l.server = s.server LIMIT 2501) d) AS nudges
	FROM (SELECT DISTINCT pg_catalog.unnest(v.servers) AS server FROM seen v) s
		CROSS JOIN (VALUES
			(false, pg_catalog.now() + interval '1 microsecond', timestamptz 'infinity'),
			(true, '-infinity', pg_catalog.now())) t (has_come, from_time, to_time)
), smaller AS MATERIALIZED (
	SELECT * FROM (
		SELECT d.*, pg_catalog.sum(d.nudges) OVER (ORDER BY d.nudges, d.server) AS in_all
		FROM (SELECT DISTINCT ON (s.server) s.* FROM sides s ORDER BY s.server, s.nudges) d) d
	WHERE d.in_all <= 2500
)
SELECT s.server, NULL AS campaign, s.has_come, NULL::bigint AS nudges FROM smaller s
UNION ALL
SELECT d.server, coalesce(n.campaign, ''), d.has_come, pg_catalog.count(*)
FROM (
	SELECT s.server, s.has_come, d.nudge_id
	FROM seen v CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(v.servers), pg_catalog.unnest(v.priorities), pg_catalog.unnest(v.askers)) l (server, priority, requested_by)
		JOIN smaller s ON s.server = l.server
		CROSS JOIN LATERAL (
			SELECT d.nudge_id, d.hold FROM reengage.due d
			WHERE d.server = l.server AND d.priority = l.priority AND d.requested_by = l.requested_by
			  AND d.due_at BETWEEN s.from_time AND s.to_time OFFSET 0) d
	WHERE d.hold IS NULL AND d.nudge_id NOT IN (SELECT pg_catalog.unnest(i.nudge_ids) FROM reengage.intents i)
	LIMIT 2500) d
	CROSS JOIN LATERAL (SELECT n.campaign FROM reengage.nudges n WHERE n.nudge_id = d.nudge_id OFFSET 0) n
GROUP BY d.server, coalesce(n.campaign, ''), d.has_come;
COMMENT ON VIEW reengage_internal.due_by_time IS
	'how many nudges of a campaign wait for nothing and have come to their time, or have not, whichever are few at the server, 2500 at all servers in all; an application sees its own';
COMMENT ON COLUMN reengage_internal.due_by_time.server IS 'the foreign server; missing: of both there are more';
COMMENT ON COLUMN reengage_internal.due_by_time.campaign IS 'the campaign, empty: without one; null: says of the server alone which of them is counted';
COMMENT ON COLUMN reengage_internal.due_by_time.has_come IS 'true: those are counted whose time has come';
COMMENT ON COLUMN reengage_internal.due_by_time.nudges IS 'their number';

-- The newest rows of lineage, no more than are looked at in some milliseconds.
CREATE VIEW reengage_internal.recent_ends AS
SELECT r.server, coalesce(r.campaign, '') AS campaign,
	pg_catalog.count(*) / r.minutes AS ended_per_minute,
	pg_catalog.count(*) FILTER (WHERE r.outcome IN ('notified', 'session_created', 'session_continued', 'resolved_sent')) / r.minutes AS sent_per_minute
FROM (
	SELECT l.server, l.campaign, l.outcome, l.nudge_id,
		CASE WHEN pg_catalog.count(*) OVER () < 1000 THEN 5
			ELSE greatest(extract(epoch FROM pg_catalog.statement_timestamp() - pg_catalog.min(l.recorded_at) OVER ()), 1) / 60 END AS minutes
	FROM (
		SELECT l.* FROM reengage.lineage l
		WHERE l.lineage_id >= reengage.first_id(pg_catalog.statement_timestamp() - interval '5 minutes')
		  AND l.recorded_at > pg_catalog.statement_timestamp() - interval '5 minutes'
		ORDER BY l.lineage_id DESC LIMIT 1000) l) r
WHERE r.outcome <> 'imported' AND ((SELECT pg_catalog.pg_has_role('reengage_operator', 'USAGE'))
   OR (SELECT pg_catalog.pg_has_role('reengage_reader', 'USAGE'))
   OR (SELECT n.requested_by FROM reengage.nudges n WHERE n.nudge_id = r.nudge_id) = current_user)
GROUP BY r.server, coalesce(r.campaign, ''), r.minutes;
COMMENT ON VIEW reengage_internal.recent_ends IS
	'how fast nudges of a campaign ended within the last five minutes, or among the newest 1000 rows of lineage; an application sees its own';
COMMENT ON COLUMN reengage_internal.recent_ends.server IS 'the foreign server';
COMMENT ON COLUMN reengage_internal.recent_ends.campaign IS 'the campaign, empty: without one';
COMMENT ON COLUMN reengage_internal.recent_ends.ended_per_minute IS 'nudges that ended, however';
COMMENT ON COLUMN reengage_internal.recent_ends.sent_per_minute IS 'those of them whose customer was spoken to';

CREATE VIEW reengage.campaign_status WITH (security_barrier) AS
WITH times AS MATERIALIZED (SELECT t.* FROM reengage_internal.due_by_time t)
SELECT c.campaign, c.server, c.asked, c.due, t.due_now, c.due - t.due_now AS scheduled, c.held, c.calling, c.sent, c.in_doubt, c.not_sent,
	c.held_by, c.why_not,
	pg_catalog.round(coalesce(r.sent_per_minute, 0), 1) AS sent_per_minute,
	CASE WHEN t.due_now > 0 THEN pg_catalog.statement_timestamp() + interval '1 minute' * (t.due_now / r.ended_per_minute)::double precision END AS expected_end
FROM (
	SELECT s.campaign, s.server,
		pg_catalog.sum(s.nudges)::bigint AS asked,
		coalesce(pg_catalog.sum(s.nudges) FILTER (WHERE s.class = 'due'), 0)::bigint AS due,
		coalesce(pg_catalog.sum(s.nudges) FILTER (WHERE s.class = 'held'), 0)::bigint AS held,
		coalesce(pg_catalog.sum(s.nudges) FILTER (WHERE s.class = 'calling'), 0)::bigint AS calling,
		coalesce(pg_catalog.sum(s.nudges) FILTER (WHERE s.class = 'sent'), 0)::bigint AS sent,
		coalesce(pg_catalog.sum(s.nudges) FILTER (WHERE s.class = 'in_doubt'), 0)::bigint AS in_doubt,
		coalesce(pg_catalog.sum(s.nudges) FILTER (WHERE s.class = 'not_sent'), 0)::bigint AS not_sent,
		pg_catalog.string_agg(s.reason || ' ' || s.nudges, ', ' ORDER BY s.nudges DESC, s.reason) FILTER (WHERE s.class = 'held') AS held_by,
		pg_catalog.string_agg(s.state || coalesce(' (' || s.reason || ')', '') || ' ' || s.nudges, ', ' ORDER BY s.nudges DESC, s.state, s.reason)
			FILTER (WHERE s.class IN ('in_doubt', 'not_sent')) AS why_not
	FROM (
		SELECT c.campaign, c.server, c.state, c.reason, pg_catalog.sum(c.nudges) AS nudges,
			CASE
				WHEN c.state = 'due' AND c.reason IS NOT NULL THEN 'held'
				WHEN c.state IN ('due', 'calling', 'in_doubt') THEN c.state
				-- as outcome_list.h has them
				WHEN c.state IN ('notified', 'session_created', 'session_continued', 'resolved_sent') THEN 'sent'
				ELSE 'not_sent'
			END AS class
		FROM reengage_internal.counted_nudges c
		GROUP BY c.campaign, c.server, c.state, c.reason
		HAVING pg_catalog.sum(c.nudges) <> 0) s
	GROUP BY s.campaign, s.server) c
	LEFT JOIN (SELECT t.server, pg_catalog.bool_or(t.has_come) AS has_come FROM times t WHERE t.campaign IS NULL GROUP BY t.server) k
		ON k.server = c.server
	LEFT JOIN (SELECT t.server, t.campaign, pg_catalog.sum(t.nudges)::bigint AS nudges FROM times t WHERE t.campaign IS NOT NULL GROUP BY t.server, t.campaign) n
		ON n.server = c.server AND n.campaign = coalesce(c.campaign, '')
	LEFT JOIN (SELECT r.server, r.campaign, pg_catalog.sum(r.sent_per_minute) AS sent_per_minute, pg_catalog.sum(r.ended_per_minute) AS ended_per_minute
			   FROM reengage_internal.recent_ends r GROUP BY r.server, r.campaign) r
		ON r.server = c.server AND r.campaign = coalesce(c.campaign, '')
	CROSS JOIN LATERAL (
		SELECT CASE WHEN c.due = 0 THEN 0 WHEN k.has_come THEN coalesce(n.nudges, 0) WHEN NOT k.has_come THEN c.due - coalesce(n.nudges, 0) END AS due_now) t;
COMMENT ON VIEW reengage.campaign_status IS
	'how far each campaign is at each server, exact, from the counters of nudge_counts; an application sees its own';
COMMENT ON COLUMN reengage.campaign_status.campaign IS 'as the nudges said';
COMMENT ON COLUMN reengage.campaign_status.server IS 'the foreign server';
COMMENT ON COLUMN reengage.campaign_status.asked IS 'nudges that were asked for: the sum of due, held, calling, sent, in_doubt and not_sent';
COMMENT ON COLUMN reengage.campaign_status.due IS 'wait for nothing but their time or their turn';
COMMENT ON COLUMN reengage.campaign_status.due_now IS 'those of due whose time has come; null: more than 2500 nudges of the server wait for their time, and as many for their turn';
COMMENT ON COLUMN reengage.campaign_status.scheduled IS 'those of due whose time is still to come; null: as due_now';
COMMENT ON COLUMN reengage.campaign_status.held IS 'wait for something else, which held_by tells';
COMMENT ON COLUMN reengage.campaign_status.calling IS 'a POST may be on the wire';
COMMENT ON COLUMN reengage.campaign_status.sent IS 'the customer was spoken to';
COMMENT ON COLUMN reengage.campaign_status.in_doubt IS 'it is not known whether the customer was';
COMMENT ON COLUMN reengage.campaign_status.not_sent IS 'ended otherwise, which why_not tells';
COMMENT ON COLUMN reengage.campaign_status.held_by IS 'the codes of due.hold, each with a number';
COMMENT ON COLUMN reengage.campaign_status.why_not IS 'outcomes that are not sent, each with its reason and a number';
COMMENT ON COLUMN reengage.campaign_status.sent_per_minute IS 'how fast: within the last five minutes, or among the newest 1000 rows of lineage';
COMMENT ON COLUMN reengage.campaign_status.expected_end IS 'when due_now will be 0, if as many go on to end per minute; null: none is, or none has ended lately';
GRANT SELECT ON reengage.campaign_status TO reengage_application, reengage_operator, reengage_reader;
