--
-- Erasing one person, on demand.
--
-- the worker that counts a day counts it again where somebody was forgotten meanwhile
GRANT SELECT ON reengage.erasures TO reengage_operator, reengage_worker;

-- Sums are of rows, so what was erased is taken out of them and what is there now is
-- put in; what somebody else changed still shows.  The rows of the manifest from before
-- would tell what is gone by the difference.  Digests of version 1.0 know nothing of it.
CREATE FUNCTION reengage_internal.erase_lineage(lineage_ids uuid[], OUT lineage bigint, OUT superseded text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
	-- whoever counts a day counts it before this, or after
	LOCK TABLE reengage.lineage_manifest IN SHARE ROW EXCLUSIVE MODE;
	WITH before AS MATERIALIZED (
		SELECT to_char(l.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, l AS was
		FROM reengage.lineage l
		WHERE l.lineage_id = ANY (lineage_ids)
		  AND num_nonnulls(l.address_hash, l.detail, l.api_error_message, l.correlation_id, l.message_id) > 0
	), erased AS (
		UPDATE reengage.lineage l
		SET address_hash = NULL, detail = NULL, api_error_message = NULL, correlation_id = NULL, message_id = NULL
		FROM before b WHERE l.lineage_id = (b.was).lineage_id
		RETURNING b.day, l AS became
	), newest AS MATERIALIZED (
		SELECT m.*
		-- the others are in the manifest of the node that they came from
		FROM (SELECT DISTINCT b.day FROM before b WHERE (b.was).xact_id <> 0) d CROSS JOIN LATERAL (
			SELECT m.* FROM reengage.lineage_manifest m WHERE m.day = d.day ORDER BY m.as_of DESC, m.manifest_id DESC LIMIT 1) m
		WHERE m.column_sums IS NOT NULL
	), counted AS (
		SELECT n.*, o.sums AS old, e.sums AS new
		FROM newest n
			CROSS JOIN LATERAL (SELECT reengage_internal.lineage_sums(b.was) AS sums FROM before b
								WHERE b.day = n.day AND (b.was).xact_id <> 0 AND (b.was).recorded_at < coalesce(n.up_to, 'infinity')) o
			CROSS JOIN LATERAL (SELECT reengage_internal.lineage_sums(e.became) AS sums FROM erased e
								WHERE e.day = n.day AND (e.became).xact_id <> 0 AND (e.became).recorded_at < coalesce(n.up_to, 'infinity')) e
		WHERE (o.sums).row_count > 0
	), corrected AS (
		INSERT INTO reengage.lineage_manifest (day, as_of, row_count, digest, column_sums, up_to)
		SELECT c.day, greatest(clock_timestamp(), c.as_of + interval '1 microsecond'), c.row_count,
			(c.digest + (c.new).digest - (c.old).digest + 9007199254740992) % 9007199254740992,
			reengage_internal.add_column_sums(reengage_internal.add_column_sums(c.column_sums, (c.new).column_sums), (c.old).column_sums, -1), c.up_to
		FROM counted c
		RETURNING day
	), deleted AS (
		DELETE FROM reengage.lineage_manifest m USING corrected c WHERE m.day = c.day AND m.column_sums IS NOT NULL
		RETURNING m.manifest_id
	)
	SELECT (SELECT count(*) FROM erased),
		-- where rows of several nodes are collected, a day and a time would be those of all
		(SELECT 'manifest_id IN (' || string_agg(quote_literal(d.manifest_id), ', ' ORDER BY d.manifest_id) || ')' FROM deleted d)
	INTO lineage, superseded;
END
$$;
COMMENT ON FUNCTION reengage_internal.erase_lineage(uuid[]) IS
	'takes out of lineage what tells of a person, and out of the manifest what it tells of that; which rows of the manifest are superseded: a condition for copies of it';

DROP FUNCTION reengage_internal.erase(uuid[], uuid[]);
CREATE FUNCTION reengage_internal.erase(nudge_ids uuid[], lineage_ids uuid[], OUT nudges bigint, OUT lineage bigint, OUT superseded text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
	PERFORM reengage_internal.lock('retention', VARIADIC '{}');
	UPDATE reengage.nudges n SET message = reengage_internal.erased(), address = NULL, detail = NULL, time_zone = NULL
	WHERE n.nudge_id = ANY (nudge_ids)
	  AND (n.message <> reengage_internal.erased() OR num_nonnulls(n.address, n.detail, n.time_zone) > 0);
	GET DIAGNOSTICS nudges = ROW_COUNT;
	SELECT e.lineage, e.superseded INTO lineage, superseded FROM reengage_internal.erase_lineage(lineage_ids) e;
END
$$;
COMMENT ON FUNCTION reengage_internal.erase(uuid[], uuid[]) IS
	'takes out of nudges and lineage what tells of a person; what was counted stays, and so do the ids of conversations';

-- By hashes, at one server or all; or by the first conversations of threads, each with
-- its server.
CREATE FUNCTION reengage_internal.forget_subjects(hashes text[], of_server text, roots text[], of_servers text[], address text, caller text,
	OUT cancelled bigint, OUT nudges bigint, OUT lineage bigint, OUT rejects bigint, OUT words bigint, OUT for_copies text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	servers text[] := of_servers;
	late bigint;
	nudge_ids uuid[];
	lineage_ids uuid[];
	conversations text[];
	superseded text;
	further bigint;
BEGIN
	IF hashes IS NOT NULL THEN
		SELECT c.cancelled, c.too_late INTO cancelled, late
		FROM reengage_internal.cancel_due(reengage_internal.due_to_customer(hashes, of_server), NULL, 'customer_cancelled', caller, true) c;
		SELECT array_agg(DISTINCT l.server) INTO servers FROM reengage.lineage l
		WHERE hashtextextended(l.address_hash, 0) = ANY (ARRAY(SELECT hashtextextended(h, 0) FROM unnest(hashes) h))
		  AND l.address_hash = ANY (hashes) AND l.server = coalesce(of_server, l.server);
	ELSE
		SELECT c.cancelled, c.too_late INTO cancelled, late
		FROM reengage_internal.cancel_due(reengage_internal.due_in_threads(servers, roots), NULL, 'thread_cancelled', caller, true) c;
	END IF;

	lineage_ids := reengage_internal.lineage_of(hashes, servers, roots);
	SELECT array_agg(DISTINCT l.nudge_id) FILTER (WHERE l.nudge_id IS NOT NULL),
		array_agg(DISTINCT l.conversation_id) || array_agg(DISTINCT l.root_conversation_id) || array_agg(DISTINCT l.requested_conversation_id)
	INTO nudge_ids, conversations FROM reengage.lineage l WHERE l.lineage_id = ANY (lineage_ids);
	nudge_ids := nudge_ids || CASE WHEN hashes IS NOT NULL THEN reengage_internal.nudges_naming(hashes, of_server) END
		|| reengage_internal.nudges_for(conversations || roots, servers);
	-- what somebody asked for meanwhile: it would be sent as it is after this
	SELECT forget_subjects.cancelled + c.cancelled, greatest(late, c.too_late) INTO cancelled, late
	FROM reengage_internal.cancel_due(ARRAY(SELECT d.nudge_id FROM reengage.due d WHERE d.nudge_id = ANY (nudge_ids)),
									  NULL, 'customer_cancelled', caller, true) c;
	IF late > 0 THEN
		RAISE EXCEPTION '% to them may be on the wire', late || reengage_internal.plural(late, ' call', ' calls')
			USING ERRCODE = 'object_in_use', HINT = 'Call it again when nothing is on the wire any more: reengage.open_nudges shows them.';
	END IF;
	lineage_ids := lineage_ids || ARRAY(SELECT l.lineage_id FROM reengage.lineage l WHERE l.nudge_id = ANY (nudge_ids));
	SELECT e.nudges, e.lineage, e.superseded INTO nudges, lineage, superseded FROM reengage_internal.erase(nudge_ids, lineage_ids) e;
	UPDATE reengage.past_sessions p SET address_hash = NULL
	WHERE (p.address_hash = ANY (hashes) AND p.server = coalesce(of_server, p.server))
	   OR (p.root_conversation_id = ANY (roots) AND p.server = ANY (servers) AND p.address_hash IS NOT NULL);
	GET DIAGNOSTICS further = ROW_COUNT;
	lineage := lineage + further;
	DELETE FROM reengage.answers a
	-- at other servers it still keeps from being written to
	WHERE (a.address_hash = ANY (hashes) AND of_server IS NULL) OR (a.root_conversation_id = ANY (roots) AND a.server = ANY (servers));
	rejects := reengage_internal.forget_rejects(address, conversations || roots);
	words := reengage_internal.forget_words(hashes, of_server, servers, roots);
	PERFORM reengage_internal.forget_news(hashes, of_server, roots, servers);

	IF cancelled + nudges + lineage + rejects + words = 0 THEN
		RETURN;
	END IF;
	INSERT INTO reengage.erasures (kind, erased_by, cancelled, nudges, lineage, rejects)
	VALUES (CASE WHEN hashes IS NULL THEN 'conversation' ELSE 'address' END, caller,
			forget_subjects.cancelled, forget_subjects.nudges, forget_subjects.lineage, forget_subjects.rejects);
	for_copies := 'UPDATE lineage SET address_hash = NULL, detail = NULL, api_error_message = NULL, correlation_id = NULL, message_id = NULL WHERE '
		|| nullif(concat_ws(' OR ',
			(SELECT '(server, root_conversation_id) IN (' || string_agg(format('(%L, %L)', t.server, t.root_conversation_id), ', ' ORDER BY t.server, t.root_conversation_id) || ')'
			 FROM (SELECT DISTINCT l.server, l.root_conversation_id FROM reengage.lineage l WHERE l.lineage_id = ANY (lineage_ids)) t),
			(SELECT CASE WHEN of_server IS NOT NULL THEN format('server = %L AND ', of_server) ELSE '' END
				|| 'address_hash IN (' || string_agg(quote_literal(h), ', ' ORDER BY h) || ')' FROM unnest(hashes) h)), '') || ';'
		|| coalesce(E'\nDELETE FROM lineage_manifest WHERE ' || superseded || ';', '');
END
$$;
COMMENT ON FUNCTION reengage_internal.forget_subjects(text[], text, text[], text[], text, text) IS
	'forget(), once it is known who is meant; all counts are 0 where nothing is known of them';

CREATE OR REPLACE FUNCTION reengage.forget(
	address text DEFAULT NULL,
	conversation_id text DEFAULT NULL,
	channel text DEFAULT NULL,
	server text DEFAULT NULL,
	OUT cancelled bigint, OUT nudges bigint, OUT lineage bigint, OUT rejects bigint, OUT for_copies text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	hashes text[];
	roots text[];
	servers text[];
	labels text;
	words bigint;
BEGIN
	PERFORM reengage_internal.require_writable('nobody can be forgotten on');
	PERFORM reengage_internal.require_read_committed('nobody can be forgotten');
	PERFORM reengage_internal.require_no_move('nobody can be forgotten');
	SELECT array_agg(s.address_hash) FILTER (WHERE s.address_hash IS NOT NULL), array_agg(s.root_conversation_id) FILTER (WHERE s.root_conversation_id IS NOT NULL),
		string_agg(DISTINCT s.kind || ' ' || s.label, ' or ')
	INTO hashes, roots, labels
	FROM reengage_internal.suppression_subject(address, forget.conversation_id, reengage_internal.require_channel(channel), server) s;
	IF hashes IS NULL THEN
		servers := array_fill(coalesce(server, reengage.default_server()), ARRAY[cardinality(roots)]);
	END IF;
	SELECT f.cancelled, f.nudges, f.lineage, f.rejects, f.words, f.for_copies
	INTO cancelled, nudges, lineage, rejects, words, for_copies
	FROM reengage_internal.forget_subjects(hashes, server, roots, servers, address, session_user) f;
	-- other nodes of a fleet may know of whom nothing is known here
	PERFORM reengage_internal.say_erasure(hashes, server, roots, servers);
	IF cancelled + nudges + lineage + rejects + words = 0 THEN
		RAISE NOTICE 'nothing is known of %', labels
			USING HINT = 'It was forgotten before, or is spelled differently: the channel, and default_country_code of the server, say how an address is read.';
	END IF;
END
$$;
