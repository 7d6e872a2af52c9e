/*
 * clocks.h: the two clocks.
 *
 * The monotonic one measures: how long a pause lasts, since when an answer is
 * owed.  The wall clock says when something is due by the calendar, and stands
 * in tables and views.  It may be set at any time, so of what it says, nothing
 * is remembered but what is in a table.
 */
#ifndef REENGAGE_CLOCKS_H
#define REENGAGE_CLOCKS_H

#include "datatype/timestamp.h"

#include "monotonic.h"

/* The same moment by both; all zero: it is not known. */
typedef struct Clocks
{
	Monotonic	now;
	TimestampTz wall;
} Clocks;

extern Clocks clocks_read(void);

extern Monotonic monotonic_now(void);

/*
 * When to look at the wall clock again for this time to have come; never for
 * DT_NOEND.  It may be set meanwhile, which nobody tells us, so in five seconds at
 * the latest.
 */
extern Monotonic clocks_look_again(const Clocks *clocks, TimestampTz due_at);

/* How far the wall clock was set back between these readings, in microseconds; 0: it was not. */
extern int64 clocks_set_back(const Clocks *before, const Clocks *after);

/* How far it was set forward: beside it, the machine may have slept. */
extern int64 clocks_set_forward(const Clocks *before, const Clocks *after);

/*
 * The next midnight in UTC, and the milliseconds until then, of which an hour is
 * the most.  0: it has come, or the clock was set back so that it is another.
 */
extern TimestampTz clocks_midnight_after(TimestampTz time);
extern long clocks_ms_until_midnight(const Clocks *clocks, TimestampTz midnight);

/* What the wall clock shows then, if it is not set. */
extern TimestampTz clocks_show(const Clocks *clocks, Monotonic when);

#endif
