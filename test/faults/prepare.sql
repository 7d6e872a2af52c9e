-- The database under torture, and a record of every intent that was ever
-- committed: the extension deletes its own.  :keys says whether the API honours
-- idempotency keys.
\set ON_ERROR_STOP on
CREATE EXTENSION reengage;
CREATE SERVER genesys FOREIGN DATA WRAPPER reengage
	OPTIONS (api_url :'url', timeout '500ms', max_attempts '100', max_in_flight '24', max_requests_per_minute '0', max_failures '0');
\if :keys
ALTER SERVER genesys OPTIONS (ADD idempotency 'key', ADD key_lifetime '1h');
\endif

CREATE SCHEMA faults;
CREATE TABLE faults.intents (
	nudge_id uuid, step text, fencing_token integer, conversation_id text, recorded_at timestamptz, epoch timestamptz);
CREATE FUNCTION faults.remember_intent() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	INSERT INTO faults.intents
	SELECT u.nudge_id, CASE WHEN u.creates THEN 'create' ELSE 'notify' END, u.fencing_token,
		coalesce(u.conversation_id, (SELECT n.conversation_id FROM reengage.nudges n WHERE n.nudge_id = u.nudge_id)), NEW.recorded_at, NEW.epoch
	FROM unnest(NEW.nudge_ids, NEW.creates, NEW.fencing_tokens, NEW.conversation_ids) AS u (nudge_id, creates, fencing_token, conversation_id);
	RETURN NULL;
END
$$;
CREATE TRIGGER remember AFTER INSERT ON reengage.intents
	FOR EACH ROW EXECUTE FUNCTION faults.remember_intent();

-- filled at the end: what was asked for, what was done to it, what the API saw
CREATE TABLE faults.asked (nudge_id uuid, fate text);
CREATE TABLE faults.kills (kind text, begun timestamptz, ended timestamptz);
CREATE TABLE faults.requests (
	sequence bigint, arrived_us bigint, connection text, reused text, verb text, status integer, authorised text,
	replayed text, fault text, method text, path text, conversation_id text, previous_id text, key text, nudge_id uuid,
	to_address text, from_address text, channel text, message text);
CREATE TABLE faults.effects (
	request bigint, happened_us bigint, verb text, effect text, conversation_id text, previous_id text, address text,
	key text, nudge_id uuid, message text);

-- for whoever changes it
INSERT INTO reengage.policies (server, max_length) VALUES ('genesys', 4000);

SELECT reengage.arm();
