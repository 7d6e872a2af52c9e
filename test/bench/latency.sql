-- The simulator's clock and the commit timestamps are of the same machine.
CREATE TEMP TABLE header AS SELECT string_to_array(line, ',') AS names FROM csv LIMIT 1;
CREATE TEMP TABLE latency AS
SELECT r.verb, (r.arrived - 1e6 * extract(epoch FROM pg_xact_commit_timestamp(n.xmin))) / 1000 AS ms
FROM reengage.nudges n
JOIN (SELECT fields[array_position(names, 'conversation_id')] AS id, fields[array_position(names, 'verb')] AS verb,
			 fields[array_position(names, 'arrived_us')]::numeric AS arrived
	  FROM header, (SELECT string_to_array(line, ',') AS fields FROM csv OFFSET 1) f) r ON r.id = n.conversation_id
WHERE n.campaign = 'latency';
SELECT format('| commit of the INSERT to the arrival of the %s (200 nudges, one at a time) | median %s ms, 99 %% within %s ms |',
	CASE verb WHEN 'check' THEN 'GET' ELSE 'POST' END,
	round(percentile_cont(0.5) WITHIN GROUP (ORDER BY ms)::numeric, 2),
	round(percentile_cont(0.99) WITHIN GROUP (ORDER BY ms)::numeric, 2))
FROM latency GROUP BY verb ORDER BY verb;
