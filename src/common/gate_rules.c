/*
 * gate_rules.c: see gate_rules.h.
 */
#include "gate_rules.h"

#include "decide.h"
#include "last_word.h"
#include "retry.h"

/* A create that doubt holds back waits for an operator; look again hourly. */
#define DOUBT_HOLD_MS (60 * 60 * 1000)

/*
 * When to ask again for a customer that too many wait for, or somebody has
 * locked.  It costs a look each time, so it doubles, four times at most.
 */
#define FIRST_BUSY_MS (5 * 1000)
#define LONGEST_BUSY_MS (FIRST_BUSY_MS << 4)

static Verdict
wait_for_ms(const GateFacts *facts, VerdictKind kind, int64_t ms, Hold hold)
{
	return verdict_wait(kind, facts->wall + ms * 1000, hold);
}

static int64_t
busy_ms(const GateFacts *facts)
{
	return nth_pause_ms((int64_t) facts->times_put_back + 1, FIRST_BUSY_MS, LONGEST_BUSY_MS);
}

/*
 * Once the schedule knows whom a look told of, it costs no other look to find
 * that the customer is still locked: see claims.c.
 */
static int64_t
recording_ms(const GateFacts *facts)
{
	return facts->customer_is_news ? TURN_MS : busy_ms(facts);
}

/* Then it looks again.  A call that is made again follows from no look. */
static bool
look_is_old(const GateFacts *facts)
{
	return !facts->unresolved &&
		monotonic_is_reached(monotonic_after(facts->looked_at, LOOK_IS_YOUNG_MS), facts->now);
}

static bool
is_answered(const GateFacts *facts)
{
	Terms		terms = {.answered_since = facts->answered_since};

	return is_answer(&terms, facts->answered_at);
}

/* A call that cannot be made again leaves the first in doubt: nobody will know of it. */
static Verdict
end_or_doubt(const GateFacts *facts, Outcome outcome, const char *reason, const char *doubt)
{
	return facts->unresolved ? verdict_end(OUTCOME_IN_DOUBT, doubt) : verdict_end(outcome, reason);
}

Verdict
gates_judge(const GateFacts *facts)
{
	if (!facts->locked)
		return wait_for_ms(facts, VERDICT_HOLD, recording_ms(facts), HOLD_RECORDING);
	if (!facts->may_post || !facts->due || look_is_old(facts))
		return (Verdict) {.kind = VERDICT_DEFER};
	/* what was looked at is not the tip any more; each look at the next one costs a request */
	if (facts->superseded)
		return facts->unresolved ? verdict_end(OUTCOME_IN_DOUBT, "superseded") :
			wait_for_ms(facts, VERDICT_HOLD, TURN_MS, HOLD_SUPERSEDED);
	if (facts->suppressed)
		return end_or_doubt(facts, OUTCOME_SUPPRESSED, "opted_out", "suppressed");
	if (is_answered(facts))
		return end_or_doubt(facts, OUTCOME_ANSWERED, "recorded", "answered");
	if (facts->create_in_doubt)
		return wait_for_ms(facts, VERDICT_HOLD, DOUBT_HOLD_MS, HOLD_DOUBT);
	if (facts->customer_is_taken)
		return wait_for_ms(facts, VERDICT_BUSY, busy_ms(facts), HOLD_CUSTOMER);
	/* once is enough, and a call that is made again stays the same */
	if (facts->other_conversation != NULL && !facts->looked_elsewhere && !facts->unresolved)
		return (Verdict) {.kind = VERDICT_RECHECK, .conversation_id = facts->other_conversation,
			.made_at = facts->other_made_at};
	return verdict_allow();
}

Verdict
gates_wait_for_others(const GateFacts *facts, Verdict verdict)
{
	int64_t		next_attempt = facts->others_next_attempt;

	if (next_attempt == 0 || facts->unresolved ||
		(verdict.kind != VERDICT_ALLOW && verdict.kind != VERDICT_RECHECK))
		return verdict;
	if (next_attempt < facts->wall)
		next_attempt = facts->wall;
	return verdict_wait(VERDICT_HOLD, next_attempt + TURN_MS * 1000, HOLD_UNRESOLVED_CUSTOMER);
}
