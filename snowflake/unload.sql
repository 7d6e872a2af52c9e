-- For psql: writes lineage.csv and lineage_manifest.csv, for 02_landing_copy.sql.
-- With -v since='2026-11-22 00:00+00' only what was recorded from then on; let the
-- periods overlap by more than your longest transaction lasts.
\set ON_ERROR_STOP on
\if :{?since}
\else
	\set since -infinity
\endif
SET timezone = 'UTC';
SET datestyle = 'ISO';
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
\o lineage.csv
COPY (
	SELECT lineage_id, nudge_id, server, outcome, reason, step, requested_conversation_id, conversation_id,
		previous_conversation_id, root_conversation_id, generation, status_seen, channel, address_hash, campaign,
		attempts, api_calls, api_calls_saved, http_status, api_error_code, api_error_message, correlation_id,
		message_id, requested_at, due_at, checked_at, called_at, occurred_at, recorded_at, resolves, schema_version,
		detail
	FROM reengage.lineage_settled
	WHERE recorded_at >= :'since'
	  -- by their key, and those that were brought from elsewhere
	  AND (lineage_id >= reengage.first_id(timestamptz :'since' - interval '0.2 s')
		   OR NOT reengage_internal.id_tells(lineage_id, recorded_at))
	ORDER BY lineage_id
) TO STDOUT WITH (FORMAT csv, HEADER true);
\o lineage_manifest.csv
COPY (
	SELECT manifest_id, day, as_of, row_count, digest, column_sums, up_to
	FROM reengage.lineage_manifest
	WHERE as_of >= :'since'
	ORDER BY manifest_id
) TO STDOUT WITH (FORMAT csv, HEADER true);
\o
COMMIT;
