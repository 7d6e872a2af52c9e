# Nodes of a fleet that hear each other, for the tests of news.
package News;

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Reengage qw(poll_until psql_stderr);
use Test::More;

use Exporter 'import';
our @EXPORT_OK = qw(call name_of join_nodes hear hear_each_other heard_all agree said);

sub sql { my ($node, $statement, $database) = @_; return $node->safe_psql($database // 'postgres', $statement); }

# A node is called as its cluster is, unless call() said otherwise.
my %called;
sub call { my ($node, $name) = @_; $called{ $node->name } = $name; return; }
sub name_of { my ($node) = @_; return $called{ $node->name } // $node->name; }

sub join_nodes { my (@nodes) = @_; sql($_, 'SELECT reengage.join_fleet(' . "'" . name_of($_) . "')") for @nodes; return; }

# One node hears another, as the documents say: statement by statement, as a superuser.
sub hear
{
	my ($node, $from, %options) = @_;
	my $connection = ($options{connection} // $from->connstr('postgres')) =~ s/'/''/gr;

	sql($from, 'SELECT reengage.publish_news()');
	my $slot = sql($from, "SELECT reengage.make_news_slot('" . name_of($node) . "')");
	my @statements = split /\n/, sql($node, "SELECT reengage.news_ddl('" . name_of($from) . "', '$connection', '$slot')");
	sql($node, $_) for @statements;
	return @statements;
}

sub hear_each_other
{
	my (@nodes) = @_;

	for my $node (@nodes)
	{
		hear($node, $_) for grep { $_ != $node } @nodes;
	}
	return heard_all(@nodes);
}

# What has been said at any of the nodes until now is heard at the others, and done.
sub heard_all
{
	my (@nodes) = @_;
	my $all = 1;

	for my $from (@nodes)
	{
		my $name = name_of($from);
		my $said = sql($from, "SELECT coalesce(string_agg(quote_literal(news_id), ',' ORDER BY news_id), 'NULL') FROM reengage.news WHERE node = '$name'");
		for my $node (grep { $_ != $from } @nodes)
		{
			$all &&= poll_until($node, 'postgres', qq{
				SELECT (SELECT bool_and(state = 'ok') FROM reengage.news_state WHERE node = '$name')
				  -- what was taken back meanwhile is there no more
				  AND (SELECT count(*) FROM unnest(ARRAY[$said]::uuid[]) AS s (id)
					   WHERE s.id IS NOT NULL AND NOT EXISTS (SELECT FROM reengage.news n WHERE (n.news_id = s.id AND n.complaint IS NULL) OR n.about = s.id)) = 0})
			  || do { diag(name_of($node) . " waits for $name: " . sql($node, "TABLE reengage.news_state; SELECT * FROM reengage.news_waiting; SELECT node, kind, count(*) FROM reengage.news GROUP BY 1, 2")); 0 };
		}
	}
	return $all;
}

my $what_holds = q{
	SELECT 'opted out', left(address_hash, 8), root_conversation_id, server, channel, coalesce(until, 'infinity')::text FROM reengage.suppressions
	UNION ALL
	SELECT 'answered', left(address_hash, 8), root_conversation_id, server, NULL, answered_at::text FROM reengage.answers ORDER BY 1, 2, 3, 4, 5};

# The same holds at all of them.
sub agree
{
	my ($name, $first, @others) = @_;
	my $there = sql($first, $what_holds);

	return is_deeply([ map { sql($_, $what_holds) } @others ], [ map { $there } @others ], $name);
}

# What a node knows of customers, in short: "label origin reason until".
sub said { my ($node) = @_; return sql($node, q{SELECT string_agg(concat_ws(' ', label, server, channel, origin, reason, until), '; ' ORDER BY label, server, channel) FROM reengage.suppressions}); }

1;
