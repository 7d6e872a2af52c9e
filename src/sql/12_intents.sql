--
-- What may be happening.
--
CREATE TABLE reengage.intents (
	intent_id uuid NOT NULL,
	epoch timestamptz NOT NULL,
	recorded_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	nudge_ids uuid[] NOT NULL,
	creates boolean[] NOT NULL,
	fencing_tokens integer[] NOT NULL,
	conversation_ids text[] NOT NULL,
	to_addresses text[] NOT NULL,
	from_addresses text[] NOT NULL,
	channels text[] NOT NULL,
	address_hashes bytea[] NOT NULL,
	CONSTRAINT intents_pkey PRIMARY KEY (intent_id)
) WITH (
	-- a row lives for a second: to compress it, or to keep parts of it elsewhere,
	-- costs more than it saves, and its place is to be free for the next
	toast_tuple_target = 8160,
	autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
	autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off
);
COMMENT ON TABLE reengage.intents IS
	'what may be happening: one row for a batch of calls that may be on the wire from its commit on; deleted when all have settled';
COMMENT ON COLUMN reengage.intents.intent_id IS 'identity of the batch';
COMMENT ON COLUMN reengage.intents.epoch IS 'start of the engine that recorded it; an intent of an older epoch is of a dead engine';
COMMENT ON COLUMN reengage.intents.recorded_at IS 'when it was recorded';
COMMENT ON COLUMN reengage.intents.nudge_ids IS 'the nudges of the batch; the other arrays run in parallel';
COMMENT ON COLUMN reengage.intents.creates IS 'true: a create; false: a notify';
COMMENT ON COLUMN reengage.intents.fencing_tokens IS 'those of the nudges in due';
COMMENT ON COLUMN reengage.intents.conversation_ids IS 'the tip that is notified or followed; null: the conversation that the nudge named';
COMMENT ON COLUMN reengage.intents.to_addresses IS 'the customer of a create, where the API honours idempotency keys; else null';
COMMENT ON COLUMN reengage.intents.from_addresses IS 'likewise, the business';
COMMENT ON COLUMN reengage.intents.channels IS 'likewise, the channel';
COMMENT ON COLUMN reengage.intents.address_hashes IS 'the customer of any call: the bytes of which lineage.address_hash is the hex';
SELECT pg_catalog.pg_extension_config_dump('reengage.intents', '');
GRANT SELECT ON reengage.intents TO reengage_operator;
-- UPDATE lets it lock what it deletes
GRANT SELECT, INSERT, UPDATE, DELETE ON reengage.intents TO reengage_worker;

CREATE TABLE reengage.unresolved (
	nudge_id uuid NOT NULL,
	server text NOT NULL,
	step text NOT NULL,
	conversation_id text NOT NULL,
	to_address text,
	from_address text,
	channel text,
	address_hash text,
	since timestamptz NOT NULL,
	CONSTRAINT unresolved_pkey PRIMARY KEY (nudge_id),
	CONSTRAINT unresolved_step_check CHECK (step IN ('notify', 'create'))
);
CREATE INDEX unresolved_conversation ON reengage.unresolved (conversation_id, server)
	WHERE conversation_id IS NOT NULL;
COMMENT ON TABLE reengage.unresolved IS
	'calls that may have had their effect, to an API that honours idempotency keys: the nudge''s next attempt makes the same call with the same key; a row ends with its nudge';
COMMENT ON COLUMN reengage.unresolved.nudge_id IS 'the nudge';
COMMENT ON COLUMN reengage.unresolved.server IS 'the foreign server';
COMMENT ON COLUMN reengage.unresolved.step IS 'notify or create';
COMMENT ON COLUMN reengage.unresolved.conversation_id IS 'the conversation that is notified or followed';
COMMENT ON COLUMN reengage.unresolved.to_address IS 'the customer of a create';
COMMENT ON COLUMN reengage.unresolved.from_address IS 'the business of a create; null: the API chooses';
COMMENT ON COLUMN reengage.unresolved.channel IS 'the channel of a create';
COMMENT ON COLUMN reengage.unresolved.address_hash IS 'the customer of any call, as in lineage.address_hash';
COMMENT ON COLUMN reengage.unresolved.since IS 'when the call was first made: the server option key_lifetime counts from here; -infinity: in another database, and never to be repeated here';
SELECT pg_catalog.pg_extension_config_dump('reengage.unresolved', '');

-- how often a customer was spoken to
CREATE INDEX unresolved_customer ON reengage.unresolved (address_hash);
GRANT SELECT ON reengage.unresolved TO reengage_operator;
GRANT SELECT, INSERT, DELETE ON reengage.unresolved TO reengage_worker;
GRANT UPDATE (since) ON reengage.unresolved TO reengage_worker;
