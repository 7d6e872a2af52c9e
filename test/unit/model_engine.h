/*
 * model_engine.h: what can happen in the model world: what the API does with a
 * POST, what the engine does, and what happens to both.
 */
#ifndef TEST_MODEL_ENGINE_H
#define TEST_MODEL_ENGINE_H

#include "model_world.h"

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
		{FATE_NOT_FOUND, REPLY_NOT_APPLIED, "404, cut short"},
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

/* Attempts and holds are bounded, so more rounds than both need never end. */
static void
write_move(State *state)
{
	state->maybe_sent = false;
	if (state->round + 1 == ROUNDS_MAX)
	{
		state->broken |= BIT(PROPERTY_STUCK);
		return;
	}
	state->round++;
	state->attempt += state->end_kind == DECIDE_RETRY;
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
		write_move(state);
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
