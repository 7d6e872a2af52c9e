/*
 * small_table.h: the rows of a table that has but a few, without a statement.
 */
#ifndef REENGAGE_SMALL_TABLE_H
#define REENGAGE_SMALL_TABLE_H

#include "postgres.h"

#include "base/rows.h"

/*
 * Reads all rows that the worker may see by now, in no order, into an array of
 * structs of "size" bytes in the current memory context; returns their number.
 */
extern int	small_table_read(const char *table, const Column *columns, int ncolumns, size_t size, void **rows);

/* Likewise, also for who may not read the table. */
extern int	small_table_read_for_all(const char *table, const Column *columns, int ncolumns, size_t size, void **rows);

#endif
