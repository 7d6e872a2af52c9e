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

typedef struct RestCase
{
	const char *headers;
	int64_t		of_429;
	int64_t		of_503;
} RestCase;

static const RestCase rest_cases[] = {
	{"", -1, -1},
	{"Retry-After: 7\r\nX-RateLimit-Reset: 90\r\n", 7000, 7000},
	{"Retry-After: 0\r\n", 1000, 1000},
	{"Retry-After: soon\r\nX-RateLimit-Reset: 90\r\n", 90000, -1},
	{"retry-after-ms: 2500\r\n", 2500, 2500},
	{"x-ms-retry-after-ms: 12\r\n", 1000, 1000},
	{"Retry-After-Ms: 99999999999999999999\r\n", 86400000, 86400000},
	{"Retry-After-Ms: -5\r\n", -1, -1},
	{"inin-ratelimit-count: 300\r\ninin-ratelimit-reset: 42\r\n", 42000, -1},
	{"RateLimit-Reset: 13\r\n", 13000, -1},
	{"X-RateLimit-Reset: 0\r\n", 1000, -1},
	{"X-RateLimit-Reset: 59.2\r\n", 60000, -1},
	{"X-RateLimit-Reset: 59.0\r\n", 59000, -1},
	{"X-RateLimit-Reset: 2000000090\r\n", 90000, -1},
	{"X-RateLimit-Reset: 2000000090500\r\n", 91000, -1},
	{"X-RateLimit-Reset: 1999999999\r\n", 1000, -1},
	{"X-RateLimit-Reset: 2000900000\r\n", 86400000, -1},
	{"X-Rate-Limit-Reset: 5\r\n", 5000, -1},
	{"X-RateLimit-Reset: 999999999\r\n", 86400000, -1},
	{"X-RateLimit-Reset: 99999999999999999999999999999\r\n", 86400000, -1},
	{"X-RateLimit-Reset: 1e3\r\n", -1, -1},
	{"X-RateLimit-Reset: 7s\r\n", -1, -1},
	{"X-RateLimit-Reset: \r\nX-Rate-Limit-Reset: 3\r\n", 3000, -1},
	{"X-RateLimit-Reset: .5\r\n", -1, -1},
	{"X-RateLimit-Reset: 1.5.2\r\n", -1, -1},
	{"RateLimit: limit=100, remaining=0, reset=30\r\n", 30000, -1},
	{"RateLimit: \"default\";r=0;t=20\r\n", 20000, -1},
	{"RateLimit: \"burst\";r=0;t=4, \"daily\";r=500;t=40000\r\n", 4000, -1},
	{"RateLimit: \"burst\";t=4;r=0,\"daily\"; r=0; t=600\r\n", 600000, -1},
	{"RateLimit: \"default\";r=5;t=20\r\nX-RateLimit-Reset: 8\r\n", 8000, -1},
	{"RateLimit: ;;;,,t=,r=0;t=;t=99999999999999999999999\r\n", -1, -1},
	{"RateLimit: \"x\";t=7\r\n", 7000, -1},
	{"RateLimit-Policy: \"x\";t=7\r\n", -1, -1},
};

static void
test_rest(void)
{
	const time_t now = 2000000000;

	for (size_t i = 0; i < sizeof(rest_cases) / sizeof(rest_cases[0]); i++)
	{
		const char *headers = rest_cases[i].headers;

		is_number(headers_rest_ms(headers, strlen(headers), 429, now, read_date), rest_cases[i].of_429, "the rest that a limited answer asks for");
		is_number(headers_rest_ms(headers, strlen(headers), 503, now, read_date), rest_cases[i].of_503, "the same of 503");
	}
	is_number(headers_rest_ms("X-RateLimit-Reset: 9", 20, 200, now, read_date), -1, "of a status that limits nothing");
	is_number(headers_rest_ms("Retry-After: 9", 14, 500, now, read_date), 9000, "unless it asks for it");
}

typedef struct WordsCase
{
	const char *body;
	int64_t		wanted;
} WordsCase;

static const WordsCase words_cases[] = {
	{"", -1},
	{"{\"message\":\"Rate limit exceeded the maximum. Retry the request in [42] seconds\"}", 42000},
	{"retry the request in [1] seconds", 1000},
	{"retry the request in [0] seconds", 1000},
	{"retry the request in [86401] seconds", 86400000},
	{"retry the request in [9999999999999999999] seconds", 86400000},
	{"retry the request in [99999999999999999999999] seconds", -1},
	{"retry the request in [] seconds", -1},
	{"retry the request in [-1] seconds", -1},
	{"retry the request in [soon] seconds", -1},
	{"retry the request in [42", -1},
	{"retry the request in [", -1},
	{"retry the request", -1},
	{"%s seconds", -1},
};

static void
test_words(void)
{
	for (size_t i = 0; i < sizeof(words_cases) / sizeof(words_cases[0]); i++)
		is_number(words_rest_ms(words_cases[i].body, strlen(words_cases[i].body)), words_cases[i].wanted,
				  words_cases[i].body);
}

int
main(void)
{
	test_rest();
	test_words();
	test_retry_after();
	test_find();
	return done_testing();
}
