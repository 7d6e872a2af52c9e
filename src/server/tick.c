/*
 * tick.c: one short transaction.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "reengage.h"
#include "tick.h"

#define WORKER_ROLE "reengage_worker"

/*
 * Until the end of the transaction, against ALTER DATABASE, ALTER ROLE and SET.
 * The planner settings hold the plans to the indexes that they were written
 * for: a plan is kept for days, and may be made while a table is empty.
 */
static void
pin_settings(void)
{
	static const struct
	{
		const char *name;
		const char *value;
	}			settings[] = {
		{"transaction_isolation", "read committed"},
		{"transaction_read_only", "off"},
		{"search_path", "pg_catalog, pg_temp"},
		{"session_replication_role", "origin"},
		{"statement_timeout", "0"},
		/* a lock on our tables delays a tick; it must not delay a shutdown */
		{"lock_timeout", "1s"},
#if PG_VERSION_NUM >= 170000
		{"transaction_timeout", "0"},
#endif
		{"plan_cache_mode", "force_generic_plan"},
		{"enable_seqscan", "off"},
		{"enable_hashjoin", "off"},
		{"enable_mergejoin", "off"},
		{"jit", "off"},
	};

	for (int i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i].name, settings[i].value, PGC_SUSET,
								 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
	/* P3: what was recorded is on disk, here and on a synchronous standby */
	if (synchronous_commit < SYNCHRONOUS_COMMIT_ON)
		(void) set_config_option("synchronous_commit", "on", PGC_SUSET,
								 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
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

static bool
run_if_installed(TickBody body, void *argument)
{
	bool		installed;

	PushActiveSnapshot(GetTransactionSnapshot());
	installed = OidIsValid(get_extension_oid(REENGAGE_EXTENSION, true));
	if (installed)
		run_as_worker_role(body, argument);
	PopActiveSnapshot();
	return installed;
}

static bool
run_in_procedure(TickBody body, void *argument)
{
	bool		installed;

	SPI_connect_ext(SPI_OPT_NONATOMIC);
	pin_settings();
	installed = run_if_installed(body, argument);
	SPI_commit();
	SPI_finish();
	return installed;
}

static bool
run_in_worker(TickBody body, void *argument)
{
	bool		installed;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	pgstat_report_activity(STATE_RUNNING, "reengage tick");
	pin_settings();
	SPI_connect();
	installed = run_if_installed(body, argument);
	SPI_finish();
	CommitTransactionCommand();
	/* without this, autovacuum would never hear of our dead rows */
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
	return installed;
}

bool
tick_run(EngineHost host, TickBody body, void *argument)
{
	if (host == ENGINE_IN_PROCEDURE)
		return run_in_procedure(body, argument);
	return run_in_worker(body, argument);
}

/* Errors of these classes are about a row; all others are about the server. */
static bool
is_about_data(int sqlstate)
{
	int			class = ERRCODE_TO_CATEGORY(sqlstate);

	return class == ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION) ||
		class == ERRCODE_TO_CATEGORY(ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION) ||
		class == ERRCODE_TO_CATEGORY(ERRCODE_RAISE_EXCEPTION) ||
		class == ERRCODE_TO_CATEGORY(ERRCODE_PROGRAM_LIMIT_EXCEEDED);
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
		sqlstate = geterrcode();
		if (!is_about_data(sqlstate))
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return sqlstate;
}
