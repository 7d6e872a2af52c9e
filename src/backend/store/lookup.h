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

/* An index is asked for so many columns at most. */
#define LOOKUP_KEYS_MAX 2

/* A table of ours, and an index of it, of which the first columns are given. */
typedef struct Lookup
{
	Relation	table;
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	MemoryContext context;		/* where it was begun: a scan allocates as it goes on, too */
	BlockNumber blocks;			/* that the table has, at least; 0: not known */
	ScanKeyData keys[LOOKUP_KEYS_MAX];
} Lookup;

/* A table or an index of ours, by its name. */
extern Oid	relation_of(const char *name);

/* A table of ours, by its name, locked until the transaction ends; an error without that right to it. */
extern Relation open_table(const char *name, LOCKMODE mode, AclMode right);

/* Likewise one of its indexes; the right is the table's. */
extern Relation open_index(const char *name, LOCKMODE mode);

/*
 * It has no pages, so there is no row that anybody sees or will have seen: what
 * is not empty may have none, either.
 */
extern bool table_is_empty(const char *name);

/* By an index that begins with an id, to be read with that snapshot. */
extern Lookup lookup_begin(const char *table, const char *index, Snapshot snapshot);

/* Likewise where whoever asks need not have a right to the table, for what he is told of it. */
extern Lookup lookup_begin_for_all(const char *table, const char *index, Snapshot snapshot);

/* By the first columns of an index, which are text. */
extern Lookup lookup_begin_texts(const char *table, const char *index, int ntexts, Snapshot snapshot);

/* By an index that begins with the number that stands for a text there. */
extern Lookup lookup_begin_number(const char *table, const char *index, Snapshot snapshot);

/* The row with this id, or NULL; it is good until the next one is asked for. */
extern TupleTableSlot *lookup_find(Lookup *lookup, const pg_uuid_t *id);

/* Another row with the id that was asked for, or NULL. */
extern TupleTableSlot *lookup_next(Lookup *lookup);

/* Likewise, where it is looked for first; not valid: nowhere.  What is there by now may be another row, or none. */
extern TupleTableSlot *lookup_find_at(Lookup *lookup, const ItemPointerData *place, const pg_uuid_t *id);

/* Has any row these texts, as many as the lookup was begun with?  None has a null. */
extern bool lookup_has(Lookup *lookup, const char *first, const char *second);

/* May any row have this text?  Another text may have the same number.  None has a null. */
extern bool lookup_may_have(Lookup *lookup, const char *text);

/* Deletes the row that was found last, in a table that is open for that.  For a lock nobody waits: false. */
extern bool lookup_delete(Lookup *lookup);

extern void lookup_end(Lookup *lookup);

#endif
