/*
 * clocks.c: the two clocks.
 */
#include "postgres.h"

#include <time.h>

#include "common/int.h"
#include "utils/timestamp.h"

#include "clocks.h"

Monotonic
monotonic_now(void)
{
	struct timespec now;

	/* it stands still while the machine sleeps, as whatever is watched does */
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (Monotonic) {now.tv_sec * USECS_PER_SEC + now.tv_nsec / 1000};
}

Clocks
clocks_read(void)
{
	return (Clocks) {monotonic_now(), GetCurrentTimestamp()};
}

Monotonic
clocks_when(const Clocks *clocks, TimestampTz wall)
{
	int64		us;

	if (wall == DT_NOEND)
		return MONOTONIC_NEVER;
	if (wall == DT_NOBEGIN || pg_sub_s64_overflow(wall, clocks->wall, &us) ||
		pg_add_s64_overflow(clocks->now.us, us, &us))
		return (Monotonic) {0};
	return (Monotonic) {us};
}

TimestampTz
clocks_show(const Clocks *clocks, Monotonic when)
{
	int64		us;

	if (when.us == MONOTONIC_NEVER.us || pg_add_s64_overflow(clocks->wall, when.us - clocks->now.us, &us))
		return DT_NOEND;
	return us;
}
