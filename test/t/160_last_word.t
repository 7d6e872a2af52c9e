# The last word is near the wire: what forbids a message is never older than a
# second when it leaves, and the look no older than five, whatever the quota, a
# stopped courier, a standby or a slow connection do.  What has waited for longer
# goes back as if it had never been tried.
#
# Times are those of the first byte as the courier read them, which no busy
# machine makes later, and of arrivals, which it may.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for outcome lineage
  due_row health worker_pid courier_pid lasts promise psql_stderr log_lines ledger_matches_lineage);
use Certificates qw(certificate_folder certificate start_tls);
use Middlebox qw(start_middlebox);
use Tunnel qw(start_tunnel);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $simulator = start_tls(certificate('good', 'IP:127.0.0.1'));
my $other = start_simulator();
my $held = PostgreSQL::Test::Utils::tempdir();
# on the way to the simulator: a look waits there until it is let go, but for those
# of conversations whose number is 0
my $gate = start_middlebox($simulator, sub {
	my ($client, $request, $forward) = @_;
	my ($prefix) = $request->{id} =~ /^(?:live|closed)-(\w+)-[1-9]/;

	if ($request->{verb} eq 'check' && defined $prefix)
	{
		append_to_file("$held/$prefix", "x\n");
		wait_for(sub { -e "$held/$prefix.go" }, 'the look is let go');
	}
	print $client $forward->();
	$client->flush;
	append_to_file("$held/$prefix.answered", "x\n") if defined $prefix;
	return 1;
});
my $node = new_node('main', preload => 1, servers => [qw(genesys fast minds slow moved)],
	init => { allows_streaming => 1 }, conf => "max_connections = 40");
create_extension($node, $simulator, server_options => q(max_requests_per_minute '300'));
sql(qq{CREATE SERVER fast FOREIGN DATA WRAPPER reengage
		OPTIONS (api_url '$simulator->{url}', max_requests_per_minute '0', max_failures '0');
	CREATE SERVER minds FOREIGN DATA WRAPPER reengage
		OPTIONS (api_url '$gate->{url}', max_requests_per_minute '0', max_failures '0');
	CREATE SERVER moved FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$gate->{url}', max_requests_per_minute '0')});

sub sql { my ($statement) = @_; return $node->safe_psql('postgres', $statement); }

sub lines_of { my ($file) = @_; return -e $file ? scalar(() = slurp_file($file) =~ /x/g) : 0; }
sub looks_held { my ($prefix) = @_; return lines_of("$held/$prefix"); }
sub let_looks_go { my ($prefix) = @_; append_to_file("$held/$prefix.go", ''); return; }

# So many nudges of conversations that are alive, each of another customer.
sub nudges
{
	my ($count, $prefix, $server, $expires) = (@_, q('infinity'));
	return sql(qq{INSERT INTO reengage.nudges (server, conversation_id, message, campaign, expires_at)
		SELECT '$server', 'live-$prefix-' || n, 'x', '$prefix', $expires
		FROM generate_series(1, $count) n});
}

# It is night for the messages of a campaign.
sub begin_night
{
	my ($campaign, $server) = @_;
	return sql(qq{INSERT INTO reengage.policies (server, campaign, quiet_hours, time_zone) VALUES ('$server', '$campaign',
		ARRAY['daily ' || to_char(now() AT TIME ZONE 'UTC' - interval '2 hours', 'HH24:00-')
			|| to_char(now() AT TIME ZONE 'UTC' + interval '2 hours', 'HH24:00')], 'UTC')});
}

# Requests, or those of a verb, of conversations that begin so.
sub requests
{
	my ($prefix, $verb) = @_;
	return grep { $_->{conversation_id} =~ /^live-$prefix-/ && $_->{verb} eq ($verb // $_->{verb}) } $simulator->requests;
}

# First bytes and arrivals of messages: id => seconds.
sub left { my ($prefix) = @_; return map { $_->{requested_conversation_id} => $_->{left} }
	  @{ JSON::PP::decode_json(sql(qq{SELECT coalesce(json_agg(l), '[]') FROM (
		SELECT requested_conversation_id, extract(epoch FROM called_at) AS left FROM reengage.lineage
		WHERE campaign = '$prefix' AND called_at IS NOT NULL) l})) }; }
sub arrived { my ($prefix) = @_; return map { $_->{conversation_id} => $_->{arrived_us} / 1e6 } requests($prefix, 'notify'); }

# None of the messages left after its time; those that had arrived a second later
# than that, on a machine that has time, must have left earlier.
sub none_later
{
	my ($prefix, $what, %until) = @_;
	my %left = left($prefix);
	my %arrived = arrived($prefix);
	my @late = grep { exists $until{$_} && $left{$_} > $until{$_} } sort keys %left;
	my @unknown = grep { exists $until{$_} && !exists $left{$_} && $arrived{$_} > $until{$_} + 1 } sort keys %arrived;

	is("@late @unknown", ' ', $what);
	return;
}

# As if it had never been tried: no attempt, no doubt, no request that was not made.
sub no_trace
{
	my ($prefix, $what) = @_;
	my $requests = () = requests($prefix);

	# a look that is on the wire when its nudge is cancelled is not counted
	is(sql(qq{SELECT count(*) FILTER (WHERE outcome = 'in_doubt') || ' ' || max(greatest(attempts, attempt)) || ' '
			|| (sum(coalesce(l.api_calls, 0) + coalesce(d.api_calls, 0)) <= $requests)
		FROM reengage.nudges n LEFT JOIN reengage.lineage l USING (nudge_id) LEFT JOIN reengage.due d USING (nudge_id)
		WHERE n.campaign = '$prefix'}), "0 1 true", $what);
	return;
}

# --- people who change their minds, at 300 requests a minute ------------------------------------------

nudges(60, 'mind', 'genesys');
wait_for(sub { (() = requests('mind', 'notify')) >= 3 }, 'it is at work');
my %until;
for my $n (1 .. 12)
{
	my $id = 'live-mind-' . (5 * $n);

	$n % 2 ? sql("SELECT reengage.suppress(conversation_id => '$id', server => 'genesys', reason => 'x')") :
	  sql("SELECT reengage.cancel(nudge_id) FROM reengage.nudges WHERE conversation_id = '$id'");
	$until{$id} = time + 1;
}
my $said;
my $pause_took = lasts(sub { $said = psql_stderr($node, q{SELECT reengage.pause('genesys', 'enough')}) });
my $paused_at = time;
promise($pause_took, 1, 'pause() returns within a second');
wait_for(sub { sql('SELECT count(*) FROM reengage.intents') == 0 }, 'what was on the wire is settled');
my $waiting = sql(q{SELECT count(*) FROM reengage.due WHERE server = 'genesys'});
cmp_ok($waiting, '>=', 20, 'most are still due');
$until{"live-mind-$_"} //= $paused_at for 1 .. 60;
none_later('mind', 'no message leaves after pause() has returned, nor a second after an opt-out or a cancellation', %until);
my $before = () = requests('mind', 'notify');
my $written = sql(q{SELECT n_tup_ins FROM pg_stat_user_tables WHERE relid = 'reengage.intents'::regclass});
note "$written intents for " . $before . ' messages';
no_trace('mind', 'and none is in doubt');

# --- a pause of a server whose answers hang, and whose courier stands still ------------------------------

$simulator->fault(verb => 'notify', id => 'live-wire', action => 'hang_after', times => 3);
nudges(3, 'wire', 'fast');
$simulator->wait_hanging(3);
like(psql_stderr($node, q{SELECT reengage.pause('fast')}), qr/NOTICE:  server "fast": 3 messages are on the wire, whose answers are awaited\nDETAIL:  Of nudges [-0-9a-f]{36}, /,
	'pause() says what is on the wire');
$simulator->clear_faults;
wait_until_ended($node, where => q(n.campaign = 'wire'));
sql(q{SELECT reengage.resume('fast')});
nudge($node, 'live-resumed', server => q('fast'));
wait_until_ended($node, where => q(n.conversation_id = 'live-resumed'));
nudges(600, 'many', 'fast');
is(outcome($node, 'live-resumed'), 'notified - notify', 'resume() works at once');

# of another server, what ends or holds a nudge is said while its message is
# with a courier that stands still: of each campaign eight, and one that went before
my @minds = qw(night capped answered);
my @all = (@minds, 'still');
my %looks = (night => 8, capped => 1, answered => 8, still => 8);	# of a customer, one at a time
$simulator->control('POST', 'conversations', [ map { { id => "live-capped-$_", status => 'active', channel => 'sms', address => '+13170000001' } } 0 .. 8 ]);
nudge($node, "live-$_-0", server => q('minds'), campaign => "'$_'") for @minds;
wait_until_ended($node, where => q(n.server = 'minds'));
nudges(8, $_, 'minds') for @minds;
nudges(8, 'still', 'moved');
my $worker = worker_pid($node);
my $courier = courier_pid($worker);
wait_for(sub { !grep { looks_held($_) < $looks{$_} } @all }, 'looks are on the wire');
# the courier has told what they say, and the worker has not heard of it
kill 'STOP', $worker;
let_looks_go($_) for @all;
wait_for(sub { !(grep { lines_of("$held/$_.answered") < $looks{$_} } @all) && `ps -o state= -p $courier` =~ /^S/ }, 'the looks are answered');
kill 'STOP', $courier;
kill 'CONT', $worker;
wait_for(sub { sql(q{SELECT count(*) FROM reengage.intents, unnest(conversation_ids)}) == 25 }, 'messages are on their way to the courier');
begin_night('night', 'minds');
sql(q{INSERT INTO reengage.policies (server, campaign, cap, cap_interval) VALUES ('minds', 'capped', 1, '1 day')});
sql(q{SELECT count(a) FROM generate_series(1, 8) n,
	LATERAL reengage.record_answer(conversation_id => 'live-answered-' || n, server => 'minds') a});
my $said_at = time;
# which takes a second
sql(q{SELECT reengage.pause('moved')});
%until = map { ("live-still-$_" => time) } 1 .. 8;
kill 'CONT', $courier;
wait_for(sub { sql('SELECT count(*) FROM reengage.intents') == 0 }, 'all are settled or back');
none_later('still', 'a courier that stood still sends nothing afterwards', %until);
none_later('night', 'nor in quiet hours that began a second ago', map { ("live-night-$_" => $said_at + 1) } 1 .. 8);
none_later('capped', 'nor beyond a cap', map { ("live-capped-$_" => $said_at + 1) } 1 .. 8);
none_later('answered', 'nor to who has answered', map { ("live-answered-$_" => $said_at + 1) } 1 .. 8);
sql(qq{SELECT reengage.cancel_campaign('$_', 'minds')}) for @minds;
no_trace($_, "$_: without a trace") for @minds;
sql(q{SELECT reengage.resume('moved')});
wait_until_ended($node, where => q(n.campaign = 'still'));
no_trace('still', 'a pause leaves no trace');
# an open pause holds up its own server only, and one that is rolled back nothing
my $operator = $node->background_psql('postgres');
$operator->query_safe(q{BEGIN; SELECT reengage.pause('fast')});
nudge($node, 'live-open', server => q('fast'));
nudge($node, 'beside', server => q('moved'));
wait_until_ended($node, where => q(n.conversation_id = 'beside'));
is($simulator->verbs('id=live-open'), '', 'while pause() is not committed nothing is begun');
$operator->query_safe('ROLLBACK');
$operator->quit;
wait_until_ended($node, where => q(n.server = 'fast'));

# --- a server that is dropped, or becomes another one, between a look and its message -------------------

my $taken_back = nudge($node, 'closed-ended-1', server => q('moved'), when_closed => q('skip'));
wait_for(sub { looks_held('ended') == 1 }, 'a look is on the wire');
is(sql("SELECT reengage.cancel('$taken_back')"), 'cancelled', 'its nudge is taken back');
let_looks_go('ended');
wait_for(sub { sql('SELECT in_flight FROM reengage_internal.worker_state()') == 0 }, 'the look is answered');
is(outcome($node, 'closed-ended-1'), 'cancelled - -', 'and has no other outcome, whatever the look says');
nudges(8, 'moved', 'moved');
wait_for(sub { looks_held('moved') == 8 }, 'looks are on the wire');
sql('DROP SERVER moved');
let_looks_go('moved');
wait_for(sub { sql('SELECT in_flight FROM reengage_internal.worker_state()') == 0 }, 'the looks are answered');
is(scalar(() = requests('moved', 'notify')), 0, 'no message follows for a server that is gone');
sql(qq{CREATE SERVER moved FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$gate->{url}', max_requests_per_minute '0')});
wait_until_ended($node, where => q(n.campaign = 'moved'));
nudges(8, 'away', 'moved');
wait_for(sub { looks_held('away') == 8 }, 'looks are on the wire');
sql(qq{ALTER SERVER moved OPTIONS (SET api_url '$other->{url}')});
let_looks_go('away');
wait_until_ended($node, where => q(n.campaign = 'away'));
is(scalar(() = requests('away', 'notify')), 0, 'nor to the API that it was');
is($other->verbs('id=live-away-1'), 'check notify', 'the one that it is was looked at first');

# --- a connection that takes longer than a second -----------------------------------------------------------

my $tunnel = start_tunnel(to => $simulator->{tls_port});
sql(qq{CREATE SERVER slow FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'https://127.0.0.1:$tunnel->{port}',
	ca_file '@{[ certificate_folder() ]}/ca.pem', max_requests_per_minute '0', connect_timeout '20s')});
$simulator->set(keep_alive => JSON::PP::false);
$tunnel->set_mode('slow');
nudges(2, 'slow', 'slow');
wait_for(sub { (() = requests('slow', 'check')) >= 3 }, 'it is looked at again');
is(scalar(() = requests('slow', 'notify')), 0, 'no message leaves by a connection that took too long');
is(due_row($node, 'live-slow-1')->{attempt}, 0, 'which costs no attempt');
like(sql(q{SELECT string_agg(reason, '') FROM reengage.nudge_status WHERE server = 'slow'}), qr/a connection to the API takes longer/, 'P14: and nudge_status says so');
sql(q{SELECT reengage.suppress(conversation_id => 'live-slow-2', server => 'slow', reason => 'x')});
$tunnel->set_mode('');
wait_until_ended($node, where => q(n.campaign = 'slow'));
is(outcome($node, 'live-slow-1') . ', ' . outcome($node, 'live-slow-2'), 'notified - notify, suppressed opted_out -', 'then it does');
no_trace('slow', 'without a trace of those before');
$simulator->set(keep_alive => JSON::PP::true);

# --- a synchronous standby that is away ------------------------------------------------------------------------

sub set_standby
{
	my ($name) = @_;

	$node->append_conf('postgresql.conf', "synchronous_standby_names = '$name'");
	$node->reload;
	return wait_for(sub { sql('SHOW synchronous_standby_names') eq $name }, 'the setting is there');
}

set_standby('nobody');
{
	local $ENV{PGOPTIONS} = '-c synchronous_commit=local';
	nudges(20, 'away2', 'fast');
	nudges(2, 'asleep', 'fast');
	nudges(2, 'late', 'fast', q(now() + interval '1 s'));
	wait_for(sub { health($node, 'worker') =~ /the synchronous standby does not confirm/ }, 'P14: the health view says that the standby is away');
	wait_for(sub { sql('SELECT in_flight FROM reengage_internal.worker_state()') == 0 }, 'nothing is kept in hand');
	cmp_ok(sql(q{SELECT count(*) FROM reengage.nudge_status WHERE state = 'due' AND reason LIKE '%synchronous standby%'}), '>', 0, 'and so does nudge_status');
	is(sql('SELECT count(*) FROM reengage.intents'), 0, 'no intent is kept for it');
	sql(q{SELECT reengage.suppress(conversation_id => 'live-away2-7', server => 'fast', reason => 'x')});
	sql(q{SELECT reengage.record_answer(conversation_id => 'live-away2-8', server => 'fast')});
	begin_night('asleep', 'fast');
	cmp_ok(scalar(() = requests('away2', 'check')), '<=', 20, 'nor is anything looked at twice');
}
set_standby('');
wait_until_ended($node, where => q(n.campaign = 'away2'));
is(outcome($node, 'live-away2-7'), 'suppressed opted_out -', 'an opt-out from then holds');
is(outcome($node, 'live-away2-8'), 'answered recorded -', 'an answer, too');
wait_until_ended($node, where => q(n.campaign = 'late'));
is(sql(q{SELECT string_agg(DISTINCT outcome, ' ') FROM reengage.lineage WHERE campaign = 'late'}), 'expired', 'and the end of a time');
like(due_row($node, 'live-asleep-1')->{hold_reason}, qr/^quiet hours/, 'and quiet hours');
is(scalar(() = map { requests($_, 'notify') } qw(asleep late)), 0, 'of these, no message leaves');
no_trace('away2', 'and the others go out, without a trace');

# --- in all of this: the looks, and whether what is said is true ----------------------------------------------------

sql(q{SELECT reengage.cancel(nudge_id) FROM reengage.due WHERE server = 'genesys'});
is(sql(q{SELECT count(*) FROM reengage.lineage WHERE called_at > checked_at + interval '5 s'}), 0, 'no look was older than five seconds');
cmp_ok(sql(q{SELECT count(*) FROM reengage.lineage WHERE called_at IS NOT NULL}), '>', 600, 'of many');
$node->stop;
done_testing();
