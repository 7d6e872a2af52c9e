# Transactions that somebody leaves open: nobody's lock stops the others.
use strict;
use warnings FATAL => 'all';

use Reengage qw(:DEFAULT start_simulator new_node create_extension wait_for nudge poll_until wait_until_ended
  outcome health lasts promise ledger_matches_lineage log_size log_lines worker_pid
  psql_stderr start_psql finish_psql);
use Test::More;

my $simulator = start_simulator();
my $node = new_node('locks', preload => 1, servers => [ 'genesys', 'other', 'keyed' ]);

create_extension($node, $simulator);
$node->safe_psql('postgres', qq{
	CREATE SERVER other FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}', max_requests_per_minute '0', max_failures '0');
	CREATE ROLE shop LOGIN;
	CREATE ROLE bank LOGIN;
	GRANT reengage_application TO shop, bank;
	GRANT USAGE ON FOREIGN SERVER genesys TO shop, bank;
});

# Many nudges by one statement.
sub ask
{
	my ($campaign, $count, %options) = @_;

	$node->safe_psql('postgres', ($options{role} ? "SET ROLE $options{role};" : '') . qq{
		INSERT INTO reengage.nudges (conversation_id, message, campaign, priority)
		SELECT 'live-$campaign-' || i, 'hi', '$campaign', @{[ $options{priority} // 5 ]}
		FROM generate_series(1, $count) i});
}

# They are due, but not before somebody has locked them.
sub pause_it { $node->safe_psql('postgres', "SELECT reengage.pause('genesys')"); return; }
sub resume_it { $node->safe_psql('postgres', "SELECT reengage.resume('genesys')"); return; }

# What the nudges of a campaign wait for.
sub reasons
{
	my ($campaign) = @_;
	return $node->safe_psql('postgres',
		"SELECT DISTINCT state || ': ' || coalesce(reason, '-') FROM reengage.nudge_status WHERE campaign = '$campaign'");
}

sub others_go_out
{
	my ($campaign, $what) = @_;

	promise(lasts(sub {
		ask($campaign, 20, priority => 0);
		wait_until_ended($node, where => "n.campaign = '$campaign'");
	}), 1, $what);
}

# --- an application that cancels, and leaves its transaction open -------------

my $shop = $node->background_psql('postgres');
$shop->query_safe('SET ROLE shop');
pause_it();
ask('spring', 64, role => 'shop');
$shop->query_safe('BEGIN');
is($shop->query_safe("SELECT count(reengage.cancel(nudge_id)) FROM reengage.nudge_status WHERE campaign = 'spring'"),
	64, 'an application cancels 64 nudges, and leaves its transaction open');
resume_it();
others_go_out('urgent', 'others go out meanwhile');
is(reasons('spring'), 'due: a cancellation that has not been committed', 'nudge_status says what they wait for');
is(scalar(grep { $_->{verb} ne 'token' } $simulator->requests), 40, 'nothing is looked at that is being cancelled');
$shop->query_safe('ROLLBACK');
promise(lasts(sub { wait_until_ended($node) }), 3, 'it is rolled back, and they go out');
is(scalar $simulator->effects, 84, 'once each');

# --- those whose look is under way ----------------------------------------------

$simulator->fault(verb => 'check', action => 'hang', times => 64);
ask('looked', 64, role => 'shop');
$simulator->wait_hanging(64);
$shop->query_safe('BEGIN');
$shop->query_safe("SELECT count(reengage.cancel(nudge_id)) FROM reengage.nudge_status WHERE campaign = 'looked' AND requested_conversation_id ~ '[02468]\$'");
$shop->query_safe('SAVEPOINT others');
$shop->query_safe("SELECT count(reengage.cancel(nudge_id)) FROM reengage.nudge_status WHERE campaign = 'looked'");
$simulator->clear_faults;
ask('also', 20, priority => 0);
promise(lasts(sub { wait_until_ended($node, where => "n.campaign = 'also'") }), 3,
	'looks that are in vain give up their places in flight');
$shop->query_safe('ROLLBACK TO others; COMMIT');
promise(lasts(sub { wait_until_ended($node) }), 3, 'they end');
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT state || ' ' || (requested_conversation_id ~ '[02468]$'), ', ') FROM reengage.nudge_status WHERE campaign = 'looked'}),
	'cancelled true, notified false', 'as cancelled, or with their message, where that was rolled back');

# --- those whose customer only the look tells ------------------------------------

$shop->query_safe('SET client_min_messages = warning');
$shop->query_safe('BEGIN');
$shop->query_safe("SELECT * FROM reengage.suppress(address => '" . Reengage::customer_address('live-told') . "', channel => 'sms')");
nudge($node, 'live-told', campaign => "'told'");
poll_until($node, 'postgres', "SELECT hold_reason ~ 'being recorded' AND address_hash IS NOT NULL FROM reengage.due");
cmp_ok($node->safe_psql('postgres', 'SELECT extract(epoch FROM due_at - now()) FROM reengage.due'), '<=', 1,
	'whose customer is locked is asked for again in a second');
others_go_out('untold', 'others go out meanwhile');
$shop->query_safe('ROLLBACK');
promise(lasts(sub { wait_until_ended($node) }), 3, 'it goes out soon after the end of that transaction');
is($simulator->verbs('id=live-told'), 'check check notify', 'and cost one look more');

# --- a campaign of many, some of them of others ------------------------------------

$shop->query_safe('RESET ROLE');
pause_it();
ask('summer', 300);
$shop->query_safe('BEGIN');
$shop->query_safe("SELECT * FROM reengage.cancel_campaign('summer')");
ask('summer', 1);
resume_it();
others_go_out('autumn', 'an open cancel_campaign() is in nobody else\'s way');
is(reasons('summer'), 'due: a cancellation that has not been committed', 'nudge_status says so of its nudges');
$shop->query_safe('ROLLBACK');
promise(lasts(sub { wait_until_ended($node) }), 5, 'they go out afterwards');

# --- what an application takes back of its own, beside another's of the same name ------

$shop->query_safe('SET ROLE shop');
pause_it();
$shop->query_safe(q{INSERT INTO reengage.nudges (conversation_id, message)
	SELECT 'live-mine-' || i, 'hi' FROM generate_series(1, 150) i});
$shop->query_safe('BEGIN');
$shop->query_safe(q{INSERT INTO reengage.nudges (conversation_id, message, supersedes)
	SELECT 'live-mine-' || i, 'newer', true FROM generate_series(1, 150) i});
resume_it();
$node->safe_psql('postgres', q{SET ROLE bank;
	SET statement_timeout = '30s';
	INSERT INTO reengage.nudges (conversation_id, message, supersedes)
	SELECT 'live-mine-' || i, 'of the bank', true FROM generate_series(1, 150) i;
	SELECT reengage.nudge('live-bank', 'hi', due_at => now() + interval '1 h');
	SELECT reengage.cancel_thread('live-bank')});
promise(lasts(sub { wait_until_ended($node, where => "n.requested_by = 'bank'") }), 3,
	'an application that replaces 150 nudges without a campaign, and leaves its transaction open, is in nobody else\'s way');
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT outcome, ' ' ORDER BY outcome) FROM reengage.lineage l
	JOIN reengage.nudges n USING (nudge_id) WHERE n.requested_by = 'bank'}), 'cancelled notified', 'who asks, replaces and takes back');
is($node->safe_psql('postgres', q{SELECT DISTINCT state || ': ' || reason FROM reengage.nudge_status
	WHERE requested_by = 'shop' AND state = 'due'}), 'due: a cancellation that has not been committed', 'its own wait');
$shop->query_safe('ROLLBACK');
promise(lasts(sub { wait_until_ended($node) }), 5, 'and go out afterwards');
$shop->query_safe('RESET ROLE');

# --- rows of the schedule, locked by whoever may ---------------------------------------

$simulator->fault(verb => 'notify', action => 'hang', times => 1);
nudge($node, 'live-locked', campaign => "'locked'");
$simulator->wait_hanging(1);
$shop->query_safe('BEGIN');
$shop->query_safe('SELECT * FROM reengage.due, reengage.nudges, reengage.intents FOR UPDATE');
my $log = log_size($node);
$simulator->clear_faults;
poll_until($node, 'postgres', "SELECT EXISTS (SELECT FROM reengage.health WHERE subject = 'outcomes' AND state = 'waiting')");
others_go_out('meanwhile', 'a row that somebody has locked stops nobody else');
promise(lasts(sub {
	nudge($node, 'live-other', server => "'other'");
	wait_until_ended($node, where => "n.server = 'other'");
}), 1, 'nor another server');
like(health($node, 'outcomes'), qr/^waiting: 1 outcome waits to be written, the oldest since .*: 1 for a transaction that has not ended/, 'health says it');
is_deeply([ log_lines($node, $log, qr/lock timeout/) ], [], 'no tick fails');
$shop->query_safe('COMMIT');
promise(lasts(sub { wait_until_ended($node) }), 2, 'its outcome is written as soon as it can be');
is(outcome($node, 'live-locked'), 'in_doubt connection_lost notify', 'as it was');
is(health($node, 'outcomes'), '', 'health is silent again');
ok(poll_until($node, 'postgres', 'SELECT NOT EXISTS (SELECT FROM reengage.intents)'), 'and no intent is left');

# --- rows of the engine's own tables --------------------------------------------------------

# a call that has to be repeated, a server that rests, and something that was decided
$node->safe_psql('postgres', qq{CREATE SERVER keyed FOREIGN DATA WRAPPER reengage
	OPTIONS (api_url '$simulator->{url}', max_requests_per_minute '0', max_failures '0', idempotency 'key')});
$simulator->fault(verb => 'notify', id => 'live-repeated', action => 'status', status => 503, times => 1);
$simulator->fault(verb => 'notify', id => 'live-repeated', action => 'status', status => 429, retry_after => '2', times => 1);
nudge($node, 'live-repeated', server => q('keyed'));
poll_until($node, 'postgres', q{SELECT EXISTS (SELECT FROM reengage.server_state WHERE state = 'resting')});
$simulator->fault(verb => 'notify', id => 'live-hangs', action => 'hang', times => 1);
nudge($node, 'live-hangs');
$simulator->wait_hanging(1);
my $watcher = $node->background_psql('postgres');
$watcher->query_safe('BEGIN');
for my $table (qw(intents unresolved server_state releases))
{
	# a tick may have taken this one before
	wait_for(sub {
		$node->safe_psql('postgres', q{INSERT INTO reengage.releases VALUES ('other')}) if $table eq 'releases';
		return $watcher->query_safe("SELECT 'x' FROM reengage.$table FOR UPDATE") =~ /x/;
	}, "somebody locks $table");
}
$simulator->clear_faults;
$log = log_size($node);
poll_until($node, 'postgres', q{SELECT detail LIKE '1 outcome waits%' FROM reengage.health WHERE subject = 'outcomes'});
is(outcome($node, 'live-hangs'), 'in_doubt connection_lost notify', 'an outcome does not wait for its intent');
like($simulator->verbs('id=live-repeated'), qr/notify notify notify$/, 'a call is repeated');
others_go_out('engines', 'locks on what the engine keeps are in nobody else\'s way');
is_deeply([ log_lines($node, $log, qr/lock timeout/) ], [], 'no tick fails');
$watcher->query_safe('COMMIT');
promise(lasts(sub {
	wait_until_ended($node);
	poll_until($node, 'postgres', q{SELECT NOT EXISTS (SELECT FROM reengage.intents) AND NOT EXISTS (SELECT FROM reengage.server_state)});
}), 2, 'all of it is written as soon as it can be');
is(outcome($node, 'live-repeated'), 'notified - notify', 'as it was');
$watcher->quit;

# --- the same at the beginning of a nudge --------------------------------------------------

pause_it();
ask('winter', 64);
$shop->query_safe('BEGIN');
$shop->query_safe("UPDATE reengage.due SET hold = NULL, hold_reason = NULL");
resume_it();
others_go_out('snow', 'rows that are due and locked are in nobody else\'s way');
is(reasons('winter'), 'due: a change of the schedule that has not been committed', 'nudge_status says so');
$shop->query_safe('COMMIT');
promise(lasts(sub { wait_until_ended($node) }), 3, 'they go out afterwards');
ledger_matches_lineage($node, $simulator, 'the ledger matches');

# --- who queues for a lock on a table of ours, whoever owns it ---------------------------------

$node->safe_psql('postgres', q{ALTER ROLE shop SET lock_timeout = '500ms'});
$shop->query_safe('RESET ROLE; BEGIN');
$shop->query_safe(q{INSERT INTO reengage.nudges (conversation_id, message) VALUES ('live-open', 'hi')});
for my $statement ('CREATE RULE mine AS ON INSERT TO reengage.nudges DO NOTHING',
	'CREATE TRIGGER mine BEFORE INSERT ON reengage.nudges EXECUTE FUNCTION reengage_internal.refuse_change()',
	'CREATE TEMP TABLE mine (nudge_id uuid REFERENCES reengage.nudges)')
{
	like(psql_stderr($node, $statement, psql => { extra_params => [ '-U', 'shop' ] }),
		qr/ERROR:  canceling statement due to lock timeout/, "a lock_timeout ends it: $statement");
}
others_go_out('queue', 'and others go out');
$shop->query_safe('ROLLBACK');

$shop->quit;

# --- outcomes that the database refuses ------------------------------------------------

$node->safe_psql('postgres', q{
	CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
		$$BEGIN IF NEW.campaign = 'refused' THEN RAISE 'not these'; END IF; RETURN NEW; END$$;
	CREATE TRIGGER refuse BEFORE INSERT ON reengage.lineage FOR EACH ROW EXECUTE FUNCTION refuse()});
$log = log_size($node);
ask('refused', 3);
others_go_out('taken', 'rows that a trigger refuses stop nobody else');
poll_until($node, 'postgres', q{SELECT detail ~ '3 are refused by a trigger' FROM reengage.health WHERE subject = 'outcomes'});
like(health($node, 'outcomes'), qr/^waiting: 3 outcomes wait to be written, the oldest since .*: 3 are refused by a trigger/,
	'health says how many');
is(scalar(() = log_lines($node, $log, qr/cannot be stored and is kept in memory/)), 3, 'the log says it once for each');

# --- a dead engine's calls, some of which cannot be written, or not yet ----------------

$simulator->fault(verb => 'notify', action => 'hang', times => 3);
ask('left', 3);
$simulator->wait_hanging(3);
my $session = $node->background_psql('postgres');
$session->query_safe('BEGIN');
$session->query_safe(q{SELECT * FROM reengage.due d JOIN reengage.nudges n USING (nudge_id)
	WHERE n.conversation_id = 'live-left-1' FOR UPDATE OF d});
my $worker = worker_pid($node);
kill 'KILL', Reengage::courier_pid($worker);
$node->safe_psql('postgres', "SELECT pg_terminate_backend($worker)");
$simulator->clear_faults;
promise(lasts(sub { wait_until_ended($node, where => q(n.conversation_id IN ('live-left-2', 'live-left-3'))) }), 5,
	'what can be written of them is');
others_go_out('later', 'and others go out');
is($node->safe_psql('postgres', q{SELECT count(*) FROM reengage.intents i, unnest(i.nudge_ids) o (nudge_id)
	JOIN reengage.nudges n ON n.nudge_id = o.nudge_id WHERE n.campaign IN ('refused', 'left') AND NOT EXISTS (
		SELECT FROM reengage.lineage l WHERE l.nudge_id = n.nudge_id)}), 4, 'the others keep their intents');
$session->query_safe('ROLLBACK');
$session->quit;
wait_until_ended($node, where => "n.campaign = 'left'");
is($node->safe_psql('postgres', q{SELECT DISTINCT outcome FROM reengage.lineage WHERE campaign = 'left'}), 'in_doubt', 'in doubt');

# --- run(), with an outcome that cannot be written ----------------------------------------

$node->safe_psql('postgres', q{DROP TRIGGER refuse ON reengage.lineage});
$node->append_conf('postgresql.conf', "reengage.databases = ''");
$node->reload;
wait_for(sub { worker_pid($node) eq '' }, 'no worker');
like(psql_stderr($node, 'CALL reengage.run()'), qr/NOTICE:  \d nudges? ended/, 'what the trigger refused is written once it is gone');
wait_until_ended($node);

my $holder = $node->background_psql('postgres');
my $mine = nudge($node, 'live-mine');
$simulator->fault(verb => 'notify', action => 'hang', times => 1);
my $run = start_psql($node, 'CALL reengage.run(max_seconds => 3)');
$simulator->wait_hanging(1);
$holder->query_safe('BEGIN');
$holder->query_safe("SELECT FROM reengage.due WHERE nudge_id = '$mine' FOR UPDATE");
$simulator->clear_faults;
my $said;
promise(lasts(sub { $said = finish_psql($run) }), 4, 'run() keeps its time with an outcome that cannot be written');
like($said, qr/WARNING:  the outcome of 1 nudge could not be written/, 'and says so');
$holder->query_safe('ROLLBACK');
psql_stderr($node, 'CALL reengage.run()');
is(outcome($node, 'live-mine'), 'in_doubt interrupted notify', 'its call is in doubt');

# --- run(), within statement_timeout --------------------------------------------------------

$simulator->set(latency_ms => 300);
ask('many', 1000);
$said = psql_stderr($node, q{SET statement_timeout = '4s'; CALL reengage.run()});
unlike($said, qr/statement timeout/, 'run() ends before its time is over');
like($said, qr/NOTICE:  \d+ nudges ended/, 'and says what it did');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM reengage.due'), '>', 0, 'the rest is due');
is($node->safe_psql('postgres', 'SELECT count(*) FROM reengage.intents'), 0, 'and nothing is in doubt');
$simulator->set(latency_ms => 0);

$holder->quit;
done_testing();
