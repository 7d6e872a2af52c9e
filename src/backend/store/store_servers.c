/*
 * store_servers.c: which servers there are, what is known against them, and whom
 * they named as opted out, in SQL.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/names.h"
#include "base/rows.h"
#include "store/lookup.h"
#include "store/small_table.h"
#include "store/statement.h"
#include "store/store.h"

List *
store_servers(void)
{
	static Statement statement = {
		"SELECT s.srvname::pg_catalog.text FROM pg_catalog.pg_foreign_server s"
		" JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw"
		" WHERE w.fdwname = '" REENGAGE_EXTENSION "' ORDER BY s.srvname",
	};

	execute(&statement, NULL, SPI_OK_SELECT);
	return result_names();
}

typedef struct KeyRow
{
	TimestampTz created_at;
	bytea	   *key;
} KeyRow;

/* As the view address_key_in_use has it. */
static bool
comes_before(const KeyRow *one, const KeyRow *other)
{
	if (one->created_at != other->created_at)
		return one->created_at < other->created_at;
	return DatumGetBool(DirectFunctionCall2(bytealt, PointerGetDatum(one->key), PointerGetDatum(other->key)));
}

AddressKey
store_address_key(void)
{
	static const Column columns[] = {
		COLUMN(TIME, KeyRow, created_at),
		COLUMN(BYTES, KeyRow, key),
	};
	void	   *read;
	int			count = small_table_read("address_key", columns, lengthof(columns), sizeof(KeyRow), &read);
	const KeyRow *rows = read;
	const KeyRow *first = rows;

	for (int i = 1; i < count; i++)
		if (comes_before(&rows[i], first))
			first = &rows[i];
	if (count == 0)
		return (AddressKey) {NULL, 0};
	return (AddressKey) {(uint8 *) VARDATA_ANY(first->key), VARSIZE_ANY_EXHDR(first->key)};
}

/* --- what is let go ----------------------------------------------------- */

static Datum
array_of_names(const List *names)
{
	Datum	   *values = palloc(sizeof(Datum) * list_length(names));
	ListCell   *cell;

	foreach(cell, names)
		values[foreach_current_index(cell)] = CStringGetTextDatum(lfirst(cell));
	return PointerGetDatum(construct_array(values, list_length(names),
										TEXTOID, -1, false, TYPALIGN_INT));
}

List *
store_take_releases(void)
{
	static Statement statement = {
		"WITH taken AS (DELETE FROM reengage.releases WHERE ctid = ANY (ARRAY("
		"  SELECT r.ctid FROM reengage.releases r FOR UPDATE SKIP LOCKED)) RETURNING server)"
		" SELECT DISTINCT t.server FROM taken t",
	};

	if (table_is_empty("releases"))
		return NIL;
	execute(&statement, NULL, SPI_OK_SELECT);
	return result_names();
}

/* What a condition on the schedule is true of is due at once, but for what somebody has locked. */
#define MAKE_DUE(condition) \
	"UPDATE reengage.due SET due_at = pg_catalog.now(), hold = NULL, hold_reason = NULL" \
	" WHERE nudge_id = ANY (ARRAY(SELECT d.nudge_id FROM reengage.due d" \
	"   WHERE" condition " FOR UPDATE SKIP LOCKED))"

void
store_release_held(const List *servers)
{
	/* as hold_is_released() has it, and the index due_held */
#define IS_HELD " d.server = ANY ($1) AND d.hold IN ('policy', 'doubt')"

	static Statement release = {MAKE_DUE(IS_HELD), 1, {TEXTARRAYOID}};
	static Statement leave = {
		"INSERT INTO reengage.releases (server)"
		" SELECT s FROM pg_catalog.unnest($1) s WHERE EXISTS (SELECT FROM reengage.due d"
		"   WHERE d.server = s AND" IS_HELD ")",
		1, {TEXTARRAYOID}
	};
	Datum		argument = array_of_names(servers);

	execute(&release, &argument, SPI_OK_UPDATE);
	execute(&leave, &argument, SPI_OK_INSERT);
}

/* --- what is known against servers ------------------------------------- */

static Datum
text_or_null(const char *text)
{
	/* the statements take an empty text for null */
	return CStringGetTextDatum(text != NULL ? text : "");
}

bool
store_report_server(const char *server, const ServerStateRow *breaker)
{
	static Statement is_locked = {
		"WITH ours AS MATERIALIZED ("
		"  SELECT s.server FROM reengage.server_state s WHERE s.server = $1 FOR UPDATE SKIP LOCKED)"
		" SELECT s.server FROM reengage.server_state s"
		" WHERE s.server = $1 AND s.server NOT IN (SELECT o.server FROM ours o)",
		1, {TEXTOID}
	};
	/* "since" stays while the reason does */
	static Statement set = {
		"INSERT INTO reengage.server_state AS s (server, state, reason, detail, step, until)"
		" VALUES ($1, $2, $3, nullif($4, ''), nullif($5, ''), nullif($6, '-infinity'))"
		" ON CONFLICT (server) DO UPDATE SET state = EXCLUDED.state, reason = EXCLUDED.reason,"
		"   detail = EXCLUDED.detail, step = EXCLUDED.step, until = EXCLUDED.until,"
		"   since = CASE WHEN s.state = EXCLUDED.state AND s.reason = EXCLUDED.reason"
		"     THEN s.since ELSE EXCLUDED.since END",
		6, {TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID}
	};
	static Statement clear = {
		"DELETE FROM reengage.server_state WHERE server = $1",
		1, {TEXTOID}
	};
	Datum		arguments[6];

	arguments[0] = CStringGetTextDatum(server);
	execute(&is_locked, arguments, SPI_OK_SELECT);
	if (SPI_processed > 0)
		return false;
	if (breaker->state == NULL)
	{
		execute(&clear, arguments, SPI_OK_DELETE);
		return true;
	}
	arguments[1] = CStringGetTextDatum(breaker->state);
	arguments[2] = CStringGetTextDatum(breaker->reason);
	arguments[3] = text_or_null(breaker->detail);
	arguments[4] = text_or_null(breaker->step);
	arguments[5] = TimestampTzGetDatum(breaker->until != 0 ? breaker->until : DT_NOBEGIN);
	execute(&set, arguments, SPI_OK_INSERT);
	return true;
}

ServerStateRow
store_server_state(const char *server)
{
	static const Column columns[] = {
		COLUMN(TEXT, ServerStateRow, state),
		COLUMN(TEXT, ServerStateRow, reason),
		COLUMN(TEXT, ServerStateRow, detail),
		COLUMN(TEXT, ServerStateRow, step),
		COLUMN(TIME, ServerStateRow, since),
		COLUMN(TIME, ServerStateRow, until),
	};
	static Statement statement = {
		"SELECT state, reason, detail, step, since, until FROM reengage.server_state WHERE server = $1",
		1, {TEXTOID}
	};
	Datum		argument = CStringGetTextDatum(server);
	ServerStateRow	row = {NULL};

	execute(&statement, &argument, SPI_OK_SELECT);
	if (SPI_processed > 0)
		read_rows(columns, lengthof(columns), &row, sizeof(row));
	return row;
}

TimestampTz
store_release(const char *server)
{
	/* a range of each lane of the index, as they are put off for a minute at most */
	static Statement statement = {
		MAKE_DUE(" d.server = $1 AND d.priority = ANY ('{0,1,2,3,4,5,6,7,8,9}')"
				 " AND d.due_at > pg_catalog.now() AND d.due_at < pg_catalog.now() + interval '2 minutes'"
				 " AND d.hold = 'server'"),
		1, {TEXTOID}
	};
	Datum		argument = CStringGetTextDatum(server);

	execute(&statement, &argument, SPI_OK_UPDATE);
	return SPI_processed > 0 ? GetCurrentTransactionStartTimestamp() : 0;
}

void
store_follow_clock(int64 microseconds)
{
	/* what waits for an hour or a day waits for the clock itself */
	static Statement pauses = {
		"UPDATE reengage.due SET due_at = due_at - $1 * interval '1 microsecond'"
		" WHERE due_at > pg_catalog.now() AND hold <> 'policy'",
		1, {INT8OID}
	};
	/* a key must not be taken for good when the API has forgotten it */
	static Statement keys = {
		"UPDATE reengage.unresolved SET since = since - $1 * interval '1 microsecond'",
		1, {INT8OID}
	};
	Datum		argument = Int64GetDatum(microseconds);

	execute(&pauses, &argument, SPI_OK_UPDATE);
	execute(&keys, &argument, SPI_OK_UPDATE);
}

void
store_record_opt_outs(const OptOutRow *rows, int count)
{
	static const Column columns[] = {
		COLUMN(TEXT, OptOutRow, server),
		COLUMN(TEXT, OptOutRow, channel),
		COLUMN(TEXT, OptOutRow, address_hash),
		COLUMN(TEXT, OptOutRow, root_conversation_id),
		COLUMN(TEXT, OptOutRow, label),
		COLUMN(TEXT, OptOutRow, reason),
	};
	static Statement statement = {
		"SELECT reengage_internal.record_opt_out(o.server, o.channel, o.address_hash, o.root_conversation_id, o.label, o.reason)"
		" FROM BATCH AS o",
		BATCH_OF(columns)
	};

	execute_batch(&statement, NULL, rows, sizeof(OptOutRow), count, SPI_OK_SELECT);
}
