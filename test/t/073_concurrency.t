# Thousands of nudges, one conversation that hangs, and nobody who waits for it.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended outcome
  worker_pid ledger_matches_lineage);
use PostgreSQL::Test::Utils;
use Test::More;

my $total = 3000;
my $simulator = start_simulator('--latency-ms', 20);
my $node = new_node('main', preload => 1);
create_extension($node, $simulator, server_options => "max_in_flight '64'");
$simulator->fault(verb => 'check', id => 'live-hangs-look', action => 'hang');
$simulator->fault(verb => 'notify', id => 'live-hangs-notify', action => 'hang');
$simulator->fault(verb => 'create', id => 'closed-hangs-create', action => 'hang');
nudge($node, $_) for qw(live-hangs-look live-hangs-notify closed-hangs-create);
$simulator->wait_hanging(3);

# more nudges of a thread that hangs wait for it, and take nobody's place
$node->safe_psql('postgres', q{
	INSERT INTO reengage.nudges (conversation_id, message)
	SELECT 'closed-hangs-create', 'x' FROM generate_series(1, 100)});
my $worker = worker_pid($node);
$node->safe_psql('postgres', qq{
	INSERT INTO reengage.nudges (conversation_id, message, priority)
	SELECT (ARRAY['live-', 'closed-', 'race-', 'ringing-'])[1 + i % 4] || i, 'x', i % 10
	FROM generate_series(1, $total) i});
my $samples = 0;
my $snapshots = 0;
my $done = 0;
until ($done)
{
	my ($left, $xmin) = split /\|/, $node->safe_psql('postgres', qq{
		SELECT $total - (SELECT count(*) FROM reengage.lineage),
			(SELECT backend_xmin IS NOT NULL AND state = 'idle' FROM pg_stat_activity WHERE pid = $worker)});
	$samples++;
	$snapshots++ if $xmin eq 't';
	$done = $left == 0 || time - $^T > $PostgreSQL::Test::Utils::timeout_default;
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM reengage.lineage'), $total,
	'all nudges but those of the hanging conversations have ended');
is($simulator->counts->{hanging}, 3, 'while these still hang');
is($snapshots, 0, "never was the worker idle with a snapshot, in $samples samples");
is($node->safe_psql('postgres', "SELECT backend_xmin IS NULL FROM pg_stat_activity WHERE pid = $worker"), 't',
	'nor is it now');
is($node->safe_psql('postgres', q{
	SELECT string_agg(o, ', ' ORDER BY o) FROM (
		SELECT outcome || ' ' || count(*) FROM reengage.lineage GROUP BY outcome) s (o)}),
	'notified 1500, session_created 1500', 'each with the outcome of its kind');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM reengage.intents i, unnest(i.nudge_ids) u}) >= 2 ? 'open' : 'closed', 'open',
	'the intents of the hanging POSTs are open');

# how many were on the wire at once: never more than allowed
my @arrivals = sort { $a <=> $b } map { $_->{arrived_us} } grep { $_->{verb} ne 'token' } $simulator->requests;
my $most = 0;
my $first = 0;
for my $last (0 .. $#arrivals)
{
	$first++ while $arrivals[$last] - $arrivals[$first] > 19_000;
	$most = $last - $first + 1 if $last - $first + 1 > $most;
}
cmp_ok($most, '<=', 64, 'never more than max_in_flight calls on the wire');
cmp_ok($most, '>', 32, 'but not much fewer');

# then what hung comes to its end, one after the other
$simulator->set(latency_ms => 0);
$simulator->clear_faults;
wait_until_ended($node, where => q(n.conversation_id LIKE 'live-hangs-%'));
like(outcome($node, 'live-hangs-notify'), qr/^in_doubt \w+ notify$/, 'a POST that was cut off is in doubt');
is(outcome($node, 'live-hangs-look'), 'notified - notify', 'a look that was cut off is repeated');
ok($node->poll_query_until('postgres', q{
	SELECT count(*) = 100 FROM reengage.due WHERE hold_reason LIKE '%in doubt%'}),
	'and the nudges behind a creation in doubt are held');
is($simulator->verbs('id=closed-hangs-create&verb=create'), 'create', 'without another POST');
ledger_matches_lineage($node, $simulator, 'the ledger and the lineage agree, nudge by nudge');

$node->stop;
done_testing();
