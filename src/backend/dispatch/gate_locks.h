/*
 * gate_locks.h: who decides first, the worker or an application.
 *
 * A cancellation and a pause lock what they are about until their transaction
 * ends, however long that takes.  An opt-out and an answer do so only until their row is
 * written: from then on the worker sees that.  The worker locks what it is about
 * to record for the few milliseconds of a tick, but never waits: what it cannot
 * lock, or somebody is recording, it leaves for later.  So whichever commits
 * first is seen by the other.
 */
#ifndef REENGAGE_GATE_LOCKS_H
#define REENGAGE_GATE_LOCKS_H

#include "dispatch/deliveries.h"
#include "dispatch/open_rows.h"

/* Is nobody about to cancel it, or to record that its customer wants none?  Locks no nudge, thread or customer. */
extern bool gate_locks_are_free(const Server *server, const LoadedNudge *nudge, OpenRows *open);

/* For a POST: its nudge, campaign, thread and customer. */
extern bool gate_locks_try_post(const Delivery *delivery);

/*
 * Once these are locked, nobody begins to record anything of thread and
 * customer.  Has somebody done so before?
 */
extern bool gate_locks_came_late(const Delivery *delivery, OpenRows *open);

/* For an outcome, or a move, without a POST: its nudge and campaign. */
extern bool gate_locks_try_end(const Delivery *delivery);

/* For a session that follows the tip: its place, which resolve() may be about to take. */
extern bool gate_locks_try_session(const Delivery *delivery);

/* For an opt-out that the API told of: whom it is about. */
extern bool gate_locks_try_opt_out(const Delivery *delivery);

#endif
