-- All of lineage, for test/snowflake/roads.py: a JSON array of texts for each row, a
-- time in microseconds since 1970.
SET timezone = 'UTC';
SELECT jsonb_agg(CASE
		   WHEN v.value IS NULL OR v.value = 'null' THEN NULL
		   WHEN v.key IN ('requested_at', 'due_at', 'checked_at', 'called_at', 'occurred_at', 'recorded_at')
		   THEN ((extract(epoch FROM (v.value #>> '{}')::timestamptz) * 1000000)::bigint)::text
		   ELSE v.value #>> '{}' END ORDER BY a.attnum)
FROM reengage.lineage l
	CROSS JOIN LATERAL jsonb_each(to_jsonb(l)) v
	JOIN pg_attribute a ON a.attrelid = 'reengage.lineage'::regclass AND a.attname = v.key AND a.attname <> 'xact_id'
GROUP BY l.lineage_id
ORDER BY l.lineage_id;
