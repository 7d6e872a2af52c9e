--
-- What this script makes is as private as in a fresh installation.  What was there
-- before keeps the rights that it has, also those that somebody gave: new is what
-- became a member of the extension in this transaction.
--
DO $$
DECLARE
	statement text;
BEGIN
	FOR statement IN
		SELECT DISTINCT format('REVOKE ALL ON %s %s FROM %s CASCADE', o.kind, o.name, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
		FROM (SELECT d.classid, d.objid FROM pg_depend d
			  WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
				AND d.refobjid = (SELECT e.oid FROM pg_extension e WHERE e.extname = 'reengage')
				AND d.xmin = pg_current_xact_id()::xid) d
			CROSS JOIN LATERAL (
			  SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, c.oid::regclass::text AS name, c.relowner AS owner, c.relacl AS acl
			  FROM pg_class c WHERE d.classid = 'pg_class'::regclass AND c.oid = d.objid
			  UNION ALL
			  SELECT 'ROUTINE', p.oid::regprocedure::text, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
			  FROM pg_proc p WHERE d.classid = 'pg_proc'::regclass AND p.oid = d.objid
			  UNION ALL
			  SELECT 'TYPE', t.oid::regtype::text, t.typowner, t.typacl
			  FROM pg_type t WHERE d.classid = 'pg_type'::regclass AND t.oid = d.objid) o
			CROSS JOIN LATERAL aclexplode(o.acl) a
		WHERE a.grantee <> o.owner
	LOOP
		EXECUTE statement;
	END LOOP;
END
$$;
