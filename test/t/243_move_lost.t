# A move when the nodes do not hear each other, or one of them is lost for good: what was
# said where a server was holds where it comes to, nothing is sent by two nodes, and a node
# that comes back after all sends nothing of what was given to the other.
use strict;
use warnings FATAL => 'all';

use Moves qw(make_fleet digest move_server move_up_to state_at sql);
use News qw(hear heard_all);
use PostgreSQL::Test::Utils;
use Reengage qw(start_simulator set_credentials nudge wait_until_ended wait_for poll_until psql_stderr);
use Test::More;

my $simulator = start_simulator();
my $fleet = make_fleet($simulator);
my ($a, $b, $front) = @$fleet{qw(a b front)};

sub route { return sql($front, q{SELECT node || ' ' || state FROM reengage_front.routes WHERE server = 'genesys'}); }
sub outcome_of { my ($node, $conversation) = @_; return sql($node, "SELECT string_agg(outcome, ' ') FROM reengage.lineage WHERE requested_conversation_id = '$conversation' AND xact_id > 0"); }
sub all_copied { my ($node) = @_; return sql($node, q{SELECT (SELECT count(*) FROM reengage.nudges), (SELECT count(*) FROM reengage.due), (SELECT count(*) FROM pg_foreign_server), (SELECT count(*) FROM reengage.nudge_counts)}); }
sub undo { my ($arguments) = @_; return psql_stderr($front, "CALL reengage.undo_move($arguments)"); }

sub address_of { my ($conversation) = @_; return sprintf '+1317555%04d', $conversation =~ /(\d+)/; }

sub ask
{
	my ($node, $conversation, $due) = @_;
	return sql($node, "INSERT INTO reengage.nudges (server, conversation_id, message, address, channel, due_at) VALUES ('genesys', '$conversation', 'x', '" . address_of($conversation) . "', 'sms', now() + interval '$due') RETURNING nudge_id");
}

sub make_due { my ($node) = @_; return sql($node, q{UPDATE reengage.due SET due_at = now(); SELECT reengage_internal.wake('-infinity')}); }

ask($a, "live-$_", '1 day') for 1 .. 5;
hear($b, $a);
hear($a, $b);
ok(heard_all($a, $b), 'the nodes hear each other');

# ---- the last word ----------------------------------------------------------------------------

# somebody has, so that the nodes' hearing each other matters
sql($a, q{SELECT reengage.suppress(address => '+13175550999', channel => 'sms')});
ok(heard_all($a, $b), 'who opted out is known at both');

# before it is closed: it is sent for where it was
move_up_to($front, 'genesys', 'b', 'close');
sql($b, 'ALTER SUBSCRIPTION reengage_news_a DISABLE');
$b->poll_query_until('postgres', q{SELECT state = 'disabled' FROM reengage.news_state WHERE node = 'a'});
like(move_server($front, 'genesys', 'b', patience => '1 s'),
	qr/could not be handed over\nDETAIL:  Node "b" has not heard yet who opted out, or answered, at node "a": reengage\.news_state there says "disabled"\.\nHINT:  It is sent for where it was/,
	'a server does not leave before the other node has heard who opted out');
is(state_at($a, 'genesys') . ' ' . route(), 'leaving a moving', 'it is sent for where it was');
sql($b, 'ALTER SUBSCRIPTION reengage_news_a ENABLE');
ok(heard_all($a, $b), 'it hears again');

# in the last moment: who opts out where the server still is is not written to where it comes to
move_up_to($front, 'genesys', 'b', 'depart');
sql($b, 'ALTER SUBSCRIPTION reengage_news_a DISABLE');
$b->poll_query_until('postgres', q{SELECT state = 'disabled' FROM reengage.news_state WHERE node = 'a'});
sql($a, "SELECT reengage.suppress(address => '" . address_of('live-1') . "', channel => 'sms')");
like(move_server($front, 'genesys', 'b', patience => '1 s'),
	qr/could not be handed over\nDETAIL:  Node "b" has not heard yet.*"disabled"\.\nHINT:  Until then nothing of it is sent\. Have it hear that, and CALL reengage\.move_server\(\) again/,
	'nor does it arrive before');
is(state_at($a, 'genesys') . ' ' . state_at($b, 'genesys'), 'departed expecting', 'nobody sends for it meanwhile');
sql($b, 'ALTER SUBSCRIPTION reengage_news_a ENABLE');
is(move_server($front, 'genesys', 'b'), '', 'then it does');
make_due($b);
wait_until_ended($b);
is(outcome_of($b, 'live-1') . ' ' . outcome_of($b, 'live-2'), 'suppressed notified', 'who opted out in the last moment is not written to');

# ---- the node that it comes to is lost before it arrives ----------------------------------------

ask($b, "live-$_", '1 day') for 11 .. 15;
my $before = digest($b, 'genesys');
move_up_to($front, 'genesys', 'a', 'depart');
like(undo(q{'genesys', lost => 'a'}), qr/node "a" is not lost: it answers/, 'a node that answers is not lost');
like(undo(q{'genesys', lost => 'z'}), qr/moves from node "b" to node "a"\nDETAIL:  Node "z" has no part in it/, 'nor one that has nothing to do with it');
$a->stop('immediate');
like(undo(q{'genesys'}), qr/connect|refused|terminat|closed/i, 'without that it is not undone while the node is away');
my $said = undo(q{'genesys', lost => 'a'});
like($said, qr/NOTICE:  nothing of server "genesys" has been sent by node "a"/, 'it is undone without it, and nothing can be sent twice');
unlike($said, qr/ERROR|WARNING/, 'as is said');
is(digest($b, 'genesys') . route(), $before . 'b open', 'the other is as it was');
$a->start;
is(state_at($a, 'genesys'), 'expecting', 'the node comes back, and believes that it is to come');
like(move_server($front, 'genesys', 'a'), qr/there is a server "genesys" already/, 'it does not come there before that is cleared');
is(undo(q{'genesys'}), '', 'undone once more');
is(all_copied($a) . ' ' . state_at($a, 'genesys'), '0|0|0|0 undone', 'nothing of it is left there');
is(digest($b, 'genesys') . route(), $before . 'b open', 'and the other is as it was');
like(undo(q{'genesys'}), qr/no move of server "genesys" is under way/, 'that is all');

# ---- ... or in that moment ----------------------------------------------------------------------

my $effects = () = $simulator->effects;
ok(heard_all($a, $b), 'they hear each other again');
move_up_to($front, 'genesys', 'a', 'arrive');
# it arrives, and nobody learns that
sql($front, q{
	BEGIN;
	SELECT reengage_front.move_take(reengage_front.move_find('genesys'));
	SELECT reengage_front.move_take_step('genesys');
	ROLLBACK});
sql($a, q{SELECT reengage_internal.move_arrive('genesys', m.move_id, '[]') FROM reengage.server_moves m WHERE m.server = 'genesys'});
is(state_at($a, 'genesys'), 'arrived', 'it has arrived');
$a->stop('immediate');
$said = undo(q{'genesys', lost => 'a'});
like($said, qr/WARNING:  up to 5 nudges of server "genesys" may be sent twice\nDETAIL:.*\nHINT:  Make sure that it does not run/, 'it is undone without it, and what may be sent twice is said');
is(digest($b, 'genesys') . route(), $before . 'b open', 'the other is as it was');
$a->start;
make_due($a);
like(psql_stderr($a, q{SET statement_timeout = '2s'; INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('genesys', 'live-99', 'x')}),
	qr/statement timeout|has not arrived/, 'the node comes back, and takes nothing in');
# its worker is awake: it sends for another server
set_credentials($a, servers => [qw(genesys another)]);
sql($a, qq{CREATE SERVER another FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}')});
nudge($a, 'live-98', server => q{'another'});
wait_until_ended($a, where => "n.conversation_id = 'live-98'");
is(scalar(() = $simulator->effects), $effects + 1, 'nor does it send anything of the server');
is(undo(q{'genesys'}), '', 'undone once more');
is(sql($a, q{SELECT count(*) FROM reengage.nudges WHERE server = 'genesys'}) . ' ' . state_at($a, 'genesys'), '0 undone', 'nothing of it is left there');
is(sql($a, 'SELECT reengage.recount()') + sql($b, 'SELECT reengage.recount()'), 0, 'both count right');
is(digest($b, 'genesys'), $before, 'and the other is as it was');

# ---- the node that it leaves is lost -------------------------------------------------------------

move_up_to($front, 'genesys', 'a', 'copy history');
$b->stop('immediate');
like(move_server($front, 'genesys', 'a', lost => 'b'), qr/cannot come to node "a" without node "b"\nDETAIL:  Not all of it has been copied: the next step is "copy history"/, 'before all is copied it cannot go on');
unlike(undo(q{'genesys', lost => 'b'}), qr/ERROR/, 'it is undone where it came to');
is(sql($a, q{SELECT count(*) FROM reengage.nudges WHERE server = 'genesys'}) . ' ' . state_at($a, 'genesys'), '0 undone', 'where nothing of it is left');
$b->start;
is(undo(q{'genesys'}), '', 'and where it was, once that is back');
is(digest($b, 'genesys') . route() . sql($b, 'SELECT count(*) FROM reengage.server_moves'), $before . 'b open0', 'as it was');
ok(heard_all($a, $b), 'they hear each other again');

move_up_to($front, 'genesys', 'a', 'depart');
$b->stop('immediate');
like(move_server($front, 'genesys', 'a'), qr/connect|refused|terminat|closed/i, 'all has been copied, and the node that it leaves is away');
like(undo(q{'genesys', lost => 'b'}), qr/all of server "genesys" is at node "a"\nDETAIL:.*\nHINT:  CALL reengage\.move_server\('genesys', 'a', lost => 'b'\)/, 'it is not undone then');
$said = move_server($front, 'genesys', 'a', lost => 'b');
like($said, qr/WARNING:  node "a" may not have heard who opted out at node "b"/, 'it goes on without it, and what may be missing is said');
unlike($said, qr/ERROR/, 'and arrives');
is(state_at($a, 'genesys') . ' ' . route(), 'arrived a open', 'it is there');
make_due($a);
wait_until_ended($a, where => "n.server = 'genesys'");
is(sql($a, q{SELECT count(*) FROM reengage.lineage WHERE server = 'genesys' AND xact_id > 0 AND outcome = 'notified' AND requested_conversation_id ~ 'live-1[1-5]'}), 5, 'and sent for');
$b->start;
is(state_at($b, 'genesys'), 'closed', 'the node comes back, and has not let it depart');
like(psql_stderr($b, q{INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('genesys', 'live-97', 'x')}), qr/is being moved to node "a"/, 'nor takes anything in');
ok(heard_all($a, $b), 'they hear each other again');
is(move_server($front, 'genesys', 'a'), '', 'once more');
is(all_copied($b) . ' ' . state_at($b, 'genesys'), '0|0|0|0 gone', 'then it lets go of it');
is(route(), 'a open', 'which is where it was sent for');
is(sql($a, 'SELECT reengage.recount()') + sql($b, 'SELECT reengage.recount()'), 0, 'both count right');
my %effects;
$effects{ $_->{conversation_id} // '' }++ for $simulator->effects;
is(join(' ', grep { $effects{$_} > 1 } sort keys %effects), '', 'nothing was sent twice');

$_->stop for $front, $a, $b;
done_testing();
