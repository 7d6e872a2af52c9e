/*
 * trouble.c: blocks, rests and the circuit breaker of one server.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "dispatch/trouble.h"
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

static void
set_text(const Trouble *trouble, char **target, const char *text)
{
	char	   *copy = text ? MemoryContextStrdup(trouble->context, text) : NULL;

	if (*target != NULL)
		pfree(*target);
	*target = copy;
}

static bool
differs(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a != b : strcmp(a, b) != 0;
}

bool
trouble_is_left_alone(const Trouble *trouble, Monotonic now)
{
	return !monotonic_is_reached(trouble->until, now);
}

TimestampTz
trouble_shows_until(const Trouble *trouble)
{
	Clocks		clocks = clocks_read();

	return clocks_show(&clocks, trouble->until);
}

bool
trouble_is_probing(const Trouble *trouble)
{
	return trouble->kind != TROUBLE_NONE;
}

static bool
is_resting(const Trouble *trouble, Monotonic now)
{
	return trouble->kind == TROUBLE_RESTING && trouble_is_left_alone(trouble, now);
}

/* A client that may look is not yet one that may send. */
static bool
is_cure(Step step, Step succeeded)
{
	return step == STEP_CHECK || succeeded != STEP_CHECK;
}

static void
forget_notice(Trouble *trouble)
{
	trouble->changed |= trouble->notice != NULL;
	set_text(trouble, &trouble->notice, NULL);
	set_text(trouble, &trouble->notice_detail, NULL);
}

static void
begin(Trouble *trouble, TroubleKind kind, Step step, const char *reason, const char *detail)
{
	trouble->changed |= trouble->kind != kind || differs(trouble->reason, reason);
	trouble->step = step;
	/* whom it met first is enough: the one who tries it now is another each time */
	if (trouble->kind != kind || differs(trouble->reason, reason))
		set_text(trouble, &trouble->detail, detail);
	set_text(trouble, &trouble->reason, reason);
	trouble->kind = kind;
}

static void
end(Trouble *trouble)
{
	trouble->changed |= trouble->kind != TROUBLE_NONE;
	trouble->release |= trouble->kind != TROUBLE_NONE;
	trouble->kind = TROUBLE_NONE;
	trouble->until = (Monotonic) {0};
	trouble->pause_ms = 0;
	trouble->failures = 0;
	set_text(trouble, &trouble->reason, NULL);
	set_text(trouble, &trouble->detail, NULL);
}

/* Only the first of many that failed together lengthens the pause. */
static void
lengthen(Trouble *trouble, TroubleKind kind, int64 first_ms, int64 longest_ms, Monotonic now)
{
	if (trouble->kind != kind)
		trouble->pause_ms = 0;
	else if (trouble_is_left_alone(trouble, now))
		return;
	trouble->pause_ms = next_pause_ms(trouble->pause_ms, first_ms, longest_ms);
	trouble->until = monotonic_after(now, trouble->pause_ms);
}

void
trouble_block(Trouble *trouble, TroubleKind kind, Step step, const char *reason,
			  const char *detail, Monotonic now)
{
	/* one that rests is left alone already, and until then */
	if (is_resting(trouble, now))
		return;
	lengthen(trouble, kind, FIRST_PAUSE_MS,
			 kind == TROUBLE_REFUSED ? LONGEST_REFUSED_MS : LONGEST_PAUSE_MS, now);
	forget_notice(trouble);
	begin(trouble, kind, step, reason, detail);
}

void
trouble_rest(Trouble *trouble, Step step, int64 asked_ms, const char *reason, Monotonic now)
{
	bool		resting = is_resting(trouble, now);
	Monotonic	until = monotonic_after(now, asked_ms);
	bool		longer = !monotonic_is_reached(until, monotonic_after(trouble->until, SAME_REST_MS));

	/* once it was a POST, a look does not tell that it is over */
	if (trouble->kind == TROUBLE_RESTING && trouble->step != STEP_CHECK)
		step = trouble->step;
	if (asked_ms <= 0)
		lengthen(trouble, TROUBLE_RESTING, FIRST_REST_MS, LONGEST_REST_MS, now);
	else
		trouble->until = resting ? monotonic_later(trouble->until, until) : until;
	trouble->changed |= !resting || (asked_ms > 0 && longer);
	begin(trouble, TROUBLE_RESTING, step, reason, NULL);
}

void
trouble_note_failure(Trouble *trouble, int most, const char *reason, Monotonic now)
{
	if (most == 0 || ++trouble->failures < most || is_resting(trouble, now))
		return;
	lengthen(trouble, TROUBLE_FAILING, FIRST_PAUSE_MS, LONGEST_PAUSE_MS, now);
	begin(trouble, TROUBLE_FAILING, STEP_CHECK,
		  psprintf("%d calls in a row failed (%s)", most, reason ? reason : "no reason given"), NULL);
}

void
trouble_note_answer(Trouble *trouble, Step step, Monotonic now)
{
	trouble->failures = 0;
	/* what was on the wire when the API asked for a rest does not end it */
	if (trouble->kind == TROUBLE_FAILING ||
		(trouble->kind == TROUBLE_RESTING && is_cure(trouble->step, step) && !is_resting(trouble, now)))
		end(trouble);
}

void
trouble_note_success(Trouble *trouble, Step step, Monotonic now)
{
	blame_success(&trouble->blame, step, now.us);
	if (is_cure(trouble->notice_step, step))
		forget_notice(trouble);
	if ((trouble->kind == TROUBLE_REFUSED || trouble->kind == TROUBLE_UNUSABLE) &&
		is_cure(trouble->step, step))
		end(trouble);
}

void
trouble_notice(Trouble *trouble, Step step, const char *reason, const char *detail)
{
	if (trouble->kind != TROUBLE_NONE)
		return;
	set_text(trouble, &trouble->notice, reason);
	set_text(trouble, &trouble->notice_detail, detail);
	trouble->notice_step = step;
	trouble->changed = true;
}

void
trouble_forget(Trouble *trouble)
{
	end(trouble);
	forget_notice(trouble);
	memset(&trouble->blame, 0, sizeof(trouble->blame));
}

void
trouble_try_again(Trouble *trouble)
{
	/* but what the API said stays said */
	if (trouble->kind == TROUBLE_NONE || trouble->kind == TROUBLE_RESTING)
		return;
	trouble->until = (Monotonic) {0};
	trouble->release = true;
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
inherited_until(const TroubleRow *row, const Clocks *clocks)
{
	int64		us = row->until - clocks->wall;

	if (clocks->wall < row->since)
		us = Min(us, row->until - row->since);
	return monotonic_after(clocks->now, us / 1000 + 1);
}

/*
 * A block for refusals goes on, so that each restart does not cost a nudge a
 * refusal of its own; one nudge tries it at once.  Other troubles will show
 * again, unless the API said until when.
 */
void
trouble_inherit(Trouble *trouble, const TroubleRow *row, const Clocks *clocks)
{
	Step		step = STEP_CHECK;
	bool		of_step = read_step(row->step, &step);

	if (row->state == NULL)
		return;
	if (row->until > clocks->wall)
	{
		begin(trouble, TROUBLE_RESTING, step, row->reason, NULL);
		trouble->until = inherited_until(row, clocks);
	}
	else if (of_step && strcmp(row->state, "attention") == 0)
		trouble_notice(trouble, step, row->reason, row->detail);
	else if (of_step && strcmp(row->state, "blocked") == 0)
	{
		begin(trouble, TROUBLE_REFUSED, step, row->reason, row->detail);
		blame_inherit(&trouble->blame, step);
		trouble->release = true;
	}
	/* it is in the table already, or is not to be there any more */
	trouble->changed = trouble->kind == TROUBLE_NONE && trouble->notice == NULL;
}

TroubleRow
trouble_row(const Trouble *trouble)
{
	bool		resting = trouble->kind == TROUBLE_RESTING;
	TroubleRow	row = {
		.state = resting ? "resting" : "blocked",
		.reason = trouble->reason,
		.detail = trouble->detail,
		.step = resting || trouble->kind == TROUBLE_REFUSED ? step_name(trouble->step) : NULL,
		.until = resting ? trouble_shows_until(trouble) : 0,
	};

	if (trouble->kind != TROUBLE_NONE)
		return row;
	if (trouble->notice == NULL)
		return (TroubleRow) {NULL};
	return (TroubleRow) {.state = "attention", .reason = trouble->notice,
		.detail = trouble->notice_detail, .step = step_name(trouble->notice_step)};
}

static bool
is_worth_saying(const Trouble *trouble)
{
	return trouble->kind != TROUBLE_RESTING ||
		monotonic_ms_until(trouble->until, monotonic_now()) >= WORTH_SAYING_MS;
}

void
trouble_say(Trouble *trouble, const char *server, int level)
{
	if (trouble->reason != NULL && differs(trouble->reason, trouble->said) && is_worth_saying(trouble))
	{
		ereport(level,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("server \"%s\" is %s: %s", server,
						trouble->kind == TROUBLE_RESTING ? "left to rest" : "blocked", trouble->reason),
				 errdetail("Its nudges stay due; it is tried again from time to time."),
				 errhint("The view reengage.health has what the API said.")));
		set_text(trouble, &trouble->said, trouble->reason);
	}
	else if (trouble->reason == NULL && trouble->said != NULL)
	{
		ereport(LOG, (errmsg("server \"%s\" is called again", server)));
		set_text(trouble, &trouble->said, NULL);
	}
	trouble->changed = false;
}
