/*
 * standby.h: what the synchronous standby has confirmed, and whether it is away.
 */
#ifndef REENGAGE_STANDBY_H
#define REENGAGE_STANDBY_H

#include "access/xlogdefs.h"

#include "monotonic.h"

/* All zero: it confirms, as far as anybody knows. */
typedef struct Standby
{
	XLogRecPtr	awaited;		/* that it did not confirm in time; 0: it does */
} Standby;

#define STANDBY_IS_AWAY "the synchronous standby does not confirm what is to be sent; nothing is, until it does"

/*
 * How far the WAL is safe (P3): commits that end here or before are confirmed
 * by the synchronous standby, or none is configured.
 */
extern XLogRecPtr standby_confirmed_up_to(void);

/*
 * It did not confirm up to there while that was good for something: it is away,
 * and until it is back, intents are written, and looks made, in vain.
 */
extern void standby_missed(Standby *standby, XLogRecPtr awaited);

/* Is it back? */
extern void standby_watch(Standby *standby);

extern bool standby_is_away(const Standby *standby);

/* When to ask again, if a POST waits for it or it is away; MONOTONIC_NEVER: there is no need. */
extern Monotonic standby_next_look(const Standby *standby, bool is_awaited, Monotonic now);

#endif
