--
-- The fence.  Not dumped: what is restored is a copy, and copies stay silent.
--
CREATE TABLE reengage.identity (
	armed boolean NOT NULL DEFAULT true,
	system_identifier bigint NOT NULL,
	database_oid oid NOT NULL,
	site text NOT NULL,
	timeline integer NOT NULL,
	armed_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	armed_by text NOT NULL DEFAULT current_user,
	CONSTRAINT identity_pkey PRIMARY KEY (armed),
	CONSTRAINT identity_one_row CHECK (armed)
);
COMMENT ON TABLE reengage.identity IS
	'the fence: where sending is allowed; no row: disarmed';
COMMENT ON COLUMN reengage.identity.armed IS 'always true: there is at most one row';
COMMENT ON COLUMN reengage.identity.system_identifier IS 'of the cluster that was armed';
COMMENT ON COLUMN reengage.identity.database_oid IS 'of the database that was armed';
COMMENT ON COLUMN reengage.identity.site IS 'of the machine and data directory, or of the instance key, that was armed';
COMMENT ON COLUMN reengage.identity.timeline IS 'of the server when it was armed, or went on after a promotion';
COMMENT ON COLUMN reengage.identity.armed_at IS 'when arm() was called';
COMMENT ON COLUMN reengage.identity.armed_by IS 'who called it';
GRANT SELECT ON reengage.identity TO reengage_operator, reengage_worker;
GRANT UPDATE (timeline) ON reengage.identity TO reengage_worker;

CREATE FUNCTION reengage_internal.fence_complaint() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT CASE
		WHEN i.armed IS NULL THEN 'not armed: nothing is sent'
		WHEN i.system_identifier <> reengage_internal.system_identifier()
			THEN format('armed in another cluster (system identifier %s, here %s): this is a copy, or was made by pg_upgrade',
						i.system_identifier, reengage_internal.system_identifier())
		WHEN i.database_oid <> d.oid
			THEN format('armed in another database (oid %s, here %s): this is a copy',
						i.database_oid, d.oid)
		WHEN i.site <> reengage_internal.site()
			THEN format('armed at another site (%s, here %s): this is a copy, or the server was moved',
						i.site, reengage_internal.site())
		WHEN i.timeline <> reengage_internal.timeline() AND i.site NOT LIKE 'key:%'
			THEN format('armed on another timeline (%s, here %s): an earlier state was restored, or a standby promoted without reengage.instance_key',
						i.timeline, reengage_internal.timeline())
		WHEN i.timeline <> reengage_internal.timeline() AND current_setting('reengage.on_promotion') = 'hold'
			THEN format('armed on another timeline (%s, here %s): a standby was promoted, or an earlier state restored, and reengage.on_promotion is hold',
						i.timeline, reengage_internal.timeline())
	END
	FROM pg_database d LEFT JOIN reengage.identity i ON true
	WHERE d.datname = current_database()
$$;
COMMENT ON FUNCTION reengage_internal.fence_complaint() IS
	'why nothing may be sent from this database; null: it is armed';
GRANT EXECUTE ON FUNCTION reengage_internal.fence_complaint()
	TO reengage_application, reengage_operator, reengage_reader, reengage_worker;

-- A nudge has a place in the schedule until it has an outcome.  What has neither
-- was put in while triggers were off, or somebody has deleted the one or the other:
-- then it may have been sent, and only people know.
CREATE VIEW reengage_internal.missing AS
SELECT n.nudge_id, n.server, n.requested_by, n.priority, n.due_at, n.requested_at
FROM reengage.nudges n
WHERE NOT EXISTS (SELECT FROM reengage.lineage l WHERE l.nudge_id = n.nudge_id)
  AND NOT EXISTS (SELECT FROM reengage.due d WHERE d.nudge_id = n.nudge_id)
  AND n.server NOT IN (SELECT e.server FROM reengage_internal.servers_elsewhere e);
COMMENT ON VIEW reengage_internal.missing IS 'nudges that have neither an outcome nor a place in the schedule; reads all of them';
COMMENT ON COLUMN reengage_internal.missing.nudge_id IS 'as in nudges';
COMMENT ON COLUMN reengage_internal.missing.server IS 'as in nudges';
COMMENT ON COLUMN reengage_internal.missing.requested_by IS 'as in nudges';
COMMENT ON COLUMN reengage_internal.missing.priority IS 'as in nudges';
COMMENT ON COLUMN reengage_internal.missing.due_at IS 'as in nudges';
COMMENT ON COLUMN reengage_internal.missing.requested_at IS 'as in nudges';

CREATE FUNCTION reengage_internal.settle_missing(missing text, armed_before boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	lost record;
	part uuid[];
	made_due bigint;
	counted record;
	miscounted record;
BEGIN
	SELECT count(*) AS nudges, min(n.requested_at) AS since, max(n.requested_at) AS upto INTO lost FROM reengage_internal.missing n;
	IF lost.nudges = 0 THEN
		RETURN;
	END IF;
	-- the counters agree but for nudges that nobody has told them of, and these are as many
	SELECT bool_and(m.state = 'due' AND m.reason IS NULL AND m.nudges > 0) AND sum(m.nudges) = lost.nudges AND armed_before AS are_new,
		- sum(m.nudges) FILTER (WHERE m.state <> 'due' AND m.nudges < 0) AS outcomes
	INTO miscounted FROM reengage_internal.miscounted m;
	IF missing = 'due' OR (missing IS NULL AND miscounted.are_new) THEN
		INSERT INTO reengage.due (nudge_id, server, requested_by, priority, due_at)
		SELECT n.nudge_id, n.server, n.requested_by::name::text, n.priority, greatest(n.due_at, now())
		FROM reengage_internal.missing n
		-- of who was forgotten nothing is left to be sent
		WHERE NOT EXISTS (SELECT FROM reengage.nudges e WHERE e.nudge_id = n.nudge_id AND e.message = reengage_internal.erased())
		ON CONFLICT DO NOTHING;
		GET DIAGNOSTICS made_due = ROW_COUNT;
		RAISE NOTICE 'made % % without an outcome due again', made_due, reengage_internal.plural(made_due, 'nudge', 'nudges');
		IF made_due < lost.nudges THEN
			RAISE NOTICE 'of customers who were forgotten, and left as they are: %', lost.nudges - made_due
				USING HINT = 'SELECT reengage.arm(missing => ''gone'') deletes them and remembers their ids.';
		END IF;
	ELSIF missing = 'gone' THEN
		PERFORM reengage_internal.lock('retention', VARIADIC '{}');
		FOR part IN
			SELECT array_agg(n.nudge_id)
			FROM (SELECT m.nudge_id, (row_number() OVER (ORDER BY m.nudge_id) - 1) / 10000 AS part FROM reengage_internal.missing m) n
			GROUP BY n.part
		LOOP
			PERFORM reengage_internal.let_go(part, NULL);
		END LOOP;
		RAISE NOTICE 'deleted % % without an outcome; % known', lost.nudges, reengage_internal.plural(lost.nudges, 'nudge', 'nudges'),
			reengage_internal.plural(lost.nudges, 'its id stays', 'their ids stay');
	ELSE
		SELECT sum(m.row_count - c.here) AS rows, min(m.day) AS since INTO counted
		FROM (SELECT DISTINCT ON (n.day) n.day, n.row_count FROM reengage.lineage_manifest n ORDER BY n.day, n.as_of DESC, n.manifest_id DESC) m
			LEFT JOIN (SELECT to_char(l.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, count(*) AS rows
					   FROM reengage.lineage l GROUP BY 1) h ON h.day = m.day
			LEFT JOIN reengage.pruned_days p ON p.day = m.day
			CROSS JOIN LATERAL (SELECT coalesce(h.rows, 0) + coalesce(p.row_count, 0) AS here) c
		WHERE m.row_count > c.here;
		RAISE WARNING '% % neither an outcome nor a place in the schedule, and % so', lost.nudges, reengage_internal.plural(lost.nudges, 'nudge has', 'nudges have'),
			reengage_internal.plural(lost.nudges, 'stays', 'stay')
			USING DETAIL = format('They were asked for from %s to %s UTC. They came in while triggers were off, or somebody has deleted rows of lineage or due: then they may have been sent.%s',
					to_char(lost.since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), to_char(lost.upto AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
					concat(' By the counters, ' || miscounted.outcomes || reengage_internal.plural(miscounted.outcomes::bigint, ' outcome is missing.', ' outcomes are missing.'),
						   ' By the manifest, ' || counted.rows || reengage_internal.plural(counted.rows::bigint, ' row of lineage is', ' rows of lineage are') || ' missing since ' || counted.since || '.')),
				HINT = 'Decide: if none of them was sent, SELECT reengage.arm(missing => ''due''); if they were, or shall not be, SELECT reengage.arm(missing => ''gone'') deletes them and remembers their ids.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.settle_missing(text, boolean) IS
	'what becomes of nudges that have neither an outcome nor a place in the schedule: they become due, or go; without a word they become due only where the counters prove that they came in unseen';

CREATE FUNCTION reengage.arm(missing text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
	armed_before boolean := reengage_internal.fence_complaint() IS NULL;
	ended bigint;
	gone bigint;
	database oid := (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
BEGIN
	PERFORM reengage_internal.require_writable('cannot arm');
	IF missing NOT IN ('due', 'gone') THEN
		RAISE EXCEPTION 'invalid missing: "%"', reengage_internal.shown(missing)
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It must be due or gone.';
	END IF;
	IF armed_before THEN
		RAISE NOTICE 'already armed';
	ELSE
		INSERT INTO reengage.identity (system_identifier, database_oid, site, timeline, armed_at, armed_by)
		VALUES (reengage_internal.system_identifier(), database, reengage_internal.site(), reengage_internal.timeline(), now(), session_user)
		ON CONFLICT (armed) DO UPDATE
			SET system_identifier = EXCLUDED.system_identifier,
				database_oid = EXCLUDED.database_oid,
				site = EXCLUDED.site,
				timeline = EXCLUDED.timeline,
				armed_at = EXCLUDED.armed_at,
				armed_by = EXCLUDED.armed_by;
		-- What another database had on the wire is not repeated here, whatever the
		-- API remembers of its keys: it ends in doubt, at once.
		UPDATE reengage.unresolved SET since = '-infinity';
		UPDATE reengage.due d SET due_at = least(d.due_at, now()) WHERE d.nudge_id IN (SELECT u.nudge_id FROM reengage.unresolved u);
		UPDATE reengage.intents SET recorded_at = '-infinity';
	END IF;
	PERFORM reengage_internal.make_address_key();

	-- whole tables are compared, which may have grown a thousandfold since this
	-- session last planned that
	DISCARD PLANS;
	-- What has an outcome is not due, nor is what nobody asks for.
	DELETE FROM reengage.due d USING reengage.lineage l WHERE l.nudge_id = d.nudge_id;
	GET DIAGNOSTICS ended = ROW_COUNT;
	DELETE FROM reengage.due d WHERE NOT EXISTS (SELECT FROM reengage.nudges n WHERE n.nudge_id = d.nudge_id);
	GET DIAGNOSTICS gone = ROW_COUNT;
	IF armed_before AND ended + gone > 0 THEN
		RAISE NOTICE 'took % % out of the schedule that had an outcome, and % that % deleted', ended, reengage_internal.plural(ended, 'nudge', 'nudges'),
			gone, reengage_internal.plural(gone, 'was', 'were');
	END IF;
	PERFORM reengage_internal.settle_missing(missing, armed_before);
	DELETE FROM reengage.unresolved u WHERE NOT EXISTS (SELECT FROM reengage.due d WHERE d.nudge_id = u.nudge_id);
	-- a restore may have made nudges due before it brought the key
	UPDATE reengage.due d SET address_hash = own.address_hash
	FROM (SELECT h.nudge_id, h.address_hash
		  FROM (SELECT p.server, array_agg(p.nudge_id) AS nudge_ids, array_agg(p.address) AS addresses, array_agg(p.channel) AS channels
				FROM (SELECT n.nudge_id, n.server, n.address, n.channel, row_number() OVER (PARTITION BY n.server) / 10000 AS part
					  FROM reengage.due d JOIN reengage.nudges n ON n.nudge_id = d.nudge_id WHERE n.address IS NOT NULL) p
				GROUP BY p.server, p.part) s
			CROSS JOIN LATERAL unnest(s.nudge_ids, reengage_internal.own_customers(s.server, s.addresses, s.channels)) AS h (nudge_id, address_hash)) own
	WHERE d.nudge_id = own.nudge_id AND d.address_hash IS DISTINCT FROM own.address_hash;
	PERFORM reengage.recount();
	-- now, so that no application's first row of lineage holds up the worker's
	PERFORM reengage_internal.lineage_position();
	PERFORM reengage_internal.wake('-infinity');
END
$$;
COMMENT ON FUNCTION reengage.arm(text) IS
	'allows sending from this database in this cluster; first takes out of the schedule what has an outcome or was deleted, also where it is armed already and somebody has changed tables by hand; missing: what becomes of nudges that have neither an outcome nor a place in the schedule, of which somebody may have deleted that they were sent: due, or gone (deleted, their ids stay known); without it they stay, and a warning counts them';
GRANT EXECUTE ON FUNCTION reengage.arm(text) TO reengage_operator;

CREATE FUNCTION reengage.disarm() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
BEGIN
	DELETE FROM reengage.identity;
	IF NOT FOUND THEN
		RAISE NOTICE 'not armed';
	END IF;
	PERFORM reengage_internal.wake('-infinity');
END
$$;
COMMENT ON FUNCTION reengage.disarm() IS
	'stops sending: after the commit no call is handed to the courier; those that were are still settled';
GRANT EXECUTE ON FUNCTION reengage.disarm() TO reengage_operator;
