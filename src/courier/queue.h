/*
 * queue.h: the calls that wait for a server, in their order.
 */
#ifndef COURIER_QUEUE_H
#define COURIER_QUEUE_H

#include "call.h"

/* 0 goes first; the worker knows no others. */
#define PRIORITIES 10

/* Those that were sent before, messages of each priority, looks of each. */
#define LISTS (1 + 2 * PRIORITIES)

typedef struct CallList
{
	Call	   *first;
	Call	   *last;
} CallList;

/* All zero: none waits. */
typedef struct Queue
{
	CallList	lists[LISTS];	/* the first one's calls go first */
	unsigned	occupied;		/* a bit for each list with calls */
	int64_t		late_at_ms;		/* none of them is late before */
} Queue;

/* Behind all that are as urgent. */
extern void queue_put(Queue *queue, Call *call);

/*
 * Before all that were not tried as often: a token that is good for few calls
 * must not be used up by others each time.
 */
extern void queue_put_again(Queue *queue, Call *call);

/* The one that goes next; NULL: none waits. */
extern Call *queue_first(const Queue *queue);

/* Takes it out; there is one. */
extern Call *queue_take(Queue *queue);

/* Those that may not go because of what was seen before: they are late now. */
extern void queue_expire_messages(Queue *queue);

/*
 * Takes out those whose nudge expired while they waited for their turn, and
 * those that waited for too long since somebody asked whether they may go: a
 * chain by "next".
 */
extern Call *queue_take_late(Queue *queue, int64_t now_ms);

#endif
