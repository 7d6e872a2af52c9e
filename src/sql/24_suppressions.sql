--
-- Whom not to write to.
--
CREATE TABLE reengage.suppressions (
	suppression_id uuid NOT NULL DEFAULT reengage.uuid_v7(),
	server text,
	channel text,
	address_hash text,
	root_conversation_id text,
	label text NOT NULL,
	reason text,
	until timestamptz,
	origin text NOT NULL DEFAULT 'caller',
	created_by text NOT NULL DEFAULT session_user,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	CONSTRAINT suppressions_pkey PRIMARY KEY (suppression_id),
	CONSTRAINT suppressions_subject UNIQUE NULLS NOT DISTINCT (address_hash, root_conversation_id, server, channel),
	CONSTRAINT suppressions_origin_check CHECK (origin IN ('caller', 'operator', 'api')),
	CONSTRAINT suppressions_subject_check CHECK (CASE
		WHEN address_hash IS NULL THEN root_conversation_id IS NOT NULL AND server IS NOT NULL
		ELSE root_conversation_id IS NULL END)
);
CREATE INDEX suppressions_thread ON reengage.suppressions (root_conversation_id, server)
	WHERE root_conversation_id IS NOT NULL;
COMMENT ON TABLE reengage.suppressions IS
	'whom not to write to; kept by suppress() and unsuppress(), and by the worker, which an API tells';
COMMENT ON COLUMN reengage.suppressions.suppression_id IS 'identity of the row';
COMMENT ON COLUMN reengage.suppressions.server IS 'the foreign server; null: any';
COMMENT ON COLUMN reengage.suppressions.channel IS 'the channel, in lower case; null: any';
COMMENT ON COLUMN reengage.suppressions.address_hash IS 'the customer, as in lineage.address_hash';
COMMENT ON COLUMN reengage.suppressions.root_conversation_id IS 'or the first conversation of a thread';
COMMENT ON COLUMN reengage.suppressions.label IS 'what an operator knows it by: the normal form of the address without its middle, or the conversation';
COMMENT ON COLUMN reengage.suppressions.reason IS 'as suppress() was told, or the API said; what an operator said stays, and so does what the API said, whatever an application says later';
COMMENT ON COLUMN reengage.suppressions.until IS 'not at or after this time; null: for ever';
COMMENT ON COLUMN reengage.suppressions.origin IS 'caller: an application called suppress(); operator: an operator did; api: the server''s API refused a message because the recipient has opted out';
COMMENT ON COLUMN reengage.suppressions.created_by IS 'who called suppress(), or whom the worker was logged in as';
COMMENT ON COLUMN reengage.suppressions.created_at IS 'when';
SELECT pg_catalog.pg_extension_config_dump('reengage.suppressions', '');
GRANT SELECT ON reengage.suppressions TO reengage_operator, reengage_worker;

CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON reengage.suppressions
	FOR EACH ROW EXECUTE FUNCTION reengage_internal.note_change();

CREATE FUNCTION reengage_internal.on_the_wire(address_hash text, server text, root_conversation_id text)
RETURNS TABLE (nudge_id uuid, step text, since timestamptz)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
-- it is called for thousands: one plan, and by index, whatever the tables' size
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	conversations text[];
	asked uuid[];
BEGIN
	IF NOT EXISTS (SELECT FROM reengage.intents) AND NOT EXISTS (SELECT FROM reengage.unresolved) THEN
		RETURN;
	END IF;
	IF root_conversation_id IS NOT NULL THEN
		conversations := ARRAY(
			SELECT on_the_wire.root_conversation_id
			UNION
			SELECT l.conversation_id FROM reengage.lineage l
			WHERE l.root_conversation_id = on_the_wire.root_conversation_id AND l.server = on_the_wire.server
			UNION
			SELECT p.conversation_id FROM reengage.past_sessions p
			WHERE p.root_conversation_id = on_the_wire.root_conversation_id AND p.server = on_the_wire.server);
	END IF;
	asked := ARRAY(SELECT n.nudge_id FROM reengage.nudges n
				   WHERE n.conversation_id = ANY (conversations) AND n.server = on_the_wire.server);
	RETURN QUERY
		SELECT c.nudge_id, c.step, min(c.since)
		FROM (SELECT i.nudge_id, CASE WHEN i.creates THEN 'create' ELSE 'notify' END AS step, n.recorded_at AS since
			  FROM reengage.intents n CROSS JOIN LATERAL ROWS FROM (
				  unnest(n.nudge_ids), unnest(n.creates), unnest(n.address_hashes)) AS i (nudge_id, creates, address_hash)
			  WHERE i.address_hash = decode(on_the_wire.address_hash, 'hex') OR i.nudge_id = ANY (asked)
			  UNION ALL
			  SELECT u.nudge_id, u.step, u.since FROM reengage.unresolved u WHERE u.address_hash = on_the_wire.address_hash
			  UNION ALL
			  SELECT u.nudge_id, u.step, u.since FROM reengage.unresolved u WHERE u.nudge_id = ANY (asked)) c
			CROSS JOIN LATERAL (
				SELECT FROM reengage.nudges n
				WHERE n.nudge_id = c.nudge_id AND n.server = coalesce(on_the_wire.server, n.server) OFFSET 0) n
		GROUP BY c.nudge_id, c.step;
END
$$;
COMMENT ON FUNCTION reengage_internal.on_the_wire(text, text, text) IS
	'the calls to a customer, or in a thread, that may have been on the wire, as far as the snapshot shows them';

CREATE FUNCTION reengage_internal.require_reason(reason text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF octet_length(reason) > 1000 THEN
		RAISE EXCEPTION 'the reason is too long: % bytes', octet_length(reason)
			USING ERRCODE = 'program_limit_exceeded', DETAIL = 'The most are 1000 bytes.',
				  HINT = 'Keep longer texts in a table of your own.';
	END IF;
	RETURN nullif(reason, '');
END
$$;
COMMENT ON FUNCTION reengage_internal.require_reason(text) IS 'a reason, null of an empty one; an error if it is longer than 1000 bytes';

CREATE FUNCTION reengage.suppress(
	address text DEFAULT NULL,
	conversation_id text DEFAULT NULL,
	channel text DEFAULT NULL,
	reason text DEFAULT NULL,
	until timestamptz DEFAULT NULL,
	server text DEFAULT NULL
) RETURNS TABLE (nudge_id uuid, step text, since timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	of_channel text := reengage_internal.require_channel(channel);
	said text := reengage_internal.require_reason(reason);
	-- in a function of its owner's rights the caller is who logged in
	speaker text := CASE WHEN pg_has_role(session_user, 'reengage_operator', 'USAGE') THEN 'operator' ELSE 'caller' END;
	understood text[];
	subject record;
BEGIN
	IF until <= now() THEN
		RAISE EXCEPTION 'invalid until: %', until
			USING ERRCODE = 'invalid_parameter_value', DETAIL = 'It has passed.';
	END IF;
	FOR subject IN SELECT * FROM reengage_internal.suppression_subject(address, suppress.conversation_id, of_channel, server)
	LOOP
		PERFORM reengage_internal.admit(subject.of_server);
		understood := understood || concat_ws(' ', subject.kind, subject.label);
		PERFORM reengage_internal.lock('customer', subject.address_hash);
		PERFORM reengage_internal.lock('thread', subject.of_server, subject.root_conversation_id);
		INSERT INTO reengage.suppressions AS s
			(server, channel, address_hash, root_conversation_id, label, reason, until, origin)
		VALUES (subject.of_server, of_channel, subject.address_hash,
				subject.root_conversation_id, subject.label, said, suppress.until, speaker)
		ON CONFLICT ON CONSTRAINT suppressions_subject DO UPDATE
		SET until = nullif(greatest(coalesce(s.until, 'infinity'), coalesce(EXCLUDED.until, 'infinity')), 'infinity'),
			-- one that has come to its end says nothing any more
			reason = CASE WHEN s.until <= clock_timestamp() THEN EXCLUDED.reason
						  WHEN s.origin = 'caller' OR EXCLUDED.origin = 'operator' THEN coalesce(EXCLUDED.reason, s.reason)
						  ELSE s.reason END,
			origin = CASE WHEN s.origin = 'caller' OR EXCLUDED.origin = 'operator' OR s.until <= clock_timestamp()
						  THEN EXCLUDED.origin ELSE s.origin END;
		PERFORM reengage_internal.unlock('thread', subject.of_server, subject.root_conversation_id);
		PERFORM reengage_internal.unlock('customer', subject.address_hash);
		RETURN QUERY
			SELECT * FROM reengage_internal.on_the_wire(subject.address_hash, subject.of_server, subject.root_conversation_id);
	END LOOP;
	RAISE NOTICE 'opted out: %, on %',
		(SELECT string_agg(DISTINCT u.words, ' or ') FROM unnest(understood) u (words)), coalesce('channel ' || of_channel, 'all channels');
END
$$;
COMMENT ON FUNCTION reengage.suppress(text, text, text, text, timestamptz, text) IS
	'an opt-out: nothing more is sent to an address, or in a thread, once this has committed; on one channel or all, at one server or all (of a conversation: reengage.default_server), until a time or for ever: the later one holds; says as a notice whom it understood: an address without a channel is every customer that it may plausibly be; returns the calls that may have been on the wire by then, as far as the snapshot shows them: use READ COMMITTED';
GRANT EXECUTE ON FUNCTION reengage.suppress(text, text, text, text, timestamptz, text)
	TO reengage_application, reengage_operator;

CREATE FUNCTION reengage_internal.record_opt_out(server text, channel text, address_hash text,
	root_conversation_id text, label text, reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
#variable_conflict use_column
BEGIN
	-- what has no end stays as it is: nothing is weaker than before
	INSERT INTO reengage.suppressions AS s (server, channel, address_hash, root_conversation_id, label, reason, origin)
	VALUES (record_opt_out.server, lower(record_opt_out.channel COLLATE "C"), record_opt_out.address_hash,
			record_opt_out.root_conversation_id, record_opt_out.label, record_opt_out.reason, 'api')
	ON CONFLICT DO NOTHING;
	IF NOT FOUND THEN
		UPDATE reengage.suppressions s
		-- one that has come to its end says nothing any more
		SET until = NULL,
			reason = CASE WHEN s.origin = 'operator' AND s.until > clock_timestamp() THEN s.reason ELSE record_opt_out.reason END,
			origin = CASE WHEN s.origin = 'operator' AND s.until > clock_timestamp() THEN s.origin ELSE 'api' END
		WHERE (s.address_hash = record_opt_out.address_hash OR s.root_conversation_id = record_opt_out.root_conversation_id)
		  AND s.server = record_opt_out.server AND s.channel IS NOT DISTINCT FROM lower(record_opt_out.channel COLLATE "C")
		  AND s.until IS NOT NULL;
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.record_opt_out(text, text, text, text, text, text) IS
	'for the worker: what an API said of a recipient, or of one in a thread whose address nobody knows, who wants no messages; for ever, at this server and on this channel';
GRANT EXECUTE ON FUNCTION reengage_internal.record_opt_out(text, text, text, text, text, text) TO reengage_worker;

CREATE FUNCTION reengage.unsuppress(
	address text DEFAULT NULL,
	conversation_id text DEFAULT NULL,
	channel text DEFAULT NULL,
	server text DEFAULT NULL
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	of_channel text := reengage_internal.require_channel(channel);
	lifted integer := 0;
	count integer;
	subject record;
BEGIN
	FOR subject IN SELECT * FROM reengage_internal.suppression_subject(address, unsuppress.conversation_id, of_channel, server)
	LOOP
		PERFORM reengage_internal.admit(subject.of_server);
		DELETE FROM reengage.suppressions s
		WHERE (s.address_hash = subject.address_hash
			   OR (s.root_conversation_id = subject.root_conversation_id AND s.server = subject.of_server))
		  AND (unsuppress.server IS NULL OR s.server = unsuppress.server)
		  AND (of_channel IS NULL OR s.channel = of_channel);
		GET DIAGNOSTICS count = ROW_COUNT;
		lifted := lifted + count;
	END LOOP;
	RETURN lifted;
END
$$;
COMMENT ON FUNCTION reengage.unsuppress(text, text, text, text) IS
	'lifts what suppress() said of an address or a conversation, at this server and on this channel only or altogether; returns how many rows that were; nudges that ended meanwhile stay ended';
GRANT EXECUTE ON FUNCTION reengage.unsuppress(text, text, text, text) TO reengage_operator;
