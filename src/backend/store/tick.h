/*
 * tick.h: the transaction of a tick, protected from whatever the database's
 * or the session's settings would make of it.
 */
#ifndef REENGAGE_TICK_H
#define REENGAGE_TICK_H

#include "postgres.h"

/* Where a tick's transaction comes from. */
typedef enum TickHost
{
	TICK_IN_WORKER,			/* it makes its own; errors are survived */
	TICK_IN_PROCEDURE			/* SPI's, of a CALL outside of a transaction block */
} TickHost;

typedef void (*TickBody) (void *argument);

/*
 * How many rows of each kind a tick may write: it takes an eighth of the lock
 * table at most, which everybody shares.
 */
extern int	tick_most(void);

/*
 * Runs "body" as reengage_worker in a transaction, which is on disk when it
 * returns.  False: the extension does not exist here, so that there was
 * nothing to run.  After an error all is rolled back, and *error has it in
 * the current memory context; otherwise *error is NULL.
 */
extern bool tick_run(TickHost host, TickBody body, void *argument, ErrorData **error);

/* Writes an error of tick_run() into the log. */
extern void tick_log(ErrorData *error);

/*
 * Ends the tick that the worker is making, if it is making one.  Between ticks
 * there is nothing to cancel, and an error would cost what is on the wire.
 * For signal handlers.
 */
extern void tick_cancel(void);

/*
 * Is this error about rows that were to be written, what they say or who has
 * locked them?  All others are about the server.
 */
extern bool tick_error_is_about_rows(int sqlstate);

/* From here on the tick waits less for locks: it may meet one for each row. */
extern void tick_wait_less(void);

/*
 * Runs "body" in a subtransaction.  Returns 0, or the SQLSTATE of an error
 * that is about rows; all other errors are passed on.
 */
extern int	tick_try(TickBody body, void *argument);

#endif
