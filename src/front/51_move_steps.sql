--
-- Moving a server to another node: the steps.  Each is a transaction that writes on one
-- node only, and may be taken again: whatever breaks off between the commit there and
-- the commit here, the next call takes that step once more.
--
CREATE FUNCTION reengage_front.move_position(m reengage_front.moves, name text, otherwise text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce((m).positions ->> name, otherwise) $$;
COMMENT ON FUNCTION reengage_front.move_position(reengage_front.moves, text, text) IS 'how far a table has been read';

CREATE FUNCTION reengage_front.move_go_on(m reengage_front.moves, step text, positions jsonb DEFAULT '{}') RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE reengage_front.moves o SET step = move_go_on.step, positions = o.positions || move_go_on.positions WHERE o.move_id = (m).move_id
$$;
COMMENT ON FUNCTION reengage_front.move_go_on(reengage_front.moves, text, jsonb) IS 'notes the step that is next';

CREATE FUNCTION reengage_front.move_copy_page(m reengage_front.moves, what text, first text, at_most integer) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	page json := reengage_front.move_call(m.from_node, 'read_' || what, 'server', m.server,
		'after', reengage_front.move_position(m, what, first), 'at_most', at_most::text);
BEGIN
	IF (page ->> 'rows')::bigint = 0 THEN
		RETURN true;
	END IF;
	PERFORM reengage_front.move_call_with(m.to_node, 'write_' || what, json_build_object('server', m.server, 'move_id', m.move_id, 'rows', page -> what));
	PERFORM reengage_front.move_go_on(m, m.step, jsonb_build_object(what, page ->> 'after'));
	RETURN false;
END
$$;
COMMENT ON FUNCTION reengage_front.move_copy_page(reengage_front.moves, text, text, integer) IS
	'copies some rows of what does not change while a server moves: tombstones or sessions; true: there are no more';

CREATE FUNCTION reengage_front.move_copy_history(m reengage_front.moves) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	page json := reengage_front.move_call(m.from_node, 'read_lineage', 'server', m.server,
		'after_xact', reengage_front.move_position(m, 'after_xact', '-1'),
		'after_id', reengage_front.move_position(m, 'after_id', '00000000-0000-0000-0000-000000000000'), 'at_most', '2000');
BEGIN
	IF (page ->> 'rows')::bigint = 0 THEN
		RETURN true;
	END IF;
	PERFORM reengage_front.move_call_with(m.to_node, 'write_lineage', json_build_object('server', m.server, 'move_id', m.move_id, 'page', page));
	PERFORM reengage_front.move_go_on(m, m.step, jsonb_build_object('after_xact', page ->> 'after_xact', 'after_id', page ->> 'after_id'));
	RETURN false;
END
$$;
COMMENT ON FUNCTION reengage_front.move_copy_history(reengage_front.moves) IS
	'copies some rows of lineage, in the order in which they were written, with their nudges; true: there are no more by now';

CREATE FUNCTION reengage_front.move_write_nudges(m reengage_front.moves, page json) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF (page ->> 'rows')::bigint > 0 THEN
		PERFORM reengage_front.move_call_with(m.to_node, 'write_nudges', json_build_object('server', m.server, 'move_id', m.move_id,
			'nudges', page -> 'nudges', 'nudges_digest', page -> 'nudges_digest'));
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_front.move_write_nudges(reengage_front.moves, json) IS 'copies nudges that were read';

CREATE FUNCTION reengage_front.move_copy_nudges(m reengage_front.moves, what text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	page json := reengage_front.move_call(m.from_node, 'read_nudges', 'server', m.server, 'what', what,
		'after_id', reengage_front.move_position(m, what, '00000000-0000-0000-0000-000000000000'), 'at_most', '2000');
BEGIN
	PERFORM reengage_front.move_write_nudges(m, page);
	IF (page ->> 'rows')::bigint = 0 THEN
		RETURN true;
	END IF;
	PERFORM reengage_front.move_go_on(m, m.step, jsonb_build_object(what, page ->> 'after_id'));
	RETURN false;
END
$$;
COMMENT ON FUNCTION reengage_front.move_copy_nudges(reengage_front.moves, text) IS 'copies some nudges, those that are due or all; true: there are no more';

CREATE FUNCTION reengage_front.move_copy_due(m reengage_front.moves) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	here jsonb := reengage_front.move_call(m.from_node, 'due_digests', 'server', m.server);
	there jsonb := reengage_front.move_call(m.to_node, 'due_digests', 'server', m.server);
	part integer[];
	lacking json;
	page json;
BEGIN
	FOR part IN
		SELECT array_agg(d.bucket) FROM (
			SELECT b.bucket, (row_number() OVER (ORDER BY b.bucket) - 1) / 16 AS part
			FROM generate_series(0, 255) AS b (bucket) WHERE here -> b.bucket::text IS DISTINCT FROM there -> b.bucket::text) d
		GROUP BY d.part
	LOOP
		page := reengage_front.move_call_with(m.from_node, 'read_due', json_build_object('server', m.server, 'buckets', part));
		lacking := reengage_front.move_call_with(m.to_node, 'write_due', json_build_object('server', m.server, 'move_id', m.move_id,
			'buckets', part, 'rows', coalesce(page -> 'due', '[]')));
		IF json_array_length(lacking) > 0 THEN
			PERFORM reengage_front.move_write_nudges(m,
				reengage_front.move_call_with(m.from_node, 'read_ids', json_build_object('server', m.server, 'ids', lacking)));
		END IF;
	END LOOP;
	-- there it rests, so that it need not be asked once more
	IF page IS NOT NULL THEN
		there := reengage_front.move_call(m.to_node, 'due_digests', 'server', m.server);
	END IF;
	PERFORM reengage_front.move_go_on(m, m.step, jsonb_build_object('digests', there));
END
$$;
COMMENT ON FUNCTION reengage_front.move_copy_due(reengage_front.moves) IS
	'makes what is due the same on both nodes, with the nudges of it: of what was copied before only those parts that differ';

-- What came since, while nothing comes any more; in the end the nodes must have as many.
CREATE FUNCTION reengage_front.move_copy_rest(m reengage_front.moves) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	current reengage_front.moves := m;
	tallies json := reengage_front.move_call(m.from_node, 'tallies', 'server', m.server);
	tallied bigint;
	rest json;
BEGIN
	LOOP
		EXIT WHEN reengage_front.move_copy_history(current);
		SELECT * INTO current FROM reengage_front.moves o WHERE o.move_id = m.move_id;
	END LOOP;
	PERFORM reengage_front.move_copy_due(current);
	rest := reengage_front.move_call(m.from_node, 'read_rest', 'server', m.server);
	PERFORM reengage_front.move_call_with(m.to_node, 'write_rest', json_build_object('server', m.server, 'move_id', m.move_id, 'rest', rest));
	PERFORM reengage_front.move_go_on(m, m.step, jsonb_build_object('definition', rest ->> 'definition_digest', 'tallies', tallies));
	SELECT coalesce(sum((t ->> 'nudges')::bigint), 0) INTO tallied FROM json_array_elements(tallies) t;
	IF tallied = (reengage_front.move_call(m.to_node, 'state', 'server', m.server, 'move_id', m.move_id::text) ->> 'nudges')::bigint THEN
		RETURN;
	END IF;
	-- some that have neither an outcome nor a place in the schedule, or lie beyond its order
	UPDATE reengage_front.moves o SET positions = o.positions - 'all' - 'after_xact' - 'after_id' WHERE o.move_id = m.move_id;
	LOOP
		SELECT * INTO current FROM reengage_front.moves o WHERE o.move_id = m.move_id;
		EXIT WHEN reengage_front.move_copy_nudges(current, 'all');
	END LOOP;
	LOOP
		SELECT * INTO current FROM reengage_front.moves o WHERE o.move_id = m.move_id;
		EXIT WHEN reengage_front.move_copy_history(current);
	END LOOP;
END
$$;
COMMENT ON FUNCTION reengage_front.move_copy_rest(reengage_front.moves) IS 'copies what is not at the other node yet, of a server that is closed';

-- Said while nothing has been done that a customer or an application could notice.
CREATE FUNCTION reengage_front.move_refuse_unknown(m reengage_front.moves) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	failed text;
	remedies text;
BEGIN
	SELECT string_agg(format('%s: %s', f ->> 'check_name', f ->> 'detail'), E'\n'), string_agg(f ->> 'remedy', E'\n') INTO failed, remedies
	FROM json_array_elements(reengage_front.move_call(m.to_node, 'preflight', 'server', m.server)) f;
	IF failed IS NOT NULL THEN
		RAISE EXCEPTION 'node "%" could not send for server "%"', m.to_node, m.server
			USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = failed, HINT = coalesce(remedies, '');
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_front.move_refuse_unknown(reengage_front.moves) IS 'an error if preflight() fails at the node that a server is to come to';
