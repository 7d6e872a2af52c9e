/*
 * statement.h: a statement of store*.c, prepared and kept.
 *
 * Its arguments are single values, $1 and on, and after them the columns of a
 * batch, as arrays.  Where it names "BATCH AS b", these are the rows of a table b
 * with the columns by their names, and "place", which counts from 1.
 */
#ifndef REENGAGE_STATEMENT_H
#define REENGAGE_STATEMENT_H

#include "postgres.h"

#include "executor/spi.h"

#include "base/rows.h"

#define SINGLE_ARGUMENTS_MAX 6
#define ARGUMENTS_MAX 32

typedef struct Statement
{
	const char *sql;
	int			nsingle;
	Oid			types[SINGLE_ARGUMENTS_MAX];
	const Column *batch;		/* NULL: no array but those among the single arguments */
	int			nbatch;
	SPIPlanPtr	plan;			/* kept once prepared */
} Statement;

/* The last initializers of a statement that takes a batch. */
#define BATCH_OF(columns) .batch = columns, .nbatch = lengthof(columns)

/* That a column is a text, where an index has numbers of 8 bytes in place of it. */
#define IS_TEXT(column, text) \
	"pg_catalog.hashtextextended(" column ", 0) = pg_catalog.hashtextextended(" text ", 0) AND " column " = " text

/* Raises an error unless it ends with the "expected" code of SPI. */
extern void execute(Statement *statement, Datum *arguments, int expected);

/* The same with a batch of "count" structs of "size" bytes; "single" has the arguments before it. */
extern void execute_batch(Statement *statement, const Datum *single, const void *rows, size_t size,
						  int count, int expected);

#endif
