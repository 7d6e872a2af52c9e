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
	count(*) FILTER (WHERE r.outcome = 'resolved_sent') AS of_these_had_been_sent,
	-- where the message went is where an earlier row says that the thread had come to
	count(*) FILTER (WHERE f.step = 'notify' AND f.conversation_id <> f.requested_conversation_id
		AND f.previous_conversation_id IS NULL
		AND coalesce(r.outcome, f.outcome) IN ('notified', 'session_continued', 'resolved_sent')) AS newest_session_was_live,
	count(*) FILTER (WHERE (f.outcome, f.reason) = ('cancelled', 'superseded')) AS replaced_by_a_newer_nudge
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

-- CUSTOMERS
SELECT server, conversation_id, customer FROM customers;

-- CUSTOMER_STORY
SELECT server, customer, happened_at, event, what, conversation_id, previous_conversation_id, campaign, text, event_id
FROM (
	SELECT m.server, c.customer, m.sent_at AT TIME ZONE 'UTC' AS happened_at, 'message' AS event, m.direction AS what,
		m.conversation_id, NULL AS previous_conversation_id, NULL AS campaign, m.body AS text, m.message_id::text AS event_id
	FROM messages m JOIN customers c USING (server, conversation_id)
	UNION ALL
	SELECT l.server, c.customer, l.occurred_at AT TIME ZONE 'UTC', 'nudge', l.outcome, l.conversation_id,
		l.previous_conversation_id, l.campaign, l.reason, l.lineage_id::text
	FROM reengage.lineage l JOIN customers c ON (c.server, c.conversation_id) = (l.server, l.root_conversation_id)) story;

-- REENGAGED
WITH sent AS (
	SELECT f.nudge_id, f.server, f.campaign, coalesce(r.outcome, f.outcome) AS outcome, f.address_hash, f.root_conversation_id,
		coalesce(r.conversation_id, f.conversation_id) AS conversation_id, coalesce(r.generation, f.generation) AS generation,
		coalesce(f.called_at, f.occurred_at) AS at
	FROM reengage.lineage f LEFT JOIN reengage.lineage r ON r.resolves = f.lineage_id
	WHERE f.resolves IS NULL
	  AND coalesce(r.outcome, f.outcome) IN ('notified', 'session_created', 'session_continued', 'resolved_sent')
), credited AS (
	SELECT c.nudge_id, min(m.sent_at) AS answered_at
	FROM messages m CROSS JOIN LATERAL (
		SELECT s.nudge_id, s.at FROM sent s
		WHERE s.server = m.server AND s.conversation_id = m.conversation_id AND s.at < m.sent_at
		ORDER BY s.at DESC, s.nudge_id DESC LIMIT 1) c
	WHERE m.direction = 'inbound' AND m.sent_at - c.at <= interval '72 hours'
	GROUP BY c.nudge_id
)
SELECT s.nudge_id, s.server, s.campaign, s.generation, s.outcome, k.customer, s.address_hash, s.root_conversation_id, s.conversation_id,
	s.at AT TIME ZONE 'UTC' AS touched_at, c.answered_at AT TIME ZONE 'UTC' AS answered_at,
	floor(extract(epoch FROM c.answered_at - s.at)) AS seconds_to_answer, c.answered_at IS NOT NULL AS is_answered,
	coalesce(c.answered_at - s.at <= interval '1 hour', false) AS in_1_hour,
	coalesce(c.answered_at - s.at <= interval '24 hours', false) AS in_24_hours,
	EXISTS (SELECT FROM messages m WHERE m.server = s.server AND m.sent_at - s.at >= interval '72 hours') AS is_over
FROM sent s LEFT JOIN credited c USING (nudge_id)
	LEFT JOIN customers k ON (k.server, k.conversation_id) = (s.server, s.root_conversation_id);

-- REENGAGED_BY_GENERATION
WITH sent AS (
	SELECT f.nudge_id, f.server, f.campaign, k.customer, coalesce(r.generation, f.generation) AS generation,
		coalesce(r.conversation_id, f.conversation_id) AS conversation_id, coalesce(f.called_at, f.occurred_at) AS at
	FROM reengage.lineage f LEFT JOIN reengage.lineage r ON r.resolves = f.lineage_id
		JOIN customers k ON (k.server, k.conversation_id) = (f.server, f.root_conversation_id)
	WHERE f.resolves IS NULL
	  AND coalesce(r.outcome, f.outcome) IN ('notified', 'session_created', 'session_continued', 'resolved_sent')
), answered AS (
	-- "next": when the same conversation was spoken to again; nobody wrote between two calls of one microsecond
	SELECT s.*, (SELECT max(m.sent_at) FROM messages m WHERE m.server = s.server) - s.at >= interval '72 hours' AS is_over,
		(SELECT min(m.sent_at) - s.at FROM messages m
		 WHERE m.server = s.server AND m.conversation_id = s.conversation_id AND m.direction = 'inbound' AND m.sent_at > s.at
		   AND m.sent_at <= least(s.at + interval '72 hours', s.next)) AS took
	FROM (SELECT sent.*, lead(at) OVER (PARTITION BY server, conversation_id ORDER BY at, nudge_id) AS next FROM sent) s
)
SELECT server, campaign, generation, count(*) AS nudges, count(DISTINCT customer) AS customers,
	count(*) FILTER (WHERE took <= '1 hour') AS answered_in_1_hour, count(*) FILTER (WHERE took <= '24 hours') AS answered_in_24_hours,
	count(took) AS answered, count(*) FILTER (WHERE is_over) AS windows_over, count(took) FILTER (WHERE is_over) AS answered_of_these,
	CASE WHEN bool_or(is_over) THEN round(100.0 * count(took) FILTER (WHERE is_over) / count(*) FILTER (WHERE is_over), 2) END
		AS percent_answered,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY floor(extract(epoch FROM took))) AS median_seconds_to_answer
FROM answered GROUP BY server, campaign, generation;

-- NUDGE_COSTS
SELECT server, campaign, outcome, count(*) AS nudges, sum(calls) AS api_calls, round(avg(calls), 2) AS calls_per_nudge,
	sum(saved) AS api_calls_saved
FROM (
	SELECT DISTINCT ON (nudge_id) server, campaign, outcome, sum(api_calls) OVER nudge AS calls, sum(api_calls_saved) OVER nudge AS saved
	FROM reengage.lineage WHERE nudge_id IS NOT NULL
	WINDOW nudge AS (PARTITION BY nudge_id)
	ORDER BY nudge_id, resolves NULLS LAST) nudges
GROUP BY server, campaign, outcome;

-- CAMPAIGN_COSTS
WITH ended AS (
	SELECT f.nudge_id, f.server, f.campaign, f.api_calls AS calls, f.api_calls_saved AS saved, coalesce(f.called_at, f.occurred_at) AS at,
		coalesce(r.conversation_id, f.conversation_id) AS conversation_id,
		coalesce(r.outcome, f.outcome) IN ('notified', 'session_created', 'session_continued', 'resolved_sent') AS sent
	FROM reengage.lineage f LEFT JOIN reengage.lineage r ON r.resolves = f.lineage_id
	WHERE f.resolves IS NULL AND f.nudge_id IS NOT NULL
), counted AS (
	SELECT e.server, e.campaign, count(*) AS nudges, count(*) FILTER (WHERE sent) AS sent, sum(calls) AS calls,
		sum(calls) FILTER (WHERE NOT sent) AS in_vain, sum(saved) AS saved,
		count(*) FILTER (WHERE nudge_id IN (
			SELECT c.nudge_id FROM messages m CROSS JOIN LATERAL (
				SELECT s.nudge_id, s.at FROM ended s
				WHERE s.sent AND s.server = m.server AND s.conversation_id = m.conversation_id AND s.at < m.sent_at
				ORDER BY s.at DESC, s.nudge_id DESC LIMIT 1) c
			WHERE m.direction = 'inbound' AND m.sent_at - c.at <= interval '72 hours')) AS answered
	FROM ended e GROUP BY 1, 2
)
SELECT server, campaign, nudges, sent, answered, calls AS api_calls, coalesce(in_vain, 0) AS calls_without_a_message,
	CASE WHEN sent > 0 THEN round(calls / sent::numeric, 2) END AS calls_per_sent,
	CASE WHEN answered > 0 THEN round(calls / answered::numeric, 2) END AS calls_per_answered, saved AS api_calls_saved,
	CASE WHEN calls + saved > 0 THEN round(100.0 * saved / (calls + saved), 2) END AS percent_saved
FROM counted;

-- QUOTA_BY_HOUR
WITH calls AS (
	SELECT date_trunc('hour', occurred_at AT TIME ZONE 'UTC') AS hour, l.*, (called_at IS NOT NULL AND api_calls > 0)::integer AS send,
		CASE WHEN checked_at IS NULL THEN 0 WHEN called_at IS NULL THEN least(api_calls, 1) ELSE least(greatest(api_calls - 1, 0), 1) END AS look
	FROM reengage.lineage l WHERE outcome NOT IN ('imported', 'resolved_sent', 'resolved_not_sent')
), grouped AS (
	SELECT hour, server, campaign, coalesce(step, 'none') AS step, outcome, count(*) AS nudges, sum(api_calls) AS api_calls, sum(look) AS first_looks,
		sum(send) AS first_sends, count(*) FILTER (WHERE http_status = 429) AS ended_by_429
	FROM calls GROUP BY 1, 2, 3, 4, 5
)
SELECT hour, server, campaign, step, outcome, nudges, api_calls, first_looks, first_sends, api_calls - first_looks - first_sends AS further_calls, ended_by_429,
	CASE WHEN o.calls > 0 THEN round(100.0 * api_calls / o.calls, 2) END AS percent_of_calls, round(api_calls / 180.0, 2) AS percent_of_quota
FROM grouped CROSS JOIN LATERAL (
	SELECT sum(a.api_calls) AS calls FROM grouped a WHERE (a.hour, a.server) = (grouped.hour, grouped.server)) o;

-- HOLDOUT_COUNTS
SELECT server, campaign, sent, sent_answered, held_out, held_out_answered, not_over_yet FROM holdouts;

-- HOLDOUT_LIFT
SELECT server, campaign, sent, sent_answered, held_out, held_out_answered, not_over_yet,
	round(a.rate::numeric, 4) AS sent_rate, round(b.rate::numeric, 4) AS held_out_rate, round((a.rate - b.rate)::numeric, 4) AS lift,
	round((a.rate - b.rate - sqrt((a.rate - a.low) ^ 2 + (b.high - b.rate) ^ 2))::numeric, 4) AS lift_low,
	round((a.rate - b.rate + sqrt((a.high - a.rate) ^ 2 + (b.rate - b.low) ^ 2))::numeric, 4) AS lift_high,
	CASE WHEN (a.rate - b.rate) ^ 2 > (a.rate - a.low) ^ 2 + (b.high - b.rate) ^ 2 AND a.rate > b.rate THEN 'more answer'
		WHEN (a.rate - b.rate) ^ 2 > (a.high - a.rate) ^ 2 + (b.rate - b.low) ^ 2 AND a.rate < b.rate THEN 'fewer answer'
		ELSE 'cannot be told' END AS verdict
FROM holdouts, wilson(sent_answered, sent) a, wilson(held_out_answered, held_out) b;

-- ROW_DIGESTS
SELECT l.lineage_id, (l.recorded_at AT TIME ZONE 'UTC')::date AS day, reengage.lineage_digest(l) AS digest,
	reengage.canonical_hash(reengage.canonical(l.lineage_id)) AS place, reengage.canonical_hash(reengage.canonical(l.campaign)) AS campaign_hash,
	reengage.canonical_hash(reengage.canonical(l.due_at)) AS due_at_hash, reengage.canonical_hash(reengage.canonical(l.detail)) AS detail_hash
FROM reengage.lineage l;

-- RECONCILIATION
SELECT day, state, columns_differ, covers, up_to AT TIME ZONE 'UTC' AS up_to, rows_counted, rows_here, 0 AS marked_deleted,
	digest_counted, digest_here
FROM reengage.reconciliation;

-- RECONCILIATION_ROWS
SELECT day, column_name, lineage_id, finding, place FROM reengage.reconciliation_rows;

-- AUDIT
SELECT '' AS finding, '' AS server, '' AS conversation_id, '' AS detail WHERE false;
