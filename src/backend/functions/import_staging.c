/*
 * import_staging.c: puts records of history into the staging table of an import.
 *
 * As COPY does it, many at a time.  The table is a temporary one of the caller,
 * made for this, with neither index nor trigger.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "functions/import_staging.h"

/* Of its own: record_no, line_no, field_count, complaint, fields; all others are of type text. */
static const Oid own_columns[] = {INT8OID, INT8OID, INT4OID, TEXTOID, TEXTARRAYOID};

#define OWN_COLUMNS ((int) lengthof(own_columns))

#define RECORDS_MAX 1000
#define BYTES_MAX (64 * 1024)

struct Staging
{
	Relation	table;
	BulkInsertState bulk;
	MemoryContext values;		/* of the records that wait */
	TupleTableSlot *slots[RECORDS_MAX];
	int			waiting;
	Size		bytes;			/* that wait */
	int64		records;
};

/* Values are stored as they are: in a column of another type they would be taken for pointers. */
static bool
has_our_columns(Relation table, int columns)
{
	if (RelationGetNumberOfAttributes(table) != OWN_COLUMNS + columns)
		return false;
	for (int i = 0; i < OWN_COLUMNS + columns; i++)
		if (TupleDescAttr(RelationGetDescr(table), i)->atttypid != (i < OWN_COLUMNS ? own_columns[i] : TEXTOID))
			return false;
	return true;
}

/* Any operator may call what fills it, having made a table of that name. */
static void
check_is_ours(Relation table, int columns)
{
	if (table->rd_rel->relkind != RELKIND_RELATION || table->rd_rel->relowner != GetUserId() ||
		table->rd_rel->relhasindex || table->rd_rel->relhastriggers || table->rd_att->constr != NULL ||
		!has_our_columns(table, columns))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not the staging table of an import", RelationGetRelationName(table)),
				 errhint("CALL reengage.import_history(), which makes it.")));
}

Staging *
staging_open(int columns)
{
	Staging    *staging = palloc0(sizeof(Staging));

	staging->table = table_openrv(makeRangeVar("pg_temp", "reengage_import_staging", -1), RowExclusiveLock);
	check_is_ours(staging->table, columns);
	staging->bulk = GetBulkInsertState();
	staging->values = AllocSetContextCreate(CurrentMemoryContext, "records of history", ALLOCSET_DEFAULT_SIZES);
	return staging;
}

static void
write_down(Staging *staging)
{
	MemoryContext before = MemoryContextSwitchTo(staging->values);

	if (staging->waiting > 0)
		table_multi_insert(staging->table, staging->slots, staging->waiting, GetCurrentCommandId(true), 0, staging->bulk);
	MemoryContextSwitchTo(before);
	for (int i = 0; i < staging->waiting; i++)
		ExecClearTuple(staging->slots[i]);
	MemoryContextReset(staging->values);
	staging->waiting = 0;
	staging->bytes = 0;
}

static Datum
text_array(const StagedRecord *record)
{
	Datum	   *values = palloc(sizeof(Datum) * Max(record->count, 1));
	bool	   *nulls = palloc(sizeof(bool) * Max(record->count, 1));
	int			lower = 1;

	for (int i = 0; i < record->count; i++)
	{
		nulls[i] = record->texts[i] == NULL;
		values[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(record->texts[i]);
	}
	return PointerGetDatum(construct_md_array(values, nulls, 1, (int *) &record->count, &lower, TEXTOID, -1, false, TYPALIGN_INT));
}

static void
fill_slot(Staging *staging, TupleTableSlot *slot, const StagedRecord *record)
{
	Datum	   *values = slot->tts_values;
	bool	   *nulls = slot->tts_isnull;

	memset(nulls, true, sizeof(bool) * RelationGetNumberOfAttributes(staging->table));
	values[0] = Int64GetDatum(staging->records);
	values[1] = Int64GetDatum((int64) record->line);
	values[2] = Int32GetDatum(record->field_count);
	nulls[0] = false;
	nulls[1] = record->line == 0;
	nulls[2] = record->field_count == 0;
	if (record->complaint != NULL)
	{
		values[3] = CStringGetTextDatum(record->complaint);
		values[4] = text_array(record);
		nulls[3] = nulls[4] = false;
		return;
	}
	for (int i = 0; i < record->count; i++)
	{
		if (record->texts[i] == NULL)
			continue;
		values[OWN_COLUMNS + i] = CStringGetTextDatum(record->texts[i]);
		nulls[OWN_COLUMNS + i] = false;
		staging->bytes += VARSIZE_ANY(DatumGetPointer(values[OWN_COLUMNS + i]));
	}
}

void
staging_add(Staging *staging, const StagedRecord *record)
{
	TupleTableSlot *slot;
	MemoryContext before;

	if (staging->slots[staging->waiting] == NULL)
		staging->slots[staging->waiting] = table_slot_create(staging->table, NULL);
	slot = staging->slots[staging->waiting++];
	staging->records++;
	before = MemoryContextSwitchTo(staging->values);
	fill_slot(staging, slot, record);
	MemoryContextSwitchTo(before);
	ExecStoreVirtualTuple(slot);
	if (staging->waiting == RECORDS_MAX || staging->bytes > BYTES_MAX || record->complaint != NULL)
		write_down(staging);
}

int64
staging_close(Staging *staging)
{
	write_down(staging);
	for (int i = 0; i < RECORDS_MAX && staging->slots[i] != NULL; i++)
		ExecDropSingleTupleTableSlot(staging->slots[i]);
	FreeBulkInsertState(staging->bulk);
	MemoryContextDelete(staging->values);
	table_close(staging->table, NoLock);
	return staging->records;
}
