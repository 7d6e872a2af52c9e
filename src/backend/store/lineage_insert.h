/*
 * lineage_insert.h: rows of lineage, written as one batch without a statement.
 *
 * Nothing fires: see table_write.h.
 */
#ifndef REENGAGE_LINEAGE_INSERT_H
#define REENGAGE_LINEAGE_INSERT_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "utils/rel.h"

#include "store/store.h"

typedef struct LineageInsert LineageInsert;

extern LineageInsert *lineage_insert_begin(Relation lineage, Relation nudges, int most);

/* One more row: the outcome of that nudge, a row of "nudges". */
extern void lineage_insert_add(LineageInsert *insert, const OutcomeRow *outcome, TupleTableSlot *nudge);

/* Writes them, with their index entries, and checks them as an INSERT does. */
extern void lineage_insert_end(LineageInsert *insert);

#endif
