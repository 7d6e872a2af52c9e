/*
 * flow.h: how many answers come in, lately.
 */
#ifndef REENGAGE_FLOW_H
#define REENGAGE_FLOW_H

#include <stdint.h>

#include "monotonic.h"

/* Long enough to count by, short enough to forget what was. */
#define FLOW_WINDOW_MS 250

/*
 * A lone nudge beside many others may meet a nap.  At 20 ms and 64 in flight 20 ms
 * instead of 10 make a tick of 19 nudges out of one of 12.
 */
#define NAP_MOST_MS 20

/* All zero: nothing came in. */
typedef struct Flow
{
	int64_t		window;			/* the latest in which something came in */
	int			count;			/* in it */
	int			before;			/* in the one before it */
} Flow;

extern void flow_note(Flow *flow, Monotonic now);

/* In the last window that is over. */
extern int	flow_of_window(const Flow *flow, Monotonic now);

/*
 * How long answers may wait for each other, so that one tick takes many: half of
 * the time that the calls last which wait for a connection, as there flow so many
 * of them in a window.  Not at all while a connection is free for all.
 */
extern int	flow_nap_ms(int64_t spare, int64_t flow);

#endif
