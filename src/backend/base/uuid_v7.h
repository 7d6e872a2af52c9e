/*
 * uuid_v7.h: time-ordered identifiers.
 */
#ifndef REENGAGE_UUID_V7_H
#define REENGAGE_UUID_V7_H

#include "utils/uuid.h"

/* A new UUID version 7, in order within this process. */
extern void uuid_v7_generate(pg_uuid_t *uuid);

/* Is it the last one that reengage.uuid_v7() has made, in this very statement?  True once for each. */
extern bool uuid_v7_take_made(const pg_uuid_t *uuid);

#endif
