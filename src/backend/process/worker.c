/*
 * worker.c: the process that drives the engine of one database.
 *
 * It sleeps until something is due, somebody wakes it at commit, or the
 * courier answers; asleep it runs no query.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"

#include "base/clocks.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "dispatch/engine.h"
#include "process/manifest.h"
#include "process/news.h"
#include "process/retention.h"
#include "process/worker.h"
#include "store/tick.h"

/*
 * How long a shutdown waits for POSTs that are on the wire: each one that is
 * not waited for ends in doubt, and a fast shutdown should be fast.
 */
#define SHUTDOWN_GRACE_MS 2000

static WorkerPhase
phase_of(EngineCondition condition)
{
	switch (condition)
	{
		case ENGINE_DISPATCHING:
			return WORKER_RUNNING;
		case ENGINE_NO_EXTENSION:
			return WORKER_NO_EXTENSION;
		case ENGINE_NOT_ALONE:
			return WORKER_STANDING_BY;
		case ENGINE_FENCED:
			return WORKER_FENCED;
	}
	return WORKER_RUNNING;
}

static int64
ended_so_far(const Totals *totals)
{
	int64		ended = 0;

	for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++)
		ended += totals->ended[outcome];
	return ended;
}

static void
report_totals(int place, const Engine *engine, int64 *reported)
{
	EngineState state = engine_state(engine);
	int64		ended = ended_so_far(state.totals);

	shmem_report(place, phase_of(state.condition), state.in_flight, ended - *reported, state.followed);
	shmem_report_unwritten(place, state.waiting_lock, state.store_failed, state.unwritten_since);
	*reported = ended;
	/* the health view reads the fence itself */
	shmem_report_problem(place, state.condition == ENGINE_FENCED ? NULL : state.problem);
}

static void
reload_settings(Engine *engine)
{
	char	   *key;
	int			on_promotion = reengage_on_promotion;

	if (!ConfigReloadPending)
		return;
	ConfigReloadPending = false;
	key = pstrdup(reengage_instance_key);
	ProcessConfigFile(PGC_SIGHUP);
	/* nothing is due that was not, but the fence may say something else */
	if (on_promotion != reengage_on_promotion || strcmp(key, reengage_instance_key) != 0)
		engine_wake(engine, &wake_nobody);
	pfree(key);
}

static void
finish_posts(Engine *engine)
{
	Monotonic	deadline = monotonic_after(monotonic_now(), SHUTDOWN_GRACE_MS);

	engine_close(engine);
	for (;;)
	{
		long		timeout = engine_turn(engine);
		long		left = (long) monotonic_ms_until(deadline, monotonic_now());

		if (engine_state(engine).posts_in_flight == 0 || left == 0)
			break;
		engine_wait(engine, Min((unsigned long) timeout, left));
	}
	/* once more, for what the last replies said */
	engine_turn(engine);
}

/* pg_cancel_backend(), and the server's own lock_timeout. */
static void
handle_cancel(SIGNAL_ARGS)
{
	int			saved_errno = errno;

	tick_cancel();
	errno = saved_errno;
}

static void
connect_to(const char *database)
{
	/* somebody may hold a lock on the database: that wait can be ended */
	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(database, NULL, 0);
	/* from now on, what is on the wire is waited for a little */
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	pqsignal(SIGINT, handle_cancel);
}

/* All workers of a server write into one log. */
static void
say_which_worker(void *slot)
{
	errcontext("reengage worker for database \"%s\"", ((WorkerSlot *) slot)->database);
}

void
reengage_worker_main(Datum arg)
{
	int			place = DatumGetInt32(arg);
	WorkerSlot	slot = shmem_slot(place);
	ErrorContextCallback context = {.callback = say_which_worker, .arg = &slot};
	Engine	   *engine;
	Manifest	manifest;
	News		news;
	Retention	retention;
	int64		reported = 0;

	error_context_stack = &context;
	connect_to(slot.database);
	shmem_attach_worker(place);
	pgstat_report_appname("reengage worker");

	engine = engine_create(TICK_IN_WORKER);
	engine_follow_from(engine, slot.followed);
	manifest_init(&manifest);
	news_init(&news);
	retention_init(&retention);
	while (!ShutdownRequestPending)
	{
		Wakes		wakes = shmem_take_wakes(place);
		long		timeout;

		if (wakes.any)
			engine_wake(engine, &wakes);
		if (wakes.news)
			news_init(&news);
		timeout = engine_turn(engine);
		report_totals(place, engine, &reported);
		timeout = manifest_turn(&manifest, engine_state(engine).condition, timeout);
		timeout = news_turn(&news, engine_state(engine).condition, timeout);
		timeout = retention_turn(&retention, &manifest, engine_state(engine), timeout);
		shmem_report_retention(place, retention.completed_at, retention_waits_until(&retention));
		engine_wait(engine, timeout);
		CHECK_FOR_INTERRUPTS();
		reload_settings(engine);
	}
	finish_posts(engine);
	engine_destroy(engine);
	proc_exit(1);
}
