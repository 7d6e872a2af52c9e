# Following a nudge, as CONTRIBUTING.md says: at DEBUG1 the log, or a session that
# calls run(), tells its life in order, and nothing of what it says or to whom.
use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('following', preload => 1);
create_extension($node, $simulator);
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'reengage worker'}),
	1, 'the worker is found by its type');

# a name of ours is possible from 17 on
my $work = $node->pg_version >= 17 ? 'ReengageWork' : 'Extension';
ok($node->poll_query_until('postgres', qq{SELECT (wait_event_type, wait_event) = ('Extension', '$work')
	FROM pg_stat_activity WHERE backend_type = 'reengage worker'}), 'what it waits for has a name');

sub ask { my ($conversation) = @_; return nudge($node, $conversation, message => q('A secret offer'), address => q('+13175550142'), channel => q('sms')); }

# What is said of a nudge, in order.
sub life
{
	my ($nudge_id, $text) = @_;

	return join "\n", map { s/ \(.*//r } $text =~ /DEBUG:  nudge \Q$nudge_id\E of server "genesys": ([^\n]*)/g;
}

# A life with a look and one POST.
sub life_of { my ($step, $outcome) = @_; return join "\n", 'claimed', 'check is with the courier', 'check was answered: done',
	'intent recorded', "$step is with the courier", "$step was answered: done", $outcome; }

my $unseen = ask('closed-1');
wait_until_ended($node);
is(life($unseen, slurp_file($node->logfile)), '', 'by default nothing is said of a nudge');

$node->append_conf('postgresql.conf', 'log_min_messages = debug1');
$node->reload;
my ($closed, $live) = map { ask($_) } 'closed-2', 'live-1';
wait_until_ended($node);
my $log = slurp_file($node->logfile);
is(life($closed, $log), life_of('create', 'session_created'), 'at DEBUG1 the log has the life of a nudge');
is(life($live, $log), life_of('notify', 'notified'), 'and of another');
unlike(join("\n", $log =~ /DEBUG:  (nudge [^\n]*)/g), qr/secret|5550142/, 'but neither its text nor an address');

# without a worker, in a session of one's own
$node->append_conf('postgresql.conf', "reengage.databases = ''");
$node->reload;
$node->poll_query_until('postgres', q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'reengage worker')});
my $own = ask('closed-3');
$node->psql('postgres', 'SET client_min_messages = debug1; CALL reengage.run()', stderr => \my $said);
is(life($own, $said), life_of('create', 'session_created'), 'run() tells it to who calls it');

$node->stop;
done_testing();
