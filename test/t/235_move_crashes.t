# A move is broken off after each of its steps, by a crash of the front or of either node,
# and between the commit there and the commit here: called again it ends, undone all is as
# it was, byte for byte; and in the end each nudge was sent once.
use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator wait_until_ended wait_for poll_until);
use Moves qw(ask_by_front make_fleet digest move_server state_at sql);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $fleet = make_fleet($simulator);
my ($a, $b, $front) = @$fleet{qw(a b front)};
my @steps = ('begin', 'accept', 'preflight', 'copy ids', 'copy history', 'copy due', 'drain', 'expect', 'route', 'close', 'copy rest', 'depart', 'arrive', 'settle', 'let go');
my ($asked, $rounds) = (0, 0);

# To be sent in the end.
sub ask { my ($count) = @_; return ask_by_front($front, $asked + 1, $asked += $count); }

# Takes steps until this one has been taken, and notes it as if the commit here had been lost.
sub stop_after
{
	my ($to, $step) = @_;

	sql($front, qq{
		CREATE TEMPORARY TABLE before AS TABLE reengage_front.moves;
		CREATE PROCEDURE pg_temp.go() LANGUAGE plpgsql AS \$\$
		DECLARE
			step text := reengage_front.move_begin('genesys', '$to');
			was text;
		BEGIN
			COMMIT;
			LOOP
				was := step;
				DELETE FROM pg_temp.before;
				INSERT INTO pg_temp.before SELECT * FROM reengage_front.moves m WHERE m.ended_at IS NULL;
				step := reengage_front.move_take_step('genesys');
				COMMIT;
				EXIT WHEN was = '$step' AND (step <> was OR was = 'let go');
			END LOOP;
			-- what was noted here is lost, and what was done there is not
			IF was <> 'let go' THEN
				UPDATE reengage_front.moves m SET step = o.step, positions = o.positions, held_from = o.held_from FROM pg_temp.before o WHERE o.move_id = m.move_id;
			END IF;
		END \$\$;
		CALL pg_temp.go()});
	return;
}

sub crash
{
	my $node = ($front, $a, $b)[ $rounds++ % 3 ];
	$node->stop('immediate');
	$node->start;
	return $node->name;
}

sub route { return sql($front, q{SELECT node || ' ' || state FROM reengage_front.routes WHERE server = 'genesys'}); }

# What is sent, and whether anything is there that should not be.
sub all_is_right
{
	my ($here, $there, $name) = @_;
	my $copies = sql($there, q{SELECT concat_ws(' ', (SELECT count(*) FROM reengage.nudges), (SELECT count(*) FROM reengage.due), (SELECT count(*) FROM reengage.lineage WHERE xact_id = 0),
		(SELECT count(*) FROM reengage.shelved_due), (SELECT count(*) FROM pg_foreign_server), (SELECT count(*) FROM reengage.nudge_counts))});
	is($copies . '|' . sql($here, 'SELECT reengage.recount()') . '|' . route(), '0 0 0 0 0 0|0|' . $here->name . ' open', "$name: it is here, and nothing of it there");
	return;
}

# ---- what has ended, what is due, what is in doubt --------------------------------------------

sql($a, q{INSERT INTO reengage.nudges (server, conversation_id, message) SELECT 'genesys', 'closed-' || 9000 + i, 'hi' FROM generate_series(1, 20) i});
wait_until_ended($a);
$simulator->fault(verb => 'notify', action => 'status_after', status => 500, times => 2);
sql($a, q{INSERT INTO reengage.nudges (server, conversation_id, message) SELECT 'genesys', 'live-' || 9100 + i, 'hi' FROM generate_series(1, 4) i});
wait_until_ended($a);
$simulator->clear_faults;
my $ended = 24;
my $doubts = sql($a, 'SELECT count(*) FROM reengage.in_doubt');
note "$doubts are in doubt";
ask(30);

# ---- undone after each step ---------------------------------------------------------------------

for my $step (@steps[0 .. 11])
{
	my $before = digest($a, 'genesys');
	my $there = digest($b, 'genesys');
	stop_after('b', $step);
	my $crashed = crash();
	sql($front, q{CALL reengage.undo_move('genesys')});
	is(digest($a, 'genesys') . digest($b, 'genesys'), $before . $there, "undone after \"$step\" and a crash of $crashed, all is as it was");
	all_is_right($a, $b, $step);
	ask(1);
}

# ---- called again after each step, there and back -----------------------------------------------

my ($here, $there) = ($a, $b);
for my $step (@steps)
{
	my $before = digest($here, 'genesys');
	stop_after($there->name, $step);
	my $crashed = crash();
	is(move_server($front, 'genesys', $there->name), '', "broken off after \"$step\" and a crash of $crashed it goes on");
	($here, $there) = ($there, $here);
	is(digest($here, 'genesys'), $before, 'and all is there');
	all_is_right($here, $there, $step);
	ask(1);
}
is(sql($here, 'SELECT count(*) FROM reengage.in_doubt') . '|' . sql($there, 'SELECT count(*) FROM reengage.in_doubt'), "$doubts|0", 'doubts are where the server is');

# ---- nothing twice, nothing lost ------------------------------------------------------------------

sql($here, q{UPDATE reengage.due SET due_at = now(); SELECT reengage_internal.wake('-infinity')});
wait_until_ended($here);
is(sql($here, 'SELECT count(DISTINCT nudge_id) FROM reengage.lineage'), $asked + $ended, 'each nudge has an outcome');
my %effects;
$effects{ $_->{customer} // $_->{conversation_id} }++ for $simulator->effects;
is(scalar($simulator->effects), $asked + $ended, 'and was sent once');
is(sql($a, 'SELECT count(*) FROM reengage.lineage WHERE xact_id > 0') + sql($b, 'SELECT count(*) FROM reengage.lineage WHERE xact_id > 0'), $asked + $ended,
	'and each is recorded where it was sent, and nowhere else as that');

$_->stop for $front, $a, $b;
done_testing();
