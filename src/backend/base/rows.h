/*
 * rows.h: between C structs and rows, for store*.c.
 *
 * A batch of structs goes into a statement as parallel arrays, one for each
 * column, described by a table.
 */
#ifndef REENGAGE_ROWS_H
#define REENGAGE_ROWS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "utils/uuid.h"

typedef enum ColumnType
{
	COLUMN_UUID,				/* pg_uuid_t */
	COLUMN_TEXT,				/* const char *; NULL is null */
	COLUMN_INTEGER,				/* int */
	COLUMN_INTEGER_OR_NULL,		/* int; 0 is null */
	COLUMN_TIME,				/* TimestampTz */
	COLUMN_TIME_OR_NULL			/* TimestampTz; 0 is null */
} ColumnType;

typedef struct Column
{
	ColumnType	type;
	size_t		offset;
} Column;

/* One array argument for each column, of "count" structs of "size" bytes. */
extern void make_arguments(Datum *arguments, const Column *columns, int ncolumns,
						   const void *rows, size_t size, int count);

extern Datum uuid_array(const pg_uuid_t *uuids, int count);

/* Values of the last result.  Rows count from 0, columns from 1. */
extern Datum result(int row, int column, bool *isnull);
extern char *result_text(int row, int column);	/* NULL: null */
extern int	result_integer(int row, int column);
extern TimestampTz result_time(int row, int column, TimestampTz if_null);
extern TransactionId result_xid(int row, int column);
extern pg_uuid_t result_uuid(int row, int column);
extern bool result_bool(int row, int column);

/* The texts of the first column, without nulls. */
extern List *result_names(void);

/* The courier speaks UTF-8.  NULL: null, or it cannot be converted. */
extern char *result_utf8(int row, int column);
extern char *to_utf8(const char *text);
extern char *from_utf8(const char *text);

#endif
