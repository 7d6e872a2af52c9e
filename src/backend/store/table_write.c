/*
 * table_write.c: see table_write.h.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_trigger.h"
#include "executor/executor.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/inval.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "store/table_write.h"

bool
fires_insert(const TriggerDesc *triggers)
{
	return triggers != NULL &&
		(triggers->trig_insert_before_row || triggers->trig_insert_after_row ||
		 triggers->trig_insert_before_statement || triggers->trig_insert_after_statement);
}

bool
fires_delete(const TriggerDesc *triggers)
{
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
		if (TRIGGER_FOR_DELETE(triggers->triggers[i].tgtype) && strcmp(triggers->triggers[i].tgname, "tally_gone") != 0)
			return true;
	return false;
}

/* --- what the definition says ------------------------------------------------------------ */

static void
note_change(Datum argument, Oid table)
{
	WrittenTable *written = (WrittenTable *) DatumGetPointer(argument);

	written->changed |= table == InvalidOid || table == written->table;
}

/* NULL: it has none, or none that is a constant. */
static const Const *
constant_default(Relation table, AttrNumber column)
{
	Node	   *expression = build_column_default(table, column);

	if (expression == NULL)
		return NULL;
	/* "0" of a smallint is a conversion, until that is planned */
	expression = (Node *) expression_planner((Expr *) expression);
	return IsA(expression, Const) && !((Const *) expression)->constisnull ? (Const *) expression : NULL;
}

static void
find_defaults(WrittenTable *written, Relation table)
{
	int			natts = RelationGetNumberOfAttributes(table);

	written->defaults = palloc0(sizeof(Datum) * natts);
	written->default_nulls = palloc(sizeof(bool) * natts);
	for (int i = 0; i < natts; i++)
	{
		const Const *constant = constant_default(table, i + 1);

		written->default_nulls[i] = constant == NULL;
		if (constant != NULL)
			written->defaults[i] = constant->constvalue;
	}
}

static void
find_indexes(WrittenTable *written)
{
	ResultRelInfo *target = written->target;

	ExecOpenIndices(target, false);
	written->indexes = palloc(sizeof(Oid) * (target->ri_NumIndices + 1));
	for (int i = 0; i < target->ri_NumIndices; i++)
		written->indexes[i] = RelationGetRelid(target->ri_IndexRelationDescs[i]);
}

static void
open_indexes(WrittenTable *written)
{
	ResultRelInfo *target = written->target;

	for (int i = 0; i < target->ri_NumIndices; i++)
		target->ri_IndexRelationDescs[i] = index_open(written->indexes[i], RowExclusiveLock);
}

/* Where it fails, or what it read changes meanwhile, it is begun anew. */
static void
learn_table(WrittenTable *written, Relation table)
{
	MemoryContext old;

	if (written->context == NULL)
	{
		written->context = AllocSetContextCreate(TopMemoryContext, "reengage written table", ALLOCSET_SMALL_SIZES);
		CacheRegisterRelcacheCallback(note_change, PointerGetDatum(written));
	}
	MemoryContextReset(written->context);
	written->known = written->changed = false;
	written->table = RelationGetRelid(table);
	old = MemoryContextSwitchTo(written->context);
	written->estate = CreateExecutorState();
	written->target = makeNode(ResultRelInfo);
	InitResultRelInfo(written->target, table, 0, NULL, 0);
	/* whoever refers to that of the table is noted, each row among all others */
	written->descriptor = CreateTupleDescCopy(RelationGetDescr(table));
	find_defaults(written, table);
	find_indexes(written);
	MemoryContextSwitchTo(old);
	written->known = true;
}

/* --- writing ------------------------------------------------------------------------------- */

void
table_write_begin(WrittenTable *written, Relation table)
{
	if (!written->known || written->changed || written->table != RelationGetRelid(table))
		learn_table(written, table);
	else
	{
		written->target->ri_RelationDesc = table;
		open_indexes(written);
	}
}

TupleTableSlot *
table_write_row(const WrittenTable *written)
{
	Relation	table = written->target->ri_RelationDesc;
	int			natts = RelationGetNumberOfAttributes(table);
	TupleTableSlot *row = MakeSingleTupleTableSlot(written->descriptor, table_slot_callbacks(table));

	memcpy(row->tts_values, written->defaults, sizeof(Datum) * natts);
	memcpy(row->tts_isnull, written->default_nulls, sizeof(bool) * natts);
	return row;
}

void
table_write(WrittenTable *written, TupleTableSlot **rows, int count)
{
	Relation	table = written->target->ri_RelationDesc;

	for (int i = 0; i < count; i++)
		if (RelationGetDescr(table)->constr != NULL)
			ExecConstraints(written->target, rows[i], written->estate);
	if (count > 0)
		table_multi_insert(table, rows, count, GetCurrentCommandId(true), 0, NULL);
	for (int i = 0; i < count; i++)
	{
		ResetPerTupleExprContext(written->estate);
		(void) insert_index_entries(written->target, rows[i], written->estate);
		ExecDropSingleTupleTableSlot(rows[i]);
	}
	ResetPerTupleExprContext(written->estate);
}

void
table_write_end(WrittenTable *written)
{
	ExecCloseIndices(written->target);
	CommandCounterIncrement();
}
