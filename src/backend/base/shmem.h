/*
 * shmem.h: what the launcher, the workers and the sessions share.
 *
 * Only numbers and text live there: nothing that is private to a process.
 * Without preloading there is no shared memory; every function then does
 * nothing, or says so.
 */
#ifndef REENGAGE_SHMEM_H
#define REENGAGE_SHMEM_H

#include "base/clocks.h"

#include "base/wakes.h"

/* Enough for a cluster of organisations; each costs 3 kB. */
#define REENGAGE_MAX_DATABASES 32

typedef enum WorkerPhase
{
	WORKER_ABSENT,				/* not started yet, or it ended */
	WORKER_STARTING,
	WORKER_NO_EXTENSION,		/* waits for CREATE EXTENSION */
	WORKER_FENCED,				/* waits for arm() */
	WORKER_STANDING_BY,			/* another session dispatches */
	WORKER_RUNNING
} WorkerPhase;

#define WORKER_MESSAGE_SIZE 256

/* One database that is to have a worker. */
typedef struct WorkerSlot
{
	char		database[NAMEDATALEN];	/* empty: the slot is free */
	Oid			database_oid;	/* 0 until the worker has connected */
	int			pid;			/* 0: no worker process */
	int			proc_number;	/* of the worker, for its latch */
	WorkerPhase phase;
	TimestampTz since;			/* start of the phase */
	int			in_flight;
	int64		ended;			/* nudges, since the server started */
	int			waiting_lock;		/* outcomes that wait for somebody's transaction */
	int			store_failed;		/* outcomes that the database refuses */
	TimestampTz unwritten_since;	/* the oldest of both */
	TimestampTz pruned_at;		/* all that might go went, or it was first wanted; 0: it is not */
	TimestampTz prunes_from;	/* until then the clock may be wrong; 0: it is believed */
	int			restarts;
	char		message[WORKER_MESSAGE_SIZE];	/* what is wrong; empty: nothing */
	Clocks		followed;		/* by these the pauses in its tables are right */
} WorkerSlot;

/* For _PG_init. */
extern void shmem_install_hooks(void);
extern void shmem_register_wake_at_commit(void);

/* A copy of a slot.  By place: 0 to REENGAGE_MAX_DATABASES - 1. */
extern WorkerSlot shmem_slot(int place);

/* For the launcher. */
extern void shmem_attach_launcher(void);
extern int	shmem_reserve_slot(const char *database);	/* -1: none is free */
extern void shmem_release_slot(int place);
extern void shmem_note_launch(int place);
extern void shmem_note_ended(int place);

/* For the worker of a slot; also arranges that its end is noted. */
extern void shmem_attach_worker(int place);
extern void shmem_report(int place, WorkerPhase phase, int in_flight, int64 ended, Clocks followed);

extern void shmem_report_retention(int place, TimestampTz pruned_at, TimestampTz prunes_from);
extern void shmem_report_unwritten(int place, int waiting_lock, int store_failed, TimestampTz since);

/* NULL or empty: all is well again. */
extern void shmem_report_problem(int place, const char *message);

/* What became due since the last call. */
extern Wakes shmem_take_wakes(int place);

/* Has the worker of this database woken when this transaction commits, whoever asked. */
extern void shmem_wake_at_commit(TimestampTz due_at);

/* The same of what became due to those roles. */
extern void shmem_wake_lanes_at_commit(const Wakes *wakes);

/* Wakes the worker of this database at once.  False: there is none. */
extern bool shmem_wake_now(TimestampTz due_at);

#endif
