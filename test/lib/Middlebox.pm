# A middlebox on the way to a simulator: it answers with bytes that no HTTP
# library would send, and dies or falls silent at a chosen moment.
#
# What it forwards reaches the simulator unharmed, so the simulator's ledger
# remains the truth about effects.
package Middlebox;

use strict;
use warnings FATAL => 'all';

use IO::Socket::INET;
use JSON::PP ();
use Listener qw(start_listener);
use Socket qw(IPPROTO_TCP TCP_NODELAY);

use Exporter 'import';
our @EXPORT_OK = qw(start_middlebox answer);

# A middlebox: ->{url}, ->{pid} of the process that accepts connections.
#
# For each request, $play->($client, $request, $forward) is called in a process
# of the connection.  It prints to $client what it likes; unless it returns a
# true value, the connection ends with it.  $request has verb, id (as in the
# simulator's faults) and bytes; $forward->() asks the simulator and returns the
# bytes of its answer.
sub start_middlebox
{
	my ($simulator, $play, %options) = @_;
	my ($port, $pid) = start_listener(backlog => $options{backlog},
		converse => sub { my ($client) = @_; return converse($client, $simulator, $play); });

	return { url => "http://127.0.0.1:$port", pid => $pid };
}

# "HTTP/1.1 200 OK" with these headers and this body.
sub answer
{
	my ($status, $headers, $body) = @_;
	return "HTTP/1.1 $status -\r\nContent-Length: " . length($body) . "\r\n$headers\r\n$body";
}

sub converse
{
	my ($client, $simulator, $play) = @_;
	my $upstream;
	my $request;
	my $forward = sub {
		$upstream //= IO::Socket::INET->new(PeerAddr => "127.0.0.1:$simulator->{port}") or die "could not connect: $@";
		print $upstream $request->{bytes};
		$upstream->flush;
		return (read_message($upstream) // {})->{bytes} // '';
	};

	setsockopt($client, IPPROTO_TCP, TCP_NODELAY, 1);
	while ($request = read_request($client))
	{
		my $goes_on = $play->($client, $request, $forward);
		$client->flush;
		last unless $goes_on;
	}
	return;
}

# One message with a Content-Length or without a body; undef at the end.
sub read_message
{
	my ($socket) = @_;
	my $bytes = '';

	while (1)
	{
		my ($head, $body) = $bytes =~ /\A(.*?)\r\n\r\n(.*)\z/s;
		my ($length) = defined $head && $head =~ /^Content-Length: *(\d+)/mi;

		return { head => $head, body => $body, bytes => $bytes }
		  if defined $head && length $body >= ($length // 0);
		sysread($socket, $bytes, 65536, length $bytes) or return undef;
	}
}

sub read_request
{
	my ($client) = @_;
	my $request = read_message($client) or return undef;
	my ($method, $id, $rest) =
	  $request->{head} =~ m{^(\S+) /api/v2/conversations/messaging(?:/([^/ ]+))?(\S*) } or
	  return { %$request, verb => 'token', id => '' };

	return { %$request, verb => $method eq 'GET' ? 'check' : 'notify', id => $id } if defined $id;
	return { %$request, verb => 'create',
		id => JSON::PP::decode_json($request->{body})->{metadata}{previousConversationId} };
}

1;
