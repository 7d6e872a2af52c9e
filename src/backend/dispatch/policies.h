/*
 * policies.h: whom nudges may reach, when and how often.
 */
#ifndef REENGAGE_POLICIES_H
#define REENGAGE_POLICIES_H

#include "dispatch/deliveries.h"
#include "policy_rules.h"

typedef struct Policies
{
	MemoryContext context;		/* of the list */
	Policy	   *list;			/* NULL: not read */
	int			count;
} Policies;

extern void policies_init(Policies *policies, MemoryContext context);

/* When they have changed, or may have. */
extern void policies_forget(Policies *policies);

/* Reads them, unless they are known.  An error leaves them unknown. */
extern void policies_know(Policies *policies);

/*
 * Judges deliveries that are to start by what is known before a call is made, so
 * that none is wasted: those that may not start are ended or put back.  Returns
 * how many.
 */
extern int	policies_judge_starts(const Policies *policies, Deliveries *deliveries);

/* Judges deliveries that want to post and that are allowed so far. */
extern void policies_judge(const Policies *policies, Delivery **deliveries, int count,
						   Verdict *verdicts);

#endif
