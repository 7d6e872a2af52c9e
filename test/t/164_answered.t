# Who has answered is not asked whether they are still there: what the check
# tells of it, in both dialects, and what an application says.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for outcome lineage due_row
  ledger_matches_lineage);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main', preload => 1, servers => [qw(genesys cloud)]);
create_extension($node, $simulator, server_options => "from_address '+13175550000'");
$node->safe_psql('postgres', qq{
	CREATE SERVER cloud FOREIGN DATA WRAPPER reengage OPTIONS (dialect 'genesys_cloud', api_url '$simulator->{url}',
		login_url '$simulator->{url}', from_address '+13175550000', max_requests_per_minute '0', max_failures '0')});

sub customer_writes { my ($id, $at) = @_; return $simulator->control('POST', 'write', { id => $id, $at ? (at => $at) : () }); }

# Asked for now, and due when the test says so.
sub ask { my ($id, %columns) = @_; return nudge($node, $id, due_at => "now() + interval '1 day'", %columns); }

sub run_all
{
	$node->safe_psql('postgres', q{UPDATE reengage.due SET due_at = now(); SELECT reengage_internal.wake('-infinity')});
	return wait_until_ended($node);
}

# --- between the request and the check ----------------------------------------------------

for my $server (qw(genesys cloud))
{
	my $of = "of_$server";
	my %server = (server => "'$server'");

	customer_writes("live-before-$of");
	customer_writes("closed-before-$of");
	ask("$_-before-$of", %server) for qw(live closed);
	ask("$_-$of", %server) for qw(live closed);
	ask("closed-skip-$of", %server, when_closed => "'skip'");
	ask("live-send-$of", %server, when_answered => "'send'");
	ask("live-earlier-$of", %server, answered_since => "now() - interval '2 days'");
	ask("live-later-$of", %server, answered_since => "now() + interval '1 day'");
	ask("live-silent-$of", %server);
	customer_writes("$_-$of") for qw(live closed closed-skip live-send live-later);
	customer_writes("live-earlier-$of", '2026-01-01T00:00:00.000Z');
	$node->safe_psql('postgres', qq{INSERT INTO reengage.nudges (server, conversation_id, message, due_at, answered_since)
		VALUES ('$server', 'live-extract-$of', 'x', now() + interval '1 day', '2025-12-31 23:59:59Z'),
			('$server', 'live-extract2-$of', 'x', now() + interval '1 day', '2026-01-01 00:00:00Z')});
	customer_writes("$_-$of", '2026-01-01T00:00:00.900Z') for qw(live-extract live-extract2);
	run_all();

	like(outcome($node, "live-before-$of"), qr/^notified /, "$server: who wrote before is asked");
	like(outcome($node, "closed-before-$of"), qr/^session_created /, "$server: in a new session, too");
	is(outcome($node, "$_-$of"), 'answered - -', "$server: who wrote since is not: $_") for qw(live closed closed-skip);
	like(outcome($node, "live-send-$of"), qr/^notified /, "$server: but where the nudge says send");
	like(outcome($node, "live-silent-$of"), qr/^notified /, "$server: where nobody says when, it is sent");
	like(outcome($node, "live-earlier-$of"), qr/^notified /, "$server: not after answered_since");
	like(outcome($node, "live-later-$of"), qr/^notified /, "$server: answered_since may be later than the request");
	is(outcome($node, "live-extract-$of"), 'answered - -', "$server: or earlier, as the time of a record is");
	like(outcome($node, "live-extract2-$of"), qr/^notified /, "$server: which to the second is all of its second");
	my ($row) = lineage($node, "l.requested_conversation_id = 'live-$of'");
	is_deeply([ @$row{qw(attempts api_calls api_calls_saved message_id called_at)} ], [ 1, 1, 0, undef, undef ], "$server: one look");
	ok($row->{checked_at} && $row->{status_seen}, "$server: and what it saw");
	is($simulator->verbs("id=closed-$of"), 'check', "$server: and no POST");
	($row) = lineage($node, "l.requested_conversation_id = 'live-silent-$of'");
	like($row->{message_id}, qr/^[\x21-\x7e]{1,128}$/, "$server: the API's own id of a notification is kept");
	($row) = lineage($node, "l.requested_conversation_id = 'closed-before-$of'");
	like($row->{message_id}, qr/^[\x21-\x7e]{1,128}$/, "$server: and of the message that begins a session");
}

# --- in another conversation of the customer ----------------------------------------------

my %customer = (channel => 'sms', address => '+13175550181', business => '+13175550000');
$simulator->control('POST', 'conversations', [ map { { id => "two-$_", status => 'closed', %customer } } 1 .. 3 ]);
nudge($node, 'two-1');
wait_until_ended($node);
my ($first) = lineage($node, q{l.requested_conversation_id = 'two-1'});
is($first->{outcome}, 'session_created', 'a session of the customer');
ask('two-2');
customer_writes($first->{conversation_id});
run_all();
is(outcome($node, 'two-2'), 'answered - -', 'who has answered there is not written to here');
is($simulator->verbs('id=two-2') . ' ' . $simulator->verbs("id=$first->{conversation_id}"), 'check check', 'two looks, and no POST');
ask('two-3', when_answered => "'send'");
customer_writes($first->{conversation_id});
run_all();
is(outcome($node, 'two-3'), 'session_created joined notify', 'send joins them');

# --- since the time of a record ----------------------------------------------------------

$node->safe_psql('postgres', q{
	CREATE TABLE extract (conversation_id text, address text, channel text, status text, last_inbound_at text);
	INSERT INTO extract
	SELECT 'live-record-' || c, '+1317555019' || n, 'sms', 'closed', '2026-01-01 10:00:00+00'
	FROM unnest('{silent,same,later}'::text[]) WITH ORDINALITY AS c (c, n)});
customer_writes('live-record-same', '2026-01-01T10:00:00.734Z');
customer_writes('live-record-later', '2026-01-02T08:00:00.000Z');
$node->safe_psql('postgres', q{CALL reengage.import_history('x', 'history', staging => 'extract')});
wait_until_ended($node);
is($node->safe_psql('postgres', q{SELECT requested_conversation_id, outcome FROM reengage.lineage WHERE campaign = 'history' ORDER BY 1}),
	"live-record-later|answered\nlive-record-same|notified\nlive-record-silent|notified", 'an import: who has written since the record');

# --- between two looks ---------------------------------------------------------------------

$simulator->fault(verb => 'check', id => 'live-retry', action => 'hang', times => 1);
nudge($node, 'live-retry');
$simulator->wait_hanging(1);
customer_writes('live-retry');
$simulator->clear_faults;
wait_until_ended($node);
is(outcome($node, 'live-retry'), 'answered - -', 'each look counts');
is($simulator->verbs('id=live-retry'), 'check check', 'which were two');

# --- an application says so --------------------------------------------------------------

$simulator->fault(verb => 'notify', id => 'live-hangs', action => 'hang', times => 1);
my $id = nudge($node, 'live-hangs');
$simulator->wait_hanging(1);
ask('live-hangs', campaign => "'second'");
is($node->safe_psql('postgres', q{SELECT nudge_id, step FROM reengage.record_answer('live-hangs')}), "$id|notify",
	'record_answer() tells of the call that is on the wire');
$simulator->clear_faults;
wait_until_ended($node, where => "n.nudge_id = '$id'");
run_all();
is((lineage($node, q{l.requested_conversation_id = 'live-hangs' AND l.campaign = 'second'}))[0]{outcome}, 'answered', 'what has not begun is not sent');
is(scalar(grep { $_->{verb} eq 'check' } $simulator->requests('id=live-hangs')), 1, 'nor looked at');

# A call that may have had its effect is not made again to who has answered: in doubt.
$node->safe_psql('postgres', q{ALTER SERVER genesys OPTIONS (ADD idempotency 'key')});
$simulator->set(honour_keys => JSON::PP::true());
$simulator->fault(verb => 'notify', id => 'live-lost', action => 'close_after');
nudge($node, 'live-lost');
wait_for(sub { (due_row($node, 'live-lost') // {})->{attempt} }, 'its answer is lost');
is($node->safe_psql('postgres', q{SELECT step FROM reengage.record_answer('live-lost')}), 'notify', 'record_answer() tells of it, too');
run_all();
is(outcome($node, 'live-lost'), 'in_doubt answered notify', 'and it is in doubt');
ledger_matches_lineage($node, $simulator, 'the ledger and the lineage agree, nudge by nudge', honours_keys => 1);

done_testing();
