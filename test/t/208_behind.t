# P14: what has fallen behind for good, or for days: a slot whose WAL is gone, and
# retention that fails.  Each remedy of health is tried as it stands there.
use strict;
use warnings FATAL => 'all';

use Clock qw(clock_is_missing prepare_clock start_with_clock set_clock);
use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for psql_stderr log_lines);
use Test::More;

my $missing = clock_is_missing();
prepare_clock() if !$missing;
my $simulator = start_simulator();
my $node = new_node('main', stopped => 1, init => { extra => [ '--locale=C', '--encoding=UTF8', '--wal-segsize=1' ] }, conf => <<'CONF');
shared_preload_libraries = 'reengage'
reengage.databases = 'postgres'
wal_level = logical
min_wal_size = 2MB
max_wal_size = 4MB
max_slot_wal_keep_size = 1MB
CONF
# of these processes it is time that passes
$missing ? $node->start : start_with_clock($node, monotonic => 1);
create_extension($node, $simulator);

sub sql { return $node->safe_psql('postgres', @_); }

sub row
{
	my ($subject, $columns) = @_;
	return sql('SELECT ' . ($columns // 'state, severity') . " FROM reengage.health WHERE subject = '$subject'");
}

sub becomes
{
	my ($subject, $expected, $name) = @_;
	wait_for(sub { row($subject) eq $expected }, $name);
	return is(row($subject), $expected, $name);
}

sub remedy { my ($subject) = @_; return row($subject, 'remedy') =~ /\b((?:SELECT|CALL|DROP)\b[^;]*);/g; }

# --- a slot that is lost ---------------------------------------------------------------------

sql(q{SELECT pg_create_logical_replication_slot('warehouse', 'pgoutput')});
is(row('slot warehouse'), 'ok|ok', 'a slot');
wait_for(sub {
	sql(q{SELECT pg_logical_emit_message(false, 'x', repeat('x', 900000)), pg_switch_wal() FROM generate_series(1, 3)});
	sql('CHECKPOINT');
	return row('slot warehouse', 'state') eq 'lost';
}, 'its WAL is gone');
is(row('slot warehouse'), 'lost|problem', 'is lost when its WAL is gone: a problem');
like(row('slot warehouse', 'detail'), qr/ nobody reads it, WAL lost$/, 'and says so');
like(row('slot warehouse', 'remedy'), qr/begin anew: .* make the subscription again with a copy of the data/, 'its reader has to begin anew');
sql((remedy('slot warehouse'))[0]);
is(row('slot warehouse'), '', 'the remedy takes it away');

# --- retention that fails --------------------------------------------------------------------

SKIP:
{
	skip $missing, 11 if $missing;
	nudge($node, "live-$_") for qw(old lately);
	wait_until_ended($node);
	sql(q{SET session_replication_role = replica;
		UPDATE reengage.lineage SET recorded_at = now() - CASE requested_conversation_id WHEN 'live-old' THEN interval '100 days' ELSE interval '3 days' END});
	sql(qq{CALL reengage.close_day((now() AT TIME ZONE 'UTC')::date - $_)}) for 100, 3;
	sql(q{CREATE FUNCTION public.keeps() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'it is kept'; END $$;
		CREATE TRIGGER keeps BEFORE DELETE ON reengage.nudges FOR EACH ROW EXECUTE FUNCTION public.keeps();
		GRANT EXECUTE ON FUNCTION public.keeps() TO PUBLIC});
	$node->append_conf('postgresql.conf', "reengage.retention = '30d'");
	$node->reload;
	wait_for(sub { log_lines($node, 0, qr/it is kept/) }, 'the worker fails');
	is(row('retention'), 'ok|ok', 'what fails once is not behind');
	set_clock(2 * 24 * 3600 + 600);
	becomes('retention', 'behind|warning', 'after two days it is: a warning');
	is(row('retention', 'value > threshold, unit, threshold'), 't|seconds|172800', 'with the time');
	like(row('retention', 'remedy'), qr/the server log says if it fails/, 'and where to look');
	my ($prune) = remedy('retention');
	like(psql_stderr($node, $prune), qr/ERROR:  it is kept/, 'or tried by hand: what keeps it');
	my ($drop) = remedy('trigger keeps on reengage.nudges');
	sql($drop);
	like(sql($prune), qr/^1\|1\|/, 'without it, the remedy does it at once');
	# the worker tries what failed once more after a minute
	set_clock(2 * 24 * 3600 + 1200);
	# a clock that is set wakes nobody
	sql(q{SELECT reengage_internal.wake('-infinity')});
	becomes('retention', 'ok|ok', 'and the worker sees that it is done');
	is(sql(q{SELECT string_agg(conversation_id, ' ') FROM reengage.nudges}), 'live-lately', 'what is young stays');
}

$node->stop;
done_testing();
