# Two nodes, as docs/scaling.md has them: applications write to one, and the
# other, fed by logical replication, sends.
use strict;
use warnings FATAL => 'all';

use FindBin;
use Reengage qw(start_simulator new_node create_extension wait_until_ended wait_for ledger_matches_lineage);
use PostgreSQL::Test::Utils;
use Test::More;

# The statements of the document, in its order.
my ($on_applications, $on_dispatcher, $subscribe) =
  slurp_file("$FindBin::RealBin/../../docs/scaling.md") =~ /^```sql\n(.*?)^```$/gms;

my $simulator = start_simulator();
my $applications = new_node('applications', init => { allows_streaming => 'logical' });
my $dispatcher = new_node('dispatcher', preload => 1);
create_extension($dispatcher, $simulator);
$applications->safe_psql('postgres', $on_applications);
$dispatcher->safe_psql('postgres', $on_dispatcher);

my $from = $applications->connstr('postgres') =~ s/'/''/gr;
is($subscribe =~ s/'[^']*'/'$from'/, 1, 'the document says how to subscribe');

sub ask
{
	my ($from, $to, $end) = @_;
	return $applications->safe_psql('postgres', qq{
		BEGIN;
		INSERT INTO outbox (server, conversation_id, message, campaign)
		SELECT 'genesys', CASE WHEN i % 3 = 0 THEN 'closed-' ELSE 'live-' END || i, 'Are you still there?', clock_timestamp()
		FROM generate_series($from, $to) i;
		$end});
}

# Everything that was committed has arrived and ended.
sub wait_until_sent
{
	my $asked = $applications->safe_psql('postgres', 'SELECT count(*) FROM outbox');
	$dispatcher->poll_query_until('postgres',
		"SELECT (SELECT count(*) FROM reengage.nudges) + (SELECT count(*) FROM outbox_refused) = $asked");
	return wait_until_ended($dispatcher);
}

# some rows are copied, others follow one by one
ask(1, 100, 'COMMIT');
$dispatcher->safe_psql('postgres', $subscribe);
wait_until_sent();
for my $i (101 .. 300)
{
	ask($i, $i, $i % 10 == 0 ? 'ROLLBACK' : 'COMMIT');
}
wait_until_sent();
is($dispatcher->safe_psql('postgres', 'SELECT count(*) FROM reengage.lineage'), 280, 'what was committed on one node is sent by the other');
is(scalar(grep { $_->{conversation_id} =~ /-(1[1-9]|2\d|30)0$/ } $simulator->requests), 0,
	'and nothing that was rolled back');

my %arrived;
for my $request ($simulator->requests('verb=check'))
{
	$arrived{ $request->{conversation_id} } //= $request->{arrived_us} / 1e6;
}
my @lags = sort { $a <=> $b } map { my ($id, $at) = split /\|/; $arrived{$id} - $at }
  split /\n/, $dispatcher->safe_psql('postgres', q{
	SELECT conversation_id, extract(epoch FROM campaign::timestamptz) FROM outbox
	WHERE split_part(conversation_id, '-', 2)::integer > 100});
note(sprintf 'from the insert on one node to the request at the API: median %.1f ms of %d', 1000 * $lags[@lags / 2], scalar @lags);

# what cannot be sent does not stop what follows
$applications->safe_psql('postgres', q{
	INSERT INTO outbox (server, conversation_id, message) VALUES ('nowhere', 'live-1001', 'hi'), ('genesys', 'no id', 'hi'), ('genesys', 'live-1002', '')});
ask(1003, 1004, 'COMMIT');
wait_until_sent();
is($dispatcher->safe_psql('postgres', q{SELECT string_agg(complaint, '; ' ORDER BY complaint) FROM outbox_refused}) =~ s/[^;]*(server|conversation_id|message)[^;]*/$1/gr,
	'conversation_id;message;server', 'what may not be inserted is written down with its error');
is($dispatcher->safe_psql('postgres', q{SELECT count(*) FROM reengage.lineage WHERE requested_conversation_id IN ('closed-1003', 'live-1003', 'live-1004')}),
	2, 'and what follows is sent');

# the slot is lost, and all rows are copied again
$dispatcher->safe_psql('postgres', 'DROP SUBSCRIPTION outbox');
$dispatcher->safe_psql('postgres', 'TRUNCATE outbox');
ask(2001, 2010, 'COMMIT');
$dispatcher->safe_psql('postgres', $subscribe);
wait_until_sent();
$dispatcher->poll_query_until('postgres', q{SELECT count(*) = (SELECT count(*) FROM reengage.nudges) + 3 FROM outbox});
is($dispatcher->safe_psql('postgres', 'SELECT count(*), count(DISTINCT nudge_id) FROM reengage.lineage'), '292|292',
	'a subscription that is made anew asks for nothing twice');
ledger_matches_lineage($dispatcher, $simulator, 'each was sent once');

$dispatcher->safe_psql('postgres', 'DROP SUBSCRIPTION outbox');
$_->stop for $dispatcher, $applications;
done_testing();
