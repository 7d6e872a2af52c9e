/*
 * permitted_at.h: quiet hours in a time zone.
 */
#ifndef REENGAGE_PERMITTED_AT_H
#define REENGAGE_PERMITTED_AT_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "pgtime.h"

#include "quiet_hours.h"

/* Of an array of texts; an error if one is wrong, or if they leave no time. */
extern void quiet_hours_read(QuietHours *hours, Datum windows);

/*
 * The first instant, not before "at", whose wall clock in the zone lies in no
 * window; DT_NOEND: there is none.
 */
extern TimestampTz permitted_at(const QuietHours *hours, const pg_tz *zone, TimestampTz at);

#endif
