/*
 * store_intents.c: intents, the gates before them, and calls that are made
 * again, in SQL.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/timestamp.h"

#include "base/rows.h"
#include "store/statement.h"
#include "store/store.h"

void
store_check_gates(const IntentRow *rows, int count, GateFacts *facts)
{
	static Statement statement = {
		"SELECT EXISTS (SELECT FROM reengage.due d WHERE d.nudge_id = c.nudge_id OFFSET 0),"
		" EXISTS (SELECT FROM reengage.lineage l"
		"   WHERE l.server = c.server AND l.previous_conversation_id = c.conversation_id OFFSET 0),"
		" c.step = 'create' AND EXISTS (SELECT FROM reengage.lineage l"
		"   WHERE l.server = c.server AND l.conversation_id = c.conversation_id"
		"     AND l.outcome = 'in_doubt' AND l.step = 'create'"
		"     AND NOT EXISTS (SELECT FROM reengage.lineage r WHERE r.resolves = l.lineage_id OFFSET 0) OFFSET 0),"
		/* a channel that is not known may be the one */
		" EXISTS (SELECT FROM reengage.suppressions s"
		"   WHERE s.address_hash = ANY (ARRAY[c.address_hash, c.own_hash])"
		"     AND coalesce(s.server = c.server, true)"
		"     AND coalesce(s.channel = pg_catalog.lower(c.channel), true)"
		"     AND coalesce(s.until > pg_catalog.clock_timestamp(), true) OFFSET 0)"
		" OR EXISTS (SELECT FROM reengage.suppressions s"
		"   WHERE s.server = c.server AND s.root_conversation_id = c.root"
		"     AND coalesce(s.channel = pg_catalog.lower(c.channel), true)"
		"     AND coalesce(s.until > pg_catalog.clock_timestamp(), true) OFFSET 0),"
		" greatest((SELECT pg_catalog.max(a.answered_at) FROM reengage.answers a"
		"     WHERE a.address_hash = ANY (ARRAY[c.address_hash, c.own_hash])),"
		"   (SELECT a.answered_at FROM reengage.answers a"
		"     WHERE a.address_hash IS NULL AND a.root_conversation_id = c.root AND a.server = c.server)),"
		" (SELECT pg_catalog.max((SELECT d.due_at FROM reengage.due d WHERE d.nudge_id = u.nudge_id))"
		"   FROM reengage.unresolved u"
		"   WHERE u.address_hash = c.address_hash AND u.server = c.server AND u.nudge_id <> c.nudge_id),"
		" other.conversation_id, other.made_at"
		" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3),"
		"   pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6),"
		"   pg_catalog.unnest($7), pg_catalog.unnest($8), pg_catalog.unnest($9)) WITH ORDINALITY"
		"   AS c (nudge_id, step, conversation_id, server, address_hash, own_hash, channel, root, passed_over,"
		"     place)"
		" LEFT JOIN LATERAL (SELECT l.conversation_id,"
		"     CASE l.outcome WHEN 'session_created' THEN coalesce(l.called_at, l.occurred_at) END AS made_at"
		"   FROM reengage.lineage l"
		"   WHERE c.step = 'create'"
		"     AND l.address_hash = c.address_hash AND l.server = c.server AND l.channel = c.channel"
		"     AND l.outcome IN ('notified', 'session_created', 'session_continued')"
		"     AND l.conversation_id <> ALL (pg_catalog.string_to_array(c.passed_over, ','))"
		"     AND NOT EXISTS (SELECT FROM reengage.lineage n"
		"       WHERE n.server = l.server AND n.previous_conversation_id = l.conversation_id OFFSET 0)"
		"   ORDER BY l.occurred_at DESC LIMIT 1) other ON true"
		" ORDER BY c.place",
		9, {UUIDARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
			TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID}
	};
	static const Column columns[] = {
		{COLUMN_UUID, offsetof(IntentRow, nudge_id)},
		{COLUMN_TEXT, offsetof(IntentRow, step)},
		{COLUMN_TEXT, offsetof(IntentRow, conversation_id)},
		{COLUMN_TEXT, offsetof(IntentRow, server)},
		{COLUMN_TEXT, offsetof(IntentRow, address_hash)},
		{COLUMN_TEXT, offsetof(IntentRow, own_address_hash)},
		{COLUMN_TEXT, offsetof(IntentRow, channel)},
		{COLUMN_TEXT, offsetof(IntentRow, root)},
		{COLUMN_TEXT, offsetof(IntentRow, passed_over)},
	};
	Datum		arguments[lengthof(columns)];

	make_arguments(arguments, columns, lengthof(columns), rows, sizeof(IntentRow), count);
	execute(&statement, arguments, SPI_OK_SELECT);
	for (int row = 0; row < count; row++)
		facts[row] = (GateFacts) {result_bool(row, 1), result_bool(row, 2), result_bool(row, 3),
		result_bool(row, 4), result_time(row, 5, 0), result_time(row, 6, 0), result_text(row, 7), result_time(row, 8, 0)};
}

void
store_record_intent(const pg_uuid_t *intent_id, TimestampTz epoch,
					const IntentRow *rows, int count)
{
	static Statement statement = {
		"INSERT INTO reengage.intents"
		" (intent_id, epoch, nudge_ids, steps, rounds, conversation_ids,"
		"  to_addresses, from_addresses, channels, address_hashes)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
		10, {UUIDOID, TIMESTAMPTZOID, UUIDARRAYOID, TEXTARRAYOID, INT4ARRAYOID, TEXTARRAYOID,
			TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID}
	};
	static const Column columns[] = {
		{COLUMN_UUID, offsetof(IntentRow, nudge_id)},
		{COLUMN_TEXT, offsetof(IntentRow, step)},
		{COLUMN_INTEGER, offsetof(IntentRow, round)},
		{COLUMN_TEXT, offsetof(IntentRow, conversation_id)},
		{COLUMN_TEXT, offsetof(IntentRow, recipient.to_address)},
		{COLUMN_TEXT, offsetof(IntentRow, recipient.from_address)},
		{COLUMN_TEXT, offsetof(IntentRow, recipient.channel)},
		{COLUMN_TEXT, offsetof(IntentRow, address_hash)},
	};
	Datum		arguments[2 + lengthof(columns)];

	arguments[0] = UUIDPGetDatum(intent_id);
	arguments[1] = TimestampTzGetDatum(epoch);
	make_arguments(arguments + 2, columns, lengthof(columns), rows, sizeof(IntentRow), count);
	execute(&statement, arguments, SPI_OK_INSERT);
}

int
store_delete_intents(pg_uuid_t *intent_ids, int count)
{
	static Statement statement = {
		"WITH ended AS ("
		"  DELETE FROM reengage.intents i WHERE i.intent_id = ANY (ARRAY("
		"    SELECT o.intent_id FROM reengage.intents o WHERE o.intent_id = ANY ($1) FOR UPDATE SKIP LOCKED))"
		"  RETURNING i.intent_id)"
		" SELECT i.intent_id FROM reengage.intents i"
		" WHERE i.intent_id = ANY ($1) AND i.intent_id NOT IN (SELECT e.intent_id FROM ended e)",
		1, {UUIDARRAYOID}
	};
	Datum		argument = uuid_array(intent_ids, count);

	execute(&statement, &argument, SPI_OK_SELECT);
	for (uint64 row = 0; row < SPI_processed; row++)
		intent_ids[row] = result_uuid(row, 1);
	return (int) SPI_processed;
}

int
store_left_intents(LeftIntent **intents)
{
	/* ids never go back in an engine, as a clock may: the last call of a nudge comes last */
	static Statement statement = {
		"SELECT i.intent_id, i.recorded_at, c.nudge_id, c.round, c.step, c.conversation_id,"
		" c.to_address, c.from_address, c.channel, c.address_hash"
		" FROM reengage.intents i CROSS JOIN LATERAL ROWS FROM ("
		"   pg_catalog.unnest(i.nudge_ids), pg_catalog.unnest(i.steps),"
		"   pg_catalog.unnest(i.rounds), pg_catalog.unnest(i.conversation_ids),"
		"   pg_catalog.unnest(i.to_addresses), pg_catalog.unnest(i.from_addresses),"
		"   pg_catalog.unnest(i.channels), pg_catalog.unnest(i.address_hashes))"
		"   AS c (nudge_id, step, round, conversation_id, to_address, from_address, channel, address_hash)"
		" ORDER BY i.intent_id",
		0, {0}
	};

	execute(&statement, NULL, SPI_OK_SELECT);
	*intents = palloc(sizeof(LeftIntent) * Max(SPI_processed, 1));
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		LeftIntent *intent = &(*intents)[row];

		intent->intent_id = result_uuid(row, 1);
		intent->nudge_id = result_uuid(row, 3);
		intent->round = result_integer(row, 4);
		intent->post = read_post(row, 5);
		intent->post.since = result_time(row, 2, 0);
	}
	return (int) SPI_processed;
}

/* --- calls that are made again --------------------------------------------- */

Post
read_post(int row, int column)
{
	bool		creates = strcmp(result_text(row, column), step_name(STEP_CREATE)) == 0;
	Post		post = {
		.step = creates ? STEP_CREATE : STEP_NOTIFY,
		.conversation_id = result_text(row, column + 1),
		.recipient = {
			.to_address = result_utf8(row, column + 2),
			.from_address = result_utf8(row, column + 3),
			.channel = result_text(row, column + 4),
		},
		.address_hash = result_text(row, column + 5),
	};

	return post;
}

void
store_keep_unresolved(const UnresolvedRow *rows, int count)
{
	/* the row ends with the nudge; "since" stays that of the first time */
	static Statement statement = {
		"INSERT INTO reengage.unresolved"
		" (nudge_id, server, step, conversation_id, to_address, from_address, channel, address_hash, since)"
		" SELECT * FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3),"
		"   pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7),"
		"   pg_catalog.unnest($8), pg_catalog.unnest($9))"
		" ON CONFLICT (nudge_id) DO NOTHING",
		9, {UUIDARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
			TEXTARRAYOID, TEXTARRAYOID, TIMESTAMPTZARRAYOID}
	};
	static const Column columns[] = {
		{COLUMN_UUID, offsetof(UnresolvedRow, nudge_id)},
		{COLUMN_TEXT, offsetof(UnresolvedRow, server)},
		{COLUMN_TEXT, offsetof(UnresolvedRow, step)},
		{COLUMN_TEXT, offsetof(UnresolvedRow, conversation_id)},
		{COLUMN_TEXT, offsetof(UnresolvedRow, recipient.to_address)},
		{COLUMN_TEXT, offsetof(UnresolvedRow, recipient.from_address)},
		{COLUMN_TEXT, offsetof(UnresolvedRow, recipient.channel)},
		{COLUMN_TEXT, offsetof(UnresolvedRow, address_hash)},
		{COLUMN_TIME, offsetof(UnresolvedRow, since)},
	};
	Datum		arguments[lengthof(columns)];

	make_arguments(arguments, columns, lengthof(columns), rows, sizeof(UnresolvedRow), count);
	execute(&statement, arguments, SPI_OK_INSERT);
}
