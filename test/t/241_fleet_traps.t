# What else goes wrong in a fleet if nobody thinks of it: policies that came with a server,
# a transaction that is prepared while it leaves, and whose node is started again.
use strict;
use warnings FATAL => 'all';

use Moves qw(make_fleet move_server state_at sql);
use PostgreSQL::Test::Utils;
use Reengage qw(start_simulator wait_until_ended poll_until psql_stderr);
use Test::More;

my $simulator = start_simulator();
my $fleet = make_fleet($simulator, nodes => [qw(a b c)], conf => "max_prepared_transactions = 2\n");
my ($a, $b, $c, $front) = @$fleet{qw(a b c front)};

sub ask { my ($at, $campaign, $id) = @_; return psql_stderr($at, "INSERT INTO reengage.nudges (nudge_id, server, conversation_id, message, campaign) VALUES ('$id', 'genesys', 'live-1', 'x', '$campaign') ON CONFLICT DO NOTHING"); }
sub id { return sprintf '00000000-0000-4000-8000-%012d', $_[0]; }

# Takes the steps of a move up to one, which is not taken.
sub move_up_to
{
	my ($server, $to, $step) = @_;
	my $next = qq{SELECT \$\$SELECT reengage_front.move_take_step('$server')\$\$ FROM reengage.moves WHERE ended_at IS NULL AND step <> '$step' \\gexec\n};

	sql($front, "SELECT reengage_front.move_begin('$server', '$to');\n" . $next x 50);
	is(sql($front, 'SELECT step FROM reengage.moves WHERE ended_at IS NULL'), $step, "a move that is broken off before $step");
}

# ---- what was promised at each node that it has been at -----------------------------------------

sql($a, q{INSERT INTO reengage.policies (server, cap, cap_interval) VALUES ('genesys', 3, '30 days')});
my ($at, $number) = ($a, 0);
for my $to ($b, $a, $c)
{
	ask($front, 'before', id(++$number));
	wait_until_ended($at);
	is(move_server($front, 'genesys', $to->name), '', 'the server moves to ' . $to->name);
	is(ask($_, 'again', id($number)), '', 'an id that was asked for is asked for again') for $front, $to;
	like(ask($_, 'again', id(1)), qr/server "genesys" (was moved to node|of a nudge does not exist)/, 'not where it is not') for grep { $_ != $to } $a, $b, $c;
	$at = $to;
}
ask($front, 'too many', id(4));
wait_until_ended($at);
is(sql($at, q{SELECT string_agg(concat_ws(' ', campaign, outcome, reason), ', ' ORDER BY lineage_id) FROM reengage.lineage}),
	'before notified, before notified, before notified, too many capped cap_3_in_30_days', 'a cap counts what was sent at all of them, once');
is(scalar($simulator->effects), 3, 'and no more was sent');
is(join(' ', map { sql($_, 'SELECT count(*) FILTER (WHERE xact_id > 0) FROM reengage.lineage') } $a, $b, $c), '2 1 1', 'each is recorded where it happened');

# ---- prepared ----------------------------------------------------------------------------------

move_up_to('genesys', 'a', 'expect');
sql($c, q{BEGIN; INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('genesys', 'live-2', 'x'); PREPARE TRANSACTION 'asked'});
move_up_to('genesys', 'a', 'close');
sql($front, q{SELECT reengage_front.move_begin('genesys', 'a'); SELECT reengage_front.move_take_step('genesys')}) for 1 .. 2;
$c->restart;
like(move_server($front, 'genesys', 'a', patience => '0 seconds'), qr/could not be handed over\nDETAIL:  At node "c" it still waits for a prepared transaction/,
	'who is prepared is waited for, by whatever name');
sql($c, q{COMMIT PREPARED 'asked'});
is(move_server($front, 'genesys', 'a'), '', 'then it moves');
wait_until_ended($a);
is(scalar($simulator->effects), 4, 'with what was asked for');

$_->stop for $front, $a, $b, $c;
done_testing();
