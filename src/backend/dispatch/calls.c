/*
 * calls.c: from a delivery to a CALL, and from a REPLY to a decision.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/rows.h"
#include "dispatch/calls.h"
#include "dispatch/delivery_addresses.h"
#include "dispatch/last_word.h"
#include "dispatch/server_signal.h"
#include "dispatch/terms.h"
#include "message.h"
#include "test_point.h"

/* Pauses before a new courier. */
#define FIRST_PAUSE_MS 1000
#define LONGEST_PAUSE_MS (60 * 1000)

/* A courier says hello within milliseconds, on a busy machine seconds. */
#define HELLO_MS (10 * 1000)

/* How often to look after a courier that owes an answer. */
#define WATCH_MS 1000

/*
 * A process that was stopped for longer, with its courier perhaps, heard nothing
 * because it could not listen: that time is not counted.
 */
#define LONGEST_WATCH_MS (2 * WATCH_MS)

void
calls_init(Calls *calls, MemoryContext context, Deliveries *deliveries, dlist_head *servers)
{
	memset(calls, 0, sizeof(*calls));
	calls->context = context;
	calls->deliveries = deliveries;
	calls->servers = servers;
}

void
calls_close(Calls *calls)
{
	courier_close(calls->courier);
	calls->courier = NULL;
}

bool
calls_can_be_made(const Calls *calls)
{
	return courier_is_ready(calls->courier);
}

/* --- what follows from a reply --------------------------------------------- */

static Terms
terms_of_delivery(const Delivery *delivery)
{
	Terms		terms = terms_of(&delivery->nudge, &delivery->server->options, &delivery->post);

	terms.rerouted = delivery->nposts > 1;
	terms.second_look = delivery->step == STEP_CHECK && delivery_is_elsewhere(delivery);
	if (delivery_is_elsewhere(delivery))
		terms.made_at = delivery->other_made_at;
	terms.rest_until = breaker_shows_until(&delivery->server->breaker);
	return terms;
}

static Facts
facts_of(const Delivery *delivery)
{
	Facts		facts = {
		.channel = delivery->channel,
		.customer_address = delivery->customer_address,
		.business_address = delivery->business_address,
		.customer_fault = delivery_address_fault(delivery),
		.own_fault = delivery_own_address_fault(delivery),
	};

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
	delivery->looked_at = (Monotonic) {reply->answered_ms * 1000};
	delivery->api_calls += (int) reply->api_calls;
	delivery->http_status = (int) reply->http_status;
	delivery->message_id = keep_message_id(delivery, reply->message_id);
	delivery->error_code = delivery_keep_ascii(delivery, reply->error_code);
	delivery->error_message = delivery_keep_ascii(delivery, reply->error_message);
	delivery->correlation_id = delivery_keep_ascii(delivery, reply->correlation_id);
	delivery->opted_out = delivery->step != STEP_CHECK && reply->opted_out != 0 && reply->class != REPLY_DONE;
	if (delivery->step == STEP_CHECK)
		delivery->checked_at = GetCurrentTimestamp();
	if (delivery->step == STEP_CHECK && !delivery_is_elsewhere(delivery))
	{
		delivery->status_seen = delivery_keep_ascii(delivery, reply->status);
		delivery->channel = delivery_keep_ascii(delivery, reply->channel);
		delivery->customer_address = delivery_keep(delivery, reply->customer_address);
		delivery->business_address = delivery_keep(delivery, reply->business_address);
	}
	if (delivery->step != STEP_CHECK && reply->called_at > 0)
		delivery->called_at = from_unix_time(reply->called_at);
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
	delivery->new_conversation_id = delivery_keep(delivery, conversation_id);
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
		deliveries_pass_over(delivery);
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
put_behind(Calls *calls, Delivery *delivery)
{
	TimestampTz due_at = TimestampTzPlusMilliseconds(breaker_shows_until(&delivery->server->breaker), TURN_MS);

	deliveries_put_back(calls->deliveries, delivery, Min(due_at, delivery->nudge.expires_at), WAITS_FOR_SERVER);
	/* none of this was to it alone */
	delivery->move_refusals = 0;
}

/* "signal": what the reply says of the server. */
static void
take_reply(Calls *calls, Delivery *delivery, const ReplyMessage *reply, ServerSignal signal)
{
	Terms		terms = terms_of_delivery(delivery);
	Facts		facts;
	Decision	decision;

	note_reply(delivery, reply);
	facts = facts_of(delivery);
	facts.limited = signal == SIGNAL_NOT_NOW;
	facts.of_server = signal != SIGNAL_NONE;
	facts.opted_out = reply->opted_out != 0;
	facts.busy = reply->busy != 0;
	facts.class = (ReplyClass) reply->class;
	facts.reason = delivery_keep_ascii(delivery, reply->reason);
	facts.retry_after_ms = reply->retry_after_ms;
	facts.live = reply->live != 0;
	if (reply->last_inbound_at > 0)
		facts.last_inbound_at = from_unix_time(reply->last_inbound_at);
	facts.is_anothers = terms.second_look && facts.class == REPLY_DONE && delivery_is_with_others(delivery, reply);
	read_new_conversation(delivery, reply, &facts);
	decision = decide(delivery->step, &facts, &terms);
	if (facts.class == REPLY_DONE)
		breaker_note_success(&delivery->server->breaker, delivery->step, monotonic_now());

	switch (decision.kind)
	{
		case DECIDE_CALL:
			prepare_post(delivery, decision.step, &facts, &terms);
			deliveries_move_to(delivery, &calls->deliveries->to_intend);
			break;
		case DECIDE_BLOCK:
			if (signal == SIGNAL_REFUSED)
				put_behind(calls, delivery);
			else
				deliveries_put_back(calls->deliveries, delivery, delivery->due_at, decision.reason);
			break;
		case DECIDE_SETTLE:
			server_signal_note_end(delivery, reply, &decision);
			/* fall through */
		case DECIDE_RETRY:
		case DECIDE_HOLD:
			deliveries_end(calls->deliveries, delivery, decision);
			break;
	}
}

/*
 * It waited for its turn until what allowed it was too old: that is asked again.
 * What was sent nevertheless, and refused unread for its token, counts as sent.
 */
static void
take_back(Calls *calls, Delivery *delivery, const ReplyMessage *reply)
{
	delivery->api_calls += (int) reply->api_calls;
	if (reply->reason != NULL && strcmp(reply->reason, "connection") == 0)
		deliveries_put_back(calls->deliveries, delivery,
						 TimestampTzPlusMilliseconds(GetCurrentTimestamp(), CONNECT_MS << Min(delivery->nudge.round, CONNECT_DOUBLINGS)),
						 "a connection to the API takes longer than a message may wait");
	else
		deliveries_move_to(delivery, delivery->step == STEP_CHECK ? &calls->deliveries->to_start : &calls->deliveries->to_intend);
}

/* A call of which nobody will tell us: the courier is gone, or never got it. */
static void
miss_reply(Calls *calls, Delivery *delivery, bool handed_over)
{
	ReplyMessage reply = {.class = REPLY_NOT_APPLIED, .retry_after_ms = -1, .reason = "courier_lost"};

	if (handed_over)
		delivery_note_made(delivery);
	if (handed_over && delivery->step != STEP_CHECK)
		reply.class = REPLY_AMBIGUOUS;
	reply.api_calls = handed_over ? 1 : 0;
	take_reply(calls, delivery, &reply, SIGNAL_NONE);
}

/* --- the courier -------------------------------------------------------------- */

static void
set_problem(Calls *calls, const char *problem)
{
	if (problem != NULL && (calls->problem == NULL || strcmp(calls->problem, problem) != 0))
		ereport(LOG, (errmsg("reengage: %s", problem)));
	if (calls->problem != NULL)
		pfree(calls->problem);
	calls->problem = problem ? MemoryContextStrdup(calls->context, problem) : NULL;
}

static void
lose_courier(Calls *calls, Monotonic now)
{
	Delivery  **calling;
	int			count;

	set_problem(calls, courier_problem(calls->courier));
	calls_close(calls);
	calls->failures++;
	if (monotonic_is_reached(monotonic_after(calls->opened_at, LONGEST_PAUSE_MS), now))
		calls->pause_ms = 0;
	calls->pause_ms = Min(Max(calls->pause_ms * 2, FIRST_PAUSE_MS), LONGEST_PAUSE_MS);
	calls->not_before = monotonic_after(now, calls->pause_ms);

	calling = deliveries_in(&calls->deliveries->calling, &count);
	for (int i = 0; i < count; i++)
	{
		deliveries_call_ended(calls->deliveries, calling[i]);
		miss_reply(calls, calling[i], true);
	}
}

void
calls_keep_courier(Calls *calls, Monotonic now)
{
	if (calls->courier != NULL || !monotonic_is_reached(calls->not_before, now))
		return;
	calls->courier = courier_open();
	calls->opened_at = now;
	calls->hello_by_ms = calls->watched_ms + HELLO_MS;
	/* it knows nothing yet */
	servers_forget_configurations(calls->servers);
}

void
calls_take_replies(Calls *calls, Monotonic now)
{
	ReplyMessage reply;
	RenderedMessage rendered;

	while (calls->courier != NULL)
	{
		Delivery   *delivery;

		switch (courier_next(calls->courier, &reply, &rendered))
		{
			case COURIER_NOTHING:
				return;
			case COURIER_READY:
				calls->failures = 0;
				set_problem(calls, NULL);
				break;
			case COURIER_RENDERED:
				/* the engine asks for none */
				break;
			case COURIER_REPLY:
				delivery = deliveries_of_call(calls->deliveries, reply.call_id);
				/* it works: if it is lost now, the next one starts soon */
				calls->pause_ms = 0;
				if (delivery == NULL)
					break;
				deliveries_call_ended(calls->deliveries, delivery);
				TEST_POINT(delivery->step == STEP_CHECK ? "check_answered" : "reply_read");
				if (reply.too_late)
				{
					take_back(calls, delivery, &reply);
					break;
				}
				delivery_note_made(delivery);
				take_reply(calls, delivery, &reply, server_signal_of(delivery, &reply, now));
				break;
			case COURIER_LOST:
				lose_courier(calls, now);
				break;
		}
	}
}

void
calls_watch(Calls *calls, Monotonic now)
{
	dlist_iter	iter;

	calls->watched_ms += Min(monotonic_ms_until(now, calls->watched_at), LONGEST_WATCH_MS);
	calls->watched_at = now;
	if (calls->courier == NULL)
		return;
	if (!courier_is_ready(calls->courier) && calls->hello_by_ms < calls->watched_ms)
		courier_give_up(calls->courier, "the courier did not start in time");
	dlist_foreach(iter, &calls->deliveries->calling)
		if (dlist_container(Delivery, node, iter.cur)->answer_by_ms < calls->watched_ms)
			courier_give_up(calls->courier, "the courier did not answer in time");
}

Monotonic
calls_next_watch(const Calls *calls, bool wanted, Monotonic now)
{
	if (calls->courier == NULL)
		return wanted ? calls->not_before : MONOTONIC_NEVER;
	if (courier_has_failed(calls->courier))
		return now;
	if (!courier_is_ready(calls->courier) || !dlist_is_empty(&calls->deliveries->calling))
		return monotonic_after(now, WATCH_MS);
	return MONOTONIC_NEVER;
}

/* --- making calls --------------------------------------------------------------- */

static CallMessage
call_of(const Delivery *delivery)
{
	CallMessage call = {
		.step = delivery->step,
		.priority = delivery->urgency,
		.server = to_utf8(delivery->server->name),
		.conversation_id = delivery->target,
		.nudge_id = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&delivery->nudge_id))),
	};

	if (delivery->nudge.expires_at != DT_NOEND)
		call.time_left_ms = Max(TimestampDifferenceMilliseconds(GetCurrentTimestamp(), delivery->nudge.expires_at), 1);
	if (delivery->step == STEP_CHECK)
		return call;
	call.repeats = delivery->nudge.unresolved;
	call.text = delivery->nudge.message;
	call.to_address = delivery->post.recipient.to_address;
	call.from_address = delivery->post.recipient.from_address;
	call.channel = delivery->post.recipient.channel;
	call.template = delivery->nudge.template;
	if (delivery->step == STEP_CREATE && delivery->server->options.tag_lineage)
		call.root = delivery->nudge.root;
	return call;
}

static void
make_call(Calls *calls, Delivery *delivery)
{
	Terms		terms = terms_of_delivery(delivery);
	Decision	end;
	CallMessage call;

	if (!may_call(&terms, &end))
	{
		deliveries_end(calls->deliveries, delivery, end);
		return;
	}
	call = call_of(delivery);
	if (delivery->nudge.too_large || !message_call_fits(&call))
	{
		/* what may have been sent before is not said to have been refused */
		deliveries_settle(calls->deliveries, delivery, delivery->nudge.unresolved ? OUTCOME_IN_DOUBT : OUTCOME_REFUSED, "too_large");
		return;
	}
	if (delivery->nudge.message == NULL)
	{
		deliveries_settle(calls->deliveries, delivery, OUTCOME_REFUSED, "message_not_utf8");
		return;
	}
	if (!courier_is_ready(calls->courier))
	{
		miss_reply(calls, delivery, false);
		return;
	}
	if (!server_configure(delivery->server, calls->courier, monotonic_now()))
	{
		deliveries_put_back(calls->deliveries, delivery, delivery->due_at, NULL);
		return;
	}
	call.call_id = ++calls->last_call_id;
	call.leave_by_ms = delivery->leave_by.us / 1000;
	delivery->handed_at = GetCurrentTimestamp();
	if (delivery->step == STEP_CHECK)
		delivery->looked_under = delivery->server->version;
	delivery->answer_by_ms = calls->watched_ms + longest_call_ms(&delivery->server->options);
	deliveries_call_begins(calls->deliveries, delivery, call.call_id);
	TEST_POINT(delivery->step == STEP_CHECK ? "claimed" : "post_queued");
	courier_send_call(calls->courier, &call);
}

void
calls_make_checks(Calls *calls, Monotonic leave_by)
{
	int			count;
	Delivery  **deliveries = deliveries_in(&calls->deliveries->to_start, &count);

	for (int i = 0; i < count; i++)
	{
		deliveries[i]->leave_by = leave_by;
		if (deliveries[i]->server->exists && !deliveries[i]->server->paused)
			make_call(calls, deliveries[i]);
		else
			deliveries_put_back(calls->deliveries, deliveries[i], deliveries[i]->due_at, NULL);
	}
}

void
calls_make_posts(Calls *calls, Standby *standby, bool may)
{
	int			count;
	Delivery  **deliveries = deliveries_in(&calls->deliveries->to_post, &count);
	XLogRecPtr	safe_up_to = count > 0 ? standby_confirmed_up_to() : 0;
	Monotonic	now = monotonic_now();

	for (int i = 0; i < count; i++)
	{
		XLogRecPtr	committed_at = deliveries[i]->intent->committed_at;
		bool		late = monotonic_is_reached(deliveries[i]->leave_by, now);
		bool		in_vain = may && late && committed_at > safe_up_to;

		if (in_vain)
			standby_missed(standby, committed_at);
		if (!may || late || !delivery_may_post(deliveries[i]))
			deliveries_put_back(calls->deliveries, deliveries[i], deliveries[i]->due_at, in_vain ? WAITS_FOR_STANDBY : NULL);
		else if (committed_at <= safe_up_to && !courier_is_full(calls->courier))
			make_call(calls, deliveries[i]);
	}
	standby_watch(standby);
}
