# The engine looks for a row first where it saw it last.  Meanwhile tables are
# rewritten, rows move, and others take their place: each nudge still ends once,
# as itself.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension wait_until_ended wait_for ledger_matches_lineage);
use Test::More;

my $node = new_node('main', preload => 1);
my $simulator = start_simulator();
create_extension($node, $simulator, server_options => "max_in_flight '40'");

sub sql { return $node->safe_psql('postgres', @_); }

sub count_calls { my (@verbs) = @_; my $counts = $simulator->counts; my $calls = 0; $calls += $counts->{$_} for @verbs; return $calls; }

# Rows before those that are under way, which leave, so that these have another
# place in a table that is rewritten, and its end is cut off.
sub ask
{
	my ($name, @verbs) = @_;
	my $before = count_calls(@verbs);

	sql(qq{INSERT INTO reengage.nudges (conversation_id, message, due_at)
		SELECT 'closed-$name-before-' || n, repeat('x', 2000), now() + interval '1 day' FROM generate_series(1, 400) n});
	sql(qq{INSERT INTO reengage.nudges (conversation_id, message, detail)
		SELECT (ARRAY['live', 'closed'])[1 + n % 2] || '-$name-' || n, 'x', jsonb_build_object('number', n) FROM generate_series(1, 40) n});
	# the answers come later; on a machine that is slower still, this tests less
	wait_for(sub { count_calls(@verbs) >= $before + 40 }, "$name: 40 calls are on the wire");
	sql(qq{SELECT count(reengage.cancel(nudge_id)) FROM reengage.nudges WHERE conversation_id LIKE 'closed-$name-before-%'});
	return;
}

# Each as it was asked for: what lineage says of a nudge is taken from its row.
sub ended_well
{
	my ($name, $what) = @_;

	wait_until_ended($node, where => "n.conversation_id LIKE '%-$name-%'");
	is(sql(qq{SELECT string_agg(outcome || ' ' || count, ', ' ORDER BY outcome) FROM (
		SELECT l.outcome, count(*) FROM reengage.lineage l JOIN reengage.nudges n USING (nudge_id)
		WHERE l.requested_conversation_id = n.conversation_id AND l.detail = n.detail AND n.conversation_id LIKE '%-$name-%'
		GROUP BY 1) o}), 'notified 20, session_created 20', $what);
	return;
}

for my $step (qw(check post))
{
	my @verbs = $step eq 'check' ? ('check') : qw(notify create);

	$simulator->fault(verb => $_, action => 'delay', ms => 2500) for @verbs;
	ask("full-$step", @verbs);
	sql('VACUUM FULL reengage.due');
	sql('VACUUM FULL reengage.nudges');
	ended_well("full-$step", "rewritten during a $step: each ends once, as itself");

	$simulator->fault(verb => $_, action => 'delay', ms => 2500) for @verbs;
	ask("moved-$step", @verbs);
	# new versions of the rows; of nudges an owner makes them by hand
	sql('UPDATE reengage.due SET priority = priority');
	sql('SET session_replication_role = replica; UPDATE reengage.nudges SET priority = priority');
	sql('VACUUM reengage.due');
	sql('VACUUM reengage.nudges');
	# which take the places of the old ones
	sql(qq{INSERT INTO reengage.nudges (conversation_id, message, due_at)
		SELECT 'later-$step-' || n, 'x', now() + interval '1 day' FROM generate_series(1, 2000) n});
	ended_well("moved-$step", "moved during a $step: each ends once, as itself");
	is(sql(qq{SELECT count(*) FROM reengage.due d JOIN reengage.nudges n USING (nudge_id) WHERE n.conversation_id LIKE 'later-$step-%'}), 2000,
		'and those in their places stay due');
	$simulator->clear_faults;
}
ledger_matches_lineage($node, $simulator);

done_testing();
