--
-- What can be graphed.  Nothing here looks at a table that grows: what happened and
-- what waits is counted, and the oldest that waits is found along an index, a row a
-- lane.
--
CREATE FUNCTION reengage_internal.counters(
	OUT name text, OUT server text, OUT step text, OUT label text, OUT word text, OUT value double precision)
RETURNS SETOF record
LANGUAGE C STRICT VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_counters';
COMMENT ON FUNCTION reengage_internal.counters() IS
	'what was counted of this database since the server started or reset_metrics(); nothing without preloading';
GRANT EXECUTE ON FUNCTION reengage_internal.counters() TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage.reset_metrics() RETURNS void
LANGUAGE C STRICT VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_reset_metrics';
COMMENT ON FUNCTION reengage.reset_metrics() IS
	'has the counters of this database in the view metrics begin at 0 again; nothing else depends on them';
GRANT EXECUTE ON FUNCTION reengage.reset_metrics() TO reengage_operator;

CREATE FUNCTION reengage_internal.due_by_priority(at_most integer, in_all integer,
	OUT server text, OUT priority smallint, OUT due bigint, OUT oldest timestamptz)
RETURNS SETOF record
LANGUAGE C STABLE STRICT
AS 'MODULE_PATHNAME', 'reengage_due_by_priority';
COMMENT ON FUNCTION reengage_internal.due_by_priority(integer, integer) IS
	'how many nudges have come to their time, by server and priority, each counted up to at_most, and all up to in_all or 100 each, and the earliest time of any; a part of the view metrics';
GRANT EXECUTE ON FUNCTION reengage_internal.due_by_priority(integer, integer) TO reengage_operator, reengage_reader;

CREATE VIEW reengage_internal.gauges AS
WITH servers AS (
	SELECT s.srvname::text AS server
	FROM pg_catalog.pg_foreign_server s JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw AND w.fdwname = 'reengage'
), worker AS (SELECT * FROM reengage_internal.worker_state()
), counted AS MATERIALIZED (SELECT * FROM reengage_internal.counted_by_server
), waiting AS MATERIALIZED (SELECT * FROM reengage_internal.due_by_priority(10000, 100000))
SELECT 'reengage_up' AS name, NULL::text AS server, NULL::text AS label, NULL::text AS word, (w.state = 'running' AND w.message IS NULL)::integer::double precision AS value FROM worker w
UNION ALL
SELECT 'reengage_armed', NULL, NULL, NULL, (reengage_internal.fence_complaint() IS NULL)::integer
UNION ALL
SELECT 'reengage_worker_restarts_total', NULL, NULL, NULL, w.restarts FROM worker w
UNION ALL
SELECT 'reengage_outcomes_unwritten', NULL, NULL, NULL, w.outcomes_locked + w.outcomes_refused FROM worker w
UNION ALL
SELECT 'reengage_in_doubt', NULL, NULL, NULL, coalesce(pg_catalog.sum(c.nudges), 0)
FROM counted c WHERE c.state = 'in_doubt'
UNION ALL
SELECT 'reengage_due', c.server, 'hold', coalesce(c.reason, 'none'), c.nudges
FROM counted c WHERE c.state = 'due'
UNION ALL
SELECT 'reengage_due_now', w.server, 'priority', w.priority::text, w.due FROM waiting w
UNION ALL
SELECT 'reengage_oldest_due_seconds', s.server, NULL, NULL,
	greatest(extract(epoch FROM pg_catalog.clock_timestamp() - w.oldest), 0)
FROM servers s LEFT JOIN (SELECT w.server, pg_catalog.min(w.oldest) AS oldest FROM waiting w GROUP BY w.server) w ON w.server = s.server
UNION ALL
SELECT 'reengage_retention_lag_seconds', NULL, NULL, NULL,
	greatest(extract(epoch FROM reengage_internal.kept_since(r.kept) - reengage_internal.recorded_after('-infinity', 'infinity')), 0)
FROM (SELECT reengage_internal.retention()) r (kept) WHERE r.kept > interval '0'
UNION ALL
SELECT 'reengage_retention_pass_seconds', NULL, NULL, NULL, extract(epoch FROM pg_catalog.clock_timestamp() - w.pruned_at) FROM worker w WHERE w.pruned_at IS NOT NULL
UNION ALL
SELECT 'reengage_slot_lag_bytes', NULL, 'slot', s.slot, s.lag FROM reengage_internal.slots s WHERE s.lag IS NOT NULL
UNION ALL
SELECT CASE a.kind WHEN 'transactions' THEN 'reengage_transaction_age' ELSE 'reengage_multixact_age' END, NULL, NULL, NULL, a.age
FROM reengage_internal.wraparound a
UNION ALL
SELECT 'reengage_server_paused', s.server, NULL, NULL, (p.server IS NOT NULL)::integer
FROM servers s LEFT JOIN reengage.pauses p ON p.server = s.server
UNION ALL
SELECT 'reengage_server_state', s.server, 'state', state.word, (t.state IS NOT NULL)::integer
FROM servers s CROSS JOIN pg_catalog.unnest('{blocked,resting,attention}'::text[]) state (word)
	LEFT JOIN reengage.server_state t ON t.server = s.server AND t.state = state.word;
COMMENT ON VIEW reengage_internal.gauges IS
	'what is so now: worker, fence, servers and the oldest that is due; a part of the view metrics';
COMMENT ON COLUMN reengage_internal.gauges.name IS 'as in metrics';
COMMENT ON COLUMN reengage_internal.gauges.server IS 'the foreign server; null: it is about none';
COMMENT ON COLUMN reengage_internal.gauges.label IS 'another label; null: it has none';
COMMENT ON COLUMN reengage_internal.gauges.word IS 'and its value';
COMMENT ON COLUMN reengage_internal.gauges.value IS 'the number';

CREATE FUNCTION reengage_internal.metric_help(OUT name text, OUT kind text, OUT help text) RETURNS SETOF record
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	VALUES
		('reengage_nudges_ended_total', 'counter', 'nudges that ended, by server and outcome; cancel() and resolve() are not counted'),
		('reengage_nudges_moved_total', 'counter', 'nudges that became due again later, by what they wait for; retry: a call failed, and is made again'),
		('reengage_requests_total', 'counter', 'requests to the API, tokens excluded'),
		('reengage_replies_total', 'counter', 'calls by what they were for and what came of them'),
		('reengage_responses_total', 'counter', 'calls by the class of the HTTP status that answered them; none: nothing did'),
		('reengage_rate_limited_total', 'counter', 'replies with HTTP status 429'),
		('reengage_token_requests_total', 'counter', 'tokens that were asked for'),
		('reengage_sent_bytes_total', 'counter', 'URLs, headers and bodies of requests, tokens included, as they were composed'),
		('reengage_received_bytes_total', 'counter', 'headers and bodies of answers to them'),
		('reengage_look_delay_seconds', 'histogram', 'from when a nudge was due to the first look of an attempt'),
		('reengage_post_delay_seconds', 'histogram', 'from the answer of a look to the POST that follows'),
		('reengage_call_seconds', 'histogram', 'what the API took for a call'),
		('reengage_ticks_total', 'counter', 'transactions in which the engine claims and records'),
		('reengage_ticks_failed_total', 'counter', 'those of them that failed'),
		('reengage_tick_seconds_total', 'counter', 'what they took'),
		('reengage_wal_bytes_total', 'counter', 'WAL that they wrote'),
		('reengage_wal_bytes_per_nudge', 'gauge', 'the same, divided by the nudges that ended; a rate of the two counters tells of now'),
		('reengage_counting_start_time_seconds', 'gauge', 'when counting began, in seconds since 1970'),
		('reengage_up', 'gauge', '1: the worker of this database runs, and nothing is wrong with it'),
		('reengage_armed', 'gauge', '1: the fence lets this database send'),
		('reengage_courier_up', 'gauge', '1: a courier process runs for this database'),
		('reengage_courier_starts_total', 'counter', 'couriers that were started'),
		('reengage_in_flight', 'gauge', 'nudges under way'),
		('reengage_in_hand', 'gauge', 'nudges that were taken out of the schedule, by what they wait for; parked and ready are not under way'),
		('reengage_worker_restarts_total', 'counter', 'how often the worker ended'),
		('reengage_outcomes_unwritten', 'gauge', 'outcomes that wait for a lock or are refused by the database'),
		('reengage_in_doubt', 'gauge', 'nudges in doubt that nobody has resolved'),
		('reengage_due', 'gauge', 'nudges that are due or scheduled, by what holds them'),
		('reengage_due_now', 'gauge', 'nudges whose time has come, by server and priority; 10000 are that many or more, and of more than ten of these an equal part of 100000'),
		('reengage_oldest_due_seconds', 'gauge', 'for how long the oldest nudge has been due; 0: none is'),
		('reengage_retention_lag_seconds', 'gauge', 'how much older than reengage.retention the oldest row of lineage is; what must stay is one, too'),
		('reengage_retention_pass_seconds', 'gauge', 'how long ago the worker had let go of all that may go, or was first told to'),
		('reengage_slot_lag_bytes', 'gauge', 'WAL that a logical replication slot of this database has not confirmed'),
		('reengage_transaction_age', 'gauge', 'how many transactions came since the oldest that this database knows'),
		('reengage_multixact_age', 'gauge', 'likewise, multixacts'),
		('reengage_server_paused', 'gauge', '1: an operator has paused it'),
		('reengage_server_state', 'gauge', '1: that is known against it'),
		('reengage_breaker', 'gauge', '1: the circuit breaker of the server is closed, open, or half open: one nudge at a time tries it'),
		('reengage_next_probe_seconds', 'gauge', 'how soon a server is tried that is left alone; 0: none is'),
		('reengage_pace_limit', 'gauge', 'max_requests_per_minute of the server, if it has one'),
		('reengage_pace_left', 'gauge', 'what is left of it in this minute')
$$;
COMMENT ON FUNCTION reengage_internal.metric_help() IS 'what there is to graph, of what kind, and what it means';
GRANT EXECUTE ON FUNCTION reengage_internal.metric_help() TO reengage_operator, reengage_reader;

CREATE VIEW reengage.metrics AS
SELECT m.name,
	pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('server', m.server, 'step', m.step)
		|| CASE WHEN m.label IS NULL THEN '{}' ELSE pg_catalog.jsonb_build_object(m.label, m.word) END) AS labels,
	m.value, h.kind, h.help
FROM (
	SELECT c.name, c.server, c.step, c.label, c.word, c.value FROM reengage_internal.counters() c
	UNION ALL
	SELECT g.name, g.server, NULL, g.label, g.word, g.value FROM reengage_internal.gauges g) m
	LEFT JOIN reengage_internal.metric_help() h
		ON h.name = pg_catalog.regexp_replace(m.name, '_(bucket|sum|count)$', '');
COMMENT ON VIEW reengage.metrics IS
	'what can be graphed, in the names and kinds of Prometheus; counted since the server started, or reset_metrics()';
COMMENT ON COLUMN reengage.metrics.name IS 'by the conventions of Prometheus: its unit, and _total for what only grows';
COMMENT ON COLUMN reengage.metrics.labels IS 'which server, outcome, step, reply or state; le: the upper bound of a part of a histogram, in seconds';
COMMENT ON COLUMN reengage.metrics.value IS 'the number';
COMMENT ON COLUMN reengage.metrics.kind IS 'counter, gauge or histogram';
COMMENT ON COLUMN reengage.metrics.help IS 'what it counts';
GRANT SELECT ON reengage.metrics TO reengage_operator, reengage_reader;
