/*
 * own_transaction.h: procedures that commit, and where they cannot.
 */
#ifndef REENGAGE_OWN_TRANSACTION_H
#define REENGAGE_OWN_TRANSACTION_H

#include "base/compat.h"

/* An error: this procedure commits, and may not do so where it was called. */
pg_noreturn extern void refuse_transaction_block(const char *procedure);

#endif
