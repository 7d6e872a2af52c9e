# A database that is configured against us, triggers that swallow or refuse
# outcomes, names that change hands, a standby that does not answer.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for lineage
  outcome count_due health worker_pid courier_pid process_is_alive);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator('--close-after-looks', 0);
my $node = new_node('main', preload => 1, init => { allows_streaming => 1 }, conf => 'autovacuum = off');
create_extension($node, $simulator);

# ---- settings that would hurt a tick -----------------------------------------

$node->safe_psql('postgres', q{
	CREATE SCHEMA evil;
	CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT '2001-01-01'::timestamptz $$;
	CREATE FUNCTION evil.unnest(uuid[]) RETURNS SETOF uuid LANGUAGE sql AS $$ SELECT NULL::uuid $$;
	ALTER DATABASE postgres SET search_path = evil, pg_catalog;
	ALTER DATABASE postgres SET synchronous_commit = off;
	ALTER DATABASE postgres SET default_transaction_isolation = serializable;
	ALTER DATABASE postgres SET default_transaction_read_only = on;
	ALTER DATABASE postgres SET statement_timeout = 1;
	ALTER DATABASE postgres SET lock_timeout = 1;
	ALTER DATABASE postgres SET idle_in_transaction_session_timeout = 1;
	ALTER DATABASE postgres SET datestyle = 'German';
	ALTER DATABASE postgres SET timezone = 'Asia/Kathmandu';
	ALTER DATABASE postgres SET client_encoding = 'LATIN1';
	ALTER DATABASE postgres SET exit_on_error = on;
	ALTER DATABASE postgres SET enable_indexscan = off;
	ALTER DATABASE postgres SET enable_nestloop = off;
	ALTER ROLE reengage_worker SET search_path = evil, pg_catalog;
});
{
	# the test's own sessions are spared
	local $ENV{PGOPTIONS} = '-c default_transaction_read_only=off -c statement_timeout=0 -c lock_timeout=0'
	  . ' -c search_path=public -c exit_on_error=off -c enable_indexscan=on';
	my $old_worker = worker_pid($node);
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($old_worker)");
	wait_for(sub { my $pid = worker_pid($node); $pid && $pid ne $old_worker }, 'the worker is back with the settings');
	nudge($node, 'live-settings');
	nudge($node, 'closed-settings');
	wait_until_ended($node, where => "n.conversation_id LIKE '%-settings'");
	is(outcome($node, 'live-settings'), 'notified - notify', 'settings of the database do not reach a tick');
	is(outcome($node, 'closed-settings'), 'session_created - create', 'nor a creation');
	$node->safe_psql('postgres', 'ALTER DATABASE postgres RESET ALL; ALTER ROLE reengage_worker RESET ALL; DROP SCHEMA evil CASCADE');
}

# ---- triggers on the lineage --------------------------------------------------

$node->safe_psql('postgres', q{
	CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
	CREATE TRIGGER swallow BEFORE INSERT ON reengage.lineage FOR EACH ROW
		WHEN (NEW.requested_conversation_id = 'live-swallowed') EXECUTE FUNCTION swallow();
	GRANT EXECUTE ON FUNCTION swallow() TO reengage_worker;
});
nudge($node, 'live-swallowed');
wait_for(sub { health($node, 'worker') =~ /keeps outcomes from being stored/ }, 'a swallowed outcome shows in health');
is(scalar $simulator->effects('id=live-swallowed'), 1, 'what is swallowed is not sent again');
$node->safe_psql('postgres', 'DROP TRIGGER swallow ON reengage.lineage');
wait_until_ended($node, where => "n.conversation_id = 'live-swallowed'");
is(outcome($node, 'live-swallowed'), 'notified - notify', 'without the trigger the outcome is stored');
is(scalar $simulator->effects('id=live-swallowed'), 1, 'and was sent once');

$node->safe_psql('postgres', q{
	CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not this one'; END $$;
	CREATE TRIGGER refuse BEFORE INSERT ON reengage.lineage FOR EACH ROW
		WHEN (NEW.requested_conversation_id = 'live-refused') EXECUTE FUNCTION refuse();
	GRANT EXECUTE ON FUNCTION refuse() TO reengage_worker;
});
nudge($node, $_) for 'live-before', 'live-refused', 'live-after';
wait_until_ended($node, where => "n.conversation_id IN ('live-before', 'live-after')");
pass('a row that is refused does not hold up the others');
is(count_due($node), 1, 'its nudge is not lost');
$node->safe_psql('postgres', 'DROP TRIGGER refuse ON reengage.lineage');
$node->safe_psql('postgres', q{SELECT reengage_internal.wake('-infinity')});
$node->append_conf('postgresql.conf', 'reengage.sweep_interval = 1s');
$node->reload;
wait_until_ended($node, where => "n.conversation_id = 'live-refused'");
is(outcome($node, 'live-refused'), 'in_doubt sqlstate_P0001 notify', 'it is stored, honestly, once it can be');
is(scalar $simulator->effects('id=live-refused'), 1, 'and was sent once');

# ---- a name that changes hands -------------------------------------------------

$node->safe_psql('postgres', qq{
	CREATE SERVER passing FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}', auth 'none', max_requests_per_minute '0', max_failures '0');
	CREATE FOREIGN DATA WRAPPER other;
});
nudge($node, 'live-passing', server => "'passing'", due_at => "'2099-01-01 00:00Z'");
my $postmaster = $node->{_pid};
my $worker = worker_pid($node);
$node->safe_psql('postgres', 'DROP SERVER passing; CREATE SERVER passing FOREIGN DATA WRAPPER other');
nudge($node, 'live-still-there');
wait_until_ended($node, where => "n.conversation_id = 'live-still-there'");
is(worker_pid($node), $worker, 'a server of another wrapper with a known name does not hurt the worker');
like(health($node, 'backlog of server passing'), qr/does not exist/, 'what is due for the old one is shown');
my ($result, $stdout, $stderr) = $node->psql('postgres',
	q{SELECT reengage.preview(nudge_id) FROM reengage.nudges WHERE conversation_id = 'live-passing'});
like($stderr, qr/server "passing" of the nudge does not exist/, 'preview() says so, too');

# ---- two threads that the API leads into one ------------------------------------

$node->safe_psql('postgres', q{
	INSERT INTO reengage.lineage (nudge_id, server, outcome, requested_conversation_id, conversation_id,
		previous_conversation_id, root_conversation_id, generation, attempts, api_calls, api_calls_saved,
		requested_at, due_at, occurred_at)
	SELECT gen_random_uuid(), 'genesys', 'session_created', id, 'closed-merged', id, id, 1, 1, 2, 0, now(), now(), now()
	FROM unnest(ARRAY['closed-m1', 'closed-m2']) id;
	INSERT INTO reengage.nudges (server, conversation_id, message)
	SELECT 'genesys', id, 'hi' FROM unnest(ARRAY['closed-m1', 'closed-m2', 'closed-m1', 'closed-m2']) id;
});
wait_until_ended($node, where => "n.conversation_id IN ('closed-m1', 'closed-m2')");
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM reengage.lineage WHERE previous_conversation_id = 'closed-merged'}), 1,
	'a conversation that two threads lead to has one successor');
is($node->safe_psql('postgres', q{
	SELECT string_agg(DISTINCT outcome, ' ') FROM reengage.lineage
	WHERE requested_conversation_id IN ('closed-m1', 'closed-m2')}), 'session_created',
	'and all nudges of both went on behind it');

# ---- locks ---------------------------------------------------------------------

my $stranger = $node->background_psql('postgres');
$stranger->query_safe(q{SELECT pg_advisory_lock(x'7265656e'::int, 1)});
$node->restart;
nudge($node, 'live-locked');
wait_until_ended($node, where => "n.conversation_id = 'live-locked'");
is(outcome($node, 'live-locked'), 'notified - notify', 'no advisory lock of a session can stop the worker');
$stranger->{run}->kill_kill;

# ---- a courier that hangs --------------------------------------------------------

$node->safe_psql('postgres', q{ALTER SERVER genesys OPTIONS (ADD timeout '2s')});
nudge($node, 'live-warm');
wait_until_ended($node, where => "n.conversation_id = 'live-warm'");
my $courier = courier_pid(worker_pid($node));
kill 'STOP', $courier;
nudge($node, 'live-hanging');
wait_until_ended($node, where => "n.conversation_id = 'live-hanging'");
is(outcome($node, 'live-hanging'), 'notified - notify', 'a courier that hangs is replaced');
ok(!process_is_alive($courier), 'and does not live on');

# ---- a synchronous standby that does not answer ------------------------------------

$node->append_conf('postgresql.conf', "synchronous_standby_names = 'nobody'");
$node->reload;
wait_for(sub { $node->safe_psql('postgres', 'SHOW synchronous_standby_names') eq 'nobody' }, 'the setting is there');
{
	local $ENV{PGOPTIONS} = '-c synchronous_commit=local';
	nudge($node, 'live-unconfirmed');
	nudge($node, 'closed-unconfirmed');
	wait_for(sub { $node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_user_tables
		WHERE relid = 'reengage.intents'::regclass AND n_tup_ins > 0}) == 1 }, 'intents were recorded here');
	$worker = worker_pid($node);
	$node->safe_psql('postgres', "SELECT pg_cancel_backend($worker)");
	wait_for(sub { health($node, 'worker') =~ /the synchronous standby does not confirm/ }, 'the health view says that the standby is away');
	is(scalar $simulator->effects('id=live-unconfirmed') + $simulator->effects('id=closed-unconfirmed'), 0,
		'no POST leaves before the standby confirmed its intent, whoever cancels what');
	unlike($simulator->verbs('id=live-unconfirmed'), qr/notify/, 'at most it was looked at');
}
$node->append_conf('postgresql.conf', "synchronous_standby_names = ''");
$node->reload;
wait_until_ended($node, where => "n.conversation_id LIKE '%-unconfirmed'");
is(outcome($node, 'live-unconfirmed'), 'notified - notify', 'without a standby to wait for, it leaves');
is(scalar $simulator->effects('id=live-unconfirmed'), 1, 'once');

$node->stop('fast');
is(scalar(grep { /PANIC|segfault|terminated by signal/ } split /\n/, PostgreSQL::Test::Utils::slurp_file($node->logfile)), 0,
	'nothing crashed');
done_testing();
