# Worker and courier have a bound, whatever applications ask for and operators
# create and drop: see docs/architecture.md, "Memory".

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge poll_until wait_until_ended wait_for
  worker_pid courier_pid log_size);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my @guests = map { my $round = $_; [ map { "guest_${round}_$_" } 1 .. 10 ] } 1 .. 4;
# pages of it count as memory of whoever has read them
my $node = new_node('main', preload => 1, conf => "shared_buffers = '2MB'", servers => [ 'genesys', 'crowded', map { @$_ } @guests ]);
create_extension($node, $simulator);

sub sql { return $node->safe_psql('postgres', @_); }

# MB that a process has in memory now (VmRSS), or had at the most (VmHWM); undef: nobody tells.
sub megabytes
{
	my ($pid, $what) = @_;
	my $status = eval { slurp_file("/proc/$pid/status") } // return undef;
	return $status =~ /^$what:\s+(\d+) kB/m ? $1 / 1024 : undef;
}

# The bytes of the worker's memory contexts with this name, one for each.
sub contexts
{
	my ($name) = @_;
	my $offset = log_size($node);

	sql(q{SELECT pg_log_backend_memory_contexts(} . worker_pid($node) . ')');
	wait_for(sub { slurp_file($node->logfile, $offset) =~ /Grand total: / }, 'the worker tells of its memory');
	return slurp_file($node->logfile, $offset) =~ /\blevel: \d+; \Q$name\E: (\d+) total/g;
}

# --- servers that come and go ---------------------------------------------------------------------

nudge($node, 'live-first');
wait_until_ended($node);
my ($worker, $courier) = (worker_pid($node), courier_pid(worker_pid($node)));
my @rounds;
for my $servers (@guests)
{
	# of each, the courier has 0.8 MB for its pace
	sql(join '', map { "CREATE SERVER $_ FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}', max_requests_per_minute '100000');
		INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('$_', 'live-$_', 'x');" } @$servers);
	wait_until_ended($node);
	sql(join '', map { "DROP SERVER $_;" } @$servers);
	nudge($node, "live-after-$servers->[0]");
	wait_until_ended($node);
	push @rounds, megabytes($courier, 'VmRSS');
}
is(join(' ', map { 'one' } contexts('reengage server')), 'one', 'the worker keeps nothing of servers that were dropped');
SKIP:
{
	skip 'nobody tells how much memory a process has', 1 unless defined $rounds[0];
	# it hears that they are gone after the commit that we have seen
	ok(wait_for(sub { ($rounds[3] = megabytes($courier, 'VmRSS')) - $rounds[0] < 6 }, 'the courier forgets'),
		sprintf 'nor does the courier: %.1f MB after 10, %.1f MB after 40', @rounds[ 0, 3 ]);
}


# --- many behind few --------------------------------------------------------------------------------

$simulator->fault(verb => 'notify', action => 'hang', times => 10000);
sql(qq{CREATE SERVER crowded FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}', timeout '100s', max_requests_per_minute '0');
	INSERT INTO reengage.nudges (server, conversation_id, message, priority)
	SELECT 'crowded', 'live-crowd-' || n % 20, 'x', 4 FROM generate_series(1, 20000) n});
# what comes after all of them is taken when they have been looked through
nudge($node, 'live-after-all', server => q('crowded'), priority => 9);
ok($simulator->wait_hanging(21), 'one of each of 20 conversations is under way');
my $bytes = 0;
$bytes += $_ for contexts('reengage deliveries');
cmp_ok($bytes, '>', 0, 'the worker says what it keeps of those in hand');
cmp_ok($bytes, '<', 12e6, sprintf 'of the 20,000 others, the worker keeps no more than fit into %.1f MB', $bytes / 1e6);

# --- as many and as large as may be in flight --------------------------------------------------------

sql(q{ALTER SERVER genesys OPTIONS (ADD max_in_flight '900', ADD timeout '100s')});
my %before = map { $_ => megabytes($_, 'VmHWM') } $worker, $courier;
sql(q{INSERT INTO reengage.nudges (conversation_id, message, detail)
	SELECT 'live-large-' || n, repeat(U&'\+01F600', 4096), jsonb_build_object('template', jsonb_build_object('text', repeat('x', 16340)))
	FROM generate_series(1, 900) n});
# 16 MB, of 33 kB each, and what was read together with the last of them
ok(wait_for(sub { $simulator->counts->{hanging} >= 21 + 490 }, 'they hang'), 'many are under way');
SKIP:
{
	skip 'nobody tells how much memory a process has', 2 unless defined $before{$worker};
	my %growth = map { $_ => megabytes($_, 'VmHWM') - $before{$_} } $worker, $courier;

	cmp_ok($growth{$worker}, '<', 28, sprintf 'they take %.1f MB of the worker', $growth{$worker});
	cmp_ok($growth{$courier}, '<', 50, sprintf 'and %.1f MB of the courier', $growth{$courier});
}
cmp_ok($simulator->counts->{hanging}, '<=', 21 + 530, 'not all 900, for which there are places');
is(worker_pid($node) . ' ' . courier_pid(worker_pid($node)), "$worker $courier", 'which are the same as ever');

done_testing();
