# Policies and a running worker: what they hold goes out when they let it, and
# no customer gets one message more than a cap allows, whoever asks and whatever
# becomes of the answers.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for outcome
  due_row start_psql finish_psql ledger_matches_lineage);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator('--honour-keys');
my $node = new_node('main', preload => 1, servers => [ 'genesys', 'keyed' ], init => { allows_streaming => 1 },
	conf => 'max_connections = 100');
create_extension($node, $simulator, server_options => q(timeout '10s'));
$node->safe_psql('postgres', qq{
	CREATE SERVER keyed FOREIGN DATA WRAPPER reengage
		OPTIONS (api_url '$simulator->{url}', timeout '10s', idempotency 'key', max_requests_per_minute '0', max_failures '0')});

# Quiet hours that began a while ago and end in two to three hours, in UTC.
my $quiet_now = q{ARRAY['daily ' || to_char(now() AT TIME ZONE 'UTC' - interval '2 hours', 'HH24:00-')
	|| to_char(now() AT TIME ZONE 'UTC' + interval '3 hours', 'HH24:00')]};

sub policy
{
	my (%columns) = @_;
	my @names = sort keys %columns;
	return $node->safe_psql('postgres', 'INSERT INTO reengage.policies (' . join(', ', @names) . ') VALUES ('
		  . join(', ', @columns{@names}) . ') RETURNING policy_id');
}

sub drop_policies
{
	my ($where) = @_;
	return $node->safe_psql('postgres', 'DELETE FROM reengage.policies' . ($where ? " WHERE $where" : ''));
}

sub waits_for
{
	my ($conversation) = @_;
	return (due_row($node, $conversation) // {})->{hold_reason} // '';
}

# Conversations of one customer.
sub of_customer
{
	my ($address, $status, @ids) = @_;
	return $simulator->control('POST', 'conversations',
		[ map { { id => $_, status => $status, channel => 'sms', address => $address } } @ids ]);
}

# --- quiet hours -----------------------------------------------------------------

policy(quiet_hours => $quiet_now, time_zone => "'UTC'");
nudge($node, 'live-quiet-1');
wait_for(sub { waits_for('live-quiet-1') =~ /^quiet hours until \S+ \d\d:00 in UTC$/ }, 'a nudge waits for the end of quiet hours');
is($simulator->verbs('id=live-quiet-1'), '', 'and its conversation was not even looked at');
is($node->safe_psql('postgres', q{
	SELECT state, next_attempt_at = reengage.permitted_at(now(), (SELECT quiet_hours FROM reengage.policies), 'UTC')
	FROM reengage.nudge_status WHERE requested_conversation_id = 'live-quiet-1'}), 'due|t', 'it is due at that very moment');
$node->safe_psql('postgres', q{UPDATE reengage.policies SET channel = 'sms'});
wait_for(sub { $simulator->verbs('id=live-quiet-1') eq 'check' && waits_for('live-quiet-1') ne '' },
	'with a policy of a channel the look tells that it holds');
is($simulator->verbs('id=live-quiet-1'), 'check', 'and no more than that is called');
$node->safe_psql('postgres', q{UPDATE reengage.policies SET channel = 'email'});
wait_until_ended($node);
is(outcome($node, 'live-quiet-1'), 'notified - notify', 'what does not hold any more goes out at once');
drop_policies();

# A nudge that is held by a policy while that is being deleted, which the
# deletion cannot see: the worker finds out when it is committed.
policy(quiet_hours => $quiet_now, time_zone => "'UTC'");
my $deletion = start_psql($node, q{
	BEGIN;
	DELETE FROM reengage.policies;
	SELECT pg_advisory_lock(25);
	DO $$ BEGIN LOOP
		EXIT WHEN EXISTS (SELECT FROM reengage.due WHERE hold_reason ~ '^quiet hours');
	END LOOP; END $$;
	COMMIT});
$node->poll_query_until('postgres', q{SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 25)});
nudge($node, 'live-quiet-2');
finish_psql($deletion);
wait_until_ended($node);
is(outcome($node, 'live-quiet-2'), 'notified - notify', 'nor does one that was held while its policy was being deleted');

# The standby is slow, and quiet hours begin before it has confirmed the intent.
$node->append_conf('postgresql.conf', "synchronous_standby_names = 'nobody'");
$node->reload;
wait_for(sub { $node->safe_psql('postgres', 'SHOW synchronous_standby_names') eq 'nobody' }, 'the setting is there');
{
	local $ENV{PGOPTIONS} = '-c synchronous_commit=local';
	nudge($node, 'live-quiet-3');
	wait_for(sub { waits_for('live-quiet-3') eq 'the synchronous standby' }, 'a nudge waits for the standby');
	policy(quiet_hours => $quiet_now, time_zone => "'UTC'");
}
$node->append_conf('postgresql.conf', "synchronous_standby_names = ''");
$node->reload;
wait_for(sub { $node->safe_psql('postgres', 'SHOW synchronous_standby_names') eq '' }, 'the setting is gone');
wait_for(sub { waits_for('live-quiet-3') =~ /^quiet hours/ }, 'and is held by quiet hours that have begun meanwhile');
is($simulator->verbs('id=live-quiet-3'), 'check', 'without a message');
drop_policies();
wait_until_ended($node);

# --- the gap ------------------------------------------------------------------------

of_customer('+13170000001', 'active', 'gap-1', 'gap-2');
policy(minimum_gap => q('2 seconds'), campaign => q('gap'));
nudge($node, 'gap-1', campaign => q('gap'));
wait_until_ended($node);
nudge($node, 'gap-2', campaign => q('gap'));
wait_for(sub { waits_for('gap-2') =~ /^minimum gap until / || outcome($node, 'gap-2') ne '' }, 'the next message to a customer is held');
wait_until_ended($node);
my ($first, $second) = map { $_->{happened_us} } map { $simulator->effects("id=gap-$_") } 1, 2;
cmp_ok($second - $first, '>=', 2_000_000, 'and goes out when the gap is over');
drop_policies();

# --- what counts ----------------------------------------------------------------------

of_customer('+13170000002', 'active', map { "doubt-$_" } 1 .. 3);
policy(cap => 1, cap_interval => q('1 day'), campaign => q('doubt'));
$simulator->fault(verb => 'notify', id => 'doubt-1', action => 'close_before', times => 1);
for my $i (1, 2)
{
	nudge($node, "doubt-$i", campaign => q('doubt'));
	wait_until_ended($node);
}
like(outcome($node, 'doubt-1'), qr/^in_doubt/, 'a call that may have had its effect');
is(outcome($node, 'doubt-2'), 'capped cap_1_in_1_day -', 'counts');
$node->safe_psql('postgres', q{SELECT reengage.resolve(lineage_id, 'not_sent') FROM reengage.in_doubt});
nudge($node, 'doubt-3', campaign => q('doubt'));
wait_until_ended($node);
is(outcome($node, 'doubt-3'), 'notified - notify', 'until it is known to have had none');

# a customer whose address nobody knows is a thread
of_customer('', 'active', 'thread-1', 'thread-2');
policy(cap => 1, cap_interval => q('1 hour'), campaign => q('thread'));
for my $conversation (qw(thread-1 thread-1 thread-2))
{
	nudge($node, $conversation, campaign => q('thread'));
	wait_until_ended($node);
}
is(join('; ', map { outcome($node, $_) } qw(thread-1 thread-2)),
	'notified - notify, capped cap_1_in_1_hour -; notified - notify', 'without an address, a thread is capped');

# a call that is being made again counts for others, not for itself; at night it rests
of_customer('+13170000003', 'active', 'repeat-1', 'repeat-2');
policy(cap => 1, cap_interval => q('1 day'), server => q('keyed'));
$simulator->fault(verb => 'notify', id => 'repeat-1', action => 'close_after', times => 1);
$simulator->fault(verb => 'notify', id => 'repeat-1', action => 'status', status => 425, retry_after => '900', times => 1);
nudge($node, 'repeat-1', server => q('keyed'));
wait_for(sub { my $due = due_row($node, 'repeat-1'); $due && $due->{attempt} == 2 }, 'a call waits to be made again');
nudge($node, 'repeat-2', server => q('keyed'));
wait_until_ended($node, where => q(n.conversation_id = 'repeat-2'));
is(outcome($node, 'repeat-2'), 'capped cap_1_in_1_day -', 'another nudge to its customer is capped meanwhile');
policy(quiet_hours => $quiet_now, time_zone => q('UTC'), campaign => q('quiet'), server => q('keyed'));
$node->safe_psql('postgres', q{
	DELETE FROM reengage.policies WHERE server = 'keyed' AND campaign IS NULL;
	UPDATE reengage.policies SET campaign = NULL, cap = 1, cap_interval = '1 day' WHERE server = 'keyed';
	UPDATE reengage.due SET due_at = now();
	SELECT reengage_internal.wake('-infinity')});
wait_for(sub { waits_for('repeat-1') =~ /^quiet hours until / }, 'a repetition waits for the end of quiet hours, too');
$node->safe_psql('postgres', q{UPDATE reengage.policies SET quiet_hours = NULL WHERE server = 'keyed'});
wait_until_ended($node);
is(outcome($node, 'repeat-1'), 'notified - notify', 'and is made then, although its own call is as many as the cap allows');
is(scalar($simulator->effects('id=repeat-1')), 1, 'with one effect');
drop_policies();

# --- the cap, asked for by 64 at once ----------------------------------------------------

my ($customers, $each, $cap) = (16, 40, 3);
for my $customer (1 .. $customers)
{
	my $address = sprintf '+1317111%04d', $customer;
	of_customer($address, $_ % 2 ? 'active' : 'closed', "many-$customer-$_") for 1 .. $each;
}
policy(cap => $cap, cap_interval => q('1 day'), campaign => q('many'));
$simulator->fault(verb => '*', id => 'many-', action => $_, rate => 0.05) for qw(close_after close_before status);
$node->pgbench('--no-vacuum --client=64 --jobs=2 --transactions=10', 0, [qr{processed: 640/640}], [], '64 writers',
	{ 'ask_many' => qq{
		\\set customer 1 + (:client_id * 10 + random(0, 9)) % $customers
		\\set conversation random(1, $each)
		INSERT INTO reengage.nudges (conversation_id, message, campaign, priority)
		VALUES ('many-' || :customer || '-' || :conversation, 'hi', 'many', :conversation % 10);} });
# one that follows a creation in doubt waits for an operator
ok($node->poll_query_until('postgres', q{
	SELECT NOT EXISTS (SELECT FROM reengage.due WHERE hold_reason IS DISTINCT FROM 'an earlier create on this conversation is in doubt')}),
	'all of their nudges end');
$simulator->clear_faults;
my %messages;
$messages{ $_->{address} }++ for grep { $_->{message} eq 'hi' && $_->{address} =~ /^\+1317111/ } $simulator->effects;
is(scalar(grep { $_ > $cap } values %messages), 0, 'no customer got more messages than the cap allows');
is(scalar(keys %messages), $customers, 'and each of them got one');
is($node->safe_psql('postgres', qq{
	SELECT count(*), min(n), max(n) FROM (
		SELECT count(*) FROM reengage.lineage
		WHERE campaign = 'many' AND outcome IN ('notified', 'session_created', 'session_continued', 'in_doubt')
		GROUP BY address_hash) c (n)}), "$customers|$cap|$cap", 'as many as it allows, those in doubt counted');
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM reengage.lineage WHERE campaign = 'many' AND outcome = 'in_doubt'}),
	'>', 0, 'of which there were some');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM reengage.lineage WHERE campaign = 'many'
	  AND outcome NOT IN ('notified', 'session_created', 'session_continued', 'in_doubt') AND reason IS DISTINCT FROM 'cap_3_in_1_day'}),
	'0', 'all others are capped');
ledger_matches_lineage($node, $simulator, 'the ledger and the lineage agree, nudge by nudge', honours_keys => 1);

# --- a dump -----------------------------------------------------------------------------------

policy(quiet_hours => $quiet_now, time_zone => "'UTC'", channel => "'sms'");
my $dump = $node->basedir . '/dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump works');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '-d', $node->connstr('restored'), $dump ], 'pg_restore works');
is($node->safe_psql('restored', "SELECT string_agg(t::text, E'\\n' ORDER BY t::text) FROM reengage.$_ t"),
	$node->safe_psql('postgres', "SELECT string_agg(t::text, E'\\n' ORDER BY t::text) FROM reengage.$_ t"), "$_ are the same")
  for qw(policies changes);

$node->stop;
done_testing();
