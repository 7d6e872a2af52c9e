# P12: copies of a database, of every kind, while one API takes what any of them
# would send.  They stay silent until they are armed, and then do not repeat
# what was done.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for lineage
  outcome health worker_pid psql_stderr);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $original = new_node('original', preload => 1, init => { allows_streaming => 'logical', has_archiving => 1 });
create_extension($original, $simulator);
$original->safe_psql('postgres', 'CREATE PUBLICATION everything FOR ALL TABLES');
my @copies = qw(dump cluster template backup past replica);

# What is due only later; a copy that is armed makes its own of them due now.
nudge($original, "closed-due-$_", due_at => q(now() + interval '1 day')) for @copies;
$original->backup('early');

# --- a past: delivered, in doubt, on the wire ------------------------------

nudge($original, $_) for qw(live-done closed-done gone-done);
$simulator->fault(verb => 'create', id => 'closed-doubt', action => 'close_after');
nudge($original, 'closed-doubt');
wait_until_ended($original, where => q(n.conversation_id NOT LIKE 'closed-due-%'));
$simulator->fault(verb => 'create', id => 'closed-wire', action => 'hang');
$simulator->fault(verb => 'notify', id => 'live-wire', action => 'hang_after');
nudge($original, $_) for qw(live-wire closed-wire);
$simulator->wait_hanging(2);

# Between the effect and its outcome lies the point of time to go back to.
my $lock = $original->background_psql('postgres', on_error_stop => 1);
$lock->query_safe('BEGIN; LOCK TABLE reengage.lineage IN SHARE MODE');
nudge($original, 'live-answered');
wait_for(sub { scalar $simulator->effects('id=live-answered') }, 'an effect without an outcome');
$original->safe_psql('postgres', q{SELECT pg_create_restore_point('between')});
$lock->query_safe('COMMIT');
$lock->quit;
wait_until_ended($original, where => q(n.conversation_id = 'live-answered'));
is(outcome($original, 'live-answered'), 'notified - notify', 'the outcome comes after the point of time');
nudge($original, 'live-afterwards');
wait_until_ended($original, where => q(n.conversation_id = 'live-afterwards'));

my $dump = $original->basedir . '/dump';
$original->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $original->connstr('postgres') ], 'pg_dump works');
$original->backup('late');
my $history = $original->safe_psql('postgres', 'SELECT * FROM reengage.lineage ORDER BY lineage_id');

$original->safe_psql('postgres', q{ALTER SYSTEM SET reengage.databases = ''});
$original->reload;
ok($original->poll_query_until('template1',
	q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'reengage worker'}), 'the original rests');
$original->safe_psql('template1', 'CREATE DATABASE template_copy TEMPLATE postgres');

# From here on the original does nothing, and every request is of a copy.
my $segment = $original->safe_psql('template1', 'SELECT pg_walfile_name(pg_switch_wal())');
ok($original->poll_query_until('template1',
	"SELECT last_archived_wal >= '$segment' FROM pg_stat_archiver"), 'its WAL is archived');
$simulator->clear_faults;
my %effects_before;
my @requests_before = $simulator->requests;
$effects_before{ $_->{nudge_id} }++ for $simulator->effects;

# --- the copies ------------------------------------------------------------------------

$original->safe_psql('template1', 'CREATE DATABASE dump_copy');
$original->safe_psql('template1', q{ALTER SYSTEM SET reengage.databases = 'dump_copy, template_copy'});
$original->reload;
wait_for(sub { worker_pid($original, 'dump_copy') }, 'a worker waits for the copy');
my $cluster = new_node('cluster', preload => 1);
for my $target ($original->connstr('dump_copy'), $cluster->connstr('postgres'))
{
	$original->command_ok([ 'pg_restore', '--exit-on-error', '-d', $target, $dump ], 'pg_restore works');
}

sub start_from_backup
{
	my ($name, $backup, $conf, %options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init_from_backup($original, $backup, %options);
	$node->append_conf('postgresql.conf', "archive_mode = off\n$conf");
	$node->start;
	return $node;
}
my $backup = start_from_backup('backup', 'late', '');
my $past = start_from_backup('past', 'early',
	"recovery_target_name = 'between'\nrecovery_target_action = 'promote'",
	has_restoring => 1, standby => 0);
ok($past->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()'), 'the past is restored');

my $replica = new_node('replica', preload => 1);
create_extension($replica, $simulator, disarmed => 1);
$replica->safe_psql('postgres', q{CREATE SUBSCRIPTION everything CONNECTION '}
	  . $original->connstr('postgres') =~ s/'/''/gr . q{' PUBLICATION everything});
ok($replica->poll_query_until('postgres', q{SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel}), 'every table is replicated');

my %copy = (
	dump => [ $original, 'dump_copy', qr/^not armed: nothing is sent$/ ],
	cluster => [ $cluster, 'postgres', qr/^not armed: nothing is sent$/ ],
	template => [ $original, 'template_copy', qr/^armed in another database \(oid \d+, here \d+\): this is a copy$/ ],
	backup => [ $backup, 'postgres', qr/^armed at another site \(host:\w+, here host:\w+\): this is a copy, or the server was moved$/ ],
	past => [ $past, 'postgres', qr/^armed at another site \(host:\w+, here host:\w+\): this is a copy, or the server was moved$/ ],
	replica => [ $replica, 'postgres', qr/^armed in another cluster \(system identifier \d+, here \d+\): this is a copy/ ]);

# --- until they are armed, they are silent ------------------------------------------------

for my $name (@copies)
{
	my ($node, $database, $complaint) = @{ $copy{$name} };

	nudge($node, "live-new-$name", database => $database);
	ok($node->poll_query_until($database, q{SELECT state = 'fenced' FROM reengage_internal.worker_state()}),
		"$name: the worker stands at the fence");
	my ($said) = health($node, 'fence', $database) =~ /^stopped: (.*)/;
	like($said, $complaint, "$name: and the health view says why");
	like(psql_stderr($node, 'CALL reengage.run()', database => $database), qr/ERROR:  reengage is \Q$said\E/,
		"$name: run() refuses for the same reason");
	is($node->safe_psql($database, q{SELECT state || ': ' || reason FROM reengage.nudge_status
		WHERE requested_conversation_id LIKE 'live-new-%'}), "due: $said", "$name: as the nudges do");
}
is(scalar $simulator->requests, scalar @requests_before, 'P12: of all these copies, none made a request');

# --- armed, they do not repeat what was done ---------------------------------------------------

# The conversations of the requests since the last question.
my $seen = @requests_before;
sub asked_since
{
	my @requests = $simulator->requests;
	my %asked = map { ($_->{previous_id} // '') || $_->{conversation_id} => 1 }
	  grep { $_->{verb} ne 'token' } @requests[ $seen .. $#requests ];

	$seen = @requests;
	return join ' ', sort keys %asked;
}

sub arm
{
	my ($name, @in_doubt) = @_;
	my ($node, $database) = @{ $copy{$name} };

	asked_since();
	$node->safe_psql($database, 'SELECT reengage.arm()');
	is(health($node, 'fence', $database), 'ok: armed', "$name: it is armed");
	$node->safe_psql($database, qq{
		UPDATE reengage.due d SET due_at = now() FROM reengage.nudges n
		WHERE n.nudge_id = d.nudge_id AND n.conversation_id = 'closed-due-$name';
		SELECT reengage_internal.wake('-infinity')});
	wait_until_ended($node, database => $database,
		where => qq(n.conversation_id NOT LIKE 'closed-due-%' OR n.conversation_id = 'closed-due-$name'));
	is(asked_since(), "closed-due-$name live-new-$name", "$name: the API hears of what was due, and of nothing else");
	is($node->safe_psql($database, q{
		SELECT string_agg(requested_conversation_id, ' ' ORDER BY requested_conversation_id)
		FROM reengage.lineage WHERE outcome = 'in_doubt' AND reason = 'interrupted'}),
		join(' ', sort @in_doubt), "$name: what was on the wire is in doubt");
	is(outcome($node, "closed-due-$name", database => $database), 'session_created - create', "$name: what was due is delivered");
	is(outcome($node, "live-new-$name", database => $database), 'notified - notify', "$name: as is what is new");
	is($node->safe_psql($database, q{SELECT count(*) FROM reengage.due d JOIN reengage.nudges n USING (nudge_id)
		WHERE n.conversation_id LIKE 'closed-due-%'}), @copies - 1, "$name: what is due later is due later");
	is($node->safe_psql($database, 'SELECT count(*) FROM reengage.intents'), 0, "$name: no intent is left");
	return;
}

my @wire = qw(closed-wire live-wire);
arm('dump', @wire);
arm('cluster', @wire);
arm('template', @wire);
arm('backup', @wire);
arm('past', @wire, 'live-answered');
$replica->safe_psql('postgres', 'DROP SUBSCRIPTION everything');
arm('replica', @wire);
is($past->safe_psql('postgres', q{SELECT count(*) FROM reengage.nudges WHERE conversation_id = 'live-afterwards'}), 0,
	'past: of what came after, it knows nothing');

my %effects_now;
$effects_now{ $_->{nudge_id} }++ for $simulator->effects;
is_deeply({ map { $_ => $effects_now{$_} } keys %effects_before }, \%effects_before,
	'P12: nothing that the ledger held was sent again, by any of the copies');

# --- what a copy inherits ----------------------------------------------------------------------

for my $name (qw(dump cluster template backup replica))
{
	my ($node, $database) = @{ $copy{$name} };

	like($node->safe_psql($database, 'SELECT * FROM reengage.lineage ORDER BY lineage_id'), qr/^\Q$history\E\n/,
		"$name: the history is as it was");
}
nudge($cluster, 'closed-done');
wait_until_ended($cluster, where => q(n.conversation_id = 'closed-done'));
is(outcome($cluster, 'closed-done'), 'session_created - create, notified - notify', 'a restored dump goes on with the threads');
is((lineage($cluster, q(l.requested_conversation_id = 'closed-done' AND l.outcome = 'notified')))[0]{address_hash},
	(lineage($original, q(l.requested_conversation_id = 'closed-done')))[0]{address_hash},
	'hashes of addresses keep their key');
nudge($cluster, 'closed-doubt');
ok($cluster->poll_query_until('postgres', q{SELECT count(*) = 1 FROM reengage.due WHERE hold_reason LIKE '%in doubt%'}),
	'and its doubts hold back the next creation');

# --- a past that is restored in the very place of its original ------------------------------------

my $requests = scalar $simulator->requests;
$past->stop;
$past->append_conf('postgresql.conf', q{recovery_target_name = ''});
$past->set_recovery_mode;
$past->start;
ok($past->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()'), 'a server is recovered where it lies');
nudge($past, 'live-in-place');
ok($past->poll_query_until('postgres', q{SELECT state = 'fenced' FROM reengage_internal.worker_state()}),
	'its worker stands at the fence');
is(health($past, 'fence'), 'stopped: armed on another timeline (2, here 3): an earlier state was restored,'
	  . ' or a standby promoted without reengage.instance_key', 'for the timeline is another');
is(scalar $simulator->requests, $requests, 'P12: nothing was sent');
$past->safe_psql('postgres', 'SELECT reengage.arm()');
wait_until_ended($past, where => q(n.conversation_id = 'live-in-place'));
is(outcome($past, 'live-in-place'), 'notified - notify', 'armed, it goes on');

# --- and the original -----------------------------------------------------------------------------

$original->safe_psql('template1', q{ALTER SYSTEM SET reengage.databases = 'postgres'});
$original->reload;
wait_until_ended($original, where => q(n.conversation_id LIKE '%-wire'));
is(outcome($original, 'live-wire') . ', ' . outcome($original, 'closed-wire'),
	'in_doubt interrupted notify, in_doubt interrupted create', 'the original goes on where it was stopped');

$_->stop for $original, $cluster, $backup, $past, $replica;
done_testing();
