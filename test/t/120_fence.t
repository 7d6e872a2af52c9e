# P12: the fence of one server: who may arm and disarm it and when, what a
# changed key does, and that nothing is sent during pg_upgrade.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for outcome health
  worker_pid launcher_pid psql_stderr);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main', preload => 1);
create_extension($node, $simulator);

sub identity { return $node->safe_psql('postgres', 'SELECT * FROM reengage.identity'); }

# Runs a statement that must change nothing about the fence.
sub refuses
{
	my ($sql, $message, $name) = @_;
	my $before = identity();

	like(psql_stderr($node, $sql), $message, $name);
	is(identity(), $before, "$name: nothing is changed");
	return;
}

# --- who, and when -------------------------------------------------------------------

$node->safe_psql('postgres', q{
	CREATE ROLE stranger;
	GRANT USAGE ON SCHEMA reengage TO stranger;
	CREATE ROLE some_operator;
	GRANT reengage_operator TO some_operator;
});
for my $role (qw(stranger reengage_application reengage_reader reengage_worker))
{
	refuses("SET ROLE $role; SELECT reengage.$_()", qr/ERROR:  permission denied for function $_/, "$role may not call $_()")
	  for qw(arm disarm);
}
refuses("BEGIN READ ONLY; SELECT reengage.arm()", qr/ERROR:  cannot arm a standby, or in a read-only transaction\nHINT:  Call it on the primary/,
	'arm() in a read-only transaction');
refuses("BEGIN READ ONLY; SELECT reengage.disarm()", qr/ERROR:  cannot execute DELETE in a read-only transaction/,
	'disarm() in a read-only transaction');
refuses('SELECT reengage.arm()', qr/NOTICE:  already armed/, 'arm() once more');
$node->safe_psql('postgres', 'SET ROLE some_operator; SELECT reengage.disarm()');
is(identity(), '', 'an operator may disarm');
refuses('SELECT reengage.disarm()', qr/NOTICE:  not armed/, 'disarm() once more');
refuses("BEGIN READ ONLY; SELECT reengage.arm()", qr/ERROR:  cannot arm/, 'arm() in a read-only transaction, disarmed');
$node->safe_psql('postgres', 'SET ROLE some_operator; SELECT reengage.arm()');
is($node->safe_psql('postgres', 'SELECT armed_by = session_user AND timeline = 1 FROM reengage.identity'), 't',
	'and arm; who did it is recorded');

# --- disarmed in the middle ------------------------------------------------------------

$simulator->fault(verb => 'check', id => 'live-checking', action => 'delay', ms => 700);
$simulator->fault(verb => 'notify', id => 'live-notifying', action => 'delay', ms => 700);
nudge($node, $_) for qw(live-checking live-notifying);
wait_for(sub { $simulator->verbs('id=live-notifying&verb=notify') && $simulator->verbs('id=live-checking') }, 'both are on the wire');
$node->safe_psql('postgres', 'SELECT reengage.disarm()');
nudge($node, 'live-after-disarm');
wait_until_ended($node, where => q(n.conversation_id = 'live-notifying'));
is(outcome($node, 'live-notifying'), 'notified - notify', 'disarm: a POST on the wire is written down');
ok($node->poll_query_until('postgres', q{SELECT in_flight = 0 FROM reengage_internal.worker_state()}), 'disarm: nothing is left in flight');
is($simulator->verbs('id=live-checking'), 'check', 'disarm: after a look no POST follows');
is($simulator->verbs('id=live-after-disarm'), '', 'disarm: nothing new begins');
is($node->safe_psql('postgres', q{SELECT count(*) FROM reengage.due d JOIN reengage.nudges n USING (nudge_id)
	WHERE n.conversation_id IN ('live-checking', 'live-after-disarm')}), 2, 'disarm: what was not sent is still due');
$node->safe_psql('postgres', 'SELECT reengage.arm()');
wait_until_ended($node, where => q(n.conversation_id IN ('live-checking', 'live-after-disarm')));
is($simulator->verbs('id=live-checking&verb=notify') . ' ' . $simulator->verbs('id=live-after-disarm&verb=notify'),
	'notify notify', 'armed again, both are sent, once');

# --- another key --------------------------------------------------------------------------

sub set_key
{
	my ($key) = @_;
	$node->safe_psql('postgres', "ALTER SYSTEM SET reengage.instance_key = '$key'");
	$node->reload;
	return;
}

for my $case ([ 'one', qr/host:\w{16}, here key:\w{16}/ ], [ 'two', qr/key:\w{16}, here key:\w{16}/ ], [ '', qr/key:\w{16}, here host:\w{16}/ ])
{
	my ($key, $sites) = @$case;
	my $requests = scalar $simulator->requests;

	set_key($key);
	ok($node->poll_query_until('postgres', q{SELECT state = 'fenced' FROM reengage_internal.worker_state()}),
		"key '$key': the worker notices by itself");
	like(health($node, 'fence'), qr/^stopped: armed at another site \($sites\): this is a copy, or the server was moved$/,
		"key '$key': the health view names both sites");
	nudge($node, "live-key-$key");
	like(psql_stderr($node, 'CALL reengage.run()'), qr/ERROR:  reengage is armed at another site/, "key '$key': run() refuses");
	is(scalar $simulator->requests, $requests, "key '$key': nothing was sent");
	$node->safe_psql('postgres', 'SELECT reengage.arm()');
	wait_until_ended($node, where => "n.conversation_id = 'live-key-$key'");
	is(outcome($node, "live-key-$key"), 'notified - notify', "key '$key': arm() mends it");
}
set_key('one');
$node->poll_query_until('postgres', q{SELECT state = 'fenced' FROM reengage_internal.worker_state()});
set_key('');
ok($node->poll_query_until('postgres', q{SELECT state = 'running' FROM reengage_internal.worker_state()}),
	'the old key mends it, too');
like(psql_stderr($node, q{ALTER SYSTEM SET reengage.on_promotion = 'perhaps'}),
	qr/invalid value for parameter "reengage.on_promotion": "perhaps"\nHINT:  Available values: continue, hold\./,
	'a wrong value of on_promotion is refused');

# --- pg_upgrade -------------------------------------------------------------------------------

# it starts servers so
sub pg_ctl { return system_or_bail('pg_ctl', '-w', '-D', $node->data_dir, '-l', $node->logfile, @_); }

$simulator->fault(verb => 'notify', id => 'live-wire', action => 'hang_after');
nudge($node, 'live-wire');
$simulator->wait_hanging(1);
$node->stop;
my $requests = scalar $simulator->requests;
pg_ctl('-o', '-b', 'start');
chomp(my $postmaster = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0]);
nudge($node, 'live-upgrade');
is(launcher_pid({ _pid => $postmaster }), undef, 'in the mode of pg_upgrade there is no launcher');
is(worker_pid($node), '', 'nor a worker');
like(psql_stderr($node, 'CALL reengage.run()'), qr/ERROR:  reengage\.run\(\) cannot be called during pg_upgrade/, 'nor does run() work');
pg_ctl('-m', 'fast', 'stop');
is(scalar $simulator->requests, $requests, 'P12: nothing was sent');

SKIP:
{
	skip 'pg_upgrade is not installed', 8 unless -x $node->config_data('--bindir') . '/pg_upgrade';
	my $upgraded = new_node('upgraded', preload => 1, stopped => 1);
	chdir $upgraded->basedir;
	$upgraded->command_ok([
		'pg_upgrade', '--no-sync', '--old-datadir', $node->data_dir, '--new-datadir', $upgraded->data_dir,
		'--old-bindir', $node->config_data('--bindir'), '--new-bindir', $upgraded->config_data('--bindir'),
		'--socketdir', $node->host, '--old-port', $node->port, '--new-port', $upgraded->port ], 'pg_upgrade works');
	is(scalar $simulator->requests, $requests, 'P12: nothing was sent by it');
	$upgraded->start;
	ok($upgraded->poll_query_until('postgres', q{SELECT state = 'fenced' FROM reengage_internal.worker_state()}),
		'the upgraded server is another cluster');
	like(health($upgraded, 'fence'), qr/^stopped: armed in another cluster \(system identifier \d+, here \d+\): this is a copy, or was made by pg_upgrade$/,
		'and its health view says so');
	is(scalar $simulator->requests, $requests, 'P12: nothing was sent after it');
	$upgraded->safe_psql('postgres', 'SELECT reengage.arm()');
	wait_until_ended($upgraded);
	is(outcome($upgraded, 'live-wire'), 'in_doubt interrupted notify', 'armed, what was on the wire is in doubt');
	is(scalar $simulator->effects('id=live-wire'), 1, 'and not repeated');
	is(outcome($upgraded, 'live-upgrade'), 'notified - notify', 'and what was due is delivered');

	$upgraded->stop;
}

done_testing();
