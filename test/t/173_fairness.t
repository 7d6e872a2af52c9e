# Several applications at one server: each gets its turns, whatever the others
# have asked for, and a commit wakes nobody but whom it concerns.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension wait_until_ended wait_for ledger_matches_lineage);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main', preload => 1, servers => ['genesys', map { "other_$_" } 1 .. 20],
	conf => "shared_preload_libraries = 'reengage, pg_stat_statements'\npg_stat_statements.track = 'all'\n");
create_extension($node, $simulator, server_options => q(max_requests_per_minute '1200', max_in_flight '4'));

sub sql { return $node->safe_psql('postgres', @_); }

sql(q{CREATE EXTENSION pg_stat_statements});
sql(qq{CREATE ROLE $_ LOGIN IN ROLE reengage_application; GRANT USAGE ON FOREIGN SERVER genesys TO $_}) for qw(crowd shop bank);

# So many nudges of a role, each to a customer of its own.
sub ask
{
	my ($role, $count, $priority) = @_;

	return sql(qq{SET ROLE $role; INSERT INTO reengage.nudges (conversation_id, message, priority)
		SELECT 'live-$role-$priority-' || n, 'x', $priority FROM generate_series(1, $count) n});
}

sub claims { return sql(q{SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE query LIKE '%AS lane (asker%'}); }

# How many nudges of another role are looked at before one.
sub before
{
	my ($conversation, $other) = @_;
	my %looked;

	for (sort { $a->{sequence} <=> $b->{sequence} } $simulator->requests('verb=check'))
	{
		last if $_->{conversation_id} eq $conversation;
		$looked{ $_->{conversation_id} } = 1 if $_->{conversation_id} =~ /^live-$other-/;
	}
	note scalar(keys %looked) . " of $other before $conversation";
	return scalar keys %looked;
}

# --- one application has a backlog of the most urgent nudges -------------------------------------

# what is asked for while nothing moves has its place whatever the speed of it all
sql(q{SELECT reengage.pause('genesys')});
ask('crowd', 400, 0);
ask('shop', 3, 0);
ask('bank', 2, 5);
sql(q{SELECT reengage.resume('genesys')});
wait_until_ended($node, where => q(n.requested_by IN ('shop', 'bank')));
# those in flight, and every other turn
cmp_ok(before('live-shop-0-1', 'crowd'), '<=', 4 + 2, 'another application goes next');
cmp_ok(before('live-shop-0-3', 'crowd'), '<=', 4 + 6, 'and has every other turn');
# every eighth turn is everybody's
cmp_ok(before('live-bank-5-1', 'crowd'), '<=', 4 + 10, 'nor do urgent nudges of one stop those of another');
cmp_ok(before('live-bank-5-2', 'crowd'), '<=', 4 + 20, 'of any priority');
cmp_ok(sql(q{SELECT count(*) FROM reengage.due}), '>', 100, 'while the backlog waits');
is(sql(q{SELECT reason FROM reengage.nudge_status WHERE state = 'due' ORDER BY nudge_id DESC LIMIT 1}),
	'its turn, or what the API answers: the server\'s places and its pace are shared', 'for its turn, which nudge_status says');

sql(q{ALTER SERVER genesys OPTIONS (SET max_requests_per_minute '0', SET max_in_flight '64')});
wait_until_ended($node);

# --- within an application, priority and time decide ------------------------------------------------

sql(q{SELECT reengage.pause('genesys')});
ask('shop', 20, 7);
ask('shop', 20, 1);
sql(q{ALTER SERVER genesys OPTIONS (SET max_in_flight '1'); SELECT reengage.resume('genesys')});
wait_until_ended($node);
is(sql(q{SELECT string_agg(DISTINCT priority::text, ' ') FROM (SELECT n.priority FROM reengage.lineage l
	JOIN reengage.nudges n USING (nudge_id) WHERE n.conversation_id ~ 'shop-[17]' ORDER BY l.lineage_id LIMIT 20) f}), '1', 'what is urgent goes first');
sql(q{ALTER SERVER genesys OPTIONS (SET max_in_flight '64')});

# --- many applications -------------------------------------------------------------------------------

sql(q{SELECT reengage.pause('genesys')});
sql(q{DO $$ BEGIN FOR i IN 1 .. 100 LOOP
	EXECUTE format('CREATE ROLE app_%s IN ROLE reengage_application', i);
	EXECUTE format('GRANT USAGE ON FOREIGN SERVER genesys TO app_%s', i);
	EXECUTE format('SET ROLE app_%s', i);
	EXECUTE format($i$INSERT INTO reengage.nudges (conversation_id, message) SELECT 'live-app-%s-' || n, 'x' FROM generate_series(1, 5) n$i$, i);
	RESET ROLE;
END LOOP; END $$});
sql(q{ALTER SERVER genesys OPTIONS (SET max_in_flight '16'); SELECT reengage.resume('genesys')});
wait_until_ended($node);
is(sql(q{SELECT max(nth - round) <= 0 FROM (SELECT row_number() OVER (PARTITION BY requested_by ORDER BY l.lineage_id) AS nth,
	(row_number() OVER (ORDER BY l.lineage_id) + 16 + 99) / 100 AS round
	FROM reengage.lineage l JOIN reengage.nudges n USING (nudge_id) WHERE n.requested_by LIKE 'app_%') r}), 't', 'nobody has a second turn before all had the first');

# --- how many nudges of an application are started a minute ------------------------------------------

sub ticks { return sql(q{SELECT sum(calls) FROM pg_stat_statements WHERE query LIKE '%reengage.releases%'}); }

# How many of these conversations the API was asked about.
sub asked_about
{
	my ($pattern) = @_;
	my %asked = map { $_->{conversation_id} => 1 } grep { $_->{conversation_id} =~ $pattern } $simulator->requests;

	return scalar keys %asked;
}

sql(q{INSERT INTO reengage.policies (max_per_minute, max_length) VALUES (2, 10)});
# what is refused without a call does not count
sql(q{SET ROLE shop; INSERT INTO reengage.nudges (conversation_id, message) SELECT 'live-long-' || n, 'more than ten' FROM generate_series(1, 5) n});
wait_until_ended($node);
sql(q{SET ROLE shop; SELECT reengage.nudge('live-shop-4-0', 'x', priority => 4), reengage.nudge('live-shop-4-00', 'x', priority => 4)});
wait_until_ended($node, where => q(n.conversation_id LIKE 'live-shop-4-0%'));
# it has nothing due now, when the worker looks for who has
sql(q{SELECT reengage_internal.wake('-infinity'); SET ROLE app_1; SELECT reengage.nudge('live-app-look', 'x')});
wait_until_ended($node);
ask('shop', 3, 4);
my $ticks = ticks();
ask('shop', 1, 2);
ask($_, 2, 4) for qw(bank crowd);
wait_until_ended($node, where => q(n.requested_by <> 'shop'));
is(asked_about(qr/^live-shop-[24]-/), 2, 'no more nudges of a role are started a minute than a policy allows, while others go out');
cmp_ok(ticks() - $ticks, '<=', 50, 'nor does the worker look for them again and again');
is(sql(q{SELECT state || ': ' || reason || ', ' || count(*) FROM reengage.nudge_status WHERE state = 'due' GROUP BY state, reason}),
	"due: its role's turn: a policy (max_per_minute) lets it start 2 a minute, 4", 'nudge_status says what they wait for');
sql(q{UPDATE reengage.policies SET max_per_minute = 4});
wait_for(sub { asked_about(qr/^live-shop-[24]-/) == 4 }, 'a higher limit holds at once');
sql(q{DELETE FROM reengage.policies});
wait_until_ended($node);

# --- an application opts out many customers, and leaves its transaction open ------------------------

# 20 customers whose addresses are in their nudges, and 20 whose only a look tells
$simulator->control('POST', 'conversations', [ map { { id => "live-found-$_", status => 'open', channel => 'sms', address => sprintf('+1317100%04d', $_) } } 1 .. 20 ]);

sub looks { my ($what) = @_; return scalar grep { $_->{conversation_id} =~ /^live-$what-/ } $simulator->requests('verb=check'); }

sql(q{ALTER SERVER genesys OPTIONS (SET max_requests_per_minute '600')});
my $earlier = () = $simulator->requests;
my $open = $node->background_psql('postgres', on_error_stop => 1);
$open->query_safe(q{SET client_min_messages = warning; BEGIN;
	SELECT count(*) FROM generate_series(1, 20) n, unnest(ARRAY['+1317000', '+1317100']) area
		LEFT JOIN reengage.suppress(area || lpad(n::text, 4, '0'), channel => 'sms') ON true});
sql(q{SET ROLE shop; INSERT INTO reengage.nudges (conversation_id, message, address, channel)
	SELECT 'live-told-' || n, 'x', '+1317000' || lpad(n::text, 4, '0'), 'sms' FROM generate_series(1, 20) n;
	INSERT INTO reengage.nudges (conversation_id, message) SELECT 'live-found-' || n, 'x' FROM generate_series(1, 20) n});
my $held = q{SELECT count(*) FROM reengage.due WHERE hold_reason LIKE 'an opt-out%'};
wait_for(sub { sql($held) == 20 }, 'the addresses are known');
my $looks = looks('found');
is($looks, 20, 'one look tells whose a nudge is, where it has no address');
# as if they had waited for long
sql(q{UPDATE reengage.due SET due_at = now(), hold = NULL, hold_reason = NULL; SELECT reengage_internal.wake('-infinity')});
ask('bank', 2, 9);
wait_until_ended($node, where => q(n.requested_by = 'bank'));
is(looks('found'), $looks, 'while a transaction is open, those whom it is about are not looked at again and again');
is(looks('told'), 0, 'nor at all, where the nudge has the address');
# 10 in a second, and a burst of two
my @requests = $simulator->requests;
my @at = map { $_->{arrived_us} / 1e6 } @requests[ $earlier .. $#requests ];
my $most = 0;
for my $to (0 .. $#at) { for (0 .. $to) { my $over = $to - $_ + 1 - 10 * ($at[$to] - $at[$_]); $most = $over if $over > $most; } }
cmp_ok($most, '<=', 25, 'never faster than the server may be called');

$open->query_safe('COMMIT');
$open->quit;
sql(q{ALTER SERVER genesys OPTIONS (SET max_requests_per_minute '0'); UPDATE reengage.due SET due_at = now(); SELECT reengage_internal.wake('-infinity')});
wait_until_ended($node);
is(sql(q{SELECT DISTINCT outcome FROM reengage.lineage JOIN reengage.nudges n USING (nudge_id) WHERE n.conversation_id ~ '^live-(told|found)-'}), 'suppressed', 'nobody of them is spoken to');

# --- what a commit wakes -----------------------------------------------------------------------------

sql(qq{CREATE SERVER other_$_ FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}', max_requests_per_minute '0');
	GRANT USAGE ON FOREIGN SERVER other_$_ TO shop}) for 1 .. 20;
sql(q{SET ROLE shop; SELECT reengage.nudge('live-wake-1', 'x', server => 'other_1')});
wait_until_ended($node);
my $before = claims();
sql(q{SET ROLE shop; SELECT reengage.nudge('live-wake-2', 'x', server => 'other_1')});
wait_until_ended($node);
cmp_ok(claims() - $before, '<=', 3, 'a nudge makes the worker look at its own server only');

# of several in a transaction the earliest counts
sql(q{SET ROLE shop; BEGIN; SELECT reengage.nudge('live-wake-3', 'x', server => 'other_1');
	SELECT reengage.nudge('live-wake-4', 'x', server => 'other_1', due_at => now() + interval '1 hour'); COMMIT});
ok(wait_until_ended($node, where => q(n.conversation_id = 'live-wake-3')), 'what is due now is found, whatever is asked for later in its transaction');
sql(q{SELECT reengage.cancel(nudge_id) FROM reengage.nudges WHERE conversation_id = 'live-wake-4'});

# more at once than a wake-up can name
sql(q{INSERT INTO reengage.nudges (server, conversation_id, message)
	SELECT 'other_' || n, 'live-all-' || n, 'x' FROM generate_series(1, 20) n});
wait_until_ended($node);

ledger_matches_lineage($node, $simulator, 'the ledger and the lineage agree, nudge by nudge');
$node->stop;
done_testing();
