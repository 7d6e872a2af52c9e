/*
 * asked_before.c: see asked_before.h.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "storage/bufmgr.h"
#include "utils/snapmgr.h"

#include "base/uuid_v7.h"
#include "store/asked_before.h"
#include "store/lookup.h"

/*
 * When the transaction began that has last asked by an id of its own.  To look for
 * each id costs a plain INSERT a tenth more.
 */
static TimestampTz asked_by_own_id;

bool
nudge_id_is_new(const pg_uuid_t *nudge_id)
{
	/* what the id says of its time is what somebody's clock said */
	if (uuid_v7_take_made(nudge_id))
		return true;
	asked_by_own_id = GetCurrentTransactionStartTimestamp();
	return false;
}

bool
nudge_ids_are_new(void)
{
	return asked_by_own_id != GetCurrentTransactionStartTimestamp();
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
