/*
 * run.c: CALL reengage.run(), the engine inside a session.
 *
 * With it the extension works without any restart of the server, pg_cron can
 * schedule it, and tests are deterministic.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/guc.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "base/clocks.h"
#include "base/shmem.h"
#include "base/versions.h"
#include "dispatch/engine.h"
#include "functions/own_transaction.h"

PG_FUNCTION_INFO_V1(reengage_run);

/* A cancelled run waits so long for POSTs that are on the wire. */
#define CANCEL_GRACE_MS 2000

/* So often a courier that cannot start, or a transaction, is tried. */
#define COURIER_FAILURES_MAX 3
#define TICK_FAILURES_MAX 4

/*
 * No nudge is started in the second half of what statement_timeout leaves, or
 * in its last ten seconds: most that were started before have ended by then.
 */
#define TIMEOUT_RESERVE_MS (10 * 1000)

typedef struct Limits
{
	Monotonic	deadline;		/* no nudge is started after it */
	int64		nudges;
} Limits;

/* When the statement that calls us may be cancelled by its timeout, less the reserve. */
static Monotonic
deadline_of_timeout(void)
{
	int64		left_ms;

	if (!get_timeout_active(STATEMENT_TIMEOUT))
		return MONOTONIC_NEVER;
	left_ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), get_timeout_finish_time(STATEMENT_TIMEOUT));
	return monotonic_after(monotonic_now(), left_ms - Min(left_ms / 2, TIMEOUT_RESERVE_MS));
}

static Limits
read_limits(FunctionCallInfo fcinfo)
{
	Limits		limits = {deadline_of_timeout(), PG_INT64_MAX};

	if (!PG_ARGISNULL(0))
	{
		if (PG_GETARG_INT32(0) < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("max_seconds must not be negative: %d", PG_GETARG_INT32(0))));
		limits.deadline = monotonic_earlier(limits.deadline,
											monotonic_after(monotonic_now(), PG_GETARG_INT32(0) * INT64CONST(1000)));
	}
	if (!PG_ARGISNULL(1))
	{
		if (PG_GETARG_INT32(1) < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("max_nudges must not be negative: %d", PG_GETARG_INT32(1))));
		limits.nudges = PG_GETARG_INT32(1);
	}
	return limits;
}

static void
check_surroundings(FunctionCallInfo fcinfo)
{
	CallContext *context = (CallContext *) fcinfo->context;

	if (IsBinaryUpgrade)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("reengage.run() cannot be called during pg_upgrade")));
	versions_agree();
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("reengage.run() cannot be called during recovery"),
				 errhint("Call it on the primary.")));
	if (context == NULL || !IsA(context, CallContext) || context->atomic)
		refuse_transaction_block("reengage.run()");
	if (XactReadOnly)
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("reengage.run() cannot be called in a read-only transaction")));
}

/* Ends the transaction of the CALL itself, and with it its snapshot. */
static void
leave_first_transaction(void)
{
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	SPI_commit();
	SPI_finish();
}

static void
check_condition(Engine *engine)
{
	EngineState state = engine_state(engine);

	switch (state.condition)
	{
		case ENGINE_DISPATCHING:
		case ENGINE_NOT_ALONE:
			break;
		case ENGINE_NO_EXTENSION:
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("the extension reengage was dropped")));
			break;
		case ENGINE_FENCED:
			/* calls on the wire are settled first */
			if (state.posts_in_flight > 0)
				break;
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("reengage is %s", state.problem),
					 errhint("If customers are to be written to from this database: SELECT reengage.arm();")));
	}
	if (state.tick_failures >= TICK_FAILURES_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("reengage.run() gave up: %s", state.problem),
				 errdetail("Its transactions failed %d times in a row.", TICK_FAILURES_MAX)));
	if (state.courier_failures >= COURIER_FAILURES_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("%s", state.problem)));
}

static long
make_turn(Engine *engine)
{
	long		timeout = engine_turn(engine);

	check_condition(engine);
	return timeout;
}

static void
wait_at_most(Engine *engine, long timeout, long most)
{
	engine_wait(engine, timeout < 0 ? most : Min(timeout, most));
}

/* Before a cancel takes effect: what is on the wire would end in doubt. */
static void
finish_posts(Engine *engine)
{
	Monotonic	deadline = monotonic_after(monotonic_now(), CANCEL_GRACE_MS);
	bool		dies = ProcDiePending;

	QueryCancelPending = ProcDiePending = false;
	engine_close(engine);
	for (;;)
	{
		long		timeout = make_turn(engine);

		if (engine_state(engine).posts_in_flight == 0 || monotonic_is_reached(deadline, monotonic_now()))
			break;
		wait_at_most(engine, timeout, CANCEL_GRACE_MS / 10);
	}
	/* what the last replies said is still to be written */
	make_turn(engine);
	QueryCancelPending = !dies;
	ProcDiePending |= dies;
	InterruptPending = true;
}

/* Until nothing is due or a limit is reached, and all has ended. */
static void
run_until_done(Engine *engine, Limits limits)
{
	int64		started_before_sweep = -1;

	engine_limit(engine, limits.nudges);
	for (;;)
	{
		bool		late = monotonic_is_reached(limits.deadline, monotonic_now());
		long		timeout;

		if (late)
			engine_limit(engine, 0);
		timeout = make_turn(engine);
		if (engine_state(engine).condition == ENGINE_NOT_ALONE)
			return;
		/* what somebody has locked is waited for, as it would be in doubt; but not for ever */
		if (!engine_is_idle(engine) || (engine_state(engine).waiting_lock > 0 && !late))
			wait_at_most(engine, timeout, 1000);
		else if (engine_state(engine).totals->started == started_before_sweep)
			return;
		else
		{
			/* once more from the start, for what was committed behind the cursors */
			started_before_sweep = engine_state(engine).totals->started;
			engine_wake(engine, &wake_everybody);
		}
		if (QueryCancelPending || ProcDiePending)
			finish_posts(engine);
		CHECK_FOR_INTERRUPTS();
	}
}

static void
say_what_is_unwritten(const Engine *engine)
{
	EngineState state = engine_state(engine);
	int			count = state.waiting_lock + state.store_failed;

	if (count > 0)
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg_plural("the outcome of %d nudge could not be written", "the outcomes of %d nudges could not be written", count, count),
				 errdetail("%d are of rows that a transaction has locked which has not ended; %d are refused by a trigger or constraint on table \"reengage.lineage\".",
						   state.waiting_lock, state.store_failed),
				 errhint("If a call was made, the next run says that it is in doubt.")));
}

/* What was in the way to the last, and will be in that of the next run. */
static void
say_problem(const Engine *engine)
{
	EngineState state = engine_state(engine);

	if (state.condition == ENGINE_DISPATCHING && state.problem != NULL)
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("%s", state.problem)));
}

static void
say_what_happened(const Engine *engine)
{
	const Totals *totals = engine_state(engine).totals;
	StringInfoData list;
	int64		ended = 0;

	if (engine_state(engine).condition == ENGINE_NOT_ALONE)
	{
		ereport(NOTICE,
				(shmem_wake_now(DT_NOBEGIN) ?
				 errmsg("the worker of this database is running and was woken") :
				 errmsg("another session is dispatching nudges in this database")));
		return;
	}
	initStringInfo(&list);
	for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++)
	{
		if (totals->ended[outcome] == 0)
			continue;
		appendStringInfo(&list, "%s" INT64_FORMAT " %s", list.len > 0 ? ", " : "",
						 totals->ended[outcome], outcome_name(outcome));
		ended += totals->ended[outcome];
	}
	if (totals->moved > 0)
		appendStringInfo(&list, "%s" INT64_FORMAT " put off", list.len > 0 ? ", " : "", totals->moved);
	ereport(NOTICE,
			(errmsg_plural("%ld nudge ended%s%s", "%ld nudges ended%s%s", (unsigned long) ended,
						   (long) ended, list.len > 0 ? ": " : "", list.data)));
}

Datum
reengage_run(PG_FUNCTION_ARGS)
{
	Limits		limits = read_limits(fcinfo);
	Engine	   *engine;

	check_surroundings(fcinfo);
	leave_first_transaction();
	engine = engine_create(TICK_IN_PROCEDURE);
	PG_TRY();
	{
		run_until_done(engine, limits);
		say_what_happened(engine);
		say_what_is_unwritten(engine);
		say_problem(engine);
	}
	PG_FINALLY();
	{
		engine_destroy(engine);
	}
	PG_END_TRY();
	/* a worker that stood by meanwhile can go on */
	shmem_wake_now(DT_NOBEGIN);
	PG_RETURN_VOID();
}
