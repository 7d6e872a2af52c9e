-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION reengage" to load this file. \quit

--
-- The schemas and the roles.  Roles are shared by all databases of a cluster, so
-- they may be there already; DROP EXTENSION leaves them.
--
CREATE SCHEMA reengage;
COMMENT ON SCHEMA reengage IS 're-engagement of customers who left a conversation: what was asked (nudges), what is due, what may be happening (intents), what happened (lineage)';

-- What the interface is made of.  Some of it runs as whoever calls it, and the
-- worker calls some itself: these roles may look names up in here, an application
-- may not.
CREATE SCHEMA reengage_internal;
COMMENT ON SCHEMA reengage_internal IS 'what reengage itself calls; it may change with any version';
GRANT USAGE ON SCHEMA reengage_internal TO reengage_operator, reengage_reader, reengage_worker;

-- First of all, as in each script that updates: what follows is of functions that an
-- older library does not have.
CREATE FUNCTION reengage_internal.require_library(version text) RETURNS void
LANGUAGE C STABLE STRICT
AS 'MODULE_PATHNAME', 'reengage_require_library';
COMMENT ON FUNCTION reengage_internal.require_library(text) IS
	'an error where the library that is loaded is older than that, with what to do';
SELECT reengage_internal.require_library('@VERSION@');

DO $$
DECLARE
	role_name text;
	role pg_roles;
	rights text;
	others text;
BEGIN
	FOREACH role_name IN ARRAY ARRAY['reengage_application', 'reengage_operator',
									 'reengage_reader', 'reengage_worker']
	LOOP
		SELECT * INTO role FROM pg_roles r WHERE r.rolname = role_name;
		IF NOT FOUND THEN
			EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
			CONTINUE;
		END IF;
		rights := concat_ws(', ', CASE WHEN role.rolcanlogin THEN 'LOGIN' END, CASE WHEN role.rolsuper THEN 'SUPERUSER' END,
			CASE WHEN role.rolcreaterole THEN 'CREATEROLE' END, CASE WHEN role.rolcreatedb THEN 'CREATEDB' END,
			CASE WHEN role.rolreplication THEN 'REPLICATION' END, CASE WHEN role.rolbypassrls THEN 'BYPASSRLS' END,
			(SELECT 'a member of superuser ' || string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname)
			 FROM pg_roles r WHERE r.rolsuper AND NOT role.rolsuper AND pg_has_role(role.oid, r.oid, 'MEMBER')));
		IF rights <> '' THEN
			RAISE EXCEPTION 'role "%" exists and is more than a group: %', role_name, rights
				USING ERRCODE = 'object_not_in_prerequisite_state',
					  HINT = 'Drop it, or take that from it: it must be NOLOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS.';
		END IF;
		others := concat_ws('; ',
			(SELECT 'members are ' || string_agg(m.member::regrole || CASE WHEN m.admin_option THEN ' (may add others)' ELSE '' END, ', ' ORDER BY m.member::regrole::text)
			 FROM pg_auth_members m WHERE m.roleid = role.oid),
			(SELECT 'it is a member of ' || string_agg(m.roleid::regrole::text, ', ' ORDER BY m.roleid::regrole::text)
			 FROM pg_auth_members m WHERE m.member = role.oid));
		IF others <> '' THEN
			RAISE WARNING 'role "%" was there before: %', role_name, others
				USING HINT = 'Roles are of the whole cluster: these have its rights in this database, too. REVOKE it from whom it is not for.';
		END IF;
	END LOOP;
END
$$;
GRANT USAGE ON SCHEMA reengage
	TO reengage_application, reengage_operator, reengage_reader, reengage_worker;
