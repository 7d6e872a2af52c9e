/*
 * quiet_hours.c: reading windows of the week, and looking into them.
 */
#include "quiet_hours.h"

#include <string.h>

#define DAYS 7

static const char BAD_FORM[] = "It must be days, a blank, and two times with a hyphen between them.";
static const char BAD_DAY[] = "A day is mon, tue, wed, thu, fri, sat or sun; daily stands for all of them.";
static const char DAY_TWICE[] = "It names a day twice.";
static const char BAD_TIME[] = "A time is HH:MM, from 00:00 to 23:59; a window may end at 24:00.";
static const char EMPTY[] = "It is empty: it ends when it begins. A whole day is 00:00-24:00.";
static const char OVERLAP[] = "It overlaps another window, or itself.";

/* The text that is left to be read. */
typedef struct Cursor
{
	const char *at;
} Cursor;

static bool
take_char(Cursor *cursor, char wanted)
{
	if (*cursor->at != wanted)
		return false;
	cursor->at++;
	return true;
}

/* The next day, from 0 for Monday on; -1: it is none. */
static int
take_day(Cursor *cursor)
{
	static const char *const names[DAYS] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

	for (int day = 0; day < DAYS; day++)
		if (strncmp(cursor->at, names[day], 3) == 0)
		{
			cursor->at += 3;
			return day;
		}
	return -1;
}

static const char *
take_range(Cursor *cursor, bool *days)
{
	int			day = take_day(cursor);
	int			last = day;

	if (day >= 0 && take_char(cursor, '-'))
		last = take_day(cursor);
	if (day < 0 || last < 0)
		return BAD_DAY;
	for (;; day = (day + 1) % DAYS)
	{
		if (days[day])
			return DAY_TWICE;
		days[day] = true;
		if (day == last)
			return NULL;
	}
}

/* "mon-fri", "sat,sun", "fri-mon", "daily" */
static const char *
take_days(Cursor *cursor, bool *days)
{
	static const char daily[] = "daily";
	const char *complaint;

	if (strncmp(cursor->at, daily, strlen(daily)) == 0)
	{
		cursor->at += strlen(daily);
		memset(days, true, sizeof(bool) * DAYS);
	}
	else
		do
		{
			complaint = take_range(cursor, days);
			if (complaint != NULL)
				return complaint;
		} while (take_char(cursor, ','));
	return take_char(cursor, ' ') ? NULL : strchr(cursor->at, ' ') != NULL ? BAD_DAY : BAD_FORM;
}

static int
take_two_digits(Cursor *cursor)
{
	int			number = 0;

	for (int i = 0; i < 2; i++, cursor->at++)
	{
		if (*cursor->at < '0' || *cursor->at > '9')
			return -1;
		number = number * 10 + (*cursor->at - '0');
	}
	return number;
}

/* A minute of the day, 24:00 included; -1: it is no time. */
static int
take_time(Cursor *cursor)
{
	int			hour = take_two_digits(cursor);
	int			minute = hour >= 0 && take_char(cursor, ':') ? take_two_digits(cursor) : -1;
	int			time = hour * 60 + minute;

	return minute < 0 || minute > 59 || time > MINUTES_OF_DAY ? -1 : time;
}

static const char *
take_times(Cursor *cursor, int *start, int *length)
{
	int			end;

	*start = take_time(cursor);
	if (*start < 0 || *start == MINUTES_OF_DAY)
		return BAD_TIME;
	if (!take_char(cursor, '-'))
		return BAD_FORM;
	end = take_time(cursor);
	if (end < 0)
		return BAD_TIME;
	if (*cursor->at != '\0')
		return BAD_FORM;
	if (end == *start)
		return EMPTY;
	*length = end > *start ? end - *start : end + MINUTES_OF_DAY - *start;
	return NULL;
}

const char *
quiet_hours_add(QuietHours *hours, const char *window)
{
	Cursor		cursor = {window};
	bool		days[DAYS] = {false};
	int			start;
	int			length;
	const char *complaint = take_days(&cursor, days);

	if (complaint == NULL)
		complaint = take_times(&cursor, &start, &length);
	if (complaint != NULL)
		return complaint;
	for (int day = 0; day < DAYS; day++)
		for (int i = 0; days[day] && i < length; i++)
		{
			bool	   *minute = &hours->minutes[(day * MINUTES_OF_DAY + start + i) % MINUTES_OF_WEEK];

			if (*minute)
				return OVERLAP;
			*minute = true;
		}
	return NULL;
}

int
quiet_hours_left(const QuietHours *hours, int minute)
{
	for (int left = 0; left < MINUTES_OF_WEEK; left++)
		if (!hours->minutes[(minute + left) % MINUTES_OF_WEEK])
			return left;
	return -1;
}
