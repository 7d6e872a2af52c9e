-- A front without a node: what it refuses, what it has, and what an application may.
\set SHOW_CONTEXT never
\set home :DBNAME
SET client_min_messages = error;
CREATE DATABASE regress_front TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C' ENCODING 'UTF8';
\c regress_front
\set SHOW_CONTEXT never
-- default privileges that would give everybody everything
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO PUBLIC;
SET client_min_messages = warning;
CREATE EXTENSION reengage_front CASCADE;
\pset format unaligned
\pset tuples_only on
SELECT count(*) FROM reengage.nudge_status;
SELECT * FROM reengage.health;
INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('north', 'a', 'hi');
INSERT INTO reengage.nudges (conversation_id, message) VALUES ('a', 'hi');
SELECT reengage.suppress(address => '+13175550142');
SELECT reengage.pause('north');
SELECT reengage_front.set_nodes('{}');
SELECT reengage_front.refresh();
-- an id of version 7, of now
SELECT substr(id::text, 15, 1), substr(id::text, 20, 1) ~ '[89ab]',
	to_timestamp(('x' || replace(left(id::text, 13), '-', ''))::bit(48)::bigint / 1000.0) BETWEEN now() - interval '1 s' AND clock_timestamp()
FROM reengage.uuid_v7() id;
-- connection strings
SELECT * FROM reengage_front.connection_options('a', $$host = a.example  password='it\'s \\ here'  port=5432$$);
SELECT * FROM reengage_front.connection_options('a', $$host=a.example password='not closed$$);
SELECT reengage_front.as_connection_string('{host,password}', ARRAY['a', $$it's \$$]);
SELECT reengage_front.short_name('north'), reengage_front.short_name('Nord/Sud 1'), length(reengage_front.nudges_of(repeat('x', 63), repeat('y', 31))) - length('reengage_front.');
-- all have a comment, and a search_path unless they were parsed when they were made
SELECT 'no comment', p.oid::regprocedure FROM pg_proc p
WHERE p.pronamespace IN ('reengage'::regnamespace, 'reengage_front'::regnamespace) AND obj_description(p.oid, 'pg_proc') IS NULL;
SELECT 'no comment', c.oid::regclass FROM pg_class c
WHERE c.relnamespace IN ('reengage'::regnamespace, 'reengage_front'::regnamespace) AND c.relkind IN ('r', 'p') AND obj_description(c.oid, 'pg_class') IS NULL;
SELECT 'no search_path', p.oid::regprocedure FROM pg_proc p
WHERE p.pronamespace IN ('reengage'::regnamespace, 'reengage_front'::regnamespace) AND p.prosqlbody IS NULL AND p.prokind <> 'p'
  AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false);
-- what an application may, or anybody who is none of the three roles
SELECT coalesce(nullif(a.grantee, 0)::regrole::text, 'PUBLIC') COLLATE "C" AS role, o.name COLLATE "C" AS name, string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type)
FROM (SELECT n.nspname::text AS name, n.nspacl AS acl, n.nspowner AS owner FROM pg_namespace n WHERE n.nspname IN ('reengage', 'reengage_front')
	  UNION ALL
	  SELECT c.oid::regclass::text, c.relacl, c.relowner FROM pg_class c WHERE c.relnamespace IN ('reengage'::regnamespace, 'reengage_front'::regnamespace) AND c.relname NOT LIKE 'no\_%'
	  UNION ALL
	  SELECT p.proname::text || '()', coalesce(p.proacl, acldefault('f', p.proowner)), p.proowner
	  FROM pg_proc p WHERE p.pronamespace IN ('reengage'::regnamespace, 'reengage_front'::regnamespace)) o
	CROSS JOIN LATERAL aclexplode(o.acl) a
WHERE a.grantee NOT IN (o.owner, 'reengage_operator'::regrole, 'reengage_reader'::regrole)
GROUP BY 1, 2 ORDER BY 1, 2;
\c :home
DROP DATABASE regress_front;
