/*
 * gates.c: the last word before an intent is recorded.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "dispatch/flight_addresses.h"
#include "dispatch/gate_locks.h"
#include "dispatch/gates.h"
#include "dispatch/last_word.h"
#include "dispatch/policies.h"
#include "dispatch/terms.h"

/* A create that doubt holds back waits for an operator; look again hourly. */
#define DOUBT_HOLD_MS (60 * 60 * 1000)

/*
 * When to ask again for a customer that too many wait for, or somebody has
 * locked.  It costs a look each time, so it doubles, four times at most.
 */
#define BUSY_MS (5 * 1000)
#define BUSY_DOUBLINGS 4

static Passage
held(Gate gate, int milliseconds, const char *reason)
{
	return (Passage) {
		.gate = gate,
		.until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), milliseconds),
		.reason = reason
	};
}

static Passage
ended(Outcome outcome, const char *reason)
{
	return (Passage) {.gate = GATE_ENDED, .outcome = outcome, .reason = reason};
}

static int
busy_ms(const Flight *flight)
{
	return BUSY_MS << Min(flight->nudge.round, BUSY_DOUBLINGS);
}

/*
 * Once the schedule knows whom a look told of, it costs no other look to find
 * that the customer is still locked: see claims.c.
 */
static int
recording_ms(const Flight *flight)
{
	return flight->nudge.own_customer == NULL && flight->post.customer != NULL ? TURN_MS : busy_ms(flight);
}

/* This call cannot be made again, so nobody will know of the first. */
static Passage
left_in_doubt(const char *reason)
{
	return ended(OUTCOME_IN_DOUBT, reason);
}

/* Then it looks again.  A call that is made again follows from no look. */
static bool
look_is_old(const Flight *flight, Monotonic now)
{
	return !flight->nudge.unresolved &&
		monotonic_is_reached(monotonic_after(flight->looked_at, LOOK_IS_YOUNG_MS), now);
}

static Passage
pass(Flights *in_hand, Flight *flight, const GateFacts *facts, Monotonic now)
{
	if (!flight_may_post(flight) || !facts->due || look_is_old(flight, now))
		return (Passage) {.gate = GATE_SHUT};
	/* what was looked at is not the tip any more; each look at the next one costs a request */
	if (facts->superseded)
		return flight->nudge.unresolved ? left_in_doubt("superseded") :
			held(GATE_HELD, TURN_MS, "another conversation follows this one by now");
	if (facts->suppressed)
		return flight->nudge.unresolved ? left_in_doubt("suppressed") :
			ended(OUTCOME_SUPPRESSED, "opted_out");
	if (answers_nudge(&flight->nudge, facts->answered_at))
		return flight->nudge.unresolved ? left_in_doubt("answered") :
			ended(OUTCOME_ANSWERED, "recorded");
	if (facts->create_in_doubt)
		return held(GATE_HELD, DOUBT_HOLD_MS, "an earlier create on this conversation is in doubt");
	if (!flights_take_customer(in_hand, flight))
		return held(GATE_BUSY, busy_ms(flight), "another nudge to this customer is under way");
	/* once is enough, and a call that is made again stays the same */
	if (facts->other_conversation != NULL && flight->other == NULL && !flight->nudge.unresolved)
		return (Passage) {.gate = GATE_ELSEWHERE,
			/* it is read after the commit, when the tick's memory is gone */
		.conversation_id = flight_keep(flight, facts->other_conversation),
		.made_at = facts->other_made_at};
	return (Passage) {.gate = GATE_OPEN};
}

/*
 * Nobody speaks to a customer to whom another nudge's call is to be made again,
 * until that has been tried.
 */
static void
wait_for_unresolved(const Flight *flight, const GateFacts *facts, Passage *passage)
{
	if (facts->others_next_attempt == 0 || flight->nudge.unresolved)
		return;
	if (passage->gate != GATE_OPEN && passage->gate != GATE_ELSEWHERE)
		return;
	*passage = held(GATE_HELD, TURN_MS, "another nudge's call to this customer is unresolved");
	passage->until = Max(passage->until, TimestampTzPlusMilliseconds(facts->others_next_attempt, TURN_MS));
}

void
gates_name_customers(Flights *in_hand, Flight **flights, int count)
{
	AddressKey	key = store_address_key();

	for (int i = 0; i < count; i++)
	{
		Flight	   *flight = flights[i];

		/* a call that is made again goes where it went */
		if (!flight->nudge.unresolved)
			flights_name_customer(in_hand, flight, address_hash(&key, flight_customer(flight)));
		if (flight->own_customer == NULL)
			flight->own_customer = flight_keep(flight, address_hash(&key, flight_own_customer(flight)));
	}
}

void
gates_ask(const Policies *policies, Flights *in_hand, Flight **flights, const IntentRow *rows,
		  int count, Monotonic now, Passage *passages)
{
	GateFacts  *facts = palloc(sizeof(GateFacts) * count);
	bool	   *locked = palloc(sizeof(bool) * count);
	OpenRows   *open = open_rows_begin();

	/* before the tables are asked: then nothing that commits meanwhile is missed */
	for (int i = 0; i < count; i++)
		locked[i] = gate_locks_try_post(flights[i], open);
	open_rows_end(open);
	store_check_gates(rows, count, facts);
	for (int i = 0; i < count; i++)
		passages[i] = locked[i] ? pass(in_hand, flights[i], &facts[i], now) :
			held(GATE_HELD, recording_ms(flights[i]), WAITS_FOR_RECORDING);
	/* nobody else speaks to these customers, so that what is counted is all there is */
	policies_judge(policies, flights, count, passages);
	for (int i = 0; i < count; i++)
		wait_for_unresolved(flights[i], &facts[i], &passages[i]);
}
