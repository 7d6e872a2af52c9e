/*
 * flight_lists.c: the lists that flights are in.
 */
#include "postgres.h"

#include "flights.h"

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
