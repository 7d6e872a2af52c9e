# Two nodes of a fleet, one of which a server leaves for the other, and the subscriber that
# collects their lineage: what a logical replication slot of the subscriber sent, and what
# the nodes themselves say of it.  Leaves both in the folder $PROOF_DIR/fleet.
use strict;
use warnings FATAL => 'all';

use Documents qw(blocks_of run_shell);
use Fleet qw(connection new_fleet_node new_front set_nodes);
use FindBin;
use PostgreSQL::Test::Utils;
use Reengage qw(start_simulator wait_until_ended);
use Test::More;

my $folder = ($ENV{PROOF_DIR} // die 'PROOF_DIR is not set') . '/fleet';
mkdir $folder or die "could not make $folder: $!";

sub leave
{
	my ($name, $text) = @_;
	open my $handle, '>', "$folder/$name" or die "could not write $folder/$name: $!";
	print $handle "$text\n";
	close $handle;
	return;
}

# ---- two nodes, a front, and a subscriber that others read ------------------------------------------

# what was created is closed when it is looked at, so that threads grow
my $simulator = start_simulator('--close-after-looks', 0);
my %options = (init => { allows_streaming => 'logical' }, conf => "max_locks_per_transaction = 128\nautovacuum = off\n");
my %node = (a => new_fleet_node('a', $simulator, [ 'north', 'east' ], %options), b => new_fleet_node('b', $simulator, ['south'], %options));
# so that it can call the server, too, that comes to it
Reengage::set_credentials($node{b}, servers => [ 'north', 'south' ]);
my $front = new_front('front', %options);
$front->safe_psql('postgres', $_) for set_nodes(%node), 'CREATE DATABASE warehouse';

my ($make) = blocks_of('docs/replication.md', languages => ['sh'], section => 'Several nodes in one subscriber');
my %named = (shop => $node{a}->connstr('postgres'), warehouse => $front->connstr('warehouse'));
is(run_shell($front, $front->basedir, $make->{text} =~ s/\b(shop|warehouse)\b/"$named{$1}"/gr =~ s/psql -X /psql -Xq /r), '', 'a subscriber of several nodes is made');
my ($publish) = blocks_of('docs/replication.md', section => 'One warehouse of several nodes');
$front->safe_psql('warehouse', $publish->{text});
$front->safe_psql('warehouse', q{SELECT pg_create_logical_replication_slot('road', 'pgoutput')});
for my $name (sort keys %node)
{
	# what is learned of a history, long ago
	$node{$name}->safe_psql('postgres', qq{
		SELECT reengage.publish('reengage_bi');
		INSERT INTO reengage.lineage (server, outcome, requested_conversation_id, conversation_id, root_conversation_id,
			generation, attempts, api_calls, api_calls_saved, requested_at, due_at, occurred_at, recorded_at)
		SELECT s.srvname, 'imported', 'past-' || n, 'past-' || n, 'past-' || n, 0, 0, 0, 0, t, t, t, t
		FROM (SELECT min(srvname) FROM pg_foreign_server) s (srvname), generate_series(1, 12) n, (SELECT '2026-02-03 11:00+00'::timestamptz) d (t);
		CALL reengage.close_day('2026-02-03')});
	$front->safe_psql('warehouse', "CREATE SUBSCRIPTION $name CONNECTION '" . connection($node{$name}) . "' PUBLICATION reengage_bi");
}
$front->poll_query_until('warehouse', q{SELECT count(*) = 4 AND bool_and(srsubstate = 'r') FROM pg_subscription_rel}) or die 'nothing is copied';

# ---- nudges, and a move between them ---------------------------------------------------------------------

sub ask
{
	my ($server, $ids) = @_;
	$front->safe_psql('postgres', qq{INSERT INTO reengage.nudges (server, conversation_id, message, campaign)
		SELECT '$server', id, 'Are you still there?', 'fleet' FROM (SELECT $ids AS id FROM generate_series(1, 12) n) s});
	wait_until_ended($_) for values %node;
	return;
}
for my $server (qw(north east south))
{
	ask($server, q{CASE WHEN n % 2 = 0 THEN 'live-' ELSE 'closed-' END || n}) for 1 .. 2;
}
my $moved = $node{a}->safe_psql('postgres', q{SELECT count(*) FROM reengage.lineage WHERE server = 'north'});
$front->safe_psql('postgres', q{CALL reengage.move_server('north', 'b')});
is($node{b}->safe_psql('postgres', q{SELECT count(*) FROM reengage.lineage WHERE server = 'north'}), $moved, 'a server moves, with its lineage');
ask('north', q{'closed-' || 2 * n - 1});

for my $name (sort keys %node)
{
	# a day may have ended meanwhile
	$node{$name}->safe_psql('postgres', q{
		DO $$
		DECLARE
			day date;
		BEGIN
			FOR day IN SELECT DISTINCT (l.recorded_at AT TIME ZONE 'UTC')::date FROM reengage.lineage l WHERE l.xact_id > 0 LOOP
				IF day < (now() AT TIME ZONE 'UTC')::date THEN
					CALL reengage.close_day(day);
				END IF;
			END LOOP;
		END
		$$;
		CALL reengage.close_part()});
	$node{$name}->wait_for_catchup($name);
}

# ---- a row that is missing at the subscriber ------------------------------------------------------------------

sub states
{
	my ($before) = @_;
	return $front->safe_psql('warehouse', ($before // '') . q{SELECT concat_ws(' ', node, count(*) FILTER (WHERE state LIKE 'equal%') > 0,
		string_agg(state, ', ') FILTER (WHERE state NOT IN ('equal', 'equal so far'))) FROM reengage.reconciliation GROUP BY node ORDER BY node});
}
is(states(), "a t\nb t", 'what both have done is proven at the subscriber');
my $last = $node{b}->safe_psql('postgres', q{SELECT lineage_id FROM reengage.lineage WHERE server = 'north' AND outcome = 'session_created' ORDER BY lineage_id DESC LIMIT 1});
my $without = "BEGIN; DELETE FROM reengage.lineage WHERE lineage_id = '$last'; ";
is(states($without), "a t\nb t rows are missing", 'where a row of one is lost, that one is not on its day, and the other is');
my $place = $front->safe_psql('warehouse', $without . q{SELECT concat_ws(', ', quote_literal(day), place) FROM reengage.reconciliation_rows WHERE node = 'b'});
is($node{b}->safe_psql('postgres', "SELECT lineage_id FROM reengage.find_lineage($place)"), $last, 'by day and place the node tells which');

# ---- what the road brings, and what the nodes say ----------------------------------------------------------------

leave('changes', $front->safe_psql('warehouse', q{
	SET timezone = 'UTC';
	SELECT encode(data, 'hex')
	FROM pg_logical_slot_get_binary_changes('road', NULL, NULL, 'proto_version', '1', 'publication_names', 'reengage_bi')}));
my %question = slurp_file("$FindBin::RealBin/questions.sql") =~ /^-- ([A-Z_]+)\n(.*?);$/gms;

# the rows of an answer; with its header for the first of several
sub answer
{
	my ($where, $database, $query, $header) = @_;
	return $where->safe_psql($database, "SET timezone = 'UTC'; COPY ($query) TO STDOUT WITH (FORMAT csv, HEADER $header, NULL '\\N', FORCE_QUOTE *)");
}
# what a node has done itself
my $lineage = $question{LINEAGE} =~ s/SELECT lineage_id/SELECT 'NAME' AS node, lineage_id/r . ' WHERE xact_id > 0';
leave('LINEAGE.csv', join "\n", map { answer($node{$_}, 'postgres', $lineage =~ s/NAME/$_/r, $_ eq 'a' ? 'true' : 'false') } sort keys %node);
# who has a server has its threads whole
my $threads = "$question{THREADS} WHERE t.server IN (SELECT srvname FROM pg_foreign_server)";
leave('THREADS.csv', join "\n", map { answer($node{$_}, 'postgres', $threads, $_ eq 'a' ? 'true' : 'false') } sort keys %node);
leave('RECONCILIATION.csv', answer($front, 'warehouse', $question{RECONCILIATION} =~ s/SELECT day/SELECT node, day/r, 'true'));

$front->safe_psql('warehouse', "DROP SUBSCRIPTION $_") for sort keys %node;
$_->stop for $front, values %node;
done_testing();
