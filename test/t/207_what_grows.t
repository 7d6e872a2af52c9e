# Every table is bounded, or has somebody who takes its rows away: a new one has to
# say which.
use strict;
use warnings FATAL => 'all';

use FindBin;
use Reengage qw(new_node create_extension start_simulator nudge outcome psql_stderr);
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
create_extension($node, start_simulator());

sub sql { return $node->safe_psql('postgres', @_); }

# ---- of all tables ------------------------------------------------------------------------

# Retention takes rows away; a row ends with what it is about; operators decide on
# each; as many as there are servers, promotions and the like; kept on purpose.
my %kept = (
	retention => [qw(nudges lineage changes import_runs import_rejects pruned_nudges)],
	news => ['news'],
	'its end' => [qw(due intents unresolved releases tally_changes shelved_due)],
	operators => [qw(policies pauses suppressions)],
	bounded => [qw(server_state identity address_key node server_moves lineage_epochs tallies tally_totals)],
	'a day' => [qw(lineage_manifest pruned_days)],
	'on purpose' => [qw(answers erasures past_sessions)],
);
my @tables = split /\n/, sql(q{SELECT relname FROM pg_class WHERE relnamespace IN ('reengage'::regnamespace, 'reengage_internal'::regnamespace) AND relkind = 'r' ORDER BY 1});
is_deeply([ sort map { @$_ } values %kept ], \@tables, 'each table is kept small by somebody');
my $taken_away = sql(q{SELECT string_agg(prosrc, E'\n') FROM pg_proc WHERE proname IN ('let_go', 'prune_rest')});
like($taken_away, qr/DELETE FROM reengage\.$_\b/, "retention takes from $_") for @{ $kept{retention} };
my ($section) = slurp_file("$FindBin::RealBin/../../docs/operations.md") =~ /^(\*\*Every table\*\*.*?)^Delete nothing/ms;
like($section, qr/`$_`/, "the documents say who does of $_") for @tables;

# ---- answers ------------------------------------------------------------------------------

# What an import tells of may be older than all that is kept.
sql(q{SELECT reengage.record_answer(conversation_id => 'live-answered', at => now() - interval '100 days')});
sql(q{CALL reengage.prune('30 days')});
nudge($node, 'live-answered', answered_since => q(now() - interval '200 days'));
sql('CALL reengage.run()');
is(outcome($node, 'live-answered'), 'answered recorded -', 'an answer counts, however old it is');

# ---- a role of the same name --------------------------------------------------------------

sql(q{CREATE ROLE shop IN ROLE reengage_application; GRANT USAGE ON FOREIGN SERVER genesys TO shop;
	SET ROLE shop; INSERT INTO reengage.nudges (conversation_id, message, due_at, campaign) VALUES ('live-first', 'x', now() + '1 day', 'first')});
sql('REVOKE USAGE ON FOREIGN SERVER genesys FROM shop; DROP ROLE shop; CREATE ROLE shop IN ROLE reengage_application');
sub sees { return sql('SET ROLE shop; SELECT count(*) FROM reengage.nudge_status') . sql('SET ROLE shop; SELECT count(*) FROM reengage.nudges'); }
is(sees(), '11', 'a role that was made again sees what the first one of its name asked for');
sql(q{SELECT reengage.cancel_campaign('first')});
my ($remedy) = slurp_file("$FindBin::RealBin/../../docs/operations.md") =~ /^```sql\n(SET session_replication_role = replica;.*?)^```/ms;
sql($remedy);
is(sees(), '00', 'the remedy of the documents takes that away');
is(sql(q{SELECT count(*) FROM reengage_internal.miscounted}), 0, 'and what is counted is right');
is(sql(q{SET ROLE shop; SELECT coalesce(sum(asked), 0) FROM reengage.campaign_status}), 0, 'for the role, too');

$node->stop;
done_testing();
