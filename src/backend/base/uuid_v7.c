/*
 * uuid_v7.c: reengage.uuid_v7(), the same on every version of PostgreSQL.
 */
#include "postgres.h"

#include <time.h>

#include "access/xact.h"
#include "fmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/uuid_v7.h"

PG_FUNCTION_INFO_V1(reengage_uuid_v7);
PG_FUNCTION_INFO_V1(reengage_first_id);
PG_FUNCTION_INFO_V1(reengage_id_tells);

/*
 * An id and a time that are made one after the other differ by microseconds, and
 * by more only where the process had to wait in between.  What is written later
 * depends on this number: lineage_recorded is an index of what differs by more.
 */
#define TOLD_WITHIN (100 * INT64CONST(1000))

/* As a TimestampTz. */
#define UNIX_EPOCH (-(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

/* The last one that SQL was given, for which statement and transaction, of which a procedure has several. */
static pg_uuid_t last_made;
static bool is_untaken;
static TimestampTz made_in_statement;
static TimestampTz made_in_transaction;

/*
 * Nanoseconds since 1970 that never repeat or go back within a session.  The
 * fraction of a millisecond below is 12 bits, so a step is 245 ns (RFC 9562,
 * section 6.2, method 3).
 */
static int64
next_nanoseconds(void)
{
	static int64 previous = 0;
	struct timespec now;
	int64		nanoseconds;

	clock_gettime(CLOCK_REALTIME, &now);
	nanoseconds = (int64) now.tv_sec * 1000000000 + now.tv_nsec;
	if (nanoseconds < previous + 245)
		nanoseconds = previous + 245;
	previous = nanoseconds;
	return nanoseconds;
}

/* Eight random bytes.  To ask for a few costs as much as to ask for many, and more than the rest of an id. */
static void
take_random(unsigned char *bytes)
{
	static unsigned char stock[64 * 8];
	static size_t left = 0;

	if (left == 0)
	{
		if (!pg_strong_random(stock, sizeof(stock)))
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not generate random values")));
		left = sizeof(stock);
	}
	left -= 8;
	memcpy(bytes, stock + left, 8);
}

void
uuid_v7_generate(pg_uuid_t *uuid)
{
	int64		nanoseconds = next_nanoseconds();
	uint64		milliseconds = nanoseconds / 1000000;
	uint32		fraction = (uint32) ((nanoseconds % 1000000) * 4096 / 1000000);

	take_random(uuid->data + 8);
	for (int i = 0; i < 6; i++)
		uuid->data[i] = (unsigned char) (milliseconds >> (40 - 8 * i));
	uuid->data[6] = 0x70 | (fraction >> 8);
	uuid->data[7] = fraction & 0xff;
	uuid->data[8] = (uuid->data[8] & 0x3f) | 0x80;
}

bool
uuid_v7_take_made(const pg_uuid_t *uuid)
{
	bool		is_last = is_untaken && made_in_statement == GetCurrentStatementStartTimestamp() &&
		made_in_transaction == GetCurrentTransactionStartTimestamp() && memcmp(uuid, &last_made, sizeof(last_made)) == 0;

	is_untaken = is_untaken && !is_last;
	return is_last;
}

Datum
reengage_uuid_v7(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

	uuid_v7_generate(uuid);
	last_made = *uuid;
	is_untaken = true;
	made_in_statement = GetCurrentStatementStartTimestamp();
	made_in_transaction = GetCurrentTransactionStartTimestamp();
	PG_RETURN_UUID_P(uuid);
}

/* The milliseconds of a time, and nothing behind them; at the ends of what an id can tell, its ends. */
Datum
reengage_first_id(PG_FUNCTION_ARGS)
{
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(0);
	pg_uuid_t  *uuid = palloc0(sizeof(pg_uuid_t));
	int64		milliseconds;

	if (TIMESTAMP_IS_NOEND(at) || at / 1000 - UNIX_EPOCH / 1000 >= INT64CONST(1) << 48)
		memset(uuid->data, 0xff, sizeof(uuid->data));
	else if (at > UNIX_EPOCH)
	{
		milliseconds = (at - UNIX_EPOCH) / 1000;
		for (int i = 0; i < 6; i++)
			uuid->data[i] = (unsigned char) (milliseconds >> (40 - 8 * i));
	}
	PG_RETURN_UUID_P(uuid);
}

/* Was it made about this time, give or take so many microseconds?  Ids of other kinds say nothing of that. */
static bool
made_about(const pg_uuid_t *uuid, TimestampTz time, int64 tolerance)
{
	int64		milliseconds = 0;
	int64		made_at;

	if (uuid->data[6] >> 4 != 7)
		return false;
	for (int i = 0; i < 6; i++)
		milliseconds = milliseconds << 8 | uuid->data[i];
	made_at = milliseconds * 1000 + UNIX_EPOCH;
	return made_at >= time - tolerance && made_at <= time + tolerance;
}

Datum
reengage_id_tells(PG_FUNCTION_ARGS)
{
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(1);

	PG_RETURN_BOOL(!TIMESTAMP_NOT_FINITE(at) && made_about(PG_GETARG_UUID_P(0), at, TOLD_WITHIN));
}
