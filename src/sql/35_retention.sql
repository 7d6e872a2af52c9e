--
-- Keeping it small: what is old goes, as a whole, in short transactions.
--
CREATE FUNCTION reengage_internal.retention() RETURNS interval
LANGUAGE C STABLE STRICT SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_retention_sql';
COMMENT ON FUNCTION reengage_internal.retention() IS 'the setting reengage.retention; 0: nothing goes by itself';
GRANT EXECUTE ON FUNCTION reengage_internal.retention() TO reengage_operator, reengage_reader, reengage_worker;

CREATE FUNCTION reengage_internal.tombstone_retention() RETURNS interval
LANGUAGE C STABLE STRICT SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_tombstone_retention_sql';
COMMENT ON FUNCTION reengage_internal.tombstone_retention() IS 'the setting reengage.tombstone_retention; 0: ids are kept for ever';
GRANT EXECUTE ON FUNCTION reengage_internal.tombstone_retention() TO reengage_operator, reengage_worker;

-- As caps have it, a month has 30 days; a calendar's may be shorter.
CREATE FUNCTION reengage_internal.longest_memory(OUT server text, OUT of_column text, OUT lasts interval)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT p.server, m.of_column, make_interval(secs => extract(epoch FROM m.lasts)::double precision)
	FROM reengage.policies p CROSS JOIN LATERAL (VALUES ('cap_interval', p.cap_interval), ('minimum_gap', p.minimum_gap)) AS m (of_column, lasts)
	WHERE m.lasts IS NOT NULL ORDER BY m.lasts DESC, p.server LIMIT 1
$$;
COMMENT ON FUNCTION reengage_internal.longest_memory() IS
	'how far back policies look at what a customer was sent, and the one that looks furthest; null: none does';
GRANT EXECUTE ON FUNCTION reengage_internal.longest_memory() TO reengage_operator, reengage_reader, reengage_worker;

CREATE FUNCTION reengage_internal.kept_since(keep interval) RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	-- by whole days
	SELECT CASE WHEN keep > interval '0' THEN reengage_internal.start_of_day(((now() - make_interval(secs => greatest(
		extract(epoch FROM keep), 86400, (SELECT extract(epoch FROM m.lasts) FROM reengage_internal.longest_memory() m))::double precision))
		AT TIME ZONE 'UTC')::date) ELSE '-infinity' END
$$;
COMMENT ON FUNCTION reengage_internal.kept_since(interval) IS
	'what was recorded before this midnight in UTC may go, where so much is to be kept (null, or 0: everything); what policies look back for stays in any case';
GRANT EXECUTE ON FUNCTION reengage_internal.kept_since(interval) TO reengage_operator, reengage_reader, reengage_worker;

CREATE FUNCTION reengage_internal.day_to_close(keep interval) RETURNS date
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT d.day FROM reengage_internal.day_without_manifest() AS d (day)
	WHERE reengage_internal.start_of_day(d.day) < reengage_internal.kept_since(keep)
$$;
COMMENT ON FUNCTION reengage_internal.day_to_close(interval) IS
	'the first day of which something may go, as soon as the manifest has counted it; null: there is none';
GRANT EXECUTE ON FUNCTION reengage_internal.day_to_close(interval) TO reengage_operator;

-- Of a clock that was wrong when the worker started nothing else tells.  What was
-- recorded within a day may have been recorded by it.  Where truly nothing was, what is
-- old waits for another day.
CREATE FUNCTION reengage_internal.clock_is_doubtful() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT reengage_internal.recorded_after('-infinity', now() - interval '8 days') IS NOT NULL
		AND reengage_internal.recorded_after(now() - interval '8 days', now() - interval '1 day') IS NULL
$$;
COMMENT ON FUNCTION reengage_internal.clock_is_doubtful() IS
	'whether lineage ends more than a week ago, but for the last day: the clock may have been set forward while nobody watched it';
GRANT EXECUTE ON FUNCTION reengage_internal.clock_is_doubtful() TO reengage_worker;

CREATE FUNCTION reengage_internal.require_keep(keep interval, max_nudges bigint) RETURNS interval
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	kept interval := coalesce(keep, reengage_internal.retention());
	needed record;
BEGIN
	PERFORM reengage_internal.require_writable('cannot prune on');
	IF max_nudges < 1 THEN
		RAISE EXCEPTION 'invalid max_nudges: %', max_nudges
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It must be 1 or more.';
	END IF;
	IF keep IS NULL AND kept = interval '0' THEN
		RAISE EXCEPTION 'keep must be given, as reengage.retention is 0'
			USING ERRCODE = 'null_value_not_allowed',
				  HINT = 'Say how much is to stay: CALL reengage.prune(keep => ''400 days'');';
	END IF;
	-- as kept_since() has it: intervals themselves are compared with years of 360 days
	IF extract(epoch FROM kept) < 86400 OR extract(epoch FROM kept) > 86400.0 * 36525 THEN
		RAISE EXCEPTION 'invalid keep: %', kept
			USING ERRCODE = 'invalid_parameter_value', DETAIL = 'It must be from a day to 100 years.';
	END IF;
	SELECT * INTO needed FROM reengage_internal.longest_memory();
	IF extract(epoch FROM kept) < extract(epoch FROM needed.lasts) THEN
		RAISE EXCEPTION 'keep is %, and a policy looks back for %', kept, justify_hours(needed.lasts)
			USING ERRCODE = 'invalid_parameter_value',
				  DETAIL = format('It is the %s of a policy of server "%s": without these rows customers would be written to more often than it allows.',
								  needed.of_column, needed.server),
				  HINT = 'Keep at least as much, or shorten the policy first.';
	END IF;
	RETURN kept;
END
$$;
COMMENT ON FUNCTION reengage_internal.require_keep(interval, bigint) IS
	'the arguments of prune(): how much is to be kept; null: as reengage.retention says; an error if that is less than a day, or than what policies look back for';
GRANT EXECUTE ON FUNCTION reengage_internal.require_keep(interval, bigint) TO reengage_operator;

-- Some rows at a time: they are kept until all are read.
CREATE FUNCTION reengage_internal.recorded(since timestamptz, upto timestamptz) RETURNS SETOF reengage.lineage
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
AS $$
	SELECT l.* FROM reengage.lineage l
	WHERE l.lineage_id >= reengage.first_id(since - interval '0.2 s') AND l.lineage_id < reengage.first_id(upto + interval '0.2 s')
	  AND l.recorded_at >= since AND l.recorded_at < upto AND reengage_internal.id_tells(l.lineage_id, l.recorded_at)
	UNION ALL
	SELECT l.* FROM reengage.lineage l
	WHERE l.recorded_at >= since AND l.recorded_at < upto AND NOT reengage_internal.id_tells(l.lineage_id, l.recorded_at)
$$;
COMMENT ON FUNCTION reengage_internal.recorded(timestamptz, timestamptz) IS
	'the rows of lineage that were recorded in a period: those whose ids tell so, and the others';

-- Of nudges whose outcomes were recorded in a period, those that nothing needs any more.
CREATE FUNCTION reengage_internal.prunable(since timestamptz, upto timestamptz, before timestamptz) RETURNS uuid[]
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
COMMENT ON FUNCTION reengage_internal.prunable(timestamptz, timestamptz, timestamptz) IS
	'of the nudges of which lineage has recorded something in a period, those that have ended for good before a time, and of whose threads nothing is due';

CREATE FUNCTION reengage_internal.prunable_imports(since timestamptz, upto timestamptz) RETURNS uuid[]
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
COMMENT ON FUNCTION reengage_internal.prunable_imports(timestamptz, timestamptz) IS
	'of the conversations that import_history() has brought in a period, as rows of lineage, those for which nothing is due';

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

CREATE FUNCTION reengage_internal.let_go(nudge_ids uuid[], imports uuid[], OUT nudges bigint, OUT lineage bigint)
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
COMMENT ON FUNCTION reengage_internal.let_go(uuid[], uuid[]) IS
	'deletes nudges with their lineage, and rows of lineage without one, and writes down what has to be known of them; for whoever holds the lock';

-- A part is of one day, which the manifest has counted: so each day is what the
-- manifest says, less what pruned_days says.
CREATE FUNCTION reengage_internal.prune_part(keep interval, since timestamptz, at_most integer,
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
COMMENT ON FUNCTION reengage_internal.prune_part(interval, timestamptz, integer) IS
	'lets go of nudges and lineage that were recorded since a time, about so many rows, up to pruned_to; null: there are no more that may go now';
GRANT EXECUTE ON FUNCTION reengage_internal.prune_part(interval, timestamptz, integer) TO reengage_operator, reengage_worker;

-- What is beside them: who changed what, imports, and ids that nobody will ask for again.
CREATE FUNCTION reengage_internal.prune_rest(keep interval, at_most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- imports are few; of the others what is old is found by its id or day
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	before timestamptz := reengage_internal.kept_since(keep);
	ids_before date := ((now() - nullif(reengage_internal.tombstone_retention(), interval '0')) AT TIME ZONE 'UTC')::date;
	deleted bigint;
	gone bigint := 0;
BEGIN
	PERFORM reengage_internal.lock('retention', VARIADIC '{}');
	DELETE FROM reengage.changes c WHERE c.ctid = ANY (ARRAY(
		SELECT o.ctid FROM reengage.changes o
		WHERE o.change_id < reengage.first_id(before) AND o.changed_at < before LIMIT at_most));
	GET DIAGNOSTICS deleted = ROW_COUNT;
	gone := gone + deleted;
	DELETE FROM reengage.import_rejects r WHERE r.ctid = ANY (ARRAY(
		SELECT o.ctid FROM reengage.import_runs i CROSS JOIN LATERAL (
			SELECT o.ctid FROM reengage.import_rejects o WHERE o.import_id = i.import_id OFFSET 0) o
		WHERE i.moved_at < before LIMIT at_most));
	GET DIAGNOSTICS deleted = ROW_COUNT;
	gone := gone + deleted;
	DELETE FROM reengage.import_runs i
	WHERE i.moved_at < before AND NOT EXISTS (SELECT FROM reengage.import_rejects r WHERE r.import_id = i.import_id OFFSET 0);
	GET DIAGNOSTICS deleted = ROW_COUNT;
	gone := gone + deleted;
	DELETE FROM reengage.pruned_nudges p WHERE p.ctid = ANY (ARRAY(
		SELECT o.ctid FROM reengage.pruned_nudges o WHERE o.day < ids_before LIMIT at_most));
	GET DIAGNOSTICS deleted = ROW_COUNT;
	RETURN gone + deleted;
END
$$;
COMMENT ON FUNCTION reengage_internal.prune_rest(interval, integer) IS
	'deletes old rows of changes, import_runs and import_rejects, and ids of pruned nudges that have been kept long enough, at most so many of each; returns how many';
GRANT EXECUTE ON FUNCTION reengage_internal.prune_rest(interval, integer) TO reengage_operator, reengage_worker;

CREATE PROCEDURE reengage.prune(keep interval DEFAULT NULL, max_nudges bigint DEFAULT NULL,
	INOUT nudges bigint DEFAULT NULL, INOUT lineage bigint DEFAULT NULL, INOUT others bigint DEFAULT NULL)
LANGUAGE plpgsql
AS $$
-- It commits, so that it cannot carry a search_path: it calls only functions
-- that do, and names its types and operators in full.
DECLARE
	at_once CONSTANT pg_catalog.int4 := 1000;
	next_notice pg_catalog.timestamptz := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) interval '5 s';
	kept pg_catalog.interval;
	part_nudges pg_catalog.int8;
	part_lineage pg_catalog.int8;
	day pg_catalog.date;
	since pg_catalog.timestamptz := '-infinity';
	rest pg_catalog.int8;
BEGIN
	PERFORM reengage_internal.require_own_transaction('reengage.prune()');
	kept := reengage_internal.require_keep(keep, max_nudges);
	nudges := 0;
	lineage := 0;
	others := 0;
	LOOP
		day := reengage_internal.day_to_close(kept);
		EXIT WHEN day IS NULL;
		CALL reengage.close_day(day);
		COMMIT;
	END LOOP;
	LOOP
		SELECT p.nudges, p.lineage, p.pruned_to INTO part_nudges, part_lineage, since
		FROM reengage_internal.prune_part(kept, since, least(at_once, max_nudges OPERATOR(pg_catalog.-) nudges)::pg_catalog.int4) p;
		COMMIT;
		EXIT WHEN since IS NULL;
		nudges := nudges OPERATOR(pg_catalog.+) part_nudges;
		lineage := lineage OPERATOR(pg_catalog.+) part_lineage;
		IF pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>) next_notice THEN
			RAISE NOTICE 'pruned % % and % % of lineage so far, up to %', nudges, reengage_internal.plural(nudges, 'nudge', 'nudges'),
				lineage, reengage_internal.plural(lineage, 'row', 'rows'), since;
			next_notice := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) interval '5 s';
		END IF;
		EXIT WHEN nudges OPERATOR(pg_catalog.>=) max_nudges;
	END LOOP;
	LOOP
		rest := reengage_internal.prune_rest(kept, 10000);
		COMMIT;
		others := others OPERATOR(pg_catalog.+) rest;
		EXIT WHEN rest OPERATOR(pg_catalog.=) 0;
	END LOOP;
END
$$;
COMMENT ON PROCEDURE reengage.prune(interval, bigint, bigint, bigint, bigint) IS
	'lets go of nudges that ended longer ago than keep (null: reengage.retention), with their lineage, by whole days, the oldest first, at most so many; what is due, in doubt, or counted by a policy stays, and so do the ids of nudges and how threads went on; also of old rows of changes and imports; commits as it goes and may be cancelled';
GRANT EXECUTE ON PROCEDURE reengage.prune(interval, bigint, bigint, bigint, bigint) TO reengage_operator;
