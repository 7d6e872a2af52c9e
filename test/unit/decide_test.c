/*
 * decide_test.c: what follows from a reply, as a table.
 */
#include "decide_samples.h"
#include "tap.h"

#define COUNT(array) ((int) (sizeof(array) / sizeof((array)[0])))

/* Half of the first second: what a retry waits with random = 0.5. */
#define SOON (NOW + SECOND / 2)

static Decision
makes(Step step)
{
	return (Decision) {.kind = DECIDE_CALL, .step = step};
}

static Decision
ends(Outcome outcome, const char *reason)
{
	return (Decision) {.kind = DECIDE_SETTLE, .outcome = outcome, .reason = reason};
}

static Decision
retries(int64_t at)
{
	return (Decision) {.kind = DECIDE_RETRY, .retry_at = at, .reason = "why"};
}

static Decision
blocks(void)
{
	return (Decision) {.kind = DECIDE_BLOCK, .reason = "why"};
}

static void
check(const char *name, Step step, const Facts *facts, const Terms *terms, Decision wanted)
{
	Decision	got = decide(step, facts, terms);
	bool		same = got.kind == wanted.kind;

	same = same && (got.kind != DECIDE_CALL || got.step == wanted.step);
	same = same && (got.kind != DECIDE_SETTLE || got.outcome == wanted.outcome);
	same = same && (got.kind != DECIDE_RETRY || got.retry_at == wanted.retry_at);
	if (!ok(same, "%s", name))
		printf("#   got:    kind %d, step %d, outcome %s, retry_at %" PRId64 "\n"
			   "#   wanted: kind %d, step %d, outcome %s, retry_at %" PRId64 "\n",
			   got.kind, got.step, outcome_name(got.outcome), got.retry_at,
			   wanted.kind, wanted.step, outcome_name(wanted.outcome), wanted.retry_at);
	if (got.kind != DECIDE_CALL)
		is_text(got.reason, wanted.reason, "its reason");
}

/* What the nudge and the old conversation offer for a new session. */
typedef enum Offer
{
	OLD_ADDRESS,				/* the old conversation's, on a proactive channel */
	OWN_ADDRESS,				/* the nudge's own only */
	NO_ADDRESS
} Offer;

static void
offer(Offer which, Facts *facts, Terms *terms)
{
	if (which != OLD_ADDRESS)
		facts->channel = facts->customer_address = facts->business_address = NULL;
	if (which == OWN_ADDRESS)
	{
		terms->address = "+1own";
		terms->channel = "whatsapp";
	}
}

/* A closed conversation is followed if it may be, and if there is somebody. */
static Decision
follows(bool skip, Offer which)
{
	if (skip)
		return ends(OUTCOME_SKIPPED_CLOSED, NULL);
	return which == NO_ADDRESS ? ends(OUTCOME_REFUSED, "no_address") : makes(STEP_CREATE);
}

static Decision
wanted_after_check(ReplyClass class, bool live, bool skip, Offer which)
{
	switch (class)
	{
		case REPLY_DONE:
			return live ? makes(STEP_NOTIFY) : follows(skip, which);
		case REPLY_NOT_FOUND:
			return which == OWN_ADDRESS ? follows(skip, which) :
				ends(OUTCOME_REFUSED, "conversation_not_found");
		case REPLY_REJECTED:
			return ends(OUTCOME_REFUSED, "why");
		case REPLY_CLOSED:
		case REPLY_NOT_APPLIED:
		case REPLY_AMBIGUOUS:
			return retries(SOON);
		case REPLY_BLOCKED:
			return blocks();
	}
	return blocks();
}

static Decision
wanted_after_notify(ReplyClass class, bool skip, Offer which)
{
	switch (class)
	{
		case REPLY_DONE:
			return ends(OUTCOME_NOTIFIED, NULL);
		case REPLY_NOT_FOUND:
			return ends(OUTCOME_REFUSED, "conversation_not_found");
		case REPLY_CLOSED:
			return follows(skip, which);
		case REPLY_REJECTED:
			return ends(OUTCOME_REFUSED, "why");
		case REPLY_NOT_APPLIED:
			return retries(SOON);
		case REPLY_AMBIGUOUS:
			return ends(OUTCOME_IN_DOUBT, "why");
		case REPLY_BLOCKED:
			return blocks();
	}
	return blocks();
}

static Decision
wanted_after_create(ReplyClass class, bool same_conversation)
{
	switch (class)
	{
		case REPLY_DONE:
			return ends(same_conversation ? OUTCOME_SESSION_CONTINUED : OUTCOME_SESSION_CREATED, NULL);
		case REPLY_NOT_FOUND:
		case REPLY_CLOSED:
		case REPLY_REJECTED:
			return ends(OUTCOME_REFUSED, "why");
		case REPLY_NOT_APPLIED:
			return retries(SOON);
		case REPLY_AMBIGUOUS:
			return ends(OUTCOME_IN_DOUBT, "why");
		case REPLY_BLOCKED:
			return blocks();
	}
	return blocks();
}

/* One row of the table: a step, a class, and what is known beside them. */
static void
test_row(Step step, ReplyClass class, bool flag, bool skip, Offer which)
{
	static const char *const offers[] = {"old address", "own address", "no address"};
	Facts		facts = some_facts(class);
	Terms		terms = some_terms();
	Decision	wanted;
	char		name[120];

	offer(which, &facts, &terms);
	terms.skip_when_closed = skip;
	if (step == STEP_CREATE)
		facts.same_conversation = flag;
	else
		facts.live = flag;
	wanted = step == STEP_CHECK ? wanted_after_check(class, flag, skip, which) :
		step == STEP_NOTIFY ? wanted_after_notify(class, skip, which) :
		wanted_after_create(class, flag);
	snprintf(name, sizeof(name), "%s: %s%s, %s, %s", step_name(step), reply_class_name(class),
			 !flag ? "" : step == STEP_CREATE ? " (same conversation)" : " (live)",
			 skip ? "skip" : "new_session", offers[which]);
	check(name, step, &facts, &terms, wanted);
}

static void
test_table(void)
{
	for (int step = 0; step < STEP_COUNT; step++)
		for (int class = 0; class < REPLY_CLASS_COUNT; class++)
			for (int flag = 0; flag < 2; flag++)
				for (int skip = 0; skip < 2; skip++)
					for (int which = OLD_ADDRESS; which <= NO_ADDRESS; which++)
						test_row((Step) step, (ReplyClass) class, flag, skip, (Offer) which);
}

/* --- retries -------------------------------------------------------------- */

typedef struct RetryCase
{
	const char *name;
	int			attempt;
	int			max_attempts;
	int64_t		retry_after_ms;
	int64_t		expires_at;
	DecisionKind kind;
	Outcome		outcome;		/* of DECIDE_SETTLE */
	int64_t		retry_at;		/* of DECIDE_RETRY */
} RetryCase;

static const RetryCase retry_cases[] = {
	{"the first of many", 1, 12, -1, INT64_MAX, DECIDE_RETRY, 0, SOON},
	{"the last but one", 11, 12, -1, INT64_MAX, DECIDE_RETRY, 0, NOW + 300 * SECOND},
	{"the last", 12, 12, -1, INT64_MAX, DECIDE_SETTLE, OUTCOME_EXHAUSTED, 0},
	{"more than allowed", 13, 12, -1, INT64_MAX, DECIDE_SETTLE, OUTCOME_EXHAUSTED, 0},
	{"only one is allowed", 1, 1, -1, INT64_MAX, DECIDE_SETTLE, OUTCOME_EXHAUSTED, 0},
	{"the API asks for 60 s", 1, 12, 60000, INT64_MAX, DECIDE_RETRY, 0, NOW + 60 * SECOND + SECOND / 2},
	{"the API asks for 0 s", 1, 12, 0, INT64_MAX, DECIDE_RETRY, 0, SOON},
	{"a day is still a retry", 1, 12, 86400000, INT64_MAX, DECIDE_RETRY, 0,
	NOW + 86400 * SECOND + SECOND / 2},
	{"just before it expires", 1, 12, -1, SOON + 1, DECIDE_RETRY, 0, SOON},
	{"at the moment it expires", 1, 12, -1, SOON, DECIDE_SETTLE, OUTCOME_EXPIRED, 0},
	{"after it expires", 1, 12, -1, SOON - 1, DECIDE_SETTLE, OUTCOME_EXPIRED, 0},
	{"expired already", 1, 12, -1, NOW - 1, DECIDE_SETTLE, OUTCOME_EXPIRED, 0},
	{"Retry-After reaches beyond the end", 1, 12, 60000, NOW + 60 * SECOND, DECIDE_SETTLE, OUTCOME_EXPIRED, 0},
	{"exhausted and expired is exhausted", 12, 12, -1, NOW, DECIDE_SETTLE, OUTCOME_EXHAUSTED, 0},
};

static void
test_retries(void)
{
	for (int i = 0; i < COUNT(retry_cases); i++)
		for (int step = 0; step < STEP_COUNT; step++)
		{
			const RetryCase *c = &retry_cases[i];
			Facts		facts = some_facts(REPLY_NOT_APPLIED);
			Terms		terms = some_terms();
			Decision	wanted = {.kind = c->kind, .outcome = c->outcome, .retry_at = c->retry_at, .reason = "why"};
			char		name[120];

			facts.retry_after_ms = c->retry_after_ms;
			terms.attempt = c->attempt;
			terms.max_attempts = c->max_attempts;
			terms.expires_at = c->expires_at;
			snprintf(name, sizeof(name), "%s: %s", step_name((Step) step), c->name);
			check(name, (Step) step, &facts, &terms, wanted);
		}
}

/* --- the recipient --------------------------------------------------------- */

typedef struct RecipientCase
{
	const char *name;
	/* facts */
	const char *channel;
	const char *customer;
	const char *business;
	/* terms */
	const char *own_address;
	const char *own_channel;
	const char *server_address;
	const char *proactive;
	/* wanted; a reason when nobody can be addressed */
	const char *reason;
	const char *to;
	const char *from;
	const char *on;
} RecipientCase;

static const RecipientCase recipient_cases[] = {
	{"the customer of the old conversation", "sms", "+1c", "+1b", NULL, NULL, "+1s", "sms",
	NULL, "+1c", "+1b", "sms"},
	{"the old address goes before the own", "sms", "+1c", "+1b", "+1o", "whatsapp", "+1s", "sms,whatsapp",
	NULL, "+1c", "+1b", "sms"},
	{"business side unknown: the server's", "sms", "+1c", NULL, NULL, NULL, "+1s", "sms",
	NULL, "+1c", "+1s", "sms"},
	{"no business side at all: the API chooses", "sms", "+1c", NULL, NULL, NULL, NULL, "sms",
	NULL, "+1c", NULL, "sms"},
	{"the old channel is unknown: the nudge's", NULL, "+1c", NULL, NULL, "sms", "+1s", "sms",
	NULL, "+1c", "+1s", "sms"},

	{"old channel not proactive", "webchat", "c", "b", NULL, NULL, "+1s", "sms",
	"channel_not_proactive", NULL, NULL, NULL},
	{"old channel not proactive, own address on a proactive one", "webchat", "c", "b", "+1o", "sms", "+1s", "sms",
	NULL, "+1o", "+1s", "sms"},
	{"another channel: the old business side does not fit", "webchat", "c", "b", "+1o", "sms", NULL, "sms",
	NULL, "+1o", NULL, "sms"},
	{"old channel not proactive, own address without a channel", "webchat", "c", "b", "+1o", NULL, "+1s", "sms",
	"channel_not_proactive", NULL, NULL, NULL},
	{"own channel not proactive", NULL, NULL, NULL, "+1o", "webchat", "+1s", "sms",
	"channel_not_proactive", NULL, NULL, NULL},
	{"own channel not proactive, though the old one is", "sms", NULL, "+1b", "+1o", "webchat", "+1s", "sms",
	"channel_not_proactive", NULL, NULL, NULL},

	{"old address unknown: the own, on its own channel", "sms", NULL, "+1b", "+1o", "whatsapp", "+1s", "sms,whatsapp",
	NULL, "+1o", "+1s", "whatsapp"},
	{"old address unknown: the own, on the old channel", "sms", NULL, "+1b", "+1o", NULL, "+1s", "sms",
	NULL, "+1o", "+1b", "sms"},
	{"the same channel keeps the business side", "sms", NULL, "+1b", "+1o", "sms", "+1s", "sms",
	NULL, "+1o", "+1b", "sms"},
	{"nothing known of the old one", NULL, NULL, NULL, "+1o", "sms", "+1s", "sms",
	NULL, "+1o", "+1s", "sms"},

	{"nobody", NULL, NULL, NULL, NULL, NULL, "+1s", "sms", "no_address", NULL, NULL, NULL},
	{"a channel but nobody on it", "sms", NULL, "+1b", NULL, "sms", "+1s", "sms", "no_address", NULL, NULL, NULL},
	{"own address, no channel", NULL, NULL, NULL, "+1o", NULL, "+1s", "sms", "no_channel", NULL, NULL, NULL},
	{"no channel is proactive", "sms", "+1c", "+1b", "+1o", "sms", "+1s", "", "channel_not_proactive", NULL, NULL, NULL},
	{"no list of channels", "sms", "+1c", "+1b", "+1o", "sms", "+1s", NULL, "channel_not_proactive", NULL, NULL, NULL},
};

static void
test_recipient(void)
{
	for (int i = 0; i < COUNT(recipient_cases); i++)
	{
		const RecipientCase *c = &recipient_cases[i];
		Facts		facts = {.class = REPLY_DONE, .channel = c->channel,
		.customer_address = c->customer, .business_address = c->business};
		Terms		terms = some_terms();
		Recipient	recipient = {0};
		const char *reason = NULL;
		bool		found;

		terms.address = c->own_address;
		terms.channel = c->own_channel;
		terms.from_address = c->server_address;
		terms.proactive_channels = c->proactive;
		found = choose_recipient(&facts, &terms, &recipient, &reason);
		ok(found == (c->reason == NULL), "recipient: %s", c->name);
		if (found)
		{
			is_text(recipient.to_address, c->to, "to");
			is_text(recipient.from_address, c->from, "from");
			is_text(recipient.channel, c->on, "on");
		}
		else
			is_text(reason, c->reason, "the reason");
		check("decide agrees", STEP_CHECK, &facts, &terms,
			  c->reason == NULL ? makes(STEP_CREATE) : ends(OUTCOME_REFUSED, c->reason));
	}
}

typedef struct ListCase
{
	const char *channels;
	const char *channel;
	bool		listed;
} ListCase;

static const ListCase list_cases[] = {
	{"sms", "sms", true},
	{"sms,whatsapp,open", "sms", true},
	{"sms,whatsapp,open", "whatsapp", true},
	{"sms,whatsapp,open", "open", true},
	{"sms,whatsapp,open", "email", false},
	{"sms,whatsapp,open", "SMS", false},
	{"sms,whatsapp,open", "sm", false},
	{"sms,whatsapp,open", "ms", false},
	{"sms,whatsapp,open", "smsx", false},
	{"sms,whatsapp,open", "sms,whatsapp", false},
	{"sms,whatsapp,open", "sms,", false},
	{"sms,whatsapp,open", ",", false},
	{"smsx", "sms", false},
	{"xsms", "sms", false},
	{"x,sms", "sms", true},
	{"sms,", "sms", true},
	{",sms", "sms", true},
	{",,sms,,", "sms", true},
	{"x,,sms", "sms", true},
	{" sms", "sms", false},
	{"", "sms", false},
	{",", "sms", false},
	{NULL, "sms", false},
	{"sms", "", false},
	{"", "", false},
	{",", "", false},
	{",sms", "", false},
	{"sms,", "", false},
	{"sms,,open", "", false},
	{NULL, "", false},
};

static void
test_list_contains(void)
{
	for (int i = 0; i < COUNT(list_cases); i++)
		ok(list_contains(list_cases[i].channels, list_cases[i].channel) == list_cases[i].listed,
		   "\"%s\" is %sin \"%s\"", list_cases[i].channel, list_cases[i].listed ? "" : "not ",
		   list_cases[i].channels != NULL ? list_cases[i].channels : "NULL");
}

/* Out of a message that nothing bounds; a retry must not land in the past. */
static void
test_endless_retry_after(void)
{
	static const int64_t asked[] = {INT64_MAX / 1000, INT64_MAX - 1000, INT64_MAX};

	for (int i = 0; i < COUNT(asked); i++)
	{
		Facts		facts = some_facts(REPLY_NOT_APPLIED);
		Terms		terms = some_terms();
		Decision	got;

		facts.retry_after_ms = asked[i];
		got = decide(STEP_CHECK, &facts, &terms);
		ok(got.kind == DECIDE_SETTLE || got.retry_at > NOW, "Retry-After %" PRId64, asked[i]);
	}
}

int
main(void)
{
	test_table();
	test_retries();
	test_recipient();
	test_list_contains();
	test_endless_retry_after();
	return done_testing();
}
