/*
 * model_test.c: everything that can happen to one nudge.
 *
 * Searches the worlds of model_world.h completely, looks at every property in
 * every state, and shows that it would notice engines that are broken.
 */
#include <stdlib.h>

#include "model_engine.h"
#include "tap.h"

#define PATH_MAX_MOVES 512
#define FIRST_CAPACITY (1 << 16)

static const char *const property_names[PROPERTY_COUNT] = {
	[PROPERTY_INTENT_FIRST] = "no POST without a durable intent",
	[PROPERTY_ONE_POST] = "no two POSTs for one intent",
	[PROPERTY_DOUBT] = "no second call on doubt, but the same one with the same key in its lifetime",
	[PROPERTY_STEPS_APART] = "no create while a notify is unresolved, nor the reverse",
	[PROPERTY_ONE_NOTIFY] = "no notify after one is known to be refused as closed",
	[PROPERTY_FALSE_ALARM] = "no doubt where nothing can have been sent",
	[PROPERTY_NEEDLESS_DOUBT] = "no doubt that the same call with its key could clear up",
	[PROPERTY_STUCK] = "no stuck nudge",
	[PROPERTY_DUPLICATE] = "no undeclared duplicate",
	[PROPERTY_BOTH] = "no undeclared notification with a creation",
	[PROPERTY_LOSS] = "no loss",
	[PROPERTY_FALSE_REFUSAL] = "no false refusal",
	[PROPERTY_SUCCESS] = "no success but with exactly its effect",
	[PROPERTY_ONE_OUTCOME] = "no second outcome",
	[PROPERTY_LAST_WORD] = "no call after the outcome",
	[PROPERTY_TWO_POSTS] = "no third POST in an attempt",
};

/* Each breaks more than the property that is named; that one it must. */
static const struct
{
	Variant		variant;
	const char *name;
	Property	property;
}			broken_variants[] = {
	{BROKEN_NO_INTENT, "no intent is recorded", PROPERTY_INTENT_FIRST},
	{BROKEN_NO_INTENT, "no intent, so a crash after the POST runs it again", PROPERTY_DUPLICATE},
	{BROKEN_LIBRARY, "the HTTP library sends a POST again", PROPERTY_ONE_POST},
	{BROKEN_DOUBT_RETRIED, "ambiguous is retried", PROPERTY_DOUBT},
	{BROKEN_DOUBT_DONE, "ambiguous is taken for done", PROPERTY_SUCCESS},
	{BROKEN_INTENTS_FORGOTTEN, "recovery forgets the intents", PROPERTY_DUPLICATE},
	{BROKEN_INTENT_ORDER, "recovery takes an earlier intent for the last", PROPERTY_DUPLICATE},
	{BROKEN_TOKENS_IGNORED, "recovery does not look at the fencing token", PROPERTY_FALSE_ALARM},
	{BROKEN_SECOND_NOTIFY, "a notify that was refused as closed is repeated", PROPERTY_ONE_NOTIFY},
	{BROKEN_CREATE_ON_DOUBT, "a create follows an ambiguous notify", PROPERTY_STEPS_APART},
	{BROKEN_CREATE_ON_DOUBT, "a create follows a notify that was applied", PROPERTY_BOTH},
	{BROKEN_DELETE_FIRST, "deleted from due before the outcome is written", PROPERTY_LOSS},
	{BROKEN_OUTCOME_FIRST, "the outcome is written before the deletion from due", PROPERTY_ONE_OUTCOME},
	{BROKEN_OUTCOME_FIRST, "a nudge that is still due although it has its outcome", PROPERTY_LAST_WORD},
	{BROKEN_BACK_AND_FORTH, "closed and overtaken take turns for ever", PROPERTY_TWO_POSTS},
	{BROKEN_BLOCKED_KEPT, "a blocked nudge is not put back", PROPERTY_STUCK},
	{BROKEN_GATE_DOUBTS, "a gate leaves in doubt what was never called", PROPERTY_FALSE_ALARM},
	{BROKEN_GATE_LOOKS_AGAIN, "a gate asks for one look after the other", PROPERTY_STUCK},

	{BROKEN_KEYS_ASSUMED, "the API does not honour the keys", PROPERTY_DUPLICATE},
	{BROKEN_KEY_OUTLIVED, "a call is made again after its key's lifetime", PROPERTY_DUPLICATE},
	{BROKEN_KEY_TO_THE_LAST, "a call is made again so late that the key is forgotten on its way", PROPERTY_DUPLICATE},
	{BROKEN_KEY_RENEWED, "each repetition begins the key's lifetime anew", PROPERTY_DUPLICATE},
	{BROKEN_KEY_PER_ATTEMPT, "each attempt has a key of its own", PROPERTY_DUPLICATE},
	{BROKEN_KEY_PER_ATTEMPT, "a call on doubt has another key", PROPERTY_DOUBT},
	{BROKEN_KEY_BY_OPTION, "a call without a key is made again with one", PROPERTY_DUPLICATE},
	{BROKEN_OPTION_REMEMBERED, "a call is made again although the option says no longer", PROPERTY_DOUBT},
	{BROKEN_REFUSAL_BELIEVED, "a 4xx after an ambiguous attempt is believed", PROPERTY_FALSE_REFUSAL},
	{BROKEN_FAILURE_BELIEVED, "exhausted by failures after an ambiguous attempt", PROPERTY_FALSE_REFUSAL},
	{BROKEN_EXPIRED_UNRESOLVED, "expired, though unresolved", PROPERTY_FALSE_REFUSAL},
	{BROKEN_REPEAT_LOOKS, "what is unresolved looks first and takes the other step", PROPERTY_STEPS_APART},
	{BROKEN_REPEAT_LOOKS, "what is unresolved looks first: a create after a notify", PROPERTY_BOTH},
	{BROKEN_ROW_NOT_RECOVERED, "recovery does not say what is unresolved", PROPERTY_STEPS_APART},
	{BROKEN_ROW_NOT_RECOVERED, "recovery does not say so: a create after a notify", PROPERTY_BOTH},
	{BROKEN_ROW_PUT_BACK, "what is unresolved is forgotten when it is put back", PROPERTY_STEPS_APART},
	{BROKEN_ROW_PUT_BACK, "it is forgotten: a create after a notify", PROPERTY_BOTH},
	{BROKEN_RECOVERY_GIVES_UP, "recovery does not trust the keys", PROPERTY_NEEDLESS_DOUBT},
	{BROKEN_GATE_DENIES, "a gate ends what is unresolved as if it had not been called", PROPERTY_FALSE_REFUSAL},
	{BROKEN_GATE_DENIES, "a gate lets what is unresolved look elsewhere", PROPERTY_STEPS_APART},
	{BROKEN_POLICY_DENIES, "a policy ends what is unresolved", PROPERTY_FALSE_REFUSAL},
};

/* --- the properties ---------------------------------------------------------- */

/* Those of one step on the API's side, whenever they were applied. */
static bool
has_its_effect(const State *state)
{
	int			notified = state->applied[STEP_NOTIFY];
	int			created = state->applied[STEP_CREATE];

	switch ((Outcome) state->outcome)
	{
		case OUTCOME_NOTIFIED:
			return notified == 1 && created == 0;
		case OUTCOME_SESSION_CREATED:
		case OUTCOME_SESSION_CONTINUED:
			return notified == 0 && created == 1;
		default:
			return true;
	}
}

static bool
denies_any_effect(const State *state)
{
	return state->outcome == OUTCOME_REFUSED || state->outcome == OUTCOME_EXPIRED ||
		state->outcome == OUTCOME_EXHAUSTED || state->outcome == OUTCOME_SKIPPED_CLOSED ||
		state->outcome == OUTCOME_ANSWERED ||
		(state->outcome >= OUTCOME_OF_REPLY_COUNT && state->outcome < OUTCOME_COUNT);
}

static bool
is_held(const State *state)
{
	return state->phase != PHASE_DOWN && state->phase != PHASE_IDLE;
}

static int
effects_of(const State *state)
{
	return state->applied[STEP_NOTIFY] + state->applied[STEP_CREATE];
}

/* The properties that do not hold in this state. */
static int
broken_in(const State *state)
{
	int			broken = state->broken;
	bool		declared = state->outcome == OUTCOME_IN_DOUBT;

	if (effects_of(state) > 1 && !declared)
		broken |= BIT(PROPERTY_DUPLICATE);
	if (state->applied[STEP_NOTIFY] > 0 && state->applied[STEP_CREATE] > 0 && !declared)
		broken |= BIT(PROPERTY_BOTH);
	if (!state->due && state->outcome == NO_OUTCOME && !is_held(state))
		broken |= BIT(PROPERTY_LOSS);
	if (denies_any_effect(state) && effects_of(state) > 0)
		broken |= BIT(PROPERTY_FALSE_REFUSAL);
	if (!has_its_effect(state))
		broken |= BIT(PROPERTY_SUCCESS);
	if (state->outcomes > 1)
		broken |= BIT(PROPERTY_ONE_OUTCOME);
	if (state->outcome != NO_OUTCOME && state->phase == PHASE_POSTED)
		broken |= BIT(PROPERTY_LAST_WORD);
	if (state->attempt_posts > POSTS_MAX)
		broken |= BIT(PROPERTY_TWO_POSTS);
	return broken;
}

/* --- the states that were seen -------------------------------------------------- */

typedef enum Mark
{
	MARK_NONE,
	MARK_ON_PATH,
	MARK_DONE
} Mark;

typedef struct Seen
{
	State		state;
	uint8_t		mark;
} Seen;

typedef struct Search
{
	Variant		variant;
	Seen	   *seen;			/* open addressing, at most three quarters full */
	size_t		capacity;		/* a power of two */
	size_t		states;
	const char *path[PATH_MAX_MOVES];
	int			length;
	int			longest;
	int			wanted;			/* properties: to be found broken, which ends the search; or 0 */
	int			broken;
	int			reached[OUTCOME_COUNT + 1]; /* bit n: the outcome with n effects */
	bool		overtaken;		/* a success while a POST was late */
} Search;

static size_t
hash_state(const State *state)
{
	const uint8_t *bytes = (const uint8_t *) state;
	uint64_t	hash = UINT64_C(14695981039346656037);	/* FNV-1a */

	for (size_t i = 0; i < sizeof(State); i++)
		hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
	return (size_t) (hash ^ hash >> 32);
}

static Seen *
find_seen(const Search *search, const State *state)
{
	size_t		place = hash_state(state) & (search->capacity - 1);

	while (search->seen[place].mark != MARK_NONE &&
		   memcmp(&search->seen[place].state, state, sizeof(State)) != 0)
		place = (place + 1) & (search->capacity - 1);
	return &search->seen[place];
}

static void
make_room(Search *search)
{
	Search		larger = *search;

	if (search->states * 4 < search->capacity * 3)
		return;
	larger.capacity = search->capacity > 0 ? search->capacity * 2 : FIRST_CAPACITY;
	larger.seen = calloc(larger.capacity, sizeof(Seen));
	assert(larger.seen != NULL);
	for (size_t i = 0; i < search->capacity; i++)
		if (search->seen[i].mark != MARK_NONE)
			*find_seen(&larger, &search->seen[i].state) = search->seen[i];
	free(search->seen);
	search->seen = larger.seen;
	search->capacity = larger.capacity;
}

/* --- the search -------------------------------------------------------------------- */

/* A way to break the engine that is not broken is of interest. */
static void
note_broken(Search *search, int broken, const State *state)
{
	int			fresh = broken & ~search->broken;

	search->broken |= broken;
	for (int property = 0; property < PROPERTY_COUNT; property++)
		if (fresh & BIT(property) && search->variant == CORRECT)
		{
			printf("# %s: broken by\n", property_names[property]);
			for (int i = 0; i < search->length; i++)
				printf("#   %d. %s\n", i + 1, search->path[i]);
			printf("#   %s, %d notified, %d created, due %d, token %d, unresolved %s, skips %d, has address %d\n",
				   state->outcome == NO_OUTCOME ? "no outcome" : outcome_name((Outcome) state->outcome),
				   state->applied[STEP_NOTIFY], state->applied[STEP_CREATE], state->due, state->fencing_token,
				   state->unresolved != STEP_CHECK ? step_name((Step) state->unresolved) : "nothing",
				   state->skips, state->has_address);
		}
}

static bool
enter(Search *search, const State *state)
{
	Seen	   *seen;

	make_room(search);
	seen = find_seen(search, state);
	/* back where this path has been: it need never end */
	if (seen->mark == MARK_ON_PATH)
		note_broken(search, BIT(PROPERTY_STUCK), state);
	if (seen->mark != MARK_NONE)
		return false;
	seen->state = *state;
	seen->mark = MARK_ON_PATH;
	search->states++;
	search->reached[state->outcome] |= BIT(effects_of(state));
	search->overtaken |= outcome_has_effect((Outcome) state->outcome) && is_on_the_wire(state);
	if (search->length > search->longest)
		search->longest = search->length;
	note_broken(search, broken_in(state), state);
	return true;
}

static bool
has_found_all(const Search *search)
{
	return search->wanted != 0 && (search->wanted & ~search->broken) == 0;
}

/*
 * Depth first.  Where no path returns to itself and none stops short of an
 * outcome, every path ends with one: no nudge is stuck anywhere.
 */
static void
explore(Search *search, const State *state)
{
	Moves		moves;

	if (has_found_all(search) || !enter(search, state))
		return;
	moves_from(search->variant, state, &moves);
	assert(search->length < PATH_MAX_MOVES);
	for (int i = 0; i < moves.count; i++)
	{
		search->path[search->length++] = moves.move[i].label;
		explore(search, &moves.move[i].next);
		search->length--;
	}
	if (moves.count == 0 && state->outcome == NO_OUTCOME)
		note_broken(search, BIT(PROPERTY_STUCK), state);
	find_seen(search, state)->mark = MARK_DONE;
}

static Search
search_all(World world, Variant variant, int wanted)
{
	Search		search = {.variant = variant, .wanted = wanted};

	for (int nudge = 0; nudge < 4; nudge++)
	{
		State		first = first_state(world, variant, nudge & 1, nudge & 2);

		explore(&search, &first);
	}
	free(search.seen);
	search.seen = NULL;
	return search;
}

/* --- the tests ------------------------------------------------------------------------ */

static World
world_of(Variant variant)
{
	return variant >= BROKEN_KEYS_ASSUMED ? WORLD_WITH_KEYS : WORLD_WITHOUT_KEYS;
}

static void
test_correct(World world)
{
	static const char *const names[WORLD_COUNT] = {"without keys", "with keys"};
	Search		search = search_all(world, CORRECT, 0);
	bool		all_reached = true;

	ok(search.broken == 0,
	   "%s, %zu states: no duplicate, no loss, no false refusal, no stuck nudge, no POST without its intent",
	   names[world], search.states);
	for (int property = 0; property < PROPERTY_COUNT; property++)
		ok(!(search.broken & BIT(property)), "%s: %s", names[world], property_names[property]);
	for (int outcome = 0; outcome < OUTCOME_OF_REPLY_COUNT; outcome++)
		all_reached &= search.reached[outcome] != 0;
	ok(all_reached, "%s: every outcome is reached", names[world]);
	ok(search.reached[OUTCOME_IN_DOUBT] == (BIT(0) | BIT(1)),
	   "%s: in doubt is just that: with one effect or none", names[world]);
	ok(search.overtaken == (world == WORLD_WITH_KEYS), "%s: %s", names[world],
	   world == WORLD_WITH_KEYS ? "a repetition may succeed while the first call is late" :
	   "no success while a call is late");
	printf("# %zu states, the longest path has %d moves\n", search.states, search.longest);
}

static int
test_broken(Variant variant)
{
	const int	count = sizeof(broken_variants) / sizeof(broken_variants[0]);
	int			wanted = 0;
	Search		search;

	for (int i = 0; i < count; i++)
		if (broken_variants[i].variant == variant)
			wanted |= BIT(broken_variants[i].property);
	search = search_all(world_of(variant), variant, wanted);
	for (int i = 0; i < count; i++)
		if (broken_variants[i].variant == variant)
			ok(search.broken & BIT(broken_variants[i].property), "broken variant \"%s\" is caught: %s",
			   broken_variants[i].name, property_names[broken_variants[i].property]);
	printf("# within %zu states\n", search.states);
	return search.broken;
}

int
main(void)
{
	int			broken = 0;

	for (int world = 0; world < WORLD_COUNT; world++)
		test_correct((World) world);
	for (int variant = CORRECT + 1; variant < VARIANT_COUNT; variant++)
		broken |= test_broken((Variant) variant);
	is_number(broken, BIT(PROPERTY_COUNT) - 1, "there is no property that cannot be broken");
	return done_testing();
}
