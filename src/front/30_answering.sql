--
-- Which nodes answer.  A query prunes the partitions of those that do not before the
-- executor connects to any: so its rows are missing, and the query does not fail.
--
CREATE FUNCTION reengage_front.probe(node text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	found boolean := false;
	said text;
BEGIN
	EXECUTE format('SELECT true FROM reengage_front.node_at n WHERE n.node = %L', node) INTO found;
	RETURN CASE WHEN found THEN '' ELSE format('What answers there is not called "%s".', node) END;
EXCEPTION WHEN connection_exception OR insufficient_resources OR admin_shutdown OR crash_shutdown OR cannot_connect_now OR database_dropped THEN
	GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
	RETURN coalesce(nullif(btrim(said, E' \n'), ''), SQLERRM);
-- from 16 on postgres_fdw does not keep to connect_timeout
WHEN query_canceled THEN
	RAISE EXCEPTION 'canceled while node "%" did not answer', node
		USING ERRCODE = 'query_canceled', DETAIL = SQLERRM,
			  HINT = 'If it hangs, end it there, so that it refuses connections, or have its standby take over.';
END
$$;
COMMENT ON FUNCTION reengage_front.probe(text) IS
	'empty if a node answers as the role that asks, within its connect_timeout; else why not';
GRANT EXECUTE ON FUNCTION reengage_front.probe(text) TO reengage_application, reengage_operator, reengage_reader;

CREATE FUNCTION reengage_front.answering(node text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	-- once for each statement and role: rows are filtered by it, too
	asked text := extract(epoch FROM statement_timestamp()) || ' ' || current_user || ' ';
	known text := coalesce(current_setting('reengage_front.answering', true), '');
	complaint text;
BEGIN
	IF starts_with(known, asked) THEN
		IF strpos(known, ' +' || node || ' ') > 0 THEN
			RETURN node;
		ELSIF strpos(known, ' -' || node || ' ') > 0 THEN
			RETURN NULL;
		END IF;
	ELSE
		known := asked;
	END IF;
	complaint := reengage_front.probe(node);
	PERFORM set_config('reengage_front.answering', known || CASE complaint WHEN '' THEN ' +' ELSE ' -' END || node || ' ', true);
	IF complaint = '' THEN
		RETURN node;
	END IF;
	RAISE WARNING 'node "%" does not answer: its rows are missing', node
		USING DETAIL = complaint, HINT = 'reengage.health lists it until it does.';
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION reengage_front.answering(text) IS
	'the node itself if it answers, else null, with a warning; asked once for each statement';
GRANT EXECUTE ON FUNCTION reengage_front.answering(text) TO reengage_application, reengage_operator, reengage_reader;

CREATE FUNCTION reengage_front.nodes_that_answer() RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT a.node FROM (SELECT reengage_front.answering(n.node) AS node FROM reengage_front.nodes n ORDER BY n.node) a
	WHERE a.node IS NOT NULL
$$;
COMMENT ON FUNCTION reengage_front.nodes_that_answer() IS 'the nodes that answer; a warning for each that does not';
GRANT EXECUTE ON FUNCTION reengage_front.nodes_that_answer() TO reengage_application, reengage_operator, reengage_reader;

CREATE FUNCTION reengage_front.tables_of_a_node() RETURNS TABLE (name text, remote_name text, is_shown boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT c.relname::text,
		CASE WHEN c.relname = 'node_at' THEN 'meant_node' WHEN c.relname IN ('calls', 'move_calls') THEN c.relname ELSE 'node_' || c.relname END,
		c.relname NOT IN ('node_at', 'calls', 'move_calls')
	FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = 1
	WHERE c.relnamespace = 'reengage_front'::regnamespace AND c.relkind = 'p' AND a.attname = 'node'
$$;
COMMENT ON FUNCTION reengage_front.tables_of_a_node() IS
	'the tables that have a partition on each node, and what that is called there';

CREATE FUNCTION reengage_front.make_partitions(node text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	made record;
BEGIN
	FOR made IN SELECT t.*, format('reengage_front.%I', t.name || '_at_' || node) AS partition FROM reengage_front.tables_of_a_node() t
	LOOP
		CONTINUE WHEN to_regclass(made.partition) IS NOT NULL;
		EXECUTE format('CREATE FOREIGN TABLE %s PARTITION OF reengage_front.%I FOR VALUES IN (%L) SERVER %I OPTIONS (schema_name ''reengage'', table_name %L)',
					   made.partition, made.name, node, CASE WHEN made.name IN ('calls', 'move_calls') THEN node ELSE reengage_front.status_server(node) END, made.remote_name);
		IF made.name = 'node_at' THEN
			EXECUTE format('ALTER FOREIGN TABLE %s ALTER COLUMN node OPTIONS (column_name ''name'')', made.partition);
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION reengage_front.make_partitions(text) IS 'makes what is missing of the foreign tables of a node';

-- With one partition left there would be nothing to prune: the planner takes it alone, of
-- a fleet of one node, and of a query that names its node.  So there is always something
-- beside it, of which a condition can be known to fail only when it is run.
DO $$
DECLARE
	made record;
BEGIN
	FOR made IN SELECT t.name, 'no_' || t.name AS empty FROM reengage_front.tables_of_a_node() t WHERE t.is_shown
	LOOP
		EXECUTE format('CREATE TABLE reengage_front.%I (LIKE reengage_front.%I)', made.empty, made.name);
		EXECUTE format('COMMENT ON TABLE reengage_front.%I IS %L', made.empty, format('always empty: the view %s has it beside the nodes', made.name));
	END LOOP;
END
$$;
GRANT SELECT ON reengage_front.no_nudge_status, reengage_front.no_open_nudges, reengage_front.no_nudge_counts,
	reengage_front.no_campaign_status, reengage_front.no_metrics, reengage_front.no_health,
	reengage_front.no_in_doubt, reengage_front.no_threads, reengage_front.no_lineage,
	reengage_front.no_suppressions, reengage_front.no_answers, reengage_front.no_pauses,
	reengage_front.no_server_state
	TO reengage_application, reengage_operator, reengage_reader;

-- The views are members of the extension: a dump has them as they were made with it, when
-- there was no node.
CREATE FUNCTION reengage_front.no_node() RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF EXISTS (SELECT FROM reengage_front.nodes) THEN
		RAISE EXCEPTION 'this view does not know the nodes that there are'
			USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = 'That is so after a dump was restored.',
				  HINT = 'SELECT reengage_front.refresh();';
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION reengage_front.no_node() IS 'what a view asks that was made when there was no node; an error if there is one by now';
GRANT EXECUTE ON FUNCTION reengage_front.no_node() TO reengage_application, reengage_operator, reengage_reader;

-- The nodes stand in the views: PostgreSQL prunes by a list of expressions, not by one
-- expression that is a list.  As whoever asks, or they would see what the owner may.
CREATE FUNCTION reengage_front.make_views() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	made record;
	answer text := coalesce((SELECT string_agg(format('reengage_front.answering(%L)', n.node), ', ' ORDER BY n.node)
							 FROM reengage_front.nodes n), 'reengage_front.no_node()');
BEGIN
	FOR made IN
		SELECT t.name, string_agg(format('s.%I', a.attname), ', ' ORDER BY a.attnum) AS columns
		FROM reengage_front.tables_of_a_node() t
			JOIN pg_attribute a ON a.attrelid = format('reengage_front.%I', t.name)::regclass AND a.attnum > 1 AND NOT a.attisdropped
		WHERE t.is_shown GROUP BY t.name
	LOOP
		EXECUTE format('CREATE OR REPLACE VIEW reengage.%1$I WITH (security_invoker = true) AS
				SELECT %2$s, s.node FROM (SELECT %2$s, s.node FROM reengage_front.%1$I s
					UNION ALL SELECT %2$s, s.node FROM reengage_front.%4$I s) s
				WHERE s.node = ANY (ARRAY[%3$s])', made.name, made.columns, answer, 'no_' || made.name)
			|| CASE WHEN made.name = 'health' THEN '
				UNION ALL
				SELECT ''node '' || n.node, ''unreachable'', ''error'', NULL, NULL, NULL, reengage_front.probe(n.node),
					''start it, or have its standby take over, and see that the front reaches it'', n.node
				FROM reengage_front.nodes n WHERE reengage_front.answering(n.node) IS NULL' ELSE '' END;
	END LOOP;
END
$$;
COMMENT ON FUNCTION reengage_front.make_views() IS 'makes the views of the schema reengage for the nodes that there are by now';
