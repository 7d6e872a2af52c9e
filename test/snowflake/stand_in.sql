-- The customers' messages, which are no part of reengage, and what the
-- extension lacks as long as it has no settled view of lineage.
CREATE TABLE messages (
	message_id bigint PRIMARY KEY,
	server text NOT NULL,
	conversation_id text NOT NULL,
	direction text NOT NULL,
	sent_at timestamptz NOT NULL,
	body text
);

DO $$
BEGIN
	IF to_regclass('reengage.lineage_settled') IS NULL THEN
		CREATE VIEW reengage.lineage_settled AS TABLE reengage.lineage;
	END IF;
END
$$;
