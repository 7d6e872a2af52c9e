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
