/*
 * monotonic.h: times of the clock that nobody sets.
 *
 * Pauses and watches are measured by it: the wall clock may be set, forward or
 * back, while they last.  The type is its own, so that the compiler refuses to
 * mix its times with those of days and hours.  How the clock is read is another
 * matter: see backend/base/clocks.h.
 */
#ifndef REENGAGE_MONOTONIC_H
#define REENGAGE_MONOTONIC_H

#include <stdbool.h>
#include <stdint.h>

/* All zero: before anything happened. */
typedef struct Monotonic
{
	int64_t		us;				/* since a moment of no meaning */
} Monotonic;

#define MONOTONIC_NEVER ((Monotonic) {INT64_MAX})

/* "ms" after "time", which may be negative; never stays never. */
extern Monotonic monotonic_after(Monotonic time, int64_t ms);

extern bool monotonic_is_reached(Monotonic time, Monotonic now);

/* How long from "now" until "time", in whole milliseconds that are enough; 0: it is reached. */
extern int64_t monotonic_ms_until(Monotonic time, Monotonic now);

extern Monotonic monotonic_earlier(Monotonic one, Monotonic other);
extern Monotonic monotonic_later(Monotonic one, Monotonic other);

#endif
