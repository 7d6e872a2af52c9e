/*
 * model_world.h: one nudge, its conversation, an API and an engine, small
 * enough to try everything that can happen to them.
 *
 * A State is all there is; moves_from() says what can happen next.  The engine
 * follows the real decide(); claiming, intents and recovery follow server/.
 * A Variant breaks one thing on purpose.
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

/* The first ones are broken by a move: State.broken keeps them. */
typedef enum Property
{
	PROPERTY_INTENT_FIRST,
	PROPERTY_ONE_POST,
	PROPERTY_DOUBT,
	PROPERTY_STEPS_APART,
	PROPERTY_ONE_NOTIFY,
	PROPERTY_FALSE_ALARM,
	PROPERTY_DUPLICATE,
	PROPERTY_BOTH,
	PROPERTY_LOSS,
	PROPERTY_FALSE_REFUSAL,
	PROPERTY_SUCCESS,
	PROPERTY_ONE_OUTCOME,
	PROPERTY_STUCK,
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

static void
write_outcome(State *state, Outcome outcome)
{
	state->outcome = outcome;
	count_up(&state->outcomes);
	if (outcome == OUTCOME_IN_DOUBT && !state->maybe_sent)
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
	if (kind == DECIDE_BLOCK)
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

/* --- the API ------------------------------------------------------------------ */

/* KEY: an API that honours it does not apply a repetition. */
static void
apply(Variant variant, State *state, Step step)
{
	if (variant != BROKEN_REFUSED_AFTER_DOUBT || state->applied[step] == 0)
		count_up(&state->applied[step]);
}

/*
 * It says that a conversation is closed only if it is, so that the next check
 * says so too; but it may well apply a notify to a closed one.
 */
static void
add_api_moves(Moves *moves)
{
	static const struct
	{
		Fate		fate;
		const char *label;
	}			refusals[] = {
		{FATE_CLOSED, "the API refuses it as closed"},
		{FATE_NOT_FOUND, "the API does not know the conversation"},
		{FATE_REJECTED, "the API rejects it"},
		{FATE_POSTPONED, "the API is too busy for it"},
		{FATE_FORBIDDEN, "the API forbids it"},
		{FATE_FAILED, "the API fails before it has any effect"},
	};
	const State *from = moves->from;
	State	   *next = add_move(moves, "the API applies it");

	apply(moves->variant, next, (Step) from->step);
	next->fate = FATE_APPLIED;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
	{
		if ((refusals[i].fate == FATE_CLOSED && !(from->closed && from->step == STEP_NOTIFY)) ||
			(refusals[i].fate == FATE_NOT_FOUND && from->step != STEP_NOTIFY) ||
			(refusals[i].fate == FATE_FORBIDDEN && from->holds >= HOLDS_MAX))
			continue;
		add_move(moves, refusals[i].label)->fate = refusals[i].fate;
	}
}

/* What the courier makes of each fate; only some of it is the truth. */
static void
add_reply_moves(Moves *moves)
{
	static const struct
	{
		Fate		fate;
		ReplyClass	class;
		const char *label;
	}			sights[] = {
		{FATE_OPEN, REPLY_NOT_APPLIED, "there is no connection"},
		{FATE_OPEN, REPLY_AMBIGUOUS, "time is out, or the courier died; it may arrive yet"},
		{FATE_APPLIED, REPLY_DONE, "2xx"},
		{FATE_APPLIED, REPLY_AMBIGUOUS, "5xx, or the answer is lost or unreadable"},
		{FATE_CLOSED, REPLY_CLOSED, "4xx: closed"},
		{FATE_CLOSED, REPLY_NOT_APPLIED, "4xx, cut short"},
		{FATE_CLOSED, REPLY_AMBIGUOUS, "the answer is lost"},
		{FATE_REJECTED, REPLY_REJECTED, "4xx"},
		{FATE_REJECTED, REPLY_NOT_APPLIED, "4xx, cut short"},
		{FATE_REJECTED, REPLY_AMBIGUOUS, "the answer is lost"},
		{FATE_NOT_FOUND, REPLY_NOT_FOUND, "404"},
		{FATE_NOT_FOUND, REPLY_AMBIGUOUS, "the answer is lost"},
		{FATE_POSTPONED, REPLY_NOT_APPLIED, "429"},
		{FATE_POSTPONED, REPLY_AMBIGUOUS, "the answer is lost"},
		{FATE_FORBIDDEN, REPLY_BLOCKED, "403"},
		{FATE_FORBIDDEN, REPLY_NOT_APPLIED, "403, cut short"},
		{FATE_FORBIDDEN, REPLY_AMBIGUOUS, "the answer is lost"},
		{FATE_FAILED, REPLY_AMBIGUOUS, "5xx, or the answer is lost"},
	};
	const State *from = moves->from;
	State	   *next;

	for (size_t i = 0; i < sizeof(sights) / sizeof(sights[0]); i++)
	{
		if (sights[i].fate != from->fate)
			continue;
		next = add_move(moves, sights[i].label);
		if (from->fate == FATE_OPEN && sights[i].class == REPLY_AMBIGUOUS)
			count_up(&next->late[from->step]);
		take_reply(moves->variant, next, sights[i].class, false);
	}
	if (from->fate == FATE_APPLIED && from->step == STEP_CREATE)
		take_reply(moves->variant, add_move(moves, "2xx with the old id"), REPLY_DONE, true);
}

/* --- the engine ---------------------------------------------------------------- */

static void
add_check_moves(Moves *moves)
{
	static const ReplyClass failures[] = {
		REPLY_NOT_FOUND, REPLY_REJECTED, REPLY_NOT_APPLIED, REPLY_AMBIGUOUS, REPLY_BLOCKED
	};
	State	   *next = add_move(moves, "the check tells the status and the customer");

	next->customer_known = true;
	take_reply(moves->variant, next, REPLY_DONE, false);
	take_reply(moves->variant, add_move(moves, "the check tells the status only"),
			   REPLY_DONE, false);
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
		if (failures[i] != REPLY_BLOCKED || moves->from->holds < HOLDS_MAX)
			take_reply(moves->variant, add_move(moves, reply_class_name(failures[i])),
					   failures[i], false);
}

static void
record_intent(Variant variant, State *state, bool row_stays)
{
	close_intent(state, row_stays);
	commit(state);
	state->phase = PHASE_INTENDED;
	if (variant == BROKEN_NO_INTENT)
		return;
	state->intent = state->step;
	state->intents[state->step] |= BIT(state->round);
	state->posts = 0;
	state->maybe_sent = true;
}

static void
put_back(Moves *moves, const char *label)
{
	if (moves->from->holds < HOLDS_MAX)
		end_flight(add_move(moves, label), DECIDE_BLOCK, NO_OUTCOME);
}

static void
add_intending_moves(Moves *moves)
{
	record_intent(moves->variant, add_move(moves, "commit of the intent"), false);
	if (moves->from->intent != STEP_CHECK)
		record_intent(moves->variant, add_move(moves, "commit of the intent; the old row stays"),
					  true);
	put_back(moves, "its gate is closed");
}

/* The request leaves, and the observer looks at what is known at this moment. */
static void
post(State *state)
{
	Step		step = (Step) state->step;
	Step		other = step == STEP_NOTIFY ? STEP_CREATE : STEP_NOTIFY;

	count_up(&state->posts);
	if (!(state->intents[step] & BIT(state->round)))
		state->broken |= BIT(PROPERTY_INTENT_FIRST);
	if (state->posts > 1)
		state->broken |= BIT(PROPERTY_ONE_POST);
	if (state->knowledge[step] == UNKNOWN)
		state->broken |= BIT(PROPERTY_DOUBT);
	if (state->knowledge[other] == UNKNOWN)
		state->broken |= BIT(PROPERTY_STEPS_APART);
	if (step == STEP_NOTIFY && state->refused_as_closed)
		state->broken |= BIT(PROPERTY_ONE_NOTIFY);
	state->knowledge[step] = UNKNOWN;
	state->maybe_sent = true;
	state->phase = PHASE_POSTED;
	state->fate = FATE_OPEN;
}

/* make_call(): what comes between the intent and the wire. */
static void
add_intended_moves(Moves *moves)
{
	put_back(moves, "the engine is closing, or the server is gone");
	if (moves->from->expired)
	{
		end_flight(add_move(moves, "too late"), DECIDE_SETTLE, OUTCOME_EXPIRED);
		return;
	}
	post(add_move(moves, step_name((Step) moves->from->step)));
	take_reply(moves->variant, add_move(moves, "there is no courier"), REPLY_NOT_APPLIED, false);
}

static void
add_posted_moves(Moves *moves)
{
	const State *from = moves->from;
	State	   *next;

	if (from->fate == FATE_OPEN)
		add_api_moves(moves);
	add_reply_moves(moves);
	if (moves->variant == BROKEN_LIBRARY && from->posts < 2 && from->fate <= FATE_APPLIED)
	{
		next = add_move(moves, "the connection dies; the library sends it again");
		if (from->fate == FATE_OPEN)
			count_up(&next->late[from->step]);
		post(next);
	}
}

static void
land(State *state)
{
	commit(state);
	forget_flight(state, PHASE_IDLE);
}

static void
write_end(State *state, bool row_stays)
{
	close_intent(state, row_stays);
	if (state->end_kind == DECIDE_SETTLE)
	{
		write_outcome(state, (Outcome) state->end_outcome);
		state->due = false;
	}
	else
	{
		state->attempt += state->end_kind == DECIDE_RETRY;
		state->round++;
		state->maybe_sent = false;
		assert(state->round < ROUNDS_MAX);
	}
	land(state);
}

/* The first of two transactions, of variants that take two. */
static void
write_half(Moves *moves)
{
	State	   *next = add_move(moves, "commit of the first half of its end");

	next->phase = PHASE_HALF_ENDED;
	if (moves->variant == BROKEN_OUTCOME_FIRST)
		write_outcome(next, (Outcome) next->end_outcome);
	else
	{
		close_intent(next, false);
		next->due = false;
	}
}

static void
write_other_half(Moves *moves)
{
	State	   *next = add_move(moves, "commit of the other half");

	if (moves->variant == BROKEN_DELETE_FIRST)
		write_outcome(next, (Outcome) next->end_outcome);
	else
	{
		close_intent(next, false);
		next->due = false;
	}
	land(next);
}

static void
add_ending_moves(Moves *moves)
{
	const State *from = moves->from;

	if (moves->variant == BROKEN_BLOCKED_KEPT && from->end_kind == DECIDE_BLOCK)
		return;
	if (from->end_kind == DECIDE_SETTLE &&
		(moves->variant == BROKEN_DELETE_FIRST || moves->variant == BROKEN_OUTCOME_FIRST))
	{
		write_half(moves);
		return;
	}
	write_end(add_move(moves, "commit of its end"), false);
	if (from->intent != STEP_CHECK)
		write_end(add_move(moves, "commit of its end; the row of the intent stays"), true);
}

static void
add_idle_moves(Moves *moves)
{
	State	   *next;

	if (!moves->from->due)
		return;
	next = add_move(moves, "claimed");
	next->phase = PHASE_CHECKING;
	if (moves->from->expired)
		end_flight(next, DECIDE_SETTLE, OUTCOME_EXPIRED);
}

static void
add_engine_moves(Moves *moves)
{
	switch ((Phase) moves->from->phase)
	{
		case PHASE_DOWN:
			recover(moves->variant, add_move(moves, "the next engine recovers"));
			break;
		case PHASE_IDLE:
			add_idle_moves(moves);
			break;
		case PHASE_CHECKING:
			add_check_moves(moves);
			break;
		case PHASE_INTENDING:
			add_intending_moves(moves);
			break;
		case PHASE_INTENDED:
			add_intended_moves(moves);
			break;
		case PHASE_POSTED:
			add_posted_moves(moves);
			break;
		case PHASE_ENDING:
			add_ending_moves(moves);
			break;
		case PHASE_HALF_ENDED:
			write_other_half(moves);
			break;
	}
}

/* --- what happens to them --------------------------------------------------------- */

static void
crash(State *state)
{
	if (state->phase == PHASE_POSTED && state->fate == FATE_OPEN)
		count_up(&state->late[state->step]);
	for (int step = STEP_NOTIFY; step <= STEP_CREATE; step++)
		if (state->knowledge[step] == KNOWN_IN_MEMORY)
			state->knowledge[step] = UNKNOWN;
	state->crashes++;
	forget_flight(state, PHASE_DOWN);
}

static void
add_late_moves(Moves *moves, Step step)
{
	State	   *next;

	if (moves->from->late[step] == 0)
		return;
	next = add_move(moves, "a POST arrives late");
	next->late[step]--;
	apply(moves->variant, next, step);
	add_move(moves, "a POST that was late never arrives")->late[step]--;
}

/* All that can happen next. */
static void
moves_from(Variant variant, const State *from, Moves *moves)
{
	moves->variant = variant;
	moves->from = from;
	moves->count = 0;
	add_engine_moves(moves);
	add_late_moves(moves, STEP_NOTIFY);
	add_late_moves(moves, STEP_CREATE);
	if (from->phase != PHASE_DOWN && from->crashes < CRASHES_MAX)
		crash(add_move(moves, "crash"));
	/* what makes no difference any more need not happen */
	if (from->outcome == NO_OUTCOME && !from->closed)
		add_move(moves, "the conversation closes")->closed = true;
	if (from->outcome == NO_OUTCOME && !from->expired)
		add_move(moves, "the nudge expires")->expired = true;
}

#endif
