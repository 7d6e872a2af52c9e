--
-- The fence.  Not dumped: what is restored is a copy, and copies stay silent.
--

-- A nudge has a place in the schedule until it has an outcome.  What has neither
-- was put in while triggers were off, or somebody has deleted the one or the other:
-- then it may have been sent, and only people know.
CREATE OR REPLACE VIEW reengage_internal.missing AS
SELECT n.nudge_id, n.server, n.requested_by, n.priority, n.due_at, n.requested_at
FROM reengage.nudges n
WHERE NOT EXISTS (SELECT FROM reengage.lineage l WHERE l.nudge_id = n.nudge_id)
  AND NOT EXISTS (SELECT FROM reengage.due d WHERE d.nudge_id = n.nudge_id)
  AND n.server NOT IN (SELECT e.server FROM reengage_internal.servers_elsewhere e);
