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
#include "dispatch/customers.h"
#include "dispatch/intents.h"
#include "dispatch/outcomes.h"
#include "dispatch/terms.h"
#include "last_word.h"
#include "store/store.h"
#include "store/tick.h"
#include "test_point.h"

static IntentRow
intent_row(const Delivery *delivery)
{
	IntentRow	row = {
		.nudge_id = delivery->nudge_id,
		.places = delivery->nudge.places,
		.step = step_name(delivery->step),
		.creates = delivery->step == STEP_CREATE,
		.fencing_token = delivery->nudge.fencing_token,
		.conversation_id = delivery->target,
		.elsewhere = strcmp(delivery->target, delivery->nudge.conversation_id) == 0 ? NULL : delivery->target,
		.server = delivery->server->name,
		.recipient = repeatable_recipient(&delivery->server->options, &delivery->post),
		.address_hash = delivery->post.address_hash,
		.own_address_hash = delivery->own_address_hash,
		.channel = delivery_channel(delivery),
		.root = delivery->nudge.root,
		/* what else the thread has been through has a successor */
		.passed_over = delivery->passed_over == NULL ? delivery->nudge.tip :
			psprintf("%s,%s", delivery->nudge.tip, delivery->passed_over),
	};

	return row;
}

IntentBatch
intents_begin(Deliveries *deliveries, int nending)
{
	IntentBatch batch = {NULL};

	batch.deliveries = deliveries_in(deliveries, DELIVERY_POST_WANTED, &batch.count);
	batch.count = Min(batch.count, tick_most());
	batch.verdicts = palloc0(sizeof(Verdict) * (batch.count + 1));
	batch.settled = palloc(sizeof(pg_uuid_t) * (deliveries->nleft_intents + nending + batch.count + 1));
	return batch;
}

void
intents_record(IntentBatch *batch, const Policies *policies, Deliveries *deliveries, TimestampTz epoch,
			   Monotonic now)
{
	IntentRow  *rows = palloc(sizeof(IntentRow) * (batch->count + 1));

	if (batch->count == 0)
		return;
	gates_name_customers(deliveries, batch->deliveries, batch->count);
	for (int i = 0; i < batch->count; i++)
		rows[i] = intent_row(batch->deliveries[i]);
	gates_ask(policies, deliveries, batch->deliveries, rows, batch->count, now, batch->verdicts);
	for (int i = 0; i < batch->count; i++)
	{
		batch->deliveries[i]->leave_by = monotonic_after(now, LEAVE_WITHIN_MS);
		if (batch->verdicts[i].kind == VERDICT_ALLOW)
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
start_closing(Delivery **deliveries, int count)
{
	/* a tick before this one may have failed half-way */
	for (int i = 0; i < count; i++)
		if (deliveries[i]->intent != NULL)
			deliveries[i]->intent->settling = 0;
}

void
intents_close(IntentBatch *batch, const Deliveries *deliveries, Delivery **ending, int nending)
{
	pg_uuid_t  *settled = batch->settled;
	int			nsettled = deliveries->nleft_intents;

	if (nsettled > 0)
		memcpy(settled, deliveries->left_intents, sizeof(pg_uuid_t) * nsettled);
	start_closing(ending, nending);
	start_closing(batch->deliveries, batch->count);
	for (int i = 0; i < nending; i++)
		if (ending[i]->written)
			close_one(ending[i]->intent, settled, &nsettled);
	/* a notify that was refused as closed: the create takes over */
	for (int i = 0; i < batch->count; i++)
		if (batch->verdicts[i].kind == VERDICT_ALLOW)
			close_one(batch->deliveries[i]->intent, settled, &nsettled);
	batch->nleft = nsettled > 0 ? store_delete_intents(settled, nsettled) : 0;
}

/* What they are of has ended, or has a later token: that they are there yet does no harm. */
static void
keep_left(const IntentBatch *batch, Deliveries *deliveries)
{
	if (deliveries->left_intents != NULL)
		pfree(deliveries->left_intents);
	deliveries->left_intents = NULL;
	deliveries->nleft_intents = batch->nleft;
	if (batch->nleft > 0)
		deliveries->left_intents = memcpy(MemoryContextAlloc(deliveries->context, sizeof(pg_uuid_t) * batch->nleft),
									   batch->settled, sizeof(pg_uuid_t) * batch->nleft);
}

void
intent_release(Delivery *delivery)
{
	if (delivery->intent != NULL && --delivery->intent->open == 0)
		pfree(delivery->intent);
	delivery->intent = NULL;
}

/* Where a delivery goes that wanted to call. */
static void
pass_gate(Deliveries *deliveries, Delivery *delivery, const Verdict *verdict)
{
	switch (verdict->kind)
	{
		case VERDICT_ALLOW:
			delivery_say(delivery, DEBUG1, "intent recorded");
			delivery_move(deliveries, delivery, DELIVERY_INTENDED);
			break;
		case VERDICT_DEFER:
			deliveries_put_back(deliveries, delivery, delivery->due_at, HOLD_NONE, NULL);
			break;
		case VERDICT_HOLD:
			deliveries_put_back(deliveries, delivery, verdict->until, verdict->hold, verdict->hold_reason);
			break;
		case VERDICT_END:
			deliveries_settle(deliveries, delivery, verdict->outcome, verdict->reason);
			break;
		case VERDICT_RECHECK:
			deliveries_recheck(deliveries, delivery, verdict->conversation_id, verdict->made_at);
			break;
		case VERDICT_BUSY:
			if (!customers_wait(deliveries, delivery))
				deliveries_put_back(deliveries, delivery, verdict->until, verdict->hold, verdict->hold_reason);
			break;
	}
}

/* The deliveries that are allowed are under their new intent. */
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
		if (batch->verdicts[i].kind == VERDICT_ALLOW)
		{
			intent_release(batch->deliveries[i]);
			batch->deliveries[i]->intent = intent;
		}
}

void
intents_committed(const IntentBatch *batch, XLogRecPtr committed_at, Deliveries *deliveries)
{
	change_intents(batch, committed_at, deliveries->context);
	keep_left(batch, deliveries);
	for (int i = 0; i < batch->count; i++)
		pass_gate(deliveries, batch->deliveries[i], &batch->verdicts[i]);
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
 * The nudge is under the dead engine's intent until its end is written, as
 * if this engine had made the call and missed the answer.  Returns whether it
 * ends in doubt.
 */
static bool
inherit_call(Deliveries *deliveries, Server *server, const LoadedNudge *nudge, const Post *post, Intent *intent)
{
	LoadedNudge left = *nudge;
	Decision	end;
	Delivery   *delivery;

	left.unresolved = true;
	/* the first time counts: that was in a call before this one */
	if (!nudge->unresolved)
		left.post = *post;
	end = decide_left(nudge, &left.post, server);
	delivery = deliveries_inherit(deliveries, server, &left);
	if (delivery == NULL)
		return false;
	delivery->intent = intent;
	intent->open++;
	deliveries_end(deliveries, delivery, end);
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
 * has its outcome.  A later token: this call is known to have had no effect.
 * An earlier one: the schedule was made anew, and nothing is known.
 */
static LoadedNudge *
load_left(const LeftIntent *left, int place, int count)
{
	LoadedNudge *nudge;

	if (is_superseded(left, place, count) || store_load(&left[place].nudge_id, 1, &nudge) == 0)
		return NULL;
	return nudge->fencing_token <= left[place].fencing_token ? nudge : NULL;
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
inherit_intent(Deliveries *deliveries, dlist_head *servers, const LeftIntent *left, LoadedNudge **nudges, int count)
{
	Intent	   *intent = MemoryContextAllocZero(deliveries->context, sizeof(Intent));
	int			in_doubt = 0;

	intent->intent_id = left[0].intent_id;
	for (int i = 0; i < count; i++)
		if (nudges[i] != NULL)
			in_doubt += inherit_call(deliveries, servers_find(servers, nudges[i]->server), nudges[i],
								&left[i].post, intent);
	if (intent->open == 0)
		pfree(intent);
	return in_doubt;
}

void
intents_recover(Deliveries *deliveries, dlist_head *servers)
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
			servers_need(servers, nudges[place]->server, deliveries->context);
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
		in_doubt += inherit_intent(deliveries, servers, &left[i], &nudges[i], end - i);
	}
	TEST_POINT("recovered");
	if (in_doubt > 0)
		ereport(LOG,
				(errmsg_plural("%d nudge is in doubt: its call may have been on the wire when the engine before this one ended",
							   "%d nudges are in doubt: their calls may have been on the wire when the engine before this one ended",
							   in_doubt, in_doubt)));
}
