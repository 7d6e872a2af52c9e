/*
 * delivery_state.c: see delivery_state.h.
 */
#include "delivery_state.h"

#define OR(state) (1 << DELIVERY_##state)

/* What may follow what. */
static const struct
{
	const char *name;
	int			next;
}			states[] = {
	[DELIVERY_NEW] = {"new", OR(READY) | OR(POST_WANTED)},
	[DELIVERY_PARKED] = {"parked", OR(READY)},
	[DELIVERY_READY] = {"ready", OR(PARKED) | OR(CHECK_WANTED) | OR(POST_WANTED)},
	[DELIVERY_CHECK_WANTED] = {"check wanted", OR(CHECKING) | OR(ENDING)},
	[DELIVERY_CHECKING] = {"checking", OR(CHECK_WANTED) | OR(POST_WANTED) | OR(ENDING)},
	[DELIVERY_POST_WANTED] = {"post wanted", OR(INTENDED) | OR(CHECK_WANTED) | OR(WAITING_CUSTOMER) |
	OR(WAITING_SERVER) | OR(PARKED) | OR(ENDING)},
	[DELIVERY_WAITING_CUSTOMER] = {"waiting for the customer", OR(POST_WANTED)},
	[DELIVERY_WAITING_SERVER] = {"waiting for the server", OR(POST_WANTED)},
	[DELIVERY_INTENDED] = {"intended", OR(POSTING) | OR(ENDING)},
	[DELIVERY_POSTING] = {"posting", OR(POST_WANTED) | OR(ENDING)},
	[DELIVERY_ENDING] = {"ending", OR(WAITING_LOCK) | OR(STORE_FAILED)},
	[DELIVERY_WAITING_LOCK] = {"waiting for a lock", OR(ENDING)},
	[DELIVERY_STORE_FAILED] = {"not stored", OR(ENDING)},
};

_Static_assert(sizeof(states) / sizeof(states[0]) == DELIVERY_STATE_COUNT, "each state has a row");

const char *
delivery_state_name(DeliveryState state)
{
	return states[state].name;
}

bool
delivery_state_may_follow(DeliveryState from, DeliveryState to)
{
	return (states[from].next & (1 << to)) != 0;
}

bool
delivery_state_is_under_way(DeliveryState state)
{
	return state >= DELIVERY_CHECK_WANTED;
}

bool
delivery_state_may_be_last(DeliveryState state)
{
	return state == DELIVERY_READY || state == DELIVERY_ENDING;
}
