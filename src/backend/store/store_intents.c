/*
 * store_intents.c: intents, the gates before them, and calls that are made
 * again, in SQL.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/rows.h"
#include "outcome_list.h"
#include "store/lookup.h"
#include "store/post_columns.h"
#include "store/sessions.h"
#include "store/statement.h"
#include "store/store.h"
#include "store/table_write.h"

static const Column facts_columns[] = {
	COLUMN(BOOL, GateFacts, due),
	COLUMN(BOOL, GateFacts, superseded),
	COLUMN(BOOL, GateFacts, create_in_doubt),
	COLUMN(BOOL, GateFacts, suppressed),
	COLUMN(TIME, GateFacts, answered_at),
	COLUMN(TIME, GateFacts, others_next_attempt),
	COLUMN(TEXT, GateFacts, other_conversation),
	COLUMN(TIME, GateFacts, other_made_at),
};

static void
ask_facts(const IntentRow *rows, int count, GateFacts *facts)
{
	static const Column columns[] = {
		COLUMN(UUID, IntentRow, nudge_id),
		COLUMN(TEXT, IntentRow, step),
		COLUMN(TEXT, IntentRow, conversation_id),
		COLUMN(TEXT, IntentRow, server),
		COLUMN(TEXT, IntentRow, address_hash),
		COLUMN(TEXT, IntentRow, own_address_hash),
		COLUMN(TEXT, IntentRow, channel),
		COLUMN(TEXT, IntentRow, root),
		COLUMN(TEXT, IntentRow, passed_over),
	};
	static Statement statement = {
		"SELECT EXISTS (SELECT FROM reengage.due d WHERE d.nudge_id = c.nudge_id OFFSET 0) AS due,"
		" EXISTS (SELECT FROM reengage_internal.sessions l"
		"   WHERE l.server = c.server AND l.previous_conversation_id = c.conversation_id OFFSET 0) AS superseded,"
		" c.step = 'create' AND EXISTS (SELECT FROM reengage.lineage l"
		"   WHERE l.server = c.server AND l.conversation_id = c.conversation_id"
		"     AND l.outcome = 'in_doubt' AND l.step = 'create'"
		"     AND NOT EXISTS (SELECT FROM reengage.lineage r WHERE r.resolves = l.lineage_id OFFSET 0) OFFSET 0) AS create_in_doubt,"
		/* a channel that is not known may be the one */
		" CASE WHEN EXISTS (SELECT FROM reengage.suppressions) THEN EXISTS (SELECT FROM reengage.suppressions s"
		"   WHERE s.address_hash = ANY (ARRAY[c.address_hash, c.own_address_hash])"
		"     AND coalesce(s.server = c.server, true)"
		"     AND coalesce(s.channel = pg_catalog.lower(c.channel), true)"
		"     AND coalesce(s.until > pg_catalog.clock_timestamp(), true) OFFSET 0)"
		" OR EXISTS (SELECT FROM reengage.suppressions s"
		"   WHERE s.server = c.server AND s.root_conversation_id = c.root"
		"     AND coalesce(s.channel = pg_catalog.lower(c.channel), true)"
		"     AND coalesce(s.until > pg_catalog.clock_timestamp(), true) OFFSET 0) END AS suppressed,"
		" CASE WHEN EXISTS (SELECT FROM reengage.answers) THEN greatest((SELECT pg_catalog.max(a.answered_at) FROM reengage.answers a"
		"     WHERE a.address_hash = ANY (ARRAY[c.address_hash, c.own_address_hash])),"
		"   (SELECT a.answered_at FROM reengage.answers a"
		"     WHERE a.address_hash IS NULL AND a.root_conversation_id = c.root AND a.server = c.server)) END AS answered_at,"
		" CASE WHEN EXISTS (SELECT FROM reengage.unresolved) THEN (SELECT pg_catalog.max((SELECT d.due_at FROM reengage.due d WHERE d.nudge_id = u.nudge_id))"
		"   FROM reengage.unresolved u"
		"   WHERE u.address_hash = c.address_hash AND u.server = c.server AND u.nudge_id <> c.nudge_id) END AS others_next_attempt,"
		" other.conversation_id AS other_conversation, other.made_at AS other_made_at"
		" FROM BATCH AS c"
		" LEFT JOIN LATERAL (SELECT l.conversation_id,"
		"     CASE l.outcome WHEN 'session_created' THEN coalesce(l.called_at, l.occurred_at) END AS made_at"
		"   FROM reengage.lineage l"
		"   WHERE c.step = 'create'"
		"     AND " IS_TEXT("l.address_hash", "c.address_hash") " AND l.server = c.server AND l.channel = c.channel"
		"     AND l.outcome IN (" OUTCOMES_SENT ")"
		"     AND l.conversation_id <> ALL (pg_catalog.string_to_array(c.passed_over, ','))"
		"     AND NOT EXISTS (SELECT FROM reengage_internal.sessions n"
		"       WHERE n.server = l.server AND n.previous_conversation_id = l.conversation_id OFFSET 0)"
		"   ORDER BY l.occurred_at DESC LIMIT 1) other ON true"
		" ORDER BY c.place",
		BATCH_OF(columns)
	};

	execute_batch(&statement, NULL, rows, sizeof(IntentRow), count, SPI_OK_SELECT);
	read_rows(facts_columns, lengthof(facts_columns), facts, sizeof(GateFacts));
}

/* Where most find nothing. */
typedef struct Looks
{
	Lookup		due;
	Sessions	sessions;
	Lookup		in_doubt;
	Lookup		customers;
	bool		anything;		/* opt-outs, answers or unresolved calls */
} Looks;

/* What there is to know but for these two is for a statement to find out. */
static bool
needs_asking(Looks *looks, const IntentRow *row, GateFacts *facts)
{
	facts->due = lookup_find_at(&looks->due, &row->places.due, &row->nudge_id) != NULL;
	facts->superseded = sessions_have_successor(&looks->sessions, row->server, row->conversation_id);
	return looks->anything ||
		(strcmp(row->step, step_name(STEP_CREATE)) == 0 &&
		 (lookup_has(&looks->in_doubt, row->server, row->conversation_id) ||
		  lookup_may_have(&looks->customers, row->address_hash)));
}

void
store_check_gates(const IntentRow *rows, int count, GateFacts *facts)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	Looks		looks = {
		.due = lookup_begin("due", "due_pkey", snapshot),
		.sessions = sessions_begin(snapshot, false),
		.in_doubt = lookup_begin_texts("lineage", "lineage_in_doubt", 2, snapshot),
		.customers = lookup_begin_number("lineage", "lineage_customer", snapshot),
		.anything = !(table_is_empty("suppressions") && table_is_empty("answers") && table_is_empty("unresolved")),
	};
	IntentRow  *asking = palloc(sizeof(IntentRow) * count);
	GateFacts  *answers = palloc(sizeof(GateFacts) * count);
	int		   *places = palloc(sizeof(int) * count);
	int			nasking = 0;

	for (int i = 0; i < count; i++)
		if (needs_asking(&looks, &rows[i], &facts[i]))
		{
			places[nasking] = i;
			answers[nasking] = facts[i];
			asking[nasking++] = rows[i];
		}
	lookup_end(&looks.due);
	sessions_end(&looks.sessions);
	lookup_end(&looks.in_doubt);
	lookup_end(&looks.customers);
	UnregisterSnapshot(snapshot);
	if (nasking > 0)
		ask_facts(asking, nasking, answers);
	for (int i = 0; i < nasking; i++)
		facts[places[i]] = answers[i];
}

/* --- intents ---------------------------------------------------------------- */

static const Column call_columns[] = {
	COLUMN_AS("nudge_ids", UUID, IntentRow, nudge_id),
	COLUMN_AS("creates", BOOL, IntentRow, creates),
	COLUMN_AS("fencing_tokens", INTEGER, IntentRow, fencing_token),
	COLUMN_AS("conversation_ids", TEXT, IntentRow, elsewhere),
	COLUMN_AS("to_addresses", TEXT, IntentRow, recipient.to_address),
	COLUMN_AS("from_addresses", TEXT, IntentRow, recipient.from_address),
	COLUMN_AS("channels", TEXT, IntentRow, recipient.channel),
	COLUMN_AS("address_hashes", HASH, IntentRow, address_hash),
};

/* Its triggers fire. */
static void
insert_by_statement(const pg_uuid_t *intent_id, TimestampTz epoch, const IntentRow *rows, int count)
{
	static Statement statement = {
		"INSERT INTO reengage.intents"
		" (intent_id, epoch, nudge_ids, creates, fencing_tokens, conversation_ids,"
		"  to_addresses, from_addresses, channels, address_hashes)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
		2, {UUIDOID, TIMESTAMPTZOID}, BATCH_OF(call_columns)
	};
	Datum		single[] = {UUIDPGetDatum(intent_id), TimestampTzGetDatum(epoch)};

	execute_batch(&statement, single, rows, sizeof(IntentRow), count, SPI_OK_INSERT);
}

static void
set_column(TupleTableSlot *row, Relation table, const char *column, Datum value)
{
	int			place = column_place(RelationGetDescr(table), column);

	row->tts_values[place] = value;
	row->tts_isnull[place] = false;
}

static void
insert_directly(Relation intents, const pg_uuid_t *intent_id, TimestampTz epoch, const IntentRow *rows, int count)
{
	static WrittenTable written;
	Datum		arrays[lengthof(call_columns)];
	TupleTableSlot *row;

	table_write_begin(&written, intents);
	row = table_write_row(&written);
	make_arguments(arrays, call_columns, lengthof(call_columns), rows, sizeof(IntentRow), count);
	set_column(row, intents, "intent_id", UUIDPGetDatum(intent_id));
	set_column(row, intents, "epoch", TimestampTzGetDatum(epoch));
	set_column(row, intents, "recorded_at", TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
	for (int i = 0; i < lengthof(call_columns); i++)
		set_column(row, intents, column_name(&call_columns[i]), arrays[i]);
	ExecStoreVirtualTuple(row);
	table_write(&written, &row, 1);
	table_write_end(&written);
}

void
store_record_intent(const pg_uuid_t *intent_id, TimestampTz epoch, const IntentRow *rows, int count)
{
	Relation	intents = open_table("intents", RowExclusiveLock, ACL_INSERT);

	if (fires_insert(intents->trigdesc))
		insert_by_statement(intent_id, epoch, rows, count);
	else
		insert_directly(intents, intent_id, epoch, rows, count);
	table_close(intents, NoLock);
}

/* Its triggers fire. */
static int
delete_by_statement(pg_uuid_t *intent_ids, int count)
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
		intent_ids[row] = result_uuid((int) row);
	return (int) SPI_processed;
}

static int
delete_directly(pg_uuid_t *intent_ids, int count)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	Lookup		intents = lookup_begin("intents", "intents_pkey", snapshot);
	int			left = 0;

	for (int i = 0; i < count; i++)
		if (lookup_find(&intents, &intent_ids[i]) != NULL && !lookup_delete(&intents))
			intent_ids[left++] = intent_ids[i];
	lookup_end(&intents);
	UnregisterSnapshot(snapshot);
	CommandCounterIncrement();
	return left;
}

int
store_delete_intents(pg_uuid_t *intent_ids, int count)
{
	Relation	intents = open_table("intents", RowExclusiveLock, ACL_DELETE);
	int			left = fires_delete(intents->trigdesc) ? delete_by_statement(intent_ids, count) :
		delete_directly(intent_ids, count);

	table_close(intents, NoLock);
	return left;
}

int
store_left_intents(LeftIntent **intents)
{
	static const Column columns[] = {
		COLUMN(UUID, LeftIntent, intent_id),
		COLUMN(UUID, LeftIntent, nudge_id),
		COLUMN(INTEGER, LeftIntent, fencing_token),
		POST_COLUMNS(LeftIntent, HASH),
	};
	/* ids never go back in an engine, as a clock may: the last call of a nudge comes last */
	static Statement statement = {
		"SELECT i.intent_id, c.nudge_id, c.fencing_token, i.recorded_at AS post_since,"
		" CASE WHEN c.creates THEN 'create' ELSE 'notify' END AS post_step,"
		" coalesce(c.conversation_id, (SELECT n.conversation_id FROM reengage.nudges n WHERE n.nudge_id = c.nudge_id)) AS post_conversation_id, c.to_address AS post_to_address,"
		" c.from_address AS post_from_address, c.channel AS post_channel, c.address_hash AS post_address_hash"
		" FROM reengage.intents i CROSS JOIN LATERAL ROWS FROM ("
		"   pg_catalog.unnest(i.nudge_ids), pg_catalog.unnest(i.creates),"
		"   pg_catalog.unnest(i.fencing_tokens), pg_catalog.unnest(i.conversation_ids),"
		"   pg_catalog.unnest(i.to_addresses), pg_catalog.unnest(i.from_addresses),"
		"   pg_catalog.unnest(i.channels), pg_catalog.unnest(i.address_hashes))"
		"   AS c (nudge_id, creates, fencing_token, conversation_id, to_address, from_address, channel, address_hash)"
		" ORDER BY i.intent_id",
	};

	execute(&statement, NULL, SPI_OK_SELECT);
	*intents = palloc(sizeof(LeftIntent) * Max(SPI_processed, 1));
	read_rows(columns, lengthof(columns), *intents, sizeof(LeftIntent));
	return (int) SPI_processed;
}

/* --- calls that are made again --------------------------------------------- */

void
store_keep_unresolved(const UnresolvedRow *rows, int count)
{
	/* the row ends with the nudge; "since" stays that of the first time */
	static const Column columns[] = {
		COLUMN(UUID, UnresolvedRow, nudge_id),
		COLUMN(TEXT, UnresolvedRow, server),
		COLUMN(TEXT, UnresolvedRow, step),
		COLUMN(TEXT, UnresolvedRow, conversation_id),
		COLUMN(TEXT, UnresolvedRow, recipient.to_address),
		COLUMN(TEXT, UnresolvedRow, recipient.from_address),
		COLUMN(TEXT, UnresolvedRow, recipient.channel),
		COLUMN(TEXT, UnresolvedRow, address_hash),
		COLUMN(TIME, UnresolvedRow, since),
	};
	static Statement statement = {
		"INSERT INTO reengage.unresolved"
		" (nudge_id, server, step, conversation_id, to_address, from_address, channel, address_hash, since)"
		" SELECT b.nudge_id, b.server, b.step, b.conversation_id, b.to_address, b.from_address, b.channel,"
		"   b.address_hash, b.since FROM BATCH AS b"
		" ON CONFLICT (nudge_id) DO NOTHING",
		BATCH_OF(columns)
	};

	execute_batch(&statement, NULL, rows, sizeof(UnresolvedRow), count, SPI_OK_INSERT);
}
