/*
 * policy_rules_test.c: whom nudges may reach, when and how often.
 */
#include "policy_rules.h"

#include "tap.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define WEEK (7 * DAY)

/* Monday 00:00 in the zone "utc", in any week. */
#define MONDAY (1000 * WEEK)

/* "utc", and "west", which is two hours behind; there are no others. */
static bool
permitted_in_zone(const QuietHours *hours, const char *zone, int64_t at, int64_t *permitted)
{
	int64_t		behind = zone == NULL ? 0 : strcmp(zone, "west") == 0 ? 2 * HOUR : 0;
	int64_t		minute = (at - behind) % WEEK / MINUTE;
	int			left;

	if (zone == NULL || (strcmp(zone, "utc") != 0 && strcmp(zone, "west") != 0))
		return false;
	left = quiet_hours_left(hours, (int) minute);
	*permitted = left == 0 ? at : at - at % MINUTE + left * MINUTE;
	return true;
}

static Policy
any_policy(void)
{
	return (Policy) {.server = "genesys", .cap = -1};
}

/* Monday 12:00. */
static PolicySubject
any_subject(void)
{
	return (PolicySubject) {
		.server = "genesys", .campaign = "spring", .channel = "sms", .time_zone = "utc", .length = 100,
		.now = MONDAY + 12 * HOUR, .expires_at = INT64_MAX, .repeat_until = INT64_MAX,
	};
}

static Verdict
judge(const Policy *policies, int count, const PolicySubject *subject)
{
	double		places[8] = {50, 50, 50, 50, 50, 50, 50, 50};

	return policies_judge_subject(policies, count, subject, places, permitted_in_zone);
}

static QuietHours *
quiet(QuietHours *hours, const char *window)
{
	memset(hours, 0, sizeof(*hours));
	if (quiet_hours_add(hours, window) != NULL)
		ok(false, "a window of the test: %s", window);
	return hours;
}

static void
which_apply(void)
{
	static const struct
	{
		const char *server;
		const char *campaign;
		const char *channel;
		bool		applies;
		bool		before_look;
		bool		channel_unknown;
		const char *name;
	}			cases[] = {
		{"genesys", NULL, NULL, true, true, true, "all of a server"},
		{"other", NULL, NULL, false, false, false, "another server"},
		{"genesys", "spring", NULL, true, true, true, "its campaign"},
		{"genesys", "summer", NULL, false, false, false, "another campaign"},
		{"genesys", NULL, "sms", true, false, true, "its channel: not before the look; where it is not known, it applies"},
		{"genesys", NULL, "whatsapp", false, false, true, "another channel: where it is not known, it applies"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		Policy		policy = {.server = cases[i].server, .campaign = cases[i].campaign, .channel = cases[i].channel};
		PolicySubject subject = any_subject();
		bool		applies = policy_applies(&policy, &subject);
		bool		unknown;

		subject.channel = NULL;
		unknown = policy_applies(&policy, &subject);
		subject.before_look = true;
		ok(applies == cases[i].applies && unknown == cases[i].channel_unknown &&
		   policy_applies(&policy, &subject) == cases[i].before_look, "%s", cases[i].name);
	}
	{
		Policy		policy = {.server = "genesys", .campaign = "spring"};
		PolicySubject subject = any_subject();

		subject.campaign = NULL;
		ok(!policy_applies(&policy, &subject), "a nudge without a campaign is of none");
	}
}

static void
lengths_and_holdouts(void)
{
	Policy		policies[2] = {any_policy(), any_policy()};
	PolicySubject subject = any_subject();
	double		places[2] = {50, 29.999};

	policies[0].max_length = 100;
	ok(judge(policies, 2, &subject).kind == VERDICT_ALLOW, "as long as it may be");
	subject.length = 101;
	ok(judge(policies, 2, &subject).outcome == OUTCOME_REFUSED, "one character longer is refused");
	is_text(judge(policies, 2, &subject).reason, "message_too_long", "with the reason");
	subject.unresolved = true;
	ok(judge(policies, 2, &subject).kind == VERDICT_ALLOW, "but not when the call is made again");
	subject = any_subject();
	subject.length = 0;
	ok(judge(policies, 2, &subject).kind == VERDICT_ALLOW, "a template has no length of its own");

	policies[1].holdout = 30;
	policies[1].holdout_salt = "salt";
	subject = any_subject();
	ok(policies_judge_subject(policies, 2, &subject, places, permitted_in_zone).outcome == OUTCOME_HELD_OUT,
	   "a customer within the holdout");
	places[1] = 30;
	ok(policies_judge_subject(policies, 2, &subject, places, permitted_in_zone).kind == VERDICT_ALLOW, "and the first beyond");
	places[1] = 0;
	ok(policies_judge_subject(policies, 2, &subject, NULL, permitted_in_zone).kind == VERDICT_ALLOW, "before the look nobody is");
	policies[1].holdout = 0;
	ok(policies_judge_subject(policies, 2, &subject, places, permitted_in_zone).kind == VERDICT_ALLOW, "0 percent is nobody");
	policies[1].holdout = 30;
	subject.unresolved = true;
	ok(policies_judge_subject(policies, 2, &subject, places, permitted_in_zone).kind == VERDICT_ALLOW,
	   "who was spoken to already is not held out afterwards");
}

static void
quiet_time(void)
{
	QuietHours	night;
	Policy		policy = any_policy();
	PolicySubject subject = any_subject();
	Verdict		verdict;

	policy.quiet_hours = quiet(&night, "daily 20:00-08:00");
	ok(judge(&policy, 1, &subject).kind == VERDICT_ALLOW, "at noon");
	subject.now = MONDAY + 21 * HOUR;
	verdict = judge(&policy, 1, &subject);
	ok(verdict.kind == VERDICT_HOLD && verdict.hold == HOLD_POLICY && verdict.until == MONDAY + 32 * HOUR,
	   "in the evening it waits for the morning");
	is_text(verdict.hold_reason, "quiet hours until", "and says why");
	ok(verdict.shown_until == verdict.until && strcmp(verdict.shown_in, "utc") == 0, "with a time that the customer's clock shows");
	subject.time_zone = "west";
	ok(judge(&policy, 1, &subject).kind == VERDICT_ALLOW, "two hours to the west it is still early");
	subject.time_zone = "nowhere";
	policy.time_zone = "utc";
	ok(judge(&policy, 1, &subject).until == MONDAY + 32 * HOUR, "where the customer's zone is not known, the policy's counts");
	policy.time_zone = NULL;
	verdict = judge(&policy, 1, &subject);
	ok(verdict.kind == VERDICT_HOLD && verdict.until == subject.now + HOUR && verdict.shown_until == 0,
	   "where neither is, it waits for people");
	is_text(verdict.hold_reason, "quiet hours: the customer's time zone is not known", "and says so");

	subject = any_subject();
	subject.now = MONDAY + 21 * HOUR;
	subject.unresolved = true;
	ok(judge(&policy, 1, &subject).until == MONDAY + 32 * HOUR, "a call that is made again waits, too");
	subject.repeat_until = MONDAY + 23 * HOUR;
	ok(judge(&policy, 1, &subject).until == MONDAY + 23 * HOUR, "until its key is forgotten");
	subject.expires_at = MONDAY + 22 * HOUR;
	verdict = judge(&policy, 1, &subject);
	ok(verdict.until == MONDAY + 22 * HOUR && verdict.shown_until == MONDAY + 32 * HOUR,
	   "until it expires, so that it can end; the words say when quiet ends");
	subject.unresolved = false;
	subject.repeat_until = MONDAY + 21 * HOUR + 1;
	ok(judge(&policy, 1, &subject).until == MONDAY + 22 * HOUR, "no key matters to the first call");
}

static void
quiet_times_of_several(void)
{
	QuietHours	one;
	QuietHours	other;
	Policy		policies[2] = {any_policy(), any_policy()};
	PolicySubject subject = any_subject();
	Verdict		verdict;

	policies[0].quiet_hours = quiet(&one, "daily 08:00-10:00");
	policies[1].quiet_hours = quiet(&other, "daily 20:00-08:00");
	subject.now = MONDAY + 21 * HOUR;
	ok(judge(policies, 2, &subject).until == MONDAY + 34 * HOUR, "the end of one may lie in another");
	policies[0].quiet_hours = quiet(&one, "daily 08:00-20:00");
	verdict = judge(policies, 2, &subject);
	ok(verdict.kind == VERDICT_HOLD && verdict.until == subject.now + HOUR, "together they may leave no time");
	is_text(verdict.hold_reason, "quiet hours: the policies together leave no time", "then people are told");
	policies[1].channel = "sms";
	subject.before_look = true;
	ok(policies_judge_subject(policies, 2, &subject, NULL, permitted_in_zone).kind == VERDICT_ALLOW,
	   "before the look those of one channel do not count");
}

static void
names_of_caps(void)
{
	static const struct
	{
		int			cap;
		int64_t		interval;
		const char *name;
	}			cases[] = {
		{2, 7 * DAY, "cap_2_in_7_days"},
		{1, DAY, "cap_1_in_1_day"},
		{3, 36 * HOUR, "cap_3_in_36_hours"},
		{0, HOUR, "cap_0_in_1_hour"},
		{5, 90 * MINUTE, "cap_5_in_90_minutes"},
		{5, 90 * SECOND, "cap_5_in_90_seconds"},
		{2147483647, INT64_MAX, "cap_2147483647_in_9223372036854_seconds"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		Policy		policy = {.cap = cases[i].cap, .cap_interval = cases[i].interval};
		char		name[CAP_NAME_SIZE];
		Verdict		verdict = policy_judge_cap(&policy, cases[i].cap, name);

		ok(verdict.kind == VERDICT_END && verdict.outcome == OUTCOME_CAPPED, "a cap that is reached ends the nudge");
		is_text(verdict.reason, cases[i].name, cases[i].name);
		ok(cases[i].cap == 0 || policy_judge_cap(&policy, cases[i].cap - 1, name).kind == VERDICT_ALLOW, "one less does not");
	}
}

static void
gaps(void)
{
	Policy		policy = any_policy();
	PolicySubject subject = any_subject();
	Verdict		verdict;

	policy.minimum_gap = 4 * HOUR;
	ok(policy_judge_gap(&policy, 0, &subject).kind == VERDICT_ALLOW, "there was no message");
	ok(policy_judge_gap(&policy, subject.now - 4 * HOUR, &subject).kind == VERDICT_ALLOW, "the gap is over");
	verdict = policy_judge_gap(&policy, subject.now - HOUR, &subject);
	ok(verdict.kind == VERDICT_HOLD && verdict.until == subject.now + 3 * HOUR && verdict.shown_in == NULL, "it is not");
	is_text(verdict.hold_reason, "minimum gap until", "and says so");
	subject.expires_at = subject.now + HOUR;
	ok(policy_judge_gap(&policy, subject.now, &subject).until == subject.expires_at, "it waits for no longer than it lives");
}

static void
what_is_counted(void)
{
	Policy		policy = any_policy();
	PolicySubject subject = any_subject();

	ok(!policy_has_cap(&policy, &subject) && !policy_has_gap(&policy, &subject), "a policy without a cap or gap counts nothing");
	policy.cap = 0;
	policy.minimum_gap = 1;
	ok(policy_has_cap(&policy, &subject) && policy_has_gap(&policy, &subject), "a cap of 0 is one");
	subject.unresolved = true;
	ok(!policy_has_cap(&policy, &subject) && !policy_has_gap(&policy, &subject), "a call that is made again was counted");
	subject.unresolved = false;
	subject.server = "other";
	ok(!policy_has_cap(&policy, &subject) && !policy_has_gap(&policy, &subject), "nor do those of others count");
}

static void
the_strictest_counts(void)
{
	Verdict		allow = verdict_allow();
	Verdict		end = verdict_end(OUTCOME_CAPPED, "first");
	Verdict		later_end = verdict_end(OUTCOME_CAPPED, "second");
	Verdict		short_hold = verdict_wait(VERDICT_HOLD, 10, HOLD_POLICY);
	Verdict		long_hold = verdict_wait(VERDICT_HOLD, 20, HOLD_POLICY);
	Verdict		clipped = verdict_wait(VERDICT_HOLD, 10, HOLD_POLICY);

	clipped.shown_until = 30;
	ok(verdict_stricter(allow, allow).kind == VERDICT_ALLOW, "what all allow is allowed");
	ok(verdict_stricter(end, long_hold).kind == VERDICT_END && verdict_stricter(long_hold, end).kind == VERDICT_END,
	   "an end outranks a hold");
	ok(verdict_stricter(end, allow).kind == VERDICT_END && verdict_stricter(allow, end).kind == VERDICT_END, "and all else");
	is_text(verdict_stricter(end, later_end).reason, "first", "of two ends the first counts");
	ok(verdict_stricter(short_hold, long_hold).until == 20 && verdict_stricter(long_hold, short_hold).until == 20,
	   "a long hold outranks a short one");
	ok(verdict_stricter(allow, short_hold).until == 10 && verdict_stricter(short_hold, allow).until == 10, "a hold outranks none");
	ok(verdict_stricter(clipped, long_hold).shown_until == 30 && verdict_stricter(long_hold, clipped).shown_until == 30,
	   "also where the nudge expires before");
}

static void
pace(void)
{
	Policy		policies[3] = {any_policy(), any_policy(), any_policy()};

	is_number(policies_pace(policies, 3, "genesys"), 0, "no limit");
	policies[0].max_per_minute = 50;
	policies[1].max_per_minute = 20;
	policies[2].max_per_minute = 1;
	policies[2].server = "other";
	is_number(policies_pace(policies, 3, "genesys"), 20, "the strictest of the server's");
}

int
main(void)
{
	which_apply();
	lengths_and_holdouts();
	quiet_time();
	quiet_times_of_several();
	names_of_caps();
	gaps();
	what_is_counted();
	the_strictest_counts();
	pace();
	return done_testing();
}
