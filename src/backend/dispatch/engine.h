/*
 * engine.h: the way of a nudge, from the schedule to the lineage.
 *
 * The worker and reengage.run() drive the same engine:
 *
 *     while (...)
 *         engine_wait(engine, engine_turn(engine));
 *
 * A turn takes in what the courier answered, makes at most one transaction
 * (a tick) and hands calls to the courier.  Between turns the engine holds no
 * transaction, snapshot or lock but the advisory lock that makes it the only
 * one in its database.
 */
#ifndef REENGAGE_ENGINE_H
#define REENGAGE_ENGINE_H

#include "postgres.h"

#include "base/clocks.h"
#include "base/wakes.h"
#include "dispatch/totals.h"
#include "store/tick.h"

typedef struct Engine Engine;

/* Why the engine does not take nudges, if it does not. */
typedef enum EngineCondition
{
	ENGINE_DISPATCHING,
	ENGINE_NO_EXTENSION,
	ENGINE_NOT_ALONE,			/* another session holds the advisory lock */
	ENGINE_FENCED
} EngineCondition;

typedef struct EngineState
{
	EngineCondition condition;
	const char *problem;		/* what keeps it from working, in one sentence; NULL: nothing */
	int			in_flight;		/* nudges that are under way */
	int			posts_in_flight;	/* POSTs that were handed over and have not been settled */
	int			waiting_lock;		/* outcomes that somebody else's transaction keeps from being written */
	int			store_failed;		/* outcomes that the database refuses */
	TimestampTz unwritten_since;	/* the oldest of both */
	int			tick_failures;	/* in a row */
	int			courier_failures;	/* couriers in a row that ended before they could do anything */
	const Totals *totals;
	Clocks		followed;		/* by these the pauses in the tables are right */
} EngineState;

extern Engine *engine_create(TickHost host);

/* Ends the courier and lets go of everything; also after an error. */
extern void engine_destroy(Engine *engine);

/* One turn; returns how many milliseconds may pass until the next, -1: any. */
extern long engine_turn(Engine *engine);

/* Waits for the courier, the latch or the time. */
extern void engine_wait(Engine *engine, long timeout);

/* By these clocks an engine before this one has seen to the pauses in the tables. */
extern void engine_follow_from(Engine *engine, Clocks clocks);

/* The tables have changed: these nudges are due that the engine may have passed by. */
extern void engine_wake(Engine *engine, const Wakes *wakes);

/* Start at most this many more nudges; what is under way goes on. */
extern void engine_limit(Engine *engine, int64 nudges);

/* Begin no call any more: what wanted to goes back into the schedule. */
extern void engine_close(Engine *engine);

/*
 * True when nothing is under way, but for outcomes that cannot be written now,
 * and nothing more can be started.
 */
extern bool engine_is_idle(const Engine *engine);

extern EngineState engine_state(const Engine *engine);

#endif
