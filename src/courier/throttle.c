/*
 * throttle.c: how often a server may be called.
 */
#include "throttle.h"

#include <stdlib.h>

#include "memory.h"

/*
 * A minute as the API sees it: requests that left a minute apart may arrive a
 * little closer.
 */
#define MINUTE_MS 60200

/* A burst has the tokens of so long. */
#define BURST_MS 2000

/* Long before any clock began, so that what was never sent is long ago. */
#define NEVER_MS (-10 * INT64_C(60000))

static double
interval_ms(const Throttle *throttle)
{
	return (double) MINUTE_MS / throttle->per_minute;
}

/* The tokens of a burst, but for the one that each request takes, in time. */
static double
tolerance_ms(const Throttle *throttle)
{
	double		tolerance = BURST_MS - interval_ms(throttle);

	return tolerance > 0 ? tolerance : 0;
}

static int64_t
latest(int64_t one, int64_t other)
{
	return one > other ? one : other;
}

void
throttle_set(Throttle *throttle, int per_minute, int64_t now_ms)
{
	int64_t    *sent_at_ms;
	int			kept = throttle->per_minute < per_minute ? throttle->per_minute : per_minute;

	if (per_minute == throttle->per_minute)
		return;
	sent_at_ms = per_minute > 0 ? allocate(per_minute * sizeof(int64_t)) : NULL;
	for (int i = 0; i < per_minute; i++)
		sent_at_ms[i] = NEVER_MS;
	/* the latest of the old ring end the new one, whose oldest comes first */
	for (int i = 1; i <= kept; i++)
		sent_at_ms[per_minute - i] = throttle->sent_at_ms
			[(throttle->next + throttle->per_minute - i) % throttle->per_minute];
	free(throttle->sent_at_ms);
	throttle->sent_at_ms = sent_at_ms;
	throttle->next = 0;
	throttle->per_minute = per_minute;
	if (per_minute > 0)
		throttle->next_token_ms = now_ms + tolerance_ms(throttle);
}

/* Never too early. */
static int64_t
rounded_up(double ms)
{
	int64_t		whole = (int64_t) ms;

	return whole < ms ? whole + 1 : whole;
}

int64_t
throttle_wait_ms(const Throttle *throttle, int64_t now_ms)
{
	int64_t		may_at_ms = throttle->held_until_ms;

	if (throttle->per_minute > 0)
	{
		may_at_ms = latest(may_at_ms, rounded_up(throttle->next_token_ms - tolerance_ms(throttle)));
		may_at_ms = latest(may_at_ms, throttle->sent_at_ms[throttle->next] + MINUTE_MS);
	}
	return latest(may_at_ms - now_ms, 0);
}

void
throttle_count(Throttle *throttle, int64_t now_ms)
{
	if (throttle->per_minute == 0)
		return;
	throttle->sent_at_ms[throttle->next] = now_ms;
	throttle->next = (throttle->next + 1) % throttle->per_minute;
	if (throttle->next_token_ms < now_ms)
		throttle->next_token_ms = (double) now_ms;
	throttle->next_token_ms += interval_ms(throttle);
}

void
throttle_hold(Throttle *throttle, int64_t until_ms)
{
	throttle->held_until_ms = latest(throttle->held_until_ms, until_ms);
}
