/*
 * flights.c: bookkeeping of the nudges in hand.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "dispatch/customers.h"
#include "dispatch/flights.h"
#include "nudge.h"

/* A customer of so many business sides has a session of its own with this one. */
#define PASSED_OVER_MAX 3

/* Wide enough for any conversation id; padded with zeros, as it is hashed whole. */
typedef struct ThreadKey
{
	Server	   *server;
	char		tip[CONVERSATION_ID_MAX + 1];
} ThreadKey;

struct Thread
{
	ThreadKey	key;
	dlist_head	parked;			/* behind the one that is under way */
	int			nparked;
	bool		overflowed;		/* and some more wait in the schedule */
};

typedef struct CallEntry
{
	int64		call_id;
	Flight	   *flight;
} CallEntry;

static HTAB *
make_table(const char *name, Size key_size, Size entry_size, MemoryContext context)
{
	HASHCTL		control = {.keysize = key_size, .entrysize = entry_size, .hcxt = context};

	return hash_create(name, 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

void
flights_init(Flights *flights, MemoryContext context)
{
	memset(flights, 0, sizeof(*flights));
	flights->context = context;
	flights->by_nudge = make_table("reengage flights", sizeof(pg_uuid_t), sizeof(Flight), context);
	flights->by_call = make_table("reengage calls", sizeof(int64), sizeof(CallEntry), context);
	flights->threads = make_table("reengage threads", sizeof(ThreadKey), sizeof(Thread), context);
	flights->customers = customers_make_table(context);
	dlist_init(&flights->ready);
	dlist_init(&flights->to_start);
	dlist_init(&flights->to_intend);
	dlist_init(&flights->standing_by);
	dlist_init(&flights->resting);
	dlist_init(&flights->to_post);
	dlist_init(&flights->calling);
	dlist_init(&flights->to_end);
	dlist_init(&flights->locked_out);
	dlist_init(&flights->unwritable);
}

void
flights_make_ready(Flights *flights, Flight *flight)
{
	flight->server->ready++;
	dlist_push_tail(&flights->ready, &flight->node);
}

static Flight *
take_in_hand(Flights *flights, Server *server, const char *asker, int priority,
			 const pg_uuid_t *nudge_id, TimestampTz due_at)
{
	bool		found;
	Flight	   *flight = hash_search(flights->by_nudge, nudge_id, HASH_ENTER, &found);

	if (found)
		return NULL;
	memset(flight, 0, sizeof(*flight));
	flight->nudge_id = *nudge_id;
	flight->server = server;
	server->in_hand++;
	strlcpy(flight->asker, asker, NAMEDATALEN);
	flight->priority = flight->urgency = priority;
	flight->due_at = due_at;
	return flight;
}

Flight *
flights_take(Flights *flights, Server *server, const LaneInHand *lane, const DueRow *row)
{
	Flight	   *flight = take_in_hand(flights, server, lane->asker->name, lane->priority,
									  &row->nudge_id, row->due_at);

	if (flight != NULL)
		flights_make_ready(flights, flight);
	return flight;
}

static Thread *
find_thread(Flights *flights, Server *server, const char *tip, bool *found)
{
	ThreadKey	key;
	Thread	   *thread;

	memset(&key, 0, sizeof(key));
	key.server = server;
	strlcpy(key.tip, tip, sizeof(key.tip));
	thread = hash_search(flights->threads, &key, HASH_ENTER, found);
	if (!*found)
	{
		dlist_init(&thread->parked);
		thread->nparked = 0;
		thread->overflowed = false;
	}
	return thread;
}

const char *
flight_keep(Flight *flight, const char *text)
{
	return text ? MemoryContextStrdup(flight->memory, text) : NULL;
}

const char *
flight_keep_ascii(Flight *flight, const char *text)
{
	for (const char *byte = text; byte != NULL && *byte != '\0'; byte++)
		if ((unsigned char) *byte < ' ' || (unsigned char) *byte > '~')
			return NULL;
	return flight_keep(flight, text);
}

static void
keep_nudge(Flight *flight, const LoadedNudge *nudge)
{
	flight->nudge = *nudge;
	flight->nudge.server = flight->server->name;
	flight->nudge.asker = flight->asker;
	flight->nudge.conversation_id = flight_keep(flight, nudge->conversation_id);
	flight->nudge.message = flight_keep(flight, nudge->message);
	flight->nudge.address = flight_keep(flight, nudge->address);
	flight->nudge.own_customer = flight_keep(flight, nudge->own_customer);
	flight->nudge.channel = flight_keep(flight, nudge->channel);
	flight->nudge.template = flight_keep(flight, nudge->template);
	flight->nudge.campaign = flight_keep(flight, nudge->campaign);
	flight->nudge.time_zone = flight_keep(flight, nudge->time_zone);
	flight->nudge.root = flight_keep(flight, nudge->root);
	flight->nudge.path = flight_keep(flight, nudge->path);
	flight->nudge.tip = flight->nudge.path + (nudge->tip - nudge->path);
	flight->target = flight->nudge.tip;
	flight->nudge.post = (Post) {STEP_CHECK};
	flight->api_calls = nudge->api_calls + flight->calls_before;
}

/* The call that may have had its effect is made again as it was. */
static void
keep_unresolved(Flight *flight, const Post *post)
{
	flight->post = *post;
	/* one that joined a conversation of another thread joins it again */
	if (!list_contains(flight->nudge.path, post->conversation_id))
		flight->target = flight->other = flight_keep(flight, post->conversation_id);
	flight->post.conversation_id = flight->target;
	flight->post.recipient.to_address = flight_keep(flight, post->recipient.to_address);
	flight->post.recipient.from_address = flight_keep(flight, post->recipient.from_address);
	flight->post.recipient.channel = flight_keep(flight, post->recipient.channel);
	flight->post.customer = flight_keep(flight, post->customer);
	/* nobody remembers whether the conversation told the same */
	flight->named = flight->nudge.address != NULL;
	flight->step = flight->last_post = post->step;
	flight->posted = true;
}

static void
let_go(Flights *flights, Flight *flight)
{
	flight->server->in_hand--;
	hash_search(flights->by_nudge, &flight->nudge_id, HASH_REMOVE, NULL);
}

/* Behind the one that is under way.  False: too many wait there already. */
static bool
park(Thread *thread, Flight *flight)
{
	if (!flights_may_park(flight->server, thread->nparked))
	{
		/* it is still in the schedule, and will be found there again */
		thread->overflowed = true;
		return false;
	}
	dlist_push_tail(&thread->parked, &flight->node);
	thread->nparked++;
	return true;
}

/* Those that wait behind one tip go on waiting behind another. */
static void
move_parked(Thread *from, Thread *to)
{
	while (!dlist_is_empty(&from->parked))
		dlist_push_tail(&to->parked, dlist_pop_head_node(&from->parked));
	to->nparked += from->nparked;
	to->overflowed |= from->overflowed;
}

/*
 * Takes the thread with this tip for the flight, or parks the flight behind
 * the one that has it.  A flight that was parked holds the thread of the tip
 * that it waited for, which may have a successor now: then all that waited
 * there follow it.
 */
static bool
take_thread(Flights *flights, Flight *flight, const char *tip)
{
	bool		taken;
	Thread	   *held = flight->thread;
	Thread	   *thread = find_thread(flights, flight->server, tip, &taken);

	if (thread == held)
		return true;
	flight->thread = taken ? NULL : thread;
	if (taken && !park(thread, flight))
		let_go(flights, flight);
	if (held != NULL)
	{
		move_parked(held, thread);
		hash_search(flights->threads, &held->key, HASH_REMOVE, NULL);
	}
	return !taken;
}

static void
put_under_way(Flights *flights, Flight *flight, const LoadedNudge *nudge)
{
	flight->memory = AllocSetContextCreate(flights->context, "reengage flight",
										   ALLOCSET_SMALL_SIZES);
	keep_nudge(flight, nudge);
	if (nudge->unresolved)
		keep_unresolved(flight, &nudge->post);
	else if (flight->customer != NULL)
		flight->post.customer = flight_keep(flight, flight_customer_hash(flight));
	flight->server->in_flight++;
	flight->text = MemoryContextMemAllocated(flight->memory, false);
	flight->server->text += flight->text;
	flights->under_way++;
	dlist_push_tail(nudge->unresolved ? &flights->to_intend : &flights->to_start, &flight->node);
}

Flight *
flights_inherit(Flights *flights, Server *server, const LoadedNudge *nudge)
{
	Flight	   *flight = take_in_hand(flights, server, nudge->asker, nudge->priority,
									  &nudge->nudge_id, nudge->due_at);
	Thread	   *thread;
	bool		taken;

	if (flight == NULL)
		return NULL;
	/* another one may have it that was in flight, too, if the API has led them together */
	thread = find_thread(flights, server, nudge->tip, &taken);
	flight->thread = taken ? NULL : thread;
	put_under_way(flights, flight, nudge);
	flight->called = true;
	(void) flights_take_customer(flights, flight);
	return flight;
}

/* Passes the thread on to the one that waited longest. */
static void
leave_thread(Flights *flights, Thread *thread)
{
	Flight	   *next;

	if (dlist_is_empty(&thread->parked))
	{
		if (thread->overflowed)
			lanes_rewind_all(&thread->key.server->lanes, DT_NOBEGIN);
		hash_search(flights->threads, &thread->key, HASH_REMOVE, NULL);
		return;
	}
	next = dlist_container(Flight, node, dlist_pop_head_node(&thread->parked));
	thread->nparked--;
	next->thread = thread;
	flights_make_ready(flights, next);
}

bool
flights_depart(Flights *flights, Flight *flight, const LoadedNudge *nudge)
{
	dlist_delete(&flight->node);
	flight->server->ready--;
	if (!take_thread(flights, flight, nudge->tip))
		return false;
	switch (flights_take_own_customer(flights, flight, nudge))
	{
		case OWN_CUSTOMER_TAKEN:
			break;
		case OWN_CUSTOMER_PARKED:
			return false;
		case OWN_CUSTOMER_CROWDED:
			flights_make_ready(flights, flight);
			flights_land(flights, flight);
			return false;
	}
	put_under_way(flights, flight, nudge);
	return true;
}

const char *
flight_channel(const Flight *flight)
{
	if (flight->post.recipient.channel != NULL)
		return flight->post.recipient.channel;
	return flight->channel != NULL ? flight->channel : flight->nudge.channel;
}

void
flights_look_elsewhere(Flights *flights, Flight *flight, const char *conversation_id,
					   TimestampTz made_at)
{
	flight->step = STEP_CHECK;
	flight->other_made_at = made_at;
	flight->target = flight->other = flight_keep(flight, conversation_id);
	flights_move_to(flight, &flights->to_start);
}

void
flights_pass_over(Flight *flight)
{
	MemoryContext old = MemoryContextSwitchTo(flight->memory);

	flight->passed_over = flight->npassed_over++ == 0 ? flight->other :
		psprintf("%s,%s", flight->passed_over, flight->other);
	MemoryContextSwitchTo(old);
	if (flight->npassed_over < PASSED_OVER_MAX)
		flight->other = NULL;
}

bool
flight_is_elsewhere(const Flight *flight)
{
	return flight->target != flight->nudge.tip;
}

void
flights_land(Flights *flights, Flight *flight)
{
	dlist_delete(&flight->node);
	if (flight->counted_at.us != 0 && !flight->called && flight->calls_before == 0)
		lanes_take_back(&flight->server->lanes, flight->asker, flight->counted_at);
	if (flight->customer != NULL)
		flights_leave_customer(flights, flight);
	if (flight->call_id != 0)
		hash_search(flights->by_call, &flight->call_id, HASH_REMOVE, NULL);
	if (flight->thread != NULL)
		leave_thread(flights, flight->thread);
	if (flight->memory != NULL)
	{
		if (flight->set_aside)
			flights->nset_aside--;
		else
			flights_leave_place(flight);
		flights->under_way--;
		MemoryContextDelete(flight->memory);
	}
	else
		flight->server->ready--;
	let_go(flights, flight);
}

Flight *
flights_of_call(Flights *flights, int64 call_id)
{
	CallEntry  *entry = hash_search(flights->by_call, &call_id, HASH_FIND, NULL);

	return entry ? entry->flight : NULL;
}

void
flights_call_begins(Flights *flights, Flight *flight, int64 call_id)
{
	CallEntry  *entry = hash_search(flights->by_call, &call_id, HASH_ENTER, NULL);

	entry->flight = flight;
	flight->call_id = call_id;
	dlist_delete(&flight->node);
	dlist_push_tail(&flights->calling, &flight->node);
}

void
flights_call_ended(Flights *flights, Flight *flight)
{
	hash_search(flights->by_call, &flight->call_id, HASH_REMOVE, NULL);
	flight->call_id = 0;
}

void
flights_end(Flights *flights, Flight *flight, Decision end)
{
	flight->end = end;
	flight->occurred_at = GetCurrentTimestamp();
	if (end.kind == DECIDE_RETRY || end.kind == DECIDE_HOLD)
	{
		flight->move_to = end.retry_at;
		flight->move_attempt = flight->nudge.attempt + (end.kind == DECIDE_RETRY ? 1 : 0);
		flight->move_refusals = flight->nudge.refusals + (end.refused ? 1 : 0);
	}
	flights_move_to(flight, &flights->to_end);
}

void
flights_settle(Flights *flights, Flight *flight, Outcome outcome, const char *reason)
{
	Decision	end = {.kind = DECIDE_SETTLE, .outcome = outcome, .reason = reason};

	flights_end(flights, flight, end);
}

void
flights_put_back(Flights *flights, Flight *flight, TimestampTz due_at, const char *waiting_for)
{
	Decision	end = {.kind = DECIDE_BLOCK, .reason = waiting_for};

	flight->move_to = due_at;
	flight->move_attempt = flight->nudge.attempt;
	flight->move_refusals = flight->nudge.refusals;
	flights_end(flights, flight, end);
}
