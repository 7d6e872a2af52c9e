-- The files that unload.sql wrote, loaded into tables like those they came from: the
-- rows that are not the same.
CREATE TABLE lineage_back (LIKE reengage.lineage);
ALTER TABLE lineage_back DROP COLUMN xact_id;
COPY lineage_back FROM 'FOLDER/lineage.csv' (FORMAT csv, HEADER match);
CREATE TABLE manifest_back (LIKE reengage.lineage_manifest);
COPY manifest_back FROM 'FOLDER/lineage_manifest.csv' (FORMAT csv, HEADER match);
SELECT 'lineage', l.lineage_id, to_jsonb(l) - 'xact_id' AS there, to_jsonb(b) AS back
FROM reengage.lineage l FULL JOIN lineage_back b USING (lineage_id)
WHERE to_jsonb(l) - 'xact_id' IS DISTINCT FROM to_jsonb(b);
SELECT 'manifest', manifest_id FROM reengage.lineage_manifest l FULL JOIN manifest_back b USING (manifest_id)
WHERE to_jsonb(l) IS DISTINCT FROM to_jsonb(b);
