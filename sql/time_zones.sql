-- Time zones are the names of pg_timezone_names, and nothing else is one.
\set SHOW_CONTEXT never
CREATE EXTENSION reengage;
CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'http://127.0.0.1:1');
SET reengage.default_server = 'genesys';

-- each name that this server has, in any case of letters, with and without digits
SELECT count(*) > 400 AS names, count(*) FILTER (WHERE name ~ '\d') > 20 AS with_digits,
	   count(reengage.permitted_at('2026-01-01 12:00Z', '{daily 00:00-00:01}', n.name)) = count(*) AS taken,
	   count(reengage.permitted_at('2026-01-01 12:00Z', '{daily 00:00-00:01}', upper(n.name))) = count(*) AS in_capitals
FROM (SELECT DISTINCT name FROM pg_timezone_names) n;

-- what else PostgreSQL takes for one, and what people write
CREATE FUNCTION pg_temp.said(zone text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	hint text;
BEGIN
	RETURN reengage.permitted_at('2026-07-01 20:30Z', '{daily 20:00-08:00}', zone)::text;
EXCEPTION WHEN invalid_parameter_value THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
	RETURN regexp_replace(message, '.* is ', '') || ': ' || replace(hint, ' The view pg_timezone_names lists the names.', '');
END $$;
SELECT zone, pg_temp.said(zone) FROM unnest(ARRAY[
	'UTC+3', 'utc-11', 'GMT+1', 'GMT +02:00', '+04', '-0700', '+05:45', 'UTC+14', '+00:00', '<+03>-3', '<-0330>3:30',
	'XYZ7', 'CET-1CEST', 'CET-1CEST,M3.5.0,M10.5.0/3', 'Moscow3', 'UTC0', ':Europe/Madrid', 'posix/Europe/Nowhere', 'right/Europe/Madrid',
	'CEST', 'EDT', 'ist', 'Eastern Standard Time', '(UTC+09:00) Osaka, Sapporo, Tokyo', '(UTC-03:00)', 'America/Los Angeles',
	'los_angeles', 'Europe/Zürich', 'Europe/Viena', 'europe.rome', '/usr/share/zoneinfo/Europe/Madrid', '../zoneinfo/Europe/Madrid',
	'Europe/../Europe/Madrid', 'Europe//Madrid', 'Europe', 'Europe/', ' ', 'Mars/Phobos']) zone;

-- everywhere
INSERT INTO reengage.nudges (conversation_id, message, time_zone) VALUES ('a', 'hi', 'UTC+3');
INSERT INTO reengage.nudges (conversation_id, message, time_zone) VALUES ('a', 'hi', E'PDT\x1b7');
INSERT INTO reengage.policies (time_zone) VALUES ('<+03>-3');
SELECT reengage.nudge('a', 'hi', time_zone => 'Tokio');
CREATE TEMP TABLE history (conversation_id text, address text, abandoned_at text, time_zone text);
INSERT INTO history VALUES ('c-1', '+13175550171', '2026-03-01', 'UTC+3'), ('c-2', '+13175550172', '2026-03-01', 'Etc/GMT-3');
CALL reengage.import_history('hi', 'zones', staging => 'history', as_of => '2026-03-23') \gset
SELECT :'reasons'::jsonb AS reasons;
SELECT conversation_id, time_zone FROM reengage.nudges ORDER BY 1;

-- invented names leave nothing behind in the session
SELECT pg_temp.said('invented') IS NOT NULL AS warm;
SELECT coalesce(sum(total_bytes), 0) AS before FROM pg_backend_memory_contexts WHERE name = 'Timezones' \gset
DO $$
BEGIN
	FOR i IN 1 .. 2000 LOOP
		BEGIN
			PERFORM reengage.permitted_at('2026-07-01 20:30Z', '{daily 20:00-08:00}', format('<I%s>%s', i, i % 12));
		EXCEPTION WHEN invalid_parameter_value THEN
			NULL;
		END;
	END LOOP;
END $$;
SELECT sum(total_bytes) - :before AS kept FROM pg_backend_memory_contexts WHERE name = 'Timezones';
\set VERBOSITY terse
DROP EXTENSION reengage CASCADE;
