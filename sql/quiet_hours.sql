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

-- Every change of the clock from 2025 to 2030, of every zone that this server
-- knows; zones with the same clock are one.  A change of offset shows from day
-- to day, its minute is found by looking closer.
CREATE TEMP TABLE offsets AS
SELECT name, t, ((t AT TIME ZONE name) - (t AT TIME ZONE 'UTC')) AS shift
FROM (SELECT DISTINCT name FROM pg_timezone_names WHERE name !~ '^(posix|right)/|posixrules') z,
	generate_series(timestamptz '2024-12-31', '2031-01-01', '1 day') t;
CREATE TEMP TABLE edges AS
WITH days AS (
	SELECT name, t, shift, lag(shift) OVER (PARTITION BY name ORDER BY t) AS before FROM offsets)
SELECT d.name, minute.t, minute.before, minute.shift AS after
FROM days d, LATERAL (
	SELECT m AS t, (m AT TIME ZONE d.name) - (m AT TIME ZONE 'UTC') AS shift,
		(m - interval '1 minute') AT TIME ZONE d.name - (m - interval '1 minute') AT TIME ZONE 'UTC' AS before
	FROM generate_series(d.t - interval '1 day' + interval '1 minute', d.t, '1 minute') m) minute
WHERE d.shift <> d.before AND minute.shift <> minute.before;
CREATE TEMP TABLE rules AS
SELECT min(name) AS name, array_agg(name) AS names, history
FROM (SELECT o.name, (SELECT o2.shift FROM offsets o2 WHERE o2.name = o.name ORDER BY t LIMIT 1) AS first,
		array_agg(ROW(e.t, e.after)::text ORDER BY e.t) AS history
	  FROM (SELECT DISTINCT name FROM offsets) o LEFT JOIN edges e USING (name)
	  GROUP BY 1) r
GROUP BY first, history;
SELECT count(*) > 400 AS zones FROM (SELECT DISTINCT name FROM offsets) o;
SELECT count(*) > 50 AS different_zones FROM rules;
SELECT count(*) > 300 AS changes FROM edges WHERE name IN (SELECT name FROM rules);
