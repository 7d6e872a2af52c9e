--
-- Importing history, a subsystem of its own: parts 50 to 56, import_*.c, and in
-- reengage_internal what is called import_ something.  Its way, which
-- import_history() in part 56 goes from top to bottom:
--
--   source     a CSV file on the server, or a table of the caller's; which of its
--              columns is what (51)
--   staging    its fields as they are, in pg_temp.reengage_import_staging; under
--              the names of what they mean, in the view reengage_import_record (53)
--   readings   what a record says: times, address, template (52); and, when all
--              have been read, what becomes of each, in reengage_import_plan (54)
--   questions  nudges that are asked for, threads that begin; in chunks, each a
--              transaction (55)
--   records    what was done, and what was rejected (50)
--
-- It asks for nudges as any caller may, and nothing else calls its functions.
--
-- What each import did.
--
CREATE TABLE reengage.import_runs (
	import_id uuid NOT NULL DEFAULT reengage.uuid_v7(),
	server text NOT NULL,
	campaign text NOT NULL,
	source text NOT NULL,
	imported_by text NOT NULL DEFAULT session_user,
	started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	moved_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	finished_at timestamptz,
	records_read bigint NOT NULL,
	accepted bigint NOT NULL DEFAULT 0,
	rejected bigint NOT NULL DEFAULT 0,
	skipped bigint NOT NULL DEFAULT 0,
	reasons jsonb NOT NULL DEFAULT '{}',
	CONSTRAINT import_runs_pkey PRIMARY KEY (import_id),
	CONSTRAINT import_runs_sum CHECK (CASE
		WHEN finished_at IS NULL THEN accepted + rejected + skipped <= records_read
		ELSE accepted + rejected + skipped = records_read END)
);
COMMENT ON TABLE reengage.import_runs IS
	'what each import_history() did so far; kept by it, a transaction at a time; the view imports also says whether it still runs';
COMMENT ON COLUMN reengage.import_runs.import_id IS 'identity of the import';
COMMENT ON COLUMN reengage.import_runs.server IS 'the foreign server of the nudges';
COMMENT ON COLUMN reengage.import_runs.campaign IS 'the campaign of the nudges';
COMMENT ON COLUMN reengage.import_runs.source IS 'the file or the staging table';
COMMENT ON COLUMN reengage.import_runs.imported_by IS 'who called it';
COMMENT ON COLUMN reengage.import_runs.started_at IS 'when the source had been read';
COMMENT ON COLUMN reengage.import_runs.moved_at IS 'when the last chunk was done';
COMMENT ON COLUMN reengage.import_runs.finished_at IS 'when all was done; null: it runs, or was interrupted';
COMMENT ON COLUMN reengage.import_runs.records_read IS 'records in the source';
COMMENT ON COLUMN reengage.import_runs.accepted IS 'records that became a nudge';
COMMENT ON COLUMN reengage.import_runs.rejected IS 'records with a defect: see import_rejects';
COMMENT ON COLUMN reengage.import_runs.skipped IS 'records without a defect that needed no nudge';
COMMENT ON COLUMN reengage.import_runs.reasons IS 'how many records there were for each reason; they add up to the three counts';
SELECT pg_catalog.pg_extension_config_dump('reengage.import_runs', '');
GRANT SELECT ON reengage.import_runs TO reengage_operator;

CREATE TABLE reengage.import_rejects (
	import_id uuid NOT NULL,
	record_no bigint NOT NULL,
	line_no bigint,
	field_count integer,
	reason text NOT NULL,
	message text,
	conversation_id text,
	record jsonb NOT NULL,
	CONSTRAINT import_rejects_pkey PRIMARY KEY (import_id, record_no)
);
COMMENT ON TABLE reengage.import_rejects IS
	'records of history that have a defect, as they were; delete rows that you are done with';
COMMENT ON COLUMN reengage.import_rejects.import_id IS 'the import';
COMMENT ON COLUMN reengage.import_rejects.record_no IS 'which record of the source, from 1, its header not counted';
COMMENT ON COLUMN reengage.import_rejects.line_no IS 'the line of the file where the record begins, from 1, its header counted; null: of a staging table';
COMMENT ON COLUMN reengage.import_rejects.field_count IS 'how many fields the record has; null: of a staging table';
COMMENT ON COLUMN reengage.import_rejects.reason IS 'one word for the defect; docs/history.md says what each means';
COMMENT ON COLUMN reengage.import_rejects.message IS 'with the reason refused: what the database said';
COMMENT ON COLUMN reengage.import_rejects.conversation_id IS 'the conversation, as far as it can be told';
COMMENT ON COLUMN reengage.import_rejects.record IS 'the record: its columns and their text; where its fields are too few or too many, an array of them under "fields"';
SELECT pg_catalog.pg_extension_config_dump('reengage.import_rejects', '');
GRANT SELECT ON reengage.import_rejects TO reengage_operator;
GRANT DELETE ON reengage.import_rejects TO reengage_operator;

CREATE VIEW reengage.imports AS
SELECT r.import_id, r.server, r.campaign, r.source,
	CASE
		WHEN r.finished_at IS NOT NULL THEN 'finished'
		-- between two chunks it holds no lock, for a moment
		WHEN r.moved_at > pg_catalog.clock_timestamp() - interval '1 s'
		  OR reengage_internal.is_locked('import', r.import_id::text)
			THEN 'running'
		ELSE 'interrupted'
	END AS state,
	r.records_read, r.accepted, r.rejected, r.skipped,
	r.records_read - r.accepted - r.rejected - r.skipped AS remaining,
	r.reasons, r.started_at, r.moved_at, r.finished_at, r.imported_by
FROM reengage.import_runs r;
COMMENT ON VIEW reengage.imports IS
	'each import of history: whether it runs, and what became of its records so far';
COMMENT ON COLUMN reengage.imports.import_id IS 'identity of the import';
COMMENT ON COLUMN reengage.imports.server IS 'the foreign server of the nudges';
COMMENT ON COLUMN reengage.imports.campaign IS 'the campaign of the nudges';
COMMENT ON COLUMN reengage.imports.source IS 'the file or the staging table';
COMMENT ON COLUMN reengage.imports.state IS 'running, finished, or interrupted: call import_history() again, what was accepted is recognised';
COMMENT ON COLUMN reengage.imports.records_read IS 'records in the source';
COMMENT ON COLUMN reengage.imports.accepted IS 'records that became a nudge';
COMMENT ON COLUMN reengage.imports.rejected IS 'records with a defect: see import_rejects';
COMMENT ON COLUMN reengage.imports.skipped IS 'records without a defect that needed no nudge';
COMMENT ON COLUMN reengage.imports.remaining IS 'records that are still to be done';
COMMENT ON COLUMN reengage.imports.reasons IS 'how many records there were for each reason';
COMMENT ON COLUMN reengage.imports.started_at IS 'when the source had been read';
COMMENT ON COLUMN reengage.imports.moved_at IS 'when the last chunk was done';
COMMENT ON COLUMN reengage.imports.finished_at IS 'when all was done';
COMMENT ON COLUMN reengage.imports.imported_by IS 'who called it';
GRANT SELECT ON reengage.imports TO reengage_operator;

CREATE FUNCTION reengage.import_outcome(reason text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
		WHEN reason IN ('accepted', 'unknown_status', 'unknown_time_zone') THEN 'accepted'
		WHEN reason IN ('header', 'empty_line', 'deleted', 'older_record', 'older_conversation', 'too_old', 'already_asked') THEN 'skipped'
		ELSE 'rejected'
	END
$$;
COMMENT ON FUNCTION reengage.import_outcome(text) IS 'whether records with this reason are accepted, skipped or rejected';
GRANT EXECUTE ON FUNCTION reengage.import_outcome(text) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_counts(reasons jsonb, OUT accepted bigint, OUT rejected bigint, OUT skipped bigint)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(sum(r.value::bigint) FILTER (WHERE reengage.import_outcome(r.key) = 'accepted'), 0),
		   coalesce(sum(r.value::bigint) FILTER (WHERE reengage.import_outcome(r.key) = 'rejected'), 0),
		   coalesce(sum(r.value::bigint) FILTER (WHERE reengage.import_outcome(r.key) = 'skipped'), 0)
	FROM jsonb_each_text(reasons) r
$$;
COMMENT ON FUNCTION reengage_internal.import_counts(jsonb) IS 'the three counts of its reasons';
GRANT EXECUTE ON FUNCTION reengage_internal.import_counts(jsonb) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_add_reasons(one jsonb, other jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_object_agg(s.key, s.records), '{}')
	FROM (SELECT b.key, sum(b.value::bigint) AS records
		  FROM (SELECT * FROM jsonb_each_text(one) UNION ALL SELECT * FROM jsonb_each_text(other)) b
		  GROUP BY b.key) s
	WHERE s.records > 0
$$;
COMMENT ON FUNCTION reengage_internal.import_add_reasons(jsonb, jsonb) IS 'adds up counts of reasons';
GRANT EXECUTE ON FUNCTION reengage_internal.import_add_reasons(jsonb, jsonb) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_count_reasons(reasons text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_object_agg(r.reason, r.records), '{}')
	FROM (SELECT u.reason, count(*) AS records FROM unnest(reasons) u(reason) GROUP BY u.reason) r
$$;
COMMENT ON FUNCTION reengage_internal.import_count_reasons(text[]) IS 'how often there is each reason';
GRANT EXECUTE ON FUNCTION reengage_internal.import_count_reasons(text[]) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_begin(options jsonb, source text, records_read bigint) RETURNS uuid
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	INSERT INTO reengage.import_runs (server, campaign, source, records_read)
	VALUES (options ->> 'server', options ->> 'campaign', $2, $3) RETURNING import_id
$$;
COMMENT ON FUNCTION reengage_internal.import_begin(jsonb, text, bigint) IS 'writes down that an import begins';
GRANT EXECUTE ON FUNCTION reengage_internal.import_begin(jsonb, text, bigint) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_lock(import_id uuid) RETURNS void
LANGUAGE sql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
	SELECT reengage_internal.lock('import', import_id::text)
$$;
COMMENT ON FUNCTION reengage_internal.import_lock(uuid) IS
	'the lock by which the view imports knows that it runs, until the end of the transaction';
GRANT EXECUTE ON FUNCTION reengage_internal.import_lock(uuid) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_lock_campaign(server text, campaign text) RETURNS void
LANGUAGE sql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
	SELECT reengage_internal.lock('import', server, campaign)
$$;
COMMENT ON FUNCTION reengage_internal.import_lock_campaign(text, text) IS
	'the lock by which two imports of a campaign take turns, until the end of the transaction';
GRANT EXECUTE ON FUNCTION reengage_internal.import_lock_campaign(text, text) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_note_progress(import_id uuid, reasons jsonb, finished boolean) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	UPDATE reengage.import_runs r
	SET reasons = import_note_progress.reasons, moved_at = clock_timestamp(),
		finished_at = CASE WHEN finished THEN clock_timestamp() END,
		accepted = c.accepted, rejected = c.rejected, skipped = c.skipped
	FROM reengage_internal.import_counts(import_note_progress.reasons) c
	WHERE r.import_id = import_note_progress.import_id AND r.finished_at IS NULL AND r.imported_by = session_user
$$;
COMMENT ON FUNCTION reengage_internal.import_note_progress(uuid, jsonb, boolean) IS 'writes down how far it is';
GRANT EXECUTE ON FUNCTION reengage_internal.import_note_progress(uuid, jsonb, boolean) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_keep_rejects(import_id uuid, rejects reengage.import_rejects[]) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	INSERT INTO reengage.import_rejects (import_id, record_no, line_no, field_count, reason, message, conversation_id, record)
	SELECT import_keep_rejects.import_id, r.record_no, r.line_no, r.field_count, r.reason, r.message, r.conversation_id, r.record
	FROM unnest(rejects) r
$$;
COMMENT ON FUNCTION reengage_internal.import_keep_rejects(uuid, reengage.import_rejects[]) IS
	'keeps records that have a defect';
GRANT EXECUTE ON FUNCTION reengage_internal.import_keep_rejects(uuid, reengage.import_rejects[]) TO reengage_operator;
