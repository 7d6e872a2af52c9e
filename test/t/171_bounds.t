# What one application, server or value can be at most, so that it stops no other.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge poll_until wait_until_ended wait_for outcome
  worker_pid courier_pid health);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main', preload => 1, conf => "max_locks_per_transaction = 10\nshared_buffers = '8MB'");
create_extension($node, $simulator);
$node->safe_psql('postgres', 'CREATE ROLE shop LOGIN IN ROLE reengage_application; GRANT USAGE ON FOREIGN SERVER genesys TO shop');

# As an application, in one session that goes on.
sub session_of_shop
{
	return $node->background_psql('postgres', on_error_stop => 1, extra_params => [ '-U', 'shop' ]);
}

# --- a thousand opt-outs in one open transaction ------------------------------------------------

# many more than the lock table would have
my $shop = session_of_shop();
$shop->query_safe(q{SET client_min_messages = warning; BEGIN;
	SELECT count(*) FROM generate_series(1, 3000) n LEFT JOIN reengage.suppress('+1317555' || lpad(n::text, 4, '0')) ON true;
	SELECT count(*) FROM generate_series(1, 1500) n LEFT JOIN reengage.record_answer(address => '+1317556' || lpad(n::text, 4, '0')) ON true;
	SELECT count(*) FROM generate_series(1, 1500) n LEFT JOIN reengage.suppress(conversation_id => 'told-' || n) ON true});
nudge($node, "live-other-$_", address => "'+1317557000$_'", channel => "'sms'") for 1 .. 5;
nudge($node, 'gone-told', address => "'+13175552999'", channel => "'sms'");
nudge($node, 'gone-answered', address => "'+13175561400'", channel => "'sms'", answered_since => "now() - interval '1 h'");
nudge($node, 'told-1400');
wait_until_ended($node, where => q{n.conversation_id LIKE 'live-other-%'});
is($node->safe_psql('postgres', q{SELECT count(*) FROM reengage.lineage WHERE outcome = 'notified'}), 5,
	'who is in none of the opt-outs of an open transaction gets a message meanwhile');
my $held = q{SELECT string_agg(requested_conversation_id || ': ' || reason, '; ' ORDER BY requested_conversation_id)
	FROM reengage.nudge_status WHERE state = 'due'};
ok(poll_until($node, 'postgres', $held, join '; ', map { "$_: an opt-out or an answer that has not been committed" } qw(gone-answered gone-told told-1400)),
	'who is in one is held, and told for what');
$shop->query_safe('COMMIT');
$shop->quit;
$node->safe_psql('postgres', q{UPDATE reengage.due SET due_at = now(); SELECT reengage_internal.wake('-infinity')});
wait_until_ended($node);
is(join(', ', map { outcome($node, $_) } qw(gone-told gone-answered told-1400)),
	'suppressed opted_out -, answered recorded -, suppressed opted_out -', 'and gets nothing once it has committed');

# --- four thousand cancellations in one open transaction, one by one -----------------------------

$node->safe_psql('postgres', q{SET ROLE shop; INSERT INTO reengage.nudges (conversation_id, message, campaign, due_at)
	SELECT 'live-taken-back-' || n, 'x', 'spring', now() + interval '1 day' FROM generate_series(1, 4000) n});
$shop = session_of_shop();
is($shop->query_safe(q{BEGIN; SELECT count(*) FROM (SELECT nudge_id FROM reengage.nudge_status WHERE campaign = 'spring' OFFSET 0) n
	WHERE reengage.cancel(n.nudge_id) = 'cancelled'}), 4000, 'an application cancels more nudges one by one than the server has locks');
nudge($node, 'live-despite-them', campaign => q('spring'));
wait_until_ended($node, where => q(n.conversation_id = 'live-despite-them'));
is(outcome($node, 'live-despite-them'), 'notified - notify', 'which holds up nobody else');
$shop->query_safe('ROLLBACK');
$node->safe_psql('postgres', q{SET ROLE shop; INSERT INTO reengage.nudges (conversation_id, message, campaign) VALUES ('live-not-cancelled', 'x', 'spring')});
wait_until_ended($node, where => q(n.conversation_id = 'live-not-cancelled'));
is($shop->query_safe(q{BEGIN; SELECT reengage.cancel((SELECT nudge_id FROM reengage.nudge_status WHERE campaign = 'spring' AND state = 'due' LIMIT 1))}), 'cancelled', 'one is cancelled');
my $kind = $node->safe_psql('postgres', q{SELECT reengage_internal.lock_kind('nudge')});
is($shop->query_safe(qq{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = $kind AND pid = pg_backend_pid()}), 1, 'and only that one is locked, once the other transaction has ended');
$shop->query_safe('COMMIT');
$shop->quit;
$node->safe_psql('postgres', q{SELECT reengage.cancel_campaign('spring')});

# --- rows that are larger than an INSERT would let them be ----------------------------------------

my ($worker, $courier) = (worker_pid($node), courier_pid(worker_pid($node)));
$simulator->set(latency_ms => 300);
nudge($node, "live-beside-$_") for 1 .. 20;
$node->safe_psql('postgres', q{
	ALTER TABLE reengage.nudges DISABLE TRIGGER validate;
	INSERT INTO reengage.nudges (conversation_id, message, address, channel, detail)
	VALUES ('live-numbers', 'hi', NULL, NULL, ('{"template": {"a": [' || repeat('1e131071,', 20000) || '1]}}')::jsonb),
		('live-message', repeat('long ', 400000), NULL, NULL, NULL),
		('gone-address', 'hi', repeat('1', 3000000), 'open', NULL),
		('live-' || repeat('x', 100000), 'hi', NULL, NULL, NULL);
	ALTER TABLE reengage.nudges ENABLE TRIGGER validate});
nudge($node, "live-beside-$_") for 21 .. 40;
wait_until_ended($node);
is($node->safe_psql('postgres', q{SELECT string_agg(outcome || ' ' || reason, ', ') FROM reengage.lineage
	WHERE requested_conversation_id IN ('live-numbers', 'live-message')}), 'refused too_large, refused too_large',
	'a message that does not fit is refused');
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT outcome, ', ') FROM reengage.lineage
	WHERE requested_conversation_id LIKE 'gone-address' OR length(requested_conversation_id) > 200}),
	'refused', 'so is what does not fit by its address or conversation');
is($node->safe_psql('postgres', q{SELECT count(*) FROM reengage.lineage
	WHERE requested_conversation_id LIKE 'live-beside-%' AND outcome = 'notified'}), 40, 'and no other nudge is touched');
is(worker_pid($node) . ' ' . courier_pid(worker_pid($node)), "$worker $courier", 'nor worker and courier');
$simulator->set(latency_ms => 0);

# --- what a thread and a bulk take ------------------------------------------------------------------

# The most memory, in MB, that a process has had so far; undef: nobody tells.
sub peak
{
	my ($pid) = @_;
	my $status = eval { PostgreSQL::Test::Utils::slurp_file("/proc/$pid/status") } // return undef;
	return $status =~ /^VmHWM:\s+(\d+) kB/m ? $1 / 1024 : undef;
}

# By how much a statement raises it in a session, once a small one has filled the caches.
sub growth
{
	my ($warm_up, $statement) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 1);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');

	$session->query_safe($warm_up);
	my $before = peak($pid);
	$session->query_safe($statement);
	my $after = peak($pid);
	$session->quit;
	return defined $before ? $after - $before : undef;
}

my $long = 4000;
$node->safe_psql('postgres', qq{
	INSERT INTO reengage.lineage (nudge_id, server, outcome, requested_conversation_id, conversation_id, previous_conversation_id,
		root_conversation_id, generation, attempts, api_calls, api_calls_saved, requested_at, due_at, occurred_at)
	SELECT gen_random_uuid(), 'genesys', 'session_created', 'live-long-0', 'live-long-' || n, 'live-long-' || n - 1, 'live-long-0', n, 1, 2, 0, now(), now(), now()
	FROM generate_series(1, $long) n;
	INSERT INTO reengage.lineage (nudge_id, server, outcome, requested_conversation_id, conversation_id, previous_conversation_id,
		root_conversation_id, generation, attempts, api_calls, api_calls_saved, requested_at, due_at, occurred_at)
	SELECT gen_random_uuid(), 'genesys', 'session_created', 'short-0', 'short-' || n, 'short-' || n - 1, 'short-0', n, 1, 2, 0, now(), now(), now()
	FROM generate_series(1, 3) n});
SKIP:
{
	skip 'nobody tells how much memory a process has had', 5 unless defined peak($$);

	my %statements = (
		locate => q{SELECT * FROM reengage_internal.locate('genesys', '%s')},
		'thread()' => q{SELECT count(*) FROM reengage.thread('%s', 'genesys')},
		'thread_diagram()' => q{SELECT length(reengage.thread_diagram('%s', 'mermaid', 'genesys'))},
		'the view threads' => q{SELECT * FROM reengage.threads WHERE root_conversation_id = '%s'});
	for my $name (sort keys %statements)
	{
		my $growth = growth(map { sprintf $statements{$name}, $_ } 'short-0', 'live-long-0');

		cmp_ok($growth, '<', 40, sprintf '%s: %.1f MB for a thread of %d conversations', $name, $growth, $long);
	}
	my $before = peak(worker_pid($node));
	nudge($node, 'live-long-0');
	nudge($node, "live-long-$long");
	wait_until_ended($node, where => q{n.conversation_id IN ('live-long-0', 'live-long-4000')});
	cmp_ok(peak(worker_pid($node)) - $before, '<', 40, 'and for the worker');
}
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT outcome || ' ' || conversation_id || ' ' || generation, ', ')
	FROM reengage.lineage WHERE root_conversation_id = 'live-long-0' AND previous_conversation_id IS NULL}),
	"notified live-long-$long $long", 'both of its ends lead to the tip');
# as many steps, each of them as far
my %steps;
for my $conversation ('short-0', 'live-long-0')
{
	my $plan = join "\n", $node->safe_psql('postgres', "EXPLAIN (ANALYZE, BUFFERS, TIMING off) SELECT reengage_internal.locate('genesys', '$conversation')");

	($steps{$conversation}) = $plan =~ /shared hit=(\d+)/;
}
cmp_ok($steps{'live-long-0'}, '<', 12 * $long, "a few pages for each conversation: $steps{'live-long-0'} in all");

SKIP:
{
	skip 'nobody tells how much memory a process has had', 1 unless defined peak($$);

	my $insert = q{INSERT INTO reengage.nudges (conversation_id, message, address, channel, due_at)
		SELECT 'bulk-' || n, 'hi', '+1317555' || lpad((n %% 10000)::text, 4, '0'), 'sms', now() + interval '1 day' FROM generate_series(1, %d) n};
	my $growth = growth(map { sprintf "SET work_mem = '1MB'; $insert", $_ } 6000, 60000);

	cmp_ok($growth, '<', 12, sprintf 'an INSERT of 60,000 nudges takes %.1f MB more than one of a tenth', $growth);
}

# --- options and files of any size and kind --------------------------------------------------------

my $folder = PostgreSQL::Test::Utils::tempdir();
my (undef, undef, $said) = $node->psql('postgres',
	q{DO $$ BEGIN EXECUTE format('CREATE SERVER long FOREIGN DATA WRAPPER reengage OPTIONS (api_url %L)', 'https://a.example/' || repeat('x', 1200000)); END $$});
like($said, qr/invalid value for option "api_url": "https:\/\/a\.example\/x+\.\.\."\n.*HINT:  It has 1200018 bytes, the most are 8192\./s,
	'an option of a megabyte is refused, and the message says what is too long');

system('mkfifo', "$folder/fifo") == 0 or die 'could not make a pipe';
open my $huge, '>', "$folder/huge" or die;
truncate $huge, 3_000_000_000 or die;
my %files = (fifo => "$folder/fifo", device => '/dev/zero', folder => $folder, huge => "$folder/huge", missing => "$folder/none");
my %complaints = (huge => qr/it is larger than 1 MB/, missing => qr/No such file/);
$node->safe_psql('postgres', qq{CREATE SERVER ${_}_ca FOREIGN DATA WRAPPER reengage
	OPTIONS (api_url 'https://127.0.0.1:$simulator->{port}', auth 'none', ca_file '$files{$_}')}) for sort keys %files;
nudge($node, "live-$_", server => "'${_}_ca'") for sort keys %files;
wait_for(sub { health($node, "server ${_}_ca") =~ /^blocked/ }, "$_ is blocked") for sort keys %files;
for my $kind (sort keys %files)
{
	my $complaint = $complaints{$kind} // qr/it is not a regular file/;

	like(health($node, "server ${kind}_ca"), qr/certificate_refused.*ca_file \Q$files{$kind}\E: $complaint/, "ca_file, a $kind: health says so");
}
like($node->safe_psql('postgres', q{SELECT check_name || ': ' || detail FROM reengage.preflight('fifo_ca', 'live-1') WHERE state = 'failed'}),
	qr/^tls: .*it is not a regular file/, 'and preflight()');
nudge($node, 'live-with-them');
wait_until_ended($node, where => q{n.conversation_id = 'live-with-them'});
is(outcome($node, 'live-with-them'), 'notified - notify', 'other servers are called meanwhile');
is(courier_pid(worker_pid($node)), $courier, 'by the same courier');

# the credentials file is everybody's: nobody waits for it, and what is wrong with it is said
for my $kind (qw(fifo folder huge))
{
	my $complaint = $kind eq 'huge' ? qr/is larger than/ : qr/is not a regular file/;

	chmod 0600, $files{$kind} if $kind ne 'folder';
	$node->append_conf('postgresql.conf', "reengage.credentials_file = '$files{$kind}'");
	$node->reload;
	# a server that is introduced anew reads it
	$node->safe_psql('postgres', 'ALTER SERVER genesys OPTIONS (' . ($kind eq 'fifo' ? 'ADD' : 'SET') . " max_attempts '5" . length($kind) . "')");
	nudge($node, "live-secret-$kind");
	ok(wait_for(sub { health($node, 'server genesys') =~ $complaint }, 'health says it'), "credentials file, a $kind: health says so");
}

done_testing();
