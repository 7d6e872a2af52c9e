--
-- What the manifest says, and what is here: day by day, column by column, row by row.
--
-- The place of a row is the hash of its id.  A column's sums are of d, the hash of a
-- value, and of its product with the place, modulo a prime: so if one row differs in a
-- column, the difference of the second is that of the first times its place; and if
-- one row is missing, the difference of the ids' sum is its place.  That needs no
-- second copy of the rows.
CREATE FUNCTION reengage_internal.compare_sums(counted text, here text)
RETURNS TABLE (place integer, column_name text, sum bigint, placed bigint)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT c.place, c.column_name, (h.sum - c.sum + 2147483647) % 2147483647, (h.placed - c.placed + 2147483647) % 2147483647
	FROM reengage.column_sums(counted) c JOIN reengage.column_sums(here) h ON h.column_name = c.column_name
	WHERE (h.sum, h.placed) <> (c.sum, c.placed)
$$;
COMMENT ON FUNCTION reengage_internal.compare_sums(text, text) IS
	'the columns whose sums differ, and by how much, modulo 2147483647';
GRANT EXECUTE ON FUNCTION reengage_internal.compare_sums(text, text) TO reengage_operator, reengage_reader;

-- What is here of what a row of the manifest has counted: where rows of several nodes are
-- collected (48_collector.sql), these three are other ones.
CREATE FUNCTION reengage_internal.count_of(m reengage.lineage_manifest, OUT row_count bigint, OUT digest bigint, OUT column_sums text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	since timestamptz := reengage_internal.start_of_day(m.day::date);
	before timestamptz := coalesce(m.up_to, reengage_internal.start_of_day(m.day::date + 1));
BEGIN
	IF m.column_sums IS NULL THEN
		SELECT c.row_count, c.digest INTO row_count, digest FROM reengage_internal.count_lineage_1_0(since, before) c;
	ELSE
		SELECT c.row_count, c.digest, c.column_sums INTO row_count, digest, column_sums FROM reengage_internal.count_lineage(since, before) c;
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.count_of(reengage.lineage_manifest) IS
	'the rows that a row of the manifest has counted, as they are here: how many, and the sums of the same kind';
GRANT EXECUTE ON FUNCTION reengage_internal.count_of(reengage.lineage_manifest) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.pruned_of(m reengage.lineage_manifest) RETURNS reengage.pruned_days
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT p FROM reengage.pruned_days p WHERE p.day = m.day
$$;
COMMENT ON FUNCTION reengage_internal.pruned_of(reengage.lineage_manifest) IS
	'of the rows that a row of the manifest has counted, those that prune() has let go here; null: none';
GRANT EXECUTE ON FUNCTION reengage_internal.pruned_of(reengage.lineage_manifest) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.compare_day(m reengage.lineage_manifest, OUT state text, OUT rows_here bigint, OUT rows_pruned bigint,
	OUT digest_here bigint, OUT digest_pruned bigint, OUT columns_differ text, OUT covers text, OUT sums text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	pruned reengage.pruned_days := reengage_internal.pruned_of(m);
	same_digest boolean;
	comparable boolean;
BEGIN
	rows_pruned := coalesce(pruned.row_count, 0);
	digest_pruned := coalesce(pruned.digest, 0);
	comparable := rows_pruned = 0 OR (pruned.column_sums IS NULL) = (m.column_sums IS NULL);
	SELECT c.row_count, c.digest, c.column_sums INTO rows_here, digest_here, sums FROM reengage_internal.count_of(m) c;
	IF m.column_sums IS NULL THEN
		covers := '13 columns';
	ELSE
		covers := (SELECT count(*) FROM reengage.column_sums(m.column_sums)) || ' columns';
		IF rows_pruned > 0 THEN
			sums := reengage_internal.add_column_sums(sums, pruned.column_sums);
		END IF;
	END IF;
	IF NOT comparable THEN
		covers := 'row count';
	END IF;
	same_digest := NOT comparable OR m.digest = (digest_here + digest_pruned) % 9007199254740992;
	IF m.row_count = rows_here + rows_pruned THEN
		-- where ids differ, so do the places of all values
		columns_differ := (SELECT string_agg(d.column_name, ', ' ORDER BY d.place)
						   FROM (SELECT s.*, bool_or(s.column_name = 'lineage_id' AND s.sum <> 0) OVER () AS ids_differ
								 FROM reengage_internal.compare_sums(m.column_sums, sums) s) d
						   WHERE d.sum <> 0 OR NOT d.ids_differ);
	END IF;
	state := CASE
		WHEN m.row_count > rows_here + rows_pruned THEN 'rows are missing'
		WHEN m.row_count < rows_here + rows_pruned THEN 'more rows than counted'
		WHEN NOT same_digest OR columns_differ IS NOT NULL THEN 'a row differs'
		WHEN rows_pruned > 0 THEN 'pruned'
		WHEN m.up_to IS NOT NULL THEN 'equal so far'
		ELSE 'equal'
	END;
END
$$;
COMMENT ON FUNCTION reengage_internal.compare_day(reengage.lineage_manifest) IS
	'what a row of the manifest says, and what is here; the columns of reconciliation, and the sums of what is here and of what was pruned';
GRANT EXECUTE ON FUNCTION reengage_internal.compare_day(reengage.lineage_manifest) TO reengage_operator, reengage_reader;

CREATE OR REPLACE VIEW reengage.reconciliation AS
SELECT m.day, c.state, (m.newest).row_count AS rows_counted, c.rows_here, c.rows_pruned,
	(m.newest).digest AS digest_counted, c.digest_here, c.digest_pruned, (m.newest).as_of, c.columns_differ, (m.newest).up_to, c.covers
FROM (SELECT DISTINCT ON (n.day) n.day, n AS newest FROM reengage.lineage_manifest n
	  ORDER BY n.day, n.as_of DESC, n.manifest_id DESC) m
	CROSS JOIN LATERAL reengage_internal.compare_day(m.newest) c;
COMMENT ON VIEW reengage.reconciliation IS
	'for each closed day, and the running one as far as close_part() has counted it: what the manifest says and what lineage holds here, in the database that wrote it or in one that the rows were replicated to; reads all rows of the days that are asked for';
COMMENT ON COLUMN reengage.reconciliation.state IS
	'equal; equal so far (up to up_to); pruned (what is here and what was pruned make what was counted); rows are missing; more rows than counted (they came late: close_day() counts again); a row differs';
COMMENT ON COLUMN reengage.reconciliation.columns_differ IS
	'of a day with as many rows as counted the columns whose values differ, or have changed places between rows; null: none; reconciliation_rows tells the rows';
COMMENT ON COLUMN reengage.reconciliation.up_to IS 'before when the rows were recorded that are compared; null: the whole day';
COMMENT ON COLUMN reengage.reconciliation.covers IS
	'what is compared: 32 columns; 13 columns, where version 1.0 closed the day, until close_day() does so again; row count, where it let go of rows of a day that was closed again elsewhere';

CREATE FUNCTION reengage_internal.places(since timestamptz, before timestamptz) RETURNS TABLE (lineage_id uuid, place bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
AS $$
	SELECT l.lineage_id, reengage.canonical_hash(reengage.canonical(l.lineage_id)) FROM reengage.lineage l
	WHERE l.lineage_id >= reengage.first_id(since - interval '0.2 s') AND l.lineage_id < reengage.first_id(before + interval '0.2 s')
	  AND l.recorded_at >= since AND l.recorded_at < before AND reengage_internal.id_tells(l.lineage_id, l.recorded_at) AND l.xact_id <> 0
	UNION ALL
	SELECT l.lineage_id, reengage.canonical_hash(reengage.canonical(l.lineage_id)) FROM reengage.lineage l
	WHERE l.recorded_at >= since AND l.recorded_at < before AND NOT reengage_internal.id_tells(l.lineage_id, l.recorded_at) AND l.xact_id <> 0
$$;
COMMENT ON FUNCTION reengage_internal.places(timestamptz, timestamptz) IS
	'the rows of lineage that were recorded in a period, each with its place: the hash of its id';
GRANT EXECUTE ON FUNCTION reengage_internal.places(timestamptz, timestamptz) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.places_of(m reengage.lineage_manifest) RETURNS TABLE (lineage_id uuid, place bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT p.lineage_id, p.place
	FROM reengage_internal.places(reengage_internal.start_of_day(m.day::date), coalesce(m.up_to, reengage_internal.start_of_day(m.day::date + 1))) p
$$;
COMMENT ON FUNCTION reengage_internal.places_of(reengage.lineage_manifest) IS
	'the rows that a row of the manifest has counted, as they are here, each with its place';
GRANT EXECUTE ON FUNCTION reengage_internal.places_of(reengage.lineage_manifest) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage.find_lineage(day date, place bigint) RETURNS SETOF reengage.lineage
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT l.* FROM reengage.lineage l
	WHERE l.lineage_id = ANY (ARRAY(
		SELECT p.lineage_id
		FROM reengage_internal.places(reengage_internal.start_of_day(day), reengage_internal.start_of_day(day + 1)) p
		WHERE p.place = find_lineage.place))
$$;
COMMENT ON FUNCTION reengage.find_lineage(date, bigint) IS
	'the row of lineage of a day whose place somebody else misses, by reconciliation_rows there: canonical_hash() of its id; of a great many rows two may have the same';
GRANT EXECUTE ON FUNCTION reengage.find_lineage(date, bigint) TO reengage_operator, reengage_reader;

-- The difference of the squares of two places is that of the places times their sum:
-- so of a row that stands in for another both are known.
CREATE FUNCTION reengage_internal.locate_rows(m reengage.lineage_manifest, sums text, too_many bigint)
RETURNS TABLE (column_name text, lineage_id uuid, finding text, place bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	WITH difference AS MATERIALIZED (
		SELECT s.*, bool_or(s.column_name = 'lineage_id' AND s.sum <> 0) OVER () AS ids_differ
		FROM reengage_internal.compare_sums(m.column_sums, sums) s
	), here AS MATERIALIZED (
		SELECT p.lineage_id, p.place FROM reengage_internal.places_of(m) p
	), ids AS (
		SELECT d.sum, d.placed, (2147483647 - d.sum) % 2147483647 AS missing FROM difference d WHERE d.column_name = 'lineage_id'
	)
	-- one row more or less
	SELECT 'lineage_id', NULL::uuid, 'a row is missing here: reengage.find_lineage(day, place) finds it where it was counted', i.missing
	FROM ids i WHERE too_many = -1 AND (i.missing * i.missing + i.placed) % 2147483647 = 0
	UNION ALL
	SELECT 'lineage_id', h.lineage_id, 'this row was not counted: it came late, or is there twice', h.place
	FROM ids i JOIN here h ON h.place = i.sum WHERE too_many = 1 AND i.sum * i.sum % 2147483647 = i.placed
	-- as many, but not the same
	UNION ALL
	SELECT 'lineage_id', h.lineage_id,
		'this row was not counted, or not under this id: reengage.find_lineage(day, place) finds the other one where it was counted',
		(h.place - i.sum + 2147483647) % 2147483647
	FROM ids i JOIN here h ON i.sum * ((2 * h.place - i.sum + 2147483647) % 2147483647) % 2147483647 = i.placed
	WHERE too_many = 0 AND i.sum <> 0
	UNION ALL
	SELECT d.column_name, h.lineage_id,
		CASE WHEN d.sum = 0 THEN 'values have changed places between rows'
			WHEN h.lineage_id IS NULL THEN 'the value of more than one row differs' ELSE 'its value differs' END, h.place
	FROM difference d LEFT JOIN here h ON d.sum <> 0 AND h.place * d.sum % 2147483647 = d.placed
	WHERE too_many = 0 AND NOT d.ids_differ
$$;
COMMENT ON FUNCTION reengage_internal.locate_rows(reengage.lineage_manifest, text, bigint) IS
	'of a day that differs, what the sums tell of its rows; with how many rows more are here than were counted';
GRANT EXECUTE ON FUNCTION reengage_internal.locate_rows(reengage.lineage_manifest, text, bigint) TO reengage_operator, reengage_reader;

CREATE VIEW reengage.reconciliation_rows AS
SELECT m.day, l.column_name, l.lineage_id, coalesce(l.finding,
		CASE WHEN c.state <> 'a row differs' THEN pg_catalog.format('%s %s', pg_catalog.abs(t.too_many), c.state)
			ELSE c.state END || ': compare them one by one, by reengage.lineage_digest()') AS finding, l.place
FROM (SELECT DISTINCT ON (n.day) n.day, n AS newest FROM reengage.lineage_manifest n
	  ORDER BY n.day, n.as_of DESC, n.manifest_id DESC) m
	CROSS JOIN LATERAL reengage_internal.compare_day(m.newest) c
	CROSS JOIN LATERAL (SELECT c.rows_here + c.rows_pruned - (m.newest).row_count AS too_many) t
	LEFT JOIN LATERAL reengage_internal.locate_rows(m.newest, c.sums, t.too_many) l ON true
WHERE c.state NOT IN ('equal', 'equal so far', 'pruned');
COMMENT ON VIEW reengage.reconciliation_rows IS
	'of the days that reconciliation finds different, which rows and columns, as far as sums can tell: if one row differs in a column, or one is missing or too much, it is named; a few more are only counted; reads all rows of the days that are asked for';
COMMENT ON COLUMN reengage.reconciliation_rows.day IS 'YYYY-MM-DD, in UTC';
COMMENT ON COLUMN reengage.reconciliation_rows.column_name IS 'the column of lineage in which it differs; lineage_id: the row itself is missing or too much';
COMMENT ON COLUMN reengage.reconciliation_rows.lineage_id IS 'the row that is here; null: none is, or several differ';
COMMENT ON COLUMN reengage.reconciliation_rows.finding IS 'what differs, and what to do';
COMMENT ON COLUMN reengage.reconciliation_rows.place IS 'the place of the row that was counted, for find_lineage() where it was; null: not known';
GRANT SELECT ON reengage.reconciliation_rows TO reengage_operator, reengage_reader;

-- nothing depends on it any more
DROP FUNCTION reengage_internal.measure_lineage(timestamptz, timestamptz, bigint);
