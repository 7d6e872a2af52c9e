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
#include "store.h"
#include "uuid_v7.h"

void
intents_record(IntentBatch *batch, TimestampTz epoch)
{
	IntentRow  *rows = palloc(sizeof(IntentRow) * (batch->count + 1));

	if (batch->count == 0)
		return;
	for (int i = 0; i < batch->count; i++)
	{
		Flight	   *flight = batch->flights[i];

		rows[i] = (IntentRow) {flight->nudge_id, step_name(flight->step),
			flight->nudge.round, flight->nudge.tip, flight->server->name};
	}
	store_check_gates(rows, batch->count, batch->gates);
	for (int i = 0; i < batch->count; i++)
		if (batch->gates[i] == GATE_OPEN)
			rows[batch->nopen++] = rows[i];
	if (batch->nopen == 0)
		return;
	uuid_v7_generate(&batch->intent_id);
	store_record_intent(&batch->intent_id, epoch, rows, batch->nopen);
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
		if (batch->gates[i] == GATE_OPEN)
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

void
intents_committed(const IntentBatch *batch, XLogRecPtr committed_at, MemoryContext context)
{
	Intent	   *intent;

	if (batch->nopen == 0)
		return;
	intent = MemoryContextAllocZero(context, sizeof(Intent));
	intent->intent_id = batch->intent_id;
	intent->committed_at = committed_at;
	intent->open = batch->nopen;
	for (int i = 0; i < batch->count; i++)
		if (batch->gates[i] == GATE_OPEN)
		{
			intent_release(batch->flights[i]);
			batch->flights[i]->intent = intent;
		}
}

static OutcomeRow
in_doubt_row(const LoadedNudge *nudge, const LeftIntent *left)
{
	OutcomeRow	row = {
		.nudge_id = nudge->nudge_id,
		.outcome = outcome_name(OUTCOME_IN_DOUBT),
		.reason = "interrupted",
		.step = step_name(left->step),
		.conversation_id = left->conversation_id,
		.root_conversation_id = nudge->root,
		.generation = nudge->generation,
		.attempts = nudge->attempt + 1,
		.api_calls = nudge->api_calls,
		.occurred_at = GetCurrentTimestamp(),
	};

	return row;
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
intents_recover(void)
{
	LeftIntent *left;
	int			count = store_left_intents(&left);
	OutcomeRow *rows = palloc(sizeof(OutcomeRow) * (count + 1));
	pg_uuid_t  *intent_ids = palloc(sizeof(pg_uuid_t) * (count + 1));
	int			nrows = 0;

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
			rows[nrows++] = in_doubt_row(nudge, &left[i]);
	}
	if (nrows > 0)
		store_settle(rows, nrows);
	if (count > 0)
		store_delete_intents(intent_ids, count);
	return nrows;
}
