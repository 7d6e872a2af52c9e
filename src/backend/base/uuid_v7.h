/*
 * uuid_v7.h: time-ordered identifiers.
 */
#ifndef REENGAGE_UUID_V7_H
#define REENGAGE_UUID_V7_H

#include "datatype/timestamp.h"
#include "utils/uuid.h"

/* A new UUID version 7, in order within this process. */
extern void uuid_v7_generate(pg_uuid_t *uuid);

/* Was it made about this time, give or take so many microseconds?  Ids of other kinds say nothing of that. */
extern bool uuid_v7_is_of(const pg_uuid_t *uuid, TimestampTz time, int64 tolerance);

#endif
