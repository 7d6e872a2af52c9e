/*
 * pace.h: how many are started a minute.
 *
 * What was started is counted by the second, so that its size does not depend on
 * how many there may be.  No minute, wherever it begins, has more than the limit;
 * a place is free again a minute after it was taken, and a second at the most.
 */
#ifndef REENGAGE_PACE_H
#define REENGAGE_PACE_H

#include "monotonic.h"

/* A minute that begins within a second ends within another one. */
#define PACE_SECONDS 61

/* All zero: nothing was started. */
typedef struct Pace
{
	int64_t		second;			/* the latest that was counted */
	int			count;			/* of the seconds up to it: */
	int			started[PACE_SECONDS];
} Pace;

/* How many more may be started now. */
extern int	pace_room(Pace *pace, int per_minute, Monotonic now);

extern void pace_count(Pace *pace, Monotonic now);

/* What was counted then was not started after all. */
extern void pace_take_back(Pace *pace, Monotonic counted_at);

/* When there is room again, if nothing is started; for a limit of 1 or more. */
extern Monotonic pace_opens_at(const Pace *pace, int per_minute);

#endif
