/*
 * circuit_test.c: when a server is left alone, and what ends that.
 */
#include "circuit.h"

#include "tap.h"

#define MINUTE_MS 60000

static Monotonic
at_ms(int64_t ms)
{
	return (Monotonic) {INT64_C(1000000000) + ms * 1000};
}

/* How long it is left alone, from then on. */
static int64_t
left_alone_ms(const Circuit *circuit, int64_t ms)
{
	return monotonic_ms_until(circuit->until, at_ms(ms));
}

static void
room_of_each_state(void)
{
	Circuit		circuit = {0};

	ok(circuit_is_closed(&circuit) && !circuit_is_open(&circuit, at_ms(0)), "at first it is closed");
	is_number(circuit_room(&circuit, 50, 12, at_ms(0)), 38, "so as many go as may");
	circuit_block(&circuit, CIRCUIT_UNUSABLE, STEP_CHECK, at_ms(0));
	is_number(circuit_room(&circuit, 50, 0, at_ms(4999)), 0, "while it is open, none does");
	ok(!circuit_is_open(&circuit, at_ms(5000)) && !circuit_is_closed(&circuit), "then it is half open");
	is_number(circuit_room(&circuit, 50, 0, at_ms(5000)), 1, "one nudge tries it");
	is_number(circuit_room(&circuit, 50, 1, at_ms(5000)), 0, "one at a time");
	ok(circuit_room(&circuit, 50, 12, at_ms(5000)) <= 0, "nor another one while others are still under way");
	circuit_note_success(&circuit, STEP_CHECK);
	is_number(circuit_room(&circuit, 50, 1, at_ms(5001)), 49, "once it is closed, all do again");
}

static void
pauses_grow(void)
{
	static const struct
	{
		CircuitCause cause;
		int64_t		longest_ms;
		const char *name;
	}			cases[] = {
		{CIRCUIT_REFUSED, MINUTE_MS, "refusals: doubling to a minute"},
		{CIRCUIT_UNUSABLE, 5 * MINUTE_MS, "unusable: doubling to five minutes"},
		{CIRCUIT_FAILING, 5 * MINUTE_MS, "failures: likewise"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		Circuit		circuit = {0};
		int64_t		expected = 5000;
		int64_t		now = 0;
		bool		as_expected = true;

		for (int nth = 0; nth < 10; nth++)
		{
			for (int together = 0; together < 5; together++)
				if (cases[i].cause == CIRCUIT_FAILING)
					circuit_note_failure(&circuit, 1, at_ms(now + together));
				else
					circuit_block(&circuit, cases[i].cause, STEP_CHECK, at_ms(now + together));
			as_expected = as_expected && left_alone_ms(&circuit, now) == expected;
			now += expected;
			expected = expected * 2 < cases[i].longest_ms ? expected * 2 : cases[i].longest_ms;
		}
		ok(as_expected, "%s; those that fail together count once", cases[i].name);
	}
}

static void
another_cause_begins_anew(void)
{
	Circuit		circuit = {0};

	circuit_block(&circuit, CIRCUIT_UNUSABLE, STEP_CHECK, at_ms(0));
	circuit_block(&circuit, CIRCUIT_UNUSABLE, STEP_CHECK, at_ms(5000));
	is_number(left_alone_ms(&circuit, 5000), 10000, "the second pause is longer");
	circuit_block(&circuit, CIRCUIT_REFUSED, STEP_CREATE, at_ms(15000));
	is_number(left_alone_ms(&circuit, 15000), 5000, "for another cause it is the first");
	circuit_close(&circuit);
	circuit_block(&circuit, CIRCUIT_REFUSED, STEP_CREATE, at_ms(20000));
	is_number(left_alone_ms(&circuit, 20000), 5000, "as it is after it was closed");
}

static void
failures_in_a_row(void)
{
	Circuit		circuit = {0};

	ok(!circuit_note_failure(&circuit, 3, at_ms(0)) && !circuit_note_failure(&circuit, 3, at_ms(1)), "two of three");
	ok(!circuit_note_answer(&circuit, STEP_CHECK, at_ms(2)), "then an answer, which closes nothing");
	ok(!circuit_note_failure(&circuit, 3, at_ms(3)) && !circuit_note_failure(&circuit, 3, at_ms(4)), "so they count from one");
	ok(circuit_note_failure(&circuit, 3, at_ms(5)) && circuit.cause == CIRCUIT_FAILING, "the third in a row opens it");
	ok(circuit_note_answer(&circuit, STEP_NOTIFY, at_ms(6)) && circuit_is_closed(&circuit), "any answer closes it");
	for (int i = 0; i < 100; i++)
		circuit_note_failure(&circuit, 0, at_ms(10));
	ok(circuit_is_closed(&circuit), "0: however many fail, it stays closed");
}

static void
cures(void)
{
	for (Step refused = STEP_CHECK; refused < STEP_COUNT; refused++)
		for (Step succeeded = STEP_CHECK; succeeded < STEP_COUNT; succeeded++)
		{
			Circuit		circuit = {0};
			bool		cured = refused == STEP_CHECK || succeeded != STEP_CHECK;

			circuit_block(&circuit, CIRCUIT_REFUSED, refused, at_ms(0));
			ok(circuit_note_success(&circuit, succeeded) == cured && circuit_is_closed(&circuit) == cured,
			   "refused to %s: that it may %s is %s", step_name(refused), step_name(succeeded), cured ? "the cure" : "none");
		}
}

static void
an_answer_is_no_cure_of_a_block(void)
{
	Circuit		circuit = {0};

	circuit_block(&circuit, CIRCUIT_REFUSED, STEP_CHECK, at_ms(0));
	ok(!circuit_note_answer(&circuit, STEP_CHECK, at_ms(1)), "another refusal is an answer, too: it stays blocked");
	ok(circuit_try_again(&circuit) && !circuit_is_open(&circuit, at_ms(1)), "other credentials: it is tried at once");
	is_number(circuit_room(&circuit, 50, 0, at_ms(1)), 1, "by one nudge");
	ok(circuit_close(&circuit) && !circuit_close(&circuit), "it is closed once");
	ok(!circuit_try_again(&circuit), "what is closed is not tried");
}

static void
rests(void)
{
	Circuit		circuit = {0};

	ok(circuit_rest(&circuit, STEP_NOTIFY, 30000, at_ms(0)), "\"not now\" is news");
	is_number(left_alone_ms(&circuit, 0), 30000, "for as long as the API said");
	ok(!circuit_rest(&circuit, STEP_CHECK, 29000, at_ms(1000)), "said again for the same time, it is none");
	ok(circuit_rest(&circuit, STEP_CHECK, 60000, at_ms(1000)), "a longer one is");
	circuit_rest(&circuit, STEP_CHECK, 1000, at_ms(2000));
	is_number(left_alone_ms(&circuit, 2000), 59000, "a shorter one does not shorten it");
	ok(!circuit_block(&circuit, CIRCUIT_UNUSABLE, STEP_CHECK, at_ms(3000)) &&
	   circuit.cause == CIRCUIT_RESTING, "what rests is not blocked on top");
	ok(!circuit_note_failure(&circuit, 1, at_ms(3000)), "nor does it fail");
	ok(!circuit_try_again(&circuit) && circuit_is_open(&circuit, at_ms(3000)), "other credentials do not end it");
	ok(!circuit_note_answer(&circuit, STEP_NOTIFY, at_ms(4000)), "an answer to what was on the wire does not end it");
	ok(!circuit_note_answer(&circuit, STEP_CHECK, at_ms(70000)), "nor does a look, once it was a POST");
	ok(circuit_note_answer(&circuit, STEP_NOTIFY, at_ms(70000)), "a POST that is answered after it does");
}

static void
rests_without_a_time(void)
{
	Circuit		circuit = {0};
	int64_t		now = 0;
	int64_t		expected = 1000;
	bool		as_expected = true;

	for (int i = 0; i < 10; i++)
	{
		circuit_rest(&circuit, STEP_CHECK, i % 2 == 0 ? -1 : 0, at_ms(now));
		as_expected = as_expected && left_alone_ms(&circuit, now) == expected;
		now += expected;
		expected = expected * 2 < MINUTE_MS ? expected * 2 : MINUTE_MS;
	}
	ok(as_expected, "without a time it rests for a second, which doubles to a minute");
}

static void
inherited(void)
{
	Circuit		circuit = {0};

	circuit_inherit_rest(&circuit, STEP_CREATE, at_ms(9000));
	ok(circuit.cause == CIRCUIT_RESTING && circuit_is_open(&circuit, at_ms(8999)), "a rest goes on in another process");
	circuit = (Circuit) {0};
	circuit_inherit_refusal(&circuit, STEP_CREATE);
	is_number(circuit_room(&circuit, 50, 0, at_ms(0)), 1, "a block for refusals is tried at once, by one");
	ok(!circuit_note_success(&circuit, STEP_CHECK) && circuit_note_success(&circuit, STEP_CREATE), "its cure is the same");
}

/* Whatever happens: never more than one while it is not closed, and never for ever. */
static void
laws(void)
{
	Circuit		circuit = {0};
	uint64_t	state = 11;
	int64_t		now = 0;
	bool		one_at_a_time = true;
	bool		ends = true;
	int			opened = 0;

	for (int i = 0; i < 200000; i++)
	{
		Step		step;

		state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		step = (Step) ((state >> 40) % STEP_COUNT);
		now += (state >> 33) % 3000;
		switch ((state >> 50) % 6)
		{
			case 0:
				circuit_block(&circuit, (state >> 20) & 1 ? CIRCUIT_REFUSED : CIRCUIT_UNUSABLE, step, at_ms(now));
				break;
			case 1:
				circuit_rest(&circuit, step, (int64_t) ((state >> 10) % 100000) - 50000, at_ms(now));
				break;
			case 2:
				circuit_note_failure(&circuit, 2, at_ms(now));
				break;
			case 3:
				circuit_note_answer(&circuit, step, at_ms(now));
				break;
			case 4:
				circuit_note_success(&circuit, step);
				break;
			default:
				circuit_try_again(&circuit);
		}
		opened += circuit_is_open(&circuit, at_ms(now));
		one_at_a_time = one_at_a_time &&
			circuit_room(&circuit, 50, 0, at_ms(now)) <= (circuit_is_closed(&circuit) ? 50 : 1) &&
			(circuit_room(&circuit, 50, 0, at_ms(now)) == 0) == circuit_is_open(&circuit, at_ms(now));
		ends = ends && left_alone_ms(&circuit, now) <= 5 * MINUTE_MS;
	}
	ok(one_at_a_time && opened > 10000, "while it is open none goes, and while it is half open one at a time");
	ok(ends, "and it is never left alone for longer than its longest pause");
}

int
main(void)
{
	room_of_each_state();
	pauses_grow();
	another_cause_begins_anew();
	failures_in_a_row();
	cures();
	an_answer_is_no_cure_of_a_block();
	rests();
	rests_without_a_time();
	inherited();
	laws();
	return done_testing();
}
