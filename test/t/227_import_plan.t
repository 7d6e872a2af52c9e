# What becomes of each record of history, beside the same rules in SQL: windows
# over all records of a conversation and of a customer, on records of which many
# share either, and their times.

use strict;
use warnings FATAL => 'all';

use Reengage qw(new_node);
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
$node->safe_psql('postgres', q{
	CREATE EXTENSION reengage;
	CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'http://127.0.0.1:1')});

# Any of some texts, and null.
sub any_of { my (@texts) = @_; return '(ARRAY[' . join(', ', map { defined ? "'$_'" : 'NULL' } @texts) . '])[1 + floor(random() * ' . @texts . ')::integer]'; }

# So many records; the same for the same seed.
sub make_history
{
	my ($seed, $count, $extracted_at) = @_;
	my $time = any_of("2026-03-01 10:00", "2026-03-01 10:00:07", "2026-03-01 10:00:07.250", "2026-03-02", "2026-01-01", "2026-03-03 +0530");
	my $times = "CASE floor(random() * 40) WHEN 0 THEN NULL WHEN 1 THEN 'yesterday' WHEN 2 THEN '2031-01-01' ELSE $time END";
	my $number = "'317555' || lpad(floor(random() * $count / 3)::text, 4, '0')";
	my $rarely = any_of('', ('false') x 30, 'true', 'who knows');

	return qq{
	SELECT setseed($seed);
	CREATE TEMP TABLE history AS
	SELECT CASE floor(random() * 40) WHEN 0 THEN NULL WHEN 1 THEN '../' || n WHEN 2 THEN 'CONVERSATION_ID'
			ELSE repeat(' ', n % 2) || 'c-' || floor(random() * $count / 2) END AS conversation_id,
		@{[any_of('closed', 'ACTIVE', 'zombie', undef)]} AS status,
		@{[any_of('sms', 'SMS', 'whatsapp', ('sms') x 10, 'Two Words', undef)]} AS channel,
		CASE floor(random() * 40) WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN '1.3E+10' WHEN 3 THEN repeat('x', 300) WHEN 4 THEN 'anna\@example.org'
			WHEN 5 THEN '+1 (317) 555-' || lpad(floor(random() * $count / 3)::text, 4, '0') ELSE '+1' || $number END AS address,
		@{[any_of('Europe/Berlin', 'europe/berlin', 'Mars/Olympus', 'near 317 5550001', 'UTC+2', undef)]} AS time_zone,
		$times AS last_inbound_at, $times AS abandoned_at,
		CASE WHEN random() < 0.01 THEN 'lately' ELSE $extracted_at END AS extracted_at,
		@{[any_of(('true') x 10, 'false', undef, 'maybe')]} AS consent,
		$rarely AS opted_out, $rarely AS deleted,
		@{[any_of((undef) x 10, '{"responseId": "r-1"}', '["responseId"', '{"other": 1}')]} AS template,
		'note ' || $number AS note
	FROM generate_series(1, $count) n;
	};
}

# Reads it, and plans it, as import_history() does.
sub plan_history
{
	my (%options) = @_;
	my $options = join '', map { ", '$_', $options{$_}" } sort keys %options;
	return qq{
	CREATE TEMP TABLE told AS SELECT jsonb_build_object('server', 'genesys', 'as_of', '2026-03-23'::timestamptz, 'columns', '{}'::jsonb,
		'keep_columns', '["note"]'::jsonb, 'status_words', '[]'::jsonb$options) AS options;
	SELECT reengage_internal.import_drop_staging();
	SELECT reengage_internal.import_stage_table('history', t.options) AS header FROM told t \\gset
	UPDATE told t SET options = reengage_internal.import_name_columns(:'header'::text[], t.options);
	SELECT reengage_internal.import_describe_staging(:'header'::text[], t.options) FROM told t;
	-- a table has no lines with too few fields
	UPDATE pg_temp.reengage_import_staging SET complaint = 'wrong_field_count' WHERE record_no % 97 = 0;
	SELECT reengage_internal.import_plan(t.options) FROM told t;
	};
}

# By the rules of docs/history.md.
my $rules = q{
	CREATE TEMP TABLE expected AS
	WITH read AS (
		SELECT h.*, lower(h.channel) AS small_channel, t.options,
			reengage_internal.import_read_record(h.last_inbound_at, h.abandoned_at, h.extracted_at, h.address, lower(h.channel), NULL, t.options ->> 'date_order') AS facts
		FROM reengage_import_record h, told t
	), looked_at AS (
		SELECT r.*, (r.facts).customer, coalesce((r.facts).abandoned_at, (r.facts).last_inbound_at) AS occurred_at,
			(r.facts).extracted_at AS known_at, greatest((r.facts).last_inbound_at, (r.facts).abandoned_at) AS last_seen_at,
			CASE
				WHEN r.complaint IS NOT NULL THEN r.complaint
				WHEN r.conversation_id IS NULL THEN 'missing_id'
				WHEN lower(r.conversation_id) = 'conversation_id' THEN 'header'
				WHEN NOT reengage_internal.is_conversation_id(r.conversation_id) THEN 'invalid_id'
			END AS id_defect
		FROM read r
	), newest AS (
		SELECT l.*, l.id_defect IS NULL AND row_number() OVER records > 1 AS is_older,
			max(CASE WHEN l.opted_out THEN coalesce(l.known_at, 'infinity') END) OVER records AS conversation_out_at
		FROM looked_at l
		WINDOW records AS (
			PARTITION BY l.conversation_id, l.id_defect
			ORDER BY l.known_at DESC NULLS LAST, l.occurred_at DESC NULLS LAST, l.withdrawn DESC, l.record_no DESC
			ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
	), judged AS (
		SELECT n.*, NOT n.is_older AND n.withdrawn AS speaks_against,
			CASE
				WHEN n.id_defect IS NOT NULL THEN n.id_defect
				WHEN n.is_older THEN 'older_record'
				WHEN n.deleted THEN 'deleted'
				WHEN (n.last_inbound_at IS NULL) <> ((n.facts).last_inbound_at IS NULL) OR (n.abandoned_at IS NULL) <> ((n.facts).abandoned_at IS NULL)
				  OR (n.extracted_at IS NULL) <> (n.known_at IS NULL) OR n.occurred_at IS NULL THEN 'bad_timestamp'
				WHEN greatest(n.last_seen_at, n.known_at) > (n.options ->> 'as_of')::timestamptz + interval '5 minutes' THEN 'future_timestamp'
				WHEN n.address IS NULL THEN 'no_address'
				WHEN length((n.facts).address) > 256 OR NOT (n.facts).fit_address THEN 'invalid_address'
				WHEN length(n.channel) > 64 OR NOT (n.facts).fit_channel THEN 'invalid_channel'
				WHEN n.opted_out THEN 'opted_out'
				WHEN n.withdrawn THEN 'no_consent'
				WHEN n.template IS NOT NULL AND coalesce(n.small_channel, 'whatsapp') = 'whatsapp'
				  AND reengage_internal.import_template_in(n.template) IS NULL THEN 'invalid_template'
				ELSE 'accepted'
			END AS reason
		FROM newest n
	), compared AS (
		SELECT j.*, max(CASE WHEN j.opted_out THEN coalesce(j.known_at, 'infinity') END) OVER conversations AS customer_out_at,
			row_number() OVER conversations AS rank
		FROM judged j
		WINDOW conversations AS (
			PARTITION BY j.customer
			ORDER BY j.reason = 'accepted' OR j.speaks_against DESC, j.occurred_at DESC NULLS FIRST, j.speaks_against DESC, j.conversation_id DESC
			ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
	), decided AS (
		SELECT c.*, EXISTS (SELECT FROM pg_timezone_names n WHERE lower(n.name) = lower(c.time_zone)) AS has_zone,
			CASE
				WHEN c.reason <> 'accepted' THEN c.reason
				WHEN greatest(c.customer_out_at, c.conversation_out_at) IS NOT NULL
				  AND coalesce(c.known_at <= greatest(c.customer_out_at, c.conversation_out_at), true) THEN 'opted_out'
				WHEN c.occurred_at < (c.options ->> 'as_of')::timestamptz - (c.options ->> 'max_age')::interval THEN 'too_old'
				WHEN c.rank > 1 THEN 'older_conversation'
				WHEN lower(c.status) NOT IN ('closed', 'active') THEN 'unknown_status'
				ELSE 'accepted'
			END AS verdict
		FROM compared c
	)
	SELECT d.record_no, CASE WHEN d.verdict = 'accepted' AND d.time_zone IS NOT NULL AND NOT d.has_zone THEN 'unknown_time_zone' ELSE d.verdict END AS reason,
		d.conversation_id, d.small_channel AS channel, (d.facts).address, d.customer, d.occurred_at,
		d.last_seen_at + CASE WHEN extract(second FROM d.last_seen_at) = 0 THEN interval '1 minute'
			WHEN extract(milliseconds FROM d.last_seen_at)::integer % 1000 = 0 THEN interval '1 second' ELSE interval '1 millisecond' END AS answered_since,
		CASE WHEN d.has_zone THEN d.time_zone END AS time_zone,
		CASE WHEN d.has_zone OR d.time_zone IS NULL OR d.time_zone ~ '@|[0-9]{5}|([0-9][^0-9]*){7}' THEN d.detail
			ELSE coalesce(d.detail, '{}') || jsonb_build_object('time_zone', d.time_zone) END AS detail
	FROM decided d;
};

# What differs, and of how many reasons there were records.
my $differences = q{
	CREATE TEMP TABLE threads AS
	SELECT p.record_no, p.reason, p.conversation_id, p.channel, p.address, p.customer, p.occurred_at, p.answered_since, p.time_zone, p.detail
	FROM reengage_import_plan p;
	UPDATE expected SET conversation_id = NULL, channel = NULL, address = NULL, customer = NULL, occurred_at = NULL, answered_since = NULL,
		time_zone = NULL, detail = NULL
	WHERE reason NOT IN ('accepted', 'unknown_status', 'unknown_time_zone', 'older_conversation', 'too_old')
	   -- found by the customer's others
	   AND NOT (reason = 'opted_out' AND record_no IN (SELECT t.record_no FROM threads t WHERE t.conversation_id IS NOT NULL));
	SELECT 'differs', d.* FROM ((SELECT 'expected', * FROM expected EXCEPT SELECT 'expected', * FROM threads)
		UNION ALL (SELECT 'planned', * FROM threads EXCEPT SELECT 'planned', * FROM expected)) d ORDER BY 3 LIMIT 10;
	SELECT count(*), count(DISTINCT reason), count(DISTINCT record_no) FROM threads;
};

sub is_planned_right
{
	my ($name, $reasons, $history, %options) = @_;
	my ($status, $stdout, $stderr) = $node->psql('postgres',
		"SET TimeZone = 'UTC'; SET client_min_messages = warning;\n\\o /dev/null\n" . $history . plan_history(%options) . $rules . "\\o\n" . $differences,
		on_error_stop => 1);

	is($stderr, '', "$name: it is planned");
	return is($stdout, "3000|$reasons|3000", "$name: each record as the rules say, and of all reasons some");
}

my @extracted = (any_of('2026-03-20', '2026-03-21', '2026-03-22', undef), any_of(('2026-03-22') x 5, undef), 'NULL');
is_planned_right("seed $_", 18, make_history($_, 3000, $extracted[ $_ * 10 % 3 ])) for 0.1, 0.2, 0.3;
is_planned_right('only the newest', 19, make_history(0.4, 3000, $extracted[0]), max_age => "'30 days'");
is_planned_right('a template for all', 18, make_history(0.5, 3000, $extracted[0]), template => q{'{"responseId": "of all"}'::jsonb});

done_testing();
