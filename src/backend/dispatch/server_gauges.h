/*
 * server_gauges.h: what others may see of servers while an engine calls them.
 */
#ifndef REENGAGE_SERVER_GAUGES_H
#define REENGAGE_SERVER_GAUGES_H

#include "lib/ilist.h"

/* After each turn: into shared memory. */
extern void server_gauges_report(const dlist_head *servers);

#endif
