# What the options of the API simulator change.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use IO::Socket::INET;
use POSIX ();
use Test::More;

use Simulator;

sub test_keys
{
	my $first = create('closed-1', 'Idempotency-Key' => 'k1-create');
	my $again = create('closed-1', 'Idempotency-Key' => 'k1-create');
	is($again->{status}, 201, 'the key is answered again');
	is($again->{body}, $first->{body}, 'with the same answer');
	ok(last_request()->{replayed}, 'and the ledger says so');
	is(effects(), 1, 'there was one effect');
	with_fault({ action => 'close_after' },
		sub { notify('live-1', undef, 'Idempotency-Key' => 'k2-notify') });
	is(notify('live-1', undef, 'Idempotency-Key' => 'k2-notify')->{status}, 200,
		'a lost answer can be fetched');
	is(effects(), 2, 'without a second effect');
	with_fault({ action => 'close_before' },
		sub { notify('live-1', undef, 'Idempotency-Key' => 'k3-notify') });
	notify('live-1', undef, 'Idempotency-Key' => 'k3-notify');
	is(effects(), 3, 'what had no effect is done then');
}

sub test_parent
{
	my $port_file = "$directory/port.orphan";
	my $parent = fork // die "fork: $!";

	if ($parent == 0)
	{
		my $orphan = fork // die "fork: $!";
		if ($orphan == 0)
		{
			open(STDOUT, '>', '/dev/null');
			exec($program, '--port-file', $port_file, '--die-with-parent');
		}
		wait_for(sub { -e $port_file }, 'the port file');
		POSIX::_exit(0);
	}
	waitpid($parent, 0);
	my $orphan_port = slurp($port_file) + 0;
	wait_for(sub { !IO::Socket::INET->new(PeerAddr => "127.0.0.1:$orphan_port") },
		'the orphan to end');
	pass('the simulator ends with its parent');
}

open(my $list, '>', "$directory/conversations.csv");
print $list "id,status,channel,address\nlisted,ringing,whatsapp,+49\n";
close($list);
start('--no-auth', '--honour-keys', '--conversations', "$directory/conversations.csv");
is(check('listed')->{json}{status}, 'ringing', 'conversations are loaded, and no token is needed');
subtest keys => \&test_keys;
is(stop(), 0, 'it stops cleanly');
my @effects = grep { /^\{"effect"/ } split /\n/, slurp($ledger_file);
is(scalar @effects, 3, 'and leaves the whole ledger behind');
subtest parent => \&test_parent;

start(qw(--client-id me --client-secret pass:word --latency-ms 1 --default-status none));
is(login('me:pass:word')->{status}, 200, 'credentials are an option');
is(check('x')->{status}, 404, 'so is the default status');
stop();
start('--conversations', '/nonexistent');
is($port, 0, 'a missing conversations file stops the start');
like(slurp($stderr_file), qr{/nonexistent: No such file}, 'with a message');
done_testing();
