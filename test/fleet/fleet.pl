# A day of a fleet: a front, three nodes, a synchronous standby of one of them, and a
# subscriber.  Organisations with quotas and latencies of their own, nudges by COPY
# through the front; opt-outs and answers said at any node; a server moves, and a node
# dies.  Then the APIs' ledgers are compared with what all nodes say, nudge by nudge
# (proof.sql).
#
# "make fleet NUDGES=100000 SEED=1" runs it for people; the suite's is small
# (test/t/239_fleet.t).

use strict;
use warnings FATAL => 'all';

use FindBin;
use IPC::Run ();
use JSON::PP ();
use List::Util qw(max min sum0 shuffle);
use FleetDay qw(report kept table_of grouped start_apis api_of new_member new_standby synchronous processes_of kill_member address_of
  start_statement is_running complaint_of fetch_csv copy_rows);
use Reengage qw(customer_address wait_for worker_pid poll_until);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $nudges = $ENV{NUDGES} || 100_000;
my $organisations = $ENV{ORGANISATIONS} || 30;
my $seed = $ENV{SEED} || 1;
# how long it takes if quotas alone decide, in minutes
my $minutes = $ENV{QUOTA_MINUTES} || 2.5;
my $batches = $nudges < 10_000 ? 10 : 20;
# so many divide the 10^8 of Reengage::customer_address()
my $customers = (grep { $_ <= $nudges / 2 } map { (10**$_, 2 * 10**$_, 5 * 10**$_) } 1 .. 6)[-1];
# who opt out or answer meanwhile
my $speakers = max(40, $nudges / 500);
my @names = qw(a b c);

srand $seed;
sub pick { return $_[ int rand @_ ]; }
sub customer_of { my ($conversation) = @_; my ($number) = customer_address($conversation) =~ /^\+1317555(\d+)/; return sprintf '+1317555%08u', $number % $customers; }

# ---- who there is ----------------------------------------------------------------------------------

# Each has a part of the nudges that its quota can bear.
sub plan_organisations
{
	my @plan = map { { name => sprintf('org_%02d', $_), number => $_, node => $names[ ($_ + int($_ / @names)) % @names ], weight => pick(1, 2, 4, 8) } } 0 .. $organisations - 1;
	my $weights = sum0(map { $_->{weight} } @plan);

	for (@plan)
	{
		# two requests are a nudge
		$_->{quota} = max(60, 60 * int(2 * $nudges * $_->{weight} / $weights / $minutes / 60));
		$_->{api} = api_of($_->{number});
	}
	return @plan;
}

sub uuid { return sprintf '%08x-%04x-4%03x-%04x-%08x%04x', rand 2**32, rand 2**16, rand 2**12, 0x8000 | rand 2**14, rand 2**32, rand 2**16; }

# The rows of one COPY, into a file; some conversations are asked for again.
sub write_batch
{
	my ($number, $size, $file, @plan) = @_;
	my @urn = map { ($_) x $_->{weight} } @plan;
	my @rows;

	for (1 .. $size)
	{
		my $of = pick(@urn);
		my $id = sprintf '%s-%s-%d', pick('live', 'closed'), $of->{name} =~ tr/_/-/r, rand($nudges * $of->{weight} / @urn * 3);

		push @rows, join ',', uuid(), $of->{name}, $id, '"Are you still there?"', 'day';
	}
	append_to_file($file, join '', map { "$_\n" } @rows);
	return map { (split /,/)[2] } @rows;
}

# ---- the fleet ---------------------------------------------------------------------------------------

my (%node, %address, $front, $standby, $warehouse, @plan);
sub sql { my ($at, @rest) = @_; return $node{$at}->safe_psql('postgres', @rest); }

sub make_nodes
{
	for my $name (@names)
	{
		my @at_it = grep { $_->{node} eq $name } @plan;

		$node{$name} = new_member($name, preload => 1, servers => [ map { $_->{name} } @plan ],
			conf => "reengage.instance_key = 'node $name of the fleet'\n");
		$address{$name} = address_of($node{$name});
		sql($name, 'CREATE EXTENSION reengage');
		sql($name, join '', map { "CREATE SERVER $_->{name} FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$_->{api}{url}', "
			. "max_requests_per_minute '$_->{quota}', max_failures '0', max_in_flight '16', timeout '30s');\n" } @at_it);
		sql($name, 'SELECT reengage.arm()');
		report(sprintf 'node %s is armed, with %d organisations: quotas of %s to %s requests a minute', $name, scalar @at_it,
			grouped(min(map { $_->{quota} } @at_it)), grouped(max(map { $_->{quota} } @at_it)));
	}
	return;
}

# b has a standby that knows all that b has confirmed.
sub make_standby
{
	$standby = new_standby('b2', $node{b});
	synchronous($node{b}, $standby);
	$address{b} = address_of($node{b}, $standby);
	return report('b has a synchronous standby, b2');
}

# The mesh of news: each node hears what is said at the others.
sub hear_each_other
{
	sql($_, "SELECT reengage.join_fleet('$_')") for @names;
	return report('no news yet') if sql('a', q{SELECT to_regproc('reengage.publish_news') IS NULL}) eq 't';
	for my $name (@names) { hear($name, $_) for grep { $_ ne $name } @names; }
	return report('each node hears what is said at the others');
}

# Statement by statement, as the documents say; again after a slot was lost.
sub hear
{
	my ($name, $from) = @_;
	my $connection = $address{$from} =~ s/'/''/gr;

	sql($from, 'SELECT reengage.publish_news()');
	my $slot = sql($from, "SELECT reengage.make_news_slot('$name')");
	sql($name, $_) for split /\n/, sql($name, "SELECT reengage.news_ddl('$from', '$connection', '$slot')");
	return;
}

sub make_front
{
	$front = new_member('front');
	$front->safe_psql('postgres', 'CREATE EXTENSION reengage_front CASCADE');
	$front->safe_psql('postgres', "SELECT reengage_front.set_nodes('" . JSON::PP::encode_json(\%address) =~ s/'/''/gr . "')");
	return report('the front shows them as one');
}

sub make_subscriber
{
	$warehouse = new_member('warehouse');
	sql($_, q{SELECT reengage.publish('reengage_bi')}) for @names;
	$warehouse->safe_psql('postgres', sql('a', 'SELECT reengage.subscriber_ddl(several_nodes => true)'));
	collect_from($_) for @names;
	return report('a subscriber, without the extension, collects what all of them record');
}

sub collect_from
{
	my ($name) = @_;
	my $connection = $address{$name} =~ s/'/''/gr;

	$warehouse->safe_psql('postgres', "CREATE SUBSCRIPTION $name CONNECTION '$connection' PUBLICATION reengage_bi");
	return;
}

# ---- the day -------------------------------------------------------------------------------------------

my $columns = 'nudge_id, server, conversation_id, message, campaign';
my $folder = PostgreSQL::Test::Utils::tempdir();
my %day = (asked => 0, acknowledged => 0, batch => 0, opt_outs => 0, answers => 0, repeated => 0, longest_copy => 0, conversations => []);

# An application asks for some more.
sub ask
{
	my $size = int($nudges * ++$day{batch} / $batches) - $day{asked};

	push @{ $day{conversations} }, write_batch($day{batch}, $size, "$folder/batch_$day{batch}", @plan);
	$day{asked} += $size;
	return $day{running} = start_statement($front, "\\copy reengage.nudges ($columns) FROM '$folder/batch_$day{batch}' (FORMAT csv)");
}

# What fails it asks for again, under the same ids, until it is told that it was taken.
sub hear_what_became_of_it
{
	my $running = $day{running};

	return if is_running($running);
	$day{longest_copy} = max($day{longest_copy}, time - $running->{began}) if !$running->{again};
	delete $day{running};
	if ($running->{harness}->full_result(0) == 0)
	{
		$day{acknowledged} = $day{asked};
		return;
	}
	report('the application is told: ' . complaint_of($running)) unless $day{repeated}++;
	$day{running} = start_statement($front, 'BEGIN', 'CREATE TEMP TABLE again (nudge_id uuid, server text, conversation_id text, message text, campaign text) ON COMMIT DROP',
		"\\copy again FROM '$folder/batch_$day{batch}' (FORMAT csv)",
		"INSERT INTO reengage.nudges ($columns) SELECT $columns FROM again ON CONFLICT DO NOTHING", 'COMMIT');
	return $day{running}{again} = 1;
}

sub asks_on
{
	return hear_what_became_of_it() if $day{running};
	# what has been asked for and has not ended stays a quarter of all, so that the day is long
	return $day{batch} < $batches && $day{asked} - $day{ended} <= $nudges / 4 && ask();
}

# A customer says at any node, or at the front, that they want no more, or that they have answered.
sub customer_speaks
{
	my $address = customer_of(pick(@{ $day{conversations} }));
	my $at = pick(grep { !$day{dead} || $_ ne 'b' } @names, 'front');
	my $server = $at eq 'front' ? $front : $node{$at};
	my $is_opt_out = rand() < 0.5;
	my $call = $is_opt_out ? "suppress(address => '$address', channel => 'sms', reason => 'said at $at')" : "record_answer(address => '$address', channel => 'sms')";

	$server->safe_psql('postgres', "SELECT count(*) FROM reengage.$call");
	return $day{ $is_opt_out ? 'opt_outs' : 'answers' }++;
}

sub look
{
	my $due = sum0(map { $_->safe_psql('postgres', 'SELECT count(*) FROM reengage.due') } grep { !$day{dead} || $_ != $node{b} } values %node);

	$day{ended} = max($day{ended} // 0, $day{acknowledged} - $due);
	return if time - ($day{told} //= time) < ($ENV{FLEET_WATCHED} ? 10 : 1000);
	$day{told} = time;
	return report(sprintf 'asked for %s nudges of %s; %s have ended; %d opt-outs, %d answers', map({ grouped($_) } $day{asked}, $nudges, $day{ended}), @day{qw(opt_outs answers)});
}

sub move_a_server
{
	if (!$day{move} && $day{asked} >= 0.3 * $nudges)
	{
		my ($moved) = grep { $_->{node} eq 'a' } shuffle @plan;

		$day{moved} = $moved;
		if ($ENV{NO_MOVE}) { $day{move} = {}; $day{move_took} = 0.1; return; }
		$day{move} = start_statement($front, "CALL reengage.move_server('$moved->{name}', 'c')");
		return report("$moved->{name} moves from a to c");
	}
	return if !$day{move} || $day{move_took};
	my $running = is_running($day{move});
	report("    $_") for grep { !$day{told_of_move}{$_}++ } $day{move}{err} =~ /NOTICE:\s+(.*)\n/g;
	return if $running;
	$day{move_took} = time - $day{move}{began};
	return kept(sprintf("$day{moved}{name} is at c, after %.1f s", $day{move_took}), $day{move}{harness}->full_result(0) == 0 ? () : complaint_of($day{move}));
}

# While calls of it are on the wire, and a COPY is on its way.
sub kill_b
{
	return if $day{killed_at} || !$day{move_took} || $day{asked} < 0.6 * $nudges || $day{running};
	my @of_b = grep { $_->{node} eq 'b' } @plan;

	$_->{api}->fault(verb => $_->{verb}, id => $_->{prefix}, action => 'hang_after', times => 3)
	  for map { my $of = $_; map { { api => $of->{api}, verb => $_, prefix => ($_ eq 'notify' ? 'live-' : 'closed-') . $of->{name} =~ tr/_/-/r } } qw(notify create) } @of_b;
	# not for a second one: where little is left, the first would have timed out by then
	wait_for(sub { sum0(map { $_->counts->{hanging} } FleetDay::apis()) >= 1 || !sql('b', 'SELECT count(*) FROM reengage.due') }, 'calls of b are on the wire');
	my @processes = processes_of($node{b});
	ask();
	$day{killed_at} = time;
	kill_member($node{b}, @processes);
	$day{gone_at} = time;
	$day{dead} = 1;
	$_->clear_faults for FleetDay::apis();
	report('b is killed, with calls on the wire');
	$standby->promote;
	$standby->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
	$node{b} = $standby;
	$day{dead} = 0;
	wait_for(sub { worker_pid($standby) }, 'its worker starts');
	$day{took_over} = time - $day{killed_at};
	report(sprintf 'b2 is b now, after %.1f s', $day{took_over});
	return mend_after_failover();
}

# Before version 17 no slot follows to the standby: the subscriber reads b anew, and keeps
# what it has.
sub mend_after_failover
{
	$warehouse->safe_psql('postgres', $_) for 'ALTER SUBSCRIPTION b DISABLE', 'ALTER SUBSCRIPTION b SET (slot_name = NONE)', 'DROP SUBSCRIPTION b';
	collect_from('b');
	hear(@$_) for [qw(a b)], [qw(c b)], [qw(b a)], [qw(b c)];
	return report('the subscriber and the other nodes follow b2, and read anew what it has');
}

# Somebody looks at the API for what is in doubt, and says at the front what became of it:
# what follows in these conversations waits for that.
sub settle_doubts
{
	my @doubts = split /\n/, $front->safe_psql('postgres', 'SELECT lineage_id, nudge_id FROM reengage.in_doubt');

	for (@doubts)
	{
		my ($lineage_id, $nudge_id) = split /\|/;
		my ($effect) = map { $_->effects("nudge=$nudge_id") } FleetDay::apis();
		my $verdict = !$effect ? q('not_sent') : $effect->{effect} eq 'created' ? "'sent', '$effect->{conversation_id}'" : q('sent');

		$front->safe_psql('postgres', "SELECT reengage.resolve('$lineage_id', $verdict)");
	}
	report(scalar(@doubts) . ' doubts are settled at the front, by what the API says') if @doubts;
	return $day{settled} = 1;
}

sub live
{
	my $spoken = 0;

	$day{ended} = 0;
	$day{began_at} = time;
	report('nudges go in through the front, by COPY');
	while (1)
	{
		look();
		asks_on();
		move_a_server();
		kill_b();
		settle_doubts() if $day{killed_at} && !$day{settled} && $day{acknowledged} == $nudges;
		if ($spoken < $speakers * $day{asked} / $nudges)
		{
			customer_speaks();
			$spoken++;
		}
		last if $day{batch} == $batches && !$day{running} && $day{ended} >= $nudges && $day{killed_at};
		select undef, undef, undef, 0.05;
	}
	$day{over_at} = time;
	return report(sprintf 'all %s nudges have ended', grouped($nudges));
}

# ---- the proof ---------------------------------------------------------------------------------------------

# Since when a node knows it.  What is heard commits with the time of where it was said.
sub heard_at
{
	my ($kind) = @_;
	return "coalesce((SELECT max(n.heard_at) FROM reengage.news n WHERE n.address_hash = s.address_hash AND n.kind = '$kind'), pg_xact_commit_timestamp(s.xmin))";
}

sub collect_proof
{
	my $lineage_columns = $warehouse->safe_psql('postgres', q{SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
		WHERE attrelid = 'reengage.lineage'::regclass AND attnum > 0 AND NOT attisdropped AND attname <> 'node'});

	$warehouse->safe_psql('postgres', q{
		CREATE SCHEMA proof;
		CREATE TABLE proof.asked (nudge_id uuid, server text, conversation_id text, message text, campaign text);
		CREATE TABLE proof.lineage AS TABLE reengage.lineage WITH NO DATA;
		CREATE TABLE proof.suppressions (node text, address_hash text, reason text, heard_at timestamptz);
		CREATE TABLE proof.answers (node text, address_hash text, answered_at timestamptz, heard_at timestamptz);
		CREATE TABLE proof.quotas (server text, quota integer, may_begin_anew boolean);
		CREATE TABLE proof.killed (node text, at timestamptz, gone timestamptz);
		CREATE TABLE proof.requests (sequence bigint, arrived_us bigint, connection text, reused text, verb text, status integer, authorised text,
			replayed text, fault text, method text, path text, conversation_id text, previous_id text, key text, nudge_id uuid,
			to_address text, from_address text, channel text, message text);
		CREATE TABLE proof.effects (request bigint, happened_us bigint, verb text, effect text, conversation_id text, previous_id text, address text,
			key text, nudge_id uuid, message text)});
	$warehouse->safe_psql('postgres', "\\copy proof.asked FROM '$folder/batch_$_' (FORMAT csv)") for 1 .. $batches;
	$warehouse->safe_psql('postgres', "INSERT INTO proof.killed VALUES ('b', to_timestamp($day{killed_at}), to_timestamp($day{gone_at}))");
	$warehouse->safe_psql('postgres', join '', map { "INSERT INTO proof.quotas VALUES ('$_->{name}', $_->{quota}, " . ($_->{node} eq 'b' || $_ == $day{moved} ? 'true' : 'false') . ');' } @plan);
	for my $name (@names)
	{
		copy_rows($node{$name}, "SELECT '$name', $lineage_columns FROM reengage.lineage", $warehouse, "proof.lineage (node, $lineage_columns)");
		copy_rows($node{$name}, "SELECT '$name', address_hash, reason, " . heard_at('opted_out') . ' FROM reengage.suppressions s WHERE address_hash IS NOT NULL', $warehouse, 'proof.suppressions');
		copy_rows($node{$name}, "SELECT '$name', address_hash, answered_at, " . heard_at('answered') . ' FROM reengage.answers s WHERE address_hash IS NOT NULL', $warehouse, 'proof.answers');
	}
	for my $api (FleetDay::apis())
	{
		$warehouse->safe_psql('postgres', "\\copy proof.$_ FROM '" . fetch_csv($api, $_, "$folder/$_") . "' (FORMAT csv, HEADER)") for qw(requests effects);
	}
	return $warehouse->safe_psql('postgres', slurp_file("$FindBin::RealBin/../fleet/proof.sql"));
}

sub proof { my ($question) = @_; return $warehouse->safe_psql('postgres', $question); }
sub what_holds { my ($at) = @_; return sql($at, q{SELECT md5(string_agg(x::text, ',' ORDER BY x)) FROM (SELECT address_hash, channel, 'out' FROM reengage.suppressions UNION ALL SELECT address_hash, NULL, answered_at::text FROM reengage.answers) x}); }
sub broken { my (@rules) = @_; return split /\n/, proof("SELECT concat_ws(' ', rule || ':', nudge_id, fact) FROM proof.broken WHERE rule = ANY ('{" . join(',', map { "\"$_\"" } @rules) . "}') LIMIT 20"); }

sub prove
{
	report('what the APIs saw beside what the nodes say');
	poll_until($warehouse, 'postgres', q{SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel});
	for my $name (@names)
	{
		sql($name, 'CALL reengage.close_part()');
		$node{$name}->wait_for_catchup($name);
	}
	collect_proof();
	my ($messages, $doubts, $sent) = split /\|/, proof(q{SELECT (SELECT count(*) FROM proof.effects), count(*), count(arrived) FROM proof.doubts});

	kept(sprintf('lost 0: each of %s nudges has its one outcome, at one node', grouped($nudges)), broken('lost', 'one outcome'));
	kept(sprintf('twice 0: %s messages, none of a nudge or after a session twice', grouped($messages)), broken('twice', 'not asked for'));
	kept('the ledgers and the lineage agree, nudge by nudge', broken('ledger'));
	kept("doubts: $doubts, all of calls that b had on the wire when it died, of which $sent had arrived", broken('doubt'));
	kept("the last word: of $day{opt_outs} opt-outs and $day{answers} answers, nobody was written to who was known to want no more", broken('last word'));
	kept('no API saw more requests in any minute than its quota allows', split /\n/, proof(q{SELECT format('%s: %s of %s', server, most, quota) FROM proof.too_fast}));
	kept('each node knows of all opt-outs and answers', grep { $_ ne what_holds('a') } map { what_holds($_) } qw(b c));
	kept('the subscriber has each row of all nodes, once, and of each node', broken('collected'));
	kept('what it has of each node and day is what the node counted', split /\n/, proof(q{
		SELECT concat_ws(' ', r.node, r.day, r.state, r.columns_differ) FROM reengage.reconciliation r
		WHERE r.state NOT IN ('equal', 'equal so far') AND NOT (r.state = 'more rows than counted' AND r.node IN (SELECT o.node FROM proof.only_there o))}));
	cmp_ok(proof(q{SELECT count(*) FROM proof.outcomes WHERE outcome = 'suppressed'}), '>', 0, 'some nudges came after the opt-out');
	return;
}

# That the proof finds what it looks for: each fault is made, found, and taken back.
sub doubt_the_proof
{
	my $sent = q{(SELECT e.nudge_id FROM proof.effects e JOIN proof.outcomes o USING (nudge_id) WHERE o.outcome IN ('notified', 'session_created') AND o.address_hash IS NOT NULL LIMIT 1)};
	my @faults = (
		[ 'lost', 'a nudge without an outcome', "DELETE FROM proof.lineage WHERE nudge_id = $sent" ],
		[ 'lost', 'an outcome that nobody asked for', "DELETE FROM proof.asked WHERE nudge_id = $sent" ],
		[ 'one outcome', 'an outcome at two nodes', "INSERT INTO proof.lineage SELECT * FROM proof.outcomes WHERE nudge_id = $sent" ],
		[ 'twice', 'a message twice', "INSERT INTO proof.effects SELECT * FROM proof.effects WHERE nudge_id = $sent" ],
		[ 'twice', 'a call twice', "INSERT INTO proof.requests SELECT * FROM proof.requests WHERE nudge_id = $sent" ],
		[ 'not asked for', 'a call that nobody asked for', "DELETE FROM proof.asked WHERE nudge_id = $sent" ],
		[ 'ledger', 'an outcome that is another', "UPDATE proof.lineage SET outcome = CASE outcome WHEN 'notified' THEN 'session_created' ELSE 'notified' END, reason = NULL WHERE nudge_id = $sent" ],
		[ 'ledger', 'an outcome without its effect', "DELETE FROM proof.effects WHERE nudge_id = $sent" ],
		[ 'doubt', 'a doubt that nothing explains', "UPDATE proof.lineage SET outcome = 'in_doubt', reason = 'timeout' WHERE nudge_id = $sent" ],
		(map { [ 'last word', "a message after an $_->[0]", qq{INSERT INTO proof.$_->[1] (node, address_hash, $_->[2], heard_at)
			SELECT o.node, o.address_hash, $_->[3], to_timestamp(e.happened_us / 1e6) - interval '2 s' FROM proof.outcomes o JOIN proof.effects e USING (nudge_id) WHERE o.nudge_id = $sent} ] }
			[ 'opt-out', 'suppressions', 'reason', q{'said at a'} ], [ 'answer', 'answers', 'answered_at', 'o.requested_at + interval $$1 ms$$' ]),
		[ 'collected', 'a row that the subscriber lacks', "DELETE FROM reengage.lineage WHERE nudge_id = $sent" ],
		[ 'collected', 'a row that differs there', "UPDATE reengage.lineage SET campaign = 'another' WHERE nudge_id = $sent" ],
		[ 'collected', 'a row that no node wrote', "DELETE FROM proof.lineage WHERE nudge_id = $sent" ]);

	for my $fault (@faults)
	{
		my ($rule, $title, $statement) = @$fault;
		is(proof("BEGIN; $statement; SELECT count(*) > 0 FROM proof.broken WHERE rule = '$rule'; ROLLBACK"), 't', "the proof would find $title");
	}
	is(proof('BEGIN; UPDATE proof.quotas SET quota = 0; SELECT count(*) > 0 FROM proof.too_fast; ROLLBACK'), 't', 'the proof would find an API that was asked too often');
	return;
}

sub show
{
	my ($median, $last, $heard) = split /\|/, proof(q{SELECT round(extract(epoch FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY lag)) * 1000, 1), round(extract(epoch FROM max(lag)) * 1000), count(*)
		FROM proof.lags});

	report('');
	table_of([ 'node', 'organisations', 'outcomes', 'notified', 'sessions', 'opted out', 'answered', 'in doubt' ],
		map { [ split /\|/ ] } split /\n/, proof(q{
			SELECT node, count(DISTINCT server), count(*), count(*) FILTER (WHERE outcome = 'notified'), count(*) FILTER (WHERE outcome LIKE 'session%'),
				count(*) FILTER (WHERE outcome = 'suppressed'), count(*) FILTER (WHERE outcome = 'answered' OR reason = 'answered'), count(*) FILTER (WHERE outcome = 'in_doubt')
			FROM proof.outcomes GROUP BY node ORDER BY node}));
	report('');
	table_of([ 'what', 'figure' ],
		[ 'nudges a second, from the first COPY to the last outcome', sprintf '%.0f', $nudges / ($day{over_at} - $day{began_at}) ],
		[ 'longest COPY through the front, s', sprintf '%.1f', $day{longest_copy} ],
		[ 'the move, s', sprintf '%.1f', $day{move_took} ],
		[ 'from the death of b to a worker of b2, s', sprintf '%.1f', $day{took_over} ],
		[ 'times that a COPY was asked for again', $day{repeated} ],
		[ "until an opt-out is known at another node, median of $heard, ms", $median ],
		[ 'the latest of them, ms', $last ]);
	return;
}

report(sprintf 'a fleet of three nodes for %d organisations and %s nudges, seed %d', $organisations, grouped($nudges), $seed);
start_apis($customers, 2, 15, 60);
@plan = plan_organisations();
make_nodes();
make_standby();
hear_each_other();
make_front();
make_subscriber();
live();
prove();
# in small: of many nudges it takes long
doubt_the_proof() unless $ENV{FLEET_WATCHED};
show();
$_->stop for $front, $warehouse, values %node;
done_testing();
1;
