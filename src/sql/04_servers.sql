--
-- Servers: organisations at messaging APIs, and what the worker knows of each.
--
CREATE FUNCTION reengage_internal.fdw_validator(options text[], catalog oid) RETURNS void
LANGUAGE C STRICT SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_fdw_validator';
COMMENT ON FUNCTION reengage_internal.fdw_validator(text[], oid) IS
	'checks the options of CREATE SERVER ... FOREIGN DATA WRAPPER reengage';

CREATE FOREIGN DATA WRAPPER reengage VALIDATOR reengage_internal.fdw_validator;
COMMENT ON FOREIGN DATA WRAPPER reengage IS
	'a server of this wrapper is one organisation at one messaging API';

CREATE FUNCTION reengage.default_server() RETURNS text
LANGUAGE C STABLE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'reengage_default_server_sql';
COMMENT ON FUNCTION reengage.default_server() IS
	'the setting reengage.default_server; an error when it is empty';
GRANT EXECUTE ON FUNCTION reengage.default_server() TO reengage_application, reengage_operator;

CREATE FUNCTION reengage_internal.require_server(server text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_foreign_server s
						JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw AND w.fdwname = 'reengage'
				   WHERE s.srvname = require_server.server) THEN
		RAISE EXCEPTION 'server "%" does not exist', reengage_internal.shown(server)
			USING ERRCODE = 'undefined_object',
				  DETAIL = 'There is no foreign server of this name with the wrapper reengage.';
	END IF;
END
$$;
COMMENT ON FUNCTION reengage_internal.require_server(text) IS
	'an error if there is no such server of the wrapper reengage';

CREATE FUNCTION reengage_internal.country_code_of(server text) RETURNS text
LANGUAGE C STABLE STRICT
AS 'MODULE_PATHNAME', 'reengage_country_code_of';
COMMENT ON FUNCTION reengage_internal.country_code_of(text) IS
	'the default_country_code of a server; null: it has none';
GRANT EXECUTE ON FUNCTION reengage_internal.country_code_of(text) TO reengage_operator;

CREATE TABLE reengage.server_state (
	server text NOT NULL,
	state text NOT NULL,
	reason text NOT NULL,
	detail text,
	step text,
	since timestamptz NOT NULL DEFAULT pg_catalog.now(),
	until timestamptz,
	CONSTRAINT server_state_pkey PRIMARY KEY (server),
	CONSTRAINT server_state_check CHECK (state IN ('blocked', 'resting', 'attention')),
	CONSTRAINT server_state_step_check CHECK (step IN ('check', 'notify', 'create'))
);
COMMENT ON TABLE reengage.server_state IS
	'servers that are not called as usual, and why, or what an operator has to know; no row: nothing is known against it';
COMMENT ON COLUMN reengage.server_state.server IS 'the foreign server';
COMMENT ON COLUMN reengage.server_state.state IS
	'blocked: the worker cannot or may not call it, and tries again from time to time; resting: the API asked not to be called; attention: it is called, but refused a nudge what it has granted nobody since';
COMMENT ON COLUMN reengage.server_state.reason IS 'what is wrong, in words that say nothing of anybody''s call';
COMMENT ON COLUMN reengage.server_state.detail IS 'the nudges and conversations that met it, and the API''s own words, as lineage.api_error_message has them; null: there is no more to say';
COMMENT ON COLUMN reengage.server_state.step IS 'the kind of call that was refused, or too many: check, notify or create; null: any';
COMMENT ON COLUMN reengage.server_state.since IS 'since when';
COMMENT ON COLUMN reengage.server_state.until IS 'not to be called before; null: tried again from time to time';
GRANT SELECT ON reengage.server_state TO reengage_operator;
GRANT SELECT, INSERT, UPDATE, DELETE ON reengage.server_state TO reengage_worker;
