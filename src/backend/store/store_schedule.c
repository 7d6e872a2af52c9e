/*
 * store_schedule.c: the lanes of the schedule.
 *
 * Which there are SQL tells; what is next in them is read from the index that
 * has them in order, as each tick wants to know.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/rows.h"
#include "store/lookup.h"
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

/* Columns of the index due_order. */
#define KEYS 4
enum {SERVER = 1, PRIORITY, ASKER, DUE_AT, NUDGE_ID};

typedef struct LaneScan
{
	Relation	due;
	Relation	order;
	IndexScanDesc scan;
	TupleTableSlot *row;
	ScanKeyData keys[KEYS];
	ScanKeyData place[2];		/* what comes after it in the lane */
	int			due_at;			/* columns of the table, from 0 */
	int			nudge_id;
} LaneScan;

static void
begin_scan(LaneScan *lanes, const char *server, Snapshot snapshot)
{
	lanes->due = open_table("due", AccessShareLock, ACL_SELECT);
	lanes->order = open_index("due_order", AccessShareLock);
	lanes->row = table_slot_create(lanes->due, NULL);
	lanes->scan = index_begin(lanes->due, lanes->order, snapshot, KEYS);
	lanes->due_at = column_place(RelationGetDescr(lanes->due), "due_at");
	lanes->nudge_id = column_place(RelationGetDescr(lanes->due), "nudge_id");
	ScanKeyEntryInitialize(&lanes->keys[0], 0, SERVER, BTEqualStrategyNumber, InvalidOid,
						   lanes->order->rd_indcollation[SERVER - 1], F_TEXTEQ, CStringGetTextDatum(server));
}

/* As ExecIndexBuildScanKeys() writes (due_at, nudge_id) > (…). */
static void
set_place(LaneScan *lanes, const Cursor *cursor)
{
	ScanKeyEntryInitialize(&lanes->place[0], SK_ROW_MEMBER, DUE_AT, BTGreaterStrategyNumber, InvalidOid,
						   InvalidOid, F_TIMESTAMPTZ_CMP, TimestampTzGetDatum(cursor->due_at));
	ScanKeyEntryInitialize(&lanes->place[1], SK_ROW_MEMBER | SK_ROW_END, NUDGE_ID, BTGreaterStrategyNumber, InvalidOid,
						   InvalidOid, F_UUID_CMP, UUIDPGetDatum(&cursor->nudge_id));
	lanes->keys[3] = (ScanKeyData) {
		.sk_flags = SK_ROW_HEADER,
		.sk_attno = DUE_AT,
		.sk_strategy = BTGreaterStrategyNumber,
		.sk_argument = PointerGetDatum(lanes->place),
	};
}

static DueRow
due_row(const LaneScan *lanes, int place)
{
	bool		isnull;
	Datum		locker = slot_getsysattr(lanes->row, MaxTransactionIdAttributeNumber, &isnull);

	slot_getallattrs(lanes->row);
	return (DueRow) {
		.nudge_id = *DatumGetUUIDP(lanes->row->tts_values[lanes->nudge_id]),
		.due_at = DatumGetTimestampTz(lanes->row->tts_values[lanes->due_at]),
		.place = place,
		.locked = is_open(DatumGetTransactionId(locker)),
	};
}

/* The next rows of a lane; returns their number. */
static int
read_lane(LaneScan *lanes, const Cursor *cursor, int place, int limit, DueRow *rows)
{
	int			count = 0;

	ScanKeyEntryInitialize(&lanes->keys[1], 0, PRIORITY, BTEqualStrategyNumber, InvalidOid,
						   InvalidOid, F_INT2EQ, Int16GetDatum(cursor->priority));
	ScanKeyEntryInitialize(&lanes->keys[2], 0, ASKER, BTEqualStrategyNumber, InvalidOid,
						   lanes->order->rd_indcollation[ASKER - 1], F_TEXTEQ, CStringGetTextDatum(cursor->asker));
	set_place(lanes, cursor);
	index_rescan(lanes->scan, lanes->keys, KEYS, NULL, 0);
	while (count < limit && index_getnext_slot(lanes->scan, ForwardScanDirection, lanes->row))
		rows[count++] = due_row(lanes, place);
	return count;
}

int
store_claim(const char *server, const Cursor *cursors, int ncursors, int limit, DueRow **rows)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	LaneScan	lanes;
	int			count = 0;

	*rows = palloc(sizeof(DueRow) * Max(ncursors * limit, 1));
	begin_scan(&lanes, server, snapshot);
	for (int place = 0; place < ncursors; place++)
		count += read_lane(&lanes, &cursors[place], place, limit, *rows + count);
	index_endscan(lanes.scan);
	ExecDropSingleTupleTableSlot(lanes.row);
	index_close(lanes.order, NoLock);
	table_close(lanes.due, NoLock);
	UnregisterSnapshot(snapshot);
	return count;
}
