--
-- Whom nudges may reach, when and how often.
--

CREATE OR REPLACE FUNCTION reengage_internal.policies_validate() RETURNS trigger
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

-- also of what is deleted while the server is handed over to another node
CREATE OR REPLACE TRIGGER validate BEFORE INSERT OR UPDATE OR DELETE ON reengage.policies
	FOR EACH ROW EXECUTE FUNCTION reengage_internal.policies_validate();
