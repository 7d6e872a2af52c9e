/*
 * lookup.c: see lookup.h.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "base/names.h"
#include "store/lookup.h"

static Oid
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

Lookup
lookup_begin(const char *table, const char *index, Snapshot snapshot)
{
	Lookup		lookup = {.table = open_table(table, AccessShareLock, ACL_SELECT)};

	lookup.index = index_open(relation_of(index), AccessShareLock);
	lookup.slot = table_slot_create(lookup.table, NULL);
	lookup.scan = index_begin(lookup.table, lookup.index, snapshot, 1);
	return lookup;
}

TupleTableSlot *
lookup_find(Lookup *lookup, const pg_uuid_t *id)
{
	ScanKeyData key;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(id));
	index_rescan(lookup->scan, &key, 1, NULL, 0);
	return index_getnext_slot(lookup->scan, ForwardScanDirection, lookup->slot) ? lookup->slot : NULL;
}

void
lookup_end(Lookup *lookup)
{
	index_endscan(lookup->scan);
	ExecDropSingleTupleTableSlot(lookup->slot);
	index_close(lookup->index, NoLock);
	table_close(lookup->table, NoLock);
}
