/*
 * store_retention.c: see store_retention.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/timestamp.h"

#include "base/rows.h"
#include "store/statement.h"
#include "store/store_retention.h"

typedef struct PrunedPart
{
	TimestampTz pruned_to;		/* 0: there was nothing */
} PrunedPart;

typedef struct PrunedRest
{
	int64		deleted;
} PrunedRest;

bool
store_retention_is_busy(void)
{
	static Statement statement = {"SELECT reengage_internal.is_locked('retention', VARIADIC '{}')"};

	execute(&statement, NULL, SPI_OK_SELECT);
	return result_bool(0);
}

bool
store_clock_is_doubtful(void)
{
	static Statement statement = {"SELECT reengage_internal.clock_is_doubtful()"};

	execute(&statement, NULL, SPI_OK_SELECT);
	return result_bool(0);
}

bool
store_prune_part(TimestampTz *since, int rows)
{
	static const Column columns[] = {COLUMN(TIME, PrunedPart, pruned_to)};
	static Statement statement = {
		"SELECT pruned_to FROM reengage_internal.prune_part(reengage_internal.retention(), $1, $2) LIMIT 1",
		2, {TIMESTAMPTZOID, INT4OID}
	};
	Datum		arguments[] = {TimestampTzGetDatum(*since), Int32GetDatum(rows)};
	PrunedPart	part;

	execute(&statement, arguments, SPI_OK_SELECT);
	read_rows(columns, lengthof(columns), &part, sizeof(part));
	if (part.pruned_to == 0)
		return false;
	*since = part.pruned_to;
	return true;
}

bool
store_prune_rest(int rows)
{
	static const Column columns[] = {COLUMN(BIGINT, PrunedRest, deleted)};
	static Statement statement = {
		"SELECT reengage_internal.prune_rest(reengage_internal.retention(), $1) AS deleted",
		1, {INT4OID}
	};
	Datum		argument = Int32GetDatum(rows);
	PrunedRest	rest;

	execute(&statement, &argument, SPI_OK_SELECT);
	read_rows(columns, lengthof(columns), &rest, sizeof(rest));
	return rest.deleted > 0;
}
