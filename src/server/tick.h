/*
 * tick.h: the transaction of a tick, protected from whatever the database's
 * or the session's settings would make of it.
 */
#ifndef REENGAGE_TICK_H
#define REENGAGE_TICK_H

#include "engine.h"

typedef void (*TickBody) (void *argument);

/*
 * Runs "body" as reengage_worker in a transaction and commits it, durably.
 * False: the extension does not exist here, so that there was nothing to run.
 * Errors are passed on; the caller aborts the transaction.
 */
extern bool tick_run(EngineHost host, TickBody body, void *argument);

/*
 * Runs "body" in a subtransaction.  Returns 0, or the SQLSTATE of an error
 * that is about the data; all other errors are passed on.
 */
extern int	tick_try(TickBody body, void *argument);

#endif
