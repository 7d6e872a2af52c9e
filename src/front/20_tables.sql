--
-- Tables whose partitions are on the nodes, one of each node: what people look at, and
-- the calls of functions.
--
CREATE TABLE reengage_front.node_at (node text NOT NULL) PARTITION BY LIST (node);
COMMENT ON TABLE reengage_front.node_at IS 'the name of each node, as it says itself: who reads it knows that the node answers';
COMMENT ON COLUMN reengage_front.node_at.node IS 'the node';
GRANT SELECT ON reengage_front.node_at TO reengage_application, reengage_operator, reengage_reader;

CREATE TABLE reengage_front.calls (node text NOT NULL, function_name text, arguments jsonb, result jsonb) PARTITION BY LIST (node);
COMMENT ON TABLE reengage_front.calls IS 'INSERT ... RETURNING result calls a function on a node, within this transaction: see call()';
COMMENT ON COLUMN reengage_front.calls.node IS 'the node';
COMMENT ON COLUMN reengage_front.calls.function_name IS 'the function, of its schema reengage';
COMMENT ON COLUMN reengage_front.calls.arguments IS 'by their names';
COMMENT ON COLUMN reengage_front.calls.result IS 'what it returned';
GRANT SELECT, INSERT ON reengage_front.calls TO reengage_application, reengage_operator, reengage_reader;

CREATE TABLE reengage_front.nudge_status (
	node text NOT NULL,
	nudge_id uuid,
	server text,
	requested_conversation_id text,
	campaign text,
	state text,
	reason text,
	next_attempt_at timestamptz,
	attempts integer,
	conversation_id text,
	ended_at timestamptz,
	requested_by text,
	requested_at timestamptz
) PARTITION BY LIST (node);
COMMENT ON TABLE reengage_front.nudge_status IS 'reengage.nudge_status of all nodes, each row with its node';
GRANT SELECT ON reengage_front.nudge_status TO reengage_application, reengage_operator, reengage_reader;

CREATE TABLE reengage_front.open_nudges (
	node text NOT NULL,
	nudge_id uuid,
	server text,
	requested_conversation_id text,
	campaign text,
	state text,
	reason text,
	next_attempt_at timestamptz,
	attempts integer,
	requested_by text,
	requested_at timestamptz
) PARTITION BY LIST (node);
COMMENT ON TABLE reengage_front.open_nudges IS 'reengage.open_nudges of all nodes, each row with its node';
GRANT SELECT ON reengage_front.open_nudges TO reengage_application, reengage_operator, reengage_reader;

CREATE TABLE reengage_front.nudge_counts (
	node text NOT NULL,
	server text,
	campaign text,
	requested_by text,
	state text,
	reason text,
	nudges bigint
) PARTITION BY LIST (node);
COMMENT ON TABLE reengage_front.nudge_counts IS 'reengage.nudge_counts of all nodes, each row with its node';
GRANT SELECT ON reengage_front.nudge_counts TO reengage_application, reengage_operator, reengage_reader;

CREATE TABLE reengage_front.campaign_status (
	node text NOT NULL,
	campaign text,
	server text,
	asked bigint,
	due bigint,
	due_now bigint,
	scheduled bigint,
	held bigint,
	calling bigint,
	sent bigint,
	in_doubt bigint,
	not_sent bigint,
	held_by text,
	why_not text,
	sent_per_minute numeric,
	expected_end timestamptz
) PARTITION BY LIST (node);
COMMENT ON TABLE reengage_front.campaign_status IS 'reengage.campaign_status of all nodes, each row with its node';
GRANT SELECT ON reengage_front.campaign_status TO reengage_application, reengage_operator, reengage_reader;

CREATE TABLE reengage_front.metrics (
	node text NOT NULL,
	name text,
	labels jsonb,
	value double precision,
	kind text,
	help text
) PARTITION BY LIST (node);
COMMENT ON TABLE reengage_front.metrics IS 'reengage.metrics of all nodes, each row with its node';
GRANT SELECT ON reengage_front.metrics TO reengage_operator, reengage_reader;

CREATE TABLE reengage_front.health (
	node text NOT NULL,
	subject text,
	state text,
	severity text,
	value bigint,
	unit text,
	threshold bigint,
	detail text,
	remedy text
) PARTITION BY LIST (node);
COMMENT ON TABLE reengage_front.health IS 'reengage.health of all nodes, each row with its node';
GRANT SELECT ON reengage_front.health TO reengage_operator, reengage_reader;

CREATE TABLE reengage_front.in_doubt (
	node text NOT NULL,
	lineage_id uuid,
	nudge_id uuid,
	server text,
	step text,
	conversation_id text,
	since timestamptz,
	reason text,
	http_status integer,
	api_error_message text,
	correlation_id text,
	called_at timestamptz,
	campaign text
) PARTITION BY LIST (node);
COMMENT ON TABLE reengage_front.in_doubt IS 'reengage.in_doubt of all nodes, each row with its node';
GRANT SELECT ON reengage_front.in_doubt TO reengage_operator, reengage_reader;

CREATE TABLE reengage_front.threads (
	node text NOT NULL,
	server text,
	root_conversation_id text,
	tip_conversation_id text,
	generations integer,
	nudges bigint,
	last_outcome text,
	api_calls bigint,
	api_calls_saved bigint,
	first_at timestamptz,
	last_at timestamptz,
	last_lineage_id uuid
) PARTITION BY LIST (node);
COMMENT ON TABLE reengage_front.threads IS 'reengage.threads of all nodes, each row with its node';
GRANT SELECT ON reengage_front.threads TO reengage_operator, reengage_reader;

CREATE TABLE reengage_front.lineage (
	node text NOT NULL,
	lineage_id uuid,
	nudge_id uuid,
	server text,
	outcome text,
	reason text,
	step text,
	requested_conversation_id text,
	conversation_id text,
	previous_conversation_id text,
	root_conversation_id text,
	generation integer,
	status_seen text,
	channel text,
	address_hash text,
	campaign text,
	attempts integer,
	api_calls integer,
	api_calls_saved integer,
	http_status integer,
	api_error_code text,
	api_error_message text,
	correlation_id text,
	message_id text,
	requested_at timestamptz,
	due_at timestamptz,
	checked_at timestamptz,
	called_at timestamptz,
	occurred_at timestamptz,
	recorded_at timestamptz,
	xact_id bigint,
	resolves uuid,
	schema_version integer,
	detail jsonb
) PARTITION BY LIST (node);
COMMENT ON TABLE reengage_front.lineage IS 'reengage.lineage of all nodes, each row with its node';
GRANT SELECT ON reengage_front.lineage TO reengage_operator, reengage_reader;

CREATE TABLE reengage_front.suppressions (
	node text NOT NULL,
	suppression_id uuid,
	server text,
	channel text,
	address_hash text,
	root_conversation_id text,
	label text,
	reason text,
	until timestamptz,
	origin text,
	created_by text,
	created_at timestamptz
) PARTITION BY LIST (node);
COMMENT ON TABLE reengage_front.suppressions IS 'reengage.suppressions of all nodes, each row with its node';
GRANT SELECT ON reengage_front.suppressions TO reengage_operator;

CREATE TABLE reengage_front.answers (
	node text NOT NULL,
	answer_id uuid,
	server text,
	address_hash text,
	root_conversation_id text,
	answered_at timestamptz,
	recorded_by text,
	recorded_at timestamptz
) PARTITION BY LIST (node);
COMMENT ON TABLE reengage_front.answers IS 'reengage.answers of all nodes, each row with its node';
GRANT SELECT ON reengage_front.answers TO reengage_operator;

CREATE TABLE reengage_front.pauses (
	node text NOT NULL,
	server text,
	reason text,
	paused_by text,
	since timestamptz
) PARTITION BY LIST (node);
COMMENT ON TABLE reengage_front.pauses IS 'reengage.pauses of all nodes, each row with its node';
GRANT SELECT ON reengage_front.pauses TO reengage_operator;

CREATE TABLE reengage_front.server_state (
	node text NOT NULL,
	server text,
	state text,
	reason text,
	detail text,
	step text,
	since timestamptz,
	until timestamptz
) PARTITION BY LIST (node);
COMMENT ON TABLE reengage_front.server_state IS 'reengage.server_state of all nodes, each row with its node';
GRANT SELECT ON reengage_front.server_state TO reengage_operator;
