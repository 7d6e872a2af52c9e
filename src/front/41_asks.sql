--
-- Functions that a node can only call in a transaction of its own, since they have to
-- see what its worker has committed a moment ago.
--
CREATE FUNCTION reengage_front.ask_all(nodes text[], function_name text, arguments jsonb) RETURNS SETOF jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	node text;
BEGIN
	FOREACH node IN ARRAY nodes
	LOOP
		RETURN NEXT reengage_front.ask(node, ask_all.function_name, ask_all.arguments);
	END LOOP;
END
$$;
COMMENT ON FUNCTION reengage_front.ask_all(text[], text, jsonb) IS 'asks one node after another';
GRANT EXECUTE ON FUNCTION reengage_front.ask_all(text[], text, jsonb) TO reengage_application, reengage_operator, reengage_reader;

CREATE FUNCTION reengage.cancel(nudge_id uuid) RETURNS text
LANGUAGE sql VOLATILE STRICT SET search_path = pg_catalog, pg_temp
AS $$
	SELECT reengage_front.ask(reengage_front.node_of_nudge(cancel.nudge_id), 'cancel', jsonb_build_object('nudge_id', cancel.nudge_id)) #>> '{}'
$$;
COMMENT ON FUNCTION reengage.cancel(uuid) IS 'cancels a nudge at its node: cancelled, or too late; a rollback here does not take it back';
GRANT EXECUTE ON FUNCTION reengage.cancel(uuid) TO reengage_application, reengage_operator;

CREATE FUNCTION reengage.cancel_campaign(campaign text, server text DEFAULT NULL, OUT cancelled bigint, OUT too_late bigint)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT (c ->> 'cancelled')::bigint, (c ->> 'too_late')::bigint
	FROM reengage_front.ask(reengage_front.route(coalesce(cancel_campaign.server, reengage.default_server())), 'cancel_campaign',
		jsonb_build_object('campaign', cancel_campaign.campaign, 'server', coalesce(cancel_campaign.server, reengage.default_server()))) AS c
$$;
COMMENT ON FUNCTION reengage.cancel_campaign(text, text) IS
	'cancels what is due of a campaign at a server, at its node; a rollback here does not take it back';
GRANT EXECUTE ON FUNCTION reengage.cancel_campaign(text, text) TO reengage_application, reengage_operator;

CREATE FUNCTION reengage.cancel_thread(conversation_id text, server text DEFAULT NULL, campaign text DEFAULT NULL, OUT cancelled bigint, OUT too_late bigint)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT (c ->> 'cancelled')::bigint, (c ->> 'too_late')::bigint
	FROM reengage_front.ask(reengage_front.route(coalesce(cancel_thread.server, reengage.default_server())), 'cancel_thread',
		jsonb_build_object('conversation_id', cancel_thread.conversation_id, 'campaign', cancel_thread.campaign,
						   'server', coalesce(cancel_thread.server, reengage.default_server()))) AS c
$$;
COMMENT ON FUNCTION reengage.cancel_thread(text, text, text) IS
	'cancels what is due in a thread, at the node of its server; a rollback here does not take it back';
GRANT EXECUTE ON FUNCTION reengage.cancel_thread(text, text, text) TO reengage_application, reengage_operator;

CREATE FUNCTION reengage.cancel_customer(address text, campaign text DEFAULT NULL, server text DEFAULT NULL, channel text DEFAULT NULL,
	OUT cancelled bigint, OUT too_late bigint)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT sum((c ->> 'cancelled')::bigint)::bigint, sum((c ->> 'too_late')::bigint)::bigint
	FROM reengage_front.ask_all(ARRAY(SELECT reengage_front.nodes_for(cancel_customer.server)), 'cancel_customer',
		jsonb_build_object('address', cancel_customer.address, 'campaign', cancel_customer.campaign,
						   'server', cancel_customer.server, 'channel', cancel_customer.channel)) AS c
$$;
COMMENT ON FUNCTION reengage.cancel_customer(text, text, text, text) IS
	'cancels what is due to an address, at the node of the server or at each that answers; a rollback here does not take it back';
GRANT EXECUTE ON FUNCTION reengage.cancel_customer(text, text, text, text) TO reengage_application, reengage_operator;

CREATE FUNCTION reengage.forget(
	address text DEFAULT NULL,
	conversation_id text DEFAULT NULL,
	channel text DEFAULT NULL,
	server text DEFAULT NULL,
	OUT cancelled bigint, OUT nudges bigint, OUT lineage bigint, OUT rejects bigint, OUT for_copies text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT sum((c ->> 'cancelled')::bigint)::bigint, sum((c ->> 'nudges')::bigint)::bigint, sum((c ->> 'lineage')::bigint)::bigint,
		sum((c ->> 'rejects')::bigint)::bigint, string_agg(DISTINCT c ->> 'for_copies', E'\n')
	FROM reengage_front.ask_all(ARRAY(SELECT reengage_front.nodes_for(forget.server, forget.conversation_id)), 'forget',
		jsonb_build_object('address', forget.address, 'conversation_id', forget.conversation_id, 'channel', forget.channel,
			'server', coalesce(forget.server, CASE WHEN forget.address IS NULL THEN reengage.default_server() END))) AS c
$$;
COMMENT ON FUNCTION reengage.forget(text, text, text, text) IS
	'erases a person, at the node of the server or at each that answers, and a warning names those that do not; a rollback here does not bring anything back';
GRANT EXECUTE ON FUNCTION reengage.forget(text, text, text, text) TO reengage_operator;

CREATE FUNCTION reengage.pause(server text, reason text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM reengage_front.ask(reengage_front.route(server), 'pause', jsonb_build_object('server', server, 'reason', reason));
END
$$;
COMMENT ON FUNCTION reengage.pause(text, text) IS
	'pauses a server at its node, until resume(); returns when no message of it can leave any more; a rollback here does not end the pause';
GRANT EXECUTE ON FUNCTION reengage.pause(text, text) TO reengage_operator;

CREATE FUNCTION reengage.resume(server text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM reengage_front.ask(reengage_front.route(server), 'resume', jsonb_build_object('server', server));
END
$$;
COMMENT ON FUNCTION reengage.resume(text) IS 'ends the pause of a server at its node';
GRANT EXECUTE ON FUNCTION reengage.resume(text) TO reengage_operator;

CREATE FUNCTION reengage.resolve(lineage_id uuid, verdict text, conversation_id text DEFAULT NULL) RETURNS uuid
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	node text := (SELECT l.node FROM reengage.lineage l WHERE l.lineage_id = resolve.lineage_id LIMIT 1);
BEGIN
	IF node IS NULL THEN
		RAISE EXCEPTION 'lineage row % is at no node that answers', lineage_id
			USING ERRCODE = 'undefined_object', HINT = 'The view reengage.in_doubt lists the rows that are in doubt.';
	END IF;
	RETURN (reengage_front.ask(node, 'resolve', jsonb_build_object('lineage_id', lineage_id, 'verdict', verdict,
																	'conversation_id', conversation_id)) #>> '{}')::uuid;
END
$$;
COMMENT ON FUNCTION reengage.resolve(uuid, text, text) IS 'settles a row in doubt at its node; a rollback here does not take it back';
GRANT EXECUTE ON FUNCTION reengage.resolve(uuid, text, text) TO reengage_operator;
