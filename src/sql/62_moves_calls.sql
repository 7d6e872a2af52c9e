--
-- Moving a server to another node: how a front calls it.
--
CREATE VIEW reengage.move_calls AS
SELECT reengage_internal.node_name() AS node, NULL::text AS function_name, NULL::json AS arguments, NULL::json AS result WHERE false;
COMMENT ON VIEW reengage.move_calls IS
	'INSERT (function_name, arguments) ... RETURNING result takes a step of a move: for reengage_front.move_server() and undo_move() only; it has no rows';
COMMENT ON COLUMN reengage.move_calls.node IS 'the node that is meant: any other refuses';
COMMENT ON COLUMN reengage.move_calls.function_name IS 'the step';
COMMENT ON COLUMN reengage.move_calls.arguments IS 'an object: a member for each argument, by its name';
COMMENT ON COLUMN reengage.move_calls.result IS 'what it returned';
GRANT SELECT, INSERT (node, function_name, arguments, result) ON reengage.move_calls TO reengage_fleet;

-- Which functions these are is in their names; none may be called in another way.
CREATE FUNCTION reengage_internal.move_call() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	called pg_proc;
	arguments text;
BEGIN
	IF NEW.node IS DISTINCT FROM (SELECT n.name FROM reengage.meant_node n) THEN
		RAISE EXCEPTION 'this node is not "%"', coalesce(left(NEW.node, 60), 'null')
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'The front has it under another name, or its connection string leads elsewhere: see reengage_front.nodes there.';
	END IF;
	SELECT p.* INTO called FROM pg_proc p
	WHERE p.pronamespace = 'reengage_internal'::regnamespace AND p.proname = 'move_' || NEW.function_name AND p.prorettype = 'json'::regtype;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'a move has no step "%"', coalesce(left(NEW.function_name, 60), 'null')
			USING ERRCODE = 'undefined_function', HINT = 'The front and its nodes must be of the same version.';
	END IF;
	SELECT string_agg(CASE
			WHEN a.type IN ('json'::regtype, 'jsonb'::regtype) THEN format('%I => ($1 -> %L)::%s', a.name, a.name, a.type)
			WHEN a.type IN ('uuid[]'::regtype, 'integer[]'::regtype) THEN format('%I => ARRAY(SELECT json_array_elements_text($1 -> %L))::%s', a.name, a.name, a.type)
			ELSE format('%I => ($1 ->> %L)::%s', a.name, a.name, a.type) END, ', ' ORDER BY a.place)
	INTO arguments
	FROM unnest(called.proargnames, called.proargtypes::regtype[]) WITH ORDINALITY AS a (name, type, place);
	EXECUTE format('SELECT reengage_internal.%I(%s)', called.proname, arguments) INTO NEW.result USING NEW.arguments;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION reengage_internal.move_call() IS 'takes the step of a move that a row of move_calls names';

CREATE TRIGGER call INSTEAD OF INSERT ON reengage.move_calls
	FOR EACH ROW EXECUTE FUNCTION reengage_internal.move_call();
