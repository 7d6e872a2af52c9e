# The connections of a POST: one that is cut behind its head is not begun again
# by anybody but us (P4), and none is idle between a look and its message.  On the
# look's connection, head and body of a message arrive together.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node own_courier create_extension nudge wait_until_ended lineage outcome);
use Listener qw(start_listener);
use Socket qw(SOL_SOCKET SO_LINGER);
use PostgreSQL::Test::Utils;
use Test::More;

# --- an API whose connections are told apart -------------------------------------------------------

my $ledger = PostgreSQL::Test::Utils::tempdir() . '/ledger';

sub note_down
{
	my ($line) = @_;
	open my $handle, '>>', $ledger or die "could not write $ledger: $!";
	syswrite $handle, "$line\n";
	close $handle;
	return;
}

sub noted { my ($pattern) = @_; return -e $ledger ? grep { /$pattern/ } split /\n/, slurp_file($ledger) : (); }

# Answers everything well, but cuts the first connection on which a notification
# of a conversation "live-cut..." begins, behind its head.
my $converse = sub {
	my ($client) = @_;
	my $bytes = '';

	while (1)
	{
		until ($bytes =~ /\r\n\r\n/) { sysread $client, $bytes, 65536, length $bytes or return; }
		$bytes =~ s/\A(.*?)\r\n\r\n//s;
		my $head = $1;
		my ($method, $id) = $head =~ m{^(GET|POST) /api/v2/conversations/messaging/([^/ ]+)} or return;
		my ($length) = $head =~ /^Content-Length: (\d+)/mi;

		if ($method eq 'POST' && $id =~ /^live-cut/ && !noted("POST $id"))
		{
			note_down("$$ POST $id");
			setsockopt $client, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0) if $id =~ /reset/;
			close $client;
			return;
		}
		note_down("$$ $method $id");
		while (length $bytes < ($length // 0)) { sysread $client, $bytes, 65536, length $bytes or return; }
		note_down("$$ BODY $id") if substr $bytes, 0, $length // 0, '';
		if ($method eq 'POST' && $id =~ /^live-later/ && noted("POST $id") == 1)
		{
			print $client "HTTP/1.1 500 Internal Server Error\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n";
			$client->flush;
			next;
		}
		my $body = $method eq 'GET' ? qq({"id": "$id", "status": "active", "channel": "sms"}) : qq({"id": "message-of-$id"});
		print $client "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
		$client->flush;
	}
};
my ($port) = start_listener(converse => $converse);
my ($another) = start_listener(converse => $converse);

# --- a head, and then the end -----------------------------------------------------------------------

# Between a head and its body there are microseconds.  A library that is loaded
# into the courier waits there until the API has ended the connection.  libcurl from
# 8.7 on gives both to the network at once, which the library notes: then nobody can
# know what has left.
my $waits = PostgreSQL::Test::Utils::tempdir() . '/waits';
open my $source, '>', "$waits.c" or die "could not write $waits.c: $!";
print $source <<'END' =~ s/TOGETHER/$waits.together/r =~ s/HELD/$waits.held/r;
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

ssize_t
send(int fd, const void *data, size_t size, int flags)
{
	static ssize_t (*real) (int, const void *, size_t, int);
	struct pollfd watched = {fd, POLLIN, 0};
	ssize_t		sent;
	int			held = 0;
	socklen_t	held_size = sizeof(held);

	if (size > 5 && memcmp(data, "POST ", 5) == 0 && memmem(data, size, "/live-quick", 11) != NULL &&
		getsockopt(fd, IPPROTO_TCP, TCP_CORK, &held, &held_size) == 0 && held)
		close(open("HELD", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	if (real == NULL)
		*(void **) &real = dlsym(RTLD_NEXT, "send");
	sent = real(fd, data, size, flags);
	if (size > 5 && memcmp(data, "POST ", 5) == 0 && memmem(data, size, "/live-cut", 9) != NULL)
	{
		const char *end = memmem(data, size, "\r\n\r\n", 4);

		if (end != NULL && end + 4 < (const char *) data + size)
			close(open("TOGETHER", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
		poll(&watched, 1, 1000);
	}
	return sent;
}
END
close $source;

my $courier = own_courier();
my $loaded = defined $courier && system("cc -shared -fPIC -o $waits.so $waits.c -ldl") == 0;
if ($loaded)
{
	rename $courier, "$courier.real" or die "could not rename $courier: $!";
	open my $script, '>', $courier or die "could not write $courier: $!";
	print $script "#!/bin/sh\nLD_PRELOAD=$waits.so exec $courier.real\n";
	close $script;
	chmod 0755, $courier;
}
my $node = new_node('main', preload => 1);
create_extension($node, { url => "http://127.0.0.1:$port" }, server_options => q(auth 'none', max_attempts '3'));

SKIP:
{
	skip 'there is no compiler, or no place, for a courier that waits', 6 unless $loaded;
	nudge($node, 'live-cut-reset');
	nudge($node, 'live-cut-end');
	wait_until_ended($node);
	my ($row) = lineage($node, q(l.requested_conversation_id = 'live-cut-reset'));
	if (-e "$waits.together")
	{
		is(outcome($node, 'live-cut-reset'), 'in_doubt connection_lost notify', 'a connection that is reset behind a head and a body: in doubt');
		is($row->{attempts}, 1, 'and begun once');
		is(scalar(noted('POST live-cut-reset')), 1, 'in one head');
		is(scalar(noted('BODY live-cut-reset')), 0, 'whose body nobody read');
	}
	else
	{
		is(outcome($node, 'live-cut-reset'), 'notified - notify', 'a connection that is reset behind a head: nothing is in doubt without a body');
		is($row->{attempts}, 2, 'and the message goes out with an attempt of ours, and an intent of its own');
		is(scalar(noted('POST live-cut-reset')), 2, 'in two heads');
		is(scalar(noted('BODY live-cut-reset')), 1, 'and one body');
	}
	# the body leaves, though nobody is there any more
	is(outcome($node, 'live-cut-end'), 'in_doubt connection_lost notify', 'one that is ended takes a body: that is in doubt');
	is(scalar(noted('POST live-cut-end')), 1, 'and begun once');
}

# --- a slow pace --------------------------------------------------------------------------------------

# A message that is repeated, to an API that honours keys, is the only one that
# may be far from the call before it.
$node->safe_psql('postgres', qq{CREATE SERVER keyed FOREIGN DATA WRAPPER reengage OPTIONS (
	api_url 'http://127.0.0.1:$another', auth 'none', idempotency 'key', max_requests_per_minute '0')});
nudge($node, 'live-later', server => q('keyed'));

# a request in four seconds; the look goes when there is room for its message, too
$node->safe_psql('postgres', q{ALTER SERVER genesys OPTIONS (SET max_requests_per_minute '15')});
nudge($node, 'live-idle');
wait_until_ended($node);
is(outcome($node, 'live-idle'), 'notified - notify', 'a slow pace');
my %connection = map { reverse split / /, $_, 2 } noted('(GET|POST) live-idle');
is($connection{'POST live-idle'}, $connection{'GET live-idle'}, 'the message follows its look at once, on the same connection');
$node->safe_psql('postgres', q{ALTER SERVER genesys OPTIONS (SET max_requests_per_minute '0')});
nudge($node, 'live-quick');
wait_until_ended($node);
%connection = map { reverse split / /, $_, 2 } noted('(GET|POST) live-quick');
is($connection{'POST live-quick'}, $connection{'GET live-quick'}, 'but the one of the look, if that was just now');
SKIP:
{
	skip 'there is no compiler, or no place, for a courier that is watched', 1 unless $loaded;
	ok(-e "$waits.held", 'and its head leaves with its body, in one segment');
}

my ($first, $repeated) = map { (split / /)[0] } noted('POST live-later');
is(outcome($node, 'live-later'), 'notified - notify', 'a call is repeated');
isnt($repeated, $first, 'not on a connection that was idle for longer than an API may keep it');

$node->stop;
done_testing();
