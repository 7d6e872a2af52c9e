--
-- Moving a server to another node: what the one does that it comes to.
--
CREATE FUNCTION reengage_internal.move_complaints(server text, definition jsonb) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT array_remove(ARRAY[
		CASE WHEN reengage_internal.node_name() IS NULL THEN 'this database is in no fleet: reengage.join_fleet() names it' END,
		reengage_internal.fence_complaint() || ': reengage.arm() lets it send',
		CASE WHEN (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'reengage') <> definition ->> 'version_here'
			THEN format('it has version %s of reengage here, and %s there: update both to the same',
						(SELECT e.extversion FROM pg_extension e WHERE e.extname = 'reengage'), definition ->> 'version_here') END,
		CASE WHEN getdatabaseencoding() <> definition ->> 'encoding'
			THEN format('the encoding of the database is %s here, and %s there', getdatabaseencoding(), definition ->> 'encoding') END,
		CASE WHEN (SELECT encode(sha256(k.key), 'hex') FROM reengage_internal.address_key_in_use k) IS DISTINCT FROM definition ->> 'key'
			THEN 'the key of address hashes is another: opt-outs and caps of customers would not be found' END,
		CASE WHEN (definition ->> 'tells')::boolean
				AND (SELECT s.state FROM reengage.news_state s WHERE s.node = definition ->> 'node' AND s.state IN ('ok', 'copying')) IS NULL
			THEN format('who opted out or answered at node "%s" is not heard of here: reengage.make_news_slot() there and reengage.news_ddl() here connect them, reengage.news_state shows it',
						definition ->> 'node') END,
		CASE WHEN EXISTS (SELECT FROM pg_foreign_server s WHERE s.srvname = move_complaints.server)
			THEN format('there is a server "%s" already', server) END,
		-- as version 1.0 made it
		(SELECT format('publication "%s" would publish once more what comes along, and stop its readers: SELECT reengage.publish(%L)', p.pubname, p.pubname)
		 FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = 'reengage.lineage'::regclass
		 WHERE r.prqual IS NULL AND reengage_internal.is_our_publication(p.oid) ORDER BY p.pubname LIMIT 1),
		CASE WHEN definition ->> 'dependents' IS NOT NULL
			THEN format('%s would be left behind: they mean nothing to reengage, drop them', definition ->> 'dependents') END,
		CASE WHEN definition ->> 'owner' IS NOT NULL AND to_regrole(definition ->> 'owner') IS NULL
			THEN format('there is no role %s, which owns the server: create it', definition ->> 'owner') END,
		CASE WHEN EXISTS (SELECT FROM reengage.server_moves m WHERE m.server = move_complaints.server AND m.state = 'undone')
				AND EXISTS (SELECT FROM reengage.nudges n WHERE n.server = move_complaints.server)
			THEN 'what came by a move that was undone has not been deleted yet: undo_move() on the front does so' END], NULL)
$$;
COMMENT ON FUNCTION reengage_internal.move_complaints(text, jsonb) IS 'why a server cannot come here, each with what to do';

CREATE FUNCTION reengage_internal.move_make_server(server text, definition jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	granted record;
BEGIN
	EXECUTE format('CREATE SERVER %I%s%s FOREIGN DATA WRAPPER reengage%s', server,
		' TYPE ' || quote_literal(definition ->> 'type'), ' VERSION ' || quote_literal(definition ->> 'version'),
		(SELECT ' OPTIONS (' || string_agg(format('%I %L', o.key, o.value), ', ' ORDER BY o.key) || ')' FROM jsonb_each_text(nullif(definition -> 'options', 'null')) o));
	EXECUTE format('ALTER SERVER %I OWNER TO %s', server, to_regrole(definition ->> 'owner'));
	EXECUTE format('COMMENT ON SERVER %I IS %L', server, definition ->> 'comment');
	FOR granted IN
		SELECT r.role, r.option FROM jsonb_to_recordset(nullif(definition -> 'usage', 'null')) AS r (role text, option boolean)
	LOOP
		IF granted.role <> 'PUBLIC' AND to_regrole(granted.role) IS NULL THEN
			RAISE WARNING 'role % does not exist here, and may not use server "%"', granted.role, server
				USING HINT = 'Create it, and GRANT USAGE ON FOREIGN SERVER to it.';
			CONTINUE;
		END IF;
		EXECUTE format('GRANT USAGE ON FOREIGN SERVER %I TO %s%s', server, coalesce(to_regrole(nullif(granted.role, 'PUBLIC'))::text, 'PUBLIC'), CASE WHEN granted.option THEN ' WITH GRANT OPTION' ELSE '' END);
	END LOOP;
END
$$;
COMMENT ON FUNCTION reengage_internal.move_make_server(text, jsonb) IS 'makes a server as it is at another node';

CREATE FUNCTION reengage_internal.move_accept(server text, move_id uuid, node text, definition jsonb) RETURNS json
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	known reengage.server_moves;
	complaints text[];
BEGIN
	PERFORM reengage_internal.require_writable('a server cannot be moved to');
	SELECT * INTO known FROM reengage.server_moves m WHERE m.server = move_accept.server FOR UPDATE;
	IF known.move_id = move_accept.move_id THEN
		PERFORM reengage_internal.move_require(known, 'arriving');
		RETURN 'true';
	END IF;
	complaints := reengage_internal.move_complaints(server, definition);
	IF cardinality(complaints) > 0 THEN
		RAISE EXCEPTION 'server "%" cannot come to node "%"', server, reengage_internal.node_name()
			USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = array_to_string(complaints, E'\n');
	END IF;
	-- from its commit on retention leaves the server alone; what it has begun ends first
	PERFORM reengage_internal.lock('retention', VARIADIC '{}');
	-- left by retention since the server was here: the other node knows as much
	DELETE FROM reengage.past_sessions p WHERE p.server = move_accept.server;
	INSERT INTO reengage.server_moves AS m (server, move_id, state, node, kept)
	VALUES (move_accept.server, move_accept.move_id, 'arriving', move_accept.node, jsonb_build_object(
		'tombstones', EXISTS (SELECT FROM reengage.pruned_nudges p WHERE p.server = move_accept.server), 'suppressions', '[]'::jsonb, 'answers', '[]'::jsonb))
	ON CONFLICT ON CONSTRAINT server_moves_pkey DO UPDATE
	SET move_id = EXCLUDED.move_id, state = EXCLUDED.state, node = EXCLUDED.node, began_at = EXCLUDED.began_at,
		changed_at = EXCLUDED.changed_at, waits_for = NULL, nudges = 0, lineage = 0, kept = EXCLUDED.kept;
	PERFORM reengage_internal.move_make_server(server, definition);
	RETURN 'true';
END
$$;
COMMENT ON FUNCTION reengage_internal.move_accept(text, uuid, text, jsonb) IS
	'makes a server that is to come here; nothing of it is sent or taken in until it has arrived';

CREATE FUNCTION reengage_internal.move_write_nudges(server text, move_id uuid, nudges json, nudges_digest numeric) RETURNS json
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
-- they are not asked for now: whatever triggers would check or do has been done
SET session_replication_role = replica
SET timezone = 'UTC' SET datestyle = 'ISO' SET intervalstyle = 'postgres' SET extra_float_digits = 1
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	ids uuid[] := ARRAY(SELECT r.nudge_id FROM json_populate_recordset(NULL::reengage.nudges, nudges) r);
	copied bigint;
BEGIN
	PERFORM reengage_internal.move_require(reengage_internal.move_of(server, move_id), 'arriving', 'expecting');
	INSERT INTO reengage.nudges SELECT r.* FROM json_populate_recordset(NULL::reengage.nudges, nudges) r
	ON CONFLICT DO NOTHING;
	GET DIAGNOSTICS copied = ROW_COUNT;
	UPDATE reengage.server_moves m SET nudges = m.nudges + copied WHERE m.server = move_write_nudges.server;
	IF nudges_digest <> (SELECT coalesce(sum(('x' || substr(md5(n::text), 17))::bit(64)::bigint), 0) FROM reengage.nudges n WHERE n.nudge_id = ANY (ids)) THEN
		RAISE EXCEPTION 'nudges of server "%" are not the same at node "%"', server, reengage_internal.node_name()
			USING ERRCODE = 'data_corrupted', DETAIL = format('They are from %s to %s.', ids[1], ids[cardinality(ids)]),
				  HINT = 'One has the same id, or repeats the same nudge, as one that was here.';
	END IF;
	RETURN to_json(copied);
END
$$;
COMMENT ON FUNCTION reengage_internal.move_write_nudges(text, uuid, json, numeric) IS 'copies nudges; an error if they are not the same then';

CREATE FUNCTION reengage_internal.move_write_lineage(server text, move_id uuid, page json) RETURNS json
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET session_replication_role = replica
SET timezone = 'UTC' SET datestyle = 'ISO' SET intervalstyle = 'postgres' SET extra_float_digits = 1
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	rows json := page -> 'lineage';
	ids uuid[] := ARRAY(SELECT r.lineage_id FROM json_populate_recordset(NULL::reengage.lineage, rows) r);
	copied bigint;
BEGIN
	PERFORM reengage_internal.move_write_nudges(server, move_id, page -> 'nudges', (page ->> 'nudges_digest')::numeric);
	INSERT INTO reengage.lineage SELECT r.* FROM json_populate_recordset(NULL::reengage.lineage, rows) r
	ON CONFLICT DO NOTHING;
	GET DIAGNOSTICS copied = ROW_COUNT;
	UPDATE reengage.server_moves m SET lineage = m.lineage + copied WHERE m.server = move_write_lineage.server;
	IF (page ->> 'lineage_digest')::bigint <> (SELECT (reengage_internal.lineage_sums(l)).digest FROM reengage.lineage l WHERE l.lineage_id = ANY (ids)) THEN
		RAISE EXCEPTION 'rows of lineage of server "%" are not the same at node "%"', server, reengage_internal.node_name()
			USING ERRCODE = 'data_corrupted', DETAIL = format('They are from %s to %s.', ids[1], ids[cardinality(ids)]),
				  HINT = 'One has the same id, or follows the same conversation, as one that was here.';
	END IF;
	RETURN to_json(copied);
END
$$;
COMMENT ON FUNCTION reengage_internal.move_write_lineage(text, uuid, json) IS
	'copies rows of lineage, as such that were recorded elsewhere, with their nudges; an error if they are not the same then';

CREATE FUNCTION reengage_internal.move_write_due(server text, move_id uuid, buckets integer[], rows json) RETURNS json
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET session_replication_role = replica
SET timezone = 'UTC' SET datestyle = 'ISO' SET intervalstyle = 'postgres' SET jit = off
AS $$
BEGIN
	PERFORM reengage_internal.move_require(reengage_internal.move_of(server, move_id), 'arriving', 'expecting');
	DELETE FROM reengage.due d WHERE d.server = move_write_due.server AND get_byte(uuid_send(d.nudge_id), 15) = ANY (buckets);
	INSERT INTO reengage.due SELECT r.* FROM json_populate_recordset(NULL::reengage.due, rows) r;
	RETURN (SELECT coalesce(json_agg(r.nudge_id), '[]') FROM json_populate_recordset(NULL::reengage.due, rows) r
			WHERE NOT EXISTS (SELECT FROM reengage.nudges n WHERE n.nudge_id = r.nudge_id OFFSET 0));
END
$$;
COMMENT ON FUNCTION reengage_internal.move_write_due(text, uuid, integer[], json) IS
	'copies some parts of what is due; the ids of nudges that are not here yet';

CREATE FUNCTION reengage_internal.move_write_tombstones(server text, move_id uuid, rows json) RETURNS json
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
BEGIN
	PERFORM reengage_internal.move_require(reengage_internal.move_of(server, move_id), 'arriving', 'expecting');
	INSERT INTO reengage.pruned_nudges (nudge_id, day, server)
	SELECT r.nudge_id, r.day, move_write_tombstones.server FROM json_populate_recordset(NULL::reengage.pruned_nudges, rows) r
	ON CONFLICT (nudge_id) DO NOTHING;
	RETURN 'true';
END
$$;
COMMENT ON FUNCTION reengage_internal.move_write_tombstones(text, uuid, json) IS 'copies ids of nudges that are gone';

CREATE FUNCTION reengage_internal.move_write_sessions(server text, move_id uuid, rows json) RETURNS json
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC' SET datestyle = 'ISO' SET intervalstyle = 'postgres' SET extra_float_digits = 1
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	first_wrong text;
BEGIN
	PERFORM reengage_internal.move_require(reengage_internal.move_of(server, move_id), 'arriving', 'expecting');
	-- lineage that was recorded here when the server was here before may not be gone yet
	INSERT INTO reengage.past_sessions SELECT r.* FROM json_populate_recordset(NULL::reengage.past_sessions, rows) r
	WHERE NOT EXISTS (SELECT FROM reengage.lineage l WHERE l.lineage_id = r.lineage_id OFFSET 0)
	ON CONFLICT DO NOTHING;
	SELECT min(r.previous_conversation_id) INTO first_wrong FROM json_populate_recordset(NULL::reengage.past_sessions, rows) r
	WHERE NOT EXISTS (SELECT FROM reengage.lineage l WHERE l.lineage_id = r.lineage_id OFFSET 0)
	  AND NOT EXISTS (SELECT FROM reengage.past_sessions p
					  WHERE p.server = r.server AND p.previous_conversation_id = r.previous_conversation_id AND p = r OFFSET 0);
	IF first_wrong IS NOT NULL THEN
		RAISE EXCEPTION 'how threads of server "%" went on is not the same at node "%"', server, reengage_internal.node_name()
			USING ERRCODE = 'data_corrupted', DETAIL = format('Conversation "%s" has another successor there.', first_wrong);
	END IF;
	RETURN 'true';
END
$$;
COMMENT ON FUNCTION reengage_internal.move_write_sessions(text, uuid, json) IS
	'copies how threads went on of which the lineage is gone; an error if it is not the same then';

CREATE FUNCTION reengage_internal.move_forget_sessions(server text, at_most integer) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	gone bigint;
BEGIN
	DELETE FROM reengage.past_sessions p WHERE p.ctid = ANY (ARRAY(
		SELECT o.ctid FROM reengage.past_sessions o WHERE o.server = move_forget_sessions.server LIMIT at_most));
	GET DIAGNOSTICS gone = ROW_COUNT;
	RETURN gone;
END
$$;
COMMENT ON FUNCTION reengage_internal.move_forget_sessions(text, integer) IS 'deletes some of them; how many they were';

CREATE FUNCTION reengage_internal.move_forget_rest(known reengage.server_moves) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp SET session_replication_role = replica
AS $$
	DELETE FROM reengage.unresolved u WHERE u.server = (known).server;
	DELETE FROM reengage.policies p WHERE p.server = (known).server;
	DELETE FROM reengage.pauses p WHERE p.server = (known).server;
	-- of what the nodes tell each other, others may have told some
	DELETE FROM reengage.suppressions s WHERE s.server = (known).server AND (known).kept -> 'suppressions' ? s.suppression_id::text;
	DELETE FROM reengage.answers a WHERE a.server = (known).server AND (known).kept -> 'answers' ? a.answer_id::text
$$;
COMMENT ON FUNCTION reengage_internal.move_forget_rest(reengage.server_moves) IS 'deletes what move_write_rest() has copied';

CREATE FUNCTION reengage_internal.move_alter_server(server text, definition jsonb, definition_digest text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF definition_digest IS NULL THEN
		RAISE EXCEPTION 'there is no server "%" any more at the node that it leaves', server
			USING ERRCODE = 'undefined_object', HINT = 'reengage.undo_move() on the front ends the move; CREATE SERVER there makes it anew.';
	ELSIF definition_digest IS DISTINCT FROM reengage_internal.move_definition_digest(server) THEN
		EXECUTE format('DROP SERVER %I', server);
		PERFORM reengage_internal.move_make_server(server, definition);
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.move_alter_server(text, jsonb, text) IS
	'makes a server anew that somebody has altered at the other node since it was made here';

CREATE FUNCTION reengage_internal.move_write_rest(server text, move_id uuid, rest json) RETURNS json
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET session_replication_role = replica SET timezone = 'UTC' SET datestyle = 'ISO' SET intervalstyle = 'postgres' SET jit = off
AS $$
DECLARE
	known reengage.server_moves := reengage_internal.move_of(server, move_id);
	suppressions jsonb;
	answers jsonb;
BEGIN
	PERFORM reengage_internal.move_require(known, 'arriving', 'expecting');
	PERFORM reengage_internal.move_alter_server(server, (rest -> 'definition')::jsonb, rest ->> 'definition_digest');
	PERFORM reengage_internal.move_forget_rest(known);
	SELECT coalesce(jsonb_agg(r.suppression_id), '[]') INTO suppressions FROM json_populate_recordset(NULL::reengage.suppressions, rest -> 'suppressions') r
	WHERE NOT EXISTS (SELECT FROM reengage.suppressions s WHERE s.suppression_id = r.suppression_id);
	SELECT coalesce(jsonb_agg(r.answer_id), '[]') INTO answers FROM json_populate_recordset(NULL::reengage.answers, rest -> 'answers') r
	WHERE NOT EXISTS (SELECT FROM reengage.answers a WHERE a.answer_id = r.answer_id);
	UPDATE reengage.server_moves m SET kept = m.kept || jsonb_build_object('suppressions', suppressions, 'answers', answers) WHERE m.server = move_write_rest.server;
	INSERT INTO reengage.unresolved SELECT r.* FROM json_populate_recordset(NULL::reengage.unresolved, rest -> 'unresolved') r;
	INSERT INTO reengage.policies SELECT r.* FROM json_populate_recordset(NULL::reengage.policies, rest -> 'policies') r;
	INSERT INTO reengage.pauses SELECT r.* FROM json_populate_recordset(NULL::reengage.pauses, rest -> 'pauses') r;
	-- what the nodes tell each other may have come already
	INSERT INTO reengage.suppressions AS s SELECT r.* FROM json_populate_recordset(NULL::reengage.suppressions, rest -> 'suppressions') r
	ON CONFLICT ON CONSTRAINT suppressions_subject DO UPDATE
	SET until = nullif(greatest(coalesce(s.until, 'infinity'), coalesce(EXCLUDED.until, 'infinity')), 'infinity');
	INSERT INTO reengage.answers AS a SELECT r.* FROM json_populate_recordset(NULL::reengage.answers, rest -> 'answers') r
	ON CONFLICT ON CONSTRAINT answers_subject DO UPDATE
	SET answered_at = greatest(a.answered_at, EXCLUDED.answered_at);
	RETURN 'true';
END
$$;
COMMENT ON FUNCTION reengage_internal.move_write_rest(text, uuid, json) IS 'copies what move_read_rest() has read; again: anew';

CREATE FUNCTION reengage_internal.move_expect(server text, move_id uuid, expect boolean) RETURNS json
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
BEGIN
	PERFORM reengage_internal.move_require(reengage_internal.move_of(server, move_id), 'arriving', 'expecting');
	PERFORM reengage_internal.move_set(server, CASE WHEN expect THEN 'expecting' ELSE 'arriving' END);
	RETURN 'true';
END
$$;
COMMENT ON FUNCTION reengage_internal.move_expect(text, uuid, boolean) IS
	'whether those who ask here for nudges of a server that is not here yet wait until it is';

CREATE FUNCTION reengage_internal.move_heard(server text, move_id uuid, mark uuid) RETURNS json
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off
AS $$
DECLARE
	known reengage.server_moves := reengage_internal.move_of(server, move_id);
BEGIN
	RETURN json_build_object(
		'heard', EXISTS (SELECT FROM reengage.news n WHERE n.node = known.node AND n.kind = 'key' AND n.news_id >= mark)
			-- what is tried again in a moment is not done yet
			AND NOT EXISTS (SELECT FROM reengage.news n WHERE n.node = known.node AND n.kind IN ('opted_out', 'answered')
							AND n.complaint IS NOT NULL AND n.next_try IS NOT NULL),
		'state', coalesce((SELECT s.state FROM reengage.news_state s WHERE s.node = known.node), 'not heard'));
END
$$;
COMMENT ON FUNCTION reengage_internal.move_heard(text, uuid, uuid) IS
	'whether this node has heard, and done, what the other had said of opt-outs and answers until then';

-- Of both nodes, the move ends here: arrived, or undone.
CREATE FUNCTION reengage_internal.move_arrive(server text, move_id uuid, tallies json) RETURNS json
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	known reengage.server_moves := reengage_internal.move_of(server, move_id);
BEGIN
	IF known.state = 'arrived' THEN
		RETURN json_build_object('arrived', true);
	END IF;
	PERFORM reengage_internal.move_require(known, 'arriving', 'expecting');
	PERFORM reengage_internal.move_count_tallies(server, 1, tallies);
	-- the worker has read its policies, and no trigger has told of those that came
	INSERT INTO reengage.releases (server) VALUES (move_arrive.server);
	PERFORM reengage_internal.move_set(server, 'arrived');
	RETURN json_build_object('arrived', true);
END
$$;
COMMENT ON FUNCTION reengage_internal.move_arrive(text, uuid, json) IS
	'the server is here, as the other node has let it depart: from its commit on it is sent for here';

CREATE FUNCTION reengage_internal.move_settle(server text, move_id uuid) RETURNS json
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	known reengage.server_moves := reengage_internal.move_of(server, move_id);
BEGIN
	PERFORM reengage_internal.move_require(known, 'arrived');
	IF (known.kept ->> 'tombstones')::boolean THEN
		-- what was here before is here again
		DELETE FROM reengage.pruned_nudges p USING reengage.nudges n
		WHERE p.server = move_settle.server AND n.nudge_id = p.nudge_id;
	END IF;
	UPDATE reengage.server_moves m SET kept = NULL WHERE m.server = move_settle.server;
	RETURN 'true';
END
$$;
COMMENT ON FUNCTION reengage_internal.move_settle(text, uuid) IS 'forgets what was only needed until the server had arrived';

CREATE FUNCTION reengage_internal.move_undo(server text, move_id uuid, node text, given_up boolean) RETURNS json
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	known reengage.server_moves;
	asked bigint;
BEGIN
	PERFORM reengage_internal.require_writable('a move cannot be undone on');
	SELECT * INTO known FROM reengage.server_moves m WHERE m.server = move_undo.server FOR UPDATE;
	IF known.move_id IS DISTINCT FROM move_undo.move_id THEN
		-- it never came so far, and shall not, should it be under way yet
		IF known.move_id IS NULL AND NOT EXISTS (SELECT FROM pg_foreign_server s WHERE s.srvname = move_undo.server) THEN
			INSERT INTO reengage.server_moves (server, move_id, state, node)
			VALUES (move_undo.server, move_undo.move_id, 'undone', move_undo.node);
		END IF;
		RETURN json_build_object('undone', true);
	END IF;
	IF known.state = 'arrived' AND (known.kept IS NULL OR given_up IS NOT TRUE) THEN
		RETURN json_build_object('undone', false);
	ELSIF known.state = 'arrived' THEN
		-- nobody knew that it had
		asked := (SELECT count(*) FROM reengage.nudges n WHERE n.server = move_undo.server) - known.nudges;
		IF asked > 0 THEN
			RAISE EXCEPTION 'after server "%" had arrived, % nudges were asked for at node "%", and are nowhere else', server, asked, reengage_internal.node_name()
				USING ERRCODE = 'object_in_use',
					  HINT = format('Of SELECT * FROM reengage.nudges WHERE server = %L there, ask once more by way of the front, by the same nudge_id, for what is unknown and shall be sent; then delete those there, and call it again.', server);
		END IF;
		PERFORM reengage_internal.move_count_tallies(server, -1, reengage_internal.move_tallies(server));
	END IF;
	PERFORM reengage_internal.move_set(server, 'undone');
	RETURN json_build_object('undone', true);
END
$$;
COMMENT ON FUNCTION reengage_internal.move_undo(text, uuid, text, boolean) IS
	'the server does not come, unless it has arrived; what was copied is still here; given_up: nor if it has arrived without anybody''s knowing, as the node was lost in that moment';

CREATE FUNCTION reengage_internal.move_clear(server text, move_id uuid, at_most integer) RETURNS json
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	known reengage.server_moves;
	gone bigint;
BEGIN
	SELECT * INTO known FROM reengage.server_moves m WHERE m.server = move_clear.server FOR UPDATE;
	IF known.move_id IS DISTINCT FROM move_clear.move_id THEN
		RETURN json_build_object('rows', 0);
	END IF;
	PERFORM reengage_internal.move_require(known, 'undone');
	PERFORM reengage_internal.lock('retention', VARIADIC '{}');
	PERFORM set_config('session_replication_role', 'replica', true);
	DELETE FROM reengage.due d WHERE d.server = move_clear.server;
	DELETE FROM reengage.nudges n WHERE n.nudge_id = ANY (ARRAY(
		SELECT o.nudge_id FROM reengage.nudges o WHERE o.server = move_clear.server LIMIT at_most));
	GET DIAGNOSTICS gone = ROW_COUNT;
	IF gone = 0 THEN
		DELETE FROM reengage.lineage l WHERE l.lineage_id = ANY (ARRAY(
			SELECT o.lineage_id FROM reengage.lineage o WHERE o.xact_id = 0 AND o.server = move_clear.server LIMIT at_most));
		GET DIAGNOSTICS gone = ROW_COUNT;
	END IF;
	IF gone = 0 AND known.kept IS NOT NULL THEN
		gone := reengage_internal.move_forget_sessions(server, at_most);
	END IF;
	PERFORM set_config('session_replication_role', 'origin', true);
	IF gone > 0 THEN
		RETURN json_build_object('rows', gone);
	END IF;
	IF known.kept IS NOT NULL THEN
		PERFORM reengage_internal.move_forget_rest(known);
		DELETE FROM reengage.pruned_nudges p WHERE p.server = move_clear.server AND NOT (known.kept ->> 'tombstones')::boolean;
		EXECUTE format('DROP SERVER IF EXISTS %I', server);
		UPDATE reengage.server_moves m SET kept = NULL, nudges = 0, lineage = 0 WHERE m.server = move_clear.server;
	END IF;
	RETURN json_build_object('rows', 0);
END
$$;
COMMENT ON FUNCTION reengage_internal.move_clear(text, uuid, integer) IS
	'deletes some of what was copied of a server that does not come, and in the end the server; how many they were: 0 means that all are gone';
