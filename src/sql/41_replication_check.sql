--
-- Whether lineage can be replicated, and is.  The traps, each with its remedy.
--
CREATE FUNCTION reengage_internal.published_as(publication name, relation regclass) RETURNS regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT g.relid::regclass FROM pg_get_publication_tables(published_as.publication) g
	WHERE g.relid = published_as.relation OR g.relid IN (SELECT a.relid FROM pg_partition_ancestors(published_as.relation) a)
	ORDER BY g.relid <> published_as.relation LIMIT 1
$$;
COMMENT ON FUNCTION reengage_internal.published_as(name, regclass) IS
	'the table under whose name a publication sends the rows of a table: itself, or one that it was made a part of; null: it sends none';
GRANT EXECUTE ON FUNCTION reengage_internal.published_as(name, regclass) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.check_publications(
	OUT check_name text, OUT state text, OUT detail text, OUT remedy text) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	WITH publications AS (
		SELECT p.*, reengage_internal.is_our_publication(p.oid) AS ours,
			(SELECT string_agg(t::text, ', ' ORDER BY t::text) FROM reengage_internal.published_tables() t
			 WHERE reengage_internal.published_as(p.pubname, t) IS NULL) AS missing,
			EXISTS (SELECT FROM reengage_internal.published_tables() t
					WHERE reengage_internal.published_as(p.pubname, t) IS NOT NULL) AS has_some,
			NOT EXISTS (SELECT FROM pg_get_publication_tables(p.pubname)) AND NOT reengage_internal.is_news_publication(p.oid) AS is_empty,
			(SELECT string_agg(t::text, ', ' ORDER BY t::text) FROM reengage_internal.private_tables() t
			 JOIN pg_get_publication_tables(p.pubname) g ON g.relid = t
			 -- what nodes of a fleet tell each other is for nobody else, and has a publication of its own
			 WHERE t <> coalesce(to_regclass('reengage.news'), 0) OR NOT reengage_internal.is_news_publication(p.oid)) AS private,
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
$$;
COMMENT ON FUNCTION reengage_internal.check_publications() IS 'the part of replication_check() about publications';
GRANT EXECUTE ON FUNCTION reengage_internal.check_publications() TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.check_published(
	OUT check_name text, OUT state text, OUT detail text, OUT remedy text) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	WITH published AS (
		SELECT p.oid, p.pubname, p.pubviaroot, t AS relation, reengage_internal.published_as(p.pubname, t) AS arrives_as,
			-- from 18 on
			to_jsonb(p) ->> 'pubgencols' = 's' AS has_generated
		FROM pg_publication p, reengage_internal.published_tables() t
	)
	SELECT format('column list in publication %I', p.pubname), 'attention',
		format('%s has a column list, which leaves out %s', p.relation,
			coalesce((SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) FROM pg_attribute a
					  WHERE a.attrelid = p.relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attnum <> ALL (r.prattrs::int2[])),
				'what a later version will add')),
		format('A reader misses what it leaves out. ALTER PUBLICATION %I DROP TABLE %s; and ADD it without.', p.pubname, p.relation)
	FROM published p JOIN pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = p.relation
	WHERE r.prattrs IS NOT NULL
	UNION ALL
	SELECT format('row filter in publication %I', p.pubname), 'attention',
		format('%s has a row filter: %s', p.relation, pg_get_expr(r.prqual, r.prrelid)),
		format('A reader misses what it leaves out. ALTER PUBLICATION %I DROP TABLE %s; and ADD it without.', p.pubname, p.relation)
	FROM published p JOIN pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = p.relation
	WHERE pg_get_expr(r.prqual, r.prrelid) <> coalesce(reengage_internal.publication_filter(p.relation), '')
	UNION ALL
	SELECT format('rows of other nodes in publication %I', p.pubname), 'attention',
		'lineage that came with a server from another node of the fleet is sent, too: whoever reads both nodes gets it twice',
		CASE WHEN reengage_internal.is_our_publication(p.oid) THEN format('SELECT reengage.publish(%L);', p.pubname)
			ELSE format('A row filter leaves it out: ALTER PUBLICATION %I DROP TABLE %s; then ADD TABLE %s WHERE %s;', p.pubname, p.relation, p.relation,
						reengage_internal.publication_filter(p.relation)) END
	FROM published p LEFT JOIN pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = p.relation
	WHERE p.arrives_as IS NOT NULL AND r.prqual IS NULL AND reengage_internal.publication_filter(p.relation) IS NOT NULL
	  AND EXISTS (SELECT FROM reengage.node)
	UNION ALL
	SELECT format('root in publication %I', p.pubname), 'failed',
		format('rows of %s arrive as rows of %s, of which it was made a part', p.relation, p.arrives_as),
		format('Nobody who reads %s gets them: ALTER TABLE %s DETACH PARTITION %s;', p.relation, p.arrives_as, p.relation)
	FROM published p WHERE p.arrives_as <> p.relation
	UNION ALL
	SELECT format('options of publication %I', p.pubname), 'attention', 'publish_via_partition_root is off',
		format('publish() repairs it only as it made it: ALTER PUBLICATION %I SET (publish_via_partition_root = true);', p.pubname)
	FROM pg_publication p WHERE reengage_internal.is_our_publication(p.oid) AND NOT p.pubviaroot
	UNION ALL
	SELECT format('generated columns in publication %I', p.pubname), 'attention',
		format('%s is generated, and published', string_agg(format('%s.%I', p.relation, a.attname), ', ' ORDER BY p.relation::text, a.attnum)),
		format('A reader whose table lacks it stops: ALTER PUBLICATION %I SET (publish_generated_columns = none);', p.pubname)
	FROM published p JOIN pg_attribute a ON a.attrelid = p.relation AND a.attgenerated = 's' AND NOT a.attisdropped
	WHERE p.has_generated AND p.arrives_as IS NOT NULL
	GROUP BY p.pubname
$$;
COMMENT ON FUNCTION reengage_internal.check_published() IS 'the part of replication_check() about how a publication sends our tables';
GRANT EXECUTE ON FUNCTION reengage_internal.check_published() TO reengage_operator, reengage_reader;

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
	UNION ALL
	SELECT format('columns of %s', a.attrelid::regclass), CASE WHEN bool_and(a.attgenerated <> '') THEN 'attention' ELSE 'failed' END,
		format('somebody added %s', string_agg(a.attname || CASE WHEN a.attgenerated <> '' THEN ' (generated)' ELSE '' END, ', ' ORDER BY a.attnum)),
		CASE WHEN bool_and(a.attgenerated <> '') THEN 'It does not travel, or stops a reader that has not the column; and a restored dump has it no more. Make a view of your own instead.'
			ELSE 'A dump does not restore, and a subscriber without the column stops: take it out. nudges.detail is carried into lineage.detail.' END
	FROM pg_attribute a
	WHERE a.attnum > 0 AND NOT a.attisdropped
	  -- the view has had those of the extension since it was made
	  AND (a.attrelid = 'reengage.lineage'::regclass AND NOT EXISTS (
				SELECT FROM pg_attribute v WHERE v.attrelid = 'reengage.lineage_settled'::regclass AND v.attname = a.attname)
		OR a.attrelid = 'reengage.lineage_manifest'::regclass
			AND a.attname <> ALL ('{manifest_id,day,as_of,row_count,digest,column_sums,up_to}'))
	GROUP BY a.attrelid
$$;
COMMENT ON FUNCTION reengage_internal.check_tables() IS 'the part of replication_check() about the tables';
GRANT EXECUTE ON FUNCTION reengage_internal.check_tables() TO reengage_operator, reengage_reader;

-- Only superusers may read the setting.
CREATE FUNCTION reengage_internal.output_plugins() RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	-- a name in quotes may have a comma, as after ALTER SYSTEM SET x = 'a, b'
	SELECT CASE WHEN listed.names IS NOT NULL THEN ARRAY(
		SELECT CASE WHEN n.name LIKE '"%' THEN replace(btrim(n.name, '"'), '""', '"') ELSE n.name END
		FROM regexp_matches(listed.names, '"(?:[^"]|"")*"|[^,"]+', 'g') m CROSS JOIN LATERAL (SELECT btrim(m[1])) n (name)
		WHERE n.name <> '') END
	FROM (SELECT current_setting('output_plugin_libraries', true)) listed (names)
$$;
COMMENT ON FUNCTION reengage_internal.output_plugins() IS
	'the plugins that a slot may have, where the server has output_plugin_libraries; null: any';
GRANT EXECUTE ON FUNCTION reengage_internal.output_plugins() TO reengage_operator, reengage_reader;

-- What a reader asked for stands in the command that it gave, and nowhere else.
CREATE FUNCTION reengage_internal.binary_readers() RETURNS SETOF name
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT s.slot_name FROM pg_replication_slots s JOIN pg_stat_activity a ON a.pid = s.active_pid
	WHERE s.database = current_database() AND a.backend_type = 'walsender'
	  AND a.query ~* '^ *START_REPLICATION .*[(,] *"?binary"? +''(true|on|1)'''
$$;
COMMENT ON FUNCTION reengage_internal.binary_readers() IS
	'the slots of this database whose readers, there now, take values in binary, as far as track_activities lets it be seen';
GRANT EXECUTE ON FUNCTION reengage_internal.binary_readers() TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.check_readers(
	OUT check_name text, OUT state text, OUT detail text, OUT remedy text) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT format('plugin of slot %I', s.slot_name), 'failed',
		format('%s is not in output_plugin_libraries (%s), so whoever reads the slot is refused', s.plugin,
			(SELECT string_agg(quote_ident(l), ', ') FROM unnest(reengage_internal.output_plugins()) l)),
		format('Let the reader use pgoutput; or, if the plugin is safe in the hands of everybody with REPLICATION: ALTER SYSTEM SET output_plugin_libraries = %s; SELECT pg_reload_conf();',
			(SELECT string_agg(quote_ident(l), ', ') FROM unnest(reengage_internal.output_plugins() || s.plugin::text) l))
	FROM pg_replication_slots s
	WHERE s.database = current_database() AND s.plugin <> ALL (reengage_internal.output_plugins())
	UNION ALL
	SELECT format('reader of slot %I', b), 'attention', 'takes values in binary',
		'It stops at a column that has another type there. Where every type is the same it does no harm; else ALTER SUBSCRIPTION x SET (binary = false);'
	FROM reengage_internal.binary_readers() b
	UNION ALL
	SELECT 'slots of this standby', CASE WHEN (here.follows, here.feedback, here.has_slot) = ('on', 'on', 'set') THEN 'ok' ELSE 'attention' END,
		CASE WHEN here.follows IS NULL THEN 'before version 17 no logical slot follows to a standby'
			ELSE format('sync_replication_slots: %s, hot_standby_feedback: %s, primary_slot_name: %s', here.follows, here.feedback, here.has_slot) END,
		CASE WHEN here.follows IS NULL THEN 'After a promotion let the readers take a new snapshot.'
			WHEN (here.follows, here.feedback, here.has_slot) <> ('on', 'on', 'set')
				THEN 'No reader can go on here after a promotion: set all three, and dbname in primary_conninfo.' END
	FROM (SELECT current_setting('sync_replication_slots', true), current_setting('hot_standby_feedback'),
			CASE WHEN current_setting('primary_slot_name') <> '' THEN 'set' ELSE 'not set' END) here (follows, feedback, has_slot)
	WHERE pg_is_in_recovery()
$$;
COMMENT ON FUNCTION reengage_internal.check_readers() IS 'the part of replication_check() about what readers want';
GRANT EXECUTE ON FUNCTION reengage_internal.check_readers() TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.check_subscriptions(
	OUT check_name text, OUT state text, OUT detail text, OUT remedy text) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	WITH subscriptions AS (
		SELECT s.subname, s.subenabled, s.subbinary,
			(SELECT string_agg(t::text, ', ' ORDER BY t::text) FROM reengage_internal.published_tables() t
			 WHERE NOT EXISTS (SELECT FROM pg_subscription_rel r WHERE r.srsubid = s.oid AND r.srrelid = t)) AS missing,
			(SELECT string_agg(r.srrelid::regclass::text, ', ' ORDER BY r.srrelid::regclass::text) FROM pg_subscription_rel r
			 WHERE r.srsubid = s.oid AND r.srrelid IN (SELECT reengage_internal.published_tables()) AND r.srsubstate <> 'r') AS unfinished,
			EXISTS (SELECT FROM pg_stat_subscription a WHERE a.subid = s.oid AND a.relid IS NULL AND a.pid IS NOT NULL) AS runs
		FROM pg_subscription s
		WHERE s.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
		  AND EXISTS (SELECT FROM pg_subscription_rel r WHERE r.srsubid = s.oid AND r.srrelid IN (SELECT reengage_internal.published_tables()))
	)
	SELECT format('subscription %I', s.subname), CASE WHEN said.trouble IS NULL THEN 'ok' ELSE 'attention' END,
		coalesce(said.trouble, 'runs, and has what is made to be replicated'), said.what_to_do
	FROM subscriptions s
		CROSS JOIN LATERAL (
			SELECT CASE
					WHEN NOT s.subenabled THEN 'is disabled'
					WHEN NOT s.runs THEN 'nothing applies it now'
					WHEN s.unfinished IS NOT NULL THEN format('the first copy of %s is not finished', s.unfinished)
					WHEN s.missing IS NOT NULL THEN format('does not have %s', s.missing)
					WHEN s.subbinary THEN 'takes values in binary' END,
				CASE
					WHEN NOT s.subenabled THEN format('ALTER SUBSCRIPTION %I ENABLE; unless an error disabled it, which the log of this server has.', s.subname)
					WHEN NOT s.runs THEN 'The log of this server says why it stopped, or that no worker was free.'
					WHEN s.unfinished IS NOT NULL THEN 'Wait; if it does not end, the log of this server says why.'
					WHEN s.missing IS NOT NULL THEN format('On the publisher SELECT reengage.publish(); then here ALTER SUBSCRIPTION %I REFRESH PUBLICATION;', s.subname)
					WHEN s.subbinary THEN format('It stops at a column that has another type on the publisher, as an update may bring: ALTER SUBSCRIPTION %I SET (binary = false);', s.subname) END
			) said (trouble, what_to_do)
$$;
COMMENT ON FUNCTION reengage_internal.check_subscriptions() IS 'the part of replication_check() about what this database reads from others';
GRANT EXECUTE ON FUNCTION reengage_internal.check_subscriptions() TO reengage_operator, reengage_reader;

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
GRANT EXECUTE ON FUNCTION reengage_internal.check_slots() TO reengage_operator, reengage_reader;

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
	SELECT 'output_plugin_libraries', CASE WHEN 'pgoutput' = ANY (l.names) THEN 'ok' ELSE 'failed' END,
		(SELECT string_agg(quote_ident(n), ', ') FROM unnest(l.names) n),
		CASE WHEN 'pgoutput' <> ALL (l.names) THEN format('Readers of a publication are refused: ALTER SYSTEM SET output_plugin_libraries = %s; SELECT pg_reload_conf();',
			(SELECT string_agg(quote_ident(n), ', ') FROM unnest(array_prepend('pgoutput', l.names)) n)) END
	FROM (SELECT reengage_internal.output_plugins()) l(names)
	WHERE l.names IS NOT NULL
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
GRANT EXECUTE ON FUNCTION reengage_internal.check_settings() TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage.replication_check()
RETURNS TABLE (check_name text, state text, detail text, remedy text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT * FROM reengage_internal.check_settings()
	UNION ALL SELECT * FROM reengage_internal.check_publications()
	UNION ALL SELECT * FROM reengage_internal.check_published()
	UNION ALL SELECT * FROM reengage_internal.check_tables()
	UNION ALL SELECT * FROM reengage_internal.check_slots()
	UNION ALL SELECT * FROM reengage_internal.check_readers()
	UNION ALL SELECT * FROM reengage_internal.check_subscriptions()
$$;
COMMENT ON FUNCTION reengage.replication_check() IS
	'whether lineage can be replicated, and is: ok, attention or failed, and what to do';
GRANT EXECUTE ON FUNCTION reengage.replication_check() TO reengage_operator, reengage_reader;
