/*
 * locks.c: what applications lock, for gate_locks.h, and who is in the way.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "storage/procarray.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

#include "dispatch/dispatcher_lock.h"
#include "dispatch/locks.h"
#include "dispatch/open_rows.h"

PG_FUNCTION_INFO_V1(reengage_lock);
PG_FUNCTION_INFO_V1(reengage_unlock);
PG_FUNCTION_INFO_V1(reengage_is_locked);
PG_FUNCTION_INFO_V1(reengage_holds_lock);
PG_FUNCTION_INFO_V1(reengage_lock_kind);
PG_FUNCTION_INFO_V1(reengage_lock_nudge);
PG_FUNCTION_INFO_V1(reengage_nudge_locks);
PG_FUNCTION_INFO_V1(reengage_lock_part);
PG_FUNCTION_INFO_V1(reengage_locked_by);

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

/* A lock that SQL names by its kind and key. */
typedef struct NamedLock
{
	LockKind	kind;
	uint64		number;
	LOCKMODE	mode;
} NamedLock;

/* Of (kind, VARIADIC key); false: a part of the key is null, and nothing is meant. */
static bool
read_named_lock(FunctionCallInfo fcinfo, NamedLock *lock)
{
	Datum	   *values;
	bool	   *nulls;
	int			count;
	const char **texts;

	lock->kind = lock_kind_named(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	lock->mode = lock_mode_of_sql(lock->kind);
	if (lock->mode == NoLock)
		elog(ERROR, "locks of kind %d have no key", lock->kind);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
	texts = palloc(count * sizeof(char *));
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			return false;
		texts[i] = TextDatumGetCString(values[i]);
	}
	lock->number = lock_of_key(texts, count);
	return true;
}

/* lock(kind, VARIADIC key) */
Datum
reengage_lock(PG_FUNCTION_ARGS)
{
	NamedLock	lock;

	if (read_named_lock(fcinfo, &lock))
		lock_take(lock.kind, lock.number, lock.mode, true);
	PG_RETURN_VOID();
}

/* holds_lock(kind) */
Datum
reengage_holds_lock(PG_FUNCTION_ARGS)
{
	LockKind	kind = lock_kind_named(text_to_cstring(PG_GETARG_TEXT_PP(0)));

	PG_RETURN_BOOL(lock_is_held(kind, lock_of_key(NULL, 0), lock_mode_of_sql(kind)));
}

/* unlock(kind, VARIADIC key) */
Datum
reengage_unlock(PG_FUNCTION_ARGS)
{
	NamedLock	lock;

	if (read_named_lock(fcinfo, &lock))
		lock_release(lock.kind, lock.number, lock.mode);
	PG_RETURN_VOID();
}

Datum
reengage_lock_kind(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(lock_kind_named(text_to_cstring(PG_GETARG_TEXT_PP(0))));
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

/* is_locked(kind, VARIADIC key) */
Datum
reengage_is_locked(PG_FUNCTION_ARGS)
{
	NamedLock	lock;

	PG_RETURN_BOOL(read_named_lock(fcinfo, &lock) && is_held(lock.kind, lock.number, lock.mode));
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
	TransactionId locker = PG_ARGISNULL(0) ? InvalidTransactionId : DatumGetTransactionId(PG_GETARG_DATUM(0));
	const char *server = text_argument(fcinfo, 2);
	const char *campaign = text_argument(fcinfo, 4);

	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
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
