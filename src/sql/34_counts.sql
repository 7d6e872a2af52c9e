--
-- How many nudges stand where: exact, and without counting them.
--
CREATE VIEW reengage.nudge_counts WITH (security_barrier) AS
SELECT c.server, c.campaign, c.requested_by, c.state, c.reason, pg_catalog.sum(c.nudges)::bigint AS nudges
FROM (
	SELECT t.server, t.campaign, t.requested_by, t.state, t.reason, t.nudges FROM reengage.tallies t
	UNION ALL
	SELECT t.server, t.campaign, t.requested_by, t.state, t.reason, t.nudges FROM reengage.tally_changes t
	UNION ALL
	-- as many as are in flight, however much is due
	SELECT n.server, n.campaign, n.requested_by, s.state, s.reason, s.nudges
	FROM (SELECT DISTINCT pg_catalog.unnest(i.nudge_ids) AS nudge_id FROM reengage.intents i) i
		CROSS JOIN LATERAL (SELECT d.hold FROM reengage.due d WHERE d.nudge_id = i.nudge_id OFFSET 0) d
		CROSS JOIN LATERAL (SELECT n.* FROM reengage.nudges n WHERE n.nudge_id = i.nudge_id OFFSET 0) n
		CROSS JOIN LATERAL (VALUES ('due', d.hold, -1), ('calling', NULL, 1)) AS s (state, reason, nudges)) c
WHERE c.requested_by = current_user
   OR (SELECT pg_catalog.pg_has_role('reengage_operator', 'USAGE'))
   OR (SELECT pg_catalog.pg_has_role('reengage_reader', 'USAGE'))
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

CREATE VIEW reengage.campaign_status WITH (security_barrier) AS
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
	FROM reengage.nudge_counts c
	GROUP BY c.campaign, c.server, c.state, c.reason) s
GROUP BY s.campaign, s.server;
COMMENT ON VIEW reengage.campaign_status IS
	'how far each campaign is at each server, exact, from the counters of nudge_counts; an application sees its own';
COMMENT ON COLUMN reengage.campaign_status.campaign IS 'as the nudges said';
COMMENT ON COLUMN reengage.campaign_status.server IS 'the foreign server';
COMMENT ON COLUMN reengage.campaign_status.asked IS 'nudges that were asked for: the sum of the next six';
COMMENT ON COLUMN reengage.campaign_status.due IS 'wait for nothing but their time or their turn';
COMMENT ON COLUMN reengage.campaign_status.held IS 'wait for something else, which held_by tells';
COMMENT ON COLUMN reengage.campaign_status.calling IS 'a POST may be on the wire';
COMMENT ON COLUMN reengage.campaign_status.sent IS 'the customer was spoken to';
COMMENT ON COLUMN reengage.campaign_status.in_doubt IS 'it is not known whether the customer was';
COMMENT ON COLUMN reengage.campaign_status.not_sent IS 'ended otherwise, which why_not tells';
COMMENT ON COLUMN reengage.campaign_status.held_by IS 'the codes of due.hold, each with a number';
COMMENT ON COLUMN reengage.campaign_status.why_not IS 'outcomes that are not sent, each with its reason and a number';
GRANT SELECT ON reengage.campaign_status TO reengage_application, reengage_operator, reengage_reader;
