/*
 * calls.c: from a delivery to a CALL, and from the courier to its REPLY.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/kept_text.h"
#include "base/rows.h"
#include "dispatch/calls.h"
#include "dispatch/replies.h"
#include "dispatch/terms.h"
#include "message.h"
#include "retry.h"
#include "test_point.h"

/* Pauses before a new courier. */
#define FIRST_PAUSE_MS 1000
#define LONGEST_PAUSE_MS (60 * 1000)

/* A courier says hello within milliseconds, on a busy machine seconds. */
#define HELLO_MS (10 * 1000)

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
	if (calls->courier == NULL)
		return;
	courier_close(calls->courier);
	calls->courier = NULL;
	metrics_note_courier(0);
}

bool
calls_can_be_made(const Calls *calls)
{
	return courier_is_ready(calls->courier);
}

/* --- the courier -------------------------------------------------------------- */

/* All that it had. */
static void
lose_calls(Calls *calls, DeliveryState state)
{
	int			count;
	Delivery  **calling = deliveries_in(calls->deliveries, state, &count);

	for (int i = 0; i < count; i++)
	{
		deliveries_call_ended(calls->deliveries, calling[i]);
		reply_miss(calls->deliveries, calling[i], true);
	}
}

static void
set_problem(Calls *calls, const char *problem)
{
	if (problem != NULL && texts_differ(problem, calls->problem))
		ereport(LOG, (errmsg("%s", problem)));
	keep_text(calls->context, &calls->problem, problem);
}

static void
lose_courier(Calls *calls, Monotonic now)
{
	set_problem(calls, courier_problem(calls->courier));
	calls_close(calls);
	calls->failures++;
	if (monotonic_is_reached(monotonic_after(calls->opened_at, LONGEST_PAUSE_MS), now))
		calls->pause_ms = 0;
	calls->pause_ms = next_pause_ms(calls->pause_ms, FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
	calls->not_before = monotonic_after(now, calls->pause_ms);

	lose_calls(calls, DELIVERY_CHECKING);
	lose_calls(calls, DELIVERY_POSTING);
}

void
calls_keep_courier(Calls *calls, Monotonic now)
{
	if (calls->courier != NULL || !monotonic_is_reached(calls->not_before, now))
		return;
	calls->courier = courier_open();
	metrics_note_courier(courier_pid(calls->courier));
	calls->opened_at = now;
	calls->hello_by_ms = watch_deadline(&calls->watch, HELLO_MS);
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
				flow_note(&delivery->server->flow, now);
				TEST_POINT(delivery->step == STEP_CHECK ? "check_answered" : "reply_read");
				reply_take(calls->deliveries, delivery, &reply, now);
				break;
			case COURIER_LOST:
				lose_courier(calls, now);
				break;
		}
	}
}

static bool
answers_are_owed(const Calls *calls)
{
	return calls->deliveries->counts[DELIVERY_CHECKING] + calls->deliveries->counts[DELIVERY_POSTING] > 0;
}

static bool
is_late(const Calls *calls, DeliveryState state)
{
	dlist_iter	iter;

	dlist_foreach(iter, &calls->deliveries->lists[state])
		if (watch_is_over(&calls->watch, dlist_container(Delivery, node, iter.cur)->answer_by_ms))
			return true;
	return false;
}

void
calls_watch(Calls *calls, Monotonic now)
{
	/* each call is looked at */
	if (!watch_look(&calls->watch, now) || calls->courier == NULL)
		return;
	if (!courier_is_ready(calls->courier) && watch_is_over(&calls->watch, calls->hello_by_ms))
		courier_give_up(calls->courier, "the courier did not start in time");
	if (is_late(calls, DELIVERY_CHECKING) || is_late(calls, DELIVERY_POSTING))
		courier_give_up(calls->courier, "the courier did not answer in time");
}

Monotonic
calls_next_watch(const Calls *calls, bool wanted, Monotonic now)
{
	if (calls->courier == NULL)
		return wanted ? calls->not_before : MONOTONIC_NEVER;
	if (courier_has_failed(calls->courier))
		return now;
	if (!courier_is_ready(calls->courier) || answers_are_owed(calls))
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

/* Of the first look of an attempt, and of a POST that follows one. */
static void
note_delay(const Delivery *delivery)
{
	ServerMetrics *metrics = delivery->server->metrics;

	if (delivery->step == STEP_CHECK && !delivery->called)
		metrics_note_delay(metrics, DELAY_LOOK, delivery->handed_at - delivery->due_at);
	else if (delivery->step != STEP_CHECK && delivery->look.checked_at != 0)
		metrics_note_delay(metrics, DELAY_POST, delivery->handed_at - delivery->look.checked_at);
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
		reply_miss(calls->deliveries, delivery, false);
		return;
	}
	if (!server_configure(delivery->server, calls->courier, monotonic_now()))
	{
		deliveries_put_back(calls->deliveries, delivery, delivery->due_at, HOLD_NONE, NULL);
		return;
	}
	call.call_id = ++calls->last_call_id;
	call.leave_by_ms = delivery->leave_by.us / 1000;
	delivery->handed_at = GetCurrentTimestamp();
	note_delay(delivery);
	if (delivery->step == STEP_CHECK)
		delivery->look.server_version = delivery->server->version;
	delivery->answer_by_ms = watch_deadline(&calls->watch, longest_call_ms(&delivery->server->options));
	deliveries_call_begins(calls->deliveries, delivery, call.call_id);
	TEST_POINT(delivery->step == STEP_CHECK ? "claimed" : "post_queued");
	courier_send_call(calls->courier, &call);
}

void
calls_make_checks(Calls *calls, Monotonic leave_by)
{
	int			count;
	Delivery  **deliveries = deliveries_in(calls->deliveries, DELIVERY_CHECK_WANTED, &count);

	for (int i = 0; i < count; i++)
	{
		deliveries[i]->leave_by = leave_by;
		if (deliveries[i]->server->exists && !deliveries[i]->server->paused)
			make_call(calls, deliveries[i]);
		else
			deliveries_put_back(calls->deliveries, deliveries[i], deliveries[i]->due_at, HOLD_NONE, NULL);
	}
}

void
calls_make_posts(Calls *calls, Standby *standby, bool may)
{
	int			count;
	Delivery  **deliveries = deliveries_in(calls->deliveries, DELIVERY_INTENDED, &count);
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
			deliveries_put_back(calls->deliveries, deliveries[i], deliveries[i]->due_at,
								in_vain ? HOLD_STANDBY : HOLD_NONE, NULL);
		else if (committed_at <= safe_up_to && !courier_is_full(calls->courier))
			make_call(calls, deliveries[i]);
	}
	standby_watch(standby);
}
