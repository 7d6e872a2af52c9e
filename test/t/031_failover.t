# A standby takes over: what a synchronous one knows, what an asynchronous one
# cannot know, and reengage.on_promotion.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for lineage
  outcome health worker_pid launcher_pid courier_pid process_is_alive psql_stderr ledger_matches_lineage);
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $primary = new_node('primary', preload => 1, init => { allows_streaming => 1 },
	conf => "reengage.instance_key = 'the shop'\nreengage.databases = ''");
create_extension($primary, $simulator);

sub start_standby
{
	my ($name, $of, $conf) = @_;
	my $standby = PostgreSQL::Test::Cluster->new($name);

	$of->backup("for_$name");
	$standby->init_from_backup($of, "for_$name", has_streaming => 1);
	$standby->append_conf('postgresql.conf', "reengage.databases = 'postgres'\n$conf");
	$standby->start;
	return $standby;
}

# Kills a primary and, as a process that is cut off cannot go by itself, its
# WAL sender.
sub kill_primary
{
	my ($node) = @_;
	my $worker = worker_pid($node);
	my $courier = courier_pid($worker);
	my $sender = $node->safe_psql('postgres', 'SELECT pid FROM pg_stat_replication');

	$node->kill9;
	kill 'KILL', $sender;
	wait_for(sub { !grep { process_is_alive($_) } $worker, $courier, $sender }, 'the primary is gone');
	return;
}

sub promote
{
	my ($node) = @_;
	$node->promote;
	return $node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
}

sub make_synchronous
{
	my ($node, $standby) = @_;

	$node->append_conf('postgresql.conf', "synchronous_standby_names = '$standby'");
	$node->reload;
	return $node->poll_query_until('postgres', q{SELECT sync_state = 'sync' FROM pg_stat_replication});
}

# From now on the standby hears no more of the primary.
sub cut_off_standby
{
	my ($node) = @_;
	return kill 'STOP', $node->safe_psql('postgres', 'SELECT pid FROM pg_stat_replication');
}

# --- a standby is silent ------------------------------------------------------------------

my $standby = start_standby('standby', $primary, '');
make_synchronous($primary, 'standby');
nudge($primary, 'live-first');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
is($standby->safe_psql('postgres', 'SELECT count(*) FROM reengage.due WHERE due_at <= now()'), 1, 'something is due on a standby');
is(launcher_pid($standby), undef, 'which has no launcher');
is(worker_pid($standby), '', 'and no worker');
is(health($standby, 'worker'), 'standby: this is a standby: nothing is sent before its promotion', 'as its health view says');
is(health($standby, 'fence'), 'ok: armed', 'the fence would let it go on');
like(psql_stderr($standby, 'CALL reengage.run()'), qr/ERROR:  reengage\.run\(\) cannot be called during recovery/, 'run() refuses');
like(psql_stderr($standby, 'SELECT reengage.arm()'), qr/ERROR:  cannot arm a standby.*\nHINT:  Call it on the primary/, 'as does arm()');
like(psql_stderr($standby, 'SELECT reengage.disarm()'), qr/ERROR:  cannot execute DELETE in a read-only transaction/, 'and disarm()');
is(scalar $simulator->requests, 0, 'P12: nothing was sent');
$primary->append_conf('postgresql.conf', q{reengage.databases = 'postgres'});
$primary->reload;
wait_until_ended($primary);
is(outcome($primary, 'live-first'), 'notified - notify', 'the primary sends it');

# --- a synchronous standby takes over in the middle of calls ------------------------------------

# each line that comes back is a nudge that the standby has, too
my $inserts = $primary->basedir . '/inserts';
append_to_file($inserts, join '', map {
	my $kind = $_ % 2 ? 'live' : 'closed';
	"INSERT INTO reengage.nudges (conversation_id, message) VALUES ('$kind-load-$_', 'x') RETURNING nudge_id;\n" } 1 .. 20000);
$simulator->set(latency_ms => 5);
$simulator->fault(verb => $_, id => $_ eq 'notify' ? 'live-load' : 'closed-load', action => 'hang_after', rate => 0.02)
  for qw(notify create);
my ($acknowledged, $complaints) = ('', '');
my $application = IPC::Run::start([ 'psql', '-XAtq', '-d', $primary->connstr('postgres'), '-f', $inserts ],
	'>', \$acknowledged, '2>', \$complaints);
wait_for(sub { my $counts = $simulator->counts; $counts->{hanging} >= 5 && $counts->{notifications} + $counts->{created} > 300 },
	'calls are under way');

kill_primary($primary);
$application->finish;
my @acknowledged = split /\n/, $acknowledged;
cmp_ok(scalar @acknowledged, '>', 300, 'hundreds of inserts were acknowledged');
like($complaints, qr/terminat|closed|shutdown|connection/, 'until the primary died');

$simulator->clear_faults;
ok(promote($standby), 'the standby is promoted');
wait_for(sub { worker_pid($standby) }, 'its worker starts by itself');
wait_until_ended($standby);
cmp_ok($standby->safe_psql('postgres', q{SELECT count(*) FROM reengage.lineage WHERE reason = 'interrupted'}), '>=', 5,
	'P5: calls on the wire are in doubt');
my $array = join ',', map { "'$_'" } @acknowledged;
is($standby->safe_psql('postgres', qq{SELECT count(*) FROM unnest(ARRAY[$array]::uuid[]) id
	WHERE NOT EXISTS (SELECT FROM reengage.lineage l WHERE l.nudge_id = id)}), 0, 'P6: nothing that was acknowledged is lost');
ledger_matches_lineage($standby, $simulator, 'P5: whatever took effect has its outcome or is in doubt, and nothing was sent twice');
is(health($standby, 'fence'), 'ok: armed', 'the fence is open');
is($standby->safe_psql('postgres', 'SELECT timeline FROM reengage.identity'), 2, 'on the new timeline');

# --- what a synchronous standby has not heard -------------------------------------------------------

my $third = start_standby('third', $standby, '');
make_synchronous($standby, 'third');
my $lock = $standby->background_psql('postgres', on_error_stop => 1);
$lock->query_safe('BEGIN; LOCK TABLE reengage.lineage IN SHARE MODE');
nudge($standby, 'live-untold');
wait_for(sub { scalar $simulator->effects('id=live-untold') }, 'a call took effect');
cut_off_standby($standby);
$lock->query_safe('COMMIT');
$lock->quit;
$standby->poll_query_until('postgres', q{
	SELECT count(*) = 1 FROM reengage.lineage WHERE requested_conversation_id = 'live-untold'});
is(outcome($standby, 'live-untold'), 'notified - notify', 'an outcome that only the primary knows');
{
	local $ENV{PGOPTIONS} = '-c synchronous_commit=local';
	nudge($standby, 'live-unheard');
}
ok($standby->poll_query_until('postgres', q{
	SELECT count(*) = 1 FROM reengage.intents i, unnest(i.nudge_ids) id JOIN reengage.nudges n ON n.nudge_id = id
	WHERE n.conversation_id = 'live-unheard'}), 'and an intent');
kill_primary($standby);
promote($third);
wait_until_ended($third);
is(outcome($third, 'live-untold'), 'in_doubt interrupted notify', 'P5: what was done and not told is in doubt');
is($simulator->verbs('id=live-unheard'), 'check', 'P3: of what the standby never heard, no POST left');
ledger_matches_lineage($third, $simulator, 'P5: after two failovers, still nothing was sent twice');

# --- reengage.on_promotion = hold, and an asynchronous standby ----------------------------------------

# it is about the promotions to come
$third->append_conf('postgresql.conf', q{reengage.on_promotion = 'hold'});
$third->reload;
nudge($third, 'live-known');
wait_until_ended($third);
is(outcome($third, 'live-known'), 'notified - notify', 'hold does not stop a server that went on before');

sub make_due
{
	my ($node, $conversation) = @_;
	return $node->safe_psql('postgres', qq{
		UPDATE reengage.due d SET due_at = now() FROM reengage.nudges n
		WHERE n.nudge_id = d.nudge_id AND n.conversation_id = '$conversation';
		SELECT reengage_internal.wake('-infinity')});
}

my $fourth = start_standby('fourth', $third, '');
$simulator->fault(verb => 'create', id => 'closed-wire', action => 'hang_after');
nudge($third, 'closed-wire');
nudge($third, 'live-late', due_at => q(now() + interval '1 day'));
$simulator->wait_hanging(1);
$third->wait_for_catchup($fourth, 'replay', $third->lsn('insert'));
cut_off_standby($third);
make_due($third, 'live-late');
wait_until_ended($third, where => q(n.conversation_id = 'live-late'));
kill_primary($third);
$simulator->clear_faults;
my $requests = scalar $simulator->requests;
promote($fourth);
nudge($fourth, 'live-new');
ok($fourth->poll_query_until('postgres', q{SELECT state = 'fenced' FROM reengage_internal.worker_state()}), 'hold: the worker waits');
is(health($fourth, 'fence'), 'stopped: armed on another timeline (3, here 4): a standby was promoted, or an earlier state restored,'
	  . ' and reengage.on_promotion is hold', 'hold: the health view says why');
is($fourth->safe_psql('postgres', q{SELECT remedy FROM reengage.health WHERE subject = 'fence'}),
	'If customers are to be written to from this database: SELECT reengage.arm();', 'hold: and what to do');
like(psql_stderr($fourth, 'CALL reengage.run()'), qr/ERROR:  reengage is armed on another timeline/, 'hold: run() refuses');
is(scalar $simulator->requests, $requests, 'hold: nothing is sent');
unlike(psql_stderr($fourth, 'SELECT reengage.arm()'), qr/already armed/, 'hold: it can be armed here');
like(psql_stderr($fourth, 'SELECT reengage.arm()'), qr/NOTICE:  already armed/, 'hold: once');
wait_until_ended($fourth, where => q(n.conversation_id <> 'live-late'));
is(outcome($fourth, 'live-new'), 'notified - notify', 'hold: armed, it goes on');
is(outcome($fourth, 'closed-wire'), 'in_doubt interrupted create', 'hold: what was on the wire is in doubt');
is($simulator->verbs('id=closed-wire&verb=create'), 'create', 'hold: and not repeated');

# as docs/high_availability.md says: what it had not received, it cannot know
make_due($fourth, 'live-late');
wait_until_ended($fourth);
is($simulator->verbs('id=live-late'), 'check notify check notify', 'what an asynchronous standby had not received is done again');

# --- from hold to continue ------------------------------------------------------------------------------

$fourth->stop;
$fourth->append_conf('postgresql.conf', q{restore_command = 'false'});
$fourth->set_recovery_mode;
$fourth->start;
ok($fourth->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()'), 'the server is recovered, as to a point in time');
nudge($fourth, 'live-after-all');
ok($fourth->poll_query_until('postgres', q{SELECT state = 'fenced' FROM reengage_internal.worker_state()}),
	'a point-in-time recovery with the same key is held, too');
$fourth->append_conf('postgresql.conf', q{reengage.on_promotion = 'continue'});
$fourth->reload;
wait_until_ended($fourth);
is(outcome($fourth, 'live-after-all'), 'notified - notify', 'continue: after a reload it goes on');
is($fourth->safe_psql('postgres', 'SELECT timeline FROM reengage.identity'), 5, 'and this timeline is the armed one');

$fourth->stop;
done_testing();
