/*
 * replies.h: what follows from an answer of the courier.
 */
#ifndef REENGAGE_REPLIES_H
#define REENGAGE_REPLIES_H

#include "dispatch/deliveries.h"
#include "message.h"

/* The delivery, whose call has ended, goes where its reply leads it: to a POST, to its end, or back. */
extern void reply_take(Deliveries *deliveries, Delivery *delivery, const ReplyMessage *reply, Monotonic now);

/*
 * Likewise for a call of which nobody will tell us: the courier is gone, or, if
 * it was not "handed over", never got it.
 */
extern void reply_miss(Deliveries *deliveries, Delivery *delivery, bool handed_over);

#endif
