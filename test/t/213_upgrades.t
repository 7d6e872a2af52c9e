# Whoever was updated has the same as whoever installed the new version: by scripts
# from each version that was released, and by one that is made up and forgets a thing.
# What was released stays as it is.

use strict;
use warnings FATAL => 'all';

use FindBin;
use Reengage qw(new_node own_installation);
use PostgreSQL::Test::Utils;
use Test::More;

my ($libraries, $scripts) = own_installation();
plan skip_all => 'this PostgreSQL finds extensions only where they are installed' unless $libraries;
my ($version) = slurp_file("$scripts/reengage.control") =~ /^default_version = '(.*)'/m;
my $fresh = slurp_file("$scripts/reengage--$version.sql");
my $node = new_node('main');

sub script { my ($name) = @_; return "$scripts/reengage--$name.sql"; }

sub write_file
{
	my ($name, $text) = @_;
	open my $file, '>', $name or die "could not write $name: $!";
	print $file $text;
	close $file;
	return;
}

# All that the extension has in a database, as pg_upgrade would make it again: a list of
# statements.  Numbers of objects differ, and what a dropped column has left; the
# order of columns may.
sub contents
{
	my ($database) = @_;
	my $dump = $node->basedir . '/dump';

	$node->run_log([ 'pg_dump', '--binary-upgrade', '--schema-only', '-f', $dump, $node->connstr($database) ]) or die 'pg_dump failed';
	my $text = slurp_file($dump);
	$text =~ s/^--.*\n|^\\(un)?restrict .*\n//mg;
	$text =~ s/^SELECT pg_catalog\.binary_upgrade_.*;\n//mg;
	$text =~ s/^(?:UPDATE|INSERT INTO) pg_catalog\.pg_\w+\b[^;]*;\n//mg;
	$text =~ s/^    "\.+pg\.dropped\.\d+\.+" .*\n//mg;
	$text =~ s{^(CREATE (?:UNLOGGED )?TABLE [^\n]*\(\n)(.*?)^\)}{ $1 . join('', sort map { s/,$//r } split /^/, $2) . ')' }gmse;
	my $configured = $node->safe_psql($database, q{
		SELECT c.oid::regclass, e.extcondition[d.ordinality], e.extversion
		FROM pg_extension e, unnest(e.extconfig) WITH ORDINALITY d, pg_class c
		WHERE e.extname = 'reengage' AND c.oid = d.d});
	my $members = $node->safe_psql($database, q{
		SELECT pg_describe_object(d.classid, d.objid, 0) FROM pg_depend d
			JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
		WHERE e.extname = 'reengage' AND d.deptype = 'e'});
	return sort grep { /\S/ } (split /\n\n+/, $text), (map { "dumped: $_" } split /\n/, $configured), map { "member: $_" } split /\n/, $members;
}

# Databases in which everybody would get every right to whatever is made.
sub make_database
{
	my ($database, @statements) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0");
	$node->safe_psql($database, join '', map { "$_;\n" }
		(map { "ALTER DEFAULT PRIVILEGES GRANT ALL ON $_ TO PUBLIC" } qw(TABLES SEQUENCES FUNCTIONS TYPES SCHEMAS)), @statements);
	return;
}

sub updated
{
	my ($database, $from) = @_;

	make_database($database, "CREATE EXTENSION reengage VERSION '$from'", "ALTER EXTENSION reengage UPDATE TO '$version'");
	return contents($database);
}

make_database('fresh', 'CREATE EXTENSION reengage');
my @expected = contents('fresh');
cmp_ok(scalar @expected, '>', 500, 'a fresh installation: ' . @expected . ' statements');

# What only one of them has.
sub differences
{
	my (@actual) = @_;
	my (%balance, @found);

	$balance{$_}++ for @actual;
	$balance{$_}-- for @expected;
	return map { ($balance{$_} > 0 ? 'too much: ' : 'missing: ') . $_ } grep { $balance{$_} } sort keys %balance;
}

# --- what was released ------------------------------------------------------------------------

my $top = "$FindBin::RealBin/../..";
my @released = grep { !/--/ && $_ ne $version } map { m{/reengage--([^/]+)\.sql$} } glob "$top/src/sql/released/reengage--*.sql";
for my $from (@released)
{
	write_file(script($from), slurp_file("$top/src/sql/released/reengage--$from.sql"));
	is_deeply([ differences(updated("from_$from" =~ tr/./_/r, $from)) ], [], "$from, updated, is a fresh $version");
}
note 'there was no version before ' . $version unless @released;

# --- a release, rehearsed in a copy of this tree ------------------------------------------------

my $copy = $node->basedir . '/copy';
mkdir $copy or die "could not make $copy: $!";
system(qw(cp -R), (map { "$top/$_" } qw(CHANGELOG.md META.json debian packaging reengage.control)), $copy) == 0 or die 'could not copy';
system("mkdir '$copy/src' && cp -R '$top/src/sql' '$copy/src/' && rm -rf '$copy/src/sql/released'") == 0 or die 'could not copy';

# What packaging/release says, and whether it succeeds.
sub release
{
	my (@arguments) = @_;
	my $said = '';
	my $succeeds = IPC::Run::run([ "$copy/packaging/release", @arguments ], '<', '/dev/null', '>&', \$said);

	return ($said, $succeeds ? 1 : 0);
}

sub change
{
	my ($name, $from, $to) = @_;
	my $text = slurp_file("$copy/$name");

	$text =~ s/$from/$to/ or die "$name has no $from";
	return write_file("$copy/$name", $text);
}

change('debian/changelog', qr/\) \w+;/, ') UNRELEASED;');
change('CHANGELOG.md', qr/^## .*/m, "## $version (unreleased)");
is_deeply([ release('check') ], [ '', 1 ], 'before there is a release, everything may change');
like((release())[0], qr/^\Q$version\E is released/, 'a release');
is(slurp_file("$copy/src/sql/released/reengage--$version.sql"), $fresh, 'it keeps the script that make makes');
unlike(slurp_file("$copy/$_"), qr/unreleased/i, "$_ calls it unreleased no more") for qw(CHANGELOG.md debian/changelog);
like(slurp_file("$copy/META.json"), qr/"release_status": "stable"/, 'and META.json stable');
is_deeply([ release('check') ], [ '', 1 ], 'it is what was released');

change('src/sql/42_health.sql', qr/^COMMENT/m, '-- new' . "\nCOMMENT");
my ($said, $succeeds) = release('check');
is($succeeds, 0, 'a part that was changed since is found out');
like($said, qr/\Q$version\E is released: a change of its SQL needs version \d+\.\d+ .*^> -- new$/ms, 'with what to do, and what it was');
is((release())[1], 0, 'and not released');

change('reengage.control', qr/^default_version = .*/m, q{default_version = '99.1'});
mkdir "$copy/src/sql/$version--99.1" or die "could not make a folder: $!";
write_file("$copy/src/sql/$version--99.1/42_health.sql", "-- new\nCOMMENT ON SCHEMA reengage IS 'new';\n");
is_deeply([ release('check') ], [ '', 1 ], 'a new version with a script of its own may differ');
release();
ok(-s "$copy/src/sql/released/reengage--$_.sql", "reengage--$_.sql is kept") for '99.1', "$version--99.1";
is(slurp_file("$copy/src/sql/released/reengage--$version.sql"), $fresh, 'beside what was there');
change("src/sql/$version--99.1/42_health.sql", qr/new/, 'newer');
like((release('check'))[0], qr/^99\.1 is released: .* needs version 99\.2 /m, 'nor does a script that updates ever change');

# --- and what forgets something ----------------------------------------------------------------

# A version that never was: what it has otherwise, and what an update must not forget.
my ($counted) = $fresh =~ /^(CREATE FUNCTION reengage_internal\.counted\(.*?)^COMMENT/ms;
my ($diagram) = $fresh =~ /^(CREATE FUNCTION reengage\.thread_diagram\(.*?^COMMENT .*?;\n)/ms;
my ($right) = $fresh =~ /^(GRANT EXECUTE ON FUNCTION (reengage\.thread_diagram\(.*?\)).*?;\n)/ms;
my $function = $2;
my ($comment) = $fresh =~ /^(COMMENT ON COLUMN reengage\.import_rejects\.field_count .*\n)/m;
my $dumped = "SELECT pg_catalog.pg_extension_config_dump('reengage.import_rejects', '');\n";
my $check = 'CHECK (old IS NOT NULL OR new IS NOT NULL)';
my @changes = (
	{ has => "\tfield_count integer,\n", had => '', update => "ALTER TABLE reengage.import_rejects ADD COLUMN field_count integer;\n" },
	{ what => 'a comment', has => $comment, had => '' },
	{ what => 'a body', has => $counted, had => $counted =~ s/more than/over/r, update => $counted =~ s/^CREATE/CREATE OR REPLACE/r },
	{ what => 'a constraint', has => $check, had => 'CHECK (old IS NOT NULL)',
		update => "ALTER TABLE reengage.changes DROP CONSTRAINT changes_check, ADD CONSTRAINT changes_check $check;\n" },
	{ what => 'what a dump carries', has => $dumped, had => '' },
	{ has => $diagram, had => '' },
	{ what => 'a right', has => $right, had => '' },
	{ what => 'to take what default privileges gave', has => '', had => '', update => "REVOKE ALL ON FUNCTION $function FROM PUBLIC;\n" },
);
my $old = $fresh;
for (@changes)
{
	my $at = index $old, $_->{has};

	die "the script has not: $_->{has}" if $at < 0;
	substr($old, $at, length $_->{has}) = $_->{had};
}

sub update_without
{
	my ($forgotten) = @_;
	return join '', "SELECT reengage_internal.require_library('$version');\n",
	  map { $_->{update} // $_->{has} } grep { ($_->{what} // '') ne $forgotten } @changes;
}

my $number = 0;
for my $forgotten ('nothing', grep { defined } map { $_->{what} } @changes)
{
	my $from = '0.' . ++$number;

	write_file(script($from), $old);
	write_file(script("$from--$version"), update_without($forgotten));
	my @differences = differences(updated("made_up_$number", $from));
	if ($forgotten eq 'nothing')
	{
		is_deeply(\@differences, [], 'an update that forgets nothing makes a fresh installation');
	}
	else
	{
		is(scalar(grep { /^missing: / } @differences) || scalar @differences, 1, "one that forgets $forgotten is found out") or diag(@differences);
	}
}

done_testing();
