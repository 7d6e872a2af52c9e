/*
 * watch.c: see watch.h.
 */
#include "watch.h"

bool
watch_look(Watch *watch, Monotonic now)
{
	/* whole ones only: nobody is given up before the time is over */
	int64_t		passed_ms = (now.us - watch->looked_at.us) / 1000;

	if (passed_ms < SHORTEST_WATCH_MS)
		return false;
	watch->ms += passed_ms < LONGEST_WATCH_MS ? passed_ms : LONGEST_WATCH_MS;
	watch->looked_at = now;
	return true;
}

/* Of what the next look counts, some has passed already. */
int64_t
watch_deadline(const Watch *watch, int64_t ms)
{
	return watch->ms + SHORTEST_WATCH_MS + ms;
}

bool
watch_is_over(const Watch *watch, int64_t deadline)
{
	return deadline < watch->ms;
}
