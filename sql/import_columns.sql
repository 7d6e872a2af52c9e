-- import_history(): what the columns of an extract say, and whom they forbid to write to.
\set SHOW_CONTEXT never
CREATE EXTENSION reengage;
CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'http://127.0.0.1:1');
CREATE SERVER germany FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'http://127.0.0.1:1', default_country_code '49');
SET reengage.default_server = 'genesys';
\pset format unaligned
\pset tuples_only

-- what names say by themselves
SELECT reengage_internal.import_column_meaning(name) AS meaning, string_agg(name, ' ' ORDER BY name) FROM unnest(ARRAY[
	'opt_out', 'Opted Out', 'optedOutAt', 'sms_opt_out_flag', 'IS_UNSUBSCRIBED', 'unsubscribed_at', 'do_not_call', 'DoNotDisturb', 'DNC', 'is_dnd',
	'whatsapp_dnc', 'consent_withdrawn_at', 'revoked_consent', 'Blacklisted', 'marketing_suppressed',
	'consent', 'marketing_consent', 'sms_consent_given', 'opt_in', 'isOptedIn', 'double_opt_in', 'subscribed', 'is_subscribed', 'contact_permission', 'consent_status',
	'_fivetran_deleted', '_ab_cdc_deleted_at', '_sdc_deleted_at', '_deleted', '__deleted', 'is_deleted', '_PEERDB_IS_DELETED', 'soft_deleted_on', '_dlt_deleted',
	'__op', 'op', 'METADATA$ACTION', '_change_type', 'cdc_operation', 'row_kind',
	'opt_out_reason', 'unsubscribe_url', 'no_consent', 'not_opted_in', 'is_blocked', 'dont_contact', 'not_unsubscribed', 'suppression_list', 'no_longer_subscribed',
	'delete_reason', 'deleted_by', 'undeleted', 'erasure_request', 'anonymized',
	'SMS_Consent__c', 'Email_Opt_Out__c', 'OPTOUT_DT', 'DNC_IND', 'consent_yn', 'is_stopped', 'header__change_oper', 'dms_op',
	'accepts_marketing', 'allow_sms', 'sms_allowed', 'ok_to_contact', 'contactable', 'consent_sms', 'opt_in_whatsapp', 'subscription_status',
	'consent_expired', 'opt_in_declined_at', 'dnc_list', 'exclude_from_campaigns', 'stop_request', 'removed_at', 'right_to_be_forgotten', '__$operation',
	'consent_version', 'opt_in_date', 'allowance', 'exclusive_offer', 'stop_name', 'operation', 'can', 'smallest',
	'options', 'opening', 'adnd', 'note', 'consent_source', 'operator', 'optician', 'notes', 'country', 'donor', 'subscription_plan']) n(name)
GROUP BY 1 ORDER BY 1;

-- flags: what cannot be read forbids
CREATE TEMP TABLE flagged ();
CREATE FUNCTION pg_temp.judged(flag text, said text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	import_id uuid;
	records_read bigint;
	accepted bigint;
	rejected bigint;
	skipped bigint;
	reasons jsonb;
BEGIN
	DROP TABLE pg_temp.flagged;
	EXECUTE format('CREATE TEMP TABLE flagged AS SELECT ''f-1''::text AS conversation_id, ''+13175550401''::text AS address, ''2026-03-01''::text AS abandoned_at, %L::text AS %I', said, flag);
	CALL reengage.import_history('Hi', 'flags', staging => 'pg_temp.flagged', as_of => '2026-03-23', dry_run => true,
		import_id => import_id, records_read => records_read, accepted => accepted, rejected => rejected, skipped => skipped, reasons => reasons);
	RETURN (SELECT string_agg(k, ' ') FROM jsonb_object_keys(reasons) k);
END $$;
SELECT flag, string_agg(coalesce(quote_literal(said), 'null') || ' ' || pg_temp.judged(flag, said), ', ' ORDER BY n)
FROM unnest(ARRAY['do_not_contact', 'unsubscribed_at', 'email_opt_in', '_sdc_deleted_at', '__op']) flag,
	unnest(ARRAY[NULL, '', 'false', 'No', '0', 'true', 'Y', '2026-02-28', 'perhaps', 'd', 'u', 'granted', 'Active', 'subscribed']) WITH ORDINALITY s(said, n)
GROUP BY flag ORDER BY 1;

-- who forbids it in one record gets nothing for another conversation either
CREATE TABLE stops (conversation_id text, address text, channel text, abandoned_at text, extracted_at text, opted_out text, sms_consent text, consent text, _deleted text);
INSERT INTO stops VALUES
	-- in an older conversation, spelled otherwise; in a record with other defects; in one without an id
	('o-1', '+1 (317) 555-0501', 'sms', '2026-03-01', NULL, 'true', 'true', 'true', NULL), ('o-2', '13175550501', 'whatsapp', '2026-03-05', NULL, 'false', 'true', 'true', NULL),
	('o-3', '+13175550502', 'sms', 'long ago', NULL, 'yes', 'true', 'true', NULL), ('o-4', '+13175550502', 'sms', '2026-03-05', NULL, NULL, 'true', 'true', NULL),
	(NULL, '+13175550503', 'sms', '2026-03-01', NULL, '1', 'true', 'true', NULL), ('o-5', '+13175550503', 'sms', '2026-03-05', NULL, NULL, 'true', 'true', NULL),
	-- the newest record of a conversation speaks for it, and a later extract knows better
	('o-6', '+13175550504', 'sms', '2026-03-01', '2026-03-10', 't', 'true', 'true', NULL), ('o-6', '+13175550504', 'sms', '2026-03-01', '2026-03-11', 'f', 'true', 'true', NULL),
	('o-7', '+13175550505', 'sms', '2026-03-01', '2026-03-10', 't', 'true', 'true', NULL), ('o-8', '+13175550505', 'sms', '2026-03-05', '2026-03-11', 'f', 'true', 'true', NULL),
	('o-9', '+13175550506', 'sms', '2026-03-01', '2026-03-11', 't', 'true', 'true', NULL), ('o-10', '+13175550506', 'sms', '2026-03-05', '2026-03-11', 'f', 'true', 'true', NULL),
	-- of records of one time what forbids counts, in which order ever, and also if its address cannot be read
	('o-11', '+13175550512', 'sms', '2026-03-05', NULL, 'true', 'true', 'true', NULL), ('o-11', '+13175550512', 'sms', '2026-03-05', NULL, 'false', 'true', 'true', NULL),
	('o-12', '+13175550513', 'sms', '2026-03-01', NULL, 'true', 'true', 'true', NULL), ('o-12', '+13175550513', 'sms', '2026-03-05', NULL, 'false', 'true', 'true', NULL),
	('o-13', '+13175550514', 'sms', '2026-03-05', NULL, NULL, 'false', 'true', NULL), ('o-13', '+13175550514', 'sms', '2026-03-05', NULL, NULL, 'true', 'true', NULL),
	('o-14', '317 555 0515', 'sms', '2026-03-01', NULL, 'true', 'true', 'true', NULL), ('o-14', '+13175550515', 'sms', '2026-03-05', NULL, 'false', 'true', 'true', NULL),
	-- all columns of consent must agree; a withdrawal counts in a record with other defects, too
	('c-1', '+13175550507', 'sms', '2026-03-01', NULL, NULL, 'false', 'true', NULL), ('c-2', '+13175550508', 'sms', '2026-03-01', NULL, NULL, 'true', '', NULL),
	('c-3', '+13175550509', 'sms', '2026-03-01', NULL, NULL, 'true', 'true', NULL), ('c-4', '+13175550509', 'no channel', '2026-03-05', NULL, NULL, 'false', 'true', NULL),
	-- a deletion is the newest word of a record
	('d-1', '+13175550510', 'sms', '2026-03-01', '2026-03-10', NULL, 'true', 'true', NULL), ('d-1', '+13175550510', 'sms', '2026-03-01', '2026-03-11', NULL, 'true', 'true', 'true'),
	('d-2', '+13175550511', 'sms', '2026-03-01', NULL, NULL, 'true', 'true', 'false');
CALL reengage.import_history('Hi', 'stops', staging => 'stops', as_of => '2026-03-23') \gset
SELECT :accepted, :rejected, :skipped, :'reasons';
SELECT string_agg(conversation_id, ' ' ORDER BY conversation_id) FROM reengage.nudges WHERE campaign = 'stops';
SELECT string_agg(coalesce(conversation_id, '-') || ' ' || reason, ', ' ORDER BY record_no) FROM reengage.import_rejects WHERE import_id = :'import_id';
-- what is not clear stops the import, until somebody decides
ALTER TABLE stops RENAME opted_out TO opt_out_note;
CALL reengage.import_history('Hi', 'stops', staging => 'stops', as_of => '2026-03-23');
CALL reengage.import_history('Hi', 'unclear', staging => 'stops', as_of => '2026-03-23', dry_run => true, columns => '{"opted_out": "OPT_OUT_NOTE"}');
CALL reengage.import_history('Hi', 'unclear', staging => 'stops', as_of => '2026-03-23', dry_run => true, columns => '{"opted_out": null, "consent": ["consent"], "deleted": []}');
ALTER TABLE stops ADD delete_reason text;
CALL reengage.import_history('Hi', 'stops', staging => 'stops', as_of => '2026-03-23', columns => '{"opted_out": null}');
ALTER TABLE stops DROP delete_reason;
CALL reengage.import_history('Hi', 'stops', staging => 'stops', columns => '{"opted_out": 7}');
CALL reengage.import_history('Hi', 'stops', staging => 'stops', columns => '{"address": ["address"]}');
CALL reengage.import_history('Hi', 'stops', staging => 'stops', columns => '{"opted_out": null, "deleted": ["nothing"]}');

-- words for a status
CREATE TABLE words (conversation_id text, address text, abandoned_at timestamptz, status text, time_zone text);
INSERT INTO words SELECT 's-' || n, '+131755506' || n, '2026-03-01', s FROM unnest(ARRAY['Disconnected', 'IN_PROGRESS', 'on-hold', 'Wrapup', NULL, 'fertig', 'zzz']) WITH ORDINALITY w(s, n);
UPDATE words SET address = '+1317555060' || right(conversation_id, 1);
CALL reengage.import_history('Hi', 'words', staging => 'words', as_of => '2026-03-23', dry_run => true);
CALL reengage.import_history('Hi', 'words', staging => 'words', as_of => '2026-03-23', status_words => '{Fertig}') \gset
SELECT :accepted, :'reasons';

-- times: the order of a date, clocks that are ahead, and no setting of the session
SET "DateStyle" = 'SQL, DMY';
SET "TimeZone" = 'Pacific/Auckland';
CREATE TABLE times (conversation_id text, address text, abandoned_at text);
INSERT INTO times SELECT 't-' || n, '+1317555070' || n, t FROM unnest(ARRAY['2026-03-02 10:00', '2/3/2026 10:00', '02.03.26', '3/22/2026 11:00 PM', '2026-03-23T00:04:59Z', '2026-03-23T00:05:01Z', 'Mon, 02 Mar 2026 10:00:00 +0000', '2026-03-02 12:00 UTC+2'])
	WITH ORDINALITY v(t, n);
CALL reengage.import_history('Hi', 'times', staging => 'times', as_of => '2026-03-23 00:00Z', dry_run => true);
CALL reengage.import_history('Hi', 'times', staging => 'times', as_of => '2026-03-23 00:00Z', dry_run => true, date_order => 'dmy');
CALL reengage.import_history('Hi', 'times', staging => 'times', as_of => '2026-03-23 00:00Z', date_order => 'MDY') \gset
SELECT :accepted, :'reasons';
SELECT conversation_id, to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') FROM reengage.lineage WHERE conversation_id ~ '^t-' ORDER BY 1;
CALL reengage.import_history('Hi', 'times', staging => 'times', date_order => 'american');
RESET "DateStyle";
RESET "TimeZone";

-- addresses: one customer, however spelled; what is none is counted; a country makes national numbers numbers
CREATE TABLE spelled (conversation_id text, address text, channel text, abandoned_at text);
INSERT INTO spelled SELECT 'a-' || n, a, c, '2026-03-01' FROM (VALUES (1, '+49 (0)151 2345-6789', 'sms'), (2, '004915123456789', 'whatsapp'), (3, U&'\200E+49\00A0151\00A023456789', NULL), (4, '0151 23456789', 'sms'),
	(5, '1.51E+10', 'sms'), (6, '4915123456789.0', 'sms'), (7, 'None', 'sms'), (8, ' ', 'sms'), (9, E'x\x01y', 'open'), (10, 'Ann@Example.com', 'email'), (11, ' ann@example.com', 'email'), (12, 'Ann', 'open'), (13, 'ann', 'open')) v(n, a, c);
CALL reengage.import_history('Hi', 'spelled', staging => 'spelled', as_of => '2026-03-23') \gset
SELECT :accepted, :'reasons';
SELECT string_agg(conversation_id || ' ' || reason, ', ' ORDER BY record_no) FROM reengage.import_rejects WHERE import_id = :'import_id';
SELECT conversation_id, channel, address FROM reengage.nudges WHERE campaign = 'spelled' ORDER BY 1;
SELECT count(DISTINCT address_hash) FROM reengage.lineage WHERE conversation_id IN ('a-1', 'a-2', 'a-3');
CALL reengage.import_history('Hi', 'spelled', staging => 'spelled', as_of => '2026-03-23', server => 'germany', dry_run => true);

-- nothing goes to the lineage that was not named, and no address
CREATE TABLE kept (conversation_id text, customer_address text, from_address text, phone text, mail text, note text, cart text, channel text, abandoned_at text, customer_time_zone text);
INSERT INTO kept VALUES ('k-1', '+13175550801', '+13175559999', '(317) 555-0801', 'bea@example.com', 'call +1 317 555 0801 today', 'C-1', 'sms', '2026-03-01', '+13175550801'),
	('k-2', '+13175550802', '+13175559999', '555', 'bob@example.com', 'tall', 'C-2', 'sms', '2026-03-01', 'Moon/Base'),
	('k-3', '+5521987650803', NULL, '55 21 8765-0803', NULL, '2187650803', 'C-3', 'sms', '2026-03-01', '(21) 8765-0803'),
	('k-4', 'Ada@Example.com', NULL, 'ADA @example.com', NULL, 'of ada', 'C-4', 'email', '2026-03-01', 'UTC+05:30');
CALL reengage.import_history('Hi', 'bare', staging => 'kept', as_of => '2026-03-23') \gset
SELECT conversation_id, detail FROM reengage.nudges WHERE campaign = 'bare' UNION SELECT conversation_id, detail FROM reengage.lineage WHERE conversation_id ~ '^k-' ORDER BY 1;
CALL reengage.import_history('Hi', 'kept', staging => 'kept', as_of => '2026-03-23', keep_columns => '{Note, CART,phone}') \gset
SELECT conversation_id, detail FROM reengage.nudges WHERE campaign = 'kept' ORDER BY 1;
CALL reengage.import_history('Hi', 'kept', staging => 'kept', keep_columns => '{customer_address}');
CALL reengage.import_history('Hi', 'kept', staging => 'kept', keep_columns => '{basket}');

-- templates: one for all, one for each language, one in each record
CREATE TABLE templates (conversation_id text, address text, channel text, abandoned_at text, locale text, template jsonb);
INSERT INTO templates VALUES ('w-1', '+13175550901', 'whatsapp', '2026-03-01', 'de-AT', NULL), ('w-2', '+13175550902', 'WhatsApp', '2026-03-01', 'pt_BR', NULL),
	('w-3', '+13175550903', 'whatsapp', '2026-03-01', NULL, '{"responseId": "own", "parameters": [1]}'), ('w-4', '+13175550904', 'sms', '2026-03-01', 'de', '"no template"'),
	('w-5', '+13175550905', 'whatsapp', '2026-03-01', 'de', '{"name": "hello"}'), ('w-6', '+13175550906', NULL, '2026-03-01', 'DE', NULL);
CALL reengage.import_history('Hi', 'all', staging => 'templates', as_of => '2026-03-23', template => '{"responseId": "r-1"}') \gset
SELECT :accepted, :'reasons';
SELECT conversation_id, channel, detail FROM reengage.nudges WHERE campaign = 'all' ORDER BY 1;
CALL reengage.import_history('Hi', 'each', staging => 'templates', as_of => '2026-03-23',
	template => '{"de": {"responseId": "r-de"}, "pt-br": {"responseId": "r-br"}, "pt": {"responseId": "r-pt"}, "*": {"responseId": "r-any"}}') \gset
SELECT conversation_id, detail -> 'template' ->> 'responseId' FROM reengage.nudges WHERE campaign = 'each' ORDER BY 1;
CALL reengage.import_history('Hi', 'each', staging => 'templates', template => '{"response": "r-1"}');
CALL reengage.import_history('Hi', 'each', staging => 'templates', template => '{"de": {"responseId": ""}}');
CALL reengage.import_history('Hi', 'each', staging => 'templates', template => '[]');
CALL reengage.import_history('Hi', 'each', staging => 'templates', template => '{}');

\pset tuples_only off
\set VERBOSITY terse
DROP EXTENSION reengage CASCADE;
DROP TABLE stops, words, times, spelled, kept, templates;
