--
-- Manifest and digest: the proof that all of lineage has arrived elsewhere.
--
CREATE TABLE reengage.lineage_manifest (
	manifest_id uuid NOT NULL DEFAULT reengage.uuid_v7(),
	day text NOT NULL,
	as_of timestamptz NOT NULL,
	row_count bigint NOT NULL,
	digest bigint NOT NULL,
	CONSTRAINT lineage_manifest_pkey PRIMARY KEY (manifest_id),
	CONSTRAINT lineage_manifest_day_check CHECK (day ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$')
);
CREATE INDEX lineage_manifest_day ON reengage.lineage_manifest (day, as_of);
COMMENT ON TABLE reengage.lineage_manifest IS
	'what lineage held at the end of each day: wherever its rows were replicated to, this tells whether all have arrived; append-only, the newest row of a day counts';
COMMENT ON COLUMN reengage.lineage_manifest.manifest_id IS 'identity of the row, ordered by time';
COMMENT ON COLUMN reengage.lineage_manifest.day IS 'YYYY-MM-DD: the day, in UTC, of lineage.recorded_at';
COMMENT ON COLUMN reengage.lineage_manifest.as_of IS 'when it was written; later than that of any earlier row of the day';
COMMENT ON COLUMN reengage.lineage_manifest.row_count IS 'rows of lineage that were recorded on that day';
COMMENT ON COLUMN reengage.lineage_manifest.digest IS 'the sum of their lineage_digest(), modulo 2^53';
SELECT pg_catalog.pg_extension_config_dump('reengage.lineage_manifest', '');
GRANT SELECT ON reengage.lineage_manifest TO reengage_operator, reengage_reader, reengage_worker;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON reengage.lineage_manifest
	FOR EACH STATEMENT EXECUTE FUNCTION reengage_internal.refuse_change();

CREATE FUNCTION reengage.lineage_digest(l reengage.lineage) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	-- The same text, in UTF-8, is hashed in Snowflake.  The bytes of a database
	-- without an encoding are taken as they are.  A column that is added stays out, or
	-- the digests of days that the manifest has would not agree any more.
	SELECT ('x' || substr(md5(convert_to(concat_ws('|',
			l.lineage_id, coalesce(l.nudge_id::text, '~'), l.server, l.outcome,
			l.requested_conversation_id, l.conversation_id, coalesce(l.previous_conversation_id, '~'),
			l.root_conversation_id, l.generation, coalesce(l.http_status::text, '~'),
			l.api_calls, l.api_calls_saved, (extract(epoch FROM l.occurred_at) * 1000000)::bigint),
		CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END)), 21, 12))::bit(48)::bigint
$$;
COMMENT ON FUNCTION reengage.lineage_digest(reengage.lineage) IS
	'a number for a row of lineage that other systems can compute alike: the low 48 bits of the MD5 of its ids, outcome, place in the thread, counts and time';
GRANT EXECUTE ON FUNCTION reengage.lineage_digest(reengage.lineage)
	TO reengage_operator, reengage_reader, reengage_worker;

CREATE FUNCTION reengage_internal.start_of_day(day date) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT day::timestamp AT TIME ZONE 'UTC' $$;
COMMENT ON FUNCTION reengage_internal.start_of_day(date) IS 'midnight in UTC, with which a day of the manifest begins';
GRANT EXECUTE ON FUNCTION reengage_internal.start_of_day(date) TO reengage_operator, reengage_reader, reengage_worker;

-- By id, and those whose id tells another time.  Each look has a margin of what
-- id_tells() tolerates.
CREATE FUNCTION reengage_internal.recorded_after(since timestamptz, before timestamptz, skipped bigint DEFAULT 0)
RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
-- along the two indexes, whatever the planner knows of the table
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
AS $$
DECLARE
	by_id record;
BEGIN
	SELECT l.lineage_id, l.recorded_at INTO by_id FROM reengage.lineage l
	WHERE l.lineage_id >= reengage.first_id(since - interval '0.2 s') AND l.lineage_id < reengage.first_id(before + interval '0.2 s')
	  AND l.recorded_at >= since AND l.recorded_at < before AND reengage_internal.id_tells(l.lineage_id, l.recorded_at)
	ORDER BY l.lineage_id OFFSET skipped LIMIT 1;
	-- of two ids that were made at once, the second may be of the row that was recorded first
	RETURN least(
		(SELECT min(l.recorded_at) FROM reengage.lineage l
		 WHERE l.lineage_id >= by_id.lineage_id AND l.lineage_id < reengage.first_id(by_id.recorded_at + interval '0.2 s')
		   AND l.recorded_at >= since AND reengage_internal.id_tells(l.lineage_id, l.recorded_at)),
		(SELECT l.recorded_at FROM reengage.lineage l
		 WHERE l.recorded_at >= since AND l.recorded_at < before AND NOT reengage_internal.id_tells(l.lineage_id, l.recorded_at)
		 ORDER BY l.recorded_at OFFSET skipped LIMIT 1));
END
$$;
COMMENT ON FUNCTION reengage_internal.recorded_after(timestamptz, timestamptz, bigint) IS
	'when of a period the first row of lineage was recorded; with skipped, a time before which about so many were, twice as many at most; null: there are no more';
GRANT EXECUTE ON FUNCTION reengage_internal.recorded_after(timestamptz, timestamptz, bigint)
	TO reengage_operator, reengage_reader, reengage_worker;

CREATE FUNCTION reengage_internal.measure_lineage(since timestamptz, before timestamptz, at_most bigint DEFAULT NULL,
	OUT row_count bigint, OUT digest bigint, OUT measured_to timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
-- along the two indexes, whatever the planner knows of the table
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
AS $$
BEGIN
	measured_to := before;
	IF at_most IS NOT NULL THEN
		-- the rows of one instant stay together, however many they are
		measured_to := least(before, greatest(coalesce(reengage_internal.recorded_after(since, before, at_most), before),
											  since + interval '1 microsecond'));
	END IF;

	SELECT count(*), coalesce(sum(d.digest) % 9007199254740992, 0)
	INTO row_count, digest
	FROM (
		SELECT reengage.lineage_digest(l) AS digest FROM reengage.lineage l
		WHERE l.lineage_id >= reengage.first_id(since - interval '0.2 s') AND l.lineage_id < reengage.first_id(measured_to + interval '0.2 s')
		  AND l.recorded_at >= since AND l.recorded_at < measured_to AND reengage_internal.id_tells(l.lineage_id, l.recorded_at)
		UNION ALL
		SELECT reengage.lineage_digest(l) FROM reengage.lineage l
		WHERE l.recorded_at >= since AND l.recorded_at < measured_to AND NOT reengage_internal.id_tells(l.lineage_id, l.recorded_at)) d;
END
$$;
COMMENT ON FUNCTION reengage_internal.measure_lineage(timestamptz, timestamptz, bigint) IS
	'how many rows of lineage were recorded in a period, and the sum of their digests modulo 2^53; with at_most only about so many rows, up to measured_to';
GRANT EXECUTE ON FUNCTION reengage_internal.measure_lineage(timestamptz, timestamptz, bigint)
	TO reengage_operator, reengage_reader, reengage_worker;

-- A row's recorded_at is computed when its transaction has locked lineage, so
-- that nobody else can still record a row of that day.
CREATE FUNCTION reengage_internal.day_held_open_by(day date) RETURNS text
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT string_agg(coalesce('process ' || k.pid, 'a prepared transaction')
					  || coalesce(' (transaction since ' || to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC)', ''),
					  ', ' ORDER BY a.xact_start, k.pid)
	FROM pg_locks k LEFT JOIN pg_stat_activity a ON a.pid = k.pid
	WHERE k.locktype = 'relation' AND k.relation = 'reengage.lineage'::regclass
	  AND k.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
	  AND k.mode = 'RowExclusiveLock' AND k.granted
	  AND k.pid IS DISTINCT FROM pg_backend_pid()
	  -- of a prepared transaction, and of one that is not tracked, nobody knows when it began
	  AND coalesce(a.xact_start, '-infinity') < reengage_internal.start_of_day(day + 1)
$$;
COMMENT ON FUNCTION reengage_internal.day_held_open_by(date) IS
	'the transactions that began before the end of a day (or nobody knows when) and have written to lineage: their rows of that day cannot be counted yet; null: there is none';
GRANT EXECUTE ON FUNCTION reengage_internal.day_held_open_by(date) TO reengage_worker;

CREATE FUNCTION reengage_internal.day_without_manifest() RETURNS date
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	-- from day to day that has rows
	WITH RECURSIVE recorded (day) AS (
		SELECT (reengage_internal.recorded_after('0001-01-01 00:00+00', 'infinity') AT TIME ZONE 'UTC')::date
		UNION ALL
		SELECT (reengage_internal.recorded_after(reengage_internal.start_of_day(r.day + 1), 'infinity') AT TIME ZONE 'UTC')::date
		FROM recorded r WHERE reengage_internal.start_of_day(r.day + 1) <= now()
	)
	SELECT min(r.day) FROM recorded r
	WHERE reengage_internal.start_of_day(r.day + 1) <= now()
	  AND NOT EXISTS (SELECT FROM reengage.lineage_manifest m WHERE m.day = to_char(r.day, 'YYYY-MM-DD') OFFSET 0)
$$;
COMMENT ON FUNCTION reengage_internal.day_without_manifest() IS
	'the first day that has ended, has rows in lineage, and none in the manifest';
GRANT EXECUTE ON FUNCTION reengage_internal.day_without_manifest() TO reengage_worker;

CREATE FUNCTION reengage_internal.record_manifest(day date, row_count bigint, digest bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	name text := to_char(day, 'YYYY-MM-DD');
	newest reengage.lineage_manifest;
BEGIN
	-- the worker and a session may close the same day
	LOCK TABLE reengage.lineage_manifest IN SHARE ROW EXCLUSIVE MODE;
	SELECT * INTO newest FROM reengage.lineage_manifest m
	WHERE m.day = name ORDER BY m.as_of DESC, m.manifest_id DESC LIMIT 1;
	IF newest.row_count = record_manifest.row_count AND newest.digest = record_manifest.digest THEN
		RETURN false;
	END IF;
	IF newest.row_count > record_manifest.row_count THEN
		RAISE EXCEPTION 'rows of day % have vanished', name
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = format('There were %s at %s UTC, and there are %s.', newest.row_count,
								  to_char(newest.as_of AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), record_manifest.row_count),
				  HINT = 'Its manifest stays as it is: what was replicated has them still.';
	END IF;
	INSERT INTO reengage.lineage_manifest (day, as_of, row_count, digest)
	VALUES (name,
			-- also if the clock was set back
			greatest(clock_timestamp(), newest.as_of + interval '1 microsecond'),
			record_manifest.row_count, record_manifest.digest);
	RETURN true;
END
$$;
COMMENT ON FUNCTION reengage_internal.record_manifest(date, bigint, bigint) IS
	'writes a row of the manifest, unless the newest of the day says the same; returns whether it did';
GRANT EXECUTE ON FUNCTION reengage_internal.record_manifest(date, bigint, bigint) TO reengage_worker;

CREATE PROCEDURE reengage.close_day(
	day date DEFAULT (pg_catalog.now() AT TIME ZONE 'UTC')::pg_catalog.date OPERATOR(pg_catalog.-) 1)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	name text := to_char(day, 'YYYY-MM-DD');
	holders text;
	counted record;
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
				  HINT = 'Call it when the day has ended; the worker closes days by itself.';
	END IF;
	holders := reengage_internal.day_held_open_by(day);
	IF holders IS NOT NULL THEN
		RAISE EXCEPTION 'day % is still open', name
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = format('Rows of it may be about to be committed by %s.', holders),
				  HINT = 'Call it again when they have ended.';
	END IF;

	LOCK TABLE reengage.lineage_manifest IN SHARE ROW EXCLUSIVE MODE;
	SELECT m.row_count + coalesce(p.row_count, 0) AS row_count, (m.digest + coalesce(p.digest, 0)) % 9007199254740992 AS digest INTO counted
	FROM reengage_internal.measure_lineage(reengage_internal.start_of_day(day), reengage_internal.start_of_day(day + 1)) m
		LEFT JOIN reengage.pruned_days p ON p.day = name;
	IF NOT reengage_internal.record_manifest(day, counted.row_count, counted.digest) THEN
		RAISE NOTICE 'day % was closed before, and nothing has changed', name;
	END IF;
END
$$;
COMMENT ON PROCEDURE reengage.close_day(date) IS
	'writes down how many rows of lineage were recorded on a day of UTC (without one: yesterday), and the sum of their digests; once more if rows came late. The worker does so by itself for each day that has no row yet';
GRANT EXECUTE ON PROCEDURE reengage.close_day(date) TO reengage_operator;

CREATE VIEW reengage.reconciliation AS
SELECT m.day,
	CASE
		WHEN m.row_count > c.row_count + p.row_count THEN 'rows are missing'
		WHEN m.row_count < c.row_count + p.row_count THEN 'more rows than counted'
		WHEN m.digest <> (c.digest + p.digest) % 9007199254740992 THEN 'a row differs'
		WHEN p.row_count > 0 THEN 'pruned'
		ELSE 'equal'
	END AS state,
	m.row_count AS rows_counted, c.row_count AS rows_here, p.row_count AS rows_pruned,
	m.digest AS digest_counted, c.digest AS digest_here, p.digest AS digest_pruned, m.as_of
FROM (SELECT DISTINCT ON (n.day) * FROM reengage.lineage_manifest n
	  ORDER BY n.day, n.as_of DESC, n.manifest_id DESC) m
	CROSS JOIN LATERAL reengage_internal.measure_lineage(
		reengage_internal.start_of_day(m.day::pg_catalog.date),
		reengage_internal.start_of_day(m.day::pg_catalog.date OPERATOR(pg_catalog.+) 1)) c
	LEFT JOIN reengage.pruned_days d ON d.day = m.day
	CROSS JOIN LATERAL (SELECT coalesce(d.row_count, 0) AS row_count, coalesce(d.digest, 0) AS digest) p;
COMMENT ON VIEW reengage.reconciliation IS
	'for each closed day: what the manifest says and what lineage holds here, in the database that wrote it or in one that the rows were replicated to; reads all rows of the days that are asked for';
COMMENT ON COLUMN reengage.reconciliation.day IS 'YYYY-MM-DD, in UTC';
COMMENT ON COLUMN reengage.reconciliation.state IS
	'equal; pruned (what is here and what was pruned make what was counted); rows are missing; more rows than counted (they came late: close_day() counts again); a row differs';
COMMENT ON COLUMN reengage.reconciliation.rows_counted IS 'rows, by the newest row of the manifest';
COMMENT ON COLUMN reengage.reconciliation.rows_here IS 'rows that are here';
COMMENT ON COLUMN reengage.reconciliation.rows_pruned IS 'rows that prune() has let go, where it did so';
COMMENT ON COLUMN reengage.reconciliation.digest_counted IS 'the sum of their digests, by the manifest';
COMMENT ON COLUMN reengage.reconciliation.digest_here IS 'the sum of the digests here';
COMMENT ON COLUMN reengage.reconciliation.digest_pruned IS 'the sum of the digests of what was pruned';
COMMENT ON COLUMN reengage.reconciliation.as_of IS 'when the row of the manifest was written';
GRANT SELECT ON reengage.reconciliation TO reengage_operator, reengage_reader;
