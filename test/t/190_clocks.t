# A clock that is set, forward and back, ends no call and stretches no pause.

use strict;
use warnings FATAL => 'all';

use Clock qw(clock_is_missing prepare_clock start_with_clock set_clock);
use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for lasts promise
  lineage outcome due_row health worker_pid courier_pid process_is_alive log_size log_lines);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

if (my $why = clock_is_missing())
{
	plan skip_all => $why;
}
prepare_clock();

# one for each kind of wait, as a worker that watches one thing wakes up for all
my @databases = qw(postgres asleep lost hung stuck);
my $node = new_node('main', stopped => 1, servers => [qw(genesys blocked told failing)],
	conf => "shared_preload_libraries = 'reengage'\nreengage.databases = '" . join(',', @databases) . "'");
start_with_clock($node);
my %simulator = map { $_ => start_simulator() } @databases;
for my $database (@databases)
{
	$node->safe_psql('postgres', "CREATE DATABASE $database") if $database ne 'postgres';
	create_extension($node, $simulator{$database}, database => $database,
		server_options => $database eq 'hung' ? q(timeout '1s') : undef);
}
# a reload ends the pause after the attempts that found no database
$node->reload;

sub sql { return $node->safe_psql('postgres', @_); }

# The outcomes of a database, each once.
sub outcomes
{
	my ($database) = @_;
	return join ' ', sort map { $_->{outcome} } lineage($node, 'true', database => $database);
}

# One that has a courier, too.
sub wait_for_worker
{
	my ($database, $not) = @_;
	my $pid = '';

	wait_for(sub { ($pid = worker_pid($node, $database)) ne '' && $pid ne ($not // '') && courier_pid($pid) },
		"the worker of $database runs");
	return $pid;
}

my %worker = map { $_ => wait_for_worker($_) } @databases;
# what has just begun is watched
for my $database (@databases)
{
	nudge($node, 'live-first', database => $database);
	wait_until_ended($node, database => $database);
}
my %courier = map { $_ => courier_pid($worker{$_}) } @databases;

# --- forward ------------------------------------------------------------------------------------

# each tick is followed by a last signal of a timer, a second later
nudge($node, 'live-later', database => 'asleep', due_at => q(pg_catalog.clock_timestamp() + '10 min'));
my ($wakeups, $since) = (-1, 0);
wait_for(sub {
	my ($now) = slurp_file("/proc/$worker{asleep}/status") =~ /^voluntary_ctxt_switches:\s*(\d+)/m;
	($wakeups, $since) = ($now, time) if $now != $wakeups;
	return time - $since > 1.5;
}, 'a worker is asleep');
$simulator{postgres}->fault(verb => $_, action => 'delay', ms => 2000) for qw(notify create);
nudge($node, "live-$_"), nudge($node, "closed-$_") for 1 .. 3;
wait_for(sub { my $counts = $simulator{postgres}->counts; $counts->{notify} + $counts->{create} == 7 }, 'six more POSTs are on the wire');
set_clock(3600);
promise(lasts(sub { wait_until_ended($node, database => 'asleep') }), 5, 'an hour ahead: what is due now leaves within seconds');
wait_until_ended($node);
is(outcomes('postgres'), 'notified notified notified notified session_created session_created session_created',
	'what is on the wire is waited for as ever');
is(courier_pid($worker{postgres}), $courier{postgres}, 'by the same courier');
$simulator{postgres}->clear_faults;

# --- back ---------------------------------------------------------------------------------------

# for the time until it is missed see the end
kill 'STOP', $courier{hung};
my $log = log_size($node);
nudge($node, 'live-unheard', database => 'hung');

# a server that is blocked, one that asked for a rest, and a nudge that is to be tried again
my $blocked = start_simulator();
$blocked->fault(verb => 'token', action => 'status', status => 401);
$simulator{postgres}->fault(verb => 'check', id => 'live-told', action => 'status', status => 429, retry_after => '5', times => 1);
$simulator{postgres}->fault(verb => 'check', id => 'live-again', action => 'status', status => 500, retry_after => '4', times => 1);
sql(qq{CREATE SERVER blocked FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$blocked->{url}')});
sql(qq{CREATE SERVER $_ FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator{postgres}{url}')}) for qw(told failing);
nudge($node, 'live-again', server => q('failing'));
nudge($node, 'live-blocked', server => q('blocked'));
nudge($node, 'live-told', server => q('told'));
wait_for(sub { (due_row($node, 'live-again') // {})->{attempt} == 1 }, 'a nudge is to be tried again');
wait_for(sub { health($node, 'server told') =~ /^resting/ }, 'a server is left to rest');
wait_for(sub { health($node, 'server blocked') =~ /^blocked/ }, 'and another is blocked');
$blocked->clear_faults;
# a worker and a courier, too, that are to be started again
kill 'TERM', $worker{asleep};
kill 'KILL', $courier{lost};
wait_for(sub { !process_is_alive($worker{asleep}) }, 'a worker has ended');
wait_for(sub { log_lines($node, 0, qr/the courier was terminated by signal 9/) }, 'and a courier');
# and a tick, that has failed for a lock
nudge($node, 'live-stuck', database => 'stuck', due_at => q(pg_catalog.clock_timestamp() + '1 day'));
my $locker = $node->background_psql('stuck');
$locker->query_safe('BEGIN; LOCK TABLE reengage.identity');
$node->safe_psql('stuck', q{UPDATE reengage.due SET due_at = now() - interval '3 h'; SELECT reengage_internal.wake('-infinity')});
sub is_locked_out { return sql(qq{SELECT count(*) FROM pg_locks WHERE pid = $worker{stuck} AND NOT granted}) > 0; }
wait_for(\&is_locked_out, 'a tick waits for a lock');
wait_for(sub { !is_locked_out() }, 'and has failed');
set_clock(3600 - 7200);
$locker->query_safe('COMMIT');
$locker->quit;
promise(lasts(sub { wait_for_worker('asleep', $worker{asleep}) }), 3, 'two hours back: there is another worker soon');
promise(lasts(sub { wait_for_worker('lost') }), 3, 'and another courier');
promise(lasts(sub { wait_until_ended($node, where => q(n.server = 'told')) }), 6, 'the rest lasts no longer than was asked for');
promise(lasts(sub { wait_until_ended($node, where => q(n.server = 'failing')) }), 6, 'nor the pause before another attempt');
promise(lasts(sub { wait_until_ended($node, where => q(n.server = 'blocked')) }), 8, 'nor the block');
is(join(', ', map { outcome($node, "live-$_") } qw(told again blocked)), join(', ', ('notified - notify') x 3), 'all three were sent');

promise(lasts(sub { wait_until_ended($node, database => 'stuck') }), 2, 'nor the pause after a tick that failed');

# --- a courier that hangs -------------------------------------------------------------------------

# five times the timeout, and ten seconds
promise(lasts(sub { wait_for(sub { log_lines($node, $log, qr/the courier did not answer in time/) }, 'a courier is given up') }),
	15, 'one that hangs is missed as ever');
wait_until_ended($node, database => 'hung');
is(outcomes('hung'), 'notified notified', 'its nudge is sent by another');

$node->stop;
done_testing();
