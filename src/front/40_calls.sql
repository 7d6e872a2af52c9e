--
-- Functions of the nodes, under the names that they have there.  A node calls its
-- function as whoever is mapped: what may be done, and what is wrong, it says itself.
--
CREATE FUNCTION reengage_front.call(node text, function_name text, arguments jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	result jsonb;
BEGIN
	INSERT INTO reengage_front.calls AS c (node, function_name, arguments)
	VALUES (call.node, call.function_name, jsonb_strip_nulls(call.arguments))
	RETURNING c.result INTO result;
	RETURN result;
END
$$;
COMMENT ON FUNCTION reengage_front.call(text, text, jsonb) IS
	'calls a function of a node within this transaction; the node sees what had committed when the transaction first turned to it';
GRANT EXECUTE ON FUNCTION reengage_front.call(text, text, jsonb) TO reengage_application, reengage_operator, reengage_reader;

-- postgres_fdw has REPEATABLE READ on the other side, whose snapshot does not show what
-- the worker does meanwhile.
CREATE FUNCTION reengage_front.ask(node text, function_name text, arguments jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	connection text := reengage_front.connection_of(node);
BEGIN
	IF connection IS NULL THEN
		RAISE EXCEPTION 'node "%" does not exist', left(node, 60)
			USING ERRCODE = 'undefined_object', HINT = 'reengage_front.nodes has those that do.';
	END IF;
	-- a transaction of its own there would not know of that
	IF current_setting('transaction_read_only')::boolean AND NOT pg_is_in_recovery() THEN
		RAISE EXCEPTION 'cannot call %() in a read-only transaction', function_name USING ERRCODE = 'read_only_sql_transaction';
	END IF;
	-- without it, one would be whom this machine's server is
	IF NOT EXISTS (SELECT FROM pg_user_mappings m WHERE m.srvname = ask.node AND m.usename = session_user) THEN
		RAISE EXCEPTION 'role "%" cannot log in at node "%"', session_user, node
			USING ERRCODE = 'insufficient_privilege', HINT = format('SELECT reengage_front.map_role(%L, ...) lets it.', session_user);
	END IF;
	RETURN reengage_front.remote(reengage_front.full_connection(node, connection),
		format('INSERT INTO reengage.calls (node, function_name, arguments) VALUES (%L, %L, %L) RETURNING result',
			   ask.node, ask.function_name, jsonb_strip_nulls(ask.arguments)));
END
$$;
COMMENT ON FUNCTION reengage_front.ask(text, text, jsonb) IS
	'calls a function of a node in a transaction of its own there, as whoever logged in here is mapped: it has committed when this returns, whatever becomes of the transaction here';
GRANT EXECUTE ON FUNCTION reengage_front.ask(text, text, jsonb) TO reengage_application, reengage_operator, reengage_reader;

CREATE FUNCTION reengage_front.nodes_for(server text, conversation_id text DEFAULT NULL) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF server IS NOT NULL OR conversation_id IS NOT NULL THEN
		RETURN NEXT reengage_front.route(coalesce(server, reengage.default_server()));
		RETURN;
	END IF;
	RETURN QUERY SELECT n.* FROM reengage_front.nodes_that_answer() n;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'no node answers'
			USING ERRCODE = 'sqlclient_unable_to_establish_sqlconnection', HINT = 'reengage.health says why not.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_front.nodes_for(text, text) IS
	'where something about a server is to be said, or about a conversation (without a server: of the default one); else all nodes that answer';
GRANT EXECUTE ON FUNCTION reengage_front.nodes_for(text, text) TO reengage_application, reengage_operator, reengage_reader;

CREATE FUNCTION reengage_front.node_of_nudge(nudge_id uuid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	found text := (SELECT s.node FROM reengage.nudge_status s WHERE s.nudge_id = node_of_nudge.nudge_id LIMIT 1);
BEGIN
	IF found IS NULL THEN
		RAISE EXCEPTION 'nudge % does not exist', nudge_id
			USING ERRCODE = 'undefined_object',
				  DETAIL = 'No node that answers has a nudge with this id that the role which asks may see.';
	END IF;
	RETURN found;
END
$$;
COMMENT ON FUNCTION reengage_front.node_of_nudge(uuid) IS 'the node that has a nudge';
GRANT EXECUTE ON FUNCTION reengage_front.node_of_nudge(uuid) TO reengage_application, reengage_operator, reengage_reader;

CREATE FUNCTION reengage.suppress(
	address text DEFAULT NULL,
	conversation_id text DEFAULT NULL,
	channel text DEFAULT NULL,
	reason text DEFAULT NULL,
	until timestamptz DEFAULT NULL,
	server text DEFAULT NULL
) RETURNS TABLE (nudge_id uuid, step text, since timestamptz)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT r.nudge_id, r.step, r.since
	FROM reengage_front.nodes_for(suppress.server, suppress.conversation_id) n
		CROSS JOIN LATERAL reengage_front.call(n, 'suppress', jsonb_build_object('address', suppress.address,
			'conversation_id', suppress.conversation_id, 'channel', suppress.channel, 'reason', suppress.reason,
			'until', suppress.until, 'server', coalesce(suppress.server, CASE WHEN suppress.address IS NULL THEN reengage.default_server() END))) AS c
		CROSS JOIN LATERAL jsonb_to_recordset(c) AS r (nudge_id uuid, step text, since timestamptz)
$$;
COMMENT ON FUNCTION reengage.suppress(text, text, text, text, timestamptz, text) IS
	'an opt-out, at the node that has the server; of an address at any server, at each node that answers, and a warning names those that do not';
GRANT EXECUTE ON FUNCTION reengage.suppress(text, text, text, text, timestamptz, text) TO reengage_application, reengage_operator;

CREATE FUNCTION reengage.unsuppress(
	address text DEFAULT NULL,
	conversation_id text DEFAULT NULL,
	channel text DEFAULT NULL,
	server text DEFAULT NULL
) RETURNS integer
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT sum(reengage_front.call(n, 'unsuppress', jsonb_build_object('address', unsuppress.address,
			'conversation_id', unsuppress.conversation_id, 'channel', unsuppress.channel,
			'server', coalesce(unsuppress.server, CASE WHEN unsuppress.address IS NULL THEN reengage.default_server() END)))::integer)::integer
	FROM reengage_front.nodes_for(unsuppress.server, unsuppress.conversation_id) n
$$;
COMMENT ON FUNCTION reengage.unsuppress(text, text, text, text) IS
	'lifts what suppress() said, at the node that has the server, or at each node that answers; returns how many rows that were';
GRANT EXECUTE ON FUNCTION reengage.unsuppress(text, text, text, text) TO reengage_operator;

CREATE FUNCTION reengage.record_answer(
	conversation_id text DEFAULT NULL,
	address text DEFAULT NULL,
	at timestamptz DEFAULT NULL,
	server text DEFAULT NULL,
	channel text DEFAULT NULL
) RETURNS TABLE (nudge_id uuid, step text, since timestamptz)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT r.nudge_id, r.step, r.since
	-- who answers from an address answers at any server
	FROM reengage_front.nodes_for(CASE WHEN record_answer.address IS NULL THEN record_answer.server END, record_answer.conversation_id) n
		CROSS JOIN LATERAL reengage_front.call(n, 'record_answer', jsonb_build_object('address', record_answer.address,
			'conversation_id', record_answer.conversation_id, 'at', record_answer.at, 'channel', record_answer.channel,
			'server', CASE WHEN record_answer.address IS NULL THEN coalesce(record_answer.server, reengage.default_server())
						   WHEN n = (SELECT o.node FROM reengage_front.routes o WHERE o.server = record_answer.server) THEN record_answer.server END)) AS c
		CROSS JOIN LATERAL jsonb_to_recordset(c) AS r (nudge_id uuid, step text, since timestamptz)
$$;
COMMENT ON FUNCTION reengage.record_answer(text, text, timestamptz, text, text) IS
	'the customer has answered (null: now, by the clock of the node), in the threads of a conversation, at the node that has the server; or from an address, at each node that answers';
GRANT EXECUTE ON FUNCTION reengage.record_answer(text, text, timestamptz, text, text) TO reengage_application, reengage_operator;

CREATE FUNCTION reengage.redrive(nudge_id uuid) RETURNS uuid
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT (reengage_front.call(reengage_front.node_of_nudge(redrive.nudge_id), 'redrive', jsonb_build_object('nudge_id', redrive.nudge_id)) #>> '{}')::uuid
$$;
COMMENT ON FUNCTION reengage.redrive(uuid) IS 'asks again for a nudge, at its node';
GRANT EXECUTE ON FUNCTION reengage.redrive(uuid) TO reengage_operator;

CREATE FUNCTION reengage.preview(nudge_id uuid)
RETURNS TABLE (step text, condition text, method text, url text, headers text, body text, fault text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT r.step, r.condition, r.method, r.url, r.headers, r.body, r.fault
	FROM jsonb_to_recordset(reengage_front.call(reengage_front.node_of_nudge(preview.nudge_id), 'preview', jsonb_build_object('nudge_id', preview.nudge_id)))
		AS r (step text, condition text, method text, url text, headers text, body text, fault text)
$$;
COMMENT ON FUNCTION reengage.preview(uuid) IS 'the requests that a nudge would make, as its node says';
GRANT EXECUTE ON FUNCTION reengage.preview(uuid) TO reengage_operator;

CREATE FUNCTION reengage.preflight(server text, conversation_id text DEFAULT NULL)
RETURNS TABLE (step integer, check_name text, state text, detail text, remedy text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT r.step, r.check_name, r.state, r.detail, r.remedy
	FROM jsonb_to_recordset(reengage_front.call(reengage_front.route(preflight.server), 'preflight',
			jsonb_build_object('server', preflight.server, 'conversation_id', preflight.conversation_id)))
		AS r (step integer, check_name text, state text, detail text, remedy text)
$$;
COMMENT ON FUNCTION reengage.preflight(text, text) IS 'what a call to this server would meet, as its node says';
GRANT EXECUTE ON FUNCTION reengage.preflight(text, text) TO reengage_operator;

CREATE FUNCTION reengage.thread(conversation_id text, server text DEFAULT NULL)
RETURNS TABLE (server text, generation integer, occurred_at timestamptz, outcome text, reason text,
			   conversation_id text, previous_conversation_id text, status_seen text,
			   campaign text, api_calls integer, nudge_id uuid)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
	-- of those that know it; if none does, the node of the default server says so
	SELECT r.server, r.generation, r.occurred_at, r.outcome, r.reason, r.conversation_id, r.previous_conversation_id, r.status_seen,
		r.campaign, r.api_calls, r.nudge_id
	FROM (SELECT reengage_front.route($2) AS node WHERE $2 IS NOT NULL
		  UNION
		  SELECT coalesce(k.node, reengage_front.route(reengage.default_server()))
		  FROM (SELECT $1 AS id) c LEFT JOIN reengage.lineage k ON k.conversation_id = c.id OR k.requested_conversation_id = c.id
		  WHERE $2 IS NULL) n
		CROSS JOIN LATERAL reengage_front.call(n.node, 'thread', jsonb_build_object('conversation_id', $1, 'server', $2)) AS c
		CROSS JOIN LATERAL jsonb_to_recordset(c) AS r (server text, generation integer, occurred_at timestamptz, outcome text, reason text,
			   conversation_id text, previous_conversation_id text, status_seen text, campaign text, api_calls integer, nudge_id uuid)
$$;
COMMENT ON FUNCTION reengage.thread(text, text) IS 'the story of a thread, as the node of its server says, or each that knows it';
GRANT EXECUTE ON FUNCTION reengage.thread(text, text) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage.thread_diagram(conversation_id text, format text DEFAULT 'mermaid', server text DEFAULT NULL) RETURNS text
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT reengage_front.call(reengage_front.route(coalesce($3, reengage.default_server())), 'thread_diagram',
							   jsonb_build_object('conversation_id', $1, 'format', $2, 'server', coalesce($3, reengage.default_server()))) #>> '{}'
$$;
COMMENT ON FUNCTION reengage.thread_diagram(text, text, text) IS 'thread() as a picture, as the node of its server draws it';
GRANT EXECUTE ON FUNCTION reengage.thread_diagram(text, text, text) TO reengage_operator, reengage_reader;
