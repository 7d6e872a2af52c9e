--
-- A node of a fleet: its name, and the functions that a front may call here.
--
CREATE TABLE reengage.node (
	name text NOT NULL,
	joined_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	joined_by text NOT NULL DEFAULT session_user,
	joined boolean NOT NULL DEFAULT true,
	CONSTRAINT node_pkey PRIMARY KEY (joined),
	CONSTRAINT node_one_row CHECK (joined),
	CONSTRAINT node_name_check CHECK (name ~ '^[a-z][a-z0-9_]{0,30}$')
);
COMMENT ON TABLE reengage.node IS
	'the name of this database in its fleet; no row: it is in none; kept by join_fleet() and leave_fleet()';
COMMENT ON COLUMN reengage.node.name IS 'as the front, and the other nodes, call it';
COMMENT ON COLUMN reengage.node.joined_at IS 'when join_fleet() was called';
COMMENT ON COLUMN reengage.node.joined_by IS 'who called it';
COMMENT ON COLUMN reengage.node.joined IS 'always true: there is at most one row';
SELECT pg_catalog.pg_extension_config_dump('reengage.node', '');
GRANT SELECT ON reengage.node TO reengage_application, reengage_operator, reengage_reader, reengage_worker;

CREATE FUNCTION reengage_internal.node_name() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$ SELECT n.name FROM reengage.node n $$;
COMMENT ON FUNCTION reengage_internal.node_name() IS 'the name of this node; null: it is in no fleet';
GRANT EXECUTE ON FUNCTION reengage_internal.node_name() TO reengage_application, reengage_operator, reengage_reader, reengage_worker;

CREATE FUNCTION reengage_internal.is_meant_node() RETURNS boolean
LANGUAGE C STRICT STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'reengage_is_meant_node';
COMMENT ON FUNCTION reengage_internal.is_meant_node() IS
	'an error where the setting reengage.meant_node names another node, or another cluster or database of that name; else true';
GRANT EXECUTE ON FUNCTION reengage_internal.is_meant_node() TO reengage_application, reengage_operator, reengage_reader, reengage_worker;

-- a front asks for it first, as whoever is mapped, to know whether the node answers
CREATE VIEW reengage.meant_node AS
SELECT n.name FROM reengage.node n WHERE reengage_internal.is_meant_node();
COMMENT ON VIEW reengage.meant_node IS 'the name of this node, as in node, for a front: an error where it means another';
COMMENT ON COLUMN reengage.meant_node.name IS 'as in node';
GRANT SELECT ON reengage.meant_node TO reengage_application, reengage_operator, reengage_reader, reengage_worker;

CREATE FUNCTION reengage.join_fleet(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	known text;
BEGIN
	PERFORM reengage_internal.require_writable('a fleet cannot be joined on');
	IF join_fleet.name IS NULL OR join_fleet.name !~ '^[a-z][a-z0-9_]{0,30}$' THEN
		RAISE EXCEPTION 'invalid name of a node: "%"', coalesce(reengage_internal.shown(join_fleet.name), 'null')
			USING ERRCODE = 'invalid_parameter_value',
				  DETAIL = 'It must have 1 to 31 characters of a-z 0-9 _ and begin with a letter.';
	END IF;
	INSERT INTO reengage.node (name) VALUES (join_fleet.name) ON CONFLICT DO NOTHING;
	known := reengage_internal.node_name();
	IF known <> join_fleet.name THEN
		RAISE EXCEPTION 'this node is called "%"', known
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = format('It cannot become "%s": what it told the others bears its name.', join_fleet.name),
				  HINT = 'Name it so in set_nodes() of the front, or call reengage.leave_fleet() first.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage.join_fleet(text) IS
	'gives this database its name as a node of a fleet; again with the same name does no harm, another is refused';
GRANT EXECUTE ON FUNCTION reengage.join_fleet(text) TO reengage_operator;

CREATE FUNCTION reengage.leave_fleet() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
BEGIN
	PERFORM reengage_internal.require_writable('a fleet cannot be left on');
	DELETE FROM reengage.node;
	IF NOT FOUND THEN
		RAISE NOTICE 'this database is in no fleet';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage.leave_fleet() IS
	'takes its name from this node: it sends on by itself, and the front that lists it says that it left';
GRANT EXECUTE ON FUNCTION reengage.leave_fleet() TO reengage_operator;

--
-- Calls of a front.  A foreign table on this view is all it needs: it inserts the name of
-- a function and its arguments, and gets the result, within its own transaction, by the
-- rights of whoever is logged in here.
--
CREATE VIEW reengage.calls AS
SELECT reengage_internal.node_name() AS node, NULL::text AS function_name, NULL::jsonb AS arguments, NULL::jsonb AS result WHERE false;
COMMENT ON VIEW reengage.calls IS
	'INSERT (function_name, arguments) ... RETURNING result calls a function of this schema, as whoever inserts: how a front calls it on a node within its own transaction; it has no rows';
COMMENT ON COLUMN reengage.calls.node IS 'the node that is meant: any other refuses';
COMMENT ON COLUMN reengage.calls.function_name IS 'the function, without its schema';
COMMENT ON COLUMN reengage.calls.arguments IS 'an object: a member for each argument, by its name';
COMMENT ON COLUMN reengage.calls.result IS 'what it returned: of one that returns rows a list of objects, of one that returns nothing null';
GRANT SELECT, INSERT (node, function_name, arguments, result) ON reengage.calls
	TO reengage_application, reengage_operator, reengage_reader;

-- As whoever inserts, who may look up no name in reengage_internal.
CREATE FUNCTION reengage_internal.call() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET row_security = on SET jit = off
AS $$
DECLARE
	callables CONSTANT text[] := ARRAY[
		'cancel', 'cancel_campaign', 'cancel_customer', 'cancel_thread', 'forget', 'nudge', 'pause', 'preflight', 'preview',
		'record_answer', 'redrive', 'report', 'resolve', 'resume', 'suppress', 'thread', 'thread_diagram', 'unsuppress'];
	called pg_proc;
	names text[];
	unknown text;
	arguments text;
BEGIN
	IF NEW.node <> coalesce((SELECT n.name FROM reengage.meant_node n), '') THEN
		RAISE EXCEPTION 'this node is not "%"', left(NEW.node, 60)
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  DETAIL = coalesce((SELECT format('It is "%s".', n.name) FROM reengage.node n), 'It is in no fleet.'),
				  HINT = 'The front has it under another name, or its connection string leads elsewhere: see reengage_front.nodes there.';
	END IF;
	SELECT p.* INTO called FROM pg_proc p
	WHERE p.pronamespace = 'reengage'::regnamespace AND p.proname = NEW.function_name AND NEW.function_name = ANY (callables);
	IF NOT FOUND THEN
		RAISE EXCEPTION 'function "%" cannot be called by way of reengage.calls', coalesce(left(NEW.function_name, 60), 'null')
			USING ERRCODE = 'undefined_function',
				  HINT = format('These can: %s.', array_to_string(callables, ', '));
	END IF;
	-- those that go in come first
	names := called.proargnames[1:called.pronargs];
	SELECT min(k.name) INTO unknown FROM jsonb_object_keys(coalesce(NEW.arguments, '{}')) AS k (name) WHERE k.name <> ALL (names);
	IF unknown IS NOT NULL THEN
		RAISE EXCEPTION 'function "%" has no argument "%"', called.proname, left(unknown, 60)
			USING ERRCODE = 'undefined_parameter', HINT = format('It has %s.', array_to_string(names, ', '));
	END IF;
	SELECT string_agg(format('%I => ($1 ->> %L)::%s', a.name, a.name, format_type(a.type, NULL)), ', ' ORDER BY a.place)
	INTO arguments
	FROM unnest(names, called.proargtypes::oid[]) WITH ORDINALITY AS a (name, type, place)
	WHERE NEW.arguments ? a.name;

	IF called.proretset THEN
		EXECUTE format('SELECT coalesce(jsonb_agg(to_jsonb(r)), ''[]'') FROM reengage.%I(%s) r', called.proname, arguments)
			INTO NEW.result USING NEW.arguments;
	ELSIF called.prorettype = 'void'::regtype THEN
		EXECUTE format('SELECT FROM reengage.%I(%s)', called.proname, arguments) USING NEW.arguments;
		NEW.result := NULL;
	ELSE
		EXECUTE format('SELECT to_jsonb(reengage.%I(%s))', called.proname, arguments)
			INTO NEW.result USING NEW.arguments;
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION reengage_internal.call() IS
	'calls the function that a row of calls names, if it is one of those that a front may call';

CREATE TRIGGER call INSTEAD OF INSERT ON reengage.calls
	FOR EACH ROW EXECUTE FUNCTION reengage_internal.call();
