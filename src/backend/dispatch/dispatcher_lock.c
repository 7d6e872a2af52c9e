/*
 * dispatcher_lock.c: there is one dispatcher in a database.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"

#include "dispatch/dispatcher_lock.h"

/*
 * The advisory lock: pg_locks shows it as classid, objid and objsubid.  No
 * SQL function takes locks of kind 3, so that nobody else can take this one.
 */
#define LOCK_CLASS 0x7265656e	/* "reen" */
#define LOCK_OBJECT 1
#define LOCK_KIND 3

static bool held = false;

static LOCKTAG
dispatcher_tag(void)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, LOCK_CLASS, LOCK_OBJECT, LOCK_KIND);
	return tag;
}

bool
dispatcher_lock_take(void)
{
	LOCKTAG		tag = dispatcher_tag();

	if (!held)
		held = LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
	return held;
}

VirtualTransactionId
dispatcher_lock_holder(void)
{
	LOCKTAG		tag = dispatcher_tag();
	int			count;
	VirtualTransactionId *holders = GetLockConflicts(&tag, ExclusiveLock, &count);

	/* the list has an invalid one at its end */
	return holders[0];
}

void
dispatcher_lock_release(void)
{
	LOCKTAG		tag = dispatcher_tag();

	if (held)
		LockRelease(&tag, ExclusiveLock, true);
	held = false;
}
