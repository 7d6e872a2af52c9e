--
-- Who hears whom: every node each other, of opt-outs, answers and erasures.  Slots and
-- subscriptions are made by the nodes themselves; this is the script that has them do it.
--
CREATE FUNCTION reengage_front.as_psql_argument(value text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$ SELECT '''' || replace(replace(value, '\', '\\'), '''', '''''') || '''' $$;
COMMENT ON FUNCTION reengage_front.as_psql_argument(text) IS 'an argument of a command of psql';

CREATE FUNCTION reengage_front.wiring(connections jsonb DEFAULT NULL) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
DECLARE
	unknown text := (SELECT min(k.key) FROM jsonb_object_keys(coalesce(connections, '{}')) AS k (key)
					 WHERE NOT EXISTS (SELECT FROM reengage_front.nodes n WHERE n.node = k.key));
BEGIN
	IF unknown IS NOT NULL THEN
		RAISE EXCEPTION 'there is no node "%"', left(unknown, 60)
			USING ERRCODE = 'undefined_object', HINT = 'reengage_front.nodes has those that there are.';
	END IF;
	RETURN QUERY
		WITH nodes AS (
			SELECT n.node, row_number() OVER (ORDER BY n.node) AS place, coalesce(connections ->> n.node, n.connection) AS heard_by,
				'\connect -reuse-previous=off ' || reengage_front.as_psql_argument(n.connection) AS connect
			FROM reengage_front.nodes n
		), lines (part, of_node, place, line) AS (
			SELECT 0, 0, 0, '\set ON_ERROR_STOP on'
			UNION ALL SELECT 1, n.place, 0, n.connect FROM nodes n
			UNION ALL SELECT 1, n.place, 1, 'SELECT reengage.publish_news() \gset' FROM nodes n
			UNION ALL
			SELECT 1, n.place, 1 + o.place, format('SELECT reengage.make_news_slot(%L) AS slot_%s_%s \gset', o.node, n.place, o.place)
			FROM nodes n JOIN nodes o ON o.node <> n.node
			UNION ALL SELECT 2, n.place, 0, n.connect FROM nodes n
			UNION ALL
			SELECT 2, n.place, o.place, format('SELECT reengage.news_ddl(%L, %L, :''slot_%s_%s'') \gexec', o.node, o.heard_by, o.place, n.place)
			FROM nodes n JOIN nodes o ON o.node <> n.node)
		SELECT l.line FROM lines l ORDER BY l.part, l.of_node, l.place;
END
$$;
COMMENT ON FUNCTION reengage_front.wiring(jsonb) IS
	'a script for psql, run as a superuser of each node, by which all nodes hear each other; again, it mends what is missing, and does nothing where nothing is; connections: how the nodes reach each other, by node, with the role that reads there (null: as the front does)';
GRANT EXECUTE ON FUNCTION reengage_front.wiring(jsonb) TO reengage_operator;
