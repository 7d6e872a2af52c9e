/*
 * deliveries.c: see deliveries.h.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "dispatch/customers.h"
#include "dispatch/deliveries.h"
#include "dispatch/threads.h"

typedef struct CallEntry
{
	int64		call_id;
	Delivery   *delivery;
} CallEntry;

static HTAB *
make_table(const char *name, Size key_size, Size entry_size, MemoryContext context)
{
	HASHCTL		control = {.keysize = key_size, .entrysize = entry_size, .hcxt = context};

	return hash_create(name, 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

void
deliveries_init(Deliveries *deliveries, MemoryContext context)
{
	memset(deliveries, 0, sizeof(*deliveries));
	deliveries->context = context;
	deliveries->by_nudge = make_table("reengage deliveries", sizeof(pg_uuid_t), sizeof(Delivery), context);
	deliveries->by_call = make_table("reengage calls", sizeof(int64), sizeof(CallEntry), context);
	deliveries->threads = threads_make_table(context);
	deliveries->customers = customers_make_table(context);
	for (int state = 0; state < DELIVERY_STATE_COUNT; state++)
		dlist_init(&deliveries->lists[state]);
}

/* --- how they come ------------------------------------------------------------------- */

static Delivery *
take_in_hand(Deliveries *deliveries, Server *server, const char *asker, int priority,
			 const pg_uuid_t *nudge_id, TimestampTz due_at)
{
	bool		found;
	Delivery   *delivery = hash_search(deliveries->by_nudge, nudge_id, HASH_ENTER, &found);

	if (found)
		return NULL;
	memset(delivery, 0, sizeof(*delivery));
	delivery->nudge_id = *nudge_id;
	delivery->server = server;
	server->in_hand++;
	strlcpy(delivery->asker, asker, NAMEDATALEN);
	delivery->priority = delivery->urgency = priority;
	delivery->due_at = due_at;
	return delivery;
}

Delivery *
deliveries_take(Deliveries *deliveries, Server *server, const LaneInHand *lane, const DueRow *row)
{
	Delivery   *delivery = take_in_hand(deliveries, server, lane->asker->name, lane->priority,
										&row->nudge_id, row->due_at);

	if (delivery != NULL)
		delivery_move(deliveries, delivery, DELIVERY_READY);
	return delivery;
}

static void
keep_nudge(Delivery *delivery, const LoadedNudge *nudge)
{
	delivery->nudge = *nudge;
	delivery->nudge.server = delivery->server->name;
	delivery->nudge.asker = delivery->asker;
	delivery->nudge.conversation_id = delivery_keep(delivery, nudge->conversation_id);
	delivery->nudge.message = delivery_keep(delivery, nudge->message);
	delivery->nudge.address = delivery_keep(delivery, nudge->address);
	delivery->nudge.own_address_hash = delivery_keep(delivery, nudge->own_address_hash);
	delivery->nudge.channel = delivery_keep(delivery, nudge->channel);
	delivery->nudge.template = delivery_keep(delivery, nudge->template);
	delivery->nudge.campaign = delivery_keep(delivery, nudge->campaign);
	delivery->nudge.time_zone = delivery_keep(delivery, nudge->time_zone);
	delivery->nudge.root = delivery_keep(delivery, nudge->root);
	delivery->nudge.path = delivery_keep(delivery, nudge->path);
	delivery->nudge.tip = delivery->nudge.path + (nudge->tip - nudge->path);
	delivery->target = delivery->nudge.tip;
	delivery->nudge.post = (Post) {STEP_CHECK};
	delivery->api_calls = nudge->api_calls + delivery->calls_before;
}

/* The call that may have had its effect is made again as it was. */
static void
keep_unresolved(Delivery *delivery, const Post *post)
{
	delivery->post = *post;
	/* one that joined a conversation of another thread joins it again */
	if (!list_contains(delivery->nudge.path, post->conversation_id))
		delivery->target = delivery->other = delivery_keep(delivery, post->conversation_id);
	delivery->post.conversation_id = delivery->target;
	delivery->post.recipient.to_address = delivery_keep(delivery, post->recipient.to_address);
	delivery->post.recipient.from_address = delivery_keep(delivery, post->recipient.from_address);
	delivery->post.recipient.channel = delivery_keep(delivery, post->recipient.channel);
	delivery->post.address_hash = delivery_keep(delivery, post->address_hash);
	/* nobody remembers whether the conversation told the same */
	delivery->named = delivery->nudge.address != NULL;
	delivery->step = delivery->last_post = post->step;
	delivery->posted = true;
}

static void
put_under_way(Deliveries *deliveries, Delivery *delivery, const LoadedNudge *nudge)
{
	delivery->memory = AllocSetContextCreate(deliveries->context, "reengage delivery",
											 ALLOCSET_SMALL_SIZES);
	keep_nudge(delivery, nudge);
	if (nudge->unresolved)
		keep_unresolved(delivery, &nudge->post);
	else if (delivery->customer != NULL)
		delivery->post.address_hash = delivery_keep(delivery, customer_address_hash(delivery));
	delivery_move(deliveries, delivery, nudge->unresolved ? DELIVERY_POST_WANTED : DELIVERY_CHECK_WANTED);
}

bool
deliveries_start(Deliveries *deliveries, Delivery *delivery, const LoadedNudge *nudge)
{
	Entry		entry = threads_take(deliveries, delivery, nudge->tip);

	/* whoever has the thread may be waiting for this customer: nobody holds one and waits for the other */
	if (entry == ENTRY_PARKED)
		customers_leave(deliveries, delivery);
	else if (entry == ENTRY_TAKEN)
		entry = customers_take_own(deliveries, delivery, nudge);
	if (entry == ENTRY_CROWDED)
		deliveries_let_go(deliveries, delivery);
	if (entry != ENTRY_TAKEN)
		return false;
	put_under_way(deliveries, delivery, nudge);
	delivery_say(delivery, DEBUG1, "claimed");
	return true;
}

Delivery *
deliveries_inherit(Deliveries *deliveries, Server *server, const LoadedNudge *nudge)
{
	Delivery   *delivery = take_in_hand(deliveries, server, nudge->asker, nudge->priority,
										&nudge->nudge_id, nudge->due_at);

	if (delivery == NULL)
		return NULL;
	threads_take_if_free(deliveries, delivery, nudge->tip);
	put_under_way(deliveries, delivery, nudge);
	delivery->called = true;
	(void) customers_take(deliveries, delivery);
	delivery_say(delivery, DEBUG1, "inherited with an unresolved call");
	return delivery;
}

/* --- and go ------------------------------------------------------------------------------ */

void
deliveries_let_go(Deliveries *deliveries, Delivery *delivery)
{
	if (delivery->counted_at.us != 0 && !delivery->called && delivery->calls_before == 0)
		lanes_take_back(&delivery->server->lanes, delivery->asker, delivery->counted_at);
	if (delivery->call_id != 0)
		deliveries_call_ended(deliveries, delivery);
	delivery_remove(deliveries, delivery);
	customers_leave(deliveries, delivery);
	threads_leave(deliveries, delivery);
	delivery->server->in_hand--;
	hash_search(deliveries->by_nudge, &delivery->nudge_id, HASH_REMOVE, NULL);
}

void
deliveries_end(Deliveries *deliveries, Delivery *delivery, Decision end)
{
	delivery->end = end;
	delivery->occurred_at = GetCurrentTimestamp();
	if (end.kind == DECIDE_RETRY || end.kind == DECIDE_HOLD)
	{
		delivery->move_to = end.retry_at;
		delivery->move_attempt = delivery->nudge.attempt + (end.kind == DECIDE_RETRY ? 1 : 0);
		delivery->move_refusals = delivery->nudge.refusals + (end.refused ? 1 : 0);
	}
	delivery_move(deliveries, delivery, DELIVERY_ENDING);
}

void
deliveries_settle(Deliveries *deliveries, Delivery *delivery, Outcome outcome, const char *reason)
{
	Decision	end = {.kind = DECIDE_SETTLE, .outcome = outcome, .reason = reason};

	deliveries_end(deliveries, delivery, end);
}

void
deliveries_put_back(Deliveries *deliveries, Delivery *delivery, TimestampTz due_at,
					Hold hold, const char *hold_reason)
{
	Decision	end = {.kind = DECIDE_BLOCK, .hold = hold, .hold_reason = hold_reason};

	delivery->move_to = due_at;
	delivery->move_attempt = delivery->nudge.attempt;
	delivery->move_refusals = delivery->nudge.refusals;
	deliveries_end(deliveries, delivery, end);
}

/* --- their calls --------------------------------------------------------------------------- */

void
deliveries_call_begins(Deliveries *deliveries, Delivery *delivery, int64 call_id)
{
	CallEntry  *entry = hash_search(deliveries->by_call, &call_id, HASH_ENTER, NULL);

	entry->delivery = delivery;
	delivery->call_id = call_id;
	delivery->server->calling++;
	delivery_say(delivery, DEBUG1, "%s is with the courier", step_name(delivery->step));
	delivery_move(deliveries, delivery, delivery->step == STEP_CHECK ? DELIVERY_CHECKING : DELIVERY_POSTING);
}

void
deliveries_call_ended(Deliveries *deliveries, Delivery *delivery)
{
	hash_search(deliveries->by_call, &delivery->call_id, HASH_REMOVE, NULL);
	delivery->call_id = 0;
	delivery->server->calling--;
}

Delivery *
deliveries_of_call(Deliveries *deliveries, int64 call_id)
{
	CallEntry  *entry = hash_search(deliveries->by_call, &call_id, HASH_FIND, NULL);

	return entry ? entry->delivery : NULL;
}

void
deliveries_recheck(Deliveries *deliveries, Delivery *delivery, const char *conversation_id,
				   TimestampTz made_at)
{
	delivery->step = STEP_CHECK;
	delivery->other_made_at = made_at;
	delivery->target = delivery->other = delivery_keep(delivery, conversation_id);
	delivery_move(deliveries, delivery, DELIVERY_CHECK_WANTED);
}
