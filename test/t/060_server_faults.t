# The server fails around the worker: it dies, it stops, it locks, it is full,
# it refuses.  What was on the wire has one outcome, nothing is sent twice, and
# what was put right needs no restart.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node own_courier create_extension nudge wait_until_ended wait_for outcome
  health worker_pid launcher_pid courier_pid process_is_alive log_size log_lines
  start_psql finish_psql lasts promise ledger_matches_lineage);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

# ---- processes die and stop ----------------------------------------------------

my $simulator = start_simulator();
my $program = own_courier();
my $node = new_node('main', preload => 1, conf => "restart_after_crash = on\nautovacuum = off");
create_extension($node, $simulator);

# A look, a notification and a creation hang; the POSTs have taken effect.
sub let_hang
{
	my ($name) = @_;

	$simulator->fault(verb => 'check', id => "live-$name-look", action => 'hang');
	$simulator->fault(verb => 'notify', id => "live-$name", action => 'hang_after');
	$simulator->fault(verb => 'create', id => "closed-$name", action => 'hang_after');
	nudge($node, $_) for "live-$name-look", "live-$name", "closed-$name";
	$simulator->wait_hanging(3);
	return;
}

sub check_hung
{
	my ($name) = @_;

	$simulator->clear_faults;
	wait_until_ended($node);
	is(outcome($node, "live-$name"), 'in_doubt interrupted notify', "$name: the notification is in doubt");
	is(outcome($node, "closed-$name"), 'in_doubt interrupted create', "$name: the creation is in doubt");
	is(outcome($node, "live-$name-look"), 'notified - notify', "$name: the look was made again");
	return;
}

# Starts the server, which has something to look at, and returns the seconds
# until it looks: from before it accepts connections, which is what counts.
sub start_and_look
{
	my $before = () = $simulator->requests('verb=check');
	my $started = time;
	my $look;

	$node->start;
	wait_for(sub { $look = ($simulator->requests('verb=check'))[$before] }, 'a look after the start');
	return $look->{arrived_us} / 1e6 - $started;
}

sub children_of
{
	my ($parent) = @_;
	return map { /^\s*(\d+)\s+(\d+)/ && $2 == $parent ? $1 : () } `ps -A -o pid= -o ppid=`;
}

my $postmaster = $node->{_pid};
my $worker = worker_pid($node);
my $courier = courier_pid($worker);
let_hang('postmaster-killed');
my @children = children_of($postmaster);
my $died = time;
$node->kill9;
wait_for(sub { !process_is_alive($worker) && !process_is_alive($courier) }, 'worker and courier are gone');
promise(time - $died, 1, 'worker and courier go with the postmaster');
$simulator->wait_hanging(0);
my $requests = () = $simulator->requests;
wait_for(sub { !grep { process_is_alive($_) } $postmaster, @children }, 'all are gone');
is(scalar(() = $simulator->requests), $requests, 'P12: they send nothing on their way');
# to the next one, a dead postmaster that nobody has buried looks alive
unlink $node->data_dir . '/postmaster.pid', $node->host . '/.s.PGSQL.' . $node->port . '.lock' if kill 0, $postmaster;
promise(start_and_look(), 1, 'a server that is started looks soon');
check_hung('postmaster-killed');

# --- stopped in each way

my $offset = log_size($node);
my $client = $node->background_psql('postgres');
$client->query_safe('SELECT 1');
let_hang('stopped-smart');
my $stop = IPC::Run::start([ 'pg_ctl', '-D', $node->data_dir, '-m', 'smart', 'stop' ], '>', \my $said);
wait_for(sub { log_lines($node, $offset, qr/received smart shutdown request/) }, 'a smart stop');
$client->query_safe(q{INSERT INTO reengage.nudges (conversation_id, message) VALUES ('live-before-stop', 'x')});
wait_for(sub { $simulator->effects('id=live-before-stop') }, 'a nudge while the last session is waited for');
$client->quit;
promise(lasts(sub { $stop->finish }), 3, 'after the last session, a smart stop waits for no API');
$node->stop('fast', fail_ok => 1);
$node->start;
check_hung('stopped-smart');
is(outcome($node, 'live-before-stop'), 'notified - notify', 'until the last session ended it was served');

$node->safe_psql('postgres', 'CREATE DATABASE other');
let_hang('stopped-fast');
promise(lasts(sub { $node->safe_psql('postgres', 'DROP DATABASE other') }), 1, 'DROP DATABASE waits for no API');
promise(lasts(sub { $node->stop('fast') }), 3, 'a fast stop waits for no API');
promise(start_and_look(), 1, 'it looks soon after it');
check_hung('stopped-fast');

$simulator->set(latency_ms => 5);
my $load = q{
	INSERT INTO reengage.nudges (conversation_id, message)
	SELECT CASE WHEN i %% 2 = 0 THEN 'live-' ELSE 'closed-' END || '%s-' || i, 'x' FROM generate_series(1, %s) i};
$node->safe_psql('postgres', sprintf $load, 'load', 600);
wait_for(sub { $simulator->counts->{created} > 50 }, 'some are sent');
$node->stop('immediate');
cmp_ok($simulator->counts->{created}, '<', 300, 'an immediate stop comes in the middle of it');
promise(start_and_look(), 1, 'it looks soon after an immediate stop, too');
wait_until_ended($node);
is($node->safe_psql('postgres', q{SELECT count(DISTINCT nudge_id) FROM reengage.lineage WHERE requested_conversation_id LIKE '%-load-%'}),
	600, 'each nudge has an outcome');

# --- cancelled

$worker = worker_pid($node);
$node->safe_psql('postgres', sprintf $load, 'cancelled', 600);
for my $round (1 .. 20)
{
	$node->safe_psql('template1', "SELECT count(pg_cancel_backend($worker)) FROM generate_series(1, 5000)");
	# of this the worker says something between its ticks
	kill 'KILL', courier_pid($worker) // next if $round % 8 == 4;
}
wait_until_ended($node);
is(worker_pid($node), $worker, 'cancels, in ticks and between them, do not end the worker');
$simulator->set(latency_ms => 0);

# --- a crash of which the launcher is to blame

$offset = log_size($node);
kill 'KILL', launcher_pid($node);
wait_for(sub { log_lines($node, $offset, qr/all server processes terminated/) }, 'the server starts anew');
$node->poll_query_until('postgres', q{SELECT state = 'running' FROM reengage_internal.worker_state()});
nudge($node, 'live-crashed-launcher');
wait_until_ended($node);
is(outcome($node, 'live-crashed-launcher'), 'notified - notify', 'a launcher that crashed comes back, and so does the worker');

# --- a tick that does not end

$node->safe_psql('postgres', q{
	CREATE FUNCTION endless() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN LOOP END LOOP; END $$;
	CREATE TRIGGER endless BEFORE INSERT ON reengage.lineage FOR EACH ROW EXECUTE FUNCTION endless();
	GRANT EXECUTE ON FUNCTION endless() TO reengage_worker});

sub in_a_tick
{
	my $pid = worker_pid($node) or return 0;
	return $node->safe_psql('template1', "SELECT state FROM pg_stat_activity WHERE pid = $pid") eq 'active' ? $pid : 0;
}

nudge($node, 'live-endless');
wait_for(sub { $simulator->effects('id=live-endless') && in_a_tick() }, 'a tick that does not end');
promise(lasts(sub { $node->stop('fast') }), 3, 'nor does a fast stop wait for a tick that does not end');
$node->start;
wait_for(\&in_a_tick, 'it does not end after the start');
my $repair = start_psql($node, 'DROP TRIGGER endless ON reengage.lineage');
wait_for(sub { $node->safe_psql('template1', q{SELECT count(*) FROM pg_locks WHERE NOT granted}) }, 'DROP TRIGGER waits for it');
$worker = in_a_tick();
$node->safe_psql('template1', "SELECT pg_cancel_backend($worker)");
is(finish_psql($repair), '', 'it can be cancelled');
wait_until_ended($node);
is(worker_pid($node), $worker, 'which does not end the worker');
is(outcome($node, 'live-endless'), 'in_doubt interrupted notify', 'its outcome was lost with the stop: in doubt');
ledger_matches_lineage($node, $simulator, 'after all this, no nudge had two effects');

# --- the courier is not what it should be

# Protocol 99; then a version and a list of libraries, both "x".
my $hello_of_another_build = <<'EOS';
#!/bin/sh
printf '\000\000\000\034\001' >&0
printf '\001\000\000\000\010\000\000\000\000\000\000\000\143' >&0
printf '\002\000\000\000\002x\000\003\000\000\000\002x\000' >&0
exec cat
EOS

sub check_courier
{
	my ($what, $mode, $text, $says) = @_;
	$worker = worker_pid($node);

	rename $program, "$program.away" or die "could not rename $program: $!";
	open my $file, '>', $program or die "could not write $program: $!";
	print $file $text;
	close $file;
	chmod $mode, $program;
	wait_for(sub { courier_pid($worker) }, 'a courier');
	kill 'KILL', courier_pid($worker);
	wait_for(sub { health($node, 'worker') =~ $says }, "$what: the health view");
	like(health($node, 'worker'), $says, "$what: the health view says so");
	rename "$program.away", $program or die "could not rename $program.away: $!";
	nudge($node, 'live-courier');
	wait_until_ended($node);
	is(worker_pid($node), $worker, "$what: once it is back, the same worker goes on");
	return;
}

SKIP:
{
	skip 'the courier cannot be replaced here', 4 unless $program;
	check_courier('not executable', 0644, '', qr/^failing: could not execute the courier ".*": Permission denied; install reengage \S+ again, or restart the server/);
	check_courier('another build', 0755, $hello_of_another_build,
		qr/^failing: the courier is of another build than the library that is loaded; restart the server/);
}

# --- a role that is gone

$offset = log_size($node);
$node->safe_psql('postgres', 'ALTER ROLE reengage_worker RENAME TO somebody');
nudge($node, 'live-role');
wait_for(sub { health($node, 'worker') =~ /^failing/ }, 'a role that is gone');
is(health($node, 'worker'), 'failing: role "reengage_worker" does not exist', 'the health view says that the role is gone');
$node->safe_psql('postgres', 'ALTER ROLE somebody RENAME TO reengage_worker');
wait_until_ended($node);
is(outcome($node, 'live-role'), 'notified - notify', 'and when it is back, the nudge is delivered');
is(scalar log_lines($node, $offset, qr/ \[$worker\] /), 1, 'the log has one line about it');
$node->stop;

# ---- faults, each in a database of its own, all at the same time -------------------

my $faulty = new_node('faults', preload => 1,
	conf => "autovacuum = off\nmax_worker_processes = 24\nmax_connections = 60\ndeadlock_timeout = 60s");
my @cases;

sub begin_case
{
	my ($name, %case) = @_;
	my $self = { %case, name => $name, simulator => start_simulator() };

	$faulty->safe_psql('template1', "CREATE DATABASE $name TEMPLATE template0");
	create_extension($faulty, $self->{simulator}, database => $name);
	push @cases, $self;
	return;
}

# A trigger that fails as the server would: the row is not to blame.
sub raises
{
	my ($event, $table, $sqlstate) = @_;

	return (
		spoil => qq{
			CREATE FUNCTION raise() RETURNS trigger LANGUAGE plpgsql AS
				\$\$ BEGIN RAISE EXCEPTION 'raised $sqlstate' USING ERRCODE = '$sqlstate'; END \$\$;
			GRANT EXECUTE ON FUNCTION raise() TO reengage_worker;
			CREATE TRIGGER raise BEFORE $event ON reengage.$table FOR EACH ROW EXECUTE FUNCTION raise()},
		mend => "DROP TRIGGER raise ON reengage.$table",
		says => "raised $sqlstate");
}

# A lock that another session holds.
sub locks
{
	my ($table, %more) = @_;

	return (hold => "LOCK TABLE reengage.$table IN ACCESS EXCLUSIVE MODE",
		says => 'canceling statement due to lock timeout', %more);
}

begin_case("locked_$_", locks($_)) for qw(due intents lineage);
# what has no row to write goes on: only outcomes need this table here, and wait
begin_case('locked_nudges', locks('nudges', says => ''));
begin_case('locked_stopped', locks('lineage', stop => 1));
begin_case('deadlock', locks('lineage'), when_it_waits => 'SELECT FROM reengage.due FOR UPDATE');
begin_case('full_lineage', raises('INSERT', 'lineage', '53100'));
begin_case('full_intents', raises('INSERT', 'intents', '53100'));
begin_case('full_due', raises('DELETE', 'due', '53100'));
begin_case('not_serializable', raises('INSERT', 'lineage', '40001'));
begin_case('may_not_read', spoil => 'REVOKE SELECT ON reengage.nudges FROM reengage_worker',
	mend => 'GRANT SELECT ON reengage.nudges TO reengage_worker', says => 'permission denied for table nudges');

$faulty->safe_psql('postgres', q{ALTER SYSTEM SET reengage.databases = '} . join(',', map { $_->{name} } @cases) . q{'});
$faulty->reload;
for my $case (@cases)
{
	my $name = $case->{name};

	wait_for(sub { courier_pid(worker_pid($faulty, $name) || 0) }, "$name: a courier");
	$case->{worker} = worker_pid($faulty, $name);
	$case->{simulator}->fault(verb => $_, action => 'delay', ms => 5000, times => 1) for qw(notify create);
	nudge($faulty, $_, database => $name) for qw(live-wire closed-wire);
	wait_for(sub { my $counts = $case->{simulator}->counts; $counts->{notify} && $counts->{create} },
		"$name: both POSTs are on the wire");
	# the replies come in when the fault is there
	$case->{courier} = courier_pid($case->{worker});
	kill 'STOP', $case->{courier};
}
$offset = log_size($faulty);
for my $case (@cases)
{
	my $name = $case->{name};

	nudge($faulty, 'live-next', database => $name);
	$faulty->safe_psql($name, $case->{spoil}) if $case->{spoil};
	next unless $case->{hold};
	$case->{session} = $faulty->background_psql($name);
	$case->{session}->query_safe("BEGIN; $case->{hold}");
}
kill 'CONT', map { $_->{courier} } @cases;
for my $case (@cases)
{
	my ($name, $pid) = @$case{qw(name worker)};

	if ($case->{when_it_waits})
	{
		wait_for(sub { $faulty->safe_psql('template1', "SELECT count(*) FROM pg_locks WHERE pid = $pid AND NOT granted") },
			"$name: the worker waits");
		$case->{session}->query_safe($case->{when_it_waits});
	}
	# the health view would wait for the locks
	my $sql = 'SELECT message FROM reengage_internal.worker_state()';
	wait_for(sub { $faulty->safe_psql($name, $sql) ne '' }, "$name: the worker complains") if $case->{says};
	is($faulty->safe_psql($name, $sql), $case->{says}, "$name: the worker says what is wrong");
	ok($faulty->poll_query_until('template1', qq{
		SELECT state = 'idle' AND backend_xmin IS NULL AND NOT EXISTS (
			SELECT FROM pg_locks l WHERE l.pid = a.pid AND locktype <> 'advisory')
		FROM pg_stat_activity a WHERE pid = $pid}), "$name: it holds nothing until it tries again");
	next unless $case->{stop};
	promise(lasts(sub {
		$faulty->safe_psql('template1', "SELECT pg_terminate_backend($pid)");
		wait_for(sub { !process_is_alive($pid) }, "$name: the worker ends");
	}), 3, "$name: a worker that cannot get a lock ends when told to");
}
for my $case (@cases)
{
	$faulty->safe_psql($case->{name}, $case->{mend}) if $case->{mend};
	next unless $case->{hold};
	$case->{session}->query_safe('COMMIT');
	$case->{session}->quit;
}
for my $case (@cases)
{
	my ($name, $pid) = @$case{qw(name worker)};
	my @database = (database => $name);

	wait_until_ended($faulty, @database);
	is(join('; ', map { outcome($faulty, $_, @database) } qw(live-wire closed-wire live-next)),
		$case->{stop} ? 'in_doubt interrupted notify; in_doubt interrupted create; notified - notify'
		: 'notified - notify; session_created - create; notified - notify',
		"$name: all is as if nothing had been");
	ledger_matches_lineage($faulty, $case->{simulator}, "$name: nothing was sent twice", @database);
	next if $case->{stop};
	is(worker_pid($faulty, $name), $pid, "$name: the worker went through it");
	# once for each time that it began anew, after a tick that had nothing to do with it
	# the lock is met by whichever of its statements comes first: with or without a place in its text
	my %said = map { s/^.*? LOG:\s+//r =~ s/ at character \d+$//r => 1 } log_lines($faulty, $offset, qr/ \[$pid\] /);
	is(join('; ', sort keys %said), $case->{says}, "$name: the log says that, and nothing else");
}
$faulty->stop;

# ---- a file that cannot grow ---------------------------------------------------------

# Of all errors of writing, a limit of the size of files needs no small disk.
sub limit_file_size
{
	my ($pid, $bytes) = @_;
	return system("prlimit --pid $pid --fsize=$bytes: >/dev/null 2>&1") == 0;
}

SKIP:
{
	chomp(my $usual = `prlimit --pid $$ --fsize -o SOFT --noheadings 2>/dev/null` // '');
	skip 'there is no prlimit here', 4 unless $usual =~ s/^\s*(\w+)\s*$/$1/;
	my $full = new_node('full', stopped => 1, preload => 1, conf => 'autovacuum = off',
		init => { extra => [ '--wal-segsize=1', '--locale=C', '--encoding=UTF8' ] });
	my $site = start_simulator();

	limit_file_size($$, 2 * 1024 * 1024);
	$full->start;
	limit_file_size($$, $usual);
	create_extension($full, $site);
	$full->safe_psql('postgres', q{
		DO $$ BEGIN
			LOOP
				INSERT INTO reengage.lineage (nudge_id, server, outcome, requested_conversation_id,
					conversation_id, root_conversation_id, generation, attempts, api_calls, api_calls_saved,
					requested_at, due_at, occurred_at)
				SELECT gen_random_uuid(), 'genesys', 'expired', 'old', 'old', 'old', 0, 0, 0, 0, now(), now(), now()
				FROM generate_series(1, 100);
			END LOOP;
		EXCEPTION WHEN OTHERS THEN
			NULL;
		END $$});
	$worker = worker_pid($full);
	# wider than what is left of the last page
	nudge($full, 'live-full', detail => q{to_jsonb((SELECT string_agg(md5(i::text), '') FROM generate_series(1, 40) i))});
	nudge($full, 'live-small');
	wait_for(sub { health($full, 'worker') =~ /^failing/ }, 'a file that cannot grow');
	like(health($full, 'worker'), qr/^failing: could not extend file "[^"]+": /, 'a full disk: the health view says so');
	limit_file_size($worker, $usual);
	wait_until_ended($full);
	is(outcome($full, 'live-full'), 'notified - notify', 'a full disk: the outcome is stored when there is room');
	is(worker_pid($full), $worker, 'a full disk: the worker went through it');
	is(scalar $site->effects, 2, 'a full disk: nothing was sent twice');
	# the checkpointer still has the limit
	$full->stop('immediate');
}

done_testing();
