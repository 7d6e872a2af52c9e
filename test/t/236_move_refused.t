# What a move refuses, at the earliest moment and with nothing half done; whom it waits for;
# and what waits for it.
use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator set_credentials wait_until_ended wait_for poll_until start_psql finish_psql psql_stderr promise lasts);
use Moves qw(make_fleet digest move_server state_at sql);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $fleet = make_fleet($simulator, nodes => [qw(a b c)]);
my ($a, $b, $c, $front) = @$fleet{qw(a b c front)};

sql($a, q{INSERT INTO reengage.nudges (server, conversation_id, message) SELECT 'genesys', 'closed-' || i, 'hi' FROM generate_series(1, 5) i});
wait_until_ended($a);
sql($a, q{INSERT INTO reengage.nudges (server, conversation_id, message, due_at) SELECT 'genesys', 'live-' || i, 'hi', now() + interval '1 day' FROM generate_series(1, 20) i});
my $before = digest($a, 'genesys');
my $nothing = digest($b, 'genesys');

# It says that, and nothing is different.
sub refuses
{
	my ($said, $pattern, $name) = @_;
	like($said, $pattern, $name);
	is(join("\n", digest($a, 'genesys'), digest($b, 'genesys'), sql($front, q{SELECT node || ' ' || state FROM reengage_front.routes}),
			sql($front, 'SELECT count(*) FROM reengage_front.moves WHERE ended_at IS NULL'), sql($a, 'SELECT count(*) FROM reengage.server_moves')),
		join("\n", $before, $nothing, 'a open', 0, 0), 'and nothing is done');
	return;
}

# ---- what cannot be ---------------------------------------------------------------------------

refuses(move_server($front, 'genesys', 'a'), qr/server "genesys" is at node "a".*another node/s, 'a move to itself is refused');
refuses(move_server($front, 'genesys', 'z'), qr/node "z" does not exist.*"a", "b", "c"/s, 'likewise one to a node that there is not');
refuses(move_server($front, 'nobody', 'b'), qr/server "nobody" is at no node/, 'and of a server that there is not');
refuses(psql_stderr($front, q{CALL reengage.undo_move('genesys')}), qr/no move of server "genesys"/, 'none is undone that is not there');
refuses(psql_stderr($front, q{BEGIN; CALL reengage.move_server('genesys', 'b'); COMMIT}), qr/invalid transaction termination/, 'in a transaction block it cannot commit');

sql($b, 'SELECT reengage.disarm()');
refuses(move_server($front, 'genesys', 'b'), qr/cannot be moved to node "b".*not armed: nothing is sent.*reengage\.arm\(\)/s, 'a node must be armed');
sql($b, 'SELECT reengage.arm()');
sql($a, 'SELECT reengage.disarm()');
refuses(move_server($front, 'genesys', 'b'), qr/node "a" is not armed/, 'also the one that it leaves');
sql($a, 'SELECT reengage.arm()');

sql($b, qq{CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}')});
like(move_server($front, 'genesys', 'b'), qr/there is a server "genesys" already/, 'it must not have a server of that name');
sql($b, 'DROP SERVER genesys');
refuses('', qr//, 'so it stays where it is');

my $key = sql($b, 'SELECT key FROM reengage.address_key ORDER BY created_at LIMIT 1');
sql($b, q{SET session_replication_role = replica; INSERT INTO reengage.address_key (key, created_at) VALUES (sha256('another'), '2001-01-01')});
refuses(move_server($front, 'genesys', 'b'), qr/key of address hashes is another/, 'addresses must mean the same');
sql($b, q{SET session_replication_role = replica; DELETE FROM reengage.address_key WHERE created_at = '2001-01-01'});

sql($a, q{CREATE ROLE owner_of_it; GRANT USAGE ON FOREIGN DATA WRAPPER reengage TO owner_of_it; ALTER SERVER genesys OWNER TO owner_of_it});
$before = digest($a, 'genesys');
refuses(move_server($front, 'genesys', 'b'), qr/no role owner_of_it, which owns the server: create it/, 'who owns it must be known');
sql($b, 'CREATE ROLE owner_of_it; GRANT USAGE ON FOREIGN DATA WRAPPER reengage TO owner_of_it');

sql($a, q{ALTER SERVER genesys OPTIONS (ADD login_url 'https://login.example.com')});
set_credentials($b, servers => ['another']);
$before = digest($a, 'genesys');
refuses(move_server($front, 'genesys', 'b'), qr/node "b" could not send for server "genesys".*credentials/s, 'it must have the credentials, which are in a file of each node');
set_credentials($b, servers => ['genesys']);
sql($a, 'ALTER SERVER genesys OPTIONS (DROP login_url)');
$before = digest($a, 'genesys');

$b->stop('immediate');
like(move_server($front, 'genesys', 'b'), qr/connect|refused|terminat/i, 'a node that is away is said to be');
$b->start;
refuses('', qr//, 'when it is back, too, ');

# ---- whom it waits for ------------------------------------------------------------------------

my $long = $a->background_psql('postgres');
$long->query_safe(q{BEGIN; INSERT INTO reengage.nudges (server, conversation_id, message, due_at) VALUES ('genesys', 'live-100', 'hi', now() + interval '1 day')});
like(move_server($front, 'genesys', 'b', patience => '1 s'), qr/could not be handed over.*waits for process \d+.*end those/s, 'who holds it open for long is named');
is(state_at($a, 'genesys') . ' ' . sql($front, 'SELECT node FROM reengage_front.routes'), 'leaving a', 'and it is sent for where it was');
like(psql_stderr($front, q{CALL reengage.move_server('genesys', 'c')}), qr/a move of server "genesys" to node "b" has begun.*undo_move/s, 'meanwhile it moves nowhere else');
like(psql_stderr($a, q{SELECT reengage.forget(conversation_id => 'closed-1', server => 'genesys')}), qr/while server "genesys" is being moved/, 'and nobody is forgotten');
$long->query_safe('COMMIT');
$long->quit;
is(move_server($front, 'genesys', 'b'), '', 'then it moves');
is(sql($b, 'SELECT count(*) FROM reengage.nudges'), 26, 'with what was inserted meanwhile');

# ---- who waits for it -------------------------------------------------------------------------

# taken to where who inserts by way of the front waits
sql($front, q{
	CREATE PROCEDURE public.to_copy_rest() LANGUAGE plpgsql AS $$
	DECLARE step text := reengage_front.move_begin('genesys', 'a');
	BEGIN
		COMMIT;
		WHILE step <> 'copy rest' LOOP step := reengage_front.move_take_step('genesys'); COMMIT; END LOOP;
	END $$;
	CALL public.to_copy_rest()});
like(psql_stderr($b, q{INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('genesys', 'live-200', 'hi')}), qr/is being moved to node "a"/, 'who asks at the node is told');
my $waiting = start_psql($front, q{INSERT INTO reengage.nudges (server, conversation_id, message, due_at) VALUES ('genesys', 'live-201', 'hi', now() + interval '1 day')});
ok(poll_until($a, 'postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ 'INSERT INTO reengage.nudges' AND state = 'active' AND wait_event_type = 'Extension'}), 'who asks by way of the front waits');
is(move_server($front, 'genesys', 'a'), '', 'the move goes on');
is(finish_psql($waiting), '', 'and so does who has waited');
is(sql($a, q{SELECT count(*) FROM reengage.due d JOIN reengage.nudges n USING (nudge_id) WHERE n.conversation_id = 'live-201'}), 1, 'whose nudge is where the server is now');
is(sql($front, 'SELECT count(*) FROM reengage.moves WHERE inserts_waited_for < nothing_sent_for'), 2, 'how long that was is shown');

# ---- lineage that was not recorded here -------------------------------------------------------

sql($a, q{SET session_replication_role = replica; UPDATE reengage.lineage SET xact_id = 0, recorded_at = recorded_at - interval '3 days'});
is(sql($a, q{SELECT count(*) FROM reengage.lineage_settled}) . ' ' . sql($a, q{SELECT reengage_internal.day_without_manifest() IS NULL}), '0 t', 'what is recorded elsewhere has no manifest here');
sql($a, q{INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('genesys', 'live-300', 'hi')});
wait_until_ended($a, where => "n.conversation_id = 'live-300'");
like(sql($a, q{SELECT reengage.publish('reengage_bi'); SELECT string_agg(pg_get_expr(prqual, prrelid), ' ') FROM pg_publication_rel}), qr/created\n\(xact_id > 0\)/, 'and is not published');
sql($a, 'ALTER PUBLICATION reengage_bi SET TABLE reengage.lineage, reengage.lineage_manifest');
like(sql($a, q{SELECT state || ' ' || remedy FROM reengage.replication_check() WHERE check_name ~ 'rows of other nodes'}), qr/attention SELECT reengage.publish/, 'a publication of before is found');
is(sql($a, q{SELECT reengage.publish('reengage_bi')}) . ' ' . sql($a, q{SELECT reengage.publish('reengage_bi')}), 'repaired ok', 'and repaired');
sql($a, 'CALL reengage.close_part()');
is(sql($a, 'SELECT state || rows_counted FROM reengage.reconciliation'), 'equal so far1', 'the manifest counts what was recorded here');
sql($a, q{SELECT reengage.suppress(conversation_id => 'closed-1', server => 'genesys')});
like(sql($a, q{SELECT lineage > 0 FROM reengage.forget(conversation_id => 'closed-1', server => 'genesys')}), qr/t/, 'people are forgotten in it, too');
is(sql($a, 'SELECT state FROM reengage.reconciliation'), 'equal so far', 'and the manifest stays right');
my ($pruned) = psql_stderr($a, q{CALL reengage.prune(keep => '1 day')});
is(sql($a, 'SELECT count(*) FROM reengage.lineage WHERE xact_id = 0') . ' ' . sql($a, 'SELECT count(*) FROM reengage.pruned_days') . ' ' . sql($a, 'SELECT count(*) FROM reengage.pruned_nudges'),
	'0 0 5', 'retention lets go of it, and owes no manifest for it');

$_->stop for $front, $a, $b, $c;
done_testing();
