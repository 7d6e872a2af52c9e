/*
 * watch_test.c: how long somebody has been listened for.
 */
#include "watch.h"

#include "tap.h"

static Monotonic
at_us(int64_t us)
{
	return (Monotonic) {us};
}

/* Looks each "step_us" until "to_us", and returns how often it was time to. */
static int
look_often(Watch *watch, int64_t from_us, int64_t to_us, int64_t step_us)
{
	int			looks = 0;

	for (int64_t us = from_us; us <= to_us; us += step_us)
		looks += watch_look(watch, at_us(us));
	return looks;
}

static void
test_counting(void)
{
	Watch		watch = {0};
	int64_t		before;
	int			looks;

	ok(watch_look(&watch, at_us(5000000)), "the first look is one");
	before = watch.ms;
	ok(!watch_look(&watch, at_us(5000100)), "the next one, right behind it, is not");
	ok(watch.ms == before, "and counts nothing");
	looks = look_often(&watch, 5000200, 6000000, 100);
	ok(watch.ms - before <= 1000, "ten thousand turns within a second are a second");
	ok(watch.ms - before >= 1000 - SHORTEST_WATCH_MS, "and no less");
	ok(looks <= 1000 / SHORTEST_WATCH_MS, "all that is waited for is looked at ten times in it, at most");
	before = watch.ms;
	ok(watch_look(&watch, at_us(7000000)) && watch.ms - before >= 1000, "a turn a second counts in full");
	before = watch.ms;
	ok(watch_look(&watch, at_us(INT64_C(3607000000))) && watch.ms - before == LONGEST_WATCH_MS,
	   "of an hour in which nobody looked two seconds are counted");
}

/* However turns and deadlines meet. */
static void
test_deadlines(void)
{
	const int64_t patience_ms = 3000;
	bool		too_early = false;
	bool		too_late = false;

	for (int64_t asked_at = 5000000; asked_at < 5300000; asked_at += 700)
		for (int64_t step = 100; step < 1000000; step *= 3)
		{
			Watch		watch = {0};
			int64_t		deadline;
			int64_t		now = asked_at;

			look_often(&watch, 5000000, asked_at, 37000);
			deadline = watch_deadline(&watch, patience_ms);
			while (!watch_is_over(&watch, deadline))
			{
				now += step;
				watch_look(&watch, at_us(now));
			}
			too_early |= now - asked_at < patience_ms * 1000;
			too_late |= now - asked_at > (patience_ms + 3 * SHORTEST_WATCH_MS) * 1000 + 2 * step;
		}
	ok(!too_early, "nobody is given up before the time is over, however often it is looked");
	ok(!too_late, "nor much later");
}

int
main(void)
{
	test_counting();
	test_deadlines();
	return done_testing();
}
