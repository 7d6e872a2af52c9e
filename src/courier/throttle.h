/*
 * throttle.h: how often a server may be called.
 *
 * Two rules at once: a bucket of tokens spreads the requests evenly, with a
 * burst of two seconds' worth after a rest, and no minute, wherever it begins,
 * has more than the limit.  Time is passed in, in milliseconds of any one clock.
 */
#ifndef COURIER_THROTTLE_H
#define COURIER_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Throttle
{
	int			per_minute;		/* 0: no limit */
	double		next_token_ms;	/* when all tokens that were taken have come */
	int64_t    *sent_at_ms;		/* of the last per_minute requests, a ring */
	int			next;			/* in the ring, which then holds the oldest */
	int64_t		held_until_ms;	/* the API said so */
} Throttle;

/* Changes the limit; what was sent before still counts.  Begins without a burst. */
extern void throttle_set(Throttle *throttle, int per_minute, int64_t now_ms);

/* How long until a request may go out; 0: now. */
extern int64_t throttle_wait_ms(const Throttle *throttle, int64_t now_ms);

/* One goes out. */
extern void throttle_count(Throttle *throttle, int64_t now_ms);

/* None before that time; an earlier hold stays if it is longer. */
extern void throttle_hold(Throttle *throttle, int64_t until_ms);

#endif
