/*
 * customers.h: one customer, one conversation at a time.
 *
 * A delivery has its customer, whom nobody else speaks to until it has landed:
 * from its departure, if the nudge names an address itself, else from its gate.
 * Others to the same customer wait, with what their look has found or parked,
 * and cost nothing meanwhile.
 */
#ifndef REENGAGE_CUSTOMERS_H
#define REENGAGE_CUSTOMERS_H

#include "dispatch/deliveries.h"

typedef enum OwnCustomer
{
	OWN_CUSTOMER_TAKEN,			/* or it is not known */
	OWN_CUSTOMER_PARKED,		/* until the one that has it has landed */
	OWN_CUSTOMER_CROWDED		/* too many wait already: this one waits in the schedule */
} OwnCustomer;

extern HTAB *customers_make_table(MemoryContext context);

/* Whom the nudge itself names is known before a look, and waited for without one. */
extern OwnCustomer deliveries_take_own_customer(Deliveries *deliveries, Delivery *delivery,
											 const LoadedNudge *nudge);

/* Passes it on to the one that waited longest. */
extern void deliveries_leave_customer(Deliveries *deliveries, Delivery *delivery);

/* The hash of the one that it has; NULL: it has none yet. */
extern const char *delivery_customer_hash(const Delivery *delivery);

#endif
