/*
 * decide_laws_test.c: what holds whatever is known and whatever is answered.
 *
 * Tries every step and class with every combination of what is known.
 */
#include <string.h>

#include "decide_samples.h"
#include "retry.h"
#include "tap.h"

#define COUNT(array) ((int) (sizeof(array) / sizeof((array)[0])))

typedef enum Law
{
	LAW_ONE_NOTIFY,
	LAW_NO_SECOND_CHECK,
	LAW_DOUBT,
	LAW_UNRESOLVED,
	LAW_UNRESOLVED_WHY,
	LAW_RETRY_HARMLESS,
	LAW_RETRY_IN_TIME,
	LAW_RETRY_NOT_EARLY,
	LAW_RETRY_COUNTED,
	LAW_CREATE,
	LAW_RECIPIENT,
	LAW_SKIP,
	LAW_TURNS,
	LAW_BLOCK,
	LAW_DONE,
	LAW_EXHAUSTED,
	LAW_EXPIRED,
	LAW_REASON,
	LAW_ANSWERED,
	LAW_OWN_REFUSAL,
	LAW_NOT_NOW,
	LAW_NOT_NOW_LATER,
	LAW_OPTED_OUT,
	LAW_BUSY,
	LAW_YOUNG,
	LAW_PURE,
	LAW_COUNT
} Law;

static const char *const law_names[LAW_COUNT] = {
	"a notify follows a check that found it live, or a create that was overtaken: never a second one",
	"no check follows from a reply",
	"in doubt if a POST is ambiguous and not to be repeated; else only if it is unresolved",
	"while a call is unresolved nothing follows but the same call, its success or doubt",
	"a call is left unresolved only if it is ambiguous, or was",
	"only what had no effect is retried, or what can be repeated with a key in its lifetime",
	"no retry at or after the end",
	"no retry before now or before Retry-After",
	"no retry beyond the attempts that are allowed",
	"a create follows a closed or unknown conversation only, and needs a recipient",
	"a recipient has an address and a proactive channel; whom a notify addresses exists",
	"skip never creates, and only skip skips",
	"after two POSTs in an attempt there is no third",
	"blocked if and only if the refusal is the server's",
	"notified, created, continued if and only if the POST was done, by where it landed",
	"exhausted only when the attempts are used up",
	"expired only when the next try would come too late",
	"who is refused, is told why",
	"answered if and only if a check says that the customer wrote since: no call follows",
	"a refusal to a nudge alone is retried as such, and ends it as refused, never as exhausted",
	"not now uses up no attempt and ends nothing but what expires or loses its key",
	"and is not tried again before the server has rested",
	"a recipient who has opted out is refused, or in doubt, and nothing else follows",
	"nothing is begun beside a customer who is busy, and it does not go on for ever",
	"what we have made a moment ago is not given up, nor followed, for not being found",
	"the same question has the same answer",
};

/* What is said beside the class. */
typedef enum Saying
{
	SAYS_NOTHING,
	SAYS_ALONE,					/* a refusal that nobody else has met */
	SAYS_NOT_NOW,
	SAYS_OPTED_OUT,
	SAYS_BUSY,
	SAYS_YOUNG,
	SAYING_COUNT
} Saying;

static int	violations[LAW_COUNT];
static int	combinations;

static void
law(Law which, bool holds, Step step, const Facts *facts, const Terms *terms)
{
	if (holds || violations[which]++ > 0)
		return;
	printf("# broken first by %s, %s, live %d, attempt %d of %d, Retry-After %" PRId64
		   ", expires_at %" PRId64 ", random %f, repeatable %d until %" PRId64 ", unresolved %d\n",
		   step_name(step), reply_class_name(facts->class), facts->live, terms->attempt,
		   terms->max_attempts, facts->retry_after_ms, terms->expires_at, terms->random,
		   terms->repeatable, terms->repeat_until, terms->unresolved);
}

static bool
is_rest(const Facts *facts)
{
	return facts->limited && (facts->class == REPLY_NOT_APPLIED || facts->class == REPLY_BLOCKED);
}

static bool
is_opt_out(Step step, const Facts *facts)
{
	return facts->opted_out && step != STEP_CHECK && !is_rest(facts) &&
		(facts->class == REPLY_REJECTED || facts->class == REPLY_BLOCKED ||
		 facts->class == REPLY_NOT_FOUND || facts->class == REPLY_CLOSED);
}

static bool
is_own_refusal(Step step, const Facts *facts)
{
	return facts->class == REPLY_BLOCKED && !facts->of_server && !is_rest(facts) && !is_opt_out(step, facts);
}

static bool
is_busy(Step step, const Facts *facts)
{
	return step == STEP_CHECK && facts->class == REPLY_DONE && facts->busy && !facts->live;
}

static bool
is_young(Step step, const Facts *facts, const Terms *terms)
{
	return step != STEP_CREATE && facts->class == REPLY_NOT_FOUND && !is_opt_out(step, facts) &&
		terms->made_at != 0 && terms->now < terms->made_at + YOUNG_US;
}

/* May be tried again, as an attempt like any other. */
static bool
is_harmless(Step step, const Facts *facts, const Terms *terms)
{
	return (facts->class == REPLY_NOT_APPLIED && !is_rest(facts)) || is_young(step, facts, terms) ||
		(step == STEP_CHECK && (facts->class == REPLY_AMBIGUOUS || facts->class == REPLY_CLOSED ||
								facts->class == REPLY_OVERTAKEN));
}

static void
check_retry_laws(Step step, const Facts *facts, const Terms *terms, Decision got)
{
	bool		retry = got.kind == DECIDE_RETRY;
	bool		settled = got.kind == DECIDE_SETTLE;
	bool		harmless = is_harmless(step, facts, terms);
	bool		own = is_own_refusal(step, facts);
	bool		busy = is_busy(step, facts);
	bool		used_up = terms->attempt >= terms->max_attempts;
	/* a look that has found somebody busy was answered: there is nothing to ask for */
	int64_t		asked = facts->retry_after_ms > 0 && !busy ? facts->retry_after_ms * 1000 : 0;
	int64_t		latest = facts->retry_after_ms >= 0 ? asked + SECOND : RETRY_CAP_MS * INT64_C(1000);

	if (is_rest(facts))
		latest = (terms->rest_until > terms->now ? terms->rest_until - terms->now : 0) + 60 * SECOND;
	law(LAW_RETRY_HARMLESS, !retry || ((harmless || own || busy) && !terms->unresolved) ||
		(got.unresolved && terms->repeatable && got.retry_at < terms->repeat_until), step, facts, terms);
	law(LAW_RETRY_IN_TIME, !retry || got.retry_at < terms->expires_at, step, facts, terms);
	law(LAW_RETRY_NOT_EARLY, !retry || got.retry_at >= terms->now + asked, step, facts, terms);
	law(LAW_RETRY_COUNTED, !retry || !used_up, step, facts, terms);
	law(LAW_EXHAUSTED, (settled && got.outcome == OUTCOME_EXHAUSTED) ==
		(harmless && used_up && !terms->unresolved), step, facts, terms);
	law(LAW_EXPIRED, !settled || got.outcome != OUTCOME_EXPIRED ||
		(((harmless || own) && !used_up) || is_rest(facts)), step, facts, terms);
	law(LAW_EXPIRED, !settled || got.outcome != OUTCOME_EXPIRED ||
		terms->now + latest >= terms->expires_at, step, facts, terms);
}

static bool
is_refusal_of(Decision got, const char *reason)
{
	return got.kind == DECIDE_SETTLE && got.outcome == OUTCOME_REFUSED && strcmp(got.reason, reason) == 0;
}

/* What a reply says beside its class. */
static void
check_sayings(Step step, const Facts *facts, const Terms *terms, Decision got)
{
	bool		retry = got.kind == DECIDE_RETRY;
	bool		settled = got.kind == DECIDE_SETTLE;
	bool		in_doubt = settled && got.outcome == OUTCOME_IN_DOUBT && terms->unresolved;
	bool		expired = settled && got.outcome == OUTCOME_EXPIRED;

	if (is_own_refusal(step, facts))
		law(LAW_OWN_REFUSAL, in_doubt || (retry && (got.refused || got.unresolved)) || expired ||
			is_refusal_of(got, "why"), step, facts, terms);
	else
		law(LAW_OWN_REFUSAL, !got.refused, step, facts, terms);
	law(LAW_OWN_REFUSAL, !got.refused || terms->refusals + 1 < REFUSALS_MAX, step, facts, terms);

	law(LAW_NOT_NOW, is_rest(facts) ? got.kind == DECIDE_HOLD || expired || in_doubt :
		got.kind != DECIDE_HOLD, step, facts, terms);
	law(LAW_NOT_NOW_LATER, got.kind != DECIDE_HOLD ||
		(got.retry_at >= terms->rest_until && got.retry_at >= terms->now &&
		 got.retry_at < terms->expires_at), step, facts, terms);

	if (is_opt_out(step, facts))
		law(LAW_OPTED_OUT, in_doubt || is_refusal_of(got, "opted_out"), step, facts, terms);
	if (is_busy(step, facts) && !terms->unresolved)
		law(LAW_BUSY, is_refusal_of(got, "busy") ||
			(retry && got.retry_at >= terms->now + 5 * SECOND && terms->attempt < terms->max_attempts),
			step, facts, terms);
	if (is_young(step, facts, terms) && !terms->unresolved)
		law(LAW_YOUNG, retry || expired || (settled && got.outcome == OUTCOME_EXHAUSTED),
			step, facts, terms);
}

static void
check_create_laws(Step step, const Facts *facts, const Terms *terms, Decision got)
{
	bool		create = got.kind == DECIDE_CALL && got.step == STEP_CREATE;
	bool		skipped = got.kind == DECIDE_SETTLE && got.outcome == OUTCOME_SKIPPED_CLOSED;
	bool		gone = (step == STEP_CHECK && facts->class == REPLY_DONE && !facts->live) ||
		(step == STEP_CHECK && facts->class == REPLY_NOT_FOUND) ||
		(step == STEP_NOTIFY && facts->class == REPLY_CLOSED);
	Recipient	recipient = {0};
	Recipient	addressed;
	const char *reason = NULL;
	bool		found = choose_recipient(facts, terms, &recipient, &reason);

	law(LAW_CREATE, !create || (gone && found), step, facts, terms);
	law(LAW_SKIP, !(create && terms->skip_when_closed) &&
		(!skipped || (gone && terms->skip_when_closed)), step, facts, terms);
	if (got.kind == DECIDE_CALL && got.step == STEP_NOTIFY && step == STEP_CHECK)
		law(LAW_RECIPIENT, !terms->notify_is_addressed ||
			choose_notified(facts, terms, &addressed, &reason), step, facts, terms);
	law(LAW_RECIPIENT, found ? recipient.to_address != NULL && recipient.channel != NULL &&
		list_contains(terms->proactive_channels, recipient.channel) : reason != NULL,
		step, facts, terms);
}

static void
check_doubt_laws(Step step, const Facts *facts, const Terms *terms, Decision got)
{
	bool		settled = got.kind == DECIDE_SETTLE;
	bool		in_doubt = settled && got.outcome == OUTCOME_IN_DOUBT;
	bool		ambiguous = step != STEP_CHECK && facts->class == REPLY_AMBIGUOUS;

	law(LAW_DOUBT, in_doubt ? ambiguous || terms->unresolved :
		!ambiguous || got.kind == DECIDE_RETRY, step, facts, terms);
	law(LAW_UNRESOLVED, !terms->unresolved || (settled ? in_doubt || outcome_has_effect(got.outcome) :
											   got.kind != DECIDE_CALL && got.unresolved),
		step, facts, terms);
	law(LAW_UNRESOLVED_WHY, !got.unresolved || terms->unresolved || ambiguous, step, facts, terms);
}

static void
check_laws(Step step, const Facts *facts, const Terms *terms)
{
	Decision	got = decide(step, facts, terms);
	Decision	again = decide(step, facts, terms);
	bool		settled = got.kind == DECIDE_SETTLE;
	bool		done = facts->class == REPLY_DONE;
	bool		lands = done && (step == STEP_CREATE || (step == STEP_NOTIFY && facts->elsewhere));

	combinations++;
	law(LAW_ONE_NOTIFY, got.kind != DECIDE_CALL || got.step != STEP_NOTIFY ||
		(step == STEP_CHECK && done && facts->live) ||
		(step == STEP_CREATE && facts->class == REPLY_OVERTAKEN), step, facts, terms);
	law(LAW_TURNS, got.kind != DECIDE_CALL || step == STEP_CHECK || !terms->rerouted,
		step, facts, terms);
	law(LAW_NO_SECOND_CHECK, got.kind != DECIDE_CALL || got.step != STEP_CHECK, step, facts, terms);
	law(LAW_BLOCK, (got.kind == DECIDE_BLOCK) ==
		(facts->class == REPLY_BLOCKED && facts->of_server && !is_rest(facts) && !is_opt_out(step, facts)),
		step, facts, terms);
	law(LAW_DONE, (settled && got.outcome == OUTCOME_NOTIFIED) ==
		(step == STEP_NOTIFY && done && !facts->elsewhere) &&
		(settled && got.outcome == OUTCOME_SESSION_CREATED) ==
		(lands && !facts->same_conversation) &&
		(settled && got.outcome == OUTCOME_SESSION_CONTINUED) ==
		(lands && facts->same_conversation), step, facts, terms);
	law(LAW_REASON, !settled || got.outcome != OUTCOME_REFUSED || got.reason != NULL,
		step, facts, terms);
	law(LAW_ANSWERED, (settled && got.outcome == OUTCOME_ANSWERED) ==
		(step == STEP_CHECK && done && !terms->unresolved && facts->last_inbound_at != 0 &&
		 facts->last_inbound_at > terms->answered_since + terms->clock_margin), step, facts, terms);
	law(LAW_PURE, got.kind == again.kind && got.step == again.step && got.outcome == again.outcome &&
		got.reason == again.reason && got.retry_at == again.retry_at &&
		got.unresolved == again.unresolved, step, facts, terms);
	check_doubt_laws(step, facts, terms, got);
	check_retry_laws(step, facts, terms, got);
	check_create_laws(step, facts, terms, got);
	check_sayings(step, facts, terms, got);
}

/* Every combination of what is known of the two conversations and the nudge. */
static void
try_people(Step step, Facts *facts, Terms *terms)
{
	static const char *const channels[] = {NULL, "sms", "webchat"};
	static const char *const lists[] = {NULL, "", "sms", "whatsapp,sms,webchat"};

	for (int bits = 0; bits < 512; bits++)
		for (int old = 0; old < COUNT(channels); old++)
			for (int own = 0; own < COUNT(channels); own++)
				for (int list = 0; list < COUNT(lists); list++)
				{
					terms->skip_when_closed = bits & 1;
					facts->live = bits & 2;
					facts->same_conversation = bits & 4;
					facts->customer_address = bits & 8 ? "+1c" : NULL;
					facts->business_address = bits & 16 ? "+1b" : NULL;
					terms->address = bits & 32 ? "+1o" : NULL;
					terms->rerouted = bits & 64;
					facts->elsewhere = bits & 128;
					terms->notify_is_addressed = bits & 256;
					facts->channel = channels[old];
					terms->channel = channels[own];
					terms->proactive_channels = lists[list];
					check_laws(step, facts, terms);
				}
}

/* Every combination of attempts, times and luck. */
static void
try_times(Step step, Facts *facts, Terms *terms)
{
	static const int attempts[] = {0, 1, 2, 11, 12, 13, 1000000};
	static const int64_t asked[] = {-1, 0, 1, 60000, 86400000};
	static const int64_t ends_in[] = {-SECOND, 0, 1, SECOND / 2, SECOND, 60 * SECOND, 86400 * SECOND};
	static const double luck[] = {0.0, 0.25, 0.5, 0.999999};

	for (int a = 0; a < COUNT(attempts); a++)
		for (int r = 0; r < COUNT(asked); r++)
			for (int e = 0; e <= COUNT(ends_in); e++)
				for (int l = 0; l < COUNT(luck); l++)
				{
					terms->attempt = attempts[a];
					facts->retry_after_ms = asked[r];
					terms->expires_at = e == COUNT(ends_in) ? INT64_MAX : terms->now + ends_in[e];
					terms->random = luck[l];
					check_laws(step, facts, terms);
				}
}

/* Ordinary terms, with every combination of what is known of keys. */
static Terms
terms_with_keys(int bits)
{
	Terms		terms = some_terms();

	terms.repeatable = bits & 1;
	terms.unresolved = bits & 2;
	terms.repeat_until = bits & 4 ? INT64_MAX : NOW + SECOND;
	return terms;
}

/* Every combination of who wrote when, and since when it counts. */
static void
try_answers(Step step, Facts *facts, Terms *terms)
{
	static const int64_t times[] = {0, NOW - SECOND, NOW, NOW + 1, NOW + SECOND, NOW + SECOND + 1};

	for (int bits = 0; bits < 8; bits++)
		for (int w = 0; w < COUNT(times); w++)
			for (int s = 0; s < COUNT(times); s++)
			{
				facts->live = bits & 1;
				terms->skip_when_closed = bits & 2;
				terms->clock_margin = bits & 4 ? SECOND : 0;
				facts->last_inbound_at = times[w];
				terms->answered_since = times[s];
				check_laws(step, facts, terms);
			}
}

static void
say(Saying saying, Facts *facts, Terms *terms)
{
	facts->of_server = saying != SAYS_ALONE;
	facts->limited = saying == SAYS_NOT_NOW;
	facts->opted_out = saying == SAYS_OPTED_OUT;
	facts->busy = saying == SAYS_BUSY;
	terms->made_at = saying == SAYS_YOUNG ? terms->now - SECOND : 0;
}

/* What changes with what is said: how often, and for how long. */
static void
try_sayings(Step step, ReplyClass class, int keys)
{
	for (int saying = SAYS_NOTHING; saying < SAYING_COUNT; saying++)
		for (int i = 0; i <= REFUSALS_MAX; i++)
		{
			Facts		facts = some_facts(class);
			Terms		terms = terms_with_keys(keys);

			if (i > 0 && saying != SAYS_ALONE && saying != SAYS_NOT_NOW)
				continue;
			say((Saying) saying, &facts, &terms);
			terms.refusals = i;
			terms.times_put_back = i * i;
			terms.rest_until = NOW + (i - 2) * 4 * SECOND;
			try_times(step, &facts, &terms);
		}
}

/* All that is known of people, with keys or without. */
static void
try_people_saying(Step step, ReplyClass class, int keys)
{
	for (int saying = SAYS_NOTHING; saying < SAYING_COUNT; saying++)
	{
		Facts		facts = some_facts(class);
		Terms		terms = terms_with_keys(keys);

		if (saying != SAYS_NOTHING && keys != 0 && keys != 7)
			continue;
		say((Saying) saying, &facts, &terms);
		try_people(step, &facts, &terms);
	}
}

static void
test_laws(void)
{
	for (int step = 0; step < STEP_COUNT; step++)
		for (int class = 0; class < REPLY_CLASS_COUNT; class++)
			for (int keys = 0; keys < 8; keys++)
			{
				Facts		facts = some_facts((ReplyClass) class);
				Terms		terms = terms_with_keys(keys);

				try_people_saying((Step) step, (ReplyClass) class, keys);
				try_sayings((Step) step, (ReplyClass) class, keys);
				try_answers((Step) step, &facts, &terms);
			}
	for (int i = 0; i < LAW_COUNT; i++)
		is_number(violations[i], 0, law_names[i]);
	printf("# %d combinations\n", combinations);
}

int
main(void)
{
	test_laws();
	return done_testing();
}
