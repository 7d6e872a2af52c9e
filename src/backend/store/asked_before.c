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
 * A nudge is let go a day after its outcome at the earliest, so an id of this
 * hour cannot have been; the rest is for clocks of applications that are wrong.
 */
#define NEW_FOR (12 * USECS_PER_HOUR)

bool
nudge_id_is_new(const pg_uuid_t *nudge_id)
{
	return uuid_v7_is_of(nudge_id, GetCurrentTransactionStartTimestamp(), NEW_FOR);
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
