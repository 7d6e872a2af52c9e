-- Threads as pictures, and threads that are not there or not what they should be.
CREATE EXTENSION reengage;
SET timezone = 'Asia/Tokyo';

-- rows of lineage, one minute after the other
CREATE SEQUENCE minutes;
CREATE FUNCTION happened(outcome text, root text, id text, previous text DEFAULT NULL, generation integer DEFAULT 0,
	status text DEFAULT NULL, reason text DEFAULT NULL, server text DEFAULT 'genesys') RETURNS void LANGUAGE sql AS $$
	INSERT INTO reengage.lineage (nudge_id, server, outcome, reason, requested_conversation_id, conversation_id,
		previous_conversation_id, root_conversation_id, generation, status_seen, attempts, api_calls, api_calls_saved,
		requested_at, due_at, occurred_at)
	SELECT gen_random_uuid(), server, outcome, reason, root, id, previous, root, generation, status, 1, 2, 0, now(), now(),
		   '2026-11-20 17:59+00'::timestamptz + nextval('minutes') * interval '1 minute';
$$;

-- a live conversation, closed, followed twice
SELECT happened('notified', 'abc-123-def', 'abc-123-def', status => 'active'),
	   happened('notified', 'abc-123-def', 'abc-123-def', status => 'active'),
	   happened('session_created', 'abc-123-def', 'n-1', 'abc-123-def', 1, 'disconnected'),
	   happened('refused', 'abc-123-def', 'n-1', NULL, 1, 'active', 'text_too_long'),
	   happened('session_created', 'abc-123-def', 'n-2', 'n-1', 2, 'closed'),
	   happened('notified', 'abc-123-def', 'n-2', NULL, 2, 'ringing') \gset
\pset format unaligned
SELECT reengage.thread_diagram('abc-123-def');
SELECT reengage.thread_diagram('abc-123-def', 'graphviz');
-- the same picture from any of its conversations
SELECT count(DISTINCT reengage.thread_diagram(id)) FROM unnest(ARRAY['abc-123-def', 'n-1', 'n-2']) id;

-- two threads that the API led into one conversation
SELECT happened('session_created', 'first', 'both', 'first', 1, 'disconnected'),
	   happened('session_created', 'second', 'both', 'second', 1, 'active', 'joined'),
	   happened('notified', 'first', 'both', NULL, 1, 'active') \gset
SELECT reengage.thread_diagram('both');
-- an id that two servers know
SELECT happened('skipped_closed', 'shared', 'shared', status => 'closed'),
	   happened('exhausted', 'shared', 'shared', reason => 'http_500', server => 'Zürich "west"') \gset
SELECT reengage.thread_diagram('shared');
SELECT reengage.thread_diagram('shared', server => 'genesys');

-- text of strangers stays text
SELECT happened('notified', 'x"] --> y; %%{init}%%', 'x"] --> y; %%{init}%%', status => E'a<b>&\\N`#1;\n\ttail') \gset
SELECT reengage.thread_diagram('x"] --> y; %%{init}%%');
SELECT reengage.thread_diagram('x"] --> y; %%{init}%%', 'graphviz');

-- a cycle, which only a superuser can plant, is drawn and ends
SELECT happened('session_created', 'ring-1', 'ring-2', 'ring-1', 1),
	   happened('session_created', 'ring-1', 'ring-3', 'ring-2', 2),
	   happened('session_created', 'ring-1', 'ring-1', 'ring-3', 3) \gset
SELECT reengage.thread_diagram('ring-2');
SELECT generation, conversation_id, previous_conversation_id FROM reengage.thread('ring-1');
SELECT tip_conversation_id, generations FROM reengage.threads WHERE root_conversation_id = 'ring-1';

-- what is not there, and what is no format
\set SHOW_CONTEXT never
SELECT reengage.thread_diagram('unheard-of');
SELECT reengage.thread_diagram('abc-123-def', server => 'elsewhere');
SELECT * FROM reengage.thread('ABC-123-DEF');
SELECT * FROM reengage.thread(NULL);
SELECT reengage.thread_diagram('abc-123-def', 'svg');
SELECT reengage.thread_diagram('abc-123-def', NULL);

-- who may
SET ROLE reengage_application;
SELECT reengage.thread_diagram('abc-123-def');
SET ROLE reengage_reader;
SELECT length(reengage.thread_diagram('abc-123-def')) > 0 AS drawn;
RESET ROLE;

DROP FUNCTION happened;
DROP SEQUENCE minutes;
DROP EXTENSION reengage;
