# What tests of a fleet share: its nodes, each with servers of its own, and a front.
package Fleet;

use strict;
use warnings FATAL => 'all';

use Reengage qw(new_node);

use Exporter 'import';
our @EXPORT_OK = qw(connection new_fleet_node new_front set_nodes);

# How others reach a database of a node.
sub connection
{
	my ($node, $database) = @_;
	return sprintf 'host=%s port=%s dbname=%s', $node->host, $node->port, $database // 'postgres';
}

# A node with these servers at the simulator, armed, that has joined under its name.  All
# of them hash addresses by one key.  Further options are those of new_node().
sub new_fleet_node
{
	my ($name, $simulator, $servers, %options) = @_;
	my $node = new_node($name, servers => $servers, preload => 1, %options);

	$node->safe_psql('postgres', join '', "CREATE EXTENSION reengage;\n",
		"INSERT INTO reengage.address_key (key) VALUES (sha256('of all nodes'));\n",
		(map { "CREATE SERVER $_ FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}', max_requests_per_minute '0', max_failures '0');\n" } @$servers),
		"SELECT reengage.arm();\nSELECT reengage.join_fleet('$name');\n");
	return $node;
}

sub new_front
{
	my ($name, %options) = @_;
	my $front = new_node($name, %options);

	$front->safe_psql('postgres', 'CREATE EXTENSION reengage_front CASCADE');
	return $front;
}

# The statement that makes a front one of these nodes.
sub set_nodes
{
	my (%nodes) = @_;
	my $list = join ', ', map { my $to = ref $nodes{$_} ? connection($nodes{$_}) : $nodes{$_}; qq("$_": "$to") } sort keys %nodes;

	return 'SELECT reengage_front.set_nodes(\'{' . $list =~ s/'/''/gr . '}\');';
}

1;
