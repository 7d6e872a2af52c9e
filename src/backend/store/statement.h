/*
 * statement.h: a statement of store*.c, prepared and kept.
 */
#ifndef REENGAGE_STATEMENT_H
#define REENGAGE_STATEMENT_H

#include "postgres.h"

#include "executor/spi.h"

#define ARGUMENTS_MAX 22

typedef struct Statement
{
	const char *sql;
	int			narguments;
	Oid			types[ARGUMENTS_MAX];
	SPIPlanPtr	plan;			/* kept once prepared */
} Statement;

/* Raises an error unless it ends with the "expected" code of SPI. */
extern void execute(Statement *statement, Datum *arguments, int expected);

#endif
