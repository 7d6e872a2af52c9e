-- Of nudges whose outcomes were recorded in a period, those that nothing needs any more.
CREATE OR REPLACE FUNCTION reengage_internal.prunable(since timestamptz, upto timestamptz, before timestamptz) RETURNS uuid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
	SELECT array_agg(c.nudge_id ORDER BY c.nudge_id)
	FROM (SELECT DISTINCT l.nudge_id
		  FROM reengage_internal.recorded(since, upto) l
		  WHERE l.nudge_id IS NOT NULL) c
	WHERE NOT EXISTS (
			SELECT FROM reengage.lineage l
			WHERE l.nudge_id = c.nudge_id AND (l.recorded_at >= before
				-- it is of another day, which the manifest does not know yet
				OR (NOT (l.recorded_at >= since AND l.recorded_at < upto) AND l.xact_id <> 0 AND NOT EXISTS (
					SELECT FROM reengage.lineage_manifest m WHERE m.day = to_char(l.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AND m.up_to IS NULL OFFSET 0))
				-- somebody is to say whether it was sent
				OR (l.outcome = 'in_doubt' AND NOT EXISTS (SELECT FROM reengage.lineage r WHERE r.resolves = l.lineage_id OFFSET 0))
				-- the thread lives
				OR EXISTS (SELECT FROM reengage.nudges n
						   WHERE n.conversation_id = ANY (ARRAY[l.root_conversation_id, l.requested_conversation_id, l.previous_conversation_id, l.conversation_id])
							 AND n.server = l.server
							 AND EXISTS (SELECT FROM reengage.due d WHERE d.nudge_id = n.nudge_id OFFSET 0) OFFSET 0)
				-- it is being copied to another node, or from it
				OR l.server = ANY (ARRAY(SELECT m.server FROM reengage_internal.servers_moving m))) OFFSET 0)
	  AND NOT EXISTS (SELECT FROM reengage.due d WHERE d.nudge_id = c.nudge_id OFFSET 0)
	  AND NOT EXISTS (SELECT FROM reengage.unresolved u WHERE u.nudge_id = c.nudge_id OFFSET 0)
	  -- who asks once more for what it repeats must find it
	  AND NOT EXISTS (SELECT FROM reengage.nudges n
					  WHERE n.nudge_id = c.nudge_id AND EXISTS (SELECT FROM reengage.nudges o WHERE o.nudge_id = n.repeats OFFSET 0) OFFSET 0)
$$;

-- Digests of two kinds do not add up.
CREATE FUNCTION reengage_internal.is_counted_by_1_0(of_day text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT coalesce((SELECT p.column_sums IS NULL FROM reengage.pruned_days p WHERE p.day = of_day),
					(SELECT m.column_sums IS NULL FROM reengage.lineage_manifest m
					 WHERE m.day = of_day AND m.up_to IS NULL ORDER BY m.as_of DESC, m.manifest_id DESC LIMIT 1), false)
$$;
COMMENT ON FUNCTION reengage_internal.is_counted_by_1_0(text) IS
	'whether what is pruned of a day is summed up by the digest that version 1.0 had: something of it is, or the day was closed so';

CREATE OR REPLACE FUNCTION reengage_internal.let_go(nudge_ids uuid[], imports uuid[], OUT nudges bigint, OUT lineage bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_bitmapscan = on SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
	WITH gone AS (
		DELETE FROM reengage.lineage l
		WHERE l.nudge_id = ANY (nudge_ids) OR l.lineage_id = ANY (imports)
		RETURNING l
	), asked AS (
		DELETE FROM reengage.nudges n WHERE n.nudge_id = ANY (nudge_ids)
		RETURNING n.nudge_id, n.server, n.campaign, n.requested_by
	), counted AS (
		INSERT INTO reengage.tally_changes (nudges, server, campaign, requested_by, state, reason)
		SELECT - count(*), a.server, a.campaign, a.requested_by, coalesce(e.outcome, 'due'), e.reason
		FROM asked a LEFT JOIN (
			SELECT DISTINCT ON ((g.l).nudge_id) (g.l).nudge_id, (g.l).outcome, (g.l).reason
			FROM gone g ORDER BY (g.l).nudge_id, (g.l).lineage_id DESC) e ON e.nudge_id = a.nudge_id
		GROUP BY a.server, a.campaign, a.requested_by, e.outcome, e.reason
	), tombstones AS (
		INSERT INTO reengage.pruned_nudges (nudge_id, day, server)
		SELECT i, (now() AT TIME ZONE 'UTC')::date, a.server FROM unnest(nudge_ids) AS i LEFT JOIN asked a ON a.nudge_id = i
		ON CONFLICT (nudge_id) DO NOTHING
	), links AS (
		INSERT INTO reengage.past_sessions AS p (lineage_id, occurred_at, generation, server, previous_conversation_id,
			conversation_id, root_conversation_id, named_by, address_hash)
		SELECT (g.l).lineage_id, coalesce((g.l).called_at, (g.l).occurred_at), (g.l).generation, (g.l).server, (g.l).previous_conversation_id,
			(g.l).conversation_id, (g.l).root_conversation_id, c.named_by, CASE WHEN c.named_by IS NOT NULL THEN (g.l).address_hash END
		FROM gone g LEFT JOIN asked a ON a.nudge_id = (g.l).nudge_id
			CROSS JOIN LATERAL (SELECT CASE WHEN (g.l).outcome = 'session_created' AND (g.l).reason IN ('named', 'joined_named')
									   THEN coalesce(a.requested_by, '') END AS named_by) c
		WHERE (g.l).previous_conversation_id IS NOT NULL
		ON CONFLICT (server, previous_conversation_id) WHERE previous_conversation_id IS NOT NULL DO NOTHING
	), of_days AS MATERIALIZED (
		SELECT g.day, reengage_internal.is_counted_by_1_0(g.day) AS by_1_0
		FROM (SELECT DISTINCT to_char((g.l).recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day FROM gone g WHERE (g.l).xact_id <> 0) g
	), days AS (
		INSERT INTO reengage.pruned_days AS d (day, row_count, digest, nudges, last_xact_id, pruned_at, column_sums)
		SELECT s.day, (s.sums).row_count, coalesce(s.digest_1_0, (s.sums).digest), s.nudges, s.last_xact_id, clock_timestamp(),
			CASE WHEN s.digest_1_0 IS NULL THEN (s.sums).column_sums END
		FROM (SELECT o.day, reengage_internal.lineage_sums(o.l) AS sums, count(DISTINCT (o.l).nudge_id) AS nudges, max((o.l).xact_id) AS last_xact_id,
				sum(CASE WHEN o.by_1_0 THEN reengage_internal.lineage_digest_1_0(o.l) END) % 9007199254740992 AS digest_1_0
			  FROM (SELECT t.day, t.by_1_0, g.l FROM gone g JOIN of_days t ON t.day = to_char((g.l).recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')
					-- the others are counted by the node that they came from
					WHERE (g.l).xact_id <> 0) o
			  GROUP BY o.day OFFSET 0) s
		ON CONFLICT (day) DO UPDATE
		SET row_count = d.row_count + EXCLUDED.row_count, digest = (d.digest + EXCLUDED.digest) % 9007199254740992,
			nudges = d.nudges + EXCLUDED.nudges, last_xact_id = greatest(d.last_xact_id, EXCLUDED.last_xact_id), pruned_at = EXCLUDED.pruned_at,
			column_sums = reengage_internal.add_column_sums(d.column_sums, EXCLUDED.column_sums)
	)
	SELECT (SELECT count(*) FROM asked), (SELECT count(*) FROM gone) INTO nudges, lineage;
END
$$;

-- A part is of one day, which the manifest has counted: so each day is what the
-- manifest says, less what pruned_days says.
CREATE OR REPLACE FUNCTION reengage_internal.prune_part(keep interval, since timestamptz, at_most integer,
	OUT nudges bigint, OUT lineage bigint, OUT pruned_to timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET jit = off
AS $$
DECLARE
	before timestamptz := reengage_internal.kept_since(keep);
	of_day date;
BEGIN
	PERFORM reengage_internal.lock('retention', VARIADIC '{}');
	-- -infinity is of no day
	since := greatest(since, '0001-01-01 00:00+00');
	of_day := (reengage_internal.recorded_after(since, before) AT TIME ZONE 'UTC')::date;
	IF of_day IS NULL THEN
		RETURN;
	END IF;
	nudges := 0;
	lineage := 0;
	pruned_to := reengage_internal.start_of_day(of_day + 1);
	IF NOT EXISTS (SELECT FROM reengage.lineage_manifest m WHERE m.day = to_char(of_day, 'YYYY-MM-DD') AND m.up_to IS NULL)
		AND reengage_internal.has_own_lineage(of_day) THEN
		RETURN;
	END IF;
	-- the rows of one instant stay together, however many they are
	pruned_to := coalesce(reengage_internal.recorded_after(since, pruned_to, at_most - 1) + interval '1 microsecond', pruned_to);
	SELECT g.nudges, g.lineage INTO nudges, lineage
	FROM reengage_internal.let_go(reengage_internal.prunable(since, pruned_to, before),
								  reengage_internal.prunable_imports(since, pruned_to)) g;
END
$$;

CREATE OR REPLACE FUNCTION reengage_internal.prunable_imports(since timestamptz, upto timestamptz) RETURNS uuid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
	SELECT array_agg(l.lineage_id ORDER BY l.lineage_id)
	FROM reengage_internal.recorded(since, upto) l
	WHERE l.nudge_id IS NULL AND l.server <> ALL (ARRAY(SELECT m.server FROM reengage_internal.servers_moving m))
	  AND NOT EXISTS (
		SELECT FROM reengage.nudges n
		WHERE n.conversation_id = l.conversation_id AND n.server = l.server
		  AND EXISTS (SELECT FROM reengage.due d WHERE d.nudge_id = n.nudge_id OFFSET 0) OFFSET 0)
$$;
