/*
 * answer.c: from when on what a customer writes is an answer.
 */
#include "answer.h"

#define MILLISECOND INT64_C(1000)
#define SECOND INT64_C(1000000)

#define MARGIN_SHARE 100
#define MARGIN_MAX (5 * SECOND)

int64_t
answer_last_moment(int64_t given)
{
	int64_t		unit = given % SECOND == 0 ? SECOND : given % MILLISECOND == 0 ? MILLISECOND : 1;

	return given > INT64_MAX - unit ? given : given + unit - 1;
}

int64_t
answer_clock_margin(int64_t asked_at, int64_t now)
{
	int64_t		waited = now > asked_at ? now - asked_at : 0;

	return waited / MARGIN_SHARE < MARGIN_MAX ? waited / MARGIN_SHARE : MARGIN_MAX;
}
