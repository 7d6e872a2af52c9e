/*
 * monotonic_test.c: times of the clock that nobody sets.
 */
#include "monotonic.h"

#include "tap.h"

static Monotonic
at_us(int64_t us)
{
	return (Monotonic) {us};
}

static void
test_pauses(void)
{
	Monotonic	now = at_us(5000000);

	is_number(monotonic_after(now, 250).us, 5250000, "a quarter of a second later");
	is_number(monotonic_after(now, -1000).us, 4000000, "a second earlier");
	ok(!monotonic_is_reached(monotonic_after(now, 1), now), "what is to come is not reached");
	ok(monotonic_is_reached(now, now), "now is");
	ok(monotonic_is_reached(at_us(0), now), "what never was set is");
	is_number(monotonic_ms_until(at_us(5001500), now), 2, "a wait is never too short");
	is_number(monotonic_ms_until(at_us(5002000), now), 2, "nor longer than it must be");
	is_number(monotonic_ms_until(at_us(4000000), now), 0, "what is over needs none");
}

static void
test_never(void)
{
	Monotonic	now = at_us(5000000);

	ok(!monotonic_is_reached(MONOTONIC_NEVER, at_us(INT64_MAX - 1)), "never is not reached");
	is_number(monotonic_after(MONOTONIC_NEVER, -1000).us, INT64_MAX, "nor is a second before it");
	is_number(monotonic_after(now, INT64_MAX).us, INT64_MAX, "a pause without end is never over");
	is_number(monotonic_after(now, INT64_MAX / 1000).us, INT64_MAX, "nor is one that no clock can show");
	is_number(monotonic_earlier(MONOTONIC_NEVER, now).us, now.us, "anything is earlier than never");
	is_number(monotonic_later(at_us(0), now).us, now.us, "and later than what never was");
}

int
main(void)
{
	test_pauses();
	test_never();
	return done_testing();
}
