--
-- What is asked, by way of the node that has the server.  The columns are those that an
-- application may insert; a node makes the others, and checks all of them.
--
CREATE TABLE reengage.nudges (
	nudge_id uuid NOT NULL DEFAULT reengage.uuid_v7(),
	due_at timestamptz NOT NULL DEFAULT '-infinity',
	server text NOT NULL DEFAULT reengage.default_server(),
	conversation_id text NOT NULL,
	message text NOT NULL,
	address text,
	channel text,
	when_closed text NOT NULL DEFAULT 'new_session',
	when_answered text NOT NULL DEFAULT 'skip',
	answered_since timestamptz,
	priority smallint NOT NULL DEFAULT 5,
	expires_at timestamptz,
	time_zone text,
	campaign text,
	detail jsonb,
	supersedes boolean NOT NULL DEFAULT false
) PARTITION BY LIST (server);
COMMENT ON TABLE reengage.nudges IS
	'what was asked: one row is one message to one customer; a row goes to the node that has its server';
COMMENT ON COLUMN reengage.nudges.nudge_id IS 'identity of the nudge and its idempotency key, at its node; ON CONFLICT DO NOTHING asks only once';
COMMENT ON COLUMN reengage.nudges.due_at IS 'not before this time; default -infinity: now, by the clock of the node';
COMMENT ON COLUMN reengage.nudges.server IS 'the server; default: setting reengage.default_server of the front';
COMMENT ON COLUMN reengage.nudges.conversation_id IS 'the conversation that the customer left, or any of its thread';
COMMENT ON COLUMN reengage.nudges.message IS 'the text to send';
COMMENT ON COLUMN reengage.nudges.address IS 'where to write if the old conversation does not tell';
COMMENT ON COLUMN reengage.nudges.channel IS 'the channel that goes with address';
COMMENT ON COLUMN reengage.nudges.when_closed IS 'new_session or skip';
COMMENT ON COLUMN reengage.nudges.when_answered IS 'skip or send';
COMMENT ON COLUMN reengage.nudges.answered_since IS 'what the customer wrote after this time is an answer; null: after the nudge was asked for';
COMMENT ON COLUMN reengage.nudges.priority IS '0 (most urgent) to 9; default 5';
COMMENT ON COLUMN reengage.nudges.expires_at IS 'not at or after this time; null: never expires';
COMMENT ON COLUMN reengage.nudges.time_zone IS 'the customer''s time zone';
COMMENT ON COLUMN reengage.nudges.campaign IS 'your name for why the nudge is sent';
COMMENT ON COLUMN reengage.nudges.detail IS 'your own data';
COMMENT ON COLUMN reengage.nudges.supersedes IS 'true: it takes the place of older ones of the same thread and campaign that are still due; refused where there are some, as a node must see what has been committed a moment ago: reengage.nudge() can';
GRANT SELECT (nudge_id), INSERT ON reengage.nudges TO reengage_application;
GRANT SELECT, INSERT ON reengage.nudges TO reengage_operator;

-- Where the rows go that no node takes.
CREATE TABLE reengage_front.nudges_elsewhere PARTITION OF reengage.nudges DEFAULT;
COMMENT ON TABLE reengage_front.nudges_elsewhere IS 'refuses nudges whose server is at no node; always empty';

CREATE FUNCTION reengage_front.refuse_nudge() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM reengage_front.route(NEW.server);
	RAISE EXCEPTION 'server "%" has a route, and no partition', left(NEW.server, 60)
		USING ERRCODE = 'object_not_in_prerequisite_state',
			  HINT = 'SELECT reengage_front.refresh() makes what is missing.';
END
$$;
COMMENT ON FUNCTION reengage_front.refuse_nudge() IS 'refuses a nudge whose server is at no node, with what to do';
GRANT EXECUTE ON FUNCTION reengage_front.refuse_nudge() TO reengage_application, reengage_operator;

CREATE TRIGGER refuse BEFORE INSERT ON reengage_front.nudges_elsewhere
	FOR EACH ROW EXECUTE FUNCTION reengage_front.refuse_nudge();
-- also what replication brings
ALTER TABLE reengage_front.nudges_elsewhere ENABLE ALWAYS TRIGGER refuse;

CREATE FUNCTION reengage.nudge(
	conversation_id text,
	message text,
	server text DEFAULT NULL,
	address text DEFAULT NULL,
	channel text DEFAULT NULL,
	when_closed text DEFAULT 'new_session',
	priority integer DEFAULT 5,
	due_at timestamptz DEFAULT NULL,
	expires_at timestamptz DEFAULT NULL,
	time_zone text DEFAULT NULL,
	campaign text DEFAULT NULL,
	detail jsonb DEFAULT NULL,
	nudge_id uuid DEFAULT NULL,
	supersedes boolean DEFAULT false,
	when_answered text DEFAULT 'skip',
	answered_since timestamptz DEFAULT NULL
) RETURNS uuid
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	id uuid := coalesce(nudge_id, reengage.uuid_v7());
	at_server text := coalesce(nudge.server, reengage.default_server());
BEGIN
	IF nudge.supersedes THEN
		-- what it takes the place of is to be seen as it is now, not as when this transaction began
		PERFORM reengage_front.ask(reengage_front.route(at_server), 'nudge', jsonb_build_object(
			'conversation_id', nudge.conversation_id, 'message', nudge.message, 'server', at_server, 'address', nudge.address,
			'channel', nudge.channel, 'when_closed', nudge.when_closed, 'priority', nudge.priority, 'due_at', nudge.due_at,
			'expires_at', nudge.expires_at, 'time_zone', nudge.time_zone, 'campaign', nudge.campaign, 'detail', nudge.detail,
			'nudge_id', id, 'supersedes', true, 'when_answered', nudge.when_answered, 'answered_since', nudge.answered_since));
		RETURN id;
	END IF;
	INSERT INTO reengage.nudges AS n
		(nudge_id, server, conversation_id, message, address, channel, when_closed,
		 priority, due_at, expires_at, time_zone, campaign, detail, supersedes,
		 when_answered, answered_since)
	VALUES
		(id, at_server, nudge.conversation_id,
		 nudge.message, nudge.address, nudge.channel, nudge.when_closed,
		 nudge.priority, coalesce(nudge.due_at, '-infinity'), nudge.expires_at,
		 nudge.time_zone, nudge.campaign, nudge.detail, nudge.supersedes,
		 nudge.when_answered, nudge.answered_since)
	ON CONFLICT DO NOTHING;
	RETURN id;
END
$$;
COMMENT ON FUNCTION reengage.nudge(text, text, text, text, text, text, integer, timestamptz, timestamptz, text, text, jsonb, uuid, boolean, text, timestamptz) IS
	'asks for one nudge, at the node that has its server, and returns its id; with a nudge_id of your own, asking twice has the effect of asking once; with supersedes in a transaction of its own there: a rollback here does not take it back';
GRANT EXECUTE ON FUNCTION reengage.nudge(text, text, text, text, text, text, integer, timestamptz, timestamptz, text, text, jsonb, uuid, boolean, text, timestamptz)
	TO reengage_application, reengage_operator;

--
-- The partitions: one of each server, which has one foreign partition.  Who hands over a
-- server changes only what is below its own, so that inserts for others wait for nothing.
--
CREATE FUNCTION reengage_front.short_name(server text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN server ~ '^[a-z0-9_]{1,18}$' AND server !~ '_at_' THEN server
		ELSE left(regexp_replace(server, '[^A-Za-z0-9]', '_', 'g'), 9) || '_' || left(md5(server), 8) END
$$;
COMMENT ON FUNCTION reengage_front.short_name(text) IS 'a server''s name where it is a part of the name of a table';

CREATE FUNCTION reengage_front.nudges_of(server text, node text DEFAULT NULL) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('reengage_front.%I', 'nudges_' || CASE WHEN node IS NULL THEN 'to_' || reengage_front.short_name(server)
		ELSE 'of_' || reengage_front.short_name(server) || '_at_' || node END)
$$;
COMMENT ON FUNCTION reengage_front.nudges_of(text, text) IS 'the partition of nudges that is a server''s, or the foreign one at a node';

CREATE FUNCTION reengage_front.set_route(server text, node text, state text DEFAULT 'open') RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	had text := (SELECT r.node FROM reengage_front.routes r WHERE r.server = set_route.server);
	partition text := reengage_front.nudges_of(server);
	is_new boolean := to_regclass(partition) IS NULL;
BEGIN
	IF NOT EXISTS (SELECT FROM reengage_front.nodes n WHERE n.node = set_route.node) THEN
		RAISE EXCEPTION 'node "%" does not exist', node
			USING ERRCODE = 'undefined_object', HINT = 'reengage_front.nodes has those that do.';
	END IF;
	INSERT INTO reengage_front.routes AS r (server, node, state) VALUES (set_route.server, set_route.node, set_route.state)
	ON CONFLICT ON CONSTRAINT routes_pkey DO UPDATE
	SET node = EXCLUDED.node, state = EXCLUDED.state, since = CASE WHEN r.node = EXCLUDED.node THEN r.since ELSE now() END;
	IF to_regclass(reengage_front.nudges_of(server, node)) IS NOT NULL THEN
		RETURN;
	END IF;
	IF is_new THEN
		EXECUTE format('CREATE TABLE %s (LIKE reengage.nudges) PARTITION BY LIST (server)', partition);
	ELSE
		EXECUTE format('DROP FOREIGN TABLE IF EXISTS %s', reengage_front.nudges_of(server, had));
	END IF;
	EXECUTE format('CREATE FOREIGN TABLE %s PARTITION OF %s FOR VALUES IN (%L) SERVER %I OPTIONS (schema_name ''reengage'', table_name ''nudges'')',
				   reengage_front.nudges_of(server, node), partition, server, node);
	-- made in its place, it would wait for all who insert, and they for it
	IF is_new THEN
		EXECUTE format('ALTER TABLE reengage.nudges ATTACH PARTITION %s FOR VALUES IN (%L)', partition, server);
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_front.set_route(text, text, text) IS
	'sends the nudges of a server to a node from the end of the transaction on; until then inserts for it wait';

CREATE FUNCTION reengage_front.hold_route(server text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM reengage_front.route(server);
	EXECUTE format('LOCK TABLE %s IN EXCLUSIVE MODE', reengage_front.nudges_of(server));
END
$$;
COMMENT ON FUNCTION reengage_front.hold_route(text) IS
	'waits until whoever has inserted nudges for a server has ended; new ones wait for the end of this transaction, those for other servers do not';

CREATE FUNCTION reengage_front.drop_route(server text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM reengage_front.route(server);
	IF EXISTS (SELECT FROM reengage_front.moves m WHERE m.server = drop_route.server AND m.ended_at IS NULL) THEN
		RAISE EXCEPTION 'server "%" is being moved', server
			USING ERRCODE = 'object_in_use', HINT = 'reengage.moves shows it: go on with it by reengage.move_server(), or undo it by reengage.undo_move().';
	END IF;
	EXECUTE format('DROP TABLE IF EXISTS %s', reengage_front.nudges_of(server));
	DELETE FROM reengage_front.routes r WHERE r.server = drop_route.server;
END
$$;
COMMENT ON FUNCTION reengage_front.drop_route(text) IS
	'forgets a server: nudges for it are refused here; its node keeps what it has';
