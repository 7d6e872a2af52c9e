--
-- A subscriber of several nodes.  Their ids are unique over all of them, but a day is
-- counted by each for itself, so each row needs to say whose it is.  No node says so, as
-- none knows that there are others: the subscription that brings a row does, by its name.
--
CREATE FUNCTION reengage_internal.collector_tables() RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT $plain$
ALTER TABLE reengage.lineage ADD COLUMN IF NOT EXISTS node text;
ALTER TABLE reengage.lineage_manifest ADD COLUMN IF NOT EXISTS node text;
ALTER TABLE reengage.pruned_days ADD COLUMN IF NOT EXISTS node text;
COMMENT ON COLUMN reengage.lineage.node IS 'the node that wrote the row: the name of the subscription that brought it';
COMMENT ON COLUMN reengage.lineage_manifest.node IS 'the node that counted: the name of the subscription that brought the row';
COMMENT ON COLUMN reengage.pruned_days.node IS 'the node whose rows are gone';

DO $known$
DECLARE
	brought_by name;
BEGIN
	IF EXISTS (SELECT FROM reengage.lineage l WHERE l.node IS NULL) OR EXISTS (SELECT FROM reengage.lineage_manifest m WHERE m.node IS NULL)
		OR EXISTS (SELECT FROM reengage.pruned_days p WHERE p.node IS NULL) THEN
		SELECT min(s.subname) INTO brought_by FROM pg_subscription s
		WHERE s.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()) HAVING count(*) = 1;
		IF brought_by IS NULL THEN
			RAISE EXCEPTION 'there are rows of which nobody can tell the node'
				USING DETAIL = 'They were here before, and this database has not just one subscription, whose name would be that of the node.',
					  HINT = 'Give lineage, lineage_manifest and pruned_days the column yourself: ALTER TABLE reengage.lineage ADD COLUMN node text, and UPDATE reengage.lineage SET node = ''the name of the node'' WHERE node IS NULL.';
		END IF;
		UPDATE reengage.lineage SET node = brought_by WHERE node IS NULL;
		UPDATE reengage.lineage_manifest SET node = brought_by WHERE node IS NULL;
		UPDATE reengage.pruned_days SET node = brought_by WHERE node IS NULL;
	END IF;
END
$known$;
ALTER TABLE reengage.lineage ALTER COLUMN node SET NOT NULL;
ALTER TABLE reengage.lineage_manifest ALTER COLUMN node SET NOT NULL;
ALTER TABLE reengage.pruned_days ALTER COLUMN node SET NOT NULL;
ALTER TABLE reengage.pruned_days DROP CONSTRAINT IF EXISTS pruned_days_pkey;
ALTER TABLE reengage.pruned_days ADD CONSTRAINT pruned_days_pkey PRIMARY KEY (node, day);
CREATE INDEX IF NOT EXISTS lineage_node_recorded ON reengage.lineage (node, recorded_at);
CREATE INDEX IF NOT EXISTS lineage_manifest_node ON reengage.lineage_manifest (node, day, as_of);

CREATE OR REPLACE FUNCTION reengage_internal.receive() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $receive$
DECLARE
	is_here boolean;
BEGIN
	IF NEW.node IS NULL THEN
		-- whoever applies or copies for a subscription does so until it ends, and begins anew when that gets another name
		NEW.node := nullif(current_setting('reengage_collector.node', true), '');
		IF NEW.node IS NULL THEN
			SELECT s.subname INTO NEW.node FROM pg_stat_subscription s WHERE s.pid = pg_backend_pid();
			PERFORM set_config('reengage_collector.node', NEW.node, false);
		END IF;
	END IF;
	IF NEW.node IS NULL THEN
		RAISE EXCEPTION 'of which node this row of % is, nobody says', TG_TABLE_NAME
			USING ERRCODE = 'not_null_violation', HINT = 'A subscription brings its name. Whoever inserts rows otherwise names the node in the column node.';
	END IF;
	-- a subscription that is made anew, as its slot was lost, copies all again
	IF TG_TABLE_NAME = 'lineage' THEN
		SELECT true INTO is_here FROM reengage.lineage l WHERE l.lineage_id = NEW.lineage_id;
	ELSE
		SELECT true INTO is_here FROM reengage.lineage_manifest m WHERE m.manifest_id = NEW.manifest_id;
	END IF;
	RETURN CASE WHEN is_here THEN NULL ELSE NEW END;
END
$receive$;
COMMENT ON FUNCTION reengage_internal.receive() IS
	'gives a row that arrives the name of its node, that of the subscription; drops one that is here';
CREATE OR REPLACE TRIGGER receive BEFORE INSERT ON reengage.lineage FOR EACH ROW EXECUTE FUNCTION reengage_internal.receive();
CREATE OR REPLACE TRIGGER receive BEFORE INSERT ON reengage.lineage_manifest FOR EACH ROW EXECUTE FUNCTION reengage_internal.receive();
ALTER TABLE reengage.lineage ENABLE ALWAYS TRIGGER receive;
ALTER TABLE reengage.lineage_manifest ENABLE ALWAYS TRIGGER receive;$plain$
$$;
COMMENT ON FUNCTION reengage_internal.collector_tables() IS
	'the statements that give the tables of a subscriber the column node, and what fills it';
GRANT EXECUTE ON FUNCTION reengage_internal.collector_tables() TO reengage_operator, reengage_reader;

CREATE FUNCTION reengage_internal.collector_counting() RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT $plain$
DROP FUNCTION IF EXISTS reengage_internal.count_lineage(timestamptz, timestamptz);
DROP FUNCTION IF EXISTS reengage_internal.count_lineage_1_0(timestamptz, timestamptz);

CREATE OR REPLACE FUNCTION reengage_internal.count_of(m reengage.lineage_manifest, OUT row_count bigint, OUT digest bigint, OUT column_sums text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $count$
DECLARE
	since timestamptz := reengage_internal.start_of_day(m.day::date);
	before timestamptz := coalesce(m.up_to, reengage_internal.start_of_day(m.day::date + 1));
BEGIN
	IF m.column_sums IS NULL THEN
		SELECT c.row_count, c.digest INTO row_count, digest FROM reengage_internal.count_lineage_1_0(since, before, m.node) c;
	ELSE
		SELECT c.row_count, c.digest, c.column_sums INTO row_count, digest, column_sums FROM reengage_internal.count_lineage(since, before, m.node) c;
	END IF;
END
$count$;

CREATE OR REPLACE FUNCTION reengage_internal.pruned_of(m reengage.lineage_manifest) RETURNS reengage.pruned_days
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $count$
	SELECT p FROM reengage.pruned_days p WHERE p.node = m.node AND p.day = m.day
$count$;

CREATE OR REPLACE FUNCTION reengage_internal.places_of(m reengage.lineage_manifest) RETURNS TABLE (lineage_id uuid, place bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $count$
	SELECT l.lineage_id, reengage.canonical_hash(reengage.canonical(l.lineage_id)) FROM reengage.lineage l
	WHERE l.node = m.node AND l.recorded_at >= reengage_internal.start_of_day(m.day::date)
	  AND l.recorded_at < coalesce(m.up_to, reengage_internal.start_of_day(m.day::date + 1))
$count$;$plain$
$$;
COMMENT ON FUNCTION reengage_internal.collector_counting() IS
	'count_of(), pruned_of() and places_of() as a database with rows of several nodes has them';
GRANT EXECUTE ON FUNCTION reengage_internal.collector_counting() TO reengage_operator, reengage_reader;

-- The column node is behind those that a view of one node has, so that it can take its place.
CREATE FUNCTION reengage_internal.collector_views() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT concat_ws(E'\n', $plain$CREATE OR REPLACE VIEW reengage.reconciliation AS
SELECT m.day, c.state, (m.newest).row_count AS rows_counted, c.rows_here, c.rows_pruned,
	(m.newest).digest AS digest_counted, c.digest_here, c.digest_pruned, (m.newest).as_of, c.columns_differ, (m.newest).up_to, c.covers, m.node
FROM (SELECT DISTINCT ON (n.node, n.day) n.node, n.day, n AS newest FROM reengage.lineage_manifest n
	  ORDER BY n.node, n.day, n.as_of DESC, n.manifest_id DESC) m
	CROSS JOIN LATERAL reengage_internal.compare_day(m.newest) c;$plain$,
		reengage_internal.subscriber_comments('reengage.reconciliation'),
		$plain$COMMENT ON COLUMN reengage.reconciliation.node IS 'the node that counted, and whose rows are compared';

CREATE OR REPLACE VIEW reengage.reconciliation_rows AS
SELECT m.day, l.column_name, l.lineage_id, coalesce(l.finding,
		CASE WHEN c.state <> 'a row differs' THEN format('%s %s', abs(t.too_many), c.state)
			ELSE c.state || ': compare them one by one, by reengage.lineage_digest()' END) AS finding, l.place, m.node
FROM (SELECT DISTINCT ON (n.node, n.day) n.node, n.day, n AS newest FROM reengage.lineage_manifest n
	  ORDER BY n.node, n.day, n.as_of DESC, n.manifest_id DESC) m
	CROSS JOIN LATERAL reengage_internal.compare_day(m.newest) c
	CROSS JOIN LATERAL (SELECT c.rows_here + c.rows_pruned - (m.newest).row_count AS too_many) t
	LEFT JOIN LATERAL reengage_internal.locate_rows(m.newest, c.sums, t.too_many) l ON true
WHERE c.state NOT IN ('equal', 'equal so far', 'pruned');$plain$,
		reengage_internal.subscriber_comments('reengage.reconciliation_rows'),
		$plain$COMMENT ON COLUMN reengage.reconciliation_rows.node IS 'the node that counted: reengage.find_lineage() there finds a row by its place';

CREATE OR REPLACE VIEW reengage.collected AS
SELECT n.node, s.subname IS NOT NULL AS is_subscribed,
	EXISTS (SELECT FROM pg_stat_subscription w WHERE w.subid = s.oid AND w.pid IS NOT NULL AND w.relid IS NULL) AS is_working,
	NOT EXISTS (SELECT FROM pg_subscription_rel r WHERE r.srsubid = s.oid AND r.srsubstate <> 'r') AND s.oid IS NOT NULL AS is_copied,
	(SELECT max(l.recorded_at) FROM reengage.lineage l WHERE l.node = n.node) AS newest_row,
	(SELECT max(m.as_of) FROM reengage.lineage_manifest m WHERE m.node = n.node) AS newest_count
FROM (SELECT m.node FROM reengage.lineage_manifest m
	  UNION SELECT t.subname::text FROM pg_subscription t WHERE t.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())) n
	LEFT JOIN pg_subscription s ON s.subname = n.node AND s.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
COMMENT ON VIEW reengage.collected IS 'each node that rows came from, or that a subscription is named after: whether it still brings some, and when the newest were written there';
COMMENT ON COLUMN reengage.collected.node IS 'the node, as its subscription is named';
COMMENT ON COLUMN reengage.collected.is_subscribed IS 'is there a subscription of this name?';
COMMENT ON COLUMN reengage.collected.is_working IS 'is somebody at work for it? One that cannot reach its node, or has lost its slot, begins again and again: look into the log';
COMMENT ON COLUMN reengage.collected.is_copied IS 'has it copied what was there before?';
COMMENT ON COLUMN reengage.collected.newest_row IS 'when the newest row of lineage was recorded there';
COMMENT ON COLUMN reengage.collected.newest_count IS 'when the newest row of the manifest was written there';$plain$)
$$;
COMMENT ON FUNCTION reengage_internal.collector_views() IS
	'the views of a database with rows of several nodes';
GRANT EXECUTE ON FUNCTION reengage_internal.collector_views() TO reengage_operator, reengage_reader;
