/*
 * delivery.c: see delivery.h.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#include "dispatch/delivery.h"

/*
 * So many outcomes may wait to be written without a place in flight: they are
 * memory, and in doubt after a crash.
 */
#define WITHOUT_PLACE_MAX 1000

/* A customer of so many business sides has a session of its own with this one. */
#define PASSED_OVER_MAX 3

void
delivery_say(const Delivery *delivery, int level, const char *format,...)
{
	char		what[256];
	va_list		arguments;

	if (!message_level_is_interesting(level))
		return;
	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	ereport(level,
			(errmsg_internal("nudge %s of server \"%s\": %s",
							 DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&delivery->nudge_id))),
							 delivery->server->name, what)));
}

/* --- from state to state ---------------------------------------------------------- */

static void
give_up_place(Delivery *delivery)
{
	if (!delivery->has_place)
		return;
	delivery->server->in_flight--;
	delivery->server->text -= delivery->text;
	delivery->has_place = false;
}

static void
get_under_way(Deliveries *deliveries, Delivery *delivery)
{
	deliveries->under_way++;
	delivery->has_place = true;
	delivery->text = MemoryContextMemAllocated(delivery->memory, false);
	delivery->server->in_flight++;
	delivery->server->text += delivery->text;
}

/* All that is known of it but its row of the schedule is forgotten. */
static void
forget_delivery(Deliveries *deliveries, Delivery *delivery)
{
	int			api_calls = delivery->api_calls - delivery->nudge.api_calls;

	deliveries->under_way--;
	if (!delivery->has_place)
		deliveries->nwithout_place--;
	give_up_place(delivery);
	MemoryContextDelete(delivery->memory);
	memset(&delivery->memory, 0, sizeof(Delivery) - offsetof(Delivery, memory));
	delivery->calls_before = api_calls;
}

static void
leave_list(Deliveries *deliveries, Delivery *delivery)
{
	if (delivery->state == DELIVERY_NEW)
		return;
	dlist_delete(&delivery->node);
	deliveries->counts[delivery->state]--;
	delivery->server->states[delivery->state]--;
	delivery->server->ready -= delivery->state == DELIVERY_READY;
}

static void
enter_state(Deliveries *deliveries, Delivery *delivery, DeliveryState state, dlist_head *list)
{
	bool		was_under_way = delivery_state_is_under_way(delivery->state);

	Assert(delivery_state_may_follow(delivery->state, state));
	leave_list(deliveries, delivery);
	delivery->state = state;
	dlist_push_tail(list, &delivery->node);
	deliveries->counts[state]++;
	delivery->server->states[state]++;
	delivery->server->ready += state == DELIVERY_READY;
	if (!was_under_way && delivery_state_is_under_way(state))
		get_under_way(deliveries, delivery);
	else if (was_under_way && !delivery_state_is_under_way(state))
		forget_delivery(deliveries, delivery);
	delivery_say(delivery, DEBUG2, "%s", delivery_state_name(state));
}

void
delivery_move(Deliveries *deliveries, Delivery *delivery, DeliveryState state)
{
	enter_state(deliveries, delivery, state, &deliveries->lists[state]);
}

void
delivery_park(Deliveries *deliveries, Delivery *delivery, dlist_head *queue)
{
	enter_state(deliveries, delivery, DELIVERY_PARKED, queue);
}

void
delivery_remove(Deliveries *deliveries, Delivery *delivery)
{
	Assert(delivery_state_may_be_last(delivery->state));
	leave_list(deliveries, delivery);
	if (delivery_state_is_under_way(delivery->state))
		forget_delivery(deliveries, delivery);
	delivery->state = DELIVERY_NEW;
}

/* It is not sent any more. */
static void
forget_text(const char **text)
{
	if (*text != NULL)
		pfree(unconstify(char *, *text));
	*text = NULL;
}

void
delivery_set_aside(Deliveries *deliveries, Delivery *delivery, DeliveryState state)
{
	delivery_move(deliveries, delivery, state);
	if (!delivery->has_place || deliveries->nwithout_place >= WITHOUT_PLACE_MAX)
		return;
	give_up_place(delivery);
	deliveries->nwithout_place++;
	forget_text(&delivery->nudge.message);
	forget_text(&delivery->nudge.template);
}

/* --- all of a state ------------------------------------------------------------------ */

void
deliveries_move_all(Deliveries *deliveries, DeliveryState from, DeliveryState to)
{
	while (deliveries->counts[from] > 0)
		delivery_move(deliveries, dlist_head_element(Delivery, node, &deliveries->lists[from]), to);
}

Delivery **
deliveries_in(const Deliveries *deliveries, DeliveryState state, int *count)
{
	Delivery  **found = palloc(sizeof(Delivery *) * (deliveries->counts[state] + 1));
	dlist_iter	iter;

	*count = 0;
	dlist_foreach(iter, unconstify(dlist_head *, &deliveries->lists[state]))
		found[(*count)++] = dlist_container(Delivery, node, iter.cur);
	return found;
}

int
deliveries_count(const Deliveries *deliveries, DeliveryState state, const Server *server)
{
	dlist_iter	iter;
	int			count = 0;

	dlist_foreach(iter, unconstify(dlist_head *, &deliveries->lists[state]))
		count += dlist_container(Delivery, node, iter.cur)->server == server;
	return count;
}

TimestampTz
deliveries_oldest(const Deliveries *deliveries, DeliveryState state)
{
	dlist_iter	iter;
	TimestampTz oldest = DT_NOEND;

	dlist_foreach(iter, unconstify(dlist_head *, &deliveries->lists[state]))
		oldest = Min(oldest, dlist_container(Delivery, node, iter.cur)->occurred_at);
	return oldest;
}

/* --- one that is under way ------------------------------------------------------------- */

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

const char *
delivery_channel(const Delivery *delivery)
{
	if (delivery->post.recipient.channel != NULL)
		return delivery->post.recipient.channel;
	return delivery->look.channel != NULL ? delivery->look.channel : delivery->nudge.channel;
}

bool
delivery_is_elsewhere(const Delivery *delivery)
{
	return delivery->target != delivery->nudge.tip;
}

void
delivery_pass_over(Delivery *delivery)
{
	MemoryContext old = MemoryContextSwitchTo(delivery->memory);

	delivery->passed_over = delivery->npassed_over++ == 0 ? delivery->other :
		psprintf("%s,%s", delivery->passed_over, delivery->other);
	MemoryContextSwitchTo(old);
	if (delivery->npassed_over < PASSED_OVER_MAX)
		delivery->other = NULL;
}

void
delivery_note_made(Delivery *delivery)
{
	delivery->called = true;
	if (delivery->step == STEP_CHECK)
		return;
	delivery->posted = true;
	delivery->nposts++;
	delivery->last_post = delivery->step;
	/* until its reply tells: what an earlier POST had is not its own */
	delivery->reply.called_at = 0;
	if (delivery->post.since == 0)
		delivery->post.since = delivery->handed_at;
}

bool
delivery_has_called(const Delivery *delivery)
{
	return delivery->intent != NULL || delivery->nudge.unresolved;
}

bool
delivery_may_post(const Delivery *delivery)
{
	const Server *server = delivery->server;

	/* a call that is made again follows from no look */
	return server->exists && !server->paused &&
		(delivery->nudge.unresolved || delivery->look.server_version == server->version);
}
