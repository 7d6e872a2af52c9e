-- A history extract of a million customers' worth of conversations, with the
-- defects of the example, as a warehouse unloads it.
COPY (
	SELECT CASE n % 100 WHEN 0 THEN NULL WHEN 1 THEN '../../oauth/token'
			ELSE md5((n - n % 97 / 96)::text)::uuid::text END AS "CONVERSATION_ID",
		(ARRAY['closed', 'closed', 'closed', 'closed', 'active', 'ringing', 'terminated', 'zombie'])[1 + (n % 71) % 8] AS "STATUS",
		(ARRAY['sms', 'whatsapp', 'webmessaging', 'open'])[1 + n % 4] AS "CHANNEL",
		CASE WHEN n % 101 > 0 THEN '+1' || (2000000000 + n * 7 / 10) END AS "CUSTOMER_ADDRESS",
		(ARRAY['America/New_York', 'Australia/Sydney', 'Asia/Kolkata', 'Europe/Berlin', 'Mars/Olympus'])[1 + n % 5] AS "CUSTOMER_TIME_ZONE",
		to_char(timestamp '2026-03-01' + n * interval '1 s', 'YYYY-MM-DD HH24:MI:SS.MS') || ' -0800' AS "LAST_INBOUND_AT",
		CASE WHEN n % 103 > 0 THEN to_char(timestamp '2026-03-01' + n * interval '1 s', 'YYYY-MM-DD HH24:MI:SS.MS') || ' +0530'
			ELSE 'yesterday-ish' END AS "ABANDONED_AT",
		'C-' || n AS "CART_REFERENCE",
		n % 107 > 0 AS "CONSENT",
		(ARRAY['naïve café ☕', 'line one' || chr(10) || 'line two', 'asked about "returns"'])[1 + n % 4] AS "NOTE",
		'2026-03-22 12:00:00.000 -0800' AS "EXTRACTED_AT"
	FROM generate_series(1, :records) n
) TO :'file' WITH (FORMAT csv, HEADER true, NULL '\N', ENCODING 'UTF8');
