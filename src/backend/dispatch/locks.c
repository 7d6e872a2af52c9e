/*
 * locks.c: see locks.h.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lmgr.h"

#include "dispatch/locks.h"

static uint64
hash_text(const char *text, uint64 seed)
{
	return DatumGetUInt64(hash_any_extended((const unsigned char *) text, strlen(text), seed));
}

uint64
lock_of(const char *name)
{
	return hash_text(name, 0);
}

uint64
lock_of_nudge(const pg_uuid_t *nudge_id)
{
	return DatumGetUInt64(hash_any_extended(nudge_id->data, UUID_LEN, 0));
}

uint64
lock_of_campaign(const char *server, const char *campaign)
{
	return hash_text(campaign != NULL ? campaign : "", hash_text(server, 0));
}

uint64
lock_of_part(const char *server, const char *asker, const char *campaign)
{
	return hash_text(asker, lock_of_campaign(server, campaign));
}

uint64
lock_of_thread(const char *server, const char *root)
{
	return hash_text(root, hash_text(server, 0));
}

LOCKTAG
lock_tag(LockKind kind, uint64 number)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (number >> 32), (uint32) number, kind);
	return tag;
}

bool
lock_take(LockKind kind, uint64 number, LOCKMODE mode, bool wait)
{
	LOCKTAG		tag = lock_tag(kind, number);

	return LockAcquire(&tag, mode, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
}

void
lock_release(LockKind kind, uint64 number, LOCKMODE mode)
{
	LOCKTAG		tag = lock_tag(kind, number);

	LockRelease(&tag, mode, false);
}

bool
lock_is_free(LockKind kind, uint64 number, LOCKMODE mode)
{
	if (!lock_take(kind, number, mode, false))
		return false;
	/* one that was taken before stays taken */
	lock_release(kind, number, mode);
	return true;
}
