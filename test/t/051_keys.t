# An API that honours idempotency keys: what is in doubt elsewhere is found out
# by making the same call again (P5).

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for lineage
  outcome due_row worker_pid courier_pid customer_address ledger_matches_lineage);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator('--honour-keys');
my $node = new_node('main', preload => 1, servers => [qw(genesys key_of_34 key_of_600)]);
create_extension($node, $simulator,
	server_options => q(timeout '5s', max_attempts '6', idempotency 'key', key_lifetime '1h'));

sub posts
{
	my ($conversation) = @_;
	return grep { $_->{verb} =~ /notify|create/ } $simulator->requests("id=$conversation");
}

sub verbs { my ($conversation) = @_; return $simulator->verbs("id=$conversation"); }

# Brings a nudge into the state "unresolved": its call failed in the way that is
# given, and the repetition, for which it is too early, far away.
sub leave_unresolved
{
	my ($conversation, $verb, $action) = @_;

	$simulator->fault(verb => $verb, id => $conversation, action => $action, times => 1);
	$simulator->fault(verb => $verb, id => $conversation, action => 'status', status => 425, retry_after => '900', times => 1);
	my $nudge_id = nudge($node, $conversation);
	wait_for(sub { my $due = due_row($node, $conversation); $due && $due->{attempt} == 2 },
		"the $verb of $conversation is unresolved");
	return $nudge_id;
}

# The schedule says that it is time again.
sub hasten
{
	my ($nudge_id, $database) = @_;
	$node->safe_psql($database // 'postgres',
		"BEGIN; UPDATE reengage.due SET due_at = now() WHERE nudge_id = '$nudge_id'; SELECT reengage_internal.wake(now()); COMMIT");
	return;
}

# --- the answer is lost, or the request: the same call again ---------------------------------

my %fates = (
	close_after => 'had its effect', hang_after => 'had its effect', garbage => 'had its effect', truncate => 'had its effect',
	close_before => 'had none', status => 'had none');
for my $action (sort keys %fates)
{
	$simulator->fault(verb => $_, id => 'live-' . $action, action => $action, times => 1) for qw(notify);
	$simulator->fault(verb => $_, id => 'closed-' . $action, action => $action, times => 1) for qw(create);
	nudge($node, "live-$action");
	nudge($node, "closed-$action");
}
wait_until_ended($node);
for my $action (sort keys %fates)
{
	# an answer that cannot be read is still a notification
	my $times = $action =~ /garbage|truncate/ ? 1 : 2;
	is(outcome($node, "live-$action"), 'notified - notify', "$action, which $fates{$action}: notified");
	is(verbs("live-$action"), join(' ', 'check', ('notify') x $times), "$action: one look, the same notify");
	is(outcome($node, "closed-$action"), 'session_created - create', "$action, which $fates{$action}: session created");
	is(verbs("closed-$action"), 'check create create', "$action: one look, the same create");
}
ledger_matches_lineage($node, $simulator, 'each has its effect once', honours_keys => 1);

# --- a key that may be forgotten before the repetition arrives ----------------------------------

# a call may take five timeouts and ten seconds: the key is trusted for the rest of its life
for my $lifetime (34, 600)
{
	my $server = "key_of_$lifetime";
	$node->safe_psql('postgres', qq{CREATE SERVER $server FOREIGN DATA WRAPPER reengage
		OPTIONS (api_url '$simulator->{url}', max_requests_per_minute '0', max_failures '0',
			timeout '5s', max_attempts '6', idempotency 'key', key_lifetime '${lifetime}s')});
	$simulator->fault(verb => 'notify', id => "live-$server", action => 'close_after', times => 1);
	nudge($node, "live-$server", server => "'$server'");
	wait_until_ended($node);
	is(outcome($node, "live-$server") . ', ' . verbs("live-$server"),
		$lifetime == 34 ? 'in_doubt connection_lost notify, check notify' : 'notified - notify, check notify notify',
		"a key that lives for $lifetime s: " . ($lifetime == 34 ? 'it might be no longer known' : 'the same notify'));
}

# --- whoever dies meanwhile --------------------------------------------------------------------

$simulator->fault(verb => 'notify', id => 'live-courier', action => 'hang_after', times => 1);
$simulator->fault(verb => 'create', id => 'closed-courier', action => 'hang', times => 1);
nudge($node, $_) for qw(live-courier closed-courier);
$simulator->wait_hanging(2);
kill 'KILL', courier_pid(worker_pid($node));
wait_until_ended($node);
is(outcome($node, 'live-courier'), 'notified - notify', 'the courier was killed: notified');
is(outcome($node, 'closed-courier'), 'session_created - create', 'the courier was killed: session created');

$simulator->fault(verb => 'notify', id => 'live-crash', action => 'hang', times => 1);
$simulator->fault(verb => 'create', id => 'closed-crash', action => 'hang_after', times => 1);
nudge($node, $_) for qw(live-crash closed-crash);
$simulator->wait_hanging(2);
my $waiting = leave_unresolved('closed-waiting', 'create', 'close_after');
$node->stop('immediate');
$simulator->clear_faults;
# the business address of a new session is another one now, but not of this call
$node->start;
$node->safe_psql('postgres', q{ALTER SERVER genesys OPTIONS (ADD from_address '+13170000000')});
hasten($waiting);
wait_until_ended($node);
is(outcome($node, 'live-crash'), 'notified - notify', 'the server crashed: notified');
is(outcome($node, 'closed-crash'), 'session_created - create', 'the server crashed: session created');
is(outcome($node, 'closed-waiting'), 'session_created - create', 'it crashed before the repetition: session created');
my ($row) = lineage($node, q(l.requested_conversation_id = 'closed-crash'));
is($row->{attempts}, 2, 'the attempt that was interrupted counts');
is((posts('closed-crash'))[1]{to_address}, customer_address('closed-crash'), 'the repetition goes to the same customer');
is($node->safe_psql('postgres', 'SELECT count(*) FROM reengage.unresolved'), 0, 'nothing is unresolved');
ledger_matches_lineage($node, $simulator, 'after deaths: each has its effect once', honours_keys => 1);

# --- what the repetition is answered ----------------------------------------------------------

leave_unresolved('live-closes', 'notify', 'close_after');
leave_unresolved('live-was-lost', 'notify', 'close_before');
leave_unresolved('closed-refused', 'create', 'close_after');
leave_unresolved('live-busy', 'notify', 'close_after');
$simulator->clear_faults;
$simulator->control('POST', 'conversations', [ map { { id => $_, status => 'closed' } } qw(live-closes live-was-lost) ]);
$simulator->fault(verb => 'create', id => 'closed-refused', action => 'status', status => 422);
$simulator->fault(verb => 'notify', id => 'live-busy', action => 'status', status => 409, times => 2);
$node->safe_psql('postgres', 'BEGIN; UPDATE reengage.due SET due_at = now(); SELECT reengage_internal.wake(now()); COMMIT');
wait_until_ended($node);
is(outcome($node, 'live-closes'), 'notified - notify', 'the API remembers the key of a conversation that closed since');
is(outcome($node, 'live-was-lost'), 'in_doubt closed notify', 'a refusal of the repetition proves nothing');
is(verbs('live-was-lost'), 'check notify notify notify', 'and no create follows it');
is(outcome($node, 'closed-refused'), 'in_doubt http_422 create', 'not a refusal of the create either');
is(outcome($node, 'live-busy'), 'notified - notify', '409: the API is busy with the first, and is asked again');

# --- P7: one thread, one call ------------------------------------------------------------------

my $first = leave_unresolved('closed-thread', 'create', 'close_after');
my $looks = () = verbs('closed-thread') =~ /check/g;
is($node->safe_psql('postgres', "SELECT step, body::json -> 'to' ->> 'address' FROM reengage.preview('$first')"),
	'create|' . customer_address('closed-thread'), 'preview() shows the repetition and nothing else');
my $second = nudge($node, 'closed-thread');
wait_for(sub { $node->safe_psql('postgres', "SELECT hold_reason FROM reengage.due WHERE nudge_id = '$second'") =~ /of another nudge/ },
	'the second nudge of the thread waits');
is(() = verbs('closed-thread') =~ /check/g, $looks, 'and not even looks');
$simulator->clear_faults;
hasten($first);
wait_until_ended($node, where => "n.nudge_id = '$first'");
hasten($second);
wait_until_ended($node);
is(outcome($node, 'closed-thread'), 'session_created - create, notified - notify', 'P7: it speaks to the session of the first');

# --- a copy does not repeat what the original had on the wire -----------------------------------

my $copied = leave_unresolved('live-copied', 'notify', 'close_before');
$simulator->fault(verb => 'create', id => 'closed-on-the-wire', action => 'hang', times => 1);
$node->safe_psql('postgres', q{ALTER SERVER genesys OPTIONS (SET timeout '10min')});
nudge($node, 'closed-on-the-wire');
$simulator->wait_hanging(1);
my $dump = $node->basedir . '/dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump works');
$node->safe_psql('template1', 'CREATE DATABASE copy');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('copy'), $dump ], 'pg_restore works');
my $requests = () = $simulator->requests;
$node->safe_psql('copy', 'SELECT reengage.arm()');
$node->safe_psql('copy', 'CALL reengage.run()');
is(outcome($node, 'live-copied', database => 'copy'), 'in_doubt key_expired notify', 'a copy of what is unresolved: in doubt');
is(outcome($node, 'closed-on-the-wire', database => 'copy'), 'in_doubt interrupted create', 'a copy of an intent: in doubt');
is(scalar(() = $simulator->requests), $requests, 'the copy asked the API for nothing');
$simulator->clear_faults;
hasten($copied);
wait_until_ended($node);
is(outcome($node, 'live-copied'), 'notified - notify', 'the original goes on');
$node->safe_psql('postgres', q{ALTER SERVER genesys OPTIONS (SET timeout '5s')});

# --- there is an end to everything ---------------------------------------------------------------

$simulator->fault(verb => 'notify', id => 'live-late', action => 'status_after', status => 500);
nudge($node, 'live-late', expires_at => q(now() + '10 s'));
wait_until_ended($node);
like(outcome($node, 'live-late'), qr/^in_doubt (http_500|expired) notify$/, 'it expires while unresolved: in doubt');
my $expired = leave_unresolved('live-forgotten', 'notify', 'close_after');
my $changed = leave_unresolved('live-changed', 'notify', 'close_after');
$simulator->clear_faults;
$node->safe_psql('postgres', qq{UPDATE reengage.unresolved SET since = now() - interval '61 min' WHERE nudge_id = '$expired'});
hasten($expired);
wait_until_ended($node, where => "n.nudge_id = '$expired'");
is(outcome($node, 'live-forgotten'), 'in_doubt key_expired notify', 'the API may have forgotten the key: in doubt');
is(verbs('live-forgotten'), 'check notify notify', 'and it is not asked');
$node->safe_psql('postgres', q{ALTER SERVER genesys OPTIONS (SET idempotency 'none')});
hasten($changed);
wait_until_ended($node, where => "n.nudge_id = '$changed'");
is(outcome($node, 'live-changed'), 'in_doubt key_expired notify', 'the option was taken back: in doubt');
$node->safe_psql('postgres', q{ALTER SERVER genesys OPTIONS (SET idempotency 'key', SET max_attempts '2')});
$simulator->fault(verb => 'notify', id => 'live-broken', action => 'status_after', status => 500);
nudge($node, 'live-broken');
wait_until_ended($node);
is(outcome($node, 'live-broken'), 'in_doubt http_500 notify', 'attempts ran out: in doubt, not exhausted');
is(verbs('live-broken'), 'check notify notify', 'after the attempts it had');
ledger_matches_lineage($node, $simulator, 'at the end: each has its effect once', honours_keys => 1);

done_testing();
