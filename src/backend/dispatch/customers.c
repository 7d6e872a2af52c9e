/*
 * customers.c: one customer, one conversation at a time.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "base/address_hash.h"
#include "dispatch/customers.h"

/* How many may stand by: each holds a place in flight. */
#define STANDING_BY_MAX 8

/* Padded with zeros, as it is hashed whole. */
typedef struct CustomerKey
{
	Server	   *server;
	char		hash[ADDRESS_HASH_LENGTH + 1];
} CustomerKey;

struct Customer
{
	CustomerKey key;
	dlist_head	parked;			/* until the one that has it has landed */
	int			nparked;
	bool		overflowed;		/* and some more wait in the schedule */
};

static CustomerKey
customer_key(const Server *server, const char *hash)
{
	CustomerKey key;

	memset(&key, 0, sizeof(key));
	key.server = unconstify(Server *, server);
	memcpy(key.hash, hash, strnlen(hash, sizeof(key.hash) - 1));
	return key;
}

/* Takes the customer for the flight.  If another one has it, the result is that. */
static Customer *
take_customer(Flights *flights, Flight *flight, const char *hash)
{
	CustomerKey key = customer_key(flight->server, hash);
	bool		found;
	Customer   *customer = hash_search(flights->customers, &key, HASH_ENTER, &found);

	if (found)
		return customer;
	dlist_init(&customer->parked);
	customer->nparked = 0;
	customer->overflowed = false;
	flight->customer = customer;
	return NULL;
}

/* One that stands by for the customer has a look in hand, which grows old. */
static Flight *
next_standing_by(Flights *flights, const Customer *customer)
{
	dlist_iter	iter;

	dlist_foreach(iter, &flights->standing_by)
	{
		Flight	   *flight = dlist_container(Flight, node, iter.cur);
		CustomerKey key = customer_key(flight->server, flight->post.customer);

		if (memcmp(&key, &customer->key, sizeof(key)) == 0)
			return flight;
	}
	return NULL;
}

/* Passes the customer on to the one that waited longest. */
void
flights_leave_customer(Flights *flights, Flight *flight)
{
	Customer   *customer = flight->customer;
	Flight	   *next = next_standing_by(flights, customer);

	flight->customer = NULL;
	if (next != NULL)
	{
		next->customer = customer;
		flights->nstanding_by--;
		flights_move_to(next, &flights->to_intend);
	}
	else if (!dlist_is_empty(&customer->parked))
	{
		next = dlist_container(Flight, node, dlist_pop_head_node(&customer->parked));
		customer->nparked--;
		next->customer = customer;
		flights_make_ready(flights, next);
	}
	else
	{
		if (customer->overflowed)
			lanes_rewind_all(&customer->key.server->lanes, DT_NOBEGIN);
		hash_search(flights->customers, &customer->key, HASH_REMOVE, NULL);
	}
}

void
flights_name_customer(Flights *flights, Flight *flight, const char *hash)
{
	const char *named = flight->post.customer;

	if (hash == named || (hash != NULL && named != NULL && strcmp(hash, named) == 0))
		return;
	if (flight->customer != NULL)
		flights_leave_customer(flights, flight);
	flight->post.customer = flight_keep(flight, hash);
}

bool
flights_take_customer(Flights *flights, Flight *flight)
{
	return flight->post.customer == NULL || flight->customer != NULL ||
		take_customer(flights, flight, flight->post.customer) == NULL;
}

static void
park(Flight *flight, Customer *customer)
{
	dlist_push_tail(&customer->parked, &flight->node);
	customer->nparked++;
}

OwnCustomer
flights_take_own_customer(Flights *flights, Flight *flight, const LoadedNudge *nudge)
{
	Customer   *busy;

	if (nudge->unresolved || flight->customer != NULL || nudge->own_customer == NULL)
		return OWN_CUSTOMER_TAKEN;
	busy = take_customer(flights, flight, nudge->own_customer);
	if (busy == NULL)
		return OWN_CUSTOMER_TAKEN;
	if (!flights_may_park(flight->server, busy->nparked))
	{
		busy->overflowed = true;
		return OWN_CUSTOMER_CROWDED;
	}
	park(flight, busy);
	return OWN_CUSTOMER_PARKED;
}

const char *
flight_customer_hash(const Flight *flight)
{
	return flight->customer != NULL ? flight->customer->key.hash : NULL;
}

/* All but its place in the schedule is forgotten, and its place in flight is free. */
static void
forget_attempt(Flights *flights, Flight *flight)
{
	Flight		rest = {
		.nudge_id = flight->nudge_id,
		.server = flight->server,
		.priority = flight->priority,
		.urgency = flight->urgency,
		.due_at = flight->due_at,
		.calls_before = flight->api_calls - flight->nudge.api_calls,
		.counted_at = flight->counted_at,
		.thread = flight->thread,
	};

	memcpy(rest.asker, flight->asker, NAMEDATALEN);
	flights_leave_place(flight);
	flights->under_way--;
	MemoryContextDelete(flight->memory);
	*flight = rest;
}

static bool
park_with_customer(Flights *flights, Flight *flight)
{
	CustomerKey key = customer_key(flight->server, flight->post.customer);
	Customer   *customer = hash_search(flights->customers, &key, HASH_FIND, NULL);

	/* what has called is written down before anything else happens to it */
	if (customer == NULL || !flights_may_park(flight->server, customer->nparked) || flight->intent != NULL ||
		flight->posted)
		return false;
	dlist_delete(&flight->node);
	forget_attempt(flights, flight);
	park(flight, customer);
	return true;
}

bool
flights_stand_by(Flights *flights, Flight *flight)
{
	if (flights->nstanding_by >= STANDING_BY_MAX)
		return park_with_customer(flights, flight);
	flights_move_to(flight, &flights->standing_by);
	flights->nstanding_by++;
	return true;
}

HTAB *
customers_make_table(MemoryContext context)
{
	HASHCTL		control = {.keysize = sizeof(CustomerKey), .entrysize = sizeof(Customer), .hcxt = context};

	return hash_create("reengage customers", 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}
