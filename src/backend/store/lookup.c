/*
 * lookup.c: see lookup.h.
 */
#include "postgres.h"

#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "base/names.h"
#include "store/lookup.h"

Oid
relation_of(const char *name)
{
	Oid			relation = get_relname_relid(name, get_namespace_oid(REENGAGE_EXTENSION, false));

	if (!OidIsValid(relation))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"reengage.%s\" does not exist", name)));
	return relation;
}

/* An owner may have taken the right away, as of a statement. */
Relation
open_table(const char *name, LOCKMODE mode, AclMode right)
{
	Relation	table = table_open(relation_of(name), mode);
	AclResult	result = pg_class_aclcheck(RelationGetRelid(table), GetUserId(), right);

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_TABLE, name);
	return table;
}

Relation
open_index(const char *name, LOCKMODE mode)
{
	return index_open(relation_of(name), mode);
}

bool
table_is_empty(const char *name)
{
	Relation	table = open_table(name, AccessShareLock, ACL_SELECT);
	bool		empty = RelationGetNumberOfBlocks(table) == 0;

	table_close(table, NoLock);
	return empty;
}

static Lookup
begin_lookup_in(Relation table, const char *index, int nkeys, RegProcedure equal, Snapshot snapshot)
{
	Lookup		lookup = {.table = table, .context = CurrentMemoryContext};

	Assert(nkeys <= LOOKUP_KEYS_MAX);
	lookup.index = open_index(index, AccessShareLock);
	lookup.slot = table_slot_create(lookup.table, NULL);
	lookup.scan = index_begin(lookup.table, lookup.index, snapshot, nkeys);
	for (int i = 0; i < nkeys; i++)
		ScanKeyEntryInitialize(&lookup.keys[i], 0, i + 1, BTEqualStrategyNumber, InvalidOid,
							   lookup.index->rd_indcollation[i], equal, (Datum) 0);
	return lookup;
}

static Lookup
begin_lookup(const char *table, const char *index, int nkeys, RegProcedure equal, Snapshot snapshot)
{
	return begin_lookup_in(open_table(table, AccessShareLock, ACL_SELECT), index, nkeys, equal, snapshot);
}

Lookup
lookup_begin(const char *table, const char *index, Snapshot snapshot)
{
	return begin_lookup(table, index, 1, F_UUID_EQ, snapshot);
}

Lookup
lookup_begin_for_all(const char *table, const char *index, Snapshot snapshot)
{
	return begin_lookup_in(table_open(relation_of(table), AccessShareLock), index, 1, F_UUID_EQ, snapshot);
}

Lookup
lookup_begin_texts(const char *table, const char *index, int ntexts, Snapshot snapshot)
{
	return begin_lookup(table, index, ntexts, F_TEXTEQ, snapshot);
}

Lookup
lookup_begin_number(const char *table, const char *index, Snapshot snapshot)
{
	return begin_lookup(table, index, 1, F_INT8EQ, snapshot);
}

/* The caller's context may be reset before the scan ends. */
TupleTableSlot *
lookup_next(Lookup *lookup)
{
	MemoryContext before = MemoryContextSwitchTo(lookup->context);
	bool		found = index_getnext_slot(lookup->scan, ForwardScanDirection, lookup->slot);

	MemoryContextSwitchTo(before);
	return found ? lookup->slot : NULL;
}

static TupleTableSlot *
find_row(Lookup *lookup)
{
	index_rescan(lookup->scan, lookup->keys, lookup->scan->numberOfKeys, NULL, 0);
	return lookup_next(lookup);
}

TupleTableSlot *
lookup_find(Lookup *lookup, const pg_uuid_t *id)
{
	lookup->keys[0].sk_argument = UUIDPGetDatum(id);
	return find_row(lookup);
}

/* Our lock on the table keeps its end from being cut off. */
static bool
has_block(Lookup *lookup, BlockNumber block)
{
	if (block >= lookup->blocks)
		lookup->blocks = RelationGetNumberOfBlocks(lookup->table);
	return block < lookup->blocks;
}

static bool
is_row_of(Lookup *lookup, const pg_uuid_t *id)
{
	bool		isnull;
	Datum		found = slot_getattr(lookup->slot, lookup->index->rd_index->indkey.values[0], &isnull);

	return !isnull && memcmp(DatumGetUUIDP(found), id, sizeof(pg_uuid_t)) == 0;
}

TupleTableSlot *
lookup_find_at(Lookup *lookup, const ItemPointerData *place, const pg_uuid_t *id)
{
	ItemPointerData tid = *place;

	if (ItemPointerIsValid(place) && has_block(lookup, ItemPointerGetBlockNumber(place)) &&
		table_tuple_fetch_row_version(lookup->table, &tid, lookup->scan->xs_snapshot, lookup->slot) &&
		is_row_of(lookup, id))
		return lookup->slot;
	return lookup_find(lookup, id);
}

bool
lookup_has(Lookup *lookup, const char *first, const char *second)
{
	if (first == NULL || (second == NULL && lookup->scan->numberOfKeys > 1))
		return false;
	lookup->keys[0].sk_argument = CStringGetTextDatum(first);
	if (lookup->scan->numberOfKeys > 1)
		lookup->keys[1].sk_argument = CStringGetTextDatum(second);
	return find_row(lookup) != NULL;
}

bool
lookup_may_have(Lookup *lookup, const char *text)
{
	if (text == NULL)
		return false;
	/* as hashtextextended(text, 0) of a text in a collation that is deterministic */
	lookup->keys[0].sk_argument = hash_any_extended((const unsigned char *) text, strlen(text), 0);
	return find_row(lookup) != NULL;
}

bool
lookup_delete(Lookup *lookup)
{
	TM_FailureData failure;

	return delete_row(lookup->table, &lookup->slot->tts_tid, lookup->scan->xs_snapshot, &failure) == TM_Ok;
}

void
lookup_end(Lookup *lookup)
{
	index_endscan(lookup->scan);
	ExecDropSingleTupleTableSlot(lookup->slot);
	index_close(lookup->index, NoLock);
	table_close(lookup->table, NoLock);
}
