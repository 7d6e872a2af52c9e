--
-- A list of nodes becomes a fleet.
--
CREATE FUNCTION reengage_front.make_node(node text, connection text, info jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	shown text := (SELECT reengage_front.as_connection_string(array_agg(o.keyword), array_agg(o.value))
				   FROM reengage_front.connection_options(make_node.node, make_node.connection) o WHERE o.keyword NOT IN ('user', 'password'));
	-- of a node that there is
	pattern text := (SELECT min(n.node) FROM reengage_front.nodes n WHERE n.node <> make_node.node);
	is_new boolean := NOT EXISTS (SELECT FROM reengage_front.nodes n WHERE n.node = make_node.node);
	server text;
BEGIN
	INSERT INTO reengage_front.nodes AS n (node, connection, version, server_version_num, system_identifier, database_oid, key_digest)
	VALUES (make_node.node, coalesce(shown, ''), info ->> 'version', (info ->> 'server_version_num')::integer,
			(info ->> 'system_identifier')::bigint, (info ->> 'database_oid')::oid, info ->> 'key_digest')
	ON CONFLICT ON CONSTRAINT nodes_pkey DO UPDATE
	SET connection = EXCLUDED.connection, version = EXCLUDED.version, server_version_num = EXCLUDED.server_version_num,
		system_identifier = EXCLUDED.system_identifier, database_oid = EXCLUDED.database_oid,
		key_digest = EXCLUDED.key_digest, seen_at = EXCLUDED.seen_at;
	PERFORM reengage_front.make_servers(node, connection);
	FOREACH server IN ARRAY ARRAY[node, reengage_front.status_server(node)]
	LOOP
		PERFORM reengage_front.map(server, current_user, ARRAY(
			SELECT o.keyword || '=' || o.value FROM reengage_front.connection_options(make_node.node, make_node.connection) o
			WHERE o.keyword IN ('user', 'password')));
		-- who may use the others may use this one, too
		IF is_new AND pattern IS NOT NULL THEN
			PERFORM reengage_front.map(server, m.usename, m.umoptions)
			FROM pg_user_mappings m WHERE m.srvname = pattern AND m.usename NOT IN ('public', current_user);
		END IF;
	END LOOP;
	PERFORM reengage_front.make_partitions(node);
END
$$;
COMMENT ON FUNCTION reengage_front.make_node(text, text, jsonb) IS
	'makes a node, or brings what is made for it up to date';

CREATE FUNCTION reengage_front.make_routes(infos jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- as many as have changed: a front may have a thousand
	PERFORM reengage_front.set_route(s.server, s.node)
	FROM reengage_front.servers_of(infos) s LEFT JOIN reengage_front.routes r ON r.server = s.server
	WHERE r.state IS DISTINCT FROM 'moving'
	  AND (r.node IS DISTINCT FROM s.node OR to_regclass(reengage_front.nudges_of(s.server, s.node)) IS NULL)
	ORDER BY s.server;
END
$$;
COMMENT ON FUNCTION reengage_front.make_routes(jsonb) IS 'routes each server that a node has to it, where that is not so yet';

CREATE FUNCTION reengage_front.set_nodes(nodes jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	infos jsonb := '{}';
	node record;
BEGIN
	LOCK TABLE reengage_front.nodes, reengage_front.routes IN SHARE ROW EXCLUSIVE MODE;
	-- all that may be wrong, before anything is made
	PERFORM reengage_front.check_names(nodes);
	FOR node IN SELECT n.key AS name, n.value AS connection FROM jsonb_each_text(nodes) n ORDER BY n.key
	LOOP
		infos := infos || jsonb_build_object(node.name, reengage_front.look_at(node.name, node.connection));
	END LOOP;
	PERFORM reengage_front.check_together(infos);

	FOR node IN SELECT n.node AS name FROM reengage_front.nodes n WHERE NOT set_nodes.nodes ? n.node
	LOOP
		EXECUTE format('DROP SERVER %I, %I CASCADE', node.name, reengage_front.status_server(node.name));
		DELETE FROM reengage_front.nodes n WHERE n.node = node.name;
	END LOOP;
	PERFORM reengage_front.make_node(n.key, n.value, infos -> n.key) FROM jsonb_each_text(nodes) n ORDER BY n.key;
	PERFORM reengage_front.make_routes(infos);
	PERFORM reengage_front.make_views();
END
$$;
COMMENT ON FUNCTION reengage_front.set_nodes(jsonb) IS
	'makes this front one of these nodes, all of them, each a name with its connection string: what is new is added, what is there is told how it is reached by now, what is left out goes, unless servers are routed to it; an error, and nothing done, if one of them cannot be reached or relied on; again it does no harm';

CREATE FUNCTION reengage_front.connection_of(node text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
	SELECT concat_ws(' ', n.connection, (
		SELECT reengage_front.as_connection_string(array_agg(o.option_name), array_agg(o.option_value))
		FROM pg_user_mappings m CROSS JOIN LATERAL pg_options_to_table(m.umoptions) o
		-- who logged in, and not the owner of this function
		WHERE m.srvname = n.node AND m.usename = session_user AND o.option_name IN ('user', 'password')))
	FROM reengage_front.nodes n WHERE n.node = connection_of.node
$$;
COMMENT ON FUNCTION reengage_front.connection_of(text) IS
	'the connection string of a node, for who is logged in here, with what he logs in by there';

CREATE FUNCTION reengage_front.refresh() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	infos jsonb := '{}';
	node record;
	moved text[];
BEGIN
	LOCK TABLE reengage_front.nodes, reengage_front.routes IN SHARE ROW EXCLUSIVE MODE;
	FOR node IN SELECT n.node AS name FROM reengage_front.nodes n ORDER BY n.node
	LOOP
		BEGIN
			infos := infos || jsonb_build_object(node.name, reengage_front.look_at(node.name, reengage_front.connection_of(node.name)));
		EXCEPTION WHEN connection_exception THEN
			RAISE WARNING '%', SQLERRM USING DETAIL = 'What is known of it stays as it is.';
		END;
	END LOOP;
	PERFORM reengage_front.check_together(infos);
	moved := ARRAY(SELECT n.node FROM reengage_front.nodes n
				   WHERE n.system_identifier <> (infos -> n.node ->> 'system_identifier')::bigint
					  OR n.database_oid <> (infos -> n.node ->> 'database_oid')::oid);
	UPDATE reengage_front.nodes n
	SET version = i.value ->> 'version', server_version_num = (i.value ->> 'server_version_num')::integer,
		system_identifier = (i.value ->> 'system_identifier')::bigint, database_oid = (i.value ->> 'database_oid')::oid,
		key_digest = i.value ->> 'key_digest', seen_at = now()
	FROM jsonb_each(infos) i WHERE i.key = n.node;
	-- it is another cluster by now, which its connections have to mean
	PERFORM reengage_front.make_servers(n.node, n.connection) FROM reengage_front.nodes n WHERE n.node = ANY (moved);
	PERFORM reengage_front.make_partitions(n.node) FROM reengage_front.nodes n;
	PERFORM reengage_front.make_routes(infos);
	PERFORM reengage_front.make_views();
END
$$;
COMMENT ON FUNCTION reengage_front.refresh() IS
	'looks at the nodes anew: servers that were made there are routed to them; of a node that cannot be reached nothing changes';

CREATE FUNCTION reengage_front.map_role(role_name name, node_user text DEFAULT NULL, password text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	options text[] := ARRAY['user=' || coalesce(node_user, role_name), CASE WHEN password IS NULL THEN 'password_required=false' ELSE 'password=' || password END];
BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = role_name) THEN
		RAISE EXCEPTION 'role "%" does not exist', role_name USING ERRCODE = 'undefined_object';
	END IF;
	PERFORM reengage_front.map(s.name, role_name, options)
	FROM reengage_front.nodes n CROSS JOIN LATERAL (VALUES (n.node), (reengage_front.status_server(n.node))) AS s (name);
END
$$;
COMMENT ON FUNCTION reengage_front.map_role(name, text, text) IS
	'lets a role of this front log in at all nodes, as that user there (null: of the same name), by that password (null: as their pg_hba.conf lets this machine in without one); what it may do is what that user may do there';

SELECT reengage_front.make_views();

GRANT SELECT ON reengage.nudge_status, reengage.open_nudges, reengage.nudge_counts, reengage.campaign_status
	TO reengage_application, reengage_operator, reengage_reader;
GRANT SELECT ON reengage.metrics, reengage.health, reengage.in_doubt, reengage.threads, reengage.lineage
	TO reengage_operator, reengage_reader;
GRANT SELECT ON reengage.suppressions, reengage.answers, reengage.pauses, reengage.server_state TO reengage_operator;
