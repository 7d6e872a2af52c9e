/*
 * turns.c: waiting for a server, with a look at the conversation in hand.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "dispatch/last_word.h"
#include "dispatch/turns.h"

static int
count_of(const dlist_head *list, const Server *server)
{
	dlist_iter	iter;
	int			count = 0;

	dlist_foreach(iter, unconstify(dlist_head *, list))
		count += dlist_container(Delivery, node, iter.cur)->server == server;
	return count;
}

/* Is a nudge of this server on its way? */
static bool
is_tried(const Deliveries *deliveries, const Server *server)
{
	return count_of(&deliveries->calling, server) + count_of(&deliveries->to_start, server) +
		count_of(&deliveries->to_post, server) > 0;
}

static bool
waits(const Server *server)
{
	return server->exists && !server->paused && breaker_is_half_open(&server->breaker);
}

/* One that is under an intent still has it on disk, as if it were on the wire. */
static bool
may_wait(const Delivery *delivery, Monotonic now)
{
	return delivery->intent == NULL &&
		monotonic_ms_until(delivery->server->breaker.until, now) <= LOOK_IS_YOUNG_MS;
}

static void
rest(Deliveries *deliveries, Delivery *delivery)
{
	if (delivery->intent == NULL)
		deliveries_move_to(delivery, &deliveries->resting);
	else
		deliveries_put_back(deliveries, delivery, delivery->due_at, NULL);
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
	deliveries_move_all(&deliveries->to_intend, &deliveries->resting);
	deliveries_move_all(&deliveries->resting, &deliveries->to_intend);
	wanting = deliveries_in(&deliveries->to_intend, &count);
	goes = palloc0(sizeof(bool) * (count + 1));
	for (int i = 0; i < count && !closing; i++)
	{
		Server	   *server = wanting[i]->server;
		bool		alone = breaker_is_open(&server->breaker, now);

		if (!waits(server))
			continue;
		if (alone && !may_wait(wanting[i], now))
			deliveries_put_back(deliveries, wanting[i], wanting[i]->due_at, NULL);
		else if (alone || is_tried(deliveries, server) || has_gone(wanting, goes, i))
			rest(deliveries, wanting[i]);
		else
			goes[i] = true;
	}
}

Monotonic
turns_next(const Deliveries *deliveries, Monotonic now)
{
	Monotonic	next = MONOTONIC_NEVER;
	dlist_iter	iter;

	dlist_foreach(iter, unconstify(dlist_head *, &deliveries->resting))
	{
		const Server *server = dlist_container(Delivery, node, iter.cur)->server;

		if (breaker_is_open(&server->breaker, now))
			next = monotonic_earlier(next, server->breaker.until);
		else if (!waits(server) || !is_tried(deliveries, server))
			next = monotonic_earlier(next, now);
	}
	return next;
}

void
turns_give_up(Deliveries *deliveries, const char *waiting_for)
{
	int			count;
	Delivery  **waiting;

	deliveries_move_all(&deliveries->to_start, &deliveries->to_intend);
	waiting = deliveries_in(&deliveries->to_intend, &count);
	for (int i = 0; i < count; i++)
		deliveries_put_back(deliveries, waiting[i], waiting[i]->due_at, waiting_for);
}
