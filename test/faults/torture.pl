# Inserts nudges and kills what should send them; see run.
use strict;
use warnings FATAL => 'all';

use HTTP::Tiny;
use IO::Handle;
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(time sleep);

my ($n, $kills, $seed) = @ENV{qw(N KILLS SEED)};
my $keys = $ENV{KEYS} ? 1 : 0;
my ($bindir, $stage, $simulator) = @ENV{qw(BINDIR STAGE SIMULATOR)};
my $work = "$stage/work";
my $data = "$work/data";
my $points = $ENV{REENGAGE_TEST_POINTS};

# how long anything may take before it counts as broken
my $patience = 120;

my $started = time;
my (@asked, @kills, %kills_by_kind, %points_met, @broken);
my ($kills_done, $longest_absence, $checked_in) = (0, 0, 0);

$| = 1;
srand $seed;
# a statement that never ends is a finding, not a reason to wait
$ENV{PGOPTIONS} = '-c statement_timeout=60s -c jit=off';
$ENV{PGCONNECT_TIMEOUT} = 10;

# ---- small tools ----------------------------------------------------------------

sub pick { return $_[ int rand @_ ]; }

# An integer between both, inclusive.
sub between { my ($low, $high) = @_; return $low + int rand($high - $low + 1); }

sub slurp
{
	my ($file) = @_;
	open my $handle, '<', $file or return '';
	local $/;
	return <$handle> // '';
}

sub spit
{
	my ($file, $text) = @_;
	open my $handle, '>', $file or die "could not write $file: $!";
	print $handle $text;
	close $handle or die "could not write $file: $!";
	return;
}

# A uuid of version 4, of the seeded dice.
sub uuid
{
	my @digits = map { between(0, 15) } 1 .. 32;
	$digits[12] = 4;
	$digits[16] = 8 + $digits[16] % 4;
	return join '-', unpack 'A8 A4 A4 A4 A12', join '', map { sprintf '%x', $_ } @digits;
}

sub break_off
{
	my ($rule, $fact) = @_;
	return if grep { $_ eq "$rule: $fact" } @broken;
	push @broken, "$rule: $fact";
	print "\nBROKEN  $rule: $fact\n";
	return;
}

# Runs psql on a text; the output, or undef and the reason in $sql_error.
my $sql_error;

sub try_sql
{
	my ($sql, @options) = @_;
	my $base = "$work/sql.$$";

	spit("$base.in", $sql);
	my $status = system "'$bindir/psql' -XAtq -v ON_ERROR_STOP=1 -h '$work' -U reengage_faults -d shop "
	  . join(' ', map { "'$_'" } @options) . " -f '$base.in' >'$base.out' 2>'$base.err'";
	$sql_error = slurp("$base.err");
	return undef if $status != 0;
	chomp(my $output = slurp("$base.out"));
	return $output;
}

# The same, until it works.
sub sql
{
	my ($sql, @options) = @_;
	my $deadline = time + $patience;

	while (time < $deadline)
	{
		my $output = try_sql($sql, @options);
		return $output if defined $output;
		die "psql: $sql_error" unless $sql_error =~ /connection|starting up|shutting down|terminat|recovery|FATAL/;
		sleep 0.1;
	}
	die "psql, for $patience s: $sql_error";
}

my $http = HTTP::Tiny->new(timeout => 60);

sub simulator
{
	my ($method, $path, $body) = @_;
	my $options = defined $body ? { content => JSON::PP::encode_json($body) } : {};
	my $reply = $http->request($method, "$simulator/_sim/$path", $options);

	die "simulator: $method $path: $reply->{status} $reply->{content}" unless $reply->{success};
	return $reply->{content};
}

# ---- the API's faults --------------------------------------------------------------

# Rare faults of every call, and a latency of 0 to 20 ms for the rest.
sub fault_rules
{
	my @faults = (
		{ action => 'close_after' },
		{ action => 'close_before' },
		{ action => 'status_after', status => 502, name => '502_after' },
		{ action => 'status', status => 503, retry_after => '1', name => '503_later' },
		{ action => 'status', status => 429, retry_after => '1', name => '429' },
		{ action => 'hang_after' },
		{ action => 'garbage' },
		{ action => 'truncate' },
		{ action => 'empty' });
	my @rules = map { my $verb = $_; map { { %$_, verb => $verb, rate => 0.005 } } @faults }
	  qw(check notify create token);

	push @rules, { verb => $_, action => 'expire_token', rate => 0.001 } for qw(check notify create);
	push @rules, map { { verb => '*', action => 'delay', ms => $_, rate => 0.15, name => 'latency' } }
	  1, 2, 4, 7, 10, 15, 20;
	return \@rules;
}

# ---- nudges ---------------------------------------------------------------------------

# Several nudges for each conversation, so that threads matter.
my $conversations = int($n / 7) + 1;
my @kinds = (('live') x 6, ('closed') x 6, ('race') x 2, ('hash') x 4, qw(zombie ringing noaddr gone webchat));
my @kinds_by_number = qw(live closed race hash closed live);

# A key makes the same call harmless, not the next one: a notification that is
# refused after one that may have had an effect is in doubt, and so is one that
# comes too late to be made again.
if ($keys)
{
	s/^race$/closed/ for @kinds, @kinds_by_number;
}

sub conversation
{
	my $id = between(1, $conversations);
	my $kind = pick(@kinds);

	# the same number is always of the same kind, but for a few
	$kind = $kinds_by_number[ $id % @kinds_by_number ] if rand() < 0.9;
	return "'$kind-$id'";
}

sub nudge_values
{
	my ($nudge_id) = @_;
	my $conversation = conversation();

	# one of those that were created lately
	$conversation = 'coalesce((SELECT l.conversation_id FROM reengage.lineage l'
	  . ' WHERE l.previous_conversation_id IS NOT NULL ORDER BY l.lineage_id DESC OFFSET '
	  . between(0, 20) . " LIMIT 1), $conversation)"
	  if rand() < 0.1;
	return sprintf q{('%s', %s, 'Are you still there?', '%s', %d, now() + interval '%d ms', %s, 'torture')},
	  $nudge_id, $conversation, (rand() < 0.1 ? 'skip' : 'new_session'), between(0, 9),
	  (rand() < 0.2 ? between(100, 1500) : 0),
	  (rand() < 0.05 && !$keys ? "now() + interval '" . between(1600, 3000) . " ms'" : 'NULL');
}

# The statements of one batch; its nudges are noted in @asked.
sub batch
{
	my ($size) = @_;
	my $rolled_back = rand() < 0.1;
	my @ids = map { uuid() } 1 .. $size;
	my $insert = 'INSERT INTO reengage.nudges (nudge_id, conversation_id, message, when_closed, priority, due_at,'
	  . " expires_at, campaign) VALUES\n" . join(",\n", map { nudge_values($_) } @ids) . "\nON CONFLICT DO NOTHING;\n";

	if ($rolled_back)
	{
		# the same nudges under other names, which nobody may ever see
		my $never = $insert;
		for my $id (@ids)
		{
			my $other = uuid();
			$never =~ s/$id/$other/;
			push @asked, [ $other, 'rolled back' ];
		}
		$insert = "BEGIN;\n${never}ROLLBACK;\n$insert";
	}
	push @asked, map { [ $_, 'committed' ] } @ids;
	return $insert;
}

sub batches
{
	my ($count) = @_;
	my @batches;

	while ($count > 0)
	{
		my $size = between(1, rand() < 0.3 ? 60 : 12);
		$size = $count if $size > $count;
		push @batches, { sql => batch($size), pause => rand() * 0.04 };
		$count -= $size;
	}
	return @batches;
}

# A child inserts them, each until it is acknowledged.
sub start_inserting
{
	my (@batches) = @_;
	my $parent = $$;
	my $pid = fork() // die "could not fork: $!";

	return $pid if $pid != 0;
	for my $batch (@batches)
	{
		sleep $batch->{pause};
		until (defined try_sql($batch->{sql}))
		{
			if (getppid() != $parent || $sql_error !~ /connect|starting up|shutting down|terminat|recovery|FATAL/)
			{
				print STDERR $sql_error;
				POSIX::_exit(1);
			}
			sleep 0.05;
		}
	}
	POSIX::_exit(0);
}

# ---- processes ----------------------------------------------------------------------------

# pid => { parent, title } of all that live
sub processes
{
	my %found;

	for (`ps -A -ww -o pid= -o ppid= -o stat= -o args=`)
	{
		my ($pid, $parent, $state, $title) = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/ or next;
		$found{$pid} = { parent => $parent, title => $title } unless $state =~ /^Z/;
	}
	return \%found;
}

sub postmaster { return (slurp("$data/postmaster.pid") =~ /^(\d+)/)[0] // 0; }

sub children
{
	my ($processes, $parent) = @_;
	return () if !$parent;
	return grep { $processes->{$_}{parent} == $parent } sort { $a <=> $b } keys %$processes;
}

# The worker and its courier; 0 for what is not there.
sub senders
{
	my $processes = processes();
	my ($worker) = grep { $processes->{$_}{title} =~ /reengage worker/ } children($processes, postmaster());
	my ($courier) =
	  $worker ? grep { $processes->{$_}{title} =~ /^reengage-courier\s*$/ } children($processes, $worker) : ();

	return ($worker // 0, $courier // 0);
}

sub pg_ctl
{
	my ($what) = @_;
	my $command = "'$bindir/pg_ctl' -D '$data' -l '$work/server.log' -w -t 60 $what >>'$work/pg_ctl.log' 2>&1";

	return system($command) == 0;
}

sub start_server
{
	my $deadline = time + $patience;

	# after a SIGKILL of the postmaster, its children may still be leaving
	until (pg_ctl('start'))
	{
		die "the server does not start: " . slurp("$work/pg_ctl.log") if time > $deadline;
		sleep 0.2;
	}
	return;
}

sub stop_server
{
	my ($mode) = @_;
	my $since = time;

	pg_ctl("stop -m $mode") or break_off('shutdown', "a $mode stop failed");
	break_off('shutdown', sprintf 'a %s stop took %.1f s', $mode, time - $since) if time - $since > 30;
	return;
}

# A random child of the postmaster that is not the worker.
sub kill_backend
{
	my ($worker) = @_;

	for (1 .. 20)
	{
		my $processes = processes();
		my $victim = pick(grep { $_ != $worker } children($processes, postmaster()));

		return 1 if $victim && kill 'KILL', $victim;
	}
	return 0;
}

# Whatever it leaves must go by itself.
sub kill_postmaster
{
	my $processes = processes();
	my $postmaster = postmaster() or die 'there is no postmaster';
	my @orphans = map { ($_, children($processes, $_)) } children($processes, $postmaster);
	my $since = time;

	kill 'KILL', $postmaster;
	while (my @there = grep { kill 0, $_ } $postmaster, @orphans)
	{
		break_off('orphans', "the server was killed $patience s ago, and these are there: @there") if time > $since + $patience;
		sleep 0.01;
	}
	start_server();
	return;
}

# The test points of a process; most nudges do not meet the rare ones.
my %points_in = (
	worker => [
		qw(claimed check_answered intent_inserted intent_committed post_queued handed_over reply_read
		  outcome_inserted outcome_committed retry_written retry_committed recovered)
	],
	courier => [
		qw(courier_check_read courier_post_read courier_post_begun courier_post_answered
		  courier_check_unreported courier_post_unreported)
	]);
my %rare = map { $_ => 1 } qw(retry_written retry_committed recovered);

# Arms one of them, so that the process dies there.  Its name, and a time just
# before; or nothing, if it was not met.
sub meet_point
{
	my ($victim, $worker) = @_;
	my $point = pick(@{ $points_in{$victim} });
	my $hit = $rare{$point} ? 1 : between(1, 1 + int($n / $kills / 12));
	my $deadline = time + 1.5;
	my $armed;

	spit("$points/new", "$hit\n");
	rename "$points/new", "$points/$point" or die "could not arm $point: $!";
	# this one waits for the next worker
	kill 'KILL', $worker if $point eq 'recovered';
	while (-e "$points/$point")
	{
		$armed = time;
		return () if $armed > $deadline && unlink "$points/$point";
		sleep 0.005;
	}
	return ($point, $armed // time);
}

# kind => what to do to the worker and its courier
my %ways = (
	'courier killed' => sub { kill 'KILL', $_[1] },
	'courier crashed' => sub { kill 'SEGV', $_[1] },
	'courier stopped' => sub { kill 'STOP', $_[1]; sleep 0.05 + rand() * 1.5; kill 'CONT', $_[1] },
	'worker killed' => sub { kill 'KILL', $_[0] },
	'worker terminated' => sub { try_sql("SELECT pg_terminate_backend($_[0])") },
	'immediate stop' => sub { stop_server('immediate'); start_server() },
	'fast stop' => sub { stop_server('fast'); start_server() },
	'backend killed' => sub { kill_backend($_[0]) },
	'postmaster killed' => \&kill_postmaster,
	'point in the worker' => sub { meet_point('worker', @_) },
	'point in the courier' => sub { meet_point('courier', @_) });
my @deck;

# Every kind once before any comes again; points of the worker, of which there
# are more, more often.
sub next_kind
{
	if (!@deck)
	{
		@deck = ((sort keys %ways), ('point in the worker') x 2, 'point in the courier');
		for my $i (reverse 1 .. $#deck)
		{
			my $j = between(0, $i);
			@deck[ $i, $j ] = @deck[ $j, $i ];
		}
	}
	return shift @deck;
}

# Waits until worker and courier are there, and are others than those before.
sub wait_for_senders
{
	my ($what, @before) = @_;
	my $since = time;

	while (time < $since + $patience)
	{
		my ($worker, $courier) = senders();

		if ($worker && $courier && $courier != $before[1] && defined try_sql('SELECT 1'))
		{
			$longest_absence = time - $since if time - $since > $longest_absence;
			return ($worker, $courier);
		}
		sleep 0.03;
	}
	break_off('P14 gone', "no other worker with a courier $patience s after: $what");
	return senders();
}

sub kill_something
{
	my @before = senders();
	my $kind = next_kind();
	my $begun = time;
	my $point;

	@before = wait_for_senders('start', 0, 0) unless $before[0] && $before[1];
	die 'there is nobody to kill' unless $before[0] && $before[1];
	if ($kind =~ /^point/)
	{
		($point, $begun) = $ways{$kind}->(@before) or return;
		$points_met{$point}++;
	}
	else
	{
		$ways{$kind}->(@before);
	}
	# whoever was only stopped goes on
	wait_for_senders($kind, $kind eq 'courier stopped' ? (0, 0) : @before);
	push @kills, [ $kind, $begun, time ];
	$kills_by_kind{$kind}++;
	$kills_done++;
	return;
}

# ---- the operator --------------------------------------------------------------------------

# Settles doubts as an operator would who can look into the API: those that are
# older than any call can be.
my %irresolvable;

sub verdict
{
	my ($nudge_id, $step) = @_;
	my $report = JSON::PP::decode_json(simulator('GET', "effects?nudge=$nudge_id"));
	my @effects = @{ ref $report eq 'HASH' ? $report->{effects} : $report };

	return "'not_sent'" if !@effects;
	return $step eq 'create' ? "'sent', '$effects[0]{conversation_id}'" : "'sent'";
}

# All at once; if that fails, one by one.
sub resolve_doubts
{
	my ($singly) = @_;
	my $list = sql(q{SELECT lineage_id, nudge_id, step FROM reengage.in_doubt WHERE since < now() - interval '2 s'});
	my @doubts = grep { !$irresolvable{ $_->[0] } } map { [ split /\|/ ] } split /\n/, $list;
	my @statements = map { "SELECT reengage.resolve('$_->[0]', " . verdict(@$_[ 1, 2 ]) . ');' } @doubts;

	return if !@doubts || !$singly && defined try_sql(join "\n", @statements);
	return resolve_doubts(1) if !$singly;
	for my $i (0 .. $#doubts)
	{
		next if defined try_sql($statements[$i]);
		$irresolvable{ $doubts[$i][0] } = 1;
		break_off('resolve', "nudge $doubts[$i][1], $statements[$i] " . ($sql_error =~ s/^psql:\S+ //r));
	}
	return;
}

# ---- people who take their time ------------------------------------------------------------

# Transactions of applications and operators that stay open for a while, and what
# they hold back meanwhile.
my $any_due = '(SELECT d.nudge_id FROM reengage.due d ORDER BY random() LIMIT %d)';
my %open_transactions = (
	'cancel()' => sub { 'SELECT reengage.cancel(n.nudge_id) FROM ' . sprintf($any_due, between(1, 4)) . ' n' },
	'cancel_thread()' => sub { 'SELECT reengage.cancel_thread(' . conversation() . ')' },
	'supersedes' => sub {
		'INSERT INTO reengage.nudges (conversation_id, message, campaign, supersedes) VALUES ('
		  . conversation() . q{, 'Are you still there?', 'torture', true)}
	},
	'UPDATE policies' => sub { 'UPDATE reengage.policies SET max_length = ' . between(100, 4000) },
	'locked due rows' => sub { 'SELECT FROM reengage.due WHERE nudge_id IN ' . sprintf($any_due, between(1, 5)) . ' FOR UPDATE' });

# What would not be true, or not of this run, if it were committed.
my %taken_back = (
	'suppress(), taken back' => sub { 'SELECT * FROM reengage.suppress(conversation_id => ' . conversation() . ')' },
	'resolve(), taken back' => sub { q{SELECT reengage.resolve(lineage_id, 'not_sent') FROM reengage.in_doubt LIMIT 1} });

# An opt-out holds for the rest of the run: a few of them, each of a thread or of
# somebody who was spoken to.
my $opt_outs_left = $keys ? 0 : 2 + int($n / 200);

sub opt_out
{
	my $nudge_id = try_sql(q{SELECT nudge_id FROM reengage.lineage WHERE outcome IN ('notified', 'session_created') ORDER BY random() LIMIT 1});
	my $report = $nudge_id && rand() < 0.8 ? eval { JSON::PP::decode_json(simulator('GET', "effects?nudge=$nudge_id")) } : undef;
	my ($effect) = $report ? @{ ref $report eq 'HASH' ? $report->{effects} : $report } : ();

	$opt_outs_left--;
	return 'SELECT * FROM reengage.suppress(conversation_id => ' . conversation() . ')' if !$effect || !$effect->{address};
	return "SELECT * FROM reengage.suppress(address => '$effect->{address}', channel => 'sms')";
}

# One transaction; with keys, what was called once is to be known in the end, so
# nothing is decided that ends a nudge whose call is to be made again.
sub keep_open
{
	my ($kind) = @_;
	my $end = $taken_back{$kind} || rand() < 0.3 ? 'ROLLBACK' : 'COMMIT';
	my $what = $kind eq 'opt-out' ? opt_out() : ($open_transactions{$kind} // $taken_back{$kind})->();

	$end = 'COMMIT' if $kind eq 'opt-out';
	return sprintf "BEGIN;\n%s;\nSELECT pg_sleep(%.3f);\n%s;\n", $what, rand() ** 2 * 1.5, $end;
}

# A child does this until it is told to stop; what it did is in a file.
sub start_meddling
{
	my $parent = $$;
	my $pid = fork() // die "could not fork: $!";
	my @kinds = ((sort keys %open_transactions), sort keys %taken_back);

	return $pid if $pid != 0;
	srand $seed + 1;
	open my $log, '>>', "$work/meddling" or POSIX::_exit(1);
	$log->autoflush(1);
	while (getppid() == $parent && !-e "$work/meddled")
	{
		my $kind = $opt_outs_left > 0 && rand() < 0.4 ? 'opt-out' : pick(@kinds);
		my $done = defined try_sql(keep_open($kind));

		print $log "$kind\n" if $done;
		# what is killed is lost, and what is gone is gone
		print $log "ERROR $kind: $sql_error" =~ s/\n.*//sr, "\n"
		  if !$done && $sql_error !~ /connect|starting up|shutting down|terminat|recovery|FATAL|deadlock|not in doubt|was resolved before/;
		sleep rand() * 0.05;
	}
	POSIX::_exit(0);
}

my %meddled;

sub end_meddling
{
	my ($pid) = @_;

	spit("$work/meddled", '');
	waitpid $pid, 0;
	for (split /\n/, slurp("$work/meddling"))
	{
		if (/^ERROR (.*)/) { break_off('meddling', $1) }
		else { $meddled{$_}++ }
	}
	return;
}

# ---- what is seen on the way -----------------------------------------------------------------

# Also P6, in the middle of it all: a nudge is due or has an outcome, not
# both, and never neither.
sub show_progress
{
	my ($now) = @_;
	my $counts = sql(q{
		SELECT (SELECT count(*) FROM reengage.nudges),
			(SELECT count(*) FROM reengage.lineage WHERE resolves IS NULL),
			(SELECT count(*) FROM reengage.in_doubt),
			(SELECT count(*) FROM reengage.nudges n
			 WHERE NOT EXISTS (SELECT FROM reengage.due d WHERE d.nudge_id = n.nudge_id)
			   AND NOT EXISTS (SELECT FROM reengage.lineage l WHERE l.nudge_id = n.nudge_id)),
			(SELECT count(*) FROM reengage.due d JOIN reengage.lineage l USING (nudge_id))});
	my ($there, $ended, $in_doubt, $lost, $both) = split /\|/, $counts;
	my $line = "$there of $n nudges inserted, $ended ended, $kills_done of $kills kills, $in_doubt in doubt";

	break_off('P6 lost', "$lost nudges are neither due nor ended, on the way") if $lost;
	break_off('P8', "$both nudges are due and have ended, on the way") if $both;
	print -t STDOUT ? sprintf("\r%-78s", $line) : $now ? "$line\n" : '';
	return $there > $ended;
}

# ---- the run -----------------------------------------------------------------------------------

# For a moment, until a call hangs: a good time to kill.
sub wait_for_hanging
{
	for (1 .. 40)
	{
		return if JSON::PP::decode_json(simulator('GET', 'counts'))->{hanging} > 0;
		sleep 0.01;
	}
	return;
}

sub torture
{
	my ($planned, $next_line) = (0, 5);

	while ($kills_done < $kills)
	{
		my $share = int($n * ($kills_done + 1) / $kills) - $planned;
		my $inserter = start_inserting(batches($share));

		$planned += $share;
		sleep 0.02 + rand() * 0.3;
		wait_for_hanging() if rand() < 0.4;
		kill_something();
		# some do not even let the next worker take over in peace
		kill_something() if $kills_done < $kills && rand() < 0.2;
		waitpid $inserter, 0;
		break_off('insert', "nudges could not be inserted, after kill $kills_done") if $? != 0;
		resolve_doubts() if rand() < 0.3 && !$keys;
		show_progress($kills_done >= $next_line);
		$next_line += 5 if $kills_done >= $next_line;
	}
	waitpid start_inserting(batches($n - $planned)), 0;
	break_off('insert', 'the last nudges could not be inserted') if $? != 0;
	return;
}

# Without faults and kills everything ends.
sub drain
{
	my $deadline = time + 2 * $patience;

	# which closes what hangs
	push @kills, [ 'faults cleared', time ];
	simulator('DELETE', 'faults');
	push @{ $kills[-1] }, time;
	# with keys, there is nothing to resolve
	while (show_progress(0) || !$keys && sql('SELECT count(*) FROM reengage.in_doubt') > keys %irresolvable)
	{
		resolve_doubts() if !$keys;
		if (time > $deadline)
		{
			break_off('never drained', sql('SELECT json_agg(d) FROM (SELECT * FROM reengage.due LIMIT 5) d'));
			break_off('never drained', sql('SELECT json_agg(h) FROM reengage.health h'));
			last;
		}
		sleep 0.3;
	}
	show_progress(1);
	print "\n" if -t STDOUT;

	my $sick;
	for (1 .. 100)
	{
		# the trigger is ours: see prepare.sql
		$sick = sql(q{SELECT subject || ' ' || state || ': ' || detail FROM reengage.health
			WHERE state <> 'ok' AND subject <> 'trigger remember on reengage.intents'});
		last if $sick eq '';
		sleep 0.1;
	}
	break_off('P14 not healthy', $sick) if $sick ne '';
	return;
}

sub check
{
	my $since = time;

	spit("$work/requests.csv", simulator('GET', 'requests.csv'));
	spit("$work/effects.csv", simulator('GET', 'effects.csv'));
	spit("$work/asked.csv", join '', map { "$_->[0],$_->[1]\n" } @asked);
	spit("$work/kills.csv", join '', map {
		my ($kind, @times) = @$_;
		join(',', $kind, map { POSIX::strftime('%Y-%m-%d %H:%M:%S', gmtime $_) . sprintf('.%06d+00', ($_ - int $_) * 1e6) } @times) . "\n"
	} @kills);
	sql("\\copy faults.requests FROM '$work/requests.csv' (FORMAT csv, HEADER)\n"
		  . "\\copy faults.effects FROM '$work/effects.csv' (FORMAT csv, HEADER)\n"
		  . "\\copy faults.asked FROM '$work/asked.csv' (FORMAT csv)\n"
		  . "\\copy faults.kills FROM '$work/kills.csv' (FORMAT csv)\n");
	sql(slurp("$stage/check.sql") . "ANALYZE;\n", '-v', "keys=$keys");
	sql('CREATE TABLE faults.found AS SELECT * FROM faults.violations');
	$checked_in = time - $since;
	return;
}

sub show_violations
{
	my $list = sql(q{SELECT rule, coalesce(nudge_id::text, ''), fact FROM faults.found ORDER BY rule, nudge_id LIMIT 12});
	my %told;

	for my $line (split /\n/, $list)
	{
		my ($rule, $nudge_id, $fact) = split /\|/, $line, 3;
		print "\nVIOLATION  $rule: $nudge_id $fact\n";
		print sql(slurp("$stage/story.sql"), '-v', "nudge=$nudge_id"), "\n" if $nudge_id && !$told{$nudge_id}++;
	}
	print "\n", sql(q{SELECT format('%s x %s', count(*), rule) FROM faults.found GROUP BY rule ORDER BY rule}), "\n" if $list ne '';
	return;
}

sub row { my ($name, $value) = @_; return printf "%-34s %s\n", $name, $value; }

# Lines "name|count", each with what they count before it.
sub rows
{
	my ($what, $sql) = @_;
	for my $line (split /\n/, sql($sql))
	{
		my ($name, $count) = split /\|/, $line;
		row("$what $name", $count);
	}
	return;
}

sub show_table
{
	print "\n";
	row('seed', $seed);
	row('idempotency keys', $keys ? 'honoured' : 'ignored');
	row('seconds', sprintf '%.0f', time - $started);
	row('  of them checking', sprintf '%.0f', $checked_in);
	row('nudges', sql('SELECT count(*) FROM reengage.nudges'));
	row('nudges rolled back', scalar grep { $_->[1] ne 'committed' } @asked);
	row('kills', $kills_done);
	row("  $_", $kills_by_kind{$_}) for sort keys %kills_by_kind;
	row("    $_", $points_met{$_}) for sort keys %points_met;
	row("kept open: $_", $meddled{$_}) for sort keys %meddled;
	row('longest wait for a worker', sprintf '%.1f s', $longest_absence);
	rows('requests:', q{SELECT verb, count(*) FROM faults.requests GROUP BY verb ORDER BY verb});
	rows('faults:', q{SELECT fault, count(*) FROM faults.requests WHERE fault <> 'latency' GROUP BY fault ORDER BY fault});
	row('intents', sql('SELECT count(*) FROM faults.intents'));
	row('effects', sql('SELECT count(*) FROM faults.effects'));
	rows('effects:', q{SELECT effect, count(*) FROM faults.effects GROUP BY effect ORDER BY effect});
	rows('outcomes:', q{SELECT outcome, count(*) FROM reengage.lineage GROUP BY outcome ORDER BY outcome});
	rows('in doubt:', q{SELECT reason || ' ' || step, count(*) FROM faults.doubts GROUP BY reason, step ORDER BY reason, step});
	row('in doubt', sql(q{SELECT count(*) FROM faults.doubts}));
	row('in doubt, and had an effect', sql(q{SELECT count(*) FROM faults.doubts d JOIN faults.effects e USING (nudge_id)}));
	row('timeouts that nobody injected', sql(q{SELECT count(*) FROM faults.doubts
		WHERE reason = 'timeout' AND fault IS DISTINCT FROM 'hang_after' AND NOT kinds && ARRAY['courier stopped']}));
	row('longest thread', sql('SELECT coalesce(max(generation), 0) FROM reengage.lineage') . ' generations');
	row('lost', sql(q{SELECT count(*) FROM faults.found WHERE rule LIKE 'P6%'}));
	row('undeclared duplicates', sql(q{SELECT count(*) FROM faults.found WHERE rule IN ('P5 duplicate', 'P5 sent, and denied')}));
	row('violations', sql('SELECT count(*) FROM faults.found') + @broken);
	return;
}

print "torture: N=$n KILLS=$kills SEED=$seed", ($keys ? ' KEYS=1' : ''), "\n";
sql(slurp("$stage/prepare.sql"), '-v', "url=$simulator", '-v', "keys=$keys");
wait_for_senders('start', 0, 0);
simulator('POST', 'faults', fault_rules());
my $meddler = start_meddling();
torture();
end_meddling($meddler);
drain();
check();
show_violations();
show_table();
print "BROKEN  $_\n" for @broken;
exit(@broken + sql('SELECT count(*) FROM faults.found') > 0 ? 1 : 0);
