# TCP forwarding in front of a TLS server: to one port, or as a CONNECT proxy.
package Tunnel;

use strict;
use warnings FATAL => 'all';

use IO::Select;
use IO::Socket::INET;
use Listener qw(start_listener);
use PostgreSQL::Test::Utils;

use Exporter 'import';
our @EXPORT_OK = qw(start_tunnel);

# A tunnel: ->{port}.  Without "to", it is a proxy that is told by CONNECT where to.
sub start_tunnel
{
	my (%options) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir();
	my $self = bless { log => "$folder/log", mode => "$folder/mode", %options }, 'Tunnel';

	append_to_file($self->{log}, '');
	append_to_file($self->{mode}, '');
	($self->{port}) = start_listener(accepted => sub { return take_mode($self); },
		converse => sub { my ($client, $mode) = @_; return converse($self, $client, $mode); });
	return $self;
}

# What becomes of connections from now on: "" (forwarded), "slow" (forwarded two
# seconds later), "hang", "close" or, of a proxy, the status line that it answers.  With "once", only of the next one.
sub set_mode
{
	my ($self, $mode, %options) = @_;

	open my $file, '>', "$self->{mode}.new" or die "could not write: $!";
	print $file ($options{once} ? 'once ' : 'always '), $mode;
	close $file;
	rename "$self->{mode}.new", $self->{mode} or die "could not rename: $!";
	return;
}

# One line for each connection: its mode, and what a proxy was told.
sub connections { my ($self) = @_; return split /\n/, slurp_file($self->{log}); }

sub take_mode
{
	my ($self) = @_;
	my ($times, $mode) = split / /, slurp_file($self->{mode}), 2;

	set_mode($self, '') if ($times // '') eq 'once';
	return $mode // '';
}

sub converse
{
	my ($self, $client, $mode) = @_;
	my $head = $self->{to} ? '' : read_head($client);
	my ($host, $port) = $head =~ m{^CONNECT (\S+):(\d+) HTTP/1};

	append_to_file($self->{log}, ($mode || 'forward') . ' ' . ($head =~ s/[\r\n]+/ | /gr) . "\n");
	return if $mode eq 'close';
	# until the client has left
	return read_all($client) if $mode eq 'hang';
	# the time that a proxy far away takes is what it is to play
	wait_two_seconds() if $mode eq 'slow';
	return print $client "HTTP/1.1 $mode\r\nContent-Length: 0\r\n\r\n" if $mode && $mode ne 'slow';
	my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{to} // $port) or return;
	print $client "HTTP/1.1 200 Connection established\r\n\r\n" unless $self->{to};
	return forward($client, $server);
}

sub wait_two_seconds
{
	pipe my $silent, my $writer or die "could not make a pipe: $!";
	return IO::Select->new($silent)->can_read(2);
}

# Byte by byte, so that nothing of what follows is taken.
sub read_head
{
	my ($client) = @_;
	my $head = '';

	while ($head !~ /\r\n\r\n\z/)
	{
		sysread $client, $head, 1, length $head or last;
	}
	return $head;
}

sub read_all
{
	my ($client) = @_;
	1 while sysread $client, my $bytes, 65536;
	return;
}

sub forward
{
	my ($client, $server) = @_;
	my $select = IO::Select->new($client, $server);

	$client->autoflush;
	$server->autoflush;
	while (1)
	{
		for my $from ($select->can_read)
		{
			sysread $from, my $bytes, 65536 or return;
			print { $from == $client ? $server : $client } $bytes;
		}
	}
}

1;
