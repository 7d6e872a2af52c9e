# A process that accepts connections, and one for each of them.
package Listener;

use strict;
use warnings FATAL => 'all';

use IO::Select;
use IO::Socket::INET;
use POSIX ();

use Exporter 'import';
our @EXPORT_OK = qw(start_listener);

my @listeners;

# Listens on a port of its own; returns the port and the process that accepts.
# When a connection comes, that one calls "accepted", if there is one; then
# "converse" is called, in a process of the connection, with the client and what
# "accepted" has returned.
sub start_listener
{
	my (%options) = @_;
	my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => $options{backlog} // 500)
	  or die "could not listen: $@";
	my $pid = fork() // die "could not fork: $!";

	if ($pid == 0)
	{
		# a group of its own, with which those of the connections end
		POSIX::setpgid(0, 0);
		serve($listener, %options);
		POSIX::_exit(0);
	}
	push @listeners, $pid;
	return ($listener->sockport, $pid);
}

# Stopped processes are woken by SIGKILL, too.
END
{
	my $status = $?;
	kill 'KILL', -$_, $_ for @listeners;
	waitpid $_, 0 for @listeners;
	$? = $status;
}

sub serve
{
	my ($listener, %options) = @_;
	my $parent = getppid;
	my $select = IO::Select->new($listener);

	$SIG{CHLD} = 'IGNORE';
	$SIG{PIPE} = 'IGNORE';
	while (getppid == $parent)
	{
		next unless $select->can_read(1);
		my $client = $listener->accept or next;
		my $accepted = $options{accepted} ? $options{accepted}->() : undef;
		my $pid = fork() // die "could not fork: $!";
		next if $pid;
		$listener->close;
		eval { $options{converse}->($client, $accepted); 1 } or warn $@;
		POSIX::_exit(0);
	}
	return;
}

1;
