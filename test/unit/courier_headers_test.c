/*
 * courier_headers_test.c: headers of a reply, and the delay they ask for.
 */
#include "headers.h"

#include "tap.h"

#define NOW 1000000

/* Stands in for libcurl's: knows one date. */
static time_t
read_date(const char *text)
{
	return strcmp(text, "Fri, 01 Jan 2027 00:00:00 GMT") == 0 ? NOW + 90 : -1;
}

typedef struct DelayCase
{
	const char *headers;
	int64_t		wanted;
} DelayCase;

static const DelayCase delay_cases[] = {
	{"", -1},
	{"HTTP/1.1 429 X\r\nDate: now\r\n", -1},
	{"Retry-After: 7\r\n", 7000},
	{"HTTP/1.1 503 X\r\nretry-AFTER:\t 7 \r\nX: y\r\n", 7000},
	{"Retry-After: 0\r\n", 0},
	{"Retry-After: 86400\r\n", 86400000},
	{"Retry-After: 86401\r\n", 86400000},
	{"Retry-After: 99999999999999999999999999\r\n", 86400000},
	{"Retry-After: \r\n", -1},
	{"Retry-After: -1\r\n", -1},
	{"Retry-After: 1.5\r\n", -1},
	{"Retry-After: 7 seconds\r\n", -1},
	{"Retry-After: soon\r\n", -1},
	{"Retry-After: Tomorrow\r\n", -1},
	{"Retry-After: Fri, 01 Jan 2027 00:00:00 GMT\r\n", 90000},
	{"X-Retry-After: 7\r\n", -1},
	{"Retry-After-Not: 7\r\n", -1},
	{"Retry-After: 7", 7000},
};

static void
test_retry_after(void)
{
	for (size_t i = 0; i < sizeof(delay_cases) / sizeof(delay_cases[0]); i++)
		is_number(headers_retry_after_ms(delay_cases[i].headers,
										 strlen(delay_cases[i].headers), NOW, read_date),
				  delay_cases[i].wanted, "the delay that is asked for");
	is_number(headers_retry_after_ms("Retry-After: Fri, 01 Jan 2027 00:00:00 GMT", 42,
									 NOW + 1000, read_date), 0, "a date in the past");
}

static void
test_find(void)
{
	static const char headers[] = "HTTP/1.1 200 OK\r\nA: 1\r\nB:\r\nA: 2\r\nC: x y \r\n\r\n";
	char		value[4];

	ok(headers_find(headers, strlen(headers), "a", value, sizeof(value)), "found");
	is_text(value, "1", "the first of two");
	ok(headers_find(headers, strlen(headers), "B", value, sizeof(value)), "an empty one");
	is_text(value, "", "is empty");
	ok(headers_find(headers, strlen(headers), "C", value, sizeof(value)), "one that fits");
	is_text(value, "x y", "is trimmed");
	ok(!headers_find(headers, strlen(headers), "D", value, sizeof(value)), "none");
	ok(!headers_find("C: long", 7, "C", value, sizeof(value)), "too long");
	is_text(value, "", "leaves nothing");
	ok(!headers_find("C: a\0b\r\n", 8, "C", value, sizeof(value)), "a NUL inside");
}

int
main(void)
{
	test_retry_after();
	test_find();
	return done_testing();
}
