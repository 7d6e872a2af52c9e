# What a person or a dashboard looks at touches some blocks, and not all that was
# ever asked for: whoever looks is not to be slowed down by years of nudges, nor to
# slow down others.  Counted in blocks, not in time, with statistics and without.

use strict;
use warnings FATAL => 'all';

use JSON::PP ();

use Reengage qw(start_simulator new_node create_extension);
use Test::More;

my $node = new_node('main', preload => 1, conf => q(
autovacuum = off
fsync = off));
create_extension($node, start_simulator());

sub sql { my ($statement) = @_; return $node->safe_psql('postgres', $statement); }

# Nudges of the past: of six, one is due, one is for later, three have ended as
# notified and one was followed by a session; every thousandth is another role's.
# Some calls are on the wire, of the oldest that are due.
my $many = 60_000;
sql(qq{
	CREATE ROLE shop;
	GRANT reengage_application TO shop;
	SET session_replication_role = replica;
	INSERT INTO reengage.nudges (server, conversation_id, message, campaign, due_at, requested_by, requested_at)
	SELECT 'genesys', 'c-' || n, 'x', CASE WHEN n <= 100 THEN 'first' ELSE 'campaign ' || n % 10 END,
		now() + CASE n % 6 WHEN 1 THEN interval '1 day' ELSE -interval '1 day' END,
		CASE WHEN n % 1000 = 0 THEN 'shop' ELSE current_user END, now() - ($many - n) * interval '1 s'
	FROM generate_series(1, $many) n;
	INSERT INTO reengage.due (nudge_id, server, requested_by, priority, due_at, attempt)
	SELECT n.nudge_id, n.server, n.requested_by, 5, n.due_at, 1 FROM reengage.nudges n WHERE substr(n.conversation_id, 3)::int % 6 < 2;
	-- a long story
	INSERT INTO reengage.lineage (nudge_id, server, outcome, requested_conversation_id, conversation_id,
		root_conversation_id, generation, channel, attempts, api_calls, api_calls_saved, requested_at, due_at, occurred_at, xact_id)
	SELECT reengage.uuid_v7(), 'genesys', 'notified', 'long', 'long', 'long', 0, 'sms', 1, 2, 0, now(), now(), now(), $many
	FROM generate_series(1, 2000) n;
	INSERT INTO reengage.lineage (nudge_id, server, outcome, requested_conversation_id, conversation_id, previous_conversation_id,
		root_conversation_id, generation, channel, campaign, attempts, api_calls, api_calls_saved, requested_at, due_at, occurred_at, xact_id)
	SELECT n.nudge_id, n.server, CASE o.created WHEN 1 THEN 'session_created' ELSE 'notified' END, n.conversation_id,
		CASE o.created WHEN 1 THEN 'new-' ELSE '' END || n.conversation_id, CASE o.created WHEN 1 THEN n.conversation_id END,
		n.conversation_id, o.created, 'sms', n.campaign, 1, 2, 0, n.requested_at, n.due_at, now(), 1 + substr(n.conversation_id, 3)::int / 10
	FROM reengage.nudges n, LATERAL (SELECT (substr(n.conversation_id, 3)::int % 6 = 2)::int AS created) o
	WHERE substr(n.conversation_id, 3)::int % 6 > 1 ORDER BY n.nudge_id;
	INSERT INTO reengage.intents (intent_id, epoch, nudge_ids, creates, fencing_tokens, conversation_ids, to_addresses, from_addresses, channels, address_hashes)
	SELECT reengage.uuid_v7(), now(), array_agg(d.nudge_id), '{}', '{}', '{}', '{}', '{}', '{}', '{}'
	FROM (SELECT nudge_id FROM reengage.due ORDER BY nudge_id LIMIT 5) d;
	SELECT brin_summarize_new_values('reengage.nudges_campaign')});

# Blocks that a statement touches; the second time, as catalogs are read in the first.
sub blocks
{
	my ($statement, $settings) = (@_, '');
	my $explain = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) $statement;";
	my @plans = JSON::PP->new->incr_parse(sql("$settings BEGIN; $explain ROLLBACK; BEGIN; $explain ROLLBACK"));
	my $plan = $plans[1][0]{Plan};

	return $plan->{'Shared Hit Blocks'} + $plan->{'Shared Read Blocks'};
}

my $all = blocks('SELECT * FROM reengage.nudges');
cmp_ok($all, '>', 700, "nudges have $all blocks");

# each with the blocks that it may touch
my $asker = sql('SELECT current_user');
my @looks = (
	[ 500, q{SELECT * FROM reengage.nudge_status LIMIT 20} ],
	[ 500, q{SELECT * FROM reengage.nudge_status ORDER BY nudge_id DESC LIMIT 20} ],
	[ 100, q{SELECT * FROM reengage.nudge_status WHERE nudge_id = (SELECT nudge_id FROM reengage.due LIMIT 1)} ],
	[ 100, q{SELECT * FROM reengage.nudge_status WHERE requested_conversation_id = 'c-1000'} ],
	[ 500, q{SELECT * FROM reengage.nudge_status WHERE campaign = 'campaign 7' LIMIT 20} ],
	[ 1000, q{SELECT * FROM reengage.open_nudges LIMIT 20} ],
	[ 1000, q{SELECT * FROM reengage.open_nudges ORDER BY nudge_id DESC LIMIT 20} ],
	[ 1000, q{SELECT * FROM reengage.open_nudges WHERE state = 'due' ORDER BY nudge_id DESC LIMIT 20} ],
	[ 200, q{SELECT * FROM reengage.open_nudges WHERE state = 'calling'} ],
	[ 500, q{SELECT * FROM reengage.threads ORDER BY last_lineage_id DESC LIMIT 20} ],
	[ 200, q{SELECT * FROM reengage.threads WHERE root_conversation_id = 'c-1000'} ],
	[ 500, q{SELECT * FROM reengage.threads WHERE root_conversation_id = 'c-1002' ORDER BY last_at} ],
	[ 15_000, q{SELECT * FROM reengage.threads WHERE root_conversation_id = 'long'} ],
	[ 100, q{SELECT * FROM reengage.thread('c-1000')} ],
	[ 50, q{SELECT * FROM reengage.in_doubt} ],
	[ 50, q{SELECT * FROM reengage_internal.backlog(100)} ],
	[ 50, q{SELECT * FROM reengage_internal.due_servers()} ],
	[ 6000, q{SELECT * FROM reengage.health} ],
	[ 500, q{SELECT * FROM reengage.lineage_settled WHERE (xact_id, lineage_id) > (1000, '00000000-0000-0000-0000-000000000000') ORDER BY xact_id, lineage_id LIMIT 100} ],
	[ 10, qq{SELECT nudge_id, due_at FROM reengage.due WHERE server = 'genesys' AND priority = 5 AND requested_by = '$asker'
		AND (due_at, nudge_id) > ('-infinity', '00000000-0000-0000-0000-000000000000') ORDER BY due_at, nudge_id LIMIT 100} ]);

for my $known ('never analysed', 'analysed')
{
	sql('ANALYZE') if $known eq 'analysed';
	for (@looks)
	{
		my ($most, $look) = @$_;

		cmp_ok(blocks($look), '<=', $most, "$known: $look");
	}
}

# A table of this size is as well read from its beginning to its end, which a planner may prefer.
for ([ 50, 'none' ], [ 700, 'first' ])
{
	my ($most, $campaign) = @$_;

	cmp_ok(blocks("SELECT * FROM reengage.nudge_status WHERE campaign = '$campaign' LIMIT 20", 'SET enable_seqscan = off; SET enable_indexscan = off;'), '<=', $most,
		"the nudges of the campaign $campaign");
}
cmp_ok(blocks("SELECT * FROM reengage.cancel_campaign('none')"), '<=', 100, 'to cancel a campaign that has no nudges');

# --- they say what they said ------------------------------------------------------------------------

is(sql(q{SELECT count(*) FROM (SELECT nudge_id, server, requested_conversation_id, campaign, state, reason, next_attempt_at, attempts, requested_by, requested_at
		FROM reengage.nudge_status WHERE state IN ('due', 'calling') EXCEPT TABLE reengage.open_nudges) s}), 0, 'what has not ended is open');
is(sql(q{SELECT state || ' ' || count(*) FROM reengage.open_nudges GROUP BY state ORDER BY state}), "calling 5\ndue 19995", '... and nothing else');
is(sql(q{SET ROLE shop; SELECT state || ' ' || count(*) FROM reengage.open_nudges GROUP BY state}), 'due 20', 'an application sees its own');
is(sql(q{SELECT nudge_id::text = (SELECT max(nudge_id::text) FROM reengage.nudges) FROM reengage.nudge_status LIMIT 1}), 't', 'the newest nudge comes first');
is(sql(q{SELECT count(*) FROM (
		SELECT server, root_conversation_id, count(DISTINCT nudge_id), sum(api_calls), max(occurred_at), max(generation)::int,
			(array_agg(outcome ORDER BY lineage_id DESC))[1], (array_agg(conversation_id ORDER BY generation DESC, lineage_id DESC))[1]
		FROM reengage.lineage GROUP BY 1, 2
		EXCEPT SELECT server, root_conversation_id, nudges, api_calls, last_at, generations, last_outcome, tip_conversation_id FROM reengage.threads) s}),
	0, 'every thread is there');
is(sql('SELECT count(*) = count(DISTINCT (server, root_conversation_id)) FROM reengage.threads'), 't', '... once');
is(sql('SELECT due, scheduled, oldest = (SELECT min(due_at) FROM reengage.due) FROM reengage_internal.backlog(100000)'), '10000|10000|t', 'the backlog is counted');
is(sql('SELECT due, scheduled FROM reengage_internal.backlog(100)'), '101|101', '... up to a bound');
is(sql(q{SELECT due, scheduled FROM reengage_internal.backlog(100, 'elsewhere')}), '0|0', '... of a server');
like(sql(q{SELECT detail FROM reengage.health WHERE subject = 'backlog'}), qr/^10000 due, 10000 scheduled for later, oldest /, 'health says so');

$node->stop;
done_testing();
