--
-- Importing history: what becomes of each record.
--
CREATE TYPE reengage_internal.import_planned AS (
	record_no bigint, stored_at tid, reason text, conversation_id text, channel text, address text, customer text,
	occurred_at timestamptz, answered_since timestamptz, time_zone text, said_zone text, detail jsonb);
COMMENT ON TYPE reengage_internal.import_planned IS
	'what becomes of a record of history, which is stored there in the staging table; the rest is null of one that begins no thread';

-- First the newest record of each conversation is found, whatever its defects: an
-- older one must not speak for it, say with a consent that was withdrawn since.
CREATE FUNCTION reengage_internal.import_judge(future_after timestamptz, too_old_before timestamptz, date_order text, country_code text,
									   heading text, status_words text[]) RETURNS SETOF reengage_internal.import_planned
LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp SET work_mem = '32MB' SET jit = off
AS 'MODULE_PATHNAME', 'reengage_import_judge';
COMMENT ON FUNCTION reengage_internal.import_judge(timestamptz, timestamptz, text, text, text, text[]) IS
	'what becomes of each staged record, as far as the source alone tells';
GRANT EXECUTE ON FUNCTION reengage_internal.import_judge(timestamptz, timestamptz, text, text, text, text[]) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_plan(options jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET work_mem = '32MB' SET jit = off
AS $$
DECLARE
	as_of timestamptz := options ->> 'as_of';
	words text[] := reengage_internal.import_status_words() || ARRAY(SELECT reengage_internal.import_lower(btrim(w.word)) FROM jsonb_array_elements_text(options -> 'status_words') w(word));
	zone_column text := coalesce(reengage_internal.import_lower(options ->> 'zone_column'), 'time_zone');
BEGIN
	-- Neighbours in the indexes of conversations are written one after the other.
	CREATE TEMP TABLE reengage_import_plan AS
	SELECT row_number() OVER () AS place, j.record_no, j.stored_at, j.reason, j.conversation_id, j.channel, j.address, j.customer,
		j.occurred_at, j.answered_since, j.time_zone,
		CASE WHEN j.said_zone IS NULL THEN j.detail ELSE coalesce(j.detail, '{}') || jsonb_build_object(zone_column, j.said_zone) END AS detail
	-- clocks differ
	FROM (SELECT * FROM reengage_internal.import_judge(as_of + interval '5 minutes', as_of - (options ->> 'max_age')::interval, options ->> 'date_order',
			reengage_internal.country_code_of(options ->> 'server'), lower(options ->> 'heading' COLLATE "C"), words)
		  ORDER BY conversation_id COLLATE "C", record_no) j;
	CREATE UNIQUE INDEX ON pg_temp.reengage_import_plan (place);
END
$$;
COMMENT ON FUNCTION reengage_internal.import_plan(jsonb) IS
	'writes down what becomes of each staged record, as far as the source alone tells';
GRANT EXECUTE ON FUNCTION reengage_internal.import_plan(jsonb) TO reengage_operator;
