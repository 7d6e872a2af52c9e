/*
 * decide.c: what follows from a reply.
 *
 * The switches have no default on purpose: the compiler then names a value
 * that was forgotten.
 */
#include "decide.h"

#include <string.h>

#include "retry.h"

static Decision
settle_as(Outcome outcome, const char *reason)
{
	Decision	decision = {.kind = DECIDE_SETTLE, .outcome = outcome, .reason = reason};

	return decision;
}

static Decision
call_next(Step step)
{
	Decision	decision = {.kind = DECIDE_CALL, .step = step};

	return decision;
}

static Decision
block_server(const char *reason)
{
	Decision	decision = {.kind = DECIDE_BLOCK, .reason = reason, .hold = HOLD_SERVER, .hold_reason = reason};

	return decision;
}

/* A try that would come too late is known to be too late now. */
static Decision
again_at(DecisionKind kind, int64_t at, const Facts *facts, const Terms *terms)
{
	Decision	decision = {.kind = kind, .retry_at = at, .reason = facts->reason,
	.hold = kind == DECIDE_RETRY ? HOLD_RETRY : HOLD_RATE_LIMIT};

	return at >= terms->expires_at ? settle_as(OUTCOME_EXPIRED, facts->reason) : decision;
}

/* Only for calls that certainly had no effect. */
static Decision
retry_later(const Facts *facts, const Terms *terms)
{
	int64_t		delay_ms = retry_delay_ms(terms->attempt, facts->retry_after_ms, terms->random);

	if (terms->attempt >= terms->max_attempts)
		return settle_as(OUTCOME_EXHAUSTED, facts->reason);
	return again_at(DECIDE_RETRY, terms->now + delay_ms * 1000, facts, terms);
}

/*
 * "Not now" is said to the server's calls, not to this one, and costs no
 * attempt.  They do not all come back at once; one to which it is said over and
 * over, while others get through, stays away for longer each time.
 */
static Decision
rest_with_server(const Facts *facts, const Terms *terms)
{
	int64_t		from = terms->rest_until > terms->now ? terms->rest_until : terms->now;

	return again_at(DECIDE_HOLD, from + spread_delay_ms(terms->times_put_back, terms->random) * 1000, facts, terms);
}

/*
 * Our client may not make this call.  As long as nobody knows better, it is
 * refused to this nudge alone: others may get through.  The pauses are longer
 * than those of other failures can be, so that there is time to find out.
 */
static Decision
refuse_client(const Facts *facts, const Terms *terms)
{
	Decision	decision;

	if (facts->of_server)
		return block_server(facts->reason);
	if (terms->refusals + 1 >= REFUSALS_MAX || terms->attempt >= terms->max_attempts)
		return settle_as(OUTCOME_REFUSED, facts->reason);
	decision = again_at(DECIDE_RETRY, terms->now + 1000 *
						retry_delay_ms(terms->refusals + 1, facts->retry_after_ms, 0.5 + terms->random / 2),
						facts, terms);
	decision.refused = decision.kind == DECIDE_RETRY;
	return decision;
}

/*
 * The customer is being served, though not where we would write: no session is
 * begun beside that.  Looks come at growing distances; the nearer its end, the
 * closer.
 */
static Decision
put_off(const Terms *terms)
{
	int64_t		delay_us = busy_delay_ms(terms->attempt) * 1000;
	int64_t		half_us = (terms->expires_at - terms->now) / 2;
	Decision	decision = {.kind = DECIDE_RETRY, .reason = "busy", .hold = HOLD_BUSY};

	if (terms->attempt >= terms->max_attempts || half_us < BUSY_LEAST_MS * 1000)
		return settle_as(OUTCOME_REFUSED, "busy");
	decision.retry_at = terms->now + (delay_us < half_us ? delay_us : half_us);
	return decision;
}

/* What we have made a moment ago may not be known everywhere yet. */
static bool
is_young(const Terms *terms)
{
	return terms->made_at != 0 && terms->now < terms->made_at + YOUNG_US;
}

/*
 * The call may have had its effect.  If the API honours keys, the same call
 * with the same key finds out without having it twice; else nobody can tell.
 */
static Decision
repeat_or_doubt(const Facts *facts, const Terms *terms)
{
	Decision	decision = retry_later(facts, terms);

	if (!terms->repeatable || decision.kind != DECIDE_RETRY ||
		decision.retry_at >= terms->repeat_until)
		return settle_as(OUTCOME_IN_DOUBT, facts->reason);
	decision.unresolved = true;
	return decision;
}

bool
is_answer(const Terms *terms, int64_t wrote_at)
{
	return wrote_at != 0 && wrote_at > terms->answered_since;
}

/* Who has just written is not asked whether they are still there. */
static bool
has_answered(const Facts *facts, const Terms *terms)
{
	return is_answer(terms, facts->last_inbound_at) &&
		facts->last_inbound_at - terms->clock_margin > terms->answered_since;
}

/* The conversation can be spoken to. */
static Decision
speak_to_live(const Facts *facts, const Terms *terms)
{
	Recipient	recipient;
	const char *reason;

	/* nobody could say whether such a customer has opted out */
	if (facts->customer_fault != NULL)
		return settle_as(OUTCOME_REFUSED, facts->customer_fault);
	if (terms->notify_is_addressed && !choose_notified(facts, terms, &recipient, &reason))
		return settle_as(OUTCOME_REFUSED, reason);
	return call_next(STEP_NOTIFY);
}

/* The conversation cannot be spoken to; may a new one follow it? */
static Decision
follow_closed(const Facts *facts, const Terms *terms)
{
	Recipient	recipient;
	const char *reason;

	if (terms->skip_when_closed)
		return settle_as(OUTCOME_SKIPPED_CLOSED, NULL);
	if (!choose_recipient(facts, terms, &recipient, &reason))
		return settle_as(OUTCOME_REFUSED, reason);
	return call_next(STEP_CREATE);
}

/*
 * The conversation cannot be spoken to, but the customer may be in another
 * one.  If not, what was decided after the first look stands.
 */
static Decision
after_second_look(const Facts *facts, const Terms *terms)
{
	switch (facts->class)
	{
		case REPLY_DONE:
			if (facts->is_anothers)
				return call_next(STEP_CREATE);
			if (has_answered(facts, terms))
				return settle_as(OUTCOME_ANSWERED, NULL);
			if (facts->busy && !facts->live)
				return put_off(terms);
			return call_next(facts->live ? STEP_NOTIFY : STEP_CREATE);
		case REPLY_NOT_FOUND:
			return is_young(terms) ? retry_later(facts, terms) : call_next(STEP_CREATE);
		case REPLY_REJECTED:
			return call_next(STEP_CREATE);
		case REPLY_BLOCKED:
			return refuse_client(facts, terms);
		case REPLY_CLOSED:
		case REPLY_OVERTAKEN:
		case REPLY_NOT_APPLIED:
		case REPLY_AMBIGUOUS:
			return retry_later(facts, terms);
	}
	return retry_later(facts, terms);
}

static Decision
after_check(const Facts *facts, const Terms *terms)
{
	if (terms->second_look)
		return after_second_look(facts, terms);
	switch (facts->class)
	{
		case REPLY_DONE:
			if (has_answered(facts, terms))
				return settle_as(OUTCOME_ANSWERED, NULL);
			if (facts->busy && !facts->live)
				return put_off(terms);
			return facts->live ? speak_to_live(facts, terms) : follow_closed(facts, terms);
		case REPLY_NOT_FOUND:
			if (is_young(terms))
				return retry_later(facts, terms);
			if (terms->address == NULL || terms->channel == NULL)
				return settle_as(OUTCOME_REFUSED, "conversation_not_found");
			return follow_closed(facts, terms);
		case REPLY_REJECTED:
			return settle_as(OUTCOME_REFUSED, facts->reason);
		case REPLY_BLOCKED:
			return refuse_client(facts, terms);
		case REPLY_CLOSED:
		case REPLY_OVERTAKEN:
		case REPLY_NOT_APPLIED:
		case REPLY_AMBIGUOUS:
			/* a GET is always safe to repeat */
			return retry_later(facts, terms);
	}
	return retry_later(facts, terms);
}

/*
 * An API that notifies an address says where the message went.  The customer
 * may have another conversation by now: that carries the thread from here on.
 */
static Decision
settle_notified(const Facts *facts)
{
	if (!facts->elsewhere)
		return settle_as(OUTCOME_NOTIFIED, NULL);
	return settle_as(facts->same_conversation ?
					 OUTCOME_SESSION_CONTINUED : OUTCOME_SESSION_CREATED, "joined");
}

static Decision
after_notify(const Facts *facts, const Terms *terms)
{
	switch (facts->class)
	{
		case REPLY_DONE:
			return settle_notified(facts);
		case REPLY_CLOSED:
			/* it closed after we looked; never back and forth */
			if (terms->rerouted)
				return settle_as(OUTCOME_REFUSED, facts->reason);
			return follow_closed(facts, terms);
		case REPLY_NOT_FOUND:
			if (is_young(terms))
				return retry_later(facts, terms);
			return settle_as(OUTCOME_REFUSED, "conversation_not_found");
		case REPLY_OVERTAKEN:
		case REPLY_REJECTED:
			return settle_as(OUTCOME_REFUSED, facts->reason);
		case REPLY_NOT_APPLIED:
			return retry_later(facts, terms);
		case REPLY_BLOCKED:
			return refuse_client(facts, terms);
		case REPLY_AMBIGUOUS:
			return repeat_or_doubt(facts, terms);
	}
	return settle_as(OUTCOME_IN_DOUBT, facts->reason);
}

static Decision
after_create(const Facts *facts, const Terms *terms)
{
	switch (facts->class)
	{
		case REPLY_DONE:
			return settle_as(facts->same_conversation ?
							 OUTCOME_SESSION_CONTINUED : OUTCOME_SESSION_CREATED, NULL);
		case REPLY_OVERTAKEN:
			/* the customer came back after we looked; never back and forth */
			if (terms->rerouted)
				return settle_as(OUTCOME_REFUSED, facts->reason);
			return call_next(STEP_NOTIFY);
		case REPLY_CLOSED:
		case REPLY_NOT_FOUND:
		case REPLY_REJECTED:
			return settle_as(OUTCOME_REFUSED, facts->reason);
		case REPLY_NOT_APPLIED:
			return retry_later(facts, terms);
		case REPLY_BLOCKED:
			return refuse_client(facts, terms);
		case REPLY_AMBIGUOUS:
			return repeat_or_doubt(facts, terms);
	}
	return settle_as(OUTCOME_IN_DOUBT, facts->reason);
}

static bool
says_not_now(const Facts *facts)
{
	return facts->limited && (facts->class == REPLY_NOT_APPLIED || facts->class == REPLY_BLOCKED);
}

static bool
says_opted_out(Step step, const Facts *facts)
{
	return facts->opted_out && step != STEP_CHECK &&
		(facts->class == REPLY_REJECTED || facts->class == REPLY_BLOCKED ||
		 facts->class == REPLY_NOT_FOUND || facts->class == REPLY_CLOSED);
}

static Decision
after_step(Step step, const Facts *facts, const Terms *terms)
{
	if (says_not_now(facts))
		return rest_with_server(facts, terms);
	if (says_opted_out(step, facts))
		return settle_as(OUTCOME_REFUSED, "opted_out");
	switch (step)
	{
		case STEP_CHECK:
			return after_check(facts, terms);
		case STEP_NOTIFY:
			return after_notify(facts, terms);
		case STEP_CREATE:
			return after_create(facts, terms);
	}
	return settle_as(OUTCOME_IN_DOUBT, facts->reason);
}

/*
 * P5: only a success tells what became of a call that was ambiguous before.
 * A refusal of its repetition proves nothing about the first one, so nothing
 * else may follow from it than doubt.
 */
static Decision
stay_unresolved(Decision decision, const Facts *facts, const Terms *terms)
{
	switch (decision.kind)
	{
		case DECIDE_SETTLE:
			if (outcome_has_effect(decision.outcome))
				return decision;
			break;
		case DECIDE_RETRY:
			return repeat_or_doubt(facts, terms);
		case DECIDE_HOLD:
			decision.unresolved = true;
			if (terms->repeatable && decision.retry_at < terms->repeat_until)
				return decision;
			break;
		case DECIDE_BLOCK:
			decision.unresolved = true;
			return decision;
		case DECIDE_CALL:
			break;
	}
	return settle_as(OUTCOME_IN_DOUBT, facts->reason);
}

Decision
decide(Step step, const Facts *facts, const Terms *terms)
{
	Decision	decision = after_step(step, facts, terms);

	return terms->unresolved ? stay_unresolved(decision, facts, terms) : decision;
}

bool
may_call(const Terms *terms, Decision *end)
{
	if (terms->now >= terms->expires_at)
		*end = terms->unresolved ? settle_as(OUTCOME_IN_DOUBT, "expired") :
			settle_as(OUTCOME_EXPIRED, NULL);
	else if (terms->unresolved && (!terms->repeatable || terms->now >= terms->repeat_until))
		*end = settle_as(OUTCOME_IN_DOUBT, "key_expired");
	else
		return true;
	return false;
}

/*
 * The sender on a channel.  "kept": the business side of the old conversation,
 * where it was on this channel.
 */
static const char *
choose_sender(const Terms *terms, const char *channel, const char *kept)
{
	bool		overrules = terms->senders_overrule ||
		(terms->integrations_send && strcmp(channel, "sms") != 0);
	const char *sender = NULL;

	for (int i = 0; i < terms->nsenders; i++)
		if (strcmp(terms->senders[i].channel, channel) == 0)
			sender = terms->senders[i].address;
	if (kept != NULL && (sender == NULL || !overrules))
		return kept;
	return sender != NULL ? sender : terms->from_address;
}

/* True without a fault. */
static bool
can_be_addressed(const char *fault, const char **reason)
{
	if (fault != NULL)
		*reason = fault;
	return fault == NULL;
}

bool
choose_recipient(const Facts *facts, const Terms *terms,
				 Recipient *recipient, const char **reason)
{
	const char *channel = facts->channel;
	bool		proactive;

	/*
	 * Where the old channel is unknown, the nudge's own stands in for it,
	 * unless that belongs to an address of its own.
	 */
	if (channel == NULL && terms->address == NULL)
		channel = terms->channel;
	proactive = channel != NULL && list_contains(terms->proactive_channels, channel);
	if (facts->customer_address != NULL && proactive)
	{
		recipient->to_address = facts->customer_address;
		recipient->from_address = choose_sender(terms, channel, facts->business_address);
		recipient->channel = channel;
		return can_be_addressed(facts->customer_fault, reason);
	}
	if (terms->address == NULL)
	{
		*reason = facts->customer_address == NULL ? "no_address" : "channel_not_proactive";
		return false;
	}
	/* The nudge's own address goes with its own channel, if it names one. */
	channel = terms->channel ? terms->channel : facts->channel;
	if (channel == NULL || !list_contains(terms->proactive_channels, channel))
	{
		*reason = channel == NULL ? "no_channel" : "channel_not_proactive";
		return false;
	}
	/* The old business side belongs to the old channel. */
	recipient->from_address = choose_sender(terms, channel,
		facts->channel == NULL || strcmp(channel, facts->channel) == 0 ? facts->business_address : NULL);
	recipient->to_address = terms->address;
	recipient->channel = channel;
	return can_be_addressed(facts->own_fault, reason);
}

bool
choose_notified(const Facts *facts, const Terms *terms,
				Recipient *recipient, const char **reason)
{
	bool		known = facts->customer_address != NULL;

	recipient->to_address = known ? facts->customer_address : terms->address;
	recipient->channel = facts->channel ? facts->channel : terms->channel;
	if (recipient->to_address == NULL || recipient->channel == NULL)
	{
		*reason = recipient->to_address == NULL ? "no_address" : "no_channel";
		return false;
	}
	recipient->from_address = choose_sender(terms, recipient->channel, facts->business_address);
	return can_be_addressed(known ? facts->customer_fault : facts->own_fault, reason);
}

bool
list_contains(const char *list, const char *item)
{
	size_t		length = strlen(item);

	/* commas that follow each other enclose nothing */
	while (length > 0 && list != NULL && *list != '\0')
	{
		size_t		size = strcspn(list, ",");

		if (size == length && memcmp(list, item, length) == 0)
			return true;
		list += size;
		list += strspn(list, ",");
	}
	return false;
}
