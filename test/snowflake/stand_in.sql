-- The customers' messages, which are no part of reengage, and what the
-- extension lacks as long as it has no manifest and no settled view of lineage.
CREATE TABLE messages (
	message_id bigint PRIMARY KEY,
	server text NOT NULL,
	conversation_id text NOT NULL,
	direction text NOT NULL,
	sent_at timestamptz NOT NULL,
	body text
);

CREATE TABLE IF NOT EXISTS reengage.lineage_manifest (
	manifest_id uuid PRIMARY KEY DEFAULT reengage.uuid_v7(),
	day text NOT NULL,
	as_of timestamptz NOT NULL,
	row_count bigint NOT NULL,
	digest bigint NOT NULL
);

DO $$
BEGIN
	IF to_regclass('reengage.lineage_settled') IS NULL THEN
		CREATE VIEW reengage.lineage_settled AS TABLE reengage.lineage;
	END IF;
END
$$;

-- What is hashed, in PostgreSQL's own words; the interface with Snowflake.
CREATE FUNCTION proof_digest(l reengage.lineage) RETURNS bigint LANGUAGE sql STABLE AS $$
	SELECT ('x' || substr(md5(array_to_string(ARRAY[
		l.lineage_id::text, l.nudge_id::text, l.server, l.outcome, l.requested_conversation_id, l.conversation_id,
		l.previous_conversation_id, l.root_conversation_id, l.generation::text, l.http_status::text,
		l.api_calls::text, l.api_calls_saved::text,
		(extract(epoch FROM l.occurred_at) * 1000000)::bigint::text], '|', '~')), 21, 12))::bit(48)::bigint
$$;
