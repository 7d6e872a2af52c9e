/*
 * releases.h: nudges are held by policies and doubts until people decide
 * otherwise.  Whoever decides writes the server into reengage.releases, and
 * touches no nudge: the engine lets go of them.
 */
#ifndef REENGAGE_RELEASES_H
#define REENGAGE_RELEASES_H

#include "dispatch/deliveries.h"
#include "dispatch/policies.h"

/*
 * In a tick, once it has written what is to be held: makes due what is held at
 * the servers of which something was decided, and forgets the policies.  Returns
 * these servers, a List of char pointers in "context", which outlives the tick.
 */
extern List *releases_take(dlist_head *servers, Policies *policies, MemoryContext context);

/*
 * After its commit, and before what it wrote is let go of: what it held and
 * released itself is looked at again, likewise what it had no room to write.
 */
extern void releases_committed(const List *released, Deliveries *deliveries);

#endif
