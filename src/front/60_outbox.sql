--
-- An outbox: applications whose rows and nudges are to be committed together, or not at
-- all, write nudges down in their own database, and logical replication brings them here.
--
CREATE FUNCTION reengage_front.outbox_columns() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT string_agg(format('    %I %s%s%s', a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END,
			-- without a server the front has a default, too, but the row says where it goes
			CASE WHEN a.attname = 'nudge_id' THEN ' DEFAULT gen_random_uuid()' WHEN a.attname = 'server' THEN ''
				ELSE coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '') END), E',\n' ORDER BY a.attnum)
	FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
	WHERE a.attrelid = 'reengage.nudges'::regclass AND a.attnum > 0 AND NOT a.attisdropped
$$;
COMMENT ON FUNCTION reengage_front.outbox_columns() IS 'the columns of an outbox: those of nudges';

CREATE FUNCTION reengage_front.outbox_ddl(side text, role_name text, connection text DEFAULT 'host=... dbname=...') RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	names text := (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
				   WHERE a.attrelid = 'reengage.nudges'::regclass AND a.attnum > 0 AND NOT a.attisdropped);
	made text := format($ddl$CREATE SCHEMA reengage_outbox;
CREATE TABLE reengage_outbox.nudges (
%s,
    PRIMARY KEY (nudge_id)
);
$ddl$, reengage_front.outbox_columns());
BEGIN
	IF side = 'application' THEN
		RETURN made || $ddl$-- needs wal_level = logical; rows may be deleted at will
CREATE PUBLICATION reengage_outbox FOR TABLE reengage_outbox.nudges WITH (publish = 'insert');
$ddl$ || format('GRANT USAGE ON SCHEMA reengage_outbox TO %1$I;
%2$s INSERT, SELECT (nudge_id) ON reengage_outbox.nudges TO %1$I;
', role_name, 'GRANT');
	ELSIF side IS DISTINCT FROM 'front' THEN
		RAISE EXCEPTION 'invalid side of an outbox: "%"', left(side, 60)
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It is application, where nudges are written down, or front, where they arrive.';
	END IF;
	RETURN made || format($ddl$CREATE TABLE reengage_outbox.refused (
    nudge_id uuid PRIMARY KEY,
    complaint text NOT NULL,
    hint text,
    refused_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE reengage_outbox.waiting (
    nudge_id uuid PRIMARY KEY,
    reason text NOT NULL,
    since timestamptz NOT NULL DEFAULT now()
);
-- What is asked of a node is asked by this role.  Nothing here is its own: whoever owns a table
-- that is replicated can do what the subscription's owner can.  An error would stop all that
-- follow: what a node refuses is refused, what a node that is down would get waits.
CREATE FUNCTION reengage_outbox.ask(asked reengage_outbox.nudges) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $ask$
DECLARE
    was text := current_setting('role');
    said text;
BEGIN
    PERFORM set_config('role', %5$L, true);
    INSERT INTO reengage.nudges (%2$s) SELECT asked.* ON CONFLICT DO NOTHING;
    PERFORM set_config('role', was, true);
    DELETE FROM reengage_outbox.waiting w WHERE w.nudge_id = asked.nudge_id;
EXCEPTION
    WHEN connection_exception OR insufficient_resources OR admin_shutdown OR crash_shutdown OR cannot_connect_now OR transaction_rollback THEN
        INSERT INTO reengage_outbox.waiting (nudge_id, reason) VALUES (asked.nudge_id, SQLERRM) ON CONFLICT DO NOTHING;
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS said = PG_EXCEPTION_HINT;
        INSERT INTO reengage_outbox.refused (nudge_id, complaint, hint) VALUES (asked.nudge_id, SQLERRM, nullif(said, '')) ON CONFLICT DO NOTHING;
        DELETE FROM reengage_outbox.waiting w WHERE w.nudge_id = asked.nudge_id;
END
$ask$;
CREATE FUNCTION reengage_outbox.arrived() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $arrived$
BEGIN
    PERFORM reengage_outbox.ask(NEW);
    RETURN NULL;
END
$arrived$;
CREATE TRIGGER arrived AFTER INSERT ON reengage_outbox.nudges FOR EACH ROW EXECUTE FUNCTION reengage_outbox.arrived();
ALTER TABLE reengage_outbox.nudges ENABLE ALWAYS TRIGGER arrived;
-- from time to time, by pg_cron or whatever you have: SELECT reengage_outbox.ask_waiting()
CREATE FUNCTION reengage_outbox.ask_waiting() RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $waiting$
BEGIN
    PERFORM reengage_outbox.ask(n) FROM reengage_outbox.nudges n JOIN reengage_outbox.waiting w ON w.nudge_id = n.nudge_id;
    RETURN (SELECT count(*) FROM reengage_outbox.waiting);
END
$waiting$;
REVOKE ALL ON FUNCTION reengage_outbox.ask(reengage_outbox.nudges), reengage_outbox.arrived(), reengage_outbox.ask_waiting() FROM PUBLIC;
%4$s EXECUTE ON FUNCTION reengage_outbox.ask(reengage_outbox.nudges), reengage_outbox.ask_waiting() TO %1$I;
%4$s USAGE ON SCHEMA reengage_outbox TO %1$I;
%4$s SELECT, DELETE ON reengage_outbox.nudges TO %1$I;
%4$s SELECT, INSERT, DELETE ON reengage_outbox.refused, reengage_outbox.waiting TO %1$I;
-- and then, in a transaction of its own:
-- CREATE SUBSCRIPTION reengage_outbox CONNECTION %3$L PUBLICATION reengage_outbox;
$ddl$, role_name, names, connection,
		-- a line that begins with it would be taken for one of this script
		'GRANT', role_name);
END
$$;
COMMENT ON FUNCTION reengage_front.outbox_ddl(text, text, text) IS
	'the statements that make an outbox: at the side application, in whose database a role may write nudges down; at the side front, where they arrive, and that role, mapped as any, asks the nodes for them: what is refused is in reengage_outbox.refused, what waits for a node that is down in reengage_outbox.waiting';
