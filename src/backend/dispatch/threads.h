/*
 * threads.h: of one thread, one nudge is under way at a time (P7).
 */
#ifndef REENGAGE_THREADS_H
#define REENGAGE_THREADS_H

#include "dispatch/queue.h"

extern HTAB *threads_make_table(MemoryContext context);

/*
 * Takes the thread with this tip for the delivery, or parks it behind the one
 * that has it.  A delivery that was parked has the thread of the tip that it
 * waited for, which may have a successor now: then all that waited there follow
 * it.
 */
extern Entry threads_take(Deliveries *deliveries, Delivery *delivery, const char *tip);

/*
 * Likewise for a delivery that is under way already, as another engine has begun
 * it: where the API has led two threads together, another one may have it.
 */
extern void threads_take_if_free(Deliveries *deliveries, Delivery *delivery, const char *tip);

/* Passes the thread on to the one that waited longest. */
extern void threads_leave(Deliveries *deliveries, Delivery *delivery);

#endif
