/*
 * gates.c: the last word before an intent is recorded.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "dispatch/customers.h"
#include "dispatch/delivery_addresses.h"
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

static Verdict
verdict_hold(VerdictKind kind, int milliseconds, Hold hold)
{
	return (Verdict) {
		.kind = kind,
		.until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), milliseconds),
		.hold = hold
	};
}

static Verdict
verdict_end(Outcome outcome, const char *reason)
{
	return (Verdict) {.kind = VERDICT_END, .outcome = outcome, .reason = reason};
}

static int
busy_ms(const Delivery *delivery)
{
	return BUSY_MS << Min(delivery->nudge.round, BUSY_DOUBLINGS);
}

/*
 * Once the schedule knows whom a look told of, it costs no other look to find
 * that the customer is still locked: see claims.c.
 */
static int
recording_ms(const Delivery *delivery)
{
	return delivery->nudge.own_address_hash == NULL && delivery->post.address_hash != NULL ? TURN_MS : busy_ms(delivery);
}

/* This call cannot be made again, so nobody will know of the first. */
static Verdict
left_in_doubt(const char *reason)
{
	return verdict_end(OUTCOME_IN_DOUBT, reason);
}

/* Then it looks again.  A call that is made again follows from no look. */
static bool
look_is_old(const Delivery *delivery, Monotonic now)
{
	return !delivery->nudge.unresolved &&
		monotonic_is_reached(monotonic_after(delivery->reply.answered_at, LOOK_IS_YOUNG_MS), now);
}

static Verdict
pass_gates(Deliveries *in_hand, Delivery *delivery, const GateFacts *facts, Monotonic now)
{
	if (!delivery_may_post(delivery) || !facts->due || look_is_old(delivery, now))
		return (Verdict) {.kind = VERDICT_DEFER};
	/* what was looked at is not the tip any more; each look at the next one costs a request */
	if (facts->superseded)
		return delivery->nudge.unresolved ? left_in_doubt("superseded") :
			verdict_hold(VERDICT_HOLD, TURN_MS, HOLD_SUPERSEDED);
	if (facts->suppressed)
		return delivery->nudge.unresolved ? left_in_doubt("suppressed") :
			verdict_end(OUTCOME_SUPPRESSED, "opted_out");
	if (answers_nudge(&delivery->nudge, facts->answered_at))
		return delivery->nudge.unresolved ? left_in_doubt("answered") :
			verdict_end(OUTCOME_ANSWERED, "recorded");
	if (facts->create_in_doubt)
		return verdict_hold(VERDICT_HOLD, DOUBT_HOLD_MS, HOLD_DOUBT);
	if (!customers_take(in_hand, delivery))
		return verdict_hold(VERDICT_BUSY, busy_ms(delivery), HOLD_CUSTOMER);
	/* once is enough, and a call that is made again stays the same */
	if (facts->other_conversation != NULL && delivery->other == NULL && !delivery->nudge.unresolved)
		return (Verdict) {.kind = VERDICT_RECHECK,
			/* it is read after the commit, when the tick's memory is gone */
		.conversation_id = delivery_keep(delivery, facts->other_conversation),
		.made_at = facts->other_made_at};
	return (Verdict) {.kind = VERDICT_ALLOW};
}

/*
 * Nobody speaks to a customer to whom another nudge's call is to be made again,
 * until that has been tried.
 */
static void
wait_for_unresolved(const Delivery *delivery, const GateFacts *facts, Verdict *verdict)
{
	if (facts->others_next_attempt == 0 || delivery->nudge.unresolved)
		return;
	if (verdict->kind != VERDICT_ALLOW && verdict->kind != VERDICT_RECHECK)
		return;
	*verdict = verdict_hold(VERDICT_HOLD, TURN_MS, HOLD_UNRESOLVED_CUSTOMER);
	verdict->until = Max(verdict->until, TimestampTzPlusMilliseconds(facts->others_next_attempt, TURN_MS));
}

void
gates_name_customers(Deliveries *in_hand, Delivery **deliveries, int count)
{
	AddressKey	key = store_address_key();

	for (int i = 0; i < count; i++)
	{
		Delivery   *delivery = deliveries[i];

		/* a call that is made again goes where it went */
		if (!delivery->nudge.unresolved)
			customers_name(in_hand, delivery, address_hash(&key, delivery_address(delivery)));
		if (delivery->own_address_hash == NULL)
			delivery->own_address_hash = delivery_keep(delivery, address_hash(&key, delivery_own_address(delivery)));
	}
}

void
gates_ask(const Policies *policies, Deliveries *in_hand, Delivery **deliveries, const IntentRow *rows,
		  int count, Monotonic now, Verdict *verdicts)
{
	GateFacts  *facts = palloc(sizeof(GateFacts) * count);
	bool	   *locked = palloc(sizeof(bool) * count);
	OpenRows   *open = open_rows_begin();

	/* before the tables are asked: then nothing that commits meanwhile is missed */
	for (int i = 0; i < count; i++)
		locked[i] = gate_locks_try_post(deliveries[i], open);
	open_rows_end(open);
	store_check_gates(rows, count, facts);
	for (int i = 0; i < count; i++)
		verdicts[i] = locked[i] ? pass_gates(in_hand, deliveries[i], &facts[i], now) :
			verdict_hold(VERDICT_HOLD, recording_ms(deliveries[i]), HOLD_RECORDING);
	/* nobody else speaks to these customers, so that what is counted is all there is */
	policies_judge(policies, deliveries, count, verdicts);
	for (int i = 0; i < count; i++)
		wait_for_unresolved(deliveries[i], &facts[i], &verdicts[i]);
}
