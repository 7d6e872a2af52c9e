/*
 * claims.h: taking what is due.
 */
#ifndef REENGAGE_CLAIMS_H
#define REENGAGE_CLAIMS_H

#include "dispatch/courier_pipe.h"
#include "dispatch/deliveries.h"
#include "dispatch/policies.h"

/*
 * Puts under way as many due nudges of each server as it has room for, and at
 * most "most" in all.  Writes nothing: a claim lives in memory, as there is
 * one engine in a database.  Returns the number, without those that policies
 * end or put back at once.
 */
extern int	claims_take(Deliveries *deliveries, const Policies *policies, dlist_head *servers, CourierPipe *courier,
						const Clocks *clocks, int most);

#endif
