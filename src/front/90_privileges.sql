--
-- PUBLIC has nothing, and nobody what default privileges of the database would give.
-- The GRANTs stand with their objects; assemble.awk puts them behind all of this.
--
DO $$
DECLARE
	statement text;
BEGIN
	FOR statement IN
		SELECT DISTINCT format('REVOKE ALL ON %s %s FROM %s CASCADE', o.kind, o.name, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
		FROM (SELECT 'SCHEMA' AS kind, n.nspname::text AS name, n.nspowner AS owner, n.nspacl AS acl FROM pg_namespace n WHERE n.nspname IN ('reengage', 'reengage_front')
			  UNION ALL
			  SELECT 'TABLE', c.oid::regclass::text, c.relowner, c.relacl
			  FROM pg_class c WHERE c.relnamespace IN ('reengage'::regnamespace, 'reengage_front'::regnamespace)
			  UNION ALL
			  SELECT 'ROUTINE', p.oid::regprocedure::text, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
			  FROM pg_proc p WHERE p.pronamespace IN ('reengage'::regnamespace, 'reengage_front'::regnamespace)) o
			CROSS JOIN LATERAL aclexplode(o.acl) a
		WHERE a.grantee <> o.owner
	LOOP
		EXECUTE statement;
	END LOOP;
	-- who moves a server takes each step himself, as whom he is at the nodes
	FOR statement IN
		SELECT format('GRANT EXECUTE ON FUNCTION %s TO reengage_fleet', p.oid::regprocedure)
		FROM pg_proc p WHERE p.pronamespace = 'reengage_front'::regnamespace AND p.proname LIKE 'move\_%'
	LOOP
		EXECUTE statement;
	END LOOP;
END
$$;
