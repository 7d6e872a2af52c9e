--
-- What must hold between the nodes of a fleet, and what is made for each.
--
CREATE FUNCTION reengage_front.check_names(nodes jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	wrong text;
BEGIN
	IF jsonb_typeof(nodes) IS DISTINCT FROM 'object' OR nodes = '{}' THEN
		RAISE EXCEPTION 'no nodes were named'
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'Name each with its connection string: {"a": "host=a.example dbname=reengage", "b": "..."}.';
	END IF;
	SELECT min(n.key) INTO wrong FROM jsonb_each(nodes) n WHERE n.key !~ '^[a-z][a-z0-9_]{0,30}$';
	IF wrong IS NOT NULL THEN
		RAISE EXCEPTION 'invalid name of a node: "%"', left(wrong, 60)
			USING ERRCODE = 'invalid_parameter_value', DETAIL = 'It must have 1 to 31 characters of a-z 0-9 _ and begin with a letter.';
	END IF;
	SELECT min(n.key) INTO wrong FROM jsonb_each(nodes) n WHERE jsonb_typeof(n.value) <> 'string';
	IF wrong IS NOT NULL THEN
		RAISE EXCEPTION 'node "%" has no connection string', wrong
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It is a string such as "host=a.example dbname=reengage".';
	END IF;
	SELECT min(n.node) INTO wrong FROM reengage_front.nodes n
	WHERE NOT nodes ? n.node AND EXISTS (SELECT FROM reengage_front.routes r WHERE r.node = n.node);
	IF wrong IS NOT NULL THEN
		RAISE EXCEPTION 'node "%" is left out, and still has servers', wrong
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = format('Routed to it: %s.', (SELECT string_agg(format('"%s"', r.server), ', ' ORDER BY r.server)
														FROM reengage_front.routes r WHERE r.node = wrong)),
				  HINT = 'Name all nodes each time; move its servers to others first, or reengage_front.drop_route() each.';
	END IF;
	SELECT min(n.node) INTO wrong FROM reengage_front.nodes n
	WHERE NOT nodes ? n.node AND EXISTS (SELECT FROM reengage_front.moves m WHERE m.ended_at IS NULL AND n.node IN (m.from_node, m.to_node));
	IF wrong IS NOT NULL THEN
		RAISE EXCEPTION 'node "%" is left out, and a server is being moved there, or from there', wrong
			USING ERRCODE = 'object_in_use', HINT = 'reengage.moves shows it: go on with it by reengage.move_server(), or undo it by reengage.undo_move().';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_front.check_names(jsonb) IS 'an error if a list of nodes is none, or leaves one out that is needed';

CREATE FUNCTION reengage_front.servers_of(infos jsonb) RETURNS TABLE (node text, server text)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT i.key, s.name FROM jsonb_each(infos) i CROSS JOIN LATERAL jsonb_array_elements_text(i.value -> 'servers') AS s (name)
$$;
COMMENT ON FUNCTION reengage_front.servers_of(jsonb) IS 'the servers that nodes have, by what each says of itself';

CREATE FUNCTION reengage_front.check_together(infos jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	one text;
	other text;
	named text;
BEGIN
	SELECT n.key INTO one FROM jsonb_each(infos) n
	WHERE (n.value ->> 'system_identifier')::bigint = (SELECT c.system_identifier FROM pg_control_system() c)
	  AND (n.value ->> 'database_oid')::oid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
	IF one IS NOT NULL THEN
		RAISE EXCEPTION 'node "%" is this database', one
			USING ERRCODE = 'invalid_parameter_value', HINT = 'A front sends nothing: name databases that do.';
	END IF;
	SELECT a.key, b.key INTO one, other FROM jsonb_each(infos) a JOIN jsonb_each(infos) b ON a.key < b.key
	WHERE a.value -> 'system_identifier' = b.value -> 'system_identifier' AND a.value -> 'database_oid' = b.value -> 'database_oid';
	IF FOUND THEN
		RAISE EXCEPTION 'nodes "%" and "%" are one database', one, other
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Name it once.';
	END IF;
	SELECT a.key, b.key INTO one, other FROM jsonb_each(infos) a JOIN jsonb_each(infos) b ON a.key < b.key
	WHERE a.value ->> 'key_digest' <> b.value ->> 'key_digest' ORDER BY 1, 2 LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'nodes "%" and "%" hash addresses by different keys', one, other
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = 'An opt-out at one would mean nobody at the other.',
				  HINT = 'A node takes the key over from the others as long as it has none of its own: let a new database join before it is first used.';
	END IF;
	-- where a server is being moved, two may have it
	SELECT a.node, b.node, a.server INTO one, other, named
	FROM reengage_front.servers_of(infos) a JOIN reengage_front.servers_of(infos) b ON b.server = a.server AND a.node < b.node
	WHERE NOT EXISTS (SELECT FROM reengage_front.routes r WHERE r.server = a.server AND r.state = 'moving')
	ORDER BY 3, 1, 2 LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'nodes "%" and "%" both have server "%"', one, other, named
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = 'Each would keep to the whole quota, and both could follow the same conversation.',
				  HINT = 'DROP SERVER at the one that shall not have it; servers that are not the same organisation need different names.';
	END IF;
	SELECT r.node, r.server INTO one, named
	FROM reengage_front.routes r LEFT JOIN reengage_front.servers_of(infos) s ON s.node = r.node AND s.server = r.server
	WHERE r.state = 'open' AND infos ? r.node AND s.server IS NULL
	ORDER BY r.server LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'node "%" does not have server "%", which is routed to it', one, named
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = coalesce((SELECT format('It is at "%s".', s.node) FROM reengage_front.servers_of(infos) s WHERE s.server = named),
									'No node that was looked at has it.'),
				  HINT = format('CREATE SERVER there again, or SELECT reengage_front.drop_route(%L) here.', named);
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_front.check_together(jsonb) IS
	'an error if nodes, each with what it says of itself, cannot be a fleet together';

CREATE FUNCTION reengage_front.option_list(keywords text[], "values" text[], had text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT string_agg(o.said, ', ')
	FROM (SELECT format('%s%I %L', CASE WHEN had IS NULL THEN '' WHEN n.keyword = ANY (had) THEN 'SET ' ELSE 'ADD ' END, n.keyword, n.value) AS said
		  FROM unnest(keywords, "values") AS n (keyword, value)
		  UNION ALL
		  SELECT format('DROP %I', h.keyword) FROM unnest(had) AS h (keyword) WHERE h.keyword <> ALL (keywords)) o
$$;
COMMENT ON FUNCTION reengage_front.option_list(text[], text[], text[]) IS
	'an OPTIONS list: of what is new, or that makes these of the ones that there are';

CREATE FUNCTION reengage_front.status_server(node text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT 'status of ' || node $$;
COMMENT ON FUNCTION reengage_front.status_server(text) IS
	'the foreign server by which a node is looked at; no node can have this name';

CREATE FUNCTION reengage_front.make_server(name text, node text, connection text, further text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	keywords text[];
	told text[];
	had text[];
BEGIN
	SELECT array_agg(o.keyword), array_agg(o.value) INTO keywords, told
	FROM (SELECT f.keyword, f.value FROM reengage_front.full_options(make_server.node, make_server.connection) f
		  WHERE f.keyword NOT IN ('user', 'password')
		  UNION ALL
		  -- what somebody has set since stays
		  SELECT split_part(f.said, '=', 1), coalesce((
			  SELECT o.option_value FROM pg_foreign_server s CROSS JOIN LATERAL pg_options_to_table(s.srvoptions) o
			  WHERE s.srvname = make_server.name AND o.option_name = split_part(f.said, '=', 1)), split_part(f.said, '=', 2))
		  FROM unnest(further) AS f (said)) o;
	SELECT coalesce(array_agg(split_part(o.said, '=', 1)) FILTER (WHERE o.said IS NOT NULL), '{}') INTO had
	FROM pg_foreign_server s LEFT JOIN LATERAL unnest(s.srvoptions) AS o (said) ON true
	WHERE s.srvname = make_server.name HAVING count(*) > 0;
	IF had IS NULL THEN
		EXECUTE format('CREATE SERVER %I FOREIGN DATA WRAPPER postgres_fdw OPTIONS (%s)', name, reengage_front.option_list(keywords, told, NULL));
	ELSE
		EXECUTE format('ALTER SERVER %I OPTIONS (%s)', name, reengage_front.option_list(keywords, told, had));
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_front.make_server(text, text, text, text[]) IS
	'makes a foreign server of a node, or tells it how to reach it by now';

CREATE FUNCTION reengage_front.make_servers(node text, connection text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM reengage_front.make_server(node, node, connection, ARRAY['async_capable=true', 'batch_size=100', 'fetch_size=1000']),
		reengage_front.make_server(reengage_front.status_server(node), node, connection,
								   ARRAY['async_capable=true', 'keep_connections=off', 'fetch_size=1000']);
END
$$;
COMMENT ON FUNCTION reengage_front.make_servers(text, text) IS
	'makes the two foreign servers of a node: by which it is written to, and by which it is looked at';

CREATE FUNCTION reengage_front.map(server text, role_name text, options text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	keywords text[] := ARRAY(SELECT split_part(o.said, '=', 1) FROM unnest(options) WITH ORDINALITY AS o (said, place) ORDER BY o.place);
	told text[] := ARRAY(SELECT substr(o.said, strpos(o.said, '=') + 1) FROM unnest(options) WITH ORDINALITY AS o (said, place) ORDER BY o.place);
BEGIN
	EXECUTE format('DROP USER MAPPING IF EXISTS FOR %I SERVER %I', role_name, server);
	EXECUTE format('CREATE USER MAPPING FOR %I SERVER %I', role_name, server)
		|| coalesce(' OPTIONS (' || reengage_front.option_list(keywords, told, NULL) || ')', '');
END
$$;
COMMENT ON FUNCTION reengage_front.map(text, text, text[]) IS 'as whom a role logs in by way of a foreign server';
