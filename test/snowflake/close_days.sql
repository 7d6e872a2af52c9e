-- A manifest that was written before the last row of its day, then one of each day.
INSERT INTO reengage.lineage_manifest (day, as_of, row_count, digest)
SELECT to_char(min(l.recorded_at AT TIME ZONE 'UTC'), 'YYYY-MM-DD'), now() - interval '1 hour', count(*) - 1, 1
FROM reengage.lineage l;
INSERT INTO reengage.lineage_manifest (day, as_of, row_count, digest)
SELECT to_char(l.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), now(), count(*), sum(proof_digest(l)) % 9007199254740992
FROM reengage.lineage l
GROUP BY 1;
