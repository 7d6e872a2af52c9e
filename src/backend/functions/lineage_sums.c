/*
 * lineage_sums.c: the aggregate reengage_internal.lineage_sums(): of rows of lineage
 * how many they are, the sum of their digests, and the sums of each column.
 *
 * It is what reengage.lineage_values() and lineage_digest() make in SQL, in one pass.
 * The columns are those of the row's type, in its order.  Of each, d is the hash of a
 * value and w that of the row's first, its id; it sums up d, which tells whether a
 * value changed, and w * d, which tells also where.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "base/canonical.h"
#include "md5.h"

PG_FUNCTION_INFO_V1(reengage_lineage_sums_add);
PG_FUNCTION_INFO_V1(reengage_lineage_sums_end);

/* Sums of columns are modulo this prime, 2^31 - 1: two of its numbers multiply within 64 bits. */
#define PRIME UINT64CONST(2147483647)

/* Sums of digests are modulo 2^53, which a double holds. */
#define DIGEST_MASK ((UINT64CONST(1) << 53) - 1)

/* The order of rows on this cluster, which means nothing elsewhere. */
#define STAYS_HERE "xact_id"

typedef struct ColumnSums
{
	uint64		sum;
	uint64		placed;
} ColumnSums;

typedef struct LineageSums
{
	int64		rows;
	uint64		digest;
	uint64		hash_of_null;	/* which many values are */
	MemoryContext of_row;		/* reset for each */
	StringInfoData texts;		/* of a row, joined by "|" */
	ColumnSums	columns[FLEXIBLE_ARRAY_MEMBER]; /* by the attributes of the type */
} LineageSums;

static bool
column_travels(Form_pg_attribute attribute)
{
	return !attribute->attisdropped && strcmp(NameStr(attribute->attname), STAYS_HERE) != 0;
}

static uint64
hash_of(const char *text, int length)
{
	unsigned char digest[MD5_SIZE];

	md5_of(text, length, digest);
	return md5_low_bits(digest, 31);
}

static LineageSums *
begin_sums(MemoryContext context, TupleDesc columns)
{
	MemoryContext before = MemoryContextSwitchTo(context);
	LineageSums *sums = palloc0(offsetof(LineageSums, columns) + columns->natts * sizeof(ColumnSums));

	initStringInfo(&sums->texts);
	append_canonical(&sums->texts, InvalidOid, (Datum) 0, true);
	sums->hash_of_null = hash_of(sums->texts.data, sums->texts.len);
	sums->of_row = AllocSetContextCreate(context, "row of lineage", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(before);
	return sums;
}

static void
add_column(ColumnSums *column, uint64 place, uint64 hash)
{
	column->sum = (column->sum + hash) % PRIME;
	column->placed = (column->placed + place * hash) % PRIME;
}

static void
add_values(LineageSums *sums, TupleDesc columns, const Datum *values, const bool *nulls)
{
	StringInfo	texts = &sums->texts;
	unsigned char digest[MD5_SIZE];
	uint64		place = 0;

	resetStringInfo(texts);
	for (int i = 0; i < columns->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(columns, i);
		bool		is_first = texts->len == 0;
		uint64		hash;
		int			start;

		if (!column_travels(attribute))
			continue;
		if (!is_first)
			appendStringInfoCharMacro(texts, '|');
		start = texts->len;
		append_canonical(texts, attribute->atttypid, values[i], nulls[i]);
		hash = nulls[i] ? sums->hash_of_null : hash_of(texts->data + start, texts->len - start);
		if (is_first)
			place = hash;
		add_column(&sums->columns[i], place, hash);
	}
	md5_of(texts->data, texts->len, digest);
	sums->digest = (sums->digest + md5_low_bits(digest, 48)) & DIGEST_MASK;
	sums->rows++;
}

Datum
reengage_lineage_sums_add(PG_FUNCTION_ARGS)
{
	LineageSums *sums = PG_ARGISNULL(0) ? NULL : (LineageSums *) PG_GETARG_POINTER(0);
	MemoryContext context;
	MemoryContext before;
	HeapTupleHeader row;
	HeapTupleData tuple;
	TupleDesc	columns;
	Datum	   *values;
	bool	   *nulls;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "reengage_internal.lineage_sums_add() was called by no aggregate");
	if (PG_ARGISNULL(1))
	{
		if (sums == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(sums);
	}
	row = PG_GETARG_HEAPTUPLEHEADER(1);
	columns = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(row), HeapTupleHeaderGetTypMod(row));
	if (sums == NULL)
		sums = begin_sums(context, columns);
	before = MemoryContextSwitchTo(sums->of_row);
	tuple = (HeapTupleData) {.t_len = HeapTupleHeaderGetDatumLength(row), .t_data = row};
	values = palloc(columns->natts * sizeof(Datum));
	nulls = palloc(columns->natts * sizeof(bool));
	heap_deform_tuple(&tuple, columns, values, nulls);
	add_values(sums, columns, values, nulls);
	MemoryContextSwitchTo(before);
	MemoryContextReset(sums->of_row);
	ReleaseTupleDesc(columns);
	PG_RETURN_POINTER(sums);
}

/* name:sum:placed of each column; without rows, of a row's type. */
static char *
written_sums(const LineageSums *sums, Oid row_type)
{
	TupleDesc	columns = lookup_rowtype_tupdesc(row_type, -1);
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < columns->natts; i++)
	{
		ColumnSums	column = sums == NULL ? (ColumnSums) {0} : sums->columns[i];

		if (column_travels(TupleDescAttr(columns, i)))
			appendStringInfo(&text, "%s%s:" UINT64_FORMAT ":" UINT64_FORMAT, text.len > 0 ? " " : "",
							 NameStr(TupleDescAttr(columns, i)->attname), column.sum, column.placed);
	}
	ReleaseTupleDesc(columns);
	return text.data;
}

Datum
reengage_lineage_sums_end(PG_FUNCTION_ARGS)
{
	const LineageSums *sums = PG_ARGISNULL(0) ? NULL : (LineageSums *) PG_GETARG_POINTER(0);
	Oid			row_type = get_fn_expr_argtype(fcinfo->flinfo, 1);
	TupleDesc	result;
	Datum		values[3];
	bool		nulls[lengthof(values)] = {false};

	if (get_call_result_type(fcinfo, NULL, &result) != TYPEFUNC_COMPOSITE || result->natts != lengthof(values))
		elog(ERROR, "reengage_internal.lineage_sums_end() must return three columns");
	values[0] = Int64GetDatum(sums == NULL ? 0 : sums->rows);
	values[1] = Int64GetDatum(sums == NULL ? 0 : (int64) sums->digest);
	values[2] = CStringGetTextDatum(written_sums(sums, row_type));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(result), values, nulls)));
}
