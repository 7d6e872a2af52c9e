# What is on the wire: HTTP/2 where it is offered, no TLS before 1.2, and no
# byte of a header or a path that anybody but us has chosen.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node set_credentials create_extension nudge wait_until_ended wait_for
  lineage outcome due_row health psql_stderr);
use IO::Socket::INET;
use JSON::PP ();
use Certificates qw(certificate_folder certificate);
use Middlebox qw(start_middlebox answer);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main', preload => 1, servers => [qw(genesys h2 old new box)]);
create_extension($node, $simulator);
my $ca = certificate_folder() . '/ca.pem';
my $certificate = certificate('good', 'IP:127.0.0.1');
my ($chain, $key) = ($certificate =~ s/pem$/crt/r, $certificate =~ s/pem$/key/r);
my @children;

# A program that listens on a port, with its output in a file.
sub start_program
{
	my ($output, @command) = @_;
	my $pid = fork() // die "could not fork: $!";

	if ($pid == 0)
	{
		open STDIN, '<', '/dev/zero';
		open STDOUT, '>', $output;
		open STDERR, '>&', \*STDOUT;
		exec @command or exit 1;
	}
	push @children, $pid;
	return $pid;
}

END
{
	my $status = $?;
	kill 'KILL', @children;
	waitpid $_, 0 for @children;
	$? = $status;
}

sub is_there
{
	my ($program) = @_;
	return grep { -x "$_/$program" } split /:/, $ENV{PATH};
}

sub listens { my ($port) = @_; return IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port"); }

sub create_server
{
	my ($name, $options) = @_;
	return $node->safe_psql('postgres', "CREATE SERVER $name FOREIGN DATA WRAPPER reengage OPTIONS ($options, max_requests_per_minute '0')");
}

# --- HTTP/2 ---------------------------------------------------------------------------------

SKIP:
{
	skip 'there is no nghttpx here', 5 unless is_there('nghttpx');
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $log = PostgreSQL::Test::Utils::tempdir() . '/access';

	start_program("$log.out", 'nghttpx', '--conf=/dev/null', "--frontend=127.0.0.1,$port", "--backend=127.0.0.1,$simulator->{port}",
		"--accesslog-file=$log", '--accesslog-format=$alpn $remote_port $request', $key, $chain);
	wait_for(sub { listens($port) }, 'nghttpx listens');
	create_server('h2', "api_url 'https://127.0.0.1:$port', ca_file '$ca'");
	$node->safe_psql('postgres', q{INSERT INTO reengage.nudges (server, conversation_id, message)
		SELECT 'h2', (ARRAY['live', 'closed'])[1 + n % 2] || '-h2-' || n, 'x' FROM generate_series(1, 100) n});
	wait_until_ended($node);
	is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT outcome, ' ' ORDER BY outcome) FROM reengage.lineage WHERE attempts = 1}),
		'notified session_created', 'delivered over HTTP/2');
	is($node->safe_psql('postgres', 'SELECT max(attempts) FROM reengage.lineage'), 1, 'at the first attempt');
	my @requests = grep { / HTTP\// } split /\n/, slurp_file($log);
	my %connections = map { (split / /)[1] => 1 } @requests;
	cmp_ok(scalar @requests, '>=', 201, 'the requests are in its log');
	is(scalar(grep { !/^h2 .* HTTP\/2/ } @requests), 0, 'all are of HTTP/2');
	cmp_ok(scalar keys %connections, '<=', 4, 'and share connections: those of looks, and those of POSTs');
}

# --- TLS 1.1 ------------------------------------------------------------------------------------

# What an old client and preflight() say to a server that speaks this version and no other.
sub tls_server
{
	my ($name, $version) = @_;
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $output = PostgreSQL::Test::Utils::tempdir() . '/output';

	start_program($output, 'openssl', 's_server', "-$version", '-cipher', 'ALL:@SECLEVEL=0', '-accept', $port,
		'-cert', $chain, '-key', $key, '-www');
	wait_for(sub { listens($port) }, 'openssl listens');
	my ($client) = run_command([ 'sh', '-c', "openssl s_client -$version -cipher 'ALL:\@SECLEVEL=0' -connect 127.0.0.1:$port </dev/null 2>&1" ]);
	create_server($name, "api_url 'https://127.0.0.1:$port', ca_file '$ca', auth 'none'");
	my $row = $node->safe_psql('postgres', qq{SELECT concat_ws('|', check_name, state, detail)
		FROM reengage.preflight('$name', 'live-1') WHERE check_name = 'tls'});
	return ($client, $row);
}

my ($client, $said) = tls_server('new', 'tls1_2');
like($said, qr/^tls\|ok/, 'TLS 1.2 will do');
SKIP:
{
	($client, $said) = tls_server('old', 'tls1_1');
	skip 'this openssl does not speak TLS 1.1', 1 unless $client =~ /Verify return code/ && $client =~ /Cipher is (?!\(NONE\))/;
	like($said, qr/^tls\|failed\|tls_failed: /, 'TLS 1.1 is refused');
}

# --- nobody else chooses a header or a path ------------------------------------------------------------

my $heads = PostgreSQL::Test::Utils::tempdir() . '/heads';
my $evil = "x\r\nEvil: yes\r\n\r\nGET /evil";
append_to_file($heads, '');
my %answers = (
	address => JSON::PP::encode_json({ id => 'closed-address', status => 'closed', channel => 'open', from => { address => $evil }, to => { address => 'shop' } }),
	business => JSON::PP::encode_json({ id => 'closed-business', status => 'closed', channel => 'open', from => { address => 'guest' }, to => { address => $evil } }),
	channel => JSON::PP::encode_json({ id => 'closed-channel', status => 'closed', channel => $evil, from => { address => '+1' }, to => { address => '+2' } }),
	status => JSON::PP::encode_json({ id => 'closed-status', status => $evil }),
	id => JSON::PP::encode_json({ id => $evil, status => 'active' }),
);
my $box = start_middlebox($simulator, sub {
	my ($client, $request, $forward) = @_;
	my ($what) = $request->{id} =~ /^closed-(\w+)$/;

	append_to_file($heads, "$request->{head}\r\n");
	print $client $request->{verb} eq 'check' && $answers{ $what // '' } ? answer(200, '', $answers{$what}) :
	  $request->{verb} eq 'create' && $what eq 'made' ? answer(201, '', JSON::PP::encode_json({ id => $evil })) : $forward->();
	return 1;
});
create_server('box', "api_url '$box->{url}', max_attempts '1'");
my $quoted = q(E'x\r\nEvil: yes');
for my $column (qw(conversation_id address channel))
{
	my %values = (server => q('box'), message => q('x'), conversation_id => q('live-1'), $column => $quoted);
	my @names = sort keys %values;

	like(psql_stderr($node, 'INSERT INTO reengage.nudges (' . join(', ', @names) . ') VALUES (' . join(', ', @values{@names}) . ')'),
		qr/ERROR/, "no end of line in $column");
}
for my $option (qw(api_url login_url proxy from_address))
{
	my $verb = $node->safe_psql('postgres', qq{SELECT CASE WHEN EXISTS (
		SELECT FROM pg_foreign_server, pg_options_to_table(srvoptions) o WHERE srvname = 'box' AND option_name = '$option')
		THEN 'SET' ELSE 'ADD' END});
	like(psql_stderr($node, qq{DO \$\$ BEGIN EXECUTE format('ALTER SERVER box OPTIONS ($verb $option %L)', 'http://127.0.0.1' || $quoted); END \$\$}),
		qr/ERROR: .*invalid value for option "$option"/, "nor in the option $option");
}
nudge($node, "closed-$_", server => q('box'), message => $quoted) for sort(keys %answers), 'made', 'plain';
nudge($node, 'live-plain', server => q('box'), message => $quoted);
wait_until_ended($node, where => q(n.server = 'box'));
is(join(', ', map { "$_: " . outcome($node, "closed-$_") } sort keys %answers),
	'address: refused no_address -, business: session_created - create, channel: refused channel_not_proactive -, '
	  . 'id: refused no_address notify, status: exhausted unreadable -',
	'what the API answers is not sent back to it');
is(outcome($node, 'closed-made'), 'in_doubt unreadable create', 'an id with an end of line is none');
set_credentials($node, text => "[box]\nclient_id = demo\rEvil: yes\nclient_secret = secret\rEvil: yes\nhost = 127.0.0.1:*\n");
nudge($node, 'live-credentials', server => q('box'));
wait_for(sub { health($node, 'server box') =~ /^blocked/ }, 'credentials with an end of line are of no use');
my @lines = split /\r\n/, slurp_file($heads);
my @strange = grep { !m{^(GET|POST) /(oauth/token|api/v2/conversations/messaging(/[\w.~-]+(/notifications)?)?) HTTP/1\.1$} &&
	  !/^(Host|Accept|User-Agent|Authorization|Content-Type|Content-Length|Idempotency-Key): [ -~]+$/ && $_ ne '' } @lines;
is_deeply(\@strange, [], 'every line of every head is one of ours');
cmp_ok(scalar @lines, '>', 50, 'of which there are many');
unlike(slurp_file($heads), qr/evil/i, 'and none of theirs');

$node->stop;
done_testing();
