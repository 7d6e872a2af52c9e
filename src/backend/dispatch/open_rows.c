/*
 * open_rows.c: looking into an index with the eyes of a unique constraint,
 * which must know of what is not committed, too.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/names.h"
#include "dispatch/open_rows.h"

/* Both have an index of address_hash, then root_conversation_id; one of them is null. */
typedef struct OpenTable
{
	Relation	table;
	Relation	index;
	TupleTableSlot *slot;
} OpenTable;

struct OpenRows
{
	OpenTable	suppressions;
	OpenTable	answers;
};

static Oid
relation_of(const char *name)
{
	Oid			relation = get_relname_relid(name, get_namespace_oid(REENGAGE_EXTENSION, false));

	if (!OidIsValid(relation))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"reengage.%s\" does not exist", name)));
	return relation;
}

static OpenTable
open_table(const char *name, const char *index)
{
	OpenTable	result = {.table = table_open(relation_of(name), AccessShareLock)};

	result.index = index_open(relation_of(index), AccessShareLock);
	result.slot = table_slot_create(result.table, NULL);
	return result;
}

static void
close_table(OpenTable *table)
{
	ExecDropSingleTupleTableSlot(table->slot);
	index_close(table->index, NoLock);
	table_close(table->table, NoLock);
}

OpenRows *
open_rows_begin(void)
{
	OpenRows   *rows = palloc(sizeof(OpenRows));

	rows->suppressions = open_table("suppressions", "suppressions_subject");
	rows->answers = open_table("answers", "answers_subject");
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
has_open_row(OpenTable *table, const char *address_hash, const char *root_conversation_id)
{
	SnapshotData dirty;
	ScanKeyData keys[2];
	IndexScanDesc scan;
	bool		found = false;

	set_key(&keys[0], table->index, 1, address_hash);
	set_key(&keys[1], table->index, 2, root_conversation_id);
	InitDirtySnapshot(dirty);
	scan = index_begin(table->table, table->index, &dirty, lengthof(keys));
	index_rescan(scan, keys, lengthof(keys), NULL, 0);
	while (!found && index_getnext_slot(scan, ForwardScanDirection, table->slot))
		found = TransactionIdIsValid(dirty.xmin) || TransactionIdIsValid(dirty.xmax);
	index_endscan(scan);
	ExecClearTuple(table->slot);
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
