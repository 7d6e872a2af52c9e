/*
 * tick.c: one short transaction.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/instrument.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "base/clocks.h"
#include "base/metrics.h"
#include "base/names.h"
#include "base/versions.h"
#include "store/tick.h"

/* So long a shutdown waits for a tick: a trigger of the owner may never end. */
#define SHUTDOWN_TIMEOUT_MS 1000

/* Ends and intents of one tick: each takes locks until its commit. */
#define TICK_MOST 250
#define LOCKS_OF_ONE 8

static volatile sig_atomic_t in_tick = false;
static TimeoutId shutdown_timeout = MAX_TIMEOUTS;

/* --- what ends a tick of the worker before its time --------------------------- */

void
tick_cancel(void)
{
	if (!in_tick)
		return;
	InterruptPending = true;
	QueryCancelPending = true;
	SetLatch(MyLatch);
}

static void
on_shutdown_timeout(void)
{
	if (ShutdownRequestPending)
		tick_cancel();
}

static void
begin_timeout(void)
{
	if (shutdown_timeout == MAX_TIMEOUTS)
		shutdown_timeout = RegisterTimeout(USER_TIMEOUT, on_shutdown_timeout);
	in_tick = true;
	enable_timeout_every(shutdown_timeout,
						 TimestampTzPlusMilliseconds(GetCurrentTimestamp(), SHUTDOWN_TIMEOUT_MS), SHUTDOWN_TIMEOUT_MS);
}

/* A cancel that comes too late is forgotten: what follows believes the commit. */
static void
end_timeout(void)
{
	disable_timeout(shutdown_timeout, false);
	in_tick = false;
	QueryCancelPending = false;
}

/* --- the transaction ------------------------------------------------------------ */

/*
 * The planner settings hold the plans to the indexes that they were written
 * for: a plan is kept for days, and may be made while a table is empty.
 */
static const struct
{
	const char *name;
	const char *value;			/* as GetConfigOption() has it */
}			pinned[] = {
	{"transaction_isolation", "read committed"},
	{"transaction_read_only", "off"},
	{"search_path", "pg_catalog, pg_temp"},
	{"session_replication_role", "origin"},
	{"row_security", "on"},
	{"statement_timeout", "0"},
	/* ms: a lock on our tables delays a tick; it must not delay a shutdown */
	{"lock_timeout", "1000"},
	/* an error is ours to handle */
	{"exit_on_error", "off"},
#if PG_VERSION_NUM >= 170000
	{"transaction_timeout", "0"},
#endif
	{"plan_cache_mode", "force_generic_plan"},
	{"enable_seqscan", "off"},
	{"enable_hashjoin", "off"},
	{"enable_mergejoin", "off"},
	{"enable_indexscan", "on"},
	{"enable_nestloop", "on"},
	{"enable_sort", "on"},
	{"jit", "off"},

	/*
	 * On disk here; the wait for a synchronous standby is made between the
	 * ticks, where it holds up neither a shutdown nor other nudges.
	 */
	{"synchronous_commit", "local"},
};

/* Until the end of the transaction, against ALTER DATABASE, ALTER ROLE and SET. */
static void
pin_settings(void)
{
	for (int i = 0; i < lengthof(pinned); i++)
	{
		const char *value = GetConfigOption(pinned[i].name, false, false);

		if (value == NULL || strcmp(value, pinned[i].value) != 0)
			(void) set_config_option(pinned[i].name, pinned[i].value, PGC_SUSET,
									 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
	}
}

/* A worker has nothing but ticks: what it has anyway, none needs to set, and no commit to set back. */
static void
pin_settings_of_worker(void)
{
	static bool done = false;

	for (int i = 0; i < lengthof(pinned) && !done; i++)
		SetConfigOption(pinned[i].name, pinned[i].value, PGC_SUSET, PGC_S_OVERRIDE);
	done = true;
}

/* Least privilege: the worker itself was started as the bootstrap superuser. */
static void
run_as_worker_role(TickBody body, void *argument)
{
	Oid			user;
	int			context;

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(get_role_oid(WORKER_ROLE, false),
						   context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	body(argument);
	SetUserIdAndSecContext(user, context);
}

/* As of the last look; its schema is its own, so that of a DROP or CREATE we hear by that. */
static bool known_installed = false;

static void
forget_installed(Datum arg, int cache, uint32 hash)
{
	known_installed = false;
}

static bool
is_installed(void)
{
	static bool watching = false;

	if (!watching)
		CacheRegisterSyscacheCallback(NAMESPACEOID, forget_installed, (Datum) 0);
	watching = true;
	if (!known_installed)
		known_installed = versions_agree();
	return known_installed;
}

static bool
run_if_installed(TickBody body, void *argument)
{
	bool		installed;

	PushActiveSnapshot(GetTransactionSnapshot());
	installed = is_installed();
	if (installed)
		run_as_worker_role(body, argument);
	PopActiveSnapshot();
	return installed;
}

static bool
run_in_worker(TickBody body, void *argument)
{
	bool		installed;

	pin_settings_of_worker();
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	pgstat_report_activity(STATE_RUNNING, "reengage tick");
	pin_settings();
	SPI_connect();
	installed = run_if_installed(body, argument);
	SPI_finish();
	CommitTransactionCommand();
	end_timeout();
	return installed;
}

static bool
try_in_worker(TickBody body, void *argument, ErrorData **error)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool installed = true;

	begin_timeout();
	PG_TRY();
	{
		installed = run_in_worker(body, argument);
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(context);
		*error = CopyErrorData();
		AbortOutOfAnyTransaction();
		FlushErrorState();
		end_timeout();
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	/* without this, autovacuum would never hear of our dead rows */
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
	return installed;
}

/*
 * The transaction of a CALL cannot be aborted from within, so that the body
 * runs in a subtransaction of it.
 */
static bool
try_in_procedure(TickBody body, void *argument, ErrorData **error)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool installed = true;

	SPI_connect_ext(SPI_OPT_NONATOMIC);
	pin_settings();
	BeginInternalSubTransaction(NULL);
	PG_TRY();
	{
		installed = run_if_installed(body, argument);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		*error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	CurrentResourceOwner = owner;
	SPI_commit();
	SPI_finish();
	MemoryContextSwitchTo(context);
	return installed;
}

int
tick_most(void)
{
	int			locks = max_locks_per_xact * MaxBackends;

	return Max(Min(locks / 8 / LOCKS_OF_ONE, TICK_MOST), 1);
}

bool
tick_run(TickHost host, TickBody body, void *argument, ErrorData **error)
{
	Monotonic	began = monotonic_now();
	uint64		wal_bytes = pgWalUsage.wal_bytes;
	bool		installed;

	*error = NULL;
	installed = host == TICK_IN_PROCEDURE ? try_in_procedure(body, argument, error) :
		try_in_worker(body, argument, error);
	metrics_note_tick(*error != NULL, monotonic_now().us - began.us, pgWalUsage.wal_bytes - wal_bytes);
	return installed;
}

void
tick_log(ErrorData *error)
{
	ErrorContextCallback *callbacks = error_context_stack;

	error->elevel = LOG;
	/* it knows its context already */
	error_context_stack = NULL;
	ThrowErrorData(error);
	error_context_stack = callbacks;
}

bool
tick_error_is_about_rows(int sqlstate)
{
	int			class = ERRCODE_TO_CATEGORY(sqlstate);

	return sqlstate == ERRCODE_LOCK_NOT_AVAILABLE ||
		class == ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION) ||
		class == ERRCODE_TO_CATEGORY(ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION) ||
		class == ERRCODE_TO_CATEGORY(ERRCODE_RAISE_EXCEPTION) ||
		class == ERRCODE_TO_CATEGORY(ERRCODE_PROGRAM_LIMIT_EXCEEDED);
}

void
tick_wait_less(void)
{
	(void) set_config_option("lock_timeout", "100ms", PGC_SUSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
}

int
tick_try(TickBody body, void *argument)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile int sqlstate = 0;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		body(argument);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		sqlstate = error->sqlerrcode;
		if (!tick_error_is_about_rows(sqlstate))
			ReThrowError(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return sqlstate;
}
