-- who is who: normal forms, opt-outs and caps over all spellings, senders, previews
CREATE EXTENSION reengage;
\getenv port SIMULATOR_PORT
\set url 'http://127.0.0.1:' :port
CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (max_requests_per_minute '0', max_failures '0', api_url :'url',
	default_country_code '44', from_address '+442079460000');
CREATE SERVER plain FOREIGN DATA WRAPPER reengage OPTIONS (api_url :'url', auth 'none');
CREATE SERVER cloud FOREIGN DATA WRAPPER reengage OPTIONS (dialect 'genesys_cloud', api_url :'url', auth 'none',
	proactive_channels 'sms,whatsapp,open,webmessaging,apple', from_addresses 'sms=+442079460001,whatsapp=7d1f-wa,webmessaging=deploy-1');
SET reengage.default_server = 'genesys';
SELECT reengage.arm();

-- one person has one form on a channel, and no two have one; how wide characters
-- are that nobody sees, not all versions agree
\pset format unaligned
SELECT a.spelling, a.channel, n.form
FROM (VALUES (1, '+44 20 7946 0018', 'sms'), (2, '0044 (0)20-7946.0018', 'sms'), (3, 'tel:+442079460018', 'voice'), (4, '442079460018', 'whatsapp'),
			 (5, U&'\202A+44\00A020\20097946\200B0018\202C', 'sms'), (6, '''+442079460018', 'sms'), (7, U&'\FF0B\FF14\FF14 20 7946 0018', 'sms'),
			 (8, '+55 (21) 8765-4321', 'sms'), (9, '5521987654321', 'whatsapp'), (10, '+52 1 33 1234 5678', 'sms'), (11, '523312345678', 'whatsapp'),
			 (12, 'Ann@Example.ORG', 'email'), (13, '7-45', 'open'), (14, '74-5', 'open'), (15, 'Guest.Q', 'open'), (16, 'guest.q', 'open'),
			 (17, '4.42079E+11', 'open'), (18, '442079460018.0', 'sms'), (19, '442079460018.0', 'open'), (20, 'NULL', 'open'), (21, 'None', 'sms'),
			 (22, '020 7946 0018', 'sms'), (23, '+44 20 7946 0018', NULL), (24, 'Ann@Example.ORG', NULL), (25, '7-45', NULL)) a (n, spelling, channel)
	CROSS JOIN LATERAL (SELECT (reengage_internal.normal_addresses(ARRAY[a.spelling], ARRAY[a.channel], NULL))[1]) n (form)
ORDER BY a.n;
\pset format aligned
SELECT reengage_internal.normal_addresses(ARRAY['020 7946 0018', '2079460018', '442079460018', '0171 1234567', NULL, 'x'], ARRAY['sms', 'sms', 'sms', 'sms', 'sms'], '44') AS at_home;

-- hashes: of forms, never an error
SELECT reengage_internal.address_hash('020 7946 0018', 'sms', 'genesys') = reengage_internal.address_hash('+442079460018') AS national,
	reengage_internal.address_hash('020 7946 0018', 'sms', 'plain') IS NULL AS nowhere,
	reengage_internal.address_hash('7-45') = reengage_internal.address_hash('74-5') AS two_ids,
	reengage_internal.address_hash('442079460018.0') = reengage_internal.address_hash('4420794600180') AS damaged,
	reengage_internal.address_hash('Guest', 'open') = reengage_internal.address_hash('guest', 'open') AS capitals,
	reengage_internal.address_hash('n/a') IS NULL AS nothing, reengage_internal.address_hash(NULL) IS NULL AS no_address;

-- an opt-out says whom it understood
SELECT count(*) FROM reengage.suppress('+44 (0)20 7946 0018');
SELECT count(*) FROM reengage.suppress('020 7946 0019');
SELECT count(*) FROM reengage.suppress('00442079460020', channel => ' WhatsApp ');
SELECT count(*) FROM reengage.suppress('Ann@Example.ORG');
SELECT count(*) FROM reengage.suppress('Account-77-B');
SELECT count(*) FROM reengage.suppress('77-45', channel => 'open');
SELECT channel, label, server FROM reengage.suppressions ORDER BY label, channel;

-- and refuses what it cannot read
\set VERBOSITY terse
SELECT reengage.suppress('020 7946 0018', server => 'plain');
SELECT reengage.suppress('442079460018', server => 'plain');
SELECT reengage.suppress('442079460018.0');
SELECT reengage.suppress('4.42079E+11');
SELECT reengage.suppress(' nan ');
SELECT reengage.suppress('account 7', channel => 'sms');
SELECT reengage.suppress('account 7', channel => 'email');
SELECT reengage.unsuppress('+44 20', channel => 'sms');
-- meant for a person, and no use as the opt-out of an id
SELECT reengage.suppress('+44 20 7946 0018 x5');
SELECT reengage.suppress('"+442079460018"');
SELECT reengage.suppress('Ann <ann@example.org>');
SELECT reengage.suppress('ann@example.org?subject=stop');
SELECT reengage.record_answer(address => 'tel:+442079460018;ext=5');
SELECT reengage.cancel_customer('+442079460018, +442079460019');
\set VERBOSITY default
SELECT reengage.suppress('442079460018', channel => 'smss');
SELECT reengage.unsuppress('442079460018', channel => 'pigeon');
ALTER SERVER plain OPTIONS (ADD proactive_channels 'sms,carrier_pigeon');
SELECT count(*) FROM reengage.suppress('loft 7', channel => 'Carrier_Pigeon');

-- it holds however the number is spelled later, in which order ever
SELECT count(reengage.nudge('gone-spelled-' || a.n, 'hi', address => a.address, channel => a.channel))
FROM (VALUES (1, '+442079460018', 'sms'), (2, '020 7946 0019', 'sms'), (3, '442079460019', 'whatsapp'), (4, '442079460020', 'whatsapp'),
			 (5, 'ann@example.org', 'email'), (6, 'Account-77-B', 'open'), (7, '77-45', 'open'),
			 (8, '+442079460020', 'sms'), (9, '774-5', 'open'), (10, 'account-77-b', 'open')) a (n, address, channel);
CALL reengage.run();
SELECT requested_conversation_id, channel, outcome, reason FROM reengage.lineage ORDER BY substr(requested_conversation_id, 14)::integer;
SELECT reengage.unsuppress('tel:+44-20-7946-0018') AS number, reengage.unsuppress('Ann@EXAMPLE.org') AS email,
	reengage.unsuppress('442079460020', channel => 'whatsapp') AS whatsapp, reengage.unsuppress('77-45') AS id;

-- mobile prefixes that are written in two ways
SELECT count(*) FROM reengage.suppress('+55 21 8765-4321');
SELECT count(*) FROM reengage.suppress('+52 1 33 1234 5678');
SELECT count(reengage.nudge('gone-mobile-' || a.n, 'hi', address => a.address, channel => a.channel))
FROM (VALUES (1, '+5521987654321', 'sms'), (2, '552187654321', 'whatsapp'), (3, '+523312345678', 'sms'), (4, '5213312345678', 'whatsapp')) a (n, address, channel);
CALL reengage.run();
SELECT requested_conversation_id, outcome, reason FROM reengage.lineage WHERE requested_conversation_id LIKE 'gone-mobile%' ORDER BY 1;

-- one person in many spellings has one cap; two in similar ones have two
INSERT INTO reengage.policies (server, cap, cap_interval) VALUES ('genesys', 1, '1 day');
SELECT count(reengage.nudge('gone-capped-' || a.n, 'hi', address => a.address, channel => a.channel))
FROM (VALUES (1, '+442079460101', 'sms'), (2, '0044 20 7946 0101', 'sms'), (3, '020-7946-0101', 'sms'), (4, '442079460101', 'whatsapp'),
			 (5, U&'+44\00A020 7946 0101', 'sms'), (6, '8-17', 'open'), (7, '81-7', 'open')) a (n, address, channel);
CALL reengage.run();
SELECT CASE WHEN requested_conversation_id < 'gone-capped-6' THEN 'one person' ELSE 'two persons' END AS who, outcome, count(*)
FROM reengage.lineage WHERE requested_conversation_id LIKE 'gone-capped%' GROUP BY 1, 2 ORDER BY 1, 2;
DELETE FROM reengage.policies;

-- a nudge with an address that is none on its channel
\set VERBOSITY terse
SELECT reengage.nudge('x', 'hi', address => '020 7946 0018', channel => 'sms', server => 'plain');
SELECT reengage.nudge('x', 'hi', address => '442079460018.0', channel => 'sms');
SELECT reengage.nudge('x', 'hi', address => '4.42079E+11', channel => 'open');
SELECT reengage.nudge('x', 'hi', address => 'undefined');
SELECT reengage.nudge('x', 'hi', address => 'somebody', channel => 'email');
\set VERBOSITY default
SELECT reengage.nudge('x', 'hi', address => '7911 123456', channel => 'sms');

-- options
ALTER SERVER plain OPTIONS (ADD default_country_code '+44');
ALTER SERVER plain OPTIONS (ADD default_country_code '999');
ALTER SERVER plain OPTIONS (ADD from_addresses 'sms');
ALTER SERVER plain OPTIONS (ADD from_addresses 'sms=+442079460000,sms=+442079460001');
ALTER SERVER plain OPTIONS (ADD from_addresses 'SMS=+442079460000');
ALTER SERVER plain OPTIONS (ADD from_addresses 'sms=+442079460000, whatsapp=7d1f');
ALTER SERVER plain OPTIONS (ADD from_addresses 'sms=NULL');
ALTER SERVER plain OPTIONS (ADD from_addresses_overrule 'on');
ALTER SERVER plain OPTIONS (ADD from_addresses 'sms=+442079460000,open=shop', ADD from_addresses_overrule 'on');

-- previews: what would go out, and why something would not
SELECT reengage.nudge('a', 'hi', 'cloud', address => '+44 (0)20 7946 0301', channel => 'sms', nudge_id => '00000000-0000-7000-8000-000000000001') IS NOT NULL AS sms,
	reengage.nudge('b', 'hi', 'cloud', channel => 'whatsapp', nudge_id => '00000000-0000-7000-8000-000000000002') IS NOT NULL AS whatsapp,
	reengage.nudge('c', 'hi', 'cloud', channel => 'whatsapp', detail => '{"template": {"responseId": "r-1"}}', nudge_id => '00000000-0000-7000-8000-000000000003') IS NOT NULL AS template,
	reengage.nudge('d', 'hi', 'cloud', channel => 'line', nudge_id => '00000000-0000-7000-8000-000000000004') IS NOT NULL AS line,
	reengage.nudge('e', repeat('x', 2000), 'cloud', nudge_id => '00000000-0000-7000-8000-000000000005') IS NOT NULL AS of_lineage,
	reengage.nudge('f', 'hi', 'cloud', channel => 'webmessaging', nudge_id => '00000000-0000-7000-8000-000000000006') IS NOT NULL AS contact,
	reengage.nudge('g', 'hi', 'cloud', nudge_id => '00000000-0000-7000-8000-000000000007') IS NOT NULL AS unknown;
-- where lineage knows the channel, it is that
INSERT INTO reengage.lineage (server, outcome, requested_conversation_id, conversation_id, root_conversation_id, generation, channel, attempts, api_calls, api_calls_saved, occurred_at)
VALUES ('cloud', 'imported', 'e', 'e', 'e', 0, 'sms', 0, 0, 0, now());
SELECT n.conversation_id, p.step, left(p.body, 150) AS body, p.fault
FROM reengage.nudges n CROSS JOIN reengage.preview(n.nudge_id) p
WHERE n.server = 'cloud' AND p.step <> 'check' ORDER BY n.nudge_id, p.step DESC;
ALTER SERVER cloud OPTIONS (DROP from_addresses);
SELECT p.step, p.condition, p.fault FROM reengage.preview('00000000-0000-7000-8000-000000000006') p WHERE p.step = 'create';

DROP SERVER genesys CASCADE;
DROP SERVER plain CASCADE;
DROP SERVER cloud CASCADE;
DROP EXTENSION reengage CASCADE;
