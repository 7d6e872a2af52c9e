/*
 * outcomes.c: from the end of a delivery to its row of lineage.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "address_form.h"
#include "base/rows.h"
#include "dispatch/delivery_addresses.h"
#include "dispatch/gate_locks.h"
#include "dispatch/outcomes.h"
#include "dispatch/terms.h"
#include "store/tick.h"
#include "test_point.h"

typedef struct Batch
{
	Delivery  **deliveries;
	int			count;
	AddressKey	key;
} Batch;

int
delivery_attempts(const Delivery *delivery)
{
	return delivery->nudge.attempt + (delivery->called ? 1 : 0);
}

/* What others follow only if they name the same customer: see store_load(). */
static const char *
reason_of(const Delivery *delivery)
{
	if (delivery->end.outcome != OUTCOME_SESSION_CREATED || !delivery->named)
		return delivery->end.reason;
	return delivery->end.reason == NULL ? "named" : psprintf("%s_named", delivery->end.reason);
}

static OutcomeRow
outcome_row(const Delivery *delivery, const AddressKey *key)
{
	const LoadedNudge *nudge = &delivery->nudge;
	const Recipient *recipient = &delivery->post.recipient;
	bool		created = delivery->end.outcome == OUTCOME_SESSION_CREATED;
	bool		continued = delivery->end.outcome == OUTCOME_SESSION_CONTINUED;
	bool		known_dead = strcmp(nudge->tip, nudge->conversation_id) != 0;
	OutcomeRow	row = {
		.nudge_id = delivery->nudge_id,
		.places = nudge->places,
		.outcome = outcome_name(delivery->end.outcome),
		.reason = reason_of(delivery),
		.step = delivery->posted ? step_name(delivery->last_post) : NULL,
		/* a session may be continued in an older one of its thread */
		.conversation_id = created || continued ? delivery->reply.new_conversation_id :
			delivery->end.outcome == OUTCOME_IN_DOUBT ? delivery->post.conversation_id : nudge->tip,
		.previous_conversation_id = created ? nudge->tip : NULL,
		.root_conversation_id = nudge->root,
		.generation = nudge->generation + (created ? 1 : 0),
		.status_seen = delivery->look.status_seen,
		.channel = recipient->channel ? recipient->channel : delivery->look.channel,
		.address_hash = delivery->post.address_hash ? delivery->post.address_hash :
			address_hash(key, delivery_address(delivery)),
		.attempts = delivery_attempts(delivery),
		.api_calls = delivery->api_calls,
		/* each attempt would have asked about the old conversation first */
		.api_calls_saved = known_dead ? delivery_attempts(delivery) : 0,
		.http_status = delivery->reply.http_status,
		.message_id = delivery->reply.message_id,
		.api_error_code = delivery->reply.error_code,
		.api_error_message = delivery->reply.error_message,
		.correlation_id = delivery->reply.correlation_id,
		.checked_at = delivery->look.checked_at,
		.called_at = delivery->reply.called_at,
		.occurred_at = delivery->occurred_at,
	};

	return row;
}

/* Room for what an operator may see of an address. */
#define LABEL_SIZE 48

static const char *
label_of(const Delivery *delivery)
{
	char	   *label = palloc(LABEL_SIZE);
	const char *stored;

	if (delivery->post.address_hash == NULL)
		return delivery->nudge.root;
	address_mask(label, LABEL_SIZE, delivery_address(delivery));
	stored = from_utf8(label);
	return stored != NULL ? stored : "...";
}

/* Whoever wants no messages on this channel gets none from any other nudge. */
static OptOutRow
opt_out_row(const Delivery *delivery)
{
	const char *customer = delivery->post.address_hash;
	OptOutRow	row = {
		.server = delivery->server->name,
		.channel = delivery_channel(delivery),
		.address_hash = customer,
		.root_conversation_id = customer == NULL ? delivery->nudge.root : NULL,
		.label = label_of(delivery),
		.reason = psprintf("the API refused a %s: %s", step_name(delivery->last_post),
						   delivery->reply.error_code ? delivery->reply.error_code : "opted out"),
	};

	return row;
}

static SessionRow
session_row(const Delivery *delivery, const AddressKey *key)
{
	OutcomeRow	row = outcome_row(delivery, key);

	return (SessionRow) {
		.server = delivery->server->name,
		.previous = row.previous_conversation_id,
		.conversation_id = row.conversation_id,
	};
}

/*
 * A session that the API has created may be one that leads here by now: while
 * the answer was under way, another nudge was led from it to this conversation.
 * Then it does not follow, or the thread would have no end.
 */
static void
rule_out_rings(const Batch *batch)
{
	Delivery  **created = palloc(sizeof(Delivery *) * batch->count);
	SessionRow *rows = palloc(sizeof(SessionRow) * batch->count);
	bool	   *rings = palloc(sizeof(bool) * batch->count);
	int			count = 0;

	for (int i = 0; i < batch->count; i++)
		if (batch->deliveries[i]->end.outcome == OUTCOME_SESSION_CREATED)
		{
			rows[count] = session_row(batch->deliveries[i], &batch->key);
			created[count++] = batch->deliveries[i];
		}
	if (count == 0)
		return;
	store_find_rings(rows, count, rings);
	for (int i = 0; i < count; i++)
		if (rings[i])
			created[i]->end.outcome = OUTCOME_SESSION_CONTINUED;
}

static void
write_outcomes(const Batch *batch)
{
	OutcomeRow *rows = palloc(sizeof(OutcomeRow) * batch->count);
	OptOutRow  *opt_outs = palloc(sizeof(OptOutRow) * batch->count);
	Settled    *settled = palloc(sizeof(Settled) * batch->count);
	int			nopt_outs = 0;

	rule_out_rings(batch);
	for (int i = 0; i < batch->count; i++)
		rows[i] = outcome_row(batch->deliveries[i], &batch->key);
	store_settle(rows, batch->count, settled);
	for (int i = 0; i < batch->count; i++)
	{
		Delivery   *delivery = batch->deliveries[i];

		delivery->locked_out = settled[i] == SETTLED_NOT_YET;
		if (settled[i] == SETTLED_BEFORE)
			delivery->end = (Decision) {.kind = DECIDE_BLOCK};
		if (!delivery->locked_out && delivery->reply.opted_out)
			opt_outs[nopt_outs++] = opt_out_row(delivery);
	}
	if (nopt_outs > 0)
		store_record_opt_outs(opt_outs, nopt_outs);
}

/* What can always be stored, and still says all that is known. */
static void
make_harmless(Delivery *delivery, int sqlstate)
{
	bool		effective = outcome_counts_as_sent(delivery->end.outcome);
	MemoryContext old = MemoryContextSwitchTo(delivery->memory);

	if (delivery->reply.new_conversation_id != NULL)
		delivery->reply.error_message = psprintf("the API answered with conversation %s",
										 delivery->reply.new_conversation_id);
	else
		delivery->reply.error_message = NULL;
	delivery->end.outcome = effective ? OUTCOME_IN_DOUBT : OUTCOME_REFUSED;
	delivery->end.reason = psprintf("sqlstate_%s", unpack_sql_state(sqlstate));
	delivery->look.status_seen = delivery->look.channel = delivery->reply.message_id = delivery->reply.error_code = delivery->reply.correlation_id = NULL;
	delivery->look.customer_address = NULL;
	memset(&delivery->post.recipient, 0, sizeof(Recipient));
	MemoryContextSwitchTo(old);
}

/* What a nudge that moved waits for, in words. */
static const char *
hold_reason_of(const Decision *end, Step step)
{
	const char *reason = end->reason ? end->reason : "a failed call";

	if (end->hold == HOLD_NONE || end->hold_reason != NULL)
		return end->hold_reason;
	if (hold_words(end->hold) != NULL)
		return hold_words(end->hold);
	if (end->unresolved)
		return psprintf("repeating the %s, with the same key, after %s", step_name(step), reason);
	return psprintf("retry after %s", reason);
}

static MoveRow
move_row(const Delivery *delivery)
{
	return (MoveRow) {
		.nudge_id = delivery->nudge_id,
		.due_at = delivery->move_to,
		.attempt = delivery->move_attempt,
		.refusals = delivery->move_refusals,
		.api_calls = delivery->api_calls,
		.hold = hold_code(delivery->end.hold),
		.hold_reason = hold_reason_of(&delivery->end, delivery->post.step),
		.address_hash = delivery->end.hold == HOLD_RECORDING ? delivery->post.address_hash : NULL,
	};
}

static UnresolvedRow
unresolved_row(const Delivery *delivery)
{
	UnresolvedRow row = {
		.nudge_id = delivery->nudge_id,
		.server = delivery->server->name,
		.step = step_name(delivery->post.step),
		.conversation_id = delivery->post.conversation_id,
		.recipient = repeatable_recipient(&delivery->server->options, &delivery->post),
		.address_hash = delivery->post.address_hash,
		.since = delivery->post.since,
	};

	return row;
}

/* Rows of the schedule anybody may have locked who may write them. */
static int
leave_out_moves(Delivery **deliveries, int count)
{
	pg_uuid_t  *nudge_ids = palloc(sizeof(pg_uuid_t) * (count + 1));
	bool	   *locked = palloc(sizeof(bool) * (count + 1));
	int			left = 0;

	for (int i = 0; i < count; i++)
		nudge_ids[i] = deliveries[i]->nudge_id;
	if (count > 0)
		store_lock_due(nudge_ids, count, locked);
	for (int i = 0; i < count; i++)
	{
		deliveries[i]->locked_out = locked[i];
		if (!locked[i])
			deliveries[left++] = deliveries[i];
	}
	return left;
}

/* Moves in the schedule, and what the next attempt is to make again. */
static void
write_moves(Delivery **deliveries, int count)
{
	MoveRow    *moves = palloc(sizeof(MoveRow) * (count + 1));
	UnresolvedRow *unresolved = palloc(sizeof(UnresolvedRow) * (count + 1));
	int			nunresolved = 0;

	count = leave_out_moves(deliveries, count);
	for (int i = 0; i < count; i++)
	{
		moves[i] = move_row(deliveries[i]);
		if (deliveries[i]->end.unresolved)
			unresolved[nunresolved++] = unresolved_row(deliveries[i]);
	}
	if (count > 0)
		store_move(moves, count);
	if (nunresolved > 0)
		store_keep_unresolved(unresolved, nunresolved);
	TEST_POINT(count > 0 ? "retry_written" : NULL);
}

/*
 * A nudge without a call on the wire may be cancelled meanwhile: whoever locks
 * it first decides.  Likewise for the opt-out that the API told us of, where
 * somebody records one; and for a session, where resolve() is about to say what
 * leads to its place in the thread, or follows there.  Returns how many are left
 * of the deliveries.
 */
static int
leave_out_locked(Delivery **deliveries, int count)
{
	int			left = 0;

	for (int i = 0; i < count; i++)
	{
		Delivery   *delivery = deliveries[i];

		delivery->written = false;
		delivery->locked_out = (!delivery_has_called(delivery) && !gate_locks_try_end(delivery)) ||
			(delivery->reply.opted_out && !gate_locks_try_opt_out(delivery)) ||
			(delivery->end.outcome == OUTCOME_SESSION_CREATED && !gate_locks_try_session(delivery));
		if (!delivery->locked_out)
			deliveries[left++] = delivery;
	}
	return left;
}

/* Is a session of it the conversation that another one of it follows? */
static bool
leads_into_itself(const Batch *batch)
{
	for (int i = 0; i < batch->count; i++)
		for (int j = 0; j < batch->count && batch->deliveries[i]->end.outcome == OUTCOME_SESSION_CREATED; j++)
			if (batch->deliveries[j]->end.outcome == OUTCOME_SESSION_CREATED &&
				strcmp(batch->deliveries[i]->reply.new_conversation_id, batch->deliveries[j]->nudge.tip) == 0)
				return true;
	return false;
}

static void
settle_batch(const Batch *batch)
{
	if (!leads_into_itself(batch))
		write_outcomes(batch);
	else
		/* each can see what was written before it */
		for (int i = 0; i < batch->count; i++)
			write_outcomes(&(Batch) {batch->deliveries + i, 1, batch->key});
}

static void
write_all(void *argument)
{
	Batch	   *batch = argument;
	Batch		settling = {palloc(sizeof(Delivery *) * (batch->count + 1)), 0, batch->key};
	Delivery  **moving = palloc(sizeof(Delivery *) * (batch->count + 1));
	int			nmoving = 0;

	for (int i = 0; i < batch->count; i++)
		if (batch->deliveries[i]->end.kind == DECIDE_SETTLE)
			settling.deliveries[settling.count++] = batch->deliveries[i];
		else
			moving[nmoving++] = batch->deliveries[i];
	if (settling.count > 0)
	{
		settle_batch(&settling);
		TEST_POINT("outcome_inserted");
	}
	write_moves(moving, nmoving);
	for (int i = 0; i < batch->count; i++)
		batch->deliveries[i]->written = !batch->deliveries[i]->locked_out;
}

/* In a subtransaction of its own.  What the database refuses even so stays unwritten. */
static void
write_one(Delivery *delivery, AddressKey key)
{
	Batch		batch = {&delivery, 1, key};
	int			sqlstate = tick_try(write_all, &batch);

	delivery->locked_out |= sqlstate == ERRCODE_LOCK_NOT_AVAILABLE;
	if (sqlstate == 0 || delivery->locked_out)
		return;
	if (delivery->end.kind == DECIDE_SETTLE)
		make_harmless(delivery, sqlstate);
	if (delivery->end.kind == DECIDE_SETTLE && tick_try(write_all, &batch) == 0)
		ereport(LOG,
				(errcode(sqlstate),
				 errmsg("the outcome of a nudge could not be stored as it was, and was stored as %s with the reason %s",
						outcome_name(delivery->end.outcome), delivery->end.reason)));
	else if (!delivery->refused)
		ereport(LOG,
				(errcode(sqlstate),
				 errmsg("the outcome of a nudge cannot be stored and is kept in memory; SQLSTATE %s",
						unpack_sql_state(sqlstate)),
				 errhint("A trigger or constraint on table \"reengage.lineage\" refuses it.")));
	delivery->refused = !delivery->written;
}

/* What came as far as a gate knows its customer, if it can be known. */
static bool
any_needs_key(const Batch *batch)
{
	for (int i = 0; i < batch->count; i++)
		if (batch->deliveries[i]->post.address_hash == NULL)
			return true;
	return false;
}

void
outcomes_write(Delivery **ending, int nending, bool one_by_one)
{
	Delivery  **deliveries = memcpy(palloc(sizeof(Delivery *) * (nending + 1)), ending, sizeof(Delivery *) * nending);
	Batch		batch = {deliveries, leave_out_locked(deliveries, nending)};

	if (batch.count == 0)
		return;
	if (any_needs_key(&batch))
		batch.key = store_address_key();
	if (!one_by_one)
	{
		write_all(&batch);
		return;
	}
	tick_wait_less();
	for (int i = 0; i < batch.count; i++)
		write_one(deliveries[i], batch.key);
}
