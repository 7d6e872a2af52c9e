/*
 * courier_throttle_test.c: how often a server may be called.
 */
#include "throttle.h"

#include <stdlib.h>

#include "tap.h"

#define MINUTE INT64_C(60000)

/* Sends as soon as it may, "count" times; the times go into "sent". */
static int64_t
send_all(Throttle *throttle, int64_t now, int count, int64_t *sent)
{
	for (int i = 0; i < count; i++)
	{
		now += throttle_wait_ms(throttle, now);
		throttle_count(throttle, now);
		sent[i] = now;
	}
	return now;
}

/* The most that any minute has, wherever it begins. */
static int
busiest_minute(const int64_t *sent, int count)
{
	int			most = 0;

	for (int first = 0, last = 0; last < count; last++)
	{
		while (sent[last] - sent[first] > MINUTE)
			first++;
		if (last - first + 1 > most)
			most = last - first + 1;
	}
	return most;
}

static void
test_limit(int per_minute, int64_t rest)
{
	Throttle	throttle = {0};
	int			count = per_minute * 5;
	int64_t    *sent = malloc(count * sizeof(int64_t));
	int64_t		begin = 1000 + rest;
	int64_t		end;
	double		ideal = 5.0 * MINUTE;

	throttle_set(&throttle, per_minute, 1000);
	end = send_all(&throttle, begin, count, sent);
	ok(busiest_minute(sent, count) <= per_minute, "%d a minute, after %d ms of rest: no minute has more",
	   per_minute, (int) rest);
	/* the first one goes at once, which at a few a minute is a large part */
	ok(end - begin <= ideal * 1.01 && end - begin >= ideal * 0.99 - 2000 - MINUTE / per_minute,
	   "%d a minute, after %d ms of rest: five minutes' worth takes five minutes", per_minute, (int) rest);
	throttle_set(&throttle, 0, end);
	free(sent);
}

static void
test_burst(void)
{
	Throttle	throttle = {0};
	int64_t		sent[300];

	throttle_set(&throttle, 300, 0);
	send_all(&throttle, 0, 2, sent);
	ok(sent[1] > 0, "it begins without a burst");
	send_all(&throttle, 10000, 20, sent);
	is_number(sent[8], 10000, "after a rest, two seconds' worth go out at once");
	ok(sent[10] > 10000, "and no more");
	throttle_set(&throttle, 0, 0);
}

static void
test_change(void)
{
	Throttle	throttle = {0};
	int64_t		sent[100];
	int64_t		now;

	is_number(throttle_wait_ms(&throttle, 5), 0, "without a limit nothing waits");
	throttle_count(&throttle, 5);
	throttle_set(&throttle, 100, 0);
	now = send_all(&throttle, 1000, 50, sent);
	throttle_set(&throttle, 10, now);
	ok(throttle_wait_ms(&throttle, now) > 50000, "a lower limit counts what was sent under the higher one");
	throttle_set(&throttle, 200, now);
	ok(throttle_wait_ms(&throttle, now) <= 301, "a higher one allows more at once");
	throttle_set(&throttle, 0, now);
	is_number(throttle_wait_ms(&throttle, now), 0, "none again");
}

static void
test_hold(void)
{
	Throttle	throttle = {0};

	throttle_hold(&throttle, 5000);
	throttle_hold(&throttle, 3000);
	is_number(throttle_wait_ms(&throttle, 1000), 4000, "the longer hold counts");
	is_number(throttle_wait_ms(&throttle, 5000), 0, "until its end");
	throttle_set(&throttle, 60, 1000);
	ok(throttle_wait_ms(&throttle, 1000) >= 4000, "a limit does not shorten it");
	throttle_set(&throttle, 0, 0);
}

int
main(void)
{
	static const int limits[] = {1, 2, 7, 10, 60, 300, 299, 1000, 6000, 100000};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
	{
		test_limit(limits[i], 0);
		test_limit(limits[i], 100000);
	}
	test_burst();
	test_change();
	test_hold();
	return done_testing();
}
