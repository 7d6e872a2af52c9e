# A policy that ends while a nudge is about to be held for it: the nudge is due again
# at once, and nobody has to come back for it.
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
my $node = new_node('main', preload => 1);
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

$node->stop;
done_testing();
