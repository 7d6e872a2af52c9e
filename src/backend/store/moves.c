/*
 * moves.c: see moves.h.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/clocks.h"
#include "base/names.h"
#include "base/rows.h"
#include "base/wait_events.h"
#include "store/moves.h"

PG_FUNCTION_INFO_V1(reengage_admit);

/* So long a server is closed at most: who still waits then is told so. */
#define PATIENCE_MS (60 * 1000)

/* A move tells nobody that it has ended: it is on another node's word. */
#define LOOK_AGAIN_MS 20

#define ANOTHER_OF_THAT_NAME \
	"Ask by way of the front, or there. If another server was made here since by that name: SELECT reengage.forget_move('%s')."

typedef enum Whereabouts
{
	IS_HERE,					/* it was never moved, or has arrived, or has not left yet */
	IS_EXPECTED,				/* it arrives within a moment */
	IS_LEAVING,					/* it is closed, and may yet stay */
	IS_ELSEWHERE,				/* it has left */
	HAS_NOT_COME				/* it is copied, or did not come */
} Whereabouts;

static const struct
{
	const char *state;
	Whereabouts means;
} states[] = {
	{"leaving", IS_HERE}, {"draining", IS_HERE}, {"closed", IS_LEAVING},
	{"departed", IS_ELSEWHERE}, {"gone", IS_ELSEWHERE},
	{"arriving", HAS_NOT_COME}, {"expecting", IS_EXPECTED}, {"arrived", IS_HERE}, {"undone", HAS_NOT_COME},
};

static Whereabouts
meaning_of(TupleTableSlot *row, int place)
{
	for (int i = 0; i < lengthof(states); i++)
		if (slot_has_text(row, place, states[i].state))
			return states[i].means;
	return IS_HERE;
}

/*
 * A node that was lost in the moment of arriving, and comes back, waits for the word of
 * the front: the other node may have been told to go on without it.  As the worker has
 * it: store_paused_servers().
 */
static bool
arrived_before_restart(TupleTableSlot *row, TupleDesc columns)
{
	int			kept = column_place(columns, "kept");
	int			changed_at = column_place(columns, "changed_at");

	return slot_has_text(row, column_place(columns, "state"), "arrived") && !row->tts_isnull[kept]
		&& DatumGetTimestampTz(row->tts_values[changed_at]) < PgStartTime;
}

/*
 * By what others have committed by now.  Whoever asks for a nudge need not have a
 * right to the table.  The lock is one that nobody takes who only reads, as a dump.
 */
static Whereabouts
look_for(const char *server, char **node)
{
	Oid			relation = get_relname_relid("server_moves", get_namespace_oid(REENGAGE_EXTENSION, false));
	Relation	table;
	Whereabouts found = IS_HERE;

	/* version 1.0 does not have it, and who asks there need not wait for the update */
	if (!OidIsValid(relation))
		return IS_HERE;
	table = table_open(relation, RowShareLock);
	if (RelationGetNumberOfBlocks(table) > 0)
	{
		TupleDesc	columns = RelationGetDescr(table);
		Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
		TableScanDesc scan = table_beginscan(table, snapshot, 0, NULL);
		TupleTableSlot *row = table_slot_create(table, NULL);

		while (table_scan_getnextslot(scan, ForwardScanDirection, row))
		{
			slot_getallattrs(row);
			if (!slot_has_text(row, column_place(columns, "server"), server))
				continue;
			found = arrived_before_restart(row, columns) ? IS_EXPECTED : meaning_of(row, column_place(columns, "state"));
			*node = TextDatumGetCString(row->tts_values[column_place(columns, "node")]);
		}
		ExecDropSingleTupleTableSlot(row);
		table_endscan(scan);
		UnregisterSnapshot(snapshot);
	}
	table_close(table, NoLock);
	return found;
}

static void
wait_a_little(void)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, LOOK_AGAIN_MS, wait_event(WAIT_FOR_MOVE));
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

void
moves_admit(const char *server)
{
	char	   *node = NULL;
	Whereabouts found = look_for(server, &node);
	Monotonic	over;

	if (found == IS_HERE)
		return;
	over = monotonic_after(monotonic_now(), PATIENCE_MS);
	while (found == IS_EXPECTED && monotonic_ms_until(over, monotonic_now()) > 0)
	{
		wait_a_little();
		found = look_for(server, &node);
	}
	if (found == IS_EXPECTED)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("server \"%s\" has not arrived from node \"%s\"", server, node),
				 errdetail("Its move has not ended for %d seconds.", PATIENCE_MS / 1000),
				 errhint("On the front, CALL reengage.move_server() again goes on with the move, and reengage.undo_move() ends it.")));
	if (found == HAS_NOT_COME)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("server \"%s\" is not here: it is at node \"%s\"", server, node),
				 errdetail("It is being moved here, or was to be."),
				 errhint(ANOTHER_OF_THAT_NAME, server)));
	if (found == IS_LEAVING)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("server \"%s\" is being moved to node \"%s\"", server, node),
				 errhint("Ask by way of the front, or again in a moment: there, or here if it did not leave.")));
	if (found == IS_ELSEWHERE)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("server \"%s\" was moved to node \"%s\"", server, node),
				 errhint(ANOTHER_OF_THAT_NAME, server)));
}

char *
moves_went_to(const char *server)
{
	char	   *node = NULL;

	return look_for(server, &node) == IS_ELSEWHERE ? node : NULL;
}

Datum
reengage_admit(PG_FUNCTION_ARGS)
{
	moves_admit(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	PG_RETURN_VOID();
}
