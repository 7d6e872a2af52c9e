-- The simulator's clock and the commit timestamps are of the same machine.
CREATE TEMP TABLE header AS SELECT string_to_array(line, ',') AS names FROM csv LIMIT 1;
CREATE TEMP TABLE requests AS
SELECT fields[array_position(names, 'conversation_id')] AS id, fields[array_position(names, 'verb')] = 'check' AS is_check,
	fields[array_position(names, 'arrived_us')]::numeric / 1000 AS arrived_ms
FROM header, (SELECT string_to_array(line, ',') AS fields FROM csv OFFSET 1) f;
SELECT what, count(*),
	round(percentile_cont(0.5) WITHIN GROUP (ORDER BY ms)::numeric, 2),
	round(percentile_cont(0.99) WITHIN GROUP (ORDER BY ms)::numeric, 2)
FROM reengage.nudges n JOIN requests r ON r.id = n.conversation_id
CROSS JOIN LATERAL (
	SELECT CASE WHEN is_check THEN 'commit to GET' ELSE 'commit to POST' END,
		r.arrived_ms - 1000 * extract(epoch FROM pg_xact_commit_timestamp(n.xmin))
	WHERE n.campaign = 'commit'
	UNION ALL
	SELECT 'due_at to GET', r.arrived_ms - 1000 * extract(epoch FROM n.due_at)
	WHERE n.campaign = 'timer' AND is_check) l (what, ms)
GROUP BY what ORDER BY what;
