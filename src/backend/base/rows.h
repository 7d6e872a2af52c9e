/*
 * rows.h: between C structs and rows, for store*.c.
 *
 * A table of columns says which member of a struct a name in SQL stands for.  A
 * batch of structs goes into a statement as parallel arrays, and a result comes
 * out of it as structs.
 */
#ifndef REENGAGE_ROWS_H
#define REENGAGE_ROWS_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "datatype/timestamp.h"
#include "executor/tuptable.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"
#include "utils/uuid.h"

#include "nudge.h"

typedef enum ColumnType
{
	COLUMN_UUID,				/* pg_uuid_t */
	COLUMN_TEXT,				/* const char *; NULL is null */
	COLUMN_INTEGER,				/* int; of a result, null is 0 */
	COLUMN_INTEGER_OR_NULL,		/* int; 0 is null */
	COLUMN_TIME,				/* TimestampTz; of a result, null is 0 */
	COLUMN_TIME_OR_NULL,		/* TimestampTz; 0 is null */
	COLUMN_BOOL,				/* bool; of a result, null is false */
	COLUMN_HASH,				/* const char *, in hex, of what is bytea in SQL; NULL, or no hex, is null */
	/* of results only */
	COLUMN_SMALLINT,			/* int; null is 0 */
	COLUMN_TIME_OR_NEVER,		/* TimestampTz; null is DT_NOEND */
	COLUMN_UTF8,				/* const char *, in UTF-8; NULL: null, or it cannot be converted */
	COLUMN_BIGINT,				/* int64; null is 0 */
	COLUMN_DOUBLE,				/* double; null is 0 */
	COLUMN_OID,					/* Oid; null is InvalidOid */
	COLUMN_BYTES,				/* bytea *; null is NULL */
	COLUMN_STEP,				/* Step, by its name; null is STEP_CHECK */
	COLUMN_BY_HAND				/* read with result_column() */
} ColumnType;

typedef struct Column
{
	const char *name;			/* in SQL: what stands before its last dot does not count */
	ColumnType	type;
	size_t		offset;
} Column;

/* The type in C of a member that has such a column. */
#define MEMBER_UUID pg_uuid_t
#define MEMBER_TEXT const char *
#define MEMBER_INTEGER int
#define MEMBER_INTEGER_OR_NULL int
#define MEMBER_SMALLINT int
#define MEMBER_TIME TimestampTz
#define MEMBER_TIME_OR_NULL TimestampTz
#define MEMBER_HASH const char *
#define MEMBER_TIME_OR_NEVER TimestampTz
#define MEMBER_UTF8 const char *
#define MEMBER_BOOL bool
#define MEMBER_BIGINT int64
#define MEMBER_DOUBLE double
#define MEMBER_OID Oid
#define MEMBER_BYTES bytea *
#define MEMBER_STEP Step
#define MEMBER_BY_HAND default

/* Where the member is; one of another type does not compile. */
#define COLUMN(type, row, field) COLUMN_AS(#field, type, row, field)
#define COLUMN_AS(name, type, row, field) \
	{name, COLUMN_##type, offsetof(row, field) + _Generic(((row *) NULL)->field, MEMBER_##type: 0)}
#define READ_BY_HAND(name) {name, COLUMN_BY_HAND, 0}

/* Its name in SQL. */
extern const char *column_name(const Column *column);

/* The type of the array that has a column of a batch. */
extern Oid	column_array_type(ColumnType type);

/* A member of a struct, as a value of its type. */
extern Datum column_value(const Column *column, const void *row, bool *isnull);

/* One array argument for each column, of "count" structs of "size" bytes. */
extern void make_arguments(Datum *arguments, const Column *columns, int ncolumns,
						   const void *rows, size_t size, int count);

/*
 * The rows of the last result, into structs of "size" bytes, of which there is
 * room for all.  Its columns are those of the table, in any order.
 */
extern void read_rows(const Column *columns, int ncolumns, void *rows, size_t size);

/* The place of a column in a table, from 0. */
extern int	column_place(TupleDesc descriptor, const char *name);

/* Those of a table of columns, which are of these types. */
extern void places_of_columns(TupleDesc descriptor, const Column *columns, int ncolumns, int *places);

/* A row of a table, whose values are at hand, into a struct. */
extern void read_slot(const Column *columns, const int *places, int ncolumns,
					  const TupleTableSlot *slot, void *row);

/* Whether a column of a row whose values are at hand has that text. */
extern bool slot_has_text(const TupleTableSlot *slot, int place, const char *wanted);

extern Datum uuid_array(const pg_uuid_t *uuids, int count);

/* A value of the last result, by its name; rows count from 0. */
extern Datum result_column(int row, const char *name, bool *isnull);

/* The only value of a row of the last result. */
extern char *result_text(int row);	/* NULL: null */
extern bool result_bool(int row);
extern pg_uuid_t result_uuid(int row);

/* The texts of the first column, without nulls. */
extern List *result_names(void);

/* The courier speaks UTF-8.  NULL: null, or it cannot be converted. */
extern char *to_utf8(const char *text);
extern char *from_utf8(const char *text);

#endif
