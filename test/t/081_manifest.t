# The manifest of lineage: the worker writes it for each day that has ended, when
# nobody can record a row of that day any more.
use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for outcome
  worker_pid log_size log_lines start_psql finish_psql psql_stderr);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main', preload => 1, conf => 'max_prepared_transactions = 2');
create_extension($node, $simulator);

sub sql { my ($statement, $database) = @_; return $node->safe_psql($database // 'postgres', $statement); }

# SQL that records rows at a time, as a day in the past would have.
my $recorded = 0;
sub rows_at
{
	my ($at, $count) = @_;
	my ($first, $last) = ($recorded + 1, $recorded += $count // 1);
	return qq{
		INSERT INTO reengage.lineage (server, outcome, requested_conversation_id, conversation_id,
			root_conversation_id, generation, attempts, api_calls, api_calls_saved, occurred_at, recorded_at)
		SELECT 'genesys', 'imported', 'c-' || i, 'c-' || i, 'c-' || i, 0, 0, 0, 0, now(), $at
		FROM generate_series($first, $last) i};
}

# Another worker: it looks for days when it starts.
sub restart_worker
{
	sql(q{ALTER SYSTEM SET reengage.databases = ''});
	$node->reload;
	wait_for(sub { worker_pid($node) eq '' }, 'the worker goes');
	sql(q{ALTER SYSTEM RESET reengage.databases});
	$node->reload;
	wait_for(sub { worker_pid($node) ne '' }, 'another worker comes');
	return worker_pid($node);
}

sub wait_for_day
{
	my ($day) = @_;
	return $node->poll_query_until('postgres', qq{SELECT count(*) > 0 FROM reengage.lineage_manifest WHERE day = '$day'});
}

# "day rows state" of the manifest's newest rows, in order; without the day of
# today, which ends if midnight passes.
sub reconciliation
{
	my ($database) = @_;
	return sql(q{SELECT string_agg(concat_ws(' ', day, rows_counted, state), ', ' ORDER BY day) FROM reengage.reconciliation WHERE day < '2021'}, $database);
}

sub rows_of_day
{
	my ($day) = @_;
	return sql("SELECT string_agg(row_count::text, ', ' ORDER BY as_of) FROM reengage.lineage_manifest WHERE day = '$day'");
}

# ---- days that have ended ------------------------------------------------------------

# the rows of a day are counted in parts; more than a part have the same time
sql(rows_at(q{'2020-02-03 00:00+00'::timestamptz + i * interval '6 s'}, 12000));
sql(rows_at(q{'2020-02-05 23:59:59.999999+00'}, 12000));
sql(rows_at(q{'2020-02-05 12:00+00'}, 3));
sql(rows_at('now()'));
restart_worker();
wait_for_day('2020-02-05');
is(reconciliation(), '2020-02-03 12000 equal, 2020-02-05 12003 equal',
	'a worker that starts closes each day that has ended and has rows');
is(sql(q{SELECT count(*) FROM reengage.lineage_manifest WHERE day >= to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD')}), 0, 'and no other');

# what came late is counted again when somebody asks for it
sql(rows_at(q{'2020-02-03 12:00+00'}, 7));
sql(rows_at(q{'2020-02-06 12:00+00'}));
restart_worker();
wait_for_day('2020-02-06');
is(rows_of_day('2020-02-03'), '12000', 'the worker closes a day once');
sql(q{CALL reengage.close_day('2020-02-03')});
is(rows_of_day('2020-02-03'), '12000, 12007', 'close_day() counts late rows');
is(reconciliation(), '2020-02-03 12007 equal, 2020-02-05 12003 equal, 2020-02-06 1 equal', 'and the newest row counts');

# ---- what holds a day open -------------------------------------------------------------

my $session = $node->background_psql('postgres');
my $pid = $session->query_safe('SELECT pg_backend_pid()');
$session->query_safe('BEGIN');
$session->query_safe('SELECT count(*) FROM reengage.lineage');
# the day in which that began, even if midnight passes
my $today = "'" . $session->query_safe(q{SELECT (now() AT TIME ZONE 'UTC')::date}) . "'::date";
is(sql("SELECT reengage_internal.day_held_open_by($today)"), '', 'a transaction that reads holds no day open');
$session->query_safe(rows_at(q{'2020-02-07 12:00+00'}));
like(sql("SELECT reengage_internal.day_held_open_by($today)"), qr/^process $pid \(transaction since .* UTC\)$/,
	'one that has written holds open the day in which it began');
is(sql("SELECT reengage_internal.day_held_open_by($today - 1)"), '', 'and none before');
sql(q{CALL reengage.close_day('2020-02-07')});
is(rows_of_day('2020-02-07'), '0', 'which can be closed');
$session->query_safe('COMMIT');
sql(q{CALL reengage.close_day('2020-02-07')});
is(rows_of_day('2020-02-07'), '0, 1', 'and once more with what came late');

# nobody knows when these began
$session->query_safe('SET track_activities = off');
$session->query_safe('BEGIN');
$session->query_safe(rows_at(q{'2020-02-08 12:00+00'}));
like(psql_stderr($node, q{CALL reengage.close_day('2020-02-08')}),
	qr/ERROR:  day 2020-02-08 is still open\nDETAIL:  Rows of it may be about to be committed by process $pid\.\nHINT/,
	'a transaction of which nobody knows when it began holds open every day');
$session->query_safe(q{PREPARE TRANSACTION 'late'});
$session->quit;
sql(rows_at(q{'2020-02-08 13:00+00'}));
like(psql_stderr($node, q{CALL reengage.close_day('2020-02-08')}), qr/DETAIL:  .* by a prepared transaction\./,
	'so does a prepared one');
my $offset = log_size($node);
restart_worker();
wait_for(sub { log_lines($node, $offset, qr/lineage of 2020-02-08 cannot be closed yet, it is held open by a prepared transaction/) },
	'the worker says why it waits');
nudge($node, 'live-meanwhile');
wait_until_ended($node);
is(rows_of_day('2020-02-08'), '', 'the worker does not close an open day, and nudges go on');
sql(q{COMMIT PREPARED 'late'});
restart_worker();
wait_for_day('2020-02-08');
is(rows_of_day('2020-02-08'), '2', 'then it counts what was held back');

# ---- today, so far -------------------------------------------------------------------------------

# What was counted of a day that is not over; of rows that were recorded until then all are.
sub last_part
{
	return sql(q{
		SELECT m.row_count - (SELECT count(*) FROM reengage.lineage l WHERE l.recorded_at >= m.day::timestamp AT TIME ZONE 'UTC' AND l.recorded_at < m.up_to)
			|| ' ' || r.state || ' ' || r.rows_here
		FROM reengage.lineage_manifest m JOIN reengage.reconciliation r ON r.day = m.day AND r.up_to = m.up_to ORDER BY m.as_of DESC LIMIT 1});
}

sql(rows_at('clock_timestamp()', 5));
sql('CALL reengage.close_part()');
like(last_part(), qr/^0 equal so far \d+$/, 'close_part() counts what the running day has');
$session = $node->background_psql('postgres');
$pid = $session->query_safe('SELECT pg_backend_pid()');
$session->query_safe('BEGIN');
my $began = $session->query_safe('SELECT now()');
$session->query_safe(rows_at('clock_timestamp()', 2));
sql(rows_at('clock_timestamp()', 3));
my $said = psql_stderr($node, 'CALL reengage.close_part()');
# while a day ends, of the next one nothing can be counted
if (sql("SELECT ('$began'::timestamptz AT TIME ZONE 'UTC')::date = (now() AT TIME ZONE 'UTC')::date") eq 't')
{
	is($said, '', 'beside an open transaction');
	is(sql("SELECT max(up_to) = '$began' FROM reengage.lineage_manifest"), 't', 'up to where that began');
	like(last_part(), qr/^0 equal so far \d+$/, 'which is true');
	like(psql_stderr($node, 'CALL reengage.close_part()'), qr/NOTICE:  day .* was counted up to this time before/, 'and not further');
}
$session->query_safe('COMMIT');
like(last_part(), qr/^0 equal so far \d+$/, 'also when its rows are there');
sql('CALL reengage.close_part()');
is(sql("SELECT max(up_to) > '$began' FROM reengage.lineage_manifest"), 't', 'then it goes on');
like(last_part(), qr/^0 equal so far \d+$/, 'with these');
is(sql(q{SELECT count(*) FROM reengage_internal.day_without_manifest() d WHERE d IS NOT NULL AND d < '2021-01-01'}), 0, 'no day of the past waits');
sql(rows_at(q{'2020-02-10 12:00+00'}));
sql(q{INSERT INTO reengage.lineage_manifest (day, as_of, row_count, digest, column_sums, up_to) VALUES ('2020-02-10', '2020-02-10 11:00+00', 0, 0, 'lineage_id:0:0', '2020-02-10 11:00+00')});
restart_worker();
$node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM reengage.lineage_manifest WHERE day = '2020-02-10'});
is(sql(q{SELECT state FROM reengage.reconciliation WHERE day = '2020-02-10'}), 'equal', 'a day that was counted so far is closed when it has ended');
$session->query_safe('BEGIN');
$session->query_safe(rows_at('clock_timestamp()'));
$session->query_safe(q{PREPARE TRANSACTION 'part'});
$session->quit;
like(psql_stderr($node, 'CALL reengage.close_part()'),
	qr/ERROR:  nothing of day .* can be counted yet\nDETAIL:  Rows of all of it may be about to be committed by a prepared transaction\.\nHINT/,
	'beside a prepared transaction nothing can be told');
sql(q{ROLLBACK PREPARED 'part'});

# ---- a failure costs nothing else -----------------------------------------------------------

$session = $node->background_psql('postgres');
$session->query_safe('BEGIN');
$session->query_safe('LOCK TABLE reengage.lineage_manifest');
sql(rows_at(q{'2020-02-09 12:00+00'}));
$offset = log_size($node);
restart_worker();
wait_for(sub { log_lines($node, $offset, qr/canceling statement due to lock timeout/) }, 'the worker cannot read the manifest');
nudge($node, 'live-locked');
wait_until_ended($node);
is(outcome($node, 'live-locked'), 'notified - notify', 'a manifest that cannot be written holds up no nudge');
is(scalar(log_lines($node, $offset, qr/lock timeout/)), 1, 'and is one line in the log');
$session->query_safe('COMMIT');
$session->quit;

# ---- copies ----------------------------------------------------------------------------------

sql('SELECT reengage.disarm()');
my $worker = restart_worker();
my $state_change = "SELECT state_change FROM pg_stat_activity WHERE pid = $worker";
ok($node->poll_query_until('postgres', q{SELECT state = 'fenced' FROM reengage_internal.worker_state()}), 'a disarmed database is fenced');
my $before = sql($state_change);
sql(q{SELECT reengage_internal.wake('-infinity')});
wait_for(sub { sql($state_change) ne $before }, 'the worker has looked again');
is(rows_of_day('2020-02-09'), '', 'and its worker writes no manifest');
sql('SELECT reengage.arm()');
wait_for_day('2020-02-09');
is(rows_of_day('2020-02-09'), '1', 'but does when it is armed');

my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump');
sql('CREATE DATABASE restored');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('restored') ], 'and restore');
# of the days of this test: another may have ended since the dump
my $manifest = q{SELECT string_agg(m::text, chr(10) ORDER BY manifest_id) FROM reengage.lineage_manifest m WHERE m.day < '2021-01-01'};
is(sql($manifest, 'restored'), sql($manifest), 'the manifest is dumped and restored');
is(reconciliation('restored'), reconciliation(), 'every day is equal there');
unlike(reconciliation(), qr/more|missing|differs/, 'as here');
like(psql_stderr($node, q{CALL reengage.close_day('2020-02-03')}, database => 'restored'), qr/NOTICE:  day 2020-02-03 was closed before/,
	'a day that was closed is closed in the copy');
sql(rows_at(q{'2020-02-03 13:00+00'}) . q{; CALL reengage.close_day('2020-02-03')}, 'restored');
like(reconciliation('restored'), qr/^2020-02-03 12008 equal,/, 'and goes on from there');

# ---- encodings ---------------------------------------------------------------------------------

for my $encoding (qw(UTF8 LATIN1 SQL_ASCII))
{
	my $database = lc "db_$encoding";
	sql("CREATE DATABASE $database ENCODING '$encoding' TEMPLATE template0");
	is($node->safe_psql($database, qq{
		SET client_encoding = @{[ $encoding eq 'SQL_ASCII' ? 'SQL_ASCII' : 'UTF8' ]};
		CREATE EXTENSION reengage;
		INSERT INTO reengage.lineage (lineage_id, nudge_id, server, outcome, requested_conversation_id, conversation_id,
			previous_conversation_id, root_conversation_id, generation, attempts, http_status, api_calls, api_calls_saved,
			requested_at, due_at, occurred_at, recorded_at, detail)
		VALUES ('01900000-0000-7000-8000-000000000002', '01900000-0000-7000-8000-00000000000a', 'Z\xc3\xbcrich', 'session_created',
			'abc-123-def', 'n-1', 'abc-123-def', 'abc-123-def', 1, 1, 201, 2, 0, '2020-02-03 04:05:06+00', '2020-02-03 04:05:06+00',
			'2020-02-03 04:05:06.000001+00', '2020-02-03 04:05:07+00', '{"\xc3\xbc": ["\xc3\xa9~"], "z": 1.10}');
		SELECT reengage.lineage_digest(l), (s.sums).digest, (SELECT c.sum FROM reengage.column_sums((s.sums).column_sums) c WHERE c.column_name = 'detail')
		FROM reengage.lineage l, (SELECT reengage_internal.lineage_sums(l) AS sums FROM reengage.lineage l) s}), '166092616370654|166092616370654|317274065',
		"digest and sums are of UTF-8 in a database with the encoding $encoding");
}

# a byte that the encoding lets in, and UTF-8 has nothing for
sql(q{CREATE DATABASE db_win1252 ENCODING 'WIN1252' LOCALE 'C' TEMPLATE template0});
is($node->safe_psql('db_win1252', qq{
	CREATE EXTENSION reengage;
	SET client_encoding = 'WIN1252';
	INSERT INTO reengage.lineage (server, outcome, requested_conversation_id, conversation_id, root_conversation_id, generation,
		attempts, api_calls, api_calls_saved, occurred_at, recorded_at, campaign, detail)
	VALUES ('genesys', 'imported', 'c-1', 'c-1', 'c-1', 0, 0, 0, 0, now(), '2020-02-03 12:00+00', '\x81', '{"a": "\x81"}');
	CALL reengage.close_day('2020-02-03');
	SELECT state FROM reengage.reconciliation WHERE day = '2020-02-03'}), 'equal', 'a text that has no UTF-8 keeps no day from being closed');

$node->stop;
done_testing();
