/*
 * gate_rules.h: the last word before a POST: what the gates say of it.
 *
 * They are asked in this order: gates_judge(), and where it allows the POST,
 * policies (policy_rules.h), and at last gates_wait_for_others().
 */
#ifndef REENGAGE_GATE_RULES_H
#define REENGAGE_GATE_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "monotonic.h"
#include "verdict.h"

/* All zero: nothing is known, and nothing may be done. */
typedef struct GateFacts
{
	/* what the tables say: see store_check_gates() */
	bool		due;			/* else it has ended */
	bool		superseded;		/* the tip has a successor */
	bool		create_in_doubt;	/* an earlier create on this conversation is in doubt */
	bool		suppressed;		/* the customer, or the thread, is not to be spoken to */
	int64_t		answered_at;	/* as the newest answer of either was recorded; 0: there is none */
	int64_t		others_next_attempt;	/* of another nudge's unresolved call to the customer; 0: there is none */
	const char *other_conversation; /* of a create's customer, where we spoke last; NULL: none */
	int64_t		other_made_at;	/* when we made that one; 0: we did not */

	/* what is known besides */
	bool		locked;			/* nobody else is recording anything about it */
	bool		may_post;		/* its server is the one that was looked at, and not paused */
	bool		customer_is_taken;	/* another nudge speaks to the customer */
	bool		customer_is_news;	/* the schedule does not know yet whom the look told of */
	bool		looked_elsewhere;	/* at another conversation of the customer, already */
	bool		unresolved;		/* the same call was made before, and may have had its effect */
	int64_t		answered_since; /* what was recorded after it is an answer to the nudge */
	int			times_put_back; /* for whatever reason */
	Monotonic	looked_at;
	Monotonic	now;
	int64_t		wall;			/* the same moment by the wall clock */
} GateFacts;

/* How long after another nudge's turn it is ours. */
#define TURN_MS 1000

extern Verdict gates_judge(const GateFacts *facts);

/*
 * Nobody speaks to a customer to whom another nudge's call is to be made again,
 * until that has been tried.  "verdict": what all others say.
 */
extern Verdict gates_wait_for_others(const GateFacts *facts, Verdict verdict);

#endif
