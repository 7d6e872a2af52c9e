/*
 * locks.h: our advisory locks.
 *
 * pg_locks shows them with the kind as objsubid.  No SQL function of
 * PostgreSQL takes locks of these kinds, so that nobody else can be in the way.
 * SQL names a kind by its word in locks.c; the numbers stand here alone.
 */
#ifndef REENGAGE_LOCKS_H
#define REENGAGE_LOCKS_H

#include "postgres.h"

#include "storage/lock.h"
#include "utils/uuid.h"

typedef enum LockKind
{
	LOCK_DISPATCHER = 3,		/* of the database; for the session */
	LOCK_NUDGE,					/* by its id */
	LOCK_CAMPAIGN,				/* by server and name; exclusive: all its nudges at once */
	LOCK_PART,					/* by server, role and campaign; exclusive: all that the role asked for */
	LOCK_THREAD,				/* by server and root */
	LOCK_CUSTOMER,				/* by the hash of the address */
	LOCK_SUPERSEDING,			/* by role, campaign and some of the threads; not the worker's concern */
	LOCK_SERVER,				/* by its name; exclusive: nothing of it is begun */
	LOCK_TIP,					/* by server and conversation; exclusive: whoever writes what follows it */
	LOCK_IMPORT,				/* by its id; while a chunk of it is done */
	LOCK_PUBLICATION,			/* there is one: two that publish come one after the other */
	LOCK_RETENTION,				/* there is one: who has it may delete what else is only inserted */
	LOCK_NEWS					/* by some of the customers and threads; while what other nodes said of them is heard */
} LockKind;

#define LOCK_KINDS (LOCK_NEWS + 1)

/*
 * Of threads and customers.  Applications do not exclude each other: two of
 * them may wait for each other's rows, but never for these locks, too.
 */
#define WORKERS_MODE ShareLock
#define APPLICATIONS_MODE RowExclusiveLock

/*
 * What is locked, as a number.  Nudges without a campaign, NULL, are one; whoever
 * locks no more of a campaign than one role asked for is in nobody else's way.
 */
extern uint64 lock_of(const char *name);
extern uint64 lock_of_key(const char *const *texts, int count);
extern uint64 lock_of_nudge(const pg_uuid_t *nudge_id);
extern uint64 lock_of_campaign(const char *server, const char *campaign);
extern uint64 lock_of_part(const char *server, const char *asker, const char *campaign);
extern uint64 lock_of_conversation(const char *server, const char *conversation_id);

/* The kind that SQL calls so; an error if there is none. */
extern LockKind lock_kind_named(const char *name);

/* How SQL takes one of this kind by its key; NoLock: it does not. */
extern LOCKMODE lock_mode_of_sql(LockKind kind);

extern LOCKTAG lock_tag(LockKind kind, uint64 number);

/* Until the end of the transaction.  False: somebody else has it, and it was not to "wait". */
extern bool lock_take(LockKind kind, uint64 number, LOCKMODE mode, bool wait);

extern void lock_release(LockKind kind, uint64 number, LOCKMODE mode);

/* Has this transaction taken it? */
extern bool lock_is_held(LockKind kind, uint64 number, LOCKMODE mode);

/* Could it be taken?  It is not, unless this transaction has it already. */
extern bool lock_is_free(LockKind kind, uint64 number, LOCKMODE mode);

#endif
