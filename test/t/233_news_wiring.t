# Nodes hear each other by what the front's script makes, as a role that may read news and
# nothing else: whatever their encodings, after one was restored, when another joins or
# leaves, and where one has another key.
use strict;
use warnings FATAL => 'all';

use Fleet qw(connection new_fleet_node new_front set_nodes);
use IPC::Run ();
use News qw(call name_of hear heard_all agree said);
use Reengage qw(start_simulator new_node create_extension health poll_until psql_stderr log_size log_lines);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my @conf = (conf => "wal_retrieve_retry_interval = 100ms\nmax_logical_replication_workers = 12\nmax_worker_processes = 24");
my %logical = (allows_streaming => 'logical');
my $north = new_fleet_node('north', $simulator, ['boreal'], init => {%logical}, @conf);
my $south = new_fleet_node('south', $simulator, ['austral'], init => { %logical, extra => [ '--locale=C', '--encoding=LATIN1' ] }, @conf);
my $front = new_front('front');
my $listener = 'CREATE ROLE listener LOGIN REPLICATION IN ROLE reengage_news';

sub sql { my ($node, $statement) = @_; return $node->safe_psql('postgres', $statement); }
sub standing { my ($node) = @_; return sql($node, q{SELECT string_agg(right(label, 2), ' ' ORDER BY right(label, 2)) FROM reengage.suppressions}); }

# What psql says when it runs the front's script, as a superuser of all nodes.
sub wire
{
	my (%nodes) = @_;
	my $connections = '{' . join(', ', map { sprintf '"%s": "%s user=listener"', $_, connection($nodes{$_}) } sort keys %nodes) . '}';
	my $script = $front->safe_psql('postgres', "SELECT reengage_front.wiring('" . $connections =~ s/'/''/gr . "')");
	my ($out, $err) = ('', '');

	IPC::Run::run([ 'psql', '-Xq', '-d', $front->connstr('postgres') ], '<', \$script, '>', \$out, '2>', \$err) or diag("psql: $err\n$script");
	return $out . $err;
}

# --- the script ----------------------------------------------------------------------------------

sql($_, $listener) for $north, $south;
sql($front, set_nodes(north => $north, south => $south));
sql($north, q{SELECT reengage.suppress('+13175550101')});
wire(north => $north, south => $south);
ok(heard_all($north, $south), 'the script has all nodes hear each other');
is(standing($south), '01', 'of what stood before');
my $slots = q{SELECT string_agg(slot_name, ' ' ORDER BY slot_name) FROM pg_replication_slots};
my $before = sql($north, $slots);
is(wire(north => $north, south => $south), '', 'again, it has nothing to do');
is(sql($north, $slots), $before, 'and makes nothing');
like(psql_stderr($north, "SELECT $_"), qr/ERROR:  invalid name of another node: "null"/, "no slot for nobody: $_") for 'reengage.make_news_slot(NULL)', 'reengage.drop_news_slot(NULL)', q{reengage.news_ddl(NULL, '', '')}, 'reengage.repeat_news(NULL)';
is(sql($north, $slots), $before, 'so there is none');
like(psql_stderr($front, q{SELECT reengage_front.wiring('{"east": "host=nowhere"}')}), qr/ERROR:  there is no node "east"/, 'of a node that there is not');

# --- who may what --------------------------------------------------------------------------------

is(sql($north, q{SET ROLE listener; SELECT count(*) > 0 FROM reengage.news}), 't', 'the role of the subscriptions reads news');
like(psql_stderr($north, "SET ROLE listener; $_"), qr/ERROR:  permission denied/, "and may not: $_")
  for 'TABLE reengage.suppressions', 'TABLE reengage.nudges', 'TABLE reengage.address_key', q{SELECT reengage.suppress('+13175550101')}, 'SELECT reengage.heed_news()',
  q{INSERT INTO reengage.news (node, kind) VALUES ('north', 'key')}, 'DELETE FROM reengage.news';
sql($north, 'CREATE ROLE an_operator IN ROLE reengage_operator');
like(psql_stderr($north, 'SET ROLE an_operator; TABLE reengage.news'), qr/ERROR:  permission denied/, 'an operator does not see the key');
is(sql($north, q{SET ROLE an_operator; SELECT node || ' ' || state || ' ' || is_heard_there || ' ' || waiting FROM reengage.news_state}), 'south ok true 0', 'but whether all is well');
is(sql($north, q{SELECT string_agg(check_name || ' ' || state, ', ') FROM reengage.replication_check() WHERE check_name LIKE 'publication %'}), '', 'replication_check() has nothing against it');
sql($north, 'CREATE PUBLICATION too_much FOR TABLE reengage.news');
like(sql($north, q{SELECT string_agg(check_name || ' ' || state || ' ' || detail, ', ') FROM reengage.replication_check() WHERE check_name LIKE 'publication %'}),
	qr/^publication too_much failed carries reengage.news/, 'but against another publication of it');
sql($north, q{DROP PUBLICATION too_much; ALTER PUBLICATION reengage_news ADD TABLE reengage.suppressions});
like(sql($north, q{SELECT string_agg(check_name || ' ' || state || ' ' || detail, ', ') FROM reengage.replication_check() WHERE check_name LIKE 'publication %'}),
	qr/^publication reengage_news failed carries reengage.news, reengage.suppressions/, 'and where somebody has put more into it');
like(psql_stderr($north, 'SELECT reengage.publish_news()'), qr/ERROR:  publication "reengage_news" is not one that reengage may change/, 'which is not put right unseen');
sql($north, 'ALTER PUBLICATION reengage_news DROP TABLE reengage.suppressions; ALTER PUBLICATION reengage_news SET TABLE reengage.news WHERE (true)');
like(psql_stderr($north, 'SELECT reengage.publish_news()'), qr/ERROR/, 'nor one without its list of columns');
sql($north, 'DROP PUBLICATION reengage_news; SELECT reengage.publish_news()');
is(sql($north, 'SELECT reengage.publish_news()'), 'ok', 'but made anew');

# --- encodings -----------------------------------------------------------------------------------

my $log = log_size($south);
sql($north, q{SELECT reengage.suppress('+13175550102', reason => U&'na\00efve \2013 \20ac'), reengage.suppress('+13175550103', reason => U&'na\00efve', server => 'boreal')});
sql($south, q{SELECT reengage.suppress('+13175550104', reason => chr(239))});
ok(heard_all($north, $south), 'what the other encoding does not have stops nothing');
is(sql($south, q{SELECT encode(convert_to(reason, 'UTF8'), 'hex') FROM reengage.suppressions WHERE label ~ '03$'}), '6e61c3af7665', 'words that it has are as they were');
like(sql($south, q{SELECT reason FROM reengage.suppressions WHERE label ~ '02$'}), qr/^utf8:6e61c3af766520e2809320e282ac$/, 'others are spelled');
is(sql($north, q{SELECT reason = U&'\00ef' FROM reengage.suppressions WHERE label ~ '04$'}), 't', 'both ways');
is(scalar log_lines($south, $log, qr/ERROR/), 0, 'without an error');

# --- one is restored from a backup ---------------------------------------------------------------

sql($north, q{SELECT reengage.suppress('+13175550105')});
ok(heard_all($north, $south), 'before the backup');
$north->backup('yesterday');
sql($north, q{SELECT reengage.suppress('+13175550106'); SELECT reengage.unsuppress('+13175550105')});
sql($south, q{SELECT reengage.suppress('+13175550107')});
ok(heard_all($north, $south), 'and after it');
is(standing($south), '01 02 03 04 06 07', 'this holds');
$north->stop('immediate');
my $restored = PostgreSQL::Test::Cluster->new('restored');
$restored->init_from_backup($north, 'yesterday');
$restored->start;
like(health($restored, 'node south'), qr/not heard here as it should be \(outdated\)/, 'what was restored says that it has to hear all once more');
sql($restored, 'SELECT reengage.arm()');
sql($front, set_nodes(north => $restored, south => $south));
wire(north => $restored, south => $south);
# its name is still the one of before
call($restored, 'north');
ok(heard_all($restored, $south), 'the script has them hear each other again');
is(standing($restored), '01 02 03 04 05 07', 'it knows what was said elsewhere meanwhile');
is(sql($south, q{SELECT reengage.repeat_news('north') > 0}), 't', 'what it had said itself, another says again');
ok(heard_all($restored, $south), 'and all hear that');
is(standing($restored), standing($south), 'so they agree');
like(standing($restored), qr/06/, 'an opt-out that was lost is back');

# --- another joins, and one leaves -----------------------------------------------------------------

my $east = new_fleet_node('east', $simulator, ['oriental'], init => {%logical}, @conf);
sql($east, $listener);
sql($front, set_nodes(north => $restored, south => $south, east => $east));
wire(north => $restored, south => $south, east => $east);
ok(heard_all($restored, $south, $east), 'one that joins later');
agree('knows what all know', $restored, $south, $east);
sql($east, q{SELECT reengage.suppress('+13175550108')});
ok(heard_all($restored, $south, $east), 'says something');
for my $node ($restored, $south)
{
	sql($node, $_) for split /\n/, sql($node, q{SELECT reengage.news_ddl('east', NULL)});
}
sql($east, $_) for map { split /\n/, sql($east, "SELECT reengage.news_ddl('$_', NULL)") } qw(north south);
poll_until($_, 'postgres', q{SELECT NOT active FROM pg_replication_slots WHERE slot_name LIKE 'reengage_east_%'}) for $restored, $south;
is(sql($restored, q{SELECT reengage.drop_news_slot('east')}) . sql($south, q{SELECT reengage.drop_news_slot('east')}), '11', 'and leaves: no slot of it keeps WAL');
is(sql($south, q{SELECT reengage.repeat_news('east') > 0}), 't', 'what it had said, another says in its place');
sql($east, 'SELECT reengage.leave_fleet()');
is(sql($east, 'SELECT count(*) FROM reengage.news') . ' ' . standing($east), '0 ' . standing($restored), 'it takes its news with it, and what it has heard holds');
$east->stop('immediate');
my $new = new_fleet_node('new', $simulator, ['oriental'], init => {%logical}, @conf);
sql($new, q{SELECT reengage.leave_fleet(); SELECT reengage.join_fleet('east')});
sql($new, $listener);
sql($front, set_nodes(north => $restored, south => $south, east => $new));
wire(north => $restored, south => $south, east => $new);
call($new, 'east');
ok(heard_all($restored, $south, $new), 'another one of its name');
agree('knows all, too, and what the first of its name had said', $restored, $south, $new);
like(standing($new), qr/08/, 'so it does');

# --- another key, another of the same name ------------------------------------------------------------

my $odd = new_node('odd', preload => 1, servers => ['other'], init => {%logical}, @conf);
create_extension($odd, $simulator);
# when it says its key, no customer is known by it
sql($odd, q{SELECT reengage.join_fleet('odd'); SELECT reengage.suppress('+13175550109')});
like(psql_stderr($front, set_nodes(north => $restored, south => $south, east => $new, odd => $odd)), qr/ERROR:  nodes .* hash addresses by different keys/, 'the front takes none with another key');
hear($south, $odd);
hear($odd, $south);
ok(heard_all($south, $odd), 'who hears it all the same');
like(health($south, 'key of node odd'), qr/^attention: it hashes addresses by another key/, 'says so');
like(sql($south, q{SELECT remedy FROM reengage.health WHERE subject = 'key of node odd'}), qr/call suppress\(\) at both/, 'and what to do');
like(health($odd, 'key of node south'), qr/^attention: it hashes addresses by another key/, 'as it does itself');
# one that is armed, and knows no customer yet, takes the key of the others
my $fresh = new_node('fresh', preload => 1, servers => ['other'], init => {%logical}, @conf);
create_extension($fresh, $simulator);
# an elder one: what the others said of theirs when they joined was that nobody is known by it
sql($fresh, q{UPDATE reengage.address_key SET created_at = '2020-02-02'; SELECT reengage.join_fleet('fresh')});
hear($fresh, $restored);
hear($restored, $fresh);
ok(heard_all($fresh, $restored), 'one that was armed with a key of its own, and knows nobody yet');
is(sql($fresh, q{SELECT encode(sha256(key), 'hex') FROM reengage_internal.address_key_in_use}), sql($south, q{SELECT encode(sha256(key), 'hex') FROM reengage_internal.address_key_in_use}), 'takes the key of the others');

$_->stop for $restored, $south, $new, $odd, $fresh, $front;
done_testing();
