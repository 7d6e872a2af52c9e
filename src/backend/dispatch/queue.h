/*
 * queue.h: who is under way alone, and who is parked until that is over.
 */
#ifndef REENGAGE_QUEUE_H
#define REENGAGE_QUEUE_H

#include "dispatch/delivery.h"

/*
 * How many may wait behind one nudge, and behind all of a server: the rest waits
 * in the schedule, so that a thousand nudges of one conversation cost a megabyte
 * and a million no more, nor do millions of a thousand conversations cost ten.
 */
#define QUEUE_MAX 1024
#define QUEUES_OF_SERVER_MAX (8 * QUEUE_MAX)

/* Of a thread, or of a customer. */
typedef struct Queue
{
	dlist_head	parked;
	int			count;
	bool		overflowed;		/* and some more wait in the schedule */
} Queue;

/* What became of a delivery that wanted a thread or a customer for itself. */
typedef enum Entry
{
	ENTRY_TAKEN,				/* it has it, or there is nothing to take */
	ENTRY_PARKED,				/* until the one that has it has let go of it */
	ENTRY_CROWDED				/* too many are parked already: it waits in the schedule */
} Entry;

extern void queue_init(Queue *queue);

/* PARKED or CROWDED. */
extern Entry queue_park(Queue *queue, Deliveries *deliveries, Delivery *delivery);

/* The one that waited longest may be loaded, and has what it waited for.  NULL: there is none. */
extern Delivery *queue_next(Queue *queue, Deliveries *deliveries);

/* Nobody is left in it: those that wait in the schedule are to be found again. */
extern void queue_close(const Queue *queue, Server *server);

/* Those of one go on waiting in another. */
extern void queue_append(Queue *to, Queue *from);

#endif
