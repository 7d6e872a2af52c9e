-- What CREATE EXTENSION makes, all of it but the bodies: whatever changes here
-- changes for somebody.  One line for each fact, in the order of the names.
\set SHOW_CONTEXT never
CREATE EXTENSION reengage;
\pset format unaligned
\pset tuples_only on
\pset null ''

CREATE TEMP VIEW schemas AS
SELECT oid, nspname, nspowner, nspacl FROM pg_namespace WHERE nspname IN ('reengage', 'reengage_internal');

-- schemas, foreign-data wrappers, and what is dumped
SELECT 'schema', nspname, obj_description(oid, 'pg_namespace') FROM schemas ORDER BY nspname COLLATE "C";
SELECT 'foreign-data wrapper', fdwname, fdwhandler::regproc, fdwvalidator::regproc, obj_description(oid, 'pg_foreign_data_wrapper')
FROM pg_foreign_data_wrapper WHERE fdwname = 'reengage';
SELECT 'dumped', c.oid::regclass, e.extcondition[d.ordinality]
FROM pg_extension e, unnest(e.extconfig) WITH ORDINALITY d, pg_class c
WHERE e.extname = 'reengage' AND c.oid = d.d ORDER BY c.oid::regclass::text COLLATE "C";

-- what belongs to it and lies elsewhere, and what lies there and does not belong to it
SELECT 'member', pg_describe_object(d.classid, d.objid, 0)
FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
WHERE e.extname = 'reengage' AND d.deptype = 'e'
  AND coalesce((SELECT i.schema FROM pg_identify_object(d.classid, d.objid, 0) i), '') NOT IN (SELECT nspname FROM schemas)
ORDER BY pg_describe_object(d.classid, d.objid, 0) COLLATE "C";
SELECT 'no member', o.name
FROM (SELECT c.oid::regclass::text AS name, 'pg_class'::regclass AS class, c.oid AS id FROM pg_class c JOIN schemas s ON s.oid = c.relnamespace
	  WHERE c.relkind NOT IN ('i', 'c')
	  UNION ALL
	  SELECT p.oid::regprocedure::text, 'pg_proc'::regclass, p.oid FROM pg_proc p JOIN schemas s ON s.oid = p.pronamespace) o
WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = o.class AND d.objid = o.id AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e');

-- tables, views, types and their columns
SELECT CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'c' THEN 'type' ELSE c.relkind::text END,
	   c.oid::regclass, c.relpersistence, 'replica identity ' || c.relreplident::text,
	   CASE WHEN c.relrowsecurity THEN 'row security' END, CASE WHEN c.relforcerowsecurity THEN 'forced' END,
	   array_to_string(c.reloptions, ' '), coalesce(obj_description(c.oid, 'pg_class'), obj_description(c.reltype, 'pg_type'))
FROM pg_class c JOIN schemas s ON s.oid = c.relnamespace
WHERE c.relkind <> 'i' ORDER BY c.oid::regclass::text COLLATE "C";
SELECT 'column', c.oid::regclass || '.' || a.attname, format_type(a.atttypid, a.atttypmod),
	   (SELECT 'COLLATE ' || l.collname FROM pg_collation l WHERE l.oid = a.attcollation AND l.collname <> 'default'),
	   CASE WHEN a.attnotnull THEN 'NOT NULL' END, a.attidentity, a.attgenerated,
	   'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
FROM pg_class c JOIN schemas s ON s.oid = c.relnamespace
	JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
	LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relkind <> 'i' ORDER BY c.oid::regclass::text COLLATE "C", a.attnum;

-- what goes with tables; since version 18 NOT NULL is a constraint, too
SELECT 'constraint', r.conrelid::regclass, r.conname, pg_get_constraintdef(r.oid)
FROM pg_constraint r JOIN schemas s ON s.oid = r.connamespace
WHERE r.contype <> 'n' ORDER BY r.conrelid::regclass::text COLLATE "C", r.conname COLLATE "C";
SELECT 'index', pg_get_indexdef(c.oid)
FROM pg_class c JOIN schemas s ON s.oid = c.relnamespace
WHERE c.relkind = 'i' ORDER BY c.relname COLLATE "C";
SELECT 'trigger', pg_get_triggerdef(t.oid), t.tgenabled
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN schemas s ON s.oid = c.relnamespace
WHERE NOT t.tgisinternal ORDER BY t.tgrelid::regclass::text COLLATE "C", t.tgname COLLATE "C";
SELECT 'policy', p.polrelid::regclass, p.polname, p.polcmd, CASE WHEN p.polpermissive THEN 'permissive' END,
	   array(SELECT CASE r WHEN 0 THEN 'PUBLIC' ELSE r::regrole::text END FROM unnest(p.polroles) r ORDER BY 1),
	   pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN schemas s ON s.oid = c.relnamespace
ORDER BY p.polrelid::regclass::text COLLATE "C", p.polname COLLATE "C";

-- functions and procedures: how they are called, how they run, what they are for
SELECT CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END,
	   p.pronamespace::regnamespace || '.' || p.proname || '(' || pg_get_function_arguments(p.oid) || ')', pg_get_function_result(p.oid),
	   l.lanname, CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END,
	   CASE WHEN p.proisstrict THEN 'strict' END, CASE p.proparallel WHEN 's' THEN 'parallel safe' WHEN 'r' THEN 'parallel restricted' END,
	   CASE WHEN p.prosecdef THEN 'security definer' END, CASE WHEN p.proleakproof THEN 'leakproof' END,
	   (SELECT string_agg(c, '; ' ORDER BY c COLLATE "C") FROM unnest(p.proconfig) c), obj_description(p.oid, 'pg_proc')
FROM pg_proc p JOIN schemas s ON s.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
ORDER BY p.oid::regprocedure::text COLLATE "C";

-- what anybody but the owner may, and that it all has one owner
WITH rights AS (
	SELECT 'SCHEMA ' || s.nspname AS subject, s.nspowner AS owner, s.nspacl AS acl FROM schemas s
	UNION ALL
	SELECT 'FOREIGN DATA WRAPPER ' || f.fdwname, f.fdwowner, f.fdwacl FROM pg_foreign_data_wrapper f WHERE f.fdwname = 'reengage'
	UNION ALL
	SELECT 'TABLE ' || c.oid::regclass, c.relowner, c.relacl
	FROM pg_class c JOIN schemas s ON s.oid = c.relnamespace WHERE c.relkind NOT IN ('i', 'c')
	UNION ALL
	SELECT 'COLUMN ' || c.oid::regclass || '.' || a.attname, c.relowner, a.attacl
	FROM pg_class c JOIN schemas s ON s.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
	UNION ALL
	SELECT 'FUNCTION ' || p.oid::regprocedure, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
	FROM pg_proc p JOIN schemas s ON s.oid = p.pronamespace
	UNION ALL
	SELECT 'TYPE ' || t.oid::regtype, t.typowner, t.typacl
	FROM pg_type t JOIN schemas s ON s.oid = t.typnamespace)
SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS grantee, r.subject,
	   string_agg(a.privilege_type || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END, ', ' ORDER BY a.privilege_type COLLATE "C")
FROM rights r CROSS JOIN LATERAL aclexplode(r.acl) a
WHERE a.grantee <> r.owner
GROUP BY a.grantee, r.subject ORDER BY grantee, r.subject COLLATE "C";
SELECT DISTINCT 'owned by who created it', o.owner = current_user::regrole
FROM (SELECT nspowner AS owner FROM schemas
	  UNION ALL SELECT c.relowner FROM pg_class c JOIN schemas s ON s.oid = c.relnamespace
	  UNION ALL SELECT p.proowner FROM pg_proc p JOIN schemas s ON s.oid = p.pronamespace
	  UNION ALL SELECT t.typowner FROM pg_type t JOIN schemas s ON s.oid = t.typnamespace) o;
\pset tuples_only off
DROP EXTENSION reengage;
