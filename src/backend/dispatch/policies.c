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
channel_of(const Flight *flight)
{
	const char *addressed = flight->post.recipient.channel;

	return addressed != NULL ? addressed : flight->channel;
}

static bool
is_of_its_campaign(const Policy *policy, const Flight *flight)
{
	return strcmp(policy->server, flight->server->name) == 0 &&
		(policy->campaign == NULL ||
		 (flight->nudge.campaign != NULL && strcmp(policy->campaign, flight->nudge.campaign) == 0));
}

/* Whatever the channel turns out to be. */
static bool
matches_any_channel(const Policy *policy, const Flight *flight)
{
	return policy->channel == NULL && is_of_its_campaign(policy, flight);
}

static bool
matches(const Policy *policy, const Flight *flight)
{
	const char *channel = channel_of(flight);

	return is_of_its_campaign(policy, flight) &&
		(policy->channel == NULL || channel == NULL || strcmp(policy->channel, channel) == 0);
}

/* Before the check the one function tells what applies, then the other. */
typedef bool (*Matches) (const Policy *policy, const Flight *flight);

static Passage
ended(Outcome outcome, const char *reason)
{
	return (Passage) {.gate = GATE_ENDED, .outcome = outcome, .reason = reason};
}

/* A held nudge is due again at its end, which the call will tell. */
static Passage
held(const Terms *terms, TimestampTz until, const char *reason)
{
	until = Min(until, (TimestampTz) terms->expires_at);
	if (terms->unresolved)
		until = Min(until, (TimestampTz) terms->repeat_until);
	return (Passage) {.gate = GATE_HELD, .until = until, .reason = reason};
}

static Passage
held_for_people(const Terms *terms, const char *reason)
{
	return held(terms, TimestampTzPlusMilliseconds(terms->now, LOOK_AGAIN_MS), reason);
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
is_too_long(const Policy *policy, const Flight *flight)
{
	/* a template goes out in place of the text */
	return policy->max_length > 0 && flight->nudge.message != NULL && flight->nudge.template == NULL &&
		count_characters(flight->nudge.message) > policy->max_length;
}

/* A place from 0 to 100 that a customer has for ever, under a salt. */
static double
place_of(const char *salt, const Flight *flight)
{
	const char *customer = flight->post.customer;
	char	   *named = psprintf("%s\n%s\n%s", salt, flight->server->name,
								 customer != NULL ? customer : flight->nudge.root);
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

static Passage
judge_content(const Policy *policy, const Flight *flight)
{
	if (is_too_long(policy, flight))
		return ended(OUTCOME_REFUSED, "message_too_long");
	return (Passage) {.gate = GATE_OPEN};
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

static Passage
judge_time(const Policies *policies, Matches applies, const Flight *flight, const Terms *terms)
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

			if (policy->quiet_hours == NULL || !applies(policy, flight))
				continue;
			of_customer = time_zone_find(flight->nudge.time_zone);
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
		return (Passage) {.gate = GATE_OPEN};
	if (moved)
		return held_for_people(terms, "quiet hours: the policies together leave no time");
	return held(terms, until, psprintf("quiet hours until %s", wall_clock(until, zone)));
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

/* What one policy asks about one flight: what it may count, and what that decides. */
typedef struct Question
{
	const Policy *policy;
	int			place;			/* of the flight */
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
ask(Questions *questions, const Policy *policy, const Flight *flight, int place, bool about_cap)
{
	const char *customer = flight->post.customer;
	int64		interval = about_cap ? policy->cap_interval : policy->minimum_gap;

	if (questions->count == questions->room)
	{
		questions->room *= 2;
		questions->list = repalloc(questions->list, sizeof(Question) * questions->room);
		questions->counted = repalloc(questions->counted, sizeof(CountedMessages) * questions->room);
	}
	questions->list[questions->count] = (Question) {policy, place, about_cap};
	questions->counted[questions->count++] = (CountedMessages) {
		.customer = customer,
		.thread = customer == NULL ? flight->nudge.root : NULL,
		.nudge_id = flight->nudge_id,
		.server = policy->server,
		.campaign = policy->campaign,
		.channel = policy->channel,
		.since = GetCurrentTimestamp() - interval,
	};
}

/* The strictest answer counts: an end before a hold, a long hold before a short one. */
static void
judge_count(const Question *question, const MessageCount *counted, const Terms *terms, Passage *passage)
{
	TimestampTz until = counted->last + question->policy->minimum_gap;

	if (passage->gate == GATE_ENDED)
		return;
	if (question->about_cap)
	{
		if (counted->count >= question->policy->cap)
			*passage = ended(OUTCOME_CAPPED, name_of_cap(question->policy));
	}
	else if (counted->last != 0 && until > terms->now &&
			 (passage->gate == GATE_OPEN || until > passage->until))
		*passage = held(terms, until, psprintf("minimum gap until %s", timestamptz_to_str(until)));
}

/* --- all of them ---------------------------------------------------------------------- */

static Terms
terms_of_flight(const Flight *flight)
{
	return terms_of(&flight->nudge, &flight->server->options, &flight->post);
}

/* A call that is made again was judged when it was made, but for the time of day. */
static Passage
judge_one(const Policies *policies, Flight *flight, const Terms *terms)
{
	for (int i = 0; i < policies->count && !flight->nudge.unresolved; i++)
	{
		const Policy *policy = &policies->list[i];
		Passage		passage;

		if (!matches(policy, flight))
			continue;
		passage = judge_content(policy, flight);
		if (passage.gate != GATE_OPEN)
			return passage;
		if (policy->holdout > 0 && place_of(policy->holdout_salt, flight) < policy->holdout)
			return ended(OUTCOME_HELD_OUT, NULL);
	}
	return judge_time(policies, matches, flight, terms);
}

static void
judge_counts(const Policies *policies, Flight **flights, int count, Passage *passages)
{
	int			room = 2 * count + 1;
	Questions	questions = {palloc(sizeof(Question) * room), palloc(sizeof(CountedMessages) * room), 0, room};
	MessageCount *counts;

	for (int i = 0; i < count; i++)
		for (int p = 0; p < policies->count; p++)
		{
			const Policy *policy = &policies->list[p];

			if (passages[i].gate != GATE_OPEN || flights[i]->nudge.unresolved || !matches(policy, flights[i]))
				continue;
			if (policy->cap >= 0)
				ask(&questions, policy, flights[i], i, true);
			if (policy->minimum_gap > 0)
				ask(&questions, policy, flights[i], i, false);
		}
	if (questions.count == 0)
		return;
	counts = palloc(sizeof(MessageCount) * questions.count);
	store_count_messages(questions.counted, questions.count, counts);
	for (int i = 0; i < questions.count; i++)
	{
		int			place = questions.list[i].place;
		Terms		terms = terms_of_flight(flights[place]);

		judge_count(&questions.list[i], &counts[i], &terms, &passages[place]);
	}
}

void
policies_judge(const Policies *policies, Flight **flights, int count, Passage *passages)
{
	if (policies->count == 0)
		return;
	for (int i = 0; i < count; i++)
	{
		Terms		terms = terms_of_flight(flights[i]);
		Decision	end;

		/* of what comes too late, the call itself will tell */
		if (passages[i].gate == GATE_OPEN && may_call(&terms, &end))
			passages[i] = judge_one(policies, flights[i], &terms);
	}
	judge_counts(policies, flights, count, passages);
	/* they are written in a later tick */
	for (int i = 0; i < count; i++)
		passages[i].reason = flight_keep(flights[i], passages[i].reason);
}

static Passage
judge_start(const Policies *policies, const Flight *flight)
{
	Terms		terms = terms_of_flight(flight);
	Decision	end;

	if (!may_call(&terms, &end))
		return (Passage) {.gate = GATE_OPEN};
	for (int i = 0; i < policies->count; i++)
		if (matches_any_channel(&policies->list[i], flight))
		{
			Passage		passage = judge_content(&policies->list[i], flight);

			if (passage.gate != GATE_OPEN)
				return passage;
		}
	return judge_time(policies, matches_any_channel, flight, &terms);
}

/* Out of its list, unless its gate is open. */
static bool
stop(Flights *flights, Flight *flight, const Passage *passage)
{
	const char *reason = flight_keep(flight, passage->reason);

	if (passage->gate == GATE_HELD)
		flights_put_back(flights, flight, passage->until, reason);
	else if (passage->gate == GATE_ENDED)
		flights_settle(flights, flight, passage->outcome, reason);
	return passage->gate != GATE_OPEN;
}

int
policies_judge_starts(const Policies *policies, Flights *flights)
{
	int			count;
	Flight	  **starting;
	int			stopped = 0;

	if (policies->count == 0)
		return 0;
	starting = flights_in(&flights->to_start, &count);
	for (int i = 0; i < count; i++)
	{
		Passage		passage = judge_start(policies, starting[i]);

		stopped += stop(flights, starting[i], &passage);
	}
	return stopped;
}
