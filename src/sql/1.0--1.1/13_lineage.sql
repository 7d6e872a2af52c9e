--
-- What happened, and its order for readers that remember how far they have read.
-- Transaction ids grow, but begin anew in a restored cluster, and some are used
-- again after a promotion or a point-in-time recovery.  So each cluster and
-- timeline counts on from a base of its own, which is not dumped: what is restored
-- is another epoch.
--

-- Not l.*: somebody may have added a column to lineage, which the view tells apart.
-- Rows that came with a server from another node are in the order of that node.  What
-- lies beyond the range was written by no transaction of this epoch: rows
-- of a dump that was restored late.  A reader that goes on from a pair of columns
-- says nothing that shows its rows to be in lineage_order; the first condition does.
CREATE OR REPLACE VIEW reengage.lineage_settled AS
SELECT l.lineage_id, l.nudge_id, l.server, l.outcome, l.reason, l.step, l.requested_conversation_id,
	l.conversation_id, l.previous_conversation_id, l.root_conversation_id, l.generation, l.status_seen,
	l.channel, l.address_hash, l.campaign, l.attempts, l.api_calls, l.api_calls_saved, l.http_status,
	l.api_error_code, l.api_error_message, l.correlation_id, l.message_id, l.requested_at, l.due_at,
	l.checked_at, l.called_at, l.occurred_at, l.recorded_at, l.xact_id, l.resolves, l.schema_version, l.detail
FROM reengage.lineage l
WHERE l.xact_id OPERATOR(pg_catalog.>) 0
  AND NOT l.xact_id OPERATOR(pg_catalog.<@) (SELECT reengage_internal.lineage_in_progress());

COMMENT ON COLUMN reengage.lineage.xact_id IS 'the transaction that wrote the row, counted on across restores and promotions; 0: another node of the fleet wrote it, and it came here with its server; a reader that remembers how far it has read orders lineage_settled by it, then by lineage_id';
COMMENT ON COLUMN reengage.lineage_settled.xact_id IS 'the transaction that wrote the row, counted on across restores and promotions; 0: another node of the fleet wrote it, and it came here with its server; a reader that remembers how far it has read orders lineage_settled by it, then by lineage_id';
