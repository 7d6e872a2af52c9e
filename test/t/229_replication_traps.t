# Each trap of replication that replication_check() knows and that needs servers:
# before it the check is content, in it the check names it, PostgreSQL does what the
# check says, and the remedy, run as it stands, leads out.  sql/replication.sql has the others.

use strict;
use warnings FATAL => 'all';

use File::Copy qw(copy);
use FindBin;
use Reengage qw(new_node own_installation wait_for psql_stderr log_size);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# version 1.0 is put beside the new one
my ($libraries, $scripts) = own_installation();
my $conf = "wal_retrieve_retry_interval = '100ms'\nautovacuum = off\nmax_worker_processes = 20\n";
my ($publisher, $warehouse) = map { new_node($_, init => { allows_streaming => 'logical' }, conf => $conf) } qw(publisher warehouse);

# Rows of replication_check(), asked by somebody who may only read: "state: detail".
sub check
{
	my ($node, $name, $database) = @_;
	return $node->safe_psql($database // 'postgres',
		"SELECT state || ': ' || detail FROM reengage.replication_check() WHERE check_name = '$name'", extra_params => [ '-U', 'bi' ]);
}

# Its remedy: the statements that it has, from the first on.
sub heal
{
	my ($node, $name, $database) = @_;
	my $remedy = $node->safe_psql($database // 'postgres', "SELECT remedy FROM reengage.replication_check() WHERE check_name = '$name'");

	my ($statements) = $remedy =~ /\b(ALTER .*;|SELECT .*;)/ or die "no statement in: $remedy";
	$node->safe_psql($database // 'postgres', $_) for split /(?<=;) /, $statements;
	return;
}

sub wait_for_check
{
	my ($node, $name, $said, $database) = @_;
	return wait_for(sub { check($node, $name, $database) =~ $said }, "$name: $said");
}

sub subscribe
{
	my ($database, $name, $options) = @_;
	return $warehouse->safe_psql($database, "CREATE SUBSCRIPTION $name CONNECTION '"
		  . $publisher->connstr('postgres') =~ s/'/''/gr . "' PUBLICATION reengage_bi" . ($options ? " WITH ($options)" : ''));
}

sub insert_row
{
	my ($name) = @_;
	return $publisher->safe_psql('postgres', qq{INSERT INTO reengage.lineage (server, outcome, requested_conversation_id, conversation_id,
		root_conversation_id, generation, attempts, api_calls, api_calls_saved, occurred_at)
		VALUES ('genesys', 'imported', '$name', '$name', '$name', 0, 0, 0, 0, now())});
}

sub arrived
{
	my ($database, $name) = @_;
	return $warehouse->safe_psql($database, "SELECT count(*) FROM reengage.lineage WHERE conversation_id = '$name'");
}

$publisher->safe_psql('postgres', $_) for 'CREATE EXTENSION reengage', 'CREATE ROLE bi LOGIN IN ROLE reengage_reader',
  q{SELECT reengage.publish('reengage_bi')};
$warehouse->safe_psql('postgres', $_) for 'CREATE DATABASE copy', 'CREATE DATABASE landing';
$warehouse->safe_psql('copy', $_) for 'CREATE EXTENSION reengage', 'CREATE ROLE bi LOGIN IN ROLE reengage_reader';
insert_row('first');

# ---- plugins that the server does not allow ---------------------------------------------------------

SKIP:
{
	skip 'this PostgreSQL has no output_plugin_libraries: 14.24, 15.19, 16.15, 17.11 and 18.6 have', 10
	  if $publisher->safe_psql('postgres', q{SELECT current_setting('output_plugin_libraries', true) IS NULL}) eq 't';
	my $read = q{SELECT count(*) >= 0 FROM pg_logical_slot_peek_changes('decoded', NULL, NULL)};
	my $refused = qr/ERROR:  library "(\w+)" may not be used as an output plugin/;

	$publisher->safe_psql('postgres', q{SELECT pg_create_logical_replication_slot('decoded', 'test_decoding')});
	is(check($publisher, 'output_plugin_libraries'), 'ok: pgoutput, test_decoding', 'by default a server allows its own plugins');
	is(check($publisher, 'plugin of slot decoded'), '', 'and a slot of one of them is no trap');
	$publisher->safe_psql('postgres', 'ALTER SYSTEM SET output_plugin_libraries = pgoutput, wal2json; SELECT pg_reload_conf()');
	wait_for_check($publisher, 'plugin of slot decoded', qr/./);
	is(check($publisher, 'plugin of slot decoded'),
		'failed: test_decoding is not in output_plugin_libraries (pgoutput, wal2json), so whoever reads the slot is refused',
		'a slot with another plugin, the setting and what it is are named');
	like(psql_stderr($publisher, $read), $refused, 'and so it is');
	heal($publisher, 'plugin of slot decoded');
	wait_for_check($publisher, 'output_plugin_libraries', qr/^ok: pgoutput, wal2json, test_decoding$/);
	is(check($publisher, 'plugin of slot decoded'), '', 'the remedy is one');
	is($publisher->safe_psql('postgres', $read), 't', 'the slot can be read');

	# the list is one of names: all in one string is a name that nobody has
	$publisher->safe_psql('postgres', q{ALTER SYSTEM SET output_plugin_libraries = 'pgoutput, test_decoding'; SELECT pg_reload_conf()});
	wait_for_check($publisher, 'output_plugin_libraries', qr/^failed/);
	is(check($publisher, 'output_plugin_libraries'), 'failed: "pgoutput, test_decoding"', 'a list that was written as one name');
	like(psql_stderr($publisher, q{SELECT pg_create_logical_replication_slot('refused', 'pgoutput')}), $refused, 'allows nothing');
	heal($publisher, 'output_plugin_libraries');
	wait_for_check($publisher, 'output_plugin_libraries', qr/^ok/);
	like(check($publisher, 'plugin of slot decoded'), qr/^failed/, 'and pgoutput is back, alone');
	$publisher->safe_psql('postgres', 'ALTER SYSTEM RESET output_plugin_libraries; SELECT pg_reload_conf()');
	wait_for_check($publisher, 'output_plugin_libraries', qr/^ok: pgoutput, test_decoding$/);
	is(check($publisher, 'plugin of slot decoded'), '', 'as it was');
	$publisher->safe_psql('postgres', q{SELECT pg_drop_replication_slot('decoded')});
}

# ---- readers that take values in binary ------------------------------------------------------------------

subscribe('copy', 'copy', 'binary = true');
wait_for_check($warehouse, 'subscription copy', qr/^attention: takes values in binary$/, 'copy');
wait_for_check($publisher, 'reader of slot copy', qr/^attention: takes values in binary$/);
is(arrived('copy', 'first'), 1, 'in binary rows come where the types are the same');
# as in a table that was made by hand
$warehouse->safe_psql('landing', 'CREATE SCHEMA reengage; CREATE TABLE reengage.lineage (' . $publisher->safe_psql('postgres', q{
	SELECT string_agg(format('%I %s', attname, CASE WHEN attname = 'generation' THEN 'bigint' ELSE format_type(atttypid, atttypmod) END), ', ' ORDER BY attnum)
	FROM pg_attribute WHERE attrelid = 'reengage.lineage'::regclass AND attnum > 0 AND NOT attisdropped})
	. '); CREATE TABLE reengage.lineage_manifest (' . $publisher->safe_psql('postgres', q{
	SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum)
	FROM pg_attribute WHERE attrelid = 'reengage.lineage_manifest'::regclass AND attnum > 0 AND NOT attisdropped}) . ')');
my $offset = log_size($warehouse);
subscribe('landing', 'landing', 'binary = true, copy_data = false');
insert_row('second');
ok($warehouse->wait_for_log(qr/incorrect binary data format|insufficient data left in message/, $offset), 'in binary a column of another type stops the reader');
is(arrived('landing', 'second'), 0, 'and nothing comes');
heal($warehouse, 'subscription copy', 'copy');
$warehouse->safe_psql('landing', 'ALTER SUBSCRIPTION landing SET (binary = false)');
wait_for(sub { arrived('landing', 'second') }, 'the remedy is one');
wait_for(sub { check($publisher, 'reader of slot copy') . check($publisher, 'reader of slot landing') eq '' }, 'the publisher sees no binary reader any more');
wait_for_check($warehouse, 'subscription copy', qr/^ok: runs, and has what is made to be replicated$/, 'copy');
is($warehouse->safe_psql('copy', q{SELECT count(*) FROM reengage.replication_check() WHERE check_name LIKE 'subscription %'}), 1,
	'those of other databases are not named');

# ---- subscriptions that do not go on ------------------------------------------------------------------------

$warehouse->safe_psql('copy', 'ALTER SUBSCRIPTION copy DISABLE');
like(check($warehouse, 'subscription copy', 'copy'), qr/^attention: is disabled$/, 'a subscription that is disabled');
heal($warehouse, 'subscription copy', 'copy');
wait_for_check($warehouse, 'subscription copy', qr/^ok/, 'copy');
$warehouse->safe_psql('copy', 'ALTER TABLE reengage.lineage RENAME COLUMN campaign TO campaigns');
insert_row('third');
wait_for_check($warehouse, 'subscription copy', qr/^attention: nothing applies it now$/, 'copy');
$warehouse->safe_psql('copy', 'ALTER TABLE reengage.lineage RENAME COLUMN campaigns TO campaign');
wait_for_check($warehouse, 'subscription copy', qr/^ok/, 'copy');
# as after a restore, when publish() has repaired what was published
$publisher->safe_psql('postgres', 'ALTER PUBLICATION reengage_bi DROP TABLE reengage.lineage_manifest');
$warehouse->safe_psql('copy', 'ALTER SUBSCRIPTION copy REFRESH PUBLICATION');
wait_for_check($warehouse, 'subscription copy', qr/^attention: does not have reengage.lineage_manifest$/, 'copy');
is($publisher->safe_psql('postgres', q{SELECT reengage.publish('reengage_bi')}), 'repaired', 'publish() is the first half of the remedy');
$warehouse->safe_psql('copy', 'ALTER SUBSCRIPTION copy REFRESH PUBLICATION');
wait_for_check($warehouse, 'subscription copy', qr/^ok/, 'copy');

# ---- generated columns, which version 1.0 let somebody add ------------------------------------------------

SKIP:
{
	skip 'this PostgreSQL finds extensions only where they are installed', 5 unless $scripts;
	my $database = 'generated';
	my $generated = "generated columns in publication reengage_bi";

	copy("$FindBin::RealBin/../../src/sql/released/reengage--1.0.sql", "$scripts/reengage--1.0.sql") or die "could not copy: $!";
	$publisher->safe_psql('postgres', "CREATE DATABASE $database");
	$publisher->safe_psql($database, $_) for q{CREATE EXTENSION reengage VERSION '1.0'},
	  'ALTER TABLE reengage.lineage ADD COLUMN twice integer GENERATED ALWAYS AS (generation * 2) STORED', 'ALTER EXTENSION reengage UPDATE',
	  q{SELECT reengage.publish('reengage_bi')};
	is(check($publisher, 'columns of reengage.lineage', $database), 'attention: somebody added twice (generated)', 'a generated column is named');
	is(check($publisher, $generated, $database), '', 'which is not published by itself');
	skip 'before version 18 generated columns are never published', 3 if $publisher->pg_version < 18;
	$publisher->safe_psql($database, 'ALTER PUBLICATION reengage_bi SET (publish_generated_columns = stored)');
	is(check($publisher, $generated, $database), 'attention: reengage.lineage.twice is generated, and published', 'one that is published');
	heal($publisher, $generated, $database);
	is(check($publisher, $generated, $database), '', 'the remedy is one');
	is(check($publisher, 'publication reengage_bi', $database), 'ok: contains what is made to be replicated', 'and the publication is as it was');
}

$_->stop for $publisher, $warehouse;
done_testing();
