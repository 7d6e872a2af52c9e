/*
 * gates.h: what a POST has to pass in the transaction that records its intent.
 */
#ifndef REENGAGE_GATES_H
#define REENGAGE_GATES_H

#include "dispatch/deliveries.h"
#include "dispatch/policies.h"
#include "verdict.h"

/* Finds out whom the POSTs of these deliveries speak to. */
extern void gates_name_customers(Deliveries *in_hand, Delivery **deliveries, int count);

/*
 * Asks all gates for deliveries that want to post; "rows" are their intents.  What
 * the answers rest on holds until the transaction ends.
 */
extern void gates_ask(const Policies *policies, Deliveries *in_hand, Delivery **deliveries,
					  const IntentRow *rows, int count, Monotonic now, Verdict *verdicts);

#endif
