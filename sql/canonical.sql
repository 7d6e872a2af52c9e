-- The canonical text of values of lineage: what others have to compute alike.
CREATE EXTENSION reengage;
SET timezone = 'Asia/Tokyo';
SET datestyle = 'SQL, DMY';

-- nulls, texts, ids, numbers, times
SELECT reengage.canonical(NULL::text) AS text, reengage.canonical(NULL::uuid) AS id, reengage.canonical(NULL::integer) AS number,
	reengage.canonical(NULL::timestamptz) AS time, reengage.canonical(NULL::jsonb) AS detail;
SELECT reengage.canonical(v) FROM unnest(ARRAY['', '~', '|', '~n', 'a~|b', E'back\\slash', E'two\nlines', ' a ']) v;
SELECT reengage.canonical('01900000-ABCD-7000-8000-00000000000A'::uuid), reengage.canonical(-2147483648), reengage.canonical(0);
SELECT reengage.canonical(v) FROM unnest('{2020-02-03 04:05:06.789012+00,1970-01-01 00:00+00,1969-12-31 23:59:59.999999+00,infinity,-infinity,4713-01-01 BC,294276-12-31 23:59:59.999999+00}'::timestamptz[]) v;

-- of a jsonb the leaves, a line each
SELECT reengage.canonical_json(v) FROM unnest(ARRAY['1', '"a"', 'null', 'true', '{}', '[]', '[[], {}]', '{"b": 1, "a": [true, {"c": null}]}',
	'{"a": "x"}', '{"a": "1"}', '{"a": 1}', '{"a": [1]}', '{"a": {"0": 1}}']::jsonb[]) v;
-- keys are those of a JSON pointer, with ~2 for =; the order is that of their bytes, not of a language
SELECT reengage.canonical_json('{"a/b": 1, "a~b": 2, "~1": 3, "": 4, "B": 5, "b": 6, "aa": 7, "a=": 8}');
SELECT reengage.canonical_json(E'{"back\\\\slash": "x\\\\ny", "two\\nlines": "x\\ny"}'), reengage.canonical(E'{"p|q": "~"}'::jsonb);
-- numbers are doubles
SELECT v, reengage.canonical_number(v::numeric) FROM unnest('{0,-0,1,1.10,1.1,-1.5,0.1,1e2,100,123456789012345678901234567890,1e308,1.7976931348623158e308,1.7976931348623159e308,
	-1e309,4.9e-324,2.4703282292062328e-324,2.4703282292062327e-324,-1e-400}'::text[]) v;
SELECT reengage.canonical('{"a": 1.10, "b": [1e2]}'::jsonb) = reengage.canonical('{"b":[100],"a":1.1}'::jsonb) AS same;

-- the low 31 bits of MD5s that end with 6bd4c310, 1fd85917 and ecf8427e, of which the highest bit is cut
SELECT reengage.canonical_hash('~n'), reengage.canonical_hash('genesys'), reengage.canonical_hash('');

-- a row, and what becomes of it
INSERT INTO reengage.lineage (lineage_id, server, outcome, requested_conversation_id, conversation_id, root_conversation_id, generation,
	attempts, api_calls, api_calls_saved, occurred_at, recorded_at, campaign, detail)
VALUES ('01900000-0000-7000-8000-000000000001', 'genesys', 'imported', 'c-1', 'c-1', 'c-1', 0, 0, 0, 0,
	'2020-02-03 04:05:06.789012+00', '2020-02-03 04:05:07+00', 'spring|~', '{"b": 1.10, "a": "x"}');
SELECT v.* FROM reengage.lineage l, reengage.lineage_values(l) v ORDER BY place;
SELECT * FROM reengage.column_sums('lineage_id:1:2 detail:2147483646:0');
SELECT * FROM reengage.column_sums(NULL);

DROP EXTENSION reengage CASCADE;
