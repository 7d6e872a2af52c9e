# P12: a base backup has the identity of its original, but lies elsewhere.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for outcome health worker_pid
  count_due ledger_matches_lineage);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('original', preload => 1, init => { allows_streaming => 1 });
create_extension($node, $simulator);

# Both are made of one history: something done, something on the wire, something due.
nudge($node, 'live-done');
wait_until_ended($node);
$simulator->fault(verb => 'create', id => 'closed-on-the-wire', action => 'hang_after');
nudge($node, 'closed-on-the-wire');
$simulator->wait_hanging(1);
nudge($node, 'live-later', due_at => q(now() + interval '1 hour'));
$node->backup('copy');
my $requests = scalar $simulator->requests;

sub start_copy
{
	my ($name, $conf) = @_;
	my $copy = PostgreSQL::Test::Cluster->new($name);

	$copy->init_from_backup($node, 'copy');
	$copy->append_conf('postgresql.conf', $conf);
	$copy->start;
	$copy->poll_query_until('postgres', q{SELECT state NOT IN ('absent', 'starting') FROM reengage.worker_state()});
	return $copy;
}

my $copy = start_copy('copy', '');
nudge($copy, 'live-on-the-copy');
like(health($copy, 'fence'), qr/^stopped: armed at another site .*: this is a copy/, 'a base backup knows that it is a copy');
$copy->poll_query_until('postgres', q{SELECT state = 'fenced' FROM reengage.worker_state()});
my ($result, $stdout, $stderr) = $copy->psql('postgres', 'CALL reengage.run()');
like($stderr, qr/reengage is armed at another site/, 'run() says so and does nothing');
is(scalar $simulator->requests, $requests, 'nothing was sent from it');

$copy->safe_psql('postgres', 'SELECT reengage.arm()');
wait_until_ended($copy, where => q(n.conversation_id IN ('closed-on-the-wire', 'live-on-the-copy')));
is(outcome($copy, 'closed-on-the-wire'), 'in_doubt interrupted create',
	'armed, what the original had on the wire is in doubt and not repeated');
is(scalar $simulator->effects('id=closed-on-the-wire'), 1, 'its effect happened once');
is(outcome($copy, 'live-on-the-copy'), 'notified - notify', 'what is its own is sent');
is(scalar $simulator->effects('id=live-done'), 1, 'what was done is not done again');
is(count_due($copy), 1, 'what is due later is still due');
$copy->stop;

# With the same instance key, two places are one site.
$node->append_conf('postgresql.conf', "reengage.instance_key = 'one'");
$node->reload;
nudge($node, 'live-wake');
like(health($node, 'fence'), qr/^stopped: armed at another site/, 'a changed key is another site');
$node->safe_psql('postgres', 'SELECT reengage.arm()');
$simulator->clear_faults;
wait_until_ended($node, where => q(n.conversation_id NOT IN ('live-later')));
$node->backup('copy_with_key');
my $twin = PostgreSQL::Test::Cluster->new('twin');
$twin->init_from_backup($node, 'copy_with_key');
$node->stop;
$twin->start;
nudge($twin, 'live-on-the-twin');
wait_until_ended($twin, where => q(n.conversation_id = 'live-on-the-twin'));
is(outcome($twin, 'live-on-the-twin'), 'notified - notify', 'a node with the same key goes on');
$twin->stop;
done_testing();
