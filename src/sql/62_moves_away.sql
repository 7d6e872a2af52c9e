--
-- Moving a server to another node: what the one does that it leaves.
--
CREATE FUNCTION reengage_internal.move_begin(server text, move_id uuid, node text) RETURNS json
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	known reengage.server_moves;
BEGIN
	PERFORM reengage_internal.require_writable('a server cannot be moved on');
	PERFORM reengage_internal.require_server(server);
	-- from its commit on retention leaves the server alone; what it has begun ends first
	PERFORM reengage_internal.lock('retention', VARIADIC '{}');
	SELECT * INTO known FROM reengage.server_moves m WHERE m.server = move_begin.server FOR UPDATE;
	IF known.move_id = move_begin.move_id THEN
		PERFORM reengage_internal.move_require(known, 'leaving');
	ELSIF known.state <> ALL (ARRAY['arrived', 'gone']) THEN
		RAISE EXCEPTION 'a move of server "%" has begun, and is %', server, known.state
			USING ERRCODE = 'object_in_use', DETAIL = format('The other node is "%s".', known.node),
				  HINT = CASE WHEN known.state = 'undone' AND known.kept IS NULL
					THEN format('If it was made here since, SELECT reengage.forget_move(%L) at this node.', server)
					ELSE 'CALL reengage.move_server() to that node goes on with it, and reengage.undo_move() ends it.' END;
	END IF;
	INSERT INTO reengage.server_moves AS m (server, move_id, state, node)
	VALUES (move_begin.server, move_begin.move_id, 'leaving', move_begin.node)
	ON CONFLICT ON CONSTRAINT server_moves_pkey DO UPDATE
	SET move_id = EXCLUDED.move_id, state = EXCLUDED.state, node = EXCLUDED.node, began_at = EXCLUDED.began_at,
		changed_at = EXCLUDED.changed_at, waits_for = NULL, nudges = 0, lineage = 0, kept = NULL;
	RETURN json_build_object('nudges', (SELECT sum((t ->> 'nudges')::bigint) FROM json_array_elements(reengage_internal.move_tallies(server)) t));
END
$$;
COMMENT ON FUNCTION reengage_internal.move_begin(text, uuid, text) IS 'begins to move a server to another node';

-- In the order in which a reader that remembers how far it has read gets all rows, once
-- what came with the server from elsewhere is through; with the nudges that they are about.
CREATE FUNCTION reengage_internal.move_read_lineage(server text, after_xact bigint, after_id uuid, at_most integer) RETURNS json
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC' SET datestyle = 'ISO' SET intervalstyle = 'postgres' SET extra_float_digits = 1
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	page reengage.lineage[];
	result json;
BEGIN
	page := ARRAY(
		SELECT l FROM reengage.lineage l
		WHERE (l.xact_id, l.lineage_id) > (after_xact, after_id) AND l.xact_id IS NOT NULL AND l.server = move_read_lineage.server
		  AND NOT l.xact_id <@ (SELECT reengage_internal.lineage_in_progress())
		ORDER BY l.xact_id, l.lineage_id LIMIT at_most);
	SELECT json_build_object(
		'lineage', (SELECT coalesce(json_agg(to_jsonb(l) || '{"xact_id": 0}'), '[]') FROM unnest(page) l),
		'lineage_digest', (SELECT (reengage_internal.lineage_sums(l)).digest FROM unnest(page) l),
		'nudges', n.nudges, 'nudges_digest', n.digest,
		'after_xact', page[cardinality(page)].xact_id, 'after_id', page[cardinality(page)].lineage_id,
		'rows', cardinality(page))
	INTO result
	FROM (SELECT coalesce(json_agg(n), '[]') AS nudges, coalesce(sum(('x' || substr(md5(n::text), 17))::bit(64)::bigint), 0) AS digest
		  FROM (SELECT DISTINCT l.nudge_id FROM unnest(page) l) i
			  CROSS JOIN LATERAL (SELECT n.* FROM reengage.nudges n WHERE n.nudge_id = i.nudge_id OFFSET 0) n) n;
	RETURN result;
END
$$;
COMMENT ON FUNCTION reengage_internal.move_read_lineage(text, bigint, uuid, integer) IS
	'the next rows of lineage of a server, with their nudges';

CREATE FUNCTION reengage_internal.move_read_nudges(server text, what text, after_id uuid, at_most integer) RETURNS json
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC' SET datestyle = 'ISO' SET intervalstyle = 'postgres' SET extra_float_digits = 1
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	ids uuid[];
BEGIN
	IF what = 'due' THEN
		ids := ARRAY(SELECT d.nudge_id FROM reengage.due d
					 WHERE d.nudge_id > after_id AND d.server = move_read_nudges.server ORDER BY d.nudge_id LIMIT at_most);
	ELSE
		ids := ARRAY(SELECT n.nudge_id FROM reengage.nudges n
					 WHERE n.nudge_id > after_id AND n.server = move_read_nudges.server ORDER BY n.nudge_id LIMIT at_most);
	END IF;
	RETURN (SELECT json_build_object('nudges', coalesce(json_agg(n), '[]'), 'nudges_digest', coalesce(sum(('x' || substr(md5(n::text), 17))::bit(64)::bigint), 0),
				'after_id', ids[cardinality(ids)], 'rows', cardinality(ids))
			FROM unnest(ids) AS i (nudge_id) CROSS JOIN LATERAL (SELECT n.* FROM reengage.nudges n WHERE n.nudge_id = i.nudge_id OFFSET 0) n);
END
$$;
COMMENT ON FUNCTION reengage_internal.move_read_nudges(text, text, uuid, integer) IS
	'the next nudges of a server, in the order of their ids: those that are due, or all';

CREATE FUNCTION reengage_internal.move_read_ids(server text, ids uuid[]) RETURNS json
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC' SET datestyle = 'ISO' SET intervalstyle = 'postgres' SET extra_float_digits = 1
AS $$
	SELECT json_build_object('nudges', coalesce(json_agg(n), '[]'), 'nudges_digest', coalesce(sum(('x' || substr(md5(n::text), 17))::bit(64)::bigint), 0), 'rows', count(*))
	FROM reengage.nudges n WHERE n.nudge_id = ANY (ids) AND n.server = move_read_ids.server
$$;
COMMENT ON FUNCTION reengage_internal.move_read_ids(text, uuid[]) IS 'nudges of a server, by their ids';

-- What is due changes with each attempt, so it is compared part by part, and only
-- what differs travels again.
CREATE FUNCTION reengage_internal.move_due_digests(server text) RETURNS json
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC' SET datestyle = 'ISO' SET intervalstyle = 'postgres' SET extra_float_digits = 1 SET jit = off
AS $$
	SELECT coalesce(json_object_agg(b.bucket, b.digest), '{}')
	FROM (SELECT get_byte(uuid_send(d.nudge_id), 15) AS bucket, sum(('x' || substr(md5(d::text), 17))::bit(64)::bigint) AS digest
		  FROM reengage.due d WHERE d.server = move_due_digests.server GROUP BY 1) b
$$;
COMMENT ON FUNCTION reengage_internal.move_due_digests(text) IS 'the digest of each part of what is due at a server';

CREATE FUNCTION reengage_internal.move_read_due(server text, buckets integer[]) RETURNS json
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC' SET datestyle = 'ISO' SET intervalstyle = 'postgres' SET extra_float_digits = 1 SET jit = off
AS $$
	SELECT json_build_object('due', coalesce(json_agg(d), '[]'), 'rows', count(*)) FROM reengage.due d
	WHERE d.server = move_read_due.server AND get_byte(uuid_send(d.nudge_id), 15) = ANY (buckets)
$$;
COMMENT ON FUNCTION reengage_internal.move_read_due(text, integer[]) IS 'some parts of what is due at a server';

CREATE FUNCTION reengage_internal.move_read_tombstones(server text, after uuid, at_most integer) RETURNS json
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
AS $$
	-- of those that version 1.0 has let go nobody knows the server
	SELECT json_build_object('tombstones', coalesce(json_agg(p), '[]'), 'after', (array_agg(p.nudge_id ORDER BY p.nudge_id DESC))[1], 'rows', count(*))
	FROM (SELECT p.nudge_id, p.day FROM reengage.pruned_nudges p
		  WHERE p.nudge_id > after AND (p.server = move_read_tombstones.server OR p.server IS NULL)
		  ORDER BY p.nudge_id LIMIT at_most) p
$$;
COMMENT ON FUNCTION reengage_internal.move_read_tombstones(text, uuid, integer) IS 'the next ids of nudges of a server that are gone';

-- In an order of its own: retention, which alone adds to them, waits until the move has ended.
CREATE FUNCTION reengage_internal.move_read_sessions(server text, after text, at_most integer) RETURNS json
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC' SET datestyle = 'ISO' SET intervalstyle = 'postgres' SET extra_float_digits = 1
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
AS $$
	SELECT json_build_object('sessions', coalesce(json_agg(p), '[]'), 'rows', count(*),
		'after', (array_agg(p.previous_conversation_id ORDER BY p.previous_conversation_id DESC))[1])
	FROM (SELECT p.* FROM reengage.past_sessions p
		  WHERE p.server = move_read_sessions.server AND p.previous_conversation_id > after
		  ORDER BY p.server, p.previous_conversation_id LIMIT at_most) p
$$;
COMMENT ON FUNCTION reengage_internal.move_read_sessions(text, text, integer) IS
	'the next of how threads of a server went on, of which the lineage is gone';

-- The rest is little, and travels as a whole.
CREATE FUNCTION reengage_internal.move_read_rest(server text) RETURNS json
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC' SET datestyle = 'ISO' SET intervalstyle = 'postgres' SET extra_float_digits = 1 SET jit = off
AS $$
	SELECT json_build_object(
		'definition', reengage_internal.move_definition(server), 'definition_digest', reengage_internal.move_definition_digest(server),
		'unresolved', (SELECT coalesce(json_agg(u ORDER BY u.nudge_id), '[]') FROM reengage.unresolved u WHERE u.server = move_read_rest.server),
		'policies', (SELECT coalesce(json_agg(p ORDER BY p.policy_id), '[]') FROM reengage.policies p WHERE p.server = move_read_rest.server),
		'suppressions', (SELECT coalesce(json_agg(s ORDER BY s.suppression_id), '[]') FROM reengage.suppressions s WHERE s.server = move_read_rest.server),
		'answers', (SELECT coalesce(json_agg(a ORDER BY a.answer_id), '[]') FROM reengage.answers a WHERE a.server = move_read_rest.server),
		'pauses', (SELECT coalesce(json_agg(p), '[]') FROM reengage.pauses p WHERE p.server = move_read_rest.server))
$$;
COMMENT ON FUNCTION reengage_internal.move_read_rest(text) IS
	'what else there is of a server: how it was made, calls that may have had their effect, policies, opt-outs and answers of its own, its pause';

CREATE FUNCTION reengage_internal.move_tallies(server text) RETURNS json
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(json_agg(t ORDER BY t.campaign, t.requested_by, t.state, t.reason), '[]')
	FROM (SELECT sum(c.nudges)::bigint AS nudges, c.server, c.campaign, c.requested_by, c.state, c.reason
		  FROM (SELECT t.* FROM reengage.tallies t UNION ALL SELECT t.* FROM reengage.tally_changes t) c
		  WHERE c.server = move_tallies.server
		  GROUP BY c.server, c.campaign, c.requested_by, c.state, c.reason HAVING sum(c.nudges) <> 0) t
$$;
COMMENT ON FUNCTION reengage_internal.move_tallies(text) IS 'how many nudges of a server there are in each state';

-- Whoever asks for a nudge, or writes something else of the server, has looked first
-- whether it is here, and holds that lock until the end.
CREATE FUNCTION reengage_internal.move_waits_for(known reengage.server_moves) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	holders text[];
	pids text;
BEGIN
	SELECT array_agg(DISTINCT k.virtualtransaction), string_agg(DISTINCT coalesce('process ' || k.pid, 'a prepared transaction'), ', ')
	INTO holders, pids
	FROM pg_locks k
	WHERE k.locktype = 'relation' AND k.relation = 'reengage.server_moves'::regclass AND k.mode = 'RowShareLock' AND k.granted
	  AND k.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
	  AND k.pid IS DISTINCT FROM pg_backend_pid()
	  -- one that is prepared has another name after a restart
	  AND (known.waits_for IS NULL OR k.virtualtransaction = ANY (known.waits_for) OR k.pid IS NULL);
	UPDATE reengage.server_moves m SET waits_for = coalesce(holders, '{}') WHERE m.server = known.server;
	RETURN pids;
END
$$;
COMMENT ON FUNCTION reengage_internal.move_waits_for(reengage.server_moves) IS
	'of the transactions that may yet write something of a server, as they had looked before its state changed, those that have not ended; null: all have';

-- Whoever hears this has heard all that was said here before.
CREATE FUNCTION reengage_internal.move_say_mark() RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
BEGIN
	IF NOT reengage_internal.move_tells() THEN
		RETURN NULL;
	END IF;
	PERFORM reengage_internal.say_key();
	RETURN (SELECT n.news_id FROM reengage.news n WHERE n.kind = 'key' AND n.node = reengage_internal.node_name());
END
$$;
COMMENT ON FUNCTION reengage_internal.move_say_mark() IS
	'says once more what the other nodes know; they have heard all that was said before when they hear that; null: nothing of it matters to a move';

CREATE FUNCTION reengage_internal.move_drain(server text, move_id uuid) RETURNS json
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	known reengage.server_moves := reengage_internal.move_of(server, move_id);
	waits uuid[];
	writers text;
	under_way bigint;
BEGIN
	PERFORM reengage_internal.move_require(known, 'leaving', 'draining');
	IF known.state = 'leaving' THEN
		-- as pause() has it
		PERFORM reengage_internal.lock('server', server);
		PERFORM reengage_internal.move_set(server, 'draining');
		UPDATE reengage.server_moves m SET waits_for = NULL WHERE m.server = move_drain.server;
		PERFORM reengage_internal.await_silence();
		RETURN json_build_object('drained', false);
	END IF;
	-- who holds it open for long is found before anybody has to wait
	writers := reengage_internal.move_waits_for(known);
	waits := reengage_internal.unanswered(server);
	-- looks that are under way end without an outcome, or with one that is to be written here
	SELECT coalesce(sum(c.value), 0) INTO under_way FROM reengage_internal.counters() c
	WHERE c.name = 'reengage_in_flight' AND c.server = move_drain.server;
	RETURN json_build_object('drained', cardinality(waits) = 0 AND under_way = 0 AND writers IS NULL,
		'waits_for', writers, 'under_way', greatest(under_way, cardinality(waits)));
END
$$;
COMMENT ON FUNCTION reengage_internal.move_drain(text, uuid) IS
	'from its commit on nothing of the server is begun here; asked again, whether nothing is under way any more';

CREATE FUNCTION reengage_internal.move_close(server text, move_id uuid) RETURNS json
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	known reengage.server_moves := reengage_internal.move_of(server, move_id);
	waits text;
BEGIN
	PERFORM reengage_internal.move_require(known, 'draining', 'closed');
	IF known.state = 'draining' THEN
		UPDATE reengage.server_moves m SET waits_for = NULL, kept = jsonb_build_object('mark', reengage_internal.move_say_mark())
		WHERE m.server = move_close.server;
		PERFORM reengage_internal.move_set(server, 'closed');
		RETURN json_build_object('closed', false);
	END IF;
	waits := reengage_internal.move_waits_for(known);
	RETURN json_build_object('closed', waits IS NULL, 'waits_for', waits, 'mark', known.kept -> 'mark');
END
$$;
COMMENT ON FUNCTION reengage_internal.move_close(text, uuid) IS
	'from its commit on nothing of the server is written here; asked again, whether all who had begun before have ended';

CREATE FUNCTION reengage_internal.move_open(server text, move_id uuid) RETURNS json
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	known reengage.server_moves := reengage_internal.move_of(server, move_id);
BEGIN
	PERFORM reengage_internal.move_require(known, 'leaving', 'draining', 'closed');
	PERFORM reengage_internal.move_set(server, 'leaving');
	UPDATE reengage.server_moves m SET kept = NULL WHERE m.server = move_open.server;
	RETURN 'true';
END
$$;
COMMENT ON FUNCTION reengage_internal.move_open(text, uuid) IS 'opens a server again that was closed, or was to be: it is sent for, and copied';

CREATE FUNCTION reengage_internal.move_count_tallies(server text, sign integer, tallies json) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO reengage.tally_changes (nudges, server, campaign, requested_by, state, reason)
	SELECT sign * t.nudges, t.server, t.campaign, t.requested_by, t.state, t.reason
	FROM json_populate_recordset(NULL::reengage.tally_changes, tallies) t WHERE t.server = move_count_tallies.server
$$;
COMMENT ON FUNCTION reengage_internal.move_count_tallies(text, integer, json) IS 'adds what move_tallies() said, or takes it away';

CREATE FUNCTION reengage_internal.move_depart(server text, move_id uuid, digests jsonb, definition text, positions jsonb) RETURNS json
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	known reengage.server_moves := reengage_internal.move_of(server, move_id);
	tallies json;
	mark uuid;
BEGIN
	IF known.state = 'departed' THEN
		RETURN json_build_object('departed', true, 'mark', known.kept -> 'mark');
	END IF;
	PERFORM reengage_internal.move_require(known, 'closed');
	IF known.waits_for IS DISTINCT FROM '{}' THEN
		RAISE EXCEPTION 'server "%" is not closed yet', server USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;
	PERFORM reengage_internal.lock('server', server);
	-- what the other node has must be what is here
	IF reengage_internal.move_due_digests(server)::jsonb IS DISTINCT FROM digests
		OR reengage_internal.move_definition_digest(server) IS DISTINCT FROM definition
		OR (reengage_internal.move_read_lineage(server, (positions ->> 'after_xact')::bigint, (positions ->> 'after_id')::uuid, 1) ->> 'rows')::bigint > 0 THEN
		RETURN json_build_object('departed', false);
	END IF;
	tallies := reengage_internal.move_tallies(server);
	mark := reengage_internal.move_say_mark();
	INSERT INTO reengage.shelved_due (server, nudge_id, due, unresolved)
	SELECT d.server, d.nudge_id, to_jsonb(d), (SELECT to_jsonb(u) FROM reengage.unresolved u WHERE u.nudge_id = d.nudge_id)
	FROM reengage.due d WHERE d.server = move_depart.server;
	DELETE FROM reengage.unresolved u USING reengage.shelved_due s WHERE u.nudge_id = s.nudge_id AND s.server = move_depart.server;
	-- counted below, all at once
	PERFORM set_config('session_replication_role', 'replica', true);
	DELETE FROM reengage.due d WHERE d.server = move_depart.server;
	PERFORM set_config('session_replication_role', 'origin', true);
	PERFORM reengage_internal.move_count_tallies(server, -1, tallies);
	UPDATE reengage.server_moves m SET kept = jsonb_build_object('tallies', tallies, 'mark', mark) WHERE m.server = move_depart.server;
	PERFORM reengage_internal.move_set(server, 'departed');
	RETURN json_build_object('departed', true, 'mark', mark);
END
$$;
COMMENT ON FUNCTION reengage_internal.move_depart(text, uuid, jsonb, text, jsonb) IS
	'lets a server go, if the other node has what is here: from its commit on nothing of it is due here';

CREATE FUNCTION reengage_internal.move_return(server text, move_id uuid) RETURNS json
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	known reengage.server_moves;
BEGIN
	SELECT * INTO known FROM reengage.server_moves m WHERE m.server = move_return.server FOR UPDATE;
	IF known.move_id IS DISTINCT FROM move_return.move_id THEN
		RETURN 'false';
	END IF;
	PERFORM reengage_internal.move_require(known, 'leaving', 'draining', 'closed', 'departed');
	IF known.state = 'departed' THEN
		PERFORM set_config('session_replication_role', 'replica', true);
		INSERT INTO reengage.due SELECT r.* FROM reengage.shelved_due s CROSS JOIN LATERAL jsonb_populate_record(NULL::reengage.due, s.due) r
		WHERE s.server = move_return.server;
		INSERT INTO reengage.unresolved SELECT r.* FROM reengage.shelved_due s CROSS JOIN LATERAL jsonb_populate_record(NULL::reengage.unresolved, s.unresolved) r
		WHERE s.server = move_return.server AND s.unresolved IS NOT NULL;
		PERFORM set_config('session_replication_role', 'origin', true);
		DELETE FROM reengage.shelved_due s WHERE s.server = move_return.server;
		PERFORM reengage_internal.move_count_tallies(server, 1, (known.kept -> 'tallies')::json);
	END IF;
	DELETE FROM reengage.server_moves m WHERE m.server = move_return.server;
	PERFORM reengage_internal.wake('-infinity');
	RETURN 'true';
END
$$;
COMMENT ON FUNCTION reengage_internal.move_return(text, uuid) IS
	'takes a server back of which the other node has said that it did not arrive: all is as it was';

-- A part in each transaction; lineage that was recorded here stays, as it is nowhere else
-- counted as that.
CREATE FUNCTION reengage_internal.move_let_go(server text, move_id uuid, at_most integer) RETURNS json
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	known reengage.server_moves := reengage_internal.move_of(server, move_id);
	ids uuid[];
	gone bigint;
BEGIN
	IF known.state = 'gone' THEN
		RETURN json_build_object('rows', 0);
	END IF;
	PERFORM reengage_internal.move_require(known, 'departed');
	PERFORM reengage_internal.lock('retention', VARIADIC '{}');
	ids := ARRAY(SELECT n.nudge_id FROM reengage.nudges n WHERE n.server = move_let_go.server LIMIT at_most);
	INSERT INTO reengage.pruned_nudges AS p (nudge_id, day, server)
	SELECT i, (now() AT TIME ZONE 'UTC')::date, move_let_go.server FROM unnest(ids) i
	ON CONFLICT (nudge_id) DO UPDATE SET day = EXCLUDED.day, server = EXCLUDED.server;
	DELETE FROM reengage.nudges n WHERE n.nudge_id = ANY (ids);
	GET DIAGNOSTICS gone = ROW_COUNT;
	IF gone = 0 THEN
		DELETE FROM reengage.lineage l WHERE l.lineage_id = ANY (ARRAY(
			SELECT o.lineage_id FROM reengage.lineage o WHERE o.xact_id = 0 AND o.server = move_let_go.server LIMIT at_most));
		GET DIAGNOSTICS gone = ROW_COUNT;
	END IF;
	IF gone = 0 THEN
		gone := reengage_internal.move_forget_sessions(server, at_most);
	END IF;
	IF gone > 0 THEN
		RETURN json_build_object('rows', gone);
	END IF;
	DELETE FROM reengage.shelved_due s WHERE s.server = move_let_go.server;
	PERFORM set_config('session_replication_role', 'replica', true);
	DELETE FROM reengage.policies p WHERE p.server = move_let_go.server;
	PERFORM set_config('session_replication_role', 'origin', true);
	DELETE FROM reengage.pauses p WHERE p.server = move_let_go.server;
	DELETE FROM reengage.server_state p WHERE p.server = move_let_go.server;
	UPDATE reengage.server_moves m SET kept = NULL, waits_for = NULL WHERE m.server = move_let_go.server;
	EXECUTE format('DROP SERVER IF EXISTS %I', server);
	PERFORM reengage_internal.move_set(server, 'gone');
	RETURN json_build_object('rows', 0);
END
$$;
COMMENT ON FUNCTION reengage_internal.move_let_go(text, uuid, integer) IS
	'deletes some nudges of a server that has arrived elsewhere, whose ids stay known, and in the end the server; how many they were: 0 means that all are gone';
