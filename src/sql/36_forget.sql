--
-- Erasing one person, on demand.
--
CREATE TABLE reengage.erasures (
	erasure_id uuid NOT NULL DEFAULT reengage.uuid_v7(),
	kind text NOT NULL,
	erased_by text NOT NULL DEFAULT session_user,
	erased_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	cancelled bigint NOT NULL,
	nudges bigint NOT NULL,
	lineage bigint NOT NULL,
	rejects bigint NOT NULL,
	CONSTRAINT erasures_pkey PRIMARY KEY (erasure_id),
	CONSTRAINT erasures_kind_check CHECK (kind IN ('address', 'conversation'))
);
COMMENT ON TABLE reengage.erasures IS 'that forget() was called, by whom, and how much it was; not of whom; append-only';
COMMENT ON COLUMN reengage.erasures.erasure_id IS 'identity of the row, ordered by time';
COMMENT ON COLUMN reengage.erasures.kind IS 'what was named: address or conversation';
COMMENT ON COLUMN reengage.erasures.erased_by IS 'who was logged in';
COMMENT ON COLUMN reengage.erasures.erased_at IS 'when the transaction began';
COMMENT ON COLUMN reengage.erasures.cancelled IS 'nudges that were due, and were cancelled first';
COMMENT ON COLUMN reengage.erasures.nudges IS 'nudges whose message, address and detail are gone';
COMMENT ON COLUMN reengage.erasures.lineage IS 'rows of lineage, and of past_sessions, that tell no customer any more';
COMMENT ON COLUMN reengage.erasures.rejects IS 'rejected records of imports that were deleted';
SELECT pg_catalog.pg_extension_config_dump('reengage.erasures', '');
-- the worker that counts a day counts it again where somebody was forgotten meanwhile
GRANT SELECT ON reengage.erasures TO reengage_operator, reengage_worker;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON reengage.erasures
	FOR EACH STATEMENT EXECUTE FUNCTION reengage_internal.refuse_change();

CREATE FUNCTION reengage_internal.erased() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT '(erased)' $$;
COMMENT ON FUNCTION reengage_internal.erased() IS 'what the message of a nudge is whose customer was forgotten';

-- All of nudges is read: an address has no index, and what lineage knows of a nudge
-- that ended before any look is not whose it was.
CREATE FUNCTION reengage_internal.nudges_naming(hashes text[], of_server text) RETURNS uuid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT array_agg(h.nudge_id)
	FROM (SELECT p.server, array_agg(p.nudge_id) AS nudge_ids, array_agg(p.address) AS addresses, array_agg(p.channel) AS channels
		  FROM (SELECT n.nudge_id, n.server, n.address, n.channel, row_number() OVER (PARTITION BY n.server) / 10000 AS part
				FROM reengage.nudges n WHERE n.address IS NOT NULL AND n.server = coalesce(of_server, n.server)) p
		  GROUP BY p.server, p.part) s
		CROSS JOIN LATERAL unnest(s.nudge_ids, reengage_internal.own_customers(s.server, s.addresses, s.channels)) AS h (nudge_id, address_hash)
	WHERE h.address_hash = ANY (hashes)
$$;
COMMENT ON FUNCTION reengage_internal.nudges_naming(text[], text) IS 'the nudges, ended or not, that name the address of a customer';

-- Not all of them are in lineage: some have neither an outcome nor a place in the schedule.
CREATE FUNCTION reengage_internal.nudges_for(conversation_ids text[], servers text[]) RETURNS uuid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
	SELECT array_agg(n.nudge_id) FROM reengage.nudges n
	WHERE n.conversation_id = ANY (conversation_ids) AND n.server = ANY (servers)
$$;
COMMENT ON FUNCTION reengage_internal.nudges_for(text[], text[]) IS 'the nudges, ended or not, for conversations';

CREATE FUNCTION reengage_internal.lineage_of(hashes text[], servers text[], roots text[]) RETURNS uuid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
	WITH threads AS (
		SELECT DISTINCT l.server, l.root_conversation_id FROM reengage.lineage l
		WHERE hashtextextended(l.address_hash, 0) = ANY (ARRAY(SELECT hashtextextended(h, 0) FROM unnest(hashes) h))
		  AND l.address_hash = ANY (hashes) AND l.server = ANY (servers)
		UNION
		SELECT r.server, r.root FROM unnest(servers, roots) AS r (server, root) WHERE r.root IS NOT NULL
	)
	SELECT array_agg(l.lineage_id)
	FROM threads t CROSS JOIN LATERAL (
		SELECT l.lineage_id FROM reengage.lineage l
		WHERE l.root_conversation_id = t.root_conversation_id AND l.server = t.server OFFSET 0) l
$$;
COMMENT ON FUNCTION reengage_internal.lineage_of(text[], text[], text[]) IS
	'the rows of lineage of threads: those that a customer was in at these servers, or those that are named';

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

CREATE FUNCTION reengage_internal.forget_rejects(address text, conversation_ids text[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	-- an extract spells a number as it likes, with a country or without: its last nine digits are it
	digits text := regexp_replace(address, '[^0-9]', '', 'g');
	said text := CASE WHEN length(digits) >= 7 THEN right(digits, 9) ELSE lower(address) END;
	deleted bigint;
BEGIN
	DELETE FROM reengage.import_rejects r
	WHERE r.conversation_id = ANY (conversation_ids)
	   OR strpos(CASE WHEN length(digits) >= 7 THEN regexp_replace(r.record::text, '[ ()./-]', '', 'g') ELSE lower(r.record::text) END, said) > 0;
	GET DIAGNOSTICS deleted = ROW_COUNT;
	RETURN deleted;
END
$$;
COMMENT ON FUNCTION reengage_internal.forget_rejects(text, text[]) IS
	'deletes rejected records of conversations, and those that have an address in whatever spelling; returns how many';

-- What was said of an opt-out may name its customer, in words or by a part of the
-- address.  It stays by its hash, as long as it stands; of the changes the hash goes, too.
CREATE FUNCTION reengage_internal.forget_words(hashes text[], of_server text, servers text[], roots text[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	mark CONSTANT jsonb := jsonb_build_object('label', reengage_internal.erased(), 'reason', reengage_internal.erased(), 'address_hash', NULL);
	changed bigint;
	told bigint;
BEGIN
	UPDATE reengage.suppressions s SET label = reengage_internal.erased(), reason = reengage_internal.erased()
	-- what holds at all servers is not of one
	WHERE ((s.address_hash = ANY (hashes) AND s.server IS NOT DISTINCT FROM coalesce(of_server, s.server))
		OR (s.root_conversation_id = ANY (roots) AND s.server = ANY (servers)))
	  AND (s.label, s.reason) IS DISTINCT FROM (reengage_internal.erased(), reengage_internal.erased());
	GET DIAGNOSTICS changed = ROW_COUNT;
	UPDATE reengage.changes c SET old = c.old || mark, new = c.new || mark
	FROM (SELECT c.change_id FROM reengage.changes c CROSS JOIN LATERAL (VALUES (c.old), (c.new)) AS v (said)
		  WHERE c.table_name = 'suppressions' AND NOT v.said @> mark
			AND ((v.said ->> 'address_hash' = ANY (hashes) AND v.said ->> 'server' IS NOT DISTINCT FROM coalesce(of_server, v.said ->> 'server'))
				OR (v.said ->> 'root_conversation_id' = ANY (roots) AND v.said ->> 'server' = ANY (servers)))) o
	WHERE c.change_id = o.change_id;
	GET DIAGNOSTICS told = ROW_COUNT;
	RETURN changed + told;
END
$$;
COMMENT ON FUNCTION reengage_internal.forget_words(text[], text, text[], text[]) IS
	'takes the words out of opt-outs of customers or threads, and words and hash out of what changes has of them; returns how many rows it was';

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

CREATE FUNCTION reengage.forget(
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
COMMENT ON FUNCTION reengage.forget(text, text, text, text) IS
	'erases a person, named as in suppress(): cancels what is due, then takes message, address and detail out of nudges, and what tells of the customer out of lineage, of all threads that the address or conversation belongs to, and deletes answers and rejected records, and what was said of opt-outs; counts, outcomes and the ids of conversations stay, and so does an opt-out; for_copies: what to do where lineage was replicated to; again: nothing is left to do';
GRANT EXECUTE ON FUNCTION reengage.forget(text, text, text, text) TO reengage_operator;
