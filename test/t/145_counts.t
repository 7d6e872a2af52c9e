# P14: nudge_counts says exactly how many nudges are in which state, whatever
# changes that, and costs the same however many there are.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge poll_until wait_until_ended wait_for outcome due_row
  start_psql finish_psql psql_stderr);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main', preload => 1, conf => "max_prepared_transactions = 5\nautovacuum = off");
create_extension($node, $simulator);

sub sql { return $node->safe_psql('postgres', @_); }

# What the counters lack, of what is counted; and what nudge_counts has that
# nudge_status has not, or the other way round.
my $wrong = q{
	SELECT 'miscounted', m::text FROM reengage_internal.miscounted m
	UNION ALL
	SELECT 'missummed', m::text FROM reengage_internal.missummed m
	UNION ALL
	SELECT 'differs from all campaigns', d::text FROM (
		SELECT c.server, c.state, c.reason, sum(c.nudges) AS nudges FROM (
			SELECT server, state, reason, nudges FROM reengage.nudge_counts
			UNION ALL
			SELECT server, state, reason, - nudges FROM reengage_internal.counted_by_server) c
		GROUP BY 1, 2, 3 HAVING sum(c.nudges) <> 0) d
	UNION ALL
	SELECT 'differs', d::text FROM (
		SELECT c.server, c.campaign, c.requested_by, c.state, sum(c.nudges) AS nudges FROM (
			SELECT server, campaign, requested_by, state, nudges FROM reengage.nudge_counts
			UNION ALL
			SELECT server, campaign, requested_by, state, -1 FROM reengage.nudge_status) c
		GROUP BY 1, 2, 3, 4 HAVING sum(c.nudges) <> 0) d};

sub is_right
{
	my ($name, %options) = @_;
	return is($node->safe_psql($options{database} // 'postgres', $wrong), '', "$name: the counts are right");
}

# "state reason number", of a campaign.
sub counts
{
	my ($campaign, %options) = @_;
	return join ', ', split /\n/, $node->safe_psql($options{database} // 'postgres', qq{
		SELECT concat_ws(' ', state, reason, sum(nudges)) FROM reengage.nudge_counts
		WHERE campaign = '$campaign' GROUP BY state, reason ORDER BY state, reason NULLS FIRST});
}

sub has_counts
{
	my ($campaign, $expected, $name) = @_;
	wait_for(sub { counts($campaign) eq $expected }, $name);
	return is(counts($campaign), $expected, $name);
}

# All that was written has been added up.
sub wait_until_summed
{
	return wait_for(sub {
		nudge($node, 'live-tick');
		sql('SELECT count(*) < 100 FROM reengage.tally_changes') eq 't' }, 'the worker has added up the changes');
}

my $later = "now() + '1 day'";

# --- what is asked for ------------------------------------------------------------------------

sql(q{
	CREATE ROLE shop; GRANT reengage_application TO shop;
	CREATE ROLE other; GRANT reengage_application TO other;
	CREATE ROLE reader; GRANT reengage_reader TO reader;
	GRANT USAGE ON FOREIGN SERVER genesys TO shop});
nudge($node, 'live-one', campaign => "'one'", due_at => $later);
is(counts('one'), 'due 1', 'a nudge is counted in its transaction');
sql(qq{INSERT INTO reengage.nudges (conversation_id, message, campaign, due_at)
	SELECT 'live-' || n, 'x', nullif('many ' || n % 3000, 'many 0'), $later FROM generate_series(1, 9000) n});
is(sql(q{SELECT count(*) || ' ' || sum(nudges) FROM reengage.nudge_counts WHERE campaign LIKE 'many %' OR campaign IS NULL}),
	'3000 9000', 'and so are those of 3000 campaigns in one statement');
sql(qq{SET ROLE shop; INSERT INTO reengage.nudges (conversation_id, message, campaign, due_at) VALUES ('live-shop', 'x', 'one', $later)});
is(sql(qq{SET ROLE $_; SELECT coalesce(sum(nudges), 0) FROM reengage.nudge_counts WHERE campaign = 'one'}), { shop => 1, other => 0, reader => 2 }->{$_},
	"$_ sees " . { shop => 'its own', other => "none of the others'", reader => 'all' }->{$_}) for qw(shop other reader);
is(sql(q{SET ROLE shop; SELECT asked, due FROM reengage.campaign_status}), '1|1', 'nor does an application see more in campaign_status');
like(psql_stderr($node, "SET ROLE shop; SELECT FROM reengage.$_"), qr/permission denied/, "nor has it a right to $_") for qw(tallies tally_changes);
is_right('asked');

# --- transactions --------------------------------------------------------------------------------

my $insert = sub { "INSERT INTO reengage.nudges (nudge_id, conversation_id, message, campaign, due_at)
	VALUES ('00000000-0000-7000-8000-00000000000$_[0]', 'live-tx-$_[0]', 'x', 'tx', $later) ON CONFLICT DO NOTHING;" };
sql('BEGIN;' . $insert->(1) . 'ROLLBACK');
is(counts('tx'), '', 'what is rolled back is not counted');
sql('BEGIN;' . $insert->(1) . 'SAVEPOINT s;' . $insert->(2) . 'ROLLBACK TO s; RELEASE s;' . $insert->(3) . 'COMMIT');
is(counts('tx'), 'due 2', 'nor what a savepoint took back');
sql($insert->(1) . $insert->(3));
is(counts('tx'), 'due 2', 'what is asked for twice counts once');
sql('BEGIN;' . $insert->(4) . q{PREPARE TRANSACTION 'theirs'});
is(counts('tx'), 'due 2', 'a prepared transaction is not counted');
$node->stop('immediate');
$node->start;
is(counts('tx'), 'due 2', 'nor after a crash');
sql(q{COMMIT PREPARED 'theirs'});
is(counts('tx'), 'due 3', 'before it commits');
is_right('transactions');

# --- how nudges end ----------------------------------------------------------------------------------

nudge($node, "live-end-$_", campaign => "'end'") for 1 .. 3;
nudge($node, "closed-end-$_", campaign => "'end'") for 1 .. 2;
nudge($node, 'closed-end-3', campaign => "'end'", when_closed => "'skip'");
$simulator->fault(verb => 'notify', id => 'live-lost', action => 'close_after', times => 1);
nudge($node, 'live-lost', campaign => "'end'");
wait_until_ended($node, where => "campaign = 'end'");
like(counts('end'), qr/^in_doubt connection_lost 1, notified 3, session_created 2, skipped_closed( \w+)? 1$/, 'each end is counted');
is_right('ended');
is(sql(q{SELECT asked, due, held, calling, sent, in_doubt, not_sent FROM reengage.campaign_status WHERE campaign = 'end'}),
	'7|0|0|0|5|1|1', 'campaign_status says how far it is');
sql(q{SELECT reengage.resolve(lineage_id, 'resend') FROM reengage.in_doubt});
wait_until_ended($node, where => "campaign = 'end'");
like(counts('end'), qr/^notified 4, resolved_not_sent resend 1, session_created 2, skipped_closed( \w+)? 1$/, 'a doubt that was settled is counted anew');
is_right('resolved');

# on the wire
$simulator->fault(verb => 'notify', id => 'live-calling', action => 'hang');
nudge($node, 'live-calling', campaign => "'calling'");
$simulator->wait_hanging(1);
is(counts('calling'), 'calling 1', 'one that is on the wire is calling');
is(sql(q{SELECT state FROM reengage.nudge_status WHERE campaign = 'calling'}), 'calling', 'as nudge_status has it');
$simulator->clear_faults;
wait_until_ended($node, where => "campaign = 'calling'");
is_right('called');

# by a statement, as somebody's trigger is to fire
sql(q{CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
	CREATE TRIGGER theirs AFTER INSERT ON reengage.lineage FOR EACH ROW EXECUTE FUNCTION nothing()});
nudge($node, "live-theirs-$_", campaign => "'theirs'") for 1 .. 2;
wait_until_ended($node, where => "campaign = 'theirs'");
is(counts('theirs'), 'notified 2', 'with a trigger on lineage ends are counted, too');
sql('DROP TRIGGER theirs ON reengage.lineage');
is_right('by a statement');

# --- cancelled ---------------------------------------------------------------------------------------

my @ids = map { nudge($node, "live-cancel-$_", campaign => "'cancel'", due_at => $later) } 1 .. 5;
sql(qq{SELECT reengage.cancel('$ids[0]')});
is(counts('cancel'), 'cancelled 1, due 4', 'cancel() is counted');
sql(q{SELECT reengage.cancel_thread('live-cancel-2')});
nudge($node, 'live-cancel-3', campaign => "'cancel'", due_at => $later, supersedes => 'true');
is(counts('cancel'), 'cancelled 1, cancelled superseded 1, cancelled thread_cancelled 1, due 3', 'and so are its kind');
sql(q{BEGIN; SELECT reengage.cancel_campaign('cancel'); ROLLBACK});
sql(q{SELECT reengage.cancel_campaign('cancel')});
is(sql(q{SELECT asked, not_sent FROM reengage.campaign_status WHERE campaign = 'cancel'}), '6|6', 'a whole campaign, once');
is_right('cancelled');

# --- held ---------------------------------------------------------------------------------------------

sub quiet
{
	return sql(q{INSERT INTO reengage.policies (quiet_hours, time_zone) VALUES (ARRAY['daily ' || to_char(now() AT TIME ZONE 'UTC' - interval '2 hours', 'HH24:00-')
		|| to_char(now() AT TIME ZONE 'UTC' + interval '3 hours', 'HH24:00')], 'UTC')});
}

quiet();
nudge($node, "live-held-$_", campaign => "'held'") for 1 .. 4;
has_counts('held', 'due policy 4', 'what a policy holds is counted as held by it');
is(sql(q{SELECT due, held, held_by FROM reengage.campaign_status WHERE campaign = 'held'}), '0|4|policy 4', 'campaign_status says by what');
is_right('held');
sql(q{SELECT reengage.cancel(nudge_id) FROM reengage.nudges WHERE conversation_id = 'live-held-1'});
is(counts('held'), 'cancelled 1, due policy 3', 'what is held may be cancelled');
sql(q{DELETE FROM reengage.due d USING reengage.nudges n WHERE n.nudge_id = d.nudge_id AND n.conversation_id = 'live-held-2'});
is(counts('held'), 'cancelled 1, due 1, due policy 2', 'what somebody takes out of the schedule is held no more');
sql(q{UPDATE reengage.due d SET hold = 'busy' FROM reengage.nudges n WHERE n.nudge_id = d.nudge_id AND n.conversation_id = 'live-held-3'});
is(counts('held'), 'cancelled 1, due 1, due busy 1, due policy 1', 'nor by what it was when somebody changes that');
like(psql_stderr($node, 'TRUNCATE reengage.due'), qr/TRUNCATE of table "reengage.due" is not allowed/, 'the schedule is not truncated');
is_right('changed by hand');
sql(q{UPDATE reengage.due SET hold = 'policy' WHERE hold = 'busy'; SELECT reengage.arm(missing => 'due'); DELETE FROM reengage.policies});
wait_until_ended($node, where => "campaign = 'held'");
is(counts('held'), 'cancelled 1, notified 3', 'what is let go is sent');
is_right('let go');

# one that was put off for a while ends with its hold
$simulator->fault(verb => 'check', id => 'live-again', action => 'status', status => 503, retry_after => '1', times => 1);
nudge($node, 'live-again', campaign => "'again'");
like(counts('again'), qr/^due (retry|rate_limit) 1$/, 'what is to be called again is held')
  if wait_for(sub { counts('again') =~ /^due [a-z]/ }, 'it is put off');
wait_until_ended($node, where => "campaign = 'again'");
is(counts('again'), 'notified 1', 'until it has been');
is_right('put off and ended');

# --- imported: asked for as all others, and threads that are no nudges --------------------------------

sql(q{CREATE TABLE staged AS SELECT 'i-' || n AS conversation_id, '+1317555' || (1000 + n) AS customer_address, 'sms' AS channel, now() AS abandoned_at
	FROM generate_series(1, 20) n});
$node->safe_psql('postgres', "CALL reengage.import_history('Are you still there?', 'imported', staging => 'public.staged', due_at => $later)");
is(counts('imported'), 'due 20', 'what is imported is counted');
is_right('imported');

# --- triggers off ---------------------------------------------------------------------------------------

sql(qq{SET session_replication_role = replica; INSERT INTO reengage.nudges (conversation_id, message, campaign, due_at) VALUES ('live-replica', 'x', 'replica', $later)});
is(counts('replica'), '', 'with triggers off nothing is counted');
like(sql('TABLE reengage_internal.miscounted'), qr/^1\|genesys\|replica\|\S+\|due\|$/, 'which miscounted tells');
sql('SELECT reengage.arm()');
is(counts('replica'), 'due 1', 'until arm() has counted');
sql(q{SET session_replication_role = replica; DELETE FROM reengage.nudges WHERE campaign = 'replica'; DELETE FROM reengage.due WHERE nudge_id NOT IN (SELECT nudge_id FROM reengage.nudges)});
is(sql('SELECT reengage.recount()'), 1, 'recount() says how many numbers were wrong');
is(counts('replica'), '', 'and corrects them');
is(sql('SELECT reengage.recount()'), 0, 'once');
wait_until_summed();
sql('UPDATE reengage.tally_totals SET nudges = nudges + 1');
is(sql('SELECT reengage.recount() = count(*) FROM reengage.tally_totals'), 't', 'it corrects what is summed up of all campaigns, too');
like(psql_stderr($node, 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT reengage.recount()'), qr/^.*nudges cannot be counted in a transaction of isolation level/m,
	'it sees what others have done');
like(psql_stderr($node, 'SET ROLE reader; SELECT reengage.recount()'), qr/permission denied/, 'a reader may not');
is_right('counted anew');

# --- side by side ----------------------------------------------------------------------------------------

my $counting = start_psql($node, 'DO $$ BEGIN FOR i IN 1 .. 15 LOOP PERFORM reengage.recount(); COMMIT; END LOOP; END $$');
$node->pgbench('--no-vacuum --client=8 --jobs=2 --transactions=50', 0, [qr{processed: 400/400}], [], '8 writers',
	{ '145_write' => qq{
		\\set n random(1, 1000000000)
		BEGIN;
		INSERT INTO reengage.nudges (conversation_id, message, campaign) VALUES ('live-w' || :n, 'x', 'writers');
		INSERT INTO reengage.nudges (nudge_id, conversation_id, message, campaign, due_at) SELECT gen_random_uuid(), 'live-v' || :n, 'x', 'writers', $later;
		SELECT reengage.cancel(nudge_id) FROM reengage.nudges WHERE conversation_id = 'live-v' || :n AND :n % 2 = 0;
		COMMIT;} });
is(finish_psql($counting), '', 'others count anew meanwhile');
wait_until_ended($node, where => "campaign = 'writers' AND due_at < now()");
is_right('side by side');
is(sql(q{SELECT asked, sent FROM reengage.campaign_status WHERE campaign = 'writers'}), '800|400', 'none is lost');

# A lock on the sums keeps nobody from anything.
my $locking = $node->background_psql('postgres');
$locking->query_safe('BEGIN');
$locking->query_safe('LOCK TABLE reengage.tallies IN SHARE MODE');
nudge($node, "live-locked-$_", campaign => "'locked'") for 1 .. 3;
ok(wait_until_ended($node, where => "campaign = 'locked'"), 'who locks the sums keeps no outcome from being written');
is(counts('locked'), 'notified 3', 'nor from being counted');
$locking->query_safe('COMMIT');
$locking->quit;
wait_until_summed();
is_right('added up');

# Campaigns come and go, and what is over is no row of 0.
is(sql('SELECT count(*) FROM reengage.tallies WHERE nudges = 0'), 0, 'what has come to 0 is not kept');
my $summed = sub {
	my ($expected, $name) = @_;
	my $sums = q{SELECT string_agg(concat_ws(' ', state, nudges), ', ' ORDER BY state) FROM reengage.tallies WHERE campaign = 'later'};
	wait_for(sub { nudge($node, 'live-tick'); sql($sums) eq $expected }, $name);
	return is(sql($sums), $expected, $name);
};
my $again = nudge($node, 'live-later', campaign => "'later'", due_at => $later);
$summed->('due 1', 'one that comes is added up');
sql("SELECT reengage.cancel('$again')");
$summed->('cancelled 1', 'a number that was there goes');
nudge($node, 'live-later', campaign => "'later'", due_at => $later);
$summed->('cancelled 1, due 1', 'and comes again');
is_right('gone and come again');

# --- a restored dump ---------------------------------------------------------------------------------------

my $dump = $node->basedir . '/dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump');
sql('CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '-d', $node->connstr('restored'), $dump ], 'pg_restore');
is_right('restored', database => 'restored');
is(counts('end', database => 'restored'), counts('end'), 'it has the same');
$node->safe_psql('restored', 'SELECT reengage.arm()');
is_right('restored and armed', database => 'restored');
# in the other order
sql('CREATE DATABASE backwards');
for my $part (qw(pre-data post-data)) { $node->command_ok([ 'pg_restore', "--section=$part", '-d', $node->connstr('backwards'), $dump ], $part) }
for my $table (qw(nudges lineage)) { $node->command_ok([ 'pg_restore', '-a', '-n', 'reengage', '-t', $table, '-d', $node->connstr('backwards'), $dump ], $table) }
$node->safe_psql('backwards', 'SELECT reengage.arm()');
is_right('restored in another order and armed', database => 'backwards');

# --- what it costs ---------------------------------------------------------------------------------------------

sub buffers
{
	my ($query) = @_;
	my $plan = sql("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) $query");
	my $top = JSON::PP::decode_json($plan)->[0]{Plan};
	return $top->{'Shared Hit Blocks'} + $top->{'Shared Read Blocks'};
}

sub costs
{
	wait_until_summed();
	sql('VACUUM reengage.tallies, reengage.tally_changes, reengage.intents');
	return map { buffers($_) } 'TABLE reengage.nudge_counts', q{SELECT * FROM reengage.campaign_status WHERE campaign = 'writers'};
}

# of so many campaigns at once the worker adds up all, though nothing wakes it
is(sql(qq{INSERT INTO reengage.nudges (conversation_id, message, campaign, due_at) SELECT 'live-' || n, 'x', 'one of many ' || n, $later FROM generate_series(1, 20000) n;
	SELECT count(*) > 10000 FROM reengage.tally_changes}), 't', 'many campaigns at once are many changes');
ok(wait_for(sub { sql('SELECT count(*) < 100 FROM reengage.tally_changes') eq 't' }), 'which are added up without any other nudge');
is_right('many campaigns');

sql(q{SELECT reengage.recount()});
my @few = costs();
sql(qq{INSERT INTO reengage.nudges (conversation_id, message, campaign, due_at) SELECT 'live-' || n, 'x', 'writers', $later FROM generate_series(1, 50000) n});
my @many = costs();
cmp_ok($many[$_], '<', $few[$_] + 20, ('all', 'a campaign')[$_] . ": $few[$_] buffers before, $many[$_] with 50,000 nudges more") for 0, 1;

done_testing();
