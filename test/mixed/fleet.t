# A fleet of two versions of PostgreSQL: a node here, a node there, a front and a
# collecting subscriber on either.  OTHER is how the other one is reached.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension wait_until_ended wait_for poll_until ledger_matches_lineage);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# A server that somebody else has started: what the tests ask of a node.
package Elsewhere;

sub new { my ($class, $name, $connection) = @_; return bless { name => $name, connection => $connection }, $class; }
sub name { my ($self) = @_; return $self->{name}; }
sub connstr { my ($self, $database) = @_; return "$self->{connection} dbname=" . ($database // 'postgres'); }

sub psql
{
	my ($self, $database, $sql, %options) = @_;
	my ($out, $err) = ('', '');

	IPC::Run::run([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $self->connstr($database), '-f', '-' ], '<', \$sql, '>', \$out, '2>', \$err);
	my $status = $? >> 8;
	chomp($out, $err);
	${ $options{stdout} } = $out if $options{stdout};
	${ $options{stderr} } = $err if $options{stderr};
	return $status;
}

sub safe_psql
{
	my ($self, $database, $sql) = @_;

	die "error: $$self{name}: $sql: " . ($self->{said} // '') if $self->psql($database, $sql, stdout => \my $out, stderr => \$self->{said}) != 0;
	return $out;
}

package main;

my %simulator = map { $_ => start_simulator('--default-status', 'hash') } qw(genesys asia);
my $conf = "listen_addresses = '127.0.0.1'\nwal_retrieve_retry_interval = '100ms'\nautovacuum = off\nmax_worker_processes = 30\nmax_logical_replication_workers = 16\nmax_replication_slots = 20\nmax_wal_senders = 20\n";
my $local = new_node('here', preload => 1, init => { allows_streaming => 'logical' }, conf => $conf, servers => [qw(genesys asia)]);
my $user = $local->safe_psql('postgres', 'SELECT current_user');
my %node = (
	here => Elsewhere->new('here', 'host=127.0.0.1 port=' . $local->port . " user=$user"),
	there => Elsewhere->new('there', $ENV{OTHER}));
my %other = (here => 'there', there => 'here');
my %server = (here => 'genesys', there => 'asia');
my %version = map { $_ => $node{$_}->safe_psql('postgres', 'SHOW server_version_num') } keys %node;
note "here $version{here}, there $version{there}";
isnt(substr($version{here}, 0, 2), substr($version{there}, 0, 2), 'two versions of PostgreSQL');

for my $name (qw(here there))
{
	$node{$name}->safe_psql('postgres', 'CREATE EXTENSION reengage');
	$node{$name}->safe_psql('postgres', "CREATE SERVER $server{$name} FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator{$server{$name}}{url}', max_requests_per_minute '0', max_failures '0')");
	# one key, as nodes of a fleet have it
	$node{$name}->safe_psql('postgres', q{INSERT INTO reengage.address_key (key) VALUES ('\x} . '17' x 32 . q{')});
	$node{$name}->safe_psql('postgres', $_) for 'SELECT reengage.arm()', "SELECT reengage.join_fleet('$name')", q{SELECT reengage.publish('reengage_bi')};
}

# ---- a front on either ----------------------------------------------------------------------------------

my %asked;
for my $name (qw(here there))
{
	my $nodes = join ', ', map { "'$_', '" . $node{$_}->connstr . "'" } qw(here there);

	$node{$name}->safe_psql('postgres', 'CREATE DATABASE front');
	$node{$name}->safe_psql('front', $_) for 'CREATE EXTENSION reengage_front CASCADE', "SELECT reengage_front.set_nodes(jsonb_build_object($nodes))";
	is($node{$name}->safe_psql('front', q{SELECT string_agg(server || ' at ' || node, ', ' ORDER BY server) FROM reengage_front.routes}),
		'asia at there, genesys at here', "a front on $version{$name}: it knows both");
	for my $server (qw(genesys asia))
	{
		$node{$name}->safe_psql('front', qq{INSERT INTO reengage.nudges (server, conversation_id, message)
			SELECT '$server', k || '-$name-$server-' || n, 'x' FROM generate_series(1, 10) n, unnest('{live,closed}'::text[]) k});
	}
	$node{$name}->safe_psql('front', join "\n", 'COPY reengage.nudges (server, conversation_id, message) FROM stdin;',
		(map { ("genesys\tlive-copied-$name-$_\tx", "asia\tlive-copied-$name-$_\tx") } 1 .. 5), '\.', '');
	wait_until_ended($node{$_}) for qw(here there);
	$asked{$name} = $node{$name}->safe_psql('front', q{SELECT string_agg(node || ' ' || n, ', ' ORDER BY node) FROM (SELECT node, count(*) AS n FROM reengage.nudge_status GROUP BY node) s});
	is($node{$name}->safe_psql('front', q{SELECT count(*) FROM reengage.health WHERE severity = 'problem'}), 0, 'which are well');
}
is_deeply(\%asked, { here => 'here 25, there 25', there => 'here 50, there 50' }, 'both fronts show what both nodes have');
for my $name (qw(here there))
{
	ledger_matches_lineage($node{$name}, $simulator{ $server{$name} }, "node $name sent what it was asked for, once");
}

# ---- one subscriber of both, on either ---------------------------------------------------------------------------

for my $name (qw(here there))
{
	my $ddl = $node{ $other{$name} }->safe_psql('postgres', 'SELECT reengage.subscriber_ddl(several_nodes => true)');

	$node{$name}->safe_psql('postgres', 'CREATE DATABASE collector');
	$node{$name}->safe_psql('collector', $ddl);
	for my $of (qw(here there))
	{
		# of one's own cluster, making the slot would wait for the statement that makes it
		$node{$of}->safe_psql('postgres', "SELECT pg_create_logical_replication_slot('${name}_collects_$of', 'pgoutput')");
		$node{$name}->safe_psql('collector', "CREATE SUBSCRIPTION $of CONNECTION '" . $node{$of}->connstr . "' PUBLICATION reengage_bi WITH (create_slot = false, slot_name = '${name}_collects_$of')");
	}
	ok(poll_until($node{$name}, 'collector', q{SELECT count(*) = 4 AND bool_and(srsubstate = 'r') FROM pg_subscription_rel}), "a subscriber on $version{$name} copies both");
}
for my $of (qw(here there))
{
	$node{$of}->safe_psql('postgres', "INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('$server{$of}', 'live-late', 'x')");
	wait_until_ended($node{$of});
	$node{$of}->safe_psql('postgres', 'CALL reengage.close_part()');
}
my $rows = q{SELECT count(*) || ' ' || md5(string_agg((to_jsonb(l) - 'node' - 'xact_id')::text, '|' ORDER BY lineage_id)) FROM reengage.lineage l};
for my $name (qw(here there))
{
	for my $of (qw(here there))
	{
		my $there = $node{$of}->safe_psql('postgres', $rows);

		ok(poll_until($node{$name}, 'collector', "$rows WHERE node = '$of'", $there), "on $version{$name}: all rows of $version{$of}, and as they are");
		ok(poll_until($node{$name}, 'collector', qq{SELECT string_agg(DISTINCT state, ', ') IN ('equal', 'equal so far', 'equal, equal so far') FROM reengage.reconciliation WHERE node = '$of'}), 'which is proved');
	}
	$node{$name}->safe_psql('collector', q{DELETE FROM reengage.lineage WHERE requested_conversation_id = 'live-late' AND node = 'there'});
	is($node{$name}->safe_psql('collector', q{SELECT string_agg(DISTINCT node || ' ' || column_name || ' ' || left(finding, 24), '; ') FROM reengage.reconciliation_rows}),
		'there lineage_id a row is missing here: r', 'and one that is missing is named with its node');
}
for my $name (qw(here there))
{
	$node{$name}->safe_psql('collector', "DROP SUBSCRIPTION $_") for qw(here there);
}
$local->stop;
done_testing();
