/*
 * policies.c: quiet hours, caps, gaps, holdouts and lengths.
 *
 * All policies that match a nudge hold together.  What cannot be known does not
 * open a gate: where the channel is not known, the policies of all channels
 * match, and a nudge to a customer without a time zone waits.
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "port/pg_bswap.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/permitted_at.h"
#include "base/time_zones.h"
#include "dispatch/policies.h"
#include "dispatch/terms.h"

/* How often to look at what only people can change. */
#define LOOK_AGAIN_MS (60 * 60 * 1000)

/* Beyond it, quiet hours of several policies are taken to leave no time. */
#define LONGEST_QUIET (28 * USECS_PER_DAY)

/* --- reading ---------------------------------------------------------------- */

void
policies_init(Policies *policies, MemoryContext context)
{
	memset(policies, 0, sizeof(*policies));
	policies->context = AllocSetContextCreate(context, "reengage policies", ALLOCSET_SMALL_SIZES);
}

void
policies_forget(Policies *policies)
{
	policies->list = NULL;
	policies->count = 0;
	MemoryContextReset(policies->context);
}

void
policies_know(Policies *policies)
{
	/* one that cannot be read stops everything: none may be left out */
	if (policies->list == NULL)
		policies->count = store_read_policies(policies->context, &policies->list);
}

int
policies_max_per_minute(const Policies *policies, const char *server)
{
	int			most = 0;

	for (int i = 0; i < policies->count; i++)
	{
		const Policy *policy = &policies->list[i];

		if (policy->max_per_minute > 0 && strcmp(policy->server, server) == 0)
			most = most == 0 ? policy->max_per_minute : Min(most, policy->max_per_minute);
	}
	return most;
}

/* --- one nudge and one policy ------------------------------------------------- */

static const char *
channel_of(const Delivery *delivery)
{
	const char *addressed = delivery->post.recipient.channel;

	return addressed != NULL ? addressed : delivery->look.channel;
}

static bool
is_of_its_campaign(const Policy *policy, const Delivery *delivery)
{
	return strcmp(policy->server, delivery->server->name) == 0 &&
		(policy->campaign == NULL ||
		 (delivery->nudge.campaign != NULL && strcmp(policy->campaign, delivery->nudge.campaign) == 0));
}

/* Whatever the channel turns out to be. */
static bool
matches_any_channel(const Policy *policy, const Delivery *delivery)
{
	return policy->channel == NULL && is_of_its_campaign(policy, delivery);
}

static bool
policy_matches(const Policy *policy, const Delivery *delivery)
{
	const char *channel = channel_of(delivery);

	return is_of_its_campaign(policy, delivery) &&
		(policy->channel == NULL || channel == NULL || strcmp(policy->channel, channel) == 0);
}

/* Before the check the one function tells what applies, then the other. */
typedef bool (*Matches) (const Policy *policy, const Delivery *delivery);

static Verdict
policy_end(Outcome outcome, const char *reason)
{
	return (Verdict) {.kind = VERDICT_END, .outcome = outcome, .reason = reason};
}

/* The nudge is due again at that time, or when it expires, or its key does, so that it can end. */
static Verdict
policy_hold(const Terms *terms, TimestampTz until, const char *hold_reason)
{
	until = Min(until, (TimestampTz) terms->expires_at);
	if (terms->unresolved)
		until = Min(until, (TimestampTz) terms->repeat_until);
	return (Verdict) {.kind = VERDICT_HOLD, .until = until, .hold = HOLD_POLICY, .hold_reason = hold_reason};
}

static Verdict
held_for_people(const Terms *terms, const char *hold_reason)
{
	return policy_hold(terms, TimestampTzPlusMilliseconds(terms->now, LOOK_AGAIN_MS), hold_reason);
}

/* --- lengths and holdouts ------------------------------------------------------ */

static int
count_characters(const char *utf8)
{
	int			count = 0;

	for (; *utf8 != '\0'; utf8++)
		count += (*utf8 & 0xC0) != 0x80;
	return count;
}

static bool
is_too_long(const Policy *policy, const Delivery *delivery)
{
	/* a template goes out in place of the text */
	return policy->max_length > 0 && delivery->nudge.message != NULL && delivery->nudge.template == NULL &&
		count_characters(delivery->nudge.message) > policy->max_length;
}

/* A place from 0 to 100 that a customer has for ever, under a salt. */
static double
place_of(const char *salt, const Delivery *delivery)
{
	const char *customer = delivery->post.address_hash;
	char	   *named = psprintf("%s\n%s\n%s", salt, delivery->server->name,
								 customer != NULL ? customer : delivery->nudge.root);
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	uint64		number;
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);
	bool		hashed = context != NULL && pg_cryptohash_init(context) == 0 &&
		pg_cryptohash_update(context, (const uint8 *) named, strlen(named)) == 0 &&
		pg_cryptohash_final(context, digest, sizeof(digest)) == 0;

	pg_cryptohash_free(context);
	if (!hashed)
		elog(ERROR, "could not compute the hash of a customer");
	memcpy(&number, digest, sizeof(number));
	/* 53 bits, which a double has exactly: it stays below 100 */
	return (double) (pg_ntoh64(number) >> 11) / (double) (UINT64CONST(1) << 53) * 100;
}

static Verdict
judge_content(const Policy *policy, const Delivery *delivery)
{
	if (is_too_long(policy, delivery))
		return policy_end(OUTCOME_REFUSED, "message_too_long");
	return (Verdict) {.kind = VERDICT_ALLOW};
}

/* --- quiet hours ------------------------------------------------------------------ */

static const char *
wall_clock(TimestampTz at, pg_tz *zone)
{
	pg_time_t	seconds = timestamptz_to_time_t(at);
	char		text[64];

	pg_strftime(text, sizeof(text), "%Y-%m-%d %H:%M", pg_localtime(&seconds, zone));
	return psprintf("%s in %s", text, pg_get_timezone_name(zone));
}

static Verdict
judge_time(const Policies *policies, Matches applies, const Delivery *delivery, const Terms *terms)
{
	TimestampTz until = terms->now;
	pg_tz	   *zone = NULL;
	bool		moved;

	/* what ends the quiet of one policy may lie in that of another */
	do
	{
		moved = false;
		for (int i = 0; i < policies->count; i++)
		{
			const Policy *policy = &policies->list[i];
			pg_tz	   *of_customer;
			TimestampTz end;

			if (policy->quiet_hours == NULL || !applies(policy, delivery))
				continue;
			of_customer = time_zone_find(delivery->nudge.time_zone);
			if (of_customer == NULL)
				of_customer = time_zone_find(policy->time_zone);
			if (of_customer == NULL)
				return held_for_people(terms, "quiet hours: the customer's time zone is not known");
			end = permitted_at(policy->quiet_hours, of_customer, until);
			if (end > until)
				until = end, zone = of_customer, moved = true;
		}
	} while (moved && until < terms->now + LONGEST_QUIET);
	if (zone == NULL)
		return (Verdict) {.kind = VERDICT_ALLOW};
	if (moved)
		return held_for_people(terms, "quiet hours: the policies together leave no time");
	return policy_hold(terms, until, psprintf("quiet hours until %s", wall_clock(until, zone)));
}

/* --- caps and gaps ------------------------------------------------------------------- */

/* "cap_2_in_7_days" */
static const char *
name_of_cap(const Policy *policy)
{
	static const struct
	{
		int64		length;
		const char *name;
	}			units[] = {
		{USECS_PER_DAY, "day"}, {USECS_PER_HOUR, "hour"}, {USECS_PER_MINUTE, "minute"}, {USECS_PER_SEC, "second"},
	};
	int			unit = 0;
	int64		count;

	while (policy->cap_interval % units[unit].length != 0 && unit < lengthof(units) - 1)
		unit++;
	count = policy->cap_interval / units[unit].length;
	return psprintf("cap_%d_in_" INT64_FORMAT "_%s%s", policy->cap, count, units[unit].name,
					count == 1 ? "" : "s");
}

/* What one policy asks about one delivery: what it may count, and what that decides. */
typedef struct Question
{
	const Policy *policy;
	int			place;			/* of the delivery */
	bool		about_cap;		/* else about the gap */
} Question;

typedef struct Questions
{
	Question   *list;
	CountedMessages *counted;
	int			count;
	int			room;
} Questions;

static void
ask_lineage(Questions *questions, const Policy *policy, const Delivery *delivery, int place, bool about_cap)
{
	const char *customer = delivery->post.address_hash;
	int64		interval = about_cap ? policy->cap_interval : policy->minimum_gap;

	if (questions->count == questions->room)
	{
		questions->room *= 2;
		questions->list = repalloc(questions->list, sizeof(Question) * questions->room);
		questions->counted = repalloc(questions->counted, sizeof(CountedMessages) * questions->room);
	}
	questions->list[questions->count] = (Question) {policy, place, about_cap};
	questions->counted[questions->count++] = (CountedMessages) {
		.address_hash = customer,
		.thread = customer == NULL ? delivery->nudge.root : NULL,
		.nudge_id = delivery->nudge_id,
		.server = policy->server,
		.campaign = policy->campaign,
		.channel = policy->channel,
		.since = GetCurrentTimestamp() - interval,
	};
}

/* The strictest answer counts: an end before a hold, a long hold before a short one. */
static void
judge_count(const Question *question, const MessageCount *counted, const Terms *terms, Verdict *verdict)
{
	TimestampTz until = counted->last + question->policy->minimum_gap;

	if (verdict->kind == VERDICT_END)
		return;
	if (question->about_cap)
	{
		if (counted->count >= question->policy->cap)
			*verdict = policy_end(OUTCOME_CAPPED, name_of_cap(question->policy));
	}
	else if (counted->last != 0 && until > terms->now &&
			 (verdict->kind == VERDICT_ALLOW || until > verdict->until))
		*verdict = policy_hold(terms, until, psprintf("minimum gap until %s", timestamptz_to_str(until)));
}

/* --- all of them ---------------------------------------------------------------------- */

/* A call that is made again was judged when it was made, but for the time of day. */
static Verdict
judge_one(const Policies *policies, Delivery *delivery, const Terms *terms)
{
	for (int i = 0; i < policies->count && !delivery->nudge.unresolved; i++)
	{
		const Policy *policy = &policies->list[i];
		Verdict		verdict;

		if (!policy_matches(policy, delivery))
			continue;
		verdict = judge_content(policy, delivery);
		if (verdict.kind != VERDICT_ALLOW)
			return verdict;
		if (policy->holdout > 0 && place_of(policy->holdout_salt, delivery) < policy->holdout)
			return policy_end(OUTCOME_HELD_OUT, NULL);
	}
	return judge_time(policies, policy_matches, delivery, terms);
}

static void
judge_counts(const Policies *policies, Delivery **deliveries, int count, Verdict *verdicts)
{
	int			room = 2 * count + 1;
	Questions	questions = {palloc(sizeof(Question) * room), palloc(sizeof(CountedMessages) * room), 0, room};
	MessageCount *counts;

	for (int i = 0; i < count; i++)
		for (int p = 0; p < policies->count; p++)
		{
			const Policy *policy = &policies->list[p];

			if (verdicts[i].kind != VERDICT_ALLOW || deliveries[i]->nudge.unresolved || !policy_matches(policy, deliveries[i]))
				continue;
			if (policy->cap >= 0)
				ask_lineage(&questions, policy, deliveries[i], i, true);
			if (policy->minimum_gap > 0)
				ask_lineage(&questions, policy, deliveries[i], i, false);
		}
	if (questions.count == 0)
		return;
	counts = palloc(sizeof(MessageCount) * questions.count);
	store_count_messages(questions.counted, questions.count, counts);
	for (int i = 0; i < questions.count; i++)
	{
		int			place = questions.list[i].place;
		Terms		terms = terms_of_delivery(deliveries[place]);

		judge_count(&questions.list[i], &counts[i], &terms, &verdicts[place]);
	}
}

void
policies_judge(const Policies *policies, Delivery **deliveries, int count, Verdict *verdicts)
{
	if (policies->count == 0)
		return;
	for (int i = 0; i < count; i++)
	{
		Terms		terms = terms_of_delivery(deliveries[i]);
		Decision	end;

		/* of what comes too late, the call itself will tell */
		if (verdicts[i].kind == VERDICT_ALLOW && may_call(&terms, &end))
			verdicts[i] = judge_one(policies, deliveries[i], &terms);
	}
	judge_counts(policies, deliveries, count, verdicts);
	/* they are written in a later tick */
	for (int i = 0; i < count; i++)
	{
		verdicts[i].reason = delivery_keep(deliveries[i], verdicts[i].reason);
		verdicts[i].hold_reason = delivery_keep(deliveries[i], verdicts[i].hold_reason);
	}
}

static Verdict
judge_start(const Policies *policies, const Delivery *delivery)
{
	Terms		terms = terms_of_delivery(delivery);
	Decision	end;

	if (!may_call(&terms, &end))
		return (Verdict) {.kind = VERDICT_ALLOW};
	for (int i = 0; i < policies->count; i++)
		if (matches_any_channel(&policies->list[i], delivery))
		{
			Verdict		verdict = judge_content(&policies->list[i], delivery);

			if (verdict.kind != VERDICT_ALLOW)
				return verdict;
		}
	return judge_time(policies, matches_any_channel, delivery, &terms);
}

/* Out of its list, unless it is allowed. */
static bool
apply_verdict(Deliveries *deliveries, Delivery *delivery, const Verdict *verdict)
{
	if (verdict->kind == VERDICT_HOLD)
		deliveries_put_back(deliveries, delivery, verdict->until, verdict->hold,
							delivery_keep(delivery, verdict->hold_reason));
	else if (verdict->kind == VERDICT_END)
		deliveries_settle(deliveries, delivery, verdict->outcome, delivery_keep(delivery, verdict->reason));
	return verdict->kind != VERDICT_ALLOW;
}

int
policies_judge_starts(const Policies *policies, Deliveries *deliveries)
{
	int			count;
	Delivery  **starting;
	int			stopped = 0;

	if (policies->count == 0)
		return 0;
	starting = deliveries_in(deliveries, DELIVERY_CHECK_WANTED, &count);
	for (int i = 0; i < count; i++)
	{
		Verdict		verdict = judge_start(policies, starting[i]);

		stopped += apply_verdict(deliveries, starting[i], &verdict);
	}
	return stopped;
}
