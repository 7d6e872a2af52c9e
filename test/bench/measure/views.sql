-- status: the newest 20
SELECT * FROM reengage.nudge_status ORDER BY nudge_id DESC LIMIT 20;
-- status: by id, due
SELECT * FROM reengage.nudge_status WHERE nudge_id = (SELECT nudge_id FROM reengage.due LIMIT 1);
-- status: by id, ended
SELECT * FROM reengage.nudge_status WHERE nudge_id = (SELECT nudge_id FROM reengage.nudges WHERE conversation_id = 'conversation-1000');
-- status: by conversation
SELECT * FROM reengage.nudge_status WHERE requested_conversation_id = 'conversation-1000';
-- status: 20 of a campaign
SELECT * FROM reengage.nudge_status WHERE campaign = 'campaign 7' LIMIT 20;
-- status: of a campaign that is not
SELECT * FROM reengage.nudge_status WHERE campaign = 'no such campaign' LIMIT 20;
-- status: 20 that are due
SELECT * FROM reengage.nudge_status WHERE state = 'due' LIMIT 20;
-- open: the newest 20 that are due
SELECT * FROM reengage.open_nudges WHERE state = 'due' ORDER BY nudge_id DESC LIMIT 20;
-- open: what is calling
SELECT * FROM reengage.open_nudges WHERE state = 'calling';
-- status: the newest 20 that ended as notified
SELECT * FROM reengage.nudge_status WHERE state = 'notified' ORDER BY nudge_id DESC LIMIT 20;
-- counts: by state
SELECT state, sum(nudges) FROM reengage.nudge_counts GROUP BY state;
-- counts: of a campaign
SELECT * FROM reengage.campaign_status WHERE campaign = 'campaign 7';
-- counts: of all campaigns
SELECT * FROM reengage.campaign_status;
-- metrics
SELECT * FROM reengage.metrics;
-- health
SELECT * FROM reengage.health;
-- server_state
SELECT * FROM reengage.server_state;
-- counts: of what is due, by hold
SELECT reason, sum(nudges) FROM reengage.nudge_counts WHERE state = 'due' GROUP BY reason;
-- due: the claim of 100
SELECT nudge_id, due_at FROM reengage.due WHERE server = 'api' AND priority = 5 AND requested_by = 'reengage_bench' AND (due_at, nudge_id) > ('-infinity', '00000000-0000-0000-0000-000000000000') ORDER BY due_at, nudge_id LIMIT 100;
-- threads: of one conversation
SELECT * FROM reengage.threads WHERE server = 'api' AND root_conversation_id = 'conversation-1000';
-- threads: any 20
SELECT * FROM reengage.threads LIMIT 20;
-- threads: the newest 20
SELECT * FROM reengage.threads ORDER BY last_lineage_id DESC LIMIT 20;
-- thread()
SELECT * FROM reengage.thread('conversation-1000');
-- thread_diagram()
SELECT reengage.thread_diagram('conversation-1000');
-- lineage: of a nudge
SELECT * FROM reengage.lineage WHERE nudge_id = (SELECT nudge_id FROM reengage.nudges WHERE conversation_id = 'conversation-1000');
-- lineage: the newest 20
SELECT * FROM reengage.lineage ORDER BY lineage_id DESC LIMIT 20;
-- lineage: outcomes of a campaign, which reads all rows
SELECT outcome, count(*) FROM reengage.lineage WHERE campaign = 'campaign 7' GROUP BY outcome;
-- lineage: outcomes of the last minute
SELECT outcome, count(*) FROM reengage.lineage WHERE lineage_id >= reengage.first_id(now() - interval '1 minute') GROUP BY outcome;
-- lineage_settled: the next 1000 for a reader
SELECT * FROM reengage.lineage_settled WHERE (xact_id, lineage_id) > (1000, '00000000-0000-0000-0000-000000000000') ORDER BY xact_id, lineage_id LIMIT 1000;
-- lineage_settled: what is new for a reader
SELECT * FROM reengage.lineage_settled WHERE xact_id > :n / 100 - 8 ORDER BY xact_id, lineage_id;
-- in_doubt
SELECT * FROM reengage.in_doubt;
-- preview()
SELECT * FROM reengage.preview((SELECT nudge_id FROM reengage.due LIMIT 1));
-- cancel() of one
SELECT reengage.cancel((SELECT nudge_id FROM reengage.due LIMIT 1));
-- cancel_campaign() of nothing
SELECT * FROM reengage.cancel_campaign('no such campaign');
-- cancel_thread() of one
SELECT * FROM reengage.cancel_thread('conversation-1002');
-- cancel_customer() of nobody
SELECT * FROM reengage.cancel_customer('+13175550142', channel => 'sms');
-- suppress() one customer
SELECT reengage.suppress(address => '+13175550142', channel => 'sms');
-- manifest: the next 5000 rows
SELECT * FROM reengage_internal.count_lineage(now() - interval '2 minutes', now(), 5000);
