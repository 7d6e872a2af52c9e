/*
 * lineage_insert.c: see lineage_insert.h.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/rows.h"
#include "base/site.h"
#include "base/uuid_v7.h"
#include "store/lineage_insert.h"
#include "store/small_table.h"
#include "store/statement.h"
#include "store/table_write.h"

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
	Relation	lineage;
	TupleTableSlot **slots;		/* the rows, of which there are */
	int			count;
	/* places of columns */
	int			lineage_id;
	int			recorded_at;
	int			xact_id;
	int			of_outcome[lengthof(outcome_columns)];
	int			of_nudge[lengthof(taken_over)];	/* in the table "nudges" */
	int			of_lineage[lengthof(taken_over)];
	Datum		position;		/* of the transaction */
};

static WrittenTable written;

typedef struct Epoch
{
	int64		system_identifier;
	int			timeline;
	int64		base;
} Epoch;

/* The place of the transaction in the order of lineage: as lineage_position() has it, which begins an epoch. */
static Datum
position_of_transaction(void)
{
	static const Column columns[] = {
		COLUMN(BIGINT, Epoch, system_identifier),
		COLUMN(INTEGER, Epoch, timeline),
		COLUMN(BIGINT, Epoch, base),
	};
	static Statement statement = {"SELECT reengage_internal.lineage_position() AS position"};
	void	   *read;
	int			count = small_table_read("lineage_epochs", columns, lengthof(columns), sizeof(Epoch), &read);
	const Epoch *epochs = read;
	bool		isnull;

	for (int i = 0; i < count; i++)
		if (epochs[i].system_identifier == (int64) GetSystemIdentifier() && epochs[i].timeline == site_timeline())
			return Int64GetDatum(epochs[i].base + (int64) U64FromFullTransactionId(GetTopFullTransactionId()));
	execute(&statement, NULL, SPI_OK_SELECT);
	return result_column(0, "position", &isnull);
}

LineageInsert *
lineage_insert_begin(Relation lineage, Relation nudges, int most)
{
	LineageInsert *insert = palloc0(sizeof(LineageInsert));

	insert->lineage = lineage;
	insert->position = position_of_transaction();
	insert->lineage_id = column_place(RelationGetDescr(lineage), "lineage_id");
	insert->recorded_at = column_place(RelationGetDescr(lineage), "recorded_at");
	insert->xact_id = column_place(RelationGetDescr(lineage), "xact_id");
	places_of_columns(RelationGetDescr(lineage), outcome_columns, lengthof(outcome_columns), insert->of_outcome);
	for (int i = 0; i < lengthof(taken_over); i++)
	{
		insert->of_nudge[i] = column_place(RelationGetDescr(nudges), taken_over[i][0]);
		insert->of_lineage[i] = column_place(RelationGetDescr(lineage), taken_over[i][1]);
	}
	insert->slots = palloc(sizeof(TupleTableSlot *) * most);
	table_write_begin(&written, lineage);
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
	pg_uuid_t  *lineage_id = palloc(sizeof(pg_uuid_t));

	uuid_v7_generate(lineage_id);
	set_value(row, insert->lineage_id, UUIDPGetDatum(lineage_id), false);
	set_value(row, insert->recorded_at, TimestampTzGetDatum(GetCurrentTimestamp()), false);
	set_value(row, insert->xact_id, insert->position, false);
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
	TupleTableSlot *row = table_write_row(&written);

	fill_row(insert, row, outcome, nudge);
	ExecStoreVirtualTuple(row);
	/* the nudge's values are those of a page that it leaves to others */
	ExecMaterializeSlot(row);
	row->tts_tableOid = RelationGetRelid(insert->lineage);
	insert->slots[insert->count++] = row;
}

void
lineage_insert_end(LineageInsert *insert)
{
	table_write(&written, insert->slots, insert->count);
	table_write_end(&written);
}
