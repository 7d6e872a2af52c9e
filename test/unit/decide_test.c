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

/* The same call again, and no other. */
static Decision
repeats(int64_t at)
{
	return (Decision) {.kind = DECIDE_RETRY, .retry_at = at, .reason = "why", .unresolved = true};
}

static Decision
holds(void)
{
	return (Decision) {.kind = DECIDE_BLOCK, .reason = "why", .unresolved = true};
}

/* The schedule is asked by these. */
static Hold
hold_of(const Decision *decision)
{
	switch (decision->kind)
	{
		case DECIDE_CALL:
		case DECIDE_SETTLE:
			return HOLD_NONE;
		case DECIDE_RETRY:
			return strcmp(decision->reason, "busy") == 0 ? HOLD_BUSY : HOLD_RETRY;
		case DECIDE_HOLD:
			return HOLD_RATE_LIMIT;
		case DECIDE_BLOCK:
			return HOLD_SERVER;
	}
	return HOLD_NONE;
}

static void
check(const char *name, Step step, const Facts *facts, const Terms *terms, Decision wanted)
{
	Decision	got = decide(step, facts, terms);
	bool		same = got.kind == wanted.kind && got.unresolved == wanted.unresolved;

	same = same && (got.kind != DECIDE_CALL || got.step == wanted.step);
	same = same && (got.kind != DECIDE_SETTLE || got.outcome == wanted.outcome);
	same = same && (got.kind != DECIDE_RETRY || got.retry_at == wanted.retry_at);
	if (!ok(same, "%s", name))
		printf("#   got:    kind %d, step %d, outcome %s, retry_at %" PRId64 ", unresolved %d\n"
			   "#   wanted: kind %d, step %d, outcome %s, retry_at %" PRId64 ", unresolved %d\n",
			   got.kind, got.step, outcome_name(got.outcome), got.retry_at, got.unresolved,
			   wanted.kind, wanted.step, outcome_name(wanted.outcome), wanted.retry_at, wanted.unresolved);
	if (got.kind != DECIDE_CALL)
		is_text(got.reason, wanted.reason, "its reason");
	is_text(hold_code(got.hold), hold_code(hold_of(&wanted)), "what it waits for");
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
		case REPLY_OVERTAKEN:
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
		case REPLY_OVERTAKEN:
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
		case REPLY_OVERTAKEN:
			return makes(STEP_NOTIFY);
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

static Decision
wanted_after(Step step, ReplyClass class, bool flag, bool skip, Offer which)
{
	switch (step)
	{
		case STEP_CHECK:
			return wanted_after_check(class, flag, skip, which);
		case STEP_NOTIFY:
			return wanted_after_notify(class, skip, which);
		case STEP_CREATE:
			return wanted_after_create(class, flag);
	}
	return blocks();
}

/*
 * While a call is unresolved, only its success ends it otherwise than in doubt,
 * and nothing follows but the same call.
 */
static Decision
wanted_while_unresolved(Step step, ReplyClass class, bool flag, bool repeatable)
{
	switch (class)
	{
		case REPLY_DONE:
			return step == STEP_CHECK ? ends(OUTCOME_IN_DOUBT, "why") :
				wanted_after(step, class, flag, false, OLD_ADDRESS);
		case REPLY_CLOSED:
		case REPLY_OVERTAKEN:
			if (step != STEP_CHECK)
				return ends(OUTCOME_IN_DOUBT, "why");
			return repeatable ? repeats(SOON) : ends(OUTCOME_IN_DOUBT, "why");
		case REPLY_NOT_FOUND:
		case REPLY_REJECTED:
			return ends(OUTCOME_IN_DOUBT, "why");
		case REPLY_NOT_APPLIED:
		case REPLY_AMBIGUOUS:
			return repeatable ? repeats(SOON) : ends(OUTCOME_IN_DOUBT, "why");
		case REPLY_BLOCKED:
			return holds();
	}
	return blocks();
}

/* With keys, what is ambiguous is asked again; all else is as without. */
static Decision
wanted_with_keys(Step step, ReplyClass class, bool flag, bool skip, Offer which)
{
	if (step != STEP_CHECK && class == REPLY_AMBIGUOUS)
		return repeats(SOON);
	return wanted_after(step, class, flag, skip, which);
}

/* What is known of the call's key. */
typedef enum Keys
{
	NO_KEYS,
	KEYS,
	KEYS_UNRESOLVED,
	NO_KEYS_UNRESOLVED			/* the option was taken back meanwhile */
} Keys;

static Decision
wanted_in_row(Step step, ReplyClass class, bool flag, bool skip, Offer which, Keys keys)
{
	switch (keys)
	{
		case NO_KEYS:
			return wanted_after(step, class, flag, skip, which);
		case KEYS:
			return wanted_with_keys(step, class, flag, skip, which);
		case KEYS_UNRESOLVED:
		case NO_KEYS_UNRESOLVED:
			return wanted_while_unresolved(step, class, flag, keys == KEYS_UNRESOLVED);
	}
	return blocks();
}

/* One row of the table: a step, a class, and what is known beside them. */
static void
test_row(Step step, ReplyClass class, bool flag, bool skip, Offer which, Keys keys)
{
	static const char *const offers[] = {"old address", "own address", "no address"};
	static const char *const kinds[] = {"", ", keys", ", keys, unresolved", ", unresolved"};
	Facts		facts = some_facts(class);
	Terms		terms = some_terms();
	char		name[120];

	offer(which, &facts, &terms);
	terms.skip_when_closed = skip;
	terms.repeatable = keys == KEYS || keys == KEYS_UNRESOLVED;
	terms.unresolved = keys == KEYS_UNRESOLVED || keys == NO_KEYS_UNRESOLVED;
	terms.repeat_until = INT64_MAX;
	if (step == STEP_CREATE)
		facts.same_conversation = flag;
	else
		facts.live = flag;
	snprintf(name, sizeof(name), "%s: %s%s, %s, %s%s", step_name(step), reply_class_name(class),
			 !flag ? "" : step == STEP_CREATE ? " (same conversation)" : " (live)",
			 skip ? "skip" : "new_session", offers[which], kinds[keys]);
	check(name, step, &facts, &terms, wanted_in_row(step, class, flag, skip, which, keys));
}

static void
test_table(Keys keys)
{
	for (int step = 0; step < STEP_COUNT; step++)
		for (int class = 0; class < REPLY_CLASS_COUNT; class++)
			for (int flag = 0; flag < 2; flag++)
				for (int skip = 0; skip < 2; skip++)
					for (int which = OLD_ADDRESS; which <= NO_ADDRESS; which++)
						test_row((Step) step, (ReplyClass) class, flag, skip, (Offer) which, keys);
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

/* --- repetitions ------------------------------------------------------------ */

typedef struct RepeatCase
{
	const char *name;
	int			attempt;
	int64_t		retry_after_ms;
	int64_t		expires_at;
	int64_t		repeat_until;
	int64_t		repeat_at;		/* 0: in doubt instead */
} RepeatCase;

static const RepeatCase repeat_cases[] = {
	{"the first of many", 1, -1, INT64_MAX, INT64_MAX, SOON},
	{"the last but one", 11, -1, INT64_MAX, INT64_MAX, NOW + 300 * SECOND},
	{"the last", 12, -1, INT64_MAX, INT64_MAX, 0},
	{"the API asks for 60 s", 1, 60000, INT64_MAX, INT64_MAX, NOW + 60 * SECOND + SECOND / 2},
	{"just before it expires", 1, -1, SOON + 1, INT64_MAX, SOON},
	{"at the moment it expires", 1, -1, SOON, INT64_MAX, 0},
	{"expired already", 1, -1, NOW - 1, INT64_MAX, 0},
	{"just before the key is forgotten", 1, -1, INT64_MAX, SOON + 1, SOON},
	{"at the moment the key is forgotten", 1, -1, INT64_MAX, SOON, 0},
	{"the key is forgotten already", 1, -1, INT64_MAX, NOW - 1, 0},
	{"Retry-After reaches beyond the key", 1, 60000, INT64_MAX, NOW + 60 * SECOND, 0},
	{"the last, expired and forgotten", 12, -1, NOW, NOW, 0},
};

static void
test_repetition(const RepeatCase *c, Step step, ReplyClass class, bool unresolved)
{
	Facts		facts = some_facts(class);
	Terms		terms = some_terms();
	char		name[120];

	facts.retry_after_ms = c->retry_after_ms;
	terms.attempt = c->attempt;
	terms.expires_at = c->expires_at;
	terms.repeatable = true;
	terms.repeat_until = c->repeat_until;
	terms.unresolved = unresolved;
	snprintf(name, sizeof(name), "%s, %s%s: %s", step_name(step), reply_class_name(class),
			 unresolved ? ", unresolved" : "", c->name);
	check(name, step, &facts, &terms, c->repeat_at > 0 ? repeats(c->repeat_at) :
		  ends(OUTCOME_IN_DOUBT, "why"));
}

/* A call that certainly had no effect is retried whatever became of its key. */
static void
test_key_of_nothing(Step step)
{
	Facts		facts = some_facts(REPLY_NOT_APPLIED);
	Terms		terms = some_terms();
	char		name[120];

	terms.repeatable = true;
	terms.repeat_until = NOW - 1;
	snprintf(name, sizeof(name), "%s: nothing is unresolved, so its key does not matter", step_name(step));
	check(name, step, &facts, &terms, retries(SOON));
}

static void
test_repetitions(void)
{
	for (int step = STEP_NOTIFY; step <= STEP_CREATE; step++)
	{
		for (int i = 0; i < COUNT(repeat_cases); i++)
		{
			test_repetition(&repeat_cases[i], (Step) step, REPLY_AMBIGUOUS, false);
			test_repetition(&repeat_cases[i], (Step) step, REPLY_AMBIGUOUS, true);
			test_repetition(&repeat_cases[i], (Step) step, REPLY_NOT_APPLIED, true);
		}
		test_key_of_nothing((Step) step);
	}
}

/* --- may it still be called? -------------------------------------------------- */

typedef struct MayCase
{
	const char *name;
	int64_t		expires_at;
	bool		repeatable;
	int64_t		repeat_until;
	bool		unresolved;
	Outcome		outcome;		/* OUTCOME_COUNT: it may */
	const char *reason;
} MayCase;

static const MayCase may_cases[] = {
	{"a call that never expires", INT64_MAX, false, 0, false, OUTCOME_COUNT, NULL},
	{"just before it expires", NOW + 1, false, 0, false, OUTCOME_COUNT, NULL},
	{"at the moment it expires", NOW, false, 0, false, OUTCOME_EXPIRED, NULL},
	{"after it expired", NOW - 1, false, 0, false, OUTCOME_EXPIRED, NULL},
	{"nothing is unresolved: a key is new", INT64_MAX, true, NOW - 1, false, OUTCOME_COUNT, NULL},
	{"nothing is unresolved: expired", NOW, true, INT64_MAX, false, OUTCOME_EXPIRED, NULL},
	{"unresolved, with a key", INT64_MAX, true, INT64_MAX, true, OUTCOME_COUNT, NULL},
	{"unresolved, just before it expires", NOW + 1, true, INT64_MAX, true, OUTCOME_COUNT, NULL},
	{"unresolved, at the moment it expires", NOW, true, INT64_MAX, true, OUTCOME_IN_DOUBT, "expired"},
	{"unresolved, after it expired", NOW - 1, true, INT64_MAX, true, OUTCOME_IN_DOUBT, "expired"},
	{"just before the key is forgotten", INT64_MAX, true, NOW + 1, true, OUTCOME_COUNT, NULL},
	{"at the moment the key is forgotten", INT64_MAX, true, NOW, true, OUTCOME_IN_DOUBT, "key_expired"},
	{"after the key was forgotten", INT64_MAX, true, NOW - 1, true, OUTCOME_IN_DOUBT, "key_expired"},
	{"unresolved, but keys are no longer honoured", INT64_MAX, false, INT64_MAX, true, OUTCOME_IN_DOUBT, "key_expired"},
	{"expired goes before forgotten", NOW, true, NOW, true, OUTCOME_IN_DOUBT, "expired"},
};

static void
test_may_call(void)
{
	for (int i = 0; i < COUNT(may_cases); i++)
	{
		const MayCase *c = &may_cases[i];
		Terms		terms = some_terms();
		Decision	end = {.kind = DECIDE_CALL};
		bool		may;

		terms.expires_at = c->expires_at;
		terms.repeatable = c->repeatable;
		terms.repeat_until = c->repeat_until;
		terms.unresolved = c->unresolved;
		may = may_call(&terms, &end);
		ok(may == (c->outcome == OUTCOME_COUNT), "may call: %s", c->name);
		if (may)
			continue;
		ok(end.kind == DECIDE_SETTLE && end.outcome == c->outcome && !end.unresolved,
		   "it ends as %s", outcome_name(c->outcome));
		is_text(end.reason, c->reason, "its reason");
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

/* --- APIs that notify an address --------------------------------------------- */

typedef struct TurnCase
{
	Step		step;
	ReplyClass	class;
	bool		rerouted;
	Decision	wanted;
} TurnCase;

/* Two POSTs in a row can be refused for what has become of the conversation. */
static void
test_turns(void)
{
	const TurnCase cases[] = {
		{STEP_NOTIFY, REPLY_CLOSED, false, makes(STEP_CREATE)},
		{STEP_CREATE, REPLY_OVERTAKEN, false, makes(STEP_NOTIFY)},
		{STEP_NOTIFY, REPLY_CLOSED, true, ends(OUTCOME_REFUSED, "why")},
		{STEP_CREATE, REPLY_OVERTAKEN, true, ends(OUTCOME_REFUSED, "why")},
		{STEP_NOTIFY, REPLY_DONE, true, ends(OUTCOME_NOTIFIED, NULL)},
		{STEP_CREATE, REPLY_NOT_APPLIED, true, retries(SOON)},
	};

	for (int i = 0; i < COUNT(cases); i++)
	{
		Facts		facts = some_facts(cases[i].class);
		Terms		terms = some_terms();
		char		name[80];

		terms.rerouted = cases[i].rerouted;
		snprintf(name, sizeof(name), "%s, %s, %s time", step_name(cases[i].step),
				 reply_class_name(cases[i].class), cases[i].rerouted ? "the second" : "the first");
		check(name, cases[i].step, &facts, &terms, cases[i].wanted);
	}
}

/* The customer may be in another conversation than the one that is closed. */
static void
test_second_look(void)
{
	const struct
	{
		const char *name;
		ReplyClass	class;
		bool		live;
		Decision	wanted;
	}			cases[] = {
		{"a second look finds the customer", REPLY_DONE, true, makes(STEP_NOTIFY)},
		{"a second look at a closed one", REPLY_DONE, false, makes(STEP_CREATE)},
		{"at one that is gone", REPLY_NOT_FOUND, false, makes(STEP_CREATE)},
		{"at one that is not shown", REPLY_REJECTED, false, makes(STEP_CREATE)},
		{"a second look that fails", REPLY_NOT_APPLIED, false, retries(SOON)},
		{"a second look without an answer", REPLY_AMBIGUOUS, false, retries(SOON)},
		{"a second look that is forbidden", REPLY_BLOCKED, false, blocks()},
	};

	for (int i = 0; i < COUNT(cases); i++)
	{
		Facts		facts = some_facts(cases[i].class);
		Terms		terms = some_terms();

		facts.live = cases[i].live;
		terms.second_look = true;
		/* what was decided after the first look stands, whatever this one reads */
		facts.customer_address = NULL;
		check(cases[i].name, STEP_CHECK, &facts, &terms, cases[i].wanted);
	}
}

/* --- who has answered ------------------------------------------------------ */

static void
test_answered(void)
{
	const struct
	{
		const char *name;
		int64_t		wrote_at;
		int64_t		since;
		int64_t		margin;
		bool		answered;
	}			cases[] = {
		{"nobody says when the customer wrote", 0, -SECOND, 0, false},
		{"before the nudge was asked for", NOW - 1, NOW, 0, false},
		{"at that moment", NOW, NOW, 0, false},
		{"after it", NOW + 1, NOW, 0, true},
		{"after it, but within the margin of two clocks", NOW + SECOND, NOW, SECOND, false},
		{"after the margin", NOW + SECOND + 1, NOW, SECOND, true},
		{"a time before the epoch counts, too", -SECOND, -2 * SECOND, 0, true},
		{"answers do not matter", INT64_MAX, INT64_MAX, 0, false},
		{"nor with a margin", INT64_MAX, INT64_MAX, SECOND, false},
	};

	for (int i = 0; i < COUNT(cases); i++)
		for (int bits = 0; bits < 8; bits++)
		{
			Facts		facts = some_facts(REPLY_DONE);
			Terms		terms = some_terms();
			Decision	otherwise;
			char		name[120];

			facts.live = bits & 1;
			terms.second_look = bits & 2;
			terms.skip_when_closed = bits & 4;
			otherwise = facts.live ? makes(STEP_NOTIFY) :
				terms.skip_when_closed && !terms.second_look ? ends(OUTCOME_SKIPPED_CLOSED, NULL) : makes(STEP_CREATE);
			facts.last_inbound_at = cases[i].wrote_at;
			terms.answered_since = cases[i].since;
			terms.clock_margin = cases[i].margin;
			snprintf(name, sizeof(name), "the customer wrote: %s%s%s%s", cases[i].name, facts.live ? ", live" : "",
					 terms.second_look ? ", elsewhere" : "", terms.skip_when_closed ? ", skip" : "");
			check(name, STEP_CHECK, &facts, &terms, cases[i].answered ? ends(OUTCOME_ANSWERED, NULL) : otherwise);
		}
}

/* A clock that both know needs no margin. */
static void
test_is_answer(void)
{
	Terms		terms = some_terms();

	ok(!is_answer(&terms, NOW), "an answer that does not matter");
	terms.answered_since = NOW;
	terms.clock_margin = 5 * SECOND;
	ok(!is_answer(&terms, 0), "none");
	ok(!is_answer(&terms, NOW), "one that was there");
	ok(is_answer(&terms, NOW + 1), "one that came since, whatever the margin of another clock");
}

static void
test_elsewhere(void)
{
	Facts		facts = some_facts(REPLY_DONE);
	Terms		terms = some_terms();

	facts.elsewhere = true;
	check("a notify that landed in another conversation", STEP_NOTIFY, &facts, &terms,
		  ends(OUTCOME_SESSION_CREATED, "joined"));
	facts.same_conversation = true;
	check("in an older one of its thread", STEP_NOTIFY, &facts, &terms,
		  ends(OUTCOME_SESSION_CONTINUED, "joined"));
}

typedef struct NotifiedCase
{
	const char *customer;
	const char *old_channel;
	const char *own;
	const char *own_channel;
	const char *to;				/* NULL: nobody */
	const char *channel;		/* or why not */
} NotifiedCase;

static const NotifiedCase notified_cases[] = {
	{"+1customer", "sms", NULL, NULL, "+1customer", "sms"},
	{"+1customer", "webmessaging", "+1own", "sms", "+1customer", "webmessaging"},
	{"+1customer", NULL, NULL, "open", "+1customer", "open"},
	{NULL, "sms", "+1own", "whatsapp", "+1own", "sms"},
	{NULL, NULL, "+1own", "whatsapp", "+1own", "whatsapp"},
	{"+1customer", NULL, "+1own", NULL, NULL, "no_channel"},
	{NULL, "sms", NULL, "sms", NULL, "no_address"},
};

static void
test_notified(void)
{
	for (int i = 0; i < COUNT(notified_cases); i++)
	{
		const NotifiedCase *c = &notified_cases[i];
		Facts		facts = some_facts(REPLY_DONE);
		Terms		terms = some_terms();
		Recipient	recipient;
		const char *reason = NULL;
		bool		found;

		facts.live = true;
		facts.customer_address = c->customer;
		facts.channel = c->old_channel;
		terms.address = c->own;
		terms.channel = c->own_channel;
		terms.notify_is_addressed = true;
		found = choose_notified(&facts, &terms, &recipient, &reason);
		is_text(found ? recipient.to_address : NULL, c->to, "whom a notify addresses");
		is_text(found ? recipient.channel : reason, c->channel, "on which channel, or why not");
		check("and what follows", STEP_CHECK, &facts, &terms,
			  found ? makes(STEP_NOTIFY) : ends(OUTCOME_REFUSED, c->channel));
		is_text(recipient.from_address, "+1business", "in whose name");
	}
}

/* --- whose matter it is --------------------------------------------------- */

/* A refusal that nobody else has met, of a nudge that was refused before. */
static void
test_own_refusals(void)
{
	const struct
	{
		const char *name;
		int			refusals;
		int			attempt;
		int64_t		retry_after_ms;
		int64_t		expires_at;
		Decision	wanted;
	}			cases[] = {
		/* with random = 0.5, three quarters of 1, 2 and 4 s */
		{"the first", 0, 1, -1, INT64_MAX, retries(NOW + SECOND * 3 / 4)},
		{"the second", 1, 2, -1, INT64_MAX, retries(NOW + SECOND * 3 / 2)},
		{"the third, after other failures", 2, 9, -1, INT64_MAX, retries(NOW + 3 * SECOND)},
		{"the fourth", 3, 4, -1, INT64_MAX, ends(OUTCOME_REFUSED, "why")},
		{"the first, and no attempt left", 0, 12, -1, INT64_MAX, ends(OUTCOME_REFUSED, "why")},
		{"one that names a time", 0, 1, 60000, INT64_MAX, retries(NOW + 60 * SECOND + SECOND * 3 / 4)},
		{"the next would come too late", 0, 1, -1, NOW + SECOND / 2, ends(OUTCOME_EXPIRED, "why")},
	};

	for (int step = 0; step < STEP_COUNT; step++)
		for (int i = 0; i < COUNT(cases); i++)
		{
			Facts		facts = some_facts(REPLY_BLOCKED);
			Terms		terms = some_terms();
			Decision	got;
			char		name[120];

			facts.of_server = false;
			facts.retry_after_ms = cases[i].retry_after_ms;
			terms.refusals = cases[i].refusals;
			terms.attempt = cases[i].attempt;
			terms.expires_at = cases[i].expires_at;
			snprintf(name, sizeof(name), "%s, refused to it alone: %s", step_name((Step) step), cases[i].name);
			check(name, (Step) step, &facts, &terms, cases[i].wanted);
			got = decide((Step) step, &facts, &terms);
			ok(got.refused == (got.kind == DECIDE_RETRY), "and it is counted");
			/* once it is known to be the server's, none of that matters */
			facts.of_server = true;
			check(name, (Step) step, &facts, &terms, blocks());
		}
}

/* "Not now" uses up nothing, whatever the nudge has been through. */
static void
test_rests(void)
{
	const struct
	{
		const char *name;
		int64_t		rest_until;
		int			times_put_back;
		int64_t		expires_at;
		int64_t		at;			/* 0: expired */
	}			cases[] = {
		{"a server that rests", NOW + 8 * SECOND, 0, INT64_MAX, NOW + 8 * SECOND + SECOND / 2},
		{"one that is called again already", NOW - SECOND, 0, INT64_MAX, NOW + SECOND / 2},
		{"the third time", NOW + 8 * SECOND, 2, INT64_MAX, NOW + 10 * SECOND},
		{"the hundredth time", NOW + 8 * SECOND, 100, INT64_MAX, NOW + 38 * SECOND},
		{"its time ends before the rest", NOW + 8 * SECOND, 0, NOW + 8 * SECOND, 0},
		{"at the very moment", NOW + 8 * SECOND, 0, NOW + 8 * SECOND + SECOND / 2, 0},
		{"a moment later", NOW + 8 * SECOND, 0, NOW + 8 * SECOND + SECOND / 2 + 1, NOW + 8 * SECOND + SECOND / 2},
	};

	for (int step = 0; step < STEP_COUNT; step++)
		for (int i = 0; i < COUNT(cases); i++)
			for (int blocked = 0; blocked < 2; blocked++)
			{
				Facts		facts = some_facts(blocked ? REPLY_BLOCKED : REPLY_NOT_APPLIED);
				Terms		terms = some_terms();
				Decision	wanted = {.kind = DECIDE_HOLD, .reason = "why"};
				char		name[120];

				facts.limited = true;
				terms.attempt = terms.max_attempts;
				terms.refusals = REFUSALS_MAX - 1;
				terms.rest_until = cases[i].rest_until;
				terms.times_put_back = cases[i].times_put_back;
				terms.expires_at = cases[i].expires_at;
				snprintf(name, sizeof(name), "%s, not now: %s", step_name((Step) step), cases[i].name);
				if (cases[i].at == 0)
					wanted = ends(OUTCOME_EXPIRED, "why");
				check(name, (Step) step, &facts, &terms, wanted);
				if (cases[i].at != 0)
					is_number(decide((Step) step, &facts, &terms).retry_at, cases[i].at, "until then");
			}
}

/* A call that is to be made again waits with the others, while its key lives. */
static void
test_rest_of_unresolved(void)
{
	Facts		facts = some_facts(REPLY_NOT_APPLIED);
	Terms		terms = some_terms();
	Decision	held = {.kind = DECIDE_HOLD, .reason = "why", .unresolved = true};

	facts.limited = terms.unresolved = terms.repeatable = true;
	terms.rest_until = NOW + 8 * SECOND;
	terms.repeat_until = NOW + 9 * SECOND;
	check("not now, to a call that is made again", STEP_NOTIFY, &facts, &terms, held);
	terms.repeat_until = NOW + 8 * SECOND;
	check("until after its key is forgotten", STEP_NOTIFY, &facts, &terms, ends(OUTCOME_IN_DOUBT, "why"));
	terms.repeat_until = INT64_MAX;
	terms.expires_at = NOW + 8 * SECOND;
	check("until after it expires", STEP_CREATE, &facts, &terms, ends(OUTCOME_IN_DOUBT, "why"));
	terms.expires_at = INT64_MAX;
	terms.repeatable = false;
	check("without a key", STEP_CREATE, &facts, &terms, ends(OUTCOME_IN_DOUBT, "why"));
}

/* --- customers who are busy, or want nothing ---------------------------------- */

static void
test_busy(void)
{
	const struct
	{
		const char *name;
		int			attempt;
		int64_t		left;		/* until it expires; 0: it never does */
		int64_t		wait;		/* 0: refused */
	}			cases[] = {
		{"the first look", 1, 0, 60 * SECOND},
		{"the second", 2, 0, 120 * SECOND},
		{"the fourth", 4, 0, 480 * SECOND},
		{"the fifth", 5, 0, 900 * SECOND},
		{"the last but one", 11, 0, 900 * SECOND},
		{"the last", 12, 0, 0},
		{"time for one more", 1, 90 * SECOND, 45 * SECOND},
		{"hardly", 1, 10 * SECOND, 5 * SECOND},
		{"no more", 1, 10 * SECOND - 2, 0},
		{"expired", 1, -SECOND, 0},
	};

	for (int look = 0; look < 2; look++)
		for (int i = 0; i < COUNT(cases); i++)
		{
			Facts		facts = some_facts(REPLY_DONE);
			Terms		terms = some_terms();
			Decision	wanted = {.kind = DECIDE_RETRY, .retry_at = NOW + cases[i].wait, .reason = "busy"};

			facts.busy = true;
			terms.second_look = look;
			terms.attempt = cases[i].attempt;
			if (cases[i].left != 0)
				terms.expires_at = NOW + cases[i].left;
			check(cases[i].name, STEP_CHECK, &facts, &terms,
				  cases[i].wait == 0 ? ends(OUTCOME_REFUSED, "busy") : wanted);
			/* where we write, too: then it is just live */
			facts.live = true;
			check("live, besides", STEP_CHECK, &facts, &terms, makes(STEP_NOTIFY));
		}
}

static void
test_opted_out(void)
{
	static const ReplyClass refusals[] = {REPLY_REJECTED, REPLY_BLOCKED, REPLY_NOT_FOUND, REPLY_CLOSED};

	for (int step = STEP_NOTIFY; step <= STEP_CREATE; step++)
		for (int i = 0; i < COUNT(refusals); i++)
			for (int unresolved = 0; unresolved < 2; unresolved++)
			{
				Facts		facts = some_facts(refusals[i]);
				Terms		terms = some_terms();

				facts.opted_out = true;
				terms.unresolved = terms.repeatable = unresolved;
				terms.repeat_until = INT64_MAX;
				check("the recipient has opted out", (Step) step, &facts, &terms,
					  unresolved ? ends(OUTCOME_IN_DOUBT, "why") : ends(OUTCOME_REFUSED, "opted_out"));
			}
}

/* --- what we have made ourselves, and the API does not know yet ----------------- */

static void
test_young(void)
{
	const struct
	{
		const char *name;
		int64_t		age;
		bool		young;
	}			cases[] = {
		{"made just now", 0, true},
		{"by a clock that has been set back", -3600 * SECOND, true},
		{"ten minutes ago, but for a moment", 600 * SECOND - 1, true},
		{"ten minutes ago", 600 * SECOND, false},
	};

	for (int i = 0; i < COUNT(cases); i++)
		for (int own = 0; own < 2; own++)
		{
			Facts		facts = some_facts(REPLY_NOT_FOUND);
			Terms		terms = some_terms();

			terms.now = NOW + 7200 * SECOND;
			terms.made_at = terms.now - cases[i].age;
			offer(own ? OWN_ADDRESS : NO_ADDRESS, &facts, &terms);
			check(cases[i].name, STEP_CHECK, &facts, &terms, cases[i].young ? retries(terms.now + SECOND / 2) :
				  own ? makes(STEP_CREATE) : ends(OUTCOME_REFUSED, "conversation_not_found"));
			check("a notify", STEP_NOTIFY, &facts, &terms, cases[i].young ? retries(terms.now + SECOND / 2) :
				  ends(OUTCOME_REFUSED, "conversation_not_found"));
			terms.second_look = true;
			check("a second look", STEP_CHECK, &facts, &terms, cases[i].young ? retries(terms.now + SECOND / 2) :
				  makes(STEP_CREATE));
			terms.attempt = terms.max_attempts;
			if (cases[i].young)
				check("the last attempt", STEP_CHECK, &facts, &terms, ends(OUTCOME_EXHAUSTED, "why"));
		}
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
	for (int keys = NO_KEYS; keys <= NO_KEYS_UNRESOLVED; keys++)
		test_table((Keys) keys);
	test_retries();
	test_repetitions();
	test_may_call();
	test_recipient();
	test_list_contains();
	test_turns();
	test_second_look();
	test_answered();
	test_is_answer();
	test_elsewhere();
	test_notified();
	test_endless_retry_after();
	test_own_refusals();
	test_rests();
	test_rest_of_unresolved();
	test_busy();
	test_opted_out();
	test_young();
	return done_testing();
}
