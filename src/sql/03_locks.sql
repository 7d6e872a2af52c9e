--
-- Advisory locks, by which those who decide about a nudge wait for each other.
--
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

CREATE FUNCTION reengage_internal.lock_campaign(server text, campaign text) RETURNS void
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_lock_campaign';
COMMENT ON FUNCTION reengage_internal.lock_campaign(text, text) IS
	'likewise for all nudges of a campaign, whoever asked for them';

CREATE FUNCTION reengage_internal.lock_part(server text, requested_by text, campaign text, shared boolean) RETURNS void
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_lock_part';
COMMENT ON FUNCTION reengage_internal.lock_part(text, text, text, boolean) IS
	'likewise for all nudges that a role asked for of a campaign, or of none (''''); shared: together with others that lock single nudges of it';

CREATE FUNCTION reengage_internal.lock_superseding(server text, requested_by text, campaign text, stripe integer) RETURNS void
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_lock_superseding';
COMMENT ON FUNCTION reengage_internal.lock_superseding(text, text, text, integer) IS
	'of two transactions of a role whose nudges take the place of older ones in this stripe of a campaign''s threads, the second waits for the first, and sees its nudges';

CREATE FUNCTION reengage_internal.lock_server(server text) RETURNS void
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_lock_server';
COMMENT ON FUNCTION reengage_internal.lock_server(text) IS
	'until the end of the transaction, the worker begins no nudge of this server and records no call';

CREATE FUNCTION reengage_internal.lock_thread(server text, root_conversation_id text) RETURNS void
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_lock_thread';
COMMENT ON FUNCTION reengage_internal.lock_thread(text, text) IS
	'until unlock_thread(), the worker begins no call for this thread';

CREATE FUNCTION reengage_internal.unlock_thread(server text, root_conversation_id text) RETURNS void
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_unlock_thread';
COMMENT ON FUNCTION reengage_internal.unlock_thread(text, text) IS
	'ends lock_thread(): what is written of the thread by now, the worker sees, and begins no call until the transaction has ended';

CREATE FUNCTION reengage_internal.lock_customer(address_hash text) RETURNS void
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_lock_customer';
COMMENT ON FUNCTION reengage_internal.lock_customer(text) IS
	'until unlock_customer(), the worker begins no call to this customer';

CREATE FUNCTION reengage_internal.unlock_customer(address_hash text) RETURNS void
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_unlock_customer';
COMMENT ON FUNCTION reengage_internal.unlock_customer(text) IS
	'ends lock_customer(): what is written of the customer by now, the worker sees, and begins no call until the transaction has ended';

CREATE FUNCTION reengage_internal.locked_by(locker xid, nudge_id uuid, server text, requested_by text, campaign text, conversation_id text, address_hash text) RETURNS text
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'reengage_locked_by';
COMMENT ON FUNCTION reengage_internal.locked_by(xid, uuid, text, text, text, text, text) IS
	'for nudge_status: what kind of transaction that has not ended keeps a due nudge back; null: none, as far as is known';
GRANT EXECUTE ON FUNCTION reengage_internal.locked_by(xid, uuid, text, text, text, text, text)
	TO reengage_application, reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.require_read_committed() RETURNS void
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
COMMENT ON FUNCTION reengage_internal.require_read_committed() IS
	'an error where the transaction cannot see what was committed a moment ago';
