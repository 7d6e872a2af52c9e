/*
 * watch.h: how long somebody has been listened for who has not answered.
 *
 * It is counted by looks, some each second, however often there is a turn.  A
 * process that was stopped, with whom it listens for perhaps, heard nothing because
 * it could not listen: that time is not counted.
 */
#ifndef REENGAGE_WATCH_H
#define REENGAGE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "monotonic.h"

/* How often to look, at least and at most. */
#define WATCH_MS 1000
#define SHORTEST_WATCH_MS 100

/* Whoever looks later than that was stopped. */
#define LONGEST_WATCH_MS (2 * WATCH_MS)

/* All zero: nobody has looked yet. */
typedef struct Watch
{
	Monotonic	looked_at;
	int64_t		ms;				/* that were counted, in all */
} Watch;

/* Whether it is time to look; then what has passed since the look before is counted. */
extern bool watch_look(Watch *watch, Monotonic now);

/* What will have been counted when "ms" from now have passed for sure. */
extern int64_t watch_deadline(const Watch *watch, int64_t ms);

extern bool watch_is_over(const Watch *watch, int64_t deadline);

#endif
