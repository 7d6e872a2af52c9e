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
		count += dlist_container(Flight, node, iter.cur)->server == server;
	return count;
}

/* Is a nudge of this server on its way? */
static bool
is_tried(const Flights *flights, const Server *server)
{
	return count_of(&flights->calling, server) + count_of(&flights->to_start, server) +
		count_of(&flights->to_post, server) > 0;
}

static bool
waits(const Server *server)
{
	return server->exists && !server->paused && trouble_is_probing(&server->trouble);
}

/* One that flies under an intent still has it on disk, as if it were on the wire. */
static bool
may_wait(const Flight *flight, Monotonic now)
{
	return flight->intent == NULL &&
		monotonic_ms_until(flight->server->trouble.until, now) <= LOOK_IS_YOUNG_MS;
}

static void
rest(Flights *flights, Flight *flight)
{
	if (flight->intent == NULL)
		flights_move_to(flight, &flights->resting);
	else
		flights_put_back(flights, flight, flight->due_at, NULL);
}

/* Has one before this place been let go to the same server? */
static bool
has_gone(Flight **wanting, const bool *goes, int place)
{
	for (int i = 0; i < place; i++)
		if (goes[i] && wanting[i]->server == wanting[place]->server)
			return true;
	return false;
}

void
turns_sort(Flights *flights, Monotonic now, bool closing)
{
	int			count;
	Flight	  **wanting;
	bool	   *goes;

	/* who waited longest comes first */
	flights_move_all(&flights->to_intend, &flights->resting);
	flights_move_all(&flights->resting, &flights->to_intend);
	wanting = flights_in(&flights->to_intend, &count);
	goes = palloc0(sizeof(bool) * (count + 1));
	for (int i = 0; i < count && !closing; i++)
	{
		Server	   *server = wanting[i]->server;
		bool		alone = trouble_is_left_alone(&server->trouble, now);

		if (!waits(server))
			continue;
		if (alone && !may_wait(wanting[i], now))
			flights_put_back(flights, wanting[i], wanting[i]->due_at, NULL);
		else if (alone || is_tried(flights, server) || has_gone(wanting, goes, i))
			rest(flights, wanting[i]);
		else
			goes[i] = true;
	}
}

Monotonic
turns_next(const Flights *flights, Monotonic now)
{
	Monotonic	next = MONOTONIC_NEVER;
	dlist_iter	iter;

	dlist_foreach(iter, unconstify(dlist_head *, &flights->resting))
	{
		const Server *server = dlist_container(Flight, node, iter.cur)->server;

		if (trouble_is_left_alone(&server->trouble, now))
			next = monotonic_earlier(next, server->trouble.until);
		else if (!waits(server) || !is_tried(flights, server))
			next = monotonic_earlier(next, now);
	}
	return next;
}

void
turns_give_up(Flights *flights, const char *waiting_for)
{
	int			count;
	Flight	  **waiting;

	flights_move_all(&flights->to_start, &flights->to_intend);
	waiting = flights_in(&flights->to_intend, &count);
	for (int i = 0; i < count; i++)
		flights_put_back(flights, waiting[i], waiting[i]->due_at, waiting_for);
}
