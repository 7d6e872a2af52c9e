# TLS, proxies and names: only who has the right certificate is told anything,
# by the way that the options say and no other, and the reason is in words.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for lineage outcome
  due_row health lasts promise);
use Certificates qw(certificate_folder certificate start_tls);
use Middlebox qw(start_middlebox answer);
use Tunnel qw(start_tunnel);
use IO::Compress::Gzip ();
use PostgreSQL::Test::Utils;
use Socket qw(inet_ntoa);
use Sys::Hostname qw(hostname);
use Test::More;

# --- certificates ---------------------------------------------------------------------------

my $folder = certificate_folder();
my $right_names = 'IP:127.0.0.1,DNS:localhost,DNS:' . hostname();
my $good = certificate('good', $right_names);
my %bad = (
	wrong_host => certificate('wrong_host', 'DNS:elsewhere.example'),
	expired => certificate('expired', $right_names, expired => 1),
	self_signed => certificate('self_signed', $right_names, self_signed => 1),
);

# --- the simulator, and a server whose environment and home want to interfere -------------------

my $simulator = start_tls($good);
my %badly = map { $_ => start_tls($bad{$_}) } sort keys %bad;
my @names = qw(genesys local untrusting plain proxied stranger silent slow named middle lasting);
my $node = new_node('main', preload => 1, stopped => 1, servers => [ @names, sort keys %bad ]);
{
	my $dead = 'http://127.0.0.1:1';
	local @ENV{qw(http_proxy https_proxy HTTPS_PROXY ALL_PROXY all_proxy)} = ($dead) x 5;
	local @ENV{qw(NO_PROXY no_proxy)} = ('127.0.0.1') x 2;
	local $ENV{HOME} = $folder;
	append_to_file("$folder/.netrc", "machine 127.0.0.1 login from_netrc password from_netrc\n");
	$node->start;
}

sub create_server
{
	my ($name, $url, %options) = @_;
	my $ca = exists $options{ca} ? $options{ca} : "ca_file '$folder/ca.pem'";

	$node->safe_psql('postgres', "CREATE SERVER $name FOREIGN DATA WRAPPER reengage OPTIONS ("
		  . join(', ', "api_url '$url'", $ca || (), $options{more} || ()) . ')');
	return;
}

create_extension($node, { url => "https://127.0.0.1:$simulator->{tls_port}" },
	server_options => "ca_file '$folder/ca.pem'");

# --- a certificate of an own authority -----------------------------------------------------------------

$node->safe_psql('postgres', q{INSERT INTO reengage.nudges (conversation_id, message)
	SELECT CASE WHEN n % 2 = 0 THEN 'live-' ELSE 'closed-' END || n, 'x' FROM generate_series(1, 40) n});
wait_until_ended($node);
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT outcome, ' ') FROM reengage.lineage}),
	'notified session_created', 'ca_file: delivered over TLS');
my %connections = map { $_->{connection} => 1 } $simulator->requests;
cmp_ok(scalar keys %connections, '<', 70, 'and connections are used again');
cmp_ok(scalar(grep { $_->{reused} } $simulator->requests), '>', 0, 'which the simulator has seen');

$simulator->set(keep_alive => JSON::PP::false);
$node->safe_psql('postgres', q{INSERT INTO reengage.nudges (conversation_id, message)
	SELECT CASE WHEN n % 2 = 0 THEN 'live-' ELSE 'closed-' END || 'last-' || n, 'x' FROM generate_series(1, 40) n});
wait_until_ended($node);
is($node->safe_psql('postgres', q{SELECT count(*) FROM reengage.lineage WHERE outcome NOT IN ('notified', 'session_created')}),
	0, 'the session ends after each answer: nothing is in doubt');

create_server('local', "https://localhost:$simulator->{tls_port}");
nudge($node, 'live-localhost', server => q('local'));
wait_until_ended($node);
is(outcome($node, 'live-localhost'), 'notified - notify', 'the proxy of the environment is not asked');

# --- what preflight() says of a certificate ----------------------------------------------------

# The rows about TLS, and those that failed.
sub preflight_of
{
	my ($server) = @_;

	return $node->safe_psql('postgres', qq{SELECT concat_ws('|', check_name, state, detail, remedy)
		FROM reengage.preflight('$server', 'live-1') WHERE check_name = 'tls' OR state = 'failed'});
}

like(preflight_of('genesys'), qr/^tls\|ok\|issued by CN ?= ?ca, expires 20\S+ .*, in [12] days\|see that .* renewed/,
	'who issued the certificate, and when it expires, which is soon');
my $lasting = start_tls(certificate('lasting', $right_names, days => 15));
create_server('lasting', "https://127.0.0.1:$lasting->{tls_port}");
like(preflight_of('lasting'), qr/^tls\|ok\|issued by CN ?= ?ca, expires \S+ .*, in 1[45] days$/, 'or not so soon');

# --- certificates that are refused ----------------------------------------------------------------------------

my %words = (
	wrong_host => qr/name .*match/, expired => qr/expired/, self_signed => qr/self.signed/,
	untrusting => qr/unable to get local issuer|self.signed certificate in/,
);
$badly{untrusting} = start_tls($good);
for my $name (sort keys %badly)
{
	my $blocked = "blocked: the API cannot be called \\(certificate_refused\\): ";

	create_server($name, "https://127.0.0.1:$badly{$name}{tls_port}", $name eq 'untrusting' ? (ca => '') : ());
	nudge($node, "live-$name", server => "'$name'");
	wait_for(sub { health($node, "server $name") =~ /^blocked/ }, 'the server is blocked');
	like(health($node, "server $name"), qr/^$blocked.*$words{$name}/, "$name: the health view says what is wrong");
	like((due_row($node, "live-$name") // {})->{hold_reason} // '', qr/certificate_refused/, 'the nudge waits, and says so');
	like(preflight_of($name), qr/^tls\|failed\|certificate_refused: .*$words{$name}.*\|see that/, 'as does preflight()');
	is(scalar $badly{$name}->requests, 0, 'P13: the server was not told anything, least of all the credentials');
}

# the certificate is replaced
my $expired = delete $badly{expired};
kill 'TERM', $expired->{pid};
waitpid $expired->{pid}, 0;
my $renewed = start_tls($good, '--tls-port', $expired->{tls_port});
$node->safe_psql('postgres', "ALTER SERVER untrusting OPTIONS (ADD ca_file '$folder/ca.pem')");
wait_until_ended($node, where => q(n.server IN ('expired', 'untrusting')));
is(outcome($node, 'live-expired'), 'notified - notify', 'a new certificate: delivered');
is($renewed->verbs, 'check notify', 'once');
is(outcome($node, 'live-untrusting'), 'notified - notify', 'the right ca_file: delivered');

# --- no TLS, and old TLS ------------------------------------------------------------------------------------------

sub wait_for_reason
{
	my ($id, $reason, $name) = @_;
	my $said = '';
	my $waits = sub { ($said = (due_row($node, $id) // {})->{hold_reason} // '') =~ /$reason/ };

	return ok(wait_for($waits, "$id waits because of $reason"), $name) || diag("it says: $said");
}

my $plain = start_simulator();
create_server('plain', "https://127.0.0.1:$plain->{port}");
nudge($node, 'live-plain', server => q('plain'));
wait_for_reason('live-plain', 'tls_failed', 'a server without TLS: the nudge waits');
is(scalar $plain->requests, 0, 'and nothing was sent in plain text');

# --- a proxy ---------------------------------------------------------------------------------------------------------

my $proxy = start_tunnel();
create_server('proxied', "https://127.0.0.1:$simulator->{tls_port}", more => "proxy 'http://127.0.0.1:$proxy->{port}'");
nudge($node, 'closed-proxied', server => q('proxied'));
wait_until_ended($node, where => q(n.server = 'proxied'));
is(outcome($node, 'closed-proxied'), 'session_created - create', 'proxy: delivered, whatever NO_PROXY says');
my @told = $proxy->connections;
cmp_ok(scalar @told, '>=', 3, 'through the proxy');
is(scalar(grep { !/^forward CONNECT 127\.0\.0\.1:$simulator->{tls_port} / || /authorization|secret/i } @told), 0,
	'P13: it was told where to, and nothing else');

# the connection is gone after the look, so the POST needs a tunnel of its own
$simulator->fault(verb => 'check', id => 'live-proxied-post', action => 'delay', ms => 2000, times => 1);
nudge($node, 'live-proxied-post', server => q('proxied'));
wait_for(sub { $simulator->requests('id=live-proxied-post') }, 'the look has arrived');
$proxy->set_mode('407 Proxy Authentication Required');
wait_for_reason('live-proxied-post', 'proxy_failed', 'a POST that gets no tunnel is not in doubt');
is($simulator->verbs('id=live-proxied-post'), 'check', 'nor made');
$proxy->set_mode('');
create_server('stranger', "https://127.0.0.1:$badly{wrong_host}{tls_port}", more => "proxy 'http://127.0.0.1:$proxy->{port}'");
nudge($node, 'live-stranger', server => q('stranger'));
wait_for(sub { health($node, 'server stranger') =~ /certificate_refused.*match/ }, 'the stranger is found out');
is(scalar $badly{wrong_host}->requests, 0, 'a wrong certificate behind the proxy: nothing is sent');
for ([ '407 Proxy Authentication Required', 'proxy_failed' ], [ 'close', '(proxy_failed|connection_lost|connect_failed)' ])
{
	my ($mode, $reason) = @$_;
	my ($word) = $mode =~ /^(\w+)/;

	$proxy->set_mode($mode);
	nudge($node, "live-proxied-$word", server => q('proxied'));
	wait_for_reason("live-proxied-$word", $reason, "a proxy that answers '$mode': the nudge waits");
	is($simulator->verbs("id=live-proxied-$word"), '', 'and nothing has arrived');
}
$proxy->set_mode('');
wait_until_ended($node, where => q(n.server = 'proxied'));
is(outcome($node, 'live-proxied-407') . ', ' . outcome($node, 'live-proxied-close'),
	'notified - notify, notified - notify', 'the proxy is back: delivered');

# --- a handshake that never ends ----------------------------------------------------------------------------------

my $tunnel = start_tunnel(to => $simulator->{tls_port});
create_server('silent', "https://127.0.0.1:$tunnel->{port}", more => q(connect_timeout '2s', timeout '10min'));
nudge($node, 'live-silent-first', server => q('silent'));
wait_until_ended($node, where => q(n.server = 'silent'));
$tunnel->set_mode('hang', once => 1);
my $lasted = lasts(sub {
	$node->safe_psql('postgres', q{INSERT INTO reengage.nudges (server, conversation_id, message)
		SELECT 'silent', 'live-silent-' || n, 'x' FROM generate_series(1, 5) n});
	wait_until_ended($node, where => q(n.server = 'silent'));
});
is(scalar(grep { /^hang/ } $tunnel->connections), 1, 'one handshake hangs');
promise($lasted, 10, 'and holds up the others for connect_timeout, not for timeout');

# --- slow answers ------------------------------------------------------------------------------------------------------

create_server('slow', "https://127.0.0.1:$simulator->{tls_port}", more => q(timeout '5s'));
$simulator->fault(verb => 'check', id => 'live-slow', action => 'drip', bytes_per_second => 2);
nudge($node, 'live-slow', server => q('slow'));
wait_for_reason('live-slow', 'timeout', 'an answer that drips is given up after the timeout');
$simulator->clear_faults;
wait_until_ended($node, where => q(n.server = 'slow'));
like($simulator->verbs('id=live-slow'), qr/^check( check)+ notify$/, 'and asked for again');

# --- a name that leads into our own network ---------------------------------------------------------------------------------

SKIP:
{
	my @addresses = (gethostbyname hostname())[4 .. 10];

	skip 'the name of this machine is not one of 127.0.0.1', 2
	  unless hostname() ne 'localhost' && defined $addresses[0] && inet_ntoa($addresses[0]) eq '127.0.0.1';
	create_server('named', 'https://' . hostname() . ":$simulator->{tls_port}", more => q(auth 'none'));
	nudge($node, 'live-named', server => q('named'));
	wait_for_reason('live-named', 'address_refused', 'a name that resolves to 127.0.0.1 is refused');
	is($simulator->verbs('id=live-named'), '', 'and nothing is sent there');
}

# --- a bomb, cookies, and the home's netrc --------------------------------------------------------------------------------------

my $heads = "$folder/heads";
append_to_file($heads, '');
IO::Compress::Gzip::gzip(\('{"id":"live-bomb","status":"active","x":"' . '0' x 100_000_000 . '"}'), \my $bomb);
my $box = start_middlebox($simulator, sub {
	my ($client, $request, $forward) = @_;
	my $reply = $request->{id} eq 'live-bomb' && $request->{verb} eq 'check' ?
	  answer(200, "Content-Encoding: gzip\r\nContent-Type: application/json\r\n", $bomb) : $forward->();

	append_to_file($heads, "$request->{head}\n");
	print $client $reply =~ s/\r\n/\r\nSet-Cookie: taken=yes; Path=\/\r\n/r;
	return 1;
});
create_server('middle', $box->{url}, more => q(max_attempts '2'));
nudge($node, 'live-before', server => q('middle'));
nudge($node, 'live-bomb', server => q('middle'));
wait_until_ended($node, where => q(n.server = 'middle'));
is(outcome($node, 'live-bomb'), 'exhausted unreadable -', 'P9: a compressed answer, 100 MB unpacked, is not unpacked');
my $seen = slurp_file($heads);
unlike($seen, qr/^(Cookie|Accept-Encoding):/mi, 'no compression is asked for, no cookie is kept');
unlike($seen, qr/^Authorization: (?!Bearer |Basic ZGVtbzpzZWNyZXQ=)/mi, 'and no login is taken from the home folder');
ok($seen =~ /^Authorization: Bearer /m, 'but the one of the credentials file');

$node->stop;
done_testing();
