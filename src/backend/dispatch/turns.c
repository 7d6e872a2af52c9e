/*
 * turns.c: waiting for a server, with a look at the conversation in hand.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "dispatch/turns.h"
#include "last_word.h"

/* Is a nudge of this server on its way? */
static bool
is_tried(const Deliveries *deliveries, const Server *server)
{
	return deliveries_count(deliveries, DELIVERY_CHECK_WANTED, server) > 0 ||
		deliveries_count(deliveries, DELIVERY_CHECKING, server) > 0 ||
		deliveries_count(deliveries, DELIVERY_INTENDED, server) > 0 ||
		deliveries_count(deliveries, DELIVERY_POSTING, server) > 0;
}

static bool
server_is_waiting(const Server *server)
{
	return server->exists && !server->paused && !circuit_is_closed(&server->breaker.circuit);
}

/* One that is under an intent still has it on disk, as if it were on the wire. */
static bool
may_wait(const Delivery *delivery, Monotonic now)
{
	return delivery->intent == NULL &&
		monotonic_ms_until(delivery->server->breaker.circuit.until, now) <= LOOK_IS_YOUNG_MS;
}

static void
wait_for_server(Deliveries *deliveries, Delivery *delivery)
{
	if (delivery->intent == NULL)
		delivery_move(deliveries, delivery, DELIVERY_WAITING_SERVER);
	else
		deliveries_put_back(deliveries, delivery, delivery->due_at, HOLD_NONE, NULL);
}

/* Has one before this place been let go to the same server? */
static bool
has_gone(Delivery **wanting, const bool *goes, int place)
{
	for (int i = 0; i < place; i++)
		if (goes[i] && wanting[i]->server == wanting[place]->server)
			return true;
	return false;
}

void
turns_sort(Deliveries *deliveries, Monotonic now, bool closing)
{
	int			count;
	Delivery  **wanting;
	bool	   *goes;

	/* who waited longest comes first */
	deliveries_move_all(deliveries, DELIVERY_POST_WANTED, DELIVERY_WAITING_SERVER);
	deliveries_move_all(deliveries, DELIVERY_WAITING_SERVER, DELIVERY_POST_WANTED);
	wanting = deliveries_in(deliveries, DELIVERY_POST_WANTED, &count);
	goes = palloc0(sizeof(bool) * (count + 1));
	for (int i = 0; i < count && !closing; i++)
	{
		Server	   *server = wanting[i]->server;
		bool		alone = circuit_is_open(&server->breaker.circuit, now);

		if (!server_is_waiting(server))
			continue;
		if (alone && !may_wait(wanting[i], now))
			deliveries_put_back(deliveries, wanting[i], wanting[i]->due_at, HOLD_NONE, NULL);
		else if (alone || is_tried(deliveries, server) || has_gone(wanting, goes, i))
			wait_for_server(deliveries, wanting[i]);
		else
			goes[i] = true;
	}
}

Monotonic
turns_next(const Deliveries *deliveries, Monotonic now)
{
	Monotonic	next = MONOTONIC_NEVER;
	dlist_iter	iter;

	dlist_foreach(iter, unconstify(dlist_head *, &deliveries->lists[DELIVERY_WAITING_SERVER]))
	{
		const Server *server = dlist_container(Delivery, node, iter.cur)->server;

		if (circuit_is_open(&server->breaker.circuit, now))
			next = monotonic_earlier(next, server->breaker.circuit.until);
		else if (!server_is_waiting(server) || !is_tried(deliveries, server))
			next = monotonic_earlier(next, now);
	}
	return next;
}

static void
put_back_all(Deliveries *deliveries, DeliveryState state, Hold hold)
{
	int			count;
	Delivery  **waiting = deliveries_in(deliveries, state, &count);

	for (int i = 0; i < count; i++)
		deliveries_put_back(deliveries, waiting[i], waiting[i]->due_at, hold, NULL);
}

void
turns_give_up(Deliveries *deliveries, Hold hold)
{
	put_back_all(deliveries, DELIVERY_CHECK_WANTED, hold);
	put_back_all(deliveries, DELIVERY_POST_WANTED, hold);
}
