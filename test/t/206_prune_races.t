# prune() beside all that goes on: ticks, resolve(), imports, and whoever asks once
# more for what is going just then.
use strict;
use warnings FATAL => 'all';

use Reengage qw(start_simulator new_node create_extension wait_until_ended poll_until start_psql finish_psql);
use PostgreSQL::Test::Utils;
use Test::More;

my $simulator = start_simulator();
my $node = new_node('main', preload => 1, conf => 'wal_level = logical');
create_extension($node, $simulator);

sub sql { my ($statement) = @_; return $node->safe_psql('postgres', $statement); }

# a reader that is behind all the time, and somebody who publishes all that there is
sql(q{SELECT reengage.publish('bi')});
sql(q{CREATE PUBLICATION everything FOR ALL TABLES});
sql(q{SELECT pg_create_logical_replication_slot('behind', 'pgoutput')});

my $many = 3000;

# Of a hundred days ago: conversations that were closed and went on, with doubts among them.
sql(qq{
	SET session_replication_role = replica;
	INSERT INTO reengage.nudges (nudge_id, server, conversation_id, message, requested_at, due_at)
	SELECT md5('nudge ' || n)::uuid, 'genesys', 'closed-' || n, 'x', t.at, t.at
	FROM generate_series(1, $many) n CROSS JOIN LATERAL (SELECT now() - interval '100 days' + n * interval '1 min' AS at) t;
	INSERT INTO reengage.lineage (nudge_id, server, outcome, reason, step, requested_conversation_id, conversation_id, previous_conversation_id,
		root_conversation_id, generation, channel, attempts, api_calls, api_calls_saved, requested_at, due_at, occurred_at, recorded_at, xact_id)
	SELECT md5('nudge ' || n)::uuid, 'genesys', CASE WHEN n % 10 = 0 THEN 'in_doubt' ELSE 'session_created' END, NULL, 'create', 'closed-' || n,
		CASE WHEN n % 10 = 0 THEN 'closed-' ELSE 'live-' END || n, CASE WHEN n % 10 <> 0 THEN 'closed-' || n END,
		'closed-' || n, (n % 10 <> 0)::int, 'sms', 1, 2, 0, t.at, t.at, t.at, t.at, n
	FROM generate_series(1, $many) n CROSS JOIN LATERAL (SELECT now() - interval '100 days' + n * interval '1 min' AS at) t;
	CREATE TABLE extract AS SELECT 'live-import-' || n AS conversation_id, 'sms' AS channel, '+1317555' || lpad(n::text, 4, '0') AS address, now()::text AS last_inbound_at, 'open' AS status
	FROM generate_series(1, 50) n});

my $ask_again = qq{
	CREATE PROCEDURE ask_again() LANGUAGE plpgsql AS \$\$
	DECLARE place int := 1;
	BEGIN
		WHILE place <= $many LOOP
			BEGIN
				INSERT INTO reengage.nudges (nudge_id, server, conversation_id, message)
				SELECT md5('nudge ' || n)::uuid, 'genesys', 'closed-' || n, 'again' FROM generate_series(place, place + 9) n ON CONFLICT DO NOTHING;
				place := place + 10;
			EXCEPTION WHEN serialization_failure THEN
			END;
			COMMIT;
		END LOOP;
	END \$\$;
	-- another nudge for each fifth of the conversations
	CREATE PROCEDURE ask_more() LANGUAGE plpgsql AS \$\$
	BEGIN
		FOR n IN 1 .. $many LOOP
			IF n % 5 = 1 THEN
				INSERT INTO reengage.nudges (conversation_id, message) VALUES ('closed-' || n, 'more');
				COMMIT;
			END IF;
		END LOOP;
	END \$\$;
	CREATE PROCEDURE resolve_all() LANGUAGE plpgsql AS \$\$
	DECLARE id uuid;
	BEGIN
		FOR id IN SELECT lineage_id FROM reengage.in_doubt LOOP
			PERFORM reengage.resolve(id, 'not_sent');
			COMMIT;
		END LOOP;
	END \$\$};
sql($ask_again);

sql('SELECT reengage.recount()');

# bounded, and in the middle of a crash: what is here and what went is all that there was
is(sql(q{CALL reengage.prune('90 days', 10)}) =~ s/\|.*//r, 10, 'as many as it may');
my $crashed = start_psql($node, q{CALL reengage.prune('90 days')});
poll_until($node, 'postgres', 'SELECT count(*) > 10 FROM reengage.pruned_nudges');
$node->stop('immediate');
finish_psql($crashed);
$node->start;
is(sql(q{SELECT sum(rows_pruned) + sum(rows_here) FROM reengage.reconciliation}), $many, 'after a crash no row is missing');
is(sql(q{SELECT count(*) FROM reengage.reconciliation WHERE state NOT IN ('pruned', 'equal')}), 0, 'nor is any another');
is(sql(q{SELECT count(*) FROM reengage.nudges n WHERE NOT EXISTS (SELECT FROM reengage.lineage l WHERE l.nudge_id = n.nudge_id)}), 0, 'no nudge has lost its outcome');
is(sql(q{SELECT count(*) FROM reengage.nudges}) + sql(q{SELECT count(*) FROM reengage.pruned_nudges}), $many, 'and each is here or known to have gone');
my $import = q{CALL reengage.import_history(message => 'x', campaign => 'back', staging => 'extract')};
my @running = map { start_psql($node, $_) } q{CALL reengage.prune('90 days')}, 'CALL ask_again()', 'CALL ask_more()', 'CALL resolve_all()', $import, $import;
like(finish_psql($_) =~ s/^(\d|\|)*.*NOTICE:.*\n//gmr, qr/^(?!.*ERROR)/s, 'no error') for @running;
like(finish_psql(start_psql($node, q{CALL reengage.prune('90 days')})), qr/^\d+\|\d+\|0$/, 'once more');
wait_until_ended($node);

my %sent;
$sent{ $_->{conversation_id} }++ for grep { $_->{verb} ne 'check' } $simulator->effects;
my @to_be = ((map { "live-$_" } grep { $_ % 5 == 1 && $_ % 10 } 1 .. $many), map { "live-import-$_" } 1 .. 50);
is_deeply(\%sent, { map { $_ => 1 } @to_be }, 'each new nudge went to the session of its conversation, once, and nobody was written to for an old one');
is(sql(q{SELECT count(*) FROM reengage.lineage WHERE requested_at > now() - interval '1 day' AND outcome <> 'notified' AND nudge_id IS NOT NULL}), 0, 'by a message, each');
is(sql(q{SELECT count(*) - count(DISTINCT previous_conversation_id) FROM reengage_internal.sessions}), 0, 'no conversation has two successors');
is(sql(q{SELECT count(*) FROM reengage_internal.sessions}), $many * 0.9, 'and none has lost its own');
is(sql(q{SELECT string_agg(DISTINCT state, ' ') FROM reengage.reconciliation WHERE day < to_char(now() - interval '50 days', 'YYYY-MM-DD')}), 'pruned', 'the manifest agrees');
is(sql(q{SELECT count(*) FROM reengage.nudges n WHERE NOT EXISTS (SELECT FROM reengage.lineage l WHERE l.nudge_id = n.nudge_id)}), 0, 'every nudge has its outcome');
is(sql(qq{SELECT count(*) FROM generate_series(1, $many) n WHERE NOT EXISTS (SELECT FROM reengage.pruned_nudges p WHERE p.nudge_id = md5('nudge ' || n)::uuid)
	AND NOT EXISTS (SELECT FROM reengage.nudges o WHERE o.nudge_id = md5('nudge ' || n)::uuid)}), 0, 'and every id is known');

is(sql('SELECT count(*) FROM reengage_internal.miscounted'), 0, 'the counts are right');

my $written = sql(q{SELECT (SELECT count(*) FROM reengage.lineage) + (SELECT sum(row_count) FROM reengage.pruned_days) + (SELECT count(*) FROM reengage.lineage_manifest)});
is(sql(q{SELECT string_agg(kind || ' ' || messages, ', ') FROM (SELECT chr(get_byte(data, 0)) AS kind, count(*) AS messages
	FROM pg_logical_slot_peek_binary_changes('behind', NULL, NULL, 'proto_version', '1', 'publication_names', 'bi') GROUP BY 1) m WHERE kind IN ('I', 'U', 'D', 'T')}),
	"I $written", 'a reader that was behind gets each row of lineage, and none is taken from it');

$node->stop;
done_testing();
