/*
 * model_engine.h: what can happen in the model world: what the API does with a
 * POST, what the engine does, and what happens to both.
 */
#ifndef TEST_MODEL_ENGINE_H
#define TEST_MODEL_ENGINE_H

#include "model_gates.h"

/* --- the API ------------------------------------------------------------------ */

/* A repetition has no second effect while the API remembers its key. */
static void
apply(State *state, Step step, int key)
{
	if (state->remembered[step] & BIT(key))
		return;
	count_up(&state->applied[step]);
	if (state->honours && key != KEY_NONE)
		state->remembered[step] |= BIT(key);
}

/*
 * It says that a conversation is closed only if it is, so that the next check
 * says so too; but it may well apply a notify to a closed one.  An API that
 * refuses a create because the customer came back knows no keys (CREATE SERVER
 * sees to that).
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
		{FATE_OVERTAKEN, "the API refuses it because the customer came back"},
		{FATE_NOT_FOUND, "the API does not know the conversation"},
		{FATE_REJECTED, "the API rejects it"},
		{FATE_POSTPONED, "the API is too busy for it"},
		{FATE_FORBIDDEN, "the API forbids it"},
		{FATE_FAILED, "the API fails before it has any effect"},
	};
	const State *from = moves->from;
	State	   *next = add_move(moves, "the API applies it");

	apply(next, (Step) from->step, from->key);
	next->fate = FATE_APPLIED;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
	{
		if ((refusals[i].fate == FATE_CLOSED && !(from->closed && from->step == STEP_NOTIFY)) ||
			(refusals[i].fate == FATE_OVERTAKEN && (from->step != STEP_CREATE || from->knows_keys)) ||
			(refusals[i].fate == FATE_NOT_FOUND && from->step != STEP_NOTIFY))
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
		{FATE_OVERTAKEN, REPLY_OVERTAKEN, "4xx: a conversation is live"},
		{FATE_OVERTAKEN, REPLY_NOT_APPLIED, "4xx, cut short"},
		{FATE_OVERTAKEN, REPLY_AMBIGUOUS, "the answer is lost"},
		{FATE_REJECTED, REPLY_REJECTED, "4xx"},
		{FATE_REJECTED, REPLY_NOT_APPLIED, "4xx, cut short"},
		{FATE_REJECTED, REPLY_AMBIGUOUS, "the answer is lost"},
		{FATE_NOT_FOUND, REPLY_NOT_FOUND, "404"},
		{FATE_NOT_FOUND, REPLY_NOT_APPLIED, "404, cut short"},
		{FATE_NOT_FOUND, REPLY_AMBIGUOUS, "the answer is lost"},
		{FATE_POSTPONED, REPLY_NOT_APPLIED, "425"},
		{FATE_POSTPONED, REPLY_AMBIGUOUS, "the answer is lost"},
		{FATE_FORBIDDEN, REPLY_BLOCKED, "403, to this nudge alone"},
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
			count_up(&next->late[from->step][from->key]);
		take_reply(moves->variant, next, sights[i].class, ABOUT_NUDGE);
	}
	/* what puts a nudge back without an attempt being used is bounded, too */
	if (from->fate == FATE_POSTPONED && from->holds < HOLDS_MAX)
		take_reply(moves->variant, add_move(moves, "429"), REPLY_NOT_APPLIED, ABOUT_SERVER);
	if (from->fate == FATE_FORBIDDEN && from->holds < HOLDS_MAX)
		take_reply(moves->variant, add_move(moves, "403, to others, too"), REPLY_BLOCKED, ABOUT_SERVER);
	if (from->fate == FATE_APPLIED && from->step == STEP_CREATE)
		take_reply(moves->variant, add_move(moves, "2xx with the old id"), REPLY_DONE,
				   ABOUT_SAME_CONVERSATION);
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
	take_reply(moves->variant, next, REPLY_DONE, ABOUT_NUDGE);
	next = add_move(moves, "the check tells that the customer has written");
	next->has_written = true;
	take_reply(moves->variant, next, REPLY_DONE, ABOUT_NUDGE);
	take_reply(moves->variant, add_move(moves, "the check tells the status only"),
			   REPLY_DONE, ABOUT_NUDGE);
	take_reply(moves->variant, add_move(moves, "the check tells that the customer is busy"),
			   REPLY_DONE, ABOUT_BUSY);
	if (moves->from->looked_elsewhere)
		take_reply(moves->variant, add_move(moves, "the other conversation is somebody else's"),
				   REPLY_DONE, ABOUT_ANOTHER);
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
		take_reply(moves->variant, add_move(moves, reply_class_name(failures[i])),
				   failures[i], ABOUT_NUDGE);
	if (moves->from->holds < HOLDS_MAX)
		take_reply(moves->variant, add_move(moves, "the check is refused, as are those of others"),
				   REPLY_BLOCKED, ABOUT_SERVER);
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
	state->intents[state->step] |= BIT(state->fencing_token);
	state->posts = 0;
	/* its key counts from the first intent of this call */
	if (state->unresolved == STEP_CHECK)
		state->key_expired = false;
}

static void
add_intending_moves(Moves *moves)
{
	record_intent(moves->variant, add_move(moves, "commit of the intent"), false);
	if (moves->from->intent != STEP_CHECK)
		record_intent(moves->variant, add_move(moves, "commit of the intent; the old row stays"),
					  true);
	add_gate_moves(moves);
	add_policy_moves(moves);
}

/* The observer looks at what is known at the moment when a request leaves. */
static void
watch_post(State *state, Step step, int key)
{
	Step		other = step == STEP_NOTIFY ? STEP_CREATE : STEP_NOTIFY;
	bool		same = state->relies && !state->key_expired && !(state->keys[step] & ~BIT(key));

	if (!(state->intents[step] & BIT(state->fencing_token)))
		state->broken |= BIT(PROPERTY_INTENT_FIRST);
	if (state->posts > 1)
		state->broken |= BIT(PROPERTY_ONE_POST);
	if (is_doubtful(state, step) && !same)
		state->broken |= BIT(PROPERTY_DOUBT);
	if (is_doubtful(state, other))
		state->broken |= BIT(PROPERTY_STEPS_APART);
	/* a refusal that a crash forgot is not known */
	if (step == STEP_NOTIFY && state->refused_as_closed && state->knowledge[step] != DOUBTFUL)
		state->broken |= BIT(PROPERTY_ONE_NOTIFY);
}

static void
post(State *state, int key)
{
	Step		step = (Step) state->step;

	count_up(&state->posts);
	state->attempt_posts += state->attempt_posts <= POSTS_MAX;
	watch_post(state, step, key);
	state->knowledge[step] = is_doubtful(state, step) ? DOUBTFUL : ON_THE_WIRE;
	state->keys[step] |= BIT(key);
	state->phase = PHASE_POSTED;
	state->fate = FATE_OPEN;
	state->key = key;
}

static int
key_of(Variant variant, const State *state)
{
	if (variant == BROKEN_KEY_PER_ATTEMPT)
		return state->attempt;
	if (variant == BROKEN_KEY_BY_OPTION && !state->relies)
		return KEY_NONE;
	return KEY_OF_STEP;
}

/* make_call(): what comes between the intent and the wire. */
static void
add_intended_moves(Moves *moves)
{
	State		next = *moves->from;

	put_back(moves, "the engine is closing, or the server is gone");
	if (!ask_to_call(moves->variant, &next))
	{
		*add_move(moves, "too late") = next;
		return;
	}
	post(add_move(moves, step_name((Step) next.step)), key_of(moves->variant, &next));
	take_reply(moves->variant, add_move(moves, "there is no courier"), REPLY_NOT_APPLIED, ABOUT_NUDGE);
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
			count_up(&next->late[from->step][from->key]);
		post(next, from->key);
	}
}

static void
land(State *state)
{
	commit(state);
	forget_flight(state, PHASE_IDLE);
	/* what does not matter to a nudge that is no longer due */
	if (!state->due)
		state->closed = state->expired = state->key_expired = state->relies =
			state->alterable = state->attempt = state->holds = 0;
}

/*
 * Due again, and with a row in unresolved if the step may have had its effect.
 * Attempts and holds are bounded, so more tokens than both need never end.
 */
static void
write_move(Variant variant, State *state, Step step, const Decision *move)
{
	if (state->fencing_token + 1 == TOKENS_MAX)
	{
		state->broken |= BIT(PROPERTY_STUCK);
		return;
	}
	state->fencing_token++;
	state->attempt += move->kind == DECIDE_RETRY;
	if (move->unresolved)
		state->unresolved = step;
	if (variant == BROKEN_ROW_PUT_BACK && move->kind == DECIDE_BLOCK)
		state->unresolved = STEP_CHECK;
	/* a call that is not to be made again leaves no key behind */
	if (state->unresolved == STEP_CHECK || variant == BROKEN_KEY_RENEWED)
		state->key_expired = false;
}

static void
write_decision(Variant variant, State *state, Step step, const Decision *decision)
{
	if (decision->kind == DECIDE_SETTLE)
	{
		write_outcome(state, decision->outcome);
		state->due = false;
	}
	else
		write_move(variant, state, step, decision);
}

static void
write_end(Variant variant, State *state, bool row_stays)
{
	Decision	end = {
		.kind = (DecisionKind) state->end_kind, .outcome = (Outcome) state->end_outcome,
		.unresolved = state->end_unresolved,
	};

	close_intent(state, row_stays);
	write_decision(variant, state, (Step) state->step, &end);
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
	write_end(moves->variant, add_move(moves, "commit of its end"), false);
	if (from->intent != STEP_CHECK)
		write_end(moves->variant, add_move(moves, "commit of its end; the row of the intent stays"),
				  true);
}

/* A call that is unresolved is made again without a look: no other may follow. */
static void
add_idle_moves(Moves *moves)
{
	const State *from = moves->from;
	State	   *next;

	if (!from->due)
		return;
	next = add_move(moves, "claimed");
	if (from->unresolved != STEP_CHECK && moves->variant != BROKEN_REPEAT_LOOKS)
	{
		next->step = from->unresolved;
		next->phase = PHASE_INTENDING;
	}
	else if (ask_to_call(moves->variant, next))
		next->phase = PHASE_CHECKING;
}

/* What the last intent was for had no effect if the nudge was put back since. */
static void
recover_intent(Variant variant, State *state, Step step, int token)
{
	static const Facts interrupted = {.class = REPLY_AMBIGUOUS, .retry_after_ms = -1};
	Decision	decision = {.kind = DECIDE_SETTLE, .outcome = OUTCOME_IN_DOUBT};

	if (!state->due || variant == BROKEN_INTENTS_FORGOTTEN ||
		(state->fencing_token > token && variant != BROKEN_TOKENS_IGNORED))
		return;
	if (variant == BROKEN_RECOVERY_GIVES_UP)
		watch_doubt(state, &decision, REPLY_AMBIGUOUS);
	else
		decision = judge(variant, state, step, interrupted);
	if (variant == BROKEN_ROW_NOT_RECOVERED)
		decision.unresolved = false;
	write_decision(variant, state, step, &decision);
}

/* intents_recover(): only the last intent counts. */
static void
recover(Variant variant, State *state)
{
	int			last = -1;

	for (int row = 0; row < 2 * TOKENS_MAX; row++)
		if (state->intents[row % 2 == 0 ? STEP_NOTIFY : STEP_CREATE] & BIT(row / 2) &&
			(last < 0 || variant != BROKEN_INTENT_ORDER))
			last = row;
	if (last >= 0)
		recover_intent(variant, state, last % 2 == 0 ? STEP_NOTIFY : STEP_CREATE, last / 2);
	memset(state->intents, 0, sizeof(state->intents));
	land(state);
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

/* All that the tables cannot tell is doubtful from now on. */
static void
crash(State *state)
{
	if (state->phase == PHASE_POSTED && state->fate == FATE_OPEN)
		count_up(&state->late[state->step][state->key]);
	for (int step = STEP_NOTIFY; step <= STEP_CREATE; step++)
		if (state->knowledge[step] != KNOWN_ON_DISK || state->intent == step)
			state->knowledge[step] = DOUBTFUL;
	state->crashes++;
	forget_flight(state, PHASE_DOWN);
}

static bool
is_on_the_wire(const State *state)
{
	static const uint8_t none[STEP_COUNT][KEY_COUNT];

	return (state->phase == PHASE_POSTED && state->fate == FATE_OPEN) ||
		memcmp(state->late, none, sizeof(none)) != 0;
}

static void
add_late_moves(Moves *moves, Step step)
{
	State	   *next;

	for (int key = 0; key < KEY_COUNT; key++)
	{
		if (moves->from->late[step][key] == 0)
			continue;
		next = add_move(moves, "a POST arrives late");
		next->late[step][key]--;
		apply(next, step, key);
		add_move(moves, "a POST that was late never arrives")->late[step][key]--;
	}
}

/* The API forgets later than the engine does. */
static void
add_forgetting_moves(Moves *moves)
{
	const State *from = moves->from;

	if (from->key_expired && (from->remembered[STEP_NOTIFY] | from->remembered[STEP_CREATE]) != 0 &&
		(!is_on_the_wire(from) || moves->variant == BROKEN_KEY_TO_THE_LAST))
		memset(add_move(moves, "the API forgets its keys")->remembered, 0, sizeof(from->remembered));
}

/*
 * While a call may have to be made again: at other times the engine asks for
 * neither the key's age nor the option.  Once one of them forbids a repetition,
 * the other matters no more.
 */
static void
add_key_moves(Moves *moves)
{
	const State *from = moves->from;
	bool		open = (from->intents[STEP_NOTIFY] | from->intents[STEP_CREATE]) & BIT(from->fencing_token);
	State	   *next;

	add_forgetting_moves(moves);
	if ((!open && from->unresolved == STEP_CHECK) || from->key_expired)
		return;
	if (from->relies)
		add_move(moves, "the key's lifetime ends")->key_expired = true;
	if (from->alterable)
	{
		next = add_move(moves, "the option idempotency is altered");
		next->relies = !next->relies;
		next->alterable = false;
	}
}

/* What makes no difference any more once there is an outcome. */
static void
add_outer_moves(Moves *moves)
{
	if (!moves->from->closed)
		add_move(moves, "the conversation closes")->closed = true;
	if (!moves->from->expired)
		add_move(moves, "the nudge expires")->expired = true;
	add_key_moves(moves);
}

/* All that can happen next. */
static void
moves_from(Variant variant, const State *from, Moves *moves)
{
	moves->variant = variant;
	moves->from = from;
	moves->is_put_back = false;
	moves->count = 0;
	add_engine_moves(moves);
	add_late_moves(moves, STEP_NOTIFY);
	add_late_moves(moves, STEP_CREATE);
	if (from->phase != PHASE_DOWN && from->crashes < CRASHES_MAX)
		crash(add_move(moves, "crash"));
	if (from->outcome == NO_OUTCOME)
		add_outer_moves(moves);
}

#endif
