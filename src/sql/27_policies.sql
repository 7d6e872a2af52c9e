--
-- Whom nudges may reach, when and how often.
--
CREATE FUNCTION reengage.permitted_at(t timestamptz, quiet_hours text[], time_zone text) RETURNS timestamptz
LANGUAGE C STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_permitted_at';
COMMENT ON FUNCTION reengage.permitted_at(timestamptz, text[], text) IS
	'the first instant, not before t, whose wall clock in this time zone lies in none of the quiet hours';
GRANT EXECUTE ON FUNCTION reengage.permitted_at(timestamptz, text[], text)
	TO reengage_application, reengage_operator;

CREATE TABLE reengage.policies (
	policy_id uuid NOT NULL DEFAULT reengage.uuid_v7(),
	server text NOT NULL DEFAULT reengage.default_server(),
	campaign text,
	channel text,
	quiet_hours text[],
	time_zone text,
	cap integer,
	cap_interval interval,
	minimum_gap interval,
	holdout_percent numeric,
	holdout_salt text NOT NULL DEFAULT '',
	max_length integer,
	max_due integer,
	max_per_minute integer,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	CONSTRAINT policies_pkey PRIMARY KEY (policy_id),
	CONSTRAINT policies_scope UNIQUE NULLS NOT DISTINCT (server, campaign, channel)
);
COMMENT ON TABLE reengage.policies IS
	'whom nudges may reach, when and how often: all policies that match a nudge hold together; changed by INSERT, UPDATE and DELETE, and each change is written into reengage.changes';
COMMENT ON COLUMN reengage.policies.policy_id IS 'identity of the policy';
COMMENT ON COLUMN reengage.policies.server IS 'the foreign server whose nudges it is about; default: setting reengage.default_server';
COMMENT ON COLUMN reengage.policies.campaign IS 'the campaign that it is about; null: any, and none';
COMMENT ON COLUMN reengage.policies.channel IS 'the channel that it is about; null: any';
COMMENT ON COLUMN reengage.policies.quiet_hours IS
	'when nobody is spoken to, by the wall clock of the customer: windows that begin on the days they name and may pass midnight, for example {mon-fri 20:00-08:00,"sat,sun 18:00-10:00"} or {daily 21:00-08:00}; null: never';
COMMENT ON COLUMN reengage.policies.time_zone IS 'of customers whose time zone is not known; null: their nudges wait';
COMMENT ON COLUMN reengage.policies.cap IS 'how many messages a customer may get in cap_interval; null: any number';
COMMENT ON COLUMN reengage.policies.cap_interval IS 'the rolling interval of cap; a day has 24 hours, a month 30 days';
COMMENT ON COLUMN reengage.policies.minimum_gap IS 'the shortest time between two messages to a customer; null: none';
COMMENT ON COLUMN reengage.policies.holdout_percent IS 'the share of customers, 0 to 100, who get nothing, so that their fate can be compared; null: nobody';
COMMENT ON COLUMN reengage.policies.holdout_salt IS 'chooses whom; policies with the same salt choose the same customers';
COMMENT ON COLUMN reengage.policies.max_length IS 'the most characters of a message; null: as many as a nudge may have';
COMMENT ON COLUMN reengage.policies.max_due IS 'how many nudges one role may have due at the server, scheduled ones included; what its other open transactions insert is not seen; null: any number';
COMMENT ON COLUMN reengage.policies.max_per_minute IS 'how many nudges of one role are started a minute at the server; null: any number';
COMMENT ON COLUMN reengage.policies.created_at IS 'when it was inserted';
SELECT pg_catalog.pg_extension_config_dump('reengage.policies', '');
GRANT SELECT, DELETE, INSERT (server, campaign, channel, quiet_hours, time_zone, cap, cap_interval,
		minimum_gap, holdout_percent, holdout_salt, max_length, max_due, max_per_minute),
	UPDATE (server, campaign, channel, quiet_hours, time_zone, cap, cap_interval, minimum_gap,
		holdout_percent, holdout_salt, max_length, max_due, max_per_minute) ON reengage.policies
	TO reengage_operator;
GRANT SELECT ON reengage.policies TO reengage_worker;

CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON reengage.policies
	FOR EACH ROW EXECUTE FUNCTION reengage_internal.note_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON reengage.policies
	FOR EACH STATEMENT EXECUTE FUNCTION reengage_internal.note_change();

CREATE FUNCTION reengage_internal.refuse_policy(name text, value text, detail text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RAISE EXCEPTION 'invalid % of a policy: "%"', name, left(value, 60)
		USING ERRCODE = 'invalid_parameter_value', DETAIL = detail;
END
$$;
COMMENT ON FUNCTION reengage_internal.refuse_policy(text, text, text) IS 'an error that names the value';

CREATE FUNCTION reengage_internal.policies_validate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET jit = off
AS $$
BEGIN
	IF TG_OP = 'DELETE' THEN
		PERFORM reengage_internal.admit(OLD.server);
		RETURN OLD;
	END IF;
	-- A row that carries another created_at than now comes out of a dump; to
	-- refuse it would be to lose it, and to speak to whom it protects.
	IF TG_OP = 'INSERT' AND NEW.created_at <> now() THEN
		RETURN NEW;
	END IF;
	IF TG_OP = 'INSERT' OR NEW.server IS DISTINCT FROM OLD.server THEN
		PERFORM reengage_internal.require_server(NEW.server);
	END IF;
	PERFORM reengage_internal.admit(NEW.server);
	IF TG_OP = 'UPDATE' THEN
		PERFORM reengage_internal.admit(OLD.server);
	END IF;
	IF NEW.channel !~ '^[a-z0-9_-]{1,64}$' THEN
		PERFORM reengage_internal.refuse_policy('channel', NEW.channel, 'It must be a lower-case word, for example sms.');
	END IF;
	IF NEW.campaign !~ '\S' OR length(NEW.campaign) > 256 THEN
		PERFORM reengage_internal.refuse_policy('campaign', NEW.campaign, 'It must have 1 to 256 characters.');
	END IF;
	-- both raise the error themselves
	PERFORM reengage.permitted_at(now(), '{daily 00:00-00:01}', NEW.time_zone);
	PERFORM reengage.permitted_at(now(), NEW.quiet_hours, 'UTC');
	IF NEW.cap < 0 THEN
		PERFORM reengage_internal.refuse_policy('cap', NEW.cap::text, 'It must not be negative.');
	END IF;
	IF (NEW.cap IS NULL) <> (NEW.cap_interval IS NULL) THEN
		PERFORM reengage_internal.refuse_policy('cap', coalesce(NEW.cap::text, 'null'), 'It goes with cap_interval: both are null, or none.');
	END IF;
	IF NOT NEW.cap_interval BETWEEN '1 second' AND '36500 days' THEN
		PERFORM reengage_internal.refuse_policy('cap_interval', NEW.cap_interval::text, 'It must be from a second to 36500 days.');
	END IF;
	IF NOT NEW.minimum_gap BETWEEN '1 second' AND '36500 days' THEN
		PERFORM reengage_internal.refuse_policy('minimum_gap', NEW.minimum_gap::text, 'It must be from a second to 36500 days.');
	END IF;
	IF NOT NEW.holdout_percent BETWEEN 0 AND 100 THEN
		PERFORM reengage_internal.refuse_policy('holdout_percent', NEW.holdout_percent::text, 'It must be from 0 to 100.');
	END IF;
	IF greatest(NEW.cap_interval, NEW.minimum_gap) > now() - reengage_internal.start_of_day((SELECT max(p.day) FROM reengage.pruned_days p)::date + 1) THEN
		RAISE WARNING 'what was sent before % is not counted', (SELECT max(p.day) FROM reengage.pruned_days p)::date + 1
			USING DETAIL = 'Its lineage was pruned.';
	END IF;
	IF NEW.max_length < 1 THEN
		PERFORM reengage_internal.refuse_policy('max_length', NEW.max_length::text, 'It must be 1 or more.');
	END IF;
	IF NOT NEW.max_due BETWEEN 1 AND 1000000 THEN
		PERFORM reengage_internal.refuse_policy('max_due', NEW.max_due::text, 'It must be from 1 to 1000000.');
	END IF;
	IF NEW.max_due IS NOT NULL AND (NEW.campaign IS NOT NULL OR NEW.channel IS NOT NULL) THEN
		PERFORM reengage_internal.refuse_policy('max_due', NEW.max_due::text, 'It is about a server: campaign and channel must be null.');
	END IF;
	IF NOT NEW.max_per_minute BETWEEN 1 AND 1000000 THEN
		PERFORM reengage_internal.refuse_policy('max_per_minute', NEW.max_per_minute::text, 'It must be from 1 to 1000000.');
	END IF;
	IF NEW.max_per_minute IS NOT NULL AND (NEW.campaign IS NOT NULL OR NEW.channel IS NOT NULL) THEN
		PERFORM reengage_internal.refuse_policy('max_per_minute', NEW.max_per_minute::text, 'It is about a server: campaign and channel must be null.');
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION reengage_internal.policies_validate() IS 'refuses a policy that cannot be meant, naming the value';

CREATE TRIGGER validate BEFORE INSERT OR UPDATE OR DELETE ON reengage.policies
	FOR EACH ROW EXECUTE FUNCTION reengage_internal.policies_validate();

CREATE FUNCTION reengage_internal.policies_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
BEGIN
	INSERT INTO reengage.releases (server)
	SELECT s.server FROM (SELECT OLD.server UNION SELECT NEW.server) s WHERE s.server IS NOT NULL;
	PERFORM reengage_internal.wake('-infinity');
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION reengage_internal.policies_changed() IS
	'has the worker look again at what policies hold at the server';

CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON reengage.policies
	FOR EACH ROW EXECUTE FUNCTION reengage_internal.policies_changed();
