/*
 * locks.c: see locks.h.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lmgr.h"

#include "base/compat.h"
#include "dispatch/locks.h"

static uint64
hash_text(const char *text, uint64 seed)
{
	return DatumGetUInt64(hash_any_extended((const unsigned char *) text, strlen(text), seed));
}

/* What SQL calls each kind, and how it takes one by its key. */
static const struct
{
	const char *name;
	LOCKMODE	mode;
}			kinds[LOCK_KINDS] = {
	[LOCK_DISPATCHER] = {"dispatcher", NoLock},
	[LOCK_NUDGE] = {"nudge", NoLock},
	[LOCK_CAMPAIGN] = {"campaign", ExclusiveLock},
	[LOCK_PART] = {"part", NoLock},
	[LOCK_THREAD] = {"thread", APPLICATIONS_MODE},
	[LOCK_CUSTOMER] = {"customer", APPLICATIONS_MODE},
	[LOCK_SUPERSEDING] = {"superseding", ExclusiveLock},
	[LOCK_SERVER] = {"server", ExclusiveLock},
	[LOCK_TIP] = {"tip", ExclusiveLock},
	[LOCK_IMPORT] = {"import", ExclusiveLock},
	[LOCK_PUBLICATION] = {"publication", ExclusiveLock},
	[LOCK_RETENTION] = {"retention", ExclusiveLock},
	[LOCK_NEWS] = {"news", ExclusiveLock},
};

LockKind
lock_kind_named(const char *name)
{
	for (int kind = 0; kind < LOCK_KINDS; kind++)
	{
		if (kinds[kind].name != NULL && strcmp(kinds[kind].name, name) == 0)
			return kind;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there are no locks of kind \"%s\"", name)));
}

LOCKMODE
lock_mode_of_sql(LockKind kind)
{
	return kinds[kind].mode;
}

uint64
lock_of_key(const char *const *texts, int count)
{
	uint64		number = 0;

	for (int i = 0; i < count; i++)
		number = hash_text(texts[i], number);
	return number;
}

uint64
lock_of(const char *name)
{
	return lock_of_key(&name, 1);
}

uint64
lock_of_nudge(const pg_uuid_t *nudge_id)
{
	return DatumGetUInt64(hash_any_extended(nudge_id->data, UUID_LEN, 0));
}

uint64
lock_of_campaign(const char *server, const char *campaign)
{
	const char *const key[] = {server, campaign != NULL ? campaign : ""};

	return lock_of_key(key, 2);
}

uint64
lock_of_part(const char *server, const char *asker, const char *campaign)
{
	const char *const key[] = {server, campaign != NULL ? campaign : "", asker};

	return lock_of_key(key, 3);
}

uint64
lock_of_conversation(const char *server, const char *conversation_id)
{
	const char *const key[] = {server, conversation_id};

	return lock_of_key(key, 2);
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
lock_is_held(LockKind kind, uint64 number, LOCKMODE mode)
{
	LOCKTAG		tag = lock_tag(kind, number);

	return lock_held_by_me(&tag, mode);
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
