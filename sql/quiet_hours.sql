-- permitted_at(): the end of quiet hours, in every time zone.
CREATE EXTENSION reengage;
SET TimeZone = 'UTC';

-- in words: nights, weekends, a gap (29 March 2026), an overlap (25 October), a day that never was
SELECT t, w, z, reengage.permitted_at(t::timestamptz, w::text[], z) AT TIME ZONE z AS permitted_at
FROM (VALUES
	('2026-01-14 12:00+00', '{mon-fri 20:00-08:00}', 'Europe/Berlin'),
	('2026-01-14 18:59:59.999999+00', '{mon-fri 20:00-08:00}', 'Europe/Berlin'),
	('2026-01-14 19:00+00', '{mon-fri 20:00-08:00}', 'Europe/Berlin'),
	('2026-01-15 06:59:59.5+00', '{mon-fri 20:00-08:00}', 'Europe/Berlin'),
	('2026-01-15 07:00+00', '{mon-fri 20:00-08:00}', 'Europe/Berlin'),
	('2026-01-16 23:30+00', '{mon-fri 20:00-08:00,"sat,sun 18:00-10:00"}', 'Europe/Berlin'),
	('2026-01-18 23:30+00', '{mon-fri 20:00-08:00,"sat,sun 18:00-10:00"}', 'Europe/Berlin'),
	('2026-01-16 23:30+00', '{fri 22:00-24:00,sat-sun 00:00-24:00,mon 00:00-06:00}', 'Europe/Berlin'),
	('2026-03-29 00:30+00', '{daily 01:00-02:30}', 'Europe/Berlin'),
	('2026-03-29 00:30+00', '{daily 01:00-03:30}', 'Europe/Berlin'),
	('2026-10-25 00:10+00', '{daily 02:00-02:30}', 'Europe/Berlin'),
	('2026-10-25 01:10+00', '{daily 02:00-02:30}', 'Europe/Berlin'),
	('2026-10-24 23:10+00', '{daily 01:00-03:00}', 'Europe/Berlin'),
	('2011-12-29 12:00+00', '{thu 00:00-24:00}', 'Pacific/Apia'),
	('2011-12-30 08:00+00', '{thu 20:00-08:00,fri 08:00-24:00}', 'Pacific/Apia'),
	('1890-01-01 00:00+00', '{daily 21:00-06:00}', 'Europe/Amsterdam'),
	('2400-07-01 00:00+00', '{daily 21:00-08:00}', 'America/New_York')) AS c (t, w, z);
SELECT reengage.permitted_at('infinity', '{daily 20:00-08:00}', 'UTC') AS never,
	   reengage.permitted_at('-infinity', '{daily 20:00-08:00}', 'UTC') AS always,
	   reengage.permitted_at(now(), NULL, 'UTC') IS NULL AS none;

-- at both ends of time
SELECT reengage.permitted_at('4714-11-24 00:00+00 BC', '{daily 20:00-08:00}', 'UTC') AS first,
	   reengage.permitted_at('294276-12-31 19:59+00', '{daily 20:00-08:00}', 'UTC') AS last;
SELECT reengage.permitted_at('294276-12-31 20:00+00', '{daily 20:00-08:00}', 'UTC');

-- Every change of the clock from 2025 to 2030, of every zone that this server
-- knows; zones with the same clock are one.  A change of offset shows from day
-- to day, its hour and minute by looking closer.
CREATE FUNCTION pg_temp.shift(t timestamptz, zone text) RETURNS interval
LANGUAGE sql STABLE AS $$ SELECT (t AT TIME ZONE zone) - (t AT TIME ZONE 'UTC') $$;
CREATE TEMP TABLE offsets AS
SELECT name, t, pg_temp.shift(t, name) AS shift
FROM (SELECT DISTINCT name FROM pg_timezone_names WHERE name !~ '^(posix|right)/|posixrules') z,
	generate_series(timestamptz '2024-12-31', '2031-01-01', '1 day') t;
CREATE TEMP TABLE edges AS
WITH days AS (
	SELECT name, t, shift, lag(shift) OVER (PARTITION BY name ORDER BY t) AS before FROM offsets),
hours AS (
	SELECT name, h AS t FROM days d, generate_series(d.t - interval '23 hours', d.t, '1 hour') h
	WHERE d.shift <> d.before AND pg_temp.shift(h, name) <> pg_temp.shift(h - interval '1 hour', name))
SELECT name, m AS t, pg_temp.shift(m - interval '1 minute', name) AS before, pg_temp.shift(m, name) AS after
FROM hours h, generate_series(h.t - interval '59 minutes', h.t, '1 minute') m
WHERE pg_temp.shift(m, name) <> pg_temp.shift(m - interval '1 minute', name);
CREATE TEMP TABLE zones AS
SELECT min(name) AS name, clock
FROM (SELECT o.name, array_agg(ROW(e.t, e.after)::text ORDER BY e.t) || o.shift::text AS clock
	  FROM offsets o LEFT JOIN edges e USING (name) WHERE o.t = '2024-12-31'
	  GROUP BY o.name, o.shift) history
GROUP BY clock;
DELETE FROM edges WHERE name NOT IN (SELECT name FROM zones);
SELECT (SELECT count(*) FROM offsets WHERE t = '2024-12-31') > 400 AS zones,
	(SELECT count(*) FROM zones) > 50 AS of_different_clocks, count(*) > 250 AS changes FROM edges;

-- Windows that begin and end around each change, by the clock before it and by
-- the clock after it, daily, or on that day only; and nights, also
-- of the day before.
CREATE TEMP TABLE windows AS
WITH clocks AS (
	SELECT name, t, t AT TIME ZONE 'UTC' + before AS earlier, t AT TIME ZONE 'UTC' + after AS later FROM edges),
bounds AS (
	SELECT name, t, earlier, first, (last - first + 1440) % 1440 AS length
	FROM clocks, LATERAL (VALUES
		(earlier, -90, later, 0), (earlier, -90, earlier, 0), (earlier, -90, later, 30), (earlier, -90, earlier, 30),
		(earlier, -90, earlier, -30), (later, 0, later, 60), (earlier, -20, earlier, -10), (later, 10, later, 20)) w (a, a_minutes, b, b_minutes),
	LATERAL (SELECT ((extract(epoch FROM a::time) / 60)::integer + a_minutes + 1440) % 1440 AS first,
				((extract(epoch FROM b::time) / 60)::integer + b_minutes + 1440) % 1440 AS last) m
	UNION
	SELECT name, t, earlier, 20 * 60, 12 * 60 FROM clocks)
SELECT row_number() OVER () AS id, b.name, t, first, length, days, (ARRAY[
		format('%s %s-%s', (SELECT string_agg((ARRAY['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'])[d], ',') FROM unnest(days) d),
			to_char(first * interval '1 minute', 'HH24:MI'), to_char((first + length) % 1440 * interval '1 minute', 'HH24:MI'))]) AS quiet_hours
FROM bounds b, LATERAL (SELECT extract(isodow FROM earlier)::integer AS d) today,
	LATERAL (VALUES ('{1,2,3,4,5,6,7}'::integer[]), (ARRAY[d]), (ARRAY[(d + 5) % 7 + 1])) on_days (days)
-- longer ones go round the clock, where it goes back
WHERE length = 720 OR (length BETWEEN 1 AND 240 AND days[1] <> (d + 5) % 7 + 1);
ANALYZE windows;

-- The independent word: is this instant quiet?  By the clock that AT TIME ZONE
-- shows, today's window or what is left of yesterday's.
CREATE TEMP TABLE clocks AS
SELECT e.name, e.t, m AS at, extract(isodow FROM shown)::integer AS day,
	(extract(hour FROM shown) * 60 + extract(minute FROM shown))::integer AS minute
FROM edges e, generate_series(e.t - interval '121 minutes', e.t + interval '842 minutes', '1 minute') m,
	LATERAL (SELECT m AT TIME ZONE e.name AS shown OFFSET 0) c;
CREATE TEMP TABLE expected AS
SELECT id, at, quiet, min(at) FILTER (WHERE NOT quiet) OVER (PARTITION BY id ORDER BY at DESC) AS permitted_at
FROM (
	SELECT w.id, c.at,
		(c.day = ANY (w.days) AND c.minute >= w.first AND c.minute < w.first + w.length)
		OR ((c.day + 5) % 7 + 1 = ANY (w.days) AND c.minute + 1440 < w.first + w.length) AS quiet
	FROM windows w JOIN clocks c ON c.name = w.name AND c.t = w.t
		AND c.at <= w.t + interval '122 minutes' + w.length * interval '1 minute') judged;
-- samples: each half hour, and a minute before and after; within a minute, a
-- clock that goes by minutes shows the same
SELECT count(*) > 100000 AS samples, count(*) FILTER (WHERE quiet) > 20000 AS quiet_ones,
	count(*) FILTER (WHERE said IS DISTINCT FROM wanted) AS violations
FROM expected e JOIN windows w USING (id),
	LATERAL (VALUES (interval '0'), (interval '59.999999 seconds')) s (later),
	LATERAL (SELECT reengage.permitted_at(e.at + later, w.quiet_hours, w.name) AS said,
				CASE WHEN e.quiet THEN e.permitted_at ELSE e.at + later END AS wanted) v
WHERE e.at BETWEEN w.t - interval '121 minutes' AND w.t + interval '121 minutes'
  AND extract(epoch FROM e.at - w.t)::integer / 60 % 30 IN (-1, 0, 1);

-- what is refused
\set VERBOSITY default
SELECT reengage.permitted_at(now(), '{}', 'UTC');
SELECT reengage.permitted_at(now(), '{NULL}', 'UTC');
SELECT reengage.permitted_at(now(), '{mon 20:00-08:00,mox 20:00-08:00}', 'UTC');
SELECT reengage.permitted_at(now(), '{mon 20:00-20:00}', 'UTC');
SELECT reengage.permitted_at(now(), '{mon-fri 20:00-08:00,tue 07:00-09:00}', 'UTC');
SELECT reengage.permitted_at(now(), '{sun 20:00-08:00,mon 07:59-09:00}', 'UTC');
SELECT reengage.permitted_at(now(), '{mon-thu 00:00-24:00,fri-sun 00:00-24:00}', 'UTC');
SELECT reengage.permitted_at(now(), '{mon 20:00-25:00}', 'UTC');
SELECT reengage.permitted_at(now(), '{mon 20-08}', 'UTC');
SELECT reengage.permitted_at(now(), '{mon}', 'UTC');
SELECT reengage.permitted_at(now(), '{daily 20:00-08:00}', 'Europe/Nowhere');
SELECT reengage.permitted_at(now(), '{daily 20:00-08:00}', '');
SELECT reengage.permitted_at(now(), '{daily 20:00-08:00}', repeat('x', 1000));
DROP EXTENSION reengage;
