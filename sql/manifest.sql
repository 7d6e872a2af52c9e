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
	 '01900000-0000-7000-8000-000000000001|~n|genesys|imported|~n|~n|c-1|c-1|~n|c-1|0|~n|~n|~n|~n|0|0|0|~n|~n|~n|~n|~n|~n|~n|~n|~n|1580702706789012|1580702707000000|~n|1|~n'),
	('01900000-0000-7000-8000-000000000002',
	 '01900000-0000-7000-8000-000000000002|01900000-0000-7000-8000-00000000000a|Zürich|session_created|~n|~n|abc-123-def|n-1|abc-123-def|abc-123-def|1|~n|~n|~n|~n|1|2|0|201|~n|~n|~n|~n|1580688000000000|1580688000000000|~n|~n|1580702706000001|1580702708000000|~n|1|~n'))
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
FROM reengage_internal.count_lineage('2020-02-03 00:00+00', '2020-02-06 00:00+00', 3)
UNION ALL
SELECT row_count, measured_to AT TIME ZONE 'UTC'
FROM reengage_internal.count_lineage('2020-02-05 12:00+00', '2020-02-06 00:00+00', 3)
UNION ALL
SELECT row_count, measured_to AT TIME ZONE 'UTC'
FROM reengage_internal.count_lineage('2020-02-05 12:00:00.000001+00', '2020-02-06 00:00+00', 3);
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
WITH RECURSIVE part (day, row_count, digest, column_sums, measured_to) AS (
	SELECT d::date, m.* FROM generate_series('2020-03-01', '2020-03-05', interval '1 day') d
		CROSS JOIN LATERAL reengage_internal.count_lineage(reengage_internal.start_of_day(d::date), reengage_internal.start_of_day(d::date + 1), 7) m
	UNION ALL
	SELECT p.day, m.* FROM part p
		CROSS JOIN LATERAL reengage_internal.count_lineage(p.measured_to, reengage_internal.start_of_day(p.day + 1), 7) m
	WHERE p.measured_to < reengage_internal.start_of_day(p.day + 1)
), here AS (
	SELECT (l.recorded_at AT TIME ZONE 'UTC')::date AS day, count(*) AS row_count, sum(reengage.lineage_digest(l)) AS digest,
		min(l.recorded_at) AS first
	FROM reengage.lineage l WHERE l.conversation_id LIKE 'w-%' GROUP BY 1
)
SELECT h.day, h.row_count, h.row_count = p.row_count AND h.digest = p.digest AS counted_once, p.most <= 15 AS in_small_parts,
	h.row_count = m.row_count AND h.digest % 9007199254740992 = m.digest AND p.id_sum % 2147483647 = s.sum AS at_once_too,
	h.row_count = (SELECT count(DISTINCT r.lineage_id) FROM reengage_internal.recorded(b.since, b.before) r) AS found,
	h.first = reengage_internal.recorded_after(b.since, b.before) AS first_is_found
FROM here h
	JOIN (SELECT p.day, sum(p.row_count) AS row_count, sum(p.digest) AS digest, max(p.row_count) AS most, sum(c.sum) AS id_sum
		  FROM part p JOIN LATERAL reengage.column_sums(p.column_sums) c ON c.column_name = 'lineage_id' GROUP BY 1) p ON p.day = h.day
	CROSS JOIN LATERAL (SELECT reengage_internal.start_of_day(h.day) AS since, reengage_internal.start_of_day(h.day + 1) AS before) b
	CROSS JOIN LATERAL reengage_internal.count_lineage(b.since, b.before) m
	JOIN LATERAL reengage.column_sums(m.column_sums) s ON s.column_name = 'lineage_id'
ORDER BY 1;
SELECT reengage_internal.recorded_after('2020-03-06', 'infinity'), reengage_internal.recorded_after('2020-03-06', 'infinity', 100000) IS NULL AS none;
-- an id tells a time to a tenth of a second, if it is of version 7
SELECT reengage.first_id(at)
FROM unnest('{-infinity,1969-12-31 23:59+00,1970-01-01 00:00:00.001999+00,2026-11-28 12:00:00.123456+00,10889-08-02 05:31:50.655+00,10889-08-02 05:31:50.656+00,infinity}'::timestamptz[]) at;
SELECT at, reengage_internal.id_tells('018cc251-f400-7000-8000-000000000000', at) AS by_7, reengage_internal.id_tells('018cc251-f400-4000-8000-000000000000', at) AS by_4
FROM unnest('{-infinity,2023-12-31 23:59:59.899999+00,2023-12-31 23:59:59.9+00,2024-01-01 00:00:00.1+00,2024-01-01 00:00:00.100001+00,infinity}'::timestamptz[]) at;

-- the sums of C are those that SQL makes of the same rows
CREATE FUNCTION sums_in_sql(since timestamptz, before timestamptz, OUT row_count bigint, OUT digest bigint, OUT column_sums text) LANGUAGE sql AS $$
	WITH found AS (SELECT l FROM reengage.lineage l WHERE l.recorded_at >= since AND l.recorded_at < before)
	SELECT count(*), coalesce(sum(reengage.lineage_digest(f.l)) % 9007199254740992, 0),
		(SELECT string_agg(concat_ws(':', s.column_name, s.sum, s.placed), ' ' ORDER BY s.place)
		 FROM (SELECT v.place, v.column_name, sum(d.hash) % 2147483647 AS sum, sum(d.hash * w.hash % 2147483647) % 2147483647 AS placed
			   FROM found f CROSS JOIN LATERAL reengage.lineage_values(f.l) v
				   CROSS JOIN LATERAL reengage.canonical_hash(v.canonical) d (hash)
				   CROSS JOIN LATERAL reengage.canonical_hash(reengage.canonical((f.l).lineage_id)) w (hash)
			   GROUP BY 1, 2) s)
	FROM found f
$$;
CREATE FUNCTION hostile(seed integer) RETURNS text LANGUAGE sql AS $$
	SELECT (ARRAY[NULL, '', '~', '|', '~n', 'a~|b', E'back\\slash', E'two\nlines', E'two\\nlines', 'Zürich', '日本語 🎉', E'\t"quote"', ' ', 'null',
		repeat('x', 55), repeat('x', 56), repeat('é', 60), '1e308', 'O''Brien', '/a/b', 'a=b'])[1 + abs(hashint4(seed)) % 21]
$$;
-- all kinds of values beside each other, another set for each seed
CREATE FUNCTION make_hostile(seed integer, at timestamptz) RETURNS void LANGUAGE sql AS $$
	INSERT INTO reengage.lineage (nudge_id, server, outcome, reason, requested_conversation_id, conversation_id, root_conversation_id, generation,
		address_hash, campaign, attempts, api_calls, api_calls_saved, http_status, api_error_message, requested_at, due_at, checked_at, occurred_at, recorded_at, detail)
	SELECT reengage.uuid_v7(), coalesce(hostile(s), 'x'), 'refused', hostile(s + 1), coalesce(hostile(s + 2), 'x'), coalesce(hostile(s + 3), 'x'), 'r-' || s, hashint4(s),
		hostile(s + 4), hostile(s + 5), -s, 0, 0, nullif(s % 7, 0), hostile(s + 6),
		to_timestamp(hashint4(s) * 10.000001::numeric), (ARRAY['infinity', '-infinity', '1969-12-31 23:59:59.999999+00', '4713-01-01 00:00+00 BC', '294276-12-31 23:59:59.999999+00'])[1 + s % 5]::timestamptz,
		CASE WHEN s % 3 > 0 THEN at END, at, at + s * interval '1 us',
		CASE s % 6 WHEN 0 THEN NULL WHEN 1 THEN to_jsonb(coalesce(hostile(s), 'x')) ELSE jsonb_build_object(coalesce(hostile(s + 7), 'k'), hostile(s + 8),
			'n', (ARRAY['1.10', '-0', '1e308', '1e309', '-1e400', '1e-400', '2.5e-324', '0.1', '9007199254740993', '123456789012345678901234567890', '1.7976931348623158e308', '4.35'])[1 + s % 12]::numeric,
			'a', jsonb_build_array(s, '[]'::jsonb, '{}'::jsonb, true, NULL, hostile(s + 9), jsonb_build_array(jsonb_build_object(coalesce(hostile(s + 10), 'k'), s)))) END
	FROM generate_series(seed * 1000, seed * 1000 + 499) s
$$;
SELECT make_hostile(seed, '2020-05-01 12:00+00'::timestamptz + seed * interval '1 hour') FROM generate_series(1, 3) seed;
-- and one that nobody has seen before
SELECT make_hostile(1000 + (random() * 1000000)::integer, '2020-05-01 20:00+00') AS unseen;
SELECT c.row_count, c.digest = s.digest AS digest_agrees, c.column_sums = s.column_sums AS sums_agree
FROM reengage_internal.count_lineage('2020-05-01 00:00+00', '2020-05-02 00:00+00') c, sums_in_sql('2020-05-01 00:00+00', '2020-05-02 00:00+00') s;
-- without a row they are nothing
SELECT row_count, digest, (SELECT count(*) || ' ' || sum(s.sum + s.placed) FROM reengage.column_sums(column_sums) s) AS sums
FROM reengage_internal.count_lineage('2020-05-02 00:00+00', '2020-05-03 00:00+00');

-- each column of one row, one by one: it is named, and so is the row
SELECT recorded(20000 + i, '2020-04-01 12:00+00'::timestamptz + i * interval '1 min') FROM generate_series(1, 9) i \g /dev/null
CALL reengage.close_day('2020-04-01');
CREATE FUNCTION changed(type text, value text) RETURNS text LANGUAGE sql AS $$
	SELECT CASE type
		WHEN 'uuid' THEN overlay(coalesce(value, '01900000-0000-7000-8000-000000000000') placing 'ffff' FROM 33)
		WHEN 'integer' THEN (coalesce(value::integer, 0) + 1)::text
		WHEN 'timestamp with time zone' THEN (coalesce(value::timestamptz, now()) + interval '1 microsecond')::text
		WHEN 'jsonb' THEN '{"a": 1}' ELSE coalesce(value, '') || '~' END
$$;
CREATE FUNCTION change_each() RETURNS TABLE (column_name text, columns_differ text, finding text, is_this_row boolean, is_that_place boolean) LANGUAGE plpgsql AS $$
DECLARE
	this CONSTANT uuid := (SELECT lineage_id FROM reengage.lineage WHERE conversation_id = 'c-20005');
	was jsonb := (SELECT to_jsonb(l) FROM reengage.lineage l WHERE lineage_id = this);
	type text;
	now_id uuid;
BEGIN
	FOR column_name, type IN SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
		WHERE a.attrelid = 'reengage.lineage'::regclass AND a.attnum > 0 AND a.attname <> 'xact_id' ORDER BY a.attnum
	LOOP
		EXECUTE format('UPDATE reengage.lineage SET %I = %L WHERE lineage_id = %L RETURNING lineage_id', column_name, changed(type, was ->> column_name), this) INTO now_id;
		SELECT r.columns_differ, r.state || ': ' || f.finding, f.lineage_id = now_id, f.place = reengage.canonical_hash(reengage.canonical(this))
		INTO STRICT columns_differ, finding, is_this_row, is_that_place
		FROM reengage.reconciliation r JOIN reengage.reconciliation_rows f USING (day) WHERE r.day = '2020-04-01' AND f.column_name = change_each.column_name;
		RETURN NEXT;
		EXECUTE format('UPDATE reengage.lineage SET %I = %L WHERE lineage_id = %L', column_name, was ->> column_name, now_id);
	END LOOP;
END
$$;
ALTER TABLE reengage.lineage DISABLE TRIGGER append_only;
ALTER TABLE reengage.lineage DROP CONSTRAINT lineage_outcome_check, DROP CONSTRAINT lineage_nudge_check, DROP CONSTRAINT lineage_step_check,
	DROP CONSTRAINT lineage_previous_check, DROP CONSTRAINT lineage_resolves_check;
SELECT * FROM change_each();
SELECT state, columns_differ, covers FROM reengage.reconciliation WHERE day = '2020-04-01';

-- two rows in two columns, each is found; two in one column, only the column is
SELECT f.column_name, l.conversation_id, f.finding FROM reengage.reconciliation_rows f LEFT JOIN reengage.lineage l USING (lineage_id) WHERE f.day = '2020-04-01';
UPDATE reengage.lineage SET campaign = 'x' WHERE conversation_id = 'c-20003';
UPDATE reengage.lineage SET api_calls = 7 WHERE conversation_id = 'c-20004';
SELECT f.column_name, l.conversation_id, f.finding FROM reengage.reconciliation_rows f LEFT JOIN reengage.lineage l USING (lineage_id) WHERE f.day = '2020-04-01' ORDER BY 1;
UPDATE reengage.lineage SET campaign = 'y' WHERE conversation_id = 'c-20006';
SELECT f.column_name, l.conversation_id, f.finding FROM reengage.reconciliation_rows f LEFT JOIN reengage.lineage l USING (lineage_id) WHERE f.day = '2020-04-01' ORDER BY 1;
UPDATE reengage.lineage SET campaign = NULL, api_calls = 0 WHERE conversation_id LIKE 'c-2000_';
-- values that have changed places between rows
UPDATE reengage.lineage SET root_conversation_id = CASE conversation_id WHEN 'c-20001' THEN 'c-20002' ELSE 'c-20001' END WHERE conversation_id IN ('c-20001', 'c-20002');
SELECT r.columns_differ, f.column_name, f.lineage_id, f.finding FROM reengage.reconciliation r JOIN reengage.reconciliation_rows f USING (day) WHERE r.day = '2020-04-01';
UPDATE reengage.lineage SET root_conversation_id = conversation_id WHERE conversation_id LIKE 'c-2000_';
-- a time in another zone
UPDATE reengage.lineage SET occurred_at = occurred_at + interval '9 hours' WHERE conversation_id LIKE 'c-2000_';
SELECT columns_differ FROM reengage.reconciliation WHERE day = '2020-04-01';
UPDATE reengage.lineage SET occurred_at = occurred_at - interval '9 hours' WHERE conversation_id LIKE 'c-2000_';

-- a row that is missing: its place finds it where it is
CREATE TEMP TABLE kept AS SELECT * FROM reengage.lineage WHERE conversation_id = 'c-20008';
DELETE FROM reengage.lineage WHERE conversation_id = 'c-20008';
SELECT r.state, r.columns_differ IS NULL AS names_no_column, f.column_name, f.lineage_id IS NULL AS not_here, f.finding, f.place AS missing_place
FROM reengage.reconciliation r JOIN reengage.reconciliation_rows f USING (day) WHERE r.day = '2020-04-01' \gset f_
SELECT :'f_state' AS state, :'f_names_no_column' AS names_no_column, :'f_column_name' AS column_name, :'f_not_here' AS not_here, :'f_finding' AS finding;
INSERT INTO reengage.lineage SELECT * FROM kept;
SELECT conversation_id FROM reengage.find_lineage('2020-04-01', :f_missing_place);
SELECT count(*) FROM reengage.find_lineage('2020-04-02', :f_missing_place);
-- another one in its place; two that are missing; one that came late; two that did
DELETE FROM reengage.lineage WHERE conversation_id = 'c-20008';
SELECT recorded(20010, '2020-04-01 13:00+00');
SELECT r.state, f.column_name, l.conversation_id, f.finding, f.place = :f_missing_place AS of_the_missing_one
FROM reengage.reconciliation r JOIN reengage.reconciliation_rows f USING (day) LEFT JOIN reengage.lineage l USING (lineage_id) WHERE r.day = '2020-04-01';
DELETE FROM reengage.lineage WHERE conversation_id IN ('c-20007', 'c-20010');
SELECT f.* FROM reengage.reconciliation_rows f WHERE day = '2020-04-01';
INSERT INTO reengage.lineage SELECT * FROM kept;
SELECT recorded(20007, '2020-04-01 12:07+00'), recorded(20011, '2020-04-01 13:00+00');
SELECT r.state, f.column_name, l.conversation_id, f.finding FROM reengage.reconciliation r JOIN reengage.reconciliation_rows f USING (day) LEFT JOIN reengage.lineage l USING (lineage_id) WHERE r.day = '2020-04-01';
SELECT recorded(20012, '2020-04-01 13:00+00');
SELECT f.* FROM reengage.reconciliation_rows f WHERE day = '2020-04-01';
DELETE FROM reengage.lineage WHERE conversation_id IN ('c-20011', 'c-20012');
ALTER TABLE reengage.lineage ENABLE TRIGGER append_only;
SELECT state FROM reengage.reconciliation WHERE day = '2020-04-01';

-- days that version 1.0 closed are compared by the digest that it had
INSERT INTO reengage.lineage_manifest (day, as_of, row_count, digest)
SELECT '2020-04-01', now() + interval '1 hour', count(*), sum(reengage_internal.lineage_digest_1_0(l)) % 9007199254740992 FROM reengage.lineage l WHERE conversation_id LIKE 'c-2000_';
SELECT state, covers, columns_differ FROM reengage.reconciliation WHERE day = '2020-04-01';
ALTER TABLE reengage.lineage DISABLE TRIGGER append_only;
UPDATE reengage.lineage SET campaign = 'x' WHERE conversation_id = 'c-20003';
SELECT state FROM reengage.reconciliation WHERE day = '2020-04-01';
UPDATE reengage.lineage SET campaign = NULL, api_calls = 7 WHERE conversation_id = 'c-20003';
SELECT f.* FROM reengage.reconciliation_rows f WHERE day = '2020-04-01';
UPDATE reengage.lineage SET api_calls = 0 WHERE conversation_id = 'c-20003';
ALTER TABLE reengage.lineage ENABLE TRIGGER append_only;
CALL reengage.close_day('2020-04-01');
SELECT state, covers FROM reengage.reconciliation WHERE day = '2020-04-01';
SELECT reengage_internal.lineage_digest_1_0(l) FROM reengage.lineage l WHERE l.conversation_id IN ('c-1', 'n-1') ORDER BY 1;

-- the running day; midnight may pass
SELECT recorded(21000 + i, clock_timestamp()) FROM generate_series(1, 5) i \g /dev/null
CALL reengage.close_part();
SELECT state, columns_differ IS NULL AS no_column_differs, covers, up_to > now() - interval '1 minute' AS up_to_now
FROM reengage.reconciliation WHERE up_to IS NOT NULL ORDER BY day DESC LIMIT 1;
\set VERBOSITY terse
BEGIN ISOLATION LEVEL REPEATABLE READ;
CALL reengage.close_part();
ROLLBACK;
SET ROLE reengage_reader;
CALL reengage.close_part();
SELECT count(*) > 0 AS may_look FROM reengage.reconciliation_rows WHERE day = '2020-02-03';
SELECT count(*) FROM reengage.find_lineage('2020-02-03', 1);
RESET ROLE;
\set VERBOSITY default

DROP FUNCTION recorded, sums_in_sql, hostile, make_hostile, changed, change_each;
DROP EXTENSION reengage CASCADE;
