# No thread leads back into itself, whatever the API answers and whenever; and one
# that a superuser made so costs no look.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for outcome lineage health);
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', preload => 1);
my $simulator = start_simulator();
create_extension($node, $simulator);

sub sql { return $node->safe_psql('postgres', @_); }

# Conversations that are among what follows them.
sub rings
{
	return sql(q{
		WITH RECURSIVE later (first, id) AS (
			SELECT previous_conversation_id, conversation_id FROM reengage.lineage WHERE previous_conversation_id IS NOT NULL
			UNION
			SELECT later.first, l.conversation_id FROM later JOIN reengage.lineage l ON l.previous_conversation_id = later.id)
		SELECT string_agg(first, ' ' ORDER BY first) FROM later WHERE first = id});
}

sub edge
{
	my ($from, $to, $root, $generation) = @_;
	return sql(qq{
		INSERT INTO reengage.lineage (nudge_id, server, outcome, requested_conversation_id, conversation_id,
			previous_conversation_id, root_conversation_id, generation, attempts, api_calls, api_calls_saved,
			requested_at, due_at, occurred_at)
		VALUES (gen_random_uuid(), 'genesys', 'session_created', '$from', '$to', '$from', '$root', $generation, 1, 2, 0, now(), now(), now())});
}

# --- an answer that comes late ----------------------------------------------------------------------

$simulator->fault(verb => 'create', id => 'returns-late', action => 'delay', ms => 1500, times => 1);
nudge($node, 'returns-late');
my $session;
wait_for(sub { ($session) = map { $_->{conversation_id} } $simulator->effects('id=returns-late'); $session }, 'a session was created, and nobody knows');
# whose customer is told with another number, and led back
$simulator->control('POST', 'conversations', { id => $session, address => '+13175550001', status => 'closed' });
$simulator->fault(verb => 'create', id => $session, action => 'status', status => 201, body => '{"id": "returns-late"}');
nudge($node, $session);
wait_until_ended($node);
my @ends = lineage($node);
note join ', ', map { join ' ', map { $_ // '-' } @$_{qw(outcome previous_conversation_id conversation_id)} } @ends;
is(scalar(grep { $_->{conversation_id} eq 'returns-late' } @ends), 1, 'a nudge of that session was led back to the first conversation');
is(rings(), '', 'a session that leads here by now does not follow');
my @others = map { nudge($node, $_) } 'returns-late', $session;
wait_until_ended($node);
is(rings(), '', 'nor does any later');

# --- an operator who names one -------------------------------------------------------------------------

$simulator->fault(verb => 'create', id => 'closed-doubt', action => 'close_after', times => 1);
nudge($node, 'closed-doubt');
wait_until_ended($node);
like(outcome($node, 'closed-doubt'), qr/^in_doubt /, 'a create in doubt');
edge('closed-elsewhere', 'closed-doubt', 'closed-elsewhere', 1);
sql(q{SELECT reengage.resolve(lineage_id, 'sent', 'closed-elsewhere') FROM reengage.in_doubt WHERE conversation_id = 'closed-doubt'});
is(rings(), '', 'what leads here cannot be said to follow');

# --- an operator who has not committed yet ----------------------------------------------------------------

sub resolve { return "SELECT reengage.resolve(lineage_id, 'sent', '$_[1]') FROM reengage.in_doubt WHERE conversation_id = '$_[0]'"; }

for my $name (qw(closed-open closed-one closed-other))
{
	$simulator->fault(verb => 'create', id => $name, action => 'close_after', times => 1);
	nudge($node, $name);
}
wait_until_ended($node);
my $operator = $node->background_psql('postgres');
$operator->query_safe('BEGIN; ' . resolve('closed-open', 'closed-led'));
$simulator->fault(verb => 'create', id => 'closed-led', action => 'status', status => 201, body => '{"id": "closed-open"}');
my $led = nudge($node, 'closed-led');
wait_for(sub { $simulator->verbs('id=closed-led') eq 'check create' }, 'a session is led to what it is about to follow');
nudge($node, 'live-meanwhile');
wait_until_ended($node, where => qq(n.nudge_id <> '$led'));
is(sql(qq{SELECT count(*) FROM reengage.lineage WHERE nudge_id = '$led'}), 0, 'where an operator has not committed yet, an outcome waits, and no other does');
$operator->query_safe('COMMIT');
wait_until_ended($node);
is(outcome($node, 'closed-led') =~ s/ .*//r, 'session_continued', 'then it sees what the operator said');
is(rings(), '', 'and closes no ring');

# two of them, who would close one between them
$operator->query_safe('BEGIN; ' . resolve('closed-one', 'closed-other'));
my $second = $node->background_psql('postgres');
$second->query_until(qr/begun/, "\\echo begun\n" . resolve('closed-other', 'closed-one') . ";\n");
wait_for(sub { sql(q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}) eq '1' }, 'the second waits for the first');
$operator->query_safe('COMMIT');
$second->query_safe('SELECT 1');
is(sql(q{SELECT count(*) FROM reengage.lineage WHERE outcome = 'resolved_sent' AND conversation_id IN ('closed-one', 'closed-other')}), 2, 'both are resolved');
is(rings(), '', 'and close none, either');
$_->quit for $operator, $second;

# --- a ring that is there ---------------------------------------------------------------------------------

edge('closed-x', 'closed-y', 'closed-x', 1);
edge('closed-y', 'closed-x', 'closed-x', 2);
nudge($node, 'closed-x');
wait_until_ended($node);
is(outcome($node, q(closed-x)) =~ s/session_created - -, //r, 'refused thread_in_circles -', 'one that a superuser wrote ends its nudges');
is($simulator->verbs('id=closed-x') . $simulator->verbs('id=closed-y'), '', 'without a look');
like(health($node, 'server genesys'), qr/a thread leads back into itself/, 'and the health view says so');

$node->stop;
done_testing();
