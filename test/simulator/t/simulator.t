# The API simulator against its own promises: what a client sees byte by byte,
# and what the ledger says about it.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use IO::Select;
use JSON::PP;
use Test::More;
use Time::HiRes qw(time);

use Simulator;

sub test_tokens
{
	my $good = login();
	is($good->{status}, 200, 'a token is issued');
	is($good->{json}{token_type}, 'bearer', 'it is a bearer token');
	is($good->{json}{expires_in}, 86400, 'its life is told');
	is(check('live-1')->{status}, 200, 'it is accepted');
	ok(last_request()->{authorised}, 'which the ledger says');

	is(login('demo:wrong')->{json}{error}, 'invalid_client', 'a wrong secret is refused');
	is(login('demo')->{status}, 401, 'so are half credentials');
	is(login(undef, 'grant_type=password')->{status}, 400, 'so is another grant');
	is(api(GET => '/oauth/token')->{status}, 405, 'a token is not fetched by GET');

	my $none = check('live-1');
	is($none->{status}, 401, 'no token, no answer');
	like($none->{headers}{'inin-correlation-id'}, qr/^[0-9a-f-]{36}$/,
		'an error has a correlation id');
	is($none->{json}{contextId}, $none->{headers}{'inin-correlation-id'}, 'the same in its body');
	ok(!last_request()->{authorised}, 'the ledger says that there was no token');

	login();
	sim(POST => 'expire-tokens');
	is(check('live-1')->{status}, 401, 'tokens can be expired');

	sim(POST => 'settings', { token_calls => 2 });
	login();
	is(join(' ', map { check('live-1')->{status} } 1 .. 3), '200 200 401', 'a token can die of use');
	sim(POST => 'settings', { token_calls => -1, token_lifetime => 0 });
	login();
	is(check('live-1')->{status}, 401, 'and of age');
	sim(POST => 'settings', { token_lifetime => 86400 });
	login();
}

sub test_routes
{
	is(api(GET => '/')->{status}, 404, 'nothing at the root');
	is(api(GET => API . '/')->{status}, 404, 'nor without an id');
	is(api(GET => API . '/live-1/members')->{status}, 404, 'nor below a conversation');
	is(api(GET => API . 'x')->{status}, 404, 'nor beside the path');
	is(api(GET => API . "/caf\xc3%A9")->{status}, 404, 'nor at an id that is not ASCII');
	is(last_request()->{path}, API . '/caf??', 'which does not spoil the ledger');
	is(api(GET => API . '/' . 'x' x 2000)->{status}, 404, 'nor at an absurd id');
	my $wrong = api(DELETE => API . '/live-1');
	is($wrong->{status}, 405, 'a conversation is not deleted');
	is($wrong->{headers}{allow}, 'GET', 'and the answer says what is allowed');
	is(last_request()->{verb}, 'other', 'such a request has no verb');
	is(api(GET => API)->{status}, 405, 'sessions are not listed');

	my $path = API . '/live-1/notifications';
	is(api(POST => $path, { text => 'x' }, 'Content-Type' => 'text/plain')->{status}, 415,
		'a POST must be JSON');
	is(api(POST => $path, '{"text":')->{status}, 400, 'and complete JSON');
	is(api(POST => $path, '{"text":"x"} x')->{status}, 400, 'and nothing but JSON');
	is(api(POST => $path, "{\"text\":\"\xff\"}")->{status}, 400, 'in UTF-8');
	is(api(POST => $path, '["text"]')->{status}, 400, 'and an object');
	is(effects(), 0, 'nothing of this took effect');
}

sub test_prefixes
{
	my %status = (
		'live-1' => 'active', 'ringing-1' => 'ringing', 'closed-1' => 'closed',
		'race-1' => 'active', 'zombie-1' => 'terminated', 'noaddr-1' => 'closed',
		'webchat-1' => 'closed', 'outbound-1' => 'closed', 'continues-1' => 'closed',
		'returns-1' => 'closed', 'reject-live-1' => 'active', 'reject-closed-1' => 'closed',
		'abc-123-def' => 'closed');

	is(check($_)->{json}{status}, $status{$_}, "$_ is $status{$_}") for sort keys %status;
	is(check('gone-1')->{status}, 404, 'gone-1 is not found');
	ok(!exists check('nostatus-1')->{json}{status}, 'nostatus-1 has no status');
	like(check('wrongtype-1')->{body}, qr/"status":\d/, 'wrongtype-1 has a number');
	ok(!exists check('noaddr-1')->{json}{from}, 'noaddr-1 has no customer');
	is(check('webchat-1')->{json}{channel}, 'webchat', 'webchat-1 is a web chat');

	my $inbound = check('closed-1')->{json};
	like($inbound->{from}{address}, qr/^\+1317555\d{8}$/, 'the customer has an address');
	is($inbound->{to}{address}, '+13175559999', 'the business too');
	is($inbound->{channel}, 'sms', 'the channel is sms');
	is(check('closed-1')->{json}{from}{address}, $inbound->{from}{address}, 'always the same one');
	isnt(check('closed-2')->{json}{from}{address}, $inbound->{from}{address}, 'each has its own');
	my $outbound = check('outbound-1')->{json};
	is($outbound->{direction}, 'outbound', 'outbound-1 is outbound');
	like($outbound->{to}{address}, qr/^\+1317555\d{8}$/, 'there the customer is "to"');

	sim(POST => 'settings', { default_status => 'hash' });
	my $active = grep { check("any-$_")->{json}{status} eq 'active' } 1 .. 60;
	ok($active > 15 && $active < 45, 'hash: about half is active') or diag $active;
	sim(POST => 'settings', { default_status => 'none' });
	is(check('any-1')->{status}, 404, 'none: unknown ids are not found');
	sim(POST => 'settings', { default_status => 'closed' });
}

sub test_notify
{
	sim(POST => 'reset');
	login();
	my $done = notify('live-1', undef, 'Idempotency-Key' => '0198-77-notify');
	is($done->{status}, 200, 'a live conversation is notified');
	like($done->{json}{id}, qr/^[0-9a-f-]{36}$/, 'and the message has an id');
	is(notify('ringing-1')->{status}, 200, 'a ringing one too');
	is(effects(), 2, 'both took effect');
	my $effect = sim(GET => 'effects')->[0];
	is($effect->{conversation_id}, 'live-1', 'the effect has the conversation');
	is($effect->{nudge_id}, '0198-77', 'the nudge, from the key');
	is($effect->{message}, 'Hello?', 'the text');
	is($effect->{address}, check('live-1')->{json}{from}{address}, 'the address');

	for my $id (qw(closed-1 zombie-1 nostatus-1 race-1))
	{
		my $refused = notify($id);
		is($refused->{status}, 400, "$id is not notified");
		like($refused->{json}{message}, qr/^Cannot send notification to closed conversation$/,
			'because it is closed');
	}
	is(check('race-1')->{json}{status}, 'closed', 'race-1 is closed from then on');
	is(notify('gone-1')->{status}, 404, 'an unknown conversation is not found');
	is(notify('reject-live-1')->{status}, 422, 'reject-live-1 is rejected');
	ok(notify('reject-live-1')->{json}{code}, 'with a code');
	is(notify('live-1', { text => '' })->{status}, 400, 'an empty text is refused');
	is(notify('live-1', { words => 'x' })->{status}, 400, 'a missing text is refused');
	is(notify('live-1', { text => 'x', previousConversationId => 'y' })->{status}, 400,
		'previousConversationId is refused');
	is(effects(), 2, 'none of that took effect');
}

sub test_create
{
	sim(POST => 'reset');
	login();
	my $made = create('closed-1', 'Idempotency-Key' => '0198-78-create');
	is($made->{status}, 201, 'a session is created');
	is($made->{json}{status}, 'active', 'it is active');
	is($made->{json}{direction}, 'outbound', 'and outbound');
	is($made->{json}{to}{address}, '+13175550142', 'to the customer');
	is($made->{json}{metadata}{previousConversationId}, 'closed-1', 'it carries its metadata');
	like(delete $made->{json}{messageId}, qr/^[0-9a-f-]{36}$/, 'the message has an id of its own');
	is_deeply(check($made->{json}{id})->{json}, $made->{json}, 'and can be looked at');
	is(notify($made->{json}{id})->{status}, 200, 'and notified');
	isnt(create('closed-1')->{json}{id}, $made->{json}{id}, 'another one has another id');
	my $effect = sim(GET => 'effects?verb=create')->[0];
	is($effect->{conversation_id}, $made->{json}{id}, 'the effect has the new id');
	is($effect->{previous_id}, 'closed-1', 'the previous id');
	is($effect->{nudge_id}, 'nudge-1', 'the nudge, from the metadata');
	is($effect->{key}, '0198-78-create', 'and the key');

	is(create('continues-1')->{json}{id}, 'continues-1', 'continues-1 is threaded');
	is(check('continues-1')->{json}{status}, 'active', 'and live again');
	my $between = create('returns-1')->{json};
	isnt($between->{id}, 'returns-1', 'what follows returns-1 has an id of its own');
	is($between->{status}, 'closed', 'and is closed');
	is(create($between->{id})->{json}{id}, 'returns-1', 'after that comes returns-1 again');
	is(check('returns-1')->{json}{status}, 'active', 'and is live');
	is(create('reject-closed-1')->{status}, 422, 'reject-closed-1 is rejected');
	my $before = effects();
	for my $field (qw(to channel text))
	{
		my $body = session_after('closed-1');
		delete $body->{$field};
		is(api(POST => API, $body)->{status}, 400, "a session needs $field");
	}
	is(effects(), $before, 'without them nothing is created');

	sim(POST => 'settings', { close_after_looks => 2 });
	my $id = create('closed-1')->{json}{id};
	is(check($id)->{json}{status}, 'active', 'the first look');
	is(notify($id)->{status}, 200, 'the second look');
	is(check($id)->{json}{status}, 'closed', 'then the session is closed');
	sim(POST => 'settings', { close_after_looks => 0 });
	is(check(create('closed-1')->{json}{id})->{json}{status}, 'closed', 'or closed at once');
	sim(POST => 'settings', { close_after_looks => -1 });
}

# What the client must see of each fault: action => [parameters, takes effect, test].
my %faults = (
	status => [ { status => 503, retry_after => '7', body => 'busy', content_type => 'text/x' }, 0,
		sub {
			my ($reply) = @_;
			$reply->{status} == 503 && $reply->{body} eq 'busy'
				&& $reply->{headers}{'retry-after'} eq '7'
				&& $reply->{headers}{'content-type'} eq 'text/x';
		} ],
	status_after => [ { status => 502 }, 1, sub { $_[0]{json}{status} == 502 } ],
	close_unread => [ {}, 0, sub { $_[0]{closed} && $_[0]{bytes} eq '' } ],
	close_before => [ {}, 0, sub { $_[0]{closed} && $_[0]{bytes} eq '' } ],
	close_after => [ {}, 1, sub { $_[0]{closed} && $_[0]{bytes} eq '' } ],
	drip => [ { bytes_per_second => 1000 }, 1,
		sub { $_[0]{json}{id} && $_[0]{seconds} > 0.5 * length($_[0]{body}) / 1000 } ],
	truncate => [ {}, 1,
		sub { $_[0]{closed} && length $_[0]{body} && !$_[0]{complete} } ],
	huge => [ { bytes => 3_000_000 }, 1,
		sub { $_[0]{complete} && length $_[0]{body} > 3_000_000 } ],
	garbage => [ {}, 1, sub { $_[0]{status} =~ /^20[01]$/ && $_[0]{body} =~ /^<html>/ } ],
	wrong_type => [ {}, 1,
		sub { $_[0]{status} < 202 && $_[0]{body} =~ /"id": *42/ && ref $_[0]{json}{status} } ],
	empty => [ {}, 1, sub { $_[0]{status} =~ /^20[01]$/ && $_[0]{body} eq '' } ],
	redirect => [ { status => 307, location => 'http://elsewhere/' }, 0,
		sub { $_[0]{status} == 307 && $_[0]{headers}{location} eq 'http://elsewhere/' } ],
	forbidden => [ {}, 0, sub { $_[0]{status} == 403 && $_[0]{json}{message} =~ /permission/ } ],
	fail_message => [ { message_status => 'removed', message_reason => 'why' }, 1,
		sub { $_[0]{json}{id} && $_[0]{json}{message}{status} eq 'removed'
			&& $_[0]{json}{message}{reasons}[0]{code} eq 'why' } ],
	pad => [ { bytes => 100_000 }, 1,
		sub { $_[0]{complete} && length $_[0]{body} > 100_000 && $_[0]{json}{id} } ],
	delay => [ { ms => 60 }, 1, sub { $_[0]{json}{id} && $_[0]{seconds} >= 0.055 } ],
);

my %faulty_requests = (
	check => sub { (GET => API . '/live-f') },
	notify => sub { (POST => API . '/live-f/notifications', { text => 'x' }) },
	create => sub { (POST => API, session_after('live-f')) },
);

sub test_fault
{
	my ($action, $verb, $connection) = @_;
	my ($parameters, $takes_effect, $looks_right) = @{ $faults{$action} };
	my $what = "$action of $verb on a $connection connection";
	my $socket = dial();
	my $before = effects();
	my $reply;

	# Before its body is read, a create names no conversation.
	my %prefix = $action eq 'close_unread' && $verb eq 'create' ? () : (id => 'live-f');
	my $hits = with_fault(
		{ action => $action, name => "a $action", verb => $verb, connection => $connection,
			%prefix, %$parameters },
		sub {
			ask($socket, GET => API . '/live-f-warm') if $connection eq 'reused';
			$reply = ask($socket, $faulty_requests{$verb}->());
		});
	my $entry = last_request();

	ok($looks_right->($reply), "$what: the client sees it")
		or diag explain { %$reply, bytes => substr($reply->{bytes}, 0, 500) };
	is(effects() - $before, $takes_effect && $verb ne 'check' ? 1 : 0, "$what: its effect");
	is_deeply([ $hits, @$entry{qw(verb fault status)} ],
		[ 1, $verb, "a $action", $reply->{status} // 0 ], "$what: the ledger");
	is($entry->{reused} ? 'reused' : 'fresh', $connection, "$what: the connection");
}

sub test_faults
{
	sim(POST => 'reset');
	login();
	for my $action (sort keys %faults)
	{
		for my $verb (sort keys %faulty_requests)
		{
			test_fault($action, $verb, $_) for qw(fresh reused);
		}
	}
}

sub test_hanging
{
	for my $case ([ hang => 'close' ], [ hang_after => 'close' ], [ hang => 'leave' ])
	{
		my ($action, $end) = @$case;
		my $socket = dial();
		my $before = effects();

		ask($socket, GET => API . '/live-f');
		with_fault({ action => $action, verb => 'create', id => 'closed-h' }, sub {
			send_request($socket, POST => API, session_after('closed-h'));
			wait_for(sub { sim(GET => 'counts')->{hanging} == 1 }, 'the request to hang');
			ok(!IO::Select->new($socket)->can_read(0), "$action: no byte arrives");
			is(last_request()->{status}, 0, "$action: no status in the ledger");
			is(effects() - $before, $action eq 'hang_after' ? 1 : 0, "$action: its effect");
			is(check('live-1')->{status}, 200, "$action: others are served");
			close($socket) if $end eq 'leave';
			wait_for(sub { sim(GET => 'counts')->{hanging} == 0 }, 'the client to be missed')
				if $end eq 'leave';
		});
		next if $end eq 'leave';
		my $reply = read_reply($socket);
		ok($reply->{closed} && $reply->{bytes} eq '', "$action: released by closing");
	}
}

sub test_keep_alive
{
	my $socket = dial();

	login();
	ask($socket, GET => API . '/live-1');
	is(ask($socket, GET => API . '/live-1')->{status}, 200, 'a connection may be used again');
	sim(POST => 'settings', { keep_alive => JSON::PP::false });
	my $last = ask($socket, GET => API . '/live-1');
	is($last->{headers}{connection}, 'close', 'without keep_alive the answer says that it is the last');
	ok(IO::Select->new($socket)->can_read(Simulator::PATIENCE) && !sysread($socket, my $byte, 1),
		'and it is');
	sim(POST => 'settings', { keep_alive => JSON::PP::true });
}

sub test_vanishing
{
	sim(POST => 'reset');
	login();
	with_fault({ action => 'hang', verb => 'check' }, sub {
		for (1 .. 50)
		{
			my $socket = dial();
			send_request($socket, GET => API . '/live-1');
			close($socket);
		}
		wait_for(sub { sim(GET => 'counts')->{check} == 50 }, 'the requests');
		wait_for(sub { sim(GET => 'counts')->{open_connections} == 1 },
			'their connections to close');
		pass('clients that leave at once do not hang');
	});
}

sub test_rules
{
	my @statuses;

	with_fault({ action => 'status', status => 500, verb => 'check', after => 1, times => 2 },
		sub { @statuses = map { check('live-1')->{status} } 1 .. 5 });
	is("@statuses", '200 500 500 200 200', 'after and times');
	my $hits = with_fault({ action => 'status', rate => 0.5 }, sub { check('live-1') for 1 .. 60 });
	ok($hits > 12 && $hits < 48, 'rate') or diag $hits;
	is(with_fault({ action => 'close_before', id => 'closed-', verb => 'create' },
		sub { create('live-1'); create('closed-1') }), 1, 'the id of a create is the previous one');
	is(with_fault({ action => 'status', status => 503, verb => 'token' },
		sub { is(login()->{status}, 503, 'tokens fail too') }), 1, 'by their verb');
	login();
	with_fault({ action => 'expire_token', times => 1 },
		sub { is(check('live-1')->{status}, 401, 'expire_token: 401') });
	is(check('live-1')->{status}, 401, 'expire_token: the token is forgotten');
	login();

	my $ann = check('live-ann')->{json}{from}{address};
	with_fault({ action => 'status', status => 403, verb => 'notify', address => $ann }, sub {
		is(notify($_->[0])->{status}, $_->[1], "by recipient: $_->[0]")
			for [ 'live-ann', 403 ], [ 'live-ben', 200 ];
	});
	with_fault({ action => 'status', status => 403, verb => 'create', address => '+13175550142' }, sub {
		is(create('closed-1')->{status}, 403, 'by the recipient of a session, too');
	});
	with_fault({ action => 'status', status => 429, header => 'X-RateLimit-Reset: 7' }, sub {
		is(check('live-1')->{headers}{'x-ratelimit-reset'}, 7, 'a header of any name');
	});
	with_fault({ action => 'status', for_ms => 1 }, sub {
		check('live-1');
		wait_for(sub { check('live-1')->{status} == 200 }, 'the end of a period');
		pass('a rule can hold for a while');
	});

	for my $bad ({ action => 'explode' }, { action => 'status', header => 'Retry-After' },
		{ action => 'status', header => 'A: b', retry_after => '1' },
 { action => 'hang', vreb => 'check' },
		{ action => 'redirect' }, { action => 'status', status => 42 },
		{ action => 'hang', verb => 'chek' }, { action => 'hang', times => 'once' },
		{ action => 'hang', connection => 'old' }, 'hang')
	{
		my $rule = JSON::PP->new->allow_nonref->canonical->encode($bad);
		is(control_status(faults => $rule), 400, "a bad rule is refused: $rule");
	}
	is(scalar @{ sim(GET => 'faults') }, 0, 'and not kept');
}

sub test_conversations
{
	sim(POST => 'conversations', [
			{ id => 'mine', status => 'active', channel => 'whatsapp', address => '+49',
				then => 'closed', after_looks => 2 },
			{ id => 'live-lost', status => 'gone' } ]);
	is(check('mine')->{json}{channel}, 'whatsapp', 'a conversation can be set');
	is(notify('mine')->{status}, 200, 'it is live');
	is(check('mine')->{json}{status}, 'closed', 'until it was looked at often enough');
	is(check('live-lost')->{status}, 404, 'one can be lost');
	is(control_status(conversations => '{"id":"x","statsu":"closed"}'), 400,
		'a misspelt key is refused');
	is(control_status(settings => '[[]]'), 400, 'settings must be objects');

	sim(POST => 'conversations', { id => 'shy', status => 'active', hidden_looks => 2 });
	is(join(' ', map { check('shy')->{status} } 1 .. 3), '404 404 200', 'one can be hidden for a while');
	sim(POST => 'settings', { hide_created => 1 });
	my $id = create('closed-1')->{json}{id};
	is(join(' ', notify($id)->{status}, check($id)->{status}), '404 200', 'so can all that are created');
	sim(POST => 'settings', { hide_created => 0 });
}

sub cloud_check { return api(GET => "/api/v2/conversations/$_[0]")->{json} }

sub test_writing
{
	ok(!exists check('live-w')->{json}{lastInboundAt}, 'nobody says when a customer wrote');
	sim(POST => 'write', { id => 'live-w', at => '2026-11-20T10:00:00.000Z' });
	is(check('live-w')->{json}{lastInboundAt}, '2026-11-20T10:00:00.000Z', 'unless they do');
	is(check('live-w')->{json}{status}, 'active', 'which changes nothing else');
	is(cloud_check('live-w')->{participants}[0]{messages}[0]{messages}[0]{messageTime},
		'2026-11-20T10:00:00.000Z', 'Genesys Cloud says it in its own place');
	sim(POST => 'write', { id => 'live-w' });
	like(check('live-w')->{json}{lastInboundAt}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'or now');
	is(control_status(write => '{"id":"live-w","when":"now"}'), 400, 'a misspelt key is refused');
}

sub test_media
{
	my $agent = { id => 'a', purpose => 'agent', callbacks => [ { state => 'alerting' } ] };

	sim(POST => 'conversations', [
			{ id => 'mail', status => 'active', media => 'emails' },
			{ id => 'busy', status => 'closed', participants => [ $agent ] } ]);
	my $mail = cloud_check('mail')->{participants}[0];
	is($mail->{emails}[0]{state}, 'connected', 'a customer can be in another list');
	ok(!exists $mail->{messages}, 'and in no other');
	my $busy = cloud_check('busy');
	is($busy->{participants}[0]{messages}[0]{state}, 'disconnected', 'a closed one');
	is_deeply($busy->{participants}[1], $agent, 'can have somebody else in it');
	ok(!exists $busy->{endTime}, 'and then has no end');
}

sub test_latency
{
	sim(POST => 'settings', { latency_ms => 200 });
	my $start = time;
	my @sockets = map { dial() } 1 .. 50;
	send_request($_, GET => API . '/live-1') for @sockets;
	my @statuses = map { read_reply($_)->{status} } @sockets;
	my $seconds = time - $start;
	sim(POST => 'settings', { latency_ms => 0 });

	is(scalar(grep { $_ == 200 } @statuses), 50, '50 delayed requests are answered');
	ok($seconds >= 0.2, 'not before their time');
	ok($seconds < 2.5, 'and not one after the other') or diag $seconds;
}

sub test_ledger
{
	sim(POST => 'reset');
	is(effects(), 0, 'reset forgets the effects');
	is(scalar @{ sim(GET => 'requests') }, 0, 'and the requests');
	login();
	notify('live-1', { text => "a \"b\",\nc" }, 'Idempotency-Key' => 'n1-notify');
	create('closed-1');
	check('closed-1');

	my $counts = sim(GET => 'counts');
	is_deeply([ @$counts{qw(token check notify create notifications created hanging)} ],
		[ 1, 1, 1, 1, 1, 1, 0 ], 'counts');
	is(scalar @{ sim(GET => 'requests?verb=check') }, 1, 'filter by verb');
	is(scalar @{ sim(GET => 'requests?id=closed-1') }, 2, 'filter by id, also the previous one');
	is(scalar @{ sim(GET => 'requests?nudge=n1') }, 1, 'filter by nudge');
	my $ledger = sim(GET => 'ledger?nudge=n1');
	is($ledger->{effects}[0]{request}, $ledger->{requests}[0]{sequence}, 'effects know their request');
	is($ledger->{requests}[0]{message}, "a \"b\",\nc", 'texts survive JSON');
	like(sim(GET => 'effects.csv'), qr/^request,happened_us,.*\n\d+,\d+,notify,.*"a ""b"",\nc"\n/,
		'and CSV');
	like(sim(GET => 'requests.csv?verb=create'), qr/\Asequence,[^\n]*\n[^\n]*,create,201,[^\n]*\n\z/,
		'a filtered CSV');

	my $cut = dial();
	send_request($cut, POST => API, '{"text"', 'Content-Length' => 100);
	close($cut);
	wait_for(sub { sim(GET => 'counts')->{create} == 2 }, 'the cut request');
	is(last_request()->{status}, 0, 'a request that was cut off has no status');

	sim(POST => 'sync');
	my @lines = map { decode_json($_) } split /\n/, slurp($ledger_file);
	my @requests = map { $_->{request} // () } @lines;
	is_deeply([ @requests[ -5 .. -1 ] ], sim(GET => 'requests'), 'the file has the same requests');
	is_deeply([ (map { $_->{effect} // () } @lines)[ -2, -1 ] ], sim(GET => 'effects'),
		'and the same effects');
	is(scalar(@requests), $requests[-1]{sequence}, 'each sequence number once, over the reset');
}

sub test_long_ledger
{
	sim(POST => 'reset');
	login();
	my $socket = dial();
	my $request = 'GET ' . API . "/live-1 HTTP/1.1\r\nHost: x\r\n"
		. "Authorization: Bearer $token\r\n\r\n";
	for (1 .. 200)
	{
		print $socket $request x 100;
		my ($bytes, $answers) = ('', 0);
		until ($answers == 100)
		{
			sysread($socket, $bytes, 65536, length $bytes) or die 'the connection closed';
			$answers = () = $bytes =~ /HTTP\/1\.1 200/g;
		}
	}
	my $csv = sim(GET => 'requests.csv');
	is($csv =~ tr/\n//, 20002, '20,000 pipelined requests are in the ledger');
}

start();
like(slurp($stdout_file), qr{^listening on http://127\.0\.0\.1:$port$}m, 'it says where');
subtest tokens => \&test_tokens;
subtest routes => \&test_routes;
subtest prefixes => \&test_prefixes;
subtest notify => \&test_notify;
subtest create => \&test_create;
subtest faults => \&test_faults;
subtest hanging => \&test_hanging;
subtest 'keep alive' => \&test_keep_alive;
subtest vanishing => \&test_vanishing;
subtest rules => \&test_rules;
subtest conversations => \&test_conversations;
subtest writing => \&test_writing;
subtest media => \&test_media;
subtest latency => \&test_latency;
subtest ledger => \&test_ledger;
subtest 'long ledger' => \&test_long_ledger;
sim(POST => 'faults', { action => 'hang' });
my $hanging = dial();
send_request($hanging, GET => API . '/live-1');
wait_for(sub { sim(GET => 'counts')->{hanging} == 1 }, 'the request to hang');
is(stop(), 0, 'it stops cleanly, whatever hangs');
done_testing();
