# An API that says "not now": it is left alone, however it says so and however
# short, and no nudge pays for it.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for lineage
  outcome due_row health worker_pid courier_pid);
use PostgreSQL::Test::Utils;
use Test::More;

my @servers = qw(genesys look post short outage one);
my $node = new_node('main', preload => 1, servers => \@servers);
my $simulator = start_simulator();
create_extension($node, $simulator);

sub sql { return $node->safe_psql('postgres', @_); }

# --- crowds, and twelve seconds without a word about when; a server for each -----------------------

my %stormy;

sub begin_storm
{
	my ($name, $verbs, %rule) = @_;

	$stormy{$name} = start_simulator();
	$stormy{$name}->fault(verb => $_, action => 'status', %rule) for @$verbs;
	sql(qq{CREATE SERVER $name FOREIGN DATA WRAPPER reengage
		OPTIONS (api_url '$stormy{$name}{url}', max_requests_per_minute '0', max_in_flight '16', max_attempts '2')});
	sql(qq{INSERT INTO reengage.nudges (server, conversation_id, message)
		SELECT '$name', (ARRAY['live', 'closed'])[1 + n % 2] || '-$name-' || n, 'x' FROM generate_series(1, 300) n});
	wait_for(sub { health($node, "server $name") =~ /^resting: the API asked not to be called/ }, "$name: the health view says that the server rests");
	return;
}

# Returns how many calls were told "not now".
sub limited
{
	my ($name) = @_;
	my $stormy = $stormy{$name};

	wait_until_ended($node, where => "n.server = '$name'");
	is(sql(qq{SELECT string_agg(DISTINCT outcome, ' ' ORDER BY outcome) || ' ' || count(*) || ' ' || max(attempts)
		FROM reengage.lineage WHERE server = '$name'}), 'notified session_created 300 1', "$name: none is lost, and no attempt used up");
	is($stormy->counts->{notifications} + $stormy->counts->{created}, 300, "$name: each had its effect, once");
	is(health($node, "server $name"), 'ok: nothing is known against it', "$name: and all is well again");
	return scalar grep { ($_->{fault} // '') eq 'status' } $stormy->requests;
}

begin_storm('look', ['check'], status => 429, for_ms => 12000);
begin_storm('post', [qw(notify create)], status => 429, for_ms => 12000);
begin_storm('short', ['check'], status => 429, retry_after => '1', for_ms => 5000);
begin_storm('outage', ['check'], status => 503, retry_after => '0', for_ms => 5000);
# one for each place in flight, and the probes: after 1, 3 and 7 s, the next after 15
cmp_ok(limited('look'), '<=', 16 + 4, 'looks: one limited answer for each place in flight');
cmp_ok(limited('post'), '<=', 2 * 16 + 8, 'POSTs: likewise of each kind');
# each second one call finds out
cmp_ok(limited('short'), '<=', 16 + 6, 'Retry-After 1: the server rests for it');
cmp_ok(limited('outage'), '<=', 16 + 4, 'an outage that is announced with Retry-After 0 is no reason to hammer');

# --- one conversation that is limited over and over ------------------------------------------------

sql(qq{CREATE SERVER one FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}', max_requests_per_minute '0')});
$simulator->fault(verb => 'notify', id => 'live-pair', action => 'status', status => 429, retry_after => '1');
nudge($node, 'live-pair', server => q('one'), expires_at => q(now() + '30 s'));
wait_for(sub { due_row($node, 'live-pair')->{fencing_token} > 0 }, 'a conversation with a limit of its own');
sql(q{INSERT INTO reengage.nudges (server, conversation_id, message) SELECT 'one', 'live-beside-' || n, 'x' FROM generate_series(1, 50) n});
wait_until_ended($node, where => q(n.server = 'one' AND n.conversation_id ~ 'beside'));
is(sql(q{SELECT count(*) FROM reengage.lineage WHERE server = 'one' AND outcome = 'notified'}), 50, 'holds up the others for a moment only');
wait_until_ended($node, where => q(n.server = 'one'));
like(outcome($node, 'live-pair'), qr/^expired /, 'and ends with its own time');
cmp_ok((lineage($node, q(l.requested_conversation_id = 'live-pair')))[0]{api_calls}, '<=', 30, 'at growing distances');

# --- a rest outlives the courier that was told of it ------------------------------------------------

$simulator->fault(verb => 'check', id => 'live-told', action => 'status', status => 429, retry_after => '6', times => 1);
nudge($node, 'live-told');
wait_for(sub { health($node, 'server genesys') =~ /^resting/ }, 'the API asks for six seconds');
kill 'KILL', courier_pid(worker_pid($node));
nudge($node, 'live-not-told');
wait_until_ended($node, where => q(n.server = 'genesys'));
my ($told) = map { $_->{arrived_us} / 1e6 } $simulator->requests('id=live-told&verb=check');
my ($next) = sort { $a <=> $b } map { $_->{arrived_us} / 1e6 } $simulator->requests('id=live-not-told'), ($simulator->requests('id=live-told&verb=check'))[1];
cmp_ok($next - $told, '>=', 6, 'and gets them, whatever becomes of the courier');

# --- a rest that is over, and then no token ---------------------------------------------------------

$simulator->fault(verb => 'notify', id => 'live-tired', action => 'status', status => 429, retry_after => '1', times => 1);
nudge($node, 'live-tired');
wait_for(sub { health($node, 'server genesys') =~ /^resting/ }, 'a rest');
$simulator->fault(verb => 'token', action => 'status', status => 503);
$simulator->control('POST', 'expire-tokens');
wait_for(sub { health($node, 'server genesys') =~ /^blocked: the login server gave no token/ }, 'no token');
my $commits = sql(q{SELECT xact_commit FROM pg_stat_database WHERE datname = 'postgres'});
my $tokens = $simulator->counts->{token};
wait_for(sub { $simulator->counts->{token} > $tokens }, 'the login server is asked again, seconds later');
$simulator->clear_faults;
wait_until_ended($node);
is(outcome($node, 'live-tired'), 'notified - notify', 'it goes out when there is one');
# the polls of this test are commits, too: each some 100 ms
cmp_ok(sql(q{SELECT xact_commit FROM pg_stat_database WHERE datname = 'postgres'}) - $commits, '<=', 600,
	'and meanwhile the worker did not spin');

# --- a rest of a month -------------------------------------------------------------------------------

$simulator->fault(verb => 'check', id => 'live-month', action => 'status', status => 429, retry_after => '2592000', times => 1);
nudge($node, 'live-month');
wait_for(sub { health($node, 'server genesys') =~ /^resting/ }, 'the API asks for a month');
cmp_ok(sql(q{SELECT extract(epoch FROM until - now()) FROM reengage.server_state WHERE server = 'genesys'}), '<=', 86400, 'and gets a day');
nudge($node, 'live-that-month');
nudge($node, 'live-marker', server => q('one'));
wait_until_ended($node, where => q(n.conversation_id = 'live-marker'));
is($simulator->verbs('id=live-that-month'), '', 'but that it gets');

$node->stop;
done_testing();
