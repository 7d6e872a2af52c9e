/*
 * flights.c: bookkeeping of the nudges in hand.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "flights.h"
#include "nudge.h"

/* Wide enough for any conversation id; padded with zeros, as it is hashed whole. */
typedef struct ThreadKey
{
	Server	   *server;
	char		root[CONVERSATION_ID_MAX + 1];
} ThreadKey;

struct Thread
{
	ThreadKey	key;
	dlist_head	parked;			/* behind the one that is under way */
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
	dlist_init(&flights->ready);
	dlist_init(&flights->to_start);
	dlist_init(&flights->to_intend);
	dlist_init(&flights->to_post);
	dlist_init(&flights->calling);
	dlist_init(&flights->to_end);
}

Flight *
flights_take(Flights *flights, Server *server, const DueRow *row)
{
	bool		found;
	Flight	   *flight = hash_search(flights->by_nudge, &row->nudge_id, HASH_ENTER, &found);

	if (found)
		return NULL;
	memset(flight, 0, sizeof(*flight));
	flight->nudge_id = row->nudge_id;
	flight->server = server;
	flight->priority = row->priority;
	flight->due_at = row->due_at;
	dlist_push_tail(&flights->ready, &flight->node);
	return flight;
}

static Thread *
find_thread(Flights *flights, Server *server, const char *root, bool *found)
{
	ThreadKey	key;
	Thread	   *thread;

	memset(&key, 0, sizeof(key));
	key.server = server;
	strlcpy(key.root, root, sizeof(key.root));
	thread = hash_search(flights->threads, &key, HASH_ENTER, found);
	if (!*found)
		dlist_init(&thread->parked);
	return thread;
}

const char *
flight_keep(Flight *flight, const char *text)
{
	return text ? MemoryContextStrdup(flight->memory, text) : NULL;
}

static void
keep_nudge(Flight *flight, const LoadedNudge *nudge)
{
	flight->nudge = *nudge;
	flight->nudge.server = flight->server->name;
	flight->nudge.conversation_id = flight_keep(flight, nudge->conversation_id);
	flight->nudge.message = flight_keep(flight, nudge->message);
	flight->nudge.address = flight_keep(flight, nudge->address);
	flight->nudge.channel = flight_keep(flight, nudge->channel);
	flight->nudge.root = flight_keep(flight, nudge->root);
	flight->nudge.tip = flight_keep(flight, nudge->tip);
	flight->api_calls = nudge->api_calls;
}

bool
flights_depart(Flights *flights, Flight *flight, const LoadedNudge *nudge)
{
	dlist_delete(&flight->node);
	if (flight->thread == NULL)
	{
		bool		busy;
		Thread	   *thread = find_thread(flights, flight->server, nudge->root, &busy);

		if (busy)
		{
			/* only its place is kept: by the time it flies, the tip has moved */
			dlist_push_tail(&thread->parked, &flight->node);
			flights->parked++;
			return false;
		}
		flight->thread = thread;
	}
	flight->memory = AllocSetContextCreate(flights->context, "reengage flight",
										   ALLOCSET_SMALL_SIZES);
	keep_nudge(flight, nudge);
	flight->step = STEP_CHECK;
	flight->server->in_flight++;
	flights->under_way++;
	dlist_push_tail(&flights->to_start, &flight->node);
	return true;
}

static void
leave_thread(Flights *flights, Thread *thread)
{
	Flight	   *next;

	if (!dlist_is_empty(&thread->parked))
	{
		/* the thread stays taken, for the one that waited longest */
		next = dlist_container(Flight, node, dlist_pop_head_node(&thread->parked));
		flights->parked--;
		next->thread = thread;
		dlist_push_tail(&flights->ready, &next->node);
		return;
	}
	hash_search(flights->threads, &thread->key, HASH_REMOVE, NULL);
}

void
flights_land(Flights *flights, Flight *flight)
{
	dlist_delete(&flight->node);
	if (flight->call_id != 0)
		hash_search(flights->by_call, &flight->call_id, HASH_REMOVE, NULL);
	if (flight->thread != NULL)
		leave_thread(flights, flight->thread);
	if (flight->memory != NULL)
	{
		flight->server->in_flight--;
		flights->under_way--;
		MemoryContextDelete(flight->memory);
	}
	hash_search(flights->by_nudge, &flight->nudge_id, HASH_REMOVE, NULL);
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
flights_move_to(Flight *flight, dlist_head *list)
{
	dlist_delete(&flight->node);
	dlist_push_tail(list, &flight->node);
}

void
flights_end(Flights *flights, Flight *flight, Decision end)
{
	flight->end = end;
	flight->occurred_at = GetCurrentTimestamp();
	if (end.kind == DECIDE_RETRY)
	{
		flight->move_to = end.retry_at;
		flight->move_attempt = flight->nudge.attempt + 1;
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
	flights_end(flights, flight, end);
}

Flight **
flights_in(dlist_head *list, int *count)
{
	Flight	  **flights;
	dlist_iter	iter;
	int			length = 0;

	dlist_foreach(iter, list)
		length++;
	flights = palloc(sizeof(Flight *) * (length + 1));
	*count = 0;
	dlist_foreach(iter, list)
		flights[(*count)++] = dlist_container(Flight, node, iter.cur);
	return flights;
}
