--
-- Importing history: which column of a source is what.
--
-- In Turkish "I" is no capital of "i"; names and words are of ASCII, mostly.
CREATE FUNCTION reengage_internal.import_lower(said text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT lower(lower(said COLLATE "C") COLLATE "default")
$$;
COMMENT ON FUNCTION reengage_internal.import_lower(text) IS 'a name in lower case, its letters of ASCII in any language';
GRANT EXECUTE ON FUNCTION reengage_internal.import_lower(text) TO reengage_operator;

-- What a column that nobody explained says of a customer or a record, by its
-- name alone: letters and digits of it, so that case, _ and - make no difference.
CREATE FUNCTION reengage_internal.import_column_meaning(name text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	-- Salesforce has __c behind each name of one's own
	words text := regexp_replace(lower(name COLLATE "C"), '__c$', '');
	word text := regexp_replace(words, '[^a-z0-9]', '', 'g');
	-- what stands behind a word without changing what it says
	behind CONSTANT text := '(flag|status|state|bool|indicator|ind|yn|at|on|date|datetime|dt|time|ts|timestamp|utc)*$';
	before CONSTANT text := '^(is|has|was|customer|contact|user|client|recipient|person|sms|text|email|mail|whatsapp|message|messaging|marketing|global|phone|voice|call|all)*';
	stop CONSTANT text := 'opt(ed)?out|unsubscribed?|donot(contact|call|disturb|text|sms|email|mail|message|msg|whatsapp|market|solicit|send|nudge)'
		|| '|black?list(ed)?|block(ed)?list(ed)?|suppressed|suppression|(consent|permission|optin)(is|was)?(revoked|withdrawn)|(revoked|withdrawn)(consent|permission|optin)';
	yes CONSTANT text := 'consent(s|ed)?|opt(ed)?in|permission';
	ways CONSTANT text := '(contact|marketing|promotions?|advertising|sms|text|texts|e?mail|whatsapp|messages?|messaging|calls?|phone|communications?|newsletter)';
	-- behind a consent: not whether there is one, but which
	about CONSTANT text := '(date|datetime|dt|time|timestamp|ts|utc|at|on|source|method|text|version|ids?|ip|url|by|level|name|token|key|lang|language|locale|channel)$';
	-- what would turn it round
	no CONSTANT text := '(not|non|no|never|un|without|missing)';
BEGIN
	CASE
		WHEN word ~ ('(' || stop || ')' || behind) AND word !~ (no || '(' || stop || ')')
		  OR word ~ (before || '(dnc|dnd)' || behind) OR words ~ '^(is_|sms_|has_)*stop(ped)?(_(at|on|flag|date|ts))*$'
			THEN RETURN 'opted_out';
		WHEN word ~ ('opt(ed|ing)?out|unsubscri|blacklist|block(ed)?list|suppress|revoked|withdrawn|blocked')
		  OR word ~ ('do(not|nt)(contact|call|disturb|text|sms|email|mail|message|msg|whatsapp|market|solicit|send|nudge)')
		  OR word ~ (no || '(longer)?(consent|permission|optin|optedin|subscribed|contact|marketing|sms|email|calls?)')
		  OR word ~ '(consent|permission|optin|subscription)(is|was)?(denied|declined|refused|expir|rejected|lapsed|ended|cancell?ed)'
		  OR words ~ '(^|[^a-z])(dnc|dnd|unsub(bed)?|stop(ped)?_(sms|request(ed)?|keyword|received)|exclu(de|ded|sion)|robinson|litigator|complain(ed|t)|spam)([^a-z]|$)'
			THEN RETURN 'unclear opted_out';
		WHEN word ~ ('(' || yes || ')(given|granted|flag|status|state|bool|indicator|ind|yn)*$') OR word ~ (before || 'subscribed(flag|status)*$')
			THEN RETURN 'consent';
		-- consent_sms, accepts_marketing, ok_to_contact, subscription_status
		WHEN word ~ '(consent|optedin|permission(to|for)|subscribedto|subscri(ption|ber)(status|state)$)' AND word !~ about
		  OR words ~ '(^|[^a-z])opt_?in_' AND word !~ about
		  OR word ~ ('((accept|allow|want|agree)(s|ed)?(to|be)*|(can|may|okto|ok2)(be)?)' || ways || '(ed)?' || behind)
		  OR word ~ (ways || '(allowed|permitted|accepted|agreed)' || behind) OR word ~ 'contactable'
			THEN RETURN 'unclear consent';
		WHEN word ~ ('deleted' || behind) AND word !~ (no || 'deleted') OR word ~ '^(is)?tombstone$'
			THEN RETURN 'deleted';
		WHEN word ~ '^(op|optype|operationtype|(cdc|dbz|debezium|dml|dms|kafka|row|record|wal)(op|operation|optype|type|action|kind)|changetype|metadataaction|(header)?changeoper(ation)?)$'
			THEN RETURN 'operation';
		-- __$operation of SQL Server has numbers
		WHEN word ~ 'delet|erased|erasure|anonymi[sz]ed|tombstone|forgotten' OR word ~ ('^(is|was)?(removed|purged)' || behind) OR words = '__$operation'
			THEN RETURN 'unclear deleted';
		ELSE RETURN NULL;
	END CASE;
END
$$;
COMMENT ON FUNCTION reengage_internal.import_column_meaning(text) IS
	'what a column''s name says by itself: opted_out, consent, deleted, operation; unclear before it: it sounds like it; null: nothing of these';
GRANT EXECUTE ON FUNCTION reengage_internal.import_column_meaning(text) TO reengage_operator;

-- A file without a header has a record in its place, with its time and address.
CREATE FUNCTION reengage_internal.import_header_is_data(header text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (SELECT FROM unnest(header) h(name)
				   WHERE strpos(h.name, '@') > 0 OR length(regexp_replace(h.name, '[^0-9]', '', 'g')) >= 7)
$$;
COMMENT ON FUNCTION reengage_internal.import_header_is_data(text[]) IS
	'whether a header seems to be a record';
GRANT EXECUTE ON FUNCTION reengage_internal.import_header_is_data(text[]) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_shown_columns(header text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN reengage_internal.import_header_is_data(header)
		THEN format('The first line has %s fields, and looks like a record: it is not shown.', cardinality(header))
		ELSE format('The columns are: %s.', left(array_to_string(header, ', '), 1000)) END
$$;
COMMENT ON FUNCTION reengage_internal.import_shown_columns(text[]) IS
	'the columns, to be shown in an error; of what seems to be a record nothing';
GRANT EXECUTE ON FUNCTION reengage_internal.import_shown_columns(text[]) TO reengage_operator;

-- The column names that an argument "columns" has for a field.
CREATE FUNCTION reengage_internal.import_names_of_field(columns jsonb, field text) RETURNS SETOF text
LANGUAGE sql IMMUTABLE ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
	SELECT reengage_internal.import_lower(btrim(e.name))
	FROM jsonb_array_elements_text(CASE jsonb_typeof(columns -> field)
		WHEN 'array' THEN columns -> field
		WHEN 'string' THEN jsonb_build_array(columns -> field)
		ELSE '[]' END) e(name)
$$;
COMMENT ON FUNCTION reengage_internal.import_names_of_field(jsonb, text) IS
	'the names that its argument columns has for a field, in lower case';
GRANT EXECUTE ON FUNCTION reengage_internal.import_names_of_field(jsonb, text) TO reengage_operator;

-- Which column of a source is what.  Of most fields the first name that it has
-- counts; of consent, opt-outs and deletions each column does.
CREATE FUNCTION reengage_internal.import_columns(header text[], columns jsonb)
RETURNS TABLE (field text, place integer)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	WITH known (field, names) AS (VALUES
		('conversation_id', ARRAY['conversation_id']),
		('status', ARRAY['status', 'state']),
		('channel', ARRAY['channel', 'message_type']),
		('address', ARRAY['customer_address', 'address', 'from_address']),
		('time_zone', ARRAY['customer_time_zone', 'time_zone', 'customer_timezone']),
		('last_inbound_at', ARRAY['last_inbound_at']),
		('abandoned_at', ARRAY['abandoned_at', 'conversation_end']),
		('extracted_at', ARRAY['extracted_at']),
		('template', ARRAY['template', 'messaging_template', 'whatsapp_template']),
		('language', ARRAY['language', 'locale', 'customer_language', 'customer_locale'])
	), one AS (
		SELECT k.field,
			(SELECT h.place::integer
			 FROM unnest(CASE WHEN columns ? k.field THEN ARRAY(SELECT reengage_internal.import_names_of_field(columns, k.field)) ELSE k.names END)
				WITH ORDINALITY n(name, rank)
				JOIN unnest(header) WITH ORDINALITY h(name, place) ON reengage_internal.import_lower(h.name) = n.name
			 ORDER BY n.rank LIMIT 1) AS place
		FROM known k
	)
	SELECT o.field, o.place FROM one o
	UNION ALL
	SELECT m.field, h.place::integer
	FROM unnest(ARRAY['consent', 'opted_out', 'deleted', 'operation']) m(field)
		JOIN unnest(header) WITH ORDINALITY h(name, place)
			ON CASE WHEN columns ? m.field THEN reengage_internal.import_lower(h.name) IN (SELECT reengage_internal.import_names_of_field(columns, m.field))
				ELSE reengage_internal.import_column_meaning(h.name) = m.field AND h.place NOT IN (SELECT o.place FROM one o WHERE o.place IS NOT NULL) END
$$;
COMMENT ON FUNCTION reengage_internal.import_columns(text[], jsonb) IS
	'which column of a header is what; null: none; consent, opted_out, deleted and operation may be several';
GRANT EXECUTE ON FUNCTION reengage_internal.import_columns(text[], jsonb) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_check_header(header text[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	wrong text;
BEGIN
	SELECT reengage_internal.import_lower(h.name) INTO wrong FROM unnest(header) h(name) GROUP BY reengage_internal.import_lower(h.name)
	HAVING count(*) > 1 OR reengage_internal.import_lower(h.name) = '' ORDER BY 1 LIMIT 1;
	IF wrong <> '' OR (wrong = '' AND cardinality(header) > 1) THEN
		RAISE EXCEPTION 'column "%" is there twice, or has no name', CASE WHEN reengage_internal.import_header_is_data(header) THEN '...' ELSE wrong END
			USING ERRCODE = 'duplicate_column', DETAIL = reengage_internal.import_shown_columns(header),
				  HINT = 'Give each column a name of its own; pandas writes a column without a name unless it is told index=False.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.import_check_header(text[]) IS
	'an error if a header has a name twice, or none';
GRANT EXECUTE ON FUNCTION reengage_internal.import_check_header(text[]) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_check_columns(columns jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	known text[] := ARRAY(SELECT DISTINCT c.field FROM reengage_internal.import_columns(NULL, '{}') c) || ARRAY['consent', 'opted_out', 'deleted', 'operation'];
	wrong text;
BEGIN
	IF columns IS NULL OR jsonb_typeof(columns) <> 'object' THEN
		RAISE EXCEPTION 'columns must be a JSON object'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'For example {"conversation_id": "CONV_ID"}.';
	END IF;
	SELECT k.key INTO wrong FROM jsonb_object_keys(columns) k(key) WHERE k.key <> ALL (known) LIMIT 1;
	IF wrong IS NOT NULL THEN
		RAISE EXCEPTION 'columns has an unknown key: "%"', wrong
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = format('The keys are: %s.', array_to_string(known, ', '));
	END IF;
	SELECT c.key INTO wrong FROM jsonb_each(columns) c
	WHERE jsonb_typeof(c.value) NOT IN ('string', 'null', 'array')
	   OR jsonb_typeof(c.value) = 'array' AND c.key NOT IN ('consent', 'opted_out', 'deleted', 'operation')
	   OR jsonb_typeof(c.value) = 'array' AND jsonb_path_exists(c.value, '$[*] ? (@.type() != "string")') LIMIT 1;
	IF wrong IS NOT NULL THEN
		RAISE EXCEPTION 'columns has no column name for "%"', wrong
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'It is the name of a column, or null where none is; of consent, opted_out, deleted and operation also an array of names.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.import_check_columns(jsonb) IS
	'an error if its argument columns is not what it should be';
GRANT EXECUTE ON FUNCTION reengage_internal.import_check_columns(jsonb) TO reengage_operator;

-- Whether somebody may be written to must not depend on a guess.
CREATE FUNCTION reengage_internal.import_check_meanings(header text[], columns jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	unclear record;
	clear jsonb;
BEGIN
	SELECT h.name, split_part(reengage_internal.import_column_meaning(h.name), ' ', 2) AS field INTO unclear
	FROM unnest(header) WITH ORDINALITY h(name, place)
	WHERE reengage_internal.import_column_meaning(h.name) LIKE 'unclear %'
	  AND NOT columns ? split_part(reengage_internal.import_column_meaning(h.name), ' ', 2)
	  AND h.place NOT IN (SELECT c.place FROM reengage_internal.import_columns(header, columns) c WHERE c.place IS NOT NULL)
	ORDER BY h.place LIMIT 1;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	SELECT jsonb_agg(header[c.place]) INTO clear FROM reengage_internal.import_columns(header, columns) c WHERE c.field = unclear.field;
	RAISE EXCEPTION 'column "%" may say that % be written to', unclear.name,
			CASE unclear.field WHEN 'deleted' THEN 'a record is deleted, and must not' ELSE 'a customer must not' END
		USING ERRCODE = 'ambiguous_column',
			  HINT = format('If it does, say columns => ''%s''; if not, say columns => ''%s''.',
							jsonb_build_object(unclear.field, coalesce(clear, '[]') || to_jsonb(unclear.name)),
							jsonb_build_object(unclear.field, clear));
END
$$;
COMMENT ON FUNCTION reengage_internal.import_check_meanings(text[], jsonb) IS
	'an error if the name of a column sounds like "do not write", and it is not clear that it says so';
GRANT EXECUTE ON FUNCTION reengage_internal.import_check_meanings(text[], jsonb) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_check_keep_columns(header text[], columns jsonb, keep_columns jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	wrong text;
BEGIN
	SELECT k.name INTO wrong FROM jsonb_array_elements_text(keep_columns) k(name)
	WHERE k.name IS NULL OR reengage_internal.import_lower(btrim(k.name)) NOT IN (SELECT reengage_internal.import_lower(h.name) FROM unnest(header) h(name)) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'keep_columns names a column that history does not have: "%"', wrong
			USING ERRCODE = 'undefined_column', DETAIL = reengage_internal.import_shown_columns(header);
	END IF;
	SELECT k.name INTO wrong
	FROM jsonb_array_elements_text(keep_columns) k(name)
		JOIN reengage_internal.import_columns(header, columns) c ON reengage_internal.import_lower(header[c.place]) = reengage_internal.import_lower(btrim(k.name))
	WHERE c.field = 'address' LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'column "%" cannot be kept: it is the customer''s address', wrong
			USING ERRCODE = 'invalid_parameter_value', DETAIL = 'What is kept goes to the lineage, which has no addresses.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.import_check_keep_columns(text[], jsonb, jsonb) IS
	'an error if columns to be kept do not exist, or are the address';
GRANT EXECUTE ON FUNCTION reengage_internal.import_check_keep_columns(text[], jsonb, jsonb) TO reengage_operator;

CREATE FUNCTION reengage_internal.import_check_source(header text[], columns jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	wrong text;
	found_fields text[];
BEGIN
	PERFORM reengage_internal.import_check_header(header);
	SELECT coalesce(array_agg(c.field), '{}') INTO found_fields FROM reengage_internal.import_columns(header, columns) c WHERE c.place IS NOT NULL;
	SELECT n.name INTO wrong FROM jsonb_object_keys(columns) k(key), reengage_internal.import_names_of_field(columns, k.key) n(name)
	WHERE n.name NOT IN (SELECT reengage_internal.import_lower(h.name) FROM unnest(header) h(name)) LIMIT 1;
	IF wrong IS NULL AND NOT 'conversation_id' = ANY (found_fields) THEN
		wrong := 'conversation_id';
	ELSIF wrong IS NULL AND NOT 'address' = ANY (found_fields) THEN
		wrong := 'customer_address';
	ELSIF wrong IS NULL AND NOT found_fields && ARRAY['last_inbound_at', 'abandoned_at'] THEN
		wrong := 'last_inbound_at or abandoned_at';
	END IF;
	IF wrong IS NOT NULL THEN
		RAISE EXCEPTION 'history has no column %', wrong
			USING ERRCODE = 'undefined_column', DETAIL = reengage_internal.import_shown_columns(header),
				  HINT = 'Is there a header, and is the delimiter right? Names of your own are mapped with columns => ''{"conversation_id": "CONV_ID"}''.';
	END IF;
	PERFORM reengage_internal.import_check_meanings(header, columns);
END
$$;
COMMENT ON FUNCTION reengage_internal.import_check_source(text[], jsonb) IS
	'an error if a column is missing that it cannot do without, or is not clear in what it forbids';
GRANT EXECUTE ON FUNCTION reengage_internal.import_check_source(text[], jsonb) TO reengage_operator;
