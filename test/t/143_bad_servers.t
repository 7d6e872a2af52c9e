# Servers that cannot be called, of both dialects: preflight() and the health
# view name what is wrong, no nudge is lost, and the cure is enough.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node sections set_credentials create_extension nudge wait_until_ended
  wait_for outcome due_row health psql_stderr ledger_matches_lineage);
use Certificates qw(certificate_folder certificate start_tls);
use Middlebox qw(start_middlebox answer);
use Tunnel qw(start_tunnel);
use POSIX ();
use PostgreSQL::Test::Utils;
use Socket qw(inet_ntoa);
use Sys::Hostname qw(hostname);
use Test::More;

my $right_names = 'IP:127.0.0.1,DNS:localhost';
my $simulator = start_tls(certificate('good', $right_names));
my %badly = (
	wrong_host => start_tls(certificate('wrong_host', 'DNS:elsewhere.example')),
	expired => start_tls(certificate('expired', $right_names, expired => 1)),
	self_signed => start_tls(certificate('self_signed', $right_names, self_signed => 1)),
);
my $ca = certificate_folder() . '/ca.pem';
my $plain = "api_url '$simulator->{url}'";
my $tls = "api_url 'https://127.0.0.1:$simulator->{tls_port}'";
my $proxy = start_tunnel();
$proxy->set_mode('403 Forbidden');

# A login server that answers with tokens of this life, or with something else;
# where the token comes from, the simulator is asked.
sub login_server
{
	my ($play) = @_;
	my $box = start_middlebox($simulator, sub {
		my ($client, $request, $forward) = @_;

		print $client $play->($forward);
		return 1;
	});
	return "login_url '$box->{url}'";
}

sub token_for
{
	my ($lifetime) = @_;
	return login_server(sub {
		my ($forward) = @_;
		my ($token) = $forward->() =~ /"access_token": ?"([^"]+)"/;

		return answer(200, "Content-Type: application/json\r\n",
			qq({"access_token": "$token", "token_type": "bearer", "expires_in": $lifetime}));
	});
}

# name => [options, the check that fails, what it and the health view say, the cure]
my $login_cure = "DROP login_url";
my %troubles = (
	login_down => [ "$plain, login_url 'http://127.0.0.1:1'", 'connection', qr/connect_failed/, $login_cure ],
	login_slow => [ "$plain, " . login_server(sub { POSIX::pause() }), 'token', qr/token_unavailable.*timed out/, $login_cure ],
	login_page => [ "$plain, " . login_server(sub { answer(200, '', '<html>Welcome</html>') }), 'token',
		qr/token_unavailable.*HTTP.* 200.*there is no bearer token in the answer/, $login_cure ],
	login_ill => [ "$plain, " . login_server(sub { answer(500, '', '<html>Oops</html>') }), 'token', qr/token_unavailable.*HTTP.* 500/, $login_cure ],
	wrong_secret => [ $plain, 'token', qr/bad_credentials.*HTTP.* 401/ ],
	no_name => [ "api_url 'https://api.mars.reengage.invalid', auth 'none'", 'name', qr/resolve_failed.*/,
		"SET api_url '$simulator->{url}', SET auth 'client_credentials'" ],
	api_down => [ "api_url 'http://127.0.0.1:1', auth 'none'", 'connection', qr/connect_failed/,
		"SET api_url '$simulator->{url}', SET auth 'client_credentials'" ],
	proxied => [ "$tls, ca_file '$ca', proxy 'http://127.0.0.1:$proxy->{port}'", 'connection', qr/proxy_failed/, 'DROP proxy' ],
	ca_missing => [ "$tls, ca_file '/nonexistent/ca.pem'", 'tls', qr/certificate_refused.*\/nonexistent\/ca\.pem/, "SET ca_file '$ca'" ],
	(map { $_ => [ "api_url 'https://127.0.0.1:$badly{$_}{tls_port}', ca_file '$ca'", 'tls', qr/certificate_refused/,
		"SET api_url 'https://127.0.0.1:$simulator->{tls_port}'" ] } sort keys %badly),
);
my %words = (wrong_host => qr/name .*match/, expired => qr/expired/, self_signed => qr/self.signed/);

# a name that leads inside, where this machine has one
my @addresses = (gethostbyname hostname())[4 .. 10];
$troubles{inside} = [ 'api_url \'https://' . hostname() . ":$simulator->{tls_port}', ca_file '$ca', auth 'none'", 'address', qr/address_refused/,
	"SET api_url 'https://127.0.0.1:$simulator->{tls_port}', SET auth 'client_credentials'" ]
  if hostname() ne 'localhost' && defined $addresses[0] && inet_ntoa($addresses[0]) =~ /^(127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)/;

my %dialects = (plain => "dialect 'messaging'", cloud => "dialect 'genesys_cloud', from_address '+13175550000'");
my @servers = map { my $name = $_; map { "${name}_$_" } sort keys %dialects } sort keys %troubles;
my @lives = (0, -1, '1000000000000', '"an hour"');
my $node = new_node('main', preload => 1, servers => [ 'genesys', @servers ]);
create_extension($node, $simulator);

sub credentials
{
	my ($secret) = @_;

	set_credentials($node, text => join '', map { sections(/^wrong_secret/ ? $secret : 'secret', $_) }
		  'genesys', @servers, map { "life_$_" } 0 .. $#lives);
	return;
}

sub trouble_of { my ($server) = @_; return $troubles{ $server =~ s/_(plain|cloud)$//r }; }

credentials('not the secret');
for my $server (@servers)
{
	my ($dialect) = $server =~ /_(plain|cloud)$/;
	my $options = trouble_of($server)->[0];

	# the breaker opens at the first failure
	$node->safe_psql('postgres', "CREATE SERVER $server FOREIGN DATA WRAPPER reengage
		OPTIONS ($options, $dialects{$dialect}, timeout '3s', max_failures '1', max_attempts '50')");
}

# --- it is named, and nothing is lost --------------------------------------------------------------

nudge($node, "live-$_", server => "'$_'") for @servers;
for my $server (@servers)
{
	my (undef, $check, $said, undef) = @{ trouble_of($server) };
	my $words = $words{ $server =~ s/_(plain|cloud)$//r } // qr//;
	my $row = $node->safe_psql('postgres', qq{SELECT concat_ws('|', check_name, detail, remedy)
		FROM reengage.preflight('$server', 'live-1') WHERE state = 'failed'});

	like($row, qr/^$check\|.*$said.*\|.+/, "$server: preflight() names it, with a remedy");
	like($row, $words, "$server: in words");
	wait_for(sub { health($node, "server $server") =~ /^blocked/ }, "$server is blocked");
	like(health($node, "server $server"), qr/^blocked: .*$said/, "$server: the health view names it");
	like($node->safe_psql('postgres', "SELECT reason FROM reengage.server_state WHERE server = '$server'"), $words,
		"$server: and server_state, in words");
	ok(due_row($node, "live-$server"), "$server: the nudge is due");
}
is(scalar(grep { ($_->{verb} // '') ne 'token' } $simulator->requests, map { $_->requests } values %badly), 0, 'nothing has been called');
is(scalar(map { $_->requests } values %badly), 0, 'P13: who has a wrong certificate is told nothing');

# --- the cure ----------------------------------------------------------------------------------------

$node->safe_psql('postgres', join ';', map { "ALTER SERVER $_ OPTIONS (" . trouble_of($_)->[3] . ')' }
	  grep { defined trouble_of($_)->[3] } @servers);
credentials('secret');
wait_until_ended($node);
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT outcome, ' ') FROM reengage.lineage}), 'notified',
	'once put right, all nudges go out');
is($node->safe_psql('postgres', 'SELECT count(*) FROM reengage.lineage'), scalar @servers, 'every one of them');
is($node->safe_psql('postgres', 'SELECT count(*) FROM reengage.server_state'), 0, 'and nothing is said against the servers');

# --- tokens whose life is nonsense ---------------------------------------------------------------------

for my $place (0 .. $#lives)
{
	$node->safe_psql('postgres', "CREATE SERVER life_$place FOREIGN DATA WRAPPER reengage
		OPTIONS ($plain, " . token_for($lives[$place]) . ', max_attempts \'1\')');
	is($node->safe_psql('postgres', "SELECT string_agg(check_name, ' ') FROM reengage.preflight('life_$place', 'live-1') WHERE state = 'failed'"),
		'', "expires_in $lives[$place]: preflight() has nothing against it");
	nudge($node, "live-life-$place-$_", server => "'life_$place'") for 1, 2;
}
wait_until_ended($node);
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT outcome, ' ') FROM reengage.lineage WHERE server LIKE 'life%'}), 'notified',
	'and the nudges go out');

# --- what is refused before anything is called ------------------------------------------------------------

like(psql_stderr($node, q{CREATE SERVER x FOREIGN DATA WRAPPER reengage OPTIONS (dialect 'genesys_cloud', region 'mars_north_1')}),
	qr/"region": "mars_north_1"/, 'a region that does not exist is an error at once');
my @before = $simulator->requests;
$simulator->control('POST', 'conversations', [
	{ id => 'closed-guest', status => 'closed', channel => 'sms', address => 'guest-1' },
	{ id => 'closed-template', status => 'closed', channel => 'whatsapp', address => '13175551004' } ]);
nudge($node, 'closed-guest', server => q('api_down_cloud'));
nudge($node, 'closed-template', server => q('api_down_cloud'), detail => q('{"template": {"parameters": []}}'));
wait_until_ended($node);
is(outcome($node, 'closed-guest'), 'refused address_is_no_number -', 'an address that does not fit the messenger type');
is(outcome($node, 'closed-template'), 'refused template_without_id create', 'a template without its id');
ledger_matches_lineage($node, $simulator, 'the ledger and the lineage agree');

$node->stop;
done_testing();
