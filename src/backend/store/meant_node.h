/*
 * meant_node.h: a front says at which node of a fleet it means to be.
 */
#ifndef REENGAGE_MEANT_NODE_H
#define REENGAGE_MEANT_NODE_H

#include "postgres.h"

#include "commands/trigger.h"

/*
 * To be asked once for each statement by whoever takes something in: an error where
 * reengage.meant_node names another node, cluster or database, or this is a copy of it.
 */
extern void require_meant_node(void);

/*
 * A row of a front, whose values are at hand, with -infinity in this place is due now:
 * the front's own clock may be another.  To be called BEFORE INSERT.
 */
extern void meant_node_make_due(TriggerData *trigger, int place);

#endif
