--
-- What may or may not have had its effect, and how operators settle it.
--

--
-- What may or may not have had its effect, and how operators settle it.
--
CREATE OR REPLACE VIEW reengage.in_doubt AS
SELECT l.lineage_id, l.nudge_id, l.server, l.step, l.conversation_id, l.occurred_at AS since, l.reason,
	l.http_status, l.api_error_message, l.correlation_id, l.called_at, l.campaign
FROM reengage.lineage l
WHERE l.outcome = 'in_doubt'
  AND NOT EXISTS (SELECT FROM reengage.lineage r WHERE r.resolves = l.lineage_id)
  AND l.server NOT IN (SELECT e.server FROM reengage_internal.servers_elsewhere e)
ORDER BY l.occurred_at;

CREATE OR REPLACE FUNCTION reengage.resolve(lineage_id uuid, verdict text, conversation_id text DEFAULT NULL)
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
