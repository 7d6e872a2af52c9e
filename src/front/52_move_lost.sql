--
-- Moving a server to another node, when one of the two is lost, or does not hear the other.
--
CREATE FUNCTION reengage_front.move_has_heard(m reengage_front.moves, mark text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	answer json;
BEGIN
	IF mark IS NULL THEN
		RETURN true;
	END IF;
	answer := reengage_front.move_call(m.to_node, 'heard', 'server', m.server, 'move_id', m.move_id::text, 'mark', mark);
	PERFORM reengage_front.move_go_on(m, m.step, jsonb_build_object('unheard', CASE WHEN NOT (answer ->> 'heard')::boolean THEN answer ->> 'state' END));
	RETURN (answer ->> 'heard')::boolean;
END
$$;
COMMENT ON FUNCTION reengage_front.move_has_heard(reengage_front.moves, text) IS
	'whether the node that a server comes to has heard who had opted out, or answered, at the one that it leaves; notes it';

CREATE FUNCTION reengage_front.move_require_lost(m reengage_front.moves, lost text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF lost NOT IN (m.from_node, m.to_node) THEN
		RAISE EXCEPTION 'server "%" moves from node "%" to node "%"', m.server, m.from_node, m.to_node
			USING ERRCODE = 'invalid_parameter_value', DETAIL = format('Node "%s" has no part in it.', lost);
	END IF;
	-- a connection of before may have broken, and the node be there
	FOR i IN 1..2 LOOP
		BEGIN
			PERFORM reengage_front.move_call(lost, 'state', 'server', m.server, 'move_id', m.move_id::text);
			RAISE EXCEPTION 'node "%" is not lost: it answers', lost
				USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Call it again without naming a node that is lost.';
		EXCEPTION WHEN connection_exception OR admin_shutdown OR crash_shutdown THEN
			CONTINUE;
		END;
	END LOOP;
END
$$;
COMMENT ON FUNCTION reengage_front.move_require_lost(reengage_front.moves, text) IS 'an error if a node that is said to be lost answers, or has no part in the move';

CREATE FUNCTION reengage_front.move_undo_without(server text, lost text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	m reengage_front.moves := reengage_front.move_find(server);
	due text;
BEGIN
	PERFORM reengage_front.move_to_undo(server, false);
	IF m.move_id IS NULL THEN
		m := reengage_front.move_find(server);
	END IF;
	PERFORM reengage_front.move_require_lost(m, lost);
	IF lost = m.from_node THEN
		IF m.step IN ('depart', 'arrive') THEN
			RAISE EXCEPTION 'all of server "%" is at node "%"', server, m.to_node
				USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = 'Undone, it would be nowhere.',
					  HINT = format('CALL reengage.move_server(%L, %L, lost => %L) goes on there.', server, m.to_node, lost);
		END IF;
		UPDATE reengage_front.moves o SET given_up = lost WHERE o.move_id = m.move_id;
		RETURN;
	END IF;
	IF m.step = 'arrive' OR (m.step = 'undo' AND m.positions ->> 'undone_from' = 'arrive') THEN
		due := reengage_front.move_call(m.from_node, 'state', 'server', server, 'move_id', m.move_id::text) ->> 'shelved';
		RAISE WARNING 'up to % nudges of server "%" may be sent twice', due, server
			USING DETAIL = format('Node "%s" may have heard that the server is there, and have sent some of them before it was lost. What was asked for there since is not known here.', lost),
				  HINT = format('Make sure that it does not run. When it is back, CALL reengage.undo_move(%L) once more: started anew, it sends nothing of the server until then.', server);
	ELSE
		RAISE NOTICE 'nothing of server "%" has been sent by node "%"', server, lost
			USING HINT = format('When it is back, CALL reengage.undo_move(%L) once more deletes what was copied.', server);
	END IF;
	UPDATE reengage_front.moves o SET given_up = lost, step = 'return' WHERE o.move_id = m.move_id;
END
$$;
COMMENT ON FUNCTION reengage_front.move_undo_without(text, text) IS
	'turns a move around without one of its nodes, which is lost; says what may be sent twice; an error if the other one cannot do without it';

CREATE FUNCTION reengage_front.move_go_without(server text, lost text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	m reengage_front.moves := reengage_front.move_find(server);
BEGIN
	PERFORM reengage_front.move_require_lost(m, lost);
	IF lost = m.to_node OR m.step NOT IN ('depart', 'arrive', 'settle', 'let go') THEN
		RAISE EXCEPTION 'server "%" cannot come to node "%" without node "%"', server, m.to_node, lost
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = CASE WHEN lost = m.from_node THEN format('Not all of it has been copied: the next step is "%s".', m.step) ELSE 'It was to go there.' END,
				  HINT = format('CALL reengage.undo_move(%L, lost => %L) ends the move.', server, lost);
	END IF;
	IF m.step IN ('depart', 'arrive') THEN
		RAISE WARNING 'node "%" may not have heard who opted out at node "%" in its last moments', m.to_node, lost
			USING DETAIL = 'Nothing is sent twice, or lost: all of the server had been copied.',
				  HINT = format('When it is back, CALL reengage.move_server(%L, %L) once more: until then it sends nothing of the server.', server, m.to_node);
	END IF;
	UPDATE reengage_front.moves o SET given_up = lost, step = CASE m.step WHEN 'depart' THEN 'arrive' ELSE m.step END
	WHERE o.move_id = m.move_id RETURNING o.step INTO m.step;
	RETURN m.step;
END
$$;
COMMENT ON FUNCTION reengage_front.move_go_without(text, text) IS
	'goes on with a move without the node that the server leaves, which is lost; returns the step that is next; an error if that node still has what the other has not';

CREATE FUNCTION reengage_front.move_reopen(server text, as_it_was text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	m reengage_front.moves;
	is_at text := (SELECT r.node FROM reengage_front.routes r WHERE r.server = move_reopen.server);
	there json;
BEGIN
	SELECT * INTO m FROM reengage_front.moves o
	WHERE o.server = move_reopen.server AND o.step = as_it_was AND o.ended_at IS NOT NULL AND o.given_up IS NOT NULL
	ORDER BY o.ended_at DESC LIMIT 1;
	IF m.move_id IS NULL THEN
		RETURN false;
	END IF;
	there := reengage_front.move_call(m.given_up, 'state', 'server', server, 'move_id', m.move_id::text);
	IF as_it_was = 'undone' AND m.given_up = m.from_node AND is_at <> m.from_node THEN
		RAISE EXCEPTION 'server "%" is at node "%" by now', server, is_at
			USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = format('Node "%s" has what it had when it was lost.', m.given_up);
	END IF;
	UPDATE reengage_front.moves o
	SET ended_at = NULL, given_up = NULL,
		step = CASE WHEN as_it_was = 'undone' THEN 'undo' WHEN there ->> 'state' = 'departed' THEN 'let go' ELSE 'depart' END,
		positions = o.positions || '{"reopened": true}' || CASE WHEN m.given_up = m.to_node THEN '{"given_up": true}' ELSE '{}' END::jsonb
	WHERE o.move_id = m.move_id;
	RETURN true;
END
$$;
COMMENT ON FUNCTION reengage_front.move_reopen(text, text) IS
	'takes up a move again that ended without one of its nodes, which is back; false: there is none';
