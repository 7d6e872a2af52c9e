/*
 * engine.c: turns and ticks, the only place where the tables and the courier meet.
 *
 *   courier answers -> decide -> POST wanted, or ending
 *   tick (one transaction): write the ends, record intents, claim what is due
 *   after its commit: let go, and hand the POSTs of the intents and the checks
 *   of the claims to the courier
 *
 * Memory follows the tables, never the other way round: what a tick wrote is
 * believed only once it has committed.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/kept_text.h"
#include "base/settings.h"
#include "dispatch/calls.h"
#include "dispatch/claims.h"
#include "dispatch/deliveries.h"
#include "dispatch/dispatcher_lock.h"
#include "dispatch/engine.h"
#include "dispatch/finish.h"
#include "dispatch/intents.h"
#include "dispatch/outcomes.h"
#include "dispatch/policies.h"
#include "dispatch/releases.h"
#include "dispatch/server_gauges.h"
#include "dispatch/servers.h"
#include "dispatch/standby.h"
#include "dispatch/turns.h"
#include "last_word.h"
#include "retry.h"
#include "store/store.h"
#include "store/tick.h"
#include "test_point.h"

/* Pauses after a failed tick. */
#define FIRST_PAUSE_MS 1000
#define LONGEST_PAUSE_MS (60 * 1000)

/* How often to ask for the lock that another session holds. */
#define NOT_ALONE_MS 5000

/* How often to look at the credentials file while a server is blocked for a reason that other credentials may end. */
#define SECRETS_WATCH_MS 2000

/* How often to ask whether a transaction has ended that keeps something from being written, or a server from being called. */
#define UNLOCKING_MS 1000

struct Engine
{
	TickHost	host;
	MemoryContext context;		/* everything below */
	MemoryContext turn_context; /* reset after each turn */
	TimestampTz epoch;			/* when this engine started */
	EngineCondition condition;
	char	   *complaint;		/* why it is fenced */
	char	   *complained;		/* of that, in the log; NULL: of nothing */
	char	   *problem;		/* of the last tick; NULL: it went well */
	bool		recovered;		/* what dead engines left was taken over */
	bool		woken;			/* the tables are to be looked at */
	bool		closing;		/* no call is begun any more */
	int64		limit;			/* nudges that may still be started */
	dlist_head	servers;
	Policies	policies;
	Deliveries		deliveries;
	Calls		calls;
	Monotonic	not_before;		/* of the next tick, after one failed */
	int64		pause_ms;
	int			failures;		/* ticks in a row */
	bool		one_by_one;		/* the last tick failed for a row: the ends are written apart */
	Monotonic	last_sweep;
	Monotonic	next_unlocking;
	Clocks		followed;		/* by these the pauses in the tables are right */
	Standby		standby;
	Totals totals;

	/* the tick that is being made */
	Delivery  **ending;
	int			nending;
	IntentBatch intents;
	Monotonic	asked_at;		/* before anything was asked that allows a call */
	List	   *paused;			/* names of servers */
	int			started;
	bool		summing;		/* there is more to add up than was to be done at once */
	List	   *released;		/* servers of which something was decided */
	Clocks		clocks;
};

/* --- the body of a tick ------------------------------------------------------- */

static EngineCondition
find_condition(Engine *engine, List **paused)
{
	const char *complaint = store_fence_complaint();

	*paused = complaint == NULL ? store_paused_servers() : NIL;
	keep_text(engine->context, &engine->complaint, complaint);
	if (complaint != NULL)
		return ENGINE_FENCED;
	return dispatcher_lock_take() ? ENGINE_DISPATCHING : ENGINE_NOT_ALONE;
}

/* What allows calls is asked here, and no earlier, options included: it is to be young. */
static void
begin_calls(Engine *engine)
{
	engine->asked_at = monotonic_now();
	AcceptInvalidationMessages();
	servers_refresh(&engine->servers, engine->paused, engine->deliveries.context);
	servers_follow_clock(&engine->servers, &engine->followed, &engine->clocks);
	engine->released = releases_take(&engine->servers, &engine->policies, engine->turn_context);
	policies_know(&engine->policies);
	intents_record(&engine->intents, &engine->policies, &engine->deliveries, engine->epoch, engine->asked_at);
	if (calls_can_be_made(&engine->calls) && engine->limit > 0 && !standby_is_away(&engine->standby))
		engine->started = claims_take(&engine->deliveries, &engine->policies, &engine->servers,
									   engine->calls.courier, &engine->clocks,
									   (int) Min(engine->limit, PG_INT32_MAX));
}

static void
tick_body(void *argument)
{
	Engine	   *engine = argument;

	engine->clocks = clocks_read();
	servers_lock(&engine->servers, &engine->clocks);
	engine->condition = find_condition(engine, &engine->paused);
	/* whoever else dispatches is told of changes in our place */
	if (engine->condition != ENGINE_DISPATCHING)
		policies_forget(&engine->policies);
	if (engine->condition == ENGINE_NOT_ALONE)
		return;
	servers_refresh(&engine->servers, engine->paused, engine->deliveries.context);
	if (engine->condition == ENGINE_DISPATCHING && !engine->recovered)
		intents_recover(&engine->deliveries, &engine->servers);
	outcomes_write(engine->ending, engine->nending, engine->one_by_one);
	/* after the ends, which may have been put off by another clock, or policies that are no more */
	if (engine->condition == ENGINE_DISPATCHING && !engine->closing)
		begin_calls(engine);
	intents_close(&engine->intents, &engine->deliveries, engine->ending, engine->nending);
	servers_write_states(&engine->servers);
	engine->summing = store_sum_tallies(engine->clocks.now);
}

/* What somebody has locked of what is to be written, but for ends. */
static bool
waits_for_locks(const Engine *engine)
{
	return engine->deliveries.nleft_intents > 0 || servers_wait_for_locks(&engine->servers);
}

/* --- after its commit ----------------------------------------------------------- */

static void
after_commit(Engine *engine)
{
	/* first, so that what waits for a customer is there when one that has ended lets go of it */
	intents_committed(&engine->intents, XactLastCommitEnd, &engine->deliveries);
	releases_committed(engine->released, &engine->deliveries);
	for (int i = 0; i < engine->nending; i++)
		if (!finish_after_commit(&engine->deliveries, engine->ending[i], &engine->totals))
			engine->next_unlocking = monotonic_after(monotonic_now(), UNLOCKING_MS);
	servers_say_states(&engine->servers);
	servers_forget_dropped(&engine->servers, engine->calls.courier);
	engine->totals.started += engine->started;
	engine->limit -= engine->started;
	if (engine->condition == ENGINE_DISPATCHING)
	{
		engine->recovered = true;
		if (!engine->closing)
			engine->followed = engine->clocks;
		calls_make_checks(&engine->calls, monotonic_after(engine->asked_at, LEAVE_WITHIN_MS));
	}
	if (waits_for_locks(engine))
		engine->next_unlocking = monotonic_after(monotonic_now(), UNLOCKING_MS);
}

static bool
may_begin(const Engine *engine)
{
	return engine->condition == ENGINE_DISPATCHING && !engine->closing;
}

/* The extension was dropped: nothing is left to write to. */
static void
forget_everything(Engine *engine)
{
	int			in_flight = engine->deliveries.under_way;

	calls_close(&engine->calls);
	if (in_flight > 0)
		ereport(LOG, (errmsg("the extension was dropped; replies that are discarded: %d", in_flight)));
	metrics_forget_engine();
	MemoryContextReset(engine->deliveries.context);
	servers_init(&engine->servers);
	deliveries_init(&engine->deliveries, engine->deliveries.context);
	policies_forget(&engine->policies);
	engine->recovered = false;
}

/* To whoever calls run(), that says so itself. */
static void
say_fence(Engine *engine)
{
	if (engine->host != TICK_IN_WORKER || !texts_differ(engine->complaint, engine->complained))
		return;
	if (engine->complaint != NULL)
		ereport(WARNING,
				(errmsg("reengage is %s", engine->complaint),
				 errhint("SELECT reengage.arm() makes this server the one that sends.")));
	else
		ereport(LOG, (errmsg("reengage sends again")));
	keep_text(engine->context, &engine->complained, engine->complaint);
}

/* --- one tick --------------------------------------------------------------------- */

static void
note_failure(Engine *engine, ErrorData *error)
{
	engine->failures++;
	engine->pause_ms = next_pause_ms(engine->pause_ms, FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
	engine->not_before = monotonic_after(monotonic_now(), engine->pause_ms);
	/* a cancel that met the tick is for whoever called run() */
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED && engine->host == TICK_IN_PROCEDURE)
		QueryCancelPending = InterruptPending = true;
	/* the same failure again and again is one line in the log */
	else if (texts_differ(engine->problem, error->message))
		tick_log(error);
	keep_text(engine->context, &engine->problem, error->message);
}

/* Where it is about a row, the tick is made again at once, and finds out about which. */
static void
note_error(Engine *engine, ErrorData *error)
{
	bool		finds_out = !engine->one_by_one && engine->nending > 0 &&
		tick_error_is_about_rows(error->sqlerrcode);

	/* what the failed tick read of the catalog is not to be trusted */
	servers_forget_catalog();
	if (finds_out)
		engine->one_by_one = true;
	else
		note_failure(engine, error);
}

static void
run_tick(Engine *engine)
{
	ErrorData  *error;
	bool		installed;

	if (monotonic_is_reached(engine->next_unlocking, monotonic_now()))
		deliveries_move_all(&engine->deliveries, DELIVERY_WAITING_LOCK, DELIVERY_ENDING);
	engine->ending = deliveries_in(&engine->deliveries, DELIVERY_ENDING, &engine->nending);
	engine->nending = Min(engine->nending, tick_most());
	engine->intents = intents_begin(&engine->deliveries, engine->nending);
	engine->started = 0;
	engine->summing = false;
	engine->released = NIL;
	installed = tick_run(engine->host, tick_body, engine, &error);
	/* whoever set the latch while the tick waited for something is not lost */
	SetLatch(MyLatch);
	if (error != NULL)
	{
		note_error(engine, error);
		return;
	}
	engine->one_by_one = false;
	engine->failures = engine->pause_ms = 0;
	keep_text(engine->context, &engine->problem, NULL);
	engine->woken = false;
	if (!installed)
	{
		engine->condition = ENGINE_NO_EXTENSION;
		forget_everything(engine);
		return;
	}
	say_fence(engine);
	if (engine->condition == ENGINE_NOT_ALONE)
		engine->not_before = monotonic_after(monotonic_now(), NOT_ALONE_MS);
	else
		after_commit(engine);
}

/* The earliest time that wants a tick. */
static Monotonic
next_tick(Engine *engine, const Clocks *clocks)
{
	Monotonic	next = MONOTONIC_NEVER;

	if (engine->woken || engine->summing || engine->deliveries.counts[DELIVERY_ENDING] > 0 ||
		engine->deliveries.counts[DELIVERY_POST_WANTED] > 0 || engine->deliveries.counts[DELIVERY_CHECK_WANTED] > 0 ||
		engine->condition == ENGINE_NOT_ALONE)
		next = clocks->now;
	else if (may_begin(engine) && engine->limit > 0 && !standby_is_away(&engine->standby) &&
			 calls_can_be_made(&engine->calls))
		next = servers_next_look(&engine->servers, clocks);
	if (engine->deliveries.counts[DELIVERY_WAITING_LOCK] > 0 || waits_for_locks(engine))
		next = monotonic_earlier(next, engine->next_unlocking);
	return monotonic_later(next, engine->not_before);
}

static Monotonic
next_sweep(const Engine *engine)
{
	/* there was none yet */
	if (engine->last_sweep.us == 0)
		return engine->last_sweep;
	if (reengage_sweep_interval == 0)
		return MONOTONIC_NEVER;
	return monotonic_after(engine->last_sweep, reengage_sweep_interval * INT64CONST(1000));
}

/* Looks at everything that is due, and tries what could not be written again. */
static void
sweep_servers(Engine *engine, Monotonic now)
{
	engine->last_sweep = now;
	/* triggers tell of changes, unless somebody has disabled them */
	policies_forget(&engine->policies);
	engine_wake(engine, &wake_everybody);
	deliveries_move_all(&engine->deliveries, DELIVERY_STORE_FAILED, DELIVERY_ENDING);
}

static bool
watches_secrets(const Engine *engine)
{
	return engine->condition == ENGINE_DISPATCHING && servers_want_credentials(&engine->servers);
}

/* What makes the engine wake up when nothing happens. */
static Monotonic
next_turn(Engine *engine, const Clocks *clocks)
{
	Monotonic	now = clocks->now;
	Monotonic	next = monotonic_earlier(next_tick(engine, clocks), next_sweep(engine));
	bool		wants_courier = engine->condition == ENGINE_DISPATCHING && !engine->closing;

	next = monotonic_earlier(next, turns_next(&engine->deliveries, now));
	next = monotonic_earlier(next, calls_next_watch(&engine->calls, wants_courier, now));
	next = monotonic_earlier(next, standby_next_look(&engine->standby, engine->deliveries.counts[DELIVERY_INTENDED] > 0, now));
	if (watches_secrets(engine))
		next = monotonic_earlier(next, monotonic_after(now, SECRETS_WATCH_MS));
	return next;
}

long
engine_turn(Engine *engine)
{
	MemoryContext old = MemoryContextSwitchTo(engine->turn_context);
	Clocks		clocks = clocks_read();
	Monotonic	next;

	calls_take_replies(&engine->calls, clocks.now);
	calls_watch(&engine->calls, clocks.now);
	turns_sort(&engine->deliveries, clocks.now, !may_begin(engine));
	if (!may_begin(engine) || standby_is_away(&engine->standby))
		turns_give_up(&engine->deliveries, may_begin(engine) ? HOLD_STANDBY : HOLD_NONE);
	if (monotonic_is_reached(next_sweep(engine), clocks.now))
		sweep_servers(engine, clocks.now);
	if ((watches_secrets(engine) && servers_credentials_have_changed()) ||
		clocks_set_back(&engine->followed, &clocks) > 0)
		engine->woken = true;
	if (monotonic_is_reached(next_tick(engine, &clocks), clocks.now))
		run_tick(engine);
	calls_make_posts(&engine->calls, &engine->standby, may_begin(engine));
	clocks = clocks_read();
	if (engine->condition == ENGINE_DISPATCHING && engine->recovered && !engine->closing)
		calls_keep_courier(&engine->calls, clocks.now);
	server_gauges_report(&engine->servers);
	next = next_turn(engine, &clocks);
	MemoryContextSwitchTo(old);
	MemoryContextReset(engine->turn_context);
	if (next.us == MONOTONIC_NEVER.us)
		return -1;
	return monotonic_ms_until(next, clocks.now);
}

void
engine_wait(Engine *engine, long timeout)
{
	int			nap_ms = servers_nap_ms(&engine->servers, monotonic_now());

	if (nap_ms > 0 && (timeout < 0 || timeout > nap_ms))
		courier_leave_alone(engine->calls.courier, nap_ms);
	else
		courier_wait(engine->calls.courier, timeout);
}

Engine *
engine_create(TickHost host)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "reengage engine",
												  ALLOCSET_DEFAULT_SIZES);
	Engine	   *engine = MemoryContextAllocZero(context, sizeof(Engine));
	MemoryContext state = AllocSetContextCreate(context, "reengage state", ALLOCSET_DEFAULT_SIZES);

	engine->host = host;
	engine->context = context;
	engine->turn_context = AllocSetContextCreate(context, "reengage turn", ALLOCSET_DEFAULT_SIZES);
	engine->epoch = GetCurrentTimestamp();
	engine->woken = true;
	engine->limit = PG_INT64_MAX;
	servers_init(&engine->servers);
	policies_init(&engine->policies, context);
	deliveries_init(&engine->deliveries, state);
	calls_init(&engine->calls, context, &engine->deliveries, &engine->servers);
	return engine;
}

void
engine_destroy(Engine *engine)
{
	calls_close(&engine->calls);
	/* of another one that dispatches, who stood by has nothing to forget */
	if (engine->recovered)
		metrics_forget_engine();
	dispatcher_lock_release();
	MemoryContextDelete(engine->context);
}

void
engine_follow_from(Engine *engine, Clocks clocks)
{
	engine->followed = clocks;
}

void
engine_wake(Engine *engine, const Wakes *wakes)
{
	servers_wake(&engine->servers, wakes);
	engine->woken = true;
	/* what failed may go well now: the extension may have been updated */
	if (wakes->everybody == DT_NOBEGIN)
		engine->not_before = monotonic_now();
}

void
engine_limit(Engine *engine, int64 nudges)
{
	engine->limit = nudges;
}

bool
engine_is_idle(const Engine *engine)
{
	Clocks		clocks = clocks_read();
	int			unwritten = engine->deliveries.counts[DELIVERY_WAITING_LOCK] + engine->deliveries.counts[DELIVERY_STORE_FAILED];

	if (engine->deliveries.under_way > unwritten || engine->woken)
		return false;
	return engine->limit == 0 ||
		(calls_can_be_made(&engine->calls) &&
		 !monotonic_is_reached(servers_next_look(&engine->servers, &clocks), clocks.now));
}

void
engine_close(Engine *engine)
{
	engine->closing = true;
}

static const char *
engine_problem_text(const Engine *engine)
{
	if (engine->problem != NULL)
		return engine->problem;
	if (engine->condition == ENGINE_FENCED)
		return engine->complaint;
	if (standby_is_away(&engine->standby))
		return STANDBY_IS_AWAY;
	return engine->calls.problem;
}

EngineState
engine_state(const Engine *engine)
{
	return (EngineState) {
		.condition = engine->condition,
		.problem = engine_problem_text(engine),
		.in_flight = engine->deliveries.under_way,
		.posts_in_flight = engine->deliveries.counts[DELIVERY_POSTING],
		.waiting_lock = engine->deliveries.counts[DELIVERY_WAITING_LOCK],
		.store_failed = engine->deliveries.counts[DELIVERY_STORE_FAILED],
		.unwritten_since = Min(deliveries_oldest(&engine->deliveries, DELIVERY_WAITING_LOCK), deliveries_oldest(&engine->deliveries, DELIVERY_STORE_FAILED)),
		.tick_failures = engine->failures,
		.courier_failures = engine->calls.failures,
		.totals = &engine->totals,
		.followed = engine->followed,
	};
}
