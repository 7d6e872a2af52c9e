--
-- Who hears whom: what each node publishes, a slot for each that hears it, and a
-- subscription for each that it hears.  No member of an extension can be one of these.
--
CREATE FUNCTION reengage_internal.require_fleet() RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	own text := (SELECT n.name FROM reengage.node n);
BEGIN
	IF own IS NULL THEN
		RAISE EXCEPTION 'this database is in no fleet'
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Give it a name: SELECT reengage.join_fleet(''a'');';
	END IF;
	RETURN own;
END
$$;
COMMENT ON FUNCTION reengage_internal.require_fleet() IS 'the name of this node; an error if it has none';

CREATE FUNCTION reengage_internal.require_node_name(name text) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	own text := reengage_internal.require_fleet();
BEGIN
	IF require_node_name.name IS NULL OR require_node_name.name !~ '^[a-z][a-z0-9_]{0,30}$' OR require_node_name.name = own THEN
		RAISE EXCEPTION 'invalid name of another node: "%"', coalesce(reengage_internal.shown(require_node_name.name), 'null')
			USING ERRCODE = 'invalid_parameter_value',
				  DETAIL = CASE WHEN require_node_name.name = own THEN 'It is this one.' ELSE 'It must have 1 to 31 characters of a-z 0-9 _ and begin with a letter.' END;
	END IF;
	RETURN own;
END
$$;
COMMENT ON FUNCTION reengage_internal.require_node_name(text) IS
	'the name of this node; an error if it has none, or if that is not the name of another';

CREATE FUNCTION reengage.publish_news() RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	own text := reengage_internal.require_fleet();
	columns CONSTANT text[] := ARRAY['news_id', 'node', 'kind', 'said_at', 'address_hash', 'root_conversation_id', 'server', 'channel', 'about', 'said'];
	published text;
	pub pg_publication;
	is_right boolean;
BEGIN
	PERFORM reengage_internal.require_writable('cannot publish on');
	IF current_setting('wal_level') <> 'logical' THEN
		RAISE EXCEPTION 'wal_level is "%", and publishing needs "logical"', current_setting('wal_level')
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'Set wal_level = logical in postgresql.conf and restart the server.';
	END IF;
	PERFORM reengage_internal.lock('publication', VARIADIC '{}');
	published := format('TABLE reengage.news (%s) WHERE (node = %L)', array_to_string(columns, ', '), own);
	SELECT * INTO pub FROM pg_publication p WHERE p.pubname = 'reengage_news';
	IF NOT FOUND THEN
		EXECUTE 'CREATE PUBLICATION reengage_news FOR ' || published || ' WITH (publish = ''insert'')';
		COMMENT ON PUBLICATION reengage_news IS 'made by reengage.publish_news()';
		RETURN 'created';
	END IF;
	IF NOT reengage_internal.is_news_publication(pub.oid) THEN
		RAISE EXCEPTION 'publication "reengage_news" is not one that reengage may change'
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = 'reengage.publish_news() did not make it, it was given away, or it contains something else.',
				  HINT = 'Drop it, and call this again.';
	END IF;
	SELECT pub.pubinsert AND NOT pub.pubupdate AND NOT pub.pubdelete AND NOT pub.pubtruncate
		AND pg_get_expr(r.prqual, r.prrelid) = format('(node = %L::text)', own)
		AND ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs::int2[]) ORDER BY a.attnum) = columns
	INTO is_right FROM pg_publication_rel r WHERE r.prpubid = pub.oid;
	IF is_right THEN
		RETURN 'ok';
	END IF;
	EXECUTE 'ALTER PUBLICATION reengage_news SET ' || published;
	ALTER PUBLICATION reengage_news SET (publish = 'insert');
	RETURN 'repaired';
END
$$;
COMMENT ON FUNCTION reengage.publish_news() IS
	'publishes what is said at this node for the others of its fleet, or puts that right: created, repaired or ok';
GRANT EXECUTE ON FUNCTION reengage.publish_news() TO reengage_operator;

-- A slot that was made anew is behind what its reader had: it has another name, by which
-- the reader knows that it has to copy all once more.
CREATE FUNCTION reengage_internal.news_slots(for_node text) RETURNS SETOF pg_replication_slots
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
	SELECT s.* FROM pg_replication_slots s, reengage.node n
	WHERE s.database = current_database() AND s.plugin = 'pgoutput' AND NOT s.temporary
	  AND s.slot_name::text ~ format('^reengage_%s_%s_[0-9a-f]{8}$', for_node, left(md5(n.name || ' ' || for_node), 8))
	ORDER BY s.wal_status = 'lost', s.active DESC, s.slot_name
$$;
COMMENT ON FUNCTION reengage_internal.news_slots(text) IS 'the slots from which another node hears this one: there should be one';

CREATE FUNCTION reengage.make_news_slot(for_node text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	own text := reengage_internal.require_node_name(for_node);
	kept text;
BEGIN
	SELECT s.slot_name INTO kept FROM reengage_internal.news_slots(for_node) s WHERE s.wal_status <> 'lost' LIMIT 1;
	IF FOUND THEN
		RETURN kept;
	END IF;
	-- a slot sees the publications that were there when it was made
	IF NOT EXISTS (SELECT FROM pg_publication p WHERE p.pubname = 'reengage_news') THEN
		RAISE EXCEPTION 'news is not published here yet'
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = 'From a slot that is older than the publication nothing could be heard.',
				  HINT = 'SELECT reengage.publish_news(); then call this again.';
	END IF;
	PERFORM pg_drop_replication_slot(s.slot_name) FROM reengage_internal.news_slots(for_node) s WHERE NOT s.active;
	kept := format('reengage_%s_%s_%s', for_node, left(md5(own || ' ' || for_node), 8), right(replace(gen_random_uuid()::text, '-', ''), 8));
	BEGIN
		PERFORM pg_create_logical_replication_slot(kept, 'pgoutput');
	EXCEPTION WHEN internal_error THEN
		-- where others make tables meanwhile, PostgreSQL makes the slot, and then may trip over it
		-- ("snapshot reference is not owned by resource owner")
		IF NOT EXISTS (SELECT FROM reengage_internal.news_slots(for_node) s WHERE s.slot_name = kept) THEN
			RAISE;
		END IF;
	END;
	RETURN kept;
END
$$;
COMMENT ON FUNCTION reengage.make_news_slot(text) IS
	'the replication slot from which another node hears this one, made if there is none, or if its WAL is gone; returns its name';
GRANT EXECUTE ON FUNCTION reengage.make_news_slot(text) TO reengage_operator;

CREATE FUNCTION reengage.drop_news_slot(for_node text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	dropped bigint;
BEGIN
	PERFORM reengage_internal.require_node_name(for_node);
	SELECT count(pg_drop_replication_slot(s.slot_name)) INTO dropped FROM reengage_internal.news_slots(for_node) s;
	RETURN dropped;
END
$$;
COMMENT ON FUNCTION reengage.drop_news_slot(text) IS
	'drops the slot of a node that hears this one no more, so that it keeps no WAL; returns how many that were';
GRANT EXECUTE ON FUNCTION reengage.drop_news_slot(text) TO reengage_operator;

CREATE FUNCTION reengage_internal.news_place() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('made by reengage.news_ddl() on timeline %s of cluster %s, %s',
		reengage_internal.timeline(), reengage_internal.system_identifier(), reengage_internal.site())
$$;
COMMENT ON FUNCTION reengage_internal.news_place() IS 'the comment of a subscription that was made here, and not before a restore or promotion';
GRANT EXECUTE ON FUNCTION reengage_internal.news_place() TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage.news_ddl(from_node text, connection text, slot text DEFAULT NULL) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	heard pg_subscription;
	name text := 'reengage_news_' || from_node;
	-- what a restored or promoted database has had, its slots may be ahead of
	here CONSTANT text := reengage_internal.news_place();
BEGIN
	PERFORM reengage_internal.require_node_name(from_node);
	IF num_nonnulls(connection, slot) = 1 THEN
		RAISE EXCEPTION 'connection and slot must be given, or neither'
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'The slot is what reengage.make_news_slot() of the other node returns; with neither it is heard no more.';
	END IF;
	SELECT s.* INTO heard FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
	WHERE s.subname = name AND d.datname = current_database();
	IF FOUND AND heard.subslotname = slot AND obj_description(heard.oid, 'pg_subscription') = here THEN
		IF heard.subconninfo <> connection THEN
			RETURN NEXT format('ALTER SUBSCRIPTION %I CONNECTION %L', name, connection);
		END IF;
		IF NOT heard.subenabled THEN
			RETURN NEXT format('ALTER SUBSCRIPTION %I ENABLE', name);
		END IF;
		RETURN;
	END IF;
	IF FOUND THEN
		RETURN NEXT format('ALTER SUBSCRIPTION %I DISABLE', name);
		RETURN NEXT format('ALTER SUBSCRIPTION %I SET (slot_name = NONE)', name);
		RETURN NEXT format('DROP SUBSCRIPTION %I', name);
	END IF;
	IF slot IS NOT NULL THEN
		RETURN NEXT format('CREATE SUBSCRIPTION %I CONNECTION %L PUBLICATION reengage_news WITH (create_slot = false, slot_name = %L)', name, connection, slot);
		RETURN NEXT format('COMMENT ON SUBSCRIPTION %I IS %L', name, here);
	END IF;
END
$$;
COMMENT ON FUNCTION reengage.news_ddl(text, text, text) IS
	'the statements, for a superuser, by which this node hears another, named by where it is and the slot that make_news_slot() returned there, or without both no more; none where all is as it should be; a subscription whose slot is another, or that was made before a restore or promotion, is made anew';

-- What a node had said and knows no more, as it was restored from a backup, or is gone,
-- the others can say in its place.
CREATE FUNCTION reengage.repeat_news(of_node text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	own text := reengage_internal.require_node_name(of_node);
	repeated bigint;
BEGIN
	WITH heard AS MATERIALIZED (
		SELECT n.* FROM reengage.news n
		WHERE n.node = of_node AND n.kind IN ('opted_out', 'withdrawn', 'answered', 'erased') AND n.heard_at IS NOT NULL
	), older AS (
		DELETE FROM reengage.news o USING heard h
		WHERE (o.address_hash = h.address_hash OR o.root_conversation_id = h.root_conversation_id) AND o.node IS NOT DISTINCT FROM own AND o.kind = h.kind
		  AND o.kind IN ('opted_out', 'answered') AND o.server IS NOT DISTINCT FROM h.server AND o.channel IS NOT DISTINCT FROM h.channel
	)
	INSERT INTO reengage.news (node, kind, said_at, address_hash, root_conversation_id, server, channel, about, said)
	SELECT own, h.kind, CASE WHEN h.kind IN ('withdrawn', 'erased') THEN h.said_at ELSE clock_timestamp() END,
		h.address_hash, h.root_conversation_id, h.server, h.channel, h.about, h.said
	FROM heard h;
	GET DIAGNOSTICS repeated = ROW_COUNT;
	RETURN repeated;
END
$$;
COMMENT ON FUNCTION reengage.repeat_news(text) IS
	'says as this node''s own what it has heard of another, of one that was restored from a backup, or is gone for good: so the others, and it, hear it again; returns how much that was';
GRANT EXECUTE ON FUNCTION reengage.repeat_news(text) TO reengage_operator;

CREATE VIEW reengage.news_state AS
SELECT o.node,
	CASE
		WHEN s.oid IS NULL THEN 'not heard'
		WHEN NOT s.subenabled THEN 'disabled'
		WHEN pg_catalog.obj_description(s.oid, 'pg_subscription') IS DISTINCT FROM reengage_internal.news_place() THEN 'outdated'
		WHEN a.pid IS NULL THEN 'stopped'
		WHEN EXISTS (SELECT FROM pg_catalog.pg_subscription_rel r WHERE r.srsubid = s.oid AND r.srsubstate <> 'r') THEN 'copying'
		ELSE 'ok' END AS state,
	h.said_at AS newest_said_at, h.heard_at AS newest_heard_at, h.heard_at - h.said_at AS newest_took,
	a.last_msg_receipt_time AS last_contact_at,
	(SELECT count(*) FROM reengage.news w WHERE w.complaint IS NOT NULL AND w.node = o.node) AS waiting,
	t.slot_name::text AS slot, t.active AS is_heard_there,
	pg_catalog.pg_wal_lsn_diff(CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
		ELSE pg_catalog.pg_current_wal_lsn() END, t.confirmed_flush_lsn)::bigint AS slot_lag
FROM (SELECT substr(s.subname::text, 15) AS node FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
	  WHERE d.datname = pg_catalog.current_database() AND s.subname LIKE 'reengage\_news\_%'
	  UNION
	  SELECT substring(r.slot_name::text FROM '^reengage_(.*)_[0-9a-f]{8}_[0-9a-f]{8}$') FROM pg_catalog.pg_replication_slots r
	  WHERE r.database = pg_catalog.current_database() AND r.plugin = 'pgoutput' AND r.slot_name::text ~ '^reengage_.*_[0-9a-f]{8}_[0-9a-f]{8}$'
	  UNION
	  SELECT w.node FROM reengage.news w WHERE w.complaint IS NOT NULL) o
	LEFT JOIN (pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid AND d.datname = pg_catalog.current_database())
		ON s.subname = 'reengage_news_' || o.node
	LEFT JOIN pg_catalog.pg_stat_subscription a ON a.subid = s.oid AND a.relid IS NULL
	LEFT JOIN LATERAL (SELECT n.said_at, n.heard_at FROM reengage.news n WHERE n.node = o.node ORDER BY n.news_id DESC LIMIT 1) h ON true
	LEFT JOIN LATERAL (SELECT r.* FROM reengage_internal.news_slots(o.node) r LIMIT 1) t ON true;
COMMENT ON VIEW reengage.news_state IS 'the other nodes of the fleet: whether they are heard here, and hear this one, and how late';
COMMENT ON COLUMN reengage.news_state.node IS 'the other node';
COMMENT ON COLUMN reengage.news_state.state IS 'ok; copying: for the first time; not heard: there is no subscription; disabled; stopped: the log says why; outdated: this database was restored or promoted since, and has to hear all once more';
COMMENT ON COLUMN reengage.news_state.newest_said_at IS 'when the newest that was heard of it was said, by the clock there';
COMMENT ON COLUMN reengage.news_state.newest_heard_at IS 'when it was heard here';
COMMENT ON COLUMN reengage.news_state.newest_took IS 'how late that was, as far as both clocks agree';
COMMENT ON COLUMN reengage.news_state.last_contact_at IS 'when it last sent anything, be it that there is nothing; null: it is not connected';
COMMENT ON COLUMN reengage.news_state.waiting IS 'how much of what was heard could not be done: reengage.news_waiting has it';
COMMENT ON COLUMN reengage.news_state.slot IS 'the slot here from which it hears this node; null: it does not';
COMMENT ON COLUMN reengage.news_state.is_heard_there IS 'whether it is connected';
COMMENT ON COLUMN reengage.news_state.slot_lag IS 'bytes of WAL that it has not confirmed';
GRANT SELECT ON reengage.news_state TO reengage_operator, reengage_reader;
GRANT EXECUTE ON FUNCTION reengage_internal.news_slots(text) TO reengage_operator, reengage_reader;

CREATE VIEW reengage.news_waiting AS
SELECT n.news_id, n.node, n.kind, n.said_at, n.heard_at, n.complaint, n.next_try
FROM reengage.news n WHERE n.complaint IS NOT NULL;
COMMENT ON VIEW reengage.news_waiting IS 'what was heard from other nodes and could not be done yet';
COMMENT ON COLUMN reengage.news_waiting.news_id IS 'as in news';
COMMENT ON COLUMN reengage.news_waiting.node IS 'as in news';
COMMENT ON COLUMN reengage.news_waiting.kind IS 'as in news';
COMMENT ON COLUMN reengage.news_waiting.said_at IS 'as in news';
COMMENT ON COLUMN reengage.news_waiting.heard_at IS 'as in news';
COMMENT ON COLUMN reengage.news_waiting.complaint IS 'as in news';
COMMENT ON COLUMN reengage.news_waiting.next_try IS 'as in news';
GRANT SELECT ON reengage.news_waiting TO reengage_operator, reengage_reader;
