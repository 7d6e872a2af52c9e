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

/* Takes the customer for the delivery.  If another one has it, the result is that. */
static Customer *
take_customer(Deliveries *deliveries, Delivery *delivery, const char *hash)
{
	CustomerKey key = customer_key(delivery->server, hash);
	bool		found;
	Customer   *customer = hash_search(deliveries->customers, &key, HASH_ENTER, &found);

	if (found)
		return customer;
	dlist_init(&customer->parked);
	customer->nparked = 0;
	customer->overflowed = false;
	delivery->customer = customer;
	return NULL;
}

/* One that stands by for the customer has a look in hand, which grows old. */
static Delivery *
next_standing_by(Deliveries *deliveries, const Customer *customer)
{
	dlist_iter	iter;

	dlist_foreach(iter, &deliveries->standing_by)
	{
		Delivery   *delivery = dlist_container(Delivery, node, iter.cur);
		CustomerKey key = customer_key(delivery->server, delivery->post.address_hash);

		if (memcmp(&key, &customer->key, sizeof(key)) == 0)
			return delivery;
	}
	return NULL;
}

/* Passes the customer on to the one that waited longest. */
void
deliveries_leave_customer(Deliveries *deliveries, Delivery *delivery)
{
	Customer   *customer = delivery->customer;
	Delivery   *next = next_standing_by(deliveries, customer);

	delivery->customer = NULL;
	if (next != NULL)
	{
		next->customer = customer;
		deliveries->nstanding_by--;
		deliveries_move_to(next, &deliveries->to_intend);
	}
	else if (!dlist_is_empty(&customer->parked))
	{
		next = dlist_container(Delivery, node, dlist_pop_head_node(&customer->parked));
		customer->nparked--;
		next->customer = customer;
		deliveries_make_ready(deliveries, next);
	}
	else
	{
		if (customer->overflowed)
			lanes_rewind_all(&customer->key.server->lanes, DT_NOBEGIN);
		hash_search(deliveries->customers, &customer->key, HASH_REMOVE, NULL);
	}
}

void
deliveries_name_customer(Deliveries *deliveries, Delivery *delivery, const char *hash)
{
	const char *named = delivery->post.address_hash;

	if (hash == named || (hash != NULL && named != NULL && strcmp(hash, named) == 0))
		return;
	if (delivery->customer != NULL)
		deliveries_leave_customer(deliveries, delivery);
	delivery->post.address_hash = delivery_keep(delivery, hash);
}

bool
deliveries_take_customer(Deliveries *deliveries, Delivery *delivery)
{
	return delivery->post.address_hash == NULL || delivery->customer != NULL ||
		take_customer(deliveries, delivery, delivery->post.address_hash) == NULL;
}

static void
park(Delivery *delivery, Customer *customer)
{
	dlist_push_tail(&customer->parked, &delivery->node);
	customer->nparked++;
}

OwnCustomer
deliveries_take_own_customer(Deliveries *deliveries, Delivery *delivery, const LoadedNudge *nudge)
{
	Customer   *busy;

	if (nudge->unresolved || delivery->customer != NULL || nudge->own_address_hash == NULL)
		return OWN_CUSTOMER_TAKEN;
	busy = take_customer(deliveries, delivery, nudge->own_address_hash);
	if (busy == NULL)
		return OWN_CUSTOMER_TAKEN;
	if (!deliveries_may_park(delivery->server, busy->nparked))
	{
		busy->overflowed = true;
		return OWN_CUSTOMER_CROWDED;
	}
	park(delivery, busy);
	return OWN_CUSTOMER_PARKED;
}

const char *
delivery_customer_hash(const Delivery *delivery)
{
	return delivery->customer != NULL ? delivery->customer->key.hash : NULL;
}

/* All but its place in the schedule is forgotten, and its place in flight is free. */
static void
forget_attempt(Deliveries *deliveries, Delivery *delivery)
{
	Delivery		rest = {
		.nudge_id = delivery->nudge_id,
		.server = delivery->server,
		.priority = delivery->priority,
		.urgency = delivery->urgency,
		.due_at = delivery->due_at,
		.calls_before = delivery->api_calls - delivery->nudge.api_calls,
		.counted_at = delivery->counted_at,
		.thread = delivery->thread,
	};

	memcpy(rest.asker, delivery->asker, NAMEDATALEN);
	deliveries_leave_place(delivery);
	deliveries->under_way--;
	MemoryContextDelete(delivery->memory);
	*delivery = rest;
}

static bool
park_with_customer(Deliveries *deliveries, Delivery *delivery)
{
	CustomerKey key = customer_key(delivery->server, delivery->post.address_hash);
	Customer   *customer = hash_search(deliveries->customers, &key, HASH_FIND, NULL);

	/* what has called is written down before anything else happens to it */
	if (customer == NULL || !deliveries_may_park(delivery->server, customer->nparked) || delivery->intent != NULL ||
		delivery->posted)
		return false;
	dlist_delete(&delivery->node);
	forget_attempt(deliveries, delivery);
	park(delivery, customer);
	return true;
}

bool
deliveries_stand_by(Deliveries *deliveries, Delivery *delivery)
{
	if (deliveries->nstanding_by >= STANDING_BY_MAX)
		return park_with_customer(deliveries, delivery);
	deliveries_move_to(delivery, &deliveries->standing_by);
	deliveries->nstanding_by++;
	return true;
}

HTAB *
customers_make_table(MemoryContext context)
{
	HASHCTL		control = {.keysize = sizeof(CustomerKey), .entrysize = sizeof(Customer), .hcxt = context};

	return hash_create("reengage customers", 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}
