-- A year of N nudges, the oldest first, each in a conversation that an import told of:
-- half went to a new session, one of a thousand is in doubt.  Triggers are off, so the
-- counters are told at the end, and the days of the manifest are closed.
SET session_replication_role = replica;

-- what the indexes are made of, after the rows
CREATE TEMP TABLE indexes AS
SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition
FROM pg_index i WHERE i.indrelid IN ('reengage.nudges'::regclass, 'reengage.lineage'::regclass) AND NOT i.indisprimary;
SELECT format('DROP INDEX %s', name) FROM indexes \gexec

SELECT now() - interval '1 day' AS until \gset

-- an id of version 7 tells its time, by which new ones are known to be new
CREATE TEMP VIEW year AS
SELECT n, t.at, 'year-' || n AS conversation_id, 'campaign ' || n / 20000 AS campaign, encode(sha256(n::text::bytea), 'hex') AS address_hash,
	(lpad(to_hex((extract(epoch FROM t.at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid AS nudge_id,
	CASE WHEN n % 1000 = 0 THEN 'in_doubt' WHEN n % 2 = 0 THEN 'session_created' ELSE 'notified' END AS outcome
FROM generate_series(1, :n) n CROSS JOIN LATERAL (SELECT :'until'::timestamptz - (:n - n) * (interval '365 days' / :n) AS at) t;

INSERT INTO reengage.nudges (nudge_id, server, conversation_id, message, campaign, due_at, requested_at)
SELECT y.nudge_id, 'api', y.conversation_id, 'Are you still there?', y.campaign, y.at, y.at FROM year y;

INSERT INTO reengage.lineage (lineage_id, nudge_id, server, outcome, step, requested_conversation_id, conversation_id, previous_conversation_id,
	root_conversation_id, generation, status_seen, channel, address_hash, campaign, attempts, api_calls, api_calls_saved, http_status,
	requested_at, due_at, checked_at, called_at, occurred_at, recorded_at, xact_id)
SELECT overlay(reengage.uuid_v7()::text PLACING left(reengage.first_id(y.at)::text, 13) FROM 1)::uuid,
	CASE WHEN part = 2 THEN y.nudge_id END, 'api', CASE part WHEN 1 THEN 'imported' ELSE y.outcome END,
	CASE WHEN part = 2 THEN CASE y.outcome WHEN 'notified' THEN 'notify' ELSE 'create' END END,
	y.conversation_id, CASE WHEN part = 2 AND y.outcome = 'session_created' THEN 'next-' || y.n ELSE y.conversation_id END,
	CASE WHEN part = 2 AND y.outcome = 'session_created' THEN y.conversation_id END,
	y.conversation_id, (part = 2 AND y.outcome = 'session_created')::integer, CASE y.outcome WHEN 'notified' THEN 'active' ELSE 'closed' END,
	'sms', y.address_hash, CASE WHEN part = 2 THEN y.campaign END, part - 1, 2 * (part - 1), 0, CASE WHEN part = 2 THEN 200 END,
	y.at, y.at, y.at, y.at, y.at, y.at, y.n / 100 + 1
FROM year y CROSS JOIN generate_series(1, 2) AS part;

SELECT definition FROM indexes \gexec
SELECT reengage.recount();
VACUUM (ANALYZE) reengage.nudges;
VACUUM (ANALYZE) reengage.lineage;
SELECT format('CALL reengage.close_day(%L)', d::date)
FROM generate_series((now() AT TIME ZONE 'UTC')::date - 367, (now() AT TIME ZONE 'UTC')::date - 1, interval '1 day') d \gexec
CHECKPOINT;
