\pset footer off
\echo
\echo 'Outcomes'
SELECT outcome, reason, count(*) FROM reengage.lineage GROUP BY outcome, reason ORDER BY count(*) DESC;
\echo 'One story: SELECT * FROM reengage.thread(...)'
SELECT root_conversation_id AS root FROM reengage.threads ORDER BY nudges DESC LIMIT 1 \gset
SELECT generation, campaign, status_seen, outcome, previous_conversation_id, conversation_id
FROM reengage.thread(:'root');
\echo 'The API''s quota, and the pace'
SELECT sum(l.api_calls) AS api_calls_made, sum(l.api_calls_saved) AS api_calls_saved,
	   round(sum(l.api_calls)::numeric / count(l.nudge_id), 2) AS api_calls_per_nudge,
	   round((count(*) FILTER (WHERE l.campaign = 'abandoned')
			  / extract(epoch FROM max(l.recorded_at) FILTER (WHERE l.campaign = 'abandoned') - min(s.at)))::numeric)
		   AS nudges_per_second
FROM reengage.lineage l, started s;
\echo 'Health: SELECT * FROM reengage.health'
SELECT subject, state, detail FROM reengage.health;
