--
-- What a front reads of a node: the views and tables that people look at, each row with
-- the node that it is from, by which the front reaches only nodes that answer.  Of a server
-- that moves, or has, rows are at two nodes: those count of the one where it is.
--
CREATE VIEW reengage.node_nudge_status AS
SELECT reengage_internal.node_name() AS node, s.* FROM reengage.nudge_status s
WHERE s.server NOT IN (SELECT e.server FROM reengage_internal.servers_elsewhere e);
COMMENT ON VIEW reengage.node_nudge_status IS 'nudge_status of this node, each row with its name, for a front';
GRANT SELECT ON reengage.node_nudge_status TO reengage_application, reengage_operator, reengage_reader;

CREATE VIEW reengage.node_open_nudges AS
SELECT reengage_internal.node_name() AS node, s.* FROM reengage.open_nudges s
WHERE s.server NOT IN (SELECT e.server FROM reengage_internal.servers_elsewhere e);
COMMENT ON VIEW reengage.node_open_nudges IS 'open_nudges of this node, each row with its name, for a front';
GRANT SELECT ON reengage.node_open_nudges TO reengage_application, reengage_operator, reengage_reader;

CREATE VIEW reengage.node_nudge_counts AS SELECT reengage_internal.node_name() AS node, s.* FROM reengage.nudge_counts s;
COMMENT ON VIEW reengage.node_nudge_counts IS 'nudge_counts of this node, each row with its name, for a front';
GRANT SELECT ON reengage.node_nudge_counts TO reengage_application, reengage_operator, reengage_reader;

CREATE VIEW reengage.node_campaign_status AS SELECT reengage_internal.node_name() AS node, s.* FROM reengage.campaign_status s;
COMMENT ON VIEW reengage.node_campaign_status IS 'campaign_status of this node, each row with its name, for a front';
GRANT SELECT ON reengage.node_campaign_status TO reengage_application, reengage_operator, reengage_reader;

CREATE VIEW reengage.node_metrics AS SELECT reengage_internal.node_name() AS node, s.* FROM reengage.metrics s;
COMMENT ON VIEW reengage.node_metrics IS 'metrics of this node, each row with its name, for a front';
GRANT SELECT ON reengage.node_metrics TO reengage_operator, reengage_reader;

CREATE VIEW reengage.node_health AS SELECT reengage_internal.node_name() AS node, s.* FROM reengage.health s;
COMMENT ON VIEW reengage.node_health IS 'health of this node, each row with its name, for a front';
GRANT SELECT ON reengage.node_health TO reengage_operator, reengage_reader;

CREATE VIEW reengage.node_in_doubt AS SELECT reengage_internal.node_name() AS node, s.* FROM reengage.in_doubt s;
COMMENT ON VIEW reengage.node_in_doubt IS 'in_doubt of this node, each row with its name, for a front';
GRANT SELECT ON reengage.node_in_doubt TO reengage_operator, reengage_reader;

CREATE VIEW reengage.node_threads AS
SELECT reengage_internal.node_name() AS node, s.* FROM reengage.threads s
WHERE s.server NOT IN (SELECT e.server FROM reengage_internal.servers_elsewhere e);
COMMENT ON VIEW reengage.node_threads IS 'threads of this node, each row with its name, for a front';
GRANT SELECT ON reengage.node_threads TO reengage_operator, reengage_reader;

CREATE VIEW reengage.node_lineage AS
SELECT reengage_internal.node_name() AS node, s.* FROM reengage.lineage s
WHERE s.server NOT IN (SELECT e.server FROM reengage_internal.servers_elsewhere e);
COMMENT ON VIEW reengage.node_lineage IS 'lineage of this node, each row with its name, for a front';
GRANT SELECT ON reengage.node_lineage TO reengage_operator, reengage_reader;

CREATE VIEW reengage.node_suppressions AS SELECT reengage_internal.node_name() AS node, s.* FROM reengage.suppressions s;
COMMENT ON VIEW reengage.node_suppressions IS 'suppressions of this node, each row with its name, for a front';
GRANT SELECT ON reengage.node_suppressions TO reengage_operator;

CREATE VIEW reengage.node_answers AS SELECT reengage_internal.node_name() AS node, s.* FROM reengage.answers s;
COMMENT ON VIEW reengage.node_answers IS 'answers of this node, each row with its name, for a front';
GRANT SELECT ON reengage.node_answers TO reengage_operator;

CREATE VIEW reengage.node_pauses AS SELECT reengage_internal.node_name() AS node, s.* FROM reengage.pauses s;
COMMENT ON VIEW reengage.node_pauses IS 'pauses of this node, each row with its name, for a front';
GRANT SELECT ON reengage.node_pauses TO reengage_operator;

CREATE VIEW reengage.node_server_state AS SELECT reengage_internal.node_name() AS node, s.* FROM reengage.server_state s;
COMMENT ON VIEW reengage.node_server_state IS 'server_state of this node, each row with its name, for a front';
GRANT SELECT ON reengage.node_server_state TO reengage_operator;

-- Their columns mean what they mean there.
DO $$
DECLARE
	said record;
BEGIN
	FOR said IN
		SELECT format('COMMENT ON COLUMN reengage.%I.%I IS %L', v.relname, a.attname,
					  coalesce(col_description(('reengage.' || substr(v.relname, 6))::regclass, s.attnum), 'the name of this node')) AS statement
		FROM pg_class v JOIN pg_attribute a ON a.attrelid = v.oid AND a.attnum > 0
			LEFT JOIN pg_attribute s ON s.attrelid = ('reengage.' || substr(v.relname, 6))::regclass AND s.attname = a.attname
		WHERE v.relnamespace = 'reengage'::regnamespace AND v.relkind = 'v' AND v.relname LIKE 'node\_%' AND v.relname <> 'node_info'
	LOOP
		EXECUTE said.statement;
	END LOOP;
END
$$;
