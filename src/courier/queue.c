/*
 * queue.c: the calls that wait for a server, in their order.
 *
 * Hundreds may wait while others come and go, so none of this walks over them,
 * but for a look for late ones when there may be some.
 */
#include "queue.h"

#include <stddef.h>
#include <strings.h>

#define AGAIN 0

/* What allowed a message, and its look, grow old: it goes before all looks. */
static int
list_of(const Call *call)
{
	int64_t		priority = call->message.priority;

	if (priority < 0 || priority >= PRIORITIES)
		priority = PRIORITIES - 1;
	return AGAIN + 1 + (call->message.step == STEP_CHECK ? PRIORITIES : 0) + (int) priority;
}

/* A look that waits for another token has time. */
static int64_t
late_at_ms(const Call *call)
{
	bool		has_time = call->message.step == STEP_CHECK && call->requests_sent > 0;

	return has_time || call->begin_by_ms < call->leave_by_ms ? call->begin_by_ms : call->leave_by_ms;
}

/* Behind a call of that list; NULL: before all of them. */
static void
put_behind(Queue *queue, int list, Call *before, Call *call)
{
	Call	  **place = before != NULL ? &before->next : &queue->lists[list].first;

	call->next = *place;
	*place = call;
	if (call->next == NULL)
		queue->lists[list].last = call;
	queue->occupied |= 1u << list;
	if (late_at_ms(call) < queue->late_at_ms)
		queue->late_at_ms = late_at_ms(call);
}

void
queue_put(Queue *queue, Call *call)
{
	int			list = list_of(call);

	put_behind(queue, list, queue->lists[list].last, call);
}

void
queue_put_again(Queue *queue, Call *call)
{
	Call	   *before = NULL;

	for (Call *other = queue->lists[AGAIN].first;
		 other != NULL && other->requests_sent >= call->requests_sent; other = other->next)
		before = other;
	put_behind(queue, AGAIN, before, call);
}

Call *
queue_first(const Queue *queue)
{
	return queue->occupied != 0 ? queue->lists[ffs((int) queue->occupied) - 1].first : NULL;
}

/* Takes out the one behind another of that list; NULL: the first one. */
static Call *
take_behind(Queue *queue, int list, Call *before)
{
	Call	  **place = before != NULL ? &before->next : &queue->lists[list].first;
	Call	   *call = *place;

	*place = call->next;
	if (call->next == NULL)
		queue->lists[list].last = before;
	if (queue->lists[list].first == NULL)
		queue->occupied &= ~(1u << list);
	if (queue->occupied == 0)
		queue->late_at_ms = INT64_MAX;
	call->next = NULL;
	return call;
}

Call *
queue_take(Queue *queue)
{
	return take_behind(queue, ffs((int) queue->occupied) - 1, NULL);
}

void
queue_expire_messages(Queue *queue)
{
	for (int list = 0; list < LISTS; list++)
		for (Call *call = queue->lists[list].first; call != NULL; call = call->next)
			if (call->leave_by_ms != INT64_MAX)
				call->leave_by_ms = 0;
	queue->late_at_ms = 0;
}

/* Takes the late ones out of a list, to the end of a chain; returns its new end. */
static Call **
take_late_of(Queue *queue, int list, int64_t now_ms, Call **end)
{
	Call	   *before = NULL;
	Call	   *call = queue->lists[list].first;

	while (call != NULL)
	{
		Call	   *next = call->next;

		if (late_at_ms(call) <= now_ms)
		{
			*end = take_behind(queue, list, before);
			end = &call->next;
		}
		else
		{
			if (late_at_ms(call) < queue->late_at_ms)
				queue->late_at_ms = late_at_ms(call);
			before = call;
		}
		call = next;
	}
	return end;
}

Call *
queue_take_late(Queue *queue, int64_t now_ms)
{
	Call	   *late = NULL;
	Call	  **end = &late;

	if (queue->late_at_ms > now_ms)
		return NULL;
	queue->late_at_ms = INT64_MAX;
	for (int list = 0; list < LISTS; list++)
		end = take_late_of(queue, list, now_ms, end);
	return late;
}
