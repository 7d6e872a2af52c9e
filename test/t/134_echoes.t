# What an API repeats of a request is seen by nobody: in the lineage, the views,
# the answers of preflight(), and the server's log.

use strict;
use warnings FATAL => 'all';

use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for
  lineage outcome health psql_stderr log_lines);
use Middlebox qw(start_middlebox answer);
use PostgreSQL::Test::Utils;
use Test::More;

# The words that must be nowhere; of the message they are all.
my $message = 'Penthesilea Zwkqbyx, bring 77310452 to Wuthering';
my $address = '+13172349876';
my $detail = 'Quetzalcoatlus';
my $canary = qr/penthes|zwkqby|77310|310452|wuther|317.{0,3}234|234.{0,3}9876|172349|quetzal/i;

sub urlencode { my ($text) = @_; return join '', map { sprintf '%%%02x', ord } split //, $text; }
sub escape { my ($text) = @_; return join '', map { sprintf '\\u%04x', ord } split //, $text; }

# What an API may make of a text.
my @spellings = (
	sub { $_[0] },
	sub { uc $_[0] },
	sub { escape($_[0]) },
	sub { urlencode($_[0]) },
	sub { urlencode(urlencode($_[0])) },
	sub { join '', map { '&#' . ord . ';' } split //, $_[0] },
	sub { substr $_[0], 1, -1 },
	sub { encode_base64($_[0], '') },
	sub { $_[0] =~ s/(\w)(?=\w)/$1 /gr },
	sub { $_[0] =~ s/\+1(\d{3})(\d{3})(\d{4})/+1 ($1) $2-$3/r },
);

# Ways to refuse: id => [ status, how the words are wrapped ]
my %wrappings = (
	json => sub { JSON::PP->new->encode({ code => $_[1], message => "Bad text: $_[0]" }) },
	nested => sub { JSON::PP->new->encode({ error => { code => 7, message => 'x', error_data => { details => $_[0] } }, errors => [ $_[0] ] }) },
	html => sub { "<html><title>Oops</title><p>$_[0]</p></html>" },
	plain => sub { "cannot deliver: $_[0]" },
);
my @statuses = (400, 403, 404, 409, 422, 429, 500, 502);
my %play;
for my $wrapping (sort keys %wrappings)
{
	for my $status (@statuses)
	{
		my $spelling = $spellings[ keys(%play) % @spellings ];
		$play{"live-$wrapping-$status"} = [ $status, $wrappings{$wrapping}, $spelling ];
		# a kind of call that two customers meet
		$play{"live-$wrapping-again-403"} //= $play{"live-$wrapping-403"} if $status == 403;
		$play{"closed-$wrapping-$status"} = [ $status, $wrappings{$wrapping}, $spellings[ (keys(%play) * 3) % @spellings ] ];
	}
}

my $simulator = start_simulator('--no-auth');
my $box = start_middlebox($simulator, sub {
	my ($client, $request, $forward) = @_;
	my $play = $play{ $request->{id} };

	if (!$play || $request->{verb} eq 'check')
	{
		print $client $forward->();
		return 1;
	}
	my ($status, $wrap, $spell) = @$play;
	my $said = join ' / ', map { $spell->($_) } $message, $address;
	my $body = $wrap->($said, $spell->($message));
	my $one_line = $said =~ s/[\r\n]/ /gr;

	print $client "HTTP/1.1 $status $one_line\r\nContent-Length: " . length($body)
	  . "\r\nININ-Correlation-Id: $one_line\r\nX-Echo: $one_line\r\n\r\n$body";
	return 1;
});
my $node = new_node('main', preload => 1, conf => q{
	log_statement = none
	log_min_messages = debug1
	log_min_error_statement = debug1
	log_error_verbosity = verbose
	log_parameter_max_length_on_error = -1
	shared_preload_libraries = 'reengage,auto_explain'
	auto_explain.log_min_duration = 0
	auto_explain.log_nested_statements = on
	auto_explain.log_analyze = on
});
create_extension($node, $simulator, server_options => q(auth 'none', max_attempts '1'));

# each wrapping has a server of its own, so that it may be blocked
for my $wrapping (sort keys %wrappings)
{
	$node->safe_psql('postgres', qq{CREATE SERVER $wrapping FOREIGN DATA WRAPPER reengage OPTIONS
		(api_url '$box->{url}', auth 'none', max_attempts '1', max_failures '0', max_requests_per_minute '0')});
}
$node->safe_psql('postgres', q{CREATE ROLE shop_a; CREATE ROLE shop_b; GRANT reengage_application TO shop_a, shop_b});
$node->safe_psql('postgres', "GRANT USAGE ON FOREIGN SERVER $_ TO shop_a, shop_b") for 'genesys', sort keys %wrappings;

# What an application says is its own to log.
my $quiet = 'SET auto_explain.log_min_duration = -1; SET log_min_messages = panic;';
sub ask
{
	my ($role, $server, @conversations) = @_;
	my $rows = join ', ', map {
		my $its = $server // (split /-/)[1];
		qq{('$its', '$_', '$message', '$address', 'sms', '{"who": "$detail"}')}
	} @conversations;

	$node->safe_psql('postgres', qq{$quiet SET ROLE $role;
		INSERT INTO reengage.nudges (server, conversation_id, message, address, channel, detail) VALUES $rows});
	return;
}

ask('shop_a', undef, grep { !/-(403|429)$/ } sort keys %play);
wait_until_ended($node);
# with these, the server rests or is blocked
ask('shop_a', undef, grep { /-403$/ } sort keys %play);
wait_for(sub { health($node, "server $_") =~ /^blocked/ }, "$_ is blocked") for sort keys %wrappings;
ask('shop_b', $_, "live-b-$_") for sort keys %wrappings;
$node->safe_psql('postgres', "ALTER SERVER plain OPTIONS (ADD idempotency 'key')");
ask('shop_a', 'plain', 'live-plain-429', 'closed-plain-429');
wait_for(sub { $node->safe_psql('postgres', q{SELECT count(*) FROM reengage.nudge_status WHERE reason ~ '^server (blocked|resting)'}) > 0 }, 'somebody waits');

# --- what is stored, and shown ---------------------------------------------------------------

sub shown
{
	my ($what, $sql) = @_;
	my $text = $node->safe_psql('postgres', "$quiet $sql");

	isnt($text, '', "$what: there is something to see");
	my @found = grep { $_ =~ $canary } split /\n/, $text;
	is_deeply(\@found, [], "$what: nothing of the message or the address");
	return $text;
}

my $said = shown('lineage', q{SELECT api_error_code, api_error_message, correlation_id, message_id, reason, status_seen FROM reengage.lineage});
like($said, qr/Bad text: \*\*\*/, 'the words of the API are there');
like($said, qr/cannot deliver: \*\*\*/, 'of a gateway, too');
shown('in_doubt', 'TABLE reengage.in_doubt');
shown('server_state', 'TABLE reengage.server_state');
like(shown('health', 'SET ROLE reengage_reader; TABLE reengage.health'), qr/the API said: .*\*\*\*/, 'a reader sees the words of the API: what lineage shows, and no more');
my $status = shown('nudge_status', 'SET ROLE shop_b; SELECT * FROM reengage.nudge_status');
like($status, qr/live-b-/, 'an application sees that its nudge waits');
unlike($status, qr/Bad text|cannot deliver|live-(html|json|plain)-/, 'but no words about those of others');
like(psql_stderr($node, "SET ROLE shop_b; TABLE reengage.server_state"), qr/permission denied/, 'nor the server_state');
shown('preflight', "SELECT concat_ws('|', detail, remedy) FROM reengage.preflight('$_', 'live-1')") for sort keys %wrappings;

# --- the log ----------------------------------------------------------------------------------

# a row that cannot be stored
$node->safe_psql('postgres', qq{$quiet ALTER TABLE reengage.lineage ADD CONSTRAINT spoiled CHECK (requested_conversation_id <> 'live-spoiled') NOT VALID});
ask('shop_a', 'genesys', 'live-spoiled');
wait_for(sub { scalar(log_lines($node, 0, qr/the outcome of a nudge cannot be stored/)) > 0 }, 'the worker says so');
$node->safe_psql('postgres', "$quiet ALTER TABLE reengage.lineage DROP CONSTRAINT spoiled");
# all of it, with contexts, statements and plans
my @log = split /\n/, slurp_file($node->logfile);
cmp_ok(scalar(grep { /reengage|INSERT INTO reengage\.lineage/ } @log), '>', 10, 'the log has our statements');
my @found = grep { $_ =~ $canary } @log;
is_deeply(\@found, [], 'and nothing of a customer, at debug1 and with auto_explain');

$node->stop;
done_testing();
