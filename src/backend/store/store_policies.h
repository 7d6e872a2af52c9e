/*
 * store_policies.h: the table of policies, and what caps and gaps ask of the
 * lineage.
 */
#ifndef REENGAGE_STORE_POLICIES_H
#define REENGAGE_STORE_POLICIES_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/uuid.h"

#include "policy_rules.h"

/* Which messages count: those to a customer, or else those of a thread. */
typedef struct CountedMessages
{
	const char *address_hash;		/* hash of the address */
	const char *thread;			/* its root, if the customer is not known */
	pg_uuid_t	nudge_id;		/* whose own call does not count */
	const char *server;
	const char *campaign;		/* NULL: any */
	const char *channel;		/* NULL: any */
	TimestampTz since;
} CountedMessages;

typedef struct MessageCount
{
	int			count;			/* of those that were sent, or may have been */
	TimestampTz last;			/* 0: there was none */
} MessageCount;

/* Allocates them there; returns their number. */
extern int	store_read_policies(MemoryContext context, Policy **policies);

extern void store_count_messages(const CountedMessages *questions, int count, MessageCount *counts);

#endif
