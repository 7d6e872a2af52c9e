/*
 * flow.c: see flow.h.
 */
#include "flow.h"

static int64_t
window_of(Monotonic now)
{
	return now.us / (FLOW_WINDOW_MS * 1000);
}

void
flow_note(Flow *flow, Monotonic now)
{
	int64_t		window = window_of(now);

	if (window != flow->window)
		*flow = (Flow) {.window = window, .before = flow_of_window(flow, now)};
	flow->count++;
}

int
flow_of_window(const Flow *flow, Monotonic now)
{
	int64_t		over = window_of(now) - 1;

	if (flow->window == over)
		return flow->count;
	return flow->window == over + 1 ? flow->before : 0;
}

int
flow_nap_ms(int64_t spare, int64_t flow)
{
	int64_t		lasts_ms = flow > 0 ? spare * FLOW_WINDOW_MS / flow : 0;

	return lasts_ms / 2 < NAP_MOST_MS ? (int) (lasts_ms / 2) : NAP_MOST_MS;
}
