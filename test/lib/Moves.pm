# What the tests of moves share: two nodes and a front on one machine.
package Moves;

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Reengage qw(new_node create_extension wait_for);
use Test::More;

use Exporter 'import';
our @EXPORT_OK = qw(make_fleet ask_by_front digest move_server move_up_to state_at sql);

sub sql { my ($node, $statement, %options) = @_; return $node->safe_psql('postgres', $statement, %options); }

# Nodes of these names, of which the first has the server genesys, and a front.
sub make_fleet
{
	my ($simulator, %options) = @_;
	my %fleet;

	for my $name (@{ $options{nodes} // [ 'a', 'b' ] })
	{
		my $node = $fleet{$name} = new_node($name, preload => 1, conf => "max_locks_per_transaction = 128\n" . ($options{conf} // ''),
			init => { allows_streaming => 'logical' });
		if (keys %fleet == 1)
		{
			create_extension($node, $simulator, server_options => $options{server_options});
		}
		else
		{
			sql($node, 'CREATE EXTENSION reengage');
			# as the nodes of a fleet tell each other
			my $key = sql($fleet{a}, 'SELECT key FROM reengage.address_key');
			sql($node, "INSERT INTO reengage.address_key (key, created_at) VALUES ('$key', '2020-01-01'); SELECT reengage.arm()");
		}
		sql($node, "SELECT reengage.join_fleet('$name')");
	}
	my $front = $fleet{front} = new_node('front');
	sql($front, 'CREATE EXTENSION reengage_front CASCADE');
	my $list = join ', ', map { sprintf '"%s": "%s user=%s"', $_, $fleet{$_}->connstr('postgres') =~ s{"}{}gr, scalar getpwuid($<) } grep { $_ ne 'front' } sort keys %fleet;
	$list =~ s/'/''/g;
	sql($front, "SELECT reengage_front.set_nodes('{$list}')");
	return \%fleet;
}

# Asks by way of the front for nudges of these numbers, a day ahead; a third finds its
# conversation closed.
sub ask_by_front
{
	my ($front, $from, $to) = @_;
	sql($front, qq{
		INSERT INTO reengage.nudges (server, conversation_id, message, due_at)
		SELECT 'genesys', CASE WHEN i % 3 = 0 THEN 'closed-' ELSE 'live-' END || i, 'hi', now() + interval '1 day' FROM generate_series($from, $to) i});
	return;
}

# All that a node has of a server that counts for what it does: the same before and after a move.
sub digest
{
	my ($node, $server) = @_;
	my @tables = (
		[ 'nudges', 't.*', 'nudge_id' ], [ 'due', 't.*', 'nudge_id' ], [ 'unresolved', 't.*', 'nudge_id' ], [ 'policies', 't.*', 'policy_id' ],
		[ 'suppressions', 't.*', 'suppression_id' ], [ 'answers', 't.*', 'answer_id' ], [ 'past_sessions', 't.*', 'lineage_id' ], [ 'pauses', 't.*', 'server' ]);

	return sql($node, q{SET timezone = 'UTC'; } . join ' UNION ALL ', (map {
		my ($table, $columns, $key) = @$_;
		"SELECT '$table ' || count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t.$key)), '-') FROM reengage.$table t WHERE t.server = '$server'"
	} @tables), "SELECT 'lineage ' || count(*) || ' ' || coalesce(md5(string_agg((to_jsonb(l) - 'xact_id')::text, '|' ORDER BY l.lineage_id)), '-') FROM reengage.lineage l WHERE l.server = '$server'",
		"SELECT 'counts ' || coalesce(string_agg(concat_ws(' ', c.campaign, c.requested_by, c.state, c.reason, c.nudges), '; ' ORDER BY c.campaign, c.requested_by, c.state, c.reason), '-') FROM reengage.nudge_counts c WHERE c.server = '$server'",
		"SELECT 'definition ' || coalesce(string_agg(concat_ws(' ', s.srvtype, s.srvversion, s.srvowner::regrole, s.srvacl, (SELECT array_agg(o ORDER BY o) FROM unnest(s.srvoptions) o), obj_description(s.oid, 'pg_foreign_server')), ''), '-') FROM pg_foreign_server s WHERE s.srvname = '$server'");
}

# What CALL move_server() says; nothing: it has moved.
sub move_server
{
	my ($front, $server, $to, %options) = @_;
	my ($out, $err) = ('', '');

	$front->psql('postgres', "CALL reengage.move_server('$server', '$to'" . ($options{patience} ? ", '$options{patience}'" : '') . ($options{lost} ? ", lost => '$options{lost}'" : '') . ')',
		stdout => \$out, stderr => \$err, connstr => $front->connstr('postgres') . ($options{as} ? " user=$options{as}" : ''));
	return $err;
}

# Takes the steps of a move up to one, which is not taken.
sub move_up_to
{
	my ($front, $server, $to, $step) = @_;
	my $next = qq{SELECT \$\$SELECT reengage_front.move_take_step('$server')\$\$ FROM reengage.moves WHERE ended_at IS NULL AND step <> '$step' \\gexec\n};

	sql($front, "SELECT reengage_front.move_begin('$server', '$to');\n" . $next x 300);
	is(sql($front, "SELECT step FROM reengage.moves WHERE ended_at IS NULL AND server = '$server'"), $step, "a move that is broken off before $step");
	return;
}

sub state_at
{
	my ($node, $server) = @_;
	return sql($node, "SELECT state FROM reengage.server_moves WHERE server = '$server'");
}

1;
