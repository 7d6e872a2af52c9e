--
-- Servers that rest because an operator says so.
--
CREATE TABLE reengage.pauses (
	server text NOT NULL,
	reason text,
	paused_by text NOT NULL DEFAULT session_user,
	since timestamptz NOT NULL DEFAULT pg_catalog.now(),
	CONSTRAINT pauses_pkey PRIMARY KEY (server)
);
COMMENT ON TABLE reengage.pauses IS
	'servers that an operator has paused; kept by pause() and resume(), and never changed by the worker';
COMMENT ON COLUMN reengage.pauses.server IS 'the foreign server';
COMMENT ON COLUMN reengage.pauses.reason IS 'what the operator said; null: nothing';
COMMENT ON COLUMN reengage.pauses.paused_by IS 'who called pause()';
COMMENT ON COLUMN reengage.pauses.since IS 'since when';
SELECT pg_catalog.pg_extension_config_dump('reengage.pauses', '');
GRANT SELECT ON reengage.pauses TO reengage_operator, reengage_worker;

CREATE FUNCTION reengage_internal.await_silence() RETURNS void
LANGUAGE C STRICT VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_await_silence';
COMMENT ON FUNCTION reengage_internal.await_silence() IS
	'waits a second: then no message leaves any more whose intent was recorded before';

CREATE FUNCTION reengage_internal.unanswered(server text) RETURNS uuid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
	SELECT coalesce(array_agg(d.nudge_id ORDER BY d.nudge_id), '{}')
	FROM reengage.intents i
		CROSS JOIN LATERAL ROWS FROM (unnest(i.nudge_ids), unnest(i.fencing_tokens)) c (nudge_id, fencing_token)
		JOIN reengage.due d ON d.nudge_id = c.nudge_id AND d.fencing_token = c.fencing_token
	WHERE d.server = unanswered.server
$$;
COMMENT ON FUNCTION reengage_internal.unanswered(text) IS
	'nudges of a server whose messages may be on the wire: an intent is recorded, and no answer';

CREATE FUNCTION reengage.pause(server text, reason text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	waited_for uuid[];
BEGIN
	PERFORM reengage_internal.require_server(server);
	PERFORM reengage_internal.admit(server);
	-- from here on nothing is begun; what was allowed before leaves within a second
	PERFORM reengage_internal.lock('server', server);
	INSERT INTO reengage.pauses (server, reason)
	VALUES (pause.server, reengage_internal.require_reason(pause.reason))
	ON CONFLICT DO NOTHING;
	IF NOT FOUND THEN
		RAISE NOTICE 'server "%" is paused already', server;
	END IF;
	-- where nobody dispatches, there is nobody to wait for
	IF cardinality(reengage_internal.unanswered(server)) > 0
		OR EXISTS (SELECT FROM pg_locks k
				   WHERE k.locktype = 'advisory' AND k.objsubid = reengage_internal.lock_kind('dispatcher')
					 AND k.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())) THEN
		PERFORM reengage_internal.await_silence();
	END IF;
	waited_for := reengage_internal.unanswered(server);
	IF cardinality(waited_for) > 0 THEN
		RAISE NOTICE 'server "%": % on the wire, whose answers are awaited', server,
			CASE cardinality(waited_for) WHEN 1 THEN '1 message is' ELSE cardinality(waited_for) || ' messages are' END
			USING DETAIL = 'Of nudges ' || array_to_string(waited_for[1:20], ', ')
				|| CASE WHEN cardinality(waited_for) > 20 THEN ', ...' ELSE '.' END;
	END IF;
	PERFORM reengage_internal.wake('-infinity');
END
$$;
COMMENT ON FUNCTION reengage.pause(text, text) IS
	'pauses a server until resume(); returns, within about a second, when no message of it can leave any more, and says which are on the wire: these are settled; its nudges stay due; until the end of the transaction, nothing of this server is begun even if it rolls back then';
GRANT EXECUTE ON FUNCTION reengage.pause(text, text) TO reengage_operator;

CREATE FUNCTION reengage.resume(server text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
BEGIN
	PERFORM reengage_internal.admit(server);
	DELETE FROM reengage.pauses p WHERE p.server = resume.server;
	IF NOT FOUND THEN
		PERFORM reengage_internal.require_server(server);
		RAISE NOTICE 'server "%" is not paused', server;
	END IF;
	PERFORM reengage_internal.wake('-infinity');
END
$$;
COMMENT ON FUNCTION reengage.resume(text) IS 'ends the pause of a server: its due nudges go out';
GRANT EXECUTE ON FUNCTION reengage.resume(text) TO reengage_operator;
