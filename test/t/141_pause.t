# Operators who pause a server, and servers that appear and change: with a running worker.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node sections set_credentials create_extension nudge wait_until_ended
  wait_for outcome due_row count_due health lasts promise start_psql finish_psql psql_stderr);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $simulator = start_simulator();
my $node = new_node('main', preload => 1, servers => [qw(genesys again other away)]);
create_extension($node, $simulator, server_options => "timeout '60s', max_requests_per_minute '0'");

sub sql { my ($statement) = @_; return $node->safe_psql('postgres', $statement); }

# Waits until the worker has looked at what was committed before: a nudge of
# another server, inserted now, has ended.
my $markers = 0;
sub worker_has_looked
{
	my $id = 'live-marker-' . ++$markers;

	nudge($node, $id, server => q('other'));
	return wait_until_ended($node, where => "n.conversation_id = '$id'");
}

# --- a server that appears, or changes, is seen at the commit ----------------------------------

# the sweep is off: nothing else would tell the worker
sql(qq{CREATE SERVER other FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}');
	CREATE SERVER again FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}')});
worker_has_looked();
nudge($node, 'live-dropped', server => q('again'), due_at => q(now() + '1 h'));
sql(q{BEGIN; DROP SERVER again; UPDATE reengage.due SET due_at = now() WHERE server = 'again'; SELECT reengage_internal.wake(now()); COMMIT});
worker_has_looked();
is($simulator->verbs('id=live-dropped'), '', 'nothing is called for a server that was dropped');
sql(qq{CREATE SERVER again FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}')});
wait_until_ended($node);
is(outcome($node, 'live-dropped'), 'notified - notify', 'CREATE SERVER wakes the worker');

nudge($node, 'live-renamed', server => q('again'), due_at => q(now() + '1 h'));
sql('ALTER SERVER again RENAME TO away');
worker_has_looked();
sql(q{UPDATE reengage.due SET due_at = now() WHERE server = 'again'});
sql('ALTER SERVER away RENAME TO again');
wait_until_ended($node);
is(outcome($node, 'live-renamed'), 'notified - notify', 'as does ALTER SERVER ... RENAME');

# --- pause and resume -----------------------------------------------------------------------------

sub requests_of { my ($id) = @_; return scalar(my @list = $simulator->requests("id=$id")); }

# for later: a server whose block grows longer meanwhile
$simulator->fault(verb => 'check', id => 'live-forbidden', action => 'forbidden');
sql(q{INSERT INTO reengage.nudges (server, conversation_id, message)
	SELECT 'again', 'live-forbidden-' || n, 'x' FROM generate_series(1, 2) n});
sub forbidden { return map { $_->{arrived_us} / 1e6 } grep { $_->{conversation_id} =~ /^live-forbidden/ } $simulator->requests('verb=check'); }

# a look, and a POST, that are answered only when the server is paused already
$simulator->fault(verb => $_, id => 'live-on-wire', action => 'delay', ms => 4000, times => 1) for qw(check notify);
nudge($node, 'live-on-wire');
wait_for(sub { requests_of('live-on-wire') == 1 }, 'a look is on the wire');
sql(q{SELECT reengage.pause('genesys', 'lunch')});
nudge($node, $_) for qw(live-paused closed-paused);
worker_has_looked();
like(health($node, 'server genesys'), qr/^paused: by \w+: lunch$/, 'P14: the health view says that it is paused, by whom and why');
wait_for(sub { sql('SELECT in_flight FROM reengage_internal.worker_state()') == 0 }, 'what is on the wire comes back');
worker_has_looked();
is($simulator->verbs('id=live-on-wire'), 'check', 'a look that was on the wire is not followed by a POST');
is(due_row($node, 'live-on-wire')->{attempt}, 0, 'its nudge stays due, without an attempt used up');
is($simulator->verbs('id=live-paused') . $simulator->verbs('id=closed-paused'), '', 'nothing is begun');
sql(q{SELECT reengage.resume('genesys')});
wait_for(sub { requests_of('live-on-wire') == 3 }, 'resume() wakes the worker, and a POST is on the wire');
sql(q{SELECT reengage.pause('genesys')});
wait_until_ended($node, where => q(n.conversation_id = 'live-on-wire'));
is(outcome($node, 'live-on-wire'), 'notified - notify', 'a POST that was on the wire is settled');

# run() in a session, which no worker tells of anything
my $runner = new_node('runner');
create_extension($runner, $simulator, server_options => "timeout '60s', max_in_flight '1'");
$simulator->fault(verb => 'notify', id => 'live-run-1', action => 'delay', ms => 4000);
nudge($runner, "live-run-$_", priority => $_) for 1 .. 3;
my $run = start_psql($runner, 'CALL reengage.run()');
wait_for(sub { requests_of('live-run-1') == 2 }, 'run() makes its first POST');
$runner->safe_psql('postgres', q{SELECT reengage.pause('genesys')});
finish_psql($run);
is(outcome($runner, 'live-run-1'), 'notified - notify', 'a pause is heeded by run(): what is on the wire is settled');
is($simulator->verbs('id=live-run-2') . $simulator->verbs('id=live-run-3'), '', 'and nothing is begun');
is(count_due($runner), 2, 'the others stay due');
$runner->safe_psql('postgres', q{SELECT reengage.resume('genesys')});
psql_stderr($runner, 'CALL reengage.run()');
is(count_due($runner), 0, 'and go out after resume()');
$runner->stop;

# --- changed options end a block at once ---------------------------------------------------------

# the fourth refusal, 5 and 10 s after the ones before, is followed by a pause of 20 s
wait_for(sub { scalar(my @tried = forbidden()) >= 4 }, 'a blocked server is tried again from time to time');
cmp_ok(requests_of("live-forbidden-$_"), '>=', 2, 'by another nudge each time') for 1 .. 2;
my $blocked = q{SELECT since FROM reengage.server_state WHERE server = 'again'};
my $since = sql($blocked);
sql(q{SELECT reengage.pause('again')});
worker_has_looked();
like(health($node, 'server again'), qr/^paused: by \w+; also blocked: the API refused to check/, 'a paused server may be blocked as well');
sql(q{SELECT reengage.resume('again')});
sql(q{ALTER SERVER other OPTIONS (ADD timeout '9s')});
worker_has_looked();
is(sql($blocked), $since, "another server's options are no cure");
$simulator->clear_faults;
my $altered = time;
sql(q{ALTER SERVER again OPTIONS (ADD timeout '9s')});
wait_until_ended($node, where => q(n.server = 'again'));
my ($tried) = grep { $_ >= $altered } forbidden();
promise($tried - $altered, 3, 'its own are: it is tried at once');
is(outcome($node, "live-forbidden-$_"), 'notified - notify', 'and its nudges go out') for 1 .. 2;

# --- a pause and a restart ------------------------------------------------------------------------

nudge($node, 'live-after-restart');
$node->restart;
worker_has_looked();
is($simulator->verbs('id=live-after-restart'), '', 'a pause survives a restart of the server');
like(sql(q{SELECT state || ' ' || reason FROM reengage.nudge_status WHERE requested_conversation_id = 'live-after-restart'}),
	qr/^due server paused by \w+$/, 'and nudge_status says so');
sql(q{SELECT reengage.resume('genesys')});
wait_until_ended($node);
is(outcome($node, 'live-after-restart'), 'notified - notify', 'then it goes on');

# --- credentials that are put right ------------------------------------------------------------------

sub credentials { my ($secret) = @_; return set_credentials($node, text => sections($secret, 'other')); }
sub refused { return scalar(grep { $_->{status} == 401 } $simulator->requests('verb=token')); }

credentials('wrong');
nudge($node, 'live-wrong', server => q('other'));
# nothing else goes on here, so that nothing else makes the worker look; the third try is 10 s after the second
wait_for(sub { refused() == 2 }, 'credentials that are refused are tried again');
promise(lasts(sub { credentials('secret'); wait_until_ended($node); }), 5, 'a changed file is seen before the next try');
is(outcome($node, 'live-wrong'), 'notified - notify', 'and is the cure');

$node->stop;
done_testing();
