-- preflight(): what a call to a server would meet; nothing is sent to a customer.
\getenv port SIMULATOR_PORT
\set url 'http://127.0.0.1:' :port
\set not_tls 'https://127.0.0.1:' :port
CREATE EXTENSION reengage;
CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (api_url :'url');
CREATE SERVER no_section FOREIGN DATA WRAPPER reengage OPTIONS (api_url :'url');
CREATE SERVER no_login FOREIGN DATA WRAPPER reengage OPTIONS (api_url :'url', auth 'none');
CREATE SERVER no_name FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'https://reengage.invalid', auth 'none');
CREATE SERVER closed_port FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'http://127.0.0.1:1', auth 'none');
CREATE SERVER not_tls FOREIGN DATA WRAPPER reengage OPTIONS (api_url :'not_tls', auth 'none');
CREATE SERVER by_proxy FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'https://reengage.invalid', auth 'none', proxy 'http://127.0.0.1:1');
SET ROLE reengage_operator;

-- no need to be armed
SELECT step, check_name, state, replace(detail, :'port', 'PORT') AS detail, remedy
FROM reengage.preflight('genesys', 'live-preflight');
SELECT step, check_name, state, detail FROM reengage.preflight('genesys', 'closed-preflight') WHERE step IN (8, 11);
SELECT check_name, state, detail, remedy FROM reengage.preflight('genesys', 'gone-preflight') WHERE step IN (8, 11);
SELECT check_name, state, detail FROM reengage.preflight('genesys', 'nostatus-preflight') WHERE step IN (8, 11);
SELECT check_name, state, detail FROM reengage.preflight('genesys') WHERE step IN (8, 11);

-- what fails first
SELECT name, f.check_name, split_part(regexp_replace(f.detail, '"/.*"', 'FILE'), ':', 1) AS detail, f.remedy
FROM unnest(ARRAY['no_section', 'no_name', 'closed_port', 'not_tls', 'by_proxy']) name, reengage.preflight(name) f
WHERE f.state = 'failed';
SELECT check_name, state, detail FROM reengage.preflight('closed_port', 'live-preflight') WHERE step > 1 AND state <> 'failed';
SELECT check_name, state, detail FROM reengage.preflight('no_login', 'live-preflight') WHERE step IN (2, 7, 11);

-- the API's refusals
\! perl -MHTTP::Tiny -e 'HTTP::Tiny->new->post("http://127.0.0.1:$ENV{SIMULATOR_PORT}/_sim/faults", {content => q({"verb": "check", "id": "live-preflight-forbidden", "action": "forbidden"})})'
SELECT check_name, state, detail, remedy FROM reengage.preflight('genesys', 'live-preflight-forbidden') WHERE step >= 7;
\! perl -MHTTP::Tiny -e 'HTTP::Tiny->new->delete("http://127.0.0.1:$ENV{SIMULATOR_PORT}/_sim/faults")'

-- what cannot be asked
SELECT * FROM reengage.preflight('nowhere');
SELECT * FROM reengage.preflight(NULL);
SELECT * FROM reengage.preflight('genesys', '../etc');
RESET ROLE;
SET ROLE reengage_application;
SELECT * FROM reengage.preflight('genesys');
RESET ROLE;

-- looks only, and works where nothing may be written
\! perl -MHTTP::Tiny -e 'print map { (split /,/)[4] . "\n" } grep { /preflight/ } split /\n/, HTTP::Tiny->new->get("http://127.0.0.1:$ENV{SIMULATOR_PORT}/_sim/requests.csv")->{content}' | sort -u
BEGIN READ ONLY;
SELECT count(*) FILTER (WHERE state = 'failed') AS failed FROM reengage.preflight('genesys', 'live-preflight');
COMMIT;
SET client_min_messages = warning;
DROP EXTENSION reengage CASCADE;
