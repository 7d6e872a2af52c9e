/*
 * quiet_hours.h: windows of the week in which nobody is spoken to.
 *
 * A window is text such as "mon-fri 20:00-08:00": it begins on the days that it
 * names and may pass midnight.  Minutes of the week count from Monday 00:00.
 */
#ifndef REENGAGE_QUIET_HOURS_H
#define REENGAGE_QUIET_HOURS_H

#include <stdbool.h>

#define MINUTES_OF_DAY (24 * 60)
#define MINUTES_OF_WEEK (7 * MINUTES_OF_DAY)

/* One flag for each minute: with them, windows are joined and cannot overlap unseen. */
typedef struct QuietHours
{
	bool		minutes[MINUTES_OF_WEEK];
} QuietHours;

/*
 * Adds a window to quiet hours that began as zeros.  NULL: it is added; else
 * what is wrong with it, in a sentence, and they are not to be used.
 */
extern const char *quiet_hours_add(QuietHours *hours, const char *window);

/* How many minutes it is quiet from this one on; 0: it is not; -1: without end. */
extern int	quiet_hours_left(const QuietHours *hours, int minute);

#endif
