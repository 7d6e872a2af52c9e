# What an operator can get wrong: it is said where he looks, it is said once,
# and putting it right is enough.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node own_courier set_credentials create_extension nudge wait_until_ended
  wait_for outcome due_row health worker_pid courier_pid log_size log_lines psql_stderr);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $program = own_courier();
my $node = new_node('main', preload => 1, conf => 'max_worker_processes = 8');
my $runner = new_node('runner');
create_extension($_, $simulator) for $node, $runner;
my $number = 0;

# Something is wrong: a nudge meets it in the worker and another in run().
sub check_trouble
{
	my ($what, $subject, $pattern) = @_;
	my $id = 'live-' . ++$number;

	nudge($_, $id) for $node, $runner;
	wait_for(sub { health($node, $subject) =~ $pattern }, "$what: the health view of the worker");
	like(health($node, $subject), $pattern, "$what: the health view says so");
	my $said = psql_stderr($runner, 'CALL reengage.run(max_seconds => 10)');
	my $seen = $said . health($runner, $subject);
	like($seen, $pattern, "$what: run() or its health view says so");
	is(due_row($_, $id)->{attempt}, 0, "$what: the nudge is due, no attempt is used up") for $node, $runner;
	return $id;
}

# It was put right.
sub check_repair
{
	my ($what, $id, $offset, $lines) = @_;

	wait_until_ended($node);
	is(outcome($node, $id), 'notified - notify', "$what: once repaired, the worker goes on without a restart");
	psql_stderr($runner, 'CALL reengage.run(max_seconds => 10)');
	is(outcome($runner, $id), 'notified - notify', "$what: as does run()");
	my @said = log_lines($node, $offset, qr/reengage|courier|credentials/);
	cmp_ok(scalar @said, '<=', $lines, "$what: few lines in the log") or diag(join "\n", @said);
	return;
}

# --- the credentials file -----------------------------------------------------------------

my @files = (
	[ 'a missing file', sub { rename $_->basedir . '/credentials', $_->basedir . '/away' for $node, $runner },
		qr/could not open credentials file "[^"]+": No such file or directory/ ],
	[ 'a file that all can read', sub { set_credentials($_, mode => 0644) for $node, $runner },
		qr/credentials file "[^"]+" has mode 0644: chmod it 0600, as only its owner may have access/ ],
	[ 'a file that is none', sub { set_credentials($_, text => "[genesys]\nclient_id = demo\nsecret: hunter2\n") for $node, $runner },
		qr/credentials file "[^"]+", line 3: expected "name = value" or "\[server\]"/ ],
	[ 'a file without the section', sub { set_credentials($_, servers => ['other']) for $node, $runner },
		qr/credentials file "[^"]+" has no section \[genesys\]/ ],
	[ 'a section without a secret', sub { set_credentials($_, text => "[genesys]\nclient_id = demo\n") for $node, $runner },
		qr/section \[genesys\]: client_id and client_secret must both be set/ ],
	[ 'a section without a host', sub { set_credentials($_, text => "[genesys]\nclient_id = demo\nclient_secret = secret\n") for $node, $runner },
		qr/section \[genesys\]: host must be set, to the hosts that may be sent these credentials, as in host = 127\.0\.0\.1:\d+/ ],
);
for (@files)
{
	my ($what, $spoil, $pattern) = @$_;
	my $offset = log_size($node);

	$spoil->();
	my $id = check_trouble($what, 'server genesys', $pattern);
	set_credentials($_) for $node, $runner;
	# the next nudge makes the worker look; without one it looks by itself, after a pause
	nudge($node, "$id-next") if $number > 1;
	check_repair($what, $id, $offset, 3);
}
is(scalar(log_lines($node, 0, qr/hunter2/), log_lines($runner, 0, qr/hunter2/)), 0, 'P13: what the file says is not in the log');
like(psql_stderr($node, q{ALTER SYSTEM SET reengage.credentials_file = 'credentials'}),
	qr/invalid value for parameter "reengage.credentials_file".*is not an absolute path/s,
	'a path that is not absolute is refused');

# --- nobody listens ---------------------------------------------------------------------------

my $port = PostgreSQL::Test::Cluster::get_free_port();
my $offset = log_size($node);
$_->safe_psql('postgres', "ALTER SERVER genesys OPTIONS (SET api_url 'http://127.0.0.1:$port')") for $node, $runner;
nudge($_, 'live-nobody') for $node, $runner;
psql_stderr($runner, 'CALL reengage.run(max_seconds => 10)');
for ($node, $runner)
{
	my $on = $_;
	wait_for(sub { (due_row($on, 'live-nobody')->{hold_reason} // '') ne '' }, 'an attempt');
	like(due_row($on, 'live-nobody')->{hold_reason}, qr/^(retry after )?(connect_failed|token_unavailable)$/,
		'a closed port: the nudge waits for the next attempt, and says why (' . $on->name . ')');
}
$_->safe_psql('postgres', "ALTER SERVER genesys OPTIONS (SET api_url '$simulator->{url}')") for $node, $runner;
check_repair('a closed port', 'live-nobody', $offset, 2);

# --- the courier ------------------------------------------------------------------------------

SKIP:
{
	skip 'the courier cannot be replaced here', 1 unless $program;

	for (
		[ 'a courier that exits', sub { write_program("#!/bin/sh\nexit 1\n") }, qr/the courier exited with code 1/ ],
		[ 'a courier that talks nonsense', sub { write_program("#!/bin/sh\necho nonsense >&0\nsleep 60\n") },
			qr/the courier sent a malformed frame/ ],
	  )
	{
		my ($what, $replace, $pattern) = @$_;
		my $offset = log_size($node);

		# with short pauses again
		$node->restart;
		wait_for(sub { courier_pid(worker_pid($node) || 0) }, 'a courier');
		rename $program, "$program.away" or die "could not rename $program: $!";
		$replace->();
		kill 'KILL', courier_pid(worker_pid($node));
		wait_for(sub { health($node, 'worker') =~ $pattern }, "$what: the health view");
		my $id = 'live-' . ++$number;
		nudge($_, $id) for $node, $runner;
		like(health($node, 'worker'), qr/^failing: $pattern/, "$what: the health view says so");
		like(psql_stderr($runner, 'CALL reengage.run(max_seconds => 10)'), qr/ERROR: .*$pattern/, "$what: run() fails and says why");
		is(due_row($_, $id)->{attempt}, 0, "$what: the nudge is due, no attempt is used up") for $node, $runner;
		rename "$program.away", $program or die "could not rename $program.away: $!";
		check_repair($what, $id, $offset, 6);
		like(health($node, 'worker'), qr/^ok: running/, "$what: the health view has forgotten it");
	}
}

sub write_program
{
	my ($text) = @_;
	open my $handle, '>', $program or die "could not write $program: $!";
	print $handle $text;
	close $handle;
	chmod 0755, $program;
	return;
}

# --- a database that is not there ---------------------------------------------------------------

$offset = log_size($node);
$node->safe_psql('postgres', q{ALTER SYSTEM SET reengage.databases = 'nowhere, postgres'});
$node->reload;
wait_for(sub { log_lines($node, $offset, qr/database "nowhere" of reengage.databases does not exist/) == 1 }, 'the log says so');
nudge($node, 'live-beside-nowhere');
wait_until_ended($node);
is(outcome($node, 'live-beside-nowhere'), 'notified - notify', 'a listed database that does not exist: others are served');
is(scalar log_lines($node, $offset, qr/does not exist/), 1, 'and the log says so once');
create_extension($node, $simulator, database => 'nowhere')
  if $node->safe_psql('postgres', 'CREATE DATABASE nowhere') eq '';
nudge($node, 'live-in-nowhere', database => 'nowhere');
wait_until_ended($node, database => 'nowhere');
is(outcome($node, 'live-in-nowhere', database => 'nowhere'), 'notified - notify', 'once it exists it is served');

# --- no room for a worker ----------------------------------------------------------------------------

# one process is the logical replication launcher's
my $full = new_node('full', preload => 1, conf => 'max_worker_processes = 2');
create_extension($full, $simulator);
$offset = log_size($full);
wait_for(sub { health($full, 'worker') =~ /^failing/ }, 'the health view');
like(health($full, 'worker'), qr/^failing: could not start the worker: all of max_worker_processes are in use/,
	'no room for the worker: the health view says so');
is(scalar log_lines($full, 0, qr/could not start the reengage worker/), 1, 'no room for the worker: the log has it once');
$full->append_conf('postgresql.conf', 'max_worker_processes = 3');
$full->restart;
nudge($full, 'live-room');
wait_until_ended($full);
is(outcome($full, 'live-room'), 'notified - notify', 'with room for it, it works');
like(health($full, 'worker'), qr/^ok/, 'and the complaint is gone');

$_->stop for $node, $runner, $full;
done_testing();
