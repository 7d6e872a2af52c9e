/*
 * retention.c: when to let go of what is old, and how much at a time.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/timestamp.h"

#include "base/settings.h"
#include "process/retention.h"
#include "store/store_retention.h"
#include "store/tick.h"

/* What failed is tried again after this. */
#define PAUSE_MS (60 * 1000)

/* prune() or forget() is at work, whom nobody waits for. */
#define BUSY_PAUSE_MS 1000

/*
 * By a clock that was set forward, or was wrong when the worker started, all may look
 * old.  Whoever set it by mistake has a day to see it: nothing that was let go comes
 * back.
 */
#define SET_FORWARD_US USECS_PER_HOUR
#define DISTRUST_MS (24 * 60 * 60 * 1000)

/* Rows in one transaction: some ten milliseconds, in which no reply is read. */
#define PART_ROWS 200

/* Of these a row takes a hundredth of the time. */
#define REST_ROWS 5000

/*
 * A part is followed by a pause, so many times as long as it took: a tenth of the
 * time while nudges are under way, half of it while there are none.
 */
#define PAUSES_WHEN_BUSY 9
#define PAUSES_WHEN_IDLE 1

static void
begin_pass(Retention *retention)
{
	retention->next_midnight = DT_NOBEGIN;
	retention->since = DT_NOBEGIN;
	retention->at_rest = false;
}

void
retention_init(Retention *retention)
{
	memset(retention, 0, sizeof(Retention));
	retention->followed = clocks_read();
	begin_pass(retention);
}

static void
distrust_clock(Retention *retention, const char *why)
{
	retention->distrusts_until = monotonic_after(monotonic_now(), DISTRUST_MS);
	/* who keeps everything need not know */
	if (reengage_retention > 0)
		ereport(LOG,
				(errmsg("nothing is pruned for a day: %s", why),
				 errhint("If the clock is right: CALL reengage.prune();")));
}

static bool
distrusts_clock(const Retention *retention)
{
	return monotonic_ms_until(retention->distrusts_until, monotonic_now()) > 0;
}

static void
prune_something(void *argument)
{
	Retention  *retention = argument;

	if (!retention->has_asked && store_clock_is_doubtful())
		distrust_clock(retention, "nothing was recorded in the week before yesterday, and the clock may be ahead");
	retention->has_asked = true;
	retention->waits = store_retention_is_busy();
	if (retention->waits || distrusts_clock(retention))
		return;
	if (!retention->at_rest)
		retention->at_rest = !store_prune_part(&retention->since, PART_ROWS);
	else if (!store_prune_rest(REST_ROWS))
	{
		begin_pass(retention);
		retention->completed_at = GetCurrentTransactionStartTimestamp();
		retention->next_midnight = clocks_midnight_after(GetCurrentTransactionStartTimestamp());
	}
}

static void
note_failure(Retention *retention, ErrorData *error)
{
	if (!retention->failed)
		tick_log(error);
	FreeErrorData(error);
	retention->failed = true;
	retention->not_before = monotonic_after(monotonic_now(), PAUSE_MS);
}

/* One transaction; what it did is believed when it has committed. */
static void
make_step(Retention *retention, bool busy)
{
	Retention	after = *retention;
	Monotonic	began = monotonic_now();
	ErrorData  *error;
	bool		installed = tick_run(TICK_IN_WORKER, prune_something, &after, &error);

	/* whoever set the latch while the transaction waited for something is not lost */
	SetLatch(MyLatch);
	if (error != NULL)
		note_failure(retention, error);
	else if (installed)
	{
		Monotonic	ended = monotonic_now();
		int64		took = Max(1, monotonic_ms_until(ended, began));

		*retention = after;
		retention->failed = false;
		if (retention->waits)
			took = BUSY_PAUSE_MS;
		retention->not_before = monotonic_after(ended, took * (busy ? PAUSES_WHEN_BUSY : PAUSES_WHEN_IDLE));
	}
}

/* Milliseconds until the next part; 0: now. */
static long
next_part(const Retention *retention)
{
	Clocks		clocks = clocks_read();
	long		pause = (long) Max(monotonic_ms_until(retention->not_before, clocks.now),
								   monotonic_ms_until(retention->distrusts_until, clocks.now));

	return Max(pause, clocks_ms_until_midnight(&clocks, retention->next_midnight));
}

static void
watch_clock(Retention *retention)
{
	Clocks		clocks = clocks_read();
	int64		forward = clocks_set_forward(&retention->followed, &clocks);

	retention->followed = clocks;
	if (forward >= SET_FORWARD_US)
		distrust_clock(retention, psprintf("the clock was set forward by %lld minutes",
										   (long long) ((forward + USECS_PER_MINUTE / 2) / USECS_PER_MINUTE)));
}

/* Another setting, and another day that may go, begin it anew. */
static void
follow_changes(Retention *retention, const Manifest *manifest)
{
	if (retention->minutes != reengage_retention || (retention->day_is_counted && !manifest->counting))
		begin_pass(retention);
	/* nobody is behind with what was not wanted before */
	if (retention->minutes != reengage_retention)
		retention->completed_at = reengage_retention > 0 ? clocks_read().wall : 0;
	retention->minutes = reengage_retention;
	retention->day_is_counted = manifest->counting;
}

long
retention_turn(Retention *retention, const Manifest *manifest, EngineState state, long timeout)
{
	long		pause;

	watch_clock(retention);
	/* a copy is for those who look at it */
	if (state.condition != ENGINE_DISPATCHING)
		return timeout;
	follow_changes(retention, manifest);
	if (retention->minutes == 0)
		return timeout;
	if (next_part(retention) == 0)
		make_step(retention, state.in_flight > 0);
	pause = next_part(retention);
	return timeout < 0 ? pause : Min(timeout, pause);
}

TimestampTz
retention_waits_until(const Retention *retention)
{
	Clocks		clocks = clocks_read();

	return distrusts_clock(retention) ? clocks_show(&clocks, retention->distrusts_until) : 0;
}
