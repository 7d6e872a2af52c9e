/*
 * delivery_state_test.c: the states of a nudge in hand, as a graph.
 */
#include "delivery_state.h"

#include "tap.h"

/* Can "to" be reached from "from", by one step or many? */
static bool
leads_to(DeliveryState from, DeliveryState to)
{
	bool		reached[DELIVERY_STATE_COUNT] = {false};

	reached[from] = true;
	for (int round = 0; round < DELIVERY_STATE_COUNT; round++)
		for (int one = 0; one < DELIVERY_STATE_COUNT; one++)
			for (int next = 0; next < DELIVERY_STATE_COUNT; next++)
				reached[next] |= reached[one] && delivery_state_may_follow((DeliveryState) one, (DeliveryState) next);
	return reached[to];
}

static void
test_graph(void)
{
	for (int state = 0; state < DELIVERY_STATE_COUNT; state++)
	{
		const char *name = delivery_state_name((DeliveryState) state);

		ok(name != NULL && *name != '\0', "state %d has a name", state);
		ok(leads_to(DELIVERY_NEW, (DeliveryState) state), "%s: a nudge can get there", name);
		ok(leads_to((DeliveryState) state, DELIVERY_ENDING), "%s: and from there to its end", name);
		ok(!delivery_state_may_follow((DeliveryState) state, DELIVERY_NEW), "%s: nothing begins twice", name);
		ok(!delivery_state_may_follow((DeliveryState) state, (DeliveryState) state), "%s: it does not follow itself", name);
	}
}

/* What the promises demand of the graph. */
static void
test_promises(void)
{
	for (int state = 0; state < DELIVERY_STATE_COUNT; state++)
	{
		const char *name = delivery_state_name((DeliveryState) state);
		bool		is_intended = state == DELIVERY_INTENDED;

		ok(delivery_state_may_follow((DeliveryState) state, DELIVERY_POSTING) == is_intended,
		   "P3: %s: a POST is made of what has an intent, and of nothing else", name);
		ok(delivery_state_may_follow((DeliveryState) state, DELIVERY_INTENDED) == (state == DELIVERY_POST_WANTED),
		   "%s: an intent is of what passed the gates", name);
		ok(!delivery_state_may_follow((DeliveryState) state, DELIVERY_PARKED) ||
		   state == DELIVERY_READY || state == DELIVERY_POST_WANTED,
		   "P6: %s: what has an intent is not forgotten", name);
	}
	ok(!delivery_state_may_follow(DELIVERY_POSTING, DELIVERY_INTENDED), "P4: one intent is one POST");
	ok(!delivery_state_may_follow(DELIVERY_POSTING, DELIVERY_READY), "P5: what was posted is not begun anew");
}

static void
test_kinds(void)
{
	ok(!delivery_state_is_under_way(DELIVERY_NEW), "what was just taken is not under way");
	ok(!delivery_state_is_under_way(DELIVERY_PARKED), "nor what is parked");
	ok(!delivery_state_is_under_way(DELIVERY_READY), "nor what may be loaded");
	for (int state = DELIVERY_READY + 1; state < DELIVERY_STATE_COUNT; state++)
		ok(delivery_state_is_under_way((DeliveryState) state), "%s: it is", delivery_state_name((DeliveryState) state));
	for (int state = 0; state < DELIVERY_STATE_COUNT; state++)
		ok(delivery_state_may_be_last((DeliveryState) state) == (state == DELIVERY_READY || state == DELIVERY_ENDING),
		   "%s: %s", delivery_state_name((DeliveryState) state),
		   delivery_state_may_be_last((DeliveryState) state) ? "it may be let go of" : "it is kept");
}

int
main(void)
{
	test_graph();
	test_promises();
	test_kinds();
	return done_testing();
}
