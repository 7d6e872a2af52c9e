--
-- Importing history: the source, read into a temporary table.  The source is
-- read, and nudges are asked for, with the rights of whoever imports: from here on
-- the functions run as their caller, but for what begins threads.  What lies
-- between the transactions of an import is in temporary tables of the caller.
--
CREATE FUNCTION reengage_internal.import_read_header(file text, delimiter text, quote text, escape text) RETURNS text[]
LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_import_read_header';
COMMENT ON FUNCTION reengage_internal.import_read_header(text, text, text, text) IS
	'the column names of a CSV file on the server, without blanks around them; needs pg_read_server_files; delimiter, quote and escape as import_history() has them';
GRANT EXECUTE ON FUNCTION reengage_internal.import_read_header(text, text, text, text) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_copy_file(file text, delimiter text, quote text, escape text) RETURNS bigint
LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_import_copy_file';
COMMENT ON FUNCTION reengage_internal.import_copy_file(text, text, text, text) IS
	'reads the records of a CSV file on the server into its staging table, and counts them; an error that names the line if the file is no text, or its quotes leave doubt';
GRANT EXECUTE ON FUNCTION reengage_internal.import_copy_file(text, text, text, text) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_lock_table(source regclass) RETURNS text[]
LANGUAGE C STRICT VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_import_lock_table';
COMMENT ON FUNCTION reengage_internal.import_lock_table(regclass) IS
	'locks a table and its partitions until the end of the transaction, and returns its column names; an error if to read it would run code, ask another server or hide rows';
GRANT EXECUTE ON FUNCTION reengage_internal.import_lock_table(regclass) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_copy_table(source regclass) RETURNS bigint
LANGUAGE C STRICT VOLATILE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_import_copy_table';
COMMENT ON FUNCTION reengage_internal.import_copy_table(regclass) IS
	'reads the rows of a table into its staging table, and counts them';
GRANT EXECUTE ON FUNCTION reengage_internal.import_copy_table(regclass) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_drop_staging() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS $$
BEGIN
	DROP VIEW IF EXISTS pg_temp.reengage_import_record;
	DROP TABLE IF EXISTS pg_temp.reengage_import_plan, pg_temp.reengage_import_staging;
END
$$;
COMMENT ON FUNCTION reengage_internal.import_drop_staging() IS 'drops its temporary tables';
GRANT EXECUTE ON FUNCTION reengage_internal.import_drop_staging() TO reengage_operator;

CREATE FUNCTION reengage_internal.import_make_staging(columns integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	EXECUTE format('CREATE TEMP TABLE reengage_import_staging (record_no bigint, line_no bigint, field_count integer, complaint text, fields text[]%s)',
				   (SELECT string_agg(format(', c%s text', n), '' ORDER BY n) FROM generate_series(1, columns) n));
END
$$;
COMMENT ON FUNCTION reengage_internal.import_make_staging(integer) IS 'makes its staging table';
GRANT EXECUTE ON FUNCTION reengage_internal.import_make_staging(integer) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_stage_file(options jsonb) RETURNS text[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	header text[] := reengage_internal.import_read_header(options ->> 'file', options ->> 'delimiter', options ->> 'quote', options ->> 'escape');
BEGIN
	PERFORM reengage_internal.import_check_source(header, options -> 'columns');
	PERFORM reengage_internal.import_make_staging(cardinality(header));
	PERFORM reengage_internal.import_copy_file(options ->> 'file', options ->> 'delimiter', options ->> 'quote', options ->> 'escape');
	RETURN header;
END
$$;
COMMENT ON FUNCTION reengage_internal.import_stage_file(jsonb) IS
	'reads a file on the server into its staging table, and returns the header';
GRANT EXECUTE ON FUNCTION reengage_internal.import_stage_file(jsonb) TO reengage_operator;

-- A number that went through floating point is no address any more.
CREATE FUNCTION reengage_internal.import_stage_table(source regclass, options jsonb) RETURNS text[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'postgres' SET extra_float_digits = 1 SET bytea_output = 'hex' SET jit = off
AS $$
DECLARE
	header text[] := reengage_internal.import_lock_table(source);
	wrong record;
BEGIN
	PERFORM reengage_internal.import_check_source(header, options -> 'columns');
	SELECT a.attname, format_type(a.atttypid, NULL) AS type INTO wrong
	FROM (SELECT t.attname, t.atttypid, row_number() OVER (ORDER BY t.attnum) AS place
		  FROM pg_attribute t WHERE t.attrelid = source AND t.attnum > 0 AND NOT t.attisdropped) a
		JOIN reengage_internal.import_columns(header, options -> 'columns') c ON c.place = a.place
	WHERE c.field IN ('address', 'conversation_id') AND a.atttypid IN ('real'::regtype, 'double precision'::regtype) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'cannot import column % of type %', wrong.attname, wrong.type
			USING ERRCODE = 'datatype_mismatch', DETAIL = 'Floating point does not keep every digit of a number or an id.',
				  HINT = 'Load it into a column of type text.';
	END IF;
	PERFORM reengage_internal.import_make_staging(cardinality(header));
	PERFORM reengage_internal.import_copy_table(source);
	RETURN header;
END
$$;
COMMENT ON FUNCTION reengage_internal.import_stage_table(regclass, jsonb) IS
	'reads a table into its staging table, and returns the column names';
GRANT EXECUTE ON FUNCTION reengage_internal.import_stage_table(regclass, jsonb) TO reengage_operator;

-- How a value is read from its column: an expression.
CREATE FUNCTION reengage_internal.import_expression(field text, places integer[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
	SELECT CASE
		WHEN field = 'address' THEN
			coalesce((SELECT format('CASE WHEN reengage_internal.import_said(c%1$s) IS NOT NULL THEN c%1$s END', p.place) FROM unnest(places) p(place)), 'NULL::text')
		-- what cannot be read counts as what forbids
		WHEN field = 'consent' THEN
			(SELECT string_agg(format('coalesce(lower(reengage_internal.import_said(c%s) COLLATE "C") NOT IN (''true'', ''t'', ''yes'', ''y'', ''1'', ''1.0'', ''on'','
									  ' ''granted'', ''given'', ''consented'', ''opted_in'', ''opted-in'', ''optin'', ''opt_in'', ''opt-in'', ''subscribed''), true)', p.place), ' OR ')
			 FROM unnest(places) p(place))
		WHEN field IN ('opted_out', 'deleted') THEN
			-- an active opt-out is one, an active record is not deleted
			(SELECT string_agg(format('coalesce(lower(reengage_internal.import_said(c%s) COLLATE "C") NOT IN (''\n'', ''false'', ''f'', ''no'', ''n'', ''0'', ''0.0'', ''off'','
									  ' ''null'', ''none'', ''nan'', ''nat'', ''n/a'', %s), false)', p.place,
									  CASE field WHEN 'deleted' THEN '''active''' ELSE '''opted_in'', ''opted-in'', ''optin'', ''opt_in'', ''opt-in'', ''subscribed''' END), ' OR ')
			 FROM unnest(places) p(place))
		WHEN field = 'operation' THEN
			(SELECT string_agg(format('coalesce(lower(reengage_internal.import_said(c%s) COLLATE "C") IN (''d'', ''-d'', ''delete'', ''deleted'', ''remove'', ''removed'', ''t'', ''truncate''), false)', p.place), ' OR ')
			 FROM unnest(places) p(place))
		ELSE
			coalesce((SELECT format('reengage_internal.import_said(c%s)', p.place) FROM unnest(places) p(place)), 'NULL::text')
	END
$$;
COMMENT ON FUNCTION reengage_internal.import_expression(text, integer[]) IS
	'an SQL expression for what the columns of a field say; of consent whether it is missing';
GRANT EXECUTE ON FUNCTION reengage_internal.import_expression(text, integer[]) TO reengage_operator;

-- What of a record goes into the detail of its nudge: what was named.
CREATE FUNCTION reengage_internal.import_kept_expression(header text[], options jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
	SELECT coalesce(format('jsonb_strip_nulls(jsonb_object(ARRAY[%s]::text[], ARRAY[%s]::text[]))',
			string_agg(quote_literal(reengage_internal.import_lower(h.name)), ', ' ORDER BY h.place),
			string_agg(format('reengage_internal.import_without_address(nullif(c%s, ''\N''), %s)', h.place, reengage_internal.import_expression('address', ARRAY[a.place])), ', ' ORDER BY h.place)),
		'''{}''::jsonb')
	FROM unnest(header) WITH ORDINALITY h(name, place)
		JOIN reengage_internal.import_columns(header, options -> 'columns') a ON a.field = 'address'
	WHERE reengage_internal.import_lower(h.name) IN (SELECT reengage_internal.import_lower(btrim(k.name)) FROM jsonb_array_elements_text(options -> 'keep_columns') k(name))
$$;
COMMENT ON FUNCTION reengage_internal.import_kept_expression(text[], jsonb) IS
	'an SQL expression for the columns of a record that are kept in the detail of its nudge';
GRANT EXECUTE ON FUNCTION reengage_internal.import_kept_expression(text[], jsonb) TO reengage_operator;

-- What else the detail of a nudge has: the template of the record, or that of its language.
CREATE FUNCTION reengage_internal.import_detail_expression(header text[], options jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
	SELECT CASE WHEN said.template IS NULL AND jsonb_typeof(options -> 'template') IS DISTINCT FROM 'object' THEN kept.expression
		ELSE format('CASE WHEN coalesce(lower(%s COLLATE "C"), ''whatsapp'') <> ''whatsapp'' THEN %s'
					' ELSE %2$s || jsonb_strip_nulls(jsonb_build_object(''template'','
					' coalesce(reengage_internal.import_template_in(%s), reengage_internal.import_template_for(%L, %s)))) END',
					coalesce(said.channel, 'NULL::text'), kept.expression, coalesce(said.template, 'NULL::text'),
					options -> 'template', coalesce(said.language, 'NULL::text')) END
	FROM (SELECT reengage_internal.import_kept_expression(header, options) AS expression) kept,
		(SELECT max(reengage_internal.import_expression(c.field, ARRAY[c.place])) FILTER (WHERE c.field = 'channel') AS channel,
			max(reengage_internal.import_expression(c.field, ARRAY[c.place])) FILTER (WHERE c.field = 'template') AS template,
			max(reengage_internal.import_expression(c.field, ARRAY[c.place])) FILTER (WHERE c.field = 'language') AS language
		 FROM reengage_internal.import_columns(header, options -> 'columns') c WHERE c.place IS NOT NULL) said
$$;
COMMENT ON FUNCTION reengage_internal.import_detail_expression(text[], jsonb) IS
	'an SQL expression for the detail of a record''s nudge';
GRANT EXECUTE ON FUNCTION reengage_internal.import_detail_expression(text[], jsonb) TO reengage_operator;

-- A view gives the columns of a source their meaning.
CREATE FUNCTION reengage_internal.import_describe_staging(header text[], options jsonb) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET jit = off
AS $$
DECLARE
	records bigint;
	meanings text;
	words text[] := ARRAY['consent', 'opted_out', 'deleted', 'operation'];
	found_places jsonb;
BEGIN
	PERFORM reengage_internal.import_check_keep_columns(header, options -> 'columns', options -> 'keep_columns');
	SELECT string_agg(format('%s AS %I', reengage_internal.import_expression(c.field, array_remove(ARRAY[c.place], NULL)), c.field), ', ') INTO meanings
	FROM reengage_internal.import_columns(header, options -> 'columns') c WHERE c.field <> ALL (words);
	SELECT jsonb_object_agg(w.field, coalesce('(' || reengage_internal.import_expression(w.field, w.places) || ')', 'false')) INTO found_places
	FROM (SELECT f.field, array_agg(c.place) FILTER (WHERE c.place IS NOT NULL) AS places
		  FROM unnest(words) f(field) LEFT JOIN reengage_internal.import_columns(header, options -> 'columns') c ON c.field = f.field
		  GROUP BY f.field) w;
	EXECUTE format('CREATE TEMP VIEW reengage_import_record AS SELECT ctid AS stored_at, record_no, line_no, field_count, complaint, %s,'
				   ' complaint IS NULL AND %s AS withdrawn, complaint IS NULL AND %s AS opted_out, complaint IS NULL AND (%s OR %s) AS deleted,'
				   ' nullif(%s, ''{}'') AS detail, CASE WHEN complaint IS NULL THEN jsonb_object(ARRAY[%s], ARRAY[%s]) ELSE jsonb_build_object(''fields'', fields) END AS record'
				   ' FROM pg_temp.reengage_import_staging',
				   meanings, found_places ->> 'consent', found_places ->> 'opted_out', found_places ->> 'deleted', found_places ->> 'operation',
				   reengage_internal.import_detail_expression(header, options),
				   (SELECT string_agg(quote_literal(h.name), ', ' ORDER BY h.place) FROM unnest(header) WITH ORDINALITY h(name, place)),
				   (SELECT string_agg('c' || n, ', ' ORDER BY n) FROM generate_series(1, cardinality(header)) n));
	SELECT count(*) INTO records FROM pg_temp.reengage_import_staging;
	RETURN records;
END
$$;
COMMENT ON FUNCTION reengage_internal.import_describe_staging(text[], jsonb) IS
	'gives the columns of the staged records their meaning, and counts the records';
GRANT EXECUTE ON FUNCTION reengage_internal.import_describe_staging(text[], jsonb) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_name_columns(header text[], options jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT options || jsonb_build_object(
		'heading', (SELECT header[c.place] FROM reengage_internal.import_columns(header, options -> 'columns') c WHERE c.field = 'conversation_id'),
		'zone_column', (SELECT header[c.place] FROM reengage_internal.import_columns(header, options -> 'columns') c WHERE c.field = 'time_zone'))
$$;
COMMENT ON FUNCTION reengage_internal.import_name_columns(text[], jsonb) IS
	'its options with the names that conversation and time zone have in the source';
GRANT EXECUTE ON FUNCTION reengage_internal.import_name_columns(text[], jsonb) TO reengage_operator;
