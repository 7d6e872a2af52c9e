-- The manifest of lineage: digests, and days that are closed by hand.
CREATE EXTENSION reengage;
SET timezone = 'Asia/Tokyo';

-- rows of any day; recorded_at is an ordinary column
CREATE FUNCTION recorded(id integer, at timestamptz, server text DEFAULT 'genesys') RETURNS void LANGUAGE sql AS $$
	INSERT INTO reengage.lineage (lineage_id, server, outcome, requested_conversation_id, conversation_id,
		root_conversation_id, generation, attempts, api_calls, api_calls_saved, occurred_at, recorded_at)
	VALUES (('01900000-0000-7000-8000-' || lpad(id::text, 12, '0'))::uuid, server, 'imported', 'c-' || id, 'c-' || id,
			'c-' || id, 0, 0, 0, 0, '2020-02-03 04:05:06.789012+00', at);
$$;

-- the digest of a row: from its text, and as other systems computed it
SELECT recorded(1, '2020-02-03 04:05:07+00');
INSERT INTO reengage.lineage (lineage_id, nudge_id, server, outcome, requested_conversation_id, conversation_id,
	previous_conversation_id, root_conversation_id, generation, attempts, http_status, api_calls, api_calls_saved,
	requested_at, due_at, occurred_at, recorded_at)
VALUES ('01900000-0000-7000-8000-000000000002', '01900000-0000-7000-8000-00000000000a', 'Zürich', 'session_created',
	'abc-123-def', 'n-1', 'abc-123-def', 'abc-123-def', 1, 1, 201, 2, 0,
	'2020-02-03 00:00+00', '2020-02-03 00:00+00', '2020-02-03 04:05:06.000001+00', '2020-02-03 04:05:08+00');
WITH texts (lineage_id, content) AS (VALUES
	('01900000-0000-7000-8000-000000000001'::uuid,
	 '01900000-0000-7000-8000-000000000001|~|genesys|imported|c-1|c-1|~|c-1|0|~|0|0|1580702706789012'),
	('01900000-0000-7000-8000-000000000002',
	 '01900000-0000-7000-8000-000000000002|01900000-0000-7000-8000-00000000000a|Zürich|session_created|abc-123-def|n-1|abc-123-def|abc-123-def|1|201|2|0|1580702706000001'))
SELECT reengage.lineage_digest(l), reengage.lineage_digest(l) = ('x' || substr(md5(t.content), 21, 12))::bit(48)::bigint AS as_agreed
FROM texts t JOIN reengage.lineage l USING (lineage_id) ORDER BY 1;
SET datestyle = 'SQL, DMY'; SET intervalstyle = 'iso_8601'; SET extra_float_digits = -15;
SELECT sum(reengage.lineage_digest(l)) FROM reengage.lineage l;
RESET datestyle; RESET intervalstyle; RESET extra_float_digits;

-- a day is one of UTC: its first instant belongs to it, that of the next does not
SELECT recorded(3, '2020-02-02 23:59:59.999999+00'), recorded(4, '2020-02-03 00:00+00'),
	   recorded(5, '2020-02-03 23:59:59.999999+00'), recorded(6, '2020-02-04 00:00+00');
CALL reengage.close_day('2020-02-03');
SELECT m.day, m.row_count, m.digest = s.digest AS digest_is_sum, m.as_of > now() AS counted_since
FROM reengage.lineage_manifest m, (
	SELECT sum(reengage.lineage_digest(l)) % (2::numeric ^ 53)::bigint AS digest FROM reengage.lineage l
	WHERE l.conversation_id IN ('c-1', 'n-1', 'c-4', 'c-5')) s;
-- once more: nothing has changed
CALL reengage.close_day('2020-02-03');
-- late rows: counted again, and the newest row counts
SELECT recorded(7, '2020-02-03 12:00+00');
SELECT day, state, rows_counted, rows_here FROM reengage.reconciliation;
CALL reengage.close_day('2020-02-03');
SELECT day, row_count, as_of > lag(as_of) OVER (ORDER BY manifest_id) AS later FROM reengage.lineage_manifest ORDER BY manifest_id;
SELECT day, state, rows_counted, rows_here, digest_counted = digest_here AS same FROM reengage.reconciliation;
-- the sum of many digests stays below 2^53
SELECT count(recorded(i, '2020-02-05 12:00+00')) FROM generate_series(100, 299) i;
CALL reengage.close_day('2020-02-05');
SELECT row_count, digest < 9007199254740992 AND digest >= 0 AS in_range,
	   (SELECT sum(reengage.lineage_digest(l)) > 9007199254740992 FROM reengage.lineage l WHERE recorded_at = '2020-02-05 12:00+00') AS it_had_to
FROM reengage.lineage_manifest WHERE day = '2020-02-05';
-- as the worker counts: in parts, but the rows of one instant together
SELECT row_count, measured_to AT TIME ZONE 'UTC' AS measured_to
FROM reengage_internal.measure_lineage('2020-02-03 00:00+00', '2020-02-06 00:00+00', 3)
UNION ALL
SELECT row_count, measured_to AT TIME ZONE 'UTC'
FROM reengage_internal.measure_lineage('2020-02-05 12:00+00', '2020-02-06 00:00+00', 3)
UNION ALL
SELECT row_count, measured_to AT TIME ZONE 'UTC'
FROM reengage_internal.measure_lineage('2020-02-05 12:00:00.000001+00', '2020-02-06 00:00+00', 3);
-- the newest row counts also if the clock was set back since
INSERT INTO reengage.lineage_manifest (day, as_of, row_count, digest) VALUES ('2020-02-05', now() + interval '1 day', 100, 0);
CALL reengage.close_day('2020-02-05');
SELECT state FROM reengage.reconciliation WHERE day = '2020-02-05';
-- a day without rows can be closed, too: there is nothing to arrive
CALL reengage.close_day('2020-02-29');
SELECT row_count, digest FROM reengage.lineage_manifest WHERE day = '2020-02-29';
-- without a day: yesterday, in UTC; midnight may pass meanwhile
SELECT to_char(now() AT TIME ZONE 'UTC' - interval '1 day', 'YYYY-MM-DD') AS yesterday \gset
CALL reengage.close_day();
SELECT day BETWEEN :'yesterday' AND to_char(now() AT TIME ZONE 'UTC' - interval '1 day', 'YYYY-MM-DD') AS yesterday
FROM reengage.lineage_manifest ORDER BY manifest_id DESC LIMIT 1;
-- a day begins at midnight in UTC, wherever the session is
SELECT to_char(reengage_internal.start_of_day('2020-02-03'), 'HH24:MI') AS here;

-- a row that was changed, or is gone
ALTER TABLE reengage.lineage DISABLE TRIGGER append_only;
UPDATE reengage.lineage SET api_calls = 1 WHERE conversation_id = 'c-7';
SELECT state FROM reengage.reconciliation WHERE day = '2020-02-03';
DELETE FROM reengage.lineage WHERE conversation_id = 'c-7';
ALTER TABLE reengage.lineage ENABLE TRIGGER append_only;
SELECT state FROM reengage.reconciliation WHERE day = '2020-02-03';
\set VERBOSITY terse
CALL reengage.close_day('2020-02-03');
\set VERBOSITY default
SELECT count(*) FROM reengage.lineage_manifest WHERE day = '2020-02-03';

-- what cannot be closed
\set VERBOSITY terse
CALL reengage.close_day('2999-12-31');
CALL reengage.close_day('infinity');
CALL reengage.close_day('-infinity');
CALL reengage.close_day(NULL);
CALL reengage.close_day('0044-03-15 BC');
BEGIN ISOLATION LEVEL REPEATABLE READ;
CALL reengage.close_day('2020-02-04');
ROLLBACK;
BEGIN READ ONLY;
CALL reengage.close_day('2020-02-04');
ROLLBACK;
-- today has not ended: the message names the day
DO $$
BEGIN
	CALL reengage.close_day((now() AT TIME ZONE 'UTC')::date);
EXCEPTION WHEN object_not_in_prerequisite_state THEN
	RAISE NOTICE '%', replace(SQLERRM, to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD'), 'today');
END
$$;
\set VERBOSITY default

-- it is history
UPDATE reengage.lineage_manifest SET row_count = 0;
DELETE FROM reengage.lineage_manifest;
TRUNCATE reengage.lineage_manifest;

-- who may
CREATE ROLE manifest_stranger;
GRANT USAGE ON SCHEMA reengage TO manifest_stranger;
SET ROLE manifest_stranger;
CALL reengage.close_day('2020-02-04');
SELECT * FROM reengage.lineage_manifest;
SET ROLE reengage_reader;
CALL reengage.close_day('2020-02-04');
SELECT day, state FROM reengage.reconciliation WHERE day = '2020-02-05';
SELECT reengage.lineage_digest(l) FROM reengage.lineage l WHERE l.conversation_id = 'c-1';
SET ROLE reengage_operator;
CALL reengage.close_day('2020-02-04');
SELECT day, state FROM reengage.reconciliation WHERE day = '2020-02-04';
RESET ROLE;
DROP OWNED BY manifest_stranger;
DROP ROLE manifest_stranger;

-- the worker's way to the days that it has to close, oldest first
SELECT reengage_internal.day_without_manifest();
CALL reengage.close_day('2020-02-02');
SELECT reengage_internal.day_without_manifest();

-- Where ids tell when rows were recorded, these are found by them, else by an index: here
-- of each ten one was brought from elsewhere, and 50 at a time were recorded in another
-- order than their ids, by up to a tenth of a second, at midnight, too.
CREATE TEMP TABLE written AS
SELECT n, at, at + CASE n % 10 WHEN 0 THEN interval '-7 days' ELSE ((n * 37) % 199 - 99) * interval '1 ms' END AS id_at
FROM (SELECT n, timestamptz '2020-03-01 23:59:59.925+00' + (n / 50) * interval '1 hour' + (n % 50) * interval '3 ms' AS at
	  FROM generate_series(0, 2999) n) w;
INSERT INTO reengage.lineage (lineage_id, server, outcome, requested_conversation_id, conversation_id,
	root_conversation_id, generation, attempts, api_calls, api_calls_saved, occurred_at, recorded_at)
SELECT (lpad(to_hex((extract(epoch FROM id_at) * 1000)::bigint), 12, '0') || '70008000' || lpad(n::text, 12, '0'))::uuid,
	'genesys', 'imported', 'w-' || n, 'w-' || n, 'w-' || n, 0, 0, 0, 0, at, at
FROM written;
SELECT reengage_internal.id_tells(lineage_id, recorded_at) AS id_tells, count(*) FROM reengage.lineage
WHERE conversation_id LIKE 'w-%' GROUP BY 1 ORDER BY 1;
WITH RECURSIVE part (day, row_count, digest, measured_to) AS (
	SELECT d::date, m.* FROM generate_series('2020-03-01', '2020-03-05', interval '1 day') d
		CROSS JOIN LATERAL reengage_internal.measure_lineage(reengage_internal.start_of_day(d::date), reengage_internal.start_of_day(d::date + 1), 7) m
	UNION ALL
	SELECT p.day, m.* FROM part p
		CROSS JOIN LATERAL reengage_internal.measure_lineage(p.measured_to, reengage_internal.start_of_day(p.day + 1), 7) m
	WHERE p.measured_to < reengage_internal.start_of_day(p.day + 1)
), here AS (
	SELECT (l.recorded_at AT TIME ZONE 'UTC')::date AS day, count(*) AS row_count, sum(reengage.lineage_digest(l)) AS digest,
		min(l.recorded_at) AS first
	FROM reengage.lineage l WHERE l.conversation_id LIKE 'w-%' GROUP BY 1
)
SELECT h.day, h.row_count, h.row_count = p.row_count AND h.digest = p.digest AS counted_once, p.most <= 15 AS in_small_parts,
	h.row_count = m.row_count AND h.digest % 9007199254740992 = m.digest AS at_once_too,
	h.row_count = (SELECT count(DISTINCT r.lineage_id) FROM reengage_internal.recorded(b.since, b.before) r) AS found,
	h.first = reengage_internal.recorded_after(b.since, b.before) AS first_is_found
FROM here h
	JOIN (SELECT day, sum(row_count) AS row_count, sum(digest) AS digest, max(row_count) AS most FROM part GROUP BY 1) p ON p.day = h.day
	CROSS JOIN LATERAL (SELECT reengage_internal.start_of_day(h.day) AS since, reengage_internal.start_of_day(h.day + 1) AS before) b
	CROSS JOIN LATERAL reengage_internal.measure_lineage(b.since, b.before) m
ORDER BY 1;
SELECT reengage_internal.recorded_after('2020-03-06', 'infinity'), reengage_internal.recorded_after('2020-03-06', 'infinity', 100000) IS NULL AS none;
-- an id tells a time to a tenth of a second, if it is of version 7
SELECT reengage.first_id(at)
FROM unnest('{-infinity,1969-12-31 23:59+00,1970-01-01 00:00:00.001999+00,2026-11-28 12:00:00.123456+00,10889-08-02 05:31:50.655+00,10889-08-02 05:31:50.656+00,infinity}'::timestamptz[]) at;
SELECT at, reengage_internal.id_tells('018cc251-f400-7000-8000-000000000000', at) AS by_7, reengage_internal.id_tells('018cc251-f400-4000-8000-000000000000', at) AS by_4
FROM unnest('{-infinity,2023-12-31 23:59:59.899999+00,2023-12-31 23:59:59.9+00,2024-01-01 00:00:00.1+00,2024-01-01 00:00:00.100001+00,infinity}'::timestamptz[]) at;

DROP FUNCTION recorded;
DROP EXTENSION reengage CASCADE;
