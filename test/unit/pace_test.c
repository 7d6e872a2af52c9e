/*
 * pace_test.c: how many are started a minute.
 */
#include "pace.h"

#include "tap.h"

#define DAY_MS INT64_C(86400000)

static Monotonic
at_ms(int64_t ms)
{
	return (Monotonic) {ms * 1000};
}

static void
a_burst_and_a_minute(void)
{
	Pace		pace = {0};

	ok(pace_room(&pace, 2, at_ms(10500)) == 2, "at first there is room");
	ok(pace_opens_at(&pace, 2).us == 0, "which it has had since ever");
	pace_count(&pace, at_ms(10500));
	pace_count(&pace, at_ms(20900));
	ok(pace_room(&pace, 2, at_ms(20900)) == 0, "then there is none");
	ok(pace_room(&pace, 5, at_ms(20900)) == 3, "but for another limit");
	ok(pace_opens_at(&pace, 2).us == at_ms(71000).us, "one place is free a minute later");
	ok(pace_opens_at(&pace, 1).us == at_ms(81000).us, "both are when the second one is");
	ok(pace_room(&pace, 2, at_ms(70999)) == 0, "not before");
	ok(pace_room(&pace, 2, at_ms(71000)) == 1, "but then");
	ok(pace_room(&pace, 2, at_ms(DAY_MS)) == 2, "a day later all is free");
}

static void
what_was_not_started(void)
{
	Pace		pace = {0};

	pace_count(&pace, at_ms(100));
	pace_count(&pace, at_ms(1100));
	pace_take_back(&pace, at_ms(1100));
	ok(pace_room(&pace, 2, at_ms(1200)) == 1, "what was not started leaves its place");
	pace_take_back(&pace, at_ms(1100));
	pace_take_back(&pace, at_ms(5000));
	ok(pace_room(&pace, 2, at_ms(61500)) == 2, "nothing is taken back twice");
	pace_count(&pace, at_ms(61500));
	pace_take_back(&pace, at_ms(100));
	ok(pace_room(&pace, 2, at_ms(61500)) == 1, "nor when it counts no more");
}

/* Whenever somebody asks, whatever is taken back: no minute has more than the limit. */
static void
any_minute(void)
{
	static Monotonic starts[100000];
	Pace		pace = {0};
	uint64_t	state = 7;
	int64_t		now_ms = 0;
	int			count = 0;
	bool		kept = true;
	bool		opened = true;

	for (int i = 0; i < 100000; i++)
	{
		state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		now_ms += (state >> 33) % (i % 50 == 0 ? 70000 : 800);
		if (pace_room(&pace, 50, at_ms(now_ms)) == 0)
		{
			Monotonic	opens = pace_opens_at(&pace, 50);
			Pace		then = pace;

			opened = opened && opens.us > at_ms(now_ms).us && opens.us <= at_ms(now_ms + 61000).us &&
				pace_room(&then, 50, opens) > 0;
			continue;
		}
		pace_count(&pace, at_ms(now_ms));
		if ((state >> 50) % 5 == 0)
		{
			pace_take_back(&pace, at_ms(now_ms));
			continue;
		}
		starts[count++] = at_ms(now_ms);
		kept = kept && (count <= 50 || starts[count - 1].us - starts[count - 51].us > 60000000);
	}
	ok(kept && count > 10000, "no minute has more");
	ok(opened, "and there is room when it says so");
}

int
main(void)
{
	a_burst_and_a_minute();
	what_was_not_started();
	any_minute();
	return done_testing();
}
