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

typedef struct OpenDay
{
	const char *name;
	TimestampTz since;
	TimestampTz before;
	const char *holders;
	int64		erasures;
} OpenDay;

bool
store_find_day(DayCount *day, const char **holders)
{
	static const Column columns[] = {
		COLUMN(TEXT, OpenDay, name),
		COLUMN(TIME, OpenDay, since),
		COLUMN(TIME, OpenDay, before),
		COLUMN(TEXT, OpenDay, holders),
		COLUMN(BIGINT, OpenDay, erasures),
	};
	static Statement statement = {
		"SELECT pg_catalog.to_char(d.day, 'YYYY-MM-DD') AS name, reengage_internal.start_of_day(d.day) AS since,"
		" reengage_internal.start_of_day(d.day OPERATOR(pg_catalog.+) 1) AS before,"
		" reengage_internal.day_held_open_by(d.day) AS holders,"
		" (SELECT pg_catalog.count(*) FROM reengage.erasures) AS erasures"
		" FROM reengage_internal.day_without_manifest() AS d (day) WHERE d.day IS NOT NULL LIMIT 1",
	};
	OpenDay		open;

	*holders = NULL;
	execute(&statement, NULL, SPI_OK_SELECT);
	if (SPI_processed == 0)
		return false;
	read_rows(columns, lengthof(columns), &open, sizeof(open));
	memset(day, 0, sizeof(DayCount));
	strlcpy(day->name, open.name, sizeof(day->name));
	day->since = open.since;
	day->before = open.before;
	day->erasures = open.erasures;
	*holders = open.holders;
	return true;
}

typedef struct MeasuredPart
{
	int64		row_count;
	int64		digest;
	const char *column_sums;
	TimestampTz measured_to;
} MeasuredPart;

static void
keep_column_sums(DayCount *day, const char *column_sums)
{
	if (column_sums == NULL || strlcpy(day->column_sums, column_sums, COLUMN_SUMS_SIZE) >= COLUMN_SUMS_SIZE)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the sums of the columns of lineage take more than %d bytes", COLUMN_SUMS_SIZE - 1)));
}

bool
store_count_part(DayCount *day, int64 rows)
{
	static const Column columns[] = {
		COLUMN(BIGINT, MeasuredPart, row_count),
		COLUMN(BIGINT, MeasuredPart, digest),
		COLUMN(TEXT, MeasuredPart, column_sums),
		COLUMN(TIME, MeasuredPart, measured_to),
	};
	static Statement statement = {
		"SELECT c.row_count, c.digest, c.measured_to, CASE $4 WHEN '' THEN c.column_sums"
		" ELSE reengage_internal.add_column_sums($4, c.column_sums) END AS column_sums"
		" FROM reengage_internal.count_lineage($1, $2, $3) AS c LIMIT 1",
		4, {TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID, TEXTOID}
	};
	Datum		arguments[] = {
		TimestampTzGetDatum(day->since), TimestampTzGetDatum(day->before), Int64GetDatum(rows),
		CStringGetTextDatum(day->column_sums)
	};
	MeasuredPart part;

	execute(&statement, arguments, SPI_OK_SELECT);
	read_rows(columns, lengthof(columns), &part, sizeof(part));
	day->rows += part.row_count;
	day->digest = (day->digest + (uint64) part.digest) & DIGEST_MASK;
	keep_column_sums(day, part.column_sums);
	day->since = part.measured_to;
	return day->since >= day->before;
}

void
store_record_day(const DayCount *day)
{
	static Statement statement = {
		"SELECT reengage_internal.record_manifest($1::pg_catalog.date, $2, $3, $4, erasures => $5)",
		5, {TEXTOID, INT8OID, INT8OID, TEXTOID, INT8OID}
	};
	Datum		arguments[5];

	arguments[0] = CStringGetTextDatum(day->name);
	arguments[1] = Int64GetDatum(day->rows);
	arguments[2] = Int64GetDatum((int64) day->digest);
	arguments[3] = CStringGetTextDatum(day->column_sums);
	arguments[4] = Int64GetDatum(day->erasures);
	execute(&statement, arguments, SPI_OK_SELECT);
}
