-- All that a company has to do.
CREATE EXTENSION reengage;
CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (dialect 'messaging', api_url :'url', max_requests_per_minute '60000');
SELECT reengage.arm();

CREATE TABLE started AS SELECT clock_timestamp() AS at;
INSERT INTO reengage.nudges (conversation_id, message, time_zone, campaign, detail)
SELECT conversation_id, 'Are you still there?', customer_time_zone, 'abandoned',
	   jsonb_build_object('cart', cart_reference)
FROM usable;
