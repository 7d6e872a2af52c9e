/*
 * written_time.c: reads a time as extracts write it.
 */
#include "written_time.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define SECOND INT64_C(1000000)

/* The text that is left to be read. */
typedef struct Cursor
{
	const char *at;
} Cursor;

typedef struct Day
{
	int			year;
	int			month;
	int			day;
} Day;

bool
date_order_read(const char *text, DateOrder *order)
{
	static const char *const names[] = {NULL, "dmy", "mdy", "ymd"};

	for (int i = DATE_ORDER_DMY; i <= DATE_ORDER_YMD; i++)
		if (strcasecmp(text, names[i]) == 0)
		{
			*order = (DateOrder) i;
			return true;
		}
	return false;
}

static void
skip_blanks(Cursor *cursor)
{
	cursor->at += strspn(cursor->at, " ");
}

static size_t
digits_ahead(const Cursor *cursor)
{
	return strspn(cursor->at, "0123456789");
}

/* Exactly so many digits, or -1. */
static int
take_number(Cursor *cursor, size_t digits)
{
	int			number = 0;

	if (digits_ahead(cursor) < digits)
		return -1;
	while (digits-- > 0)
		number = number * 10 + (*cursor->at++ - '0');
	return number;
}

static bool
take_char(Cursor *cursor, char wanted)
{
	if (*cursor->at != wanted)
		return false;
	cursor->at++;
	return true;
}

static bool
takes_word(Cursor *cursor, const char *word)
{
	size_t		length = strlen(word);

	if (strncasecmp(cursor->at, word, length) != 0 || isalpha((unsigned char) cursor->at[length]))
		return false;
	cursor->at += length;
	return true;
}

/* From 1 for January on; 0: it is none. */
static int
take_month(Cursor *cursor)
{
	static const char *const names[] = {
		"january", "february", "march", "april", "may", "june", "july", "august", "september",
		"october", "november", "december"
	};
	size_t		length = 0;

	while (isalpha((unsigned char) cursor->at[length]))
		length++;
	for (int i = 0; i < 12; i++)
		if ((length == 3 || length == strlen(names[i])) && strncasecmp(cursor->at, names[i], length) == 0)
		{
			cursor->at += length;
			take_char(cursor, '.');
			return i + 1;
		}
	return 0;
}

/* "Sun, " before a date */
static void
skip_day_of_week(Cursor *cursor)
{
	static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

	for (int i = 0; i < 7; i++)
		if (takes_word(cursor, names[i]))
		{
			take_char(cursor, ',');
			skip_blanks(cursor);
			return;
		}
}

/* 3-Mar-2026, 03 March 2026 */
static bool
take_named_month(Cursor *cursor, Day *day)
{
	size_t		digits = digits_ahead(cursor);

	if (digits < 1 || digits > 2)
		return false;
	day->day = take_number(cursor, digits);
	cursor->at += strspn(cursor->at, "- .");
	day->month = take_month(cursor);
	cursor->at += strspn(cursor->at, "- ,");
	if (day->month == 0 || digits_ahead(cursor) != 4)
		return false;
	day->year = take_number(cursor, 4);
	return true;
}

/* 20260301, also with the time of day behind it, and milliseconds since 1970 */
static bool
is_compact(const Cursor *cursor)
{
	size_t		digits = digits_ahead(cursor);

	return (digits == 8 || digits == 14) && (strncmp(cursor->at, "19", 2) == 0 || strncmp(cursor->at, "20", 2) == 0);
}

static bool
take_compact(Cursor *cursor, Day *day)
{
	day->year = take_number(cursor, 4);
	day->month = take_number(cursor, 2);
	day->day = take_number(cursor, 2);
	return true;
}

/* A number of a date with its digits; -1: there is none. */
static int
take_part(Cursor *cursor, size_t *digits)
{
	*digits = digits_ahead(cursor);
	return *digits == 0 || *digits > 4 || *digits == 3 ? -1 : take_number(cursor, *digits);
}

static bool
arrange_parts(Day *day, const int *parts, const size_t *digits, DateOrder order)
{
	static const int places[][3] = {{0, 1, 2}, {2, 1, 0}, {2, 0, 1}, {0, 1, 2}};
	int			year;

	if (digits[0] == 4)
		order = DATE_ORDER_YMD;
	else if (order == DATE_ORDER_UNKNOWN || (order == DATE_ORDER_YMD && digits[0] != 2))
		return false;
	year = places[order][0];
	*day = (Day) {parts[year], parts[places[order][1]], parts[places[order][2]]};
	if (digits[year] == 2)
		day->year += day->year < 70 ? 2000 : 1900;
	return (digits[year] == 2 || digits[year] == 4) &&
		digits[places[order][1]] <= 2 && digits[places[order][2]] <= 2;
}

/* 2026-03-01, and in the order that was said 1/3/2026 or 01.03.26 */
static bool
take_numbers(Cursor *cursor, DateOrder order, Day *day)
{
	int			parts[3];
	size_t		digits[3];
	char		mark = '\0';

	for (int i = 0; i < 3; i++)
	{
		if (i > 0 && !take_char(cursor, mark))
			return false;
		parts[i] = take_part(cursor, &digits[i]);
		if (parts[i] < 0)
			return false;
		if (i == 0)
			mark = *cursor->at;
	}
	return (mark == '-' || mark == '/' || mark == '.') && arrange_parts(day, parts, digits, order);
}

static bool
day_exists(const Day *day)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool		leap = day->year % 4 == 0 && (day->year % 100 != 0 || day->year % 400 == 0);

	return day->year >= 1970 && day->month >= 1 && day->month <= 12 && day->day >= 1 &&
		day->day <= lengths[day->month - 1] + (leap && day->month == 2);
}

static int64_t
days_since_1970(const Day *day)
{
	/* the year begins in March, so that the leap day is its last */
	int64_t		year = day->year - (day->month <= 2);
	int64_t		of_year = (153 * (day->month + (day->month > 2 ? -3 : 9)) + 2) / 5 + day->day - 1;

	return year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719468;
}

/* Parts of a second, as many digits as there are; those beyond the sixth are cut off. */
static int
take_fraction(Cursor *cursor)
{
	int			fraction = 0;
	size_t		digits = digits_ahead(cursor);

	for (size_t i = 0; i < 6; i++)
		fraction = fraction * 10 + (i < digits ? cursor->at[i] - '0' : 0);
	cursor->at += digits;
	return fraction;
}

/* 9:05 PM is 21:05; false: there is no such hour of half a day. */
static bool
take_half_of_day(Cursor *cursor, int *hour)
{
	Cursor		ahead = *cursor;
	bool		before_noon;

	skip_blanks(&ahead);
	before_noon = takes_word(&ahead, "am");
	if (!before_noon && !takes_word(&ahead, "pm"))
		return true;
	*cursor = ahead;
	if (*hour < 1 || *hour > 12)
		return false;
	*hour = *hour % 12 + (before_noon ? 0 : 12);
	return true;
}

static bool
take_time_of_day(Cursor *cursor, bool compact, int64_t *microseconds)
{
	int			hour = take_number(cursor, compact || digits_ahead(cursor) != 1 ? 2 : 1);
	int			minute;
	int			second = 0;
	int			fraction = 0;

	if (hour < 0 || (!compact && !take_char(cursor, ':')))
		return false;
	minute = take_number(cursor, 2);
	if (compact ? digits_ahead(cursor) > 0 : take_char(cursor, ':'))
		second = take_number(cursor, 2);
	if (second >= 0 && (*cursor->at == '.' || *cursor->at == ',') && isdigit((unsigned char) cursor->at[1]))
	{
		cursor->at++;
		fraction = take_fraction(cursor);
	}
	if (!take_half_of_day(cursor, &hour) || minute < 0 || minute > 59 || second < 0 || second > 60 || hour > 24 ||
		(hour == 24 && (minute > 0 || second > 0 || fraction > 0)))
		return false;
	*microseconds = ((hour * 60 + minute) * 60 + second) * SECOND + fraction;
	return true;
}

/* Z, UTC, +02, +0530, -08:00, GMT+2: seconds east of UTC */
static bool
take_offset(Cursor *cursor, int *offset)
{
	int			sign;
	size_t		digits;
	int			hours;
	int			minutes = 0;

	*offset = 0;
	if (takes_word(cursor, "z") || !(*cursor->at != '\0' && strchr("+-uUgG", *cursor->at) != NULL))
		return true;
	if (strncasecmp(cursor->at, "utc", 3) == 0 || strncasecmp(cursor->at, "gmt", 3) == 0)
		cursor->at += 3;
	if (*cursor->at == '\0')
		return true;
	sign = *cursor->at == '-' ? -1 : 1;
	if (!take_char(cursor, '+') && !take_char(cursor, '-'))
		return false;
	digits = digits_ahead(cursor);
	hours = take_number(cursor, digits == 1 ? 1 : 2);
	if (digits == 4 || take_char(cursor, ':'))
		minutes = take_number(cursor, 2);
	*offset = sign * (hours * 60 + minutes) * 60;
	return digits <= 4 && digits != 3 && hours >= 0 && hours <= 15 && minutes >= 0 && minutes <= 59;
}

static bool
take_day(Cursor *cursor, DateOrder order, Day *day)
{
	Cursor		start;

	skip_day_of_week(cursor);
	start = *cursor;
	if (is_compact(cursor) ? take_compact(cursor, day) : take_numbers(cursor, order, day))
		return day_exists(day);
	*cursor = start;
	return take_named_month(cursor, day) && day_exists(day);
}

bool
written_time_read(const char *text, DateOrder order, int64_t *microseconds)
{
	Cursor		cursor = {text};
	Day			day;
	int64_t		of_day = 0;
	int			offset = 0;
	bool		compact;

	if (strlen(text) == 13 && digits_ahead(&cursor) == 13 && text[0] == '1')
	{
		*microseconds = 0;
		for (int i = 0; i < 13; i++)
			*microseconds = *microseconds * 10 + (text[i] - '0');
		*microseconds *= 1000;
		return true;
	}
	compact = is_compact(&cursor);
	if (!take_day(&cursor, order, &day))
		return false;
	if (compact || *cursor.at == 'T' || *cursor.at == ' ' || *cursor.at == ',')
	{
		cursor.at += strspn(cursor.at, "T, ");
		if (*cursor.at != '\0' &&
			!take_time_of_day(&cursor, compact && digits_ahead(&cursor) >= 4, &of_day))
			return false;
		skip_blanks(&cursor);
		if (!take_offset(&cursor, &offset))
			return false;
	}
	*microseconds = (days_since_1970(&day) * 86400 - offset) * SECOND + of_day;
	return *cursor.at == '\0';
}
