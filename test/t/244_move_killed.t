# A move is killed within its steps: at some row that a step writes, at either node, the
# backend that writes it ends, or the whole node crashes.  Called again it ends, undone all
# is as it was; and in the end each nudge was sent once.  The seed is MOVE_SEED, or one by
# chance; it is said.
use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator wait_until_ended poll_until psql_stderr);
use Moves qw(ask_by_front make_fleet digest move_server state_at sql);
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{MOVE_SEED} // int rand 1_000_000;
my $rounds = $ENV{MOVE_ROUNDS} // 12;
srand $seed;
note "MOVE_SEED=$seed";

my $simulator = start_simulator();
my $fleet = make_fleet($simulator, conf => "restart_after_crash = on\n");
my ($a, $b, $front) = @$fleet{qw(a b front)};
my ($asked, $ended) = (0, 150);

# Counts the rows that are written while it is to be, across transactions; the one that is
# meant ends its backend, or the node.
for my $node ($a, $b)
{
	sql($node, q{
		CREATE SCHEMA trap;
		CREATE SEQUENCE trap.rows;
		CREATE TABLE trap.set (at bigint NOT NULL, crash boolean NOT NULL);
		CREATE FUNCTION trap.spring() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
		DECLARE
			trap trap.set;
		BEGIN
			SELECT * INTO trap FROM trap.set;
			IF FOUND AND nextval('trap.rows') = trap.at THEN
				IF trap.crash THEN
					EXECUTE format('COPY (SELECT) TO PROGRAM %L', 'kill -9 ' || pg_backend_pid());
				END IF;
				PERFORM pg_terminate_backend(pg_backend_pid());
			END IF;
			RETURN NULL;
		END $$});
	for my $table (qw(nudges lineage due unresolved past_sessions policies pauses suppressions pruned_nudges shelved_due tally_changes server_moves))
	{
		sql($node, "CREATE TRIGGER trap AFTER INSERT OR UPDATE OR DELETE ON reengage.$table FOR EACH ROW EXECUTE FUNCTION trap.spring();
			ALTER TABLE reengage.$table ENABLE ALWAYS TRIGGER trap");
	}
}

sub set_trap { my ($node, $at, $crash) = @_; return sql($node, "SELECT setval('trap.rows', 1, false); INSERT INTO trap.set VALUES ($at, $crash)"); }
sub written { my ($node) = @_; return sql($node, 'SELECT last_value FROM trap.rows'); }
sub back { my ($node) = @_; return poll_until($node, 'postgres', 'SELECT true'); }
sub undo { return psql_stderr($front, q{CALL reengage.undo_move('genesys')}); }

# To be sent in the end.
sub ask { my ($count) = @_; return ask_by_front($front, $asked + 1, $asked += $count); }

sub all_is_right
{
	my ($here, $there, $name) = @_;
	my $copies = sql($there, q{SELECT concat_ws(' ', (SELECT count(*) FROM reengage.nudges), (SELECT count(*) FROM reengage.due), (SELECT count(*) FROM reengage.lineage WHERE xact_id = 0),
		(SELECT count(*) FROM reengage.shelved_due), (SELECT count(*) FROM reengage.past_sessions), (SELECT count(*) FROM pg_foreign_server), (SELECT count(*) FROM reengage.nudge_counts))});
	my $route = sql($front, q{SELECT node || ' ' || state FROM reengage_front.routes});
	return is("$copies|" . sql($here, 'SELECT reengage.recount()') . "|$route", '0 0 0 0 0 0 0|0|' . $here->name . ' open', "$name: it is at " . $here->name . ', and nothing of it elsewhere');
}

# ---- what there is ------------------------------------------------------------------------------

sql($a, qq{INSERT INTO reengage.nudges (server, conversation_id, message) SELECT 'genesys', 'closed-' || 9000 + i, 'hi' FROM generate_series(1, $ended) i});
wait_until_ended($a);
sql($a, q{
	INSERT INTO reengage.policies (server, max_length) VALUES ('genesys', 1000);
	SELECT reengage.suppress(conversation_id => 'live-9999', server => 'genesys');
	INSERT INTO reengage.pruned_nudges (nudge_id, day, server) SELECT gen_random_uuid(), current_date, 'genesys' FROM generate_series(1, 50);
	INSERT INTO reengage.past_sessions (lineage_id, occurred_at, generation, server, previous_conversation_id, conversation_id, root_conversation_id)
	SELECT gen_random_uuid(), now(), 1, 'genesys', 'past-' || i, 'of-' || i, 'past-' || i FROM generate_series(1, 50) i});
ask(150);

# how many rows a move writes at each node
set_trap($_, -1, 'false') for $a, $b;
is(move_server($front, 'genesys', 'b'), '', 'a move that nobody kills') or die('it does not even move');
my %rows = (leaving => written($a), coming => written($b));
note "it writes $rows{leaving} rows where it leaves, $rows{coming} where it comes to";
sql($_, 'TRUNCATE trap.set') for $a, $b;

# ---- killed, and called again or undone ----------------------------------------------------------

my ($here, $there) = ($b, $a);
my $killed = 0;
for my $round (1 .. $rounds)
{
	my $before = digest($here, 'genesys');
	my $elsewhere = digest($there, 'genesys');
	my $which = rand() < 0.5 ? 'leaving' : 'coming';
	my $victim = $which eq 'leaving' ? $here : $there;
	my $crash = rand() < 0.3 ? 'true' : 'false';
	my $at = 1 + int rand $rows{$which};
	set_trap($victim, $at, $crash);
	my $said = move_server($front, 'genesys', $there->name);
	back($_) for $a, $b;
	my $name = ($crash eq 'true' ? 'a crash' : 'an end') . ' of ' . $victim->name . " ($which) at row $at";
	my $step = sql($front, q{SELECT coalesce((SELECT step FROM reengage.moves WHERE ended_at IS NULL), 'ended')});
	$killed++ if $said ne '';
	note "round $round: $name, in step \"$step\": " . ($said =~ s/\n.*//sr);

	# sometimes once more, within what it does after that
	sql($victim, 'TRUNCATE trap.set');
	set_trap($victim, 1 + int rand 200, 'false') if rand() < 0.5;
	if (rand() < 0.4 && $step !~ /^(settle|let go|ended)$/)
	{
		my $err = undo();
		sql($_, 'TRUNCATE trap.set') for $a, $b;
		# it may have arrived without the front's knowing, or have been undone
		$err = undo() if $err ne '' && state_at($there, 'genesys') ne 'arrived' && sql($front, 'SELECT count(*) FROM reengage.moves WHERE ended_at IS NULL');
		if (state_at($there, 'genesys') ne 'arrived')
		{
			is(digest($here, 'genesys') . digest($there, 'genesys'), $before . $elsewhere, "$name, undone from \"$step\": all is as it was");
			all_is_right($here, $there, $name);
			ask(1);
			next;
		}
	}
	move_server($front, 'genesys', $there->name) if sql($front, 'SELECT count(*) FROM reengage.moves WHERE ended_at IS NULL');
	sql($_, 'TRUNCATE trap.set') for $a, $b;
	is(sql($front, 'SELECT count(*) FROM reengage.moves WHERE ended_at IS NULL') ? move_server($front, 'genesys', $there->name) : '', '', "$name, in step \"$step\": called again it ends");
	($here, $there) = ($there, $here);
	is(digest($here, 'genesys'), $before, 'and all is there');
	all_is_right($here, $there, $name);
	ask(1);
}
cmp_ok($killed, '>', $rounds / 2, "$killed of $rounds moves were killed");

# ---- nothing twice, nothing lost ------------------------------------------------------------------

sql($here, q{UPDATE reengage.due SET due_at = now(); SELECT reengage_internal.wake('-infinity')});
wait_until_ended($here);
is(sql($here, 'SELECT count(DISTINCT nudge_id) FROM reengage.lineage'), $asked + $ended, 'each nudge has an outcome');
is(scalar(() = $simulator->effects), $asked + $ended, 'and was sent once');
is(sql($a, 'SELECT count(*) FROM reengage.lineage WHERE xact_id > 0') + sql($b, 'SELECT count(*) FROM reengage.lineage WHERE xact_id > 0'), $asked + $ended,
	'and each is recorded where it was sent, and nowhere else as that');

$_->stop for $front, $a, $b;
done_testing();
