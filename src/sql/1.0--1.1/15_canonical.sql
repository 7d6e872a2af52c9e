--
-- The canonical text of a row of lineage, and numbers of it, which PostgreSQL, a
-- subscriber without the extension, Snowflake and DuckDB compute alike.  The bodies
-- are expressions that the server has parsed already: so they can be inlined, need no
-- search_path, and pg_get_functiondef() gives them to whoever has no extension.
-- What they compute must never change: the manifest has what it was on each day.
--
CREATE FUNCTION reengage.canonical(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(replace(replace(value, '~', '~t'), '|', '~p'), '~n');
COMMENT ON FUNCTION reengage.canonical(text) IS
	'a value as digests of lineage have it, null as ~n: a text with ~t for each ~ and ~p for each |';
GRANT EXECUTE ON FUNCTION reengage.canonical(text) TO reengage_operator, reengage_reader, reengage_worker;

CREATE FUNCTION reengage.canonical(value uuid) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(value::text, '~n');
COMMENT ON FUNCTION reengage.canonical(uuid) IS 'an id in lower case';
GRANT EXECUTE ON FUNCTION reengage.canonical(uuid) TO reengage_operator, reengage_reader, reengage_worker;

CREATE FUNCTION reengage.canonical(value integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(value::text, '~n');
COMMENT ON FUNCTION reengage.canonical(integer) IS 'a number in decimal';
GRANT EXECUTE ON FUNCTION reengage.canonical(integer) TO reengage_operator, reengage_reader, reengage_worker;

-- Since 2000, as extract(epoch) rounds in the last years that PostgreSQL has.
CREATE FUNCTION reengage.canonical(value timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
	WHEN value IS NULL THEN '~n'
	WHEN isfinite(value) THEN trunc((extract(epoch FROM value - timestamptz '2000-01-01 00:00+00') + 946684800) * 1000000)::text
	ELSE value::text
END;
COMMENT ON FUNCTION reengage.canonical(timestamptz) IS
	'a time as microseconds since 1970 in UTC, decimal, or infinity or -infinity';
GRANT EXECUTE ON FUNCTION reengage.canonical(timestamptz) TO reengage_operator, reengage_reader, reengage_worker;

-- Hashes are of UTF-8.  The bytes of a database without an encoding are taken as they are.
CREATE FUNCTION reengage.canonical_bytes(value text) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN convert_to(value, CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END);
COMMENT ON FUNCTION reengage.canonical_bytes(text) IS 'a text in UTF-8, as it is hashed';
GRANT EXECUTE ON FUNCTION reengage.canonical_bytes(text) TO reengage_operator, reengage_reader, reengage_worker;

-- What rounds to a double beyond the greatest, by half of a last digit, and what
-- rounds to none, have no cast.
CREATE FUNCTION reengage.canonical_number(value numeric) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
	WHEN abs(value) >= 2::numeric ^ 970 * (2::numeric ^ 54 - 1) THEN CASE WHEN value > 0 THEN 'inf' ELSE '-inf' END
	WHEN abs(value) * 2::numeric ^ 1075 <= 1 THEN '0.0000000000000000e+00'
	ELSE ltrim(to_char(value::double precision, '9.9999999999999999EEEE'))
END;
COMMENT ON FUNCTION reengage.canonical_number(numeric) IS
	'a number of a jsonb as digests of lineage have it: as a double, in C''s %.16e, or inf or -inf';
GRANT EXECUTE ON FUNCTION reengage.canonical_number(numeric) TO reengage_operator, reengage_reader, reengage_worker;

CREATE FUNCTION reengage.canonical_json(value jsonb) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
	WITH RECURSIVE node (path, value) AS (
		SELECT '', canonical_json.value
		UNION ALL
		SELECT n.path || '/' || c.step, c.value
		FROM node n CROSS JOIN LATERAL (
			SELECT replace(replace(replace(replace(replace(e.key, '~', '~0'), '/', '~1'), '=', '~2'), E'\\', E'\\\\'), E'\n', E'\\n'), e.value
			FROM jsonb_each(CASE jsonb_typeof(n.value) WHEN 'object' THEN n.value END) AS e
			UNION ALL
			SELECT (e.place - 1)::text, e.value
			FROM jsonb_array_elements(CASE jsonb_typeof(n.value) WHEN 'array' THEN n.value END) WITH ORDINALITY AS e (value, place)
		) AS c (step, value)
	)
	SELECT string_agg(l.line, E'\n' ORDER BY reengage.canonical_bytes(l.line))
	FROM (
		SELECT n.path || '=' || CASE jsonb_typeof(n.value)
				WHEN 'string' THEN 's' || replace(replace(n.value #>> '{}', E'\\', E'\\\\'), E'\n', E'\\n')
				WHEN 'number' THEN 'd' || reengage.canonical_number(n.value::numeric)
				ELSE n.value::text END AS line
		FROM node n
		WHERE jsonb_typeof(n.value) NOT IN ('object', 'array') OR n.value IN ('{}', '[]')) AS l
);
COMMENT ON FUNCTION reengage.canonical_json(jsonb) IS
	'a jsonb as digests of lineage have it: a line for each leaf, its JSON pointer with ~2 for each =, = and its value, in the order of their bytes';
GRANT EXECUTE ON FUNCTION reengage.canonical_json(jsonb) TO reengage_operator, reengage_reader, reengage_worker;

CREATE FUNCTION reengage.canonical(value jsonb) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN value IS NULL THEN '~n' ELSE reengage.canonical(reengage.canonical_json(value)) END;
COMMENT ON FUNCTION reengage.canonical(jsonb) IS
	'a jsonb as canonical_json(), with ~t for each ~ and ~p for each |';
GRANT EXECUTE ON FUNCTION reengage.canonical(jsonb) TO reengage_operator, reengage_reader, reengage_worker;

CREATE FUNCTION reengage.canonical_hash(canonical text) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
RETURN ('x' || substr(md5(reengage.canonical_bytes(canonical)), 25, 8))::bit(32)::bigint & 2147483647;
COMMENT ON FUNCTION reengage.canonical_hash(text) IS
	'the low 31 bits of the MD5 of a canonical text: of that of lineage_id the place of its row, of any other what is summed up';
GRANT EXECUTE ON FUNCTION reengage.canonical_hash(text) TO reengage_operator, reengage_reader, reengage_worker;

-- All columns but xact_id, which means nothing elsewhere, in the order of the table.
-- A table whose row type is in a body that was parsed gets no column with a default any
-- more: so this body and the next are text.
CREATE FUNCTION reengage.lineage_values(l reengage.lineage)
RETURNS TABLE (place integer, column_name text, canonical text)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 32 SET search_path = pg_catalog, pg_temp
AS $$
	SELECT v.place::integer, v.column_name, v.canonical
	FROM unnest(
		ARRAY[
			'lineage_id', 'nudge_id', 'server', 'outcome', 'reason', 'step', 'requested_conversation_id',
			'conversation_id', 'previous_conversation_id', 'root_conversation_id', 'generation', 'status_seen',
			'channel', 'address_hash', 'campaign', 'attempts', 'api_calls', 'api_calls_saved', 'http_status',
			'api_error_code', 'api_error_message', 'correlation_id', 'message_id', 'requested_at', 'due_at',
			'checked_at', 'called_at', 'occurred_at', 'recorded_at', 'resolves', 'schema_version', 'detail'],
		ARRAY[
			reengage.canonical(l.lineage_id), reengage.canonical(l.nudge_id), reengage.canonical(l.server),
			reengage.canonical(l.outcome), reengage.canonical(l.reason), reengage.canonical(l.step),
			reengage.canonical(l.requested_conversation_id), reengage.canonical(l.conversation_id),
			reengage.canonical(l.previous_conversation_id), reengage.canonical(l.root_conversation_id),
			reengage.canonical(l.generation), reengage.canonical(l.status_seen), reengage.canonical(l.channel),
			reengage.canonical(l.address_hash), reengage.canonical(l.campaign), reengage.canonical(l.attempts),
			reengage.canonical(l.api_calls), reengage.canonical(l.api_calls_saved),
			reengage.canonical(l.http_status), reengage.canonical(l.api_error_code),
			reengage.canonical(l.api_error_message), reengage.canonical(l.correlation_id),
			reengage.canonical(l.message_id), reengage.canonical(l.requested_at), reengage.canonical(l.due_at),
			reengage.canonical(l.checked_at), reengage.canonical(l.called_at),
			reengage.canonical(l.occurred_at), reengage.canonical(l.recorded_at),
			reengage.canonical(l.resolves), reengage.canonical(l.schema_version), reengage.canonical(l.detail)])
		WITH ORDINALITY AS v (column_name, canonical, place)
$$;
COMMENT ON FUNCTION reengage.lineage_values(reengage.lineage) IS
	'the canonical texts of a row of lineage, one for each column that travels';
GRANT EXECUTE ON FUNCTION reengage.lineage_values(reengage.lineage) TO reengage_operator, reengage_reader, reengage_worker;

CREATE OR REPLACE FUNCTION reengage.lineage_digest(l reengage.lineage) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT ('x' || substr(md5(reengage.canonical_bytes(string_agg(v.canonical, '|' ORDER BY v.place))), 21, 12))::bit(48)::bigint
	FROM reengage.lineage_values(l) v
$$;
COMMENT ON FUNCTION reengage.lineage_digest(reengage.lineage) IS
	'a number for a row of lineage that other systems can compute alike: the low 48 bits of the MD5 of the canonical texts of its columns, joined by |';

CREATE FUNCTION reengage.column_sums(said text)
RETURNS TABLE (place integer, column_name text, sum bigint, placed bigint)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 32
BEGIN ATOMIC
	SELECT c.place::integer, split_part(c.said, ':', 1), split_part(c.said, ':', 2)::bigint, split_part(c.said, ':', 3)::bigint
	FROM string_to_table(column_sums.said, ' ') WITH ORDINALITY AS c (said, place);
END;
COMMENT ON FUNCTION reengage.column_sums(text) IS
	'what lineage_manifest.column_sums says, as a table: of each column the sum of the hashes of its values, and the sum of these, each multiplied by the place of its row, both modulo 2147483647';
GRANT EXECUTE ON FUNCTION reengage.column_sums(text) TO reengage_operator, reengage_reader, reengage_worker;
