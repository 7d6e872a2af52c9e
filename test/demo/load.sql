-- What the simulated API knows: the conversations of the extract.
CREATE TABLE known_to_api (
	conversation_id text, status text, channel text, customer_address text, customer_time_zone text,
	last_inbound_at text, abandoned_at text, cart_reference text, consent text, note text, extracted_at text);
COPY known_to_api FROM :'file' WITH (FORMAT csv, HEADER true, NULL '\N');
COPY (
	SELECT DISTINCT ON (conversation_id) conversation_id, status, channel, customer_address
	FROM known_to_api
	WHERE conversation_id ~ '^[A-Za-z0-9._~-]+$' AND conversation_id NOT IN ('.', '..')
	  AND status IN ('active', 'ringing', 'closed', 'disconnected', 'terminated') AND customer_address IS NOT NULL
	ORDER BY conversation_id, extracted_at DESC
) TO :'conversations' WITH (FORMAT csv, HEADER true);
