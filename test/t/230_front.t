# Three nodes, and a front that shows them as one: what is asked of it arrives, what is
# wrong is said as at a node, and a node that is down makes its rows missing, no more.

use strict;
use warnings FATAL => 'all';

use Documents qw(blocks_of);
use Fleet qw(connection set_nodes);
use Reengage qw(start_simulator new_node wait_until_ended psql_stderr lasts promise);
use Test::More;

my $simulator = start_simulator();
my %server = (a => 'north', b => 'south', c => 'west');
# as the document has it, word for word, but for names and addresses
my ($on_node, $on_front, $refresh) = map { $_->{text} } blocks_of('docs/fleet.md', section => 'Setting up');
my %node = map { $_ => new_node($_, servers => [ $server{$_} ], preload => 1) } sort keys %server;
for my $name (sort keys %node)
{
	my $sql = $on_node =~ s/'a'/'$name'/r =~ s/SERVER north/SERVER $server{$name}/r
	  =~ s{https://api\.example\.com'}{$simulator->{url}', max_requests_per_minute '0', max_failures '0'}r;

	# no news goes between these nodes
	$node{$name}->safe_psql('postgres', $sql =~ s/^(CREATE EXTENSION reengage;)$/$1 INSERT INTO reengage.address_key (key) VALUES (sha256('of all nodes'));/mr);
}
my $front = new_node('front');

sub ask { my ($sql) = @_; return $front->safe_psql('postgres', $sql); }
sub said { my ($sql) = @_; return psql_stderr($front, "\\set VERBOSITY default\n\\set SHOW_CONTEXT never\n$sql"); }

# --- it is set up, and again --------------------------------------------------------------------

my @to = map { connection($node{$_}) } sort keys %node;
is($on_front =~ s/"host=[^"]*"/'"' . shift(@to) . '"'/ge, 3, 'the document says how to name three nodes');
ask($on_front);
ask($refresh);
is(ask('SELECT server, node, state FROM reengage_front.routes ORDER BY server'), "north|a|open\nsouth|b|open\nwest|c|open",
	'each server is routed to the node that has it');
my $made = q{SELECT count(*) FROM pg_class WHERE relnamespace = 'reengage_front'::regnamespace};
my $before = ask($made);
ask(set_nodes(%node) . 'SELECT reengage_front.refresh();');
is(ask($made), $before, 'again it does no harm');

# --- what is asked of the front is sent by the nodes ------------------------------------------------

ask(q{
	INSERT INTO reengage.nudges (server, conversation_id, message, campaign)
	SELECT (ARRAY['north', 'south', 'west'])[1 + i % 3], CASE WHEN i % 2 = 0 THEN 'closed-' ELSE 'live-' END || i, 'hi', 'spring' FROM generate_series(1, 30) i});
is(ask(qq{COPY reengage.nudges (server, conversation_id, message, campaign) FROM STDIN;\nnorth\tlive-31\thi\tspring\nsouth\tlive-32\thi\tspring\n\\.\n}), '', 'COPY');
my $id = ask(q{INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('west', 'live-33', 'hi') RETURNING nudge_id});
is(ask("SELECT reengage.nudge('live-33', 'hi', 'west', nudge_id => '$id')"), $id, 'asking twice');
ask("INSERT INTO reengage.nudges (nudge_id, server, conversation_id, message) VALUES ('$id', 'west', 'live-33', 'hi') ON CONFLICT DO NOTHING");
ask(q{BEGIN; INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('north', 'live-never', 'hi'), ('south', 'live-never', 'hi'); ROLLBACK});
wait_until_ended($_) for values %node;
is(ask('SELECT node, count(*), count(*) FILTER (WHERE ended_at IS NOT NULL) FROM reengage.nudge_status GROUP BY node ORDER BY node'),
	"a|11|11\nb|11|11\nc|11|11", 'each nudge is at the node of its server, and ended');
is(scalar(my @effects = $simulator->effects), 33, 'each was sent once, and what was rolled back was not');
ledger_matches_lineage_of_all();

# The simulator's ledger has the effects of all nodes.
sub ledger_matches_lineage_of_all
{
	my %sent = map { $_ => 1 } split /\n/, ask(q{SELECT nudge_id FROM reengage.lineage WHERE outcome IN ('notified', 'session_created', 'session_continued')});

	return is_deeply([ sort keys %sent ], [ sort map { $_->{nudge_id} } $simulator->effects ], 'lineage of all nodes is what the API saw');
}

is(ask(q{SELECT node, campaign, asked, sent FROM reengage.campaign_status WHERE campaign = 'spring' ORDER BY node}),
	"a|spring|11|11\nb|spring|11|11\nc|spring|10|10", 'campaign_status has a row of each node');
is(ask(q{SELECT count(DISTINCT node) FROM reengage.metrics WHERE name IS NOT NULL}), 3, 'metrics');
is(ask(q{SELECT string_agg(DISTINCT node, '') FROM reengage.health}), 'abc', 'health');
is(ask(q{SELECT count(*) FROM reengage.threads WHERE node = 'a'}), 11, 'threads, of one node only');
like(ask(q{EXPLAIN (VERBOSE, COSTS OFF) SELECT state FROM reengage.nudge_status WHERE nudge_id = '} . $id . q{'}),
	qr/Remote SQL: SELECT node, state FROM reengage\.node_nudge_status WHERE \(\(nudge_id = /, 'a condition is looked up on the nodes');

# --- the functions of a node ----------------------------------------------------------------------

my $later = ask(q{SELECT reengage.nudge('live-40', 'hi', 'south', due_at => now() + interval '1 day')});
is(ask("SELECT reengage.cancel('$later')"), 'cancelled', 'cancel(), wherever the nudge is');
ask(q{SELECT reengage.suppress(address => '+13175550142', channel => 'sms')});
is(ask('SELECT node, channel FROM reengage.suppressions ORDER BY node'), "a|sms\nb|sms\nc|sms", 'an opt-out is at all nodes when the front has committed it');
ask(q{BEGIN; SELECT reengage.suppress(address => '+13175550143'); ROLLBACK});
is(ask('SELECT count(*) FROM reengage.suppressions'), 3, 'and at none if it rolls back');
is(ask(q{SELECT reengage.unsuppress(address => '+13175550142')}), 3, 'it is lifted at all of them');
ask(q{SELECT reengage.record_answer('live-31', server => 'north')});
is(ask('SELECT node, root_conversation_id FROM reengage.answers'), 'a|live-31', 'record_answer(), where the server is');
ask(q{SELECT reengage.pause('west', 'lunch')});
is(ask('SELECT node, server, reason FROM reengage.pauses'), 'c|west|lunch', 'pause()');
ask(q{SELECT reengage.resume('west')});
is(ask('SELECT count(*) FROM reengage.pauses'), 0, 'resume()');
is(ask(q{SELECT outcome FROM reengage.thread('live-33')}), 'notified', 'thread(), of whichever server');
like(ask(q{SELECT reengage.thread_diagram('live-33', server => 'west')}), qr/live-33/, 'thread_diagram()');
is(ask(q{SELECT state FROM reengage.preflight('north') WHERE check_name = 'options'}), 'ok', 'preflight()');
ask(q{SELECT reengage.nudge('live-4' || i, 'hi', 'north', campaign => 'autumn', due_at => now() + interval '1 day') FROM generate_series(1, 3) i});
is(ask(q{SELECT cancelled FROM reengage.cancel_campaign('autumn', 'north')}), 3, 'cancel_campaign()');
is(ask(q{SELECT nudges, lineage FROM reengage.forget(conversation_id => 'live-33', server => 'west')}), '1|1', 'forget()');

# --- what is wrong is said as at a node -------------------------------------------------------------

my $bad = q{INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('north', 'no id', 'hi');};
like(said($bad), qr/invalid conversation_id of a nudge: "no id"\nDETAIL:  It must have 1 to 128 characters/, 'an INSERT of a bad conversation_id, with its detail');
like(said(q{INSERT INTO reengage.nudges (server, conversation_id, message, address, channel) VALUES ('north', 'x', 'hi', '+13175550142', 'no channel!')}),
	qr/ERROR:  .*channel.*\nDETAIL:  /, 'an unknown channel');
like(said(qq{COPY reengage.nudges (server, conversation_id, message) FROM STDIN;\nsouth\tlive-50\thi\nsouth\tno id\thi\nnorth\tlive-51\thi\n\\.\n}),
	qr/invalid conversation_id of a nudge: "no id"\nDETAIL:/, 'COPY with one bad row');
is(ask(q{SELECT count(*) FROM reengage.nudge_status WHERE requested_conversation_id IN ('live-50', 'live-51')}), 0, 'of which nothing is kept');
like(said(q{INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('nowhere', 'x', 'hi')}),
	qr/server "nowhere" is at no node\nDETAIL:  The nodes have "north", "south", "west"\.\nHINT:  CREATE SERVER on one of them/, 'a server that no node has');
like(said(q{SELECT reengage.resolve('} . $later . q{', 'sent')}), qr/at no node that answers\nHINT:/, 'resolve() of nothing');
like(said(q{SELECT reengage.unsuppress()}), qr/either an address or a conversation_id must be given/, 'an argument that is missing');
like(said(q{SELECT reengage_front.call('a', 'arm', '{}')}), qr/function "arm" cannot be called.*\nHINT:  These can: /, 'a function that is no business of a front');
like(said(q{SELECT reengage_front.call('a', 'pause', '{"serwer": "north"}')}), qr/has no argument "serwer"\nHINT:  It has server, reason/, 'an argument that there is not');

# --- a new server is found ------------------------------------------------------------------------

$node{a}->safe_psql('postgres', q{CREATE SERVER east FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'http://127.0.0.1:1')});
ask('SELECT reengage_front.refresh()');
is(ask(q{SELECT reengage_front.route('east')}), 'a', 'a server that was made at a node is routed to it');
$node{a}->safe_psql('postgres', 'DROP SERVER east');
like(said('SELECT reengage_front.refresh()'), qr/node "a" does not have server "east", which is routed to it\n.*\nHINT:.*drop_route\('east'\)/, 'one that is gone is missed');
ask(q{SELECT reengage_front.drop_route('east'); SELECT reengage_front.refresh()});

# --- a node is down -------------------------------------------------------------------------------

$node{c}->stop('immediate');
my $status = 'SELECT node, count(*) FROM reengage.nudge_status GROUP BY node ORDER BY node;';
my $warning = qr/WARNING:  node "c" does not answer: its rows are missing\nDETAIL:  .*\n(?:.*\n)?HINT:  reengage\.health/;
is(ask($status), "a|14\nb|12", 'its rows are missing');
like(said($status), $warning, 'which a warning says');
my @warnings = said($status) =~ /does not answer/g;
is(scalar @warnings, 1, 'once');
is(ask(q{SELECT subject, severity, node FROM reengage.health WHERE state = 'unreachable'}), 'node c|error|c', 'health has a row for it');
is(ask(q{SET plan_cache_mode = force_generic_plan; PREPARE p AS SELECT node FROM reengage.nudge_status WHERE nudge_id = $1; EXECUTE p('} . $later . q{')}), 'b', 'also with a generic plan');
is(ask(q{SELECT count(*) FROM reengage.nudge_status WHERE node = 'c'}), 0, 'and where the query is about no other node');
is(ask(q{DO $$ BEGIN PERFORM FROM reengage.in_doubt; END $$; SELECT 1}), 1, 'and in a function');
like(said(q{INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('west', 'live-60', 'hi')}), qr/could not connect to server "c"/, 'what is for it fails');
is(said(q{INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('north', 'live-61', 'hi')}), '', 'what is for others does not');
like(said(q{SELECT reengage.suppress(address => '+13175550144')}), qr/node "c" does not answer/, 'an opt-out is taken by the others, and says who lacks it');
like(said('SELECT reengage_front.refresh()'), qr/WARNING:  node "c" cannot be reached\nDETAIL:  What is known of it stays/, 'refresh() leaves it as it was');
like(said(set_nodes(%node)), qr/ERROR:  node "c" cannot be reached\nDETAIL:  .*\n(?:.*\n)?HINT:  Does the database run/, 'set_nodes() does not');

# --- a node dies after its connection was cached, and comes back ------------------------------------

$node{c}->start;
my $session = $front->background_psql('postgres', on_error_stop => 0);
$session->query_safe(q{INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('west', 'live-70', 'hi')});
is($session->query_safe(q{SELECT count(*) FROM reengage.nudge_status WHERE node = 'c'}), 12, 'a session that has turned to it');
$node{c}->stop('immediate');
is($session->query($status), "a|15\nb|12", 'goes on without it');
$node{c}->start;
is($session->query($status), "a|15\nb|12\nc|12", 'and with it, when it is back');
$session->query(q{INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('west', 'live-71', 'hi')});
unlike($session->{stderr}, qr{ERROR}, 'it inserts by a new connection');
is($session->query($status), "a|15\nb|12\nc|13", "which has arrived");
$session->quit;

# --- a node that hangs ----------------------------------------------------------------------------

my $postmaster = $node{c}{_pid};
kill 'STOP', $postmaster;
if ($front->pg_version < 16)
{
	my $lasted = lasts(sub { is(ask($status), "a|15\nb|12", 'a node whose postmaster hangs is given up') });
	kill 'CONT', $postmaster;
	promise($lasted, 4, 'within its connect_timeout, which is 3 s');
}
else
{
	my $lasted = lasts(sub {
		like(said("SET statement_timeout = '3s'; $status"), qr/ERROR:  canceled while node "c" did not answer\n.*statement timeout\nHINT:  If it hangs, end it/, 'a node whose postmaster hangs is named');
	});
	kill 'CONT', $postmaster;
	promise($lasted, 4, 'within the statement_timeout');
	is(ask($status), "a|15\nb|12\nc|13", 'and is there again when it goes on');
}

ledger_matches_lineage_of_all() if wait_until_ended($node{a}) && wait_until_ended($node{c});

# --- what takes the place of others ----------------------------------------------------------------

ask(q{SELECT reengage.nudge('live-later', n::text, 'north', due_at => now() + interval '1 day', supersedes => true, detail => '{"n": [1.10, "é"]}') FROM generate_series(1, 3) n});
is(ask(q{SELECT state, reason, count(*) FROM reengage.nudge_status WHERE requested_conversation_id = 'live-later' AND state <> 'due' GROUP BY state, reason}),
	'cancelled|superseded|2', 'what takes the place of others does so by nudge()');
is($node{a}->safe_psql('postgres', q{SELECT message, detail, supersedes FROM reengage.nudges n JOIN reengage.due d USING (nudge_id) WHERE conversation_id = 'live-later'}),
	'3|{"n": [1.10, "é"]}|t', 'and is at its node as it was asked for');
like(said(q{INSERT INTO reengage.nudges (server, conversation_id, message, supersedes) VALUES ('north', 'live-later', '4', true)}),
	qr/cannot supersede others.*HINT: .*reengage\.nudge\(\.\.\., supersedes => true\)/s, 'an INSERT that cannot says how');

$_->stop for $front, values %node;
done_testing();
