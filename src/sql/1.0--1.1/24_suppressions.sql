--
-- Whom not to write to.
--

CREATE OR REPLACE FUNCTION reengage.suppress(
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

CREATE OR REPLACE FUNCTION reengage.unsuppress(
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
