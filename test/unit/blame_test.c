/*
 * blame_test.c: whose refusal it is.
 */
#include "blame.h"
#include "tap.h"

#define NOW INT64_C(1000000000)
#define SECOND INT64_C(1000000)

/* A call of a conversation, "a" to "z", with a customer or an unknown one. */
static bool
refuse(Blame *blame, Step step, char conversation, const char *customer, int64_t now)
{
	const char	id[] = {conversation, '\0'};
	Culprit		culprit = culprit_of("018f0000-0000-7000-8000-000000000001", id, customer);

	return blame_refusal(blame, step, &culprit, now);
}

static void
test_two_are_needed(void)
{
	Blame		blame = {0};

	for (int i = 0; i < 100; i++)
		ok(!refuse(&blame, STEP_CREATE, 'a', NULL, NOW + i * SECOND), "one conversation, refused again and again, is its own matter");
	ok(refuse(&blame, STEP_CREATE, 'b', NULL, NOW), "another one makes it the server's");
	ok(refuse(&blame, STEP_CREATE, 'a', NULL, NOW), "also for the first");
	ok(refuse(&blame, STEP_CREATE, 'c', NULL, NOW + SECOND), "and for all that follow");
	is_text(blame_first(&blame, STEP_CREATE)->conversation_id, "a", "whom it met first is known");
	ok(blame_first(&blame, STEP_CHECK) == NULL, "of other kinds of calls there is none");
}

static void
test_kinds_of_calls(void)
{
	Blame		blame = {0};

	ok(!refuse(&blame, STEP_CHECK, 'a', NULL, NOW), "a look");
	ok(!refuse(&blame, STEP_NOTIFY, 'b', NULL, NOW), "another kind of call is no witness");
	ok(!refuse(&blame, STEP_CREATE, 'c', NULL, NOW), "nor is a third");
	ok(refuse(&blame, STEP_NOTIFY, 'c', NULL, NOW), "the same kind is");
	ok(!refuse(&blame, STEP_CHECK, 'a', NULL, NOW), "which says nothing of the others");
}

static void
test_customers(void)
{
	Blame		blame = {0};

	ok(!refuse(&blame, STEP_CREATE, 'a', "1", NOW), "a recipient who is refused");
	ok(!refuse(&blame, STEP_CREATE, 'b', "1", NOW), "in another conversation, too, is still one recipient");
	ok(refuse(&blame, STEP_CREATE, 'c', "2", NOW), "another one is not");
	blame = (Blame) {0};
	ok(!refuse(&blame, STEP_CREATE, 'a', NULL, NOW), "where nobody knows the recipients");
	ok(refuse(&blame, STEP_CREATE, 'b', NULL, NOW), "conversations are counted");
	blame = (Blame) {0};
	ok(!refuse(&blame, STEP_CREATE, 'a', "1", NOW), "one recipient known");
	ok(!refuse(&blame, STEP_CREATE, 'a', NULL, NOW), "and then not, of the same conversation");
	ok(refuse(&blame, STEP_CREATE, 'b', NULL, NOW), "another conversation may be of another one");
}

static void
test_successes(void)
{
	Blame		blame = {0};

	(void) refuse(&blame, STEP_CREATE, 'a', NULL, NOW);
	blame_success(&blame, STEP_CREATE, NOW);
	ok(!refuse(&blame, STEP_CREATE, 'b', NULL, NOW + 9 * SECOND), "who got through in between, clears the first");
	blame_success(&blame, STEP_NOTIFY, NOW + 9 * SECOND);
	ok(refuse(&blame, STEP_CREATE, 'c', NULL, NOW + 9 * SECOND), "but a success of another kind does not");
}

/* Who was refused while others got through, is refused by themselves. */
static void
test_guilty(void)
{
	Blame		blame = {0};
	int64_t		later = NOW + 60 * SECOND;

	(void) refuse(&blame, STEP_CHECK, 'a', NULL, NOW);
	ok(refuse(&blame, STEP_CHECK, 'b', NULL, NOW), "two are refused");
	blame_success(&blame, STEP_CHECK, NOW);
	for (int i = 0; i < 10; i++)
		ok(!refuse(&blame, STEP_CHECK, "ab"[i % 2], NULL, later), "then another gets through: it was their own matter");
	ok(!refuse(&blame, STEP_CHECK, 'c', NULL, later), "one more");
	ok(!refuse(&blame, STEP_CHECK, 'a', NULL, later), "with whom they are no witnesses");
	ok(refuse(&blame, STEP_CHECK, 'd', NULL, later), "two who are new");
	ok(refuse(&blame, STEP_CHECK, 'a', NULL, later), "make it the server's, for them, too");
}

/* More than are remembered. */
static void
test_crowd(void)
{
	Blame		blame = {0};
	char		id[16];

	for (int round = 0; round < 3; round++)
	{
		for (int i = 0; i < 3 * CULPRITS_MAX; i++)
		{
			Culprit		culprit;

			snprintf(id, sizeof(id), "c-%d", i);
			culprit = culprit_of("n", id, NULL);
			(void) blame_refusal(&blame, STEP_NOTIFY, &culprit, NOW + round * 60 * SECOND);
		}
		ok(blame.steps[STEP_NOTIFY].witnesses.count <= CULPRITS_MAX && blame_first(&blame, STEP_NOTIFY) != NULL,
		   "a crowd is remembered as far as there is room");
		blame_success(&blame, STEP_NOTIFY, NOW + round * 60 * SECOND);
		is_number(blame.steps[STEP_NOTIFY].guilty.count, CULPRITS_MAX, "and judged so");
	}
}

static void
test_trust(void)
{
	Blame		blame = {0};

	blame_success(&blame, STEP_NOTIFY, NOW);
	for (char c = 'a'; c <= 'z'; c++)
		ok(!refuse(&blame, STEP_NOTIFY, c, NULL, NOW + BLAME_TRUST_US - 1), "many, right after a success: each one's own");
	ok(refuse(&blame, STEP_NOTIFY, 'a', NULL, NOW + BLAME_TRUST_US), "then what they have in common counts");
	blame_success(&blame, STEP_NOTIFY, NOW);
	(void) refuse(&blame, STEP_NOTIFY, 'A', NULL, NOW);
	ok(refuse(&blame, STEP_NOTIFY, 'B', NULL, NOW - 1), "a clock that was set back is not trusted");
}

static void
test_inheritance(void)
{
	Blame		blame = {0};

	blame_inherit(&blame, STEP_CREATE);
	ok(refuse(&blame, STEP_CREATE, 'a', NULL, NOW), "what was the server's stays so in another process");
	ok(!refuse(&blame, STEP_NOTIFY, 'a', NULL, NOW), "of that kind");
	blame_success(&blame, STEP_CREATE, NOW);
	ok(!refuse(&blame, STEP_CREATE, 'a', NULL, NOW + 9 * SECOND), "until a success");
}

/* Longer than any id can be: what is kept is cut, and ends. */
static void
test_long_names(void)
{
	char		name[400];
	Culprit		culprit;

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	culprit = culprit_of(name, name, name);
	is_number((int64_t) strlen(culprit.nudge_id), BLAME_NUDGE_SIZE - 1, "a nudge's id");
	is_number((int64_t) strlen(culprit.conversation_id), CONVERSATION_ID_MAX, "a conversation's");
	is_number((int64_t) strlen(culprit.customer), BLAME_CUSTOMER_SIZE - 1, "a hash");
}

int
main(void)
{
	test_two_are_needed();
	test_kinds_of_calls();
	test_customers();
	test_successes();
	test_guilty();
	test_crowd();
	test_trust();
	test_inheritance();
	test_long_names();
	return done_testing();
}
