# docs/operations/ as it stands: what it tells to do is done, in its order, and what
# it says that one will see is seen.

use strict;
use warnings FATAL => 'all';

use Documents qw(blocks_of section_of run_shell);
use FindBin;
use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for outcome
  health psql_stderr worker_pid lineage);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$FindBin::RealBin/../..";
my $simulator = start_simulator();
my $node = new_node('shop', conf => "max_connections = 50\nwal_level = logical\nmax_wal_senders = 5", init => { has_archiving => 1, allows_streaming => 1 });
my $folder = $node->basedir . '/work';
mkdir $folder or die;

# The machine of the documents is this one: its paths, its API, its root.
sub here
{
	my ($text) = @_;
	my $archive = $node->archive_dir;

	$text =~ s{/etc/reengage}{$folder/etc}g;
	$text =~ s{/var/backups/archive}{$archive}g;
	$text =~ s{https://api\.example\.com}{$simulator->{url}}g;
	$text =~ s{^host = api\.example\.com}{host = 127.0.0.1:*, localhost:*}gm;
	$text =~ s{\bsudo }{}g;
	$text =~ s{-m 640 -o root -g postgres}{-m 600}g;
	return $text;
}

sub run_sql
{
	my ($block, %options) = @_;
	my ($said, $out) = ('', '');

	($options{node} // $node)->psql($options{database} // 'shop', here($block->{text}), on_error_stop => 1, stdout => \$out, stderr => \$said);
	is(join('', grep { !/^(psql:\S+ )?(NOTICE|HINT|DETAIL|drop cascades)/ } $said =~ /^.+\n?/gm), '', $block->{place});
	return $out;
}

# Runs a block; returns what it printed.
sub run_block
{
	my ($block, %options) = @_;

	return run_sql($block, %options) if $block->{language} eq 'sql';
	if ($block->{language} eq 'ini')
	{
		$node->append_conf('postgresql.conf', here($block->{text}));
		return '';
	}
	my $said = run_shell($node, $folder, here($block->{text}));
	unlike($said, qr/^(ERROR|FATAL)|^psql:.*ERROR|error:|\(status \d+\)$/m, $block->{place});
	return $said;
}

sub run_section
{
	my ($document, $section, %options) = @_;
	my @blocks = blocks_of($document, languages => [ 'sql', 'sh', 'ini' ], section => $section);

	$_->{text} =~ s/abc-123-def/$options{conversation}/g for $options{conversation} ? @blocks : ();
	return join "\n", map { run_block($_) } $options{first} ? $blocks[0] : @blocks;
}

sub check_sent
{
	my ($id, $what, %options) = @_;
	my $database = $options{database} // 'shop';

	nudge($node, $id, database => $database);
	wait_until_ended($node, database => $database, where => "n.conversation_id = '$id'");
	return is(outcome($node, $id, database => $database), 'notified - notify', $what);
}

# --- install -------------------------------------------------------------------------------------

my $install = 'docs/operations/install.md';

$node->safe_psql('postgres', 'CREATE DATABASE shop');
run_section($install, 'Credentials');
run_section($install, 'Settings');
$node->restart;
my $said = run_section($install, 'The extension');
unlike($said, qr/\|failed\|/, 'preflight() fails nowhere');
like($said, qr/^fence\|ok\|/m, 'health is well');
check_sent('live-installed', 'what is installed so sends');

$node->safe_psql('postgres', 'ALTER SYSTEM SET max_worker_processes = 3');
run_section($install, 'Several databases');
$node->append_conf('postgresql.conf', 'reengage.databases = shop');
wait_for(sub { health($node, 'worker', 'mart') =~ /^ok: / || health($node, 'worker', 'mart') }, 'a worker of mart, or why there is none');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET max_worker_processes');
$node->restart;
for my $database (qw(shop mart Shop))
{
	wait_for(sub { worker_pid($node, $database) }, "a worker in $database");
	ok(worker_pid($node, $database), "as many workers as the document says: $database");
}
$node->safe_psql('postgres', q{ALTER SYSTEM SET reengage.databases = 'shop, mart, "Shop", nowhere'});
$node->reload;
wait_for(sub { health($node, 'databases', 'shop') =~ /^missing: .*"Shop" \([^,]*, .*nowhere \(does not exist\)/ }, 'one that does not exist is named')
  or diag(health($node, 'databases', 'shop'));
$node->safe_psql('postgres', q{ALTER SYSTEM SET reengage.databases = 'shop, mart, "Shop"'});
$node->reload;
wait_for(sub { health($node, 'databases', 'shop') =~ /^ok: / }, 'until it is taken off');
like($node->safe_psql('mart', q{CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (api_url '} . $simulator->{url} . q{');
	SELECT check_name, detail FROM reengage.preflight('genesys') WHERE state = 'failed'}), qr/^credentials\|.*shop/m,
	'a section of one database is of no use to another');

# --- as Kubernetes makes it ------------------------------------------------------------------------

my ($yaml) = map { $_->{text} } blocks_of($install, languages => ['yaml']);
my %given = $yaml =~ /- (\S+?)=(\S+)$/gm;
is_deeply([ sort keys %given ], [ qw(reengage.credentials_file reengage.databases reengage.instance_key shared_preload_libraries) ],
	'the settings of the manifest');
my ($mode) = $yaml =~ /defaultMode: (\d+)/;
SKIP:
{
	my $file = ($ENV{FILES_OF_ROOT} // '') . "/$mode.server";
	skip 'only root can make files of root', 4 unless -e $file;
	# ..data is a link to a folder, and so is what replaces it
	my $mounted = "$folder/mounted";
	mkdir $_ or die for $mounted, "$mounted/..1", "$mounted/..2";
	symlink $file, "$mounted/..1/credentials" or die;
	symlink '..1', "$mounted/..data" or die;
	symlink '..data/credentials', "$mounted/credentials" or die;
	$node->safe_psql('postgres', "ALTER SYSTEM SET reengage.credentials_file = '$mounted/credentials'");
	$node->safe_psql('postgres', "ALTER SYSTEM SET reengage.instance_key = '$given{'reengage.instance_key'}'");
	$node->reload;
	wait_for(sub { health($node, 'fence', 'shop') =~ /another site/ }, 'the fence knows another site');
	$node->safe_psql('shop', 'SELECT reengage.arm()');
	check_sent('live-kubernetes', 'a Secret of root that the group may read is enough');
	append_to_file("$mounted/..2/credentials", "[genesys]\nclient_id = demo\n");
	chmod 0600, "$mounted/..2/credentials";
	symlink '..2', "$mounted/..new" or die;
	rename "$mounted/..new", "$mounted/..data" or die;
	like($node->safe_psql('shop', q{SELECT detail FROM reengage.preflight('genesys') WHERE state = 'failed'}), qr/client_secret/,
		'a Secret that is replaced is read again');
	$node->safe_psql('postgres', "ALTER SYSTEM RESET $_") for qw(reengage.credentials_file reengage.instance_key);
	$node->reload;
	wait_for(sub { health($node, 'fence', 'shop') =~ /another site/ }, 'the machine and folder again');
	$node->safe_psql('shop', 'SELECT reengage.arm()');
	check_sent('live-after', 'and all is as before');
}

# --- quotas --------------------------------------------------------------------------------------------

like(join("\n", map { run_block($_) } blocks_of('docs/operations/quotas.md', languages => ['sql'])),
	qr/^reengage_rate_limited_total\|\{"server": "genesys"\}\|0$/m, 'the metric of 429s is there');
$node->safe_psql('shop', q{DELETE FROM reengage.policies; ALTER SERVER genesys OPTIONS (DROP max_requests_per_minute)});

# --- backup ----------------------------------------------------------------------------------------------

my $backup = 'docs/operations/backup.md';

sub is_restored
{
	my ($table) = @_;
	my $sum = "SELECT count(*), sum(hashtext(t.nudge_id::text)) FROM $table t";

	return is($node->safe_psql('shop_restored', $sum), $node->safe_psql('shop', $sum), "$table is restored");
}

nudge($node, 'live-later', database => 'shop', due_at => q(now() + interval '1 day'));
run_section($backup, 'Back up');
my ($silent, @armed) = blocks_of($backup, languages => ['sh'], section => 'Restore');
like(run_block($silent), qr/fence +\| stopped +\| not armed: nothing is sent/, 'a restored dump is silent');
is_restored($_) for 'reengage.nudges', 'reengage.lineage', 'reengage.due';
run_block($_) for @armed;
is_restored('reengage.due');
is(health($node, 'fence', 'shop_restored'), 'ok: armed', 'armed, it may send');
is($node->safe_psql('shop_restored', 'SELECT reengage.recount()'), 0, 'its counts are right');
$node->safe_psql('shop_restored', 'SELECT reengage.disarm()');

run_section($backup, 'A copy for staging');
is($node->safe_psql('shop_staging', 'SELECT count(*) FROM reengage.due'), 0, 'a staging copy has nothing due');
is($node->safe_psql('shop_staging', q{SELECT reason FROM reengage.nudge_status WHERE requested_conversation_id = 'live-later'} ), '',
	'its due nudges were cancelled') ;
is($node->safe_psql('shop', 'SELECT count(*) FROM reengage.due'), 1, 'the original keeps its own');
like($node->safe_psql('shop_staging', q{SELECT detail FROM reengage.preflight('genesys') WHERE state = 'failed'}), qr/shop/,
	'and it has no credentials of the original');

# back in time, in a cluster of its own
my ($base, $settings, $start) = blocks_of($backup, languages => [ 'sh', 'ini' ], section => 'Go back in time');
run_block($base);
my $moment = $node->safe_psql('postgres', 'SELECT clock_timestamp()');
check_sent('live-too-late', 'the original goes on');
my $segment = $node->safe_psql('postgres', 'SELECT pg_walfile_name(pg_switch_wal())');
ok($node->poll_query_until('postgres', "SELECT last_archived_wal >= '$segment' FROM pg_stat_archiver"), 'WAL is archived');
my $past = PostgreSQL::Test::Cluster->new('past');
append_to_file("$folder/base/postgresql.conf", here($settings->{text}) =~ s/'2026-[^']*'/'$moment'/r
	  . "archive_mode = off\nport = " . $past->port . "\nunix_socket_directories = '" . $past->host . "'\n");
append_to_file("$folder/base/recovery.signal", '');
run_block($start);
ok($past->poll_query_until('shop', 'SELECT NOT pg_is_in_recovery()'), 'the past is there');
is($past->safe_psql('shop', q{SELECT count(*) FROM reengage.nudges WHERE conversation_id = 'live-too-late'}), 0, 'and knows nothing of what came after');
like(health($past, 'fence', 'shop'), qr/^stopped: armed at another site/, 'it is fenced');
like(health($past, 'worker', 'shop'), qr/^absent: database "shop" is not in reengage.databases/, 'and has no worker');
run_shell($past, $folder, 'pg_ctl -D base -m fast stop');

# --- nothing is sent ---------------------------------------------------------------------------------------

my $tree = 'docs/operations/nothing_is_sent.md';
my $text = slurp_file("$top/$tree");

# What health is to say, of which subject, in the words of a leaf; "…" is anything.
sub told_by
{
	my ($leaf) = @_;
	my ($from, $to) = section_of($text, $leaf);
	my ($subject, $words) = substr($text, $from, $to - $from) =~ /^### .*\n\n`([^`]+)`: `([^`]+)`/ or return;

	$words =~ s/\s+/ /g;
	return ($subject, join '.*', map { quotemeta } split /…/, $words);
}

sub why { my ($id) = @_; return $node->safe_psql('shop', "SELECT state || ': ' || reason FROM reengage.nudge_status WHERE requested_conversation_id = '$id' LIMIT 1") }

my $number = 0;
my %session;
my $locked = sub { my ($sql) = @_; my $psql = $node->background_psql('shop', on_error_stop => 1); $psql->query_safe($sql); return $psql };
my $credentials = "$folder/etc/credentials";
my $good = slurp_file($credentials);
sub set_system { $node->safe_psql('postgres', "ALTER SYSTEM SET $_[0]"); return }
sub write_new { my ($content) = @_; unlink "$folder/credentials.new"; append_to_file("$folder/credentials.new", $content); return }

# Each leaf: what makes the situation, whether it comes before the nudge or has a
# nudge of its own, and what has to be done beside the command.
my %leaf = (
	'Not armed' => { make => sub { $node->safe_psql('shop', 'SELECT reengage.disarm()') } },
	'A copy, or moved' => { make => sub { set_system(q{reengage.instance_key = 'other'}); $node->reload },
		after => sub { $node->safe_psql('postgres', 'ALTER SYSTEM RESET reengage.instance_key'); $node->reload; wait_for(sub { health($node, 'fence', 'shop') =~ /another site/ }, 'fenced'); $node->safe_psql('shop', 'SELECT reengage.arm()') } },
	'Not preloaded' => { make => sub { $node->append_conf('postgresql.conf', q{shared_preload_libraries = ''}); $node->restart }, cured => sub { $node->restart } },
	'Not listed' => { make => sub { set_system(q{reengage.databases = 'mart'}); $node->reload } },
	'No place for a worker' => { make => sub { set_system('max_worker_processes = 2'); $node->restart }, cured => sub { $node->restart } },
	'Paused' => { make => sub { $node->safe_psql('shop', q{SELECT reengage.pause('genesys', 'wrong template')}) } },
	'The credentials file' => { make => sub { unlink $credentials; write_new($good) } },
	'The API refuses the credentials' => { make => sub { write_new($good =~ s/secret$/wrong/mr); rename "$folder/credentials.new", $credentials; chmod 0600, $credentials; write_new($good) } },
	'The API cannot be reached' => { make => sub { $node->safe_psql('shop', q{ALTER SERVER genesys OPTIONS (SET api_url 'http://127.0.0.1:1')}) } },
	'No such server' => { after_nudge => sub { $node->safe_psql('shop', q{DROP SERVER genesys}) }, own_columns => { due_at => q(now() + '1 s') } },
	'An outcome cannot be written' => { make => sub { $session{outcome} = $locked->('BEGIN; LOCK TABLE reengage.lineage IN SHARE MODE') },
		cured => sub { $session{outcome}->query_safe('ROLLBACK'); $session{outcome}->quit } },
	'Inserted while triggers were off' => { own_nudge => sub { $node->safe_psql('shop', "SET session_replication_role = replica; INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('genesys', '$_[0]', 'x')") } },
);

for my $leaf ($text =~ /^## 2\..*?(?=^## )/ms ? $& =~ /^### (.*)$/gm : ())
{
	my ($subject, $words) = told_by($leaf);
	my $id = 'live-leaf-' . ++$number;
	my $do = delete $leaf{$leaf};

	next if $leaf eq 'A standby';
	ok($do, "the leaf \"$leaf\" has a situation") or next;
	$do->{make}->() if $do->{make};
	if ($do->{own_nudge}) { $do->{own_nudge}->($id) } else { nudge($node, $id, database => 'shop', server => q('genesys'), %{ $do->{own_columns} // {} }) }
	$do->{after_nudge}->() if $do->{after_nudge};
	wait_for(sub { health($node, $subject, 'shop') =~ /^\w+: $words/s }, "$leaf: $words")
	  or diag($node->safe_psql('shop', 'TABLE reengage.health'));
	pass("$leaf: health says $subject: $words");
	is(outcome($node, $id, database => 'shop'), '', "$leaf: nothing is sent") unless $leaf eq 'An outcome cannot be written';
	run_section($tree, $leaf);
	$do->{cured}->() if $do->{cured};
	wait_until_ended($node, database => 'shop', where => "n.conversation_id = '$id'");
	is(outcome($node, $id, database => 'shop'), 'notified - notify', "$leaf: after the remedy, it is");
	$do->{after}->() if $do->{after};
}
is_deeply([ keys %leaf ], [], 'each situation has its leaf');

# --- the nudge itself ------------------------------------------------------------------------------------------

my $open = $locked->("BEGIN; INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('genesys', 'live-open', 'x')");
is(why('live-open'), '', 'There is no row: of what has not committed');
like(run_section($tree, 'There is no row'), qr/idle in transaction.*live-open/, 'There is no row: its session is shown');
$open->query_safe('COMMIT');
$open->quit;
wait_until_ended($node, database => 'shop', where => q(n.conversation_id = 'live-open'));

nudge($node, 'abc-123-def', database => 'shop', due_at => q(now() + interval '1 day'));
is(why('abc-123-def'), 'due: its time', 'Its time: the reason says so');
run_section($tree, 'Its time');
wait_until_ended($node, database => 'shop', where => q(n.conversation_id = 'abc-123-def'));
like(outcome($node, 'abc-123-def', database => 'shop'), qr/^cancelled superseded -, (notified - notify|session_created - create)$/, 'Its time: asked anew, it is sent now');

# eleven hours ago it became quiet, until twelve hours from now
$node->safe_psql('shop', q{INSERT INTO reengage.policies (server, campaign, time_zone, quiet_hours) SELECT 'genesys', 'cart', 'UTC',
	ARRAY[to_char(now() AT TIME ZONE 'UTC' - interval '11 h', '"daily "HH24:00') || to_char(now() AT TIME ZONE 'UTC' + interval '12 h', '-HH24:00')]});
nudge($node, 'live-quiet', database => 'shop', campaign => q('cart'));
wait_for(sub { why('live-quiet') =~ /^due: quiet hours/ }, 'A policy: the reason says so');
run_section($tree, 'A policy');
wait_until_ended($node, database => 'shop', where => q(n.conversation_id = 'live-quiet'));
is(outcome($node, 'live-quiet', database => 'shop'), 'notified - notify', 'A policy: when it has changed, it is sent');

$simulator->fault(verb => 'create', id => 'closed-doubt', action => 'close_after', times => 1);
nudge($node, 'closed-doubt', database => 'shop');
wait_until_ended($node, database => 'shop', where => q(n.conversation_id = 'closed-doubt'));
like(outcome($node, 'closed-doubt', database => 'shop'), qr/^in_doubt/, 'A doubt: whether a session was created');
my $next = nudge($node, 'closed-doubt', database => 'shop');
wait_for(sub { why('closed-doubt') eq 'due: an earlier create on this conversation is in doubt' }, 'A doubt: the reason says so');
run_section($tree, 'A doubt', conversation => 'closed-doubt');
wait_until_ended($node, database => 'shop', where => qq(n.nudge_id = '$next'));
is((lineage($node, "l.nudge_id = '$next'", database => 'shop'))[0]{outcome}, 'session_created', 'A doubt: when it is resolved, the next one is sent');

run_section($tree, 'Its turn');
$said = run_section($tree, 'Nothing is sent', first => 1);
unlike($said, qr/^(fence|worker|server genesys)\|/m, 'in the end all is well');

# --- fail over -------------------------------------------------------------------------------------------------

my $failover = 'docs/operations/failover.md';
my ($key) = blocks_of($failover, languages => ['ini']);
my ($arm, $look, $promote, @let_go) = blocks_of($failover, languages => ['sql']);
$node->append_conf('postgresql.conf', $key->{text});
$node->reload;
wait_for(sub { health($node, 'fence', 'shop') =~ /another site/ }, 'another site');
run_block($arm);
$node->backup('standby');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'standby', has_streaming => 1);
$standby->start;
my ($subject, $words) = told_by('A standby');
like(health($standby, $subject, 'shop'), qr/^standby: $words/, 'A standby says what it is');
like(run_block($look, node => $standby), qr/^fence\|ok\|armed$/m, 'and that it could go on');
$node->wait_for_catchup('standby', 'replay', $node->lsn('write'));
$node->stop;
run_block($promote, node => $standby);
like(health($standby, 'fence', 'shop'), qr/^stopped: armed on another timeline/, 'promoted, it holds');
run_block($_, node => $standby) for @let_go;
nudge($standby, 'live-promoted', database => 'shop');
wait_until_ended($standby, database => 'shop', where => q(n.conversation_id = 'live-promoted'));
is(outcome($standby, 'live-promoted', database => 'shop'), 'notified - notify', 'and goes on when it is armed');
$standby->stop;
$node->start;

# --- removal -----------------------------------------------------------------------------------------------------

my $removal = 'docs/operations/removal.md';

$said = run_section($removal, 'Out of one database');
is($node->safe_psql('shop', q{SELECT count(*) > 0 FROM public.reengage_lineage WHERE outcome = 'notified'}), 't', 'lineage is kept');
wait_for(sub { !worker_pid($node, 'shop') }, 'no worker is left');
my ($which, @drop) = blocks_of($removal, languages => ['sql'], section => 'The roles');
my $left = run_block($which);
like($left, qr/^reengage_operator\|mart$/m, 'roles: the databases that have the extension still are named');
unlike($left, qr/\|shop$/m, 'and no other');
like(psql_stderr($node, $drop[1]{text}, database => 'shop'), qr/cannot be dropped because some objects depend on it/, 'roles: not while any has');
$node->safe_psql($_, 'DROP EXTENSION reengage CASCADE') for qw(mart Shop shop_restored shop_staging);
run_block($_) for @drop;
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_roles WHERE rolname LIKE 'reengage%'}), 0, 'roles: all are gone');
run_section($removal, 'The library');
$node->restart;
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'reengage%'}), 0, 'and nothing of reengage runs');
ok(!-e "$folder/etc", 'nor are there credentials, nor their folder');

$node->stop;
done_testing();
