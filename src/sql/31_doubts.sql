--
-- What may or may not have had its effect, and how operators settle it.
--
CREATE VIEW reengage.in_doubt AS
SELECT l.lineage_id, l.nudge_id, l.server, l.step, l.conversation_id, l.occurred_at AS since, l.reason,
	l.http_status, l.api_error_message, l.correlation_id, l.called_at, l.campaign
FROM reengage.lineage l
WHERE l.outcome = 'in_doubt'
  AND NOT EXISTS (SELECT FROM reengage.lineage r WHERE r.resolves = l.lineage_id)
  AND l.server NOT IN (SELECT e.server FROM reengage_internal.servers_elsewhere e)
ORDER BY l.occurred_at;
COMMENT ON VIEW reengage.in_doubt IS
	'calls that may or may not have taken effect, until resolve() settles them';
COMMENT ON COLUMN reengage.in_doubt.lineage_id IS 'for resolve()';
COMMENT ON COLUMN reengage.in_doubt.nudge_id IS 'the nudge';
COMMENT ON COLUMN reengage.in_doubt.server IS 'the foreign server';
COMMENT ON COLUMN reengage.in_doubt.step IS 'the call: notify or create';
COMMENT ON COLUMN reengage.in_doubt.conversation_id IS 'the conversation that was notified, or was to be followed';
COMMENT ON COLUMN reengage.in_doubt.since IS 'when the doubt arose';
COMMENT ON COLUMN reengage.in_doubt.reason IS 'one word for why';
COMMENT ON COLUMN reengage.in_doubt.http_status IS 'of the answer, if there was one';
COMMENT ON COLUMN reengage.in_doubt.api_error_message IS 'what the API, or the network, said last';
COMMENT ON COLUMN reengage.in_doubt.correlation_id IS 'the API''s name for the call, if it told it';
COMMENT ON COLUMN reengage.in_doubt.called_at IS 'when the first byte left, if that is known';
COMMENT ON COLUMN reengage.in_doubt.campaign IS 'as the nudge said';
GRANT SELECT ON reengage.in_doubt TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.ask_again(nudge_id uuid) RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	id uuid := reengage.uuid_v7();
BEGIN
	IF EXISTS (SELECT FROM reengage.nudges n WHERE n.nudge_id = ask_again.nudge_id AND n.message = reengage_internal.erased()) THEN
		RAISE EXCEPTION 'nudge % cannot be asked for again', nudge_id
			USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = 'Its customer was forgotten, and its message erased.';
	END IF;
	INSERT INTO reengage.nudges
		(nudge_id, server, conversation_id, message, address, channel, when_closed, priority,
		 expires_at, time_zone, campaign, detail, repeats, requested_by, when_answered, answered_since)
	SELECT id, n.server, n.conversation_id, n.message, n.address, n.channel, n.when_closed, n.priority,
		CASE WHEN n.expires_at > now() THEN n.expires_at END,
		n.time_zone, n.campaign, n.detail, n.nudge_id, session_user,
		-- two clocks: no message that is older than the old nudge is an answer to it
		n.when_answered, coalesce(n.answered_since, n.requested_at + interval '5 seconds')
	FROM reengage.nudges n WHERE n.nudge_id = ask_again.nudge_id
	ON CONFLICT (repeats) WHERE repeats IS NOT NULL DO NOTHING;
	IF NOT FOUND THEN
		SELECT n.nudge_id INTO id FROM reengage.nudges n WHERE n.repeats = ask_again.nudge_id;
	END IF;
	RETURN id;
END
$$;
COMMENT ON FUNCTION reengage_internal.ask_again(uuid) IS
	'a new nudge with the content of an old one, which keeps its outcome; a second call returns the same';

CREATE FUNCTION reengage.redrive(nudge_id uuid) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM reengage.lineage l
				   WHERE l.nudge_id = redrive.nudge_id
					 AND (l.outcome = 'exhausted' OR (l.outcome = 'refused' AND l.reason IN ('forbidden', 'unauthorized')))) THEN
		RAISE EXCEPTION 'nudge % is neither exhausted nor forbidden', nudge_id
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'reengage.nudge_status shows where it stands; reengage.resolve() settles what is in doubt.';
	END IF;
	RETURN reengage_internal.ask_again(nudge_id);
END
$$;
COMMENT ON FUNCTION reengage.redrive(uuid) IS
	'asks again for a nudge whose attempts ran out, or that the API forbade (refused, reason forbidden or unauthorized), and returns the new nudge; a second call returns the same';
GRANT EXECUTE ON FUNCTION reengage.redrive(uuid) TO reengage_operator;

CREATE FUNCTION reengage.resolve(lineage_id uuid, verdict text, conversation_id text DEFAULT NULL)
RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	doubt reengage.lineage;
	earlier reengage.lineage;
	result uuid := reengage.uuid_v7();
	said text := CASE verdict WHEN 'sent' THEN 'resolved_sent'
							  WHEN 'not_sent' THEN 'resolved_not_sent'
							  WHEN 'resend' THEN 'resolved_not_sent' END;
	created boolean := conversation_id IS NOT NULL;
	tips text[];
	locked text[];
BEGIN
	IF said IS NULL THEN
		RAISE EXCEPTION 'invalid verdict: "%"', reengage_internal.shown(verdict)
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'It must be sent, not_sent or resend.';
	END IF;
	SELECT * INTO doubt FROM reengage.lineage l WHERE l.lineage_id = resolve.lineage_id;
	IF doubt.outcome IS DISTINCT FROM 'in_doubt' THEN
		RAISE EXCEPTION 'lineage row % is not in doubt', lineage_id
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'The view reengage.in_doubt lists the rows that are.';
	END IF;
	PERFORM reengage_internal.admit(doubt.server);
	IF created AND (verdict <> 'sent' OR doubt.step <> 'create') THEN
		RAISE EXCEPTION 'a conversation_id goes with a create that was sent'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF NOT created AND verdict = 'sent' AND doubt.step = 'create' THEN
		RAISE EXCEPTION 'the conversation that was created must be named'
			USING ERRCODE = 'invalid_parameter_value',
				  DETAIL = 'Without it the thread would end at the closed conversation.',
				  HINT = 'Look for it in the API, by the customer or the correlation_id.';
	END IF;
	IF NOT reengage_internal.is_conversation_id(conversation_id) OR conversation_id = doubt.conversation_id THEN
		RAISE EXCEPTION 'invalid conversation_id: "%"', reengage_internal.shown(conversation_id)
			USING ERRCODE = 'invalid_parameter_value';
	END IF;

	-- Whoever else writes what follows one of the two tips, the worker or another
	-- resolve(), has committed, or leaves it for later: two that do not see each
	-- other would close a ring.
	IF created THEN
		PERFORM reengage_internal.require_read_committed('a session cannot be put into its thread');
		LOOP
			tips := ARRAY(SELECT t.tip FROM reengage_internal.locate(doubt.server, resolve.conversation_id) t
						  UNION SELECT doubt.conversation_id ORDER BY 1);
			EXIT WHEN tips = locked;
			PERFORM reengage_internal.lock('tip', doubt.server, t.tip) FROM unnest(tips) AS t (tip);
			locked := tips;
		END LOOP;
	END IF;

	-- an API may have continued an older conversation of the thread, or one that
	-- leads to it by now: no ring
	created := created AND conversation_id <> doubt.root_conversation_id AND NOT EXISTS (
		SELECT FROM reengage.lineage l
		WHERE l.server = doubt.server AND l.root_conversation_id = doubt.root_conversation_id
		  AND l.conversation_id = resolve.conversation_id)
		AND NOT EXISTS (
		SELECT FROM reengage.past_sessions p
		WHERE p.server = doubt.server AND p.root_conversation_id = doubt.root_conversation_id
		  AND p.conversation_id = resolve.conversation_id)
		AND NOT EXISTS (
		WITH RECURSIVE later (id) AS (
			SELECT resolve.conversation_id
			UNION
			SELECT s.id FROM later CROSS JOIN LATERAL (
				SELECT l.conversation_id AS id FROM reengage_internal.sessions l
				WHERE l.server = doubt.server AND l.previous_conversation_id = later.id
				OFFSET 0) s)
		SELECT FROM later WHERE later.id = doubt.conversation_id);

	-- of lineage the unique index knows
	IF created AND EXISTS (
		SELECT FROM reengage.past_sessions p
		WHERE p.server = doubt.server AND p.previous_conversation_id = doubt.conversation_id) THEN
		RAISE EXCEPTION 'conversation "%" has a successor already', doubt.conversation_id
			USING ERRCODE = 'unique_violation',
				  HINT = 'Resolve it as not_sent, or with the conversation that is its successor: reengage.thread() shows it.';
	END IF;

	INSERT INTO reengage.lineage
		(lineage_id, nudge_id, server, outcome, reason, step, requested_conversation_id, conversation_id,
		 previous_conversation_id, root_conversation_id, generation, channel, address_hash, campaign,
		 attempts, api_calls, api_calls_saved, correlation_id, requested_at, due_at, occurred_at, resolves, detail)
	VALUES
		(result, doubt.nudge_id, doubt.server, said, verdict, doubt.step, doubt.requested_conversation_id,
		 coalesce(resolve.conversation_id, doubt.conversation_id),
		 CASE WHEN created THEN doubt.conversation_id END, doubt.root_conversation_id,
		 doubt.generation + created::integer, doubt.channel, doubt.address_hash, doubt.campaign,
		 doubt.attempts, 0, 0, doubt.correlation_id, doubt.requested_at, doubt.due_at, now(), doubt.lineage_id, doubt.detail)
	ON CONFLICT (resolves) WHERE resolves IS NOT NULL DO NOTHING;
	IF NOT FOUND THEN
		SELECT * INTO earlier FROM reengage.lineage l WHERE l.resolves = resolve.lineage_id;
		IF earlier.reason = verdict AND earlier.conversation_id = coalesce(resolve.conversation_id, doubt.conversation_id) THEN
			RAISE NOTICE 'it was resolved so before';
			RETURN earlier.lineage_id;
		END IF;
		RAISE EXCEPTION 'lineage row % was resolved before, as %', lineage_id, earlier.reason
			USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;

	INSERT INTO reengage.tally_changes (nudges, server, campaign, requested_by, state, reason)
	SELECT c.nudges, n.server, n.campaign, n.requested_by, c.state, c.reason
	FROM reengage.nudges n CROSS JOIN (VALUES (-1, 'in_doubt', doubt.reason), (1, said, verdict)) AS c (nudges, state, reason)
	WHERE n.nudge_id = doubt.nudge_id;

	IF verdict = 'resend' THEN
		RAISE NOTICE 'asked again as nudge %', reengage_internal.ask_again(doubt.nudge_id);
	END IF;
	-- what the doubt held back can go on
	INSERT INTO reengage.releases (server) VALUES (doubt.server);
	PERFORM reengage_internal.wake(now());
	RETURN result;
END
$$;
COMMENT ON FUNCTION reengage.resolve(uuid, text, text) IS
	'settles a row in doubt: sent (with the conversation that was created, if it was a create), not_sent, or resend (not sent, and asked again as a new nudge); returns the row of lineage that says so; of a conversation use READ COMMITTED, and commit soon: what may follow it rests until then';
GRANT EXECUTE ON FUNCTION reengage.resolve(uuid, text, text) TO reengage_operator;
