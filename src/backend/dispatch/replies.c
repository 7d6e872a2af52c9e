/*
 * replies.c: from a REPLY to a decision.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/rows.h"
#include "dispatch/delivery_addresses.h"
#include "dispatch/replies.h"
#include "dispatch/server_signal.h"
#include "dispatch/terms.h"
#include "last_word.h"

static Facts
facts_of(const Delivery *delivery, ReplyClass class)
{
	Facts		facts = {
		.class = class,
		.channel = delivery->look.channel,
		.customer_address = delivery->look.customer_address,
		.business_address = delivery->look.business_address,
	};

	/* nothing is sent after a message that was */
	if (delivery->step != STEP_CHECK && class == REPLY_DONE)
		return facts;
	facts.customer_fault = delivery_address_fault(delivery);
	facts.own_fault = delivery_own_address_fault(delivery);
	return facts;
}

static const char *
keep_message_id(Delivery *delivery, const char *message_id)
{
	size_t		length = message_id != NULL ? strlen(message_id) : 0;

	return length > 0 && length <= MESSAGE_ID_MAX ? delivery_keep_ascii(delivery, message_id) : NULL;
}

static TimestampTz
from_unix_time(int64 microseconds)
{
	return microseconds - (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
}

static void
note_reply(Delivery *delivery, const ReplyMessage *reply)
{
	/* a refused message is a look, too: it says what has become of the conversation */
	delivery->reply.answered_at = (Monotonic) {reply->answered_ms * 1000};
	delivery->api_calls += (int) reply->api_calls;
	delivery->reply.http_status = (int) reply->http_status;
	delivery->reply.message_id = keep_message_id(delivery, reply->message_id);
	delivery->reply.error_code = delivery_keep_ascii(delivery, reply->error_code);
	delivery->reply.error_message = delivery_keep_ascii(delivery, reply->error_message);
	delivery->reply.correlation_id = delivery_keep_ascii(delivery, reply->correlation_id);
	delivery->reply.opted_out = delivery->step != STEP_CHECK && reply->opted_out != 0 && reply->class != REPLY_DONE;
	if (delivery->step == STEP_CHECK)
		delivery->look.checked_at = GetCurrentTimestamp();
	if (delivery->step == STEP_CHECK && !delivery_is_elsewhere(delivery))
	{
		delivery->look.status_seen = delivery_keep_ascii(delivery, reply->status);
		delivery->look.channel = delivery_keep_ascii(delivery, reply->channel);
		delivery->look.customer_address = delivery_keep(delivery, reply->customer_address);
		delivery->look.business_address = delivery_keep(delivery, reply->business_address);
	}
	if (delivery->step != STEP_CHECK && reply->called_at > 0)
		delivery->reply.called_at = from_unix_time(reply->called_at);
}

/*
 * The id that a create answered must be one that we can check again.  A notify
 * need not answer one; what it answers says where the message went.
 */
static void
read_new_conversation(Delivery *delivery, const ReplyMessage *reply, Facts *facts)
{
	/* an API that notifies a conversation has nothing to add */
	const char *conversation_id = reply->conversation_id == NULL && delivery_is_elsewhere(delivery) ?
		delivery->target : reply->conversation_id;
	bool		valid = conversation_id != NULL && conversation_id_is_valid(conversation_id);

	if (delivery->step == STEP_CHECK || facts->class != REPLY_DONE)
		return;
	if (!valid && delivery->step == STEP_CREATE)
	{
		facts->class = REPLY_AMBIGUOUS;
		facts->reason = "unreadable";
	}
	if (!valid)
		return;
	facts->elsewhere = pg_strcasecmp(conversation_id, delivery->nudge.tip) != 0;
	delivery->reply.new_conversation_id = delivery_keep(delivery, conversation_id);
	/* one that the thread has been through has a successor, and gets no other */
	facts->same_conversation = list_contains(delivery->nudge.path, conversation_id);
}

/* A POST has been decided on; its recipient stays the same from here on. */
static void
prepare_post(Delivery *delivery, Step step, const Facts *facts, const Terms *terms)
{
	Recipient	recipient;
	const char *reason;
	bool		looked_elsewhere = delivery->step == STEP_CHECK && delivery_is_elsewhere(delivery);
	/* a create that was overtaken, or put off for another look: its recipient is there */
	bool		same_recipient = delivery->step == STEP_CREATE || looked_elsewhere;

	if (looked_elsewhere && facts->is_anothers)
		delivery_pass_over(delivery);
	if (!looked_elsewhere || step == STEP_CREATE)
		delivery->target = delivery->nudge.tip;
	delivery->step = delivery->post.step = step;
	delivery->post.conversation_id = delivery->target;
	delivery->post.since = 0;
	if (same_recipient)
		return;
	memset(&delivery->post.recipient, 0, sizeof(Recipient));
	if (step == STEP_CREATE ? !choose_recipient(facts, terms, &recipient, &reason) :
		!terms->notify_is_addressed || !choose_notified(facts, terms, &recipient, &reason))
		return;
	delivery->named = recipient.to_address == terms->address;
	delivery->post.recipient.to_address = delivery_address_to_send(delivery, &recipient);
	delivery->post.recipient.from_address = delivery_keep(delivery, recipient.from_address);
	delivery->post.recipient.channel = delivery_keep(delivery, recipient.channel);
}

/* What it was refused, all are: the next one to try that is another, if there is one. */
static void
put_behind(Deliveries *deliveries, Delivery *delivery)
{
	TimestampTz due_at = TimestampTzPlusMilliseconds(breaker_shows_until(&delivery->server->breaker), TURN_MS);

	deliveries_put_back(deliveries, delivery, Min(due_at, delivery->nudge.expires_at), HOLD_SERVER, NULL);
	/* none of this was to it alone */
	delivery->move_refusals = 0;
}

/* "signal": what the reply says of the server. */
static void
follow_decision(Deliveries *deliveries, Delivery *delivery, const ReplyMessage *reply, ServerSignal signal)
{
	Terms		terms = terms_of_delivery(delivery);
	Facts		facts;
	Decision	decision;

	note_reply(delivery, reply);
	facts = facts_of(delivery, (ReplyClass) reply->class);
	facts.limited = signal == SIGNAL_NOT_NOW;
	facts.of_server = signal != SIGNAL_NONE;
	facts.opted_out = reply->opted_out != 0;
	facts.busy = reply->busy != 0;
	facts.reason = delivery_keep_ascii(delivery, reply->reason);
	facts.retry_after_ms = reply->retry_after_ms;
	facts.live = reply->live != 0;
	if (reply->last_inbound_at > 0)
		facts.last_inbound_at = from_unix_time(reply->last_inbound_at);
	facts.is_anothers = terms.second_look && facts.class == REPLY_DONE && delivery_is_with_others(delivery, reply);
	read_new_conversation(delivery, reply, &facts);
	delivery_say(delivery, DEBUG1, "%s was answered: %s (%s, HTTP status %d)", step_name(delivery->step),
											reply_class_name(facts.class), facts.reason ? facts.reason : "no reason",
											delivery->reply.http_status);
	decision = decide(delivery->step, &facts, &terms);
	if (facts.class == REPLY_DONE)
		breaker_note_success(&delivery->server->breaker, delivery->step, monotonic_now());

	switch (decision.kind)
	{
		case DECIDE_CALL:
			prepare_post(delivery, decision.step, &facts, &terms);
			delivery_move(deliveries, delivery, DELIVERY_POST_WANTED);
			break;
		case DECIDE_BLOCK:
			if (signal == SIGNAL_REFUSED)
				put_behind(deliveries, delivery);
			else
				deliveries_put_back(deliveries, delivery, delivery->due_at, decision.hold, decision.hold_reason);
			break;
		case DECIDE_SETTLE:
			server_signal_note_end(delivery, reply, &decision);
			pg_fallthrough;
		case DECIDE_RETRY:
		case DECIDE_HOLD:
			deliveries_end(deliveries, delivery, decision);
			break;
	}
}

/*
 * It waited for its turn until what allowed it was too old: that is asked again.
 * What was sent nevertheless, and refused unread for its token, counts as sent.
 */
static void
take_back(Deliveries *deliveries, Delivery *delivery, const ReplyMessage *reply)
{
	delivery->api_calls += (int) reply->api_calls;
	if (reply->reason != NULL && strcmp(reply->reason, "connection") == 0)
		deliveries_put_back(deliveries, delivery,
						 TimestampTzPlusMilliseconds(GetCurrentTimestamp(), CONNECT_MS << Min(delivery->nudge.fencing_token, CONNECT_DOUBLINGS)),
						 HOLD_CONNECTION, NULL);
	else
		delivery_move(deliveries, delivery, delivery->step == STEP_CHECK ? DELIVERY_CHECK_WANTED : DELIVERY_POST_WANTED);
}

/* A call of which nobody will tell us: the courier is gone, or never got it. */
void
reply_miss(Deliveries *deliveries, Delivery *delivery, bool handed_over)
{
	ReplyMessage reply = {.class = REPLY_NOT_APPLIED, .retry_after_ms = -1, .reason = "courier_lost"};

	if (handed_over)
		delivery_note_made(delivery);
	if (handed_over && delivery->step != STEP_CHECK)
		reply.class = REPLY_AMBIGUOUS;
	reply.api_calls = handed_over ? 1 : 0;
	follow_decision(deliveries, delivery, &reply, SIGNAL_NONE);
}

void
reply_take(Deliveries *deliveries, Delivery *delivery, const ReplyMessage *reply, Monotonic now)
{
	metrics_note_reply(delivery->server->metrics, delivery->step, reply);
	if (reply->too_late)
		take_back(deliveries, delivery, reply);
	else
	{
		delivery_note_made(delivery);
		follow_decision(deliveries, delivery, reply, server_signal_of(delivery, reply, now));
	}
}
