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
		now += throttle_wait_ms(throttle, 1, now);
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
	/* three go at once, which at a few a minute is a large part */
	ok(end - begin <= ideal * 1.01 && end - begin >= ideal * 0.99 - 2000 - 3 * MINUTE / per_minute,
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
	send_all(&throttle, 0, 4, sent);
	ok(sent[2] <= 1 && sent[3] > 100, "it begins with what one nudge may need");
	send_all(&throttle, 10000, 20, sent);
	/* 300 in a minute of 60.2 s: nine are 1.8 s, a tenth would be beyond two */
	is_number(sent[8], 10000, "after a rest, two seconds' worth go out at once");
	ok(sent[9] > 10000, "and no more");
	throttle_set(&throttle, 0, 0);
}

static void
test_several(void)
{
	Throttle	throttle = {0};
	int64_t		sent[10];

	throttle_set(&throttle, 10, 0);
	is_number(throttle_wait_ms(&throttle, 3, 0), 0, "a look and its message go together, however slow the pace is");
	throttle_count(&throttle, 0);
	is_number(throttle_wait_ms(&throttle, 2, 0), 0, "so that the message does not wait when the look is made");
	is_number(throttle_wait_ms(&throttle, 3, 0), 6020, "and the next look does");
	is_number(throttle_wait_ms(&throttle, 99, 0), 6020, "more than there ever are is as many as there may be");
	send_all(&throttle, 0, 9, sent);
	ok(throttle_wait_ms(&throttle, 3, sent[8]) + sent[8] >= 60200 + sent[1], "no minute has more than the limit for it");
	throttle_set(&throttle, 300, 100000);
	is_number(throttle_wait_ms(&throttle, 99, 200000), 0, "after a rest nothing waits");
	throttle_count(&throttle, 200000);
	is_number(throttle_wait_ms(&throttle, 99, 200000), 0, "and a bucket that is full enough is enough");
	throttle_set(&throttle, 0, 0);
}

static void
test_change(void)
{
	Throttle	throttle = {0};
	int64_t		sent[100];
	int64_t		now;

	is_number(throttle_wait_ms(&throttle, 1, 5), 0, "without a limit nothing waits");
	throttle_count(&throttle, 5);
	throttle_set(&throttle, 100, 0);
	now = send_all(&throttle, 1000, 50, sent);
	throttle_set(&throttle, 10, now);
	ok(throttle_wait_ms(&throttle, 1, now) > 50000, "a lower limit counts what was sent under the higher one");
	throttle_set(&throttle, 200, now);
	ok(throttle_wait_ms(&throttle, 1, now) <= 301, "a higher one allows more at once");
	throttle_set(&throttle, 0, now);
	is_number(throttle_wait_ms(&throttle, 1, now), 0, "none again");
}

/* A limit is met by one that was sent just now. */
static void
meet(Throttle *throttle, int64_t pause_ms, int64_t now)
{
	throttle_end(throttle, throttle_begin(throttle, now), WELCOME_NOT_SOON, pause_ms, 64, now);
}

static void
test_hold(void)
{
	Throttle	throttle = {0};
	int			first = throttle_begin(&throttle, 0);
	int			second = throttle_begin(&throttle, 0);
	int			third = throttle_begin(&throttle, 0);

	throttle_end(&throttle, first, WELCOME_NOT_NOW, 5000, 64, 0);
	throttle_end(&throttle, second, WELCOME_NOT_NOW, 3000, 64, 0);
	is_number(throttle_wait_ms(&throttle, 1, 1000), 4000, "the longer hold counts");
	throttle_end(&throttle, third, WELCOME_NOT_SOON, -1, 64, 4500);
	is_number(throttle_wait_ms(&throttle, 1, 5000), 0, "and others of its round do not prolong it");
	throttle_set(&throttle, 60, 1000);
	ok(throttle_wait_ms(&throttle, 1, 1000) >= 4000, "a limit does not shorten it");
	throttle_set(&throttle, 0, 0);
}

/* After a limit one goes first, and each answer allows one more at a time. */
static void
test_slow_start(void)
{
	Throttle	throttle = {0};
	int			rounds[64];
	int			at_once[8];
	int			old = throttle_begin(&throttle, 0);

	ok(throttle_has_room(&throttle), "without a limit there is room");
	meet(&throttle, 2000, 0);
	is_number(throttle_wait_ms(&throttle, 1, 0), 2000, "the pause that is asked for");
	for (int round = 0; round < 8; round++)
	{
		at_once[round] = 0;
		while (at_once[round] < 64 && throttle_has_room(&throttle))
			rounds[at_once[round]++] = throttle_begin(&throttle, 2000 + round);
		for (int i = 0; i < at_once[round]; i++)
			throttle_end(&throttle, rounds[i], WELCOME, -1, 64, 2000 + round);
	}
	for (int round = 0; round < 6; round++)
		is_number(at_once[round], 1 << round, "twice as many at once as before");
	is_number(at_once[7], 64, "in the end as many as there is room for");
	throttle_end(&throttle, old, WELCOME, -1, 64, 3000);
	is_number(throttle.out, 0, "all are accounted for");
}

static void
test_rounds(void)
{
	Throttle	throttle = {0};
	int			old[10];
	int			probe;

	for (int i = 0; i < 10; i++)
		old[i] = throttle_begin(&throttle, 0);
	for (int i = 0; i < 9; i++)
		throttle_end(&throttle, old[i], WELCOME_NOT_SOON, -1, 64, 0);
	is_number(throttle_wait_ms(&throttle, 1, 0), 1000, "nine limited answers at once are one limit");
	throttle_end(&throttle, old[9], WELCOME, -1, 64, 500);
	probe = throttle_begin(&throttle, 1000);
	ok(!throttle_has_room(&throttle), "an answer from before allows nothing");
	is_number(throttle_waits_since_ms(&throttle, 1700), 700, "the one that goes first is waited for");
	throttle_end(&throttle, probe, WELCOME_NOT_SOON, -1, 64, 1700);
	is_number(throttle_wait_ms(&throttle, 1, 1700), 2000, "the next pause is longer");
	ok(throttle_has_room(&throttle), "and another one may go first");
	is_number(throttle_waits_since_ms(&throttle, 9999), 0, "for which nobody waits yet");
	probe = throttle_begin(&throttle, 3700);
	throttle_end(&throttle, probe, WELCOME_UNKNOWN, -1, 64, 3800);
	ok(throttle_has_room(&throttle) && throttle.allowed == 0, "no answer is no limit");
}

static void
test_pauses(void)
{
	static const int64_t wanted[] = {1000, 2000, 4000, 8000, 16000, 32000, 60200, 60200, 60200};
	Throttle	throttle = {0};
	int64_t		now = 0;

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
	{
		meet(&throttle, -1, now);
		is_number(throttle_wait_ms(&throttle, 1, now), wanted[i], "pauses grow up to a minute");
		now += throttle_wait_ms(&throttle, 1, now);
	}
	/* what works now and then is no recovery */
	throttle_end(&throttle, throttle_begin(&throttle, now), WELCOME, -1, 64, now);
	meet(&throttle, -1, now);
	is_number(throttle_wait_ms(&throttle, 1, now), 60200, "one answer between does not shorten them");
	now += 60200;
	for (int i = 0; i < 64; i++)
		throttle_end(&throttle, throttle_begin(&throttle, now), WELCOME, -1, 64, now);
	meet(&throttle, -1, now);
	is_number(throttle_wait_ms(&throttle, 1, now), 1000, "a recovery does");
	now += 1000 + 60200;
	meet(&throttle, -1, now);
	is_number(throttle_wait_ms(&throttle, 1, now), 1000, "and so does a minute without");
	meet(&throttle, 7000, now);
	is_number(throttle_wait_ms(&throttle, 1, now), 7000, "and the API's own word counts");
}

static void
test_end_pause(void)
{
	Throttle	throttle = {0};

	meet(&throttle, 30000, 0);
	throttle_end_pause(&throttle);
	is_number(throttle_wait_ms(&throttle, 1, 0), 0, "a pause can be ended");
	throttle_begin(&throttle, 0);
	ok(!throttle_has_room(&throttle), "but one still goes first");
	throttle_end(&throttle, throttle.round, WELCOME_NOT_NOW, 20000, 64, 0);
	throttle_end_pause(&throttle);
	is_number(throttle_wait_ms(&throttle, 1, 0), 20000, "one that a header asks for cannot");
	for (int i = 0; i < 3; i++)
		meet(&throttle, -1, 20000);
	throttle_end_pause(&throttle);
	meet(&throttle, -1, 20000);
	is_number(throttle_wait_ms(&throttle, 1, 20000), 1000, "and the next one is as short as the first");
}

/* 600 a minute are 10 a second. */
static void
test_pace(void)
{
	Throttle	throttle = {0};
	int64_t		sent[100];
	int64_t		end;

	throttle_set(&throttle, 600, 0);
	meet(&throttle, 1000, 10000);
	throttle.allowed = 0;
	end = send_all(&throttle, 11000, 100, sent);
	ok(end - 11000 >= 17500 && end - 11000 <= 21000, "after a limit the pace is half: %d ms", (int) (end - 11000));
	end = send_all(&throttle, 11000 + 60200, 100, sent);
	ok(end - 71200 >= 7500 && end - 71200 <= 10500, "a minute later it is whole: %d ms", (int) (end - 71200));
	throttle_set(&throttle, 0, 0);
}

/* A server that has room for one is not waited for for ever. */
static void
test_most_one(void)
{
	Throttle	throttle = {0};

	meet(&throttle, 1000, 0);
	throttle_end(&throttle, throttle_begin(&throttle, 1000), WELCOME, -1, 1, 1000);
	is_number(throttle.allowed, 0, "one is as many as there is room for");
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
	test_several();
	test_change();
	test_hold();
	test_slow_start();
	test_rounds();
	test_pauses();
	test_end_pause();
	test_pace();
	test_most_one();
	return done_testing();
}
