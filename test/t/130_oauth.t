# Tokens and credentials: how often a login server is asked, and where a secret
# must not be found.

use strict;
use warnings FATAL => 'all';

use MIME::Base64 qw(encode_base64);
use Reengage qw(start_simulator new_node sections set_credentials create_extension nudge wait_until_ended
  wait_for lineage outcome due_row health worker_pid courier_pid log_size log_lines ledger_matches_lineage);
use Middlebox qw(start_middlebox answer);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator('--token-calls', 50);
my $node = new_node('main', preload => 1, servers => [qw(genesys down)],
	conf => 'log_min_messages = debug5');
create_extension($node, $simulator, server_options => "max_in_flight '64', max_attempts '1'");

# --- a login server that is down: few requests, and only its own server waits -----------------------

my $down = start_simulator();
$down->fault(verb => 'token', action => 'status', status => 500);
$node->safe_psql('postgres', qq{CREATE SERVER down FOREIGN DATA WRAPPER reengage
	OPTIONS (api_url '$down->{url}', max_requests_per_minute '0', max_attempts '2')});
$node->safe_psql('postgres', q{INSERT INTO reengage.nudges (server, conversation_id, message)
	SELECT 'down', 'live-down-' || n, 'x' FROM generate_series(1, 200) n});
wait_for(sub { $down->counts->{token} == 1 }, 'a token is asked for');
nudge($node, 'live-beside');
wait_until_ended($node, where => q(n.conversation_id = 'live-beside'));
is(outcome($node, 'live-beside'), 'notified - notify', 'another server does not wait');

# --- meanwhile, a token that dies every 50 calls ----------------------------------------------------

# NUDGES=5000 makes it a longer run
my $nudges = $ENV{NUDGES} // 1000;
$node->safe_psql('postgres', qq{INSERT INTO reengage.nudges (conversation_id, message)
	SELECT format('%s-run-%s', (ARRAY['live', 'closed'])[1 + n % 2], n), 'x' FROM generate_series(1, $nudges) n});
wait_until_ended($node, where => q(n.server = 'genesys'));
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT outcome, ' ' ORDER BY outcome) FROM reengage.lineage}),
	'notified session_created', 'a token that dies of use: no nudge fails');
is($node->safe_psql('postgres', 'SELECT max(attempts) FROM reengage.lineage'), 1, 'nor is one put off');
my @accepted = grep { $_->{verb} ne 'token' && $_->{authorised} } $simulator->requests;
my $tokens = $simulator->counts->{token};
is($tokens, int((@accepted + 49) / 50), 'one request for a token for each that died') or diag(scalar @accepted);
note("$nudges nudges, " . scalar(@accepted) . " calls, $tokens tokens, "
	  . scalar(grep { $_->{verb} ne 'token' && !$_->{authorised} } $simulator->requests) . ' calls refused for an old token');
is(scalar log_lines($node, 0, qr/\bgenesys\b.*is blocked/), 0, 'the server was never blocked');
ledger_matches_lineage($node, $simulator, 'P4: a refused call was repeated, and no other');
$simulator->set(token_calls => -1);

# --- and the one that is down ---------------------------------------------------------------------

wait_for(sub { $down->counts->{token} >= 3 }, 'it is asked again');
my @asked = map { $_->{arrived_us} / 1e6 } $down->requests('verb=token');
cmp_ok($asked[1] - $asked[0], '>=', 5, 'not within 5 s, though 200 nudges wait');
cmp_ok($asked[2] - $asked[1], '>=', 10, 'and then not within 10 s');
like(health($node, 'server down'), qr/^blocked: the login server gave no token \(token_unavailable, HTTP status 500\)/, 'the health view says why');
is($node->safe_psql('postgres', q{SELECT sum(attempt) FROM reengage.due WHERE server = 'down'}), 0, 'no attempt is used up');
$down->clear_faults;
wait_until_ended($node);
is($node->safe_psql('postgres', q{SELECT count(*) FROM reengage.lineage WHERE server = 'down' AND outcome = 'notified'}), 200,
	'when it is back, all go out');
is(scalar(grep { $_->{status} == 200 } $down->requests('verb=token')), 1, 'with one token');

# --- secrets -----------------------------------------------------------------------------------------

# An API and login server that repeats what it was sent, in all the ways in which
# a call can go, and in a nudge's message of whose own the search can be seen to
# find something.
my $secret = 'canary-secret-8f2e71c0';
my $token = 'canary-token-51d09ab3';
my $basic = encode_base64("demo:$secret", '');
my $open = start_simulator('--no-auth');
my %ways = (echo => 400, ill => 500, forbidden => 403, unauthorised => 401, unknown => 404, page => 502);
my $box = start_middlebox($open, sub {
	my ($client, $request, $forward) = @_;
	my ($credentials) = $request->{head} =~ /^Authorization: (.*?)\r?$/mi;
	my $echo = qq("you sent $credentials, which is $secret");
	my ($way) = $request->{id} =~ /^\w+-(\w+)$/;

	# says nothing: the POST is in doubt
	return 0 if $request->{id} eq 'live-cut' && $request->{verb} eq 'notify';
	print $client $request->{head} =~ m{/refuse/} ?
	  answer(401, '', qq({"error": "invalid_client", "error_description": $echo})) :
	  $request->{verb} eq 'token' ? answer(200, '', qq({"access_token": "$token", "expires_in": 3600})) :
	  ($way // '') eq 'page' ? answer(502, "X-Echo: $credentials\r\nININ-Correlation-Id: $credentials\r\n", "<html>$credentials $secret</html>") :
	  $ways{ $way // '' } ? answer($ways{$way}, '', qq({"code": $echo, "message": $echo, "contextId": $echo})) :
	  $forward->();
	return 1;
});
my @canaries = ('refusing', sort keys %ways);
set_credentials($node, text => sections($secret, @canaries));
$node->safe_psql('postgres', "CREATE SERVER $_ FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$box->{url}', max_attempts '1')")
  for grep { $_ ne 'refusing' } @canaries;
$node->safe_psql('postgres', qq{
	CREATE SERVER refusing FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$box->{url}', login_url '$box->{url}/refuse')});
nudge($node, 'live-echo', server => q('echo'), message => q('canary-message-77'));
nudge($node, $_, server => q('echo')) for qw(live-well closed-well live-cut);
nudge($node, "live-$_", server => "'$_'") for grep { $_ ne 'echo' } @canaries;
my @blocked = qw(refusing forbidden unauthorised);
# what one conversation meets is its nudge's own; two make it the server's
nudge($node, "gone-$_", server => "'$_'") for qw(forbidden unauthorised);
wait_until_ended($node, where => q(n.server IN ('echo', 'ill', 'page', 'unknown')));
for my $server (@blocked)
{
	wait_for(sub { health($node, "server $server") =~ /^blocked/ }, "$server is blocked");
}
is(join(', ', map { outcome($node, $_) } qw(live-well closed-well live-cut)),
	'notified - notify, session_created - create, in_doubt connection_lost notify', 'calls succeed, and are cut');
my ($row) = lineage($node, q(l.requested_conversation_id = 'live-echo'));
is($row->{api_error_message}, 'you sent Bearer ***, which is ***', 'P13: what the API repeats of secrets is struck out');
like(health($node, 'server refusing'), qr/you sent Basic \*\*\*, which is \*\*\*/, 'P13: as is what a login server repeats');
# a courier that dies with the secrets in its memory, and calls that sessions make
kill 'SEGV', courier_pid(worker_pid($node));
wait_for(sub { courier_pid(worker_pid($node)) }, 'another courier');
my $waiting = nudge($node, 'live-later', server => q('echo'), due_at => q(now() + '1 h'));
my $told = join "\n", map { $node->safe_psql('postgres', $_) } "SELECT * FROM reengage.preview('$waiting')",
  'SELECT name, setting FROM pg_settings', (map { "SELECT * FROM reengage.preflight('$_', 'live-$_')" } @canaries);
like($told, qr/\*\*\*/, 'preview() and preflight() have something to strike out');
is(scalar(() = $told =~ /canary-|$basic/g), 0, 'P13: they show no secret, nor does a setting');
my ($dump) = run_command([ 'pg_dumpall', '-p', $node->port, '-h', $node->host ]);
like($dump, qr/canary-message-77/, 'the dump has the nudges');
is(scalar(() = $dump =~ /canary-(secret|token)|$basic/g), 0, 'P13: and no secret');

$node->safe_psql('postgres', 'CHECKPOINT');
sub files_with
{
	my ($text) = @_;
	my ($out, $err) = run_command([ 'grep', '-r', '-a', '-l', '-F', '-e', $text, $node->data_dir, $node->logfile ]);
	return $out;
}
like(files_with('canary-message-77'), qr/pg_wal/, 'the search looks into the WAL');
like(files_with('canary-message-77'), qr/base/, 'and into tables');
like(files_with('live-echo'), qr/\.log/, 'and into the log');
is(files_with($_), '', "P13: $_ is in no table, WAL file or log, at debug5") for 'canary-secret', $basic, 'canary-token';
my $courier = courier_pid(worker_pid($node));
my $processes = `ps -A -ww -o args=`;
like($processes, qr/reengage-courier/, 'the search sees the courier');
is(scalar(() = $processes =~ /canary-|$basic/g), 0, 'P13: nor in the title of a process');
SKIP:
{
	skip 'nobody says here what the environment of a process is', 2 unless -r "/proc/$$/environ";
	my @readable = grep { -r $_ } glob '/proc/[0-9]*/environ';
	is(scalar(grep { (slurp_environment($_) // '') =~ /canary-|$basic/ } @readable), 0, 'P13: nor in the environment of one');
	ok(!-r "/proc/$courier/environ" || slurp_environment("/proc/$courier/environ") eq '', 'the courier has none, or shows it to nobody');
}
SKIP:
{
	skip 'nobody says here what the limits of a process are', 1 unless -r "/proc/$courier/limits";
	like(slurp_file("/proc/$courier/limits"), qr/^Max core file size +0 +0 /m, 'P13: its memory is in no core file');
}

# Of a process that may have ended.
sub slurp_environment
{
	my ($file) = @_;
	open my $handle, '<', $file or return undef;
	local $/;
	return scalar <$handle>;
}

$node->stop;
done_testing();
