/*
 * lineage_insert.c: see lineage_insert.h.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/rows.h"
#include "base/uuid_v7.h"
#include "store/lineage_insert.h"
#include "store/statement.h"

static const Column outcome_columns[] = {
#define LINEAGE_COLUMN(c_type, type, column) COLUMN(type, OutcomeRow, column),
#include "store/lineage_columns.h"
#undef LINEAGE_COLUMN
};

/* What lineage takes over from the nudge: its name there, and here. */
static const char *const taken_over[][2] = {
	{"server", "server"},
	{"conversation_id", "requested_conversation_id"},
	{"campaign", "campaign"},
	{"requested_at", "requested_at"},
	{"due_at", "due_at"},
	{"detail", "detail"},
};

struct LineageInsert
{
	EState	   *estate;
	ResultRelInfo *target;
	TupleTableSlot **slots;		/* the rows, of which there are */
	int			count;
	/* what all rows have: the columns that neither outcome nor nudge bring */
	Datum	   *common;
	bool	   *common_nulls;
	/* places of columns */
	int			lineage_id;
	int			recorded_at;
	int			of_outcome[lengthof(outcome_columns)];
	int			of_nudge[lengthof(taken_over)];	/* in the table "nudges" */
	int			of_lineage[lengthof(taken_over)];
};

/* From 0. */
static int
place_of(Relation table, const char *column)
{
	TupleDesc	descriptor = RelationGetDescr(table);

	for (int i = 0; i < descriptor->natts; i++)
		if (!TupleDescAttr(descriptor, i)->attisdropped && namestrcmp(&TupleDescAttr(descriptor, i)->attname, column) == 0)
			return i;
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("table \"reengage.%s\" has no column \"%s\"", RelationGetRelationName(table), column)));
}

/* The place of the transaction in the order of lineage. */
static Datum
position_of_transaction(void)
{
	static Statement statement = {"SELECT reengage_internal.lineage_position() AS position"};
	bool		isnull;

	execute(&statement, NULL, SPI_OK_SELECT);
	return result_column(0, "position", &isnull);
}

/* Defaults that are constants; all others are filled in. */
static void
find_common(LineageInsert *insert, Relation lineage)
{
	int			natts = RelationGetNumberOfAttributes(lineage);

	insert->common = palloc0(sizeof(Datum) * natts);
	insert->common_nulls = palloc(sizeof(bool) * natts);
	for (int i = 0; i < natts; i++)
	{
		Const	   *constant = (Const *) build_column_default(lineage, i + 1);

		insert->common_nulls[i] = constant == NULL || !IsA(constant, Const) || constant->constisnull;
		if (!insert->common_nulls[i])
			insert->common[i] = constant->constvalue;
	}
}

LineageInsert *
lineage_insert_begin(Relation lineage, Relation nudges, int most)
{
	LineageInsert *insert = palloc0(sizeof(LineageInsert));
	int			position = place_of(lineage, "xact_id");

	find_common(insert, lineage);
	insert->common[position] = position_of_transaction();
	insert->common_nulls[position] = false;
	insert->lineage_id = place_of(lineage, "lineage_id");
	insert->recorded_at = place_of(lineage, "recorded_at");
	for (int i = 0; i < lengthof(outcome_columns); i++)
		insert->of_outcome[i] = place_of(lineage, outcome_columns[i].name);
	for (int i = 0; i < lengthof(taken_over); i++)
	{
		insert->of_nudge[i] = place_of(nudges, taken_over[i][0]);
		insert->of_lineage[i] = place_of(lineage, taken_over[i][1]);
	}
	insert->slots = palloc(sizeof(TupleTableSlot *) * most);
	insert->estate = CreateExecutorState();
	insert->target = makeNode(ResultRelInfo);
	InitResultRelInfo(insert->target, lineage, 0, NULL, 0);
	ExecOpenIndices(insert->target, false);
	return insert;
}

static void
set_value(TupleTableSlot *slot, int place, Datum value, bool isnull)
{
	slot->tts_values[place] = value;
	slot->tts_isnull[place] = isnull;
}

static void
fill_row(const LineageInsert *insert, TupleTableSlot *row, const OutcomeRow *outcome, TupleTableSlot *nudge)
{
	int			natts = row->tts_tupleDescriptor->natts;
	pg_uuid_t  *lineage_id = palloc(sizeof(pg_uuid_t));

	memcpy(row->tts_values, insert->common, sizeof(Datum) * natts);
	memcpy(row->tts_isnull, insert->common_nulls, sizeof(bool) * natts);
	uuid_v7_generate(lineage_id);
	set_value(row, insert->lineage_id, UUIDPGetDatum(lineage_id), false);
	set_value(row, insert->recorded_at, TimestampTzGetDatum(GetCurrentTimestamp()), false);
	for (int i = 0; i < lengthof(outcome_columns); i++)
	{
		bool		isnull;
		Datum		value = column_value(&outcome_columns[i], outcome, &isnull);

		set_value(row, insert->of_outcome[i], value, isnull);
	}
	slot_getallattrs(nudge);
	for (int i = 0; i < lengthof(taken_over); i++)
		set_value(row, insert->of_lineage[i], nudge->tts_values[insert->of_nudge[i]], nudge->tts_isnull[insert->of_nudge[i]]);
}

void
lineage_insert_add(LineageInsert *insert, const OutcomeRow *outcome, TupleTableSlot *nudge)
{
	Relation	lineage = insert->target->ri_RelationDesc;
	TupleTableSlot *row = MakeSingleTupleTableSlot(RelationGetDescr(lineage), table_slot_callbacks(lineage));

	fill_row(insert, row, outcome, nudge);
	ExecStoreVirtualTuple(row);
	/* the nudge's values are those of a page that it leaves to others */
	ExecMaterializeSlot(row);
	row->tts_tableOid = RelationGetRelid(lineage);
	insert->slots[insert->count++] = row;
}

void
lineage_insert_end(LineageInsert *insert)
{
	Relation	lineage = insert->target->ri_RelationDesc;

	for (int i = 0; i < insert->count; i++)
		if (lineage->rd_att->constr != NULL)
			ExecConstraints(insert->target, insert->slots[i], insert->estate);
	if (insert->count > 0)
		table_multi_insert(lineage, insert->slots, insert->count, GetCurrentCommandId(true), 0, NULL);
	for (int i = 0; i < insert->count; i++)
	{
		ResetPerTupleExprContext(insert->estate);
		(void) insert_index_entries(insert->target, insert->slots[i], insert->estate);
		ExecDropSingleTupleTableSlot(insert->slots[i]);
	}
	ExecCloseIndices(insert->target);
	FreeExecutorState(insert->estate);
	CommandCounterIncrement();
}
