# The PostgreSQL side of the Snowflake proof: real nudges with every outcome, what
# a logical replication slot sent of them, and the answers to the questions of
# questions.sql.  Leaves both in the folder $PROOF_DIR.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/debezium";
use Debezium;
use PostgreSQL::Test::Utils;
use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended lineage ledger_matches_lineage);
use Test::More;

my $folder = $ENV{PROOF_DIR} // die 'PROOF_DIR is not set';
chdir $folder or die "could not change to $folder: $!";

sub file { my ($name) = @_; return slurp_file("$FindBin::RealBin/$name"); }

sub leave
{
	my ($name, $text) = @_;
	open my $handle, '>', "$folder/$name" or die "could not write $folder/$name: $!";
	print $handle $text;
	close $handle;
	return;
}

# what was created is closed when it is looked at
my $simulator = start_simulator('--close-after-looks', 0);
my $node = new_node('source', preload => 1, servers => [ 'genesys', 'cloud' ],
	init => { allows_streaming => 'logical' },
	# JDBC speaks TCP
	conf => $ENV{DEBEZIUM} ? "listen_addresses = '127.0.0.1'" : '');
create_extension($node, $simulator, server_options => q(max_attempts '2'));
$node->safe_psql('postgres', qq{
	CREATE SERVER cloud FOREIGN DATA WRAPPER reengage
		OPTIONS (dialect 'genesys_cloud', api_url '$simulator->{url}', from_address '+13175550000',
				 max_requests_per_minute '0', max_failures '0')});

# ---- what is replicated, from the first row on ------------------------------------

$node->safe_psql('postgres', file('stand_in.sql'));
$node->safe_psql('postgres', q{
	CREATE PUBLICATION proof FOR TABLE reengage.lineage, reengage.lineage_manifest, messages
		WITH (publish = 'insert')});
$node->safe_psql('postgres', q{SELECT pg_create_logical_replication_slot('proof', 'pgoutput')});

is($node->safe_psql('postgres', q{
	CREATE ROLE reengage_kafka LOGIN REPLICATION;
	GRANT reengage_reader TO reengage_kafka;
	SELECT reengage.publish('reengage_bi')}), 'created', 'publish() makes the publication that connectors read');

# ---- nudges, with an API that fails -------------------------------------------------

$simulator->fault(verb => 'notify', id => 'live-lost', action => 'close_after');
$simulator->fault(verb => 'create', id => 'closed-lost', action => 'close_before');
$simulator->fault(verb => 'create', id => 'closed-found', action => 'close_after');
$simulator->fault(verb => '*', action => 'delay', ms => 5, rate => 0.1);

nudge($node, $_, campaign => "'edge'") for qw(ringing-1 zombie-1 race-1 gone-1 noaddr-1 webchat-1 nostatus-1
  continues-1 returns-1 reject-live-1 reject-closed-1 live-lost-1 live-lost-2 closed-lost-1 closed-lost-2
  closed-found-1);
nudge($node, 'closed-expired', due_at => "now() - interval '1 hour'", expires_at => "now() - interval '1 s'");
$simulator->control('POST', 'write', { id => 'live-answered' });
nudge($node, 'live-answered', answered_since => "now() - interval '1 hour'");
nudge($node, "closed-skip-$_", when_closed => "'skip'", campaign => q('a "quoted", comma')) for 1 .. 3;
nudge($node, $_, server => "'cloud'", campaign => "'edge'")
  for qw(live-cloud closed-cloud overtaken-cloud race-cloud continues-cloud);
$node->safe_psql('postgres', q{
	INSERT INTO reengage.nudges (conversation_id, message, campaign, detail)
	SELECT CASE WHEN n % 3 = 0 THEN 'live-' ELSE 'closed-' END || n, 'Are you still there?',
		   CASE WHEN n % 5 > 0 THEN 'campaign ' || n % 5 END,
		   CASE WHEN n % 7 = 0 THEN jsonb_build_object('cart', n, 'note', 'a "quote" and ' || chr(228)) END
	FROM generate_series(1, 150) n});
wait_until_ended($node);

# Where it is, Debezium reads along from here on: what is there first, then what comes.
my $shipped = "$FindBin::RealBin/../../snowflake";
my $debezium = $ENV{DEBEZIUM} && Debezium->start($node, built => $ENV{DEBEZIUM}, user => 'reengage_kafka',
	properties => "$shipped/kafka/debezium-source.properties", events => "$folder/events");
$debezium->wait_for_rows($node, 'its snapshot') if $debezium;

# threads grow: asked for by the id that the application still has
for my $round (1 .. 4)
{
	$node->safe_psql('postgres', qq{
		INSERT INTO reengage.nudges (conversation_id, message, campaign)
		SELECT 'closed-' || n, 'Your cart is still here.', 'reminder $round'
		FROM generate_series(1, 100, 3 * $round) n});
	nudge($node, 'returns-1');
	nudge($node, 'overtaken-cloud', server => "'cloud'");
	wait_until_ended($node);
}

for my $round (5 .. 12)
{
	nudge($node, 'closed-1');
	wait_until_ended($node);
}

# an operator settles most doubts
my %doubts = map { ($_->{requested_conversation_id} => $_) } lineage($node, "l.outcome = 'in_doubt'");
my ($found) = map { $_->{conversation_id} } $simulator->effects('id=closed-found-1');
$node->safe_psql('postgres', "SELECT reengage.resolve('$doubts{'live-lost-1'}{lineage_id}', 'sent')");
$node->safe_psql('postgres', "SELECT reengage.resolve('$doubts{'closed-lost-1'}{lineage_id}', 'not_sent')");
$node->safe_psql('postgres', "SELECT reengage.resolve('$doubts{'closed-found-1'}{lineage_id}', 'sent', '$found')");
ledger_matches_lineage($node, $simulator, 'the lineage is what happened at the API');

$node->safe_psql('postgres', file('beyond.sql'));
# the thread that has joined another goes on
nudge($node, 'history-1');
wait_until_ended($node, where => "n.due_at <= now()");
$node->safe_psql('postgres', file('messages.sql'));
$node->safe_psql('postgres', file('close_days.sql'));

my $kinds = $node->safe_psql('postgres', q{
	SELECT string_agg(DISTINCT outcome, ' ' ORDER BY outcome) FROM reengage.lineage});
my @outcomes = slurp_file("$FindBin::RealBin/../../src/common/outcome_list.h") =~ /^\tOUTCOME(?:_OF_SQL)?\(.*?"([a-z_]+)"/mg;
is($kinds, join(' ', sort @outcomes), 'every outcome is there');
cmp_ok($node->safe_psql('postgres', 'SELECT max(generation) FROM reengage.lineage'), '>=', 12, 'threads have grown');

# ---- what the slot sent, and what PostgreSQL answers ----------------------------------

my $changes = $node->safe_psql('postgres', q{
	SET timezone = 'UTC';
	SELECT encode(data, 'hex')
	FROM pg_logical_slot_get_binary_changes('proof', NULL, NULL, 'proto_version', '1', 'publication_names', 'proof')});
leave('changes', "$changes\n");
cmp_ok(scalar(split /\n/, $changes), '>', 500, 'the slot has sent changes');

command_ok([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', "$shipped/unload.sql" ],
	'unload.sql unloads');

# The file of questions: "-- NAME" and the query, which names every column.
my @questions = file('questions.sql') =~ /^-- ([A-Z_]+)\n(.*?);$/gms;
while (my ($name, $query) = splice @questions, 0, 2)
{
	leave("$name.csv", $node->safe_psql('postgres', "SET timezone = 'UTC'; SET search_path = public; "
		  . "COPY ($query) TO STDOUT WITH (FORMAT csv, HEADER true, NULL '\\N', FORCE_QUOTE *)") . "\n");
}

# ---- a week that is always the same, for the examples of QUESTIONS.md -----------------------

$node->safe_psql('postgres', 'CREATE DATABASE example');
$node->safe_psql('example', "CREATE EXTENSION reengage; CREATE SERVER genesys FOREIGN DATA WRAPPER reengage
	OPTIONS (dialect 'messaging', api_url '$simulator->{url}');" . file('stand_in.sql'));
$node->safe_psql('example', file('example.sql'));
mkdir "$folder/example" or die "could not make $folder/example: $!";
chdir "$folder/example" or die "could not change to $folder/example: $!";
command_ok([ 'psql', '-XAtq', '-d', $node->connstr('example'), '-f', "$shipped/unload.sql" ], 'unload.sql unloads the example');
leave('example/messages.csv', $node->safe_psql('example', "SET timezone = 'UTC'; COPY (
	SELECT message_id, server, conversation_id, direction, sent_at, body FROM messages ORDER BY message_id
	) TO STDOUT WITH (FORMAT csv, HEADER true, NULL '\\N')") . "\n");

# ---- text that a road may spoil ---------------------------------------------------------

$node->safe_psql('postgres', file($_)) for qw(hostile.sql close_days.sql);
leave('rows', $node->safe_psql('postgres', file('rows.sql')) . "\n");
mkdir "$folder/hostile" or die "could not make $folder/hostile: $!";
chdir "$folder/hostile" or die "could not change to $folder/hostile: $!";
command_ok([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', "$shipped/unload.sql" ], 'unload.sql unloads any text');
is($node->safe_psql('postgres', file('load_back.sql') =~ s/FOLDER/$folder\/hostile/gr), '',
	'what it unloads is what PostgreSQL loads: each row of both tables');

if ($debezium)
{
	$debezium->wait_for_rows($node, 'all rows');
	$debezium->wait_until('a heartbeat', sub { grep { $_->[0] =~ /^__debezium-heartbeat/ } @_ });
	ok($debezium->stop, 'Debezium stops');
	$debezium->compare($node);
}

done_testing();
