# A server whose clock the test sets while it runs, by libfaketime.  Durations are
# measured as ever: of the real clock, too, only the wall one can be set.  It is
# another matter for a server that was stopped meanwhile.
package Clock;

use strict;
use warnings FATAL => 'all';

use File::Basename qw(dirname);
use PostgreSQL::Test::Utils;
use Reengage ();

use Exporter 'import';
our @EXPORT_OK = qw(clock_is_missing prepare_clock start_with_clock set_clock);

my ($library, $waits, $courier, $file);

# Why there is none here, or an empty string.
sub clock_is_missing
{
	chomp($library = `faketime -f +0 printenv LD_PRELOAD 2>/dev/null` // '');
	return 'faketime is not here' if $library eq '';
	return 'this PostgreSQL finds extensions only where they are installed'
	  unless defined($courier = Reengage::own_courier());
	$waits = PostgreSQL::Test::Utils::tempdir() . '/waits.so';
	return 'there is no compiler'
	  if system($ENV{CC} // 'cc', '-std=gnu99', '-shared', '-fPIC', '-o', $waits, dirname(__FILE__) . '/../clocks/waits.c') != 0;
	return '';
}

sub environment
{
	return (LD_PRELOAD => "$waits:$library", FAKETIME_TIMESTAMP_FILE => $file,
		FAKETIME_NO_CACHE => 1, FAKETIME_DONT_FAKE_MONOTONIC => 1);
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

	delete $ENV{FAKETIME_DONT_FAKE_MONOTONIC} if $options{monotonic};
	return $node->start;
}

# The clock shows so many seconds more than the real one from now on.
sub set_clock
{
	my ($seconds) = @_;

	open my $handle, '>', "$file.new" or die "could not write $file.new: $!";
	printf $handle "%+d\n", $seconds;
	close $handle;
	rename "$file.new", $file or die "could not rename $file.new: $!";
	return;
}

# libfaketime has shared memory for each process, which one that is killed leaves.
END
{
	for my $left (glob '/dev/shm/*faketime_s[eh]m_*')
	{
		my ($pid) = $left =~ /_(\d+)$/;

		unlink $left if defined $pid && !kill 0, $pid;
	}
}

1;
