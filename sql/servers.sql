-- CREATE SERVER: every option is checked when it is set.
CREATE EXTENSION reengage;
CREATE SERVER good FOREIGN DATA WRAPPER reengage OPTIONS (
	dialect 'messaging', api_url 'https://api.example.com/base/', login_url 'https://login.example.com',
	auth 'client_credentials', from_address '+13175559999', proactive_channels 'sms,whatsapp',
	max_in_flight '10', timeout '10s', connect_timeout '500ms', max_attempts '3',
	ca_file '/etc/ssl/ca.pem', proxy 'http://127.0.0.1:3128');
ALTER SERVER good OPTIONS (SET timeout '1min');

-- options that do not exist
ALTER SERVER good OPTIONS (ADD api_uri 'https://api.example.com');
ALTER SERVER good OPTIONS (DROP api_url);
CREATE SERVER empty FOREIGN DATA WRAPPER reengage;
CREATE USER MAPPING FOR CURRENT_USER SERVER good OPTIONS (client_secret 'x');
ALTER FOREIGN DATA WRAPPER reengage OPTIONS (ADD timeout '1s');

-- URLs
ALTER SERVER good OPTIONS (SET api_url 'ftp://api.example.com');
ALTER SERVER good OPTIONS (SET api_url 'https://');
ALTER SERVER good OPTIONS (SET api_url 'http://api.example.com');
ALTER SERVER good OPTIONS (SET api_url 'http://127.evil.example');
ALTER SERVER good OPTIONS (SET api_url 'https://user:pw@api.example.com');
ALTER SERVER good OPTIONS (SET api_url 'https://api.example.com/?x=1');
ALTER SERVER good OPTIONS (SET api_url 'https://api.example.com:99999');
ALTER SERVER good OPTIONS (SET api_url 'https://api.example.com/../x');
ALTER SERVER good OPTIONS (SET api_url 'https://api example.com');
ALTER SERVER good OPTIONS (SET login_url 'http://10.0.0.1');
ALTER SERVER good OPTIONS (DROP proxy, SET api_url 'http://[::1]:8080');
ALTER SERVER good OPTIONS (SET api_url 'http://localhost:8080');
ALTER SERVER good OPTIONS (SET api_url 'https://api.example.com', ADD proxy 'http://127.0.0.1:3128');

-- words and numbers
ALTER SERVER good OPTIONS (SET dialect 'smoke_signals');
ALTER SERVER good OPTIONS (SET auth 'basic');
ALTER SERVER good OPTIONS (SET max_in_flight '0');
ALTER SERVER good OPTIONS (SET max_in_flight 'many');
ALTER SERVER good OPTIONS (SET max_attempts '101');
ALTER SERVER good OPTIONS (ADD max_requests_per_minute '-1');
ALTER SERVER good OPTIONS (ADD max_requests_per_minute '2');
ALTER SERVER good OPTIONS (ADD max_failures '1001');
ALTER SERVER good OPTIONS (ADD max_requests_per_minute '0', ADD max_failures '0');
ALTER SERVER good OPTIONS (SET timeout '0');
ALTER SERVER good OPTIONS (SET timeout '1 fortnight');
ALTER SERVER good OPTIONS (SET connect_timeout '2h');
ALTER SERVER good OPTIONS (SET proactive_channels 'SMS, web chat');
ALTER SERVER good OPTIONS (SET from_address '');
ALTER SERVER good OPTIONS (ADD idempotency 'yes');
ALTER SERVER good OPTIONS (ADD key_lifetime '0');
ALTER SERVER good OPTIONS (ADD key_lifetime '31d');
ALTER SERVER good OPTIONS (ADD key_lifetime 'long');
ALTER SERVER good OPTIONS (ADD idempotency 'key', ADD key_lifetime '12h');
ALTER SERVER good OPTIONS (SET ca_file 'relative.pem');
ALTER SERVER good OPTIONS (SET proxy 'socks5://127.0.0.1');
ALTER SERVER good OPTIONS (SET proxy 'http://user:secret@proxy.corp.example:3128');
ALTER SERVER good OPTIONS (SET proxy 'http://proxy.corp.example:3128');
ALTER SERVER good OPTIONS (SET proxy 'http://10.1.2.3:3128');

-- a host of ours, by its name
ALTER SERVER good OPTIONS (SET api_url 'https://api.example.com:8443/base');
ALTER SERVER good OPTIONS (ADD allow_private_address '10.1.2.3');
ALTER SERVER good OPTIONS (ADD allow_private_address 'api.example.com, login.example.com');
ALTER SERVER good OPTIONS (ADD allow_private_address 'api.exampel.com');
ALTER SERVER good OPTIONS (ADD allow_private_address 'API.example.com');

-- replies, and what they say
ALTER SERVER good OPTIONS (ADD max_reply_size '4');
ALTER SERVER good OPTIONS (ADD max_reply_size '65MB');
ALTER SERVER good OPTIONS (ADD max_reply_size 'large');
ALTER SERVER good OPTIONS (ADD max_reply_size '8MB');
ALTER SERVER good OPTIONS (ADD opt_out_words '');
ALTER SERVER good OPTIONS (ADD opt_out_words 'muted,,470');
ALTER SERVER good OPTIONS (ADD opt_out_words 'no');
ALTER SERVER good OPTIONS (ADD opt_out_words '7, muted by guest,abgemeldet');
DROP SERVER good;

-- Genesys Cloud: a region stands for its URLs, and there are no keys
CREATE SERVER cloud FOREIGN DATA WRAPPER reengage OPTIONS (dialect 'genesys_cloud');
CREATE SERVER cloud FOREIGN DATA WRAPPER reengage OPTIONS (dialect 'genesys_cloud', region 'mars_north_1');
CREATE SERVER cloud FOREIGN DATA WRAPPER reengage OPTIONS (region 'eu_central_1');
CREATE SERVER cloud FOREIGN DATA WRAPPER reengage OPTIONS (dialect 'genesys_cloud', region 'eu_central_1', idempotency 'key');
CREATE SERVER cloud FOREIGN DATA WRAPPER reengage OPTIONS (dialect 'genesys_cloud', region 'eu_central_1');
ALTER SERVER cloud OPTIONS (ADD api_url 'https://api.example.com');
ALTER SERVER cloud OPTIONS (ADD login_url 'https://login.example.com');
ALTER SERVER cloud OPTIONS (SET dialect 'messaging');
ALTER SERVER cloud OPTIONS (ADD proactive_channels 'sms,email');
ALTER SERVER cloud OPTIONS (ADD allow_private_address 'login.mypurecloud.de');
INSERT INTO reengage.nudges (server, conversation_id, message, channel) VALUES ('cloud', 'a', repeat('x', 766), 'sms');
INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('cloud', 'a', repeat('x', 2001));
INSERT INTO reengage.nudges (server, conversation_id, message, channel) VALUES ('cloud', 'a', repeat('{}', 191), 'sms');
INSERT INTO reengage.nudges (server, conversation_id, message, channel) VALUES ('cloud', 'a', repeat('x', 335) || chr(8217), 'sms');
BEGIN;
INSERT INTO reengage.nudges (server, conversation_id, message, channel) VALUES ('cloud', 'a', repeat('x', 334) || chr(8217), 'sms');
INSERT INTO reengage.nudges (server, conversation_id, message, channel) VALUES ('cloud', 'a', repeat(chr(252), 765), 'sms');
INSERT INTO reengage.nudges (server, conversation_id, message, channel) VALUES ('cloud', 'a', repeat('x', 335) || chr(8217), 'open');
INSERT INTO reengage.nudges (server, conversation_id, message, channel) VALUES ('cloud', 'a', repeat('x', 765), 'sms');
INSERT INTO reengage.nudges (server, conversation_id, message, detail)
	VALUES ('cloud', 'a', repeat('x', 2001), '{"template": {"responseId": "r"}}');
INSERT INTO reengage.nudges (nudge_id, server, conversation_id, message)
	VALUES ('00000000-0000-7000-8000-000000000001', 'cloud', 'a', repeat('x', 2000));
SELECT step, method, url, left(body, 130) AS body FROM reengage.preview('00000000-0000-7000-8000-000000000001');
ROLLBACK;
ALTER SERVER cloud OPTIONS (ADD tag_lineage 'perhaps');
CREATE SERVER plain FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'http://localhost:8080', proxy 'http://proxy.corp.example:3128');
CREATE SERVER plain FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'https://api.example.com', login_url 'HTTP://127.0.0.1', proxy 'http://proxy.corp.example:3128');
ALTER SERVER cloud OPTIONS (ADD tag_lineage 'on');
DROP SERVER cloud;
CREATE SERVER tagging FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'https://api.example.com', tag_lineage 'on');

DROP EXTENSION reengage;

-- settings
ALTER SYSTEM SET reengage.credentials_file = 'relative/path';
ALTER SYSTEM SET reengage.databases = 'a,,b';
SET reengage.databases = 'postgres';
SET reengage.no_such_setting = 1;
