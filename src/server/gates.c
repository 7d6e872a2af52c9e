/*
 * gates.c: the last word before an intent is recorded.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "gates.h"
#include "policies.h"

/* A create that doubt holds back waits for an operator; look again hourly. */
#define DOUBT_HOLD_MS (60 * 60 * 1000)

/* When to ask again for a customer that too many wait for. */
#define BUSY_MS (5 * 1000)

static Passage
held(Gate gate, int milliseconds, const char *reason)
{
	return (Passage) {
		.gate = gate,
		.until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), milliseconds),
		.reason = reason
	};
}

/* What was looked at is not the tip any more. */
static Passage
outdated(const Flight *flight)
{
	/* the call cannot be made again, so nobody will know of the first */
	if (flight->nudge.unresolved)
		return (Passage) {.gate = GATE_ENDED, .outcome = OUTCOME_IN_DOUBT, .reason = "superseded"};
	return (Passage) {.gate = GATE_SHUT};
}

static Passage
pass(Flights *in_hand, Flight *flight, const GateFacts *facts)
{
	if (flight->server->paused || !facts->due)
		return (Passage) {.gate = GATE_SHUT};
	if (facts->superseded)
		return outdated(flight);
	if (facts->create_in_doubt)
		return held(GATE_HELD, DOUBT_HOLD_MS, "an earlier create on this conversation is in doubt");
	if (!flights_take_customer(in_hand, flight))
		return held(GATE_BUSY, BUSY_MS, "another nudge to this customer is under way");
	return (Passage) {.gate = GATE_OPEN};
}

void
gates_name_customers(Flights *in_hand, Flight **flights, int count)
{
	AddressKey	key = store_address_key();

	for (int i = 0; i < count; i++)
		/* a call that is made again goes where it went */
		if (!flights[i]->nudge.unresolved)
			flights_name_customer(in_hand, flights[i], address_hash(&key, flight_customer(flights[i])));
}

void
gates_ask(const Policies *policies, Flights *in_hand, Flight **flights, const IntentRow *rows,
		  int count, Passage *passages)
{
	GateFacts  *facts = palloc(sizeof(GateFacts) * count);

	store_check_gates(rows, count, facts);
	for (int i = 0; i < count; i++)
		passages[i] = pass(in_hand, flights[i], &facts[i]);
	/* nobody else speaks to these customers, so that what is counted is all there is */
	policies_judge(policies, flights, count, passages);
}
