/*
 * written_time.h: reads a time as extracts write it, without guessing.
 *
 * No setting of a server or a session matters.  A day is year, month and day
 * with a four-digit year, or has the name of its month; in any other order only
 * if it was said which.  After it may stand a time of day and an offset from
 * UTC, which is what there is without one; "UTC+2" is two hours east.
 */
#ifndef REENGAGE_WRITTEN_TIME_H
#define REENGAGE_WRITTEN_TIME_H

#include <stdbool.h>
#include <stdint.h>

typedef enum DateOrder
{
	DATE_ORDER_UNKNOWN,			/* only dates that leave no doubt */
	DATE_ORDER_DMY,
	DATE_ORDER_MDY,
	DATE_ORDER_YMD
} DateOrder;

/* "dmy", "mdy" or "ymd"; false: it is none. */
extern bool date_order_read(const char *text, DateOrder *order);

/*
 * Microseconds since 1970; false: it is no time, before 1970 or after 9999, or
 * it is not certain which.  Thirteen digits are milliseconds since 1970.
 */
extern bool written_time_read(const char *text, DateOrder order, int64_t *microseconds);

#endif
