--
-- What a subscriber without the extension takes, as one text.
--
CREATE FUNCTION reengage.subscriber_ddl(several_nodes boolean DEFAULT false) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	WITH functions AS (
		SELECT string_agg(reengage_internal.subscriber_function(f.routine), E'\n\n' ORDER BY f.place) FILTER (WHERE f.place <= 15) AS of_values,
			string_agg(reengage_internal.subscriber_function(f.routine), E'\n\n' ORDER BY f.place) FILTER (WHERE f.place > 15) AS of_comparison
		FROM (
			-- each after those that it calls
			SELECT CASE WHEN n.name LIKE '%(%' THEN n.name::regprocedure ELSE n.name::regproc::regprocedure END, n.place
			FROM unnest(ARRAY[
				'reengage.canonical(text)', 'reengage.canonical(uuid)', 'reengage.canonical(integer)', 'reengage.canonical(timestamptz)',
				'reengage.canonical_bytes', 'reengage.canonical_number', 'reengage.canonical_json', 'reengage.canonical(jsonb)',
				'reengage.canonical_hash', 'reengage.lineage_values', 'reengage.lineage_digest', 'reengage.column_sums',
				'reengage_internal.lineage_digest_1_0', 'reengage_internal.add_column_sums', 'reengage_internal.start_of_day',
				'reengage_internal.compare_sums', 'reengage_internal.count_of', 'reengage_internal.pruned_of', 'reengage_internal.places_of',
				'reengage_internal.compare_day', 'reengage.find_lineage', 'reengage_internal.locate_rows']) WITH ORDINALITY n (name, place)
			-- of several nodes, these are other ones
			WHERE NOT (several_nodes AND right(n.name, 3) = '_of')) f (routine, place)
	)
	SELECT concat_ws(E'\n\n',
		E'BEGIN;\nSET LOCAL search_path = pg_catalog, pg_temp;\nSET LOCAL client_min_messages = warning;',
		reengage_internal.subscriber_guard(several_nodes),
		E'CREATE SCHEMA IF NOT EXISTS reengage;\nCREATE SCHEMA IF NOT EXISTS reengage_internal;',
		reengage_internal.subscriber_table('reengage.lineage'),
		reengage_internal.subscriber_table('reengage.lineage_manifest'),
		-- whoever prunes there says so here
		reengage_internal.subscriber_table('reengage.pruned_days'),
		CASE WHEN several_nodes THEN reengage_internal.collector_tables() END,
		functions.of_values,
		reengage_internal.subscriber_counting(several_nodes),
		CASE WHEN several_nodes THEN reengage_internal.collector_counting() END,
		functions.of_comparison,
		CASE WHEN several_nodes THEN reengage_internal.collector_views()
			ELSE concat_ws(E'\n\n', reengage_internal.subscriber_view('reengage.reconciliation'), reengage_internal.subscriber_view('reengage.reconciliation_rows')) END,
		'COMMIT;')
	FROM functions
$$;
COMMENT ON FUNCTION reengage.subscriber_ddl(boolean) IS
	'what a database without the extension needs to subscribe to lineage and to prove that all has arrived, as plain SQL for PostgreSQL 14 or newer: tables, functions and the views reconciliation and reconciliation_rows; with several_nodes each row has its node, the name of the subscription that brings it, and each is reconciled by itself; run again, it adds what a later version has';
GRANT EXECUTE ON FUNCTION reengage.subscriber_ddl(boolean) TO reengage_operator, reengage_reader;
