--
-- Importing history: the nudges that are asked for, and the threads that begin.
--

CREATE OR REPLACE FUNCTION reengage_internal.import_begin_threads(server text, threads reengage_internal.import_thread[]) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
#variable_conflict use_column
BEGIN
	PERFORM reengage_internal.require_server(server);
	PERFORM reengage_internal.admit(server);
	-- Not ON CONFLICT, which makes each row dearer by a quarter: what another import
	-- has begun since is looked for again.
	FOR attempt IN REVERSE 9..0 LOOP
		BEGIN
			IF reengage_internal.import_write_threads(import_begin_threads.server, threads, reengage_internal.lineage_position()) THEN
				RETURN;
			END IF;
			INSERT INTO reengage.lineage (server, outcome, requested_conversation_id, conversation_id, root_conversation_id,
				generation, channel, address_hash, attempts, api_calls, api_calls_saved, occurred_at, detail, xact_id)
			SELECT import_begin_threads.server, 'imported', c.conversation_id, c.conversation_id, c.conversation_id,
				0, c.channel, c.address_hash, 0, 0, 0, c.occurred_at, c.detail,
				-- once for all of them, which the default would be for each
				(SELECT reengage_internal.lineage_position())
			FROM (SELECT u.* FROM unnest(threads) u
				  -- in the order of the indexes
				  ORDER BY u.conversation_id
				  OFFSET 0) c
			-- not EXISTS, which a planner may turn into a join with all of lineage
			WHERE (SELECT true FROM reengage.lineage l
				   WHERE l.root_conversation_id = c.conversation_id AND l.server = import_begin_threads.server LIMIT 1) IS NULL
			  AND (SELECT true FROM reengage.lineage l
				   WHERE hashtextextended(l.conversation_id, 0) = hashtextextended(c.conversation_id, 0)
					 AND l.server = import_begin_threads.server AND l.conversation_id = c.conversation_id AND l.generation > 0 LIMIT 1) IS NULL
			  AND (SELECT true FROM reengage.past_sessions p
				   WHERE p.root_conversation_id = c.conversation_id AND p.server = import_begin_threads.server LIMIT 1) IS NULL
			  AND (SELECT true FROM reengage.past_sessions p
				   WHERE hashtextextended(p.conversation_id, 0) = hashtextextended(c.conversation_id, 0)
					 AND p.server = import_begin_threads.server AND p.conversation_id = c.conversation_id LIMIT 1) IS NULL;
			RETURN;
		EXCEPTION WHEN unique_violation THEN
			IF attempt = 0 THEN
				RAISE;
			END IF;
		END;
	END LOOP;
END
$$;
