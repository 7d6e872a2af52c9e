/*
 * model_world.h: one nudge, its conversation, an API and an engine, small
 * enough to try everything that can happen to them.
 *
 * A State is all there is; moves_from() says what can happen next.  The engine
 * follows the real decide(), gates and policies; claiming, intents and recovery
 * follow backend/dispatch/.
 * A Variant breaks one thing on purpose.
 *
 * A POST that the courier repeats with another token after a 401 counts as one:
 * the first was refused unread.  Ticks that fail are left out, because they
 * change nothing.
 *
 * There are two worlds.  In one the API does not know idempotency keys, and the
 * server's option says so.  In the other it honours them: a repetition of what
 * it applied has no second effect until it has forgotten the key; but it may
 * still refuse one, before and after the first call took effect.  There the
 * option is 'key', until somebody alters it; the POSTs carry their keys
 * whatever it says.
 *
 * The engine stops relying on a key before the API forgets it, by longer than
 * any POST that carries it is on the wire.  A POST that is late for longer is
 * left out: the API would take it for a new one, and no engine can prevent that.
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
#define POSTS_MAX 2				/* of an attempt: the second after a refusal of the first */
#define TOKENS_MAX (ATTEMPTS_MAX + HOLDS_MAX)

/* Each nudge has one key for each step; only variants know more. */
#define KEY_OF_STEP 0
#define KEY_NONE ATTEMPTS_MAX
#define KEY_COUNT (ATTEMPTS_MAX + 1)

#define MOVES_MAX 48
#define NOW INT64_C(1000000)
#define NO_OUTCOME OUTCOME_COUNT

typedef enum Variant
{
	CORRECT,
	BROKEN_NO_INTENT,
	BROKEN_LIBRARY,
	BROKEN_DOUBT_RETRIED,
	BROKEN_DOUBT_DONE,
	BROKEN_INTENTS_FORGOTTEN,
	BROKEN_INTENT_ORDER,
	BROKEN_TOKENS_IGNORED,
	BROKEN_SECOND_NOTIFY,
	BROKEN_CREATE_ON_DOUBT,
	BROKEN_DELETE_FIRST,
	BROKEN_OUTCOME_FIRST,
	BROKEN_BLOCKED_KEPT,
	BROKEN_BACK_AND_FORTH,
	BROKEN_GATE_DOUBTS,
	BROKEN_GATE_LOOKS_AGAIN,

	/* from here on in the world with keys */
	BROKEN_KEYS_ASSUMED,
	BROKEN_KEY_OUTLIVED,
	BROKEN_KEY_TO_THE_LAST,
	BROKEN_KEY_RENEWED,
	BROKEN_KEY_PER_ATTEMPT,
	BROKEN_KEY_BY_OPTION,
	BROKEN_OPTION_REMEMBERED,
	BROKEN_REFUSAL_BELIEVED,
	BROKEN_FAILURE_BELIEVED,
	BROKEN_EXPIRED_UNRESOLVED,
	BROKEN_REPEAT_LOOKS,
	BROKEN_ROW_NOT_RECOVERED,
	BROKEN_ROW_PUT_BACK,
	BROKEN_RECOVERY_GIVES_UP,
	BROKEN_GATE_DENIES,
	BROKEN_POLICY_DENIES,
	VARIANT_COUNT
} Variant;

typedef enum World
{
	WORLD_WITHOUT_KEYS,
	WORLD_WITH_KEYS,
	WORLD_COUNT
} World;

/* The first ones can be broken by a move: State.broken keeps them. */
typedef enum Property
{
	PROPERTY_INTENT_FIRST,
	PROPERTY_ONE_POST,
	PROPERTY_DOUBT,
	PROPERTY_STEPS_APART,
	PROPERTY_ONE_NOTIFY,
	PROPERTY_FALSE_ALARM,
	PROPERTY_NEEDLESS_DOUBT,
	PROPERTY_STUCK,
	PROPERTY_DUPLICATE,
	PROPERTY_BOTH,
	PROPERTY_LOSS,
	PROPERTY_FALSE_REFUSAL,
	PROPERTY_SUCCESS,
	PROPERTY_ONE_OUTCOME,
	PROPERTY_LAST_WORD,
	PROPERTY_TWO_POSTS,
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
	FATE_OVERTAKEN,				/* a create: the customer came back */
	FATE_REJECTED,
	FATE_NOT_FOUND,
	FATE_POSTPONED,				/* "not now", to this call or to all */
	FATE_FORBIDDEN,				/* to this nudge, or to all */
	FATE_FAILED					/* without effect, and nobody can tell */
} Fate;

/* What the engine can know of the POSTs of a step. */
typedef enum Knowledge
{
	KNOWN_ON_DISK,				/* or there was none */
	KNOWN_IN_MEMORY,			/* answered: a crash forgets it */
	ON_THE_WIRE,				/* its answer will tell */
	DOUBTFUL					/* only a success of the same call tells */
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
	uint8_t		key_expired;	/* the engine may rely on it no longer */
	uint8_t		crashes;
	uint8_t		holds;

	/* the server's option idempotency */
	uint8_t		relies;			/* it is 'key' */
	uint8_t		alterable;		/* once */

	/* the tables */
	uint8_t		due;
	uint8_t		attempt;
	uint8_t		fencing_token;
	uint8_t		intents[STEP_COUNT];	/* bit t: there is a row with token t */
	uint8_t		unresolved;		/* there is a row for this step */
	uint8_t		outcome;
	uint8_t		outcomes;

	/* the API */
	uint8_t		knows_keys;
	uint8_t		honours;		/* them */
	uint8_t		applied[STEP_COUNT];
	uint8_t		remembered[STEP_COUNT]; /* bit k: key k was applied */
	uint8_t		late[STEP_COUNT][KEY_COUNT];	/* POSTs that nobody waits for any more */

	/* the memory of the engine */
	uint8_t		phase;
	uint8_t		step;
	uint8_t		intent;			/* the step of the intent that it is under */
	uint8_t		fate;
	uint8_t		key;			/* of the POST that it waits for */
	uint8_t		customer_known;
	uint8_t		has_written;	/* the customer, as this check tells */
	uint8_t		looked_elsewhere;	/* at another conversation of the customer */
	uint8_t		rerouted;			/* from one POST to the other, in this attempt */
	uint8_t		end_kind;
	uint8_t		end_outcome;
	uint8_t		end_unresolved;

	/* the observer's */
	uint8_t		knowledge[STEP_COUNT];
	uint8_t		keys[STEP_COUNT];	/* bit k: of the POSTs not known on disk */
	uint8_t		posts;			/* under the intent */
	uint8_t		attempt_posts;
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
	bool		is_put_back;	/* by a gate or a policy: one such move is there */
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
first_state(World world, Variant variant, bool skips, bool has_address)
{
	bool		keys = world == WORLD_WITH_KEYS;

	return (State) {
		.skips = skips, .has_address = has_address, .due = true,
		.outcome = NO_OUTCOME, .phase = PHASE_IDLE,
		.knows_keys = keys,
		.honours = keys && variant != BROKEN_KEYS_ASSUMED,
		.relies = keys && variant != BROKEN_KEY_BY_OPTION, .alterable = keys,
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
	state->key = 0;
	state->customer_known = false;
	state->looked_elsewhere = false;
	state->rerouted = false;
	state->attempt_posts = 0;
	state->end_kind = 0;
	state->end_outcome = 0;
	state->end_unresolved = false;
	state->posts = 0;
}

/* What had been answered is on disk with this commit, or follows from it. */
static void
commit(State *state)
{
	for (int step = STEP_NOTIFY; step <= STEP_CREATE; step++)
		if (state->knowledge[step] == KNOWN_IN_MEMORY)
		{
			state->knowledge[step] = KNOWN_ON_DISK;
			state->keys[step] = 0;
		}
}

static bool
is_doubtful(const State *state, Step step)
{
	return state->knowledge[step] == ON_THE_WIRE || state->knowledge[step] == DOUBTFUL;
}

static void
write_outcome(State *state, Outcome outcome)
{
	state->outcome = outcome;
	state->unresolved = STEP_CHECK;
	count_up(&state->outcomes);
	if (outcome == OUTCOME_IN_DOUBT && !is_doubtful(state, STEP_NOTIFY) &&
		!is_doubtful(state, STEP_CREATE))
		state->broken |= BIT(PROPERTY_FALSE_ALARM);
}

/* The row stands for a batch: the call of another nudge may keep it. */
static void
close_intent(State *state, bool row_stays)
{
	if (state->intent != STEP_CHECK && !row_stays)
		state->intents[state->intent] &= ~BIT(state->fencing_token);
}

/* --- what the engine decides ------------------------------------------------- */

static Terms
terms_of(const State *state, Step step)
{
	return (Terms) {
		.skip_when_closed = state->skips, .attempt = state->attempt + 1,
		.max_attempts = ATTEMPTS_MAX, .now = NOW, .answered_since = NOW - 1,
		.expires_at = state->expired ? NOW : INT64_MAX, .random = 0.5,
		.repeatable = state->relies, .unresolved = is_post(step) && state->unresolved == step,
		.repeat_until = state->key_expired ? NOW : INT64_MAX,
		.address = state->has_address ? "+1own" : NULL,
		.channel = state->has_address ? "sms" : NULL,
		.proactive_channels = "sms", .rerouted = state->rerouted,
		.second_look = state->looked_elsewhere && step == STEP_CHECK,
	};
}

static bool
is_refusal(ReplyClass class)
{
	return class == REPLY_CLOSED || class == REPLY_OVERTAKEN || class == REPLY_NOT_FOUND ||
		class == REPLY_REJECTED;
}

/* How the variants bend what the engine knows. */
static void
bend_terms(Variant variant, const State *state, Terms *terms)
{
	if (variant == BROKEN_KEY_OUTLIVED)
		terms->repeat_until = INT64_MAX;
	if (variant == BROKEN_OPTION_REMEMBERED)
		terms->repeatable = true;
	if (variant == BROKEN_BACK_AND_FORTH)
		terms->rerouted = false;
	if (variant == BROKEN_EXPIRED_UNRESOLVED && state->expired)
		terms->unresolved = false;
}

/* How they bend what a reply means. */
static void
bend_reply(Variant variant, Step step, Facts *facts, Terms *terms)
{
	if (!is_post(step))
		return;
	if (variant == BROKEN_REFUSAL_BELIEVED && is_refusal(facts->class))
		terms->unresolved = false;
	if (variant == BROKEN_FAILURE_BELIEVED && facts->class == REPLY_NOT_APPLIED)
		terms->unresolved = false;
	if (facts->class != REPLY_AMBIGUOUS)
		return;
	if (variant == BROKEN_DOUBT_RETRIED)
		facts->class = REPLY_NOT_APPLIED;
	if (variant == BROKEN_DOUBT_DONE)
		facts->class = REPLY_DONE;
	if (variant == BROKEN_CREATE_ON_DOUBT && step == STEP_NOTIFY)
		facts->class = REPLY_CLOSED;
}

/* The observer's.  A call that ends without an answer counts as ambiguous. */
static void
watch_doubt(State *state, const Decision *decision, ReplyClass class)
{
	bool		repeatable = state->relies && !state->key_expired && !state->expired &&
		state->attempt + 1 < ATTEMPTS_MAX && !is_refusal(class);

	if (decision->kind == DECIDE_SETTLE && decision->outcome == OUTCOME_IN_DOUBT && repeatable)
		state->broken |= BIT(PROPERTY_NEEDLESS_DOUBT);
}

/* The real rules, unless the variant bends them. */
static Decision
judge(Variant variant, State *state, Step step, Facts facts)
{
	ReplyClass	class = facts.class;
	Terms		terms = terms_of(state, step);
	Decision	decision = {.kind = DECIDE_CALL, .step = STEP_NOTIFY};

	bend_terms(variant, state, &terms);
	bend_reply(variant, step, &facts, &terms);
	if (variant != BROKEN_SECOND_NOTIFY || step != STEP_NOTIFY || class != REPLY_CLOSED)
		decision = decide(step, &facts, &terms);
	watch_doubt(state, &decision, class);
	return decision;
}

static void
end_flight(State *state, const Decision *end)
{
	state->phase = PHASE_ENDING;
	/* what is of no use any more */
	state->customer_known = false;
	state->posts = 0;
	state->looked_elsewhere = false;
	state->rerouted = false;
	state->attempt_posts = 0;
	if (!end->unresolved)
		state->step = STEP_CHECK;
	state->end_kind = end->kind;
	state->end_outcome = end->kind == DECIDE_SETTLE ? end->outcome : 0;
	state->end_unresolved = end->unresolved;
	if ((end->kind == DECIDE_BLOCK || end->kind == DECIDE_HOLD) && state->holds < HOLDS_MAX)
		state->holds++;
}

/* False: the call comes too late, and the delivery ends. */
static bool
ask_to_call(Variant variant, State *state)
{
	Terms		terms = terms_of(state, (Step) state->step);
	Decision	end;

	bend_terms(variant, state, &terms);
	if (may_call(&terms, &end))
		return true;
	watch_doubt(state, &end, REPLY_AMBIGUOUS);
	end_flight(state, &end);
	return false;
}

/* The observer's: what an answer tells of the POSTs of its step. */
static void
learn(State *state, ReplyClass class)
{
	uint8_t    *knowledge = &state->knowledge[state->step];

	if (state->phase != PHASE_POSTED)
		return;
	if (class == REPLY_AMBIGUOUS)
		*knowledge = DOUBTFUL;
	else if (class == REPLY_DONE || *knowledge == ON_THE_WIRE)
		*knowledge = KNOWN_IN_MEMORY;
}

/* What a reply is about, beside its class. */
typedef enum About
{
	ABOUT_NUDGE,
	ABOUT_SERVER,				/* "not now", or never, to all of its nudges */
	ABOUT_SAME_CONVERSATION,
	ABOUT_BUSY,					/* the customer is busy */
	ABOUT_ANOTHER				/* another customer, or another business side */
} About;

static void
take_reply(Variant variant, State *state, ReplyClass class, About about)
{
	Facts		facts = {
		.class = class, .reason = "why", .retry_after_ms = -1, .live = !state->closed,
		.last_inbound_at = state->has_written ? NOW : 0,
		.channel = "sms", .customer_address = state->customer_known ? "+1customer" : NULL,
		.same_conversation = about == ABOUT_SAME_CONVERSATION, .busy = about == ABOUT_BUSY,
		.is_anothers = about == ABOUT_ANOTHER,
		.of_server = about == ABOUT_SERVER, .limited = about == ABOUT_SERVER && class == REPLY_NOT_APPLIED,
	};
	Decision	decision;

	learn(state, class);
	if (state->step == STEP_NOTIFY && class == REPLY_CLOSED)
		state->refused_as_closed = true;
	/* that is another conversation, in which nothing was refused */
	if (state->step == STEP_CREATE && class == REPLY_OVERTAKEN)
		state->refused_as_closed = false;
	state->fate = FATE_OPEN;
	state->key = 0;
	state->has_written = false;
	decision = judge(variant, state, (Step) state->step, facts);
	if (decision.kind != DECIDE_CALL)
		end_flight(state, &decision);
	else
	{
		state->rerouted |= is_post((Step) state->step);
		state->step = decision.step;
		state->phase = PHASE_INTENDING;
		/* its recipient has been chosen */
		if (decision.step == STEP_CREATE)
			state->customer_known = false;
	}
}

#endif
