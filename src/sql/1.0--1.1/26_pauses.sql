--
-- Servers that rest because an operator says so.
--

CREATE OR REPLACE FUNCTION reengage.pause(server text, reason text DEFAULT NULL) RETURNS void
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

CREATE OR REPLACE FUNCTION reengage.resume(server text) RETURNS void
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
