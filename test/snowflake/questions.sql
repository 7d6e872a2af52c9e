-- LINEAGE
SELECT lineage_id, nudge_id, server, outcome, reason, step, requested_conversation_id, conversation_id,
	previous_conversation_id, root_conversation_id, generation, status_seen, channel, address_hash, campaign,
	attempts, api_calls, api_calls_saved, http_status, api_error_code, api_error_message, correlation_id,
	message_id, requested_at AT TIME ZONE 'UTC' AS requested_at, due_at AT TIME ZONE 'UTC' AS due_at,
	checked_at AT TIME ZONE 'UTC' AS checked_at, called_at AT TIME ZONE 'UTC' AS called_at,
	occurred_at AT TIME ZONE 'UTC' AS occurred_at, recorded_at AT TIME ZONE 'UTC' AS recorded_at, resolves,
	schema_version, detail
FROM reengage.lineage;

-- NUDGES
SELECT n.nudge_id, n.server, n.campaign, last.outcome, last.reason, last.step, n.conversation_id AS requested_conversation_id,
	last.conversation_id, last.previous_conversation_id, last.root_conversation_id, last.generation, last.channel,
	last.address_hash, first.checked_at AT TIME ZONE 'UTC' AS checked_at,
	EXISTS (SELECT FROM reengage.lineage d WHERE d.nudge_id = n.nudge_id AND d.outcome = 'in_doubt') AS was_in_doubt,
	last.outcome = ANY ('{notified,session_created,session_continued,resolved_sent}') AS is_sent,
	coalesce(first.called_at, first.occurred_at) AT TIME ZONE 'UTC' AS ended_at,
	(SELECT s.message_id FROM reengage.lineage s WHERE s.nudge_id = n.nudge_id AND s.message_id IS NOT NULL) AS message_id,
	(SELECT sum(s.api_calls) FROM reengage.lineage s WHERE s.nudge_id = n.nudge_id) AS api_calls,
	(SELECT sum(s.api_calls_saved) FROM reengage.lineage s WHERE s.nudge_id = n.nudge_id) AS api_calls_saved
FROM reengage.nudges n
	CROSS JOIN LATERAL (SELECT * FROM reengage.lineage l WHERE l.nudge_id = n.nudge_id AND l.resolves IS NULL) first
	CROSS JOIN LATERAL (SELECT * FROM reengage.lineage l WHERE l.nudge_id = n.nudge_id
						ORDER BY l.resolves IS NULL LIMIT 1) last;

-- OPEN_DOUBTS
SELECT lineage_id, nudge_id, server, step, conversation_id, since AT TIME ZONE 'UTC' AS occurred_at, reason, correlation_id
FROM reengage.in_doubt;

-- THREADS
SELECT t.server, t.root_conversation_id, t.tip_conversation_id, t.generations, t.nudges,
	(SELECT count(*) FROM reengage.lineage l WHERE l.server = t.server AND l.root_conversation_id = t.root_conversation_id
	 AND l.outcome = ANY ('{notified,session_created,session_continued,resolved_sent}')) AS nudges_sent,
	t.last_outcome, t.api_calls, t.api_calls_saved,
	t.first_at AT TIME ZONE 'UTC' AS first_at, t.last_at AT TIME ZONE 'UTC' AS last_at
FROM reengage.threads t;

-- CONVERSATIONS
WITH RECURSIVE walk AS (
	SELECT DISTINCT server, root_conversation_id, root_conversation_id AS conversation_id, 0 AS generation
	FROM reengage.lineage
	UNION
	SELECT w.server, w.root_conversation_id, l.conversation_id, w.generation + 1
	FROM walk w JOIN reengage.lineage l ON l.server = w.server AND l.previous_conversation_id = w.conversation_id
)
SELECT server, root_conversation_id, conversation_id, min(generation) AS generation
FROM walk GROUP BY server, root_conversation_id, conversation_id;

-- STORY
SELECT c.server, c.root_conversation_id, m.sent_at AT TIME ZONE 'UTC' AS happened_at, 'message' AS event,
	m.direction AS what, c.generation, c.conversation_id, NULL AS previous_conversation_id, NULL AS campaign, m.body AS text,
	m.message_id::text AS event_id
FROM messages m JOIN (
	WITH RECURSIVE back AS (
		-- from each conversation back to every root that it can be reached from
		SELECT DISTINCT server, conversation_id, conversation_id AS earlier, 0 AS steps
		FROM messages
		UNION
		SELECT b.server, b.conversation_id, l.previous_conversation_id, b.steps + 1
		FROM back b JOIN reengage.lineage l ON l.server = b.server AND l.conversation_id = b.earlier
		WHERE l.previous_conversation_id IS NOT NULL
	)
	SELECT b.server, b.conversation_id, b.earlier AS root_conversation_id, min(b.steps) AS generation
	FROM back b
	WHERE EXISTS (SELECT FROM reengage.lineage l WHERE l.server = b.server AND l.root_conversation_id = b.earlier)
	GROUP BY 1, 2, 3) c
	USING (server, conversation_id)
UNION ALL
SELECT server, root_conversation_id, occurred_at AT TIME ZONE 'UTC', 'nudge', outcome, generation, conversation_id,
	previous_conversation_id, campaign, reason, lineage_id::text
FROM reengage.lineage;

-- OUTCOMES_BY_DAY
SELECT (coalesce(f.called_at, f.occurred_at) AT TIME ZONE 'UTC')::date AS day, f.server, f.campaign,
	coalesce(r.outcome, f.outcome) AS outcome, count(*) AS nudges, count(DISTINCT coalesce(r.address_hash, f.address_hash)) AS customers
FROM reengage.lineage f LEFT JOIN reengage.lineage r ON r.resolves = f.lineage_id
WHERE f.resolves IS NULL AND f.outcome <> 'imported'
GROUP BY 1, 2, 3, 4;

-- ANSWERS
WITH last_words AS (
	SELECT f.nudge_id, f.server, f.campaign, f.root_conversation_id,
		coalesce(r.conversation_id, f.conversation_id) AS conversation_id, coalesce(r.generation, f.generation) AS generation,
		CASE WHEN coalesce(r.outcome, f.outcome) = 'held_out' THEN 'held_out' ELSE 'sent' END AS treatment,
		coalesce(f.called_at, f.occurred_at) AS at
	FROM reengage.lineage f LEFT JOIN reengage.lineage r ON r.resolves = f.lineage_id
	WHERE f.resolves IS NULL
	  AND coalesce(r.outcome, f.outcome) IN ('notified', 'session_created', 'session_continued', 'resolved_sent', 'held_out')
)
SELECT t.nudge_id, t.server, t.campaign, t.treatment, t.root_conversation_id, t.conversation_id, t.generation, t.at AT TIME ZONE 'UTC' AS touched_at,
	a.sent_at AT TIME ZONE 'UTC' AS answered_at,
	floor(extract(epoch FROM a.sent_at - t.at)) AS seconds_to_answer
FROM last_words t LEFT JOIN LATERAL (
	SELECT m.sent_at FROM messages m
	WHERE m.server = t.server AND m.conversation_id = t.conversation_id AND m.direction = 'inbound'
	  AND m.sent_at - t.at > interval '0' AND m.sent_at - t.at <= interval '72 hours'
	  AND NOT EXISTS (SELECT FROM last_words o
					  WHERE (o.server, o.conversation_id, o.treatment) = (t.server, t.conversation_id, t.treatment)
						AND (o.at, o.nudge_id) > (t.at, t.nudge_id) AND o.at < m.sent_at)
	ORDER BY m.sent_at LIMIT 1) a ON true;

-- ANSWER_RATES
WITH answers AS (
	SELECT f.server, f.campaign, w.treatment, a.answered_at - w.at AS took,
		floor(extract(epoch FROM a.answered_at - w.at)) AS seconds
	FROM reengage.lineage f
		LEFT JOIN reengage.lineage r ON r.resolves = f.lineage_id
		CROSS JOIN LATERAL (SELECT coalesce(f.called_at, f.occurred_at) AS at,
			coalesce(r.conversation_id, f.conversation_id) AS conversation_id,
			CASE coalesce(r.outcome, f.outcome) WHEN 'held_out' THEN 'held_out' WHEN 'notified' THEN 'sent'
				WHEN 'session_created' THEN 'sent' WHEN 'session_continued' THEN 'sent' WHEN 'resolved_sent' THEN 'sent'
			END AS treatment) w
		LEFT JOIN LATERAL (
			SELECT min(m.sent_at) AS answered_at FROM messages m
			WHERE m.server = f.server AND m.conversation_id = w.conversation_id AND m.direction = 'inbound'
			  AND m.sent_at > w.at AND m.sent_at <= w.at + interval '72 hours'
			  AND m.sent_at <= coalesce((
				SELECT min(coalesce(o.called_at, o.occurred_at)) FROM reengage.lineage o
					LEFT JOIN reengage.lineage p ON p.resolves = o.lineage_id
				WHERE o.server = f.server AND o.resolves IS NULL AND o.nudge_id <> f.nudge_id
				  AND coalesce(p.conversation_id, o.conversation_id) = w.conversation_id
				  AND CASE w.treatment WHEN 'held_out' THEN o.outcome = 'held_out' ELSE coalesce(p.outcome, o.outcome)
						IN ('notified', 'session_created', 'session_continued', 'resolved_sent') END
				  AND (coalesce(o.called_at, o.occurred_at), o.nudge_id) > (w.at, f.nudge_id)), 'infinity')) a ON true
	WHERE f.resolves IS NULL AND w.treatment IS NOT NULL
)
SELECT server, campaign, treatment, count(*) AS nudges,
	count(*) FILTER (WHERE took <= '1 hour') AS answered_in_1_hour,
	count(*) FILTER (WHERE took <= '24 hours') AS answered_in_24_hours,
	count(*) FILTER (WHERE took IS NOT NULL) AS answered_in_72_hours,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS median_seconds_to_answer
FROM answers GROUP BY server, campaign, treatment;

-- FUNNEL_BY_DAY
WITH ended AS (
	SELECT f.nudge_id, f.server, f.campaign, f.checked_at, f.step, coalesce(f.called_at, f.occurred_at) AS at,
		coalesce(r.conversation_id, f.conversation_id) AS conversation_id,
		coalesce(r.outcome, f.outcome) IN ('notified', 'session_created', 'session_continued', 'resolved_sent') AS sent
	FROM reengage.lineage f LEFT JOIN reengage.lineage r ON r.resolves = f.lineage_id
	WHERE f.resolves IS NULL AND f.nudge_id IS NOT NULL
), credited AS (
	-- from the side of the messages: the last nudge before each
	SELECT DISTINCT c.nudge_id
	FROM messages m CROSS JOIN LATERAL (
		SELECT e.nudge_id, e.at FROM ended e
		WHERE e.sent AND e.server = m.server AND e.conversation_id = m.conversation_id AND e.at < m.sent_at
		ORDER BY e.at DESC, e.nudge_id DESC LIMIT 1) c
	WHERE m.direction = 'inbound' AND m.sent_at <= c.at + interval '72 hours'
)
SELECT (e.at AT TIME ZONE 'UTC')::date AS day, e.server, e.campaign, count(*) AS asked, count(e.checked_at) AS looked_at,
	count(*) FILTER (WHERE e.sent) AS sent, count(*) FILTER (WHERE e.sent AND e.step = 'create') AS sent_as_new_session,
	count(*) FILTER (WHERE e.nudge_id IN (SELECT c.nudge_id FROM credited c)) AS answered
FROM ended e
GROUP BY 1, 2, 3;

-- DUPLICATES_AVOIDED
SELECT (coalesce(f.called_at, f.occurred_at) AT TIME ZONE 'UTC')::date AS day, f.server,
	count(*) FILTER (WHERE f.api_calls_saved > 0
		AND coalesce(r.outcome, f.outcome) IN ('notified', 'session_created', 'session_continued', 'resolved_sent'))
		AS led_to_the_newest_session,
	count(*) FILTER (WHERE f.reason = 'joined') AS joined_the_customers_session,
	count(*) FILTER (WHERE f.outcome = 'in_doubt') AS not_repeated_on_doubt,
	count(*) FILTER (WHERE r.outcome = 'resolved_sent') AS of_these_had_been_sent
FROM reengage.lineage f LEFT JOIN reengage.lineage r ON r.resolves = f.lineage_id
WHERE f.resolves IS NULL AND f.outcome <> 'imported'
GROUP BY 1, 2;

-- API_CALLS_BY_DAY
SELECT day, server, calls AS api_calls, saved AS api_calls_saved,
	CASE WHEN calls + saved > 0 THEN round(100.0 * saved / (calls + saved), 2) END AS percent_saved,
	round(saved / 300.0, 2) AS minutes_of_quota_saved, ended_by_429
FROM (
	SELECT date_trunc('day', occurred_at AT TIME ZONE 'UTC')::date AS day, server, sum(api_calls) AS calls,
		sum(api_calls_saved) AS saved, count(*) FILTER (WHERE http_status = 429) AS ended_by_429
	FROM reengage.lineage WHERE outcome <> 'imported' GROUP BY 1, 2) days;

-- ROW_DIGESTS
SELECT l.lineage_id, (l.recorded_at AT TIME ZONE 'UTC')::date AS day, reengage.lineage_digest(l) AS digest
FROM reengage.lineage l;

-- RECONCILIATION
SELECT to_char(l.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, 'equal' AS state, count(*) AS rows_counted,
	count(*) AS rows_here, 0 AS marked_deleted, sum(reengage.lineage_digest(l)) % 9007199254740992 AS digest_counted, sum(reengage.lineage_digest(l)) % 9007199254740992 AS digest_here
FROM reengage.lineage l GROUP BY 1;

-- AUDIT
SELECT '' AS finding, '' AS server, '' AS conversation_id, '' AS detail WHERE false;
