/*
 * outcomes.h: how deliveries end in the tables.
 */
#ifndef REENGAGE_OUTCOMES_H
#define REENGAGE_OUTCOMES_H

#include "dispatch/deliveries.h"

/*
 * Writes the ends of the deliveries: lineage rows for those that settle, new
 * times for those that move.  "written" says of each delivery whether that
 * succeeded, "locked_out" whether somebody else's transaction was in the way.
 *
 * A row that the database refuses is an error, which says nothing of the
 * others.  One by one, each is written in a subtransaction of its own; one that
 * is refused ends as in doubt or refused, with the SQLSTATE as its reason, and
 * "end" of its delivery is changed accordingly.
 */
extern void outcomes_write(Delivery **ending, int nending, bool one_by_one);

/* Attempts that the nudge has used up once it has ended so. */
extern int	delivery_attempts(const Delivery *delivery);

#endif
