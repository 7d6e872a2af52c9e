--
-- Manifest and digest: the proof that all of lineage has arrived elsewhere.
--
ALTER TABLE reengage.lineage_manifest ADD COLUMN column_sums text, ADD COLUMN up_to timestamptz;
COMMENT ON TABLE reengage.lineage_manifest IS
	'what lineage held at the end of each day, and of the running one so far: wherever its rows were replicated to, this tells whether all have arrived; append-only, the newest row of a day counts';
COMMENT ON COLUMN reengage.lineage_manifest.digest IS 'the sum of their lineage_digest(), modulo 2^53; where column_sums is null, of the digest that version 1.0 had, which is over 13 columns';
COMMENT ON COLUMN reengage.lineage_manifest.column_sums IS 'name:sum:placed of each column of lineage that travels, separated by spaces: column_sums() takes it apart; null: version 1.0 counted';
COMMENT ON COLUMN reengage.lineage_manifest.up_to IS 'before when the rows were recorded, of a day that was not over yet; null: the whole day';

CREATE FUNCTION reengage_internal.lineage_digest_1_0(l reengage.lineage) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	-- as version 1.0 had it, and the days that it closed have
	SELECT ('x' || substr(md5(reengage.canonical_bytes(concat_ws('|',
			l.lineage_id, coalesce(l.nudge_id::text, '~'), l.server, l.outcome,
			l.requested_conversation_id, l.conversation_id, coalesce(l.previous_conversation_id, '~'),
			l.root_conversation_id, l.generation, coalesce(l.http_status::text, '~'),
			l.api_calls, l.api_calls_saved, reengage.canonical(l.occurred_at)))), 21, 12))::bit(48)::bigint
$$;
COMMENT ON FUNCTION reengage_internal.lineage_digest_1_0(reengage.lineage) IS
	'the digest that version 1.0 had: of ids, outcome, place in the thread, counts and time; days that it closed are compared by it';
GRANT EXECUTE ON FUNCTION reengage_internal.lineage_digest_1_0(reengage.lineage)
	TO reengage_operator, reengage_reader, reengage_worker;

CREATE TYPE reengage_internal.lineage_sums AS (row_count bigint, digest bigint, column_sums text);
COMMENT ON TYPE reengage_internal.lineage_sums IS 'what a row of the manifest says of rows of lineage';

CREATE FUNCTION reengage_internal.lineage_sums_add(internal, reengage.lineage) RETURNS internal
LANGUAGE C STABLE
AS 'MODULE_PATHNAME', 'reengage_lineage_sums_add';
COMMENT ON FUNCTION reengage_internal.lineage_sums_add(internal, reengage.lineage) IS 'of lineage_sums(): takes in a row';
GRANT EXECUTE ON FUNCTION reengage_internal.lineage_sums_add(internal, reengage.lineage)
	TO reengage_operator, reengage_reader, reengage_worker;

CREATE FUNCTION reengage_internal.lineage_sums_end(internal, reengage.lineage) RETURNS reengage_internal.lineage_sums
LANGUAGE C STABLE
AS 'MODULE_PATHNAME', 'reengage_lineage_sums_end';
COMMENT ON FUNCTION reengage_internal.lineage_sums_end(internal, reengage.lineage) IS 'of lineage_sums(): what it comes to';
GRANT EXECUTE ON FUNCTION reengage_internal.lineage_sums_end(internal, reengage.lineage)
	TO reengage_operator, reengage_reader, reengage_worker;

CREATE AGGREGATE reengage_internal.lineage_sums(reengage.lineage) (
	SFUNC = reengage_internal.lineage_sums_add,
	STYPE = internal,
	FINALFUNC = reengage_internal.lineage_sums_end,
	FINALFUNC_EXTRA
);
COMMENT ON AGGREGATE reengage_internal.lineage_sums(reengage.lineage) IS
	'of rows of lineage: how many, the sum of lineage_digest() modulo 2^53, and sums of the hashes of lineage_values()';
GRANT EXECUTE ON FUNCTION reengage_internal.lineage_sums(reengage.lineage)
	TO reengage_operator, reengage_reader, reengage_worker;

CREATE FUNCTION reengage_internal.add_column_sums(one text, other text, times integer DEFAULT 1) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT string_agg(concat_ws(':', a.column_name, (a.sum + times * b.sum + 2147483647) % 2147483647,
								(a.placed + times * b.placed + 2147483647) % 2147483647), ' ' ORDER BY a.place)
	FROM reengage.column_sums(one) a JOIN reengage.column_sums(other) b ON b.column_name = a.column_name
$$;
COMMENT ON FUNCTION reengage_internal.add_column_sums(text, text, integer) IS
	'the sums of two sets of rows, of the columns that both have, or with -1 of the first without the other; null: one of them has none';
GRANT EXECUTE ON FUNCTION reengage_internal.add_column_sums(text, text, integer) TO reengage_operator, reengage_reader, reengage_worker;

CREATE FUNCTION reengage_internal.count_lineage(since timestamptz, before timestamptz, at_most bigint DEFAULT NULL,
	OUT row_count bigint, OUT digest bigint, OUT column_sums text, OUT measured_to timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
-- along the two indexes, whatever the planner knows of the table
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
AS $$
DECLARE
	sums reengage_internal.lineage_sums;
BEGIN
	measured_to := before;
	IF at_most IS NOT NULL THEN
		-- the rows of one instant stay together, however many they are
		measured_to := least(before, greatest(coalesce(reengage_internal.recorded_after(since, before, at_most), before),
											  since + interval '1 microsecond'));
	END IF;

	SELECT (s.sums).* INTO sums
	FROM (
		SELECT reengage_internal.lineage_sums(d.l) AS sums
		FROM (
			SELECT l FROM reengage.lineage l
			WHERE l.lineage_id >= reengage.first_id(since - interval '0.2 s') AND l.lineage_id < reengage.first_id(measured_to + interval '0.2 s')
			  AND l.recorded_at >= since AND l.recorded_at < measured_to AND reengage_internal.id_tells(l.lineage_id, l.recorded_at)
			  AND l.xact_id <> 0
			UNION ALL
			SELECT l FROM reengage.lineage l
			WHERE l.recorded_at >= since AND l.recorded_at < measured_to AND NOT reengage_internal.id_tells(l.lineage_id, l.recorded_at)
			  AND l.xact_id <> 0) d
		OFFSET 0) s;
	row_count := sums.row_count;
	digest := sums.digest;
	column_sums := sums.column_sums;
END
$$;
COMMENT ON FUNCTION reengage_internal.count_lineage(timestamptz, timestamptz, bigint) IS
	'how many rows of lineage were recorded in a period, the sum of their digests, and the sums of their columns; with at_most only about so many rows, up to measured_to';
GRANT EXECUTE ON FUNCTION reengage_internal.count_lineage(timestamptz, timestamptz, bigint)
	TO reengage_operator, reengage_reader, reengage_worker;

CREATE FUNCTION reengage_internal.count_lineage_1_0(since timestamptz, before timestamptz, OUT row_count bigint, OUT digest bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
AS $$
	SELECT count(*), coalesce(sum(d.digest) % 9007199254740992, 0)::bigint
	FROM (
		SELECT reengage_internal.lineage_digest_1_0(l) AS digest FROM reengage.lineage l
		WHERE l.lineage_id >= reengage.first_id(since - interval '0.2 s') AND l.lineage_id < reengage.first_id(before + interval '0.2 s')
		  AND l.recorded_at >= since AND l.recorded_at < before AND reengage_internal.id_tells(l.lineage_id, l.recorded_at) AND l.xact_id <> 0
		UNION ALL
		SELECT reengage_internal.lineage_digest_1_0(l) FROM reengage.lineage l
		WHERE l.recorded_at >= since AND l.recorded_at < before AND NOT reengage_internal.id_tells(l.lineage_id, l.recorded_at) AND l.xact_id <> 0) d
$$;
COMMENT ON FUNCTION reengage_internal.count_lineage_1_0(timestamptz, timestamptz) IS
	'the same by the digest that version 1.0 had, which tells nothing of single columns';
GRANT EXECUTE ON FUNCTION reengage_internal.count_lineage_1_0(timestamptz, timestamptz)
	TO reengage_operator, reengage_reader, reengage_worker;

-- A row's recorded_at is computed when its transaction has locked lineage, so
-- that nobody else can still record a row of a time before they were looked for.
CREATE FUNCTION reengage_internal.writers_of_lineage(OUT pid integer, OUT since timestamptz) RETURNS SETOF record
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT k.pid, a.xact_start
	FROM pg_locks k LEFT JOIN pg_stat_activity a ON a.pid = k.pid
	WHERE k.locktype = 'relation' AND k.relation = 'reengage.lineage'::regclass
	  AND k.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
	  AND k.mode = 'RowExclusiveLock' AND k.granted
	  AND k.pid IS DISTINCT FROM pg_backend_pid()
$$;
COMMENT ON FUNCTION reengage_internal.writers_of_lineage() IS
	'other transactions that have written to lineage, and since when they run; null: of a prepared transaction, and of one that is not tracked, nobody knows when it began';
GRANT EXECUTE ON FUNCTION reengage_internal.writers_of_lineage() TO reengage_worker;

CREATE OR REPLACE FUNCTION reengage_internal.day_held_open_by(day date) RETURNS text
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT string_agg(coalesce('process ' || w.pid, 'a prepared transaction')
					  || coalesce(' (transaction since ' || to_char(w.since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC)', ''),
					  ', ' ORDER BY w.since, w.pid)
	FROM reengage_internal.writers_of_lineage() w
	WHERE coalesce(w.since, '-infinity') < reengage_internal.start_of_day(day + 1)
$$;

CREATE FUNCTION reengage_internal.recorded_up_to() RETURNS timestamptz
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	-- before the writers are looked for
	asked_at timestamptz := clock_timestamp();
BEGIN
	RETURN least(asked_at, (SELECT min(coalesce(w.since, '-infinity')) FROM reengage_internal.writers_of_lineage() w));
END
$$;
COMMENT ON FUNCTION reengage_internal.recorded_up_to() IS
	'the time before which no other transaction can still record a row of lineage; -infinity: of one nobody knows when it began';

-- The rows that came from another node are in the manifest of that node.
CREATE FUNCTION reengage_internal.has_own_lineage(day date) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
AS $$
	SELECT EXISTS (
		SELECT FROM reengage.lineage l
		WHERE l.lineage_id >= reengage.first_id(reengage_internal.start_of_day(day) - interval '0.2 s')
		  AND l.lineage_id < reengage.first_id(reengage_internal.start_of_day(day + 1) + interval '0.2 s')
		  AND l.recorded_at >= reengage_internal.start_of_day(day) AND l.recorded_at < reengage_internal.start_of_day(day + 1)
		  AND reengage_internal.id_tells(l.lineage_id, l.recorded_at) AND l.xact_id <> 0
		UNION ALL
		SELECT FROM reengage.lineage l
		WHERE l.recorded_at >= reengage_internal.start_of_day(day) AND l.recorded_at < reengage_internal.start_of_day(day + 1)
		  AND NOT reengage_internal.id_tells(l.lineage_id, l.recorded_at) AND l.xact_id <> 0)
$$;
COMMENT ON FUNCTION reengage_internal.has_own_lineage(date) IS
	'whether a day has rows of lineage that were recorded here';
GRANT EXECUTE ON FUNCTION reengage_internal.has_own_lineage(date) TO reengage_operator, reengage_worker;

CREATE OR REPLACE FUNCTION reengage_internal.day_without_manifest() RETURNS date
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	-- from day to day that has rows
	WITH RECURSIVE recorded (day) AS (
		SELECT (reengage_internal.recorded_after('0001-01-01 00:00+00', 'infinity') AT TIME ZONE 'UTC')::date
		UNION ALL
		SELECT (reengage_internal.recorded_after(reengage_internal.start_of_day(r.day + 1), 'infinity') AT TIME ZONE 'UTC')::date
		FROM recorded r WHERE reengage_internal.start_of_day(r.day + 1) <= now()
	)
	SELECT r.day FROM recorded r
	WHERE reengage_internal.start_of_day(r.day + 1) <= now()
	  AND NOT EXISTS (SELECT FROM reengage.lineage_manifest m WHERE m.day = to_char(r.day, 'YYYY-MM-DD') AND m.up_to IS NULL OFFSET 0)
	  AND reengage_internal.has_own_lineage(r.day)
	ORDER BY r.day LIMIT 1
$$;
COMMENT ON FUNCTION reengage_internal.day_without_manifest() IS
	'the first day that has ended, has rows in lineage that were recorded here, and none of the whole day in the manifest';

-- What was measured before somebody was forgotten has what is gone: so whoever
-- counts in several transactions says how many erasures there were before.
DROP FUNCTION reengage_internal.record_manifest(date, bigint, bigint);
CREATE FUNCTION reengage_internal.record_manifest(day date, row_count bigint, digest bigint, column_sums text,
	up_to timestamptz DEFAULT NULL, erasures bigint DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	name text := to_char(day, 'YYYY-MM-DD');
	newest reengage.lineage_manifest;
BEGIN
	-- the worker and a session may close the same day, and forget() changes what is counted
	LOCK TABLE reengage.lineage_manifest IN SHARE ROW EXCLUSIVE MODE;
	IF erasures <> (SELECT count(*) FROM reengage.erasures) THEN
		RETURN false;
	END IF;
	SELECT * INTO newest FROM reengage.lineage_manifest m
	WHERE m.day = name ORDER BY m.as_of DESC, m.manifest_id DESC LIMIT 1;
	IF (newest.row_count, newest.digest, coalesce(newest.column_sums, ''), coalesce(newest.up_to, 'infinity'))
		= (record_manifest.row_count, record_manifest.digest, coalesce(record_manifest.column_sums, ''), coalesce(record_manifest.up_to, 'infinity')) THEN
		RETURN false;
	END IF;
	IF newest.row_count > record_manifest.row_count AND coalesce(newest.up_to, 'infinity') <= coalesce(record_manifest.up_to, 'infinity') THEN
		RAISE EXCEPTION 'rows of day % have vanished', name
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = format('There were %s at %s UTC, and there are %s.', newest.row_count,
								  to_char(newest.as_of AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), record_manifest.row_count),
				  HINT = 'Its manifest stays as it is: what was replicated has them still.';
	END IF;
	INSERT INTO reengage.lineage_manifest (day, as_of, row_count, digest, column_sums, up_to)
	VALUES (name,
			-- also if the clock was set back
			greatest(clock_timestamp(), newest.as_of + interval '1 microsecond'),
			record_manifest.row_count, record_manifest.digest, record_manifest.column_sums, record_manifest.up_to);
	RETURN true;
END
$$;
COMMENT ON FUNCTION reengage_internal.record_manifest(date, bigint, bigint, text, timestamptz, bigint) IS
	'writes a row of the manifest, unless the newest of the day says the same, or somebody was forgotten since there were so many erasures; returns whether it did';
GRANT EXECUTE ON FUNCTION reengage_internal.record_manifest(date, bigint, bigint, text, timestamptz, bigint) TO reengage_worker;

-- Of one snapshot, as prune() may be at the day.
CREATE FUNCTION reengage_internal.count_day(day date) RETURNS reengage_internal.lineage_sums
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	since timestamptz := reengage_internal.start_of_day(day);
	before timestamptz := reengage_internal.start_of_day(day + 1);
	pruned reengage.pruned_days;
	counted reengage_internal.lineage_sums;
BEGIN
	SELECT * INTO pruned FROM reengage.pruned_days p WHERE p.day = to_char(count_day.day, 'YYYY-MM-DD');
	IF pruned.row_count > 0 AND pruned.column_sums IS NULL THEN
		-- version 1.0 let go of rows of which nobody knows more any more
		SELECT c.row_count, c.digest, NULL INTO counted FROM reengage_internal.count_lineage_1_0(since, before) c;
	ELSE
		SELECT c.row_count, c.digest, c.column_sums INTO counted FROM reengage_internal.count_lineage(since, before) c;
	END IF;
	IF pruned.row_count > 0 THEN
		counted.row_count := counted.row_count + pruned.row_count;
		counted.digest := (counted.digest + pruned.digest) % 9007199254740992;
		counted.column_sums := reengage_internal.add_column_sums(counted.column_sums, pruned.column_sums);
	END IF;
	RETURN counted;
END
$$;
COMMENT ON FUNCTION reengage_internal.count_day(date) IS
	'what the manifest is to say of a day: of its rows that are here, and of those that prune() has let go';

CREATE OR REPLACE PROCEDURE reengage.close_day(
	day date DEFAULT (pg_catalog.now() AT TIME ZONE 'UTC')::pg_catalog.date OPERATOR(pg_catalog.-) 1)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	name text := to_char(day, 'YYYY-MM-DD');
	holders text;
	counted reengage_internal.lineage_sums;
BEGIN
	IF day IS NULL OR NOT day BETWEEN '0001-01-01' AND '9999-12-30' THEN
		RAISE EXCEPTION 'invalid day: %', coalesce(day::text, 'null')
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	PERFORM reengage_internal.require_writable('cannot close a day on');
	-- what others commit while it is called must be seen
	PERFORM reengage_internal.require_read_committed('a day cannot be closed');
	IF reengage_internal.start_of_day(day + 1) > now() THEN
		RAISE EXCEPTION 'day % has not ended', name
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = format('It ends at midnight in UTC, and the transaction began at %s.',
								  to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')),
				  HINT = 'Call it when the day has ended, or close_part(), which counts what it has so far; the worker closes days by itself.';
	END IF;
	holders := reengage_internal.day_held_open_by(day);
	IF holders IS NOT NULL THEN
		RAISE EXCEPTION 'day % is still open', name
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = format('Rows of it may be about to be committed by %s.', holders),
				  HINT = 'Call it again when they have ended.';
	END IF;

	LOCK TABLE reengage.lineage_manifest IN SHARE ROW EXCLUSIVE MODE;
	counted := reengage_internal.count_day(day);
	IF NOT reengage_internal.record_manifest(day, counted.row_count, counted.digest, counted.column_sums) THEN
		RAISE NOTICE 'day % was closed before, and nothing has changed', name;
	END IF;
END
$$;
COMMENT ON PROCEDURE reengage.close_day(date) IS
	'writes down how many rows of lineage were recorded on a day of UTC (without one: yesterday), the sum of their digests, and sums of each column; once more if rows came late. The worker does so by itself for each day that has no row yet';

CREATE PROCEDURE reengage.close_part()
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	day date;
	name text;
	counted_to timestamptz;
	counted record;
BEGIN
	PERFORM reengage_internal.require_writable('cannot close a part of a day on');
	PERFORM reengage_internal.require_read_committed('a part of a day cannot be closed');
	day := (clock_timestamp() AT TIME ZONE 'UTC')::date;
	name := to_char(day, 'YYYY-MM-DD');
	-- at midnight the next day may have begun meanwhile
	counted_to := least(reengage_internal.recorded_up_to(), reengage_internal.start_of_day(day + 1));
	IF counted_to <= reengage_internal.start_of_day(day) THEN
		RAISE EXCEPTION 'nothing of day % can be counted yet', name
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = format('Rows of all of it may be about to be committed by %s.', reengage_internal.day_held_open_by(day - 1)),
				  HINT = 'Call it again when they have ended.';
	END IF;

	LOCK TABLE reengage.lineage_manifest IN SHARE ROW EXCLUSIVE MODE;
	-- the other way around, a clock was set back, or one who came later began earlier
	IF EXISTS (SELECT FROM reengage.lineage_manifest m WHERE m.day = name AND coalesce(m.up_to, 'infinity') >= counted_to) THEN
		RAISE NOTICE 'day % was counted up to this time before', name;
		RETURN;
	END IF;
	SELECT * INTO counted FROM reengage_internal.count_lineage(reengage_internal.start_of_day(day), counted_to);
	PERFORM reengage_internal.record_manifest(day, counted.row_count, counted.digest, counted.column_sums, counted_to);
END
$$;
COMMENT ON PROCEDURE reengage.close_part() IS
	'writes down what close_day() does, of the running day so far: up to the time before which no transaction can still record a row; to be called each hour, or when somebody wants to compare now';
GRANT EXECUTE ON PROCEDURE reengage.close_part() TO reengage_operator;
