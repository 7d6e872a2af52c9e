--
-- Importing history: the nudges that are asked for, and the threads that begin.
--
CREATE TYPE reengage_internal.import_thread AS (conversation_id text, channel text, address_hash text, occurred_at timestamptz, detail jsonb);
COMMENT ON TYPE reengage_internal.import_thread IS 'a conversation that begins a thread';

CREATE FUNCTION reengage_internal.import_write_threads(server text, threads reengage_internal.import_thread[], xact_id bigint) RETURNS boolean
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_import_write_threads';
COMMENT ON FUNCTION reengage_internal.import_write_threads(text, reengage_internal.import_thread[], bigint) IS
	'begins a thread with each conversation that lineage does not know, as batches without a statement; false, and nothing is done: there is a trigger that would have to fire';

CREATE FUNCTION reengage_internal.import_begin_threads(server text, threads reengage_internal.import_thread[]) RETURNS void
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
COMMENT ON FUNCTION reengage_internal.import_begin_threads(text, reengage_internal.import_thread[]) IS
	'begins a thread with each conversation that lineage does not know';
GRANT EXECUTE ON FUNCTION reengage_internal.import_begin_threads(text, reengage_internal.import_thread[]) TO reengage_operator;

CREATE TYPE reengage_internal.import_nudge AS (record_no bigint, reason text, nudge_id uuid, conversation_id text, channel text, address text,
									   time_zone text, answered_since timestamptz, detail jsonb);
COMMENT ON TYPE reengage_internal.import_nudge IS 'a nudge to be asked for, and the reason to count it under';

-- A record that the database refuses must not take the others with it: they
-- are asked for one by one then.  Records that became a nudge, or were refused.
CREATE FUNCTION reengage_internal.import_ask(import_id uuid, options jsonb, nudges reengage_internal.import_nudge[])
RETURNS TABLE (record_no bigint, reason text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = on
AS $$
#variable_conflict use_column
DECLARE
	one reengage_internal.import_nudge;
	asked_ids uuid[];
	message text;
BEGIN
	BEGIN
		-- Collected, for what was returned is not taken back by an error.  Of many none is
		-- there: it was looked for, under a lock; ON CONFLICT would look once more for each.
		EXECUTE format('WITH asked AS (
			INSERT INTO reengage.nudges AS n (nudge_id, server, conversation_id, message, address, channel, when_closed,
				priority, due_at, expires_at, time_zone, campaign, detail, answered_since)
			SELECT u.nudge_id, a.server, u.conversation_id, a.message, u.address, u.channel, a.when_closed,
				a.priority, coalesce(a.due_at, now()), a.expires_at, u.time_zone, a.campaign, u.detail, u.answered_since
			FROM unnest($1) u, jsonb_to_record($2) AS a(server text, message text, when_closed text, priority integer,
				due_at timestamptz, expires_at timestamptz, campaign text)
			%s
			RETURNING n.nudge_id)
			SELECT array_agg(s.nudge_id) FROM asked s',
			CASE WHEN cardinality(nudges) = 1 THEN 'ON CONFLICT (nudge_id) DO NOTHING' END)
		INTO asked_ids USING nudges, options;
		-- mostly all of them
		RETURN QUERY SELECT u.record_no, u.reason FROM unnest(nudges) u
		WHERE cardinality(asked_ids) = cardinality(nudges) OR u.nudge_id IN (SELECT s.nudge_id FROM unnest(asked_ids) s(nudge_id));
		RETURN;
	EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception THEN
		message := SQLERRM;
	END;
	IF cardinality(nudges) = 1 THEN
		PERFORM reengage_internal.import_keep_rejects(import_ask.import_id, ARRAY(
			SELECT ROW(import_ask.import_id, h.record_no, h.line_no, h.field_count, 'refused', message, h.conversation_id, h.record)::reengage.import_rejects
			FROM pg_temp.reengage_import_record h WHERE h.record_no = (nudges[1]).record_no));
		RETURN QUERY SELECT (nudges[1]).record_no, 'refused';
		RETURN;
	END IF;
	FOREACH one IN ARRAY nudges LOOP
		RETURN QUERY SELECT q.record_no, q.reason FROM reengage_internal.import_ask(import_ask.import_id, options, ARRAY[one]) q;
	END LOOP;
END
$$;
COMMENT ON FUNCTION reengage_internal.import_ask(uuid, jsonb, reengage_internal.import_nudge[]) IS
	'asks for nudges; the records that became one, with the reason to count them under, and those that were refused';
GRANT EXECUTE ON FUNCTION reengage_internal.import_ask(uuid, jsonb, reengage_internal.import_nudge[]) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_nudge_ids(server text, campaign text, address_hashes text[]) RETURNS uuid[]
LANGUAGE C STRICT IMMUTABLE
AS 'MODULE_PATHNAME', 'reengage_import_nudge_ids';
COMMENT ON FUNCTION reengage_internal.import_nudge_ids(text, text, text[]) IS
	'the ids of the nudges that a campaign has for these customers: the first 16 bytes of a SHA-256 of all three, as UUID version 8';
GRANT EXECUTE ON FUNCTION reengage_internal.import_nudge_ids(text, text, text[]) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_unasked(server text, campaign text, nudges reengage_internal.import_nudge[], address_hashes text[])
RETURNS reengage_internal.import_nudge[]
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'reengage_import_unasked';
COMMENT ON FUNCTION reengage_internal.import_unasked(text, text, reengage_internal.import_nudge[], text[]) IS
	'of nudges with a reason those whose customer, conversation and thread have none of the campaign, with their ids and in the order of these; without hashes of their customers none has an id';
GRANT EXECUTE ON FUNCTION reengage_internal.import_unasked(text, text, reengage_internal.import_nudge[], text[]) TO reengage_operator;

-- One chunk of an import: one transaction.  What each record became is counted.
CREATE FUNCTION reengage_internal.import_chunk(import_id uuid, first_place bigint, last_place bigint, options jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = on
SET enable_seqscan = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	accepted CONSTANT text[] := ARRAY['accepted', 'unknown_status', 'unknown_time_zone'];
	dry_run boolean := options -> 'dry_run';
	counts jsonb;
	valid record;
	hashes text[];
	fresh reengage_internal.import_nudge[];
	asked record;
BEGIN
	PERFORM reengage_internal.import_lock(import_chunk.import_id);
	IF NOT dry_run THEN
		PERFORM reengage_internal.import_lock_campaign(options ->> 'server', options ->> 'campaign');
	END IF;
	SELECT jsonb_object_agg(r.reason, r.records) INTO counts
	FROM (SELECT p.reason, count(*) AS records FROM pg_temp.reengage_import_plan p
		  WHERE p.place BETWEEN first_place AND last_place GROUP BY p.reason) r;
	-- those without a reason begin a thread, and no more
	SELECT array_agg(p.customer) AS customers,
		array_agg(ROW(p.record_no, CASE WHEN p.reason = ANY (accepted) THEN p.reason END, NULL, p.conversation_id, p.channel, p.address,
					  p.time_zone, p.answered_since, p.detail)::reengage_internal.import_nudge) AS nudges,
		array_agg(p.occurred_at) AS times
	INTO valid
	FROM pg_temp.reengage_import_plan p
	WHERE p.place BETWEEN first_place AND last_place AND (p.reason = ANY (accepted) OR p.reason IN ('older_conversation', 'too_old'));
	hashes := reengage_internal.import_address_hashes(valid.customers, NOT dry_run);
	fresh := coalesce(reengage_internal.import_unasked(options ->> 'server', options ->> 'campaign', valid.nudges, hashes), '{}');
	IF dry_run THEN
		SELECT array_agg(f.record_no) AS nos, array_agg(f.reason) AS reasons INTO asked FROM unnest(fresh) f;
	ELSE
		PERFORM reengage_internal.import_keep_rejects(import_chunk.import_id, ARRAY(
			SELECT ROW(import_chunk.import_id, h.record_no, h.line_no, h.field_count, p.reason, NULL, h.conversation_id, h.record)::reengage.import_rejects
			FROM pg_temp.reengage_import_plan p JOIN pg_temp.reengage_import_record h ON h.stored_at = p.stored_at
			WHERE p.place BETWEEN first_place AND last_place
			  AND p.reason = ANY (ARRAY(SELECT r.reason FROM jsonb_object_keys(counts) r(reason) WHERE reengage.import_outcome(r.reason) = 'rejected'))));
		SELECT array_agg(q.record_no) AS nos, array_agg(q.reason) AS reasons INTO asked
		FROM reengage_internal.import_ask(import_chunk.import_id, options, fresh) q;
		PERFORM reengage_internal.import_begin_threads(options ->> 'server', ARRAY(
			SELECT ROW(n.conversation_id, n.channel, n.address_hash, n.occurred_at, n.detail)::reengage_internal.import_thread
			FROM unnest(valid.nudges, hashes, valid.times)
				AS n(record_no, reason, nudge_id, conversation_id, channel, address, time_zone, answered_since, detail, address_hash, occurred_at)
			WHERE n.record_no NOT IN (SELECT q.record_no FROM unnest(asked.nos, asked.reasons) q(record_no, reason) WHERE q.reason = 'refused')));
	END IF;

	RETURN reengage_internal.import_add_reasons(counts - accepted, reengage_internal.import_count_reasons(asked.reasons) || jsonb_build_object(
		'already_asked', (SELECT coalesce(sum(r.value::bigint), 0) FROM jsonb_each_text(counts) r WHERE r.key = ANY (accepted))
						 - coalesce(cardinality(asked.reasons), 0)));
END
$$;
COMMENT ON FUNCTION reengage_internal.import_chunk(uuid, bigint, bigint, jsonb) IS
	'asks for the nudges of some staged records, begins their threads, keeps the rejects, and counts';
GRANT EXECUTE ON FUNCTION reengage_internal.import_chunk(uuid, bigint, bigint, jsonb) TO reengage_operator;
