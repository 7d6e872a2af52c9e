/*
 * delivery_lists.c: the lists that deliveries are in.
 */
#include "postgres.h"

#include "dispatch/deliveries.h"

/*
 * So many outcomes may wait to be written without a place in flight: they are
 * memory, and in doubt after a crash.
 */
#define SET_ASIDE_MAX 1000

void
deliveries_move_to(Delivery *delivery, dlist_head *list)
{
	dlist_delete(&delivery->node);
	dlist_push_tail(list, &delivery->node);
}

void
deliveries_move_all(dlist_head *from, dlist_head *to)
{
	while (!dlist_is_empty(from))
		dlist_push_tail(to, dlist_pop_head_node(from));
}

int
deliveries_length(const dlist_head *list)
{
	dlist_iter	iter;
	int			length = 0;

	dlist_foreach(iter, unconstify(dlist_head *, list))
		length++;
	return length;
}

TimestampTz
deliveries_oldest(const dlist_head *list)
{
	dlist_iter	iter;
	TimestampTz oldest = DT_NOEND;

	dlist_foreach(iter, unconstify(dlist_head *, list))
		oldest = Min(oldest, dlist_container(Delivery, node, iter.cur)->occurred_at);
	return oldest;
}

Delivery **
deliveries_in(dlist_head *list, int *count)
{
	Delivery  **deliveries = palloc(sizeof(Delivery *) * (deliveries_length(list) + 1));
	dlist_iter	iter;

	*count = 0;
	dlist_foreach(iter, list)
		deliveries[(*count)++] = dlist_container(Delivery, node, iter.cur);
	return deliveries;
}

void
delivery_note_made(Delivery *delivery)
{
	delivery->called = true;
	if (delivery->step == STEP_CHECK)
		return;
	delivery->posted = true;
	delivery->nposts++;
	delivery->last_post = delivery->step;
	if (delivery->post.since == 0)
		delivery->post.since = delivery->handed_at;
}

bool
delivery_may_post(const Delivery *delivery)
{
	const Server *server = delivery->server;

	/* a call that is made again follows from no look */
	return server->exists && !server->paused &&
		(delivery->nudge.unresolved || delivery->looked_under == server->version);
}

bool
delivery_has_called(const Delivery *delivery)
{
	return delivery->intent != NULL || delivery->nudge.unresolved;
}

void
deliveries_leave_place(Delivery *delivery)
{
	delivery->server->in_flight--;
	delivery->server->text -= delivery->text;
}

bool
deliveries_may_park(const Server *server, int nparked)
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
deliveries_set_aside(Deliveries *deliveries, Delivery *delivery, dlist_head *list)
{
	deliveries_move_to(delivery, list);
	if (delivery->set_aside || deliveries->nset_aside >= SET_ASIDE_MAX)
		return;
	delivery->set_aside = true;
	deliveries->nset_aside++;
	deliveries_leave_place(delivery);
	forget_text(&delivery->nudge.message);
	forget_text(&delivery->nudge.template);
}

int
deliveries_posting(const Deliveries *deliveries)
{
	int			count = 0;
	dlist_iter	iter;

	dlist_foreach(iter, unconstify(dlist_head *, &deliveries->calling))
		count += dlist_container(Delivery, node, iter.cur)->step != STEP_CHECK;
	return count;
}
