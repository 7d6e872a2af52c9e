/*
 * outcomes.c: from the end of a flight to its row of lineage.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "address_form.h"
#include "base/rows.h"
#include "dispatch/flight_addresses.h"
#include "dispatch/gate_locks.h"
#include "dispatch/last_word.h"
#include "dispatch/outcomes.h"
#include "dispatch/terms.h"
#include "store/tick.h"
#include "test_point.h"

typedef struct Batch
{
	Flight	  **flights;
	int			count;
	AddressKey	key;
} Batch;

int
flight_attempts(const Flight *flight)
{
	return flight->nudge.attempt + (flight->called ? 1 : 0);
}

/* What others follow only if they name the same customer: see store_load(). */
static const char *
reason_of(const Flight *flight)
{
	if (flight->end.outcome != OUTCOME_SESSION_CREATED || !flight->named)
		return flight->end.reason;
	return flight->end.reason == NULL ? "named" : psprintf("%s_named", flight->end.reason);
}

static OutcomeRow
outcome_row(const Flight *flight, const AddressKey *key)
{
	const LoadedNudge *nudge = &flight->nudge;
	const Recipient *recipient = &flight->post.recipient;
	bool		created = flight->end.outcome == OUTCOME_SESSION_CREATED;
	bool		continued = flight->end.outcome == OUTCOME_SESSION_CONTINUED;
	bool		known_dead = strcmp(nudge->tip, nudge->conversation_id) != 0;
	OutcomeRow	row = {
		.nudge_id = flight->nudge_id,
		.outcome = outcome_name(flight->end.outcome),
		.reason = reason_of(flight),
		.step = flight->posted ? step_name(flight->last_post) : NULL,
		/* a session may be continued in an older one of its thread */
		.conversation_id = created || continued ? flight->new_conversation_id :
			flight->end.outcome == OUTCOME_IN_DOUBT ? flight->post.conversation_id : nudge->tip,
		.previous_conversation_id = created ? nudge->tip : NULL,
		.root_conversation_id = nudge->root,
		.generation = nudge->generation + (created ? 1 : 0),
		.status_seen = flight->status_seen,
		.channel = recipient->channel ? recipient->channel : flight->channel,
		.address_hash = flight->post.customer ? flight->post.customer :
			address_hash(key, flight_customer(flight)),
		.attempts = flight_attempts(flight),
		.api_calls = flight->api_calls,
		/* each attempt would have asked about the old conversation first */
		.api_calls_saved = known_dead ? flight_attempts(flight) : 0,
		.http_status = flight->http_status,
		.message_id = flight->message_id,
		.error_code = flight->error_code,
		.error_message = flight->error_message,
		.correlation_id = flight->correlation_id,
		.checked_at = flight->checked_at,
		.called_at = flight->called_at,
		.occurred_at = flight->occurred_at,
	};

	return row;
}

/* Room for what an operator may see of an address. */
#define LABEL_SIZE 48

static const char *
label_of(const Flight *flight)
{
	char	   *label = palloc(LABEL_SIZE);
	const char *stored;

	if (flight->post.customer == NULL)
		return flight->nudge.root;
	address_mask(label, LABEL_SIZE, flight_customer(flight));
	stored = from_utf8(label);
	return stored != NULL ? stored : "...";
}

/* Whoever wants no messages on this channel gets none from any other nudge. */
static OptOutRow
opt_out_row(const Flight *flight)
{
	const char *customer = flight->post.customer;
	OptOutRow	row = {
		.server = flight->server->name,
		.channel = flight_channel(flight),
		.address_hash = customer,
		.root_conversation_id = customer == NULL ? flight->nudge.root : NULL,
		.label = label_of(flight),
		.reason = psprintf("the API refused a %s: %s", step_name(flight->last_post),
						   flight->error_code ? flight->error_code : "opted out"),
	};

	return row;
}

/*
 * A session that the API has created may be one that leads here by now: while
 * the answer was under way, another nudge was led from it to this conversation.
 * Then it does not follow, or the thread would have no end.
 */
static void
rule_out_rings(const Batch *batch)
{
	Flight	  **created = palloc(sizeof(Flight *) * batch->count);
	OutcomeRow *rows = palloc(sizeof(OutcomeRow) * batch->count);
	const char **servers = palloc(sizeof(char *) * batch->count);
	bool	   *rings = palloc(sizeof(bool) * batch->count);
	int			count = 0;

	for (int i = 0; i < batch->count; i++)
		if (batch->flights[i]->end.outcome == OUTCOME_SESSION_CREATED)
		{
			rows[count] = outcome_row(batch->flights[i], &batch->key);
			servers[count] = batch->flights[i]->server->name;
			created[count++] = batch->flights[i];
		}
	if (count == 0)
		return;
	store_find_rings(rows, count, servers, rings);
	for (int i = 0; i < count; i++)
		if (rings[i])
			created[i]->end.outcome = OUTCOME_SESSION_CONTINUED;
}

static void
write_outcomes(const Batch *batch)
{
	OutcomeRow *rows = palloc(sizeof(OutcomeRow) * batch->count);
	OptOutRow  *opt_outs = palloc(sizeof(OptOutRow) * batch->count);
	bool	   *stored = palloc(sizeof(bool) * batch->count);
	int			nopt_outs = 0;

	rule_out_rings(batch);
	for (int i = 0; i < batch->count; i++)
	{
		rows[i] = outcome_row(batch->flights[i], &batch->key);
		if (batch->flights[i]->opted_out)
			opt_outs[nopt_outs++] = opt_out_row(batch->flights[i]);
	}
	store_settle(rows, batch->count, stored);
	if (nopt_outs > 0)
		store_record_opt_outs(opt_outs, nopt_outs);
	for (int i = 0; i < batch->count; i++)
		/* it was cancelled meanwhile, and ended so */
		if (!stored[i])
			batch->flights[i]->end = (Decision) {.kind = DECIDE_BLOCK};
}

/* What can always be stored, and still says all that is known. */
static void
make_harmless(Flight *flight, int sqlstate)
{
	bool		effective = outcome_has_effect(flight->end.outcome) ||
		flight->end.outcome == OUTCOME_IN_DOUBT;
	MemoryContext old = MemoryContextSwitchTo(flight->memory);

	if (flight->new_conversation_id != NULL)
		flight->error_message = psprintf("the API answered with conversation %s",
										 flight->new_conversation_id);
	else
		flight->error_message = NULL;
	flight->end.outcome = effective ? OUTCOME_IN_DOUBT : OUTCOME_REFUSED;
	flight->end.reason = psprintf("sqlstate_%s", unpack_sql_state(sqlstate));
	flight->status_seen = flight->channel = flight->message_id = flight->error_code = flight->correlation_id = NULL;
	flight->customer_address = NULL;
	memset(&flight->post.recipient, 0, sizeof(Recipient));
	MemoryContextSwitchTo(old);
}

const char *
move_reason(const Decision *end, Step step)
{
	const char *reason = end->reason ? end->reason : "a failed call";

	if (end->waiting_for != NULL)
		return end->waiting_for;
	if (end->unresolved)
		return psprintf("repeating the %s, with the same key, after %s", step_name(step), reason);
	return psprintf("retry after %s", reason);
}

static MoveRow
move_row(const Flight *flight)
{
	const char *reason = flight->end.reason;
	MoveRow		row = {flight->nudge_id, flight->move_to, flight->move_attempt,
	flight->move_refusals, flight->api_calls, reason};

	if (flight->end.kind == DECIDE_RETRY || flight->end.kind == DECIDE_HOLD)
		row.waiting_for = move_reason(&flight->end, flight->post.step);
	if (row.waiting_for != NULL && strcmp(row.waiting_for, WAITS_FOR_RECORDING) == 0)
		row.customer = flight->post.customer;
	return row;
}

static UnresolvedRow
unresolved_row(const Flight *flight)
{
	UnresolvedRow row = {
		.nudge_id = flight->nudge_id,
		.server = flight->server->name,
		.step = step_name(flight->post.step),
		.conversation_id = flight->post.conversation_id,
		.recipient = repeatable_recipient(&flight->server->options, &flight->post),
		.customer = flight->post.customer,
		.since = flight->post.since,
	};

	return row;
}

/* Moves in the schedule, and what the next attempt is to make again. */
static void
write_moves(Flight **flights, int count)
{
	MoveRow    *moves = palloc(sizeof(MoveRow) * (count + 1));
	UnresolvedRow *unresolved = palloc(sizeof(UnresolvedRow) * (count + 1));
	int			nunresolved = 0;

	for (int i = 0; i < count; i++)
	{
		moves[i] = move_row(flights[i]);
		if (flights[i]->end.unresolved)
			unresolved[nunresolved++] = unresolved_row(flights[i]);
	}
	if (count > 0)
		store_move(moves, count);
	if (nunresolved > 0)
		store_keep_unresolved(unresolved, nunresolved);
	TEST_POINT(count > 0 ? "retry_written" : NULL);
}

/* Somebody records one of the same customer or thread. */
static bool
opt_out_is_open(const Flight *flight)
{
	OpenRows   *open = open_rows_begin();
	bool		locked = gate_locks_try_opt_out(flight, open);

	open_rows_end(open);
	return !locked;
}

/*
 * A nudge without a call on the wire may be cancelled meanwhile: whoever locks
 * it first decides.  Likewise for the opt-out that the API told us of, where
 * somebody records one; and for rows of the schedule, which anybody may have
 * locked who may write them.  Returns how many are left of the flights.
 */
static int
leave_out_locked(Flight **flights, int count)
{
	pg_uuid_t  *nudge_ids = palloc(sizeof(pg_uuid_t) * (count + 1));
	bool	   *locked = palloc(sizeof(bool) * (count + 1));
	int			left = 0;

	for (int i = 0; i < count; i++)
	{
		Flight	   *flight = flights[i];

		flight->written = false;
		flight->locked_out = (!flight_has_called(flight) && !gate_locks_try_end(flight)) ||
			(flight->opted_out && opt_out_is_open(flight));
		nudge_ids[i] = flight->nudge_id;
	}
	if (count > 0)
		store_lock_due(nudge_ids, count, locked);
	for (int i = 0; i < count; i++)
	{
		flights[i]->locked_out |= locked[i];
		if (!flights[i]->locked_out)
			flights[left++] = flights[i];
	}
	return left;
}

/* Is a session of it the conversation that another one of it follows? */
static bool
leads_into_itself(const Batch *batch)
{
	for (int i = 0; i < batch->count; i++)
		for (int j = 0; j < batch->count && batch->flights[i]->end.outcome == OUTCOME_SESSION_CREATED; j++)
			if (batch->flights[j]->end.outcome == OUTCOME_SESSION_CREATED &&
				strcmp(batch->flights[i]->new_conversation_id, batch->flights[j]->nudge.tip) == 0)
				return true;
	return false;
}

static void
settle(const Batch *batch)
{
	if (!leads_into_itself(batch))
		write_outcomes(batch);
	else
		/* each can see what was written before it */
		for (int i = 0; i < batch->count; i++)
			write_outcomes(&(Batch) {batch->flights + i, 1, batch->key});
}

static void
write_all(void *argument)
{
	Batch	   *batch = argument;
	Batch		settling = {palloc(sizeof(Flight *) * (batch->count + 1)), 0, batch->key};
	Flight	  **moving = palloc(sizeof(Flight *) * (batch->count + 1));
	int			nmoving = 0;

	for (int i = 0; i < batch->count; i++)
		if (batch->flights[i]->end.kind == DECIDE_SETTLE)
			settling.flights[settling.count++] = batch->flights[i];
		else
			moving[nmoving++] = batch->flights[i];
	if (settling.count > 0)
	{
		settle(&settling);
		TEST_POINT("outcome_inserted");
	}
	write_moves(moving, nmoving);
	for (int i = 0; i < batch->count; i++)
		batch->flights[i]->written = true;
}

/* In a subtransaction of its own.  What the database refuses even so stays unwritten. */
static void
write_one(Flight *flight, AddressKey key)
{
	Batch		batch = {&flight, 1, key};
	int			sqlstate = tick_try(write_all, &batch);

	flight->locked_out = sqlstate == ERRCODE_LOCK_NOT_AVAILABLE;
	if (sqlstate == 0 || flight->locked_out)
		return;
	if (flight->end.kind == DECIDE_SETTLE)
		make_harmless(flight, sqlstate);
	if (flight->end.kind == DECIDE_SETTLE && tick_try(write_all, &batch) == 0)
		ereport(LOG,
				(errcode(sqlstate),
				 errmsg("the outcome of a nudge could not be stored as it was, and was stored as %s with the reason %s",
						outcome_name(flight->end.outcome), flight->end.reason)));
	else if (!flight->refused)
		ereport(LOG,
				(errcode(sqlstate),
				 errmsg("the outcome of a nudge cannot be stored and is kept in memory; SQLSTATE %s",
						unpack_sql_state(sqlstate)),
				 errhint("A trigger or constraint on table \"reengage.lineage\" refuses it.")));
	flight->refused = !flight->written;
}

void
outcomes_write(Flight **ending, int nending, bool one_by_one)
{
	Flight	  **flights = memcpy(palloc(sizeof(Flight *) * (nending + 1)), ending, sizeof(Flight *) * nending);
	Batch		batch = {flights, leave_out_locked(flights, nending)};

	if (batch.count == 0)
		return;
	batch.key = store_address_key();
	if (!one_by_one)
	{
		write_all(&batch);
		return;
	}
	tick_wait_less();
	for (int i = 0; i < batch.count; i++)
		write_one(flights[i], batch.key);
}
