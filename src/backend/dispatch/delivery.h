/*
 * delivery.h: a nudge that the engine has in hand, and the states that it goes
 * through.
 *
 * README.md has them as a picture.  A delivery is in exactly one state, and in
 * the list of that state; delivery_move() is the only way from one to another.
 */
#ifndef REENGAGE_DELIVERY_H
#define REENGAGE_DELIVERY_H

#include "postgres.h"

#include "access/xlogdefs.h"
#include "lib/ilist.h"
#include "utils/hsearch.h"

#include "base/clocks.h"
#include "decide.h"
#include "delivery_state.h"
#include "dispatch/servers.h"
#include "store/store.h"

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

/*
 * Which clock a time is by, its type says: TimestampTz by the wall clock, which
 * rows and the courier tell, too; Monotonic by the one that is never set.
 */

/* What the check found; kept for the steps that follow. */
typedef struct Look
{
	const char *status_seen;
	const char *channel;
	const char *customer_address;
	const char *business_address;
	TimestampTz checked_at;		/* when its answer was taken here */
	int			server_version;	/* the server's "version" at the check */
} Look;

/* What the last call brought. */
typedef struct Reply
{
	Monotonic	answered_at;	/* when the API's answer was here */
	int			http_status;
	const char *message_id;		/* the API's own, of what it took */
	const char *error_code;
	const char *error_message;
	const char *correlation_id;
	const char *new_conversation_id;
	bool		opted_out;		/* the API refused the POST because the recipient wants none */
	TimestampTz called_at;		/* of the last POST, as the courier's first byte left; 0: it told none */
} Reply;

typedef struct Delivery
{
	/* its place: deliveries.c, threads.c, customers.c */
	pg_uuid_t	nudge_id;		/* the key */
	DeliveryState state;
	dlist_node	node;			/* in the list of its state, or in the queue that it is parked in */
	Server	   *server;
	char		asker[NAMEDATALEN]; /* the role that asked */
	int			priority;
	int			urgency;		/* of its calls: the priority whose turn it got */
	TimestampTz due_at;			/* its place in the schedule */
	Monotonic	counted_at;		/* in the pace of its role; zero: it was not */
	int			calls_before;	/* made before it was parked */
	Thread	   *thread;			/* that nobody else is under way in; NULL: none yet */
	Customer   *customer;		/* whom nobody else speaks to; NULL: it has none yet */

	/* from here on all zero unless it is under way; text is in "memory" */
	MemoryContext memory;
	LoadedNudge nudge;
	const char *own_address_hash;	/* of the nudge's own address, NULL: it has none */
	bool		has_place;		/* in flight; one that cannot be stored may lose it */
	Size		text;			/* bytes that it had at its start: see Server.text */

	/* the conversation that it is about */
	const char *target;			/* the tip of its thread, or */
	const char *other;			/* another one of the customer; NULL: none was looked at */
	TimestampTz other_made_at;	/* when we made that one; 0: we did not */
	const char *passed_over;	/* those that turned out to be of others, comma-separated; NULL: none */
	int			npassed_over;

	/* the call that is made, or is to be made: calls.c */
	Step		step;
	int64		call_id;		/* 0: no call is outstanding */
	int64		answer_by_ms;	/* of that call, see Calls.watch; later means that the courier hangs */
	Monotonic	leave_by;		/* no byte of that call leaves from then on; of a check: it is not begun */
	TimestampTz handed_at;		/* to the courier */
	int			api_calls;		/* in all, over all attempts */
	bool		called;			/* this attempt has made a call */
	Look		look;
	Reply		reply;

	/* the POST among them: intents.c */
	Intent	   *intent;			/* of its last POST; NULL: none */
	Post		post;			/* the one that is made, or is to be made */
	bool		named;			/* to an address that only the nudge tells */
	bool		posted;			/* a POST was made, in this attempt or unresolved: */
	Step		last_post;
	int			nposts;			/* that were made in this attempt */

	/* how it ends: settled, or moved in the schedule */
	Decision	end;
	TimestampTz occurred_at;
	TimestampTz move_to;
	int			move_attempt;
	int			move_refusals;
	bool		written;		/* in the tick that is being made */
	bool		locked_out;		/* of it, by somebody else's transaction */
	bool		refused;		/* the database does not take its end, in no form */
} Delivery;

/* All that are in hand. */
typedef struct Deliveries
{
	MemoryContext context;
	HTAB	   *by_nudge;
	HTAB	   *by_call;
	HTAB	   *threads;
	HTAB	   *customers;		/* that are spoken to */
	dlist_head	lists[DELIVERY_STATE_COUNT];
	int			counts[DELIVERY_STATE_COUNT];
	int			under_way;
	int			nwithout_place; /* of these */
	pg_uuid_t  *left_intents;	/* have settled, but somebody has locked their rows */
	int			nleft_intents;
} Deliveries;

/*
 * For those who follow a nudge: DEBUG1 for what happens in its life, DEBUG2 for
 * each state.  Never its text, nor its address.
 */
extern void delivery_say(const Delivery *delivery, int level, const char *format,...) pg_attribute_printf(3, 4);

/* To the end of the list of that state, which must be able to follow its own. */
extern void delivery_move(Deliveries *deliveries, Delivery *delivery, DeliveryState state);

/* Into a queue of its thread or customer; what it was under way with is forgotten. */
extern void delivery_park(Deliveries *deliveries, Delivery *delivery, dlist_head *queue);

/* Out of all lists, before it is let go of. */
extern void delivery_remove(Deliveries *deliveries, Delivery *delivery);

/*
 * Its outcome cannot be written now: it waits, and leaves its place in flight
 * to others, and its text, unless too many have done so.
 */
extern void delivery_set_aside(Deliveries *deliveries, Delivery *delivery, DeliveryState state);

extern void deliveries_move_all(Deliveries *deliveries, DeliveryState from, DeliveryState to);

/* Those in a state, as an array in the current memory context. */
extern Delivery **deliveries_in(const Deliveries *deliveries, DeliveryState state, int *count);

/* Of a server only. */
extern int	deliveries_count(const Deliveries *deliveries, DeliveryState state, const Server *server);

/* When the first of them to end did so; DT_NOEND: there is none. */
extern TimestampTz deliveries_oldest(const Deliveries *deliveries, DeliveryState state);

/* A copy of text that lives as long as the delivery is under way; NULL stays NULL. */
extern const char *delivery_keep(Delivery *delivery, const char *text);

/* P9: of text that the courier sent, only printable ASCII may reach a table; else NULL. */
extern const char *delivery_keep_ascii(Delivery *delivery, const char *text);

/* The channel of its POST, as far as it is known: of the recipient, by the look, by the nudge. */
extern const char *delivery_channel(const Delivery *delivery);

/* The conversation it is about is not the tip of its thread. */
extern bool delivery_is_elsewhere(const Delivery *delivery);

/* What it looked at is with somebody else: it may look for one more. */
extern void delivery_pass_over(Delivery *delivery);

/* The call that was handed over was made, or may have been. */
extern void delivery_note_made(Delivery *delivery);

/* Is more known of it than its row of the schedule says? */
extern bool delivery_has_called(const Delivery *delivery);

/*
 * May a POST still be made by what was looked at?  Not on a server that is
 * paused, gone, or another one by now.
 */
extern bool delivery_may_post(const Delivery *delivery);

#endif
