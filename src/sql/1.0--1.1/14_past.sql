--
-- What is left of nudges and lineage that retention has let go: which days are not
-- whole any more, how threads went on, and which ids were asked for.
--
ALTER TABLE reengage.pruned_days ADD COLUMN column_sums text;
ALTER TABLE reengage.pruned_nudges ADD COLUMN server text;
COMMENT ON COLUMN reengage.pruned_nudges.server IS 'the foreign server; null: version 1.0 has let it go';
COMMENT ON COLUMN reengage.pruned_days.digest IS 'the sum of their lineage_digest(), modulo 2^53; where column_sums is null, of the digest that version 1.0 had';
COMMENT ON COLUMN reengage.pruned_days.column_sums IS 'as in lineage_manifest; null: of a day that version 1.0 closed, or began to prune';
