/*
 * flow.h: how many answers come in, lately.
 */
#ifndef REENGAGE_FLOW_H
#define REENGAGE_FLOW_H

#include <stdint.h>

#include "monotonic.h"

/* Long enough to count by, short enough to forget what was. */
#define FLOW_WINDOW_MS 250

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

#endif
