# What an API answers and what an application asks beyond ASCII, in databases of
# three encodings: every outcome can be stored, nothing is lost, and a customer
# reads what was written.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for lineage outcome
  count_due worker_pid courier_pid psql_stderr ledger_matches_lineage);
use Middlebox qw(start_middlebox answer);
use PostgreSQL::Test::Utils;
use Test::More;

# What no word, id or message should have, as it stands in JSON.
my %odd = (
	nul => 'x\u0000y',
	surrogate => 'x\ud83dy',
	bytes => "x\xffy",
	latin1 => "x\xe9y",
	overlong => "x\xc0\xafy",
	accent => "x\xc3\xa9y",
	emoji => "x\xf0\x9f\x98\x80y",
	separator => "x\xe2\x80\xa8y",
);
my @not_json = qw(bytes latin1 overlong);

sub is_json { my ($name) = @_; return !grep { $_ eq $name } @not_json; }

# Where it stands: which call, the answer, the outcome.
my %places = (
	status => [ 'check', sub { answer(200, '', qq({"status":"$_[0]"})) }, sub { 'exhausted unreadable -' } ],
	channel => [ 'check', sub { answer(200, '', qq({"status":"closed","channel":"$_[0]","from":{"address":"+1"}})) },
		sub { is_json($_[0]) ? 'refused channel_not_proactive -' : 'exhausted unreadable -' } ],
	address => [ 'check', sub { answer(200, '', qq({"status":"closed","channel":"open","from":{"address":"$_[0]"}})) },
		sub { !is_json($_[0]) ? 'exhausted unreadable -' : $_[0] eq 'nul' ? 'refused no_address -' : 'session_created - create' } ],
	id => [ 'create', sub { answer(201, '', qq({"id":"$_[0]"})) }, sub { 'in_doubt unreadable create' } ],
	message => [ 'notify', sub { answer(400, '', qq({"message":"no: $_[0]","code":"$_[0]"})) }, sub { 'refused http_400 notify' } ],
	correlation => [ 'create', sub { $_[1] =~ s/(ININ-Correlation-Id: )[^\r]*/$1$_[0]/ir }, sub { 'session_created - create' } ],
);
# other ids, which are no ids
my %ids = (
	number => '42', array => '["x"]', object => '{"id":"x"}', null => 'null', empty => '""',
	long => '"' . 'x' x 10_000 . '"', slash => '"x/y"', dots => '".."', crlf => '"x\r\ny"',
);

sub play
{
	my ($client, $request, $forward) = @_;
	my ($place, $name) = $request->{id} =~ /^closed-(\w+)-(\w+)$/;
	my $reply = $forward->();

	if ($place && $place eq 'json' && $request->{verb} eq 'create')
	{
		$reply = answer(201, '', qq({"id":$ids{$name}}));
	}
	elsif ($place && $places{$place} && $places{$place}[0] eq $request->{verb})
	{
		$reply = $places{$place}[1]->($odd{$name}, $reply);
	}
	elsif ($place && $place eq 'message' && $request->{verb} eq 'check')
	{
		# live, and what the notification is answered is then refused for good
		$reply =~ s/"closed"/"active"/;
	}
	print $client $reply;
	return 1;
}

my @cases;
for my $place (sort keys %places)
{
	for my $name (sort keys %odd)
	{
		# a header is bytes and not JSON
		push @cases, [ "closed-$place-$name", $places{$place}[2]->($name) ];
	}
}
push @cases, map { [ "closed-json-$_", 'in_doubt unreadable create' ] } sort keys %ids;

# --- one cluster, three databases, each with an API of its own ---------------------------------

my @databases = ('utf8', 'latin1', 'sql_ascii');
my $node = new_node('main', preload => 1, servers => [ 'genesys', "caf\xc3\xa9" ],
	conf => "reengage.databases = '" . join(',', @databases) . "'");
my %simulator = map { $_ => start_simulator() } @databases;
my %box = map { $_ => start_middlebox($simulator{$_}, \&play) } @databases;
my (%worker, %courier);

# what psql is given is UTF-8
$ENV{PGCLIENTENCODING} = 'UTF8';
for my $database (@databases)
{
	$node->safe_psql('postgres',
		"CREATE DATABASE $database TEMPLATE template0 ENCODING '$database' LC_COLLATE 'C' LC_CTYPE 'C'");
	$node->safe_psql($database, qq{
		CREATE EXTENSION reengage;
		CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (max_requests_per_minute '0', max_failures '0', api_url '$box{$database}{url}',
			max_attempts '2', from_address 'B\xc3\xbcro');
		CREATE SERVER "caf\xc3\xa9" FOREIGN DATA WRAPPER reengage OPTIONS (max_requests_per_minute '0', max_failures '0', api_url '$simulator{$database}{url}');
		SELECT reengage.arm();
		INSERT INTO reengage.nudges (conversation_id, message, campaign) VALUES }
		  . join(', ', map { "('$_->[0]', 'x', 'plain')" } @cases) . q{;
		INSERT INTO reengage.nudges (server, conversation_id, message, address, channel, campaign) VALUES
			('genesys', 'live-accent', convert_from('\x436166c3a9', 'UTF8'), NULL, NULL, convert_from('\xc3a9', 'UTF8')),
			('genesys', 'gone-accent', 'x', convert_from('\x52656ec3a9654078', 'UTF8'), 'email', 'plain'),
			(convert_from('\x636166c3a9', 'UTF8'), 'live-cafe', 'x', NULL, NULL, 'plain');
	});
	wait_for(sub { $worker{$database} = worker_pid($node, $database) }, 'a worker');
}

sub check_replies
{
	my ($database) = @_;

	for (@cases)
	{
		my ($id, $outcome) = @$_;

		is(outcome($node, $id, database => $database), $outcome, "$database: $id");
	}
	is($node->safe_psql($database, q{
		SELECT count(*) FROM reengage.lineage l WHERE campaign = 'plain' AND server = 'genesys' AND l::text ~ '[^ -~]'}),
		0, "$database: all that was kept of the API's words is plain ASCII");
	my %said = map { $_->{requested_conversation_id} => $_ } lineage($node, q(l.campaign = 'plain' AND l.server = 'genesys'),
		database => $database);
	is($said{'closed-message-emoji'}{api_error_message}, 'no: x?y', "$database: with a mark for a character");
	is($said{'closed-message-emoji'}{api_error_code}, 'x?y', "$database: also in a code");
	is($said{'closed-correlation-latin1'}{correlation_id}, 'x?y', "$database: and in a header");
	is(join(' ', map { $_->{to_address} } $simulator{$database}->requests('id=closed-address-emoji&verb=create')),
		"x\x{1f600}y", "$database: an address is used as it is");
	return;
}

sub check_questions
{
	my ($database) = @_;
	my $simulator = $simulator{$database};
	my ($asked) = $simulator->requests('id=live-accent&verb=notify');
	my ($created) = $simulator->requests('id=gone-accent&verb=create');

	is($asked->{message}, "Caf\x{e9}", "$database: a message arrives as it was written");
	is("$created->{to_address} $created->{from_address}", "Ren\x{e9}e\@x B\x{fc}ro", "$database: and so do addresses");
	is(outcome($node, 'live-cafe', database => $database), 'notified - notify',
		"$database: a server may have such a name, and its credentials are found");
	is($node->safe_psql($database, q{
		INSERT INTO reengage.nudges (server, conversation_id, message, due_at) VALUES
			('genesys', 'live-later', convert_from('\x436166c3a9', 'UTF8'), '2099-01-01 00:00Z');
		SELECT body = convert_from('\x7b2274657874223a22436166c3a9227d', 'UTF8')
		FROM reengage.nudges n, reengage.preview(n.nudge_id) WHERE n.conversation_id = 'live-later' AND step = 'notify'}),
		't', "$database: a preview shows it as it was written");
	is($node->safe_psql($database, q{
		SELECT count(*) FROM reengage.nudges n JOIN reengage.lineage l USING (nudge_id) WHERE n.campaign = l.campaign}),
		@cases + 3, "$database: campaigns are kept as they are");
	return;
}

for my $database (@databases)
{
	wait_until_ended($node, database => $database);
	$courier{$database} = courier_pid($worker{$database});
	check_replies($database);
	check_questions($database);
}

# --- a session of its own, in an encoding of several bytes ------------------------------------

my $session_simulator = start_simulator();
$node->safe_psql('postgres', q{CREATE DATABASE euc_jp TEMPLATE template0 ENCODING 'EUC_JP' LC_COLLATE 'C' LC_CTYPE 'C'});
create_extension($node, $session_simulator, database => 'euc_jp');
nudge($node, 'live-euc', database => 'euc_jp', message => q{convert_from('\xe38386', 'UTF8')});
$node->safe_psql('euc_jp', 'CALL reengage.run(max_seconds => 60)');
is(($session_simulator->requests('verb=notify'))[0]{message}, "\x{30c6}", 'run() sends what was written, too');

# --- customers say stop in every encoding -------------------------------------------------------

for my $database (@databases, 'euc_jp')
{
	$node->safe_psql($database, q{
		SELECT * FROM reengage.suppress('+1 317 555 0142', channel => ' SMS ', reason => 'STOP');
		SELECT * FROM reengage.record_answer(address => '+1 317 555 0143', channel => 'sms');
		SELECT * FROM reengage.cancel_customer('+1 317 555 0143', channel => 'sms')});
	is($node->safe_psql($database, q{SELECT (SELECT count(*) FROM reengage.answers), reengage.unsuppress('+13175550142', channel => 'sms')}),
		'1|1', "$database: an opt-out and an answer are recorded");
}
is($node->safe_psql('utf8', q{SELECT reengage_internal.require_channel(U&'\00A0sms\00A0')}), 'sms', 'with blanks that do not break');

# --- bytes that are not UTF-8, in the database that takes any ------------------------------------

like(psql_stderr($node, q(INSERT INTO reengage.nudges (conversation_id, message) VALUES ('live-bytes', E'Caf\xe9')),
		database => 'sql_ascii'),
	qr/ERROR:  invalid message of a nudge: "..."\nDETAIL:  It must be valid UTF-8/, 'a message that is not UTF-8 is refused');
like(psql_stderr($node, q(ALTER SERVER genesys OPTIONS (SET from_address E'B\xfcro')), database => 'sql_ascii'),
	qr/ERROR:  invalid byte sequence for encoding "UTF8": 0xfc/, 'as is such an address of ours');

# a row that came in around the trigger, as by replication
$node->safe_psql('sql_ascii', q{
	ALTER TABLE reengage.nudges DISABLE TRIGGER validate;
	INSERT INTO reengage.nudges (server, conversation_id, message, address, channel) VALUES
		('genesys', 'live-bytes', E'Caf\xe9', NULL, NULL), ('genesys', 'gone-bytes', 'x', E'Ren\xe9e@x', 'email');
	ALTER TABLE reengage.nudges ENABLE TRIGGER validate;
});
wait_until_ended($node, database => 'sql_ascii', where => q(n.conversation_id LIKE '%-bytes'));
is(outcome($node, 'live-bytes', database => 'sql_ascii'), 'refused message_not_utf8 -', 'one that is there is refused, not lost');
is(outcome($node, 'gone-bytes', database => 'sql_ascii'), 'refused conversation_not_found -', 'such an address is none');

# such a name of a server holds up nothing but its own nudges
$node->safe_psql('sql_ascii', qq{
	DO \$\$ BEGIN EXECUTE format('CREATE SERVER %I FOREIGN DATA WRAPPER reengage OPTIONS (api_url %L)',
		E'caf\\xe9', '$simulator{sql_ascii}{url}'); END \$\$;
	INSERT INTO reengage.nudges (server, conversation_id, message) VALUES (E'caf\\xe9', 'live-odd-server', 'x');
	INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('genesys', 'live-beside-it', 'x');
});
wait_until_ended($node, database => 'sql_ascii', where => q(n.conversation_id = 'live-beside-it'));
wait_for(sub { $node->safe_psql('sql_ascii', q{SELECT count(*) FROM reengage.server_state WHERE reason ~ 'converted to UTF-8'}) },
	'a server with a name that is not UTF-8 is blocked');
is(count_due($node, 'sql_ascii'), 2, 'and its nudge stays due, beside the one that is for later');

for my $database (@databases)
{
	ledger_matches_lineage($node, $simulator{$database}, "$database: the ledger and the lineage agree", database => $database);
	is(worker_pid($node, $database), $worker{$database}, "$database: the worker is the same as at the beginning");
	is(courier_pid($worker{$database}), $courier{$database}, "$database: and so is the courier");
}
$node->stop;
done_testing();
