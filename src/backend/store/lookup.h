/*
 * lookup.h: rows by their ids, without a statement.
 */
#ifndef REENGAGE_LOOKUP_H
#define REENGAGE_LOOKUP_H

#include "postgres.h"

#include "access/genam.h"
#include "executor/tuptable.h"
#include "nodes/parsenodes.h"
#include "utils/rel.h"
#include "utils/snapshot.h"
#include "utils/uuid.h"

/* A table of ours, and an index of it that begins with an id. */
typedef struct Lookup
{
	Relation	table;
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *slot;
} Lookup;

/* A table of ours, by its name, locked until the transaction ends; an error without that right to it. */
extern Relation open_table(const char *name, LOCKMODE mode, AclMode right);

/* To be read with that snapshot. */
extern Lookup lookup_begin(const char *table, const char *index, Snapshot snapshot);

/* The row with this id, or NULL; it is good until the next one is asked for. */
extern TupleTableSlot *lookup_find(Lookup *lookup, const pg_uuid_t *id);

extern void lookup_end(Lookup *lookup);

#endif
