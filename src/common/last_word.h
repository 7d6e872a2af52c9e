/*
 * last_word.h: how old may be what allows a message, when it leaves (P16).
 *
 * Opt-outs, cancellations, pauses, answers and policies are asked under locks
 * right before an intent is recorded.  Whoever commits one of them later had to
 * wait for that tick, so what was asked is as old as the time since then.  The
 * POST carries the time by which it has to leave, on the clock that worker and
 * courier share; the courier looks at it when the connection is there and
 * nothing of the request has been sent.  What comes too late goes back without
 * a trace, and is asked about again.
 */
#ifndef REENGAGE_LAST_WORD_H
#define REENGAGE_LAST_WORD_H

/* After so long no POST leaves any more: pause() waits for it. */
#define LAST_WORD_MS 1000

/* So long it has to leave; the rest is for a courier that stands still between look and leap. */
#define LEAVE_WITHIN_MS 900

/* A look is good for five seconds, the last of which belong to its POST. */
#define LOOK_MS 5000
#define LOOK_IS_YOUNG_MS (LOOK_MS - LAST_WORD_MS)

/* After a connection that took too long: the look that comes first opens another.  It doubles. */
#define CONNECT_MS 1000
#define CONNECT_DOUBLINGS 5

#endif
