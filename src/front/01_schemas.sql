-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION reengage_front" to load this file. \quit

--
-- A front: a database that sends nothing, and shows the nodes of a fleet as one.
--
DO $$
BEGIN
	IF EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'reengage') THEN
		RAISE EXCEPTION 'this database has the extension reengage: it is a node'
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'A front sends nothing itself: CREATE DATABASE for it, here or elsewhere, and CREATE EXTENSION reengage_front there.';
	END IF;
	IF current_setting('server_encoding') <> 'UTF8' THEN
		RAISE EXCEPTION 'this database has the encoding %', current_setting('server_encoding')
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = 'What nodes have in other characters could not pass through it.',
				  HINT = 'CREATE DATABASE ... ENCODING ''UTF8'' TEMPLATE template0, and CREATE EXTENSION reengage_front there; nodes may have another one.';
	END IF;
END
$$;

-- The same interface as on a node: applications change nothing but where they connect to.
CREATE SCHEMA reengage;
COMMENT ON SCHEMA reengage IS 're-engagement of customers who left a conversation, over all nodes of a fleet: the interface that each node has';

CREATE SCHEMA reengage_front;
COMMENT ON SCHEMA reengage_front IS 'the nodes of the fleet, the servers that each has, and what the schema reengage is made of';

-- As on a node, whose roles these stand for here.
DO $$
DECLARE
	role_name text;
BEGIN
	FOREACH role_name IN ARRAY ARRAY['reengage_application', 'reengage_operator', 'reengage_reader', 'reengage_fleet']
	LOOP
		IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = role_name) THEN
			EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
		END IF;
	END LOOP;
END
$$;
GRANT USAGE ON SCHEMA reengage, reengage_front TO reengage_application, reengage_operator, reengage_reader, reengage_fleet;

CREATE FUNCTION reengage.uuid_v7() RETURNS uuid
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT encode(set_byte(overlay(uuid_send(gen_random_uuid())
			PLACING substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
		6, 112 + (get_byte(uuid_send(gen_random_uuid()), 0) & 15)), 'hex')::uuid
$$;
COMMENT ON FUNCTION reengage.uuid_v7() IS 'a new UUID version 7 (RFC 9562): millisecond time, then random bits';
GRANT EXECUTE ON FUNCTION reengage.uuid_v7() TO reengage_application, reengage_operator, reengage_fleet;

CREATE FUNCTION reengage.default_server() RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	name text := nullif(current_setting('reengage.default_server', true), '');
BEGIN
	IF name IS NULL THEN
		RAISE EXCEPTION 'no server was named, and reengage.default_server is empty'
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'Name a server, or ALTER DATABASE ... SET reengage.default_server = ...';
	END IF;
	RETURN name;
END
$$;
COMMENT ON FUNCTION reengage.default_server() IS 'the setting reengage.default_server of the front; an error when it is empty';
GRANT EXECUTE ON FUNCTION reengage.default_server() TO reengage_application, reengage_operator, reengage_reader;
