--
-- Servers that are moved from one node of a fleet to another: what is known of it here.
--
CREATE TABLE reengage.server_moves (
	server text NOT NULL,
	move_id uuid NOT NULL,
	state text NOT NULL,
	node text NOT NULL,
	began_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	changed_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	waits_for text[],
	nudges bigint NOT NULL DEFAULT 0,
	lineage bigint NOT NULL DEFAULT 0,
	kept jsonb,
	CONSTRAINT server_moves_pkey PRIMARY KEY (server),
	CONSTRAINT server_moves_state_check CHECK (state IN (
		'leaving', 'draining', 'closed', 'departed', 'gone', 'arriving', 'expecting', 'arrived', 'undone'))
);
COMMENT ON TABLE reengage.server_moves IS
	'the last move of each server that left this node of a fleet, or came to it; kept by reengage_front.move_server()';
COMMENT ON COLUMN reengage.server_moves.server IS 'the foreign server';
COMMENT ON COLUMN reengage.server_moves.move_id IS 'identity of the move, the same on both nodes';
COMMENT ON COLUMN reengage.server_moves.state IS
	'of one that leaves: leaving (it is copied), draining (nothing is begun any more), closed (nor taken in), departed (nothing of it is due here), gone; of one that comes: arriving (it is copied), expecting (who asks for nudges waits), arrived, undone (it did not come)';
COMMENT ON COLUMN reengage.server_moves.node IS 'the other node';
COMMENT ON COLUMN reengage.server_moves.began_at IS 'when the move began here';
COMMENT ON COLUMN reengage.server_moves.changed_at IS 'since when it is in this state';
COMMENT ON COLUMN reengage.server_moves.waits_for IS 'transactions that had looked whether it is here before it was closed, and have not ended; null: it is not known yet';
COMMENT ON COLUMN reengage.server_moves.nudges IS 'of one that comes, how many nudges have been copied';
COMMENT ON COLUMN reengage.server_moves.lineage IS 'likewise, rows of lineage';
COMMENT ON COLUMN reengage.server_moves.kept IS 'what a move that is undone has to know: of one that comes, whether something of it was here before, and which opt-outs and answers came with it; of one that has departed, how its nudges were counted';
SELECT pg_catalog.pg_extension_config_dump('reengage.server_moves', '');
GRANT SELECT ON reengage.server_moves TO reengage_operator, reengage_reader, reengage_worker;

CREATE TABLE reengage.shelved_due (
	server text NOT NULL,
	nudge_id uuid NOT NULL,
	due jsonb NOT NULL,
	unresolved jsonb,
	CONSTRAINT shelved_due_pkey PRIMARY KEY (nudge_id)
);
COMMENT ON TABLE reengage.shelved_due IS
	'what was due of servers that have departed to another node, until that has them for good: a move that is undone puts it back';
COMMENT ON COLUMN reengage.shelved_due.server IS 'the foreign server';
COMMENT ON COLUMN reengage.shelved_due.nudge_id IS 'the nudge';
COMMENT ON COLUMN reengage.shelved_due.due IS 'its row of due';
COMMENT ON COLUMN reengage.shelved_due.unresolved IS 'its row of unresolved, if it has one';
SELECT pg_catalog.pg_extension_config_dump('reengage.shelved_due', '');

-- Of these nothing is counted, shown or sent here, whatever rows there are.
CREATE VIEW reengage_internal.servers_elsewhere AS
SELECT m.server FROM reengage.server_moves m
WHERE m.state IN ('departed', 'gone', 'arriving', 'expecting', 'undone');
COMMENT ON VIEW reengage_internal.servers_elsewhere IS
	'servers of which there may be rows here, but which are at another node: they have left, or have not arrived';
COMMENT ON COLUMN reengage_internal.servers_elsewhere.server IS 'the foreign server';
GRANT SELECT ON reengage_internal.servers_elsewhere TO reengage_operator, reengage_reader, reengage_worker;

-- One that was undone is known for ever, and moves no more when its copies are gone.
CREATE VIEW reengage_internal.servers_moving AS
SELECT m.server, m.node FROM reengage.server_moves m
WHERE m.state NOT IN ('arrived', 'gone') AND (m.state <> 'undone' OR m.kept IS NOT NULL);
COMMENT ON VIEW reengage_internal.servers_moving IS
	'servers that are being copied to another node, or from it, or of which there are copies to be deleted yet';
COMMENT ON COLUMN reengage_internal.servers_moving.server IS 'the foreign server';
COMMENT ON COLUMN reengage_internal.servers_moving.node IS 'the other node';
GRANT SELECT ON reengage_internal.servers_moving TO reengage_operator, reengage_reader, reengage_worker;

CREATE FUNCTION reengage.forget_move(server text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	known reengage.server_moves;
BEGIN
	PERFORM reengage_internal.require_writable('a move cannot be forgotten on');
	SELECT * INTO known FROM reengage.server_moves m WHERE m.server = forget_move.server FOR UPDATE;
	IF known.server IS NULL THEN
		RAISE EXCEPTION 'no move of server "%" is known here', reengage_internal.shown(server) USING ERRCODE = 'undefined_object';
	ELSIF known.state = 'arrived' OR EXISTS (SELECT FROM reengage_internal.servers_moving m WHERE m.server = forget_move.server) OR known.state = 'departed' THEN
		RAISE EXCEPTION 'server "%" is %', server, known.state
			USING ERRCODE = 'object_in_use', DETAIL = format('The other node of its move is "%s".', known.node),
				  HINT = 'What has arrived is moved on by reengage.move_server() of the front, which also ends a move that was broken off, as reengage.undo_move() does.';
	END IF;
	DELETE FROM reengage.server_moves m WHERE m.server = forget_move.server;
	PERFORM reengage_internal.wake('-infinity');
END
$$;
COMMENT ON FUNCTION reengage.forget_move(text) IS
	'a server of this name, which has left for another node or did not come, is one of this node from now on, if there is one: for who has made it anew for another organisation; the front refuses two nodes with the same server';
GRANT EXECUTE ON FUNCTION reengage.forget_move(text) TO reengage_operator;

CREATE FUNCTION reengage_internal.admit(server text) RETURNS void
LANGUAGE C STRICT VOLATILE
AS 'MODULE_PATHNAME', 'reengage_admit';
COMMENT ON FUNCTION reengage_internal.admit(text) IS
	'an error where a server has left for another node, or has not arrived; of one that is just arriving it waits; whoever writes something of a server asks that first, and a move waits until they have ended';
GRANT EXECUTE ON FUNCTION reengage_internal.admit(text) TO reengage_operator;

CREATE FUNCTION reengage_internal.require_no_move(purpose text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	moving reengage_internal.servers_moving;
BEGIN
	-- a move that begins later waits until this has ended
	LOCK TABLE reengage.server_moves IN ROW SHARE MODE;
	SELECT * INTO moving FROM reengage_internal.servers_moving m ORDER BY m.server LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION '% while server "%" is being moved', purpose, moving.server
			USING ERRCODE = 'object_in_use',
				  DETAIL = format('What is copied by now would stay as it was, here or at node "%s".', moving.node),
				  HINT = 'Call it again when the move has ended, or was undone: reengage.moves of the front shows it.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.require_no_move(text) IS
	'an error, that this cannot be done, while a server leaves this node or comes to it';
