-- A manifest that was written before the last row of its day, then one of each day.
INSERT INTO reengage.lineage_manifest (day, as_of, row_count, digest)
SELECT to_char(min(l.recorded_at AT TIME ZONE 'UTC'), 'YYYY-MM-DD'), now() - interval '1 hour', count(*) - 1, 1
FROM reengage.lineage l;
INSERT INTO reengage.lineage_manifest (day, as_of, row_count, digest, column_sums)
SELECT to_char(d.day, 'YYYY-MM-DD'), now(), c.row_count, c.digest, c.column_sums
FROM (SELECT DISTINCT (l.recorded_at AT TIME ZONE 'UTC')::date AS day FROM reengage.lineage l) d
	CROSS JOIN LATERAL reengage_internal.count_lineage(d.day::timestamp AT TIME ZONE 'UTC', (d.day + 1)::timestamp AT TIME ZONE 'UTC') c;
