/*
 * queue.c: see queue.h.
 */
#include "postgres.h"

#include "dispatch/queue.h"

void
queue_init(Queue *queue)
{
	dlist_init(&queue->parked);
	queue->count = 0;
	queue->overflowed = false;
}

static bool
is_full(const Queue *queue, const Server *server)
{
	/* whatever is in hand and has no place */
	int			parked = server->in_hand - server->ready - server->in_flight;

	return queue->count >= QUEUE_MAX || parked >= QUEUES_OF_SERVER_MAX;
}

Entry
queue_park(Queue *queue, Deliveries *deliveries, Delivery *delivery)
{
	if (is_full(queue, delivery->server))
	{
		queue->overflowed = true;
		return ENTRY_CROWDED;
	}
	delivery_park(deliveries, delivery, &queue->parked);
	queue->count++;
	return ENTRY_PARKED;
}

Delivery *
queue_next(Queue *queue, Deliveries *deliveries)
{
	Delivery   *next;

	if (dlist_is_empty(&queue->parked))
		return NULL;
	next = dlist_head_element(Delivery, node, &queue->parked);
	delivery_move(deliveries, next, DELIVERY_READY);
	queue->count--;
	return next;
}

void
queue_close(const Queue *queue, Server *server)
{
	if (queue->overflowed)
		lanes_rewind_all(&server->lanes, DT_NOBEGIN);
}

void
queue_append(Queue *to, Queue *from)
{
	while (!dlist_is_empty(&from->parked))
		dlist_push_tail(&to->parked, dlist_pop_head_node(&from->parked));
	to->count += from->count;
	to->overflowed |= from->overflowed;
}
