/*
 * calls.c: from a flight to a CALL, and from a REPLY to a decision.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/rows.h"
#include "dispatch/calls.h"
#include "dispatch/flight_addresses.h"
#include "dispatch/last_word.h"
#include "dispatch/terms.h"
#include "dispatch/verdict.h"
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
calls_init(Calls *calls, MemoryContext context, Flights *flights, dlist_head *servers)
{
	memset(calls, 0, sizeof(*calls));
	calls->context = context;
	calls->flights = flights;
	calls->servers = servers;
}

void
calls_close(Calls *calls)
{
	link_close(calls->link);
	calls->link = NULL;
}

bool
calls_can_be_made(const Calls *calls)
{
	return link_is_ready(calls->link);
}

/* --- what follows from a reply --------------------------------------------- */

static Terms
terms_of_flight(const Flight *flight)
{
	Terms		terms = terms_of(&flight->nudge, &flight->server->options, &flight->post);

	terms.turned = flight->nposts > 1;
	terms.second_look = flight->step == STEP_CHECK && flight_is_elsewhere(flight);
	if (flight_is_elsewhere(flight))
		terms.made_at = flight->other_made_at;
	terms.rest_until = trouble_shows_until(&flight->server->trouble);
	return terms;
}

static Facts
facts_of(const Flight *flight)
{
	Facts		facts = {
		.channel = flight->channel,
		.customer_address = flight->customer_address,
		.business_address = flight->business_address,
		.customer_fault = flight_customer_fault(flight),
		.own_fault = flight_own_fault(flight),
	};

	return facts;
}

static const char *
keep_message_id(Flight *flight, const char *message_id)
{
	size_t		length = message_id != NULL ? strlen(message_id) : 0;

	return length > 0 && length <= MESSAGE_ID_MAX ? flight_keep_ascii(flight, message_id) : NULL;
}

static TimestampTz
from_unix_time(int64 microseconds)
{
	return microseconds - (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
}

static void
note_reply(Flight *flight, const ReplyMessage *reply)
{
	/* a refused message is a look, too: it says what has become of the conversation */
	flight->looked_at = (Monotonic) {reply->answered_ms * 1000};
	flight->api_calls += (int) reply->api_calls;
	flight->http_status = (int) reply->http_status;
	flight->message_id = keep_message_id(flight, reply->message_id);
	flight->error_code = flight_keep_ascii(flight, reply->error_code);
	flight->error_message = flight_keep_ascii(flight, reply->error_message);
	flight->correlation_id = flight_keep_ascii(flight, reply->correlation_id);
	flight->opted_out = flight->step != STEP_CHECK && reply->opted_out != 0 && reply->class != REPLY_DONE;
	if (flight->step == STEP_CHECK)
		flight->checked_at = GetCurrentTimestamp();
	if (flight->step == STEP_CHECK && !flight_is_elsewhere(flight))
	{
		flight->status_seen = flight_keep_ascii(flight, reply->status);
		flight->channel = flight_keep_ascii(flight, reply->channel);
		flight->customer_address = flight_keep(flight, reply->customer_address);
		flight->business_address = flight_keep(flight, reply->business_address);
	}
	if (flight->step != STEP_CHECK && reply->called_at > 0)
		flight->called_at = from_unix_time(reply->called_at);
}

/*
 * The id that a create answered must be one that we can check again.  A notify
 * need not answer one; what it answers says where the message went.
 */
static void
read_new_conversation(Flight *flight, const ReplyMessage *reply, Facts *facts)
{
	/* an API that notifies a conversation has nothing to add */
	const char *conversation_id = reply->conversation_id == NULL && flight_is_elsewhere(flight) ?
		flight->target : reply->conversation_id;
	bool		valid = conversation_id != NULL && conversation_id_is_valid(conversation_id);

	if (flight->step == STEP_CHECK || facts->class != REPLY_DONE)
		return;
	if (!valid && flight->step == STEP_CREATE)
	{
		facts->class = REPLY_AMBIGUOUS;
		facts->reason = "unreadable";
	}
	if (!valid)
		return;
	facts->elsewhere = pg_strcasecmp(conversation_id, flight->nudge.tip) != 0;
	flight->new_conversation_id = flight_keep(flight, conversation_id);
	/* one that the thread has been through has a successor, and gets no other */
	facts->same_conversation = list_contains(flight->nudge.path, conversation_id);
}

/* A POST has been decided on; its recipient stays the same from here on. */
static void
prepare_post(Flight *flight, Step step, const Facts *facts, const Terms *terms)
{
	Recipient	recipient;
	const char *reason;
	bool		looked_elsewhere = flight->step == STEP_CHECK && flight_is_elsewhere(flight);
	/* a create that was overtaken, or put off for another look: its recipient is there */
	bool		same_recipient = flight->step == STEP_CREATE || looked_elsewhere;

	if (looked_elsewhere && facts->is_anothers)
		flights_pass_over(flight);
	if (!looked_elsewhere || step == STEP_CREATE)
		flight->target = flight->nudge.tip;
	flight->step = flight->post.step = step;
	flight->post.conversation_id = flight->target;
	flight->post.since = 0;
	if (same_recipient)
		return;
	memset(&flight->post.recipient, 0, sizeof(Recipient));
	if (step == STEP_CREATE ? !choose_recipient(facts, terms, &recipient, &reason) :
		!terms->notify_is_addressed || !choose_notified(facts, terms, &recipient, &reason))
		return;
	flight->named = recipient.to_address == terms->address;
	flight->post.recipient.to_address = flight_address_to_send(flight, &recipient);
	flight->post.recipient.from_address = flight_keep(flight, recipient.from_address);
	flight->post.recipient.channel = flight_keep(flight, recipient.channel);
}

/* What it was refused, all are: the next one to try that is another, if there is one. */
static void
put_behind(Calls *calls, Flight *flight)
{
	TimestampTz due_at = TimestampTzPlusMilliseconds(trouble_shows_until(&flight->server->trouble), TURN_MS);

	flights_put_back(calls->flights, flight, Min(due_at, flight->nudge.expires_at), WAITS_FOR_SERVER);
	/* none of this was to it alone */
	flight->move_refusals = 0;
}

/* "verdict": what the reply says of the server. */
static void
take_reply(Calls *calls, Flight *flight, const ReplyMessage *reply, Verdict verdict)
{
	Terms		terms = terms_of_flight(flight);
	Facts		facts;
	Decision	decision;

	note_reply(flight, reply);
	facts = facts_of(flight);
	facts.limited = verdict == VERDICT_NOT_NOW;
	facts.of_server = verdict != VERDICT_NONE;
	facts.opted_out = reply->opted_out != 0;
	facts.busy = reply->busy != 0;
	facts.class = (ReplyClass) reply->class;
	facts.reason = flight_keep_ascii(flight, reply->reason);
	facts.retry_after_ms = reply->retry_after_ms;
	facts.live = reply->live != 0;
	if (reply->last_inbound_at > 0)
		facts.last_inbound_at = from_unix_time(reply->last_inbound_at);
	facts.is_anothers = terms.second_look && facts.class == REPLY_DONE && flight_is_with_others(flight, reply);
	read_new_conversation(flight, reply, &facts);
	decision = decide(flight->step, &facts, &terms);
	if (facts.class == REPLY_DONE)
		trouble_note_success(&flight->server->trouble, flight->step, monotonic_now());

	switch (decision.kind)
	{
		case DECIDE_CALL:
			prepare_post(flight, decision.step, &facts, &terms);
			flights_move_to(flight, &calls->flights->to_intend);
			break;
		case DECIDE_BLOCK:
			if (verdict == VERDICT_REFUSED)
				put_behind(calls, flight);
			else
				flights_put_back(calls->flights, flight, flight->due_at, decision.reason);
			break;
		case DECIDE_SETTLE:
			verdict_note_end(flight, reply, &decision);
			/* fall through */
		case DECIDE_RETRY:
		case DECIDE_HOLD:
			flights_end(calls->flights, flight, decision);
			break;
	}
}

/*
 * It waited for its turn until what allowed it was too old: that is asked again.
 * What was sent nevertheless, and refused unread for its token, counts as sent.
 */
static void
take_back(Calls *calls, Flight *flight, const ReplyMessage *reply)
{
	flight->api_calls += (int) reply->api_calls;
	if (reply->reason != NULL && strcmp(reply->reason, "connection") == 0)
		flights_put_back(calls->flights, flight,
						 TimestampTzPlusMilliseconds(GetCurrentTimestamp(), CONNECT_MS << Min(flight->nudge.round, CONNECT_DOUBLINGS)),
						 "a connection to the API takes longer than a message may wait");
	else
		flights_move_to(flight, flight->step == STEP_CHECK ? &calls->flights->to_start : &calls->flights->to_intend);
}

/* A call of which nobody will tell us: the courier is gone, or never got it. */
static void
miss_reply(Calls *calls, Flight *flight, bool handed_over)
{
	ReplyMessage reply = {.class = REPLY_NOT_APPLIED, .retry_after_ms = -1, .reason = "courier_lost"};

	if (handed_over)
		flight_note_made(flight);
	if (handed_over && flight->step != STEP_CHECK)
		reply.class = REPLY_AMBIGUOUS;
	reply.api_calls = handed_over ? 1 : 0;
	take_reply(calls, flight, &reply, VERDICT_NONE);
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
lose_link(Calls *calls, Monotonic now)
{
	Flight	  **calling;
	int			count;

	set_problem(calls, link_problem(calls->link));
	calls_close(calls);
	calls->failures++;
	if (monotonic_is_reached(monotonic_after(calls->opened_at, LONGEST_PAUSE_MS), now))
		calls->pause_ms = 0;
	calls->pause_ms = Min(Max(calls->pause_ms * 2, FIRST_PAUSE_MS), LONGEST_PAUSE_MS);
	calls->not_before = monotonic_after(now, calls->pause_ms);

	calling = flights_in(&calls->flights->calling, &count);
	for (int i = 0; i < count; i++)
	{
		flights_call_ended(calls->flights, calling[i]);
		miss_reply(calls, calling[i], true);
	}
}

void
calls_keep_link(Calls *calls, Monotonic now)
{
	if (calls->link != NULL || !monotonic_is_reached(calls->not_before, now))
		return;
	calls->link = link_open();
	calls->opened_at = now;
	calls->hello_by_ms = calls->watched_ms + HELLO_MS;
	/* it knows nothing yet */
	servers_forget_introductions(calls->servers);
}

void
calls_take_replies(Calls *calls, Monotonic now)
{
	ReplyMessage reply;
	RenderedMessage rendered;

	while (calls->link != NULL)
	{
		Flight	   *flight;

		switch (link_next(calls->link, &reply, &rendered))
		{
			case LINK_NOTHING:
				return;
			case LINK_READY:
				calls->failures = 0;
				set_problem(calls, NULL);
				break;
			case LINK_RENDERED:
				/* the engine asks for none */
				break;
			case LINK_REPLY:
				flight = flights_of_call(calls->flights, reply.call_id);
				/* it works: if it is lost now, the next one starts soon */
				calls->pause_ms = 0;
				if (flight == NULL)
					break;
				flights_call_ended(calls->flights, flight);
				TEST_POINT(flight->step == STEP_CHECK ? "check_answered" : "reply_read");
				if (reply.too_late)
				{
					take_back(calls, flight, &reply);
					break;
				}
				flight_note_made(flight);
				take_reply(calls, flight, &reply, verdict_of(flight, &reply, now));
				break;
			case LINK_LOST:
				lose_link(calls, now);
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
	if (calls->link == NULL)
		return;
	if (!link_is_ready(calls->link) && calls->hello_by_ms < calls->watched_ms)
		link_give_up(calls->link, "the courier did not start in time");
	dlist_foreach(iter, &calls->flights->calling)
		if (dlist_container(Flight, node, iter.cur)->answer_by_ms < calls->watched_ms)
			link_give_up(calls->link, "the courier did not answer in time");
}

Monotonic
calls_next_watch(const Calls *calls, bool wanted, Monotonic now)
{
	if (calls->link == NULL)
		return wanted ? calls->not_before : MONOTONIC_NEVER;
	if (link_has_failed(calls->link))
		return now;
	if (!link_is_ready(calls->link) || !dlist_is_empty(&calls->flights->calling))
		return monotonic_after(now, WATCH_MS);
	return MONOTONIC_NEVER;
}

/* --- making calls --------------------------------------------------------------- */

static CallMessage
call_of(const Flight *flight)
{
	CallMessage call = {
		.step = flight->step,
		.priority = flight->urgency,
		.server = to_utf8(flight->server->name),
		.conversation_id = flight->target,
		.nudge_id = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&flight->nudge_id))),
	};

	if (flight->nudge.expires_at != DT_NOEND)
		call.time_left_ms = Max(TimestampDifferenceMilliseconds(GetCurrentTimestamp(), flight->nudge.expires_at), 1);
	if (flight->step == STEP_CHECK)
		return call;
	call.repeats = flight->nudge.unresolved;
	call.text = flight->nudge.message;
	call.to_address = flight->post.recipient.to_address;
	call.from_address = flight->post.recipient.from_address;
	call.channel = flight->post.recipient.channel;
	call.template = flight->nudge.template;
	if (flight->step == STEP_CREATE && flight->server->options.tag_lineage)
		call.root = flight->nudge.root;
	return call;
}

static void
make_call(Calls *calls, Flight *flight)
{
	Terms		terms = terms_of_flight(flight);
	Decision	end;
	CallMessage call;

	if (!may_call(&terms, &end))
	{
		flights_end(calls->flights, flight, end);
		return;
	}
	call = call_of(flight);
	if (flight->nudge.too_large || !message_call_fits(&call))
	{
		/* what may have been sent before is not said to have been refused */
		flights_settle(calls->flights, flight, flight->nudge.unresolved ? OUTCOME_IN_DOUBT : OUTCOME_REFUSED, "too_large");
		return;
	}
	if (flight->nudge.message == NULL)
	{
		flights_settle(calls->flights, flight, OUTCOME_REFUSED, "message_not_utf8");
		return;
	}
	if (!link_is_ready(calls->link))
	{
		miss_reply(calls, flight, false);
		return;
	}
	if (!server_introduce(flight->server, calls->link, monotonic_now()))
	{
		flights_put_back(calls->flights, flight, flight->due_at, NULL);
		return;
	}
	call.call_id = ++calls->last_call_id;
	call.leave_by_ms = flight->leave_by.us / 1000;
	flight->handed_at = GetCurrentTimestamp();
	if (flight->step == STEP_CHECK)
		flight->looked_under = flight->server->version;
	flight->answer_by_ms = calls->watched_ms + longest_call_ms(&flight->server->options);
	flights_call_begins(calls->flights, flight, call.call_id);
	TEST_POINT(flight->step == STEP_CHECK ? "claimed" : "post_queued");
	link_send_call(calls->link, &call);
}

void
calls_make_checks(Calls *calls, Monotonic leave_by)
{
	int			count;
	Flight	  **flights = flights_in(&calls->flights->to_start, &count);

	for (int i = 0; i < count; i++)
	{
		flights[i]->leave_by = leave_by;
		if (flights[i]->server->exists && !flights[i]->server->paused)
			make_call(calls, flights[i]);
		else
			flights_put_back(calls->flights, flights[i], flights[i]->due_at, NULL);
	}
}

void
calls_make_posts(Calls *calls, Standby *standby, bool may)
{
	int			count;
	Flight	  **flights = flights_in(&calls->flights->to_post, &count);
	XLogRecPtr	safe_up_to = count > 0 ? standby_confirmed_up_to() : 0;
	Monotonic	now = monotonic_now();

	for (int i = 0; i < count; i++)
	{
		XLogRecPtr	committed_at = flights[i]->intent->committed_at;
		bool		late = monotonic_is_reached(flights[i]->leave_by, now);
		bool		in_vain = may && late && committed_at > safe_up_to;

		if (in_vain)
			standby_missed(standby, committed_at);
		if (!may || late || !flight_may_post(flights[i]))
			flights_put_back(calls->flights, flights[i], flights[i]->due_at, in_vain ? WAITS_FOR_STANDBY : NULL);
		else if (committed_at <= safe_up_to && !link_is_full(calls->link))
			make_call(calls, flights[i]);
	}
	standby_watch(standby);
}
