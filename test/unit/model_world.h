/*
 * model_world.h: one nudge, its conversation, an API and an engine, small
 * enough to try everything that can happen to them.
 *
 * A State is all there is; moves_from() says what can happen next.  The engine
 * follows the real decide(); claiming, intents and recovery follow server/.
 * A Variant breaks one thing on purpose.
 *
 * A POST that the courier repeats with another token after a 401 counts as one:
 * the first was refused unread.  Ticks that fail are left out, because they
 * change nothing.
 *
 * No API is trusted with idempotency keys yet.  One that is would change three
 * places, marked KEY: what a repeated POST does, what follows an ambiguous
 * reply, and what recovery makes of an open intent.
 */
#ifndef TEST_MODEL_WORLD_H
#define TEST_MODEL_WORLD_H

#include <assert.h>
#include <string.h>

#include "decide.h"

/* The bounds of the world.  Holds: put back without an attempt being used. */
#define CRASHES_MAX 2
#define ATTEMPTS_MAX 3
#define HOLDS_MAX 2
#define ROUNDS_MAX (ATTEMPTS_MAX + HOLDS_MAX)

#define MOVES_MAX 32
#define NOW INT64_C(1000000)
#define NO_OUTCOME OUTCOME_COUNT

typedef enum Variant
{
	CORRECT,
	BROKEN_NO_INTENT,
	BROKEN_LIBRARY,
	BROKEN_DOUBT_RETRIED,
	BROKEN_DOUBT_DONE,
	BROKEN_REFUSED_AFTER_DOUBT,
	BROKEN_INTENTS_FORGOTTEN,
	BROKEN_INTENT_ORDER,
	BROKEN_ROUNDS_IGNORED,
	BROKEN_SECOND_NOTIFY,
	BROKEN_CREATE_ON_DOUBT,
	BROKEN_DELETE_FIRST,
	BROKEN_OUTCOME_FIRST,
	BROKEN_BLOCKED_KEPT,
	VARIANT_COUNT
} Variant;

/* The first ones can be broken by a move: State.broken keeps them. */
typedef enum Property
{
	PROPERTY_INTENT_FIRST,
	PROPERTY_ONE_POST,
	PROPERTY_DOUBT,
	PROPERTY_STEPS_APART,
	PROPERTY_ONE_NOTIFY,
	PROPERTY_FALSE_ALARM,
	PROPERTY_STUCK,
	PROPERTY_DUPLICATE,
	PROPERTY_BOTH,
	PROPERTY_LOSS,
	PROPERTY_FALSE_REFUSAL,
	PROPERTY_SUCCESS,
	PROPERTY_ONE_OUTCOME,
	PROPERTY_COUNT
} Property;

#define BIT(number) (1 << (number))

typedef enum Phase
{
	PHASE_DOWN,					/* the next engine has to recover first */
	PHASE_IDLE,					/* the engine does not hold the nudge */
	PHASE_CHECKING,
	PHASE_INTENDING,			/* wants to make the call "step" */
	PHASE_INTENDED,				/* its intent is committed */
	PHASE_POSTED,
	PHASE_ENDING,				/* decided, not written */
	PHASE_HALF_ENDED			/* only of engines that need two transactions */
} Phase;

/* What the API made of the POST that the engine waits for. */
typedef enum Fate
{
	FATE_OPEN,
	FATE_APPLIED,
	FATE_CLOSED,
	FATE_REJECTED,
	FATE_NOT_FOUND,
	FATE_POSTPONED,				/* 429, or 503 with Retry-After */
	FATE_FORBIDDEN,
	FATE_FAILED					/* without effect, and nobody can tell */
} Fate;

/* What the engine can know of the last POST of a step. */
typedef enum Knowledge
{
	KNOWN_ON_DISK,				/* or there was none */
	KNOWN_IN_MEMORY,			/* answered: a crash forgets it */
	UNKNOWN
} Knowledge;

/*
 * Bytes only, so that states can be compared and hashed whole.  Arrays by step
 * do not use STEP_CHECK, which also stands for "none".
 */
typedef struct State
{
	/* what the nudge says */
	uint8_t		skips;			/* when_closed = 'skip' */
	uint8_t		has_address;

	/* what happened around it */
	uint8_t		closed;
	uint8_t		expired;
	uint8_t		crashes;
	uint8_t		holds;

	/* the tables */
	uint8_t		due;
	uint8_t		attempt;
	uint8_t		round;
	uint8_t		intents[STEP_COUNT];	/* bit r: there is a row with round r */
	uint8_t		outcome;
	uint8_t		outcomes;

	/* the API */
	uint8_t		applied[STEP_COUNT];
	uint8_t		late[STEP_COUNT];	/* POSTs that nobody waits for any more */

	/* the memory of the engine */
	uint8_t		phase;
	uint8_t		step;
	uint8_t		intent;			/* the step of the intent that it flies under */
	uint8_t		fate;
	uint8_t		customer_known;
	uint8_t		doubted;		/* of BROKEN_REFUSED_AFTER_DOUBT */
	uint8_t		end_kind;
	uint8_t		end_outcome;

	/* the observer's */
	uint8_t		knowledge[STEP_COUNT];
	uint8_t		posts;			/* under the intent */
	uint8_t		maybe_sent;		/* since the tables last said that it was not */
	uint8_t		refused_as_closed;
	uint8_t		broken;			/* properties that a move broke */
} State;

typedef struct Move
{
	State		next;
	const char *label;
} Move;

typedef struct Moves
{
	Variant		variant;
	const State *from;
	int			count;
	Move		move[MOVES_MAX];
} Moves;

/* One more thing that can happen; the caller changes the state returned. */
static State *
add_move(Moves *moves, const char *label)
{
	Move	   *move = &moves->move[moves->count++];

	assert(moves->count <= MOVES_MAX);
	move->next = *moves->from;
	move->label = label;
	return &move->next;
}

/* Two is as bad as more. */
static void
count_up(uint8_t *number)
{
	if (*number < 2)
		(*number)++;
}

static bool
is_post(Step step)
{
	return step != STEP_CHECK;
}

static State
first_state(bool skips, bool has_address)
{
	return (State) {
		.skips = skips, .has_address = has_address, .due = true,
		.outcome = NO_OUTCOME, .phase = PHASE_IDLE,
	};
}

/* --- the tables ------------------------------------------------------------- */

static void
forget_flight(State *state, Phase phase)
{
	state->phase = phase;
	state->step = STEP_CHECK;
	state->intent = STEP_CHECK;
	state->fate = FATE_OPEN;
	state->customer_known = false;
	state->doubted = false;
	state->end_kind = 0;
	state->end_outcome = 0;
	state->posts = 0;
}

/* What had been answered is on disk with this commit, or follows from it. */
static void
commit(State *state)
{
	for (int step = STEP_NOTIFY; step <= STEP_CREATE; step++)
		if (state->knowledge[step] == KNOWN_IN_MEMORY)
			state->knowledge[step] = KNOWN_ON_DISK;
}

/* Recovery knows no replies; an engine that lives must lack one. */
static bool
is_doubtful(const State *state)
{
	return state->maybe_sent && (state->phase == PHASE_DOWN ||
								 state->knowledge[STEP_NOTIFY] == UNKNOWN ||
								 state->knowledge[STEP_CREATE] == UNKNOWN);
}

static void
write_outcome(State *state, Outcome outcome)
{
	state->outcome = outcome;
	count_up(&state->outcomes);
	if (outcome == OUTCOME_IN_DOUBT && !is_doubtful(state))
		state->broken |= BIT(PROPERTY_FALSE_ALARM);
}

static void
settle_in_doubt(State *state)
{
	write_outcome(state, OUTCOME_IN_DOUBT);
	state->due = false;
}

/* The row stands for a batch: the call of another nudge may keep it. */
static void
close_intent(State *state, bool row_stays)
{
	if (state->intent != STEP_CHECK && !row_stays)
		state->intents[state->intent] &= ~BIT(state->round);
}

/*
 * intents_recover(): the last intent counts, unless the nudge was put back
 * since.  KEY: the same call again instead of in doubt.
 */
static void
recover(Variant variant, State *state)
{
	int			last = -1;

	for (int row = 0; row < 2 * ROUNDS_MAX; row++)
		if (state->intents[row % 2 == 0 ? STEP_NOTIFY : STEP_CREATE] & BIT(row / 2) &&
			(last < 0 || variant != BROKEN_INTENT_ORDER))
			last = row;
	if (last >= 0 && state->due && variant != BROKEN_INTENTS_FORGOTTEN &&
		(state->round <= last / 2 || variant == BROKEN_ROUNDS_IGNORED))
		settle_in_doubt(state);
	memset(state->intents, 0, sizeof(state->intents));
	commit(state);
	forget_flight(state, PHASE_IDLE);
}

/* --- what the engine decides ------------------------------------------------- */

static void
end_flight(State *state, DecisionKind kind, Outcome outcome)
{
	state->phase = PHASE_ENDING;
	state->end_kind = kind;
	state->end_outcome = kind == DECIDE_SETTLE ? outcome : 0;
	if (kind == DECIDE_BLOCK && state->holds < HOLDS_MAX)
		state->holds++;
	/* the variant that repeats on doubt is to be wrong in one way only */
	if (state->doubted && (kind != DECIDE_SETTLE || outcome == OUTCOME_EXPIRED))
	{
		state->end_kind = DECIDE_SETTLE;
		state->end_outcome = OUTCOME_IN_DOUBT;
	}
}

static Terms
terms_of(const State *state)
{
	return (Terms) {
		.skip_when_closed = state->skips, .attempt = state->attempt + 1,
		.max_attempts = ATTEMPTS_MAX, .now = NOW,
		.expires_at = state->expired ? NOW : INT64_MAX, .random = 0.5,
		.address = state->has_address ? "+1own" : NULL,
		.channel = state->has_address ? "sms" : NULL,
		.proactive_channels = "sms",
	};
}

/*
 * Repeats on doubt, as with a key, and knows that most replies to a repetition
 * say nothing of the first call; but takes a refusal at its word.
 */
static Decision
judge_repetition(State *state, const Facts *facts, const Terms *terms)
{
	Decision	again = {.kind = DECIDE_CALL, .step = (Step) state->step};
	Decision	in_doubt = {.kind = DECIDE_SETTLE, .outcome = OUTCOME_IN_DOUBT};

	if (facts->class == REPLY_AMBIGUOUS && terms->attempt < terms->max_attempts)
	{
		state->doubted = true;
		state->attempt++;
		return again;
	}
	if (state->doubted && facts->class != REPLY_DONE && facts->class != REPLY_REJECTED &&
		facts->class != REPLY_NOT_FOUND)
		return in_doubt;
	return decide((Step) state->step, facts, terms);
}

/* The real rules, unless the variant bends them.  KEY: AMBIGUOUS calls again. */
static Decision
judge(Variant variant, State *state, Facts facts)
{
	Terms		terms = terms_of(state);
	Step		step = (Step) state->step;
	Decision	notify = {.kind = DECIDE_CALL, .step = STEP_NOTIFY};

	if (variant == BROKEN_SECOND_NOTIFY && step == STEP_NOTIFY && facts.class == REPLY_CLOSED)
		return notify;
	if (variant == BROKEN_REFUSED_AFTER_DOUBT && is_post(step))
		return judge_repetition(state, &facts, &terms);
	if (is_post(step) && facts.class == REPLY_AMBIGUOUS)
	{
		if (variant == BROKEN_DOUBT_RETRIED)
			facts.class = REPLY_NOT_APPLIED;
		if (variant == BROKEN_DOUBT_DONE)
			facts.class = REPLY_DONE;
		if (variant == BROKEN_CREATE_ON_DOUBT && step == STEP_NOTIFY)
			facts.class = REPLY_CLOSED;
	}
	return decide(step, &facts, &terms);
}

static void
take_reply(Variant variant, State *state, ReplyClass class, bool same_conversation)
{
	Facts		facts = {
		.class = class, .reason = "why", .retry_after_ms = -1, .live = !state->closed,
		.channel = "sms", .customer_address = state->customer_known ? "+1customer" : NULL,
		.same_conversation = same_conversation,
	};
	Decision	decision;

	if (state->phase == PHASE_POSTED && class != REPLY_AMBIGUOUS)
		state->knowledge[state->step] = KNOWN_IN_MEMORY;
	if (state->step == STEP_NOTIFY && class == REPLY_CLOSED)
		state->refused_as_closed = true;
	state->fate = FATE_OPEN;
	decision = judge(variant, state, facts);
	if (decision.kind != DECIDE_CALL)
		end_flight(state, decision.kind, decision.outcome);
	else
	{
		state->step = decision.step;
		state->phase = PHASE_INTENDING;
	}
}

#endif
