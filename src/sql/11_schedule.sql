--
-- What is due.  Narrow, and the only table that the scheduler scans.  It is dumped:
-- what is neither here nor has an outcome in lineage may have been sent, by whoever
-- deleted that.
--
CREATE TABLE reengage.due (
	nudge_id uuid NOT NULL,
	due_at timestamptz NOT NULL,
	api_calls integer NOT NULL DEFAULT 0,
	priority smallint NOT NULL,
	attempt smallint NOT NULL DEFAULT 0,
	fencing_token integer NOT NULL DEFAULT 0,
	refusals smallint NOT NULL DEFAULT 0,
	server text NOT NULL,
	requested_by text COLLATE "C" NOT NULL,
	hold text,
	hold_reason text,
	address_hash text,
	CONSTRAINT due_pkey PRIMARY KEY (nudge_id),
	CONSTRAINT due_hold_check CHECK (hold IN (
		'policy', 'doubt', 'server', 'rate_limit', 'retry', 'connection', 'busy', 'customer',
		'unresolved_customer', 'unresolved_thread', 'superseded', 'recording', 'standby'))
) WITH (
	-- a queue lives on dead rows being removed early, whatever its size
	autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
	autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off
);
SELECT pg_catalog.pg_extension_config_dump('reengage.due', '');
CREATE UNIQUE INDEX due_order ON reengage.due (server, priority, requested_by, due_at, nudge_id)
	WHERE server IS NOT NULL;
-- what is due to a customer, by the addresses that nudges name themselves
CREATE INDEX due_customer ON reengage.due (address_hash) WHERE address_hash IS NOT NULL;
COMMENT ON TABLE reengage.due IS
	'the schedule: which nudge may run when; kept by triggers and the worker';
COMMENT ON COLUMN reengage.due.nudge_id IS 'the nudge';
COMMENT ON COLUMN reengage.due.due_at IS 'the earliest time of the next attempt';
COMMENT ON COLUMN reengage.due.api_calls IS 'requests made to the API so far, tokens excluded';
COMMENT ON COLUMN reengage.due.priority IS '0 (most urgent) to 9';
COMMENT ON COLUMN reengage.due.attempt IS 'attempts that were made and had no effect';
COMMENT ON COLUMN reengage.due.fencing_token IS 'how often it was put back, for whatever reason; what an intent with an earlier token may have had on the wire had no effect';
COMMENT ON COLUMN reengage.due.refusals IS 'calls that the API forbade (401, 403) to this nudge alone; at the fourth it ends as refused';
COMMENT ON COLUMN reengage.due.server IS 'the foreign server';
COMMENT ON COLUMN reengage.due.requested_by IS 'the role that asked: within a server and priority, roles get their turns one after another';
COMMENT ON COLUMN reengage.due.hold IS 'why due_at was moved, as one of the codes that due_hold_check lists; null: nothing but its time';
COMMENT ON COLUMN reengage.due.hold_reason IS 'the same in words, with the particulars, as nudge_status shows it';
COMMENT ON COLUMN reengage.due.address_hash IS 'the nudge''s own address, as in lineage.address_hash, or the customer whom a look told of while an opt-out or answer was being recorded; null: neither';

-- what people can let go: see reengage.releases
CREATE INDEX due_held ON reengage.due (server)
	WHERE hold IN ('policy', 'doubt');
GRANT SELECT ON reengage.due TO reengage_operator;
GRANT SELECT, UPDATE, DELETE ON reengage.due TO reengage_worker;

CREATE TRIGGER no_truncate BEFORE TRUNCATE ON reengage.due
	FOR EACH STATEMENT EXECUTE FUNCTION reengage_internal.refuse_truncate();

CREATE TABLE reengage.releases (server text NOT NULL);
-- it has no key, as two who decide wait for nobody; a publication of all tables
-- must not keep the worker from deleting its rows
ALTER TABLE reengage.releases REPLICA IDENTITY FULL;
COMMENT ON TABLE reengage.releases IS
	'servers of which something was decided that may let go of nudges that are held: a policy has changed, a doubt was resolved; the worker takes the rows, and looks at those nudges again';
COMMENT ON COLUMN reengage.releases.server IS 'the foreign server';
-- UPDATE lets it lock what it deletes
GRANT SELECT, INSERT, UPDATE, DELETE ON reengage.releases TO reengage_worker;

CREATE FUNCTION reengage_internal.check_max_due(server text, asker text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	most bigint := (SELECT min(p.max_due) FROM reengage.policies p WHERE p.server = check_max_due.server);
	-- no more of them are read than decide it
	due bigint := (SELECT count(*) FROM (
		SELECT FROM generate_series(0, 9) AS priorities (priority)
			CROSS JOIN LATERAL (
				SELECT FROM reengage.due d
				WHERE most IS NOT NULL AND d.server = check_max_due.server AND d.priority = priorities.priority
				  AND d.requested_by = check_max_due.asker
				LIMIT most + 1) d
		LIMIT most + 1) d);
BEGIN
	IF due > most THEN
		RAISE EXCEPTION 'role "%" would have more than % % due at server "%"', asker, most, reengage_internal.plural(most, 'nudge', 'nudges'), server
			USING ERRCODE = 'configuration_limit_exceeded',
				  DETAIL = format('A policy (max_due) allows each role %s there, scheduled ones included.', most),
				  HINT = 'Ask for fewer, or again when some have ended; an operator can raise max_due in reengage.policies.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.check_max_due(text, text) IS
	'an error if a role has more nudges due at a server than its policies allow, as far as the snapshot shows them';

CREATE FUNCTION reengage_internal.nudges_schedule() RETURNS trigger
LANGUAGE C SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_nudges_schedule';
COMMENT ON FUNCTION reengage_internal.nudges_schedule() IS 'makes inserted nudges due, and wakes the worker at commit';

CREATE TRIGGER schedule AFTER INSERT ON reengage.nudges
	REFERENCING NEW TABLE AS new_nudges
	FOR EACH STATEMENT EXECUTE FUNCTION reengage_internal.nudges_schedule();
