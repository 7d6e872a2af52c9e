/*
 * policy_rules.c: see policy_rules.h.
 */
#include "policy_rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)
#define DAY_US (24 * 60 * 60 * SECOND_US)

/* How often to look at what only people can change. */
#define LOOK_AGAIN_US (60 * 60 * SECOND_US)

/* Beyond it, quiet hours of several policies are taken to leave no time. */
#define LONGEST_QUIET_US (28 * DAY_US)

bool
policy_applies(const Policy *policy, const PolicySubject *subject)
{
	if (strcmp(policy->server, subject->server) != 0)
		return false;
	if (policy->campaign != NULL &&
		(subject->campaign == NULL || strcmp(policy->campaign, subject->campaign) != 0))
		return false;
	if (policy->channel == NULL)
		return true;
	return !subject->before_look &&
		(subject->channel == NULL || strcmp(policy->channel, subject->channel) == 0);
}

/* The nudge is due again at that time, or when it expires, or its key does, so that it can end. */
static Verdict
hold_until(const PolicySubject *subject, int64_t until, const char *hold_reason)
{
	Verdict		verdict = verdict_wait(VERDICT_HOLD, until, HOLD_POLICY);

	if (verdict.until > subject->expires_at)
		verdict.until = subject->expires_at;
	if (subject->unresolved && verdict.until > subject->repeat_until)
		verdict.until = subject->repeat_until;
	verdict.hold_reason = hold_reason;
	return verdict;
}

static Verdict
hold_for_people(const PolicySubject *subject, const char *hold_reason)
{
	return hold_until(subject, subject->now + LOOK_AGAIN_US, hold_reason);
}

/* "hold_reason" is followed by the time, which may be after the nudge has expired. */
static Verdict
hold_and_show(const PolicySubject *subject, int64_t until, const char *zone, const char *hold_reason)
{
	Verdict		verdict = hold_until(subject, until, hold_reason);

	verdict.shown_until = until;
	verdict.shown_in = zone;
	return verdict;
}

/* The nudge's own zone counts, or else the policy's.  NULL: neither is known. */
static const char *
leave_quiet(const Policy *policy, const PolicySubject *subject, PermittedAt permitted_at, int64_t *at)
{
	const char *zones[] = {subject->time_zone, policy->time_zone};

	for (int i = 0; i < 2; i++)
		if (permitted_at(policy->quiet_hours, zones[i], *at, at))
			return zones[i];
	return NULL;
}

static Verdict
judge_time(const Policy *policies, int count, const PolicySubject *subject, PermittedAt permitted_at)
{
	int64_t		until = subject->now;
	const char *zone = NULL;
	bool		moved;

	/* what ends the quiet of one policy may lie in that of another */
	do
	{
		moved = false;
		for (int i = 0; i < count; i++)
		{
			int64_t		before = until;
			const char *of_customer;

			if (policies[i].quiet_hours == NULL || !policy_applies(&policies[i], subject))
				continue;
			of_customer = leave_quiet(&policies[i], subject, permitted_at, &until);
			if (of_customer == NULL)
				return hold_for_people(subject, "quiet hours: the customer's time zone is not known");
			if (until > before)
				zone = of_customer, moved = true;
		}
	} while (moved && until < subject->now + LONGEST_QUIET_US);
	if (zone == NULL)
		return verdict_allow();
	if (moved)
		return hold_for_people(subject, "quiet hours: the policies together leave no time");
	return hold_and_show(subject, until, zone, "quiet hours until");
}

static Verdict
judge_content(const Policy *policy, const PolicySubject *subject, const double *place)
{
	/* a template has length 0: none is asked of it, so a lower limit must let 0 pass */
	if (policy->max_length > 0 && subject->length > policy->max_length)
		return verdict_end(OUTCOME_REFUSED, "message_too_long");
	if (place != NULL && policy->holdout > 0 && *place < policy->holdout)
		return verdict_end(OUTCOME_HELD_OUT, NULL);
	return verdict_allow();
}

Verdict
policies_judge_subject(const Policy *policies, int count, const PolicySubject *subject,
					   const double *places, PermittedAt permitted_at)
{
	for (int i = 0; i < count && !subject->unresolved; i++)
		if (policy_applies(&policies[i], subject))
		{
			Verdict		verdict = judge_content(&policies[i], subject, places != NULL ? &places[i] : NULL);

			if (verdict.kind != VERDICT_ALLOW)
				return verdict;
		}
	return judge_time(policies, count, subject, permitted_at);
}

bool
policy_has_cap(const Policy *policy, const PolicySubject *subject)
{
	return policy->cap >= 0 && !subject->unresolved && policy_applies(policy, subject);
}

bool
policy_has_gap(const Policy *policy, const PolicySubject *subject)
{
	return policy->minimum_gap > 0 && !subject->unresolved && policy_applies(policy, subject);
}

/* "cap_2_in_7_days" */
static void
name_cap(const Policy *policy, char name[CAP_NAME_SIZE])
{
	static const struct
	{
		int64_t		length;
		const char *name;
	}			units[] = {
		{DAY_US, "day"}, {60 * 60 * SECOND_US, "hour"}, {60 * SECOND_US, "minute"}, {SECOND_US, "second"},
	};
	const int	last = sizeof(units) / sizeof(units[0]) - 1;
	int			unit = 0;
	int64_t		count;

	while (policy->cap_interval % units[unit].length != 0 && unit < last)
		unit++;
	count = policy->cap_interval / units[unit].length;
	snprintf(name, CAP_NAME_SIZE, "cap_%d_in_%" PRId64 "_%s%s", policy->cap, count, units[unit].name,
			 count == 1 ? "" : "s");
}

Verdict
policy_judge_cap(const Policy *policy, int sent, char name[CAP_NAME_SIZE])
{
	if (sent < policy->cap)
		return verdict_allow();
	name_cap(policy, name);
	return verdict_end(OUTCOME_CAPPED, name);
}

Verdict
policy_judge_gap(const Policy *policy, int64_t last, const PolicySubject *subject)
{
	if (last == 0 || last + policy->minimum_gap <= subject->now)
		return verdict_allow();
	return hold_and_show(subject, last + policy->minimum_gap, NULL, "minimum gap until");
}

int
policies_pace(const Policy *policies, int count, const char *server)
{
	int			least = 0;

	for (int i = 0; i < count; i++)
		if (policies[i].max_per_minute > 0 && strcmp(policies[i].server, server) == 0 &&
			(least == 0 || policies[i].max_per_minute < least))
			least = policies[i].max_per_minute;
	return least;
}
