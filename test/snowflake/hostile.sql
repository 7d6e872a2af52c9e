-- Text that a file, a stream or JSON may spoil, in every column of text: a thread of two
-- sessions for each.  What is long stands only in columns that have no index.
CREATE TABLE hostile AS
SELECT n, text, CASE WHEN length(text) < 100 THEN text ELSE 'long' END || ' of ' || n AS id
FROM unnest(ARRAY[
	'back\slash', '\', '\\', 'ends with \', '\N', '\n', '\t and \b', '\,', '\"', 'C:\new\table',
	'', ' ', ' spaces before and after ', '''', '"', '""', '"quoted"', 'one "quote', 'a,comma', ',', 'a;semi|pipe~tilde',
	E'a\nline', E'\n', E'ends with a line\n', E'a\r\nline', E'\r', E'a\ttab', E'quoted, and "a\nline" with \\',
	'NULL', 'null', 'Ärger über Größe', '漢字とかな', 'cart 🛒 and family 👨‍👩‍👧', E'e\u0301 and \u00e9', E'\ufeffa mark', E'a\u2028line',
	E'\u0001 and \u007f', '{"a": "b\n"}', '{{ x }} ${y} %s $1 :z', '<b>&amp;</b>', '--; DROP', '2026-11-28', '00123', '1e5', 'true',
	'__debezium_unavailable_value', repeat('long \ "text", ', 700)]) WITH ORDINALITY t(text, n);

INSERT INTO reengage.lineage
	(nudge_id, server, outcome, reason, step, requested_conversation_id, conversation_id, previous_conversation_id,
	 root_conversation_id, generation, status_seen, channel, address_hash, campaign, attempts, api_calls, api_calls_saved,
	 http_status, api_error_code, api_error_message, correlation_id, message_id, requested_at, due_at, checked_at, called_at,
	 occurred_at, detail)
SELECT md5(id || g)::uuid, 'server ' || id, 'session_created', text, 'create', id, id || ' session ' || g,
	   CASE g WHEN 1 THEN id ELSE id || ' session 1' END, id, g, text, text, CASE WHEN length(text) < 100 THEN text END, text,
	   1, 2, 0, 202, text, text, text, text, now() - interval '1 hour', '1969-07-20 20:17:40.123456+00'::timestamptz,
	   '1044-03-15 12:00:00.000001+00'::timestamptz, '9999-12-31 23:59:59.999999+00'::timestamptz, now() + g * interval '1 microsecond',
	   CASE WHEN n % 5 > 0 THEN jsonb_build_object(text, text, 'list', jsonb_build_array(text, 1.10, 1e20, -0.5, 12345678901234567890, true, null, '{}'::jsonb),
												   'a/b~c', jsonb_build_object('', text)) END
FROM hostile CROSS JOIN generate_series(1, 2) g
ORDER BY n, g;
