# One customer, one session: who has a live conversation already is spoken to
# there, and the thread of the dead one leads into it.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for outcome
  lineage worker_pid courier_pid ledger_matches_lineage);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator('--honour-keys');
my $node = new_node('main', preload => 1, servers => [qw(genesys keyed)]);
create_extension($node, $simulator, server_options => q(timeout '6s'));

my $number = 0;

# Conversations of one customer who has no other.
sub customer
{
	my @conversations = @_;
	my $address = sprintf '+1212%07u', ++$number;

	$simulator->control('POST', 'conversations', [ map {
		{ id => $_, status => /^live/ ? 'active' : 'closed', address => $address, channel => 'sms' } } @conversations ]);
	return $address;
}

# "outcome reason step previous -> conversation", with sessions by their place.
sub story
{
	my ($conversation) = @_;
	return join ', ', map { join ' ', map { $_ // '-' } @$_{qw(outcome reason step)} } lineage($node, "requested_conversation_id = '$conversation'");
}

sub place_of
{
	my ($conversation) = @_;
	return (lineage($node, "requested_conversation_id = '$conversation'"))[-1];
}

# --- two dead conversations, nudged at once ----------------------------------------------------

my $address = customer('closed-one', 'closed-two');
$simulator->set(latency_ms => 30);
$node->safe_psql('postgres', q{INSERT INTO reengage.nudges (conversation_id, message) VALUES ('closed-one', 'x'), ('closed-two', 'x')});
wait_until_ended($node);
$simulator->set(latency_ms => 0);
is(join(' | ', sort map { story($_) } qw(closed-one closed-two)), 'session_created - create | session_created joined notify',
	'the second joins the session of the first');
my ($one, $two) = map { place_of($_) } qw(closed-one closed-two);
is($two->{conversation_id}, $one->{conversation_id}, 'which carries both threads');
is_deeply([ map { "$_->{root_conversation_id} $_->{previous_conversation_id} $_->{generation}" } $one, $two ],
	[ 'closed-one closed-one 1', 'closed-two closed-two 1' ], 'each with its own past');
my $session = $one->{conversation_id};

# both threads lead there from now on, and know that the old ones are dead
nudge($node, 'closed-two');
wait_until_ended($node);
is(place_of('closed-two')->{outcome}, 'notified', 'the thread goes on there');
is(place_of('closed-two')->{api_calls}, 2, 'by a look and a notification');

# --- a third one, when the session is closed ------------------------------------------------------

$simulator->control('POST', 'conversations', [ { id => $session, status => 'closed' } ]);
customer('closed-alone');
$simulator->control('POST', 'conversations', [ { id => 'closed-three', status => 'closed', address => $address, channel => 'sms' } ]);
nudge($node, $_) for qw(closed-three closed-alone);
wait_until_ended($node);
is(story('closed-three'), 'session_created - create', 'a session that was closed is not joined');
is(place_of('closed-three')->{api_calls}, 3, 'it costs one look');
is(place_of('closed-alone')->{api_calls}, 2, 'which nobody pays who has no other conversation');

# --- a conversation that lives, and was not ours ----------------------------------------------------

customer('live-home', 'closed-away');
nudge($node, 'live-home');
wait_until_ended($node);
nudge($node, 'closed-away');
wait_until_ended($node);
is(story('closed-away'), 'session_created joined notify', 'where the customer was notified, the thread leads, too');
is(place_of('closed-away')->{conversation_id}, 'live-home', 'there');

# another channel, or "skip", is another matter
my $where = customer('live-sms');
nudge($node, 'live-sms');
wait_until_ended($node);
$simulator->control('POST', 'conversations', [
	{ id => 'closed-open', status => 'closed', address => $where, channel => 'open' },
	{ id => 'closed-skipped', status => 'closed', address => $where, channel => 'sms' } ]);
nudge($node, 'closed-open');
nudge($node, 'closed-skipped', when_closed => "'skip'");
wait_until_ended($node);
is(story('closed-open'), 'session_created - create', 'on another channel a session is created');
is(story('closed-skipped') . ' ' . place_of('closed-skipped')->{api_calls}, 'skipped_closed - - 1', 'who is to be skipped is skipped');

# --- it closes between the look and the notification -------------------------------------------------

customer('live-closing', 'closed-race');
nudge($node, 'live-closing');
wait_until_ended($node);
$simulator->fault(verb => 'notify', id => 'live-closing', action => 'status', status => 400,
	body => '{"message":"Cannot send notification to closed conversation","code":"bad.request","status":400}');
nudge($node, 'closed-race');
wait_until_ended($node);
$simulator->clear_faults;
is(story('closed-race'), 'session_created - create', 'a notification that is refused as closed gives way to a session');
is(join(' ', map { $_->{verb} } grep { $_->{nudge_id} && $_->{nudge_id} eq place_of('closed-race')->{nudge_id} && $_->{verb} ne 'check' } $simulator->requests),
	'notify create', 'and to one only');

# --- lost answers ------------------------------------------------------------------------------------

customer('live-lost', 'closed-lost');
nudge($node, 'live-lost');
wait_until_ended($node);
$simulator->fault(verb => 'notify', id => 'live-lost', action => 'close_after');
nudge($node, 'closed-lost');
wait_until_ended($node);
is(story('closed-lost'), 'in_doubt connection_lost notify', 'an answer that is lost leaves doubt');
is(place_of('closed-lost')->{conversation_id}, 'live-lost', 'about the conversation that was notified');
$simulator->clear_faults;

customer('live-crash', 'closed-crash');
nudge($node, 'live-crash');
wait_until_ended($node);
$simulator->fault(verb => 'notify', id => 'live-crash', action => 'hang');
nudge($node, 'closed-crash');
$simulator->wait_hanging(1);
$node->stop('immediate');
$simulator->clear_faults;
$node->start;
wait_until_ended($node);
is(story('closed-crash'), 'in_doubt interrupted notify', 'so does a crash');
is(place_of('closed-crash')->{conversation_id}, 'live-crash', 'about the same');
ledger_matches_lineage($node, $simulator, 'the ledger and the lineage agree, nudge by nudge');

# --- with keys the same notification is made again ----------------------------------------------------

$node->safe_psql('postgres', qq{
	CREATE SERVER keyed FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}', idempotency 'key', timeout '6s')});
customer('live-keyed', 'closed-keyed');
nudge($node, 'live-keyed', server => "'keyed'");
wait_until_ended($node);
$simulator->fault(verb => 'notify', id => 'live-keyed', action => 'close_after', times => 1);
nudge($node, 'closed-keyed', server => "'keyed'");
wait_until_ended($node);
is(story('closed-keyed'), 'session_created joined notify', 'a call that is made again joins again');
is(place_of('closed-keyed')->{conversation_id}, 'live-keyed', 'the same conversation');
is(scalar(grep { $_->{conversation_id} eq 'live-keyed' && $_->{nudge_id} eq place_of('closed-keyed')->{nudge_id} } $simulator->effects), 1,
	'and has its effect once');
ledger_matches_lineage($node, $simulator, 'with keys, too', honours_keys => 1);

# --- a call that is to be made again -------------------------------------------------------------------

my $home = customer('live-again', 'closed-again');
$simulator->fault(verb => 'notify', id => 'live-again', action => 'close_after', times => 1);
$simulator->fault(verb => 'notify', id => 'live-again', action => 'status', status => 425, retry_after => '900', times => 1);
my $unresolved = nudge($node, 'live-again', server => "'keyed'");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM reengage.unresolved u JOIN reengage.due d USING (nudge_id) WHERE d.attempt = 2"),
	'a call is unresolved');
nudge($node, 'closed-again', server => "'keyed'");
ok($node->poll_query_until('postgres', q{SELECT hold_reason ~ 'call to this customer is unresolved' FROM reengage.due d
	JOIN reengage.nudges n USING (nudge_id) WHERE n.conversation_id = 'closed-again'}), q{the customer's other nudge waits for it});
is($node->safe_psql('postgres', "SELECT nudge_id, step FROM reengage.suppress('$home')"), "$unresolved|notify",
	'an opt-out tells of it');
$node->safe_psql('postgres', 'BEGIN; UPDATE reengage.due SET due_at = now(); SELECT reengage_internal.wake(now()); COMMIT');
wait_until_ended($node);
is(story('live-again') . ', ' . story('closed-again'), 'in_doubt suppressed notify, suppressed opted_out -', 'and neither is made');
ledger_matches_lineage($node, $simulator, 'still', honours_keys => 1);

# --- nothing is begun that would come too late ----------------------------------------------------------

$node->safe_psql('postgres', q{ALTER SERVER genesys OPTIONS (SET max_requests_per_minute '60')});
$node->safe_psql('postgres', q{
	INSERT INTO reengage.nudges (conversation_id, message, expires_at)
	SELECT 'live-late-' || n, 'x', clock_timestamp() + interval '3 s' FROM generate_series(1, 40) n});
wait_until_ended($node);
my $end = $node->safe_psql('postgres', q{SELECT extract(epoch FROM max(expires_at)) FROM reengage.nudges});
my @arrivals = sort { $a <=> $b } map { $_->{arrived_us} / 1e6 } $simulator->requests('id=live-late-1'), $simulator->requests;
# the last is under way for a moment; all of them would take more than a minute
cmp_ok($arrivals[-1], '<=', $end + 5, 'no call is begun after its nudge expired, though it waited for its turn');
like($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT outcome, ' ') FROM reengage.lineage WHERE requested_conversation_id LIKE 'live-late-%'}),
	qr/expired/, 'which ends as expired');

$node->stop;
done_testing();
