/*
 * batch_insert.c: see batch_insert.h.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "executor/executor.h"

#include "base/compat.h"
#include "store/batch_insert.h"

/* Some pages of rows, as many as COPY takes at once, and a few buffers of memory. */
#define ROWS_MAX 1000

struct BatchInsert
{
	Relation	table;
	EState	   *estate;
	ResultRelInfo *target;
	TupleTableSlot *rows[ROWS_MAX]; /* made when first needed, and used again */
	int			made;
	int			count;
};

BatchInsert *
batch_insert_begin(Relation table)
{
	BatchInsert *batch = palloc(sizeof(BatchInsert));

	batch->table = table;
	batch->made = batch->count = 0;
	batch->estate = CreateExecutorState();
	batch->target = makeNode(ResultRelInfo);
	InitResultRelInfo(batch->target, table, 0, NULL, 0);
	ExecOpenIndices(batch->target, false);
	return batch;
}

TupleTableSlot *
batch_insert_row(BatchInsert *batch)
{
	TupleTableSlot *row;

	if (batch->count == batch->made)
	{
		MemoryContext before = MemoryContextSwitchTo(batch->estate->es_query_cxt);

		batch->rows[batch->made++] = table_slot_create(batch->table, NULL);
		MemoryContextSwitchTo(before);
	}
	row = batch->rows[batch->count];
	ExecClearTuple(row);
	memset(row->tts_isnull, true, sizeof(bool) * row->tts_tupleDescriptor->natts);
	return row;
}

void
batch_insert_set(TupleTableSlot *row, int place, Datum value)
{
	row->tts_values[place] = value;
	row->tts_isnull[place] = false;
}

static void
write_rows(BatchInsert *batch)
{
	if (batch->count == 0)
		return;
	table_multi_insert(batch->table, batch->rows, batch->count, GetCurrentCommandId(true), 0, NULL);
	for (int i = 0; i < batch->count; i++)
	{
		ResetPerTupleExprContext(batch->estate);
		(void) insert_index_entries(batch->target, batch->rows[i], batch->estate);
	}
	batch->count = 0;
}

void
batch_insert_add(BatchInsert *batch)
{
	TupleTableSlot *row = batch->rows[batch->count++];

	ExecStoreVirtualTuple(row);
	ExecMaterializeSlot(row);
	if (batch->count == ROWS_MAX)
		write_rows(batch);
}

void
batch_insert_end(BatchInsert *batch)
{
	write_rows(batch);
	for (int i = 0; i < batch->made; i++)
		ExecDropSingleTupleTableSlot(batch->rows[i]);
	ExecCloseIndices(batch->target);
	FreeExecutorState(batch->estate);
	pfree(batch);
	CommandCounterIncrement();
}
