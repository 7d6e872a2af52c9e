-- Outcomes of one day, as a worker would have written them.
SET session_replication_role = replica;
INSERT INTO reengage.lineage (lineage_id, nudge_id, server, outcome, step, requested_conversation_id, conversation_id, previous_conversation_id,
	root_conversation_id, generation, status_seen, channel, address_hash, campaign, attempts, api_calls, api_calls_saved, http_status, correlation_id,
	message_id, requested_at, due_at, checked_at, called_at, occurred_at, recorded_at, detail)
SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008000' || lpad(i::text, 12, '0'))::uuid, gen_random_uuid(), 'bench',
	'session_created', 'create', gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, 'closed', 'sms', md5(i::text),
	'campaign ' || i % 50, 1, 2, 0, 201, gen_random_uuid(), gen_random_uuid(), at, at, at, at, at, at,
	jsonb_build_object('customer', i, 'segment', 'gold', 'score', i / 7.0)
FROM (SELECT i, timestamptz '2020-03-01 00:00+00' + i * interval '86399 s' / :n AS at FROM generate_series(1, :n) i) made;
VACUUM ANALYZE reengage.lineage;
