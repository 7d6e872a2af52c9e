-- All that a company has to do.
CREATE EXTENSION reengage;
CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (dialect 'messaging', api_url :'url', max_requests_per_minute '60000');
CALL reengage.import_history('Are you still there?', 'abandoned', file => :'file') \gset

\pset footer off
\echo 'The records of the extract:' :records_read 'read,' :accepted 'accepted,' :rejected 'rejected,' :skipped 'skipped'
SELECT reengage.import_outcome(r.key) AS became, r.key AS reason, r.value AS records
FROM jsonb_each_text(:'reasons') r ORDER BY 1, 2;

CREATE TABLE started AS SELECT clock_timestamp() AS at;
SELECT reengage.arm() \g /dev/null
