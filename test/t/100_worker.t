# The worker as a process: when it wakes, what it serves, how it stops, and how
# little it disturbs meanwhile.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for outcome
  health worker_pid launcher_pid courier_pid process_is_alive log_size log_lines lasts promise);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main', preload => 1, conf => "autovacuum = off\ncheckpoint_timeout = 1h");
$node->safe_psql('postgres', 'CREATE DATABASE other');

sub looked_at { my ($id) = @_; return scalar $simulator->requests("id=$id&verb=check") }

sub worker_phase { $node->safe_psql('postgres', 'SELECT state FROM reengage_internal.worker_state()') }

# --- the extension comes after the worker -----------------------------------------------

ok($node->poll_query_until('template1',
	q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'reengage worker'}),
	'a worker runs before there is an extension');
create_extension($node, $simulator);
nudge($node, 'live-first');
wait_until_ended($node);
is(outcome($node, 'live-first'), 'notified - notify', 'CREATE EXTENSION, arm, insert: it is delivered');
is(worker_phase(), 'running', 'and the worker says that it runs');

# --- what wakes it (sweeps are off) ---------------------------------------------------------

nudge($node, 'live-idle');
wait_for(sub { looked_at('live-idle') }, 'the look at live-idle');
pass('a commit wakes an idle worker');

nudge($node, 'live-later', due_at => q(now() + '1 s'));
wait_until_ended($node);
my ($look) = $simulator->requests('id=live-later&verb=check');
my $due = $node->safe_psql('postgres',
	q{SELECT extract(epoch FROM due_at) FROM reengage.nudges WHERE conversation_id = 'live-later'});
cmp_ok($look->{arrived_us} / 1e6, '>=', $due, 'its time wakes the worker, not before');
promise($look->{arrived_us} / 1e6 - $due, 3, 'and not long after');

my $late = $node->background_psql('postgres');
$late->query_safe(q{BEGIN});
$late->query_safe(q{SELECT reengage.nudge('live-late-' || i, 'x', priority => i) FROM generate_series(0, 9) i});
for my $round (1 .. 3)
{
	$node->safe_psql('postgres', qq{
		INSERT INTO reengage.nudges (conversation_id, message, priority)
		SELECT 'live-overtakes-$round-' || i, 'x', i % 10 FROM generate_series(1, 30) i});
	wait_until_ended($node);
}
is(scalar(grep { $_->{conversation_id} =~ /^live-late-/ } $simulator->requests), 0,
	'what is not committed is not asked for, though later nudges are delivered');
$late->query_safe('COMMIT');
$late->quit;
wait_until_ended($node);
is(scalar(grep { $_->{conversation_id} =~ /^live-late-/ && $_->{verb} eq 'notify' } $simulator->requests), 10,
	'nudges that are committed behind the cursor are delivered');

# two transactions may begin in the same microsecond, and the smaller id come later
my @same_time = map { nudge($node, "live-at-once-$_", nudge_id => "'$_'", due_at => q(now() + '1 h')) }
  ('ffffffff-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000001');
my $then = $node->safe_psql('postgres', 'SELECT now()');
for my $id (@same_time)
{
	$node->safe_psql('postgres', "UPDATE reengage.due SET due_at = '$then' WHERE nudge_id = '$id'; SELECT reengage_internal.wake('$then')");
	wait_until_ended($node, where => "n.nudge_id = '$id'");
	is(outcome($node, "live-at-once-$id"), 'notified - notify', 'nudges of one and the same time are delivered, in whichever order they come');
}

# --- databases come and go with a reload -------------------------------------------------------

create_extension($node, $simulator, database => 'other');
nudge($node, 'live-in-other', database => 'other');
nudge($node, 'live-marker');
wait_until_ended($node);
is(looked_at('live-in-other'), 0, 'a database that is not listed is not served');
like(health($node, 'worker', 'other'), qr/^absent: .*not in reengage.databases/, 'and its health view says so');
my $worker = worker_pid($node);
$node->safe_psql('postgres', q{ALTER SYSTEM SET reengage.databases = 'postgres, other'});
$node->reload;
wait_until_ended($node, database => 'other');
is(outcome($node, 'live-in-other', database => 'other'), 'notified - notify',
	'a reload starts a worker for a database that was added');
like(health($node, 'worker', 'other'), qr/^ok: running/, 'and the health view agrees');
is(worker_pid($node), $worker, 'the other worker did not notice');

$node->safe_psql('postgres', q{ALTER SYSTEM SET reengage.databases = 'postgres'});
$node->reload;
ok($node->poll_query_until('template1', q{
	SELECT count(*) = 0 FROM pg_stat_activity
	WHERE backend_type = 'reengage worker' AND datname = 'other'}),
	'a reload stops the worker of a database that was removed');
nudge($node, 'live-not-any-more', database => 'other');
nudge($node, 'live-marker-2');
wait_until_ended($node, where => q(n.conversation_id = 'live-marker-2'));
is(looked_at('live-not-any-more'), 0, 'which is not served any more');
like(health($node, 'worker', 'other'), qr/^absent: /, 'and says so');

# --- it comes back --------------------------------------------------------------------------------

my $old_courier = courier_pid($worker);
$node->safe_psql('template1', "SELECT pg_terminate_backend($worker)");
nudge($node, 'live-after-terminate');
wait_until_ended($node);
is(outcome($node, 'live-after-terminate'), 'notified - notify', 'a terminated worker comes back');
isnt(worker_pid($node), $worker, 'as another process');
ok(!process_is_alive($old_courier), 'and its courier went with it');
my $launcher = launcher_pid($node);
kill 'TERM', $launcher;
wait_for(sub { (launcher_pid($node) // $launcher) != $launcher }, 'another launcher');
isnt(launcher_pid($node), $launcher, 'a terminated launcher comes back');
is($node->safe_psql('template1',
	q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'reengage worker'}), 1,
	'and starts no second worker for a database that has one');
$worker = worker_pid($node);
nudge($node, 'live-with-new-launcher');
wait_until_ended($node);
$node->safe_psql('template1', "SELECT pg_terminate_backend($worker)");
nudge($node, 'live-taken-over');
promise(lasts(sub { wait_until_ended($node) }), 28, 'it does not take long until somebody notices');
is(outcome($node, 'live-taken-over'), 'notified - notify',
	'the new launcher looks after the worker of the one before');

# a reload ends a pause, but the next one is longer all the same
for my $time (1 .. 7)
{
	my $before = $worker;

	wait_for(sub { ($worker = worker_pid($node)) ne '' && $worker ne $before && worker_phase() eq 'running' }, 'a worker is at work');
	$node->safe_psql('template1', "SELECT pg_terminate_backend($worker)");
	wait_for(sub { !process_is_alive($worker) && worker_phase() eq 'absent' }, 'it is terminated');
	$node->reload if $time < 7;
}
promise(lasts(sub { wait_for(sub { worker_pid($node) ne '' }, 'a worker') }), 5, 'however often it is terminated, it comes back within seconds');

# --- stop and start ---------------------------------------------------------------------------------

$simulator->fault(verb => 'check', id => 'live-hangs', action => 'hang', times => 1);
$simulator->fault(verb => 'notify', id => 'live-post-hangs', action => 'delay', ms => 500, times => 1);
nudge($node, 'live-hangs');
nudge($node, 'live-post-hangs');
nudge($node, 'live-future', due_at => q(now() + '1 h'));
wait_for(sub { $simulator->requests('id=live-post-hangs&verb=notify') }, 'the slow POST is on the wire');
$simulator->wait_hanging(1);
my $offset = log_size($node);
promise(lasts(sub { $node->stop('fast') }), 3, 'a fast shutdown does not wait for an API that hangs');
is(scalar log_lines($node, $offset, qr/(ERROR|PANIC|crash|abnormal)/), 0, 'it is a clean one');
$node->start;
wait_until_ended($node, where => q(n.conversation_id <> 'live-future'));
is(outcome($node, 'live-post-hangs'), 'notified - notify', 'it waits a little for a POST that is on the wire');
is(outcome($node, 'live-hangs'), 'notified - notify', 'a look that was cut off is made again');
is(scalar(() = $simulator->verbs('id=live-hangs') =~ /notify/g), 1, 'and its nudge delivered once');
is($node->safe_psql('postgres', 'SELECT count(*) FROM reengage.due'), 1, 'what is due later is still due later');

# --- a quiet neighbour (P10) --------------------------------------------------------------------------

$simulator->fault(verb => 'check', id => 'live-quiet', action => 'hang');
$simulator->fault(verb => 'notify', id => 'live-q-post', action => 'hang');
$simulator->fault(verb => 'create', id => 'closed-quiet', action => 'hang');
$worker = worker_pid($node);
nudge($node, $_) for qw(live-quiet live-q-post closed-quiet);
$simulator->wait_hanging(3);
ok($node->poll_query_until('template1', qq{
	SELECT backend_xmin IS NULL AND backend_xid IS NULL AND xact_start IS NULL AND state = 'idle'
	FROM pg_stat_activity WHERE pid = $worker}),
	'while calls hang the worker has no transaction, snapshot or id');
is($node->safe_psql('template1',
	"SELECT string_agg(locktype || ' ' || mode, ', ') FROM pg_locks WHERE pid = $worker"),
	'advisory ExclusiveLock', 'and no lock but the one that makes it the only worker');
like(health($node, 'worker'), qr/ 3 in flight/, 'the health view counts what is in flight');

promise(lasts(sub { $node->safe_psql('postgres', 'DROP DATABASE other') }), 3,
	'DROP DATABASE of another database does not wait for them');
promise(lasts(sub { $node->safe_psql('postgres', 'VACUUM FULL reengage.due') }), 3,
	'nor does a lock on its own tables');

$offset = log_size($node);
promise(lasts(sub { $node->safe_psql('postgres', 'DROP EXTENSION reengage CASCADE') }), 3,
	'nor does DROP EXTENSION');
$simulator->clear_faults;
create_extension($node, $simulator);
nudge($node, 'live-again');
wait_until_ended($node);
is(outcome($node, 'live-again'), 'notified - notify', 'the extension can be created again and works at once');
is($node->safe_psql('postgres', q{SELECT string_agg(requested_conversation_id, ' ') FROM reengage.lineage}),
	'live-again', 'replies to calls of the dropped one are discarded');
is(worker_pid($node), $worker, 'by the same worker');
like(health($node, 'worker'), qr/ 0 in flight/, 'which has nothing in hand any more of what was dropped');
cmp_ok(scalar log_lines($node, $offset, qr/ \[$worker\] .*(?:LOG|WARNING|ERROR|FATAL):/), '<=', 3, 'which says little about it');

$node->safe_psql('postgres', 'DROP EXTENSION reengage CASCADE');
$offset = log_size($node);
$node->reload for 1 .. 3;
$node->poll_query_until('template1', "SELECT state = 'idle' FROM pg_stat_activity WHERE pid = $worker");
is(scalar log_lines($node, $offset, qr/ \[$worker\] .*(ERROR|WARNING|LOG)/), 0,
	'without an extension there is nothing to complain about');
create_extension($node, $simulator);
nudge($node, 'live-and-again');
wait_until_ended($node);

# --- idle it runs no query and writes no WAL -----------------------------------------------------------

# From another database, so that looking leaves no trace in this one.
sub snapshot
{
	return $node->safe_psql('template1', qq{
		SELECT pg_current_wal_lsn(), state_change, xact_commit, xact_rollback
		FROM pg_stat_activity a JOIN pg_stat_database d USING (datid) WHERE a.pid = $worker});
}

nudge($node, 'live-due-in-an-hour', due_at => q(now() + '1 h'));
$node->safe_psql('postgres', 'CHECKPOINT');
my ($before, $equal) = (snapshot(), 0);
wait_for(sub {
	my $now = snapshot();
	$equal = $now eq $before ? $equal + 1 : 0;
	$before = $now;
	$equal >= 20;
}, 'everything settles');
for my $wake (1 .. 10)
{
	$node->reload;
	snapshot();
}
# the signal has arrived when another setting is seen to have arrived
$node->safe_psql('template1', q{ALTER SYSTEM SET work_mem = '5MB'});
$node->reload;
ok($node->poll_query_until('template1', q{SELECT setting = '5120' FROM pg_settings WHERE name = 'work_mem'}),
	'reloads wake everybody');
my ($lsn, $state_change, @transactions) = split /\|/, $before;
my ($lsn_now, $state_change_now, @transactions_now) = split /\|/, snapshot();
is($lsn_now, $lsn, 'an idle worker writes no WAL, whoever wakes it');
is($state_change_now, $state_change, 'and makes no transaction');
is("@transactions_now", "@transactions", 'the statistics of the database agree');

# --- the database it is in can go when it is told to ---------------------------------------------------

$node->safe_psql('postgres', 'CREATE DATABASE mine');
$node->safe_psql('postgres', q{ALTER SYSTEM SET reengage.databases = 'postgres, mine'});
$node->reload;
wait_for(sub { worker_pid($node, 'mine') ne '' }, 'a worker in the database "mine"');
$node->safe_psql('postgres', q{ALTER SYSTEM SET reengage.databases = 'postgres'});
$node->reload;
ok($node->poll_query_until('postgres',
	q{SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'mine'}),
	'taken off the list, a database is free');
$offset = log_size($node);
$node->safe_psql('postgres', 'DROP DATABASE mine');
nudge($node, 'live-last');
wait_until_ended($node, where => q(n.conversation_id = 'live-last'));
is(outcome($node, 'live-last'), 'notified - notify', 'and the others are served on');

$node->stop;
done_testing();
