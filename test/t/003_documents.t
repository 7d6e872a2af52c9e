# The blocks of SQL in README.md and docs/: each is run as it stands, in the order
# of the documents.  Those of docs/operations/ have tests of their own, 223 and 224.
use strict;
use warnings FATAL => 'all';

use Documents qw(blocks_of);
use FindBin;
use Reengage qw(start_simulator new_node);
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$FindBin::RealBin/../..";

my $simulator = start_simulator('--default-status', 'closed');
my $node = new_node('documents', preload => 1, servers => [qw(genesys genesys_test)], init => { allows_streaming => 'logical' });

# What the documents take for granted.
my $extract = $node->basedir . '/abandoned.csv';
append_to_file($extract, "conversation_id,customer_address,channel,abandoned_at\ncart-1,+13175550101,sms,2026-11-01T10:00:00Z\n");
$node->safe_psql('postgres', q{
	CREATE ROLE hightouch;
	CREATE SCHEMA shop;
	CREATE TABLE shop.abandoned_staging (conversation_id text, customer_address text, channel text, abandoned_at timestamptz);
	CREATE SCHEMA cron;
	CREATE FUNCTION cron.schedule(job text, schedule text, command text) RETURNS bigint LANGUAGE sql RETURN 1;
});

# A document's API and files are those of this test.
sub run_block
{
	my ($sql) = @_;
	my $errors;

	$sql =~ s{https://api\.example\.com}{$simulator->{url}}g;
	$sql =~ s{/var/lib/reengage/abandoned\.csv}{$extract}g;
	return $node->psql('postgres', $sql, on_error_stop => 1, stderr => \$errors, extra_params => [ '-v', 'last_xact_id=0' ]) == 0
	  ? '' : $errors;
}

# A nudge of one block has ended when the next is run.
sub wait_until_nothing_is_due
{
	return 1 if $node->safe_psql('postgres', q{SELECT to_regclass('reengage.due') IS NULL}) eq 't';
	return $node->poll_query_until('postgres', q{SELECT NOT EXISTS (SELECT FROM reengage.due WHERE due_at <= now())});
}

my @not_run;
for my $document ('README.md', sort map { s{^\Q$top\E/}{}r } glob "$top/docs/*.md")
{
	for my $block (blocks_of($document))
	{
		my ($place, $sql, $reason) = @$block{qw(place text why_not)};

		if (defined $reason)
		{
			push @not_run, "$place: $reason";
			next;
		}
		is(run_block($sql), '', $place);
		ok(wait_until_nothing_is_due(), "$place: nothing is left that is due");
	}
}

is($node->safe_psql('postgres', q{SELECT outcome FROM reengage.lineage WHERE requested_conversation_id = 'abc-123-def' ORDER BY lineage_id LIMIT 1}),
	'session_created', 'what the README asks for is sent');
note "not run: $_" for @not_run;
is(scalar(@not_run), 25, 'as many are not run as have a reason that is known');

$node->stop;
done_testing();
