/*
 * silence.c: until nothing that was allowed before can leave any more.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"

#include "base/clocks.h"
#include "base/wait_events.h"
#include "last_word.h"

PG_FUNCTION_INFO_V1(reengage_await_silence);

Datum
reengage_await_silence(PG_FUNCTION_ARGS)
{
	Monotonic	over = monotonic_after(monotonic_now(), LAST_WORD_MS);
	int64		left_ms;

	while ((left_ms = monotonic_ms_until(over, monotonic_now())) > 0)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, left_ms, wait_event(WAIT_FOR_SILENCE));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	PG_RETURN_VOID();
}
