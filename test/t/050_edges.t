# Death at every edge of the crash table.  The worker or the courier is killed
# exactly there, and what follows is compared with what the table says: what
# was not sent is done again; what may have been sent is in doubt and never sent
# again, or is sent again with its key to an API that honours keys; what is known
# stays so.
#
# It needs a build with test points, whose settings are in TEST_POINT_SETTINGS.

use strict;
use warnings FATAL => 'all';

use FindBin;
use List::Util qw(sum);
use Reengage qw(start_simulator new_node create_extension nudge poll_until wait_until_ended wait_for
  worker_pid count_due log_lines ledger_matches_lineage);
use PostgreSQL::Test::Utils;
use Test::More;

BAIL_OUT('no build with test points (make TEST_POINTS=1): test/run makes one, and says where in TEST_POINT_SETTINGS')
  unless $ENV{TEST_POINT_SETTINGS};
$ENV{STAGE_SETTINGS} = $ENV{TEST_POINT_SETTINGS};

# where test points are armed; a server and its children inherit it
my $points = $ENV{REENGAGE_TEST_POINTS} = PostgreSQL::Test::Utils::tempdir();

# The conversations of each path, its POSTs, and its end.
my %paths = (
	notify => { kind => 'live', posts => ['notify'], end => 'notified - notify' },
	create => { kind => 'closed', posts => ['create'], end => 'session_created - create' },
	race => { kind => 'race', posts => [ 'notify', 'create' ], end => 'session_created - create' });

# At the look, nothing has been sent.
my @look_points =
  qw(claimed handed_over check_answered courier_check_read courier_check_unreported);

# At a POST, its intent is committed; how often the API sees it.
my %post_points = (
	intent_committed => 'never',
	post_queued => 'never',
	handed_over => 'perhaps',
	reply_read => 'once',
	courier_post_read => 'never',
	courier_post_begun => 'perhaps',
	courier_post_answered => 'once',
	courier_post_unreported => 'once');

my %refused = (action => 'status', status => 429, retry_after => '0', times => 1);
my %unanswered = (action => 'close_after', times => 1);

my ($node, $simulator, $worker);
my (%struck, %struck_here);
my $deaths = 0;

# ---- one death ----------------------------------------------------------------------

# Arms a point for one of its next hits, from 1.
sub arm
{
	my ($point, $hit) = @_;

	open my $file, '>', "$points/new" or die "could not write $points/new: $!";
	print $file "$hit\n";
	close $file;
	rename "$points/new", "$points/$point" or die "could not arm $point: $!";
	return;
}

# Waits until an armed point was met.
sub wait_until_struck
{
	my ($point) = @_;

	wait_for(sub { !-e "$points/$point" }, "the test point $point is met")
	  or BAIL_OUT(%struck ? 'what is armed now would strike later' : 'this build has no test points: make TEST_POINTS=1');
	$struck{$point}++;
	$struck_here{$point}++;
	return;
}

# Which worker there is, and "outcome reason step, POST notify, POST create": how
# a nudge ended, and its POSTs.  Those that were cut short tell by their key whose
# they are.
sub worker_and_story
{
	my ($database, $conversation) = @_;
	my ($pid, $nudge_id, $end) = split /\|/, $node->safe_psql($database, qq{
		SELECT (SELECT pid FROM pg_stat_activity WHERE backend_type = 'reengage worker' AND datname = 'postgres'), n.nudge_id,
			string_agg(l.outcome || ' ' || coalesce(l.reason, '-') || ' ' || coalesce(l.step, '-'), ', ' ORDER BY l.lineage_id)
		FROM reengage.nudges n LEFT JOIN reengage.lineage l USING (nudge_id)
		WHERE n.conversation_id = '$conversation' GROUP BY n.nudge_id});

	return ($pid, join ', POST ', $end,
		grep { /^(notify|create)$/ } map { $_->{verb} } $simulator->requests("nudge=$nudge_id"));
}

# Kills at a hit of a point that one nudge leads to; its story is a pattern.
sub dies
{
	my ($path, $point, $hit, $story, %options) = @_;
	my $conversation = "$paths{$path}{kind}-" . ++$deaths;
	my $title = "$path, $point" . ($hit > 1 ? ", hit $hit" : '') . ($options{then} ? ", then $options{then}" : '');
	my $victim = $point =~ /^courier/ ? 'courier' : 'worker';
	my $before = $worker;
	my $told;

	# so that all which a first call needs is there, and nothing else is under way
	nudge($node, "live-before-$deaths");
	wait_until_ended($node);
	$simulator->fault(verb => $paths{$path}{posts}[-1], id => $conversation, %{ $options{fault} }) if $options{fault};
	arm($point, $hit);
	arm($options{then}, 1) if $options{then};
	# the server may be gone before it can say that the row is in
	$node->psql('postgres',
		"INSERT INTO reengage.nudges (conversation_id, message) VALUES ('$conversation', 'x')");
	wait_until_struck($_) for $point, $options{then} // ();
	wait_until_ended($node);
	($worker, $told) = worker_and_story('postgres', $conversation);
	like(($worker eq $before ? 'courier' : 'worker') . " died, $told", qr/^$victim died, $story$/, $title);
	return;
}

# The same of a session that calls run().
sub run_dies
{
	my ($path, $point, $story) = @_;
	my $conversation = "$paths{$path}{kind}-" . ++$deaths;

	nudge($node, $conversation, database => 'by_hand');
	arm($point, 1);
	$node->psql('by_hand', 'CALL reengage.run()');
	wait_until_struck($point);
	poll_until($node, 'by_hand', 'SELECT true');
	$node->safe_psql('by_hand', 'CALL reengage.run()');
	like((worker_and_story('by_hand', $conversation))[1], qr/^$story$/, "run(), $path, $point");
	return;
}

# ---- what the table says, as patterns of stories ----------------------------------------

# The POST that a death is about, as the API saw it.
sub seen
{
	my ($post, $times) = @_;
	return { never => '', once => ", POST $post", perhaps => "(, POST $post)?" }->{$times};
}

# Nobody knows about the k-th POST of a path.
sub doubt
{
	my ($path, $k, $reason, $times) = @_;
	my @posts = @{ $paths{$path}{posts} }[ 0 .. $k - 1 ];
	my $last = pop @posts;

	return join(', POST ', "in_doubt $reason $last", @posts) . seen($last, $times);
}

# All is well, after POSTs that had no effect.
sub ended
{
	my ($path, @refused) = @_;
	return join ', POST ', $paths{$path}{end}, @refused, @{ $paths{$path}{posts} };
}

# All is well: the k-th POST was made again, with its key.
sub repeated
{
	my ($path, $k, $times) = @_;
	my @posts = @{ $paths{$path}{posts} };
	my @before = splice @posts, 0, $k - 1;

	# the race: what was not refused at first is refused now, which proves nothing
	return "in_doubt \\w+ notify" . seen('notify', $times) . ', POST notify' if @posts > 1;
	return join(', POST ', $paths{$path}{end}, @before) . seen($posts[0], $times) . ", POST $posts[0]";
}

# ---- all edges -----------------------------------------------------------------------

sub start
{
	my ($name, $simulator_option, %options) = @_;

	$node->stop if $node;
	%struck_here = ();
	$simulator = start_simulator($simulator_option // ());
	$node = new_node($name, preload => 1, conf => "restart_after_crash = on\nautovacuum = off");
	create_extension($node, $simulator, %options);
	wait_for(sub { $worker = worker_pid($node) }, 'a worker');
	return;
}

# The courier's reports are lost with it; of all else a new worker finds an intent.
sub reason { my ($point) = @_; return $point =~ /^courier/ ? 'courier_lost' : 'interrupted'; }

# The look was handed over before.
sub hit { my ($point, $k) = @_; return $point eq 'handed_over' ? $k + 1 : $k; }

sub is_settled
{
	my ($database, %options) = @_;

	is(count_due($node, $database), 0, 'nothing is due any more');
	is($node->safe_psql($database, 'SELECT count(*) FROM reengage.intents'), 0, 'no intent is left');
	ledger_matches_lineage($node, $simulator, 'the ledger and the lineage agree, nudge by nudge',
		database => $database, %options);
	return;
}

start('main');
for my $path (sort keys %paths)
{
	my $count = @{ $paths{$path}{posts} };
	my $last = $paths{$path}{posts}[-1];

	dies($path, $_, 1, ended($path)) for @look_points;
	for my $k (1 .. $count)
	{
		# what the transaction was to replace is there as before
		dies($path, 'intent_inserted', $k, $k == 1 ? ended($path) : doubt($path, $k - 1, 'interrupted', 'once'));
		dies($path, $_, hit($_, $k), doubt($path, $k, reason($_), $post_points{$_})) for sort keys %post_points;
		dies($path, 'intent_committed', $k, doubt($path, $k, 'interrupted', 'never'), then => 'recovered');
	}
	dies($path, 'outcome_inserted', 1, doubt($path, $count, 'interrupted', 'once'));
	dies($path, 'outcome_committed', 1, ended($path));
	dies($path, 'retry_written', 1, doubt($path, $count, 'interrupted', 'once'), fault => \%refused);
	# the race is over then: the next look says closed
	dies($path, 'retry_committed', 1, $path eq 'race' ? ended('race') . ', POST create' : ended($path, $last),
		fault => \%refused);
}
is_settled('postgres');
is(scalar log_lines($node, 0, qr/terminated by signal 9/), sum(values %struck_here),
	'each armed point killed one process, and nothing else did');

# --- in a session that calls run()

$simulator = start_simulator();
$node->safe_psql('postgres', 'CREATE DATABASE by_hand');
create_extension($node, $simulator, database => 'by_hand');
for my $path (qw(create notify))
{
	run_dies($path, 'intent_inserted', ended($path));
	run_dies($path, 'intent_committed', doubt($path, 1, 'interrupted', 'never'));
	run_dies($path, 'outcome_inserted', doubt($path, 1, 'interrupted', 'once'));
	run_dies($path, 'outcome_committed', ended($path));
}
is_settled('by_hand');

# --- at an API that honours keys

start('keys', '--honour-keys', server_options => q(idempotency 'key', key_lifetime '1h'));
for my $path (sort keys %paths)
{
	my $count = @{ $paths{$path}{posts} };

	for my $k (1 .. $count)
	{
		dies($path, $_, hit($_, $k), repeated($path, $k, $post_points{$_})) for sort keys %post_points;
		dies($path, 'intent_committed', $k, repeated($path, $k, 'never'), then => 'recovered');
	}
	dies($path, 'outcome_inserted', 1, repeated($path, $count, 'once'));
	# that the call is to be made again is written, or known from its intent
	dies($path, 'retry_written', 1, repeated($path, $count, 'once'), fault => \%unanswered);
	dies($path, 'retry_committed', 1, repeated($path, $count, 'once'), fault => \%unanswered);
}
is_settled('postgres', honours_keys => 1);

# --- no edge is forgotten

my $sources = join '', map { slurp_file($_) } glob "$FindBin::RealBin/../../src/{*,*/*}/*.c";
my @named = map { /"(\w+)"/g } $sources =~ /\bTEST_POINT\((.*)\);/g;
is(join(' ', sort 'start_held', keys %struck), join(' ', sort @named), 'every test point in the sources was met, here or in 063_released');

$node->stop;
done_testing();
