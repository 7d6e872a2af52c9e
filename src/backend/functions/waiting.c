/*
 * waiting.c: how much waits, for whom, and for how long: parts of health, metrics
 * and campaign_status.
 *
 * Of lanes there are as many as servers, priorities and roles make, so that each is
 * gone through once, for all that is asked of it; statements went through all lanes
 * for each server.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "store/waiting.h"

PG_FUNCTION_INFO_V1(reengage_backlog);
PG_FUNCTION_INFO_V1(reengage_due_by_priority);

static bool
are_equal_texts(const text *one, const text *other)
{
	return VARSIZE_ANY_EXHDR(one) == VARSIZE_ANY_EXHDR(other) &&
		memcmp(VARDATA_ANY(one), VARDATA_ANY(other), VARSIZE_ANY_EXHDR(one)) == 0;
}

/* --- in all ------------------------------------------------------------------------------- */

Datum
reengage_backlog(PG_FUNCTION_ARGS)
{
	int64		at_most = (int64) PG_GETARG_INT32(0) + 1;
	text	   *server = PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1);
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	TimestampTz oldest = DT_NOEND;
	int64		due = 0;
	int64		scheduled = 0;
	bool		any = false;
	Waiting		waiting;
	TupleDesc	columns;
	Datum		values[3];
	bool		nulls[3] = {false};

	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	waiting_begin(&waiting);
	for (const WaitingLane *lane = waiting_first(&waiting, server); lane != NULL; lane = waiting_next(&waiting))
	{
		if (server != NULL && !are_equal_texts(server, lane->server))
			break;
		any = true;
		oldest = Min(oldest, lane->oldest);
		if (lane->oldest <= now)
			due += waiting_count(&waiting, lane, DT_NOBEGIN, now, at_most - due);
		scheduled += waiting_count(&waiting, lane, now + 1, DT_NOEND, at_most - scheduled);
	}
	waiting_end(&waiting);
	values[0] = Int64GetDatum(due);
	values[1] = Int64GetDatum(scheduled);
	values[2] = TimestampTzGetDatum(oldest);
	nulls[2] = !any;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), values, nulls)));
}

/* --- by server and priority ------------------------------------------------------------------ */

typedef struct Lanes
{
	WaitingLane *lanes;
	int			count;
	int			room;
	int			groups;			/* of one server and priority: they are side by side */
} Lanes;

static bool
are_of_a_group(const WaitingLane *one, const WaitingLane *other)
{
	return one->priority == other->priority && are_equal_texts(one->server, other->server);
}

static Lanes
find_lanes(Waiting *waiting)
{
	Lanes		found = {.room = 64};

	found.lanes = palloc(sizeof(WaitingLane) * found.room);
	for (const WaitingLane *lane = waiting_first(waiting, NULL); lane != NULL; lane = waiting_next(waiting))
	{
		if (found.count == found.room)
			found.lanes = repalloc_huge(found.lanes, sizeof(WaitingLane) * (found.room *= 2));
		if (found.count == 0 || !are_of_a_group(&found.lanes[found.count - 1], lane))
			found.groups++;
		found.lanes[found.count++] = waiting_copy(lane);
	}
	return found;
}

/* Returns how many lanes it has. */
static int
put_group(ReturnSetInfo *result, Waiting *waiting, const WaitingLane *lanes, int count, int64 at_most)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	TimestampTz oldest = DT_NOEND;
	int64		due = 0;
	int			i;
	Datum		values[4];
	bool		nulls[4] = {false};

	for (i = 0; i < count && are_of_a_group(&lanes[0], &lanes[i]); i++)
	{
		oldest = Min(oldest, lanes[i].oldest);
		if (lanes[i].oldest <= now)
			due += waiting_count(waiting, &lanes[i], DT_NOBEGIN, now, at_most - due);
	}
	values[0] = PointerGetDatum(lanes[0].server);
	values[1] = Int16GetDatum(lanes[0].priority);
	values[2] = Int64GetDatum(due);
	values[3] = TimestampTzGetDatum(oldest);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	return i;
}

/* However many there are, what is counted of each tells it from none and from few. */
#define COUNTED_LEAST 100

Datum
reengage_due_by_priority(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int64		at_most = PG_GETARG_INT32(0);
	int64		in_all = PG_GETARG_INT32(1);
	Waiting		waiting;
	Lanes		found;

	InitMaterializedSRF(fcinfo, 0);
	waiting_begin(&waiting);
	found = find_lanes(&waiting);
	at_most = Min(at_most, Max(in_all / Max(found.groups, 1), COUNTED_LEAST));
	for (int i = 0; i < found.count;)
		i += put_group(result, &waiting, &found.lanes[i], found.count - i, at_most);
	waiting_end(&waiting);
	return (Datum) 0;
}
