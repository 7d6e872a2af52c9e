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

static void
rewind_servers(dlist_head *servers, const List *released)
{
	dlist_iter	iter;

	dlist_foreach(iter, servers)
	{
		Server	   *server = dlist_container(Server, node, iter.cur);

		if (is_among(released, server->name))
			lanes_rewind_all(&server->lanes, DT_NOBEGIN);
	}
}

List *
releases_take(dlist_head *servers, Policies *policies, MemoryContext context)
{
	List	   *released = copy_names(store_take_releases(), context);

	if (released == NIL)
		return NIL;
	policies_forget(policies);
	store_release_held(released);
	rewind_servers(servers, released);
	return released;
}

void
releases_committed(dlist_head *servers, const List *released, Deliveries *deliveries)
{
	dlist_iter	iter;

	if (released == NIL)
		return;
	/* the tick passed over rows that it had in hand, and has let go of by now */
	rewind_servers(servers, released);
	dlist_foreach(iter, &deliveries->lists[DELIVERY_ENDING])
	{
		Delivery   *delivery = dlist_container(Delivery, node, iter.cur);

		/* sooner than it had to does no harm: whatever holds it is asked again */
		if (hold_is_released(delivery->end.hold) && is_among(released, delivery->server->name))
			delivery->move_to = Min(delivery->move_to, GetCurrentTimestamp());
	}
}
