--
-- Advisory locks, by which those who decide about a nudge wait for each other.
-- Kinds and their numbers: backend/dispatch/locks.h.
--
CREATE FUNCTION reengage_internal.lock(kind text, VARIADIC key text[]) RETURNS void
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_lock';
COMMENT ON FUNCTION reengage_internal.lock(text, text[]) IS
	'until the end of the transaction, or unlock(), the worker begins no call of a campaign (server, name), server (name), thread (server, root) or customer (address_hash); of those that lock an import (id), the imports of a campaign (server, campaign), a publication, what retention lets go, the tip (server, conversation) of a thread that gets a successor, news of some customers (stripe), or some threads of a campaign in which nudges supersede others (server, role, campaign, stripe), one waits for the other; a null in the key: nothing';

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
GRANT EXECUTE ON FUNCTION reengage_internal.is_locked(text, text[]) TO reengage_operator, reengage_worker;

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
GRANT EXECUTE ON FUNCTION reengage_internal.locked_by(xid, uuid, text, text, text, text, text)
	TO reengage_application, reengage_operator, reengage_reader;

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
