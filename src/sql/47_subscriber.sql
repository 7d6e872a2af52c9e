--
-- A subscriber without the extension: a managed PostgreSQL that lets nobody install
-- one.  What it needs to hold lineage, and to prove that all of it has arrived, is
-- made here from the catalog, so that neither a column nor a function is said twice.
--
CREATE FUNCTION reengage_internal.subscriber_table(relation regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	WITH columns AS (
		SELECT a.attnum, format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)) AS said, a.attnotnull,
			format('COMMENT ON COLUMN %s.%I IS %L;', a.attrelid::regclass, a.attname, col_description(a.attrelid, a.attnum)) AS comment
		FROM pg_attribute a
		WHERE a.attrelid = subscriber_table.relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
	)
	-- Defaults and triggers are of the database that writes, and a check would stop the
	-- reader when a later version writes another word.
	SELECT concat_ws(E'\n',
		format(E'CREATE TABLE IF NOT EXISTS %s (\n\t%s,\n\tCONSTRAINT %I %s\n);', subscriber_table.relation,
			(SELECT string_agg(c.said || CASE WHEN c.attnotnull THEN ' NOT NULL' ELSE '' END, E',\n\t' ORDER BY c.attnum) FROM columns c),
			k.conname, pg_get_constraintdef(k.oid)),
		-- one that is there already has rows without a value
		(SELECT string_agg(format('ALTER TABLE %s ADD COLUMN IF NOT EXISTS %s;', subscriber_table.relation, c.said), E'\n' ORDER BY c.attnum) FROM columns c),
		format('COMMENT ON TABLE %s IS %L;', subscriber_table.relation, obj_description(subscriber_table.relation, 'pg_class')),
		(SELECT string_agg(c.comment, E'\n' ORDER BY c.attnum) FROM columns c))
	FROM pg_constraint k
	WHERE k.conrelid = subscriber_table.relation AND k.contype = 'p'
$$;
COMMENT ON FUNCTION reengage_internal.subscriber_table(regclass) IS
	'the statements that make one of our tables where the extension is not, or give it the columns that it lacks';
GRANT EXECUTE ON FUNCTION reengage_internal.subscriber_table(regclass) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.subscriber_function(routine regprocedure) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format(E'%s;\nCOMMENT ON FUNCTION %s IS %L;', btrim(pg_get_functiondef(subscriber_function.routine), E' \n'),
		subscriber_function.routine, obj_description(subscriber_function.routine, 'pg_proc'))
$$;
COMMENT ON FUNCTION reengage_internal.subscriber_function(regprocedure) IS
	'the statements that make one of our functions in SQL where the extension is not';
GRANT EXECUTE ON FUNCTION reengage_internal.subscriber_function(regprocedure) TO reengage_operator, reengage_reader;

-- Written anew for where neither our code in C nor our indexes are: rows are found by
-- when they were recorded.  The texts of lineage_values() stand here one by one, so that
-- the server puts what makes them into its own plan: that takes half the time or less.
CREATE FUNCTION reengage_internal.subscriber_counting(several_nodes boolean) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT replace(replace(replace(replace($plain$
CREATE INDEX IF NOT EXISTS lineage_recorded ON reengage.lineage (recorded_at);
CREATE INDEX IF NOT EXISTS lineage_manifest_day ON reengage.lineage_manifest (day, as_of);

CREATE OR REPLACE FUNCTION reengage_internal.count_lineage(since timestamptz, before timestamptz<of_node>,
	OUT row_count bigint, OUT digest bigint, OUT column_sums text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $count$
	WITH rows AS MATERIALIZED (
		SELECT ARRAY[
			<texts>] AS texts
		FROM reengage.lineage l
		WHERE l.recorded_at >= since AND l.recorded_at < before<and_node>
	), sums AS (
		SELECT h.column_place, sum(h.hash) % 2147483647 AS sum, sum(h.row_place * h.hash % 2147483647) % 2147483647 AS placed
		FROM (SELECT c.column_place, reengage.canonical_hash(c.canonical) AS hash, reengage.canonical_hash(r.texts[1]) AS row_place
			  FROM rows r CROSS JOIN LATERAL unnest(r.texts) WITH ORDINALITY c (canonical, column_place)) h
		GROUP BY h.column_place
	)
	SELECT count(*),
		coalesce(sum(('x' || substr(md5(reengage.canonical_bytes(array_to_string(r.texts, '|'))), 21, 12))::bit(48)::bigint) % 9007199254740992, 0)::bigint,
		(SELECT string_agg(concat_ws(':', n.name, coalesce(s.sum, 0), coalesce(s.placed, 0)), ' ' ORDER BY n.place)
		 FROM string_to_table('<names>', ' ') WITH ORDINALITY n (name, place) LEFT JOIN sums s ON s.column_place = n.place)
	FROM rows r
$count$;

CREATE OR REPLACE FUNCTION reengage_internal.count_lineage_1_0(since timestamptz, before timestamptz<of_node>, OUT row_count bigint, OUT digest bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $count$
	SELECT count(*), coalesce(sum(reengage_internal.lineage_digest_1_0(l)) % 9007199254740992, 0)::bigint
	FROM reengage.lineage l WHERE l.recorded_at >= since AND l.recorded_at < before<and_node>
$count$;

CREATE OR REPLACE FUNCTION reengage_internal.places(since timestamptz, before timestamptz) RETURNS TABLE (lineage_id uuid, place bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $count$
	SELECT l.lineage_id, reengage.canonical_hash(reengage.canonical(l.lineage_id))
	FROM reengage.lineage l WHERE l.recorded_at >= since AND l.recorded_at < before
$count$;$plain$,
		'<texts>', string_agg(format('reengage.canonical(l.%I)', v.column_name), E',\n\t\t\t' ORDER BY v.place)),
		'<names>', string_agg(v.column_name, ' ' ORDER BY v.place)),
		'<of_node>', CASE WHEN several_nodes THEN ', of_node text' ELSE '' END),
		'<and_node>', CASE WHEN several_nodes THEN ' AND l.node = of_node' ELSE '' END)
	FROM reengage.lineage_values(NULL) v
$$;
COMMENT ON FUNCTION reengage_internal.subscriber_counting(boolean) IS
	'count_lineage(), count_lineage_1_0() and places() as a database without the extension can have them; of several nodes, the first two count one of them';
GRANT EXECUTE ON FUNCTION reengage_internal.subscriber_counting(boolean) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.subscriber_comments(relation regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT concat_ws(E'\n', format('COMMENT ON VIEW %s IS %L;', subscriber_comments.relation, obj_description(subscriber_comments.relation, 'pg_class')),
		string_agg(format('COMMENT ON COLUMN %s.%I IS %L;', a.attrelid::regclass, a.attname, col_description(a.attrelid, a.attnum)), E'\n' ORDER BY a.attnum))
	FROM pg_attribute a WHERE a.attrelid = subscriber_comments.relation AND a.attnum > 0
$$;
COMMENT ON FUNCTION reengage_internal.subscriber_comments(regclass) IS
	'the statements that say of one of our views what it and its columns are';
GRANT EXECUTE ON FUNCTION reengage_internal.subscriber_comments(regclass) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.subscriber_view(relation regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT concat_ws(E'\n',
		format(E'CREATE OR REPLACE VIEW %s AS\n%s', subscriber_view.relation, pg_get_viewdef(subscriber_view.relation)),
		reengage_internal.subscriber_comments(subscriber_view.relation))
$$;
COMMENT ON FUNCTION reengage_internal.subscriber_view(regclass) IS
	'the statements that make one of our views where the extension is not';
GRANT EXECUTE ON FUNCTION reengage_internal.subscriber_view(regclass) TO reengage_operator, reengage_reader;

-- Whatever is wrong, nothing is changed: it is one transaction, and the first that fails stops it.
CREATE FUNCTION reengage_internal.subscriber_guard(several_nodes boolean) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT format($guard$
DO $check$
DECLARE
	others text;
BEGIN
	IF current_setting('server_version_num')::integer < 140000 THEN
		RAISE EXCEPTION 'PostgreSQL 14 or newer is needed, and this is %%', current_setting('server_version');
	END IF;
	IF EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'reengage') THEN
		RAISE EXCEPTION 'this database has the extension reengage, and what is made here'
			USING HINT = 'A subscription can be created at once.';
	END IF;
	IF EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'reengage_front') THEN
		RAISE EXCEPTION 'this database has the extension reengage_front, whose tables have the same names'
			USING HINT = 'Collect in a database of its own.';
	END IF;%s
	SELECT string_agg(format('%%s.%%I is %%s, not %%s', e.name, e.column_name, format_type(a.atttypid, a.atttypmod), e.type), ', ' ORDER BY e.name, e.place)
	INTO others
	FROM (VALUES
		%s) e (name, place, column_name, type)
		JOIN pg_attribute a ON a.attrelid = to_regclass(e.name) AND a.attname = e.column_name AND NOT a.attisdropped
	WHERE format_type(a.atttypid, a.atttypmod) <> e.type;
	IF others IS NOT NULL THEN
		RAISE EXCEPTION 'columns have other types than on the publisher: %%', others
			USING HINT = 'Give them the same types, or drop the table and let it be made.';
	END IF;
END
$check$;$guard$,
		CASE WHEN several_nodes THEN '' ELSE $one$
	IF EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = to_regclass('reengage.lineage') AND a.attname = 'node' AND NOT a.attisdropped) THEN
		RAISE EXCEPTION 'this database has rows of several nodes'
			USING HINT = 'SELECT reengage.subscriber_ddl(several_nodes => true) makes what such a database has.';
	END IF;$one$ END,
		(SELECT string_agg(format('(%L, %s, %L, %L)', a.attrelid::regclass, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod)), E',\n\t\t' ORDER BY a.attrelid::regclass::text, a.attnum)
		 FROM reengage_internal.published_tables() t JOIN pg_attribute a ON a.attrelid = t
		 WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''))
$$;
COMMENT ON FUNCTION reengage_internal.subscriber_guard(boolean) IS
	'the statement that refuses a database which is not one for subscriber_ddl()';
GRANT EXECUTE ON FUNCTION reengage_internal.subscriber_guard(boolean) TO reengage_operator, reengage_reader;
