/*
 * locks.c: what applications lock, for gate_locks.h, and who is in the way.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "fmgr.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

#include "dispatch/dispatcher_lock.h"
#include "dispatch/locks.h"
#include "dispatch/open_rows.h"

PG_FUNCTION_INFO_V1(reengage_lock_nudge);
PG_FUNCTION_INFO_V1(reengage_nudge_locks);
PG_FUNCTION_INFO_V1(reengage_lock_campaign);
PG_FUNCTION_INFO_V1(reengage_lock_part);
PG_FUNCTION_INFO_V1(reengage_lock_thread);
PG_FUNCTION_INFO_V1(reengage_lock_customer);
PG_FUNCTION_INFO_V1(reengage_unlock_thread);
PG_FUNCTION_INFO_V1(reengage_unlock_customer);
PG_FUNCTION_INFO_V1(reengage_lock_superseding);
PG_FUNCTION_INFO_V1(reengage_locked_by);
PG_FUNCTION_INFO_V1(reengage_lock_server);

static const char *
text_argument(FunctionCallInfo fcinfo, int place)
{
	return PG_ARGISNULL(place) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(place));
}

/* Nudges that this transaction has locked; too many where a part of it was rolled back. */
static int	nudge_locks;

static void
forget_nudge_locks(XactEvent event, void *argument)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		nudge_locks = 0;
}

Datum
reengage_lock_nudge(PG_FUNCTION_ARGS)
{
	static bool watching = false;

	if (!watching)
		RegisterXactCallback(forget_nudge_locks, NULL);
	watching = true;
	lock_take(LOCK_NUDGE, lock_of_nudge(PG_GETARG_UUID_P(0)), ExclusiveLock, true);
	nudge_locks++;
	PG_RETURN_VOID();
}

Datum
reengage_nudge_locks(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(nudge_locks);
}

/* lock_campaign(server, campaign) */
Datum
reengage_lock_campaign(PG_FUNCTION_ARGS)
{
	lock_take(LOCK_CAMPAIGN, lock_of_campaign(text_argument(fcinfo, 0), text_argument(fcinfo, 1)), ExclusiveLock, true);
	PG_RETURN_VOID();
}

/* lock_part(server, requested_by, campaign, shared) */
Datum
reengage_lock_part(PG_FUNCTION_ARGS)
{
	const char *server = text_argument(fcinfo, 0);
	const char *campaign = text_argument(fcinfo, 2);

	lock_take(LOCK_CAMPAIGN, lock_of_campaign(server, campaign), ShareLock, true);
	lock_take(LOCK_PART, lock_of_part(server, text_argument(fcinfo, 1), campaign),
		 PG_GETARG_BOOL(3) ? ShareLock : ExclusiveLock, true);
	PG_RETURN_VOID();
}

static uint64
thread_argument(FunctionCallInfo fcinfo)
{
	return lock_of_thread(text_argument(fcinfo, 0), text_argument(fcinfo, 1));
}

static uint64
customer_argument(FunctionCallInfo fcinfo)
{
	return lock_of(text_to_cstring(PG_GETARG_TEXT_PP(0)));
}

Datum
reengage_lock_thread(PG_FUNCTION_ARGS)
{
	lock_take(LOCK_THREAD, thread_argument(fcinfo), APPLICATIONS_MODE, true);
	PG_RETURN_VOID();
}

Datum
reengage_unlock_thread(PG_FUNCTION_ARGS)
{
	lock_release(LOCK_THREAD, thread_argument(fcinfo), APPLICATIONS_MODE);
	PG_RETURN_VOID();
}

Datum
reengage_lock_customer(PG_FUNCTION_ARGS)
{
	lock_take(LOCK_CUSTOMER, customer_argument(fcinfo), APPLICATIONS_MODE, true);
	PG_RETURN_VOID();
}

Datum
reengage_unlock_customer(PG_FUNCTION_ARGS)
{
	lock_release(LOCK_CUSTOMER, customer_argument(fcinfo), APPLICATIONS_MODE);
	PG_RETURN_VOID();
}

Datum
reengage_lock_server(PG_FUNCTION_ARGS)
{
	lock_take(LOCK_SERVER, lock_of(text_to_cstring(PG_GETARG_TEXT_PP(0))), ExclusiveLock, true);
	PG_RETURN_VOID();
}

/* lock_superseding(server, requested_by, campaign, stripe) */
Datum
reengage_lock_superseding(PG_FUNCTION_ARGS)
{
	uint64		part = lock_of_part(text_argument(fcinfo, 0), text_argument(fcinfo, 1), text_argument(fcinfo, 2));

	lock_take(LOCK_SUPERSEDING, part + PG_GETARG_INT32(3), ExclusiveLock, true);
	PG_RETURN_VOID();
}

/* --- who is in the way ------------------------------------------------------ */

/* Another transaction than the dispatcher's, which has its locks for a moment only. */
static bool
is_held(LockKind kind, uint64 number, LOCKMODE mode)
{
	LOCKTAG		tag = lock_tag(kind, number);
	VirtualTransactionId dispatcher = dispatcher_lock_holder();
	int			count;
	VirtualTransactionId *holders = GetLockConflicts(&tag, mode, &count);
	int			others = 0;

	for (int i = 0; i < count; i++)
		others += !VirtualTransactionIdEquals(holders[i], dispatcher);
	pfree(holders);
	return others > 0;
}

static bool
is_being_recorded(FunctionCallInfo fcinfo, int root, int customer)
{
	OpenRows   *open = open_rows_begin();
	bool		found = open_rows_of_thread(open, text_argument(fcinfo, root)) ||
		(!PG_ARGISNULL(customer) && open_rows_of_customer(open, text_argument(fcinfo, customer)));

	open_rows_end(open);
	return found;
}

/* locked_by(locker, nudge_id, server, requested_by, campaign, conversation_id, address_hash) */
Datum
reengage_locked_by(PG_FUNCTION_ARGS)
{
	TransactionId locker = DatumGetTransactionId(PG_GETARG_DATUM(0));
	const char *server = text_argument(fcinfo, 2);
	const char *campaign = text_argument(fcinfo, 4);

	if (is_held(LOCK_NUDGE, lock_of_nudge(PG_GETARG_UUID_P(1)), ExclusiveLock) ||
		is_held(LOCK_CAMPAIGN, lock_of_campaign(server, campaign), ShareLock) ||
		is_held(LOCK_PART, lock_of_part(server, text_argument(fcinfo, 3), campaign), ShareLock))
		PG_RETURN_TEXT_P(cstring_to_text("a cancellation that has not been committed"));
	if (is_being_recorded(fcinfo, 5, 6))
		PG_RETURN_TEXT_P(cstring_to_text("an opt-out or an answer that has not been committed"));
	if (TransactionIdIsNormal(locker) && TransactionIdIsInProgress(locker))
		PG_RETURN_TEXT_P(cstring_to_text("a change of the schedule that has not been committed"));
	PG_RETURN_NULL();
}
