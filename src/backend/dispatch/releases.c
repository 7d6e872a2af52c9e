/*
 * releases.c: see releases.h.
 */
#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/timestamp.h"

#include "dispatch/releases.h"
#include "dispatch/servers.h"
#include "store/store.h"

static bool
is_among(const List *names, const char *name)
{
	ListCell   *cell;

	foreach(cell, names)
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	return false;
}

static List *
copy_names(const List *names, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	List	   *copies = NIL;
	ListCell   *cell;

	foreach(cell, names)
		copies = lappend(copies, pstrdup(lfirst(cell)));
	MemoryContextSwitchTo(old);
	return copies;
}

List *
releases_take(dlist_head *servers, Policies *policies, MemoryContext context)
{
	List	   *released = copy_names(store_take_releases(), context);
	dlist_iter	iter;

	if (released == NIL)
		return NIL;
	policies_forget(policies);
	store_release_held(released);
	dlist_foreach(iter, servers)
	{
		Server	   *server = dlist_container(Server, node, iter.cur);

		if (is_among(released, server->name))
			lanes_rewind_all(&server->lanes, DT_NOBEGIN);
	}
	return released;
}

void
releases_committed(const List *released, Deliveries *deliveries)
{
	dlist_iter	iter;

	if (released == NIL)
		return;
	dlist_foreach(iter, &deliveries->lists[DELIVERY_ENDING])
	{
		Delivery   *delivery = dlist_container(Delivery, node, iter.cur);

		if (!hold_is_released(delivery->end.hold) || !is_among(released, delivery->server->name))
			continue;
		/* its row is due already; the tick passed over it, as it had it in hand */
		if (delivery->written)
			delivery->move_to = DT_NOBEGIN;
		/* sooner than it had to does no harm: whatever holds it is asked again */
		else
			delivery->move_to = Min(delivery->move_to, GetCurrentTimestamp());
	}
}
