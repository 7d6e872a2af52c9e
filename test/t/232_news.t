# Three nodes of a fleet tell each other who opted out, who took that back, who answered
# and who is to be forgotten: whatever the order, the same holds at all of them.
use strict;
use warnings FATAL => 'all';

use News qw(join_nodes hear hear_each_other heard_all agree said);
use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for poll_until outcome
  health customer_address start_psql finish_psql log_size log_lines);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my @nodes = map {
	new_node($_, preload => 1, init => { allows_streaming => 'logical' }, conf => "wal_retrieve_retry_interval = 100ms\nmax_logical_replication_workers = 12\nmax_worker_processes = 24")
} qw(north south west);
my ($north, $south, $west) = @nodes;
create_extension($_, $simulator) for @nodes;

sub sql { my ($node, $statement) = @_; return $node->safe_psql('postgres', $statement); }
sub times_heard { my ($node) = @_; return sql($node, 'SELECT count(*) FROM reengage.news WHERE heard_at IS NOT NULL'); }

# --- in no fleet -------------------------------------------------------------------------------

sql($north, q{SELECT reengage.suppress('+13175550101', reason => 'before')});
sql($south, q{SELECT reengage.record_answer(conversation_id => 'live-before')});
is(sql($north, 'SELECT count(*) FROM reengage.news'), 0, 'a node that is in no fleet says nothing');

# --- each joins, and says what stands -----------------------------------------------------------

join_nodes(@nodes);
ok(hear_each_other(@nodes), 'all hear what stood before');
agree('so the same holds everywhere', @nodes);
is(sql($west, q{SELECT count(*) FROM reengage.suppressions s WHERE s.address_hash = reengage_internal.address_hash('+13175550101')}), 1,
	'the key is the same: a hash means the same customer');
is(join(',', map { sql($_, q{SELECT count(*) FROM reengage.news WHERE kind = 'key' AND node NOT LIKE '%(%'}) } @nodes), '3,3,3', 'and each says that it has it');
is_deeply([ map { hear($south, $_) } $north, $west ], [], 'once more: nothing is to be done');
is(health($north, 'news of node south') . health($north, 'node south'), '', 'and nothing is amiss');

# --- an opt-out --------------------------------------------------------------------------------

my $address = customer_address('live-anna');
$simulator->control('POST', 'conversations', [ map { { id => "live-anna$_", status => 'active', address => '+13175550142' } } '', 2 .. 4 ]);
my $reason = 'hörte „STOP“';
sql($north, qq{SELECT reengage.suppress('+13175550142', reason => '$reason')});
ok(heard_all(@nodes), 'an opt-out is heard');
nudge($south, 'live-anna');
nudge($west, 'live-anna2');
wait_until_ended($_) for $south, $west;
is(outcome($south, 'live-anna') . ', ' . outcome($west, 'live-anna2'), 'suppressed opted_out -, suppressed opted_out -', 'and holds at each');
is($simulator->verbs('id=live-anna') =~ /notify/ ? 1 : 0, 0, 'nothing was sent');
is(sql($south, q{SELECT string_agg(reason || ' ' || created_by, ', ') FROM reengage.suppressions WHERE label ~ '42$'}), "$reason postgres at node north", 'with its words, and who said it where');
is(sql($west, q{SELECT string_agg(changed_by, ', ') FROM reengage.changes WHERE table_name = 'suppressions' AND new ->> 'label' ~ '42$'}), 'postgres at node north', 'it is a change like others');
is(sql($south, q{SELECT count(*) FROM reengage.news WHERE node = 'south' AND kind = 'opted_out'}), 0, 'what is heard is not said again');

# a thread, an end, a channel; the later end of two holds
sql($south, q{SELECT reengage.suppress(conversation_id => 'live-thread', channel => 'sms', until => now() + interval '1 day')});
sql($west, q{SELECT reengage.suppress('+13175550143', until => now() + interval '1 day')});
sql($north, q{SELECT reengage.suppress('+13175550143', until => now() + interval '2 days')});
ok(heard_all(@nodes), 'of threads, and with an end, too');
agree('the later end holds everywhere', @nodes);
is(sql($west, q{SELECT until > now() + interval '36 hours' FROM reengage.suppressions WHERE label ~ '43$'}), 't', 'which is the later one');

# --- two that say the opposite ----------------------------------------------------------------

sub deaf { sql($_[0], "ALTER SUBSCRIPTION reengage_news_$_[1] DISABLE"); return; }
sub listens { sql($_[0], "ALTER SUBSCRIPTION reengage_news_$_[1] ENABLE"); return; }
deaf($south, 'north');
deaf($north, 'south');
sql($south, q{SELECT reengage.unsuppress('+13175550142')});
sql($north, q{SELECT reengage.suppress('+13175550142', reason => 'once more')});
is(sql($south, q{SELECT count(*) FROM reengage.suppressions WHERE label ~ '42$'}), 0, 'one takes an opt-out back');
listens($south, 'north');
listens($north, 'south');
ok(heard_all(@nodes), 'and another says it, of which the first does not know');
is(join(',', map { sql($_, q{SELECT count(*) FROM reengage.suppressions WHERE label ~ '42$'}) } @nodes), '1,1,1', 'the opt-out wins');
is(sql($south, q{SELECT reengage.unsuppress('+13175550142')}), 1, 'who knows of both');
ok(heard_all(@nodes), 'takes back both');
is(join(',', map { sql($_, q{SELECT count(*) FROM reengage.suppressions WHERE label ~ '42$'}) } @nodes), '0,0,0', 'at each node');
nudge($west, 'live-anna3');
wait_until_ended($west);
is(outcome($west, 'live-anna3'), 'notified - notify', 'and a message may go out again');

# one that says it again, which cannot be done elsewhere at once, and takes it back
sql($north, q{SELECT reengage.suppress('+13175550144', until => now() + interval '1 day')});
ok(heard_all(@nodes), 'an opt-out is said');
my $holder = $south->background_psql('postgres', on_error_stop => 1);
$holder->query_safe($_) for 'BEGIN', q{SELECT FROM reengage.suppressions WHERE label ~ '44$' FOR UPDATE};
sql($north, q{SELECT reengage.suppress('+13175550144')});
poll_until($south, 'postgres', q{SELECT count(*) = 1 FROM reengage.news_waiting WHERE kind = 'opted_out'});
$holder->query_safe('COMMIT');
sql($north, q{SELECT reengage.unsuppress('+13175550144')});
$holder->quit;
ok(heard_all(@nodes), 'and once more, while it is held, and taken back');
is(join(',', map { sql($_, q{SELECT count(*) FROM reengage.suppressions WHERE label ~ '44$'}) } @nodes), '0,0,0', 'what it had replaced is gone with it');

# all say much, and take it back, in no order at all
for my $round (1 .. 6)
{
	my @sessions = map {
		my $node = $_;
		start_psql($node, join ';', map {
			my $customer = sprintf '+1317555%04d', 2000 + int rand 5;
			$_ % 3 ? "SELECT reengage.suppress('$customer', channel => " . (rand() < 0.5 ? 'NULL' : "'sms'") . ", until => " . (rand() < 0.5 ? 'NULL' : "now() + interval '" . int(1 + rand 9) . " days'") . ')'
			  : rand() < 0.5 ? "SELECT reengage.unsuppress('$customer')" : "SELECT reengage.record_answer(address => '$customer')";
		} 1 .. 20);
	} @nodes;
	finish_psql($_) for @sessions;
}
ok(heard_all(@nodes), 'all say much at once');
agree('and agree in the end', @nodes);

# --- what an API says, and answers -------------------------------------------------------------

$simulator->control('POST', 'conversations', [ { id => 'closed-told', status => 'closed', address => '+13175550311' } ]);
$simulator->fault(verb => 'create', address => '+13175550311', action => 'status', status => 400, body => '{"code":"recipient.unsubscribed","message":"The recipient has unsubscribed"}');
nudge($west, 'closed-told');
wait_until_ended($west);
is(outcome($west, 'closed-told'), 'refused opted_out create', 'an API tells one node of an opt-out');
ok(heard_all(@nodes), 'which is heard');
like(said($north), qr/\+1317\.\.\.11 genesys sms api the API refused/, 'with who said it');
nudge($south, 'live-answers', answered_since => q(now() - interval '1 hour'), due_at => q(now() + interval '1 hour'));
sql($north, q{SELECT reengage.record_answer(conversation_id => 'live-answers')});
ok(heard_all(@nodes), 'an answer is heard');
sql($south, q{UPDATE reengage.due SET due_at = now(); SELECT reengage_internal.wake('-infinity')});
wait_until_ended($south);
is(outcome($south, 'live-answers'), 'answered recorded -', 'and ends a nudge that was asked for before');

# --- somebody is forgotten ----------------------------------------------------------------------

$simulator->control('POST', 'conversations', [ map { { id => "live-clara$_", status => 'active', address => '+13175550177' } } '', 2, 3 ]);
sql($north, q{SELECT reengage.suppress('+13175550177', channel => 'whatsapp', reason => 'Clara asked for it')});
# before what she is asked below
sql($south, q{SELECT reengage.record_answer(address => '+13175550177', channel => 'sms', at => now() - interval '1 day')});
nudge($_, 'live-clara', message => "'Dear Clara'", detail => q('{"name": "Clara"}')) for $south, $west;
wait_until_ended($_) for $south, $west;
nudge($south, 'live-clara2', message => "'Dear Clara'", address => "'+13175550177'", channel => "'sms'", due_at => "now() + interval '1 hour'");
# while a message to her is on the wire at another node
$simulator->fault(verb => 'notify', id => 'live-clara3', action => 'hang');
nudge($west, 'live-clara3', message => "'Dear Clara'", address => "'+13175550177'", channel => "'sms'");
wait_for(sub { $simulator->verbs('id=live-clara3') =~ /notify/ }, 'a message is on the wire');
sql($north, q{SELECT * FROM reengage.forget('+13175550177', channel => 'sms')});
poll_until($west, 'postgres', q{SELECT count(*) = 1 FROM reengage.news_waiting WHERE kind = 'erased' AND complaint LIKE '1 call to them may be on the wire'});
like(health($west, 'news of node north'), qr/^attention: 1 piece of news could not be done, .*: 1 call to them may be on the wire/, 'who is being written to is forgotten later, which health says');
$simulator->clear_faults;
wait_until_ended($west);
ok(heard_all(@nodes), 'the worker tries again');
is(health($west, 'news of node north'), '', 'and all is well');
is(join(',', map { sql($_, q{SELECT count(*) FROM reengage.nudges WHERE message LIKE '%Clara%' OR detail::text LIKE '%Clara%' OR address = '+13175550177'}) } @nodes), '0,0,0', 'nothing of her is left in nudges');
is(join(',', map { sql($_, q{SELECT count(*) FROM reengage.lineage WHERE address_hash = reengage_internal.address_hash('+13175550177', 'sms')}) } @nodes), '0,0,0', 'nor in lineage');
is(join(',', map { sql($_, q{SELECT count(*) FROM (SELECT address_hash FROM reengage.answers UNION ALL SELECT address_hash FROM reengage.news WHERE kind = 'answered') a
	WHERE address_hash = reengage_internal.address_hash('+13175550177', 'sms')}) } @nodes), '0,0,0', 'nor of what she answered');
is(outcome($south, 'live-clara2'), 'cancelled customer_cancelled -', 'what was due to her is cancelled');
is(join(',', map { sql($_, q{SELECT count(*) FROM (SELECT n::text FROM reengage.news n UNION ALL SELECT s::text FROM reengage.suppressions s UNION ALL SELECT c::text FROM reengage.changes c) t (line) WHERE line LIKE '%Clara%' OR line LIKE '%...77%'}) } @nodes), '0,0,0', 'no words of her opt-out');
is(join(',', map { sql($_, q{SELECT count(*) FROM reengage.suppressions WHERE address_hash = reengage_internal.address_hash('+13175550177', 'whatsapp')}) } @nodes), '1,1,1', 'which stands');
is(sql($west, q{SELECT string_agg(erased_by, ', ') FROM reengage.erasures}), 'postgres at node north', 'it is on record');

# --- what nobody could do -------------------------------------------------------------------------

my $log = log_size($south);
my $hash = 'f' x 64;
sql($north, q{INSERT INTO reengage.news (node, kind, said) VALUES ('north', 'renamed', '{"new": "x"}')});
sql($north, "INSERT INTO reengage.news (node, kind, address_hash, root_conversation_id, server, said) VALUES $_") for
  qq{('north', 'opted_out', 'not a hash', NULL, NULL, '{}')}, qq{('north', 'opted_out', '$hash', 'and-a-thread', 'genesys', '{}')},
  qq{('north', 'opted_out', NULL, 'no-server', NULL, '{}')}, qq{('north', 'opted_out', '$hash', NULL, NULL, '{"until": "some day"}')},
  qq{('north', 'opted_out', '$hash', NULL, NULL, jsonb_build_object('label', repeat('x', 30000)))},
  qq{('north', 'answered', '$hash', NULL, NULL, '{"at": "infinity"}')}, qq{('north', 'answered', '$hash', NULL, NULL, NULL)},
  qq{('north', 'withdrawn', NULL, NULL, NULL, '{}')}, qq{('north', 'key', NULL, NULL, NULL, '{"key": "00"}')},
  qq{('north', 'erased', '$hash', NULL, 'nowhere', '[]')}, qq{(E'north', 'opted_out', NULL, '..', 'genesys', '{}')};
sql($north, q{SELECT reengage.suppress('+13175550188')});
poll_until($south, 'postgres', q{SELECT count(*) = 1 FROM reengage.suppressions WHERE label ~ '88$'});
is(sql($south, q{SELECT count(*) FROM reengage.suppressions WHERE label ~ '88$'}), 1, 'what nobody can do does not keep what follows');
is(sql($south, q{SELECT string_agg(complaint, '; ' ORDER BY complaint) FROM reengage.news_waiting WHERE kind = 'renamed'}), 'this version does not know what "renamed" is', 'what a later version says is kept');
is(sql($south, q{SELECT count(*) || ' ' || count(next_try) FROM reengage.news_waiting}), '11 0', 'like all that makes no sense, with what is wrong, and is not tried again and again');
is(sql($south, q{SELECT complaint FROM reengage.news WHERE root_conversation_id = 'and-a-thread'}), 'it names neither a customer nor a thread', 'nor two at once');
is(sql($south, 'SELECT reengage.heed_news()'), 11, 'but when somebody says so');
is(scalar log_lines($south, $log, qr/ERROR/), 0, 'the replication has not failed once');
sql($_, q{DELETE FROM reengage.news WHERE kind = 'renamed' OR complaint IS NOT NULL}) for @nodes;
sql($north, q{DELETE FROM reengage.news WHERE kind = 'key' AND said ->> 'key' = '00' OR address_hash = 'not a hash' OR root_conversation_id IN ('and-a-thread', 'no-server', '..') OR address_hash ~ '^f+$' OR (kind = 'withdrawn' AND about IS NULL)});

# a node that somebody else has in hand says things as another
my $opted_out = sql($south, q{SELECT count(*) FROM reengage.suppressions});
my $published = 'ALTER PUBLICATION reengage_news SET TABLE reengage.news (news_id, node, kind, said_at, address_hash, root_conversation_id, server, channel, about, said)';
sql($north, $published);
sql($north, "INSERT INTO reengage.news (node, kind, about, said) SELECT 'west', 'withdrawn', n.news_id, '{}' FROM reengage.news n WHERE n.kind = 'opted_out'");
sql($north, q{INSERT INTO reengage.news (node, kind, address_hash, said) VALUES ('south', 'erased', repeat('e', 32), '{}')});
sql($north, q{SELECT reengage.suppress('+13175550189')});
poll_until($south, 'postgres', q{SELECT count(*) = 1 FROM reengage.suppressions WHERE label ~ '89$'});
is(sql($south, q{SELECT count(*) FROM reengage.suppressions}), $opted_out + 1, 'it takes nobody\'s opt-out back in the name of another');
is(sql($south, q{SELECT string_agg(DISTINCT complaint, '; ') FROM reengage.news_waiting}), 'node "north" says it in the name of another', 'and the others say who it was');
sql($north, "$published WHERE (node = 'north')");
is(sql($north, 'SELECT reengage.publish_news()'), 'ok', 'its publication is put right');
sql($_, q{DELETE FROM reengage.news WHERE complaint IS NOT NULL}) for @nodes;
sql($north, q{DELETE FROM reengage.news WHERE node <> 'north' AND heard_at IS NULL});

# --- who was away --------------------------------------------------------------------------------

$west->stop;
sql($north, q{SELECT reengage.suppress('+13175550190'); SELECT reengage.unsuppress('+13175550143')});
sql($south, q{SELECT reengage.suppress('+13175550191', server => 'genesys'); SELECT reengage.record_answer(address => '+13175550190')});
$west->start;
ok(heard_all(@nodes), 'who was away hears all of it');
agree('and agrees', @nodes);

# the slot of one is gone, and with it what was said meanwhile
deaf($west, 'north');
poll_until($north, 'postgres', q{SELECT NOT is_heard_there FROM reengage.news_state WHERE node = 'west'});
is(sql($north, q{SELECT reengage.drop_news_slot('west')}), 1, 'a slot is lost');
sql($north, q{SELECT reengage.suppress('+13175550192'); SELECT reengage.unsuppress('+13175550190')});
like(health($west, 'node north'), qr/not heard here as it should be \(disabled\)/, 'health says that a node is not heard');
my $heard = times_heard($west);
like(join("\n", hear($west, $north)), qr/DROP SUBSCRIPTION.*CREATE SUBSCRIPTION/s, 'the same statements make it anew');
ok(heard_all(@nodes), 'all is copied once more');
agree('and what was missing is there', @nodes);
is(sql($west, q{SELECT count(*) - count(DISTINCT (node, kind, address_hash, root_conversation_id, server, channel)) FROM reengage.news WHERE kind IN ('opted_out', 'answered')}), 0, 'once');

# --- it stays small ------------------------------------------------------------------------------

sql($north, q{UPDATE reengage.news SET said_at = said_at - interval '500 days', heard_at = heard_at - interval '500 days'; SELECT reengage_internal.tend_news()});
is(sql($north, q{SELECT count(*) FILTER (WHERE kind IN ('withdrawn', 'erased')) || ' ' || (count(*) > 0) FROM reengage.news}), '0 true', 'what has passed goes, and what stands stays');

$_->stop for @nodes;
done_testing();
