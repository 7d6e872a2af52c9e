/*
 * dispatcher_lock.c: there is one dispatcher in a database.
 */
#include "postgres.h"

#include "storage/lmgr.h"
#include "storage/lock.h"

#include "dispatch/dispatcher_lock.h"
#include "dispatch/locks.h"

#define DISPATCHER UINT64CONST(0x7265656e00000001) /* "reen", 1 */

static bool held = false;

bool
dispatcher_lock_take(void)
{
	LOCKTAG		tag = lock_tag(LOCK_DISPATCHER, DISPATCHER);

	if (!held)
		held = LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
	return held;
}

VirtualTransactionId
dispatcher_lock_holder(void)
{
	LOCKTAG		tag = lock_tag(LOCK_DISPATCHER, DISPATCHER);
	int			count;
	VirtualTransactionId *holders = GetLockConflicts(&tag, ExclusiveLock, &count);

	/* the list has an invalid one at its end */
	return holders[0];
}

void
dispatcher_lock_release(void)
{
	LOCKTAG		tag = lock_tag(LOCK_DISPATCHER, DISPATCHER);

	if (held)
		LockRelease(&tag, ExclusiveLock, true);
	held = false;
}
