# Customers who are being served elsewhere, in a call of the same conversation:
# no session is begun beside that.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for lineage
  outcome due_row count_due ledger_matches_lineage);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main', preload => 1);
create_extension($node, $simulator, server_options => q(dialect 'genesys_cloud', from_address '+13175559999'));

sub sql { return $node->safe_psql('postgres', @_); }

sub is_in { my ($id, $media, $status) = @_; return $simulator->control('POST', 'conversations', { id => $id, status => $status, media => $media, address => '+13175550411' }); }

# Makes it due at once, whatever it waits for.
sub look_again { return sql(q{UPDATE reengage.due SET due_at = now(); SELECT reengage_internal.wake('-infinity')}); }

# --- put off until the call has ended -------------------------------------------------------------

is_in('in-a-call', 'calls', 'active');
nudge($node, 'in-a-call', address => q('+13175550411'), channel => q('sms'));
wait_for(sub { (due_row($node, 'in-a-call') // {})->{hold_reason} }, 'a customer is in a call');
like(sql(q{SELECT state || ': ' || reason FROM reengage.nudge_status}), qr/^due: the customer is being served on another channel$/, 'nudge_status says so');
cmp_ok(sql(q{SELECT extract(epoch FROM due_at - now()) FROM reengage.due}), '>', 30, 'and it is not looked at all the time');
for my $looks (2 .. 4)
{
	look_again();
	wait_for(sub { due_row($node, 'in-a-call')->{attempt} == $looks }, "look $looks");
}
cmp_ok(sql(q{SELECT extract(epoch FROM due_at - now()) FROM reengage.due}), '>', 400, 'the pauses grow');
is($simulator->verbs, join(' ', ('check') x 4), 'no session is begun beside the call');
is_in('in-a-call', 'calls', 'closed');
look_again();
wait_until_ended($node);
is(outcome($node, 'in-a-call'), 'session_created named create', 'but when it is over');

# --- never, within the nudge's time, or within its attempts ----------------------------------------

# meanwhile one waits for another's answer, for longer than its look is good for
$simulator->control('POST', 'conversations', { id => "twice-$_", status => 'active', media => 'messages', address => '+13175550414' }) for 1, 2;
$simulator->fault(verb => 'notify', id => 'twice-1', action => 'hang', times => 1);
nudge($node, 'twice-1');
$simulator->wait_hanging(1);
nudge($node, 'twice-2');
wait_for(sub { looks('twice-2') == 1 }, 'the second one is looked at');
my $looked = time;
is_in('in-a-long-call', 'calls', 'active');
nudge($node, 'in-a-long-call', expires_at => q(now() + '25 s'));
wait_for(sub { time - $looked > 5 }, 'that look is old');
$simulator->clear_faults;
wait_until_ended($node);
is($simulator->verbs('id=twice-2'), 'check check notify', 'who waited for another nudge to the customer is looked at once more');
is(outcome($node, 'in-a-long-call'), 'refused busy -', 'who stays busy is not written to');
my ($row) = lineage($node, q(l.requested_conversation_id = 'in-a-long-call'));
ok($row->{attempts} >= 2 && $row->{attempts} <= 3, 'it was looked at, closer and closer to the end');
sql(q{ALTER SERVER genesys OPTIONS (ADD max_attempts '2')});
is_in('in-an-endless-call', 'calls', 'active');
nudge($node, 'in-an-endless-call');
wait_for(sub { (due_row($node, 'in-an-endless-call') // {})->{hold_reason} }, 'one that never ends');
look_again();
wait_until_ended($node);
is(outcome($node, 'in-an-endless-call') . ' ' . $simulator->verbs('id=in-an-endless-call'), 'refused busy - check check',
	'ends with the attempts, where nothing else ends it');

# --- many nudges to one customer -------------------------------------------------------------------

sql(q{ALTER SERVER genesys OPTIONS (DROP max_attempts, ADD max_in_flight '16')});
sub looks { my ($id) = @_; return scalar grep { $_->{verb} eq 'check' && $_->{conversation_id} =~ /^\Q$id\E/ } $simulator->requests; }

# So many at once, each about another conversation of the same customer.
sub ask_often
{
	my ($name, $address, $columns, $values) = @_;

	$simulator->control('POST', 'conversations', { id => "$name-$_", status => 'active', media => 'messages', address => $address }) for 1 .. 60;
	sql(qq{INSERT INTO reengage.nudges (conversation_id, message$columns) SELECT '$name-' || n, 'x'$values FROM generate_series(1, 60) n});
	return;
}

$simulator->fault(verb => 'notify', action => 'delay', ms => 50);
ask_often('named', '+13175550412', ', address, channel', q(, '+13175550412', 'sms'));
nudge($node, 'live-meanwhile');
wait_until_ended($node, where => q(n.conversation_id = 'live-meanwhile'));
cmp_ok(count_due($node), '>', 20, 'others do not wait for a customer with many nudges');
wait_until_ended($node);
is(looks('named-'), 60, 'who is known to be spoken to is not looked at before it is over');
ask_often('unnamed', '+13175550413', '', '');
wait_until_ended($node);
cmp_ok(looks('unnamed-'), '<=', 120, 'one whom only the look tells costs one look more');
is(sql(q{SELECT sum(api_calls) FROM reengage.lineage WHERE requested_conversation_id LIKE 'unnamed-%'}), looks('unnamed-') + 60, 'api_calls is true to the call');

ledger_matches_lineage($node, $simulator, 'the ledger and the lineage agree, nudge by nudge');
$node->stop;
done_testing();
