/*
 * model_gates.h: what may be in the way of a POST in the model world.
 *
 * The verdicts are those of the real rules.  Here, one thing at a time is in the
 * way: which of several counts is gate_rules_test.c's.
 */
#ifndef TEST_MODEL_GATES_H
#define TEST_MODEL_GATES_H

#include "gate_rules.h"
#include "model_world.h"
#include "policy_rules.h"

/* Back into the schedule, as often as the world's bounds allow. */
static void
put_back(Moves *moves, const char *label)
{
	static const Decision held = {.kind = DECIDE_BLOCK};

	if (moves->from->holds < HOLDS_MAX)
		end_flight(add_move(moves, label), &held);
}

/* deliveries_recheck(): of another conversation, in which nothing was refused yet. */
static void
look_elsewhere(State *state)
{
	state->step = STEP_CHECK;
	state->phase = PHASE_CHECKING;
	state->looked_elsewhere = true;
	state->refused_as_closed = false;
}

static void
follow_verdict(Moves *moves, const char *label, Verdict verdict)
{
	Decision	end = {.kind = DECIDE_SETTLE, .outcome = verdict.outcome};

	switch (verdict.kind)
	{
		case VERDICT_ALLOW:
			break;
		case VERDICT_DEFER:
		case VERDICT_HOLD:
		case VERDICT_BUSY:
			/* whatever it waits for, it comes back the same */
			if (!moves->is_put_back)
				put_back(moves, label);
			moves->is_put_back = true;
			break;
		case VERDICT_RECHECK:
			look_elsewhere(add_move(moves, label));
			break;
		case VERDICT_END:
			end_flight(add_move(moves, label), &end);
	}
}

/* How the variants bend what the gates know. */
static bool
gates_find_unresolved(Variant variant, const State *state)
{
	if (variant == BROKEN_GATE_DENIES)
		return false;
	return variant == BROKEN_GATE_DOUBTS || state->unresolved != STEP_CHECK;
}

static GateFacts
gate_facts(Variant variant, const State *state)
{
	return (GateFacts) {
		.due = true, .locked = true, .may_post = true, .wall = NOW, .answered_since = NOW - 1,
		.unresolved = gates_find_unresolved(variant, state),
		.looked_elsewhere = state->looked_elsewhere && variant != BROKEN_GATE_LOOKS_AGAIN,
	};
}

static void
add_gate_move(Moves *moves, const char *label, GateFacts facts)
{
	follow_verdict(moves, label, gates_wait_for_others(&facts, gates_judge(&facts)));
}

static void
add_gate_moves(Moves *moves)
{
	const GateFacts free_way = gate_facts(moves->variant, moves->from);
	GateFacts	facts;

#define IN_THE_WAY(label, ...) (facts = free_way, __VA_ARGS__, add_gate_move(moves, label, facts))
	IN_THE_WAY("somebody is recording something", facts.locked = false);
	IN_THE_WAY("its server is paused, or another one by now", facts.may_post = false);
	IN_THE_WAY("its look is old", facts.now = monotonic_after(facts.looked_at, 60000));
	IN_THE_WAY("another conversation follows", facts.superseded = true);
	IN_THE_WAY("an opt-out was recorded", facts.suppressed = true);
	IN_THE_WAY("an answer was recorded", facts.answered_at = NOW);
	IN_THE_WAY("an earlier create is in doubt", facts.create_in_doubt = true);
	IN_THE_WAY("another nudge speaks to the customer", facts.customer_is_taken = true);
	IN_THE_WAY("another nudge's call is unresolved", facts.others_next_attempt = NOW);
	/* only whom a create addresses may have another one */
	if (moves->from->step == STEP_CREATE)
		IN_THE_WAY("the customer has another conversation", facts.other_conversation = "another");
#undef IN_THE_WAY
}

/* Quiet for another hour, wherever. */
static bool
permitted_later(const QuietHours *hours, const char *zone, int64_t at, int64_t *permitted)
{
	(void) hours;
	(void) zone;
	*permitted = at <= NOW ? NOW + INT64_C(3600000000) : at;
	return true;
}

static void
add_policy_moves(Moves *moves)
{
	static QuietHours quiet;
	const Policy holdout = {.server = "api", .cap = -1, .holdout = 100};
	const Policy cap = {.server = "api", .cap = 0, .cap_interval = 1};
	const Policy hours = {.server = "api", .cap = -1, .quiet_hours = &quiet};
	const double place = 0;
	PolicySubject subject = {
		.server = "api", .now = NOW, .expires_at = INT64_MAX, .repeat_until = INT64_MAX,
		.unresolved = moves->from->unresolved != STEP_CHECK && moves->variant != BROKEN_POLICY_DENIES,
	};
	char		name[CAP_NAME_SIZE];

	follow_verdict(moves, "its customer is held out",
				   policies_judge_subject(&holdout, 1, &subject, &place, permitted_later));
	follow_verdict(moves, "it is quiet", policies_judge_subject(&hours, 1, &subject, &place, permitted_later));
	if (policy_has_cap(&cap, &subject))
		follow_verdict(moves, "its cap is reached", policy_judge_cap(&cap, 0, name));
}

#endif
