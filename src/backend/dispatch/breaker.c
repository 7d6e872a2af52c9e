/*
 * breaker.c: blocks, rests and the circuit breaker of one server.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/kept_text.h"
#include "dispatch/breaker.h"
#include "retry.h"

#define FIRST_PAUSE_MS (5 * 1000)
#define LONGEST_PAUSE_MS (5 * 60 * 1000)

/*
 * A refusal may be that of a few recipients after all: whoever else comes must
 * not wait for long.
 */
#define LONGEST_REFUSED_MS (60 * 1000)

/* Of rests for which the API named no time. */
#define FIRST_REST_MS 1000
#define LONGEST_REST_MS (60 * 1000)

/* So far apart are the replies of calls that were on the wire together. */
#define SAME_REST_MS 2000

/* A shorter rest is no news for the log. */
#define WORTH_SAYING_MS 5000

bool
breaker_is_open(const Breaker *breaker, Monotonic now)
{
	return !monotonic_is_reached(breaker->until, now);
}

TimestampTz
breaker_shows_until(const Breaker *breaker)
{
	Clocks		clocks = clocks_read();

	return clocks_show(&clocks, breaker->until);
}

bool
breaker_is_half_open(const Breaker *breaker)
{
	return breaker->cause != BREAKER_CLOSED;
}

static bool
is_resting(const Breaker *breaker, Monotonic now)
{
	return breaker->cause == BREAKER_RESTING && breaker_is_open(breaker, now);
}

/* A client that may look is not yet one that may send. */
static bool
is_cure(Step step, Step succeeded)
{
	return step == STEP_CHECK || succeeded != STEP_CHECK;
}

static void
forget_notice(Breaker *breaker)
{
	breaker->changed |= breaker->notice != NULL;
	keep_text(breaker->context, &breaker->notice, NULL);
	keep_text(breaker->context, &breaker->notice_detail, NULL);
}

static void
open_breaker(Breaker *breaker, BreakerCause cause, Step step, const char *reason, const char *detail)
{
	breaker->changed |= breaker->cause != cause || texts_differ(breaker->reason, reason);
	breaker->step = step;
	/* whom it met first is enough: the one who tries it now is another each time */
	if (breaker->cause != cause || texts_differ(breaker->reason, reason))
		keep_text(breaker->context, &breaker->detail, detail);
	keep_text(breaker->context, &breaker->reason, reason);
	breaker->cause = cause;
}

static void
close_breaker(Breaker *breaker)
{
	breaker->changed |= breaker->cause != BREAKER_CLOSED;
	breaker->release |= breaker->cause != BREAKER_CLOSED;
	breaker->cause = BREAKER_CLOSED;
	breaker->until = (Monotonic) {0};
	breaker->pause_ms = 0;
	breaker->failures = 0;
	keep_text(breaker->context, &breaker->reason, NULL);
	keep_text(breaker->context, &breaker->detail, NULL);
}

/* Only the first of many that failed together lengthens the pause. */
static void
lengthen_pause(Breaker *breaker, BreakerCause cause, int64 first_ms, int64 longest_ms, Monotonic now)
{
	if (breaker->cause != cause)
		breaker->pause_ms = 0;
	else if (breaker_is_open(breaker, now))
		return;
	breaker->pause_ms = next_pause_ms(breaker->pause_ms, first_ms, longest_ms);
	breaker->until = monotonic_after(now, breaker->pause_ms);
}

void
breaker_block(Breaker *breaker, BreakerCause cause, Step step, const char *reason,
			  const char *detail, Monotonic now)
{
	/* one that rests is left alone already, and until then */
	if (is_resting(breaker, now))
		return;
	lengthen_pause(breaker, cause, FIRST_PAUSE_MS,
			 cause == BREAKER_REFUSED ? LONGEST_REFUSED_MS : LONGEST_PAUSE_MS, now);
	forget_notice(breaker);
	open_breaker(breaker, cause, step, reason, detail);
}

void
breaker_rest(Breaker *breaker, Step step, int64 asked_ms, const char *reason, Monotonic now)
{
	bool		resting = is_resting(breaker, now);
	Monotonic	until = monotonic_after(now, asked_ms);
	bool		longer = !monotonic_is_reached(until, monotonic_after(breaker->until, SAME_REST_MS));

	/* once it was a POST, a look does not tell that it is over */
	if (breaker->cause == BREAKER_RESTING && breaker->step != STEP_CHECK)
		step = breaker->step;
	if (asked_ms <= 0)
		lengthen_pause(breaker, BREAKER_RESTING, FIRST_REST_MS, LONGEST_REST_MS, now);
	else
		breaker->until = resting ? monotonic_later(breaker->until, until) : until;
	breaker->changed |= !resting || (asked_ms > 0 && longer);
	open_breaker(breaker, BREAKER_RESTING, step, reason, NULL);
}

void
breaker_note_failure(Breaker *breaker, int most, const char *reason, Monotonic now)
{
	if (most == 0 || ++breaker->failures < most || is_resting(breaker, now))
		return;
	lengthen_pause(breaker, BREAKER_FAILING, FIRST_PAUSE_MS, LONGEST_PAUSE_MS, now);
	open_breaker(breaker, BREAKER_FAILING, STEP_CHECK,
		  psprintf("%d calls in a row failed (%s)", most, reason ? reason : "no reason given"), NULL);
}

void
breaker_note_answer(Breaker *breaker, Step step, Monotonic now)
{
	breaker->failures = 0;
	/* what was on the wire when the API asked for a rest does not end it */
	if (breaker->cause == BREAKER_FAILING ||
		(breaker->cause == BREAKER_RESTING && is_cure(breaker->step, step) && !is_resting(breaker, now)))
		close_breaker(breaker);
}

void
breaker_note_success(Breaker *breaker, Step step, Monotonic now)
{
	blame_success(&breaker->blame, step, now.us);
	if (is_cure(breaker->notice_step, step))
		forget_notice(breaker);
	if ((breaker->cause == BREAKER_REFUSED || breaker->cause == BREAKER_UNUSABLE) &&
		is_cure(breaker->step, step))
		close_breaker(breaker);
}

void
breaker_notice(Breaker *breaker, Step step, const char *reason, const char *detail)
{
	if (breaker->cause != BREAKER_CLOSED)
		return;
	keep_text(breaker->context, &breaker->notice, reason);
	keep_text(breaker->context, &breaker->notice_detail, detail);
	breaker->notice_step = step;
	breaker->changed = true;
}

void
breaker_forget(Breaker *breaker)
{
	close_breaker(breaker);
	forget_notice(breaker);
	memset(&breaker->blame, 0, sizeof(breaker->blame));
}

void
breaker_try_again(Breaker *breaker)
{
	/* but what the API said stays said */
	if (breaker->cause == BREAKER_CLOSED || breaker->cause == BREAKER_RESTING)
		return;
	breaker->until = (Monotonic) {0};
	breaker->release = true;
}

/* --- what others see ---------------------------------------------------------- */

/* The kind of call that it was about is written down with refusals only. */
static bool
read_step(const char *name, Step *step)
{
	for (int i = 0; name != NULL && i < STEP_COUNT; i++)
		if (strcmp(step_name((Step) i), name) == 0)
		{
			*step = (Step) i;
			return true;
		}
	return false;
}

/* Until when, of a time that was written by a clock which was set back since, perhaps. */
static Monotonic
inherited_until(const ServerStateRow *row, const Clocks *clocks)
{
	int64		us = row->until - clocks->wall;

	if (clocks->wall < row->since)
		us = Min(us, row->until - row->since);
	return monotonic_after(clocks->now, us / 1000 + 1);
}

/*
 * A block for refusals goes on, so that each restart does not cost a nudge a
 * refusal of its own; one nudge tries it at once.  What else was wrong will show
 * again, unless the API said until when.
 */
void
breaker_inherit(Breaker *breaker, const ServerStateRow *row, const Clocks *clocks)
{
	Step		step = STEP_CHECK;
	bool		of_step = read_step(row->step, &step);

	if (row->state == NULL)
		return;
	if (row->until > clocks->wall)
	{
		open_breaker(breaker, BREAKER_RESTING, step, row->reason, NULL);
		breaker->until = inherited_until(row, clocks);
	}
	else if (of_step && strcmp(row->state, "attention") == 0)
		breaker_notice(breaker, step, row->reason, row->detail);
	else if (of_step && strcmp(row->state, "blocked") == 0)
	{
		open_breaker(breaker, BREAKER_REFUSED, step, row->reason, row->detail);
		blame_inherit(&breaker->blame, step);
		breaker->release = true;
	}
	/* it is in the table already, or is not to be there any more */
	breaker->changed = breaker->cause == BREAKER_CLOSED && breaker->notice == NULL;
}

ServerStateRow
breaker_row(const Breaker *breaker)
{
	bool		resting = breaker->cause == BREAKER_RESTING;
	ServerStateRow	row = {
		.state = resting ? "resting" : "blocked",
		.reason = breaker->reason,
		.detail = breaker->detail,
		.step = resting || breaker->cause == BREAKER_REFUSED ? step_name(breaker->step) : NULL,
		.until = resting ? breaker_shows_until(breaker) : 0,
	};

	if (breaker->cause != BREAKER_CLOSED)
		return row;
	if (breaker->notice == NULL)
		return (ServerStateRow) {NULL};
	return (ServerStateRow) {.state = "attention", .reason = breaker->notice,
		.detail = breaker->notice_detail, .step = step_name(breaker->notice_step)};
}

static bool
is_worth_saying(const Breaker *breaker)
{
	return breaker->cause != BREAKER_RESTING ||
		monotonic_ms_until(breaker->until, monotonic_now()) >= WORTH_SAYING_MS;
}

void
breaker_say(Breaker *breaker, const char *server)
{
	if (breaker->reason != NULL && texts_differ(breaker->reason, breaker->said) && is_worth_saying(breaker))
	{
		ereport(WARNING,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("server \"%s\" is %s: %s", server,
						breaker->cause == BREAKER_RESTING ? "left to rest" : "blocked", breaker->reason),
				 errdetail("Its nudges stay due; it is tried again from time to time."),
				 errhint("The view reengage.health has what the API said.")));
		keep_text(breaker->context, &breaker->said, breaker->reason);
	}
	else if (breaker->reason == NULL && breaker->said != NULL)
	{
		ereport(LOG, (errmsg("server \"%s\" is called again", server)));
		keep_text(breaker->context, &breaker->said, NULL);
	}
	breaker->changed = false;
}
