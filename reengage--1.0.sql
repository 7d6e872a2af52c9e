/* reengage--1.0.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION reengage" to load this file. \quit

CREATE SCHEMA reengage;
COMMENT ON SCHEMA reengage IS 're-engagement of customers who left a conversation: what was asked (nudges), what is due, what may be happening (intents), what happened (lineage)';

--
-- Roles.  They are shared by all databases of a cluster, so they may be there
-- already; DROP EXTENSION leaves them.
--
DO $$
DECLARE
	role_name text;
BEGIN
	FOREACH role_name IN ARRAY ARRAY['reengage_application', 'reengage_operator',
									 'reengage_reader', 'reengage_worker']
	LOOP
		IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = role_name) THEN
			EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', role_name);
		END IF;
		IF EXISTS (SELECT FROM pg_catalog.pg_roles r
				   WHERE r.rolname = role_name AND (r.rolcanlogin OR r.rolsuper)) THEN
			RAISE EXCEPTION 'role "%" exists and can log in or is a superuser', role_name
				USING HINT = 'Drop or alter it: it must be NOLOGIN NOSUPERUSER.';
		END IF;
	END LOOP;
END
$$;

--
-- Small functions that the tables need
--
CREATE FUNCTION reengage.uuid_v7() RETURNS uuid
LANGUAGE C VOLATILE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_uuid_v7';
COMMENT ON FUNCTION reengage.uuid_v7() IS
	'a new UUID version 7 (RFC 9562): millisecond time, then a fraction that keeps the order within a session, then random bits';

CREATE FUNCTION reengage.default_server() RETURNS text
LANGUAGE C STABLE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_default_server_sql';
COMMENT ON FUNCTION reengage.default_server() IS
	'the setting reengage.default_server; an error when it is empty';

CREATE FUNCTION reengage.wake(due_at timestamptz) RETURNS void
LANGUAGE C VOLATILE STRICT SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_wake';
COMMENT ON FUNCTION reengage.wake(timestamptz) IS
	'tells this database''s worker, when the transaction commits, that nudges became due from this time on';

CREATE FUNCTION reengage.system_identifier() RETURNS bigint
LANGUAGE C STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_system_identifier';
COMMENT ON FUNCTION reengage.system_identifier() IS
	'the system identifier of this cluster, a part of the fence';

CREATE FUNCTION reengage.site() RETURNS text
LANGUAGE C STABLE STRICT SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_site';
COMMENT ON FUNCTION reengage.site() IS
	'the name of this site, a part of the fence: a hash of reengage.instance_key where it is set, else of the machine and the data directory';

CREATE FUNCTION reengage.timeline() RETURNS integer
LANGUAGE C STABLE STRICT SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_timeline';
COMMENT ON FUNCTION reengage.timeline() IS
	'the timeline of this server, a part of the fence: a new one begins with each promotion and each point-in-time recovery';

--
-- What was asked
--
CREATE TABLE reengage.nudges (
	nudge_id uuid NOT NULL DEFAULT reengage.uuid_v7(),
	server text NOT NULL DEFAULT reengage.default_server(),
	conversation_id text NOT NULL,
	message text NOT NULL,
	address text,
	channel text,
	when_closed text NOT NULL DEFAULT 'new_session',
	priority smallint NOT NULL DEFAULT 5,
	due_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	expires_at timestamptz,
	time_zone text,
	campaign text,
	detail jsonb,
	repeats uuid,
	requested_by text NOT NULL DEFAULT current_user,
	requested_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
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
COMMENT ON COLUMN reengage.nudges.priority IS '0 (most urgent) to 9; default 5';
COMMENT ON COLUMN reengage.nudges.due_at IS 'not before this time; default now';
COMMENT ON COLUMN reengage.nudges.expires_at IS 'not at or after this time; null: never expires';
COMMENT ON COLUMN reengage.nudges.time_zone IS 'the customer''s time zone, for example Europe/Berlin';
COMMENT ON COLUMN reengage.nudges.campaign IS 'your name for why the nudge is sent; at most 256 characters; carried into the lineage';
COMMENT ON COLUMN reengage.nudges.detail IS 'your own data, at most 16 kB; carried into the lineage';
COMMENT ON COLUMN reengage.nudges.repeats IS 'the nudge that an operator asked for again with this one: see resolve() and redrive()';
COMMENT ON COLUMN reengage.nudges.requested_by IS 'the role that inserted the nudge';
COMMENT ON COLUMN reengage.nudges.requested_at IS 'when the inserting transaction began';

CREATE INDEX nudges_conversation ON reengage.nudges (conversation_id);
-- a nudge is asked for again once
CREATE UNIQUE INDEX nudges_repeats ON reengage.nudges (repeats) WHERE repeats IS NOT NULL;

--
-- What is due.  Narrow, and the only table that the scheduler scans; derived
-- (nudges minus outcomes), so it is not dumped.
--
CREATE TABLE reengage.due (
	nudge_id uuid NOT NULL,
	due_at timestamptz NOT NULL,
	api_calls integer NOT NULL DEFAULT 0,
	priority smallint NOT NULL,
	attempt smallint NOT NULL DEFAULT 0,
	round integer NOT NULL DEFAULT 0,
	server text NOT NULL,
	waiting_for text,
	CONSTRAINT due_pkey PRIMARY KEY (nudge_id)
) WITH (
	-- a queue lives on dead rows being removed early, whatever its size
	autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
	autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off
);
CREATE UNIQUE INDEX due_order ON reengage.due (server, priority, due_at, nudge_id);
COMMENT ON TABLE reengage.due IS
	'the schedule: which nudge may run when; kept by triggers and the worker';
COMMENT ON COLUMN reengage.due.nudge_id IS 'the nudge';
COMMENT ON COLUMN reengage.due.due_at IS 'the earliest time of the next attempt';
COMMENT ON COLUMN reengage.due.api_calls IS 'requests made to the API so far, tokens excluded';
COMMENT ON COLUMN reengage.due.priority IS '0 (most urgent) to 9';
COMMENT ON COLUMN reengage.due.attempt IS 'attempts that were made and had no effect';
COMMENT ON COLUMN reengage.due.round IS 'how often it was put back, for whatever reason; what an intent of an earlier round may have had on the wire had no effect';
COMMENT ON COLUMN reengage.due.server IS 'the foreign server';
COMMENT ON COLUMN reengage.due.waiting_for IS 'why due_at was moved; null: nothing but its time';

--
-- What may be happening
--
CREATE TABLE reengage.intents (
	intent_id uuid NOT NULL,
	epoch timestamptz NOT NULL,
	recorded_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	nudge_ids uuid[] NOT NULL,
	steps text[] NOT NULL,
	rounds integer[] NOT NULL,
	conversation_ids text[] NOT NULL,
	to_addresses text[] NOT NULL,
	from_addresses text[] NOT NULL,
	channels text[] NOT NULL,
	address_hashes text[] NOT NULL,
	CONSTRAINT intents_pkey PRIMARY KEY (intent_id)
);
COMMENT ON TABLE reengage.intents IS
	'what may be happening: one row for a batch of calls that may be on the wire from its commit on; deleted when all have settled';
COMMENT ON COLUMN reengage.intents.intent_id IS 'identity of the batch';
COMMENT ON COLUMN reengage.intents.epoch IS 'start of the engine that recorded it; an intent of an older epoch is of a dead engine';
COMMENT ON COLUMN reengage.intents.recorded_at IS 'when it was recorded';
COMMENT ON COLUMN reengage.intents.nudge_ids IS 'the nudges of the batch; the other arrays run in parallel';
COMMENT ON COLUMN reengage.intents.steps IS 'notify or create';
COMMENT ON COLUMN reengage.intents.rounds IS 'the round of the nudge in due';
COMMENT ON COLUMN reengage.intents.conversation_ids IS 'the tip that is notified or followed';
COMMENT ON COLUMN reengage.intents.to_addresses IS 'the customer of a create, where the API honours idempotency keys; else null';
COMMENT ON COLUMN reengage.intents.from_addresses IS 'likewise, the business';
COMMENT ON COLUMN reengage.intents.channels IS 'likewise, the channel';
COMMENT ON COLUMN reengage.intents.address_hashes IS 'the customer of any call, as in lineage.address_hash';

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
CREATE INDEX unresolved_conversation ON reengage.unresolved (server, conversation_id);
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

--
-- The order of lineage, for readers that remember how far they have read.
-- Transaction ids grow, but begin anew in a restored cluster, and some are used
-- again after a promotion or a point-in-time recovery.  So each cluster and
-- timeline counts on from a base of its own.  Not dumped: what is restored is
-- another epoch.
--
CREATE TABLE reengage.lineage_epochs (
	system_identifier bigint NOT NULL,
	timeline integer NOT NULL,
	base bigint NOT NULL,
	began_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	CONSTRAINT lineage_epochs_pkey PRIMARY KEY (system_identifier, timeline)
);
COMMENT ON TABLE reengage.lineage_epochs IS
	'what lineage.xact_id counts from, for each cluster and timeline in which this database wrote lineage; kept by reengage';
COMMENT ON COLUMN reengage.lineage_epochs.system_identifier IS 'of the cluster';
COMMENT ON COLUMN reengage.lineage_epochs.timeline IS 'of the server';
COMMENT ON COLUMN reengage.lineage_epochs.base IS 'added to the transaction id; beyond everything that an earlier epoch may have written, 2^32 transactions that were lost included';
COMMENT ON COLUMN reengage.lineage_epochs.began_at IS 'when the first row of lineage was written in it';

CREATE FUNCTION reengage.lineage_position() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	base bigint;
BEGIN
	SELECT e.base INTO base FROM reengage.lineage_epochs e
	WHERE e.system_identifier = reengage.system_identifier() AND e.timeline = reengage.timeline();
	IF NOT FOUND THEN
		-- who comes second waits for the first; counted from the oldest that runs,
		-- so that none of them comes before what is there
		INSERT INTO reengage.lineage_epochs AS e (system_identifier, timeline, base)
		SELECT reengage.system_identifier(), reengage.timeline(),
			coalesce(max(l.xact_id) + 4294967296 - pg_snapshot_xmin(pg_current_snapshot())::text::bigint, 0)
		FROM reengage.lineage l
		ON CONFLICT ON CONSTRAINT lineage_epochs_pkey DO UPDATE SET base = e.base
		RETURNING e.base INTO base;
	END IF;
	RETURN base + pg_current_xact_id()::text::bigint;
END
$$;
COMMENT ON FUNCTION reengage.lineage_position() IS
	'the place of this transaction in the order of lineage; it grows across restores and promotions';

--
-- What happened
--
CREATE TABLE reengage.lineage (
	lineage_id uuid NOT NULL DEFAULT reengage.uuid_v7(),
	nudge_id uuid,
	server text NOT NULL,
	outcome text NOT NULL,
	reason text,
	step text,
	requested_conversation_id text NOT NULL,
	conversation_id text NOT NULL,
	previous_conversation_id text,
	root_conversation_id text NOT NULL,
	generation integer NOT NULL,
	status_seen text,
	channel text,
	address_hash text,
	campaign text,
	attempts integer NOT NULL,
	api_calls integer NOT NULL,
	api_calls_saved integer NOT NULL,
	http_status integer,
	api_error_code text,
	api_error_message text,
	correlation_id text,
	requested_at timestamptz,
	due_at timestamptz,
	checked_at timestamptz,
	called_at timestamptz,
	occurred_at timestamptz NOT NULL,
	recorded_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	resolves uuid,
	schema_version integer NOT NULL DEFAULT 1,
	xact_id bigint NOT NULL DEFAULT reengage.lineage_position(),
	detail jsonb,
	CONSTRAINT lineage_pkey PRIMARY KEY (lineage_id),
	CONSTRAINT lineage_outcome_check CHECK (outcome IN (
		'notified', 'session_created', 'session_continued', 'skipped_closed',
		'refused', 'expired', 'suppressed', 'capped', 'held_out', 'cancelled',
		'exhausted', 'in_doubt', 'resolved_sent', 'resolved_not_sent', 'imported')),
	CONSTRAINT lineage_nudge_check CHECK (CASE
		WHEN outcome = 'imported' THEN nudge_id IS NULL
		ELSE nudge_id IS NOT NULL AND requested_at IS NOT NULL AND due_at IS NOT NULL END),
	CONSTRAINT lineage_step_check CHECK (step IN ('notify', 'create')),
	CONSTRAINT lineage_previous_check CHECK (CASE
		WHEN outcome = 'session_created' THEN previous_conversation_id IS NOT NULL
		ELSE previous_conversation_id IS NULL OR outcome = 'resolved_sent' END),
	CONSTRAINT lineage_resolves_check CHECK (
		(resolves IS NOT NULL) = (outcome IN ('resolved_sent', 'resolved_not_sent')))
);
COMMENT ON TABLE reengage.lineage IS
	'what happened: the outcome of each nudge and the thread it belongs to; append-only, made to be replicated';
COMMENT ON COLUMN reengage.lineage.lineage_id IS 'identity of the row, ordered by time';
COMMENT ON COLUMN reengage.lineage.nudge_id IS 'the nudge that ended; null: a conversation that was learned of by import_history()';
COMMENT ON COLUMN reengage.lineage.server IS 'the foreign server that was called';
COMMENT ON COLUMN reengage.lineage.outcome IS 'how the nudge ended; the README says what to do about each';
COMMENT ON COLUMN reengage.lineage.reason IS 'one word for why, where the outcome alone does not say it';
COMMENT ON COLUMN reengage.lineage.step IS 'the POST that the outcome is about: notify or create; null: none was made';
COMMENT ON COLUMN reengage.lineage.requested_conversation_id IS 'the conversation that the nudge named';
COMMENT ON COLUMN reengage.lineage.conversation_id IS 'where the customer is now';
COMMENT ON COLUMN reengage.lineage.previous_conversation_id IS 'the closed conversation that conversation_id follows; null: it follows none';
COMMENT ON COLUMN reengage.lineage.root_conversation_id IS 'the first conversation of the thread';
COMMENT ON COLUMN reengage.lineage.generation IS 'how many sessions were created since the root; 0: the root itself';
COMMENT ON COLUMN reengage.lineage.status_seen IS 'the status word that the check read last';
COMMENT ON COLUMN reengage.lineage.channel IS 'the channel of the conversation';
COMMENT ON COLUMN reengage.lineage.address_hash IS 'HMAC-SHA256 of the customer''s address (in lower case, a telephone number without punctuation) under this installation''s key, in hex; the address itself is not kept';
COMMENT ON COLUMN reengage.lineage.campaign IS 'as the nudge said';
COMMENT ON COLUMN reengage.lineage.attempts IS 'attempts made, the last one included';
COMMENT ON COLUMN reengage.lineage.api_calls IS 'requests made to the API, tokens excluded';
COMMENT ON COLUMN reengage.lineage.api_calls_saved IS 'checks of conversations that were known to be dead and therefore not made';
COMMENT ON COLUMN reengage.lineage.http_status IS 'of the last answer; null: there was none';
COMMENT ON COLUMN reengage.lineage.api_error_code IS 'the API''s own code; printable ASCII';
COMMENT ON COLUMN reengage.lineage.api_error_message IS 'the API''s own words, cut and cleaned; printable ASCII';
COMMENT ON COLUMN reengage.lineage.correlation_id IS 'the API''s name for the call, for its support';
COMMENT ON COLUMN reengage.lineage.requested_at IS 'when the nudge was asked for';
COMMENT ON COLUMN reengage.lineage.due_at IS 'when it was to run, as the nudge said';
COMMENT ON COLUMN reengage.lineage.checked_at IS 'when the last check was answered';
COMMENT ON COLUMN reengage.lineage.called_at IS 'when the first byte of the POST left';
COMMENT ON COLUMN reengage.lineage.occurred_at IS 'when the outcome became known';
COMMENT ON COLUMN reengage.lineage.recorded_at IS 'when this row was written';
COMMENT ON COLUMN reengage.lineage.resolves IS 'the in-doubt row that this one settles';
COMMENT ON COLUMN reengage.lineage.schema_version IS 'version of the meaning of these columns';
COMMENT ON COLUMN reengage.lineage.xact_id IS 'the transaction that wrote the row, counted on across restores and promotions: a reader that remembers how far it has read orders lineage_settled by it, then by lineage_id';
COMMENT ON COLUMN reengage.lineage.detail IS 'as the nudge said';

-- P7: a dead conversation gets at most one successor
CREATE UNIQUE INDEX lineage_successor ON reengage.lineage (server, previous_conversation_id)
	WHERE previous_conversation_id IS NOT NULL;
-- which thread a conversation belongs to that is not its root; not to be used
-- for successors, whatever a planner makes of a table that is still empty
CREATE INDEX lineage_conversation ON reengage.lineage (server, conversation_id)
	WHERE generation > 0;
-- the tip of a thread, and its story
CREATE INDEX lineage_thread ON reengage.lineage (root_conversation_id, server, generation);
CREATE INDEX lineage_nudge ON reengage.lineage (nudge_id);
-- a doubt is resolved once
CREATE UNIQUE INDEX lineage_resolves ON reengage.lineage (resolves) WHERE resolves IS NOT NULL;
-- a create in doubt holds back the next create on the same conversation
CREATE INDEX lineage_in_doubt ON reengage.lineage (server, conversation_id)
	WHERE outcome = 'in_doubt';
-- a conversation is learned of once
CREATE UNIQUE INDEX lineage_imported ON reengage.lineage (server, conversation_id)
	WHERE outcome = 'imported';
-- what a reader has not read yet
CREATE INDEX lineage_order ON reengage.lineage (xact_id, lineage_id);

--
-- The fence.  Not dumped: what is restored is a copy, and copies stay silent.
--
CREATE TABLE reengage.identity (
	armed boolean NOT NULL DEFAULT true,
	system_identifier bigint NOT NULL,
	database_oid oid NOT NULL,
	site text NOT NULL,
	timeline integer NOT NULL,
	armed_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	armed_by text NOT NULL DEFAULT current_user,
	CONSTRAINT identity_pkey PRIMARY KEY (armed),
	CONSTRAINT identity_one_row CHECK (armed)
);
COMMENT ON TABLE reengage.identity IS
	'the fence: where sending is allowed; no row: disarmed';
COMMENT ON COLUMN reengage.identity.armed IS 'always true: there is at most one row';
COMMENT ON COLUMN reengage.identity.system_identifier IS 'of the cluster that was armed';
COMMENT ON COLUMN reengage.identity.database_oid IS 'of the database that was armed';
COMMENT ON COLUMN reengage.identity.site IS 'of the machine and data directory, or of the instance key, that was armed';
COMMENT ON COLUMN reengage.identity.timeline IS 'of the server when it was armed, or went on after a promotion';
COMMENT ON COLUMN reengage.identity.armed_at IS 'when arm() was called';
COMMENT ON COLUMN reengage.identity.armed_by IS 'who called it';

CREATE TABLE reengage.server_state (
	server text NOT NULL,
	state text NOT NULL,
	reason text NOT NULL,
	since timestamptz NOT NULL DEFAULT pg_catalog.now(),
	until timestamptz,
	CONSTRAINT server_state_pkey PRIMARY KEY (server),
	CONSTRAINT server_state_check CHECK (state IN ('blocked'))
);
COMMENT ON TABLE reengage.server_state IS
	'servers that are not called at the moment, and why; no row: nothing is known against it';
COMMENT ON COLUMN reengage.server_state.server IS 'the foreign server';
COMMENT ON COLUMN reengage.server_state.state IS 'blocked: the worker cannot or may not call it, and tries again from time to time';
COMMENT ON COLUMN reengage.server_state.reason IS 'what is wrong, and what to do';
COMMENT ON COLUMN reengage.server_state.since IS 'since when';
COMMENT ON COLUMN reengage.server_state.until IS 'not to be called before, as the API said; null: tried again from time to time';

CREATE TABLE reengage.pauses (
	server text NOT NULL,
	reason text,
	paused_by text NOT NULL DEFAULT session_user,
	since timestamptz NOT NULL DEFAULT pg_catalog.now(),
	CONSTRAINT pauses_pkey PRIMARY KEY (server)
);
COMMENT ON TABLE reengage.pauses IS
	'servers that an operator has paused; kept by pause() and resume(), and never changed by the worker';
COMMENT ON COLUMN reengage.pauses.server IS 'the foreign server';
COMMENT ON COLUMN reengage.pauses.reason IS 'what the operator said; null: nothing';
COMMENT ON COLUMN reengage.pauses.paused_by IS 'who called pause()';
COMMENT ON COLUMN reengage.pauses.since IS 'since when';

CREATE TABLE reengage.address_key (
	key bytea NOT NULL,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	CONSTRAINT address_key_pkey PRIMARY KEY (key)
);
COMMENT ON TABLE reengage.address_key IS
	'the key of lineage.address_hash, made by the first arm(); the oldest row counts, so that a restored dump keeps its hashes';
COMMENT ON COLUMN reengage.address_key.key IS '32 random bytes';
COMMENT ON COLUMN reengage.address_key.created_at IS 'when it was made';

SELECT pg_catalog.pg_extension_config_dump('reengage.nudges', '');
SELECT pg_catalog.pg_extension_config_dump('reengage.intents', '');
SELECT pg_catalog.pg_extension_config_dump('reengage.unresolved', '');
SELECT pg_catalog.pg_extension_config_dump('reengage.lineage', '');
SELECT pg_catalog.pg_extension_config_dump('reengage.pauses', '');
SELECT pg_catalog.pg_extension_config_dump('reengage.address_key', '');

--
-- Triggers
--
CREATE FUNCTION reengage.nudges_validate() RETURNS trigger
LANGUAGE C SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_nudges_validate';
COMMENT ON FUNCTION reengage.nudges_validate() IS
	'refuses a nudge that can never be sent, naming the value';

CREATE FUNCTION reengage.nudges_schedule() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
-- The plan is kept for the life of a session and must not become a sequential
-- scan of a table that was empty when the plan was made.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
	earliest timestamptz;
BEGIN
	-- A row that carries another requested_at than now comes out of a dump: it
	-- is due only if it has no outcome.
	WITH scheduled AS (
		INSERT INTO reengage.due (nudge_id, server, priority, due_at)
		SELECT n.nudge_id, n.server, n.priority, greatest(n.due_at, now())
		FROM new_nudges n
		WHERE n.requested_at = now()
		   OR NOT EXISTS (SELECT FROM reengage.lineage l WHERE l.nudge_id = n.nudge_id)
		RETURNING due_at
	)
	SELECT min(s.due_at) INTO earliest FROM scheduled s;
	PERFORM reengage.wake(earliest);
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION reengage.nudges_schedule() IS 'makes inserted nudges due, and wakes the worker at commit';

CREATE FUNCTION reengage.lineage_ends_nudge() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
	-- an array leaves the planner no choice but the index, whatever it knows of the tables
	ended uuid[] := ARRAY(SELECT r.nudge_id FROM new_rows r);
BEGIN
	DELETE FROM reengage.due d WHERE d.nudge_id = ANY (ended);
	DELETE FROM reengage.unresolved u WHERE u.nudge_id = ANY (ended);
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION reengage.lineage_ends_nudge() IS
	'an outcome ends its nudge in the same transaction, whoever wrote it: the worker or a restore';

CREATE FUNCTION reengage.refuse_change() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RAISE EXCEPTION '% of table "reengage.%" is not allowed', TG_OP, TG_TABLE_NAME
		USING ERRCODE = 'feature_not_supported',
			  DETAIL = 'Its rows are history and stay as they were inserted.';
END
$$;
COMMENT ON FUNCTION reengage.refuse_change() IS 'keeps a table append-only';

CREATE TRIGGER validate BEFORE INSERT ON reengage.nudges
	FOR EACH ROW EXECUTE FUNCTION reengage.nudges_validate();
CREATE TRIGGER schedule AFTER INSERT ON reengage.nudges
	REFERENCING NEW TABLE AS new_nudges
	FOR EACH STATEMENT EXECUTE FUNCTION reengage.nudges_schedule();
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON reengage.nudges
	FOR EACH STATEMENT EXECUTE FUNCTION reengage.refuse_change();
CREATE TRIGGER ends_nudge AFTER INSERT ON reengage.lineage
	REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION reengage.lineage_ends_nudge();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON reengage.lineage
	FOR EACH STATEMENT EXECUTE FUNCTION reengage.refuse_change();

--
-- Servers
--
CREATE FUNCTION reengage.fdw_validator(options text[], catalog oid) RETURNS void
LANGUAGE C STRICT SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_fdw_validator';
COMMENT ON FUNCTION reengage.fdw_validator(text[], oid) IS
	'checks the options of CREATE SERVER ... FOREIGN DATA WRAPPER reengage';

CREATE FOREIGN DATA WRAPPER reengage VALIDATOR reengage.fdw_validator;
COMMENT ON FOREIGN DATA WRAPPER reengage IS
	'a server of this wrapper is one organisation at one messaging API';

--
-- Asking
--
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
	nudge_id uuid DEFAULT NULL
) RETURNS uuid
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	id uuid := coalesce(nudge_id, reengage.uuid_v7());
BEGIN
	INSERT INTO reengage.nudges AS n
		(nudge_id, server, conversation_id, message, address, channel, when_closed,
		 priority, due_at, expires_at, time_zone, campaign, detail)
	VALUES
		(id, coalesce(nudge.server, reengage.default_server()), nudge.conversation_id,
		 nudge.message, nudge.address, nudge.channel, nudge.when_closed,
		 nudge.priority, coalesce(nudge.due_at, now()), nudge.expires_at,
		 nudge.time_zone, nudge.campaign, nudge.detail)
	ON CONFLICT DO NOTHING;
	RETURN id;
END
$$;
COMMENT ON FUNCTION reengage.nudge(text, text, text, text, text, text, integer, timestamptz, timestamptz, text, text, jsonb, uuid) IS
	'asks for one nudge and returns its id; with a nudge_id of your own, asking twice has the effect of asking once';

--
-- The fence
--
CREATE FUNCTION reengage.fence_complaint() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
		WHEN i.armed IS NULL THEN 'not armed: nothing is sent'
		WHEN i.system_identifier <> reengage.system_identifier()
			THEN format('armed in another cluster (system identifier %s, here %s): this is a copy, or was made by pg_upgrade',
						i.system_identifier, reengage.system_identifier())
		WHEN i.database_oid <> d.oid
			THEN format('armed in another database (oid %s, here %s): this is a copy',
						i.database_oid, d.oid)
		WHEN i.site <> reengage.site()
			THEN format('armed at another site (%s, here %s): this is a copy, or the server was moved',
						i.site, reengage.site())
		WHEN i.timeline <> reengage.timeline() AND i.site NOT LIKE 'key:%'
			THEN format('armed on another timeline (%s, here %s): an earlier state was restored, or a standby promoted without reengage.instance_key',
						i.timeline, reengage.timeline())
		WHEN i.timeline <> reengage.timeline() AND current_setting('reengage.on_promotion') = 'hold'
			THEN format('armed on another timeline (%s, here %s): a standby was promoted, or an earlier state restored, and reengage.on_promotion is hold',
						i.timeline, reengage.timeline())
	END
	FROM pg_database d LEFT JOIN reengage.identity i ON true
	WHERE d.datname = current_database()
$$;
COMMENT ON FUNCTION reengage.fence_complaint() IS
	'why nothing may be sent from this database; null: it is armed';

CREATE FUNCTION reengage.arm() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_mergejoin = off
AS $$
DECLARE
	rescheduled bigint;
	database oid := (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
BEGIN
	IF pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean THEN
		RAISE EXCEPTION 'cannot arm a standby, or in a read-only transaction'
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'Call it on the primary, in a transaction that may write.';
	END IF;
	IF reengage.fence_complaint() IS NULL THEN
		RAISE NOTICE 'already armed';
		RETURN;
	END IF;

	INSERT INTO reengage.identity (system_identifier, database_oid, site, timeline, armed_at, armed_by)
	VALUES (reengage.system_identifier(), database, reengage.site(), reengage.timeline(), now(), session_user)
	ON CONFLICT (armed) DO UPDATE
		SET system_identifier = EXCLUDED.system_identifier,
			database_oid = EXCLUDED.database_oid,
			site = EXCLUDED.site,
			timeline = EXCLUDED.timeline,
			armed_at = EXCLUDED.armed_at,
			armed_by = EXCLUDED.armed_by;

	INSERT INTO reengage.address_key (key)
	SELECT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
	WHERE NOT EXISTS (SELECT FROM reengage.address_key);

	-- What has an outcome is not due; what has none is.
	DELETE FROM reengage.due d USING reengage.lineage l WHERE l.nudge_id = d.nudge_id;
	INSERT INTO reengage.due (nudge_id, server, priority, due_at)
	SELECT n.nudge_id, n.server, n.priority, greatest(n.due_at, now())
	FROM reengage.nudges n
	WHERE NOT EXISTS (SELECT FROM reengage.lineage l WHERE l.nudge_id = n.nudge_id)
	  AND NOT EXISTS (SELECT FROM reengage.due d WHERE d.nudge_id = n.nudge_id);
	GET DIAGNOSTICS rescheduled = ROW_COUNT;
	IF rescheduled > 0 THEN
		RAISE NOTICE 'made % nudges without an outcome due again', rescheduled;
	END IF;
	-- What another database had on the wire is not repeated here, whatever the
	-- API remembers of its keys: it ends in doubt.
	UPDATE reengage.unresolved SET since = '-infinity';
	UPDATE reengage.intents SET recorded_at = '-infinity';
	PERFORM reengage.wake('-infinity');
END
$$;
COMMENT ON FUNCTION reengage.arm() IS
	'allows sending from this database in this cluster; first makes due exactly what has no outcome';

CREATE FUNCTION reengage.disarm() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	DELETE FROM reengage.identity;
	IF NOT FOUND THEN
		RAISE NOTICE 'not armed';
	END IF;
	PERFORM reengage.wake('-infinity');
END
$$;
COMMENT ON FUNCTION reengage.disarm() IS
	'stops sending: after the commit no call is handed to the courier; those that were are still settled';

--
-- Pauses
--
CREATE FUNCTION reengage.require_server(server text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_foreign_server s
						JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw AND w.fdwname = 'reengage'
				   WHERE s.srvname = require_server.server) THEN
		RAISE EXCEPTION 'server "%" does not exist', server
			USING ERRCODE = 'undefined_object',
				  DETAIL = 'There is no foreign server of this name with the wrapper reengage.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage.require_server(text) IS
	'an error if there is no such server of the wrapper reengage';

CREATE FUNCTION reengage.pause(server text, reason text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM reengage.require_server(server);
	INSERT INTO reengage.pauses (server, reason)
	VALUES (pause.server, nullif(pause.reason, ''))
	ON CONFLICT DO NOTHING;
	IF NOT FOUND THEN
		RAISE NOTICE 'server "%" is paused already', server;
	END IF;
	PERFORM reengage.wake('-infinity');
END
$$;
COMMENT ON FUNCTION reengage.pause(text, text) IS
	'pauses a server until resume(): after the commit no nudge of it is begun and no call made; its nudges stay due; what is on the wire is settled';

CREATE FUNCTION reengage.resume(server text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	DELETE FROM reengage.pauses p WHERE p.server = resume.server;
	IF NOT FOUND THEN
		PERFORM reengage.require_server(server);
		RAISE NOTICE 'server "%" is not paused', server;
	END IF;
	PERFORM reengage.wake('-infinity');
END
$$;
COMMENT ON FUNCTION reengage.resume(text) IS 'ends the pause of a server: its due nudges go out';

--
-- Running
--
CREATE PROCEDURE reengage.run(max_seconds integer DEFAULT NULL, max_nudges integer DEFAULT NULL)
LANGUAGE C
AS 'MODULE_PATHNAME', 'reengage_run';
COMMENT ON PROCEDURE reengage.run(integer, integer) IS
	'sends what is due in this session, committing as it goes, until nothing is due or a limit is reached (no new nudge begins then); wakes the worker instead where one is running';

CREATE FUNCTION reengage.preview(nudge_id uuid)
RETURNS TABLE (step text, condition text, method text, url text, headers text, body text)
LANGUAGE C STRICT VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_preview';
COMMENT ON FUNCTION reengage.preview(uuid) IS
	'the requests that a nudge would make, byte for byte, and when each is made; nothing is sent';

CREATE FUNCTION reengage.preflight(server text, conversation_id text DEFAULT NULL)
RETURNS TABLE (step integer, check_name text, state text, detail text, remedy text)
LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_preflight';
COMMENT ON FUNCTION reengage.preflight(text, text) IS
	'what a call to this server would meet, check by check: ok, failed with a remedy, or skipped with the reason; looks at the conversation, or at one of a random id; sends no message';

CREATE FUNCTION reengage.worker_state(
	OUT preloaded boolean, OUT listed boolean, OUT state text, OUT pid integer,
	OUT since timestamptz, OUT in_flight integer, OUT ended bigint,
	OUT restarts integer, OUT message text)
LANGUAGE C STRICT VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_worker_state';
COMMENT ON FUNCTION reengage.worker_state() IS
	'what shared memory knows of this database''s worker';

--
-- The operators' side of doubt
--
CREATE FUNCTION reengage.ask_again(nudge_id uuid) RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	id uuid := reengage.uuid_v7();
BEGIN
	INSERT INTO reengage.nudges
		(nudge_id, server, conversation_id, message, address, channel, when_closed, priority,
		 expires_at, time_zone, campaign, detail, repeats, requested_by)
	SELECT id, n.server, n.conversation_id, n.message, n.address, n.channel, n.when_closed, n.priority,
		CASE WHEN n.expires_at > now() THEN n.expires_at END,
		n.time_zone, n.campaign, n.detail, n.nudge_id, session_user
	FROM reengage.nudges n WHERE n.nudge_id = ask_again.nudge_id
	ON CONFLICT (repeats) WHERE repeats IS NOT NULL DO NOTHING;
	IF NOT FOUND THEN
		SELECT n.nudge_id INTO id FROM reengage.nudges n WHERE n.repeats = ask_again.nudge_id;
	END IF;
	RETURN id;
END
$$;
COMMENT ON FUNCTION reengage.ask_again(uuid) IS
	'a new nudge with the content of an old one, which keeps its outcome; a second call returns the same';

CREATE FUNCTION reengage.redrive(nudge_id uuid) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM reengage.lineage l
				   WHERE l.nudge_id = redrive.nudge_id AND l.outcome = 'exhausted') THEN
		RAISE EXCEPTION 'nudge % is not exhausted', nudge_id
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'reengage.nudge_status shows where it stands; reengage.resolve() settles what is in doubt.';
	END IF;
	RETURN reengage.ask_again(nudge_id);
END
$$;
COMMENT ON FUNCTION reengage.redrive(uuid) IS
	'asks again for a nudge whose attempts ran out, and returns the new nudge; a second call returns the same';

CREATE FUNCTION reengage.resolve(lineage_id uuid, verdict text, conversation_id text DEFAULT NULL)
RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	doubt reengage.lineage;
	earlier reengage.lineage;
	result uuid := reengage.uuid_v7();
	said text := CASE verdict WHEN 'sent' THEN 'resolved_sent'
							  WHEN 'not_sent' THEN 'resolved_not_sent'
							  WHEN 'resend' THEN 'resolved_not_sent' END;
	created boolean := conversation_id IS NOT NULL;
BEGIN
	IF said IS NULL THEN
		RAISE EXCEPTION 'invalid verdict: "%"', verdict
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'It must be sent, not_sent or resend.';
	END IF;
	SELECT * INTO doubt FROM reengage.lineage l WHERE l.lineage_id = resolve.lineage_id;
	IF doubt.outcome IS DISTINCT FROM 'in_doubt' THEN
		RAISE EXCEPTION 'lineage row % is not in doubt', lineage_id
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'The view reengage.in_doubt lists the rows that are.';
	END IF;
	IF created AND (verdict <> 'sent' OR doubt.step <> 'create') THEN
		RAISE EXCEPTION 'a conversation_id goes with a create that was sent'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF NOT created AND verdict = 'sent' AND doubt.step = 'create' THEN
		RAISE EXCEPTION 'the conversation that was created must be named'
			USING ERRCODE = 'invalid_parameter_value',
				  DETAIL = 'Without it the thread would end at the closed conversation.',
				  HINT = 'Look for it in the API, by the customer or the correlation_id.';
	END IF;
	IF conversation_id !~ '^[A-Za-z0-9._~-]{1,128}$' OR conversation_id IN ('.', '..', doubt.conversation_id) THEN
		RAISE EXCEPTION 'invalid conversation_id: "%"', left(conversation_id, 60)
			USING ERRCODE = 'invalid_parameter_value';
	END IF;

	INSERT INTO reengage.lineage
		(lineage_id, nudge_id, server, outcome, reason, step, requested_conversation_id, conversation_id,
		 previous_conversation_id, root_conversation_id, generation, channel, address_hash, campaign,
		 attempts, api_calls, api_calls_saved, correlation_id, requested_at, due_at, occurred_at, resolves, detail)
	VALUES
		(result, doubt.nudge_id, doubt.server, said, verdict, doubt.step, doubt.requested_conversation_id,
		 coalesce(resolve.conversation_id, doubt.conversation_id),
		 CASE WHEN created THEN doubt.conversation_id END, doubt.root_conversation_id,
		 doubt.generation + created::integer, doubt.channel, doubt.address_hash, doubt.campaign,
		 doubt.attempts, 0, 0, doubt.correlation_id, doubt.requested_at, doubt.due_at, now(), doubt.lineage_id, doubt.detail)
	ON CONFLICT (resolves) WHERE resolves IS NOT NULL DO NOTHING;
	IF NOT FOUND THEN
		SELECT * INTO earlier FROM reengage.lineage l WHERE l.resolves = resolve.lineage_id;
		IF earlier.reason = verdict AND earlier.conversation_id = coalesce(resolve.conversation_id, doubt.conversation_id) THEN
			RAISE NOTICE 'it was resolved so before';
			RETURN earlier.lineage_id;
		END IF;
		RAISE EXCEPTION 'lineage row % was resolved before, as %', lineage_id, earlier.reason
			USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;

	IF verdict = 'resend' THEN
		RAISE NOTICE 'asked again as nudge %', reengage.ask_again(doubt.nudge_id);
	END IF;
	-- what the doubt held back can go on
	UPDATE reengage.due d SET due_at = now(), waiting_for = NULL
	WHERE d.server = doubt.server AND d.waiting_for = 'an earlier create on this conversation is in doubt';
	PERFORM reengage.wake(now());
	RETURN result;
END
$$;
COMMENT ON FUNCTION reengage.resolve(uuid, text, text) IS
	'settles a row in doubt: sent (with the conversation that was created, if it was a create), not_sent, or resend (not sent, and asked again as a new nudge); returns the row of lineage that says so';

--
-- Looking
--
CREATE VIEW reengage.in_doubt AS
SELECT l.lineage_id, l.nudge_id, l.server, l.step, l.conversation_id, l.occurred_at AS since, l.reason,
	l.http_status, l.api_error_message, l.correlation_id, l.called_at, l.campaign
FROM reengage.lineage l
WHERE l.outcome = 'in_doubt'
  AND NOT EXISTS (SELECT FROM reengage.lineage r WHERE r.resolves = l.lineage_id)
ORDER BY l.occurred_at;
COMMENT ON VIEW reengage.in_doubt IS
	'calls that may or may not have taken effect, until resolve() settles them';
COMMENT ON COLUMN reengage.in_doubt.lineage_id IS 'for resolve()';
COMMENT ON COLUMN reengage.in_doubt.nudge_id IS 'the nudge';
COMMENT ON COLUMN reengage.in_doubt.server IS 'the foreign server';
COMMENT ON COLUMN reengage.in_doubt.step IS 'the call: notify or create';
COMMENT ON COLUMN reengage.in_doubt.conversation_id IS 'the conversation that was notified, or was to be followed';
COMMENT ON COLUMN reengage.in_doubt.since IS 'when the doubt arose';
COMMENT ON COLUMN reengage.in_doubt.reason IS 'one word for why';
COMMENT ON COLUMN reengage.in_doubt.http_status IS 'of the answer, if there was one';
COMMENT ON COLUMN reengage.in_doubt.api_error_message IS 'what the API, or the network, said last';
COMMENT ON COLUMN reengage.in_doubt.correlation_id IS 'the API''s name for the call, if it told it';
COMMENT ON COLUMN reengage.in_doubt.called_at IS 'when the first byte left, if that is known';
COMMENT ON COLUMN reengage.in_doubt.campaign IS 'as the nudge said';

CREATE VIEW reengage.nudge_status WITH (security_barrier) AS
SELECT n.nudge_id, n.server, n.conversation_id AS requested_conversation_id, n.campaign,
	CASE
		WHEN l.outcome IS NOT NULL THEN l.outcome
		WHEN EXISTS (SELECT FROM reengage.intents i WHERE n.nudge_id = ANY (i.nudge_ids)) THEN 'calling'
		ELSE 'due'
	END AS state,
	CASE
		WHEN l.outcome IS NOT NULL THEN l.reason
		WHEN (SELECT reengage.fence_complaint()) IS NOT NULL THEN (SELECT reengage.fence_complaint())
		WHEN p.server IS NOT NULL OR s.reason IS NOT NULL THEN pg_catalog.concat_ws('; ',
			'server paused by ' || p.paused_by || coalesce(': ' || p.reason, ''),
			pg_catalog.format('server %s: ', s.state) || s.reason)
		WHEN d.waiting_for IS NOT NULL THEN d.waiting_for
		WHEN d.due_at > pg_catalog.now() THEN 'its time'
	END AS reason,
	CASE WHEN l.outcome IS NULL THEN d.due_at END AS next_attempt_at,
	coalesce(l.attempts, d.attempt, 0) AS attempts,
	l.conversation_id, l.recorded_at AS ended_at,
	n.requested_by, n.requested_at
FROM reengage.nudges n
	LEFT JOIN reengage.due d ON d.nudge_id = n.nudge_id
	LEFT JOIN reengage.server_state s ON s.server = n.server
	LEFT JOIN reengage.pauses p ON p.server = n.server
	LEFT JOIN LATERAL (
		SELECT * FROM reengage.lineage l
		WHERE l.nudge_id = n.nudge_id
		ORDER BY l.lineage_id DESC LIMIT 1) l ON true
WHERE n.requested_by = current_user
   OR pg_catalog.pg_has_role('reengage_operator', 'USAGE')
   OR pg_catalog.pg_has_role('reengage_reader', 'USAGE');
COMMENT ON VIEW reengage.nudge_status IS
	'where each nudge stands and why; an application sees its own';
COMMENT ON COLUMN reengage.nudge_status.nudge_id IS 'the nudge';
COMMENT ON COLUMN reengage.nudge_status.server IS 'the foreign server';
COMMENT ON COLUMN reengage.nudge_status.requested_conversation_id IS 'the conversation that the nudge named';
COMMENT ON COLUMN reengage.nudge_status.campaign IS 'as the nudge said';
COMMENT ON COLUMN reengage.nudge_status.state IS 'due, calling (a POST may be on the wire), or the outcome';
COMMENT ON COLUMN reengage.nudge_status.reason IS 'what a due nudge waits for, or why it ended so';
COMMENT ON COLUMN reengage.nudge_status.next_attempt_at IS 'the earliest time of the next attempt';
COMMENT ON COLUMN reengage.nudge_status.attempts IS 'attempts made';
COMMENT ON COLUMN reengage.nudge_status.conversation_id IS 'where the customer is now';
COMMENT ON COLUMN reengage.nudge_status.ended_at IS 'when the outcome was recorded';
COMMENT ON COLUMN reengage.nudge_status.requested_by IS 'who asked';
COMMENT ON COLUMN reengage.nudge_status.requested_at IS 'when';

CREATE VIEW reengage.threads AS
SELECT l.server, l.root_conversation_id,
	(pg_catalog.array_agg(l.conversation_id ORDER BY l.generation DESC, l.lineage_id DESC))[1] AS tip_conversation_id,
	pg_catalog.max(l.generation) AS generations,
	pg_catalog.count(DISTINCT l.nudge_id) AS nudges,
	(pg_catalog.array_agg(l.outcome ORDER BY l.lineage_id DESC))[1] AS last_outcome,
	pg_catalog.sum(l.api_calls) AS api_calls,
	pg_catalog.sum(l.api_calls_saved) AS api_calls_saved,
	pg_catalog.min(l.occurred_at) AS first_at,
	pg_catalog.max(l.occurred_at) AS last_at
FROM reengage.lineage l
GROUP BY l.server, l.root_conversation_id;
COMMENT ON VIEW reengage.threads IS 'one row for each customer story: a chain of conversations from root to tip';
COMMENT ON COLUMN reengage.threads.server IS 'the foreign server';
COMMENT ON COLUMN reengage.threads.root_conversation_id IS 'the first conversation';
COMMENT ON COLUMN reengage.threads.tip_conversation_id IS 'the newest conversation: where the customer is now';
COMMENT ON COLUMN reengage.threads.generations IS 'sessions created since the root';
COMMENT ON COLUMN reengage.threads.nudges IS 'nudges that ended in this thread';
COMMENT ON COLUMN reengage.threads.last_outcome IS 'outcome of the last one';
COMMENT ON COLUMN reengage.threads.api_calls IS 'requests made to the API';
COMMENT ON COLUMN reengage.threads.api_calls_saved IS 'checks that were not needed';
COMMENT ON COLUMN reengage.threads.first_at IS 'when the first nudge ended';
COMMENT ON COLUMN reengage.threads.last_at IS 'when the last one did';

CREATE FUNCTION reengage.thread(conversation_id text, server text DEFAULT NULL)
RETURNS TABLE (server text, generation integer, occurred_at timestamptz, outcome text, reason text,
			   conversation_id text, previous_conversation_id text, status_seen text,
			   campaign text, api_calls integer, nudge_id uuid)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	WITH roots AS (
		SELECT DISTINCT l.server, l.root_conversation_id
		FROM reengage.lineage l
		WHERE (l.root_conversation_id = $1
			   OR (l.conversation_id = $1 AND l.generation > 0))
		  AND ($2 IS NULL OR l.server = $2)
	)
	SELECT l.server, l.generation, l.occurred_at, l.outcome, l.reason,
		   l.conversation_id, l.previous_conversation_id, l.status_seen,
		   l.campaign, l.api_calls, l.nudge_id
	FROM roots r JOIN reengage.lineage l
		ON l.root_conversation_id = r.root_conversation_id AND l.server = r.server
	ORDER BY l.server, l.occurred_at, l.lineage_id
$$;
COMMENT ON FUNCTION reengage.thread(text, text) IS
	'the whole story of the thread that a conversation belongs to, in order; without a server: of every server that knows the conversation';

--
-- Lineage for readers that remember how far they have read
--
CREATE FUNCTION reengage.lineage_in_progress() RETURNS int8range
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce((
		SELECT int8range(
			e.base + pg_snapshot_xmin(now.snapshot)::text::bigint,
			e.base + greatest(pg_snapshot_xmax(now.snapshot)::text::bigint,
							  pg_current_xact_id_if_assigned()::text::bigint + 1))
		FROM reengage.lineage_epochs e, (SELECT pg_current_snapshot() AS snapshot) now
		WHERE e.system_identifier = reengage.system_identifier() AND e.timeline = reengage.timeline()),
		'empty')
$$;
COMMENT ON FUNCTION reengage.lineage_in_progress() IS
	'the part of the order of lineage in which a transaction may still be running; empty: nothing was written since a restore or promotion';

-- What lies beyond the range was written by no transaction of this epoch: rows
-- of a dump that was restored late.
CREATE VIEW reengage.lineage_settled AS
SELECT l.* FROM reengage.lineage l
WHERE NOT l.xact_id OPERATOR(pg_catalog.<@) (SELECT reengage.lineage_in_progress());
COMMENT ON VIEW reengage.lineage_settled IS
	'lineage up to the oldest transaction that still runs: no row appears later before one that is here, in the order of xact_id and lineage_id';
DO $$
DECLARE
	col record;
BEGIN
	FOR col IN
		SELECT a.attname, pg_catalog.col_description(a.attrelid, a.attnum) AS said
		FROM pg_catalog.pg_attribute a
		WHERE a.attrelid = 'reengage.lineage'::regclass AND a.attnum > 0
	LOOP
		EXECUTE pg_catalog.format('COMMENT ON COLUMN reengage.lineage_settled.%I IS %L', col.attname, col.said);
	END LOOP;
END
$$;

--
-- Publishing.  A publication cannot belong to an extension, and pg_dump leaves
-- an extension's tables out of publications: so it is made here, by whoever
-- wants it, and repaired after a restore.
--
CREATE FUNCTION reengage.published_tables() RETURNS SETOF regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT t FROM unnest(ARRAY[to_regclass('reengage.lineage'), to_regclass('reengage.lineage_manifest')]) t
	WHERE t IS NOT NULL
$$;
COMMENT ON FUNCTION reengage.published_tables() IS 'the tables that are made to be replicated';

CREATE FUNCTION reengage.refuse_publication(name text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	pub pg_publication;
	complaint text;
BEGIN
	SELECT * INTO pub FROM pg_publication p WHERE p.pubname = refuse_publication.name;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	complaint := CASE
		WHEN obj_description(pub.oid, 'pg_publication') IS DISTINCT FROM 'made by reengage.publish()'
			THEN 'reengage.publish() did not make it.'
		WHEN pub.puballtables OR EXISTS (
				SELECT FROM pg_publication_namespace n WHERE n.pnpubid = pub.oid)
			THEN 'It publishes whole schemas.'
		WHEN EXISTS (SELECT FROM pg_publication_rel r WHERE r.prpubid = pub.oid
					 AND r.prrelid NOT IN (SELECT reengage.published_tables()))
			THEN (SELECT format('It contains other tables: %s.', string_agg(r.prrelid::regclass::text, ', '))
				  FROM pg_publication_rel r WHERE r.prpubid = pub.oid
				  AND r.prrelid NOT IN (SELECT reengage.published_tables()))
		WHEN EXISTS (SELECT FROM pg_publication_rel r WHERE r.prpubid = pub.oid
					 AND (r.prqual IS NOT NULL OR r.prattrs IS NOT NULL))
			THEN 'It has a column list or a row filter.'
		WHEN NOT pub.pubinsert OR pub.pubupdate OR pub.pubdelete OR pub.pubtruncate OR NOT pub.pubviaroot
			THEN 'Its options are not publish = ''insert'', publish_via_partition_root = true.'
	END;
	IF complaint IS NOT NULL THEN
		RAISE EXCEPTION 'publication "%" is not one that reengage may change', name
			USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = complaint,
				  HINT = 'Choose another name, or drop the publication first.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage.refuse_publication(text) IS
	'an error if a publication of this name exists that publish() did not make, or that somebody changed since';

CREATE FUNCTION reengage.publish(name text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	missing text;
BEGIN
	IF coalesce(octet_length(name), 0) NOT BETWEEN 1 AND 63 THEN
		RAISE EXCEPTION 'invalid name of a publication: "%"', left(name, 60)
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It must have 1 to 63 bytes.';
	END IF;
	IF pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean THEN
		RAISE EXCEPTION 'cannot publish on a standby, or in a read-only transaction'
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'Call it on the primary, in a transaction that may write.';
	END IF;
	IF current_setting('wal_level') <> 'logical' THEN
		RAISE EXCEPTION 'wal_level is "%", and publishing needs "logical"', current_setting('wal_level')
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'Set wal_level = logical in postgresql.conf and restart the server.';
	END IF;
	-- two that make or repair it at once come one after the other
	PERFORM pg_advisory_xact_lock(hashtextextended('reengage.publish', 0));
	PERFORM reengage.refuse_publication(name);

	SELECT string_agg(t::text, ', ') INTO missing
	FROM reengage.published_tables() t
	WHERE NOT EXISTS (
		SELECT FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
		WHERE p.pubname = publish.name AND r.prrelid = t);
	IF NOT EXISTS (SELECT FROM pg_publication p WHERE p.pubname = publish.name) THEN
		EXECUTE format('CREATE PUBLICATION %I FOR TABLE %s WITH (publish = ''insert'', publish_via_partition_root = true)',
					   name, missing);
		EXECUTE format('COMMENT ON PUBLICATION %I IS ''made by reengage.publish()''', name);
		RETURN 'created';
	END IF;
	IF missing IS NULL THEN
		RETURN 'ok';
	END IF;
	EXECUTE format('ALTER PUBLICATION %I ADD TABLE %s', name, missing);
	RETURN 'repaired';
END
$$;
COMMENT ON FUNCTION reengage.publish(text) IS
	'makes a publication of lineage, of inserts only, or puts back what a restore left out of it: created, repaired or ok';

--
-- Whether lineage can be replicated, and is.  The traps, each with its remedy.
--
CREATE FUNCTION reengage.check_publications(
	OUT check_name text, OUT state text, OUT detail text, OUT remedy text) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	WITH publications AS (
		SELECT p.*, obj_description(p.oid, 'pg_publication') = 'made by reengage.publish()' AS ours,
			(SELECT string_agg(t::text, ', ' ORDER BY t::text) FROM reengage.published_tables() t
			 WHERE NOT EXISTS (SELECT FROM pg_get_publication_tables(p.pubname) g WHERE g.relid = t)) AS missing,
			EXISTS (SELECT FROM reengage.published_tables() t
					JOIN pg_get_publication_tables(p.pubname) g ON g.relid = t) AS has_some,
			NOT EXISTS (SELECT FROM pg_get_publication_tables(p.pubname)) AS is_empty
		FROM pg_publication p
	)
	SELECT 'publications', 'attention', 'no publication of this database contains reengage.lineage',
		'SELECT reengage.publish(''reengage_bi'');'
	WHERE NOT EXISTS (SELECT FROM publications p WHERE p.has_some)
	UNION ALL
	SELECT format('publication %I', p.pubname),
		CASE WHEN p.missing IS NULL THEN 'ok' WHEN p.ours THEN 'failed' ELSE 'attention' END,
		CASE
			WHEN p.missing IS NULL THEN 'contains what is made to be replicated'
			WHEN p.is_empty THEN 'is empty: pg_dump leaves an extension''s tables out of a publication, so a restored one publishes nothing'
			ELSE format('does not contain %s: a restore, or another tool, took it out', p.missing)
		END,
		CASE
			WHEN p.missing IS NULL THEN NULL
			WHEN p.ours THEN format('SELECT reengage.publish(%L); then let the readers take a new snapshot.', p.pubname)
			ELSE format('If lineage belongs in it: ALTER PUBLICATION %I ADD TABLE %s;', p.pubname, p.missing)
		END
	FROM publications p WHERE p.ours OR p.has_some OR p.is_empty
	UNION ALL
	SELECT format('actions of publication %I', p.pubname),
		CASE WHEN NOT p.pubinsert THEN 'failed' WHEN p.pubupdate OR p.pubdelete OR p.pubtruncate THEN 'attention' ELSE 'ok' END,
		concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END,
				  CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END),
		CASE
			WHEN NOT p.pubinsert THEN format('New rows are not published: ALTER PUBLICATION %I SET (publish = ''insert'');', p.pubname)
			WHEN p.pubupdate OR p.pubdelete OR p.pubtruncate
				THEN format('What is pruned here is deleted there, too, also for a reader that asks for another publication besides. If that is not wanted: ALTER PUBLICATION %I SET (publish = ''insert'');', p.pubname)
		END
	FROM publications p WHERE p.has_some
	UNION ALL
	SELECT format('%s in publication %I', trap.name, p.pubname), 'attention', format('%s has a %s', r.prrelid::regclass, trap.name),
		format('A reader misses what it leaves out. ALTER PUBLICATION %I DROP TABLE %s; and ADD it without.', p.pubname, r.prrelid::regclass)
	FROM publications p
		JOIN pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid IN (SELECT reengage.published_tables())
		CROSS JOIN LATERAL (VALUES ('column list', r.prattrs IS NOT NULL), ('row filter', r.prqual IS NOT NULL)) trap(name, is_there)
	WHERE trap.is_there
$$;
COMMENT ON FUNCTION reengage.check_publications() IS 'the part of replication_check() about publications';

CREATE FUNCTION reengage.check_tables(
	OUT check_name text, OUT state text, OUT detail text, OUT remedy text) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('identity of %s', t),
		CASE WHEN c.relreplident = 'd' AND pk.indexrelid IS NOT NULL THEN 'ok' ELSE 'attention' END,
		format('primary key: %s, replica identity: %s', coalesce(pk.indexrelid::regclass::text, 'none'),
			CASE c.relreplident WHEN 'd' THEN 'default' WHEN 'f' THEN 'full' WHEN 'i' THEN 'index' ELSE 'nothing' END),
		CASE WHEN c.relreplident <> 'd' THEN format('ALTER TABLE %s REPLICA IDENTITY DEFAULT;', t)
			 WHEN pk.indexrelid IS NULL THEN 'Readers that merge by key need the primary key: put it back.' END
	FROM reengage.published_tables() t
		JOIN pg_class c ON c.oid = t
		LEFT JOIN pg_index pk ON pk.indrelid = t AND pk.indisprimary AND pk.indisvalid
	UNION ALL
	SELECT format('partitions of %s', t), 'failed',
		format('%s was made a part of, or a parent of, %s', t, string_agg(other.relation::text, ', ')),
		'A dump of it does not restore, and rows of parts are lost: undo it (NO INHERIT, DETACH PARTITION). One table is enough.'
	FROM reengage.published_tables() t
		JOIN pg_inherits i ON t IN (i.inhrelid, i.inhparent)
		CROSS JOIN LATERAL (VALUES (CASE WHEN i.inhrelid = t THEN i.inhparent ELSE i.inhrelid END::regclass)) other(relation)
	GROUP BY t
$$;
COMMENT ON FUNCTION reengage.check_tables() IS 'the part of replication_check() about the tables';

CREATE FUNCTION reengage.check_slots(
	OUT check_name text, OUT state text, OUT detail text, OUT remedy text) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	WITH here AS (
		SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS lsn
	), slots AS (
		SELECT s.*, to_jsonb(s) ->> 'failover' AS carried_over,
			pg_wal_lsn_diff(here.lsn, s.confirmed_flush_lsn) AS lag,
			pg_wal_lsn_diff(here.lsn, s.restart_lsn) AS retained
		FROM pg_replication_slots s, here
	)
	SELECT 'slots', 'attention', 'no logical replication slot reads this database',
		'Start a reader. One that read before needs a new snapshot; drop the duplicates by lineage_id.'
	WHERE NOT EXISTS (SELECT FROM slots s WHERE s.database = current_database())
	UNION ALL
	SELECT format('slot %I', s.slot_name),
		CASE WHEN s.wal_status = 'lost' THEN 'failed' WHEN s.wal_status = 'unreserved' OR NOT s.active THEN 'attention' ELSE 'ok' END,
		format('%s, plugin %s, behind by %s, retains %s of WAL (%s)', CASE WHEN s.active THEN 'active' ELSE 'nobody reads it' END,
			s.plugin, coalesce(pg_size_pretty(s.lag), 'an unknown amount'),
			coalesce(pg_size_pretty(s.retained), 'nothing'), coalesce(s.wal_status, 'unknown')),
		CASE
			WHEN s.wal_status = 'lost' THEN format('Its WAL is gone: SELECT pg_drop_replication_slot(%L); and let its reader take a new snapshot.', s.slot_name)
			WHEN s.wal_status = 'unreserved' THEN 'Its WAL may be removed at any checkpoint: let its reader catch up, or raise max_slot_wal_keep_size.'
			WHEN NOT s.active THEN format('Start its reader; or, if it will not come back: SELECT pg_drop_replication_slot(%L);', s.slot_name)
		END
	FROM slots s WHERE s.database = current_database()
	UNION ALL
	SELECT 'failover',
		CASE WHEN NOT standbys.expected THEN 'ok' WHEN current_setting('synchronized_standby_slots', true) <> ''
				AND NOT EXISTS (SELECT FROM slots s WHERE s.database = current_database() AND s.carried_over = 'false') THEN 'ok'
			ELSE 'attention' END,
		CASE
			WHEN NOT standbys.expected THEN 'no standby is known here'
			WHEN current_setting('server_version_num')::integer < 170000
				THEN 'a logical slot does not follow to a promoted standby, and a reader may have seen an outcome that the standby has not: it records the nudge as in_doubt'
			ELSE format('synchronized_standby_slots is "%s", and slots without failover: %s', current_setting('synchronized_standby_slots', true),
				(SELECT coalesce(string_agg(s.slot_name, ', '), 'none') FROM slots s WHERE s.database = current_database() AND s.carried_over = 'false'))
		END,
		CASE
			WHEN NOT standbys.expected THEN NULL
			WHEN current_setting('server_version_num')::integer < 170000
				THEN 'After a promotion let the readers take a new snapshot into the same place; where a nudge has two outcomes, the one that the primary has now counts.'
			ELSE 'Name the standbys'' slots in synchronized_standby_slots, and make the logical slots with failover.'
		END
	FROM (SELECT current_setting('synchronous_standby_names') <> ''
			OR EXISTS (SELECT FROM slots s WHERE s.slot_type = 'physical' AND NOT s.temporary) AS expected) standbys
$$;
COMMENT ON FUNCTION reengage.check_slots() IS 'the part of replication_check() about slots';

CREATE FUNCTION reengage.check_settings(
	OUT check_name text, OUT state text, OUT detail text, OUT remedy text) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'wal_level', CASE WHEN l.level = 'logical' THEN 'ok' ELSE 'failed' END, l.level,
		CASE WHEN l.level <> 'logical' THEN 'Set wal_level = logical in postgresql.conf and restart the server.' END
	FROM (SELECT current_setting('wal_level')) l(level)
	UNION ALL
	SELECT 'max_slot_wal_keep_size', CASE WHEN k.size = '-1' THEN 'attention' ELSE 'ok' END, k.size,
		CASE WHEN k.size = '-1' THEN 'A slot that nobody reads keeps WAL until the disk is full. Set it to what an outage of a reader may cost.' END
	FROM (SELECT current_setting('max_slot_wal_keep_size')) k(size)
	UNION ALL
	SELECT 'free ' || f.what, CASE WHEN f.used < f.most THEN 'ok' ELSE 'attention' END,
		format('%s of %s are used', f.used, f.most),
		CASE WHEN f.used >= f.most THEN format('Raise %s and restart the server, or drop what is not used.', f.setting) END
	FROM (VALUES
		('slots', 'max_replication_slots', (SELECT count(*) FROM pg_replication_slots)),
		('senders', 'max_wal_senders', (SELECT count(*) FROM pg_stat_get_wal_senders()))) v(what, setting, used)
		CROSS JOIN LATERAL (SELECT v.what, v.setting, v.used, current_setting(v.setting)::bigint AS most) f
$$;
COMMENT ON FUNCTION reengage.check_settings() IS 'the part of replication_check() about settings';

CREATE FUNCTION reengage.replication_check()
RETURNS TABLE (check_name text, state text, detail text, remedy text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT * FROM reengage.check_settings()
	UNION ALL SELECT * FROM reengage.check_publications()
	UNION ALL SELECT * FROM reengage.check_tables()
	UNION ALL SELECT * FROM reengage.check_slots()
$$;
COMMENT ON FUNCTION reengage.replication_check() IS
	'whether lineage can be replicated, and is: ok, attention or failed, and what to do';

CREATE VIEW reengage.health AS
WITH worker AS (SELECT * FROM reengage.worker_state()),
backlog AS (
	SELECT pg_catalog.count(*) FILTER (WHERE d.due_at <= pg_catalog.now()) AS due,
		   pg_catalog.count(*) FILTER (WHERE d.due_at > pg_catalog.now()) AS scheduled,
		   pg_catalog.min(d.due_at) AS oldest
	FROM reengage.due d
)
SELECT 'fence' AS subject,
	CASE WHEN f.complaint IS NULL THEN 'ok' ELSE 'stopped' END AS state,
	coalesce(f.complaint, 'armed') AS detail,
	CASE WHEN f.complaint IS NOT NULL
		THEN 'If customers are to be written to from this database: SELECT reengage.arm();' END AS remedy
FROM (SELECT reengage.fence_complaint()) f(complaint)
UNION ALL
SELECT 'worker',
	CASE
		WHEN NOT w.preloaded THEN 'absent'
		WHEN pg_catalog.pg_is_in_recovery() THEN 'standby'
		WHEN NOT w.listed THEN 'absent'
		WHEN w.message IS NOT NULL THEN 'failing'
		WHEN w.state = 'running' THEN 'ok'
		ELSE w.state
	END,
	CASE
		WHEN NOT w.preloaded THEN 'reengage is not in shared_preload_libraries'
		WHEN pg_catalog.pg_is_in_recovery() THEN 'this is a standby: nothing is sent before its promotion'
		WHEN NOT w.listed THEN pg_catalog.format('database "%s" is not in reengage.databases', pg_catalog.current_database())
		WHEN w.message IS NOT NULL THEN w.message
		ELSE pg_catalog.format('%s since %s, %s in flight, %s nudges ended, %s restarts',
							   w.state, w.since, w.in_flight, w.ended, w.restarts)
	END,
	CASE
		WHEN NOT w.preloaded THEN 'Add it and restart the server, or schedule CALL reengage.run() with pg_cron.'
		WHEN pg_catalog.pg_is_in_recovery() THEN NULL
		WHEN NOT w.listed THEN 'Add it and reload, or schedule CALL reengage.run() with pg_cron.'
		WHEN w.message IS NOT NULL THEN 'The server log has the details; the worker keeps trying with growing pauses.'
	END
FROM worker w
UNION ALL
SELECT 'server ' || s.srvname,
	CASE WHEN p.server IS NOT NULL THEN 'paused' ELSE coalesce(t.state, 'ok') END,
	CASE WHEN p.server IS NULL THEN coalesce(t.reason, 'nothing is known against it')
		ELSE pg_catalog.concat_ws('; ', 'by ' || p.paused_by || coalesce(': ' || p.reason, ''),
								  pg_catalog.format('also %s: ', t.state) || t.reason) END,
	CASE
		WHEN p.server IS NOT NULL
			THEN pg_catalog.format('Since %s; its nudges stay due. When they may go out: SELECT reengage.resume(%L);', p.since, s.srvname)
		WHEN t.server IS NOT NULL
			THEN pg_catalog.format('Since %s; it is tried again from time to time, its nudges stay due.', t.since)
	END
FROM pg_catalog.pg_foreign_server s
	JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw AND w.fdwname = 'reengage'
	LEFT JOIN reengage.server_state t ON t.server = s.srvname
	LEFT JOIN reengage.pauses p ON p.server = s.srvname
UNION ALL
SELECT 'backlog',
	'ok',
	pg_catalog.format('%s due, %s scheduled for later, oldest %s', b.due, b.scheduled, coalesce(b.oldest::text, 'none')),
	NULL
FROM backlog b
UNION ALL
SELECT 'backlog of server ' || d.server, 'stopped',
	pg_catalog.format('%s nudges are due for a server that does not exist', pg_catalog.count(*)),
	'CREATE SERVER it again.'
FROM reengage.due d
WHERE NOT EXISTS (
	SELECT FROM pg_catalog.pg_foreign_server s
		JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw AND w.fdwname = 'reengage'
	WHERE s.srvname = d.server)
GROUP BY d.server
UNION ALL
SELECT 'doubt', 'attention',
	pg_catalog.format('%s nudges ended in doubt: their call may or may not have taken effect', pg_catalog.count(*)),
	'SELECT * FROM reengage.in_doubt; then settle each with reengage.resolve().'
FROM reengage.in_doubt
HAVING pg_catalog.count(*) > 0;
COMMENT ON VIEW reengage.health IS
	'whether nudges are being sent, and if not, why and what to do';
COMMENT ON COLUMN reengage.health.subject IS 'what the row is about';
COMMENT ON COLUMN reengage.health.state IS 'ok, or one word for what is not';
COMMENT ON COLUMN reengage.health.detail IS 'the facts';
COMMENT ON COLUMN reengage.health.remedy IS 'what to do; null: nothing';

--
-- Privileges.  PUBLIC has nothing; nobody gets TRIGGER, REFERENCES or TRUNCATE.
--
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA reengage FROM PUBLIC;
REVOKE ALL ON ALL PROCEDURES IN SCHEMA reengage FROM PUBLIC;
GRANT USAGE ON SCHEMA reengage
	TO reengage_application, reengage_operator, reengage_reader, reengage_worker;

GRANT INSERT (nudge_id, server, conversation_id, message, address, channel, when_closed,
			  priority, due_at, expires_at, time_zone, campaign, detail)
	ON reengage.nudges TO reengage_application, reengage_operator;
GRANT EXECUTE ON FUNCTION reengage.uuid_v7(), reengage.default_server(), reengage.fence_complaint(),
	reengage.nudge(text, text, text, text, text, text, integer, timestamptz, timestamptz, text, text, jsonb, uuid)
	TO reengage_application, reengage_operator;
GRANT SELECT ON reengage.nudge_status TO reengage_application, reengage_operator, reengage_reader;

GRANT SELECT ON reengage.nudges, reengage.due, reengage.intents, reengage.unresolved, reengage.lineage,
	reengage.identity, reengage.server_state, reengage.pauses, reengage.threads, reengage.in_doubt, reengage.health
	TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage.arm(), reengage.disarm(), reengage.preview(uuid),
	reengage.preflight(text, text),
	reengage.pause(text, text), reengage.resume(text),
	reengage.resolve(uuid, text, text), reengage.redrive(uuid) TO reengage_operator;
GRANT EXECUTE ON PROCEDURE reengage.run(integer, integer) TO reengage_operator;

GRANT SELECT ON reengage.lineage, reengage.threads, reengage.in_doubt, reengage.health TO reengage_reader;
GRANT SELECT ON reengage.lineage_settled TO reengage_operator, reengage_reader;
GRANT SELECT ON reengage.lineage_epochs TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage.lineage_in_progress() TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage.publish(text) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage.replication_check(), reengage.published_tables(), reengage.check_publications(),
	reengage.check_tables(), reengage.check_slots(), reengage.check_settings() TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage.thread(text, text), reengage.worker_state(),
	reengage.fence_complaint() TO reengage_operator, reengage_reader;

-- what the ticks of the worker and of run() do, and no more
GRANT SELECT ON reengage.nudges, reengage.identity, reengage.pauses, reengage.address_key TO reengage_worker;
GRANT UPDATE (timeline) ON reengage.identity TO reengage_worker;
GRANT SELECT, UPDATE, DELETE ON reengage.due TO reengage_worker;
GRANT SELECT, INSERT, DELETE ON reengage.intents TO reengage_worker;
GRANT SELECT, INSERT, DELETE ON reengage.unresolved TO reengage_worker;
GRANT SELECT, INSERT ON reengage.lineage TO reengage_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON reengage.server_state TO reengage_worker;
GRANT EXECUTE ON FUNCTION reengage.uuid_v7(), reengage.fence_complaint(), reengage.lineage_position()
	TO reengage_worker;

-- A preloaded worker that waits for the extension can begin.
SELECT reengage.wake('-infinity');
