/*
 * queue.c: the calls that wait for a server, in their order.
 */
#include "queue.h"

#include <stdbool.h>
#include <stddef.h>

/* What allowed a message, and its look, grow old: it goes before all looks. */
static bool
goes_before(const Call *one, const Call *other)
{
	bool		looks = one->message.step == STEP_CHECK;
	bool		other_looks = other->message.step == STEP_CHECK;

	return looks != other_looks ? other_looks : one->message.priority < other->message.priority;
}

static void
put_at(Call **place, Call *call)
{
	call->next = *place;
	*place = call;
}

void
queue_put(Call **first, Call *call)
{
	Call	  **place = first;

	while (*place != NULL && !goes_before(call, *place))
		place = &(*place)->next;
	put_at(place, call);
}

void
queue_put_again(Call **first, Call *call)
{
	Call	  **place = first;

	while (*place != NULL && (*place)->requests_sent >= call->requests_sent)
		place = &(*place)->next;
	put_at(place, call);
}

Call *
queue_take(Call **first)
{
	Call	   *call = *first;

	*first = call->next;
	return call;
}
