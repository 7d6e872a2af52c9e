/*
 * servers.h: the engine's view of the foreign servers: their options, whether
 * they may be called, and how far their lanes of the schedule were read.
 */
#ifndef REENGAGE_SERVERS_H
#define REENGAGE_SERVERS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "lib/ilist.h"

#include "base/clocks.h"
#include "base/metrics.h"
#include "base/wakes.h"
#include "config/options.h"
#include "dispatch/breaker.h"
#include "dispatch/courier_pipe.h"
#include "dispatch/lanes.h"
#include "flow.h"
#include "store/store.h"

/*
 * Text of a server's nudges under way, in bytes: two hundred of the largest, and
 * thousands of the usual ones.  Others wait in the schedule.
 */
#define SERVER_TEXT_MAX (16 * 1024 * 1024)

typedef struct Server
{
	dlist_node	node;
	MemoryContext context;		/* of all of this */
	char		name[NAMEDATALEN];
	bool		exists;			/* false: it was dropped */
	bool		paused;			/* by an operator: nothing is begun */
	bool		held;			/* somebody is about to pause it: likewise */
	int			version;		/* of the options; grows with each change */
	List	   *definition;		/* the options as they were written */
	ServerOptions options;
	MemoryContext options_context;
	Lanes		lanes;
	int			in_hand;		/* nudges that the engine has taken out of the schedule: of these, */
	int			ready;			/* nudges in hand that may be started */
	int			in_flight;		/* nudges that were started and have not ended */
	int			calling;		/* of these, with the courier */
	Flow		flow;			/* of its answers */
	int			states[DELIVERY_STATE_COUNT];	/* of those in hand */
	Size		text;			/* bytes of those that hold a place in flight */
	int			nlocked;	/* that somebody else has locked; they are still due: */
	TimestampTz locked_from;	/* the earliest of them */
	Monotonic	look_again_at;
	bool		configured;		/* this courier knows its options */
	bool		unwritten;		/* what is known against it: somebody has locked the row */

	Breaker		breaker;		/* what keeps it from being called as usual */
	ServerMetrics *metrics;		/* in shared memory */
} Server;

/*
 * Inside a tick: reads names, options and credentials anew where they changed.
 * Those "paused", by their names, and those held are paused, and no others.
 */
extern void servers_refresh(dlist_head *servers, List *paused, MemoryContext context);

/*
 * Inside a tick, before it reads who is paused: keeps pause() waiting until the
 * tick has ended, but where pause() came first.
 */
extern void servers_lock(dlist_head *servers, const Clocks *clocks);

/* True if there is one for which somebody else came first. */
extern bool servers_wait_for_locks(const dlist_head *servers);

/* Inside a tick: makes one of this name known, which may have been dropped. */
extern void servers_need(dlist_head *servers, const char *name, MemoryContext context);

extern Server *servers_find(dlist_head *servers, const char *name);

/* What the courier is told of a server, without its credentials. */
extern ServerMessage server_message(const char *name, const ServerOptions *options);

/*
 * Tells the courier about the server, credentials included.  False: it had to
 * be blocked, because its credentials cannot be had.
 */
extern bool server_configure(Server *server, CourierPipe *courier, Monotonic now);

/* An empty list: everything is to be read. */
extern void servers_init(dlist_head *servers);

/* What was read of the catalog is not to be trusted. */
extern void servers_forget_catalog(void);

/* A new courier knows nothing of them. */
extern void servers_forget_configurations(dlist_head *servers);

/* Whether the credentials file has changed since the last tick read it. */
extern bool servers_credentials_have_changed(void);

/* Whether a server is blocked for a reason that other credentials may end. */
extern bool servers_want_credentials(const dlist_head *servers);

/* Its options and credentials are sent again with the next call. */
extern void server_block(Server *server, CircuitCause cause, Step step, const char *reason,
						 const char *detail, Monotonic now);

/* Inside a tick: writes down what has changed since the last committed one. */
extern void servers_write_states(dlist_head *servers);

/* After its commit: says the same in the log. */
extern void servers_say_states(dlist_head *servers);

/* After a commit: lets go of servers that were dropped, once none of their nudges is in hand. */
extern void servers_forget_dropped(dlist_head *servers, CourierPipe *courier);

/*
 * Calls that the courier may have beyond those that can be on the wire, so that
 * no connection is idle during a tick: as many as leave within a quarter of a second.
 */
extern int	server_calls_ahead(const Server *server, Monotonic now);

/*
 * For so long the courier needs nobody: the answers of that time can be taken in
 * together.  0: it may run out of calls.
 */
extern int	servers_nap_ms(const dlist_head *servers, Monotonic now);

/* How many more nudges may be started now. */
extern int	server_capacity(const Server *server, Monotonic now);

/* These are to be read again. */
extern void servers_wake(dlist_head *servers, const Wakes *wakes);

/* Inside a tick: the pauses in the tables are those of a clock that was set back since, perhaps. */
extern void servers_follow_clock(dlist_head *servers, const Clocks *before, const Clocks *now);

/* A nudge that is due at this time is locked by somebody else, and left in the schedule. */
extern void server_note_locked(Server *server, TimestampTz due_at);

/* Reads again what was locked, where it is time to. */
extern void server_look_again(Server *server, Monotonic now);

/* The earliest time at which a lane, or a blocked server, wants a look. */
extern Monotonic servers_next_look(const dlist_head *servers, const Clocks *clocks);

#endif
