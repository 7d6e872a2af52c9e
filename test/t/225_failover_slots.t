# docs/replication.md, "Failover", as it stands: from version 17 on a reader's slot
# follows to a standby, and the reader never sees what a promoted standby has not.

use strict;
use warnings FATAL => 'all';

use Documents qw(blocks_of);
use FindBin;
use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for outcome health
  ledger_matches_lineage);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($version) = `pg_config --version` =~ /(\d+)/;
plan skip_all => "PostgreSQL $version has no failover slots, 17 has" if $version < 17;

my $document = 'docs/replication.md';
my ($on_primary, $on_standby, $on_subscriber, $look) = blocks_of($document, languages => [ 'sql', 'ini' ], section => 'Failover');
my $simulator = start_simulator();
my $conf = "reengage.instance_key = 'the shop'\nwal_retrieve_retry_interval = '100ms'\nautovacuum = off\nmax_worker_processes = 20";
my $primary = new_node('primary', preload => 1, init => { allows_streaming => 'logical' }, conf => $conf);
my $warehouse = new_node('warehouse', init => { allows_streaming => 'logical' }, conf => $conf);

sub run_sql
{
	my ($node, $block) = @_;
	my $said = '';

	$node->psql('postgres', $block->{text}, on_error_stop => 1, stdout => \my $out, stderr => \$said);
	is($said, '', $block->{place});
	return $out;
}

# One row of replication_check().
sub check
{
	my ($node, $name) = @_;
	return $node->safe_psql('postgres', "SELECT state || ': ' || detail FROM reengage.replication_check() WHERE check_name = '$name'");
}

sub rows_of_lineage
{
	my ($node) = @_;
	return $node->safe_psql('postgres', 'SELECT to_jsonb(l) FROM reengage.lineage l ORDER BY lineage_id');
}

sub deliver
{
	my ($node, $conversation) = @_;

	nudge($node, $conversation);
	wait_until_ended($node, where => "n.conversation_id = '$conversation'");
	return is(outcome($node, $conversation), 'notified - notify', "$conversation is sent");
}

# --- a reader, a standby, and what the document says ---------------------------------------------

create_extension($primary, $simulator);
$primary->safe_psql('postgres', q{SELECT reengage.publish('reengage_bi')});
$warehouse->safe_psql('postgres', 'CREATE EXTENSION reengage; CREATE SUBSCRIPTION warehouse CONNECTION '
	  . "'" . $primary->connstr('postgres') =~ s/'/''/gr . "' PUBLICATION reengage_bi");
$warehouse->wait_for_subscription_sync($primary, 'warehouse');
deliver($primary, 'live-first');

run_sql($primary, $on_primary);
$primary->backup('standby');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'standby', has_streaming => 1);
$standby->append_conf('postgresql.conf', "primary_conninfo = '" . $primary->connstr('postgres') =~ s/'/''/gr . "'\n$on_standby->{text}");
ok($primary->poll_query_until('postgres', q{SELECT state = 'attention' AND detail LIKE '%away: standby, and slots without failover: warehouse'
	FROM reengage.replication_check() WHERE check_name = 'failover'}), 'check: a slot that stays behind, and a standby that is waited for')
  or diag(check($primary, 'failover'));
run_sql($warehouse, $on_subscriber);
$standby->start;
ok($primary->poll_query_until('postgres', q{SELECT state = 'ok' FROM reengage.replication_check() WHERE check_name = 'failover'}),
	'check: readers know no more than the standby') or diag(check($primary, 'failover'));

# what is written moves the slot on, to where the standby can take it over
wait_for(sub {
	$primary->safe_psql('postgres', 'SELECT pg_log_standby_snapshot()');
	return $standby->safe_psql('postgres', $look->{text}) eq 'warehouse';
}, 'the slot has followed');
is(run_sql($standby, $look), 'warehouse', 'the slot has followed to the standby');
like(check($standby, 'slot warehouse'), qr/^ok: kept for a promotion/, 'check: there it waits for a promotion');
is(check($standby, 'slots of this standby'), 'ok: sync_replication_slots: on, hot_standby_feedback: on, primary_slot_name: set', 'check: as slots follow to it');
$standby->safe_psql('postgres', 'ALTER SYSTEM SET sync_replication_slots = off; SELECT pg_reload_conf()');
ok($standby->poll_query_until('postgres', q{SELECT state = 'attention' AND remedy LIKE 'No reader can go on here%'
	FROM reengage.replication_check() WHERE check_name = 'slots of this standby'}), 'check: a standby to which none follows');
$standby->safe_psql('postgres', 'ALTER SYSTEM RESET sync_replication_slots; SELECT pg_reload_conf()');
ok($standby->poll_query_until('postgres', q{SELECT state = 'ok' FROM reengage.replication_check() WHERE check_name = 'slots of this standby'}),
	'check: and one to which they do');
like(health($standby, 'slot warehouse'), qr/^ok: \d+ \w+ behind, /, 'and health says how far it is');

# --- a reader waits for the standby -----------------------------------------------------------------

deliver($primary, 'live-second');
$primary->wait_for_catchup('warehouse');
is(rows_of_lineage($warehouse), rows_of_lineage($primary), 'what the standby has, the reader has');
$primary->wait_for_catchup('standby', 'replay', $primary->lsn('flush'));
$standby->stop;
deliver($primary, 'live-unheard');
ok($primary->poll_query_until('postgres', q{SELECT wait_event = 'WaitForStandbyConfirmation' FROM pg_stat_replication r
	JOIN pg_stat_activity a USING (pid) WHERE r.application_name = 'warehouse'}), 'its sender waits for a standby that is away');
is($warehouse->safe_psql('postgres', q{SELECT count(*) FROM reengage.lineage WHERE requested_conversation_id = 'live-unheard'}), 0,
	'and the reader does not see what that has not');
like(check($primary, 'failover'), qr/^attention: .* away: standby, /, 'check: the reader waits for it');

# --- and goes on at the new primary ------------------------------------------------------------------

$primary->stop('immediate');
$standby->start;
$standby->promote;
ok($standby->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()'), 'the standby is promoted');
is(rows_of_lineage($warehouse), rows_of_lineage($standby), 'the reader and the new primary know the same');
ok($standby->poll_query_until('postgres', q{SELECT state = 'attention' AND remedy LIKE 'Readers wait:%'
	FROM reengage.replication_check() WHERE check_name = 'failover'}), 'check: the new primary would wait for a standby that it has not');
$standby->safe_psql('postgres', 'ALTER SYSTEM RESET synchronized_standby_slots; SELECT pg_reload_conf()');
$warehouse->safe_psql('postgres', "ALTER SUBSCRIPTION warehouse CONNECTION '" . $standby->connstr('postgres') =~ s/'/''/gr . "'");
deliver($standby, 'live-third');
$standby->wait_for_catchup('warehouse');
is(rows_of_lineage($warehouse), rows_of_lineage($standby), 'its reader goes on without a new snapshot, and misses nothing');
like(check($standby, 'slot warehouse'), qr/^ok: active, /, 'check: it is read');

$_->stop for $standby, $warehouse;
done_testing();
