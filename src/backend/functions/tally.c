/*
 * tally.c: what nudges wait for is counted where the schedule says so, whoever
 * changes it.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "executor/executor.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#include "base/rows.h"
#include "store/lookup.h"
#include "store/store_tallies.h"

PG_FUNCTION_INFO_V1(reengage_due_tally);

typedef struct Counting
{
	TupleTableSlot *due;
	int			nudge_id;		/* places in "due" */
	int			hold;
	Lookup		nudges;
	Tallies    *tallies;
} Counting;

/* Rows of the schedule that came (1) or went (-1).  One without a hold says nothing that its nudge does not. */
static void
count_rows(Counting *counting, Tuplestorestate *rows, int change)
{
	TupleTableSlot *due = counting->due;

	/* others may read it, too, each with a pointer of its own */
	tuplestore_select_read_pointer(rows, tuplestore_alloc_read_pointer(rows, EXEC_FLAG_REWIND));
	while (tuplestore_gettupleslot(rows, true, false, due))
	{
		TupleTableSlot *nudge;

		slot_getallattrs(due);
		if (due->tts_isnull[counting->hold])
			continue;
		nudge = lookup_find(&counting->nudges, DatumGetUUIDP(due->tts_values[counting->nudge_id]));
		if (nudge == NULL)
			continue;
		tallies_add(counting->tallies, nudge, "due", TextDatumGetCString(due->tts_values[counting->hold]), change);
		tallies_add(counting->tallies, nudge, "due", NULL, -change);
	}
}

static void
count_change(const TriggerData *trigger)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TupleDesc	columns = RelationGetDescr(trigger->tg_relation);
	Counting	counting = {
		.due = MakeSingleTupleTableSlot(columns, &TTSOpsMinimalTuple),
		.nudge_id = column_place(columns, "nudge_id"),
		.hold = column_place(columns, "hold"),
		.nudges = lookup_begin("nudges", "nudges_pkey", snapshot),
	};

	counting.tallies = tallies_begin(counting.nudges.table);
	if (trigger->tg_oldtable != NULL)
		count_rows(&counting, trigger->tg_oldtable, -1);
	if (trigger->tg_newtable != NULL)
		count_rows(&counting, trigger->tg_newtable, 1);
	tallies_end(counting.tallies);
	lookup_end(&counting.nudges);
	ExecDropSingleTupleTableSlot(counting.due);
	UnregisterSnapshot(snapshot);
}

Datum
reengage_due_tally(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("reengage_internal.due_tally must be a trigger AFTER a change FOR EACH STATEMENT")));
	count_change(trigger);
	return PointerGetDatum(NULL);
}
