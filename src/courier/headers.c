/*
 * headers.c: what is wanted of the headers of a reply.
 */
#define _GNU_SOURCE
#include "headers.h"

#include <string.h>
#include <strings.h>

#define SECONDS_PER_DAY (24 * 60 * 60)

/* The longest HTTP date has 33 characters; a number needs fewer. */
#define RETRY_AFTER_SIZE 64

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Copies what is between "from" and "end" without the space around it. */
static bool
copy_trimmed(char *value, size_t size, const char *from, const char *end)
{
	while (from < end && is_blank(*from))
		from++;
	while (end > from && is_blank(end[-1]))
		end--;
	if ((size_t) (end - from) >= size || memchr(from, '\0', end - from) != NULL)
		return false;
	memcpy(value, from, end - from);
	value[end - from] = '\0';
	return true;
}

bool
headers_find(const char *headers, size_t length, const char *name,
			 char *value, size_t size)
{
	const char *line = headers;
	const char *end = headers + length;
	size_t		name_length = strlen(name);

	value[0] = '\0';
	while (line < end)
	{
		const char *line_end = memchr(line, '\n', end - line);

		if (line_end == NULL)
			line_end = end;
		if ((size_t) (line_end - line) > name_length &&
			line[name_length] == ':' &&
			strncasecmp(line, name, name_length) == 0)
			return copy_trimmed(value, size, line + name_length + 1, line_end);
		line = line_end < end ? line_end + 1 : end;
	}
	return false;
}

/* A day or any larger number is a day. */
static int64_t
read_seconds(const char *digits)
{
	int64_t		seconds = 0;

	for (; *digits != '\0' && seconds < SECONDS_PER_DAY; digits++)
		seconds = seconds * 10 + (*digits - '0');
	return seconds;
}

static int64_t
clamp_to_ms(int64_t seconds)
{
	if (seconds < 0)
		return 0;
	return (seconds < SECONDS_PER_DAY ? seconds : SECONDS_PER_DAY) * 1000;
}

int64_t
headers_retry_after_ms(const char *headers, size_t length,
					   time_t now, DateReader read_date)
{
	char		value[RETRY_AFTER_SIZE];
	time_t		date;

	if (!headers_find(headers, length, "Retry-After", value, sizeof(value)) ||
		value[0] == '\0')
		return -1;
	if (strspn(value, "0123456789") == strlen(value))
		return clamp_to_ms(read_seconds(value));

	/* Date readers are lenient; every HTTP date begins with a day's name. */
	if (strchr("MTWFS", value[0]) == NULL)
		return -1;
	date = read_date(value);
	return date == -1 ? -1 : clamp_to_ms((int64_t) date - (int64_t) now);
}
