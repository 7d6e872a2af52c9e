# Whatever somebody deletes by hand, in whichever way: nobody is written to twice
# for it.  What is missing is counted, and people decide.
use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for poll_until lineage outcome
  count_due health psql_stderr);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main', preload => 1);
create_extension($node, $simulator);

sub sql { my ($statement, $database) = @_; return $node->safe_psql($database // 'postgres', $statement); }

my $replica = 'SET session_replication_role = replica;';
my $round = 0;

# Some that have ended, one that is due for later, one by an id of the caller's own.
my @sent;
sub history
{
	$round++;
	nudge($node, "$_-$round") for qw(live-a live-b closed-c);
	nudge($node, "live-own-$round", nudge_id => "'00000000-0000-4000-8000-" . sprintf('%012d', $round) . q{'});
	nudge($node, "live-later-$round", due_at => "now() + '1 h'");
	wait_until_ended($node, where => qq(n.due_at <= now()));
	push @sent, "live-a-$round", "live-b-$round", "closed-c-$round", "live-own-$round";
	return;
}

# Effects of what was sent, once each.
sub effects { return join ' ', map { scalar(grep { $_->{verb} ne 'check' } $simulator->effects("id=$_")) } @sent; }
sub arm { my ($missing) = @_; return psql_stderr($node, 'SELECT reengage.arm(' . ($missing ? "missing => '$missing'" : '') . ')'); }

# Nothing is on its way: what is asked for now has been sent.
sub settled
{
	nudge($node, 'live-settled-' . ++$round);
	return wait_until_ended($node, where => qq(n.conversation_id = 'live-settled-$round'));
}

# The worker was away, and comes back armed.
sub rearm
{
	my ($missing) = @_;

	sql('SELECT reengage.disarm()');
	my $said = arm($missing);
	settled();
	return $said;
}

my $stay = qr/WARNING:  (\d+) (?:nudges have|(?<=\b1 )nudge has) neither an outcome nor a place in the schedule, and stays? so\nDETAIL:  They were asked for from .* to .* UTC\..*\nHINT:  Decide: if none of them was sent, SELECT reengage.arm\(missing => 'due'\)/;

for my $way (
	[ 'lineage, as a replica', "$replica DELETE FROM reengage.lineage", 4 ],
	[ 'lineage, without its trigger', 'ALTER TABLE reengage.lineage DISABLE TRIGGER append_only; DELETE FROM reengage.lineage; ALTER TABLE reengage.lineage ENABLE TRIGGER append_only', 4 ],
	[ 'all of lineage at once', "$replica TRUNCATE reengage.lineage", 4 ],
	[ 'lineage, by whoever says to be prune()', q{BEGIN; SELECT reengage_internal.lock('retention', VARIADIC '{}'); DELETE FROM reengage.lineage; COMMIT}, 4 ],
	[ 'a part of lineage', "$replica DELETE FROM reengage.lineage WHERE requested_conversation_id LIKE 'live-%'", 3 ],
	[ 'lineage and schedule', "$replica TRUNCATE reengage.lineage; TRUNCATE reengage.due", 5 ],
	[ 'the schedule', "$replica DELETE FROM reengage.due", 1 ],
	[ 'nudges', "$replica DELETE FROM reengage.nudges", 0 ],
	[ 'nudges at once', "$replica TRUNCATE reengage.nudges", 0 ],
	[ 'nudges and lineage', "$replica TRUNCATE reengage.nudges, reengage.lineage", 0 ])
{
	my ($name, $statement, $missing) = @$way;

	history();
	my $before = effects();
	sql($statement);
	my $said = arm();
	like($said, qr/By the counters, (\d+) outcomes are missing\./, "$name: by the counters") if $name =~ /^(all of )?lineage/;
	if ($missing) { like($said, $stay, "$name: arm() counts"); $said =~ $stay; is($1, $missing, "$name: all of them"); }
	else { unlike($said, qr/WARNING|due again/, "$name: nothing is missing"); }
	settled();
	is(effects(), $before, "$name: nobody is written to again");
	like(rearm(), $missing ? qr/WARNING/ : qr/^$/, "$name: nor after disarm()");
	is(effects(), $before, "$name: nobody");
	like(health($node, 'schedule'), qr/attention: $missing of the newest 1000 nudges (are|(?<=\b1 of the newest 1000 nudges )is) neither due nor ended/, "$name: health knows") if $missing;
	like(arm('gone'), qr/NOTICE:  deleted $missing @{[$missing == 1 ? 'nudge without an outcome; its id stays' : 'nudges without an outcome; their ids stay']} known/, "$name: somebody decides") if $missing;
	unlike(arm(), qr/WARNING|took|made|deleted/, "$name: and all is well");
	# who asks once more by the same id
	if ($name !~ /nudges and/)
	{
		my $id = '00000000-0000-4000-8000-' . sprintf('%012d', $round - 2);
		sql("INSERT INTO reengage.nudges (nudge_id, conversation_id, message) VALUES ('$id', 'live-own-@{[$round - 2]}', 'again') ON CONFLICT DO NOTHING");
	}
	settled();
	is(effects(), $before, "$name: asked for by the same id it is not sent");
	@sent = ();
	sql("$replica TRUNCATE reengage.nudges, reengage.lineage, reengage.due");
}

# ---- what was not sent can be ----------------------------------------------------------------

my $unseen = "$replica INSERT INTO reengage.nudges (conversation_id, message) VALUES ('live-unseen-%s', 'x')";
arm();
sql(sprintf $unseen, 1);
like(arm(), qr/NOTICE:  made 1 nudge without an outcome due again/, 'what came in while triggers were off, and the counters never heard of, is due');
wait_until_ended($node, where => q(n.conversation_id = 'live-unseen-1'));
is(outcome($node, 'live-unseen-1'), 'notified - notify', 'and is sent');
sql(sprintf $unseen, 2);
sql('SELECT reengage.recount()');
like(arm(), $stay, 'of what was counted meanwhile nobody can tell');
like(arm('due'), qr/NOTICE:  made 1 nudge without an outcome due again/, 'but who knows that it was not sent');
wait_until_ended($node, where => q(n.conversation_id = 'live-unseen-2'));
is(outcome($node, 'live-unseen-2'), 'notified - notify', 'then it is');
like(psql_stderr($node, q{SELECT reengage.arm('perhaps')}), qr/ERROR:  invalid missing: "perhaps"\nHINT:  It must be due or gone\./, 'another word is refused');

# ---- the manifest tells how many, and since when ------------------------------------------------

nudge($node, "live-day-$_") for 1 .. 3;
wait_until_ended($node);
sql("$replica UPDATE reengage.lineage SET recorded_at = '2020-02-03 12:00+00' WHERE requested_conversation_id LIKE 'live-day-%'");
sql(q{CALL reengage.close_day('2020-02-03')});
sql("$replica DELETE FROM reengage.lineage WHERE requested_conversation_id IN ('live-day-1', 'live-day-2')");
like(arm(), qr/By the manifest, 2 rows of lineage are missing since 2020-02-03\./, 'the manifest says how many rows are missing');
sql(q{CALL reengage.prune('30 days')});
is(sql(q{SELECT state || ' ' || rows_here + rows_pruned FROM reengage.reconciliation WHERE day = '2020-02-03'}), 'rows are missing 1', 'what prune() takes of such a day does not hide it');

# ---- ids that are new by their own time -------------------------------------------------------

# Their lineage knows them, whatever became of their row.
sub id_of { my ($time) = @_; return sql("SELECT (lpad(to_hex((extract(epoch FROM $time) * 1000)::bigint), 12, '0') || '7abc8abc0123456789ab')::uuid"); }
sub asked_again
{
	my ($conversation, $id, $between) = @_;
	nudge($node, $conversation, nudge_id => "'$id'");
	settled();
	sql($between);
	nudge($node, $conversation, nudge_id => "'$id'");
	settled();
	return is($simulator->verbs("id=$conversation") =~ s/check //gr, 'notify', "$conversation: once");
}
asked_again('live-of-this-hour', id_of(q{now() - interval '10 minutes'}), "$replica DELETE FROM reengage.nudges");
asked_again('live-of-this-minute', id_of('now()'), "$replica DELETE FROM reengage.nudges");
asked_again('live-of-ours', sql('SELECT reengage.uuid_v7()'), "$replica DELETE FROM reengage.nudges");
asked_again('live-pruned', id_of('now()'), q{SELECT reengage_internal.lock('retention', VARIADIC '{}'), reengage_internal.let_go(ARRAY(SELECT nudge_id FROM reengage.nudges WHERE conversation_id = 'live-pruned'), NULL)});

# one among many that are new, and one that the session had made before
sql(q{INSERT INTO reengage.nudges (conversation_id, message) VALUES ('live-among', 'x')});
settled();
my $among = sql(q{SELECT nudge_id FROM reengage.nudges WHERE conversation_id = 'live-among'});
sql("$replica DELETE FROM reengage.nudges WHERE conversation_id = 'live-among'");
sql("INSERT INTO reengage.nudges (nudge_id, conversation_id, message) SELECT CASE n WHEN 2 THEN '$among' ELSE reengage.uuid_v7() END, CASE n WHEN 2 THEN 'live-among' ELSE 'live-more-' || n END, 'x' FROM generate_series(1, 3) n");
settled();
is($simulator->verbs('id=live-among') =~ s/check //gr, 'notify', 'once, too, among others');
is($simulator->verbs('id=live-more-3'), 'check notify', 'which are sent');
my $session = $node->background_psql('postgres');
my $kept = $session->query_safe('SELECT reengage.uuid_v7()');
asked_again('live-kept', $kept, "$replica DELETE FROM reengage.nudges WHERE conversation_id = 'live-kept'");
sql("$replica DELETE FROM reengage.nudges WHERE conversation_id = 'live-kept'");
$session->query_safe("INSERT INTO reengage.nudges (nudge_id, conversation_id, message) VALUES ('$kept', 'live-kept', 'x')");
$session->quit;
settled();
is($simulator->verbs('id=live-kept') =~ s/check //gr, 'notify', 'nor again by the session that has made it');

# an id of an earlier transaction of the same statement, which others have asked for
$node->safe_psql('postgres', q{CREATE TABLE told (id uuid)});
my $holding = $node->background_psql('postgres');
$holding->query_safe('SELECT pg_advisory_lock(204)');
my $telling = $node->background_psql('postgres', on_error_stop => 0);
$telling->query_until(qr/begun/, q{\echo begun
DO $$
DECLARE
	id uuid := reengage.uuid_v7();
BEGIN
	INSERT INTO told VALUES (id);
	COMMIT;
	PERFORM pg_advisory_xact_lock(204);
	INSERT INTO reengage.nudges (nudge_id, conversation_id, message) VALUES (id, 'live-told', 'again');
END $$;
}) or die 'no session began';
push @sent, 'live-told';
wait_for(sub { sql('SELECT count(*) FROM told') }, 'an id is told');
sql(q{INSERT INTO reengage.nudges (nudge_id, conversation_id, message) SELECT id, 'live-told', 'x' FROM told});
wait_until_ended($node, where => q(n.conversation_id = 'live-told'));
my $told = effects();
sql("$replica DELETE FROM reengage.nudges WHERE conversation_id = 'live-told'");
$holding->quit;
$telling->quit;
wait_until_ended($node);
is(effects(), $told, 'an id that was made before a COMMIT of the statement is looked for');

# which costs nothing where the id is made for the row: most INSERTs look for none
sub looks
{
	my ($statement) = @_;
	my $scans = q{SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'pruned_nudges_pkey'};
	my $before = sql($scans);
	sql("$statement; SELECT pg_stat_force_next_flush()");
	return sql($scans) - $before;
}
sql(q{SELECT reengage.pause('genesys')});
is(looks($_), 0, "no look: $_")
  for q{INSERT INTO reengage.nudges (conversation_id, message) VALUES ('live-made-1', 'x'), ('live-made-2', 'x')},
  q{INSERT INTO reengage.nudges (conversation_id, message) SELECT 'live-made-' || n, 'x' FROM generate_series(1, 100) n},
  q{SELECT reengage.nudge('live-made-' || n, 'x') FROM generate_series(1, 10) n},
  qq{COPY reengage.nudges (conversation_id, message) FROM stdin;\nlive-made-1\tx\nlive-made-2\tx\n\\.\n};
cmp_ok(looks(q{INSERT INTO reengage.nudges (nudge_id, conversation_id, message) SELECT gen_random_uuid(), 'live-given', 'x' FROM generate_series(1, 10)}), '>=', 10, 'others are looked for');
sql(q{SELECT reengage.cancel(nudge_id) FROM reengage.nudges WHERE conversation_id ~ 'live-(made|given)'; SELECT reengage.resume('genesys')});

# ---- a dump of it, restored ---------------------------------------------------------------------

arm('gone');
history();
my $before = effects();
sql("$replica DELETE FROM reengage.lineage WHERE requested_conversation_id LIKE 'live-%'");
my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump');
sql('SELECT reengage.disarm()');
sql(q{ALTER SYSTEM SET reengage.databases = 'restored'});
sql('CREATE DATABASE restored');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('restored') ], 'and restore');
is(sql(q{SELECT string_agg(n.conversation_id, ' ') FROM reengage.due d JOIN reengage.nudges n USING (nudge_id)}, 'restored'), "live-later-$round", 'what was due is due in the copy, and nothing else');
like(psql_stderr($node, 'SELECT reengage.arm()', database => 'restored'), $stay, 'where arm() counts, too');
$node->reload;
nudge($node, 'live-in-copy', database => 'restored');
wait_until_ended($node, database => 'restored', where => q(n.conversation_id = 'live-in-copy'));
is(effects(), $before, 'and nobody is written to again');

$node->stop;
done_testing();
