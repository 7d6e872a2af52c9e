--
-- How many nudges are in which state: counters, so that nobody has to count a
-- table that grows.
--
-- Who changes a state adds rows of what it changes: nobody waits for anybody, and
-- an error, a crash or a restore takes the numbers where it takes the nudges.
-- The worker sums these rows up.  What a nudge counts as is the sum of what each
-- of its rows says, whatever their order: one of "nudges" makes it due, one of
-- "lineage" ends that, and one of "due" with a hold says what it waits for.
--
-- They are summed up twice: by campaign and role, of which there may be as many as
-- there are customers, and without them, for who watches the whole.
--

-- In one statement, and so by one snapshot: who writes meanwhile writes nudges and
-- changes both, and is seen with both or with none.
CREATE OR REPLACE VIEW reengage_internal.miscounted AS
WITH ended AS (
	SELECT DISTINCT ON (l.nudge_id) l.nudge_id, l.outcome, l.reason
	FROM reengage.lineage l WHERE l.nudge_id IS NOT NULL
	ORDER BY l.nudge_id, l.lineage_id DESC
)
SELECT pg_catalog.sum(c.nudges)::bigint AS nudges, c.server, c.campaign, c.requested_by, c.state, c.reason
FROM (
	SELECT pg_catalog.count(*) AS nudges, n.server COLLATE "C" AS server, n.campaign COLLATE "C" AS campaign,
		n.requested_by COLLATE "C" AS requested_by, coalesce(l.outcome, 'due') COLLATE "C" AS state,
		CASE WHEN l.outcome IS NULL THEN d.hold ELSE l.reason END COLLATE "C" AS reason
	FROM reengage.nudges n
		LEFT JOIN ended l ON l.nudge_id = n.nudge_id
		LEFT JOIN reengage.due d ON d.nudge_id = n.nudge_id
	WHERE n.server NOT IN (SELECT e.server FROM reengage_internal.servers_elsewhere e)
	GROUP BY 2, 3, 4, 5, 6
	UNION ALL
	SELECT - t.nudges, t.server, t.campaign, t.requested_by, t.state, t.reason FROM reengage.tallies t
	UNION ALL
	SELECT - t.nudges, t.server, t.campaign, t.requested_by, t.state, t.reason FROM reengage.tally_changes t) c
GROUP BY c.server, c.campaign, c.requested_by, c.state, c.reason
HAVING pg_catalog.sum(c.nudges) <> 0;
