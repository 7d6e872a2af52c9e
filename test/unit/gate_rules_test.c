/*
 * gate_rules_test.c: the last word before a POST.
 */
#include "gate_rules.h"

#include "last_word.h"
#include "tap.h"

#define NOW INT64_C(700000000000000)
#define SECOND INT64_C(1000000)

/* Nothing is in its way. */
static GateFacts
free_way(void)
{
	return (GateFacts) {
		.due = true, .locked = true, .may_post = true, .answered_since = NOW - 60 * SECOND,
		.looked_at = {50 * SECOND}, .now = {51 * SECOND}, .wall = NOW,
	};
}

/* One thing that is in the way, with what follows from it. */
typedef struct Obstacle
{
	const char *name;
	void		(*put) (GateFacts *facts);
	Verdict		verdict;
	Verdict		unresolved;		/* of a call that is made again */
} Obstacle;

static void put_lock(GateFacts *facts) { facts->locked = false; }
static void put_end(GateFacts *facts) { facts->due = false; }
static void put_pause(GateFacts *facts) { facts->may_post = false; }
static void put_age(GateFacts *facts) { facts->now.us = facts->looked_at.us + LOOK_IS_YOUNG_MS * 1000; }
static void put_successor(GateFacts *facts) { facts->superseded = true; }
static void put_opt_out(GateFacts *facts) { facts->suppressed = true; }
static void put_answer(GateFacts *facts) { facts->answered_at = facts->answered_since + 1; }
static void put_doubt(GateFacts *facts) { facts->create_in_doubt = true; }
static void put_customer(GateFacts *facts) { facts->customer_is_taken = true; }

static void
put_conversation(GateFacts *facts)
{
	facts->other_conversation = "another";
	facts->other_made_at = NOW - 5 * SECOND;
}

#define ALLOWED {.kind = VERDICT_ALLOW}
#define DEFERRED {.kind = VERDICT_DEFER}
#define HELD(seconds, what) {.kind = VERDICT_HOLD, .until = NOW + (seconds) * SECOND, .hold = HOLD_##what}
#define TAKEN {.kind = VERDICT_BUSY, .until = NOW + 5 * SECOND, .hold = HOLD_CUSTOMER}
#define ENDED(with, why) {.kind = VERDICT_END, .outcome = OUTCOME_##with, .reason = why}

/* In the order in which they are asked. */
static const Obstacle obstacles[] = {
	{"somebody is recording something about it", put_lock, HELD(5, RECORDING), HELD(5, RECORDING)},
	{"it has ended", put_end, DEFERRED, DEFERRED},
	{"its server is paused", put_pause, DEFERRED, DEFERRED},
	{"its look is old", put_age, DEFERRED, ALLOWED},
	{"another conversation follows", put_successor, HELD(1, SUPERSEDED), ENDED(IN_DOUBT, "superseded")},
	{"its customer has opted out", put_opt_out, ENDED(SUPPRESSED, "opted_out"), ENDED(IN_DOUBT, "suppressed")},
	{"its customer has answered", put_answer, ENDED(ANSWERED, "recorded"), ENDED(IN_DOUBT, "answered")},
	{"an earlier create is in doubt", put_doubt, HELD(3600, DOUBT), HELD(3600, DOUBT)},
	{"another nudge speaks to its customer", put_customer, TAKEN, TAKEN},
	{"we spoke to the customer elsewhere", put_conversation,
	{.kind = VERDICT_RECHECK, .conversation_id = "another", .made_at = NOW - 5 * SECOND}, ALLOWED},
};

#define OBSTACLE_COUNT ((int) (sizeof(obstacles) / sizeof(obstacles[0])))

static bool
same_text(const char *one, const char *other)
{
	return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

static bool
same_verdict(Verdict one, Verdict other)
{
	return one.kind == other.kind && one.until == other.until && one.outcome == other.outcome &&
		same_text(one.reason, other.reason) && one.hold == other.hold &&
		same_text(one.conversation_id, other.conversation_id) && one.made_at == other.made_at;
}

static void
each_obstacle_alone(void)
{
	GateFacts	facts = free_way();

	ok(gates_judge(&facts).kind == VERDICT_ALLOW, "nothing is in its way: it may be made");
	ok(gates_judge(&(GateFacts) {.due = false}).kind == VERDICT_HOLD, "nothing is known: it may not");
	for (int i = 0; i < OBSTACLE_COUNT; i++)
	{
		facts = free_way();
		obstacles[i].put(&facts);
		ok(same_verdict(gates_judge(&facts), obstacles[i].verdict), "%s", obstacles[i].name);
		facts.unresolved = true;
		ok(same_verdict(gates_judge(&facts), obstacles[i].unresolved), "%s; the call is made again", obstacles[i].name);
	}
}

/* All combinations: what is asked first counts, and others do not change it. */
static void
all_together(void)
{
	bool		first_counts = true;
	bool		never_denied = true;
	bool		never_looks = true;

	for (int set = 0; set < 1 << OBSTACLE_COUNT; set++)
		for (int unresolved = 0; unresolved < 2; unresolved++)
		{
			GateFacts	facts = free_way();
			Verdict		expected = {.kind = VERDICT_ALLOW};
			Verdict		verdict;

			for (int i = OBSTACLE_COUNT - 1; i >= 0; i--)
				if (set & (1 << i))
				{
					Verdict		of_this = unresolved ? obstacles[i].unresolved : obstacles[i].verdict;

					obstacles[i].put(&facts);
					if (of_this.kind != VERDICT_ALLOW)
						expected = of_this;
				}
			facts.unresolved = unresolved;
			verdict = gates_judge(&facts);
			first_counts = first_counts && same_verdict(verdict, expected);
			if (unresolved)
			{
				never_denied = never_denied && (verdict.kind != VERDICT_END || verdict.outcome == OUTCOME_IN_DOUBT);
				never_looks = never_looks && verdict.kind != VERDICT_RECHECK;
			}
		}
	ok(first_counts, "of all combinations: the gate that is asked first decides");
	ok(never_denied, "a call that may have had its effect ends in doubt, or not at all");
	ok(never_looks, "and no other look changes where it goes");
}

static void
answers_and_looks(void)
{
	GateFacts	facts = free_way();

	facts.answered_at = facts.answered_since;
	ok(gates_judge(&facts).kind == VERDICT_ALLOW, "what was written before the nudge was asked for is no answer to it");
	facts.answered_at = NOW;
	facts.answered_since = INT64_MAX;
	ok(gates_judge(&facts).kind == VERDICT_ALLOW, "nor is anything to one that no answer ends");
	facts = free_way();
	facts.now.us = facts.looked_at.us + LOOK_IS_YOUNG_MS * 1000 - 1;
	ok(gates_judge(&facts).kind == VERDICT_ALLOW, "a look is young for four seconds");
	put_conversation(&facts);
	facts.looked_elsewhere = true;
	ok(gates_judge(&facts).kind == VERDICT_ALLOW, "one look at another conversation is enough");
}

static void
pauses_grow(void)
{
	static const int seconds[] = {5, 10, 20, 40, 80, 80, 80};
	GateFacts	facts = free_way();
	bool		grow = true;

	for (int i = 0; i < 7; i++)
	{
		facts = free_way();
		facts.times_put_back = i < 6 ? i : INT32_MAX;
		facts.customer_is_taken = true;
		grow = grow && gates_judge(&facts).until == NOW + seconds[i] * SECOND;
		facts.locked = false;
		grow = grow && gates_judge(&facts).until == NOW + seconds[i] * SECOND;
	}
	ok(grow, "who is put back often waits for longer, but never for more than 80 seconds");
	facts.customer_is_news = true;
	ok(gates_judge(&facts).until == NOW + SECOND, "once it costs no look to ask again, for a second");
}

static void
calls_of_others(void)
{
	GateFacts	facts = free_way();
	Verdict		end = verdict_end(OUTCOME_CAPPED, "cap_0_in_1_day");
	Verdict		hold = verdict_wait(VERDICT_HOLD, NOW + 1, HOLD_POLICY);
	Verdict		expected = HELD(8, UNRESOLVED_CUSTOMER);

	ok(same_verdict(gates_wait_for_others(&facts, verdict_allow()), verdict_allow()), "no other call is unresolved");
	facts.others_next_attempt = NOW + 7 * SECOND;
	ok(same_verdict(gates_wait_for_others(&facts, verdict_allow()), expected), "one is: a second after that was tried");
	ok(same_verdict(gates_wait_for_others(&facts, (Verdict) {.kind = VERDICT_RECHECK}), expected),
	   "nor is another conversation looked at");
	ok(same_verdict(gates_wait_for_others(&facts, end), end), "an end stays an end");
	ok(same_verdict(gates_wait_for_others(&facts, hold), hold), "and a hold the hold that it is");
	facts.unresolved = true;
	ok(gates_wait_for_others(&facts, verdict_allow()).kind == VERDICT_ALLOW, "two unresolved calls do not wait for each other");
	facts.unresolved = false;
	facts.others_next_attempt = NOW - 60 * SECOND;
	ok(gates_wait_for_others(&facts, verdict_allow()).until == NOW + SECOND, "one that is due for long is due now");
}

int
main(void)
{
	each_obstacle_alone();
	all_together();
	answers_and_looks();
	pauses_grow();
	calls_of_others();
	return done_testing();
}
