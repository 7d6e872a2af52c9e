# Whatever a nudge waits for, it neither makes the worker spin nor hammers an API:
# a tick a second for each reason at the most, and few looks.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for outcome health);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my @servers = qw(genesys refused limited vague rested login gone doubt busy open quiet paused keys);
my $node = new_node('main', preload => 1, servers => \@servers);
my %api = map { $_ => start_simulator() } @servers;
create_extension($node, $api{genesys});

sub sql { return $node->safe_psql('postgres', @_); }

my %options = (keys => q(, idempotency 'key'), busy => q(, timeout '60s'), doubt => q(, timeout '60s'));
for my $server (grep { $_ ne 'genesys' } @servers, 'secretless')
{
	# nobody listens to "gone"
	my $url = $server eq 'gone' ? 'http://127.0.0.1:9' : ($api{$server} // $api{genesys})->{url};

	sql(qq{CREATE SERVER $server FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$url', max_requests_per_minute '0'} . ($options{$server} // '') . ')');
}

# --- everything that a nudge can wait for, at once -------------------------------------------------------

$api{refused}->fault(verb => 'check', action => 'status', status => 403);
$api{limited}->fault(verb => $_, action => 'status', status => 429, retry_after => '1') for qw(check notify);
$api{vague}->fault(verb => 'check', action => 'status', status => 429);
$api{rested}->fault(verb => 'notify', action => 'status', status => 503, retry_after => '0');
$api{login}->fault(verb => 'token', action => 'status', status => 503);
$api{doubt}->fault(verb => 'create', id => 'closed-doubt', action => 'close_after', times => 1);
$api{busy}->fault(verb => 'notify', id => 'live-first', action => 'hang');
$api{keys}->fault(verb => 'notify', action => 'status', status => 500);

nudge($node, 'closed-doubt', server => q('doubt'));
wait_until_ended($node);
like(outcome($node, 'closed-doubt'), qr/^in_doubt /, 'a create in doubt');

# an opt-out that nobody commits
my $open = $node->background_psql('postgres');
$open->query_safe($_) for 'SET client_min_messages = warning', 'BEGIN', q{SELECT reengage.suppress('+13175550777')};
sql(q{INSERT INTO reengage.policies (server, minimum_gap) VALUES ('quiet', '1 day')});
nudge($node, 'live-sent', server => q('quiet'));
wait_until_ended($node);
sql(q{SELECT reengage.pause('paused')});

nudge($node, "live-one-$_", server => "'$_'"), nudge($node, "live-two-$_", server => "'$_'")
  for qw(refused limited vague rested login gone secretless paused keys);
nudge($node, 'closed-doubt', server => q('doubt'));
nudge($node, 'live-first', server => q('busy'));
$api{busy}->wait_hanging(1);
# the same customer, in another conversation
$api{$_->[0]}->control('POST', 'conversations', { id => $_->[1], address => $_->[2], status => 'active' })
  for [ 'busy', 'live-second', Reengage::customer_address('live-first') ], [ 'open', 'live-open', '+13175550777' ];
nudge($node, 'live-second', server => q('busy'));
nudge($node, 'live-open', server => q('open'));
nudge($node, 'live-sent', server => q('quiet'));
sql(q{SELECT reengage_internal.wake(now())});

my %waits = (
	open => qr/an opt-out, an answer or a cancellation is being recorded/,
	doubt => qr/an earlier create on this conversation is in doubt/,
	quiet => qr/^minimum gap/);
for my $server (sort keys %waits)
{
	wait_for(sub { sql("SELECT string_agg(hold_reason, ',') FROM reengage.due WHERE server = '$server'") =~ $waits{$server} }, "$server waits");
}
wait_for(sub { health($node, "server $_->[0]") =~ $_->[1] }, "$_->[0]: the health view says so")
  for [ refused => qr/^blocked/ ], [ limited => qr/^resting/ ], [ login => qr/^blocked/ ], [ secretless => qr/^blocked/ ], [ paused => qr/^paused/ ];

# --- how often it looks at the tables, and at the APIs, meanwhile ------------------------------------------------

# of another database, so that the question does not count
sub commits
{
	return $node->safe_psql('template1', q{SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'postgres'});
}

# of each API, without tokens
sub requests { return map { my $counts = $api{$_}->counts; $_ => $counts->{check} + $counts->{notify} + $counts->{create} } @servers; }

my ($began, $commits, %requests) = (time, commits(), requests());
wait_for(sub { time - $began >= 5 }, 'five seconds');
my $made = commits() - $commits;
my %more = requests();
my $lasted = time - $began;
my $reasons = 14;
# an attempt takes three: its claim, its intent, its end
cmp_ok($made, '<=', 3 * $reasons * ($lasted + 1), 'an attempt a second for each reason at the most');
note sprintf '%d transactions in %.1f s', $made, $lasted;
for my $server (@servers)
{
	my $made_here = $more{$server} - $requests{$server};

	# two nudges, each a look and a call in a second
	cmp_ok($made_here, '<=', 4 * ($lasted + 1), "$server: $made_here requests");
}

# --- and nothing was lost by it ------------------------------------------------------------------------------------

$open->query_safe('ROLLBACK');
$open->quit;
$_->clear_faults for values %api;
wait_until_ended($node, where => q(n.server IN ('limited', 'vague', 'rested', 'open')));
is(sql(q{SELECT string_agg(DISTINCT outcome || ' ' || attempts, ', ') FROM reengage.lineage WHERE server IN ('limited', 'vague', 'rested')}),
	'notified 1', '"not now" has used up no attempt');

$node->stop;
done_testing();
