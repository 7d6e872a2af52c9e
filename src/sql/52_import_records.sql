--
-- Importing history: what a record says, and the message that it gets.
--
CREATE TYPE reengage_internal.import_reading AS (
	last_inbound_at timestamptz, abandoned_at timestamptz, extracted_at timestamptz, address text, customer text,
	fit_address boolean, fit_channel boolean);
COMMENT ON TYPE reengage_internal.import_reading IS
	'what a record says, as far as it can be read: its times, the address to write to, the form in which it is compared, and whether a nudge takes this address and channel, whatever their length';

-- It runs no SQL, and to pin a search_path takes longer than to read a record.
CREATE FUNCTION reengage_internal.import_read_record(last_inbound_at text, abandoned_at text, extracted_at text, address text, channel text,
											 country_code text, date_order text) RETURNS reengage_internal.import_reading
LANGUAGE C IMMUTABLE
AS 'MODULE_PATHNAME', 'reengage_import_read_record';
COMMENT ON FUNCTION reengage_internal.import_read_record(text, text, text, text, text, text, text) IS
	'the times and the address of a record; null of what cannot be read, or not without doubt';
GRANT EXECUTE ON FUNCTION reengage_internal.import_read_record(text, text, text, text, text, text, text)
	TO reengage_operator;

-- Each field of each record goes through it, where btrim() would look at every letter.
CREATE FUNCTION reengage_internal.import_said(field text) RETURNS text
LANGUAGE C IMMUTABLE STRICT
AS 'MODULE_PATHNAME', 'reengage_import_said';
COMMENT ON FUNCTION reengage_internal.import_said(text) IS
	'a field without the blanks and line breaks around it; null: nothing is left, or \N';
GRANT EXECUTE ON FUNCTION reengage_internal.import_said(text) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_address_hashes(forms text[], make_key boolean) RETURNS text[]
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF make_key THEN
		PERFORM reengage_internal.make_address_key();
	END IF;
	RETURN (SELECT reengage_internal.hash_addresses(k.key, forms)
			FROM reengage_internal.address_key_in_use k);
END
$$;
COMMENT ON FUNCTION reengage_internal.import_address_hashes(text[], boolean) IS
	'the hashes of addresses in their normal form under this installation''s key, which is made if there is none; null without it';
GRANT EXECUTE ON FUNCTION reengage_internal.import_address_hashes(text[], boolean) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_status_words() RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT ARRAY[
		-- of the dialects and of Genesys Cloud
		'active', 'ringing', 'alerting', 'connected', 'closed', 'disconnected', 'terminated', 'dialing', 'contacting', 'offering',
		'queued', 'parked', 'hold', 'held', 'scheduled', 'transmitting', 'converting', 'uploading', 'none', 'ended',
		-- of Twilio, Intercom, Zendesk, Freshdesk, LivePerson, Amazon Connect and their like
		'initializing', 'inactive', 'open', 'opened', 'reopened', 'snoozed', 'new', 'pending', 'on-hold', 'on_hold', 'solved', 'resolved',
		'waiting', 'assigned', 'unassigned', 'in_progress', 'in-progress', 'in progress', 'ongoing', 'idle', 'paused', 'wrapup', 'wrap_up',
		'completed', 'complete', 'done', 'finished', 'expired', 'timeout', 'timed_out', 'timed out', 'abandoned', 'missed', 'rejected',
		'cancelled', 'canceled', 'failed', 'error', 'archived', 'transferred', 'left', 'close', 'end']
$$;
COMMENT ON FUNCTION reengage_internal.import_status_words() IS
	'the words for a status that it knows, live and closed ones of dialects and common extracts';
GRANT EXECUTE ON FUNCTION reengage_internal.import_status_words() TO reengage_operator;

CREATE FUNCTION reengage_internal.import_without_address(said text, address text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
	SELECT CASE
		WHEN address IS NULL THEN said
		WHEN strpos(regexp_replace(lower(said COLLATE "C"), '\s', '', 'g'), regexp_replace(lower(address COLLATE "C"), '\s', '', 'g')) > 0 THEN NULL
		-- what stands before the last digits is written in several ways
		WHEN length(d.of_address) >= 7 AND strpos(d.of_said, right(d.of_address, 7)) > 0 THEN NULL
		ELSE said
	END
	FROM (SELECT regexp_replace(said, '[^0-9]', '', 'g') AS of_said, regexp_replace(address, '[^0-9]', '', 'g') AS of_address) d
$$;
COMMENT ON FUNCTION reengage_internal.import_without_address(text, text) IS
	'a text; null if an address is in it, also in another punctuation';
GRANT EXECUTE ON FUNCTION reengage_internal.import_without_address(text, text) TO reengage_operator;

-- A template, or one for each language with "*" for any other.
CREATE FUNCTION reengage_internal.import_is_template(template jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_typeof(template) = 'object' AND jsonb_typeof(template -> 'responseId') = 'string'
					AND btrim(template ->> 'responseId') <> '', false)
$$;
COMMENT ON FUNCTION reengage_internal.import_is_template(jsonb) IS 'whether it is an object that names a canned response by its responseId';
GRANT EXECUTE ON FUNCTION reengage_internal.import_is_template(jsonb) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_check_template(template jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF jsonb_typeof(template) = 'null' OR reengage_internal.import_is_template(template) THEN
		RETURN;
	END IF;
	IF jsonb_typeof(template) <> 'object' OR template ? 'responseId' OR template = '{}'
	   OR EXISTS (SELECT FROM jsonb_each(template) t WHERE NOT reengage_internal.import_is_template(t.value)) THEN
		RAISE EXCEPTION 'template has no responseId'
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'For example {"responseId": "3f1b"}; or one for each language: {"de": {"responseId": "3f1b"}, "*": {"responseId": "77ac"}}.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.import_check_template(jsonb) IS
	'an error if its argument template is neither a template nor one for each language';
GRANT EXECUTE ON FUNCTION reengage_internal.import_check_template(jsonb) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_template_for(template jsonb, language text) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
		WHEN jsonb_typeof(template) IS DISTINCT FROM 'object' THEN NULL
		WHEN template ? 'responseId' THEN template
		ELSE coalesce(
			(SELECT t.value FROM jsonb_each(template) t
			 WHERE reengage_internal.import_lower(translate(t.key, '_', '-'))
				IN (reengage_internal.import_lower(translate(language, '_', '-')), reengage_internal.import_lower(split_part(translate(language, '_', '-'), '-', 1)))
			 ORDER BY length(t.key) DESC LIMIT 1),
			template -> '*')
	END
$$;
COMMENT ON FUNCTION reengage_internal.import_template_for(jsonb, text) IS
	'of its argument template what is for a language such as de-AT, else for de, else for *; null: there is none';
GRANT EXECUTE ON FUNCTION reengage_internal.import_template_for(jsonb, text) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_template_in(said text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN CASE WHEN reengage_internal.import_is_template(said::jsonb) THEN said::jsonb END;
EXCEPTION WHEN data_exception OR program_limit_exceeded OR statement_too_complex THEN
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION reengage_internal.import_template_in(text) IS
	'the template that a record has as JSON; null: it is none';
GRANT EXECUTE ON FUNCTION reengage_internal.import_template_in(text) TO reengage_operator;
