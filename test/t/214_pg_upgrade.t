# P12: pg_upgrade from version to version of PostgreSQL, through all that are here,
# oldest first, to the one that is tested.  At each: something was delivered, is due,
# is in doubt, and is on the wire.  The extension is staged for each of them.

use strict;
use warnings FATAL => 'all';

use Cwd qw(abs_path);
use FindBin;
use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for lineage outcome health
  psql_stderr ledger_matches_lineage);
use PostgreSQL::Test::Utils;
use Test::More;

my $tree = abs_path("$FindBin::RealBin/../..");
my $oldest = 15;
chomp(my $bindir = `pg_config --bindir`);

# ---- the versions that are here ------------------------------------------------------------

sub ask_pg_config
{
	my ($version, $what) = @_;

	chomp(my $answer = `'$version->{bindir}/pg_config' --$what`);
	return $answer;
}

# Whether a server of this version finds what is staged.
sub can_be_staged
{
	my ($version) = @_;
	return $version->{major} >= 18 || `'$version->{bindir}/postgres' --describe-config` =~ /^extension_destdir/m;
}

# All that have what making a cluster and building for it takes, in folders that are
# called as that of the tested one, but for the number.
sub find_versions
{
	my ($newest) = `pg_config --version` =~ /(\d+)/;
	my $pattern = $bindir =~ s/(?<!\d)$newest(?!\d)/*/r;
	my @versions;

	for my $found (glob $pattern)
	{
		my $version = { bindir => $found };

		next if grep { !-x "$found/$_" } qw(pg_config initdb postgres pg_upgrade);
		($version->{major}) = ask_pg_config($version, 'version') =~ /(\d+)/;
		next if $version->{major} < $oldest || $version->{major} > $newest;
		next unless -f ask_pg_config($version, 'includedir-server') . '/postgres.h' && -f ask_pg_config($version, 'pgxs');
		push @versions, $version if can_be_staged($version);
	}
	return sort { $a->{major} <=> $b->{major} } @versions;
}

# Builds for an older version, in another folder, and sets what makes its servers find that.
sub stage
{
	my ($version) = @_;
	my $build = PostgreSQL::Test::Utils::tempdir();
	my $root = PostgreSQL::Test::Utils::tempdir();
	my ($libraries, $shared) = map { $root . ask_pg_config($version, $_) } qw(pkglibdir sharedir);

	system("cd '$build' && make -s -f '$tree/Makefile' -j2 PG_CONFIG='$version->{bindir}/pg_config' DESTDIR='$root' install >make.log 2>&1") == 0
	  or die "could not build for PostgreSQL $version->{major}: " . slurp_file("$build/make.log");
	$version->{settings} = "dynamic_library_path = '$libraries:\$libdir'\n"
	  . ($version->{major} >= 18 ? "extension_control_path = '$shared:\$system'" : "extension_destdir = '$root'");
	return;
}

my @versions = find_versions();
plan skip_all => 'there is no older PostgreSQL here, with its headers, that finds extensions where they are staged'
  if @versions < 2 || $versions[-1]{bindir} ne $bindir;
note 'through ' . join ', ', map { $_->{major} } @versions;
$versions[-1]{settings} = $ENV{STAGE_SETTINGS};
stage($_) for @versions[ 0 .. $#versions - 1 ];

# ---- what is looked at ------------------------------------------------------------------------

my $simulator = start_simulator();

# From 18 on initdb makes checksums unless told otherwise, and both must be alike.
sub make_node
{
	my ($version) = @_;
	local $ENV{STAGE_SETTINGS} = $version->{settings};

	return new_node("version_$version->{major}", preload => 1, stopped => 1,
		cluster => { install_path => $version->{bindir} =~ s{/bin$}{}r },
		init => { extra => [ '--locale=C', '--encoding=UTF8', '--data-checksums' ] });
}

# Leaves one nudge of each kind behind, and stops; returns what the tables hold then.
sub leave_work
{
	my ($node, $name) = @_;

	nudge($node, "$_-done-$name") for qw(live closed);
	$simulator->fault(verb => 'create', id => "closed-doubt-$name", action => 'close_after');
	nudge($node, "closed-doubt-$name");
	wait_until_ended($node, where => q(n.conversation_id NOT LIKE '%-due-%'));
	is(outcome($node, "closed-doubt-$name"), 'in_doubt connection_lost create', "$name: one is in doubt");
	nudge($node, "$_-due-$name", due_at => q(now() + interval '1 day')) for qw(live closed);
	$simulator->fault(verb => 'notify', id => "live-wire-$name", action => 'hang_after');
	$simulator->fault(verb => 'create', id => "closed-wire-$name", action => 'hang');
	nudge($node, "$_-wire-$name") for qw(live closed);
	$simulator->wait_hanging(2);
	$node->stop;
	$simulator->clear_faults;
	$node->append_conf('postgresql.conf', q{reengage.databases = ''});
	$node->start;
	my $contents = contents($node);
	$node->stop;
	return $contents;
}

# The rows of all tables of the extension; of counts, which a worker that is fenced
# puts together, their sums.
sub contents
{
	my ($node) = @_;
	my @tables = split /\n/, $node->safe_psql('postgres', q{
		SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = 'reengage' AND c.relkind = 'r' AND c.relpersistence = 'p' AND c.relname !~ '^tall' ORDER BY 1});
	my $sums = q{(SELECT t.key, sum(t.nudges) FROM (SELECT * FROM reengage.tallies UNION ALL SELECT * FROM reengage.tally_changes) all_of,
		LATERAL (SELECT to_jsonb(all_of) - 'nudges', all_of.nudges) t (key, nudges) GROUP BY t.key HAVING sum(t.nudges) <> 0)};

	return { map { $_ => $node->safe_psql('postgres', "SELECT to_jsonb(x) FROM $_ x ORDER BY to_jsonb(x)::text") } @tables, $sums };
}

# What the extension has in a database: its objects and who may do what with them.
sub members
{
	my ($node, $database) = @_;

	return [ split /\n/, $node->safe_psql($database, q{
		SELECT pg_describe_object(d.classid, d.objid, 0) || ' ' || coalesce(c.relacl::text, p.proacl::text, '')
		FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
			LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
			LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
		WHERE e.extname = 'reengage' AND d.deptype = 'e' ORDER BY 1}) ];
}

# ---- from each to the next ------------------------------------------------------------------------

sub upgrade
{
	my ($old, $new) = @_;

	chdir $new->basedir;
	$new->command_ok([
		'pg_upgrade', '--no-sync', '--old-datadir', $old->data_dir, '--new-datadir', $new->data_dir,
		'--old-bindir', $old->config_data('--bindir'), '--new-bindir', $new->config_data('--bindir'),
		'--socketdir', $new->host, '--old-port', $old->port, '--new-port', $new->port ],
		'pg_upgrade from ' . $old->name . ' to ' . $new->name);
	return;
}

my $node = make_node($versions[0]);
$node->start;
create_extension($node, $simulator);
my $old_name = $versions[0]{major};

for my $version (@versions[ 1 .. $#versions ])
{
	my $name = $version->{major};
	my $contents = leave_work($node, $old_name);
	my $requests = scalar $simulator->requests;
	my $new = make_node($version);

	upgrade($node, $new);
	$new->start;
	ok($new->poll_query_until('postgres', q{SELECT state = 'fenced' FROM reengage_internal.worker_state()}), "$name: it is fenced");
	like(health($new, 'fence'), qr/^stopped: armed in another cluster .* was made by pg_upgrade$/, "$name: and health says why");
	like(psql_stderr($new, 'CALL reengage.run()'), qr/ERROR:  reengage is armed in another cluster/, "$name: run() refuses, too");
	is_deeply(contents($new), $contents, "$name: all rows came through");
	$new->safe_psql('postgres', 'CREATE DATABASE fresh');
	$new->safe_psql('fresh', 'CREATE EXTENSION reengage');
	is_deeply(members($new, 'postgres'), members($new, 'fresh'), "$name: it has what a new installation has, and the same rights");
	$new->safe_psql('postgres', 'DROP DATABASE fresh');
	is(scalar $simulator->requests, $requests, "$name: P12: nothing was sent");

	$new->safe_psql('postgres', qq{
		SELECT reengage.arm();
		UPDATE reengage.due d SET due_at = now() FROM reengage.nudges n
		WHERE n.nudge_id = d.nudge_id AND n.conversation_id LIKE '%-due-$old_name';
		SELECT reengage_internal.wake('-infinity')});
	nudge($new, "closed-done-$old_name");
	wait_until_ended($new);
	is(outcome($new, "live-due-$old_name"), 'notified - notify', "$name: armed, what was due is delivered");
	is(outcome($new, "closed-due-$old_name"), 'session_created - create', "$name: both of it");
	is(outcome($new, "live-wire-$old_name"), 'in_doubt interrupted notify', "$name: what was on the wire is in doubt");
	is(outcome($new, "closed-wire-$old_name"), 'in_doubt interrupted create', "$name: both of it");
	is(outcome($new, "closed-done-$old_name"), 'session_created - create, notified - notify', "$name: a thread goes on");
	is($new->safe_psql('postgres', 'SELECT count(*) FROM reengage.intents'), 0, "$name: no intent is left");
	($node, $old_name) = ($new, $name);
}
ledger_matches_lineage($node, $simulator, 'P4, P5: each had at most one call, and the lineage says which');

done_testing();
