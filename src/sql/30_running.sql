--
-- Running without a worker, and looking ahead.
--
CREATE PROCEDURE reengage.run(max_seconds integer DEFAULT NULL, max_nudges integer DEFAULT NULL)
LANGUAGE C
AS 'MODULE_PATHNAME', 'reengage_run';
COMMENT ON PROCEDURE reengage.run(integer, integer) IS
	'sends what is due in this session, committing as it goes, until nothing is due or a limit is reached (no new nudge begins then); wakes the worker instead where one is running';
GRANT EXECUTE ON PROCEDURE reengage.run(integer, integer) TO reengage_operator;

CREATE FUNCTION reengage.preview(nudge_id uuid)
RETURNS TABLE (step text, condition text, method text, url text, headers text, body text, fault text)
LANGUAGE C STRICT VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = on
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS 'MODULE_PATHNAME', 'reengage_preview';
COMMENT ON FUNCTION reengage.preview(uuid) IS
	'the requests that a nudge would make, byte for byte, and when each is made; {...} stands for what only the check of the conversation can tell, whose channel is that of lineage, or else of the nudge; fault is why it would be refused instead, null: it would be sent, as far as opt-outs, answers, policies and the time let it; nothing is sent';
GRANT EXECUTE ON FUNCTION reengage.preview(uuid) TO reengage_operator;

CREATE FUNCTION reengage.preflight(server text, conversation_id text DEFAULT NULL)
RETURNS TABLE (step integer, check_name text, state text, detail text, remedy text)
LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off
AS 'MODULE_PATHNAME', 'reengage_preflight';
COMMENT ON FUNCTION reengage.preflight(text, text) IS
	'what a call to this server would meet, check by check: ok, failed with a remedy, or skipped with the reason; looks at the conversation, or at one of a random id; sends no message';
GRANT EXECUTE ON FUNCTION reengage.preflight(text, text) TO reengage_operator;

CREATE FUNCTION reengage_internal.worker_state(
	OUT preloaded boolean, OUT listed boolean, OUT state text, OUT pid integer,
	OUT since timestamptz, OUT in_flight integer, OUT ended bigint,
	OUT restarts integer, OUT message text,
	OUT outcomes_locked integer, OUT outcomes_refused integer, OUT outcomes_since timestamptz,
	OUT courier_pid integer, OUT pruned_at timestamptz, OUT prunes_from timestamptz)
LANGUAGE C STRICT VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_worker_state';
COMMENT ON FUNCTION reengage_internal.worker_state() IS
	'what shared memory knows of this database''s worker, and of the courier of whoever dispatches';
GRANT EXECUTE ON FUNCTION reengage_internal.worker_state() TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.workers(OUT database text, OUT state text) RETURNS SETOF record
LANGUAGE C STRICT VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_workers';
COMMENT ON FUNCTION reengage_internal.workers() IS
	'the databases that reengage.databases lists, and what their workers are doing';
GRANT EXECUTE ON FUNCTION reengage_internal.workers() TO reengage_operator, reengage_reader;
