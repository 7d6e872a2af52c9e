/*
 * flow_test.c: how many answers come in, lately.
 */
#include "flow.h"

#include "tap.h"

static Monotonic
at_ms(int64_t ms)
{
	return (Monotonic) {ms * 1000};
}

static void
note(Flow *flow, int64_t from_ms, int64_t to_ms)
{
	for (int64_t ms = from_ms; ms < to_ms; ms++)
		flow_note(flow, at_ms(ms));
}

int
main(void)
{
	Flow		flow = {0};

	ok(flow_of_window(&flow, at_ms(1000)) == 0, "nothing has come in");
	note(&flow, 1000, 1100);
	ok(flow_of_window(&flow, at_ms(1249)) == 0, "the window that goes on does not count");
	ok(flow_of_window(&flow, at_ms(1250)) == 100, "until it is over");
	ok(flow_of_window(&flow, at_ms(1499)) == 100, "as long as the next one goes on");
	note(&flow, 1300, 1310);
	ok(flow_of_window(&flow, at_ms(1310)) == 100, "whatever comes in then");
	ok(flow_of_window(&flow, at_ms(1500)) == 10, "which counts next");
	ok(flow_of_window(&flow, at_ms(1750)) == 0, "then it is forgotten");
	note(&flow, 2000, 2250);
	note(&flow, 2600, 2601);
	ok(flow_of_window(&flow, at_ms(2601)) == 0, "a window of silence is one");
	ok(flow_of_window(&flow, at_ms(2750)) == 1, "and what came after it counts");

	ok(flow_nap_ms(0, 1000) == 0, "answers do not wait for each other while no call waits for a connection, however many come in");
	ok(flow_nap_ms(100, 0) == 0, "nor where none has come in");
	ok(flow_nap_ms(1, 1000) == 0, "nor where the calls that wait last for no millisecond");
	ok(flow_nap_ms(64, 2000) == 4, "half of the time that the calls last which wait for a connection");
	ok(flow_nap_ms(1000, 10) == NAP_MOST_MS && flow_nap_ms(INT32_MAX, 1) == NAP_MOST_MS, "and no longer than a lone nudge among them may wait");
	return done_testing();
}
