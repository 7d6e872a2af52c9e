# What is graphed agrees with what happened: with the lineage and with what the API
# was asked; it begins anew when asked to; and each sees what it may.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for);
use Test::More;

my $node = new_node('main', preload => 1);
my $simulator = start_simulator();
create_extension($node, $simulator);
$node->safe_psql('postgres', "CREATE SERVER other FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}', auth 'none')");

sub sql { return $node->safe_psql('postgres', @_); }

# The values of that name, by their other labels, in words.
sub metric
{
	my ($name, $server) = @_;
	my $of_server = defined $server ? "AND labels->>'server' = '$server'" : '';

	return sql(qq{SELECT string_agg(concat_ws(' ', labels->>'step', labels->>'reply', labels->>'outcome', labels->>'state', labels->>'hold', value), ', '
			ORDER BY labels::text COLLATE "C")
		FROM reengage.metrics WHERE name = 'reengage_$name' AND value <> 0 $of_server});
}

sub number { my ($name, $server) = @_; return metric($name, $server) || 0; }

# --- what happened ---------------------------------------------------------------------

is(number('nudges_ended_total'), 0, 'nothing has ended yet');
is(number('up'), 1, 'the worker runs');
is(number('armed'), 1, 'and may send');

sql(q{INSERT INTO reengage.nudges (conversation_id, message) SELECT 'live-' || n, 'x' FROM generate_series(1, 7) n});
sql(q{INSERT INTO reengage.nudges (conversation_id, message) SELECT 'closed-' || n, 'x' FROM generate_series(1, 5) n});
sql(q{INSERT INTO reengage.nudges (conversation_id, message, when_closed) VALUES ('closed-9', 'x', 'skip')});
wait_until_ended($node);

sub ended_of_lineage
{
	return sql(q{SELECT string_agg(outcome || ' ' || count, ', ' ORDER BY outcome) FROM (
		SELECT outcome, count(*) FROM reengage.lineage GROUP BY outcome) o});
}

is(ended_of_lineage(), 'notified 7, session_created 5, skipped_closed 1', 'each nudge has ended as it should');
# behind the commit of a tick
ok(wait_for(sub { metric('nudges_ended_total', 'genesys') eq ended_of_lineage() }), 'and is counted by its outcome');
is(number('requests_total', 'genesys'), scalar(grep { $_->{verb} ne 'token' } $simulator->requests), 'as many requests are counted as the API was asked');
is(metric('replies_total', 'genesys'), 'check done 13, create done 5, notify done 7', 'by step and reply');
is(number('look_delay_seconds_count', 'genesys'), 13, 'each look has its delay');
is(number('post_delay_seconds_count', 'genesys'), 12, 'each message that followed, too');
is(metric('call_seconds_count', 'genesys'), 'check 13, create 5, notify 7', 'and what the API took for each call');
cmp_ok(number('call_seconds_sum', 'genesys') =~ s/^check ([0-9.]+).*/$1/r, '>', 0, 'which is some time');
is(number('nudges_ended_total', 'other'), 0, 'another server has counters of its own');
cmp_ok(number('ticks_total'), '>=', 3, 'ticks are counted');
cmp_ok(number('tick_seconds_total'), '>', 0, 'and what they took');
cmp_ok(number('wal_bytes_total'), '>', 13 * 300, 'and wrote');

# --- histograms as Prometheus has them -----------------------------------------------------

is(sql(q{SELECT count(*) FROM reengage.metrics WHERE name = 'reengage_look_delay_seconds_bucket' AND labels->>'server' = 'genesys'}), 18,
	'a histogram has its parts');
is(sql(q{SELECT bool_and(value >= before) FROM (
	SELECT value, lag(value, 1, 0) OVER (ORDER BY (labels->>'le')::float8) AS before FROM reengage.metrics
	WHERE name = 'reengage_look_delay_seconds_bucket' AND labels->>'server' = 'genesys') b}), 't', 'each with those below it');
is(sql(q{SELECT value FROM reengage.metrics
	WHERE name = 'reengage_look_delay_seconds_bucket' AND labels->>'server' = 'genesys' AND labels->>'le' = '+Inf'}), 13, 'and the last one all');
is(sql(q{SELECT count(*) FROM (SELECT name, labels FROM reengage.metrics GROUP BY 1, 2 HAVING count(*) > 1) d}), 0, 'no series is there twice');
is(sql(q{SELECT string_agg(DISTINCT name, ' ') FROM reengage.metrics WHERE kind IS NULL OR help IS NULL}), '', 'each has its kind and is explained');
is(sql(q{SELECT string_agg(DISTINCT name, ' ') FROM reengage.metrics
	WHERE (kind = 'counter') <> (name ~ '_total$') OR name !~ '^reengage_[a-z_]+$'}), '', 'and a name by the conventions');

# --- what is not well ---------------------------------------------------------------------------

$simulator->fault(verb => 'check', action => 'status', status => 429, retry_after => '1', times => 1);
nudge($node, 'live-limited');
wait_until_ended($node);
is(number('rate_limited_total', 'genesys'), 1, 'a 429 is counted');
like(metric('nudges_moved_total', 'genesys'), qr/^rate_limit [1-9]/, 'and that the nudge became due again later, and why');

sql(q{SELECT reengage.pause('other', 'a test')});
is(number('server_paused', 'other'), 1, 'a pause shows');
is(number('server_paused', 'genesys'), 0, 'of that server only');
is(number('oldest_due_seconds', 'other'), 0, 'nothing is overdue');
sql(q{INSERT INTO reengage.nudges (server, conversation_id, message, due_at) VALUES ('other', 'live-late', 'x', now())});
cmp_ok(number('oldest_due_seconds', 'other'), '>', 0, 'until something is');
sql(q{SELECT reengage.disarm()});
is(number('armed'), 0, 'the fence shows');
sql(q{SELECT reengage.arm()});

is(metric('due', 'other'), 'none 1', 'what is due is counted by what holds it');

# --- calls without a look, and what others write ----------------------------------------------

my $keeper = start_simulator('--honour-keys', '--no-auth');
sql(qq{CREATE SERVER keys FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$keeper->{url}', auth 'none', idempotency 'key', key_lifetime '1h')});
$keeper->fault(verb => 'notify', action => 'close_after', times => 1);
nudge($node, 'live-repeated', server => q('keys'));
wait_until_ended($node, where => "n.server = 'keys'");
is($keeper->verbs('id=live-repeated'), 'check notify notify', 'a call that may have had its effect is made again, without a look');
ok(wait_for(sub { metric('nudges_ended_total', 'keys') eq 'notified 1' }, 'it is counted'), 'and its nudge is counted');
is(number('post_delay_seconds_count', 'keys'), 1, 'which is no answer to a look');

my $runner = new_node('runner', preload => 1, conf => "reengage.databases = ''");
create_extension($runner, $simulator);
nudge($runner, 'live-of-a-session');
# in one session
$runner->safe_psql('postgres', q{
	CREATE TABLE much (x text);
	INSERT INTO much SELECT repeat('x', 1000) FROM generate_series(1, 5000);
	CALL reengage.run()});
is($runner->safe_psql('postgres', q{SELECT value FROM reengage.metrics WHERE name = 'reengage_nudges_ended_total' AND labels->>'outcome' = 'notified'}),
	1, 'what a session sends is counted');
cmp_ok($runner->safe_psql('postgres', q{SELECT value FROM reengage.metrics WHERE name = 'reengage_wal_bytes_total'}), '<', 1e6,
	'and not what else it has written');
$runner->stop;

# --- anew, and for whom ---------------------------------------------------------------------------

sql(q{SELECT reengage.reset_metrics()});
is(number('nudges_ended_total', 'genesys'), 0, 'reset_metrics() begins anew');
nudge($node, 'live-again');
wait_until_ended($node, where => "n.server = 'genesys'");
ok(wait_for(sub { metric('nudges_ended_total', 'genesys') eq 'notified 1' }), 'and counting goes on');
$node->stop('immediate');
$node->start;
is(number('nudges_ended_total', 'genesys'), 0, 'a restart begins anew, too');

sql('CREATE ROLE watcher LOGIN IN ROLE reengage_reader; CREATE ROLE shop LOGIN IN ROLE reengage_application');
cmp_ok($node->safe_psql('postgres', 'SET ROLE watcher; SELECT count(*) FROM reengage.metrics'), '>', 5, 'a reader may read them');
like(($node->psql('postgres', 'SET ROLE shop; SELECT * FROM reengage.metrics'))[2], qr/permission denied/, 'an application may not');
like(($node->psql('postgres', 'SET ROLE watcher; SELECT reengage.reset_metrics()'))[2], qr/permission denied/, 'and a reader resets nothing');

done_testing();
