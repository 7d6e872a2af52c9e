# Conversations that we have made, and that the API does not know yet when the
# next nudge of their thread looks.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended lineage outcome
  ledger_matches_lineage);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main', preload => 1);
create_extension($node, $simulator);

sub sql { return $node->safe_psql('postgres', @_); }

# The nudges of a conversation, one after the other: how each ended.
sub nudge_twice
{
	my ($id, %columns) = @_;

	for my $n (1 .. 2)
	{
		my $nudge_id = nudge($node, $id, %columns);
		wait_until_ended($node, where => "n.nudge_id = '$nudge_id'");
	}
	return outcome($node, $id);
}

# --- a tip that shows at the third look ---------------------------------------------------------

$simulator->set(hide_created => 2);
is(nudge_twice('closed-new'), 'session_created - create, notified - notify', 'it is looked at again until it shows');
is(nudge_twice('closed-own', address => q('+13175550188'), channel => q('sms')), 'session_created - create, notified - notify',
	'also if the nudge has an address of its own');
is($simulator->counts->{created}, 2, 'and no second session is made');
my ($first, $second) = lineage($node, q(l.requested_conversation_id = 'closed-new'));
is("$second->{attempts} $second->{generation} $second->{conversation_id}", "3 1 $first->{conversation_id}", 'each look is an attempt');

# --- another conversation of the customer, as young as that --------------------------------------

$simulator->control('POST', 'conversations',
	[ map { { id => "closed-twin-$_", status => 'closed', address => '+13175550177' } } 1, 2 ]);
for my $id ('closed-twin-1', 'closed-twin-2')
{
	nudge($node, $id);
	wait_until_ended($node);
}
is(outcome($node, 'closed-twin-1') . ', ' . outcome($node, 'closed-twin-2'), 'session_created - create, session_created joined notify',
	'a second look at it waits likewise, and leads there');

# --- one that never shows, and one that is older --------------------------------------------------

$simulator->set(hide_created => 1000);
sql(q{ALTER SERVER genesys OPTIONS (ADD max_attempts '3')});
is(nudge_twice('closed-never', address => q('+13175550166'), channel => q('sms')),
	'session_created - create, exhausted not_found -', 'what never shows runs out of attempts: not refused, and not followed');
my $created = $simulator->counts->{created};
my ($tip) = map { $_->{conversation_id} } lineage($node, q(l.requested_conversation_id = 'closed-never' AND l.outcome = 'session_created'));
sql(qq{ALTER TABLE reengage.lineage DISABLE TRIGGER append_only;
	UPDATE reengage.lineage SET called_at = called_at - interval '10 min', occurred_at = occurred_at - interval '10 min'
	WHERE conversation_id = '$tip';
	ALTER TABLE reengage.lineage ENABLE TRIGGER append_only});
nudge($node, 'closed-never');
wait_until_ended($node);
is((lineage($node, q(l.requested_conversation_id = 'closed-never')))[-1]{reason}, 'conversation_not_found',
	'after ten minutes it is gone like any other');
is($simulator->counts->{created}, $created, 'and is not followed without an address');
$simulator->set(hide_created => 0);

ledger_matches_lineage($node, $simulator, 'the ledger and the lineage agree, nudge by nudge');
$node->stop;
done_testing();
