# A fleet of two versions of PostgreSQL: a node here, a node there, each of which hears
# the other; a front and a collecting subscriber on either; and a server that moves from
# one to the other and back.  OTHER is how the other one is reached.

use strict;
use warnings FATAL => 'all';

use Moves qw(digest move_server state_at sql);
use News qw(join_nodes hear_each_other heard_all agree);
use Reengage qw(start_simulator new_node nudge outcome wait_until_ended poll_until ledger_matches_lineage psql_stderr);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# A server that somebody else has started: what the tests ask of a node.  With a database,
# it is what they mean by "postgres".
package Elsewhere;

sub new { my ($class, $name, $connection, $database) = @_; return bless { name => $name, connection => $connection, postgres => $database // 'postgres' }, $class; }
sub name { my ($self) = @_; return $self->{name}; }
sub connstr { my ($self, $database) = @_; return "$self->{connection} dbname=" . (($database // 'postgres') eq 'postgres' ? $self->{postgres} : $database); }

sub psql
{
	my ($self, $database, $sql, %options) = @_;
	my ($out, $err) = ('', '');

	IPC::Run::run([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $self->connstr($database), '-f', '-' ], '<', \$sql, '>', \$out, '2>', \$err);
	my $status = $? >> 8;
	chomp($out, $err);
	${ $options{stdout} } = $out if $options{stdout};
	${ $options{stderr} } = $err if $options{stderr};
	return $status;
}

sub safe_psql
{
	my ($self, $database, $sql) = @_;

	die "error: $$self{name}: $sql: " . ($self->{said} // '') if $self->psql($database, $sql, stdout => \my $out, stderr => \$self->{said}) != 0;
	return $out;
}

package main;

my %simulator = map { $_ => start_simulator('--default-status', 'hash') } qw(genesys asia);
my $conf = "listen_addresses = '127.0.0.1'\nwal_retrieve_retry_interval = '100ms'\nautovacuum = off\nmax_worker_processes = 30\nmax_logical_replication_workers = 16\nmax_replication_slots = 20\nmax_wal_senders = 20\n";
my $local = new_node('here', preload => 1, init => { allows_streaming => 'logical' }, conf => $conf, servers => [qw(genesys asia)]);
my $user = $local->safe_psql('postgres', 'SELECT current_user');
my %node = (
	here => Elsewhere->new('here', 'host=127.0.0.1 port=' . $local->port . " user=$user"),
	there => Elsewhere->new('there', $ENV{OTHER}));
my %other = (here => 'there', there => 'here');
my %server = (here => 'genesys', there => 'asia');
my %version = map { $_ => $node{$_}->safe_psql('postgres', 'SHOW server_version_num') } keys %node;
note "here $version{here}, there $version{there}";
isnt(substr($version{here}, 0, 2), substr($version{there}, 0, 2), 'two versions of PostgreSQL');

sub both { my ($statement) = @_; return join ',', map { sql($node{$_}, $statement) } qw(here there); }

for my $name (qw(here there))
{
	sql($node{$name}, 'CREATE EXTENSION reengage');
	sql($node{$name}, "CREATE SERVER $server{$name} FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator{$server{$name}}{url}', max_requests_per_minute '0', max_failures '0')");
	sql($node{$name}, $_) for 'SELECT reengage.arm()', q{SELECT reengage.publish('reengage_bi')};
}

# ---- each hears the other ---------------------------------------------------------------------------------

sql($node{here}, q{SELECT reengage.suppress('+13175550101', reason => 'before')});
join_nodes(@node{qw(here there)});
ok(hear_each_other(@node{qw(here there)}), 'each hears what stood before at the other');
is(sql($node{there}, q{SELECT count(*) FROM reengage.suppressions s WHERE s.address_hash = reengage_internal.address_hash('+13175550101')}), 1,
	'and takes its key of the hashes, so that these mean the same customer');
for my $of (qw(here there))
{
	my ($said, $heard, $server) = ($node{$of}, $node{ $other{$of} }, $server{ $other{$of} });
	my %at = (server => "'$server'");
	my ($stop, $answer, $clara) = map { "+13175552${_}" . ($of eq 'here' ? '1' : '2') } qw(10 20 30);

	$simulator{$server}->control('POST', 'conversations',
		[ map { { id => $$_[0], status => 'active', address => $$_[1] } } [ 'live-stop', $stop ], [ 'live-again', $stop ], [ 'live-answer', $answer ] ]);
	sql($said, qq{SELECT reengage.suppress('$stop', reason => 'hörte „STOP“', until => now() + interval '1 year')});
	ok(heard_all(@node{qw(here there)}), "an opt-out at $version{$of} is heard at $version{ $other{$of} }");
	nudge($heard, 'live-stop', %at);
	wait_until_ended($heard);
	is(outcome($heard, 'live-stop'), 'suppressed opted_out -', 'and holds there');
	is(sql($heard, q{SELECT count(*) FROM reengage.suppressions WHERE reason = 'hörte „STOP“' AND created_by ~ 'at node'}), 1, 'with its words');
	sql($heard, qq{SELECT reengage.unsuppress('$stop')});
	ok(heard_all(@node{qw(here there)}), 'taken back there');
	is(both(q{SELECT count(*) FROM reengage.suppressions WHERE reason = 'hörte „STOP“'}), '0,0', 'it stands nowhere');
	sql($said, qq{SELECT reengage.record_answer(address => '$answer')});
	nudge($heard, 'live-clara', %at, message => q('Dear Clara'), address => "'$clara'", channel => q('sms'), due_at => q(now() + interval '1 day'));
	ok(heard_all(@node{qw(here there)}), 'an answer, too');
	nudge($heard, 'live-again', %at);
	nudge($heard, 'live-answer', %at, answered_since => q(now() - interval '1 hour'));
	wait_until_ended($heard, where => q{n.conversation_id IN ('live-again', 'live-answer')});
	is(outcome($heard, 'live-again') . ', ' . outcome($heard, 'live-answer'), 'notified - notify, answered recorded -', 'who is opted out no more is written to, who has answered is not');
	sql($said, qq{SELECT * FROM reengage.forget('$clara', channel => 'sms')});
	ok(heard_all(@node{qw(here there)}), 'an erasure');
	is(outcome($heard, 'live-clara') . sql($heard, qq{SELECT count(*) FROM reengage.nudges WHERE message ~ 'Clara' OR address = '$clara'}), 'cancelled customer_cancelled -0', 'is one at the other as well');
	agree('both agree', @node{qw(here there)});
}
is(both('SELECT count(*) FROM reengage.news_waiting'), '0,0', 'nothing waits');
my %stood = map { $_ => sql($node{$_}, 'SELECT count(*) FROM reengage.nudges') } keys %node;

# ---- a front on either ----------------------------------------------------------------------------------

my %front = map { $_ => Elsewhere->new($_, $node{$_}{connection}, 'front') } keys %node;
my %asked;
for my $name (qw(here there))
{
	my $nodes = join ', ', map { "'$_', '" . $node{$_}->connstr . "'" } qw(here there);

	$node{$name}->safe_psql('postgres', 'CREATE DATABASE front');
	$node{$name}->safe_psql('front', $_) for 'CREATE EXTENSION reengage_front CASCADE', "SELECT reengage_front.set_nodes(jsonb_build_object($nodes))";
	is($node{$name}->safe_psql('front', q{SELECT string_agg(server || ' at ' || node, ', ' ORDER BY server) FROM reengage_front.routes}),
		'asia at there, genesys at here', "a front on $version{$name}: it knows both");
	for my $server (qw(genesys asia))
	{
		$node{$name}->safe_psql('front', qq{INSERT INTO reengage.nudges (server, conversation_id, message)
			SELECT '$server', k || '-$name-$server-' || n, 'x' FROM generate_series(1, 10) n, unnest('{live,closed}'::text[]) k});
	}
	$node{$name}->safe_psql('front', join "\n", 'COPY reengage.nudges (server, conversation_id, message) FROM stdin;',
		(map { ("genesys\tlive-copied-$name-$_\tx", "asia\tlive-copied-$name-$_\tx") } 1 .. 5), '\.', '');
	wait_until_ended($node{$_}) for qw(here there);
	$asked{$name} = $node{$name}->safe_psql('front', q{SELECT string_agg(node || ' ' || n, ', ' ORDER BY node) FROM (SELECT node, count(*) AS n FROM reengage.nudge_status GROUP BY node) s});
	is($node{$name}->safe_psql('front', q{SELECT count(*) FROM reengage.health WHERE severity = 'problem'}), 0, 'which are well');
}
sub counts { my ($more) = @_; return join ', ', map { "$_ " . ($stood{$_} + $more) } qw(here there); }
is_deeply(\%asked, { here => counts(25), there => counts(50) }, 'both fronts show what both nodes have');
for my $name (qw(here there))
{
	ledger_matches_lineage($node{$name}, $simulator{ $server{$name} }, "node $name sent what it was asked for, once");
}

# what the front's script makes is there
for my $name (qw(here there))
{
	my $connections = join ', ', map { "'$_', '" . $node{$_}->connstr . "'" } qw(here there);
	my $script = sql($front{$name}, "SELECT reengage_front.wiring(jsonb_build_object($connections))");
	my $said = '';

	IPC::Run::run([ 'psql', '-Xq', '-d', $front{$name}->connstr ], '<', \$script, '>&', \$said);
	is($said, '', 'and the script that has nodes hear each other has nothing to do');
}

# ---- one subscriber of both, on either ---------------------------------------------------------------------------

for my $name (qw(here there))
{
	my $ddl = $node{ $other{$name} }->safe_psql('postgres', 'SELECT reengage.subscriber_ddl(several_nodes => true)');

	$node{$name}->safe_psql('postgres', 'CREATE DATABASE collector');
	$node{$name}->safe_psql('collector', $ddl);
	for my $of (qw(here there))
	{
		# of one's own cluster, making the slot would wait for the statement that makes it
		$node{$of}->safe_psql('postgres', "SELECT pg_create_logical_replication_slot('${name}_collects_$of', 'pgoutput')");
		$node{$name}->safe_psql('collector', "CREATE SUBSCRIPTION $of CONNECTION '" . $node{$of}->connstr . "' PUBLICATION reengage_bi WITH (create_slot = false, slot_name = '${name}_collects_$of')");
	}
	ok(poll_until($node{$name}, 'collector', q{SELECT count(*) = 4 AND bool_and(srsubstate = 'r') FROM pg_subscription_rel}), "a subscriber on $version{$name} copies both");
}

# What a node has recorded, and not what has moved to it.
my $rows = q{SELECT count(*) || ' ' || md5(string_agg((to_jsonb(l) - 'node' - 'xact_id')::text, '|' ORDER BY lineage_id)) FROM reengage.lineage l WHERE l.xact_id > 0};
sub all_is_collected
{
	$node{$_}->safe_psql('postgres', 'CALL reengage.close_part()') for qw(here there);
	for my $name (qw(here there))
	{
		for my $of (qw(here there))
		{
			my $there = $node{$of}->safe_psql('postgres', $rows);

			ok(poll_until($node{$name}, 'collector', "$rows AND node = '$of'", $there), "on $version{$name}: all rows of $version{$of}, and as they are");
			ok(poll_until($node{$name}, 'collector', qq{SELECT string_agg(DISTINCT state, ', ') IN ('equal', 'equal so far', 'equal, equal so far') FROM reengage.reconciliation WHERE node = '$of'}), 'which is proved');
		}
	}
	return;
}

for my $of (qw(here there))
{
	$node{$of}->safe_psql('postgres', "INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('$server{$of}', 'live-late', 'x')");
	wait_until_ended($node{$of});
}
all_is_collected();

# ---- a server moves to the other version and back, each time undone first ------------------------------------

# All that a node has of the server, but for what both knew before by news, which agree() compares.
sub known { my ($name) = @_; return join "\n", grep { !/^(suppressions|answers) / } split /\n/, digest($node{$name}, 'genesys'); }

# Takes steps until this one is next.
sub move_until
{
	my ($at, $server, $to, $step) = @_;

	return sql($at, qq{
		CREATE OR REPLACE PROCEDURE public.move_until() LANGUAGE plpgsql AS \$\$
		DECLARE
			step text := reengage_front.move_begin('$server', '$to');
		BEGIN
			COMMIT;
			WHILE step <> '$step' LOOP
				step := reengage_front.move_take_step('$server');
				COMMIT;
			END LOOP;
		END \$\$;
		CALL public.move_until()});
}

sql($node{here}, q{
	COMMENT ON SERVER genesys IS 'of the north; it''s "quoted"';
	INSERT INTO reengage.policies (server, cap, cap_interval, created_at) VALUES ('genesys', 100, '30 days', now());
	SELECT reengage.pause('genesys', 'looked at');
	INSERT INTO reengage.nudges (server, conversation_id, message, campaign, due_at, expires_at, address, channel, priority, detail)
	SELECT 'genesys', 'live-' || 1000 + i, E'Zeile 1\nß "é" \\\\ \t', 'two', now(), 'infinity', '+1317556' || 1000 + i, 'sms', i % 10,
		jsonb_build_object('n', 1.10, 'text', E'ü\u2028', 'deep', jsonb_build_array(i, NULL, true)) FROM generate_series(1, 40) i;
	INSERT INTO reengage.nudges (server, conversation_id, message, due_at, time_zone)
	SELECT 'genesys', 'live-' || 2000 + i, 'next year', now() + interval '1 year', 'Europe/Berlin' FROM generate_series(1, 20) i;
	SELECT reengage.suppress(conversation_id => 'live-2001', server => 'genesys');
	SELECT reengage.suppress(conversation_id => 'live-1001', server => 'genesys', until => now() + interval '1 day');
	SELECT reengage.record_answer(conversation_id => 'live-2002', server => 'genesys')});
ok(heard_all(@node{qw(here there)}), 'what is said of threads is known at both');
my $recorded = sql($node{here}, q{SELECT count(*) FROM reengage.lineage WHERE server = 'genesys'});
for my $to (qw(there here))
{
	# the front is of the version that it leaves
	my $from = $other{$to};
	my ($before, $nothing) = (known($from), known($to));

	move_until($front{$from}, 'genesys', $to, 'depart');
	isnt(known($to), $nothing, "from $version{$from} to $version{$to}: it is copied");
	sql($front{$from}, q{CALL reengage.undo_move('genesys')});
	is(known($from) . "\n" . known($to), "$before\n$nothing", 'and undone: both are as they were');
	is(move_server($front{$from}, 'genesys', $to), '', 'it moves');
	is(known($to), $before, 'with all that is known of it, byte for byte');
	agree('what was said of its threads holds at both', @node{qw(here there)});
	is(both('SELECT reengage.recount()'), '0,0', 'both count right');
	like(psql_stderr($front{$to}, q{INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('genesys', 'live-nowhere', 'x')}),
		qr/server "genesys" was moved to node "$to"/, 'who asks by another front is told so');
	sql($front{$to}, $_) for q{SELECT reengage_front.drop_route('genesys')}, 'SELECT reengage_front.refresh()';
	sql($_, qq{INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('genesys', 'closed-moved-$to-' || gen_random_uuid(), 'x')}) for @front{qw(here there)};
	sql($node{$to}, q{SELECT reengage.resume('genesys')}) if $to eq 'there';
	wait_until_ended($node{$to}, where => q{n.due_at < now() + interval '1 hour'});
	is(sql($node{$from}, q{SELECT count(*) FROM reengage.lineage WHERE server = 'genesys' AND xact_id > 0}), $from eq 'here' ? $recorded : 42, 'lineage stays where it was recorded');
}
is(sql($node{here}, q{SELECT string_agg(outcome || ' ' || n, ', ' ORDER BY outcome) FROM (
		SELECT l.outcome, count(*) AS n FROM reengage.lineage l JOIN reengage.nudges n USING (nudge_id) WHERE n.campaign = 'two' GROUP BY 1) o}),
	'notified 39, suppressed 1', 'what was due was sent for');
ledger_matches_lineage($node{here}, $simulator{genesys}, 'once, wherever', where => q{l.server = 'genesys'});
all_is_collected();

# ---- the end -------------------------------------------------------------------------------------------------

for my $name (qw(here there))
{
	$node{$name}->safe_psql('collector', q{DELETE FROM reengage.lineage WHERE requested_conversation_id = 'live-late' AND node = 'there'});
	is($node{$name}->safe_psql('collector', q{SELECT string_agg(DISTINCT node || ' ' || column_name || ' ' || left(finding, 24), '; ') FROM reengage.reconciliation_rows}),
		'there lineage_id a row is missing here: r', 'and one that is missing is named with its node');
}
for my $name (qw(here there))
{
	$node{$name}->safe_psql('collector', "DROP SUBSCRIPTION $_") for qw(here there);
}
$local->stop;
done_testing();
