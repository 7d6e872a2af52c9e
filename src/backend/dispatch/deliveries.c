/*
 * deliveries.c: bookkeeping of the nudges in hand.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "dispatch/customers.h"
#include "dispatch/deliveries.h"
#include "nudge.h"

/* A customer of so many business sides has a session of its own with this one. */
#define PASSED_OVER_MAX 3

/* Wide enough for any conversation id; padded with zeros, as it is hashed whole. */
typedef struct ThreadKey
{
	Server	   *server;
	char		tip[CONVERSATION_ID_MAX + 1];
} ThreadKey;

struct Thread
{
	ThreadKey	key;
	dlist_head	parked;			/* behind the one that is under way */
	int			nparked;
	bool		overflowed;		/* and some more wait in the schedule */
};

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
	deliveries->threads = make_table("reengage threads", sizeof(ThreadKey), sizeof(Thread), context);
	deliveries->customers = customers_make_table(context);
	dlist_init(&deliveries->ready);
	dlist_init(&deliveries->to_start);
	dlist_init(&deliveries->to_intend);
	dlist_init(&deliveries->standing_by);
	dlist_init(&deliveries->resting);
	dlist_init(&deliveries->to_post);
	dlist_init(&deliveries->calling);
	dlist_init(&deliveries->to_end);
	dlist_init(&deliveries->locked_out);
	dlist_init(&deliveries->unwritable);
}

void
deliveries_make_ready(Deliveries *deliveries, Delivery *delivery)
{
	delivery->server->ready++;
	dlist_push_tail(&deliveries->ready, &delivery->node);
}

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
		deliveries_make_ready(deliveries, delivery);
	return delivery;
}

static Thread *
find_thread(Deliveries *deliveries, Server *server, const char *tip, bool *found)
{
	ThreadKey	key;
	Thread	   *thread;

	memset(&key, 0, sizeof(key));
	key.server = server;
	strlcpy(key.tip, tip, sizeof(key.tip));
	thread = hash_search(deliveries->threads, &key, HASH_ENTER, found);
	if (!*found)
	{
		dlist_init(&thread->parked);
		thread->nparked = 0;
		thread->overflowed = false;
	}
	return thread;
}

const char *
delivery_keep(Delivery *delivery, const char *text)
{
	return text ? MemoryContextStrdup(delivery->memory, text) : NULL;
}

const char *
delivery_keep_ascii(Delivery *delivery, const char *text)
{
	for (const char *byte = text; byte != NULL && *byte != '\0'; byte++)
		if ((unsigned char) *byte < ' ' || (unsigned char) *byte > '~')
			return NULL;
	return delivery_keep(delivery, text);
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
let_go(Deliveries *deliveries, Delivery *delivery)
{
	delivery->server->in_hand--;
	hash_search(deliveries->by_nudge, &delivery->nudge_id, HASH_REMOVE, NULL);
}

/* Behind the one that is under way.  False: too many wait there already. */
static bool
park(Thread *thread, Delivery *delivery)
{
	if (!deliveries_may_park(delivery->server, thread->nparked))
	{
		/* it is still in the schedule, and will be found there again */
		thread->overflowed = true;
		return false;
	}
	dlist_push_tail(&thread->parked, &delivery->node);
	thread->nparked++;
	return true;
}

/* Those that wait behind one tip go on waiting behind another. */
static void
move_parked(Thread *from, Thread *to)
{
	while (!dlist_is_empty(&from->parked))
		dlist_push_tail(&to->parked, dlist_pop_head_node(&from->parked));
	to->nparked += from->nparked;
	to->overflowed |= from->overflowed;
}

/*
 * Takes the thread with this tip for the delivery, or parks the delivery behind
 * the one that has it.  A delivery that was parked holds the thread of the tip
 * that it waited for, which may have a successor now: then all that waited
 * there follow it.
 */
static bool
take_thread(Deliveries *deliveries, Delivery *delivery, const char *tip)
{
	bool		taken;
	Thread	   *held = delivery->thread;
	Thread	   *thread = find_thread(deliveries, delivery->server, tip, &taken);

	if (thread == held)
		return true;
	delivery->thread = taken ? NULL : thread;
	if (taken && !park(thread, delivery))
		let_go(deliveries, delivery);
	if (held != NULL)
	{
		move_parked(held, thread);
		hash_search(deliveries->threads, &held->key, HASH_REMOVE, NULL);
	}
	return !taken;
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
		delivery->post.address_hash = delivery_keep(delivery, delivery_customer_hash(delivery));
	delivery->server->in_flight++;
	delivery->text = MemoryContextMemAllocated(delivery->memory, false);
	delivery->server->text += delivery->text;
	deliveries->under_way++;
	dlist_push_tail(nudge->unresolved ? &deliveries->to_intend : &deliveries->to_start, &delivery->node);
}

Delivery *
deliveries_inherit(Deliveries *deliveries, Server *server, const LoadedNudge *nudge)
{
	Delivery   *delivery = take_in_hand(deliveries, server, nudge->asker, nudge->priority,
									  &nudge->nudge_id, nudge->due_at);
	Thread	   *thread;
	bool		taken;

	if (delivery == NULL)
		return NULL;
	/* another one may have it that was in flight, too, if the API has led them together */
	thread = find_thread(deliveries, server, nudge->tip, &taken);
	delivery->thread = taken ? NULL : thread;
	put_under_way(deliveries, delivery, nudge);
	delivery->called = true;
	(void) deliveries_take_customer(deliveries, delivery);
	return delivery;
}

/* Passes the thread on to the one that waited longest. */
static void
leave_thread(Deliveries *deliveries, Thread *thread)
{
	Delivery   *next;

	if (dlist_is_empty(&thread->parked))
	{
		if (thread->overflowed)
			lanes_rewind_all(&thread->key.server->lanes, DT_NOBEGIN);
		hash_search(deliveries->threads, &thread->key, HASH_REMOVE, NULL);
		return;
	}
	next = dlist_container(Delivery, node, dlist_pop_head_node(&thread->parked));
	thread->nparked--;
	next->thread = thread;
	deliveries_make_ready(deliveries, next);
}

bool
deliveries_start(Deliveries *deliveries, Delivery *delivery, const LoadedNudge *nudge)
{
	dlist_delete(&delivery->node);
	delivery->server->ready--;
	if (!take_thread(deliveries, delivery, nudge->tip))
		return false;
	switch (deliveries_take_own_customer(deliveries, delivery, nudge))
	{
		case OWN_CUSTOMER_TAKEN:
			break;
		case OWN_CUSTOMER_PARKED:
			return false;
		case OWN_CUSTOMER_CROWDED:
			deliveries_make_ready(deliveries, delivery);
			deliveries_let_go(deliveries, delivery);
			return false;
	}
	put_under_way(deliveries, delivery, nudge);
	return true;
}

const char *
delivery_channel(const Delivery *delivery)
{
	if (delivery->post.recipient.channel != NULL)
		return delivery->post.recipient.channel;
	return delivery->channel != NULL ? delivery->channel : delivery->nudge.channel;
}

void
deliveries_look_elsewhere(Deliveries *deliveries, Delivery *delivery, const char *conversation_id,
					   TimestampTz made_at)
{
	delivery->step = STEP_CHECK;
	delivery->other_made_at = made_at;
	delivery->target = delivery->other = delivery_keep(delivery, conversation_id);
	deliveries_move_to(delivery, &deliveries->to_start);
}

void
deliveries_pass_over(Delivery *delivery)
{
	MemoryContext old = MemoryContextSwitchTo(delivery->memory);

	delivery->passed_over = delivery->npassed_over++ == 0 ? delivery->other :
		psprintf("%s,%s", delivery->passed_over, delivery->other);
	MemoryContextSwitchTo(old);
	if (delivery->npassed_over < PASSED_OVER_MAX)
		delivery->other = NULL;
}

bool
delivery_is_elsewhere(const Delivery *delivery)
{
	return delivery->target != delivery->nudge.tip;
}

void
deliveries_let_go(Deliveries *deliveries, Delivery *delivery)
{
	dlist_delete(&delivery->node);
	if (delivery->counted_at.us != 0 && !delivery->called && delivery->calls_before == 0)
		lanes_take_back(&delivery->server->lanes, delivery->asker, delivery->counted_at);
	if (delivery->customer != NULL)
		deliveries_leave_customer(deliveries, delivery);
	if (delivery->call_id != 0)
		hash_search(deliveries->by_call, &delivery->call_id, HASH_REMOVE, NULL);
	if (delivery->thread != NULL)
		leave_thread(deliveries, delivery->thread);
	if (delivery->memory != NULL)
	{
		if (delivery->set_aside)
			deliveries->nset_aside--;
		else
			deliveries_leave_place(delivery);
		deliveries->under_way--;
		MemoryContextDelete(delivery->memory);
	}
	else
		delivery->server->ready--;
	let_go(deliveries, delivery);
}

Delivery *
deliveries_of_call(Deliveries *deliveries, int64 call_id)
{
	CallEntry  *entry = hash_search(deliveries->by_call, &call_id, HASH_FIND, NULL);

	return entry ? entry->delivery : NULL;
}

void
deliveries_call_begins(Deliveries *deliveries, Delivery *delivery, int64 call_id)
{
	CallEntry  *entry = hash_search(deliveries->by_call, &call_id, HASH_ENTER, NULL);

	entry->delivery = delivery;
	delivery->call_id = call_id;
	dlist_delete(&delivery->node);
	dlist_push_tail(&deliveries->calling, &delivery->node);
}

void
deliveries_call_ended(Deliveries *deliveries, Delivery *delivery)
{
	hash_search(deliveries->by_call, &delivery->call_id, HASH_REMOVE, NULL);
	delivery->call_id = 0;
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
	deliveries_move_to(delivery, &deliveries->to_end);
}

void
deliveries_settle(Deliveries *deliveries, Delivery *delivery, Outcome outcome, const char *reason)
{
	Decision	end = {.kind = DECIDE_SETTLE, .outcome = outcome, .reason = reason};

	deliveries_end(deliveries, delivery, end);
}

void
deliveries_put_back(Deliveries *deliveries, Delivery *delivery, TimestampTz due_at, const char *waiting_for)
{
	Decision	end = {.kind = DECIDE_BLOCK, .reason = waiting_for};

	delivery->move_to = due_at;
	delivery->move_attempt = delivery->nudge.attempt;
	delivery->move_refusals = delivery->nudge.refusals;
	deliveries_end(deliveries, delivery, end);
}
