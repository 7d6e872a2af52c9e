# A server moves to another node, with all that is known of it: what is due goes out
# there, the threads go on, and nothing is sent twice or lost; and it moves back.
use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator nudge wait_until_ended wait_for poll_until ledger_matches_lineage psql_stderr);
use Moves qw(make_fleet digest move_server state_at sql);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $fleet = make_fleet($simulator);
my ($a, $b, $front) = @$fleet{qw(a b front)};

# ---- what there is to move -----------------------------------------------------------------

sql($_, 'CREATE ROLE shop LOGIN; GRANT reengage_application TO shop') for $a, $b;
sql($a, q{
	COMMENT ON SERVER genesys IS 'of the north; it''s "quoted"';
	GRANT USAGE ON FOREIGN SERVER genesys TO shop;
	INSERT INTO reengage.policies (server, cap, cap_interval, created_at) VALUES ('genesys', 100, '30 days', now());
	INSERT INTO reengage.nudges (server, conversation_id, message, campaign, detail)
	SELECT 'genesys', CASE WHEN i % 3 = 0 THEN 'closed-' ELSE 'live-' END || i, E'Zeile 1\nß "é" \\\\ \t', 'one',
		jsonb_build_object('n', 1.10, 'text', E'ü\u2028', 'deep', jsonb_build_array(i, NULL, true))
	FROM generate_series(1, 60) i});
wait_until_ended($a);
sql($a, q{
	SELECT reengage.pause('genesys', 'looked at');
	INSERT INTO reengage.nudges (server, conversation_id, message, campaign, due_at, expires_at, address, channel, priority)
	SELECT 'genesys', 'live-' || 1000 + i, 'later', 'two', now(), 'infinity', '+1317555' || 1000 + i, 'sms', i % 10 FROM generate_series(1, 40) i;
	INSERT INTO reengage.nudges (server, conversation_id, message, due_at, time_zone)
	SELECT 'genesys', 'live-' || 2000 + i, 'next year', now() + interval '1 year', 'Europe/Berlin' FROM generate_series(1, 20) i;
	SELECT reengage.suppress(conversation_id => 'live-2001', server => 'genesys');
	SELECT reengage.suppress(conversation_id => 'live-1001', server => 'genesys', until => now() + interval '1 day');
	SELECT reengage.record_answer(conversation_id => 'closed-3', server => 'genesys')});

my $id = sql($a, q{SELECT nudge_id FROM reengage.nudges WHERE conversation_id = 'live-1'});
my $before = digest($a, 'genesys');
my $lineage_before = sql($a, 'SELECT count(*) FROM reengage.lineage');

# ---- there ---------------------------------------------------------------------------------

is(move_server($front, 'genesys', 'b'), '', 'it moves');
is(digest($b, 'genesys'), $before, 'all that is known of it is there, byte for byte');
is(sql($a, q{SELECT count(*) FROM reengage.nudges}) . '|' . sql($a, 'SELECT count(*) FROM reengage.due') . '|'
	. sql($a, 'SELECT count(*) FROM reengage.nudge_counts') . '|' . sql($a, q{SELECT count(*) FROM pg_foreign_server WHERE srvname = 'genesys'}),
	'0|0|0|0', 'where it was, nothing is due, counted or asked');
is(sql($a, 'SELECT count(*) FROM reengage.lineage'), $lineage_before, 'and its lineage is still read');
is(sql($b, 'SELECT count(*) FROM reengage.lineage WHERE xact_id = 0'), $lineage_before, 'of which the other node knows that it was not recorded there');
is(sql($b, 'SELECT count(*) FROM reengage.lineage_settled'), 0, 'so that no reader gets it twice');
is(sql($b, 'SELECT reengage.recount()') + sql($a, 'SELECT reengage.recount()'), 0, 'both count right');
is(sql($front, q{SELECT node || ' ' || state FROM reengage_front.routes WHERE server = 'genesys'}), 'b open', 'the front sends what comes there');
is(sql($front, q{SELECT step || ' ' || nudges || ' ' || expected_nudges || ' ' || lineage FROM reengage.moves}), 'moved 120 120 60', 'and shows what was moved');

like(psql_stderr($a, q{INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('genesys', 'live-1', 'hi')}),
	qr/server "genesys" was moved to node "b"/, 'who asks where it was is told where it is');
like(psql_stderr($a, q{SELECT reengage.suppress(conversation_id => 'live-1', server => 'genesys')}),
	qr/was moved|does not exist/, 'likewise who opts out a thread there');

# an id is asked for once, wherever
sql($front, qq{INSERT INTO reengage.nudges (nudge_id, server, conversation_id, message) VALUES ('$id', 'genesys', 'live-1', 'again') ON CONFLICT DO NOTHING});
is(sql($b, qq{SELECT count(*) FROM reengage.due WHERE nudge_id = '$id'}), 0, 'an id that was asked for before asks for nothing at the new node');

# the pause of a person stays
is(sql($b, 'SELECT count(*) FROM reengage.lineage WHERE xact_id > 0'), 0, 'who was paused rests there, too');
sql($b, q{SELECT reengage.resume('genesys')});
poll_until($b, 'postgres', q{SELECT NOT EXISTS (SELECT FROM reengage.nudges n WHERE n.campaign = 'two' AND NOT EXISTS (SELECT FROM reengage.lineage l WHERE l.nudge_id = n.nudge_id))});
is(sql($b, q{SELECT outcome || ' ' || count(*) FROM reengage.lineage WHERE xact_id > 0 GROUP BY outcome ORDER BY outcome}), "notified 39\nsuppressed 1",
	'what was due goes out there, but where somebody opted out');

# threads go on: no second successor
sql($front, q{INSERT INTO reengage.nudges (server, conversation_id, message, when_answered) VALUES ('genesys', 'closed-3', 'once more', 'send'), ('genesys', 'closed-6', 'once more', 'send')});
poll_until($b, 'postgres', q{SELECT count(*) = 2 FROM reengage.lineage l JOIN reengage.nudges n USING (nudge_id) WHERE n.message = 'once more'});
is(sql($b, q{SELECT string_agg(DISTINCT l.outcome, ' ') FROM reengage.lineage l JOIN reengage.nudges n USING (nudge_id) WHERE n.message = 'once more'}), 'notified',
	'a thread that had moved on is followed to where it is');
is(sql($b, 'SELECT reengage.recount()'), 0, 'and is counted');

# ---- and back ------------------------------------------------------------------------------

my $there = digest($b, 'genesys');
is(move_server($front, 'genesys', 'a'), '', 'it moves back');
is(digest($a, 'genesys'), $there, 'with all that has come since');
is(sql($a, q{SELECT count(*) FILTER (WHERE xact_id > 0) || ' ' || count(*) FILTER (WHERE xact_id = 0) FROM reengage.lineage}), "$lineage_before 42",
	'each row of lineage is recorded where it happened');
is(sql($b, q{SELECT count(*) FILTER (WHERE xact_id > 0) || ' ' || count(*) FILTER (WHERE xact_id = 0) FROM reengage.lineage}), '42 0', 'and there only');
is(sql($a, q{SELECT count(*) FROM reengage.pruned_nudges}), 0, 'what is back is not gone');
is(sql($a, 'SELECT reengage.recount()') + sql($b, 'SELECT reengage.recount()'), 0, 'both count right');
sql($front, q{INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('genesys', 'live-77', 'home')});
poll_until($a, 'postgres', q{SELECT count(*) = 1 FROM reengage.lineage l JOIN reengage.nudges n USING (nudge_id) WHERE n.message = 'home'});

my %sent;
$sent{ $_->{idempotency_key} // $_->{key} // '' }++ for $simulator->effects;
is(scalar($simulator->effects), 60 + 39 + 2 + 1, 'each was sent once');

$_->stop for $front, $a, $b;
done_testing();
