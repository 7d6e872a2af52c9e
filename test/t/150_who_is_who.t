# Who is who: one person in many spellings, two persons in similar ones, and the
# business side that a conversation is with.

use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended outcome lineage
  ledger_matches_lineage);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator('--honour-keys');
my $node = new_node('main', preload => 1, servers => [qw(genesys home cloud)]);
create_extension($node, $simulator, server_options => q(timeout '6s', proactive_channels 'sms,whatsapp,open,voice'));
$node->safe_psql('postgres', qq{
	CREATE SERVER home FOREIGN DATA WRAPPER reengage OPTIONS (api_url '$simulator->{url}', max_requests_per_minute '0',
		default_country_code '49', from_addresses 'sms=+4930123000,open=shop-2', from_addresses_overrule 'on');
	CREATE SERVER cloud FOREIGN DATA WRAPPER reengage OPTIONS (dialect 'genesys_cloud', api_url '$simulator->{url}', max_requests_per_minute '0',
		from_addresses 'whatsapp=7d1f-wa')});

# Dead conversations, or live ones by their name.
sub conversations
{
	my ($channel, %parties) = @_;

	$simulator->control('POST', 'conversations', [ map {
		my ($customer, $business) = @{ $parties{$_} };
		{ id => $_, status => /^live/ ? 'active' : 'closed', channel => $channel, address => $customer, $business ? (business => $business) : () }
	} sort keys %parties ]);
	return;
}

# What becomes of nudges, one after the other.
sub ask
{
	my ($server, @conversations) = @_;

	for (@conversations)
	{
		nudge($node, $_, server => "'$server'");
		wait_until_ended($node);
	}
	return join ', ', map { outcome($node, $_) } @conversations;
}

sub place_of { my ($conversation) = @_; return (lineage($node, "l.requested_conversation_id = '$conversation'"))[-1]{conversation_id}; }

# The request for a session that a nudge ended with.
sub session_of
{
	my ($conversation) = @_;
	my $nudge_id = (lineage($node, "l.requested_conversation_id = '$conversation'"))[-1]{nudge_id};

	return (grep { ($_->{nudge_id} // '') eq $nudge_id && $_->{verb} eq 'create' } $simulator->requests)[-1] // {};
}

# --- a conversation is a pair: a customer and a business side --------------------------------------

my $person = '+442079460301';
my ($bank, $shop) = ('+442079469001', '+442079469002');
conversations('sms', 'closed-loan' => [ $person, $bank ], 'closed-cart' => [ $person, $shop ], 'closed-cart-2' => [ $person, $shop ],
	'closed-loan-2' => [ '0044 20 7946 0301', '+44 (0)20 7946-9001' ]);
is(ask('genesys', 'closed-loan'), 'session_created - create', 'the bank begins a session');
is(ask('genesys', 'closed-cart'), 'session_created - create', 'and so does the shop, with the same customer');
isnt(place_of('closed-cart'), place_of('closed-loan'), 'in another conversation');
is(session_of('closed-cart')->{from_address}, $shop, 'in its own name');
is(ask('genesys', 'closed-cart-2'), 'session_created joined notify', 'which its next message joins');
is(place_of('closed-cart-2'), place_of('closed-cart'), 'there');
is(ask('genesys', 'closed-loan-2'), 'session_created joined notify', q{the bank finds its own behind the shop's, however it is spelled});
is(place_of('closed-loan-2'), place_of('closed-loan'), 'there');

# a conversation that is with somebody else by now, or does not say with whom
for my $other ('+442079460399', '')
{
	my $id = 'closed-moved-' . length $other;
	conversations('sms', $id => [ '+44207946031' . length($other) % 10, $bank ], "$id-2" => [ '+44207946031' . length($other) % 10, $bank ]);
	ask('genesys', $id);
	conversations('sms', $id => [ '+44207946031' . length($other) % 10, $bank ]);
	$simulator->control('POST', 'conversations', [ { id => place_of($id), status => 'active', channel => 'sms', address => $other, business => $bank } ]);
	is(ask('genesys', "$id-2"), 'session_created - create', $other ? 'one that is with another customer is not joined' : 'nor one that names none');
}

# --- ids are what they are ----------------------------------------------------------------------------

conversations('open', 'closed-id-1' => ['31-4'], 'closed-id-2' => ['3-14'], 'closed-id-3' => ['Guest.A'], 'closed-id-4' => ['guest.a'],
	'closed-id-5' => ['31-4']);
is(ask('genesys', map { "closed-id-$_" } 1 .. 4), join(', ', ('session_created - create') x 4), 'similar ids are different customers');
is(join(' ', map { session_of("closed-id-$_")->{to_address} } 1 .. 4), '31-4 3-14 Guest.A guest.a', 'who are addressed as they are');
is(ask('genesys', 'closed-id-5'), 'session_created joined notify', 'the same id is the same one');

# --- an opt-out holds however the API spells the number -------------------------------------------------

my $none = 'suppressed opted_out -';
$node->safe_psql('postgres', q{SELECT reengage.suppress(a) FROM unnest(ARRAY['0044 20 7946 0401', '+55 21 8765-0402', '+4930 9018 0403', '+52 1 33 1234 0404']) a});
conversations('whatsapp', 'closed-wa-1' => ['442079460401'], 'closed-wa-2' => ['5521987650402'], 'closed-wa-3' => ['523312340404'], 'live-wa-4' => ['5213312340404'],
	'closed-wa-5' => ['442079460402']);
conversations('sms', 'closed-sms-1' => ['+44 (0)20 7946 0401'], 'live-sms-2' => ['+5521987650402']);
conversations('voice', 'live-voice-1' => ['tel:+44-20-7946-0401']);
is(ask('genesys', qw(closed-wa-1 closed-wa-2 closed-wa-3 live-wa-4 closed-sms-1 live-sms-2 live-voice-1)), join(', ', ($none) x 7), 'on any channel');
is(ask('genesys', 'closed-wa-5'), 'session_created - create', 'another number is another customer');
conversations('sms', 'closed-home-1' => ['030 9018 0403'], 'closed-home-2' => ['4930 90180404x']);
is(ask('home', 'closed-home-1'), $none, 'a national number, where the server says its country');
is(ask('genesys', 'closed-home-1'), "$none, refused address_is_no_number -", 'is none where it does not');

# --- what cannot be compared is not written to -----------------------------------------------------------

for my $server (qw(genesys cloud))
{
	conversations('sms', "closed-none-$server" => ['guest-9'], "live-none-$server" => ['442079460018.0'], "live-null-$server" => ['NULL']);
	is(ask($server, "closed-none-$server", "live-none-$server", "live-null-$server"),
		'refused address_is_no_number -, refused address_is_no_number -, refused no_address -', "$server: an address that is no number");
	is_deeply([ map { $simulator->verbs("id=$_-$server") } qw(closed-none live-none live-null) ], [ ('check') x 3 ], "$server: only a look was made");
}

# --- an address that nobody but a nudge tells ----------------------------------------------------------------

# Nudges that roles ask for; the address is one that the role knows of, or none.
sub asked_by
{
	my ($role, $conversation, $address) = @_;

	$node->safe_psql('postgres', "SET ROLE $role; SELECT reengage.nudge('$conversation', 'for $role'"
		  . ($address ? ", address => '$address', channel => 'sms')" : ')'));
	wait_until_ended($node);
	return (split /, /, outcome($node, $conversation))[-1];
}
my ($theirs, $customers) = ('+442079460601', '+442079460602');
$node->safe_psql('postgres', q{CREATE ROLE thief; CREATE ROLE broker; CREATE ROLE clerk;
	GRANT reengage_application TO thief, broker; GRANT reengage_operator TO clerk;
	GRANT USAGE ON FOREIGN SERVER genesys TO thief, broker});
conversations('webchat', 'closed-web' => ['guest-10']);
for my $id ('gone-web', 'closed-web')
{
	like(asked_by('thief', $id, $theirs), qr/^session_created (joined_)?named /, "$id: a session at an address that only the nudge tells");
	is(asked_by('broker', $id, $customers), 'refused named_by_another -', 'leads nobody else who names another');
	is(asked_by('broker', $id), 'refused named_by_another -', 'nor who names none');
	is(asked_by('broker', $id, '0044 20 7946 0601'), 'notified - notify', 'but who names the same');
	is(asked_by('thief', $id), 'notified - notify', 'and the role itself');
}
is(scalar(grep { $_->{message} eq 'for broker' && $_->{address} eq $theirs } $simulator->effects), 2, 'what others write reaches him only if they say so');
is($node->safe_psql('postgres', q{SET ROLE broker; CREATE TEMP TABLE later AS SELECT reengage.nudge('gone-web', 'hi', due_at => now() + interval '1 day') AS id;
	RESET ROLE; SELECT string_agg(DISTINCT fault, ' ') FROM later, reengage.preview(id);
	SELECT reengage.cancel(id) FROM later}), "named_by_another\ncancelled", 'preview() says so beforehand');
# a conversation of his own that tells of nobody, which he says is the customer's
conversations('sms', 'live-his' => ['']);
asked_by('thief', 'live-his', '+442079460604');
is(asked_by('broker', 'gone-claimed', '+442079460604'), 'session_created named create', 'a conversation that is only said to be a customer\'s is not joined');
is(asked_by('broker', 'gone-again', '+442079460604'), 'session_created joined_named notify', 'but a session that was made for him');
asked_by('clerk', 'gone-clerk', $theirs);
is(asked_by('broker', 'gone-clerk'), 'notified - notify', 'an operator is believed');
conversations('sms', 'closed-told' => [$customers]);
is(asked_by('thief', 'closed-told', $theirs), 'session_created - create', 'where the conversation tells the customer, that is who');
is(asked_by('broker', 'closed-told'), 'notified - notify', 'others follow');
# also behind a session of the customer's that the API has forgotten
$simulator->control('POST', 'conversations', [ { id => place_of('closed-told'), status => 'closed', channel => 'webchat', address => 'guest-11' } ]);
is(asked_by('thief', 'closed-told', $theirs), 'session_created joined_named notify', 'he leads the thread to his own session');
is(asked_by('broker', 'closed-told'), 'refused named_by_another -', 'where nobody follows him');

# --- what goes out, and in whose name -----------------------------------------------------------------------

conversations('sms', 'closed-out-1' => [ '0049 (0)30 90180501', '+442079469001' ], 'closed-out-2' => [ '+5213312340502', '+442079469001' ]);
conversations('whatsapp', 'closed-out-3' => [ '5213312340503', '442079469001' ]);
conversations('open', 'closed-out-4' => [ 'Guest 4', 'shop-1' ]);
ask('home', map { "closed-out-$_" } 1 .. 4);
is(join(' ', map { session_of("closed-out-$_")->{to_address} } 1 .. 3), '+493090180501 +523312340502 5213312340503',
	'SMS goes to a number, WhatsApp to the id that the API named');
is(join(' ', map { session_of("closed-out-$_")->{from_address} } 1 .. 4), '+4930123000 +4930123000 442079469001 shop-2',
	'a sender of the channel overrules the old one, if it is told to');
conversations('sms', 'closed-kept' => [ '+442079460504', '+442079469001' ]);
conversations('whatsapp', 'closed-integration' => [ '442079460505', '442079469001' ]);
ask('cloud', 'closed-kept');
nudge($node, 'closed-integration', server => "'cloud'", detail => q('{"template": {"responseId": "r-1"}}'));
wait_until_ended($node);
is(session_of('closed-kept')->{from_address}, '+442079469001', 'else the business side stays');
is(join(' ', @{ session_of('closed-integration') }{qw(to_address from_address)}), '442079460505 7d1f-wa',
	'Genesys Cloud: digits, and the integration for a sender');

ledger_matches_lineage($node, $simulator, 'the ledger and the lineage agree, nudge by nudge', honours_keys => 1);
# but for the statements of this test itself
unlike(join("\n", grep { !/LOG:  statement:/ } split /\n/, slurp_file($node->logfile)), qr/7946 ?0[345]\d\d|Guest[ .]/, 'no address is in the log');

$node->stop;
done_testing();
