/*
 * own_transaction.h: procedures that commit, and where they cannot.
 */
#ifndef REENGAGE_OWN_TRANSACTION_H
#define REENGAGE_OWN_TRANSACTION_H

/* An error: this procedure commits, and may not do so where it was called. */
extern void refuse_transaction_block(const char *procedure) pg_attribute_noreturn();

#endif
