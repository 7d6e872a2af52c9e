# No request is made for a nudge whose insert is not, or never was, committed (P1).
use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended outcome psql_stderr
  ledger_matches_lineage);
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main', preload => 1, conf => 'max_prepared_transactions = 3');
create_extension($node, $simulator);

# what would have been claimed by now, had it been seen
sub worker_has_looked
{
	my ($id) = @_;

	nudge($node, $id);
	wait_until_ended($node);
}

# --- transactions that are still open: the worker passes them by ---------------------------------

my $open = $node->background_psql('postgres');
my $killed = $node->background_psql('postgres', on_error_stop => 0);
$open->query_safe(q{BEGIN; SELECT reengage.nudge('live-open', 'x')});
$killed->query_safe(q{BEGIN; SELECT reengage.nudge('live-killed', 'x')});
my $pid = $killed->query_safe('SELECT pg_backend_pid()');
$node->safe_psql('postgres', qq{BEGIN; SELECT reengage.nudge('live-prepared-$_', 'x'); PREPARE TRANSACTION '$_'}) for qw(no yes);
worker_has_looked('live-first');
is($simulator->requests('id=live-open'), 0, 'nothing is asked while the transaction is open');
is($simulator->requests('id=live-prepared-yes'), 0, 'nor while it is prepared');

# --- every way to roll back ---------------------------------------------------------------------------

$node->safe_psql('postgres', q{
	BEGIN;
	SELECT reengage.nudge('live-rolled-back', 'x');
	ROLLBACK;
	BEGIN;
	SELECT reengage.nudge('live-kept', 'x');
	SAVEPOINT s;
	SELECT reengage.nudge('live-rolled-back-to', 'x');
	ROLLBACK TO s;
	COMMIT;
	ROLLBACK PREPARED 'no';
	COMMIT PREPARED 'yes';
	DO $$
	BEGIN
		PERFORM reengage.nudge('live-caught', 'x');
		RAISE division_by_zero;
	EXCEPTION WHEN division_by_zero THEN
		NULL;
	END $$;
	CREATE TABLE late (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)});
like(psql_stderr($node, q{BEGIN; INSERT INTO late VALUES (1), (1); SELECT reengage.nudge('live-late', 'x'); COMMIT}),
	qr/ERROR:  duplicate key/, 'one that fails at its commit');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 60000)");
# no commit announces what was prepared elsewhere
$node->safe_psql('postgres', 'CALL reengage.run()');
worker_has_looked('live-second');

is(outcome($node, 'live-kept'), 'notified - notify', 'what the same transaction did not roll back was delivered');
is(outcome($node, 'live-prepared-yes'), 'notified - notify', 'so was what was prepared, when it was committed');

# --- and by a crash ---------------------------------------------------------------------------------------

$node->stop('immediate');
$node->start;
worker_has_looked('live-third');

my @asked = grep { $_ ne '' } map { $_->{conversation_id} } $simulator->requests;
is_deeply([ grep { !/^live-(first|second|third|kept|prepared-yes)$/ } @asked ], [],
	'P1: no request for a nudge whose insert was rolled back');
ledger_matches_lineage($node, $simulator, 'what was committed was done once');

$open->{run}->kill_kill;
$killed->{run}->kill_kill;
$node->stop;
done_testing();
