--
-- Moving a server to another node: which step is next, and who takes them.
--
CREATE FUNCTION reengage_front.move_find(server text) RETURNS reengage_front.moves
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT m FROM reengage_front.moves m WHERE m.server = move_find.server AND m.ended_at IS NULL $$;
COMMENT ON FUNCTION reengage_front.move_find(text) IS 'the move of a server that has not ended; null: there is none';

-- A session that runs a move holds no lock between its steps; so it is known by its process.
CREATE FUNCTION reengage_front.move_take(m reengage_front.moves) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF reengage_front.move_runs(m.pid, m.backend_start) THEN
		RAISE EXCEPTION 'the move of server "%" to node "%" is under way', m.server, m.to_node
			USING ERRCODE = 'object_in_use', DETAIL = format('Process %s takes its steps; the next one is "%s".', m.pid, m.step),
				  HINT = 'reengage.moves shows how far it is; cancel that statement, then go on or undo it.';
	END IF;
	UPDATE reengage_front.moves o
	SET pid = pg_backend_pid(), complaint = NULL,
		backend_start = (SELECT a.backend_start FROM pg_stat_activity a WHERE a.pid = pg_backend_pid())
	WHERE o.move_id = m.move_id;
END
$$;
COMMENT ON FUNCTION reengage_front.move_take(reengage_front.moves) IS 'this session takes the steps of a move from now on; an error if another does';

CREATE FUNCTION reengage_front.move_begin(server text, to_node text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	running reengage_front.moves := reengage_front.move_find(server);
	from_node text := reengage_front.route(server);
	definition json;
	examined json;
	missing text;
BEGIN
	IF NOT EXISTS (SELECT FROM reengage_front.nodes n WHERE n.node = move_begin.to_node) THEN
		RAISE EXCEPTION 'node "%" does not exist', left(to_node, 60)
			USING ERRCODE = 'undefined_object',
				  DETAIL = format('The nodes are %s.', (SELECT string_agg(format('"%s"', n.node), ', ' ORDER BY n.node) FROM reengage_front.nodes n));
	END IF;
	IF running.move_id IS NOT NULL THEN
		running.step := reengage_front.move_catch_up(running);
		IF running.to_node <> to_node OR running.step IN ('undo', 'return', 'clear') THEN
			RAISE EXCEPTION 'a move of server "%" to node "%" has begun, and not ended', server, running.to_node
				USING ERRCODE = 'object_in_use', DETAIL = format('Its next step is "%s".', running.step),
					  HINT = format('CALL reengage.undo_move(%L) ends it.', server);
		END IF;
		PERFORM reengage_front.move_take(running);
		RETURN running.step;
	END IF;
	IF from_node = to_node AND (reengage_front.move_reopen(server, 'moved') OR reengage_front.move_adopt(server)) THEN
		PERFORM reengage_front.move_take(reengage_front.move_find(server));
		RETURN (reengage_front.move_find(server)).step;
	END IF;
	IF from_node = to_node THEN
		RAISE EXCEPTION 'server "%" is at node "%"', server, to_node
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Name another node.';
	END IF;
	definition := reengage_front.move_call(from_node, 'definition', 'server', server);
	IF definition ->> 'fence' IS NOT NULL THEN
		RAISE EXCEPTION 'node "%" is not armed', from_node
			USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = definition ->> 'fence',
				  HINT = 'What is under way there is not known: SELECT reengage.arm() there first, if this is the database that shall send.';
	END IF;
	examined := reengage_front.move_call_with(to_node, 'examine', json_build_object('server', server, 'definition', definition));
	IF json_array_length(examined -> 'complaints') > 0 THEN
		RAISE EXCEPTION 'server "%" cannot be moved to node "%"', server, to_node
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = (SELECT string_agg(c, E'\n') FROM json_array_elements_text(examined -> 'complaints') c),
				  HINT = 'Nothing has been done. Correct that there, and call it again.';
	END IF;
	missing := (SELECT string_agg(r, ', ') FROM json_array_elements_text(nullif(examined ->> 'roles_missing', '')::json) r);
	IF missing IS NOT NULL THEN
		RAISE WARNING 'roles that asked for nudges do not exist at node "%": %', to_node, missing
			USING DETAIL = 'Their nudges are sent all the same.', HINT = 'Create them there, or their applications do not see what became of these.';
	END IF;
	INSERT INTO reengage_front.moves (move_id, server, from_node, to_node)
	VALUES (reengage.uuid_v7(), move_begin.server, from_node, move_begin.to_node);
	PERFORM reengage_front.move_take(reengage_front.move_find(server));
	PERFORM reengage_front.move_route(server, from_node, 'moving');
	RETURN 'begin';
END
$$;
COMMENT ON FUNCTION reengage_front.move_begin(text, text) IS
	'begins a move, or goes on with the one that has begun; returns the step that is next; an error, with what to do, if it cannot be';

CREATE FUNCTION reengage_front.move_locked(server text) RETURNS reengage_front.moves
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	m reengage_front.moves;
BEGIN
	SELECT * INTO m FROM reengage_front.moves o WHERE o.server = move_locked.server AND o.ended_at IS NULL FOR UPDATE;
	IF m.pid IS DISTINCT FROM pg_backend_pid() THEN
		RAISE EXCEPTION 'the move of server "%" was taken over, or has ended', server USING ERRCODE = 'object_in_use';
	END IF;
	RETURN m;
END
$$;
COMMENT ON FUNCTION reengage_front.move_locked(text) IS 'the move that this session runs, locked until the end of its step';

CREATE FUNCTION reengage_front.move_prepare(m reengage_front.moves) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	id text := m.move_id;
BEGIN
	CASE m.step
		WHEN 'begin' THEN
			UPDATE reengage_front.moves o
			SET expected_nudges = (reengage_front.move_call(m.from_node, 'begin', 'server', m.server, 'move_id', id, 'node', m.to_node) ->> 'nudges')::bigint
			WHERE o.move_id = m.move_id;
			PERFORM reengage_front.move_go_on(m, 'accept');
		WHEN 'accept' THEN
			PERFORM reengage_front.move_call_with(m.to_node, 'accept', json_build_object('server', m.server, 'move_id', id, 'node', m.from_node,
				'definition', reengage_front.move_call(m.from_node, 'definition', 'server', m.server)));
			PERFORM reengage_front.move_go_on(m, 'preflight');
		WHEN 'preflight' THEN
			PERFORM reengage_front.move_refuse_unknown(m);
			PERFORM reengage_front.move_go_on(m, 'copy ids');
		WHEN 'copy ids' THEN
			IF reengage_front.move_copy_page(m, 'tombstones', '00000000-0000-0000-0000-000000000000', 10000) THEN
				PERFORM reengage_front.move_go_on(m, 'copy history');
			END IF;
		WHEN 'copy history' THEN
			IF reengage_front.move_copy_history(m) AND reengage_front.move_copy_page(m, 'sessions', '', 5000) THEN
				PERFORM reengage_front.move_go_on(m, 'copy due');
			END IF;
		WHEN 'copy due' THEN
			IF reengage_front.move_copy_nudges(m, 'due') THEN
				PERFORM reengage_front.move_copy_due(m);
				PERFORM reengage_front.move_go_on(m, 'drain');
			END IF;
		ELSE
			RETURN false;
	END CASE;
	RETURN true;
END
$$;
COMMENT ON FUNCTION reengage_front.move_prepare(reengage_front.moves) IS 'takes a step of those during which the server is sent for as ever; false: it is another';

CREATE FUNCTION reengage_front.move_hand_over(m reengage_front.moves) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	id text := m.move_id;
	answer json;
BEGIN
	CASE m.step
		WHEN 'drain' THEN
			UPDATE reengage_front.moves o SET drained_from = coalesce(o.drained_from, clock_timestamp()) WHERE o.move_id = m.move_id;
			answer := reengage_front.move_call(m.from_node, 'drain', 'server', m.server, 'move_id', id);
			PERFORM reengage_front.move_go_on(m, CASE WHEN (answer ->> 'drained')::boolean THEN 'expect' ELSE 'drain' END, jsonb_build_object('waits_for', answer));
		WHEN 'expect' THEN
			PERFORM reengage_front.move_call(m.to_node, 'expect', 'server', m.server, 'move_id', id, 'expect', 'true');
			PERFORM reengage_front.move_go_on(m, 'route');
		WHEN 'route' THEN
			-- who has inserted by way of here ends first; who comes later waits at the other node
			UPDATE reengage_front.moves o SET held_from = clock_timestamp() WHERE o.move_id = m.move_id;
			PERFORM set_config('lock_timeout', '5s', true);
			PERFORM reengage_front.move_route(m.server, m.to_node, 'moving');
			PERFORM reengage_front.move_go_on(m, 'close');
		WHEN 'close' THEN
			answer := reengage_front.move_call(m.from_node, 'close', 'server', m.server, 'move_id', id);
			PERFORM reengage_front.move_go_on(m, CASE WHEN (answer ->> 'closed')::boolean AND reengage_front.move_has_heard(m, answer ->> 'mark')
				THEN 'copy rest' ELSE 'close' END, jsonb_build_object('waits_for', answer));
		WHEN 'copy rest' THEN
			PERFORM reengage_front.move_copy_rest(m);
			PERFORM reengage_front.move_go_on(m, 'depart');
		WHEN 'depart' THEN
			answer := reengage_front.move_call_with(m.from_node, 'depart', json_build_object('server', m.server, 'move_id', id,
				'digests', coalesce(m.positions -> 'digests', '{}'), 'definition', m.positions ->> 'definition',
				'positions', json_build_object('after_xact', reengage_front.move_position(m, 'after_xact', '-1'),
					'after_id', reengage_front.move_position(m, 'after_id', '00000000-0000-0000-0000-000000000000'))));
			PERFORM reengage_front.move_go_on(m, CASE WHEN (answer ->> 'departed')::boolean THEN 'arrive' ELSE 'copy rest' END,
				jsonb_build_object('mark', answer ->> 'mark'));
		WHEN 'arrive' THEN
			-- what has been said where it was holds where it is sent for next
			IF m.given_up IS NULL AND NOT reengage_front.move_has_heard(m, m.positions ->> 'mark') THEN
				RETURN true;
			END IF;
			PERFORM reengage_front.move_call_with(m.to_node, 'arrive', json_build_object('server', m.server, 'move_id', id, 'tallies', m.positions -> 'tallies'));
			UPDATE reengage_front.moves o SET arrived_at = coalesce(o.arrived_at, clock_timestamp()), nudges = (a.state ->> 'nudges')::bigint, lineage = (a.state ->> 'lineage')::bigint
			FROM (SELECT reengage_front.move_call(m.to_node, 'state', 'server', m.server, 'move_id', id) AS state OFFSET 0) a WHERE o.move_id = m.move_id;
			PERFORM reengage_front.move_go_on(m, 'settle');
		ELSE
			RETURN false;
	END CASE;
	RETURN true;
END
$$;
COMMENT ON FUNCTION reengage_front.move_hand_over(reengage_front.moves) IS 'takes a step of those in which nothing of the server is sent; false: it is another';

CREATE FUNCTION reengage_front.move_end(m reengage_front.moves, node text, step text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM reengage_front.move_route(m.server, node, 'open');
	UPDATE reengage_front.moves o
	SET step = move_end.step, ended_at = clock_timestamp(), pid = NULL,
		-- who was given up may need them when it is back
		positions = CASE WHEN o.given_up IS NULL THEN '{}' ELSE o.positions END
	WHERE o.move_id = m.move_id;
END
$$;
COMMENT ON FUNCTION reengage_front.move_end(reengage_front.moves, text, text) IS 'notes that a move has ended';

CREATE FUNCTION reengage_front.move_clean(m reengage_front.moves) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	id text := m.move_id;
	answer json;
BEGIN
	CASE m.step
		WHEN 'settle' THEN
			PERFORM reengage_front.move_call(m.to_node, 'settle', 'server', m.server, 'move_id', id);
			PERFORM reengage_front.move_go_on(m, 'let go');
		WHEN 'let go' THEN
			IF m.given_up IS NULL THEN
				answer := reengage_front.move_call(m.from_node, 'let_go', 'server', m.server, 'move_id', id, 'at_most', '5000');
			END IF;
			IF coalesce((answer ->> 'rows')::bigint, 0) = 0 THEN
				PERFORM reengage_front.move_end(m, m.to_node, 'moved');
			END IF;
		WHEN 'undo' THEN
			answer := reengage_front.move_call(m.to_node, 'undo', 'server', m.server, 'move_id', id, 'node', m.from_node, 'given_up', (m.positions ? 'given_up')::text);
			IF NOT (answer ->> 'undone')::boolean THEN
				RAISE EXCEPTION 'server "%" has arrived at node "%"', m.server, m.to_node
					USING ERRCODE = 'object_not_in_prerequisite_state',
						  HINT = format('CALL reengage.move_server(%L, %L) ends the move; then it can be moved back.', m.server, m.to_node);
			END IF;
			PERFORM reengage_front.move_go_on(m, 'return');
		WHEN 'return' THEN
			IF m.given_up IS DISTINCT FROM m.from_node THEN
				PERFORM reengage_front.move_call(m.from_node, 'return', 'server', m.server, 'move_id', id);
			END IF;
			PERFORM set_config('lock_timeout', '30s', true);
			IF NOT m.positions ? 'reopened' THEN
				PERFORM reengage_front.move_route(m.server, m.from_node, 'moving');
			END IF;
			IF m.given_up = m.to_node THEN
				PERFORM reengage_front.move_end(m, m.from_node, 'undone');
			ELSE
				PERFORM reengage_front.move_go_on(m, 'clear');
			END IF;
		WHEN 'clear' THEN
			answer := reengage_front.move_call(m.to_node, 'clear', 'server', m.server, 'move_id', id, 'at_most', '5000');
			IF (answer ->> 'rows')::bigint = 0 THEN
				PERFORM reengage_front.move_end(m, m.from_node, 'undone');
			END IF;
		ELSE
			RAISE EXCEPTION 'a move has no step "%"', m.step USING ERRCODE = 'internal_error';
	END CASE;
	RETURN true;
END
$$;
COMMENT ON FUNCTION reengage_front.move_clean(reengage_front.moves) IS 'takes a step of those that come when it is decided where the server is';

CREATE FUNCTION reengage_front.move_take_step(server text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	m reengage_front.moves := reengage_front.move_locked(server);
BEGIN
	IF NOT (reengage_front.move_prepare(m) OR reengage_front.move_hand_over(m)) THEN
		PERFORM reengage_front.move_clean(m);
	END IF;
	RETURN (SELECT o.step FROM reengage_front.moves o WHERE o.move_id = m.move_id);
END
$$;
COMMENT ON FUNCTION reengage_front.move_take_step(text) IS 'takes the next step of a move, and returns the one after it';

-- What must not be waited for any longer is opened again, so that nothing stands still
-- while an operator looks for who holds it up.
CREATE FUNCTION reengage_front.move_give_up(server text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	m reengage_front.moves := reengage_front.move_locked(server);
BEGIN
	PERFORM reengage_front.move_call(m.from_node, 'open', 'server', m.server, 'move_id', m.move_id::text);
	PERFORM reengage_front.move_call(m.to_node, 'expect', 'server', m.server, 'move_id', m.move_id::text, 'expect', 'false');
	PERFORM set_config('lock_timeout', '30s', true);
	PERFORM reengage_front.move_route(m.server, m.from_node, 'moving');
	UPDATE reengage_front.moves o SET drained_from = NULL, held_from = NULL WHERE o.move_id = m.move_id;
	PERFORM reengage_front.move_go_on(m, 'copy history', '{"due": null}');
END
$$;
COMMENT ON FUNCTION reengage_front.move_give_up(text) IS 'lets a server be sent for again where it is; what was copied stays';

CREATE FUNCTION reengage_front.move_refuse_wait(server text, said text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	m reengage_front.moves := reengage_front.move_find(server);
	waits jsonb := m.positions -> 'waits_for';
	unheard text := m.positions ->> 'unheard';
BEGIN
	IF unheard IS NOT NULL AND said IS NULL THEN
		RAISE EXCEPTION 'server "%" could not be handed over', server
			USING ERRCODE = 'lock_not_available',
				  DETAIL = format('Node "%s" has not heard yet who opted out, or answered, at node "%s": reengage.news_state there says "%s".', m.to_node, m.from_node, unheard),
				  HINT = CASE WHEN m.step = 'arrive' THEN 'Until then nothing of it is sent. Have it hear that, and CALL reengage.move_server() again; reengage.undo_move() undoes it.'
					ELSE 'It is sent for where it was, and what was copied stays: have it hear that, then CALL reengage.move_server() again; reengage.undo_move() undoes it.' END;
	END IF;
	RAISE EXCEPTION 'server "%" could not be handed over', server
		USING ERRCODE = 'lock_not_available',
			  DETAIL = coalesce(said, 'At node "' || m.from_node || '" it still waits for ' || (waits ->> 'waits_for') || ', who had begun to write before.',
				'At node "' || m.from_node || '" ' || (waits ->> 'under_way') || ' nudges are under way.', 'It took too long.'),
			  HINT = 'It is sent for where it was, and what was copied stays: end those, or let the worker run, then CALL reengage.move_server() again; reengage.undo_move() undoes it.';
END
$$;
COMMENT ON FUNCTION reengage_front.move_refuse_wait(text, text) IS 'the error for a move that had to wait too long';

CREATE FUNCTION reengage_front.move_note(server text, said text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$ UPDATE reengage_front.moves m SET complaint = said WHERE m.server = move_note.server AND m.ended_at IS NULL $$;
COMMENT ON FUNCTION reengage_front.move_note(text, text) IS 'notes by which error a move was broken off';

CREATE FUNCTION reengage_front.move_to_undo(server text, may_be_none boolean) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	m reengage_front.moves := reengage_front.move_find(server);
	state text;
BEGIN
	IF m.move_id IS NULL AND (reengage_front.move_reopen(server, 'undone') OR reengage_front.move_adopt(server)) THEN
		m := reengage_front.move_find(server);
	END IF;
	IF m.move_id IS NULL THEN
		IF may_be_none THEN
			RETURN false;
		END IF;
		PERFORM reengage_front.route(server);
		RAISE EXCEPTION 'no move of server "%" is under way', server
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'What has arrived is moved back by reengage.move_server().';
	END IF;
	PERFORM reengage_front.move_take(m);
	IF m.step IN ('undo', 'return', 'clear') THEN
		RETURN true;
	ELSIF m.step IN ('settle', 'let go') THEN
		RAISE EXCEPTION 'server "%" has arrived at node "%"', server, m.to_node
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = format('CALL reengage.move_server(%L, %L) ends the move; then it can be moved back.', server, m.to_node);
	END IF;
	PERFORM reengage_front.move_go_on(m, 'undo', jsonb_build_object('undone_from', m.step));
	RETURN true;
END
$$;
COMMENT ON FUNCTION reengage_front.move_to_undo(text, boolean) IS 'turns a move around; false: there is none';

CREATE FUNCTION reengage_front.move_require_own_transaction() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') OR pg_is_in_recovery() THEN
		RAISE EXCEPTION 'a server can be moved in READ COMMITTED, on a primary'
			USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_front.move_require_own_transaction() IS 'an error where a move could not see what it has done';

-- They commit, so that they cannot carry a search_path: they call only functions that do.
CREATE PROCEDURE reengage.undo_move(server text, lost text DEFAULT NULL)
LANGUAGE plpgsql
AS $$
DECLARE
	step pg_catalog.text;
BEGIN
	PERFORM reengage_front.move_require_own_transaction();
	IF lost IS NULL THEN
		PERFORM reengage_front.move_to_undo(server, false);
	ELSE
		PERFORM reengage_front.move_undo_without(server, lost);
	END IF;
	COMMIT;
	LOOP
		step := reengage_front.move_take_step(server);
		COMMIT;
		EXIT WHEN step OPERATOR(pg_catalog.=) 'undone';
	END LOOP;
END
$$;
COMMENT ON PROCEDURE reengage.undo_move(text, text) IS
	'undoes a move that has begun and not arrived: the server is where it was, as it was, and what was copied is deleted; again, after whatever broke it off, it goes on; lost: the node that is lost for good, which is not asked then, and a warning says what may be sent twice; once more, when that is back after all, it ends there, too';
GRANT EXECUTE ON PROCEDURE reengage.undo_move(text, text) TO reengage_fleet;

CREATE PROCEDURE reengage.move_server(server text, to_node text, patience interval DEFAULT '30 seconds', lost text DEFAULT NULL)
LANGUAGE plpgsql
AS $$
DECLARE
	step pg_catalog.text;
	was pg_catalog.text;
	said pg_catalog.text;
	detail pg_catalog.text;
	remedy pg_catalog.text;
	code pg_catalog.text;
	until pg_catalog.timestamptz;
BEGIN
	PERFORM reengage_front.move_require_own_transaction();
	step := reengage_front.move_begin(server, to_node);
	IF lost IS NOT NULL THEN
		step := reengage_front.move_go_without(server, lost);
	END IF;
	COMMIT;
	WHILE step OPERATOR(pg_catalog.<>) 'moved' LOOP
		was := step;
		BEGIN
			step := reengage_front.move_take_step(server);
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS said := MESSAGE_TEXT, detail := PG_EXCEPTION_DETAIL, remedy := PG_EXCEPTION_HINT, code := RETURNED_SQLSTATE;
		END;
		IF said IS NOT NULL THEN
			PERFORM reengage_front.move_note(server, said);
			COMMIT;
			EXIT;
		END IF;
		COMMIT;
		IF step OPERATOR(pg_catalog.<>) was THEN
			until := NULL;
		ELSIF pg_catalog.array_position(ARRAY['drain', 'close', 'arrive']::pg_catalog.text[], step) IS NOT NULL THEN
			until := coalesce(until, pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) patience);
			EXIT WHEN pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>) until;
			PERFORM pg_catalog.pg_sleep(0.01);
			COMMIT;
		END IF;
	END LOOP;
	IF step OPERATOR(pg_catalog.=) 'moved' THEN
		RETURN;
	END IF;
	-- before anything was copied, nothing is left of it
	IF said IS NOT NULL AND pg_catalog.array_position(ARRAY['begin', 'accept', 'preflight']::pg_catalog.text[], was) IS NOT NULL THEN
		PERFORM reengage_front.move_to_undo(server, true);
		COMMIT;
		LOOP
			step := reengage_front.move_take_step(server);
			COMMIT;
			EXIT WHEN step OPERATOR(pg_catalog.=) 'undone';
		END LOOP;
	ELSIF pg_catalog.array_position(ARRAY['drain', 'close', 'route', 'expect']::pg_catalog.text[], was) IS NOT NULL AND (said IS NULL OR code OPERATOR(pg_catalog.=) '55P03') THEN
		PERFORM reengage_front.move_give_up(server);
		PERFORM reengage_front.move_note(server, 'had to wait too long');
		COMMIT;
		PERFORM reengage_front.move_refuse_wait(server, said);
	ELSIF said IS NULL THEN
		PERFORM reengage_front.move_note(server, 'had to wait too long');
		COMMIT;
		PERFORM reengage_front.move_refuse_wait(server, said);
	END IF;
	PERFORM reengage_front.move_refuse(said, detail, remedy, code);
END
$$;
COMMENT ON PROCEDURE reengage.move_server(text, text, interval, text) IS
	'moves a server to another node, with all that is known of it: what is due is due there, and nothing is sent twice or lost, whatever breaks it off: then it is called again, or undo_move(); waits so long at most for those who hold it up; lost: the node that it leaves, if that is lost for good when all has been copied; commits as it goes';
GRANT EXECUTE ON PROCEDURE reengage.move_server(text, text, interval, text) TO reengage_fleet;

CREATE FUNCTION reengage_front.move_refuse(said text, detail text, remedy text, code text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RAISE EXCEPTION '%', said
		USING ERRCODE = code, DETAIL = coalesce(detail, ''),
			  HINT = coalesce(nullif(remedy, ''), 'CALL reengage.move_server() again goes on from here, reengage.undo_move() undoes it.');
END
$$;
COMMENT ON FUNCTION reengage_front.move_refuse(text, text, text, text) IS 'the error by which a move was broken off';
