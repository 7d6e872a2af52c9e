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
	role pg_roles;
	rights text;
	others text;
BEGIN
	FOREACH role_name IN ARRAY ARRAY['reengage_application', 'reengage_operator',
									 'reengage_reader', 'reengage_worker']
	LOOP
		SELECT * INTO role FROM pg_roles r WHERE r.rolname = role_name;
		IF NOT FOUND THEN
			EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
			CONTINUE;
		END IF;
		rights := concat_ws(', ', CASE WHEN role.rolcanlogin THEN 'LOGIN' END, CASE WHEN role.rolsuper THEN 'SUPERUSER' END,
			CASE WHEN role.rolcreaterole THEN 'CREATEROLE' END, CASE WHEN role.rolcreatedb THEN 'CREATEDB' END,
			CASE WHEN role.rolreplication THEN 'REPLICATION' END, CASE WHEN role.rolbypassrls THEN 'BYPASSRLS' END,
			(SELECT 'a member of superuser ' || string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname)
			 FROM pg_roles r WHERE r.rolsuper AND NOT role.rolsuper AND pg_has_role(role.oid, r.oid, 'MEMBER')));
		IF rights <> '' THEN
			RAISE EXCEPTION 'role "%" exists and is more than a group: %', role_name, rights
				USING ERRCODE = 'object_not_in_prerequisite_state',
					  HINT = 'Drop it, or take that from it: it must be NOLOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS.';
		END IF;
		others := concat_ws('; ',
			(SELECT 'members are ' || string_agg(m.member::regrole || CASE WHEN m.admin_option THEN ' (may add others)' ELSE '' END, ', ' ORDER BY m.member::regrole::text)
			 FROM pg_auth_members m WHERE m.roleid = role.oid),
			(SELECT 'it is a member of ' || string_agg(m.roleid::regrole::text, ', ' ORDER BY m.roleid::regrole::text)
			 FROM pg_auth_members m WHERE m.member = role.oid));
		IF others <> '' THEN
			RAISE WARNING 'role "%" was there before: %', role_name, others
				USING HINT = 'Roles are of the whole cluster: these have its rights in this database, too. REVOKE it from whom it is not for.';
		END IF;
	END LOOP;
END
$$;

--
-- Small functions that the tables need
--
CREATE FUNCTION reengage.uuid_v7() RETURNS uuid
LANGUAGE C VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reengage_uuid_v7';
COMMENT ON FUNCTION reengage.uuid_v7() IS
	'a new UUID version 7 (RFC 9562): millisecond time, then a fraction that keeps the order within a session, then random bits';

CREATE FUNCTION reengage.default_server() RETURNS text
LANGUAGE C STABLE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_default_server_sql';
COMMENT ON FUNCTION reengage.default_server() IS
	'the setting reengage.default_server; an error when it is empty';

CREATE FUNCTION reengage.wake(due_at timestamptz) RETURNS void
LANGUAGE C VOLATILE STRICT
AS 'MODULE_PATHNAME', 'reengage_wake';
COMMENT ON FUNCTION reengage.wake(timestamptz) IS
	'tells this database''s worker, when the transaction commits, that nudges became due from this time on, whoever asked for them';

CREATE FUNCTION reengage.wake_lane(server text, requested_by text, priority integer, due_at timestamptz) RETURNS void
LANGUAGE C VOLATILE STRICT
AS 'MODULE_PATHNAME', 'reengage_wake_lane';
COMMENT ON FUNCTION reengage.wake_lane(text, text, integer, timestamptz) IS
	'likewise, that nudges became due which this role asked for';

CREATE FUNCTION reengage.system_identifier() RETURNS bigint
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reengage_system_identifier';
COMMENT ON FUNCTION reengage.system_identifier() IS
	'the system identifier of this cluster, a part of the fence';

CREATE FUNCTION reengage.site() RETURNS text
LANGUAGE C STABLE STRICT
AS 'MODULE_PATHNAME', 'reengage_site';
COMMENT ON FUNCTION reengage.site() IS
	'the name of this site, a part of the fence: a hash of reengage.instance_key where it is set, else of the machine and the data directory';

CREATE FUNCTION reengage.timeline() RETURNS integer
LANGUAGE C STABLE STRICT
AS 'MODULE_PATHNAME', 'reengage_timeline';
COMMENT ON FUNCTION reengage.timeline() IS
	'the timeline of this server, a part of the fence: a new one begins with each promotion and each point-in-time recovery';

CREATE FUNCTION reengage.shown(value text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN strpos(value, '@') > 0 OR length(regexp_replace(value, '[^0-9]', '', 'g')) >= 7 THEN '...'
		ELSE regexp_replace(left(value, 60), '[[:cntrl:]]', '?', 'g') END
$$;
COMMENT ON FUNCTION reengage.shown(text) IS
	'an argument as an error may show it: not where it may be an address in the wrong place';

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
	when_answered text NOT NULL DEFAULT 'skip',
	answered_since timestamptz,
	priority smallint NOT NULL DEFAULT 5,
	due_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	expires_at timestamptz,
	time_zone text,
	campaign text,
	detail jsonb,
	repeats uuid,
	supersedes boolean NOT NULL DEFAULT false,
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
	refusals smallint NOT NULL DEFAULT 0,
	server text NOT NULL,
	requested_by text COLLATE "C" NOT NULL,
	waiting_for text,
	address_hash text,
	CONSTRAINT due_pkey PRIMARY KEY (nudge_id)
) WITH (
	-- a queue lives on dead rows being removed early, whatever its size
	autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
	autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off
);
CREATE UNIQUE INDEX due_order ON reengage.due (server, priority, requested_by, due_at, nudge_id)
	WHERE server IS NOT NULL;
-- what is due to a customer, by the addresses that nudges name themselves
CREATE INDEX due_customer ON reengage.due (address_hash) WHERE address_hash IS NOT NULL;
COMMENT ON TABLE reengage.due IS
	'the schedule: which nudge may run when; kept by triggers and the worker';
COMMENT ON COLUMN reengage.due.nudge_id IS 'the nudge';
COMMENT ON COLUMN reengage.due.due_at IS 'the earliest time of the next attempt';
COMMENT ON COLUMN reengage.due.api_calls IS 'requests made to the API so far, tokens excluded';
COMMENT ON COLUMN reengage.due.priority IS '0 (most urgent) to 9';
COMMENT ON COLUMN reengage.due.attempt IS 'attempts that were made and had no effect';
COMMENT ON COLUMN reengage.due.round IS 'how often it was put back, for whatever reason; what an intent of an earlier round may have had on the wire had no effect';
COMMENT ON COLUMN reengage.due.refusals IS 'calls that the API forbade (401, 403) to this nudge alone; at the fourth it ends as refused';
COMMENT ON COLUMN reengage.due.server IS 'the foreign server';
COMMENT ON COLUMN reengage.due.requested_by IS 'the role that asked: within a server and priority, roles get their turns one after another';
COMMENT ON COLUMN reengage.due.waiting_for IS 'why due_at was moved; null: nothing but its time';
COMMENT ON COLUMN reengage.due.address_hash IS 'the nudge''s own address, as in lineage.address_hash, or the customer whom a look told of while an opt-out or answer was being recorded; null: neither';

-- what people can let go: see reengage.releases
CREATE INDEX due_held ON reengage.due (server)
	WHERE waiting_for ~ '^(quiet hours|minimum gap|an earlier create)';

CREATE TABLE reengage.releases (server text NOT NULL);
-- it has no key, as two who decide wait for nobody; a publication of all tables
-- must not keep the worker from deleting its rows
ALTER TABLE reengage.releases REPLICA IDENTITY FULL;
COMMENT ON TABLE reengage.releases IS
	'servers of which something was decided that may let go of nudges that are held: a policy has changed, a doubt was resolved; the worker takes the rows, and looks at those nudges again';
COMMENT ON COLUMN reengage.releases.server IS 'the foreign server';

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
	message_id text,
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
		'answered', 'exhausted', 'in_doubt', 'resolved_sent', 'resolved_not_sent', 'imported')),
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
COMMENT ON COLUMN reengage.lineage.conversation_id IS 'where the customer is now; in doubt: the conversation that was notified, or was to be followed';
COMMENT ON COLUMN reengage.lineage.previous_conversation_id IS 'the closed conversation that conversation_id follows; null: it follows none';
COMMENT ON COLUMN reengage.lineage.root_conversation_id IS 'the first conversation of the thread';
COMMENT ON COLUMN reengage.lineage.generation IS 'how many sessions were created since the root; 0: the root itself';
COMMENT ON COLUMN reengage.lineage.status_seen IS 'the status word that the check read last';
COMMENT ON COLUMN reengage.lineage.channel IS 'the channel of the conversation';
COMMENT ON COLUMN reengage.lineage.address_hash IS 'HMAC-SHA256 of the customer''s address under this installation''s key, in hex: of a telephone number in E.164, of an e-mail address in lower case, of any other id as it is; the address itself is not kept';
COMMENT ON COLUMN reengage.lineage.campaign IS 'as the nudge said';
COMMENT ON COLUMN reengage.lineage.attempts IS 'attempts made, the last one included';
COMMENT ON COLUMN reengage.lineage.api_calls IS 'requests made to the API, tokens excluded';
COMMENT ON COLUMN reengage.lineage.api_calls_saved IS 'checks of conversations that were known to be dead and therefore not made; none where the nudge ended before any look, because the customer had opted out or answered';
COMMENT ON COLUMN reengage.lineage.http_status IS 'of the last answer; null: there was none';
COMMENT ON COLUMN reengage.lineage.api_error_code IS 'the API''s own code, masked like its words; printable ASCII';
COMMENT ON COLUMN reengage.lineage.api_error_message IS 'the API''s own words, cut, without what they repeat of the request (***) and without addresses; printable ASCII';
COMMENT ON COLUMN reengage.lineage.correlation_id IS 'the API''s name for the call, for its support';
COMMENT ON COLUMN reengage.lineage.message_id IS 'the API''s own id of the message, which its receipts name; printable ASCII, at most 128 characters; null: it told none';
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

--
-- Of an index of several columns a planner may read the whole to find a later
-- one, and does where the table was empty when it looked.  Only a query that asks
-- for the first column can tell that it wants no row in which that is null, so
-- such an index is one of the rows in which it is not, although all are.
--
-- P7: a dead conversation gets at most one successor
CREATE UNIQUE INDEX lineage_successor ON reengage.lineage (server, previous_conversation_id)
	WHERE previous_conversation_id IS NOT NULL;
-- which thread a conversation belongs to that is not its root; not to be used
-- for successors, whatever a planner makes of a table that is still empty
CREATE INDEX lineage_conversation ON reengage.lineage (conversation_id, server)
	WHERE generation > 0;
-- the tip of a thread, and its story
CREATE INDEX lineage_thread ON reengage.lineage (root_conversation_id, server, generation)
	WHERE root_conversation_id IS NOT NULL;
CREATE INDEX lineage_nudge ON reengage.lineage (nudge_id);
-- a doubt is resolved once
CREATE UNIQUE INDEX lineage_resolves ON reengage.lineage (resolves) WHERE resolves IS NOT NULL;
-- a create in doubt holds back the next create on the same conversation
CREATE INDEX lineage_in_doubt ON reengage.lineage (server, conversation_id)
	WHERE outcome = 'in_doubt';
-- what a customer was told, and where
CREATE INDEX lineage_customer ON reengage.lineage (address_hash, occurred_at)
	WHERE address_hash IS NOT NULL;
-- a conversation is learned of once
CREATE UNIQUE INDEX lineage_imported ON reengage.lineage (server, conversation_id)
	WHERE outcome = 'imported';
-- what a reader has not read yet
CREATE INDEX lineage_order ON reengage.lineage (xact_id, lineage_id)
	WHERE xact_id IS NOT NULL;
-- the rows of a day, in parts, and which days have rows at all
CREATE INDEX lineage_recorded ON reengage.lineage (recorded_at);

CREATE TABLE reengage.lineage_manifest (
	manifest_id uuid NOT NULL DEFAULT reengage.uuid_v7(),
	day text NOT NULL,
	as_of timestamptz NOT NULL,
	row_count bigint NOT NULL,
	digest bigint NOT NULL,
	CONSTRAINT lineage_manifest_pkey PRIMARY KEY (manifest_id),
	CONSTRAINT lineage_manifest_day_check CHECK (day ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$')
);
CREATE INDEX lineage_manifest_day ON reengage.lineage_manifest (day, as_of);
COMMENT ON TABLE reengage.lineage_manifest IS
	'what lineage held at the end of each day: wherever its rows were replicated to, this tells whether all have arrived; append-only, the newest row of a day counts';
COMMENT ON COLUMN reengage.lineage_manifest.manifest_id IS 'identity of the row, ordered by time';
COMMENT ON COLUMN reengage.lineage_manifest.day IS 'YYYY-MM-DD: the day, in UTC, of lineage.recorded_at';
COMMENT ON COLUMN reengage.lineage_manifest.as_of IS 'when it was written; later than that of any earlier row of the day';
COMMENT ON COLUMN reengage.lineage_manifest.row_count IS 'rows of lineage that were recorded on that day';
COMMENT ON COLUMN reengage.lineage_manifest.digest IS 'the sum of their lineage_digest(), modulo 2^53';

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
	detail text,
	step text,
	since timestamptz NOT NULL DEFAULT pg_catalog.now(),
	until timestamptz,
	CONSTRAINT server_state_pkey PRIMARY KEY (server),
	CONSTRAINT server_state_check CHECK (state IN ('blocked', 'resting', 'attention')),
	CONSTRAINT server_state_step_check CHECK (step IN ('check', 'notify', 'create'))
);
COMMENT ON TABLE reengage.server_state IS
	'servers that are not called as usual, and why, or what an operator has to know; no row: nothing is known against it';
COMMENT ON COLUMN reengage.server_state.server IS 'the foreign server';
COMMENT ON COLUMN reengage.server_state.state IS
	'blocked: the worker cannot or may not call it, and tries again from time to time; resting: the API asked not to be called; attention: it is called, but refused a nudge what it has granted nobody since';
COMMENT ON COLUMN reengage.server_state.reason IS 'what is wrong, in words that say nothing of anybody''s call';
COMMENT ON COLUMN reengage.server_state.detail IS 'for operators: the nudges and conversations that met it, and the API''s own words, which may quote a message; null: there is no more to say';
COMMENT ON COLUMN reengage.server_state.step IS 'the kind of call that was refused, or too many: check, notify or create; null: any';
COMMENT ON COLUMN reengage.server_state.since IS 'since when';
COMMENT ON COLUMN reengage.server_state.until IS 'not to be called before; null: tried again from time to time';

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

CREATE TABLE reengage.address_key (
	key bytea NOT NULL,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	CONSTRAINT address_key_pkey PRIMARY KEY (key)
);
COMMENT ON TABLE reengage.address_key IS
	'the key of lineage.address_hash, made by what first needs it: arm(), suppress(), record_answer(), import_history() or a nudge with an address; the oldest row counts, so that a restored dump keeps its hashes';
COMMENT ON COLUMN reengage.address_key.key IS '32 random bytes';
COMMENT ON COLUMN reengage.address_key.created_at IS 'when it was made';

SELECT pg_catalog.pg_extension_config_dump('reengage.nudges', '');
SELECT pg_catalog.pg_extension_config_dump('reengage.intents', '');
SELECT pg_catalog.pg_extension_config_dump('reengage.unresolved', '');
SELECT pg_catalog.pg_extension_config_dump('reengage.lineage', '');
SELECT pg_catalog.pg_extension_config_dump('reengage.lineage_manifest', '');
SELECT pg_catalog.pg_extension_config_dump('reengage.pauses', '');
SELECT pg_catalog.pg_extension_config_dump('reengage.suppressions', '');
SELECT pg_catalog.pg_extension_config_dump('reengage.answers', '');
SELECT pg_catalog.pg_extension_config_dump('reengage.address_key', '');

--
-- Triggers
--
CREATE FUNCTION reengage.nudges_validate() RETURNS trigger
LANGUAGE C SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_nudges_validate';
COMMENT ON FUNCTION reengage.nudges_validate() IS
	'refuses a nudge that can never be sent, naming the value';

CREATE FUNCTION reengage.check_max_due(server text, asker text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	most bigint := (SELECT min(p.max_due) FROM reengage.policies p WHERE p.server = check_max_due.server);
	-- no more of them are read than decide it
	due bigint := (SELECT count(*) FROM (
		SELECT FROM generate_series(0, 9) AS priorities (priority)
			CROSS JOIN LATERAL (
				SELECT FROM reengage.due d
				WHERE most IS NOT NULL AND d.server = check_max_due.server AND d.priority = priorities.priority
				  AND d.requested_by = check_max_due.asker
				LIMIT most + 1) d
		LIMIT most + 1) d);
BEGIN
	IF due > most THEN
		RAISE EXCEPTION 'role "%" would have more than % nudges due at server "%"', asker, most, server
			USING ERRCODE = 'configuration_limit_exceeded',
				  DETAIL = format('A policy (max_due) allows each role %s there, scheduled ones included.', most),
				  HINT = 'Ask for fewer, or again when some have ended; an operator can raise max_due in reengage.policies.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage.check_max_due(text, text) IS
	'an error if a role has more nudges due at a server than its policies allow, as far as the snapshot shows them';

CREATE FUNCTION reengage.nudges_schedule() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
-- The plan is kept for the life of a session and must not become a sequential
-- scan of a table that was empty when the plan was made.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	lanes bigint;
BEGIN
	IF EXISTS (SELECT FROM new_nudges n WHERE n.supersedes AND n.requested_at = now()) THEN
		PERFORM reengage.cancel_older(ARRAY(
			SELECT n.nudge_id FROM new_nudges n WHERE n.supersedes AND n.requested_at = now()));
	END IF;
	IF EXISTS (SELECT FROM new_nudges n WHERE n.address IS NOT NULL) THEN
		PERFORM reengage.make_address_key();
	END IF;
	-- A row that carries another requested_at than now comes out of a dump: it
	-- is due only if it has no outcome.
	WITH scheduled AS (
		INSERT INTO reengage.due (nudge_id, server, requested_by, priority, due_at, address_hash)
		SELECT d.nudge_id, s.server, s.requested_by, d.priority, d.due_at, d.address_hash
		FROM (SELECT n.server, n.requested_by::name::text AS requested_by, array_agg(n.nudge_id) AS nudge_ids, array_agg(n.priority) AS priorities,
				array_agg(greatest(n.due_at, now())) AS times, array_agg(n.address) AS addresses, array_agg(n.channel) AS channels,
				bool_or(n.address IS NOT NULL) AS named
			  -- in parts: arrays of all rows of a restore would not fit into memory
			  FROM (SELECT *, row_number() OVER () / 10000 AS part FROM new_nudges) n
			  WHERE n.requested_at = now()
				 OR NOT EXISTS (SELECT FROM reengage.lineage l WHERE l.nudge_id = n.nudge_id)
			  GROUP BY 1, 2, n.part) s
			CROSS JOIN LATERAL unnest(s.nudge_ids, s.priorities, s.times,
					CASE WHEN s.named THEN reengage.own_customers(s.server, s.addresses, s.channels) END)
				AS d (nudge_id, priority, due_at, address_hash)
		RETURNING server, requested_by, priority, due_at
	)
	SELECT count(reengage.wake_lane(l.server, l.requested_by, l.priority, l.due_at)) INTO lanes
	FROM (SELECT s.server, s.requested_by, s.priority, min(s.due_at) AS due_at
		  FROM scheduled s GROUP BY 1, 2, 3) l;
	IF EXISTS (SELECT FROM reengage.policies p WHERE p.max_due IS NOT NULL) THEN
		PERFORM reengage.check_max_due(a.server, a.asker)
		FROM (SELECT DISTINCT n.server, n.requested_by::name::text AS asker
			  FROM new_nudges n WHERE n.requested_at = now()) a;
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION reengage.nudges_schedule() IS 'makes inserted nudges due, and wakes the worker at commit';

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

CREATE FUNCTION reengage.refuse_truncate() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RAISE EXCEPTION 'TRUNCATE of table "reengage.%" is not allowed', TG_TABLE_NAME
		USING ERRCODE = 'feature_not_supported',
			  DETAIL = 'Nudges without an outcome would never be sent.',
			  HINT = 'reengage.cancel_campaign(), cancel_thread() and cancel_customer() cancel nudges.';
END
$$;
COMMENT ON FUNCTION reengage.refuse_truncate() IS 'keeps the schedule whole';

CREATE TRIGGER validate BEFORE INSERT ON reengage.nudges
	FOR EACH ROW EXECUTE FUNCTION reengage.nudges_validate();
CREATE TRIGGER schedule AFTER INSERT ON reengage.nudges
	REFERENCING NEW TABLE AS new_nudges
	FOR EACH STATEMENT EXECUTE FUNCTION reengage.nudges_schedule();
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON reengage.nudges
	FOR EACH STATEMENT EXECUTE FUNCTION reengage.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON reengage.due
	FOR EACH STATEMENT EXECUTE FUNCTION reengage.refuse_truncate();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON reengage.lineage
	FOR EACH STATEMENT EXECUTE FUNCTION reengage.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON reengage.lineage_manifest
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

--
-- Not asking any more
--
CREATE FUNCTION reengage.lock_nudge(nudge_id uuid) RETURNS void
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_lock_nudge';
COMMENT ON FUNCTION reengage.lock_nudge(uuid) IS
	'until the end of the transaction, the worker begins no call for this nudge and writes no outcome';

CREATE FUNCTION reengage.nudge_locks() RETURNS integer
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'reengage_nudge_locks';
COMMENT ON FUNCTION reengage.nudge_locks() IS
	'how many nudges this transaction has locked: beyond a hundred, lock_part() is for all of them, as the locks of a server are few';

CREATE FUNCTION reengage.lock_campaign(server text, campaign text) RETURNS void
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_lock_campaign';
COMMENT ON FUNCTION reengage.lock_campaign(text, text) IS
	'likewise for all nudges of a campaign, whoever asked for them';

CREATE FUNCTION reengage.lock_part(server text, requested_by text, campaign text, shared boolean) RETURNS void
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_lock_part';
COMMENT ON FUNCTION reengage.lock_part(text, text, text, boolean) IS
	'likewise for all nudges that a role asked for of a campaign, or of none (''''); shared: together with others that lock single nudges of it';

CREATE FUNCTION reengage.lock_superseding(server text, requested_by text, campaign text, stripe integer) RETURNS void
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_lock_superseding';
COMMENT ON FUNCTION reengage.lock_superseding(text, text, text, integer) IS
	'of two transactions of a role whose nudges take the place of older ones in this stripe of a campaign''s threads, the second waits for the first, and sees its nudges';

CREATE FUNCTION reengage.lock_server(server text) RETURNS void
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_lock_server';
COMMENT ON FUNCTION reengage.lock_server(text) IS
	'until the end of the transaction, the worker begins no nudge of this server and records no call';

CREATE FUNCTION reengage.lock_thread(server text, root_conversation_id text) RETURNS void
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_lock_thread';
COMMENT ON FUNCTION reengage.lock_thread(text, text) IS
	'until unlock_thread(), the worker begins no call for this thread';

CREATE FUNCTION reengage.unlock_thread(server text, root_conversation_id text) RETURNS void
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_unlock_thread';
COMMENT ON FUNCTION reengage.unlock_thread(text, text) IS
	'ends lock_thread(): what is written of the thread by now, the worker sees, and begins no call until the transaction has ended';

CREATE FUNCTION reengage.lock_customer(address_hash text) RETURNS void
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_lock_customer';
COMMENT ON FUNCTION reengage.lock_customer(text) IS
	'until unlock_customer(), the worker begins no call to this customer';

CREATE FUNCTION reengage.unlock_customer(address_hash text) RETURNS void
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_unlock_customer';
COMMENT ON FUNCTION reengage.unlock_customer(text) IS
	'ends lock_customer(): what is written of the customer by now, the worker sees, and begins no call until the transaction has ended';

CREATE FUNCTION reengage.locked_by(locker xid, nudge_id uuid, server text, requested_by text, campaign text, conversation_id text, address_hash text) RETURNS text
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'reengage_locked_by';
COMMENT ON FUNCTION reengage.locked_by(xid, uuid, text, text, text, text, text) IS
	'for nudge_status: what kind of transaction that has not ended keeps a due nudge back; null: none, as far as is known';

CREATE FUNCTION reengage.locate(server text, conversation_id text,
	OUT root text, OUT tip text, OUT generation integer)
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
	WITH RECURSIVE step (conversation_id) AS (
		SELECT coalesce((
			SELECT l.root_conversation_id FROM (
				SELECT * FROM reengage.lineage l
				-- where it became one: a nudge may end in a conversation of another thread
				WHERE l.server = $1 AND l.conversation_id = $2 AND l.generation > 0
				  AND l.previous_conversation_id IS NOT NULL
				OFFSET 0) l
			ORDER BY l.lineage_id LIMIT 1), $2)
		-- not UNION ALL: it ends in a ring, without a list in each row of what was visited
		UNION
		SELECT l.conversation_id
		FROM step CROSS JOIN LATERAL (
			SELECT * FROM reengage.lineage l
			WHERE l.server = $1 AND l.previous_conversation_id = step.conversation_id
			OFFSET 0) l
	)
	-- in the order in which they were found
	SELECT w.conversations[1], w.conversations[cardinality(w.conversations)], cardinality(w.conversations) - 1
	FROM (SELECT array_agg(step.conversation_id) AS conversations FROM step) w
$$;
COMMENT ON FUNCTION reengage.locate(text, text) IS
	'the thread that a conversation belongs to: its first conversation, its newest, and how many sessions lie between';

CREATE FUNCTION reengage.require_read_committed() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
		RAISE EXCEPTION 'a nudge cannot be cancelled in a transaction of isolation level "%"',
			current_setting('transaction_isolation')
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = 'Its snapshot does not show the calls that began after it.',
				  HINT = 'Use READ COMMITTED.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage.require_read_committed() IS
	'an error where the transaction cannot see what was committed a moment ago';

CREATE FUNCTION reengage.cancel_locked(nudge_ids uuid[], reason text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	ended bigint;
	cancelled bigint;
BEGIN
	WITH ended AS (
		DELETE FROM reengage.due d USING reengage.nudges n
		WHERE d.nudge_id = ANY (nudge_ids) AND n.nudge_id = d.nudge_id
		  AND d.nudge_id <> ALL (ARRAY(SELECT unnest(i.nudge_ids) FROM reengage.intents i))
		  AND NOT EXISTS (SELECT FROM reengage.unresolved u WHERE u.nudge_id = d.nudge_id)
		RETURNING n.*, d.attempt, d.api_calls
	), stored AS (
		INSERT INTO reengage.lineage
			(nudge_id, server, outcome, reason, requested_conversation_id, conversation_id,
			 root_conversation_id, generation, campaign, attempts, api_calls, api_calls_saved,
			 requested_at, due_at, occurred_at, detail)
		SELECT e.nudge_id, e.server, 'cancelled', cancel_locked.reason, e.conversation_id, t.tip,
			   t.root, t.generation, e.campaign, e.attempt, e.api_calls, 0,
			   e.requested_at, e.due_at, clock_timestamp(), e.detail
		FROM ended e CROSS JOIN LATERAL reengage.locate(e.server, e.conversation_id) t
		RETURNING lineage_id
	)
	SELECT (SELECT count(*) FROM ended), (SELECT count(*) FROM stored) INTO ended, cancelled;
	IF cancelled <> ended THEN
		RAISE EXCEPTION 'a trigger on table "reengage.lineage" keeps outcomes from being stored'
			USING ERRCODE = 'triggered_action_exception', HINT = 'Drop the trigger.';
	END IF;
	RETURN cancelled;
END
$$;
COMMENT ON FUNCTION reengage.cancel_locked(uuid[], text) IS
	'cancels those of the nudges, all of them locked, for which no call may be on the wire; returns how many';

CREATE FUNCTION reengage.cancel_for(nudge_id uuid, caller text, may_cancel_all boolean) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	asked reengage.nudges;
	many boolean := reengage.nudge_locks() >= 100;
BEGIN
	PERFORM reengage.require_read_committed();
	SELECT * INTO asked FROM reengage.nudges n
	WHERE n.nudge_id = cancel_for.nudge_id AND (may_cancel_all OR n.requested_by = caller);
	IF NOT FOUND THEN
		RAISE EXCEPTION 'nudge % does not exist', nudge_id
			USING ERRCODE = 'undefined_object',
				  DETAIL = CASE WHEN NOT may_cancel_all
						   THEN format('Or it is not one that role "%s" asked for.', caller)
						   ELSE 'There is no row of reengage.nudges with this id.' END;
	END IF;
	PERFORM reengage.lock_part(asked.server, asked.requested_by::name::text, coalesce(asked.campaign, ''), NOT many);
	IF NOT many THEN
		PERFORM reengage.lock_nudge(nudge_id);
	END IF;
	RETURN CASE reengage.cancel_locked(ARRAY[nudge_id], NULL) WHEN 1 THEN 'cancelled' ELSE 'too late' END;
END
$$;
COMMENT ON FUNCTION reengage.cancel_for(uuid, text, boolean) IS 'cancel(), once it is known who calls it';

CREATE FUNCTION reengage.cancel(nudge_id uuid) RETURNS text
LANGUAGE C STRICT VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off
AS 'MODULE_PATHNAME', 'reengage_cancel';
COMMENT ON FUNCTION reengage.cancel(uuid) IS
	'cancels a nudge and says "cancelled", or "too late" where a call may have been made or it has ended; holds as soon as the transaction commits; an application cancels its own nudges, an operator all';

CREATE FUNCTION reengage.cancel_campaign(campaign text, server text DEFAULT NULL,
	OUT cancelled bigint, OUT too_late bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	of_server text := coalesce(cancel_campaign.server, reengage.default_server());
	due uuid[];
BEGIN
	PERFORM reengage.require_read_committed();
	PERFORM reengage.require_server(of_server);
	IF campaign IS NULL THEN
		RAISE EXCEPTION 'a campaign must be named' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	PERFORM reengage.lock_campaign(of_server, campaign);
	due := ARRAY(SELECT d.nudge_id FROM reengage.due d JOIN reengage.nudges n ON n.nudge_id = d.nudge_id
				 WHERE n.server = of_server AND n.campaign = cancel_campaign.campaign);
	cancelled := reengage.cancel_locked(due, 'campaign_cancelled');
	too_late := cardinality(due) - cancelled;
END
$$;
COMMENT ON FUNCTION reengage.cancel_campaign(text, text) IS
	'cancels all nudges of a campaign at a server that have not ended, and tells how many it was too late for: their call may have been made; commit soon, the campaign rests until then';

CREATE FUNCTION reengage.cancel_older(newer uuid[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	older uuid[];
	many boolean;
BEGIN
	PERFORM reengage.require_read_committed();
	-- all locks in one order, so that two of these wait for each other in one way only
	PERFORM reengage.lock_superseding(p.server, p.asker, p.campaign, p.stripe)
	FROM (SELECT DISTINCT n.server, n.requested_by::name::text AS asker, coalesce(n.campaign, '') AS campaign,
			abs(hashtext(t.root) % 64) AS stripe
		  FROM reengage.nudges n CROSS JOIN LATERAL reengage.locate(n.server, n.conversation_id) t
		  WHERE n.nudge_id = ANY (newer) ORDER BY 1, 2, 3, 4) p;
	-- each thread is looked for once, not once for every nudge that might be an older one
	WITH named AS MATERIALIZED (
		SELECT DISTINCT n.server, n.campaign, c.conversation_id, n.requested_by,
			EXISTS (SELECT FROM pg_roles r
					WHERE r.rolname = n.requested_by AND pg_has_role(r.oid, 'reengage_operator', 'USAGE')) AS may_cancel_all
		FROM reengage.nudges n
			CROSS JOIN LATERAL reengage.locate(n.server, n.conversation_id) t
			CROSS JOIN LATERAL (
				SELECT t.root AS conversation_id
				UNION
				SELECT l.conversation_id FROM reengage.lineage l
				WHERE l.root_conversation_id = t.root AND l.server = n.server) c
		WHERE n.nudge_id = ANY (newer)
	)
	SELECT array_agg(DISTINCT o.nudge_id ORDER BY o.nudge_id) INTO older
	FROM named c
		CROSS JOIN LATERAL (
			SELECT o.nudge_id FROM reengage.nudges o
			WHERE o.conversation_id = c.conversation_id
			  AND o.server = c.server AND o.campaign IS NOT DISTINCT FROM c.campaign
			  -- as cancel() has it
			  AND (c.may_cancel_all OR o.requested_by = c.requested_by) OFFSET 0) o
		CROSS JOIN LATERAL (SELECT FROM reengage.due d WHERE d.nudge_id = o.nudge_id OFFSET 0) d
	WHERE o.nudge_id <> ALL (newer);
	IF older IS NULL THEN
		RETURN;
	END IF;
	-- the lock table is not made for thousands
	many := cardinality(older) + reengage.nudge_locks() > 100;
	PERFORM reengage.lock_part(c.server, c.asker, c.campaign, NOT many)
	FROM (SELECT DISTINCT n.server, n.requested_by::name::text AS asker, coalesce(n.campaign, '') AS campaign
		  FROM reengage.nudges n WHERE n.nudge_id = ANY (older) ORDER BY 1, 2, 3) c;
	IF NOT many THEN
		PERFORM reengage.lock_nudge(o.nudge_id) FROM unnest(older) AS o (nudge_id);
	END IF;
	PERFORM reengage.cancel_locked(older, 'superseded');
END
$$;
COMMENT ON FUNCTION reengage.cancel_older(uuid[]) IS
	'cancels what nudges with "supersedes" take the place of, as far as whoever asked for them may cancel it';

--
-- Whom not to write to
--
CREATE FUNCTION reengage.hash_addresses(key bytea, addresses text[]) RETURNS text[]
LANGUAGE C STRICT IMMUTABLE
AS 'MODULE_PATHNAME', 'reengage_hash_addresses';
COMMENT ON FUNCTION reengage.hash_addresses(bytea, text[]) IS
	'the keyed hashes of normal forms, byte for byte, as in lineage.address_hash; null of one that cannot be put into UTF-8';

CREATE FUNCTION reengage.normal_addresses(addresses text[], channels text[], country_code text) RETURNS text[]
LANGUAGE C IMMUTABLE
AS 'MODULE_PATHNAME', 'reengage_normal_addresses';
COMMENT ON FUNCTION reengage.normal_addresses(text[], text[], text) IS
	'the forms in which addresses are compared, each on its channel: a telephone number in E.164, an e-mail address in lower case, any other id as it is; null of what is no address there, and of a national number without a country code (digits; null: not known); without a channel an address is what it looks like';

CREATE FUNCTION reengage.country_code_of(server text) RETURNS text
LANGUAGE C STABLE STRICT
AS 'MODULE_PATHNAME', 'reengage_country_code_of';
COMMENT ON FUNCTION reengage.country_code_of(text) IS
	'the default_country_code of a server; null: it has none';

CREATE FUNCTION reengage.form_hash(form text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT (reengage.hash_addresses(k.key, ARRAY[form]))[1]
	FROM reengage.address_key k ORDER BY k.created_at, k.key LIMIT 1
$$;
COMMENT ON FUNCTION reengage.form_hash(text) IS
	'the keyed hash of a normal form, as lineage.address_hash has it; null while there is no key';

CREATE FUNCTION reengage.address_hash(address text, channel text DEFAULT NULL, server text DEFAULT NULL) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT reengage.form_hash(coalesce(
		(reengage.normal_addresses(ARRAY[address], ARRAY[channel], reengage.country_code_of(server)))[1],
		-- as the engine has it where nobody tells the channel
		CASE WHEN channel IS NULL THEN coalesce((reengage.normal_addresses(ARRAY[address], ARRAY['whatsapp'], NULL))[1],
			(reengage.normal_addresses(ARRAY[address], ARRAY['open'], NULL))[1]) END))
$$;
COMMENT ON FUNCTION reengage.address_hash(text, text, text) IS
	'an address on a channel as lineage.address_hash has it, read with the default_country_code of the server; without a channel an address is what it looks like; null of what is no address, and while there is no key';

CREATE FUNCTION reengage.own_customers(server text, addresses text[], channels text[]) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- not in SQL: each INSERT would plan it anew
	RETURN (SELECT reengage.hash_addresses(k.key, CASE
		WHEN array_position(channels, NULL) IS NULL THEN reengage.normal_addresses(addresses, channels, reengage.country_code_of(server))
		ELSE ARRAY(
			-- as address_hash() has it where nobody tells the channel
			SELECT coalesce(f.form, CASE WHEN f.channel IS NULL THEN coalesce(f.of_whatsapp, f.of_open) END)
			FROM unnest(reengage.normal_addresses(addresses, channels, reengage.country_code_of(server)), channels,
						reengage.normal_addresses(addresses, array_fill('whatsapp'::text, ARRAY[cardinality(addresses)]), NULL),
						reengage.normal_addresses(addresses, array_fill('open'::text, ARRAY[cardinality(addresses)]), NULL))
				WITH ORDINALITY AS f (form, channel, of_whatsapp, of_open, place)
			ORDER BY f.place) END)
	FROM reengage.address_key k ORDER BY k.created_at, k.key LIMIT 1);
END
$$;
COMMENT ON FUNCTION reengage.own_customers(text, text[], text[]) IS
	'the addresses that nudges of a server name, each on its channel, as lineage.address_hash has them; null of what is none';

CREATE FUNCTION reengage.make_address_key() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF EXISTS (SELECT FROM reengage.address_key) THEN
		RETURN;
	END IF;
	LOCK TABLE reengage.address_key IN SHARE ROW EXCLUSIVE MODE;
	INSERT INTO reengage.address_key (key)
	SELECT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
	WHERE NOT EXISTS (SELECT FROM reengage.address_key);
END
$$;
COMMENT ON FUNCTION reengage.make_address_key() IS 'makes the key of address hashes, once';

CREATE FUNCTION reengage.address_readings(address text, channel text, country_codes text[])
RETURNS TABLE (kind text, form text, label text)
LANGUAGE C STABLE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_address_readings';
COMMENT ON FUNCTION reengage.address_readings(text, text, text[]) IS
	'the normal forms of an address on a channel, or without one of all that it may plausibly be, numbers without a country read in each of these; an error if there is none';

CREATE FUNCTION reengage.known_channels() RETURNS text[]
LANGUAGE C IMMUTABLE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_known_channels';
COMMENT ON FUNCTION reengage.known_channels() IS 'the words for channels that messaging APIs have';

CREATE FUNCTION reengage.require_channel(channel text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	blanks text := E' \t\n\r';
	word text;
	known text[];
BEGIN
	-- the blank that does not break, where the encoding is sure to have it: elsewhere, to name it is an error
	IF getdatabaseencoding() = 'UTF8' THEN
		blanks := blanks || chr(160);
	END IF;
	word := lower(btrim(channel, blanks) COLLATE "C");
	IF word IS NULL OR word = ANY (reengage.known_channels()) THEN
		RETURN word;
	END IF;
	SELECT array_agg(DISTINCT c.channel ORDER BY c.channel) INTO known
	FROM (SELECT unnest(reengage.known_channels()) AS channel
		  UNION ALL
		  SELECT unnest(string_to_array(o.option_value, ','))
		  FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
			  CROSS JOIN pg_options_to_table(s.srvoptions) o
		  WHERE w.fdwname = 'reengage' AND o.option_name = 'proactive_channels') c
	WHERE c.channel <> '';
	IF word <> ALL (known) THEN
		RAISE EXCEPTION 'channel "%" is not known', reengage.shown(word)
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = format('Known are %s; a server''s option proactive_channels may name more.', array_to_string(known, ', '));
	END IF;
	RETURN word;
END
$$;
COMMENT ON FUNCTION reengage.require_channel(text) IS
	'a channel in lower case, without blanks around it; an error if neither an API nor the proactive_channels of a server have it';

CREATE FUNCTION reengage.customer_readings(address text, channel text, server text)
RETURNS TABLE (kind text, address_hash text, label text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
	country_codes text[] := ARRAY(
		SELECT DISTINCT c.code
		FROM pg_foreign_server s CROSS JOIN reengage.country_code_of(s.srvname) AS c (code)
		WHERE s.srvname = coalesce(server, s.srvname) AND c.code IS NOT NULL
		ORDER BY 1);
BEGIN
	IF length(address) > 256 OR address ~ '[[:cntrl:]]' THEN
		RAISE EXCEPTION 'invalid address of % characters', length(address)
			USING ERRCODE = 'invalid_parameter_value',
				  DETAIL = 'It must have at most 256 characters, and no control characters.';
	END IF;
	PERFORM reengage.make_address_key();
	-- always in one order, as they are locked one after the other
	RETURN QUERY
		SELECT r.kind, reengage.form_hash(r.form), r.label
		FROM reengage.address_readings(address, channel, country_codes) r ORDER BY 2;
END
$$;
COMMENT ON FUNCTION reengage.customer_readings(text, text, text) IS
	'the customers that an address means, as lineage.address_hash has them, with what may be shown of each: one on a known channel, without a channel each that it may plausibly be; an error if it is none';

CREATE FUNCTION reengage.suppression_subject(address text, conversation_id text, channel text, server text,
	OUT address_hash text, OUT root_conversation_id text, OUT of_server text, OUT kind text, OUT label text)
RETURNS SETOF record
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
	IF num_nonnulls(suppression_subject.address, suppression_subject.conversation_id) <> 1 THEN
		RAISE EXCEPTION 'either an address or a conversation_id must be given'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF suppression_subject.server IS NOT NULL THEN
		PERFORM reengage.require_server(suppression_subject.server);
	END IF;
	IF address IS NOT NULL THEN
		of_server := suppression_subject.server;
		FOR kind, address_hash, label IN
			SELECT r.kind, r.address_hash, r.label
			FROM reengage.customer_readings(address, suppression_subject.channel, suppression_subject.server) r
		LOOP
			RETURN NEXT;
		END LOOP;
		RETURN;
	END IF;
	IF conversation_id !~ '^[A-Za-z0-9._~-]{1,128}$' OR conversation_id IN ('.', '..') THEN
		-- it is not shown: an address in the wrong place is a customer's
		RAISE EXCEPTION 'invalid conversation_id'
			USING ERRCODE = 'invalid_parameter_value',
				  DETAIL = 'It must have 1 to 128 characters of A-Z a-z 0-9 . _ ~ - and not be "." or "..".',
				  HINT = 'A customer is named by an address: by the argument address, or by cancel_customer().';
	END IF;
	of_server := coalesce(suppression_subject.server, reengage.default_server());
	kind := 'conversation';
	label := conversation_id;
	-- a conversation may carry more than one thread
	FOR root_conversation_id IN
		SELECT l.root_conversation_id FROM reengage.lineage l
		WHERE l.server = of_server AND l.conversation_id = suppression_subject.conversation_id AND l.generation > 0
		UNION
		SELECT suppression_subject.conversation_id
		ORDER BY 1
	LOOP
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION reengage.suppression_subject(text, text, text, text) IS
	'whom suppress() and unsuppress() are about';

CREATE FUNCTION reengage.on_the_wire(address_hash text, server text, root_conversation_id text)
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
			WHERE l.root_conversation_id = on_the_wire.root_conversation_id AND l.server = on_the_wire.server);
	END IF;
	asked := ARRAY(SELECT n.nudge_id FROM reengage.nudges n
				   WHERE n.conversation_id = ANY (conversations) AND n.server = on_the_wire.server);
	RETURN QUERY
		SELECT c.nudge_id, c.step, min(c.since)
		FROM (SELECT i.nudge_id, i.step, n.recorded_at AS since
			  FROM reengage.intents n CROSS JOIN LATERAL ROWS FROM (
				  unnest(n.nudge_ids), unnest(n.steps), unnest(n.address_hashes)) AS i (nudge_id, step, address_hash)
			  WHERE i.address_hash = on_the_wire.address_hash OR i.nudge_id = ANY (asked)
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
COMMENT ON FUNCTION reengage.on_the_wire(text, text, text) IS
	'the calls to a customer, or in a thread, that may have been on the wire, as far as the snapshot shows them';

CREATE FUNCTION reengage.require_reason(reason text) RETURNS text
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
COMMENT ON FUNCTION reengage.require_reason(text) IS 'a reason, null of an empty one; an error if it is longer than 1000 bytes';

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
	of_channel text := reengage.require_channel(channel);
	said text := reengage.require_reason(reason);
	-- in a function of its owner's rights the caller is who logged in
	speaker text := CASE WHEN pg_has_role(session_user, 'reengage_operator', 'USAGE') THEN 'operator' ELSE 'caller' END;
	understood text[];
	subject record;
BEGIN
	IF until <= now() THEN
		RAISE EXCEPTION 'invalid until: %', until
			USING ERRCODE = 'invalid_parameter_value', DETAIL = 'It has passed.';
	END IF;
	FOR subject IN SELECT * FROM reengage.suppression_subject(address, suppress.conversation_id, of_channel, server)
	LOOP
		understood := understood || concat_ws(' ', subject.kind, subject.label);
		PERFORM reengage.lock_customer(subject.address_hash);
		PERFORM reengage.lock_thread(subject.of_server, subject.root_conversation_id);
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
		PERFORM reengage.unlock_thread(subject.of_server, subject.root_conversation_id);
		PERFORM reengage.unlock_customer(subject.address_hash);
		RETURN QUERY
			SELECT * FROM reengage.on_the_wire(subject.address_hash, subject.of_server, subject.root_conversation_id);
	END LOOP;
	RAISE NOTICE 'opted out: %, on %',
		(SELECT string_agg(DISTINCT u.words, ' or ') FROM unnest(understood) u (words)), coalesce('channel ' || of_channel, 'all channels');
END
$$;
COMMENT ON FUNCTION reengage.suppress(text, text, text, text, timestamptz, text) IS
	'an opt-out: nothing more is sent to an address, or in a thread, once this has committed; on one channel or all, at one server or all (of a conversation: reengage.default_server), until a time or for ever: the later one holds; says as a notice whom it understood: an address without a channel is every customer that it may plausibly be; returns the calls that may have been on the wire by then, as far as the snapshot shows them: use READ COMMITTED';

CREATE FUNCTION reengage.record_opt_out(server text, channel text, address_hash text,
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
COMMENT ON FUNCTION reengage.record_opt_out(text, text, text, text, text, text) IS
	'for the worker: what an API said of a recipient, or of one in a thread whose address nobody knows, who wants no messages; for ever, at this server and on this channel';

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
	of_channel text := reengage.require_channel(channel);
	lifted integer := 0;
	count integer;
	subject record;
BEGIN
	FOR subject IN SELECT * FROM reengage.suppression_subject(address, unsuppress.conversation_id, of_channel, server)
	LOOP
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

--
-- Who has answered, and who has bought
--
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
	FOR subject IN SELECT * FROM reengage.suppression_subject(address, record_answer.conversation_id, reengage.require_channel(channel), server)
	LOOP
		PERFORM reengage.lock_customer(subject.address_hash);
		PERFORM reengage.lock_thread(subject.of_server, subject.root_conversation_id);
		of_server := CASE WHEN subject.address_hash IS NULL THEN subject.of_server END;
		INSERT INTO reengage.answers AS a (address_hash, root_conversation_id, server, answered_at)
		VALUES (subject.address_hash, subject.root_conversation_id, of_server, wrote_at)
		ON CONFLICT ON CONSTRAINT answers_subject DO UPDATE
		SET answered_at = EXCLUDED.answered_at, recorded_by = EXCLUDED.recorded_by, recorded_at = EXCLUDED.recorded_at
		WHERE EXCLUDED.answered_at > a.answered_at;
		PERFORM reengage.unlock_thread(subject.of_server, subject.root_conversation_id);
		PERFORM reengage.unlock_customer(subject.address_hash);
		RETURN QUERY
			SELECT * FROM reengage.on_the_wire(subject.address_hash, of_server, subject.root_conversation_id);
	END LOOP;
END
$$;
COMMENT ON FUNCTION reengage.record_answer(text, text, timestamptz, text, text) IS
	'the customer has answered, in the threads of a conversation (of reengage.default_server, unless another is named) or from an address (at any server; server and channel only tell how to read it): nudges that an answer at this time ends are not sent once this has committed; returns the calls that may have been on the wire by then, as far as the snapshot shows them: use READ COMMITTED';

CREATE FUNCTION reengage.due_in_threads(servers text[], roots text[]) RETURNS uuid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
	SELECT array_agg(DISTINCT n.nudge_id)
	FROM unnest(servers, roots) t (server, root)
		CROSS JOIN LATERAL (
			SELECT t.root AS conversation_id
			UNION
			SELECT l.conversation_id FROM reengage.lineage l
			WHERE l.root_conversation_id = t.root AND l.server = t.server) c
		CROSS JOIN LATERAL (
			SELECT n.nudge_id FROM reengage.nudges n
			WHERE n.conversation_id = c.conversation_id AND n.server = t.server OFFSET 0) n
		CROSS JOIN LATERAL (SELECT FROM reengage.due d WHERE d.nudge_id = n.nudge_id OFFSET 0) d
$$;
COMMENT ON FUNCTION reengage.due_in_threads(text[], text[]) IS
	'the nudges that are due in threads, each named by its server and first conversation';

CREATE FUNCTION reengage.cancel_due(nudge_ids uuid[], of_campaign text, reason text, caller text, may_cancel_all boolean,
	OUT cancelled bigint, OUT too_late bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	chosen uuid[] := ARRAY(
		SELECT n.nudge_id FROM reengage.nudges n
		WHERE n.nudge_id = ANY (nudge_ids) AND (of_campaign IS NULL OR n.campaign = of_campaign)
		  AND (may_cancel_all OR n.requested_by = caller)
		ORDER BY n.nudge_id);
	-- the lock table is not made for thousands
	many boolean := cardinality(chosen) + reengage.nudge_locks() > 100;
BEGIN
	PERFORM reengage.lock_part(c.server, c.asker, c.campaign, NOT many)
	FROM (SELECT DISTINCT n.server, n.requested_by::name::text AS asker, coalesce(n.campaign, '') AS campaign
		  FROM reengage.nudges n WHERE n.nudge_id = ANY (chosen) ORDER BY 1, 2, 3) c;
	IF NOT many THEN
		PERFORM reengage.lock_nudge(o.nudge_id) FROM unnest(chosen) AS o (nudge_id);
	END IF;
	cancelled := reengage.cancel_locked(chosen, reason);
	-- not what another session has cancelled meanwhile
	too_late := (SELECT count(*) FROM unnest(chosen) AS c (nudge_id)
				 WHERE NOT EXISTS (SELECT FROM reengage.lineage l
								   WHERE l.nudge_id = c.nudge_id AND l.outcome = 'cancelled' OFFSET 0));
END
$$;
COMMENT ON FUNCTION reengage.cancel_due(uuid[], text, text, text, boolean) IS
	'cancels those of the nudges that are of a campaign (null: any) and that the caller may cancel, as far as no call may be on the wire';

CREATE FUNCTION reengage.cancel_thread_for(conversation_id text, server text, campaign text, caller text, may_cancel_all boolean,
	OUT cancelled bigint, OUT too_late bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	subjects record;
BEGIN
	PERFORM reengage.require_read_committed();
	SELECT array_agg(s.of_server) AS servers, array_agg(s.root_conversation_id) AS roots INTO subjects
	FROM reengage.suppression_subject(NULL, cancel_thread_for.conversation_id, NULL, server) s;
	SELECT * INTO cancelled, too_late FROM reengage.cancel_due(
		reengage.due_in_threads(subjects.servers, subjects.roots), campaign, 'thread_cancelled', caller, may_cancel_all);
END
$$;
COMMENT ON FUNCTION reengage.cancel_thread_for(text, text, text, text, boolean) IS 'cancel_thread(), once it is known who calls it';

CREATE FUNCTION reengage.cancel_thread(conversation_id text, server text DEFAULT NULL, campaign text DEFAULT NULL,
	OUT cancelled bigint, OUT too_late bigint)
LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off
AS 'MODULE_PATHNAME', 'reengage_cancel';
COMMENT ON FUNCTION reengage.cancel_thread(text, text, text) IS
	'cancels all nudges of the threads that a conversation belongs to (at reengage.default_server, unless another is named), of one campaign or of any, that have not ended, and tells how many it was too late for; an application cancels its own nudges, an operator all; commit soon, they rest until then';

CREATE FUNCTION reengage.due_to_customer(hashes text[], server text) RETURNS uuid[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	own uuid[] := ARRAY(
		SELECT d.nudge_id FROM (SELECT * FROM reengage.due d WHERE d.address_hash = ANY (hashes) OFFSET 0) d
		WHERE d.server = coalesce(due_to_customer.server, d.server));
	threads record;
BEGIN
	SELECT array_agg(t.server) AS servers, array_agg(t.root_conversation_id) AS roots INTO threads
	FROM (SELECT DISTINCT l.server, l.root_conversation_id FROM reengage.lineage l
		  WHERE l.address_hash = ANY (hashes) AND l.server = coalesce(due_to_customer.server, l.server)) t;
	RETURN own || reengage.due_in_threads(threads.servers, threads.roots);
END
$$;
COMMENT ON FUNCTION reengage.due_to_customer(text[], text) IS
	'the nudges that are due to a customer: those that name the address, and those of threads that lineage knows it from';

CREATE FUNCTION reengage.cancel_customer_for(address text, campaign text, server text, channel text, caller text, may_cancel_all boolean,
	OUT cancelled bigint, OUT too_late bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	hashes text[];
BEGIN
	PERFORM reengage.require_read_committed();
	hashes := ARRAY(SELECT s.address_hash FROM reengage.suppression_subject(address, NULL, reengage.require_channel(channel), server) s);
	SELECT * INTO cancelled, too_late FROM reengage.cancel_due(
		reengage.due_to_customer(hashes, server), campaign, 'customer_cancelled', caller, may_cancel_all);
END
$$;
COMMENT ON FUNCTION reengage.cancel_customer_for(text, text, text, text, text, boolean) IS 'cancel_customer(), once it is known who calls it';

CREATE FUNCTION reengage.cancel_customer(address text, campaign text DEFAULT NULL, server text DEFAULT NULL, channel text DEFAULT NULL,
	OUT cancelled bigint, OUT too_late bigint)
LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off
AS 'MODULE_PATHNAME', 'reengage_cancel';
COMMENT ON FUNCTION reengage.cancel_customer(text, text, text, text) IS
	'cancels all nudges to a customer, of one campaign or of any, at one server or at all, that have not ended, and tells how many it was too late for: those that name the address (the channel tells how to read it), and those of threads that lineage knows it from; an application cancels its own nudges, an operator all; commit soon, they rest until then';

--
-- The fence
--
CREATE FUNCTION reengage.fence_complaint() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
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
SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	armed_before boolean := reengage.fence_complaint() IS NULL;
	ended bigint;
	gone bigint;
	rescheduled bigint;
	database oid := (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
BEGIN
	IF pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean THEN
		RAISE EXCEPTION 'cannot arm a standby, or in a read-only transaction'
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'Call it on the primary, in a transaction that may write.';
	END IF;
	IF armed_before THEN
		RAISE NOTICE 'already armed';
	ELSE
		INSERT INTO reengage.identity (system_identifier, database_oid, site, timeline, armed_at, armed_by)
		VALUES (reengage.system_identifier(), database, reengage.site(), reengage.timeline(), now(), session_user)
		ON CONFLICT (armed) DO UPDATE
			SET system_identifier = EXCLUDED.system_identifier,
				database_oid = EXCLUDED.database_oid,
				site = EXCLUDED.site,
				timeline = EXCLUDED.timeline,
				armed_at = EXCLUDED.armed_at,
				armed_by = EXCLUDED.armed_by;
		-- What another database had on the wire is not repeated here, whatever the
		-- API remembers of its keys: it ends in doubt.
		UPDATE reengage.unresolved SET since = '-infinity';
		UPDATE reengage.intents SET recorded_at = '-infinity';
	END IF;
	PERFORM reengage.make_address_key();

	-- What has an outcome is not due, nor is what nobody asks for; what has none is.
	DELETE FROM reengage.due d USING reengage.lineage l WHERE l.nudge_id = d.nudge_id;
	GET DIAGNOSTICS ended = ROW_COUNT;
	DELETE FROM reengage.due d WHERE NOT EXISTS (SELECT FROM reengage.nudges n WHERE n.nudge_id = d.nudge_id);
	GET DIAGNOSTICS gone = ROW_COUNT;
	IF armed_before AND ended + gone > 0 THEN
		RAISE NOTICE 'took % nudges out of the schedule that had an outcome, and % that were deleted', ended, gone;
	END IF;
	INSERT INTO reengage.due (nudge_id, server, requested_by, priority, due_at)
	SELECT n.nudge_id, n.server, n.requested_by::name::text, n.priority, greatest(n.due_at, now())
	FROM reengage.nudges n
	WHERE NOT EXISTS (SELECT FROM reengage.lineage l WHERE l.nudge_id = n.nudge_id)
	  AND NOT EXISTS (SELECT FROM reengage.due d WHERE d.nudge_id = n.nudge_id)
	ON CONFLICT DO NOTHING;
	GET DIAGNOSTICS rescheduled = ROW_COUNT;
	DELETE FROM reengage.unresolved u WHERE NOT EXISTS (SELECT FROM reengage.due d WHERE d.nudge_id = u.nudge_id);
	-- a restore may have made nudges due before it brought the key
	UPDATE reengage.due d SET address_hash = own.address_hash
	FROM (SELECT h.nudge_id, h.address_hash
		  FROM (SELECT p.server, array_agg(p.nudge_id) AS nudge_ids, array_agg(p.address) AS addresses, array_agg(p.channel) AS channels
				FROM (SELECT n.nudge_id, n.server, n.address, n.channel, row_number() OVER (PARTITION BY n.server) / 10000 AS part
					  FROM reengage.due d JOIN reengage.nudges n ON n.nudge_id = d.nudge_id WHERE n.address IS NOT NULL) p
				GROUP BY p.server, p.part) s
			CROSS JOIN LATERAL unnest(s.nudge_ids, reengage.own_customers(s.server, s.addresses, s.channels)) AS h (nudge_id, address_hash)) own
	WHERE d.nudge_id = own.nudge_id AND d.address_hash IS DISTINCT FROM own.address_hash;
	IF rescheduled > 0 THEN
		RAISE NOTICE 'made % nudges without an outcome due again', rescheduled;
	END IF;
	-- now, so that no application's first row of lineage holds up the worker's
	PERFORM reengage.lineage_position();
	PERFORM reengage.wake('-infinity');
END
$$;
COMMENT ON FUNCTION reengage.arm() IS
	'allows sending from this database in this cluster; first makes due exactly what has no outcome, also where it is armed already and somebody has changed tables by hand';

CREATE FUNCTION reengage.disarm() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
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
		RAISE EXCEPTION 'server "%" does not exist', reengage.shown(server)
			USING ERRCODE = 'undefined_object',
				  DETAIL = 'There is no foreign server of this name with the wrapper reengage.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage.require_server(text) IS
	'an error if there is no such server of the wrapper reengage';

CREATE FUNCTION reengage.await_silence() RETURNS void
LANGUAGE C STRICT VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_await_silence';
COMMENT ON FUNCTION reengage.await_silence() IS
	'waits a second: then no message leaves any more whose intent was recorded before';

CREATE FUNCTION reengage.unanswered(server text) RETURNS uuid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
	SELECT coalesce(array_agg(d.nudge_id ORDER BY d.nudge_id), '{}')
	FROM reengage.intents i
		CROSS JOIN LATERAL ROWS FROM (unnest(i.nudge_ids), unnest(i.rounds)) c (nudge_id, round)
		JOIN reengage.due d ON d.nudge_id = c.nudge_id AND d.round = c.round
	WHERE d.server = unanswered.server
$$;
COMMENT ON FUNCTION reengage.unanswered(text) IS
	'nudges of a server whose messages may be on the wire: an intent is recorded, and no answer';

CREATE FUNCTION reengage.pause(server text, reason text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	waited_for uuid[];
BEGIN
	PERFORM reengage.require_server(server);
	-- from here on nothing is begun; what was allowed before leaves within a second
	PERFORM reengage.lock_server(server);
	INSERT INTO reengage.pauses (server, reason)
	VALUES (pause.server, reengage.require_reason(pause.reason))
	ON CONFLICT DO NOTHING;
	IF NOT FOUND THEN
		RAISE NOTICE 'server "%" is paused already', server;
	END IF;
	-- where nobody dispatches, there is nobody to wait for
	IF cardinality(reengage.unanswered(server)) > 0
		OR EXISTS (SELECT FROM pg_locks k
				   WHERE k.locktype = 'advisory' AND k.objsubid = 3
					 AND k.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())) THEN
		PERFORM reengage.await_silence();
	END IF;
	waited_for := reengage.unanswered(server);
	IF cardinality(waited_for) > 0 THEN
		RAISE NOTICE 'server "%": % on the wire, whose answers are awaited', server,
			CASE cardinality(waited_for) WHEN 1 THEN '1 message is' ELSE cardinality(waited_for) || ' messages are' END
			USING DETAIL = 'Of nudges ' || array_to_string(waited_for[1:20], ', ')
				|| CASE WHEN cardinality(waited_for) > 20 THEN ', ...' ELSE '.' END;
	END IF;
	PERFORM reengage.wake('-infinity');
END
$$;
COMMENT ON FUNCTION reengage.pause(text, text) IS
	'pauses a server until resume(); returns, within about a second, when no message of it can leave any more, and says which are on the wire: these are settled; its nudges stay due; until the end of the transaction, nothing of this server is begun even if it rolls back then';

CREATE FUNCTION reengage.resume(server text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
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
-- Changes: who changed what operators decide, and when
--
CREATE TABLE reengage.changes (
	change_id uuid NOT NULL DEFAULT reengage.uuid_v7(),
	table_name text NOT NULL,
	changed_by text NOT NULL DEFAULT session_user,
	changed_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	old jsonb,
	new jsonb,
	CONSTRAINT changes_pkey PRIMARY KEY (change_id),
	CONSTRAINT changes_check CHECK (old IS NOT NULL OR new IS NOT NULL)
);
COMMENT ON TABLE reengage.changes IS
	'who changed what operators decide, and when: one row for each changed row; append-only';
COMMENT ON COLUMN reengage.changes.change_id IS 'identity of the row, ordered by time';
COMMENT ON COLUMN reengage.changes.table_name IS 'the table of the schema reengage that was changed';
COMMENT ON COLUMN reengage.changes.changed_by IS 'who was logged in';
COMMENT ON COLUMN reengage.changes.changed_at IS 'when the changing transaction began';
COMMENT ON COLUMN reengage.changes.old IS 'the row as it was; null: it is new';
COMMENT ON COLUMN reengage.changes.new IS 'the row as it is; null: it was deleted';
SELECT pg_catalog.pg_extension_config_dump('reengage.changes', '');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON reengage.changes
	FOR EACH STATEMENT EXECUTE FUNCTION reengage.refuse_change();

CREATE FUNCTION reengage.note_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET "IntervalStyle" = 'postgres'
AS $$
BEGIN
	IF TG_OP = 'TRUNCATE' THEN
		RAISE EXCEPTION 'TRUNCATE of table "reengage.%" is not allowed', TG_TABLE_NAME
			USING ERRCODE = 'feature_not_supported',
				  HINT = 'DELETE its rows, so that reengage.changes has them.';
	END IF;
	-- A row that carries another created_at than now comes out of a dump, and
	-- so does the row that tells of it.
	IF TG_OP = 'INSERT' THEN
		INSERT INTO reengage.changes (table_name, new)
		SELECT TG_TABLE_NAME, to_jsonb(NEW) WHERE NEW.created_at = now();
	ELSIF TG_OP = 'UPDATE' THEN
		INSERT INTO reengage.changes (table_name, old, new)
		SELECT TG_TABLE_NAME, to_jsonb(OLD), to_jsonb(NEW) WHERE to_jsonb(OLD) <> to_jsonb(NEW);
	ELSE
		INSERT INTO reengage.changes (table_name, old) VALUES (TG_TABLE_NAME, to_jsonb(OLD));
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION reengage.note_change() IS
	'writes a changed row of a table that has created_at into reengage.changes';

--
-- Policies
--
CREATE FUNCTION reengage.permitted_at(t timestamptz, quiet_hours text[], time_zone text) RETURNS timestamptz
LANGUAGE C STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_permitted_at';
COMMENT ON FUNCTION reengage.permitted_at(timestamptz, text[], text) IS
	'the first instant, not before t, whose wall clock in this time zone lies in none of the quiet hours';

CREATE TABLE reengage.policies (
	policy_id uuid NOT NULL DEFAULT reengage.uuid_v7(),
	server text NOT NULL DEFAULT reengage.default_server(),
	campaign text,
	channel text,
	quiet_hours text[],
	time_zone text,
	cap integer,
	cap_interval interval,
	minimum_gap interval,
	holdout_percent numeric,
	holdout_salt text NOT NULL DEFAULT '',
	max_length integer,
	max_due integer,
	max_per_minute integer,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	CONSTRAINT policies_pkey PRIMARY KEY (policy_id),
	CONSTRAINT policies_scope UNIQUE NULLS NOT DISTINCT (server, campaign, channel)
);
COMMENT ON TABLE reengage.policies IS
	'whom nudges may reach, when and how often: all policies that match a nudge hold together; changed by INSERT, UPDATE and DELETE, and each change is written into reengage.changes';
COMMENT ON COLUMN reengage.policies.policy_id IS 'identity of the policy';
COMMENT ON COLUMN reengage.policies.server IS 'the foreign server whose nudges it is about; default: setting reengage.default_server';
COMMENT ON COLUMN reengage.policies.campaign IS 'the campaign that it is about; null: any, and none';
COMMENT ON COLUMN reengage.policies.channel IS 'the channel that it is about; null: any';
COMMENT ON COLUMN reengage.policies.quiet_hours IS
	'when nobody is spoken to, by the wall clock of the customer: windows that begin on the days they name and may pass midnight, for example {mon-fri 20:00-08:00,"sat,sun 18:00-10:00"} or {daily 21:00-08:00}; null: never';
COMMENT ON COLUMN reengage.policies.time_zone IS 'of customers whose time zone is not known; null: their nudges wait';
COMMENT ON COLUMN reengage.policies.cap IS 'how many messages a customer may get in cap_interval; null: any number';
COMMENT ON COLUMN reengage.policies.cap_interval IS 'the rolling interval of cap; a day has 24 hours, a month 30 days';
COMMENT ON COLUMN reengage.policies.minimum_gap IS 'the shortest time between two messages to a customer; null: none';
COMMENT ON COLUMN reengage.policies.holdout_percent IS 'the share of customers, 0 to 100, who get nothing, so that their fate can be compared; null: nobody';
COMMENT ON COLUMN reengage.policies.holdout_salt IS 'chooses whom; policies with the same salt choose the same customers';
COMMENT ON COLUMN reengage.policies.max_length IS 'the most characters of a message; null: as many as a nudge may have';
COMMENT ON COLUMN reengage.policies.max_due IS 'how many nudges one role may have due at the server, scheduled ones included; null: any number';
COMMENT ON COLUMN reengage.policies.max_per_minute IS 'how many nudges of one role are started a minute at the server; null: any number';
COMMENT ON COLUMN reengage.policies.created_at IS 'when it was inserted';
SELECT pg_catalog.pg_extension_config_dump('reengage.policies', '');

-- how often a customer was spoken to
CREATE INDEX unresolved_customer ON reengage.unresolved (address_hash);

CREATE FUNCTION reengage.refuse_policy(name text, value text, detail text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RAISE EXCEPTION 'invalid % of a policy: "%"', name, left(value, 60)
		USING ERRCODE = 'invalid_parameter_value', DETAIL = detail;
END
$$;
COMMENT ON FUNCTION reengage.refuse_policy(text, text, text) IS 'an error that names the value';

CREATE FUNCTION reengage.policies_validate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET jit = off
AS $$
BEGIN
	-- A row that carries another created_at than now comes out of a dump; to
	-- refuse it would be to lose it, and to speak to whom it protects.
	IF TG_OP = 'INSERT' AND NEW.created_at <> now() THEN
		RETURN NEW;
	END IF;
	IF TG_OP = 'INSERT' OR NEW.server IS DISTINCT FROM OLD.server THEN
		PERFORM reengage.require_server(NEW.server);
	END IF;
	IF NEW.channel !~ '^[a-z0-9_-]{1,64}$' THEN
		PERFORM reengage.refuse_policy('channel', NEW.channel, 'It must be a lower-case word, for example sms.');
	END IF;
	IF NEW.campaign !~ '\S' OR length(NEW.campaign) > 256 THEN
		PERFORM reengage.refuse_policy('campaign', NEW.campaign, 'It must have 1 to 256 characters.');
	END IF;
	-- both raise the error themselves
	PERFORM reengage.permitted_at(now(), '{daily 00:00-00:01}', NEW.time_zone);
	PERFORM reengage.permitted_at(now(), NEW.quiet_hours, 'UTC');
	IF NEW.cap < 0 THEN
		PERFORM reengage.refuse_policy('cap', NEW.cap::text, 'It must not be negative.');
	END IF;
	IF (NEW.cap IS NULL) <> (NEW.cap_interval IS NULL) THEN
		PERFORM reengage.refuse_policy('cap', coalesce(NEW.cap::text, 'null'), 'It goes with cap_interval: both are null, or none.');
	END IF;
	IF NOT NEW.cap_interval BETWEEN '1 second' AND '36500 days' THEN
		PERFORM reengage.refuse_policy('cap_interval', NEW.cap_interval::text, 'It must be from a second to 36500 days.');
	END IF;
	IF NOT NEW.minimum_gap BETWEEN '1 second' AND '36500 days' THEN
		PERFORM reengage.refuse_policy('minimum_gap', NEW.minimum_gap::text, 'It must be from a second to 36500 days.');
	END IF;
	IF NOT NEW.holdout_percent BETWEEN 0 AND 100 THEN
		PERFORM reengage.refuse_policy('holdout_percent', NEW.holdout_percent::text, 'It must be from 0 to 100.');
	END IF;
	IF NEW.max_length < 1 THEN
		PERFORM reengage.refuse_policy('max_length', NEW.max_length::text, 'It must be 1 or more.');
	END IF;
	IF NOT NEW.max_due BETWEEN 1 AND 1000000 THEN
		PERFORM reengage.refuse_policy('max_due', NEW.max_due::text, 'It must be from 1 to 1000000.');
	END IF;
	IF NEW.max_due IS NOT NULL AND (NEW.campaign IS NOT NULL OR NEW.channel IS NOT NULL) THEN
		PERFORM reengage.refuse_policy('max_due', NEW.max_due::text, 'It is about a server: campaign and channel must be null.');
	END IF;
	IF NOT NEW.max_per_minute BETWEEN 1 AND 1000000 THEN
		PERFORM reengage.refuse_policy('max_per_minute', NEW.max_per_minute::text, 'It must be from 1 to 1000000.');
	END IF;
	IF NEW.max_per_minute IS NOT NULL AND (NEW.campaign IS NOT NULL OR NEW.channel IS NOT NULL) THEN
		PERFORM reengage.refuse_policy('max_per_minute', NEW.max_per_minute::text, 'It is about a server: campaign and channel must be null.');
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION reengage.policies_validate() IS 'refuses a policy that cannot be meant, naming the value';

CREATE FUNCTION reengage.policies_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
BEGIN
	INSERT INTO reengage.releases (server)
	SELECT s.server FROM (SELECT OLD.server UNION SELECT NEW.server) s WHERE s.server IS NOT NULL;
	PERFORM reengage.wake('-infinity');
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION reengage.policies_changed() IS
	'has the worker look again at what policies hold at the server';

CREATE TRIGGER validate BEFORE INSERT OR UPDATE ON reengage.policies
	FOR EACH ROW EXECUTE FUNCTION reengage.policies_validate();
CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON reengage.policies
	FOR EACH ROW EXECUTE FUNCTION reengage.note_change();
CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON reengage.suppressions
	FOR EACH ROW EXECUTE FUNCTION reengage.note_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON reengage.policies
	FOR EACH STATEMENT EXECUTE FUNCTION reengage.note_change();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON reengage.policies
	FOR EACH ROW EXECUTE FUNCTION reengage.policies_changed();

--
-- Running
--
CREATE PROCEDURE reengage.run(max_seconds integer DEFAULT NULL, max_nudges integer DEFAULT NULL)
LANGUAGE C
AS 'MODULE_PATHNAME', 'reengage_run';
COMMENT ON PROCEDURE reengage.run(integer, integer) IS
	'sends what is due in this session, committing as it goes, until nothing is due or a limit is reached (no new nudge begins then); wakes the worker instead where one is running';

CREATE FUNCTION reengage.preview(nudge_id uuid)
RETURNS TABLE (step text, condition text, method text, url text, headers text, body text, fault text)
LANGUAGE C STRICT VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = on
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS 'MODULE_PATHNAME', 'reengage_preview';
COMMENT ON FUNCTION reengage.preview(uuid) IS
	'the requests that a nudge would make, byte for byte, and when each is made; {...} stands for what only the check of the conversation can tell, whose channel is that of lineage, or else of the nudge; fault is why it would be refused instead, null: it would be sent; nothing is sent';

CREATE FUNCTION reengage.preflight(server text, conversation_id text DEFAULT NULL)
RETURNS TABLE (step integer, check_name text, state text, detail text, remedy text)
LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off
AS 'MODULE_PATHNAME', 'reengage_preflight';
COMMENT ON FUNCTION reengage.preflight(text, text) IS
	'what a call to this server would meet, check by check: ok, failed with a remedy, or skipped with the reason; looks at the conversation, or at one of a random id; sends no message';

CREATE FUNCTION reengage.worker_state(
	OUT preloaded boolean, OUT listed boolean, OUT state text, OUT pid integer,
	OUT since timestamptz, OUT in_flight integer, OUT ended bigint,
	OUT restarts integer, OUT message text,
	OUT outcomes_locked integer, OUT outcomes_refused integer, OUT outcomes_since timestamptz)
LANGUAGE C STRICT VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_worker_state';
COMMENT ON FUNCTION reengage.worker_state() IS
	'what shared memory knows of this database''s worker';

--
-- The operators' side of doubt
--
CREATE FUNCTION reengage.ask_again(nudge_id uuid) RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	id uuid := reengage.uuid_v7();
BEGIN
	INSERT INTO reengage.nudges
		(nudge_id, server, conversation_id, message, address, channel, when_closed, priority,
		 expires_at, time_zone, campaign, detail, repeats, requested_by, when_answered, answered_since)
	SELECT id, n.server, n.conversation_id, n.message, n.address, n.channel, n.when_closed, n.priority,
		CASE WHEN n.expires_at > now() THEN n.expires_at END,
		n.time_zone, n.campaign, n.detail, n.nudge_id, session_user,
		-- two clocks: no message that is older than the old nudge is an answer to it
		n.when_answered, coalesce(n.answered_since, n.requested_at + interval '5 seconds')
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
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM reengage.lineage l
				   WHERE l.nudge_id = redrive.nudge_id
					 AND (l.outcome = 'exhausted' OR (l.outcome = 'refused' AND l.reason IN ('forbidden', 'unauthorized')))) THEN
		RAISE EXCEPTION 'nudge % is neither exhausted nor forbidden', nudge_id
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'reengage.nudge_status shows where it stands; reengage.resolve() settles what is in doubt.';
	END IF;
	RETURN reengage.ask_again(nudge_id);
END
$$;
COMMENT ON FUNCTION reengage.redrive(uuid) IS
	'asks again for a nudge whose attempts ran out, or that the API forbade (refused, reason forbidden or unauthorized), and returns the new nudge; a second call returns the same';

CREATE FUNCTION reengage.resolve(lineage_id uuid, verdict text, conversation_id text DEFAULT NULL)
RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
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
		RAISE EXCEPTION 'invalid verdict: "%"', reengage.shown(verdict)
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
		RAISE EXCEPTION 'invalid conversation_id: "%"', reengage.shown(conversation_id)
			USING ERRCODE = 'invalid_parameter_value';
	END IF;

	-- an API may have continued an older conversation of the thread, or one that
	-- leads to it by now: no ring
	created := created AND conversation_id <> doubt.root_conversation_id AND NOT EXISTS (
		SELECT FROM reengage.lineage l
		WHERE l.server = doubt.server AND l.root_conversation_id = doubt.root_conversation_id
		  AND l.conversation_id = resolve.conversation_id)
		AND NOT EXISTS (
		WITH RECURSIVE later (id) AS (
			SELECT resolve.conversation_id
			UNION
			SELECT s.id FROM later CROSS JOIN LATERAL (
				SELECT l.conversation_id AS id FROM reengage.lineage l
				WHERE l.server = doubt.server AND l.previous_conversation_id = later.id
				OFFSET 0) s)
		SELECT FROM later WHERE later.id = doubt.conversation_id);

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
	INSERT INTO reengage.releases (server) VALUES (doubt.server);
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
			pg_catalog.format('server %s: ', s.state) || s.reason || coalesce(', not before ' || s.until, '')
			|| CASE WHEN s.detail IS NOT NULL THEN '; an operator sees why in reengage.health' ELSE '' END)
		WHEN d.nudge_id IS NULL THEN 'it is missing from the schedule: an operator can put it back by reengage.arm()'
		WHEN d.waiting_for IS NOT NULL THEN d.waiting_for
		WHEN d.due_at > pg_catalog.now() THEN 'its time'
		ELSE coalesce(
			reengage.locked_by(d.xmax, n.nudge_id, n.server, d.requested_by, n.campaign, n.conversation_id, d.address_hash),
			(SELECT pg_catalog.format('its role''s turn: a policy (max_per_minute) lets it start %s a minute', pg_catalog.min(q.max_per_minute))
			 FROM reengage.policies q WHERE q.server = n.server
			 HAVING pg_catalog.min(q.max_per_minute) IS NOT NULL),
			'its turn, or what the API answers: the server''s places and its pace are shared')
	END AS reason,
	CASE WHEN l.outcome IS NULL THEN d.due_at END AS next_attempt_at,
	coalesce(l.attempts, d.attempt, 0) AS attempts,
	l.conversation_id, l.recorded_at AS ended_at,
	n.requested_by, n.requested_at
FROM reengage.nudges n
	LEFT JOIN reengage.due d ON d.nudge_id = n.nudge_id
	LEFT JOIN reengage.server_state s ON s.server = n.server AND s.state <> 'attention'
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

CREATE FUNCTION reengage.find_threads(conversation_id text, server text)
RETURNS TABLE (thread_server text, root_conversation_id text)
LANGUAGE plpgsql STABLE ROWS 2 SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
	RETURN QUERY
		SELECT l.server, l.root_conversation_id FROM reengage.lineage l
		WHERE l.root_conversation_id = $1 AND ($2 IS NULL OR l.server = $2)
		UNION
		SELECT l.server, l.root_conversation_id FROM reengage.lineage l
		WHERE l.conversation_id = $1 AND l.generation > 0 AND ($2 IS NULL OR l.server = $2);
	IF NOT FOUND THEN
		RAISE EXCEPTION 'conversation "%" is in no thread', left($1, 200)
			USING ERRCODE = 'no_data_found',
				  DETAIL = format('There is no lineage of it%s.', ' on server "' || $2 || '"'),
				  HINT = 'A nudge that has not ended has no lineage yet: see reengage.nudge_status. Ids are told apart by upper and lower case.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage.find_threads(text, text) IS
	'the threads that a conversation belongs to: one, or several where servers share an id or threads have joined; an error if there is none';

CREATE FUNCTION reengage.thread(conversation_id text, server text DEFAULT NULL)
RETURNS TABLE (server text, generation integer, occurred_at timestamptz, outcome text, reason text,
			   conversation_id text, previous_conversation_id text, status_seen text,
			   campaign text, api_calls integer, nudge_id uuid)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
-- thread_diagram() turns it off, which is for what it does itself
SET enable_nestloop = on
AS $$
	SELECT l.server, l.generation, l.occurred_at, l.outcome, l.reason,
		   l.conversation_id, l.previous_conversation_id, l.status_seen,
		   l.campaign, l.api_calls, l.nudge_id
	FROM reengage.find_threads($1, $2) t CROSS JOIN LATERAL (
		SELECT * FROM reengage.lineage l
		WHERE l.root_conversation_id = t.root_conversation_id AND l.server = t.thread_server OFFSET 0) l
	ORDER BY l.server, l.occurred_at, l.lineage_id
$$;
COMMENT ON FUNCTION reengage.thread(text, text) IS
	'the whole story of the thread that a conversation belongs to, in order; without a server: of every server that knows the conversation';

CREATE FUNCTION reengage.diagram_text(words text, format text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
	-- In Mermaid anything may mean something: what is not plain becomes an entity.
	SELECT CASE
		WHEN format = 'mermaid' AND words ~ '^([A-Za-z0-9 ._~:+/,()-]|[^\x01-\x7f])*$' THEN words
		WHEN format = 'mermaid' THEN (
			SELECT string_agg(CASE WHEN c ~ '[A-Za-z0-9 ._~:+/,()-]' OR c !~ '[\x01-\x7f]' THEN c
								   WHEN c ~ '[\x01-\x1f]' THEN ' '
								   ELSE '#' || ascii(c) || ';' END, '' ORDER BY n)
			FROM regexp_split_to_table(words, '') WITH ORDINALITY s (c, n))
		ELSE replace(replace(replace(regexp_replace(words, '[\x01-\x1f]', ' ', 'g'),
									 '\', '\\'), '"', '\"'), '&', '&amp;')
	END
$$;
COMMENT ON FUNCTION reengage.diagram_text(text, text) IS 'words as they stand between quotes in a diagram';

CREATE FUNCTION reengage.thread_diagram(conversation_id text, format text DEFAULT 'mermaid', server text DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
-- the tables are read by thread(); a loop over the parts of a long story is quadratic
SET enable_nestloop = off SET jit = off
AS $$
DECLARE
	mermaid boolean := format = 'mermaid';
	line_break text := CASE WHEN mermaid THEN '<br/>' ELSE '\n' END;
	result text;
BEGIN
	IF format IS NULL OR format NOT IN ('mermaid', 'graphviz') THEN
		RAISE EXCEPTION 'invalid format: "%"', format
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It must be mermaid or graphviz.';
	END IF;
	-- an error that is raised here does not quote the statement below
	PERFORM reengage.find_threads($1, $3);
	WITH story AS (
		SELECT t.server, t.generation, t.conversation_id AS id, t.previous_conversation_id AS previous,
			t.status_seen, t.place,
			t.outcome || coalesce(': ' || t.reason, '') AS what,
			to_char(t.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS at
		FROM reengage.thread($1, $3) WITH ORDINALITY AS
			t (server, generation, occurred_at, outcome, reason, conversation_id, previous_conversation_id,
			   status_seen, campaign, api_calls, nudge_id, place)
	), conversations AS (
		SELECT c.server, c.id,
			row_number() OVER (ORDER BY c.server COLLATE "C", min(c.generation), min(c.place), c.id COLLATE "C") AS n
		FROM (SELECT s.server, s.id, s.generation, s.place FROM story s
			  UNION ALL
			  SELECT s.server, s.previous, s.generation - 1, s.place FROM story s WHERE s.previous IS NOT NULL) c
		GROUP BY c.server, c.id
	), lines AS (
		-- what was seen last, then what happened and led nowhere else
		SELECT DISTINCT ON (s.server, coalesce(s.previous, s.id)) s.server, coalesce(s.previous, s.id) AS id,
			0::bigint AS place, 'seen ' || s.status_seen || ', ' || s.at AS line
		FROM story s WHERE s.status_seen IS NOT NULL
		ORDER BY s.server, coalesce(s.previous, s.id), s.place DESC
	), endings AS (
		SELECT s.server, s.id, min(s.place) AS place,
			s.what || CASE WHEN count(*) > 1 THEN format(' %s times, last ', count(*)) ELSE ', ' END || max(s.at) AS line
		FROM story s WHERE s.previous IS NULL GROUP BY s.server, s.id, s.what
	), boxes AS (
		SELECT c.server, c.n, reengage.diagram_text(c.id, $2) || coalesce(o.text, '') AS label
		FROM conversations c LEFT JOIN (
			SELECT o.server, o.id,
				string_agg(line_break || reengage.diagram_text(o.line, $2), '' ORDER BY o.place, o.line COLLATE "C") AS text
			FROM (TABLE lines UNION ALL TABLE endings) o
			GROUP BY o.server, o.id) o ON o.server = c.server AND o.id = c.id
	), frames AS (
		SELECT reengage.diagram_text(b.server || ', times in UTC', $2) AS label, min(b.n) AS first, string_agg(
			format(CASE WHEN mermaid THEN E'    n%s["%s"]\n' ELSE E'    n%s [label="%s"];\n' END, b.n, b.label),
			'' ORDER BY b.n) AS text
		FROM boxes b GROUP BY b.server
	), arrows AS (
		SELECT string_agg(CASE WHEN mermaid
				THEN format(E'  n%s -->|"%s"| n%s\n', f.n, a.label, t.n)
				ELSE format(E'  n%s -> n%s [label="%s"];\n', f.n, t.n, a.label) END, '' ORDER BY s.place) AS text
		FROM story s
			JOIN conversations f ON f.server = s.server AND f.id = s.previous
			JOIN conversations t ON t.server = s.server AND t.id = s.id
			CROSS JOIN LATERAL (SELECT reengage.diagram_text(s.what, $2) || line_break || s.at) a (label)
	)
	SELECT CASE WHEN mermaid THEN E'flowchart TD\n' ELSE E'digraph thread {\n  node [shape=box];\n' END
		|| string_agg(
			CASE WHEN mermaid
				THEN format(E'  subgraph s%s["%s"]\n%s  end\n', g.first, g.label, g.text)
				ELSE format(E'  subgraph cluster_s%s {\n    label="%s";\n%s  }\n', g.first, g.label, g.text) END,
			'' ORDER BY g.first)
		|| coalesce((SELECT a.text FROM arrows a), '')
		|| CASE WHEN mermaid THEN '' ELSE E'}\n' END
	INTO result FROM frames g;
	RETURN result;
END
$$;
COMMENT ON FUNCTION reengage.thread_diagram(text, text, text) IS
	'reengage.thread() as a picture: the text of a mermaid or graphviz diagram, conversations as boxes, sessions that followed others as arrows, times in UTC';

--
-- Manifest and digest: the proof that all of lineage has arrived elsewhere
--
CREATE FUNCTION reengage.lineage_digest(l reengage.lineage) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	-- The same text, in UTF-8, is hashed in Snowflake.  The bytes of a database
	-- without an encoding are taken as they are.
	SELECT ('x' || substr(md5(convert_to(concat_ws('|',
			l.lineage_id, coalesce(l.nudge_id::text, '~'), l.server, l.outcome,
			l.requested_conversation_id, l.conversation_id, coalesce(l.previous_conversation_id, '~'),
			l.root_conversation_id, l.generation, coalesce(l.http_status::text, '~'),
			l.api_calls, l.api_calls_saved, (extract(epoch FROM l.occurred_at) * 1000000)::bigint),
		CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END)), 21, 12))::bit(48)::bigint
$$;
COMMENT ON FUNCTION reengage.lineage_digest(reengage.lineage) IS
	'a number for a row of lineage that other systems can compute alike: the low 48 bits of the MD5 of its ids, outcome, place in the thread, counts and time';

CREATE FUNCTION reengage.measure_lineage(since timestamptz, before timestamptz, at_most bigint DEFAULT NULL,
	OUT row_count bigint, OUT digest bigint, OUT measured_to timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
-- along the index of recorded_at, whatever the planner knows of the table
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
AS $$
BEGIN
	-- the rows of one instant stay together, however many they are
	SELECT greatest(l.recorded_at, since + interval '1 microsecond') INTO measured_to
	FROM reengage.lineage l
	WHERE l.recorded_at >= since AND l.recorded_at < before AND at_most IS NOT NULL
	ORDER BY l.recorded_at OFFSET at_most LIMIT 1;
	measured_to := coalesce(measured_to, before);

	SELECT count(*), coalesce(sum(reengage.lineage_digest(l)) % 9007199254740992, 0)
	INTO row_count, digest
	FROM reengage.lineage l WHERE l.recorded_at >= since AND l.recorded_at < measured_to;
END
$$;
COMMENT ON FUNCTION reengage.measure_lineage(timestamptz, timestamptz, bigint) IS
	'how many rows of lineage were recorded in a period, and the sum of their digests modulo 2^53; with at_most only about so many rows, up to measured_to';

CREATE FUNCTION reengage.start_of_day(day date) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT day::timestamp AT TIME ZONE 'UTC' $$;
COMMENT ON FUNCTION reengage.start_of_day(date) IS 'midnight in UTC, with which a day of the manifest begins';

-- A row's recorded_at is computed when its transaction has locked lineage, so
-- that nobody else can still record a row of that day.
CREATE FUNCTION reengage.day_held_open_by(day date) RETURNS text
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT string_agg(coalesce('process ' || k.pid, 'a prepared transaction')
					  || coalesce(' (transaction since ' || to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC)', ''),
					  ', ' ORDER BY a.xact_start, k.pid)
	FROM pg_locks k LEFT JOIN pg_stat_activity a ON a.pid = k.pid
	WHERE k.locktype = 'relation' AND k.relation = 'reengage.lineage'::regclass
	  AND k.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
	  AND k.mode = 'RowExclusiveLock' AND k.granted
	  AND k.pid IS DISTINCT FROM pg_backend_pid()
	  -- of a prepared transaction, and of one that is not tracked, nobody knows when it began
	  AND coalesce(a.xact_start, '-infinity') < reengage.start_of_day(day + 1)
$$;
COMMENT ON FUNCTION reengage.day_held_open_by(date) IS
	'the transactions that began before the end of a day (or nobody knows when) and have written to lineage: their rows of that day cannot be counted yet; null: there is none';

CREATE FUNCTION reengage.day_without_manifest() RETURNS date
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
-- from day to day along the index of recorded_at, whatever the planner knows of the table
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
AS $$
	WITH RECURSIVE recorded (day) AS (
		SELECT (SELECT (l.recorded_at AT TIME ZONE 'UTC')::date FROM reengage.lineage l
				WHERE l.recorded_at >= '0001-01-01 00:00+00' ORDER BY l.recorded_at LIMIT 1)
		UNION ALL
		SELECT (SELECT (l.recorded_at AT TIME ZONE 'UTC')::date FROM reengage.lineage l
				WHERE l.recorded_at >= reengage.start_of_day(r.day + 1) ORDER BY l.recorded_at LIMIT 1)
		FROM recorded r WHERE reengage.start_of_day(r.day + 1) <= now()
	)
	SELECT min(r.day) FROM recorded r
	WHERE reengage.start_of_day(r.day + 1) <= now()
	  AND NOT EXISTS (SELECT FROM reengage.lineage_manifest m WHERE m.day = to_char(r.day, 'YYYY-MM-DD'))
$$;
COMMENT ON FUNCTION reengage.day_without_manifest() IS
	'the first day that has ended, has rows in lineage, and none in the manifest';

CREATE FUNCTION reengage.record_manifest(day date, row_count bigint, digest bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	name text := to_char(day, 'YYYY-MM-DD');
	newest reengage.lineage_manifest;
BEGIN
	-- the worker and a session may close the same day
	LOCK TABLE reengage.lineage_manifest IN SHARE ROW EXCLUSIVE MODE;
	SELECT * INTO newest FROM reengage.lineage_manifest m
	WHERE m.day = name ORDER BY m.as_of DESC, m.manifest_id DESC LIMIT 1;
	IF newest.row_count = record_manifest.row_count AND newest.digest = record_manifest.digest THEN
		RETURN false;
	END IF;
	IF newest.row_count > record_manifest.row_count THEN
		RAISE EXCEPTION 'rows of day % have vanished', name
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = format('There were %s at %s UTC, and there are %s.', newest.row_count,
								  to_char(newest.as_of AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), record_manifest.row_count),
				  HINT = 'Its manifest stays as it is: what was replicated has them still.';
	END IF;
	INSERT INTO reengage.lineage_manifest (day, as_of, row_count, digest)
	VALUES (name,
			-- also if the clock was set back
			greatest(clock_timestamp(), newest.as_of + interval '1 microsecond'),
			record_manifest.row_count, record_manifest.digest);
	RETURN true;
END
$$;
COMMENT ON FUNCTION reengage.record_manifest(date, bigint, bigint) IS
	'writes a row of the manifest, unless the newest of the day says the same; returns whether it did';

CREATE PROCEDURE reengage.close_day(
	day date DEFAULT (pg_catalog.now() AT TIME ZONE 'UTC')::pg_catalog.date OPERATOR(pg_catalog.-) 1)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	name text := to_char(day, 'YYYY-MM-DD');
	holders text;
	counted record;
BEGIN
	IF day IS NULL OR NOT day BETWEEN '0001-01-01' AND '9999-12-30' THEN
		RAISE EXCEPTION 'invalid day: %', coalesce(day::text, 'null')
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean THEN
		RAISE EXCEPTION 'cannot close a day on a standby, or in a read-only transaction'
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'Call it on the primary, in a transaction that may write.';
	END IF;
	-- what others commit while it is called must be seen
	IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
		RAISE EXCEPTION 'cannot close a day in a % transaction', current_setting('transaction_isolation')
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'Call it in a read committed transaction.';
	END IF;
	IF reengage.start_of_day(day + 1) > now() THEN
		RAISE EXCEPTION 'day % has not ended', name
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = format('It ends at midnight in UTC, and the transaction began at %s.',
								  to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')),
				  HINT = 'Call it when the day has ended; the worker closes days by itself.';
	END IF;
	holders := reengage.day_held_open_by(day);
	IF holders IS NOT NULL THEN
		RAISE EXCEPTION 'day % is still open', name
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = format('Rows of it may be about to be committed by %s.', holders),
				  HINT = 'Call it again when they have ended.';
	END IF;

	LOCK TABLE reengage.lineage_manifest IN SHARE ROW EXCLUSIVE MODE;
	SELECT * INTO counted
	FROM reengage.measure_lineage(reengage.start_of_day(day), reengage.start_of_day(day + 1));
	IF NOT reengage.record_manifest(day, counted.row_count, counted.digest) THEN
		RAISE NOTICE 'day % was closed before, and nothing has changed', name;
	END IF;
END
$$;
COMMENT ON PROCEDURE reengage.close_day(date) IS
	'writes down how many rows of lineage were recorded on a day of UTC (without one: yesterday), and the sum of their digests; once more if rows came late. The worker does so by itself for each day that has no row yet';

CREATE VIEW reengage.reconciliation AS
SELECT m.day,
	CASE
		WHEN m.row_count > c.row_count THEN 'rows are missing'
		WHEN m.row_count < c.row_count THEN 'more rows than counted'
		WHEN m.digest <> c.digest THEN 'a row differs'
		ELSE 'equal'
	END AS state,
	m.row_count AS rows_counted, c.row_count AS rows_here,
	m.digest AS digest_counted, c.digest AS digest_here, m.as_of
FROM (SELECT DISTINCT ON (n.day) * FROM reengage.lineage_manifest n
	  ORDER BY n.day, n.as_of DESC, n.manifest_id DESC) m
	CROSS JOIN LATERAL reengage.measure_lineage(
		reengage.start_of_day(m.day::pg_catalog.date),
		reengage.start_of_day(m.day::pg_catalog.date OPERATOR(pg_catalog.+) 1)) c;
COMMENT ON VIEW reengage.reconciliation IS
	'for each closed day: what the manifest says and what lineage holds here, in the database that wrote it or in one that the rows were replicated to; reads all rows of the days that are asked for';
COMMENT ON COLUMN reengage.reconciliation.day IS 'YYYY-MM-DD, in UTC';
COMMENT ON COLUMN reengage.reconciliation.state IS
	'equal; rows are missing; more rows than counted (they came late: close_day() counts again); a row differs';
COMMENT ON COLUMN reengage.reconciliation.rows_counted IS 'rows, by the newest row of the manifest';
COMMENT ON COLUMN reengage.reconciliation.rows_here IS 'rows that are here';
COMMENT ON COLUMN reengage.reconciliation.digest_counted IS 'the sum of their digests, by the manifest';
COMMENT ON COLUMN reengage.reconciliation.digest_here IS 'the sum of the digests here';
COMMENT ON COLUMN reengage.reconciliation.as_of IS 'when the row of the manifest was written';

--
-- Lineage for readers that remember how far they have read
--
CREATE FUNCTION reengage.lineage_in_progress() RETURNS int8range
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
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
-- Publishing.  A publication cannot belong to an extension, and pg_dump before
-- version 18 leaves an extension's tables out of publications: so it is made
-- here, by whoever wants it, and repaired after a restore.
--
CREATE FUNCTION reengage.published_tables() RETURNS SETOF regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT t FROM unnest(ARRAY[to_regclass('reengage.lineage'), to_regclass('reengage.lineage_manifest')]) t
	WHERE t IS NOT NULL
$$;
COMMENT ON FUNCTION reengage.published_tables() IS 'the tables that are made to be replicated';

CREATE FUNCTION reengage.private_tables() RETURNS SETOF regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT t
	FROM unnest('{address_key,nudges,intents,unresolved,suppressions,answers,changes,import_rejects}'::text[]) name
		CROSS JOIN LATERAL to_regclass('reengage.' || name) t
	WHERE t IS NOT NULL
$$;
COMMENT ON FUNCTION reengage.private_tables() IS
	'the tables that have addresses and messages, tell of customers, or have the key by which address_hash can be traced back: not made to be replicated';

-- Anybody may give a publication of theirs the comment, but not its owner.
CREATE FUNCTION reengage.is_our_publication(publication oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(obj_description(p.oid, 'pg_publication') = 'made by reengage.publish()', false)
		AND (r.rolsuper OR r.oid = (SELECT c.relowner FROM pg_class c WHERE c.oid = 'reengage.lineage'::regclass))
	FROM pg_publication p JOIN pg_roles r ON r.oid = p.pubowner
	WHERE p.oid = is_our_publication.publication
$$;
COMMENT ON FUNCTION reengage.is_our_publication(oid) IS
	'whether publish() made a publication: it says so, and belongs to the owner of lineage or to a superuser';

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
		WHEN NOT reengage.is_our_publication(pub.oid)
			THEN format('reengage.publish() did not make it, or it was given away: it belongs to %s.', pub.pubowner::regrole)
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
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
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
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	WITH publications AS (
		SELECT p.*, reengage.is_our_publication(p.oid) AS ours,
			(SELECT string_agg(t::text, ', ' ORDER BY t::text) FROM reengage.published_tables() t
			 WHERE NOT EXISTS (SELECT FROM pg_get_publication_tables(p.pubname) g WHERE g.relid = t)) AS missing,
			EXISTS (SELECT FROM reengage.published_tables() t
					JOIN pg_get_publication_tables(p.pubname) g ON g.relid = t) AS has_some,
			NOT EXISTS (SELECT FROM pg_get_publication_tables(p.pubname)) AS is_empty,
			(SELECT string_agg(t::text, ', ' ORDER BY t::text) FROM reengage.private_tables() t
			 JOIN pg_get_publication_tables(p.pubname) g ON g.relid = t) AS private,
			-- the others of ours
			(SELECT string_agg(g.relid::regclass::text, ', ' ORDER BY g.relid::regclass::text)
			 FROM pg_get_publication_tables(p.pubname) g JOIN pg_class c ON c.oid = g.relid
			 WHERE c.relnamespace = 'reengage'::regnamespace
			   AND g.relid NOT IN (SELECT t FROM reengage.published_tables() t UNION ALL SELECT t FROM reengage.private_tables() t)) AS internal,
			EXISTS (SELECT FROM pg_publication_namespace n WHERE n.pnpubid = p.oid AND n.pnnspid = 'reengage'::regnamespace) AS has_schema
		FROM pg_publication p
	)
	SELECT 'publications', 'attention', 'no publication of this database contains reengage.lineage',
		'SELECT reengage.publish(''reengage_bi'');'
	WHERE NOT EXISTS (SELECT FROM publications p WHERE p.has_some)
	UNION ALL
	SELECT format('publication %I', p.pubname),
		CASE WHEN p.private IS NOT NULL THEN 'failed' WHEN p.internal IS NOT NULL THEN 'attention'
			WHEN p.missing IS NULL THEN 'ok' WHEN p.ours THEN 'failed' ELSE 'attention' END,
		CASE
			WHEN p.private IS NOT NULL THEN format('carries %s: addresses and messages of customers, who opted out or answered, or the key of address_hash', p.private)
			WHEN p.internal IS NOT NULL THEN format('carries %s, which means nothing elsewhere', p.internal)
			WHEN p.missing IS NULL THEN 'contains what is made to be replicated'
			WHEN p.is_empty THEN 'is empty: pg_dump before version 18 leaves an extension''s tables out of a publication, so a restored one publishes nothing'
			ELSE format('does not contain %s: a restore, or another tool, took it out', p.missing)
		END,
		CASE
			WHEN coalesce(p.private, p.internal) IS NOT NULL AND p.puballtables
				THEN format('It is FOR ALL TABLES, and nothing can be left out: make another, SELECT reengage.publish(''reengage_bi''); let the readers use that, DROP PUBLICATION %I; and delete what they have copied.', p.pubname)
			WHEN coalesce(p.private, p.internal) IS NOT NULL AND p.has_schema
				THEN format('ALTER PUBLICATION %I DROP TABLES IN SCHEMA reengage; then ADD TABLE %s; and delete what the readers have copied.', p.pubname,
							(SELECT string_agg(t::text, ', ') FROM reengage.published_tables() t))
			WHEN coalesce(p.private, p.internal) IS NOT NULL
				THEN format('ALTER PUBLICATION %I DROP TABLE %s; and delete what the readers have copied.', p.pubname, concat_ws(', ', p.private, p.internal))
			WHEN p.missing IS NULL THEN NULL
			WHEN p.ours THEN format('SELECT reengage.publish(%L); then let the readers take a new snapshot.', p.pubname)
			ELSE format('If lineage belongs in it: ALTER PUBLICATION %I ADD TABLE %s;', p.pubname, p.missing)
		END
	FROM publications p WHERE p.ours OR p.has_some OR p.is_empty OR coalesce(p.private, p.internal) IS NOT NULL
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
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
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
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
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
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
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
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT * FROM reengage.check_settings()
	UNION ALL SELECT * FROM reengage.check_publications()
	UNION ALL SELECT * FROM reengage.check_tables()
	UNION ALL SELECT * FROM reengage.check_slots()
$$;
COMMENT ON FUNCTION reengage.replication_check() IS
	'whether lineage can be replicated, and is: ok, attention or failed, and what to do';

-- Whoever may put these there is the owner of our tables, or was given the right
-- by one: what they do runs in our transactions, with the rights of who writes.
CREATE FUNCTION reengage.foreign_hands(OUT subject text, OUT detail text, OUT remedy text) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	WITH ours AS (
		SELECT c.* FROM pg_class c WHERE c.relnamespace = 'reengage'::regnamespace AND c.relkind IN ('r', 'v')
	), triggers AS (
		SELECT t.*, p.pronamespace = 'reengage'::regnamespace AS is_ours
		FROM pg_trigger t JOIN ours o ON o.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
		WHERE NOT t.tgisinternal
	)
	SELECT format('trigger %I on %s', t.tgname, t.tgrelid::regclass),
		format('somebody has made it: it runs %s in reengage''s transactions%s', t.tgfoid::regprocedure,
			   CASE WHEN t.tgdeferrable THEN ', and one that is deferred makes them fail' ELSE '' END),
		format('Unless you need it: DROP TRIGGER %I ON %s;', t.tgname, t.tgrelid::regclass)
	FROM triggers t WHERE NOT t.is_ours
	UNION ALL
	SELECT format('trigger %I on %s', t.tgname, t.tgrelid::regclass), 'somebody has disabled it: nudges and outcomes are not kept as they should be',
		format('ALTER TABLE %s ENABLE TRIGGER %I;', t.tgrelid::regclass, t.tgname)
	FROM triggers t WHERE t.is_ours AND t.tgenabled <> 'O'
	UNION ALL
	SELECT format('rule %I on %s', r.rulename, r.ev_class::regclass), 'somebody has made it: it does something else than what reengage writes',
		format('DROP RULE %I ON %s;', r.rulename, r.ev_class::regclass)
	FROM pg_rewrite r JOIN ours o ON o.oid = r.ev_class WHERE r.rulename <> '_RETURN'
	UNION ALL
	SELECT format('row-level security of %s', o.oid::regclass), 'somebody has enabled it: it hides rows, or keeps them from being written',
		format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY;', o.oid::regclass)
	FROM ours o WHERE o.relrowsecurity AND o.oid <> 'reengage.nudges'::regclass
	UNION ALL
	SELECT format('policy %I on %s', p.polname, p.polrelid::regclass), 'somebody has made it: it hides rows, or keeps them from being written',
		format('DROP POLICY %I ON %s;', p.polname, p.polrelid::regclass)
	FROM pg_policy p JOIN ours o ON o.oid = p.polrelid
	WHERE o.oid <> 'reengage.nudges'::regclass OR p.polname NOT IN ('ask', 'own', 'every')
	UNION ALL
	SELECT format('foreign key %I of %s', k.conname, k.conrelid::regclass), format('it refers to %s: rows there that it names cannot be deleted', k.confrelid::regclass),
		format('ALTER TABLE %s DROP CONSTRAINT %I;', k.conrelid::regclass, k.conname)
	FROM pg_constraint k JOIN ours o ON o.oid = k.confrelid WHERE k.contype = 'f'
	UNION ALL
	SELECT format('privileges on %s', o.oid::regclass),
		format('%s may make triggers, foreign keys, or empty it (%s)', CASE a.grantee WHEN 0 THEN 'everybody' ELSE a.grantee::regrole::text END,
			   string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type)),
		format('REVOKE %s ON %s FROM %s;', string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type), o.oid::regclass,
			   CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
	FROM ours o CROSS JOIN LATERAL aclexplode(o.relacl) a
	WHERE a.grantee <> o.relowner AND a.privilege_type IN ('TRIGGER', 'REFERENCES', 'TRUNCATE')
	GROUP BY o.oid, a.grantee
$$;
COMMENT ON FUNCTION reengage.foreign_hands() IS
	'what others have put on reengage''s tables, or may: triggers, rules, row-level security, foreign keys, privileges; a part of the view health';

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
SELECT 'outcomes', 'waiting',
	pg_catalog.format('%s outcomes wait to be written, the oldest since %s: %s', w.outcomes_locked + w.outcomes_refused, w.outcomes_since,
		pg_catalog.concat_ws('; ',
			CASE WHEN w.outcomes_locked > 0 THEN pg_catalog.format('%s for a transaction that has not ended and locks their rows', w.outcomes_locked) END,
			CASE WHEN w.outcomes_refused > 0 THEN pg_catalog.format('%s are refused by a trigger or constraint on reengage.lineage', w.outcomes_refused) END)),
	CASE WHEN w.outcomes_locked > 0
		THEN 'End the transaction: pg_stat_activity has it, by its xact_start. '
		ELSE '' END || 'After a crash their calls would be in doubt.'
FROM worker w
WHERE w.outcomes_locked + w.outcomes_refused > 0
UNION ALL
SELECT 'server ' || s.srvname,
	CASE WHEN p.server IS NOT NULL THEN 'paused' ELSE coalesce(t.state, 'ok') END,
	CASE WHEN p.server IS NULL THEN coalesce(t.said, 'nothing is known against it')
		ELSE pg_catalog.concat_ws('; ', 'by ' || p.paused_by || coalesce(': ' || p.reason, ''),
								  pg_catalog.format('also %s: ', t.state) || t.said) END,
	CASE
		WHEN p.server IS NOT NULL
			THEN pg_catalog.format('Since %s; its nudges stay due. When they may go out: SELECT reengage.resume(%L);', p.since, s.srvname)
		WHEN t.state = 'attention'
			THEN pg_catalog.format('Since %s no such call has succeeded. If a permission is missing, grant it; SELECT reengage.redrive(nudge_id) asks again for what was refused.', t.since)
		WHEN t.server IS NOT NULL
			THEN pg_catalog.format('Since %s; it is tried again from time to time, its nudges stay due.', t.since)
	END
FROM pg_catalog.pg_foreign_server s
	JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw AND w.fdwname = 'reengage'
	LEFT JOIN LATERAL (
		SELECT st.server, st.state, st.since,
			st.reason || coalesce(', not before ' || st.until, '') || coalesce(': ' || st.detail, '') AS said
		FROM reengage.server_state st WHERE st.server = s.srvname) t ON true
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
SELECT h.subject, 'attention', h.detail, h.remedy FROM reengage.foreign_hands() h
UNION ALL
-- not EXISTS, which a planner may turn into a join with all of lineage
SELECT 'schedule', 'attention',
	pg_catalog.format('%s of the newest 1000 nudges are neither due nor ended: they were inserted while triggers were off, as by session_replication_role = replica', pg_catalog.count(*)),
	'SELECT reengage.arm(); makes due what has no outcome.'
FROM (SELECT n.nudge_id FROM reengage.nudges n ORDER BY n.nudge_id DESC LIMIT 1000) n
WHERE (SELECT true FROM reengage.due d WHERE d.nudge_id = n.nudge_id LIMIT 1) IS NULL
  AND (SELECT true FROM reengage.lineage l WHERE l.nudge_id = n.nudge_id LIMIT 1) IS NULL
HAVING pg_catalog.count(*) > 0
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
-- Importing history
--
CREATE TABLE reengage.import_runs (
	import_id uuid NOT NULL DEFAULT reengage.uuid_v7(),
	server text NOT NULL,
	campaign text NOT NULL,
	source text NOT NULL,
	imported_by text NOT NULL DEFAULT session_user,
	started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	moved_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	finished_at timestamptz,
	records_read bigint NOT NULL,
	accepted bigint NOT NULL DEFAULT 0,
	rejected bigint NOT NULL DEFAULT 0,
	skipped bigint NOT NULL DEFAULT 0,
	reasons jsonb NOT NULL DEFAULT '{}',
	CONSTRAINT import_runs_pkey PRIMARY KEY (import_id),
	CONSTRAINT import_runs_sum CHECK (CASE
		WHEN finished_at IS NULL THEN accepted + rejected + skipped <= records_read
		ELSE accepted + rejected + skipped = records_read END)
);
COMMENT ON TABLE reengage.import_runs IS
	'what each import_history() did so far; kept by it, a transaction at a time; the view imports also says whether it still runs';
COMMENT ON COLUMN reengage.import_runs.import_id IS 'identity of the import';
COMMENT ON COLUMN reengage.import_runs.server IS 'the foreign server of the nudges';
COMMENT ON COLUMN reengage.import_runs.campaign IS 'the campaign of the nudges';
COMMENT ON COLUMN reengage.import_runs.source IS 'the file or the staging table';
COMMENT ON COLUMN reengage.import_runs.imported_by IS 'who called it';
COMMENT ON COLUMN reengage.import_runs.started_at IS 'when the source had been read';
COMMENT ON COLUMN reengage.import_runs.moved_at IS 'when the last chunk was done';
COMMENT ON COLUMN reengage.import_runs.finished_at IS 'when all was done; null: it runs, or was interrupted';
COMMENT ON COLUMN reengage.import_runs.records_read IS 'records in the source';
COMMENT ON COLUMN reengage.import_runs.accepted IS 'records that became a nudge';
COMMENT ON COLUMN reengage.import_runs.rejected IS 'records with a defect: see import_rejects';
COMMENT ON COLUMN reengage.import_runs.skipped IS 'records without a defect that needed no nudge';
COMMENT ON COLUMN reengage.import_runs.reasons IS 'how many records there were for each reason; they add up to the three counts';

CREATE TABLE reengage.import_rejects (
	import_id uuid NOT NULL,
	record_no bigint NOT NULL,
	line_no bigint,
	field_count integer,
	reason text NOT NULL,
	message text,
	conversation_id text,
	record jsonb NOT NULL,
	CONSTRAINT import_rejects_pkey PRIMARY KEY (import_id, record_no)
);
COMMENT ON TABLE reengage.import_rejects IS
	'records of history that have a defect, as they were; delete rows that you are done with';
COMMENT ON COLUMN reengage.import_rejects.import_id IS 'the import';
COMMENT ON COLUMN reengage.import_rejects.record_no IS 'which record of the source, from 1, its header not counted';
COMMENT ON COLUMN reengage.import_rejects.line_no IS 'the line of the file where the record begins, from 1, its header counted; null: of a staging table';
COMMENT ON COLUMN reengage.import_rejects.field_count IS 'how many fields the record has; null: of a staging table';
COMMENT ON COLUMN reengage.import_rejects.reason IS 'one word for the defect; docs/history.md says what each means';
COMMENT ON COLUMN reengage.import_rejects.message IS 'with the reason refused: what the database said';
COMMENT ON COLUMN reengage.import_rejects.conversation_id IS 'the conversation, as far as it can be told';
COMMENT ON COLUMN reengage.import_rejects.record IS 'the record: its columns and their text; where its fields are too few or too many, an array of them under "fields"';

SELECT pg_catalog.pg_extension_config_dump('reengage.import_runs', '');
SELECT pg_catalog.pg_extension_config_dump('reengage.import_rejects', '');

CREATE VIEW reengage.imports AS
SELECT r.import_id, r.server, r.campaign, r.source,
	CASE
		WHEN r.finished_at IS NOT NULL THEN 'finished'
		-- between two chunks it holds no lock, for a moment
		WHEN r.moved_at > pg_catalog.clock_timestamp() - interval '1 s'
		  OR EXISTS (SELECT FROM pg_catalog.pg_locks k
					 WHERE k.locktype = 'advisory' AND k.granted
					   AND k.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
					   AND (k.classid::bigint << 32 | k.objid::bigint) = pg_catalog.hashtextextended(r.import_id::text, 0))
			THEN 'running'
		ELSE 'interrupted'
	END AS state,
	r.records_read, r.accepted, r.rejected, r.skipped,
	r.records_read - r.accepted - r.rejected - r.skipped AS remaining,
	r.reasons, r.started_at, r.moved_at, r.finished_at, r.imported_by
FROM reengage.import_runs r;
COMMENT ON VIEW reengage.imports IS
	'each import of history: whether it runs, and what became of its records so far';
COMMENT ON COLUMN reengage.imports.import_id IS 'identity of the import';
COMMENT ON COLUMN reengage.imports.server IS 'the foreign server of the nudges';
COMMENT ON COLUMN reengage.imports.campaign IS 'the campaign of the nudges';
COMMENT ON COLUMN reengage.imports.source IS 'the file or the staging table';
COMMENT ON COLUMN reengage.imports.state IS 'running, finished, or interrupted: call import_history() again, what was accepted is recognised';
COMMENT ON COLUMN reengage.imports.records_read IS 'records in the source';
COMMENT ON COLUMN reengage.imports.accepted IS 'records that became a nudge';
COMMENT ON COLUMN reengage.imports.rejected IS 'records with a defect: see import_rejects';
COMMENT ON COLUMN reengage.imports.skipped IS 'records without a defect that needed no nudge';
COMMENT ON COLUMN reengage.imports.remaining IS 'records that are still to be done';
COMMENT ON COLUMN reengage.imports.reasons IS 'how many records there were for each reason';
COMMENT ON COLUMN reengage.imports.started_at IS 'when the source had been read';
COMMENT ON COLUMN reengage.imports.moved_at IS 'when the last chunk was done';
COMMENT ON COLUMN reengage.imports.finished_at IS 'when all was done';
COMMENT ON COLUMN reengage.imports.imported_by IS 'who called it';

CREATE FUNCTION reengage.read_header(file text, delimiter text, quote text, escape text) RETURNS text[]
LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_read_header';
COMMENT ON FUNCTION reengage.read_header(text, text, text, text) IS
	'the column names of a CSV file on the server, without blanks around them; needs pg_read_server_files; delimiter, quote and escape as import_history() has them';

CREATE FUNCTION reengage.copy_history_file(file text, delimiter text, quote text, escape text) RETURNS bigint
LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_copy_history_file';
COMMENT ON FUNCTION reengage.copy_history_file(text, text, text, text) IS
	'for import_history(): reads the records of a CSV file on the server into its staging table, and counts them; an error that names the line if the file is no text, or its quotes leave doubt';

CREATE FUNCTION reengage.lock_history_table(source regclass) RETURNS text[]
LANGUAGE C STRICT VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_lock_history_table';
COMMENT ON FUNCTION reengage.lock_history_table(regclass) IS
	'for import_history(): locks a table and its partitions until the end of the transaction, and returns its column names; an error if to read it would run code, ask another server or hide rows';

CREATE FUNCTION reengage.copy_history_table(source regclass) RETURNS bigint
LANGUAGE C STRICT VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_copy_history_table';
COMMENT ON FUNCTION reengage.copy_history_table(regclass) IS
	'for import_history(): reads the rows of a table into its staging table, and counts them';

CREATE TYPE reengage.history_facts AS (
	last_inbound_at timestamptz, abandoned_at timestamptz, extracted_at timestamptz, address text, customer text);
COMMENT ON TYPE reengage.history_facts IS
	'for import_history(): what a record says, as far as it can be read: its times, the address to write to, and the form in which it is compared';

-- It runs no SQL, and to pin a search_path takes longer than to read a record.
CREATE FUNCTION reengage.read_history_record(last_inbound_at text, abandoned_at text, extracted_at text, address text, channel text,
											 country_code text, date_order text) RETURNS reengage.history_facts
LANGUAGE C IMMUTABLE
AS 'MODULE_PATHNAME', 'reengage_read_history_record';
COMMENT ON FUNCTION reengage.read_history_record(text, text, text, text, text, text, text) IS
	'for import_history(): the times and the address of a record; null of what cannot be read, or not without doubt';

CREATE FUNCTION reengage.history_customers(forms text[], make_key boolean) RETURNS text[]
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF make_key THEN
		PERFORM reengage.make_address_key();
	END IF;
	RETURN (SELECT reengage.hash_addresses(k.key, forms)
			FROM reengage.address_key k ORDER BY k.created_at, k.key LIMIT 1);
END
$$;
COMMENT ON FUNCTION reengage.history_customers(text[], boolean) IS
	'for import_history(): the hashes of addresses in their normal form under this installation''s key, which is made if there is none; null without it';

-- What a column that nobody explained says of a customer or a record, by its
-- name alone: letters and digits of it, so that case, _ and - make no difference.
CREATE FUNCTION reengage.column_meaning(name text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	-- Salesforce has __c behind each name of one's own
	words text := regexp_replace(lower(name COLLATE "C"), '__c$', '');
	word text := regexp_replace(words, '[^a-z0-9]', '', 'g');
	-- what stands behind a word without changing what it says
	behind CONSTANT text := '(flag|status|state|bool|indicator|ind|yn|at|on|date|datetime|dt|time|ts|timestamp|utc)*$';
	before CONSTANT text := '^(is|has|was|customer|contact|user|client|recipient|person|sms|text|email|mail|whatsapp|message|messaging|marketing|global|phone|voice|call|all)*';
	stop CONSTANT text := 'opt(ed)?out|unsubscribed?|donot(contact|call|disturb|text|sms|email|mail|message|msg|whatsapp|market|solicit|send|nudge)'
		|| '|black?list(ed)?|block(ed)?list(ed)?|suppressed|suppression|(consent|permission|optin)(is|was)?(revoked|withdrawn)|(revoked|withdrawn)(consent|permission|optin)';
	yes CONSTANT text := 'consent(s|ed)?|opt(ed)?in|permission';
	ways CONSTANT text := '(contact|marketing|promotions?|advertising|sms|text|texts|e?mail|whatsapp|messages?|messaging|calls?|phone|communications?|newsletter)';
	-- behind a consent: not whether there is one, but which
	about CONSTANT text := '(date|datetime|dt|time|timestamp|ts|utc|at|on|source|method|text|version|ids?|ip|url|by|level|name|token|key|lang|language|locale|channel)$';
	-- what would turn it round
	no CONSTANT text := '(not|non|no|never|un|without|missing)';
BEGIN
	CASE
		WHEN word ~ ('(' || stop || ')' || behind) AND word !~ (no || '(' || stop || ')')
		  OR word ~ (before || '(dnc|dnd)' || behind) OR words ~ '^(is_|sms_|has_)*stop(ped)?(_(at|on|flag|date|ts))*$'
			THEN RETURN 'opted_out';
		WHEN word ~ ('opt(ed|ing)?out|unsubscri|blacklist|block(ed)?list|suppress|revoked|withdrawn|blocked')
		  OR word ~ ('do(not|nt)(contact|call|disturb|text|sms|email|mail|message|msg|whatsapp|market|solicit|send|nudge)')
		  OR word ~ (no || '(longer)?(consent|permission|optin|optedin|subscribed|contact|marketing|sms|email|calls?)')
		  OR word ~ '(consent|permission|optin|subscription)(is|was)?(denied|declined|refused|expir|rejected|lapsed|ended|cancell?ed)'
		  OR words ~ '(^|[^a-z])(dnc|dnd|unsub(bed)?|stop(ped)?_(sms|request(ed)?|keyword|received)|exclu(de|ded|sion)|robinson|litigator|complain(ed|t)|spam)([^a-z]|$)'
			THEN RETURN 'unclear opted_out';
		WHEN word ~ ('(' || yes || ')(given|granted|flag|status|state|bool|indicator|ind|yn)*$') OR word ~ (before || 'subscribed(flag|status)*$')
			THEN RETURN 'consent';
		-- consent_sms, accepts_marketing, ok_to_contact, subscription_status
		WHEN word ~ '(consent|optedin|permission(to|for)|subscribedto|subscri(ption|ber)(status|state)$)' AND word !~ about
		  OR words ~ '(^|[^a-z])opt_?in_' AND word !~ about
		  OR word ~ ('((accept|allow|want|agree)(s|ed)?(to|be)*|(can|may|okto|ok2)(be)?)' || ways || '(ed)?' || behind)
		  OR word ~ (ways || '(allowed|permitted|accepted|agreed)' || behind) OR word ~ 'contactable'
			THEN RETURN 'unclear consent';
		WHEN word ~ ('deleted' || behind) AND word !~ (no || 'deleted') OR word ~ '^(is)?tombstone$'
			THEN RETURN 'deleted';
		WHEN word ~ '^(op|optype|operationtype|(cdc|dbz|debezium|dml|dms|kafka|row|record|wal)(op|operation|optype|type|action|kind)|changetype|metadataaction|(header)?changeoper(ation)?)$'
			THEN RETURN 'operation';
		-- __$operation of SQL Server has numbers
		WHEN word ~ 'delet|erased|erasure|anonymi[sz]ed|tombstone|forgotten' OR word ~ ('^(is|was)?(removed|purged)' || behind) OR words = '__$operation'
			THEN RETURN 'unclear deleted';
		ELSE RETURN NULL;
	END CASE;
END
$$;
COMMENT ON FUNCTION reengage.column_meaning(text) IS
	'for import_history(): what a column''s name says by itself: opted_out, consent, deleted, operation; unclear before it: it sounds like it; null: nothing of these';

-- In Turkish "I" is no capital of "i"; names and words are of ASCII, mostly.
CREATE FUNCTION reengage.small(said text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT lower(lower(said COLLATE "C") COLLATE "default")
$$;
COMMENT ON FUNCTION reengage.small(text) IS 'for import_history(): a name in lower case, its letters of ASCII in any language';

-- A file without a header has a record in its place, with its time and address.
CREATE FUNCTION reengage.is_data(header text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (SELECT FROM unnest(header) h(name)
				   WHERE strpos(h.name, '@') > 0 OR length(regexp_replace(h.name, '[^0-9]', '', 'g')) >= 7)
$$;
COMMENT ON FUNCTION reengage.is_data(text[]) IS
	'for import_history(): whether a header seems to be a record';

CREATE FUNCTION reengage.shown_columns(header text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN reengage.is_data(header)
		THEN format('The first line has %s fields, and looks like a record: it is not shown.', cardinality(header))
		ELSE format('The columns are: %s.', left(array_to_string(header, ', '), 1000)) END
$$;
COMMENT ON FUNCTION reengage.shown_columns(text[]) IS
	'for import_history(): the columns, to be shown in an error; of what seems to be a record nothing';

-- The column names that an argument "columns" has for a field.
CREATE FUNCTION reengage.names_of_field(columns jsonb, field text) RETURNS SETOF text
LANGUAGE sql IMMUTABLE ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
	SELECT reengage.small(btrim(e.name))
	FROM jsonb_array_elements_text(CASE jsonb_typeof(columns -> field)
		WHEN 'array' THEN columns -> field
		WHEN 'string' THEN jsonb_build_array(columns -> field)
		ELSE '[]' END) e(name)
$$;
COMMENT ON FUNCTION reengage.names_of_field(jsonb, text) IS
	'for import_history(): the names that its argument columns has for a field, in lower case';

-- Which column of a source is what.  Of most fields the first name that it has
-- counts; of consent, opt-outs and deletions each column does.
CREATE FUNCTION reengage.history_columns(header text[], columns jsonb)
RETURNS TABLE (field text, place integer)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	WITH known (field, names) AS (VALUES
		('conversation_id', ARRAY['conversation_id']),
		('status', ARRAY['status', 'state']),
		('channel', ARRAY['channel', 'message_type']),
		('address', ARRAY['customer_address', 'address', 'from_address']),
		('time_zone', ARRAY['customer_time_zone', 'time_zone', 'customer_timezone']),
		('last_inbound_at', ARRAY['last_inbound_at']),
		('abandoned_at', ARRAY['abandoned_at', 'conversation_end']),
		('extracted_at', ARRAY['extracted_at']),
		('template', ARRAY['template', 'messaging_template', 'whatsapp_template']),
		('language', ARRAY['language', 'locale', 'customer_language', 'customer_locale'])
	), one AS (
		SELECT k.field,
			(SELECT h.place::integer
			 FROM unnest(CASE WHEN columns ? k.field THEN ARRAY(SELECT reengage.names_of_field(columns, k.field)) ELSE k.names END)
				WITH ORDINALITY n(name, rank)
				JOIN unnest(header) WITH ORDINALITY h(name, place) ON reengage.small(h.name) = n.name
			 ORDER BY n.rank LIMIT 1) AS place
		FROM known k
	)
	SELECT o.field, o.place FROM one o
	UNION ALL
	SELECT m.field, h.place::integer
	FROM unnest(ARRAY['consent', 'opted_out', 'deleted', 'operation']) m(field)
		JOIN unnest(header) WITH ORDINALITY h(name, place)
			ON CASE WHEN columns ? m.field THEN reengage.small(h.name) IN (SELECT reengage.names_of_field(columns, m.field))
				ELSE reengage.column_meaning(h.name) = m.field AND h.place NOT IN (SELECT o.place FROM one o WHERE o.place IS NOT NULL) END
$$;
COMMENT ON FUNCTION reengage.history_columns(text[], jsonb) IS
	'for import_history(): which column of a header is what; null: none; consent, opted_out, deleted and operation may be several';

CREATE FUNCTION reengage.check_header(header text[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	wrong text;
BEGIN
	SELECT reengage.small(h.name) INTO wrong FROM unnest(header) h(name) GROUP BY reengage.small(h.name)
	HAVING count(*) > 1 OR reengage.small(h.name) = '' ORDER BY 1 LIMIT 1;
	IF wrong <> '' OR (wrong = '' AND cardinality(header) > 1) THEN
		RAISE EXCEPTION 'column "%" is there twice, or has no name', CASE WHEN reengage.is_data(header) THEN '...' ELSE wrong END
			USING ERRCODE = 'duplicate_column', DETAIL = reengage.shown_columns(header),
				  HINT = 'Give each column a name of its own; pandas writes a column without a name unless it is told index=False.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage.check_header(text[]) IS
	'for import_history(): an error if a header has a name twice, or none';

CREATE FUNCTION reengage.check_columns(columns jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	known text[] := ARRAY(SELECT DISTINCT c.field FROM reengage.history_columns(NULL, '{}') c) || ARRAY['consent', 'opted_out', 'deleted', 'operation'];
	wrong text;
BEGIN
	IF columns IS NULL OR jsonb_typeof(columns) <> 'object' THEN
		RAISE EXCEPTION 'columns must be a JSON object'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'For example {"conversation_id": "CONV_ID"}.';
	END IF;
	SELECT k.key INTO wrong FROM jsonb_object_keys(columns) k(key) WHERE k.key <> ALL (known) LIMIT 1;
	IF wrong IS NOT NULL THEN
		RAISE EXCEPTION 'columns has an unknown key: "%"', wrong
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = format('The keys are: %s.', array_to_string(known, ', '));
	END IF;
	SELECT c.key INTO wrong FROM jsonb_each(columns) c
	WHERE jsonb_typeof(c.value) NOT IN ('string', 'null', 'array')
	   OR jsonb_typeof(c.value) = 'array' AND c.key NOT IN ('consent', 'opted_out', 'deleted', 'operation')
	   OR jsonb_typeof(c.value) = 'array' AND jsonb_path_exists(c.value, '$[*] ? (@.type() != "string")') LIMIT 1;
	IF wrong IS NOT NULL THEN
		RAISE EXCEPTION 'columns has no column name for "%"', wrong
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'It is the name of a column, or null where none is; of consent, opted_out, deleted and operation also an array of names.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage.check_columns(jsonb) IS
	'for import_history(): an error if its argument columns is not what it should be';

-- Whether somebody may be written to must not depend on a guess.
CREATE FUNCTION reengage.check_meanings(header text[], columns jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	unclear record;
	clear jsonb;
BEGIN
	SELECT h.name, split_part(reengage.column_meaning(h.name), ' ', 2) AS field INTO unclear
	FROM unnest(header) WITH ORDINALITY h(name, place)
	WHERE reengage.column_meaning(h.name) LIKE 'unclear %'
	  AND NOT columns ? split_part(reengage.column_meaning(h.name), ' ', 2)
	  AND h.place NOT IN (SELECT c.place FROM reengage.history_columns(header, columns) c WHERE c.place IS NOT NULL)
	ORDER BY h.place LIMIT 1;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	SELECT jsonb_agg(header[c.place]) INTO clear FROM reengage.history_columns(header, columns) c WHERE c.field = unclear.field;
	RAISE EXCEPTION 'column "%" may say that % be written to', unclear.name,
			CASE unclear.field WHEN 'deleted' THEN 'a record is deleted, and must not' ELSE 'a customer must not' END
		USING ERRCODE = 'ambiguous_column',
			  HINT = format('If it does, say columns => ''%s''; if not, say columns => ''%s''.',
							jsonb_build_object(unclear.field, coalesce(clear, '[]') || to_jsonb(unclear.name)),
							jsonb_build_object(unclear.field, clear));
END
$$;
COMMENT ON FUNCTION reengage.check_meanings(text[], jsonb) IS
	'for import_history(): an error if the name of a column sounds like "do not write", and it is not clear that it says so';

CREATE FUNCTION reengage.check_keep_columns(header text[], columns jsonb, keep_columns jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	wrong text;
BEGIN
	SELECT k.name INTO wrong FROM jsonb_array_elements_text(keep_columns) k(name)
	WHERE k.name IS NULL OR reengage.small(btrim(k.name)) NOT IN (SELECT reengage.small(h.name) FROM unnest(header) h(name)) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'keep_columns names a column that history does not have: "%"', wrong
			USING ERRCODE = 'undefined_column', DETAIL = reengage.shown_columns(header);
	END IF;
	SELECT k.name INTO wrong
	FROM jsonb_array_elements_text(keep_columns) k(name)
		JOIN reengage.history_columns(header, columns) c ON reengage.small(header[c.place]) = reengage.small(btrim(k.name))
	WHERE c.field = 'address' LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'column "%" cannot be kept: it is the customer''s address', wrong
			USING ERRCODE = 'invalid_parameter_value', DETAIL = 'What is kept goes to the lineage, which has no addresses.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage.check_keep_columns(text[], jsonb, jsonb) IS
	'for import_history(): an error if columns to be kept do not exist, or are the address';

CREATE FUNCTION reengage.check_history_columns(header text[], columns jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	wrong text;
	found_fields text[];
BEGIN
	PERFORM reengage.check_header(header);
	SELECT coalesce(array_agg(c.field), '{}') INTO found_fields FROM reengage.history_columns(header, columns) c WHERE c.place IS NOT NULL;
	SELECT n.name INTO wrong FROM jsonb_object_keys(columns) k(key), reengage.names_of_field(columns, k.key) n(name)
	WHERE n.name NOT IN (SELECT reengage.small(h.name) FROM unnest(header) h(name)) LIMIT 1;
	IF wrong IS NULL AND NOT 'conversation_id' = ANY (found_fields) THEN
		wrong := 'conversation_id';
	ELSIF wrong IS NULL AND NOT 'address' = ANY (found_fields) THEN
		wrong := 'customer_address';
	ELSIF wrong IS NULL AND NOT found_fields && ARRAY['last_inbound_at', 'abandoned_at'] THEN
		wrong := 'last_inbound_at or abandoned_at';
	END IF;
	IF wrong IS NOT NULL THEN
		RAISE EXCEPTION 'history has no column %', wrong
			USING ERRCODE = 'undefined_column', DETAIL = reengage.shown_columns(header),
				  HINT = 'Is there a header, and is the delimiter right? Names of your own are mapped with columns => ''{"conversation_id": "CONV_ID"}''.';
	END IF;
	PERFORM reengage.check_meanings(header, columns);
END
$$;
COMMENT ON FUNCTION reengage.check_history_columns(text[], jsonb) IS
	'for import_history(): an error if a column is missing that it cannot do without, or is not clear in what it forbids';

-- A template, or one for each language with "*" for any other.
CREATE FUNCTION reengage.is_template(template jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_typeof(template) = 'object' AND jsonb_typeof(template -> 'responseId') = 'string'
					AND btrim(template ->> 'responseId') <> '', false)
$$;
COMMENT ON FUNCTION reengage.is_template(jsonb) IS 'whether it is an object that names a canned response by its responseId';

CREATE FUNCTION reengage.check_template(template jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF jsonb_typeof(template) = 'null' OR reengage.is_template(template) THEN
		RETURN;
	END IF;
	IF jsonb_typeof(template) <> 'object' OR template ? 'responseId' OR template = '{}'
	   OR EXISTS (SELECT FROM jsonb_each(template) t WHERE NOT reengage.is_template(t.value)) THEN
		RAISE EXCEPTION 'template has no responseId'
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'For example {"responseId": "3f1b"}; or one for each language: {"de": {"responseId": "3f1b"}, "*": {"responseId": "77ac"}}.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage.check_template(jsonb) IS
	'for import_history(): an error if its argument template is neither a template nor one for each language';

CREATE FUNCTION reengage.template_for(template jsonb, language text) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
		WHEN jsonb_typeof(template) IS DISTINCT FROM 'object' THEN NULL
		WHEN template ? 'responseId' THEN template
		ELSE coalesce(
			(SELECT t.value FROM jsonb_each(template) t
			 WHERE reengage.small(translate(t.key, '_', '-'))
				IN (reengage.small(translate(language, '_', '-')), reengage.small(split_part(translate(language, '_', '-'), '-', 1)))
			 ORDER BY length(t.key) DESC LIMIT 1),
			template -> '*')
	END
$$;
COMMENT ON FUNCTION reengage.template_for(jsonb, text) IS
	'for import_history(): of its argument template what is for a language such as de-AT, else for de, else for *; null: there is none';

CREATE FUNCTION reengage.template_in(said text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN CASE WHEN reengage.is_template(said::jsonb) THEN said::jsonb END;
EXCEPTION WHEN data_exception OR program_limit_exceeded OR statement_too_complex THEN
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION reengage.template_in(text) IS
	'for import_history(): the template that a record has as JSON; null: it is none';

CREATE FUNCTION reengage.without_address(said text, address text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
	SELECT CASE
		WHEN address IS NULL THEN said
		WHEN strpos(regexp_replace(lower(said COLLATE "C"), '\s', '', 'g'), regexp_replace(lower(address COLLATE "C"), '\s', '', 'g')) > 0 THEN NULL
		-- what stands before the last digits is written in several ways
		WHEN length(d.of_address) >= 7 AND strpos(d.of_said, right(d.of_address, 7)) > 0 THEN NULL
		ELSE said
	END
	FROM (SELECT regexp_replace(said, '[^0-9]', '', 'g') AS of_said, regexp_replace(address, '[^0-9]', '', 'g') AS of_address) d
$$;
COMMENT ON FUNCTION reengage.without_address(text, text) IS
	'for import_history(): a text; null if an address is in it, also in another punctuation';

-- From here on the functions run as their caller: the source is read, and
-- nudges are asked for, with the rights of whoever imports.  What lies between
-- the transactions of an import is in temporary tables of the caller.
CREATE FUNCTION reengage.drop_history() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS $$
BEGIN
	DROP VIEW IF EXISTS pg_temp.reengage_history;
	DROP TABLE IF EXISTS pg_temp.reengage_history_plan, pg_temp.reengage_history_staging;
END
$$;
COMMENT ON FUNCTION reengage.drop_history() IS 'for import_history(): drops its temporary tables';

CREATE FUNCTION reengage.make_staging(columns integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	EXECUTE format('CREATE TEMP TABLE reengage_history_staging (record_no bigint, line_no bigint, field_count integer, complaint text, fields text[]%s)',
				   (SELECT string_agg(format(', c%s text', n), '' ORDER BY n) FROM generate_series(1, columns) n));
END
$$;
COMMENT ON FUNCTION reengage.make_staging(integer) IS 'for import_history(): makes its staging table';

CREATE FUNCTION reengage.stage_file(options jsonb) RETURNS text[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	header text[] := reengage.read_header(options ->> 'file', options ->> 'delimiter', options ->> 'quote', options ->> 'escape');
BEGIN
	PERFORM reengage.check_history_columns(header, options -> 'columns');
	PERFORM reengage.make_staging(cardinality(header));
	PERFORM reengage.copy_history_file(options ->> 'file', options ->> 'delimiter', options ->> 'quote', options ->> 'escape');
	RETURN header;
END
$$;
COMMENT ON FUNCTION reengage.stage_file(jsonb) IS
	'for import_history(): reads a file on the server into its staging table, and returns the header';

-- A number that went through floating point is no address any more.
CREATE FUNCTION reengage.stage_table(source regclass, options jsonb) RETURNS text[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'postgres' SET extra_float_digits = 1 SET bytea_output = 'hex' SET jit = off
AS $$
DECLARE
	header text[] := reengage.lock_history_table(source);
	wrong record;
BEGIN
	PERFORM reengage.check_history_columns(header, options -> 'columns');
	SELECT a.attname, format_type(a.atttypid, NULL) AS type INTO wrong
	FROM (SELECT t.attname, t.atttypid, row_number() OVER (ORDER BY t.attnum) AS place
		  FROM pg_attribute t WHERE t.attrelid = source AND t.attnum > 0 AND NOT t.attisdropped) a
		JOIN reengage.history_columns(header, options -> 'columns') c ON c.place = a.place
	WHERE c.field IN ('address', 'conversation_id') AND a.atttypid IN ('real'::regtype, 'double precision'::regtype) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'cannot import column % of type %', wrong.attname, wrong.type
			USING ERRCODE = 'datatype_mismatch', DETAIL = 'Floating point does not keep every digit of a number or an id.',
				  HINT = 'Load it into a column of type text.';
	END IF;
	PERFORM reengage.make_staging(cardinality(header));
	PERFORM reengage.copy_history_table(source);
	RETURN header;
END
$$;
COMMENT ON FUNCTION reengage.stage_table(regclass, jsonb) IS
	'for import_history(): reads a table into its staging table, and returns the column names';

-- How a value is read from its column: an expression.
CREATE FUNCTION reengage.history_expression(field text, places integer[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
	SELECT CASE
		WHEN field = 'address' THEN
			coalesce((SELECT format('CASE WHEN btrim(c%1$s, E'' \t\r\n'') NOT IN ('''', ''\N'') THEN c%1$s END', p.place) FROM unnest(places) p(place)), 'NULL::text')
		-- what cannot be read counts as what forbids
		WHEN field = 'consent' THEN
			(SELECT string_agg(format('coalesce(lower(btrim(c%s, E'' \t\r\n'') COLLATE "C") NOT IN (''true'', ''t'', ''yes'', ''y'', ''1'', ''1.0'', ''on'','
									  ' ''granted'', ''given'', ''consented'', ''opted_in'', ''opted-in'', ''optin'', ''opt_in'', ''opt-in'', ''subscribed''), true)', p.place), ' OR ')
			 FROM unnest(places) p(place))
		WHEN field IN ('opted_out', 'deleted') THEN
			-- an active opt-out is one, an active record is not deleted
			(SELECT string_agg(format('lower(btrim(coalesce(c%s, ''''), E'' \t\r\n'') COLLATE "C") NOT IN ('''', ''\n'', ''false'', ''f'', ''no'', ''n'', ''0'', ''0.0'', ''off'','
									  ' ''null'', ''none'', ''nan'', ''nat'', ''n/a'', %s)', p.place,
									  CASE field WHEN 'deleted' THEN '''active''' ELSE '''opted_in'', ''opted-in'', ''optin'', ''opt_in'', ''opt-in'', ''subscribed''' END), ' OR ')
			 FROM unnest(places) p(place))
		WHEN field = 'operation' THEN
			(SELECT string_agg(format('lower(btrim(coalesce(c%s, ''''), E'' \t\r\n'') COLLATE "C") IN (''d'', ''-d'', ''delete'', ''deleted'', ''remove'', ''removed'', ''t'', ''truncate'')', p.place), ' OR ')
			 FROM unnest(places) p(place))
		ELSE
			coalesce((SELECT format('nullif(nullif(btrim(c%s, E'' \t\r\n''), ''''), ''\N'')', p.place) FROM unnest(places) p(place)), 'NULL::text')
	END
$$;
COMMENT ON FUNCTION reengage.history_expression(text, integer[]) IS
	'for import_history(): an SQL expression for what the columns of a field say; of consent whether it is missing';

-- What of a record goes into the detail of its nudge: what was named.
CREATE FUNCTION reengage.kept_expression(header text[], options jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
	SELECT coalesce(format('jsonb_strip_nulls(jsonb_object(ARRAY[%s]::text[], ARRAY[%s]::text[]))',
			string_agg(quote_literal(reengage.small(h.name)), ', ' ORDER BY h.place),
			string_agg(format('reengage.without_address(nullif(c%s, ''\N''), %s)', h.place, reengage.history_expression('address', ARRAY[a.place])), ', ' ORDER BY h.place)),
		'''{}''::jsonb')
	FROM unnest(header) WITH ORDINALITY h(name, place)
		JOIN reengage.history_columns(header, options -> 'columns') a ON a.field = 'address'
	WHERE reengage.small(h.name) IN (SELECT reengage.small(btrim(k.name)) FROM jsonb_array_elements_text(options -> 'keep_columns') k(name))
$$;
COMMENT ON FUNCTION reengage.kept_expression(text[], jsonb) IS
	'for import_history(): an SQL expression for the columns of a record that are kept in the detail of its nudge';

-- A view gives the columns of a source their meaning.
CREATE FUNCTION reengage.describe_history(header text[], options jsonb) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET jit = off
AS $$
DECLARE
	records bigint;
	meanings text;
	words text[] := ARRAY['consent', 'opted_out', 'deleted', 'operation'];
	found_places jsonb;
BEGIN
	PERFORM reengage.check_keep_columns(header, options -> 'columns', options -> 'keep_columns');
	SELECT string_agg(format('%s AS %I', reengage.history_expression(c.field, array_remove(ARRAY[c.place], NULL)), c.field), ', ') INTO meanings
	FROM reengage.history_columns(header, options -> 'columns') c WHERE c.field <> ALL (words);
	SELECT jsonb_object_agg(w.field, coalesce('(' || reengage.history_expression(w.field, w.places) || ')', 'false')) INTO found_places
	FROM (SELECT f.field, array_agg(c.place) FILTER (WHERE c.place IS NOT NULL) AS places
		  FROM unnest(words) f(field) LEFT JOIN reengage.history_columns(header, options -> 'columns') c ON c.field = f.field
		  GROUP BY f.field) w;
	EXECUTE format('CREATE TEMP VIEW reengage_history AS SELECT record_no, line_no, field_count, complaint, %s,'
				   ' complaint IS NULL AND %s AS withdrawn, complaint IS NULL AND %s AS opted_out, complaint IS NULL AND (%s OR %s) AS deleted,'
				   ' %s AS kept, CASE WHEN complaint IS NULL THEN jsonb_object(ARRAY[%s], ARRAY[%s]) ELSE jsonb_build_object(''fields'', fields) END AS record'
				   ' FROM pg_temp.reengage_history_staging',
				   meanings, found_places ->> 'consent', found_places ->> 'opted_out', found_places ->> 'deleted', found_places ->> 'operation',
				   reengage.kept_expression(header, options),
				   (SELECT string_agg(quote_literal(h.name), ', ' ORDER BY h.place) FROM unnest(header) WITH ORDINALITY h(name, place)),
				   (SELECT string_agg('c' || n, ', ' ORDER BY n) FROM generate_series(1, cardinality(header)) n));
	CREATE UNIQUE INDEX ON pg_temp.reengage_history_staging (record_no);
	ANALYZE pg_temp.reengage_history_staging;
	SELECT count(*) INTO records FROM pg_temp.reengage_history_staging;
	RETURN records;
END
$$;
COMMENT ON FUNCTION reengage.describe_history(text[], jsonb) IS
	'for import_history(): gives the columns of the staged records their meaning, and counts the records';

CREATE FUNCTION reengage.status_words() RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT ARRAY[
		-- of the dialects and of Genesys Cloud
		'active', 'ringing', 'alerting', 'connected', 'closed', 'disconnected', 'terminated', 'dialing', 'contacting', 'offering',
		'queued', 'parked', 'hold', 'held', 'scheduled', 'transmitting', 'converting', 'uploading', 'none', 'ended',
		-- of Twilio, Intercom, Zendesk, Freshdesk, LivePerson, Amazon Connect and their like
		'initializing', 'inactive', 'open', 'opened', 'reopened', 'snoozed', 'new', 'pending', 'on-hold', 'on_hold', 'solved', 'resolved',
		'waiting', 'assigned', 'unassigned', 'in_progress', 'in-progress', 'in progress', 'ongoing', 'idle', 'paused', 'wrapup', 'wrap_up',
		'completed', 'complete', 'done', 'finished', 'expired', 'timeout', 'timed_out', 'timed out', 'abandoned', 'missed', 'rejected',
		'cancelled', 'canceled', 'failed', 'error', 'archived', 'transferred', 'left', 'close', 'end']
$$;
COMMENT ON FUNCTION reengage.status_words() IS
	'for import_history(): the words for a status that it knows, live and closed ones of dialects and common extracts';

CREATE FUNCTION reengage.name_columns(header text[], options jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT options || jsonb_build_object(
		'heading', (SELECT header[c.place] FROM reengage.history_columns(header, options -> 'columns') c WHERE c.field = 'conversation_id'),
		'zone_column', (SELECT header[c.place] FROM reengage.history_columns(header, options -> 'columns') c WHERE c.field = 'time_zone'))
$$;
COMMENT ON FUNCTION reengage.name_columns(text[], jsonb) IS
	'for import_history(): its options with the names that conversation and time zone have in the source';

-- What becomes of each record, as far as the source alone tells.  First the
-- newest record of each conversation is found, whatever its defects: an older
-- one must not speak for it, say with a consent that was withdrawn since.
CREATE FUNCTION reengage.plan_history(options jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET work_mem = '32MB' SET jit = off
AS $$
DECLARE
	as_of timestamptz := options ->> 'as_of';
	max_age interval := options ->> 'max_age';
	date_order text := options ->> 'date_order';
	country_code text := reengage.country_code_of(options ->> 'server');
	heading text := lower(options ->> 'heading' COLLATE "C");
	-- to list the names of time zones takes longer than a small extract
	has_zones boolean := options ->> 'zone_column' IS NOT NULL;
	words text[] := reengage.status_words() || ARRAY(SELECT reengage.small(btrim(w.word)) FROM jsonb_array_elements_text(options -> 'status_words') w(word));
BEGIN
	CREATE TEMP TABLE reengage_history_plan AS
	WITH read AS (
		SELECT h.record_no, h.complaint, h.conversation_id, lower(h.status COLLATE "C") AS status, lower(h.channel COLLATE "C") AS channel, h.address, h.time_zone,
			h.template, h.withdrawn, h.opted_out, h.deleted, h.last_inbound_at, h.abandoned_at, h.extracted_at,
			reengage.read_history_record(h.last_inbound_at, h.abandoned_at, h.extracted_at, h.address, lower(h.channel COLLATE "C"), country_code, date_order) AS facts
		FROM pg_temp.reengage_history h
		OFFSET 0
	), looked_at AS (
		SELECT r.record_no, r.conversation_id, r.status, r.channel, r.address AS said_address, (r.facts).address, (r.facts).customer, r.time_zone,
			r.template, r.withdrawn, r.opted_out, r.deleted,
			coalesce((r.facts).abandoned_at, (r.facts).last_inbound_at) AS occurred_at, (r.facts).extracted_at,
			greatest((r.facts).last_inbound_at, (r.facts).abandoned_at) AS last_seen_at,
			(r.last_inbound_at IS NULL) = ((r.facts).last_inbound_at IS NULL) AND (r.abandoned_at IS NULL) = ((r.facts).abandoned_at IS NULL)
				AND (r.extracted_at IS NULL) = ((r.facts).extracted_at IS NULL)
				AND coalesce((r.facts).abandoned_at, (r.facts).last_inbound_at) IS NOT NULL AS has_times,
			CASE
				WHEN r.complaint IS NOT NULL THEN r.complaint
				WHEN r.conversation_id IS NULL THEN 'missing_id'
				WHEN lower(r.conversation_id COLLATE "C") = heading THEN 'header'
				-- a bounded repetition would take a hundred times as long
				WHEN length(r.conversation_id) > 128 OR r.conversation_id !~ '^[A-Za-z0-9._~-]+$'
				  OR r.conversation_id IN ('.', '..') THEN 'invalid_id'
				ELSE ''
			END AS id_defect
		FROM read r
		OFFSET 0
	), newest AS (
		SELECT l.*, l.id_defect = '' AND row_number() OVER (
			PARTITION BY l.conversation_id COLLATE "C", l.id_defect
			-- of records of one time what forbids counts
			ORDER BY l.extracted_at DESC NULLS LAST, l.occurred_at DESC NULLS LAST, l.withdrawn DESC, l.record_no DESC) > 1 AS is_older,
			max(CASE WHEN l.opted_out THEN coalesce(l.extracted_at, 'infinity') END)
				OVER (PARTITION BY l.conversation_id COLLATE "C", l.id_defect) AS conversation_out_at
		FROM looked_at l
	), judged AS (
		SELECT n.record_no, n.conversation_id, n.status, n.channel, n.address, n.customer, n.time_zone, n.occurred_at, n.extracted_at, n.last_seen_at,
			NOT n.is_older AND n.withdrawn AS withdrawn, n.opted_out, n.conversation_out_at,
			CASE
				WHEN n.id_defect <> '' THEN n.id_defect
				WHEN n.is_older THEN 'older_record'
				WHEN n.deleted THEN 'deleted'
				WHEN NOT n.has_times THEN 'bad_timestamp'
				-- clocks differ
				WHEN greatest(n.last_seen_at, n.extracted_at) > as_of + interval '5 minutes' THEN 'future_timestamp'
				WHEN n.said_address IS NULL THEN 'no_address'
				WHEN n.customer IS NULL OR length(n.address) > 256 OR n.address ~ '[\x01-\x1f\x7f]' THEN 'invalid_address'
				WHEN length(n.channel) > 64 OR n.channel !~ '^[a-z0-9_-]+$' THEN 'invalid_channel'
				WHEN n.opted_out THEN 'opted_out'
				WHEN n.withdrawn THEN 'no_consent'
				WHEN n.template IS NOT NULL AND coalesce(n.channel, 'whatsapp') = 'whatsapp' AND reengage.template_in(n.template) IS NULL THEN 'invalid_template'
				ELSE 'accepted'
			END AS reason
		FROM newest n
	), compared AS (
		-- what forbids speaks for the customer, whatever other defects its record has
		SELECT j.*,
			max(CASE WHEN j.opted_out THEN coalesce(j.extracted_at, 'infinity') END) OVER (PARTITION BY j.customer COLLATE "C") AS opted_out_at,
			row_number() OVER (
				PARTITION BY j.customer COLLATE "C"
				ORDER BY j.reason = 'accepted' OR j.withdrawn DESC, j.occurred_at DESC NULLS FIRST, j.withdrawn DESC,
					j.conversation_id COLLATE "C" DESC) AS rank
		FROM judged j
	)
	SELECT c.record_no,
		CASE
			WHEN c.reason <> 'accepted' THEN c.reason
			-- unless a later extract knows better
			WHEN greatest(c.opted_out_at, c.conversation_out_at) IS NOT NULL
			  AND coalesce(c.extracted_at <= greatest(c.opted_out_at, c.conversation_out_at), true) THEN 'opted_out'
			WHEN c.occurred_at < as_of - max_age THEN 'too_old'
			-- who withdrew the consent in the newest conversation gets nothing for an older one
			WHEN c.rank > 1 THEN 'older_conversation'
			WHEN c.status <> ALL (words) THEN 'unknown_status'
			WHEN c.time_zone IS NOT NULL AND z.name IS NULL THEN 'unknown_time_zone'
			ELSE 'accepted'
		END AS reason,
		c.conversation_id, c.channel, c.address, c.customer, c.occurred_at,
		-- what the extract cuts off a time is no answer of the customer's
		c.last_seen_at + CASE WHEN c.last_seen_at = date_trunc('minute', c.last_seen_at) THEN interval '1 minute'
							  WHEN c.last_seen_at = date_trunc('second', c.last_seen_at) THEN interval '1 second'
							  ELSE interval '1 millisecond' END AS answered_since,
		CASE WHEN z.name IS NOT NULL THEN c.time_zone END AS time_zone,
		-- what was said instead, if there is no address in it
		CASE WHEN z.name IS NULL AND length(c.time_zone) <= 64 AND c.time_zone !~ '@|[0-9]{5}|([0-9][^0-9]*){7}'
			  AND strpos(lower(c.time_zone COLLATE "C"), lower(c.customer COLLATE "C")) = 0 THEN c.time_zone END AS said_zone
	FROM compared c
		-- the trigger on nudges takes them in any case of letters
		LEFT JOIN (SELECT DISTINCT lower(n.name COLLATE "C") AS name FROM pg_timezone_names n WHERE has_zones) z ON z.name = lower(c.time_zone COLLATE "C");
	CREATE UNIQUE INDEX ON pg_temp.reengage_history_plan (record_no) INCLUDE (reason);
	ANALYZE pg_temp.reengage_history_plan;
END
$$;
COMMENT ON FUNCTION reengage.plan_history(jsonb) IS
	'for import_history(): what becomes of each staged record, as far as the source alone tells';

CREATE TYPE reengage.history_thread AS (conversation_id text, channel text, address_hash text, occurred_at timestamptz, detail jsonb);
COMMENT ON TYPE reengage.history_thread IS 'for import_history(): a conversation that begins a thread';

CREATE FUNCTION reengage.seed_lineage(server text, threads reengage.history_thread[]) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
#variable_conflict use_column
BEGIN
	PERFORM reengage.require_server(server);
	INSERT INTO reengage.lineage (server, outcome, requested_conversation_id, conversation_id, root_conversation_id,
		generation, channel, address_hash, attempts, api_calls, api_calls_saved, occurred_at, detail)
	SELECT seed_lineage.server, 'imported', c.conversation_id, c.conversation_id, c.conversation_id,
		0, c.channel, c.address_hash, 0, 0, 0, c.occurred_at, c.detail
	FROM (SELECT u.* FROM unnest(threads) u
		  -- in the order of the indexes
		  ORDER BY u.conversation_id
		  OFFSET 0) c
	-- not EXISTS, which a planner may turn into a join with all of lineage
	WHERE (SELECT true FROM reengage.lineage l
		   WHERE l.root_conversation_id = c.conversation_id AND l.server = seed_lineage.server LIMIT 1) IS NULL
	  AND (SELECT true FROM reengage.lineage l
		   WHERE l.server = seed_lineage.server AND l.conversation_id = c.conversation_id AND l.generation > 0 LIMIT 1) IS NULL
	ON CONFLICT (server, conversation_id) WHERE outcome = 'imported' DO NOTHING;
END
$$;
COMMENT ON FUNCTION reengage.seed_lineage(text, reengage.history_thread[]) IS
	'for import_history(): begins a thread with each conversation that lineage does not know';

CREATE FUNCTION reengage.begin_import(options jsonb, source text, records_read bigint) RETURNS uuid
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	INSERT INTO reengage.import_runs (server, campaign, source, records_read)
	VALUES (options ->> 'server', options ->> 'campaign', $2, $3) RETURNING import_id
$$;
COMMENT ON FUNCTION reengage.begin_import(jsonb, text, bigint) IS 'for import_history(): writes down that an import begins';

CREATE FUNCTION reengage.lock_import(import_id uuid) RETURNS void
LANGUAGE sql VOLATILE STRICT SET search_path = pg_catalog, pg_temp
AS $$
	SELECT pg_advisory_xact_lock(hashtextextended(import_id::text, 0))
$$;
COMMENT ON FUNCTION reengage.lock_import(uuid) IS
	'for import_history(): the lock by which the view imports knows that it runs, until the end of the transaction';

CREATE FUNCTION reengage.import_outcome(reason text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
		WHEN reason IN ('accepted', 'unknown_status', 'unknown_time_zone') THEN 'accepted'
		WHEN reason IN ('header', 'empty_line', 'deleted', 'older_record', 'older_conversation', 'too_old', 'already_asked') THEN 'skipped'
		ELSE 'rejected'
	END
$$;
COMMENT ON FUNCTION reengage.import_outcome(text) IS 'whether records with this reason are accepted, skipped or rejected';

CREATE FUNCTION reengage.import_counts(reasons jsonb, OUT accepted bigint, OUT rejected bigint, OUT skipped bigint)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(sum(r.value::bigint) FILTER (WHERE reengage.import_outcome(r.key) = 'accepted'), 0),
		   coalesce(sum(r.value::bigint) FILTER (WHERE reengage.import_outcome(r.key) = 'rejected'), 0),
		   coalesce(sum(r.value::bigint) FILTER (WHERE reengage.import_outcome(r.key) = 'skipped'), 0)
	FROM jsonb_each_text(reasons) r
$$;
COMMENT ON FUNCTION reengage.import_counts(jsonb) IS 'for import_history(): the three counts of its reasons';

CREATE FUNCTION reengage.add_reasons(one jsonb, other jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_object_agg(s.key, s.records), '{}')
	FROM (SELECT b.key, sum(b.value::bigint) AS records
		  FROM (SELECT * FROM jsonb_each_text(one) UNION ALL SELECT * FROM jsonb_each_text(other)) b
		  GROUP BY b.key) s
	WHERE s.records > 0
$$;
COMMENT ON FUNCTION reengage.add_reasons(jsonb, jsonb) IS 'for import_history(): adds up counts of reasons';

CREATE FUNCTION reengage.count_import(import_id uuid, reasons jsonb, finished boolean) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	UPDATE reengage.import_runs r
	SET reasons = count_import.reasons, moved_at = clock_timestamp(),
		finished_at = CASE WHEN finished THEN clock_timestamp() END,
		accepted = c.accepted, rejected = c.rejected, skipped = c.skipped
	FROM reengage.import_counts(count_import.reasons) c
	WHERE r.import_id = count_import.import_id AND r.finished_at IS NULL AND r.imported_by = session_user
$$;
COMMENT ON FUNCTION reengage.count_import(uuid, jsonb, boolean) IS 'for import_history(): writes down how far it is';

CREATE FUNCTION reengage.keep_rejects(import_id uuid, rejects reengage.import_rejects[]) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	INSERT INTO reengage.import_rejects (import_id, record_no, line_no, field_count, reason, message, conversation_id, record)
	SELECT keep_rejects.import_id, r.record_no, r.line_no, r.field_count, r.reason, r.message, r.conversation_id, r.record
	FROM unnest(rejects) r
$$;
COMMENT ON FUNCTION reengage.keep_rejects(uuid, reengage.import_rejects[]) IS
	'for import_history(): keeps records that have a defect';

-- Anything that every nudge of the import would be refused for is an error
-- before anything is read: one is asked for, and taken back.
CREATE FUNCTION reengage.check_import(options jsonb, staging regclass) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = on SET jit = off
AS $$
BEGIN
	IF (options ->> 'file' IS NULL) = (staging IS NULL) THEN
		RAISE EXCEPTION 'either file or staging must be given' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF options ->> 'campaign' IS NULL THEN
		RAISE EXCEPTION 'campaign must not be null'
			USING ERRCODE = 'null_value_not_allowed', DETAIL = 'By its campaign it is known who was asked for before.';
	END IF;
	IF (options ->> 'max_age')::interval < interval '0' THEN
		RAISE EXCEPTION 'max_age must not be negative' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	PERFORM reengage.read_history_record(NULL, NULL, NULL, NULL, NULL, NULL, options ->> 'date_order');
	PERFORM reengage.check_columns(options -> 'columns');
	PERFORM reengage.check_template(options -> 'template');
	INSERT INTO reengage.nudges (server, conversation_id, message, when_closed, priority, due_at, expires_at, campaign, detail)
	SELECT a.server, 'import', a.message, a.when_closed, a.priority, coalesce(a.due_at, now()), a.expires_at, a.campaign,
		jsonb_build_object('template', a.template)
	FROM jsonb_to_record(options) AS a(server text, message text, when_closed text, priority integer, due_at timestamptz,
									   expires_at timestamptz, campaign text, template jsonb);
	RAISE EXCEPTION USING ERRCODE = 'RE000';
EXCEPTION WHEN SQLSTATE 'RE000' THEN
	NULL;
END
$$;
COMMENT ON FUNCTION reengage.check_import(jsonb, regclass) IS
	'for import_history(): an error if its arguments make no nudge';

CREATE TYPE reengage.history_nudge AS (record_no bigint, reason text, nudge_id uuid, conversation_id text, channel text, address text,
									   time_zone text, answered_since timestamptz, detail jsonb);
COMMENT ON TYPE reengage.history_nudge IS 'for import_history(): a nudge to be asked for, and the reason to count it under';

-- A record that the database refuses must not take the others with it: they
-- are asked for one by one then.  Records that became a nudge, or were refused.
CREATE FUNCTION reengage.ask_history(import_id uuid, options jsonb, nudges reengage.history_nudge[])
RETURNS TABLE (record_no bigint, reason text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = on
AS $$
#variable_conflict use_column
DECLARE
	a record;
	c record;
	asked_ids uuid[];
BEGIN
	SELECT * INTO a FROM jsonb_to_record(options) AS o(server text, message text, when_closed text, priority integer, due_at timestamptz,
													   expires_at timestamptz, campaign text);
	BEGIN
		-- collected, for what was returned is not taken back by an error
		WITH asked AS (
			INSERT INTO reengage.nudges AS n (nudge_id, server, conversation_id, message, address, channel, when_closed,
				priority, due_at, expires_at, time_zone, campaign, detail, answered_since)
			SELECT u.nudge_id, a.server, u.conversation_id, a.message, u.address, u.channel, a.when_closed,
				a.priority, coalesce(a.due_at, now()), a.expires_at, u.time_zone, a.campaign, u.detail, u.answered_since
			FROM unnest(nudges) u
			ON CONFLICT (nudge_id) DO NOTHING
			RETURNING n.nudge_id)
		SELECT array_agg(s.nudge_id) INTO asked_ids FROM asked s;
		RETURN QUERY SELECT u.record_no, u.reason FROM unnest(nudges) u JOIN unnest(asked_ids) s(nudge_id) ON s.nudge_id = u.nudge_id;
		RETURN;
	EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception THEN
		NULL;
	END;
	FOR c IN SELECT u.* FROM unnest(nudges) u LOOP
		BEGIN
			INSERT INTO reengage.nudges (nudge_id, server, conversation_id, message, address, channel, when_closed,
				priority, due_at, expires_at, time_zone, campaign, detail, answered_since)
			VALUES (c.nudge_id, a.server, c.conversation_id, a.message, c.address, c.channel, a.when_closed,
				a.priority, coalesce(a.due_at, now()), a.expires_at, c.time_zone, a.campaign, c.detail, c.answered_since)
			ON CONFLICT (nudge_id) DO NOTHING;
			IF FOUND THEN
				RETURN QUERY SELECT c.record_no, c.reason;
			END IF;
		EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception THEN
			PERFORM reengage.keep_rejects(ask_history.import_id, ARRAY(
				SELECT ROW(ask_history.import_id, h.record_no, h.line_no, h.field_count, 'refused', SQLERRM, h.conversation_id, h.record)::reengage.import_rejects
				FROM pg_temp.reengage_history h WHERE h.record_no = c.record_no));
			RETURN QUERY SELECT c.record_no, 'refused';
		END;
	END LOOP;
END
$$;
COMMENT ON FUNCTION reengage.ask_history(uuid, jsonb, reengage.history_nudge[]) IS
	'for import_history(): asks for nudges; the records that became one, with the reason to count them under, and those that were refused';

-- Nudges that this campaign does not have yet, in the order of their index.
CREATE FUNCTION reengage.fresh_history(options jsonb, nudges reengage.history_nudge[]) RETURNS reengage.history_nudge[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = on
-- lookups in nudges and lineage stay lookups, whatever their size was when a plan was made
SET enable_seqscan = off SET jit = off
AS $$
DECLARE
	of_server text := options ->> 'server';
	of_campaign text := options ->> 'campaign';
BEGIN
	RETURN ARRAY(
		SELECT c::reengage.history_nudge
		FROM (SELECT u.* FROM unnest(nudges) u ORDER BY u.nudge_id OFFSET 0) c
		WHERE (SELECT true FROM reengage.nudges n WHERE n.nudge_id = c.nudge_id) IS NULL
		  AND (SELECT true FROM reengage.nudges n
			   WHERE n.conversation_id = c.conversation_id AND n.server = of_server
				 AND n.campaign = of_campaign LIMIT 1) IS NULL
		  AND (SELECT true FROM reengage.lineage l
			   WHERE l.root_conversation_id = c.conversation_id AND l.server = of_server
				 AND l.campaign = of_campaign LIMIT 1) IS NULL
		  AND (SELECT true FROM reengage.lineage l
			   WHERE l.server = of_server AND l.conversation_id = c.conversation_id AND l.generation > 0
				 AND l.campaign = of_campaign LIMIT 1) IS NULL);
END
$$;
COMMENT ON FUNCTION reengage.fresh_history(jsonb, reengage.history_nudge[]) IS
	'for import_history(): of nudges those whose customer, conversation and thread have none of the campaign';

CREATE FUNCTION reengage.count_reasons(reasons text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_object_agg(r.reason, r.records), '{}')
	FROM (SELECT u.reason, count(*) AS records FROM unnest(reasons) u(reason) GROUP BY u.reason) r
$$;
COMMENT ON FUNCTION reengage.count_reasons(text[]) IS 'for import_history(): how often there is each reason';

-- One chunk of an import: one transaction.  What each record became is counted.
CREATE FUNCTION reengage.import_chunk(import_id uuid, first_no bigint, last_no bigint, options jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = on
SET enable_seqscan = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	accepted CONSTANT text[] := ARRAY['accepted', 'unknown_status', 'unknown_time_zone'];
	dry_run boolean := options -> 'dry_run';
	has_template boolean := jsonb_typeof(options -> 'template') = 'object';
	zone_column text := coalesce(reengage.small(options ->> 'zone_column'), 'time_zone');
	counts jsonb;
	became jsonb := '{}';
	valid record;
	hashes text[];
	fresh reengage.history_nudge[];
	asked record;
BEGIN
	PERFORM reengage.lock_import(import_chunk.import_id);
	SELECT jsonb_object_agg(r.reason, r.records) INTO counts
	FROM (SELECT p.reason, count(*) AS records FROM pg_temp.reengage_history_plan p
		  WHERE p.record_no BETWEEN first_no AND last_no GROUP BY p.reason) r;
	SELECT array_agg(p.customer) AS customers, array_agg(ROW(p.record_no, p.reason, NULL, p.conversation_id, p.channel, p.address, p.time_zone, p.answered_since,
			nullif(h.kept
				|| CASE WHEN p.said_zone IS NULL THEN '{}' ELSE jsonb_build_object(zone_column, p.said_zone) END
				|| CASE WHEN coalesce(p.channel, 'whatsapp') <> 'whatsapp' OR (h.template IS NULL AND NOT has_template) THEN '{}'
					ELSE jsonb_strip_nulls(jsonb_build_object('template',
						coalesce(reengage.template_in(h.template), reengage.template_for(options -> 'template', h.language)))) END, '{}')
			)::reengage.history_nudge) AS nudges,
		array_agg(p.occurred_at) AS times
	INTO valid
	FROM pg_temp.reengage_history_plan p JOIN pg_temp.reengage_history h ON h.record_no = p.record_no
	WHERE p.record_no BETWEEN first_no AND last_no AND h.record_no BETWEEN first_no AND last_no
	  AND (p.reason = ANY (accepted) OR p.reason IN ('older_conversation', 'too_old'));
	hashes := reengage.history_customers(valid.customers, NOT dry_run);

	fresh := reengage.fresh_history(options, ARRAY(
		SELECT ROW(n.record_no, n.reason, overlay(overlay(substr(encode(sha256(convert_to(
				concat_ws(chr(31), options ->> 'server', options ->> 'campaign', n.address_hash), 'UTF8')), 'hex'), 1, 32)
				PLACING '8' FROM 13) PLACING '8' FROM 17)::uuid,
			n.conversation_id, n.channel, n.address, n.time_zone, n.answered_since, n.detail)::reengage.history_nudge
		FROM unnest(valid.nudges, hashes)
			AS n(record_no, reason, nudge_id, conversation_id, channel, address, time_zone, answered_since, detail, address_hash)
		WHERE n.reason = ANY (accepted)));
	IF dry_run THEN
		SELECT array_agg(f.record_no) AS nos, array_agg(f.reason) AS reasons INTO asked FROM unnest(fresh) f;
	ELSE
		PERFORM reengage.keep_rejects(import_chunk.import_id, ARRAY(
			SELECT ROW(import_chunk.import_id, h.record_no, h.line_no, h.field_count, p.reason, NULL, h.conversation_id, h.record)::reengage.import_rejects
			FROM pg_temp.reengage_history_plan p JOIN pg_temp.reengage_history h ON h.record_no = p.record_no
			WHERE p.record_no BETWEEN first_no AND last_no AND h.record_no BETWEEN first_no AND last_no
			  AND p.reason = ANY (ARRAY(SELECT r.reason FROM jsonb_object_keys(counts) r(reason) WHERE reengage.import_outcome(r.reason) = 'rejected'))));
		SELECT array_agg(q.record_no) AS nos, array_agg(q.reason) AS reasons INTO asked
		FROM reengage.ask_history(import_chunk.import_id, options, fresh) q;
		PERFORM reengage.seed_lineage(options ->> 'server', ARRAY(
			SELECT ROW(n.conversation_id, n.channel, n.address_hash, n.occurred_at, n.detail)::reengage.history_thread
			FROM unnest(valid.nudges, hashes, valid.times)
				AS n(record_no, reason, nudge_id, conversation_id, channel, address, time_zone, answered_since, detail, address_hash, occurred_at)
			WHERE n.record_no NOT IN (SELECT q.record_no FROM unnest(asked.nos, asked.reasons) q(record_no, reason) WHERE q.reason = 'refused')));
	END IF;

	RETURN reengage.add_reasons(counts - accepted, reengage.count_reasons(asked.reasons) || jsonb_build_object(
		'already_asked', (SELECT coalesce(sum(r.value::bigint), 0) FROM jsonb_each_text(counts) r WHERE r.key = ANY (accepted))
						 - coalesce(cardinality(asked.reasons), 0)));
END
$$;
COMMENT ON FUNCTION reengage.import_chunk(uuid, bigint, bigint, jsonb) IS
	'for import_history(): asks for the nudges of some staged records, begins their threads, keeps the rejects, and counts';

CREATE PROCEDURE reengage.import_history(
	message text,
	campaign text,
	file text DEFAULT NULL,
	staging regclass DEFAULT NULL,
	server text DEFAULT NULL,
	when_closed text DEFAULT 'new_session',
	priority integer DEFAULT 5,
	due_at timestamptz DEFAULT NULL,
	expires_at timestamptz DEFAULT NULL,
	max_age interval DEFAULT NULL,
	as_of timestamptz DEFAULT NULL,
	delimiter text DEFAULT ',',
	quote text DEFAULT NULL,
	escape text DEFAULT NULL,
	date_order text DEFAULT NULL,
	columns jsonb DEFAULT '{}',
	keep_columns text[] DEFAULT '{}',
	status_words text[] DEFAULT '{}',
	template jsonb DEFAULT NULL,
	dry_run boolean DEFAULT false,
	INOUT import_id uuid DEFAULT NULL,
	INOUT records_read bigint DEFAULT NULL,
	INOUT accepted bigint DEFAULT NULL,
	INOUT rejected bigint DEFAULT NULL,
	INOUT skipped bigint DEFAULT NULL,
	INOUT reasons jsonb DEFAULT NULL
)
LANGUAGE plpgsql
AS $$
-- It commits, so that it cannot carry a search_path: it calls only functions
-- that do, and names its types and operators in full.
DECLARE
	chunk CONSTANT pg_catalog.int8 := 10000;
	next_no pg_catalog.int8 := 1;
	next_notice pg_catalog.timestamptz := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) interval '5 s';
	header pg_catalog.text[];
	options pg_catalog.jsonb;
BEGIN
	-- where it may not commit, it says so before anything is read
	IF NOT dry_run THEN
		COMMIT;
	END IF;
	options := pg_catalog.jsonb_build_object('file', file, 'server', coalesce(server, reengage.default_server()), 'campaign', campaign,
		'message', message, 'when_closed', when_closed, 'priority', priority, 'due_at', due_at, 'expires_at', expires_at, 'max_age', max_age,
		'as_of', coalesce(as_of, pg_catalog.now()), 'delimiter', delimiter, 'quote', quote, 'escape', escape, 'date_order', date_order,
		'columns', columns, 'keep_columns', coalesce(keep_columns, '{}'), 'status_words', coalesce(status_words, '{}'),
		'template', template, 'dry_run', dry_run);
	PERFORM reengage.check_import(options, staging);
	PERFORM reengage.drop_history();
	IF file IS NOT NULL THEN
		header := reengage.stage_file(options);
	ELSE
		header := reengage.stage_table(staging, options);
	END IF;
	options := reengage.name_columns(header, options);
	records_read := reengage.describe_history(header, options);
	reasons := '{}';
	import_id := NULL;
	IF NOT dry_run THEN
		import_id := reengage.begin_import(options, coalesce(file, staging::pg_catalog.text), records_read);
		COMMIT;
	END IF;
	PERFORM reengage.lock_import(import_id);
	PERFORM reengage.plan_history(options);
	WHILE next_no OPERATOR(pg_catalog.<=) records_read LOOP
		reasons := reengage.add_reasons(reasons, reengage.import_chunk(import_id, next_no,
			next_no OPERATOR(pg_catalog.+) chunk OPERATOR(pg_catalog.-) 1::pg_catalog.int8, options));
		next_no := next_no OPERATOR(pg_catalog.+) chunk;
		IF NOT dry_run THEN
			PERFORM reengage.count_import(import_id, reasons, false);
			COMMIT;
		END IF;
		IF pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>=) next_notice THEN
			RAISE NOTICE '% of % records', least(next_no OPERATOR(pg_catalog.-) 1::pg_catalog.int8, records_read), records_read;
			next_notice := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) interval '5 s';
		END IF;
	END LOOP;
	IF NOT dry_run THEN
		PERFORM reengage.count_import(import_id, reasons, true);
	END IF;
	PERFORM reengage.drop_history();
	SELECT c.accepted, c.rejected, c.skipped INTO accepted, rejected, skipped FROM reengage.import_counts(reasons) c;
END
$$;
COMMENT ON PROCEDURE reengage.import_history(text, text, text, regclass, text, text, integer, timestamptz, timestamptz, interval, timestamptz, text, text, text, text, jsonb, text[], text[], jsonb, boolean, uuid, bigint, bigint, bigint, bigint, jsonb) IS
	'asks for one nudge for each customer of a history extract, a CSV file on the server or a staging table; commits as it goes, and may be called again: what was asked for before is recognised';

--
-- Privileges.  PUBLIC has nothing, and nobody what default privileges of the
-- database would give; nobody gets TRIGGER, REFERENCES or TRUNCATE.
--
DO $$
DECLARE
	statement text;
BEGIN
	FOR statement IN
		SELECT DISTINCT format('REVOKE ALL ON %s %s FROM %s CASCADE', o.kind, o.name, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
		FROM (SELECT 'SCHEMA' AS kind, n.nspname::text AS name, n.nspowner AS owner, n.nspacl AS acl FROM pg_namespace n WHERE n.nspname = 'reengage'
			  UNION ALL
			  SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass::text, c.relowner, c.relacl
			  FROM pg_class c WHERE c.relnamespace = 'reengage'::regnamespace
			  UNION ALL
			  SELECT 'ROUTINE', p.oid::regprocedure::text, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
			  FROM pg_proc p WHERE p.pronamespace = 'reengage'::regnamespace
			  UNION ALL
			  SELECT 'TYPE', t.oid::regtype::text, t.typowner, t.typacl FROM pg_type t WHERE t.typnamespace = 'reengage'::regnamespace) o
			CROSS JOIN LATERAL aclexplode(o.acl) a
		WHERE a.grantee <> o.owner
	LOOP
		EXECUTE statement;
	END LOOP;
END
$$;
GRANT USAGE ON SCHEMA reengage
	TO reengage_application, reengage_operator, reengage_reader, reengage_worker;

-- Whoever may insert a nudge may be told its id (RETURNING), and may name it in ON
-- CONFLICT; of the others' nudges an application sees none.
ALTER TABLE reengage.nudges ENABLE ROW LEVEL SECURITY;
CREATE POLICY ask ON reengage.nudges FOR INSERT WITH CHECK (true);
CREATE POLICY own ON reengage.nudges FOR SELECT USING (requested_by = current_user);
CREATE POLICY every ON reengage.nudges FOR SELECT TO reengage_operator, reengage_worker USING (true);
GRANT SELECT (nudge_id) ON reengage.nudges TO reengage_application;
GRANT INSERT (nudge_id, server, conversation_id, message, address, channel, when_closed,
			  priority, due_at, expires_at, time_zone, campaign, detail, supersedes,
			  when_answered, answered_since)
	ON reengage.nudges TO reengage_application, reengage_operator;
GRANT EXECUTE ON FUNCTION reengage.uuid_v7(), reengage.default_server(), reengage.fence_complaint(),
	reengage.nudge(text, text, text, text, text, text, integer, timestamptz, timestamptz, text, text, jsonb, uuid, boolean, text, timestamptz),
	reengage.cancel(uuid), reengage.cancel_thread(text, text, text), reengage.cancel_customer(text, text, text, text),
	reengage.suppress(text, text, text, text, timestamptz, text), reengage.record_answer(text, text, timestamptz, text, text)
	TO reengage_application, reengage_operator;
GRANT SELECT ON reengage.nudge_status TO reengage_application, reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage.locked_by(xid, uuid, text, text, text, text, text) TO reengage_application, reengage_operator, reengage_reader;

GRANT SELECT ON reengage.nudges, reengage.due, reengage.intents, reengage.unresolved, reengage.lineage,
	reengage.identity, reengage.server_state, reengage.pauses, reengage.suppressions, reengage.answers, reengage.threads, reengage.in_doubt, reengage.health
	TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage.arm(), reengage.disarm(), reengage.preview(uuid),
	reengage.preflight(text, text),
	reengage.pause(text, text), reengage.resume(text),
	reengage.unsuppress(text, text, text, text), reengage.cancel_campaign(text, text),
	reengage.resolve(uuid, text, text), reengage.redrive(uuid) TO reengage_operator;
GRANT EXECUTE ON PROCEDURE reengage.run(integer, integer) TO reengage_operator;
GRANT SELECT, DELETE,
	INSERT (server, campaign, channel, quiet_hours, time_zone, cap, cap_interval, minimum_gap,
			holdout_percent, holdout_salt, max_length, max_due, max_per_minute),
	UPDATE (server, campaign, channel, quiet_hours, time_zone, cap, cap_interval, minimum_gap,
			holdout_percent, holdout_salt, max_length, max_due, max_per_minute)
	ON reengage.policies TO reengage_operator;
GRANT SELECT ON reengage.changes TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage.permitted_at(timestamptz, text[], text)
	TO reengage_application, reengage_operator;

GRANT SELECT ON reengage.lineage, reengage.threads, reengage.in_doubt, reengage.health TO reengage_reader;
GRANT SELECT ON reengage.lineage_settled TO reengage_operator, reengage_reader;
GRANT SELECT ON reengage.lineage_epochs TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage.lineage_in_progress() TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage.publish(text) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage.replication_check(), reengage.published_tables(), reengage.private_tables(), reengage.is_our_publication(oid), reengage.check_publications(),
	reengage.check_tables(), reengage.check_slots(), reengage.check_settings() TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage.thread(text, text), reengage.find_threads(text, text),
	reengage.thread_diagram(text, text, text), reengage.diagram_text(text, text), reengage.worker_state(),
	reengage.fence_complaint(), reengage.foreign_hands() TO reengage_operator, reengage_reader;

-- manifest and digest
GRANT SELECT ON reengage.lineage_manifest, reengage.reconciliation TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage.lineage_digest(reengage.lineage), reengage.start_of_day(date),
	reengage.measure_lineage(timestamptz, timestamptz, bigint) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON PROCEDURE reengage.close_day(date) TO reengage_operator;
GRANT SELECT ON reengage.import_runs, reengage.imports, reengage.import_rejects TO reengage_operator;
GRANT DELETE ON reengage.import_rejects TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage.normal_addresses(text[], text[], text), reengage.country_code_of(text),
	reengage.read_header(text, text, text, text), reengage.copy_history_file(text, text, text, text),
	reengage.lock_history_table(regclass), reengage.copy_history_table(regclass),
	reengage.read_history_record(text, text, text, text, text, text, text), reengage.history_customers(text[], boolean),
	reengage.small(text), reengage.is_data(text[]), reengage.shown_columns(text[]),
	reengage.column_meaning(text), reengage.names_of_field(jsonb, text), reengage.history_columns(text[], jsonb),
	reengage.check_header(text[]), reengage.check_columns(jsonb), reengage.check_meanings(text[], jsonb),
	reengage.check_keep_columns(text[], jsonb, jsonb), reengage.check_history_columns(text[], jsonb),
	reengage.is_template(jsonb), reengage.check_template(jsonb), reengage.template_for(jsonb, text), reengage.template_in(text),
	reengage.without_address(text, text), reengage.drop_history(), reengage.make_staging(integer),
	reengage.stage_file(jsonb), reengage.stage_table(regclass, jsonb), reengage.history_expression(text, integer[]),
	reengage.kept_expression(text[], jsonb), reengage.describe_history(text[], jsonb), reengage.status_words(),
	reengage.name_columns(text[], jsonb), reengage.plan_history(jsonb), reengage.seed_lineage(text, reengage.history_thread[]),
	reengage.begin_import(jsonb, text, bigint), reengage.lock_import(uuid), reengage.import_outcome(text), reengage.import_counts(jsonb),
	reengage.add_reasons(jsonb, jsonb), reengage.count_reasons(text[]), reengage.count_import(uuid, jsonb, boolean),
	reengage.keep_rejects(uuid, reengage.import_rejects[]), reengage.check_import(jsonb, regclass),
	reengage.ask_history(uuid, jsonb, reengage.history_nudge[]), reengage.fresh_history(jsonb, reengage.history_nudge[]),
	reengage.import_chunk(uuid, bigint, bigint, jsonb)
	TO reengage_operator;
GRANT EXECUTE ON PROCEDURE reengage.import_history(text, text, text, regclass, text, text, integer, timestamptz, timestamptz, interval, timestamptz, text, text, text, text, jsonb, text[], text[], jsonb, boolean, uuid, bigint, bigint, bigint, bigint, jsonb)
	TO reengage_operator;

-- what the ticks of the worker and of run() do, and no more
GRANT SELECT ON reengage.nudges, reengage.identity, reengage.pauses, reengage.suppressions, reengage.answers,
	reengage.address_key, reengage.policies TO reengage_worker;
GRANT UPDATE (timeline) ON reengage.identity TO reengage_worker;
GRANT SELECT, UPDATE, DELETE ON reengage.due TO reengage_worker;
-- UPDATE lets it lock what it deletes
GRANT SELECT, INSERT, UPDATE, DELETE ON reengage.intents, reengage.releases TO reengage_worker;
GRANT SELECT, INSERT, DELETE ON reengage.unresolved TO reengage_worker;
GRANT UPDATE (since) ON reengage.unresolved TO reengage_worker;
GRANT SELECT, INSERT ON reengage.lineage TO reengage_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON reengage.server_state TO reengage_worker;
GRANT EXECUTE ON FUNCTION reengage.uuid_v7(), reengage.fence_complaint(), reengage.lineage_position(),
	reengage.record_opt_out(text, text, text, text, text, text) TO reengage_worker;
GRANT SELECT ON reengage.lineage_manifest TO reengage_worker;
GRANT EXECUTE ON FUNCTION reengage.lineage_digest(reengage.lineage), reengage.start_of_day(date),
	reengage.measure_lineage(timestamptz, timestamptz, bigint), reengage.day_without_manifest(),
	reengage.day_held_open_by(date), reengage.record_manifest(date, bigint, bigint) TO reengage_worker;

-- A preloaded worker that waits for the extension can begin.
SELECT reengage.wake('-infinity');
