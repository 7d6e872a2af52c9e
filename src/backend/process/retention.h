/*
 * retention.h: the worker lets go of what is older than reengage.retention, beside
 * its engine.
 *
 * When it starts, once after each midnight in UTC, and when a day has been closed,
 * it goes through what may go, the oldest first, in small parts, a transaction each.
 */
#ifndef REENGAGE_RETENTION_H
#define REENGAGE_RETENTION_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "base/clocks.h"
#include "dispatch/engine.h"
#include "process/manifest.h"

typedef struct Retention
{
	int			minutes;		/* the setting that is followed; 0: everything stays */
	TimestampTz next_midnight;	/* before it there is nothing to do */
	TimestampTz completed_at;	/* all that might go went, or it was first wanted; 0: it is not */
	Monotonic	not_before;		/* of the next part */
	Monotonic	distrusts_until;	/* the clock: nothing goes before */
	bool		has_asked;		/* whether what was recorded fits the clock */
	Clocks		followed;		/* as of the last turn */
	TimestampTz since;			/* what was recorded before this was looked at */
	bool		at_rest;		/* nudges and lineage are done; what is beside them is not */
	bool		day_is_counted; /* the manifest is at it */
	bool		waits;			/* for somebody who prunes or erases */
	bool		failed;			/* which was said */
} Retention;

extern void retention_init(Retention *retention);

/*
 * Does a part of what is to be done, if it is time.  Returns the milliseconds
 * until the next turn, of the others ("timeout") or of this; -1: any.
 */
extern long retention_turn(Retention *retention, const Manifest *manifest, EngineState state, long timeout);

/* Until when nothing goes, as the clock may be wrong; 0: it is believed. */
extern TimestampTz retention_waits_until(const Retention *retention);

#endif
