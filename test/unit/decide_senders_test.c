/*
 * decide_senders_test.c: in whose name a message goes, and to whom it does not.
 */
#include "decide.h"

#include "decide_samples.h"
#include "tap.h"

static const Sender senders[] = {{"whatsapp", "integration"}, {"sms", "+1sender"}};

typedef struct SenderCase
{
	const char *name;
	const char *channel;		/* of the old conversation */
	const char *business;
	bool		overrule;
	bool		integrations;
	const char *server_address;
	const char *from;
} SenderCase;

static const SenderCase sender_cases[] = {
	{"the old business side stays", "sms", "+1b", false, false, "+1s", "+1b"},
	{"unknown: the sender of the channel", "sms", NULL, false, false, "+1s", "+1sender"},
	{"unknown, a channel without a sender: the server's", "open", NULL, false, false, "+1s", "+1s"},
	{"unknown, and nobody has one", "open", NULL, false, false, NULL, NULL},
	{"overruled", "sms", "+1b", true, false, "+1s", "+1sender"},
	{"overruled where there is a sender only", "open", "b", true, false, "+1s", "b"},
	{"integrations: on WhatsApp the business side is none", "whatsapp", "1b", false, true, "+1s", "integration"},
	{"integrations: by SMS it is", "sms", "+1b", false, true, "+1s", "+1b"},
	{"integrations: without one the business side is tried", "open", "b", false, true, "+1s", "b"},
};

static void
test_senders(void)
{
	for (size_t i = 0; i < sizeof(sender_cases) / sizeof(sender_cases[0]); i++)
	{
		const SenderCase *c = &sender_cases[i];
		Facts		facts = some_facts(REPLY_DONE);
		Terms		terms = some_terms();
		Recipient	created = {0};
		Recipient	notified = {0};
		const char *reason = NULL;

		facts.channel = c->channel;
		facts.business_address = c->business;
		terms.proactive_channels = "sms,whatsapp,open";
		terms.senders = senders;
		terms.nsenders = 2;
		terms.senders_overrule = c->overrule;
		terms.integrations_send = c->integrations;
		terms.from_address = c->server_address;
		ok(choose_recipient(&facts, &terms, &created, &reason) && choose_notified(&facts, &terms, &notified, &reason), "%s", c->name);
		is_text(created.from_address, c->from, "a session begins in this name");
		is_text(notified.from_address, c->from, "a notification, too");
	}
}

/* On another channel than the old one, the business side does not fit. */
static void
test_other_channel(void)
{
	Facts		facts = some_facts(REPLY_DONE);
	Terms		terms = some_terms();
	Recipient	recipient = {0};
	const char *reason = NULL;

	facts.channel = "webchat";
	terms.address = "+1own";
	terms.channel = "sms";
	terms.senders = senders;
	terms.nsenders = 2;
	(void) choose_recipient(&facts, &terms, &recipient, &reason);
	is_text(recipient.from_address, "+1sender", "another channel has its own sender");
}

static void
ends_refused(const Facts *facts, const Terms *terms, const char *reason, const char *name)
{
	Decision	decision = decide(STEP_CHECK, facts, terms);

	ok(decision.kind == DECIDE_SETTLE && decision.outcome == OUTCOME_REFUSED, "%s", name);
	is_text(decision.reason, reason, "why");
}

static void
test_faults(void)
{
	Facts		facts = some_facts(REPLY_DONE);
	Terms		terms = some_terms();

	facts.customer_fault = "address_is_no_number";
	ends_refused(&facts, &terms, "address_is_no_number", "a dead conversation with an address that is none");
	terms.address = "+1own";
	terms.channel = "sms";
	ends_refused(&facts, &terms, "address_is_no_number", "whoever else the nudge names");
	facts.live = true;
	ends_refused(&facts, &terms, "address_is_no_number", "a live one, though it is notified by its id");
	terms.notify_is_addressed = true;
	ends_refused(&facts, &terms, "address_is_no_number", "or by the address");
	facts.live = false;
	facts.customer_fault = NULL;
	facts.own_fault = "no_address";
	ok(decide(STEP_CHECK, &facts, &terms).kind == DECIDE_CALL, "the nudge's own does not matter where it is not needed");
	facts.customer_address = NULL;
	ends_refused(&facts, &terms, "no_address", "and does where it is");
	facts.class = REPLY_NOT_FOUND;
	ends_refused(&facts, &terms, "no_address", "also of a conversation that nobody knows");
}

static void
test_others(void)
{
	Facts		facts = some_facts(REPLY_DONE);
	Terms		terms = some_terms();
	Decision	decision;

	terms.second_look = facts.live = true;
	facts.is_anothers = true;
	terms.answered_since = NOW;
	facts.last_inbound_at = NOW + 1;
	decision = decide(STEP_CHECK, &facts, &terms);
	ok(decision.kind == DECIDE_CALL && decision.step == STEP_CREATE,
	   "a live conversation of others is as if it were not there, and so is what was written in it");
	facts.is_anothers = false;
	facts.last_inbound_at = 0;
	decision = decide(STEP_CHECK, &facts, &terms);
	ok(decision.kind == DECIDE_CALL && decision.step == STEP_NOTIFY, "that of the same pair is joined");
}

int
main(void)
{
	test_senders();
	test_other_channel();
	test_faults();
	test_others();
	return done_testing();
}
