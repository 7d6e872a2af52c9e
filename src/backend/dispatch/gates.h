/*
 * gates.h: what a POST has to pass in the transaction that records its intent.
 */
#ifndef REENGAGE_GATES_H
#define REENGAGE_GATES_H

#include "dispatch/flights.h"

typedef enum Gate
{
	GATE_SHUT,					/* not now: back into the schedule as it was */
	GATE_OPEN,
	GATE_HELD,					/* until a time, for a reason */
	GATE_BUSY,					/* another nudge speaks to the customer */
	GATE_ELSEWHERE,				/* first look at another conversation of the customer */
	GATE_ENDED					/* the nudge ends without this call */
} Gate;

typedef struct Passage
{
	Gate		gate;
	TimestampTz until;			/* HELD, and BUSY if it cannot stand by */
	Outcome		outcome;		/* ENDED */
	const char *reason;			/* HELD, BUSY: what it waits for; ENDED: one word */
	const char *conversation_id;	/* ELSEWHERE */
	TimestampTz made_at;		/* when we made that conversation; 0: we did not */
} Passage;

struct Policies;

/* Finds out whom the POSTs of these flights speak to. */
extern void gates_name_customers(Flights *in_hand, Flight **flights, int count);

/*
 * Asks all gates for flights that want to post; "rows" are their intents.  What
 * the answers rest on holds until the transaction ends.
 */
extern void gates_ask(const struct Policies *policies, Flights *in_hand, Flight **flights,
					  const IntentRow *rows, int count, Monotonic now, Passage *passages);

#endif
