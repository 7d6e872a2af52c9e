/*
 * store_retention.h: letting go of what is old, in SQL.
 */
#ifndef REENGAGE_STORE_RETENTION_H
#define REENGAGE_STORE_RETENTION_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* Does somebody else prune, or erase? */
extern bool store_retention_is_busy(void);

/* May the clock be ahead, by when lineage was recorded? */
extern bool store_clock_is_doubtful(void);

/*
 * Lets go of about so many rows that were recorded since *since, which moves on.
 * False: there are no more of them.
 */
extern bool store_prune_part(TimestampTz *since, int rows);

/* Likewise what is beside nudges and lineage, at most so many rows of each table.  False: there was nothing. */
extern bool store_prune_rest(int rows);

#endif
