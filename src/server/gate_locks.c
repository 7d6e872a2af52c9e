/*
 * gate_locks.c: advisory locks until the end of the transaction.
 *
 * pg_locks shows them with the kind as objsubid.  No SQL function of
 * PostgreSQL takes locks of these kinds, so that nobody else can be in the way.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

#include "compat.h"
#include "gate_locks.h"

/* 3 is the dispatcher's. */
typedef enum Kind
{
	KIND_NUDGE = 4,				/* by its id */
	KIND_CAMPAIGN,				/* by server and name; exclusive: all its nudges at once */
	KIND_THREAD,				/* by server and root */
	KIND_CUSTOMER,				/* by the hash of the address */
	KIND_SUPERSEDING,			/* by campaign and a part of the threads; not the worker's concern */
	KIND_EVERYBODY				/* exclusive: all threads and customers at once */
} Kind;

/* The lock table is not made for thousands: who locks more locks everybody. */
#define SINGLE_LOCKS_MAX 100

PG_FUNCTION_INFO_V1(reengage_lock_nudge);
PG_FUNCTION_INFO_V1(reengage_lock_campaign);
PG_FUNCTION_INFO_V1(reengage_lock_thread);
PG_FUNCTION_INFO_V1(reengage_lock_customer);
PG_FUNCTION_INFO_V1(reengage_lock_superseding);

static uint64
hash_text(const char *text, uint64 seed)
{
	return DatumGetUInt64(hash_any_extended((const unsigned char *) text, strlen(text), seed));
}

static bool
lock(Kind kind, uint64 hash, LOCKMODE mode, bool wait)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (hash >> 32), (uint32) hash, kind);
	return LockAcquire(&tag, mode, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
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

bool
gate_locks_try_end(const Flight *flight)
{
	/* those without a campaign are one */
	const char *campaign = flight->nudge.campaign ? flight->nudge.campaign : "";

	return lock(KIND_CAMPAIGN, server_hash(flight->server->name, campaign), ShareLock, false) &&
		lock(KIND_NUDGE, nudge_hash(&flight->nudge_id), ExclusiveLock, false);
}

bool
gate_locks_try_post(const Flight *flight)
{
	const char *customer = flight->post.customer;
	const char *own = flight->own_customer;

	return gate_locks_try_end(flight) && lock(KIND_EVERYBODY, 0, ShareLock, false) &&
		lock(KIND_THREAD, server_hash(flight->server->name, flight->nudge.root), ExclusiveLock, false) &&
		(customer == NULL || lock(KIND_CUSTOMER, hash_text(customer, 0), ExclusiveLock, false)) &&
		(own == NULL || lock(KIND_CUSTOMER, hash_text(own, 0), ExclusiveLock, false));
}

bool
gate_locks_try_opt_out(const Flight *flight)
{
	const char *customer = flight->post.customer;

	if (customer != NULL)
		return lock(KIND_CUSTOMER, hash_text(customer, 0), ExclusiveLock, false);
	return lock(KIND_THREAD, server_hash(flight->server->name, flight->nudge.root), ExclusiveLock, false);
}

/* --- the other side, for SQL ---------------------------------------------- */

Datum
reengage_lock_nudge(PG_FUNCTION_ARGS)
{
	lock(KIND_NUDGE, nudge_hash(PG_GETARG_UUID_P(0)), ExclusiveLock, true);
	PG_RETURN_VOID();
}

/* lock_campaign(server, campaign, shared) */
Datum
reengage_lock_campaign(PG_FUNCTION_ARGS)
{
	lock(KIND_CAMPAIGN,
		 server_hash(text_to_cstring(PG_GETARG_TEXT_PP(0)), text_to_cstring(PG_GETARG_TEXT_PP(1))),
		 PG_GETARG_BOOL(2) ? ShareLock : ExclusiveLock, true);
	PG_RETURN_VOID();
}

/* What is released by a subtransaction that fails is counted all the same. */
static void
lock_one_of_many(Kind kind, uint64 hash)
{
	static LocalTransactionId counted_in = InvalidLocalTransactionId;
	static int	count = 0;

	if (counted_in != my_transaction())
		count = 0;
	counted_in = my_transaction();
	if (count++ < SINGLE_LOCKS_MAX)
		lock(kind, hash, ExclusiveLock, true);
	else
		lock(KIND_EVERYBODY, 0, ExclusiveLock, true);
}

Datum
reengage_lock_thread(PG_FUNCTION_ARGS)
{
	lock_one_of_many(KIND_THREAD, server_hash(text_to_cstring(PG_GETARG_TEXT_PP(0)),
											  text_to_cstring(PG_GETARG_TEXT_PP(1))));
	PG_RETURN_VOID();
}

Datum
reengage_lock_customer(PG_FUNCTION_ARGS)
{
	lock_one_of_many(KIND_CUSTOMER, hash_text(text_to_cstring(PG_GETARG_TEXT_PP(0)), 0));
	PG_RETURN_VOID();
}

/* lock_superseding(server, campaign, stripe) */
Datum
reengage_lock_superseding(PG_FUNCTION_ARGS)
{
	uint64		campaign = server_hash(text_to_cstring(PG_GETARG_TEXT_PP(0)), text_to_cstring(PG_GETARG_TEXT_PP(1)));

	lock(KIND_SUPERSEDING, campaign + PG_GETARG_INT32(2), ExclusiveLock, true);
	PG_RETURN_VOID();
}
