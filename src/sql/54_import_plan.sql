--
-- Importing history: what becomes of each record.
--
-- What becomes of each record, as far as the source alone tells.  First the
-- newest record of each conversation is found, whatever its defects: an older
-- one must not speak for it, say with a consent that was withdrawn since.
CREATE FUNCTION reengage_internal.import_plan(options jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET work_mem = '32MB' SET jit = off
AS $$
DECLARE
	as_of timestamptz := options ->> 'as_of';
	max_age interval := options ->> 'max_age';
	date_order text := options ->> 'date_order';
	country_code text := reengage_internal.country_code_of(options ->> 'server');
	heading text := lower(options ->> 'heading' COLLATE "C");
	-- to list the names of time zones takes longer than a small extract
	has_zones boolean := options ->> 'zone_column' IS NOT NULL;
	words text[] := reengage_internal.import_status_words() || ARRAY(SELECT reengage_internal.import_lower(btrim(w.word)) FROM jsonb_array_elements_text(options -> 'status_words') w(word));
BEGIN
	CREATE TEMP TABLE reengage_import_plan AS
	WITH read AS (
		SELECT h.record_no, h.complaint, h.conversation_id, lower(h.status COLLATE "C") AS status, lower(h.channel COLLATE "C") AS channel, h.address, h.time_zone,
			h.template, h.withdrawn, h.opted_out, h.deleted, h.last_inbound_at, h.abandoned_at, h.extracted_at,
			reengage_internal.import_read_record(h.last_inbound_at, h.abandoned_at, h.extracted_at, h.address, lower(h.channel COLLATE "C"), country_code, date_order) AS facts
		FROM pg_temp.reengage_import_record h
		OFFSET 0
	), looked_at AS (
		SELECT r.record_no, r.conversation_id, r.status, r.channel, r.address AS said_address, (r.facts).address, (r.facts).customer,
			(r.facts).fit_address, (r.facts).fit_channel, r.time_zone,
			r.template, r.withdrawn, r.opted_out, r.deleted,
			coalesce((r.facts).abandoned_at, (r.facts).last_inbound_at) AS occurred_at, (r.facts).extracted_at,
			greatest((r.facts).last_inbound_at, (r.facts).abandoned_at) AS last_seen_at,
			(r.last_inbound_at IS NULL) = ((r.facts).last_inbound_at IS NULL) AND (r.abandoned_at IS NULL) = ((r.facts).abandoned_at IS NULL)
				AND (r.extracted_at IS NULL) = ((r.facts).extracted_at IS NULL)
				AND coalesce((r.facts).abandoned_at, (r.facts).last_inbound_at) IS NOT NULL AS has_times,
			CASE
				WHEN r.complaint IS NOT NULL THEN r.complaint
				WHEN r.conversation_id IS NULL THEN 'missing_id'
				WHEN lower(r.conversation_id COLLATE "C") = heading THEN 'header'
				WHEN NOT reengage_internal.is_conversation_id(r.conversation_id) THEN 'invalid_id'
				ELSE ''
			END AS id_defect
		FROM read r
		OFFSET 0
	), newest AS (
		SELECT l.*, l.id_defect = '' AND row_number() OVER records > 1 AS is_older,
			max(CASE WHEN l.opted_out THEN coalesce(l.extracted_at, 'infinity') END) OVER records AS conversation_out_at
		FROM looked_at l
		-- of the whole conversation, for both: another window is another pass over all
		WINDOW records AS (
			PARTITION BY l.conversation_id COLLATE "C", l.id_defect
			-- of records of one time what forbids counts
			ORDER BY l.extracted_at DESC NULLS LAST, l.occurred_at DESC NULLS LAST, l.withdrawn DESC, l.record_no DESC
			ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
	), judged AS (
		SELECT n.record_no, n.conversation_id, n.status, n.channel, n.address, n.customer, n.time_zone, n.occurred_at, n.extracted_at, n.last_seen_at,
			NOT n.is_older AND n.withdrawn AS withdrawn, n.opted_out, n.conversation_out_at,
			CASE
				WHEN n.id_defect <> '' THEN n.id_defect
				WHEN n.is_older THEN 'older_record'
				WHEN n.deleted THEN 'deleted'
				WHEN NOT n.has_times THEN 'bad_timestamp'
				-- clocks differ
				WHEN greatest(n.last_seen_at, n.extracted_at) > as_of + interval '5 minutes' THEN 'future_timestamp'
				WHEN n.said_address IS NULL THEN 'no_address'
				WHEN length(n.address) > 256 OR NOT n.fit_address THEN 'invalid_address'
				WHEN length(n.channel) > 64 OR NOT n.fit_channel THEN 'invalid_channel'
				WHEN n.opted_out THEN 'opted_out'
				WHEN n.withdrawn THEN 'no_consent'
				WHEN n.template IS NOT NULL AND coalesce(n.channel, 'whatsapp') = 'whatsapp' AND reengage_internal.import_template_in(n.template) IS NULL THEN 'invalid_template'
				ELSE 'accepted'
			END AS reason
		FROM newest n
	), compared AS (
		-- what forbids speaks for the customer, whatever other defects its record has
		SELECT j.*,
			max(CASE WHEN j.opted_out THEN coalesce(j.extracted_at, 'infinity') END) OVER conversations AS opted_out_at,
			row_number() OVER conversations AS rank
		FROM judged j
		WINDOW conversations AS (
			PARTITION BY j.customer COLLATE "C"
			ORDER BY j.reason = 'accepted' OR j.withdrawn DESC, j.occurred_at DESC NULLS FIRST, j.withdrawn DESC,
				j.conversation_id COLLATE "C" DESC
			ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
	)
	SELECT c.record_no,
		CASE
			WHEN c.reason <> 'accepted' THEN c.reason
			-- unless a later extract knows better
			WHEN greatest(c.opted_out_at, c.conversation_out_at) IS NOT NULL
			  AND coalesce(c.extracted_at <= greatest(c.opted_out_at, c.conversation_out_at), true) THEN 'opted_out'
			WHEN c.occurred_at < as_of - max_age THEN 'too_old'
			-- who withdrew the consent in the newest conversation gets nothing for an older one
			WHEN c.rank > 1 THEN 'older_conversation'
			WHEN c.status <> ALL (words) THEN 'unknown_status'
			WHEN c.time_zone IS NOT NULL AND z.name IS NULL THEN 'unknown_time_zone'
			ELSE 'accepted'
		END AS reason,
		c.conversation_id, c.channel, c.address, c.customer, c.occurred_at,
		-- what the extract cuts off a time is no answer of the customer's
		c.last_seen_at + CASE WHEN c.last_seen_at = date_trunc('minute', c.last_seen_at) THEN interval '1 minute'
							  WHEN c.last_seen_at = date_trunc('second', c.last_seen_at) THEN interval '1 second'
							  ELSE interval '1 millisecond' END AS answered_since,
		CASE WHEN z.name IS NOT NULL THEN c.time_zone END AS time_zone,
		-- what was said instead, if there is no address in it
		CASE WHEN z.name IS NULL AND length(c.time_zone) <= 64 AND c.time_zone !~ '@|[0-9]{5}|([0-9][^0-9]*){7}'
			  AND strpos(lower(c.time_zone COLLATE "C"), lower(c.customer COLLATE "C")) = 0 THEN c.time_zone END AS said_zone
	FROM compared c
		-- the trigger on nudges takes them in any case of letters
		LEFT JOIN (SELECT DISTINCT lower(n.name COLLATE "C") AS name FROM pg_timezone_names n WHERE has_zones) z ON z.name = lower(c.time_zone COLLATE "C");
	CREATE UNIQUE INDEX ON pg_temp.reengage_import_plan (record_no) INCLUDE (reason);
	ANALYZE pg_temp.reengage_import_plan;
END
$$;
COMMENT ON FUNCTION reengage_internal.import_plan(jsonb) IS
	'what becomes of each staged record, as far as the source alone tells';
GRANT EXECUTE ON FUNCTION reengage_internal.import_plan(jsonb) TO reengage_operator;
