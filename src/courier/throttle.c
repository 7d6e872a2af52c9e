/*
 * throttle.c: how often a server may be called.
 */
#include "throttle.h"

#include <stdlib.h>

#include "memory.h"
#include "retry.h"

/*
 * A minute as the API sees it: requests that left a minute apart may arrive a
 * little closer.
 */
#define MINUTE_MS 60200

/* After a rest, the requests of so long may go at once. */
#define BURST_MS 2000

/* After a limit was met whose end the API does not tell: from, and up to. */
#define FIRST_PAUSE_MS 1000
#define LONGEST_PAUSE_MS MINUTE_MS

/* Long before any clock began, so that what was never sent is long ago. */
#define NEVER_MS (-10 * INT64_C(60000))

static double
emission_interval_ms(const Throttle *throttle, int64_t now_ms)
{
	double		interval = (double) MINUTE_MS / throttle->per_minute;

	return now_ms < throttle->slow_until_ms ? 2 * interval : interval;
}

/* GCRA: how far a request may be ahead of its theoretical arrival time. */
static double
burst_tolerance_ms(const Throttle *throttle, int64_t now_ms)
{
	double		interval = emission_interval_ms(throttle, now_ms);
	double		tolerance = BURST_MS - interval;
	double		least = (REQUESTS_OF_NUDGE - 1) * interval;

	return tolerance > least ? tolerance : least;
}

/*
 * Whoever waits for a whole burst loses what comes while he wakes up, so that
 * only a small one is asked for in full.
 */
static int
most_at_once(const Throttle *throttle, int count, int64_t now_ms)
{
	double		most = burst_tolerance_ms(throttle, now_ms) / emission_interval_ms(throttle, now_ms) - 1;

	if (most < REQUESTS_OF_NUDGE)
		most = REQUESTS_OF_NUDGE;
	if (most > throttle->per_minute)
		most = throttle->per_minute;
	return count < most ? count : (int) most;
}

static int64_t
later_of(int64_t one, int64_t other)
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
		throttle->arrival_ms = now_ms + burst_tolerance_ms(throttle, now_ms) -
			(REQUESTS_OF_NUDGE - 1) * emission_interval_ms(throttle, now_ms);
}

/* Never too early. */
static int64_t
rounded_up(double ms)
{
	int64_t		whole = (int64_t) ms;

	return whole < ms ? whole + 1 : whole;
}

int64_t
throttle_wait_ms(const Throttle *throttle, int count, int64_t now_ms)
{
	int64_t		may_at_ms = throttle_rests_until_ms(throttle);

	if (throttle->per_minute > 0)
	{
		int			others = most_at_once(throttle, count, now_ms) - 1;
		int			last = (throttle->next + others) % throttle->per_minute;

		may_at_ms = later_of(may_at_ms, rounded_up(throttle->arrival_ms + others * emission_interval_ms(throttle, now_ms) -
												 burst_tolerance_ms(throttle, now_ms)));
		may_at_ms = later_of(may_at_ms, throttle->sent_at_ms[last] + MINUTE_MS);
	}
	return later_of(may_at_ms - now_ms, 0);
}

void
throttle_count(Throttle *throttle, int64_t now_ms)
{
	if (throttle->per_minute == 0)
		return;
	throttle->sent_at_ms[throttle->next] = now_ms;
	throttle->next = (throttle->next + 1) % throttle->per_minute;
	if (throttle->arrival_ms < now_ms)
		throttle->arrival_ms = (double) now_ms;
	throttle->arrival_ms += emission_interval_ms(throttle, now_ms);
}

void
throttle_end_pause(Throttle *throttle)
{
	throttle->paused_until_ms = 0;
	throttle->limits = 0;
}

int64_t
throttle_rests_until_ms(const Throttle *throttle)
{
	return later_of(throttle->held_until_ms, throttle->paused_until_ms);
}

bool
throttle_has_room(const Throttle *throttle)
{
	return throttle->allowed == 0 || throttle->out < throttle->allowed;
}

int64_t
throttle_waits_since_ms(const Throttle *throttle, int64_t now_ms)
{
	return throttle_has_room(throttle) ? 0 : now_ms - throttle->begun_at_ms;
}

int
throttle_begin(Throttle *throttle, int64_t now_ms)
{
	throttle_count(throttle, now_ms);
	throttle->out++;
	throttle->begun_at_ms = now_ms;
	return throttle->round;
}

/* What others of an earlier round hear is the same limit once more. */
static void
meet_limit(Throttle *throttle, bool is_new, int64_t *until_ms, int64_t pause_ms, int64_t now_ms)
{
	/* the last one is long over */
	if (now_ms >= throttle->slow_until_ms)
		throttle->limits = 0;
	if (pause_ms < 0)
		pause_ms = is_new ? nth_pause_ms(throttle->limits + 1, FIRST_PAUSE_MS, LONGEST_PAUSE_MS) : 0;
	*until_ms = later_of(*until_ms, now_ms + pause_ms);
	throttle->slow_until_ms = later_of(throttle->slow_until_ms, throttle_rests_until_ms(throttle) + MINUTE_MS);
	if (!is_new)
		return;
	throttle->round++;
	throttle->limits++;
	throttle->allowed = 1;
	throttle->out = 0;
}

/* As many as the server has room for are no bound any more. */
static void
allow_another(Throttle *throttle, int most)
{
	if (throttle->allowed == 0)
		return;
	throttle->allowed++;
	if (throttle->allowed < most)
		return;
	throttle->allowed = 0;
	throttle->limits = 0;
}

void
throttle_end(Throttle *throttle, int round, Welcome welcome, int64_t pause_ms,
			 int most, int64_t now_ms)
{
	bool		is_current = round == throttle->round;

	if (is_current)
		throttle->out--;
	if (welcome == WELCOME_NOT_NOW)
		meet_limit(throttle, is_current, &throttle->held_until_ms, pause_ms, now_ms);
	else if (welcome == WELCOME_NOT_SOON)
		meet_limit(throttle, is_current, &throttle->paused_until_ms, pause_ms, now_ms);
	else if (is_current && welcome == WELCOME)
		allow_another(throttle, most);
	else if (is_current && welcome == WELCOME_UNKNOWN)
		/* it is in trouble of another kind, in which nobody counts */
		throttle->allowed = 0;
}
