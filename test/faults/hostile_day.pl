# Applications that do their worst, beside others that do their work: what the
# others ask for is delivered, in its order of time, whatever happens beside it.
#
# The suite's day is short (test/t/175_hostile_day.t).  "make hostile MINUTES=60
# SEED=1" makes a long one.

use strict;
use warnings FATAL => 'all';

use IPC::Run ();
use List::Util qw(max sum0);
use Reengage qw(start_simulator new_node create_extension wait_until_ended worker_pid ledger_matches_lineage log_size log_lines promise);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $seconds = $ENV{MINUTES} ? $ENV{MINUTES} * 60 : 12;
my $seed = $ENV{SEED} // 1;
# of which the last five are hostile
my $applications = 20;
my $honest = $applications - 5;

srand $seed;
sub pick { return $_[ int rand @_ ]; }
sub between { my ($low, $high) = @_; return $low + int rand($high - $low + 1); }

my $simulator = start_simulator();
my $node = new_node('main', preload => 1, servers => [qw(genesys private)], conf => 'max_connections = 60');
create_extension($node, $simulator, server_options => q(max_in_flight '16'));
$simulator->set(latency_ms => 5);
sub sql { return $node->safe_psql('postgres', @_); }

sql(qq{CREATE SERVER private FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}')});
sql("CREATE ROLE app_$_ LOGIN IN ROLE reengage_application; GRANT USAGE ON FOREIGN SERVER genesys TO app_$_; CREATE SCHEMA AUTHORIZATION app_$_")
  for 1 .. $applications;

# ---- the honest --------------------------------------------------------------------------------

# A nudge now and then, each of another customer, in a transaction of its own.
sub honest_day
{
	my ($application, $lasts, $campaign) = @_;
	my ($at, $n, $text) = (0, 0, '');

	while ($at < $lasts)
	{
		my $pause = 0.2 + rand() * 0.8;
		my $id = sprintf '%s-%s-%d-%d', pick('live', 'closed'), $campaign, $application, ++$n;

		$text .= sprintf "SELECT pg_sleep(%.3f);\nINSERT INTO reengage.nudges (conversation_id, message, campaign) VALUES ('%s', 'Are you still there?', '%s');\n",
		  $pause, $id, $campaign;
		$at += $pause;
	}
	return $text;
}

# ---- the hostile -------------------------------------------------------------------------------

# Somebody's conversation: an honest one's, as a rule.
sub others { return sprintf '%s-beside-%d-%d', pick('live', 'closed'), between(1, $honest), between(1, 20); }

my $values = q{INSERT INTO reengage.nudges (conversation_id, message};
my @hostile = (
	# values
	sub { "$values, detail) VALUES ('live-huge', 'x', jsonb_build_object('a', repeat('\"\\', " . between(100, 40000) . ')))' },
	sub { "$values, detail) SELECT 'live-deep', 'x', (repeat('[', n) || repeat(']', n))::jsonb FROM (SELECT " . between(10, 8000) . ' AS n) d' },
	sub { "$values, detail) VALUES ('live-many', 'x', (SELECT jsonb_agg(n) FROM generate_series(1, " . between(10, 9000) . ') n))' },
	sub { "$values) VALUES (" . pick("NULL, 'x'", "'live-null', NULL", "'', ''", "'..', 'x'", "'live-ctl', E'\\x01'") . ')' },
	sub { "$values) VALUES ('live-long', repeat('" . pick('x', chr(228), '\\') . "', " . between(3000, 200000) . '))' },
	sub { "$values, channel, address) VALUES ('gone-odd', 'x', " . pick(q(repeat('x', 300)), q('sms; DROP'), q(E'sms\n'), q('')) . ", '+1317555" . between(1000, 9999) . "')" },
	sub { "$values, time_zone) VALUES ('live-zone', 'x', '" . pick('UTC+2', '<+02>-2', 'Berlin1', '../etc/passwd') . "')" },
	sub { "$values, due_at, expires_at) VALUES ('live-time', 'x', '" . pick('infinity', '-infinity', 'now') . "', '" . pick('infinity', '4000-01-01', '1900-01-01') . "')" },
	sub { "$values, priority) VALUES ('live-prio', 'x', " . between(-40000, 40000) . ')' },
	sub { "$values, server) VALUES ('live-other', 'x', '" . pick('private', 'nowhere', 'reengage') . "')" },
	# floods
	sub { "$values, priority, campaign) SELECT 'live-flood-' || (random() * 1e9)::int, 'x', 0, 'flood' FROM generate_series(1, " . between(20, 200) . ')' },
	sub { "$values, priority, due_at) SELECT 'live-later-' || n, 'x', 0, now() + '1 h' FROM generate_series(1, " . between(100, 1000) . ') n' },
	# what belongs to others
	sub { "$values, campaign, supersedes) VALUES ('" . others() . "', 'x', 'beside', true)" },
	sub { "SELECT reengage.cancel_thread('" . others() . "')" },
	sub { q{SELECT reengage.cancel(nudge_id) FROM reengage.nudge_status LIMIT 50} },
	sub { 'SELECT reengage.cancel_campaign(\'beside\')' },
	sub { 'SELECT reengage.' . pick(q{pause('genesys')}, 'disarm()', q{resume('genesys')}, 'arm()', q{prune()}) },
	sub { 'SELECT reengage_internal.' . pick('wake(now())', q{lock('campaign', 'genesys', 'beside')}, q{lock_part('genesys', 'other', 'beside', false)}) },
	sub { 'SELECT * FROM reengage.' . pick(qw(due nudges lineage intents suppressions policies address_key releases)) . pick('', ' FOR UPDATE') },
	sub { pick('UPDATE reengage.due SET due_at = \'infinity\'', 'DELETE FROM reengage.due', 'TRUNCATE reengage.due', 'UPDATE reengage.policies SET cap = 0',
		'INSERT INTO reengage.releases SELECT \'genesys\' FROM generate_series(1, 10000)') },
	sub { 'LOCK TABLE reengage.' . pick(qw(nudges due lineage intents)) . ' IN ' . pick('ACCESS EXCLUSIVE', 'ROW EXCLUSIVE', 'SHARE') . ' MODE' },
	# things of their own (but not CREATE RULE: PostgreSQL waits for its exclusive lock before it
	# asks for the right to it, and so lets whoever may see a table hold up everybody)
	sub { pick('CREATE TRIGGER mine AFTER INSERT ON reengage.nudges EXECUTE FUNCTION suppress_redundant_updates_trigger()',
		'CREATE TABLE reengage.mine ()', 'ALTER SERVER genesys OPTIONS (SET api_url \'http://127.0.0.1:1\')', 'DROP SERVER genesys CASCADE', 'DROP EXTENSION reengage CASCADE',
		'ALTER EXTENSION reengage UPDATE', 'VACUUM FULL reengage.due',
		'CREATE TABLE child () INHERITS (reengage.nudges)', 'CREATE TABLE pointing (n uuid REFERENCES reengage.nudges)') },
	sub { 'CREATE TABLE IF NOT EXISTS stage (conversation_id text, address text, last_inbound_at text)' },
	sub { q{CALL reengage.import_history('x', 'mine', staging => 'stage')} },
	sub { 'SET ' . pick('search_path = public', 'jit_above_cost = 0', 'enable_indexscan = off', 'plan_cache_mode = force_generic_plan', 'bytea_output = escape',
		'standard_conforming_strings = off', q{timezone = 'UTC+2'}, 'work_mem = 64', 'session_replication_role = replica') },
	# long words
	sub { "SELECT * FROM reengage.suppress(address => '+1999555" . between(1000, 9999) . "', channel => 'sms', reason => repeat('x', " . between(1, 1000000) . '))' },
	sub { "SELECT * FROM reengage.suppress(conversation_id => repeat('x', " . between(1, 100000) . '))' },
	sub { "SELECT * FROM reengage.record_answer(address => '+1999555" . between(1000, 9999) . "', channel => '" . pick('sms', 'no such', '') . "', at => '" . pick('infinity', '-infinity', 'now', '2999-01-01') . "')" },
	# looking all the time
	sub { 'SELECT count(*) FROM reengage.nudge_status' });

# What is held while a transaction is open.
my @held = (
	sub { "$values, campaign, supersedes) SELECT 'live-mine-' || n, 'x', 'mine', true FROM generate_series(1, 101) n" },
	sub { "$values, campaign, supersedes) VALUES ('" . others() . "', 'x', 'beside', true)" },
	sub { q{SELECT reengage.cancel(nudge_id) FROM reengage.nudge_status WHERE state = 'due' LIMIT 64} },
	sub { "SELECT reengage.cancel_thread('" . others() . "')" },
	sub { q{SELECT reengage.cancel_customer('+1999555' || (1000 + n), channel => 'sms') FROM generate_series(1, 40) n} },
	sub { q{SELECT count(*) FROM generate_series(1, 40) n CROSS JOIN LATERAL reengage.suppress(address => '+1999666' || (1000 + n), channel => 'sms')} },
	sub { q{SELECT count(*) FROM generate_series(1, 40) n CROSS JOIN LATERAL reengage.record_answer(address => '+1999777' || (1000 + n), channel => 'sms')} },
	sub { "$values, priority) SELECT 'live-open-' || n, 'x', 0 FROM generate_series(1, 100) n" },
	sub { 'SELECT count(*) FROM reengage.nudge_status' });

sub hostile_day
{
	my ($lasts) = @_;
	my ($at, $text) = (0, "SET statement_timeout = '20s';\n");

	while ($at < $lasts)
	{
		my $pause = rand() * 0.2;

		if (rand() < 0.3)
		{
			my $held = rand() ** 2 * 6;

			$text .= sprintf "BEGIN%s;\n%s;\nSELECT pg_sleep(%.2f);\n%s;\n", pick('', '', ' ISOLATION LEVEL REPEATABLE READ'), pick(@held)->(), $held, pick('COMMIT', 'ROLLBACK');
			$at += $held;
		}
		else { $text .= pick(@hostile)->() . ";\n"; }
		$text .= sprintf "SELECT pg_sleep(%.3f);\n", $pause;
		$at += $pause;
	}
	return $text;
}

# ---- a day ---------------------------------------------------------------------------------------

sub start_day
{
	my ($application, $text) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir() . "/day_$application.sql";

	open my $handle, '>', $file or die "could not write $file: $!";
	print $handle $text;
	close $handle;
	my $day = { err => '' };
	$day->{harness} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-U', "app_$application", '-f', $file ],
		'>', '/dev/null', '2>', \$day->{err});
	return $day;
}

# Looks at the worker until the days are over: the longest time that its ticks failed.
sub watch
{
	my (@days) = @_;
	my ($since, $longest) = (0, 0);
	my $began = time;

	while (grep { $_->{harness}->pumpable } @days)
	{
		# ten times a second
		my $problem = sql(q{SELECT detail FROM reengage.health, pg_sleep(0.1) WHERE subject = 'worker' AND state <> 'ok'});

		note sprintf 'proof: the worker, after %.1f s: %s', time - $began, $problem if $problem ne '' && !$since;
		$since = $problem eq '' ? 0 : $since || time;
		$longest = max($longest, $since ? time - $since : 0);
		$_->{harness}->pump_nb for grep { $_->{harness}->pumpable } @days;
	}
	$_->{harness}->finish for @days;
	note sprintf 'proof: a day took %.1f s', time - $began;
	return $longest;
}

sub day
{
	my ($campaign, $lasts, $with_hostile) = @_;
	my @days = map { start_day($_, honest_day($_, $lasts, $campaign)) } 1 .. $honest;
	my @bad = $with_hostile ? map { start_day($_, hostile_day($lasts)) } $honest + 1 .. $applications : ();
	my $failed = watch(@days, @bad);

	is(join('', map { $_->{err} } @days), '', "$campaign: nobody's statement fails");
	note sprintf '%d statements of the hostile failed', sum0(map { scalar(() = $_->{err} =~ /ERROR:/g) } @bad);
	wait_until_ended($node, where => "n.campaign = '$campaign' AND n.requested_by = ANY (ARRAY(SELECT 'app_' || g FROM generate_series(1, $honest) g))");
	return $failed;
}

sub of_honest { my ($campaign) = @_; return "n.campaign = '$campaign' AND substr(n.requested_by, 5)::int <= $honest AND n.requested_by ~ '^app_'"; }

sub latencies
{
	my ($campaign) = @_;

	note "proof: $campaign: " . sql(qq{
		SELECT format('%s nudges, median %s ms, worst %s ms; worst median of an application %s ms', sum(count), round(percentile_cont(0.5) WITHIN GROUP (ORDER BY median)),
			round(max(worst)), round(max(median)))
		FROM (SELECT count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) AS median, max(ms) AS worst
			  FROM (SELECT n.requested_by, extract(epoch FROM l.recorded_at - n.requested_at) * 1000 AS ms
					FROM reengage.nudges n JOIN reengage.lineage l USING (nudge_id) WHERE } . of_honest($campaign) . q{) x
			  GROUP BY requested_by) y});
	return;
}

day('alone', max(4, $seconds / 6), 0);
my $offset = log_size($node);
my $worker = worker_pid($node);
my $failed = day('beside', $seconds, 1);

latencies($_) for qw(alone beside);
note sprintf 'proof: seed %d, %d s: ticks failed for %.1f s at most', $seed, $seconds, $failed;
is(sql(q{SELECT string_agg(DISTINCT l.outcome || ' ' || split_part(n.conversation_id, '-', 1), ', ') FROM reengage.nudges n JOIN reengage.lineage l USING (nudge_id)
	WHERE } . of_honest('beside') . q{ AND l.outcome <> CASE WHEN n.conversation_id ~ '^live' THEN 'notified' ELSE 'session_created' END
	-- a hostile one may have spoken there first
	AND NOT EXISTS (SELECT FROM reengage.nudges o WHERE o.conversation_id = n.conversation_id AND o.nudge_id <> n.nudge_id)}), '',
	'each honest nudge ended as it should');
is(sql(q{SELECT count(*) FROM reengage.nudges n JOIN reengage.lineage l USING (nudge_id) WHERE } . of_honest('beside')
	. q{ AND l.outcome NOT IN ('notified', 'session_created')}), 0, 'none was cancelled, suppressed or refused by what others did');
promise($failed, 2, 'no tick failed for longer than two seconds');
is(worker_pid($node), $worker, 'by one and the same worker');
is(scalar log_lines($node, $offset, qr/(PANIC|terminated by signal|server process)/), 0, 'nobody crashed');
is(sql(q{SELECT string_agg(subject, ', ') FROM reengage.health WHERE subject ~ '^(trigger|rule|foreign key|privileges)'}), '', 'and nothing of theirs is left on our tables');

$node->stop;
done_testing();
1;
