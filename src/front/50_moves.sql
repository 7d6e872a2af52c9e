--
-- Moving a server to another node: what the front knows of it.
--
CREATE TABLE reengage_front.move_calls (node text NOT NULL, function_name text, arguments json, result json) PARTITION BY LIST (node);
COMMENT ON TABLE reengage_front.move_calls IS 'INSERT ... RETURNING result takes a step of a move on a node, within this transaction: see move_call()';
COMMENT ON COLUMN reengage_front.move_calls.node IS 'the node';
COMMENT ON COLUMN reengage_front.move_calls.function_name IS 'the step';
COMMENT ON COLUMN reengage_front.move_calls.arguments IS 'by their names';
COMMENT ON COLUMN reengage_front.move_calls.result IS 'what it returned';
GRANT SELECT, INSERT ON reengage_front.move_calls TO reengage_fleet;

CREATE TABLE reengage_front.moves (
	move_id uuid NOT NULL,
	server text NOT NULL,
	from_node text NOT NULL,
	to_node text NOT NULL,
	step text NOT NULL DEFAULT 'begin',
	began_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	drained_from timestamptz,
	held_from timestamptz,
	arrived_at timestamptz,
	ended_at timestamptz,
	nudges bigint NOT NULL DEFAULT 0,
	lineage bigint NOT NULL DEFAULT 0,
	expected_nudges bigint,
	positions jsonb NOT NULL DEFAULT '{}',
	complaint text,
	given_up text,
	pid integer,
	backend_start timestamptz,
	CONSTRAINT moves_pkey PRIMARY KEY (move_id),
	CONSTRAINT moves_step_check CHECK (step IN ('begin', 'accept', 'preflight', 'copy ids', 'copy history', 'copy due', 'drain', 'expect',
		'route', 'close', 'copy rest', 'depart', 'arrive', 'settle', 'let go', 'moved', 'undo', 'return', 'clear', 'undone'))
);
-- of a server one move runs at a time
CREATE UNIQUE INDEX moves_running ON reengage_front.moves (server) WHERE ended_at IS NULL;
COMMENT ON TABLE reengage_front.moves IS 'moves of servers from one node to another; kept by move_server() and undo_move(), shown by reengage.moves';
COMMENT ON COLUMN reengage_front.moves.move_id IS 'identity of the move, the same on both nodes';
COMMENT ON COLUMN reengage_front.moves.server IS 'the server';
COMMENT ON COLUMN reengage_front.moves.from_node IS 'the node that it leaves';
COMMENT ON COLUMN reengage_front.moves.to_node IS 'the node that it comes to';
COMMENT ON COLUMN reengage_front.moves.step IS 'the step that is to be taken next: all before it have been';
COMMENT ON COLUMN reengage_front.moves.began_at IS 'when it began';
COMMENT ON COLUMN reengage_front.moves.drained_from IS 'from when on nothing was sent';
COMMENT ON COLUMN reengage_front.moves.held_from IS 'from when on who inserted by way of the front waited';
COMMENT ON COLUMN reengage_front.moves.arrived_at IS 'when it had arrived, and was sent for and inserted again';
COMMENT ON COLUMN reengage_front.moves.ended_at IS 'when all was done; null: it runs, or was broken off';
COMMENT ON COLUMN reengage_front.moves.nudges IS 'nudges that were copied, and found to be the same';
COMMENT ON COLUMN reengage_front.moves.lineage IS 'likewise, rows of lineage';
COMMENT ON COLUMN reengage_front.moves.expected_nudges IS 'nudges that there were, when it began';
COMMENT ON COLUMN reengage_front.moves.positions IS 'how far each table has been read';
COMMENT ON COLUMN reengage_front.moves.complaint IS 'the error by which it was broken off; null: none';
COMMENT ON COLUMN reengage_front.moves.given_up IS 'the node without which it went on, as it was lost; it does not know that yet; null: none';
COMMENT ON COLUMN reengage_front.moves.pid IS 'the process that runs it, or did last';
COMMENT ON COLUMN reengage_front.moves.backend_start IS 'when that process began';
SELECT pg_catalog.pg_extension_config_dump('reengage_front.moves', '');
GRANT SELECT, INSERT, UPDATE ON reengage_front.moves TO reengage_fleet;

CREATE VIEW reengage.moves AS
SELECT m.server, m.from_node, m.to_node, m.step, m.nudges, m.expected_nudges, m.lineage, m.began_at, m.drained_from, m.held_from,
	m.arrived_at, m.ended_at, m.arrived_at OPERATOR(pg_catalog.-) m.drained_from AS nothing_sent_for,
	m.arrived_at OPERATOR(pg_catalog.-) m.held_from AS inserts_waited_for, m.complaint, m.given_up, m.move_id
FROM reengage_front.moves m;
COMMENT ON VIEW reengage.moves IS 'moves of servers from one node to another, and how far they are';
COMMENT ON COLUMN reengage.moves.server IS 'the server';
COMMENT ON COLUMN reengage.moves.from_node IS 'the node that it leaves';
COMMENT ON COLUMN reengage.moves.to_node IS 'the node that it comes to';
COMMENT ON COLUMN reengage.moves.step IS 'the step that is taken now, or was broken off; moved or undone: the move has ended so';
COMMENT ON COLUMN reengage.moves.nudges IS 'nudges that were copied, each found to be the same as on the other node';
COMMENT ON COLUMN reengage.moves.expected_nudges IS 'nudges that there were, when it began';
COMMENT ON COLUMN reengage.moves.lineage IS 'rows of lineage that were copied, likewise';
COMMENT ON COLUMN reengage.moves.began_at IS 'when it began';
COMMENT ON COLUMN reengage.moves.drained_from IS 'from when on nothing was sent';
COMMENT ON COLUMN reengage.moves.held_from IS 'from when on who inserted by way of the front waited';
COMMENT ON COLUMN reengage.moves.arrived_at IS 'when it had arrived';
COMMENT ON COLUMN reengage.moves.ended_at IS 'when all was done; null: it runs, or was broken off';
COMMENT ON COLUMN reengage.moves.nothing_sent_for IS 'how long nothing of the server was sent';
COMMENT ON COLUMN reengage.moves.inserts_waited_for IS 'how long inserts for it waited, at most';
COMMENT ON COLUMN reengage.moves.complaint IS 'the error by which it was broken off: move_server() goes on, undo_move() undoes it';
COMMENT ON COLUMN reengage.moves.given_up IS 'the node without which it was undone, or went on, as it was lost; called again when it is back, that ends there, too; null: none';
COMMENT ON COLUMN reengage.moves.move_id IS 'identity of the move';
GRANT SELECT ON reengage.moves TO reengage_operator, reengage_reader, reengage_fleet;

-- The partitions are the owner's of this front, whoever moves.
CREATE FUNCTION reengage_front.move_route(server text, node text, state text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- a node that was given up, and comes back, changes nothing here any more
	IF NOT EXISTS (SELECT FROM reengage_front.routes r
				   WHERE r.server = move_route.server AND r.state = 'open' AND move_route.state = 'open') THEN
		PERFORM reengage_front.set_route(server, node, state);
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_front.move_route(text, text, text) IS 'set_route(), of a server that is being moved, or is to be';

-- Whose query it is only its owner may see.
CREATE FUNCTION reengage_front.move_runs(pid integer, backend_start timestamptz) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (SELECT FROM pg_stat_activity a
				   WHERE a.pid = move_runs.pid AND a.backend_start = move_runs.backend_start
					 AND a.pid <> pg_backend_pid() AND a.state = 'active' AND a.query ~* '(move_server|undo_move)')
$$;
COMMENT ON FUNCTION reengage_front.move_runs(integer, timestamptz) IS 'whether this process takes the steps of a move';

CREATE FUNCTION reengage_front.move_call(node text, function_name text, VARIADIC arguments text[]) RETURNS json
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	result json;
BEGIN
	INSERT INTO reengage_front.move_calls AS c (node, function_name, arguments)
	VALUES (move_call.node, move_call.function_name, json_object(arguments))
	RETURNING c.result INTO result;
	RETURN result;
END
$$;
COMMENT ON FUNCTION reengage_front.move_call(text, text, text[]) IS 'takes a step of a move on a node: its arguments are names and values, in turn';

CREATE FUNCTION reengage_front.move_call_with(node text, function_name text, arguments json) RETURNS json
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	result json;
BEGIN
	INSERT INTO reengage_front.move_calls AS c (node, function_name, arguments)
	VALUES (move_call_with.node, move_call_with.function_name, move_call_with.arguments)
	RETURNING c.result INTO result;
	RETURN result;
END
$$;
COMMENT ON FUNCTION reengage_front.move_call_with(text, text, json) IS 'likewise, with arguments that are more than words';
