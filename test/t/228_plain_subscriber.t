# A subscriber without the extension, made by subscriber_ddl() as docs/replication.md
# says: it holds lineage row for row, and proves by itself that all has arrived, or names
# the day, the row and the column that has not.

use strict;
use warnings FATAL => 'all';

use Documents qw(blocks_of run_shell);
use File::Copy qw(copy);
use FindBin;
use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for own_installation psql_stderr log_size);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($make, $make_before_update) = blocks_of('docs/replication.md', languages => ['sh'], section => 'A subscriber without the extension');
# version 1.0 is put beside the new one
my ($libraries, $scripts) = own_installation();
my $simulator = start_simulator('--default-status', 'hash');
my $conf = "wal_retrieve_retry_interval = '100ms'\nautovacuum = off\nmax_worker_processes = 20\nmax_logical_replication_workers = 12\n";
my $publisher = new_node('publisher', preload => 1, init => { allows_streaming => 'logical' }, conf => $conf);
# neither its library nor its roles are there
my $warehouse = PostgreSQL::Test::Cluster->new('warehouse');
$warehouse->init(allows_streaming => 'logical', extra => [ '--locale=C', '--encoding=UTF8' ]);
$warehouse->append_conf('postgresql.conf', $conf);
$warehouse->start;

# A line of the document, as somebody types it.  Returns what it says.
sub make_subscriber
{
	my ($database, $from, $block) = @_;
	my %named = (shop => $publisher->connstr($from // 'postgres'), warehouse => $warehouse->connstr($database));
	my $line = ($block // $make)->{text} =~ s/\b(shop|warehouse)\b/"$named{$1}"/gr =~ s/psql -X /psql -Xq /r;

	return run_shell($publisher, $publisher->basedir, $line);
}

sub subscribe
{
	my ($database, $from) = @_;

	$warehouse->safe_psql($database, "CREATE SUBSCRIPTION $database CONNECTION '"
		  . $publisher->connstr($from // 'postgres') =~ s/'/''/gr . "' PUBLICATION reengage_bi");
	return $warehouse->poll_query_until($database, qq{SELECT bool_and(srsubstate = 'r')
		FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid WHERE s.subname = '$database'});
}

# Count and digest of all columns of all rows; the same question everywhere.
sub rows_of
{
	my ($node, $database) = @_;
	return $node->safe_psql($database, q{SELECT count(*) || ' ' || md5(coalesce(string_agg(to_jsonb(l)::text, '|' ORDER BY l.lineage_id), '')) FROM reengage.lineage l});
}

# "day state columns", a line for each day.
sub reconciliation
{
	my ($node, $database, $but) = @_;
	return $node->safe_psql($database, ($but // '') . q{SELECT concat_ws(' ', day, state, columns_differ) FROM reengage.reconciliation ORDER BY day});
}

# What is found after a change there that is taken back: "state | columns", and
# "column row finding" of each row that is named.
sub found_after
{
	my ($change, $day) = @_;
	return $warehouse->safe_psql('plain', "BEGIN; $change;
		SELECT concat_ws(' | ', state, columns_differ) FROM reengage.reconciliation WHERE day = '$day';
		SELECT concat_ws(' ', column_name, lineage_id, finding) FROM reengage.reconciliation_rows WHERE day = '$day' ORDER BY column_name;
		ROLLBACK");
}

# Rows of three days in the past, with texts that a road may spoil.
my $hostile = q{'back\slash "quoted" ''quoted'' ~t|p ' || U&'Z\00FCrich \4F60\597D \+01F600' || E' \t\n,;' || n};
sub record
{
	my ($node, $database, $from, $to, $day, $texts) = @_;
	$texts //= $hostile;
	return $node->safe_psql($database, qq{
		INSERT INTO reengage.lineage (lineage_id, nudge_id, server, outcome, reason, step, requested_conversation_id, conversation_id,
			previous_conversation_id, root_conversation_id, generation, status_seen, channel, address_hash, campaign, attempts, api_calls,
			api_calls_saved, http_status, api_error_code, api_error_message, correlation_id, message_id, requested_at, due_at, checked_at,
			called_at, occurred_at, recorded_at, detail)
		SELECT ('01900000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, CASE WHEN n % 2 = 0 THEN gen_random_uuid() END, 'genesys',
			CASE WHEN n % 2 = 0 THEN 'session_created' ELSE 'imported' END, CASE WHEN n % 3 = 0 THEN $texts END, 'create', 'c-' || n, 'd-' || n,
			CASE WHEN n % 2 = 0 THEN 'c-' || n END, 'c-' || n, n % 2, 'disconnected', 'sms', md5(n::text), $texts, 1, 2, 0, 201, 'none', 'no error',
			'corr-' || n, 'm-' || n, t, t, t + interval '1 microsecond', t, t + n * interval '1 millisecond', t + n * interval '1 millisecond',
			jsonb_build_object('tier', $texts, 'score', n / 7.0, 'list', jsonb_build_array(n, null, true, '{}'::jsonb))
		FROM generate_series($from, $to) n, (SELECT '$day 11:00:00.123456+00'::timestamptz) at (t)});
}

# ---- it is made -------------------------------------------------------------------------------------

create_extension($publisher, $simulator);
$publisher->safe_psql('postgres', q{CREATE ROLE bi LOGIN IN ROLE reengage_reader; SELECT reengage.publish('reengage_bi')});
record($publisher, 'postgres', 1, 20, '2020-02-03');
record($publisher, 'postgres', 21, 40, '2020-02-04');
$publisher->safe_psql('postgres', "CALL reengage.close_day('$_')") for '2020-02-03', '2020-02-04';
my $ddl = $publisher->safe_psql('postgres', 'SELECT reengage.subscriber_ddl()', extra_params => [ '-U', 'bi' ]);
like($ddl, qr/\A[\t\n -~]+\z/, 'whoever reads gets it, in ASCII');
$warehouse->safe_psql('postgres', 'CREATE DATABASE plain');
is(make_subscriber('plain'), '', 'a database without the extension takes it');

# What people see of a schema: the tables that are replicated, and the views.
my $shape = q{
	SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), c.relkind = 'r' AND a.attnotnull,
		CASE WHEN c.relkind = 'r' THEN col_description(c.oid, a.attnum) END
	FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
	WHERE c.oid = ANY ('{reengage.lineage,reengage.lineage_manifest,reengage.reconciliation,reengage.reconciliation_rows}'::regclass[])
	ORDER BY c.relname, a.attnum};
my $keys = q{SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint
	WHERE contype = 'p' AND conrelid = ANY ('{reengage.lineage,reengage.lineage_manifest}'::regclass[]) ORDER BY 1};
for ([ $shape, 'columns, types, NOT NULLs and comments' ], [ $keys, 'primary keys' ])
{
	my ($question, $what) = @$_;
	is($warehouse->safe_psql('plain', $question), $publisher->safe_psql('postgres', $question), "$what are those of the extension");
}
is($warehouse->safe_psql('plain', q{SELECT count(*) FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid WHERE c.relnamespace = 'reengage'::regnamespace})
	. $warehouse->safe_psql('plain', q{SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = 'reengage'::regnamespace}),
	'00', 'but for defaults and triggers');
my $everything = q{SELECT md5(string_agg(x, chr(10) ORDER BY x)) FROM (
	SELECT pg_describe_object('pg_class'::regclass, c.oid, 0) || a.attname || a.attnotnull || a.atttypid::regtype::text
	FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace = 'reengage'::regnamespace
	UNION ALL SELECT pg_get_functiondef(p.oid) FROM pg_proc p WHERE p.prokind <> 'a' AND p.pronamespace IN (SELECT n.oid FROM pg_namespace n WHERE n.nspname LIKE 'reengage%')
	UNION ALL SELECT pg_get_viewdef(c.oid) FROM pg_class c WHERE c.relkind = 'v' AND c.relnamespace = 'reengage'::regnamespace) s (x)};
my $made = $warehouse->safe_psql('plain', $everything);
is(make_subscriber('plain'), '', 'once more');
is($warehouse->safe_psql('plain', $everything), $made, 'changes nothing');

# ---- it is filled, and proves it -----------------------------------------------------------------------

ok(subscribe('plain'), 'a subscription copies what is there');
is(rows_of($warehouse, 'plain'), rows_of($publisher, 'postgres'), 'row for row');
is(reconciliation($warehouse, 'plain'), "2020-02-03 equal\n2020-02-04 equal", 'and proves it');
record($publisher, 'postgres', 41, 60, '2020-02-05');
$publisher->safe_psql('postgres', q{CALL reengage.close_day('2020-02-05')});
nudge($publisher, $_) for qw(live-today closed-today);
wait_until_ended($publisher);
$publisher->safe_psql('postgres', 'CALL reengage.close_part()');
$publisher->wait_for_catchup('plain');
is(rows_of($warehouse, 'plain'), rows_of($publisher, 'postgres'), 'what comes later arrives, too');
my @days = split /\n/, reconciliation($warehouse, 'plain');
is(join(', ', grep { /^2020/ } @days), '2020-02-03 equal, 2020-02-04 equal, 2020-02-05 equal', 'each day that was closed is equal');
# midnight may have passed meanwhile
like(join(', ', grep { !/^2020/ } @days), qr/^\S+ equal so far$|^\S+ equal(, |$)/, 'and today is equal so far');
is(reconciliation($warehouse, 'plain'), reconciliation($publisher, 'postgres'), 'the publisher says the same');
my $compared = q{SELECT day, rows_counted, rows_here, digest_counted, digest_here FROM reengage.reconciliation WHERE day < '2021' ORDER BY day};
is($warehouse->safe_psql('plain', $compared), $publisher->safe_psql('postgres', $compared), 'in the same numbers');

# ---- a row is changed, in each of its columns --------------------------------------------------------

my $id = '01900000-0000-7000-8000-000000000025';
my %other = (
	text => q{coalesce(VALUE, '') || 'x'}, uuid => q{'01900000-0000-7000-8000-0000000000ff'::uuid}, integer => 'coalesce(VALUE, 0) + 1',
	'timestamp with time zone' => q{coalesce(VALUE, '2020-02-04') + interval '1 microsecond'}, jsonb => q{VALUE || '{"more": 1}'});
my @columns = map { [ split /\|/ ] } split /\n/, $warehouse->safe_psql('plain', q{
	SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
	WHERE attrelid = 'reengage.lineage'::regclass AND attnum > 0 AND NOT attisdropped AND attname <> 'xact_id' ORDER BY attnum});
is(scalar @columns, 32, 'columns that the proof covers');
for (@columns)
{
	my ($name, $type) = @$_;
	my $changed = $name eq 'lineage_id' ? '01900000-0000-7000-8000-0000000000ff' : $id;
	my $value = $other{$type} =~ s/VALUE/$name/r;
	my $found = found_after("UPDATE reengage.lineage SET $name = $value WHERE lineage_id = '$id'", '2020-02-04');

	like($found, qr/\Aa row differs \| $name\n$name $changed [^\n]+\z/, "$name of one row differs: both are named");
}
like(found_after(q{UPDATE reengage.lineage SET detail = jsonb_set(detail, '{list,1}', '"null"')} . " WHERE lineage_id = '$id'", '2020-02-04'),
	qr/\Aa row differs \| detail\ndetail $id /, 'a null that became a word');
is(found_after("UPDATE reengage.lineage SET detail = (detail::text)::jsonb, lineage_id = lower(lineage_id::text)::uuid", '2020-02-04'), 'equal',
	'what means the same is the same');

# ---- rows that are missing, too much, late, cut or mixed up ----------------------------------------------

my $missing = found_after("DELETE FROM reengage.lineage WHERE lineage_id = '$id'", '2020-02-04');
like($missing, qr/\Arows are missing\nlineage_id a row is missing here/, 'a row is missing');
my $place = $warehouse->safe_psql('plain', "BEGIN; DELETE FROM reengage.lineage WHERE lineage_id = '$id';
	SELECT place FROM reengage.reconciliation_rows WHERE day = '2020-02-04'; ROLLBACK");
is($publisher->safe_psql('postgres', "SELECT lineage_id FROM reengage.find_lineage('2020-02-04', $place)"), $id, 'and the publisher finds which, by its place');
my $copied = join ', ', map { $_->[0] eq 'lineage_id' ? "'01900000-0000-7000-8000-0000000000ff'" : $_->[0] } @columns;
my $into = 'INSERT INTO reengage.lineage (xact_id, ' . join(', ', map { $_->[0] } @columns) . ") SELECT xact_id, ";
like(found_after("$into$copied FROM reengage.lineage WHERE lineage_id = '$id'", '2020-02-04'),
	qr/\Amore rows than counted\nlineage_id 01900000-0000-7000-8000-0000000000ff /, 'a row that was added is named');
like(found_after('ALTER TABLE reengage.lineage DROP CONSTRAINT lineage_pkey; ' . $into . join(', ', map { $_->[0] } @columns) . " FROM reengage.lineage WHERE lineage_id = '$id'",
	'2020-02-04'), qr/\Amore rows than counted\nlineage_id $id /, 'so is one that came twice, where there is no key');
like(found_after("UPDATE reengage.lineage SET campaign = left(campaign, 5) WHERE lineage_id = '$id'", '2020-02-04'),
	qr/\Aa row differs \| campaign\ncampaign $id /, 'a text that was cut');
like(found_after("UPDATE reengage.lineage l SET channel = o.campaign, campaign = o.channel FROM reengage.lineage o WHERE o.lineage_id = l.lineage_id AND l.lineage_id = '$id'",
	'2020-02-04'), qr/\Aa row differs \| channel, campaign\ncampaign $id [^\n]+\nchannel $id /, 'two columns of a row that were swapped');
like(found_after("UPDATE reengage.lineage l SET campaign = o.campaign FROM reengage.lineage o WHERE '$id' IN (l.lineage_id, o.lineage_id)
	AND '01900000-0000-7000-8000-000000000026' IN (l.lineage_id, o.lineage_id) AND l.lineage_id <> o.lineage_id", '2020-02-04'),
	qr/\Aa row differs \| campaign\ncampaign values have changed places between rows/, 'a value that went to another row, and back');
like(found_after("UPDATE reengage.lineage SET occurred_at = occurred_at + interval '1 hour' WHERE recorded_at < '2020-02-05' AND recorded_at >= '2020-02-04'", '2020-02-04'),
	qr/\Aa row differs \| occurred_at\noccurred_at the value of more than one row differs/, 'a column that went through another time zone');

record($publisher, 'postgres', 61, 61, '2020-02-04');
$publisher->wait_for_catchup('plain');
like(reconciliation($warehouse, 'plain'), qr/^2020-02-04 more rows than counted$/m, 'a row that came late');
like($warehouse->safe_psql('plain', q{SELECT lineage_id || ' ' || finding FROM reengage.reconciliation_rows WHERE day = '2020-02-04'}),
	qr/^01900000-0000-7000-8000-000000000061 .*came late/, 'is named');
$publisher->safe_psql('postgres', q{CALL reengage.close_day('2020-02-04')});
$publisher->wait_for_catchup('plain');
like(reconciliation($warehouse, 'plain'), qr/^2020-02-04 equal$/m, 'until the publisher has counted again');
$publisher->safe_psql('postgres', q{CALL reengage.close_day('2020-02-29')});
$publisher->wait_for_catchup('plain');
like(reconciliation($warehouse, 'plain'), qr/^2020-02-29 equal$/m, 'a day without rows is equal, too');

# who reads there
$warehouse->safe_psql('plain', q{CREATE ROLE analyst LOGIN; GRANT USAGE ON SCHEMA reengage, reengage_internal TO analyst;
	GRANT SELECT ON ALL TABLES IN SCHEMA reengage TO analyst});
is(reconciliation($warehouse, 'plain', 'SET ROLE analyst;'), reconciliation($warehouse, 'plain'), 'an analyst gets the same');

# ---- whatever a session or database is like ---------------------------------------------------------------

my $same = $warehouse->safe_psql('plain', $compared);
for my $setting ("TimeZone = 'Asia/Kathmandu'", "DateStyle = 'SQL, DMY'", "IntervalStyle = 'iso_8601'", 'extra_float_digits = -15',
	"bytea_output = 'escape'", 'search_path = pg_temp', 'standard_conforming_strings = off', "client_encoding = 'LATIN1'", "DateStyle = 'German'")
{
	is($warehouse->safe_psql('plain', "SET $setting; $compared"), $same, "nor does $setting change anything");
}
$warehouse->safe_psql('postgres', q{CREATE DATABASE icu TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'de-AT'});
$warehouse->safe_psql('icu', q{ALTER DATABASE icu SET TimeZone = 'America/St_Johns'; ALTER DATABASE icu SET DateStyle = 'SQL, DMY';
	ALTER DATABASE icu SET extra_float_digits = -15; ALTER DATABASE icu SET IntervalStyle = 'sql_standard'});
is(make_subscriber('icu'), '', 'a database with another collation and other settings');
ok(subscribe('icu'), 'takes the rows');
is($warehouse->safe_psql('icu', $compared), $publisher->safe_psql('postgres', $compared), 'and comes to the same');
$warehouse->safe_psql('icu', 'DROP SUBSCRIPTION icu');

# ---- other encodings ---------------------------------------------------------------------------------------

for my $encoding (qw(LATIN1 SQL_ASCII))
{
	my $database = lc "from_$encoding";
	my $texts = $encoding eq 'SQL_ASCII' ? qq{'Z\xc3\xbcrich ~|\\' || n} : q{'back\slash ~t|p ' || U&'Z\00FCrich' || n};

	$publisher->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0 ENCODING '$encoding'");
	$warehouse->safe_psql('postgres', "CREATE DATABASE $database");
	$publisher->safe_psql($database, $_) for 'CREATE EXTENSION reengage', q{SELECT reengage.publish('reengage_bi')};
	record($publisher, $database, 1, 5, '2020-02-03', $texts);
	is(make_subscriber($database, $database), '', "a publisher with the encoding $encoding");
	ok(subscribe($database, $database), 'is copied');
	record($publisher, $database, 6, 9, '2020-02-03', $texts);
	$publisher->safe_psql($database, q{CALL reengage.close_day('2020-02-03')});
	$publisher->wait_for_catchup($database);
	is(reconciliation($warehouse, $database), '2020-02-03 equal', 'and equal');
	like($warehouse->safe_psql($database, 'SELECT min(campaign) FROM reengage.lineage'), qr/Z\xc3\xbcrich/, 'in UTF-8');
}

# ---- databases that are not one for it -------------------------------------------------------------------------

my $all = $publisher->safe_psql('postgres', $everything);
my $refused = $publisher->psql('postgres', $ddl, stderr => \my $why);
isnt($refused, 0, 'a database that has the extension');
like($why, qr/ERROR:  this database has the extension reengage/, 'is refused');
is($publisher->safe_psql('postgres', $everything), $all, 'and as it was');
$warehouse->safe_psql('postgres', 'CREATE DATABASE by_hand');
$warehouse->safe_psql('by_hand', 'CREATE SCHEMA reengage; CREATE TABLE reengage.lineage (lineage_id text, server text, generation bigint)');
like(make_subscriber('by_hand'), qr/ERROR:  columns have other types than on the publisher: reengage\.lineage\.lineage_id is text, not uuid, reengage\.lineage\.generation is bigint, not integer\n/,
	'a table that was made by hand with other types is refused, and they are named');
is($warehouse->safe_psql('by_hand', q{SELECT count(*) FROM pg_class WHERE relnamespace = 'reengage'::regnamespace}), 1, 'and nothing is made');
$warehouse->safe_psql('by_hand', 'DROP TABLE reengage.lineage; CREATE TABLE reengage.lineage (lineage_id uuid, server text)');
is(make_subscriber('by_hand'), '', 'one that lacks columns gets them');
ok(subscribe('by_hand'), 'and can subscribe');
is($warehouse->safe_psql('by_hand', $compared), $publisher->safe_psql('postgres', $compared), 'and prove it');
$warehouse->safe_psql('by_hand', 'DROP SUBSCRIPTION by_hand');

# ---- an update of the extension: the subscriber first --------------------------------------------------------------

SKIP:
{
	skip 'this PostgreSQL finds extensions only where they are installed', 10 unless $scripts;
	my $states = q{SELECT string_agg(concat_ws(' ', day, state, covers), ', ' ORDER BY day) FROM reengage.reconciliation};

	copy("$FindBin::RealBin/../../src/sql/released/reengage--1.0.sql", "$scripts/reengage--1.0.sql") or die "could not copy: $!";
	$_->safe_psql('postgres', 'CREATE DATABASE older') for $publisher, $warehouse;
	$publisher->safe_psql('older', $_) for q{CREATE EXTENSION reengage VERSION '1.0'}, q{SELECT reengage.publish('reengage_bi')};
	record($publisher, 'older', 1, 10, '2020-02-03');
	$publisher->safe_psql('older', q{CALL reengage.close_day('2020-02-03')});
	is(make_subscriber('older', 'older', $make_before_update), '', 'the publisher tells what an update will bring');
	is($publisher->safe_psql('older', q{SELECT extversion FROM pg_extension WHERE extname = 'reengage'}), '1.0', 'before it is updated');
	ok(subscribe('older', 'older'), 'the subscriber takes what the older version sends');
	is($warehouse->safe_psql('older', $states), '2020-02-03 equal 13 columns', 'and proves as much as that has counted');
	$warehouse->safe_psql('older', "UPDATE reengage.lineage SET outcome = 'x' WHERE lineage_id = '01900000-0000-7000-8000-000000000003'");
	is($warehouse->safe_psql('older', $states), '2020-02-03 a row differs 13 columns', 'of which one that differs is found');
	$warehouse->safe_psql('older', "UPDATE reengage.lineage SET outcome = 'imported' WHERE lineage_id = '01900000-0000-7000-8000-000000000003'");
	$publisher->safe_psql('older', $_) for 'ALTER EXTENSION reengage UPDATE', q{SELECT reengage.publish('reengage_bi')};
	record($publisher, 'older', 11, 20, '2020-02-04');
	$publisher->safe_psql('older', "CALL reengage.close_day('$_')") for '2020-02-03', '2020-02-04';
	$publisher->wait_for_catchup('older');
	is($warehouse->safe_psql('older', $states), '2020-02-03 equal 32 columns, 2020-02-04 equal 32 columns', 'after the update all columns are proved');
	is(rows_of($warehouse, 'older'), rows_of($publisher, 'older'), 'and every row came');
	is(make_subscriber('older', 'older'), '', 'once more');
	is($warehouse->safe_psql('older', $everything), $made, 'it is as if it had been made so');
	$warehouse->safe_psql('older', 'DROP SUBSCRIPTION older');
}

# a column that a later version adds
$publisher->safe_psql('postgres', "ALTER TABLE reengage.lineage ADD COLUMN weather text NOT NULL DEFAULT 'fair'");
is(make_subscriber('plain'), '', 'a column that was added');
$publisher->safe_psql('postgres', q{SELECT reengage.publish('reengage_bi')});
record($publisher, 'postgres', 62, 62, '2020-02-06');
$publisher->wait_for_catchup('plain');
is($warehouse->safe_psql('plain', q{SELECT string_agg(coalesce(weather, 'null'), ' ' ORDER BY n DESC) FROM (SELECT weather, count(*) AS n FROM reengage.lineage GROUP BY 1) w}),
	'null fair', 'comes with the rows from then on');

$_->stop for $publisher, $warehouse;
done_testing();
