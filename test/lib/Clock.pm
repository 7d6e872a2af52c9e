# A server whose clock the test sets while it runs (test/clocks/clock.c).
# Durations are measured as ever: of the real clock, too, only the wall one can be
# set.  It is another matter for a server that was stopped meanwhile.
package Clock;

use strict;
use warnings FATAL => 'all';

use File::Basename qw(dirname);
use PostgreSQL::Test::Utils;
use Reengage ();

use Exporter 'import';
our @EXPORT_OK = qw(clock_is_missing prepare_clock start_with_clock set_clock);

my ($library, $courier, $file);

# Why there is none here, or an empty string.
sub clock_is_missing
{
	return 'this PostgreSQL finds extensions only where they are installed'
	  unless defined($courier = Reengage::own_courier());
	$library = PostgreSQL::Test::Utils::tempdir() . '/clock.so';
	return 'there is no compiler'
	  if system($ENV{CC} // 'cc', '-std=gnu99', '-shared', '-fPIC', '-o', $library, dirname(__FILE__) . '/../clocks/clock.c', '-ldl') != 0;
	return '';
}

sub environment
{
	return (LD_PRELOAD => $library, CLOCK_FILE => $file);
}

# Before the server is made.  A courier has no environment but its own.
sub prepare_clock
{
	$file = PostgreSQL::Test::Utils::tempdir() . '/clock';
	set_clock(0);
	my %environment = environment();
	rename $courier, "$courier.real" or die "could not rename $courier: $!";
	open my $wrapper, '>', $courier or die "could not write $courier: $!";
	print $wrapper "#!/bin/bash\n", (map { "export $_='$environment{$_}'\n" } sort keys %environment),
	  "exec -a reengage-courier '$courier.real'\n";
	close $wrapper;
	chmod 0755, $courier;
	return;
}

# "monotonic": its processes, but for the couriers, take what is set for time that
# has passed.
sub start_with_clock
{
	my ($node, %options) = @_;
	local %ENV = (%ENV, environment());

	$ENV{CLOCK_ALL} = 1 if $options{monotonic};
	return $node->start;
}

# The clock shows so many seconds more than the real one from now on.
sub set_clock
{
	my ($seconds) = @_;

	# in place: the processes have it in their memory
	open my $handle, -e $file ? '+<' : '>', $file or die "could not write $file: $!";
	syswrite $handle, pack 'q', $seconds;
	close $handle;
	return;
}

1;
