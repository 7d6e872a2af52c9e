/*
 * intents.c: recording, closing and inheriting intents.
 *
 * One row stands for a batch of calls, so that it costs two writes for
 * hundreds of POSTs; it is deleted when the last of them has settled.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "intents.h"
#include "outcomes.h"
#include "rows.h"
#include "store.h"
#include "terms.h"
#include "test_point.h"
#include "uuid_v7.h"

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
		.path = flight->passed_over == NULL ? flight->nudge.path :
			psprintf("%s,%s", flight->nudge.path, flight->passed_over),
	};

	return row;
}

void
intents_record(IntentBatch *batch, const Policies *policies, Flights *flights, TimestampTz epoch)
{
	IntentRow  *rows = palloc(sizeof(IntentRow) * (batch->count + 1));

	if (batch->count == 0)
		return;
	gates_name_customers(flights, batch->flights, batch->count);
	for (int i = 0; i < batch->count; i++)
		rows[i] = intent_row(batch->flights[i]);
	gates_ask(policies, flights, batch->flights, rows, batch->count, batch->passages);
	for (int i = 0; i < batch->count; i++)
		if (batch->passages[i].gate == GATE_OPEN)
			rows[batch->nopen++] = rows[i];
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
intents_close(const IntentBatch *batch, Flight **ending, int nending)
{
	pg_uuid_t  *settled = palloc(sizeof(pg_uuid_t) * (nending + batch->count + 1));
	int			nsettled = 0;

	start_closing(ending, nending);
	start_closing(batch->flights, batch->count);
	for (int i = 0; i < nending; i++)
		if (ending[i]->written)
			close_one(ending[i]->intent, settled, &nsettled);
	/* a notify that was refused as closed: the create takes over */
	for (int i = 0; i < batch->count; i++)
		if (batch->passages[i].gate == GATE_OPEN)
			close_one(batch->flights[i]->intent, settled, &nsettled);
	if (nsettled > 0)
		store_delete_intents(settled, nsettled);
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
	for (int i = 0; i < batch->count; i++)
		pass_gate(flights, batch->flights[i], &batch->passages[i]);
}

/* --- what dead engines left ------------------------------------------------ */

/* What becomes of their nudges. */
typedef struct Inheritance
{
	OutcomeRow *outcomes;
	int			noutcomes;
	MoveRow    *moves;
	UnresolvedRow *unresolved;
	int			nmoves;
} Inheritance;

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

static OutcomeRow
outcome_of_left(const LoadedNudge *nudge, const Post *post, const Decision *end)
{
	OutcomeRow	row = {
		.nudge_id = nudge->nudge_id,
		.outcome = outcome_name(end->outcome),
		.reason = end->reason,
		.step = step_name(post->step),
		.conversation_id = post->conversation_id,
		.root_conversation_id = nudge->root,
		.generation = nudge->generation,
		.address_hash = post->customer,
		.attempts = nudge->attempt + 1,
		.api_calls = nudge->api_calls,
		.occurred_at = GetCurrentTimestamp(),
	};

	return row;
}

static void
repeat_left(Inheritance *left, const LoadedNudge *nudge, const Post *post, const Decision *end)
{
	left->moves[left->nmoves] = (MoveRow) {nudge->nudge_id, end->retry_at, nudge->attempt + 1,
		nudge->refusals, nudge->api_calls, move_reason(end, post->step)};
	left->unresolved[left->nmoves++] = (UnresolvedRow) {nudge->nudge_id, nudge->server,
		step_name(post->step), post->conversation_id,
		{from_utf8(post->recipient.to_address), from_utf8(post->recipient.from_address),
		post->recipient.channel}, post->customer, post->since};
}

static void
inherit(Inheritance *left, const LoadedNudge *nudge, const Post *post, dlist_head *servers)
{
	/* the first time counts: that was in a call before this one */
	const Post *first = nudge->unresolved ? &nudge->post : post;
	Decision	end = decide_left(nudge, first, servers_find(servers, nudge->server));

	if (end.kind == DECIDE_RETRY)
		repeat_left(left, nudge, first, &end);
	else
		left->outcomes[left->noutcomes++] = outcome_of_left(nudge, first, &end);
}

/* A later intent of the same nudge says what was on the wire last. */
static bool
is_superseded(const LeftIntent *left, int place, int count)
{
	for (int i = place + 1; i < count; i++)
		if (memcmp(&left[i].nudge_id, &left[place].nudge_id, sizeof(pg_uuid_t)) == 0)
			return true;
	return false;
}

int
intents_recover(dlist_head *servers)
{
	LeftIntent *left;
	int			count = store_left_intents(&left);
	pg_uuid_t  *intent_ids = palloc(sizeof(pg_uuid_t) * (count + 1));
	Inheritance inheritance = {
		.outcomes = palloc(sizeof(OutcomeRow) * (count + 1)),
		.moves = palloc(sizeof(MoveRow) * (count + 1)),
		.unresolved = palloc(sizeof(UnresolvedRow) * (count + 1)),
	};

	for (int i = 0; i < count; i++)
	{
		LoadedNudge *nudge;

		intent_ids[i] = left[i].intent_id;
		/*
		 * No longer due: it has its outcome.  A later round: this call is
		 * known to have had no effect.  An earlier one: the schedule was
		 * made anew, and nothing is known.
		 */
		if (!is_superseded(left, i, count) &&
			store_load(&left[i].nudge_id, 1, &nudge) > 0 &&
			nudge->round <= left[i].round)
			inherit(&inheritance, nudge, &left[i].post, servers);
	}
	if (inheritance.noutcomes > 0)
		store_settle(inheritance.outcomes, inheritance.noutcomes, palloc(sizeof(bool) * count));
	if (inheritance.nmoves > 0)
	{
		store_move(inheritance.moves, inheritance.nmoves);
		store_keep_unresolved(inheritance.unresolved, inheritance.nmoves);
	}
	if (count > 0)
		store_delete_intents(intent_ids, count);
	TEST_POINT("recovered");
	return inheritance.noutcomes;
}
