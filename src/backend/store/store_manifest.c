/*
 * store_manifest.c: the manifest of lineage in SQL.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/rows.h"
#include "store/statement.h"
#include "store/store.h"

/* Sums of digests are modulo 2^53. */
#define DIGEST_MASK ((UINT64CONST(1) << 53) - 1)

static int64
result_bigint(int row, int column)
{
	bool		isnull;

	return DatumGetInt64(result(row, column, &isnull));
}

bool
store_find_day(DayCount *day, const char **holders)
{
	static Statement statement = {
		"SELECT pg_catalog.to_char(d.day, 'YYYY-MM-DD'), reengage.start_of_day(d.day),"
		" reengage.start_of_day(d.day OPERATOR(pg_catalog.+) 1), reengage.day_held_open_by(d.day)"
		" FROM reengage.day_without_manifest() AS d (day) WHERE d.day IS NOT NULL",
		0, {0}
	};

	*holders = NULL;
	execute(&statement, NULL, SPI_OK_SELECT);
	if (SPI_processed == 0)
		return false;
	memset(day, 0, sizeof(DayCount));
	strlcpy(day->name, result_text(0, 1), sizeof(day->name));
	day->since = result_time(0, 2, 0);
	day->before = result_time(0, 3, 0);
	*holders = result_text(0, 4);
	return true;
}

bool
store_count_part(DayCount *day, int64 rows)
{
	static Statement statement = {
		"SELECT row_count, digest, measured_to FROM reengage.measure_lineage($1, $2, $3)",
		3, {TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID}
	};
	Datum		arguments[3];

	arguments[0] = TimestampTzGetDatum(day->since);
	arguments[1] = TimestampTzGetDatum(day->before);
	arguments[2] = Int64GetDatum(rows);
	execute(&statement, arguments, SPI_OK_SELECT);
	day->rows += result_bigint(0, 1);
	day->digest = (day->digest + (uint64) result_bigint(0, 2)) & DIGEST_MASK;
	day->since = result_time(0, 3, 0);
	return day->since >= day->before;
}

void
store_record_day(const DayCount *day)
{
	static Statement statement = {
		"SELECT reengage.record_manifest($1::pg_catalog.date, $2, $3)",
		3, {TEXTOID, INT8OID, INT8OID}
	};
	Datum		arguments[3];

	arguments[0] = CStringGetTextDatum(day->name);
	arguments[1] = Int64GetDatum(day->rows);
	arguments[2] = Int64GetDatum((int64) day->digest);
	execute(&statement, arguments, SPI_OK_SELECT);
}
