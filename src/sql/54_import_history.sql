--
-- Importing history: what becomes of each record.
--
-- What becomes of each record, as far as the source alone tells.  First the
-- newest record of each conversation is found, whatever its defects: an older
-- one must not speak for it, say with a consent that was withdrawn since.
CREATE FUNCTION reengage_internal.plan_history(options jsonb) RETURNS void
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
	words text[] := reengage_internal.status_words() || ARRAY(SELECT reengage_internal.small(btrim(w.word)) FROM jsonb_array_elements_text(options -> 'status_words') w(word));
BEGIN
	CREATE TEMP TABLE reengage_history_plan AS
	WITH read AS (
		SELECT h.record_no, h.complaint, h.conversation_id, lower(h.status COLLATE "C") AS status, lower(h.channel COLLATE "C") AS channel, h.address, h.time_zone,
			h.template, h.withdrawn, h.opted_out, h.deleted, h.last_inbound_at, h.abandoned_at, h.extracted_at,
			reengage_internal.read_history_record(h.last_inbound_at, h.abandoned_at, h.extracted_at, h.address, lower(h.channel COLLATE "C"), country_code, date_order) AS facts
		FROM pg_temp.reengage_history h
		OFFSET 0
	), looked_at AS (
		SELECT r.record_no, r.conversation_id, r.status, r.channel, r.address AS said_address, (r.facts).address, (r.facts).customer, r.time_zone,
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
				-- a bounded repetition would take a hundred times as long
				WHEN length(r.conversation_id) > 128 OR r.conversation_id !~ '^[A-Za-z0-9._~-]+$'
				  OR r.conversation_id IN ('.', '..') THEN 'invalid_id'
				ELSE ''
			END AS id_defect
		FROM read r
		OFFSET 0
	), newest AS (
		SELECT l.*, l.id_defect = '' AND row_number() OVER (
			PARTITION BY l.conversation_id COLLATE "C", l.id_defect
			-- of records of one time what forbids counts
			ORDER BY l.extracted_at DESC NULLS LAST, l.occurred_at DESC NULLS LAST, l.withdrawn DESC, l.record_no DESC) > 1 AS is_older,
			max(CASE WHEN l.opted_out THEN coalesce(l.extracted_at, 'infinity') END)
				OVER (PARTITION BY l.conversation_id COLLATE "C", l.id_defect) AS conversation_out_at
		FROM looked_at l
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
				WHEN n.customer IS NULL OR length(n.address) > 256 OR n.address ~ '[\x01-\x1f\x7f]' THEN 'invalid_address'
				WHEN length(n.channel) > 64 OR n.channel !~ '^[a-z0-9_-]+$' THEN 'invalid_channel'
				WHEN n.opted_out THEN 'opted_out'
				WHEN n.withdrawn THEN 'no_consent'
				WHEN n.template IS NOT NULL AND coalesce(n.channel, 'whatsapp') = 'whatsapp' AND reengage_internal.template_in(n.template) IS NULL THEN 'invalid_template'
				ELSE 'accepted'
			END AS reason
		FROM newest n
	), compared AS (
		-- what forbids speaks for the customer, whatever other defects its record has
		SELECT j.*,
			max(CASE WHEN j.opted_out THEN coalesce(j.extracted_at, 'infinity') END) OVER (PARTITION BY j.customer COLLATE "C") AS opted_out_at,
			row_number() OVER (
				PARTITION BY j.customer COLLATE "C"
				ORDER BY j.reason = 'accepted' OR j.withdrawn DESC, j.occurred_at DESC NULLS FIRST, j.withdrawn DESC,
					j.conversation_id COLLATE "C" DESC) AS rank
		FROM judged j
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
	CREATE UNIQUE INDEX ON pg_temp.reengage_history_plan (record_no) INCLUDE (reason);
	ANALYZE pg_temp.reengage_history_plan;
END
$$;
COMMENT ON FUNCTION reengage_internal.plan_history(jsonb) IS
	'for import_history(): what becomes of each staged record, as far as the source alone tells';
GRANT EXECUTE ON FUNCTION reengage_internal.plan_history(jsonb) TO reengage_operator;

CREATE TYPE reengage_internal.history_thread AS (conversation_id text, channel text, address_hash text, occurred_at timestamptz, detail jsonb);
COMMENT ON TYPE reengage_internal.history_thread IS 'for import_history(): a conversation that begins a thread';

CREATE FUNCTION reengage_internal.seed_lineage(server text, threads reengage_internal.history_thread[]) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
#variable_conflict use_column
BEGIN
	PERFORM reengage_internal.require_server(server);
	INSERT INTO reengage.lineage (server, outcome, requested_conversation_id, conversation_id, root_conversation_id,
		generation, channel, address_hash, attempts, api_calls, api_calls_saved, occurred_at, detail)
	SELECT seed_lineage.server, 'imported', c.conversation_id, c.conversation_id, c.conversation_id,
		0, c.channel, c.address_hash, 0, 0, 0, c.occurred_at, c.detail
	FROM (SELECT u.* FROM unnest(threads) u
		  -- in the order of the indexes
		  ORDER BY u.conversation_id
		  OFFSET 0) c
	-- not EXISTS, which a planner may turn into a join with all of lineage
	WHERE (SELECT true FROM reengage.lineage l
		   WHERE l.root_conversation_id = c.conversation_id AND l.server = seed_lineage.server LIMIT 1) IS NULL
	  AND (SELECT true FROM reengage.lineage l
		   WHERE l.server = seed_lineage.server AND l.conversation_id = c.conversation_id AND l.generation > 0 LIMIT 1) IS NULL
	ON CONFLICT (server, conversation_id) WHERE outcome = 'imported' DO NOTHING;
END
$$;
COMMENT ON FUNCTION reengage_internal.seed_lineage(text, reengage_internal.history_thread[]) IS
	'for import_history(): begins a thread with each conversation that lineage does not know';
GRANT EXECUTE ON FUNCTION reengage_internal.seed_lineage(text, reengage_internal.history_thread[]) TO reengage_operator;

-- Anything that every nudge of the import would be refused for is an error
-- before anything is read: one is asked for, and taken back.
CREATE FUNCTION reengage_internal.check_import(options jsonb, staging regclass) RETURNS void
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
	PERFORM reengage_internal.read_history_record(NULL, NULL, NULL, NULL, NULL, NULL, options ->> 'date_order');
	PERFORM reengage_internal.check_columns(options -> 'columns');
	PERFORM reengage_internal.check_template(options -> 'template');
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
COMMENT ON FUNCTION reengage_internal.check_import(jsonb, regclass) IS
	'for import_history(): an error if its arguments make no nudge';
GRANT EXECUTE ON FUNCTION reengage_internal.check_import(jsonb, regclass) TO reengage_operator;

CREATE TYPE reengage_internal.history_nudge AS (record_no bigint, reason text, nudge_id uuid, conversation_id text, channel text, address text,
									   time_zone text, answered_since timestamptz, detail jsonb);
COMMENT ON TYPE reengage_internal.history_nudge IS 'for import_history(): a nudge to be asked for, and the reason to count it under';

-- A record that the database refuses must not take the others with it: they
-- are asked for one by one then.  Records that became a nudge, or were refused.
CREATE FUNCTION reengage_internal.ask_history(import_id uuid, options jsonb, nudges reengage_internal.history_nudge[])
RETURNS TABLE (record_no bigint, reason text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = on
AS $$
#variable_conflict use_column
DECLARE
	a record;
	c record;
	asked_ids uuid[];
BEGIN
	SELECT * INTO a FROM jsonb_to_record(options) AS o(server text, message text, when_closed text, priority integer, due_at timestamptz,
													   expires_at timestamptz, campaign text);
	BEGIN
		-- collected, for what was returned is not taken back by an error
		WITH asked AS (
			INSERT INTO reengage.nudges AS n (nudge_id, server, conversation_id, message, address, channel, when_closed,
				priority, due_at, expires_at, time_zone, campaign, detail, answered_since)
			SELECT u.nudge_id, a.server, u.conversation_id, a.message, u.address, u.channel, a.when_closed,
				a.priority, coalesce(a.due_at, now()), a.expires_at, u.time_zone, a.campaign, u.detail, u.answered_since
			FROM unnest(nudges) u
			ON CONFLICT (nudge_id) DO NOTHING
			RETURNING n.nudge_id)
		SELECT array_agg(s.nudge_id) INTO asked_ids FROM asked s;
		RETURN QUERY SELECT u.record_no, u.reason FROM unnest(nudges) u JOIN unnest(asked_ids) s(nudge_id) ON s.nudge_id = u.nudge_id;
		RETURN;
	EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception THEN
		NULL;
	END;
	FOR c IN SELECT u.* FROM unnest(nudges) u LOOP
		BEGIN
			INSERT INTO reengage.nudges (nudge_id, server, conversation_id, message, address, channel, when_closed,
				priority, due_at, expires_at, time_zone, campaign, detail, answered_since)
			VALUES (c.nudge_id, a.server, c.conversation_id, a.message, c.address, c.channel, a.when_closed,
				a.priority, coalesce(a.due_at, now()), a.expires_at, c.time_zone, a.campaign, c.detail, c.answered_since)
			ON CONFLICT (nudge_id) DO NOTHING;
			IF FOUND THEN
				RETURN QUERY SELECT c.record_no, c.reason;
			END IF;
		EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception THEN
			PERFORM reengage_internal.keep_rejects(ask_history.import_id, ARRAY(
				SELECT ROW(ask_history.import_id, h.record_no, h.line_no, h.field_count, 'refused', SQLERRM, h.conversation_id, h.record)::reengage.import_rejects
				FROM pg_temp.reengage_history h WHERE h.record_no = c.record_no));
			RETURN QUERY SELECT c.record_no, 'refused';
		END;
	END LOOP;
END
$$;
COMMENT ON FUNCTION reengage_internal.ask_history(uuid, jsonb, reengage_internal.history_nudge[]) IS
	'for import_history(): asks for nudges; the records that became one, with the reason to count them under, and those that were refused';
GRANT EXECUTE ON FUNCTION reengage_internal.ask_history(uuid, jsonb, reengage_internal.history_nudge[]) TO reengage_operator;

-- Nudges that this campaign does not have yet, in the order of their index.
CREATE FUNCTION reengage_internal.fresh_history(options jsonb, nudges reengage_internal.history_nudge[]) RETURNS reengage_internal.history_nudge[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = on
-- lookups in nudges and lineage stay lookups, whatever their size was when a plan was made
SET enable_seqscan = off SET jit = off
AS $$
DECLARE
	of_server text := options ->> 'server';
	of_campaign text := options ->> 'campaign';
BEGIN
	RETURN ARRAY(
		SELECT c::reengage_internal.history_nudge
		FROM (SELECT u.* FROM unnest(nudges) u ORDER BY u.nudge_id OFFSET 0) c
		WHERE (SELECT true FROM reengage.nudges n WHERE n.nudge_id = c.nudge_id) IS NULL
		  AND (SELECT true FROM reengage.nudges n
			   WHERE n.conversation_id = c.conversation_id AND n.server = of_server
				 AND n.campaign = of_campaign LIMIT 1) IS NULL
		  AND (SELECT true FROM reengage.lineage l
			   WHERE l.root_conversation_id = c.conversation_id AND l.server = of_server
				 AND l.campaign = of_campaign LIMIT 1) IS NULL
		  AND (SELECT true FROM reengage.lineage l
			   WHERE l.server = of_server AND l.conversation_id = c.conversation_id AND l.generation > 0
				 AND l.campaign = of_campaign LIMIT 1) IS NULL);
END
$$;
COMMENT ON FUNCTION reengage_internal.fresh_history(jsonb, reengage_internal.history_nudge[]) IS
	'for import_history(): of nudges those whose customer, conversation and thread have none of the campaign';
GRANT EXECUTE ON FUNCTION reengage_internal.fresh_history(jsonb, reengage_internal.history_nudge[]) TO reengage_operator;

-- One chunk of an import: one transaction.  What each record became is counted.
CREATE FUNCTION reengage_internal.import_chunk(import_id uuid, first_no bigint, last_no bigint, options jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET row_security = on
SET enable_seqscan = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	accepted CONSTANT text[] := ARRAY['accepted', 'unknown_status', 'unknown_time_zone'];
	dry_run boolean := options -> 'dry_run';
	has_template boolean := jsonb_typeof(options -> 'template') = 'object';
	zone_column text := coalesce(reengage_internal.small(options ->> 'zone_column'), 'time_zone');
	counts jsonb;
	became jsonb := '{}';
	valid record;
	hashes text[];
	fresh reengage_internal.history_nudge[];
	asked record;
BEGIN
	PERFORM reengage_internal.lock_import(import_chunk.import_id);
	SELECT jsonb_object_agg(r.reason, r.records) INTO counts
	FROM (SELECT p.reason, count(*) AS records FROM pg_temp.reengage_history_plan p
		  WHERE p.record_no BETWEEN first_no AND last_no GROUP BY p.reason) r;
	SELECT array_agg(p.customer) AS customers, array_agg(ROW(p.record_no, p.reason, NULL, p.conversation_id, p.channel, p.address, p.time_zone, p.answered_since,
			nullif(h.kept
				|| CASE WHEN p.said_zone IS NULL THEN '{}' ELSE jsonb_build_object(zone_column, p.said_zone) END
				|| CASE WHEN coalesce(p.channel, 'whatsapp') <> 'whatsapp' OR (h.template IS NULL AND NOT has_template) THEN '{}'
					ELSE jsonb_strip_nulls(jsonb_build_object('template',
						coalesce(reengage_internal.template_in(h.template), reengage_internal.template_for(options -> 'template', h.language)))) END, '{}')
			)::reengage_internal.history_nudge) AS nudges,
		array_agg(p.occurred_at) AS times
	INTO valid
	FROM pg_temp.reengage_history_plan p JOIN pg_temp.reengage_history h ON h.record_no = p.record_no
	WHERE p.record_no BETWEEN first_no AND last_no AND h.record_no BETWEEN first_no AND last_no
	  AND (p.reason = ANY (accepted) OR p.reason IN ('older_conversation', 'too_old'));
	hashes := reengage_internal.history_customers(valid.customers, NOT dry_run);

	fresh := reengage_internal.fresh_history(options, ARRAY(
		SELECT ROW(n.record_no, n.reason, overlay(overlay(substr(encode(sha256(convert_to(
				concat_ws(chr(31), options ->> 'server', options ->> 'campaign', n.address_hash), 'UTF8')), 'hex'), 1, 32)
				PLACING '8' FROM 13) PLACING '8' FROM 17)::uuid,
			n.conversation_id, n.channel, n.address, n.time_zone, n.answered_since, n.detail)::reengage_internal.history_nudge
		FROM unnest(valid.nudges, hashes)
			AS n(record_no, reason, nudge_id, conversation_id, channel, address, time_zone, answered_since, detail, address_hash)
		WHERE n.reason = ANY (accepted)));
	IF dry_run THEN
		SELECT array_agg(f.record_no) AS nos, array_agg(f.reason) AS reasons INTO asked FROM unnest(fresh) f;
	ELSE
		PERFORM reengage_internal.keep_rejects(import_chunk.import_id, ARRAY(
			SELECT ROW(import_chunk.import_id, h.record_no, h.line_no, h.field_count, p.reason, NULL, h.conversation_id, h.record)::reengage.import_rejects
			FROM pg_temp.reengage_history_plan p JOIN pg_temp.reengage_history h ON h.record_no = p.record_no
			WHERE p.record_no BETWEEN first_no AND last_no AND h.record_no BETWEEN first_no AND last_no
			  AND p.reason = ANY (ARRAY(SELECT r.reason FROM jsonb_object_keys(counts) r(reason) WHERE reengage.import_outcome(r.reason) = 'rejected'))));
		SELECT array_agg(q.record_no) AS nos, array_agg(q.reason) AS reasons INTO asked
		FROM reengage_internal.ask_history(import_chunk.import_id, options, fresh) q;
		PERFORM reengage_internal.seed_lineage(options ->> 'server', ARRAY(
			SELECT ROW(n.conversation_id, n.channel, n.address_hash, n.occurred_at, n.detail)::reengage_internal.history_thread
			FROM unnest(valid.nudges, hashes, valid.times)
				AS n(record_no, reason, nudge_id, conversation_id, channel, address, time_zone, answered_since, detail, address_hash, occurred_at)
			WHERE n.record_no NOT IN (SELECT q.record_no FROM unnest(asked.nos, asked.reasons) q(record_no, reason) WHERE q.reason = 'refused')));
	END IF;

	RETURN reengage_internal.add_reasons(counts - accepted, reengage_internal.count_reasons(asked.reasons) || jsonb_build_object(
		'already_asked', (SELECT coalesce(sum(r.value::bigint), 0) FROM jsonb_each_text(counts) r WHERE r.key = ANY (accepted))
						 - coalesce(cardinality(asked.reasons), 0)));
END
$$;
COMMENT ON FUNCTION reengage_internal.import_chunk(uuid, bigint, bigint, jsonb) IS
	'for import_history(): asks for the nudges of some staged records, begins their threads, keeps the rejects, and counts';
GRANT EXECUTE ON FUNCTION reengage_internal.import_chunk(uuid, bigint, bigint, jsonb) TO reengage_operator;

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
	next_no pg_catalog.int8 := 1;
	next_notice pg_catalog.timestamptz := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) interval '5 s';
	header pg_catalog.text[];
	options pg_catalog.jsonb;
BEGIN
	-- where it may not commit, it says so before anything is read
	IF NOT dry_run THEN
		COMMIT;
	END IF;
	options := pg_catalog.jsonb_build_object('file', file, 'server', coalesce(server, reengage.default_server()), 'campaign', campaign,
		'message', message, 'when_closed', when_closed, 'priority', priority, 'due_at', due_at, 'expires_at', expires_at, 'max_age', max_age,
		'as_of', coalesce(as_of, pg_catalog.now()), 'delimiter', delimiter, 'quote', quote, 'escape', escape, 'date_order', date_order,
		'columns', columns, 'keep_columns', coalesce(keep_columns, '{}'), 'status_words', coalesce(status_words, '{}'),
		'template', template, 'dry_run', dry_run);
	PERFORM reengage_internal.check_import(options, staging);
	PERFORM reengage_internal.drop_history();
	IF file IS NOT NULL THEN
		header := reengage_internal.stage_file(options);
	ELSE
		header := reengage_internal.stage_table(staging, options);
	END IF;
	options := reengage_internal.name_columns(header, options);
	records_read := reengage_internal.describe_history(header, options);
	reasons := '{}';
	import_id := NULL;
	IF NOT dry_run THEN
		import_id := reengage_internal.begin_import(options, coalesce(file, staging::pg_catalog.text), records_read);
		COMMIT;
	END IF;
	PERFORM reengage_internal.lock_import(import_id);
	PERFORM reengage_internal.plan_history(options);
	WHILE next_no OPERATOR(pg_catalog.<=) records_read LOOP
		reasons := reengage_internal.add_reasons(reasons, reengage_internal.import_chunk(import_id, next_no,
			next_no OPERATOR(pg_catalog.+) chunk OPERATOR(pg_catalog.-) 1::pg_catalog.int8, options));
		next_no := next_no OPERATOR(pg_catalog.+) chunk;
		IF NOT dry_run THEN
			PERFORM reengage_internal.count_import(import_id, reasons, false);
			COMMIT;
		END IF;
		IF pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>=) next_notice THEN
			RAISE NOTICE '% of % records', least(next_no OPERATOR(pg_catalog.-) 1::pg_catalog.int8, records_read), records_read;
			next_notice := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) interval '5 s';
		END IF;
	END LOOP;
	IF NOT dry_run THEN
		PERFORM reengage_internal.count_import(import_id, reasons, true);
	END IF;
	PERFORM reengage_internal.drop_history();
	SELECT c.accepted, c.rejected, c.skipped INTO accepted, rejected, skipped FROM reengage_internal.import_counts(reasons) c;
END
$$;
COMMENT ON PROCEDURE reengage.import_history(text, text, text, regclass, text, text, integer, timestamptz, timestamptz, interval, timestamptz, text, text, text, text, jsonb, text[], text[], jsonb, boolean, uuid, bigint, bigint, bigint, bigint, jsonb) IS
	'asks for one nudge for each customer of a history extract, a CSV file on the server or a staging table; commits as it goes, and may be called again: what was asked for before is recognised';
GRANT EXECUTE ON PROCEDURE reengage.import_history(text, text, text, regclass, text, text, integer, timestamptz, timestamptz, interval, timestamptz, text, text, text, text, jsonb, text[], text[], jsonb, boolean, uuid, bigint, bigint, bigint, bigint, jsonb)
	TO reengage_operator;
