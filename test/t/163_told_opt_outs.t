# An API that knows who wants no messages: what it says once holds for all that
# comes later.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for lineage
  outcome health log_size log_lines ledger_matches_lineage);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main', preload => 1, servers => [qw(genesys cloud)]);
create_extension($node, $simulator);
$node->safe_psql('postgres', qq{CREATE SERVER cloud FOREIGN DATA WRAPPER reengage
	OPTIONS (dialect 'genesys_cloud', api_url '$simulator->{url}', max_requests_per_minute '0', max_failures '0', from_address '+13175559999')});

sub sql { return $node->safe_psql('postgres', @_); }

sub posts_to { my ($address) = @_; return scalar grep { ($_->{to_address} // '') eq $address && $_->{verb} ne 'check' } $simulator->requests; }

sub suppression
{
	my ($server) = @_;
	return sql("SELECT concat_ws(' ', server, channel, label, origin, until) || ': ' || reason FROM reengage.suppressions WHERE server = '$server'");
}

# Three campaigns, each on another conversation of the customer.
sub three_campaigns
{
	my ($server, $name, $address) = @_;
	my @outcomes;

	$simulator->control('POST', 'conversations', [ map { { id => "closed-$name-$_", status => 'closed', address => $address } } 1 .. 3 ]);
	for my $n (1 .. 3)
	{
		nudge($node, "closed-$name-$n", server => "'$server'", campaign => "'campaign $n'");
		wait_until_ended($node);
		push @outcomes, outcome($node, "closed-$name-$n");
	}
	return join ', ', @outcomes;
}

# --- in either dialect, with either status -------------------------------------------------------

my @words = ([ 'genesys', 400, '+13175550311', '{"code":"recipient.unsubscribed","message":"The recipient has unsubscribed"}' ],
	[ 'cloud', 403, '+13175550322', '{"code":"opted.out","message":"Recipient has opted out of messages","status":403}' ]);
my $log = log_size($node);
for (@words)
{
	my ($server, $status, $address, $body) = @$_;

	$simulator->fault(verb => 'create', address => $address, action => 'status', status => $status, body => $body);
	is(three_campaigns($server, $server, $address), 'refused opted_out create, suppressed opted_out -, suppressed opted_out -',
		"$server: what the API says to the first message ends the next two before they are sent");
	is(posts_to($address), 1, "$server: there was one POST");
	like(suppression($server), qr/^$server sms \+1317\.\.\.\d\d api: the API refused a create: \S+/, "$server: an operator sees whom, and why");
	is(health($node, "server $server"), 'ok: nothing is known against it', "$server: and the server is not blamed");
}
is(sql(q{SELECT count(*) FROM reengage.changes WHERE table_name = 'suppressions' AND new ->> 'origin' = 'api'}), 2, 'both are written down as changes');
is(scalar log_lines($node, $log, qr/13175550311|13175550322/), 0, 'and nobody is named in the log');

# --- another channel, another customer, and who changes their mind ------------------------------

$simulator->clear_faults;
$simulator->control('POST', 'conversations', { id => 'closed-by-whatsapp', status => 'closed', channel => 'whatsapp', address => '+13175550311' });
nudge($node, 'closed-by-whatsapp');
wait_until_ended($node);
is(outcome($node, 'closed-by-whatsapp'), 'session_created - create', 'it is about the channel on which it was said');
is(sql(q{SELECT reengage.unsuppress('+13175550311')}), 1, 'unsuppress() lifts it');
nudge($node, 'closed-genesys-3');
wait_until_ended($node, where => q(n.conversation_id = 'closed-genesys-3'));
is((lineage($node, q(l.requested_conversation_id = 'closed-genesys-3')))[-1]{outcome}, 'session_created', 'and a message may go out again');

# --- beside what people have said -----------------------------------------------------------------

$simulator->control('POST', 'conversations', [ map { { id => "closed-both-$_", status => 'closed', address => '+13175550333' } } 1 .. 2 ]);
$simulator->fault(verb => 'create', address => '+13175550333', action => 'status', status => 400, body => '{"message":"recipient opted out"}');
$simulator->fault(verb => 'check', id => 'closed-both-1', action => 'delay', ms => 1500);
sql(q{SELECT reengage.suppress('+13175550333', channel => 'sms', reason => 'on holiday', until => now() + interval '1 s', server => 'genesys')});
ok($node->poll_query_until('postgres', q{SELECT until < now() FROM reengage.suppressions WHERE reason = 'on holiday'}), 'an opt-out comes to its end');
nudge($node, 'closed-both-1');
wait_until_ended($node);
is(outcome($node, 'closed-both-1'), 'refused opted_out create', 'then the API says so');
is(sql(q{SELECT origin || coalesce(until::text, ' for ever') FROM reengage.suppressions WHERE label ~ '33$'}), 'api for ever', 'and it has none any more');
sql(q{SELECT reengage.suppress('+13175550333', channel => 'sms', reason => 'asked us', server => 'genesys')});
is(sql(q{SELECT origin || ' ' || reason FROM reengage.suppressions WHERE label ~ '33$'}), 'operator asked us', 'whoever asks for it besides, is named');
sql(q{SELECT reengage_internal.record_opt_out('genesys', 'sms', address_hash, NULL, label, 'again') FROM reengage.suppressions WHERE label ~ '33$'});
is(sql(q{SELECT origin || ' ' || reason FROM reengage.suppressions WHERE label ~ '33$'}), 'operator asked us', 'and what has no end is not touched by the API');

# somebody records an opt-out of the customer while the API says so: nobody waits for the other
$simulator->control('POST', 'conversations', { id => 'closed-open', status => 'closed', address => '+13175550344' });
$simulator->fault(verb => 'create', address => '+13175550344', action => 'status', status => 400, body => '{"message":"recipient opted out"}');
$simulator->set(latency_ms => 1000);
nudge($node, 'closed-open');
wait_for(sub { posts_to('+13175550344') }, 'a POST is on the wire');
my $open = $node->background_psql('postgres', on_error_stop => 1);
$open->query_safe('SET client_min_messages = warning; BEGIN');
$open->query_safe(q{SELECT reengage.suppress('+13175550344', channel => 'sms', reason => 'at the same time', server => 'genesys')});
# two calls, of which the first began after that POST
nudge($node, 'live-meanwhile');
wait_until_ended($node, where => q(n.conversation_id = 'live-meanwhile'));
is(outcome($node, 'live-meanwhile'), 'notified - notify', 'the worker goes on');
is(outcome($node, 'closed-open'), '', 'but for the outcome that has an opt-out to record');
$open->query_safe('COMMIT');
$open->quit;
wait_until_ended($node);
is(outcome($node, 'closed-open'), 'refused opted_out create', 'which comes after the other');
is(sql(q{SELECT origin || ' ' || reason FROM reengage.suppressions WHERE label ~ '44$'}), 'operator at the same time', 'and leaves it as it is');

ledger_matches_lineage($node, $simulator, 'the ledger and the lineage agree, nudge by nudge');
$node->stop;
done_testing();
