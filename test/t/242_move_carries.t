# What a move carries besides what is due: calls of which nobody knows whether they had
# their effect, doubts, ids of nudges that are gone, how threads went on.  Done by a role
# that has nothing but the right to move: no superuser, on the front or at a node.
use strict;
use warnings FATAL => 'all';

use Moves qw(make_fleet digest move_server move_up_to state_at sql);
use PostgreSQL::Test::Utils;
use Reengage qw(start_simulator nudge wait_until_ended wait_for poll_until due_row outcome psql_stderr);
use Test::More;

my $simulator = start_simulator('--honour-keys');
my $fleet = make_fleet($simulator, server_options => q(timeout '5s', max_attempts '6', idempotency 'key', key_lifetime '1h'));
my ($a, $b, $front) = @$fleet{qw(a b front)};
my $old = '01900000-0000-4000-8000-000000000001';

sql($_, 'CREATE ROLE mover LOGIN IN ROLE reengage_fleet') for $a, $b;
sql($front, q{CREATE ROLE mover LOGIN IN ROLE reengage_fleet; SELECT reengage_front.map_role('mover')});

sub as_mover
{
	my ($statement) = @_;
	my ($out, $err) = ('', '');
	$front->psql('postgres', $statement, stdout => \$out, stderr => \$err, connstr => $front->connstr('postgres') . ' user=mover');
	return $out . $err;
}

sub tombstones { my ($node) = @_; return sql($node, q{SELECT count(*), md5(string_agg(nudge_id::text, '' ORDER BY nudge_id)) FROM reengage.pruned_nudges WHERE server = 'genesys'}); }
sub sent { my ($conversation) = @_; return scalar grep { ($_->{conversation_id} // '') eq $conversation || ($_->{id} // '') eq $conversation } $simulator->effects; }

# ---- what has ended long ago, and is gone -------------------------------------------------------

nudge($a, 'live-old', nudge_id => "'$old'");
nudge($a, "closed-old-$_") for 1 .. 3;
wait_until_ended($a);
my $led_to = sql($a, q{SELECT conversation_id FROM reengage.lineage WHERE previous_conversation_id = 'closed-old-1'});
sql($a, q{
	SET session_replication_role = replica;
	UPDATE reengage.nudges SET requested_at = requested_at - interval '100 days', due_at = due_at - interval '100 days';
	UPDATE reengage.lineage SET requested_at = requested_at - interval '100 days', due_at = due_at - interval '100 days',
		called_at = called_at - interval '100 days', occurred_at = occurred_at - interval '100 days', recorded_at = recorded_at - interval '100 days'});
sql($a, q{CALL reengage.prune(keep => '30 days')});
is(sql($a, 'SELECT (SELECT count(*) FROM reengage.lineage), (SELECT count(*) FROM reengage.nudges), (SELECT count(*) FROM reengage.past_sessions), (SELECT count(*) FROM reengage.pruned_nudges)'),
	'0|0|3|4', 'what is old has been pruned');
# more than one page of either
sql($a, q{
	INSERT INTO reengage.past_sessions (lineage_id, occurred_at, generation, server, previous_conversation_id, conversation_id, root_conversation_id)
	SELECT gen_random_uuid(), now() - interval '200 days', 1, 'genesys', md5(i::text), 'of ' || i, md5(i::text) FROM generate_series(1, 12000) i;
	INSERT INTO reengage.pruned_nudges (nudge_id, day, server) SELECT gen_random_uuid(), current_date - 10, 'genesys' FROM generate_series(1, 12000) i});

# ---- what nobody knows -----------------------------------------------------------------------

# in doubt: a call whose answer was lost, and the same call again was refused
$simulator->fault(verb => 'create', id => 'closed-doubt', action => 'close_after', times => 1);
$simulator->fault(verb => 'create', id => 'closed-doubt', action => 'status', status => 422, times => 1);
nudge($a, 'closed-doubt');
nudge($a, 'live-recent');
wait_until_ended($a);
is(outcome($a, 'closed-doubt'), 'in_doubt http_422 create', 'a doubt');
# unresolved: its answer was lost, and it is too early for the same call again
my %unresolved;
for my $case ([ 'live-had', 'notify', 'close_after' ], [ 'live-had-not', 'notify', 'close_before' ], [ 'closed-had', 'create', 'close_after' ], [ 'closed-had-not', 'create', 'close_before' ])
{
	my ($conversation, $verb, $action) = @$case;
	$simulator->fault(verb => $verb, id => $conversation, action => $action, times => 1);
	$simulator->fault(verb => $verb, id => $conversation, action => 'status', status => 425, retry_after => '900', times => 1);
	$unresolved{$conversation} = nudge($a, $conversation);
	wait_for(sub { my $due = due_row($a, $conversation); $due && $due->{attempt} == 2 }, "the $verb of $conversation is unresolved");
}
is(sql($a, 'SELECT count(*) FROM reengage.unresolved'), 4, 'four calls may have had their effect');
sql($a, q{
	INSERT INTO reengage.policies (server, max_length) VALUES ('genesys', 1000);
	INSERT INTO reengage.nudges (server, conversation_id, message, due_at) SELECT 'genesys', 'live-' || i, 'later', now() + interval '1 day' FROM generate_series(1, 30) i});
my %keys = map { my $id = $_; $id => join ' ', map { $_->{idempotency_key} // $_->{key} // '?' } grep { $_->{verb} =~ /notify|create/ } $simulator->requests("id=$id") } keys %unresolved;

# ---- by whom, and to where ---------------------------------------------------------------------

my $before = digest($a, 'genesys');
my $gone = tombstones($a);
my $nothing = digest($b, 'genesys');

# broken off by somebody who holds it open, and undone
my $holder = $a->background_psql('postgres');
$holder->query_safe(q{BEGIN; SELECT reengage_internal.admit('genesys')});
like(move_server($front, 'genesys', 'b', patience => '1 s', as => 'mover'), qr/could not be handed over.*waits for process \d+/s, 'who may move, and nothing else, moves it, and waits');
is(sql($b, 'SELECT count(*) FROM reengage.past_sessions'), 12003, 'the most of it has been copied');
# retention would take away what has been copied, and from where it is read no more
sql($a, q{SET session_replication_role = replica; UPDATE reengage.lineage SET recorded_at = recorded_at - interval '60 days', occurred_at = occurred_at - interval '60 days';
	UPDATE reengage.nudges n SET requested_at = requested_at - interval '60 days' WHERE NOT EXISTS (SELECT FROM reengage.due d WHERE d.nudge_id = n.nudge_id)});
$before = digest($a, 'genesys');
sql($_, q{CALL reengage.prune(keep => '30 days')}) for $a, $b;
is(digest($a, 'genesys'), $before, 'retention leaves alone what is being moved');
$holder->query_safe('COMMIT');
$holder->quit;
is(as_mover(q{CALL reengage.undo_move('genesys')}), '', 'and undoes it');
is(digest($a, 'genesys') . digest($b, 'genesys') . tombstones($b), $before . $nothing . '0|', 'all is as it was');

is(move_server($front, 'genesys', 'b', as => 'mover'), '', 'moves it');
is(digest($b, 'genesys'), $before, 'with all that is known of it');
is(tombstones($b), $gone, 'also the ids of what is gone');
is(sql($a, q{SELECT count(*) FROM reengage.past_sessions}), 0, 'of which nothing stays');
like(as_mover(q{SELECT count(*) FROM reengage.nudge_status}), qr/permission denied/, 'more that role may not');
like(as_mover(q{SELECT reengage_front.set_nodes('{}')}), qr/permission denied/, 'nor make a fleet');

# ---- it goes on there --------------------------------------------------------------------------

sql($b, "BEGIN; UPDATE reengage.due SET due_at = now() WHERE nudge_id IN (" . join(', ', map { "'$_'" } values %unresolved) . q{); SELECT reengage_internal.wake(now()); COMMIT});
poll_until($b, 'postgres', q{SELECT NOT EXISTS (SELECT FROM reengage.unresolved)});
for my $conversation (sort keys %unresolved)
{
	poll_until($b, 'postgres', "SELECT EXISTS (SELECT FROM reengage.lineage l WHERE l.nudge_id = '$unresolved{$conversation}')");
	is(outcome($b, $conversation), $conversation =~ /^live/ ? 'notified - notify' : 'session_created - create', "$conversation is found out where it is now");
	my %used = map { ($_->{idempotency_key} // $_->{key} // '?') => 1 } grep { $_->{verb} =~ /notify|create/ } $simulator->requests("id=$conversation");
	is(scalar(keys %used), 1, 'by the key that it had');
}
is(sql($front, 'SELECT node FROM reengage.in_doubt'), 'b', 'the doubt is there, too');
sql($front, q{SELECT reengage.resolve(lineage_id, 'sent', 'somewhere') FROM reengage.in_doubt});
is(sql($front, 'SELECT count(*) FROM reengage.in_doubt') . sql($b, q{SELECT count(*) FROM reengage.lineage WHERE resolves IS NOT NULL}), '01', 'and is settled there');

my $requests = () = $simulator->requests;
sql($front, qq{INSERT INTO reengage.nudges (nudge_id, server, conversation_id, message) VALUES ('$old', 'genesys', 'live-old', 'again') ON CONFLICT DO NOTHING});
is(sql($b, qq{SELECT count(*) FROM reengage.nudges WHERE nudge_id = '$old'}), 0, 'who asks for what was pruned before asks for nothing');
my $followed = nudge($b, 'closed-old-1');
poll_until($b, 'postgres', "SELECT EXISTS (SELECT FROM reengage.lineage l WHERE l.nudge_id = '$followed')");
is(sql($b, "SELECT outcome || ' ' || conversation_id FROM reengage.lineage WHERE nudge_id = '$followed'"), "notified $led_to", 'a thread whose lineage was pruned is followed to where it went');

my %effects;
$effects{ $_->{idempotency_key} // $_->{key} // '' }++ for $simulator->effects;
is(join(' ', grep { $effects{$_} > 1 } sort keys %effects), '', 'nothing had its effect twice');
is(sql($b, 'SELECT reengage.recount()') + sql($a, 'SELECT reengage.recount()'), 0, 'both count right');

$_->stop for $front, $a, $b;
done_testing();
