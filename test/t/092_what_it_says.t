# What an API says: refusals in every shape, opt-outs, messages that fail, other
# media, long conversations, and limits that are named in no header at all.
use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended lineage outcome
  worker_pid courier_pid due_row wait_for);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('says', preload => 1, servers => [qw(genesys plain narrow limited)]);
create_extension($node, $simulator, server_options => "dialect 'genesys_cloud', from_address '+13175550000', max_attempts '3'");
$node->safe_psql('postgres', qq{
	CREATE SERVER plain FOREIGN DATA WRAPPER reengage
		OPTIONS (api_url '$simulator->{url}', max_requests_per_minute '0', opt_out_words 'muted by guest,4711');
	CREATE SERVER narrow FOREIGN DATA WRAPPER reengage
		OPTIONS (api_url '$simulator->{url}', dialect 'genesys_cloud', from_address '+13175550000',
			max_attempts '1', max_reply_size '1MB');
	CREATE SERVER limited FOREIGN DATA WRAPPER reengage
		OPTIONS (api_url '$simulator->{url}', max_requests_per_minute '0', max_in_flight '16');
});

sub said_of
{
	my ($conversation) = @_;
	my ($row) = lineage($node, "l.requested_conversation_id = '$conversation'");

	return join ' | ', map { $_ // '-' } @$row{qw(reason api_error_code api_error_message)};
}

# --- refusals, and those that are opt-outs ------------------------------------------------

# id => [ server, status, body, reason | code | message ]
my %refusals = (
	'closed-errors' => [ 'plain', 400, '{"errors":[{"code":"E17","message":"Template is not approved"}]}',
		'http_400 | E17 | Template is not approved' ],
	'closed-number' => [ 'plain', 400, '{"error":{"code":131009,"message":"(#131009) Parameter value"}}',
		'http_400 | 131009 | (#131009) Parameter value' ],
	'closed-problem' => [ 'plain', 422, '{"type":"https://example.com/p/too-old","title":"T","detail":"Too old"}',
		'http_422 | too-old | Too old' ],
	'closed-details' => [ 'genesys', 400, '{"details":[{"errorCode":"invalid","fieldName":"textBody"}]}',
		'http_400 | invalid | textBody' ],
	'closed-gone-away' => [ 'plain', 400, '{"code":21610,"message":"Attempt to send to unsubscribed recipient"}',
		'opted_out | 21610 | Attempt to send to unsubscribed recipient' ],
	'closed-blocked' => [ 'genesys', 403, '{"error":{"code":"ConversationBlockedByUser","message":"x"}}',
		'opted_out | ConversationBlockedByUser | x' ],
	'live-stopped' => [ 'plain', 403, '{"detail":"The recipient has stopped messages from you","title":"Forbidden"}',
		'opted_out | - | The recipient has stopped messages from you' ],
	'live-muted' => [ 'plain', 400, '{"message":"It was muted by guest 5."}', 'opted_out | - | It was muted by guest 5.' ],
	'live-coded' => [ 'plain', 409, '{"code":4711,"message":"closed"}', 'opted_out | 4711 | closed' ],
	'live-refused' => [ 'plain', 400, '{"code":47110,"message":"The server stopped responding"}',
		'http_400 | 47110 | The server stopped responding' ],
);

for my $id (sort keys %refusals)
{
	my ($server, $status, $body) = @{ $refusals{$id} };

	$simulator->fault(verb => $_, id => $id, action => 'status', status => $status, body => $body) for qw(notify create);
	nudge($node, $id, server => "'$server'");
}
wait_until_ended($node);
is(said_of($_), $refusals{$_}[3], "$_: $refusals{$_}[2]") for sort keys %refusals;
$simulator->clear_faults;

# --- messages that fail in the answer that takes them in --------------------------------------

$simulator->fault(verb => 'create', id => 'closed-failed', action => 'fail_message', message_status => 'delivery-failed');
$simulator->fault(verb => 'create', id => 'closed-failing', action => 'fail_message', message_reason => 'RecipientOptedOut');
nudge($node, $_) for qw(closed-failed closed-failing closed-queued);
wait_until_ended($node);
is(outcome($node, 'closed-failed'), 'refused message_failed create', 'a message that failed is no success');
is(outcome($node, 'closed-failing'), 'refused opted_out create', 'and one that failed for an opt-out is one');
is(outcome($node, 'closed-queued'), 'session_created - create', 'a message that is on its way is a success');
my ($queued) = lineage($node, q(l.requested_conversation_id = 'closed-queued'));
like($queued->{message_id}, qr/^[0-9a-f-]{36}$/, 'whose id is kept');

# --- a conversation that is an e-mail -----------------------------------------------------------

$simulator->control('POST', 'conversations', { id => 'mail-1', status => 'active', media => 'emails', address => 'ann@example.com' });
nudge($node, 'mail-1');
wait_until_ended($node);
is(outcome($node, 'mail-1'), 'refused channel_not_supported -', 'a live e-mail is nothing that is written to');
is($simulator->verbs('id=mail-1'), 'check', 'which one look tells');

# --- conversations of megabytes -------------------------------------------------------------------

sub peak_memory
{
	my ($pid) = @_;
	my ($kb) = -e "/proc/$pid/status" ? slurp_file("/proc/$pid/status") =~ /^VmHWM:\s+(\d+)/m : ();

	return defined $kb ? $kb / 1024 : undef;
}

my $courier = courier_pid(worker_pid($node));
my $before = peak_memory($courier);
$simulator->fault(verb => 'check', id => 'closed-long', action => 'pad', bytes => 3_900_000);
nudge($node, "closed-long-$_") for 1 .. 8;
wait_until_ended($node);
is(outcome($node, "closed-long-$_"), 'session_created - create', "a conversation of 3.9 MB, $_") for 1 .. 8;
SKIP:
{
	skip 'nobody says how much memory a process has', 1 unless defined $before;
	# eight bodies with room to grow, and what is kept of one
	cmp_ok(peak_memory($courier) - $before, '<', 160, 'the courier does not make a hundred megabytes of each');
}
$simulator->fault(verb => 'check', id => 'closed-wide', action => 'pad', bytes => 1_100_000);
nudge($node, 'closed-wide', server => "'narrow'");
wait_until_ended($node);
is(outcome($node, 'closed-wide'), 'exhausted oversized -', 'more than the server may answer is not read');
$node->safe_psql('postgres', q{ALTER SERVER narrow OPTIONS (SET max_reply_size '2MB')});
nudge($node, 'closed-wide-2', server => "'narrow'");
wait_until_ended($node);
is(outcome($node, 'closed-wide-2'), 'session_created - create', 'unless it may answer more');
$simulator->clear_faults;

# --- a limit without a word about its end -------------------------------------------------------------

# long enough for every place to meet it several times, if nothing held them back
$simulator->fault(verb => '*', id => 'live-many', action => 'status', status => 429, for_ms => 4000);
$node->safe_psql('postgres', q{
	INSERT INTO reengage.nudges (server, conversation_id, message) SELECT 'limited', 'live-many-' || n, 'x' FROM generate_series(1, 120) n});
wait_until_ended($node);
is(scalar(grep { $_->{conversation_id} =~ /^live-many/ } $simulator->effects), 120, 'none of 120 is lost');
is($node->safe_psql('postgres', q{SELECT count(*) FROM reengage.lineage WHERE server = 'limited' AND outcome = 'notified'}), 120,
	'and all are notified');
# one for each of 16 places, and those that went first after pauses of 1, 2 and 4 seconds
my $limited = grep { $_->{status} == 429 } $simulator->requests;
cmp_ok($limited, '<=', 20, 'the API had to say it not much more than once for each place');

$node->stop;
done_testing();
