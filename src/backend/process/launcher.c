/*
 * launcher.c: one worker for each database in reengage.databases.
 *
 * The launcher connects to no database, so it can neither be in the way of
 * DROP DATABASE nor be stopped by a missing one, which it looks for in the
 * catalog that all share.  It restarts the workers itself, with growing pauses:
 * the postmaster would restart them at a fixed pace, which is a storm in the log
 * when a database lets nobody in.
 *
 * What runs is known from shared memory, not from handles, so a restarted
 * launcher takes over the workers of its predecessor.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/procsignal.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/varlena.h"

#include "base/clocks.h"
#include "base/compat.h"
#include "base/settings.h"
#include "base/shmem.h"
#include "base/wait_events.h"
#include "process/launcher.h"
#include "retry.h"

#define FIRST_PAUSE_MS 1000
#define LONGEST_PAUSE_MS (5 * 60 * 1000)

/*
 * Likewise, of one that had begun to work: nothing but a signal ends it, and
 * whoever sends one again and again must not silence the database.  As long as
 * the postmaster takes to restart us.
 */
#define LONGEST_PAUSE_OF_BEGUN_MS (5 * 1000)

/* A worker that lived this long was well: the next pause is short again. */
#define WELL_AFTER_MS (60 * 1000)

/* How soon a database is found that did not exist. */
#define LOOK_FOR_SECONDS 10

/* A launched worker attaches within milliseconds, on a busy machine seconds. */
#define START_TIMEOUT_MS (60 * 1000)

/* What the launcher remembers of a slot. */
typedef struct Launch
{
	bool		wanted;			/* its database is in the setting */
	bool		launched;		/* and has not been seen to end */
	bool		attached;		/* it was seen in its slot */
	bool		missing;		/* its database did not exist */
	BackgroundWorkerHandle *handle; /* NULL: a predecessor launched it */
	Monotonic	launched_at;
	Monotonic	not_before;		/* of the next launch */
	int64		pause_ms;
} Launch;

static Launch launches[REENGAGE_MAX_DATABASES];

void
launcher_register(void)
{
	BackgroundWorker worker = {0};

	/* to the catalogs that all databases share */
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	/* never on a standby */
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = 5;
	strlcpy(worker.bgw_library_name, "reengage", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "reengage_launcher_main", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, "reengage launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "reengage launcher", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

static int
find_slot(const char *database)
{
	for (int place = 0; place < REENGAGE_MAX_DATABASES; place++)
	{
		WorkerSlot	slot = shmem_slot(place);

		if (strcmp(slot.database, database) == 0)
			return place;
	}
	return -1;
}

/* Makes the slots follow the setting. */
static void
follow_setting(void)
{
	char	   *copy = pstrdup(reengage_databases);
	List	   *names;
	ListCell   *cell;

	for (int place = 0; place < REENGAGE_MAX_DATABASES; place++)
		launches[place].wanted = false;
	/* the check hook has seen to it that this succeeds */
	(void) SplitIdentifierString(copy, ',', &names);
	foreach(cell, names)
	{
		const char *database = lfirst(cell);
		int			place = find_slot(database);

		if (place < 0)
		{
			place = shmem_reserve_slot(database);
			if (place < 0)
			{
				ereport(WARNING,
						(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
						 errmsg("no worker for database \"%s\": all slots are in use", database)));
				continue;
			}
			memset(&launches[place], 0, sizeof(Launch));
		}
		launches[place].wanted = true;
	}
	list_free(names);
	pfree(copy);
}

/* Who reloads may have made the database, or room for a worker. */
static void
cut_pauses_short(void)
{
	for (int place = 0; place < REENGAGE_MAX_DATABASES; place++)
		launches[place].not_before = (Monotonic) {0};
}

static void
launch_worker(int place, const char *database)
{
	BackgroundWorker worker = {0};
	Launch	   *mine = &launches[place];

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "reengage", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "reengage_worker_main", sizeof(worker.bgw_function_name));
	snprintf(worker.bgw_name, BGW_MAXLEN, "reengage worker for %s", database);
	strlcpy(worker.bgw_type, "reengage worker", BGW_MAXLEN);
	worker.bgw_main_arg = Int32GetDatum(place);
	worker.bgw_notify_pid = MyProcPid;

	shmem_note_launch(place);
	mine->attached = false;
	mine->launched_at = monotonic_now();
	mine->launched = RegisterDynamicBackgroundWorker(&worker, &mine->handle);
	if (!mine->launched)
	{
		static const char problem[] = "could not start the worker: all of max_worker_processes are in use";

		if (strcmp(shmem_slot(place).message, problem) != 0)
			ereport(WARNING,
					(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					 errmsg("could not start the reengage worker for database \"%s\"", database),
					 errhint("Raise max_worker_processes.")));
		shmem_note_ended(place);
		shmem_report_problem(place, problem);
	}
}

/* By reading all of it: without a database no index may be known. */
static bool
catalog_has_database(const char *database)
{
	bool		has = false;
	Relation	catalog;
	TableScanDesc scan;
	HeapTuple	row;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	catalog = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(catalog, 0, NULL);
	while (!has && (row = heap_getnext(scan, ForwardScanDirection)) != NULL)
		has = strcmp(NameStr(((Form_pg_database) GETSTRUCT(row))->datname), database) == 0;
	table_endscan(scan);
	table_close(catalog, AccessShareLock);
	CommitTransactionCommand();
	return has;
}

/* False, and said once: there is nothing to connect to. */
static bool
database_exists(int place, const char *database)
{
	bool		exists = catalog_has_database(database);

	if (!exists && !launches[place].missing)
	{
		ereport(WARNING,
				(errcode(ERRCODE_UNDEFINED_DATABASE),
				 errmsg("database \"%s\" of reengage.databases does not exist", database),
				 errdetail("It has no reengage worker. It is looked for every %d seconds.", LOOK_FOR_SECONDS),
				 errhint("Create it, or take it out of reengage.databases; there, names with capital letters are in double quotes.")));
		/* who reads it is connected to that database, which has been made since */
		shmem_report_problem(place, "the database did not exist when it was last looked for; its worker comes within " CppAsString2(LOOK_FOR_SECONDS) " seconds");
	}
	launches[place].missing = !exists;
	return exists;
}

/* True when the worker that was launched is gone. */
static bool
has_ended(int place, const WorkerSlot *slot, Monotonic now)
{
	Launch	   *mine = &launches[place];
	pid_t		pid;

	if (mine->handle != NULL)
		return GetBackgroundWorkerPid(mine->handle, &pid) == BGWH_STOPPED;
	return slot->pid == 0 &&
		(mine->attached || monotonic_is_reached(monotonic_after(mine->launched_at, START_TIMEOUT_MS), now));
}

static void
note_end(int place, const WorkerSlot *slot, Monotonic now)
{
	Launch	   *mine = &launches[place];
	int			longest = LONGEST_PAUSE_OF_BEGUN_MS;

	if (slot->pid != 0 || slot->phase == WORKER_STARTING)
	{
		longest = LONGEST_PAUSE_MS;
		/* it ended before it could say so */
		shmem_note_ended(place);
		shmem_report_problem(place, "the worker ended while it started");
	}
	if (monotonic_is_reached(monotonic_after(mine->launched_at, WELL_AFTER_MS), now))
		mine->pause_ms = FIRST_PAUSE_MS;
	else
		mine->pause_ms = next_pause_ms(mine->pause_ms, FIRST_PAUSE_MS, longest);
	mine->not_before = monotonic_after(now, mine->pause_ms);
	if (mine->handle != NULL)
		pfree(mine->handle);
	mine->handle = NULL;
	mine->launched = false;
}

/* Looks after one slot; returns the milliseconds until it wants to be looked at again. */
static long
tend_slot(int place, Monotonic now)
{
	Launch	   *mine = &launches[place];
	WorkerSlot	slot = shmem_slot(place);

	if (slot.database[0] == '\0')
		return LONGEST_PAUSE_MS;
	if (!mine->launched && (slot.pid != 0 || slot.phase == WORKER_STARTING))
	{
		/* a worker of the launcher before us */
		mine->launched = true;
		mine->launched_at = now;
	}
	mine->attached |= slot.pid != 0;
	if (mine->launched && has_ended(place, &slot, now))
		note_end(place, &slot, now);
	if (!mine->wanted)
	{
		if (!mine->launched)
		{
			shmem_release_slot(place);
			/* some other database may have waited for it */
			ConfigReloadPending = true;
			SetLatch(MyLatch);
		}
		else if (mine->handle != NULL)
			TerminateBackgroundWorker(mine->handle);
		else if (slot.pid != 0)
			kill(slot.pid, SIGTERM);
		return LONGEST_PAUSE_MS;
	}
	if (mine->launched)
		return mine->handle == NULL ? START_TIMEOUT_MS : LONGEST_PAUSE_MS;
	if (!monotonic_is_reached(mine->not_before, now))
		return (long) monotonic_ms_until(mine->not_before, now);
	if (!database_exists(place, slot.database))
	{
		mine->not_before = monotonic_after(now, LOOK_FOR_SECONDS * 1000);
		return LOOK_FOR_SECONDS * 1000;
	}
	launch_worker(place, slot.database);
	if (!mine->launched)
		mine->not_before = monotonic_after(now, 10 * FIRST_PAUSE_MS);
	return FIRST_PAUSE_MS;
}

void
reengage_launcher_main(Datum arg)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	/* the postmaster tells us by it when a worker ended */
	pqsignal(SIGUSR1, procsignal_sigusr1_handler);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	pgstat_report_appname("reengage launcher");
	shmem_attach_launcher();
	follow_setting();

	while (!ShutdownRequestPending)
	{
		Monotonic	now = monotonic_now();
		long		timeout = LONGEST_PAUSE_MS;

		for (int place = 0; place < REENGAGE_MAX_DATABASES; place++)
		{
			long		wish = tend_slot(place, now);

			timeout = Min(timeout, wish);
		}
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 timeout, wait_event(WAIT_AS_LAUNCHER));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			follow_setting();
			cut_pauses_short();
		}
	}
	/* 0 would mean: never again, not even after a crash of another process */
	proc_exit(1);
}
