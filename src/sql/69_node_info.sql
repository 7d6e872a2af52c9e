--
-- What a front has to know of a node before it relies on it.
--
CREATE FUNCTION reengage_internal.about_node(OUT node text, OUT fence_complaint text, OUT system_identifier bigint, OUT key_digest text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	-- by the digest two nodes see whether they hash addresses alike; it does not tell how
	SELECT reengage_internal.node_name(), reengage_internal.fence_complaint(), reengage_internal.system_identifier(),
		(SELECT encode(sha256(k.key), 'hex') FROM reengage_internal.address_key_in_use k)
$$;
COMMENT ON FUNCTION reengage_internal.about_node() IS 'what node_info says of this database that not everybody can look up';
GRANT EXECUTE ON FUNCTION reengage_internal.about_node() TO reengage_operator, reengage_reader;

CREATE VIEW reengage.node_info WITH (security_barrier) AS
SELECT a.node,
	(SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'reengage') AS version,
	pg_catalog.current_setting('server_version_num')::integer AS server_version_num,
	a.fence_complaint,
	a.system_identifier,
	(SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()) AS database_oid,
	a.key_digest,
	ARRAY(SELECT s.srvname::text FROM pg_catalog.pg_foreign_server s
			  JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw
		  WHERE w.fdwname = 'reengage'
			AND NOT EXISTS (SELECT FROM reengage_internal.servers_elsewhere e WHERE e.server = s.srvname) ORDER BY s.srvname) AS servers
FROM reengage_internal.about_node() a;
COMMENT ON VIEW reengage.node_info IS
	'what a front has to know of a node before it relies on it: one row';
COMMENT ON COLUMN reengage.node_info.node IS 'the name of this node; null: it is in no fleet';
COMMENT ON COLUMN reengage.node_info.version IS 'of the extension in this database';
COMMENT ON COLUMN reengage.node_info.server_version_num IS 'of PostgreSQL';
COMMENT ON COLUMN reengage.node_info.fence_complaint IS 'why nothing is sent from here; null: it is armed';
COMMENT ON COLUMN reengage.node_info.system_identifier IS 'of this cluster: with database_oid, two names of one node are found out';
COMMENT ON COLUMN reengage.node_info.database_oid IS 'of this database';
COMMENT ON COLUMN reengage.node_info.key_digest IS 'the SHA-256 of the key of address hashes, in hexadecimal; null: there is none yet';
COMMENT ON COLUMN reengage.node_info.servers IS 'the foreign servers that nudges of this node can name';
GRANT SELECT ON reengage.node_info TO reengage_operator, reengage_reader;
