/*
 * iso_time.h: times as APIs write them, in ISO 8601.
 */
#ifndef REENGAGE_ISO_TIME_H
#define REENGAGE_ISO_TIME_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Reads "2026-11-20T10:00:00.123Z", or with an offset such as "+01:00", as
 * microseconds since 1970.  False, and *micros as it was, unless all of the
 * text is such a time: a date with four digits of a year from 1970 on, a time
 * to the second, perhaps a fraction, and a zone, without which it is no time.
 */
extern bool iso_time_read(const char *text, int64_t *micros);

#endif
