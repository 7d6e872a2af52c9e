# What a database's owner may set does not change what reengage's functions do.

use strict;
use warnings FATAL => 'all';

use Reengage qw(new_node);
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', conf => 'wal_level = logical');

# Prints nothing that is random, or that a client asked to have in its own style.
my $script = <<'SQL';
\set ON_ERROR_STOP 0
\set VERBOSITY verbose
\set SHOW_CONTEXT never
\pset format unaligned
SELECT reengage.thread_diagram('root'), reengage.thread_diagram('root', 'graphviz');
SELECT generation, outcome, conversation_id FROM reengage.thread('n-1');
SELECT reengage_internal.diagram_text(chr(92) || '"<a>&' || chr(10), f) FROM unnest(ARRAY['mermaid', 'graphviz']) f;
SELECT reengage.lineage_digest(l) FROM reengage.lineage l WHERE requested_conversation_id = 'root' ORDER BY lineage_id;
SELECT row_count, digest FROM reengage_internal.count_lineage('2026-01-01 00:00Z', '2026-02-01 00:00Z');
SELECT extract(epoch FROM reengage.permitted_at('2026-03-29 00:30Z', '{daily 21:00-08:00}', 'Europe/Berlin'));
SELECT reengage_internal.import_column_meaning(n) FROM unnest(ARRAY['Opted Out', 'is_active', 'sms_consent', '__deleted']) n;
SELECT reengage_internal.import_without_address(E'call\t+1 (317)\n5550142', '+13175550142'), reengage_internal.import_without_address('s', 't');
BEGIN;
INSERT INTO reengage.policies (server, campaign, channel, cap, cap_interval, minimum_gap) VALUES
	('genesys', 'spring', 'sms', 3, '1 mon 2 days -3 hours', '90 minutes'), ('genesys', 'S', NULL, 3, '7 days', NULL);
SELECT new - 'policy_id' - 'created_at' FROM reengage.changes ORDER BY change_id;
INSERT INTO reengage.policies (server, campaign) VALUES ('genesys', ' ');
ROLLBACK;
BEGIN;
INSERT INTO reengage.nudges (nudge_id, conversation_id, message, server, address, campaign, time_zone, due_at, detail)
VALUES ('00000000-0000-7000-8000-000000000001', 'root', 'back' || chr(92) || 'slash', 'genesys', '+13175550142', 'spring', 'Europe/Berlin', '2100-01-01 00:00Z', '{"template": {"a": "b"}}');
SELECT encode(convert_to(message, 'UTF8'), 'hex'), detail, address = '+13175550142', extract(epoch FROM due_at) FROM reengage.nudges WHERE conversation_id = 'root';
SELECT state, reason, extract(epoch FROM next_attempt_at) FROM reengage.nudge_status WHERE requested_conversation_id = 'root';
SELECT step, method, url, body FROM reengage.preview('00000000-0000-7000-8000-000000000001');
SELECT * FROM reengage.suppress('+1 (317) 555-0142', reason => 'STOP', until => '2100-01-01 00:00Z');
SELECT label, reason, extract(epoch FROM until), new ->> 'label' FROM reengage.suppressions, reengage.changes;
SELECT * FROM reengage.record_answer('root', server => 'genesys', at => '2026-01-01 00:00Z');
SELECT reengage.cancel('00000000-0000-7000-8000-000000000001'), reengage.unsuppress('+13175550142');
ROLLBACK;
BEGIN;
CALL reengage.import_history('Hi', 'c', staging => 'staging', server => 'genesys', as_of => '2026-03-23 00:00Z', max_age => '60 days 12 hours',
	keep_columns => '{kept,N,f,i,b}', dry_run => true) \gset
SELECT :'records_read', :'reasons';
ROLLBACK;
SELECT check_name, state FROM reengage.replication_check() ORDER BY 1;
SELECT subject, state FROM reengage.health WHERE subject NOT LIKE 'backlog%' ORDER BY 1;
BEGIN;
CALL reengage.close_day('2026-01-05');
SELECT day, state, rows_counted, digest_counted FROM reengage.reconciliation ORDER BY 1;
SELECT reengage.resolve(lineage_id, 'not_sent') IS NOT NULL FROM reengage.in_doubt;
ROLLBACK;
SQL

# What stays.
my $import = <<'SQL';
CALL reengage.import_history('Hi', 'real', staging => 'staging', server => 'genesys', as_of => '2026-03-23 00:00Z', max_age => '60 days 12 hours',
	keep_columns => '{kept,N,f,i,b}') \gset
SELECT :'records_read', :'reasons';
SELECT conversation_id, address, time_zone, detail, extract(epoch FROM answered_since) FROM reengage.nudges WHERE campaign = 'real' ORDER BY conversation_id;
SELECT record_no, reason, record FROM reengage.import_rejects ORDER BY 1;
SQL

my $setup = <<'SQL';
CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'http://127.0.0.1:1', default_country_code '1');
INSERT INTO reengage.lineage (lineage_id, nudge_id, server, outcome, reason, step, requested_conversation_id, conversation_id, previous_conversation_id, root_conversation_id,
	generation, status_seen, attempts, api_calls, api_calls_saved, requested_at, due_at, occurred_at, recorded_at)
SELECT ('00000000-0000-7000-8000-00000000000' || n)::uuid, ('00000000-0000-7000-8000-00000000001' || n)::uuid, 'genesys',
	(ARRAY['notified', 'session_created', 'in_doubt'])[n], NULL, (ARRAY['notify', 'create', 'notify'])[n], 'root', CASE n WHEN 1 THEN 'root' ELSE 'n-1' END,
	CASE n WHEN 2 THEN 'root' END, 'root', (n > 1)::int, U&'act\005Cive"', 1, 2, 0, t, t, t, t
FROM generate_series(1, 3) n, LATERAL (SELECT '2026-01-05 10:00Z'::timestamptz + n * interval '1 minute' AS t) x;
CREATE TABLE staging (conversation_id text, customer_address text, abandoned_at text, time_zone text, kept text, "N" text, f double precision, i interval, b bytea);
INSERT INTO staging VALUES
	('a', '+13175550101', '2026-03-01T10:00:00Z', 'Europe/Berlin', U&'N', U&'\005CN', 0.1::float8 + 0.2, '-1 mon 2 days -3:04', '\x00ff'),
	('N', 'N', '2026-03-01T10:00:00Z', NULL, U&'a\005Cb', 'N', 1e-7, '1 day', NULL),
	('c', U&'\005CN', '2026-03-01T10:00:00Z', NULL, NULL, NULL, NULL, NULL, NULL),
	('d', U&'+1317\005C5550104', '2026-03-01T10:00:00Z', NULL, NULL, NULL, NULL, NULL, NULL),
	('e', U&' +13175550105\0009', '2026-01-01', 'nowhere', NULL, NULL, NULL, NULL, NULL);
SQL

my @settings = (
	{ standard_conforming_strings => 'off', escape_string_warning => 'off', backslash_quote => 'on' },
	{ datestyle => 'German', intervalstyle => 'sql_standard', timezone => 'Asia/Kathmandu' },
	{ datestyle => 'SQL,DMY', intervalstyle => 'iso_8601', bytea_output => 'escape', extra_float_digits => -15, timezone => 'America/St_Johns' },
	{ transform_null_equals => 'on', array_nulls => 'off', quote_all_identifiers => 'on', xmloption => 'document' },
	{ enable_indexscan => 'off', from_collapse_limit => 1, join_collapse_limit => 1, geqo_threshold => 2 },
	{ synchronous_commit => 'off', row_security => 'off', check_function_bodies => 'off', statement_timeout => '1min' },
	{ search_path => 'evil,pg_catalog,public', lc_monetary => 'C', lc_numeric => 'C', lc_time => 'C', lc_messages => 'C' },
);

sub make_database
{
	my ($database, @settings) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, q{
		CREATE SCHEMA evil;
		CREATE FUNCTION evil.now() RETURNS pg_catalog.timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil'; END $$;
		CREATE DOMAIN evil.timestamptz AS pg_catalog.timestamptz CHECK (VALUE IS NULL);
		CREATE DOMAIN evil.text AS pg_catalog.text CHECK (VALUE IS NULL);
		CREATE DOMAIN evil.jsonb AS pg_catalog.jsonb CHECK (VALUE IS NULL);
		CREATE DOMAIN evil.int8 AS pg_catalog.int8 CHECK (VALUE IS NULL)});
	$node->safe_psql('postgres', "ALTER DATABASE $database SET $_") for @settings;
	$node->safe_psql($database, "CREATE EXTENSION reengage");
	local $ENV{PGOPTIONS} = '-c standard_conforming_strings=on -c search_path=public';
	$node->safe_psql($database, $setup);
	return $database;
}

# What a script prints and says with these settings.
sub results
{
	my ($database, $sql, %settings) = @_;
	my ($out, $err);
	# the script itself means what it says
	local $ENV{PGOPTIONS} = join ' ', map { "-c $_=" . ($settings{$_} =~ s/ /\\ /gr) } sort keys %settings;

	$node->psql($database, $sql, stdout => \$out, stderr => \$err, on_error_stop => 0);
	$err =~ s{^psql:<stdin>:\d+: NOTICE: .*\d of 5 records\n|^psql:<stdin>:\d+: |^LOCATION: .*\n}{}mg;
	# names in quotes are the same names
	return "$out\n$err\n" =~ s/"(reengage|lineage|lineage_manifest)"(?=\.| |\n|\|)/$1/gr;
}

make_database('plain');
my $expected = results('plain', $script);
unlike($expected, qr/ERROR:  (?!22023: invalid campaign)/, 'nothing fails by itself');
for my $settings (@settings)
{
	is(results('plain', $script, %$settings), $expected, join ', ', map { "$_ = $settings->{$_}" } sort keys %$settings);
}
$expected = results('plain', $import);
like($expected, qr/"accepted": 3/, 'an import accepts what it should');
make_database('hostile', 'standard_conforming_strings = off', 'escape_string_warning = off', 'search_path = evil, pg_catalog, public', 'IntervalStyle = iso_8601');
is(results('hostile', $import), $expected, 'also where the extension was made under such settings');

$node->stop('fast');
done_testing();
