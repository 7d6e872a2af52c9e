/*
 * waiting.c: see waiting.h.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/rows.h"
#include "store/lookup.h"
#include "store/waiting.h"

static const char *const column_names[WAITING_COLUMNS] = {"server", "priority", "requested_by", "due_at"};

/* Those that make a lane. */
#define LANE_COLUMNS WAITING_DUE_AT

/* The rows of a lane between two times. */
#define ROW_KEYS (LANE_COLUMNS + 2)

void
waiting_begin(Waiting *waiting)
{
	waiting->table = table_open(relation_of("due"), AccessShareLock);
	waiting->index = open_index("due_order", AccessShareLock);
	waiting->slot = table_slot_create(waiting->table, NULL);
	for (int i = 0; i < WAITING_COLUMNS; i++)
		waiting->places[i] = column_place(RelationGetDescr(waiting->table), column_names[i]);
	waiting->lanes = index_begin(waiting->table, waiting->index, GetActiveSnapshot(), 1);
	waiting->rows = index_begin(waiting->table, waiting->index, GetActiveSnapshot(), ROW_KEYS);
	waiting->lane_memory = AllocSetContextCreate(CurrentMemoryContext, "reengage lane", ALLOCSET_SMALL_SIZES);
}

static Datum
value_of(Waiting *waiting, WaitingColumn column)
{
	return waiting->slot->tts_values[waiting->places[column]];
}

/* As "(server, priority, requested_by) > (...)" is asked of an index. */
static void
set_beyond(Waiting *waiting, const Datum *lane, ScanKey row, ScanKey parts)
{
	static const struct
	{
		Oid			type;
		RegProcedure compare;
	}			columns[LANE_COLUMNS] = {{TEXTOID, F_BTTEXTCMP}, {INT2OID, F_BTINT2CMP}, {TEXTOID, F_BTTEXTCMP}};

	for (int i = 0; i < LANE_COLUMNS; i++)
		ScanKeyEntryInitialize(&parts[i], SK_ROW_MEMBER | (i == LANE_COLUMNS - 1 ? SK_ROW_END : 0), i + 1,
							   BTGreaterStrategyNumber, columns[i].type, waiting->index->rd_indcollation[i],
							   columns[i].compare, lane[i]);
	memset(row, 0, sizeof(*row));
	row->sk_flags = SK_ROW_HEADER;
	row->sk_attno = 1;
	row->sk_strategy = BTGreaterStrategyNumber;
	row->sk_argument = PointerGetDatum(parts);
}

static const WaitingLane *
lane_beyond(Waiting *waiting, const Datum *last)
{
	ScanKeyData row;
	ScanKeyData parts[LANE_COLUMNS];
	MemoryContext before;
	bool		found;

	CHECK_FOR_INTERRUPTS();
	set_beyond(waiting, last, &row, parts);
	index_rescan(waiting->lanes, &row, 1, NULL, 0);
	found = index_getnext_slot(waiting->lanes, ForwardScanDirection, waiting->slot);
	/* the keys are no more needed, which may be the texts of the last lane */
	MemoryContextReset(waiting->lane_memory);
	if (!found)
		return NULL;
	slot_getallattrs(waiting->slot);
	before = MemoryContextSwitchTo(waiting->lane_memory);
	waiting->lane = (WaitingLane) {
		.server = DatumGetTextPCopy(value_of(waiting, WAITING_SERVER)),
		.priority = DatumGetInt16(value_of(waiting, WAITING_PRIORITY)),
		.requested_by = DatumGetTextPCopy(value_of(waiting, WAITING_REQUESTED_BY)),
		.oldest = DatumGetTimestampTz(value_of(waiting, WAITING_DUE_AT)),
	};
	MemoryContextSwitchTo(before);
	return &waiting->lane;
}

const WaitingLane *
waiting_first(Waiting *waiting, text *server)
{
	text	   *nothing = cstring_to_text("");
	const Datum before[LANE_COLUMNS] = {PointerGetDatum(server != NULL ? server : nothing), Int16GetDatum(PG_INT16_MIN), PointerGetDatum(nothing)};

	return lane_beyond(waiting, before);
}

const WaitingLane *
waiting_next(Waiting *waiting)
{
	const WaitingLane *lane = &waiting->lane;
	const Datum last[LANE_COLUMNS] = {PointerGetDatum(lane->server), Int16GetDatum(lane->priority), PointerGetDatum(lane->requested_by)};

	return lane_beyond(waiting, last);
}

void
waiting_rows(Waiting *waiting, const WaitingLane *lane, TimestampTz from, TimestampTz to)
{
	ScanKeyData keys[ROW_KEYS];
	const Oid  *collations = waiting->index->rd_indcollation;

	ScanKeyEntryInitialize(&keys[0], 0, WAITING_SERVER + 1, BTEqualStrategyNumber, InvalidOid,
						   collations[WAITING_SERVER], F_TEXTEQ, PointerGetDatum(lane->server));
	ScanKeyEntryInitialize(&keys[1], 0, WAITING_PRIORITY + 1, BTEqualStrategyNumber, InvalidOid,
						   InvalidOid, F_INT2EQ, Int16GetDatum(lane->priority));
	ScanKeyEntryInitialize(&keys[2], 0, WAITING_REQUESTED_BY + 1, BTEqualStrategyNumber, InvalidOid,
						   collations[WAITING_REQUESTED_BY], F_TEXTEQ, PointerGetDatum(lane->requested_by));
	ScanKeyEntryInitialize(&keys[3], 0, WAITING_DUE_AT + 1, BTGreaterEqualStrategyNumber, InvalidOid,
						   InvalidOid, F_TIMESTAMPTZ_GE, TimestampTzGetDatum(from));
	ScanKeyEntryInitialize(&keys[4], 0, WAITING_DUE_AT + 1, BTLessEqualStrategyNumber, InvalidOid,
						   InvalidOid, F_TIMESTAMPTZ_LE, TimestampTzGetDatum(to));
	index_rescan(waiting->rows, keys, ROW_KEYS, NULL, 0);
}

TupleTableSlot *
waiting_row(Waiting *waiting)
{
	return index_getnext_slot(waiting->rows, ForwardScanDirection, waiting->slot) ? waiting->slot : NULL;
}

int64
waiting_count(Waiting *waiting, const WaitingLane *lane, TimestampTz from, TimestampTz to, int64 at_most)
{
	int64		count = 0;

	if (at_most <= 0)
		return 0;
	waiting_rows(waiting, lane, from, to);
	while (count < at_most && waiting_row(waiting) != NULL)
		count++;
	return count;
}

WaitingLane
waiting_copy(const WaitingLane *lane)
{
	WaitingLane copy = *lane;

	copy.server = DatumGetTextPCopy(PointerGetDatum(lane->server));
	copy.requested_by = DatumGetTextPCopy(PointerGetDatum(lane->requested_by));
	return copy;
}

void
waiting_end(Waiting *waiting)
{
	MemoryContextDelete(waiting->lane_memory);
	index_endscan(waiting->rows);
	index_endscan(waiting->lanes);
	ExecDropSingleTupleTableSlot(waiting->slot);
	index_close(waiting->index, NoLock);
	table_close(waiting->table, NoLock);
}
