# What is watched costs the same however many campaigns there are, and a look for each
# server, priority and role that something is due for.  Counted in blocks, not in time.

use strict;
use warnings FATAL => 'all';

use JSON::PP ();

use Reengage qw(start_simulator new_node create_extension wait_for);
use Test::More;

my $node = new_node('main', preload => 1, conf => "autovacuum = off\nfsync = off");
create_extension($node, start_simulator());

sub sql { my ($statement) = @_; return $node->safe_psql('postgres', $statement); }

# Blocks that a statement touches; the second time, as catalogs are read in the first.
sub blocks
{
	my ($statement) = @_;
	my $explain = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) $statement;";
	my @plans = JSON::PP->new->incr_parse(sql("BEGIN; $explain ROLLBACK; BEGIN; $explain ROLLBACK"));
	my $plan = $plans[1][0]{Plan};

	return $plan->{'Shared Hit Blocks'} + $plan->{'Shared Read Blocks'};
}

# Nudges of servers "s 1" and on, that nobody calls.
my $servers = 100;
sql(q{SELECT reengage.pause('genesys')});
sql(qq{
	SELECT format('CREATE ROLE "role %s" IN ROLE reengage_application', n) FROM generate_series(1, 5) n \\gexec
	SELECT format('CREATE SERVER "s %s" FOREIGN DATA WRAPPER reengage OPTIONS (api_url ''http://127.0.0.1:9'', auth ''none'')', n) FROM generate_series(1, $servers) n \\gexec
	SELECT format('GRANT USAGE ON FOREIGN SERVER "s %s" TO reengage_application', n) FROM generate_series(1, $servers) n \\gexec
	INSERT INTO reengage.pauses (server) SELECT format('s %s', n) FROM generate_series(1, $servers) n});

sub ask
{
	my ($number, $server, $campaign, $due_at, $role) = (@_, 'none');
	return sql(qq{SET ROLE $role; INSERT INTO reengage.nudges (server, conversation_id, message, campaign, due_at, priority)
		SELECT $server, 'live-' || n, 'x', $campaign, $due_at, n % 2 FROM generate_series(1, $number) n});
}

my ($now, $later) = ('now()', q(now() + '1 day'));

# --- campaigns ---------------------------------------------------------------------------------

my %looks = (
	'all metrics' => 'TABLE reengage.metrics',
	'health' => 'TABLE reengage.health',
	'a campaign' => q{SELECT * FROM reengage.campaign_status WHERE campaign = 'spring'},
	'a campaign that is not' => q{SELECT * FROM reengage.campaign_status WHERE campaign = 'none'},
	'its counts' => q{SELECT * FROM reengage.nudge_counts WHERE campaign = 'spring'},
	'its report' => q{SELECT reengage.report('spring')},
);

sub costs
{
	ok(wait_for(sub { sql('SELECT count(*) = 0 FROM reengage.tally_changes') eq 't' }), 'all is added up');
	sql('VACUUM (ANALYZE, TRUNCATE) reengage.due, reengage.nudges, reengage.tallies, reengage.tally_totals, reengage.tally_changes, reengage.intents');
	return map { $_ => blocks($looks{$_}) } keys %looks;
}

# A tick later than a second after the last sum adds up what is left.
sub ask_and_add_up
{
	ask(@_);
	return wait_for(sub {
		ask(1, q('genesys'), q('tick'), $later);
		sql('SELECT count(*) = 0 FROM reengage.tally_changes') eq 't' });
}

# more than is counted one by one
ask_and_add_up(12_000, q('genesys'), q('crowd'), $later);
ask_and_add_up(10, q('genesys'), q('spring'), $now);
ask_and_add_up(10, q('genesys'), q('spring'), $later);
my %few = costs();
ask_and_add_up(15_000, q('genesys'), q('campaign ' || n), $later);
my %many = costs();
cmp_ok(sql('SELECT count(*) FROM reengage.tallies'), '>=', 15_000, 'there are many campaigns');
# deeper indexes
cmp_ok($many{$_}, '<', $few{$_} + 60, "$_: $few{$_} blocks, $many{$_} with 15,000 campaigns") for sort keys %looks;
is(sql(q{SELECT sum(value) FROM reengage.metrics WHERE name = 'reengage_due'}), sql('SELECT count(*) FROM reengage.due'), 'which metrics count');
is(sql(q{SELECT due, due_now, scheduled FROM reengage.campaign_status WHERE campaign = 'spring'}), '20|10|10', 'and so is a campaign');

# --- servers, priorities, roles -------------------------------------------------------------------

ask(2 * $servers, q('s ' || (n + 1) / 2), q('spring'), $_ % 2 ? $now : $later, qq("role $_")) for 1 .. 5;
my $lanes = sql('SELECT count(*) FROM (SELECT DISTINCT server, priority, requested_by FROM reengage.due) l');
cmp_ok($lanes, '>=', 10 * $servers, "$lanes lanes");
ask_and_add_up(1, q('genesys'), q('last'), $later);
my %wide = costs();
# a look for each lane, one for what is due or scheduled in it, and what there is of each server
cmp_ok($wide{$_}, '<', $many{$_} + 20 * $lanes, "$_: $wide{$_} blocks") for 'all metrics', 'health';
cmp_ok(blocks(q{SELECT * FROM reengage.campaign_status WHERE campaign = 'campaign 7'}), '<', 300, 'a campaign looks at its own servers only');

is(sql(q{SELECT count(*) FROM (
		SELECT * FROM reengage_internal.due_by_priority(100000, 100000000)
		EXCEPT SELECT server, priority, count(*) FILTER (WHERE due_at <= now()), min(due_at) FROM reengage.due GROUP BY 1, 2) d}), 0,
	'what has come is counted by server and priority, as it is');
is(sql(q{SELECT count(*) FROM reengage_internal.due_by_priority(100000, 100000000)}),
	sql('SELECT count(*) FROM (SELECT DISTINCT server, priority FROM reengage.due) d'), 'of each');
my $backlog = q{SELECT count(*) FILTER (WHERE due_at <= now()) AS due, count(*) FILTER (WHERE due_at > now()) AS scheduled, min(due_at) AS oldest FROM reengage.due};
is(sql(qq{SELECT count(*) FROM pg_foreign_server s CROSS JOIN LATERAL reengage_internal.backlog(100000, s.srvname::text) b
		CROSS JOIN LATERAL ($backlog WHERE server = s.srvname) d
		WHERE (b.due, b.scheduled, b.oldest) IS DISTINCT FROM (d.due, d.scheduled, d.oldest)}), 0, 'and so is the backlog of each server');
is(sql(qq{SELECT (b.due, b.scheduled, b.oldest) = (d.due, d.scheduled, d.oldest) FROM reengage_internal.backlog(100000) b, ($backlog) d}), 't', 'and of all');

my $differs = q{SELECT count(*) FROM (
		SELECT campaign, server, due_now, scheduled FROM reengage.campaign_status WHERE due > 0
		EXCEPT SELECT n.campaign, n.server, count(*) FILTER (WHERE d.due_at <= now()), count(*) FILTER (WHERE d.due_at > now())
		FROM reengage.due d JOIN reengage.nudges n USING (nudge_id) GROUP BY 1, 2) d};
is(sql($differs), 0, 'all campaigns know what has come to its time');
is(sql(q{SET ROLE "role 3"; SELECT count(*), sum(due_now), sum(scheduled) FROM reengage.campaign_status}), join('|', $servers, 2 * $servers, 0),
	'an application is told of its own');

# --- too much ------------------------------------------------------------------------------------------

ask_and_add_up(200, q('s 1'), q('spring'), $now);
is(sql(q{SELECT due FROM reengage_internal.due_by_priority(10000, 0) WHERE server = 's 1' AND priority = 1}), 100, 'of too many each is counted up to a hundred');
for my $server (1 .. 5)
{
	ask(2_300, qq('s $server'), q('throng'), $_) for $now, $later;
}
is(sql(q{SELECT count(due_now) || ' of ' || count(*) FROM reengage.campaign_status WHERE campaign = 'throng'}), '4 of 5',
	'one look finds out of so many servers what has come to its time');
is(sql(q{SELECT due_now, scheduled FROM reengage.campaign_status WHERE campaign = 'throng' AND server = 's 5'}), '2300|2300', 'and another of the next');

done_testing();
