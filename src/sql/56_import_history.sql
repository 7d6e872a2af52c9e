--
-- Importing history: the way in.  Its arguments travel on as one object, "options".
--
-- Anything that every nudge of the import would be refused for is an error
-- before anything is read: one is asked for, and taken back.
CREATE FUNCTION reengage_internal.import_check_arguments(options jsonb, staging regclass) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = on SET jit = off
AS $$
BEGIN
	IF (options ->> 'file' IS NULL) = (staging IS NULL) THEN
		RAISE EXCEPTION 'either file or staging must be given' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF options ->> 'campaign' IS NULL THEN
		RAISE EXCEPTION 'campaign must not be null'
			USING ERRCODE = 'null_value_not_allowed', DETAIL = 'By its campaign it is known who was asked for before.';
	END IF;
	IF (options ->> 'max_age')::interval < interval '0' THEN
		RAISE EXCEPTION 'max_age must not be negative' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	PERFORM reengage_internal.import_read_record(NULL, NULL, NULL, NULL, NULL, NULL, options ->> 'date_order');
	PERFORM reengage_internal.import_check_columns(options -> 'columns');
	PERFORM reengage_internal.import_check_template(options -> 'template');
	INSERT INTO reengage.nudges (server, conversation_id, message, when_closed, priority, due_at, expires_at, campaign, detail)
	SELECT a.server, 'import', a.message, a.when_closed, a.priority, coalesce(a.due_at, now()), a.expires_at, a.campaign,
		jsonb_build_object('template', a.template)
	FROM jsonb_to_record(options) AS a(server text, message text, when_closed text, priority integer, due_at timestamptz,
									   expires_at timestamptz, campaign text, template jsonb);
	RAISE EXCEPTION USING ERRCODE = 'RE000';
EXCEPTION WHEN SQLSTATE 'RE000' THEN
	NULL;
END
$$;
COMMENT ON FUNCTION reengage_internal.import_check_arguments(jsonb, regclass) IS
	'an error if its arguments make no nudge';
GRANT EXECUTE ON FUNCTION reengage_internal.import_check_arguments(jsonb, regclass) TO reengage_operator;

CREATE PROCEDURE reengage.import_history(
	message text,
	campaign text,
	file text DEFAULT NULL,
	staging regclass DEFAULT NULL,
	server text DEFAULT NULL,
	when_closed text DEFAULT 'new_session',
	priority integer DEFAULT 5,
	due_at timestamptz DEFAULT NULL,
	expires_at timestamptz DEFAULT NULL,
	max_age interval DEFAULT NULL,
	as_of timestamptz DEFAULT NULL,
	delimiter text DEFAULT ',',
	quote text DEFAULT NULL,
	escape text DEFAULT NULL,
	date_order text DEFAULT NULL,
	columns jsonb DEFAULT '{}',
	keep_columns text[] DEFAULT '{}',
	status_words text[] DEFAULT '{}',
	template jsonb DEFAULT NULL,
	dry_run boolean DEFAULT false,
	INOUT import_id uuid DEFAULT NULL,
	INOUT records_read bigint DEFAULT NULL,
	INOUT accepted bigint DEFAULT NULL,
	INOUT rejected bigint DEFAULT NULL,
	INOUT skipped bigint DEFAULT NULL,
	INOUT reasons jsonb DEFAULT NULL
)
LANGUAGE plpgsql
AS $$
-- It commits, so that it cannot carry a search_path: it calls only functions
-- that do, and names its types and operators in full.
DECLARE
	chunk CONSTANT pg_catalog.int8 := 10000;
	next_place pg_catalog.int8 := 1;
	next_notice pg_catalog.timestamptz := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) interval '5 s';
	header pg_catalog.text[];
	options pg_catalog.jsonb;
BEGIN
	IF NOT dry_run THEN
		PERFORM reengage_internal.require_own_transaction('reengage.import_history()');
	END IF;
	options := pg_catalog.jsonb_build_object('file', file, 'server', coalesce(server, reengage.default_server()), 'campaign', campaign,
		'message', message, 'when_closed', when_closed, 'priority', priority, 'due_at', due_at, 'expires_at', expires_at, 'max_age', max_age,
		'as_of', coalesce(as_of, pg_catalog.now()), 'delimiter', delimiter, 'quote', quote, 'escape', escape, 'date_order', date_order,
		'columns', columns, 'keep_columns', coalesce(keep_columns, '{}'), 'status_words', coalesce(status_words, '{}'),
		'template', template, 'dry_run', dry_run);
	PERFORM reengage_internal.import_check_arguments(options, staging);
	PERFORM reengage_internal.import_drop_staging();
	IF file IS NOT NULL THEN
		header := reengage_internal.import_stage_file(options);
	ELSE
		header := reengage_internal.import_stage_table(staging, options);
	END IF;
	options := reengage_internal.import_name_columns(header, options);
	records_read := reengage_internal.import_describe_staging(header, options);
	reasons := '{}';
	import_id := NULL;
	IF NOT dry_run THEN
		import_id := reengage_internal.import_begin(options, coalesce(file, staging::pg_catalog.text), records_read);
		COMMIT;
	END IF;
	PERFORM reengage_internal.import_lock(import_id);
	PERFORM reengage_internal.import_plan(options);
	WHILE next_place OPERATOR(pg_catalog.<=) records_read LOOP
		reasons := reengage_internal.import_add_reasons(reasons, reengage_internal.import_chunk(import_id, next_place,
			next_place OPERATOR(pg_catalog.+) chunk OPERATOR(pg_catalog.-) 1::pg_catalog.int8, options));
		next_place := next_place OPERATOR(pg_catalog.+) chunk;
		IF NOT dry_run THEN
			PERFORM reengage_internal.import_note_progress(import_id, reasons, false);
			COMMIT;
		END IF;
		IF pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>=) next_notice THEN
			RAISE NOTICE 'records: % of %', least(next_place OPERATOR(pg_catalog.-) 1::pg_catalog.int8, records_read), records_read;
			next_notice := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) interval '5 s';
		END IF;
	END LOOP;
	IF NOT dry_run THEN
		PERFORM reengage_internal.import_note_progress(import_id, reasons, true);
	END IF;
	PERFORM reengage_internal.import_drop_staging();
	SELECT c.accepted, c.rejected, c.skipped INTO accepted, rejected, skipped FROM reengage_internal.import_counts(reasons) c;
END
$$;
COMMENT ON PROCEDURE reengage.import_history(text, text, text, regclass, text, text, integer, timestamptz, timestamptz, interval, timestamptz, text, text, text, text, jsonb, text[], text[], jsonb, boolean, uuid, bigint, bigint, bigint, bigint, jsonb) IS
	'asks for one nudge for each customer of a history extract, a CSV file on the server or a staging table; commits as it goes, and may be called again: what was asked for before is recognised';
GRANT EXECUTE ON PROCEDURE reengage.import_history(text, text, text, regclass, text, text, integer, timestamptz, timestamptz, interval, timestamptz, text, text, text, text, jsonb, text[], text[], jsonb, boolean, uuid, bigint, bigint, bigint, bigint, jsonb)
	TO reengage_operator;
