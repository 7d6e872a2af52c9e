/*
 * open_rows.c: looking into an index with the eyes of a unique constraint,
 * which must know of what is not committed, too.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "dispatch/open_rows.h"
#include "store/lookup.h"

/* Both have an index of address_hash, then root_conversation_id; one of them is null. */
typedef struct OpenTable
{
	Relation	table;
	Relation	index;
	TupleTableSlot *slot;
	SnapshotData dirty;
	IndexScanDesc scan;			/* NULL: it has no rows, of nobody */
} OpenTable;

#define KEYS 2

struct OpenRows
{
	OpenTable	suppressions;
	OpenTable	answers;
};

static void
open_with_index(OpenTable *open, const char *name, const char *index)
{
	/* without asking for rights, which who cancels may not have: nothing of a row is told */
	open->table = table_open(relation_of(name), AccessShareLock);
	open->index = open_index(index, AccessShareLock);
	open->slot = table_slot_create(open->table, NULL);
	InitDirtySnapshot(open->dirty);
	open->scan = RelationGetNumberOfBlocks(open->table) == 0 ? NULL :
		index_begin(open->table, open->index, &open->dirty, KEYS);
}

static void
close_table(OpenTable *open)
{
	if (open->scan != NULL)
		index_endscan(open->scan);
	ExecDropSingleTupleTableSlot(open->slot);
	index_close(open->index, NoLock);
	table_close(open->table, NoLock);
}

OpenRows *
open_rows_begin(void)
{
	OpenRows   *rows = palloc(sizeof(OpenRows));

	open_with_index(&rows->suppressions, "suppressions", "suppressions_subject");
	open_with_index(&rows->answers, "answers", "answers_subject");
	return rows;
}

void
open_rows_end(OpenRows *rows)
{
	close_table(&rows->suppressions);
	close_table(&rows->answers);
	pfree(rows);
}

static void
set_key(ScanKey key, Relation index, AttrNumber column, const char *value)
{
	bool		isnull = value == NULL;

	ScanKeyEntryInitialize(key, isnull ? SK_ISNULL | SK_SEARCHNULL : 0, column,
						   isnull ? InvalidStrategy : BTEqualStrategyNumber, InvalidOid,
						   index->rd_indcollation[column - 1], isnull ? InvalidOid : F_TEXTEQ,
						   isnull ? (Datum) 0 : CStringGetTextDatum(value));
}

static bool
has_open_row(OpenTable *open, const char *address_hash, const char *root_conversation_id)
{
	ScanKeyData keys[KEYS];
	bool		found = false;

	if (open->scan == NULL)
		return false;
	set_key(&keys[0], open->index, 1, address_hash);
	set_key(&keys[1], open->index, 2, root_conversation_id);
	index_rescan(open->scan, keys, KEYS, NULL, 0);
	while (!found && index_getnext_slot(open->scan, ForwardScanDirection, open->slot))
		found = TransactionIdIsValid(open->dirty.xmin) || TransactionIdIsValid(open->dirty.xmax);
	ExecClearTuple(open->slot);
	return found;
}

bool
open_rows_of_customer(OpenRows *rows, const char *address_hash)
{
	return has_open_row(&rows->suppressions, address_hash, NULL) ||
		has_open_row(&rows->answers, address_hash, NULL);
}

bool
open_rows_of_thread(OpenRows *rows, const char *root_conversation_id)
{
	return has_open_row(&rows->suppressions, NULL, root_conversation_id) ||
		has_open_row(&rows->answers, NULL, root_conversation_id);
}
