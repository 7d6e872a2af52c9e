# P14: the view health has numbers, says how bad it is, and its remedies are some:
# each is tried here, as it stands there.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for psql_stderr log_lines);
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main', preload => 1, conf => "autovacuum = off\nautovacuum_freeze_max_age = 100000\nwal_level = logical");
create_extension($node, $simulator);

sub sql { return $node->safe_psql('postgres', @_); }

# What a row of health says, by columns.
sub row
{
	my ($subject, $columns) = @_;
	return sql('SELECT ' . ($columns // 'state, severity') . " FROM reengage.health WHERE subject = '$subject'");
}

# Waits until a row is as it should be.
sub becomes
{
	my ($subject, $expected, $name) = @_;
	wait_for(sub { row($subject) eq $expected }, $name);
	return is(row($subject), $expected, $name);
}

# The statements of a row's remedy.
sub remedy { my ($subject) = @_; return row($subject, 'remedy') =~ /\b((?:SELECT|CALL|VACUUM)\b[^;]*);/g; }

sub set
{
	my (%settings) = @_;

	$node->append_conf('postgresql.conf', join "\n", map { "$_ = $settings{$_}" } sort keys %settings);
	$node->reload;
	return;
}

is(scalar log_lines($node, 0, qr/ FATAL: /), 0, 'a new server has no complaints');

# --- all is well -----------------------------------------------------------------------------

wait_for(sub { row('worker') eq 'ok|ok' }, 'the worker runs');
is(sql(q{SELECT DISTINCT severity FROM reengage.health}), 'ok', 'where all is well, all is ok');
is(row('backlog', 'value, unit, threshold'), '0|seconds|3600', 'nothing is due, and an hour would be late');
is(row('worker', 'value, unit'), '0|in flight', 'a row has its number and unit');
like(row('worker', 'detail'), qr/, process \d+, courier \d+$/, 'and the processes by their numbers');
is(row('databases', 'state, severity, value, threshold'), 'ok|ok|0|0', 'no database of the list is missing');
like(row('databases', 'detail'), qr/^reengage.databases: postgres \(running\)$/, 'which is shown');

# --- late -----------------------------------------------------------------------------------------

sql(q{SELECT reengage.pause('genesys')});
is(row('server genesys'), 'paused|warning', 'a pause is a warning');
is(row('server genesys', 'unit, value < 600'), 'seconds|t', 'and for how long');
nudge($node, 'live-late');
sql(q{UPDATE reengage.due SET due_at = now() - interval '2 hours'});
is(row('backlog'), 'late|warning', 'two hours are late');
is(row('backlog', 'value BETWEEN 7200 AND 9000'), 't', 'and it is said how late');
set('reengage.overdue_after' => "'3h'");
becomes('backlog', 'ok|ok', 'what is late is a setting');
is(row('backlog', 'threshold'), 10800, 'whose value is there');
set('reengage.overdue_after' => 0);
wait_for(sub { row('backlog', 'threshold') eq '' }, 'it is turned off');
is(row('backlog'), 'ok|ok', '0 never warns');
set('reengage.overdue_after' => "'1h'");
becomes('backlog', 'late|warning', 'and back');
sql((remedy('backlog'))[0]);
sql((remedy('server genesys'))[0]);
is(row('server genesys'), 'ok|ok', 'the remedy of a pause ends it');
wait_until_ended($node);
becomes('backlog', 'ok|ok', 'and nothing is late any more');

# --- servers --------------------------------------------------------------------------------------------

$simulator->fault(verb => 'check', action => 'status', status => 403);
nudge($node, "live-blocked-$_") for 1 .. 2;
becomes('server genesys', 'blocked|problem', 'a blocked server is a problem');
ok(wait_for(sub { log_lines($node, 0, qr/ WARNING: .*server "genesys" is blocked/) }, 'the log'), 'and a warning in the log');
my ($preflight) = remedy('server genesys');
like($preflight, qr/preflight/, 'its remedy is a look at what fails');
like(sql($preflight), qr/may look/, 'which names it');
$simulator->clear_faults;
wait_until_ended($node);
becomes('server genesys', 'ok|ok', 'when that is mended, all is well');
$simulator->fault(verb => 'check', action => 'status', status => 429, retry_after => '3600', times => 1);
my $rests = nudge($node, 'live-rests');
becomes('server genesys', 'resting|warning', 'an API that wants an hour of rest is a warning');
sql("SELECT reengage.cancel('$rests')");
sql(q{UPDATE reengage.server_state SET until = now() + '1 minute'});
is(row('server genesys'), 'resting|ok', 'a minute is none');
sql(q{ALTER SERVER genesys OPTIONS (SET max_failures '7')});
nudge($node, 'live-after');

sql(q{SELECT reengage.disarm()});
is(row('fence'), 'stopped|problem', 'a fence is a problem');
ok(wait_for(sub { log_lines($node, 0, qr/ WARNING: .*reengage is not armed/) }, 'the log'), 'and a warning in the log');
sql((remedy('fence'))[0]);
is(row('fence'), 'ok|ok', 'and its remedy is one');

# --- doubts ------------------------------------------------------------------------------------------------

# a rest survives a restart, but for one that is over
sql(q{UPDATE reengage.server_state SET until = now() - interval '1 second'});
$node->restart;
$simulator->fault(verb => 'notify', id => 'live-doubt', action => 'close_after', times => 1);
nudge($node, 'live-doubt');
wait_until_ended($node, where => q(n.conversation_id = 'live-doubt'));
is(row('doubt', 'state, severity, value, unit, threshold'), 'attention|warning|1|nudges|0', 'a doubt is a warning, and counted');
isnt(sql((remedy('doubt'))[0]), '', 'its remedy shows it');
sql(q{SELECT reengage.resolve(lineage_id, 'sent') FROM reengage.in_doubt});
is(row('doubt'), '', 'and settled it is gone');

# --- retention ---------------------------------------------------------------------------------------------

is(row('retention'), '', 'without retention there is no row of it');
set('reengage.retention' => "'30d'");
becomes('retention', 'ok|ok', 'with it there is');
ok(wait_for(sub { sql(q{SELECT count(*) FROM reengage.metrics WHERE name = 'reengage_retention_pass_seconds'}) == 1 }, 'a pass'),
	'when the worker had let go of all that may go is graphed');
is(row('retention', 'value < 600, unit, threshold'), 't|seconds|172800', 'and shown, with when it would be too long ago');
is(sql(q{SELECT value FROM reengage.metrics WHERE name = 'reengage_retention_lag_seconds'}), 0, 'nothing is older than it may be');

# --- a slot -----------------------------------------------------------------------------------------------

sql(q{SELECT pg_create_logical_replication_slot('warehouse', 'pgoutput')});
is(row('slot warehouse'), 'ok|ok', 'a slot is shown');
is(row('slot warehouse', 'threshold, unit'), '1073741824|bytes', 'and how far it may be behind');
set('reengage.slot_lag_limit' => "'1MB'");
sql(q{CREATE TABLE much AS SELECT repeat('x', 1000) FROM generate_series(1, 3000)});
becomes('slot warehouse', 'behind|warning', 'one that is behind is a warning');
is(row('slot warehouse', 'value > 1048576'), 't', 'by so many bytes');
cmp_ok(sql(q{SELECT value FROM reengage.metrics WHERE name = 'reengage_slot_lag_bytes' AND labels->>'slot' = 'warehouse'}), '>', 1048576, 'which are graphed');
sql((remedy('slot warehouse'))[0]);
is(row('slot warehouse'), '', 'its remedy is one');

# --- counters that nobody adds up ----------------------------------------------------------------------------

set('reengage.databases' => "''");
becomes('worker', 'absent|warning', 'a worker that is not wanted is a warning, as run() may do its work');
sql(q{INSERT INTO reengage.nudges (conversation_id, message, campaign, due_at)
	SELECT 'live-' || n, 'x', 'campaign ' || n, now() + '1 day' FROM generate_series(1, 10500) n});
is(row('counters', 'state, severity, unit, value, threshold'), 'behind|warning|changes|10001|10000', 'changes that nobody adds up are a warning');
my ($run) = remedy('counters');
ok(wait_for(sub { sql($run); return row('counters') eq '' }, 'its remedy'), 'its remedy adds them up');

# --- wraparound --------------------------------------------------------------------------------------------------

is(row('wraparound'), '', 'nothing is old');
my $old = $node->background_psql('postgres');
$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_current_xact_id()');
sql(q{DO $$ BEGIN FOR i IN 1..201000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$});
cmp_ok(sql(q{SELECT value FROM reengage.metrics WHERE name = 'reengage_transaction_age'}), '>', 200000, 'ages are graphed');
is(row('wraparound', 'state, severity, unit, threshold, value > 200000'), 'near|warning|transactions|200000|t', 'twice what has autovacuum come is a warning');
my ($vacuum) = remedy('wraparound');
$old->query_safe('COMMIT');
$old->quit;
like($vacuum, qr/^VACUUM \(FREEZE\) reengage\./, 'its remedy begins with our oldest table');
sql($_) for $vacuum, 'VACUUM (FREEZE)';
is(row('wraparound'), '', 'and is one');

# --- who, and what it costs ----------------------------------------------------------------------------------------

sql('CREATE ROLE watcher LOGIN IN ROLE reengage_reader; CREATE ROLE shop LOGIN IN ROLE reengage_application');
cmp_ok(sql('SET ROLE watcher; SELECT count(*) FROM reengage.health'), '>=', 4, 'a reader may read it');
like(psql_stderr($node, 'SET ROLE shop; SELECT * FROM reengage.health'), qr/permission denied for view health/, 'an application may not');

sub costs
{
	sql('VACUUM ANALYZE reengage.due, reengage.nudges, reengage.tally_changes');
	my $top = JSON::PP::decode_json(sql('EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) TABLE reengage.health'))->[0]{Plan};
	return $top->{'Shared Hit Blocks'} + $top->{'Shared Read Blocks'};
}

my $ask = q{INSERT INTO reengage.nudges (conversation_id, message, due_at) SELECT 'live-' || n, 'x', now() FROM generate_series(1, %d) n};
sql(sprintf $ask, 10_500);
my $few = costs();
sql(sprintf $ask, 100_000);
my $many = costs();
# the newest 1000 are looked up, by indexes that may be a level deeper
cmp_ok($many, '<', $few + 2000, "it costs $few buffers, and $many with ten times as much due");

done_testing();
