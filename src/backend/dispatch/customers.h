/*
 * customers.h: one customer, one conversation at a time.
 *
 * A delivery has its customer, whom nobody else speaks to until it is let go of:
 * from its start, if the nudge names an address itself, else from its gate.
 * Others to the same customer wait, with what their look has found or parked,
 * and cost nothing meanwhile.
 */
#ifndef REENGAGE_CUSTOMERS_H
#define REENGAGE_CUSTOMERS_H

#include "dispatch/queue.h"

extern HTAB *customers_make_table(MemoryContext context);

/* Whom the nudge itself names is known before a look, and waited for without one. */
extern Entry customers_take_own(Deliveries *deliveries, Delivery *delivery, const LoadedNudge *nudge);

/* Nobody else speaks to the customer of the delivery's POST. */
extern bool customers_are_free(const Deliveries *deliveries, const Delivery *delivery);

/* Takes that customer, who is free: nobody else speaks to it until this one is let go of. */
extern void customers_take(Deliveries *deliveries, Delivery *delivery);

/*
 * Waits for whoever has it: with what its look has found, or, if too many do,
 * parked, which costs nothing but another look later.  False: it can do neither.
 */
extern bool customers_wait(Deliveries *deliveries, Delivery *delivery);

/* The hash of the address that the delivery's POST is for; NULL: it is not known. */
extern void customers_name(Deliveries *deliveries, Delivery *delivery, const char *address_hash);

/* Passes it on to the one that waited longest. */
extern void customers_leave(Deliveries *deliveries, Delivery *delivery);

/* The hash of the one that it has; NULL: it has none yet. */
extern const char *customer_address_hash(const Delivery *delivery);

#endif
