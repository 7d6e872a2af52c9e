--
-- What happened, and its order for readers that remember how far they have read.
-- Transaction ids grow, but begin anew in a restored cluster, and some are used
-- again after a promotion or a point-in-time recovery.  So each cluster and
-- timeline counts on from a base of its own, which is not dumped: what is restored
-- is another epoch.
--
CREATE TABLE reengage.lineage_epochs (
	system_identifier bigint NOT NULL,
	timeline integer NOT NULL,
	base bigint NOT NULL,
	began_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	CONSTRAINT lineage_epochs_pkey PRIMARY KEY (system_identifier, timeline)
);
COMMENT ON TABLE reengage.lineage_epochs IS
	'what lineage.xact_id counts from, for each cluster and timeline in which this database wrote lineage; kept by reengage';
COMMENT ON COLUMN reengage.lineage_epochs.system_identifier IS 'of the cluster';
COMMENT ON COLUMN reengage.lineage_epochs.timeline IS 'of the server';
COMMENT ON COLUMN reengage.lineage_epochs.base IS 'added to the transaction id; beyond everything that an earlier epoch may have written, 2^32 transactions that were lost included';
COMMENT ON COLUMN reengage.lineage_epochs.began_at IS 'when the first row of lineage was written in it';
GRANT SELECT ON reengage.lineage_epochs TO reengage_operator, reengage_worker;

CREATE FUNCTION reengage_internal.lineage_position() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	base bigint;
BEGIN
	SELECT e.base INTO base FROM reengage.lineage_epochs e
	WHERE e.system_identifier = reengage_internal.system_identifier() AND e.timeline = reengage_internal.timeline();
	IF NOT FOUND THEN
		-- who comes second waits for the first; counted from the oldest that runs,
		-- so that none of them comes before what is there
		INSERT INTO reengage.lineage_epochs AS e (system_identifier, timeline, base)
		SELECT reengage_internal.system_identifier(), reengage_internal.timeline(),
			coalesce(greatest(max(l.xact_id), (SELECT max(p.last_xact_id) FROM reengage.pruned_days p))
					 + 4294967296 - pg_snapshot_xmin(pg_current_snapshot())::text::bigint, 0)
		FROM reengage.lineage l
		ON CONFLICT ON CONSTRAINT lineage_epochs_pkey DO UPDATE SET base = e.base
		RETURNING e.base INTO base;
	END IF;
	RETURN base + pg_current_xact_id()::text::bigint;
END
$$;
COMMENT ON FUNCTION reengage_internal.lineage_position() IS
	'the place of this transaction in the order of lineage; it grows across restores and promotions';
GRANT EXECUTE ON FUNCTION reengage_internal.lineage_position() TO reengage_worker;

CREATE TABLE reengage.lineage (
	lineage_id uuid NOT NULL DEFAULT reengage.uuid_v7(),
	nudge_id uuid,
	server text NOT NULL,
	outcome text NOT NULL,
	reason text,
	step text,
	requested_conversation_id text NOT NULL,
	conversation_id text NOT NULL,
	previous_conversation_id text,
	root_conversation_id text NOT NULL,
	generation integer NOT NULL,
	status_seen text,
	channel text,
	address_hash text,
	campaign text,
	attempts integer NOT NULL,
	api_calls integer NOT NULL,
	api_calls_saved integer NOT NULL,
	http_status integer,
	api_error_code text,
	api_error_message text,
	correlation_id text,
	message_id text,
	requested_at timestamptz,
	due_at timestamptz,
	checked_at timestamptz,
	called_at timestamptz,
	occurred_at timestamptz NOT NULL,
	recorded_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	xact_id bigint NOT NULL DEFAULT reengage_internal.lineage_position(),
	resolves uuid,
	schema_version integer NOT NULL DEFAULT 1,
	detail jsonb,
	CONSTRAINT lineage_pkey PRIMARY KEY (lineage_id),
	CONSTRAINT lineage_outcome_check CHECK (outcome IN (
		'notified', 'session_created', 'session_continued', 'skipped_closed',
		'refused', 'expired', 'suppressed', 'capped', 'held_out', 'cancelled',
		'answered', 'exhausted', 'in_doubt', 'resolved_sent', 'resolved_not_sent', 'imported')),
	CONSTRAINT lineage_nudge_check CHECK (CASE
		WHEN outcome = 'imported' THEN nudge_id IS NULL
		ELSE nudge_id IS NOT NULL AND requested_at IS NOT NULL AND due_at IS NOT NULL END),
	CONSTRAINT lineage_step_check CHECK (step IN ('notify', 'create')),
	CONSTRAINT lineage_previous_check CHECK (CASE
		WHEN outcome = 'session_created' THEN previous_conversation_id IS NOT NULL
		ELSE previous_conversation_id IS NULL OR outcome = 'resolved_sent' END),
	CONSTRAINT lineage_resolves_check CHECK (
		(resolves IS NOT NULL) = (outcome IN ('resolved_sent', 'resolved_not_sent')))
);
COMMENT ON TABLE reengage.lineage IS
	'what happened: the outcome of each nudge and the thread it belongs to; append-only, made to be replicated';
COMMENT ON COLUMN reengage.lineage.lineage_id IS 'identity of the row, ordered by time';
COMMENT ON COLUMN reengage.lineage.nudge_id IS 'the nudge that ended; null: a conversation that was learned of by import_history()';
COMMENT ON COLUMN reengage.lineage.server IS 'the foreign server that was called';
COMMENT ON COLUMN reengage.lineage.outcome IS 'how the nudge ended; docs/outcomes.md says what to do about each';
COMMENT ON COLUMN reengage.lineage.reason IS 'one word for why, where the outcome alone does not say it';
COMMENT ON COLUMN reengage.lineage.step IS 'the POST that the outcome is about: notify or create; null: none was made';
COMMENT ON COLUMN reengage.lineage.requested_conversation_id IS 'the conversation that the nudge named';
COMMENT ON COLUMN reengage.lineage.conversation_id IS 'where the customer is now; in doubt: the conversation that was notified, or was to be followed';
COMMENT ON COLUMN reengage.lineage.previous_conversation_id IS 'the closed conversation that conversation_id follows; null: it follows none';
COMMENT ON COLUMN reengage.lineage.root_conversation_id IS 'the first conversation of the thread';
COMMENT ON COLUMN reengage.lineage.generation IS 'how many sessions were created since the root; 0: the root itself';
COMMENT ON COLUMN reengage.lineage.status_seen IS 'the status word that the check read last';
COMMENT ON COLUMN reengage.lineage.channel IS 'the channel of the conversation';
COMMENT ON COLUMN reengage.lineage.address_hash IS 'the first 16 bytes of the HMAC-SHA256 of the customer''s address under this installation''s key, in hex: of a telephone number in E.164, of an e-mail address in lower case, of any other id as it is; the address itself is not kept';
COMMENT ON COLUMN reengage.lineage.campaign IS 'as the nudge said';
COMMENT ON COLUMN reengage.lineage.attempts IS 'attempts made, the last one included';
COMMENT ON COLUMN reengage.lineage.api_calls IS 'requests made to the API, tokens excluded';
COMMENT ON COLUMN reengage.lineage.api_calls_saved IS 'checks of conversations that were known to be dead and therefore not made; none where the nudge ended before any look, because the customer had opted out or answered';
COMMENT ON COLUMN reengage.lineage.http_status IS 'of the last answer; null: there was none';
COMMENT ON COLUMN reengage.lineage.api_error_code IS 'the API''s own code, masked like its words; printable ASCII';
COMMENT ON COLUMN reengage.lineage.api_error_message IS 'the API''s own words, cut, without what they repeat of the request (***) and without addresses; printable ASCII';
COMMENT ON COLUMN reengage.lineage.correlation_id IS 'the API''s name for the call, for its support';
COMMENT ON COLUMN reengage.lineage.message_id IS 'the API''s own id of the message, which its receipts name; printable ASCII, at most 128 characters; null: it told none';
COMMENT ON COLUMN reengage.lineage.requested_at IS 'when the nudge was asked for';
COMMENT ON COLUMN reengage.lineage.due_at IS 'when it was to run, as the nudge said';
COMMENT ON COLUMN reengage.lineage.checked_at IS 'when the last check was answered';
COMMENT ON COLUMN reengage.lineage.called_at IS 'when the first byte of the POST left';
COMMENT ON COLUMN reengage.lineage.occurred_at IS 'when the outcome became known';
COMMENT ON COLUMN reengage.lineage.recorded_at IS 'when this row was written';
COMMENT ON COLUMN reengage.lineage.resolves IS 'the in-doubt row that this one settles';
COMMENT ON COLUMN reengage.lineage.schema_version IS 'version of the meaning of these columns: raised when one comes to mean another thing, not when one is added';
COMMENT ON COLUMN reengage.lineage.xact_id IS 'the transaction that wrote the row, counted on across restores and promotions; 0: another node of the fleet wrote it, and it came here with its server; a reader that remembers how far it has read orders lineage_settled by it, then by lineage_id';
COMMENT ON COLUMN reengage.lineage.detail IS 'as the nudge said';

-- Of an index of several columns a planner may read the whole to find a later
-- one, and does where the table was empty when it looked.  Only a query that asks
-- for the first column can tell that it wants no row in which that is null, so
-- such an index is one of the rows in which it is not, although all are.
--
-- P7: a dead conversation gets at most one successor
CREATE UNIQUE INDEX lineage_successor ON reengage.lineage (server, previous_conversation_id)
	WHERE previous_conversation_id IS NOT NULL;
-- which thread a conversation belongs to that is not its root, by a number of
-- 8 bytes: an id has 36, and is written once more when its page is split.  Two ids
-- may have the same number, so who looks compares the whole, too.
CREATE INDEX lineage_conversation ON reengage.lineage (pg_catalog.hashtextextended(conversation_id, 0))
	WHERE generation > 0;
-- the tip of a thread, and its story
CREATE INDEX lineage_thread ON reengage.lineage (root_conversation_id, server, generation)
	WHERE root_conversation_id IS NOT NULL;
-- conversations that were learned of have none
CREATE INDEX lineage_nudge ON reengage.lineage (nudge_id) WHERE nudge_id IS NOT NULL;
-- a doubt is resolved once
CREATE UNIQUE INDEX lineage_resolves ON reengage.lineage (resolves) WHERE resolves IS NOT NULL;
-- a create in doubt holds back the next create on the same conversation
CREATE INDEX lineage_in_doubt ON reengage.lineage (server, conversation_id)
	WHERE outcome = 'in_doubt';
-- what a customer was told, and where; by such a number, too
CREATE INDEX lineage_customer ON reengage.lineage (pg_catalog.hashtextextended(address_hash, 0), occurred_at)
	WHERE address_hash IS NOT NULL;
-- a conversation is learned of once
CREATE UNIQUE INDEX lineage_imported ON reengage.lineage (server, conversation_id)
	WHERE outcome = 'imported';
-- what a reader has not read yet
CREATE INDEX lineage_order ON reengage.lineage (xact_id, lineage_id)
	WHERE xact_id IS NOT NULL;
-- The rows of a day are found by their ids, which are made when they are recorded.
-- This has those whose id tells another time: they were brought from elsewhere, or
-- the clock was set back.  So what is asked by time asks both.
CREATE INDEX lineage_recorded ON reengage.lineage (recorded_at)
	WHERE NOT reengage_internal.id_tells(lineage_id, recorded_at);
SELECT pg_catalog.pg_extension_config_dump('reengage.lineage', '');
GRANT SELECT ON reengage.lineage TO reengage_operator, reengage_reader;
GRANT SELECT, INSERT ON reengage.lineage TO reengage_worker;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON reengage.lineage
	FOR EACH STATEMENT EXECUTE FUNCTION reengage_internal.refuse_change();

CREATE FUNCTION reengage_internal.lineage_in_progress() RETURNS int8range
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT coalesce((
		SELECT int8range(
			e.base + pg_snapshot_xmin(now.snapshot)::text::bigint,
			e.base + greatest(pg_snapshot_xmax(now.snapshot)::text::bigint,
							  pg_current_xact_id_if_assigned()::text::bigint + 1))
		FROM reengage.lineage_epochs e, (SELECT pg_current_snapshot() AS snapshot) now
		WHERE e.system_identifier = reengage_internal.system_identifier() AND e.timeline = reengage_internal.timeline()),
		'empty')
$$;
COMMENT ON FUNCTION reengage_internal.lineage_in_progress() IS
	'the part of the order of lineage in which a transaction may still be running; empty: nothing was written since a restore or promotion';
GRANT EXECUTE ON FUNCTION reengage_internal.lineage_in_progress() TO reengage_operator, reengage_reader;

-- Rows that came with a server from another node are in the order of that node.  What
-- lies beyond the range was written by no transaction of this epoch: rows
-- of a dump that was restored late.  A reader that goes on from a pair of columns
-- says nothing that shows its rows to be in lineage_order; the first condition does.
CREATE VIEW reengage.lineage_settled AS
SELECT l.* FROM reengage.lineage l
WHERE l.xact_id OPERATOR(pg_catalog.>) 0
  AND NOT l.xact_id OPERATOR(pg_catalog.<@) (SELECT reengage_internal.lineage_in_progress());
COMMENT ON VIEW reengage.lineage_settled IS
	'lineage up to the oldest transaction that still runs: no row appears later before one that is here, in the order of xact_id and lineage_id';
GRANT SELECT ON reengage.lineage_settled TO reengage_operator, reengage_reader;

DO $$
DECLARE
	col record;
BEGIN
	FOR col IN
		SELECT a.attname, pg_catalog.col_description(a.attrelid, a.attnum) AS said
		FROM pg_catalog.pg_attribute a
		WHERE a.attrelid = 'reengage.lineage'::regclass AND a.attnum > 0
	LOOP
		EXECUTE pg_catalog.format('COMMENT ON COLUMN reengage.lineage_settled.%I IS %L', col.attname, col.said);
	END LOOP;
END
$$;
