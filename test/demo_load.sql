-- A plain staging load of the history extract: what can be used, and what not.
CREATE TABLE staging (
	conversation_id text, status text, channel text, customer_address text, customer_time_zone text,
	last_inbound_at text, abandoned_at text, cart_reference text, consent text, note text, extracted_at text);
COPY staging FROM :'file' WITH (FORMAT csv, HEADER true, NULL '\N');

CREATE FUNCTION to_time(value text) RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN
	RETURN value::timestamptz;
EXCEPTION WHEN data_exception THEN
	RETURN NULL;
END
$$;

CREATE TABLE usable AS
SELECT DISTINCT ON (conversation_id) *
FROM staging
WHERE conversation_id ~ '^[A-Za-z0-9._~-]{1,128}$' AND conversation_id NOT IN ('.', '..')
  AND status IN ('active', 'ringing', 'closed', 'disconnected', 'terminated')
  AND customer_address IS NOT NULL
  AND consent = 'true'
  AND customer_time_zone IN (SELECT name FROM pg_timezone_names)
  AND to_time(abandoned_at) < now()
  AND to_time(last_inbound_at) <= to_time(abandoned_at) + interval '1 day'
ORDER BY conversation_id, to_time(extracted_at) DESC, to_time(abandoned_at) DESC;

-- what the simulated API knows about them
COPY (SELECT conversation_id, status, channel, customer_address FROM usable)
	TO :'conversations' WITH (FORMAT csv, HEADER true);

SELECT (SELECT count(*) FROM staging) AS records, count(*) AS usable,
	   count(*) FILTER (WHERE status IN ('active', 'ringing')) AS said_to_be_live,
	   count(DISTINCT customer_address) AS customers
FROM usable;
