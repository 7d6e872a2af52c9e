/*
 * news.c: when to look after what other nodes have said.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/latch.h"

#include "process/news.h"
#include "store/store_news.h"
#include "store/tick.h"

/* What failed is tried again after this. */
#define PAUSE_MS (60 * 1000)

static void
tend_news(void *argument)
{
	*(int *) argument = store_tend_news();
}

static void
note_failure(News *news, ErrorData *error)
{
	if (!news->failed)
		tick_log(error);
	FreeErrorData(error);
	news->failed = true;
	news->not_before = monotonic_after(monotonic_now(), PAUSE_MS);
}

static void
make_step(News *news)
{
	int			next_ms = -1;
	ErrorData  *error;
	bool		installed = tick_run(TICK_IN_WORKER, tend_news, &next_ms, &error);

	/* whoever set the latch while the transaction waited for something is not lost */
	SetLatch(MyLatch);
	if (error != NULL)
		note_failure(news, error);
	else if (installed)
	{
		news->failed = false;
		news->is_quiet = next_ms < 0;
		news->not_before = monotonic_after(monotonic_now(), Max(next_ms, 0));
	}
}

void
news_init(News *news)
{
	memset(news, 0, sizeof(News));
}

long
news_turn(News *news, EngineCondition condition, long timeout)
{
	long		pause;

	/* what was heard meanwhile waits until the database is armed */
	if (condition != ENGINE_DISPATCHING || news->is_quiet)
		return timeout;
	if (monotonic_ms_until(news->not_before, monotonic_now()) == 0)
		make_step(news);
	if (news->is_quiet)
		return timeout;
	pause = (long) monotonic_ms_until(news->not_before, monotonic_now());
	return timeout < 0 ? pause : Min(timeout, pause);
}
