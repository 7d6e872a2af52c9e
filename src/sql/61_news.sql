--
-- What must be known at every node of a fleet: who opted out, who took that back, who
-- answered, who is to be forgotten, and the key of the hashes.  Each node publishes what
-- was said there, and hears what was said at the others: 61_news_heard.sql.
--
-- A row is only ever inserted by the node that says it, and names by its id what it takes
-- back: so neither the order of arrival nor any clock decides.  Who takes back an opt-out
-- takes back what was known of it there; one that was said meanwhile stands.
--
CREATE TABLE reengage.news (
	news_id uuid NOT NULL DEFAULT reengage.uuid_v7(),
	node text NOT NULL,
	kind text NOT NULL,
	said_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	address_hash text,
	root_conversation_id text,
	server text,
	channel text,
	about uuid,
	said jsonb,
	heard_at timestamptz,
	outcome text,
	complaint text,
	next_try timestamptz,
	CONSTRAINT news_pkey PRIMARY KEY (news_id)
);
CREATE INDEX news_node ON reengage.news (node, news_id);
CREATE INDEX news_key ON reengage.news (node) WHERE kind = 'key';
CREATE INDEX news_customer ON reengage.news (address_hash) WHERE address_hash IS NOT NULL;
CREATE INDEX news_thread ON reengage.news (root_conversation_id) WHERE root_conversation_id IS NOT NULL;
CREATE INDEX news_about ON reengage.news (about) WHERE about IS NOT NULL;
CREATE INDEX news_passing ON reengage.news (said_at) WHERE kind IN ('withdrawn', 'erased');
CREATE INDEX news_complaint ON reengage.news (next_try) WHERE complaint IS NOT NULL;
COMMENT ON TABLE reengage.news IS
	'what must be known at every node of a fleet, as the nodes told each other: what stands, and for a time what passes; no rows where no fleet is joined';
COMMENT ON COLUMN reengage.news.news_id IS 'identity of the row, the same at every node';
COMMENT ON COLUMN reengage.news.node IS 'the node that said it';
COMMENT ON COLUMN reengage.news.kind IS 'opted_out; withdrawn: an opt-out was taken back; answered; erased: somebody was forgotten; key: of the address hashes; or what a later version says';
COMMENT ON COLUMN reengage.news.said_at IS 'when, by the clock there';
COMMENT ON COLUMN reengage.news.address_hash IS 'the customer that it is about, as in lineage.address_hash';
COMMENT ON COLUMN reengage.news.root_conversation_id IS 'or the first conversation of a thread';
COMMENT ON COLUMN reengage.news.server IS 'the foreign server; null: any; in ASCII, as spell() has it';
COMMENT ON COLUMN reengage.news.channel IS 'the channel; null: any; in ASCII, as spell() has it';
COMMENT ON COLUMN reengage.news.about IS 'what is withdrawn, by its news_id';
COMMENT ON COLUMN reengage.news.said IS 'what else was said, by kind: words in ASCII, as spell() has them';
COMMENT ON COLUMN reengage.news.heard_at IS 'when it was heard here; null: it was said here';
COMMENT ON COLUMN reengage.news.outcome IS 'what came of it here; null: nothing yet, or it was said here';
COMMENT ON COLUMN reengage.news.complaint IS 'why nothing has come of it here; null: all is well';
COMMENT ON COLUMN reengage.news.next_try IS 'when the worker tries it again; null, of what has a complaint: not by itself';
SELECT pg_catalog.pg_extension_config_dump('reengage.news', '');

-- Whoever subscribes reads this table and nothing else.
DO $$
DECLARE
	role pg_roles;
BEGIN
	SELECT * INTO role FROM pg_roles r WHERE r.rolname = 'reengage_news';
	IF NOT FOUND THEN
		CREATE ROLE reengage_news NOLOGIN;
	ELSIF role.rolcanlogin OR role.rolsuper OR role.rolcreaterole OR role.rolcreatedb OR role.rolreplication OR role.rolbypassrls
		OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = role.oid) THEN
		RAISE EXCEPTION 'role "reengage_news" exists and is more than a group'
			USING ERRCODE = 'object_not_in_prerequisite_state',
				  HINT = 'Drop it, or take that from it: it must be NOLOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS, and a member of no role.';
	END IF;
END
$$;
GRANT USAGE ON SCHEMA reengage TO reengage_news;
GRANT SELECT ON reengage.news TO reengage_news;

-- A character that the other's encoding does not have would stop the replication.
CREATE FUNCTION reengage_internal.spell(words text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF words COLLATE "C" ~ '^[ -~]*$' AND words NOT LIKE 'utf8:%' THEN
		RETURN words;
	END IF;
	RETURN 'utf8:' || encode(convert_to(words, 'UTF8'), 'hex');
EXCEPTION WHEN data_exception OR feature_not_supported THEN
	-- of a database without an encoding, bytes that are no UTF-8
	RETURN regexp_replace(words COLLATE "C", '[^ -~]', '?', 'g');
END
$$;
COMMENT ON FUNCTION reengage_internal.spell(text) IS
	'words in ASCII: as they are, or as utf8: and the bytes in hexadecimal digits';

CREATE FUNCTION reengage_internal.unspell(words text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF words NOT LIKE 'utf8:%' THEN
		RETURN words;
	END IF;
	RETURN convert_from(decode(substr(words, 6), 'hex'), 'UTF8');
EXCEPTION WHEN data_exception OR feature_not_supported THEN
	RETURN words;
END
$$;
COMMENT ON FUNCTION reengage_internal.unspell(text) IS
	'what spell() made of words; what this database has no characters for stays spelled';

-- A part of all customers and threads: too large to tell who it is.
CREATE FUNCTION reengage_internal.news_stripe(address_hash text, root_conversation_id text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$ SELECT left(md5(coalesce(address_hash, root_conversation_id)), 3) $$;
COMMENT ON FUNCTION reengage_internal.news_stripe(text, text) IS
	'which of 4096 parts a customer or thread is in: what is heard of one part is heard by one after the other';

CREATE FUNCTION reengage_internal.wake_for_news() RETURNS void
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'reengage_wake_for_news';
COMMENT ON FUNCTION reengage_internal.wake_for_news() IS
	'has this database''s worker look after news when the transaction commits';

CREATE FUNCTION reengage_internal.say_opt_out(s reengage.suppressions) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET jit = off
AS $$
DECLARE
	own text := (SELECT n.name FROM reengage.node n);
BEGIN
	-- the newest that a node says of somebody takes the place of what it said before; not to be
	-- found by the index of what the node has said
	DELETE FROM reengage.news n
	WHERE (n.address_hash = s.address_hash OR n.root_conversation_id = s.root_conversation_id) AND n.kind = 'opted_out' AND n.node IS NOT DISTINCT FROM own
	  AND n.server IS NOT DISTINCT FROM reengage_internal.spell(s.server) AND n.channel IS NOT DISTINCT FROM reengage_internal.spell(s.channel);
	INSERT INTO reengage.news (node, kind, address_hash, root_conversation_id, server, channel, said)
	VALUES (own, 'opted_out', s.address_hash, s.root_conversation_id, reengage_internal.spell(s.server), reengage_internal.spell(s.channel),
			jsonb_strip_nulls(jsonb_build_object('until', s.until, 'origin', s.origin, 'label', reengage_internal.spell(s.label),
				'reason', reengage_internal.spell(s.reason), 'by', reengage_internal.spell(s.created_by))));
END
$$;
COMMENT ON FUNCTION reengage_internal.say_opt_out(reengage.suppressions) IS 'tells the other nodes of an opt-out, as it stands';

CREATE FUNCTION reengage_internal.say_withdrawal(s reengage.suppressions) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET jit = off
AS $$
BEGIN
	WITH known AS (
		DELETE FROM reengage.news n
		WHERE (n.address_hash = s.address_hash OR n.root_conversation_id = s.root_conversation_id) AND n.kind = 'opted_out'
		  AND n.server IS NOT DISTINCT FROM reengage_internal.spell(s.server) AND n.channel IS NOT DISTINCT FROM reengage_internal.spell(s.channel)
		RETURNING n.news_id
	)
	INSERT INTO reengage.news (node, kind, about, said)
	SELECT o.name, 'withdrawn', k.news_id, jsonb_build_object('by', reengage_internal.spell(session_user),
		'stripe', reengage_internal.news_stripe(s.address_hash, s.root_conversation_id)) FROM known k, reengage.node o;
END
$$;
COMMENT ON FUNCTION reengage_internal.say_withdrawal(reengage.suppressions) IS
	'takes back all that is known here of an opt-out, whoever said it; what others say meanwhile stands';

-- Not fired where news is applied: session_replication_role is replica there.
CREATE FUNCTION reengage_internal.tell_suppression() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM reengage.node) THEN
		RETURN NULL;
	END IF;
	IF TG_OP = 'DELETE' THEN
		PERFORM reengage_internal.say_withdrawal(OLD);
	ELSE
		PERFORM reengage_internal.say_opt_out(NEW);
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION reengage_internal.tell_suppression() IS 'tells the other nodes of a fleet what was said here of an opt-out';
-- each call of suppress() says it again, also where nothing changes: it may be taken back
-- elsewhere by who knows only of the first; forget() takes out words, which is no news
CREATE TRIGGER tell AFTER INSERT OR DELETE OR UPDATE OF until ON reengage.suppressions
	FOR EACH ROW EXECUTE FUNCTION reengage_internal.tell_suppression();

CREATE FUNCTION reengage_internal.say_answer(a reengage.answers) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET jit = off
AS $$
DECLARE
	own text := (SELECT n.name FROM reengage.node n);
BEGIN
	DELETE FROM reengage.news n
	WHERE (n.address_hash = a.address_hash OR n.root_conversation_id = a.root_conversation_id) AND n.kind = 'answered' AND n.node IS NOT DISTINCT FROM own
	  AND n.server IS NOT DISTINCT FROM reengage_internal.spell(a.server);
	INSERT INTO reengage.news (node, kind, address_hash, root_conversation_id, server, said)
	VALUES (own, 'answered', a.address_hash, a.root_conversation_id, reengage_internal.spell(a.server),
			jsonb_build_object('at', a.answered_at, 'by', reengage_internal.spell(a.recorded_by)));
END
$$;
COMMENT ON FUNCTION reengage_internal.say_answer(reengage.answers) IS 'tells the other nodes of an answer';

CREATE FUNCTION reengage_internal.tell_answer() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF EXISTS (SELECT FROM reengage.node) THEN
		PERFORM reengage_internal.say_answer(NEW);
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION reengage_internal.tell_answer() IS 'tells the other nodes of a fleet what was recorded here of an answer';
CREATE TRIGGER tell AFTER INSERT OR UPDATE OF answered_at ON reengage.answers
	FOR EACH ROW EXECUTE FUNCTION reengage_internal.tell_answer();

CREATE FUNCTION reengage_internal.forget_news(hashes text[], of_server text, roots text[], servers text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET jit = off
AS $$
DECLARE
	spelled CONSTANT text[] := ARRAY(SELECT reengage_internal.spell(s) FROM unnest(servers) s);
BEGIN
	UPDATE reengage.news n SET said = n.said - ARRAY['label', 'reason']
	WHERE (n.address_hash = ANY (hashes) AND n.server IS NOT DISTINCT FROM coalesce(reengage_internal.spell(of_server), n.server))
	   OR (n.root_conversation_id = ANY (roots) AND n.server = ANY (spelled));
	DELETE FROM reengage.news n
	WHERE n.kind = 'answered' AND ((n.address_hash = ANY (hashes) AND of_server IS NULL)
		OR (n.root_conversation_id = ANY (roots) AND n.server = ANY (spelled)));
END
$$;
COMMENT ON FUNCTION reengage_internal.forget_news(text[], text, text[], text[]) IS
	'takes out of news what tells of somebody who is forgotten: the words of opt-outs, and answers';

CREATE FUNCTION reengage_internal.say_erasure(hashes text[], of_server text, roots text[], servers text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	INSERT INTO reengage.news (node, kind, address_hash, root_conversation_id, server, said)
	SELECT o.name, 'erased', e.hash, e.root, reengage_internal.spell(e.server), jsonb_build_object('by', reengage_internal.spell(session_user))
	FROM reengage.node o CROSS JOIN LATERAL (
		SELECT h, NULL, of_server FROM unnest(hashes) h
		UNION ALL
		SELECT NULL, r.root, r.server FROM unnest(roots, servers) AS r (root, server) WHERE hashes IS NULL AND r.root IS NOT NULL) e (hash, root, server)
$$;
COMMENT ON FUNCTION reengage_internal.say_erasure(text[], text, text[], text[]) IS
	'tells the other nodes who was forgotten here: by hash, or by conversation and server; the hash stays in news until none of them needs it any more';

-- Of two nodes that have only just made a key each, the elder key is taken by the other;
-- one by which a customer is known already is given up by nobody.
CREATE FUNCTION reengage_internal.key_is_in_use() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT EXISTS (SELECT FROM reengage.lineage l WHERE l.address_hash IS NOT NULL)
		OR EXISTS (SELECT FROM reengage.due d WHERE d.address_hash IS NOT NULL)
		OR EXISTS (SELECT FROM reengage.past_sessions p WHERE p.address_hash IS NOT NULL)
		OR EXISTS (
			SELECT FROM (SELECT s.address_hash FROM reengage.suppressions s UNION ALL SELECT a.address_hash FROM reengage.answers a) c (hash)
			WHERE c.hash IS NOT NULL
			  -- what others have said counts if they have the same key
			  AND coalesce((SELECT bool_or(n.node = ANY (ARRAY(
					SELECT k.node FROM reengage.news k, reengage_internal.address_key_in_use u
					WHERE k.kind = 'key' AND k.heard_at IS NOT NULL AND k.said ->> 'key' = encode(u.key, 'hex'))))
				FROM reengage.news n WHERE n.address_hash = c.hash AND n.heard_at IS NOT NULL), true))
$$;
COMMENT ON FUNCTION reengage_internal.key_is_in_use() IS 'whether a customer is known here by a hash of the key that counts';

CREATE FUNCTION reengage_internal.say_key() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
-- also where a key was heard: this is said here
SET session_replication_role = origin
AS $$
DECLARE
	own text := (SELECT n.name FROM reengage.node n);
BEGIN
	DELETE FROM reengage.news n WHERE n.node = own AND n.kind = 'key';
	INSERT INTO reengage.news (node, kind, said)
	SELECT own, 'key', jsonb_build_object('key', encode(k.key, 'hex'), 'at', k.created_at, 'in_use', reengage_internal.key_is_in_use())
	FROM reengage.address_key k WHERE own IS NOT NULL ORDER BY k.created_at, k.key LIMIT 1;
END
$$;
COMMENT ON FUNCTION reengage_internal.say_key() IS 'tells the other nodes of a fleet the key of the address hashes';

CREATE FUNCTION reengage_internal.tell_key() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM reengage_internal.say_key();
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION reengage_internal.tell_key() IS 'say_key(), where a key is made';
CREATE TRIGGER tell AFTER INSERT ON reengage.address_key
	FOR EACH STATEMENT EXECUTE FUNCTION reengage_internal.tell_key();

-- A node that joins says what stands.  One that leaves takes all news with it: what it
-- has heard holds there, as what it said holds at the others.
CREATE FUNCTION reengage_internal.tell_what_stands() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
BEGIN
	PERFORM reengage_internal.wake_for_news();
	IF TG_OP = 'DELETE' THEN
		DELETE FROM reengage.news;
		RETURN NULL;
	END IF;
	-- whoever opts out or answers meanwhile waits, and is told
	LOCK TABLE reengage.suppressions, reengage.answers IN SHARE ROW EXCLUSIVE MODE;
	PERFORM reengage_internal.say_key();
	PERFORM reengage_internal.say_opt_out(s) FROM reengage.suppressions s WHERE s.until IS NULL OR s.until > now();
	PERFORM reengage_internal.say_answer(a) FROM reengage.answers a;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION reengage_internal.tell_what_stands() IS
	'what joining a fleet, and leaving it, does to news';
CREATE TRIGGER tell AFTER INSERT OR DELETE ON reengage.node
	FOR EACH ROW EXECUTE FUNCTION reengage_internal.tell_what_stands();
