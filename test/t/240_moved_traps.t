# What goes wrong around a move if nobody thinks of it: a pause that comes while a server
# is handed over, an erasure that is heard meanwhile, rows that are at two nodes, a move
# that was undone and is remembered, a front that comes out of a dump.
use strict;
use warnings FATAL => 'all';

use Moves qw(make_fleet move_server move_up_to state_at sql);
use PostgreSQL::Test::Utils;
use Reengage qw(start_simulator wait_until_ended psql_stderr);
use Test::More;

my $simulator = start_simulator();
my $fleet = make_fleet($simulator);
my ($a, $b, $front) = @$fleet{qw(a b front)};
my $hash = '0123456789abcdef' x 2;

sub seen { return sql($front, 'SELECT (SELECT count(*) FROM reengage.nudge_status), (SELECT count(*) FROM reengage.open_nudges), (SELECT count(*) FROM reengage.lineage), (SELECT count(*) FROM reengage.threads)'); }

sql($a, q{INSERT INTO reengage.nudges (server, conversation_id, message, detail) SELECT 'genesys', 'live-' || i, 'x', '{"name": "Ann"}' FROM generate_series(1, 5) i});
wait_until_ended($a);
sql($a, q{INSERT INTO reengage.nudges (server, conversation_id, message, due_at) SELECT 'genesys', 'live-' || i, 'x', now() + interval '1 day' FROM generate_series(6, 10) i});
is(seen(), '10|5|5|5', 'what there is');

# ---- who opted out at any server --------------------------------------------------------------

sql($a, q{SELECT reengage.suppress(address => '+13175550199', channel => 'sms')});
like(move_server($front, 'genesys', 'b'), qr/cannot be moved to node "b"\nDETAIL:  who opted out or answered at node "a" is not heard of here/,
	'a server does not go where opt-outs of its customers are not heard of');
sql($a, q{SELECT reengage.unsuppress(address => '+13175550199', channel => 'sms')});

# ---- what hangs on a server, and means nothing ------------------------------------------------

sql($a, 'CREATE USER MAPPING FOR CURRENT_USER SERVER genesys');
like(move_server($front, 'genesys', 'b'), qr/cannot be moved to node "b"\nDETAIL:  user mapping for \S+ on server genesys would be left behind: they mean nothing to reengage, drop them/,
	'what would keep the server from being dropped in the end is said at the beginning');
sql($a, q{DROP USER MAPPING FOR CURRENT_USER SERVER genesys; INSERT INTO reengage.policies (server, max_length) VALUES ('genesys', 900)});

# ---- undone ----------------------------------------------------------------------------------

move_up_to($front, 'genesys', 'b', 'drain');
is(seen(), '10|5|5|5', 'is shown once while there are copies of it');
like(psql_stderr($b, q{SELECT reengage.forget(address => '+13175550100', channel => 'sms')}), qr/nobody can be forgotten while server "genesys" is being moved/,
	'nobody is forgotten while it is copied');
sql($front, q{CALL reengage.undo_move('genesys')});
is(state_at($b, 'genesys'), 'undone', 'it is undone');
unlike(psql_stderr($b, q{SELECT reengage.forget(address => '+13175550100', channel => 'sms')}), qr/ERROR/, 'then people are forgotten there again');

# ---- while it is handed over -------------------------------------------------------------------

sql($_, q{CREATE ROLE keeper}) for $a, $b;
move_up_to($front, 'genesys', 'b', 'copy rest');
# once it was made there
sql($a, q{ALTER SERVER genesys OPTIONS (ADD max_attempts '7'); GRANT USAGE ON FOREIGN SERVER genesys TO keeper; COMMENT ON SERVER genesys IS 'as it is now'});
like(psql_stderr($a, q{INSERT INTO reengage.policies (server, cap, cap_interval) VALUES ('genesys', 1, '1 day')}), qr/server "genesys" is being moved to node "b"/,
	'a policy that would stay behind is refused');
like(psql_stderr($a, q{DELETE FROM reengage.policies}), qr/server "genesys" is being moved to node "b"/, 'and that one is deleted that goes');
like(psql_stderr($a, q{SELECT reengage.pause('genesys')}), qr/server "genesys" is being moved to node "b"/, 'likewise a pause');
sql($b, qq{SET session_replication_role = replica; INSERT INTO reengage.news (node, kind, address_hash, said) VALUES ('a', 'erased', '$hash', '{}')});
like(sql($b, 'SELECT complaint FROM reengage.news_waiting'), qr/nobody can be forgotten while/, 'an erasure that is heard meanwhile waits');
my $pausing = $front->background_psql('postgres', on_error_stop => 0);
$pausing->query_until(qr/asked/, "\\echo asked\nSELECT reengage.pause('genesys', 'stop');\n");
$b->poll_query_until('postgres', q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%pause%' AND backend_type = 'client backend' AND pid <> pg_backend_pid())});
move_up_to($front, 'genesys', 'b', 'depart');
sql($a, q{COMMENT ON SERVER genesys IS 'as it is in the last moment'});
is(move_server($front, 'genesys', 'b'), '', 'it goes on');
$pausing->quit;
is(sql($b, 'SELECT reason FROM reengage.pauses'), 'stop', 'a pause by way of the front holds where it has come to');
is(seen(), '10|5|5|5', 'what there is is shown once, where it is now');
is(sql($b, q{SELECT 'max_attempts=7' = ANY (srvoptions), has_server_privilege('keeper', oid, 'USAGE'), obj_description(oid, 'pg_foreign_server') FROM pg_foreign_server WHERE srvname = 'genesys'}),
	't|t|as it is in the last moment', 'so is what was altered until it departed');
is(sql($b, 'SELECT count(*) FROM reengage.policies') . sql($a, 'SELECT count(*) FROM reengage.policies'), '10', 'and its policy');
sql($b, 'SELECT reengage.heed_news()');
is(sql($b, 'SELECT count(*) FROM reengage.news_waiting'), 0, 'the erasure is done');

# ---- a server of that name is made anew ---------------------------------------------------------

my $insert = q{INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('genesys', 'live-20', 'x')};
sql($a, qq{CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}')});
like(psql_stderr($a, $insert), qr/server "genesys" was moved to node "b"\nHINT:.*If another server was made here since by that name: SELECT reengage\.forget_move\('genesys'\)/,
	'who asks where it was is told where it is, and what to do if it is another');
like(psql_stderr($b, q{SELECT reengage.forget_move('genesys')}), qr/server "genesys" is arrived/, 'where it is nothing is forgotten');
sql($a, q{SELECT reengage.forget_move('genesys')});
sql($a, $insert);
wait_until_ended($a, where => "n.conversation_id = 'live-20'");
is(sql($a, q{SELECT outcome FROM reengage.lineage WHERE requested_conversation_id = 'live-20'}), 'notified', 'one that is another is sent for');
like(psql_stderr($front, 'SELECT reengage_front.refresh()'), qr/nodes "a" and "b" both have server "genesys"/, 'two of one name are refused by the front');
sql($a, 'DROP SERVER genesys');

# ---- a dump of the front -----------------------------------------------------------------------

my $dump = $front->basedir . '/front.sql';
$front->command_ok([ 'pg_dump', '-f', $dump, 'postgres' ], 'the front is dumped');
sql($front, 'CREATE DATABASE again');
$front->command_ok([ 'psql', '-X', '-q', '-d', 'again', '-f', $dump ], 'and restored');
my ($out, $err) = ('', '');
$front->psql('again', 'SELECT * FROM reengage.nudge_status', stdout => \$out, stderr => \$err);
like($err, qr/this view does not know the nodes that there are\nDETAIL:.*\nHINT:  SELECT reengage_front.refresh\(\)/, 'it shows nothing that would be wrong');
is($front->safe_psql('again', 'SELECT reengage_front.refresh(); SELECT count(*) FROM reengage.nudge_status') =~ s/^\n//r, 11, 'and what there is when it has looked');

$_->stop for $front, $a, $b;
done_testing();
