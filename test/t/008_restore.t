# P12: copies of a database stay silent until they are armed, and then do not
# repeat what was done.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for lineage
  outcome health worker_pid psql_stderr);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main', preload => 1);
create_extension($node, $simulator);

# --- a past: delivered, in doubt, on the wire, due, due later ------------------------------

nudge($node, $_) for qw(live-done closed-done gone-done);
wait_until_ended($node);
$simulator->fault(verb => 'create', id => 'closed-doubt', action => 'close_after');
nudge($node, 'closed-doubt');
wait_until_ended($node);
$simulator->fault(verb => 'notify', id => 'live-on-the-wire', action => 'hang_after');
nudge($node, 'live-on-the-wire');
$simulator->wait_hanging(1);
$simulator->fault(verb => 'check', id => 'live-due', action => 'status', status => 503, retry_after => '3600');
nudge($node, 'live-due');
nudge($node, 'closed-due', due_at => q(now() + '2 h'));
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM reengage.due WHERE attempt = 1});
my $original = $node->safe_psql('postgres', 'SELECT * FROM reengage.lineage ORDER BY lineage_id');

# --- a dump, restored beside the original -----------------------------------------------------

my $dump = $node->basedir . '/dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump works');
my $requests = scalar $simulator->requests;
$node->safe_psql('template1', 'CREATE DATABASE restored');
$node->safe_psql('postgres', q{ALTER SYSTEM SET reengage.databases = 'postgres, restored'});
$node->reload;
wait_for(sub { worker_pid($node, 'restored') }, 'a worker waits in the new database');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('restored'), $dump ], 'pg_restore works');
is($node->safe_psql('restored', 'SELECT * FROM reengage.lineage ORDER BY lineage_id'), $original,
	'the lineage is restored as it was');
ok($node->poll_query_until('restored', q{SELECT state = 'fenced' FROM reengage.worker_state()}),
	'the worker of the copy stands at the fence');
is(health($node, 'fence', 'restored'), 'stopped: not armed: nothing is sent', 'and the health view says so');
nudge($node, 'live-new-in-copy', database => 'restored');
psql_stderr($node, 'CALL reengage.run()', database => 'restored');
nudge($node, 'live-marker');
wait_until_ended($node, where => q(n.conversation_id = 'live-marker'));
is(scalar(grep { $_->{conversation_id} ne 'live-marker' } ($simulator->requests)[ $requests .. $requests + 1 ]), 0,
	'P12: from the copy comes no request');
is(scalar $simulator->requests, $requests + 2, 'P12: really none');
is($node->safe_psql('restored', q{
	SELECT string_agg(n.conversation_id, ' ' ORDER BY n.conversation_id) FROM reengage.due d JOIN reengage.nudges n USING (nudge_id)}),
	'closed-due live-due live-new-in-copy live-on-the-wire', 'due in the copy is what has no outcome');

# --- armed, it does not repeat what was done ------------------------------------------------------

# the original must not send the same ones meanwhile
$node->safe_psql('postgres', 'SELECT reengage.disarm()');
$simulator->clear_faults;
ok($node->poll_query_until('postgres', q{
	SELECT count(*) = 1 FROM reengage.lineage WHERE requested_conversation_id = 'live-on-the-wire'}),
	'a disarmed database still writes down what comes back from the wire');
$requests = scalar $simulator->requests;
$node->safe_psql('restored', 'SELECT reengage.arm()');
wait_until_ended($node, database => 'restored', where => q(n.conversation_id <> 'closed-due'));
is(outcome($node, 'live-on-the-wire', database => 'restored'), 'in_doubt interrupted notify',
	'P5: what was on the wire when the dump was taken is in doubt in the copy');
is(outcome($node, 'live-due', database => 'restored'), 'notified - notify', 'what was due is delivered');
is(outcome($node, 'live-new-in-copy', database => 'restored'), 'notified - notify', 'as is what is new');
my %asked = map { $_->{conversation_id} => 1 } grep { $_->{verb} ne 'token' }
  ($simulator->requests)[ $requests .. scalar($simulator->requests) - 1 ];
is(join(' ', sort keys %asked), 'live-due live-new-in-copy', 'P12: and nothing that has an outcome is sent again');
is(scalar(lineage($node, q(l.requested_conversation_id LIKE '%-done'), database => 'restored')), 3,
	'nor has it a second outcome');
is($simulator->verbs('id=live-due&verb=notify'), 'notify', 'what was due in both was sent once');
is($node->safe_psql('restored', q{SELECT l.address_hash = o.address_hash FROM reengage.lineage l, reengage.lineage o
	WHERE l.requested_conversation_id = 'closed-done' AND o.requested_conversation_id = 'closed-done'}), 't',
	'hashes of addresses keep their key');

# the thread goes on where it was
nudge($node, 'closed-done', database => 'restored');
wait_until_ended($node, database => 'restored', where => q(n.conversation_id = 'closed-done'));
is(outcome($node, 'closed-done', database => 'restored'), 'session_created - create, notified - notify',
	'the copy knows the threads of the original');
nudge($node, 'closed-doubt', database => 'restored');
ok($node->poll_query_until('restored', q{SELECT count(*) = 1 FROM reengage.due WHERE waiting_for LIKE '%in doubt%'}),
	'and its doubts');

# --- a copy by CREATE DATABASE ... TEMPLATE ----------------------------------------------------------

$node->safe_psql('postgres', 'SELECT reengage.arm()');
$node->safe_psql('postgres', q{ALTER SYSTEM SET reengage.databases = ''});
$node->reload;
ok($node->poll_query_until('template1',
	q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'reengage worker'}), 'all workers are gone');
nudge($node, 'live-before-copy');
$node->safe_psql('template1', 'CREATE DATABASE copied TEMPLATE postgres');
$requests = scalar $simulator->requests;
$node->safe_psql('postgres', q{ALTER SYSTEM SET reengage.databases = 'postgres, copied'});
$node->reload;
ok($node->poll_query_until('copied', q{SELECT state = 'fenced' FROM reengage.worker_state()}),
	'the worker of a template copy stands at the fence');
like(health($node, 'fence', 'copied'), qr/^stopped: armed in another database \(oid \d+, here \d+\): this is a copy/,
	'because it was armed as another database');
wait_until_ended($node, where => q(n.conversation_id = 'live-before-copy'));
is(outcome($node, 'live-before-copy'), 'notified - notify', 'the original goes on');
is($simulator->verbs('id=live-before-copy'), 'check notify', 'P12: alone');
is(outcome($node, 'live-before-copy', database => 'copied'), '', 'the copy has done nothing');
$node->safe_psql('copied', 'SELECT reengage.arm()');
wait_until_ended($node, database => 'copied', where => q(n.conversation_id = 'live-before-copy'));
is(outcome($node, 'live-before-copy', database => 'copied'), 'notified - notify', 'armed, the copy sends what it has due');
is(join(' ', sort grep { /-(done|doubt)/ } map { $_->{conversation_id} } ($simulator->requests)[ $requests .. scalar($simulator->requests) - 1 ]),
	'', 'P12: and nothing that has an outcome');

# --- disarm stops it ------------------------------------------------------------------------------------

$simulator->fault(verb => 'check', id => 'live-checking', action => 'delay', ms => 700);
$simulator->fault(verb => 'notify', id => 'live-notifying', action => 'delay', ms => 700);
nudge($node, $_, database => 'copied') for qw(live-checking live-notifying);
wait_for(sub { $simulator->verbs('id=live-notifying&verb=notify') && $simulator->verbs('id=live-checking') }, 'both are on the wire');
$node->safe_psql('copied', 'SELECT reengage.disarm()');
nudge($node, 'live-after-disarm', database => 'copied');
wait_until_ended($node, database => 'copied', where => q(n.conversation_id = 'live-notifying'));
is(outcome($node, 'live-notifying', database => 'copied'), 'notified - notify', 'disarm: a POST on the wire is written down');
ok($node->poll_query_until('copied', q{SELECT in_flight = 0 FROM reengage.worker_state()}), 'disarm: nothing is left in flight');
is($simulator->verbs('id=live-checking'), 'check', 'disarm: after a look no POST follows');
is($simulator->verbs('id=live-after-disarm'), '', 'disarm: nothing new begins');
is($node->safe_psql('copied', q{SELECT count(*) FROM reengage.due d JOIN reengage.nudges n USING (nudge_id)
	WHERE n.conversation_id IN ('live-checking', 'live-after-disarm')}), 2, 'disarm: what was not sent is still due');
$node->safe_psql('copied', 'SELECT reengage.arm()');
wait_until_ended($node, database => 'copied', where => q(n.conversation_id IN ('live-checking', 'live-after-disarm')));
is($simulator->verbs('id=live-checking&verb=notify') . ' ' . $simulator->verbs('id=live-after-disarm&verb=notify'),
	'notify notify', 'armed again, both are sent, once');

$node->stop;
done_testing();
