/*
 * engine.c: turns and ticks.  The only place where the tables and the courier
 * meet.
 *
 *   courier answers -> decide -> to_end, to_intend
 *   tick (one transaction): write the ends, record intents, claim what is due
 *   after its commit: land, and hand the POSTs of the intents and the checks
 *   of the claims to the courier
 *
 * Memory follows the tables, never the other way round: what a tick wrote is
 * believed only once it has committed.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "calls.h"
#include "claims.h"
#include "engine.h"
#include "flights.h"
#include "intents.h"
#include "outcomes.h"
#include "reengage.h"
#include "secrets.h"
#include "servers.h"
#include "store.h"
#include "tick.h"

/* The key of the advisory lock: pg_locks shows it as classid and objid. */
#define LOCK_CLASS 0x7265656e	/* "reen" */
#define LOCK_OBJECT 1

/* Pauses after a failed tick. */
#define FIRST_PAUSE_MS 1000
#define LONGEST_PAUSE_MS (60 * 1000)

/* How often to ask for the lock that another session holds. */
#define NOT_ALONE_MS 5000

/* A create that doubt holds back waits for an operator; look again hourly. */
#define DOUBT_HOLD_MS (60 * 60 * 1000)

struct Engine
{
	EngineHost	host;
	MemoryContext context;		/* everything below */
	MemoryContext turn_context; /* reset after each turn */
	TimestampTz epoch;			/* when this engine started */
	EngineCondition condition;
	char	   *complaint;		/* why it is fenced */
	char	   *problem;		/* of the last tick; NULL: it went well */
	bool		has_lock;
	bool		recovered;		/* what dead engines left was taken over */
	bool		woken;			/* the tables are to be looked at */
	int64		limit;			/* nudges that may still be started */
	dlist_head	servers;
	Flights		flights;
	Calls		calls;
	TimestampTz not_before;		/* of the next tick, after one failed */
	int			pause_ms;
	TimestampTz next_sweep;
	uint64		secrets_stamp;
	EngineTotals totals;

	/* the tick that is being made */
	Flight	  **ending;
	int			nending;
	IntentBatch intents;
};

/* --- the body of a tick ------------------------------------------------------- */

static bool
have_lock(Engine *engine)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, LOCK_CLASS, LOCK_OBJECT, 2);
	if (!engine->has_lock)
		engine->has_lock = LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
	return engine->has_lock;
}

static void
release_lock(Engine *engine)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, LOCK_CLASS, LOCK_OBJECT, 2);
	if (engine->has_lock)
		LockRelease(&tag, ExclusiveLock, true);
	engine->has_lock = false;
}

static void
set_text(Engine *engine, char **target, const char *text)
{
	char	   *copy = text ? MemoryContextStrdup(engine->context, text) : NULL;

	if (*target != NULL)
		pfree(*target);
	*target = copy;
}

static EngineCondition
find_condition(Engine *engine)
{
	const char *complaint;

	if (!have_lock(engine))
		return ENGINE_NOT_ALONE;
	complaint = store_fence_complaint();
	set_text(engine, &engine->complaint, complaint);
	return complaint ? ENGINE_FENCED : ENGINE_DISPATCHING;
}

static void
refresh_servers(Engine *engine)
{
	uint64		stamp = secrets_stamp();

	servers_refresh(&engine->servers, engine->flights.context);
	if (stamp != engine->secrets_stamp)
		servers_credentials_changed(&engine->servers);
	engine->secrets_stamp = stamp;
}

static void
tick_body(void *argument)
{
	Engine	   *engine = argument;
	int			recovered;

	engine->condition = find_condition(engine);
	if (engine->condition == ENGINE_NOT_ALONE)
		return;
	refresh_servers(engine);
	if (engine->condition == ENGINE_DISPATCHING && !engine->recovered)
	{
		recovered = intents_recover();
		if (recovered > 0)
			ereport(LOG,
					(errmsg("reengage: %d nudges are in doubt: their calls may have been on the wire when the engine before this one ended",
							recovered)));
	}
	outcomes_write(engine->ending, engine->nending);
	if (engine->condition == ENGINE_DISPATCHING)
	{
		intents_record(&engine->intents, engine->epoch);
		if (calls_can_be_made(&engine->calls) && engine->limit > 0)
		{
			int			departed = claims_take(&engine->flights, &engine->servers,
											   engine->calls.link, GetCurrentTimestamp(),
											   (int) Min(engine->limit, PG_INT32_MAX));

			engine->totals.started += departed;
			engine->limit -= departed;
		}
	}
	intents_close(&engine->intents, engine->ending, engine->nending);
	servers_write_states(&engine->servers);
}

/* --- after its commit ----------------------------------------------------------- */

static void
land(Engine *engine, Flight *flight)
{
	if (flight->end.kind == DECIDE_SETTLE)
		engine->totals.ended[flight->end.outcome]++;
	else
	{
		engine->totals.moved++;
		server_rewind(flight->server, flight->priority, flight->move_to);
	}
	intent_release(flight);
	flights_land(&engine->flights, flight);
}

/* Flights whose intent was not recorded end in the next tick. */
static void
turn_back(Engine *engine, Flight *flight, Gate gate)
{
	TimestampTz later = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), DOUBT_HOLD_MS);

	switch (gate)
	{
		case GATE_OPEN:
			break;
		case GATE_GONE:
			flights_put_back(&engine->flights, flight, flight->due_at, NULL);
			break;
		case GATE_IN_DOUBT:
			flights_put_back(&engine->flights, flight, later,
							 "an earlier create on this conversation is in doubt");
			break;
	}
}

static void
after_dispatching(Engine *engine)
{
	IntentBatch *batch = &engine->intents;

	engine->recovered = true;
	intents_committed(batch, engine->flights.context);
	for (int i = 0; i < batch->count; i++)
	{
		if (batch->gates[i] == GATE_OPEN)
			flights_move_to(batch->flights[i], &engine->flights.to_post);
		else
			turn_back(engine, batch->flights[i], batch->gates[i]);
	}
	calls_make(&engine->calls, &engine->flights.to_post);
	calls_make(&engine->calls, &engine->flights.to_start);
}

static void
after_commit(Engine *engine)
{
	for (int i = 0; i < engine->nending; i++)
		land(engine, engine->ending[i]);
	servers_say_states(&engine->servers, engine->host == ENGINE_IN_PROCEDURE ? WARNING : LOG);
	if (engine->condition == ENGINE_DISPATCHING)
		after_dispatching(engine);
	else
		for (int i = 0; i < engine->intents.count; i++)
			flights_put_back(&engine->flights, engine->intents.flights[i],
							 engine->intents.flights[i]->due_at, NULL);
}

/* The extension was dropped: nothing is left to write to. */
static void
forget_everything(Engine *engine)
{
	int			in_flight = engine->flights.under_way;

	calls_close(&engine->calls);
	if (in_flight > 0)
		ereport(LOG,
				(errmsg("reengage: the extension was dropped with %d nudges under way; their replies are discarded",
						in_flight)));
	MemoryContextReset(engine->flights.context);
	dlist_init(&engine->servers);
	servers_forget_catalog();
	flights_init(&engine->flights, engine->flights.context);
	engine->recovered = false;
}

/* --- one tick --------------------------------------------------------------------- */

static void
note_failure(Engine *engine, ErrorData *error)
{
	engine->pause_ms = Min(Max(engine->pause_ms * 2, FIRST_PAUSE_MS), LONGEST_PAUSE_MS);
	engine->not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), engine->pause_ms);
	/* the same failure again and again is one line in the log */
	if (engine->problem == NULL || strcmp(engine->problem, error->message) != 0)
	{
		error->elevel = LOG;
		ThrowErrorData(error);
	}
	set_text(engine, &engine->problem, error->message);
}

static bool
try_tick(Engine *engine)
{
	volatile bool committed = false;

	PG_TRY();
	{
		if (!tick_run(engine->host, tick_body, engine))
			engine->condition = ENGINE_NO_EXTENSION;
		committed = true;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		/* whoever called run() is there to see the error */
		if (engine->host == ENGINE_IN_PROCEDURE)
			PG_RE_THROW();
		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(engine->turn_context);
		error = CopyErrorData();
		AbortCurrentTransaction();
		FlushErrorState();
		MemoryContextSwitchTo(engine->turn_context);
		note_failure(engine, error);
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	return committed;
}

static void
tick(Engine *engine)
{
	TimestampTz now = GetCurrentTimestamp();

	engine->ending = flights_in(&engine->flights.to_end, &engine->nending);
	engine->intents.flights = flights_in(&engine->flights.to_intend, &engine->intents.count);
	if (!try_tick(engine))
		return;
	MemoryContextSwitchTo(engine->turn_context);
	engine->pause_ms = 0;
	set_text(engine, &engine->problem, NULL);
	engine->woken = false;
	if (engine->condition == ENGINE_NO_EXTENSION)
		forget_everything(engine);
	else if (engine->condition != ENGINE_NOT_ALONE)
		after_commit(engine);
	if (engine->condition == ENGINE_NOT_ALONE)
		engine->not_before = TimestampTzPlusMilliseconds(now, NOT_ALONE_MS);
}

/* The earliest time that wants a tick; DT_NOBEGIN: now. */
static TimestampTz
next_tick(Engine *engine, TimestampTz now)
{
	TimestampTz next = engine->next_sweep;

	if (engine->woken || !dlist_is_empty(&engine->flights.to_end) ||
		!dlist_is_empty(&engine->flights.to_intend) ||
		engine->condition == ENGINE_NOT_ALONE)
		next = DT_NOBEGIN;
	else if (engine->condition == ENGINE_DISPATCHING && engine->limit > 0 &&
			 calls_can_be_made(&engine->calls))
	{
		if (!dlist_is_empty(&engine->flights.ready))
			next = DT_NOBEGIN;
		next = Min(next, servers_next_look(&engine->servers, now));
	}
	return Max(next, engine->not_before);
}

static void
sweep(Engine *engine, TimestampTz now)
{
	if (now < engine->next_sweep)
		return;
	engine_rewind(engine, DT_NOBEGIN);
	engine->next_sweep = reengage_sweep_interval == 0 ? DT_NOEND :
		TimestampTzPlusMilliseconds(now, reengage_sweep_interval * INT64CONST(1000));
}

long
engine_turn(Engine *engine)
{
	TimestampTz now = GetCurrentTimestamp();
	MemoryContext old = MemoryContextSwitchTo(engine->turn_context);
	TimestampTz next;

	calls_take_replies(&engine->calls, now);
	sweep(engine, now);
	if (next_tick(engine, now) <= now)
		tick(engine);
	now = GetCurrentTimestamp();
	if (engine->condition == ENGINE_DISPATCHING && engine->recovered)
		calls_keep_link(&engine->calls, now);

	next = next_tick(engine, now);
	if (engine->calls.link == NULL && engine->condition == ENGINE_DISPATCHING)
		next = Min(next, Max(engine->calls.not_before, now));
	MemoryContextSwitchTo(old);
	MemoryContextReset(engine->turn_context);
	/* infinite times have no difference */
	if (next <= now)
		return 0;
	if (next == DT_NOEND)
		return -1;
	return TimestampDifferenceMilliseconds(now, next);
}

void
engine_wait(Engine *engine, long timeout)
{
	link_wait(engine->calls.link, timeout);
}

/* --- the rest ---------------------------------------------------------------------- */

Engine *
engine_create(EngineHost host)
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
	dlist_init(&engine->servers);
	servers_forget_catalog();
	flights_init(&engine->flights, state);
	calls_init(&engine->calls, context, &engine->flights, &engine->servers);
	engine->not_before = DT_NOBEGIN;
	engine->next_sweep = DT_NOBEGIN;
	return engine;
}

void
engine_destroy(Engine *engine)
{
	calls_close(&engine->calls);
	release_lock(engine);
	MemoryContextDelete(engine->context);
}

void
engine_rewind(Engine *engine, TimestampTz due_at)
{
	servers_rewind(&engine->servers, due_at);
	engine->woken = true;
}

void
engine_limit(Engine *engine, int64 nudges)
{
	engine->limit = nudges;
}

int
engine_posts_in_flight(const Engine *engine)
{
	int			count = 0;
	dlist_iter	iter;

	dlist_foreach(iter, unconstify(dlist_head *, &engine->flights.calling))
		count += dlist_container(Flight, node, iter.cur)->step != STEP_CHECK;
	return count;
}

int
engine_in_flight(const Engine *engine)
{
	return engine->flights.under_way;
}

bool
engine_is_idle(const Engine *engine)
{
	return engine->flights.under_way == 0 && !engine->woken &&
		(engine->limit == 0 ||
		 (dlist_is_empty(unconstify(dlist_head *, &engine->flights.ready)) &&
		  calls_can_be_made(&engine->calls) &&
		  servers_next_look(unconstify(dlist_head *, &engine->servers),
							GetCurrentTimestamp()) > GetCurrentTimestamp()));
}

EngineCondition
engine_condition(const Engine *engine)
{
	return engine->condition;
}

const char *
engine_problem(const Engine *engine)
{
	if (engine->problem != NULL)
		return engine->problem;
	if (engine->condition == ENGINE_FENCED)
		return engine->complaint;
	return engine->calls.problem;
}

int
engine_courier_failures(const Engine *engine)
{
	return engine->calls.failures;
}

const EngineTotals *
engine_totals(const Engine *engine)
{
	return &engine->totals;
}
