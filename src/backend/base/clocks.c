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

/* So long nobody notices that it was set past midnight. */
#define LONGEST_NIGHT_MS (60 * 60 * 1000)

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

/* Timestamps count from a midnight in UTC, and the days are equally long. */
TimestampTz
clocks_midnight_after(TimestampTz time)
{
	return (time / USECS_PER_DAY + 1) * USECS_PER_DAY;
}

long
clocks_ms_until_midnight(const Clocks *clocks, TimestampTz midnight)
{
	if (midnight <= clocks->wall || midnight > clocks_midnight_after(clocks->wall))
		return 0;
	return Min(TimestampDifferenceMilliseconds(clocks->wall, midnight), LONGEST_NIGHT_MS);
}

/* How much more the wall clock says to have passed than the other one. */
static int64
time_gained(const Clocks *before, const Clocks *after)
{
	return before->now.us == 0 ? 0 : (after->wall - before->wall) - (after->now.us - before->now.us);
}

int64
clocks_set_back(const Clocks *before, const Clocks *after)
{
	int64		back = -time_gained(before, after);

	return back >= SET_BACK_US ? back : 0;
}

int64
clocks_set_forward(const Clocks *before, const Clocks *after)
{
	return Max(time_gained(before, after), 0);
}
