# reengage-top: one screen into a pipe, one after the other in a terminal, with rates;
# it fits, and says what is wrong.  The one in the documents is of that shape.

use strict;
use warnings FATAL => 'all';

use FindBin;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Reengage qw(start_simulator new_node create_extension nudge wait_for wait_until_ended poll_until);
use Test::More;

# As make install has put it.
chomp(my $libraries = `pg_config --pkglibdir`);
chomp(my $programs = `pg_config --bindir`);
my ($root) = $ENV{STAGE_SETTINGS} =~ /dynamic_library_path = '([^']*)\Q$libraries\E:/;
my $top = ($root // '') . "$programs/reengage-top";

my $node = new_node('main', preload => 1);
my $simulator = start_simulator();
my @connection = (-h => $node->host, -p => $node->port, -d => 'postgres');

sub sql { return $node->safe_psql('postgres', @_); }

# What it prints into a pipe, and to stderr.
sub run_top
{
	my (@options) = @_;
	my ($out, $err) = ('', '');

	IPC::Run::run([ $top, @connection, @options ], '<', \'', '>', \$out, '2>', \$err);
	return ($out, $err);
}

# --- who may not ---------------------------------------------------------------------------

ok(-x $top, 'it is installed');
is((run_top())[1] =~ s/.*ERROR: +//r, qq(database "postgres" does not have reengage: name another by -d\n), 'without the extension it says so');
create_extension($node, $simulator);
sql('CREATE ROLE watcher LOGIN IN ROLE reengage_reader; CREATE ROLE "a stranger" LOGIN');
is((run_top(-U => 'a stranger'))[1] =~ s/.*ERROR: +//r, qq(role "a stranger" may not look: GRANT reengage_reader TO "a stranger"\n),
	'and to a role without rights');

# --- one screen ------------------------------------------------------------------------------

sql(q{CREATE SERVER shut FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'http://127.0.0.1:9', auth 'none', max_failures '1');
	CREATE SERVER "held; DROP" FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'http://127.0.0.1:9', auth 'none');
	SELECT reengage.pause('held; DROP', E'wrong template\t\x1b[31m\nof a name that is longer than a line of eighty columns can have')});
nudge($node, 'live-1', server => "'shut'");
nudge($node, "live-$_", server => "'held; DROP'") for 2 .. 3;
ok(poll_until($node, 'postgres', q{SELECT count(*) = 1 FROM reengage.nudge_counts WHERE server = 'shut' AND reason = 'retry'}), 'one nudge waits');
ok(poll_until($node, 'postgres', q{SELECT count(*) = 1 FROM reengage.server_state WHERE server = 'shut' AND state = 'blocked'}), 'its server is blocked');
nudge($node, 'closed-1');
wait_until_ended($node, where => "n.conversation_id = 'closed-1'");
nudge($node, 'live-4');
wait_until_ended($node, where => "n.conversation_id = 'live-4'");
# it is told in whole seconds
ok(poll_until($node, 'postgres', q{SELECT max(value) >= 1 FROM reengage.metrics WHERE name = 'reengage_oldest_due_seconds'}), 'one waits for a second');

my ($screen, $errors) = run_top(-U => 'watcher');
my @lines = split /\n/, $screen;

is($errors, '', 'a reader may look');
cmp_ok(scalar(@lines), '<=', 23, 'it fits into 24 lines');
is_deeply([ grep { length > 80 } @lines ], [], 'of 80 columns');
like($lines[0], qr/^reengage  postgres  \d\d:\d\d:\d\d  worker runs, armed, 0 in flight, 0 in doubt$/, 'it says whether it sends');
like($lines[1], qr/^3 due, oldest [\d:]+; a second: - ended, - sent, - requests$/, 'and what is due');
like($screen, qr/^held; DROP +paused +2 [\d:]+ +0 +-/m, 'a server that is paused');
like($screen, qr/^shut +blocked.* 1 +[\d:-]+ +0 +- +- +- +-$/m, 'one that is blocked, without a rate yet');
like($screen, qr/^genesys +ok +0 +- +0 /m, 'and one that is well');
like($screen, qr/^shut +retry 1$/m, 'what nudges wait for');
like($screen, qr/^server held; DROP: paused, by .*: wrong template  \[31m of a name/m, 'what is wrong, without what moves a cursor');
like($screen, qr/^[\d:]+  genesys +notified +live-4\n[\d:]+  genesys +session_created +closed-1$/m, 'and what ended last, the newest first');

# --- in a terminal ---------------------------------------------------------------------------

SKIP:
{
	skip 'script of util-linux is not here', 5 if (`script --version 2>/dev/null` // '') !~ /util-linux/;

	my $seen = '';
	my $quoted = join ' ', map { s/'/'\\''/gr =~ s/(.*)/'$1'/r } $top, @connection, '-U', 'watcher', '-v', 'interval=0.2';
	my $terminal = IPC::Run::start([ 'script', '-qec', $quoted, '/dev/null' ], '<', \my $keys, '>', \$seen, '2>&1');
	my $screens = sub { $terminal->pump_nb; return split /\e\[H\e\[J/, $seen };

	ok(wait_for(sub { my @all = $screens->(); @all > 3 }, 'a screen follows another'), 'a screen follows another');
	nudge($node, "live-$_") for 5 .. 9;
	ok(wait_for(sub { $screens->(); $seen =~ /a second: [1-9][\d.]* ended, [\d.]+ sent/ || $seen =~ /a second: 0\.[1-9] ended/ }, 'there are rates'),
		'with what happened a second');
	my ($last) = ($screens->())[-2];
	is_deeply([ grep { length > 80 } map { s/\e\[[0-9;]*m|\r//gr } split /\n/, $last ], [], 'each fits');
	like($last, qr/\e\[7mSERVER .*\e\[0m/, 'with titles that stand out');
	my $pid = Reengage::child_pid($terminal->{KIDS}[0]{PID}, qr/psql/) // 0;
	$keys .= "\cC";
	ok(wait_for(sub { !$terminal->pumpable || !eval { $terminal->pump_nb; 1 } }, 'it ends'), 'Ctrl-C ends it');
	eval { $terminal->finish };
}

# --- the picture --------------------------------------------------------------------------------

# Its numbers, widths and words are those of another day; what stays is what a line begins with.
my ($picture) = slurp_file("$FindBin::RealBin/../../docs/monitoring/README.md") =~ /^```\n(reengage  .*?)^```$/ms;
my @drawn = split /\n/, $picture;

cmp_ok(scalar(@drawn), '<=', 23, 'the picture in the documents fits');
is_deeply([ grep { length > 80 } @drawn ], [], 'in width, too');
sub titles { return grep { /^[A-Z][A-Z ]{7}/ } @_; }
is_deeply([ titles(@drawn) ], [ titles(@lines) ], 'it has the titles that there are');
sub shape { return $_[0] =~ s/[\d.:]+|(?<= )-(?= |$)/0/gr =~ s/ +/ /gr =~ s/^(reengage) \w+/$1/r; }
is_deeply([ map { shape($_) } @drawn[ 0, 1 ] ], [ map { shape($_) } @lines[ 0, 1 ] ], 'and begins as it does');
note $screen;

$node->stop;
done_testing();
