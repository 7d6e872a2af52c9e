/*
 * customers.c: see customers.h.
 */
#include "postgres.h"

#include "base/address_hash.h"
#include "dispatch/customers.h"

/* How many may wait with what they have found: each holds a place in flight. */
#define WAITING_MAX 8

/* Padded with zeros, as it is hashed whole. */
typedef struct CustomerKey
{
	Server	   *server;
	char		address_hash[ADDRESS_HASH_LENGTH + 1];
} CustomerKey;

struct Customer
{
	CustomerKey key;
	Queue		queue;			/* until the one that has it lets go of it */
};

HTAB *
customers_make_table(MemoryContext context)
{
	HASHCTL		control = {.keysize = sizeof(CustomerKey), .entrysize = sizeof(Customer), .hcxt = context};

	return hash_create("reengage customers", 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static CustomerKey
customer_key(const Server *server, const char *address_hash)
{
	CustomerKey key;

	memset(&key, 0, sizeof(key));
	key.server = unconstify(Server *, server);
	memcpy(key.address_hash, address_hash, strnlen(address_hash, sizeof(key.address_hash) - 1));
	return key;
}

/* Takes the customer for the delivery.  If another one has it, the result is that. */
static Customer *
take_customer(Deliveries *deliveries, Delivery *delivery, const char *address_hash)
{
	CustomerKey key = customer_key(delivery->server, address_hash);
	bool		found;
	Customer   *customer = hash_search(deliveries->customers, &key, HASH_ENTER, &found);

	if (found)
		return customer;
	queue_init(&customer->queue);
	delivery->customer = customer;
	return NULL;
}

Entry
customers_take_own(Deliveries *deliveries, Delivery *delivery, const LoadedNudge *nudge)
{
	Customer   *busy;

	if (nudge->unresolved || delivery->customer != NULL || nudge->own_address_hash == NULL)
		return ENTRY_TAKEN;
	busy = take_customer(deliveries, delivery, nudge->own_address_hash);
	return busy == NULL ? ENTRY_TAKEN : queue_park(&busy->queue, deliveries, delivery);
}

bool
customers_are_free(const Deliveries *deliveries, const Delivery *delivery)
{
	CustomerKey key;

	if (delivery->post.address_hash == NULL || delivery->customer != NULL)
		return true;
	key = customer_key(delivery->server, delivery->post.address_hash);
	return hash_search(deliveries->customers, &key, HASH_FIND, NULL) == NULL;
}

void
customers_take(Deliveries *deliveries, Delivery *delivery)
{
	if (delivery->post.address_hash != NULL && delivery->customer == NULL)
		(void) take_customer(deliveries, delivery, delivery->post.address_hash);
}

/* One that waits with a look in hand comes first, as the look grows old. */
static Delivery *
next_waiting(Deliveries *deliveries, const Customer *customer)
{
	dlist_iter	iter;

	dlist_foreach(iter, &deliveries->lists[DELIVERY_WAITING_CUSTOMER])
	{
		Delivery   *delivery = dlist_container(Delivery, node, iter.cur);
		CustomerKey key = customer_key(delivery->server, delivery->post.address_hash);

		if (memcmp(&key, &customer->key, sizeof(key)) == 0)
			return delivery;
	}
	return NULL;
}

void
customers_leave(Deliveries *deliveries, Delivery *delivery)
{
	Customer   *customer = delivery->customer;
	Delivery   *next;

	if (customer == NULL)
		return;
	delivery->customer = NULL;
	next = next_waiting(deliveries, customer);
	if (next != NULL)
		delivery_move(deliveries, next, DELIVERY_POST_WANTED);
	else
		next = queue_next(&customer->queue, deliveries);
	if (next != NULL)
	{
		next->customer = customer;
		return;
	}
	queue_close(&customer->queue, customer->key.server);
	hash_search(deliveries->customers, &customer->key, HASH_REMOVE, NULL);
}

void
customers_name(Deliveries *deliveries, Delivery *delivery, const char *address_hash)
{
	const char *named = delivery->post.address_hash;

	if (address_hash == named || (address_hash != NULL && named != NULL && strcmp(address_hash, named) == 0))
		return;
	customers_leave(deliveries, delivery);
	delivery->post.address_hash = delivery_keep(delivery, address_hash);
}

const char *
customer_address_hash(const Delivery *delivery)
{
	return delivery->customer != NULL ? delivery->customer->key.address_hash : NULL;
}

static bool
park_with_customer(Deliveries *deliveries, Delivery *delivery)
{
	CustomerKey key = customer_key(delivery->server, delivery->post.address_hash);
	Customer   *customer = hash_search(deliveries->customers, &key, HASH_FIND, NULL);

	/* what has called is written down before anything else happens to it */
	return customer != NULL && delivery->intent == NULL && !delivery->posted &&
		queue_park(&customer->queue, deliveries, delivery) == ENTRY_PARKED;
}

bool
customers_wait(Deliveries *deliveries, Delivery *delivery)
{
	if (deliveries->counts[DELIVERY_WAITING_CUSTOMER] >= WAITING_MAX)
		return park_with_customer(deliveries, delivery);
	delivery_move(deliveries, delivery, DELIVERY_WAITING_CUSTOMER);
	return true;
}
