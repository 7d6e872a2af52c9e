# cancel_customer() and cancel_thread() against a worker: what was cancelled is
# never sent, and what was too late has its outcome.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for ledger_matches_lineage);
use PostgreSQL::Test::Utils;
use Test::More;

my $customers = 800;
my $simulator = start_simulator('--latency-ms', 5);
my $node = new_node('main', preload => 1);
create_extension($node, $simulator, server_options => "from_address '+13175550000', max_in_flight '64'");

# Of each customer two campaigns, in a conversation each.  Whoever buys takes
# back one of them or both, by address or by thread.
$node->safe_psql('postgres', q{
	CREATE TABLE bought (n integer PRIMARY KEY, way integer, cancelled integer, too_late integer);
	CREATE FUNCTION buy(n integer) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		done record;
	BEGIN
		IF EXISTS (SELECT FROM bought b WHERE b.n = buy.n) THEN
			RETURN;
		END IF;
		CASE n % 3
			WHEN 0 THEN SELECT * INTO done FROM reengage.cancel_customer('+1 555 ' || lpad(n::text, 7, '0'));
			WHEN 1 THEN SELECT * INTO done FROM reengage.cancel_customer('+1 555 ' || lpad(n::text, 7, '0'), campaign => 'cart');
			WHEN 2 THEN SELECT * INTO done FROM reengage.cancel_thread('gone-cart-' || n);
		END CASE;
		INSERT INTO bought VALUES (n, n % 3, done.cancelled, done.too_late) ON CONFLICT DO NOTHING;
	END $$});
my $script = $node->basedir . '/buy.pgbench';
append_to_file($script, "\\set n random(1, $customers)\nSELECT buy(:n);\n");
$node->safe_psql('postgres', qq{
	INSERT INTO reengage.nudges (conversation_id, message, address, channel, campaign)
	SELECT 'gone-' || c || '-' || n, 'x', '+1555' || lpad(n::text, 7, '0'), 'sms', c
	FROM generate_series(1, $customers) n, unnest('{cart,news}'::text[]) c});
wait_for(sub { @{[ $simulator->effects ]} >= 20 }, 'the worker is at work');
$node->command_ok([ 'pgbench', '-n', '-c', 32, '-j', 2, '-t', 40, '-f', $script, 'postgres' ], '32 writers cancel');
wait_until_ended($node);

my %sent = map { $_->{nudge_id} => 1 } $simulator->effects;
my %outcomes;
my @wrong;
for my $row (split /\n/, $node->safe_psql('postgres', q{SELECT nudge_id, outcome FROM reengage.lineage}))
{
	my ($nudge_id, $outcome) = split /\|/, $row;

	$outcomes{$outcome}++;
	push @wrong, $row if ($outcome eq 'cancelled') == ($sent{$nudge_id} ? 1 : 0);
}
is(join("\n", @wrong), '', 'what was cancelled was not sent, and all else was');
is($node->safe_psql('postgres', q{
	SELECT b.n, b.way, b.cancelled, l.cancelled FROM bought b CROSS JOIN LATERAL (
		SELECT count(*) AS cancelled FROM reengage.lineage l
		WHERE l.outcome = 'cancelled' AND l.requested_conversation_id IN ('gone-cart-' || b.n, 'gone-news-' || b.n)) l
	WHERE l.cancelled <> b.cancelled}), '', 'and each one was told how many');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM reengage.lineage l JOIN bought b ON l.requested_conversation_id = 'gone-news-' || b.n
	WHERE l.outcome = 'cancelled' AND b.way <> 0}), 0, 'nothing of another campaign, or of another thread');
cmp_ok($outcomes{$_} // 0, '>', 20, ($outcomes{$_} // 0) . " are $_") for qw(cancelled session_created);
ledger_matches_lineage($node, $simulator, 'the ledger and the lineage agree, nudge by nudge');

# --- a nudge that only the conversation's lineage ties to the customer ---------------------

my $address = $node->safe_psql('postgres', q{SELECT '+1555' || lpad(n::text, 7, '0') FROM generate_series(1, 800) n
	WHERE EXISTS (SELECT FROM reengage.lineage l WHERE l.requested_conversation_id = 'gone-news-' || n AND l.outcome = 'session_created') LIMIT 1});
nudge($node, "gone-news-" . ($address =~ s/^\+1555//r + 0), due_at => "now() + interval '1 day'", campaign => "'again'");
is($node->safe_psql('postgres', "SELECT * FROM reengage.cancel_customer('$address', 'again')"), '1|0', 'a thread that lineage knows is found');
is($node->safe_psql('postgres', q{SELECT reason FROM reengage.lineage WHERE campaign = 'again'}), 'customer_cancelled', 'and says why it ended');

done_testing();
