# Lineage on its way to a warehouse: what is published arrives, whole and in
# whole transactions, over all that happens to publishers and subscribers.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for
  psql_stderr start_psql finish_psql log_size ledger_matches_lineage);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $nudges = 2000;
my $simulator = start_simulator('--default-status', 'hash');
my $warehouse;
my $conf = "wal_retrieve_retry_interval = '100ms'\nautovacuum = off\nmax_worker_processes = 20\n";

sub publisher
{
	my ($name, @options) = @_;
	return new_node($name, preload => 1, init => { allows_streaming => 'logical' }, conf => $conf, @options);
}

# Rows of replication_check(): "state: detail" of each of a name.
sub check
{
	my ($node, $name, $database) = @_;
	return $node->safe_psql($database // 'postgres',
		"SELECT state || ': ' || detail FROM reengage.replication_check() WHERE check_name = '$name'");
}

sub subscribe
{
	my ($database, $name, $publisher, %options) = @_;
	$warehouse->safe_psql($database, "CREATE SUBSCRIPTION $name CONNECTION '"
		  . $publisher->connstr($options{from} // 'postgres') =~ s/'/''/gr . "' PUBLICATION reengage_bi");
	return $warehouse->poll_query_until($database, qq{SELECT bool_and(srsubstate = 'r')
		FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid WHERE s.subname = '$name'});
}

# Count and digest of rows, all columns; the same question everywhere.
sub digest
{
	my ($node, $database, $rows) = @_;
	$rows //= 'SELECT * FROM reengage.lineage';
	return $node->safe_psql($database, "SELECT count(*) || ' ' || md5(coalesce(string_agg(r.line, '|' ORDER BY r.line COLLATE \"C\"), ''))
		FROM (SELECT to_jsonb(q)::text AS line FROM ($rows) q) r");
}

# A row of lineage that no worker wrote.
sub insert_row
{
	my ($name) = @_;
	return qq{INSERT INTO reengage.lineage (nudge_id, server, outcome, requested_conversation_id, conversation_id,
		root_conversation_id, generation, attempts, api_calls, api_calls_saved, requested_at, due_at, occurred_at)
		VALUES (gen_random_uuid(), 'genesys', 'expired', '$name', '$name', '$name', 0, 0, 0, 0, now(), now(), now())};
}

# --- a publisher, and what it says before it publishes ---------------------------

my $first = publisher('first');
create_extension($first, $simulator);
$first->safe_psql('postgres', 'CREATE ROLE bi LOGIN IN ROLE reengage_operator');
like(check($first, 'publications'), qr/^attention: no publication/, 'check: nothing is published');
like(check($first, 'slots'), qr/^attention: no logical replication slot/, 'check: nobody reads');

my @as_operator = (extra_params => [ '-U', 'bi' ]);
is($first->safe_psql('postgres', q{SELECT reengage.publish('reengage_bi')}, @as_operator), 'created', 'an operator who is no superuser publishes');
is($first->safe_psql('postgres', q{SELECT reengage.publish('reengage_bi')}, @as_operator), 'ok', 'a second time nothing is to do');
like(check($first, 'publication reengage_bi'), qr/^ok:/, 'check: it is complete');
is(check($first, 'actions of publication reengage_bi'), 'ok: insert', 'check: of inserts only');
$first->safe_psql('postgres', 'ALTER PUBLICATION reengage_bi DROP TABLE reengage.lineage');
like(check($first, 'publication reengage_bi'), qr/^failed: /, 'check: a table is missing');
is($first->safe_psql('postgres', q{SELECT reengage.publish('reengage_bi')}, @as_operator), 'repaired', 'it is put back');

# publications that are not publish()'s to change
sub refuses
{
	my ($make, $why) = @_;
	$first->safe_psql('postgres', $make);
	like(psql_stderr($first, q{SELECT reengage.publish('theirs')}),
		qr/ERROR:  publication "theirs" is not one that reengage may change\nDETAIL:  $why/, "refused: $why");
	$first->safe_psql('postgres', 'DROP PUBLICATION theirs');
	return;
}
my $ours = q{; COMMENT ON PUBLICATION theirs IS 'made by reengage.publish()'};
my $options = q{WITH (publish = 'insert', publish_via_partition_root = true)};
$first->safe_psql('postgres', 'CREATE TABLE orders (id bigint PRIMARY KEY)');
refuses("CREATE PUBLICATION theirs FOR TABLE reengage.lineage $options", qr/reengage\.publish\(\) did not make it/);
refuses("CREATE PUBLICATION theirs FOR TABLE reengage.lineage, orders $options$ours", qr/It contains other tables: (public\.)?orders/);
refuses("CREATE PUBLICATION theirs FOR TABLE reengage.lineage WITH (publish = 'insert, delete')$ours", qr/Its options are not/);
refuses("CREATE PUBLICATION theirs FOR ALL TABLES $options$ours", qr/It publishes whole schemas/);
refuses("CREATE PUBLICATION theirs FOR TABLE reengage.lineage (lineage_id) $options$ours", qr/It has a column list/);

# --- subscribers, during a run with faults ----------------------------------------

# "copy" has the extension; "landing" is a table without any key, as in a warehouse
$warehouse = new_node('warehouse', conf => $conf, init => { allows_streaming => 'logical' });
$warehouse->safe_psql('postgres', $_) for 'CREATE DATABASE copy', 'CREATE DATABASE landing';
$warehouse->safe_psql('copy', 'CREATE EXTENSION reengage');
my $columns = $first->safe_psql('postgres', q{
	SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum)
	FROM pg_attribute WHERE attrelid = 'reengage.lineage'::regclass AND attnum > 0 AND NOT attisdropped});
# manifests are read by their own tests; the landing schema takes whatever is published
my $manifest = $first->safe_psql('postgres', q{
	SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum)
	FROM pg_attribute WHERE attrelid = to_regclass('reengage.lineage_manifest') AND attnum > 0});
$warehouse->safe_psql('landing', "CREATE SCHEMA reengage; CREATE TABLE reengage.lineage ($columns)"
	  . ($manifest ? "; CREATE TABLE reengage.lineage_manifest ($manifest)" : ''));
ok(subscribe('copy', 'copy', $first), 'a subscriber with the extension');
ok(subscribe('landing', 'landing', $first), 'a subscriber with a table without keys');
like(check($first, 'slot copy'), qr/^ok: active, plugin pgoutput/, 'check: a slot is read');

$simulator->fault(verb => 'notify', action => 'close_after', rate => 0.02);
$simulator->fault(verb => 'create', action => 'close_after', rate => 0.02);
$simulator->fault(verb => 'notify', action => 'status', status => 422, rate => 0.02);
$simulator->fault(verb => 'check', action => 'status', status => 503, times => 40, rate => 0.05);

sub ask
{
	my ($node, $prefix, $count) = @_;
	$node->safe_psql('postgres', "INSERT INTO reengage.nudges (conversation_id, message, campaign)
		SELECT '$prefix-' || n % ($count * 4 / 5), 'Are you still there?', 'run' FROM generate_series(1, $count) n");
	return;
}

# What a reader of the copy sees of each transaction, at any moment.
my (%seen_rows, %torn);
my $looks = 0;
sub look
{
	$seen_rows{$_}++ for split /\n/, $warehouse->safe_psql('copy',
		q{SELECT xact_id || ' ' || count(*) FROM reengage.lineage GROUP BY xact_id});
	$looks++;
	return;
}
ask($first, 'customer', $nudges);
# a doubt holds back what would follow the same conversation
wait_for(sub { look(); $first->safe_psql('postgres', q{SELECT count(*) FROM reengage.due
	WHERE hold_reason IS DISTINCT FROM 'an earlier create on this conversation is in doubt'}) eq '0' }, 'all nudges end');
$first->wait_for_catchup($_) for qw(copy landing);
look();
$simulator->clear_faults;

my %whole = map { $_ => 1 } split /\n/, $first->safe_psql('postgres',
	q{SELECT xact_id || ' ' || count(*) FROM reengage.lineage GROUP BY xact_id});
is(join(', ', grep { !$whole{$_} } sort keys %seen_rows), '', 'no reader ever saw a part of a transaction');
cmp_ok($first->safe_psql('postgres', q{SELECT max(c) FROM (SELECT count(*) FROM reengage.lineage GROUP BY xact_id) t(c)}), '>', 1,
	'though they have many rows');
note sprintf '%d looks, %d transactions; %s', $looks, scalar keys %whole, $first->safe_psql('postgres',
	q{SELECT string_agg(outcome || ' ' || n, ', ' ORDER BY n DESC) FROM (SELECT outcome, count(*) AS n FROM reengage.lineage GROUP BY 1) o});
cmp_ok($looks, '>', 3, 'and it looked while they came');
is($first->safe_psql('postgres', q{SELECT count(*) > 0 FROM reengage.lineage WHERE outcome = 'in_doubt'}), 't', 'some are in doubt');
ledger_matches_lineage($first, $simulator, 'the ledger agrees');
is(digest($warehouse, 'copy'), digest($first, 'postgres'), 'row for row, the copy is as the original');
is(digest($warehouse, 'landing'), digest($first, 'postgres'), 'so is the landing table');

# A row that an operator adds comes, too.
$first->safe_psql('postgres', q{SELECT reengage.resolve(lineage_id, 'not_sent') FROM reengage.in_doubt});
wait_until_ended($first);
is($first->safe_psql('postgres', 'SELECT count(*) FROM reengage.lineage WHERE resolves IS NULL'), $nudges, 'every nudge has an outcome');
$first->wait_for_catchup('copy');
is(digest($warehouse, 'copy'), digest($first, 'postgres'), 'what resolve() writes arrives');
is(digest($first, 'postgres', 'SELECT * FROM reengage.lineage_settled'), digest($first, 'postgres'), 'at rest, everything is settled');

# --- a cursor never skips a late commit ---------------------------------------------

my $cursor = '0';
sub read_on
{
	my @new = split /\n/, $first->safe_psql('postgres', qq{
		SELECT xact_id || ' ' || requested_conversation_id FROM reengage.lineage_settled
		WHERE xact_id > $cursor ORDER BY xact_id, lineage_id});
	($cursor) = split / /, $new[-1] if @new;
	return join ',', map { (split / /)[1] } @new;
}
read_on();
my $late = $first->background_psql('postgres', on_error_stop => 1);
$late->query_safe('BEGIN; ' . insert_row('late'));
nudge($first, 'live-early');
wait_until_ended($first);
is(read_on(), '', 'what ends after a transaction began is not settled before it');
$late->query_safe('COMMIT');
$late->quit;
is(read_on(), 'late,live-early', 'then both are, in order');

# the recipe with files: the end of the range is asked for first
$warehouse->safe_psql('landing', 'CREATE TABLE loaded (LIKE reengage.lineage)');
sub unload
{
	my ($after, $upto) = @_;
	my $file = $first->basedir . '/lineage.csv';
	my $settled = 'SELECT * FROM reengage.lineage_settled';

	$first->safe_psql('postgres', "\\copy ($settled WHERE xact_id > $after AND xact_id <= $upto ORDER BY xact_id, lineage_id) TO '$file' WITH (FORMAT csv, HEADER true, NULL '\\N')");
	$warehouse->safe_psql('landing', "\\copy loaded FROM '$file' WITH (FORMAT csv, HEADER true, NULL '\\N')");
	return $upto;
}
my $half = $first->safe_psql('postgres', 'SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY xact_id) FROM reengage.lineage_settled');
my $unloaded = unload(0, $half);
unload($unloaded, $first->safe_psql('postgres', 'SELECT max(xact_id) FROM reengage.lineage_settled'));
is(digest($warehouse, 'landing', 'SELECT * FROM loaded'), digest($first, 'postgres'), 'two files have every row, once');

# --- a slot is dropped, and the table read anew ----------------------------------------

$warehouse->safe_psql('landing', 'DROP SUBSCRIPTION landing');
is(check($first, 'slot landing'), '', 'check: the slot is gone');
ask($first, 'unread', 50);
wait_until_ended($first);
ok(subscribe('landing', 'landing', $first), 'a new snapshot into the same table');
my $deduplicated = 'SELECT DISTINCT ON (lineage_id) * FROM reengage.lineage';
cmp_ok($warehouse->safe_psql('landing', 'SELECT count(*) - count(DISTINCT lineage_id) FROM reengage.lineage'), '>=', $nudges, 'brings rows twice');
is(digest($warehouse, 'landing', $deduplicated), digest($first, 'postgres'), 'by lineage_id each is there once, and none is missing');
$warehouse->safe_psql('copy', 'ALTER SUBSCRIPTION copy DISABLE');
ok($first->poll_query_until('postgres', q{SELECT state = 'attention' AND detail LIKE 'nobody reads it%'
	FROM reengage.replication_check() WHERE check_name = 'slot copy'}), 'check: nobody reads a slot');
$warehouse->safe_psql('copy', 'ALTER SUBSCRIPTION copy ENABLE');

# --- restored into another cluster ------------------------------------------------------------

my $second = publisher('second', servers => [qw(genesys paris)]);
$second->safe_psql('postgres', 'CREATE DATABASE restored');
my $dump = $first->basedir . '/dump';
$first->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $first->connstr('postgres') ], 'pg_dump works');
$second->command_ok([ 'pg_restore', '--exit-on-error', '--no-privileges', '-d', $second->connstr('restored'), $dump ], 'pg_restore works');
my $restored = digest($first, 'postgres');
is(digest($second, 'restored'), $restored, 'the lineage is as it was');
SKIP:
{
	skip 'this pg_dump keeps the tables in the publication', 2 if $second->pg_version >= 18;
	like(check($second, 'publication reengage_bi', 'restored'), qr/^failed: is empty: pg_dump before version 18 leaves/, 'check: the restore emptied the publication');
	is($second->safe_psql('restored', q{SELECT reengage.publish('reengage_bi')}), 'repaired', 'publish() fills it again');
}
is($second->safe_psql('restored', q{SELECT reengage.publish('reengage_bi')}), 'ok', 'and is content');
$warehouse->safe_psql('landing', 'DROP SUBSCRIPTION landing');
ok(subscribe('landing', 'landing', $second, from => 'restored'), 'its reader takes a new snapshot');
is(digest($second, 'restored', 'SELECT * FROM reengage.lineage_settled'), $restored, 'what is restored is settled');
is($second->safe_psql('restored', "SELECT count(*) FROM reengage.lineage_settled WHERE xact_id > $cursor"),
	$first->safe_psql('postgres', "SELECT count(*) FROM reengage.lineage_settled WHERE xact_id > $cursor"), 'and a cursor stands where it stood');
$cursor = $second->safe_psql('restored', 'SELECT max(xact_id) FROM reengage.lineage');
$second->safe_psql('postgres', q{ALTER SYSTEM SET reengage.databases = 'postgres, restored'});
$second->reload;
$second->safe_psql('restored', 'SELECT reengage.arm()');
nudge($second, 'live-restored', database => 'restored');
wait_until_ended($second, database => 'restored');
is($second->safe_psql('restored', "SELECT requested_conversation_id FROM reengage.lineage_settled WHERE xact_id > $cursor"),
	'live-restored', 'what comes after the restore comes after the cursor');
$second->wait_for_catchup('landing');
is(digest($warehouse, 'landing', $deduplicated), digest($second, 'restored'), 'and the landing table goes on with it');

# two that write first at once
$cursor = $second->safe_psql('restored', 'DELETE FROM reengage.lineage_epochs; SELECT max(xact_id) FROM reengage.lineage');
my $writer = $second->background_psql('restored', on_error_stop => 1);
$writer->query_safe('BEGIN; ' . insert_row('one'));
my $other = start_psql($second, insert_row('two'), database => 'restored');
ok($second->poll_query_until('restored', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT%two%'}),
	'who writes at the same time as the first waits');
$writer->query_safe('COMMIT');
$writer->quit;
is(finish_psql($other), '', 'then goes on');
is($second->safe_psql('restored', "SELECT string_agg(conversation_id, ' ' ORDER BY xact_id) FROM reengage.lineage_settled WHERE xact_id > $cursor")
	  . $second->safe_psql('restored', 'SELECT count(*) FROM reengage.lineage_epochs'), 'one two1', 'and both count from the same');

# --- two clusters, one warehouse -----------------------------------------------------------------

my $paris = start_simulator('--default-status', 'hash');
$second->safe_psql('postgres', qq{CREATE EXTENSION reengage;
	CREATE SERVER paris FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$paris->{url}', max_requests_per_minute '0');
	ALTER DATABASE postgres SET reengage.default_server = 'paris'});
$second->safe_psql('postgres', 'SELECT reengage.arm()');
is($second->safe_psql('postgres', q{SELECT reengage.publish('reengage_bi')}), 'created', 'the second cluster publishes');
ok(subscribe('copy', 'copy_of_second', $second), 'into the same copy');
# the same names of conversations, of other customers
ask($second, 'customer', 500);
ask($first, 'customer', 200);
wait_until_ended($_) for $first, $second;
$first->wait_for_catchup('copy');
$second->wait_for_catchup('copy_of_second');
for my $of ([ $first, 'genesys' ], [ $second, 'paris' ])
{
	my ($node, $server) = @$of;
	is(digest($warehouse, 'copy', "SELECT * FROM reengage.lineage WHERE server = '$server'"), digest($node, 'postgres'),
		"$server: every row is there, and no other");
	is(digest($warehouse, 'copy', "SELECT * FROM reengage.threads WHERE server = '$server'"),
		digest($node, 'postgres', 'SELECT * FROM reengage.threads'), "$server: and every thread is the same");
}
cmp_ok($second->safe_psql('postgres', 'SELECT max(generation) FROM reengage.lineage'), '>', 0, 'threads have more than a root');

# --- what is pruned here stays there ---------------------------------------------------------------

my $kept = digest($warehouse, 'copy', q{SELECT * FROM reengage.lineage WHERE server = 'genesys'});
$first->safe_psql('postgres', q{SET session_replication_role = replica;
	DELETE FROM reengage.lineage WHERE requested_conversation_id LIKE 'unread-%'});
nudge($first, 'live-after-pruning');
wait_until_ended($first, where => q(n.conversation_id = 'live-after-pruning'));
$first->wait_for_catchup('copy');
is(digest($warehouse, 'copy', q{SELECT * FROM reengage.lineage WHERE server = 'genesys' AND requested_conversation_id <> 'live-after-pruning'}),
	$kept, 'rows that are pruned stay in the copy');
is($warehouse->safe_psql('copy', q{SELECT count(*) FROM reengage.lineage WHERE requested_conversation_id = 'live-after-pruning'}), 1,
	'which has what came after');

# --- a column is added while rows come ---------------------------------------------------

# as the script of a later version may
my $column = q{ALTER TABLE reengage.lineage ADD COLUMN weather text DEFAULT 'fair'};
my $newer = q{SELECT * FROM reengage.lineage WHERE server = 'paris'};
# the subscriber with the extension first
$warehouse->safe_psql('copy', $column);
ask($second, 'update', 300);
$second->safe_psql('postgres', $column);
ask($second, 'updated', 100);
wait_until_ended($second);
$second->wait_for_catchup('copy_of_second');
is(digest($warehouse, 'copy', $newer), digest($second, 'postgres'), 'a column is added, and every row arrives');
is($warehouse->safe_psql('copy', q{SELECT count(*) FROM reengage.lineage WHERE weather = 'fair' AND requested_conversation_id LIKE 'updated-%'}),
	100, 'with the column');

# and a reader whose table gets the column too late
my $offset = log_size($warehouse);
$second->safe_psql('restored', $column);
nudge($second, 'live-updated', database => 'restored');
wait_until_ended($second, database => 'restored');
ok($warehouse->wait_for_log(qr/missing replicated column: "weather"/, $offset), 'a table without the column stops its reader');
$warehouse->safe_psql('landing', 'ALTER TABLE reengage.lineage ADD COLUMN weather text');
$second->wait_for_catchup('landing');
my $known = q{SELECT to_jsonb(l) - 'weather' AS l FROM};
is(digest($warehouse, 'landing', "$known ($deduplicated) l"), digest($second, 'restored', "$known reengage.lineage l"),
	'which goes on where it was when the column is there');
is($warehouse->safe_psql('landing', q{SELECT string_agg(DISTINCT coalesce(weather, 'null'), ' ') FROM reengage.lineage}), 'fair null',
	'rows that came before have no value in it');

# --- a slot that was left behind, and a standby ---------------------------------------------------------

$warehouse->safe_psql('copy', 'DROP SUBSCRIPTION copy');
$first->safe_psql('postgres', q{SELECT pg_create_logical_replication_slot('forgotten', 'pgoutput');
	ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'});
$first->reload;
$first->safe_psql('postgres', 'SELECT pg_switch_wal(); CREATE TABLE wal AS SELECT 1; SELECT pg_switch_wal(); DROP TABLE wal');
$first->safe_psql('postgres', 'CHECKPOINT');
like(check($first, 'slot forgotten'), qr/^failed: nobody reads it.*\(lost\)$/, 'check: the WAL of a slot is gone');
$first->safe_psql('postgres', q{ALTER SYSTEM SET synchronous_standby_names = 'nobody'; SET synchronous_commit = local;
	SELECT pg_reload_conf()});
ok($first->poll_query_until('postgres', q{SELECT state = 'attention' FROM reengage.replication_check() WHERE check_name = 'failover'}),
	'check: standbys and readers can differ');

$first->stop;
$first->set_standby_mode;
$first->start;
like(psql_stderr($first, q{SELECT reengage.publish('reengage_bi')}), qr/ERROR:  cannot publish on a standby/, 'a standby does not publish');
like(check($first, 'wal_level'), qr/^ok: logical/, 'but can be checked');
like(check($first, 'slots of this standby'), $first->pg_version >= 17 ? qr/^attention: sync_replication_slots: off/ : qr/^attention: before version 17/,
	'check: no reader can go on here after a promotion');
is(digest($first, 'postgres', 'SELECT * FROM reengage.lineage_settled'), digest($first, 'postgres'), 'and read with a cursor');

$_->stop for $first, $second, $warehouse;
done_testing();
