--
-- Not asking any more: a nudge, a campaign, a thread, a customer.
--
CREATE FUNCTION reengage_internal.cancel_locked(nudge_ids uuid[], reason text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	ended bigint;
	cancelled bigint;
BEGIN
	WITH ended AS (
		DELETE FROM reengage.due d USING reengage.nudges n
		WHERE d.nudge_id = ANY (nudge_ids) AND n.nudge_id = d.nudge_id
		  AND d.nudge_id <> ALL (ARRAY(SELECT unnest(i.nudge_ids) FROM reengage.intents i))
		  AND NOT EXISTS (SELECT FROM reengage.unresolved u WHERE u.nudge_id = d.nudge_id OFFSET 0)
		RETURNING n.*, d.attempt, d.api_calls
	), stored AS (
		INSERT INTO reengage.lineage
			(nudge_id, server, outcome, reason, requested_conversation_id, conversation_id,
			 root_conversation_id, generation, campaign, attempts, api_calls, api_calls_saved,
			 requested_at, due_at, occurred_at, detail)
		SELECT e.nudge_id, e.server, 'cancelled', cancel_locked.reason, e.conversation_id, t.tip,
			   t.root, t.generation, e.campaign, e.attempt, e.api_calls, 0,
			   e.requested_at, e.due_at, clock_timestamp(), e.detail
		FROM ended e CROSS JOIN LATERAL reengage_internal.locate(e.server, e.conversation_id) t
		RETURNING lineage_id
	), counted AS (
		INSERT INTO reengage.tally_changes (nudges, server, campaign, requested_by, state, reason)
		SELECT sum(c.nudges), e.server, e.campaign, e.requested_by, c.state, c.reason
		FROM ended e CROSS JOIN (VALUES (-1, 'due', NULL), (1, 'cancelled', cancel_locked.reason)) AS c (nudges, state, reason)
		GROUP BY e.server, e.campaign, e.requested_by, c.state, c.reason
	)
	SELECT (SELECT count(*) FROM ended), (SELECT count(*) FROM stored) INTO ended, cancelled;
	IF cancelled <> ended THEN
		RAISE EXCEPTION 'a trigger on table "reengage.lineage" keeps outcomes from being stored'
			USING ERRCODE = 'triggered_action_exception', HINT = 'Drop the trigger.';
	END IF;
	RETURN cancelled;
END
$$;
COMMENT ON FUNCTION reengage_internal.cancel_locked(uuid[], text) IS
	'cancels those of the nudges, all of them locked, for which no call may be on the wire; returns how many';

CREATE FUNCTION reengage_internal.cancel_nudges(nudge_ids uuid[], reason text) RETURNS bigint
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
COMMENT ON FUNCTION reengage_internal.cancel_nudges(uuid[], text) IS
	'locks nudges, one after another as they are given, and cancels those for which no call may be on the wire; returns how many';

CREATE FUNCTION reengage_internal.cancel_for(nudge_id uuid, caller text, may_cancel_all boolean) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
	PERFORM reengage_internal.require_read_committed('a nudge cannot be cancelled');
	IF NOT EXISTS (SELECT FROM reengage.nudges n
				   WHERE n.nudge_id = cancel_for.nudge_id AND (may_cancel_all OR n.requested_by = caller)) THEN
		RAISE EXCEPTION 'nudge % does not exist', nudge_id
			USING ERRCODE = 'undefined_object',
				  DETAIL = CASE WHEN NOT may_cancel_all
						   THEN format('Or it is not one that role "%s" asked for.', caller)
						   ELSE 'There is no row of reengage.nudges with this id.' END;
	END IF;
	RETURN CASE reengage_internal.cancel_nudges(ARRAY[nudge_id], NULL) WHEN 1 THEN 'cancelled' ELSE 'too late' END;
END
$$;
COMMENT ON FUNCTION reengage_internal.cancel_for(uuid, text, boolean) IS 'cancel(), once it is known who calls it';

CREATE FUNCTION reengage.cancel(nudge_id uuid) RETURNS text
LANGUAGE C STRICT VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off
AS 'MODULE_PATHNAME', 'reengage_cancel';
COMMENT ON FUNCTION reengage.cancel(uuid) IS
	'cancels a nudge and says "cancelled", or "too late" where a call may have been made or it has ended; holds as soon as the transaction commits; an application cancels its own nudges, an operator all';
GRANT EXECUTE ON FUNCTION reengage.cancel(uuid) TO reengage_application, reengage_operator;

CREATE FUNCTION reengage.cancel_campaign(campaign text, server text DEFAULT NULL,
	OUT cancelled bigint, OUT too_late bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
-- what is better read, all that is due or all of the campaign, is known when it is called
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
	of_server text := coalesce(cancel_campaign.server, reengage.default_server());
	due uuid[];
BEGIN
	PERFORM reengage_internal.require_read_committed('a nudge cannot be cancelled');
	PERFORM reengage_internal.require_server(of_server);
	IF campaign IS NULL THEN
		RAISE EXCEPTION 'a campaign must be named' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	PERFORM reengage_internal.lock('campaign', of_server, campaign);
	due := ARRAY(SELECT d.nudge_id FROM reengage.due d JOIN reengage.nudges n ON n.nudge_id = d.nudge_id
				 WHERE d.server = of_server AND n.campaign = cancel_campaign.campaign);
	cancelled := reengage_internal.cancel_locked(due, 'campaign_cancelled');
	too_late := cardinality(due) - cancelled;
END
$$;
COMMENT ON FUNCTION reengage.cancel_campaign(text, text) IS
	'cancels all nudges of a campaign at a server that have not ended, and tells how many it was too late for: their call may have been made; commit soon, the campaign rests until then';
GRANT EXECUTE ON FUNCTION reengage.cancel_campaign(text, text) TO reengage_operator;

CREATE FUNCTION reengage_internal.cancel_older(newer uuid[]) RETURNS void
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
COMMENT ON FUNCTION reengage_internal.cancel_older(uuid[]) IS
	'cancels what nudges with "supersedes" take the place of, as far as whoever asked for them may cancel it';

CREATE FUNCTION reengage_internal.due_in_threads(servers text[], roots text[]) RETURNS uuid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
	SELECT array_agg(DISTINCT n.nudge_id)
	FROM unnest(servers, roots) t (server, root)
		CROSS JOIN LATERAL (
			SELECT t.root AS conversation_id
			UNION
			SELECT l.conversation_id FROM reengage.lineage l
			WHERE l.root_conversation_id = t.root AND l.server = t.server
			UNION
			SELECT p.conversation_id FROM reengage.past_sessions p
			WHERE p.root_conversation_id = t.root AND p.server = t.server) c
		CROSS JOIN LATERAL (
			SELECT n.nudge_id FROM reengage.nudges n
			WHERE n.conversation_id = c.conversation_id AND n.server = t.server OFFSET 0) n
		CROSS JOIN LATERAL (SELECT FROM reengage.due d WHERE d.nudge_id = n.nudge_id OFFSET 0) d
$$;
COMMENT ON FUNCTION reengage_internal.due_in_threads(text[], text[]) IS
	'the nudges that are due in threads, each named by its server and first conversation';

CREATE FUNCTION reengage_internal.cancel_due(nudge_ids uuid[], of_campaign text, reason text, caller text, may_cancel_all boolean,
	OUT cancelled bigint, OUT too_late bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	chosen uuid[] := ARRAY(
		SELECT n.nudge_id FROM reengage.nudges n
		WHERE n.nudge_id = ANY (nudge_ids) AND (of_campaign IS NULL OR n.campaign = of_campaign)
		  AND (may_cancel_all OR n.requested_by = caller)
		ORDER BY n.nudge_id);
BEGIN
	cancelled := reengage_internal.cancel_nudges(chosen, reason);
	-- not what another session has cancelled meanwhile
	too_late := (SELECT count(*) FROM unnest(chosen) AS c (nudge_id)
				 WHERE NOT EXISTS (SELECT FROM reengage.lineage l
								   WHERE l.nudge_id = c.nudge_id AND l.outcome = 'cancelled' OFFSET 0));
END
$$;
COMMENT ON FUNCTION reengage_internal.cancel_due(uuid[], text, text, text, boolean) IS
	'cancels those of the nudges that are of a campaign (null: any) and that the caller may cancel, as far as no call may be on the wire';

CREATE FUNCTION reengage_internal.cancel_thread_for(conversation_id text, server text, campaign text, caller text, may_cancel_all boolean,
	OUT cancelled bigint, OUT too_late bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	subjects record;
BEGIN
	PERFORM reengage_internal.require_read_committed('a nudge cannot be cancelled');
	SELECT array_agg(s.of_server) AS servers, array_agg(s.root_conversation_id) AS roots INTO subjects
	FROM reengage_internal.suppression_subject(NULL, cancel_thread_for.conversation_id, NULL, server) s;
	SELECT * INTO cancelled, too_late FROM reengage_internal.cancel_due(
		reengage_internal.due_in_threads(subjects.servers, subjects.roots), campaign, 'thread_cancelled', caller, may_cancel_all);
END
$$;
COMMENT ON FUNCTION reengage_internal.cancel_thread_for(text, text, text, text, boolean) IS 'cancel_thread(), once it is known who calls it';

CREATE FUNCTION reengage.cancel_thread(conversation_id text, server text DEFAULT NULL, campaign text DEFAULT NULL,
	OUT cancelled bigint, OUT too_late bigint)
LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off
AS 'MODULE_PATHNAME', 'reengage_cancel';
COMMENT ON FUNCTION reengage.cancel_thread(text, text, text) IS
	'cancels all nudges of the threads that a conversation belongs to (at reengage.default_server, unless another is named), of one campaign or of any, that have not ended, and tells how many it was too late for; an application cancels its own nudges, an operator all; commit soon, they rest until then';
GRANT EXECUTE ON FUNCTION reengage.cancel_thread(text, text, text) TO reengage_application, reengage_operator;

CREATE FUNCTION reengage_internal.due_to_customer(hashes text[], server text) RETURNS uuid[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	own uuid[] := ARRAY(
		SELECT d.nudge_id FROM (SELECT * FROM reengage.due d WHERE d.address_hash = ANY (hashes) OFFSET 0) d
		WHERE d.server = coalesce(due_to_customer.server, d.server));
	threads record;
BEGIN
	SELECT array_agg(t.server) AS servers, array_agg(t.root_conversation_id) AS roots INTO threads
	FROM (SELECT DISTINCT l.server, l.root_conversation_id FROM reengage.lineage l
		  WHERE hashtextextended(l.address_hash, 0) = ANY (ARRAY(SELECT hashtextextended(h, 0) FROM unnest(hashes) h))
			AND l.address_hash = ANY (hashes) AND l.server = coalesce(due_to_customer.server, l.server)) t;
	RETURN own || reengage_internal.due_in_threads(threads.servers, threads.roots);
END
$$;
COMMENT ON FUNCTION reengage_internal.due_to_customer(text[], text) IS
	'the nudges that are due to a customer: those that name the address, and those of threads that lineage knows it from';

CREATE FUNCTION reengage_internal.cancel_customer_for(address text, campaign text, server text, channel text, caller text, may_cancel_all boolean,
	OUT cancelled bigint, OUT too_late bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	hashes text[];
BEGIN
	PERFORM reengage_internal.require_read_committed('a nudge cannot be cancelled');
	hashes := ARRAY(SELECT s.address_hash FROM reengage_internal.suppression_subject(address, NULL, reengage_internal.require_channel(channel), server) s);
	SELECT * INTO cancelled, too_late FROM reengage_internal.cancel_due(
		reengage_internal.due_to_customer(hashes, server), campaign, 'customer_cancelled', caller, may_cancel_all);
END
$$;
COMMENT ON FUNCTION reengage_internal.cancel_customer_for(text, text, text, text, text, boolean) IS 'cancel_customer(), once it is known who calls it';

CREATE FUNCTION reengage.cancel_customer(address text, campaign text DEFAULT NULL, server text DEFAULT NULL, channel text DEFAULT NULL,
	OUT cancelled bigint, OUT too_late bigint)
LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off
AS 'MODULE_PATHNAME', 'reengage_cancel';
COMMENT ON FUNCTION reengage.cancel_customer(text, text, text, text) IS
	'cancels all nudges to a customer, of one campaign or of any, at one server or at all, that have not ended, and tells how many it was too late for: those that name the address (the channel tells how to read it), and those of threads that lineage knows it from; an application cancels its own nudges, an operator all; commit soon, they rest until then';
GRANT EXECUTE ON FUNCTION reengage.cancel_customer(text, text, text, text)
	TO reengage_application, reengage_operator;
