/*
 * asked_before.c: see asked_before.h.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "storage/bufmgr.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/uuid_v7.h"
#include "store/asked_before.h"
#include "store/lookup.h"

/*
 * A nudge is let go a day after its outcome at the earliest, but its row may be
 * deleted by hand at once.  The minute is for clocks of applications that are wrong.
 */
#define NEW_FOR USECS_PER_MINUTE

bool
nudge_id_is_new(const pg_uuid_t *nudge_id)
{
	/* a transaction may have begun days ago */
	return uuid_v7_is_of(nudge_id, GetCurrentStatementStartTimestamp(), NEW_FOR);
}

static bool
nothing_was_pruned(void)
{
	Relation	table = table_open(relation_of("pruned_nudges"), AccessShareLock);
	bool		empty = RelationGetNumberOfBlocks(table) == 0;

	table_close(table, NoLock);
	return empty;
}

bool
nudge_was_pruned(const pg_uuid_t *nudge_id)
{
	Snapshot	snapshot;
	Lookup		pruned;
	bool		found;

	if (nothing_was_pruned())
		return false;
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	pruned = lookup_begin_for_all("pruned_nudges", "pruned_nudges_pkey", snapshot);
	found = lookup_find(&pruned, nudge_id) != NULL;
	lookup_end(&pruned);
	UnregisterSnapshot(snapshot);
	return found;
}
