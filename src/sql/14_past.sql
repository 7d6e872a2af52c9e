--
-- What is left of nudges and lineage that retention has let go: which days are not
-- whole any more, how threads went on, and which ids were asked for.
--
CREATE TABLE reengage.pruned_days (
	day text NOT NULL,
	row_count bigint NOT NULL,
	digest bigint NOT NULL,
	nudges bigint NOT NULL,
	last_xact_id bigint NOT NULL,
	pruned_at timestamptz NOT NULL,
	column_sums text,
	CONSTRAINT pruned_days_pkey PRIMARY KEY (day),
	CONSTRAINT pruned_days_day_check CHECK (day ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$')
);
COMMENT ON TABLE reengage.pruned_days IS
	'what prune(), or the worker by reengage.retention, has let go of each day of lineage; with what is still here it makes what lineage_manifest counted';
COMMENT ON COLUMN reengage.pruned_days.day IS 'YYYY-MM-DD: the day, in UTC, of lineage.recorded_at';
COMMENT ON COLUMN reengage.pruned_days.row_count IS 'rows of lineage that are gone';
COMMENT ON COLUMN reengage.pruned_days.digest IS 'the sum of their lineage_digest(), modulo 2^53; where column_sums is null, of the digest that version 1.0 had';
COMMENT ON COLUMN reengage.pruned_days.nudges IS 'nudges that are gone with them';
COMMENT ON COLUMN reengage.pruned_days.last_xact_id IS 'the greatest lineage.xact_id of them: the order of lineage goes on behind it';
COMMENT ON COLUMN reengage.pruned_days.pruned_at IS 'when the last of them went';
COMMENT ON COLUMN reengage.pruned_days.column_sums IS 'as in lineage_manifest; null: of a day that version 1.0 closed, or began to prune';
SELECT pg_catalog.pg_extension_config_dump('reengage.pruned_days', '');
GRANT SELECT ON reengage.pruned_days TO reengage_operator, reengage_reader, reengage_worker;

CREATE TABLE reengage.past_sessions (
	lineage_id uuid NOT NULL,
	occurred_at timestamptz NOT NULL,
	generation integer NOT NULL,
	server text NOT NULL,
	previous_conversation_id text NOT NULL,
	conversation_id text NOT NULL,
	root_conversation_id text NOT NULL,
	named_by text,
	address_hash text
);
-- as those of lineage: none looks as good as the right one to who asks for another column
CREATE UNIQUE INDEX past_sessions_successor ON reengage.past_sessions (server, previous_conversation_id)
	WHERE previous_conversation_id IS NOT NULL;
CREATE INDEX past_sessions_conversation ON reengage.past_sessions (pg_catalog.hashtextextended(conversation_id, 0))
	WHERE conversation_id IS NOT NULL;
CREATE INDEX past_sessions_thread ON reengage.past_sessions (root_conversation_id, server, generation)
	WHERE root_conversation_id IS NOT NULL;
-- a publication of all tables must not keep forget() from changing it
ALTER TABLE reengage.past_sessions REPLICA IDENTITY FULL;
COMMENT ON TABLE reengage.past_sessions IS
	'how threads went on, of lineage that is gone: so a nudge for an old conversation still finds where the customer is now, and no conversation gets a second successor';
COMMENT ON COLUMN reengage.past_sessions.lineage_id IS 'the row of lineage that is gone';
COMMENT ON COLUMN reengage.past_sessions.occurred_at IS 'when the session was created, as far as that is known';
COMMENT ON COLUMN reengage.past_sessions.generation IS 'as in lineage';
COMMENT ON COLUMN reengage.past_sessions.server IS 'the foreign server';
COMMENT ON COLUMN reengage.past_sessions.previous_conversation_id IS 'the closed conversation that conversation_id follows';
COMMENT ON COLUMN reengage.past_sessions.conversation_id IS 'where the thread went on';
COMMENT ON COLUMN reengage.past_sessions.root_conversation_id IS 'the first conversation of the thread';
COMMENT ON COLUMN reengage.past_sessions.named_by IS 'the role whose nudge named the address, where nobody else told it: other roles are not led there; empty: nobody knows which; null: the conversation told the address';
COMMENT ON COLUMN reengage.past_sessions.address_hash IS 'that address, as in lineage.address_hash; null: the conversation told it';
SELECT pg_catalog.pg_extension_config_dump('reengage.past_sessions', '');
GRANT SELECT ON reengage.past_sessions TO reengage_operator, reengage_reader, reengage_worker;

CREATE TABLE reengage.pruned_nudges (
	nudge_id uuid NOT NULL,
	day date NOT NULL,
	server text,
	CONSTRAINT pruned_nudges_pkey PRIMARY KEY (nudge_id)
);
-- they are pruned in the order of time, and let go in it
CREATE INDEX pruned_nudges_day ON reengage.pruned_nudges USING brin (day) WITH (autosummarize = on);
COMMENT ON TABLE reengage.pruned_nudges IS
	'ids of nudges that are gone: who asks for one of them again asks for nothing';
COMMENT ON COLUMN reengage.pruned_nudges.nudge_id IS 'the nudge that is gone';
COMMENT ON COLUMN reengage.pruned_nudges.day IS 'since when: reengage.tombstone_retention counts from here';
COMMENT ON COLUMN reengage.pruned_nudges.server IS 'the foreign server; null: version 1.0 has let it go';
SELECT pg_catalog.pg_extension_config_dump('reengage.pruned_nudges', '');
GRANT SELECT ON reengage.pruned_nudges TO reengage_operator, reengage_worker;

-- Who asks for a conversation must not read the index of successors as a whole,
-- which may look as good: so no IS NOT NULL; nor who asks for a successor that of
-- conversations: so no generation, of which the other has to say that it is not 0.  A row goes from the one table to the
-- other in one transaction, and no snapshot sees it in both, or in none.
CREATE VIEW reengage_internal.sessions AS
SELECT l.lineage_id, l.server, l.previous_conversation_id, l.conversation_id, l.root_conversation_id, l.generation,
	coalesce(l.called_at, l.occurred_at) AS made_at,
	CASE WHEN l.outcome = 'session_created' AND l.reason IN ('named', 'joined_named')
		THEN coalesce((SELECT n.requested_by FROM reengage.nudges n WHERE n.nudge_id = l.nudge_id), '') END AS named_by,
	l.address_hash
FROM reengage.lineage l
WHERE coalesce(l.previous_conversation_id, '') <> ''
UNION ALL
SELECT p.lineage_id, p.server, p.previous_conversation_id, p.conversation_id, p.root_conversation_id, p.generation,
	p.occurred_at, p.named_by, p.address_hash
FROM reengage.past_sessions p;
COMMENT ON VIEW reengage_internal.sessions IS
	'which conversation follows which: of lineage, and of what retention has let go';
COMMENT ON COLUMN reengage_internal.sessions.lineage_id IS 'as in lineage';
COMMENT ON COLUMN reengage_internal.sessions.server IS 'as in lineage';
COMMENT ON COLUMN reengage_internal.sessions.previous_conversation_id IS 'as in lineage';
COMMENT ON COLUMN reengage_internal.sessions.conversation_id IS 'as in lineage';
COMMENT ON COLUMN reengage_internal.sessions.root_conversation_id IS 'as in lineage';
COMMENT ON COLUMN reengage_internal.sessions.generation IS 'as in lineage';
COMMENT ON COLUMN reengage_internal.sessions.made_at IS 'when the session was created, as far as that is known';
COMMENT ON COLUMN reengage_internal.sessions.named_by IS 'as in past_sessions';
COMMENT ON COLUMN reengage_internal.sessions.address_hash IS 'as in lineage; of what is gone, as in past_sessions';
GRANT SELECT ON reengage_internal.sessions TO reengage_operator, reengage_reader, reengage_worker;
