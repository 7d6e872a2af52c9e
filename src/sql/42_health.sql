--
-- Whether nudges are being sent, and if not, why and what to do.
--
-- In no fleet there is none.
CREATE FUNCTION reengage_internal.news_complaints(OUT subject text, OUT detail text, OUT remedy text) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
BEGIN
	RETURN QUERY
		SELECT 'news of node ' || w.node, format('%s %s could not be done, the oldest heard at %s: %s', w.waits, reengage_internal.plural(w.waits, 'piece of news', 'pieces of news'), w.since, w.said),
			'SELECT * FROM reengage.news_waiting; what waits for somebody is tried again by itself; the rest, when its cause is mended, by SELECT reengage.heed_news();'
		FROM (SELECT n.node, count(*) AS waits, min(n.heard_at) AS since, (array_agg(n.complaint ORDER BY n.heard_at))[1] AS said
			  FROM reengage.news n WHERE n.complaint IS NOT NULL GROUP BY n.node) w;
	IF EXISTS (SELECT FROM reengage.node) THEN
		RETURN QUERY
			SELECT 'node ' || s.node, format('it is not heard here as it should be (%s): opt-outs that are said there are not known', s.state),
				CASE WHEN s.state = 'stopped' THEN 'The log of this server says why nothing applies it; if its slot is gone, make the subscription anew: SELECT reengage.news_ddl(node, connection, slot).'
					ELSE 'Make the subscription anew: SELECT reengage.news_ddl(node, connection, slot), with what reengage.make_news_slot() of that node returns.' END
			FROM reengage.news_state s WHERE s.state NOT IN ('ok', 'copying') AND NOT pg_is_in_recovery();
		RETURN QUERY
			SELECT 'key of node ' || n.node, 'it hashes addresses by another key: an opt-out here means nobody there, nor the other way round',
				'A key that is in use is for good: have one of the two leave, and move what it sends to a new database that joins before it is used; until then, call suppress() at both.'
			FROM reengage_internal.address_key_in_use k JOIN reengage.news n ON n.said ->> 'key' <> encode(k.key, 'hex')
			WHERE n.kind = 'key' AND n.heard_at IS NOT NULL AND n.complaint IS NULL
			  -- one that has left is heard no more
			  AND EXISTS (SELECT FROM reengage.news_state s WHERE s.node = n.node AND s.state <> 'not heard');
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.news_complaints() IS
	'what other nodes of a fleet have said and could not be done here, those that are not heard, and those with another key; a part of the view health';
GRANT EXECUTE ON FUNCTION reengage_internal.news_complaints() TO reengage_operator, reengage_reader;

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
	FROM triggers t
	-- what hears other nodes is fired by replication alone
	WHERE t.is_ours AND t.tgenabled <> CASE WHEN t.tgrelid = to_regclass('reengage.news') AND t.tgname = 'hear' THEN 'R' ELSE 'O' END
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
	UNION ALL
	SELECT * FROM reengage_internal.news_complaints()
$$;
COMMENT ON FUNCTION reengage_internal.foreign_hands() IS
	'what others have put on reengage''s tables, or may: triggers, rules, row-level security, foreign keys, privileges; and what keeps other nodes of a fleet from being heard; a part of the view health';
GRANT EXECUTE ON FUNCTION reengage_internal.foreign_hands() TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.backlog(at_most integer, of_server text DEFAULT NULL,
	OUT due bigint, OUT scheduled bigint, OUT oldest timestamptz)
LANGUAGE C STABLE
AS 'MODULE_PATHNAME', 'reengage_backlog';
COMMENT ON FUNCTION reengage_internal.backlog(integer, text) IS
	'how many nudges are due, of all servers or of one, how many are scheduled for later, and the earliest time of any; counted up to one more than at_most';
GRANT EXECUTE ON FUNCTION reengage_internal.backlog(integer, text) TO reengage_operator, reengage_reader;

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
GRANT EXECUTE ON FUNCTION reengage_internal.due_servers() TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.counted(number bigint, at_most integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE WHEN number > at_most THEN 'more than ' || at_most ELSE number::text END $$;
COMMENT ON FUNCTION reengage_internal.counted(bigint, integer) IS 'a number that was counted up to one more than at_most, in words';
GRANT EXECUTE ON FUNCTION reengage_internal.counted(bigint, integer) TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.overdue_after() RETURNS interval
LANGUAGE C STABLE STRICT SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_overdue_after_sql';
COMMENT ON FUNCTION reengage_internal.overdue_after() IS 'the setting reengage.overdue_after; 0: nothing is ever overdue';
GRANT EXECUTE ON FUNCTION reengage_internal.overdue_after() TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.slot_lag_limit() RETURNS bigint
LANGUAGE C STABLE STRICT SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_slot_lag_limit_sql';
COMMENT ON FUNCTION reengage_internal.slot_lag_limit() IS 'the setting reengage.slot_lag_limit, in bytes; 0: none';
GRANT EXECUTE ON FUNCTION reengage_internal.slot_lag_limit() TO reengage_operator, reengage_reader;

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
GRANT SELECT ON reengage.health TO reengage_operator, reengage_reader;
