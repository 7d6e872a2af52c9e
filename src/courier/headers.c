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

/* --- other ways to say it ---------------------------------------------------------- */

/* A moment that is past is no reason to ask again at once. */
#define SOON_MS 1000

/* A number from here on counts the seconds, or the milliseconds, since 1970. */
#define EPOCH_SECONDS INT64_C(1000000000)
#define EPOCH_MS INT64_C(100000000000)

/* A whole number, rounded up; -1: it is none.  A large one is as good as a larger one. */
static int64_t
read_number(const char *text)
{
	const int64_t largest = INT64_MAX / 100;
	size_t		digits = strspn(text, "0123456789");
	const char *fraction = text + digits;
	int64_t		number = 0;

	if (digits == 0 || (*fraction != '\0' &&
						(*fraction != '.' || fraction[1 + strspn(fraction + 1, "0123456789")] != '\0')))
		return -1;
	for (size_t i = 0; i < digits && number < largest; i++)
		number = number * 10 + (text[i] - '0');
	return number + (strpbrk(fraction, "123456789") != NULL);
}

static int64_t
find_number(const char *headers, size_t length, const char *name)
{
	char		value[RETRY_AFTER_SIZE];

	return headers_find(headers, length, name, value, sizeof(value)) ? read_number(value) : -1;
}

static int64_t
milliseconds_asked(const char *headers, size_t length)
{
	int64_t		ms = find_number(headers, length, "Retry-After-Ms");

	if (ms < 0)
		ms = find_number(headers, length, "X-Ms-Retry-After-Ms");
	return ms < SECONDS_PER_DAY * 1000 ? ms : SECONDS_PER_DAY * 1000;
}

/* Seconds that are left, or a moment: some write the one and some the other. */
static int64_t
reset_ms(int64_t number, time_t now)
{
	if (number < 0)
		return -1;
	if (number >= EPOCH_MS)
		return clamp_to_ms(number / 1000 + 1 - (int64_t) now);
	if (number >= EPOCH_SECONDS)
		return clamp_to_ms(number - (int64_t) now);
	return clamp_to_ms(number);
}

/* The number of a parameter such as "t=30" that begins here; -1: it is another. */
static int64_t
parameter_of(const char *text, const char *name)
{
	size_t		length = strlen(name);
	char		digits[20];
	size_t		count;

	text += strspn(text, " \t");
	if (strncasecmp(text, name, length) != 0 || text[length] != '=')
		return -1;
	text += length + 1;
	count = strspn(text, "0123456789");
	if (count == 0 || count >= sizeof(digits))
		return -1;
	memcpy(digits, text, count);
	digits[count] = '\0';
	return read_number(digits);
}

/* One policy of "RateLimit: "burst";r=0;t=1, "daily";r=7;t=4000", or "reset=30" of an older form. */
static int64_t
policy_reset(const char *policy)
{
	int64_t		seconds = parameter_of(policy, "reset");
	int64_t		remaining = 0;

	for (const char *at = strchr(policy, ';'); at != NULL; at = strchr(at + 1, ';'))
	{
		int64_t		t = parameter_of(at + 1, "t");
		int64_t		r = parameter_of(at + 1, "r");

		seconds = t >= 0 ? t : seconds;
		remaining = r >= 0 ? r : remaining;
	}
	return remaining == 0 ? seconds : -1;
}

/* The last of the policies that are used up to begin again. */
static int64_t
rate_limit_reset(const char *headers, size_t length)
{
	char		value[512];
	char	   *rest = value;
	char	   *policy;
	int64_t		seconds = -1;

	if (!headers_find(headers, length, "RateLimit", value, sizeof(value)))
		return -1;
	while ((policy = strsep(&rest, ",")) != NULL)
	{
		int64_t		reset = policy_reset(policy);

		seconds = reset > seconds ? reset : seconds;
	}
	return seconds;
}

/* The first of the names that are in use whose value is a number. */
static int64_t
reset_asked(const char *headers, size_t length, time_t now)
{
	static const char *const names[] = {
		"inin-ratelimit-reset", "RateLimit-Reset", "X-RateLimit-Reset", "X-Rate-Limit-Reset",
	};
	int64_t		number = rate_limit_reset(headers, length);

	for (size_t i = 0; number < 0 && i < sizeof(names) / sizeof(names[0]); i++)
		number = find_number(headers, length, names[i]);
	return reset_ms(number, now);
}

int64_t
headers_rest_ms(const char *headers, size_t length, int status, time_t now, DateReader read_date)
{
	int64_t		rest_ms = headers_retry_after_ms(headers, length, now, read_date);
	bool		limited = status == 429;

	if (rest_ms < 0 && (limited || status == 503))
		rest_ms = milliseconds_asked(headers, length);
	if (rest_ms < 0 && limited)
		rest_ms = reset_asked(headers, length, now);
	if (rest_ms >= 0 && rest_ms < SOON_MS && (limited || status == 503))
		rest_ms = SOON_MS;
	return rest_ms;
}

int64_t
words_rest_ms(const char *body, size_t length)
{
	static const char words[] = "etry the request in [";
	const char *found = length > 0 ? memmem(body, length, words, strlen(words)) : NULL;
	const char *end = body + length;
	char		digits[20];
	size_t		count = 0;

	if (found == NULL)
		return -1;
	for (found += strlen(words); found < end && *found >= '0' && *found <= '9' && count + 1 < sizeof(digits); found++)
		digits[count++] = *found;
	digits[count] = '\0';
	if (count == 0 || found == end || *found != ']')
		return -1;
	return read_number(digits) > 0 ? clamp_to_ms(read_number(digits)) : SOON_MS;
}
