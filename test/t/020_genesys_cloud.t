# The dialect genesys_cloud, from the insert to the lineage.
use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for
  lineage outcome due_row health customer_address ledger_matches_lineage);
use Test::More;

my $simulator = start_simulator();
my $node = new_node('cloud', preload => 1);
create_extension($node, $simulator,
	server_options => "dialect 'genesys_cloud', from_address '+13175550000',"
	  . " proactive_channels 'sms,whatsapp,open,webmessaging', max_attempts '2'");

# "conversation_id previous_conversation_id" of the outcome of a nudge.
sub place_of
{
	my ($conversation) = @_;
	my ($row) = lineage($node, "l.requested_conversation_id = '$conversation'");

	return join ' ', map { $_ // '-' } @$row{qw(conversation_id previous_conversation_id)};
}

# The only POST about an address.
sub post_to
{
	my ($address) = @_;
	my @posts = grep { ($_->{to_address} // '') eq $address } $simulator->requests;

	return @posts == 1 ? $posts[0] : { verb => scalar(@posts) . ' POSTs' };
}

# ---- what becomes of conversations ---------------------------------------------

my %wanted = (
	'live-1' => 'notified - notify',
	'ringing-1' => 'notified - notify',
	'closed-1' => 'session_created - create',
	'zombie-1' => 'session_created - create',
	'outbound-1' => 'session_created - create',
	'continues-1' => 'session_continued - create',
	'gone-1' => 'refused conversation_not_found -',
	'noaddr-1' => 'refused no_address -',
	'nostatus-1' => 'exhausted unreadable -',
	'wrongtype-1' => 'exhausted unreadable -',
	'reject-live-1' => 'refused http_422 notify',
	'reject-closed-1' => 'refused http_422 create',
	# the customer came back after the look: one notify follows the create
	'overtaken-1' => 'session_created joined notify',
	# the conversation closed after the look: the notify made a new one
	'race-1' => 'session_created joined notify',
);

nudge($node, $_) for sort keys %wanted;
wait_until_ended($node);
is(outcome($node, $_), $wanted{$_}, $_) for sort keys %wanted;
is($simulator->verbs('id=overtaken-1'), 'check create', 'overtaken-1: one check, one create');
like(place_of('overtaken-1'), qr/^(?!overtaken-1).+ overtaken-1$/, 'the thread goes on where the customer is');
like(place_of('race-1'), qr/^(?!race-1).+ race-1$/, 'and where the notify made a conversation');
is(place_of('continues-1'), 'continues-1 -', 'within the threading window the conversation stays');
is(post_to(customer_address('outbound-1'))->{from_address}, '+13175559999',
	'the business side of an outbound conversation stays the sender');

# the tip of a thread is looked at next
nudge($node, 'closed-1', message => "'Once more'");
wait_until_ended($node);
is(outcome($node, 'closed-1'), 'session_created - create, notified - notify',
	'what was created is live, and notified');

# ---- channels --------------------------------------------------------------------

my %customer = (whatsapp => '13175551001', open => 'guest-2', sms => '+13175551003', email => 'a@example.com');
$simulator->control('POST', 'conversations',
	[ map { { id => "closed-$_", status => 'closed', channel => $_, address => $customer{$_} } } sort keys %customer ]);
$simulator->control('POST', 'conversations',
	[
		{ id => 'closed-templated', status => 'closed', channel => 'whatsapp', address => '13175551004' },
		{ id => 'closed-guest', status => 'closed', channel => 'webmessaging', address => 'opaque' },
	]);
nudge($node, 'closed-whatsapp');
nudge($node, 'closed-templated',
	detail => q('{"template": {"responseId": "r-1", "parameters": []}, "own": 1}'));
nudge($node, 'closed-open', message => "repeat('x', 2000)");
nudge($node, 'closed-sms', message => "repeat('x', 766)");
nudge($node, 'closed-email');
nudge($node, 'closed-guest');
wait_until_ended($node);
is(outcome($node, 'closed-whatsapp'), 'refused template_required create', 'WhatsApp wants a template');
is(outcome($node, 'closed-templated'), 'session_created - create', 'and takes one');
is_deeply(JSON::PP::decode_json(post_to('13175551004')->{message}), { responseId => 'r-1', parameters => [] },
	'which is that of the nudge');
is(outcome($node, 'closed-open'), 'session_created - create', '2000 characters are not too many');
is(outcome($node, 'closed-sms'), 'refused text_too_long create', '766 are, by SMS');
is(post_to($customer{sms})->{verb}, '0 POSTs', 'and are not sent');
is(outcome($node, 'closed-email'), 'refused channel_not_proactive -', 'there is no e-mail');
is(outcome($node, 'closed-guest'), 'session_created - create', 'a guest of the web messenger');
is(post_to('contact-closed-guest')->{from_address}, '+13175550000',
	'is addressed as a contact, from what the server names');

# ---- a lost answer ------------------------------------------------------------------

$simulator->fault(verb => 'create', id => 'closed-lost', action => 'close_after');
nudge($node, 'closed-lost');
wait_until_ended($node);
is(outcome($node, 'closed-lost'), 'in_doubt connection_lost create', 'without keys a lost answer is in doubt');
is($simulator->verbs('id=closed-lost'), 'check create', 'and nothing is sent again');
$simulator->clear_faults;

ledger_matches_lineage($node, $simulator, 'the simulator saw what the lineage says');

# ---- the thread's root on what was created --------------------------------------------

is($simulator->counts->{tag}, 0, 'nothing is tagged unless it is asked for');
$node->safe_psql('postgres', "ALTER SERVER genesys OPTIONS (ADD tag_lineage 'on')");
$simulator->control('POST', 'conversations',
	[ map { { id => "closed-tag-$_", status => 'closed', address => "+1317555200$_" } } 1, 2 ]);
nudge($node, 'closed-tag-1');
wait_for(sub { $simulator->counts->{tag} == 1 }, 'a created conversation is tagged');
my ($tag) = grep { $_->{verb} eq 'tag' } $simulator->requests;
is_deeply([ @$tag{qw(method message status)} ], [ 'PUT', 'closed-tag-1', 204 ], 'with the root of its thread');
wait_until_ended($node);
is($tag->{conversation_id} . ' closed-tag-1', place_of('closed-tag-1'), 'which is written on the new one');

$simulator->fault(verb => 'tag', action => 'status', status => 403);
nudge($node, 'closed-tag-2');
wait_for(sub { $simulator->counts->{tag} == 2 }, 'a tag is refused');
wait_until_ended($node);
is(outcome($node, 'closed-tag-2'), 'session_created - create', 'which does not change the outcome');
is(health($node, 'server genesys'), 'ok: nothing is known against it', 'nor block the server');
$simulator->clear_faults;
ledger_matches_lineage($node, $simulator, 'tags have no effect of their own');

# ---- whom a notify addresses after a create that was overtaken ---------------------------

$simulator->control('POST', 'conversations',
	[ { id => 'closed-own', status => 'closed', channel => 'webchat', address => 'guest-9' } ]);
$simulator->fault(verb => 'create', action => 'status', status => 409, times => 1,
	body => '{"message":"An active conversation is already in progress"}');
nudge($node, 'closed-own', address => "'+13175553001'", channel => "'sms'");
wait_until_ended($node);
is(join(' ', map { $_->{verb} } grep { ($_->{to_address} // '') eq '+13175553001' } $simulator->requests),
	'create notify', 'it goes to the recipient of the create');
is(outcome($node, 'closed-own'), 'session_created joined_named notify', 'and the nudge ends where that one is');
$simulator->clear_faults;

# ---- a client that may not send -------------------------------------------------------

# named beside the message, and not in it; what succeeded before was another server
$node->safe_psql('postgres', "ALTER SERVER genesys OPTIONS (SET max_attempts '12')");
my $missing = 'You are missing the following permission(s): %s';
$simulator->fault(verb => 'create', action => 'status', status => 403,
	body => qq({"message":"$missing","code":"missing.permissions","status":403,"messageParams":{"permissions":"conversation:message:create"}}));
nudge($node, "closed-403-$_") for 1 .. 2;
wait_for(sub { health($node, 'server genesys') =~ /^blocked: .*missing/ }, 'the server is blocked');
like(health($node, 'server genesys'), qr/\Q$missing\E; conversation:message:create/, 'the view tells which permission is missing');
is(outcome($node, "closed-403-$_"), '', 'and the nudge stays due') for 1 .. 2;

done_testing();
