--
-- Not asking any more: a nudge, a campaign, a thread, a customer.
--

CREATE OR REPLACE FUNCTION reengage_internal.cancel_nudges(nudge_ids uuid[], reason text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	-- the lock table is not made for thousands
	many boolean := cardinality(nudge_ids) + reengage_internal.nudge_locks() > 100;
BEGIN
	-- of what is copied from another node the original is cancelled, there
	SELECT array_agg(w.nudge_id ORDER BY w.place) INTO nudge_ids
	FROM unnest(nudge_ids) WITH ORDINALITY AS w (nudge_id, place)
	WHERE NOT EXISTS (SELECT FROM reengage.nudges n JOIN reengage.server_moves m ON m.server = n.server AND m.state IN ('arriving', 'undone')
					  WHERE n.nudge_id = w.nudge_id OFFSET 0);
	PERFORM reengage_internal.admit(c.server)
	FROM (SELECT DISTINCT n.server FROM reengage.nudges n WHERE n.nudge_id = ANY (nudge_ids)) c;
	-- all in one order, so that two of these wait for each other in one way only
	PERFORM reengage_internal.lock_part(c.server, c.asker, c.campaign, NOT many)
	FROM (SELECT DISTINCT n.server, n.requested_by::name::text AS asker, coalesce(n.campaign, '') AS campaign
		  FROM reengage.nudges n WHERE n.nudge_id = ANY (nudge_ids) ORDER BY 1, 2, 3) c;
	IF NOT many THEN
		PERFORM reengage_internal.lock_nudge(o.nudge_id) FROM unnest(nudge_ids) AS o (nudge_id);
	END IF;
	RETURN reengage_internal.cancel_locked(nudge_ids, reason);
END
$$;

CREATE OR REPLACE FUNCTION reengage_internal.cancel_older(newer uuid[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	older uuid[];
BEGIN
	IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
		RAISE EXCEPTION 'a nudge cannot supersede others in a transaction of isolation level "%"', current_setting('transaction_isolation')
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = 'Its snapshot does not show what others did after it began.',
				  HINT = 'Use READ COMMITTED; by way of a front, SELECT reengage.nudge(..., supersedes => true).';
	END IF;
	-- all locks in one order, so that two of these wait for each other in one way only
	PERFORM reengage_internal.lock('superseding', p.server, p.asker, p.campaign, p.stripe::text)
	FROM (SELECT DISTINCT n.server, n.requested_by::name::text AS asker, coalesce(n.campaign, '') AS campaign,
			abs(hashtext(t.root) % 64) AS stripe
		  FROM reengage.nudges n CROSS JOIN LATERAL reengage_internal.locate(n.server, n.conversation_id) t
		  WHERE n.nudge_id = ANY (newer) ORDER BY 1, 2, 3, 4) p;
	-- each thread is looked for once, not once for every nudge that might be an older one
	WITH named AS MATERIALIZED (
		SELECT DISTINCT n.server, n.campaign, c.conversation_id, n.requested_by,
			EXISTS (SELECT FROM pg_roles r
					WHERE r.rolname = n.requested_by AND pg_has_role(r.oid, 'reengage_operator', 'USAGE')) AS may_cancel_all
		FROM reengage.nudges n
			CROSS JOIN LATERAL reengage_internal.locate(n.server, n.conversation_id) t
			CROSS JOIN LATERAL (
				SELECT t.root AS conversation_id
				UNION
				SELECT l.conversation_id FROM reengage.lineage l
				WHERE l.root_conversation_id = t.root AND l.server = n.server
				UNION
				SELECT p.conversation_id FROM reengage.past_sessions p
				WHERE p.root_conversation_id = t.root AND p.server = n.server) c
		WHERE n.nudge_id = ANY (newer)
	)
	SELECT array_agg(DISTINCT o.nudge_id ORDER BY o.nudge_id) INTO older
	FROM named c
		CROSS JOIN LATERAL (
			SELECT o.nudge_id FROM reengage.nudges o
			WHERE o.conversation_id = c.conversation_id
			  AND o.server = c.server AND o.campaign IS NOT DISTINCT FROM c.campaign
			  -- as cancel() has it
			  AND (c.may_cancel_all OR o.requested_by = c.requested_by) OFFSET 0) o
		CROSS JOIN LATERAL (SELECT FROM reengage.due d WHERE d.nudge_id = o.nudge_id OFFSET 0) d
	WHERE o.nudge_id <> ALL (newer);
	IF older IS NOT NULL THEN
		PERFORM reengage_internal.cancel_nudges(older, 'superseded');
	END IF;
END
$$;
