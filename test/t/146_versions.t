# A newer package was installed, or half of one, or it was not made known to the
# database: what runs goes on, and what cannot go on says what to do.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node own_installation create_extension nudge wait_until_ended wait_for outcome
  count_due health worker_pid courier_pid psql_stderr);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my ($libraries, $scripts) = own_installation();
plan skip_all => 'this PostgreSQL finds extensions only where they are installed' unless $libraries;
my ($program) = glob "$libraries/reengage-courier-*";
my ($version) = $program =~ /courier-([\d.]+)$/;
my $node = new_node('main', preload => 1);
my $runner = new_node('runner');

sub write_file
{
	my ($name, $text) = @_;
	open my $file, '>', "$name.new" or die "could not write $name.new: $!";
	print $file $text;
	close $file;
	rename "$name.new", $name or die "could not rename $name.new: $!";
	return;
}

sub worker_says
{
	my ($pattern, $what) = @_;

	wait_for(sub { health($node, 'worker') =~ $pattern }, $what);
	return like(health($node, 'worker'), $pattern, $what);
}

sub lose_courier
{
	wait_for(sub { courier_pid(worker_pid($node) || 0) }, 'a courier');
	return kill 'KILL', courier_pid(worker_pid($node));
}

# --- the package of another version takes this one's place while the server runs ------------------

create_extension($_, $simulator) for $node, $runner;
my ($library) = glob "$libraries/reengage.{so,dylib}";
rename $library, "$library.away" or die "could not rename $library: $!";
write_file($library, 'another library');
rename $program, "$program.away" or die "could not rename $program: $!";
write_file("$libraries/reengage-courier-9.9", 'another courier');
SKIP:
{
	skip 'only Linux starts a program that has no file', 2 unless $^O eq 'linux';
	lose_courier();
	nudge($node, 'live-upgraded');
	wait_until_ended($node);
	is(outcome($node, 'live-upgraded'), 'notified - notify', 'its worker can still start its courier');
	nudge($node, 'live-in-a-session', priority => 0);
	$node->safe_psql('postgres', 'ALTER SYSTEM SET reengage.databases = template1');
	$node->reload;
	wait_for(sub { worker_pid($node) eq '' }, 'the worker leaves');
	nudge($node, 'live-by-run');
	like(psql_stderr($node, 'CALL reengage.run(max_seconds => 60)'), qr/NOTICE:  \d nudges? ended: \d notified/,
		'and so can a new session, with the library that is loaded');
	$node->safe_psql('postgres', 'ALTER SYSTEM RESET reengage.databases');
	$node->reload;
}
rename "$library.away", $library or die "could not rename $library.away: $!";
$node->restart;
my $missing = qr/could not execute the courier "\Q$program\E": No such file or directory; install reengage \Q$version\E again, or restart the server/;
worker_says(qr/^failing: $missing/, 'a courier that is missing from the start: what to do');
nudge($runner, 'live-missing');
like(psql_stderr($runner, 'CALL reengage.run(max_seconds => 10)'), qr/ERROR:  $missing/, 'run() says it, too');
rename "$program.away", $program or die "could not rename $program.away: $!";
$node->restart;
worker_says(qr/^ok: /, 'once it is there, and the server was restarted, the worker goes on');

# --- the database knows an older version ------------------------------------------------------------

sub script { my ($name) = @_; return "$scripts/reengage--$name.sql"; }

my $upgrade = "SELECT reengage_internal.require_library('%s');\nSELECT reengage_internal.wake('-infinity');\n";
write_file(script('0.9'), slurp_file(script($version)));
write_file(script("0.9--$version"), sprintf $upgrade, $version);
write_file(script("$version--9.10"), sprintf $upgrade, '9.10');

my $older = qr/the extension is still reengage 0\.9, the library \Q$version\E; run ALTER EXTENSION reengage UPDATE/;
for ($node, $runner)
{
	$_->safe_psql('postgres', 'DROP EXTENSION reengage CASCADE');
	create_extension($_, $simulator, version => '0.9');
}
worker_says(qr/^failing: $older/, 'an extension that is older than the library: what to do');
nudge($_, 'live-older') for $node, $runner;
is(count_due($node), 1, 'it can be asked');
like(psql_stderr($runner, 'CALL reengage.run(max_seconds => 10)'), qr/ERROR:  $older/, 'run() says it, too');
like(psql_stderr($runner, q{SELECT reengage.preflight('genesys')}), qr/ERROR:  $older/, 'and preflight()');
like(psql_stderr($runner, 'SELECT reengage.preview(nudge_id) FROM reengage.nudges'), qr/ERROR:  $older/, 'and preview()');
is(scalar $simulator->requests('id=live-older'), 0, 'nothing was sent');
$_->safe_psql('postgres', 'ALTER EXTENSION reengage UPDATE') for $node, $runner;
wait_until_ended($node);
is(outcome($node, 'live-older'), 'notified - notify', 'once it is updated, the worker goes on by itself');
like(psql_stderr($runner, 'CALL reengage.run()'), qr/NOTICE:  1 nudge ended: 1 notified/, 'as does run()');

# --- and a newer one ----------------------------------------------------------------------------------

my $newer = qr/reengage 9\.10 needs its own library, and that of \Q$version\E is loaded; restart the server/;
like(psql_stderr($node, q{ALTER EXTENSION reengage UPDATE TO '9.10'}), qr/ERROR:  $newer/,
	'an update before the restart is refused');
nudge($node, 'live-refused');
wait_until_ended($node);
is(outcome($node, 'live-refused'), 'notified - notify', 'and the worker goes on');
for ($node, $runner)
{
	$_->safe_psql('postgres', q{UPDATE pg_extension SET extversion = '9.10' WHERE extname = 'reengage'});
	$_->restart;
	nudge($_, 'live-newer');
}
worker_says(qr/^failing: $newer/, 'an extension that is newer than the library: what to do');
like(psql_stderr($runner, 'CALL reengage.run()'), qr/ERROR:  $newer/, 'run() says it, too');
is(scalar $simulator->requests('id=live-newer'), 0, 'nothing was sent');

done_testing();
