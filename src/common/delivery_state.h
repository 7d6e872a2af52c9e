/*
 * delivery_state.h: the states of a nudge in hand, and which may follow which.
 *
 * backend/dispatch/README.md has them as a picture.
 */
#ifndef REENGAGE_DELIVERY_STATE_H
#define REENGAGE_DELIVERY_STATE_H

#include <stdbool.h>

typedef enum DeliveryState
{
	DELIVERY_NEW,				/* in no list: it was just taken in hand */
	DELIVERY_PARKED,			/* in a queue of its thread or customer; only its row of the schedule is known */
	DELIVERY_READY,				/* it may be loaded */

	/* from here on it is under way: loaded, and with a place in flight */
	DELIVERY_CHECK_WANTED,
	DELIVERY_CHECKING,			/* the courier has the check */
	DELIVERY_POST_WANTED,		/* the next tick asks the gates, and records an intent */
	DELIVERY_WAITING_CUSTOMER,	/* likewise, once another one has stopped speaking to the customer */
	DELIVERY_WAITING_SERVER,	/* likewise, once the server may be called again */
	DELIVERY_INTENDED,			/* its intent is recorded */
	DELIVERY_POSTING,			/* the courier has the POST */
	DELIVERY_ENDING,			/* the next tick writes how it ends */
	DELIVERY_WAITING_LOCK,		/* likewise, once somebody's transaction has ended */
	DELIVERY_STORE_FAILED		/* the database refuses to store how it ended */
} DeliveryState;

#define DELIVERY_STATE_COUNT (DELIVERY_STORE_FAILED + 1)

/* In words, for those who follow a nudge. */
extern const char *delivery_state_name(DeliveryState state);

extern bool delivery_state_may_follow(DeliveryState from, DeliveryState to);

/* It is loaded: its text is in memory, and it has, or had, a place in flight. */
extern bool delivery_state_is_under_way(DeliveryState state);

/* It may be let go of. */
extern bool delivery_state_may_be_last(DeliveryState state);

#endif
