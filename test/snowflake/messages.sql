-- What was said: before and after each nudge, some answers at once, some within
-- hours, some too late, some more than once, and some never.
INSERT INTO messages
SELECT row_number() OVER (ORDER BY server, conversation_id, sent_at, direction), server, conversation_id, direction, sent_at, body
FROM (
	SELECT DISTINCT l.server, l.conversation_id, m.direction, m.sent_at, m.body
	FROM reengage.lineage l
		CROSS JOIN LATERAL (SELECT ('x' || left(md5(l.conversation_id || l.generation), 4))::bit(16)::integer) h(dice)
		CROSS JOIN LATERAL (VALUES
			('inbound', l.occurred_at - interval '1 day', 'I want this.'),
			('outbound', l.occurred_at + interval '1 s', 'Are you still there?'),
			('inbound', l.occurred_at + (ARRAY['40 s', '50 min', '61 min', '5 h', '30 h', '71 h 59 min 50 s', '72 h 2 min'])
				[1 + dice % 7]::interval + dice * interval '1 microsecond', 'Yes, "still", here' || chr(10) || dice),
			('inbound', l.occurred_at + interval '2 days' + dice * interval '1 ms', NULL)) m(direction, sent_at, body)
	WHERE m.direction = 'outbound' OR (dice % 4 > 0 AND (m.body IS NOT NULL OR dice % 3 = 0))) said;
