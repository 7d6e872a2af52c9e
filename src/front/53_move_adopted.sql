--
-- Moving a server to another node, when the front does not know what the nodes know: it
-- was made anew meanwhile, or is out of a dump of before.
--
CREATE FUNCTION reengage_front.move_adopt(server text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	said jsonb := '{}';
	known record;
	next_step text := 'undo';
BEGIN
	SELECT coalesce(jsonb_object_agg(n.node, reengage_front.move_call(n.node, 'state', 'server', server, 'move_id', NULL)), '{}') INTO said
	FROM reengage_front.nodes n;
	-- the one that it leaves tells more than the one that it comes to
	SELECT (s.value ->> 'move_id')::uuid AS move_id, l.leaves,
		CASE WHEN l.leaves THEN s.key ELSE s.value ->> 'node' END AS from_node, CASE WHEN l.leaves THEN s.value ->> 'node' ELSE s.key END AS to_node
	INTO known
	FROM jsonb_each(said) s CROSS JOIN LATERAL (SELECT s.value ->> 'state' IN ('leaving', 'draining', 'closed', 'departed') AS leaves) l
	WHERE l.leaves OR s.value ->> 'state' IN ('arriving', 'expecting') OR (s.value ->> 'state' = 'undone' AND (s.value ->> 'copies')::boolean)
	ORDER BY l.leaves DESC, s.key LIMIT 1;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	IF NOT said ?& ARRAY[known.from_node, known.to_node] THEN
		RAISE EXCEPTION 'server "%" is being moved from node "%" to node "%"', server, known.from_node, known.to_node
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Name both in reengage_front.set_nodes() first.';
	END IF;
	IF said #>> ARRAY[known.to_node, 'move_id'] = known.move_id::text AND said #>> ARRAY[known.to_node, 'state'] = 'arrived' THEN
		next_step := 'settle';
	END IF;
	INSERT INTO reengage_front.moves (move_id, server, from_node, to_node, step)
	VALUES (known.move_id, move_adopt.server, known.from_node, known.to_node, next_step);
	PERFORM reengage_front.move_route(server, CASE next_step WHEN 'settle' THEN known.to_node ELSE known.from_node END, 'moving');
	RETURN true;
END
$$;
COMMENT ON FUNCTION reengage_front.move_adopt(text) IS
	'takes over a move of a server of which only the nodes know, to be undone, or ended where it has arrived; false: they know of none';

CREATE FUNCTION reengage_front.move_catch_up(m reengage_front.moves) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF m.step NOT IN ('settle', 'let go') AND m.given_up IS NULL AND NOT m.positions ? 'reopened'
		AND reengage_front.move_call(m.to_node, 'state', 'server', m.server, 'move_id', m.move_id::text) ->> 'state' = 'arrived' THEN
		PERFORM reengage_front.move_go_on(m, 'settle');
		RETURN 'settle';
	END IF;
	RETURN m.step;
EXCEPTION WHEN connection_exception OR admin_shutdown OR crash_shutdown OR cannot_connect_now THEN
	-- the step will tell, if it needs that node
	RETURN m.step;
END
$$;
COMMENT ON FUNCTION reengage_front.move_catch_up(reengage_front.moves) IS
	'the step that is next, also where the server has arrived and the front has forgotten it';
