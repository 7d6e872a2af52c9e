# Calls that the API forbids: to one conversation, to one recipient, or to our
# client.  Whose matter it is, who waits for it, and who is told what.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for lineage
  outcome health log_size log_lines ledger_matches_lineage);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my @servers = qw(genesys mixed alone turns one_person two_bad revoked private);
my $node = new_node('main', preload => 1, servers => \@servers);
create_extension($node, $simulator);

sub sql { return $node->safe_psql('postgres', @_); }

sub create_server
{
	my ($name) = @_;
	return sql(qq{CREATE SERVER $name FOREIGN DATA WRAPPER reengage
		OPTIONS (api_url '$simulator->{url}', max_requests_per_minute '0', max_failures '0')});
}

# Several nudges of one transaction: their conversations, in order.
sub ask
{
	my ($server, @ids) = @_;
	return sql('INSERT INTO reengage.nudges (server, conversation_id, message, due_at) VALUES '
		  . join ', ', map { "('$server', '$ids[$_]', 'x', now() + interval '$_ us')" } 0 .. $#ids);
}

# --- conversations that are shown to nobody, among others ------------------------------------

# the look, the notification and the creation; they come before the others
my %refused = ('live-hidden' => [ 'check', 403, 'forbidden' ], 'live-mute' => [ 'notify', 401, 'unauthorized' ],
	'closed-mute' => [ 'create', 403, 'forbidden' ]);
create_server('mixed');
$simulator->fault(verb => $refused{$_}[0], id => $_, action => 'status', status => $refused{$_}[1],
	body => '{"message":"not for you"}') for keys %refused;
my $log = log_size($node);
ask('mixed', sort(keys %refused), map { ("live-among-$_", "closed-among-$_") } 1 .. 40);
wait_until_ended($node, where => q(n.server = 'mixed' AND n.conversation_id ~ 'among'));
is(sql(q{SELECT string_agg(DISTINCT outcome, ' ' ORDER BY outcome) || ' ' || count(*) FROM reengage.lineage
	WHERE server = 'mixed' AND requested_conversation_id ~ 'among'}), 'notified session_created 80', 'P17: the others go out');
wait_until_ended($node, where => q(n.server = 'mixed'));
for my $id (sort keys %refused)
{
	my ($verb, $status, $reason) = @{ $refused{$id} };
	my ($row) = lineage($node, "l.requested_conversation_id = '$id'");

	is(join(' ', @$row{qw(outcome reason attempts http_status api_error_message)}), "refused $reason 4 $status not for you",
		"$id: a $verb that is refused to it alone ends it, after four attempts");
}
is(scalar log_lines($node, $log, qr/server "mixed" is blocked/), 0, 'and the server was never blocked');
$simulator->clear_faults;

# --- many that were looked at when their server was blocked ------------------------------------

create_server('turns');
my @looked_at = map { "live-turns-$_" } 1 .. 8;
$simulator->fault(verb => 'notify', action => 'forbidden');
# those come while it is left alone
$simulator->fault(verb => 'check', id => $_, action => 'delay', ms => 2500) for @looked_at[2 .. 7];
ask('turns', @looked_at);
sub tried { return scalar grep { $_->{conversation_id} =~ /^live-turns-/ } $simulator->requests('verb=notify'); }
wait_for(sub { tried() >= 3 }, 'it is tried again');
wait_for(sub { sql('SELECT in_flight FROM reengage_internal.worker_state()') == 0 }, 'and left alone');
is(tried(), 3, 'one of many tries a server that was blocked');
$simulator->clear_faults;
sql(q{ALTER SERVER turns OPTIONS (ADD max_attempts '9')});
wait_until_ended($node, where => q(n.server = 'turns'));

# --- one nudge, and nobody else to compare it with ---------------------------------------------

create_server('alone');
$simulator->fault(verb => 'create', id => 'closed-lonely', action => 'forbidden');
my $lonely = nudge($node, 'closed-lonely', server => q('alone'));
wait_until_ended($node, where => q(n.server = 'alone'));
is(outcome($node, 'closed-lonely'), 'refused forbidden create', 'what may be a missing permission ends the only nudge that met it');
like(health($node, 'server alone'),
	qr/^attention: the API refused to create \(forbidden, HTTP status 403\): nudge $lonely \(conversation closed-lonely\); the API said: ./,
	'P14: and the health view says so');
like(sql(q{SELECT remedy FROM reengage.health WHERE subject = 'server alone'}), qr/redrive/, 'with the remedy');
$node->restart;
like(health($node, 'server alone'), qr/^attention: the API refused to create/, 'also after a restart');
$simulator->clear_faults;
my $again = sql("SELECT reengage.redrive('$lonely')");
wait_until_ended($node, where => "n.nudge_id = '$again'");
is((lineage($node, "l.nudge_id = '$again'"))[0]{outcome}, 'session_created', 'redrive() asks again');
wait_for(sub { health($node, 'server alone') eq 'ok: nothing is known against it' }, 'which shows that it may');

# --- one person, several conversations ---------------------------------------------------------

create_server('one_person');
$simulator->control('POST', 'conversations', [ map { { id => "closed-person-$_", status => 'closed', address => '+13175550901' } } 1 .. 3 ]);
$simulator->fault(verb => 'create', address => '+13175550901', action => 'status', status => 403, body => '{"message":"no"}');
$log = log_size($node);
ask('one_person', map { "closed-person-$_" } 1 .. 3);
wait_until_ended($node, where => q(n.server = 'one_person'));
is(join(', ', map { outcome($node, "closed-person-$_") } 1 .. 3), join(', ', ('refused forbidden create') x 3),
	'a recipient who is refused is refused in each conversation');
is(scalar log_lines($node, $log, qr/server "one_person" is blocked/), 0, 'and is one witness, not three');
$simulator->clear_faults;

# --- a block, and who tries it again -------------------------------------------------------------

create_server('two_bad');
$simulator->fault(verb => 'check', id => 'live-bad', action => 'forbidden');
ask('two_bad', 'live-bad-1', 'live-bad-2');
wait_for(sub { health($node, 'server two_bad') =~ /^blocked/ }, 'two that have nothing in common block a server');
nudge($node, 'live-newcomer', server => q('two_bad'));
wait_until_ended($node, where => q(n.conversation_id = 'live-newcomer'));
is(outcome($node, 'live-newcomer'), 'notified - notify', 'who comes later is the next to try it, and gets through');
wait_until_ended($node, where => q(n.server = 'two_bad'));
is(join(', ', map { outcome($node, "live-bad-$_") } 1 .. 2), 'refused forbidden -, refused forbidden -',
	'which shows that it was the matter of the two');

# --- a permission that is missing ----------------------------------------------------------------

create_server('revoked');
$simulator->fault(verb => 'notify', id => 'live-revoked', action => 'forbidden');
ask('revoked', map { "live-revoked-$_" } 1 .. 10);
my $attempts = q{SELECT sum(attempt) FROM reengage.due WHERE server = 'revoked'};
my $tried = q{SELECT count(*) FROM reengage.due WHERE server = 'revoked' AND fencing_token > 0};
wait_for(sub { health($node, 'server revoked') =~ /^blocked/ }, 'a permission that is missing blocks the server');
my $before = sql($attempts);
cmp_ok($before, '<=', 2, 'after two refusals');
for my $round (1 .. 3)
{
	my $refusals = scalar(my @list = $simulator->requests('verb=notify'));

	$node->restart;
	wait_for(sub { scalar(my @now = $simulator->requests('verb=notify')) > $refusals }, 'another engine tries it');
	wait_for(sub { health($node, 'server revoked') =~ /^blocked/ }, 'and finds it blocked');
}
is(sql($attempts), $before, 'no engine uses up an attempt any more');
is(sql(q{SELECT count(*) FROM reengage.lineage WHERE server = 'revoked'}), 0, 'and no nudge ends by it');
$simulator->clear_faults;
sql(q{ALTER SERVER revoked OPTIONS (ADD timeout '9s')});
wait_until_ended($node, where => q(n.server = 'revoked'));
is(sql(q{SELECT string_agg(DISTINCT outcome, ' ') || count(*) FROM reengage.lineage WHERE server = 'revoked'}), 'notified10',
	'when it is granted, all go out');

# --- whose words are whose ------------------------------------------------------------------------

create_server('private');
my $secret = 'Dear Ms Ada, your blood test of Tuesday';
$simulator->fault(verb => 'notify', id => 'live-echo', action => 'status', status => 403,
	body => qq({"message":"cannot send: $secret"}));
$log = log_size($node);
sql(q{CREATE ROLE shop_a LOGIN IN ROLE reengage_application; CREATE ROLE shop_b LOGIN IN ROLE reengage_application;
	GRANT USAGE ON FOREIGN SERVER private TO reengage_application});
sql(qq{SET ROLE shop_a; INSERT INTO reengage.nudges (server, conversation_id, message)
	SELECT 'private', 'live-echo-' || n, '$secret' FROM generate_series(1, 2) n});
wait_for(sub { health($node, 'server private') =~ /^blocked: .*cannot send: \*\*\*/ }, 'an operator sees what the API said, but for what it repeats');
sql(q{SET ROLE shop_b; INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('private', 'live-other-shop', 'x')});
is(sql(q{SET ROLE shop_b; SELECT reason FROM reengage.nudge_status}),
	'server blocked: the API refused to notify (forbidden, HTTP status 403); an operator sees why in reengage.health',
	'another application sees that its nudge waits, and for what');
is(scalar log_lines($node, $log, qr/blood test/), 0, 'and no message is in the log');
$simulator->clear_faults;
sql(q{ALTER SERVER private OPTIONS (ADD timeout '9s')});
wait_until_ended($node);

ledger_matches_lineage($node, $simulator, 'the ledger and the lineage agree, nudge by nudge');
$node->stop;
done_testing();
