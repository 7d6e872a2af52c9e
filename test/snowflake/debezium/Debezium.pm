# Debezium's engine with the properties file that snowflake/kafka/ ships, run on a
# server of PostgreSQL::Test.
package Debezium;
use strict;
use warnings FATAL => 'all';

use IPC::Run;
use JSON::PP ();
use PostgreSQL::Test::Utils;
use Reengage qw(wait_for);
use Test::More;

# What the file cannot know: where the database is, and where a worker of Kafka
# Connect would keep the offsets.  Heartbeats once a minute would be too few to see one.
sub start
{
	my ($class, $node, %where) = @_;
	my $place = PostgreSQL::Test::Utils::tempdir();
	my $self = bless { events => $where{events}, log => "$place/log", stdin => '' }, $class;

	open my $handle, '>', "$place/place.properties" or die "could not write to $place: $!";
	print $handle "$_\n" for 'database.hostname=127.0.0.1', 'database.port=' . $node->port, 'database.dbname=postgres',
	  "database.user=$where{user}", 'database.password=none', 'heartbeat.interval.ms=1000',
	  'offset.storage=org.apache.kafka.connect.storage.FileOffsetBackingStore',
	  "offset.storage.file.filename=$place/offsets", 'offset.flush.interval.ms=1000';
	close $handle;
	$self->{run} = IPC::Run::start(
		[ 'java', '-cp', "$where{built}/classes:$where{built}/jars/*", 'Capture', $where{properties},
		  "$place/place.properties", $where{events} ],
		'<', \$self->{stdin}, '>', $self->{log}, '2>&1');
	return $self;
}

# The records that have come: topic, key and value of each.
sub records
{
	my ($self) = @_;
	return () unless -e $self->{events};
	return map { JSON::PP::decode_json($_) } grep { /\]$/ } split /\n/, slurp_file($self->{events});
}

# Waits until the records are as wanted.
sub wait_until
{
	my ($self, $what, $wanted) = @_;
	my $is_there = wait_for(sub {
		return 1 if $wanted->($self->records);
		die "Debezium has stopped:
" . slurp_file($self->{log}) unless $self->{run}->pumpable;
		return 0;
	}, $what);
	diag(slurp_file($self->{log})) unless $is_there;
	return $is_there;
}

# Waits until as many rows have come as there are.
sub wait_for_rows
{
	my ($self, $node, $what) = @_;
	my $rows = $node->safe_psql('postgres',
		'SELECT (SELECT count(*) FROM reengage.lineage) + (SELECT count(*) FROM reengage.lineage_manifest)');
	return $self->wait_until($what, sub { $rows <= grep { $_->[0] =~ /^pg\.reengage\./ } @_ });
}

# Loads what came into PostgreSQL, and compares it there: each column of each row.
sub compare
{
	my ($self, $node) = @_;
	my %events = map { split /\|/ } split /\n/, $node->safe_psql('postgres', qq{
		CREATE TABLE record AS
		SELECT r ->> 0 AS topic, r -> 1 AS key, nullif(r -> 2, 'null') AS value
		FROM (SELECT line::jsonb AS r FROM regexp_split_to_table(pg_read_file('$self->{events}'), E'\n') line WHERE line <> '') f;
		CREATE TABLE arrived AS
		SELECT topic, value ->> '__op' AS op, (value ->> '__source_ts_ms')::bigint AS ms,
			   (jsonb_populate_record(NULL::reengage.lineage, value - 'detail')).*, (value ->> 'detail')::jsonb AS document
		FROM record WHERE topic = 'pg.reengage.lineage';
		CREATE TABLE arrived_manifest AS
		SELECT (jsonb_populate_record(NULL::reengage.lineage_manifest, value)).*
		FROM record WHERE topic = 'pg.reengage.lineage_manifest';
		SELECT concat_ws(' ', topic, CASE WHEN value IS NULL THEN 'tombstone' ELSE value ->> '__op' END), count(*)
		FROM record GROUP BY 1});
	my ($rows, $days) = map { $node->safe_psql('postgres', "SELECT count(*) FROM reengage.$_") } qw(lineage lineage_manifest);
	my %expected = map { ("pg.reengage.$_->[0] $_->[1]" => 1) } [ 'lineage', 'r' ], [ 'lineage', 'c' ], [ 'lineage_manifest', 'c' ],
	  [ 'lineage_manifest', 'r' ];
	my @unexpected = grep { !$expected{$_} && !/^__debezium-heartbeat\.pg$|^pg\.message\b/ } sort keys %events;

	note('proof: Debezium: ' . join(', ', map { "$events{$_} $_" } sort keys %events));
	is("@unexpected", '', 'nothing comes but snapshots, inserts, heartbeats and the messages for them');
	cmp_ok($events{$_} // 0, '>', 0, "events: $_") for 'pg.reengage.lineage r', 'pg.reengage.lineage c', '__debezium-heartbeat.pg';
	is(($events{'pg.reengage.lineage r'} // 0) + ($events{'pg.reengage.lineage c'} // 0), $rows, "$rows rows of lineage came, each once");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM arrived_manifest'), $days, 'and those of the manifest');

	my %type = map { split /\|/ } split /\n/, $node->safe_psql('postgres', q{
		SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
		WHERE attrelid = 'reengage.lineage'::regclass AND attnum > 0 AND attname <> 'xact_id'});
	my %differ = map { split /\|/ } split /\n/, $node->safe_psql('postgres', join ' UNION ALL ', map {
		my $came = $type{$_} eq 'jsonb' ? 'document' : $_;
		"SELECT '$_', count(*) FROM reengage.lineage l LEFT JOIN arrived a USING (lineage_id) WHERE l.$_ IS DISTINCT FROM a.$came"
	} sort keys %type);
	is($differ{$_}, 0, "column $_ is as it was in each row") for sort keys %differ;
	is($node->safe_psql('postgres', q{
		SELECT count(*) FROM record, LATERAL jsonb_object_keys(value) k
		WHERE topic = 'pg.reengage.lineage' AND k NOT LIKE '\_\_%'}), $rows * keys %type, 'each event has the columns that travel, and no others');
	is($node->safe_psql('postgres', 'TABLE reengage.lineage_manifest EXCEPT TABLE arrived_manifest'), '', 'the manifest is as it was');
	note('proof: Debezium: ' . grep({ !$_ } values %differ) . ' of ' . keys(%differ) . " columns equal in $rows rows");
	return;
}

# Ends it; whether it ended well.
sub stop
{
	my ($self) = @_;
	return $self->{run}->finish;
}

1;
