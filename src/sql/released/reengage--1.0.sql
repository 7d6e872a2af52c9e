/* src/sql/01_schema.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION reengage" to load this file. \quit

--
-- The schemas and the roles.  Roles are shared by all databases of a cluster, so
-- they may be there already; DROP EXTENSION leaves them.
--
CREATE SCHEMA reengage;
COMMENT ON SCHEMA reengage IS 're-engagement of customers who left a conversation: what was asked (nudges), what is due, what may be happening (intents), what happened (lineage)';

-- What the interface is made of.  Some of it runs as whoever calls it, and the
-- worker calls some itself: these roles may look names up in here, an application
-- may not.
CREATE SCHEMA reengage_internal;
COMMENT ON SCHEMA reengage_internal IS 'what reengage itself calls; it may change with any version';

-- First of all, as in each script that updates: what follows is of functions that an
-- older library does not have.
CREATE FUNCTION reengage_internal.require_library(version text) RETURNS void
LANGUAGE C STABLE STRICT
AS 'MODULE_PATHNAME', 'reengage_require_library';
COMMENT ON FUNCTION reengage_internal.require_library(text) IS
	'an error where the library that is loaded is older than that, with what to do';
SELECT reengage_internal.require_library('1.0');

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

/* src/sql/02_ground.sql */

--
-- What the rest stands on: ids, where we are, the worker's alarm clock, and the
-- triggers that refuse.
--
CREATE FUNCTION reengage.uuid_v7() RETURNS uuid
LANGUAGE C VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reengage_uuid_v7';
COMMENT ON FUNCTION reengage.uuid_v7() IS
	'a new UUID version 7 (RFC 9562): millisecond time, then a fraction that keeps the order within a session, then random bits';

CREATE FUNCTION reengage.first_id(at timestamptz) RETURNS uuid
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reengage_first_id';
COMMENT ON FUNCTION reengage.first_id(timestamptz) IS
	'what no id of version 7 from that millisecond on is less than: lineage_id >= reengage.first_id(now() - interval ''1 hour'') finds the rows of the last hour by their key';

CREATE FUNCTION reengage_internal.id_tells(id uuid, at timestamptz) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reengage_id_tells';
COMMENT ON FUNCTION reengage_internal.id_tells(uuid, timestamptz) IS
	'whether an id is of version 7 and was made within 0.1 s of a time';

CREATE FUNCTION reengage_internal.system_identifier() RETURNS bigint
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reengage_system_identifier';
COMMENT ON FUNCTION reengage_internal.system_identifier() IS
	'the system identifier of this cluster, a part of the fence';

CREATE FUNCTION reengage_internal.site() RETURNS text
LANGUAGE C STABLE STRICT
AS 'MODULE_PATHNAME', 'reengage_site';
COMMENT ON FUNCTION reengage_internal.site() IS
	'the name of this site, a part of the fence: a hash of reengage.instance_key where it is set, else of the machine and the data directory';

CREATE FUNCTION reengage_internal.timeline() RETURNS integer
LANGUAGE C STABLE STRICT
AS 'MODULE_PATHNAME', 'reengage_timeline';
COMMENT ON FUNCTION reengage_internal.timeline() IS
	'the timeline of this server, a part of the fence: a new one begins with each promotion and each point-in-time recovery';

CREATE FUNCTION reengage_internal.wake(due_at timestamptz) RETURNS void
LANGUAGE C VOLATILE STRICT
AS 'MODULE_PATHNAME', 'reengage_wake';
COMMENT ON FUNCTION reengage_internal.wake(timestamptz) IS
	'tells this database''s worker, when the transaction commits, that nudges became due from this time on, whoever asked for them';

CREATE FUNCTION reengage_internal.is_conversation_id(said text) RETURNS boolean
LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reengage_is_conversation_id';
COMMENT ON FUNCTION reengage_internal.is_conversation_id(text) IS
	'whether it may be one: 1 to 128 characters of A-Z a-z 0-9 . _ ~ -, and not "." or ".."';

CREATE FUNCTION reengage_internal.shown(value text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN strpos(value, '@') > 0 OR length(regexp_replace(value, '[^0-9]', '', 'g')) >= 7 THEN '...'
		ELSE regexp_replace(left(value, 60), '[[:cntrl:]]', '?', 'g') END
$$;
COMMENT ON FUNCTION reengage_internal.shown(text) IS
	'an argument as an error may show it: not where it may be an address in the wrong place';

CREATE FUNCTION reengage_internal.require_writable(purpose text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean THEN
		RAISE EXCEPTION '% a standby, or in a read-only transaction', purpose
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'Call it on the primary, in a transaction that may write.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.require_writable(text) IS
	'an error, that this cannot be done, where the transaction may not write';

CREATE FUNCTION reengage_internal.require_own_transaction(procedure text) RETURNS void
LANGUAGE C VOLATILE STRICT
AS 'MODULE_PATHNAME', 'reengage_require_own_transaction';
COMMENT ON FUNCTION reengage_internal.require_own_transaction(text) IS
	'an error where the PL/pgSQL procedure that asks may not commit: in a transaction block, a function, or a block with EXCEPTION';

CREATE FUNCTION reengage_internal.plural(number bigint, one text, many text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE WHEN number = 1 THEN one ELSE many END $$;
COMMENT ON FUNCTION reengage_internal.plural(bigint, text, text) IS 'what stands behind a number in a message';

CREATE FUNCTION reengage_internal.refuse_change() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF TG_OP <> 'TRUNCATE' AND reengage_internal.holds_lock('retention') THEN
		RETURN NULL;
	END IF;
	RAISE EXCEPTION '% of table "reengage.%" is not allowed', TG_OP, TG_TABLE_NAME
		USING ERRCODE = 'feature_not_supported',
			  DETAIL = 'Its rows are history and stay as they were inserted.',
			  HINT = 'reengage.prune() lets go of what is old, reengage.forget() erases a person.';
END
$$;
COMMENT ON FUNCTION reengage_internal.refuse_change() IS 'keeps a table append-only, but for prune() and forget(), by their lock';

CREATE FUNCTION reengage_internal.refuse_truncate() RETURNS trigger
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
COMMENT ON FUNCTION reengage_internal.refuse_truncate() IS 'keeps the schedule whole';

/* src/sql/03_locks.sql */

--
-- Advisory locks, by which those who decide about a nudge wait for each other.
-- Kinds and their numbers: backend/dispatch/locks.h.
--
CREATE FUNCTION reengage_internal.lock(kind text, VARIADIC key text[]) RETURNS void
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_lock';
COMMENT ON FUNCTION reengage_internal.lock(text, text[]) IS
	'until the end of the transaction, or unlock(), the worker begins no call of a campaign (server, name), server (name), thread (server, root) or customer (address_hash); of those that lock an import (id), the imports of a campaign (server, campaign), a publication, what retention lets go, the tip (server, conversation) of a thread that gets a successor, or some threads of a campaign in which nudges supersede others (server, role, campaign, stripe), one waits for the other; a null in the key: nothing';

CREATE FUNCTION reengage_internal.unlock(kind text, VARIADIC key text[]) RETURNS void
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_unlock';
COMMENT ON FUNCTION reengage_internal.unlock(text, text[]) IS
	'ends lock() of a thread or customer: what is written of them by now, the worker sees, and begins no call until the transaction has ended';

CREATE FUNCTION reengage_internal.is_locked(kind text, VARIADIC key text[]) RETURNS boolean
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_is_locked';
COMMENT ON FUNCTION reengage_internal.is_locked(text, text[]) IS
	'whether another transaction has this lock';

CREATE FUNCTION reengage_internal.holds_lock(kind text) RETURNS boolean
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_holds_lock';
COMMENT ON FUNCTION reengage_internal.holds_lock(text) IS
	'whether this transaction has the lock of this kind, of which there is one';

CREATE FUNCTION reengage_internal.lock_kind(kind text) RETURNS integer
LANGUAGE C STRICT IMMUTABLE
AS 'MODULE_PATHNAME', 'reengage_lock_kind';
COMMENT ON FUNCTION reengage_internal.lock_kind(text) IS
	'what pg_locks.objsubid is of our locks of this kind';

CREATE FUNCTION reengage_internal.lock_nudge(nudge_id uuid) RETURNS void
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_lock_nudge';
COMMENT ON FUNCTION reengage_internal.lock_nudge(uuid) IS
	'until the end of the transaction, the worker begins no call for this nudge and writes no outcome';

CREATE FUNCTION reengage_internal.nudge_locks() RETURNS integer
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'reengage_nudge_locks';
COMMENT ON FUNCTION reengage_internal.nudge_locks() IS
	'how many nudges this transaction has locked: beyond a hundred, lock_part() is for all of them, as the locks of a server are few';

CREATE FUNCTION reengage_internal.lock_part(server text, requested_by text, campaign text, shared boolean) RETURNS void
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_lock_part';
COMMENT ON FUNCTION reengage_internal.lock_part(text, text, text, boolean) IS
	'likewise for all nudges that a role asked for of a campaign, or of none (''''); shared: together with others that lock single nudges of it';

CREATE FUNCTION reengage_internal.locked_by(locker xid, nudge_id uuid, server text, requested_by text, campaign text, conversation_id text, address_hash text) RETURNS text
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'reengage_locked_by';
COMMENT ON FUNCTION reengage_internal.locked_by(xid, uuid, text, text, text, text, text) IS
	'for nudge_status: what kind of transaction that has not ended keeps a due nudge back; null: none, as far as is known';

CREATE FUNCTION reengage_internal.require_read_committed(purpose text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
		RAISE EXCEPTION '% in a transaction of isolation level "%"', purpose,
			current_setting('transaction_isolation')
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = 'Its snapshot does not show what others did after it began.',
				  HINT = 'Use READ COMMITTED.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.require_read_committed(text) IS
	'an error, that this cannot be done, where the transaction cannot see what was committed a moment ago';

/* src/sql/04_servers.sql */

--
-- Servers: organisations at messaging APIs, and what the worker knows of each.
--
CREATE FUNCTION reengage_internal.fdw_validator(options text[], catalog oid) RETURNS void
LANGUAGE C STRICT SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_fdw_validator';
COMMENT ON FUNCTION reengage_internal.fdw_validator(text[], oid) IS
	'checks the options of CREATE SERVER ... FOREIGN DATA WRAPPER reengage';

CREATE FOREIGN DATA WRAPPER reengage VALIDATOR reengage_internal.fdw_validator;
COMMENT ON FOREIGN DATA WRAPPER reengage IS
	'a server of this wrapper is one organisation at one messaging API';

CREATE FUNCTION reengage.default_server() RETURNS text
LANGUAGE C STABLE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_default_server_sql';
COMMENT ON FUNCTION reengage.default_server() IS
	'the setting reengage.default_server; an error when it is empty';

CREATE FUNCTION reengage_internal.require_server(server text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_foreign_server s
						JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw AND w.fdwname = 'reengage'
				   WHERE s.srvname = require_server.server) THEN
		RAISE EXCEPTION 'server "%" does not exist', reengage_internal.shown(server)
			USING ERRCODE = 'undefined_object',
				  DETAIL = 'There is no foreign server of this name with the wrapper reengage.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.require_server(text) IS
	'an error if there is no such server of the wrapper reengage';

CREATE FUNCTION reengage_internal.country_code_of(server text) RETURNS text
LANGUAGE C STABLE STRICT
AS 'MODULE_PATHNAME', 'reengage_country_code_of';
COMMENT ON FUNCTION reengage_internal.country_code_of(text) IS
	'the default_country_code of a server; null: it has none';

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
COMMENT ON COLUMN reengage.server_state.detail IS 'the nudges and conversations that met it, and the API''s own words, as lineage.api_error_message has them; null: there is no more to say';
COMMENT ON COLUMN reengage.server_state.step IS 'the kind of call that was refused, or too many: check, notify or create; null: any';
COMMENT ON COLUMN reengage.server_state.since IS 'since when';
COMMENT ON COLUMN reengage.server_state.until IS 'not to be called before; null: tried again from time to time';

/* src/sql/10_nudges.sql */

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

/* src/sql/11_schedule.sql */

--
-- What is due.  Narrow, and the only table that the scheduler scans.  It is dumped:
-- what is neither here nor has an outcome in lineage may have been sent, by whoever
-- deleted that.
--
CREATE TABLE reengage.due (
	nudge_id uuid NOT NULL,
	due_at timestamptz NOT NULL,
	api_calls integer NOT NULL DEFAULT 0,
	priority smallint NOT NULL,
	attempt smallint NOT NULL DEFAULT 0,
	fencing_token integer NOT NULL DEFAULT 0,
	refusals smallint NOT NULL DEFAULT 0,
	server text NOT NULL,
	requested_by text COLLATE "C" NOT NULL,
	hold text,
	hold_reason text,
	address_hash text,
	CONSTRAINT due_pkey PRIMARY KEY (nudge_id),
	CONSTRAINT due_hold_check CHECK (hold IN (
		'policy', 'doubt', 'server', 'rate_limit', 'retry', 'connection', 'busy', 'customer',
		'unresolved_customer', 'unresolved_thread', 'superseded', 'recording', 'standby'))
) WITH (
	-- a queue lives on dead rows being removed early, whatever its size
	autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
	autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off
);
SELECT pg_catalog.pg_extension_config_dump('reengage.due', '');
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
COMMENT ON COLUMN reengage.due.fencing_token IS 'how often it was put back, for whatever reason; what an intent with an earlier token may have had on the wire had no effect';
COMMENT ON COLUMN reengage.due.refusals IS 'calls that the API forbade (401, 403) to this nudge alone; at the fourth it ends as refused';
COMMENT ON COLUMN reengage.due.server IS 'the foreign server';
COMMENT ON COLUMN reengage.due.requested_by IS 'the role that asked: within a server and priority, roles get their turns one after another';
COMMENT ON COLUMN reengage.due.hold IS 'why due_at was moved, as one of the codes that due_hold_check lists; null: nothing but its time';
COMMENT ON COLUMN reengage.due.hold_reason IS 'the same in words, with the particulars, as nudge_status shows it';
COMMENT ON COLUMN reengage.due.address_hash IS 'the nudge''s own address, as in lineage.address_hash, or the customer whom a look told of while an opt-out or answer was being recorded; null: neither';

-- what people can let go: see reengage.releases
CREATE INDEX due_held ON reengage.due (server)
	WHERE hold IN ('policy', 'doubt');

CREATE TRIGGER no_truncate BEFORE TRUNCATE ON reengage.due
	FOR EACH STATEMENT EXECUTE FUNCTION reengage_internal.refuse_truncate();

CREATE TABLE reengage.releases (server text NOT NULL);
-- it has no key, as two who decide wait for nobody; a publication of all tables
-- must not keep the worker from deleting its rows
ALTER TABLE reengage.releases REPLICA IDENTITY FULL;
COMMENT ON TABLE reengage.releases IS
	'servers of which something was decided that may let go of nudges that are held: a policy has changed, a doubt was resolved; the worker takes the rows, and looks at those nudges again';
COMMENT ON COLUMN reengage.releases.server IS 'the foreign server';

CREATE FUNCTION reengage_internal.check_max_due(server text, asker text) RETURNS void
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
		RAISE EXCEPTION 'role "%" would have more than % % due at server "%"', asker, most, reengage_internal.plural(most, 'nudge', 'nudges'), server
			USING ERRCODE = 'configuration_limit_exceeded',
				  DETAIL = format('A policy (max_due) allows each role %s there, scheduled ones included.', most),
				  HINT = 'Ask for fewer, or again when some have ended; an operator can raise max_due in reengage.policies.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.check_max_due(text, text) IS
	'an error if a role has more nudges due at a server than its policies allow, as far as the snapshot shows them';

CREATE FUNCTION reengage_internal.nudges_schedule() RETURNS trigger
LANGUAGE C SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_nudges_schedule';
COMMENT ON FUNCTION reengage_internal.nudges_schedule() IS 'makes inserted nudges due, and wakes the worker at commit';

CREATE TRIGGER schedule AFTER INSERT ON reengage.nudges
	REFERENCING NEW TABLE AS new_nudges
	FOR EACH STATEMENT EXECUTE FUNCTION reengage_internal.nudges_schedule();

/* src/sql/12_intents.sql */

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

/* src/sql/13_lineage.sql */

--
-- What happened, and its order for readers that remember how far they have read.
-- Transaction ids grow, but begin anew in a restored cluster, and some are used
-- again after a promotion or a point-in-time recovery.  So each cluster and
-- timeline counts on from a base of its own, which is not dumped: what is restored
-- is another epoch.
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

CREATE FUNCTION reengage_internal.lineage_position() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	base bigint;
BEGIN
	SELECT e.base INTO base FROM reengage.lineage_epochs e
	WHERE e.system_identifier = reengage_internal.system_identifier() AND e.timeline = reengage_internal.timeline();
	IF NOT FOUND THEN
		-- who comes second waits for the first; counted from the oldest that runs,
		-- so that none of them comes before what is there
		INSERT INTO reengage.lineage_epochs AS e (system_identifier, timeline, base)
		SELECT reengage_internal.system_identifier(), reengage_internal.timeline(),
			coalesce(greatest(max(l.xact_id), (SELECT max(p.last_xact_id) FROM reengage.pruned_days p))
					 + 4294967296 - pg_snapshot_xmin(pg_current_snapshot())::text::bigint, 0)
		FROM reengage.lineage l
		ON CONFLICT ON CONSTRAINT lineage_epochs_pkey DO UPDATE SET base = e.base
		RETURNING e.base INTO base;
	END IF;
	RETURN base + pg_current_xact_id()::text::bigint;
END
$$;
COMMENT ON FUNCTION reengage_internal.lineage_position() IS
	'the place of this transaction in the order of lineage; it grows across restores and promotions';

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
	xact_id bigint NOT NULL DEFAULT reengage_internal.lineage_position(),
	resolves uuid,
	schema_version integer NOT NULL DEFAULT 1,
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
COMMENT ON COLUMN reengage.lineage.outcome IS 'how the nudge ended; docs/outcomes.md says what to do about each';
COMMENT ON COLUMN reengage.lineage.reason IS 'one word for why, where the outcome alone does not say it';
COMMENT ON COLUMN reengage.lineage.step IS 'the POST that the outcome is about: notify or create; null: none was made';
COMMENT ON COLUMN reengage.lineage.requested_conversation_id IS 'the conversation that the nudge named';
COMMENT ON COLUMN reengage.lineage.conversation_id IS 'where the customer is now; in doubt: the conversation that was notified, or was to be followed';
COMMENT ON COLUMN reengage.lineage.previous_conversation_id IS 'the closed conversation that conversation_id follows; null: it follows none';
COMMENT ON COLUMN reengage.lineage.root_conversation_id IS 'the first conversation of the thread';
COMMENT ON COLUMN reengage.lineage.generation IS 'how many sessions were created since the root; 0: the root itself';
COMMENT ON COLUMN reengage.lineage.status_seen IS 'the status word that the check read last';
COMMENT ON COLUMN reengage.lineage.channel IS 'the channel of the conversation';
COMMENT ON COLUMN reengage.lineage.address_hash IS 'the first 16 bytes of the HMAC-SHA256 of the customer''s address under this installation''s key, in hex: of a telephone number in E.164, of an e-mail address in lower case, of any other id as it is; the address itself is not kept';
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
COMMENT ON COLUMN reengage.lineage.schema_version IS 'version of the meaning of these columns: raised when one comes to mean another thing, not when one is added';
COMMENT ON COLUMN reengage.lineage.xact_id IS 'the transaction that wrote the row, counted on across restores and promotions: a reader that remembers how far it has read orders lineage_settled by it, then by lineage_id';
COMMENT ON COLUMN reengage.lineage.detail IS 'as the nudge said';

-- Of an index of several columns a planner may read the whole to find a later
-- one, and does where the table was empty when it looked.  Only a query that asks
-- for the first column can tell that it wants no row in which that is null, so
-- such an index is one of the rows in which it is not, although all are.
--
-- P7: a dead conversation gets at most one successor
CREATE UNIQUE INDEX lineage_successor ON reengage.lineage (server, previous_conversation_id)
	WHERE previous_conversation_id IS NOT NULL;
-- which thread a conversation belongs to that is not its root, by a number of
-- 8 bytes: an id has 36, and is written once more when its page is split.  Two ids
-- may have the same number, so who looks compares the whole, too.
CREATE INDEX lineage_conversation ON reengage.lineage (pg_catalog.hashtextextended(conversation_id, 0))
	WHERE generation > 0;
-- the tip of a thread, and its story
CREATE INDEX lineage_thread ON reengage.lineage (root_conversation_id, server, generation)
	WHERE root_conversation_id IS NOT NULL;
-- conversations that were learned of have none
CREATE INDEX lineage_nudge ON reengage.lineage (nudge_id) WHERE nudge_id IS NOT NULL;
-- a doubt is resolved once
CREATE UNIQUE INDEX lineage_resolves ON reengage.lineage (resolves) WHERE resolves IS NOT NULL;
-- a create in doubt holds back the next create on the same conversation
CREATE INDEX lineage_in_doubt ON reengage.lineage (server, conversation_id)
	WHERE outcome = 'in_doubt';
-- what a customer was told, and where; by such a number, too
CREATE INDEX lineage_customer ON reengage.lineage (pg_catalog.hashtextextended(address_hash, 0), occurred_at)
	WHERE address_hash IS NOT NULL;
-- a conversation is learned of once
CREATE UNIQUE INDEX lineage_imported ON reengage.lineage (server, conversation_id)
	WHERE outcome = 'imported';
-- what a reader has not read yet
CREATE INDEX lineage_order ON reengage.lineage (xact_id, lineage_id)
	WHERE xact_id IS NOT NULL;
-- The rows of a day are found by their ids, which are made when they are recorded.
-- This has those whose id tells another time: they were brought from elsewhere, or
-- the clock was set back.  So what is asked by time asks both.
CREATE INDEX lineage_recorded ON reengage.lineage (recorded_at)
	WHERE NOT reengage_internal.id_tells(lineage_id, recorded_at);
SELECT pg_catalog.pg_extension_config_dump('reengage.lineage', '');

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON reengage.lineage
	FOR EACH STATEMENT EXECUTE FUNCTION reengage_internal.refuse_change();

CREATE FUNCTION reengage_internal.lineage_in_progress() RETURNS int8range
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT coalesce((
		SELECT int8range(
			e.base + pg_snapshot_xmin(now.snapshot)::text::bigint,
			e.base + greatest(pg_snapshot_xmax(now.snapshot)::text::bigint,
							  pg_current_xact_id_if_assigned()::text::bigint + 1))
		FROM reengage.lineage_epochs e, (SELECT pg_current_snapshot() AS snapshot) now
		WHERE e.system_identifier = reengage_internal.system_identifier() AND e.timeline = reengage_internal.timeline()),
		'empty')
$$;
COMMENT ON FUNCTION reengage_internal.lineage_in_progress() IS
	'the part of the order of lineage in which a transaction may still be running; empty: nothing was written since a restore or promotion';

-- What lies beyond the range was written by no transaction of this epoch: rows
-- of a dump that was restored late.  A reader that goes on from a pair of columns
-- says nothing that shows its rows to be in lineage_order; the first condition does.
CREATE VIEW reengage.lineage_settled AS
SELECT l.* FROM reengage.lineage l
WHERE l.xact_id OPERATOR(pg_catalog.>=) 0
  AND NOT l.xact_id OPERATOR(pg_catalog.<@) (SELECT reengage_internal.lineage_in_progress());
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

/* src/sql/14_past.sql */

--
-- What is left of nudges and lineage that retention has let go: which days are not
-- whole any more, how threads went on, and which ids were asked for.
--
CREATE TABLE reengage.pruned_days (
	day text NOT NULL,
	row_count bigint NOT NULL,
	digest bigint NOT NULL,
	nudges bigint NOT NULL,
	last_xact_id bigint NOT NULL,
	pruned_at timestamptz NOT NULL,
	CONSTRAINT pruned_days_pkey PRIMARY KEY (day),
	CONSTRAINT pruned_days_day_check CHECK (day ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$')
);
COMMENT ON TABLE reengage.pruned_days IS
	'what prune(), or the worker by reengage.retention, has let go of each day of lineage; with what is still here it makes what lineage_manifest counted';
COMMENT ON COLUMN reengage.pruned_days.day IS 'YYYY-MM-DD: the day, in UTC, of lineage.recorded_at';
COMMENT ON COLUMN reengage.pruned_days.row_count IS 'rows of lineage that are gone';
COMMENT ON COLUMN reengage.pruned_days.digest IS 'the sum of their lineage_digest(), modulo 2^53';
COMMENT ON COLUMN reengage.pruned_days.nudges IS 'nudges that are gone with them';
COMMENT ON COLUMN reengage.pruned_days.last_xact_id IS 'the greatest lineage.xact_id of them: the order of lineage goes on behind it';
COMMENT ON COLUMN reengage.pruned_days.pruned_at IS 'when the last of them went';
SELECT pg_catalog.pg_extension_config_dump('reengage.pruned_days', '');

CREATE TABLE reengage.past_sessions (
	lineage_id uuid NOT NULL,
	occurred_at timestamptz NOT NULL,
	generation integer NOT NULL,
	server text NOT NULL,
	previous_conversation_id text NOT NULL,
	conversation_id text NOT NULL,
	root_conversation_id text NOT NULL,
	named_by text,
	address_hash text
);
-- as those of lineage: none looks as good as the right one to who asks for another column
CREATE UNIQUE INDEX past_sessions_successor ON reengage.past_sessions (server, previous_conversation_id)
	WHERE previous_conversation_id IS NOT NULL;
CREATE INDEX past_sessions_conversation ON reengage.past_sessions (pg_catalog.hashtextextended(conversation_id, 0))
	WHERE conversation_id IS NOT NULL;
CREATE INDEX past_sessions_thread ON reengage.past_sessions (root_conversation_id, server, generation)
	WHERE root_conversation_id IS NOT NULL;
-- a publication of all tables must not keep forget() from changing it
ALTER TABLE reengage.past_sessions REPLICA IDENTITY FULL;
COMMENT ON TABLE reengage.past_sessions IS
	'how threads went on, of lineage that is gone: so a nudge for an old conversation still finds where the customer is now, and no conversation gets a second successor';
COMMENT ON COLUMN reengage.past_sessions.lineage_id IS 'the row of lineage that is gone';
COMMENT ON COLUMN reengage.past_sessions.occurred_at IS 'when the session was created, as far as that is known';
COMMENT ON COLUMN reengage.past_sessions.generation IS 'as in lineage';
COMMENT ON COLUMN reengage.past_sessions.server IS 'the foreign server';
COMMENT ON COLUMN reengage.past_sessions.previous_conversation_id IS 'the closed conversation that conversation_id follows';
COMMENT ON COLUMN reengage.past_sessions.conversation_id IS 'where the thread went on';
COMMENT ON COLUMN reengage.past_sessions.root_conversation_id IS 'the first conversation of the thread';
COMMENT ON COLUMN reengage.past_sessions.named_by IS 'the role whose nudge named the address, where nobody else told it: other roles are not led there; empty: nobody knows which; null: the conversation told the address';
COMMENT ON COLUMN reengage.past_sessions.address_hash IS 'that address, as in lineage.address_hash; null: the conversation told it';
SELECT pg_catalog.pg_extension_config_dump('reengage.past_sessions', '');

CREATE TABLE reengage.pruned_nudges (
	nudge_id uuid NOT NULL,
	day date NOT NULL,
	CONSTRAINT pruned_nudges_pkey PRIMARY KEY (nudge_id)
);
-- they are pruned in the order of time, and let go in it
CREATE INDEX pruned_nudges_day ON reengage.pruned_nudges USING brin (day) WITH (autosummarize = on);
COMMENT ON TABLE reengage.pruned_nudges IS
	'ids of nudges that are gone: who asks for one of them again asks for nothing';
COMMENT ON COLUMN reengage.pruned_nudges.nudge_id IS 'the nudge that is gone';
COMMENT ON COLUMN reengage.pruned_nudges.day IS 'since when: reengage.tombstone_retention counts from here';
SELECT pg_catalog.pg_extension_config_dump('reengage.pruned_nudges', '');

-- Who asks for a conversation must not read the index of successors as a whole,
-- which may look as good: so no IS NOT NULL; nor who asks for a successor that of
-- conversations: so no generation, of which the other has to say that it is not 0.  A row goes from the one table to the
-- other in one transaction, and no snapshot sees it in both, or in none.
CREATE VIEW reengage_internal.sessions AS
SELECT l.lineage_id, l.server, l.previous_conversation_id, l.conversation_id, l.root_conversation_id, l.generation,
	coalesce(l.called_at, l.occurred_at) AS made_at,
	CASE WHEN l.outcome = 'session_created' AND l.reason IN ('named', 'joined_named')
		THEN coalesce((SELECT n.requested_by FROM reengage.nudges n WHERE n.nudge_id = l.nudge_id), '') END AS named_by,
	l.address_hash
FROM reengage.lineage l
WHERE coalesce(l.previous_conversation_id, '') <> ''
UNION ALL
SELECT p.lineage_id, p.server, p.previous_conversation_id, p.conversation_id, p.root_conversation_id, p.generation,
	p.occurred_at, p.named_by, p.address_hash
FROM reengage.past_sessions p;
COMMENT ON VIEW reengage_internal.sessions IS
	'which conversation follows which: of lineage, and of what retention has let go';
COMMENT ON COLUMN reengage_internal.sessions.lineage_id IS 'as in lineage';
COMMENT ON COLUMN reengage_internal.sessions.server IS 'as in lineage';
COMMENT ON COLUMN reengage_internal.sessions.previous_conversation_id IS 'as in lineage';
COMMENT ON COLUMN reengage_internal.sessions.conversation_id IS 'as in lineage';
COMMENT ON COLUMN reengage_internal.sessions.root_conversation_id IS 'as in lineage';
COMMENT ON COLUMN reengage_internal.sessions.generation IS 'as in lineage';
COMMENT ON COLUMN reengage_internal.sessions.made_at IS 'when the session was created, as far as that is known';
COMMENT ON COLUMN reengage_internal.sessions.named_by IS 'as in past_sessions';
COMMENT ON COLUMN reengage_internal.sessions.address_hash IS 'as in lineage; of what is gone, as in past_sessions';

/* src/sql/15_manifest.sql */

--
-- Manifest and digest: the proof that all of lineage has arrived elsewhere.
--
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
SELECT pg_catalog.pg_extension_config_dump('reengage.lineage_manifest', '');

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON reengage.lineage_manifest
	FOR EACH STATEMENT EXECUTE FUNCTION reengage_internal.refuse_change();

CREATE FUNCTION reengage.lineage_digest(l reengage.lineage) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	-- The same text, in UTF-8, is hashed in Snowflake.  The bytes of a database
	-- without an encoding are taken as they are.  A column that is added stays out, or
	-- the digests of days that the manifest has would not agree any more.
	SELECT ('x' || substr(md5(convert_to(concat_ws('|',
			l.lineage_id, coalesce(l.nudge_id::text, '~'), l.server, l.outcome,
			l.requested_conversation_id, l.conversation_id, coalesce(l.previous_conversation_id, '~'),
			l.root_conversation_id, l.generation, coalesce(l.http_status::text, '~'),
			l.api_calls, l.api_calls_saved, (extract(epoch FROM l.occurred_at) * 1000000)::bigint),
		CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END)), 21, 12))::bit(48)::bigint
$$;
COMMENT ON FUNCTION reengage.lineage_digest(reengage.lineage) IS
	'a number for a row of lineage that other systems can compute alike: the low 48 bits of the MD5 of its ids, outcome, place in the thread, counts and time';

CREATE FUNCTION reengage_internal.start_of_day(day date) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT day::timestamp AT TIME ZONE 'UTC' $$;
COMMENT ON FUNCTION reengage_internal.start_of_day(date) IS 'midnight in UTC, with which a day of the manifest begins';

-- By id, and those whose id tells another time.  Each look has a margin of what
-- id_tells() tolerates.
CREATE FUNCTION reengage_internal.recorded_after(since timestamptz, before timestamptz, skipped bigint DEFAULT 0)
RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
-- along the two indexes, whatever the planner knows of the table
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
AS $$
DECLARE
	by_id record;
BEGIN
	SELECT l.lineage_id, l.recorded_at INTO by_id FROM reengage.lineage l
	WHERE l.lineage_id >= reengage.first_id(since - interval '0.2 s') AND l.lineage_id < reengage.first_id(before + interval '0.2 s')
	  AND l.recorded_at >= since AND l.recorded_at < before AND reengage_internal.id_tells(l.lineage_id, l.recorded_at)
	ORDER BY l.lineage_id OFFSET skipped LIMIT 1;
	-- of two ids that were made at once, the second may be of the row that was recorded first
	RETURN least(
		(SELECT min(l.recorded_at) FROM reengage.lineage l
		 WHERE l.lineage_id >= by_id.lineage_id AND l.lineage_id < reengage.first_id(by_id.recorded_at + interval '0.2 s')
		   AND l.recorded_at >= since AND reengage_internal.id_tells(l.lineage_id, l.recorded_at)),
		(SELECT l.recorded_at FROM reengage.lineage l
		 WHERE l.recorded_at >= since AND l.recorded_at < before AND NOT reengage_internal.id_tells(l.lineage_id, l.recorded_at)
		 ORDER BY l.recorded_at OFFSET skipped LIMIT 1));
END
$$;
COMMENT ON FUNCTION reengage_internal.recorded_after(timestamptz, timestamptz, bigint) IS
	'when of a period the first row of lineage was recorded; with skipped, a time before which about so many were, twice as many at most; null: there are no more';

CREATE FUNCTION reengage_internal.measure_lineage(since timestamptz, before timestamptz, at_most bigint DEFAULT NULL,
	OUT row_count bigint, OUT digest bigint, OUT measured_to timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
-- along the two indexes, whatever the planner knows of the table
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
AS $$
BEGIN
	measured_to := before;
	IF at_most IS NOT NULL THEN
		-- the rows of one instant stay together, however many they are
		measured_to := least(before, greatest(coalesce(reengage_internal.recorded_after(since, before, at_most), before),
											  since + interval '1 microsecond'));
	END IF;

	SELECT count(*), coalesce(sum(d.digest) % 9007199254740992, 0)
	INTO row_count, digest
	FROM (
		SELECT reengage.lineage_digest(l) AS digest FROM reengage.lineage l
		WHERE l.lineage_id >= reengage.first_id(since - interval '0.2 s') AND l.lineage_id < reengage.first_id(measured_to + interval '0.2 s')
		  AND l.recorded_at >= since AND l.recorded_at < measured_to AND reengage_internal.id_tells(l.lineage_id, l.recorded_at)
		UNION ALL
		SELECT reengage.lineage_digest(l) FROM reengage.lineage l
		WHERE l.recorded_at >= since AND l.recorded_at < measured_to AND NOT reengage_internal.id_tells(l.lineage_id, l.recorded_at)) d;
END
$$;
COMMENT ON FUNCTION reengage_internal.measure_lineage(timestamptz, timestamptz, bigint) IS
	'how many rows of lineage were recorded in a period, and the sum of their digests modulo 2^53; with at_most only about so many rows, up to measured_to';

-- A row's recorded_at is computed when its transaction has locked lineage, so
-- that nobody else can still record a row of that day.
CREATE FUNCTION reengage_internal.day_held_open_by(day date) RETURNS text
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
	  AND coalesce(a.xact_start, '-infinity') < reengage_internal.start_of_day(day + 1)
$$;
COMMENT ON FUNCTION reengage_internal.day_held_open_by(date) IS
	'the transactions that began before the end of a day (or nobody knows when) and have written to lineage: their rows of that day cannot be counted yet; null: there is none';

CREATE FUNCTION reengage_internal.day_without_manifest() RETURNS date
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	-- from day to day that has rows
	WITH RECURSIVE recorded (day) AS (
		SELECT (reengage_internal.recorded_after('0001-01-01 00:00+00', 'infinity') AT TIME ZONE 'UTC')::date
		UNION ALL
		SELECT (reengage_internal.recorded_after(reengage_internal.start_of_day(r.day + 1), 'infinity') AT TIME ZONE 'UTC')::date
		FROM recorded r WHERE reengage_internal.start_of_day(r.day + 1) <= now()
	)
	SELECT min(r.day) FROM recorded r
	WHERE reengage_internal.start_of_day(r.day + 1) <= now()
	  AND NOT EXISTS (SELECT FROM reengage.lineage_manifest m WHERE m.day = to_char(r.day, 'YYYY-MM-DD') OFFSET 0)
$$;
COMMENT ON FUNCTION reengage_internal.day_without_manifest() IS
	'the first day that has ended, has rows in lineage, and none in the manifest';

CREATE FUNCTION reengage_internal.record_manifest(day date, row_count bigint, digest bigint) RETURNS boolean
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
COMMENT ON FUNCTION reengage_internal.record_manifest(date, bigint, bigint) IS
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
	PERFORM reengage_internal.require_writable('cannot close a day on');
	-- what others commit while it is called must be seen
	PERFORM reengage_internal.require_read_committed('a day cannot be closed');
	IF reengage_internal.start_of_day(day + 1) > now() THEN
		RAISE EXCEPTION 'day % has not ended', name
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = format('It ends at midnight in UTC, and the transaction began at %s.',
								  to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')),
				  HINT = 'Call it when the day has ended; the worker closes days by itself.';
	END IF;
	holders := reengage_internal.day_held_open_by(day);
	IF holders IS NOT NULL THEN
		RAISE EXCEPTION 'day % is still open', name
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = format('Rows of it may be about to be committed by %s.', holders),
				  HINT = 'Call it again when they have ended.';
	END IF;

	LOCK TABLE reengage.lineage_manifest IN SHARE ROW EXCLUSIVE MODE;
	SELECT m.row_count + coalesce(p.row_count, 0) AS row_count, (m.digest + coalesce(p.digest, 0)) % 9007199254740992 AS digest INTO counted
	FROM reengage_internal.measure_lineage(reengage_internal.start_of_day(day), reengage_internal.start_of_day(day + 1)) m
		LEFT JOIN reengage.pruned_days p ON p.day = name;
	IF NOT reengage_internal.record_manifest(day, counted.row_count, counted.digest) THEN
		RAISE NOTICE 'day % was closed before, and nothing has changed', name;
	END IF;
END
$$;
COMMENT ON PROCEDURE reengage.close_day(date) IS
	'writes down how many rows of lineage were recorded on a day of UTC (without one: yesterday), and the sum of their digests; once more if rows came late. The worker does so by itself for each day that has no row yet';

CREATE VIEW reengage.reconciliation AS
SELECT m.day,
	CASE
		WHEN m.row_count > c.row_count + p.row_count THEN 'rows are missing'
		WHEN m.row_count < c.row_count + p.row_count THEN 'more rows than counted'
		WHEN m.digest <> (c.digest + p.digest) % 9007199254740992 THEN 'a row differs'
		WHEN p.row_count > 0 THEN 'pruned'
		ELSE 'equal'
	END AS state,
	m.row_count AS rows_counted, c.row_count AS rows_here, p.row_count AS rows_pruned,
	m.digest AS digest_counted, c.digest AS digest_here, p.digest AS digest_pruned, m.as_of
FROM (SELECT DISTINCT ON (n.day) * FROM reengage.lineage_manifest n
	  ORDER BY n.day, n.as_of DESC, n.manifest_id DESC) m
	CROSS JOIN LATERAL reengage_internal.measure_lineage(
		reengage_internal.start_of_day(m.day::pg_catalog.date),
		reengage_internal.start_of_day(m.day::pg_catalog.date OPERATOR(pg_catalog.+) 1)) c
	LEFT JOIN reengage.pruned_days d ON d.day = m.day
	CROSS JOIN LATERAL (SELECT coalesce(d.row_count, 0) AS row_count, coalesce(d.digest, 0) AS digest) p;
COMMENT ON VIEW reengage.reconciliation IS
	'for each closed day: what the manifest says and what lineage holds here, in the database that wrote it or in one that the rows were replicated to; reads all rows of the days that are asked for';
COMMENT ON COLUMN reengage.reconciliation.day IS 'YYYY-MM-DD, in UTC';
COMMENT ON COLUMN reengage.reconciliation.state IS
	'equal; pruned (what is here and what was pruned make what was counted); rows are missing; more rows than counted (they came late: close_day() counts again); a row differs';
COMMENT ON COLUMN reengage.reconciliation.rows_counted IS 'rows, by the newest row of the manifest';
COMMENT ON COLUMN reengage.reconciliation.rows_here IS 'rows that are here';
COMMENT ON COLUMN reengage.reconciliation.rows_pruned IS 'rows that prune() has let go, where it did so';
COMMENT ON COLUMN reengage.reconciliation.digest_counted IS 'the sum of their digests, by the manifest';
COMMENT ON COLUMN reengage.reconciliation.digest_here IS 'the sum of the digests here';
COMMENT ON COLUMN reengage.reconciliation.digest_pruned IS 'the sum of the digests of what was pruned';
COMMENT ON COLUMN reengage.reconciliation.as_of IS 'when the row of the manifest was written';

/* src/sql/16_tallies.sql */

--
-- How many nudges are in which state: counters, so that nobody has to count a
-- table that grows.
--
-- Who changes a state adds rows of what it changes: nobody waits for anybody, and
-- an error, a crash or a restore takes the numbers where it takes the nudges.
-- The worker sums these rows up.  What a nudge counts as is the sum of what each
-- of its rows says, whatever their order: one of "nudges" makes it due, one of
-- "lineage" ends that, and one of "due" with a hold says what it waits for.
--
-- They are summed up twice: by campaign and role, of which there may be as many as
-- there are customers, and without them, for who watches the whole.
--
CREATE TABLE reengage.tallies (
	nudges bigint NOT NULL,
	server text COLLATE "C" NOT NULL,
	campaign text COLLATE "C",
	requested_by text COLLATE "C" NOT NULL,
	state text COLLATE "C" NOT NULL,
	reason text COLLATE "C",
	CONSTRAINT tallies_key UNIQUE NULLS NOT DISTINCT (campaign, server, requested_by, state, reason)
) WITH (
	-- the same few rows are written again and again
	fillfactor = 50,
	autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, vacuum_truncate = off
);
COMMENT ON TABLE reengage.tallies IS
	'how many nudges there are in each state, without what tally_changes has to add: the view nudge_counts shows both; derived, and not dumped';
COMMENT ON COLUMN reengage.tallies.nudges IS 'their number';
COMMENT ON COLUMN reengage.tallies.server IS 'the foreign server';
COMMENT ON COLUMN reengage.tallies.campaign IS 'as the nudges said';
COMMENT ON COLUMN reengage.tallies.requested_by IS 'the role that asked';
COMMENT ON COLUMN reengage.tallies.state IS 'due, or the outcome';
COMMENT ON COLUMN reengage.tallies.reason IS 'of those that are due, what holds them (due.hold); of the others, lineage.reason';

CREATE TABLE reengage.tally_totals (
	nudges bigint NOT NULL,
	server text COLLATE "C" NOT NULL,
	state text COLLATE "C" NOT NULL,
	reason text COLLATE "C",
	CONSTRAINT tally_totals_key UNIQUE NULLS NOT DISTINCT (server, state, reason)
) WITH (
	fillfactor = 50,
	autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, vacuum_truncate = off
);
COMMENT ON TABLE reengage.tally_totals IS
	'the same as tallies, of all campaigns and roles together: what is graphed costs the same however many there are; derived, and not dumped';
COMMENT ON COLUMN reengage.tally_totals.nudges IS 'their number; it may be 0';
COMMENT ON COLUMN reengage.tally_totals.server IS 'as in tallies';
COMMENT ON COLUMN reengage.tally_totals.state IS 'as in tallies';
COMMENT ON COLUMN reengage.tally_totals.reason IS 'as in tallies';

CREATE TABLE reengage.tally_changes (
	nudges bigint NOT NULL,
	server text COLLATE "C" NOT NULL,
	campaign text COLLATE "C",
	requested_by text COLLATE "C" NOT NULL,
	state text COLLATE "C" NOT NULL,
	reason text COLLATE "C"
) WITH (
	-- as of "due": a row is read once
	autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
	autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off
);
COMMENT ON TABLE reengage.tally_changes IS
	'what is to be added to tallies and tally_totals, from which the worker, or run(), takes it; kept by whoever changes the state of nudges';
COMMENT ON COLUMN reengage.tally_changes.nudges IS 'so many more; negative: fewer';
COMMENT ON COLUMN reengage.tally_changes.server IS 'as in tallies';
COMMENT ON COLUMN reengage.tally_changes.campaign IS 'as in tallies';
COMMENT ON COLUMN reengage.tally_changes.requested_by IS 'as in tallies';
COMMENT ON COLUMN reengage.tally_changes.state IS 'as in tallies';
COMMENT ON COLUMN reengage.tally_changes.reason IS 'as in tallies';
-- a publication of all tables must not keep the worker from changing them
ALTER TABLE reengage.tallies REPLICA IDENTITY FULL;
ALTER TABLE reengage.tally_totals REPLICA IDENTITY FULL;
ALTER TABLE reengage.tally_changes REPLICA IDENTITY FULL;

CREATE FUNCTION reengage_internal.due_tally() RETURNS trigger
LANGUAGE C SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_due_tally';
COMMENT ON FUNCTION reengage_internal.due_tally() IS 'counts what due nudges wait for';

-- Of these the name is known to who deletes a batch of nudges, and counts them itself.
CREATE TRIGGER tally_held AFTER UPDATE ON reengage.due
	REFERENCING OLD TABLE AS old_due NEW TABLE AS new_due
	FOR EACH STATEMENT EXECUTE FUNCTION reengage_internal.due_tally();
CREATE TRIGGER tally_gone AFTER DELETE ON reengage.due
	REFERENCING OLD TABLE AS old_due
	FOR EACH STATEMENT EXECUTE FUNCTION reengage_internal.due_tally();

-- In one statement, and so by one snapshot: who writes meanwhile writes nudges and
-- changes both, and is seen with both or with none.
CREATE VIEW reengage_internal.miscounted AS
WITH ended AS (
	SELECT DISTINCT ON (l.nudge_id) l.nudge_id, l.outcome, l.reason
	FROM reengage.lineage l WHERE l.nudge_id IS NOT NULL
	ORDER BY l.nudge_id, l.lineage_id DESC
)
SELECT pg_catalog.sum(c.nudges)::bigint AS nudges, c.server, c.campaign, c.requested_by, c.state, c.reason
FROM (
	SELECT pg_catalog.count(*) AS nudges, n.server COLLATE "C" AS server, n.campaign COLLATE "C" AS campaign,
		n.requested_by COLLATE "C" AS requested_by, coalesce(l.outcome, 'due') COLLATE "C" AS state,
		CASE WHEN l.outcome IS NULL THEN d.hold ELSE l.reason END COLLATE "C" AS reason
	FROM reengage.nudges n
		LEFT JOIN ended l ON l.nudge_id = n.nudge_id
		LEFT JOIN reengage.due d ON d.nudge_id = n.nudge_id
	GROUP BY 2, 3, 4, 5, 6
	UNION ALL
	SELECT - t.nudges, t.server, t.campaign, t.requested_by, t.state, t.reason FROM reengage.tallies t
	UNION ALL
	SELECT - t.nudges, t.server, t.campaign, t.requested_by, t.state, t.reason FROM reengage.tally_changes t) c
GROUP BY c.server, c.campaign, c.requested_by, c.state, c.reason
HAVING pg_catalog.sum(c.nudges) <> 0;
COMMENT ON VIEW reengage_internal.miscounted IS
	'what the counters lack, found by counting all nudges; it has no rows where they are right';
COMMENT ON COLUMN reengage_internal.miscounted.nudges IS 'so many more there are; negative: fewer';
COMMENT ON COLUMN reengage_internal.miscounted.server IS 'as in tallies';
COMMENT ON COLUMN reengage_internal.miscounted.campaign IS 'as in tallies';
COMMENT ON COLUMN reengage_internal.miscounted.requested_by IS 'as in tallies';
COMMENT ON COLUMN reengage_internal.miscounted.state IS 'as in tallies';
COMMENT ON COLUMN reengage_internal.miscounted.reason IS 'as in tallies';

CREATE VIEW reengage_internal.missummed AS
SELECT pg_catalog.sum(t.nudges)::bigint AS nudges, t.server, t.state, t.reason
FROM (
	SELECT t.nudges, t.server, t.state, t.reason FROM reengage.tallies t
	UNION ALL
	SELECT - t.nudges, t.server, t.state, t.reason FROM reengage.tally_totals t) t
GROUP BY t.server, t.state, t.reason
HAVING pg_catalog.sum(t.nudges) <> 0;
COMMENT ON VIEW reengage_internal.missummed IS
	'what tally_totals lacks of tallies, found by adding these up; it has no rows where they are right';
COMMENT ON COLUMN reengage_internal.missummed.nudges IS 'so many more there are; negative: fewer';
COMMENT ON COLUMN reengage_internal.missummed.server IS 'as in tallies';
COMMENT ON COLUMN reengage_internal.missummed.state IS 'as in tallies';
COMMENT ON COLUMN reengage_internal.missummed.reason IS 'as in tallies';

CREATE FUNCTION reengage.recount() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	corrected bigint;
	summed bigint;
BEGIN
	PERFORM reengage_internal.require_writable('cannot recount on');
	PERFORM reengage_internal.require_read_committed('nudges cannot be counted');
	-- two of these would both add what is missing; nobody else waits
	LOCK TABLE reengage.tally_changes IN SHARE UPDATE EXCLUSIVE MODE;
	INSERT INTO reengage.tally_changes (nudges, server, campaign, requested_by, state, reason)
	SELECT m.nudges, m.server, m.campaign, m.requested_by, m.state, m.reason FROM reengage_internal.miscounted m;
	GET DIAGNOSTICS corrected = ROW_COUNT;
	-- added, as the worker may be adding, too
	INSERT INTO reengage.tally_totals AS t (nudges, server, state, reason)
	SELECT m.nudges, m.server, m.state, m.reason FROM reengage_internal.missummed m
	ON CONFLICT ON CONSTRAINT tally_totals_key DO UPDATE SET nudges = t.nudges + EXCLUDED.nudges;
	GET DIAGNOSTICS summed = ROW_COUNT;
	RETURN corrected + summed;
END
$$;
COMMENT ON FUNCTION reengage.recount() IS
	'counts all nudges, corrects what nudge_counts shows, and returns how many numbers were wrong: none but where somebody has changed tables while triggers were off, or lineage by hand; nobody waits for it';

/* src/sql/20_addresses.sql */

--
-- Whom an address means: its normal forms, its hash, and the key of the hash.
--
CREATE TABLE reengage.address_key (
	key bytea NOT NULL,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	CONSTRAINT address_key_pkey PRIMARY KEY (key)
);
COMMENT ON TABLE reengage.address_key IS
	'the key of lineage.address_hash, made by what first needs it: arm(), suppress(), record_answer(), import_history() or a nudge with an address; the oldest row counts, so that a restored dump keeps its hashes';
COMMENT ON COLUMN reengage.address_key.key IS '32 random bytes';
COMMENT ON COLUMN reengage.address_key.created_at IS 'when it was made';
SELECT pg_catalog.pg_extension_config_dump('reengage.address_key', '');

CREATE VIEW reengage_internal.address_key_in_use AS
SELECT k.key FROM reengage.address_key k ORDER BY k.created_at, k.key LIMIT 1;
COMMENT ON VIEW reengage_internal.address_key_in_use IS 'the key that counts, if there is one: the oldest';
COMMENT ON COLUMN reengage_internal.address_key_in_use.key IS 'as in reengage.address_key';

CREATE FUNCTION reengage_internal.hash_addresses(key bytea, addresses text[]) RETURNS text[]
LANGUAGE C STRICT IMMUTABLE
AS 'MODULE_PATHNAME', 'reengage_hash_addresses';
COMMENT ON FUNCTION reengage_internal.hash_addresses(bytea, text[]) IS
	'the keyed hashes of normal forms, byte for byte, as in lineage.address_hash; null of one that cannot be put into UTF-8';

CREATE FUNCTION reengage_internal.normal_addresses(addresses text[], channels text[], country_code text) RETURNS text[]
LANGUAGE C IMMUTABLE
AS 'MODULE_PATHNAME', 'reengage_normal_addresses';
COMMENT ON FUNCTION reengage_internal.normal_addresses(text[], text[], text) IS
	'the forms in which addresses are compared, each on its channel: a telephone number in E.164, an e-mail address in lower case, any other id as it is; null of what is no address there, and of a national number without a country code (digits; null: not known); without a channel an address is what it looks like';

CREATE FUNCTION reengage_internal.form_hash(form text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT (reengage_internal.hash_addresses(k.key, ARRAY[form]))[1]
	FROM reengage_internal.address_key_in_use k
$$;
COMMENT ON FUNCTION reengage_internal.form_hash(text) IS
	'the keyed hash of a normal form, as lineage.address_hash has it; null while there is no key';

CREATE FUNCTION reengage_internal.address_hash(address text, channel text DEFAULT NULL, server text DEFAULT NULL) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT reengage_internal.form_hash(coalesce(
		(reengage_internal.normal_addresses(ARRAY[address], ARRAY[channel], reengage_internal.country_code_of(server)))[1],
		-- as the engine has it where nobody tells the channel
		CASE WHEN channel IS NULL THEN coalesce((reengage_internal.normal_addresses(ARRAY[address], ARRAY['whatsapp'], NULL))[1],
			(reengage_internal.normal_addresses(ARRAY[address], ARRAY['open'], NULL))[1]) END))
$$;
COMMENT ON FUNCTION reengage_internal.address_hash(text, text, text) IS
	'an address on a channel as lineage.address_hash has it, read with the default_country_code of the server; without a channel an address is what it looks like; null of what is no address, and while there is no key';

CREATE FUNCTION reengage_internal.own_customers(server text, addresses text[], channels text[]) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- not in SQL: each INSERT would plan it anew
	RETURN (SELECT reengage_internal.hash_addresses(k.key, CASE
		WHEN array_position(channels, NULL) IS NULL THEN reengage_internal.normal_addresses(addresses, channels, reengage_internal.country_code_of(server))
		ELSE ARRAY(
			-- as address_hash() has it where nobody tells the channel
			SELECT coalesce(f.form, CASE WHEN f.channel IS NULL THEN coalesce(f.of_whatsapp, f.of_open) END)
			FROM unnest(reengage_internal.normal_addresses(addresses, channels, reengage_internal.country_code_of(server)), channels,
						reengage_internal.normal_addresses(addresses, array_fill('whatsapp'::text, ARRAY[cardinality(addresses)]), NULL),
						reengage_internal.normal_addresses(addresses, array_fill('open'::text, ARRAY[cardinality(addresses)]), NULL))
				WITH ORDINALITY AS f (form, channel, of_whatsapp, of_open, place)
			ORDER BY f.place) END)
	FROM reengage_internal.address_key_in_use k);
END
$$;
COMMENT ON FUNCTION reengage_internal.own_customers(text, text[], text[]) IS
	'the addresses that nudges of a server name, each on its channel, as lineage.address_hash has them; null of what is none';

CREATE FUNCTION reengage_internal.make_address_key() RETURNS void
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
COMMENT ON FUNCTION reengage_internal.make_address_key() IS 'makes the key of address hashes, once';

CREATE FUNCTION reengage_internal.address_readings(address text, channel text, country_codes text[])
RETURNS TABLE (kind text, form text, label text)
LANGUAGE C STABLE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_address_readings';
COMMENT ON FUNCTION reengage_internal.address_readings(text, text, text[]) IS
	'the normal forms of an address on a channel, or without one of all that it may plausibly be, numbers without a country read in each of these; an error if there is none';

CREATE FUNCTION reengage_internal.known_channels() RETURNS text[]
LANGUAGE C IMMUTABLE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_known_channels';
COMMENT ON FUNCTION reengage_internal.known_channels() IS 'the words for channels that messaging APIs have';

CREATE FUNCTION reengage_internal.require_channel(channel text) RETURNS text
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
	IF word IS NULL OR word = ANY (reengage_internal.known_channels()) THEN
		RETURN word;
	END IF;
	SELECT array_agg(DISTINCT c.channel ORDER BY c.channel) INTO known
	FROM (SELECT unnest(reengage_internal.known_channels()) AS channel
		  UNION ALL
		  SELECT unnest(string_to_array(o.option_value, ','))
		  FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
			  CROSS JOIN pg_options_to_table(s.srvoptions) o
		  WHERE w.fdwname = 'reengage' AND o.option_name = 'proactive_channels') c
	WHERE c.channel <> '';
	IF word <> ALL (known) THEN
		RAISE EXCEPTION 'channel "%" is not known', reengage_internal.shown(word)
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = format('Known are %s; a server''s option proactive_channels may name more.', array_to_string(known, ', '));
	END IF;
	RETURN word;
END
$$;
COMMENT ON FUNCTION reengage_internal.require_channel(text) IS
	'a channel in lower case, without blanks around it; an error if neither an API nor the proactive_channels of a server have it';

CREATE FUNCTION reengage_internal.customer_readings(address text, channel text, server text)
RETURNS TABLE (kind text, address_hash text, label text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
	country_codes text[] := ARRAY(
		SELECT DISTINCT c.code
		FROM pg_foreign_server s CROSS JOIN reengage_internal.country_code_of(s.srvname) AS c (code)
		WHERE s.srvname = coalesce(server, s.srvname) AND c.code IS NOT NULL
		ORDER BY 1);
BEGIN
	IF length(address) > 256 OR address ~ '[[:cntrl:]]' THEN
		RAISE EXCEPTION 'invalid address of % %', length(address), reengage_internal.plural(length(address), 'character', 'characters')
			USING ERRCODE = 'invalid_parameter_value',
				  DETAIL = 'It must have at most 256 characters, and no control characters.';
	END IF;
	PERFORM reengage_internal.make_address_key();
	-- always in one order, as they are locked one after the other
	RETURN QUERY
		SELECT r.kind, reengage_internal.form_hash(r.form), r.label
		FROM reengage_internal.address_readings(address, channel, country_codes) r ORDER BY 2;
END
$$;
COMMENT ON FUNCTION reengage_internal.customer_readings(text, text, text) IS
	'the customers that an address means, as lineage.address_hash has them, with what may be shown of each: one on a known channel, without a channel each that it may plausibly be; an error if it is none';

CREATE FUNCTION reengage_internal.locate(server text, conversation_id text,
	OUT root text, OUT tip text, OUT generation integer)
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
	WITH RECURSIVE step (conversation_id) AS (
		SELECT coalesce((
			SELECT l.root_conversation_id FROM (
				SELECT * FROM reengage_internal.sessions l
				-- where it became one: a nudge may end in a conversation of another thread
				WHERE hashtextextended(l.conversation_id, 0) = hashtextextended($2, 0)
				  AND l.server = $1 AND l.conversation_id = $2 AND l.generation > 0
				OFFSET 0) l
			ORDER BY l.lineage_id LIMIT 1), $2)
		-- not UNION ALL: it ends in a ring, without a list in each row of what was visited
		UNION
		SELECT l.conversation_id
		FROM step CROSS JOIN LATERAL (
			SELECT * FROM reengage_internal.sessions l
			WHERE l.server = $1 AND l.previous_conversation_id = step.conversation_id
			OFFSET 0) l
	)
	-- in the order in which they were found
	SELECT w.conversations[1], w.conversations[cardinality(w.conversations)], cardinality(w.conversations) - 1
	FROM (SELECT array_agg(step.conversation_id) AS conversations FROM step) w
$$;
COMMENT ON FUNCTION reengage_internal.locate(text, text) IS
	'the thread that a conversation belongs to: its first conversation, its newest, and how many sessions lie between';

CREATE FUNCTION reengage_internal.suppression_subject(address text, conversation_id text, channel text, server text,
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
		PERFORM reengage_internal.require_server(suppression_subject.server);
	END IF;
	IF address IS NOT NULL THEN
		of_server := suppression_subject.server;
		FOR kind, address_hash, label IN
			SELECT r.kind, r.address_hash, r.label
			FROM reengage_internal.customer_readings(address, suppression_subject.channel, suppression_subject.server) r
		LOOP
			RETURN NEXT;
		END LOOP;
		RETURN;
	END IF;
	IF NOT reengage_internal.is_conversation_id(conversation_id) THEN
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
		WHERE hashtextextended(l.conversation_id, 0) = hashtextextended(suppression_subject.conversation_id, 0)
		  AND l.server = of_server AND l.conversation_id = suppression_subject.conversation_id AND l.generation > 0
		UNION
		SELECT p.root_conversation_id FROM reengage.past_sessions p
		WHERE hashtextextended(p.conversation_id, 0) = hashtextextended(suppression_subject.conversation_id, 0)
		  AND p.server = of_server AND p.conversation_id = suppression_subject.conversation_id
		UNION
		SELECT suppression_subject.conversation_id
		ORDER BY 1
	LOOP
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION reengage_internal.suppression_subject(text, text, text, text) IS
	'whom suppress() and unsuppress() are about';

/* src/sql/21_fence.sql */

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

CREATE FUNCTION reengage_internal.fence_complaint() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT CASE
		WHEN i.armed IS NULL THEN 'not armed: nothing is sent'
		WHEN i.system_identifier <> reengage_internal.system_identifier()
			THEN format('armed in another cluster (system identifier %s, here %s): this is a copy, or was made by pg_upgrade',
						i.system_identifier, reengage_internal.system_identifier())
		WHEN i.database_oid <> d.oid
			THEN format('armed in another database (oid %s, here %s): this is a copy',
						i.database_oid, d.oid)
		WHEN i.site <> reengage_internal.site()
			THEN format('armed at another site (%s, here %s): this is a copy, or the server was moved',
						i.site, reengage_internal.site())
		WHEN i.timeline <> reengage_internal.timeline() AND i.site NOT LIKE 'key:%'
			THEN format('armed on another timeline (%s, here %s): an earlier state was restored, or a standby promoted without reengage.instance_key',
						i.timeline, reengage_internal.timeline())
		WHEN i.timeline <> reengage_internal.timeline() AND current_setting('reengage.on_promotion') = 'hold'
			THEN format('armed on another timeline (%s, here %s): a standby was promoted, or an earlier state restored, and reengage.on_promotion is hold',
						i.timeline, reengage_internal.timeline())
	END
	FROM pg_database d LEFT JOIN reengage.identity i ON true
	WHERE d.datname = current_database()
$$;
COMMENT ON FUNCTION reengage_internal.fence_complaint() IS
	'why nothing may be sent from this database; null: it is armed';

-- A nudge has a place in the schedule until it has an outcome.  What has neither
-- was put in while triggers were off, or somebody has deleted the one or the other:
-- then it may have been sent, and only people know.
CREATE VIEW reengage_internal.missing AS
SELECT n.nudge_id, n.server, n.requested_by, n.priority, n.due_at, n.requested_at
FROM reengage.nudges n
WHERE NOT EXISTS (SELECT FROM reengage.lineage l WHERE l.nudge_id = n.nudge_id)
  AND NOT EXISTS (SELECT FROM reengage.due d WHERE d.nudge_id = n.nudge_id);
COMMENT ON VIEW reengage_internal.missing IS 'nudges that have neither an outcome nor a place in the schedule; reads all of them';
COMMENT ON COLUMN reengage_internal.missing.nudge_id IS 'as in nudges';
COMMENT ON COLUMN reengage_internal.missing.server IS 'as in nudges';
COMMENT ON COLUMN reengage_internal.missing.requested_by IS 'as in nudges';
COMMENT ON COLUMN reengage_internal.missing.priority IS 'as in nudges';
COMMENT ON COLUMN reengage_internal.missing.due_at IS 'as in nudges';
COMMENT ON COLUMN reengage_internal.missing.requested_at IS 'as in nudges';

CREATE FUNCTION reengage_internal.settle_missing(missing text, armed_before boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	lost record;
	part uuid[];
	made_due bigint;
	counted record;
	miscounted record;
BEGIN
	SELECT count(*) AS nudges, min(n.requested_at) AS since, max(n.requested_at) AS upto INTO lost FROM reengage_internal.missing n;
	IF lost.nudges = 0 THEN
		RETURN;
	END IF;
	-- the counters agree but for nudges that nobody has told them of, and these are as many
	SELECT bool_and(m.state = 'due' AND m.reason IS NULL AND m.nudges > 0) AND sum(m.nudges) = lost.nudges AND armed_before AS are_new,
		- sum(m.nudges) FILTER (WHERE m.state <> 'due' AND m.nudges < 0) AS outcomes
	INTO miscounted FROM reengage_internal.miscounted m;
	IF missing = 'due' OR (missing IS NULL AND miscounted.are_new) THEN
		INSERT INTO reengage.due (nudge_id, server, requested_by, priority, due_at)
		SELECT n.nudge_id, n.server, n.requested_by::name::text, n.priority, greatest(n.due_at, now())
		FROM reengage_internal.missing n
		-- of who was forgotten nothing is left to be sent
		WHERE NOT EXISTS (SELECT FROM reengage.nudges e WHERE e.nudge_id = n.nudge_id AND e.message = reengage_internal.erased())
		ON CONFLICT DO NOTHING;
		GET DIAGNOSTICS made_due = ROW_COUNT;
		RAISE NOTICE 'made % % without an outcome due again', made_due, reengage_internal.plural(made_due, 'nudge', 'nudges');
		IF made_due < lost.nudges THEN
			RAISE NOTICE 'of customers who were forgotten, and left as they are: %', lost.nudges - made_due
				USING HINT = 'SELECT reengage.arm(missing => ''gone'') deletes them and remembers their ids.';
		END IF;
	ELSIF missing = 'gone' THEN
		PERFORM reengage_internal.lock('retention', VARIADIC '{}');
		FOR part IN
			SELECT array_agg(n.nudge_id)
			FROM (SELECT m.nudge_id, (row_number() OVER (ORDER BY m.nudge_id) - 1) / 10000 AS part FROM reengage_internal.missing m) n
			GROUP BY n.part
		LOOP
			PERFORM reengage_internal.let_go(part, NULL);
		END LOOP;
		RAISE NOTICE 'deleted % % without an outcome; % known', lost.nudges, reengage_internal.plural(lost.nudges, 'nudge', 'nudges'),
			reengage_internal.plural(lost.nudges, 'its id stays', 'their ids stay');
	ELSE
		SELECT sum(m.row_count - c.here) AS rows, min(m.day) AS since INTO counted
		FROM (SELECT DISTINCT ON (n.day) n.day, n.row_count FROM reengage.lineage_manifest n ORDER BY n.day, n.as_of DESC, n.manifest_id DESC) m
			LEFT JOIN (SELECT to_char(l.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, count(*) AS rows
					   FROM reengage.lineage l GROUP BY 1) h ON h.day = m.day
			LEFT JOIN reengage.pruned_days p ON p.day = m.day
			CROSS JOIN LATERAL (SELECT coalesce(h.rows, 0) + coalesce(p.row_count, 0) AS here) c
		WHERE m.row_count > c.here;
		RAISE WARNING '% % neither an outcome nor a place in the schedule, and % so', lost.nudges, reengage_internal.plural(lost.nudges, 'nudge has', 'nudges have'),
			reengage_internal.plural(lost.nudges, 'stays', 'stay')
			USING DETAIL = format('They were asked for from %s to %s UTC. They came in while triggers were off, or somebody has deleted rows of lineage or due: then they may have been sent.%s',
					to_char(lost.since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), to_char(lost.upto AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
					concat(' By the counters, ' || miscounted.outcomes || reengage_internal.plural(miscounted.outcomes::bigint, ' outcome is missing.', ' outcomes are missing.'),
						   ' By the manifest, ' || counted.rows || reengage_internal.plural(counted.rows::bigint, ' row of lineage is', ' rows of lineage are') || ' missing since ' || counted.since || '.')),
				HINT = 'Decide: if none of them was sent, SELECT reengage.arm(missing => ''due''); if they were, or shall not be, SELECT reengage.arm(missing => ''gone'') deletes them and remembers their ids.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.settle_missing(text, boolean) IS
	'what becomes of nudges that have neither an outcome nor a place in the schedule: they become due, or go; without a word they become due only where the counters prove that they came in unseen';

CREATE FUNCTION reengage.arm(missing text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	armed_before boolean := reengage_internal.fence_complaint() IS NULL;
	ended bigint;
	gone bigint;
	database oid := (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
BEGIN
	PERFORM reengage_internal.require_writable('cannot arm');
	IF missing NOT IN ('due', 'gone') THEN
		RAISE EXCEPTION 'invalid missing: "%"', reengage_internal.shown(missing)
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It must be due or gone.';
	END IF;
	IF armed_before THEN
		RAISE NOTICE 'already armed';
	ELSE
		INSERT INTO reengage.identity (system_identifier, database_oid, site, timeline, armed_at, armed_by)
		VALUES (reengage_internal.system_identifier(), database, reengage_internal.site(), reengage_internal.timeline(), now(), session_user)
		ON CONFLICT (armed) DO UPDATE
			SET system_identifier = EXCLUDED.system_identifier,
				database_oid = EXCLUDED.database_oid,
				site = EXCLUDED.site,
				timeline = EXCLUDED.timeline,
				armed_at = EXCLUDED.armed_at,
				armed_by = EXCLUDED.armed_by;
		-- What another database had on the wire is not repeated here, whatever the
		-- API remembers of its keys: it ends in doubt, at once.
		UPDATE reengage.unresolved SET since = '-infinity';
		UPDATE reengage.due d SET due_at = least(d.due_at, now()) WHERE d.nudge_id IN (SELECT u.nudge_id FROM reengage.unresolved u);
		UPDATE reengage.intents SET recorded_at = '-infinity';
	END IF;
	PERFORM reengage_internal.make_address_key();

	-- whole tables are compared, which may have grown a thousandfold since this
	-- session last planned that
	DISCARD PLANS;
	-- What has an outcome is not due, nor is what nobody asks for.
	DELETE FROM reengage.due d USING reengage.lineage l WHERE l.nudge_id = d.nudge_id;
	GET DIAGNOSTICS ended = ROW_COUNT;
	DELETE FROM reengage.due d WHERE NOT EXISTS (SELECT FROM reengage.nudges n WHERE n.nudge_id = d.nudge_id);
	GET DIAGNOSTICS gone = ROW_COUNT;
	IF armed_before AND ended + gone > 0 THEN
		RAISE NOTICE 'took % % out of the schedule that had an outcome, and % that % deleted', ended, reengage_internal.plural(ended, 'nudge', 'nudges'),
			gone, reengage_internal.plural(gone, 'was', 'were');
	END IF;
	PERFORM reengage_internal.settle_missing(missing, armed_before);
	DELETE FROM reengage.unresolved u WHERE NOT EXISTS (SELECT FROM reengage.due d WHERE d.nudge_id = u.nudge_id);
	-- a restore may have made nudges due before it brought the key
	UPDATE reengage.due d SET address_hash = own.address_hash
	FROM (SELECT h.nudge_id, h.address_hash
		  FROM (SELECT p.server, array_agg(p.nudge_id) AS nudge_ids, array_agg(p.address) AS addresses, array_agg(p.channel) AS channels
				FROM (SELECT n.nudge_id, n.server, n.address, n.channel, row_number() OVER (PARTITION BY n.server) / 10000 AS part
					  FROM reengage.due d JOIN reengage.nudges n ON n.nudge_id = d.nudge_id WHERE n.address IS NOT NULL) p
				GROUP BY p.server, p.part) s
			CROSS JOIN LATERAL unnest(s.nudge_ids, reengage_internal.own_customers(s.server, s.addresses, s.channels)) AS h (nudge_id, address_hash)) own
	WHERE d.nudge_id = own.nudge_id AND d.address_hash IS DISTINCT FROM own.address_hash;
	PERFORM reengage.recount();
	-- now, so that no application's first row of lineage holds up the worker's
	PERFORM reengage_internal.lineage_position();
	PERFORM reengage_internal.wake('-infinity');
END
$$;
COMMENT ON FUNCTION reengage.arm(text) IS
	'allows sending from this database in this cluster; first takes out of the schedule what has an outcome or was deleted, also where it is armed already and somebody has changed tables by hand; missing: what becomes of nudges that have neither an outcome nor a place in the schedule, of which somebody may have deleted that they were sent: due, or gone (deleted, their ids stay known); without it they stay, and a warning counts them';

CREATE FUNCTION reengage.disarm() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
BEGIN
	DELETE FROM reengage.identity;
	IF NOT FOUND THEN
		RAISE NOTICE 'not armed';
	END IF;
	PERFORM reengage_internal.wake('-infinity');
END
$$;
COMMENT ON FUNCTION reengage.disarm() IS
	'stops sending: after the commit no call is handed to the courier; those that were are still settled';

/* src/sql/22_cancel.sql */

--
-- Not asking any more: a nudge, a campaign, a thread, a customer.
--
CREATE FUNCTION reengage_internal.cancel_locked(nudge_ids uuid[], reason text) RETURNS bigint
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
		  AND NOT EXISTS (SELECT FROM reengage.unresolved u WHERE u.nudge_id = d.nudge_id OFFSET 0)
		RETURNING n.*, d.attempt, d.api_calls
	), stored AS (
		INSERT INTO reengage.lineage
			(nudge_id, server, outcome, reason, requested_conversation_id, conversation_id,
			 root_conversation_id, generation, campaign, attempts, api_calls, api_calls_saved,
			 requested_at, due_at, occurred_at, detail)
		SELECT e.nudge_id, e.server, 'cancelled', cancel_locked.reason, e.conversation_id, t.tip,
			   t.root, t.generation, e.campaign, e.attempt, e.api_calls, 0,
			   e.requested_at, e.due_at, clock_timestamp(), e.detail
		FROM ended e CROSS JOIN LATERAL reengage_internal.locate(e.server, e.conversation_id) t
		RETURNING lineage_id
	), counted AS (
		INSERT INTO reengage.tally_changes (nudges, server, campaign, requested_by, state, reason)
		SELECT sum(c.nudges), e.server, e.campaign, e.requested_by, c.state, c.reason
		FROM ended e CROSS JOIN (VALUES (-1, 'due', NULL), (1, 'cancelled', cancel_locked.reason)) AS c (nudges, state, reason)
		GROUP BY e.server, e.campaign, e.requested_by, c.state, c.reason
	)
	SELECT (SELECT count(*) FROM ended), (SELECT count(*) FROM stored) INTO ended, cancelled;
	IF cancelled <> ended THEN
		RAISE EXCEPTION 'a trigger on table "reengage.lineage" keeps outcomes from being stored'
			USING ERRCODE = 'triggered_action_exception', HINT = 'Drop the trigger.';
	END IF;
	RETURN cancelled;
END
$$;
COMMENT ON FUNCTION reengage_internal.cancel_locked(uuid[], text) IS
	'cancels those of the nudges, all of them locked, for which no call may be on the wire; returns how many';

CREATE FUNCTION reengage_internal.cancel_nudges(nudge_ids uuid[], reason text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	-- the lock table is not made for thousands
	many boolean := cardinality(nudge_ids) + reengage_internal.nudge_locks() > 100;
BEGIN
	-- all in one order, so that two of these wait for each other in one way only
	PERFORM reengage_internal.lock_part(c.server, c.asker, c.campaign, NOT many)
	FROM (SELECT DISTINCT n.server, n.requested_by::name::text AS asker, coalesce(n.campaign, '') AS campaign
		  FROM reengage.nudges n WHERE n.nudge_id = ANY (nudge_ids) ORDER BY 1, 2, 3) c;
	IF NOT many THEN
		PERFORM reengage_internal.lock_nudge(o.nudge_id) FROM unnest(nudge_ids) AS o (nudge_id);
	END IF;
	RETURN reengage_internal.cancel_locked(nudge_ids, reason);
END
$$;
COMMENT ON FUNCTION reengage_internal.cancel_nudges(uuid[], text) IS
	'locks nudges, one after another as they are given, and cancels those for which no call may be on the wire; returns how many';

CREATE FUNCTION reengage_internal.cancel_for(nudge_id uuid, caller text, may_cancel_all boolean) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
	PERFORM reengage_internal.require_read_committed('a nudge cannot be cancelled');
	IF NOT EXISTS (SELECT FROM reengage.nudges n
				   WHERE n.nudge_id = cancel_for.nudge_id AND (may_cancel_all OR n.requested_by = caller)) THEN
		RAISE EXCEPTION 'nudge % does not exist', nudge_id
			USING ERRCODE = 'undefined_object',
				  DETAIL = CASE WHEN NOT may_cancel_all
						   THEN format('Or it is not one that role "%s" asked for.', caller)
						   ELSE 'There is no row of reengage.nudges with this id.' END;
	END IF;
	RETURN CASE reengage_internal.cancel_nudges(ARRAY[nudge_id], NULL) WHEN 1 THEN 'cancelled' ELSE 'too late' END;
END
$$;
COMMENT ON FUNCTION reengage_internal.cancel_for(uuid, text, boolean) IS 'cancel(), once it is known who calls it';

CREATE FUNCTION reengage.cancel(nudge_id uuid) RETURNS text
LANGUAGE C STRICT VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off
AS 'MODULE_PATHNAME', 'reengage_cancel';
COMMENT ON FUNCTION reengage.cancel(uuid) IS
	'cancels a nudge and says "cancelled", or "too late" where a call may have been made or it has ended; holds as soon as the transaction commits; an application cancels its own nudges, an operator all';

CREATE FUNCTION reengage.cancel_campaign(campaign text, server text DEFAULT NULL,
	OUT cancelled bigint, OUT too_late bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
-- what is better read, all that is due or all of the campaign, is known when it is called
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
	of_server text := coalesce(cancel_campaign.server, reengage.default_server());
	due uuid[];
BEGIN
	PERFORM reengage_internal.require_read_committed('a nudge cannot be cancelled');
	PERFORM reengage_internal.require_server(of_server);
	IF campaign IS NULL THEN
		RAISE EXCEPTION 'a campaign must be named' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	PERFORM reengage_internal.lock('campaign', of_server, campaign);
	due := ARRAY(SELECT d.nudge_id FROM reengage.due d JOIN reengage.nudges n ON n.nudge_id = d.nudge_id
				 WHERE d.server = of_server AND n.campaign = cancel_campaign.campaign);
	cancelled := reengage_internal.cancel_locked(due, 'campaign_cancelled');
	too_late := cardinality(due) - cancelled;
END
$$;
COMMENT ON FUNCTION reengage.cancel_campaign(text, text) IS
	'cancels all nudges of a campaign at a server that have not ended, and tells how many it was too late for: their call may have been made; commit soon, the campaign rests until then';

CREATE FUNCTION reengage_internal.cancel_older(newer uuid[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	older uuid[];
BEGIN
	PERFORM reengage_internal.require_read_committed('a nudge cannot be cancelled');
	-- all locks in one order, so that two of these wait for each other in one way only
	PERFORM reengage_internal.lock('superseding', p.server, p.asker, p.campaign, p.stripe::text)
	FROM (SELECT DISTINCT n.server, n.requested_by::name::text AS asker, coalesce(n.campaign, '') AS campaign,
			abs(hashtext(t.root) % 64) AS stripe
		  FROM reengage.nudges n CROSS JOIN LATERAL reengage_internal.locate(n.server, n.conversation_id) t
		  WHERE n.nudge_id = ANY (newer) ORDER BY 1, 2, 3, 4) p;
	-- each thread is looked for once, not once for every nudge that might be an older one
	WITH named AS MATERIALIZED (
		SELECT DISTINCT n.server, n.campaign, c.conversation_id, n.requested_by,
			EXISTS (SELECT FROM pg_roles r
					WHERE r.rolname = n.requested_by AND pg_has_role(r.oid, 'reengage_operator', 'USAGE')) AS may_cancel_all
		FROM reengage.nudges n
			CROSS JOIN LATERAL reengage_internal.locate(n.server, n.conversation_id) t
			CROSS JOIN LATERAL (
				SELECT t.root AS conversation_id
				UNION
				SELECT l.conversation_id FROM reengage.lineage l
				WHERE l.root_conversation_id = t.root AND l.server = n.server
				UNION
				SELECT p.conversation_id FROM reengage.past_sessions p
				WHERE p.root_conversation_id = t.root AND p.server = n.server) c
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
	IF older IS NOT NULL THEN
		PERFORM reengage_internal.cancel_nudges(older, 'superseded');
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.cancel_older(uuid[]) IS
	'cancels what nudges with "supersedes" take the place of, as far as whoever asked for them may cancel it';

CREATE FUNCTION reengage_internal.due_in_threads(servers text[], roots text[]) RETURNS uuid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
	SELECT array_agg(DISTINCT n.nudge_id)
	FROM unnest(servers, roots) t (server, root)
		CROSS JOIN LATERAL (
			SELECT t.root AS conversation_id
			UNION
			SELECT l.conversation_id FROM reengage.lineage l
			WHERE l.root_conversation_id = t.root AND l.server = t.server
			UNION
			SELECT p.conversation_id FROM reengage.past_sessions p
			WHERE p.root_conversation_id = t.root AND p.server = t.server) c
		CROSS JOIN LATERAL (
			SELECT n.nudge_id FROM reengage.nudges n
			WHERE n.conversation_id = c.conversation_id AND n.server = t.server OFFSET 0) n
		CROSS JOIN LATERAL (SELECT FROM reengage.due d WHERE d.nudge_id = n.nudge_id OFFSET 0) d
$$;
COMMENT ON FUNCTION reengage_internal.due_in_threads(text[], text[]) IS
	'the nudges that are due in threads, each named by its server and first conversation';

CREATE FUNCTION reengage_internal.cancel_due(nudge_ids uuid[], of_campaign text, reason text, caller text, may_cancel_all boolean,
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
BEGIN
	cancelled := reengage_internal.cancel_nudges(chosen, reason);
	-- not what another session has cancelled meanwhile
	too_late := (SELECT count(*) FROM unnest(chosen) AS c (nudge_id)
				 WHERE NOT EXISTS (SELECT FROM reengage.lineage l
								   WHERE l.nudge_id = c.nudge_id AND l.outcome = 'cancelled' OFFSET 0));
END
$$;
COMMENT ON FUNCTION reengage_internal.cancel_due(uuid[], text, text, text, boolean) IS
	'cancels those of the nudges that are of a campaign (null: any) and that the caller may cancel, as far as no call may be on the wire';

CREATE FUNCTION reengage_internal.cancel_thread_for(conversation_id text, server text, campaign text, caller text, may_cancel_all boolean,
	OUT cancelled bigint, OUT too_late bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	subjects record;
BEGIN
	PERFORM reengage_internal.require_read_committed('a nudge cannot be cancelled');
	SELECT array_agg(s.of_server) AS servers, array_agg(s.root_conversation_id) AS roots INTO subjects
	FROM reengage_internal.suppression_subject(NULL, cancel_thread_for.conversation_id, NULL, server) s;
	SELECT * INTO cancelled, too_late FROM reengage_internal.cancel_due(
		reengage_internal.due_in_threads(subjects.servers, subjects.roots), campaign, 'thread_cancelled', caller, may_cancel_all);
END
$$;
COMMENT ON FUNCTION reengage_internal.cancel_thread_for(text, text, text, text, boolean) IS 'cancel_thread(), once it is known who calls it';

CREATE FUNCTION reengage.cancel_thread(conversation_id text, server text DEFAULT NULL, campaign text DEFAULT NULL,
	OUT cancelled bigint, OUT too_late bigint)
LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off
AS 'MODULE_PATHNAME', 'reengage_cancel';
COMMENT ON FUNCTION reengage.cancel_thread(text, text, text) IS
	'cancels all nudges of the threads that a conversation belongs to (at reengage.default_server, unless another is named), of one campaign or of any, that have not ended, and tells how many it was too late for; an application cancels its own nudges, an operator all; commit soon, they rest until then';

CREATE FUNCTION reengage_internal.due_to_customer(hashes text[], server text) RETURNS uuid[]
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
		  WHERE hashtextextended(l.address_hash, 0) = ANY (ARRAY(SELECT hashtextextended(h, 0) FROM unnest(hashes) h))
			AND l.address_hash = ANY (hashes) AND l.server = coalesce(due_to_customer.server, l.server)) t;
	RETURN own || reengage_internal.due_in_threads(threads.servers, threads.roots);
END
$$;
COMMENT ON FUNCTION reengage_internal.due_to_customer(text[], text) IS
	'the nudges that are due to a customer: those that name the address, and those of threads that lineage knows it from';

CREATE FUNCTION reengage_internal.cancel_customer_for(address text, campaign text, server text, channel text, caller text, may_cancel_all boolean,
	OUT cancelled bigint, OUT too_late bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	hashes text[];
BEGIN
	PERFORM reengage_internal.require_read_committed('a nudge cannot be cancelled');
	hashes := ARRAY(SELECT s.address_hash FROM reengage_internal.suppression_subject(address, NULL, reengage_internal.require_channel(channel), server) s);
	SELECT * INTO cancelled, too_late FROM reengage_internal.cancel_due(
		reengage_internal.due_to_customer(hashes, server), campaign, 'customer_cancelled', caller, may_cancel_all);
END
$$;
COMMENT ON FUNCTION reengage_internal.cancel_customer_for(text, text, text, text, text, boolean) IS 'cancel_customer(), once it is known who calls it';

CREATE FUNCTION reengage.cancel_customer(address text, campaign text DEFAULT NULL, server text DEFAULT NULL, channel text DEFAULT NULL,
	OUT cancelled bigint, OUT too_late bigint)
LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off
AS 'MODULE_PATHNAME', 'reengage_cancel';
COMMENT ON FUNCTION reengage.cancel_customer(text, text, text, text) IS
	'cancels all nudges to a customer, of one campaign or of any, at one server or at all, that have not ended, and tells how many it was too late for: those that name the address (the channel tells how to read it), and those of threads that lineage knows it from; an application cancels its own nudges, an operator all; commit soon, they rest until then';

/* src/sql/23_changes.sql */

--
-- Who changed what operators decide, and when.
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
	FOR EACH STATEMENT EXECUTE FUNCTION reengage_internal.refuse_change();

CREATE FUNCTION reengage_internal.note_change() RETURNS trigger
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
COMMENT ON FUNCTION reengage_internal.note_change() IS
	'writes a changed row of a table that has created_at into reengage.changes';

/* src/sql/24_suppressions.sql */

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

/* src/sql/25_answers.sql */

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

/* src/sql/26_pauses.sql */

--
-- Servers that rest because an operator says so.
--
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
SELECT pg_catalog.pg_extension_config_dump('reengage.pauses', '');

CREATE FUNCTION reengage_internal.await_silence() RETURNS void
LANGUAGE C STRICT VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_await_silence';
COMMENT ON FUNCTION reengage_internal.await_silence() IS
	'waits a second: then no message leaves any more whose intent was recorded before';

CREATE FUNCTION reengage_internal.unanswered(server text) RETURNS uuid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
	SELECT coalesce(array_agg(d.nudge_id ORDER BY d.nudge_id), '{}')
	FROM reengage.intents i
		CROSS JOIN LATERAL ROWS FROM (unnest(i.nudge_ids), unnest(i.fencing_tokens)) c (nudge_id, fencing_token)
		JOIN reengage.due d ON d.nudge_id = c.nudge_id AND d.fencing_token = c.fencing_token
	WHERE d.server = unanswered.server
$$;
COMMENT ON FUNCTION reengage_internal.unanswered(text) IS
	'nudges of a server whose messages may be on the wire: an intent is recorded, and no answer';

CREATE FUNCTION reengage.pause(server text, reason text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	waited_for uuid[];
BEGIN
	PERFORM reengage_internal.require_server(server);
	-- from here on nothing is begun; what was allowed before leaves within a second
	PERFORM reengage_internal.lock('server', server);
	INSERT INTO reengage.pauses (server, reason)
	VALUES (pause.server, reengage_internal.require_reason(pause.reason))
	ON CONFLICT DO NOTHING;
	IF NOT FOUND THEN
		RAISE NOTICE 'server "%" is paused already', server;
	END IF;
	-- where nobody dispatches, there is nobody to wait for
	IF cardinality(reengage_internal.unanswered(server)) > 0
		OR EXISTS (SELECT FROM pg_locks k
				   WHERE k.locktype = 'advisory' AND k.objsubid = reengage_internal.lock_kind('dispatcher')
					 AND k.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())) THEN
		PERFORM reengage_internal.await_silence();
	END IF;
	waited_for := reengage_internal.unanswered(server);
	IF cardinality(waited_for) > 0 THEN
		RAISE NOTICE 'server "%": % on the wire, whose answers are awaited', server,
			CASE cardinality(waited_for) WHEN 1 THEN '1 message is' ELSE cardinality(waited_for) || ' messages are' END
			USING DETAIL = 'Of nudges ' || array_to_string(waited_for[1:20], ', ')
				|| CASE WHEN cardinality(waited_for) > 20 THEN ', ...' ELSE '.' END;
	END IF;
	PERFORM reengage_internal.wake('-infinity');
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
		PERFORM reengage_internal.require_server(server);
		RAISE NOTICE 'server "%" is not paused', server;
	END IF;
	PERFORM reengage_internal.wake('-infinity');
END
$$;
COMMENT ON FUNCTION reengage.resume(text) IS 'ends the pause of a server: its due nudges go out';

/* src/sql/27_policies.sql */

--
-- Whom nudges may reach, when and how often.
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
COMMENT ON COLUMN reengage.policies.max_due IS 'how many nudges one role may have due at the server, scheduled ones included; what its other open transactions insert is not seen; null: any number';
COMMENT ON COLUMN reengage.policies.max_per_minute IS 'how many nudges of one role are started a minute at the server; null: any number';
COMMENT ON COLUMN reengage.policies.created_at IS 'when it was inserted';
SELECT pg_catalog.pg_extension_config_dump('reengage.policies', '');

CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON reengage.policies
	FOR EACH ROW EXECUTE FUNCTION reengage_internal.note_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON reengage.policies
	FOR EACH STATEMENT EXECUTE FUNCTION reengage_internal.note_change();

CREATE FUNCTION reengage_internal.refuse_policy(name text, value text, detail text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RAISE EXCEPTION 'invalid % of a policy: "%"', name, left(value, 60)
		USING ERRCODE = 'invalid_parameter_value', DETAIL = detail;
END
$$;
COMMENT ON FUNCTION reengage_internal.refuse_policy(text, text, text) IS 'an error that names the value';

CREATE FUNCTION reengage_internal.policies_validate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET jit = off
AS $$
BEGIN
	-- A row that carries another created_at than now comes out of a dump; to
	-- refuse it would be to lose it, and to speak to whom it protects.
	IF TG_OP = 'INSERT' AND NEW.created_at <> now() THEN
		RETURN NEW;
	END IF;
	IF TG_OP = 'INSERT' OR NEW.server IS DISTINCT FROM OLD.server THEN
		PERFORM reengage_internal.require_server(NEW.server);
	END IF;
	IF NEW.channel !~ '^[a-z0-9_-]{1,64}$' THEN
		PERFORM reengage_internal.refuse_policy('channel', NEW.channel, 'It must be a lower-case word, for example sms.');
	END IF;
	IF NEW.campaign !~ '\S' OR length(NEW.campaign) > 256 THEN
		PERFORM reengage_internal.refuse_policy('campaign', NEW.campaign, 'It must have 1 to 256 characters.');
	END IF;
	-- both raise the error themselves
	PERFORM reengage.permitted_at(now(), '{daily 00:00-00:01}', NEW.time_zone);
	PERFORM reengage.permitted_at(now(), NEW.quiet_hours, 'UTC');
	IF NEW.cap < 0 THEN
		PERFORM reengage_internal.refuse_policy('cap', NEW.cap::text, 'It must not be negative.');
	END IF;
	IF (NEW.cap IS NULL) <> (NEW.cap_interval IS NULL) THEN
		PERFORM reengage_internal.refuse_policy('cap', coalesce(NEW.cap::text, 'null'), 'It goes with cap_interval: both are null, or none.');
	END IF;
	IF NOT NEW.cap_interval BETWEEN '1 second' AND '36500 days' THEN
		PERFORM reengage_internal.refuse_policy('cap_interval', NEW.cap_interval::text, 'It must be from a second to 36500 days.');
	END IF;
	IF NOT NEW.minimum_gap BETWEEN '1 second' AND '36500 days' THEN
		PERFORM reengage_internal.refuse_policy('minimum_gap', NEW.minimum_gap::text, 'It must be from a second to 36500 days.');
	END IF;
	IF NOT NEW.holdout_percent BETWEEN 0 AND 100 THEN
		PERFORM reengage_internal.refuse_policy('holdout_percent', NEW.holdout_percent::text, 'It must be from 0 to 100.');
	END IF;
	IF greatest(NEW.cap_interval, NEW.minimum_gap) > now() - reengage_internal.start_of_day((SELECT max(p.day) FROM reengage.pruned_days p)::date + 1) THEN
		RAISE WARNING 'what was sent before % is not counted', (SELECT max(p.day) FROM reengage.pruned_days p)::date + 1
			USING DETAIL = 'Its lineage was pruned.';
	END IF;
	IF NEW.max_length < 1 THEN
		PERFORM reengage_internal.refuse_policy('max_length', NEW.max_length::text, 'It must be 1 or more.');
	END IF;
	IF NOT NEW.max_due BETWEEN 1 AND 1000000 THEN
		PERFORM reengage_internal.refuse_policy('max_due', NEW.max_due::text, 'It must be from 1 to 1000000.');
	END IF;
	IF NEW.max_due IS NOT NULL AND (NEW.campaign IS NOT NULL OR NEW.channel IS NOT NULL) THEN
		PERFORM reengage_internal.refuse_policy('max_due', NEW.max_due::text, 'It is about a server: campaign and channel must be null.');
	END IF;
	IF NOT NEW.max_per_minute BETWEEN 1 AND 1000000 THEN
		PERFORM reengage_internal.refuse_policy('max_per_minute', NEW.max_per_minute::text, 'It must be from 1 to 1000000.');
	END IF;
	IF NEW.max_per_minute IS NOT NULL AND (NEW.campaign IS NOT NULL OR NEW.channel IS NOT NULL) THEN
		PERFORM reengage_internal.refuse_policy('max_per_minute', NEW.max_per_minute::text, 'It is about a server: campaign and channel must be null.');
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION reengage_internal.policies_validate() IS 'refuses a policy that cannot be meant, naming the value';

CREATE TRIGGER validate BEFORE INSERT OR UPDATE ON reengage.policies
	FOR EACH ROW EXECUTE FUNCTION reengage_internal.policies_validate();

CREATE FUNCTION reengage_internal.policies_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
BEGIN
	INSERT INTO reengage.releases (server)
	SELECT s.server FROM (SELECT OLD.server UNION SELECT NEW.server) s WHERE s.server IS NOT NULL;
	PERFORM reengage_internal.wake('-infinity');
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION reengage_internal.policies_changed() IS
	'has the worker look again at what policies hold at the server';

CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON reengage.policies
	FOR EACH ROW EXECUTE FUNCTION reengage_internal.policies_changed();

/* src/sql/30_running.sql */

--
-- Running without a worker, and looking ahead.
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
	'the requests that a nudge would make, byte for byte, and when each is made; {...} stands for what only the check of the conversation can tell, whose channel is that of lineage, or else of the nudge; fault is why it would be refused instead, null: it would be sent, as far as opt-outs, answers, policies and the time let it; nothing is sent';

CREATE FUNCTION reengage.preflight(server text, conversation_id text DEFAULT NULL)
RETURNS TABLE (step integer, check_name text, state text, detail text, remedy text)
LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off
AS 'MODULE_PATHNAME', 'reengage_preflight';
COMMENT ON FUNCTION reengage.preflight(text, text) IS
	'what a call to this server would meet, check by check: ok, failed with a remedy, or skipped with the reason; looks at the conversation, or at one of a random id; sends no message';

CREATE FUNCTION reengage_internal.worker_state(
	OUT preloaded boolean, OUT listed boolean, OUT state text, OUT pid integer,
	OUT since timestamptz, OUT in_flight integer, OUT ended bigint,
	OUT restarts integer, OUT message text,
	OUT outcomes_locked integer, OUT outcomes_refused integer, OUT outcomes_since timestamptz,
	OUT courier_pid integer, OUT pruned_at timestamptz, OUT prunes_from timestamptz)
LANGUAGE C STRICT VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_worker_state';
COMMENT ON FUNCTION reengage_internal.worker_state() IS
	'what shared memory knows of this database''s worker, and of the courier of whoever dispatches';

CREATE FUNCTION reengage_internal.workers(OUT database text, OUT state text) RETURNS SETOF record
LANGUAGE C STRICT VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_workers';
COMMENT ON FUNCTION reengage_internal.workers() IS
	'the databases that reengage.databases lists, and what their workers are doing';

/* src/sql/31_doubts.sql */

--
-- What may or may not have had its effect, and how operators settle it.
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

CREATE FUNCTION reengage_internal.ask_again(nudge_id uuid) RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	id uuid := reengage.uuid_v7();
BEGIN
	IF EXISTS (SELECT FROM reengage.nudges n WHERE n.nudge_id = ask_again.nudge_id AND n.message = reengage_internal.erased()) THEN
		RAISE EXCEPTION 'nudge % cannot be asked for again', nudge_id
			USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = 'Its customer was forgotten, and its message erased.';
	END IF;
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
COMMENT ON FUNCTION reengage_internal.ask_again(uuid) IS
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
	RETURN reengage_internal.ask_again(nudge_id);
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
	tips text[];
	locked text[];
BEGIN
	IF said IS NULL THEN
		RAISE EXCEPTION 'invalid verdict: "%"', reengage_internal.shown(verdict)
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
	IF NOT reengage_internal.is_conversation_id(conversation_id) OR conversation_id = doubt.conversation_id THEN
		RAISE EXCEPTION 'invalid conversation_id: "%"', reengage_internal.shown(conversation_id)
			USING ERRCODE = 'invalid_parameter_value';
	END IF;

	-- Whoever else writes what follows one of the two tips, the worker or another
	-- resolve(), has committed, or leaves it for later: two that do not see each
	-- other would close a ring.
	IF created THEN
		PERFORM reengage_internal.require_read_committed('a session cannot be put into its thread');
		LOOP
			tips := ARRAY(SELECT t.tip FROM reengage_internal.locate(doubt.server, resolve.conversation_id) t
						  UNION SELECT doubt.conversation_id ORDER BY 1);
			EXIT WHEN tips = locked;
			PERFORM reengage_internal.lock('tip', doubt.server, t.tip) FROM unnest(tips) AS t (tip);
			locked := tips;
		END LOOP;
	END IF;

	-- an API may have continued an older conversation of the thread, or one that
	-- leads to it by now: no ring
	created := created AND conversation_id <> doubt.root_conversation_id AND NOT EXISTS (
		SELECT FROM reengage.lineage l
		WHERE l.server = doubt.server AND l.root_conversation_id = doubt.root_conversation_id
		  AND l.conversation_id = resolve.conversation_id)
		AND NOT EXISTS (
		SELECT FROM reengage.past_sessions p
		WHERE p.server = doubt.server AND p.root_conversation_id = doubt.root_conversation_id
		  AND p.conversation_id = resolve.conversation_id)
		AND NOT EXISTS (
		WITH RECURSIVE later (id) AS (
			SELECT resolve.conversation_id
			UNION
			SELECT s.id FROM later CROSS JOIN LATERAL (
				SELECT l.conversation_id AS id FROM reengage_internal.sessions l
				WHERE l.server = doubt.server AND l.previous_conversation_id = later.id
				OFFSET 0) s)
		SELECT FROM later WHERE later.id = doubt.conversation_id);

	-- of lineage the unique index knows
	IF created AND EXISTS (
		SELECT FROM reengage.past_sessions p
		WHERE p.server = doubt.server AND p.previous_conversation_id = doubt.conversation_id) THEN
		RAISE EXCEPTION 'conversation "%" has a successor already', doubt.conversation_id
			USING ERRCODE = 'unique_violation',
				  HINT = 'Resolve it as not_sent, or with the conversation that is its successor: reengage.thread() shows it.';
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

	INSERT INTO reengage.tally_changes (nudges, server, campaign, requested_by, state, reason)
	SELECT c.nudges, n.server, n.campaign, n.requested_by, c.state, c.reason
	FROM reengage.nudges n CROSS JOIN (VALUES (-1, 'in_doubt', doubt.reason), (1, said, verdict)) AS c (nudges, state, reason)
	WHERE n.nudge_id = doubt.nudge_id;

	IF verdict = 'resend' THEN
		RAISE NOTICE 'asked again as nudge %', reengage_internal.ask_again(doubt.nudge_id);
	END IF;
	-- what the doubt held back can go on
	INSERT INTO reengage.releases (server) VALUES (doubt.server);
	PERFORM reengage_internal.wake(now());
	RETURN result;
END
$$;
COMMENT ON FUNCTION reengage.resolve(uuid, text, text) IS
	'settles a row in doubt: sent (with the conversation that was created, if it was a create), not_sent, or resend (not sent, and asked again as a new nudge); returns the row of lineage that says so; of a conversation use READ COMMITTED, and commit soon: what may follow it rests until then';

/* src/sql/32_status.sql */

--
-- Where each nudge stands.
--
-- Newest first, and what belongs to a nudge is looked up for each one that is shown:
-- of a barrier that a join is behind, a planner makes all rows, to sort them.
CREATE VIEW reengage.nudge_status WITH (security_barrier) AS
SELECT n.nudge_id, n.server, n.conversation_id AS requested_conversation_id, n.campaign,
	CASE
		WHEN l.outcome IS NOT NULL THEN l.outcome
		WHEN n.nudge_id IN (SELECT pg_catalog.unnest(i.nudge_ids) FROM reengage.intents i) THEN 'calling'
		ELSE 'due'
	END AS state,
	CASE
		WHEN l.outcome IS NOT NULL THEN l.reason
		WHEN (SELECT reengage_internal.fence_complaint()) IS NOT NULL THEN (SELECT reengage_internal.fence_complaint())
		WHEN p.server IS NOT NULL OR s.reason IS NOT NULL THEN pg_catalog.concat_ws('; ',
			'server paused by ' || p.paused_by || coalesce(': ' || p.reason, ''),
			pg_catalog.format('server %s: ', s.state) || s.reason || coalesce(', not before ' || s.until, '')
			|| CASE WHEN s.detail IS NOT NULL THEN '; an operator sees why in reengage.health' ELSE '' END)
		WHEN d.nudge_id IS NULL THEN 'it has neither an outcome nor a place in the schedule: whether it was sent, an operator has to say, by reengage.arm(missing => ...)'
		WHEN d.hold IS NOT NULL THEN d.hold_reason
		WHEN d.due_at > pg_catalog.now() THEN 'its time'
		ELSE coalesce(
			reengage_internal.locked_by(d.locker, n.nudge_id, n.server, d.requested_by, n.campaign, n.conversation_id, d.address_hash),
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
	LEFT JOIN LATERAL (
		SELECT *, d.xmax AS locker FROM reengage.due d WHERE d.nudge_id = n.nudge_id OFFSET 0) d ON true
	LEFT JOIN reengage.server_state s ON s.server = n.server AND s.state <> 'attention'
	LEFT JOIN reengage.pauses p ON p.server = n.server
	LEFT JOIN LATERAL (
		SELECT * FROM (SELECT * FROM reengage.lineage l WHERE l.nudge_id = n.nudge_id OFFSET 0) l
		ORDER BY l.lineage_id DESC LIMIT 1) l ON true
WHERE n.requested_by = current_user
   OR (SELECT pg_catalog.pg_has_role('reengage_operator', 'USAGE'))
   OR (SELECT pg_catalog.pg_has_role('reengage_reader', 'USAGE'))
ORDER BY n.nudge_id DESC;
COMMENT ON VIEW reengage.nudge_status IS
	'where each nudge stands and why, the newest first; an application sees its own';
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

-- Found by the schedule, and not by what was ever asked for: in two parts, so that
-- who asks for one state reads only that.
CREATE VIEW reengage.open_nudges WITH (security_barrier) AS
SELECT o.nudge_id, s.server, s.requested_conversation_id, s.campaign, o.state, s.reason, s.next_attempt_at, s.attempts,
	s.requested_by, s.requested_at
FROM (
	SELECT o.nudge_id, o.state FROM (
		(SELECT d.nudge_id, d.requested_by, 'calling' AS state FROM reengage.due d
		 WHERE d.nudge_id = ANY (ARRAY(SELECT pg_catalog.unnest(i.nudge_ids) FROM reengage.intents i))
		 ORDER BY d.nudge_id DESC)
		UNION ALL
		(SELECT d.nudge_id, d.requested_by, 'due' FROM reengage.due d
		 WHERE d.nudge_id NOT IN (SELECT pg_catalog.unnest(i.nudge_ids) FROM reengage.intents i)
		 ORDER BY d.nudge_id DESC)) o
	WHERE o.requested_by = current_user
	   OR (SELECT pg_catalog.pg_has_role('reengage_operator', 'USAGE'))
	   OR (SELECT pg_catalog.pg_has_role('reengage_reader', 'USAGE'))
	ORDER BY o.nudge_id DESC) o
	CROSS JOIN LATERAL (
		SELECT * FROM reengage.nudge_status s WHERE s.nudge_id = o.nudge_id AND s.ended_at IS NULL OFFSET 0) s
ORDER BY o.nudge_id DESC;
COMMENT ON VIEW reengage.open_nudges IS
	'what has not ended, of nudge_status, the newest first: the same is found there, but among all that was ever asked for; an application sees its own';
COMMENT ON COLUMN reengage.open_nudges.nudge_id IS 'the nudge';
COMMENT ON COLUMN reengage.open_nudges.server IS 'the foreign server';
COMMENT ON COLUMN reengage.open_nudges.requested_conversation_id IS 'the conversation that the nudge named';
COMMENT ON COLUMN reengage.open_nudges.campaign IS 'as the nudge said';
COMMENT ON COLUMN reengage.open_nudges.state IS 'due, or calling (a POST may be on the wire)';
COMMENT ON COLUMN reengage.open_nudges.reason IS 'what it waits for';
COMMENT ON COLUMN reengage.open_nudges.next_attempt_at IS 'the earliest time of the next attempt';
COMMENT ON COLUMN reengage.open_nudges.attempts IS 'attempts made';
COMMENT ON COLUMN reengage.open_nudges.requested_by IS 'who asked';
COMMENT ON COLUMN reengage.open_nudges.requested_at IS 'when';

/* src/sql/33_threads.sql */

--
-- The story of a conversation and what followed it.
--
-- A thread stands for itself by its newest row, so that the newest threads are found
-- without a look at the others.  Whether there is a newer row is answered from the
-- thread's end, where it is.
CREATE VIEW reengage.threads AS
SELECT l.server, l.root_conversation_id, t.tip_conversation_id, t.generations, t.nudges, l.outcome AS last_outcome,
	t.api_calls, t.api_calls_saved, t.first_at, t.last_at, l.lineage_id AS last_lineage_id
FROM reengage.lineage l CROSS JOIN LATERAL (
	SELECT (pg_catalog.array_agg(r.conversation_id ORDER BY r.generation DESC, r.lineage_id DESC))[1] AS tip_conversation_id,
		pg_catalog.max(r.generation) AS generations,
		pg_catalog.count(DISTINCT r.nudge_id) AS nudges,
		pg_catalog.sum(r.api_calls) AS api_calls,
		pg_catalog.sum(r.api_calls_saved) AS api_calls_saved,
		pg_catalog.min(r.occurred_at) AS first_at,
		pg_catalog.max(r.occurred_at) AS last_at
	FROM reengage.lineage r
	WHERE r.root_conversation_id = l.root_conversation_id AND r.server = l.server) t
WHERE coalesce((SELECT false FROM reengage.lineage r
	   WHERE r.root_conversation_id = l.root_conversation_id AND r.server = l.server AND r.lineage_id > l.lineage_id
	   ORDER BY r.generation DESC LIMIT 1), true);
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
COMMENT ON COLUMN reengage.threads.last_lineage_id IS 'the newest row of lineage, and so ordered by time: what to order threads by';

CREATE FUNCTION reengage_internal.find_threads(conversation_id text, server text)
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
		WHERE hashtextextended(l.conversation_id, 0) = hashtextextended($1, 0)
		  AND l.conversation_id = $1 AND l.generation > 0 AND ($2 IS NULL OR l.server = $2)
		UNION
		SELECT p.server, p.root_conversation_id FROM reengage.past_sessions p
		WHERE p.root_conversation_id = $1 AND ($2 IS NULL OR p.server = $2)
		UNION
		SELECT p.server, p.root_conversation_id FROM reengage.past_sessions p
		WHERE hashtextextended(p.conversation_id, 0) = hashtextextended($1, 0)
		  AND p.conversation_id = $1 AND ($2 IS NULL OR p.server = $2);
	IF NOT FOUND THEN
		RAISE EXCEPTION 'conversation "%" is in no thread', left($1, 200)
			USING ERRCODE = 'no_data_found',
				  DETAIL = format('There is no lineage of it%s.', ' on server "' || $2 || '"'),
				  HINT = 'A nudge that has not ended has no lineage yet: see reengage.nudge_status. Ids are told apart by upper and lower case.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.find_threads(text, text) IS
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
	FROM reengage_internal.find_threads($1, $2) t CROSS JOIN LATERAL (
		SELECT l.server, l.generation, l.occurred_at, l.outcome, l.reason, l.conversation_id, l.previous_conversation_id,
			l.status_seen, l.campaign, l.api_calls, l.nudge_id, l.lineage_id
		FROM reengage.lineage l
		WHERE l.root_conversation_id = t.root_conversation_id AND l.server = t.thread_server
		UNION ALL
		SELECT p.server, p.generation, p.occurred_at, 'session_created', 'pruned', p.conversation_id, p.previous_conversation_id,
			NULL, NULL, NULL, NULL, p.lineage_id
		FROM reengage.past_sessions p
		WHERE p.root_conversation_id = t.root_conversation_id AND p.server = t.thread_server OFFSET 0) l
	ORDER BY l.server, l.occurred_at, l.lineage_id
$$;
COMMENT ON FUNCTION reengage.thread(text, text) IS
	'the story of the thread that a conversation belongs to, in order; of what was pruned only which session followed which (reason pruned); without a server: of every server that knows the conversation';

CREATE FUNCTION reengage_internal.diagram_text(words text, format text) RETURNS text
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
COMMENT ON FUNCTION reengage_internal.diagram_text(text, text) IS 'words as they stand between quotes in a diagram';

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
	PERFORM reengage_internal.find_threads($1, $3);
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
		SELECT c.server, c.n, reengage_internal.diagram_text(c.id, $2) || coalesce(o.text, '') AS label
		FROM conversations c LEFT JOIN (
			SELECT o.server, o.id,
				string_agg(line_break || reengage_internal.diagram_text(o.line, $2), '' ORDER BY o.place, o.line COLLATE "C") AS text
			FROM (TABLE lines UNION ALL TABLE endings) o
			GROUP BY o.server, o.id) o ON o.server = c.server AND o.id = c.id
	), frames AS (
		SELECT reengage_internal.diagram_text(b.server || ', times in UTC', $2) AS label, min(b.n) AS first, string_agg(
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
			CROSS JOIN LATERAL (SELECT reengage_internal.diagram_text(s.what, $2) || line_break || s.at) a (label)
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

/* src/sql/34_counts.sql */

--
-- How many nudges stand where: exact, and without counting them.
--
-- What is not in the sums: changes that are to be added, and what is in flight.
CREATE VIEW reengage_internal.unsummed AS
SELECT t.server, t.campaign, t.requested_by, t.state, t.reason, t.nudges FROM reengage.tally_changes t
UNION ALL
SELECT n.server, n.campaign, n.requested_by, s.state, s.reason, s.nudges
FROM (SELECT DISTINCT pg_catalog.unnest(i.nudge_ids) AS nudge_id FROM reengage.intents i) i
	CROSS JOIN LATERAL (SELECT d.hold FROM reengage.due d WHERE d.nudge_id = i.nudge_id OFFSET 0) d
	CROSS JOIN LATERAL (SELECT n.* FROM reengage.nudges n WHERE n.nudge_id = i.nudge_id OFFSET 0) n
	CROSS JOIN LATERAL (VALUES ('due', d.hold, -1), ('calling', NULL, 1)) AS s (state, reason, nudges);
COMMENT ON VIEW reengage_internal.unsummed IS
	'what tallies and tally_totals do not have yet: several numbers for one state, which may be negative';
COMMENT ON COLUMN reengage_internal.unsummed.server IS 'as in nudge_counts';
COMMENT ON COLUMN reengage_internal.unsummed.campaign IS 'as in nudge_counts';
COMMENT ON COLUMN reengage_internal.unsummed.requested_by IS 'as in nudge_counts';
COMMENT ON COLUMN reengage_internal.unsummed.state IS 'as in nudge_counts';
COMMENT ON COLUMN reengage_internal.unsummed.reason IS 'as in nudge_counts';
COMMENT ON COLUMN reengage_internal.unsummed.nudges IS 'so many more; negative: fewer';

-- As many rows as there are sums, and what is not in them, however much is due.
CREATE VIEW reengage_internal.counted_nudges AS
SELECT c.server, c.campaign, c.requested_by, c.state, c.reason, c.nudges
FROM (
	SELECT t.server, t.campaign, t.requested_by, t.state, t.reason, t.nudges FROM reengage.tallies t
	UNION ALL
	SELECT u.server, u.campaign, u.requested_by, u.state, u.reason, u.nudges FROM reengage_internal.unsummed u) c
WHERE c.requested_by = current_user
   OR (SELECT pg_catalog.pg_has_role('reengage_operator', 'USAGE'))
   OR (SELECT pg_catalog.pg_has_role('reengage_reader', 'USAGE'));
COMMENT ON VIEW reengage_internal.counted_nudges IS
	'the numbers that make up nudge_counts: several for one state, which may be negative; an application sees its own';
COMMENT ON COLUMN reengage_internal.counted_nudges.server IS 'as in nudge_counts';
COMMENT ON COLUMN reengage_internal.counted_nudges.campaign IS 'as in nudge_counts';
COMMENT ON COLUMN reengage_internal.counted_nudges.requested_by IS 'as in nudge_counts';
COMMENT ON COLUMN reengage_internal.counted_nudges.state IS 'as in nudge_counts';
COMMENT ON COLUMN reengage_internal.counted_nudges.reason IS 'as in nudge_counts';
COMMENT ON COLUMN reengage_internal.counted_nudges.nudges IS 'so many more; negative: fewer';

-- For who sees all: as many rows as there are servers and states, however many campaigns.
CREATE VIEW reengage_internal.counted_by_server AS
SELECT c.server, c.state, c.reason, pg_catalog.sum(c.nudges)::bigint AS nudges
FROM (
	SELECT t.server, t.state, t.reason, t.nudges FROM reengage.tally_totals t
	UNION ALL
	SELECT u.server, u.state, u.reason, u.nudges FROM reengage_internal.unsummed u) c
GROUP BY c.server, c.state, c.reason;
COMMENT ON VIEW reengage_internal.counted_by_server IS
	'nudge_counts of all campaigns and roles together, which may be 0; a part of the view metrics';
COMMENT ON COLUMN reengage_internal.counted_by_server.server IS 'as in nudge_counts';
COMMENT ON COLUMN reengage_internal.counted_by_server.state IS 'as in nudge_counts';
COMMENT ON COLUMN reengage_internal.counted_by_server.reason IS 'as in nudge_counts';
COMMENT ON COLUMN reengage_internal.counted_by_server.nudges IS 'their number';

CREATE VIEW reengage.nudge_counts WITH (security_barrier) AS
SELECT c.server, c.campaign, c.requested_by, c.state, c.reason, pg_catalog.sum(c.nudges)::bigint AS nudges
FROM reengage_internal.counted_nudges c
GROUP BY c.server, c.campaign, c.requested_by, c.state, c.reason
HAVING pg_catalog.sum(c.nudges) <> 0;
COMMENT ON VIEW reengage.nudge_counts IS
	'how many nudges are in each state of nudge_status, exact, from counters: it costs the same however many there are; an application sees its own';
COMMENT ON COLUMN reengage.nudge_counts.server IS 'the foreign server';
COMMENT ON COLUMN reengage.nudge_counts.campaign IS 'as the nudges said';
COMMENT ON COLUMN reengage.nudge_counts.requested_by IS 'who asked';
COMMENT ON COLUMN reengage.nudge_counts.state IS 'due, calling (a POST may be on the wire), or the outcome';
COMMENT ON COLUMN reengage.nudge_counts.reason IS 'of those that are due, what holds them, as in due.hold (null: nothing but their time or turn); of the others, why they ended so';
COMMENT ON COLUMN reengage.nudge_counts.nudges IS 'their number';

CREATE FUNCTION reengage_internal.due_now(server text, campaign text, due bigint, asker text, calling uuid[]) RETURNS bigint
LANGUAGE C STABLE
AS 'MODULE_PATHNAME', 'reengage_due_now';
COMMENT ON FUNCTION reengage_internal.due_now(text, text, bigint, text, uuid[]) IS
	'of so many nudges of a campaign that are due at a server, of that role or of all (null), those whose time has come, without those on the wire; null: as in campaign_status';

-- The newest rows of lineage, no more than are looked at in some milliseconds.
CREATE VIEW reengage_internal.recent_ends AS
SELECT r.server, coalesce(r.campaign, '') AS campaign,
	pg_catalog.count(*) / r.minutes AS ended_per_minute,
	pg_catalog.count(*) FILTER (WHERE r.outcome IN ('notified', 'session_created', 'session_continued', 'resolved_sent')) / r.minutes AS sent_per_minute
FROM (
	SELECT l.server, l.campaign, l.outcome, l.nudge_id,
		CASE WHEN pg_catalog.count(*) OVER () < 1000 THEN 5
			ELSE greatest(extract(epoch FROM pg_catalog.statement_timestamp() - pg_catalog.min(l.recorded_at) OVER ()), 1) / 60 END AS minutes
	FROM (
		SELECT l.* FROM reengage.lineage l
		WHERE l.lineage_id >= reengage.first_id(pg_catalog.statement_timestamp() - interval '5 minutes')
		  AND l.recorded_at > pg_catalog.statement_timestamp() - interval '5 minutes'
		ORDER BY l.lineage_id DESC LIMIT 1000) l) r
WHERE r.outcome <> 'imported' AND ((SELECT pg_catalog.pg_has_role('reengage_operator', 'USAGE'))
   OR (SELECT pg_catalog.pg_has_role('reengage_reader', 'USAGE'))
   OR (SELECT n.requested_by FROM reengage.nudges n WHERE n.nudge_id = r.nudge_id) = current_user)
GROUP BY r.server, coalesce(r.campaign, ''), r.minutes;
COMMENT ON VIEW reengage_internal.recent_ends IS
	'how fast nudges of a campaign ended within the last five minutes, or among the newest 1000 rows of lineage; an application sees its own';
COMMENT ON COLUMN reengage_internal.recent_ends.server IS 'the foreign server';
COMMENT ON COLUMN reengage_internal.recent_ends.campaign IS 'the campaign, empty: without one';
COMMENT ON COLUMN reengage_internal.recent_ends.ended_per_minute IS 'nudges that ended, however';
COMMENT ON COLUMN reengage_internal.recent_ends.sent_per_minute IS 'those of them whose customer was spoken to';

CREATE VIEW reengage.campaign_status WITH (security_barrier) AS
SELECT c.campaign, c.server, c.asked, c.due, t.due_now, c.due - t.due_now AS scheduled, c.held, c.calling, c.sent, c.in_doubt, c.not_sent,
	c.held_by, c.why_not,
	pg_catalog.round(coalesce(r.sent_per_minute, 0), 1) AS sent_per_minute,
	CASE WHEN t.due_now > 0 THEN pg_catalog.statement_timestamp() + interval '1 minute' * (t.due_now / r.ended_per_minute)::double precision END AS expected_end
FROM (
	SELECT s.campaign, s.server,
		pg_catalog.sum(s.nudges)::bigint AS asked,
		coalesce(pg_catalog.sum(s.nudges) FILTER (WHERE s.class = 'due'), 0)::bigint AS due,
		coalesce(pg_catalog.sum(s.nudges) FILTER (WHERE s.class = 'held'), 0)::bigint AS held,
		coalesce(pg_catalog.sum(s.nudges) FILTER (WHERE s.class = 'calling'), 0)::bigint AS calling,
		coalesce(pg_catalog.sum(s.nudges) FILTER (WHERE s.class = 'sent'), 0)::bigint AS sent,
		coalesce(pg_catalog.sum(s.nudges) FILTER (WHERE s.class = 'in_doubt'), 0)::bigint AS in_doubt,
		coalesce(pg_catalog.sum(s.nudges) FILTER (WHERE s.class = 'not_sent'), 0)::bigint AS not_sent,
		pg_catalog.string_agg(s.reason || ' ' || s.nudges, ', ' ORDER BY s.nudges DESC, s.reason) FILTER (WHERE s.class = 'held') AS held_by,
		pg_catalog.string_agg(s.state || coalesce(' (' || s.reason || ')', '') || ' ' || s.nudges, ', ' ORDER BY s.nudges DESC, s.state, s.reason)
			FILTER (WHERE s.class IN ('in_doubt', 'not_sent')) AS why_not
	FROM (
		SELECT c.campaign, c.server, c.state, c.reason, pg_catalog.sum(c.nudges) AS nudges,
			CASE
				WHEN c.state = 'due' AND c.reason IS NOT NULL THEN 'held'
				WHEN c.state IN ('due', 'calling', 'in_doubt') THEN c.state
				-- as outcome_list.h has them
				WHEN c.state IN ('notified', 'session_created', 'session_continued', 'resolved_sent') THEN 'sent'
				ELSE 'not_sent'
			END AS class
		FROM reengage_internal.counted_nudges c
		GROUP BY c.campaign, c.server, c.state, c.reason
		HAVING pg_catalog.sum(c.nudges) <> 0) s
	GROUP BY s.campaign, s.server) c
	LEFT JOIN (SELECT r.server, r.campaign, pg_catalog.sum(r.sent_per_minute) AS sent_per_minute, pg_catalog.sum(r.ended_per_minute) AS ended_per_minute
			   FROM reengage_internal.recent_ends r GROUP BY r.server, r.campaign) r
		ON r.server = c.server AND r.campaign = coalesce(c.campaign, '')
	-- by itself, or it would be asked for each column that shows it
	CROSS JOIN LATERAL (
		SELECT CASE WHEN c.due = 0 THEN 0 ELSE reengage_internal.due_now(c.server, c.campaign, c.due,
			(SELECT CASE WHEN NOT pg_catalog.pg_has_role('reengage_operator', 'USAGE') AND NOT pg_catalog.pg_has_role('reengage_reader', 'USAGE') THEN current_user END),
			ARRAY(SELECT pg_catalog.unnest(i.nudge_ids) FROM reengage.intents i)) END AS due_now OFFSET 0) t;
COMMENT ON VIEW reengage.campaign_status IS
	'how far each campaign is at each server, exact, from the counters of nudge_counts; an application sees its own';
COMMENT ON COLUMN reengage.campaign_status.campaign IS 'as the nudges said';
COMMENT ON COLUMN reengage.campaign_status.server IS 'the foreign server';
COMMENT ON COLUMN reengage.campaign_status.asked IS 'nudges that were asked for: the sum of due, held, calling, sent, in_doubt and not_sent';
COMMENT ON COLUMN reengage.campaign_status.due IS 'wait for nothing but their time or their turn';
COMMENT ON COLUMN reengage.campaign_status.due_now IS 'those of due whose time has come; null: more than 2500 nudges of the server wait for their time, and as many for their turn, or one look at many servers has found 10000';
COMMENT ON COLUMN reengage.campaign_status.scheduled IS 'those of due whose time is still to come; null: as due_now';
COMMENT ON COLUMN reengage.campaign_status.held IS 'wait for something else, which held_by tells';
COMMENT ON COLUMN reengage.campaign_status.calling IS 'a POST may be on the wire';
COMMENT ON COLUMN reengage.campaign_status.sent IS 'the customer was spoken to';
COMMENT ON COLUMN reengage.campaign_status.in_doubt IS 'it is not known whether the customer was';
COMMENT ON COLUMN reengage.campaign_status.not_sent IS 'ended otherwise, which why_not tells';
COMMENT ON COLUMN reengage.campaign_status.held_by IS 'the codes of due.hold, each with a number';
COMMENT ON COLUMN reengage.campaign_status.why_not IS 'outcomes that are not sent, each with its reason and a number';
COMMENT ON COLUMN reengage.campaign_status.sent_per_minute IS 'how fast: within the last five minutes, or among the newest 1000 rows of lineage';
COMMENT ON COLUMN reengage.campaign_status.expected_end IS 'when due_now will be 0, if as many go on to end per minute; null: none is, or none has ended lately';

/* src/sql/35_retention.sql */

--
-- Keeping it small: what is old goes, as a whole, in short transactions.
--
CREATE FUNCTION reengage_internal.retention() RETURNS interval
LANGUAGE C STABLE STRICT SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_retention_sql';
COMMENT ON FUNCTION reengage_internal.retention() IS 'the setting reengage.retention; 0: nothing goes by itself';

CREATE FUNCTION reengage_internal.tombstone_retention() RETURNS interval
LANGUAGE C STABLE STRICT SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_tombstone_retention_sql';
COMMENT ON FUNCTION reengage_internal.tombstone_retention() IS 'the setting reengage.tombstone_retention; 0: ids are kept for ever';

-- As caps have it, a month has 30 days; a calendar's may be shorter.
CREATE FUNCTION reengage_internal.longest_memory(OUT server text, OUT of_column text, OUT lasts interval)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT p.server, m.of_column, make_interval(secs => extract(epoch FROM m.lasts)::double precision)
	FROM reengage.policies p CROSS JOIN LATERAL (VALUES ('cap_interval', p.cap_interval), ('minimum_gap', p.minimum_gap)) AS m (of_column, lasts)
	WHERE m.lasts IS NOT NULL ORDER BY m.lasts DESC, p.server LIMIT 1
$$;
COMMENT ON FUNCTION reengage_internal.longest_memory() IS
	'how far back policies look at what a customer was sent, and the one that looks furthest; null: none does';

CREATE FUNCTION reengage_internal.kept_since(keep interval) RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	-- by whole days
	SELECT CASE WHEN keep > interval '0' THEN reengage_internal.start_of_day(((now() - make_interval(secs => greatest(
		extract(epoch FROM keep), 86400, (SELECT extract(epoch FROM m.lasts) FROM reengage_internal.longest_memory() m))::double precision))
		AT TIME ZONE 'UTC')::date) ELSE '-infinity' END
$$;
COMMENT ON FUNCTION reengage_internal.kept_since(interval) IS
	'what was recorded before this midnight in UTC may go, where so much is to be kept (null, or 0: everything); what policies look back for stays in any case';

CREATE FUNCTION reengage_internal.day_to_close(keep interval) RETURNS date
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT d.day FROM reengage_internal.day_without_manifest() AS d (day)
	WHERE reengage_internal.start_of_day(d.day) < reengage_internal.kept_since(keep)
$$;
COMMENT ON FUNCTION reengage_internal.day_to_close(interval) IS
	'the first day of which something may go, as soon as the manifest has counted it; null: there is none';

-- Of a clock that was wrong when the worker started nothing else tells.  What was
-- recorded within a day may have been recorded by it.  Where truly nothing was, what is
-- old waits for another day.
CREATE FUNCTION reengage_internal.clock_is_doubtful() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT reengage_internal.recorded_after('-infinity', now() - interval '8 days') IS NOT NULL
		AND reengage_internal.recorded_after(now() - interval '8 days', now() - interval '1 day') IS NULL
$$;
COMMENT ON FUNCTION reengage_internal.clock_is_doubtful() IS
	'whether lineage ends more than a week ago, but for the last day: the clock may have been set forward while nobody watched it';

CREATE FUNCTION reengage_internal.require_keep(keep interval, max_nudges bigint) RETURNS interval
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	kept interval := coalesce(keep, reengage_internal.retention());
	needed record;
BEGIN
	PERFORM reengage_internal.require_writable('cannot prune on');
	IF max_nudges < 1 THEN
		RAISE EXCEPTION 'invalid max_nudges: %', max_nudges
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It must be 1 or more.';
	END IF;
	IF keep IS NULL AND kept = interval '0' THEN
		RAISE EXCEPTION 'keep must be given, as reengage.retention is 0'
			USING ERRCODE = 'null_value_not_allowed',
				  HINT = 'Say how much is to stay: CALL reengage.prune(keep => ''400 days'');';
	END IF;
	-- as kept_since() has it: intervals themselves are compared with years of 360 days
	IF extract(epoch FROM kept) < 86400 OR extract(epoch FROM kept) > 86400.0 * 36525 THEN
		RAISE EXCEPTION 'invalid keep: %', kept
			USING ERRCODE = 'invalid_parameter_value', DETAIL = 'It must be from a day to 100 years.';
	END IF;
	SELECT * INTO needed FROM reengage_internal.longest_memory();
	IF extract(epoch FROM kept) < extract(epoch FROM needed.lasts) THEN
		RAISE EXCEPTION 'keep is %, and a policy looks back for %', kept, justify_hours(needed.lasts)
			USING ERRCODE = 'invalid_parameter_value',
				  DETAIL = format('It is the %s of a policy of server "%s": without these rows customers would be written to more often than it allows.',
								  needed.of_column, needed.server),
				  HINT = 'Keep at least as much, or shorten the policy first.';
	END IF;
	RETURN kept;
END
$$;
COMMENT ON FUNCTION reengage_internal.require_keep(interval, bigint) IS
	'the arguments of prune(): how much is to be kept; null: as reengage.retention says; an error if that is less than a day, or than what policies look back for';

-- Some rows at a time: they are kept until all are read.
CREATE FUNCTION reengage_internal.recorded(since timestamptz, upto timestamptz) RETURNS SETOF reengage.lineage
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
AS $$
	SELECT l.* FROM reengage.lineage l
	WHERE l.lineage_id >= reengage.first_id(since - interval '0.2 s') AND l.lineage_id < reengage.first_id(upto + interval '0.2 s')
	  AND l.recorded_at >= since AND l.recorded_at < upto AND reengage_internal.id_tells(l.lineage_id, l.recorded_at)
	UNION ALL
	SELECT l.* FROM reengage.lineage l
	WHERE l.recorded_at >= since AND l.recorded_at < upto AND NOT reengage_internal.id_tells(l.lineage_id, l.recorded_at)
$$;
COMMENT ON FUNCTION reengage_internal.recorded(timestamptz, timestamptz) IS
	'the rows of lineage that were recorded in a period: those whose ids tell so, and the others';

-- Of nudges whose outcomes were recorded in a period, those that nothing needs any more.
CREATE FUNCTION reengage_internal.prunable(since timestamptz, upto timestamptz, before timestamptz) RETURNS uuid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
	SELECT array_agg(c.nudge_id ORDER BY c.nudge_id)
	FROM (SELECT DISTINCT l.nudge_id
		  FROM reengage_internal.recorded(since, upto) l
		  WHERE l.nudge_id IS NOT NULL) c
	WHERE NOT EXISTS (
			SELECT FROM reengage.lineage l
			WHERE l.nudge_id = c.nudge_id AND (l.recorded_at >= before
				-- it is of another day, which the manifest does not know yet
				OR (NOT (l.recorded_at >= since AND l.recorded_at < upto) AND NOT EXISTS (
					SELECT FROM reengage.lineage_manifest m WHERE m.day = to_char(l.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') OFFSET 0))
				-- somebody is to say whether it was sent
				OR (l.outcome = 'in_doubt' AND NOT EXISTS (SELECT FROM reengage.lineage r WHERE r.resolves = l.lineage_id OFFSET 0))
				-- the thread lives
				OR EXISTS (SELECT FROM reengage.nudges n
						   WHERE n.conversation_id = ANY (ARRAY[l.root_conversation_id, l.requested_conversation_id, l.previous_conversation_id, l.conversation_id])
							 AND n.server = l.server
							 AND EXISTS (SELECT FROM reengage.due d WHERE d.nudge_id = n.nudge_id OFFSET 0) OFFSET 0)) OFFSET 0)
	  AND NOT EXISTS (SELECT FROM reengage.due d WHERE d.nudge_id = c.nudge_id OFFSET 0)
	  AND NOT EXISTS (SELECT FROM reengage.unresolved u WHERE u.nudge_id = c.nudge_id OFFSET 0)
	  -- who asks once more for what it repeats must find it
	  AND NOT EXISTS (SELECT FROM reengage.nudges n
					  WHERE n.nudge_id = c.nudge_id AND EXISTS (SELECT FROM reengage.nudges o WHERE o.nudge_id = n.repeats OFFSET 0) OFFSET 0)
$$;
COMMENT ON FUNCTION reengage_internal.prunable(timestamptz, timestamptz, timestamptz) IS
	'of the nudges of which lineage has recorded something in a period, those that have ended for good before a time, and of whose threads nothing is due';

CREATE FUNCTION reengage_internal.prunable_imports(since timestamptz, upto timestamptz) RETURNS uuid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
	SELECT array_agg(l.lineage_id ORDER BY l.lineage_id)
	FROM reengage_internal.recorded(since, upto) l
	WHERE l.nudge_id IS NULL AND NOT EXISTS (
		SELECT FROM reengage.nudges n
		WHERE n.conversation_id = l.conversation_id AND n.server = l.server
		  AND EXISTS (SELECT FROM reengage.due d WHERE d.nudge_id = n.nudge_id OFFSET 0) OFFSET 0)
$$;
COMMENT ON FUNCTION reengage_internal.prunable_imports(timestamptz, timestamptz) IS
	'of the conversations that import_history() has brought in a period, as rows of lineage, those for which nothing is due';

CREATE FUNCTION reengage_internal.let_go(nudge_ids uuid[], imports uuid[], OUT nudges bigint, OUT lineage bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_bitmapscan = on SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
	WITH gone AS (
		DELETE FROM reengage.lineage l
		WHERE l.nudge_id = ANY (nudge_ids) OR l.lineage_id = ANY (imports)
		RETURNING l
	), asked AS (
		DELETE FROM reengage.nudges n WHERE n.nudge_id = ANY (nudge_ids)
		RETURNING n.nudge_id, n.server, n.campaign, n.requested_by
	), counted AS (
		INSERT INTO reengage.tally_changes (nudges, server, campaign, requested_by, state, reason)
		SELECT - count(*), a.server, a.campaign, a.requested_by, coalesce(e.outcome, 'due'), e.reason
		FROM asked a LEFT JOIN (
			SELECT DISTINCT ON ((g.l).nudge_id) (g.l).nudge_id, (g.l).outcome, (g.l).reason
			FROM gone g ORDER BY (g.l).nudge_id, (g.l).lineage_id DESC) e ON e.nudge_id = a.nudge_id
		GROUP BY a.server, a.campaign, a.requested_by, e.outcome, e.reason
	), tombstones AS (
		INSERT INTO reengage.pruned_nudges (nudge_id, day)
		SELECT i, (now() AT TIME ZONE 'UTC')::date FROM unnest(nudge_ids) AS i
		ON CONFLICT (nudge_id) DO NOTHING
	), links AS (
		INSERT INTO reengage.past_sessions AS p (lineage_id, occurred_at, generation, server, previous_conversation_id,
			conversation_id, root_conversation_id, named_by, address_hash)
		SELECT (g.l).lineage_id, coalesce((g.l).called_at, (g.l).occurred_at), (g.l).generation, (g.l).server, (g.l).previous_conversation_id,
			(g.l).conversation_id, (g.l).root_conversation_id, c.named_by, CASE WHEN c.named_by IS NOT NULL THEN (g.l).address_hash END
		FROM gone g LEFT JOIN asked a ON a.nudge_id = (g.l).nudge_id
			CROSS JOIN LATERAL (SELECT CASE WHEN (g.l).outcome = 'session_created' AND (g.l).reason IN ('named', 'joined_named')
									   THEN coalesce(a.requested_by, '') END AS named_by) c
		WHERE (g.l).previous_conversation_id IS NOT NULL
		ON CONFLICT (server, previous_conversation_id) WHERE previous_conversation_id IS NOT NULL DO NOTHING
	), days AS (
		INSERT INTO reengage.pruned_days AS d (day, row_count, digest, nudges, last_xact_id, pruned_at)
		SELECT to_char((g.l).recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), count(*), sum(reengage.lineage_digest(g.l)) % 9007199254740992,
			count(DISTINCT (g.l).nudge_id), max((g.l).xact_id), clock_timestamp()
		FROM gone g GROUP BY 1
		ON CONFLICT (day) DO UPDATE
		SET row_count = d.row_count + EXCLUDED.row_count, digest = (d.digest + EXCLUDED.digest) % 9007199254740992,
			nudges = d.nudges + EXCLUDED.nudges, last_xact_id = greatest(d.last_xact_id, EXCLUDED.last_xact_id), pruned_at = EXCLUDED.pruned_at
	)
	SELECT (SELECT count(*) FROM asked), (SELECT count(*) FROM gone) INTO nudges, lineage;
END
$$;
COMMENT ON FUNCTION reengage_internal.let_go(uuid[], uuid[]) IS
	'deletes nudges with their lineage, and rows of lineage without one, and writes down what has to be known of them; for whoever holds the lock';

-- A part is of one day, which the manifest has counted: so each day is what the
-- manifest says, less what pruned_days says.
CREATE FUNCTION reengage_internal.prune_part(keep interval, since timestamptz, at_most integer,
	OUT nudges bigint, OUT lineage bigint, OUT pruned_to timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET jit = off
AS $$
DECLARE
	before timestamptz := reengage_internal.kept_since(keep);
	of_day date;
BEGIN
	PERFORM reengage_internal.lock('retention', VARIADIC '{}');
	-- -infinity is of no day
	since := greatest(since, '0001-01-01 00:00+00');
	of_day := (reengage_internal.recorded_after(since, before) AT TIME ZONE 'UTC')::date;
	IF of_day IS NULL THEN
		RETURN;
	END IF;
	nudges := 0;
	lineage := 0;
	pruned_to := reengage_internal.start_of_day(of_day + 1);
	IF NOT EXISTS (SELECT FROM reengage.lineage_manifest m WHERE m.day = to_char(of_day, 'YYYY-MM-DD')) THEN
		RETURN;
	END IF;
	-- the rows of one instant stay together, however many they are
	pruned_to := coalesce(reengage_internal.recorded_after(since, pruned_to, at_most - 1) + interval '1 microsecond', pruned_to);
	SELECT g.nudges, g.lineage INTO nudges, lineage
	FROM reengage_internal.let_go(reengage_internal.prunable(since, pruned_to, before),
								  reengage_internal.prunable_imports(since, pruned_to)) g;
END
$$;
COMMENT ON FUNCTION reengage_internal.prune_part(interval, timestamptz, integer) IS
	'lets go of nudges and lineage that were recorded since a time, about so many rows, up to pruned_to; null: there are no more that may go now';

-- What is beside them: who changed what, imports, and ids that nobody will ask for again.
CREATE FUNCTION reengage_internal.prune_rest(keep interval, at_most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- imports are few; of the others what is old is found by its id or day
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	before timestamptz := reengage_internal.kept_since(keep);
	ids_before date := ((now() - nullif(reengage_internal.tombstone_retention(), interval '0')) AT TIME ZONE 'UTC')::date;
	deleted bigint;
	gone bigint := 0;
BEGIN
	PERFORM reengage_internal.lock('retention', VARIADIC '{}');
	DELETE FROM reengage.changes c WHERE c.ctid = ANY (ARRAY(
		SELECT o.ctid FROM reengage.changes o
		WHERE o.change_id < reengage.first_id(before) AND o.changed_at < before LIMIT at_most));
	GET DIAGNOSTICS deleted = ROW_COUNT;
	gone := gone + deleted;
	DELETE FROM reengage.import_rejects r WHERE r.ctid = ANY (ARRAY(
		SELECT o.ctid FROM reengage.import_runs i CROSS JOIN LATERAL (
			SELECT o.ctid FROM reengage.import_rejects o WHERE o.import_id = i.import_id OFFSET 0) o
		WHERE i.moved_at < before LIMIT at_most));
	GET DIAGNOSTICS deleted = ROW_COUNT;
	gone := gone + deleted;
	DELETE FROM reengage.import_runs i
	WHERE i.moved_at < before AND NOT EXISTS (SELECT FROM reengage.import_rejects r WHERE r.import_id = i.import_id OFFSET 0);
	GET DIAGNOSTICS deleted = ROW_COUNT;
	gone := gone + deleted;
	DELETE FROM reengage.pruned_nudges p WHERE p.ctid = ANY (ARRAY(
		SELECT o.ctid FROM reengage.pruned_nudges o WHERE o.day < ids_before LIMIT at_most));
	GET DIAGNOSTICS deleted = ROW_COUNT;
	RETURN gone + deleted;
END
$$;
COMMENT ON FUNCTION reengage_internal.prune_rest(interval, integer) IS
	'deletes old rows of changes, import_runs and import_rejects, and ids of pruned nudges that have been kept long enough, at most so many of each; returns how many';

CREATE PROCEDURE reengage.prune(keep interval DEFAULT NULL, max_nudges bigint DEFAULT NULL,
	INOUT nudges bigint DEFAULT NULL, INOUT lineage bigint DEFAULT NULL, INOUT others bigint DEFAULT NULL)
LANGUAGE plpgsql
AS $$
-- It commits, so that it cannot carry a search_path: it calls only functions
-- that do, and names its types and operators in full.
DECLARE
	at_once CONSTANT pg_catalog.int4 := 1000;
	next_notice pg_catalog.timestamptz := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) interval '5 s';
	kept pg_catalog.interval;
	part_nudges pg_catalog.int8;
	part_lineage pg_catalog.int8;
	day pg_catalog.date;
	since pg_catalog.timestamptz := '-infinity';
	rest pg_catalog.int8;
BEGIN
	PERFORM reengage_internal.require_own_transaction('reengage.prune()');
	kept := reengage_internal.require_keep(keep, max_nudges);
	nudges := 0;
	lineage := 0;
	others := 0;
	LOOP
		day := reengage_internal.day_to_close(kept);
		EXIT WHEN day IS NULL;
		CALL reengage.close_day(day);
		COMMIT;
	END LOOP;
	LOOP
		SELECT p.nudges, p.lineage, p.pruned_to INTO part_nudges, part_lineage, since
		FROM reengage_internal.prune_part(kept, since, least(at_once, max_nudges OPERATOR(pg_catalog.-) nudges)::pg_catalog.int4) p;
		COMMIT;
		EXIT WHEN since IS NULL;
		nudges := nudges OPERATOR(pg_catalog.+) part_nudges;
		lineage := lineage OPERATOR(pg_catalog.+) part_lineage;
		IF pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>) next_notice THEN
			RAISE NOTICE 'pruned % % and % % of lineage so far, up to %', nudges, reengage_internal.plural(nudges, 'nudge', 'nudges'),
				lineage, reengage_internal.plural(lineage, 'row', 'rows'), since;
			next_notice := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) interval '5 s';
		END IF;
		EXIT WHEN nudges OPERATOR(pg_catalog.>=) max_nudges;
	END LOOP;
	LOOP
		rest := reengage_internal.prune_rest(kept, 10000);
		COMMIT;
		others := others OPERATOR(pg_catalog.+) rest;
		EXIT WHEN rest OPERATOR(pg_catalog.=) 0;
	END LOOP;
END
$$;
COMMENT ON PROCEDURE reengage.prune(interval, bigint, bigint, bigint, bigint) IS
	'lets go of nudges that ended longer ago than keep (null: reengage.retention), with their lineage, by whole days, the oldest first, at most so many; what is due, in doubt, or counted by a policy stays, and so do the ids of nudges and how threads went on; also of old rows of changes and imports; commits as it goes and may be cancelled';

/* src/sql/36_forget.sql */

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

CREATE FUNCTION reengage_internal.erase(nudge_ids uuid[], lineage_ids uuid[], OUT nudges bigint, OUT lineage bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
	PERFORM reengage_internal.lock('retention', VARIADIC '{}');
	UPDATE reengage.nudges n SET message = reengage_internal.erased(), address = NULL, detail = NULL, time_zone = NULL
	WHERE n.nudge_id = ANY (nudge_ids)
	  AND (n.message <> reengage_internal.erased() OR num_nonnulls(n.address, n.detail, n.time_zone) > 0);
	GET DIAGNOSTICS nudges = ROW_COUNT;
	-- nothing of this is in lineage_digest()
	UPDATE reengage.lineage l
	SET address_hash = NULL, detail = NULL, api_error_message = NULL, correlation_id = NULL, message_id = NULL
	WHERE l.lineage_id = ANY (lineage_ids)
	  AND num_nonnulls(l.address_hash, l.detail, l.api_error_message, l.correlation_id, l.message_id) > 0;
	GET DIAGNOSTICS lineage = ROW_COUNT;
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
	late bigint;
	nudge_ids uuid[];
	lineage_ids uuid[];
	conversations text[];
	further bigint;
	words bigint;
BEGIN
	PERFORM reengage_internal.require_writable('nobody can be forgotten on');
	PERFORM reengage_internal.require_read_committed('nobody can be forgotten');
	SELECT array_agg(s.address_hash) FILTER (WHERE s.address_hash IS NOT NULL), array_agg(s.root_conversation_id) FILTER (WHERE s.root_conversation_id IS NOT NULL),
		string_agg(DISTINCT s.kind || ' ' || s.label, ' or ')
	INTO hashes, roots, labels
	FROM reengage_internal.suppression_subject(address, forget.conversation_id, reengage_internal.require_channel(channel), server) s;

	IF hashes IS NOT NULL THEN
		SELECT c.cancelled, c.too_late INTO cancelled, late
		FROM reengage_internal.cancel_customer_for(address, NULL, server, channel, session_user, true) c;
		SELECT array_agg(DISTINCT l.server) INTO servers FROM reengage.lineage l
		WHERE hashtextextended(l.address_hash, 0) = ANY (ARRAY(SELECT hashtextextended(h, 0) FROM unnest(hashes) h))
		  AND l.address_hash = ANY (hashes) AND l.server = coalesce(forget.server, l.server);
	ELSE
		SELECT c.cancelled, c.too_late INTO cancelled, late
		FROM reengage_internal.cancel_thread_for(forget.conversation_id, server, NULL, session_user, true) c;
		servers := array_fill(coalesce(server, reengage.default_server()), ARRAY[cardinality(roots)]);
	END IF;

	lineage_ids := reengage_internal.lineage_of(hashes, servers, roots);
	SELECT array_agg(DISTINCT l.nudge_id) FILTER (WHERE l.nudge_id IS NOT NULL),
		array_agg(DISTINCT l.conversation_id) || array_agg(DISTINCT l.root_conversation_id) || array_agg(DISTINCT l.requested_conversation_id)
	INTO nudge_ids, conversations FROM reengage.lineage l WHERE l.lineage_id = ANY (lineage_ids);
	nudge_ids := nudge_ids || CASE WHEN hashes IS NOT NULL THEN reengage_internal.nudges_naming(hashes, server) END
		|| reengage_internal.nudges_for(conversations || roots, servers);
	-- what somebody asked for meanwhile: it would be sent as it is after this
	SELECT forget.cancelled + c.cancelled, greatest(late, c.too_late) INTO cancelled, late
	FROM reengage_internal.cancel_due(ARRAY(SELECT d.nudge_id FROM reengage.due d WHERE d.nudge_id = ANY (nudge_ids)),
									  NULL, 'customer_cancelled', session_user, true) c;
	IF late > 0 THEN
		RAISE EXCEPTION '% to them may be on the wire', late || reengage_internal.plural(late, ' call', ' calls')
			USING ERRCODE = 'object_in_use', HINT = 'Call it again when nothing is on the wire any more: reengage.open_nudges shows them.';
	END IF;
	lineage_ids := lineage_ids || ARRAY(SELECT l.lineage_id FROM reengage.lineage l WHERE l.nudge_id = ANY (nudge_ids));
	SELECT e.nudges, e.lineage INTO nudges, lineage FROM reengage_internal.erase(nudge_ids, lineage_ids) e;
	UPDATE reengage.past_sessions p SET address_hash = NULL
	WHERE (p.address_hash = ANY (hashes) AND p.server = coalesce(forget.server, p.server))
	   OR (p.root_conversation_id = ANY (roots) AND p.server = ANY (servers) AND p.address_hash IS NOT NULL);
	GET DIAGNOSTICS further = ROW_COUNT;
	lineage := lineage + further;
	DELETE FROM reengage.answers a
	-- at other servers it still keeps from being written to
	WHERE (a.address_hash = ANY (hashes) AND forget.server IS NULL) OR (a.root_conversation_id = ANY (roots) AND a.server = ANY (servers));
	rejects := reengage_internal.forget_rejects(address, conversations || roots);
	words := reengage_internal.forget_words(hashes, server, servers, roots);

	IF cancelled + nudges + lineage + rejects + words = 0 THEN
		RAISE NOTICE 'nothing is known of %', labels
			USING HINT = 'It was forgotten before, or is spelled differently: the channel, and default_country_code of the server, say how an address is read.';
		RETURN;
	END IF;
	INSERT INTO reengage.erasures (kind, cancelled, nudges, lineage, rejects)
	VALUES (CASE WHEN hashes IS NULL THEN 'conversation' ELSE 'address' END, forget.cancelled, forget.nudges, forget.lineage, forget.rejects);
	for_copies := 'UPDATE lineage SET address_hash = NULL, detail = NULL, api_error_message = NULL, correlation_id = NULL, message_id = NULL WHERE '
		|| nullif(concat_ws(' OR ',
			(SELECT '(server, root_conversation_id) IN (' || string_agg(format('(%L, %L)', t.server, t.root_conversation_id), ', ' ORDER BY t.server, t.root_conversation_id) || ')'
			 FROM (SELECT DISTINCT l.server, l.root_conversation_id FROM reengage.lineage l WHERE l.lineage_id = ANY (lineage_ids)) t),
			(SELECT 'address_hash IN (' || string_agg(quote_literal(h), ', ' ORDER BY h) || ')' FROM unnest(hashes) h)), '') || ';';
END
$$;
COMMENT ON FUNCTION reengage.forget(text, text, text, text) IS
	'erases a person, named as in suppress(): cancels what is due, then takes message, address and detail out of nudges, and what tells of the customer out of lineage, of all threads that the address or conversation belongs to, and deletes answers and rejected records, and what was said of opt-outs; counts, outcomes and the ids of conversations stay, and so does an opt-out; for_copies: what to do where lineage was replicated to; again: nothing is left to do';

/* src/sql/40_publication.sql */

--
-- Publishing.  A publication cannot belong to an extension, and pg_dump before
-- version 18 leaves an extension's tables out of publications: so it is made
-- here, by whoever wants it, and repaired after a restore.
--
CREATE FUNCTION reengage_internal.published_tables() RETURNS SETOF regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT t FROM unnest(ARRAY[to_regclass('reengage.lineage'), to_regclass('reengage.lineage_manifest')]) t
	WHERE t IS NOT NULL
$$;
COMMENT ON FUNCTION reengage_internal.published_tables() IS 'the tables that are made to be replicated';

CREATE FUNCTION reengage_internal.private_tables() RETURNS SETOF regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT t
	FROM unnest('{address_key,nudges,intents,unresolved,suppressions,answers,changes,import_rejects}'::text[]) name
		CROSS JOIN LATERAL to_regclass('reengage.' || name) t
	WHERE t IS NOT NULL
$$;
COMMENT ON FUNCTION reengage_internal.private_tables() IS
	'the tables that have addresses and messages, tell of customers, or have the key by which address_hash can be traced back: not made to be replicated';

-- Anybody may give a publication of theirs the comment, but not its owner.
CREATE FUNCTION reengage_internal.is_our_publication(publication oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(obj_description(p.oid, 'pg_publication') = 'made by reengage.publish()', false)
		AND (r.rolsuper OR r.oid = (SELECT c.relowner FROM pg_class c WHERE c.oid = 'reengage.lineage'::regclass))
	FROM pg_publication p JOIN pg_roles r ON r.oid = p.pubowner
	WHERE p.oid = is_our_publication.publication
$$;
COMMENT ON FUNCTION reengage_internal.is_our_publication(oid) IS
	'whether publish() made a publication: it says so, and belongs to the owner of lineage or to a superuser';

CREATE FUNCTION reengage_internal.refuse_publication(name text) RETURNS void
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
		WHEN NOT reengage_internal.is_our_publication(pub.oid)
			THEN format('reengage.publish() did not make it, or it was given away: it belongs to %s.', pub.pubowner::regrole)
		WHEN pub.puballtables OR EXISTS (
				SELECT FROM pg_publication_namespace n WHERE n.pnpubid = pub.oid)
			THEN 'It publishes whole schemas.'
		WHEN EXISTS (SELECT FROM pg_publication_rel r WHERE r.prpubid = pub.oid
					 AND r.prrelid NOT IN (SELECT reengage_internal.published_tables()))
			THEN (SELECT format('It contains other tables: %s.', string_agg(r.prrelid::regclass::text, ', '))
				  FROM pg_publication_rel r WHERE r.prpubid = pub.oid
				  AND r.prrelid NOT IN (SELECT reengage_internal.published_tables()))
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
COMMENT ON FUNCTION reengage_internal.refuse_publication(text) IS
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
	PERFORM reengage_internal.require_writable('cannot publish on');
	IF current_setting('wal_level') <> 'logical' THEN
		RAISE EXCEPTION 'wal_level is "%", and publishing needs "logical"', current_setting('wal_level')
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'Set wal_level = logical in postgresql.conf and restart the server.';
	END IF;
	-- two that make or repair it at once come one after the other
	PERFORM reengage_internal.lock('publication', VARIADIC '{}');
	PERFORM reengage_internal.refuse_publication(name);

	SELECT string_agg(t::text, ', ') INTO missing
	FROM reengage_internal.published_tables() t
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

/* src/sql/41_replication_check.sql */

--
-- Whether lineage can be replicated, and is.  The traps, each with its remedy.
--
CREATE FUNCTION reengage_internal.check_publications(
	OUT check_name text, OUT state text, OUT detail text, OUT remedy text) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	WITH publications AS (
		SELECT p.*, reengage_internal.is_our_publication(p.oid) AS ours,
			(SELECT string_agg(t::text, ', ' ORDER BY t::text) FROM reengage_internal.published_tables() t
			 WHERE NOT EXISTS (SELECT FROM pg_get_publication_tables(p.pubname) g WHERE g.relid = t)) AS missing,
			EXISTS (SELECT FROM reengage_internal.published_tables() t
					JOIN pg_get_publication_tables(p.pubname) g ON g.relid = t) AS has_some,
			NOT EXISTS (SELECT FROM pg_get_publication_tables(p.pubname)) AS is_empty,
			(SELECT string_agg(t::text, ', ' ORDER BY t::text) FROM reengage_internal.private_tables() t
			 JOIN pg_get_publication_tables(p.pubname) g ON g.relid = t) AS private,
			-- the others of ours
			(SELECT string_agg(g.relid::regclass::text, ', ' ORDER BY g.relid::regclass::text)
			 FROM pg_get_publication_tables(p.pubname) g JOIN pg_class c ON c.oid = g.relid
			 WHERE c.relnamespace = 'reengage'::regnamespace
			   AND g.relid NOT IN (SELECT t FROM reengage_internal.published_tables() t UNION ALL SELECT t FROM reengage_internal.private_tables() t)) AS internal,
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
							(SELECT string_agg(t::text, ', ') FROM reengage_internal.published_tables() t))
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
		JOIN pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid IN (SELECT reengage_internal.published_tables())
		CROSS JOIN LATERAL (VALUES ('column list', r.prattrs IS NOT NULL), ('row filter', r.prqual IS NOT NULL)) trap(name, is_there)
	WHERE trap.is_there
$$;
COMMENT ON FUNCTION reengage_internal.check_publications() IS 'the part of replication_check() about publications';

CREATE FUNCTION reengage_internal.check_tables(
	OUT check_name text, OUT state text, OUT detail text, OUT remedy text) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT format('identity of %s', t),
		CASE WHEN c.relreplident = 'd' AND pk.indexrelid IS NOT NULL THEN 'ok' ELSE 'attention' END,
		format('primary key: %s, replica identity: %s', coalesce(pk.indexrelid::regclass::text, 'none'),
			CASE c.relreplident WHEN 'd' THEN 'default' WHEN 'f' THEN 'full' WHEN 'i' THEN 'index' ELSE 'nothing' END),
		CASE WHEN c.relreplident <> 'd' THEN format('ALTER TABLE %s REPLICA IDENTITY DEFAULT;', t)
			 WHEN pk.indexrelid IS NULL THEN 'Readers that merge by key need the primary key: put it back.' END
	FROM reengage_internal.published_tables() t
		JOIN pg_class c ON c.oid = t
		LEFT JOIN pg_index pk ON pk.indrelid = t AND pk.indisprimary AND pk.indisvalid
	UNION ALL
	SELECT format('partitions of %s', t), 'failed',
		format('%s was made a part of, or a parent of, %s', t, string_agg(other.relation::text, ', ')),
		'A dump of it does not restore, and rows of parts are lost: undo it (NO INHERIT, DETACH PARTITION). One table is enough.'
	FROM reengage_internal.published_tables() t
		JOIN pg_inherits i ON t IN (i.inhrelid, i.inhparent)
		CROSS JOIN LATERAL (VALUES (CASE WHEN i.inhrelid = t THEN i.inhparent ELSE i.inhrelid END::regclass)) other(relation)
	GROUP BY t
$$;
COMMENT ON FUNCTION reengage_internal.check_tables() IS 'the part of replication_check() about the tables';

CREATE FUNCTION reengage_internal.check_slots(
	OUT check_name text, OUT state text, OUT detail text, OUT remedy text) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	WITH here AS (
		SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS lsn
	), slots AS (
		-- what a standby has for the primary's readers can be neither read nor dropped there
		SELECT s.*, to_jsonb(s) ->> 'failover' AS carried_over, pg_is_in_recovery() AND to_jsonb(s) ->> 'synced' = 'true' AS is_copy,
			pg_wal_lsn_diff(here.lsn, s.confirmed_flush_lsn) AS lag,
			pg_wal_lsn_diff(here.lsn, s.restart_lsn) AS retained
		FROM pg_replication_slots s, here
	)
	SELECT 'slots', 'attention', 'no logical replication slot reads this database',
		'Start a reader. One that read before needs a new snapshot; drop the duplicates by lineage_id.'
	WHERE NOT EXISTS (SELECT FROM slots s WHERE s.database = current_database())
	UNION ALL
	SELECT format('slot %I', s.slot_name),
		CASE WHEN s.wal_status = 'lost' THEN 'failed' WHEN s.wal_status = 'unreserved' THEN 'attention'
			WHEN s.is_copy THEN CASE WHEN s.temporary THEN 'attention' ELSE 'ok' END WHEN s.active THEN 'ok' ELSE 'attention' END,
		format('%s, plugin %s, behind by %s, retains %s of WAL (%s)',
			CASE WHEN NOT s.is_copy THEN CASE WHEN s.active THEN 'active' ELSE 'nobody reads it' END
				WHEN s.temporary THEN 'not yet what its reader could go on with here' ELSE 'kept for a promotion' END, s.plugin, coalesce(pg_size_pretty(s.lag), 'an unknown amount'),
			coalesce(pg_size_pretty(s.retained), 'nothing'), coalesce(s.wal_status, 'unknown')),
		CASE
			WHEN s.wal_status = 'lost' THEN format('Its WAL is gone: SELECT pg_drop_replication_slot(%L); and let its reader take a new snapshot.', s.slot_name)
			WHEN s.wal_status = 'unreserved' THEN 'Its WAL may be removed at any checkpoint: let its reader catch up, or raise max_slot_wal_keep_size.'
			WHEN s.is_copy THEN CASE WHEN s.temporary THEN 'Wait until something is written on the primary, and its reader has read it.' END
			WHEN NOT s.active THEN format('Start its reader; or, if it will not come back: SELECT pg_drop_replication_slot(%L);', s.slot_name)
		END
	FROM slots s WHERE s.database = current_database()
	UNION ALL
	SELECT 'failover',
		CASE WHEN NOT standbys.expected THEN 'ok'
			WHEN standbys.waited_for <> '' AND standbys.away IS NULL AND readers.left_behind IS NULL THEN 'ok' ELSE 'attention' END,
		CASE
			WHEN NOT standbys.expected THEN 'no standby is known here'
			WHEN standbys.waited_for IS NULL
				THEN 'a logical slot does not follow to a promoted standby, and a reader may have seen an outcome that the standby has not: it records the nudge as in_doubt'
			ELSE format('synchronized_standby_slots is "%s", away: %s, and slots without failover: %s',
				standbys.waited_for, coalesce(standbys.away, 'none'), coalesce(readers.left_behind, 'none'))
		END,
		CASE
			WHEN NOT standbys.expected THEN NULL
			WHEN standbys.waited_for IS NULL
				THEN 'After a promotion let the readers take a new snapshot into the same place; where a nudge has two outcomes, the one that the primary has now counts.'
			WHEN standbys.away IS NOT NULL
				THEN 'Readers wait: start the standbys that are away, or take their slots out of synchronized_standby_slots.'
			WHEN standbys.waited_for = '' OR readers.left_behind IS NOT NULL
				THEN 'Name the standbys'' slots in synchronized_standby_slots, and make the logical slots with failover.'
		END
	FROM (
		SELECT n.waited_for, coalesce(n.waited_for <> '', false) OR current_setting('synchronous_standby_names') <> ''
				OR EXISTS (SELECT FROM slots s WHERE s.slot_type = 'physical' AND NOT s.temporary) AS expected,
			(SELECT string_agg(w.slot, ', ' ORDER BY w.slot) FROM (SELECT btrim(l, ' "') FROM string_to_table(n.waited_for, ',') l) w (slot)
			 WHERE w.slot <> '' AND NOT pg_is_in_recovery()
			   AND NOT EXISTS (SELECT FROM slots s WHERE s.slot_name = w.slot AND s.slot_type = 'physical' AND s.active)) AS away
		FROM (SELECT current_setting('synchronized_standby_slots', true)) n (waited_for)) standbys
	CROSS JOIN (
		SELECT string_agg(s.slot_name, ', ' ORDER BY s.slot_name) FROM slots s
		WHERE s.database = current_database() AND s.carried_over = 'false') readers (left_behind)
$$;
COMMENT ON FUNCTION reengage_internal.check_slots() IS 'the part of replication_check() about slots';

CREATE FUNCTION reengage_internal.check_settings(
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
COMMENT ON FUNCTION reengage_internal.check_settings() IS 'the part of replication_check() about settings';

CREATE FUNCTION reengage.replication_check()
RETURNS TABLE (check_name text, state text, detail text, remedy text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT * FROM reengage_internal.check_settings()
	UNION ALL SELECT * FROM reengage_internal.check_publications()
	UNION ALL SELECT * FROM reengage_internal.check_tables()
	UNION ALL SELECT * FROM reengage_internal.check_slots()
$$;
COMMENT ON FUNCTION reengage.replication_check() IS
	'whether lineage can be replicated, and is: ok, attention or failed, and what to do';

/* src/sql/42_health.sql */

--
-- Whether nudges are being sent, and if not, why and what to do.
--
-- Whoever may put these there is the owner of our tables, or was given the right
-- by one: what they do runs in our transactions, with the rights of who writes.
CREATE FUNCTION reengage_internal.foreign_hands(OUT subject text, OUT detail text, OUT remedy text) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	WITH ours AS (
		SELECT c.* FROM pg_class c WHERE c.relnamespace = 'reengage'::regnamespace AND c.relkind IN ('r', 'v')
	), triggers AS (
		SELECT t.*, p.pronamespace IN ('reengage'::regnamespace, 'reengage_internal'::regnamespace) AS is_ours
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
COMMENT ON FUNCTION reengage_internal.foreign_hands() IS
	'what others have put on reengage''s tables, or may: triggers, rules, row-level security, foreign keys, privileges; a part of the view health';

CREATE FUNCTION reengage_internal.backlog(at_most integer, of_server text DEFAULT NULL,
	OUT due bigint, OUT scheduled bigint, OUT oldest timestamptz)
LANGUAGE C STABLE
AS 'MODULE_PATHNAME', 'reengage_backlog';
COMMENT ON FUNCTION reengage_internal.backlog(integer, text) IS
	'how many nudges are due, of all servers or of one, how many are scheduled for later, and the earliest time of any; counted up to one more than at_most';

CREATE FUNCTION reengage_internal.due_servers() RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
AS $$
	WITH RECURSIVE servers (name) AS (
		(SELECT d.server FROM reengage.due d WHERE d.server >= '' ORDER BY d.server LIMIT 1)
		UNION ALL
		SELECT n.server FROM servers s CROSS JOIN LATERAL (
			SELECT d.server FROM reengage.due d WHERE d.server > s.name ORDER BY d.server LIMIT 1) n
	)
	SELECT s.name FROM servers s
$$;
COMMENT ON FUNCTION reengage_internal.due_servers() IS 'the servers for which anything is due, one look into an index for each';

CREATE FUNCTION reengage_internal.counted(number bigint, at_most integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE WHEN number > at_most THEN 'more than ' || at_most ELSE number::text END $$;
COMMENT ON FUNCTION reengage_internal.counted(bigint, integer) IS 'a number that was counted up to one more than at_most, in words';

CREATE FUNCTION reengage_internal.overdue_after() RETURNS interval
LANGUAGE C STABLE STRICT SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_overdue_after_sql';
COMMENT ON FUNCTION reengage_internal.overdue_after() IS 'the setting reengage.overdue_after; 0: nothing is ever overdue';

CREATE FUNCTION reengage_internal.slot_lag_limit() RETURNS bigint
LANGUAGE C STABLE STRICT SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_slot_lag_limit_sql';
COMMENT ON FUNCTION reengage_internal.slot_lag_limit() IS 'the setting reengage.slot_lag_limit, in bytes; 0: none';

CREATE VIEW reengage_internal.slots AS
SELECT s.slot_name::text AS slot, s.active, s.wal_status,
	pg_catalog.pg_wal_lsn_diff(CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
		ELSE pg_catalog.pg_current_wal_lsn() END, s.confirmed_flush_lsn)::bigint AS lag
FROM pg_catalog.pg_replication_slots s
WHERE s.slot_type = 'logical' AND s.database = pg_catalog.current_database() AND NOT s.temporary;
COMMENT ON VIEW reengage_internal.slots IS 'who reads this database by logical replication, and how far behind they are; a part of the views health and metrics';
COMMENT ON COLUMN reengage_internal.slots.slot IS 'its name';
COMMENT ON COLUMN reengage_internal.slots.active IS 'somebody reads it now';
COMMENT ON COLUMN reengage_internal.slots.wal_status IS 'as in pg_replication_slots';
COMMENT ON COLUMN reengage_internal.slots.lag IS 'bytes of WAL that were not confirmed, on a standby of what it has; null: none ever was';

-- Beyond twice what has autovacuum come by itself, something keeps it from its work.
CREATE VIEW reengage_internal.wraparound AS
SELECT * FROM (
	SELECT k.kind, k.age, least(2 * pg_catalog.current_setting(k.setting)::bigint, 1600000000) AS threshold,
		(SELECT t.oid::pg_catalog.regclass::text FROM pg_catalog.pg_class t
		 WHERE t.relnamespace = 'reengage'::pg_catalog.regnamespace AND t.relkind = 'r'
		 ORDER BY CASE k.kind WHEN 'transactions' THEN pg_catalog.age(t.relfrozenxid) ELSE pg_catalog.mxid_age(t.relminmxid) END DESC LIMIT 1) AS oldest_table
	FROM pg_catalog.pg_database d CROSS JOIN LATERAL (VALUES
		('transactions', pg_catalog.age(d.datfrozenxid)::bigint, 'autovacuum_freeze_max_age'),
		('multixacts', pg_catalog.mxid_age(d.datminmxid)::bigint, 'autovacuum_multixact_freeze_max_age')) k (kind, age, setting)
	WHERE d.datname = pg_catalog.current_database()) w;
COMMENT ON VIEW reengage_internal.wraparound IS 'how old the oldest ids of this database are; a part of the views health and metrics';
COMMENT ON COLUMN reengage_internal.wraparound.kind IS 'transactions or multixacts';
COMMENT ON COLUMN reengage_internal.wraparound.age IS 'of the oldest: that many have come since';
COMMENT ON COLUMN reengage_internal.wraparound.threshold IS 'twice autovacuum_freeze_max_age, or autovacuum_multixact_freeze_max_age; 1600000000 at the most';
COMMENT ON COLUMN reengage_internal.wraparound.oldest_table IS 'of our tables the one with the oldest';

CREATE VIEW reengage.health AS
WITH worker AS (SELECT * FROM reengage_internal.worker_state())
SELECT 'fence' AS subject,
	CASE WHEN f.complaint IS NULL THEN 'ok' ELSE 'stopped' END AS state,
	CASE WHEN f.complaint IS NULL THEN 'ok' ELSE 'problem' END AS severity,
	NULL::bigint AS value, NULL AS unit, NULL::bigint AS threshold,
	coalesce(f.complaint, 'armed') AS detail,
	CASE WHEN f.complaint IS NOT NULL
		THEN 'If customers are to be written to from this database: SELECT reengage.arm();' END AS remedy
FROM (SELECT reengage_internal.fence_complaint()) f(complaint)
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
		WHEN pg_catalog.pg_is_in_recovery() THEN 'ok'
		WHEN w.message IS NOT NULL AND w.listed THEN 'problem'
		WHEN NOT w.preloaded OR NOT w.listed OR w.state = 'absent' THEN 'warning'
		ELSE 'ok'
	END,
	w.in_flight, 'in flight', NULL,
	CASE
		WHEN NOT w.preloaded THEN 'reengage is not in shared_preload_libraries'
		WHEN pg_catalog.pg_is_in_recovery() THEN 'this is a standby: nothing is sent before its promotion'
		WHEN NOT w.listed THEN pg_catalog.format('database "%s" is not in reengage.databases', pg_catalog.current_database())
		WHEN w.message IS NOT NULL THEN w.message
		ELSE pg_catalog.format('%s since %s, %s in flight, %s %s ended, %s %s', w.state, w.since, w.in_flight,
				w.ended, reengage_internal.plural(w.ended, 'nudge', 'nudges'), w.restarts, reengage_internal.plural(w.restarts, 'restart', 'restarts'))
			|| coalesce(pg_catalog.format(', process %s', w.pid), '') || coalesce(pg_catalog.format(', courier %s', w.courier_pid), '')
	END,
	CASE
		WHEN NOT w.preloaded THEN 'Add it and restart the server, or schedule CALL reengage.run() with pg_cron.'
		WHEN pg_catalog.pg_is_in_recovery() THEN NULL
		WHEN NOT w.listed THEN 'Add it and reload, or schedule CALL reengage.run() with pg_cron.'
		WHEN w.message IS NOT NULL THEN 'The server log has the details; the worker keeps trying with growing pauses.'
	END
FROM worker w
UNION ALL
SELECT 'outcomes', 'waiting', 'warning', w.outcomes_locked + w.outcomes_refused, 'outcomes', 0,
	pg_catalog.format('%s %s to be written, the oldest since %s: %s', w.outcomes_locked + w.outcomes_refused,
		reengage_internal.plural(w.outcomes_locked + w.outcomes_refused, 'outcome waits', 'outcomes wait'), w.outcomes_since,
		pg_catalog.concat_ws('; ',
			CASE WHEN w.outcomes_locked > 0 THEN pg_catalog.format('%s for a transaction that has not ended and locks their rows', w.outcomes_locked) END,
			CASE WHEN w.outcomes_refused > 0 THEN pg_catalog.format('%s %s refused by a trigger or constraint on reengage.lineage', w.outcomes_refused, reengage_internal.plural(w.outcomes_refused, 'is', 'are')) END)),
	CASE WHEN w.outcomes_locked > 0
		THEN 'End the transaction: pg_stat_activity has it, by its xact_start. '
		ELSE '' END || 'After a crash their calls would be in doubt.'
FROM worker w
WHERE w.outcomes_locked + w.outcomes_refused > 0
UNION ALL
SELECT 'server ' || s.srvname,
	CASE WHEN p.server IS NOT NULL THEN 'paused' ELSE coalesce(t.state, 'ok') END,
	CASE
		WHEN t.state = 'blocked' THEN 'problem'
		WHEN p.server IS NULL AND (t.state IS NULL OR (t.state = 'resting' AND t.until < pg_catalog.now() + interval '5 minutes')) THEN 'ok'
		ELSE 'warning'
	END,
	extract(epoch FROM pg_catalog.now() - coalesce(p.since, t.since))::bigint,
	CASE WHEN p.server IS NOT NULL OR t.server IS NOT NULL THEN 'seconds' END, NULL,
	CASE WHEN p.server IS NULL THEN coalesce(t.said, 'nothing is known against it')
		ELSE pg_catalog.concat_ws('; ', 'by ' || p.paused_by || coalesce(': ' || p.reason, ''),
								  pg_catalog.format('also %s: ', t.state) || t.said) END,
	CASE
		WHEN p.server IS NOT NULL
			THEN pg_catalog.format('Since %s; its nudges stay due. When they may go out: SELECT reengage.resume(%L);', p.since, s.srvname)
		WHEN t.state = 'attention'
			THEN pg_catalog.format('Since %s no such call has succeeded. If a permission is missing, grant it; SELECT reengage.redrive(nudge_id) asks again for what was refused.', t.since)
		WHEN t.state = 'resting'
			THEN pg_catalog.format('Since %s; none: the API asked for it. Its nudges stay due. If it happens often, lower max_requests_per_minute.', t.since)
		WHEN t.server IS NOT NULL
			THEN pg_catalog.format('Since %s; SELECT * FROM reengage.preflight(%L) WHERE state = ''failed''; says what to mend. It is tried again from time to time, its nudges stay due.', t.since, s.srvname)
	END
FROM pg_catalog.pg_foreign_server s
	JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw AND w.fdwname = 'reengage'
	LEFT JOIN LATERAL (
		SELECT st.server, st.state, st.since, st.until,
			st.reason || coalesce(', not before ' || st.until, '') || coalesce(': ' || st.detail, '') AS said
		FROM reengage.server_state st WHERE st.server = s.srvname) t ON true
	LEFT JOIN reengage.pauses p ON p.server = s.srvname
UNION ALL
SELECT 'backlog',
	CASE WHEN a.is_late THEN 'late' ELSE 'ok' END,
	CASE WHEN a.is_late THEN 'warning' ELSE 'ok' END,
	a.seconds, 'seconds', nullif(a.threshold, 0),
	pg_catalog.format('%s due, %s scheduled for later, oldest %s', reengage_internal.counted(b.due, 10000),
					  reengage_internal.counted(b.scheduled, 10000), coalesce(b.oldest::text, 'none')),
	CASE WHEN a.is_late THEN 'See what the rows of fence, worker and servers say. If that is ok, more is due than the pace of the servers lets through: SELECT labels, value FROM reengage.metrics WHERE name IN (''reengage_oldest_due_seconds'', ''reengage_pace_left'', ''reengage_in_flight''); raise max_requests_per_minute or max_in_flight if the API allows it. What is late by your own wish needs a longer reengage.overdue_after.' END
FROM reengage_internal.backlog(10000) b
	CROSS JOIN LATERAL (
		SELECT greatest(extract(epoch FROM pg_catalog.now() - b.oldest), 0)::bigint AS seconds, extract(epoch FROM reengage_internal.overdue_after())::bigint AS threshold) t
	CROSS JOIN LATERAL (SELECT t.seconds, t.threshold, t.threshold > 0 AND coalesce(t.seconds > t.threshold, false) AS is_late) a
UNION ALL
SELECT 'backlog of server ' || d.server, 'stopped', 'problem', b.due + b.scheduled, 'nudges', 0,
	pg_catalog.format('%s %s due for a server that does not exist', reengage_internal.counted(b.due + b.scheduled, 10000),
		reengage_internal.plural(b.due + b.scheduled, 'nudge is', 'nudges are')),
	'CREATE SERVER it again.'
FROM reengage_internal.due_servers() d (server)
	CROSS JOIN LATERAL reengage_internal.backlog(10000, d.server) b
WHERE NOT EXISTS (
	SELECT FROM pg_catalog.pg_foreign_server s
		JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw AND w.fdwname = 'reengage'
	WHERE s.srvname = d.server)
UNION ALL
SELECT 'retention',
	CASE WHEN m.lasts > r.kept THEN 'attention' WHEN b.waits THEN 'waiting' WHEN b.is_behind THEN 'behind' ELSE 'ok' END,
	CASE WHEN m.lasts > r.kept OR b.waits OR b.is_behind THEN 'warning' ELSE 'ok' END,
	b.seconds, 'seconds', 172800,
	pg_catalog.concat_ws('; ',
		pg_catalog.format('what was recorded before %s goes', reengage_internal.kept_since(r.kept)),
		(SELECT pg_catalog.format('so far %s %s, up to %s', pg_catalog.sum(p.nudges), reengage_internal.plural(pg_catalog.sum(p.nudges)::bigint, 'nudge', 'nudges'), pg_catalog.max(p.day)) FROM reengage.pruned_days p HAVING pg_catalog.count(*) > 0),
		CASE WHEN m.lasts > r.kept
			THEN pg_catalog.format('as much stays as a policy of server "%s" looks back for (%s %s), which is more than reengage.retention', m.server, m.of_column, m.lasts) END,
		CASE WHEN b.waits THEN pg_catalog.format('the worker lets go of nothing before %s, as the clock may have been set forward: the server log says why', b.prunes_from) END),
	CASE
		WHEN m.lasts > r.kept THEN 'Shorten the policy, or raise reengage.retention.'
		WHEN b.waits THEN 'If the clock is right there is nothing to do, or CALL reengage.prune(); does it at once. If not, set it before that time.'
		WHEN b.is_behind THEN 'The worker has not come to the end of what may go for so long: the server log says if it fails. CALL reengage.prune(); does it at once.'
	END
FROM (SELECT reengage_internal.retention()) r (kept)
	LEFT JOIN reengage_internal.longest_memory() m ON true
	-- without a worker, whoever calls prune() knows when
	CROSS JOIN (SELECT extract(epoch FROM pg_catalog.now() - w.pruned_at)::bigint, w.prunes_from
		FROM worker o LEFT JOIN worker w ON w.state = 'running') l (seconds, prunes_from)
	CROSS JOIN LATERAL (SELECT l.seconds, coalesce(l.seconds > 172800, false), coalesce(l.prunes_from > pg_catalog.now(), false), l.prunes_from) b (seconds, is_behind, waits, prunes_from)
WHERE r.kept > interval '0'
UNION ALL
SELECT 'databases',
	CASE WHEN d.missing > 0 THEN 'missing' ELSE 'ok' END, CASE WHEN d.missing > 0 THEN 'warning' ELSE 'ok' END,
	d.missing, 'missing', 0, 'reengage.databases: ' || d.list,
	CASE WHEN d.missing > 0 THEN 'CREATE DATABASE, which is found within ten seconds, or take it out of reengage.databases; there, names with capital letters are in double quotes.' END
FROM (
	SELECT pg_catalog.count(*) FILTER (WHERE p.datname IS NULL) AS missing,
		pg_catalog.string_agg(pg_catalog.format('%s (%s)', pg_catalog.quote_ident(k.database), CASE WHEN p.datname IS NULL THEN 'does not exist' ELSE k.state END), ', ' ORDER BY k.database) AS list
	FROM reengage_internal.workers() k LEFT JOIN pg_catalog.pg_database p ON p.datname = k.database) d
WHERE d.list IS NOT NULL AND NOT pg_catalog.pg_is_in_recovery()
UNION ALL
SELECT 'slot ' || s.slot,
	CASE WHEN s.wal_status = 'lost' THEN 'lost' WHEN g.is_behind THEN 'behind' ELSE 'ok' END,
	CASE WHEN s.wal_status IN ('lost', 'unreserved') THEN 'problem' WHEN g.is_behind THEN 'warning' ELSE 'ok' END,
	s.lag, 'bytes', nullif(g.most, 0),
	pg_catalog.format('%s behind, %s, WAL %s', coalesce(pg_catalog.pg_size_pretty(s.lag), 'never read'), CASE WHEN s.active THEN 'being read' ELSE 'nobody reads it' END, coalesce(s.wal_status, 'not kept yet')),
	CASE
		WHEN s.wal_status = 'lost' THEN pg_catalog.format('Its reader has to begin anew: SELECT pg_drop_replication_slot(%L); and make the subscription again with a copy of the data.', s.slot)
		WHEN g.is_behind THEN pg_catalog.format('See to its reader: until then WAL is kept on disk. If there is none any more: SELECT pg_drop_replication_slot(%L);', s.slot)
	END
FROM reengage_internal.slots s
	CROSS JOIN LATERAL (SELECT t.most, t.most > 0 AND coalesce(s.lag > t.most, false) AS is_behind FROM (SELECT reengage_internal.slot_lag_limit()) t (most)) g
UNION ALL
SELECT 'wraparound', 'near', CASE WHEN w.age > 1600000000 THEN 'problem' ELSE 'warning' END, w.age, w.kind, w.threshold,
	pg_catalog.format('the oldest of this database was %s %s ago; the server stops at 2146483648', w.age, w.kind),
	pg_catalog.format('Autovacuum is kept from its work: see pg_stat_activity by age(backend_xmin), pg_prepared_xacts, pg_replication_slots by age(catalog_xmin). Then: VACUUM (FREEZE) %s; and all other tables.', w.oldest_table)
FROM reengage_internal.wraparound w WHERE w.age > w.threshold
UNION ALL
SELECT 'counters', 'behind', 'warning', c.changes, 'changes', 10000,
	pg_catalog.format('%s changes of nudge_counts are not added up: each look at them reads all', reengage_internal.counted(c.changes, 10000)),
	'The worker adds them up, or CALL reengage.run(); neither has, or somebody locks reengage.tallies or holds an old transaction open.'
FROM (SELECT pg_catalog.count(*) AS changes FROM (SELECT FROM reengage.tally_changes LIMIT 10001) c) c WHERE c.changes > 10000
UNION ALL
SELECT h.subject, 'attention', 'warning', NULL, NULL, NULL, h.detail, h.remedy FROM reengage_internal.foreign_hands() h
UNION ALL
-- not EXISTS, which a planner may turn into a join with all of lineage
SELECT 'schedule', 'attention', 'warning', pg_catalog.count(*), 'nudges', 0,
	pg_catalog.format('%s of the newest 1000 nudges %s neither due nor ended: inserted while triggers were off, as by session_replication_role = replica, or somebody has deleted rows of lineage or due',
		pg_catalog.count(*), reengage_internal.plural(pg_catalog.count(*), 'is', 'are')),
	'SELECT reengage.arm(); counts them all. If none was sent: SELECT reengage.arm(missing => ''due''); if they were: SELECT reengage.arm(missing => ''gone'');'
FROM (SELECT n.nudge_id FROM reengage.nudges n ORDER BY n.nudge_id DESC LIMIT 1000) n
WHERE (SELECT true FROM reengage.due d WHERE d.nudge_id = n.nudge_id LIMIT 1) IS NULL
  AND (SELECT true FROM reengage.lineage l WHERE l.nudge_id = n.nudge_id LIMIT 1) IS NULL
HAVING pg_catalog.count(*) > 0
UNION ALL
SELECT 'doubt', 'attention', 'warning', d.doubts, 'nudges', 0,
	pg_catalog.format('%s %s call may or may not have taken effect', reengage_internal.counted(d.doubts, 10000),
		reengage_internal.plural(d.doubts, 'nudge ended in doubt: its', 'nudges ended in doubt: their')),
	'SELECT * FROM reengage.in_doubt; then settle each with reengage.resolve().'
FROM (SELECT pg_catalog.count(*) AS doubts FROM (SELECT FROM reengage.in_doubt LIMIT 10001) d) d
WHERE d.doubts > 0;
COMMENT ON VIEW reengage.health IS
	'whether nudges are being sent, and if not, why and what to do';
COMMENT ON COLUMN reengage.health.subject IS 'what the row is about';
COMMENT ON COLUMN reengage.health.state IS 'ok, or one word for what is not';
COMMENT ON COLUMN reengage.health.severity IS 'ok; warning: somebody should look at it today; problem: nothing, or not all, is sent or kept';
COMMENT ON COLUMN reengage.health.value IS 'the number that the row is about; null: there is none';
COMMENT ON COLUMN reengage.health.unit IS 'what it counts';
COMMENT ON COLUMN reengage.health.threshold IS 'beyond it the severity is no more ok; null: it is not judged by that';
COMMENT ON COLUMN reengage.health.detail IS 'the facts';
COMMENT ON COLUMN reengage.health.remedy IS 'what to do; null: nothing';

/* src/sql/43_metrics.sql */

--
-- What can be graphed.  Nothing here looks at a table that grows: what happened and
-- what waits is counted, and the oldest that waits is found along an index, a row a
-- lane.
--
CREATE FUNCTION reengage_internal.counters(
	OUT name text, OUT server text, OUT step text, OUT label text, OUT word text, OUT value double precision)
RETURNS SETOF record
LANGUAGE C STRICT VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_counters';
COMMENT ON FUNCTION reengage_internal.counters() IS
	'what was counted of this database since the server started or reset_metrics(); nothing without preloading';

CREATE FUNCTION reengage.reset_metrics() RETURNS void
LANGUAGE C STRICT VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_reset_metrics';
COMMENT ON FUNCTION reengage.reset_metrics() IS
	'has the counters of this database in the view metrics begin at 0 again; nothing else depends on them';

CREATE FUNCTION reengage_internal.due_by_priority(at_most integer, in_all integer,
	OUT server text, OUT priority smallint, OUT due bigint, OUT oldest timestamptz)
RETURNS SETOF record
LANGUAGE C STABLE STRICT
AS 'MODULE_PATHNAME', 'reengage_due_by_priority';
COMMENT ON FUNCTION reengage_internal.due_by_priority(integer, integer) IS
	'how many nudges have come to their time, by server and priority, each counted up to at_most, and all up to in_all or 100 each, and the earliest time of any; a part of the view metrics';

CREATE VIEW reengage_internal.gauges AS
WITH servers AS (
	SELECT s.srvname::text AS server
	FROM pg_catalog.pg_foreign_server s JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw AND w.fdwname = 'reengage'
), worker AS (SELECT * FROM reengage_internal.worker_state()
), counted AS MATERIALIZED (SELECT * FROM reengage_internal.counted_by_server
), waiting AS MATERIALIZED (SELECT * FROM reengage_internal.due_by_priority(10000, 100000))
SELECT 'reengage_up' AS name, NULL::text AS server, NULL::text AS label, NULL::text AS word, (w.state = 'running' AND w.message IS NULL)::integer::double precision AS value FROM worker w
UNION ALL
SELECT 'reengage_armed', NULL, NULL, NULL, (reengage_internal.fence_complaint() IS NULL)::integer
UNION ALL
SELECT 'reengage_worker_restarts_total', NULL, NULL, NULL, w.restarts FROM worker w
UNION ALL
SELECT 'reengage_outcomes_unwritten', NULL, NULL, NULL, w.outcomes_locked + w.outcomes_refused FROM worker w
UNION ALL
SELECT 'reengage_in_doubt', NULL, NULL, NULL, coalesce(pg_catalog.sum(c.nudges), 0)
FROM counted c WHERE c.state = 'in_doubt'
UNION ALL
SELECT 'reengage_due', c.server, 'hold', coalesce(c.reason, 'none'), c.nudges
FROM counted c WHERE c.state = 'due'
UNION ALL
SELECT 'reengage_due_now', w.server, 'priority', w.priority::text, w.due FROM waiting w
UNION ALL
SELECT 'reengage_oldest_due_seconds', s.server, NULL, NULL,
	greatest(extract(epoch FROM pg_catalog.clock_timestamp() - w.oldest), 0)
FROM servers s LEFT JOIN (SELECT w.server, pg_catalog.min(w.oldest) AS oldest FROM waiting w GROUP BY w.server) w ON w.server = s.server
UNION ALL
SELECT 'reengage_retention_lag_seconds', NULL, NULL, NULL,
	greatest(extract(epoch FROM reengage_internal.kept_since(r.kept) - reengage_internal.recorded_after('-infinity', 'infinity')), 0)
FROM (SELECT reengage_internal.retention()) r (kept) WHERE r.kept > interval '0'
UNION ALL
SELECT 'reengage_retention_pass_seconds', NULL, NULL, NULL, extract(epoch FROM pg_catalog.clock_timestamp() - w.pruned_at) FROM worker w WHERE w.pruned_at IS NOT NULL
UNION ALL
SELECT 'reengage_slot_lag_bytes', NULL, 'slot', s.slot, s.lag FROM reengage_internal.slots s WHERE s.lag IS NOT NULL
UNION ALL
SELECT CASE a.kind WHEN 'transactions' THEN 'reengage_transaction_age' ELSE 'reengage_multixact_age' END, NULL, NULL, NULL, a.age
FROM reengage_internal.wraparound a
UNION ALL
SELECT 'reengage_server_paused', s.server, NULL, NULL, (p.server IS NOT NULL)::integer
FROM servers s LEFT JOIN reengage.pauses p ON p.server = s.server
UNION ALL
SELECT 'reengage_server_state', s.server, 'state', state.word, (t.state IS NOT NULL)::integer
FROM servers s CROSS JOIN pg_catalog.unnest('{blocked,resting,attention}'::text[]) state (word)
	LEFT JOIN reengage.server_state t ON t.server = s.server AND t.state = state.word;
COMMENT ON VIEW reengage_internal.gauges IS
	'what is so now: worker, fence, servers and the oldest that is due; a part of the view metrics';
COMMENT ON COLUMN reengage_internal.gauges.name IS 'as in metrics';
COMMENT ON COLUMN reengage_internal.gauges.server IS 'the foreign server; null: it is about none';
COMMENT ON COLUMN reengage_internal.gauges.label IS 'another label; null: it has none';
COMMENT ON COLUMN reengage_internal.gauges.word IS 'and its value';
COMMENT ON COLUMN reengage_internal.gauges.value IS 'the number';

CREATE FUNCTION reengage_internal.metric_help(OUT name text, OUT kind text, OUT help text) RETURNS SETOF record
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	VALUES
		('reengage_nudges_ended_total', 'counter', 'nudges that ended, by server and outcome; cancel() and resolve() are not counted'),
		('reengage_nudges_moved_total', 'counter', 'nudges that became due again later, by what they wait for; retry: a call failed, and is made again'),
		('reengage_requests_total', 'counter', 'requests to the API, tokens excluded'),
		('reengage_replies_total', 'counter', 'calls by what they were for and what came of them'),
		('reengage_responses_total', 'counter', 'calls by the class of the HTTP status that answered them; none: nothing did'),
		('reengage_rate_limited_total', 'counter', 'replies with HTTP status 429'),
		('reengage_token_requests_total', 'counter', 'tokens that were asked for'),
		('reengage_sent_bytes_total', 'counter', 'URLs, headers and bodies of requests, tokens included, as they were composed'),
		('reengage_received_bytes_total', 'counter', 'headers and bodies of answers to them'),
		('reengage_look_delay_seconds', 'histogram', 'from when a nudge was due to the first look of an attempt'),
		('reengage_post_delay_seconds', 'histogram', 'from the answer of a look to the POST that follows'),
		('reengage_call_seconds', 'histogram', 'what the API took for a call'),
		('reengage_ticks_total', 'counter', 'transactions in which the engine claims and records'),
		('reengage_ticks_failed_total', 'counter', 'those of them that failed'),
		('reengage_tick_seconds_total', 'counter', 'what they took'),
		('reengage_wal_bytes_total', 'counter', 'WAL that they wrote'),
		('reengage_wal_bytes_per_nudge', 'gauge', 'the same, divided by the nudges that ended; a rate of the two counters tells of now'),
		('reengage_counting_start_time_seconds', 'gauge', 'when counting began, in seconds since 1970'),
		('reengage_up', 'gauge', '1: the worker of this database runs, and nothing is wrong with it'),
		('reengage_armed', 'gauge', '1: the fence lets this database send'),
		('reengage_courier_up', 'gauge', '1: a courier process runs for this database'),
		('reengage_courier_starts_total', 'counter', 'couriers that were started'),
		('reengage_in_flight', 'gauge', 'nudges under way'),
		('reengage_in_hand', 'gauge', 'nudges that were taken out of the schedule, by what they wait for; parked and ready are not under way'),
		('reengage_worker_restarts_total', 'counter', 'how often the worker ended'),
		('reengage_outcomes_unwritten', 'gauge', 'outcomes that wait for a lock or are refused by the database'),
		('reengage_in_doubt', 'gauge', 'nudges in doubt that nobody has resolved'),
		('reengage_due', 'gauge', 'nudges that are due or scheduled, by what holds them'),
		('reengage_due_now', 'gauge', 'nudges whose time has come, by server and priority; 10000 are that many or more, and of more than ten of these an equal part of 100000'),
		('reengage_oldest_due_seconds', 'gauge', 'for how long the oldest nudge has been due; 0: none is'),
		('reengage_retention_lag_seconds', 'gauge', 'how much older than reengage.retention the oldest row of lineage is; what must stay is one, too'),
		('reengage_retention_pass_seconds', 'gauge', 'how long ago the worker had let go of all that may go, or was first told to'),
		('reengage_slot_lag_bytes', 'gauge', 'WAL that a logical replication slot of this database has not confirmed'),
		('reengage_transaction_age', 'gauge', 'how many transactions came since the oldest that this database knows'),
		('reengage_multixact_age', 'gauge', 'likewise, multixacts'),
		('reengage_server_paused', 'gauge', '1: an operator has paused it'),
		('reengage_server_state', 'gauge', '1: that is known against it'),
		('reengage_breaker', 'gauge', '1: the circuit breaker of the server is closed, open, or half open: one nudge at a time tries it'),
		('reengage_next_probe_seconds', 'gauge', 'how soon a server is tried that is left alone; 0: none is'),
		('reengage_pace_limit', 'gauge', 'max_requests_per_minute of the server, if it has one'),
		('reengage_pace_left', 'gauge', 'what is left of it in this minute')
$$;
COMMENT ON FUNCTION reengage_internal.metric_help() IS 'what there is to graph, of what kind, and what it means';

CREATE VIEW reengage.metrics AS
SELECT m.name,
	pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('server', m.server, 'step', m.step)
		|| CASE WHEN m.label IS NULL THEN '{}' ELSE pg_catalog.jsonb_build_object(m.label, m.word) END) AS labels,
	m.value, h.kind, h.help
FROM (
	SELECT c.name, c.server, c.step, c.label, c.word, c.value FROM reengage_internal.counters() c
	UNION ALL
	SELECT g.name, g.server, NULL, g.label, g.word, g.value FROM reengage_internal.gauges g) m
	LEFT JOIN reengage_internal.metric_help() h
		ON h.name = pg_catalog.regexp_replace(m.name, '_(bucket|sum|count)$', '');
COMMENT ON VIEW reengage.metrics IS
	'what can be graphed, in the names and kinds of Prometheus; counted since the server started, or reset_metrics()';
COMMENT ON COLUMN reengage.metrics.name IS 'by the conventions of Prometheus: its unit, and _total for what only grows';
COMMENT ON COLUMN reengage.metrics.labels IS 'which server, outcome, step, reply or state; le: the upper bound of a part of a histogram, in seconds';
COMMENT ON COLUMN reengage.metrics.value IS 'the number';
COMMENT ON COLUMN reengage.metrics.kind IS 'counter, gauge or histogram';
COMMENT ON COLUMN reengage.metrics.help IS 'what it counts';

/* src/sql/44_report_elements.sql */

--
-- A campaign as a page for people: what report_facts() found, in words and pictures.
--
-- These functions know no table.  They make HTML that is XML, too, of ASCII alone: it
-- is right whatever the encoding of database and client is.  Whatever somebody else
-- may have written goes through html(); what is put together here does not.
--
CREATE FUNCTION reengage_internal.html(value text) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reengage_html';
COMMENT ON FUNCTION reengage_internal.html(text) IS
	'text as it stands in HTML: ASCII, other letters as numbers; what a page cannot show, and what turns text round, becomes U+FFFD';

CREATE FUNCTION reengage_internal.report_words(OUT kind text, OUT code text, OUT class text, OUT words text) RETURNS SETOF record
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	VALUES
		-- as outcome_list.h has them
		('outcome', 'notified', 'sent', 'sent into the conversation'),
		('outcome', 'session_created', 'sent', 'sent in a new conversation'),
		('outcome', 'session_continued', 'sent', 'sent; the old conversation went on'),
		('outcome', 'resolved_sent', 'sent', 'sent, as somebody found out'),
		('outcome', 'in_doubt', 'in_doubt', 'not known whether it was sent'),
		('outcome', 'resolved_not_sent', 'not_sent', 'not sent, as somebody found out'),
		('outcome', 'skipped_closed', 'not_sent', 'the conversation was closed, and none was to be begun'),
		('outcome', 'refused', 'not_sent', 'refused'),
		('outcome', 'expired', 'not_sent', 'its time was over'),
		('outcome', 'exhausted', 'not_sent', 'every attempt failed'),
		('outcome', 'answered', 'not_sent', 'the customer had written already'),
		('outcome', 'suppressed', 'not_sent', 'the customer has opted out'),
		('outcome', 'capped', 'not_sent', 'the customer had been written to often enough'),
		('outcome', 'held_out', 'not_sent', 'not written to on purpose, for comparison'),
		('outcome', 'cancelled', 'not_sent', 'taken back'),
		('outcome', 'imported', 'not_sent', 'known from before'),
		-- as hold_list.h has them
		('hold', 'policy', NULL, 'quiet hours, or a pause between two messages to a customer'),
		('hold', 'doubt', NULL, 'it is not known whether an earlier message reached this customer'),
		('hold', 'server', NULL, 'the messaging service refuses such messages'),
		('hold', 'rate_limit', NULL, 'the messaging service asked to be called less often'),
		('hold', 'retry', NULL, 'a call failed, and is made again'),
		('hold', 'connection', NULL, 'the messaging service is slow to connect to'),
		('hold', 'busy', NULL, 'the customer is being served on another channel'),
		('hold', 'customer', NULL, 'another message to this customer is under way'),
		('hold', 'unresolved_customer', NULL, 'another message to this customer has to be cleared up'),
		('hold', 'unresolved_thread', NULL, 'another message of this conversation has to be cleared up'),
		('hold', 'superseded', NULL, 'the conversation went on elsewhere, and is looked for'),
		('hold', 'recording', NULL, 'an opt-out, an answer or a cancellation is being noted'),
		('hold', 'standby', NULL, 'the standby of the database has to confirm'),
		-- reasons that do not speak for themselves
		('reason', 'forbidden', NULL, 'the messaging service does not permit it'),
		('reason', 'unauthorized', NULL, 'the messaging service does not accept our login for it'),
		('reason', 'named_by_another', NULL, 'the conversation goes on at an address that another application named'),
		('reason', 'thread_in_circles', NULL, 'the records of the conversation lead in a circle'),
		('reason', 'channel_not_proactive', NULL, 'no conversation may be begun on this channel'),
		('reason', 'too_large', NULL, 'the message is too large'),
		('reason', 'message_not_utf8', NULL, 'the message has characters that cannot be sent'),
		('reason', 'sent', NULL, 'somebody looked'),
		('reason', 'not_sent', NULL, 'somebody looked'),
		('reason', 'resend', NULL, 'somebody asked for it again'),
		('reason', 'recorded', NULL, 'an application said so'),
		('reason', 'superseded', NULL, 'a newer message took its place'),
		('reason', 'interrupted', NULL, 'the call was cut off'),
		('reason', 'connection_lost', NULL, 'the connection broke before the answer came'),
		('reason', 'timeout', NULL, 'no answer came in time'),
		('reason', 'unreadable', NULL, 'the answer could not be read'),
		('reason', 'key_expired', NULL, 'it was too late to ask again')
$$;
COMMENT ON FUNCTION reengage_internal.report_words() IS
	'outcomes, holds and reasons as a manager would say them; class of outcomes: sent, in_doubt or not_sent';

CREATE FUNCTION reengage_internal.report_says(kind text, code text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(
		(SELECT w.words FROM reengage_internal.report_words() w WHERE w.kind = $1 AND w.code = $2),
		'the messaging service answered ' || substring($2 FROM '^http_([0-9]+)$'),
		'no more than ' || replace(substring($2 FROM '^cap_(.*)$'), '_', ' '),
		reengage_internal.html(replace($2, '_', ' ')))
$$;
COMMENT ON FUNCTION reengage_internal.report_says(text, text) IS 'a code in words, as HTML';

-- No locale decides what separates digits: it would be the database's.
CREATE FUNCTION reengage_internal.report_number(value numeric) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT to_char(value, 'FM999,999,999,999,990') $$;
COMMENT ON FUNCTION reengage_internal.report_number(numeric) IS 'a count: 12,345';

CREATE FUNCTION reengage_internal.report_share(part numeric, whole numeric) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE WHEN whole > 0 THEN to_char(100 * part / whole, 'FM999990.0') || '&#160;%' ELSE '&#8211;' END $$;
COMMENT ON FUNCTION reengage_internal.report_share(numeric, numeric) IS 'a part of a whole: 12.3 %, or a dash';

CREATE FUNCTION reengage_internal.report_time(at timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT to_char(at, 'Dy FMDD Mon YYYY, HH24:MI') $$;
COMMENT ON FUNCTION reengage_internal.report_time(timestamptz) IS 'a time in the session''s time zone, in English: Fri 27 Nov 2026, 14:00';

CREATE FUNCTION reengage_internal.report_meter(part numeric, whole numeric, class text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('<svg xmlns="http://www.w3.org/2000/svg" class="meter" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect class="rail" width="100" height="8"/><rect class="%s" width="%s" height="8"/></svg><span class="share">%s</span>',
		class, round(CASE WHEN whole > 0 THEN least(100 * part / whole, 100) ELSE 0 END, 1), reengage_internal.report_share(part, whole))
$$;
COMMENT ON FUNCTION reengage_internal.report_meter(numeric, numeric, text) IS 'a part of a whole as a bar, and the number beside it';

CREATE FUNCTION reengage_internal.report_table(caption text, heads text[], rows text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	-- what scrolls can be reached by the keyboard
	SELECT format(E'<div class="table" role="region" tabindex="0" aria-label="%s"><table>\n<caption>%s</caption>\n<thead><tr>%s</tr></thead>\n<tbody>\n%s</tbody></table></div>\n',
		caption, caption,
		(SELECT string_agg(format('<th scope="col"%s>%s</th>', CASE WHEN h.head LIKE '#%' THEN ' class="number"' ELSE '' END, ltrim(h.head, '#')), '' ORDER BY h.place)
		 FROM unnest(heads) WITH ORDINALITY h (head, place)),
		rows)
$$;
COMMENT ON FUNCTION reengage_internal.report_table(text, text[], text) IS 'a table; the heads of columns of numbers begin with #';

CREATE FUNCTION reengage_internal.report_row(head text, VARIADIC cells text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format(E'<tr><th scope="row">%s</th>%s</tr>\n', head,
		(SELECT string_agg(format('<td>%s</td>', coalesce(c.cell, '&#8211;')), '' ORDER BY c.place)
		 FROM unnest(cells) WITH ORDINALITY c (cell, place)))
$$;
COMMENT ON FUNCTION reengage_internal.report_row(text, text[]) IS 'a row of a table; null is a dash';

CREATE FUNCTION reengage_internal.report_tile(name text, number numeric, whole numeric, class text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format(E'<div class="tile"><dt><span class="mark %s"></span>%s</dt><dd><strong>%s</strong> %s</dd></div>\n', class, name,
		reengage_internal.report_number(number), reengage_internal.report_share(number, whole))
$$;
COMMENT ON FUNCTION reengage_internal.report_tile(text, numeric, numeric, text) IS 'one large number';

CREATE FUNCTION reengage_internal.report_figure(id text, title text, said text, height integer, drawn text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format(E'<svg xmlns="http://www.w3.org/2000/svg" class="figure" viewBox="0 0 800 %s" role="img" aria-labelledby="%s-title %s-desc">\n<title id="%s-title">%s</title>\n<desc id="%s-desc">%s</desc>\n%s</svg>\n',
		height, id, id, id, title, id, said, drawn)
$$;
COMMENT ON FUNCTION reengage_internal.report_figure(text, text, text, integer, text) IS
	'a picture, 800 wide, with what those hear who do not see it';

CREATE FUNCTION reengage_internal.report_section(title text, intro text, figure text, tables text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format(E'<section>\n<h2>%s</h2>\n<p>%s</p>\n<div class="%s">\n%s%s</div>\n</section>\n', title, intro,
		CASE WHEN figure <> '' AND tables <> '' THEN 'beside' ELSE 'alone' END, figure, tables)
$$;
COMMENT ON FUNCTION reengage_internal.report_section(text, text, text, text) IS 'a part of the page: a picture with its table beside it, or one of them';

/* src/sql/45_report_parts.sql */

--
-- The parts of a campaign's report.
--
-- Each takes the facts, one object that report_facts() makes, and looks at nothing
-- else: so all of a page is of one moment, and a test can say what it is to show.
--
CREATE FUNCTION reengage_internal.report_happened(facts jsonb,
	OUT server text, OUT place integer, OUT notified bigint, OUT created bigint, OUT not_sent bigint, OUT in_doubt bigint,
	OUT looked_at bigint, OUT answered bigint, OUT requests bigint)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT h.* FROM jsonb_to_recordset(facts -> 'happened') h (server text, place integer, notified bigint, created bigint,
		not_sent bigint, in_doubt bigint, looked_at bigint, answered bigint, requests bigint)
$$;
COMMENT ON FUNCTION reengage_internal.report_happened(jsonb) IS 'of the facts: what ended, by server and part of the time';

CREATE FUNCTION reengage_internal.report_stands(facts jsonb,
	OUT server text, OUT state text, OUT reason text, OUT nudges bigint, OUT class text)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT s.server, s.state, s.reason, s.nudges, coalesce(w.class, 'waiting')
	FROM jsonb_to_recordset(facts -> 'stands') s (server text, state text, reason text, nudges bigint)
		LEFT JOIN reengage_internal.report_words() w ON w.kind = 'outcome' AND w.code = s.state
$$;
COMMENT ON FUNCTION reengage_internal.report_stands(jsonb) IS 'of the facts: how many nudges stand where; class: waiting, sent, in_doubt or not_sent';

CREATE FUNCTION reengage_internal.report_servers(facts jsonb,
	OUT server text, OUT requests_per_minute bigint, OUT due_now bigint, OUT scheduled bigint, OUT sent_per_minute numeric, OUT expected_end timestamptz)
RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT s.* FROM jsonb_to_recordset(facts -> 'servers') s (server text, requests_per_minute bigint, due_now bigint, scheduled bigint,
		sent_per_minute numeric, expected_end timestamptz)
$$;
COMMENT ON FUNCTION reengage_internal.report_servers(jsonb) IS 'of the facts: what the campaign''s servers are allowed, and how it goes on there, as in campaign_status';

CREATE FUNCTION reengage_internal.report_part_of_time(facts jsonb, place integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT to_char((facts -> 'bounds' ->> (place - 1))::timestamptz,
		CASE facts ->> 'step' WHEN 'hour' THEN 'Dy FMDD Mon, HH24:MI' WHEN 'day' THEN 'Dy FMDD Mon YYYY' ELSE 'FMMonth YYYY' END)
$$;
COMMENT ON FUNCTION reengage_internal.report_part_of_time(jsonb, integer) IS 'the name of an hour, day or month; they count from 1';

CREATE FUNCTION reengage_internal.report_head(facts jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format(E'<header>\n<p class="kind">Campaign</p>\n<h1><bdi>%s</bdi></h1>\n<p>As of %s. Times are in %s (UTC%s).</p>\n</header>\n',
			reengage_internal.html(facts ->> 'campaign'), reengage_internal.report_time((facts ->> 'as_of')::timestamptz),
			reengage_internal.html(current_setting('TimeZone')), to_char((facts ->> 'as_of')::timestamptz, 'OF'))
		|| coalesce((SELECT string_agg(format(E'<p class="alert"><bdi>%s</bdi></p>\n', reengage_internal.html(t.said)), '' ORDER BY t.server COLLATE "C" NULLS FIRST, t.said COLLATE "C")
			FROM jsonb_to_recordset(facts -> 'troubles') t (server text, said text)), '')
		|| (SELECT E'<dl class="tiles">\n' || string_agg(reengage_internal.report_tile(t.name,
				coalesce((SELECT sum(s.nudges) FROM reengage_internal.report_stands(facts) s WHERE t.class IN ('asked', s.class)), 0),
				(SELECT sum(s.nudges) FROM reengage_internal.report_stands(facts) s), t.class), '' ORDER BY t.place) || E'</dl>\n'
			FROM (VALUES (1, 'asked', 'asked for'), (2, 'sent', 'sent'), (3, 'waiting', 'waiting'),
						 (4, 'not_sent', 'not sent'), (5, 'in_doubt', 'in doubt')) t (place, class, name))
$$;
COMMENT ON FUNCTION reengage_internal.report_head(jsonb) IS 'which campaign, as of when, what keeps it, and its five numbers';

CREATE FUNCTION reengage_internal.report_funnel(facts jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	happened record;
	asked bigint;
	ended_before bigint;
	steps bigint[];
	names text[] := '{"asked for","conversation looked at","sent","answered afterwards"}';
	drawn text;
	rows text;
BEGIN
	SELECT coalesce(sum(h.notified + h.created + h.not_sent + h.in_doubt), 0) AS ended, coalesce(sum(h.looked_at), 0) AS looked_at,
		coalesce(sum(h.notified), 0) AS notified, coalesce(sum(h.created), 0) AS created, coalesce(sum(h.answered), 0) AS answered
	INTO happened FROM reengage_internal.report_happened(facts) h;
	SELECT coalesce(sum(s.nudges) FILTER (WHERE s.class = 'waiting'), 0) + happened.ended,
		coalesce(sum(s.nudges) FILTER (WHERE s.class <> 'waiting'), 0) - happened.ended
	INTO asked, ended_before FROM reengage_internal.report_stands(facts) s;
	steps := ARRAY[asked, happened.looked_at, happened.notified + happened.created, happened.answered];

	SELECT string_agg(
			format(E'<text x="0" y="%s">%s</text><text x="800" y="%s" class="end strong">%s</text><rect class="rail" x="0" y="%s" width="800" height="22"/>',
				   y + 18, names[i], y + 18, reengage_internal.report_number(steps[i]), y + 26)
			|| CASE WHEN i = 3
				THEN format(E'<rect class="sent" x="0" y="%s" width="%s" height="22"/><rect class="created" x="%s" y="%s" width="%s" height="22"/>\n',
					y + 26, round(scale * happened.notified, 1), round(scale * happened.notified, 1), y + 26, round(scale * happened.created, 1))
				ELSE format(E'<rect class="%s" x="0" y="%s" width="%s" height="22"/>\n',
					('{asked,looked,sent,answered}'::text[])[i], y + 26, round(scale * steps[i], 1)) END, '' ORDER BY i),
		string_agg(reengage_internal.report_row(names[i], reengage_internal.report_number(steps[i]),
				reengage_internal.report_share(steps[i], steps[1]), CASE WHEN i > 1 THEN reengage_internal.report_share(steps[i], steps[i - 1]) END)
			|| CASE WHEN i = 3 THEN
				reengage_internal.report_row('<span class="mark sent"></span>into the conversation', reengage_internal.report_number(happened.notified),
					reengage_internal.report_share(happened.notified, steps[1]), reengage_internal.report_share(happened.notified, steps[2]))
				|| reengage_internal.report_row('<span class="mark created"></span>in a new one', reengage_internal.report_number(happened.created),
					reengage_internal.report_share(happened.created, steps[1]), reengage_internal.report_share(happened.created, steps[2]))
				ELSE '' END, '' ORDER BY i)
	INTO drawn, rows
	FROM generate_series(1, 4) i, LATERAL (SELECT (i - 1) * 64 AS y, 800.0 / greatest(steps[1], 1) AS scale) place;

	RETURN reengage_internal.report_section('How far it came',
		CASE WHEN ended_before > 0
			THEN format('Those that ended since %s, and those that wait. %s ended before.', reengage_internal.report_time((facts -> 'bounds' ->> 0)::timestamptz),
						reengage_internal.report_number(ended_before))
			ELSE 'From what was asked for to what customers wrote back, as far as applications told of it.' END,
		reengage_internal.report_figure('funnel', 'How far the campaign came',
			format('%s asked for, %s looked at, %s sent, %s answered afterwards', steps[1], steps[2], steps[3], steps[4]), 244, drawn),
		reengage_internal.report_table('From asking to answers', '{step,#messages,#of all,#of the step before}', rows));
END
$$;
COMMENT ON FUNCTION reengage_internal.report_funnel(jsonb) IS 'from asked for to answered';

CREATE FUNCTION reengage_internal.report_bar(class text, x numeric, width numeric, below numeric, number numeric, top numeric) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN number = 0 THEN ''
		ELSE format('<rect class="%s" x="%s" width="%s" y="%s" height="%s"/>', class, x, width,
					round(256 - 240 * (below + number) / top, 1), round(240 * number / top, 1)) END
$$;
COMMENT ON FUNCTION reengage_internal.report_bar(text, numeric, numeric, numeric, numeric, numeric) IS
	'a part of a bar, on top of what is below it';

CREATE FUNCTION reengage_internal.report_outcomes(facts jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	step text := facts ->> 'step';
	-- before anything ended there is nothing to see, but some of it makes one bar look like one
	first integer := (SELECT greatest(least(min(h.place), jsonb_array_length(facts -> 'bounds') - 23), 1) FROM reengage_internal.report_happened(facts) h);
	parts integer := jsonb_array_length(facts -> 'bounds') - first + 1;
	slot numeric := 696.0 / parts;
	most bigint := (SELECT max(s.sum) FROM (
		SELECT sum(h.notified + h.created + h.not_sent + h.in_doubt) FROM reengage_internal.report_happened(facts) h GROUP BY h.place) s);
	-- the smallest of 1, 2, 5, 10 ... that makes at most five lines
	line bigint := (SELECT min((m * 10 ^ k)::bigint) FROM unnest('{1,2,5}'::numeric[]) m, generate_series(0, 15) k WHERE m * 10 ^ k * 5 >= most);
	top bigint := ceil(most::numeric / line) * line;
	drawn text;
	bars text;
	rows text;
BEGIN
	IF most IS NULL THEN
		RETURN reengage_internal.report_section('When it happened',
			format('Nothing has ended since %s.', reengage_internal.report_time((facts -> 'bounds' ->> 0)::timestamptz))
			|| CASE WHEN EXISTS (SELECT FROM reengage_internal.report_stands(facts) s WHERE s.class <> 'waiting')
				THEN ' What ended before is shown on a page that is made from an earlier time on.' ELSE '' END, '', '');
	END IF;
	-- what is counted, from 0 at the bottom: 240 high, beginning at 16
	SELECT string_agg(format(E'<line class="grid" x1="100" x2="796" y1="%s" y2="%s"/><text x="92" y="%s" class="end">%s</text>\n',
			y, y, y + 6, reengage_internal.report_number(n)), '' ORDER BY n)
	INTO drawn
	FROM generate_series(0, top, line) n, LATERAL (SELECT round(256 - 240.0 * n / top, 1) AS y) place;
	-- when: each midnight, and what has room between
	SELECT drawn || coalesce(string_agg(format(E'<line class="grid" x1="%s" x2="%s" y1="256" y2="263"/><text x="%s" y="284" class="middle">%s</text>\n',
			x, x, x, to_char(b.at::timestamptz, CASE WHEN step = 'month' THEN 'Mon YYYY' WHEN step = 'day' OR hour = 0 THEN 'FMDD Mon' ELSE 'HH24:MI' END)), '' ORDER BY b.place), '')
	INTO drawn
	FROM jsonb_array_elements_text(facts -> 'bounds') WITH ORDINALITY b (at, place),
		LATERAL (SELECT round(100 + slot * (b.place - first), 1) AS x, extract(hour FROM b.at::timestamptz) AS hour) place
	WHERE b.place >= first AND CASE WHEN step = 'hour' THEN hour % CASE WHEN parts <= 14 THEN 1 WHEN parts <= 50 THEN 6 ELSE 24 END = 0
			   ELSE (b.place - first) % ceil(parts / 9.0)::integer = 0 END;

	SELECT string_agg(format(E'<g><title>%s: %s sent, %s not sent, %s in doubt</title>', said, sent, not_sent, in_doubt)
			|| reengage_internal.report_bar('sent', x, width, 0, sent, top)
			|| reengage_internal.report_bar('not_sent', x, width, sent, not_sent, top)
			|| reengage_internal.report_bar('in_doubt', x, width, sent + not_sent, in_doubt, top) || E'</g>\n', '' ORDER BY place),
		string_agg(reengage_internal.report_row(said, reengage_internal.report_number(sent), reengage_internal.report_number(not_sent),
			reengage_internal.report_number(in_doubt)), '' ORDER BY place)
	INTO bars, rows
	FROM (SELECT h.place, sum(h.notified + h.created) AS sent, sum(h.not_sent) AS not_sent, sum(h.in_doubt) AS in_doubt,
			reengage_internal.report_part_of_time(facts, h.place) AS said,
			round(100 + slot * (h.place - first) + slot * 0.1, 1) AS x, round(slot * 0.8, 1) AS width
		  FROM reengage_internal.report_happened(facts) h GROUP BY h.place) p;

	RETURN reengage_internal.report_section('When it happened',
		format('What ended in each %s since %s. <span class="legend"><span class="mark sent"></span>sent <span class="mark not_sent"></span>not sent <span class="mark in_doubt"></span>in doubt</span>',
			   step, reengage_internal.report_time((facts -> 'bounds' ->> (first - 1))::timestamptz)),
		reengage_internal.report_figure('outcomes', format('Messages that ended, by %s', step),
			format('Bars: how many were sent, not sent or in doubt in each %s; the highest has %s. The table has the numbers.', step, most), 320,
			E'<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch" width="6" height="6"/><rect class="stripe" width="3" height="6"/></pattern></defs>\n'
			|| drawn || bars
			|| format(E'<text x="448" y="312" class="middle">%s, in %s</text>\n<text x="18" y="136" class="middle" transform="rotate(-90 18 136)">messages</text>\n',
					  step, reengage_internal.html(current_setting('TimeZone')))),
		reengage_internal.report_table(format('What ended, by %s', step), ARRAY[step, '#sent', '#not sent', '#in doubt'], rows));
END
$$;
COMMENT ON FUNCTION reengage_internal.report_outcomes(jsonb) IS 'what ended when';

CREATE FUNCTION reengage_internal.report_waiting(facts jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT reengage_internal.report_section('What the rest waits for',
		CASE WHEN count(*) = 0 THEN 'Nothing waits: all that was asked for has ended.'
			ELSE format('Not ended yet: %s.', reengage_internal.report_number(sum(w.nudges))) END, '',
		CASE WHEN count(*) = 0 THEN ''
			ELSE reengage_internal.report_table('Waiting for', '{waiting for,#messages,#share}', string_agg(reengage_internal.report_row(w.words,
				reengage_internal.report_number(w.nudges), reengage_internal.report_meter(w.nudges, w.total, 'waiting')),
				'' ORDER BY w.nudges DESC, w.words COLLATE "C")) END)
	FROM (SELECT sum(p.nudges) AS nudges, sum(sum(p.nudges)) OVER () AS total, p.words
		  FROM reengage_internal.report_stands(facts) s LEFT JOIN reengage_internal.report_servers(facts) v ON v.server = s.server,
			LATERAL (VALUES
				(CASE WHEN s.state = 'calling' THEN s.nudges END, 'the answer of the messaging service: the message is on its way'),
				(CASE WHEN s.reason IS NOT NULL THEN s.nudges END, reengage_internal.report_says('hold', s.reason)),
				(CASE WHEN s.state = 'due' AND s.reason IS NULL THEN v.due_now END, 'its turn'),
				(CASE WHEN s.state = 'due' AND s.reason IS NULL THEN v.scheduled END, 'its time, which is still to come'),
				(CASE WHEN s.state = 'due' AND s.reason IS NULL AND v.due_now IS NULL THEN s.nudges END, 'its time, or its turn')) p (nudges, words)
		  WHERE s.class = 'waiting' AND p.nudges > 0
		  GROUP BY p.words) w
$$;
COMMENT ON FUNCTION reengage_internal.report_waiting(jsonb) IS 'what waits, and for what';

CREATE FUNCTION reengage_internal.report_not_sent(facts jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT reengage_internal.report_section('What was not sent, and why',
		CASE WHEN count(*) = 0 THEN 'Nothing ended without being sent.'
			ELSE format('Ended without being sent: %s. Whoever operates the database knows the words at the right.', reengage_internal.report_number(sum(n.nudges))) END, '',
		CASE WHEN count(*) = 0 THEN ''
			ELSE reengage_internal.report_table('Not sent', '{why,#messages,#share,known as}', string_agg(reengage_internal.report_row(n.words,
				reengage_internal.report_number(n.nudges), reengage_internal.report_meter(n.nudges, n.total, 'not_sent'),
				'<div class="words"><code>' || reengage_internal.html(n.code) || '</code></div>'), '' ORDER BY n.nudges DESC, n.code COLLATE "C")) END)
	FROM (SELECT sum(s.nudges) AS nudges, sum(sum(s.nudges)) OVER () AS total, concat_ws(', ', s.state, s.reason) AS code,
			reengage_internal.report_says('outcome', s.state) || coalesce(': ' || reengage_internal.report_says('reason', s.reason), '') AS words
		  FROM reengage_internal.report_stands(facts) s WHERE s.class = 'not_sent'
		  GROUP BY s.state, s.reason) n
$$;
COMMENT ON FUNCTION reengage_internal.report_not_sent(jsonb) IS 'what was not sent, and why';

CREATE FUNCTION reengage_internal.report_quota(facts jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	WITH used AS (
		SELECT q.server, sum(q.requests) AS requests, max(q.requests) AS most
		FROM (SELECT h.server, h.place, sum(h.requests) AS requests FROM reengage_internal.report_happened(facts) h GROUP BY h.server, h.place) q
		GROUP BY q.server
	), stands AS (
		SELECT s.server, coalesce(sum(s.nudges) FILTER (WHERE s.class = 'waiting'), 0) AS waiting,
			EXISTS (SELECT FROM jsonb_to_recordset(facts -> 'troubles') t (server text) WHERE coalesce(t.server, s.server) = s.server) AS troubled
		FROM reengage_internal.report_stands(facts) s GROUP BY s.server
	)
	SELECT reengage_internal.report_section('The messaging service''s quota',
		format('Requests for messages of this campaign that ended since %s. Other campaigns use the same quota. The end is that of what may go out now, if it goes on as in the last five minutes.',
			   reengage_internal.report_time((facts -> 'bounds' ->> 0)::timestamptz)), '',
		reengage_internal.report_table('Requests',
			ARRAY['service', '#allowed a minute', '#used', '#at most in ' || CASE facts ->> 'step' WHEN 'hour' THEN 'an hour' ELSE 'a ' || (facts ->> 'step') END,
				  '#of what is allowed', '#sent a minute', '#waiting', 'expected end'],
			string_agg(reengage_internal.report_row('<bdi>' || reengage_internal.html(s.server) || '</bdi>',
				CASE v.requests_per_minute WHEN 0 THEN 'no limit' ELSE reengage_internal.report_number(v.requests_per_minute) END,
				reengage_internal.report_number(coalesce(u.requests, 0)), reengage_internal.report_number(coalesce(u.most, 0)),
				reengage_internal.report_meter(coalesce(u.most, 0),
					v.requests_per_minute * CASE facts ->> 'step' WHEN 'hour' THEN 60 WHEN 'day' THEN 1440 ELSE 43200 END, 'asked'),
				to_char(coalesce(v.sent_per_minute, 0), 'FM999,999,990.0'), reengage_internal.report_number(s.waiting),
				'<div class="words">' || CASE
					WHEN s.waiting = 0 THEN 'all has ended'
					WHEN s.troubled THEN 'unknown, as long as it is not called'
					WHEN v.expected_end IS NOT NULL THEN reengage_internal.report_time(v.expected_end)
					WHEN v.due_now = 0 THEN 'nothing may go out now'
					ELSE 'unknown, as nothing ended lately' END || '</div>'),
				'' ORDER BY s.server COLLATE "C")))
	FROM stands s LEFT JOIN used u ON u.server = s.server LEFT JOIN reengage_internal.report_servers(facts) v ON v.server = s.server
$$;
COMMENT ON FUNCTION reengage_internal.report_quota(jsonb) IS 'requests that were made, and when the rest may have ended';

CREATE FUNCTION reengage_internal.report_doubt(facts jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT reengage_internal.report_section('What is in doubt',
		CASE WHEN count(*) = 0 THEN 'Nothing: of each message it is known whether it was sent.'
			ELSE 'Whether these messages reached their customers is not known, and they are not sent again by themselves. Whoever operates the database can find out and settle them.' END, '',
		CASE WHEN count(*) = 0 THEN ''
			ELSE reengage_internal.report_table('In doubt', '{service,why,#messages,since}', string_agg(reengage_internal.report_row(
				'<bdi>' || reengage_internal.html(d.server) || '</bdi>', '<div class="words">' || reengage_internal.report_says('reason', d.reason) || '</div>',
				reengage_internal.report_number(d.nudges), '<div class="words">' || reengage_internal.report_time(d.since) || '</div>'), '' ORDER BY d.since, d.server COLLATE "C", d.reason COLLATE "C")) END)
	FROM jsonb_to_recordset(facts -> 'doubts') d (server text, reason text, nudges bigint, since timestamptz)
$$;
COMMENT ON FUNCTION reengage_internal.report_doubt(jsonb) IS 'what may or may not have been sent';

/* src/sql/46_report.sql */

--
-- The report of a campaign: the page, the facts, and reengage.report().
--
CREATE FUNCTION reengage_internal.report_style() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	-- In print as by daylight; hatching tells parts of a bar apart where colours do not.
	SELECT '
:root { color-scheme: light dark; --page: #ffffff; --card: #f4f6f8; --ink: #1b2530; --soft: #56626e; --line: #d5dbe1;
  --sent: #1d5f9e; --created: #3f93d0; --not: #7f8b96; --stripe: #c3cad1; --doubt: #c8520a; --waiting: #7a6bb5; --answered: #2a8a55; --alert: #fff1e3; }
@media screen and (prefers-color-scheme: dark) { :root { --page: #12181f; --card: #1b232c; --ink: #e6ebf0; --soft: #a3afbb; --line: #34404c;
  --sent: #4d9be0; --created: #9fd0f5; --not: #6d7883; --stripe: #4a545f; --doubt: #f08a3c; --waiting: #a79be0; --answered: #5cc98a; --alert: #3a2a1a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 2rem 1.5rem 3rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; }
h1 { margin: 0; font-size: 2rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 0 0 .25rem; font-size: 1.25rem; }
header p { margin: .25rem 0; color: var(--soft); }
header .kind { font-size: .8rem; letter-spacing: .08em; text-transform: uppercase; }
section { margin-top: 2.5rem; }
section p { margin: 0 0 1rem; color: var(--soft); max-width: 60rem; }
.alert { margin: 1rem 0 0; padding: .6rem 1rem; background: var(--alert); border-left: .3rem solid var(--doubt); overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 1rem; margin: 1.5rem 0 0; }
.tile { padding: .8rem 1rem; background: var(--card); border-radius: .5rem; }
.tile dt { color: var(--soft); font-size: .9rem; }
.tile dd { margin: 0; color: var(--soft); font-size: .9rem; }
.tile strong { display: block; font-weight: 700; color: var(--ink); font-size: 1.7rem; line-height: 1.3; }
strong, td, svg text { font-variant-numeric: tabular-nums; }
.beside { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 2rem; align-items: start; }
.table { overflow: auto; max-height: 24rem; }
table { width: 100%; border-collapse: collapse; font-size: .9rem; }
caption { text-align: left; font-weight: 600; padding-bottom: .25rem; }
th, td { padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; white-space: nowrap; }
tbody th { text-align: left; font-weight: 400; white-space: normal; overflow-wrap: anywhere; }
thead th { position: sticky; top: 0; background: var(--page); text-align: left; color: var(--soft); font-weight: 400; }
thead th:not(.number):not(:first-child) { padding-left: 1rem; } thead th.number { text-align: right; }
td:last-child, th:last-child { padding-right: .25rem; }
.share { display: inline-block; min-width: 3.75rem; }
.words { text-align: left; padding-left: 1rem; }
code { font-size: .85rem; color: var(--soft); }
.mark { display: inline-block; width: .7rem; height: .7rem; margin-right: .4rem; border-radius: .15rem; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.legend { white-space: nowrap; } .legend .mark { margin-left: .75rem; }
.figure { display: block; width: 100%; height: auto; } .meter { width: 6rem; height: .55rem; margin-right: .75rem; }
svg text { fill: var(--soft); font-size: 18px; } svg .strong { fill: var(--ink); font-weight: 600; font-size: 20px; }
svg .end { text-anchor: end; } svg .middle { text-anchor: middle; }
.grid { stroke: var(--line); stroke-width: 1; } .rail { fill: var(--card); } .stripe { fill: var(--stripe); } .hatch { fill: var(--not); }
rect.asked { fill: var(--soft); } rect.looked { fill: var(--waiting); } rect.sent { fill: var(--sent); } rect.answered { fill: var(--answered); } rect.created { fill: var(--created); }
rect.waiting { fill: var(--waiting); } rect.not_sent { fill: var(--not); } rect.in_doubt { fill: var(--doubt); } .figure g rect.not_sent { fill: url(#hatch); }
.mark.asked { background: var(--soft); } .mark.sent { background: var(--sent); } .mark.created { background: var(--created); } .mark.waiting { background: var(--waiting); }
.mark.not_sent { background: repeating-linear-gradient(45deg, var(--not) 0 3px, var(--stripe) 3px 6px); } .mark.in_doubt { background: var(--doubt); }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .85rem; }
@media (max-width: 50rem) { .beside { grid-template-columns: minmax(0, 1fr); } }
@media print { body { padding: 0; max-width: none; font-size: 10pt; } .table { max-height: none; overflow: visible; } thead th { position: static; }
  .tile { border: 1px solid var(--line); } section { margin-top: 1.5rem; } h2, .figure, tr { break-inside: avoid; } h2, section p { break-after: avoid; } }
'
$$;
COMMENT ON FUNCTION reengage_internal.report_style() IS 'how a report looks: by day, by night and in print';

CREATE FUNCTION reengage_internal.report_page(facts jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	-- should anything get through html() after all, a browser runs and fetches nothing
	SELECT format(E'<!DOCTYPE html>\n<html lang="en" xmlns="http://www.w3.org/1999/xhtml">\n<head>\n<meta charset="utf-8"/>\n'
			|| E'<meta http-equiv="Content-Security-Policy" content="default-src ''none''; style-src ''unsafe-inline''; base-uri ''none''; form-action ''none''"/>\n'
			|| E'<meta name="viewport" content="width=device-width, initial-scale=1"/>\n<meta name="robots" content="noindex"/>\n<meta name="referrer" content="no-referrer"/>\n'
			|| E'<title>Campaign %s</title>\n<style>%s</style>\n</head>\n<body>\n', reengage_internal.html(facts ->> 'campaign'), reengage_internal.report_style())
		|| reengage_internal.report_head(facts)
		|| E'<main>\n' || reengage_internal.report_funnel(facts) || reengage_internal.report_outcomes(facts) || reengage_internal.report_waiting(facts)
		|| reengage_internal.report_not_sent(facts) || reengage_internal.report_quota(facts) || reengage_internal.report_doubt(facts) || E'</main>\n'
		|| E'<footer><p>A message is sent when the messaging service took it; whether somebody read it is not known here. This page names no customer. It was made by reengage.report().</p></footer>\n'
		|| E'</body>\n</html>\n'
$$;
COMMENT ON FUNCTION reengage_internal.report_page(jsonb) IS 'the facts of a campaign as a page of HTML';

-- Who may not look into answers, pauses and server_state is told no more of them than here.
CREATE FUNCTION reengage_internal.report_ended(campaign text, bounds timestamptz[])
RETURNS TABLE (server text, place integer, notified bigint, created bigint, not_sent bigint, in_doubt bigint,
	looked_at bigint, answered bigint, requests bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
BEGIN
	RETURN QUERY
		SELECT e.server, e.place,
			coalesce(sum(e.nudges) FILTER (WHERE w.class = 'sent' AND e.outcome <> 'session_created'), 0)::bigint,
			coalesce(sum(e.nudges) FILTER (WHERE e.outcome = 'session_created'), 0)::bigint,
			coalesce(sum(e.nudges) FILTER (WHERE w.class = 'not_sent'), 0)::bigint,
			coalesce(sum(e.nudges) FILTER (WHERE w.class = 'in_doubt'), 0)::bigint,
			sum(e.looked_at)::bigint, coalesce(sum(e.answered) FILTER (WHERE w.class = 'sent'), 0)::bigint,
			sum(e.requests)::bigint
		FROM (SELECT l.server, l.outcome, width_bucket(l.recorded_at, bounds) AS place, count(*) AS nudges, count(l.checked_at) AS looked_at,
				count(*) FILTER (WHERE l.step IS NOT NULL AND (
					EXISTS (SELECT FROM reengage.answers a WHERE a.address_hash = l.address_hash AND a.answered_at > coalesce(l.called_at, l.occurred_at))
					OR EXISTS (SELECT FROM reengage.answers a WHERE a.address_hash IS NULL AND a.root_conversation_id = l.root_conversation_id
							   AND a.server = l.server AND a.answered_at > coalesce(l.called_at, l.occurred_at)))) AS answered,
				sum(l.api_calls) AS requests
			  -- found by the campaign's nudges or by the time: a planner knows which are fewer
			  FROM reengage.nudges n JOIN reengage.lineage l ON l.nudge_id = n.nudge_id
			  WHERE n.campaign = report_ended.campaign AND l.campaign = report_ended.campaign AND l.recorded_at >= bounds[1]
				AND (l.lineage_id >= reengage.first_id(bounds[1] - interval '0.2 s') OR NOT reengage_internal.id_tells(l.lineage_id, l.recorded_at))
				-- of a doubt that was resolved, the verdict counts
				AND NOT EXISTS (SELECT FROM reengage.lineage r WHERE l.outcome = 'in_doubt' AND r.resolves = l.lineage_id)
			  GROUP BY l.server, l.outcome, 3) e
			JOIN reengage_internal.report_words() w ON w.kind = 'outcome' AND w.code = e.outcome
		GROUP BY e.server, e.place;
END
$$;
COMMENT ON FUNCTION reengage_internal.report_ended(text, timestamptz[]) IS
	'what of a campaign ended since the first of the bounds, by server and part of the time';

CREATE FUNCTION reengage_internal.report_troubles(servers text[], OUT server text, OUT said text) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
	SELECT NULL, 'Nothing is sent from this database: ' || replace(f.complaint, ': nothing is sent', '')
	FROM (SELECT reengage_internal.fence_complaint()) f (complaint) WHERE f.complaint IS NOT NULL
	UNION ALL
	SELECT p.server, format('%s is paused by %s since %s', p.server, p.paused_by, reengage_internal.report_time(p.since)) || coalesce(': ' || p.reason, '.')
	FROM reengage.pauses p WHERE p.server = ANY (servers)
	UNION ALL
	-- why may name files and machines, which is nothing for a page that goes round
	SELECT s.server, format('%s is %s since %s; whoever operates the database finds why in reengage.health.', s.server,
		CASE s.state WHEN 'resting' THEN 'left alone, as it asked for,' ELSE 'not called' END, reengage_internal.report_time(s.since))
	FROM reengage.server_state s WHERE s.server = ANY (servers) AND s.state <> 'attention'
$$;
COMMENT ON FUNCTION reengage_internal.report_troubles(text[]) IS 'what keeps these servers from being called, in words; without a server: any';

CREATE FUNCTION reengage_internal.requests_per_minute(server text) RETURNS integer
LANGUAGE C STABLE STRICT
AS 'MODULE_PATHNAME', 'reengage_requests_per_minute';
COMMENT ON FUNCTION reengage_internal.requests_per_minute(text) IS
	'max_requests_per_minute of a server; 0: no limit, null: there is no such server';

CREATE FUNCTION reengage_internal.report_bounds(since timestamptz, OUT step text, OUT bounds timestamptz[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT isfinite(since) OR since > now() OR since < now() - interval '20 years' THEN
		RAISE EXCEPTION 'invalid time to report from: %', since
			USING ERRCODE = 'invalid_parameter_value',
				  DETAIL = 'It must be a time within the last 20 years.',
				  HINT = 'For example: now() - interval ''2 days''.';
	END IF;
	-- as many bars as can be told apart
	step := CASE WHEN now() - since <= interval '8 days' THEN 'hour' WHEN now() - since <= interval '200 days' THEN 'day' ELSE 'month' END;
	IF step = 'hour' THEN
		bounds := ARRAY(SELECT b FROM generate_series(date_trunc(step, since), now(), interval '1 hour') b);
	ELSE
		-- by the calendar: after a midnight that a clock skips, days would go on to begin at one
		bounds := ARRAY(SELECT b::timestamptz FROM generate_series(date_trunc(step, since::timestamp), now()::timestamp, ('1 ' || step)::interval) b);
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.report_bounds(timestamptz) IS
	'the hours, days or months from a time until now, by their beginnings in the session''s time zone';

CREATE FUNCTION reengage_internal.require_campaign(campaign text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	near text;
BEGIN
	IF campaign IS NULL THEN
		RAISE EXCEPTION 'no campaign is named'
			USING ERRCODE = 'null_value_not_allowed',
				  HINT = 'SELECT DISTINCT campaign FROM reengage.campaign_status; lists them. Nudges without a campaign have no report.';
	END IF;
	IF EXISTS (SELECT FROM reengage.nudge_counts c WHERE c.campaign = require_campaign.campaign) THEN
		RETURN;
	END IF;
	-- those that differ in spaces, signs and the size of letters only, or are a part of each other
	SELECT string_agg(format('"%s"', n.campaign), ', ' ORDER BY n.campaign)
	INTO near
	FROM (SELECT DISTINCT c.campaign
		  -- of so many: whoever has an id of each nudge for a campaign has millions
		  FROM (SELECT a.campaign FROM reengage.nudge_counts a LIMIT 10000) c,
			LATERAL (SELECT regexp_replace(lower(c.campaign), '[^[:alnum:]]+', '', 'g'), regexp_replace(lower(require_campaign.campaign), '[^[:alnum:]]+', '', 'g')) s (theirs, said)
		  WHERE s.said <> '' AND s.theirs <> '' AND (strpos(s.theirs, s.said) > 0 OR strpos(s.said, s.theirs) > 0)
		  ORDER BY c.campaign LIMIT 3) n;
	-- a date is no telephone number
	RAISE EXCEPTION 'there is no campaign "%"', CASE WHEN campaign ~ '@|^[-+0-9 ()./]*$' THEN reengage_internal.shown(campaign) ELSE left(campaign, 256) END
		USING ERRCODE = 'no_data_found',
			  DETAIL = 'No nudge was ever asked for by this name.',
			  HINT = coalesce('Did you mean ' || near || '? ', '') || 'SELECT DISTINCT campaign FROM reengage.campaign_status; lists them.';
END
$$;
COMMENT ON FUNCTION reengage_internal.require_campaign(text) IS 'an error that names similar ones if there is no such campaign';

CREATE FUNCTION reengage_internal.report_facts(campaign text, since timestamptz) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	WITH stands AS (
		SELECT c.server, c.state, c.reason, sum(c.nudges) AS nudges
		FROM reengage.nudge_counts c WHERE c.campaign = report_facts.campaign
		GROUP BY c.server, c.state, c.reason
	), doubts AS (
		SELECT d.server, d.reason, count(*) AS nudges, min(d.since) AS since
		FROM reengage.in_doubt d WHERE d.campaign = report_facts.campaign
		GROUP BY d.server, d.reason
	)
	SELECT jsonb_build_object('campaign', campaign, 'as_of', now(), 'step', b.step, 'bounds', b.bounds,
		'stands', (SELECT jsonb_agg(to_jsonb(s)) FROM stands s),
		'happened', (SELECT coalesce(jsonb_agg(to_jsonb(e)), '[]') FROM reengage_internal.report_ended(campaign, b.bounds) e),
		'doubts', (SELECT coalesce(jsonb_agg(to_jsonb(d)), '[]') FROM doubts d),
		'troubles', (SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM reengage_internal.report_troubles(ARRAY(SELECT DISTINCT s.server FROM stands s)) t),
		'servers', (SELECT jsonb_agg(to_jsonb(v)) FROM (
			SELECT s.server, reengage_internal.requests_per_minute(s.server), s.due_now, s.scheduled, s.sent_per_minute, s.expected_end
			FROM reengage.campaign_status s WHERE s.campaign = report_facts.campaign) v))
	FROM reengage_internal.report_bounds(since) b
$$;
COMMENT ON FUNCTION reengage_internal.report_facts(text, timestamptz) IS 'all that a report says of a campaign, as one object';

CREATE FUNCTION reengage.report(campaign text, since timestamptz DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
BEGIN
	PERFORM reengage_internal.require_campaign(campaign);
	RETURN reengage_internal.report_page(reengage_internal.report_facts(campaign, coalesce(since, now() - interval '7 days')));
END
$$;
COMMENT ON FUNCTION reengage.report(text, timestamptz) IS
	'a campaign as one page of HTML for people: how far it came, what ended in each hour (beyond 8 days: day, beyond 200: month) since a time (7 days ago), what waits and for what, what was not sent and why, the quota, and doubts; times in the session''s time zone; no script, nothing from elsewhere, no customer; reads what ended of the campaign since then; an error if there is no such campaign, with those of similar names';

/* src/sql/50_import.sql */

--
-- Importing history, a subsystem of its own: parts 50 to 56, import_*.c, and in
-- reengage_internal what is called import_ something.  Its way, which
-- import_history() in part 56 goes from top to bottom:
--
--   source     a CSV file on the server, or a table of the caller's; which of its
--              columns is what (51)
--   staging    its fields as they are, in pg_temp.reengage_import_staging; under
--              the names of what they mean, in the view reengage_import_record (53)
--   readings   what a record says: times, address, template (52); and, when all
--              have been read, what becomes of each, in reengage_import_plan (54)
--   questions  nudges that are asked for, threads that begin; in chunks, each a
--              transaction (55)
--   records    what was done, and what was rejected (50)
--
-- It asks for nudges as any caller may, and nothing else calls its functions.
--
-- What each import did.
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
SELECT pg_catalog.pg_extension_config_dump('reengage.import_runs', '');

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
SELECT pg_catalog.pg_extension_config_dump('reengage.import_rejects', '');

CREATE VIEW reengage.imports AS
SELECT r.import_id, r.server, r.campaign, r.source,
	CASE
		WHEN r.finished_at IS NOT NULL THEN 'finished'
		-- between two chunks it holds no lock, for a moment
		WHEN r.moved_at > pg_catalog.clock_timestamp() - interval '1 s'
		  OR reengage_internal.is_locked('import', r.import_id::text)
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

CREATE FUNCTION reengage_internal.import_counts(reasons jsonb, OUT accepted bigint, OUT rejected bigint, OUT skipped bigint)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(sum(r.value::bigint) FILTER (WHERE reengage.import_outcome(r.key) = 'accepted'), 0),
		   coalesce(sum(r.value::bigint) FILTER (WHERE reengage.import_outcome(r.key) = 'rejected'), 0),
		   coalesce(sum(r.value::bigint) FILTER (WHERE reengage.import_outcome(r.key) = 'skipped'), 0)
	FROM jsonb_each_text(reasons) r
$$;
COMMENT ON FUNCTION reengage_internal.import_counts(jsonb) IS 'the three counts of its reasons';

CREATE FUNCTION reengage_internal.import_add_reasons(one jsonb, other jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_object_agg(s.key, s.records), '{}')
	FROM (SELECT b.key, sum(b.value::bigint) AS records
		  FROM (SELECT * FROM jsonb_each_text(one) UNION ALL SELECT * FROM jsonb_each_text(other)) b
		  GROUP BY b.key) s
	WHERE s.records > 0
$$;
COMMENT ON FUNCTION reengage_internal.import_add_reasons(jsonb, jsonb) IS 'adds up counts of reasons';

CREATE FUNCTION reengage_internal.import_count_reasons(reasons text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_object_agg(r.reason, r.records), '{}')
	FROM (SELECT u.reason, count(*) AS records FROM unnest(reasons) u(reason) GROUP BY u.reason) r
$$;
COMMENT ON FUNCTION reengage_internal.import_count_reasons(text[]) IS 'how often there is each reason';

CREATE FUNCTION reengage_internal.import_begin(options jsonb, source text, records_read bigint) RETURNS uuid
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	INSERT INTO reengage.import_runs (server, campaign, source, records_read)
	VALUES (options ->> 'server', options ->> 'campaign', $2, $3) RETURNING import_id
$$;
COMMENT ON FUNCTION reengage_internal.import_begin(jsonb, text, bigint) IS 'writes down that an import begins';

CREATE FUNCTION reengage_internal.import_lock(import_id uuid) RETURNS void
LANGUAGE sql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
	SELECT reengage_internal.lock('import', import_id::text)
$$;
COMMENT ON FUNCTION reengage_internal.import_lock(uuid) IS
	'the lock by which the view imports knows that it runs, until the end of the transaction';

CREATE FUNCTION reengage_internal.import_lock_campaign(server text, campaign text) RETURNS void
LANGUAGE sql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
	SELECT reengage_internal.lock('import', server, campaign)
$$;
COMMENT ON FUNCTION reengage_internal.import_lock_campaign(text, text) IS
	'the lock by which two imports of a campaign take turns, until the end of the transaction';

CREATE FUNCTION reengage_internal.import_note_progress(import_id uuid, reasons jsonb, finished boolean) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	UPDATE reengage.import_runs r
	SET reasons = import_note_progress.reasons, moved_at = clock_timestamp(),
		finished_at = CASE WHEN finished THEN clock_timestamp() END,
		accepted = c.accepted, rejected = c.rejected, skipped = c.skipped
	FROM reengage_internal.import_counts(import_note_progress.reasons) c
	WHERE r.import_id = import_note_progress.import_id AND r.finished_at IS NULL AND r.imported_by = session_user
$$;
COMMENT ON FUNCTION reengage_internal.import_note_progress(uuid, jsonb, boolean) IS 'writes down how far it is';

CREATE FUNCTION reengage_internal.import_keep_rejects(import_id uuid, rejects reengage.import_rejects[]) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	INSERT INTO reengage.import_rejects (import_id, record_no, line_no, field_count, reason, message, conversation_id, record)
	SELECT import_keep_rejects.import_id, r.record_no, r.line_no, r.field_count, r.reason, r.message, r.conversation_id, r.record
	FROM unnest(rejects) r
$$;
COMMENT ON FUNCTION reengage_internal.import_keep_rejects(uuid, reengage.import_rejects[]) IS
	'keeps records that have a defect';

/* src/sql/51_import_columns.sql */

--
-- Importing history: which column of a source is what.
--
-- In Turkish "I" is no capital of "i"; names and words are of ASCII, mostly.
CREATE FUNCTION reengage_internal.import_lower(said text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT lower(lower(said COLLATE "C") COLLATE "default")
$$;
COMMENT ON FUNCTION reengage_internal.import_lower(text) IS 'a name in lower case, its letters of ASCII in any language';

-- What a column that nobody explained says of a customer or a record, by its
-- name alone: letters and digits of it, so that case, _ and - make no difference.
CREATE FUNCTION reengage_internal.import_column_meaning(name text) RETURNS text
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
COMMENT ON FUNCTION reengage_internal.import_column_meaning(text) IS
	'what a column''s name says by itself: opted_out, consent, deleted, operation; unclear before it: it sounds like it; null: nothing of these';

-- A file without a header has a record in its place, with its time and address.
CREATE FUNCTION reengage_internal.import_header_is_data(header text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (SELECT FROM unnest(header) h(name)
				   WHERE strpos(h.name, '@') > 0 OR length(regexp_replace(h.name, '[^0-9]', '', 'g')) >= 7)
$$;
COMMENT ON FUNCTION reengage_internal.import_header_is_data(text[]) IS
	'whether a header seems to be a record';

CREATE FUNCTION reengage_internal.import_shown_columns(header text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN reengage_internal.import_header_is_data(header)
		THEN format('The first line has %s fields, and looks like a record: it is not shown.', cardinality(header))
		ELSE format('The columns are: %s.', left(array_to_string(header, ', '), 1000)) END
$$;
COMMENT ON FUNCTION reengage_internal.import_shown_columns(text[]) IS
	'the columns, to be shown in an error; of what seems to be a record nothing';

-- The column names that an argument "columns" has for a field.
CREATE FUNCTION reengage_internal.import_names_of_field(columns jsonb, field text) RETURNS SETOF text
LANGUAGE sql IMMUTABLE ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
	SELECT reengage_internal.import_lower(btrim(e.name))
	FROM jsonb_array_elements_text(CASE jsonb_typeof(columns -> field)
		WHEN 'array' THEN columns -> field
		WHEN 'string' THEN jsonb_build_array(columns -> field)
		ELSE '[]' END) e(name)
$$;
COMMENT ON FUNCTION reengage_internal.import_names_of_field(jsonb, text) IS
	'the names that its argument columns has for a field, in lower case';

-- Which column of a source is what.  Of most fields the first name that it has
-- counts; of consent, opt-outs and deletions each column does.
CREATE FUNCTION reengage_internal.import_columns(header text[], columns jsonb)
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
			 FROM unnest(CASE WHEN columns ? k.field THEN ARRAY(SELECT reengage_internal.import_names_of_field(columns, k.field)) ELSE k.names END)
				WITH ORDINALITY n(name, rank)
				JOIN unnest(header) WITH ORDINALITY h(name, place) ON reengage_internal.import_lower(h.name) = n.name
			 ORDER BY n.rank LIMIT 1) AS place
		FROM known k
	)
	SELECT o.field, o.place FROM one o
	UNION ALL
	SELECT m.field, h.place::integer
	FROM unnest(ARRAY['consent', 'opted_out', 'deleted', 'operation']) m(field)
		JOIN unnest(header) WITH ORDINALITY h(name, place)
			ON CASE WHEN columns ? m.field THEN reengage_internal.import_lower(h.name) IN (SELECT reengage_internal.import_names_of_field(columns, m.field))
				ELSE reengage_internal.import_column_meaning(h.name) = m.field AND h.place NOT IN (SELECT o.place FROM one o WHERE o.place IS NOT NULL) END
$$;
COMMENT ON FUNCTION reengage_internal.import_columns(text[], jsonb) IS
	'which column of a header is what; null: none; consent, opted_out, deleted and operation may be several';

CREATE FUNCTION reengage_internal.import_check_header(header text[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	wrong text;
BEGIN
	SELECT reengage_internal.import_lower(h.name) INTO wrong FROM unnest(header) h(name) GROUP BY reengage_internal.import_lower(h.name)
	HAVING count(*) > 1 OR reengage_internal.import_lower(h.name) = '' ORDER BY 1 LIMIT 1;
	IF wrong <> '' OR (wrong = '' AND cardinality(header) > 1) THEN
		RAISE EXCEPTION 'column "%" is there twice, or has no name', CASE WHEN reengage_internal.import_header_is_data(header) THEN '...' ELSE wrong END
			USING ERRCODE = 'duplicate_column', DETAIL = reengage_internal.import_shown_columns(header),
				  HINT = 'Give each column a name of its own; pandas writes a column without a name unless it is told index=False.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.import_check_header(text[]) IS
	'an error if a header has a name twice, or none';

CREATE FUNCTION reengage_internal.import_check_columns(columns jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	known text[] := ARRAY(SELECT DISTINCT c.field FROM reengage_internal.import_columns(NULL, '{}') c) || ARRAY['consent', 'opted_out', 'deleted', 'operation'];
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
COMMENT ON FUNCTION reengage_internal.import_check_columns(jsonb) IS
	'an error if its argument columns is not what it should be';

-- Whether somebody may be written to must not depend on a guess.
CREATE FUNCTION reengage_internal.import_check_meanings(header text[], columns jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	unclear record;
	clear jsonb;
BEGIN
	SELECT h.name, split_part(reengage_internal.import_column_meaning(h.name), ' ', 2) AS field INTO unclear
	FROM unnest(header) WITH ORDINALITY h(name, place)
	WHERE reengage_internal.import_column_meaning(h.name) LIKE 'unclear %'
	  AND NOT columns ? split_part(reengage_internal.import_column_meaning(h.name), ' ', 2)
	  AND h.place NOT IN (SELECT c.place FROM reengage_internal.import_columns(header, columns) c WHERE c.place IS NOT NULL)
	ORDER BY h.place LIMIT 1;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	SELECT jsonb_agg(header[c.place]) INTO clear FROM reengage_internal.import_columns(header, columns) c WHERE c.field = unclear.field;
	RAISE EXCEPTION 'column "%" may say that % be written to', unclear.name,
			CASE unclear.field WHEN 'deleted' THEN 'a record is deleted, and must not' ELSE 'a customer must not' END
		USING ERRCODE = 'ambiguous_column',
			  HINT = format('If it does, say columns => ''%s''; if not, say columns => ''%s''.',
							jsonb_build_object(unclear.field, coalesce(clear, '[]') || to_jsonb(unclear.name)),
							jsonb_build_object(unclear.field, clear));
END
$$;
COMMENT ON FUNCTION reengage_internal.import_check_meanings(text[], jsonb) IS
	'an error if the name of a column sounds like "do not write", and it is not clear that it says so';

CREATE FUNCTION reengage_internal.import_check_keep_columns(header text[], columns jsonb, keep_columns jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	wrong text;
BEGIN
	SELECT k.name INTO wrong FROM jsonb_array_elements_text(keep_columns) k(name)
	WHERE k.name IS NULL OR reengage_internal.import_lower(btrim(k.name)) NOT IN (SELECT reengage_internal.import_lower(h.name) FROM unnest(header) h(name)) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'keep_columns names a column that history does not have: "%"', wrong
			USING ERRCODE = 'undefined_column', DETAIL = reengage_internal.import_shown_columns(header);
	END IF;
	SELECT k.name INTO wrong
	FROM jsonb_array_elements_text(keep_columns) k(name)
		JOIN reengage_internal.import_columns(header, columns) c ON reengage_internal.import_lower(header[c.place]) = reengage_internal.import_lower(btrim(k.name))
	WHERE c.field = 'address' LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'column "%" cannot be kept: it is the customer''s address', wrong
			USING ERRCODE = 'invalid_parameter_value', DETAIL = 'What is kept goes to the lineage, which has no addresses.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.import_check_keep_columns(text[], jsonb, jsonb) IS
	'an error if columns to be kept do not exist, or are the address';

CREATE FUNCTION reengage_internal.import_check_source(header text[], columns jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	wrong text;
	found_fields text[];
BEGIN
	PERFORM reengage_internal.import_check_header(header);
	SELECT coalesce(array_agg(c.field), '{}') INTO found_fields FROM reengage_internal.import_columns(header, columns) c WHERE c.place IS NOT NULL;
	SELECT n.name INTO wrong FROM jsonb_object_keys(columns) k(key), reengage_internal.import_names_of_field(columns, k.key) n(name)
	WHERE n.name NOT IN (SELECT reengage_internal.import_lower(h.name) FROM unnest(header) h(name)) LIMIT 1;
	IF wrong IS NULL AND NOT 'conversation_id' = ANY (found_fields) THEN
		wrong := 'conversation_id';
	ELSIF wrong IS NULL AND NOT 'address' = ANY (found_fields) THEN
		wrong := 'customer_address';
	ELSIF wrong IS NULL AND NOT found_fields && ARRAY['last_inbound_at', 'abandoned_at'] THEN
		wrong := 'last_inbound_at or abandoned_at';
	END IF;
	IF wrong IS NOT NULL THEN
		RAISE EXCEPTION 'history has no column %', wrong
			USING ERRCODE = 'undefined_column', DETAIL = reengage_internal.import_shown_columns(header),
				  HINT = 'Is there a header, and is the delimiter right? Names of your own are mapped with columns => ''{"conversation_id": "CONV_ID"}''.';
	END IF;
	PERFORM reengage_internal.import_check_meanings(header, columns);
END
$$;
COMMENT ON FUNCTION reengage_internal.import_check_source(text[], jsonb) IS
	'an error if a column is missing that it cannot do without, or is not clear in what it forbids';

/* src/sql/52_import_records.sql */

--
-- Importing history: what a record says, and the message that it gets.
--
CREATE TYPE reengage_internal.import_reading AS (
	last_inbound_at timestamptz, abandoned_at timestamptz, extracted_at timestamptz, address text, customer text,
	fit_address boolean, fit_channel boolean);
COMMENT ON TYPE reengage_internal.import_reading IS
	'what a record says, as far as it can be read: its times, the address to write to, the form in which it is compared, and whether a nudge takes this address and channel, whatever their length';

-- It runs no SQL, and to pin a search_path takes longer than to read a record.
CREATE FUNCTION reengage_internal.import_read_record(last_inbound_at text, abandoned_at text, extracted_at text, address text, channel text,
											 country_code text, date_order text) RETURNS reengage_internal.import_reading
LANGUAGE C IMMUTABLE
AS 'MODULE_PATHNAME', 'reengage_import_read_record';
COMMENT ON FUNCTION reengage_internal.import_read_record(text, text, text, text, text, text, text) IS
	'the times and the address of a record; null of what cannot be read, or not without doubt';

-- Each field of each record goes through it, where btrim() would look at every letter.
CREATE FUNCTION reengage_internal.import_said(field text) RETURNS text
LANGUAGE C IMMUTABLE STRICT
AS 'MODULE_PATHNAME', 'reengage_import_said';
COMMENT ON FUNCTION reengage_internal.import_said(text) IS
	'a field without the blanks and line breaks around it; null: nothing is left, or \N';

CREATE FUNCTION reengage_internal.import_address_hashes(forms text[], make_key boolean) RETURNS text[]
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF make_key THEN
		PERFORM reengage_internal.make_address_key();
	END IF;
	RETURN (SELECT reengage_internal.hash_addresses(k.key, forms)
			FROM reengage_internal.address_key_in_use k);
END
$$;
COMMENT ON FUNCTION reengage_internal.import_address_hashes(text[], boolean) IS
	'the hashes of addresses in their normal form under this installation''s key, which is made if there is none; null without it';

CREATE FUNCTION reengage_internal.import_status_words() RETURNS text[]
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
COMMENT ON FUNCTION reengage_internal.import_status_words() IS
	'the words for a status that it knows, live and closed ones of dialects and common extracts';

CREATE FUNCTION reengage_internal.import_without_address(said text, address text) RETURNS text
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
COMMENT ON FUNCTION reengage_internal.import_without_address(text, text) IS
	'a text; null if an address is in it, also in another punctuation';

-- A template, or one for each language with "*" for any other.
CREATE FUNCTION reengage_internal.import_is_template(template jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_typeof(template) = 'object' AND jsonb_typeof(template -> 'responseId') = 'string'
					AND btrim(template ->> 'responseId') <> '', false)
$$;
COMMENT ON FUNCTION reengage_internal.import_is_template(jsonb) IS 'whether it is an object that names a canned response by its responseId';

CREATE FUNCTION reengage_internal.import_check_template(template jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF jsonb_typeof(template) = 'null' OR reengage_internal.import_is_template(template) THEN
		RETURN;
	END IF;
	IF jsonb_typeof(template) <> 'object' OR template ? 'responseId' OR template = '{}'
	   OR EXISTS (SELECT FROM jsonb_each(template) t WHERE NOT reengage_internal.import_is_template(t.value)) THEN
		RAISE EXCEPTION 'template has no responseId'
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'For example {"responseId": "3f1b"}; or one for each language: {"de": {"responseId": "3f1b"}, "*": {"responseId": "77ac"}}.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.import_check_template(jsonb) IS
	'an error if its argument template is neither a template nor one for each language';

CREATE FUNCTION reengage_internal.import_template_for(template jsonb, language text) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
		WHEN jsonb_typeof(template) IS DISTINCT FROM 'object' THEN NULL
		WHEN template ? 'responseId' THEN template
		ELSE coalesce(
			(SELECT t.value FROM jsonb_each(template) t
			 WHERE reengage_internal.import_lower(translate(t.key, '_', '-'))
				IN (reengage_internal.import_lower(translate(language, '_', '-')), reengage_internal.import_lower(split_part(translate(language, '_', '-'), '-', 1)))
			 ORDER BY length(t.key) DESC LIMIT 1),
			template -> '*')
	END
$$;
COMMENT ON FUNCTION reengage_internal.import_template_for(jsonb, text) IS
	'of its argument template what is for a language such as de-AT, else for de, else for *; null: there is none';

CREATE FUNCTION reengage_internal.import_template_in(said text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN CASE WHEN reengage_internal.import_is_template(said::jsonb) THEN said::jsonb END;
EXCEPTION WHEN data_exception OR program_limit_exceeded OR statement_too_complex THEN
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION reengage_internal.import_template_in(text) IS
	'the template that a record has as JSON; null: it is none';

/* src/sql/53_import_staging.sql */

--
-- Importing history: the source, read into a temporary table.  The source is
-- read, and nudges are asked for, with the rights of whoever imports: from here on
-- the functions run as their caller, but for what begins threads.  What lies
-- between the transactions of an import is in temporary tables of the caller.
--
CREATE FUNCTION reengage_internal.import_read_header(file text, delimiter text, quote text, escape text) RETURNS text[]
LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_import_read_header';
COMMENT ON FUNCTION reengage_internal.import_read_header(text, text, text, text) IS
	'the column names of a CSV file on the server, without blanks around them; needs pg_read_server_files; delimiter, quote and escape as import_history() has them';

CREATE FUNCTION reengage_internal.import_copy_file(file text, delimiter text, quote text, escape text) RETURNS bigint
LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_import_copy_file';
COMMENT ON FUNCTION reengage_internal.import_copy_file(text, text, text, text) IS
	'reads the records of a CSV file on the server into its staging table, and counts them; an error that names the line if the file is no text, or its quotes leave doubt';

CREATE FUNCTION reengage_internal.import_lock_table(source regclass) RETURNS text[]
LANGUAGE C STRICT VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_import_lock_table';
COMMENT ON FUNCTION reengage_internal.import_lock_table(regclass) IS
	'locks a table and its partitions until the end of the transaction, and returns its column names; an error if to read it would run code, ask another server or hide rows';

CREATE FUNCTION reengage_internal.import_copy_table(source regclass) RETURNS bigint
LANGUAGE C STRICT VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_import_copy_table';
COMMENT ON FUNCTION reengage_internal.import_copy_table(regclass) IS
	'reads the rows of a table into its staging table, and counts them';

CREATE FUNCTION reengage_internal.import_drop_staging() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS $$
BEGIN
	DROP VIEW IF EXISTS pg_temp.reengage_import_record;
	DROP TABLE IF EXISTS pg_temp.reengage_import_plan, pg_temp.reengage_import_staging;
END
$$;
COMMENT ON FUNCTION reengage_internal.import_drop_staging() IS 'drops its temporary tables';

CREATE FUNCTION reengage_internal.import_make_staging(columns integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	EXECUTE format('CREATE TEMP TABLE reengage_import_staging (record_no bigint, line_no bigint, field_count integer, complaint text, fields text[]%s)',
				   (SELECT string_agg(format(', c%s text', n), '' ORDER BY n) FROM generate_series(1, columns) n));
END
$$;
COMMENT ON FUNCTION reengage_internal.import_make_staging(integer) IS 'makes its staging table';

CREATE FUNCTION reengage_internal.import_stage_file(options jsonb) RETURNS text[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	header text[] := reengage_internal.import_read_header(options ->> 'file', options ->> 'delimiter', options ->> 'quote', options ->> 'escape');
BEGIN
	PERFORM reengage_internal.import_check_source(header, options -> 'columns');
	PERFORM reengage_internal.import_make_staging(cardinality(header));
	PERFORM reengage_internal.import_copy_file(options ->> 'file', options ->> 'delimiter', options ->> 'quote', options ->> 'escape');
	RETURN header;
END
$$;
COMMENT ON FUNCTION reengage_internal.import_stage_file(jsonb) IS
	'reads a file on the server into its staging table, and returns the header';

-- A number that went through floating point is no address any more.
CREATE FUNCTION reengage_internal.import_stage_table(source regclass, options jsonb) RETURNS text[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'postgres' SET extra_float_digits = 1 SET bytea_output = 'hex' SET jit = off
AS $$
DECLARE
	header text[] := reengage_internal.import_lock_table(source);
	wrong record;
BEGIN
	PERFORM reengage_internal.import_check_source(header, options -> 'columns');
	SELECT a.attname, format_type(a.atttypid, NULL) AS type INTO wrong
	FROM (SELECT t.attname, t.atttypid, row_number() OVER (ORDER BY t.attnum) AS place
		  FROM pg_attribute t WHERE t.attrelid = source AND t.attnum > 0 AND NOT t.attisdropped) a
		JOIN reengage_internal.import_columns(header, options -> 'columns') c ON c.place = a.place
	WHERE c.field IN ('address', 'conversation_id') AND a.atttypid IN ('real'::regtype, 'double precision'::regtype) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'cannot import column % of type %', wrong.attname, wrong.type
			USING ERRCODE = 'datatype_mismatch', DETAIL = 'Floating point does not keep every digit of a number or an id.',
				  HINT = 'Load it into a column of type text.';
	END IF;
	PERFORM reengage_internal.import_make_staging(cardinality(header));
	PERFORM reengage_internal.import_copy_table(source);
	RETURN header;
END
$$;
COMMENT ON FUNCTION reengage_internal.import_stage_table(regclass, jsonb) IS
	'reads a table into its staging table, and returns the column names';

-- How a value is read from its column: an expression.
CREATE FUNCTION reengage_internal.import_expression(field text, places integer[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
	SELECT CASE
		WHEN field = 'address' THEN
			coalesce((SELECT format('CASE WHEN reengage_internal.import_said(c%1$s) IS NOT NULL THEN c%1$s END', p.place) FROM unnest(places) p(place)), 'NULL::text')
		-- what cannot be read counts as what forbids
		WHEN field = 'consent' THEN
			(SELECT string_agg(format('coalesce(lower(reengage_internal.import_said(c%s) COLLATE "C") NOT IN (''true'', ''t'', ''yes'', ''y'', ''1'', ''1.0'', ''on'','
									  ' ''granted'', ''given'', ''consented'', ''opted_in'', ''opted-in'', ''optin'', ''opt_in'', ''opt-in'', ''subscribed''), true)', p.place), ' OR ')
			 FROM unnest(places) p(place))
		WHEN field IN ('opted_out', 'deleted') THEN
			-- an active opt-out is one, an active record is not deleted
			(SELECT string_agg(format('coalesce(lower(reengage_internal.import_said(c%s) COLLATE "C") NOT IN (''\n'', ''false'', ''f'', ''no'', ''n'', ''0'', ''0.0'', ''off'','
									  ' ''null'', ''none'', ''nan'', ''nat'', ''n/a'', %s), false)', p.place,
									  CASE field WHEN 'deleted' THEN '''active''' ELSE '''opted_in'', ''opted-in'', ''optin'', ''opt_in'', ''opt-in'', ''subscribed''' END), ' OR ')
			 FROM unnest(places) p(place))
		WHEN field = 'operation' THEN
			(SELECT string_agg(format('coalesce(lower(reengage_internal.import_said(c%s) COLLATE "C") IN (''d'', ''-d'', ''delete'', ''deleted'', ''remove'', ''removed'', ''t'', ''truncate''), false)', p.place), ' OR ')
			 FROM unnest(places) p(place))
		ELSE
			coalesce((SELECT format('reengage_internal.import_said(c%s)', p.place) FROM unnest(places) p(place)), 'NULL::text')
	END
$$;
COMMENT ON FUNCTION reengage_internal.import_expression(text, integer[]) IS
	'an SQL expression for what the columns of a field say; of consent whether it is missing';

-- What of a record goes into the detail of its nudge: what was named.
CREATE FUNCTION reengage_internal.import_kept_expression(header text[], options jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
	SELECT coalesce(format('jsonb_strip_nulls(jsonb_object(ARRAY[%s]::text[], ARRAY[%s]::text[]))',
			string_agg(quote_literal(reengage_internal.import_lower(h.name)), ', ' ORDER BY h.place),
			string_agg(format('reengage_internal.import_without_address(nullif(c%s, ''\N''), %s)', h.place, reengage_internal.import_expression('address', ARRAY[a.place])), ', ' ORDER BY h.place)),
		'''{}''::jsonb')
	FROM unnest(header) WITH ORDINALITY h(name, place)
		JOIN reengage_internal.import_columns(header, options -> 'columns') a ON a.field = 'address'
	WHERE reengage_internal.import_lower(h.name) IN (SELECT reengage_internal.import_lower(btrim(k.name)) FROM jsonb_array_elements_text(options -> 'keep_columns') k(name))
$$;
COMMENT ON FUNCTION reengage_internal.import_kept_expression(text[], jsonb) IS
	'an SQL expression for the columns of a record that are kept in the detail of its nudge';

-- What else the detail of a nudge has: the template of the record, or that of its language.
CREATE FUNCTION reengage_internal.import_detail_expression(header text[], options jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
	SELECT CASE WHEN said.template IS NULL AND jsonb_typeof(options -> 'template') IS DISTINCT FROM 'object' THEN kept.expression
		ELSE format('CASE WHEN coalesce(lower(%s COLLATE "C"), ''whatsapp'') <> ''whatsapp'' THEN %s'
					' ELSE %2$s || jsonb_strip_nulls(jsonb_build_object(''template'','
					' coalesce(reengage_internal.import_template_in(%s), reengage_internal.import_template_for(%L, %s)))) END',
					coalesce(said.channel, 'NULL::text'), kept.expression, coalesce(said.template, 'NULL::text'),
					options -> 'template', coalesce(said.language, 'NULL::text')) END
	FROM (SELECT reengage_internal.import_kept_expression(header, options) AS expression) kept,
		(SELECT max(reengage_internal.import_expression(c.field, ARRAY[c.place])) FILTER (WHERE c.field = 'channel') AS channel,
			max(reengage_internal.import_expression(c.field, ARRAY[c.place])) FILTER (WHERE c.field = 'template') AS template,
			max(reengage_internal.import_expression(c.field, ARRAY[c.place])) FILTER (WHERE c.field = 'language') AS language
		 FROM reengage_internal.import_columns(header, options -> 'columns') c WHERE c.place IS NOT NULL) said
$$;
COMMENT ON FUNCTION reengage_internal.import_detail_expression(text[], jsonb) IS
	'an SQL expression for the detail of a record''s nudge';

-- A view gives the columns of a source their meaning.
CREATE FUNCTION reengage_internal.import_describe_staging(header text[], options jsonb) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET jit = off
AS $$
DECLARE
	records bigint;
	meanings text;
	words text[] := ARRAY['consent', 'opted_out', 'deleted', 'operation'];
	found_places jsonb;
BEGIN
	PERFORM reengage_internal.import_check_keep_columns(header, options -> 'columns', options -> 'keep_columns');
	SELECT string_agg(format('%s AS %I', reengage_internal.import_expression(c.field, array_remove(ARRAY[c.place], NULL)), c.field), ', ') INTO meanings
	FROM reengage_internal.import_columns(header, options -> 'columns') c WHERE c.field <> ALL (words);
	SELECT jsonb_object_agg(w.field, coalesce('(' || reengage_internal.import_expression(w.field, w.places) || ')', 'false')) INTO found_places
	FROM (SELECT f.field, array_agg(c.place) FILTER (WHERE c.place IS NOT NULL) AS places
		  FROM unnest(words) f(field) LEFT JOIN reengage_internal.import_columns(header, options -> 'columns') c ON c.field = f.field
		  GROUP BY f.field) w;
	EXECUTE format('CREATE TEMP VIEW reengage_import_record AS SELECT ctid AS stored_at, record_no, line_no, field_count, complaint, %s,'
				   ' complaint IS NULL AND %s AS withdrawn, complaint IS NULL AND %s AS opted_out, complaint IS NULL AND (%s OR %s) AS deleted,'
				   ' nullif(%s, ''{}'') AS detail, CASE WHEN complaint IS NULL THEN jsonb_object(ARRAY[%s], ARRAY[%s]) ELSE jsonb_build_object(''fields'', fields) END AS record'
				   ' FROM pg_temp.reengage_import_staging',
				   meanings, found_places ->> 'consent', found_places ->> 'opted_out', found_places ->> 'deleted', found_places ->> 'operation',
				   reengage_internal.import_detail_expression(header, options),
				   (SELECT string_agg(quote_literal(h.name), ', ' ORDER BY h.place) FROM unnest(header) WITH ORDINALITY h(name, place)),
				   (SELECT string_agg('c' || n, ', ' ORDER BY n) FROM generate_series(1, cardinality(header)) n));
	SELECT count(*) INTO records FROM pg_temp.reengage_import_staging;
	RETURN records;
END
$$;
COMMENT ON FUNCTION reengage_internal.import_describe_staging(text[], jsonb) IS
	'gives the columns of the staged records their meaning, and counts the records';

CREATE FUNCTION reengage_internal.import_name_columns(header text[], options jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT options || jsonb_build_object(
		'heading', (SELECT header[c.place] FROM reengage_internal.import_columns(header, options -> 'columns') c WHERE c.field = 'conversation_id'),
		'zone_column', (SELECT header[c.place] FROM reengage_internal.import_columns(header, options -> 'columns') c WHERE c.field = 'time_zone'))
$$;
COMMENT ON FUNCTION reengage_internal.import_name_columns(text[], jsonb) IS
	'its options with the names that conversation and time zone have in the source';

/* src/sql/54_import_plan.sql */

--
-- Importing history: what becomes of each record.
--
CREATE TYPE reengage_internal.import_planned AS (
	record_no bigint, stored_at tid, reason text, conversation_id text, channel text, address text, customer text,
	occurred_at timestamptz, answered_since timestamptz, time_zone text, said_zone text, detail jsonb);
COMMENT ON TYPE reengage_internal.import_planned IS
	'what becomes of a record of history, which is stored there in the staging table; the rest is null of one that begins no thread';

-- First the newest record of each conversation is found, whatever its defects: an
-- older one must not speak for it, say with a consent that was withdrawn since.
CREATE FUNCTION reengage_internal.import_judge(future_after timestamptz, too_old_before timestamptz, date_order text, country_code text,
									   heading text, status_words text[]) RETURNS SETOF reengage_internal.import_planned
LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp SET work_mem = '32MB' SET jit = off
AS 'MODULE_PATHNAME', 'reengage_import_judge';
COMMENT ON FUNCTION reengage_internal.import_judge(timestamptz, timestamptz, text, text, text, text[]) IS
	'what becomes of each staged record, as far as the source alone tells';

CREATE FUNCTION reengage_internal.import_plan(options jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET work_mem = '32MB' SET jit = off
AS $$
DECLARE
	as_of timestamptz := options ->> 'as_of';
	words text[] := reengage_internal.import_status_words() || ARRAY(SELECT reengage_internal.import_lower(btrim(w.word)) FROM jsonb_array_elements_text(options -> 'status_words') w(word));
	zone_column text := coalesce(reengage_internal.import_lower(options ->> 'zone_column'), 'time_zone');
BEGIN
	-- Neighbours in the indexes of conversations are written one after the other.
	CREATE TEMP TABLE reengage_import_plan AS
	SELECT row_number() OVER () AS place, j.record_no, j.stored_at, j.reason, j.conversation_id, j.channel, j.address, j.customer,
		j.occurred_at, j.answered_since, j.time_zone,
		CASE WHEN j.said_zone IS NULL THEN j.detail ELSE coalesce(j.detail, '{}') || jsonb_build_object(zone_column, j.said_zone) END AS detail
	-- clocks differ
	FROM (SELECT * FROM reengage_internal.import_judge(as_of + interval '5 minutes', as_of - (options ->> 'max_age')::interval, options ->> 'date_order',
			reengage_internal.country_code_of(options ->> 'server'), lower(options ->> 'heading' COLLATE "C"), words)
		  ORDER BY conversation_id COLLATE "C", record_no) j;
	CREATE UNIQUE INDEX ON pg_temp.reengage_import_plan (place);
END
$$;
COMMENT ON FUNCTION reengage_internal.import_plan(jsonb) IS
	'writes down what becomes of each staged record, as far as the source alone tells';

/* src/sql/55_import_nudges.sql */

--
-- Importing history: the nudges that are asked for, and the threads that begin.
--
CREATE TYPE reengage_internal.import_thread AS (conversation_id text, channel text, address_hash text, occurred_at timestamptz, detail jsonb);
COMMENT ON TYPE reengage_internal.import_thread IS 'a conversation that begins a thread';

CREATE FUNCTION reengage_internal.import_write_threads(server text, threads reengage_internal.import_thread[], xact_id bigint) RETURNS boolean
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_import_write_threads';
COMMENT ON FUNCTION reengage_internal.import_write_threads(text, reengage_internal.import_thread[], bigint) IS
	'begins a thread with each conversation that lineage does not know, as batches without a statement; false, and nothing is done: there is a trigger that would have to fire';

CREATE FUNCTION reengage_internal.import_begin_threads(server text, threads reengage_internal.import_thread[]) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
#variable_conflict use_column
BEGIN
	PERFORM reengage_internal.require_server(server);
	-- Not ON CONFLICT, which makes each row dearer by a quarter: what another import
	-- has begun since is looked for again.
	FOR attempt IN REVERSE 9..0 LOOP
		BEGIN
			IF reengage_internal.import_write_threads(import_begin_threads.server, threads, reengage_internal.lineage_position()) THEN
				RETURN;
			END IF;
			INSERT INTO reengage.lineage (server, outcome, requested_conversation_id, conversation_id, root_conversation_id,
				generation, channel, address_hash, attempts, api_calls, api_calls_saved, occurred_at, detail, xact_id)
			SELECT import_begin_threads.server, 'imported', c.conversation_id, c.conversation_id, c.conversation_id,
				0, c.channel, c.address_hash, 0, 0, 0, c.occurred_at, c.detail,
				-- once for all of them, which the default would be for each
				(SELECT reengage_internal.lineage_position())
			FROM (SELECT u.* FROM unnest(threads) u
				  -- in the order of the indexes
				  ORDER BY u.conversation_id
				  OFFSET 0) c
			-- not EXISTS, which a planner may turn into a join with all of lineage
			WHERE (SELECT true FROM reengage.lineage l
				   WHERE l.root_conversation_id = c.conversation_id AND l.server = import_begin_threads.server LIMIT 1) IS NULL
			  AND (SELECT true FROM reengage.lineage l
				   WHERE hashtextextended(l.conversation_id, 0) = hashtextextended(c.conversation_id, 0)
					 AND l.server = import_begin_threads.server AND l.conversation_id = c.conversation_id AND l.generation > 0 LIMIT 1) IS NULL
			  AND (SELECT true FROM reengage.past_sessions p
				   WHERE p.root_conversation_id = c.conversation_id AND p.server = import_begin_threads.server LIMIT 1) IS NULL
			  AND (SELECT true FROM reengage.past_sessions p
				   WHERE hashtextextended(p.conversation_id, 0) = hashtextextended(c.conversation_id, 0)
					 AND p.server = import_begin_threads.server AND p.conversation_id = c.conversation_id LIMIT 1) IS NULL;
			RETURN;
		EXCEPTION WHEN unique_violation THEN
			IF attempt = 0 THEN
				RAISE;
			END IF;
		END;
	END LOOP;
END
$$;
COMMENT ON FUNCTION reengage_internal.import_begin_threads(text, reengage_internal.import_thread[]) IS
	'begins a thread with each conversation that lineage does not know';

CREATE TYPE reengage_internal.import_nudge AS (record_no bigint, reason text, nudge_id uuid, conversation_id text, channel text, address text,
									   time_zone text, answered_since timestamptz, detail jsonb);
COMMENT ON TYPE reengage_internal.import_nudge IS 'a nudge to be asked for, and the reason to count it under';

-- A record that the database refuses must not take the others with it: they
-- are asked for one by one then.  Records that became a nudge, or were refused.
CREATE FUNCTION reengage_internal.import_ask(import_id uuid, options jsonb, nudges reengage_internal.import_nudge[])
RETURNS TABLE (record_no bigint, reason text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = on
AS $$
#variable_conflict use_column
DECLARE
	one reengage_internal.import_nudge;
	asked_ids uuid[];
	message text;
BEGIN
	BEGIN
		-- Collected, for what was returned is not taken back by an error.  Of many none is
		-- there: it was looked for, under a lock; ON CONFLICT would look once more for each.
		EXECUTE format('WITH asked AS (
			INSERT INTO reengage.nudges AS n (nudge_id, server, conversation_id, message, address, channel, when_closed,
				priority, due_at, expires_at, time_zone, campaign, detail, answered_since)
			SELECT u.nudge_id, a.server, u.conversation_id, a.message, u.address, u.channel, a.when_closed,
				a.priority, coalesce(a.due_at, now()), a.expires_at, u.time_zone, a.campaign, u.detail, u.answered_since
			FROM unnest($1) u, jsonb_to_record($2) AS a(server text, message text, when_closed text, priority integer,
				due_at timestamptz, expires_at timestamptz, campaign text)
			%s
			RETURNING n.nudge_id)
			SELECT array_agg(s.nudge_id) FROM asked s',
			CASE WHEN cardinality(nudges) = 1 THEN 'ON CONFLICT (nudge_id) DO NOTHING' END)
		INTO asked_ids USING nudges, options;
		-- mostly all of them
		RETURN QUERY SELECT u.record_no, u.reason FROM unnest(nudges) u
		WHERE cardinality(asked_ids) = cardinality(nudges) OR u.nudge_id IN (SELECT s.nudge_id FROM unnest(asked_ids) s(nudge_id));
		RETURN;
	EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception THEN
		message := SQLERRM;
	END;
	IF cardinality(nudges) = 1 THEN
		PERFORM reengage_internal.import_keep_rejects(import_ask.import_id, ARRAY(
			SELECT ROW(import_ask.import_id, h.record_no, h.line_no, h.field_count, 'refused', message, h.conversation_id, h.record)::reengage.import_rejects
			FROM pg_temp.reengage_import_record h WHERE h.record_no = (nudges[1]).record_no));
		RETURN QUERY SELECT (nudges[1]).record_no, 'refused';
		RETURN;
	END IF;
	FOREACH one IN ARRAY nudges LOOP
		RETURN QUERY SELECT q.record_no, q.reason FROM reengage_internal.import_ask(import_ask.import_id, options, ARRAY[one]) q;
	END LOOP;
END
$$;
COMMENT ON FUNCTION reengage_internal.import_ask(uuid, jsonb, reengage_internal.import_nudge[]) IS
	'asks for nudges; the records that became one, with the reason to count them under, and those that were refused';

CREATE FUNCTION reengage_internal.import_nudge_ids(server text, campaign text, address_hashes text[]) RETURNS uuid[]
LANGUAGE C STRICT IMMUTABLE
AS 'MODULE_PATHNAME', 'reengage_import_nudge_ids';
COMMENT ON FUNCTION reengage_internal.import_nudge_ids(text, text, text[]) IS
	'the ids of the nudges that a campaign has for these customers: the first 16 bytes of a SHA-256 of all three, as UUID version 8';

CREATE FUNCTION reengage_internal.import_unasked(server text, campaign text, nudges reengage_internal.import_nudge[], address_hashes text[])
RETURNS reengage_internal.import_nudge[]
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'reengage_import_unasked';
COMMENT ON FUNCTION reengage_internal.import_unasked(text, text, reengage_internal.import_nudge[], text[]) IS
	'of nudges with a reason those whose customer, conversation and thread have none of the campaign, with their ids and in the order of these; without hashes of their customers none has an id';

-- One chunk of an import: one transaction.  What each record became is counted.
CREATE FUNCTION reengage_internal.import_chunk(import_id uuid, first_place bigint, last_place bigint, options jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = on
SET enable_seqscan = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	accepted CONSTANT text[] := ARRAY['accepted', 'unknown_status', 'unknown_time_zone'];
	dry_run boolean := options -> 'dry_run';
	counts jsonb;
	valid record;
	hashes text[];
	fresh reengage_internal.import_nudge[];
	asked record;
BEGIN
	PERFORM reengage_internal.import_lock(import_chunk.import_id);
	IF NOT dry_run THEN
		PERFORM reengage_internal.import_lock_campaign(options ->> 'server', options ->> 'campaign');
	END IF;
	SELECT jsonb_object_agg(r.reason, r.records) INTO counts
	FROM (SELECT p.reason, count(*) AS records FROM pg_temp.reengage_import_plan p
		  WHERE p.place BETWEEN first_place AND last_place GROUP BY p.reason) r;
	-- those without a reason begin a thread, and no more
	SELECT array_agg(p.customer) AS customers,
		array_agg(ROW(p.record_no, CASE WHEN p.reason = ANY (accepted) THEN p.reason END, NULL, p.conversation_id, p.channel, p.address,
					  p.time_zone, p.answered_since, p.detail)::reengage_internal.import_nudge) AS nudges,
		array_agg(p.occurred_at) AS times
	INTO valid
	FROM pg_temp.reengage_import_plan p
	WHERE p.place BETWEEN first_place AND last_place AND (p.reason = ANY (accepted) OR p.reason IN ('older_conversation', 'too_old'));
	hashes := reengage_internal.import_address_hashes(valid.customers, NOT dry_run);
	fresh := coalesce(reengage_internal.import_unasked(options ->> 'server', options ->> 'campaign', valid.nudges, hashes), '{}');
	IF dry_run THEN
		SELECT array_agg(f.record_no) AS nos, array_agg(f.reason) AS reasons INTO asked FROM unnest(fresh) f;
	ELSE
		PERFORM reengage_internal.import_keep_rejects(import_chunk.import_id, ARRAY(
			SELECT ROW(import_chunk.import_id, h.record_no, h.line_no, h.field_count, p.reason, NULL, h.conversation_id, h.record)::reengage.import_rejects
			FROM pg_temp.reengage_import_plan p JOIN pg_temp.reengage_import_record h ON h.stored_at = p.stored_at
			WHERE p.place BETWEEN first_place AND last_place
			  AND p.reason = ANY (ARRAY(SELECT r.reason FROM jsonb_object_keys(counts) r(reason) WHERE reengage.import_outcome(r.reason) = 'rejected'))));
		SELECT array_agg(q.record_no) AS nos, array_agg(q.reason) AS reasons INTO asked
		FROM reengage_internal.import_ask(import_chunk.import_id, options, fresh) q;
		PERFORM reengage_internal.import_begin_threads(options ->> 'server', ARRAY(
			SELECT ROW(n.conversation_id, n.channel, n.address_hash, n.occurred_at, n.detail)::reengage_internal.import_thread
			FROM unnest(valid.nudges, hashes, valid.times)
				AS n(record_no, reason, nudge_id, conversation_id, channel, address, time_zone, answered_since, detail, address_hash, occurred_at)
			WHERE n.record_no NOT IN (SELECT q.record_no FROM unnest(asked.nos, asked.reasons) q(record_no, reason) WHERE q.reason = 'refused')));
	END IF;

	RETURN reengage_internal.import_add_reasons(counts - accepted, reengage_internal.import_count_reasons(asked.reasons) || jsonb_build_object(
		'already_asked', (SELECT coalesce(sum(r.value::bigint), 0) FROM jsonb_each_text(counts) r WHERE r.key = ANY (accepted))
						 - coalesce(cardinality(asked.reasons), 0)));
END
$$;
COMMENT ON FUNCTION reengage_internal.import_chunk(uuid, bigint, bigint, jsonb) IS
	'asks for the nudges of some staged records, begins their threads, keeps the rejects, and counts';

/* src/sql/56_import_history.sql */

--
-- Importing history: the way in.  Its arguments travel on as one object, "options".
--
-- Anything that every nudge of the import would be refused for is an error
-- before anything is read: one is asked for, and taken back.
CREATE FUNCTION reengage_internal.import_check_arguments(options jsonb, staging regclass) RETURNS void
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
	PERFORM reengage_internal.import_read_record(NULL, NULL, NULL, NULL, NULL, NULL, options ->> 'date_order');
	PERFORM reengage_internal.import_check_columns(options -> 'columns');
	PERFORM reengage_internal.import_check_template(options -> 'template');
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
COMMENT ON FUNCTION reengage_internal.import_check_arguments(jsonb, regclass) IS
	'an error if its arguments make no nudge';

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
	next_place pg_catalog.int8 := 1;
	next_notice pg_catalog.timestamptz := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) interval '5 s';
	header pg_catalog.text[];
	options pg_catalog.jsonb;
BEGIN
	IF NOT dry_run THEN
		PERFORM reengage_internal.require_own_transaction('reengage.import_history()');
	END IF;
	options := pg_catalog.jsonb_build_object('file', file, 'server', coalesce(server, reengage.default_server()), 'campaign', campaign,
		'message', message, 'when_closed', when_closed, 'priority', priority, 'due_at', due_at, 'expires_at', expires_at, 'max_age', max_age,
		'as_of', coalesce(as_of, pg_catalog.now()), 'delimiter', delimiter, 'quote', quote, 'escape', escape, 'date_order', date_order,
		'columns', columns, 'keep_columns', coalesce(keep_columns, '{}'), 'status_words', coalesce(status_words, '{}'),
		'template', template, 'dry_run', dry_run);
	PERFORM reengage_internal.import_check_arguments(options, staging);
	PERFORM reengage_internal.import_drop_staging();
	IF file IS NOT NULL THEN
		header := reengage_internal.import_stage_file(options);
	ELSE
		header := reengage_internal.import_stage_table(staging, options);
	END IF;
	options := reengage_internal.import_name_columns(header, options);
	records_read := reengage_internal.import_describe_staging(header, options);
	reasons := '{}';
	import_id := NULL;
	IF NOT dry_run THEN
		import_id := reengage_internal.import_begin(options, coalesce(file, staging::pg_catalog.text), records_read);
		COMMIT;
	END IF;
	PERFORM reengage_internal.import_lock(import_id);
	PERFORM reengage_internal.import_plan(options);
	WHILE next_place OPERATOR(pg_catalog.<=) records_read LOOP
		reasons := reengage_internal.import_add_reasons(reasons, reengage_internal.import_chunk(import_id, next_place,
			next_place OPERATOR(pg_catalog.+) chunk OPERATOR(pg_catalog.-) 1::pg_catalog.int8, options));
		next_place := next_place OPERATOR(pg_catalog.+) chunk;
		IF NOT dry_run THEN
			PERFORM reengage_internal.import_note_progress(import_id, reasons, false);
			COMMIT;
		END IF;
		IF pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>=) next_notice THEN
			RAISE NOTICE 'records: % of %', least(next_place OPERATOR(pg_catalog.-) 1::pg_catalog.int8, records_read), records_read;
			next_notice := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) interval '5 s';
		END IF;
	END LOOP;
	IF NOT dry_run THEN
		PERFORM reengage_internal.import_note_progress(import_id, reasons, true);
	END IF;
	PERFORM reengage_internal.import_drop_staging();
	SELECT c.accepted, c.rejected, c.skipped INTO accepted, rejected, skipped FROM reengage_internal.import_counts(reasons) c;
END
$$;
COMMENT ON PROCEDURE reengage.import_history(text, text, text, regclass, text, text, integer, timestamptz, timestamptz, interval, timestamptz, text, text, text, text, jsonb, text[], text[], jsonb, boolean, uuid, bigint, bigint, bigint, bigint, jsonb) IS
	'asks for one nudge for each customer of a history extract, a CSV file on the server or a staging table; commits as it goes, and may be called again: what was asked for before is recognised';

/* src/sql/90_privileges.sql */

--
-- Privileges.  PUBLIC has nothing, and nobody what default privileges of the
-- database would give; nobody gets TRIGGER, REFERENCES or TRUNCATE.  The GRANTs
-- stand with their objects; assemble.awk puts them behind all of this.
--
DO $$
DECLARE
	statement text;
BEGIN
	FOR statement IN
		SELECT DISTINCT format('REVOKE ALL ON %s %s FROM %s CASCADE', o.kind, o.name, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
		FROM (SELECT 'SCHEMA' AS kind, n.nspname::text AS name, n.nspowner AS owner, n.nspacl AS acl FROM pg_namespace n WHERE n.nspname IN ('reengage', 'reengage_internal')
			  UNION ALL
			  SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass::text, c.relowner, c.relacl
			  FROM pg_class c WHERE c.relnamespace IN ('reengage'::regnamespace, 'reengage_internal'::regnamespace)
			  UNION ALL
			  SELECT 'ROUTINE', p.oid::regprocedure::text, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
			  FROM pg_proc p WHERE p.pronamespace IN ('reengage'::regnamespace, 'reengage_internal'::regnamespace)
			  UNION ALL
			  SELECT 'TYPE', t.oid::regtype::text, t.typowner, t.typacl FROM pg_type t WHERE t.typnamespace IN ('reengage'::regnamespace, 'reengage_internal'::regnamespace)) o
			CROSS JOIN LATERAL aclexplode(o.acl) a
		WHERE a.grantee <> o.owner
	LOOP
		EXECUTE statement;
	END LOOP;
END
$$;

-- A preloaded worker that waits for the extension can begin.
SELECT reengage_internal.wake('-infinity');

/* what each role may */

GRANT USAGE ON SCHEMA reengage_internal TO reengage_operator, reengage_reader, reengage_worker;
GRANT USAGE ON SCHEMA reengage
	TO reengage_application, reengage_operator, reengage_reader, reengage_worker;
GRANT EXECUTE ON FUNCTION reengage.uuid_v7() TO reengage_application, reengage_operator, reengage_worker;
GRANT EXECUTE ON FUNCTION reengage.first_id(timestamptz) TO reengage_application, reengage_operator, reengage_reader, reengage_worker;
GRANT EXECUTE ON FUNCTION reengage_internal.id_tells(uuid, timestamptz) TO reengage_operator, reengage_reader, reengage_worker;
GRANT EXECUTE ON FUNCTION reengage_internal.is_conversation_id(text) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.require_own_transaction(text) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.plural(bigint, text, text) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.is_locked(text, text[]) TO reengage_operator, reengage_worker;
GRANT EXECUTE ON FUNCTION reengage_internal.locked_by(xid, uuid, text, text, text, text, text)
	TO reengage_application, reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage.default_server() TO reengage_application, reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.country_code_of(text) TO reengage_operator;
GRANT SELECT ON reengage.server_state TO reengage_operator;
GRANT SELECT, INSERT, UPDATE, DELETE ON reengage.server_state TO reengage_worker;
GRANT SELECT (nudge_id) ON reengage.nudges TO reengage_application;
GRANT INSERT (nudge_id, server, conversation_id, message, address, channel, when_closed, priority, due_at,
		expires_at, time_zone, campaign, detail, supersedes, when_answered, answered_since) ON reengage.nudges
	TO reengage_application, reengage_operator;
GRANT SELECT ON reengage.nudges TO reengage_operator, reengage_worker;
GRANT EXECUTE ON FUNCTION reengage.nudge(text, text, text, text, text, text, integer, timestamptz, timestamptz, text, text, jsonb, uuid, boolean, text, timestamptz)
	TO reengage_application, reengage_operator;
GRANT SELECT ON reengage.due TO reengage_operator;
GRANT SELECT, UPDATE, DELETE ON reengage.due TO reengage_worker;
-- UPDATE lets it lock what it deletes
GRANT SELECT, INSERT, UPDATE, DELETE ON reengage.releases TO reengage_worker;
GRANT SELECT ON reengage.intents TO reengage_operator;
-- UPDATE lets it lock what it deletes
GRANT SELECT, INSERT, UPDATE, DELETE ON reengage.intents TO reengage_worker;
GRANT SELECT ON reengage.unresolved TO reengage_operator;
GRANT SELECT, INSERT, DELETE ON reengage.unresolved TO reengage_worker;
GRANT UPDATE (since) ON reengage.unresolved TO reengage_worker;
GRANT SELECT ON reengage.lineage_epochs TO reengage_operator, reengage_worker;
GRANT EXECUTE ON FUNCTION reengage_internal.lineage_position() TO reengage_worker;
GRANT SELECT ON reengage.lineage TO reengage_operator, reengage_reader;
GRANT SELECT, INSERT ON reengage.lineage TO reengage_worker;
GRANT EXECUTE ON FUNCTION reengage_internal.lineage_in_progress() TO reengage_operator, reengage_reader;
GRANT SELECT ON reengage.lineage_settled TO reengage_operator, reengage_reader;
GRANT SELECT ON reengage.pruned_days TO reengage_operator, reengage_reader, reengage_worker;
GRANT SELECT ON reengage.past_sessions TO reengage_operator, reengage_reader, reengage_worker;
GRANT SELECT ON reengage.pruned_nudges TO reengage_operator, reengage_worker;
GRANT SELECT ON reengage_internal.sessions TO reengage_operator, reengage_reader, reengage_worker;
GRANT SELECT ON reengage.lineage_manifest TO reengage_operator, reengage_reader, reengage_worker;
GRANT EXECUTE ON FUNCTION reengage.lineage_digest(reengage.lineage)
	TO reengage_operator, reengage_reader, reengage_worker;
GRANT EXECUTE ON FUNCTION reengage_internal.start_of_day(date) TO reengage_operator, reengage_reader, reengage_worker;
GRANT EXECUTE ON FUNCTION reengage_internal.recorded_after(timestamptz, timestamptz, bigint)
	TO reengage_operator, reengage_reader, reengage_worker;
GRANT EXECUTE ON FUNCTION reengage_internal.measure_lineage(timestamptz, timestamptz, bigint)
	TO reengage_operator, reengage_reader, reengage_worker;
GRANT EXECUTE ON FUNCTION reengage_internal.day_held_open_by(date) TO reengage_worker;
GRANT EXECUTE ON FUNCTION reengage_internal.day_without_manifest() TO reengage_worker;
GRANT EXECUTE ON FUNCTION reengage_internal.record_manifest(date, bigint, bigint) TO reengage_worker;
GRANT EXECUTE ON PROCEDURE reengage.close_day(date) TO reengage_operator;
GRANT SELECT ON reengage.reconciliation TO reengage_operator, reengage_reader;
-- a number that is 0 is no row: campaigns come and go
GRANT SELECT, INSERT, UPDATE, DELETE ON reengage.tallies TO reengage_worker;
GRANT SELECT, INSERT, UPDATE ON reengage.tally_totals TO reengage_worker;
GRANT SELECT, INSERT, DELETE ON reengage.tally_changes TO reengage_worker;
GRANT EXECUTE ON FUNCTION reengage.recount() TO reengage_operator;
GRANT SELECT ON reengage.address_key TO reengage_worker;
GRANT SELECT ON reengage_internal.address_key_in_use TO reengage_worker;
GRANT EXECUTE ON FUNCTION reengage_internal.normal_addresses(text[], text[], text) TO reengage_operator;
GRANT SELECT ON reengage.identity TO reengage_operator, reengage_worker;
GRANT UPDATE (timeline) ON reengage.identity TO reengage_worker;
GRANT EXECUTE ON FUNCTION reengage_internal.fence_complaint()
	TO reengage_application, reengage_operator, reengage_reader, reengage_worker;
GRANT EXECUTE ON FUNCTION reengage.arm(text) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage.disarm() TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage.cancel(uuid) TO reengage_application, reengage_operator;
GRANT EXECUTE ON FUNCTION reengage.cancel_campaign(text, text) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage.cancel_thread(text, text, text) TO reengage_application, reengage_operator;
GRANT EXECUTE ON FUNCTION reengage.cancel_customer(text, text, text, text)
	TO reengage_application, reengage_operator;
GRANT SELECT ON reengage.changes TO reengage_operator;
GRANT SELECT ON reengage.suppressions TO reengage_operator, reengage_worker;
GRANT EXECUTE ON FUNCTION reengage.suppress(text, text, text, text, timestamptz, text)
	TO reengage_application, reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.record_opt_out(text, text, text, text, text, text) TO reengage_worker;
GRANT EXECUTE ON FUNCTION reengage.unsuppress(text, text, text, text) TO reengage_operator;
GRANT SELECT ON reengage.answers TO reengage_operator, reengage_worker;
GRANT EXECUTE ON FUNCTION reengage.record_answer(text, text, timestamptz, text, text)
	TO reengage_application, reengage_operator;
GRANT SELECT ON reengage.pauses TO reengage_operator, reengage_worker;
GRANT EXECUTE ON FUNCTION reengage.pause(text, text) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage.resume(text) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage.permitted_at(timestamptz, text[], text)
	TO reengage_application, reengage_operator;
GRANT SELECT, DELETE, INSERT (server, campaign, channel, quiet_hours, time_zone, cap, cap_interval,
		minimum_gap, holdout_percent, holdout_salt, max_length, max_due, max_per_minute),
	UPDATE (server, campaign, channel, quiet_hours, time_zone, cap, cap_interval, minimum_gap,
		holdout_percent, holdout_salt, max_length, max_due, max_per_minute) ON reengage.policies
	TO reengage_operator;
GRANT SELECT ON reengage.policies TO reengage_worker;
GRANT EXECUTE ON PROCEDURE reengage.run(integer, integer) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage.preview(uuid) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage.preflight(text, text) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.worker_state() TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.workers() TO reengage_operator, reengage_reader;
GRANT SELECT ON reengage.in_doubt TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage.redrive(uuid) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage.resolve(uuid, text, text) TO reengage_operator;
GRANT SELECT ON reengage.nudge_status TO reengage_application, reengage_operator, reengage_reader;
GRANT SELECT ON reengage.open_nudges TO reengage_application, reengage_operator, reengage_reader;
GRANT SELECT ON reengage.threads TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.find_threads(text, text) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage.thread(text, text) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.diagram_text(text, text) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage.thread_diagram(text, text, text) TO reengage_operator, reengage_reader;
GRANT SELECT ON reengage.nudge_counts TO reengage_application, reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.due_now(text, text, bigint, text, uuid[]) TO reengage_application, reengage_operator, reengage_reader;
GRANT SELECT ON reengage.campaign_status TO reengage_application, reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.retention() TO reengage_operator, reengage_reader, reengage_worker;
GRANT EXECUTE ON FUNCTION reengage_internal.tombstone_retention() TO reengage_operator, reengage_worker;
GRANT EXECUTE ON FUNCTION reengage_internal.longest_memory() TO reengage_operator, reengage_reader, reengage_worker;
GRANT EXECUTE ON FUNCTION reengage_internal.kept_since(interval) TO reengage_operator, reengage_reader, reengage_worker;
GRANT EXECUTE ON FUNCTION reengage_internal.day_to_close(interval) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.clock_is_doubtful() TO reengage_worker;
GRANT EXECUTE ON FUNCTION reengage_internal.require_keep(interval, bigint) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.prune_part(interval, timestamptz, integer) TO reengage_operator, reengage_worker;
GRANT EXECUTE ON FUNCTION reengage_internal.prune_rest(interval, integer) TO reengage_operator, reengage_worker;
GRANT EXECUTE ON PROCEDURE reengage.prune(interval, bigint, bigint, bigint, bigint) TO reengage_operator;
GRANT SELECT ON reengage.erasures TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage.forget(text, text, text, text) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.published_tables() TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.private_tables() TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.is_our_publication(oid) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage.publish(text) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.check_publications() TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.check_tables() TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.check_slots() TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.check_settings() TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage.replication_check() TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.foreign_hands() TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.backlog(integer, text) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.due_servers() TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.counted(bigint, integer) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.overdue_after() TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.slot_lag_limit() TO reengage_operator, reengage_reader;
GRANT SELECT ON reengage.health TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.counters() TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage.reset_metrics() TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.due_by_priority(integer, integer) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.metric_help() TO reengage_operator, reengage_reader;
GRANT SELECT ON reengage.metrics TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.html(text) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_words() TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_says(text, text) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_number(numeric) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_share(numeric, numeric) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_time(timestamptz) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_meter(numeric, numeric, text) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_table(text, text[], text) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_row(text, text[]) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_tile(text, numeric, numeric, text) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_figure(text, text, text, integer, text) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_section(text, text, text, text) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_happened(jsonb) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_stands(jsonb) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_servers(jsonb) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_part_of_time(jsonb, integer) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_head(jsonb) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_funnel(jsonb) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_bar(text, numeric, numeric, numeric, numeric, numeric) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_outcomes(jsonb) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_waiting(jsonb) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_not_sent(jsonb) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_quota(jsonb) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_doubt(jsonb) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_style() TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_page(jsonb) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_ended(text, timestamptz[]) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_troubles(text[]) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.requests_per_minute(text) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_bounds(timestamptz) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.require_campaign(text) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.report_facts(text, timestamptz) TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage.report(text, timestamptz) TO reengage_operator, reengage_reader;
GRANT SELECT ON reengage.import_runs TO reengage_operator;
GRANT SELECT ON reengage.import_rejects TO reengage_operator;
GRANT DELETE ON reengage.import_rejects TO reengage_operator;
GRANT SELECT ON reengage.imports TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage.import_outcome(text) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_counts(jsonb) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_add_reasons(jsonb, jsonb) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_count_reasons(text[]) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_begin(jsonb, text, bigint) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_lock(uuid) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_lock_campaign(text, text) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_note_progress(uuid, jsonb, boolean) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_keep_rejects(uuid, reengage.import_rejects[]) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_lower(text) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_column_meaning(text) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_header_is_data(text[]) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_shown_columns(text[]) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_names_of_field(jsonb, text) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_columns(text[], jsonb) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_check_header(text[]) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_check_columns(jsonb) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_check_meanings(text[], jsonb) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_check_keep_columns(text[], jsonb, jsonb) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_check_source(text[], jsonb) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_read_record(text, text, text, text, text, text, text)
	TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_said(text) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_address_hashes(text[], boolean) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_status_words() TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_without_address(text, text) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_is_template(jsonb) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_check_template(jsonb) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_template_for(jsonb, text) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_template_in(text) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_read_header(text, text, text, text) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_copy_file(text, text, text, text) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_lock_table(regclass) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_copy_table(regclass) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_drop_staging() TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_make_staging(integer) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_stage_file(jsonb) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_stage_table(regclass, jsonb) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_expression(text, integer[]) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_kept_expression(text[], jsonb) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_detail_expression(text[], jsonb) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_describe_staging(text[], jsonb) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_name_columns(text[], jsonb) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_judge(timestamptz, timestamptz, text, text, text, text[]) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_plan(jsonb) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_begin_threads(text, reengage_internal.import_thread[]) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_ask(uuid, jsonb, reengage_internal.import_nudge[]) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_nudge_ids(text, text, text[]) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_unasked(text, text, reengage_internal.import_nudge[], text[]) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_chunk(uuid, bigint, bigint, jsonb) TO reengage_operator;
GRANT EXECUTE ON FUNCTION reengage_internal.import_check_arguments(jsonb, regclass) TO reengage_operator;
GRANT EXECUTE ON PROCEDURE reengage.import_history(text, text, text, regclass, text, text, integer, timestamptz, timestamptz, interval, timestamptz, text, text, text, text, jsonb, text[], text[], jsonb, boolean, uuid, bigint, bigint, bigint, bigint, jsonb)
	TO reengage_operator;
