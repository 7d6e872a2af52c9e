-- Rules that every object of the extension keeps; sql/catalog.sql lists them.

-- a schema that was there before is not adopted; where in the script, only some versions say
\set SHOW_CONTEXT never
CREATE SCHEMA reengage;
CREATE EXTENSION reengage;
DROP SCHEMA reengage;

CREATE EXTENSION reengage;

-- every table, view and column has a comment
SELECT c.oid::regclass AS relation, a.attname AS column
FROM pg_class c
	LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace IN ('reengage'::regnamespace, 'reengage_internal'::regnamespace) AND c.relkind IN ('r', 'v')
  AND (obj_description(c.oid, 'pg_class') IS NULL OR col_description(c.oid, a.attnum) IS NULL);

-- and every function
SELECT p.oid::regprocedure FROM pg_proc p
WHERE p.pronamespace IN ('reengage'::regnamespace, 'reengage_internal'::regnamespace) AND obj_description(p.oid, 'pg_proc') IS NULL;

-- functions are not led astray by a search path; a procedure that commits
-- cannot carry one, so it pins its own in each transaction, and a function in C
-- that runs no SQL needs none, nor one whose body was parsed when it was made
SELECT p.oid::regprocedure FROM pg_proc p
WHERE p.pronamespace IN ('reengage'::regnamespace, 'reengage_internal'::regnamespace) AND p.prosqlbody IS NULL
  AND NOT coalesce(p.proconfig, '{}') @> ARRAY['search_path=pg_catalog, pg_temp']
ORDER BY p.oid::regprocedure::text COLLATE "C";

-- PUBLIC may nothing
SELECT c.oid::regclass FROM pg_class c, aclexplode(c.relacl) a
WHERE c.relnamespace IN ('reengage'::regnamespace, 'reengage_internal'::regnamespace) AND a.grantee = 0;
SELECT p.oid::regprocedure FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
WHERE p.pronamespace IN ('reengage'::regnamespace, 'reengage_internal'::regnamespace) AND a.grantee = 0;
SELECT a.privilege_type FROM pg_namespace n, aclexplode(n.nspacl) a
WHERE n.nspname IN ('reengage', 'reengage_internal') AND a.grantee = 0;

-- nobody but the owner may plant a trigger, a reference or truncate
SELECT c.oid::regclass, a.grantee::regrole, a.privilege_type
FROM pg_class c, aclexplode(c.relacl) a
WHERE c.relnamespace IN ('reengage'::regnamespace, 'reengage_internal'::regnamespace) AND a.grantee <> c.relowner
  AND a.privilege_type IN ('TRIGGER', 'REFERENCES', 'TRUNCATE');

-- its roles
SELECT rolname, rolcanlogin, rolsuper FROM pg_roles WHERE rolname LIKE 'reengage%' ORDER BY 1;

-- a function that forbids sequential scans makes the plans that have one dear, and must not have them compiled
SELECT p.oid::regprocedure FROM pg_proc p
WHERE p.pronamespace IN ('reengage'::regnamespace, 'reengage_internal'::regnamespace) AND 'enable_hashjoin=off' = ANY (p.proconfig) AND NOT 'jit=off' = ANY (p.proconfig);

-- identifiers are of version 7 and ordered
SELECT bool_and(substr(u::text, 15, 1) = '7') AS version_7,
	   bool_and(substr(u::text, 20, 1) IN ('8', '9', 'a', 'b')) AS variant,
	   bool_and(u > before) IS NOT FALSE AS ordered, count(DISTINCT u) AS distinct_ids
FROM (SELECT u, lag(u) OVER (ORDER BY n) AS before
	  FROM (SELECT n, reengage.uuid_v7() AS u FROM generate_series(1, 10000) n) g) l;
DROP EXTENSION reengage;
