# Several nodes in one subscriber, as docs/replication.md says: each row has its node,
# each node is reconciled by itself, and a subscription whose slot is gone is made anew.

use strict;
use warnings FATAL => 'all';

use Documents qw(blocks_of run_shell);
use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for psql_stderr);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($make) = blocks_of('docs/replication.md', languages => ['sh'], section => 'Several nodes in one subscriber');
my ($subscribe) = blocks_of('docs/replication.md', section => 'Several nodes in one subscriber');
my ($plain) = blocks_of('docs/replication.md', languages => ['sh'], section => 'A subscriber without the extension');
my ($repair) = grep { $_->{text} =~ /slot_name = NONE/ } blocks_of('docs/replication.md', section => 'Failover');
my $simulator = start_simulator('--default-status', 'hash');
my $conf = "wal_retrieve_retry_interval = '100ms'\nautovacuum = off\nmax_worker_processes = 20\nmax_logical_replication_workers = 12\n";
my %node = map { $_ => new_node($_, preload => 1, init => { allows_streaming => 'logical' }, conf => $conf) } qw(a b);
my $warehouse = PostgreSQL::Test::Cluster->new('warehouse');
$warehouse->init(allows_streaming => 'logical', extra => [ '--locale=C', '--encoding=UTF8' ]);
$warehouse->append_conf('postgresql.conf', $conf);
$warehouse->start;

# A line of the document, as somebody types it.  Returns what it says.
sub make_subscriber
{
	my ($database, $block) = @_;
	my %named = (shop => $node{a}->connstr('postgres'), warehouse => $warehouse->connstr($database));
	my $line = ($block // $make)->{text} =~ s/\b(shop|warehouse)\b/"$named{$1}"/gr =~ s/psql -X /psql -Xq /r;

	return run_shell($node{a}, $node{a}->basedir, $line);
}

# The statements of a block of the document, with where the nodes are here.
sub statements_of
{
	my ($block) = @_;
	return grep { /\S/ } split /;\n/, $block->{text} =~ s/'host=(\w)\.example,[^']*'/"'" . $node{$1}->connstr('postgres') =~ s{'}{''}gr . " target_session_attrs=read-write'"/ger;
}

sub wait_for_copies
{
	my ($database) = @_;
	return $warehouse->poll_query_until($database // 'warehouse', q{SELECT count(*) > 0 AND bool_and(srsubstate = 'r') FROM pg_subscription_rel});
}

# All rows, but where they are from; the same question everywhere.
sub rows_of
{
	my ($where, $database, $of) = @_;
	return $where->safe_psql($database, q{SELECT count(*) || ' ' || md5(coalesce(string_agg((to_jsonb(l) - 'node' - 'xact_id')::text, '|' ORDER BY l.lineage_id), ''))
		FROM reengage.lineage l WHERE } . ($of // 'true'));
}

# "node day state", of the days that this test made up.
sub reconciliation
{
	my ($before, $database) = @_;
	return join ', ', split /\n/, $warehouse->safe_psql($database // 'warehouse',
		($before // '') . q{SELECT concat_ws(' ', node, right(day, 2), state, columns_differ) FROM reengage.reconciliation WHERE day < '2021' ORDER BY node, day});
}

# Rows of a day: numbers are those of their ids, and of their customers.
sub record
{
	my ($name, $from, $to, $day) = @_;
	my $prefix = $name eq 'a' ? '01900000' : '01900001';

	$node{$name}->safe_psql('postgres', qq{
		INSERT INTO reengage.lineage (lineage_id, server, outcome, requested_conversation_id, conversation_id, root_conversation_id,
			generation, address_hash, attempts, api_calls, api_calls_saved, requested_at, due_at, occurred_at, recorded_at, detail)
		SELECT ('$prefix-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'at_$name', 'imported', 'c-' || n, 'c-' || n, 'c-' || n,
			0, md5(n::text), 0, 0, 0, t, t, t, t, jsonb_build_object('n', n)
		FROM generate_series($from, $to) n, (SELECT '$day 11:00:00.123456+00'::timestamptz) at (t)});
	return;
}

# ---- it is made, and filled ---------------------------------------------------------------------------

for my $name (qw(a b))
{
	create_extension($node{$name}, $simulator);
	$node{$name}->safe_psql('postgres', "CREATE SERVER at_$name FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}')");
	$node{$name}->safe_psql('postgres', q{SELECT reengage.publish('reengage_bi')});
	record($name, 1, 20, '2020-02-03');
	record($name, 21, $name eq 'a' ? 40 : 50, '2020-02-04');
	$node{$name}->safe_psql('postgres', "CALL reengage.close_day('$_')") for '2020-02-03', '2020-02-04';
}
$warehouse->safe_psql('postgres', "CREATE DATABASE $_") for qw(warehouse older);
is(make_subscriber('warehouse'), '', 'a database for several nodes is made');
my $everything = q{SELECT md5(string_agg(x, chr(10) ORDER BY x)) FROM (
	SELECT pg_describe_object('pg_class'::regclass, c.oid, 0) || a.attname || a.attnotnull || a.atttypid::regtype::text
	FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace = 'reengage'::regnamespace
	UNION ALL SELECT pg_get_functiondef(p.oid) FROM pg_proc p WHERE p.pronamespace IN (SELECT n.oid FROM pg_namespace n WHERE n.nspname LIKE 'reengage%')
	UNION ALL SELECT pg_get_triggerdef(t.oid) || t.tgenabled::text FROM pg_trigger t WHERE NOT t.tgisinternal
	UNION ALL SELECT conrelid::regclass || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid > 0
	UNION ALL SELECT pg_get_viewdef(c.oid) FROM pg_class c WHERE c.relkind = 'v' AND c.relnamespace = 'reengage'::regnamespace) s (x)};
my $made = $warehouse->safe_psql('warehouse', $everything);
is(make_subscriber('warehouse'), '', 'once more');
is($warehouse->safe_psql('warehouse', $everything), $made, 'changes nothing');
my ($a, $b, $question) = statements_of($subscribe);
$warehouse->safe_psql('warehouse', $_) for $a, $b;
ok(wait_for_copies(), 'each node has a subscription, which copies what is there');
is($warehouse->safe_psql('warehouse', q{SELECT string_agg(concat_ws(' ', node, server, n), ', ' ORDER BY node) FROM (SELECT node, server, count(*) AS n FROM reengage.lineage GROUP BY 1, 2) s}),
	'a at_a 40, b at_b 50', 'and each row has its node');
my $all_is_well = 'a 03 equal, a 04 equal, b 03 equal, b 04 equal';
is(reconciliation(), $all_is_well, 'each node is reconciled by itself');
is($warehouse->safe_psql('warehouse', $question) =~ tr/\n//, 3, 'as the document asks');
for my $name (qw(a b))
{
	nudge($node{$name}, "$_-today-$name") for qw(live closed);
	wait_until_ended($node{$name});
	$node{$name}->safe_psql('postgres', 'CALL reengage.close_part()');
	$node{$name}->wait_for_catchup($name);
	is(rows_of($warehouse, 'warehouse', "node = '$name'"), rows_of($node{$name}, 'postgres'), "what node $name does now arrives, with its name");
}
unlike($warehouse->safe_psql('warehouse', 'SELECT state FROM reengage.reconciliation'), qr/missing|more|differs/, 'and is reconciled, too');
is($warehouse->safe_psql('warehouse', q{SELECT string_agg(concat_ws(' ', node, is_subscribed, is_working, is_copied, newest_row IS NOT NULL), ', ' ORDER BY node) FROM reengage.collected}),
	'a t t t t, b t t t t', 'somebody is at work for both');

# ---- one row of one node ------------------------------------------------------------------------------------

sub found_after
{
	my ($change) = @_;
	return join ' | ', reconciliation("BEGIN; $change;"), $warehouse->safe_psql('warehouse',
		"BEGIN; $change; SELECT concat_ws(' ', node, day, column_name, lineage_id, finding) FROM reengage.reconciliation_rows; ROLLBACK");
}
my $row_of_b = '01900001-0000-7000-8000-000000000025';
like(found_after("DELETE FROM reengage.lineage WHERE lineage_id = '$row_of_b'"),
	qr/\Aa 03 equal, a 04 equal, b 03 equal, b 04 rows are missing \| b 2020-02-04 lineage_id a row is missing here: [^\n]+\z/,
	'a row that is missing: its node and day are named, and no others');
my $place = $warehouse->safe_psql('warehouse', "BEGIN; DELETE FROM reengage.lineage WHERE lineage_id = '$row_of_b'; SELECT place FROM reengage.reconciliation_rows; ROLLBACK");
is($node{b}->safe_psql('postgres', "SELECT lineage_id FROM reengage.find_lineage('2020-02-04', $place)"), $row_of_b, 'and that node finds which');
is($warehouse->safe_psql('warehouse', "SELECT lineage_id FROM reengage.find_lineage('2020-02-04', $place)"), $row_of_b, 'as the subscriber does, when it has come');
like(found_after(q{UPDATE reengage.lineage SET server = 'x' WHERE lineage_id = '01900000-0000-7000-8000-000000000025'}),
	qr/\Aa 03 equal, a 04 a row differs server, b 03 equal, b 04 equal \| a 2020-02-04 server 01900000-0000-7000-8000-000000000025 its value differs\z/,
	'one that differs: node, day, column and row');
like(found_after("UPDATE reengage.lineage SET node = 'a' WHERE lineage_id = '$row_of_b'"),
	qr/\Aa 03 equal, a 04 more rows than counted, b 03 equal, b 04 rows are missing \| /, 'one under the name of another node');
like(psql_stderr($warehouse, q{INSERT INTO reengage.lineage SELECT (l.x).* FROM (SELECT jsonb_populate_record(l, '{"node": null, "lineage_id": "01900000-0000-7000-8000-0000000000ff"}') AS x
	FROM reengage.lineage l LIMIT 1) l}, database => 'warehouse'), qr/ERROR:  of which node this row of lineage is, nobody says\nHINT:/, 'who inserts rows by hand names the node');
$warehouse->safe_psql('warehouse', "CREATE TABLE taken AS SELECT * FROM reengage.lineage WHERE lineage_id = '$row_of_b'; DELETE FROM reengage.lineage WHERE lineage_id = '$row_of_b';
	INSERT INTO reengage.lineage TABLE taken; INSERT INTO reengage.lineage TABLE taken");
is(reconciliation(), $all_is_well, 'and whoever does it twice has done it once');

# ---- somebody is forgotten --------------------------------------------------------------------------------------

my $for_copies = $node{a}->safe_psql('postgres', q{SELECT for_copies FROM reengage.forget(conversation_id => 'c-25', server => 'at_a')});
$node{a}->wait_for_catchup('a');
is(reconciliation(), 'a 03 equal, a 04 a row differs address_hash, detail, b 03 equal, b 04 equal', 'somebody is forgotten at a node');
$warehouse->safe_psql('warehouse', "SET search_path = reengage; $for_copies");
is(reconciliation(), $all_is_well, 'and by for_copies where its rows were collected');
is($warehouse->safe_psql('warehouse', q{SELECT string_agg(node, ' ' ORDER BY node) FROM reengage.lineage WHERE conversation_id = 'c-25' AND detail IS NOT NULL}),
	'b', 'where rows of another node tell of another customer');

# ---- a slot is lost ------------------------------------------------------------------------------------------------

# as after a failover: what was recorded meanwhile nobody keeps for the reader
$warehouse->safe_psql('warehouse', 'ALTER SUBSCRIPTION a DISABLE');
$node{a}->poll_query_until('postgres', q{SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'a'});
$node{a}->safe_psql('postgres', q{SELECT pg_drop_replication_slot('a')});
# what retention lets go at the node stays where it was collected
$node{a}->safe_psql('postgres', q{CALL reengage.prune(keep => '300 days')});
is($node{a}->safe_psql('postgres', q{SELECT count(*) FROM reengage.lineage WHERE recorded_at < '2021-01-01'}), 0, 'retention lets rows go at a node');
record('a', 51, 60, '2020-02-05');
$node{a}->safe_psql('postgres', q{CALL reengage.close_day('2020-02-05')});
my $kept = $warehouse->safe_psql('warehouse', 'SELECT count(*) FROM reengage.lineage');
my $offset = -s $warehouse->logfile;
$warehouse->safe_psql('warehouse', 'ALTER SUBSCRIPTION a ENABLE');
ok($warehouse->wait_for_log(qr/replication slot "a" does not exist/, $offset), 'a subscription whose slot is gone says so');
my @repair = statements_of($repair);
$warehouse->safe_psql('warehouse', $_) for @repair;
ok(wait_for_copies(), 'it is made anew');
is(reconciliation(), 'a 03 equal, a 04 equal, a 05 equal, b 03 equal, b 04 equal', 'nothing is missing, and what retention let go is still here');
is($warehouse->safe_psql('warehouse', 'SELECT count(*) - count(DISTINCT lineage_id) FROM reengage.lineage'), 0, 'no row is here twice');
cmp_ok($warehouse->safe_psql('warehouse', 'SELECT count(*) FROM reengage.lineage'), '>=', $kept, 'nor has one gone');
nudge($node{a}, 'live-after');
wait_until_ended($node{a});
$node{a}->wait_for_catchup('a');
is($warehouse->safe_psql('warehouse', q{SELECT node FROM reengage.lineage WHERE requested_conversation_id = 'live-after'}), 'a', 'and it goes on');
$warehouse->safe_psql('warehouse', 'ALTER SUBSCRIPTION a RENAME TO other');
nudge($node{a}, 'live-renamed');
wait_until_ended($node{a});
ok($warehouse->poll_query_until('warehouse', q{SELECT count(*) = 1 FROM reengage.lineage WHERE requested_conversation_id = 'live-renamed'}), 'one that is named otherwise goes on, too');
is($warehouse->safe_psql('warehouse', q{SELECT node FROM reengage.lineage WHERE requested_conversation_id = 'live-renamed'}), 'other', 'and is another node from then on');

# ---- from one node to several -----------------------------------------------------------------------------------------

is(make_subscriber('older', $plain), '', 'a subscriber of one node');
$warehouse->safe_psql('older', $b =~ s/SUBSCRIPTION b/SUBSCRIPTION of_b/r);
ok(wait_for_copies('older'), 'has its rows');
$warehouse->safe_psql('older', 'BEGIN; ALTER SUBSCRIPTION of_b RENAME TO b; COMMIT');
is(make_subscriber('older'), '', 'it becomes one of several');
is($warehouse->safe_psql('older', q{SELECT string_agg(DISTINCT node, ' ') FROM reengage.lineage}), 'b', 'whose rows get the name of its subscription');
is($warehouse->safe_psql('older', $everything), $made, 'as if it had been made so');
is(reconciliation(undef, 'older'), 'b 03 equal, b 04 equal', 'and are equal');
like(make_subscriber('older', $plain), qr/ERROR:  this database has rows of several nodes\nHINT:/, 'not the other way around');
is($warehouse->safe_psql('older', $everything), $made, 'which changes nothing');
$warehouse->safe_psql('older', 'DROP SUBSCRIPTION b');
$warehouse->safe_psql('older', 'ALTER TABLE reengage.lineage ALTER COLUMN node DROP NOT NULL; UPDATE reengage.lineage SET node = NULL');
like(make_subscriber('older'), qr/ERROR:  there are rows of which nobody can tell the node\n/, 'rows of nobody are refused');
$warehouse->safe_psql('warehouse', "DROP SUBSCRIPTION $_") for qw(other b);

$_->stop for values %node, $warehouse;
done_testing();
