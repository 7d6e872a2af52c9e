/*
 * clock.h: the two clocks.
 *
 * What is told to the worker is wall time; what is waited for is measured on
 * the monotonic clock, which nobody sets.
 */
#ifndef COURIER_CLOCK_H
#define COURIER_CLOCK_H

#include <stdint.h>

/* Microseconds since 1970. */
extern int64_t clock_wall_us(void);

/* Milliseconds since some fixed point. */
extern int64_t clock_monotonic_ms(void);

#endif
