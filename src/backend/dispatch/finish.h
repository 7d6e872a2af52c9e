/*
 * finish.h: after the commit, what becomes of nudges whose end was to be written.
 */
#ifndef REENGAGE_FINISH_H
#define REENGAGE_FINISH_H

#include "dispatch/deliveries.h"
#include "dispatch/totals.h"

/*
 * Lets go of it, where its end is in the tables or it has none that is worth
 * keeping; sets it aside otherwise.  False: somebody else's transaction keeps
 * its outcome from being written, which is to be tried again.
 */
extern bool finish_after_commit(Deliveries *deliveries, Delivery *delivery, Totals *totals);

#endif
