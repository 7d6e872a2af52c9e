--
-- What was asked.
--
-- What begins at a multiple of 8 comes first, where it does: nothing is lost before it.
CREATE TABLE reengage.nudges (
	nudge_id uuid NOT NULL DEFAULT reengage.uuid_v7(),
	due_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	requested_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	server text NOT NULL DEFAULT reengage.default_server(),
	conversation_id text NOT NULL,
	message text NOT NULL,
	address text,
	channel text,
	when_closed text NOT NULL DEFAULT 'new_session',
	when_answered text NOT NULL DEFAULT 'skip',
	answered_since timestamptz,
	priority smallint NOT NULL DEFAULT 5,
	expires_at timestamptz,
	time_zone text,
	campaign text,
	detail jsonb,
	repeats uuid,
	supersedes boolean NOT NULL DEFAULT false,
	requested_by text NOT NULL DEFAULT current_user,
	CONSTRAINT nudges_pkey PRIMARY KEY (nudge_id)
);
COMMENT ON TABLE reengage.nudges IS
	'what was asked: one row is one message to one customer; immutable once inserted';
COMMENT ON COLUMN reengage.nudges.nudge_id IS
	'identity of the nudge and its idempotency key; choose it yourself and insert with ON CONFLICT DO NOTHING to ask only once';
COMMENT ON COLUMN reengage.nudges.server IS
	'foreign server of the wrapper reengage; default: setting reengage.default_server';
COMMENT ON COLUMN reengage.nudges.conversation_id IS
	'the conversation that the customer left, or any of its thread; 1 to 128 characters of A-Z a-z 0-9 . _ ~ -';
COMMENT ON COLUMN reengage.nudges.message IS
	'the text to send: 1 to 4096 characters, no control characters but tab and newline';
COMMENT ON COLUMN reengage.nudges.address IS
	'where to write if the old conversation does not tell, for example +13175550142; at most 256 characters';
COMMENT ON COLUMN reengage.nudges.channel IS
	'the channel that goes with address: a word such as sms or whatsapp';
COMMENT ON COLUMN reengage.nudges.when_closed IS
	'new_session: follow a closed conversation with a new one; skip: only speak to live ones';
COMMENT ON COLUMN reengage.nudges.when_answered IS
	'skip: who has written since the nudge was asked for is not written to, and the nudge ends as answered; send: is written to all the same';
COMMENT ON COLUMN reengage.nudges.answered_since IS
	'what the customer wrote after this time, best by the API''s clock, is an answer; null: after requested_at';
COMMENT ON COLUMN reengage.nudges.priority IS '0 (most urgent) to 9; default 5';
COMMENT ON COLUMN reengage.nudges.due_at IS 'not before this time; default now';
COMMENT ON COLUMN reengage.nudges.expires_at IS 'not at or after this time; null: never expires';
COMMENT ON COLUMN reengage.nudges.time_zone IS 'the customer''s time zone, a name of pg_timezone_names such as Europe/Berlin';
COMMENT ON COLUMN reengage.nudges.campaign IS 'your name for why the nudge is sent; at most 256 characters; carried into the lineage';
COMMENT ON COLUMN reengage.nudges.detail IS 'your own data, at most 16 kB as text (octet_length(detail::text)); carried into the lineage';
COMMENT ON COLUMN reengage.nudges.repeats IS 'the nudge that an operator asked for again with this one: see resolve() and redrive()';
COMMENT ON COLUMN reengage.nudges.supersedes IS
	'true: this nudge takes the place of older ones of the same thread and campaign that are still due; they end as cancelled; those of another application stay, unless an operator asks';
COMMENT ON COLUMN reengage.nudges.requested_by IS 'the role that inserted the nudge';
COMMENT ON COLUMN reengage.nudges.requested_at IS 'when the inserting transaction began';

CREATE INDEX nudges_conversation ON reengage.nudges (conversation_id);
-- Rows lie in the order of time, and a campaign has its time: which parts of the
-- table have it, or that none has.  An index of each row would cost 100 bytes of WAL.
CREATE INDEX nudges_campaign ON reengage.nudges USING brin (campaign text_bloom_ops (n_distinct_per_range = 200))
	WITH (autosummarize = on);
-- a nudge is asked for again once
CREATE UNIQUE INDEX nudges_repeats ON reengage.nudges (repeats) WHERE repeats IS NOT NULL;
SELECT pg_catalog.pg_extension_config_dump('reengage.nudges', '');

-- Whoever may insert a nudge may be told its id (RETURNING), and may name it in ON
-- CONFLICT; of the others' nudges an application sees none.
ALTER TABLE reengage.nudges ENABLE ROW LEVEL SECURITY;
CREATE POLICY ask ON reengage.nudges FOR INSERT WITH CHECK (true);
CREATE POLICY own ON reengage.nudges FOR SELECT USING (requested_by = current_user);
CREATE POLICY every ON reengage.nudges FOR SELECT TO reengage_operator, reengage_worker USING (true);
GRANT SELECT (nudge_id) ON reengage.nudges TO reengage_application;
GRANT INSERT (nudge_id, server, conversation_id, message, address, channel, when_closed, priority, due_at,
		expires_at, time_zone, campaign, detail, supersedes, when_answered, answered_since) ON reengage.nudges
	TO reengage_application, reengage_operator;
GRANT SELECT ON reengage.nudges TO reengage_operator, reengage_worker;

CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON reengage.nudges
	FOR EACH STATEMENT EXECUTE FUNCTION reengage_internal.refuse_change();

CREATE FUNCTION reengage_internal.nudges_validate() RETURNS trigger
LANGUAGE C
AS 'MODULE_PATHNAME', 'reengage_nudges_validate';
COMMENT ON FUNCTION reengage_internal.nudges_validate() IS
	'refuses a nudge that can never be sent, naming the value';

CREATE TRIGGER validate BEFORE INSERT ON reengage.nudges
	FOR EACH ROW EXECUTE FUNCTION reengage_internal.nudges_validate();

CREATE FUNCTION reengage.nudge(
	conversation_id text,
	message text,
	server text DEFAULT NULL,
	address text DEFAULT NULL,
	channel text DEFAULT NULL,
	when_closed text DEFAULT 'new_session',
	priority integer DEFAULT 5,
	due_at timestamptz DEFAULT NULL,
	expires_at timestamptz DEFAULT NULL,
	time_zone text DEFAULT NULL,
	campaign text DEFAULT NULL,
	detail jsonb DEFAULT NULL,
	nudge_id uuid DEFAULT NULL,
	supersedes boolean DEFAULT false,
	when_answered text DEFAULT 'skip',
	answered_since timestamptz DEFAULT NULL
) RETURNS uuid
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = on SET jit = off
AS $$
DECLARE
	id uuid := coalesce(nudge_id, reengage.uuid_v7());
BEGIN
	INSERT INTO reengage.nudges AS n
		(nudge_id, server, conversation_id, message, address, channel, when_closed,
		 priority, due_at, expires_at, time_zone, campaign, detail, supersedes,
		 when_answered, answered_since)
	VALUES
		(id, coalesce(nudge.server, reengage.default_server()), nudge.conversation_id,
		 nudge.message, nudge.address, nudge.channel, nudge.when_closed,
		 nudge.priority, coalesce(nudge.due_at, now()), nudge.expires_at,
		 nudge.time_zone, nudge.campaign, nudge.detail, nudge.supersedes,
		 nudge.when_answered, nudge.answered_since)
	ON CONFLICT DO NOTHING;
	RETURN id;
END
$$;
COMMENT ON FUNCTION reengage.nudge(text, text, text, text, text, text, integer, timestamptz, timestamptz, text, text, jsonb, uuid, boolean, text, timestamptz) IS
	'asks for one nudge and returns its id; with a nudge_id of your own, asking twice has the effect of asking once';
GRANT EXECUTE ON FUNCTION reengage.nudge(text, text, text, text, text, text, integer, timestamptz, timestamptz, text, text, jsonb, uuid, boolean, text, timestamptz)
	TO reengage_application, reengage_operator;
