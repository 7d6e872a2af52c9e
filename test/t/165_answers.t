# An answer that an application has recorded, and committed first, always wins:
# 32 writers against a worker.  Half of them name the customer, half the thread.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension wait_until_ended wait_for ledger_matches_lineage);
use PostgreSQL::Test::Utils;
use Test::More;

my $customers = 1200;
my $simulator = start_simulator('--latency-ms', 5);
my $node = new_node('main', preload => 1);
create_extension($node, $simulator, server_options => "from_address '+13175550000', max_in_flight '64'");

# Each answer notes, in its own transaction, what it was too late for.
$node->safe_psql('postgres', q{
	CREATE TABLE answered (n integer PRIMARY KEY, in_flight integer, ended boolean);
	CREATE FUNCTION answer(n integer) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		in_flight integer;
	BEGIN
		IF n % 2 = 0 THEN
			SELECT count(*) INTO in_flight FROM reengage.record_answer(address => '+1 555 ' || lpad(n::text, 7, '0'));
		ELSE
			SELECT count(*) INTO in_flight FROM reengage.record_answer('gone-' || n);
		END IF;
		INSERT INTO answered
		SELECT n, in_flight, EXISTS (SELECT FROM reengage.lineage l WHERE l.requested_conversation_id = 'gone-' || n)
		ON CONFLICT DO NOTHING;
	END $$});
my $script = $node->basedir . '/answer.pgbench';
append_to_file($script, "\\set n random(1, $customers)\nSELECT answer(:n);\n");

$node->safe_psql('postgres', qq{
	INSERT INTO reengage.nudges (conversation_id, message, address, channel)
	SELECT 'gone-' || n, 'x', '+1555' || lpad(n::text, 7, '0'), 'sms' FROM generate_series(1, $customers) n});
wait_for(sub { @{[ $simulator->effects ]} >= 20 }, 'the worker is at work');
$node->command_ok([ 'pgbench', '-n', '-c', 32, '-j', 2, '-t', 40, '-f', $script, 'postgres' ], '32 writers record answers');
wait_until_ended($node);

my %spoken_to = map { $_->{nudge_id} => 1 } $simulator->effects;
my %counts = (early => 0, late => 0);
my @wrong;
for my $row (split /\n/, $node->safe_psql('postgres', q{
	SELECT a.n, a.in_flight, a.ended, l.outcome, l.nudge_id
	FROM answered a JOIN reengage.lineage l ON l.requested_conversation_id = 'gone-' || a.n}))
{
	my ($n, $in_flight, $ended, $outcome, $nudge_id) = split /\|/, $row;
	my $sent = $spoken_to{$nudge_id} ? 1 : 0;
	my $too_late = $in_flight > 0 || $ended eq 't';

	$counts{ $too_late ? 'late' : 'early' }++;
	push @wrong, "$row (sent: $sent)" if $sent != $too_late || ($outcome eq 'answered') == $sent;
}
is(join("\n", @wrong), '', 'nobody was spoken to after an answer had committed, and each one knew what it was too late for');
cmp_ok($counts{$_}, '>', 20, "$counts{$_} answers came $_") for sort keys %counts;
is($node->safe_psql('postgres', q{SELECT count(*) FROM reengage.lineage l WHERE l.outcome = 'answered' AND l.step IS NOT NULL}), 0,
	'no call was made for who has answered');
ledger_matches_lineage($node, $simulator, 'the ledger and the lineage agree, nudge by nudge');

# --- thousands in one transaction ----------------------------------------------------------

# While it is open, none of them is spoken to; then all of it holds.
my $before = @{[ $simulator->effects ]};
my $session = $node->background_psql('postgres');
$node->safe_psql('postgres', q{SELECT reengage.pause('genesys')});
$node->safe_psql('postgres', qq{
	INSERT INTO reengage.nudges (conversation_id, message, address, channel, campaign)
	SELECT 'gone-bulk-' || n, 'x', '+1556' || lpad(n::text, 7, '0'), 'sms', 'bulk' FROM generate_series(1, 300) n;
	INSERT INTO reengage.nudges (conversation_id, message, campaign) VALUES ('live-else', 'x', 'bulk')});
$session->query_safe(q{BEGIN});
$session->query_safe(q{SELECT count(*) FROM generate_series(1, 300) n
	CROSS JOIN LATERAL reengage.record_answer(address => '+1556' || lpad(n::text, 7, '0'))});
$node->safe_psql('postgres', q{SELECT reengage.resume('genesys')});
wait_until_ended($node, where => q(n.conversation_id = 'live-else'));
is($node->safe_psql('postgres', q{SELECT count(*) FROM reengage.nudge_status WHERE campaign = 'bulk' AND state = 'due' AND reason = 'an opt-out or an answer that has not been committed'}),
	300, 'who answers wait for the transaction, and are told so');
is(scalar(@{[ $simulator->effects ]}), $before + 1, 'and none of them is spoken to');
$session->query_safe(q{COMMIT});
$session->quit;
$node->safe_psql('postgres', q{UPDATE reengage.due SET due_at = now(); SELECT reengage_internal.wake('-infinity')});
wait_until_ended($node);
is($node->safe_psql('postgres', q{SELECT outcome, count(*) FROM reengage.lineage WHERE campaign = 'bulk' GROUP BY 1 ORDER BY 1}),
	"answered|300\nnotified|1", 'then all of it holds');

done_testing();
