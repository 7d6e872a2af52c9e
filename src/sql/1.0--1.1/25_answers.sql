--
-- Who has answered.
--

CREATE OR REPLACE FUNCTION reengage.record_answer(
	conversation_id text DEFAULT NULL,
	address text DEFAULT NULL,
	at timestamptz DEFAULT pg_catalog.now(),
	server text DEFAULT NULL,
	channel text DEFAULT NULL
) RETURNS TABLE (nudge_id uuid, step text, since timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	subject record;
	of_server text;
	-- a clock that is ahead of ours must not answer what is asked for later
	wrote_at timestamptz := least(at, clock_timestamp());
BEGIN
	IF at IS NULL OR NOT isfinite(at) OR at > clock_timestamp() + interval '5 minutes' THEN
		RAISE EXCEPTION 'invalid time of an answer: %', coalesce(at::text, 'null')
			USING ERRCODE = 'invalid_parameter_value',
				  DETAIL = 'It must be a finite time, and not later than now; a clock may be ahead by five minutes.';
	END IF;
	FOR subject IN SELECT * FROM reengage_internal.suppression_subject(address, record_answer.conversation_id, reengage_internal.require_channel(channel), server)
	LOOP
		PERFORM reengage_internal.admit(CASE WHEN subject.address_hash IS NULL THEN subject.of_server END);
		PERFORM reengage_internal.lock('customer', subject.address_hash);
		PERFORM reengage_internal.lock('thread', subject.of_server, subject.root_conversation_id);
		of_server := CASE WHEN subject.address_hash IS NULL THEN subject.of_server END;
		INSERT INTO reengage.answers AS a (address_hash, root_conversation_id, server, answered_at)
		VALUES (subject.address_hash, subject.root_conversation_id, of_server, wrote_at)
		ON CONFLICT ON CONSTRAINT answers_subject DO UPDATE
		SET answered_at = EXCLUDED.answered_at, recorded_by = EXCLUDED.recorded_by, recorded_at = EXCLUDED.recorded_at
		WHERE EXCLUDED.answered_at > a.answered_at;
		PERFORM reengage_internal.unlock('thread', subject.of_server, subject.root_conversation_id);
		PERFORM reengage_internal.unlock('customer', subject.address_hash);
		RETURN QUERY
			SELECT * FROM reengage_internal.on_the_wire(subject.address_hash, of_server, subject.root_conversation_id);
	END LOOP;
END
$$;
