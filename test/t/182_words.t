# What an application may say: nothing of a customer stands in an error or the
# log, reasons have a limit, an operator's word is not overwritten, and one
# application's nudges do not take the place of another's.  And what a role sees
# and takes back, here and in other databases.

use strict;
use warnings FATAL => 'all';

use Reengage qw(new_node psql_stderr);
use PostgreSQL::Test::Utils;
use Test::More;

# statements would have what they were given, but for parameters
my $node = new_node('main', conf => "log_statement = none\nlog_min_error_statement = panic\nlog_parameter_max_length_on_error = 0");
$node->safe_psql('postgres', q{
	CREATE EXTENSION reengage;
	CREATE SERVER genesys FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'http://127.0.0.1:1');
	CREATE ROLE app LOGIN; CREATE ROLE "other app" LOGIN; GRANT reengage_application TO app, "other app"; GRANT USAGE ON FOREIGN SERVER genesys TO reengage_application;
	CREATE ROLE chief LOGIN; GRANT reengage_operator TO chief});

sub ask { my ($role, $sql) = @_; return $node->safe_psql('postgres', "SET SESSION AUTHORIZATION \"$role\"; $sql"); }
sub said { my ($role, $sql) = @_; return psql_stderr($node, "SET SESSION AUTHORIZATION \"$role\"; $sql"); }

# ---- nothing of a customer -------------------------------------------------------

my ($address, $secret) = ('+13175550142', 'your test is positive');
my %row = (conversation_id => "'c-1'", message => "'$secret'", address => "'$address'", detail => qq('{"who": "$address"}'));
my @columns = split /\n/, $node->safe_psql('postgres', q{
	SELECT attname FROM pg_attribute WHERE attrelid = 'reengage.nudges'::regclass AND attnotnull AND attnum > 0});
cmp_ok(scalar @columns, '>', 9, 'there are columns that must not be null');
for my $column (@columns)
{
	my %with = (%row, $column => 'NULL');
	my $error = psql_stderr($node, 'INSERT INTO reengage.nudges (' . join(', ', sort keys %with) . ') VALUES ('
		. join(', ', @with{ sort keys %with }) . ')');
	is($error, "psql:<stdin>:1: ERROR:  $column of a nudge must not be null", "no $column");
}
like(said('app', "SELECT reengage.nudge('c-1', '$secret', address => '$address', $_)"), qr/^psql:<stdin>:1: ERROR:  .* must not be null\nCONTEXT:  SQL statement "INSERT[^']*$/s, "nudge() with $_")
  for 'supersedes => NULL', 'priority => NULL', 'when_answered => NULL';

my $email = 'ann.smith@example.com';
for my $wrong (
	(map { my $who = $_; map { "SELECT reengage.$_" } (
		"suppress(conversation_id => '$who')", "suppress('x-1', channel => '$who')", "suppress('x-1', server => '$who')",
		"suppress('$who x 55')", "suppress('sms: $who')", "suppress('$who', '$who')",
		"record_answer('$who')", "record_answer(address => 'to $who')", "cancel_thread('$who')", "cancel_customer('about $who')",
		"nudge('$who', '$secret')", "nudge('c-1', '$secret', '$who')", "nudge('c-1', '$secret', channel => '$who')",
		"nudge('c-1', '$secret', when_closed => '$who')", "nudge('c-1', '$secret', when_answered => '$who')") } $address, $email),
	"INSERT INTO reengage.nudges (nudge_id, conversation_id, message, address) SELECT '00000000-0000-7000-8000-000000000000', 'c', '$secret', '$address' FROM generate_series(1, 2)",
	"INSERT INTO reengage.nudges (conversation_id, message, address, priority) VALUES ('c', '$secret', '$address', 70000)",
	"INSERT INTO reengage.nudges (conversation_id, message, address, due_at) VALUES ('c', '$secret', '$address', 'infinity')",
	"INSERT INTO reengage.nudges (conversation_id, message, address, expires_at) VALUES ('c', '$secret', '$address', '-infinity')")
{
	my $error = said('app', $wrong);
	ok($error =~ /ERROR|NOTICE/ && $error !~ /5550142|smith\@example|$secret/, "says nothing of a customer: $wrong") or diag($error);
}
my $log = PostgreSQL::Test::Utils::slurp_file($node->logfile);
unlike($log, qr/5550142|smith\@example|\Q$secret\E/, 'nor does the log');
like($log, qr/of a nudge must not be null/, 'which has the errors');

# ---- whose word holds -----------------------------------------------------------

sub opt_out
{
	my ($label) = @_;
	return $node->safe_psql('postgres', qq{
		SELECT concat_ws(' ', coalesce(reason, '-'), origin, coalesce((until AT TIME ZONE 'UTC')::date::text, 'for ever'))
		FROM reengage.suppressions WHERE label = '$label'});
}
ask('chief', "SELECT reengage.suppress('hold\@example.com', channel => 'email', reason => 'legal hold', until => '2101-01-01Z')");
my $label = $node->safe_psql('postgres', q{SELECT label FROM reengage.suppressions WHERE reason = 'legal hold'});
is(opt_out($label), 'legal hold operator 2101-01-01', 'an operator says why, and until when');
ask('app', "SELECT reengage.suppress('hold\@example.com', channel => 'email', reason => 'none of your business', until => '2100-01-01Z')");
is(opt_out($label), 'legal hold operator 2101-01-01', 'an application shortens and renames nothing');
ask('app', "SELECT reengage.suppress('hold\@example.com', channel => 'email', reason => 'STOP', until => '2102-01-01Z')");
is(opt_out($label), 'legal hold operator 2102-01-01', 'what is later holds');
ask('app', "SELECT reengage.suppress('hold\@example.com', channel => 'email', reason => 'STOP')");
is(opt_out($label), 'legal hold operator for ever', 'and for ever is later');
ask('chief', "SELECT reengage.suppress('hold\@example.com', channel => 'email', reason => 'settled', until => '2103-01-01Z')");
is(opt_out($label), 'settled operator for ever', 'an operator renames, and lifts by unsuppress() only');
ask('app', "SELECT reengage.suppress(conversation_id => 'c-9', server => 'genesys', reason => 'STOP', until => '2100-01-01Z')");
is(opt_out('c-9'), 'STOP caller 2100-01-01', 'an application says so, too');
ask('other app', "SELECT reengage.suppress(conversation_id => 'c-9', server => 'genesys', reason => 'bounced')");
is(opt_out('c-9'), 'bounced caller for ever', 'among applications the last reason counts');
$node->safe_psql('postgres', q{
	SELECT reengage_internal.record_opt_out('genesys', 'sms', NULL, 'c-8', 'c-8', 'opted_out');
	SELECT reengage_internal.record_opt_out('genesys', 'email', s.address_hash, NULL, 'x', 'opted_out') FROM reengage.suppressions s WHERE s.address_hash IS NOT NULL});
ask('app', "SELECT reengage.suppress(conversation_id => 'c-8', server => 'genesys', channel => 'sms', reason => 'x')");
is(opt_out('c-8'), 'opted_out api for ever', 'what an API said is not renamed by an application');
ask('chief', "SELECT reengage.suppress(conversation_id => 'c-7', server => 'genesys', channel => 'sms', reason => 'trial', until => '2100-01-01Z')");
$node->safe_psql('postgres', "SELECT reengage_internal.record_opt_out('genesys', 'sms', NULL, 'c-7', 'c-7', 'opted_out')");
is(opt_out('c-7'), 'trial operator for ever', 'nor does an API rename what an operator said, but it holds for ever');

is(ask('app', qq{SELECT count(*) FROM reengage.suppress('+13175550199', channel => E' SMS\\n')}), 0, 'a channel is a word, whatever is around it');
is($node->safe_psql('postgres', 'SELECT count(*) FROM reengage.suppressions WHERE channel ~ $$[^a-z]$$'), 0, 'and is stored as one');
like(said('app', "SELECT reengage.suppress('+13175550199', channel => 'text')"), qr/channel "text" is not known\nHINT:  Known are .*sms/, 'one that no API has is refused');
my $long = "repeat('\xc3\xa4', 501)";
like(said('app', "SELECT reengage.suppress('+13175550199', reason => $long)"), qr/the reason is too long: 1002 bytes\nDETAIL:  The most are 1000 bytes/, 'a reason has a limit');
like(said('chief', "SELECT reengage.pause('genesys', $long)"), qr/the reason is too long: 1002 bytes/, 'also of a pause');

# ---- whose nudges are taken the place of --------------------------------------------

sub state_of
{
	return $node->safe_psql('postgres', q{
		SELECT string_agg(n.message || ' ' || coalesce(l.reason, 'due'), ', ' ORDER BY n.message)
		FROM reengage.nudges n LEFT JOIN reengage.lineage l USING (nudge_id) WHERE n.campaign = 'cart'});
}
ask($_->[0], "SELECT reengage.nudge('c-5', '$_->[1]', campaign => 'cart')") for [ 'app', 'a1' ], [ 'other app', 'b1' ], [ 'chief', 'c1' ];
ask('app', "SELECT reengage.nudge('c-5', 'a2', campaign => 'cart', supersedes => true, due_at => '2100-01-01Z')");
is(state_of(), 'a1 superseded, a2 due, b1 due, c1 due', 'an application takes the place of its own nudges');
ask('other app', "INSERT INTO reengage.nudges (conversation_id, message, campaign, supersedes) VALUES ('c-5', 'b2', 'cart', true), ('c-5', 'b3', 'cart', true)");
is(state_of(), 'a1 superseded, a2 due, b1 superseded, b2 due, b3 due, c1 due', 'so does the other');
ask('chief', "SELECT reengage.nudge('c-5', 'c2', campaign => 'cart', supersedes => true)");
is(state_of(), 'a1 superseded, a2 superseded, b1 superseded, b2 superseded, b3 superseded, c1 superseded, c2 due', 'an operator of all');

# ---- who sees what ---------------------------------------------------------------------

my $id = ask('app', "INSERT INTO reengage.nudges (conversation_id, message) VALUES ('c-6', 'one') RETURNING nudge_id");
like($id, qr/^[0-9a-f-]{36}$/, 'an application is told the id of its nudge');
my $again = "INSERT INTO reengage.nudges (nudge_id, conversation_id, message) VALUES ('$id', 'c-6', 'two') ON CONFLICT (nudge_id) DO NOTHING RETURNING nudge_id";
is(ask('app', $again), '', 'and may ask only once by naming it');
is(ask('other app', $again), '', 'as may the other');
is($node->safe_psql('postgres', "SELECT message FROM reengage.nudges WHERE nudge_id = '$id'"), 'one', 'the first one counts');
is(ask('app', "SELECT count(*) FROM (SELECT nudge_id FROM reengage.nudges EXCEPT SELECT nudge_id FROM reengage.nudge_status) n"), 0, 'it sees the ids of its own');
is(ask('other app', "SELECT count(nudge_id) FROM reengage.nudges WHERE nudge_id = '$id'"), 0, 'and not those of others');
like(said('app', "SELECT $_ FROM reengage.nudges"), qr/permission denied for table nudges/, "no $_") for qw(message address requested_by);
is(ask('chief', "SELECT count(*) FROM reengage.nudges"), $node->safe_psql('postgres', 'SELECT count(*) FROM reengage.nudges'), 'an operator sees all');
like(ask('app', "SET row_security = off; SELECT reengage.nudge('c-6', 'three')"), qr/^[0-9a-f-]{36}$/, 'nudge() asks under any setting');
like(said('app', "SET row_security = off; SELECT nudge_id FROM reengage.nudges"), qr/ERROR:  query would be affected by row-level security policy/, 'and no setting shows more');

# ---- who takes back what ---------------------------------------------------------------

sub asked { my ($role, $conversation) = @_; return ask($role, "SELECT reengage.nudge('$conversation', 'hi', address => '+13175550177', channel => 'sms', campaign => 'whose')"); }
sub left_of
{
	return $node->safe_psql('postgres', q{SELECT string_agg(n.requested_by, ', ' ORDER BY n.requested_by)
		FROM reengage.nudges n JOIN reengage.due d USING (nudge_id) WHERE n.campaign = 'whose'});
}
my %asked = map { $_ => asked($_, 'c-10') } 'app', 'other app', 'chief';
like(said('app', "SELECT reengage.cancel('$asked{$_}')"), qr/ERROR:  nudge $asked{$_} does not exist\nDETAIL:  Or it is not one that role "app" asked for/, "an application does not cancel that of $_") for 'other app', 'chief';
is(ask('app', "SELECT reengage.cancel('$asked{app}')"), 'cancelled', 'but its own');
is(left_of(), 'chief, other app', 'and no other is gone');
asked('app', 'c-10');
like(said('app', "SELECT reengage.cancel_campaign('whose')"), qr/permission denied/, 'no application cancels a campaign');
ask('app', "SELECT reengage.cancel_thread('c-10', 'genesys')");
is(left_of(), 'chief, other app', 'of a thread it cancels its own');
asked('app', 'c-11');
ask('app', "SELECT reengage.cancel_customer('+13175550177')");
is(left_of(), 'chief, other app', 'of a customer, too');
is(ask('chief', "SELECT reengage.cancel('$asked{'other app'}')"), 'cancelled', 'an operator cancels that of anybody');
is(left_of(), 'chief', 'as it says');

# ---- who sees what waits, and for what -------------------------------------------------

$node->safe_psql('postgres', q{CREATE ROLE watcher LOGIN; GRANT reengage_reader TO watcher;
	UPDATE reengage.due SET hold = 'policy', hold_reason = 'quiet hours' WHERE nudge_id IN (SELECT nudge_id FROM reengage.nudges WHERE campaign = 'whose')});
asked('app', 'c-12');
my $waits = q{SELECT string_agg(concat_ws(' ', requested_by, state, reason, nudges), ', ' ORDER BY requested_by, reason) FROM reengage.nudge_counts WHERE campaign = 'whose' AND state = 'due'};
is(ask('watcher', $waits), 'app due 1, chief due policy 1', 'a reader sees by what nudges are held');
is(ask('watcher', q{SELECT requested_by || ' ' || reason FROM reengage.open_nudges WHERE campaign = 'whose' AND requested_by = 'chief'}),
	'chief ' . $node->safe_psql('postgres', q{SELECT reason FROM reengage.open_nudges WHERE campaign = 'whose' AND requested_by = 'chief'}), 'and of each why');
is(ask('app', $waits), 'app due 1', 'an application only of its own');
like(said('watcher', "SELECT FROM reengage.$_"), qr/permission denied for table $_/, "a reader may not look into $_") for qw(nudges due answers address_key);
like(said('watcher', $_), qr/permission denied/, "nor do anything: $_")
  for "SELECT reengage.cancel('$asked{chief}')", "INSERT INTO reengage.nudges (conversation_id, message) VALUES ('c-13', 'hi')", 'SELECT reengage.disarm()';

# ---- one database and another ----------------------------------------------------------

$node->safe_psql('postgres', q{CREATE DATABASE other});
$node->safe_psql('other', q{CREATE EXTENSION reengage});
my $elsewhere = sub { return ($node->psql('other', 'SELECT count(*) FROM reengage.lineage', extra_params => [ '-U', $_[0] ]))[0, 1, 2]; };
is(($elsewhere->('watcher'))[1], '0', 'who is a reader here is one there');
$node->safe_psql('postgres', 'REVOKE CONNECT ON DATABASE other FROM PUBLIC');
like(($elsewhere->('watcher'))[2], qr/permission denied for database "other"/, 'but for where it may not connect');
$node->safe_psql('other', 'REVOKE USAGE ON SCHEMA reengage, reengage_internal FROM reengage_reader; GRANT CONNECT ON DATABASE other TO watcher');
like(($elsewhere->('watcher'))[2], qr/permission denied for schema reengage/, 'or where the group has no USAGE');
$node->safe_psql('postgres', 'DROP EXTENSION reengage CASCADE');
{
	my $said = psql_stderr($node, 'DROP ROLE reengage_reader');
	like($said, qr/ERROR:  role "reengage_reader" cannot be dropped because some objects depend on it\nDETAIL:  \d+ objects in database other/, 'a role cannot be dropped while another database has the extension, which is named');
}
$node->safe_psql('other', 'DROP EXTENSION reengage CASCADE');
is(psql_stderr($node, 'DROP ROLE reengage_application, reengage_operator, reengage_reader, reengage_worker'), '', 'and then it can');

$node->stop('fast');
done_testing();
