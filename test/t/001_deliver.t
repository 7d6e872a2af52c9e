# What the worker makes of each kind of conversation.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended lineage outcome
  customer_address ledger_matches_lineage);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main', preload => 1);
create_extension($node, $simulator, server_options => "max_attempts '2'");

# --- every kind of conversation -----------------------------------------------------

my %kinds = (
	'live-' => 'notified - notify',
	'ringing-' => 'notified - notify',
	'closed-' => 'session_created - create',
	'zombie-' => 'session_created - create',
	'outbound-' => 'session_created - create',
	'race-' => 'session_created - create',
	'continues-' => 'session_continued - create',
	'gone-' => 'refused conversation_not_found -',
	'noaddr-' => 'refused no_address -',
	'webchat-' => 'refused channel_not_proactive -',
	'reject-live-' => 'refused http_422 notify',
	'reject-closed-' => 'refused http_422 create',
	'nostatus-' => 'exhausted unreadable -',
	'wrongtype-' => 'exhausted unreadable -',
);
my $kinds = join ', ', map { "('$_')" } sort keys %kinds;
my $each = 25;

$node->safe_psql('postgres', qq{
	INSERT INTO reengage.nudges (conversation_id, message, campaign, detail)
	SELECT kind || i, 'Nudge ' || i, 'spring', jsonb_build_object('i', i)
	FROM (VALUES $kinds) k (kind), generate_series(1, $each) i});
nudge($node, 'closed-skip', when_closed => q('skip'));
nudge($node, 'live-skip', when_closed => q('skip'));
nudge($node, 'gone-with-address', address => q('+4930123456'), channel => q('sms'));
nudge($node, 'gone-without-channel', address => q('+4930123456'));
nudge($node, 'noaddr-with-address', address => q('+4930123457'));
nudge($node, 'webchat-with-address', address => q('+4930123458'), channel => q('sms'));
nudge($node, 'closed-expired', due_at => "now() - interval '1 hour'", expires_at => "now() - interval '1 s'");
wait_until_ended($node);

for my $kind (sort keys %kinds)
{
	my %outcomes;

	$outcomes{"$_->{outcome} " . ($_->{reason} // '-') . ' ' . ($_->{step} // '-')}++
	  for lineage($node, "l.requested_conversation_id ~ '^$kind\[0-9]+\$'");
	is_deeply(\%outcomes, { $kinds{$kind} => $each }, "${kind}N ends as $kinds{$kind}");
}

is(outcome($node, 'closed-skip'), 'skipped_closed - -', 'closed and "skip": no new session');
is(outcome($node, 'live-skip'), 'notified - notify', 'live and "skip": notified');
is(outcome($node, 'gone-with-address'), 'session_created named create',
	'an unknown conversation is followed at the address of the nudge');
is(outcome($node, 'gone-without-channel'), 'refused conversation_not_found -',
	'an address without a channel is not enough for that');
is(outcome($node, 'noaddr-with-address'), 'session_created named create',
	'the address of the nudge stands in for one that the API does not tell');
is(outcome($node, 'webchat-with-address'), 'session_created named create',
	'the address and channel of the nudge stand in for a web chat');
is(outcome($node, 'closed-expired'), 'expired - -', 'a nudge that is committed after it expired ends as expired');
is($simulator->verbs('id=closed-expired'), '', 'and is not even looked at');

# --- what was sent -------------------------------------------------------------------

sub created_after { return (grep { $_->{verb} eq 'create' } $simulator->requests("id=$_[0]"))[0] }

for my $id ('closed-1', 'zombie-2', 'outbound-3', 'race-4')
{
	my $create = created_after($id);

	is($create->{to_address}, customer_address($id), "$id: the new session goes to the old customer");
	is($create->{from_address}, '+13175559999', "$id: and comes from the old business side");
	is($create->{channel}, 'sms', "$id: on the old channel");
}
my ($closed) = lineage($node, "l.requested_conversation_id = 'closed-7'");
is(created_after('closed-7')->{previous_id}, 'closed-7', 'a new session names the one before');
is(created_after('closed-7')->{nudge_id}, $closed->{nudge_id}, 'and the nudge');
is(created_after('closed-7')->{message}, 'Nudge 7', 'and carries the message');
is(created_after('gone-with-address')->{to_address}, '+4930123456',
	'gone: the session goes to the address of the nudge');
is(created_after('noaddr-with-address')->{to_address}, '+4930123457',
	'no address: the session goes to the address of the nudge');
is(created_after('webchat-with-address')->{to_address}, '+4930123458',
	'web chat: the session goes to the address of the nudge');
is(created_after('webchat-with-address')->{channel}, 'sms', 'and on its channel');

is($simulator->verbs('id=live-1'), 'check notify', 'live: one look, one notification');
is($simulator->verbs('id=closed-1'), 'check create', 'closed: one look, one session');
is($simulator->verbs('id=race-1'), 'check notify create',
	'closed after the look: one refused notification, one session');
is($simulator->verbs('id=nostatus-1'), 'check check', 'unreadable: max_attempts looks and no POST');
is($simulator->verbs('id=gone-1'), 'check', 'refused without a call that could do something');

# --- what was written down -------------------------------------------------------------

is($closed->{status_seen}, 'closed', 'the lineage has the status that was seen');
is($closed->{previous_conversation_id}, 'closed-7', 'and the predecessor');
is($closed->{root_conversation_id}, 'closed-7', 'and the root');
is($closed->{generation}, 1, 'and the generation');
is($closed->{campaign}, 'spring', 'and the campaign');
is_deeply($closed->{detail}, { i => 7 }, 'and the detail');
is("$closed->{attempts} $closed->{api_calls} $closed->{api_calls_saved}", '1 2 0',
	'one attempt, two requests, none saved');
like($closed->{address_hash}, qr/^[0-9a-f]{32}$/, 'the address is a hash');
ok($closed->{checked_at} le $closed->{called_at} && $closed->{called_at} le $closed->{occurred_at}
	&& $closed->{occurred_at} le $closed->{recorded_at}, 'its times are in order');
my ($create) = grep { $_->{verb} eq 'create' } $simulator->requests('id=closed-7');
cmp_ok(abs($node->safe_psql('postgres',
		qq{SELECT extract(epoch FROM called_at) FROM reengage.lineage
		   WHERE requested_conversation_id = 'closed-7'}) - $create->{arrived_us} / 1e6), '<', 1,
	'called_at is when the request arrived');
my ($exhausted) = lineage($node, "l.requested_conversation_id = 'nostatus-3'");
is("$exhausted->{attempts} $exhausted->{api_calls}", '2 2', 'attempts and requests of all tries count');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM (SELECT DISTINCT address_hash FROM reengage.lineage
		WHERE requested_conversation_id LIKE 'closed-_') h}),
	9, 'different addresses have different hashes');
is($node->safe_psql('postgres', q{
	SELECT string_agg(DISTINCT l.requested_conversation_id || ': ' || l.api_error_message, E'\n')
	FROM reengage.lineage l WHERE l::text ~ '1317555[0-9]{4}|4930123' AND l.requested_conversation_id ~ '-1$'}),
	'', 'no address stands in the lineage');
is($node->safe_psql('postgres', q{SELECT count(*) FROM reengage.lineage l WHERE l::text ~ 'Nudge [0-9]'}),
	0, 'no message stands in the lineage');
ledger_matches_lineage($node, $simulator, 'the ledger and the lineage agree, nudge by nudge');

# --- the thread of a customer whose sessions keep closing ----------------------------------

sub nudge_and_wait { nudge($node, @_); wait_until_ended($node) }

sub row_of_thread
{
	my ($number) = @_;
	my @rows = lineage($node, "l.root_conversation_id = 'closed-thread'");
	return $rows[$number - 1];
}

$simulator->set(close_after_looks => 0);
nudge_and_wait('closed-thread');
my $first = row_of_thread(1)->{conversation_id};
nudge_and_wait('closed-thread');
my $second = row_of_thread(2)->{conversation_id};
nudge_and_wait($first);
my $third = row_of_thread(3)->{conversation_id};

is_deeply(
	[ map { [ @$_{qw(outcome previous_conversation_id root_conversation_id generation api_calls_saved)} ] }
		lineage($node, "l.root_conversation_id = 'closed-thread'") ],
	[
		[ 'session_created', 'closed-thread', 'closed-thread', 1, 0 ],
		[ 'session_created', $first, 'closed-thread', 2, 1 ],
		[ 'session_created', $second, 'closed-thread', 3, 1 ],
	],
	'three nudges of one thread: each session follows the one before');
is(scalar(grep { $_->{verb} eq 'check' && $_->{conversation_id} eq 'closed-thread' } $simulator->requests),
	1, 'an id that is known to be dead is not asked about again');
is(scalar(grep { $_->{verb} eq 'check' && $_->{conversation_id} eq $first } $simulator->requests),
	1, 'nor is one in the middle of the thread');
is($node->safe_psql('postgres', q{
	SELECT tip_conversation_id, generations, nudges, api_calls_saved FROM reengage.threads
	WHERE root_conversation_id = 'closed-thread'}),
	"$third|3|3|2", 'the view of threads knows the tip');
for my $id ('closed-thread', $first, $second, $third)
{
	is($node->safe_psql('postgres',
			"SELECT string_agg(conversation_id, ' ' ORDER BY generation) FROM reengage.thread('$id')"),
		"$first $second $third", "reengage.thread() tells the whole story from any of its ids ($id)"
		  =~ s/[0-9a-f-]{36}/id/r);
}

# --- nudges of one thread that come together -------------------------------------------------

$simulator->set(latency_ms => 60);
$node->safe_psql('postgres', q{
	INSERT INTO reengage.nudges (conversation_id, message, priority)
	SELECT 'closed-together', 'x', i FROM generate_series(1, 5) i});
wait_until_ended($node);

my @together = lineage($node, "l.root_conversation_id = 'closed-together'");
my %nudges = map { $_->{nudge_id} => 1 } @together;
my %members = map { $_->{conversation_id} => 1 } @together;
$members{'closed-together'} = 1;
my @requests = grep { $members{ $_->{conversation_id} } || $nudges{ $_->{nudge_id} // '' } }
  $simulator->requests;

is(join(' ', map { $_->{verb} } @requests), join(' ', ('check create') x 5),
	'P7: nudges of one thread go one after the other');
is(scalar(grep { $requests[$_]{arrived_us} - $requests[ $_ - 1 ]{arrived_us} < 60_000 } 1 .. $#requests),
	0, 'P7: and none starts before the answer to the one before');
is(join(' ', map { $_->{generation} } @together), '1 2 3 4 5', 'each made the successor of the one before');

# two ids of one thread, named at the same time
my ($old, $new) = ($together[0]{conversation_id}, $together[4]{conversation_id});
$node->safe_psql('postgres', qq{
	INSERT INTO reengage.nudges (conversation_id, message)
	VALUES ('$old', 'x'), ('$new', 'x'), ('closed-together', 'x')});
wait_until_ended($node);
is(join(' ', map { $_->{generation} } lineage($node, "l.root_conversation_id = 'closed-together'")),
	'1 2 3 4 5 6 7 8', 'P7: so do nudges that name different conversations of the thread');
$simulator->set(latency_ms => 0, close_after_looks => -1);

# a session that is live is notified, and its thread stays as it is
nudge_and_wait('closed-lives-again');
nudge_and_wait('closed-lives-again');
is(join(', ', map { "$_->{outcome} $_->{generation}" }
		lineage($node, "l.root_conversation_id = 'closed-lives-again'")),
	'session_created 1, notified 1', 'the second nudge of a thread is a notification into its new session');

# a continued conversation stays the tip
nudge_and_wait('continues-again');
nudge_and_wait('continues-again');
is(outcome($node, 'continues-again'), 'session_continued - create, notified - notify',
	'a continued conversation is checked again under its own id');

# --- asking twice, and the same id twice -------------------------------------------------------

my $chosen = '01890000-0000-7000-8000-000000000001';
nudge_and_wait('live-chosen', nudge_id => "'$chosen'");
$node->safe_psql('postgres',
	"SELECT reengage.nudge('live-chosen', 'Are you still there?', nudge_id => '$chosen')");
nudge_and_wait('live-after-chosen');
is($simulator->verbs('id=live-chosen'), 'check notify', 'asking twice with one id is asking once');

# --- other texts, other priorities, later times --------------------------------------------------

nudge_and_wait('live-text', message => q(U&'Gr\00fc\00dfe \+01F600 "quoted" \005c tab' || E'\t\nnewline'));
like((grep { $_->{verb} eq 'notify' } $simulator->requests('id=live-text'))[0]{message},
	qr/\x{1F600} "quoted" \\ tab\t\nnewline/, 'the message arrives as it was given');
nudge_and_wait('closed-a.b_c~d-E');
is(outcome($node, 'closed-a.b_c~d-E'), 'session_created - create', 'an id may use all characters it may use');

is($node->safe_psql('postgres', 'SELECT count(*) FROM reengage.due'), 0, 'nothing is due in the end');
is($node->safe_psql('postgres', 'SELECT count(*) FROM reengage.intents'), 0, 'no intent is left');
ledger_matches_lineage($node, $simulator, 'the ledger and the lineage still agree');

$node->stop;
done_testing();
