/*
 * store_schedule.c: the lanes of the schedule, in SQL.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "storage/procarray.h"
#include "utils/builtins.h"

#include "base/rows.h"
#include "store/statement.h"
#include "store/store.h"

int
store_lanes(const char *server, LaneRow **rows)
{
	/* one look into the index for each lane: its cost does not depend on the backlog */
	static Statement statement = {
		"WITH RECURSIVE lane (priority, requested_by) AS ("
		"   (SELECT d.priority, d.requested_by FROM reengage.due d WHERE d.server = $1"
		"     ORDER BY d.priority, d.requested_by LIMIT 1)"
		"   UNION ALL"
		"   SELECT n.priority, n.requested_by FROM lane CROSS JOIN LATERAL ("
		"     SELECT d.priority, d.requested_by FROM reengage.due d WHERE d.server = $1"
		"       AND (d.priority, d.requested_by) > (lane.priority, lane.requested_by)"
		"     ORDER BY d.priority, d.requested_by LIMIT 1) n)"
		" SELECT lane.requested_by, lane.priority::pg_catalog.int4 FROM lane",
		1, {TEXTOID}
	};
	Datum		argument = CStringGetTextDatum(server);

	execute(&statement, &argument, SPI_OK_SELECT);
	*rows = palloc(sizeof(LaneRow) * Max(SPI_processed, 1));
	for (uint64 row = 0; row < SPI_processed; row++)
		(*rows)[row] = (LaneRow) {.asker = result_text(row, 1), .priority = result_integer(row, 2)};
	return (int) SPI_processed;
}

/*
 * Somebody's transaction other than ours.  Of a row that several share a lock
 * of, this may be wrong: then its turn comes later, or its outcome finds out.
 */
static bool
is_open(TransactionId xid)
{
	return TransactionIdIsNormal(xid) && !TransactionIdIsCurrentTransactionId(xid) &&
		TransactionIdIsInProgress(xid);
}

int
store_claim(const char *server, const Cursor *cursors, int ncursors, int limit, DueRow **rows)
{
	/* one index range scan for each lane: its cost does not depend on the backlog */
	static Statement statement = {
		"SELECT d.nudge_id, d.due_at, lane.place::pg_catalog.int4 - 1, d.locker"
		" FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4),"
		"   pg_catalog.unnest($5)) WITH ORDINALITY"
		"   AS lane (asker, priority, due_at, nudge_id, place)"
		" CROSS JOIN LATERAL ("
		"   SELECT d.nudge_id, d.due_at, d.xmax AS locker FROM reengage.due d"
		"   WHERE d.server = $1 AND d.priority = lane.priority AND d.requested_by = lane.asker"
		"     AND (d.due_at, d.nudge_id) > (lane.due_at, lane.nudge_id)"
		"   ORDER BY d.due_at, d.nudge_id LIMIT $6) d"
		" ORDER BY lane.place, d.due_at, d.nudge_id",
		6, {TEXTOID, TEXTARRAYOID, INT4ARRAYOID, TIMESTAMPTZARRAYOID, UUIDARRAYOID, INT8OID}
	};
	static const Column columns[] = {
		{COLUMN_TEXT, offsetof(Cursor, asker)},
		{COLUMN_INTEGER, offsetof(Cursor, priority)},
		{COLUMN_TIME, offsetof(Cursor, due_at)},
		{COLUMN_UUID, offsetof(Cursor, nudge_id)},
	};
	Datum		arguments[6];

	arguments[0] = CStringGetTextDatum(server);
	make_arguments(arguments + 1, columns, lengthof(columns), cursors, sizeof(Cursor), ncursors);
	arguments[5] = Int64GetDatum(limit);
	execute(&statement, arguments, SPI_OK_SELECT);
	*rows = palloc(sizeof(DueRow) * Max(SPI_processed, 1));
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		(*rows)[row].nudge_id = result_uuid(row, 1);
		(*rows)[row].due_at = result_time(row, 2, 0);
		(*rows)[row].place = result_integer(row, 3);
		(*rows)[row].locked = is_open(result_xid(row, 4));
	}
	return (int) SPI_processed;
}
