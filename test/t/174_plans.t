# No plan of ours degrades, whatever was known of the tables when it was made:
# they were empty, and analysed or not, and have grown a thousandfold since.
# Counted in blocks that a statement touches, not in time.  Nor is any of them
# compiled, which takes longer than it does, however cheap the settings call that.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for worker_pid);
use PostgreSQL::Test::Utils;
use Test::More;

chomp(my $extensions = `pg_config --sharedir` . '');
plan skip_all => 'pg_stat_statements is not here' unless -e "$extensions/extension/pg_stat_statements.control";

# what the test itself asks is none of this
$ENV{PGOPTIONS} = '-c jit=off';
my $simulator = start_simulator();
my %databases = (postgres => 'analysed while empty', other => 'never analysed');
my $node = new_node('main', preload => 1, conf => q(
shared_preload_libraries = 'pg_stat_statements, reengage'
reengage.databases = 'postgres, other'
pg_stat_statements.track = all
pg_stat_statements.max = 10000
jit_above_cost = 0
jit_inline_above_cost = -1
jit_optimize_above_cost = -1
autovacuum = off
fsync = off));
$node->safe_psql('template1', $_) for 'CREATE DATABASE other', 'CREATE ROLE application';

# A session of each database, whose plans are kept from one round to the next; and
# one that arms it, at the beginning and at the end.
my (%sessions, %operators);

sub begin
{
	my ($database) = @_;

	create_extension($node, $simulator, database => $database);
	$node->safe_psql($database, q{CREATE EXTENSION pg_stat_statements; GRANT reengage_application TO application});
	$node->safe_psql($database, 'VACUUM ANALYZE') if $database eq 'postgres';
	$operators{$database} = $node->background_psql($database, on_error_stop => 0);
	$operators{$database}->query_safe('SET client_min_messages = warning; SELECT reengage.arm()');
	# one that asks how often a customer was spoken to
	$node->safe_psql($database, q{INSERT INTO reengage.policies (server, cap, cap_interval) VALUES ('genesys', 100, '1 day')});
	# and something that may be on the wire
	$node->safe_psql($database, q{INSERT INTO reengage.unresolved (nudge_id, server, step, conversation_id, since)
		VALUES (reengage.uuid_v7(), 'genesys', 'notify', 'nowhere', now())});
	$node->safe_psql($database, 'ANALYZE') if $database eq 'postgres';
	$sessions{$database} = $node->background_psql($database);
	# what is called for the sixth time
	$sessions{$database}->query_safe('SET jit = on; SET plan_cache_mode = force_generic_plan; SET client_min_messages = warning');
	return;
}

# What an application, an operator and the worker do with a few nudges, each time the same.
my $round = 0;
my $few = 20;

sub work
{
	my ($database) = @_;
	my $session = $sessions{$database};
	my $name = "round-" . ++$round;
	my @statements = (
		"SELECT reengage.cancel(nudge_id) FROM reengage.nudges WHERE conversation_id = 'live-$name-later-1'",
		"SELECT reengage.cancel_thread('live-$name-later-2')",
		"SELECT reengage.cancel_customer('+1317555{n}03', channel => 'sms')",
		"SELECT reengage.cancel_campaign('of $name')",
		"SELECT reengage_internal.day_without_manifest()",
		# as out of a dump
		"INSERT INTO reengage.nudges (conversation_id, message, due_at, requested_at) VALUES ('live-$name-later-11', 'x', now() + '1 h', now() - interval '1 d')",
		"SELECT reengage.nudge('live-$name-later-5', 'x', campaign => 'super', supersedes => true, due_at => now() + '1 h')",
		"SELECT reengage.nudge('live-$name-later-5', 'x', campaign => 'super', supersedes => true, due_at => now() + '1 h')",
		"SELECT reengage.suppress(address => '+1317555{n}06', channel => 'sms')",
		"SELECT reengage.suppress(conversation_id => 'live-$name-later-7')",
		"SELECT reengage.unsuppress(address => '+1317555{n}06', channel => 'sms')",
		"SELECT reengage.unsuppress(conversation_id => 'live-$name-later-7')",
		"SELECT reengage.record_answer(address => '+1317555{n}08', channel => 'sms')",
		"SELECT reengage.record_answer('live-$name-later-9')",
		"SELECT count(*) FROM reengage.thread('closed-$name-1')",
		"SELECT count(*) FROM reengage.thread('closed-$name-1', 'genesys')",
		"SELECT reengage.thread_diagram('closed-$name-1')",
		"SELECT count(*) FROM reengage.threads WHERE root_conversation_id = 'closed-$name-1'",
		"SET ROLE application",
		"SELECT count(*) FROM reengage.nudge_status WHERE requested_conversation_id = 'live-$name-1'",
		"RESET ROLE",
		"SELECT count(*) FROM reengage.nudge_status WHERE requested_conversation_id = 'closed-$name-1'",
		"SELECT count(*) FROM reengage.preview((SELECT max(nudge_id::text)::uuid FROM reengage.nudges WHERE conversation_id = 'live-$name-later-5'))",
		"SELECT reengage.resolve(lineage_id, 'resend') FROM reengage.in_doubt WHERE conversation_id = 'closed-$name-doubt'",
	);

	$simulator->fault(verb => 'create', id => "closed-$name-doubt", action => 'close_after');
	$session->query_safe(qq{INSERT INTO reengage.nudges (conversation_id, message, address, channel, campaign)
		SELECT (ARRAY['live', 'closed'])[1 + n % 2] || '-$name-' || n, 'x', '+1317556' || lpad(($round * 100 + n)::text, 4, '0'), 'sms', 'now'
		FROM generate_series(1, $few) n UNION ALL SELECT 'closed-$name-doubt', 'x', NULL, NULL, 'now'});
	$session->query_safe(qq{INSERT INTO reengage.nudges (conversation_id, message, address, channel, campaign, due_at)
		SELECT 'live-$name-later-' || n, 'x', '+1317555' || lpad(($round * 100 + n)::text, 4, '0'), 'sms', 'of $name', now() + '1 h'
		FROM generate_series(1, $few) n});
	wait_until_ended($node, database => $database, where => q(n.campaign = 'now'));
	$session->query_safe(s/\{n\}/sprintf '%02d', $round/er) for @statements;
	prune_some($database, $name);
	# what was held by the doubt, and the one that was asked for again
	wait_until_ended($node, database => $database, where => q(n.campaign = 'now'));
	return;
}

# As if some had ended long ago, on a day that is counted.
sub prune_some
{
	my ($database, $name) = @_;
	my $day = sprintf '1970-01-%02d', $round;

	$node->safe_psql($database, qq{
		SET session_replication_role = replica;
		UPDATE reengage.lineage SET recorded_at = timestamptz '$day 12:00+00' + random() * interval '1 hour'
		WHERE requested_conversation_id IN (SELECT unnest(ARRAY['live', 'closed']) || '-$name-' || n FROM generate_series(10, $few) n);
		INSERT INTO reengage.lineage_manifest (day, as_of, row_count, digest) SELECT '$day', now(), 0, 0 FROM generate_series(1, 1)});
	is($sessions{$database}->query_safe("SELECT lineage FROM reengage_internal.prune_part('1 day', '1960-01-01', 200)"), $few - 9, "$name: some go");
	$sessions{$database}->query_safe("SELECT reengage_internal.prune_rest('1 day', 200)");
	return;
}

# Statements that were compiled: those of the worker and within our functions, which
# none should be, and those of the session itself, to see that they would be.
my (@compiled, $compilable);

sub note_compiled
{
	my ($database) = @_;

	my ($of_session, @ours) = split /\n/, $node->safe_psql($database, q{
		SELECT query FROM (
			SELECT count(*)::text AS query, 0 AS place FROM pg_stat_statements
			WHERE jit_functions > 0 AND toplevel AND userid <> 'reengage_worker'::regrole
			UNION ALL
			SELECT left(regexp_replace(query, '\s+', ' ', 'g'), 200), 1 FROM pg_stat_statements
			WHERE jit_functions > 0 AND (NOT toplevel OR userid = 'reengage_worker'::regrole)) s
		ORDER BY place});

	$compilable += $of_session;
	push @compiled, @ours;
	return;
}

# Blocks that each statement of ours touched since the last time, by its beginning.
# What folds the changes of counts runs in some of the rounds, and is as long as they are many.
sub touched
{
	my ($database, $but) = @_;
	my %blocks;

	$but //= 'pg_stat_statements';

	for (split /\n/, $node->safe_psql($database, qq{
		SELECT (userid = 'reengage_worker'::regrole) || '|' || sum(shared_blks_hit + shared_blks_read) || '|' ||
			regexp_replace(query, '\\s+', ' ', 'g')
		FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid AND d.datname = current_database()
		WHERE query ~ 'reengage' AND query !~ 'pg_stat_statements|^SELECT NOT EXISTS|generate_series|FROM reengage.tally_changes' AND query !~ '$but'
		GROUP BY userid, query}))
	{
		my ($worker, $count, $query) = split /\|/, $_, 3;
		# some are there with their constants, as they were first seen before
		$query =~ s/'[^']*'|\$\d+|\b(?:\d+|true|false|NULL(?=::))\b/?/g;
		$blocks{ ($worker eq 'true' ? 'worker: ' : 'session: ') . $query } += $count;
	}
	note_compiled($database);
	$node->safe_psql($database, 'SELECT pg_stat_statements_reset()');
	return \%blocks;
}

# What was asked for and has ended long ago.
sub grow_past
{
	my ($database) = @_;
	my $many = $few * 1000;

	$node->safe_psql($database, qq{
		SET session_replication_role = replica;
		INSERT INTO reengage.nudges (server, conversation_id, message, campaign, requested_at)
		SELECT 'genesys', 'past-' || n, 'x', 'past', now() - interval '1 day' FROM generate_series(1, $many) n;
		INSERT INTO reengage.lineage_manifest (day, as_of, row_count, digest)
		SELECT to_char(date '1900-01-01' + n, 'YYYY-MM-DD'), now(), 0, 0 FROM generate_series(1, $many) n});
	return;
}

# Every table, a thousandfold, with nothing that is due now.
sub grow
{
	my ($database) = @_;
	my $many = $few * 1000;

	$node->safe_psql($database, qq{
		INSERT INTO reengage.nudges (conversation_id, message, address, channel, campaign, due_at)
		SELECT 'grown-' || n, 'x', '+1646' || lpad(n::text, 7, '0'), 'sms', 'grown', now() + '1 day' FROM generate_series(1, $many) n;
		SET session_replication_role = replica;
		INSERT INTO reengage.lineage (nudge_id, server, outcome, step, requested_conversation_id, conversation_id,
			previous_conversation_id, root_conversation_id, generation, address_hash, channel, attempts, api_calls, api_calls_saved,
			requested_at, due_at, occurred_at, xact_id)
		SELECT reengage.uuid_v7(), 'genesys', (ARRAY['notified', 'session_created', 'in_doubt'])[1 + n % 3], 'create', 'old-' || n,
			CASE n % 3 WHEN 1 THEN 'new-' ELSE 'old-' END || n, CASE n % 3 WHEN 1 THEN 'old-' || n END, 'old-' || n,
			(n % 3 = 1)::int, md5(n::text), 'sms', 1, 2, 0, now(), now(), now(), 1
		FROM generate_series(1, $many) n;
		INSERT INTO reengage.past_sessions (lineage_id, occurred_at, generation, server, previous_conversation_id, conversation_id, root_conversation_id)
		SELECT reengage.uuid_v7(), now(), 1, 'genesys', 'gone-' || n, 'then-' || n, 'gone-' || n FROM generate_series(1, $many) n;
		INSERT INTO reengage.pruned_nudges (nudge_id, day) SELECT md5(n::text)::uuid, now() FROM generate_series(1, $many) n;
		INSERT INTO reengage.suppressions (server, channel, address_hash, label) SELECT 'genesys', 'sms', md5(n::text), 'x' FROM generate_series(1, $many) n;
		INSERT INTO reengage.suppressions (server, channel, root_conversation_id, label) SELECT 'genesys', NULL, 'old-' || n, 'x' FROM generate_series(1, $many) n;
		INSERT INTO reengage.changes (table_name, new) SELECT 'suppressions', '{}' FROM generate_series(1, $many) n;
		INSERT INTO reengage.answers (address_hash, answered_at) SELECT md5(n::text), now() FROM generate_series(1, $many) n;
		INSERT INTO reengage.answers (root_conversation_id, server, answered_at) SELECT 'old-' || n, 'genesys', now() FROM generate_series(1, $many) n;
		INSERT INTO reengage.unresolved (nudge_id, server, step, conversation_id, address_hash, since)
		SELECT reengage.uuid_v7(), 'genesys', 'create', 'old-' || n, md5(n::text), now() FROM generate_series(1, $many) n});
	return;
}

# An index has grown by a level or two, and one that was empty is not passed over any
# more; a table has grown by hundreds of blocks, for each row.
sub compare
{
	my ($before, $after, $what) = @_;
	my @grown;
	my ($all_before, $all_after) = (0, 0);

	for my $query (sort keys %$after)
	{
		my $usual = $before->{$query} // 0;

		$all_before += $usual if $query =~ /^worker/;
		$all_after += $after->{$query} if $query =~ /^worker/;
		push @grown, "$usual -> $after->{$query}: " . substr($query, 0, 300) if $after->{$query} > 5 * $usual + 100;
	}
	note "$what: $all_before blocks of the worker before, $all_after after";
	is(join("\n", @grown), '', "$what: no statement touches more than some blocks more");
	return;
}

# these look through all that is due
my $all_due = 'cancel_campaign';

for my $database (sort keys %databases)
{
	begin($database);
	work($database);
	touched($database);
	work($database);
	my $usual = touched($database);
	grow_past($database);
	touched($database);
	work($database);
	compare($usual, touched($database), "$databases{$database}, with a past since");
	grow($database);
	touched($database);
	work($database);
	compare($usual, touched($database, $all_due), "$databases{$database}, grown since");
	# the same, planned now, with what is known from then
	my $worker = worker_pid($node, $database);
	$sessions{$database}->quit;
	$sessions{$database} = $node->background_psql($database);
	$sessions{$database}->query_safe('SET jit = on; SET plan_cache_mode = force_generic_plan; SET client_min_messages = warning');
	$node->safe_psql('template1', "SELECT pg_terminate_backend($worker)");
	wait_for(sub { my $now = worker_pid($node, $database); $now ne '' && $now ne $worker }, 'another worker');
	work($database);
	touched($database);
	work($database);
	compare($usual, touched($database, $all_due), "$databases{$database}, planned when they were large");
	# all rows of all tables are compared, but not each with each
	$operators{$database}->query("SET statement_timeout = '30 s'; SELECT reengage.arm()");
	my $blocks = $node->safe_psql($database, q{SELECT coalesce(sum(shared_blks_hit + shared_blks_read), 0) FROM pg_stat_statements
		WHERE toplevel AND query = 'SELECT reengage.arm()'});
	cmp_ok($blocks, '>', 0, "$databases{$database}: armed again");
	cmp_ok($blocks, '<', 100 * $few * 1000, '... with some blocks for each row');
	$_->quit for $sessions{$database}, $operators{$database};
}

SKIP:
{
	skip 'this PostgreSQL compiles nothing', 2 if $node->safe_psql('postgres', 'SET jit = on; SELECT pg_jit_available()') ne 't';
	cmp_ok($compilable, '>', 0, "statements of a session are compiled: $compilable");
	is(join("\n", @compiled), '', 'none of ours is');
}

# --- an INSERT of one row plans itself, and nothing else ---------------------------------------------

my $application = $node->background_psql('postgres');
my $insert = q{INSERT INTO reengage.nudges (conversation_id, message, address, channel, due_at)
	VALUES ('live-single', 'x', '+13175550142', 'sms', now() + interval '1 day');};
my $planned = q{SELECT coalesce(string_agg(plans || ': ' || query, E'\n'), 'nothing') FROM pg_stat_statements WHERE NOT toplevel AND plans > 0};

# what is called for the sixth time is planned no more
$application->query_safe("SET pg_stat_statements.track_planning = on; SET client_min_messages = warning; $insert") for 1 .. 8;
$node->safe_psql('postgres', 'SELECT pg_stat_statements_reset()');
$application->query_safe($insert) for 1 .. 10;
is($node->safe_psql('postgres', $planned), 'nothing', 'the functions that an INSERT calls are not planned anew each time');
$application->quit;

$node->stop;
done_testing();
