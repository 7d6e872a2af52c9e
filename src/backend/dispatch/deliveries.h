/*
 * deliveries.h: the nudges that the engine has in its hands, and their threads.
 *
 * A nudge is in exactly one place: parked behind another nudge of its thread or
 * to its customer, ready to be loaded, or under way.  Two of one thread are never under way
 * together (P7).
 */
#ifndef REENGAGE_DELIVERIES_H
#define REENGAGE_DELIVERIES_H

#include "postgres.h"

#include "access/xlogdefs.h"
#include "lib/ilist.h"
#include "utils/hsearch.h"

#include "base/clocks.h"
#include "decide.h"
#include "dispatch/servers.h"
#include "store/store.h"

/*
 * How many may wait behind one nudge, and behind all of a server: the rest waits
 * in the schedule, so that a thousand nudges of one conversation cost a megabyte
 * and a million no more, nor do millions of a thousand conversations cost ten.
 */
#define PARKED_MAX 1024
#define PARKED_OF_SERVER_MAX (8 * PARKED_MAX)

/* How long after another nudge's turn it is ours. */
#define TURN_MS 1000

/* A recorded intent, until all of its calls have settled. */
typedef struct Intent
{
	pg_uuid_t	intent_id;
	XLogRecPtr	committed_at;	/* end of its commit in the WAL */
	int			open;			/* calls that have not settled */
	int			settling;		/* of these, settled in the tick that is being made */
} Intent;

typedef struct Thread Thread;
typedef struct Customer Customer;

typedef struct Delivery
{
	pg_uuid_t	nudge_id;		/* the key */
	dlist_node	node;			/* in one of the lists of Deliveries, or of its thread */
	Server	   *server;
	char		asker[NAMEDATALEN]; /* the role that asked */
	int			priority;
	int			urgency;		/* of its calls: the priority whose turn it got */
	TimestampTz due_at;			/* its place in the schedule */
	Customer   *customer;		/* whom nobody else speaks to; NULL: it has none yet */
	int			calls_before;	/* made before it was parked */
	Monotonic	counted_at;		/* in the pace of its role; zero: it was not */

	/* from here on: once it is under way, in "memory" */
	MemoryContext memory;
	Size		text;			/* bytes that it had at its departure, while they count: see Server.text */
	LoadedNudge nudge;
	Thread	   *thread;
	Step		step;			/* that is made, or is to be made */
	int64		call_id;		/* 0: no call is outstanding */
	int64		answer_by_ms;	/* of that call, see Calls.watched_ms; later means that the courier hangs */
	Monotonic	leave_by;		/* no byte of that call leaves from then on; of a check: it is not begun */
	TimestampTz handed_at;		/* to the courier */
	Intent	   *intent;			/* of its last POST; NULL: none */
	bool		called;			/* this attempt has made a call */
	bool		posted;			/* a POST was made, in this attempt or unresolved: */
	Step		last_post;
	Post		post;			/* the one that is made, or is to be made */
	bool		named;			/* to an address that only the nudge tells */
	const char *target;			/* the conversation it is about: the tip, or */
	const char *other;			/* another one of the customer; NULL: none was looked at */
	const char *passed_over;	/* those that turned out to be of others, comma-separated; NULL: none */
	int			npassed_over;
	TimestampTz other_made_at;	/* when we made that one; 0: we did not */
	int			nposts;			/* that were made in this attempt */
	const char *own_address_hash;	/* hash of the nudge's own address, NULL: it has none */

	/* what the check found; kept for the steps that follow */
	const char *status_seen;
	const char *channel;
	const char *customer_address;
	const char *business_address;
	TimestampTz checked_at;
	Monotonic	looked_at;		/* when the API's answer was here that led to the POST */
	int			looked_under;	/* the server's "version" at the check */

	/* what the last call brought */
	int			api_calls;		/* in all, over all attempts */
	int			http_status;
	const char *message_id;		/* the API's own, of what it took */
	const char *error_code;
	const char *error_message;
	const char *correlation_id;
	const char *new_conversation_id;
	bool		opted_out;		/* the API refused the POST because the recipient wants none */
	TimestampTz called_at;		/* of the last POST */
	TimestampTz occurred_at;

	/* how it ends: settled, or moved in the schedule */
	Decision	end;
	TimestampTz move_to;
	int			move_attempt;
	int			move_refusals;
	bool		written;		/* in the tick that is being made */
	bool		locked_out;		/* of it */
	bool		refused;		/* the database does not take its end, in no form */
	bool		set_aside;		/* it has lost its place in flight */
} Delivery;

typedef struct Deliveries
{
	MemoryContext context;
	HTAB	   *by_nudge;
	HTAB	   *by_call;
	HTAB	   *threads;
	HTAB	   *customers;		/* that are spoken to */
	dlist_head	ready;			/* may be loaded now; were parked */
	dlist_head	to_start;		/* loaded: the check is to be made */
	dlist_head	to_intend;		/* a POST is wanted */
	dlist_head	standing_by;	/* likewise, but another one speaks to the customer */
	dlist_head	resting;		/* likewise, but the server is left alone for a moment */
	dlist_head	to_post;		/* its intent is recorded */
	dlist_head	calling;		/* with the courier */
	dlist_head	to_end;			/* to be settled or moved */
	dlist_head	locked_out;		/* likewise, of those that called, once somebody's transaction has ended */
	dlist_head	unwritable;		/* their outcome is refused by the database */
	int			nstanding_by;
	int			nset_aside;
	pg_uuid_t  *left_intents;	/* have settled, but somebody has locked their rows */
	int			nleft_intents;
	int			under_way;
} Deliveries;

extern void deliveries_init(Deliveries *deliveries, MemoryContext context);

/* Takes a row of the schedule in hand.  NULL: it is already. */
extern Delivery *deliveries_take(Deliveries *deliveries, Server *server, const LaneInHand *lane,
							const DueRow *row);

/*
 * Puts a loaded nudge under way: to its check, or to the call that is to be
 * made again.  False: another one of its thread is under way, and it was parked
 * behind that one.
 */
extern bool deliveries_start(Deliveries *deliveries, Delivery *delivery, const LoadedNudge *nudge);

/*
 * Takes in hand a nudge whose unresolved call another engine made.  It keeps
 * others of its thread and customer waiting, as if it were under way.  NULL: it
 * is in hand already.
 */
extern Delivery *deliveries_inherit(Deliveries *deliveries, Server *server, const LoadedNudge *nudge);

/* Lets go of a nudge, and makes the next one of its thread ready. */
extern void deliveries_let_go(Deliveries *deliveries, Delivery *delivery);

/*
 * Its outcome cannot be written now: it waits in the list, and leaves its place
 * in flight to others, unless too many have done so.
 */
extern void deliveries_set_aside(Deliveries *deliveries, Delivery *delivery, dlist_head *list);

/* Its place in flight is another one's. */
extern void deliveries_leave_place(Delivery *delivery);

/* Is more known of it than its row of the schedule says? */
extern bool delivery_has_called(const Delivery *delivery);

extern Delivery *deliveries_of_call(Deliveries *deliveries, int64 call_id);

/* The hash of the address that the delivery's POST is for; NULL: it is not known. */
extern void deliveries_name_customer(Deliveries *deliveries, Delivery *delivery, const char *hash);

/* What it looked at is with somebody else: it may look for one more. */
extern void deliveries_pass_over(Delivery *delivery);

/* It is to look at another conversation of its customer. */
extern void deliveries_look_elsewhere(Deliveries *deliveries, Delivery *delivery, const char *conversation_id,
								   TimestampTz made_at);
extern bool delivery_is_elsewhere(const Delivery *delivery);

/*
 * Takes the customer of the delivery's POST, whom no other one speaks to until
 * this one has landed.  False: another one does.
 */
extern bool deliveries_take_customer(Deliveries *deliveries, Delivery *delivery);

/*
 * Waits for that other one: with what its look has found, or, if too many do,
 * parked, which costs nothing but another look later.  False: it can do neither.
 */
extern bool deliveries_stand_by(Deliveries *deliveries, Delivery *delivery);

/* It may be loaded. */
extern void deliveries_make_ready(Deliveries *deliveries, Delivery *delivery);

extern const char *delivery_channel(const Delivery *delivery);

/* Marks the call as handed to the courier, or as answered. */
extern void deliveries_call_begins(Deliveries *deliveries, Delivery *delivery, int64 call_id);
extern void deliveries_call_ended(Deliveries *deliveries, Delivery *delivery);

/* POSTs that are with the courier. */
extern int	deliveries_posting(const Deliveries *deliveries);

/* It ends as decided: settled, or due again later with an attempt used up. */
extern void deliveries_end(Deliveries *deliveries, Delivery *delivery, Decision end);
extern void deliveries_settle(Deliveries *deliveries, Delivery *delivery, Outcome outcome, const char *reason);

/* The call that was handed over was made, or may have been. */
extern void delivery_note_made(Delivery *delivery);

/*
 * May a POST still be made by what was looked at?  Not on a server that is
 * paused, gone, or another one by now.
 */
extern bool delivery_may_post(const Delivery *delivery);

/* May one more be parked, where so many are behind the same? */
extern bool deliveries_may_park(const Server *server, int nparked);

/* It goes back into the schedule, without an attempt used up. */
extern void deliveries_put_back(Deliveries *deliveries, Delivery *delivery, TimestampTz due_at,
							 const char *waiting_for);

extern void deliveries_move_to(Delivery *delivery, dlist_head *list);
extern void deliveries_move_all(dlist_head *from, dlist_head *to);

extern int	deliveries_length(const dlist_head *list);

/* When the first of them to end did so; DT_NOEND: there is none. */
extern TimestampTz deliveries_oldest(const dlist_head *list);

/* The deliveries in a list, as an array in the current memory context. */
extern Delivery **deliveries_in(dlist_head *list, int *count);

/* A copy of text that lives as long as the delivery is under way; NULL stays NULL. */
extern const char *delivery_keep(Delivery *delivery, const char *text);

/* P9: of text that the courier sent, only printable ASCII may reach a table; else NULL. */
extern const char *delivery_keep_ascii(Delivery *delivery, const char *text);

#endif
