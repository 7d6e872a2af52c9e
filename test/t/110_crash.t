# Processes that die at the worst moment: what is known afterwards, and what is
# never done twice.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge poll_until wait_until_ended wait_for lineage
  outcome due_row health worker_pid courier_pid process_is_alive log_size log_lines
  ledger_matches_lineage);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main', preload => 1, conf => "restart_after_crash = on\nautovacuum = off");
create_extension($node, $simulator);

# A look, a notification and a creation on the wire, of which nobody will tell;
# the effect of the POSTs has happened if the action says so.
sub put_on_the_wire
{
	my ($name, $action) = @_;

	$simulator->fault(verb => 'check', id => "live-$name-look", action => 'hang');
	$simulator->fault(verb => 'notify', id => "live-$name", action => $action);
	$simulator->fault(verb => 'create', id => "closed-$name", action => $action);
	nudge($node, "live-$name-look");
	nudge($node, "live-$name");
	nudge($node, "closed-$name");
	$simulator->wait_hanging(3);
	is($node->safe_psql('postgres', q{
		SELECT count(*) FROM reengage.intents i, unnest(i.nudge_ids) AS u (id) JOIN reengage.nudges n ON n.nudge_id = u.id
		WHERE n.conversation_id LIKE '%-} . $name . q{'}), 2,
		"$name: the intents of both POSTs are recorded, the look has none");
	return;
}

sub check_outcomes
{
	my ($name, $reason) = @_;

	$simulator->clear_faults;
	nudge($node, "live-$name-after");
	wait_until_ended($node, where => qq(n.conversation_id LIKE '%-$name%'));
	is(outcome($node, "live-$name"), "in_doubt $reason notify", "$name: the notification is in doubt");
	is(outcome($node, "closed-$name"), "in_doubt $reason create", "$name: the creation is in doubt");
	is($simulator->verbs("id=live-$name&verb=notify"), 'notify', "$name: there was one notification and no second");
	is($simulator->verbs("id=closed-$name&verb=create"), 'create', "$name: there was one creation and no second");
	is(outcome($node, "live-$name-look"), 'notified - notify',
		"$name: the look was made again, and its nudge delivered");
	is(outcome($node, "live-$name-after"), 'notified - notify', "$name: later nudges are delivered");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM reengage.intents'), 0, "$name: no intent is left");
	return;
}

my $postmaster = $node->{_pid};
my $offset = log_size($node);

# --- the courier dies ------------------------------------------------------------------

nudge($node, 'live-before');
wait_until_ended($node);
my $worker = worker_pid($node);
my $courier = courier_pid($worker);
put_on_the_wire('killed-courier', 'hang_after');
kill 'KILL', $courier;
check_outcomes('killed-courier', 'courier_lost');
my $next = courier_pid($worker);
ok($next && $next != $courier, 'the worker has another courier');
is(worker_pid($node), $worker, 'and is still the same worker');
is(health($node, 'doubt'), 'attention: 2 nudges ended in doubt: their call may or may not have taken effect',
	'the health view counts what is in doubt');

# of a courier that dies as nothing is on the wire, nobody needs to know
kill 'KILL', $next;
wait_for(sub { (courier_pid($worker) // $next) != $next }, 'a courier after an idle one');
nudge($node, 'live-idle-courier');
wait_until_ended($node, where => q(n.conversation_id = 'live-idle-courier'));
is(outcome($node, 'live-idle-courier'), 'notified - notify', 'an idle courier that dies is replaced');

# looks are repeated, whatever becomes of the courier
$simulator->fault(verb => 'check', id => 'live-segv', action => 'hang', times => 3);
nudge($node, "live-segv-$_") for 1 .. 3;
$simulator->wait_hanging(3);
kill 'SEGV', courier_pid($worker);
wait_until_ended($node, where => q(n.conversation_id LIKE 'live-segv-%'));
is(join(' ', map { outcome($node, "live-segv-$_") } 1 .. 3), join(' ', ('notified - notify') x 3),
	'nudges whose look was cut off by a segmentation fault of the courier are delivered');
is($simulator->verbs('id=live-segv-1'), 'check check notify', 'after a second look');
is(scalar log_lines($node, $offset, qr/(terminated by signal|crash|reinitializ|recovery)/), 3,
	'the log has one line for each courier that died')
  or diag(join "\n", log_lines($node, $offset, qr/(terminated by signal|crash|reinitializ|recovery)/));
is($node->{_pid}, $postmaster, 'the server');
is($node->safe_psql('postgres', q{SELECT pg_postmaster_start_time() < min(requested_at) FROM reengage.nudges}), 't',
	'has been up all the time');

# --- doubt holds back the next creation, and only that ------------------------------------

nudge($node, 'closed-killed-courier');
wait_for(sub { (due_row($node, 'closed-killed-courier')->{hold_reason} // '') =~ /in doubt/ }, 'a held nudge');
like(due_row($node, 'closed-killed-courier')->{hold_reason}, qr/an earlier create on this conversation is in doubt/,
	'a nudge of a conversation whose creation is in doubt is held, and says why');
is($simulator->verbs('id=closed-killed-courier&verb=create'), 'create', 'and makes no POST');
is(due_row($node, 'closed-killed-courier')->{attempt}, 0, 'nor does it use up an attempt');
nudge($node, 'live-killed-courier');
wait_until_ended($node, where => q(n.conversation_id = 'live-killed-courier'));
is(outcome($node, 'live-killed-courier'), 'in_doubt courier_lost notify, notified - notify',
	'a notification in doubt does not hold back the next one');

# --- the server is stopped without a chance to say good-bye ----------------------------------

for my $case ([ 'stopped-before-effect', 'hang' ], [ 'stopped-after-effect', 'hang_after' ])
{
	my ($name, $action) = @$case;

	put_on_the_wire($name, $action);
	$courier = courier_pid(worker_pid($node));
	$node->stop('immediate');
	wait_for(sub { !process_is_alive($courier) }, 'the courier goes with the server');
	$node->start;
	check_outcomes($name, 'interrupted');
}
is((lineage($node, q(l.requested_conversation_id = 'closed-stopped-before-effect')))[0]{conversation_id},
	'closed-stopped-before-effect', 'in doubt, the customer is still where he was');

# --- a worker is killed, which restarts the cluster ---------------------------------------------

$worker = worker_pid($node);
$courier = courier_pid($worker);
put_on_the_wire('killed-worker', 'hang_after');
kill 'KILL', $worker;
wait_for(sub { !process_is_alive($courier) }, 'the courier goes with the worker');
ok(poll_until($node, 'postgres',
	q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'reengage worker'}),
	'after the restart of the cluster there is a worker');
check_outcomes('killed-worker', 'interrupted');
isnt(worker_pid($node), $worker, 'it is another one');

# --- the courier, or all, is killed between a refused notification and the creation -------------------

$simulator->fault(verb => 'create', id => 'race-', action => 'hang_after');
nudge($node, 'race-killed');
$simulator->wait_hanging(1);
kill 'KILL', courier_pid(worker_pid($node));
wait_until_ended($node, where => q(n.conversation_id = 'race-killed'));
is(outcome($node, 'race-killed'), 'in_doubt courier_lost create', 'the doubt is about the last call');
is($simulator->verbs('id=race-killed'), 'check notify create', 'which was made once');
is((lineage($node, q(l.requested_conversation_id = 'race-killed')))[0]{called_at}, undef,
	'and nobody knows when it left: not when the notification did');

$simulator->wait_hanging(0);
nudge($node, 'race-stopped');
$simulator->wait_hanging(1);
$node->stop('immediate');
$node->start;
$simulator->clear_faults;
wait_until_ended($node, where => q(n.conversation_id LIKE 'race-%'));
is(outcome($node, 'race-stopped'), 'in_doubt interrupted create', 'nor is another one forgotten when all is killed');
is($simulator->verbs('id=race-stopped'), 'check notify create', 'which was made once, too');

# --- many on the wire ------------------------------------------------------------------------------

$simulator->fault(verb => 'notify', id => 'live-many', action => 'hang_after', rate => 0.5);
$simulator->set(latency_ms => 5);
$node->safe_psql('postgres', q{
	INSERT INTO reengage.nudges (conversation_id, message)
	SELECT CASE WHEN i % 2 = 0 THEN 'live-many-' ELSE 'closed-many-' END || i, 'x' FROM generate_series(1, 1000) i});
for my $round (1 .. 2)
{
	wait_for(sub { $simulator->counts->{hanging} >= 5 }, 'some calls hang');
	kill 'KILL', courier_pid(worker_pid($node));
	wait_for(sub { $simulator->counts->{hanging} == 0 }, 'the API notices');
}
wait_for(sub { $simulator->counts->{hanging} >= 5 }, 'some calls hang again');
$node->stop('immediate');
$node->start;
$simulator->clear_faults;
wait_until_ended($node, where => q(n.conversation_id LIKE '%-many-%'));
cmp_ok($node->safe_psql('postgres', q{
	SELECT count(*) FROM reengage.lineage WHERE outcome = 'in_doubt' AND requested_conversation_id LIKE '%many%'}),
	'>', 5, 'among hundreds of nudges, those on the wire are in doubt');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM reengage.lineage WHERE requested_conversation_id LIKE '%many%'}), 1000,
	'and all have one outcome');
ledger_matches_lineage($node, $simulator, 'P5: after all these deaths, no nudge had two effects');

$node->stop;
done_testing();
