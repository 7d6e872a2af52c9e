-- pause() and resume(): operators stop the calls to one server.
\getenv port SIMULATOR_PORT
\set url 'http://127.0.0.1:' :port
CREATE EXTENSION reengage;
CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (api_url :'url');
CREATE SERVER other FOREIGN DATA WRAPPER reengage OPTIONS (api_url :'url', auth 'none');
SET reengage.default_server = 'genesys';
SET ROLE reengage_operator;
SELECT reengage.arm();
SELECT reengage.pause('genesys', 'the campaign has a mistake');
RESET ROLE;
SELECT server, reason, paused_by = session_user AS by_us, since <= now() AS since_then FROM reengage.pauses;

-- nothing is begun, and everybody can see why
SELECT count(reengage.nudge(id, 'hi')) FROM unnest(ARRAY['live-pause-1', 'closed-pause-2']) id;
CALL reengage.run();
SELECT requested_conversation_id, state, regexp_replace(reason, session_user, 'somebody') AS reason, attempts FROM reengage.nudge_status ORDER BY 1;
SELECT subject, state, regexp_replace(detail, session_user, 'somebody') AS detail, regexp_replace(remedy, 'Since [^;]*', 'Since ...') AS remedy
FROM reengage.health WHERE subject LIKE 'server %' ORDER BY subject;

-- what is known against a server and what an operator said are two things
INSERT INTO reengage.server_state (server, state, reason) VALUES ('genesys', 'blocked', 'no credentials');
SELECT state, regexp_replace(detail, session_user, 'somebody') AS detail FROM reengage.health WHERE subject = 'server genesys';
SELECT DISTINCT regexp_replace(reason, session_user, 'somebody') AS reason FROM reengage.nudge_status;
-- everybody sees the reason; operators also whose call it was, and the API's words
UPDATE reengage.server_state SET state = 'resting', reason = 'the API asked not to be called', until = 'infinity', detail = 'nudge 1: somebody''s message';
SELECT state, regexp_replace(detail, session_user, 'somebody') AS detail FROM reengage.health WHERE subject = 'server genesys';
SELECT DISTINCT regexp_replace(reason, session_user, 'somebody') AS reason FROM reengage.nudge_status;
UPDATE reengage.server_state SET state = 'attention', reason = 'the API refused to create', until = NULL;
SELECT DISTINCT regexp_replace(reason, session_user, 'somebody') AS reason FROM reengage.nudge_status;
DELETE FROM reengage.server_state;

-- twice is once
SELECT reengage.pause('genesys', 'another reason');
SELECT reason FROM reengage.pauses;

-- a pause is undone with its transaction
BEGIN;
SELECT reengage.resume('genesys');
ROLLBACK;
CALL reengage.run();

-- another server is not affected, nor is a pause without a reason
SELECT reengage.pause('other', '');
SELECT regexp_replace(detail, session_user, 'somebody') AS detail FROM reengage.health WHERE subject = 'server other';
SELECT reengage.resume('other');
SELECT reengage.resume('other');

-- it outlives its server
DROP SERVER genesys;
CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (api_url :'url');
CALL reengage.run();
SELECT reengage.resume('genesys');
CALL reengage.run();
SELECT requested_conversation_id, outcome, attempts FROM reengage.lineage ORDER BY 1;
SELECT reengage.pause('genesys');
DROP SERVER genesys;
SELECT reengage.resume('genesys');

-- servers that there are not
\set SHOW_CONTEXT never
SELECT reengage.pause('nowhere', 'why not');
SELECT reengage.resume('nowhere');
SELECT reengage.pause(NULL);
CREATE FOREIGN DATA WRAPPER elsewhere;
CREATE SERVER foreign_one FOREIGN DATA WRAPPER elsewhere;
SELECT reengage.pause('foreign_one');
DROP FOREIGN DATA WRAPPER elsewhere CASCADE;

-- not for everybody; and the worker may read pauses but not end them
SET ROLE reengage_application;
SELECT reengage.pause('other');
SELECT reengage.resume('other');
RESET ROLE;
SET ROLE reengage_reader;
SELECT reengage.pause('other');
RESET ROLE;
SELECT has_table_privilege('reengage_worker', 'reengage.pauses', 'SELECT') AS reads,
	   has_table_privilege('reengage_worker', 'reengage.pauses', 'INSERT, UPDATE, DELETE, TRUNCATE') AS writes;
DROP EXTENSION reengage CASCADE;
