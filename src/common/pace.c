/*
 * pace.c: how many are started a minute.
 */
#include "pace.h"

#define SECOND_US 1000000

static int *
place_of(Pace *pace, int64_t second)
{
	return &pace->started[second % PACE_SECONDS];
}

/* What is older than a minute counts no more. */
static void
forget_older(Pace *pace, Monotonic now)
{
	int64_t		second = now.us / SECOND_US;

	if (pace->count == 0 || second - pace->second >= PACE_SECONDS)
		*pace = (Pace) {.second = second};
	while (pace->second < second)
	{
		int		   *oldest = place_of(pace, ++pace->second);

		pace->count -= *oldest;
		*oldest = 0;
	}
}

int
pace_room(Pace *pace, int per_minute, Monotonic now)
{
	forget_older(pace, now);
	return pace->count < per_minute ? per_minute - pace->count : 0;
}

void
pace_count(Pace *pace, Monotonic now)
{
	forget_older(pace, now);
	(*place_of(pace, pace->second))++;
	pace->count++;
}

void
pace_take_back(Pace *pace, Monotonic counted_at)
{
	int64_t		second = counted_at.us / SECOND_US;
	int		   *started = place_of(pace, second);

	if (second <= pace->second - PACE_SECONDS || second > pace->second || *started == 0)
		return;
	(*started)--;
	pace->count--;
}

Monotonic
pace_opens_at(const Pace *pace, int per_minute)
{
	int64_t		second = pace->second - PACE_SECONDS;
	int			left = pace->count;

	while (left >= per_minute && second < pace->second)
	{
		second++;
		left -= pace->started[(second + PACE_SECONDS) % PACE_SECONDS];
	}
	return (Monotonic) {left == pace->count ? 0 : (second + PACE_SECONDS) * SECOND_US};
}
