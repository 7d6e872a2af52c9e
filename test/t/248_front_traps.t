# A front that is led astray, clocks that differ, and a node that dies at the commit of a
# transaction over two: what is asked for is refused or known, and never taken in silently.

use strict;
use warnings FATAL => 'all';

use Clock qw(clock_is_missing prepare_clock start_with_clock set_clock);
use Fleet qw(connection new_fleet_node new_front set_nodes);
use Reengage qw(start_simulator new_node wait_until_ended psql_stderr);
use PostgreSQL::Test::Cluster;
use Test::More;

my $clock_is_missing = clock_is_missing();
prepare_clock() unless $clock_is_missing;
my $simulator = start_simulator();
my $a = new_fleet_node('a', $simulator, ['north'], init => { allows_streaming => 1 });
my $b = new_fleet_node('b', $simulator, ['south']);
my $front = new_front('front');

sub ask { my ($sql) = @_; return $front->safe_psql('postgres', $sql); }
sub said { my ($sql) = @_; return psql_stderr($front, "\\set SHOW_CONTEXT never\n$sql"); }

# --- what a connection leads to is looked at where it arrives --------------------------------------

ask(set_nodes(a => $a, b => connection($b) . q{ options='-c work_mem=5MB'}));
ask(q{INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('north', 'live-1', 'hi'), ('south', 'live-2', 'hi')});
ask(q{SELECT reengage.nudge('live-3', 'hi', 'south', supersedes => true)});
is($a->safe_psql('postgres', 'SELECT count(*) FROM reengage.nudges') . $b->safe_psql('postgres', 'SELECT count(*) FROM reengage.nudges'), '12', 'a nudge is taken in by the node that is meant');
is(ask(q{SELECT option_value FROM pg_foreign_server CROSS JOIN LATERAL pg_options_to_table(srvoptions) WHERE srvname = 'b' AND option_name = 'options'}) =~ s/\d{5,}\S*/.../r,
	'-c work_mem=5MB -c reengage.meant_node=b/...', 'beside options that its string has');

# Leads what is for a node to elsewhere, as somebody would by hand, or by changing a name in DNS.
sub lead
{
	my ($name, $to, $database) = @_;

	ask(sprintf q{ALTER SERVER %s OPTIONS (SET host '%s', SET port '%s', SET dbname '%s'); }
		  . q{ALTER SERVER "status of %1$s" OPTIONS (SET host '%2$s', SET port '%3$s', SET dbname '%4$s'); }
		  . q{UPDATE reengage_front.nodes SET connection = '%5$s' WHERE node = '%1$s'}, $name, $to->host, $to->port, $database // 'postgres', connection($to, $database));
	return;
}

# Nothing is taken in, in whichever way it comes, and each says why.
sub refused
{
	my ($what, $to, $database, $why) = @_;
	my $counts = q{SELECT (SELECT count(*) FROM reengage.nudges), (SELECT count(*) FROM reengage.suppressions)};
	my $before = $to->safe_psql($database, $counts);

	like(said(q{INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('north', 'live-4', 'hi')}),
		qr/ERROR:  this is not the node "a" that the front means\nDETAIL:  $why.*\nHINT:  See where the connection string/, "$what: INSERT");
	like(said(qq{COPY reengage.nudges (server, conversation_id, message) FROM STDIN;\nnorth\tlive-4\thi\n\\.\n}), qr/ERROR:  this is not the node "a"/, "$what: COPY");
	like(said(q{SELECT reengage.nudge('live-4', 'hi', 'north', supersedes => true)}), qr/ERROR:  this is not the node "a"/, "$what: nudge() in a transaction of its own");
	like(said(q{SELECT reengage.suppress(conversation_id => 'live-1', server => 'north')}), qr/ERROR:  this is not the node "a"/, "$what: suppress()");
	like(said(q{SELECT reengage.pause('north')}), qr/ERROR:  this is not the node "a"/, "$what: pause()");
	like(said(q{SELECT count(*) FROM reengage.nudge_status WHERE node = 'a'}), qr/WARNING:  node "a" does not answer: its rows are missing\nDETAIL:  $why/, "$what: a look");
	is($to->safe_psql($database, $counts), $before, "$what: nothing was taken in");
	return;
}

$b->safe_psql('postgres', qq{CREATE SERVER north FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}')});
lead(a => $b);
refused('another node', $b, 'postgres', qr/This is node "b"\./);
$b->safe_psql('postgres', 'DROP SERVER north');

$a->safe_psql('postgres', 'CREATE DATABASE restored');
$a->safe_psql('restored', qq{CREATE EXTENSION reengage; CREATE SERVER north FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}')});
lead(a => $a, 'restored');
refused('a database in no fleet', $a, 'restored', qr/This database is in no fleet\./);
$a->safe_psql('restored', q{SELECT reengage.join_fleet('a')});
refused('one that was restored', $a, 'restored', qr/Cluster and database are \S+ here, and \S+ there: this is a copy/);

$a->backup('copied');
my $copy = PostgreSQL::Test::Cluster->new('copy');
$copy->init_from_backup($a, 'copied');
$copy->start;
lead(a => $copy);
refused('a copy of the cluster', $copy, 'postgres', qr/It was armed at another site: this is a copy/);
$copy->stop;

# the operator's word: this is the node now
$a->safe_psql('restored', q{INSERT INTO reengage.address_key (key) VALUES (sha256('of all nodes')); SELECT reengage.arm()});
lead(a => $a, 'restored');
ask('SELECT reengage_front.refresh()');
is(said(q{INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('north', 'live-5', 'hi'); SELECT reengage.pause('north'), reengage.resume('north')}), '', 'after refresh() it is the node');
is(ask(q{SELECT requested_conversation_id FROM reengage.nudge_status WHERE node = 'a'}), 'live-5', 'and is seen');
lead(a => $a);
like(said(q{INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('north', 'live-6', 'hi')}), qr/this is not the node "a"/, 'and what was it is no more');
ask('SELECT reengage_front.refresh()');
ask(q{INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('north', 'live-6', 'hi')});
is($a->safe_psql('postgres', q{SET reengage.meant_node = 'b'; RESET reengage.meant_node; INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('north', 'live-7', 'hi') RETURNING conversation_id}),
	'live-7', 'who asks a node itself means none');

# --- encodings ------------------------------------------------------------------------------------

$front->safe_psql('postgres', q{CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0});
like(psql_stderr($front, "\\c latin\nCREATE EXTENSION reengage_front CASCADE"), qr/ERROR:  this database has the encoding LATIN1\nDETAIL:.*\nHINT:  CREATE DATABASE \.\.\. ENCODING 'UTF8'/, 'a front has UTF8');
$b->safe_psql('postgres', q{CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0});
$b->safe_psql('latin', qq{CREATE EXTENSION reengage; INSERT INTO reengage.address_key (key) VALUES (sha256('of all nodes'));
	CREATE SERVER west FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}'); SELECT reengage.arm(); SELECT reengage.join_fleet('l')});
ask(set_nodes(a => $a, b => $b, l => connection($b, 'latin')));
ask(q{INSERT INTO reengage.nudges (server, conversation_id, message, campaign, due_at) VALUES ('west', 'live-8', 'hi', 'été', now() + interval '1 day')});
is(ask(q{SELECT campaign FROM reengage.nudge_status WHERE node = 'l'}), 'été', 'a node may have another');
like(said(q{INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('west', 'live-9', '→')}), qr/ERROR:  character .* has no equivalent in encoding "LATIN1"/, 'and says what it lacks');

# --- a server that is made while others insert, and a partition that is gone -----------------------

my $inserting = $front->background_psql('postgres');
$inserting->query_safe(q{BEGIN; INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('south', 'live-10', 'hi')});
$b->safe_psql('postgres', qq{CREATE SERVER east FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}')});
is(said(q{SET lock_timeout = '1ms'; SELECT reengage_front.refresh(); INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('east', 'live-11', 'hi')}), '',
	'refresh() waits for nobody who inserts');
$inserting->query_safe('COMMIT');
$inserting->quit;
my $unchanged = q{SELECT string_agg(concat_ws(' ', server, xmin, node), ',' ORDER BY server) FROM reengage_front.routes};
my $before = ask($unchanged);
ask('DROP FOREIGN TABLE reengage_front.nudges_of_east_at_b');
like(said(q{INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('east', 'live-12', 'hi')}), qr/no partition of relation/, 'a partition that is gone is missed');
ask('SELECT reengage_front.refresh()');
ask(q{INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('east', 'live-12', 'hi')});
is(ask($unchanged) =~ s/east \d+/east/r, $before =~ s/east \d+/east/r, 'refresh() makes what is missing, and touches nothing else');

# --- a node that dies at the commit of a transaction over two ------------------------------------------

# PostgreSQL commits at one after the other.  Returns how many of the two nudges there are.
sub commit_without
{
	my ($victim, @ids) = @_;
	my $session = $front->background_psql('postgres', on_error_stop => 0);

	$session->query(qq{BEGIN; INSERT INTO reengage.nudges (nudge_id, server, conversation_id, message) VALUES ('$ids[0]', 'north', 'live-20', 'hi'), ('$ids[1]', 'south', 'live-21', 'hi')});
	$victim->stop('immediate');
	$session->query('COMMIT');
	like($session->{stderr}, qr/ERROR:/, 'whoever asked is told of an error');
	$session->quit;
	$victim->start;
	return ask("SELECT count(*) FROM reengage.nudge_status WHERE nudge_id IN ('$ids[0]', '$ids[1]')");
}

my @ids = map { [ map { ask('SELECT reengage.uuid_v7()') } 1 .. 2 ] } 1 .. 2;
is(join(' ', sort(commit_without($a, @{ $ids[0] }), commit_without($b, @{ $ids[1] }))), '0 1',
	'where the first one dies nothing was asked for, where the second one does what was for the first stays');
ask("INSERT INTO reengage.nudges (nudge_id, server, conversation_id, message) VALUES ('$_->[0]', 'north', 'live-20', 'hi'), ('$_->[1]', 'south', 'live-21', 'hi') ON CONFLICT DO NOTHING") for @ids;
wait_until_ended($_, where => q{n.conversation_id IN ('live-20', 'live-21')}) for $a, $b;
is(join(' ', sort map { $_->{nudge_id} } grep { $_->{conversation_id} =~ /^live-2[01]$/ } $simulator->effects), join(' ', sort map { @$_ } @ids), 'asked again by the same ids, each is sent once');
like(said(q{BEGIN; INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('north', 'live-22', 'hi'); PREPARE TRANSACTION 'two'}),
	qr/ERROR:  cannot PREPARE a transaction that has operated on postgres_fdw foreign tables/, 'a prepared transaction there is none');

# --- a front whose clock is wrong -----------------------------------------------------------------

SKIP:
{
	skip $clock_is_missing, 10 if $clock_is_missing;
	$front->stop;
	start_with_clock($front);
	for my $seconds (3600, -3600)
	{
		set_clock($seconds);
		my $name = 'live-clock' . $seconds;
		my $id = ask(qq{INSERT INTO reengage.nudges (server, conversation_id, message) VALUES ('north', '$name', 'hi') RETURNING nudge_id});
		ask(qq{SELECT reengage.nudge('$name-1', 'hi', 'north'), reengage.nudge('$name-2', 'hi', 'north', supersedes => true)});
		ask(qq{COPY reengage.nudges (server, conversation_id, message) FROM STDIN;\nnorth\t$name-3\thi\n\\.\n});
		is($a->safe_psql('postgres', "SELECT count(*) FROM reengage.nudges WHERE conversation_id LIKE '$name%' AND due_at = requested_at AND due_at <= now()"), 4,
			"$seconds s off: what is due now is, by the clock of the node");
		wait_until_ended($a, where => "n.conversation_id LIKE '$name%'");
		is($a->safe_psql('postgres', "SELECT count(*) FROM reengage.lineage WHERE nudge_id = '$id' AND outcome = 'notified'"), 1, "$seconds s off: and sent, whatever time its id tells");
		ask(qq{INSERT INTO reengage.nudges (nudge_id, server, conversation_id, message) VALUES ('$id', 'north', '$name', 'hi') ON CONFLICT DO NOTHING});
		is($a->safe_psql('postgres', "SELECT count(*) FROM reengage.nudges WHERE conversation_id = '$name'"), 1, "$seconds s off: once");
		ask("SELECT reengage.record_answer('$name', server => 'north')");
		is($a->safe_psql('postgres', "SELECT answered_at BETWEEN now() - interval '10 minutes' AND now() FROM reengage.answers WHERE root_conversation_id = '$name'"), 't', "$seconds s off: an answer has the time of the node");
		like(said('SELECT reengage_front.refresh()'), qr/WARNING:  the clock of node "a" and that of this front differ: by -?0[01]:/, "$seconds s off: refresh() says so");
	}
	set_clock(0);
}
like(psql_stderr($_, q{INSERT INTO reengage.nudges (server, conversation_id, message, due_at) VALUES ('north', 'live-1', 'hi', NULL)}), qr/due_at of a nudge must not be null/, 'a time that came out as null is not now: ' . $_->name)
  for $a, $front;
like(psql_stderr($a, q{INSERT INTO reengage.nudges (server, conversation_id, message, due_at) VALUES ('north', 'live-1', 'hi', '-infinity')}), qr/invalid due_at of a nudge: "-infinity"/, 'who asks a node itself says when');

$_->stop for $front, $a, $b;
done_testing();
