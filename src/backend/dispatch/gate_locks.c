/*
 * gate_locks.c: advisory locks, until the end of the transaction or less.
 *
 * pg_locks shows them with the kind as objsubid.  No SQL function of
 * PostgreSQL takes locks of these kinds, so that nobody else can be in the way.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

#include "dispatch/dispatcher_lock.h"
#include "dispatch/gate_locks.h"

/* 3 is the dispatcher's. */
typedef enum Kind
{
	KIND_NUDGE = 4,				/* by its id */
	KIND_CAMPAIGN,				/* by server and name; exclusive: all its nudges at once */
	KIND_PART,					/* by server, role and campaign; exclusive: all that the role asked for */
	KIND_THREAD,				/* by server and root */
	KIND_CUSTOMER,				/* by the hash of the address */
	KIND_SUPERSEDING,			/* by role, campaign and some of the threads; not the worker's concern */
	KIND_SERVER					/* by its name; exclusive: nothing of it is begun */
} Kind;

/*
 * Of threads and customers.  Applications do not exclude each other: two of
 * them may wait for each other's rows, but never for these locks, too.
 */
#define WORKERS_MODE ShareLock
#define APPLICATIONS_MODE RowExclusiveLock

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

static uint64
hash_text(const char *text, uint64 seed)
{
	return DatumGetUInt64(hash_any_extended((const unsigned char *) text, strlen(text), seed));
}

static LOCKTAG
tag_of(Kind kind, uint64 hash)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (hash >> 32), (uint32) hash, kind);
	return tag;
}

static bool
lock(Kind kind, uint64 hash, LOCKMODE mode, bool wait)
{
	LOCKTAG		tag = tag_of(kind, hash);

	return LockAcquire(&tag, mode, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
}

static void
unlock(Kind kind, uint64 hash, LOCKMODE mode)
{
	LOCKTAG		tag = tag_of(kind, hash);

	LockRelease(&tag, mode, false);
}

static uint64
nudge_hash(const pg_uuid_t *nudge_id)
{
	return DatumGetUInt64(hash_any_extended(nudge_id->data, UUID_LEN, 0));
}

static uint64
server_hash(const char *server, const char *name)
{
	return hash_text(name, hash_text(server, 0));
}

/* Those without a campaign are one. */
static uint64
campaign_hash(const char *server, const char *campaign)
{
	return server_hash(server, campaign != NULL ? campaign : "");
}

/* What one role asked for of a campaign: who may lock no more than that is in nobody else's way. */
static uint64
part_hash(const char *server, const char *asker, const char *campaign)
{
	return hash_text(asker, campaign_hash(server, campaign));
}

static bool
is_free(Kind kind, uint64 hash, LOCKMODE mode)
{
	if (!lock(kind, hash, mode, false))
		return false;
	/* one that the tick has taken before stays taken */
	unlock(kind, hash, mode);
	return true;
}

bool
gate_locks_are_free(const Server *server, const LoadedNudge *nudge, OpenRows *open)
{
	return is_free(KIND_CAMPAIGN, campaign_hash(server->name, nudge->campaign), ShareLock) &&
		is_free(KIND_PART, part_hash(server->name, nudge->asker, nudge->campaign), ShareLock) &&
		is_free(KIND_NUDGE, nudge_hash(&nudge->nudge_id), ExclusiveLock) &&
		!open_rows_of_thread(open, nudge->root) &&
		(nudge->own_address_hash == NULL || !open_rows_of_customer(open, nudge->own_address_hash));
}

bool
gate_locks_try_end(const Delivery *delivery)
{
	const char *server = delivery->server->name;
	const char *campaign = delivery->nudge.campaign;

	return lock(KIND_CAMPAIGN, campaign_hash(server, campaign), ShareLock, false) &&
		lock(KIND_PART, part_hash(server, delivery->asker, campaign), ShareLock, false) &&
		lock(KIND_NUDGE, nudge_hash(&delivery->nudge_id), ExclusiveLock, false);
}

/* Once it is locked, nobody begins to record anything of it; somebody may have done so before. */
static bool
try_thread(const Delivery *delivery, OpenRows *open)
{
	const char *root = delivery->nudge.root;

	return lock(KIND_THREAD, server_hash(delivery->server->name, root), WORKERS_MODE, false) &&
		!open_rows_of_thread(open, root);
}

static bool
try_customer(const char *customer, OpenRows *open)
{
	return customer == NULL ||
		(lock(KIND_CUSTOMER, hash_text(customer, 0), WORKERS_MODE, false) &&
		 !open_rows_of_customer(open, customer));
}

bool
gate_locks_try_post(const Delivery *delivery, OpenRows *open)
{
	return gate_locks_try_end(delivery) && try_thread(delivery, open) &&
		try_customer(delivery->post.address_hash, open) && try_customer(delivery->own_address_hash, open);
}

bool
gate_locks_try_server(const char *server)
{
	return lock(KIND_SERVER, hash_text(server, 0), ShareLock, false);
}

bool
gate_locks_try_opt_out(const Delivery *delivery, OpenRows *open)
{
	if (delivery->post.address_hash != NULL)
		return try_customer(delivery->post.address_hash, open);
	return try_thread(delivery, open);
}

/* --- the other side, for SQL ---------------------------------------------- */

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
	lock(KIND_NUDGE, nudge_hash(PG_GETARG_UUID_P(0)), ExclusiveLock, true);
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
	lock(KIND_CAMPAIGN, campaign_hash(text_argument(fcinfo, 0), text_argument(fcinfo, 1)), ExclusiveLock, true);
	PG_RETURN_VOID();
}

/* lock_part(server, requested_by, campaign, shared) */
Datum
reengage_lock_part(PG_FUNCTION_ARGS)
{
	const char *server = text_argument(fcinfo, 0);
	const char *campaign = text_argument(fcinfo, 2);

	lock(KIND_CAMPAIGN, campaign_hash(server, campaign), ShareLock, true);
	lock(KIND_PART, part_hash(server, text_argument(fcinfo, 1), campaign),
		 PG_GETARG_BOOL(3) ? ShareLock : ExclusiveLock, true);
	PG_RETURN_VOID();
}

static uint64
thread_argument(FunctionCallInfo fcinfo)
{
	return server_hash(text_argument(fcinfo, 0), text_argument(fcinfo, 1));
}

static uint64
customer_argument(FunctionCallInfo fcinfo)
{
	return hash_text(text_to_cstring(PG_GETARG_TEXT_PP(0)), 0);
}

Datum
reengage_lock_thread(PG_FUNCTION_ARGS)
{
	lock(KIND_THREAD, thread_argument(fcinfo), APPLICATIONS_MODE, true);
	PG_RETURN_VOID();
}

Datum
reengage_unlock_thread(PG_FUNCTION_ARGS)
{
	unlock(KIND_THREAD, thread_argument(fcinfo), APPLICATIONS_MODE);
	PG_RETURN_VOID();
}

Datum
reengage_lock_customer(PG_FUNCTION_ARGS)
{
	lock(KIND_CUSTOMER, customer_argument(fcinfo), APPLICATIONS_MODE, true);
	PG_RETURN_VOID();
}

Datum
reengage_unlock_customer(PG_FUNCTION_ARGS)
{
	unlock(KIND_CUSTOMER, customer_argument(fcinfo), APPLICATIONS_MODE);
	PG_RETURN_VOID();
}

Datum
reengage_lock_server(PG_FUNCTION_ARGS)
{
	lock(KIND_SERVER, hash_text(text_to_cstring(PG_GETARG_TEXT_PP(0)), 0), ExclusiveLock, true);
	PG_RETURN_VOID();
}

/* lock_superseding(server, requested_by, campaign, stripe) */
Datum
reengage_lock_superseding(PG_FUNCTION_ARGS)
{
	uint64		part = part_hash(text_argument(fcinfo, 0), text_argument(fcinfo, 1), text_argument(fcinfo, 2));

	lock(KIND_SUPERSEDING, part + PG_GETARG_INT32(3), ExclusiveLock, true);
	PG_RETURN_VOID();
}

/* --- who is in the way ------------------------------------------------------ */

/* Another transaction than the dispatcher's, which has its locks for a moment only. */
static bool
is_held(Kind kind, uint64 hash, LOCKMODE mode)
{
	LOCKTAG		tag = tag_of(kind, hash);
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

	if (is_held(KIND_NUDGE, nudge_hash(PG_GETARG_UUID_P(1)), ExclusiveLock) ||
		is_held(KIND_CAMPAIGN, campaign_hash(server, campaign), ShareLock) ||
		is_held(KIND_PART, part_hash(server, text_argument(fcinfo, 3), campaign), ShareLock))
		PG_RETURN_TEXT_P(cstring_to_text("a cancellation that has not been committed"));
	if (is_being_recorded(fcinfo, 5, 6))
		PG_RETURN_TEXT_P(cstring_to_text("an opt-out or an answer that has not been committed"));
	if (TransactionIdIsNormal(locker) && TransactionIdIsInProgress(locker))
		PG_RETURN_TEXT_P(cstring_to_text("a change of the schedule that has not been committed"));
	PG_RETURN_NULL();
}
