# The API's quota and its bad times: no minute has more requests than allowed,
# Retry-After is heeded, and an API that is down is left alone.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for outcome
  due_row health worker_pid courier_pid log_size log_lines ledger_matches_lineage);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main', preload => 1, servers => [qw(genesys other)]);
create_extension($node, $simulator, server_options => q(max_requests_per_minute '1200', max_failures '5'));

sub arrivals
{
	my ($query) = @_;
	my @times = sort { $a <=> $b } map { $_->{arrived_us} / 1e6 } grep { $_->{verb} ne 'token' } $simulator->requests($query);

	# or their number
	return @times;
}

# The most requests that any such span of seconds has.
sub busiest
{
	my ($span, @times) = @_;
	my $first = 0;
	my $most = 0;

	for my $last (0 .. $#times)
	{
		$first++ while $times[$last] - $times[$first] > $span;
		$most = $last - $first + 1 if $last - $first + 1 > $most;
	}
	return $most;
}

# --- the rate: 20 a second, and after a rest 40 at once -----------------------------------

$node->safe_psql('postgres', q{
	INSERT INTO reengage.nudges (conversation_id, message, priority)
	SELECT 'live-' || n, 'x', 9 FROM generate_series(1, 100) n});
wait_for(sub { arrivals() >= 60 }, 'it is at work');
nudge($node, 'live-urgent', priority => 0);
wait_until_ended($node);
my @times = arrivals();
is(scalar @times, 202, 'two requests a nudge');
# on a busy machine a request may arrive late, here by a second, but none is made early
cmp_ok(busiest(5, @times), '<=', 100 + 41 + 20, 'no five seconds have more than their share and a burst');
cmp_ok($times[-1] - $times[0], '>=', (202 - 41) / 20 - 1, 'it takes its time');
my ($urgent) = arrivals('id=live-urgent');
my $overtaken = grep { $_ > $urgent } @times;
cmp_ok($overtaken, '>=', 60, 'what is urgent overtakes the backlog');
cmp_ok($node->safe_psql('postgres', 'SELECT sum(api_calls) FROM reengage.lineage'), '==', 202, 'api_calls is true to the call');
is($node->safe_psql('postgres', q{SELECT sum(value) FROM reengage.metrics WHERE name = 'reengage_responses_total'}), 202, 'a call that did not get its turn is no call without a response');
$node->safe_psql('postgres', q{ALTER SERVER genesys OPTIONS (SET max_requests_per_minute '0')});

# --- too many requests: a short pause is waited for, a long one in the schedule ---------------

$simulator->fault(verb => 'check', id => 'live-busy', action => 'status', status => 429, retry_after => '2', times => 1);
nudge($node, 'live-busy-1');
wait_for(sub { arrivals('id=live-busy-1') == 1 }, 'the API says: too many');
nudge($node, "live-after-$_") for 1 .. 3;
wait_until_ended($node);
my ($told) = arrivals('id=live-busy-1');
is(scalar(grep { $_ > $told && $_ < $told + 2 } arrivals()), 0, 'Retry-After 2: no request before its time');
$simulator->fault(verb => 'notify', id => 'live-later', action => 'status', status => 429, retry_after => '8', times => 1);
nudge($node, 'live-later');
wait_for(sub { (due_row($node, 'live-later') // {})->{hold_reason} }, 'the nudge is moved');
is(due_row($node, 'live-later')->{attempt}, 0, 'Retry-After 8: without an attempt used up');
like(health($node, 'server genesys'), qr/^resting: the API asked not to be called \(HTTP status 429\), not before /, 'the health view says so');
nudge($node, 'live-not-yet');
$node->safe_psql('postgres', qq{CREATE SERVER other FOREIGN DATA WRAPPER reengage
	OPTIONS (api_url '$simulator->{url}', max_requests_per_minute '0')});
nudge($node, 'live-elsewhere', server => q('other'));
wait_until_ended($node, where => q(n.server = 'other'));
is(outcome($node, 'live-elsewhere'), 'notified - notify', 'another server is called meanwhile');
is(scalar arrivals('id=live-not-yet'), 0, 'this one is not');
# nor does it help to change the options, or to be in a hurry
$node->safe_psql('postgres', q{ALTER SERVER genesys OPTIONS (SET max_failures '4');
	UPDATE reengage.due SET due_at = now(); SELECT reengage_internal.wake('-infinity')});
wait_until_ended($node);
my ($refused, $repeated) = map { $_->{arrived_us} / 1e6 } grep { $_->{verb} eq 'notify' } $simulator->requests('id=live-later');
cmp_ok($repeated - $refused, '>=', 8, 'Retry-After 8: no request before its time');
is(outcome($node, 'live-later'), 'notified - notify', 'and then it goes on');

# --- a refusal that names a time is a refusal all the same -----------------------------------

$simulator->fault(verb => 'notify', id => 'live-forbidden', action => 'status', status => 403, retry_after => '1');
nudge($node, "live-forbidden-$_") for 1 .. 2;
ok($node->poll_query_until('postgres', q{SELECT reason LIKE 'the API refused to notify%' FROM reengage.server_state}),
	'403 with Retry-After blocks the server');
nudge($node, 'live-other', server => q('other'));
wait_until_ended($node, where => q(n.conversation_id = 'live-other'));
# right after a success it may have been each one's own: then each of them is told again
for my $n (1 .. 2)
{
	my @told = map { $_->{arrived_us} / 1e6 } grep { $_->{verb} eq 'notify' } $simulator->requests("id=live-forbidden-$n");

	ok(@told <= 3 && !grep({ $told[$_] - $told[$_ - 1] < 1 } 1 .. $#told), 'and is not repeated at once') or diag("@told");
}
$simulator->clear_faults;
wait_until_ended($node);
is(outcome($node, "live-forbidden-$_"), 'notified - notify', 'but when it is tried again') for 1 .. 2;

# --- the breaker -------------------------------------------------------------------------------

my $log = log_size($node);
my $before = arrivals();
$simulator->fault(verb => '*', id => 'live-down', action => 'status', status => 500);
nudge($node, "live-down-$_") for 1 .. 40;
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM reengage.server_state WHERE state = 'blocked'}), 'the breaker opens');
like(health($node, 'server genesys'), qr/^blocked: 4 calls in a row failed \(http_500\)$/, 'the health view says why');
kill 'KILL', courier_pid(worker_pid($node));
wait_for(sub { courier_pid(worker_pid($node)) }, 'there is another courier');
my $down = arrivals('id=live-down');
# those that were under way, and the probes
cmp_ok($down, '<=', 40 + 4, 'the API is not hammered');
is(scalar(grep { $_->{verb} ne 'check' && $_->{conversation_id} =~ /down/ } $simulator->requests), 0, 'a probe is a look');
$simulator->clear_faults;
wait_until_ended($node);
is($node->safe_psql('postgres', 'SELECT count(*) FROM reengage.server_state'), 0, 'an answer closes it');
is(scalar(() = log_lines($node, $log, qr/server "genesys" is blocked/)), 1, 'one line in the log');
is(scalar(() = log_lines($node, $log, qr/server "genesys" is called again/)), 1, 'and another when it is over');
ledger_matches_lineage($node, $simulator, 'the ledger and the lineage agree, nudge by nudge');

done_testing();
