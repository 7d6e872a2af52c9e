/*
 * intents.h: the durable record that a call may from now on be on the wire.
 */
#ifndef REENGAGE_INTENTS_H
#define REENGAGE_INTENTS_H

#include "dispatch/deliveries.h"
#include "dispatch/gates.h"
#include "dispatch/policies.h"

/*
 * The intents of one tick: what was recorded and what was closed, to be
 * believed once the tick has committed.
 */
typedef struct IntentBatch
{
	Delivery  **deliveries;		/* those that want to call */
	int			count;
	Verdict    *verdicts;		/* what the gates said of each */
	pg_uuid_t	intent_id;		/* of those that are allowed */
	int			nopen;
	pg_uuid_t  *settled;		/* the intents that are to be deleted */
	int			nleft;			/* of these, not deleted, as somebody has locked them */
} IntentBatch;

/* Before the tick, in memory that outlives it; so many deliveries end in it. */
extern IntentBatch intents_begin(Deliveries *deliveries, int nending);

/*
 * Records one intent for all deliveries that are allowed.  "now" is a time at
 * which nothing was asked yet.
 */
extern void intents_record(IntentBatch *batch, const Policies *policies, Deliveries *deliveries,
						   TimestampTz epoch, Monotonic now);

/*
 * Deletes the intents that settle altogether now that "ending" end and those
 * of the batch go on to another call, and those that were locked until now.
 */
extern void intents_close(IntentBatch *batch, const Deliveries *deliveries, Delivery **ending, int nending);

/*
 * After the commit, which ended at "committed_at" in the WAL: deliveries that are
 * allowed are ready to post, the others go back into the schedule.
 */
extern void intents_committed(const IntentBatch *batch, XLogRecPtr committed_at,
							  Deliveries *deliveries);

/* After the commit: this delivery's call is settled. */
extern void intent_release(Delivery *delivery);

/*
 * Inside a tick: takes over what engines before this one may
 * have had on the wire (P5).  It is made again where the API honours keys, and
 * in doubt elsewhere, once the ends of these deliveries are written.  What was
 * taken over before stays as it is.
 */
extern void intents_recover(Deliveries *deliveries, dlist_head *servers);

#endif
