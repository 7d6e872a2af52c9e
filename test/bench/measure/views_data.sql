-- N nudges of some campaigns, at some servers, of some roles, each of which asks at as
-- many servers as come to it: a third is due, of which every tenth later; two thirds
-- have an outcome.  The other rows of lineage, 4 N / 3, are conversations
-- that an import told of.
SET session_replication_role = replica;

-- what the indexes are made of, after the rows
CREATE TEMP TABLE indexes AS
SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition
FROM pg_index i WHERE i.indrelid IN ('reengage.nudges'::regclass, 'reengage.due'::regclass, 'reengage.lineage'::regclass)
  AND NOT i.indisprimary;
SELECT format('DROP INDEX %s', name) FROM indexes \gexec

INSERT INTO reengage.nudges (nudge_id, server, conversation_id, message, campaign, due_at, requested_by, requested_at)
SELECT reengage.uuid_v7(), CASE n % :servers WHEN 0 THEN 'api' ELSE 'api ' || n % :servers END, 'conversation-' || n,
	'Are you still there?', 'campaign ' || n % :campaigns,
	now() + CASE WHEN n % 3 > 0 THEN -interval '1 hour' WHEN n % 30 = 0 THEN interval '1 day' ELSE -interval '1 s' END,
	CASE WHEN n % 10 > 0 THEN current_user WHEN :roles = 2 THEN 'reengage_operator' ELSE 'role ' || (n + n / :servers) % (:roles - 1) END,
	now() - (:n - n) * interval '10 ms'
FROM generate_series(1, :n) n;

INSERT INTO reengage.due (nudge_id, due_at, priority, server, requested_by)
SELECT nudge_id, due_at, 5, server, requested_by FROM reengage.nudges WHERE substr(conversation_id, 14)::bigint % 3 = 0;

-- an id tells when the row was recorded
CREATE FUNCTION pg_temp.id_of(at timestamptz) RETURNS uuid LANGUAGE sql AS
	$$ SELECT overlay(reengage.uuid_v7()::text PLACING left(reengage.first_id(at)::text, 13) FROM 1)::uuid $$;

INSERT INTO reengage.lineage (lineage_id, server, outcome, reason, requested_conversation_id, conversation_id, root_conversation_id, generation,
	status_seen, channel, address_hash, attempts, api_calls, api_calls_saved, occurred_at, recorded_at, xact_id)
SELECT pg_temp.id_of(now() - interval '1 day'), 'api', 'imported', NULL, 'conversation-' || n, 'conversation-' || n, 'conversation-' || n, 0,
	'closed', 'sms', encode(sha256(n::text::bytea), 'hex'), 0, 0, 0, now() - interval '1 day', now() - interval '1 day', 1
FROM generate_series(1, :n * 4 / 3) n;

INSERT INTO reengage.lineage (lineage_id, nudge_id, server, outcome, reason, step, requested_conversation_id, conversation_id, previous_conversation_id,
	root_conversation_id, generation, status_seen, channel, address_hash, campaign, attempts, api_calls, api_calls_saved, http_status,
	requested_at, due_at, checked_at, called_at, occurred_at, recorded_at, xact_id)
SELECT pg_temp.id_of(now() - (:n - number) * interval '1 ms'), n.nudge_id, n.server, CASE WHEN closed THEN 'session_created' ELSE 'notified' END, NULL, CASE WHEN closed THEN 'create' ELSE 'notify' END,
	n.conversation_id, CASE WHEN closed THEN gen_random_uuid()::text ELSE n.conversation_id END, CASE WHEN closed THEN n.conversation_id END,
	n.conversation_id, closed::integer, CASE WHEN closed THEN 'closed' ELSE 'active' END, 'sms', encode(sha256(number::text::bytea), 'hex'),
	n.campaign, 1, 2, 0, 200, n.requested_at, n.due_at, now(), now(), now(), now() - (:n - number) * interval '1 ms', 2 + number / 100
FROM reengage.nudges n
	CROSS JOIN LATERAL (SELECT substr(n.conversation_id, 14)::bigint AS number) p
	CROSS JOIN LATERAL (SELECT number % 2 = 0 AS closed) c
WHERE number % 3 > 0;

SELECT definition FROM indexes \gexec
-- triggers were off, which count
SELECT reengage.recount();
VACUUM (ANALYZE) reengage.nudges;
VACUUM (ANALYZE) reengage.due;
VACUUM (ANALYZE) reengage.lineage;
CHECKPOINT;
