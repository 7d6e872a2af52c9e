/*
 * calls.h: the engine's calls: what is asked of the courier, and its answers.
 */
#ifndef REENGAGE_CALLS_H
#define REENGAGE_CALLS_H

#include "base/clocks.h"
#include "dispatch/courier_pipe.h"
#include "dispatch/deliveries.h"
#include "dispatch/standby.h"
#include "watch.h"

typedef struct Calls
{
	MemoryContext context;
	Deliveries *deliveries;
	dlist_head *servers;
	CourierPipe *courier;		/* NULL: there is no courier */
	int64		last_call_id;
	Monotonic	opened_at;
	Monotonic	not_before;		/* of the next courier */
	Watch		watch;			/* over couriers */
	int64		hello_by_ms;	/* of that watch; later means that this one hangs */
	int64		pause_ms;
	int			failures;		/* couriers lost since one said hello */
	char	   *problem;		/* what became of the last one; NULL: all is well */
} Calls;

extern void calls_init(Calls *calls, MemoryContext context, Deliveries *deliveries,
					   dlist_head *servers);

/* Ends the courier. */
extern void calls_close(Calls *calls);

/* Starts a courier if there is none and it is time for one. */
extern void calls_keep_courier(Calls *calls, Monotonic now);

extern bool calls_can_be_made(const Calls *calls);

/*
 * Takes in all answers that are there, see replies.h.
 */
extern void calls_take_replies(Calls *calls, Monotonic now);

/*
 * A courier that neither answers nor dies is taken for dead.  Call it after
 * calls_take_replies(), as what has been answered is not waited for.
 */
extern void calls_watch(Calls *calls, Monotonic now);

/* When a courier is to be started, if one is wanted, or to be watched. */
extern Monotonic calls_next_watch(const Calls *calls, bool wanted, Monotonic now);

/* Makes the checks of all deliveries that are to start; they are begun by that time, or come back. */
extern void calls_make_checks(Calls *calls, Monotonic leave_by);

/*
 * P3: makes the POSTs whose intent is safe, on the synchronous standby, too; the
 * others wait.  What has waited for too long goes back into the schedule, as do
 * all if none "may" leave any more.
 */
extern void calls_make_posts(Calls *calls, Standby *standby, bool may);

#endif
