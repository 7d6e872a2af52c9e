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
CREATE TABLE reengage.tallies (
	nudges bigint NOT NULL,
	server text COLLATE "C" NOT NULL,
	campaign text COLLATE "C",
	requested_by text COLLATE "C" NOT NULL,
	state text COLLATE "C" NOT NULL,
	reason text COLLATE "C",
	CONSTRAINT tallies_key UNIQUE NULLS NOT DISTINCT (campaign, server, requested_by, state, reason)
) WITH (
	-- the same few rows are written again and again
	fillfactor = 50,
	autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, vacuum_truncate = off
);
COMMENT ON TABLE reengage.tallies IS
	'how many nudges there are in each state, without what tally_changes has to add: the view nudge_counts shows both; derived, and not dumped';
COMMENT ON COLUMN reengage.tallies.nudges IS 'their number';
COMMENT ON COLUMN reengage.tallies.server IS 'the foreign server';
COMMENT ON COLUMN reengage.tallies.campaign IS 'as the nudges said';
COMMENT ON COLUMN reengage.tallies.requested_by IS 'the role that asked';
COMMENT ON COLUMN reengage.tallies.state IS 'due, or the outcome';
COMMENT ON COLUMN reengage.tallies.reason IS 'of those that are due, what holds them (due.hold); of the others, lineage.reason';

CREATE TABLE reengage.tally_totals (
	nudges bigint NOT NULL,
	server text COLLATE "C" NOT NULL,
	state text COLLATE "C" NOT NULL,
	reason text COLLATE "C",
	CONSTRAINT tally_totals_key UNIQUE NULLS NOT DISTINCT (server, state, reason)
) WITH (
	fillfactor = 50,
	autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, vacuum_truncate = off
);
COMMENT ON TABLE reengage.tally_totals IS
	'the same as tallies, of all campaigns and roles together: what is graphed costs the same however many there are; derived, and not dumped';
COMMENT ON COLUMN reengage.tally_totals.nudges IS 'their number; it may be 0';
COMMENT ON COLUMN reengage.tally_totals.server IS 'as in tallies';
COMMENT ON COLUMN reengage.tally_totals.state IS 'as in tallies';
COMMENT ON COLUMN reengage.tally_totals.reason IS 'as in tallies';

CREATE TABLE reengage.tally_changes (
	nudges bigint NOT NULL,
	server text COLLATE "C" NOT NULL,
	campaign text COLLATE "C",
	requested_by text COLLATE "C" NOT NULL,
	state text COLLATE "C" NOT NULL,
	reason text COLLATE "C"
) WITH (
	-- as of "due": a row is read once
	autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
	autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off
);
COMMENT ON TABLE reengage.tally_changes IS
	'what is to be added to tallies and tally_totals, from which the worker, or run(), takes it; kept by whoever changes the state of nudges';
COMMENT ON COLUMN reengage.tally_changes.nudges IS 'so many more; negative: fewer';
COMMENT ON COLUMN reengage.tally_changes.server IS 'as in tallies';
COMMENT ON COLUMN reengage.tally_changes.campaign IS 'as in tallies';
COMMENT ON COLUMN reengage.tally_changes.requested_by IS 'as in tallies';
COMMENT ON COLUMN reengage.tally_changes.state IS 'as in tallies';
COMMENT ON COLUMN reengage.tally_changes.reason IS 'as in tallies';
-- a publication of all tables must not keep the worker from changing them
ALTER TABLE reengage.tallies REPLICA IDENTITY FULL;
ALTER TABLE reengage.tally_totals REPLICA IDENTITY FULL;
ALTER TABLE reengage.tally_changes REPLICA IDENTITY FULL;
-- a number that is 0 is no row: campaigns come and go
GRANT SELECT, INSERT, UPDATE, DELETE ON reengage.tallies TO reengage_worker;
GRANT SELECT, INSERT, UPDATE ON reengage.tally_totals TO reengage_worker;
GRANT SELECT, INSERT, DELETE ON reengage.tally_changes TO reengage_worker;

CREATE FUNCTION reengage_internal.due_tally() RETURNS trigger
LANGUAGE C SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_due_tally';
COMMENT ON FUNCTION reengage_internal.due_tally() IS 'counts what due nudges wait for';

-- Of these the name is known to who deletes a batch of nudges, and counts them itself.
CREATE TRIGGER tally_held AFTER UPDATE ON reengage.due
	REFERENCING OLD TABLE AS old_due NEW TABLE AS new_due
	FOR EACH STATEMENT EXECUTE FUNCTION reengage_internal.due_tally();
CREATE TRIGGER tally_gone AFTER DELETE ON reengage.due
	REFERENCING OLD TABLE AS old_due
	FOR EACH STATEMENT EXECUTE FUNCTION reengage_internal.due_tally();

-- In one statement, and so by one snapshot: who writes meanwhile writes nudges and
-- changes both, and is seen with both or with none.
CREATE VIEW reengage_internal.miscounted AS
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
COMMENT ON VIEW reengage_internal.miscounted IS
	'what the counters lack, found by counting all nudges; it has no rows where they are right';
COMMENT ON COLUMN reengage_internal.miscounted.nudges IS 'so many more there are; negative: fewer';
COMMENT ON COLUMN reengage_internal.miscounted.server IS 'as in tallies';
COMMENT ON COLUMN reengage_internal.miscounted.campaign IS 'as in tallies';
COMMENT ON COLUMN reengage_internal.miscounted.requested_by IS 'as in tallies';
COMMENT ON COLUMN reengage_internal.miscounted.state IS 'as in tallies';
COMMENT ON COLUMN reengage_internal.miscounted.reason IS 'as in tallies';

CREATE VIEW reengage_internal.missummed AS
SELECT pg_catalog.sum(t.nudges)::bigint AS nudges, t.server, t.state, t.reason
FROM (
	SELECT t.nudges, t.server, t.state, t.reason FROM reengage.tallies t
	UNION ALL
	SELECT - t.nudges, t.server, t.state, t.reason FROM reengage.tally_totals t) t
GROUP BY t.server, t.state, t.reason
HAVING pg_catalog.sum(t.nudges) <> 0;
COMMENT ON VIEW reengage_internal.missummed IS
	'what tally_totals lacks of tallies, found by adding these up; it has no rows where they are right';
COMMENT ON COLUMN reengage_internal.missummed.nudges IS 'so many more there are; negative: fewer';
COMMENT ON COLUMN reengage_internal.missummed.server IS 'as in tallies';
COMMENT ON COLUMN reengage_internal.missummed.state IS 'as in tallies';
COMMENT ON COLUMN reengage_internal.missummed.reason IS 'as in tallies';

CREATE FUNCTION reengage.recount() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	corrected bigint;
	summed bigint;
BEGIN
	PERFORM reengage_internal.require_writable('cannot recount on');
	PERFORM reengage_internal.require_read_committed('nudges cannot be counted');
	-- two of these would both add what is missing; nobody else waits
	LOCK TABLE reengage.tally_changes IN SHARE UPDATE EXCLUSIVE MODE;
	INSERT INTO reengage.tally_changes (nudges, server, campaign, requested_by, state, reason)
	SELECT m.nudges, m.server, m.campaign, m.requested_by, m.state, m.reason FROM reengage_internal.miscounted m;
	GET DIAGNOSTICS corrected = ROW_COUNT;
	-- added, as the worker may be adding, too
	INSERT INTO reengage.tally_totals AS t (nudges, server, state, reason)
	SELECT m.nudges, m.server, m.state, m.reason FROM reengage_internal.missummed m
	ON CONFLICT ON CONSTRAINT tally_totals_key DO UPDATE SET nudges = t.nudges + EXCLUDED.nudges;
	GET DIAGNOSTICS summed = ROW_COUNT;
	RETURN corrected + summed;
END
$$;
COMMENT ON FUNCTION reengage.recount() IS
	'counts all nudges, corrects what nudge_counts shows, and returns how many numbers were wrong: none but where somebody has changed tables while triggers were off, or lineage by hand; nobody waits for it';
GRANT EXECUTE ON FUNCTION reengage.recount() TO reengage_operator;
