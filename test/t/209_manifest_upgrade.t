# Days that version 1.0 closed, and of which it has let go of rows, are compared as it
# counted them, whatever is done to them afterwards; each is closed anew where that can be.

use strict;
use warnings FATAL => 'all';

use FindBin;
use Reengage qw(new_node own_installation psql_stderr);
use PostgreSQL::Test::Utils;
use Test::More;

my ($libraries, $scripts) = own_installation();
plan skip_all => 'this PostgreSQL finds extensions only where they are installed' unless $libraries;
my $node = new_node('main');

sub sql { my ($statement) = @_; return $node->safe_psql('postgres', $statement); }

# As a superuser with triggers off.
sub tamper { my ($statement) = @_; return sql("SET session_replication_role = replica; $statement"); }

sub let_go
{
	my ($day, @numbers) = @_;
	my $names = join ', ', map { "'c-$day-$_'" } @numbers;
	return sql(qq{
		BEGIN;
		SELECT reengage_internal.lock('retention', VARIADIC '{}');
		SELECT lineage FROM reengage_internal.let_go(NULL, ARRAY(SELECT l.lineage_id FROM reengage.lineage l WHERE l.conversation_id IN ($names)));
		COMMIT}) =~ s/^\s+//r;
}

# Of each day: its state, rows that were counted and pruned, and what is covered.
sub reconciliation
{
	return sql(q{SELECT string_agg(concat_ws(' ', right(day, 2), state, rows_counted, rows_pruned, covers), ', ' ORDER BY day) FROM reengage.reconciliation});
}

sub close_day { my ($day) = @_; return psql_stderr($node, "CALL reengage.close_day('2020-03-$day')"); }

copy_script();

sub copy_script
{
	my $script = 'reengage--1.0.sql';
	open my $file, '>', "$scripts/$script" or die "could not write $script: $!";
	print $file slurp_file("$FindBin::RealBin/../../src/sql/released/$script");
	close $file;
	return;
}

# ---- as 1.0 left it ------------------------------------------------------------------------

sql(q{CREATE EXTENSION reengage VERSION '1.0'});
for my $day (qw(01 02 03 04))
{
	tamper(qq{
		INSERT INTO reengage.lineage (server, outcome, requested_conversation_id, conversation_id, root_conversation_id, generation,
			attempts, api_calls, api_calls_saved, occurred_at, recorded_at, address_hash, detail)
		SELECT 'genesys', 'imported', c, c, c, 0, 0, 0, 0, now(), '2020-03-$day 12:00+00', md5(c), jsonb_build_object('who', c)
		FROM (SELECT 'c-$day-' || i AS c FROM generate_series(1, 6) i) w});
	sql("CALL reengage.close_day('2020-03-$day')") if $day ne '04';
}
is(let_go('02', 1, 2), '2', '1.0 lets go of rows');
is(sql(q{SELECT string_agg(right(day, 2) || ' ' || state, ', ' ORDER BY day) FROM reengage.reconciliation}), '01 equal, 02 pruned, 03 equal', 'and knows it');
my $pruned = sql('SELECT digest FROM reengage.pruned_days');

sql('ALTER EXTENSION reengage UPDATE');
is(reconciliation(), '01 equal 6 0 13 columns, 02 pruned 6 2 13 columns, 03 equal 6 0 13 columns', 'updated, its days are compared as it counted them');
is(sql('SELECT digest FROM reengage.pruned_days'), $pruned, 'what it pruned is as it was');
sql(q{CALL reengage.close_day('2020-03-04')});
like(reconciliation(), qr/, 04 equal 6 0 32 columns$/, 'a day that is closed now has every column');

tamper(q{UPDATE reengage.lineage SET generation = 7 WHERE conversation_id IN ('c-01-1', 'c-02-3', 'c-04-1')});
is(reconciliation(), '01 a row differs 6 0 13 columns, 02 a row differs 6 2 13 columns, 03 equal 6 0 13 columns, 04 a row differs 6 0 32 columns',
	'a row that was changed differs by either digest');
tamper(q{UPDATE reengage.lineage SET generation = 0 WHERE generation = 7});

# ---- pruned by both -----------------------------------------------------------------------------

is(let_go('02', 3), '1', 'the new version goes on where 1.0 began to prune');
is(let_go('03', 1, 2), '2', 'and where 1.0 closed the day');
is(let_go('04', 1), '1', 'and begins its own');
is(reconciliation(), '01 equal 6 0 13 columns, 02 pruned 6 3 13 columns, 03 pruned 6 2 13 columns, 04 pruned 6 1 32 columns', 'all of them still add up');
is(sql(q{SELECT string_agg(right(day, 2) || ' ' || (column_sums IS NOT NULL)::text, ', ' ORDER BY day) FROM reengage.pruned_days}), '02 false, 03 false, 04 true',
	'sums of columns are kept of whole days only');
tamper(q{UPDATE reengage.lineage SET generation = 7 WHERE conversation_id IN ('c-02-5', 'c-03-5', 'c-04-5')});
is(sql(q{SELECT string_agg(right(day, 2) || ' ' || coalesce(columns_differ, '-'), ', ' ORDER BY day) FROM reengage.reconciliation WHERE state = 'a row differs'}),
	'02 -, 03 -, 04 generation', 'and a row that was changed still shows');
is(sql(q{SELECT l.conversation_id FROM reengage.reconciliation_rows JOIN reengage.lineage l USING (lineage_id)}), 'c-04-5', 'where columns are summed up it is named');
tamper(q{UPDATE reengage.lineage SET generation = 0 WHERE generation = 7});

# ---- closed again -------------------------------------------------------------------------------

is(close_day('01'), '', 'a day that 1.0 closed is closed anew');
like(close_day($_), qr/NOTICE:  day 2020-03-$_ was closed before, and nothing has changed/, "what was pruned of day $_ cannot be counted anew") for qw(02 03 04);
is(reconciliation(), '01 equal 6 0 32 columns, 02 pruned 6 3 13 columns, 03 pruned 6 2 13 columns, 04 pruned 6 1 32 columns', 'so each covers what it can');
is(let_go('01', 1), '1', 'the one that was closed anew');
is(close_day('01'), psql_stderr($node, q{DO $$ BEGIN RAISE NOTICE 'day 2020-03-01 was closed before, and nothing has changed'; END $$}) =~ s/\nCONTEXT.*//sr, 'is pruned with every column');
tamper(q{INSERT INTO reengage.lineage (server, outcome, requested_conversation_id, conversation_id, root_conversation_id, generation, attempts, api_calls, api_calls_saved, occurred_at, recorded_at)
	SELECT 'genesys', 'imported', c, c, c, 0, 0, 0, 0, now(), ('2020-03-' || substr(c, 3, 2) || ' 13:00+00')::timestamptz FROM unnest('{c-01-7,c-02-7}'::text[]) c});
is(close_day($_), '', "day $_ is counted again with what came late") for qw(01 02);
like(reconciliation(), qr/^01 pruned 7 1 32 columns, 02 pruned 7 3 13 columns,/, 'each as before');

# ---- forgotten ------------------------------------------------------------------------------------

sql(q{CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'http://127.0.0.1:1', auth 'none')});
sql(qq{SELECT reengage.forget(conversation_id => 'c-$_-6', server => 'genesys')}) for qw(01 02 04);
is(sql(q{SELECT count(*) FROM reengage.lineage WHERE detail IS NULL AND conversation_id LIKE 'c-__-6'}), 3, 'customers of each day are forgotten');
is(reconciliation(), '01 pruned 7 1 32 columns, 02 pruned 7 3 13 columns, 03 pruned 6 2 13 columns, 04 pruned 6 1 32 columns', 'which no day takes for a fault');
is(sql(q{SELECT string_agg(right(day, 2) || ' ' || n, ', ' ORDER BY day) FROM (SELECT day, count(*) AS n FROM reengage.lineage_manifest GROUP BY 1) m}), '01 2, 02 2, 03 1, 04 1',
	'what a day had in sums of columns before is gone; what 1.0 wrote tells nothing');

# a subscriber let go of rows of a day that its publisher closes anew
sql(q{INSERT INTO reengage.lineage_manifest (day, as_of, row_count, digest, column_sums) SELECT '2020-03-03', now() + interval '1 day', 6, 1, 'lineage_id:1:1'});
is(sql(q{SELECT state || ', ' || covers FROM reengage.reconciliation WHERE day = '2020-03-03'}), 'pruned, row count', 'what cannot be compared is not called different');

$node->stop;
done_testing();
