/*
 * table_write.h: rows of a table of ours, written without a statement.
 *
 * Nothing fires: it is for tables without triggers that an INSERT or a DELETE
 * would.  All else is as of an INSERT: constraints, indexes, what is too long
 * for a page.
 */
#ifndef REENGAGE_TABLE_WRITE_H
#define REENGAGE_TABLE_WRITE_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "utils/rel.h"

/*
 * What the definition of a table says, for writing.  It is found once and kept
 * until that changes: a tick writes a few rows only.
 */
typedef struct WrittenTable
{
	MemoryContext context;
	Oid			table;
	bool		known;
	bool		changed;		/* since it was begun to be read */
	EState	   *estate;
	ResultRelInfo *target;
	TupleDesc	descriptor;
	Oid		   *indexes;
	Datum	   *defaults;		/* that are constants; all others count as null */
	bool	   *default_nulls;
} WrittenTable;

extern bool fires_insert(const TriggerDesc *triggers);

/* But for the trigger that counts: who asks counts what is deleted. */
extern bool fires_delete(const TriggerDesc *triggers);

/* The table is open, and locked for writing; so are its indexes until table_write_end(). */
extern void table_write_begin(WrittenTable *written, Relation table);

/* An empty row, with the defaults, in the current memory context. */
extern TupleTableSlot *table_write_row(const WrittenTable *written);

/* Writes rows that were stored, and drops them. */
extern void table_write(WrittenTable *written, TupleTableSlot **rows, int count);

/* What comes next in the transaction sees what was written. */
extern void table_write_end(WrittenTable *written);

#endif
