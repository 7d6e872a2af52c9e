# A nudge writes no more than docs/architecture.md, "Indexes", says: what another
# index, a wider key or a compressed column costs is seen here first.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension wait_until_ended);
use PostgreSQL::Test::Utils;
use Test::More;

# Only of what is asked for and done: neither images of pages, nor what runs by itself.
my $simulator = start_simulator();
my $node = new_node('main', preload => 1, conf => q(
full_page_writes = off
autovacuum = off
checkpoint_timeout = '1h'
max_wal_size = '4GB'));
create_extension($node, $simulator);

my $position = 'SELECT pg_current_wal_insert_lsn()';
my $nudges = 2000;

# Ids as APIs have them, half of them closed.
sub deliver
{
	my ($campaign) = @_;
	my $before = $node->safe_psql('postgres', $position);

	$node->safe_psql('postgres', qq{INSERT INTO reengage.nudges (conversation_id, message, campaign)
		SELECT (ARRAY['live-', 'closed-'])[1 + n % 2] || gen_random_uuid(), 'Are you still there?', '$campaign'
		FROM generate_series(1, $nudges) n});
	wait_until_ended($node);
	return $node->safe_psql('postgres', qq{SELECT pg_current_wal_insert_lsn() - '$before',
		(SELECT count(DISTINCT xact_id) FROM reengage.lineage WHERE campaign = '$campaign')});
}

# the first pages of a table, and what is written once
deliver('warm');
my ($bytes, $ticks) = split /\|/, deliver('measured');

# A busy machine makes many ticks of a few nudges: of each its own records are left out,
# which are those of its intent and its commits.
my $each = ($bytes - 800 * $ticks) / $nudges;
note sprintf '%.0f bytes a nudge in all, %d ticks', $bytes / $nudges, $ticks;
cmp_ok($each, '<', 1900, 'a nudge with ids of 43 characters writes less than 1,900 bytes');

# One by one: each has a row of its own to be counted by.
my $single = $node->safe_psql('postgres', $position);
$node->safe_psql('postgres', join '', map { qq{INSERT INTO reengage.nudges (conversation_id, message, campaign, due_at)
	VALUES ('live-' || gen_random_uuid(), 'Are you still there?', 'single', now() + interval '1 day');} } 1 .. 500);
my $of_single = $node->safe_psql('postgres', "SELECT (pg_current_wal_insert_lsn() - '$single') / 500");
cmp_ok($of_single, '<', 1100, sprintf 'an INSERT of one row, with its commit, writes %.0f bytes, less than 1,100', $of_single);
$node->safe_psql('postgres', q{SELECT reengage.cancel_campaign('single')});

# What somebody adds is seen: so the bound would be, too.
$node->safe_psql('postgres', 'CREATE INDEX theirs ON reengage.lineage (correlation_id, requested_conversation_id)');
my ($more, $more_ticks) = split /\|/, deliver('another index');
cmp_ok(($more - 800 * $more_ticks) / $nudges, '>', $each + 100, 'another index writes a hundred more');

done_testing();
