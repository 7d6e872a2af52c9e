# CALL reengage.run(): all the work without a worker, and beside one.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for outcome
  due_row count_due health courier_pid process_is_alive start_psql finish_psql psql_stderr lasts promise
  ledger_matches_lineage);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main', init => { allows_streaming => 1 },
	conf => "max_connections = 30\nautovacuum = off\nmax_prepared_transactions = 2");
create_extension($node, $simulator);

sub run { my ($arguments, %options) = @_; return psql_stderr($node, "CALL reengage.run($arguments)", %options) }

# --- it does all the work --------------------------------------------------------------

like(health($node, 'worker'), qr/^absent: reengage is not in shared_preload_libraries/,
	'without preload the health view says that there is no worker, and why');
nudge($node, $_) for qw(live-1 closed-1 race-1 gone-1 continues-1);
is($simulator->verbs, '', 'an insert alone does nothing');
like(run(''), qr/NOTICE:  5 nudges ended: 1 notified, 2 session_created, 1 session_continued, 1 refused/,
	'run() delivers what is due and says what became of it');
is(count_due($node), 0, 'and leaves nothing');
like(run(''), qr/NOTICE:  0 nudges ended$/, 'run() with nothing to do says so');
$simulator->fault(verb => 'check', id => 'live-busy', action => 'status', status => 503, retry_after => '3600', times => 1);
nudge($node, 'live-busy');
like(run('max_seconds => 30'), qr/NOTICE:  0 nudges ended: 1 put off/, 'what is put off is counted');
like(due_row($node, 'live-busy')->{hold_reason}, qr/^retry after http_503/, 'and says why it waits');
like($node->safe_psql('postgres', q{
	SELECT state, reason FROM reengage.nudge_status WHERE requested_conversation_id = 'live-busy'}),
	qr/^due\|server resting: the API asked not to be called \(HTTP status 503\), not before /, 'nudge_status says that it is the whole server');

nudge($node, 'live-behind-busy');
run('');
is($simulator->verbs('id=live-behind-busy'), '', 'another session keeps to what the API said');
$simulator->clear_faults;
$node->safe_psql('postgres', q{ALTER SERVER genesys OPTIONS (ADD connect_timeout '4s'); TRUNCATE reengage.server_state});
run('');

# --- its limits ---------------------------------------------------------------------------

$node->safe_psql('postgres', q{
	INSERT INTO reengage.nudges (conversation_id, message, priority)
	SELECT 'live-limit-' || i, 'x', 0 FROM generate_series(1, 10) i});
like(run('max_nudges => 3'), qr/NOTICE:  3 nudges ended: 3 notified/, 'max_nudges limits the nudges');
is($simulator->counts->{notify}, 6, 'and the calls');
like(run('max_nudges => 0'), qr/NOTICE:  0 nudges ended$/, 'max_nudges 0 starts none');
like(run('max_seconds => 0'), qr/NOTICE:  0 nudges ended$/, 'nor does max_seconds 0');
like(run('max_seconds => -1'), qr/ERROR:  max_seconds must not be negative: -1/, 'a negative time is refused');
like(run('max_nudges => -1'), qr/ERROR:  max_nudges must not be negative: -1/, 'a negative number is refused');
$node->safe_psql('postgres', q{ALTER SERVER genesys OPTIONS (ADD max_in_flight '1')});
$simulator->set(latency_ms => 100);
$node->safe_psql('postgres', q{
	INSERT INTO reengage.nudges (conversation_id, message, priority)
	SELECT 'live-slow-' || i, 'x', 0 FROM generate_series(1, 40) i});
my $seconds = lasts(sub {
	like(run('max_seconds => 4'), qr/NOTICE:  \d+ nudges ended: \d+ notified/, 'max_seconds ends it');
});
promise($seconds, 6, 'after about that time');
is($node->safe_psql('postgres', q{SELECT count(*) FROM reengage.intents}), 0,
	'and not in the middle of a nudge');
cmp_ok(count_due($node), '>', 10, 'the others are still due');
$simulator->set(latency_ms => 0);
$node->safe_psql('postgres', q{ALTER SERVER genesys OPTIONS (SET max_in_flight '64')});
run('max_nudges => 100');

# --- where it cannot be called ---------------------------------------------------------------

like(psql_stderr($node, "BEGIN;\nCALL reengage.run();\nCOMMIT"),
	qr/ERROR:  reengage.run\(\) must be called outside of a transaction block/, 'not in a transaction block');
$node->safe_psql('postgres', q{
	CREATE FUNCTION public.call_run() RETURNS void LANGUAGE plpgsql AS 'BEGIN CALL reengage.run(); END'});
like(psql_stderr($node, 'SELECT public.call_run()'),
	qr/ERROR:  reengage.run\(\) must be called outside of a transaction block/, 'not in a function');
like(psql_stderr($node, "SET default_transaction_read_only = on;\nCALL reengage.run()"),
	qr/ERROR:  reengage.run\(\) cannot be called in a read-only transaction/, 'not in a read-only transaction');
nudge($node, 'live-do');
like(psql_stderr($node, 'DO $$BEGIN CALL reengage.run(max_nudges => 1); END$$'), qr/NOTICE:  1 nudge ended/,
	'a DO block outside of a transaction block is fine');
$node->safe_psql('postgres', 'SELECT reengage.disarm()');
nudge($node, 'live-fenced');
like(run(''), qr/ERROR:  reengage is not armed.*HINT:.*reengage.arm\(\)/s, 'not where it is not armed');
$node->safe_psql('postgres', 'SELECT reengage.arm()');
run('max_nudges => 1');
is(outcome($node, 'live-fenced'), 'notified - notify', 'once armed it goes on');

# --- who may call it ------------------------------------------------------------------------

$node->safe_psql('postgres', q{
	CREATE ROLE operator LOGIN IN ROLE reengage_operator;
	CREATE ROLE application LOGIN IN ROLE reengage_application;
	CREATE ROLE stranger LOGIN});
for my $role ('application', 'stranger')
{
	like(run('', psql => { extra_params => [ '-U', $role ] }),
		qr/ERROR:  permission denied for (schema reengage|procedure run)/, "a mere $role may not call run()");
}
is($node->safe_psql('postgres', q{INSERT INTO reengage.nudges (conversation_id, message)
		VALUES ('live-app', 'x') RETURNING 'inserted'}, extra_params => []), 'inserted', 'a nudge for the operator');
like(run('max_nudges => 1', psql => { extra_params => [ '-U', 'operator' ] }), qr/NOTICE:  1 nudge ended: 1 notified/,
	'an operator may, without being a superuser');
is($node->safe_psql('postgres', q{SELECT rolsuper FROM pg_roles WHERE rolname = 'operator'}), 'f',
	'which the operator is not');

# --- two at once -----------------------------------------------------------------------------

$simulator->fault(verb => 'check', id => 'live-hanging', action => 'hang', times => 1);
nudge($node, 'live-hanging');
my $running = start_psql($node, 'CALL reengage.run(max_nudges => 1)');
$simulator->wait_hanging(1);
is($node->safe_psql('postgres', q{
	SELECT backend_xmin IS NULL AND backend_xid IS NULL FROM pg_stat_activity
	WHERE query LIKE 'CALL reengage.run(%' AND pid <> pg_backend_pid()}), 't',
	'while a call hangs, run() holds no snapshot');
like(run(''), qr/NOTICE:  another session is dispatching nudges in this database/,
	'a second run() leaves the work to the first');
$simulator->clear_faults;
# libcurl repeats a GET whose reused connection died; if it does not, the nudge is put off
like(finish_psql($running), qr/NOTICE:  (1 nudge ended: 1 notified|0 nudges ended: 1 put off)/,
	'which ends when its call does');

# --- a cancel ---------------------------------------------------------------------------------

sub cancel_while_hanging
{
	my ($conversation, $verb) = @_;

	$simulator->fault(verb => $verb, id => $conversation, action => 'hang_after', times => 1);
	nudge($node, $conversation, priority => 0);
	my $session = start_psql($node, 'CALL reengage.run(max_nudges => 1)');
	$simulator->wait_hanging(1);
	my $backend = $node->safe_psql('postgres', q{
		SELECT pid FROM pg_stat_activity WHERE query LIKE 'CALL reengage.run(%' AND pid <> pg_backend_pid()});
	my $courier = courier_pid($backend);
	my $said;
	my $seconds = lasts(sub {
		$node->safe_psql('postgres', "SELECT pg_cancel_backend($backend)");
		$said = finish_psql($session);
	});

	like($said, qr/ERROR:  canceling statement due to user request/, "cancel: a run() whose $verb hangs is canceled");
	promise($seconds, 4, 'cancel: in time');
	ok(!process_is_alive($courier), 'cancel: its courier is gone');
	$simulator->clear_faults;
	return;
}

cancel_while_hanging('live-cancelled-look', 'check');
isnt(due_row($node, 'live-cancelled-look'), undef, 'cancel: a nudge that was only looked at is still due');
run('max_nudges => 1');
is(outcome($node, 'live-cancelled-look'), 'notified - notify', 'cancel: and delivered by the next run()');
cancel_while_hanging('live-cancelled-post', 'notify');
run('max_nudges => 0');
like(outcome($node, 'live-cancelled-post'), qr/^in_doubt \w+ notify$/,
	'cancel: a nudge whose POST was on the wire ends in doubt');
is($simulator->verbs('id=live-cancelled-post'), 'check notify', 'cancel: and is not sent again');

nudge($node, 'live-timeout', priority => 0);
$simulator->fault(verb => 'check', id => 'live-timeout', action => 'hang', times => 1);
like(psql_stderr($node, "SET statement_timeout = '500ms';\nCALL reengage.run(max_nudges => 1)"),
	qr/ERROR:  canceling statement due to statement timeout/, 'statement_timeout ends it as well');
$simulator->clear_faults;
run('max_nudges => 1');
is(outcome($node, 'live-timeout'), 'notified - notify', 'and nothing is lost by it');

# a slow POST is waited for, two seconds at most
$simulator->fault(verb => 'notify', id => 'live-slow-post', action => 'delay', ms => 1500, times => 1);
nudge($node, 'live-slow-post', priority => 0);
my $slow = start_psql($node, 'CALL reengage.run(max_nudges => 1)');
wait_for(sub { $simulator->requests('id=live-slow-post&verb=notify') }, 'the slow POST');
$node->safe_psql('postgres', q{
	SELECT pg_cancel_backend(pid) FROM pg_stat_activity
	WHERE query LIKE 'CALL reengage.run(%' AND pid <> pg_backend_pid()});
like(finish_psql($slow), qr/canceling statement/, 'cancel: the statement ends');
is(outcome($node, 'live-slow-post'), 'notified - notify', 'cancel: after the POST on the wire was answered and written down');

# a session that ends takes its courier with it
$simulator->fault(verb => 'check', id => 'live-terminated', action => 'hang', times => 1);
nudge($node, 'live-terminated', priority => 0);
my $terminated = start_psql($node, 'CALL reengage.run(max_nudges => 1)');
$simulator->wait_hanging(1);
my $backend = $node->safe_psql('postgres', q{
	SELECT pid FROM pg_stat_activity WHERE query LIKE 'CALL reengage.run(%' AND pid <> pg_backend_pid()});
my $courier = courier_pid($backend);
$node->safe_psql('postgres', "SELECT pg_terminate_backend($backend)");
finish_psql($terminated);
wait_for(sub { !process_is_alive($courier) }, 'the courier of a terminated session ends');
$simulator->clear_faults;
run('max_nudges => 1');
is(outcome($node, 'live-terminated'), 'notified - notify', 'a terminated session loses nothing');

# --- a standby -----------------------------------------------------------------------------------

nudge($node, 'live-on-standby');
$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->append_conf('postgresql.conf',
	"shared_preload_libraries = 'reengage'\nreengage.databases = 'postgres'");
my $standby_log = $standby->logfile;
$standby->start;
$node->wait_for_catchup('standby', 'replay', $node->lsn('write'));
like(psql_stderr($standby, 'CALL reengage.run()'), qr/ERROR:  (reengage.run\(\)|cannot execute CALL).* during recovery/,
	'run() on a standby is an error');
like(health($standby, 'worker'), qr/^standby: /, 'the health view of a standby says so');
like(health($standby, 'fence'), qr/^stopped: armed at another site/, 'and that it would be fenced');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'reengage%'}), 0,
	'and none does');
run('max_nudges => 1');
$node->wait_for_catchup('standby', 'replay', $node->lsn('write'));
is(outcome($standby, 'live-on-standby'), 'notified - notify', 'the outcome arrives on the standby');
is($simulator->verbs('id=live-on-standby'), 'check notify', 'the primary alone delivered it');
ledger_matches_lineage($node, $simulator, 'the ledger and the lineage agree');
$standby->stop;

# --- messages that wait for a synchronous standby, which is away ---------------------------------

$node->append_conf('postgresql.conf', "synchronous_standby_names = 'nobody'");
$node->reload;
wait_for(sub { $node->safe_psql('postgres', 'SHOW synchronous_standby_names') eq 'nobody' }, 'the setting is there');

# Does something to run() as soon as there is an intent, which waits for a second.
sub when_it_waits
{
	my ($what) = @_;
	return start_psql($node, qq{SET statement_timeout = '1min'; DO \$\$BEGIN
		WHILE NOT EXISTS (SELECT FROM reengage.intents) LOOP END LOOP;
		PERFORM $what(pid) FROM pg_stat_activity WHERE query LIKE '%CALL reengage.run(%' AND pid <> pg_backend_pid();
	END\$\$});
}

sub leaves_no_trace
{
	my ($conversation, $what) = @_;

	is($node->safe_psql('postgres', 'SELECT count(*) FROM reengage.intents'), 0, "$what: no intent is left");
	is($simulator->verbs("id=$conversation") =~ s/check ?//gr, '', "$what: no message has left");
	is((due_row($node, $conversation) // {})->{attempt}, 0, "$what: the nudge is due, as if it had never been tried");
	return;
}

{
	local $ENV{PGOPTIONS} = '-c synchronous_commit=local';
	for my $end (qw(pg_cancel_backend pg_terminate_backend))
	{
		nudge($node, "live-$end", priority => 0);
		my $waiting = start_psql($node, 'CALL reengage.run(max_nudges => 1)');
		finish_psql(when_it_waits($end));
		promise(lasts(sub { like(finish_psql($waiting), qr/canceling statement|terminating connection/, "$end: run() ends") }), 3, "$end: in time");
		leaves_no_trace("live-$end", $end);
		$node->safe_psql('postgres', "SELECT reengage.cancel(nudge_id) FROM reengage.nudges WHERE conversation_id = 'live-$end'");
	}
	nudge($node, 'live-at-a-timeout', priority => 0);
	my $said;
	promise(lasts(sub { $said = psql_stderr($node, "SET statement_timeout = '1s';\nCALL reengage.run()") }), 3, 'statement_timeout: run() ends in time');
	leaves_no_trace('live-at-a-timeout', 'statement_timeout');
	promise(lasts(sub { $said = run('max_seconds => 2') }), 3, 'run() keeps its time while the standby is away');
	like($said, qr/WARNING:  .*the synchronous standby does not confirm/, 'P14: and says so');
	leaves_no_trace('live-at-a-timeout', 'max_seconds');
}
$node->append_conf('postgresql.conf', "synchronous_standby_names = ''");
$node->reload;
wait_for(sub { $node->safe_psql('postgres', 'SHOW synchronous_standby_names') eq '' }, 'the setting is gone');
run('max_nudges => 1');
is(outcome($node, 'live-at-a-timeout'), 'notified - notify', 'it is back, and what was due goes out');
ledger_matches_lineage($node, $simulator, 'once');

# --- beside a worker --------------------------------------------------------------------------------

$node->append_conf('postgresql.conf', "shared_preload_libraries = 'reengage'\nreengage.databases = 'postgres'");
$node->restart;
ok($node->poll_query_until('postgres', q{SELECT state = 'running' FROM reengage_internal.worker_state()}),
	'preloaded, a worker runs');
# a prepared transaction commits in a session that knows nothing of its nudges
$node->safe_psql('postgres', q{
	BEGIN;
	SELECT reengage.nudge('live-prepared', 'x');
	PREPARE TRANSACTION 'p';
	COMMIT PREPARED 'p'});
like(run(''), qr/NOTICE:  the worker of this database is running and was woken/, 'run() leaves the work to the worker');
wait_until_ended($node, where => q(n.conversation_id = 'live-prepared'));
is(outcome($node, 'live-prepared'), 'notified - notify', 'and wakes it');

$node->stop;
done_testing();
