/*
 * breaker.c: what is said and written down of a server's circuit breaker.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/kept_text.h"
#include "dispatch/breaker.h"

/* A shorter rest is no news for the log. */
#define WORTH_SAYING_MS 5000

TimestampTz
breaker_shows_until(const Breaker *breaker)
{
	Clocks		clocks = clocks_read();

	return clocks_show(&clocks, breaker->circuit.until);
}

static void
forget_notice(Breaker *breaker)
{
	breaker->changed |= breaker->notice != NULL;
	keep_text(breaker->context, &breaker->notice, NULL);
	keep_text(breaker->context, &breaker->notice_detail, NULL);
}

/* It was opened for a cause, or by another one "before". */
static void
keep_reason(Breaker *breaker, CircuitCause before, const char *reason, const char *detail)
{
	bool		is_another = breaker->circuit.cause != before || texts_differ(breaker->reason, reason);

	breaker->changed |= is_another;
	/* whom it met first is enough: the one who tries it now is another each time */
	if (is_another)
		keep_text(breaker->context, &breaker->detail, detail);
	keep_text(breaker->context, &breaker->reason, reason);
}

static void
forget_reason(Breaker *breaker)
{
	breaker->changed = true;
	breaker->release = true;
	keep_text(breaker->context, &breaker->reason, NULL);
	keep_text(breaker->context, &breaker->detail, NULL);
}

void
breaker_block(Breaker *breaker, CircuitCause cause, Step step, const char *reason,
			  const char *detail, Monotonic now)
{
	CircuitCause before = breaker->circuit.cause;

	if (!circuit_block(&breaker->circuit, cause, step, now))
		return;
	forget_notice(breaker);
	keep_reason(breaker, before, reason, detail);
}

void
breaker_rest(Breaker *breaker, Step step, int64 asked_ms, const char *reason, Monotonic now)
{
	CircuitCause before = breaker->circuit.cause;

	breaker->changed |= circuit_rest(&breaker->circuit, step, asked_ms, now);
	keep_reason(breaker, before, reason, NULL);
}

void
breaker_note_failure(Breaker *breaker, int most, const char *reason, Monotonic now)
{
	CircuitCause before = breaker->circuit.cause;

	if (circuit_note_failure(&breaker->circuit, most, now))
		keep_reason(breaker, before,
					psprintf("%d %s in a row failed (%s)", most, most == 1 ? "call" : "calls", reason ? reason : "no reason given"), NULL);
}

void
breaker_note_answer(Breaker *breaker, Step step, Monotonic now)
{
	if (circuit_note_answer(&breaker->circuit, step, now))
		forget_reason(breaker);
}

void
breaker_note_success(Breaker *breaker, Step step, Monotonic now)
{
	blame_success(&breaker->blame, step, now.us);
	if (circuit_is_cure(breaker->notice_step, step))
		forget_notice(breaker);
	if (circuit_note_success(&breaker->circuit, step))
		forget_reason(breaker);
}

void
breaker_notice(Breaker *breaker, Step step, const char *reason, const char *detail)
{
	if (!circuit_is_closed(&breaker->circuit))
		return;
	keep_text(breaker->context, &breaker->notice, reason);
	keep_text(breaker->context, &breaker->notice_detail, detail);
	breaker->notice_step = step;
	breaker->changed = true;
}

void
breaker_forget(Breaker *breaker)
{
	if (circuit_close(&breaker->circuit))
		forget_reason(breaker);
	forget_notice(breaker);
	memset(&breaker->blame, 0, sizeof(breaker->blame));
}

void
breaker_try_again(Breaker *breaker)
{
	breaker->release |= circuit_try_again(&breaker->circuit);
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
		circuit_inherit_rest(&breaker->circuit, step, inherited_until(row, clocks));
		keep_text(breaker->context, &breaker->reason, row->reason);
	}
	else if (of_step && strcmp(row->state, "attention") == 0)
		breaker_notice(breaker, step, row->reason, row->detail);
	else if (of_step && strcmp(row->state, "blocked") == 0)
	{
		circuit_inherit_refusal(&breaker->circuit, step);
		keep_text(breaker->context, &breaker->reason, row->reason);
		keep_text(breaker->context, &breaker->detail, row->detail);
		blame_inherit(&breaker->blame, step);
		breaker->release = true;
	}
	/* it is in the table already, or is not to be there any more */
	breaker->changed = circuit_is_closed(&breaker->circuit) && breaker->notice == NULL;
}

ServerStateRow
breaker_row(const Breaker *breaker)
{
	const Circuit *circuit = &breaker->circuit;
	bool		resting = circuit->cause == CIRCUIT_RESTING;
	ServerStateRow	row = {
		.state = resting ? "resting" : "blocked",
		.reason = breaker->reason,
		.detail = breaker->detail,
		.step = resting || circuit->cause == CIRCUIT_REFUSED ? step_name(circuit->step) : NULL,
		.until = resting ? breaker_shows_until(breaker) : 0,
	};

	if (!circuit_is_closed(circuit))
		return row;
	if (breaker->notice == NULL)
		return (ServerStateRow) {NULL};
	return (ServerStateRow) {.state = "attention", .reason = breaker->notice,
		.detail = breaker->notice_detail, .step = step_name(breaker->notice_step)};
}

static bool
is_worth_saying(const Breaker *breaker)
{
	return breaker->circuit.cause != CIRCUIT_RESTING ||
		monotonic_ms_until(breaker->circuit.until, monotonic_now()) >= WORTH_SAYING_MS;
}

void
breaker_say(Breaker *breaker, const char *server)
{
	if (breaker->reason != NULL && texts_differ(breaker->reason, breaker->said) && is_worth_saying(breaker))
	{
		ereport(WARNING,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("server \"%s\" is %s: %s", server,
						breaker->circuit.cause == CIRCUIT_RESTING ? "left to rest" : "blocked", breaker->reason),
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
