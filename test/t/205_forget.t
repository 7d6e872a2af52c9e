# A person who asks for it is forgotten: what tells of them is gone, what was counted
# stays, and nobody can be written to by mistake for it.
use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension nudge wait_until_ended wait_for poll_until lineage outcome
  psql_stderr start_psql finish_psql customer_address);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main', preload => 1);
create_extension($node, $simulator);
$node->safe_psql('postgres', 'CREATE ROLE some_application IN ROLE reengage_application; CREATE ROLE some_operator IN ROLE reengage_operator');

sub sql { my ($statement, $database) = @_; return $node->safe_psql($database // 'postgres', $statement); }
sub refuses { my ($statement, $pattern, $name) = @_; return like(psql_stderr($node, $statement), $pattern, $name); }

my $address = customer_address('live-anna');
my $other = customer_address('live-bob');
my %detail = (detail => q('{"name": "Anna"}'));

# ---- what is known of her -----------------------------------------------------------------

nudge($node, 'live-anna', %detail, message => "'Dear Anna'");
nudge($node, 'closed-anna-2', address => "'$address'", channel => "'sms'", %detail, message => "'Dear Anna'");
nudge($node, 'live-bob', message => "'Dear Bob'");
# ended before any look: lineage does not know whose it was
nudge($node, 'live-other', address => "'$address'", channel => "'sms'", due_at => "now() + '1 h'", expires_at => "now() + '2 h'", %detail, message => "'Dear Anna'");
wait_until_ended($node, where => 'n.due_at <= now()');
sql(q{SELECT reengage.cancel(nudge_id) FROM reengage.nudges WHERE conversation_id = 'live-other'});
nudge($node, 'live-anna', due_at => "now() + '1 h'", message => "'Dear Anna'");
sql("SELECT reengage.suppress(address => '$address', channel => 'whatsapp')");
sql("SELECT reengage.suppress(address => '$address', channel => 'sms', reason => 'Anna asked for it')");
sql("SELECT reengage.unsuppress(address => '$address', channel => 'sms')");
sql("SELECT reengage.suppress(address => '$other', channel => 'whatsapp', reason => 'Bob asked for it')");
sql("SELECT reengage.record_answer(address => '$address', channel => 'sms')");
my $local = substr $address, 2;
sql(qq{
	INSERT INTO reengage.import_runs (server, campaign, source, records_read) VALUES ('genesys', 'x', 'x', 3);
	INSERT INTO reengage.import_rejects (import_id, record_no, reason, record)
	SELECT r.import_id, v.no, 'bad_timestamp', jsonb_build_object('phone', v.phone)
	FROM reengage.import_runs r, (VALUES (1, '$address'), (2, regexp_replace('$local', '(...)(...)(....)', '(\\1) \\2-\\3')), (3, '$other')) v (no, phone)});
$simulator->fault(verb => 'notify', id => 'live-doubt', action => 'close_after');
nudge($node, 'live-doubt', message => "'Dear Doubt'");
wait_until_ended($node, where => q(n.conversation_id = 'live-doubt'));

my $manifest = 'SELECT count(*), sum(reengage_internal.lineage_digest_1_0(l)) FROM reengage.lineage l WHERE l.outcome <> \'cancelled\'';
my $counted = sql($manifest);
my $effects = scalar $simulator->effects;

# ---- what is refused ------------------------------------------------------------------------

refuses(q{SELECT reengage.forget()}, qr/ERROR:  either an address or a conversation_id must be given/, 'nobody');
refuses(q{SELECT reengage.forget('not an address', channel => 'sms')}, qr/ERROR:/, 'what is no address');
refuses(qq{SET ROLE some_application; SELECT reengage.forget('$address')}, qr/permission denied/, 'an application may not');
refuses(q{BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT reengage.forget(conversation_id => 'live-anna')}, qr/ERROR:  nobody can be forgotten in a transaction of isolation level/, 'nor on an old snapshot');
refuses(q{SELECT * FROM reengage.forget('+13175559999', channel => 'sms')}, qr/NOTICE:  nothing is known of .*\nHINT:  It was forgotten before, or is spelled differently/, 'an unknown person is said to be');
refuses(q{SELECT * FROM reengage.forget(conversation_id => 'nowhere')}, qr/NOTICE:  nothing is known of conversation nowhere/, 'and an unknown conversation');
is(sql('SELECT count(*) FROM reengage.erasures'), 0, 'that leaves nothing on record');

# one that is being written to
$simulator->fault(verb => 'notify', id => 'live-carla', action => 'delay', ms => 3000);
nudge($node, 'live-carla');
wait_for(sub { $simulator->verbs('id=live-carla') =~ /notify/ }, 'a message is on the wire');
refuses(q{SELECT reengage.forget(conversation_id => 'live-carla')}, qr/ERROR:  1 call to them may be on the wire\nHINT:  Call it again/, 'who is being written to is forgotten later');
wait_until_ended($node, where => q(n.conversation_id = 'live-carla'));

# ---- she is forgotten -----------------------------------------------------------------------

my $said = sql(qq{SET ROLE some_operator; SELECT cancelled, nudges, lineage, rejects FROM reengage.forget('$address', channel => 'sms')});
is($said, '1|4|3|2', 'an operator has her forgotten');
is(sql(q{SELECT count(*) FROM reengage.nudges WHERE message LIKE '%Anna%' OR detail::text LIKE '%Anna%'}), 0, 'no message and no detail');
is(sql("SELECT count(*) FROM reengage.nudges WHERE address = '$address'"), 0, 'no address');
is(sql(q{SELECT count(*) FROM reengage.lineage WHERE detail::text LIKE '%Anna%'}), 0, 'nothing in lineage');
is(sql("SELECT count(*) FROM reengage.lineage WHERE address_hash = reengage_internal.address_hash('$address', 'sms')"), 0, 'not even the hash');
is(sql('SELECT count(*) FROM reengage.answers'), 0, 'no answer');
is(sql(q{SELECT string_agg(record ->> 'phone', ',') FROM reengage.import_rejects}), $other, 'of the rejected records those of others');
is(sql(q{SELECT count(*) FROM reengage.nudges WHERE message = 'Dear Bob'}), 1, 'of others all');
is(sql(q{SELECT string_agg((label <> '(erased)') || ' ' || coalesce(reason, '-'), ', ' ORDER BY created_at) FROM reengage.suppressions}), 'false (erased), true Bob asked for it', 'an opt-out stays, without words');
is(sql(q{SELECT count(*) FROM reengage.changes c WHERE c::text LIKE '%Anna%'}), 0, 'nor are there any in changes');
is(sql("SELECT count(*) FROM reengage.changes c WHERE c::text LIKE '%' || reengage_internal.address_hash('$address', 'sms') || '%'"), 0, 'not even a hash, where no opt-out is');
is(sql(q{SELECT count(*) FROM reengage.changes c WHERE c::text LIKE '%Bob%'}), 1, 'of others all that was said');
is(sql(q{SELECT kind || ' ' || erased_by || ' ' || cancelled || ' ' || nudges || ' ' || lineage || ' ' || rejects FROM reengage.erasures}), 'address postgres 1 4 3 2', 'it is on record, without her');
unlike(sql(q{SELECT string_agg(e::text, '') FROM reengage.erasures e}), qr/Anna|\d{7,}-?\d*$address/, 'neither name nor address');
refuses('DELETE FROM reengage.erasures', qr/ERROR:  DELETE of table "reengage.erasures" is not allowed/, 'and stays there');
refuses("SELECT * FROM reengage.forget('$address', channel => 'sms')", qr/NOTICE:  nothing is known of/, 'once more: nothing is left');
is(sql('SELECT count(*) FROM reengage.erasures'), 1, 'and nothing is written');
is(sql(q{SELECT count(*) FROM reengage.due}), 0, 'nothing is due to her');
is(sql(q{SELECT count(*) FROM reengage.thread('live-anna')}), 2, 'the thread is there');

# ---- by a conversation ------------------------------------------------------------------------

sql(q{INSERT INTO reengage.past_sessions (lineage_id, occurred_at, generation, server, previous_conversation_id, conversation_id, root_conversation_id, named_by, address_hash)
	VALUES (reengage.uuid_v7(), now(), 1, 'genesys', 'live-doubt', 'live-then', 'live-doubt', 'some_application', 'h')});
my $for_copies = sql(q{SELECT for_copies FROM reengage.forget(conversation_id => 'live-doubt')});
is(sql(q{SELECT message FROM reengage.nudges WHERE conversation_id = 'live-doubt'}), '(erased)', 'by a conversation');
is(sql(q{SELECT count(*) FROM reengage.past_sessions WHERE address_hash IS NULL}), 1, 'and what was pruned of its thread');
sql('CREATE TABLE public.lineage AS SELECT * FROM reengage.lineage');
sql(q{UPDATE public.lineage SET address_hash = 'x', detail = '{}' WHERE requested_conversation_id = 'live-doubt'});
sql("SET search_path = public; $for_copies");
is(sql(q{SELECT count(*) FROM public.lineage WHERE requested_conversation_id = 'live-doubt' AND num_nonnulls(address_hash, detail) > 0}), 0, 'what it says for copies does so there');
refuses(q{SELECT reengage.resolve(lineage_id, 'resend') FROM reengage.in_doubt}, qr/ERROR:  nudge .* cannot be asked for again\nDETAIL:  Its customer was forgotten/, 'an erased message is not sent');
sql(q{SELECT reengage.resolve(lineage_id, 'not_sent') FROM reengage.in_doubt});

# ---- the manifest agrees, and a dump restores --------------------------------------------------

sql(q{SET session_replication_role = replica; UPDATE reengage.lineage SET recorded_at = '2020-02-03 12:00+00'});
my $state = q{SELECT state || coalesce(': ' || columns_differ, '') FROM reengage.reconciliation WHERE day = '2020-02-03'};
# more than one row of the manifest has what is gone
sql(q{CALL reengage.close_day('2020-02-03')});
sql(q{SET session_replication_role = replica; UPDATE reengage.lineage SET detail = '{"name": "Bob"}' WHERE requested_conversation_id = 'live-bob'});
is(sql($state), 'a row differs: detail', 'a day knows whom it is about');
sql(q{CALL reengage.close_day('2020-02-03')});
is(sql($state), 'equal', 'and was counted so');
sql(q{DROP TABLE public.lineage; CREATE TABLE public.lineage AS SELECT * FROM reengage.lineage; CREATE TABLE public.lineage_manifest AS SELECT * FROM reengage.lineage_manifest});
my $superseded = sql('SELECT array_agg(manifest_id) FROM reengage.lineage_manifest');
$for_copies = sql(q{SELECT for_copies FROM reengage.forget(conversation_id => 'live-bob')});
is(sql($state), 'equal', 'it does so as if that had never been');
is(sql("SELECT count(*) FILTER (WHERE manifest_id = ANY ('$superseded')) || ' of ' || count(*) FROM reengage.lineage_manifest"), '0 of 1', 'and no row of the manifest tells any more');
sql(q{INSERT INTO public.lineage_manifest SELECT * FROM reengage.lineage_manifest});
sql("SET search_path = public; $for_copies");
is(sql("SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM public.$_ t"), sql("SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM reengage.$_ t"),
	"a copy of $_ is made the same by what is for copies") for qw(lineage lineage_manifest);
refuses(q{DELETE FROM reengage.lineage_manifest}, qr/ERROR:  DELETE of table "reengage.lineage_manifest" is not allowed/, 'nobody else deletes there');
is(sql(q{SELECT reengage_internal.record_manifest('2020-02-03', 100, 1, 'lineage_id:1:1', erasures => (SELECT count(*) FROM reengage.erasures) - 1)}), 'f',
	'a day that was being counted when somebody was forgotten is counted anew');
is(sql(q{BEGIN; SELECT reengage_internal.record_manifest('2020-02-03', 100, 1, 'lineage_id:1:1', erasures => (SELECT count(*) FROM reengage.erasures)); ROLLBACK}), 't', 'else it is not');
# of the running day what was counted so far; midnight may pass
nudge($node, 'live-frida', detail => q('{"name": "Frida"}'));
wait_until_ended($node);
sql(q{CALL reengage.close_part()});
nudge($node, 'live-frida');
wait_until_ended($node);
sql(q{SELECT reengage.forget(conversation_id => 'live-frida')});
is(sql(q{SELECT string_agg(DISTINCT state, ' ') FROM reengage.reconciliation WHERE up_to IS NOT NULL}), 'equal so far', 'the running day agrees, too');
my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump');
sql('CREATE DATABASE restored');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('restored') ], 'and restore');
is(sql('SELECT count(*) FROM reengage.nudges', 'restored'), sql('SELECT count(*) FROM reengage.nudges'), 'of erased nudges, too');
is(scalar $simulator->effects, $effects + 3, 'nobody was written to for all that, but for the one on the wire, and Frida twice');

# ---- what is left of her is never sent ---------------------------------------------------------

my %dora = (address => "'+13175550142'", channel => "'sms'", due_at => "now() + '1 h'", message => "'Dear Dora'");
my $forget_dora = q{FROM reengage.forget('+13175550142', channel => 'sms')};
nudge($node, 'live-dora', %dora);
my $holder = start_psql($node, q{DO $$ BEGIN
	PERFORM reengage.cancel(nudge_id) FROM reengage.nudges WHERE conversation_id = 'live-dora';
	WHILE NOT EXISTS (SELECT FROM reengage.nudges WHERE conversation_id = 'live-dora-late') LOOP NULL; END LOOP;
END $$});
poll_until($node, 'postgres', q{SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND pid IN (SELECT pid FROM pg_stat_activity WHERE query LIKE 'DO %')});
my $forgetting = start_psql($node, "SELECT nudges $forget_dora");
poll_until($node, 'postgres', q{SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'SELECT nudges FROM%' AND wait_event_type = 'Lock'});
nudge($node, 'live-dora-late', %dora);
finish_psql($holder);
is(finish_psql($forgetting), "2\n", 'who is asked for while she is forgotten');
is(sql(q{SELECT count(*) FROM reengage.due JOIN reengage.nudges USING (nudge_id) WHERE message = '(erased)'}), 0, 'gets no erased message');
is(sql(q{SELECT outcome FROM reengage.lineage WHERE requested_conversation_id = 'live-dora-late'}), 'cancelled', 'but none');

sql(q{SET session_replication_role = replica; INSERT INTO reengage.nudges (server, conversation_id, message, address, channel)
	VALUES ('genesys', 'live-dora-unseen', 'Dear Dora', '+13175550142', 'sms'), ('genesys', 'live-emil-unseen', 'Dear Emil', NULL, NULL)});
is(sql("SELECT nudges $forget_dora"), 1, 'what came in while triggers were off is erased');
is(sql(q{SELECT nudges FROM reengage.forget(conversation_id => 'live-emil-unseen')}), 1, 'of a conversation, too');
like(psql_stderr($node, q{SELECT reengage.arm(missing => 'due')}), qr/made 0 nudges.*\n.*of customers who were forgotten, and left as they are: 2/, 'that is not made due');

sql(q{CREATE SERVER other FOREIGN DATA WRAPPER reengage OPTIONS (api_url 'http://127.0.0.1:1')});
sql(q{SELECT reengage.record_answer(address => '+13175550142', channel => 'sms')});
sql("SELECT reengage.suppress(address => '+13175550142', channel => 'sms', server => '$_', reason => 'Dora asked $_')") for qw(genesys other);
sql(q{
	INSERT INTO reengage.lineage (server, outcome, requested_conversation_id, conversation_id, root_conversation_id, generation, attempts, api_calls, api_calls_saved, occurred_at, address_hash, detail)
	SELECT s, 'imported', s, s, s, 0, 0, 0, 0, now(), reengage_internal.address_hash('+13175550142', 'sms'), '{"name": "Dora"}' FROM unnest('{genesys,other}'::text[]) s;
	DROP TABLE public.lineage;
	CREATE TABLE public.lineage AS SELECT * FROM reengage.lineage});
$for_copies = sql(q{SELECT for_copies FROM reengage.forget('+13175550142', channel => 'sms', server => 'genesys')});
is(sql(q{SELECT string_agg(server, ', ') FROM reengage.lineage WHERE detail ->> 'name' = 'Dora'}), 'other', 'who is forgotten at one server is in the lineage of the others');
sql("SET search_path = public; $for_copies");
is(sql(q{SELECT count(*) FROM (TABLE public.lineage EXCEPT TABLE reengage.lineage) d}), 0, 'in a copy, too');
is(sql('SELECT count(*) FROM reengage.answers'), 1, 'who is forgotten at one server has answered at the others');
is(sql(q{SELECT string_agg(reason, ', ' ORDER BY server) FROM reengage.suppressions WHERE server IS NOT NULL}), '(erased), Dora asked other', 'an opt-out at another server keeps its words');
is(sql(q{SELECT string_agg(new ->> 'reason', ', ' ORDER BY change_id) FROM reengage.changes WHERE new ->> 'server' = 'other'}), 'Dora asked other', 'in changes, too');

sql(q{INSERT INTO reengage.import_rejects (import_id, record_no, reason, record) SELECT import_id, 9, 'bad_timestamp', '{"phone": "+13175550143"}' FROM reengage.import_runs});
$for_copies = sql(q{SELECT for_copies FROM reengage.forget('+13175550143', channel => 'sms')});
is(psql_stderr($node, "SET search_path = public; $for_copies"), '', 'what is for copies is a statement also where there is no lineage');
is(scalar $simulator->effects, $effects + 3, 'and nobody was written to');

$node->stop;
done_testing();
