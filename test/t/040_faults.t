# An API that fails in every way that the simulator can: what becomes of a look,
# a notification and a creation.

use strict;
use warnings FATAL => 'all';

use POSIX qw(strftime);
use Reengage qw(start_simulator new_node sections set_credentials create_extension nudge wait_until_ended
  wait_for lineage outcome due_row health log_size log_lines ledger_matches_lineage);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main', preload => 1);
create_extension($node, $simulator, server_options => "timeout '6s', max_attempts '3'");

# --- every fault of every call, once ---------------------------------------------------

# name, rule, and what becomes of a nudge whose look, notification or creation
# meets it: outcome and reason, then the requests.
my @again = ('notified -', 'check check notify');
my @notify_again = ('notified -', 'check notify check notify');
my @create_again = ('session_created -', 'check create check create');
my $once_notified = 'check notify';
my $once_created = 'check create';

my @cases = (
	# without an effect, and certainly so
	[ '429', { action => 'status', status => 429 }, [@again], [@notify_again], [@create_again] ],
	[ '425', { action => 'status', status => 425 }, [@again], [@notify_again], [@create_again] ],
	[ '503-later', { action => 'status', status => 503, retry_after => '0' }, [@again], [@notify_again], [@create_again] ],
	# the API says never
	[ '400', { action => 'status', status => 400, body => '{"message":"no"}' }, [ 'refused http_400', 'check' ],
		[ 'refused http_400', $once_notified ], [ 'refused http_400', $once_created ] ],
	[ '404', { action => 'status', status => 404 }, [ 'refused conversation_not_found', 'check' ],
		[ 'refused conversation_not_found', $once_notified ], [ 'refused not_found', $once_created ] ],
	[ '409', { action => 'status', status => 409, body => '{"message":"no"}' }, [ 'refused http_409', 'check' ],
		[ 'refused http_409', $once_notified ], [ 'refused http_409', $once_created ] ],
	[ 'redirect', { action => 'redirect', location => "$simulator->{url}/elsewhere" }, [@again],
		[ 'refused redirect', $once_notified ], [ 'refused redirect', $once_created ] ],
	# nobody can tell
	(map { my $status = $_; [ $status, { action => 'status', status => $status }, [@again],
		[ "in_doubt http_$status", $once_notified ], [ "in_doubt http_$status", $once_created ] ] }
		408, 500, 502, 503, 504),
	[ '500-after', { action => 'status_after', status => 500 }, [@again],
		[ 'in_doubt http_500', $once_notified ], [ 'in_doubt http_500', $once_created ] ],
	(map { my $action = $_; [ $action, { action => $action }, [@again],
		[ 'in_doubt connection_lost', $once_notified ], [ 'in_doubt connection_lost', $once_created ] ] }
		'close_before', 'close_after'),
	(map { my $action = $_; [ $action, { action => $action }, [@again],
		[ 'in_doubt timeout', $once_notified ], [ 'in_doubt timeout', $once_created ] ] }
		'hang', 'hang_after'),
	# done, and said badly: a notification needs no answer but its status
	(map { my $action = $_; [ $action, { action => $action }, [@again],
		[ 'notified -', $once_notified ], [ 'in_doubt unreadable', $once_created ] ] }
		'drip', 'truncate', 'huge', 'garbage', 'wrong_type', 'empty'),
	# done, and late
	[ 'delay', { action => 'delay', ms => 700 }, [ 'notified -', $once_notified ],
		[ 'notified -', $once_notified ], [ 'session_created -', $once_created ] ],
);

my %verb_of = (look => 'check', notify => 'notify', create => 'create');
my (@rules, @ids, %wanted);
for my $case (@cases)
{
	my ($name, $rule, @outcomes) = @$case;

	for my $call ('look', 'notify', 'create')
	{
		my $id = ($call eq 'create' ? 'closed' : 'live') . "-$call-$name.";

		push @rules, { %$rule, verb => $verb_of{$call}, id => $id, times => 1 };
		push @ids, $id;
		$wanted{$id} = [ $call, $name, @{ shift @outcomes } ];
	}
}
# what reports nothing to the ledger but its beginning
push @rules, { action => 'close_unread', verb => 'notify', id => 'live-notify-close_unread.', times => 1 };
push @ids, 'live-notify-close_unread.';
$wanted{'live-notify-close_unread.'} = [ 'notify', 'close_unread', 'in_doubt connection_lost', $once_notified ];

$simulator->control('POST', 'faults', \@rules);
$node->safe_psql('postgres', 'INSERT INTO reengage.nudges (conversation_id, message) VALUES '
	  . join ', ', map { "('$_', 'x')" } @ids);
wait_until_ended($node);
for my $id (@ids)
{
	my ($call, $name, $outcome, $verbs) = @{ $wanted{$id} };
	my ($row) = lineage($node, "l.requested_conversation_id = '$id'");

	is("$row->{outcome} " . ($row->{reason} // '-'), $outcome, "$call meets $name: $outcome");
	# while one says "not now", looks of the others grow too old, and so may its own
	my $made = $simulator->verbs("id=$id");
	s/(check )+/check /g for $made, $verbs;
	is($made, $verbs, "$call meets $name: the requests are $verbs");
}
ledger_matches_lineage($node, $simulator, 'P5: none of them had two effects');
is((grep { ($_->{path} // '') =~ /elsewhere/ } $simulator->requests), 0, 'no redirect is followed');
my ($row) = lineage($node, q(l.requested_conversation_id = 'live-notify-429.'));
my $counted = () = $simulator->requests('id=live-notify-429.');
is("$row->{attempts} $row->{api_calls}", "1 $counted", 'all requests are counted, and a 429 as no attempt');
($row) = lineage($node, q(l.requested_conversation_id = 'live-notify-400.'));
is("$row->{http_status} $row->{api_error_message}", '400 no', "the API's own words are kept");
$simulator->clear_faults;

# --- a token that is refused ------------------------------------------------------------------

for my $case ([ 'live-401-look', 'check', 'check check notify', 'notified - notify' ],
	[ 'live-401', 'notify', 'check notify notify', 'notified - notify' ],
	[ 'closed-401', 'create', 'check create create', 'session_created - create' ])
{
	my ($id, $verb, $verbs, $outcome) = @$case;
	my $tokens = $simulator->counts->{token};

	$simulator->fault(verb => $verb, id => $id, action => 'expire_token', times => 1);
	nudge($node, $id);
	wait_until_ended($node);
	is(outcome($node, $id), $outcome, "401 to a $verb: $outcome");
	is($simulator->verbs("id=$id"), $verbs, "401 to a $verb: it is made again");
	is($simulator->counts->{token}, $tokens + 1, "401 to a $verb: with one new token");
	($row) = lineage($node, "l.requested_conversation_id = '$id'");
	is("$row->{attempts} $row->{api_calls}", '1 3', "401 to a $verb: which is not a new attempt");
}
$simulator->fault(verb => 'notify', id => 'live-401-always', action => 'expire_token', times => 2);
nudge($node, 'live-401-always');
wait_until_ended($node);
is(outcome($node, 'live-401-always'), 'notified - notify', '401 to the new token as well, and to nobody else: it is tried again later');
($row) = lineage($node, q(l.requested_conversation_id = 'live-401-always'));
is("$row->{attempts} $row->{api_calls}", '2 5', 'which is a new attempt');
$simulator->clear_faults;

# --- a refusal as closed, in other words --------------------------------------------------

for my $case ([ 403, 'The conversation is closed.' ], [ 409, 'Conversation is not in a state that allows this.' ])
{
	my ($status, $message) = @$case;
	my $id = "live-closed-$status";

	$simulator->fault(verb => 'notify', id => $id, action => 'status', status => $status,
		body => qq({"message":"$message"}), times => 1);
	nudge($node, $id);
	wait_until_ended($node);
	is(outcome($node, $id), 'session_created - create', "a notification refused with $status \"$message\" is followed");
	is($simulator->verbs("id=$id"), 'check notify create', 'by a new session and no second notification');
}

# --- P4: a reused connection that dies under a POST -----------------------------------------

for my $action ('close_after', 'close_before')
{
	$simulator->fault(verb => $_, id => 'live-p4', action => $action, connection => 'reused') for 'notify';
	$simulator->fault(verb => 'create', id => 'closed-p4', action => $action, connection => 'reused');
	for my $id ("live-p4-$action", "closed-p4-$action")
	{
		nudge($node, $id);
		wait_until_ended($node);
		my @posts = grep { $_->{verb} ne 'check' } $simulator->requests("id=$id");

		is(scalar @posts, 1, "P4: $action on a reused connection: one POST reached the API ($id)");
		ok($posts[0]{reused}, 'P4: and the connection was a reused one');
		like(outcome($node, $id), qr/^in_doubt connection_lost/, 'P4: its nudge is in doubt');
	}
	$simulator->clear_faults;
}

# --- Retry-After ------------------------------------------------------------------------------

sub seconds_between
{
	my ($id, $verb) = @_;
	my @times = map { $_->{arrived_us} / 1e6 } $simulator->requests("id=$id&verb=$verb");
	return $times[1] - $times[0];
}

my $date = time + 3;
$simulator->control('POST', 'faults', [
	{ verb => 'check', id => 'live-after-1', action => 'status', status => 429, retry_after => '2', times => 1 },
	{ verb => 'notify', id => 'live-after-2', action => 'status', status => 429, retry_after => '2', times => 1 },
	{ verb => 'create', id => 'closed-after-3', action => 'status', status => 503, retry_after => '2', times => 1 },
	{ verb => 'notify', id => 'live-after-4', action => 'status', status => 429, times => 1,
		retry_after => strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime $date) },
	{ verb => 'check', id => 'live-after-5', action => 'status', status => 503, retry_after => 'soon', times => 1 },
]);
nudge($node, $_) for qw(live-after-1 live-after-2 closed-after-3 live-after-4 live-after-5);
wait_for(sub { my $row = due_row($node, 'live-after-2'); $row && ($row->{hold_reason} // '') eq 'retry after rate_limited' },
	'the schedule says why a nudge waits');
wait_until_ended($node);
cmp_ok(seconds_between('live-after-1', 'check'), '>=', 2, '429 with Retry-After: a look is repeated not before');
cmp_ok(seconds_between('live-after-2', 'notify'), '>=', 2, '429 with Retry-After: a notification is repeated not before');
cmp_ok(seconds_between('closed-after-3', 'create'), '>=', 2, '503 with Retry-After: a creation is repeated not before');
cmp_ok(($simulator->requests('id=live-after-4&verb=notify'))[1]{arrived_us} / 1e6, '>=', $date,
	'Retry-After may be a date');
is(join(', ', map { outcome($node, $_) } qw(live-after-1 live-after-2 closed-after-3 live-after-4 live-after-5)),
	'notified - notify, notified - notify, session_created - create, notified - notify, notified - notify',
	'and all end well');
$simulator->clear_faults;

# --- attempts and time run out -----------------------------------------------------------------

$simulator->fault(verb => 'check', id => 'live-always-500', action => 'status', status => 500);
$simulator->fault(verb => 'notify', id => 'live-always-429', action => 'status', status => 429);
$simulator->fault(verb => 'create', id => 'closed-always-429', action => 'status', status => 429);
$simulator->fault(verb => 'check', id => 'live-until-expiry', action => 'status', status => 425, retry_after => '3600');
nudge($node, 'live-always-500');
nudge($node, $_, expires_at => q(now() + '8 s')) for qw(live-always-429 closed-always-429);
nudge($node, 'live-until-expiry', expires_at => q(now() + '5 min'));
wait_until_ended($node);
is(outcome($node, 'live-always-500'), 'exhausted http_500 -', 'a look that always fails: exhausted');
is($simulator->verbs('id=live-always-500'), 'check check check', 'after max_attempts looks');
for my $id (qw(live-always-429 closed-always-429))
{
	($row) = lineage($node, "l.requested_conversation_id = '$id'");
	is($row->{outcome}, 'expired', "$id: 429 until the end ends with the nudge's time");
	cmp_ok($row->{attempts}, '<=', 1, "$id: and has used up no attempt");
}
is(outcome($node, 'live-until-expiry'), 'expired http_425 -',
	'a nudge whose next attempt would come after its expiry has expired');
is($simulator->verbs('id=live-until-expiry'), 'check', 'at once');
$simulator->clear_faults;

# --- our client may not ----------------------------------------------------------------------------

# a server for each call, to wait for all of them at once
my $offset = log_size($node);
my @forbidden = ([ 'check', 'live-forbidden-look', 'check' ], [ 'notify', 'live-forbidden', 'check notify' ],
	[ 'create', 'closed-forbidden', 'check create' ]);
set_credentials($node, servers => [ 'genesys', map { "no_$_->[0]" } @forbidden ]);
for (@forbidden)
{
	my ($verb, $id, $verbs) = @$_;

	$node->safe_psql('postgres', qq{
		CREATE SERVER no_$verb FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}', max_requests_per_minute '0', max_failures '0')});
	$simulator->fault(verb => $verb, id => $id, action => 'forbidden');
	$node->safe_psql('postgres', qq{INSERT INTO reengage.nudges (server, conversation_id, message)
		SELECT 'no_$verb', '$id-' || n, 'x' FROM generate_series(1, 2) n});
	wait_for(sub { health($node, "server no_$verb") =~ /^blocked/ }, "the server is blocked by a $verb");
	like(health($node, "server no_$verb"),
		qr/^blocked: the API refused to $verb \(forbidden, HTTP status 403\): nudge \S+ \(conversation $id-\d\), nudge \S+ \(conversation $id-\d\); the API said: ./,
		"403 to a $verb of two conversations blocks the server, and the health view has them and the API's words");
	nudge($node, "live-behind-$verb", server => "'no_$verb'");
	cmp_ok($node->safe_psql('postgres', "SELECT sum(attempt) FROM reengage.due WHERE server = 'no_$verb'"), '<=', 1,
		"403 to a $verb: the nudges stay due, and no attempt is used up but that of the first");
	for my $asked ("$id-1", "$id-2", "live-behind-$verb")
	{
		is($node->safe_psql('postgres', "SELECT state, reason FROM reengage.nudge_status WHERE requested_conversation_id = '$asked'"),
			"due|server blocked: the API refused to $verb (forbidden, HTTP status 403); an operator sees why in reengage.health",
			"403 to a $verb: nudge_status says what $asked waits for, and nothing of anybody's call");
	}
	is($simulator->verbs("id=$id-$_"), $verbs, "403 to a $verb: nothing is repeated meanwhile") for 1 .. 2;
	is($simulator->verbs("id=live-behind-$verb"), '', "403 to a $verb: nor anything else begun");
}
nudge($node, 'live-not-forbidden');
wait_until_ended($node, where => q(n.conversation_id = 'live-not-forbidden'));
is(outcome($node, 'live-not-forbidden'), 'notified - notify', 'another server is not affected');
$simulator->clear_faults;
$node->safe_psql('postgres', "ALTER SERVER no_$_->[0] OPTIONS (ADD timeout '2s')") for @forbidden;
wait_until_ended($node);
for (@forbidden)
{
	my ($verb, $id, $verbs) = @$_;

	like(outcome($node, "$id-$_"), qr/^(notified - notify|session_created - create)$/,
		"403 to a $verb: when it may again, it is delivered") for 1 .. 2;
	is(outcome($node, "live-behind-$verb"), 'notified - notify', "403 to a $verb: as is what was behind it");
	is(health($node, "server no_$verb"), 'ok: nothing is known against it', "403 to a $verb: and the health view agrees");
}
cmp_ok(scalar log_lines($node, $offset, qr/LOG:  reengage/), '<=', 12, 'the log says little about it');

# --- no token ------------------------------------------------------------------------------------------

# a server for each way in which it fails, to wait for all of them at once
my %no_token = (error => { action => 'status', status => 500 }, cut => { action => 'close_after' }, garbage => { action => 'garbage' },
	truncated => { action => 'truncate' }, moved => { action => 'redirect', location => '/' });
set_credentials($node, servers => [ 'genesys', map { "token_$_" } sort keys %no_token ]);
for my $name (sort keys %no_token)
{
	my $login = start_simulator();

	$login->fault(%{ $no_token{$name} }, verb => 'token', times => 1);
	$node->safe_psql('postgres', "CREATE SERVER token_$name FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$login->{url}')");
	nudge($node, "live-token-$name", server => "'token_$name'");
}
wait_until_ended($node);
is(outcome($node, "live-token-$_"), 'notified - notify', "a token server whose answer is once $_ only delays") for sort keys %no_token;

set_credentials($node, text => sections('hunter2', 'genesys'));
nudge($node, 'live-bad-secret');
wait_for(sub { health($node, 'server genesys') =~ /^blocked/ }, 'bad credentials block the server');
like(health($node, 'server genesys'), qr/bad_credentials.*HTTP status 40[01]/, 'the health view says so');
is(due_row($node, 'live-bad-secret')->{attempt}, 0, 'no attempt is used up');
set_credentials($node);
wait_until_ended($node);
is(outcome($node, 'live-bad-secret'), 'notified - notify', 'with the right ones it goes on, without a restart');
is(scalar log_lines($node, 0, qr/hunter2|Basic |Bearer /), 0, 'P13: no secret in the log');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM (SELECT l::text FROM reengage.lineage l UNION ALL SELECT s::text FROM reengage.server_state s
		UNION ALL SELECT h::text FROM reengage.health h) t (t) WHERE t ~ 'hunter2|Bearer [0-9a-f]'}), 0,
	'P13: nor in a table');

ledger_matches_lineage($node, $simulator, 'the ledger and the lineage agree in the end', where => q(l.server NOT LIKE 'token\_%'));
$node->stop;
done_testing();
