--
-- How many nudges stand where: exact, and without counting them.
--
-- What is not in the sums: changes that are to be added, and what is in flight.
CREATE VIEW reengage_internal.unsummed AS
SELECT t.server, t.campaign, t.requested_by, t.state, t.reason, t.nudges FROM reengage.tally_changes t
UNION ALL
SELECT n.server, n.campaign, n.requested_by, s.state, s.reason, s.nudges
FROM (SELECT DISTINCT pg_catalog.unnest(i.nudge_ids) AS nudge_id FROM reengage.intents i) i
	CROSS JOIN LATERAL (SELECT d.hold FROM reengage.due d WHERE d.nudge_id = i.nudge_id OFFSET 0) d
	CROSS JOIN LATERAL (SELECT n.* FROM reengage.nudges n WHERE n.nudge_id = i.nudge_id OFFSET 0) n
	CROSS JOIN LATERAL (VALUES ('due', d.hold, -1), ('calling', NULL, 1)) AS s (state, reason, nudges);
COMMENT ON VIEW reengage_internal.unsummed IS
	'what tallies and tally_totals do not have yet: several numbers for one state, which may be negative';
COMMENT ON COLUMN reengage_internal.unsummed.server IS 'as in nudge_counts';
COMMENT ON COLUMN reengage_internal.unsummed.campaign IS 'as in nudge_counts';
COMMENT ON COLUMN reengage_internal.unsummed.requested_by IS 'as in nudge_counts';
COMMENT ON COLUMN reengage_internal.unsummed.state IS 'as in nudge_counts';
COMMENT ON COLUMN reengage_internal.unsummed.reason IS 'as in nudge_counts';
COMMENT ON COLUMN reengage_internal.unsummed.nudges IS 'so many more; negative: fewer';

-- As many rows as there are sums, and what is not in them, however much is due.
CREATE VIEW reengage_internal.counted_nudges AS
SELECT c.server, c.campaign, c.requested_by, c.state, c.reason, c.nudges
FROM (
	SELECT t.server, t.campaign, t.requested_by, t.state, t.reason, t.nudges FROM reengage.tallies t
	UNION ALL
	SELECT u.server, u.campaign, u.requested_by, u.state, u.reason, u.nudges FROM reengage_internal.unsummed u) c
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

-- For who sees all: as many rows as there are servers and states, however many campaigns.
CREATE VIEW reengage_internal.counted_by_server AS
SELECT c.server, c.state, c.reason, pg_catalog.sum(c.nudges)::bigint AS nudges
FROM (
	SELECT t.server, t.state, t.reason, t.nudges FROM reengage.tally_totals t
	UNION ALL
	SELECT u.server, u.state, u.reason, u.nudges FROM reengage_internal.unsummed u) c
GROUP BY c.server, c.state, c.reason;
COMMENT ON VIEW reengage_internal.counted_by_server IS
	'nudge_counts of all campaigns and roles together, which may be 0; a part of the view metrics';
COMMENT ON COLUMN reengage_internal.counted_by_server.server IS 'as in nudge_counts';
COMMENT ON COLUMN reengage_internal.counted_by_server.state IS 'as in nudge_counts';
COMMENT ON COLUMN reengage_internal.counted_by_server.reason IS 'as in nudge_counts';
COMMENT ON COLUMN reengage_internal.counted_by_server.nudges IS 'their number';

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

CREATE FUNCTION reengage_internal.due_now(server text, campaign text, due bigint, asker text, calling uuid[]) RETURNS bigint
LANGUAGE C STABLE
AS 'MODULE_PATHNAME', 'reengage_due_now';
COMMENT ON FUNCTION reengage_internal.due_now(text, text, bigint, text, uuid[]) IS
	'of so many nudges of a campaign that are due at a server, of that role or of all (null), those whose time has come, without those on the wire; null: as in campaign_status';
GRANT EXECUTE ON FUNCTION reengage_internal.due_now(text, text, bigint, text, uuid[]) TO reengage_application, reengage_operator, reengage_reader;

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
	LEFT JOIN (SELECT r.server, r.campaign, pg_catalog.sum(r.sent_per_minute) AS sent_per_minute, pg_catalog.sum(r.ended_per_minute) AS ended_per_minute
			   FROM reengage_internal.recent_ends r GROUP BY r.server, r.campaign) r
		ON r.server = c.server AND r.campaign = coalesce(c.campaign, '')
	-- by itself, or it would be asked for each column that shows it
	CROSS JOIN LATERAL (
		SELECT CASE WHEN c.due = 0 THEN 0 ELSE reengage_internal.due_now(c.server, c.campaign, c.due,
			(SELECT CASE WHEN NOT pg_catalog.pg_has_role('reengage_operator', 'USAGE') AND NOT pg_catalog.pg_has_role('reengage_reader', 'USAGE') THEN current_user END),
			ARRAY(SELECT pg_catalog.unnest(i.nudge_ids) FROM reengage.intents i)) END AS due_now OFFSET 0) t;
COMMENT ON VIEW reengage.campaign_status IS
	'how far each campaign is at each server, exact, from the counters of nudge_counts; an application sees its own';
COMMENT ON COLUMN reengage.campaign_status.campaign IS 'as the nudges said';
COMMENT ON COLUMN reengage.campaign_status.server IS 'the foreign server';
COMMENT ON COLUMN reengage.campaign_status.asked IS 'nudges that were asked for: the sum of due, held, calling, sent, in_doubt and not_sent';
COMMENT ON COLUMN reengage.campaign_status.due IS 'wait for nothing but their time or their turn';
COMMENT ON COLUMN reengage.campaign_status.due_now IS 'those of due whose time has come; null: more than 2500 nudges of the server wait for their time, and as many for their turn, or one look at many servers has found 10000';
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
