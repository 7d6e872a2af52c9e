# What is old goes, nudges with their lineage: nobody is written to twice for it, and
# every thread still leads to where the customer is.
use strict;
use warnings FATAL => 'all';

use Clock qw(clock_is_missing prepare_clock start_with_clock set_clock);
use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for poll_until lineage outcome
  count_due health worker_pid start_psql finish_psql psql_stderr log_size log_lines);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main', preload => 1);
create_extension($node, $simulator);
$node->safe_psql('postgres', 'CREATE ROLE some_application IN ROLE reengage_application; CREATE ROLE some_operator IN ROLE reengage_operator');

$node->safe_psql('postgres', 'GRANT USAGE ON FOREIGN SERVER genesys TO some_application');

sub sql { my ($statement, $database) = @_; return $node->safe_psql($database // 'postgres', $statement); }
sub refuses { my ($statement, $pattern, $name) = @_; return like(psql_stderr($node, $statement), $pattern, $name); }

# As if all that has ended, and is younger than that, had happened so many days ago.
sub age
{
	my ($days) = @_;
	return sql(qq{
		SET session_replication_role = replica;
		UPDATE reengage.nudges n SET requested_at = requested_at - interval '$days days', due_at = due_at - interval '$days days'
		WHERE requested_at > now() - interval '1 day' AND NOT EXISTS (SELECT FROM reengage.due d WHERE d.nudge_id = n.nudge_id);
		UPDATE reengage.lineage SET requested_at = requested_at - interval '$days days', due_at = due_at - interval '$days days',
			called_at = called_at - interval '$days days', occurred_at = occurred_at - interval '$days days', recorded_at = recorded_at - interval '$days days'
		WHERE recorded_at > now() - interval '1 day'});
}

sub known { my ($conversation) = @_; return sql("SELECT count(*) FROM reengage.nudges WHERE conversation_id = '$conversation'"); }
sub prune { my ($arguments) = @_; return sql("CALL reengage.prune($arguments)"); }
sub session_of { my ($conversation) = @_; return sql("SELECT conversation_id FROM reengage.lineage WHERE previous_conversation_id = '$conversation'"); }
sub reconciled { return sql(q{SELECT string_agg(DISTINCT state, ' ' ORDER BY state) FROM reengage.reconciliation}); }

# ---- a history -------------------------------------------------------------------------

my %id = map { $_ => "01900000-0000-4000-8000-0000000000$_" } qw(01 02 03 04);
my %by_hand = ('live-old' => '01', 'closed-old' => '02');
nudge($node, $_, nudge_id => "'$id{$by_hand{$_}}'") for sort keys %by_hand;
nudge($node, 'closed-waiting');
nudge($node, 'closed-named', address => "'+13175550199'", channel => "'sms'");
$simulator->fault(verb => 'create', id => 'closed-doubt', action => 'close_after');
$simulator->fault(verb => 'create', id => 'closed-settled', action => 'close_after');
nudge($node, $_) for qw(closed-doubt closed-settled);
wait_until_ended($node);
sql(q{SELECT reengage.resolve(lineage_id, 'not_sent') FROM reengage.in_doubt WHERE conversation_id = 'closed-settled'});
my $first = session_of('closed-old');
my $waiting = session_of('closed-waiting');
nudge($node, $first);
wait_until_ended($node);
sql(q{CREATE TABLE extract AS SELECT 'live-imported' AS conversation_id, 'sms' AS channel, '+13175550177' AS address, now()::text AS last_inbound_at, 'open' AS status});
sub import_again { return sql(q{CALL reengage.import_history(message => 'Still there?', campaign => 'back', staging => 'extract')}) =~ s/^[^|]*\|//r; }
like(import_again(), qr/^1\|1\|0\|0\|/, 'a customer out of a history');
wait_until_ended($node);
age(100);
# what is due of an old thread, and what ended today
nudge($node, 'closed-waiting', due_at => "now() + '1 day'");
nudge($node, 'live-new');
wait_until_ended($node, where => q(n.conversation_id = 'live-new'));
my @before = lineage($node);

# ---- what is refused -------------------------------------------------------------------

refuses(q{CALL reengage.prune()}, qr/ERROR:  keep must be given, as reengage.retention is 0\nHINT:  Say how much is to stay/, 'without a time');
refuses(q{CALL reengage.prune('1 hour')}, qr/ERROR:  invalid keep: 01:00:00\nDETAIL:  It must be from a day/, 'an hour');
refuses(q{CALL reengage.prune('-10 years 3601 days')}, qr/ERROR:  invalid keep: /, 'less than nothing, though its years of 360 days make it a day');
refuses(q{CALL reengage.prune('30 days', 0)}, qr/ERROR:  invalid max_nudges: 0/, 'no nudges');
refuses($_, qr/ERROR:  reengage.prune\(\) must be called outside of a transaction block\nDETAIL:  It commits as it goes.\nHINT:  CALL it by itself/, "where it may not commit: $_")
  for q{BEGIN; CALL reengage.prune('30 days')}, q{DO $$ DECLARE a bigint; b bigint; c bigint; BEGIN CALL reengage.prune('30 days', NULL, a, b, c); EXCEPTION WHEN division_by_zero THEN END $$};
refuses(q{SET ROLE some_application; CALL reengage.prune('30 days')}, qr/permission denied/, 'an application may not');
sql(q{INSERT INTO reengage.policies (server, campaign, cap, cap_interval, minimum_gap) VALUES ('genesys', 'another', 3, '60 days', '2 months')});
refuses(q{CALL reengage.prune('59 days')},
	qr/ERROR:  keep is 59 days, and a policy looks back for 60 days\nDETAIL:  It is the (cap_interval|minimum_gap) of a policy of server "genesys".*\nHINT:  Keep at least as much/,
	'less than a cap looks back for');
refuses(q{ALTER SYSTEM SET reengage.retention = '1h'}, qr/invalid value for parameter "reengage.retention": 60\nDETAIL:  The shortest is a day/, 'a setting of an hour');
refuses($_, qr/ERROR:  (DELETE|UPDATE) of table "reengage\.\w+" is not allowed\n.*\nHINT:  reengage.prune\(\) lets go/, $_)
  for 'DELETE FROM reengage.lineage', 'DELETE FROM reengage.nudges', 'UPDATE reengage.nudges SET campaign = NULL';
is(scalar lineage($node), scalar @before, 'nothing has gone');

# ---- what goes and what stays -----------------------------------------------------------

is(sql(q{SET ROLE some_operator; CALL reengage.prune('90 days')}) =~ s/\|\d+$//r, '6|8', 'an operator prunes');
is(known($_), 0, "$_ has gone") for 'live-old', 'closed-old', 'closed-named', 'closed-settled', $first, 'live-imported';
is(known('closed-doubt'), 1, 'what is in doubt stays');
is(sql(q{SELECT count(*) FROM reengage.in_doubt}), 1, 'and is shown');
is(known('closed-waiting'), 2, 'so does the thread of what is due');
is(known('live-new'), 1, 'and what is new');
is(reconciled(), 'pruned', 'the manifest says how much it was, and what is left makes the rest');
is(sql(q{SELECT rows_counted - rows_here - rows_pruned || ' ' || (digest_counted - digest_here - digest_pruned) % 9007199254740992 FROM reengage.reconciliation}), '0 0', 'to a row');
refuses(q{DO $$ BEGIN CALL reengage.close_day((now() - interval '100 days')::date); END $$}, qr/NOTICE:  day .* was closed before, and nothing has changed/, 'a pruned day stays closed');
is(prune(q{'90 days'}), '0|0|0', 'there is no more');
is(sql('SELECT count(*) FROM reengage_internal.miscounted'), 0, 'the counts of nudges are right');

# ---- nobody is asked twice ----------------------------------------------------------------

my $requests = scalar $simulator->requests;
for my $asking (
	"INSERT INTO reengage.nudges (nudge_id, conversation_id, message) VALUES ('$id{'01'}', 'live-old', 'again')",
	"INSERT INTO reengage.nudges (nudge_id, conversation_id, message) VALUES ('$id{'01'}', 'live-old', 'again') ON CONFLICT DO NOTHING",
	"INSERT INTO reengage.nudges (nudge_id, conversation_id, message) VALUES ('$id{'01'}', 'live-old', 'again') ON CONFLICT (nudge_id) DO NOTHING",
	"SELECT reengage.nudge('live-old', 'again', nudge_id => '$id{'01'}')")
{
	sql("SET ROLE some_application; $asking");
	is(known('live-old'), 0, "asked before: $asking");
}
like(import_again(), qr/^1\|0\|0\|1\|\{"already_asked": 1\}/, 'an import knows whom it has asked');
refuses(qq{SELECT reengage.redrive('$id{'01'}')}, qr/ERROR:  nudge .* is neither exhausted nor forbidden/, 'what has gone is not asked again');
is(scalar $simulator->requests, $requests, 'nothing was sent');

# one that goes while it is asked for
nudge($node, 'live-racing', nudge_id => "'$id{'03'}'");
wait_until_ended($node, where => q(n.conversation_id = 'live-racing'));
age(95);
sql(q{CALL reengage.close_day((now() - interval '95 days')::date)});
my $pruning = $node->background_psql('postgres');
$pruning->query_safe('BEGIN');
$pruning->query_safe(q{SELECT * FROM reengage_internal.prune_part('90 days', now() - interval '97 days', 100)});
my $asking = start_psql($node, "INSERT INTO reengage.nudges (nudge_id, conversation_id, message) VALUES ('$id{'03'}', 'live-racing', 'again') ON CONFLICT DO NOTHING");
poll_until($node, 'postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE NOT granted});
$pruning->query_safe('COMMIT');
$pruning->quit;
like(finish_psql($asking), qr/ERROR:  nudge $id{'03'} was asked for before, and was pruned just now\nHINT:  Ask again/, 'who asks while it goes is told');
is(known('live-racing'), 0, 'and has not asked');

# ---- threads can be walked ------------------------------------------------------------------

is(sql(q{SELECT tip FROM reengage_internal.locate('genesys', 'closed-old')}), $first, 'a past thread leads to its newest conversation');
is(sql("SELECT root || ' ' || generation FROM reengage_internal.locate('genesys', '$first')"), 'closed-old 1', 'which knows its first');
is(sql(q{SELECT string_agg(concat_ws(' ', generation, outcome, reason, previous_conversation_id), ', ') FROM reengage.thread('closed-old')}),
	'1 session_created pruned closed-old', 'its story says what followed what');
like(sql(q{SELECT reengage.thread_diagram('closed-old')}), qr/session_created: pruned/, 'so does its picture');
nudge($node, 'closed-old');
wait_until_ended($node, where => q(n.conversation_id = 'closed-old'));
is($simulator->verbs('id=closed-old') . ', ' . outcome($node, 'closed-old'), 'check create, notified - notify', 'a nudge for an old conversation goes to the newest: no second successor');
nudge($node, $first);
wait_until_ended($node, where => "n.conversation_id = '$first'");
is(sql("SELECT root_conversation_id || ' ' || generation FROM reengage.lineage WHERE requested_conversation_id = '$first'"), 'closed-old 1', 'and one for that belongs to the thread');
is(sql(q{SELECT count(*) FROM reengage.thread('closed-old')}), 3, 'the story goes on');
sql(q{SELECT reengage.suppress(conversation_id => 'closed-old')});
is(sql("SELECT count(*) FROM reengage.suppressions WHERE root_conversation_id = 'closed-old'"), 1, 'an opt-out is of the past thread');
nudge($node, $first);
wait_until_ended($node, where => "n.conversation_id = '$first'");
like(outcome($node, $first), qr/suppressed/, 'and holds for its newest conversation');

# ---- a dump has what is left ------------------------------------------------------------------

my $dump = $node->basedir . '/dump.sql';
my $all = q{SELECT md5(string_agg(t, '' ORDER BY t)) FROM (SELECT p::text FROM reengage.pruned_days p UNION ALL SELECT p::text FROM reengage.past_sessions p
	UNION ALL SELECT p::text FROM reengage.pruned_nudges p UNION ALL SELECT d::text FROM reengage.due d) AS s (t)};
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump');
sql('CREATE DATABASE restored');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('restored') ], 'and restore');
is(sql($all, 'restored'), sql($all), 'what is left of the past is dumped, and what is due');
is(sql(q{SELECT reengage_internal.lineage_position() > max(last_xact_id) FROM reengage.pruned_days}, 'restored'), 't', 'the order of lineage goes on behind it');
sql('DROP DATABASE restored');

# ---- by itself --------------------------------------------------------------------------------

age(80);
# lately, too, or the worker would not believe the clock
nudge($node, 'live-lately');
wait_until_ended($node, where => q(n.conversation_id = 'live-lately'));
age(2);
sql(q{INSERT INTO reengage.changes (change_id, table_name, changed_at, old)
	VALUES (reengage.first_id(now() - interval '80 days'), 'policies', now() - interval '80 days', '{}')});
my $kept = known('live-new');
sql(q{ALTER SYSTEM SET reengage.retention = '40d'});
$node->reload;
# the policy looks back for 60 days
ok(poll_until($node, 'postgres', q{SELECT NOT EXISTS (SELECT FROM reengage.nudges WHERE conversation_id = 'live-new')}), 'the worker lets go of what is older than the setting');
ok(poll_until($node, 'postgres', q{SELECT count(*) = 0 FROM reengage.changes WHERE changed_at < now() - interval '79 days'}), 'and of old changes');
like(reconciled(), qr/^(equal )?pruned$/, 'and the manifest agrees');
like(health($node, 'retention'), qr/^attention: what was recorded before .* goes; so far \d+ nudges, up to [-\d]+; as much stays as a policy of server "genesys" looks back for/, 'health says why more stays');
refuses(q{INSERT INTO reengage.policies (server, campaign, minimum_gap) VALUES ('genesys', 'third', '200 days'); DELETE FROM reengage.policies WHERE campaign = 'third'},
	qr/WARNING:  what was sent before [-\d]+ is not counted\nDETAIL:  Its lineage was pruned/, 'a policy that looks back further than what is left is told so');
nudge($node, 'live-young');
wait_until_ended($node, where => q(n.conversation_id = 'live-young'));
age(50);
sql(q{CALL reengage.close_day((now() - interval '50 days')::date)});
sql(q{ALTER SYSTEM SET reengage.retention = '41d'});
$node->reload;
nudge($node, 'live-after');
wait_until_ended($node, where => q(n.conversation_id = 'live-after'));
is(known('live-young'), 1, 'what a policy looks back for stays');
sql(q{DELETE FROM reengage.policies});
sql(q{ALTER SYSTEM SET reengage.retention = '40d'});
$node->reload;
ok(poll_until($node, 'postgres', q{SELECT NOT EXISTS (SELECT FROM reengage.nudges WHERE conversation_id = 'live-young')}), 'until the policy goes');
is(known('closed-doubt'), 1, 'a doubt is older than any setting');
is(known('closed-waiting') > 0, 1, 'and so is what is due');

# ids are let go, too
sql(q{ALTER SYSTEM SET reengage.tombstone_retention = '10d'});
sql(q{UPDATE reengage.pruned_nudges SET day = day - 20});
sql(q{ALTER SYSTEM SET reengage.retention = '39d'});
$node->reload;
ok(poll_until($node, 'postgres', q{SELECT count(*) = 0 FROM reengage.pruned_nudges WHERE day < now() - interval '11 days'}), 'ids that were kept long enough are forgotten');

# a day that the manifest has not counted is not made less of, whatever day the rest is of
sql(q{ALTER SYSTEM RESET reengage.retention});
$node->reload;
sql(q{SELECT reengage.resolve(lineage_id, 'not_sent') FROM reengage.in_doubt WHERE conversation_id = 'closed-doubt'});
sql(q{SET session_replication_role = replica; UPDATE reengage.lineage SET recorded_at = now() - interval '93 days' WHERE resolves IS NOT NULL AND conversation_id = 'closed-doubt'});
sub prune_part { my ($keep) = @_; return sql("SELECT nudges || ' ' || lineage FROM reengage_internal.prune_part($keep, now() - interval '101 days', 10000)"); }
is(prune_part(q{'39 days'}), '0 0', 'a doubt that was resolved on a day without a manifest stays');
is(prune_part($_), '', "and all by a setting of $_") for "'0'", 'NULL';
prune(q{'39 days'});
is(known('closed-doubt'), 0, 'until it is counted');
like(reconciled(), qr/^(equal )?pruned$/, 'so that the manifest agrees');

$node->stop;

# ---- a clock that is wrong ----------------------------------------------------------------------

SKIP:
{
	my $why = clock_is_missing();
	skip $why, 11 if $why;
	prepare_clock();
	my $day = 24 * 60 * 60;
	$node = new_node('clock', stopped => 1, conf => "shared_preload_libraries = 'reengage'\nreengage.databases = 'postgres'\nreengage.retention = '30d'");
	start_with_clock($node);
	create_extension($node, $simulator);
	my $ends = sub { my ($conversation) = @_; nudge($node, $conversation); return wait_until_ended($node, where => "n.conversation_id = '$conversation'"); };

	$ends->('live-young');
	my $log = log_size($node);
	set_clock(40 * $day);
	$ends->('live-ahead');
	ok(poll_until($node, 'postgres', q{SELECT EXISTS (SELECT FROM reengage.lineage_manifest)}), 'by a clock that was set forward its day is over');
	$ends->('live-further');
	is(scalar log_lines($node, $log, qr/nothing is pruned for a day: the clock was set forward by 57600 minutes/), 1, 'the worker says that it does not believe the clock');
	is(known('live-young'), 1, 'and lets go of nothing');

	# nor by another worker
	my $worker = worker_pid($node);
	kill 'TERM', $worker;
	wait_for(sub { my $pid = worker_pid($node); $pid ne '' && $pid ne $worker }, 'another worker');
	wait_for(sub { health($node, 'retention') =~ /^waiting: .*; the worker lets go of nothing before .*, as the clock may have been set forward/ }, 'health says it');
	$ends->('live-another');
	is(known('live-young'), 1, 'nor does another worker');
	$node->stop;
	start_with_clock($node);
	ok(poll_until($node, 'postgres', q{SELECT state = 'waiting' FROM reengage.health WHERE subject = 'retention'}), 'nor another server');
	$ends->('live-restarted');
	is(known('live-young'), 1, 'which has sent by the wrong clock');
	is(sql(q{SELECT severity FROM reengage.health WHERE subject = 'retention'}), 'warning', 'it is a warning');

	# by a clock that is two days ahead, and nobody knows
	set_clock(0);
	$node->stop;
	start_with_clock($node);
	sql(q{SET session_replication_role = replica; DELETE FROM reengage.lineage WHERE recorded_at > now() + interval '1 day'; DELETE FROM reengage.nudges WHERE requested_at > now() + interval '1 day'});
	$ends->('live-yesterday');
	$ends->('live-old');
	sql(q{SET session_replication_role = replica; UPDATE reengage.lineage SET recorded_at = recorded_at - interval '100 days' WHERE requested_conversation_id = 'live-old'});
	$node->stop;
	set_clock(2 * $day);
	start_with_clock($node);
	ok(poll_until($node, 'postgres', q{SELECT NOT EXISTS (SELECT FROM reengage.nudges WHERE conversation_id = 'live-old')}), 'what is old goes');
	is(health($node, 'retention') =~ s/:.*//r, 'ok', 'and all is well');
	$ends->('live-back');
	age(60);
	set_clock(0);
	$ends->('live-later');
	ok(poll_until($node, 'postgres', q{SELECT NOT EXISTS (SELECT FROM reengage.nudges WHERE conversation_id = 'live-back')}), 'by a clock that was set back it is no longer to wait for a midnight days ahead');
	$node->stop;
}

done_testing();
