# The simulator as a Perl test uses it: start and stop, control, and a client
# that shows every byte of an answer and every close.

package Simulator;

use strict;
use warnings;

use Exporter qw(import);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use HTTP::Tiny;
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use MIME::Base64 qw(encode_base64);
use POSIX qw(:sys_wait_h);
use Time::HiRes qw(time);

use constant PATIENCE => 10;    # seconds; only a failing test waits that long
use constant API => '/api/v2/conversations/messaging';

our ($program, $directory, $port, $token, $ledger_file, $stdout_file, $stderr_file);
our @EXPORT = qw(API $program $directory $port $token $ledger_file $stdout_file $stderr_file
	wait_for slurp start stop sim control_status last_request effects with_fault
	dial send_request read_reply ask api login check notify session_after create);

$program = dirname(__FILE__) . '/../reengage-simulator';
$directory = tempdir(CLEANUP => 1);

my $json = JSON::PP->new->canonical;
my $control = HTTP::Tiny->new(timeout => PATIENCE);
my $started = 0;
my $pid;

sub wait_for
{
	my ($condition, $what) = @_;
	my $end = time + PATIENCE;

	until ($condition->())
	{
		die "gave up waiting for $what" if time > $end;
		select(undef, undef, undef, 0.005);
	}
}

# The content of a file, or nothing.
sub slurp
{
	my ($file) = @_;
	open(my $handle, '<', $file) or return '';
	local $/;
	return <$handle> // '';
}

# Starts the program and waits until it listens. $port is 0 if it ended instead.
sub start
{
	my @options = @_;
	my $port_file = "$directory/port." . ++$started;

	($ledger_file, $stdout_file, $stderr_file) =
		map { "$directory/$_.$started" } qw(ledger stdout stderr);
	$pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		open(STDOUT, '>', $stdout_file);
		open(STDERR, '>', $stderr_file);
		exec($program, '--port-file', $port_file, '--ledger', $ledger_file,
			'--die-with-parent', @options) or die "$program: $!";
	}
	wait_for(sub { -e $port_file || waitpid($pid, WNOHANG) == $pid }, 'the port file');
	undef $pid unless -e $port_file;
	$port = slurp($port_file) || 0;
	chomp $port;
	undef $token;
}

# Stops the program; returns its exit status.
sub stop
{
	return unless $pid;
	kill TERM => $pid;
	waitpid($pid, 0);
	undef $pid;
	return $? >> 8;
}

END { my $status = $?; stop(); $? = $status }

# Asks the control interface, which must agree.
sub sim
{
	my ($method, $name, $content) = @_;
	my $reply = $control->request($method, "http://127.0.0.1:$port/_sim/$name",
		defined $content ? { content => $json->encode($content) } : {});

	die "$method $name: $reply->{status} $reply->{content}" unless $reply->{success};
	return $reply->{content} =~ /^[\[{]/ ? $json->decode($reply->{content}) : $reply->{content};
}

# The status of a control request that may be refused.
sub control_status
{
	my ($name, $body) = @_;
	return $control->post("http://127.0.0.1:$port/_sim/$name", { content => $body })->{status};
}

sub last_request { return sim(GET => 'requests')->[-1] }
sub effects { return scalar @{ sim(GET => 'effects') } }

# Runs the code with this one rule, and returns how often it struck.
sub with_fault
{
	my ($rule, $code) = @_;

	sim(DELETE => 'faults');
	sim(POST => 'faults', $rule);
	$code->();
	my $hits = sim(GET => 'faults')->[0]{hits};
	sim(DELETE => 'faults');
	return $hits;
}

# A client that shows every byte and hides no close.

sub dial
{
	return IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") // die "connect: $@";
}

sub send_request
{
	my ($socket, $method, $path, $body, %headers) = @_;

	$body = $json->encode($body) if ref $body;
	$headers{'Content-Type'} //= 'application/json' if defined $body;
	$headers{'Content-Length'} //= length $body if defined $body;
	$headers{Authorization} //= "Bearer $token" if defined $token;
	local $SIG{PIPE} = 'IGNORE';
	print $socket "$method $path HTTP/1.1\r\nHost: simulator\r\n",
		(map { "$_: $headers{$_}\r\n" } sort keys %headers), "\r\n", $body // '';
	$socket->flush;
}

sub body_is_complete
{
	my ($reply) = @_;

	return $reply->{bytes} =~ /\r\n0\r\n\r\n\z/
		if ($reply->{headers}{'transfer-encoding'} // '') eq 'chunked';
	return length $reply->{body} >= $reply->{headers}{'content-length'};
}

# Reads one answer: until it is complete, or the connection closes.
sub read_reply
{
	my ($socket) = @_;
	my $reply = { bytes => '', closed => 0, started => time };
	my $select = IO::Select->new($socket);

	while ($select->can_read(PATIENCE))
	{
		my $count = sysread($socket, $reply->{bytes}, 65536, length $reply->{bytes});

		if (!$count)
		{
			$reply->{closed} = 1;
			last;
		}
		my ($head, $body) = $reply->{bytes} =~ /\A(.*?)\r\n\r\n(.*)\z/s or next;
		($reply->{status}) = $head =~ /\AHTTP\/1\.1 (\d+)/;
		$reply->{headers} =
			{ map { /^([^:]+): (.*)$/ ? (lc $1 => $2) : () } split /\r\n/, $head };
		$reply->{body} = $body;
		$reply->{complete} = body_is_complete($reply);
		last if $reply->{complete};
	}
	$reply->{seconds} = time - $reply->{started};
	$reply->{json} = eval { $json->decode($reply->{body}) };
	return $reply;
}

sub ask
{
	my ($socket, @request) = @_;

	send_request($socket, @request);
	return read_reply($socket);
}

sub api { return ask(dial(), @_) }

sub login
{
	my ($credentials, $form) = @_;

	undef $token;
	my $reply = api(POST => '/oauth/token', $form // 'grant_type=client_credentials',
		'Content-Type' => 'application/x-www-form-urlencoded',
		'Authorization' => 'Basic ' . encode_base64($credentials // 'demo:secret', ''));
	$token = $reply->{json}{access_token};
	return $reply;
}

sub check { return api(GET => API . "/$_[0]") }

sub notify
{
	my ($id, $body, %headers) = @_;
	return api(POST => API . "/$id/notifications", $body // { text => 'Hello?' }, %headers);
}

sub session_after
{
	my ($previous) = @_;
	return {
		to => { address => '+13175550142' }, from => { address => '+13175559999' },
		channel => 'sms', text => 'Hello?',
		metadata => { previousConversationId => $previous, nudgeId => 'nudge-1' }
	};
}

sub create
{
	my ($previous, %headers) = @_;
	return api(POST => API, session_after($previous), %headers);
}

1;
