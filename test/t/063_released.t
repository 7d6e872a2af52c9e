# A policy that ends while a nudge is about to be held for it, or waits in hand for
# another one of its thread: the nudge is due again at once, and nobody has to come
# back for it.
#
# It needs a build with test points, whose settings are in TEST_POINT_SETTINGS.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for worker_pid outcome);
use PostgreSQL::Test::Utils;
use Test::More;

BAIL_OUT('no build with test points (make TEST_POINTS=1): test/run makes one, and says where in TEST_POINT_SETTINGS')
  unless $ENV{TEST_POINT_SETTINGS};
$ENV{STAGE_SETTINGS} = $ENV{TEST_POINT_SETTINGS};
my $points = $ENV{REENGAGE_TEST_POINTS} = PostgreSQL::Test::Utils::tempdir();

my $simulator = start_simulator();
my $node = new_node('main', preload => 1, conf => 'reengage.sweep_interval = 0');
create_extension($node, $simulator);
nudge($node, 'live-first');
wait_until_ended($node);

# Nobody says where this customer lives, so that the hour may be quiet there.
$node->safe_psql('postgres', q{INSERT INTO reengage.policies (quiet_hours) VALUES ('{daily 20:00-08:00}')});
append_to_file("$points/new", "1       stop\n");
rename "$points/new", "$points/start_held" or die "could not arm it: $!";
my $worker = worker_pid($node);
nudge($node, 'live-held');
wait_for(sub { !-e "$points/start_held" }, 'a tick is to hold the nudge, and stands still');
$node->safe_psql('postgres', 'DELETE FROM reengage.policies');
kill 'CONT', $worker;
ok(wait_until_ended($node), 'nobody waits for a policy that is no more');
is(outcome($node, 'live-held'), 'notified - notify', 'it was sent');
is(worker_pid($node), $worker, 'by the same worker');

# The first of a thread is looked for; the second waits for it, in hand, when its row
# moves, as that of any nudge that was held and is not by now.
$simulator->fault(verb => 'check', action => 'delay', ms => 3000, times => 1);
nudge($node, 'live-thread');
wait_for(sub { grep { $_->{conversation_id} eq 'live-thread' } $simulator->requests }, 'the first one is looked for');
my $second = nudge($node, 'live-thread');
nudge($node, 'live-other');
ok(wait_until_ended($node, where => "n.conversation_id = 'live-other'"), 'who came after the second one was claimed, and so was that');
$node->safe_psql('postgres', "UPDATE reengage.due SET hold = 'policy', hold_reason = 'a quiet hour' WHERE nudge_id = '$second'");
$node->safe_psql('postgres', q{INSERT INTO reengage.policies (quiet_hours) VALUES ('{daily 20:00-08:00}')});
$node->safe_psql('postgres', 'DELETE FROM reengage.policies');
ok(wait_until_ended($node), 'one that was released while it waited in hand is found where it is due now');
is(outcome($node, 'live-thread'), 'notified - notify, notified - notify', 'both were sent');

$node->stop;
done_testing();
