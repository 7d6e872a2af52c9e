# A worker that was stopped, as a machine may be, takes what was answered meanwhile,
# and does not hold it against the courier that it heard nothing.

use strict;
use warnings FATAL => 'all';

use Clock qw(clock_is_missing prepare_clock start_with_clock set_clock);
use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for outcome
  worker_pid courier_pid ledger_matches_lineage);
use PostgreSQL::Test::Utils;
use Test::More;

if (my $why = clock_is_missing())
{
	plan skip_all => $why;
}
prepare_clock();
my $node = new_node('main', preload => 1, stopped => 1);
start_with_clock($node, monotonic => 1);
my $simulator = start_simulator();
create_extension($node, $simulator);
nudge($node, 'live-first');
wait_until_ended($node);
my $worker = worker_pid($node);
my $courier = courier_pid($worker);

# The statuses of the POSTs of a conversation; 0: it is not answered yet.
sub statuses { my ($id) = @_; return join ' ', map { $_->{status} } $simulator->requests("id=$id&verb=notify"); }

$simulator->fault(verb => 'notify', action => 'delay', ms => 500);

# --- answered while nobody listened ------------------------------------------------------------

nudge($node, 'live-answered');
wait_for(sub { statuses('live-answered') ne '' }, 'a POST is on the wire');
kill 'STOP', $worker;
wait_for(sub { statuses('live-answered') eq '200' }, 'it is answered');
set_clock(3600);
kill 'CONT', $worker;
wait_until_ended($node);
is(outcome($node, 'live-answered'), 'notified - notify', 'what was answered while the worker was stopped for an hour is believed');

# --- and the courier was stopped, too -------------------------------------------------------------

# of new processes, as the courier has kept the real time
$node->stop;
set_clock(0);
start_with_clock($node, monotonic => 1);
$node->poll_query_until('postgres', q{SELECT state = 'running' FROM reengage_internal.worker_state()});
$worker = worker_pid($node);
nudge($node, 'live-silent');
wait_for(sub { statuses('live-silent') ne '' }, 'another one is on the wire');
$courier = courier_pid($worker);
kill 'STOP', $worker, $courier;
set_clock(3600);
kill 'CONT', $worker;
# it looks after the courier each second
my $switches = sub { slurp_file("/proc/$worker/status") =~ /^voluntary_ctxt_switches:\s*(\d+)/m ? $1 : 0 };
my $before = $switches->();
wait_for(sub { $switches->() > $before + 2 }, 'the worker looks after its courier');
kill 'CONT', $courier;
wait_until_ended($node);
is(outcome($node, 'live-silent'), 'notified - notify', 'a courier that was stopped, too, is not given up');
is(courier_pid($worker), $courier, 'both are the same as ever');
ledger_matches_lineage($node, $simulator, 'the API saw what the lineage tells');

$node->stop;
done_testing();
