/*
 * wakes.h: what became due, as sessions tell it the worker.
 *
 * Of a bounded size, as it lies in shared memory: where it does not suffice,
 * "everybody" stands for all that were left out.
 *
 * Only the data: a transaction gathers it, and at its commit leaves it to the
 * worker and sets its latch, in hooks of shmem.c.
 */
#ifndef REENGAGE_WAKES_H
#define REENGAGE_WAKES_H

#include "postgres.h"

#include "datatype/timestamp.h"

#define WAKES_MAX 16

/* A role's nudges at a server. */
typedef struct Wake
{
	char		server[NAMEDATALEN];
	char		asker[NAMEDATALEN];
	uint16		priorities;		/* a bit for each */
	TimestampTz due_at;			/* from then on */
} Wake;

typedef struct Wakes
{
	TimestampTz everybody;		/* whoever asked for it; DT_NOEND: nobody is left out */
	bool		any;			/* there is something to tell */
	bool		news;			/* there is something to do for a fleet: process/news.h */
	int			count;
	Wake		list[WAKES_MAX];
} Wakes;

/* Everything is to be read again, or nothing: there is other news. */
extern const Wakes wake_everybody;
extern const Wakes wake_nobody;

extern void wakes_init(Wakes *wakes);

/* None of these raises an error or allocates memory. */
extern void wakes_add_everybody(Wakes *wakes, TimestampTz due_at);
extern void wakes_add(Wakes *wakes, const Wake *wake);
extern void wakes_add_news(Wakes *wakes);
extern void wakes_add_all(Wakes *wakes, const Wakes *more);

#endif
