# A front that is given the wrong nodes refuses them, and does nothing; who may do little on
# the nodes may do no more by way of the front; an outbox loses nothing, and stops for nobody.

use strict;
use warnings FATAL => 'all';

use Fleet qw(connection new_fleet_node new_front set_nodes);
use Reengage qw(start_simulator new_node wait_until_ended psql_stderr wait_for);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $a = new_fleet_node('a', $simulator, ['north']);
my $b = new_fleet_node('b', $simulator, ['south']);
my $front = new_front('front', init => { allows_streaming => 'logical' });

sub ask { my ($sql, @more) = @_; return $front->safe_psql('postgres', $sql, @more); }
sub said { my ($sql, @more) = @_; return psql_stderr($front, "\\set SHOW_CONTEXT never\n$sql", @more); }

# --- bad input: each is refused, and nothing is made --------------------------------------------

my $made = q{SELECT (SELECT count(*) FROM pg_class WHERE relkind = 'f'), (SELECT count(*) FROM pg_foreign_server), (SELECT count(*) FROM reengage_front.nodes)};

sub refused
{
	my ($what, $sql, $error) = @_;
	my $before = ask($made);

	like(said($sql), qr/ERROR:  $error/, $what);
	is(ask($made), $before, 'and nothing is made');
	return;
}

sub in_database { my ($node, $database, @sql) = @_; $node->safe_psql('postgres', "CREATE DATABASE $database"); $node->safe_psql($database, join ';', @sql); return connection($node, $database); }

refused('no nodes', q{SELECT reengage_front.set_nodes('{}')}, qr/no nodes were named\nHINT:  Name each/);
refused('a list', q{SELECT reengage_front.set_nodes('["a"]')}, qr/no nodes were named/);
refused('a name that is none', set_nodes('A b' => $a), qr/invalid name of a node: "A b"\nDETAIL:/);
refused('no connection string', q{SELECT reengage_front.set_nodes('{"a": 1}')}, qr/node "a" has no connection string\nHINT:/);
refused('a URI', set_nodes(a => 'postgres://secret@h/d'), qr/invalid connection string of node "a"\nDETAIL:  What begins at character 1 .*\nHINT:  Write it as "host=/);
unlike(said(set_nodes(a => 'host=x password=sec ret')), qr/ret"|sec/, 'a password is not shown');
refused('an option that there is not', set_nodes(a => connection($a) . ' colour=red'), qr/(?:invalid option "colour"|invalid connection option "colour"|could not establish connection|node "a" cannot be reached)/);
refused('nobody there', set_nodes(a => $a, b => 'host=/nowhere dbname=postgres'), qr/node "b" cannot be reached\nDETAIL:  .*nowhere.*\n(?:.*\n)?HINT:  Does the database run/);
refused('no such database', set_nodes(a => connection($a, 'nowhere')), qr/node "a" cannot be reached\nDETAIL:  .*database "nowhere" does not exist/);
refused('without the extension', set_nodes(a => in_database($a, 'plain')), qr/node "a" does not have the extension reengage\n.*\nHINT:  CREATE EXTENSION/);
refused('of version 1.0', set_nodes(a => in_database($a, 'old', 'CREATE EXTENSION reengage', q{UPDATE pg_extension SET extversion = '1.0' WHERE extname = 'reengage'})),
	qr/node "a" has version 1\.0 of the extension\n.*\nHINT:  ALTER EXTENSION reengage UPDATE/);
refused('one that has not joined', set_nodes(z => in_database($a, 'z', 'CREATE EXTENSION reengage')), qr/node "z" has not joined a fleet\nHINT:  SELECT reengage\.join_fleet\('z'\) there/);
$a->safe_psql('z', q{SELECT reengage.join_fleet('z')});
refused('one that is not armed', set_nodes(z => connection($a, 'z')), qr/node "z" is not armed\nDETAIL:  not armed: nothing is sent\nHINT:  SELECT reengage\.arm\(\)/);
$a->safe_psql('z', 'SELECT reengage.arm()');
refused('another key of hashes', set_nodes(a => $a, z => connection($a, 'z')), qr/nodes "a" and "z" hash addresses by different keys\nDETAIL:.*\nHINT:/);
refused('under another name', set_nodes(b => $a), qr/node "b" calls itself "a"\n.*\nHINT:  Name it "a" here/);
refused('a front', set_nodes(a => $front), qr/node "a" is a front\n.*\nHINT:/);
refused('one database under two names', do { $a->safe_psql('z', 'SELECT reengage.leave_fleet()'); set_nodes(a => $a, b => connection($a)) }, qr/node "b" calls itself "a"/);
$b->safe_psql('postgres', qq{CREATE SERVER north FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}')});
refused('one server at two nodes', set_nodes(a => $a, b => $b), qr/nodes "a" and "b" both have server "north"\nDETAIL:  Each would keep to the whole quota.*\nHINT:  DROP SERVER/);
$b->safe_psql('postgres', 'DROP SERVER north');

ask(set_nodes(a => $a, b => $b));
refused('a list that leaves out a node with servers', set_nodes(a => $a), qr/node "b" is left out, and still has servers\nDETAIL:  Routed to it: "south"\.\nHINT:/);
$b->safe_psql('postgres', 'ALTER SERVER south RENAME TO other');
refused('a node without a server that is routed to it', set_nodes(a => $a, b => $b), qr/node "b" does not have server "south", which is routed to it\n.*\nHINT:  CREATE SERVER/);
$b->safe_psql('postgres', 'ALTER SERVER other RENAME TO south');
refused('joining under another name', q{SELECT reengage_front.set_route('north', 'nowhere')}, qr/node "nowhere" does not exist\nHINT:/);
like(psql_stderr($a, q{SELECT reengage.join_fleet('other')}), qr/this node is called "a"\nDETAIL:.*\nHINT:.*leave_fleet/, 'a node keeps its name');
like(psql_stderr($a, q{SELECT reengage.join_fleet('+13175550142')}), qr/invalid name of a node: "\.\.\."\nDETAIL:/, 'which is a word');
like(psql_stderr($a, 'CREATE EXTENSION reengage_front CASCADE'), qr/this database has the extension reengage: it is a node\nHINT:/, 'a node is no front');

# --- rights: what a role may at the nodes, as whom it is mapped ------------------------------------

for my $at ($a, $b)
{
	$at->safe_psql('postgres', q{CREATE ROLE shop LOGIN IN ROLE reengage_application; CREATE ROLE shop_at_node LOGIN IN ROLE reengage_application; CREATE ROLE bureau LOGIN IN ROLE reengage_operator});
}
ask(q{
	CREATE ROLE shop LOGIN IN ROLE reengage_application;
	CREATE ROLE rival LOGIN IN ROLE reengage_application;
	CREATE ROLE bureau LOGIN IN ROLE reengage_operator;
	CREATE ROLE stranger LOGIN;
	SELECT reengage_front.map_role('shop', 'shop_at_node'), reengage_front.map_role('bureau'), reengage_front.map_role('rival', 'shop')});
my %as = map { $_ => { psql => { extra_params => [ '-U', $_ ] } } } qw(shop rival bureau stranger);

sub as { my ($role, $sql) = @_; return $front->safe_psql('postgres', $sql, extra_params => [ '-U', $role ]); }
sub as_said { my ($role, $sql) = @_; return said($sql, %{ $as{$role} }); }

like(as_said('shop', q{SELECT reengage.nudge('live-1', 'hi', 'north')}), qr/permission denied for server "north" of a nudge\nDETAIL:  Role "shop_at_node" has no USAGE on it/,
	'a server needs a right there');
$a->safe_psql('postgres', 'GRANT USAGE ON FOREIGN SERVER north TO shop, shop_at_node');
$b->safe_psql('postgres', 'GRANT USAGE ON FOREIGN SERVER south TO shop, shop_at_node');
my $id = as('shop', q{SELECT reengage.nudge('live-1', 'hi', 'north', due_at => now() + interval '1 day')});
is($a->safe_psql('postgres', 'SELECT requested_by FROM reengage.nudges'), 'shop_at_node', 'requested_by is the role at the node');
is(as('shop', 'SELECT node, state FROM reengage.nudge_status'), 'a|due', 'who asked sees it');
is(as('rival', 'SELECT count(*) FROM reengage.nudge_status'), 0, 'a colleague does not');
is(as('bureau', 'SELECT count(*) FROM reengage.nudge_status'), 1, 'an operator does');
like(as_said('rival', "SELECT reengage.cancel('$id')"), qr/nudge $id does not exist/, 'nor may he cancel it');
like(as_said('rival', "SELECT reengage_front.ask('a', 'cancel', '{\"nudge_id\": \"$id\"}')"), qr/nudge $id does not exist/, 'also by what cancel() is made of');
like(as_said('rival', q{SELECT reengage_front.ask('a', 'pause', '{"server": "north"}')}), qr/permission denied for function pause/, 'nor call what an application may not');
like(as_said('rival', q{SELECT reengage_front.call('a', 'pause', '{"server": "north"}')}), qr/permission denied for function pause/, 'either way');
like(as_said('rival', "INSERT INTO reengage.nudges (server, conversation_id, message, requested_by) VALUES ('north', 'x', 'hi', 'shop_at_node')"),
	qr/column "requested_by" of relation "nudges" does not exist/, 'nor ask in another\'s name');
like(as_said('rival', $_->[1]), qr/permission denied|must be owner|must have/, "nor $_->[0]")
  for [ 'read connection strings', 'SELECT connection FROM reengage_front.nodes' ],
  [ 'be told passwords', q{SELECT reengage_front.connection_of('a')} ],
  [ 'run statements elsewhere', q{SELECT reengage_front.remote('dbname=postgres', 'SELECT 1')} ],
  [ 'set nodes', set_nodes(a => $a) ],
  [ 'be mapped as another', q{SELECT reengage_front.map_role('rival', 'bureau')} ],
  [ 'change his mapping', q{ALTER USER MAPPING FOR rival SERVER a OPTIONS (SET user 'bureau')} ],
  [ 'make tables at a node', q{CREATE FOREIGN TABLE public.t (a integer) SERVER a} ],
  [ 'change routes', q{UPDATE reengage_front.routes SET node = 'b'} ],
  [ 'redirect a server', q{SELECT reengage_front.set_route('north', 'b')} ],
  [ 'read all lineage', 'SELECT count(*) FROM reengage.lineage' ],
  [ 'see opt-outs', 'SELECT count(*) FROM reengage.suppressions' ],
  [ 'write where rows are refused', q{INSERT INTO reengage_front.nudges_elsewhere (server, conversation_id, message) VALUES ('x', 'x', 'x')} ],
  [ 'pause', q{SELECT reengage.pause('north')} ];
like(as_said('stranger', $_), qr/permission denied for schema/, "a stranger gets nowhere: $_")
  for 'SELECT count(*) FROM reengage.nudge_status', q{SELECT reengage.nudge('x', 'hi', 'north')}, 'SELECT count(*) FROM reengage_front.routes';
ask('CREATE ROLE unmapped LOGIN IN ROLE reengage_application');
$as{unmapped} = { psql => { extra_params => [ '-U', 'unmapped' ] } };
like(as_said('unmapped', q{SELECT reengage.nudge('x', 'hi', 'north')}), qr/user mapping not found for (user )?"unmapped"/, 'a role that is not mapped is nobody at the nodes');
like(as_said('unmapped', q{SELECT reengage_front.ask('a', 'cancel', '{}')}), qr/role "unmapped" cannot log in at node "a"\nHINT:.*map_role/, 'also where a call has its own transaction');
is(as('shop', q{SELECT string_agg(privilege_type, '') FROM information_schema.role_usage_grants WHERE object_type = 'FOREIGN SERVER' AND grantee = 'shop'}), '', 'nobody may use the foreign servers');

# what a colleague puts in the way of names
ask(q{CREATE SCHEMA rival AUTHORIZATION rival; GRANT USAGE ON SCHEMA rival TO PUBLIC});
as('rival', q{
	CREATE FUNCTION rival.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$;
	CREATE FUNCTION rival.format(text, VARIADIC text[]) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$;
	CREATE FUNCTION rival.jsonb_build_object(VARIADIC text[]) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$;
	CREATE FUNCTION rival.jsonb_to_recordset(jsonb) RETURNS SETOF record LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$});
is(as_said('shop', q{SET search_path = rival, pg_catalog; SELECT count(*) FROM reengage.nudge_status; SELECT reengage.nudge('live-2', 'hi', 'north', due_at => pg_catalog.now() + interval '1 day'); SELECT reengage.suppress(address => '+13175550142')}),
	'', 'names are not looked up where others put them');

like(as_said('bureau', "SET default_transaction_read_only = on; $_"), qr/cannot call \w+\(\) in a read-only transaction/, "who only reads does not: $_")
  for q{SELECT reengage.pause('north')}, q{SELECT reengage.nudge('live-2', 'hi', 'north', supersedes => true)};

# --- an outbox ------------------------------------------------------------------------------------

my $applications = new_node('applications', init => { allows_streaming => 'logical' });
$applications->safe_psql('postgres', 'CREATE ROLE shop LOGIN');
$applications->safe_psql('postgres', ask(q{SELECT reengage_front.outbox_ddl('application', 'shop')}));
my $statements = ask(q{SELECT reengage_front.outbox_ddl('front', 'shop', } . "'" . connection($applications) . "')");
ask($statements);
my ($subscribe) = $statements =~ /^-- (CREATE SUBSCRIPTION .*;)$/m;
ask($subscribe);
like(said(q{SELECT reengage_front.outbox_ddl('behind', 'shop')}), qr/invalid side of an outbox: "behind"\nHINT:/, 'another side there is not');

# whose subscription it is, his rights a trigger would have
ask('CREATE SCHEMA AUTHORIZATION shop');
as('shop', q{CREATE FUNCTION shop.mine() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ALTER ROLE shop SUPERUSER; RETURN NULL; END $$});
like(as_said('shop', $_), qr/permission denied|must be owner/, 'the role of an outbox puts nothing in its way')
  for q{CREATE TRIGGER mine AFTER INSERT ON reengage_outbox.nudges FOR EACH ROW EXECUTE FUNCTION shop.mine(); ALTER TABLE reengage_outbox.nudges ENABLE ALWAYS TRIGGER mine},
  q{ALTER FUNCTION reengage_outbox.ask_waiting() SECURITY INVOKER SET search_path = shop};

sub write_down { my ($sql) = @_; return $applications->safe_psql('postgres', $sql, extra_params => [ '-U', 'shop' ]); }
sub arrived { my ($count) = @_; return $front->poll_query_until('postgres', "SELECT count(*) = $count FROM reengage_outbox.nudges"); }

write_down(q{INSERT INTO reengage_outbox.nudges (server, conversation_id, message) SELECT 'north', 'live-1' || i, 'hi' FROM generate_series(1, 9) i});
write_down(q{BEGIN; INSERT INTO reengage_outbox.nudges (server, conversation_id, message) VALUES ('north', 'live-99', 'hi'); ROLLBACK});
write_down(q{INSERT INTO reengage_outbox.nudges (server, conversation_id, message) VALUES ('north', 'no id', 'hi'), ('nowhere', 'live-98', 'hi'), ('south', 'live-97', 'hi')});
arrived(12);
wait_until_ended($_, where => 'n.due_at <= now()') for $a, $b;
is(join(' ', sort map { $_->{conversation_id} } $simulator->effects), 'live-11 live-12 live-13 live-14 live-15 live-16 live-17 live-18 live-19 live-97',
	'what was committed is sent, by the node of its server, and what was rolled back is not');
is($a->safe_psql('postgres', q{SELECT DISTINCT requested_by FROM reengage.nudges WHERE conversation_id = 'live-11'}), 'shop_at_node', 'as the role is mapped');
is(ask(q{SELECT rolsuper FROM pg_roles WHERE rolname = 'shop'}), 'f', 'and is no more than it was');
is(ask(q{SELECT string_agg(complaint, '; ' ORDER BY complaint) FROM reengage_outbox.refused}),
	'invalid conversation_id of a nudge: "no id"; server "nowhere" is at no node', 'what is refused is there to be seen');

$b->stop('immediate');
write_down(q{INSERT INTO reengage_outbox.nudges (server, conversation_id, message) VALUES ('south', 'live-21', 'hi'), ('north', 'live-22', 'hi')});
arrived(14);
is(ask(q{SELECT n.conversation_id, w.reason FROM reengage_outbox.waiting w JOIN reengage_outbox.nudges n USING (nudge_id)}), 'live-21|could not connect to server "b"', 'what is for a node that is down waits');
wait_until_ended($a, where => 'n.due_at <= now()');
is(scalar(grep { $_->{conversation_id} eq 'live-22' } $simulator->effects), 1, 'and nobody waits for it');
$b->start;
is(as('shop', 'SELECT reengage_outbox.ask_waiting()'), 0, 'until somebody asks again');
wait_until_ended($b);
is(scalar(grep { $_->{conversation_id} eq 'live-21' } $simulator->effects), 1, 'then it is sent');

ask('DROP SUBSCRIPTION reengage_outbox; TRUNCATE reengage_outbox.nudges');
ask($subscribe);
arrived(14);
wait_until_ended($_, where => 'n.due_at <= now()') for $a, $b;
is(scalar(my @effects = $simulator->effects), 12, 'a subscription that is made anew asks for nothing twice');
ask('DROP SUBSCRIPTION reengage_outbox');

$_->stop for $front, $applications, $a, $b;
done_testing();
