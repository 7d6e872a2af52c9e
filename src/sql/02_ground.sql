--
-- What the rest stands on: ids, where we are, the worker's alarm clock, and the
-- triggers that refuse.
--
CREATE FUNCTION reengage.uuid_v7() RETURNS uuid
LANGUAGE C VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reengage_uuid_v7';
COMMENT ON FUNCTION reengage.uuid_v7() IS
	'a new UUID version 7 (RFC 9562): millisecond time, then a fraction that keeps the order within a session, then random bits';
GRANT EXECUTE ON FUNCTION reengage.uuid_v7() TO reengage_application, reengage_operator, reengage_worker;

CREATE FUNCTION reengage.first_id(at timestamptz) RETURNS uuid
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reengage_first_id';
COMMENT ON FUNCTION reengage.first_id(timestamptz) IS
	'what no id of version 7 from that millisecond on is less than: lineage_id >= reengage.first_id(now() - interval ''1 hour'') finds the rows of the last hour by their key';
GRANT EXECUTE ON FUNCTION reengage.first_id(timestamptz) TO reengage_application, reengage_operator, reengage_reader, reengage_worker;

CREATE FUNCTION reengage_internal.id_tells(id uuid, at timestamptz) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'reengage_id_tells';
COMMENT ON FUNCTION reengage_internal.id_tells(uuid, timestamptz) IS
	'whether an id is of version 7 and was made within 0.1 s of a time';
GRANT EXECUTE ON FUNCTION reengage_internal.id_tells(uuid, timestamptz) TO reengage_operator, reengage_reader, reengage_worker;

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
GRANT EXECUTE ON FUNCTION reengage_internal.is_conversation_id(text) TO reengage_operator;

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
GRANT EXECUTE ON FUNCTION reengage_internal.require_own_transaction(text) TO reengage_operator;

CREATE FUNCTION reengage_internal.plural(number bigint, one text, many text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE WHEN number = 1 THEN one ELSE many END $$;
COMMENT ON FUNCTION reengage_internal.plural(bigint, text, text) IS 'what stands behind a number in a message';
GRANT EXECUTE ON FUNCTION reengage_internal.plural(bigint, text, text) TO reengage_operator, reengage_reader;

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
