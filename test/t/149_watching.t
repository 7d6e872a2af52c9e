# What is watched costs the same however much there is: how far campaigns are, and
# what is graphed of tokens, bytes, breakers, paces and couriers.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for worker_pid courier_pid start_psql finish_psql);
use Test::More;

my $node = new_node('main', preload => 1, conf => 'autovacuum = off');
my $simulator = start_simulator();
create_extension($node, $simulator);

sub sql { return $node->safe_psql('postgres', @_); }

sub status
{
	my ($columns, $campaign) = @_;
	return sql("SELECT $columns FROM reengage.campaign_status WHERE campaign = '$campaign'");
}

# The value of a metric, where all of these are among its labels; undef: there is none.
sub metric
{
	my ($name, %labels) = @_;
	my $labels = JSON::PP->new->encode(\%labels);
	my $value = sql("SELECT sum(value) FROM reengage.metrics WHERE name = 'reengage_$name' AND labels \@> '$labels'");
	return $value eq '' ? undef : $value;
}

# --- a campaign ------------------------------------------------------------------------------

sql(q{
	CREATE ROLE shop; GRANT reengage_application TO shop; GRANT USAGE ON FOREIGN SERVER genesys TO shop;
	CREATE ROLE other; GRANT reengage_application TO other; GRANT USAGE ON FOREIGN SERVER genesys TO other;
	SELECT reengage.pause('genesys')});
my $ask = sub { my ($number, $campaign, $due_at) = @_; return "INSERT INTO reengage.nudges (conversation_id, message, campaign, due_at)
	SELECT 'live-' || n, 'x', $campaign, $due_at FROM generate_series(1, $number) n;" };
sql($ask->(3, q('spring'), 'now()') . $ask->(4, q('spring'), q(now() + '1 day')) . $ask->(5, 'NULL', 'now()') . $ask->(1, q('later'), q(now() + '1 year')));
sql('SET ROLE shop;' . $ask->(2, q('spring'), 'now()'));
is(status('asked, due, due_now, scheduled', 'spring'), '9|9|5|4', 'a campaign has what is due now, and what later');
is(status('due, due_now, scheduled', 'later'), '1|0|1', 'one may be for later only');
is(sql('SELECT due, due_now, scheduled FROM reengage.campaign_status WHERE campaign IS NULL'), '5|5|0', 'or have no name');
is(sql(q{SET ROLE shop; SELECT asked, due_now, scheduled FROM reengage.campaign_status}), '2|2|0', 'an application sees its own part');
is(sql(q{SET ROLE other; SELECT count(*) FROM reengage.campaign_status}), 0, 'and nothing of the others');
is(sql(q{SET ROLE other; SELECT count(*) FROM reengage.campaign_status WHERE campaign = 'spring'}), 0, 'by no name');
is(status('sent_per_minute, expected_end', 'spring'), '0.0|', 'while nothing is sent there is no end to expect');

sql(q{SELECT reengage.resume('genesys')});
wait_until_ended($node, where => 'n.due_at <= now()');
is(status('sent, due_now, scheduled', 'spring'), '5|0|4', 'what has come is sent');
is(status('sent_per_minute', 'spring'), '1.0', 'five within five minutes are one a minute');
is(sql(q{SET ROLE shop; SELECT sent, sent_per_minute FROM reengage.campaign_status}), '2|0.4', 'an application sees the pace of its own');
$simulator->fault(verb => 'notify', id => 'live-hangs', action => 'hang');
nudge($node, 'live-hangs', campaign => "'spring'");
$simulator->wait_hanging(1);
is(status('due_now, scheduled, calling', 'spring'), '0|4|1', 'what is on the wire is no more due');
$simulator->clear_faults;
wait_until_ended($node, where => 'n.due_at <= now()');
sql(q{SELECT reengage.pause('genesys')});
nudge($node, 'live-end', campaign => "'spring'");
# six have ended, of which one is in doubt
is(sql(q{SELECT round(extract(epoch FROM expected_end - statement_timestamp())) FROM reengage.campaign_status WHERE campaign = 'spring'}),
	50, 'the end is expected by what ended lately');
sql(q{SELECT reengage.resume('genesys')});
wait_until_ended($node, where => 'n.due_at <= now()');

# --- tokens, bytes, answers ----------------------------------------------------------------------

# behind the commit of a tick
ok(wait_for(sub { metric('responses_total', server => 'genesys') == grep { $_->{verb} ne 'token' } $simulator->requests }, 'each call'),
	'each call is counted by the class of its answer');
is(metric('responses_total', code => 'none', step => 'notify'), 1, 'one had none');
is(metric('responses_total', code => '5xx'), 0, 'and none was bad');
is(metric('token_requests_total', server => 'genesys'), $simulator->counts->{token}, 'so are tokens that were asked for');
my @asked = $simulator->requests;
cmp_ok(metric('sent_bytes_total', server => 'genesys'), '>', 100 * @asked, 'what was sent is counted in bytes');
cmp_ok(metric('received_bytes_total', server => 'genesys'), '>', 100 * @asked, 'and what came back');
my $sent = metric('sent_bytes_total', server => 'genesys');
nudge($node, 'live-long', message => q(repeat('x', 4000)));
wait_until_ended($node, where => 'n.due_at <= now()');
ok(wait_for(sub { metric('sent_bytes_total', server => 'genesys') > $sent + 4000 }, 'a long message'), 'a long message are many');
$simulator->fault(verb => 'check', action => 'status', status => 500, times => 1);
nudge($node, 'live-retry');
wait_until_ended($node, where => 'n.due_at <= now()');
is(metric('responses_total', server => 'genesys', step => 'check', code => '5xx'), 1, 'an answer 500 is counted');
is(metric('nudges_moved_total', server => 'genesys', hold => 'retry'), 1, 'and the retry that it led to');
cmp_ok(metric('wal_bytes_per_nudge'), '>', 300, 'WAL is told by the nudge');

# --- what is so now -------------------------------------------------------------------------------

is(metric('courier_up'), 1, 'the courier runs');
is(metric('courier_starts_total'), 1, 'the first one');
is(sql('SELECT courier_pid FROM reengage_internal.worker_state()'), courier_pid(worker_pid($node)), 'its process is known');
kill 'KILL', courier_pid(worker_pid($node));
nudge($node, 'live-courier');
wait_until_ended($node, where => 'n.due_at <= now()');
is(metric('courier_starts_total'), 2, 'and when it had to be started again');

sql(q{ALTER SERVER genesys OPTIONS (SET max_requests_per_minute '600')});
$simulator->fault(verb => 'notify', id => 'live-hangs', action => 'hang');
nudge($node, 'live-hangs');
$simulator->wait_hanging(1);
ok(wait_for(sub { metric('in_hand', server => 'genesys', state => 'posting') == 1 }, 'posting'), 'a nudge is seen posting');
is(metric('in_flight', server => 'genesys'), 1, 'and in flight');
is(metric('pace_limit', server => 'genesys'), 600, 'the pace is told');
$simulator->clear_faults;
wait_until_ended($node, where => 'n.due_at <= now()');
ok(wait_for(sub { metric('in_flight', server => 'genesys') == 0 }, 'none'), 'then none is');
ok(wait_for(sub { my $left = metric('pace_left', server => 'genesys'); $left >= 590 && $left < 600 }, 'used up'), 'and a little of the pace is used up');

is(metric('breaker', server => 'genesys', state => 'closed'), 1, 'the breaker is closed');
$simulator->fault(verb => 'check', action => 'status', status => 429, retry_after => '3600', times => 1);
nudge($node, 'live-rests');
ok(wait_for(sub { metric('breaker', server => 'genesys', state => 'open') == 1 }, 'open'), 'a limit opens it');
is(metric('breaker', server => 'genesys', state => 'closed'), 0, 'and it is nothing else');
cmp_ok(metric('next_probe_seconds', server => 'genesys'), '>', 3000, 'when it is tried is told');
sql(q{ALTER SERVER genesys OPTIONS (SET max_requests_per_minute '0')});
sql(q{SELECT reengage.cancel(nudge_id) FROM reengage.nudges WHERE conversation_id = 'live-rests'});
ok(wait_for(sub { metric('breaker', server => 'genesys', state => 'closed') == 1 }, 'closed'), 'other options close it');
is(metric('next_probe_seconds', server => 'genesys'), 0, 'and nothing is told any more');
is(metric('pace_left', server => 'genesys'), undef, 'nor of a pace that is none');

sql(q{SELECT reengage.pause('genesys')});
nudge($node, "live-priority-$_", priority => $_ % 2) for 1 .. 5;
is(metric('due_now', server => 'genesys', priority => '1'), 3, 'what has come to its time is counted by priority');
is(metric('due_now', server => 'genesys', priority => '0'), 2, 'each');

is(sql(q{SELECT string_agg(backend_type || ', ' || application_name, '; ' ORDER BY backend_type) FROM pg_stat_activity WHERE backend_type ~ 'reengage'}),
	'reengage launcher, reengage launcher; reengage worker, reengage worker', 'pg_stat_activity knows launcher and worker by their names');

# the process that counted is gone: what is so now is so no more
my $pid = worker_pid($node);
sql(q{ALTER SYSTEM SET reengage.databases = ''});
$node->reload;
ok(wait_for(sub { !worker_pid($node) }, 'no worker'), 'without a worker');
is(metric('courier_up'), 0, 'there is no courier');
is(metric('in_hand'), 0, 'and nothing in hand');
cmp_ok(metric('responses_total'), '>', 0, 'what was counted stays');

# --- what it costs -----------------------------------------------------------------------------------

# the other side is what can be counted
sql($ask->(3_000, q('crowd'), q(now() + '2 days')));
is(status('due, due_now, scheduled', 'spring'), '4|0|4', 'more than can be looked at wait for their time: what has come is counted');
is(status('due, due_now, scheduled', 'crowd'), '3000|0|3000', 'and of those it is known, too');
sql($ask->(3_000, q('crowd'), 'now()'));
is(status('due, due_now, scheduled', 'crowd'), '6000||', 'of too much on both sides it is not');

my $dearest = 0;

sub buffers
{
	my ($query) = @_;
	my $plan = sql("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) $query");
	my $top = JSON::PP::decode_json($plan)->[0]{Plan};
	$dearest = $top->{'Total Cost'} if $top->{'Total Cost'} > $dearest;
	return $top->{'Shared Hit Blocks'} + $top->{'Shared Read Blocks'};
}

my %looks = (
	'all metrics' => 'TABLE reengage.metrics',
	'a campaign' => q{SELECT * FROM reengage.campaign_status WHERE campaign = 'spring'},
	'all campaigns' => 'TABLE reengage.campaign_status',
);

sub costs
{
	sql('VACUUM ANALYZE reengage.due, reengage.nudges, reengage.tallies, reengage.tally_changes, reengage.intents');
	return map { $_ => buffers($looks{$_}) } keys %looks;
}

# and than metrics count of a priority
sql($ask->(10_500, q('crowd'), 'now()'));
my %few = costs();
sql($ask->(100_000, q('crowd'), 'now()') . $ask->(100_000, q('crowd'), q(now() + '2 days')));
my %many = costs();
cmp_ok($many{$_}, '<', $few{$_} + 50, "$_: $few{$_} buffers, $many{$_} with ten times as much due") for sort keys %looks;
cmp_ok($dearest, '<', sql('SHOW jit_above_cost'), 'none is compiled, which takes longer than all of it');

done_testing();
