-- One customer is nudged twice more; asked for by the id that the application
-- still has, the old one.
SELECT previous_conversation_id AS id FROM reengage.lineage
WHERE outcome = 'session_created' ORDER BY lineage_id LIMIT 1 \gset
INSERT INTO reengage.nudges (conversation_id, message, campaign)
SELECT :'id', 'Your cart is still here.', 'reminder ' || n FROM generate_series(1, 3) n;
