# Transactions that somebody leaves open: nobody's lock stops the others.
use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Reengage qw(:DEFAULT start_simulator new_node create_extension wait_for nudge poll_until wait_until_ended
  outcome due_row health lasts promise ledger_matches_lineage log_size log_lines worker_pid);
use Test::More;

my $simulator = start_simulator();
my $node = new_node('locks', preload => 1, servers => [ 'genesys', 'other' ]);

create_extension($node, $simulator);
$node->safe_psql('postgres', qq{
	CREATE SERVER other FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}', max_requests_per_minute '0', max_failures '0');
	CREATE ROLE shop LOGIN;
	GRANT reengage_application TO shop;
});

# Many nudges by one statement.
sub ask
{
	my ($campaign, $count, %options) = @_;

	$node->safe_psql('postgres', ($options{role} ? "SET ROLE $options{role};" : '') . qq{
		INSERT INTO reengage.nudges (conversation_id, message, campaign, priority, due_at)
		SELECT 'live-$campaign-' || i, 'hi', '$campaign', @{[ $options{priority} // 5 ]}, @{[ $options{due_at} // 'now()' ]}
		FROM generate_series(1, $count) i});
}

# What the nudges of a campaign wait for.
sub reasons
{
	my ($campaign) = @_;
	return $node->safe_psql('postgres',
		"SELECT DISTINCT state || ': ' || coalesce(reason, '-') FROM reengage.nudge_status WHERE campaign = '$campaign'");
}

sub others_go_out
{
	my ($campaign, $what) = @_;

	promise(lasts(sub {
		ask($campaign, 20, priority => 0);
		wait_until_ended($node, where => "n.campaign = '$campaign'");
	}), 1, $what);
}

# --- an application that cancels, and leaves its transaction open -------------

my $shop = $node->background_psql('postgres');
$shop->query_safe('SET ROLE shop');
ask('spring', 64, role => 'shop', due_at => "now() + '2 s'");
$shop->query_safe('BEGIN');
is($shop->query_safe("SELECT count(reengage.cancel(nudge_id)) FROM reengage.nudge_status WHERE campaign = 'spring'"),
	64, 'an application cancels 64 nudges, and leaves its transaction open');
poll_until($node, 'postgres', "SELECT bool_and(due_at < now()) FROM reengage.due");
others_go_out('urgent', 'others go out meanwhile');
is(reasons('spring'), 'due: a cancellation that has not been committed', 'nudge_status says what they wait for');
is(scalar(grep { $_->{verb} ne 'token' } $simulator->requests), 40, 'nothing is looked at that is being cancelled');
$shop->query_safe('ROLLBACK');
promise(lasts(sub { wait_until_ended($node) }), 3, 'it is rolled back, and they go out');
is(scalar $simulator->effects, 84, 'once each');

# --- those whose look is under way ----------------------------------------------

$simulator->fault(verb => 'check', action => 'hang', times => 64);
ask('looked', 64, role => 'shop');
$simulator->wait_hanging(64);
$shop->query_safe('BEGIN');
$shop->query_safe("SELECT count(reengage.cancel(nudge_id)) FROM reengage.nudge_status WHERE campaign = 'looked'");
$simulator->clear_faults;
ask('also', 20, priority => 0);
promise(lasts(sub { wait_until_ended($node, where => "n.campaign = 'also'") }), 3,
	'looks that are in vain give up their places in flight');
$shop->query_safe('COMMIT');
promise(lasts(sub { wait_until_ended($node) }), 1, 'they end');
is(reasons('looked'), 'cancelled: -', 'as cancelled');

# --- a campaign of many, some of them of others ------------------------------------

$shop->query_safe('RESET ROLE');
ask('summer', 300, due_at => "now() + '2 s'");
$shop->query_safe('BEGIN');
$shop->query_safe("SELECT * FROM reengage.cancel_campaign('summer')");
ask('summer', 1, due_at => "now() + '2 s'");
poll_until($node, 'postgres', "SELECT bool_and(due_at < now()) FROM reengage.due");
others_go_out('autumn', 'an open cancel_campaign() is in nobody else\'s way');
is(reasons('summer'), 'due: a cancellation that has not been committed', 'nudge_status says so of its nudges');
$shop->query_safe('ROLLBACK');
promise(lasts(sub { wait_until_ended($node) }), 5, 'they go out afterwards');

# --- rows of the schedule, locked by whoever may ---------------------------------------

$simulator->fault(verb => 'notify', action => 'hang', times => 1);
nudge($node, 'live-locked', campaign => "'locked'");
$simulator->wait_hanging(1);
$shop->query_safe('BEGIN');
$shop->query_safe('SELECT * FROM reengage.due, reengage.nudges FOR UPDATE');
my $log = log_size($node);
$simulator->clear_faults;
poll_until($node, 'postgres', "SELECT EXISTS (SELECT FROM reengage.health WHERE subject = 'outcomes' AND state = 'waiting')");
others_go_out('meanwhile', 'a row that somebody has locked stops nobody else');
promise(lasts(sub {
	nudge($node, 'live-other', server => "'other'");
	wait_until_ended($node, where => "n.server = 'other'");
}), 1, 'nor another server');
like(health($node, 'outcomes'), qr/^waiting: 1 outcomes wait to be written, the oldest since .*: 1 for a transaction that has not ended/, 'health says it');
is_deeply([ log_lines($node, $log, qr/lock timeout/) ], [], 'no tick fails');
$shop->query_safe('COMMIT');
promise(lasts(sub { wait_until_ended($node) }), 2, 'its outcome is written as soon as it can be');
is(outcome($node, 'live-locked'), 'in_doubt connection_lost notify', 'as it was');
is(health($node, 'outcomes'), '', 'health is silent again');

# --- the same at the beginning of a nudge --------------------------------------------------

ask('winter', 64, due_at => "now() + '1 s'");
$shop->query_safe('BEGIN');
$shop->query_safe("UPDATE reengage.due SET waiting_for = NULL");
poll_until($node, 'postgres', "SELECT bool_and(due_at < now()) FROM reengage.due");
others_go_out('snow', 'rows that are due and locked are in nobody else\'s way');
is(reasons('winter'), 'due: a change of the schedule that has not been committed', 'nudge_status says so');
$shop->query_safe('COMMIT');
promise(lasts(sub { wait_until_ended($node) }), 3, 'they go out afterwards');
ledger_matches_lineage($node, $simulator, 'the ledger matches');

$shop->quit;
done_testing();
