# Databases that are dropped, renamed, copied and closed while a worker is in
# them: what is refused, how it is done, and that the worker comes back.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for outcome
  health worker_pid launcher_pid process_is_alive log_size log_lines start_psql finish_psql
  lasts promise ledger_matches_lineage);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = new_node('main', preload => 1, conf => "autovacuum = off\nmax_worker_processes = 20");
my %simulators;

# Sets who is served; a database that is new gets the extension and an API of its own.
sub serve
{
	my (@databases) = @_;

	$node->safe_psql('postgres', q{ALTER SYSTEM SET reengage.databases = '} . join(',', @databases) . q{'});
	$node->reload;
	return;
}

sub make_database
{
	my ($name) = @_;

	$node->safe_psql('template1', "CREATE DATABASE $name") if $name ne 'postgres';
	$simulators{$name} = start_simulator();
	create_extension($node, $simulators{$name}, database => $name);
	return;
}

sub wait_for_worker { my ($name) = @_; return wait_for(sub { worker_pid($node, $name) }, "a worker in $name"); }

sub wait_for_no_worker { my ($name) = @_; return wait_for(sub { !worker_pid($node, $name) }, "no worker in $name"); }

# A nudge that is delivered, from this database, once.
sub check_served
{
	my ($name, $conversation, $what) = @_;

	nudge($node, $conversation, database => $name);
	wait_until_ended($node, database => $name);
	return is(outcome($node, $conversation, database => $name), 'notified - notify', $what);
}

# --- with a worker in it, a database is in use ---------------------------------------------

make_database($_) for qw(postgres dropped renamed copied forced);
serve(qw(postgres dropped renamed copied forced));
wait_for_worker($_) for qw(postgres dropped renamed copied forced);
my %refused = map { $_ => start_psql($node, $_, database => 'template1') } (
	'DROP DATABASE dropped', 'ALTER DATABASE renamed RENAME TO other_name', 'CREATE DATABASE copy TEMPLATE copied');

# that takes 5 seconds, like the restart of the launcher
my @old = (launcher_pid($node), worker_pid($node));
kill 'TERM', @old;
check_served('postgres', 'live-both-ended', 'launcher and worker come back when both end');
ok(!(grep { process_is_alive($_) } @old), 'as other processes');

like(finish_psql($refused{$_}), qr/is being accessed by other users/, "refused while a worker is there: $_")
  for sort keys %refused;

# --- taken off the list, it is free ----------------------------------------------------------

promise(lasts(sub {
	serve(qw(postgres forced));
	wait_for_no_worker($_) for qw(dropped renamed copied);
}), 1, 'a worker leaves when its database is taken off the list');
nudge($node, 'live-before', database => $_) for qw(renamed copied);
$node->safe_psql('template1', $_) for reverse sort keys %refused;
delete $simulators{dropped};
$simulators{other_name} = delete $simulators{renamed};
serve(qw(postgres forced other_name copied copy));
check_served('other_name', 'live-renamed', 'a renamed database is served under its new name');
is(outcome($node, 'live-before', database => 'other_name'), 'notified - notify', 'with what was due before, and armed as it was');
check_served('copied', 'live-copied', 'a database that was copied is served on');
ok($node->poll_query_until('copy', q{SELECT state = 'fenced' FROM reengage_internal.worker_state()}), 'P12: the copy is fenced');
is($node->safe_psql('copy', 'SELECT count(*) FROM reengage.due'), 1, 'P12: what is due in both');
is($simulators{copied}->verbs('id=live-before'), 'check notify', 'P12: was sent once');

# --- WITH (FORCE): no storm, and life when it is made again ---------------------------------------

my $worker = worker_pid($node, 'forced');
$simulators{forced}->fault(verb => 'notify', action => 'hang_after');
nudge($node, 'live-hangs', database => 'forced');
$simulators{forced}->wait_hanging(1);
my $offset = log_size($node);
promise(lasts(sub { $node->safe_psql('template1', 'DROP DATABASE forced WITH (FORCE)') }), 3,
	'DROP DATABASE WITH (FORCE) ends the worker and waits for no API');
ok(!process_is_alive($worker), 'which is gone');

wait_for(sub { log_lines($node, $offset, qr/WARNING: .*database "forced" of reengage.databases does not exist/) }, 'it is missed');
like(join('', log_lines($node, $offset, qr/HINT: .*reengage.databases/)), qr/Create it, or take it out/, 'a database that is gone is said to be, with the remedy');
like(health($node, 'databases'), qr/^missing: reengage.databases: .*forced \(does not exist\)/, 'health says so in another database');
my $shown = $node->safe_psql('postgres', q{SELECT severity, value FROM reengage.health WHERE subject = 'databases'});
is($shown, 'warning|1', 'as a warning');
$simulators{forced}->clear_faults;
make_database('forced');
wait_for_worker('forced');
pass('one that is made is found without a reload');
is(scalar log_lines($node, $offset, qr/database "forced" of reengage.databases does not exist/), 1, 'and the log says once that it was missing');
# one may have been on its way when the database went
cmp_ok(scalar log_lines($node, $offset, qr/FATAL: .*database "forced"/), '<=', 1, 'no worker after the other tries it in vain');
like(health($node, 'databases'), qr/^ok: .*forced \(/, 'then health is content');
check_served('forced', 'live-forced', 'a database that was made again is served');
is($simulators{forced}->verbs(), 'check notify', 'from its own beginning');

# --- a lock on the database while a worker starts ----------------------------------------------

my $session = $node->background_psql('postgres');
serve(qw(postgres forced copied other_name));
$session->query_safe('BEGIN; ALTER DATABASE copy RENAME TO copy_of_copy');
serve(qw(postgres forced copied other_name copy));
my $waits = q{SELECT pid FROM pg_locks WHERE NOT granted AND locktype = 'object'};
wait_for(sub { $worker = $node->safe_psql('template1', $waits) }, 'a worker that cannot start yet');
promise(lasts(sub {
	serve(qw(postgres forced copied other_name));
	wait_for(sub { !process_is_alive($worker) }, 'it gives up');
}), 1, 'a worker that cannot start yet ends when told to');
$session->query_safe('ROLLBACK');
$session->quit;

# --- a database that lets nobody in -----------------------------------------------------------

$node->safe_psql('template1', $_) for 'REVOKE CONNECT ON DATABASE other_name FROM PUBLIC',
  'ALTER DATABASE other_name CONNECTION LIMIT 0';
kill 'TERM', worker_pid($node, 'other_name');
check_served('other_name', 'live-limited', 'rights and limits of connections do not concern a worker');
nudge($node, 'live-closed', database => 'other_name', due_at => q(now() + '1 s'));
$node->safe_psql('template1', 'ALTER DATABASE other_name ALLOW_CONNECTIONS false');
wait_for(sub { $simulators{other_name}->effects('id=live-closed') }, 'a nudge in a database that lets nobody in');
pass('a database that lets nobody in is served by the worker that is in');
$offset = log_size($node);
kill 'TERM', worker_pid($node, 'other_name');
my $closed = qr/FATAL: .*database "other_name" is not currently accepting connections/;
wait_for(sub { log_lines($node, $offset, $closed) }, 'no other worker gets in');
$node->safe_psql('template1', 'ALTER DATABASE other_name ALLOW_CONNECTIONS true');
nudge($node, 'live-open', database => 'other_name');
like(health($node, 'worker', 'other_name'), qr/^failing: the worker ended while it started/, 'the health view knows it');
$node->reload;
wait_until_ended($node, database => 'other_name');
is(outcome($node, 'live-open', database => 'other_name'), 'notified - notify', 'once it is open, it is served');
cmp_ok(scalar log_lines($node, $offset, $closed), '<=', 2, 'and the log has little about it');

ledger_matches_lineage($node, $simulators{$_}, "after all this, nothing in $_ was sent twice", database => $_)
  for sort keys %simulators;
$node->stop;
done_testing();
