/*
 * deliveries.h: the nudges in hand: how they come, move and go.
 */
#ifndef REENGAGE_DELIVERIES_H
#define REENGAGE_DELIVERIES_H

#include "dispatch/delivery.h"

extern void deliveries_init(Deliveries *deliveries, MemoryContext context);

/* Takes a row of the schedule in hand.  NULL: it is already. */
extern Delivery *deliveries_take(Deliveries *deliveries, Server *server, const LaneInHand *lane,
								 const DueRow *row);

/*
 * Puts a loaded nudge under way: to its check, or to the call that is to be
 * made again.  False: another one of its thread or to its customer is under
 * way, and it was parked behind that one, or let go of.
 */
extern bool deliveries_start(Deliveries *deliveries, Delivery *delivery, const LoadedNudge *nudge);

/*
 * Takes in hand a nudge whose unresolved call another engine made.  It keeps
 * others of its thread and customer waiting, as if it were under way.  NULL: it
 * is in hand already.
 */
extern Delivery *deliveries_inherit(Deliveries *deliveries, Server *server, const LoadedNudge *nudge);

/* Lets go of a nudge; the next one of its thread, and to its customer, may go on. */
extern void deliveries_let_go(Deliveries *deliveries, Delivery *delivery);

/* The courier has its call, or has answered it. */
extern void deliveries_call_begins(Deliveries *deliveries, Delivery *delivery, int64 call_id);
extern void deliveries_call_ended(Deliveries *deliveries, Delivery *delivery);
extern Delivery *deliveries_of_call(Deliveries *deliveries, int64 call_id);

/* It is to look at another conversation of its customer. */
extern void deliveries_recheck(Deliveries *deliveries, Delivery *delivery, const char *conversation_id,
							   TimestampTz made_at);

/* It ends as decided: settled, or due again later with an attempt used up. */
extern void deliveries_end(Deliveries *deliveries, Delivery *delivery, Decision end);
extern void deliveries_settle(Deliveries *deliveries, Delivery *delivery, Outcome outcome, const char *reason);

/* It goes back into the schedule, without an attempt used up.  hold_reason: NULL: what "hold" says. */
extern void deliveries_put_back(Deliveries *deliveries, Delivery *delivery, TimestampTz due_at,
								Hold hold, const char *hold_reason);

#endif
