/*
 * answer_test.c: from when on what a customer writes is an answer.
 */
#include "answer.h"

#include "tap.h"

#define SECOND INT64_C(1000000)
/* 2026-11-20 18:02:00 UTC, since 2000 */
#define EVENING INT64_C(848512920000000)

static void
test_last_moment(void)
{
	const struct
	{
		int64_t		given;
		int64_t		last;
		const char *name;
	}			cases[] = {
		{EVENING, EVENING + 999999, "a time to the second is all of its second"},
		{EVENING + 734000, EVENING + 734999, "one to the millisecond all of its millisecond"},
		{EVENING + 734001, EVENING + 734001, "one to the microsecond is itself"},
		{EVENING - 1, EVENING - 1, "however near to a second it is"},
		{-3 * SECOND, -2 * SECOND - 1, "before the epoch, too"},
		{-1500, -1500, "and to the microsecond"},
		{-2000, -1001, "and to the millisecond"},
		{INT64_MAX, INT64_MAX, "the end of time has nothing behind it"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_number(answer_last_moment(cases[i].given), cases[i].last, cases[i].name);
}

static void
test_clock_margin(void)
{
	const struct
	{
		int64_t		waited;
		int64_t		margin;
		const char *name;
	}			cases[] = {
		{-SECOND, 0, "a clock that was set back: none"},
		{0, 0, "at once: none"},
		{3 * SECOND, 30000, "after three seconds: thirty milliseconds"},
		{100 * SECOND, SECOND, "after a hundred: one"},
		{500 * SECOND, 5 * SECOND, "after five hundred: five"},
		{501 * SECOND, 5 * SECOND, "and never more"},
		{INT64_C(86400) * 365 * 100 * SECOND, 5 * SECOND, "after a hundred years, too"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_number(answer_clock_margin(EVENING, EVENING + cases[i].waited), cases[i].margin, cases[i].name);
}

int
main(void)
{
	test_last_moment();
	test_clock_margin();
	return done_testing();
}
