/*
 * shmem.c: worker slots in shared memory, and the wake-up at commit.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "fmgr.h"
#include "commands/dbcommands.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "base/compat.h"
#include "base/metrics.h"
#include "base/shmem.h"
#include "nudge.h"

PG_FUNCTION_INFO_V1(reengage_wake);
PG_FUNCTION_INFO_V1(reengage_wake_for_news);
PG_FUNCTION_INFO_V1(reengage_worker_state);
PG_FUNCTION_INFO_V1(reengage_workers);

typedef struct SharedState
{
	slock_t		mutex;			/* held for a few instructions at a time */
	int			launcher_proc_number;	/* -1: none */
	WorkerSlot	slots[REENGAGE_MAX_DATABASES];
	Wakes		wakes[REENGAGE_MAX_DATABASES];	/* since the worker last looked */
} SharedState;

static SharedState *shared = NULL;
static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;
static int	my_place = -1;

/* What this transaction made due. */
static Wakes wakes_at_commit = {.everybody = DT_NOEND};

/* What a transaction made due that has committed: kept until the commit is complete and the worker is woken. */
static Wakes wakes_after_commit = {.everybody = DT_NOEND};

static void
request_shared_memory(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(MAXALIGN(sizeof(SharedState)) + MAXALIGN(metrics_size()));
}

static void
create_shared_memory(void)
{
	bool		found;
	void	   *counters;

	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("reengage", sizeof(SharedState), &found);
	if (!found)
	{
		memset(shared, 0, sizeof(SharedState));
		SpinLockInit(&shared->mutex);
		shared->launcher_proc_number = -1;
		for (int place = 0; place < REENGAGE_MAX_DATABASES; place++)
			wakes_init(&shared->wakes[place]);
	}
	counters = ShmemInitStruct("reengage metrics", metrics_size(), &found);
	metrics_attach(counters, found);
	LWLockRelease(AddinShmemInitLock);
}

void
shmem_install_hooks(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_shared_memory;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = create_shared_memory;
}

WorkerSlot
shmem_slot(int place)
{
	WorkerSlot	copy;

	SpinLockAcquire(&shared->mutex);
	copy = shared->slots[place];
	SpinLockRelease(&shared->mutex);
	return copy;
}

static void
wake_launcher(void)
{
	int			number = shared->launcher_proc_number;

	if (number >= 0)
		SetLatch(proc_latch(number));
}

void
shmem_attach_launcher(void)
{
	shared->launcher_proc_number = my_proc_number();
}

int
shmem_reserve_slot(const char *database)
{
	int			place;

	SpinLockAcquire(&shared->mutex);
	for (place = 0; place < REENGAGE_MAX_DATABASES; place++)
	{
		WorkerSlot *slot = &shared->slots[place];

		if (slot->database[0] != '\0' || slot->pid != 0)
			continue;
		memset(slot, 0, sizeof(*slot));
		strlcpy(slot->database, database, NAMEDATALEN);
		wakes_init(&shared->wakes[place]);
		break;
	}
	SpinLockRelease(&shared->mutex);
	return place < REENGAGE_MAX_DATABASES ? place : -1;
}

void
shmem_release_slot(int place)
{
	SpinLockAcquire(&shared->mutex);
	shared->slots[place].database[0] = '\0';
	SpinLockRelease(&shared->mutex);
}

static void
set_phase(WorkerSlot *slot, WorkerPhase phase, TimestampTz now)
{
	if (slot->phase != phase)
		slot->since = now;
	slot->phase = phase;
}

void
shmem_note_launch(int place)
{
	TimestampTz now = GetCurrentTimestamp();

	SpinLockAcquire(&shared->mutex);
	set_phase(&shared->slots[place], WORKER_STARTING, now);
	SpinLockRelease(&shared->mutex);
}

void
shmem_note_ended(int place)
{
	TimestampTz now = GetCurrentTimestamp();
	WorkerSlot *slot = &shared->slots[place];

	SpinLockAcquire(&shared->mutex);
	set_phase(slot, WORKER_ABSENT, now);
	slot->pid = 0;
	slot->database_oid = InvalidOid;
	slot->in_flight = slot->waiting_lock = slot->store_failed = 0;
	slot->restarts++;
	SpinLockRelease(&shared->mutex);
}

static void
worker_is_ending(int code, Datum place)
{
	metrics_forget_engine();
	shmem_note_ended(DatumGetInt32(place));
	wake_launcher();
}

void
shmem_attach_worker(int place)
{
	WorkerSlot *slot = &shared->slots[place];

	my_place = place;
	before_shmem_exit(worker_is_ending, Int32GetDatum(place));
	SpinLockAcquire(&shared->mutex);
	slot->pid = MyProcPid;
	slot->proc_number = my_proc_number();
	slot->database_oid = MyDatabaseId;
	wakes_init(&shared->wakes[place]);
	SpinLockRelease(&shared->mutex);
}

void
shmem_report(int place, WorkerPhase phase, int in_flight, int64 ended, Clocks followed)
{
	TimestampTz now = GetCurrentTimestamp();
	WorkerSlot *slot = &shared->slots[place];
	bool		was_spared;

	SpinLockAcquire(&shared->mutex);
	was_spared = slot->phase == WORKER_FENCED && phase != WORKER_FENCED;
	set_phase(slot, phase, now);
	slot->in_flight = in_flight;
	slot->ended += ended;
	slot->followed = followed;
	SpinLockRelease(&shared->mutex);
	/* of what became due meanwhile nobody has told it */
	if (was_spared)
		SetLatch(MyLatch);
}

void
shmem_report_unwritten(int place, int waiting_lock, int store_failed, TimestampTz since)
{
	WorkerSlot *slot = &shared->slots[place];

	SpinLockAcquire(&shared->mutex);
	slot->waiting_lock = waiting_lock;
	slot->store_failed = store_failed;
	slot->unwritten_since = since;
	SpinLockRelease(&shared->mutex);
}

void
shmem_report_retention(int place, TimestampTz pruned_at, TimestampTz prunes_from)
{
	WorkerSlot *slot = &shared->slots[place];

	SpinLockAcquire(&shared->mutex);
	slot->pruned_at = pruned_at;
	slot->prunes_from = prunes_from;
	SpinLockRelease(&shared->mutex);
}

void
shmem_report_problem(int place, const char *message)
{
	WorkerSlot *slot = &shared->slots[place];

	SpinLockAcquire(&shared->mutex);
	strlcpy(slot->message, message ? message : "", WORKER_MESSAGE_SIZE);
	SpinLockRelease(&shared->mutex);
}

Wakes
shmem_take_wakes(int place)
{
	Wakes		taken;

	SpinLockAcquire(&shared->mutex);
	taken = shared->wakes[place];
	wakes_init(&shared->wakes[place]);
	SpinLockRelease(&shared->mutex);
	return taken;
}

/*
 * Tells the worker of this database, and wakes it, unless it is fenced and all
 * the news is what became due: each wake-up makes it look at the fence, and arm()
 * has it read everything.  False: there is none.
 */
static bool
tell_worker(const Wakes *wakes)
{
	int			proc_number = -1;
	bool		is_spared = false;

	if (shared == NULL)
		return false;
	SpinLockAcquire(&shared->mutex);
	for (int place = 0; place < REENGAGE_MAX_DATABASES; place++)
	{
		WorkerSlot *slot = &shared->slots[place];

		if (slot->pid == 0 || slot->database_oid != MyDatabaseId)
			continue;
		wakes_add_all(&shared->wakes[place], wakes);
		proc_number = slot->proc_number;
		is_spared = slot->phase == WORKER_FENCED && wakes->everybody == DT_NOEND;
	}
	SpinLockRelease(&shared->mutex);
	/* Latches of PGPROCs never go away: at worst this wakes a stranger once. */
	if (proc_number >= 0 && !is_spared)
		SetLatch(proc_latch(proc_number));
	return proc_number >= 0;
}

bool
shmem_wake_now(TimestampTz due_at)
{
	Wakes		wakes;

	wakes_init(&wakes);
	wakes_add_everybody(&wakes, due_at);
	return tell_worker(&wakes);
}

/* Nothing in here may raise: at commit it is too late for that. */
static void
transaction_ended(XactEvent event, void *arg)
{
	if (!wakes_at_commit.any)
		return;
	if (event == XACT_EVENT_COMMIT)
		wakes_after_commit = wakes_at_commit;
	/* A prepared transaction commits elsewhere; the sweep will find it. */
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		wakes_init(&wakes_at_commit);
}

/*
 * The end of a commit, when others have been told of changes to the catalog: a
 * worker that is woken earlier could read the old options of a server, and go
 * to sleep with them.
 */
static void
resources_released(ResourceReleasePhase phase, bool is_commit, bool is_top_level, void *arg)
{
	if (phase != RESOURCE_RELEASE_AFTER_LOCKS || !is_top_level || !wakes_after_commit.any)
		return;
	tell_worker(&wakes_after_commit);
	wakes_init(&wakes_after_commit);
}

void
shmem_register_wake_at_commit(void)
{
	RegisterXactCallback(transaction_ended, NULL);
	RegisterResourceReleaseCallback(resources_released, NULL);
}

void
shmem_wake_at_commit(TimestampTz due_at)
{
	wakes_add_everybody(&wakes_at_commit, due_at);
}

void
shmem_wake_lanes_at_commit(const Wakes *wakes)
{
	wakes_add_all(&wakes_at_commit, wakes);
}

Datum
reengage_wake(PG_FUNCTION_ARGS)
{
	shmem_wake_at_commit(PG_GETARG_TIMESTAMPTZ(0));
	PG_RETURN_VOID();
}

Datum
reengage_wake_for_news(PG_FUNCTION_ARGS)
{
	wakes_add_news(&wakes_at_commit);
	PG_RETURN_VOID();
}

static const char *
phase_name(WorkerPhase phase)
{
	switch (phase)
	{
		case WORKER_ABSENT:
			return "absent";
		case WORKER_STARTING:
			return "starting";
		case WORKER_NO_EXTENSION:
			return "no extension";
		case WORKER_FENCED:
			return "fenced";
		case WORKER_STANDING_BY:
			return "standing by";
		case WORKER_RUNNING:
			return "running";
	}
	return "invalid";
}

/* The slot of the database with this name, or of none. */
static WorkerSlot
slot_of_database(const char *database)
{
	WorkerSlot	none = {0};

	for (int place = 0; shared != NULL && place < REENGAGE_MAX_DATABASES; place++)
	{
		WorkerSlot	slot = shmem_slot(place);

		if (strcmp(slot.database, database) == 0)
			return slot;
	}
	return none;
}

Datum
reengage_worker_state(PG_FUNCTION_ARGS)
{
	TupleDesc	descriptor;
	Datum		values[15];
	bool		nulls[15] = {false};
	WorkerSlot	slot = slot_of_database(get_database_name(MyDatabaseId));
	bool		listed = slot.database[0] != '\0';

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = BoolGetDatum(shared != NULL);
	values[1] = BoolGetDatum(listed);
	values[2] = CStringGetTextDatum(phase_name(slot.phase));
	values[3] = Int32GetDatum(slot.pid);
	nulls[3] = slot.pid == 0;
	values[4] = TimestampTzGetDatum(slot.since);
	nulls[4] = slot.since == 0;
	values[5] = Int32GetDatum(slot.in_flight);
	values[6] = Int64GetDatum(slot.ended);
	values[7] = Int32GetDatum(slot.restarts);
	values[8] = CStringGetTextDatum(slot.message);
	nulls[8] = slot.message[0] == '\0';
	values[9] = Int32GetDatum(slot.waiting_lock);
	values[10] = Int32GetDatum(slot.store_failed);
	values[11] = TimestampTzGetDatum(slot.unwritten_since);
	nulls[11] = slot.waiting_lock + slot.store_failed == 0;
	values[12] = Int32GetDatum(metrics_courier_pid());
	nulls[12] = metrics_courier_pid() == 0;
	values[13] = TimestampTzGetDatum(slot.pruned_at);
	nulls[13] = slot.pruned_at == 0;
	values[14] = TimestampTzGetDatum(slot.prunes_from);
	nulls[14] = slot.prunes_from == 0;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls)));
}

Datum
reengage_workers(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int place = 0; shared != NULL && place < REENGAGE_MAX_DATABASES; place++)
	{
		WorkerSlot	slot = shmem_slot(place);
		Datum		values[2] = {CStringGetTextDatum(slot.database), CStringGetTextDatum(phase_name(slot.phase))};
		bool		nulls[2] = {false};

		if (slot.database[0] != '\0')
			tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
