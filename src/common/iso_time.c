/*
 * iso_time.c: times as APIs write them, in ISO 8601 as RFC 3339 narrows it.
 */
#include "iso_time.h"

#include <stddef.h>
#include <string.h>

#define MICROS_PER_SECOND INT64_C(1000000)

/* Reads exactly so many digits; NULL, as does what is read from NULL. */
static const char *
read_digits(const char *text, int count, int *number)
{
	*number = 0;
	for (int i = 0; text != NULL && i < count; i++, text++)
	{
		if (*text < '0' || *text > '9')
			return NULL;
		*number = *number * 10 + (*text - '0');
	}
	return text;
}

static const char *
read_one_of(const char *text, const char *characters)
{
	return text != NULL && *text != '\0' && strchr(characters, *text) != NULL ? text + 1 : NULL;
}

static bool
is_leap_year(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int
days_of_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && is_leap_year(year));
}

static int64_t
days_since_1970(int year, int month, int day)
{
	int64_t		days = day - 1;

	for (int earlier = 1; earlier < month; earlier++)
		days += days_of_month(year, earlier);
	/* leap days before that year, less those before 1970 */
	year--;
	return days + (year - 1969) * INT64_C(365) + (year / 4 - year / 100 + year / 400) - 477;
}

static const char *
read_date(const char *text, int64_t *seconds)
{
	int			year;
	int			month;
	int			day;

	text = read_one_of(read_digits(text, 4, &year), "-");
	text = read_one_of(read_digits(text, 2, &month), "-");
	text = read_digits(text, 2, &day);
	if (text == NULL || year < 1970 || month < 1 || month > 12 ||
		day < 1 || day > days_of_month(year, month))
		return NULL;
	*seconds = days_since_1970(year, month, day) * 24 * 60 * 60;
	return text;
}

/* A leap second is the next one. */
static const char *
read_time(const char *text, int64_t *seconds)
{
	int			hour;
	int			minute;
	int			second;

	text = read_one_of(read_digits(text, 2, &hour), ":");
	text = read_one_of(read_digits(text, 2, &minute), ":");
	text = read_digits(text, 2, &second);
	if (text == NULL || hour > 23 || minute > 59 || second > 60)
		return NULL;
	*seconds += (hour * 60 + minute) * 60 + second;
	return text;
}

/* Digits beyond a microsecond are cut off. */
static const char *
read_fraction(const char *text, int64_t *micros)
{
	int64_t		worth = MICROS_PER_SECOND / 10;

	if (text == NULL || *text != '.')
		return text;
	text++;
	if (*text < '0' || *text > '9')
		return NULL;
	for (; *text >= '0' && *text <= '9'; text++, worth /= 10)
		*micros += (*text - '0') * worth;
	return text;
}

/* Z, or how far the time is ahead of UTC. */
static const char *
read_zone(const char *text, int64_t *seconds)
{
	int			hours;
	int			minutes;
	bool		behind;

	if (text == NULL || *text == 'Z' || *text == 'z')
		return text != NULL ? text + 1 : NULL;
	behind = *text == '-';
	text = read_digits(read_one_of(text, "+-"), 2, &hours);
	if (text != NULL && *text == ':')
		text++;
	text = read_digits(text, 2, &minutes);
	if (text == NULL || hours > 23 || minutes > 59)
		return NULL;
	*seconds -= (behind ? -1 : 1) * (hours * 60 + minutes) * 60;
	return text;
}

bool
iso_time_read(const char *text, int64_t *micros)
{
	int64_t		seconds = 0;
	int64_t		fraction = 0;

	text = read_one_of(read_date(text, &seconds), "Tt ");
	text = read_fraction(read_time(text, &seconds), &fraction);
	text = read_zone(text, &seconds);
	if (text == NULL || *text != '\0' || seconds < 0)
		return false;
	*micros = seconds * MICROS_PER_SECOND + fraction;
	return true;
}
