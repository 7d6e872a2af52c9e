# An opt-out that committed first always wins: 64 writers against a worker.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for outcome
  ledger_matches_lineage);
use PostgreSQL::Test::Utils;
use Test::More;

my $customers = 1500;
my $simulator = start_simulator('--latency-ms', 5);
my $node = new_node('main', preload => 1);
create_extension($node, $simulator, server_options => "from_address '+13175550000', max_in_flight '64'");

# Each opt-out notes, in its own transaction, what it was too late for.
$node->safe_psql('postgres', q{
	CREATE TABLE optouts (n integer PRIMARY KEY, in_flight integer, ended boolean);
	CREATE FUNCTION opt_out(n integer) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		in_flight integer;
	BEGIN
		SELECT count(*) INTO in_flight FROM reengage.suppress('+1555' || lpad(n::text, 7, '0'));
		INSERT INTO optouts
		SELECT n, in_flight, EXISTS (SELECT FROM reengage.lineage l WHERE l.requested_conversation_id = 'gone-' || n)
		ON CONFLICT DO NOTHING;
	END $$});
my $script = $node->basedir . '/optout.pgbench';
append_to_file($script, "\\set n random(1, $customers)\nSELECT opt_out(:n);\n");

$node->safe_psql('postgres', qq{
	INSERT INTO reengage.nudges (conversation_id, message, address, channel)
	SELECT 'gone-' || n, 'x', '+1 555 ' || lpad(n::text, 7, '0'), 'sms' FROM generate_series(1, $customers) n});
wait_for(sub { @{[ $simulator->effects ]} >= 20 }, 'the worker is at work');
$node->command_ok([ 'pgbench', '-n', '-c', 64, '-j', 2, '-t', 30, '-f', $script, 'postgres' ], '64 writers opt out');
wait_until_ended($node);

my %spoken_to = map { $_->{nudge_id} => 1 } $simulator->effects;
my %counts = (early => 0, late => 0);
my @wrong;
for my $row (split /\n/, $node->safe_psql('postgres', q{
	SELECT o.n, o.in_flight, o.ended, l.outcome, l.nudge_id
	FROM optouts o JOIN reengage.lineage l ON l.requested_conversation_id = 'gone-' || o.n}))
{
	my ($n, $in_flight, $ended, $outcome, $nudge_id) = split /\|/, $row;
	my $sent = $spoken_to{$nudge_id} ? 1 : 0;
	my $too_late = $in_flight > 0 || $ended eq 't';

	$counts{ $sent ? 'late' : 'early' }++;
	# what may have been on the wire need not have been: a courier that had no time
	# for a second asks again, and is told no
	push @wrong, "$row (sent: $sent)" if ($sent && !$too_late) || ($outcome eq 'suppressed') == $sent;
}
is(join("\n", @wrong), '', 'nobody was spoken to after an opt-out had committed, and each one knew what it may have been too late for');
cmp_ok($counts{$_}, '>', 20, "$counts{$_} opt-outs came $_") for sort keys %counts;
ledger_matches_lineage($node, $simulator, 'the ledger and the lineage agree, nudge by nudge');

# --- what is in flight -------------------------------------------------------------------------

$simulator->set(latency_ms => 0);
$simulator->fault(verb => 'create', id => 'gone-hangs', action => 'hang', times => 1);
my $id = nudge($node, 'gone-hangs', address => "'+44 20 7946 0000'", channel => "'sms'");
$simulator->wait_hanging(1);
is($node->safe_psql('postgres', q{SELECT nudge_id, step, since <= now() FROM reengage.suppress('+442079460000')}),
	"$id|create|t", 'suppress() returns the call that is on the wire');
is($node->safe_psql('postgres', "SELECT reengage.cancel('$id')"), 'too late', 'which cannot be cancelled either');
$simulator->clear_faults;
wait_until_ended($node);

# --- an opt-out that stays open holds up its customer, and nobody else ----------------------------

my $open = $node->background_psql('postgres', on_error_stop => 1);
$open->query_safe($_) for 'SET client_min_messages = warning', 'BEGIN', q{SELECT reengage.suppress('+33123456789')}, q{SELECT reengage.cancel_campaign('spring', 'genesys')};
nudge($node, 'gone-locked', address => "'+33 1 2345 6789'", channel => "'sms'");
nudge($node, 'live-locked', campaign => "'spring'");
nudge($node, $_, $_ eq 'live-summer' ? (campaign => "'summer'") : ()) for qw(live-free closed-free live-summer);
wait_until_ended($node, where => q(n.conversation_id IN ('live-free', 'closed-free', 'live-summer')));
ok($node->poll_query_until('postgres', q{
	SELECT reason = 'an opt-out or an answer that has not been committed' FROM reengage.nudge_status
	WHERE requested_conversation_id = 'gone-locked'}), 'its nudge says what it waits for');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'}), 'without a lock that is waited for');
$open->query_safe('COMMIT');
$open->quit;
wait_until_ended($node);
is(outcome($node, 'gone-locked'), 'suppressed opted_out -', 'committed, it wins');
is(outcome($node, 'live-locked'), 'notified - notify', 'and the campaign, where there was nothing to cancel, goes on');

# --- a small lock table ---------------------------------------------------------------------------------

my $small = new_node('small', preload => 1, conf => "max_locks_per_transaction = 16\nmax_connections = 20\nmax_wal_senders = 0");
create_extension($small, $simulator, server_options => "max_in_flight '900'");
$small->safe_psql('postgres', q{
	INSERT INTO reengage.nudges (conversation_id, message, when_closed)
	SELECT 'closed-small-' || n, 'x', 'skip' FROM generate_series(1, 1500) n});
wait_until_ended($small);
is($small->safe_psql('postgres', q{SELECT string_agg(DISTINCT outcome, ' ') FROM reengage.lineage}), 'skipped_closed',
	'however many end at once, a tick takes its part of it and no more');
$small->safe_psql('postgres', q{
	INSERT INTO reengage.nudges (conversation_id, message, campaign, due_at)
	SELECT 'live-' || n, 'x', 'cart', now() + interval '1 day' FROM generate_series(1, 2000) n});
$small->safe_psql('postgres', q{
	INSERT INTO reengage.nudges (conversation_id, message, campaign, due_at, supersedes)
	SELECT 'live-' || n, 'x', 'cart', now() + interval '1 day', true FROM generate_series(1, 2000) n});
is($small->safe_psql('postgres', q{SELECT count(*) FROM reengage.lineage WHERE reason = 'superseded'}), 2000,
	'and so do thousands that take the place of others');
$small->stop;

$node->stop;
done_testing();
