--
-- Who has answered.
--
CREATE TABLE reengage.answers (
	answer_id uuid NOT NULL DEFAULT reengage.uuid_v7(),
	server text,
	address_hash text,
	root_conversation_id text,
	answered_at timestamptz NOT NULL,
	recorded_by text NOT NULL DEFAULT session_user,
	recorded_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	CONSTRAINT answers_pkey PRIMARY KEY (answer_id),
	CONSTRAINT answers_subject UNIQUE NULLS NOT DISTINCT (address_hash, root_conversation_id, server),
	CONSTRAINT answers_subject_check CHECK (CASE
		WHEN address_hash IS NULL THEN root_conversation_id IS NOT NULL AND server IS NOT NULL
		ELSE root_conversation_id IS NULL AND server IS NULL END)
) WITH (
	-- a customer's row is written again with each answer
	fillfactor = 80
);
COMMENT ON TABLE reengage.answers IS
	'who has answered, as far as applications said so: one row for each customer or thread, with the newest answer; kept by record_answer()';
COMMENT ON COLUMN reengage.answers.answer_id IS 'identity of the row';
COMMENT ON COLUMN reengage.answers.server IS 'the foreign server of the thread; null: a customer, at any server';
COMMENT ON COLUMN reengage.answers.address_hash IS 'the customer, as in lineage.address_hash';
COMMENT ON COLUMN reengage.answers.root_conversation_id IS 'or the first conversation of a thread';
COMMENT ON COLUMN reengage.answers.answered_at IS 'when the customer last wrote, never later than it was recorded';
COMMENT ON COLUMN reengage.answers.recorded_by IS 'who called record_answer() last';
COMMENT ON COLUMN reengage.answers.recorded_at IS 'when';
SELECT pg_catalog.pg_extension_config_dump('reengage.answers', '');
GRANT SELECT ON reengage.answers TO reengage_operator, reengage_worker;

CREATE FUNCTION reengage.record_answer(
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
COMMENT ON FUNCTION reengage.record_answer(text, text, timestamptz, text, text) IS
	'the customer has answered, in the threads of a conversation (of reengage.default_server, unless another is named) or from an address (at any server; server and channel only tell how to read it): nudges that an answer at this time ends are not sent once this has committed; returns the calls that may have been on the wire by then, as far as the snapshot shows them: use READ COMMITTED';
GRANT EXECUTE ON FUNCTION reengage.record_answer(text, text, timestamptz, text, text)
	TO reengage_application, reengage_operator;
