/*
 * time_zones.h: the names of pg_timezone_names, and no other.
 */
#ifndef REENGAGE_TIME_ZONES_H
#define REENGAGE_TIME_ZONES_H

#include "postgres.h"

#include "base/compat.h"
#include "pgtime.h"

/* In any case of letters.  NULL: this server has no zone of that name. */
extern pg_tz *time_zone_find(const char *name);

/* An error; "whose" ends the name of what has it, for example " of a nudge". */
pg_noreturn extern void time_zone_refuse(const char *name, const char *whose);

#endif
