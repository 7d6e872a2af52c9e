--
-- Moving a server to another node: what both of them do.
--
-- A front takes the steps, each in a transaction on one node, and each may be taken
-- again.  The node that it moves to decides: there the move becomes arrived, or undone,
-- once.  It becomes arrived only when the other node has let it depart, and that takes
-- it back only when this one has said undone.  So never do both send.
--
DO $$
DECLARE
	role pg_roles;
BEGIN
	SELECT * INTO role FROM pg_roles r WHERE r.rolname = 'reengage_fleet';
	IF NOT FOUND THEN
		CREATE ROLE reengage_fleet NOLOGIN;
	ELSIF role.rolcanlogin OR role.rolsuper OR role.rolcreaterole OR role.rolcreatedb OR role.rolreplication OR role.rolbypassrls THEN
		RAISE EXCEPTION 'role "reengage_fleet" exists and is more than a group'
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'Drop it, or make it NOLOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS.';
	END IF;
END
$$;
GRANT USAGE ON SCHEMA reengage TO reengage_fleet;
GRANT USAGE ON SCHEMA reengage_internal TO reengage_fleet;

-- Rows travel as their type writes them, and are compared by hashes of that: so whoever
-- reads or writes them has the same settings on both nodes.
CREATE FUNCTION reengage_internal.move_of(server text, move_id uuid) RETURNS reengage.server_moves
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	known reengage.server_moves;
BEGIN
	PERFORM reengage_internal.require_writable('a server cannot be moved on');
	SELECT * INTO known FROM reengage.server_moves m WHERE m.server = move_of.server FOR UPDATE;
	IF known.move_id IS DISTINCT FROM move_of.move_id THEN
		RAISE EXCEPTION 'move % of server "%" is not known at node "%"', move_id, server, reengage_internal.node_name()
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = coalesce(format('There is move %s, which is %s.', known.move_id, known.state), 'There is none of it.');
	END IF;
	RETURN known;
END
$$;
COMMENT ON FUNCTION reengage_internal.move_of(text, uuid) IS 'what is known here of a move, locked; an error if it is another';

CREATE FUNCTION reengage_internal.move_require(known reengage.server_moves, VARIADIC states text[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF known.state <> ALL (states) THEN
		RAISE EXCEPTION 'the move of server "%" is % at node "%"', known.server, known.state, reengage_internal.node_name()
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = format('It had to be %s.', array_to_string(states, ' or '));
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.move_require(reengage.server_moves, text[]) IS 'an error if a move is in none of these states';

CREATE FUNCTION reengage_internal.move_set(server text, state text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE reengage.server_moves m SET state = move_set.state, changed_at = clock_timestamp() WHERE m.server = move_set.server AND m.state <> move_set.state;
	-- whoever sends looks again which servers rest
	SELECT reengage_internal.wake('-infinity')
$$;
COMMENT ON FUNCTION reengage_internal.move_set(text, text) IS 'the next state of a move';

CREATE FUNCTION reengage_internal.move_state(server text, move_id uuid) RETURNS json
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT json_build_object('move_id', m.move_id, 'state', m.state, 'node', m.node, 'nudges', m.nudges, 'lineage', m.lineage,
		'tallies', m.kept -> 'tallies', 'copies', m.kept IS NOT NULL,
		'shelved', (SELECT count(*) FROM reengage.shelved_due s WHERE s.server = m.server))
	FROM reengage.server_moves m WHERE m.server = move_state.server AND m.move_id = coalesce(move_state.move_id, m.move_id)
$$;
COMMENT ON FUNCTION reengage_internal.move_state(text, uuid) IS 'where a move stands here; null: nothing is known of it';

CREATE FUNCTION reengage_internal.move_tells() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (SELECT FROM reengage.suppressions o WHERE o.server IS NULL AND (o.until IS NULL OR o.until > now()))
		OR EXISTS (SELECT FROM reengage.answers o WHERE o.server IS NULL)
$$;
COMMENT ON FUNCTION reengage_internal.move_tells() IS
	'whether somebody has opted out, or answered, at any server: that does not move with one, as the nodes tell each other';

CREATE FUNCTION reengage_internal.move_definition(server text) RETURNS json
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT json_build_object(
		'type', s.srvtype, 'version', s.srvversion, 'owner', s.srvowner::regrole::text, 'comment', obj_description(s.oid, 'pg_foreign_server'),
		'options', (SELECT json_object_agg(o.option_name, o.option_value ORDER BY o.option_name) FROM pg_options_to_table(s.srvoptions) o),
		'usage', (SELECT json_agg(json_build_object('role', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, 'option', a.is_grantable))
				  FROM aclexplode(s.srvacl) a WHERE a.grantee <> s.srvowner),
		'roles', (SELECT json_agg(DISTINCT t.requested_by) FROM reengage.tallies t WHERE t.server = s.srvname),
		'key', (SELECT encode(sha256(k.key), 'hex') FROM reengage_internal.address_key_in_use k),
		'node', reengage_internal.node_name(), 'fence', reengage_internal.fence_complaint(),
		'version_here', (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'reengage'),
		'encoding', getdatabaseencoding(),
		'tells', reengage_internal.move_tells(),
		'dependents', (SELECT string_agg(pg_describe_object(d.classid, d.objid, d.objsubid), ', ')
			FROM pg_depend d WHERE d.refclassid = 'pg_foreign_server'::regclass AND d.refobjid = s.oid))
	FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw AND w.fdwname = 'reengage'
	WHERE s.srvname = move_definition.server
$$;
COMMENT ON FUNCTION reengage_internal.move_definition(text) IS
	'a server as CREATE SERVER made it, who may use it, and what has to be the same on both nodes; null: there is none';

CREATE FUNCTION reengage_internal.move_definition_digest(server text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	-- what else it says is of the node, not of the server
	SELECT md5(string_agg(d.key || d.value, ' ' ORDER BY d.key)) FROM json_each_text(reengage_internal.move_definition(server)) d
	WHERE d.key IN ('type', 'version', 'owner', 'comment', 'options', 'usage')
$$;
COMMENT ON FUNCTION reengage_internal.move_definition_digest(text) IS 'of a server as CREATE SERVER made it, and who may use it';

CREATE FUNCTION reengage_internal.move_examine(server text, definition jsonb) RETURNS json
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT json_build_object('complaints', to_json(reengage_internal.move_complaints(server, definition)),
		'node', reengage_internal.node_name(),
		'roles_missing', (SELECT json_agg(r.role ORDER BY r.role) FROM jsonb_array_elements_text(nullif(definition -> 'roles', 'null')) AS r (role)
						  WHERE NOT EXISTS (SELECT FROM pg_roles o WHERE o.rolname = r.role)))
$$;
COMMENT ON FUNCTION reengage_internal.move_examine(text, jsonb) IS 'whether a server can come here: why not, and which roles of its nudges are not known';

-- What its API says is the API's: the credentials and the options are what a node may lack.
CREATE FUNCTION reengage_internal.move_preflight(server text) RETURNS json
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(json_agg(p), '[]') FROM reengage.preflight(server) p WHERE p.state = 'failed'
$$;
COMMENT ON FUNCTION reengage_internal.move_preflight(text) IS 'what preflight() has found to fail';
