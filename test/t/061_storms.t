# An API that refuses much, and one that answers nothing: nothing is lost, nothing
# is in doubt, and no other server waits.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension wait_until_ended);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main', preload => 1, servers => [qw(genesys one many hung)]);
create_extension($node, $simulator);

# --- a storm of refusals ------------------------------------------------------------------------

# How many requests came within the second that each refusal asked for.
sub storm
{
	my ($name, $count, $in_flight, $rate) = @_;
	my $stormy = start_simulator('--seed', 7);

	$stormy->fault(verb => $_, action => 'status', status => 429, retry_after => '1', rate => $rate) for qw(check notify create);
	$node->safe_psql('postgres', qq{CREATE SERVER $name FOREIGN DATA WRAPPER reengage
		OPTIONS (api_url '$stormy->{url}', max_requests_per_minute '0', max_in_flight '$in_flight', max_attempts '100')});
	$node->safe_psql('postgres', qq{INSERT INTO reengage.nudges (server, conversation_id, message)
		SELECT '$name', format('%s-$name-%s', (ARRAY['live', 'closed'])[1 + n % 2], n), 'x' FROM generate_series(1, $count) n});
	wait_until_ended($node, where => "n.server = '$name'");
	is($node->safe_psql('postgres', qq{SELECT string_agg(DISTINCT outcome, ' ' ORDER BY outcome) || ' ' || count(*)
		FROM reengage.lineage WHERE server = '$name'}), "notified session_created $count", "$name: no nudge is lost, none in doubt");
	is($stormy->counts->{notifications} + $stormy->counts->{created}, $count, "$name: each had its effect, once");
	my @requests = grep { $_->{verb} ne 'token' } $stormy->requests;
	my @refused = map { $_->{arrived_us} } grep { $_->{status} == 429 } @requests;
	cmp_ok(scalar @refused, '>=', 3, "$name: it has stormed");
	my ($most) = sort { $b <=> $a } map {
		my $at = $_;
		scalar grep { $_->{arrived_us} > $at && $_->{arrived_us} < $at + 1_000_000 } @requests
	} @refused;
	return $most;
}

is(storm('one', 40, 1, 0.05), 0, 'Retry-After 1: no request before its time');
# what was on the wire when the refusal came, and what was sent before it had been read
cmp_ok(storm('many', 100, 16, 0.1), '<=', 32, 'nor of many at once, but those that were under way');

# --- a neighbour that hangs -------------------------------------------------------------------------

my $hung = start_simulator();
$hung->fault(verb => 'check', action => 'hang');
$node->safe_psql('postgres', qq{CREATE SERVER hung FOREIGN DATA WRAPPER reengage
	OPTIONS (api_url '$hung->{url}', max_requests_per_minute '0', max_in_flight '64', timeout '60s')});
$node->safe_psql('postgres', q{INSERT INTO reengage.nudges (server, conversation_id, message)
	SELECT 'hung', 'live-hung-' || n, 'x' FROM generate_series(1, 200) n});
$hung->wait_hanging(64);
$node->safe_psql('postgres', q{INSERT INTO reengage.nudges (server, conversation_id, message)
	SELECT 'genesys', 'live-beside-' || n, 'x' FROM generate_series(1, 300) n});
wait_until_ended($node, where => q(n.server = 'genesys'));
is($node->safe_psql('postgres', q{SELECT count(*) FROM reengage.lineage WHERE server = 'genesys' AND outcome = 'notified'}), 300,
	'a server that hangs holds up no other');
is(join(' ', @{ $hung->counts }{qw(hanging check)}), '64 64', 'all of its own calls hang still');
$hung->clear_faults;
wait_until_ended($node);

$node->stop;
done_testing();
