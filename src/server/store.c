/*
 * store.c: all SQL of the engine.
 *
 * Everything is done for a batch at once: rows go in as parallel arrays.  Each
 * statement is prepared once.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "reengage.h"
#include "rows.h"
#include "site.h"
#include "store.h"

#define ARGUMENTS_MAX 21

typedef struct Statement
{
	const char *sql;
	int			narguments;
	Oid			types[ARGUMENTS_MAX];
	SPIPlanPtr	plan;			/* kept once prepared */
} Statement;

static void
execute(Statement *statement, Datum *arguments, int expected)
{
	int			result;

	if (statement->plan == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare(statement->sql, statement->narguments, statement->types);

		if (plan == NULL)
			elog(ERROR, "could not prepare \"%s\": %s", statement->sql,
				 SPI_result_code_string(SPI_result));
		SPI_keepplan(plan);
		statement->plan = plan;
	}
	result = SPI_execute_plan(statement->plan, arguments, NULL, false, 0);
	if (result != expected)
		elog(ERROR, "\"%s\" ended with %s", statement->sql, SPI_result_code_string(result));
}

/* --- the fence and the servers ---------------------------------------- */

const char *
store_fence_complaint(void)
{
	static Statement armed = {
		"SELECT FROM reengage.identity"
		" WHERE system_identifier = $1 AND database_oid = $2 AND site = $3 AND timeline = $4",
		4, {INT8OID, OIDOID, TEXTOID, INT4OID}
	};
	static Statement complaint = {"SELECT reengage.fence_complaint()", 0, {0}};
	static Statement follow = {"UPDATE reengage.identity SET timeline = $1", 1, {INT4OID}};
	const char *reason;
	Datum		arguments[4];

	arguments[0] = Int64GetDatum((int64) GetSystemIdentifier());
	arguments[1] = ObjectIdGetDatum(MyDatabaseId);
	arguments[2] = CStringGetTextDatum(site_name());
	arguments[3] = Int32GetDatum(site_timeline());
	execute(&armed, arguments, SPI_OK_SELECT);
	if (SPI_processed > 0)
		return NULL;
	execute(&complaint, NULL, SPI_OK_SELECT);
	reason = result_text(0, 1);
	/* a promotion that may go on: it is this timeline from now on */
	if (reason == NULL)
		execute(&follow, &arguments[3], SPI_OK_UPDATE);
	return reason;
}

List *
store_servers(void)
{
	static Statement statement = {
		"SELECT s.srvname::pg_catalog.text FROM pg_catalog.pg_foreign_server s"
		" JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw"
		" WHERE w.fdwname = '" REENGAGE_EXTENSION "' ORDER BY s.srvname",
		0, {0}
	};
	List	   *names = NIL;

	execute(&statement, NULL, SPI_OK_SELECT);
	for (uint64 row = 0; row < SPI_processed; row++)
		names = lappend(names, result_text(row, 1));
	return names;
}

void
store_report_server(const char *server, const char *reason)
{
	static Statement set = {
		"INSERT INTO reengage.server_state (server, state, reason) VALUES ($1, 'blocked', $2)"
		" ON CONFLICT (server) DO UPDATE SET reason = EXCLUDED.reason, since = EXCLUDED.since"
		" WHERE server_state.reason <> EXCLUDED.reason",
		2, {TEXTOID, TEXTOID}
	};
	static Statement clear = {
		"DELETE FROM reengage.server_state WHERE server = $1 AND state = 'blocked'",
		1, {TEXTOID}
	};
	Datum		arguments[2];

	arguments[0] = CStringGetTextDatum(server);
	if (reason != NULL)
	{
		arguments[1] = CStringGetTextDatum(reason);
		execute(&set, arguments, SPI_OK_INSERT);
	}
	else
		execute(&clear, arguments, SPI_OK_DELETE);
}

uint8 *
store_address_key(int *length)
{
	static Statement statement = {
		"SELECT key FROM reengage.address_key ORDER BY created_at, key LIMIT 1", 0, {0}
	};
	bool		isnull;
	bytea	   *key;
	uint8	   *copy;

	*length = 0;
	execute(&statement, NULL, SPI_OK_SELECT);
	if (SPI_processed == 0)
		return NULL;
	key = DatumGetByteaPP(result(0, 1, &isnull));
	*length = VARSIZE_ANY_EXHDR(key);
	copy = palloc(*length);
	memcpy(copy, VARDATA_ANY(key), *length);
	return copy;
}

/* --- the schedule ------------------------------------------------------ */

int
store_claim(const char *server, const Cursor *cursors, int ncursors, int limit, DueRow **rows)
{
	/* one index range scan for each lane: its cost does not depend on the backlog */
	static Statement statement = {
		"SELECT d.nudge_id, d.due_at, d.priority::pg_catalog.int4"
		" FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4))"
		"   AS lane (priority, due_at, nudge_id)"
		" CROSS JOIN LATERAL ("
		"   SELECT * FROM reengage.due d"
		"   WHERE d.server = $1 AND d.priority = lane.priority"
		"     AND (d.due_at, d.nudge_id) > (lane.due_at, lane.nudge_id)"
		"   ORDER BY d.due_at, d.nudge_id LIMIT $5) d"
		" ORDER BY d.priority, d.due_at, d.nudge_id",
		5, {TEXTOID, INT4ARRAYOID, TIMESTAMPTZARRAYOID, UUIDARRAYOID, INT8OID}
	};
	static const Column columns[] = {
		{COLUMN_INTEGER, offsetof(Cursor, priority)},
		{COLUMN_TIME, offsetof(Cursor, due_at)},
		{COLUMN_UUID, offsetof(Cursor, nudge_id)},
	};
	Datum		arguments[5];

	arguments[0] = CStringGetTextDatum(server);
	make_arguments(arguments + 1, columns, lengthof(columns), cursors, sizeof(Cursor), ncursors);
	arguments[4] = Int64GetDatum(limit);
	execute(&statement, arguments, SPI_OK_SELECT);
	*rows = palloc(sizeof(DueRow) * Max(SPI_processed, 1));
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		(*rows)[row].nudge_id = result_uuid(row, 1);
		(*rows)[row].due_at = result_time(row, 2, 0);
		(*rows)[row].priority = result_integer(row, 3);
	}
	return (int) SPI_processed;
}

/* The tip is the last conversation of the path, the generation its place. */
static void
read_path(LoadedNudge *nudge)
{
	nudge->tip = nudge->path;
	nudge->generation = 0;
	for (const char *comma = strchr(nudge->path, ','); comma; comma = strchr(comma + 1, ','))
	{
		nudge->tip = comma + 1;
		nudge->generation++;
	}
}

int
store_load(const pg_uuid_t *nudge_ids, int count, LoadedNudge **nudges)
{
	/*
	 * The root is that of the session, if we created the conversation, else
	 * the conversation itself; from there the path leads to the tip.  A
	 * conversation has one successor (P7), so the path cannot fork; two may
	 * lead to the same one, where the API threads by customer.
	 */
	static Statement statement = {
		"SELECT n.nudge_id, d.due_at, d.priority::pg_catalog.int4, n.server, n.conversation_id,"
		" n.message, n.address, n.channel, n.when_closed = 'skip', n.expires_at,"
		" d.attempt::pg_catalog.int4, d.round, d.api_calls, r.root, p.path"
		" FROM pg_catalog.unnest($1) AS wanted (nudge_id)"
		" JOIN reengage.due d ON d.nudge_id = wanted.nudge_id"
		" JOIN reengage.nudges n ON n.nudge_id = wanted.nudge_id"
		" CROSS JOIN LATERAL (SELECT coalesce(("
		"   SELECT l.root_conversation_id FROM reengage.lineage l"
		"   WHERE l.server = n.server AND l.conversation_id = n.conversation_id"
		"     AND l.previous_conversation_id IS NOT NULL"
		"   ORDER BY l.lineage_id LIMIT 1), n.conversation_id) AS root) r"
		" CROSS JOIN LATERAL ("
		"   WITH RECURSIVE step (conversation_id, generation) AS ("
		"     SELECT r.root, 0"
		"     UNION ALL"
		"     SELECT l.conversation_id, step.generation + 1"
		"     FROM step JOIN reengage.lineage l"
		"       ON l.server = n.server AND l.previous_conversation_id = step.conversation_id)"
		"     CYCLE conversation_id SET is_cycle USING visited"
		"   SELECT pg_catalog.string_agg(step.conversation_id, ',' ORDER BY step.generation) AS path"
		"   FROM step WHERE NOT is_cycle) p",
		1, {UUIDARRAYOID}
	};
	Datum		argument = uuid_array(nudge_ids, count);

	execute(&statement, &argument, SPI_OK_SELECT);
	*nudges = palloc0(sizeof(LoadedNudge) * Max(SPI_processed, 1));
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		LoadedNudge *nudge = &(*nudges)[row];

		nudge->nudge_id = result_uuid(row, 1);
		nudge->due_at = result_time(row, 2, 0);
		nudge->priority = result_integer(row, 3);
		nudge->server = result_text(row, 4);
		nudge->conversation_id = result_text(row, 5);
		nudge->message = result_utf8(row, 6);
		nudge->address = result_utf8(row, 7);
		nudge->channel = result_text(row, 8);
		nudge->skip_when_closed = result_bool(row, 9);
		nudge->expires_at = result_time(row, 10, DT_NOEND);
		nudge->attempt = result_integer(row, 11);
		nudge->round = result_integer(row, 12);
		nudge->api_calls = result_integer(row, 13);
		nudge->root = result_text(row, 14);
		nudge->path = result_text(row, 15);
		read_path(nudge);
	}
	return (int) SPI_processed;
}

void
store_move(const MoveRow *rows, int count)
{
	static Statement statement = {
		"UPDATE reengage.due d SET due_at = m.due_at, attempt = m.attempt, round = d.round + 1,"
		" api_calls = m.api_calls, waiting_for = m.waiting_for"
		" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3),"
		"   pg_catalog.unnest($4), pg_catalog.unnest($5))"
		"   AS m (nudge_id, due_at, attempt, api_calls, waiting_for)"
		" WHERE d.nudge_id = m.nudge_id",
		5, {UUIDARRAYOID, TIMESTAMPTZARRAYOID, INT4ARRAYOID, INT4ARRAYOID, TEXTARRAYOID}
	};
	static const Column columns[] = {
		{COLUMN_UUID, offsetof(MoveRow, nudge_id)},
		{COLUMN_TIME, offsetof(MoveRow, due_at)},
		{COLUMN_INTEGER, offsetof(MoveRow, attempt)},
		{COLUMN_INTEGER, offsetof(MoveRow, api_calls)},
		{COLUMN_TEXT, offsetof(MoveRow, waiting_for)},
	};
	Datum		arguments[lengthof(columns)];

	make_arguments(arguments, columns, lengthof(columns), rows, sizeof(MoveRow), count);
	execute(&statement, arguments, SPI_OK_UPDATE);
}

/* --- intents ------------------------------------------------------------ */

void
store_check_gates(const IntentRow *rows, int count, Gate *gates)
{
	static Statement statement = {
		"SELECT EXISTS (SELECT FROM reengage.due d WHERE d.nudge_id = c.nudge_id)"
		"   AND NOT EXISTS (SELECT FROM reengage.lineage l"
		"     WHERE l.server = c.server AND l.previous_conversation_id = c.conversation_id),"
		" c.step = 'create' AND EXISTS (SELECT FROM reengage.lineage l"
		"   WHERE l.server = c.server AND l.conversation_id = c.conversation_id"
		"     AND l.outcome = 'in_doubt' AND l.step = 'create'"
		"     AND NOT EXISTS (SELECT FROM reengage.lineage r WHERE r.resolves = l.lineage_id))"
		" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3),"
		"   pg_catalog.unnest($4)) WITH ORDINALITY"
		"   AS c (nudge_id, step, conversation_id, server, place)"
		" ORDER BY c.place",
		4, {UUIDARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID}
	};
	static const Column columns[] = {
		{COLUMN_UUID, offsetof(IntentRow, nudge_id)},
		{COLUMN_TEXT, offsetof(IntentRow, step)},
		{COLUMN_TEXT, offsetof(IntentRow, conversation_id)},
		{COLUMN_TEXT, offsetof(IntentRow, server)},
	};
	Datum		arguments[lengthof(columns)];

	make_arguments(arguments, columns, lengthof(columns), rows, sizeof(IntentRow), count);
	execute(&statement, arguments, SPI_OK_SELECT);
	for (int row = 0; row < count; row++)
	{
		if (!result_bool(row, 1))
			gates[row] = GATE_OUTDATED;
		else
			gates[row] = result_bool(row, 2) ? GATE_IN_DOUBT : GATE_OPEN;
	}
}

void
store_record_intent(const pg_uuid_t *intent_id, TimestampTz epoch,
					const IntentRow *rows, int count)
{
	static Statement statement = {
		"INSERT INTO reengage.intents"
		" (intent_id, epoch, nudge_ids, steps, rounds, conversation_ids)"
		" VALUES ($1, $2, $3, $4, $5, $6)",
		6, {UUIDOID, TIMESTAMPTZOID, UUIDARRAYOID, TEXTARRAYOID, INT4ARRAYOID, TEXTARRAYOID}
	};
	static const Column columns[] = {
		{COLUMN_UUID, offsetof(IntentRow, nudge_id)},
		{COLUMN_TEXT, offsetof(IntentRow, step)},
		{COLUMN_INTEGER, offsetof(IntentRow, round)},
		{COLUMN_TEXT, offsetof(IntentRow, conversation_id)},
	};
	Datum		arguments[2 + lengthof(columns)];

	arguments[0] = UUIDPGetDatum(intent_id);
	arguments[1] = TimestampTzGetDatum(epoch);
	make_arguments(arguments + 2, columns, lengthof(columns), rows, sizeof(IntentRow), count);
	execute(&statement, arguments, SPI_OK_INSERT);
}

void
store_delete_intents(const pg_uuid_t *intent_ids, int count)
{
	static Statement statement = {
		"DELETE FROM reengage.intents i USING pg_catalog.unnest($1) AS settled (intent_id)"
		" WHERE i.intent_id = settled.intent_id",
		1, {UUIDARRAYOID}
	};
	Datum		argument = uuid_array(intent_ids, count);

	execute(&statement, &argument, SPI_OK_DELETE);
}

int
store_left_intents(LeftIntent **intents)
{
	/* ids never go back in an engine, as a clock may: the last call of a nudge comes last */
	static Statement statement = {
		"SELECT i.intent_id, c.nudge_id, c.step, c.round, c.conversation_id"
		" FROM reengage.intents i CROSS JOIN LATERAL ROWS FROM ("
		"   pg_catalog.unnest(i.nudge_ids), pg_catalog.unnest(i.steps),"
		"   pg_catalog.unnest(i.rounds), pg_catalog.unnest(i.conversation_ids))"
		"   AS c (nudge_id, step, round, conversation_id)"
		" ORDER BY i.intent_id",
		0, {0}
	};

	execute(&statement, NULL, SPI_OK_SELECT);
	*intents = palloc(sizeof(LeftIntent) * Max(SPI_processed, 1));
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		LeftIntent *intent = &(*intents)[row];

		intent->intent_id = result_uuid(row, 1);
		intent->nudge_id = result_uuid(row, 2);
		intent->step = strcmp(result_text(row, 3), step_name(STEP_CREATE)) == 0 ?
			STEP_CREATE : STEP_NOTIFY;
		intent->round = result_integer(row, 4);
		intent->conversation_id = result_text(row, 5);
	}
	return (int) SPI_processed;
}

/* --- outcomes ------------------------------------------------------------ */

/*
 * A nudge whose outcome is not stored would be sent again and again, so a
 * trigger that drops rows of lineage stops everything.
 */
static void
check_none_was_suppressed(Datum nudge_ids, uint64 stored)
{
	static Statement statement = {
		"SELECT FROM reengage.nudges n WHERE n.nudge_id = ANY ($1)",
		1, {UUIDARRAYOID}
	};

	execute(&statement, &nudge_ids, SPI_OK_SELECT);
	if (SPI_processed != stored)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION),
				 errmsg("a trigger on table \"reengage.lineage\" keeps outcomes from being stored"),
				 errhint("Drop the trigger.")));
}

void
store_settle(const OutcomeRow *rows, int count)
{
	/* the trigger ends_nudge takes the nudge out of the schedule */
	static Statement statement = {
		"INSERT INTO reengage.lineage (nudge_id, server, requested_conversation_id, campaign,"
		" requested_at, due_at, detail, outcome, reason, step, conversation_id,"
		" previous_conversation_id, root_conversation_id, generation, status_seen, channel,"
		" address_hash, attempts, api_calls, api_calls_saved, http_status, api_error_code,"
		" api_error_message, correlation_id, checked_at, called_at, occurred_at)"
		" SELECT n.nudge_id, n.server, n.conversation_id, n.campaign,"
		" n.requested_at, n.due_at, n.detail, o.outcome, o.reason, o.step, o.conversation_id,"
		" o.previous, o.root, o.generation, o.status_seen, o.channel,"
		" o.address_hash, o.attempts, o.api_calls, o.api_calls_saved, o.http_status, o.error_code,"
		" o.error_message, o.correlation_id, o.checked_at, o.called_at, o.occurred_at"
		" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3),"
		" pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7),"
		" pg_catalog.unnest($8), pg_catalog.unnest($9), pg_catalog.unnest($10), pg_catalog.unnest($11),"
		" pg_catalog.unnest($12), pg_catalog.unnest($13), pg_catalog.unnest($14), pg_catalog.unnest($15),"
		" pg_catalog.unnest($16), pg_catalog.unnest($17), pg_catalog.unnest($18), pg_catalog.unnest($19),"
		" pg_catalog.unnest($20), pg_catalog.unnest($21))"
		" AS o (nudge_id, outcome, reason, step, conversation_id, previous, root, generation,"
		" status_seen, channel, address_hash, attempts, api_calls, api_calls_saved, http_status,"
		" error_code, error_message, correlation_id, checked_at, called_at, occurred_at)"
		" JOIN reengage.nudges n ON n.nudge_id = o.nudge_id",
		21, {UUIDARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
			TEXTARRAYOID, INT4ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT4ARRAYOID,
			INT4ARRAYOID, INT4ARRAYOID, INT4ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
			TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID}
	};
	static const Column columns[] = {
		{COLUMN_UUID, offsetof(OutcomeRow, nudge_id)},
		{COLUMN_TEXT, offsetof(OutcomeRow, outcome)},
		{COLUMN_TEXT, offsetof(OutcomeRow, reason)},
		{COLUMN_TEXT, offsetof(OutcomeRow, step)},
		{COLUMN_TEXT, offsetof(OutcomeRow, conversation_id)},
		{COLUMN_TEXT, offsetof(OutcomeRow, previous_conversation_id)},
		{COLUMN_TEXT, offsetof(OutcomeRow, root_conversation_id)},
		{COLUMN_INTEGER, offsetof(OutcomeRow, generation)},
		{COLUMN_TEXT, offsetof(OutcomeRow, status_seen)},
		{COLUMN_TEXT, offsetof(OutcomeRow, channel)},
		{COLUMN_TEXT, offsetof(OutcomeRow, address_hash)},
		{COLUMN_INTEGER, offsetof(OutcomeRow, attempts)},
		{COLUMN_INTEGER, offsetof(OutcomeRow, api_calls)},
		{COLUMN_INTEGER, offsetof(OutcomeRow, api_calls_saved)},
		{COLUMN_INTEGER_OR_NULL, offsetof(OutcomeRow, http_status)},
		{COLUMN_TEXT, offsetof(OutcomeRow, error_code)},
		{COLUMN_TEXT, offsetof(OutcomeRow, error_message)},
		{COLUMN_TEXT, offsetof(OutcomeRow, correlation_id)},
		{COLUMN_TIME_OR_NULL, offsetof(OutcomeRow, checked_at)},
		{COLUMN_TIME_OR_NULL, offsetof(OutcomeRow, called_at)},
		{COLUMN_TIME, offsetof(OutcomeRow, occurred_at)},
	};
	Datum		arguments[lengthof(columns)];

	make_arguments(arguments, columns, lengthof(columns), rows, sizeof(OutcomeRow), count);
	execute(&statement, arguments, SPI_OK_INSERT);
	if (SPI_processed != (uint64) count)
		check_none_was_suppressed(arguments[0], SPI_processed);
}
