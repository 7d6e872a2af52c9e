/*
 * retry_test.c: how long to wait before the next attempt.
 */
#include "retry.h"

#include <limits.h>

#include "tap.h"

#define ALMOST_ONE 0.99999999999999988898	/* the largest double below 1 */
#define DAY_MS INT64_C(86400000)

typedef struct DelayCase
{
	const char *name;
	int			attempt;
	int64_t		retry_after_ms;
	double		random;
	int64_t		wanted;
} DelayCase;

static const DelayCase delay_cases[] = {
	{"first attempt, no luck", 1, -1, 0.0, 0},
	{"first attempt, half", 1, -1, 0.5, 500},
	{"first attempt, at most", 1, -1, ALMOST_ONE, 999},
	{"second attempt doubles", 2, -1, 0.5, 1000},
	{"third attempt doubles again", 3, -1, 0.5, 2000},
	{"tenth attempt, below the cap", 10, -1, 0.5, 256000},
	{"eleventh attempt, capped", 11, -1, 0.5, 300000},
	{"eleventh attempt, at most", 11, -1, ALMOST_ONE, RETRY_CAP_MS - 1},
	{"attempt 12", 12, -1, 0.5, 300000},
	{"attempt 64: no shift is too far", 64, -1, 0.5, 300000},
	{"attempt INT_MAX", INT_MAX, -1, 0.5, 300000},
	{"attempt 0 counts as the first", 0, -1, 0.5, 500},
	{"a negative attempt too", INT_MIN, -1, 0.5, 500},
	{"Retry-After 0 is an answer", 5, 0, 0.0, 0},
	{"Retry-After 0, jitter", 5, 0, ALMOST_ONE, 999},
	{"Retry-After 7 s", 1, 7000, 0.0, 7000},
	{"Retry-After 7 s, jitter is added", 1, 7000, 0.5, 7500},
	{"Retry-After is not doubled", 20, 7000, 0.0, 7000},
	{"Retry-After may pass the cap", 1, DAY_MS, 0.0, DAY_MS},
	{"but not a day", 1, DAY_MS + 1, 0.0, DAY_MS},
	{"nor be a month", 1, 30 * DAY_MS, 0.5, DAY_MS + 500},
	{"Retry-After below zero was not said", 1, -2, 0.5, 500},
	{"Retry-After far below zero", 1, INT64_MIN, 0.5, 500},
};

static int64_t
smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void
test_range(void)
{
	int			out_of_range = 0;
	int			too_early = 0;
	int			shrinking = 0;

	for (int attempt = 0; attempt <= 100; attempt++)
		for (int step = 0; step < 1000; step++)
		{
			double		random = step / 1000.0;
			int64_t		delay = retry_delay_ms(attempt, -1, random);
			int64_t		ceiling = attempt > 11 ? RETRY_CAP_MS :
				smaller(INT64_C(1000) << (attempt > 1 ? attempt - 1 : 0), RETRY_CAP_MS);
			int64_t		asked = (int64_t) step * attempt;
			int64_t		told = retry_delay_ms(attempt, asked, random);

			out_of_range += delay < 0 || delay >= ceiling;
			too_early += told < asked || told >= asked + 1000;
			shrinking += retry_delay_ms(attempt + 1, -1, random) < delay;
		}
	is_number(out_of_range, 0, "the jitter fills [0, ceiling) and no more");
	is_number(too_early, 0, "never before Retry-After, and within a second after it");
	is_number(shrinking, 0, "with the same luck a later attempt never waits less");
}

/* The number comes out of a message, and nothing bounds it there. */
static void
test_endless_retry_after(void)
{
	ok(retry_delay_ms(1, INT64_MAX - 1000, ALMOST_ONE) >= DAY_MS, "Retry-After just below the limit");
	is_number(retry_delay_ms(1, INT64_MAX, 0.0), DAY_MS, "Retry-After INT64_MAX is a day");
	is_number(retry_delay_ms(1, INT64_MAX, ALMOST_ONE), DAY_MS + 999, "and does not overflow");
}

/* The pauses that do not depend on luck. */
static void
test_pauses(void)
{
	int64_t		pause = 0;
	int64_t		total = 0;

	for (int i = 0; i < 8; i++)
		total += pause = next_pause_ms(pause, 1000, 60000);
	is_number(pause, 60000, "pauses double up to the longest");
	is_number(total, 1000 + 2000 + 4000 + 8000 + 16000 + 32000 + 60000 + 60000, "from the first");
	is_number(next_pause_ms(-1, 5000, 60000), 5000, "a pause that makes no sense is none");
	is_number(busy_delay_ms(0), 60000, "a busy customer: at first a minute");
	is_number(busy_delay_ms(5), 900000, "then up to a quarter of an hour");
	is_number(busy_delay_ms(INT_MAX), 900000, "however often");
	is_number(spread_delay_ms(0, ALMOST_ONE), 999, "after a rest: spread over a second");
	is_number(spread_delay_ms(4, 0.5), 8000, "which doubles for whoever was put back");
	is_number(spread_delay_ms(INT_MAX, 0.5), 30000, "up to a minute");
	is_number(spread_delay_ms(7, 0.0), 0, "and may be nothing");
}

int
main(void)
{
	test_pauses();
	for (size_t i = 0; i < sizeof(delay_cases) / sizeof(delay_cases[0]); i++)
	{
		const DelayCase *c = &delay_cases[i];

		is_number(retry_delay_ms(c->attempt, c->retry_after_ms, c->random), c->wanted, c->name);
	}
	test_range();
	test_endless_retry_after();
	return done_testing();
}
