--
-- What comes of news at a node that hears it.  Nothing may be raised here: an error
-- would stop all that follows.  So it is kept in the row, and tried again.
--
CREATE FUNCTION reengage_internal.require_subject(n reengage.news) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF num_nonnulls(n.address_hash, n.root_conversation_id) <> 1 OR n.address_hash !~ '^[0-9a-f]{32,64}$'
		OR NOT reengage_internal.is_conversation_id(n.root_conversation_id) OR (n.root_conversation_id IS NOT NULL AND n.server IS NULL)
		OR length(n.server) > 200 OR length(n.channel) > 200 THEN
		RAISE EXCEPTION 'it names neither a customer nor a thread' USING ERRCODE = 'invalid_parameter_value';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.require_subject(reengage.news) IS 'an error, unless news is about one customer, by hash, or one thread';

CREATE FUNCTION reengage_internal.heard_from(n reengage.news) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT left(coalesce(reengage_internal.unspell(n.said ->> 'by') || ' at ', '') || 'node ' || n.node, 200) $$;
COMMENT ON FUNCTION reengage_internal.heard_from(reengage.news) IS 'who said it, and where';

-- One that was withdrawn stands no more, also where it is heard after that.
CREATE FUNCTION reengage_internal.standing(n reengage.news) RETURNS SETOF reengage.news
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
	RETURN QUERY SELECT o.* FROM reengage.news o
	WHERE (o.address_hash = n.address_hash OR o.root_conversation_id = n.root_conversation_id) AND o.kind = 'opted_out'
	  AND o.server IS NOT DISTINCT FROM n.server AND o.channel IS NOT DISTINCT FROM n.channel
	  -- not what makes no sense, or was said in another's name
	  AND (o.complaint IS NULL OR o.next_try IS NOT NULL)
	  AND NOT EXISTS (SELECT FROM reengage.news w WHERE w.about = o.news_id OFFSET 0);
END
$$;
COMMENT ON FUNCTION reengage_internal.standing(reengage.news) IS 'what the nodes have said of an opt-out, and nobody has taken back';

CREATE FUNCTION reengage_internal.note_heard(n reengage.news, before reengage.suppressions, after reengage.suppressions) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO reengage.changes (table_name, changed_by, old, new)
	SELECT 'suppressions', reengage_internal.heard_from(n), CASE WHEN (before).suppression_id IS NOT NULL THEN to_jsonb(before) END,
		CASE WHEN (after).suppression_id IS NOT NULL THEN to_jsonb(after) END
	WHERE coalesce((before).suppression_id, (after).suppression_id) IS NOT NULL AND to_jsonb(before) IS DISTINCT FROM to_jsonb(after)
$$;
COMMENT ON FUNCTION reengage_internal.note_heard(reengage.news, reengage.suppressions, reengage.suppressions) IS
	'note_change(), of what another node said';

CREATE FUNCTION reengage_internal.suppression_of(n reengage.news) RETURNS reengage.suppressions
LANGUAGE sql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET jit = off
AS $$
	SELECT s.* FROM reengage.suppressions s
	WHERE (s.address_hash = n.address_hash OR s.root_conversation_id = n.root_conversation_id)
	  AND s.server IS NOT DISTINCT FROM reengage_internal.unspell(n.server) AND s.channel IS NOT DISTINCT FROM reengage_internal.unspell(n.channel)
	FOR UPDATE
$$;
COMMENT ON FUNCTION reengage_internal.suppression_of(reengage.news) IS
	'the opt-out that news is about, locked: whoever says it here meanwhile comes before this, or after it';

CREATE FUNCTION reengage_internal.lift_what_fell(n reengage.news, subject reengage.news) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	before reengage.suppressions := reengage_internal.suppression_of(subject);
	after reengage.suppressions;
	ends timestamptz := (SELECT max(coalesce((o.said ->> 'until')::timestamptz, 'infinity')) FROM reengage_internal.standing(subject) o);
BEGIN
	IF ends IS NULL THEN
		DELETE FROM reengage.suppressions s WHERE s.suppression_id = before.suppression_id;
	ELSE
		UPDATE reengage.suppressions s SET until = nullif(ends, 'infinity')
		WHERE s.suppression_id = before.suppression_id RETURNING s.* INTO after;
	END IF;
	PERFORM reengage_internal.note_heard(n, before, after);
	RETURN CASE WHEN ends IS NULL THEN 'lifted' ELSE 'another word of it stands' END;
END
$$;
COMMENT ON FUNCTION reengage_internal.lift_what_fell(reengage.news, reengage.news) IS
	'an opt-out ends when the last of what was said of it does; if nothing stands, it is lifted';

CREATE FUNCTION reengage_internal.heed_opt_out(n reengage.news) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	ends timestamptz := coalesce((n.said ->> 'until')::timestamptz, 'infinity');
	of_server text := reengage_internal.unspell(n.server);
	origin_there text := CASE WHEN n.said ->> 'origin' IN ('caller', 'operator', 'api') THEN n.said ->> 'origin' ELSE 'caller' END;
	-- of who was forgotten meanwhile no words come back
	is_forgotten boolean := EXISTS (
		SELECT FROM reengage.news e
		WHERE e.kind = 'erased' AND (e.address_hash = n.address_hash OR (e.root_conversation_id = n.root_conversation_id AND e.server = n.server)));
	is_known boolean;
	before reengage.suppressions;
	after reengage.suppressions;
BEGIN
	PERFORM reengage_internal.require_subject(n);
	PERFORM reengage_internal.lock('customer', n.address_hash);
	PERFORM reengage_internal.lock('thread', of_server, n.root_conversation_id);
	-- first the opt-out, then what was said of it, as suppress() and unsuppress() have it
	before := reengage_internal.suppression_of(n);
	-- also by what was taken back, which may wait to be done
	is_known := EXISTS (
		SELECT FROM reengage.news o
		WHERE (o.address_hash = n.address_hash OR o.root_conversation_id = n.root_conversation_id) AND o.kind = 'opted_out' AND o.news_id <> n.news_id
		  AND (o.complaint IS NULL OR o.next_try IS NOT NULL)
		  AND o.server IS NOT DISTINCT FROM n.server AND o.channel IS NOT DISTINCT FROM n.channel);
	-- the newest that a node says of it takes the place of what it said before
	DELETE FROM reengage.news o
	WHERE (o.address_hash = n.address_hash OR o.root_conversation_id = n.root_conversation_id) AND o.kind = 'opted_out' AND o.node IS NOT DISTINCT FROM n.node
	  AND o.server IS NOT DISTINCT FROM n.server AND o.channel IS NOT DISTINCT FROM n.channel AND o.news_id <> n.news_id
	  -- of two that were tried again, the one that came later stays
	  AND o.heard_at < coalesce(n.heard_at, 'infinity');
	IF EXISTS (SELECT FROM reengage.news w WHERE w.about = n.news_id) THEN
		PERFORM reengage_internal.lift_what_fell(n, n);
		PERFORM reengage_internal.unlock('thread', of_server, n.root_conversation_id);
		PERFORM reengage_internal.unlock('customer', n.address_hash);
		RETURN 'it was taken back before it was heard';
	END IF;
	ends := greatest(ends, (SELECT max(coalesce((o.said ->> 'until')::timestamptz, 'infinity')) FROM reengage_internal.standing(n) o),
		-- one that nobody was told of
		CASE WHEN before.suppression_id IS NOT NULL AND NOT is_known THEN coalesce(before.until, 'infinity') END);
	IF before.suppression_id IS NOT NULL OR ends > clock_timestamp() THEN
		-- as suppress() has it
		INSERT INTO reengage.suppressions AS s (server, channel, address_hash, root_conversation_id, label, reason, until, origin, created_by)
		VALUES (of_server, reengage_internal.unspell(n.channel), n.address_hash, n.root_conversation_id,
				CASE WHEN is_forgotten THEN reengage_internal.erased()
					ELSE left(coalesce(reengage_internal.unspell(n.said ->> 'label'), reengage_internal.erased()), 200) END,
				CASE WHEN is_forgotten THEN reengage_internal.erased() ELSE left(reengage_internal.unspell(n.said ->> 'reason'), 1000) END,
				nullif(ends, 'infinity'), origin_there, reengage_internal.heard_from(n))
		ON CONFLICT ON CONSTRAINT suppressions_subject DO UPDATE
		-- one that was not there a moment ago was said meanwhile
		SET until = CASE WHEN before.suppression_id IS NULL
				THEN nullif(greatest(coalesce(EXCLUDED.until, 'infinity'), coalesce(s.until, 'infinity')), 'infinity') ELSE EXCLUDED.until END,
			reason = CASE WHEN s.until <= clock_timestamp() THEN EXCLUDED.reason
						  WHEN s.origin = 'caller' OR EXCLUDED.origin = 'operator' THEN coalesce(EXCLUDED.reason, s.reason)
						  ELSE s.reason END,
			origin = CASE WHEN s.origin = 'caller' OR EXCLUDED.origin = 'operator' OR s.until <= clock_timestamp()
						  THEN EXCLUDED.origin ELSE s.origin END
		RETURNING s.* INTO after;
	END IF;
	PERFORM reengage_internal.unlock('thread', of_server, n.root_conversation_id);
	PERFORM reengage_internal.unlock('customer', n.address_hash);
	PERFORM reengage_internal.note_heard(n, before, after);
	RETURN CASE WHEN after.suppression_id IS NULL THEN 'it has come to its end' ELSE 'opted out' END;
END
$$;
COMMENT ON FUNCTION reengage_internal.heed_opt_out(reengage.news) IS
	'an opt-out that was said elsewhere holds here, too, until the last end of what was said of it';

CREATE FUNCTION reengage_internal.heed_withdrawal(n reengage.news) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	taken reengage.news;
BEGIN
	IF n.about IS NULL THEN
		RAISE EXCEPTION 'it does not say what is withdrawn' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	SELECT o.* INTO taken FROM reengage.news o WHERE o.news_id = n.about AND o.kind = 'opted_out';
	IF NOT FOUND THEN
		RETURN 'nothing of it was known, or it was said anew';
	END IF;
	-- before what stands is looked at
	PERFORM reengage_internal.suppression_of(taken);
	-- with what its node had said before, in whose place it came, even if it has not been done here yet
	DELETE FROM reengage.news o
	WHERE o.news_id = n.about
	   OR ((o.address_hash = taken.address_hash OR o.root_conversation_id = taken.root_conversation_id) AND o.kind = 'opted_out'
		   AND o.node IS NOT DISTINCT FROM taken.node AND o.heard_at < taken.heard_at
		   AND o.server IS NOT DISTINCT FROM taken.server AND o.channel IS NOT DISTINCT FROM taken.channel);
	RETURN reengage_internal.lift_what_fell(n, taken);
END
$$;
COMMENT ON FUNCTION reengage_internal.heed_withdrawal(reengage.news) IS
	'what is withdrawn stands no more; an opt-out is lifted when nothing of it stands';

CREATE FUNCTION reengage_internal.heed_answer(n reengage.news) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	-- as record_answer() has it: a clock that is ahead must not answer what is asked for later
	said_at timestamptz := (n.said ->> 'at')::timestamptz;
	wrote_at timestamptz := least(said_at, clock_timestamp());
	of_server text := reengage_internal.unspell(n.server);
BEGIN
	PERFORM reengage_internal.require_subject(n);
	IF said_at IS NULL OR NOT isfinite(said_at) OR (n.address_hash IS NOT NULL AND n.server IS NOT NULL) THEN
		RAISE EXCEPTION 'it does not say when, or of whom' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	PERFORM reengage_internal.lock('customer', n.address_hash);
	PERFORM reengage_internal.lock('thread', of_server, n.root_conversation_id);
	INSERT INTO reengage.answers AS a (address_hash, root_conversation_id, server, answered_at, recorded_by)
	VALUES (n.address_hash, n.root_conversation_id, of_server, wrote_at, reengage_internal.heard_from(n))
	ON CONFLICT ON CONSTRAINT answers_subject DO UPDATE
	SET answered_at = EXCLUDED.answered_at, recorded_by = EXCLUDED.recorded_by, recorded_at = EXCLUDED.recorded_at
	WHERE EXCLUDED.answered_at > a.answered_at;
	DELETE FROM reengage.news o
	WHERE (o.address_hash = n.address_hash OR o.root_conversation_id = n.root_conversation_id) AND o.kind = 'answered' AND o.node IS NOT DISTINCT FROM n.node
	  AND o.server IS NOT DISTINCT FROM n.server AND o.news_id <> n.news_id
	  -- of two that were tried again, the one that came later stays
	  AND o.heard_at < coalesce(n.heard_at, 'infinity');
	PERFORM reengage_internal.unlock('thread', of_server, n.root_conversation_id);
	PERFORM reengage_internal.unlock('customer', n.address_hash);
	RETURN 'answered';
END
$$;
COMMENT ON FUNCTION reengage_internal.heed_answer(reengage.news) IS 'an answer that was recorded elsewhere counts here, too; the newest one does';

-- Triggers on nudges, due and lineage have their work with it.
CREATE FUNCTION reengage_internal.heed_erasure(n reengage.news) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET session_replication_role = origin SET jit = off
AS $$
DECLARE
	gone record;
	of_server text := reengage_internal.unspell(n.server);
	rejects bigint := (SELECT count(*) FROM (SELECT FROM reengage.import_rejects LIMIT 1000) r);
BEGIN
	PERFORM reengage_internal.require_subject(n);
	PERFORM reengage_internal.require_read_committed('nobody can be forgotten');
	-- it is tried again until that has ended
	PERFORM reengage_internal.require_no_move('nobody can be forgotten');
	SELECT * INTO gone FROM reengage_internal.forget_subjects(
		CASE WHEN n.address_hash IS NOT NULL THEN ARRAY[n.address_hash] END, CASE WHEN n.address_hash IS NOT NULL THEN of_server END,
		CASE WHEN n.root_conversation_id IS NOT NULL THEN ARRAY[n.root_conversation_id] END,
		CASE WHEN n.root_conversation_id IS NOT NULL THEN ARRAY[of_server] END, NULL, reengage_internal.heard_from(n));
	RETURN concat(format('cancelled %s, erased %s of nudges and %s of lineage', gone.cancelled, gone.nudges, gone.lineage),
		CASE WHEN n.address_hash IS NOT NULL AND rejects > gone.rejects
			THEN '; rejected records of imports are searched by the address, which news does not carry: call forget() here, too' END);
END
$$;
COMMENT ON FUNCTION reengage_internal.heed_erasure(reengage.news) IS
	'who was forgotten elsewhere is forgotten here, as far as a hash or a conversation tells';

CREATE FUNCTION reengage_internal.heed_key(n reengage.news) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	theirs bytea := decode(n.said ->> 'key', 'hex');
	made_at timestamptz := (n.said ->> 'at')::timestamptz;
	theirs_is_used boolean := coalesce((n.said ->> 'in_use')::boolean, false);
	ours_is_used boolean := reengage_internal.key_is_in_use();
	ours reengage.address_key;
BEGIN
	IF coalesce(octet_length(theirs), 0) <> 32 OR made_at IS NULL THEN
		RAISE EXCEPTION 'it is no key' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	DELETE FROM reengage.news o
	WHERE o.kind = 'key' AND o.node = n.node AND o.news_id <> n.news_id AND o.heard_at < coalesce(n.heard_at, 'infinity');
	-- as make_address_key() does
	LOCK TABLE reengage.address_key IN SHARE ROW EXCLUSIVE MODE;
	SELECT k.* INTO ours FROM reengage.address_key k ORDER BY k.created_at, k.key LIMIT 1;
	IF ours.key = theirs THEN
		RETURN 'it is the key here';
	ELSIF ours.key IS NOT NULL AND (ours_is_used OR (NOT theirs_is_used AND (ours.created_at, ours.key) < (made_at, theirs))) THEN
		-- it may have been said before a customer was known by it
		PERFORM reengage_internal.say_key() WHERE ours_is_used AND NOT theirs_is_used AND NOT EXISTS (
			SELECT FROM reengage.news o, reengage.node own WHERE o.node = own.name AND o.kind = 'key' AND (o.said ->> 'in_use')::boolean);
		RETURN 'the key here is kept, and taken there unless it is too late: health compares them';
	END IF;
	DELETE FROM reengage.address_key;
	INSERT INTO reengage.address_key (key, created_at) VALUES (theirs, made_at);
	PERFORM reengage_internal.say_key();
	RETURN 'taken';
END
$$;
COMMENT ON FUNCTION reengage_internal.heed_key(reengage.news) IS
	'the key of another node is taken, unless customers are known here by ours, or ours is the elder';

CREATE FUNCTION reengage_internal.heed(n reengage.news) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- whatever triggers this fires is no news of this node
SET session_replication_role = replica
-- it is called for thousands
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
	IF octet_length(n.said::text) > 20000 THEN
		RAISE EXCEPTION 'it is too long' USING ERRCODE = 'program_limit_exceeded';
	END IF;
	-- what was said, and that it was taken back, may come from two nodes at once: who is second sees the first
	PERFORM reengage_internal.lock('news', CASE n.kind WHEN 'withdrawn' THEN n.said ->> 'stripe'
		ELSE reengage_internal.news_stripe(n.address_hash, n.root_conversation_id) END);
	CASE n.kind
		WHEN 'opted_out' THEN RETURN reengage_internal.heed_opt_out(n);
		WHEN 'withdrawn' THEN RETURN reengage_internal.heed_withdrawal(n);
		WHEN 'answered' THEN RETURN reengage_internal.heed_answer(n);
		WHEN 'erased' THEN RETURN reengage_internal.heed_erasure(n);
		WHEN 'key' THEN RETURN reengage_internal.heed_key(n);
		ELSE RAISE EXCEPTION 'this version does not know what "%" is', reengage_internal.shown(n.kind)
			USING ERRCODE = 'feature_not_supported';
	END CASE;
END
$$;
COMMENT ON FUNCTION reengage_internal.heed(reengage.news) IS
	'does what news asks for; says what came of it, or raises why nothing can';

CREATE FUNCTION reengage_internal.try_news(INOUT n reengage.news)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	n.outcome := reengage_internal.heed(n);
	n.complaint := NULL;
	n.next_try := NULL;
EXCEPTION WHEN OTHERS THEN
	n.outcome := NULL;
	n.complaint := left(SQLERRM, 500);
	-- what it says will not be any better; whatever is in the way may be gone soon, or stay for long
	n.next_try := CASE WHEN left(SQLSTATE, 2) NOT IN ('22', '23', '42', '0A', '54')
		THEN clock_timestamp() + least(interval '3 s', greatest(interval '50 ms', (clock_timestamp() - n.heard_at) / 4)) END;
	PERFORM reengage_internal.wake_for_news();
END
$$;
COMMENT ON FUNCTION reengage_internal.try_news(reengage.news) IS
	'heed(), with what came of it, or why nothing did, in the row; nothing is raised';

CREATE FUNCTION reengage_internal.hear() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET jit = off
-- who holds a row for longer holds up nothing that follows: the worker tries again.  Of two that
-- wait for each other this one gives in, before deadlock_timeout picks a caller of suppress()
SET lock_timeout = '200ms'
AS $$
DECLARE
	-- whose subscription brings it
	brought_by text := (SELECT substr(s.subname::text, length('reengage_news_') + 1) FROM pg_stat_subscription s WHERE s.pid = pg_backend_pid());
BEGIN
	-- it has the node's subscriptions, and would take out of its slots what that has not heard
	IF EXISTS (SELECT FROM reengage.identity i WHERE i.system_identifier <> reengage_internal.system_identifier() OR i.site <> reengage_internal.site()) THEN
		RAISE EXCEPTION 'this database is a copy of node "%", and hears nothing in its place', reengage_internal.node_name()
			USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = reengage_internal.fence_complaint(),
				  HINT = 'If this is the node from now on, SELECT reengage.arm(); if not, DROP SUBSCRIPTION, after ALTER SUBSCRIPTION ... SET (slot_name = NONE).';
	END IF;
	IF NEW.node = brought_by THEN
		-- nobody else could say it in its name
		DELETE FROM reengage.news n WHERE n.news_id = NEW.news_id AND n.node LIKE '% (another)';
	END IF;
	-- a subscription that was made anew brings all once more
	IF EXISTS (SELECT FROM reengage.news n WHERE n.news_id = NEW.news_id) THEN
		RETURN NULL;
	END IF;
	NEW.outcome := NULL;
	NEW.heard_at := NULL;
	IF NEW.node <> brought_by THEN
		NEW.complaint := format('node "%s" says it in the name of another', brought_by);
		NEW.node := NEW.node || ' (another)';
	ELSIF NEW.node = (SELECT o.name FROM reengage.node o) THEN
		NEW.complaint := 'another node has the name of this one';
		NEW.node := NEW.node || ' (another)';
	ELSIF clock_timestamp() > transaction_timestamp() + interval '1 s' AND NEW.kind <> 'key' THEN
		-- a copy of all, or a caller's opt-outs by the thousand: who is here waits until it commits
		-- for each customer that it has done, so the worker does what is left, in short transactions
		NEW.complaint := 'much came at once, and its turn has not come';
		NEW.next_try := clock_timestamp();
		PERFORM reengage_internal.wake_for_news();
	ELSE
		NEW := reengage_internal.try_news(NEW);
	END IF;
	IF NEW.complaint IS NULL AND EXISTS (SELECT FROM reengage.news w WHERE w.about = NEW.news_id) THEN
		RETURN NULL;
	END IF;
	NEW.heard_at := clock_timestamp();
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION reengage_internal.hear() IS 'takes in what another node said, as logical replication brings it';
CREATE TRIGGER hear BEFORE INSERT ON reengage.news
	FOR EACH ROW EXECUTE FUNCTION reengage_internal.hear();
-- by replication only: what is said here is not heard
ALTER TABLE reengage.news ENABLE REPLICA TRIGGER hear;

CREATE FUNCTION reengage_internal.try_again(waiting reengage.news) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tried reengage.news := reengage_internal.try_news(waiting);
BEGIN
	IF tried.complaint IS NULL AND EXISTS (SELECT FROM reengage.news w WHERE w.about = tried.news_id) THEN
		DELETE FROM reengage.news n WHERE n.news_id = tried.news_id;
	ELSE
		UPDATE reengage.news n SET outcome = tried.outcome, complaint = tried.complaint, next_try = tried.next_try
		WHERE n.news_id = tried.news_id;
	END IF;
	RETURN tried.complaint IS NULL;
END
$$;
COMMENT ON FUNCTION reengage_internal.try_again(reengage.news) IS 'try_news(), of what has waited; whether it is done';

CREATE FUNCTION reengage.heed_news() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET jit = off SET lock_timeout = '1s' SET session_replication_role = replica
AS $$
DECLARE
	waiting reengage.news;
BEGIN
	-- what was said in a name that is not the sayer's is not done
	FOR waiting IN SELECT n.* FROM reengage.news n WHERE n.complaint IS NOT NULL AND n.node NOT LIKE '% (another)' ORDER BY n.heard_at FOR UPDATE SKIP LOCKED
	LOOP
		PERFORM reengage_internal.try_again(waiting);
	END LOOP;
	RETURN (SELECT count(*) FROM reengage.news n WHERE n.complaint IS NOT NULL);
END
$$;
COMMENT ON FUNCTION reengage.heed_news() IS
	'tries again what was heard from other nodes and could not be done; returns how much of it is left';
GRANT EXECUTE ON FUNCTION reengage.heed_news() TO reengage_operator;

-- What passes is kept for those who were away, and for who is restored from a backup.
CREATE FUNCTION reengage_internal.tend_news() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_sort = off SET jit = off
-- nothing is sent meanwhile
SET lock_timeout = '20ms'
-- as heed() has it: each change throws all plans away
SET session_replication_role = replica
AS $$
DECLARE
	began CONSTANT timestamptz := clock_timestamp();
	waiting reengage.news;
BEGIN
	-- next_try is by a clock that may have been set back since
	FOR waiting IN
		SELECT n.* FROM reengage.news n
		WHERE n.complaint IS NOT NULL AND (n.next_try <= clock_timestamp() OR n.next_try > clock_timestamp() + interval '1 minute')
		ORDER BY n.next_try LIMIT 100 FOR UPDATE SKIP LOCKED
	LOOP
		-- what is done is committed before another lock is waited for
		EXIT WHEN NOT reengage_internal.try_again(waiting) OR clock_timestamp() > began + interval '200 ms';
	END LOOP;
	DELETE FROM reengage.news n WHERE n.news_id = ANY (ARRAY(
		SELECT p.news_id FROM reengage.news p
		WHERE p.kind IN ('withdrawn', 'erased') AND p.said_at < now() - interval '35 days'
		  AND p.said_at < now() - CASE p.kind WHEN 'erased' THEN interval '35 days' ELSE interval '400 days' END
		  AND (p.heard_at IS NULL OR p.heard_at < now() - interval '35 days') AND p.complaint IS NULL
		ORDER BY p.said_at LIMIT 1000 FOR UPDATE SKIP LOCKED));
	-- half of the time is for who sends
	RETURN coalesce(
		(SELECT extract(epoch FROM greatest(interval '10 ms', clock_timestamp() - began, least(interval '3 s', min(n.next_try) - clock_timestamp()))) * 1000
		 FROM reengage.news n WHERE n.complaint IS NOT NULL AND n.next_try IS NOT NULL HAVING min(n.next_try) IS NOT NULL),
		CASE WHEN EXISTS (SELECT FROM reengage.node) THEN 6 * 3600 * 1000 ELSE -1 END);
END
$$;
COMMENT ON FUNCTION reengage_internal.tend_news() IS
	'for the worker: tries again what could not be done, and lets go of what has passed; after how many milliseconds to look again, -1: when it is told';
GRANT EXECUTE ON FUNCTION reengage_internal.tend_news() TO reengage_worker;
