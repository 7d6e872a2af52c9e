# A node of a fleet is lost, and its synchronous standby takes over: first rehearsed on a
# copy, which changes nothing; then the node dies while an application asks by way of the
# front.  Nothing is twice, nothing lost, and the front and whoever collects go on, as
# docs/high_availability.md and docs/replication.md say.

use strict;
use warnings FATAL => 'all';

use Documents qw(blocks_of run_shell);
use IPC::Run ();
use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for poll_until lineage
  outcome health worker_pid courier_pid process_is_alive psql_stderr ledger_matches_lineage);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

chomp(my $libraries = `pg_config --pkglibdir`);
chomp(my $programs = `pg_config --bindir`);
my ($version) = `pg_config --version` =~ /(\d+)/;
my ($root) = $ENV{STAGE_SETTINGS} =~ /(?:dynamic_library_path = ')([^']*)\Q$libraries\E:/;
my $rehearse = ($root // '') . "$programs/reengage-rehearse";

my $simulator = start_simulator();
my $conf = "wal_retrieve_retry_interval = '100ms'\nautovacuum = off\nmax_worker_processes = 20\nmax_logical_replication_workers = 12\n";
my $primary = new_node('primary', preload => 1, init => { allows_streaming => 'logical' }, conf => "$conf\nreengage.instance_key = 'node a'");
create_extension($primary, $simulator);
$primary->safe_psql('postgres', q{SELECT reengage.publish('reengage_bi')});
$primary->backup('for_standby');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'for_standby', has_streaming => 1);
$standby->start;
$primary->append_conf('postgresql.conf', "synchronous_standby_names = 'standby'");
$primary->reload;
$primary->poll_query_until('postgres', q{SELECT sync_state = 'sync' FROM pg_stat_replication});

# As a front has it, and a subscription: both of them, and the one that can be written to.
my $both = sprintf "host='%s,%s' port='%s,%s' dbname=postgres", $primary->host, $standby->host, $primary->port, $standby->port;

my $warehouse = PostgreSQL::Test::Cluster->new('warehouse');
$warehouse->init(allows_streaming => 'logical', extra => [ '--locale=C', '--encoding=UTF8' ]);
$warehouse->append_conf('postgresql.conf', $conf);
$warehouse->start;
$warehouse->safe_psql('postgres', $primary->safe_psql('postgres', 'SELECT reengage.subscriber_ddl(several_nodes => true)'));
my $subscribe = "CREATE SUBSCRIPTION a CONNECTION '" . $both =~ s/'/''/gr . " target_session_attrs=read-write' PUBLICATION reengage_bi";
$warehouse->safe_psql('postgres', $subscribe);
sub wait_for_copies
{
	return $warehouse->poll_query_until('postgres', q{SELECT count(*) > 0 AND bool_and(srsubstate = 'r') FROM pg_subscription_rel});
}
ok(wait_for_copies(), 'a subscription finds the node among two hosts');

my $front = new_node('front');
$front->safe_psql('postgres', 'CREATE EXTENSION reengage_front CASCADE');
$primary->safe_psql('postgres', q{SELECT reengage.join_fleet('a')});
sub set_nodes
{
	my ($string) = @_;
	return $front->safe_psql('postgres', q{SELECT reengage_front.set_nodes(jsonb_build_object('a', } . "'" . $string =~ s/'/''/gr . "'))");
}
set_nodes($primary->connstr('postgres'));

# ---- another node, and what they tell each other --------------------------------------------------------

my $other = new_node('b', preload => 1, init => { allows_streaming => 'logical' }, conf => $conf);
create_extension($other, $simulator);
$other->safe_psql('postgres', q{SELECT reengage.join_fleet('b')});

# One hears the other, as docs/fleet.md says.  Returns how many statements that took.
sub hear
{
	my ($node, $name, $from, $from_name, $connection) = @_;

	$from->safe_psql('postgres', 'SELECT reengage.publish_news()');
	my $slot = $from->safe_psql('postgres', "SELECT reengage.make_news_slot('$name')");
	my @statements = split /\n/, $node->safe_psql('postgres', "SELECT reengage.news_ddl('$from_name', '" . $connection =~ s/'/''/gr . "', '$slot')");
	$node->safe_psql('postgres', $_) for @statements;
	return scalar @statements;
}
sub hear_each_other
{
	my ($node_a) = @_;
	return join ' ', hear($node_a, 'a', $other, 'b', $other->connstr('postgres')), hear($other, 'b', $node_a, 'a', "$both target_session_attrs=read-write");
}
# Both know of so many who opted out, and of the same.
sub agree
{
	my ($node_a, $count, $what) = @_;
	my $all = q{SELECT count(*) || ' ' || coalesce(string_agg(address_hash, ' ' ORDER BY address_hash), '') FROM reengage.suppressions};

	poll_until($_, 'postgres', "SELECT count(*) = $count FROM reengage.suppressions") for $node_a, $other;
	return is($node_a->safe_psql('postgres', $all), $other->safe_psql('postgres', $all), $what);
}
is(hear_each_other($primary), '2 2', 'two nodes tell each other');
$primary->safe_psql('postgres', q{SELECT reengage.suppress('+13175550701')});
agree($primary, 1, 'an opt-out at the one is known at the other');

nudge($primary, $_) for qw(live-first closed-first);
wait_until_ended($primary);

# ---- a rehearsal ------------------------------------------------------------------------------------

# What it prints, with a line for how it ended.
sub rehearse
{
	my (@arguments) = @_;
	my $out = '';

	IPC::Run::run([ $rehearse, @arguments ], '<', \'', '>', \$out, '2>&1');
	return $out . 'ended with ' . ($? >> 8) . "\n";
}

# What must be as it was.
sub state_of_all
{
	return join '; ', map {
		my $node = $_;
		$node->safe_psql('postgres', q{SELECT concat_ws(' ', pg_is_in_recovery(), (SELECT timeline_id FROM pg_control_checkpoint()),
			(SELECT md5(string_agg(name || setting, ' ' ORDER BY name)) FROM pg_settings WHERE name NOT IN ('application_name')),
			(SELECT count(*) FROM pg_replication_slots), (SELECT count(*) FROM reengage.nudges), (SELECT count(*) FROM reengage.lineage))})
	} $primary, $standby;
}

my $folder = PostgreSQL::Test::Utils::tempdir() . '/rehearsal';
my $before = state_of_all();
my $requests = scalar $simulator->requests;
nudge($primary, 'live-later', due_at => "now() + '1 day'");
$before = state_of_all();
my $said = rehearse('-D', $folder, $both, $front->connstr('postgres'));
my $gone = $version < 17 ? qr/^ATTENTION  the slot "a" would be gone: its reader has to begin anew\n +A subscription: ALTER SUBSCRIPTION a DISABLE/m : qr/^ATTENTION  the slot "a" would be gone/m;
like($said, $gone, 'a rehearsal: a reader whose slot would be gone is named, with what to do');
like($said, qr/^ATTENTION +the slot "reengage_b_\w+" would be gone.*\n +It is that of another node: /m, 'and that of another node');
like($said, qr/^ok +\Q$_\E/m, "a rehearsal: $_")
  for 'the node is armed', 'synchronous: standby; nothing that was acknowledged is lost', 'synchronous_commit is on',
  q(the standby's fence would be open), 'its worker would start by itself', 'promoted, and found by a string with two hosts',
  '1 due there as before', 'nothing was on the wire', 'a nudge can be asked for there', 'the copy itself sends nothing: armed at another site';
like($said, qr/^The copy is deleted.*\nended with 1\n\z/m, 'a rehearsal ends with what needs attention') or diag($said);
like($said, qr/^ATTENTION +the front calls it a, and would not find the standby\n +SELECT reengage_front.set_nodes/m, 'it says what the front lacks');
set_nodes("$both target_session_attrs=read-write");
ok(!-e $folder, 'and leaves nothing');
is(state_of_all(), $before, 'nor has it changed anything');
is(scalar $simulator->requests, $requests, 'nor sent');
is(health($standby, 'worker') =~ s/:.*//r, 'standby', 'and the standby is one');

like(rehearse('-D', $folder, $primary->connstr('postgres')), qr/^FAILED +NODE leads to no standby: name both hosts in it$/m, 'of a node without a standby it says so');
mkdir $folder;
like(rehearse('-D', $folder, $both), qr/^FAILED .* is there already, or cannot be made/m, 'a folder that is there is not touched');
ok(-d $folder, 'and stays');
rmdir $folder;
$standby->append_conf('postgresql.conf', q{reengage.instance_key = 'another'});
$standby->restart;
$primary->poll_query_until('postgres', q{SELECT sync_state = 'sync' FROM pg_stat_replication WHERE application_name = 'standby'});
$said = rehearse('-n', $both, $front->connstr('postgres'));
like($said, qr/^ok +the front calls it a, and would find the standby$/m, 'the front has both by now');
like($said, qr/^ATTENTION +the standby would be fenced: armed at another site .*\n +Give node and standby the same reengage.instance_key/m,
	'a standby that would be fenced is found out beforehand');
$standby->append_conf('postgresql.conf', q{reengage.instance_key = 'node a'});
$standby->restart;
$primary->append_conf('postgresql.conf', q{synchronous_standby_names = ''});
$primary->reload;
$primary->poll_query_until('postgres', q{SELECT sync_state = 'async' FROM pg_stat_replication WHERE application_name = 'standby'});
$said = rehearse('-n', $both);
like($said, qr/^ATTENTION +no standby is synchronous/m, 'and one that may know less');
unlike($said, qr/promoted|deleted/, 'as a look tells, without a copy');
$primary->append_conf('postgresql.conf', "synchronous_standby_names = 'standby'");
$primary->reload;
ok($primary->poll_query_until('postgres', q{SELECT sync_state = 'sync' FROM pg_stat_replication WHERE application_name = 'standby'}), 'it is as it was');

# ---- the node dies ------------------------------------------------------------------------------------

# Kills it and, as a process that is cut off cannot go by itself, its senders.
sub kill_primary
{
	my $worker = worker_pid($primary);
	my $courier = courier_pid($worker);
	my @senders = split /\n/, $primary->safe_psql('postgres', 'SELECT pid FROM pg_stat_replication');

	$primary->kill9;
	kill 'KILL', @senders;
	wait_for(sub { !grep { process_is_alive($_) } $worker, $courier, @senders }, 'the node is gone');
	return;
}

# the last that the node says: its standby has it when that returns, and the other node need not
$primary->safe_psql('postgres', q{SELECT reengage.suppress('+13175550702')});
$simulator->set(latency_ms => 5);
$simulator->fault(verb => $_, id => $_ eq 'notify' ? 'live-load' : 'closed-load', action => 'hang_after', rate => 0.05) for qw(notify create);
# one session at the front, before and after; each line that comes back is a nudge that the standby has, too
my @asked = map { sprintf '01900000-0000-7000-8000-%012d', $_ } 1 .. 20000;
my $inserts = $front->basedir . '/inserts';
append_to_file($inserts, join '', map {
	my $kind = $_ % 2 ? 'live' : 'closed';
	"INSERT INTO reengage.nudges (nudge_id, server, conversation_id, message) VALUES ('$asked[$_ - 1]', 'genesys', '$kind-load-$_', 'x') RETURNING nudge_id;\n" } 1 .. @asked);
my ($acknowledged, $complaints) = ('', '');
my $application = IPC::Run::start([ 'psql', '-XAtq', '-d', $front->connstr('postgres'), '-f', $inserts ], '>', \$acknowledged, '2>', \$complaints);
wait_for(sub { $application->pump_nb; my $counts = $simulator->counts; $counts->{hanging} >= 2 && $counts->{notifications} + $counts->{created} > 100 }, 'calls are under way');
kill_primary();
wait_for(sub { $application->pump_nb; $complaints =~ /ERROR/ }, 'what is asked meanwhile fails');
like($complaints, qr/ERROR: .*(connect|server closed|terminat)/, 'and says why');
my ($out, $err) = ('', '');
is($front->psql('postgres', 'SELECT count(*) FROM reengage.nudge_status', stdout => \$out, stderr => \$err), 0, 'who looks meanwhile gets an answer');
is($out, 0, 'without the rows of the node');
is($front->safe_psql('postgres', q{SELECT count(*) FROM reengage.nudge_status WHERE node = 'a'}), 0, 'also who asks for that node alone');
like($err, qr/WARNING:  node "a" does not answer: its rows are missing/, 'and is told so');
is($front->safe_psql('postgres', q{SELECT state FROM reengage.health WHERE subject = 'node a'}), 'unreachable', 'as health says');
$other->safe_psql('postgres', q{SELECT reengage.suppress('+13175550703')});

# ---- its standby takes over --------------------------------------------------------------------------------

$simulator->clear_faults;
$standby->promote;
my $until_then = length $acknowledged;
wait_for(sub { $application->pump_nb; length($acknowledged) > $until_then + 50 * 37 }, 'the same session of the front goes on at the new primary');
$application->kill_kill;
my @acknowledged = split /\n/, $acknowledged;
pop @acknowledged if $acknowledged !~ /\n\z/;
cmp_ok(scalar @acknowledged, '>', 100, 'inserts were acknowledged');
wait_for(sub { worker_pid($standby) }, 'its worker starts by itself');
# whoever got an error asks once more, under the same id
my %done = map { $_ => 1 } @acknowledged;
my $last = (grep { $asked[$_] eq $acknowledged[-1] } 0 .. $#asked)[0];
my @again = grep { !$done{ $asked[$_] } } 0 .. $last;
cmp_ok(scalar @again, '>', 0, 'what failed is asked once more');
$front->safe_psql('postgres', join '', map {
	my $kind = ($_ + 1) % 2 ? 'live' : 'closed';
	"INSERT INTO reengage.nudges (nudge_id, server, conversation_id, message) VALUES ('$asked[$_]', 'genesys', '$kind-load-" . ($_ + 1) . "', 'x') ON CONFLICT DO NOTHING;\n" } @again[0 .. ($#again < 99 ? $#again : 99)]);
is($front->safe_psql('postgres', q{SELECT count(*) FROM reengage.health WHERE subject = 'node a'}), 0, 'the front finds nothing wrong');
wait_until_ended($standby, where => q(n.conversation_id <> 'live-later'));
my $array = join ',', map { "'$_'" } @acknowledged;
is($standby->safe_psql('postgres', qq{SELECT count(*) FROM unnest(ARRAY[$array]::uuid[]) id
	WHERE NOT EXISTS (SELECT FROM reengage.lineage l WHERE l.nudge_id = id)}), 0, 'P6: nothing that was acknowledged is lost');
ledger_matches_lineage($standby, $simulator, 'P5: whatever took effect has its outcome or is in doubt, and nothing was sent twice');
is(health($standby, 'fence'), 'ok: armed', 'the fence is open');

# ---- what the nodes tell each other --------------------------------------------------------------------------

isnt(hear_each_other($standby), '0 0', 'the same statements put right what the nodes hear');
agree($standby, 3, 'and what either said before and meanwhile is known at both');
ok(poll_until($_, 'postgres', q{SELECT bool_and(state = 'ok') FROM reengage.news_state}), 'as they say') for $standby, $other;
is(hear_each_other($standby), '0 0', 'once more, there is nothing to do');

# ---- the collecting subscriber ----------------------------------------------------------------------------------

# of what its lost primary told, the new one may not know some outcomes
ok($warehouse->wait_for_log(qr/replication slot "a" does not exist/), 'the subscription has found the new primary, and no slot');
$warehouse->safe_psql('postgres', $_) for 'ALTER SUBSCRIPTION a DISABLE', 'ALTER SUBSCRIPTION a SET (slot_name = NONE)', 'DROP SUBSCRIPTION a', $subscribe;
ok(wait_for_copies(), 'it is made anew');
$standby->safe_psql('postgres', 'CALL reengage.close_part()');
$standby->wait_for_catchup('a');
my $rows = 'SELECT lineage_id FROM reengage.lineage ORDER BY 1';
my %here = map { $_ => 1 } split /\n/, $warehouse->safe_psql('postgres', $rows);
my @missing = grep { !delete $here{$_} } split /\n/, $standby->safe_psql('postgres', $rows);
is_deeply(\@missing, [], 'and has all that the new primary has');
my @told = keys %here;
note scalar(@told) . ' outcomes were told that the new primary never had';
my $state = $warehouse->safe_psql('postgres', q{SELECT string_agg(DISTINCT state, ', ') FROM reengage.reconciliation});
like($state, @told ? qr/more rows than counted/ : qr/^equal( so far)?(, equal so far)?$/, 'as the reconciliation says');
if (@told)
{
	$warehouse->safe_psql('postgres', "DELETE FROM reengage.lineage WHERE lineage_id = ANY ('{" . join(',', @told) . "}')");
	like($warehouse->safe_psql('postgres', q{SELECT string_agg(DISTINCT state, ', ') FROM reengage.reconciliation}), qr/^equal( so far)?(, equal so far)?$/, 'without them it is equal');
}
nudge($standby, 'live-after');
wait_until_ended($standby, where => q(n.conversation_id = 'live-after'));
$standby->wait_for_catchup('a');
is($warehouse->safe_psql('postgres', q{SELECT node FROM reengage.lineage WHERE requested_conversation_id = 'live-after'}), 'a', 'and it goes on, as the node that it was');
$warehouse->safe_psql('postgres', 'DROP SUBSCRIPTION a');

$_->stop for $standby, $other, $front, $warehouse;
done_testing();
