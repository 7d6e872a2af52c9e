/*
 * monotonic.c: times of the clock that nobody sets.
 */
#include "monotonic.h"

Monotonic
monotonic_after(Monotonic time, int64_t ms)
{
	int64_t		us;

	if (time.us == INT64_MAX || ms > INT64_MAX / 1000 ||
		__builtin_add_overflow(time.us, ms * 1000, &us))
		return MONOTONIC_NEVER;
	return (Monotonic) {us};
}

bool
monotonic_is_reached(Monotonic time, Monotonic now)
{
	return time.us <= now.us;
}

int64_t
monotonic_ms_until(Monotonic time, Monotonic now)
{
	int64_t		us = time.us - now.us;

	if (time.us <= now.us)
		return 0;
	return us / 1000 + (us % 1000 > 0);
}

Monotonic
monotonic_earlier(Monotonic one, Monotonic other)
{
	return one.us < other.us ? one : other;
}

Monotonic
monotonic_later(Monotonic one, Monotonic other)
{
	return one.us > other.us ? one : other;
}
