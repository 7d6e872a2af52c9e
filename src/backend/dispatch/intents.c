/*
 * intents.c: recording, closing and inheriting intents.
 *
 * One row stands for a batch of calls, so that it costs two writes for
 * hundreds of POSTs; it is deleted when the last of them has settled.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/rows.h"
#include "base/uuid_v7.h"
#include "dispatch/intents.h"
#include "dispatch/last_word.h"
#include "dispatch/outcomes.h"
#include "dispatch/terms.h"
#include "store/store.h"
#include "store/tick.h"
#include "test_point.h"

static IntentRow
intent_row(const Flight *flight)
{
	IntentRow	row = {
		.nudge_id = flight->nudge_id,
		.step = step_name(flight->step),
		.round = flight->nudge.round,
		.conversation_id = flight->target,
		.server = flight->server->name,
		.recipient = repeatable_recipient(&flight->server->options, &flight->post),
		.customer = flight->post.customer,
		.own_customer = flight->own_customer,
		.channel = flight_channel(flight),
		.root = flight->nudge.root,
		/* what else the thread has been through has a successor */
		.passed_over = flight->passed_over == NULL ? flight->nudge.tip :
			psprintf("%s,%s", flight->nudge.tip, flight->passed_over),
	};

	return row;
}

IntentBatch
intents_begin(Flights *flights, int nending)
{
	IntentBatch batch = {NULL};

	batch.flights = flights_in(&flights->to_intend, &batch.count);
	batch.count = Min(batch.count, tick_most());
	batch.passages = palloc0(sizeof(Passage) * (batch.count + 1));
	batch.settled = palloc(sizeof(pg_uuid_t) * (flights->nleft_intents + nending + batch.count + 1));
	return batch;
}

void
intents_record(IntentBatch *batch, const Policies *policies, Flights *flights, TimestampTz epoch,
			   Monotonic now)
{
	IntentRow  *rows = palloc(sizeof(IntentRow) * (batch->count + 1));

	if (batch->count == 0)
		return;
	gates_name_customers(flights, batch->flights, batch->count);
	for (int i = 0; i < batch->count; i++)
		rows[i] = intent_row(batch->flights[i]);
	gates_ask(policies, flights, batch->flights, rows, batch->count, now, batch->passages);
	for (int i = 0; i < batch->count; i++)
	{
		batch->flights[i]->leave_by = monotonic_after(now, LEAVE_WITHIN_MS);
		if (batch->passages[i].gate == GATE_OPEN)
			rows[batch->nopen++] = rows[i];
	}
	if (batch->nopen == 0)
		return;
	uuid_v7_generate(&batch->intent_id);
	store_record_intent(&batch->intent_id, epoch, rows, batch->nopen);
	TEST_POINT("intent_inserted");
}

/* Adds the intent to those that have settled, when this was its last call. */
static void
close_one(Intent *intent, pg_uuid_t *settled, int *nsettled)
{
	if (intent != NULL && ++intent->settling == intent->open)
		settled[(*nsettled)++] = intent->intent_id;
}

static void
start_closing(Flight **flights, int count)
{
	/* a tick before this one may have failed half-way */
	for (int i = 0; i < count; i++)
		if (flights[i]->intent != NULL)
			flights[i]->intent->settling = 0;
}

void
intents_close(IntentBatch *batch, const Flights *flights, Flight **ending, int nending)
{
	pg_uuid_t  *settled = batch->settled;
	int			nsettled = flights->nleft_intents;

	if (nsettled > 0)
		memcpy(settled, flights->left_intents, sizeof(pg_uuid_t) * nsettled);
	start_closing(ending, nending);
	start_closing(batch->flights, batch->count);
	for (int i = 0; i < nending; i++)
		if (ending[i]->written)
			close_one(ending[i]->intent, settled, &nsettled);
	/* a notify that was refused as closed: the create takes over */
	for (int i = 0; i < batch->count; i++)
		if (batch->passages[i].gate == GATE_OPEN)
			close_one(batch->flights[i]->intent, settled, &nsettled);
	batch->nleft = nsettled > 0 ? store_delete_intents(settled, nsettled) : 0;
}

/* What they are of has ended, or is in a later round: that they are there yet does no harm. */
static void
keep_left(const IntentBatch *batch, Flights *flights)
{
	if (flights->left_intents != NULL)
		pfree(flights->left_intents);
	flights->left_intents = NULL;
	flights->nleft_intents = batch->nleft;
	if (batch->nleft > 0)
		flights->left_intents = memcpy(MemoryContextAlloc(flights->context, sizeof(pg_uuid_t) * batch->nleft),
									   batch->settled, sizeof(pg_uuid_t) * batch->nleft);
}

void
intent_release(Flight *flight)
{
	if (flight->intent != NULL && --flight->intent->open == 0)
		pfree(flight->intent);
	flight->intent = NULL;
}

/* Where a flight goes that wanted to call. */
static void
pass_gate(Flights *flights, Flight *flight, const Passage *passage)
{
	switch (passage->gate)
	{
		case GATE_OPEN:
			flights_move_to(flight, &flights->to_post);
			break;
		case GATE_SHUT:
			flights_put_back(flights, flight, flight->due_at, NULL);
			break;
		case GATE_HELD:
			flights_put_back(flights, flight, passage->until, passage->reason);
			break;
		case GATE_ENDED:
			flights_settle(flights, flight, passage->outcome, passage->reason);
			break;
		case GATE_ELSEWHERE:
			flights_look_elsewhere(flights, flight, passage->conversation_id, passage->made_at);
			break;
		case GATE_BUSY:
			if (!flights_stand_by(flights, flight))
				flights_put_back(flights, flight, passage->until, passage->reason);
			break;
	}
}

/* The flights with an open gate fly under their new intent. */
static void
change_intents(const IntentBatch *batch, XLogRecPtr committed_at, MemoryContext context)
{
	Intent	   *intent;

	if (batch->nopen == 0)
		return;
	TEST_POINT("intent_committed");
	intent = MemoryContextAllocZero(context, sizeof(Intent));
	intent->intent_id = batch->intent_id;
	intent->committed_at = committed_at;
	intent->open = batch->nopen;
	for (int i = 0; i < batch->count; i++)
		if (batch->passages[i].gate == GATE_OPEN)
		{
			intent_release(batch->flights[i]);
			batch->flights[i]->intent = intent;
		}
}

void
intents_committed(const IntentBatch *batch, XLogRecPtr committed_at, Flights *flights)
{
	change_intents(batch, committed_at, flights->context);
	keep_left(batch, flights);
	for (int i = 0; i < batch->count; i++)
		pass_gate(flights, batch->flights[i], &batch->passages[i]);
}

/* --- what dead engines left ------------------------------------------------ */

/*
 * Of a dead engine's call nobody knows more than of one that was not answered.
 * What was unresolved before stays so.
 */
static Decision
decide_left(const LoadedNudge *nudge, const Post *post, const Server *server)
{
	Facts		facts = {.class = REPLY_AMBIGUOUS, .reason = "interrupted", .retry_after_ms = -1};
	Terms		terms = {.repeatable = false};

	if (server != NULL && server->exists)
		terms = terms_of(nudge, &server->options, post);
	return decide(post->step, &facts, &terms);
}

/*
 * The nudge flies under the dead engine's intent until its end is written, as
 * if this engine had made the call and missed the answer.  Returns whether it
 * ends in doubt.
 */
static bool
inherit(Flights *flights, Server *server, const LoadedNudge *nudge, const Post *post, Intent *intent)
{
	LoadedNudge left = *nudge;
	Decision	end;
	Flight	   *flight;

	left.unresolved = true;
	/* the first time counts: that was in a call before this one */
	if (!nudge->unresolved)
		left.post = *post;
	end = decide_left(nudge, &left.post, server);
	flight = flights_inherit(flights, server, &left);
	if (flight == NULL)
		return false;
	flight->intent = intent;
	intent->open++;
	flights_end(flights, flight, end);
	return end.kind == DECIDE_SETTLE;
}

static bool
is_same(const pg_uuid_t *one, const pg_uuid_t *other)
{
	return memcmp(one, other, sizeof(pg_uuid_t)) == 0;
}

/* A later intent of the same nudge says what was on the wire last. */
static bool
is_superseded(const LeftIntent *left, int place, int count)
{
	for (int i = place + 1; i < count; i++)
		if (is_same(&left[i].nudge_id, &left[place].nudge_id))
			return true;
	return false;
}

/*
 * The nudge of a call that may have had its effect, or NULL.  No longer due: it
 * has its outcome.  A later round: this call is known to have had no effect.
 * An earlier one: the schedule was made anew, and nothing is known.
 */
static LoadedNudge *
load_left(const LeftIntent *left, int place, int count)
{
	LoadedNudge *nudge;

	if (is_superseded(left, place, count) || store_load(&left[place].nudge_id, 1, &nudge) == 0)
		return NULL;
	return nudge->round <= left[place].round ? nudge : NULL;
}

/* Behind the last call of the intent that this one is of. */
static int
end_of_intent(const LeftIntent *left, int place, int count)
{
	int			end = place + 1;

	while (end < count && is_same(&left[end].intent_id, &left[place].intent_id))
		end++;
	return end;
}

/* All of it that has not ended is taken over at once: one row stands for it. */
static int
inherit_intent(Flights *flights, dlist_head *servers, const LeftIntent *left, LoadedNudge **nudges, int count)
{
	Intent	   *intent = MemoryContextAllocZero(flights->context, sizeof(Intent));
	int			in_doubt = 0;

	intent->intent_id = left[0].intent_id;
	for (int i = 0; i < count; i++)
		if (nudges[i] != NULL)
			in_doubt += inherit(flights, servers_find(servers, nudges[i]->server), nudges[i],
								&left[i].post, intent);
	if (intent->open == 0)
		pfree(intent);
	return in_doubt;
}

int
intents_recover(Flights *flights, dlist_head *servers)
{
	LeftIntent *left;
	int			count = store_left_intents(&left);
	LoadedNudge **nudges = palloc(sizeof(LoadedNudge *) * (count + 1));
	pg_uuid_t  *settled = palloc(sizeof(pg_uuid_t) * (count + 1));
	int			nsettled = 0;
	int			in_doubt = 0;

	/* what may fail comes first */
	for (int i = 0, end; i < count; i = end)
	{
		bool		is_open = false;

		end = end_of_intent(left, i, count);
		for (int place = i; place < end; place++)
		{
			nudges[place] = load_left(left, place, count);
			if (nudges[place] == NULL)
				continue;
			is_open = true;
			servers_need(servers, nudges[place]->server, flights->context);
		}
		if (!is_open)
			settled[nsettled++] = left[i].intent_id;
	}
	/* the next engine meets those that are locked */
	if (nsettled > 0)
		(void) store_delete_intents(settled, nsettled);
	for (int i = 0, end; i < count; i = end)
	{
		end = end_of_intent(left, i, count);
		in_doubt += inherit_intent(flights, servers, &left[i], &nudges[i], end - i);
	}
	TEST_POINT("recovered");
	return in_doubt;
}
