/*
 * policy_rules.h: whom nudges may reach, when and how often, as policies say it.
 *
 * All policies that apply hold together.  What cannot be known does not open a
 * gate: where the channel is not known, the policies of all channels apply, and
 * a nudge to a customer without a time zone waits.
 *
 * Time is an argument, in microseconds; zones are the affair of who asks.
 */
#ifndef REENGAGE_POLICY_RULES_H
#define REENGAGE_POLICY_RULES_H

#include <stdbool.h>

#include "quiet_hours.h"
#include "verdict.h"

/* A row of reengage.policies.  NULL and 0 stand for what it does not ask for; of the cap, where 0 forbids all, it is -1. */
typedef struct Policy
{
#define POLICY_COLUMN(c_type, type, name, expression) c_type name;
#include "policy_columns.h"
#undef POLICY_COLUMN
} Policy;

/* What policies are asked about: a nudge, its customer and its next call. */
typedef struct PolicySubject
{
	const char *server;
	const char *campaign;		/* NULL: none */
	const char *channel;		/* NULL: not known */
	bool		before_look;	/* the channel may turn out to be any: policies of one channel wait */
	const char *time_zone;		/* NULL: not known */
	int			length;			/* characters of its text; 0: a template goes out in its place */
	bool		unresolved;		/* the call is made again: all was asked when it was made, but the time of day */
	int64_t		now;
	int64_t		expires_at;
	int64_t		repeat_until;	/* of an unresolved call */
} PolicySubject;

/*
 * The first moment, not before "at", at which the clocks of a zone show no quiet
 * time; INT64_MAX: there is none.  False: nobody knows such a zone, which may be NULL.
 */
typedef bool (*PermittedAt) (const QuietHours *hours, const char *zone, int64_t at, int64_t *permitted);

extern bool policy_applies(const Policy *policy, const PolicySubject *subject);

/*
 * Lengths, holdouts and quiet hours.  "places": from 0 to 100, where each policy
 * finds the customer among all; NULL before a look, when holdouts wait, too.
 */
extern Verdict policies_judge_subject(const Policy *policies, int count, const PolicySubject *subject,
									  const double *places, PermittedAt permitted_at);

/* Does it ask how many messages there were, or when the last one was, before this call? */
extern bool policy_has_cap(const Policy *policy, const PolicySubject *subject);
extern bool policy_has_gap(const Policy *policy, const PolicySubject *subject);

/* Of "cap_2147483647_in_9223372036854775807_seconds". */
#define CAP_NAME_SIZE 64

/* "sent": how many count, within its interval.  The name of a cap that is reached is put there. */
extern Verdict policy_judge_cap(const Policy *policy, int sent, char name[CAP_NAME_SIZE]);

/* "last": when the last one was; 0: there was none. */
extern Verdict policy_judge_gap(const Policy *policy, int64_t last, const PolicySubject *subject);

/* The strictest limit on how many nudges of one role may be started a minute there; 0: any number. */
extern int	policies_pace(const Policy *policies, int count, const char *server);

#endif
