/*
 * dispatcher_lock.h: the lock that makes an engine the only one of its
 * database.  It belongs to the session, so it ends with the process at the
 * latest, whatever becomes of that.
 */
#ifndef REENGAGE_DISPATCHER_LOCK_H
#define REENGAGE_DISPATCHER_LOCK_H

#include "postgres.h"

#include "storage/lock.h"

/* False: another session has it.  Inside a transaction. */
extern bool dispatcher_lock_take(void);

extern void dispatcher_lock_release(void);

/* The transaction that its holder is in; invalid: in none, or there is none. */
extern VirtualTransactionId dispatcher_lock_holder(void);

#endif
