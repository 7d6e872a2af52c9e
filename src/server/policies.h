/*
 * policies.h: whom nudges may reach, when and how often.
 */
#ifndef REENGAGE_POLICIES_H
#define REENGAGE_POLICIES_H

#include "flights.h"
#include "gates.h"
#include "store_policies.h"

typedef struct Policies
{
	MemoryContext context;		/* of the list */
	Policy	   *list;			/* NULL: not read */
	int			count;
	uint64		stamp;			/* of what was read last */
	uint64		committed_stamp;	/* of what the last tick that committed knew */
	bool		known;			/* there was such a tick */
} Policies;

extern void policies_init(Policies *policies, MemoryContext context);

/*
 * Reads them anew.  If they have changed since the last tick that committed,
 * what was held by the old ones is made due: then the result is true.
 */
extern bool policies_refresh(Policies *policies);

/* After the commit. */
extern void policies_committed(Policies *policies);

/*
 * Judges flights that are to start by what is known before a call is made, so
 * that none is wasted: those that may not start are ended or put back.  Returns
 * how many.
 */
extern int	policies_judge_starts(const Policies *policies, Flights *flights);

/* Judges flights that want to post and whose gate is open so far. */
extern void policies_judge(const Policies *policies, Flight **flights, int count,
						   Passage *passages);

/*
 * Asks for the time of day once more, where an intent had to wait for the
 * standby: what may not be called any more is put back.
 */
extern void policies_judge_posts(const Policies *policies, Flights *flights);

#endif
