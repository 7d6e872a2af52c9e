# What else goes wrong in a fleet if nobody thinks of it: policies that came with a server,
# a transaction that is prepared while it leaves, and whose node is started again, two
# servers that change places, a front that does not know what its nodes know, a copy that has
# the subscriptions of its node.
use strict;
use warnings FATAL => 'all';

use Moves qw(make_fleet move_server state_at sql);
use News qw(hear);
use PostgreSQL::Test::Utils;
use Reengage qw(start_simulator wait_until_ended psql_stderr set_credentials start_psql finish_psql poll_until wait_for log_lines);
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

# ---- what is published there as version 1.0 did ---------------------------------------------------

sql($b, q{SELECT reengage.publish('bi')});
my $tables = sql($b, q{SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_publication_tables WHERE pubname = 'bi'});
sql($b, "ALTER PUBLICATION bi SET TABLE $tables");
like(move_server($front, 'genesys', 'b'), qr/cannot be moved to node "b"\nDETAIL:  publication "bi" would publish once more what comes along/, 'a publication that would tell its readers again is named');
is(sql($b, q{SELECT reengage.publish('bi')}), 'repaired', 'and is told');

# ---- two at once --------------------------------------------------------------------------------

set_credentials($_, servers => [ 'genesys', 'south' ]) for $a, $b, $c;
sql($b, "CREATE SERVER south FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}', max_requests_per_minute '0', max_failures '0')");
sql($front, 'SELECT reengage_front.refresh()');
sql($front, "INSERT INTO reengage.nudges (server, conversation_id, message) SELECT s, 'live-' || s || i, 'x' FROM generate_series(1, 50) i, unnest('{genesys,south}'::text[]) s");
my @crossing = (start_psql($front, "CALL reengage.move_server('genesys', 'b')"), start_psql($front, "CALL reengage.move_server('south', 'a')"));
my @asking = map { my $server = $_; start_psql($front, join '; ', map { "INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('$server', 'live-1$_', 'x')" } 1 .. 50) } 'genesys', 'south';
my @looking = map { start_psql($front, 'SELECT reengage_front.refresh()') } 1 .. 2;
is(join('', map { finish_psql($_) } @crossing, @asking), '', 'two servers that change places, while both are asked for and the front looks anew');
finish_psql($_) for @looking;
is(sql($front, q{SELECT string_agg(server || ' ' || node || ' ' || state, ', ' ORDER BY server) FROM reengage_front.routes}), 'genesys b open, south a open', 'each is where the other was');
wait_until_ended($_) for $a, $b;
my %sent;
$sent{ $_->{nudge_id} }++ for $simulator->effects;
is(keys(%sent) . ' ' . scalar(grep { $_ > 1 } values %sent), '204 0', 'nothing is lost, or sent twice');
is(sql($_, 'SELECT reengage.recount()'), 0, 'and it is counted') for $a, $b;

# ---- what the front does not know ----------------------------------------------------------------

my $nodes = join ', ', map { sprintf '"%s": "%s user=%s"', $_, $fleet->{$_}->connstr('postgres') =~ s{"}{}gr, scalar getpwuid($<) } qw(a b c);
$nodes =~ s/'/''/g;
my $without_c = $nodes =~ s/, "c".*//r;

move_up_to('genesys', 'c', 'copy due');
like(psql_stderr($front, "SELECT reengage_front.set_nodes('{$without_c}')"), qr/node "c" is left out, and a server is being moved there/, 'a node that a server moves to is not left out');
like(psql_stderr($front, q{SELECT reengage_front.drop_route('genesys')}), qr/server "genesys" is being moved/, 'nor its route');
for my $step ('copy due', 'copy rest', 'arrive')
{
	move_up_to('genesys', 'c', $step);
	sql($front, "DROP EXTENSION reengage_front CASCADE; CREATE EXTENSION reengage_front; SELECT reengage_front.set_nodes('{$nodes}')");
	is(psql_stderr($front, q{CALL reengage.undo_move('genesys')}), '', 'a front that was made anew undoes a move that it has not begun');
	is(join(' ', sql($front, q{SELECT node, state FROM reengage_front.routes WHERE server = 'genesys'}), state_at($c, 'genesys'), sql($b, 'SELECT count(*) FROM reengage.server_moves')), 'b|open undone 1', 'all is as it was');
}
move_up_to('genesys', 'c', 'settle');
sql($front, "DROP EXTENSION reengage_front CASCADE; CREATE EXTENSION reengage_front; SELECT reengage_front.set_nodes('{$nodes}')");
is(move_server($front, 'genesys', 'c'), '', 'and ends one that has arrived');
is(join(' ', state_at($b, 'genesys'), state_at($c, 'genesys')), 'gone arrived', 'at both');
like(psql_stderr($front, q{CALL reengage.undo_move('genesys')}), qr/no move of server "genesys" is under way/, 'then there is none');

move_up_to('genesys', 'a', 'copy due');
sql($front, 'CREATE TABLE before AS SELECT * FROM reengage_front.moves; CREATE TABLE routed AS SELECT * FROM reengage_front.routes');
move_up_to('genesys', 'a', 'let go');
# as it is in a dump
sql($front, q{DELETE FROM reengage_front.moves; INSERT INTO reengage_front.moves SELECT * FROM before; SELECT reengage_front.set_route(server, node, state) FROM routed});
like(psql_stderr($front, q{CALL reengage.undo_move('genesys')}), qr/server "genesys" has arrived at node "a"/, 'a front of before does not undo what has arrived');
is(move_server($front, 'genesys', 'a'), '', 'and ends it');
ask($front, 'at last', id(5));
wait_until_ended($a);
is(sql($a, q{SELECT outcome FROM reengage.lineage WHERE campaign = 'at last'}), 'capped', 'what is asked for goes there');

# ---- a copy of a node, started beside it -----------------------------------------------------------

hear($a, $b);
poll_until($a, 'postgres', q{SELECT state = 'ok' FROM reengage.news_state WHERE node = 'b'});
$a->backup('copy');
my $copy = PostgreSQL::Test::Cluster->new('copy');
$copy->init_from_backup($a, 'copy');
# it has the slot, as soon as the node has not
$a->stop;
$copy->start;
sql($b, q{SELECT reengage.suppress(address => '+13175550142', channel => 'sms')});
my $there = q{SELECT count(*) FROM reengage.suppressions WHERE channel = 'sms'};
wait_for(sub { log_lines($copy, 0, qr/this database is a copy of node "a", and hears nothing in its place/) || sql($copy, $there) }, 'the copy hears, or says why not');
is(sql($copy, $there), 0, 'a copy does not hear in the place of its node');
$copy->stop;
$a->start;
ok(poll_until($a, 'postgres', $there, 1), 'which hears it when it is back');

$_->stop for $front, $a, $b, $c;
done_testing();
