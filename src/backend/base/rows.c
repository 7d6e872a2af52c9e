/*
 * rows.c: C structs to arguments of SPI, and its results to C.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_conversion.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/rows.h"

/* In half of its bytes. */
static Datum
hash_of_hex(const char *hex, bool *isnull)
{
	size_t		length = hex != NULL ? strlen(hex) : 0;
	bytea	   *hash = palloc(VARHDRSZ + length / 2);

	*isnull = length == 0 || length % 2 != 0 || strspn(hex, "0123456789abcdef") < length;
	SET_VARSIZE(hash, VARHDRSZ + length / 2);
	if (!*isnull)
		hex_decode(hex, length, VARDATA(hash));
	return PointerGetDatum(hash);
}

static const char *
hex_of_hash(Datum value)
{
	bytea	   *hash = DatumGetByteaPP(value);
	size_t		length = VARSIZE_ANY_EXHDR(hash);
	char	   *hex = palloc0(2 * length + 1);

	hex_encode(VARDATA_ANY(hash), length, hex);
	return hex;
}

Datum
column_value(const Column *column, const void *row, bool *isnull)
{
	const void *field = (const char *) row + column->offset;

	*isnull = false;
	switch (column->type)
	{
		case COLUMN_UUID:
			return UUIDPGetDatum(field);
		case COLUMN_TEXT:
			*isnull = *(const char *const *) field == NULL;
			return *isnull ? (Datum) 0 : CStringGetTextDatum(*(const char *const *) field);
		case COLUMN_INTEGER:
			return Int32GetDatum(*(const int *) field);
		case COLUMN_INTEGER_OR_NULL:
			*isnull = *(const int *) field == 0;
			return Int32GetDatum(*(const int *) field);
		case COLUMN_TIME_OR_NULL:
			*isnull = *(const TimestampTz *) field == 0;
			pg_fallthrough;
		case COLUMN_TIME:
			return TimestampTzGetDatum(*(const TimestampTz *) field);
		case COLUMN_BOOL:
			return BoolGetDatum(*(const bool *) field);
		case COLUMN_HASH:
			return hash_of_hex(*(const char *const *) field, isnull);
		case COLUMN_SMALLINT:
		case COLUMN_TIME_OR_NEVER:
		case COLUMN_UTF8:
		case COLUMN_BIGINT:
		case COLUMN_DOUBLE:
		case COLUMN_OID:
		case COLUMN_BYTES:
		case COLUMN_STEP:
		case COLUMN_BY_HAND:
			break;
	}
	elog(ERROR, "column \"%s\" is of results only", column->name);
	return (Datum) 0;
}

const char *
column_name(const Column *column)
{
	const char *dot = strrchr(column->name, '.');

	return dot != NULL ? dot + 1 : column->name;
}

/* What a value of such a column is in SQL; InvalidOid: anything. */
static Oid
column_sql_type(ColumnType type)
{
	switch (type)
	{
		case COLUMN_UUID:
			return UUIDOID;
		case COLUMN_TEXT:
		case COLUMN_UTF8:
		case COLUMN_STEP:
			return TEXTOID;
		case COLUMN_INTEGER:
		case COLUMN_INTEGER_OR_NULL:
			return INT4OID;
		case COLUMN_SMALLINT:
			return INT2OID;
		case COLUMN_TIME:
		case COLUMN_TIME_OR_NULL:
		case COLUMN_TIME_OR_NEVER:
			return TIMESTAMPTZOID;
		case COLUMN_BOOL:
			return BOOLOID;
		case COLUMN_HASH:
			return BYTEAOID;
		case COLUMN_BIGINT:
			return INT8OID;
		case COLUMN_DOUBLE:
			return FLOAT8OID;
		case COLUMN_OID:
			return OIDOID;
		case COLUMN_BYTES:
			return BYTEAOID;
		case COLUMN_BY_HAND:
			break;
	}
	return InvalidOid;
}

Oid
column_array_type(ColumnType type)
{
	return get_array_type(column_sql_type(type));
}

static Datum
make_array(ColumnType type, Datum *values, bool *nulls, int count)
{
	int			lower_bound = 1;
	Oid			element = column_sql_type(type);
	int16		length;
	bool		by_value;
	char		alignment;

	get_typlenbyvalalign(element, &length, &by_value, &alignment);
	return PointerGetDatum(construct_md_array(values, nulls, 1, &count, &lower_bound,
											  element, length, by_value, alignment));
}

void
make_arguments(Datum *arguments, const Column *columns, int ncolumns,
			   const void *rows, size_t size, int count)
{
	Datum	   *values = palloc(sizeof(Datum) * Max(count, 1));
	bool	   *nulls = palloc(sizeof(bool) * Max(count, 1));

	for (int c = 0; c < ncolumns; c++)
	{
		for (int r = 0; r < count; r++)
			values[r] = column_value(&columns[c], (const char *) rows + r * size, &nulls[r]);
		arguments[c] = make_array(columns[c].type, values, nulls, count);
	}
}

bool
slot_has_text(const TupleTableSlot *slot, int place, const char *wanted)
{
	const text *value;

	if (slot->tts_isnull[place])
		return false;
	value = DatumGetTextPP(slot->tts_values[place]);
	return VARSIZE_ANY_EXHDR(value) == strlen(wanted) && memcmp(VARDATA_ANY(value), wanted, strlen(wanted)) == 0;
}

Datum
uuid_array(const pg_uuid_t *uuids, int count)
{
	static const Column column = {"", COLUMN_UUID, 0};
	Datum		array;

	make_arguments(&array, &column, 1, uuids, sizeof(pg_uuid_t), count);
	return array;
}

static Step
step_of(const char *name)
{
	return strcmp(name, step_name(STEP_CREATE)) == 0 ? STEP_CREATE : STEP_NOTIFY;
}

/* Numbers, times and flags that are null are 0, unless their type says another thing. */
static void
read_value(const Column *column, Datum value, bool isnull, void *field)
{
	switch (column->type)
	{
		case COLUMN_UUID:
			*(pg_uuid_t *) field = *DatumGetUUIDP(value);
			break;
		case COLUMN_TEXT:
			*(const char **) field = isnull ? NULL : TextDatumGetCString(value);
			break;
		case COLUMN_HASH:
			*(const char **) field = isnull ? NULL : hex_of_hash(value);
			break;
		case COLUMN_UTF8:
			*(const char **) field = isnull ? NULL : to_utf8(TextDatumGetCString(value));
			break;
		case COLUMN_INTEGER:
		case COLUMN_INTEGER_OR_NULL:
			*(int *) field = isnull ? 0 : DatumGetInt32(value);
			break;
		case COLUMN_SMALLINT:
			*(int *) field = isnull ? 0 : DatumGetInt16(value);
			break;
		case COLUMN_TIME:
		case COLUMN_TIME_OR_NULL:
			*(TimestampTz *) field = isnull ? 0 : DatumGetTimestampTz(value);
			break;
		case COLUMN_TIME_OR_NEVER:
			*(TimestampTz *) field = isnull ? DT_NOEND : DatumGetTimestampTz(value);
			break;
		case COLUMN_BOOL:
			*(bool *) field = !isnull && DatumGetBool(value);
			break;
		case COLUMN_BIGINT:
			*(int64 *) field = isnull ? 0 : DatumGetInt64(value);
			break;
		case COLUMN_DOUBLE:
			*(double *) field = isnull ? 0 : DatumGetFloat8(value);
			break;
		case COLUMN_OID:
			*(Oid *) field = isnull ? InvalidOid : DatumGetObjectId(value);
			break;
		case COLUMN_BYTES:
			*(bytea **) field = isnull ? NULL : DatumGetByteaPCopy(value);
			break;
		case COLUMN_STEP:
			*(Step *) field = isnull ? STEP_CHECK : step_of(TextDatumGetCString(value));
			break;
		case COLUMN_BY_HAND:
			break;
	}
}

static int
number_of_column(const char *name)
{
	int			number = SPI_fnumber(SPI_tuptable->tupdesc, name);

	if (number <= 0)
		elog(ERROR, "the result has no column \"%s\"", name);
	return number;
}

void
read_rows(const Column *columns, int ncolumns, void *rows, size_t size)
{
	TupleDesc	descriptor = SPI_tuptable->tupdesc;

	if (descriptor->natts != ncolumns)
		elog(ERROR, "the result has %d columns, its table %d", descriptor->natts, ncolumns);
	for (int c = 0; c < ncolumns; c++)
	{
		int			number = number_of_column(column_name(&columns[c]));
		Oid			type = column_sql_type(columns[c].type);

		if (OidIsValid(type) && SPI_gettypeid(descriptor, number) != type)
			elog(ERROR, "the result's column \"%s\" is of another type", column_name(&columns[c]));
		for (uint64 row = 0; row < SPI_processed; row++)
		{
			bool		isnull;
			Datum		value = SPI_getbinval(SPI_tuptable->vals[row], descriptor, number, &isnull);

			read_value(&columns[c], value, isnull, (char *) rows + row * size + columns[c].offset);
		}
	}
}

int
column_place(TupleDesc descriptor, const char *name)
{
	for (int i = 0; i < descriptor->natts; i++)
		if (!TupleDescAttr(descriptor, i)->attisdropped && namestrcmp(&TupleDescAttr(descriptor, i)->attname, name) == 0)
			return i;
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("the table has no column \"%s\"", name)));
}

void
read_slot(const Column *columns, const int *places, int ncolumns, const TupleTableSlot *slot, void *row)
{
	for (int c = 0; c < ncolumns; c++)
		read_value(&columns[c], slot->tts_values[places[c]], slot->tts_isnull[places[c]], (char *) row + columns[c].offset);
}

void
places_of_columns(TupleDesc descriptor, const Column *columns, int ncolumns, int *places)
{
	for (int c = 0; c < ncolumns; c++)
	{
		Oid			type = column_sql_type(columns[c].type);

		places[c] = column_place(descriptor, column_name(&columns[c]));
		if (OidIsValid(type) && TupleDescAttr(descriptor, places[c])->atttypid != type)
			elog(ERROR, "column \"%s\" of the table is of another type", column_name(&columns[c]));
	}
}

Datum
result_column(int row, const char *name, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, number_of_column(name), isnull);
}

static Datum
only_value(int row, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 1, isnull);
}

char *
result_text(int row)
{
	bool		isnull;
	Datum		value = only_value(row, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

bool
result_bool(int row)
{
	bool		isnull;
	Datum		value = only_value(row, &isnull);

	return !isnull && DatumGetBool(value);
}

pg_uuid_t
result_uuid(int row)
{
	bool		isnull;

	return *DatumGetUUIDP(only_value(row, &isnull));
}

List *
result_names(void)
{
	List	   *names = NIL;

	for (uint64 row = 0; row < SPI_processed; row++)
	{
		char	   *name = result_text((int) row);

		if (name != NULL)
			names = lappend(names, name);
	}
	return names;
}

/* The conversions between the database's encoding and UTF-8; without a function: none. */
static FmgrInfo conversion_to_utf8;
static FmgrInfo conversion_from_utf8;

static void
find_conversion(int from, int to, FmgrInfo *conversion)
{
	/* whatever the search_path of who asks */
	Oid			function = FindDefaultConversion(PG_CATALOG_NAMESPACE, from, to);

	if (OidIsValid(function))
		fmgr_info_cxt(function, conversion, TopMemoryContext);
}

/*
 * Texts are converted between transactions, too, where no catalog can be read.
 * The first one is a nudge's, which is loaded in a transaction.
 */
static void
find_conversions(void)
{
	static bool found = false;

	if (found || !IsTransactionState())
		return;
	find_conversion(GetDatabaseEncoding(), PG_UTF8, &conversion_to_utf8);
	find_conversion(PG_UTF8, GetDatabaseEncoding(), &conversion_from_utf8);
	found = true;
}

/* pg_server_to_any() would raise, and one text must not stop a whole tick. */
static char *
convert_encoding(const char *text, int from, int to, FmgrInfo *conversion)
{
	int			length = text ? (int) strlen(text) : 0;
	char	   *converted;

	if (text == NULL)
		return NULL;
	if (from == to || from == PG_SQL_ASCII || to == PG_SQL_ASCII)
		return pg_verify_mbstr(PG_UTF8, text, length, true) ? pstrdup(text) : NULL;
	find_conversions();
	if (!OidIsValid(conversion->fn_oid))
		return NULL;
	converted = palloc(length * MAX_CONVERSION_GROWTH + 1);
	if (DatumGetInt32(FunctionCall6(conversion, Int32GetDatum(from), Int32GetDatum(to),
									CStringGetDatum(text), CStringGetDatum(converted),
									Int32GetDatum(length), BoolGetDatum(true))) < length)
		return NULL;
	return converted;
}

char *
to_utf8(const char *text)
{
	return convert_encoding(text, GetDatabaseEncoding(), PG_UTF8, &conversion_to_utf8);
}

char *
from_utf8(const char *text)
{
	return convert_encoding(text, PG_UTF8, GetDatabaseEncoding(), &conversion_from_utf8);
}
