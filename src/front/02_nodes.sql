--
-- Which nodes there are, and what is asked of a node before it is relied on.
--
CREATE TABLE reengage_front.nodes (
	node text NOT NULL,
	connection text NOT NULL,
	version text NOT NULL,
	server_version_num integer NOT NULL,
	system_identifier bigint NOT NULL,
	database_oid oid NOT NULL,
	key_digest text,
	added_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	seen_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	CONSTRAINT nodes_pkey PRIMARY KEY (node)
);
COMMENT ON TABLE reengage_front.nodes IS 'the nodes of the fleet; kept by set_nodes() and refresh()';
COMMENT ON COLUMN reengage_front.nodes.node IS 'its name: also that of the foreign server by which it is written to';
COMMENT ON COLUMN reengage_front.nodes.connection IS 'how to reach it, without user and password';
COMMENT ON COLUMN reengage_front.nodes.version IS 'of its extension reengage, when it was last looked at';
COMMENT ON COLUMN reengage_front.nodes.server_version_num IS 'of its PostgreSQL';
COMMENT ON COLUMN reengage_front.nodes.system_identifier IS 'of its cluster';
COMMENT ON COLUMN reengage_front.nodes.database_oid IS 'of its database';
COMMENT ON COLUMN reengage_front.nodes.key_digest IS 'the SHA-256 of its key of address hashes; null: it had none';
COMMENT ON COLUMN reengage_front.nodes.added_at IS 'when set_nodes() first had it';
COMMENT ON COLUMN reengage_front.nodes.seen_at IS 'when it was last looked at';
SELECT pg_catalog.pg_extension_config_dump('reengage_front.nodes', '');
GRANT SELECT (node) ON reengage_front.nodes TO reengage_application;
GRANT SELECT ON reengage_front.nodes TO reengage_operator, reengage_reader, reengage_fleet;

CREATE TABLE reengage_front.routes (
	server text NOT NULL,
	node text NOT NULL,
	state text NOT NULL DEFAULT 'open',
	since timestamptz NOT NULL DEFAULT pg_catalog.now(),
	CONSTRAINT routes_pkey PRIMARY KEY (server),
	CONSTRAINT routes_node_fkey FOREIGN KEY (node) REFERENCES reengage_front.nodes (node),
	CONSTRAINT routes_state_check CHECK (state IN ('open', 'moving'))
);
COMMENT ON TABLE reengage_front.routes IS 'which server is at which node; kept by set_nodes(), refresh(), and whatever moves a server';
COMMENT ON COLUMN reengage_front.routes.server IS 'the server: an organisation at an API';
COMMENT ON COLUMN reengage_front.routes.node IS 'the node that has it';
COMMENT ON COLUMN reengage_front.routes.state IS 'open: as it is; moving: another node may have it, too, by now, and refresh() leaves it alone';
COMMENT ON COLUMN reengage_front.routes.since IS 'since when it is there';
SELECT pg_catalog.pg_extension_config_dump('reengage_front.routes', '');
GRANT SELECT ON reengage_front.routes TO reengage_application, reengage_operator, reengage_reader, reengage_fleet;

CREATE FUNCTION reengage_front.route(server text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	found text := (SELECT r.node FROM reengage_front.routes r WHERE r.server = route.server);
BEGIN
	IF found IS NULL THEN
		RAISE EXCEPTION 'server "%" is at no node', left(server, 60)
			USING ERRCODE = 'undefined_object',
				  DETAIL = format('The nodes have %s.', coalesce((SELECT string_agg(format('"%s"', r.server), ', ' ORDER BY r.server)
						FROM (SELECT r.server FROM reengage_front.routes r ORDER BY r.server LIMIT 10) r), 'none')),
				  HINT = 'CREATE SERVER on one of them, then reengage_front.refresh() here.';
	END IF;
	RETURN found;
END
$$;
COMMENT ON FUNCTION reengage_front.route(text) IS 'the node that has a server; an error, with what to do, if none has';
GRANT EXECUTE ON FUNCTION reengage_front.route(text) TO reengage_application, reengage_operator, reengage_reader, reengage_fleet;

CREATE FUNCTION reengage_front.connection_options(node text, connection text) RETURNS TABLE (keyword text, value text)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
DECLARE
	rest text := btrim(connection, E' \t\n');
	found text[];
BEGIN
	WHILE rest <> '' LOOP
		found := regexp_match(rest, '^(([a-z_]+)\s*=\s*(?:''((?:[^''\\]|\\.)*)''|((?:[^\s''\\]|\\.)+))(?:\s+|$))');
		IF found IS NULL THEN
			-- it is not shown: it may be a password
			RAISE EXCEPTION 'invalid connection string of node "%"', node
				USING ERRCODE = 'invalid_parameter_value',
					  DETAIL = format('What begins at character %s is no keyword = value.', length(connection) - length(rest) + 1),
					  HINT = 'Write it as "host=a.example port=5432 dbname=reengage", values with blanks in single quotes; not as a URI.';
		END IF;
		keyword := found[2];
		value := regexp_replace(coalesce(found[3], found[4]), '\\(.)', '\1', 'g');
		RETURN NEXT;
		rest := substr(rest, length(found[1]) + 1);
	END LOOP;
END
$$;
COMMENT ON FUNCTION reengage_front.connection_options(text, text) IS 'a connection string, taken apart';

-- What a connection is told unless its string says otherwise.  A node that hangs, or
-- whose machine is gone, is given up after seconds, not hours.  And whom it shall lead
-- to: another node, or a copy of this one, takes nothing in, whoever changed what leads there.
CREATE FUNCTION reengage_front.full_options(node text, connection text) RETURNS TABLE (keyword text, value text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	WITH said AS (SELECT o.keyword, o.value FROM reengage_front.connection_options(node, connection) o)
	SELECT s.keyword, s.value FROM said s WHERE s.keyword <> 'options'
	UNION ALL
	SELECT 'options', o.value
	FROM (SELECT concat_ws(' ', (SELECT s.value FROM said s WHERE s.keyword = 'options'),
			  (SELECT format('-c reengage.meant_node=%s/%s/%s', n.node, n.system_identifier, n.database_oid)
			   FROM reengage_front.nodes n WHERE n.node = full_options.node))) AS o (value)
	WHERE o.value <> ''
	UNION ALL
	SELECT d.keyword, d.value
	FROM (VALUES ('connect_timeout', '3'), ('keepalives_idle', '10'), ('keepalives_interval', '5'), ('keepalives_count', '3'),
				 ('tcp_user_timeout', '20000'), ('application_name', 'reengage_front')) AS d (keyword, value)
	WHERE d.keyword NOT IN (SELECT s.keyword FROM said s)
$$;
COMMENT ON FUNCTION reengage_front.full_options(text, text) IS 'the options of a connection to a node, with those that its string does not name';

CREATE FUNCTION reengage_front.as_connection_string(keywords text[], "values" text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
	SELECT string_agg(o.keyword || '=''' || regexp_replace(o.value, '([''\\])', '\\\1', 'g') || '''', ' ' ORDER BY o.place)
	FROM unnest(keywords, "values") WITH ORDINALITY AS o (keyword, value, place)
$$;
COMMENT ON FUNCTION reengage_front.as_connection_string(text[], text[]) IS 'a connection string of these options';

CREATE FUNCTION reengage_front.full_connection(node text, connection text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT reengage_front.as_connection_string(array_agg(o.keyword), array_agg(o.value))
	FROM reengage_front.full_options(full_connection.node, full_connection.connection) o
$$;
COMMENT ON FUNCTION reengage_front.full_connection(text, text) IS 'the same as a connection string';

-- In a transaction of its own on the other side.  Its body is parsed here, so that it
-- knows dblink wherever that was installed.
CREATE FUNCTION reengage_front.remote(connection text, statement text) RETURNS SETOF jsonb
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT r.result FROM dblink(remote.connection, remote.statement) AS r (result jsonb);
END;
COMMENT ON FUNCTION reengage_front.remote(text, text) IS 'what a statement returns elsewhere: rows of one jsonb';

CREATE FUNCTION reengage_front.look_at(node text, connection text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
DECLARE
	dsn text := reengage_front.full_connection(node, connection);
	base jsonb;
	info jsonb;
	said text;
	ahead interval;
BEGIN
	BEGIN
		base := reengage_front.remote(dsn, $remote$
			SELECT jsonb_build_object('clock', clock_timestamp(), 'standby', pg_is_in_recovery(), 'database', current_database(),
				'version', (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'reengage'),
				'front', EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'reengage_front'),
				'operator', coalesce((SELECT pg_has_role(r.oid, 'USAGE') FROM pg_roles r WHERE r.rolname = 'reengage_operator'), false))$remote$);
	EXCEPTION WHEN connection_exception THEN
		GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
		RAISE EXCEPTION 'node "%" cannot be reached', node
			USING ERRCODE = 'sqlclient_unable_to_establish_sqlconnection', DETAIL = coalesce(nullif(said, ''), SQLERRM),
				  HINT = 'Does the database run, does the connection string lead there, and does its pg_hba.conf let the front in?';
	END;
	ahead := date_trunc('seconds', (base ->> 'clock')::timestamptz - clock_timestamp());
	IF abs(extract(epoch FROM ahead)) > 60 THEN
		RAISE WARNING 'the clock of node "%" and that of this front differ: by %', node, ahead
			USING DETAIL = 'Times that are told by the one are others at the other.', HINT = 'Have both set by NTP.';
	END IF;
	IF (base ->> 'front')::boolean THEN
		RAISE EXCEPTION 'node "%" is a front', node
			USING ERRCODE = 'invalid_parameter_value',
				  DETAIL = format('Database "%s" there has the extension reengage_front.', base ->> 'database'),
				  HINT = 'Name databases that have the extension reengage, and send.';
	END IF;
	IF base ->> 'version' IS NULL THEN
		RAISE EXCEPTION 'node "%" does not have the extension reengage', node
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = format('Database "%s" is not one that sends.', base ->> 'database'),
				  HINT = 'CREATE EXTENSION reengage there, or name another database.';
	END IF;
	IF string_to_array(substring(base ->> 'version' FROM '^\d+(?:\.\d+)*'), '.')::integer[] < ARRAY[1, 1] THEN
		RAISE EXCEPTION 'node "%" has version % of the extension', node, base ->> 'version'
			USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = 'A node of a fleet needs 1.1.',
				  HINT = 'ALTER EXTENSION reengage UPDATE there.';
	END IF;
	IF (base ->> 'standby')::boolean THEN
		RAISE EXCEPTION 'node "%" is a standby', node
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'Name the primary, or all hosts of it with target_session_attrs=read-write.';
	END IF;
	IF NOT (base ->> 'operator')::boolean THEN
		RAISE EXCEPTION 'who logs in at node "%" may not see what it is', node
			USING ERRCODE = 'insufficient_privilege', HINT = 'GRANT reengage_operator to that role there.';
	END IF;
	info := reengage_front.remote(dsn, 'SELECT to_jsonb(i) FROM reengage.node_info i');
	PERFORM reengage_front.check_node(node, info);
	RETURN info;
END
$$;
COMMENT ON FUNCTION reengage_front.look_at(text, text) IS
	'what a node says of itself; an error, with what to do, if it is none that can be relied on';

CREATE FUNCTION reengage_front.check_node(node text, info jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF info ->> 'node' IS NULL THEN
		RAISE EXCEPTION 'node "%" has not joined a fleet', node
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = format('SELECT reengage.join_fleet(%L) there.', node);
	END IF;
	IF info ->> 'node' <> node THEN
		RAISE EXCEPTION 'node "%" calls itself "%"', node, info ->> 'node'
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = 'What it has told others bears that name.',
				  HINT = format('Name it "%s" here, or see where its connection string leads.', info ->> 'node');
	END IF;
	IF info ->> 'fence_complaint' IS NOT NULL THEN
		RAISE EXCEPTION 'node "%" is not armed', node
			USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = info ->> 'fence_complaint',
				  HINT = 'SELECT reengage.arm() there, if this is the database that shall send.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_front.check_node(text, jsonb) IS 'an error if what a node says of itself does not let it be one';
