/*
 * meant_node.h: a front says at which node of a fleet it means to be.
 */
#ifndef REENGAGE_MEANT_NODE_H
#define REENGAGE_MEANT_NODE_H

/*
 * To be asked once for each statement by whoever takes something in: an error where
 * reengage.meant_node names another node, cluster or database, or this is a copy of it.
 */
extern void require_meant_node(void);

#endif
