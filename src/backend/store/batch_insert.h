/*
 * batch_insert.h: rows of a table of ours, written many at once without a statement.
 *
 * Nothing fires, and no constraint is looked at but those of indexes: whoever
 * fills the rows answers for them.
 */
#ifndef REENGAGE_BATCH_INSERT_H
#define REENGAGE_BATCH_INSERT_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "utils/rel.h"

typedef struct BatchInsert BatchInsert;

/* Into that table, which is locked. */
extern BatchInsert *batch_insert_begin(Relation table);

/* The next row, all of it null, to be filled and then added. */
extern TupleTableSlot *batch_insert_row(BatchInsert *batch);
extern void batch_insert_set(TupleTableSlot *row, int place, Datum value);

/* Its values are copied; from time to time what was added is written. */
extern void batch_insert_add(BatchInsert *batch);

/* Writes the rest; what comes next in the transaction sees all. */
extern void batch_insert_end(BatchInsert *batch);

#endif
