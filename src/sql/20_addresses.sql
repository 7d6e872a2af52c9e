--
-- Whom an address means: its normal forms, its hash, and the key of the hash.
--
CREATE TABLE reengage.address_key (
	key bytea NOT NULL,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	CONSTRAINT address_key_pkey PRIMARY KEY (key)
);
COMMENT ON TABLE reengage.address_key IS
	'the key of lineage.address_hash, made by what first needs it: arm(), suppress(), record_answer(), import_history() or a nudge with an address; the oldest row counts, so that a restored dump keeps its hashes';
COMMENT ON COLUMN reengage.address_key.key IS '32 random bytes';
COMMENT ON COLUMN reengage.address_key.created_at IS 'when it was made';
SELECT pg_catalog.pg_extension_config_dump('reengage.address_key', '');
GRANT SELECT ON reengage.address_key TO reengage_worker;

CREATE VIEW reengage_internal.address_key_in_use AS
SELECT k.key FROM reengage.address_key k ORDER BY k.created_at, k.key LIMIT 1;
COMMENT ON VIEW reengage_internal.address_key_in_use IS 'the key that counts, if there is one: the oldest';
COMMENT ON COLUMN reengage_internal.address_key_in_use.key IS 'as in reengage.address_key';
GRANT SELECT ON reengage_internal.address_key_in_use TO reengage_worker;

CREATE FUNCTION reengage_internal.hash_addresses(key bytea, addresses text[]) RETURNS text[]
LANGUAGE C STRICT IMMUTABLE
AS 'MODULE_PATHNAME', 'reengage_hash_addresses';
COMMENT ON FUNCTION reengage_internal.hash_addresses(bytea, text[]) IS
	'the keyed hashes of normal forms, byte for byte, as in lineage.address_hash; null of one that cannot be put into UTF-8';

CREATE FUNCTION reengage_internal.normal_addresses(addresses text[], channels text[], country_code text) RETURNS text[]
LANGUAGE C IMMUTABLE
AS 'MODULE_PATHNAME', 'reengage_normal_addresses';
COMMENT ON FUNCTION reengage_internal.normal_addresses(text[], text[], text) IS
	'the forms in which addresses are compared, each on its channel: a telephone number in E.164, an e-mail address in lower case, any other id as it is; null of what is no address there, and of a national number without a country code (digits; null: not known); without a channel an address is what it looks like';
GRANT EXECUTE ON FUNCTION reengage_internal.normal_addresses(text[], text[], text) TO reengage_operator;

CREATE FUNCTION reengage_internal.form_hash(form text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT (reengage_internal.hash_addresses(k.key, ARRAY[form]))[1]
	FROM reengage_internal.address_key_in_use k
$$;
COMMENT ON FUNCTION reengage_internal.form_hash(text) IS
	'the keyed hash of a normal form, as lineage.address_hash has it; null while there is no key';

CREATE FUNCTION reengage_internal.address_hash(address text, channel text DEFAULT NULL, server text DEFAULT NULL) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT reengage_internal.form_hash(coalesce(
		(reengage_internal.normal_addresses(ARRAY[address], ARRAY[channel], reengage_internal.country_code_of(server)))[1],
		-- as the engine has it where nobody tells the channel
		CASE WHEN channel IS NULL THEN coalesce((reengage_internal.normal_addresses(ARRAY[address], ARRAY['whatsapp'], NULL))[1],
			(reengage_internal.normal_addresses(ARRAY[address], ARRAY['open'], NULL))[1]) END))
$$;
COMMENT ON FUNCTION reengage_internal.address_hash(text, text, text) IS
	'an address on a channel as lineage.address_hash has it, read with the default_country_code of the server; without a channel an address is what it looks like; null of what is no address, and while there is no key';

CREATE FUNCTION reengage_internal.own_customers(server text, addresses text[], channels text[]) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- not in SQL: each INSERT would plan it anew
	RETURN (SELECT reengage_internal.hash_addresses(k.key, CASE
		WHEN array_position(channels, NULL) IS NULL THEN reengage_internal.normal_addresses(addresses, channels, reengage_internal.country_code_of(server))
		ELSE ARRAY(
			-- as address_hash() has it where nobody tells the channel
			SELECT coalesce(f.form, CASE WHEN f.channel IS NULL THEN coalesce(f.of_whatsapp, f.of_open) END)
			FROM unnest(reengage_internal.normal_addresses(addresses, channels, reengage_internal.country_code_of(server)), channels,
						reengage_internal.normal_addresses(addresses, array_fill('whatsapp'::text, ARRAY[cardinality(addresses)]), NULL),
						reengage_internal.normal_addresses(addresses, array_fill('open'::text, ARRAY[cardinality(addresses)]), NULL))
				WITH ORDINALITY AS f (form, channel, of_whatsapp, of_open, place)
			ORDER BY f.place) END)
	FROM reengage_internal.address_key_in_use k);
END
$$;
COMMENT ON FUNCTION reengage_internal.own_customers(text, text[], text[]) IS
	'the addresses that nudges of a server name, each on its channel, as lineage.address_hash has them; null of what is none';

CREATE FUNCTION reengage_internal.make_address_key() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF EXISTS (SELECT FROM reengage.address_key) THEN
		RETURN;
	END IF;
	LOCK TABLE reengage.address_key IN SHARE ROW EXCLUSIVE MODE;
	INSERT INTO reengage.address_key (key)
	SELECT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
	WHERE NOT EXISTS (SELECT FROM reengage.address_key);
END
$$;
COMMENT ON FUNCTION reengage_internal.make_address_key() IS 'makes the key of address hashes, once';

CREATE FUNCTION reengage_internal.address_readings(address text, channel text, country_codes text[])
RETURNS TABLE (kind text, form text, label text)
LANGUAGE C STABLE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_address_readings';
COMMENT ON FUNCTION reengage_internal.address_readings(text, text, text[]) IS
	'the normal forms of an address on a channel, or without one of all that it may plausibly be, numbers without a country read in each of these; an error if there is none';

CREATE FUNCTION reengage_internal.known_channels() RETURNS text[]
LANGUAGE C IMMUTABLE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_known_channels';
COMMENT ON FUNCTION reengage_internal.known_channels() IS 'the words for channels that messaging APIs have';

CREATE FUNCTION reengage_internal.require_channel(channel text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	blanks text := E' \t\n\r';
	word text;
	known text[];
BEGIN
	-- the blank that does not break, where the encoding is sure to have it: elsewhere, to name it is an error
	IF getdatabaseencoding() = 'UTF8' THEN
		blanks := blanks || chr(160);
	END IF;
	word := lower(btrim(channel, blanks) COLLATE "C");
	IF word IS NULL OR word = ANY (reengage_internal.known_channels()) THEN
		RETURN word;
	END IF;
	SELECT array_agg(DISTINCT c.channel ORDER BY c.channel) INTO known
	FROM (SELECT unnest(reengage_internal.known_channels()) AS channel
		  UNION ALL
		  SELECT unnest(string_to_array(o.option_value, ','))
		  FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
			  CROSS JOIN pg_options_to_table(s.srvoptions) o
		  WHERE w.fdwname = 'reengage' AND o.option_name = 'proactive_channels') c
	WHERE c.channel <> '';
	IF word <> ALL (known) THEN
		RAISE EXCEPTION 'channel "%" is not known', reengage_internal.shown(word)
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = format('Known are %s; a server''s option proactive_channels may name more.', array_to_string(known, ', '));
	END IF;
	RETURN word;
END
$$;
COMMENT ON FUNCTION reengage_internal.require_channel(text) IS
	'a channel in lower case, without blanks around it; an error if neither an API nor the proactive_channels of a server have it';

CREATE FUNCTION reengage_internal.customer_readings(address text, channel text, server text)
RETURNS TABLE (kind text, address_hash text, label text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
	country_codes text[] := ARRAY(
		SELECT DISTINCT c.code
		FROM pg_foreign_server s CROSS JOIN reengage_internal.country_code_of(s.srvname) AS c (code)
		WHERE s.srvname = coalesce(server, s.srvname) AND c.code IS NOT NULL
		ORDER BY 1);
BEGIN
	IF length(address) > 256 OR address ~ '[[:cntrl:]]' THEN
		RAISE EXCEPTION 'invalid address of % %', length(address), reengage_internal.plural(length(address), 'character', 'characters')
			USING ERRCODE = 'invalid_parameter_value',
				  DETAIL = 'It must have at most 256 characters, and no control characters.';
	END IF;
	PERFORM reengage_internal.make_address_key();
	-- always in one order, as they are locked one after the other
	RETURN QUERY
		SELECT r.kind, reengage_internal.form_hash(r.form), r.label
		FROM reengage_internal.address_readings(address, channel, country_codes) r ORDER BY 2;
END
$$;
COMMENT ON FUNCTION reengage_internal.customer_readings(text, text, text) IS
	'the customers that an address means, as lineage.address_hash has them, with what may be shown of each: one on a known channel, without a channel each that it may plausibly be; an error if it is none';

CREATE FUNCTION reengage_internal.locate(server text, conversation_id text,
	OUT root text, OUT tip text, OUT generation integer)
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
	WITH RECURSIVE step (conversation_id) AS (
		SELECT coalesce((
			SELECT l.root_conversation_id FROM (
				SELECT * FROM reengage_internal.sessions l
				-- where it became one: a nudge may end in a conversation of another thread
				WHERE hashtextextended(l.conversation_id, 0) = hashtextextended($2, 0)
				  AND l.server = $1 AND l.conversation_id = $2 AND l.generation > 0
				OFFSET 0) l
			ORDER BY l.lineage_id LIMIT 1), $2)
		-- not UNION ALL: it ends in a ring, without a list in each row of what was visited
		UNION
		SELECT l.conversation_id
		FROM step CROSS JOIN LATERAL (
			SELECT * FROM reengage_internal.sessions l
			WHERE l.server = $1 AND l.previous_conversation_id = step.conversation_id
			OFFSET 0) l
	)
	-- in the order in which they were found
	SELECT w.conversations[1], w.conversations[cardinality(w.conversations)], cardinality(w.conversations) - 1
	FROM (SELECT array_agg(step.conversation_id) AS conversations FROM step) w
$$;
COMMENT ON FUNCTION reengage_internal.locate(text, text) IS
	'the thread that a conversation belongs to: its first conversation, its newest, and how many sessions lie between';

CREATE FUNCTION reengage_internal.suppression_subject(address text, conversation_id text, channel text, server text,
	OUT address_hash text, OUT root_conversation_id text, OUT of_server text, OUT kind text, OUT label text)
RETURNS SETOF record
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
	IF num_nonnulls(suppression_subject.address, suppression_subject.conversation_id) <> 1 THEN
		RAISE EXCEPTION 'either an address or a conversation_id must be given'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF suppression_subject.server IS NOT NULL THEN
		PERFORM reengage_internal.require_server(suppression_subject.server);
	END IF;
	IF address IS NOT NULL THEN
		of_server := suppression_subject.server;
		FOR kind, address_hash, label IN
			SELECT r.kind, r.address_hash, r.label
			FROM reengage_internal.customer_readings(address, suppression_subject.channel, suppression_subject.server) r
		LOOP
			RETURN NEXT;
		END LOOP;
		RETURN;
	END IF;
	IF NOT reengage_internal.is_conversation_id(conversation_id) THEN
		-- it is not shown: an address in the wrong place is a customer's
		RAISE EXCEPTION 'invalid conversation_id'
			USING ERRCODE = 'invalid_parameter_value',
				  DETAIL = 'It must have 1 to 128 characters of A-Z a-z 0-9 . _ ~ - and not be "." or "..".',
				  HINT = 'A customer is named by an address: by the argument address, or by cancel_customer().';
	END IF;
	of_server := coalesce(suppression_subject.server, reengage.default_server());
	kind := 'conversation';
	label := conversation_id;
	-- a conversation may carry more than one thread
	FOR root_conversation_id IN
		SELECT l.root_conversation_id FROM reengage.lineage l
		WHERE hashtextextended(l.conversation_id, 0) = hashtextextended(suppression_subject.conversation_id, 0)
		  AND l.server = of_server AND l.conversation_id = suppression_subject.conversation_id AND l.generation > 0
		UNION
		SELECT p.root_conversation_id FROM reengage.past_sessions p
		WHERE hashtextextended(p.conversation_id, 0) = hashtextextended(suppression_subject.conversation_id, 0)
		  AND p.server = of_server AND p.conversation_id = suppression_subject.conversation_id
		UNION
		SELECT suppression_subject.conversation_id
		ORDER BY 1
	LOOP
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION reengage_internal.suppression_subject(text, text, text, text) IS
	'whom suppress() and unsuppress() are about';
