/*
 * manifest.c: when to close a day, and how much at a time.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/timestamp.h"

#include "process/manifest.h"
#include "store/tick.h"

/* A day that is still open, and what failed, is looked at again after this. */
#define PAUSE_MS (60 * 1000)

/* Rows in one transaction: some ten milliseconds, in which no reply is read. */
#define PART_ROWS 5000

static void
find_day(Manifest *manifest)
{
	/* the time by which the tables were asked, which may be before midnight */
	TimestampTz asked_at = GetCurrentTransactionStartTimestamp();
	const char *holders;

	if (!store_find_day(&manifest->day, &holders))
		manifest->next_midnight = clocks_midnight_after(asked_at);
	else if (holders == NULL)
		manifest->counting = true;
	else
	{
		manifest->not_before = monotonic_after(monotonic_now(), PAUSE_MS);
		/* the same breaker again and again is one line in the log */
		if (!manifest->is_open_or_tried)
			ereport(LOG,
					(errmsg("lineage of %s cannot be closed yet, it is held open by %s",
							manifest->day.name, holders)));
	}
	manifest->is_open_or_tried = holders != NULL;
}

static void
count_part(Manifest *manifest)
{
	if (!store_count_part(&manifest->day, PART_ROWS))
		return;
	store_record_day(&manifest->day);
	manifest->counting = false;
}

static void
count_part_of_day(void *argument)
{
	Manifest   *manifest = argument;

	if (manifest->counting)
		count_part(manifest);
	else
		find_day(manifest);
}

static void
note_failure(Manifest *manifest, ErrorData *error)
{
	if (!manifest->is_open_or_tried)
		tick_log(error);
	FreeErrorData(error);
	manifest->is_open_or_tried = true;
	manifest->counting = false;
	manifest->not_before = monotonic_after(monotonic_now(), PAUSE_MS);
}

/* One transaction; what it found is believed when it has committed. */
static void
make_step(Manifest *manifest)
{
	Manifest	after = *manifest;
	ErrorData  *error;
	bool		installed = tick_run(TICK_IN_WORKER, count_part_of_day, &after, &error);

	/* whoever set the latch while the transaction waited for something is not lost */
	SetLatch(MyLatch);
	if (error != NULL)
		note_failure(manifest, error);
	else if (installed)
		*manifest = after;
	else
		manifest_init(manifest);
}

void
manifest_init(Manifest *manifest)
{
	memset(manifest, 0, sizeof(Manifest));
	manifest->next_midnight = DT_NOBEGIN;
}

/* Milliseconds until the next look; 0: now. */
static long
next_look(const Manifest *manifest)
{
	Clocks		clocks = clocks_read();
	long		pause = (long) monotonic_ms_until(manifest->not_before, clocks.now);

	return Max(pause, clocks_ms_until_midnight(&clocks, manifest->next_midnight));
}

long
manifest_turn(Manifest *manifest, EngineCondition condition, long timeout)
{
	long		pause;

	/* a copy has the manifest of its original, and writes none of its own */
	if (condition != ENGINE_DISPATCHING)
		return timeout;
	if (next_look(manifest) == 0)
		make_step(manifest);
	pause = next_look(manifest);
	return timeout < 0 ? pause : Min(timeout, pause);
}
