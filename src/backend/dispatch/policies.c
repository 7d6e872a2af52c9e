/*
 * policies.c: what policies have to know (policy_rules.h), and who is asked.
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
#include "test_point.h"
#include "store/store_policies.h"

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

/* --- what is known of a nudge ------------------------------------------------- */

static int
count_characters(const char *utf8)
{
	int			count = 0;

	for (; *utf8 != '\0'; utf8++)
		count += (*utf8 & 0xC0) != 0x80;
	return count;
}

static PolicySubject
subject_of(const Delivery *delivery, const Terms *terms, bool before_look)
{
	const LoadedNudge *nudge = &delivery->nudge;
	const char *addressed = delivery->post.recipient.channel;

	return (PolicySubject) {
		.server = delivery->server->name,
		.campaign = nudge->campaign,
		.channel = addressed != NULL ? addressed : delivery->look.channel,
		.before_look = before_look,
		.time_zone = nudge->time_zone,
		.length = nudge->message == NULL || nudge->template != NULL ? 0 : count_characters(nudge->message),
		.unresolved = nudge->unresolved,
		.now = terms->now,
		.expires_at = terms->expires_at,
		.repeat_until = terms->repeat_until,
	};
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

/* Only where it is asked for: a hash takes its time. */
static double *
places_of(const Policies *policies, const Delivery *delivery, const PolicySubject *subject)
{
	double	   *places = palloc0(sizeof(double) * policies->count);

	for (int i = 0; i < policies->count; i++)
		if (policies->list[i].holdout > 0 && policy_applies(&policies->list[i], subject))
			places[i] = place_of(policies->list[i].holdout_salt, delivery);
	return places;
}

/* --- clocks of zones ------------------------------------------------------------ */

static bool
permitted_in_zone(const QuietHours *hours, const char *name, int64_t at, int64_t *permitted)
{
	pg_tz	   *zone = time_zone_find(name);

	if (zone != NULL)
		*permitted = permitted_at(hours, zone, at);
	return zone != NULL;
}

static const char *
wall_clock(TimestampTz at, pg_tz *zone)
{
	pg_time_t	seconds = timestamptz_to_time_t(at);
	char		text[64];

	pg_strftime(text, sizeof(text), "%Y-%m-%d %H:%M", pg_localtime(&seconds, zone));
	return psprintf("%s in %s", text, pg_get_timezone_name(zone));
}

/* In memory that outlives the tick: verdicts are carried out in a later one. */
static void
put_in_words(Delivery *delivery, Verdict *verdict)
{
	if (verdict->shown_until != 0)
		verdict->hold_reason = psprintf("%s %s", verdict->hold_reason,
										verdict->shown_in == NULL ? timestamptz_to_str(verdict->shown_until) :
										wall_clock(verdict->shown_until, time_zone_find(verdict->shown_in)));
	verdict->reason = delivery_keep(delivery, verdict->reason);
	verdict->hold_reason = delivery_keep(delivery, verdict->hold_reason);
}

/* --- caps and gaps ---------------------------------------------------------------- */

/* What one policy asks about one delivery. */
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

static void
ask_questions(Questions *questions, const Policies *policies, const Delivery *delivery,
			  const PolicySubject *subject, int place)
{
	for (int i = 0; i < policies->count; i++)
	{
		const Policy *policy = &policies->list[i];

		if (policy_has_cap(policy, subject))
			ask_lineage(questions, policy, delivery, place, true);
		if (policy_has_gap(policy, subject))
			ask_lineage(questions, policy, delivery, place, false);
	}
}

static Verdict
judge_count(const Question *question, const MessageCount *counted, const PolicySubject *subject)
{
	if (question->about_cap)
		return policy_judge_cap(question->policy, counted->count, palloc(CAP_NAME_SIZE));
	return policy_judge_gap(question->policy, counted->last, subject);
}

static void
judge_counts(const Policies *policies, Delivery **deliveries, const PolicySubject *subjects, int count,
			 Verdict *verdicts)
{
	int			room = 2 * count + 1;
	Questions	questions = {palloc(sizeof(Question) * room), palloc(sizeof(CountedMessages) * room), 0, room};
	MessageCount *counts;

	for (int i = 0; i < count; i++)
		if (verdicts[i].kind == VERDICT_ALLOW)
			ask_questions(&questions, policies, deliveries[i], &subjects[i], i);
	if (questions.count == 0)
		return;
	counts = palloc(sizeof(MessageCount) * questions.count);
	store_count_messages(questions.counted, questions.count, counts);
	for (int i = 0; i < questions.count; i++)
	{
		int			place = questions.list[i].place;

		verdicts[place] = verdict_stricter(verdicts[place],
										   judge_count(&questions.list[i], &counts[i], &subjects[place]));
	}
}

/* --- all of them ------------------------------------------------------------------ */

/* Of what comes too late, the call itself will tell. */
static Verdict
judge_delivery(const Policies *policies, const Delivery *delivery, const Terms *terms,
			   const PolicySubject *subject)
{
	Decision	end;

	if (!may_call(terms, &end))
		return verdict_allow();
	return policies_judge_subject(policies->list, policies->count, subject,
								  subject->before_look ? NULL : places_of(policies, delivery, subject),
								  permitted_in_zone);
}

void
policies_judge(const Policies *policies, Delivery **deliveries, int count, Verdict *verdicts)
{
	PolicySubject *subjects = palloc(sizeof(PolicySubject) * count);

	if (policies->count == 0)
		return;
	for (int i = 0; i < count; i++)
	{
		Terms		terms = terms_of_delivery(deliveries[i]);

		subjects[i] = subject_of(deliveries[i], &terms, false);
		if (verdicts[i].kind == VERDICT_ALLOW)
			verdicts[i] = judge_delivery(policies, deliveries[i], &terms, &subjects[i]);
	}
	judge_counts(policies, deliveries, subjects, count, verdicts);
	for (int i = 0; i < count; i++)
		put_in_words(deliveries[i], &verdicts[i]);
}

/* Out of its list, unless it is allowed. */
static bool
apply_verdict(Deliveries *deliveries, Delivery *delivery, const Verdict *verdict)
{
	if (verdict->kind == VERDICT_HOLD)
		deliveries_put_back(deliveries, delivery, verdict->until, verdict->hold, verdict->hold_reason);
	else if (verdict->kind == VERDICT_END)
		deliveries_settle(deliveries, delivery, verdict->outcome, verdict->reason);
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
		Terms		terms = terms_of_delivery(starting[i]);
		PolicySubject subject = subject_of(starting[i], &terms, true);
		Verdict		verdict = judge_delivery(policies, starting[i], &terms, &subject);

		put_in_words(starting[i], &verdict);
		stopped += apply_verdict(deliveries, starting[i], &verdict);
	}
	TEST_POINT(stopped > 0 ? "start_held" : NULL);
	return stopped;
}
