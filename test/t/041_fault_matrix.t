# Every fault that the simulator can play, on a look, a notification and a
# creation, on a fresh and on a reused connection: one conversation for each,
# all at once.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node set_credentials create_extension nudge wait_until_ended
  wait_for lineage outcome worker_pid courier_pid ledger_matches_lineage);
use JSON::PP ();
use PostgreSQL::Test::Utils;
use Test::More;

# What follows: outcome, reason, attempts, then the requests.  In the second
# line of a pair, what is different on a reused connection: there libcurl
# repeats a look by itself, which is no new attempt.
my $looked_again = 'notified - 2: check check notify';
my $repeated_by_libcurl = 'notified - 1: check check notify';
my $notify = 'check notify';
my $create = 'check create';

my @in_doubt = map { [ "in_doubt $_ 1: $notify", "in_doubt $_ 1: $create" ] } 'http_500', 'connection_lost', 'timeout';
my ($by_status, $by_close, $by_silence) = @in_doubt;
my @said_badly = ("notified - 1: $notify", "in_doubt unreadable 1: $create");

my @faults = (
	# action, its parameters, a look, a notification, a creation
	[ 'status', {}, $looked_again, @$by_status ],
	[ 'status_after', {}, $looked_again, @$by_status ],
	[ 'close_unread', {}, [ $looked_again, $repeated_by_libcurl ], @$by_close ],
	[ 'close_before', {}, [ $looked_again, $repeated_by_libcurl ], @$by_close ],
	[ 'close_after', {}, [ $looked_again, $repeated_by_libcurl ], @$by_close ],
	[ 'hang', {}, $looked_again, @$by_silence ],
	[ 'hang_after', {}, $looked_again, @$by_silence ],
	[ 'drip', {}, $looked_again, @said_badly ],
	[ 'truncate', {}, $looked_again, @said_badly ],
	[ 'huge', {}, $looked_again, @said_badly ],
	[ 'garbage', {}, $looked_again, @said_badly ],
	[ 'wrong_type', {}, $looked_again, @said_badly ],
	[ 'empty', {}, $looked_again, @said_badly ],
	[ 'redirect', { location => '/elsewhere' }, $looked_again, "refused redirect 1: $notify", "refused redirect 1: $create" ],
	[ 'delay', { ms => 300 }, "notified - 1: $notify", "notified - 1: $notify", "session_created - 1: $create" ],
	# these two have a server for each call, as they concern all of its calls
	[ 'expire_token', {}, 'notified - 1: check check notify', 'notified - 1: check notify notify',
		'session_created - 1: check create create' ],
	[ 'forbidden', {}, 'notified - 2: check check notify', 'notified - 2: check notify check notify',
		'session_created - 2: check create check create' ],
);

my @cells;
for my $connection ('fresh', 'reused')
{
	for my $fault (@faults)
	{
		my ($action, $parameters, @ends) = @$fault;

		for my $verb ('check', 'notify', 'create')
		{
			my $end = shift @ends;

			push @cells, {
				name => "$action of a $verb on a $connection connection",
				action => $action, verb => $verb, connection => $connection, parameters => $parameters,
				server => $action =~ /expire|forbid/ ? "$action-$verb" : 'genesys',
				end => ref $end ? $end->[ $connection eq 'reused' ] : $end,
			};
		}
	}
}

my $simulator = start_simulator();
my $node = new_node('main', preload => 1);
create_extension($node, $simulator, server_options => "timeout '6s', max_in_flight '500'");
my @own_servers = grep { $_ ne 'genesys' } map { $_->{server} } grep { $_->{connection} eq 'fresh' } @cells;
set_credentials($node, servers => [ 'genesys', @own_servers ]);
$node->safe_psql('postgres', join '', map { qq{
	CREATE SERVER "$_" FOREIGN DATA WRAPPER reengage OPTIONS (max_requests_per_minute '0', max_failures '0', api_url '$simulator->{url}', timeout '6s');} } @own_servers);

sub ask_for
{
	my (@cells) = @_;

	$node->safe_psql('postgres', 'INSERT INTO reengage.nudges (server, conversation_id, message) VALUES '
		  . join ', ', map { "('$_->{server}', '$_->{id}', 'x')" } @cells);
	return;
}

# Opens so many connections that all calls at once find an idle one.
sub warm_up
{
	my ($count, $round) = @_;

	$simulator->set(latency_ms => 500);
	ask_for(map { { server => 'genesys', id => "live-warm-$round-$_" } } 1 .. $count);
	wait_for(sub { $simulator->counts->{open_connections} > $count }, 'many connections are open');
	$simulator->set(latency_ms => 0);
	wait_until_ended($node);
	return;
}

# Until its body is read, a creation names no conversation.
sub is_anonymous { my ($cell) = @_; return $cell->{action} eq 'close_unread' && $cell->{verb} eq 'create'; }

sub rule_of
{
	my ($cell) = @_;
	my %rule = (%{ $cell->{parameters} }, map { $_ => $cell->{$_} } 'action', 'verb', 'connection');

	return { %rule, name => $cell->{id}, times => 1, is_anonymous($cell) ? () : (id => $cell->{id}) };
}

sub play
{
	my (@cells) = @_;

	$simulator->control('POST', 'faults', [ map { rule_of($_) } @cells ]);
	ask_for(@cells);
	wait_until_ended($node);
	my %hits = map { $_->{rule}{name} => $_->{hits} } @{ $simulator->control('GET', 'faults') };
	$_->{struck} = $hits{ $_->{id} } for @cells;
	$simulator->clear_faults;
	return;
}

my $worker = worker_pid($node);
my $courier = courier_pid($worker);

# A call that by chance went over a connection of the other kind is made again.
my $round = 0;
for my $connection ('fresh', 'reused')
{
	$simulator->set(keep_alive => $connection eq 'reused' ? JSON::PP::true : JSON::PP::false);
	while (my @rest = grep { $_->{connection} eq $connection && !$_->{struck} } @cells)
	{
		last if ++$round > 10;
		$_->{id} = ($_->{verb} eq 'create' ? 'closed' : 'live') . "-$round-$_->{action}-$_->{verb}." for @rest;
		warm_up(2 * @rest, $round) if $connection eq 'reused';
		play(grep { is_anonymous($_) } @rest);
		play(grep { !is_anonymous($_) } @rest);
	}
}

my %row_of = map { $_->{requested_conversation_id} => $_ } lineage($node);
my @requests = grep { $_->{verb} ne 'token' } $simulator->requests;

# "check notify": what was asked about a conversation, or for its nudge.
sub verbs_of
{
	my ($row) = @_;
	my $id = $row->{requested_conversation_id};

	return join ' ', map { $_->{verb} } grep {
		$_->{conversation_id} eq $id || ($_->{previous_id} // '') eq $id || ($_->{nudge_id} // '') eq $row->{nudge_id}
	} @requests;
}

is_deeply([ map { $_->{name} } grep { !$_->{struck} } @cells ], [], 'each fault struck, on the connection that was wanted');
for my $cell (@cells)
{
	my $row = $row_of{ $cell->{id} };

	is(join(' ', map { $_ // '-' } @$row{qw(outcome reason attempts)}) . ': ' . verbs_of($row), $cell->{end}, $cell->{name});
}
is((grep { $_->{path} =~ /elsewhere/ } @requests), 0, 'no redirect was followed');

# --- an API that leads a thread back to where it began --------------------------------

for my $outcome ('session_created - create', 'session_continued - create')
{
	my $nudge_id = nudge($node, 'returns-1');

	wait_until_ended($node);
	my ($row) = lineage($node, "l.nudge_id = '$nudge_id'");
	is(join(' ', map { $_ // '-' } @$row{qw(outcome reason step)}), $outcome, "a thread that is led back: $outcome");
}
is($simulator->verbs("id=$_"), 'check create', 'for which one session was asked for')
  for 'returns-1', ($simulator->effects('id=returns-1'))[0]{conversation_id};

ledger_matches_lineage($node, $simulator, 'P4, P5: no POST that may have had an effect was repeated');
is(worker_pid($node), $worker, 'P9: the worker is the same as at the beginning');
is(courier_pid($worker), $courier, 'and so is the courier');
$node->stop;
done_testing();
