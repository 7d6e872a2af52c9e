/*
 * standby.c: what the synchronous standby has confirmed, and whether it is away.
 */
#include "postgres.h"

#include "access/xact.h"
#include "replication/syncrep.h"
#include "replication/walsender.h"
#include "replication/walsender_private.h"
#include "storage/lwlock.h"

#include "dispatch/standby.h"

/*
 * How often to ask whether the synchronous standby has confirmed an intent:
 * nobody tells us, and a standby takes about as long.
 */
#define STANDBY_POLL_MS 2

/* Likewise, while it is away. */
#define STANDBY_WATCH_MS 100

/* The level that the intents are to reach: flushed there, or even applied. */
static int
standby_mode(void)
{
	return synchronous_commit == SYNCHRONOUS_COMMIT_REMOTE_APPLY ?
		SYNC_REP_WAIT_APPLY : SYNC_REP_WAIT_FLUSH;
}

XLogRecPtr
standby_confirmed_up_to(void)
{
	XLogRecPtr	confirmed;

	if (max_wal_senders == 0 || SyncRepStandbyNames == NULL || SyncRepStandbyNames[0] == '\0')
		return PG_UINT64_MAX;
	LWLockAcquire(SyncRepLock, LW_SHARED);
	confirmed = WalSndCtl->lsn[standby_mode()];
	LWLockRelease(SyncRepLock);
	return confirmed;
}

bool
standby_is_away(const Standby *standby)
{
	return standby->awaited != 0;
}

void
standby_missed(Standby *standby, XLogRecPtr awaited)
{
	if (!standby_is_away(standby))
		ereport(LOG, (errmsg("%s", STANDBY_IS_AWAY)));
	standby->awaited = Max(standby->awaited, awaited);
}

void
standby_watch(Standby *standby)
{
	if (!standby_is_away(standby) || standby_confirmed_up_to() < standby->awaited)
		return;
	ereport(LOG, (errmsg("the synchronous standby is back")));
	standby->awaited = 0;
}

Monotonic
standby_next_look(const Standby *standby, bool is_awaited, Monotonic now)
{
	if (is_awaited)
		return monotonic_after(now, STANDBY_POLL_MS);
	return standby_is_away(standby) ? monotonic_after(now, STANDBY_WATCH_MS) : MONOTONIC_NEVER;
}
