/*
 * clocks.c: the two clocks.
 */
#include "postgres.h"

#include <time.h>

#include "common/int.h"
#include "utils/timestamp.h"

#include "base/clocks.h"

/*
 * A clock that was set is noticed within this time.  It is how often PostgreSQL's
 * WAL writer wakes up that has nothing to do.
 */
#define LONGEST_SLEEP_MS (5 * 1000)

/* Less is a leap second, or a moment between the two readings. */
#define SET_BACK_US (2 * USECS_PER_SEC)

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
clocks_look_again(const Clocks *clocks, TimestampTz due_at)
{
	if (due_at == DT_NOEND)
		return MONOTONIC_NEVER;
	if (due_at <= clocks->wall)
		return clocks->now;
	/* a difference is zero at the least, and INT_MAX at the most */
	return monotonic_after(clocks->now, Min(TimestampDifferenceMilliseconds(clocks->wall, due_at), LONGEST_SLEEP_MS));
}

TimestampTz
clocks_show(const Clocks *clocks, Monotonic when)
{
	int64		us;

	if (when.us == MONOTONIC_NEVER.us || pg_add_s64_overflow(clocks->wall, when.us - clocks->now.us, &us))
		return DT_NOEND;
	return us;
}

int64
clocks_set_back(const Clocks *before, const Clocks *after)
{
	int64		back = before->wall + (after->now.us - before->now.us) - after->wall;

	return before->now.us != 0 && back >= SET_BACK_US ? back : 0;
}
