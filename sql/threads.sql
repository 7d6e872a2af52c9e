-- Threads: one customer story over many conversations; and previews.
\getenv port SIMULATOR_PORT
\set url 'http://127.0.0.1:' :port
CREATE EXTENSION reengage;
CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (max_requests_per_minute '0', max_failures '0', api_url :'url', from_address '+13175550000');
SET reengage.default_server = 'genesys';
SELECT reengage.arm();

-- from here on, a created session is closed as soon as it is looked at
\! perl -MHTTP::Tiny -e 'HTTP::Tiny->new->post("http://127.0.0.1:$ENV{SIMULATOR_PORT}/_sim/settings", {content => q({"close_after_looks": 0})})'
SELECT reengage.nudge('closed-thread', 'first') IS NOT NULL AS asked;
CALL reengage.run();
SELECT reengage.nudge('closed-thread', 'second, on the old id') IS NOT NULL AS asked;
CALL reengage.run();
SELECT reengage.nudge(tip_conversation_id, 'third, on the new id') IS NOT NULL AS asked
FROM reengage.threads WHERE root_conversation_id = 'closed-thread';
CALL reengage.run();

SELECT row_number() OVER () AS n, outcome, generation, status_seen,
	   coalesce(previous_conversation_id = lag(conversation_id) OVER (), previous_conversation_id = 'closed-thread') AS follows,
	   api_calls
FROM reengage.thread('closed-thread');
-- the same story from any of its conversations
SELECT count(*) AS stories, count(DISTINCT story) AS distinct_stories
FROM (SELECT (SELECT array_agg(t.nudge_id) FROM reengage.thread(l.conversation_id) t) AS story
	  FROM reengage.lineage l) s;
SELECT root_conversation_id, tip_conversation_id <> root_conversation_id AS moved, generations, nudges, last_outcome,
	   api_calls, api_calls_saved
FROM reengage.threads;
\set SHOW_CONTEXT never
SELECT * FROM reengage.thread('closed-thread', 'elsewhere');
\set SHOW_CONTEXT errors

-- two nudges of one thread at once: one after the other, each on the tip
SELECT count(reengage.nudge('closed-pair', 'hi')) FROM generate_series(1, 2);
CALL reengage.run();
SELECT outcome, generation, previous_conversation_id = 'closed-pair' AS follows_root, api_calls
FROM reengage.thread('closed-pair');

-- P7 is a constraint
INSERT INTO reengage.lineage (nudge_id, server, outcome, requested_conversation_id, conversation_id,
	previous_conversation_id, root_conversation_id, generation, attempts, api_calls, api_calls_saved,
	requested_at, due_at, occurred_at)
SELECT nudge_id, server, outcome, requested_conversation_id, 'another', previous_conversation_id,
	root_conversation_id, generation, attempts, api_calls, api_calls_saved, requested_at, due_at, occurred_at
FROM reengage.lineage WHERE previous_conversation_id = 'closed-thread';

-- A session that came back as one that leads here by now is continued, and follows
-- nothing: that conversation stays where it was.  So it does after one in doubt.
INSERT INTO reengage.lineage (nudge_id, server, outcome, step, requested_conversation_id, conversation_id,
	previous_conversation_id, root_conversation_id, generation, attempts, api_calls, api_calls_saved,
	requested_at, due_at, occurred_at)
SELECT reengage.uuid_v7(), 'genesys', r.outcome, r.step, r.asked, r.conversation, r.previous, r.root, r.generation, 1, 2, 0, now(), now(), now()
FROM (VALUES ('session_created', 'create', 'ring-b', 'ring-c', 'ring-b', 'ring-b', 1),
			 ('session_created', 'create', 'ring-a', 'ring-c', 'ring-a', 'ring-a', 1),
			 ('session_continued', 'create', 'ring-b', 'ring-a', NULL, 'ring-b', 1),
			 ('in_doubt', 'notify', 'ring-b', 'ring-d', NULL, 'ring-b', 1)) AS r (outcome, step, asked, conversation, previous, root, generation);
SELECT c, l.* FROM unnest(ARRAY['ring-a', 'ring-b', 'ring-c', 'ring-d']) AS c, reengage_internal.locate('genesys', c) l;
SELECT count(reengage.nudge(c, 'hi')) FROM unnest(ARRAY['ring-a', 'ring-b', 'ring-d']) AS c;
CALL reengage.run();
SELECT requested_conversation_id AS asked, root_conversation_id AS root, generation
FROM reengage.lineage WHERE requested_conversation_id LIKE 'ring-%' AND nudge_id IN (SELECT nudge_id FROM reengage.nudges) ORDER BY 1;

-- previews: what would be sent, byte for byte, and nothing is
SELECT reengage.nudge('closed-preview', 'Grüße "aus" Köln', address => '+13175550100', channel => 'sms',
					  nudge_id => '01900000-0000-7000-8000-00000000000a');
SELECT step, condition, method, replace(url, :'port', 'PORT') AS url,
	regexp_replace(headers, '(User-Agent: reengage/)[0-9.]+', '\11.x') AS headers, body
FROM reengage.preview('01900000-0000-7000-8000-00000000000a') \gx
SELECT reengage.nudge('closed-preview-skip', 'hi', when_closed => 'skip',
					  nudge_id => '01900000-0000-7000-8000-00000000000b');
SELECT step, condition FROM reengage.preview('01900000-0000-7000-8000-00000000000b');
SELECT * FROM reengage.preview('01900000-0000-7000-8000-00000000000c');
\! perl -MHTTP::Tiny -e 'print HTTP::Tiny->new->get("http://127.0.0.1:$ENV{SIMULATOR_PORT}/_sim/requests.csv?id=closed-preview")->{content} =~ tr/\n// - 1, " requests\n"'

-- the plans that the worker keeps use indexes, whatever the statistics say
SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
EXPLAIN (COSTS OFF)
SELECT * FROM reengage.due d WHERE d.server = 'genesys' AND d.priority = 5 AND d.requested_by = 'shop'
	AND (d.due_at, d.nudge_id) > ('2025-01-01'::timestamptz, '01900000-0000-7000-8000-00000000000a'::uuid)
ORDER BY d.due_at, d.nudge_id LIMIT 64;

DROP EXTENSION reengage CASCADE;
-- as it was
\! perl -MHTTP::Tiny -e 'HTTP::Tiny->new->post("http://127.0.0.1:$ENV{SIMULATOR_PORT}/_sim/settings", {content => q({"close_after_looks": -1})})'
