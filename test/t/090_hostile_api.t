# An API that answers in ways that no HTTP library would, that answers what
# nobody asked, or that falls silent: every nudge ends, no POST is sent twice,
# nobody is taken for somebody else, and nothing grows or dies.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node set_credentials create_extension nudge wait_until_ended
  wait_for lineage outcome due_row health worker_pid courier_pid ledger_matches_lineage);
use Middlebox qw(start_middlebox answer);
use IO::Select;
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use Socket qw(IPPROTO_TCP MSG_PEEK);
use Test::More;

plan skip_all => 'much of this is done as only Linux can' if $^O ne 'linux';

my $simulator = start_simulator();
my %plays;

# What a request meets is in the name of its conversation, for one of the calls.
sub play
{
	my ($client, $request, $forward) = @_;
	my ($verb, $name) = $request->{id} =~ /^\w+-(check|notify|create)-(\w+)/;

	# a login server has a name of its own
	($verb, $name) = ('token', $1) if $request->{head} =~ m{^POST /(\w+)/oauth/token };
	my $play = $name && $verb eq $request->{verb} && $plays{$name};

	return $play->($client, $request, $forward) if $play;
	print $client $forward->();
	return 1;
}

sub id_of { my ($verb, $name) = @_; return ($verb eq 'create' ? 'closed' : 'live') . "-$verb-$name"; }

# --- replies that are not HTTP, or too much of it -----------------------------------------

my $ok = "HTTP/1.1 200 OK\r\n";
my $closing = "Connection: close\r\n";
my $endless = 9e18;

# So many bytes of these pieces, or until the client has enough.
sub flood
{
	my ($bytes, $piece) = @_;
	my $block = $piece x (1 + 65536 / length $piece);

	return sub {
		my ($client) = @_;
		for (my $sent = 0; $sent < $bytes; $sent += length $block)
		{
			print $client $block and $client->flush or return;
		}
	};
}

# Its name, the reply, why a look at it fails, and what becomes of a notification.
# Of a creation there is no id to read, so it is in doubt.
my $lost = '(unreadable|connection_lost)';
my $doubt = "in_doubt $lost";
my @replies = (
	[ 'not_http', ["SSH-2.0-OpenSSH_9.2\r\n"], 'unreadable', $doubt ],
	[ 'status_of_letters', ["HTTP/1.1 abc OK\r\n\r\n"], 'unreadable', $doubt ],
	[ 'status_000', ["HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n"], 'unreadable', $doubt ],
	# whose first three digits are what libcurl 8 reads
	[ 'status_99999', ["HTTP/1.1 99999 OK\r\n${closing}Content-Length: 0\r\n\r\n"], '(unreadable|http_999)', ("in_doubt (http_999|$lost)") x 2 ],
	[ 'switching', ["HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"], $lost, $doubt ],
	[ 'status_line_only', [$ok], $lost, "(notified -|$doubt)" ],
	[ 'headers_cut', ["${ok}Content-Type: application/json\r\n"], $lost, "(notified -|$doubt)" ],
	[ 'nul_in_header', ["${ok}X: a\0b\r\nContent-Length: 2\r\n\r\n{}"], $lost, "(notified -|$doubt)" ],
	[ 'no_content', ["HTTP/1.1 204 No Content\r\n$closing\r\n"], 'unreadable', 'notified -' ],
	[ 'negative_length', ["${ok}Content-Length: -5\r\n\r\n{}"], $lost, 'notified -' ],
	[ 'immense_length', [ "${ok}Content-Length: " . '9' x 30 . "\r\n\r\n{}" ], $lost, 'notified -' ],
	[ 'two_lengths', ["${ok}Content-Length: 2\r\nContent-Length: 5\r\n\r\n{}"], $lost, 'notified -' ],
	[ 'bad_chunk', ["${ok}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}"], $lost, 'notified -' ],
	[ 'immense_chunk', [ "${ok}Transfer-Encoding: chunked\r\n\r\n" . 'f' x 20 . "\r\n{}" ], $lost, 'notified -' ],
	[ 'deep', [ answer(200, $closing, '{"x":' . '[' x 100_000 . ']' x 100_000 . ',"id":"x","status":"active"}') ],
		'unreadable', 'notified -' ],
	[ 'long_header', [ "${ok}X: " . 'x' x 10_000_000 . "\r\n\r\n" ], '(oversized|connection_lost)', 'notified -' ],
	[ 'headers_10mb', [ $ok, flood(10_000_000, 'X: ' . 'y' x 100 . "\r\n"), "\r\n" ], 'oversized', 'notified -' ],
	[ 'headers_endless', [ $ok, flood($endless, "X: y\r\n") ], 'oversized', 'notified -' ],
	[ 'interim_endless', [ flood($endless, "HTTP/1.1 100 Continue\r\n\r\n") ], 'oversized', 'in_doubt oversized',
		'in_doubt oversized' ],
	[ 'trailers_endless', [ "${ok}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", flood($endless, "X: y\r\n") ],
		'oversized', 'notified -' ],
	[ 'body_300mb', [ "${ok}Content-Length: 300000000\r\n\r\n", flood(300_000_000, 'x') ], 'oversized', 'notified -' ],
	[ 'body_endless', [ "$ok\r\n", flood($endless, '{"a":') ], 'oversized', 'notified -' ],
);
for (@replies)
{
	my ($name, $pieces) = @$_;

	$plays{$name} = sub {
		my ($client, $request, $forward) = @_;

		$forward->();
		ref $_ ? $_->($client) : print $client $_ for @$pieces;
		return 0;
	};
}

# a refusal that ends in its headers may be one that leads elsewhere
$plays{refusal_cut} = sub {
	my ($client) = @_;

	print $client "HTTP/1.1 400 Bad Request\r\nContent-Type: appl";
	return 0;
};

$plays{refusal_open} = sub {
	my ($client) = @_;

	print $client "HTTP/1.0 400 Bad Request\r\nContent-Type: application/json\r\n\r\n{\"message\": \"Cannot send notification to clo";
	return 0;
};

# --- an answer that nobody asked for, once the test says so -----------------------------------

pipe my $read_told, my $write_told or die "pipe: $!";
pipe my $read_done, my $write_done or die "pipe: $!";
$plays{echo} = sub {
	my ($client, $request, $forward) = @_;

	print $client $forward->();
	$client->flush;
	sysread $read_told, my $byte, 1;
	print $client answer(200, '', '{"id":"x","status":"closed","channel":"sms","from":{"address":"+13170000000"}}');
	$client->flush;
	syswrite $write_done, 'x';
	return 1;
};

# The bytes that the peer has received and not read.
sub unread_by_peer
{
	my ($client) = @_;
	my $port = sprintf '%04X', $client->peerport;
	my ($count) = slurp_file('/proc/net/tcp') =~ /^ *\d+: \w+:$port \w+:\w+ \w+ \w+:(\w+) /m;

	return hex $count;
}

# the same between a look and a creation; the worker is held, so that there is a between
my $worker_file = PostgreSQL::Test::Utils::tempdir() . '/worker';
$plays{echo_before_the_post} = sub {
	my ($client, $request, $forward) = @_;
	my $worker = slurp_file($worker_file);

	kill 'STOP', $worker;
	print $client $forward->();
	$client->flush;
	wait_for(sub { unread_by_peer($client) == 0 }, 'the answer is read');
	print $client answer(201, '', '{"id":"nobody-asked"}');
	$client->flush;
	wait_for(sub { unread_by_peer($client) > 0 }, 'the other answer is there');
	kill 'CONT', $worker;
	return 1;
};

$plays{mixed_up} = sub {
	my ($client, $request, $forward) = @_;

	print $client $forward->() =~ s/"id":"live-/"id":"life-/r;
	return 1;
};

# --- the end of a connection ---------------------------------------------------------------------

# the look's answer and the end in one packet, so that the POST must find it
use constant TCP_CORK => 3;
$plays{end_with_the_look} = sub {
	my ($client, $request, $forward) = @_;

	setsockopt $client, IPPROTO_TCP, TCP_CORK, 1 or die "TCP_CORK: $!";
	print $client $forward->();
	$client->flush;
	shutdown $client, 1;
	return 0;
};

# the process dies when the POST is there and not read; or it goes another way,
# as it does when the connection has been idle for too long
$plays{dead_before_reading} = sub {
	my ($client, $request, $forward) = @_;

	print $client $forward->();
	$client->flush;
	IO::Select->new($client)->can_read;
	recv $client, my $byte, 1, MSG_PEEK;
	kill 'KILL', $$ if length $byte;
	return 0;
};
$plays{dead_before_acting} = sub { kill 'KILL', $$; };
$plays{dead_before_answering} = sub { $_[2]->(); kill 'KILL', $$; };

# --- silence ------------------------------------------------------------------------------------------

# the simulator falls silent between the look and the POST
$plays{silent_after_the_look} = sub {
	my ($client, $request, $forward) = @_;
	my $reply = $forward->();

	kill 'STOP', $simulator->{pid};
	print $client $reply;
	return 1;
};

# nobody accepts connections any more, and there is no room to wait, once
my $once = PostgreSQL::Test::Utils::tempdir() . '/once';
append_to_file($once, '');
$plays{crowded} = sub {
	my ($client, $request, $forward) = @_;
	my $reply = $forward->();
	my @crowd;

	if (unlink $once)
	{
		kill 'STOP', getppid;
		while (my $one = IO::Socket::INET->new(PeerAddr => $client->sockhost, PeerPort => $client->sockport, Timeout => 0.2))
		{
			push @crowd, $one;
		}
		$reply =~ s/\r\n/\r\n$closing/;
	}
	print $client $reply;
	$client->flush;
	# they stay until the client has left
	IO::Select->new($client)->can_read if @crowd;
	return !@crowd;
};

# --- all of that is known to the middlebox: start ---------------------------------------------------------

my $box = start_middlebox($simulator, \&play);
my $small_box = start_middlebox($simulator, \&play, backlog => 1);
my @logins = qw(not_http headers_10mb interim_endless body_300mb);
my $node = new_node('main', preload => 1, servers => [ 'genesys', 'impatient', 'small', 'direct', @logins ]);
create_extension($node, { url => $box->{url} }, server_options => "timeout '30s', max_attempts '2'");
$node->safe_psql('postgres', qq{
	CREATE SERVER impatient FOREIGN DATA WRAPPER reengage OPTIONS (max_requests_per_minute '0', max_failures '0', api_url '$box->{url}', timeout '4s');
	CREATE SERVER small FOREIGN DATA WRAPPER reengage OPTIONS (max_requests_per_minute '0', max_failures '0', api_url '$small_box->{url}', connect_timeout '1s');
	CREATE SERVER direct FOREIGN DATA WRAPPER reengage OPTIONS (max_requests_per_minute '0', max_failures '0', api_url '$simulator->{url}', timeout '4s');
} . join '', map { qq{
	CREATE SERVER $_ FOREIGN DATA WRAPPER reengage OPTIONS (max_requests_per_minute '0', max_failures '0', api_url '$box->{url}', login_url '$box->{url}/$_', max_attempts '2');
} } @logins);

sub nudge_and_wait
{
	my ($id, %columns) = @_;

	nudge($node, $id, %columns);
	wait_until_ended($node);
	return;
}

# Whether the POST of a nudge took another connection than its look.
sub went_another_way
{
	my ($id) = @_;
	my ($look, $post) = $simulator->requests("id=$id");

	return $post && $post->{connection} ne $look->{connection};
}

# The most memory that a process ever had, in MB; undef where nobody says.
sub peak_memory
{
	my ($pid) = @_;
	my ($kb) = -e "/proc/$pid/status" ? slurp_file("/proc/$pid/status") =~ /^VmHWM:\s+(\d+)/m : ();

	return defined $kb ? $kb / 1024 : undef;
}

nudge_and_wait('live-first');
my $worker = worker_pid($node);
my $courier = courier_pid($worker);
append_to_file($worker_file, $worker);
my %memory_of = map { $_ => peak_memory($_) } $worker, $courier;

# the connection is idle, and the only one
nudge_and_wait('live-notify-echo');
syswrite $write_told, 'x';
sysread $read_done, my $byte, 1;
nudge_and_wait('live-next');
is(outcome($node, 'live-next'), 'notified - notify', 'an answer that nobody asked for is not taken for the next one');
is($simulator->verbs('id=live-next'), 'check notify', 'both calls of which were made');

nudge_and_wait('closed-check-echo_before_the_post');
my ($row) = lineage($node, q(l.requested_conversation_id = 'closed-check-echo_before_the_post'));
is("$row->{outcome} $row->{attempts}", 'session_created 1', 'nor by a POST, which is made on another connection');
isnt($row->{conversation_id}, 'nobody-asked', 'and creates what it creates');
nudge_and_wait('live-check-mixed_up');
is(outcome($node, 'live-check-mixed_up'), 'exhausted other_conversation -', 'nor is one about another conversation');
is($simulator->verbs('id=live-check-mixed_up'), 'check check', 'which was looked for again');

for my $verb ('notify', 'create')
{
	my $id = id_of('check', "end_with_the_look-$verb");
	$id =~ s/^live/closed/ if $verb eq 'create';

	nudge_and_wait($id);
	is(outcome($node, $id), $verb eq 'notify' ? 'notified - notify' : 'session_created - create',
		"a connection that ended with the look: the $verb takes another one");
	is($simulator->verbs("id=$id"), "check $verb", 'once');
}
for my $case ([ 'check', 'dead_before_reading', 'check' ], [ 'notify', 'dead_before_acting', 'check' ],
	[ 'notify', 'dead_before_answering', 'check notify' ], [ 'create', 'dead_before_answering', 'check create' ])
{
	my ($verb, $name, $verbs) = @$case;
	my $id = id_of($verb, $name);

	nudge_and_wait($id);
	# on a busy machine the POST may come too late for that connection
	for (my $try = 2; $name eq 'dead_before_reading' && went_another_way($id); $try++)
	{
		$id = id_of($verb, $name) . "-$try";
		nudge_and_wait($id);
	}
	like(outcome($node, $id), qr/^in_doubt connection_lost /, "$name: in doubt");
	is($simulator->verbs("id=$id"), $verbs, 'and not sent again');
}

for my $play ('refusal_cut', 'refusal_open')
{
	for my $verb ('notify', 'create')
	{
		my $id = id_of($verb, $play);

		nudge_and_wait($id);
		is(outcome($node, $id), "exhausted reply_cut $verb", "$play: a $verb refused in words that were cut: refused by nobody yet");
	}
}

# --- silence: what is asked, what is told ------------------------------------------------------------------

nudge_and_wait('live-before', server => "'direct'");
kill 'STOP', $simulator->{pid};
nudge($node, 'live-deaf', server => "'direct'");
wait_for(sub { (due_row($node, 'live-deaf')->{hold_reason} // '') eq 'retry after timeout' }, 'a look gives up');
kill 'CONT', $simulator->{pid};
wait_until_ended($node);
is(outcome($node, 'live-deaf'), 'notified - notify', 'silence meets a look: it is made again');
for my $verb ('notify', 'create')
{
	my $id = ($verb eq 'create' ? 'closed' : 'live') . '-check-silent_after_the_look';

	nudge_and_wait($id, server => "'impatient'");
	is(outcome($node, $id), "in_doubt timeout $verb", "silence meets a $verb: it is in doubt");
	kill 'CONT', $simulator->{pid};
	wait_for(sub { $simulator->effects("id=$id") }, 'the simulator wakes up');
	is($simulator->verbs("id=$id"), "check $verb", 'and takes effect once, later');
}
nudge($node, 'live-check-crowded', server => "'small'");
wait_for(sub { (due_row($node, 'live-check-crowded')->{hold_reason} // '') eq 'retry after connect_timeout' },
	'a POST gives up to connect');
is($simulator->verbs('id=live-check-crowded'), 'check', 'nobody accepts connections: the POST was not sent');
kill 'CONT', $small_box->{pid};
wait_until_ended($node);
is(outcome($node, 'live-check-crowded'), 'notified - notify', 'so it is made later');
like($simulator->verbs('id=live-check-crowded'), qr/^check( check)+ notify$/, 'after another look, once');

# --- what is no HTTP, and floods, all at once ------------------------------------------------------------------

$node->safe_psql('postgres', 'INSERT INTO reengage.nudges (server, conversation_id, message) VALUES '
	  . join ', ', (map { "('$_', 'live-login-$_', 'x')" } @logins),
	map { my $name = $_->[0]; map { "('genesys', '" . id_of($_, $name) . "', 'x')" } 'check', 'notify', 'create' } @replies);
wait_until_ended($node, where => q(n.conversation_id NOT LIKE 'live-login-%'));
for (@replies)
{
	my ($name, $pieces, $look, $notified, $created) = @$_;

	$created //= $doubt;
	for ([ 'check', "exhausted $look -", 'check check' ], [ 'notify', "$notified notify", 'check notify' ],
		[ 'create', "$created create", 'check create' ])
	{
		my ($verb, $outcome, $verbs) = @$_;
		my $id = id_of($verb, $name);

		like(outcome($node, $id) . ': ' . $simulator->verbs("id=$id"), qr/^$outcome: $verbs$/, "$name answers a $verb");
	}
}

for (@logins)
{
	my $login = $_;

	wait_for(sub { health($node, "server $login") =~ /^blocked: .*(token_unavailable|connection_lost)/ }, "$login answers a login: blocked");
	is(due_row($node, "live-login-$login")->{attempt}, 0, "$login answers a login: no attempt is used up");
	is($simulator->verbs("id=live-login-$_"), '', 'and nothing is asked without a token');
}

ledger_matches_lineage($node, $simulator, 'P4, P5: no POST that may have had an effect was repeated');
is(worker_pid($node), $worker, 'P9: the worker is the same as at the beginning');
is(courier_pid($worker), $courier, 'and so is the courier');
for ([ 'worker', $worker ], [ 'courier', $courier ])
{
	my ($who, $pid) = @$_;

	SKIP:
	{
		skip 'nobody says here how much memory a process has', 1 unless $memory_of{$pid};
		cmp_ok(peak_memory($pid), '<', $memory_of{$pid} + 64, "P9: the memory of the $who is bounded, in MB");
	}
}
$node->stop;
done_testing();
