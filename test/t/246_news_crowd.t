# Many say things of the same few customers at once, at two nodes of a fleet: no caller
# fails, who holds a row for long holds up nothing else, and in the end both nodes agree.
use strict;
use warnings FATAL => 'all';

use IPC::Run ();
use News qw(join_nodes hear_each_other heard_all agree);
use Reengage qw(start_simulator new_node create_extension poll_until nudge wait_until_ended outcome);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
# so late that it ends no wait of this test: those that wait for each other end it themselves
my $conf = "wal_retrieve_retry_interval = 100ms\nmax_logical_replication_workers = 12\nmax_worker_processes = 24\ndeadlock_timeout = 2min";
my ($north, $south) = map { new_node($_, preload => 1, init => { allows_streaming => 'logical' }, conf => $conf) } qw(north south);
create_extension($_, $simulator) for $north, $south;

sub sql { my ($node, $statement) = @_; return $node->safe_psql('postgres', $statement); }
sub known { my ($node, $like) = @_; return sql($node, "SELECT string_agg(right(label, 2), ' ' ORDER BY label) FROM reengage.suppressions WHERE label ~ '$like'"); }

join_nodes($north, $south);
ok(hear_each_other($north, $south), 'two nodes');

# --- somebody holds what is said elsewhere meanwhile ---------------------------------------------

my $all = join '; ', map { "SELECT reengage.suppress('+131755501$_')" } 11 .. 17;
sql($_, $all =~ s/suppress\(('[^']*')\)/suppress($1, until => now() + interval '1 day')/gr) for $north, $south;
ok(heard_all($north, $south), 'who are opted out, with an end');
# what waits is tried again by the worker, which rests
sql($south, q{SELECT reengage.disarm()});
my $holder = $south->background_psql('postgres', on_error_stop => 1);
$holder->query_safe($_) for 'BEGIN', q{SELECT FROM reengage.suppressions WHERE label ~ '1[1-7]$' FOR UPDATE};
sql($north, "BEGIN; $all; SELECT reengage.suppress('+13175550118'); COMMIT");
sql($north, q{SELECT reengage.suppress('+13175550119')});
poll_until($south, 'postgres', q{SELECT count(*) = 1 FROM reengage.suppressions WHERE label ~ '19$'});
is(known($south, '1[89]$'), '19', 'who holds some rows holds up nothing that follows');
is(sql($south, q{SELECT count(*) || ' ' || count(next_try) FROM reengage.news_waiting WHERE kind = 'opted_out'}), '8 8', 'what is about those waits, to be tried again');
is(sql($south, q{SELECT count(*) > 0 FROM reengage.news_waiting WHERE complaint = 'much came at once, and its turn has not come'}), 't', 'and so does what is left of a transaction that lasts');
sql($south, q{SELECT reengage.arm()});
poll_until($south, 'postgres', q{SELECT count(*) = 1 FROM reengage.suppressions WHERE label ~ '18$'});
is(known($south, '1[89]$'), '18 19', 'which the worker does, whatever else waits');
is(sql($south, q{SELECT count(*) FROM reengage.suppressions WHERE label ~ '1[1-7]$' AND until IS NULL}), 0, 'what is held is not done');
nudge($south, 'live-meanwhile');
wait_until_ended($south);
is(outcome($south, 'live-meanwhile'), 'notified - notify', 'messages are sent meanwhile');
$holder->query_safe('COMMIT');
$holder->quit;
ok(heard_all($north, $south), 'it is done when they are free');
agree('so both agree', $north, $south);
is(sql($south, q{SELECT count(*) FROM reengage.suppressions WHERE label ~ '1[1-7]$' AND until IS NULL}), 7, 'on the later end');

# --- two that wait for each other -----------------------------------------------------------------

# one holds what the other's transaction says last, and then says what it said first
$holder = $south->background_psql('postgres', on_error_stop => 1);
$holder->query_safe($_) for 'SET client_min_messages = warning', 'BEGIN', q{SELECT FROM reengage.suppress('+13175550122')};
sql($north, q{BEGIN; SELECT reengage.suppress('+13175550121'), reengage.suppress('+13175550122'); COMMIT});
$holder->query_safe($_) for q{SELECT FROM reengage.suppress('+13175550121')}, 'COMMIT';
$holder->quit;
ok(heard_all($north, $south), 'of two that wait for each other the caller is served');
agree('and both agree', $north, $south);

# --- what is taken back waits, and is said anew ---------------------------------------------------

sql($north, q{SELECT reengage.suppress('+13175550123')});
ok(heard_all($north, $south), 'an opt-out without an end');
# what waits is tried again by the worker, which rests
sql($south, q{SELECT reengage.disarm()});
$holder = $south->background_psql('postgres', on_error_stop => 1);
$holder->query_safe($_) for 'BEGIN', q{SELECT FROM reengage.suppressions WHERE label ~ '23$' FOR UPDATE};
sql($north, q{SELECT reengage.unsuppress('+13175550123')});
poll_until($south, 'postgres', q{SELECT count(*) = 1 FROM reengage.news_waiting WHERE kind = 'withdrawn'});
$holder->query_safe('COMMIT');
$holder->quit;
sql($north, q{SELECT reengage.suppress('+13175550123', until => now() + interval '1 day')});
poll_until($south, 'postgres', q{SELECT until IS NOT NULL FROM reengage.suppressions WHERE label ~ '23$'});
sql($south, q{SELECT reengage.arm()});
ok(heard_all($north, $south), 'what is said anew is heard before the other is done');
agree('the end that was taken back does not come back', $north, $south);

# --- a crowd --------------------------------------------------------------------------------------

# Some of the customers in each transaction, in their order, so that callers do not wait
# for each other.
sub transaction
{
	my ($calls) = @_;
	my %customers = map { sprintf('+1317555%04d', 2000 + int rand 5) => 1 } 1 .. $calls;

	return join "\n", 'BEGIN;', (map {
		my $channel = rand() < 0.5 ? 'NULL' : "'sms'";
		my $until = rand() < 0.5 ? 'NULL' : "now() + interval '" . int(1 + rand 9) . " days'";
		rand() < 0.6 ? "SELECT FROM reengage.suppress('$_', channel => $channel, until => $until);"
		  : rand() < 0.6 ? "SELECT reengage.unsuppress('$_');" : "SELECT FROM reengage.record_answer(address => '$_');"
	} sort keys %customers), 'COMMIT;';
}

sub writer
{
	my ($node, $transactions, $calls) = @_;
	my $self = { script => join("\n", 'SET client_min_messages = warning;', map { transaction($calls) } 1 .. $transactions), said => '' };

	$self->{harness} = IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', '-' ],
		'<', \$self->{script}, '>', '/dev/null', '2>', \$self->{said}, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return $self;
}

for my $calls (1, 4)
{
	my @writers = map { my $node = $_; map { writer($node, 100, $calls) } 1 .. 3 } $north, $south;
	$_->{harness}->finish for @writers;
	is(join('', map { $_->{said} } @writers), '', "six writers, of $calls at a time: no call fails");
	ok(heard_all($north, $south), 'all is heard');
	agree('and both agree', $north, $south);
	is(join(' ', map { sql($_, 'SELECT count(*) FROM reengage.news_waiting') } $north, $south), '0 0', 'nothing is left over');
}

$_->stop for $north, $south;
done_testing();
