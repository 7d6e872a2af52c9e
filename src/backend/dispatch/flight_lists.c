/*
 * flight_lists.c: the lists that flights are in.
 */
#include "postgres.h"

#include "dispatch/flights.h"

/*
 * So many outcomes may wait to be written without a place in flight: they are
 * memory, and in doubt after a crash.
 */
#define SET_ASIDE_MAX 1000

void
flights_move_to(Flight *flight, dlist_head *list)
{
	dlist_delete(&flight->node);
	dlist_push_tail(list, &flight->node);
}

void
flights_move_all(dlist_head *from, dlist_head *to)
{
	while (!dlist_is_empty(from))
		dlist_push_tail(to, dlist_pop_head_node(from));
}

int
flights_length(const dlist_head *list)
{
	dlist_iter	iter;
	int			length = 0;

	dlist_foreach(iter, unconstify(dlist_head *, list))
		length++;
	return length;
}

TimestampTz
flights_oldest(const dlist_head *list)
{
	dlist_iter	iter;
	TimestampTz oldest = DT_NOEND;

	dlist_foreach(iter, unconstify(dlist_head *, list))
		oldest = Min(oldest, dlist_container(Flight, node, iter.cur)->occurred_at);
	return oldest;
}

Flight **
flights_in(dlist_head *list, int *count)
{
	Flight	  **flights = palloc(sizeof(Flight *) * (flights_length(list) + 1));
	dlist_iter	iter;

	*count = 0;
	dlist_foreach(iter, list)
		flights[(*count)++] = dlist_container(Flight, node, iter.cur);
	return flights;
}

void
flight_note_made(Flight *flight)
{
	flight->called = true;
	if (flight->step == STEP_CHECK)
		return;
	flight->posted = true;
	flight->nposts++;
	flight->last_post = flight->step;
	if (flight->post.since == 0)
		flight->post.since = flight->handed_at;
}

bool
flight_may_post(const Flight *flight)
{
	const Server *server = flight->server;

	/* a call that is made again follows from no look */
	return server->exists && !server->paused &&
		(flight->nudge.unresolved || flight->looked_under == server->version);
}

bool
flight_has_called(const Flight *flight)
{
	return flight->intent != NULL || flight->nudge.unresolved;
}

void
flights_leave_place(Flight *flight)
{
	flight->server->in_flight--;
	flight->server->text -= flight->text;
}

bool
flights_may_park(const Server *server, int nparked)
{
	/* whatever is in hand and has no place */
	int			parked = server->in_hand - server->ready - server->in_flight;

	return nparked < PARKED_MAX && parked < PARKED_OF_SERVER_MAX;
}

/* It is not sent any more. */
static void
forget_text(const char **text)
{
	if (*text != NULL)
		pfree(unconstify(char *, *text));
	*text = NULL;
}

void
flights_set_aside(Flights *flights, Flight *flight, dlist_head *list)
{
	flights_move_to(flight, list);
	if (flight->set_aside || flights->nset_aside >= SET_ASIDE_MAX)
		return;
	flight->set_aside = true;
	flights->nset_aside++;
	flights_leave_place(flight);
	forget_text(&flight->nudge.message);
	forget_text(&flight->nudge.template);
}

int
flights_posting(const Flights *flights)
{
	int			count = 0;
	dlist_iter	iter;

	dlist_foreach(iter, unconstify(dlist_head *, &flights->calling))
		count += dlist_container(Flight, node, iter.cur)->step != STEP_CHECK;
	return count;
}
