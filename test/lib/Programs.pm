# Programs that other packages have: from the machine, or from where test/deps has
# unpacked them.  They end with the test.
package Programs;

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;

use Exporter 'import';
our @EXPORT_OK = qw(program start_program why_missing);

# Where Debian has them.
my %package_of = (promtool => 'prometheus');

my @started;

# The path of a program, or undef.
sub program
{
	my ($name) = @_;
	my ($path) = grep { -x } map { "$_/$name" } split(/:/, $ENV{PATH}), $ENV{MORE_PROGRAMS} // ();
	return $path;
}

# Why a test is skipped; nothing if the program is here.
sub why_missing
{
	my ($name) = @_;
	return program($name) ? '' : ($package_of{$name} // $name) . ' is not installed';
}

sub start_program
{
	my ($name, $environment, @arguments) = @_;
	my $pid = fork() // die "could not fork: $!";

	if ($pid == 0)
	{
		%ENV = (%ENV, %$environment);
		open STDOUT, '>', PostgreSQL::Test::Utils::tempdir() . "/$name.log";
		open STDERR, '>&', \*STDOUT;
		exec program($name), @arguments;
		die "could not start $name: $!";
	}
	push @started, $pid;
	return $pid;
}

END
{
	my $status = $?;
	kill 'KILL', $_ for @started;
	waitpid $_, 0 for @started;
	$? = $status;
}

1;
