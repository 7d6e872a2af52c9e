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
	static const Column columns[] = {
		COLUMN(TEXT, LaneRow, asker),
		COLUMN(INTEGER, LaneRow, priority),
	};
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
		" SELECT lane.requested_by AS asker, lane.priority::pg_catalog.int4 AS priority FROM lane",
		1, {TEXTOID}
	};
	Datum		argument = CStringGetTextDatum(server);

	execute(&statement, &argument, SPI_OK_SELECT);
	*rows = palloc(sizeof(LaneRow) * Max(SPI_processed, 1));
	read_rows(columns, lengthof(columns), *rows, sizeof(LaneRow));
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

static const Column cursor_columns[] = {
	COLUMN(TEXT, Cursor, asker),
	COLUMN(INTEGER, Cursor, priority),
	COLUMN(TIME, Cursor, due_at),
	COLUMN(UUID, Cursor, nudge_id),
};

static const Column due_columns[] = {
	COLUMN(UUID, DueRow, nudge_id),
	COLUMN(TIME, DueRow, due_at),
	COLUMN(INTEGER, DueRow, place),
	READ_BY_HAND("locker"),
};

int
store_claim(const char *server, const Cursor *cursors, int ncursors, int limit, DueRow **rows)
{
	/* one index range scan for each lane: its cost does not depend on the backlog */
	static Statement statement = {
		"SELECT d.nudge_id, d.due_at, lane.place::pg_catalog.int4 - 1 AS place, d.locker"
		" FROM BATCH AS lane"
		" CROSS JOIN LATERAL ("
		"   SELECT d.nudge_id, d.due_at, d.xmax AS locker FROM reengage.due d"
		"   WHERE d.server = $1 AND d.priority = lane.priority AND d.requested_by = lane.asker"
		"     AND (d.due_at, d.nudge_id) > (lane.due_at, lane.nudge_id)"
		"   ORDER BY d.due_at, d.nudge_id LIMIT $2) d"
		" ORDER BY lane.place, d.due_at, d.nudge_id",
		2, {TEXTOID, INT8OID}, BATCH_OF(cursor_columns)
	};
	Datum		single[] = {CStringGetTextDatum(server), Int64GetDatum(limit)};

	execute_batch(&statement, single, cursors, sizeof(Cursor), ncursors, SPI_OK_SELECT);
	*rows = palloc(sizeof(DueRow) * Max(SPI_processed, 1));
	read_rows(due_columns, lengthof(due_columns), *rows, sizeof(DueRow));
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		bool		isnull;
		Datum		locker = result_column((int) row, "locker", &isnull);

		(*rows)[row].locked = is_open(DatumGetTransactionId(locker));
	}
	return (int) SPI_processed;
}
