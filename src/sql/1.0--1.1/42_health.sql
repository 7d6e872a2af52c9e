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
CREATE OR REPLACE FUNCTION reengage_internal.foreign_hands(OUT subject text, OUT detail text, OUT remedy text) RETURNS SETOF record
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
