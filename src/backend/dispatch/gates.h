/*
 * gates.h: what a POST has to pass in the transaction that records its intent.
 */
#ifndef REENGAGE_GATES_H
#define REENGAGE_GATES_H

#include "dispatch/deliveries.h"

typedef enum VerdictKind
{
	VERDICT_DEFER,					/* not now: back into the schedule as it was */
	VERDICT_ALLOW,
	VERDICT_HOLD,					/* until a time, for a reason */
	VERDICT_BUSY,					/* another nudge speaks to the customer */
	VERDICT_RECHECK,				/* first look at another conversation of the customer */
	VERDICT_END					/* the nudge ends without this call */
} VerdictKind;

typedef struct Verdict
{
	VerdictKind kind;
	TimestampTz until;			/* HELD, and BUSY if it cannot stand by */
	Outcome		outcome;		/* ENDED */
	const char *reason;			/* HELD, BUSY: what it waits for; ENDED: one word */
	const char *conversation_id;	/* ELSEWHERE */
	TimestampTz made_at;		/* when we made that conversation; 0: we did not */
} Verdict;

struct Policies;

/* Finds out whom the POSTs of these deliveries speak to. */
extern void gates_name_customers(Deliveries *in_hand, Delivery **deliveries, int count);

/*
 * Asks all gates for deliveries that want to post; "rows" are their intents.  What
 * the answers rest on holds until the transaction ends.
 */
extern void gates_ask(const struct Policies *policies, Deliveries *in_hand, Delivery **deliveries,
					  const IntentRow *rows, int count, Monotonic now, Verdict *verdicts);

#endif
