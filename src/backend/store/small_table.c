/*
 * small_table.c: see small_table.h.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "store/lookup.h"
#include "store/small_table.h"

static int
read_all(Relation relation, const Column *columns, int ncolumns, size_t size, void **rows)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_begin(relation, snapshot);
	TupleTableSlot *slot = table_slot_create(relation, NULL);
	int		   *places = palloc(sizeof(int) * ncolumns);
	int			room = 1;
	int			count = 0;

	places_of_columns(RelationGetDescr(relation), columns, ncolumns, places);
	*rows = palloc(size);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		if (count == room)
			*rows = repalloc(*rows, size * (room *= 2));
		slot_getallattrs(slot);
		read_slot(columns, places, ncolumns, slot, (char *) *rows + size * count++);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(relation, NoLock);
	return count;
}

int
small_table_read(const char *table, const Column *columns, int ncolumns, size_t size, void **rows)
{
	return read_all(open_table(table, AccessShareLock, ACL_SELECT), columns, ncolumns, size, rows);
}

int
small_table_read_for_all(const char *table, const Column *columns, int ncolumns, size_t size, void **rows)
{
	return read_all(table_open(relation_of(table), AccessShareLock), columns, ncolumns, size, rows);
}
