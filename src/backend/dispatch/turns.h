/*
 * turns.h: which POSTs may go on while their server is left alone.
 *
 * What a look has found is worth a call, so a nudge that wants to post waits
 * here for a short while.  Then it is the one that tries the server again, and
 * the others wait until that has succeeded.  If it takes longer, they go back
 * into the schedule.
 */
#ifndef REENGAGE_TURNS_H
#define REENGAGE_TURNS_H

#include "dispatch/deliveries.h"

/* Sorts those that want a POST or wait for their server: who may go on, and who waits.  "closing": nobody waits any more. */
extern void turns_sort(Deliveries *deliveries, Monotonic now, bool closing);

/* When they are to be sorted again, if nothing happens; MONOTONIC_NEVER: there is no need. */
extern Monotonic turns_next(const Deliveries *deliveries, Monotonic now);

/*
 * Nothing is begun: what waits to be goes back into the schedule, least of all
 * leaving an intent behind, which would put in doubt what was never sent.
 */
extern void turns_give_up(Deliveries *deliveries, Hold hold);

#endif
