# docs/operations/scheduling.md as it stands: what is due is sent by pg_cron and
# by psql, where the library is not preloaded, and beside a worker.  Up to pg_cron
# 1.4 nothing runs more often than each minute, so all that waits for a minute
# waits for the same one.

use strict;
use warnings FATAL => 'all';

use Documents qw(blocks_of run_shell);
use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for outcome count_due
  log_lines psql_stderr ledger_matches_lineage);
use PostgreSQL::Test::Utils;
use Test::More;

my $document = 'docs/operations/scheduling.md';

chomp(my $share = `pg_config --sharedir`);
unless (-e "$share/extension/pg_cron.control")
{
	SKIP: { skip 'pg_cron is not here (Debian has it in postgresql-NN-cron)', 1; }
	done_testing();
	exit;
}

my ($conf) = map { $_->{text} } blocks_of($document, languages => ['ini']);
my @blocks = blocks_of($document, languages => [ 'sql', 'sh' ]);

# --- three databases, none with a worker but one -----------------------------------------------

my %simulators = map { $_ => start_simulator() } qw(shop mart both);
my $node = new_node('cron', conf => "${conf}max_worker_processes = 20");
my $both = new_node('both', conf => ($conf =~ s/'pg_cron'/'pg_cron, reengage'/r)
	  . "max_worker_processes = 20\nreengage.databases = 'shop'\nlog_min_messages = notice");
for ([ $node, 'shop', 'shop' ], [ $node, 'mart', 'mart' ], [ $both, 'shop', 'both' ])
{
	my ($on, $database, $simulator) = @$_;

	$on->safe_psql('postgres', "CREATE DATABASE $database");
	create_extension($on, $simulators{$simulator}, database => $database);
}

# --- the document's commands ---------------------------------------------------------------------

sub run_block
{
	my ($on, $block) = @_;
	my $errors = '';

	if ($block->{language} eq 'sh')
	{
		my $said = run_shell($on, $on->basedir, $block->{text});
		unlike($said, qr/ERROR|status/, $block->{place});
		return;
	}
	$on->psql('shop', $block->{text}, on_error_stop => 1, stderr => \$errors);
	is($errors =~ s/^(psql:\S+ )?NOTICE: .*\n?//gmr, '', $block->{place});
	return;
}

is(scalar(grep { defined $_->{why_not} } @blocks), 0, 'all of the document is run');
for my $block (@blocks)
{
	run_block($node, $block);
	run_block($both, $block) if $block->{language} eq 'sql';
}
# what a line of text says, not a block
my ($elsewhere) = slurp_file("$FindBin::RealBin/../../$document") =~ /`(SELECT cron\.schedule_in_database\(.*\);)`/;
$node->safe_psql('shop', $elsewhere);
my ($line) = slurp_file("$FindBin::RealBin/../../$document") =~ /^\* \* \* \* \*  postgres  (.*)$/m;
is("$line\n", (grep { $_->{language} eq 'sh' } @blocks)[0]{text}, 'the line of the crontab is the command that was run');

# what is to run once a day is run now
for my $command (split /\n/, $node->safe_psql('shop', q{SELECT command FROM cron.job WHERE schedule <> '* * * * *'}))
{
	unlike(psql_stderr($node, $command, database => 'shop'), qr/ERROR/, "as a job: $command");
}

# From 1.5 on there are seconds, and nobody has to wait.
my $version = $node->safe_psql('shop', q{SELECT extversion FROM pg_extension WHERE extname = 'pg_cron'});
note "pg_cron $version";
my $knows_seconds = $version =~ /^(\d+)\.(\d+)/ && ($1 > 1 || $2 >= 5);
if ($knows_seconds)
{
	$_->safe_psql('shop', q{SELECT cron.alter_job(jobid, schedule => '10 seconds') FROM cron.job WHERE schedule = '* * * * *'})
	  for $node, $both;
}

# --- what a minute brings --------------------------------------------------------------------------

# two jobs at once: whichever comes first meets a call that hangs, for as long as it takes
$node->safe_psql('shop', q{ALTER SERVER genesys OPTIONS (ADD timeout '10min')});
$simulators{shop}->fault(verb => 'check', id => 'live-hangs', action => 'hang', times => 1);
nudge($node, 'live-hangs', database => 'shop', priority => 0);
nudge($node, $_, database => 'shop') for qw(live-1 closed-1 live-2);
# more than there is time for
$node->safe_psql('postgres', q{ALTER DATABASE mart SET statement_timeout = '6s'});
$node->safe_psql('mart', q{
	ALTER SERVER genesys OPTIONS (ADD max_in_flight '1');
	INSERT INTO reengage.nudges (conversation_id, message) SELECT 'live-' || i, 'x' FROM generate_series(1, 500) i});
$simulators{mart}->set(latency_ms => 100);

# The runs of a job: their states, in order.
sub runs_of
{
	my ($on, $job, $column) = @_;
	$column //= 'status';
	return $on->safe_psql('shop', qq{SELECT string_agg(r.$column, ' ' ORDER BY r.runid)
		FROM cron.job_run_details r JOIN cron.job j USING (jobid) WHERE j.jobname = '$job'});
}

$simulators{shop}->wait_hanging(1);
like(psql_stderr($node, 'CALL reengage.run()', database => 'shop'), qr/NOTICE:  another session is dispatching nudges/,
	'while a job waits for a call, another run leaves the work to it');
$simulators{shop}->clear_faults;
wait_until_ended($node, database => 'shop');
is(outcome($node, 'live-1', database => 'shop'), 'notified - notify', 'a job has sent what was due');
is(outcome($node, 'closed-1', database => 'shop'), 'session_created - create', 'in every way');
for my $job ('reengage', 'reengage as reengage_cron')
{
	wait_for(sub { runs_of($node, $job) =~ /^succeeded/ }, "$job: a run has succeeded");
	unlike(runs_of($node, $job), qr/failed/, "$job: and none has failed") or diag(runs_of($node, $job, 'return_message'));
}
is($node->safe_psql('shop', q{SELECT rolsuper OR rolcreaterole OR pg_has_role(oid, 'reengage_operator', 'MEMBER')
	OR pg_has_role(oid, 'reengage_worker', 'MEMBER') FROM pg_roles WHERE rolname = 'reengage_cron'}), 'f',
	'the role of the one may nothing else');
ledger_matches_lineage($node, $simulators{shop}, 'two at once have sent nothing twice', database => 'shop');

# --- that role alone ---------------------------------------------------------------------------------

nudge($node, 'live-role', database => 'shop');
like(psql_stderr($node, 'CALL reengage.run()', database => 'shop', psql => { extra_params => [ '-U', 'reengage_cron' ] }),
	qr/NOTICE:  (1 nudge ended: 1 notified|0 nudges ended|another session is dispatching)/, 'the role may call run()');
wait_until_ended($node, database => 'shop');
like(psql_stderr($node, 'SELECT * FROM reengage.nudges', database => 'shop', psql => { extra_params => [ '-U', 'reengage_cron' ] }),
	qr/permission denied/, 'and not read what it sends');

# --- a standing statement_timeout ----------------------------------------------------------------------

my $in_mart = 'reengage in mart';
wait_for(sub { runs_of($node, $in_mart) =~ /succeeded|failed/ }, 'a run under a statement_timeout ends');
like(runs_of($node, $in_mart), qr/^succeeded/, 'by itself, before it is cancelled') or diag(runs_of($node, $in_mart, 'return_message'));
# another one may have begun since
$node->safe_psql('shop', qq{SELECT cron.unschedule('$in_mart')});
wait_for(sub { $node->safe_psql('shop', q{SELECT count(*) FROM pg_stat_activity WHERE datname = 'mart'}) == 0 }, 'no run is left');
cmp_ok(count_due($node, 'mart'), '>', 0, 'with nudges that are still due');
is($node->safe_psql('mart', 'SELECT string_agg(DISTINCT outcome, $$ $$) FROM reengage.lineage'), 'notified', 'what it began it has ended');
is($node->safe_psql('mart', 'SELECT count(*) FROM reengage.intents'), 0, 'and nothing is left on the wire');

# --- beside a worker -----------------------------------------------------------------------------------

wait_for(sub { runs_of($both, 'reengage') =~ /succeeded/ }, 'a job beside a worker');
# a minute may have begun before the worker had, and its run did the work
wait_for(sub { log_lines($both, 0, qr/the worker of this database is running and was woken/) }, 'wakes it');
nudge($both, 'live-both', database => 'shop');
wait_until_ended($both, database => 'shop');
is(outcome($both, 'live-both', database => 'shop'), 'notified - notify', 'which does the work');
unlike(runs_of($both, 'reengage'), qr/failed/, 'no run has failed');

# --- what is told ---------------------------------------------------------------------------------------

$node->safe_psql('shop', q{SELECT cron.alter_job(jobid, active => jobname = 'reengage') FROM cron.job; SELECT reengage.disarm()});
wait_for(sub { runs_of($node, 'reengage', 'return_message') =~ /reengage is not armed/ }, 'an error of run() is where the document says');
pass('a run that the fence refuses says so');
ledger_matches_lineage($_->[0], $simulators{ $_->[2] }, "nothing was sent twice: $_->[2]", database => $_->[1])
  for [ $node, 'shop', 'shop' ], [ $both, 'shop', 'both' ];

$_->stop for $node, $both;
done_testing();
